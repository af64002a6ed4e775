"""The few operations the functions are written in, each one LLVM instruction or intrinsic.

On values under translation they write instructions; on NumPy scalars they compute: slow, and bit
for bit what the compiled ones return.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..llvm.values import Value
from . import emitted, plain


def _is_value(operands: tuple) -> bool:
    return any(isinstance(x, Value) for x in operands)


def _operation(name: str) -> Callable[..., Any]:
    write, compute = getattr(emitted, name), getattr(plain, name)

    def operation(*operands: Any) -> Any:
        return write(*operands) if _is_value(operands) else compute(*operands)

    operation.__name__ = name
    return operation


def generic(name: str, double: Callable, single: Callable) -> Callable:
    """One function of a name that takes either dtype.

    Args:
      name: its ``__name__``.
      double: the function for float64, and on NumPy scalars for anything else.
      single: the function for float32.
    """

    def call(*args: Any) -> Any:
        if _is_value(args):
            builder = emitted.builder_of(*args)
            args = tuple(builder.common(*args))
            return (single if args[0].dtype == "float32" else double)(*args)
        if all(type(x) is np.float32 for x in args):
            function = single
        else:
            function, args = double, tuple(np.float64(x) for x in args)
        with np.errstate(all="ignore"):
            return function(*args)

    call.__name__ = call.__qualname__ = name
    return call


# Arithmetic: fma(x, y, z) is x * y + z rounded once.
fma = _operation("fma")
sqrt = _operation("sqrt")
floor = _operation("floor")
fabs = _operation("fabs")
copysign = _operation("copysign")
trunc = _operation("trunc")
ceil = _operation("ceil")
rint = _operation("rint")
fmod = _operation("fmod")
quotient = _operation("quotient")
count_ones = _operation("count_ones")
widen = _operation("widen")
narrow = _operation("narrow")


def poly(x: Any, coefficients: Sequence[Any]) -> Any:
    """A polynomial; the coefficient of the constant comes first.

    By Horner's rule, but of a long one the terms after the first as two polynomials of ``x**2``,
    the even powers and the odd ones (Knuth, 1962): processors wait for one sum half as long.
    """
    if len(coefficients) < 6:
        return _horner(x, coefficients)
    first, rest = coefficients[0], coefficients[1:]
    square = x * x
    return fma(fma(_horner(square, rest[1::2]), x, _horner(square, rest[::2])), x, first)


def _horner(x: Any, coefficients: Sequence[Any]) -> Any:
    out = coefficients[-1]
    for c in coefficients[-2::-1]:
        out = fma(out, x, c)
    return out


def where(condition: Any, x: Any, y: Any) -> Any:
    """``x`` if the condition holds, else ``y``; both are computed, without a branch."""
    # A condition on constants is known while translating.
    known = not isinstance(condition, Value)
    return plain.where(condition, x, y) if known else emitted.where(condition, x, y)


# The bits of a number as an unsigned integer of its width, and arithmetic on them that wraps.
bits = _operation("bits")
from_bits = _operation("from_bits")
iadd = _operation("iadd")
isub = _operation("isub")
iand = _operation("iand")
ior = _operation("ior")
ixor = _operation("ixor")
shl = _operation("shl")
shr = _operation("shr")


def beyond(symbol: str, python: Callable, double: float, single: float) -> Callable:
    """A function of ``(x, y)``: y, or another function's value where x is too large.

    Args:
      symbol: the name of the C library's function for double.
      python: the function that stands for it on NumPy scalars.
      double: the largest magnitude for which y holds; 0 is for every x that is not negative.
      single: the same for float32.
    """

    def call(x: Any, y: Any) -> Any:
        if isinstance(x, Value):
            return emitted.beyond(symbol, x, y, double if x.dtype == "float64" else single)
        limit = double if type(x) is np.float64 else single
        return plain.beyond(python, x, y, limit)

    return call
