"""Functional transforms for NumPy code: grad, jvp, vmap, jit and their relatives.

A plain function over NumPy arrays is traced into a jaxpr; interpreters over it differentiate and
batch it. NumPy arrays go in, NumPy arrays come out.
"""

import importlib
from types import ModuleType

from . import checkpoint_policies, debug, extend, flatten_util, lax, numpy, testing, tree
from .api.compile import jit
from .api.custom import SymbolicZero, checkpoint, custom_jvp, custom_vjp
from .api.differentiate import (
    elementwise_grad,
    grad,
    jvp,
    linear_transpose,
    linearize,
    value_and_grad,
    vjp,
)
from .api.effects import pure_callback
from .api.inspect import ShapeDtypeStruct, eval_shape, explain, make_jaxpr
from .api.jacobians import hessian, hvp, jacfwd, jacrev
from .api.settings import debug_nans, set_num_threads, threads
from .api.sparse import sparse_hessian, sparse_jacobian, sparsity
from .api.vectorize import vmap
from .core.avals import float0
from .core.config import config
from .core.errors import (
    AssignmentError,
    AutotraceError,
    ConcretizationError,
    JaxprTypeError,
    KernelMismatchError,
    LeakedTracerError,
    MissingRuleError,
    NanError,
    NonDifferentiableError,
    TracerArrayError,
)
from .core.work import set_progress
from .lax.checkpointing import checkpoint_name
from .lax.constants import stop_gradient

__version__ = "0.1.0"

#: The public modules that are imported when first asked for, so that ``import autotrace`` is cheap.
_LAZY = ("nn", "random", "scipy", "visualize")


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AssignmentError",
    "AutotraceError",
    "ConcretizationError",
    "JaxprTypeError",
    "KernelMismatchError",
    "LeakedTracerError",
    "MissingRuleError",
    "NanError",
    "NonDifferentiableError",
    "ShapeDtypeStruct",
    "SymbolicZero",
    "TracerArrayError",
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "config",
    "custom_jvp",
    "custom_vjp",
    "debug",
    "debug_nans",
    "elementwise_grad",
    "eval_shape",
    "explain",
    "extend",
    "flatten_util",
    "float0",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "lax",
    "linear_transpose",
    "linearize",
    "make_jaxpr",
    "nn",
    "numpy",
    "pure_callback",
    "random",
    "scipy",
    "set_num_threads",
    "set_progress",
    "sparse_hessian",
    "sparse_jacobian",
    "sparsity",
    "stop_gradient",
    "testing",
    "threads",
    "tree",
    "value_and_grad",
    "visualize",
    "vjp",
    "vmap",
]
