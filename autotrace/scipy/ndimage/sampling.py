"""Values of an array between its elements, by splines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import ndimage as _scipy

from ... import numpy as anp
from ...core.errors import located
from ...lax.cumulative import linear_recurrence
from ...numpy.arguments import normal_axis, operand
from ...numpy.dispatch import implements
from ...numpy.indexing import getitem
from ...numpy.manipulation import moveaxis
from .filters import PAD_MODES, doubled, extended, output_dtype

#: The poles of the recursive filter that makes coefficients of values, by the spline's order
#: (Unser, Aldroubi and Eden 1993).
_POLES: dict[int, tuple[float, ...]] = {
    0: (),
    1: (),
    2: (math.sqrt(8) - 3,),
    3: (math.sqrt(3) - 2,),
    4: tuple(math.sqrt(664 + s * math.sqrt(438976)) - s * math.sqrt(304) - 19 for s in (-1, 1)),
    5: tuple(
        math.sqrt(67.5 + s * math.sqrt(4436.25)) - s * math.sqrt(26.25) - 6.5 for s in (-1, 1)
    ),
}
#: How the coefficients go on beyond the borders; they are mirrored in the other modes.
_HALVES = ("reflect", "grid-mirror", "nearest")
#: How far an array is continued before it is filtered, in modes that no filter has.
_MARGIN = 12


def _check_order(order: int) -> int:
    if not 0 <= order <= 5:
        raise RuntimeError(located("spline order not supported"))
    return int(order)


def _extension(mode: str) -> str:
    return "half" if mode in _HALVES else "wrap" if mode == "grid-wrap" else "mirror"


def _first_sum(x: Any, z: float, kind: str) -> Any:
    """What the causal filter has at the first element of a sequence (the last axis) that goes on
    for ever before it."""
    n = x.shape[-1]
    k = np.arange(n)
    if kind == "mirror":
        weights = z**k + np.where((k > 0) & (k < n - 1), z ** (2.0 * n - 2 - k), 0)
        weights /= 1 - z ** (2 * n - 2)
    elif kind == "half":
        weights = (z ** (k + 1) + z ** (2.0 * n - k)) / (1 - z ** (2 * n)) + (k == 0)
    else:
        weights = z ** ((n - k) % n) / (1 - z**n)
    return x @ weights.astype(x.dtype)


def _last_sum(x: Any, z: float, kind: str) -> Any:
    """The same for the filter that goes backwards, at the last element."""
    n = x.shape[-1]
    if kind == "mirror":
        return z / (z * z - 1) * (x[..., -1] + z * x[..., -2])
    if kind == "half":
        return z / (z - 1) * x[..., -1]
    weights = -z * z ** ((np.arange(n) + 1) % n) / (1 - z**n)
    return x @ weights.astype(x.dtype)


def _coefficients(x: Any, order: int, kind: str) -> Any:
    """The coefficients of the spline through a sequence's elements, along the last axis."""
    if x.shape[-1] < 2:
        return x
    for z in _POLES[order]:
        x = x * ((1 - z) * (1 - 1 / z))
        factors = anp.full_like(x, z)
        first = _first_sum(x, z, kind)[..., None]
        x = linear_recurrence(factors, anp.concatenate([first, x[..., 1:]], -1), x.ndim - 1)
        last = _last_sum(x, z, kind)[..., None]
        terms = anp.concatenate([-z * x[..., :-1], last], -1)
        x = linear_recurrence(factors, terms, x.ndim - 1, reverse=True)
    return x


def _spline_filtered(x: Any, order: int, axes: Any, mode: str) -> Any:
    """The coefficients along some axes of an array in double precision.

    SciPy's sum at the beginning is not exact in the modes that repeat the border's elements: for a
    sequence of n of them it is off by a pole's power of 2 n.
    """
    if mode not in PAD_MODES:
        raise RuntimeError(located(f"boundary mode not supported: {mode!r}"))
    for axis in axes if order > 1 else ():
        along = _coefficients(moveaxis(x, axis, -1), order, _extension(mode))
        x = moveaxis(along, -1, axis)
    return x


@implements(_scipy.spline_filter1d)
def spline_filter1d(
    input: Any,  # noqa: A002
    order: int = 3,
    axis: int = -1,
    output: Any = np.float64,
    mode: str = "mirror",
) -> Any:
    """As ``scipy.ndimage.spline_filter1d``, on arrays and traced values.

    >>> import numpy as np
    >>> spline_filter1d(np.array([0.0, 1.0, 0.0])).round(3)
    array([-1.,  2., -1.])
    """
    x = operand(input)
    axis, order = normal_axis(axis, x.ndim), _check_order(order)
    dtype = output_dtype("spline_filter1d", output, x)
    return anp.astype(_spline_filtered(doubled(x), order, (axis,), mode), dtype)


@implements(_scipy.spline_filter)
def spline_filter(
    input: Any,  # noqa: A002
    order: int = 3,
    output: Any = np.float64,
    mode: str = "mirror",
) -> Any:
    """As ``scipy.ndimage.spline_filter``, on arrays and traced values.

    >>> import numpy as np
    >>> spline_filter(np.ones((2, 2))).round(12)
    array([[1., 1.],
           [1., 1.]])
    """
    x = operand(input)
    dtype = output_dtype("spline_filter", output, x)
    order = _check_order(order)
    return anp.astype(_spline_filtered(doubled(x), order, range(x.ndim), mode), dtype)


# --- sampling ------------------------------------------------------------------------------------


