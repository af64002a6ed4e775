"""Bits packed into bytes, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.avals import uniform
from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax.slicing import slice_in_dim
from ..lax.structural import reduce_sum, reshape
from .arguments import join, normal_axis, operand
from .dispatch import implements
from .manipulation import moveaxis
from .promotion import broadcast_to
from .ufuncs import as_bool

_BYTE = np.dtype(np.uint8)


def _places(bitorder: str) -> np.ndarray:
    """What each of eight bits counts."""
    if bitorder not in ("big", "little"):
        raise ValueError(located("'order' must be either 'little' or 'big'"))
    places = np.arange(8, dtype=_BYTE)
    return places if bitorder == "little" else places[::-1]


def _rows(a: Any, axis: Any) -> tuple[Any, int]:
    """An array with the axis in question as the last, and where that was."""
    x = operand(a)
    if axis is None:
        return reshape(x, (x.size,)), 0
    place = normal_axis(axis, x.ndim)
    return moveaxis(x, place, -1), place


@implements(np.packbits)
def packbits(a: Any, /, axis: Any = None, bitorder: str = "big") -> Any:
    """As ``numpy.packbits``, on arrays and traced values.

    >>> packbits(np.array([1, 0, 1, 0, 0, 0, 0, 0, 1]))
    array([160, 128], dtype=uint8)
    """
    if operand(a).dtype.kind not in "biu":
        raise TypeError(located("Expected an input array of integer or boolean data type"))
    x, place = _rows(a, axis)
    *lead, size = x.shape
    bits = arith.convert_element_type(as_bool(x), _BYTE)
    missing = -size % 8
    if missing:
        bits = join([bits, uniform((*lead, missing), _BYTE)], bits.ndim - 1)
    bits = reshape(bits, (*lead, (size + missing) // 8, 8))
    values = np.left_shift(_BYTE.type(1), _places(bitorder))
    packed = reduce_sum(arith.mul(bits, broadcast_to(values, bits.shape)), (bits.ndim - 1,))
    return moveaxis(packed, -1, place)


@implements(np.unpackbits)
def unpackbits(a: Any, /, axis: Any = None, count: Any = None, bitorder: str = "big") -> Any:
    """As ``numpy.unpackbits``, on arrays and traced values.

    >>> unpackbits(np.array([2, 255], np.uint8), count=10)
    array([0, 0, 0, 0, 0, 0, 1, 0, 1, 1], dtype=uint8)
    """
    if operand(a).dtype != _BYTE:
        raise TypeError(located("Expected an input array of unsigned byte data type"))
    x, place = _rows(a, axis)
    *lead, size = x.shape
    shifts = broadcast_to(_places(bitorder), (*lead, size, 8))
    bits = arith.shift_right(broadcast_to(reshape(x, (*lead, size, 1)), shifts.shape), shifts)
    bits = reshape(arith.bitwise_and(bits, _BYTE.type(1)), (*lead, size * 8))
    if count is not None:
        stop = min(count, size * 8) if count >= 0 else max(size * 8 + count, 0)
        if count < -size * 8:
            raise ValueError(
                located(f"-count={-count} is larger than the number of elements {size * 8}")
            )
        bits = slice_in_dim(bits, 0, stop, 1, bits.ndim - 1)
        if count > size * 8:
            more = uniform((*lead, count - size * 8), _BYTE)
            bits = join([bits, more], bits.ndim - 1)
    return moveaxis(bits, -1, place)
