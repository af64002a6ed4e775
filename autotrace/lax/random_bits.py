"""What random numbers are made of: the generator, bits as numbers, and two roundings of floats
that their streams depend on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from ..core.trace import get_aval
from .arithmetic import mul
from .families import check_kinds, def_partials, elementwise, elementwise_batch, no_derivative
from .indexing import places
from .structural import array, reshape

special = LazyModule("scipy.special")

# --- the generator -----------------------------------------------------------------------------

#: How far the rounds turn the second half, by fours in turn (Salmon et al., 2011).
_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = np.uint32(0x1BD11BDA)


def _threefry_impl(key: Any, count: Any) -> Any:
    keys = [(key >> np.uint64(32)).astype(np.uint32), key.astype(np.uint32)]
    keys.append(keys[0] ^ keys[1] ^ _PARITY)
    with np.errstate(over="ignore"):  # scalars warn where a sum wraps
        x = (count >> np.uint64(32)).astype(np.uint32) + keys[0]
        y = count.astype(np.uint32) + keys[1]
        for turn in range(1, 6):
            for by in _ROTATIONS[(turn - 1) % 2]:
                x = x + y
                y = ((y << np.uint32(by)) | (y >> np.uint32(32 - by))) ^ x
            x = x + keys[turn % 3]
            y = y + (keys[(turn + 1) % 3] + np.uint32(turn))
    return (x.astype(np.uint64) << np.uint64(32)) | y


threefry2x32_p = no_derivative(elementwise("threefry2x32", _threefry_impl, "u"))


def threefry2x32(key: Any, count: Any) -> Any:
    """Elementwise random word of a key and a count, by Threefry-2x32 with 20 rounds.

    Args:
      key, count: uint64 arrays of one shape, or scalars; each the two 32-bit halves of Threefry's
        pairs, the first one in the upper bits.

    Returns:
      uint64: the resulting pair in the same order.

    Raises:
      TypeError: for other dtypes.

    Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011).

    >>> import numpy as np
    >>> hex(threefry2x32(np.uint64(0), np.uint64(0)))
    '0x6b20015999ba4efe'
    """
    key, count = array(key), array(count)
    for x in (key, count):
        if x.dtype != np.uint64:
            raise TypeError(f"threefry2x32 takes uint64 words, got {x.dtype}")
    return threefry2x32_p.bind(key, count)


def counts(shape: tuple[int, ...]) -> Any:
    """The numbers from 0, in row-major order, as uint64 of a shape.

    >>> counts((2, 2))
    array([[0, 1],
           [2, 3]], dtype=uint64)
    """
    return reshape(places((math.prod(shape),), 0, np.uint64), shape)


# --- bits as numbers ---------------------------------------------------------------------------

bitcast_convert_type_p = no_derivative(Primitive("bitcast_convert_type", elementwise=True))


def bitcast_convert_type(operand: Any, new_dtype: Any) -> Any:
    """Elementwise: the number of another dtype that has the same bits.

    Args:
      operand: an array of numbers.
      new_dtype: a dtype of numbers as wide as the operand's.

    Returns:
      An array of that dtype, of the operand's shape. It has no derivative.

    Raises:
      TypeError: when the widths differ, or one of the dtypes is not one of numbers.

    >>> import autotrace.lax as lax, numpy as np
    >>> hex(lax.bitcast_convert_type(np.float64(1.0), np.uint64))
    '0x3ff0000000000000'
    """
    operand, dtype = array(operand), np.dtype(new_dtype)
    _bitcast_abstract(get_aval(operand), new_dtype=dtype)
    return bitcast_convert_type_p.bind(operand, new_dtype=dtype)


@bitcast_convert_type_p.def_impl
def _bitcast_impl(x: Any, *, new_dtype: np.dtype) -> Any:
    return np.ascontiguousarray(x).reshape(x.shape).view(new_dtype).copy()[()]


@bitcast_convert_type_p.def_abstract
def _bitcast_abstract(x: ShapedArray, *, new_dtype: np.dtype) -> ShapedArray:
    out = make_aval(x.shape, new_dtype)
    for aval in (x, out):
        check_kinds("bitcast_convert_type", aval, "iufc")
    if new_dtype.itemsize != x.dtype.itemsize:
        raise TypeError(
            f"bitcast_convert_type keeps the width: {x} has {x.dtype.itemsize} bytes an element, "
            f"{new_dtype} {new_dtype.itemsize}"
        )
    return out


bitcast_convert_type_p.def_batch(elementwise_batch(bitcast_convert_type_p))

# --- roundings ---------------------------------------------------------------------------------


def _fma_impl(x: Any, y: Any, z: Any) -> Any:
    if np.result_type(x) == np.float64:
        return _fma_double(x, y, z)
    # A product of two float32 is exact in float64, whose sum has digits to spare.
    return np.asarray(np.multiply(x, y, dtype=np.float64) + z).astype(x.dtype)[()]


def _fma_double(x: Any, y: Any, z: Any) -> Any:
    """By sums and products with their errors (Dekker, 1971)."""
    with np.errstate(all="ignore"):
        product = x * y
        (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
        low = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
        total = product + z
        of_z = total - product
        rest = (product - (total - of_z)) + (z - of_z)
        exact = total + (low + rest)
        return np.where(np.isfinite(exact), exact, total)[()]


def _halves(x: Any) -> tuple[Any, Any]:
    scaled = x * (2.0**27 + 1)
    high = scaled - (scaled - x)
    return high, x - high


fma_p = elementwise("fma", _fma_impl, "f")
def_partials(
    fma_p,
    lambda t, out, x, y, z: mul(t, y),
    lambda t, out, x, y, z: mul(t, x),
    lambda t, out, x, y, z: t,
)


def fma(x: Any, y: Any, z: Any) -> Any:
    """Elementwise ``x * y + z`` with one rounding.

    Args:
      x, y, z: floating arrays of one dtype and shape, or scalars.

    >>> import numpy as np
    >>> tenth = np.float64(0.1)
    >>> tenth * 10 - 1, float(fma(tenth, np.float64(10.0), np.float64(-1.0)))
    (np.float64(0.0), 5.551115123125783e-17)
    """
    return fma_p.bind(array(x), array(y), array(z))


def _normal_quantile_impl(u: Any) -> Any:
    # The polynomials start from u * u as rounded to the dtype, which next to 1 leaves few digits
    # of the distance from there; so does this.
    square = (u * u).astype(np.float64)
    root = np.sqrt(square)
    with np.errstate(invalid="ignore"):
        far = special.erfcinv((1 - square) / (1 + root))
        y = np.where(root < 0.5, special.erfinv(root), far).astype(u.dtype)
    return np.asarray(np.copysign(y, u) * u.dtype.type(np.sqrt(2.0)))[()]


normal_quantile_p = no_derivative(elementwise("normal_quantile", _normal_quantile_impl, "f"))


def normal_quantile(u: Any) -> Any:
    """Elementwise: below which number a standard normal one is with probability ``(1 + u) / 2``.

    Compiled, it has the bits of XLA's ``sqrt(2) * erf_inv(u)``, which costs a few units in the
    last place; ``erf_inv`` is more accurate. It is for random numbers, and has no derivative.

    Args:
      u: a floating array of numbers between -1 and 1.

    >>> import numpy as np
    >>> round(float(normal_quantile(np.float64(0.95))), 6)
    1.959964
    """
    return normal_quantile_p.bind(array(u))
