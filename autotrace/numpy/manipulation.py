"""Shapes, joining, splitting, repeating, sorting; and what is asked of an array without
looking at its numbers."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..core.avals import SUPPORTED_DTYPES, aval_of, float0
from ..core.errors import ConcretizationError, located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import slicing, structural
from ..lax.indexing import broadcasted_iota, gather, scatter
from ..lax.reductions import reduce_and
from ..lax.sorting import sort as lax_sort
from . import promotion, ufuncs
from .dispatch import has_tracer, implements
from .positions import known_count, positions

_INDEX = np.dtype(np.int64)

# --- arguments ---------------------------------------------------------------------------------


def operand(x: Any) -> Any:
    """An argument as a tracer, an ndarray or a NumPy scalar, none of them weak; nested sequences
    that hold tracers are stacked.

    Raises:
      TypeError: for what is not an array of numbers.
    """
    if isinstance(x, Tracer):
        return promotion.strong(x)
    if isinstance(x, list | tuple) and has_tracer(x):
        return stack_nested(x)
    if not isinstance(x, np.ndarray | np.generic):
        x = np.asarray(x)
    aval_of(x)
    return x


def stack_nested(x: Any) -> Any:
    """Nested sequences, of which the leaves may be traced, as one array.

    Raises:
      ValueError: when they are not of one shape.
    """
    parts = [operand(y) for y in x]
    if not parts:
        return np.zeros(0)
    shape = parts[0].shape
    if builtins.any(p.shape != shape for p in parts):
        raise ValueError(
            located(
                "a sequence becomes an array only when its elements have one shape; they have "
                + " ".join(str(p.shape) for p in parts)
            )
        )
    return join([structural.reshape(p, (1, *shape)) for p in common_dtype(parts)], 0)


def common_dtype(arrays: Sequence[Any]) -> list[Any]:
    """Strong arrays converted to their common dtype."""
    dtype = np.result_type(*[a.dtype for a in arrays])
    return [arith.convert_element_type(a, dtype) for a in arrays]


def check_dtype(dtype: Any) -> np.dtype:
    """A dtype that arrays may have.

    Raises:
      TypeError: for any other.
    """
    dtype = np.dtype(dtype)
    if dtype not in SUPPORTED_DTYPES or dtype == float0:
        raise TypeError(located(f"traced arrays of dtype {dtype} are not supported"))
    return dtype


def axis_error(axis: int, ndim: int) -> Exception:
    """NumPy's error for an axis that an array does not have."""
    return np.exceptions.AxisError(
        located(f"axis {axis} is out of bounds for array of dimension {ndim}")
    )


