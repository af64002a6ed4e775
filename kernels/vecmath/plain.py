"""The operations of core.py in Python, over NumPy scalars."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np


def fma(x: Any, y: Any, z: Any) -> Any:
    """``x * y + z`` with one rounding."""
    with np.errstate(all="ignore"):
        plain = x * y + z
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
            return plain
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        if exact == 0:
            return plain if plain == 0 else type(x)(0)
        return _rounded(exact, type(x))


def _rounded(exact: Fraction, dtype: type) -> Any:
    """The number of a dtype nearest to a fraction that is not 0, ties to even."""
    info = np.finfo(dtype)
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    unit = Fraction(2) ** (max(exponent, info.minexp) - info.nmant)
    steps = round(exact / unit) * unit  # Python rounds a half to even
    if abs(steps) >= Fraction(2) ** info.maxexp:
        return dtype(math.inf if exact > 0 else -math.inf)
    return dtype(float(steps) if steps else math.copysign(0.0, exact.numerator))


def sqrt(x: Any) -> Any:
    """The square root."""
    with np.errstate(all="ignore"):
        return np.sqrt(x)


def floor(x: Any) -> Any:
    """The largest whole number that is not above ``x``."""
    return np.floor(x)


def fabs(x: Any) -> Any:
    """The magnitude, the sign bit cleared."""
    return np.fabs(x)


def copysign(x: Any, y: Any) -> Any:
    """The magnitude of ``x`` with the sign bit of ``y``."""
    return np.copysign(x, y)


def trunc(x: Any) -> Any:
    """``x`` without what follows the point."""
    return np.trunc(x)


def ceil(x: Any) -> Any:
    """The smallest whole number that is not below ``x``."""
    return np.ceil(x)


def rint(x: Any) -> Any:
    """The nearest whole number, the even one of two."""
    return np.rint(x)


def fmod(x: Any, y: Any) -> Any:
    """The rest of a division rounded towards zero; of whole numbers 0 where there is none."""
    with np.errstate(all="ignore"):
        return np.fmod(x, y)


def quotient(x: Any, y: Any) -> Any:
    """Whole numbers divided, rounded towards zero; 0 where the divisor is."""
    with np.errstate(all="ignore"):
        return (x - np.fmod(x, y)) // y


def count_ones(i: Any) -> Any:
    """How many bits are 1."""
    return type(i)(int(i).bit_count() if i >= 0 else (int(i) % 2 ** (8 * i.itemsize)).bit_count())


def where(condition: Any, x: Any, y: Any) -> Any:
    """``x`` if the condition holds, else ``y``; both are computed."""
    return x if condition else y


def bits(x: Any) -> Any:
    """The bits of a floating number, as an unsigned integer of its width."""
    return x.view(np.uint64 if type(x) is np.float64 else np.uint32)


def from_bits(i: Any) -> Any:
    """The floating number of these bits."""
    return i.view(np.float64 if type(i) is np.uint64 else np.float32)


def _integer(operation: Callable[[int, int], int]) -> Callable:
    def call(i: Any, j: Any) -> Any:
        return type(i)(operation(int(i), int(j)) % 2 ** (8 * i.itemsize))

    return call


iadd, isub = _integer(lambda i, j: i + j), _integer(lambda i, j: i - j)
iand, ior = _integer(lambda i, j: i & j), _integer(lambda i, j: i | j)
ixor = _integer(lambda i, j: i ^ j)
shl, shr = _integer(lambda i, j: i << j), _integer(lambda i, j: i >> j)


def widen(x: Any) -> Any:
    """A float32 as a float64."""
    return np.float64(x)


def narrow(x: Any) -> Any:
    """A float64 rounded to a float32."""
    with np.errstate(all="ignore"):
        return np.float32(x)


def beyond(python: Callable, x: Any, y: Any, limit: float) -> Any:
    """y, or another function of x where ``abs(x)`` is above the limit (0: where x < 0)."""
    with np.errstate(all="ignore"):
        outside = abs(x) > limit if limit else x < 0
        return type(x)(python(x)) if outside else y
