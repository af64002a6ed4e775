"""Joining and splitting arrays, repeating, leaving out and putting in elements."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import slicing, structural
from ..lax.indexing import gather, scatter
from . import promotion
from .arguments import (
    INDEX,
    check_dtype,
    common_dtype,
    join,
    normal_axes,
    normal_axis,
    operand,
    shape_of,
    static_array,
)
from .dispatch import has_tracer, implements
from .manipulation import moveaxis, to_2d, to_3d
from .positions import known_count, positions


def _joinable(arrays: Any, dtype: Any) -> list[Any]:
    parts = [operand(a) for a in rows(arrays)]
    if not parts:
        raise ValueError(located("need at least one array to concatenate"))
    if dtype is None:
        return common_dtype(parts)
    return [arith.convert_element_type(p, check_dtype(dtype)) for p in parts]


def rows(arrays: Any) -> Sequence[Any]:
    """A sequence of arrays; an array is the sequence of its rows."""
    return unstack(arrays) if isinstance(arrays, Tracer) else arrays


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: Any = 0, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """As ``numpy.concatenate``, on arrays and traced values.

    >>> concatenate((np.array([1, 2]), np.array([3])))
    array([1, 2, 3])
    """
    parts = _joinable(arrays, dtype)
    if axis is None:
        parts, axis = [structural.reshape(p, (p.size,)) for p in parts], 0
    first = parts[0]
    if not first.ndim:
        raise ValueError(located("zero-dimensional arrays cannot be concatenated"))
    axis = normal_axis(axis, first.ndim)
    for place, part in enumerate(parts):
        sizes = [
            (n, m)
            for d, (n, m) in enumerate(zip(part.shape, first.shape, strict=False))
            if d != axis
        ]
        if part.ndim != first.ndim or builtins.any(n != m for n, m in sizes):
            raise ValueError(
                located(
                    "all the input array dimensions except for the concatenation axis must match "
                    f"exactly, but array 0 has shape {first.shape} and array {place} shape "
                    f"{part.shape}, along axis {axis}"
                )
            )
    return join(parts, axis)


concat = concatenate


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """As ``numpy.stack``, on arrays and traced values.

    >>> stack((np.array([1, 2]), np.array([3, 4])))
    array([[1, 2],
           [3, 4]])
    """
    parts = _joinable(arrays, dtype)
    if builtins.any(p.shape != parts[0].shape for p in parts):
        raise ValueError(located("all input arrays must have the same shape"))
    axis = normal_axis(axis, parts[0].ndim + 1)
    return join([structural.expand_dims(p, (axis,)) for p in parts], axis)


def _stacked(arrays: Any, at_least: Any, axis: int, dtype: Any) -> Any:
    return concatenate([at_least(operand(a)) for a in rows(arrays)], axis, dtype=dtype)


def _to_1d(x: Any) -> Any:
    return x if x.ndim else structural.reshape(x, (1,))


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """As ``numpy.vstack``, on arrays and traced values.

    >>> vstack((np.array([1, 2]), np.array([3, 4])))
    array([[1, 2],
           [3, 4]])
    """
    return _stacked(tup, to_2d, 0, dtype)


row_stack = vstack


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """As ``numpy.hstack``, on arrays and traced values.

    >>> hstack((np.array([1, 2]), np.array([3])))
    array([1, 2, 3])
    """
    parts = [_to_1d(operand(a)) for a in rows(tup)]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """As ``numpy.dstack``, on arrays and traced values.

    >>> dstack((np.array([1, 2]), np.array([3, 4])))
    array([[[1, 3],
            [2, 4]]])
    """
    return _stacked(tup, to_3d, 2, None)


def _to_column(x: Any) -> Any:
    return x if x.ndim >= 2 else structural.reshape(x, (x.size, 1))


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """As ``numpy.column_stack``, on arrays and traced values.

    >>> column_stack((np.array([1, 2]), np.array([3, 4])))
    array([[1, 3],
           [2, 4]])
    """
    return _stacked(tup, _to_column, 1, None)


@implements(np.block)
def block(arrays: Any) -> Any:
    """As ``numpy.block``, on arrays and traced values.

    >>> block([[np.ones((1, 1)), np.zeros((1, 2))]])
    array([[1., 0., 0.]])
    """

    def depth(x: Any) -> int:
        return 1 + builtins.max(map(depth, x), default=0) if isinstance(x, list) else 0

    def rank(x: Any) -> int:
        return builtins.max(map(rank, x)) if isinstance(x, list) else operand(x).ndim

    levels = depth(arrays)
    ndim = builtins.max(levels, rank(arrays))

    def assemble(x: Any, level: int) -> Any:
        if isinstance(x, list):
            if not x:
                raise ValueError(located("numpy.block: lists must not be empty"))
            parts = [assemble(y, level + 1) for y in x]
            return concatenate(parts, ndim - levels + level)
        if level != levels:
            raise ValueError(located("numpy.block: the lists' depths are mismatched"))
        x = operand(x)
        return structural.reshape(x, (*(1,) * (ndim - x.ndim), *x.shape))

    return assemble(arrays, 0)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    """As ``numpy.append``, on arrays and traced values.

    >>> append(np.array([1, 2]), [3, 4])
    array([1, 2, 3, 4])
    """
    x, more = operand(arr), operand(values)
    if axis is None:
        return concatenate([x, more], None)
    return concatenate([x, more], axis)


# --- splitting ---------------------------------------------------------------------------------


def _cut(x: Any, bounds: Sequence[int], axis: int) -> list[Any]:
    """The parts between places, which are taken as the places of Python slices."""
    size = x.shape[axis]
    parts = []
    for start, stop in zip([0, *bounds], [*bounds, size], strict=True):
        start, stop, _ = builtins.slice(start, stop).indices(size)
        parts.append(slicing.slice_in_dim(x, start, builtins.max(start, stop), 1, axis))
    return parts


@implements(np.array_split, view=True)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As ``numpy.array_split``, on arrays and traced values.

    >>> array_split(np.arange(5), 2)
    [array([0, 1, 2]), array([3, 4])]
    """
    x = operand(ary)
    axis = normal_axis(axis, x.ndim)
    where = static_array(indices_or_sections, "numpy.array_split: indices_or_sections")
    if where.ndim:
        return _cut(x, [int(i) for i in where], axis)
    count = int(where)
    if count <= 0:
        raise ValueError(located("number sections must be larger than 0."))
    each, extra = divmod(x.shape[axis], count)
    sizes = [each + 1] * extra + [each] * (count - extra)
    return _cut(x, [builtins.sum(sizes[:n]) for n in range(1, count)], axis)


