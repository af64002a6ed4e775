"""The few operations the functions are written in, each one LLVM instruction or intrinsic.

Without Numba (or with its compiler switched off) the same names are Python functions over NumPy
scalars: slow, and bit for bit what the compiled ones return.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    import numba
    from numba import types
    from numba.core import config
    from numba.extending import overload

    from . import compiled
except ImportError:
    numba = None  # type: ignore[assignment]

from . import plain

COMPILED = numba is not None and not config.DISABLE_JIT  # type: ignore[attr-defined]
_operations: Any = compiled if COMPILED else plain

_OPTIONS: Any = {"forceinline": True, "error_model": "numpy"}


def kernel(function: Callable) -> Callable:
    """A function that is inlined into its callers when they are compiled by Numba."""
    return numba.njit(**_OPTIONS)(function) if COMPILED else function


def generic(name: str, double: Callable, single: Callable) -> Callable:
    """One function of a name that takes either dtype: chosen by type while compiling.

    Args:
      name: its ``__name__``.
      double: the kernel for float64, and for anything else that Numba converts to it.
      single: the kernel for float32.
    """
    plain_double = getattr(double, "py_func", double)
    unary = plain_double.__code__.co_argcount == 1

    def pick(*args: Any) -> Callable:
        return single if all(type(x) is np.float32 for x in args) else double

    stub: Any = (lambda x: pick(x)(x)) if unary else (lambda x, y: pick(x, y)(x, y))
    stub.__name__ = stub.__qualname__ = name
    if not COMPILED:
        return np.errstate(all="ignore")(stub)

    def choose(*args: Any) -> Callable | None:
        if any(not isinstance(x, types.Number) or isinstance(x, types.Complex) for x in args):
            return None
        if all(x == types.float64 for x in args):
            return plain_double
        if all(x == types.float32 for x in args):
            return single.py_func  # type: ignore[attr-defined]
        if unary:
            return lambda x: double(np.float64(x))
        return lambda x, y: double(np.float64(x), np.float64(y))

    register = overload(stub, jit_options=_OPTIONS, strict=False)
    register((lambda x: choose(x)) if unary else (lambda x, y: choose(x, y)))
    return stub


# Arithmetic: fma(x, y, z) is x * y + z rounded once, poly(x, coefficients) a polynomial by Horner's
# rule from the constant's coefficient on.
fma: Callable[..., Any] = _operations.fma
poly: Callable[..., Any] = _operations.poly
sqrt: Callable[..., Any] = _operations.sqrt
floor: Callable[..., Any] = _operations.floor
fabs: Callable[..., Any] = _operations.fabs
copysign: Callable[..., Any] = _operations.copysign

# where(condition, x, y) computes both; no branch. beyond makes exceptions for rare arguments.
where: Callable[..., Any] = _operations.where
beyond: Callable[..., Any] = _operations.beyond

# The bits of a number as an unsigned integer of its width, and arithmetic on them that wraps.
bits: Callable[..., Any] = _operations.bits
from_bits: Callable[..., Any] = _operations.from_bits
iadd: Callable[..., Any] = _operations.iadd
isub: Callable[..., Any] = _operations.isub
iand: Callable[..., Any] = _operations.iand
ior: Callable[..., Any] = _operations.ior
ixor: Callable[..., Any] = _operations.ixor
shl: Callable[..., Any] = _operations.shl
shr: Callable[..., Any] = _operations.shr