def _inside(place: Any, size: int, mode: str) -> Any:
    """Coordinates brought into the array, as far as the mode says how."""
    last = size - 1
    if mode == "wrap" and not last:
        return place * 0
    if mode in ("wrap", "grid-wrap"):
        # With "wrap" the last element is at the place of the first.
        turned = anp.mod(place, last if mode == "wrap" else size)
        return anp.where((place < 0) | (place > last), turned, place)
    if mode == "mirror":
        if not last:
            return place * 0
        folded = anp.mod(place, 2 * last)
        return anp.where(folded > last, 2 * last - folded, folded)
    if mode in ("reflect", "grid-mirror"):
        folded = anp.mod(place + 0.5, 2 * size)
        return anp.where(folded > size, 2 * size - folded, folded) - 0.5
    return place


def _reached(index: Any, size: int, mode: str) -> Any:
    """Indices of elements beyond the borders as those of the elements that stand there."""
    if mode == "nearest":
        return anp.clip(index, 0, size - 1)
    kind = _extension(mode)
    if kind == "wrap":
        return anp.mod(index, size)
    if kind == "half":
        index = anp.mod(index, 2 * size)
        return anp.minimum(index, 2 * size - 1 - index)
    if size == 1:
        return index * 0
    index = anp.mod(index, 2 * size - 2)
    return anp.minimum(index, 2 * size - 2 - index)


def _spline_weights(offset: Any, order: int) -> list[Any]:
    """The values at ``offset + n``, for n from 0 to the order, of the basis spline over the
    uniform knots 0, 1, ..., order + 1 (de Boor's recursion)."""
    values = [anp.ones_like(offset)]
    for p in range(1, order + 1):
        longer = []
        for n in range(p + 1):
            rising = (offset + n) * values[n] if n < p else 0.0
            falling = (p + 1 - n - offset) * values[n - 1] if n else 0.0
            longer.append((rising + falling) / p)
        values = longer
    return values


def _rounded(x: Any, dtype: np.dtype) -> Any:
    """Numbers in the result's dtype: integers are the nearest, as SciPy has them."""
    if dtype.kind in "iu":
        x = anp.trunc(anp.real(x) + anp.copysign(0.5, anp.real(x)))
        x = anp.clip(x, np.iinfo(dtype).min, np.iinfo(dtype).max)
    return anp.astype(x, dtype)


@implements(_scipy.map_coordinates)
def map_coordinates(
    input: Any,  # noqa: A002
    coordinates: Any,
    output: Any = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Any:
    """As ``scipy.ndimage.map_coordinates``, on arrays and traced values.

    Differentiable in the array and in the coordinates.

    Args:
      input: an array of n dimensions.
      coordinates: an array, or a sequence of arrays, of shape ``(n, ...)``.
      output: the result's dtype; the input's when None.
      order: the spline's, from 0 to 5.
      mode: how the array goes on beyond its borders: one of SciPy's names.
      cval: what is beyond them, for "constant" and "grid-constant".
      prefilter: whether ``input`` are values, not yet the spline's coefficients.

    Returns:
      The values, of the shape of one coordinate.

    Raises:
      RuntimeError: for orders and modes that there are not, and shapes that do not fit.

    >>> import numpy as np
    >>> map_coordinates(np.array([0.0, 1.0, 4.0, 9.0]), [[0.5, 1.5]], order=1)
    array([0.5, 2.5])
    """
    x, places = operand(input), operand(coordinates)
    order = _check_order(order)
    if places.dtype.kind == "c":
        raise TypeError(located("Complex type not supported"))
    if not x.ndim or places.ndim < 2:
        raise RuntimeError(located("input and output rank must be > 0"))
    if places.shape[0] != x.ndim:
        raise RuntimeError(located("invalid shape for coordinate array"))
    dtype = output_dtype("map_coordinates", output, x)
    if mode not in PAD_MODES:
        raise RuntimeError(located(f"boundary mode not supported: {mode!r}"))
    x, places = doubled(x), anp.astype(places, np.float64)
    if prefilter and order > 1:
        if mode in ("nearest", "grid-constant"):
            x = extended(x, [(_MARGIN, _MARGIN)] * x.ndim, mode, cval)
            places = places + _MARGIN
        x = _spline_filtered(x, order, range(x.ndim), mode)
    outside: Any = False
    indices, weights = [], []
    count = places.shape[0]
    for d, size in enumerate(x.shape):
        place = places[d]
        if mode == "constant":
            outside = anp.logical_or(outside, (place < 0) | (place > size - 1))
        place = _inside(place, size, mode)
        nearest = place + (0.0 if order % 2 else 0.5)
        start = anp.floor(nearest)
        first = anp.astype(start, np.int64) - order // 2
        index = anp.stack([first + n for n in range(order + 1)])
        weight = anp.stack(_spline_weights(nearest - start, order)[::-1])
        if mode == "grid-constant":
            beyond = (index < 0) | (index >= size)
            index = anp.where(beyond, size, index)
        else:
            index = _reached(index, size, mode)
        axes = tuple(e for e in range(count) if e != d)
        indices.append(anp.expand_dims(index, axes))
        weights.append(weight)
    if mode == "grid-constant":
        x = anp.pad(x, [(0, 1)] * count, constant_values=cval)
    total = getitem(x, tuple(indices))
    for weight in weights:  # sums over the first of what is left
        shape = (weight.shape[0], *(1,) * (total.ndim - weight.ndim), *weight.shape[1:])
        total = anp.sum(total * anp.reshape(weight, shape), 0)
    if mode == "constant":
        total = anp.where(outside, anp.asarray(cval, total.dtype), total)
    return _rounded(total, dtype)