@implements(np.split, view=True)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """As ``numpy.split``, on arrays and traced values.

    >>> split(np.arange(4), 2)
    [array([0, 1]), array([2, 3])]
    """
    x = operand(ary)
    axis = normal_axis(axis, x.ndim)
    where = static_array(indices_or_sections, "numpy.split: indices_or_sections")
    if not where.ndim and int(where) > 0 and x.shape[axis] % int(where):
        raise ValueError(located("array split does not result in an equal division"))
    return array_split(x, where, axis)


@implements(np.hsplit, view=True)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As ``numpy.hsplit``, on arrays and traced values.

    >>> hsplit(np.arange(4), 2)
    [array([0, 1]), array([2, 3])]
    """
    x = operand(ary)
    if not x.ndim:
        raise ValueError(located("hsplit only works on arrays of 1 or more dimensions"))
    return split(x, indices_or_sections, 1 if x.ndim > 1 else 0)


@implements(np.vsplit, view=True)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As ``numpy.vsplit``, on arrays and traced values.

    >>> vsplit(np.array([[1, 2], [3, 4]]), 2)
    [array([[1, 2]]), array([[3, 4]])]
    """
    x = operand(ary)
    if x.ndim < 2:
        raise ValueError(located("vsplit only works on arrays of 2 or more dimensions"))
    return split(x, indices_or_sections, 0)


