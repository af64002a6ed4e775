"""How each elementwise primitive is written for one element.

A lowering is a Python expression over ``{0}``, ``{1}``, ...; the names in it are those of
``NAMESPACE``. What has no lowering here for its dtypes runs as a host step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import vecmath
from .llvm.language import builds
from .vecmath.core import floor, sqrt

_FLOATS = frozenset((np.dtype(np.float64), np.dtype(np.float32)))
_INT = np.dtype(np.int64)
_BOOL = np.dtype(np.bool_)
#: The dtypes that kernels compute with.
NATIVE = _FLOATS | {_INT, _BOOL}


@builds
def _add_any_order(builder: Any, total: Any, x: Any) -> Any:
    """``total + x`` in a sum whose terms LLVM may add in any order, and so as vectors.

    The flag is on this one instruction; the terms themselves are computed as written.
    """
    return builder.binary("fadd reassoc", total, x)


#: Functions that generated source may call, by the names it calls them by.
NAMESPACE: dict[str, Any] = {
    "floor": floor,
    "sqrt": sqrt,
    # The larger, the smaller of two floats; NaN if either is one. LLVM vectorises reductions by
    # them.
    "maximum": builds(lambda builder, x, y: builder.intrinsic("maximum", x, y)),
    "minimum": builds(lambda builder, x, y: builder.intrinsic("minimum", x, y)),
    "add_any_order": _add_any_order,
    **{f"vm_{name}": function for name, function in vecmath.TABLE.items()},
}

_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_ARITHMETIC = {"add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "neg": "-{0}"}
_FLOAT_ONLY = {
    "div": "{0} / {1}",
    "floor": "floor({0})",
    "sqrt": "sqrt({0})",
    "is_nan": "{0} != {0}",
    "max": "maximum({0}, {1})",
    "min": "minimum({0}, {1})",
    "abs": "abs({0})",
}
_BITS = {"bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}", "bitwise_xor": "{0} ^ {1}"}
#: Primitives that cost about as much as a memory access or more; others are computed again
#: rather than stored.
_CHEAP = frozenset(
    (
        *_COMPARISONS,
        *_ARITHMETIC,
        *_BITS,
        "max",
        "min",
        "abs",
        "is_nan",
        "select_n",
        "floor",
        "bitwise_not",
        "convert_element_type",
        "stop_gradient",
        "integer_pow",
    )
)


def is_heavy(name: str) -> bool:
    """Whether a primitive's value is better stored than computed twice."""
    return name not in _CHEAP


def template(name: str, dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    """The expression of a primitive for operands of some dtypes, None where there is none."""
    if out not in NATIVE or any(d not in NATIVE for d in dtypes):
        return None
    special = _SPECIAL.get(name)
    if special is not None:
        return special(dtypes, out, params)
    first = dtypes[0]
    if name in _COMPARISONS:
        return f"{{0}} {_COMPARISONS[name]} {{1}}"
    if name in _ARITHMETIC and first != _BOOL:
        return _ARITHMETIC[name]
    if name in _BITS and first in (_BOOL, _INT):
        return _BITS[name]
    if first in _FLOATS:
        if name in _FLOAT_ONLY:
            return _FLOAT_ONLY[name]
        if name in vecmath.TABLE:
            operands = ", ".join(f"{{{i}}}" for i in range(len(dtypes)))
            return f"vm_{name}({operands})"
    return None


def _select(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    return "select({0}, {2}, {1})" if dtypes[0] == _BOOL and len(dtypes) == 3 else None


def _convert(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    (source,) = dtypes
    if out == _BOOL:
        return "{0} != 0"
    if out == _INT and source in _FLOATS:
        return None  # out of range the result would depend on how LLVM happens to convert
    return f"np.{out.name}({{0}})"


def _not(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    return "not {0}" if out == _BOOL else "~{0}"


def _integer_pow(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    y = params["y"]
    if out == _BOOL or not 2 <= abs(y) <= 3 or (y < 0 and out == _INT):
        return None
    product = " * ".join(["{0}"] * abs(y))
    return product if y > 0 else f"np.{out.name}(1) / ({product})"


_SPECIAL: dict[str, Callable[[list[np.dtype], np.dtype, dict], str | None]] = {
    "select_n": _select,
    "convert_element_type": _convert,
    "bitwise_not": _not,
    "integer_pow": _integer_pow,
    "stop_gradient": lambda dtypes, out, params: "{0}",
}