def normal_axis(axis: Any, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
      AxisError: when there is no such axis.
    """
    axis = as_int(axis)
    if not -ndim <= axis < ndim:
        raise axis_error(axis, ndim)
    return axis % ndim


def normal_axes(axis: Any, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """An axis or several, counted from the front.

    Raises:
      AxisError: when there is no such axis.
      ValueError: when one comes twice.
    """
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    out = tuple(normal_axis(a, ndim) for a in axes)
    if len(set(out)) != len(out):
        raise ValueError(located(f"duplicate value in '{name}'"))
    return out


def static_array(x: Any, what: str) -> np.ndarray:
    """An argument that decides a shape, as numbers: traced ones are asked for theirs.

    Raises:
      ConcretizationError: where these cannot be told.
    """
    if isinstance(x, list | tuple):
        return np.asarray([static_array(y, what) for y in x])
    if not isinstance(x, Tracer):
        return np.asarray(x)
    try:
        return np.asarray(x.concrete(what))
    except ConcretizationError:
        raise ConcretizationError(
            located(
                f"{what} must be known while tracing, since the result's shape depends on it; "
                f"got a value traced under {x.owner.transform}",
                "What to do: compute it with plain NumPy from values that are not traced, or leave "
                "this part out of what is transformed.",
            )
        ) from None


def unsupported(name: str, what: str, remedy: str = "") -> TypeError:
    """The error for an argument that works without traced values only."""
    return TypeError(located(f"numpy.{name}: {what} is not supported on traced values", remedy))


def shape_of(shape: Any) -> tuple[int, ...]:
    """An argument that gives a shape: an integer or several."""
    if isinstance(shape, tuple | list | np.ndarray):
        return tuple(as_int(n) for n in shape)
    return (as_int(shape),)


# --- shapes ------------------------------------------------------------------------------------


def _full_shape(size: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with its -1, if any, filled in."""
    asked = shape
    if shape.count(-1) > 1:
        raise ValueError(located("can only specify one unknown dimension"))
    if -1 in shape:
        rest = math.prod(n for n in shape if n != -1)
        shape = tuple((size // rest if rest else 0) if n == -1 else n for n in shape)
        if not rest:
            shape = (-1,)
    if math.prod(shape) != size or builtins.any(n < 0 for n in shape):
        raise ValueError(located(f"cannot reshape array of size {size} into shape {asked}"))
    return shape


def _check_order(order: str) -> None:
    if order not in ("C", "F", "A", "K"):
        raise ValueError(located(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})"))


@implements(np.reshape, view=True)
def reshape(a: Any, /, shape: Any = None, order: str = "C", *, copy: Any = None) -> Any:
    """As ``numpy.reshape``, on arrays and traced values; traced values count as C-contiguous.

    >>> reshape(np.arange(4), (2, 2))
    array([[0, 1],
           [2, 3]])
    """
    x = operand(a)
    if shape is None:
        raise TypeError(located("reshape() missing 1 required positional argument: 'shape'"))
    _check_order(order)
    sizes = _full_shape(x.size, shape_of(shape))
    if order == "F":
        backwards = structural.reshape(_reversed_axes(x), sizes[::-1])
        return _reversed_axes(backwards)
    return structural.reshape(x, sizes)


def _reversed_axes(x: Any) -> Any:
    return structural.transpose(x, range(x.ndim)[::-1])


@implements(np.ravel, view=True)
def ravel(a: Any, order: str = "C") -> Any:
    """As ``numpy.ravel``, on arrays and traced values; traced values count as C-contiguous.

    >>> ravel(np.array([[1, 2], [3, 4]]))
    array([1, 2, 3, 4])
    """
    return reshape(operand(a), (-1,), order=order)


@implements(np.transpose, view=True)
def transpose(a: Any, axes: Any = None) -> Any:
    """As ``numpy.transpose``, on arrays and traced values.

    >>> transpose(np.array([[1, 2], [3, 4]]))
    array([[1, 3],
           [2, 4]])
    """
    x = operand(a)
    if axes is None:
        return _reversed_axes(x)
    axes = tuple(axes) if isinstance(axes, tuple | list | np.ndarray) else (axes,)
    if len(axes) != x.ndim:
        raise ValueError(located("axes don't match array"))
    order = [normal_axis(d, x.ndim) for d in axes]
    if len(set(order)) != len(order):
        raise ValueError(located("repeated axis in transpose"))
    return structural.transpose(x, order)


permute_dims = transpose


@implements(np.matrix_transpose, view=True)
def matrix_transpose(x: Any, /) -> Any:
    """As ``numpy.matrix_transpose``, on arrays and traced values.

    >>> matrix_transpose(np.array([[1, 2], [3, 4]]))
    array([[1, 3],
           [2, 4]])
    """
    x = operand(x)
    if x.ndim < 2:
        raise ValueError(located(f"Input array must be at least 2-dimensional, but it is {x.ndim}"))
    return swapaxes(x, -1, -2)


@implements(np.swapaxes, view=True)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """As ``numpy.swapaxes``, on arrays and traced values.

    >>> swapaxes(np.array([[1, 2], [3, 4]]), 0, 1)
    array([[1, 3],
           [2, 4]])
    """
    x = operand(a)
    first, second = normal_axis(axis1, x.ndim), normal_axis(axis2, x.ndim)
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    return structural.transpose(x, order)


@implements(np.moveaxis, view=True)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """As ``numpy.moveaxis``, on arrays and traced values.

    >>> moveaxis(np.array([[1, 2], [3, 4]]), 0, 1)
    array([[1, 3],
           [2, 4]])
    """
    x = operand(a)
    sources = normal_axes(source, x.ndim, "source")
    places = normal_axes(destination, x.ndim, "destination")
    if len(sources) != len(places):
        raise ValueError(
            located("`source` and `destination` arguments must have the same number of elements")
        )
    order = [d for d in range(x.ndim) if d not in sources]
    for place, d in sorted(zip(places, sources, strict=True)):
        order.insert(place, d)
    return structural.transpose(x, order)


@implements(np.rollaxis, view=True)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """As ``numpy.rollaxis``, on arrays and traced values.

    >>> rollaxis(np.array([[1, 2], [3, 4]]), 1)
    array([[1, 3],
           [2, 4]])
    """
    x = operand(a)
    axis = normal_axis(axis, x.ndim)
    start = as_int(start)
    if not -x.ndim <= start <= x.ndim:
        raise axis_error(start, x.ndim + 1)
    start += x.ndim if start < 0 else 0
    order = [d for d in range(x.ndim) if d != axis]
    order.insert(start - (axis < start), axis)
    return structural.transpose(x, order)


@implements(np.expand_dims, view=True)
def expand_dims(a: Any, axis: Any) -> Any:
    """As ``numpy.expand_dims``, on arrays and traced values.

    >>> expand_dims(np.array([1, 2]), 0)
    array([[1, 2]])
    """
    x = operand(a)
    many = len(axis) if isinstance(axis, tuple | list) else 1
    return structural.expand_dims(x, normal_axes(axis, x.ndim + many))


@implements(np.squeeze, view=True)
def squeeze(a: Any, axis: Any = None) -> Any:
    """As ``numpy.squeeze``, on arrays and traced values.

    >>> squeeze(np.array([[1, 2]]))
    array([1, 2])
    """
    x = operand(a)
    if axis is None:
        return structural.reshape(x, tuple(n for n in x.shape if n != 1))
    axes = normal_axes(axis, x.ndim)
    if builtins.any(x.shape[d] != 1 for d in axes):
        raise ValueError(
            located("cannot select an axis to squeeze out which has size not equal to one")
        )
    return structural.reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in axes))


@implements(np.broadcast_to, view=True)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """As ``numpy.broadcast_to``, on arrays and traced values.

    >>> broadcast_to(np.array([1, 2]), (2, 2))
    array([[1, 2],
           [1, 2]])
    """
    return promotion.broadcast_to(operand(array), shape_of(shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """As ``numpy.broadcast_arrays``, on arrays and traced values.

    >>> broadcast_arrays(np.array([1, 2]), 3)
    (array([1, 2]), array([3, 3]))
    """
    arrays = [operand(a) for a in args]
    shape = promotion.broadcast_shapes(*[a.shape for a in arrays])
    return tuple(promotion.broadcast_to(a, shape) for a in arrays)


def _each(function: Any, arrays: Sequence[Any]) -> Any:
    out = tuple(function(operand(a)) for a in arrays)
    return out[0] if len(out) == 1 else out


@implements(np.atleast_1d, view=True)
def atleast_1d(*arys: Any) -> Any:
    """As ``numpy.atleast_1d``, on arrays and traced values.

    >>> atleast_1d(3.0)
    array([3.])
    """
    return _each(lambda x: x if x.ndim else structural.reshape(x, (1,)), arys)


def _to_2d(x: Any) -> Any:
    return x if x.ndim >= 2 else structural.reshape(x, (1, x.size))


@implements(np.atleast_2d, view=True)
def atleast_2d(*arys: Any) -> Any:
    """As ``numpy.atleast_2d``, on arrays and traced values.

    >>> atleast_2d(np.array([1, 2]))
    array([[1, 2]])
    """
    return _each(_to_2d, arys)


def _to_3d(x: Any) -> Any:
    if x.ndim >= 3:
        return x
    return structural.reshape(x, (*x.shape, 1) if x.ndim == 2 else (1, x.size, 1))


@implements(np.atleast_3d, view=True)
def atleast_3d(*arys: Any) -> Any:
    """As ``numpy.atleast_3d``, on arrays and traced values.

    >>> atleast_3d(np.array([1, 2]))
    array([[[1],
            [2]]])
    """
    return _each(_to_3d, arys)


# --- joining -----------------------------------------------------------------------------------


def join(arrays: Sequence[Any], axis: int) -> Any:
    """Arrays of one dtype joined along an axis that is counted from the front."""
    return slicing.concatenate(arrays, axis)


def _joinable(arrays: Any, dtype: Any) -> list[Any]:
    parts = [operand(a) for a in _rows(arrays)]
    if not parts:
        raise ValueError(located("need at least one array to concatenate"))
    if dtype is None:
        return common_dtype(parts)
    return [arith.convert_element_type(p, check_dtype(dtype)) for p in parts]


def _rows(arrays: Any) -> Sequence[Any]:
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
    return concatenate([at_least(operand(a)) for a in _rows(arrays)], axis, dtype=dtype)


def _to_1d(x: Any) -> Any:
    return x if x.ndim else structural.reshape(x, (1,))


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """As ``numpy.vstack``, on arrays and traced values.

    >>> vstack((np.array([1, 2]), np.array([3, 4])))
    array([[1, 2],
           [3, 4]])
    """
    return _stacked(tup, _to_2d, 0, dtype)


row_stack = vstack


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """As ``numpy.hstack``, on arrays and traced values.

    >>> hstack((np.array([1, 2]), np.array([3])))
    array([1, 2, 3])
    """
    parts = [_to_1d(operand(a)) for a in _rows(tup)]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """As ``numpy.dstack``, on arrays and traced values.

    >>> dstack((np.array([1, 2]), np.array([3, 4])))
    array([[[1, 3],
            [2, 4]]])
    """
    return _stacked(tup, _to_3d, 2, None)


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
        ends = np.cumsum(np.broadcast_to(arith.convert_element_type(counts, _INDEX), (size,)))
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
    ends = np.cumsum(arith.convert_element_type(counts, _INDEX))
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
        places = obj if obj.size else obj.astype(_INDEX)
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


# --- dtypes and copies -------------------------------------------------------------------------


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """As ``numpy.astype``, on arrays and traced values.

    The dtypes are bools, integers, float16, float32, float64, complex64 and complex128.

    >>> astype(np.array([1.5, 2.5]), int)
    array([1, 2])
    """
    dtype = check_dtype(dtype)
    return arith.convert_element_type(operand(x), dtype)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """As ``numpy.copy``, on arrays and traced values.

    >>> copy(np.array([1, 2]))
    array([1, 2])
    """
    x = operand(a)
    return x if isinstance(x, Tracer) else np.array(x)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """As ``numpy.real_if_close``, on arrays and traced values; of complex ones it is asked whether
    all imaginary parts are close to zero.

    >>> real_if_close(np.array([2.1 + 4e-14j]), tol=1000)
    array([2.1])
    """
    x = operand(a)
    if x.dtype.kind != "c":
        return x
    bound = tol * np.finfo(x.dtype).eps if tol > 1 else tol
    near = ufuncs.less(ufuncs.absolute(arith.imag(x)), bound)
    return arith.real(x) if bool(_all(near)) else x


# --- sorting -----------------------------------------------------------------------------------


def _stable(name: str, kind: Any, order: Any, stable: Any) -> bool:
    if order is not None:
        raise ValueError(located(f"numpy.{name}: order= is for arrays with fields"))
    if kind is not None and stable is not None:
        raise ValueError(
            located("`kind` and `stable` parameters can't be provided at the same time")
        )
    return bool(stable) or kind in ("stable", "mergesort")


def _along(a: Any, axis: Any) -> tuple[Any, int]:
    x = operand(a)
    if axis is None:
        return structural.reshape(x, (x.size,)), 0
    return x, normal_axis(axis, x.ndim)


@implements(np.sort, extra=("descending",))
def sort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """As ``numpy.sort``, on arrays and traced values; with ``descending``, from the largest, NaN
    first.

    >>> sort(np.array([1, 3, 2]), descending=True)
    array([3, 2, 1])
    """
    x, axis = _along(a, axis)
    out = lax_sort(x, axis, _stable("sort", kind, order, stable))
    return slicing.rev(out, (axis,)) if descending else out


@implements(np.argsort, extra=("descending",))
def argsort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """As ``numpy.argsort``, on arrays and traced values; with ``descending``, from the largest,
    of equal ones the first first if ``stable``.

    >>> argsort(np.array([1, 3, 2, 3]), stable=True, descending=True)
    array([1, 3, 2, 0])
    """
    # NumPy lets a scalar have an axis here, though not in sort.
    x, axis = _along(a, None if axis in (0, -1) and not np.ndim(a) else axis)
    places = broadcasted_iota(_INDEX, x.shape, axis)
    is_stable = _stable("argsort", kind, order, stable)
    if not descending:
        return lax_sort((x, places), axis, is_stable)[1]
    # What is sorted backwards and turned round keeps the order of equals.
    turned = lax_sort((slicing.rev(x, (axis,)), slicing.rev(places, (axis,))), axis, is_stable)[1]
    return slicing.rev(turned, (axis,))


def _check_kth(x: Any, kth: Any, axis: int) -> None:
    places = static_array(kth, "numpy.partition: kth")
    size = x.shape[axis]
    if size and builtins.any(not -size <= int(k) < size for k in places.reshape(-1)):
        raise ValueError(located(f"kth(={kth}) out of bounds ({size})"))


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """As ``numpy.partition``, on arrays and traced values; traced values come fully sorted.

    >>> partition(np.array([2, 0, 1]), 1)
    array([0, 1, 2])
    """
    x, axis = _along(a, axis)
    _check_kth(x, kth, axis)
    return sort(x, axis)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """As ``numpy.argpartition``, on arrays and traced values; traced values come fully sorted.

    >>> argpartition(np.array([2, 0, 1]), 0)
    array([1, 2, 0])
    """
    x, axis = _along(a, axis)
    _check_kth(x, kth, axis)
    return argsort(x, axis)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """As ``numpy.lexsort``, on arrays and traced values.

    >>> lexsort((np.array([2, 1, 0]), np.array([0, 1, 0])))
    array([2, 0, 1])
    """
    columns = [operand(k) for k in _rows(keys)]
    if not columns:
        raise TypeError(located("need sequence of keys with len > 0 in lexsort"))
    if builtins.any(c.shape != columns[0].shape for c in columns):
        raise ValueError(located("all keys need to be the same shape"))
    if not columns[0].ndim:
        return np.zeros((), _INDEX)
    axis = normal_axis(axis, columns[0].ndim)
    places = broadcasted_iota(_INDEX, columns[0].shape, axis)
    return lax_sort((*columns[::-1], places), axis, True, len(columns))[-1]


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """As ``numpy.sort_complex``, on arrays and traced values.

    >>> sort_complex(np.array([2 + 1j, 1 + 0j]))
    array([1.+0.j, 2.+1.j])
    """
    x = operand(a)
    if x.dtype.kind != "c":
        narrow = x.dtype.char in "bhBH"  # as NumPy has it, float32 is not among them
        x = arith.convert_element_type(x, np.complex64 if narrow else np.complex128)
    return lax_sort(x, normal_axis(-1, x.ndim), False)


# --- questions about shape and dtype -----------------------------------------------------------


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """As ``numpy.shape``, on arrays and traced values.

    >>> shape(np.ones((2, 3)))
    (2, 3)
    """
    return a.shape if isinstance(a, Tracer) else operand(a).shape


@implements(np.ndim)
def ndim(a: Any) -> int:
    """As ``numpy.ndim``, on arrays and traced values.

    >>> ndim(np.ones((2, 3)))
    2
    """
    return len(a.shape) if isinstance(a, Tracer) else operand(a).ndim


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """As ``numpy.size``, on arrays and traced values.

    >>> size(np.ones((2, 3)))
    6
    """
    sizes = a.shape if isinstance(a, Tracer) else operand(a).shape
    if axis is None:
        return math.prod(sizes)
    return math.prod(sizes[d] for d in normal_axes(axis, len(sizes)))


def type_like(x: Any) -> Any:
    """What stands for an argument where NumPy is asked about dtypes."""
    if not isinstance(x, Tracer):
        return x
    weak = {"i": 0, "f": 0.0, "c": 0j}.get(x.dtype.kind)
    return weak if x.aval.weak_type and weak is not None else x.dtype


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """As ``numpy.result_type``, on arrays and traced values.

    >>> result_type(np.int8, np.float32)
    dtype('float32')
    """
    return np.result_type(*[type_like(x) for x in arrays_and_dtypes])


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """As ``numpy.can_cast``, on arrays and traced values.

    >>> can_cast(np.int64, np.float64)
    True
    """
    return np.can_cast(from_.dtype if isinstance(from_, Tracer) else from_, to, casting)


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    """As ``numpy.common_type``, on arrays and traced values.

    >>> common_type(np.ones(1, np.float32), np.ones(1))
    <class 'numpy.float64'>
    """
    return np.common_type(*[np.zeros(0, operand(a).dtype) for a in arrays])


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> np.dtype:
    """As ``numpy.min_scalar_type``, on arrays; a traced value's dtype as it is.

    >>> min_scalar_type(200)
    dtype('uint8')
    """
    return a.dtype


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """As ``numpy.iscomplexobj``, on arrays and traced values.

    >>> iscomplexobj(np.array([1 + 0j]))
    True
    """
    return operand(x).dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """As ``numpy.isrealobj``, on arrays and traced values.

    >>> isrealobj(np.array([1 + 0j]))
    False
    """
    return operand(x).dtype.kind != "c"


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """As ``numpy.iscomplex``, on arrays and traced values.

    >>> iscomplex(np.array([1 + 1j, 1 + 0j]))
    array([ True, False])
    """
    return ufuncs.not_equal(ufuncs.imag(operand(x)), 0)


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """As ``numpy.isreal``, on arrays and traced values.

    >>> isreal(np.array([1 + 1j, 1 + 0j]))
    array([False,  True])
    """
    return ufuncs.equal(ufuncs.imag(operand(x)), 0)


@implements(np.may_share_memory)
def may_share_memory(a: Any, b: Any, /, max_work: Any = 0) -> bool:
    """As ``numpy.may_share_memory``; traced values, which nothing can write into, share none.

    >>> may_share_memory(np.ones(2), np.ones(2))
    False
    """
    return False


@implements(np.shares_memory)
def shares_memory(a: Any, b: Any, /, max_work: Any = -1) -> bool:
    """As ``numpy.shares_memory``; traced values, which nothing can write into, share none.

    >>> shares_memory(np.ones(2), np.ones(2))
    False
    """
    return False


# --- comparing arrays --------------------------------------------------------------------------


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """As ``numpy.isclose``, on arrays and traced values.

    >>> isclose(np.array([1.0, 2.0]), np.array([1.0, 2.1]))
    array([ True, False])
    """
    x, y = operand(a), operand(b)
    y = arith.convert_element_type(y, np.result_type(y.dtype, 1.0))
    apart = ufuncs.absolute(ufuncs.subtract(x, y))
    bound = ufuncs.add(atol, ufuncs.multiply(rtol, ufuncs.absolute(y)))
    near = ufuncs.logical_and(ufuncs.less_equal(apart, bound), ufuncs.isfinite(y))
    out = ufuncs.logical_or(near, ufuncs.equal(x, y))
    if equal_nan:
        out = ufuncs.logical_or(out, ufuncs.logical_and(ufuncs.isnan(x), ufuncs.isnan(y)))
    return out


def _all(x: Any) -> Any:
    return reduce_and(x, range(x.ndim))


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """As ``numpy.allclose``, on arrays and traced values; for these the result is traced.

    >>> allclose(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9]))
    True
    """
    return _all(isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """As ``numpy.array_equal``, on arrays and traced values; for these the result is traced,
    except where the shapes decide it.

    >>> array_equal(np.array([1, 2]), np.array([1, 2]))
    True
    """
    x, y = operand(a1), operand(a2)
    if x.shape != y.shape:
        return False
    same = ufuncs.equal(x, y)
    if equal_nan:
        same = ufuncs.logical_or(same, ufuncs.logical_and(ufuncs.isnan(x), ufuncs.isnan(y)))
    return _all(same)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """As ``numpy.array_equiv``, on arrays and traced values; for these the result is traced,
    except where the shapes decide it.

    >>> array_equiv(np.array([1, 2]), np.array([[1, 2], [1, 2]]))
    True
    """
    x, y = operand(a1), operand(a2)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return _all(ufuncs.equal(x, y))