@implements(np.dsplit, view=True)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """As ``numpy.dsplit``, on arrays and traced values.

    >>> dsplit(np.zeros((1, 1, 2)), 2)
    [array([[[0.]]]), array([[[0.]]])]
    """
    x = operand(ary)
    if x.ndim < 3:
        raise ValueError(located("dsplit only works on arrays of 3 or more dimensions"))
    return split(x, indices_or_sections, 2)


def _unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """As ``numpy.unstack``, on arrays and traced values.

    >>> unstack(np.array([[1, 2], [3, 4]]))
    (array([1, 2]), array([3, 4]))
    """
    x = operand(x)
    if not x.ndim:
        raise ValueError(located("Input array must be at least 1-d."))
    axis = normal_axis(axis, x.ndim)
    return tuple(slicing.index_in_dim(x, n, axis, False) for n in range(x.shape[axis]))


_unstack.__name__ = _unstack.__qualname__ = "unstack"
unstack = implements(np.unstack, view=True)(_unstack) if hasattr(np, "unstack") else _unstack

# --- repeating, leaving out, putting in --------------------------------------------------------


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:  # noqa: N803  NumPy's name
    """As ``numpy.tile``, on arrays and traced values.

    >>> tile(np.array([1, 2]), 2)
    array([1, 2, 1, 2])
    """
    x = operand(A)
    times = shape_of(reps)
    ndim = builtins.max(x.ndim, len(times))
    times = (*(1,) * (ndim - len(times)), *times)
    sizes = (*(1,) * (ndim - x.ndim), *x.shape)
    spread = tuple(n for pair in zip(times, sizes, strict=True) for n in pair)
    kept = tuple(2 * d + 1 for d in range(ndim))
    copies = structural.broadcast_in_dim(structural.reshape(x, sizes), spread, kept)
    return structural.reshape(copies, tuple(t * n for t, n in zip(times, sizes, strict=True)))


@implements(np.repeat, extra=("total_repeat_length",))
def repeat(
    a: Any, repeats: Any, axis: Any = None, *, total_repeat_length: int | None = None
) -> Any:
    """As ``numpy.repeat``, on arrays and traced values. Of traced ``repeats`` the sum is asked
    for, and whether there are negative ones; not so with ``total_repeat_length``, to which the
    last element is repeated, or the result cut.

    >>> repeat(np.array([5, 6]), np.array([1, 2]), total_repeat_length=4)
    array([5, 6, 6, 6])
    """
    x, counts = operand(a), operand(repeats)
    if counts.dtype.kind not in "biu":
        raise TypeError(located(f"numpy.repeat: repeats must be integers, not {counts.dtype}"))
    if axis is None:
        x, axis = structural.reshape(x, (x.size,)), 0
    axis = normal_axis(axis, x.ndim)
    size = x.shape[axis]
    if total_repeat_length is not None:
        ends = np.cumsum(np.broadcast_to(arith.convert_element_type(counts, INDEX), (size,)))
        places = np.searchsorted(ends, np.arange(total_repeat_length), "right")
        return take_static(x, np.minimum(places, size - 1), axis)
    if bool((counts < 0).any()):
        raise ValueError(located("repeats may not contain negative values."))
    if counts.size == 1:
        n = known_count(structural.reshape(counts, ()), "np.repeat")
        shape = (*x.shape[: axis + 1], n, *x.shape[axis + 1 :])
        kept = [d for d in range(x.ndim + 1) if d != axis + 1]
        copies = structural.broadcast_in_dim(x, shape, kept)
        return structural.reshape(copies, (*x.shape[:axis], size * n, *x.shape[axis + 1 :]))
    if counts.ndim > 1 or len(counts) != size:
        raise ValueError(
            located(f"operands could not be broadcast together with shape ({size},) {counts.shape}")
        )
    if not isinstance(counts, Tracer):
        return take_static(x, np.repeat(np.arange(size), counts), axis)
    ends = np.cumsum(arith.convert_element_type(counts, INDEX))
    total = known_count(ends[-1], "np.repeat")
    return take_static(x, np.searchsorted(ends, np.arange(total), "right"), axis)


def take_static(x: Any, places: Any, axis: int) -> Any:
    """The parts at positions, counted from the front, of one axis."""
    out = gather(x, [places], (axis,))
    return structural.move_axis(out, 0, axis)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """As ``numpy.resize``, on arrays and traced values.

    >>> resize(np.array([1, 2]), (2, 2))
    array([[1, 2],
           [1, 2]])
    """
    x, shape = operand(a), shape_of(new_shape)
    if builtins.any(n < 0 for n in shape):
        raise ValueError(located("all elements of `new_shape` must be non-negative"))
    flat, size = structural.reshape(x, (x.size,)), math.prod(shape)
    if not x.size:
        return structural.full_like(np.zeros(shape, x.dtype), 0)
    return structural.reshape(take_static(flat, np.arange(size) % x.size, 0), shape)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """As ``numpy.delete``, on arrays and traced values.

    >>> delete(np.array([1, 2, 3]), 1)
    array([1, 3])
    """
    x = operand(arr)
    if axis is None:
        x, axis = structural.reshape(x, (x.size,)), 0
    axis = normal_axis(axis, x.ndim)
    size = x.shape[axis]
    if isinstance(obj, builtins.slice) or not has_tracer(obj):
        return take_static(x, np.delete(np.arange(size), obj), axis)
    obj = operand(obj)
    if obj.dtype.kind == "b":
        if obj.shape != (size,):
            raise ValueError(
                located(
                    "boolean array argument obj to delete must be one dimensional and match the "
                    f"axis length of {size}"
                )
            )
        return take_static(x, positions(arith.bitwise_not(obj), "np.delete"), axis)
    kept = scatter(np.ones(size, bool), [obj], np.False_, (0,))
    return take_static(x, positions(kept, "np.delete"), axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """As ``numpy.insert``, on arrays and traced values; a traced ``obj`` is asked for its
    numbers.

    >>> insert(np.array([1, 2]), 1, 9)
    array([1, 9, 2])
    """
    x = operand(arr)
    more = arith.convert_element_type(operand(values), x.dtype)
    if axis is None:
        x, axis = structural.reshape(x, (x.size,)), 0
    axis = normal_axis(axis, x.ndim)
    size = x.shape[axis]
    if not isinstance(obj, builtins.slice):
        obj = static_array(obj, "numpy.insert: obj")
        if obj.dtype.kind == "b":
            obj = np.flatnonzero(obj)
        places = obj if obj.size else obj.astype(INDEX)
    else:
        places = np.arange(*obj.indices(size))
    if places.size == 1:
        more = structural.reshape(more, (*(1,) * (x.ndim - more.ndim), *more.shape))
        if not places.ndim:
            more = moveaxis(more, 0, axis)
        count = more.shape[axis]
    else:
        count = len(places)
    more = promotion.broadcast_to(more, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    # Which element of the two, one behind the other, comes where: NumPy's own answer.
    order = np.insert(np.arange(size), places, np.arange(size, size + count))
    return take_static(join([x, more], axis), order, axis)


@implements(np.trim_zeros, view=True)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """As ``numpy.trim_zeros``, on arrays and traced values: where the zeros end is asked for.

    >>> trim_zeros(np.array([0, 1, 2, 0]))
    array([1, 2])
    """
    x = operand(filt)
    axes = range(x.ndim) if axis is None else normal_axes(axis, x.ndim)
    if builtins.set(trim.lower()) - builtins.set("fb"):
        raise ValueError(located(f"unexpected character(s) in `trim`: {trim!r}"))
    index = [builtins.slice(None)] * x.ndim
    for d in axes:
        if not x.size:
            index[d] = builtins.slice(0)
            continue
        others = tuple(k for k in range(x.ndim) if k != d)
        mask = np.any(x != 0, axis=others)
        first, last = np.argmax(mask), x.shape[d] - np.argmax(mask[::-1])
        if not bool(mask.any()):
            first, last = x.shape[d], 0
        start = known_count(first, "np.trim_zeros") if "f" in trim.lower() else 0
        stop = known_count(last, "np.trim_zeros") if "b" in trim.lower() else x.shape[d]
        index[d] = builtins.slice(start, stop)
    return x[tuple(index)]
