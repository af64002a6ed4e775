"""Slices that begin at traced places, and arrays with such a slice replaced."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_int
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..core.avals import ShapedArray, make_aval, uniform
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..core.trace import Tracer, get_aval
from ..transforms.batch import Axis
from ..transforms.simplify import Rewrite, View
from .arithmetic import add, clamp, convert_element_type, lt, select
from .families import operands
from .indexing import INDEX, broadcasted_iota, gather_p, iota_p, scatter_p
from .slicing import (
    index_in_dim,
    inserted,
    literal_starts,
    repeated_value,
    slice_p,
    window_at,
    without,
)
from .structural import (
    array,
    batched_at,
    broadcast_in_dim,
    inverse_permutation,
    move_axis,
    reshape,
    transpose,
    zeros_like,
)

# --- dynamic_slice -----------------------------------------------------------------------------

dynamic_slice_p = Primitive("dynamic_slice")


def _start_scalars(start_indices: Any, shape: tuple[int, ...]) -> list[Any]:
    """Start indices, given as scalars or as one array, as scalars that count from the beginning."""
    if isinstance(start_indices, Tracer | np.ndarray):
        if start_indices.ndim != 1:
            raise TypeError(f"start_indices has one dimension, got {get_aval(start_indices)}")
        count = start_indices.shape[0]
        start_indices = [index_in_dim(start_indices, i, 0, False) for i in range(count)]
    starts = [array(s) for s in start_indices]
    if len(starts) != len(shape):
        raise TypeError(f"an array of shape {shape} takes {len(shape)} starts, got {len(starts)}")
    return [_from_beginning(s, n) for s, n in zip(starts, shape, strict=True)]


def _from_beginning(start: Any, size: int) -> Any:
    if start.dtype.kind != "i" or start.shape:
        return start  # unsigned, or the type rule's to refuse
    if not isinstance(start, Tracer):
        position = int(start)
        return np.int64(position + size if position < 0 else position)
    start = convert_element_type(start, INDEX)
    return select(lt(start, 0), add(start, size), start)


def _check_starts(name: str, x: ShapedArray, starts: Sequence[ShapedArray]) -> None:
    if len(starts) != x.ndim or any(s.shape or s.dtype.kind not in "iu" for s in starts):
        raise TypeError(
            f"{name}: {x} takes {x.ndim} starts that are integer scalars, got "
            f"{', '.join(map(str, starts)) or 'none'}"
        )


def dynamic_slice(operand: Any, start_indices: Any, slice_sizes: Sequence[int]) -> Any:
    """Take a part of static size from a place that may be traced.

    Args:
      operand: an array.
      start_indices: where the part begins: an integer scalar for each dimension, or one array of
        them. Negative ones count from the end; a part that would stick out is moved inside.
      slice_sizes: the part's shape.

    Returns:
      The part.

    Raises:
      TypeError: when sizes or starts do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.dynamic_slice(np.arange(5.0), (1,), (2,))
    array([1., 2.])
    >>> lax.dynamic_slice(np.arange(5.0), (9,), (2,))
    array([3., 4.])
    """
    x, sizes = array(operand), tuple(map(as_int, slice_sizes))
    starts = _start_scalars(start_indices, x.shape)
    _dynamic_slice_abstract(get_aval(x), *map(get_aval, starts), slice_sizes=sizes)
    return dynamic_slice_p.bind(x, *starts, slice_sizes=sizes)


@dynamic_slice_p.def_impl
def _dynamic_slice_impl(x: Any, *starts: Any, slice_sizes: tuple) -> Any:
    return x[window_at(x.shape, slice_sizes, starts)]


@dynamic_slice_p.def_abstract
def _dynamic_slice_abstract(
    x: ShapedArray, *starts: ShapedArray, slice_sizes: tuple
) -> ShapedArray:
    _check_starts("dynamic_slice", x, starts)
    if len(slice_sizes) != x.ndim or any(
        not 0 <= n <= size for n, size in zip(slice_sizes, x.shape, strict=True)
    ):
        raise TypeError(f"dynamic_slice: cannot take a part of shape {slice_sizes} from {x}")
    return make_aval(slice_sizes, x.dtype)


@dynamic_slice_p.def_jvp
def _dynamic_slice_jvp(primals: Any, tangents: Any, out: Any, *, slice_sizes: tuple) -> Any:
    return dynamic_slice_p.bind(tangents[0], *primals[1:], slice_sizes=slice_sizes)


@dynamic_slice_p.def_transpose
def _dynamic_slice_transpose(ct: Any, x: Any, *starts: Any, slice_sizes: tuple) -> list[Any]:
    zeros = uniform(x.aval.shape, x.aval.dtype)
    return [dynamic_update_slice_p.bind(zeros, ct, *starts), *(None for _ in starts)]


def _clamped(start: Any, limit: int) -> Any:
    """Starts as positions of which the greatest is ``limit``."""
    if start.dtype != np.uint64:
        return clamp(0, convert_element_type(start, INDEX), limit)
    return convert_element_type(clamp(0, start, limit), INDEX)


class _BatchedWindow:
    """A window at a different place for each example, as index arrays for gather and scatter.

    Dimensions in which the window is as large as the array need no index.
    """

    def __init__(
        self,
        axis: Axis,
        starts: Sequence[Any],
        dims: Sequence[int | None],
        shape: tuple[int, ...],
        sizes: tuple[int, ...],
    ):
        self.axes = tuple(d for d, n in enumerate(sizes) if n != shape[d])
        self.rest = tuple(d for d, n in enumerate(sizes) if n == shape[d])
        full = (axis.size, *(sizes[d] for d in self.axes))
        self.indices = []
        for place, d in enumerate(self.axes, 1):
            first = _clamped(starts[d], shape[d] - sizes[d])
            spread = broadcast_in_dim(first, full, () if dims[d] is None else (0,))
            self.indices.append(add(spread, broadcasted_iota(INDEX, full, place)))
        self.batch_index = iota_p.bind(dtype=INDEX, shape=full, dimension=0)
        #: From the order of the array's dimensions to that with the indexed ones in front.
        self.order = (0, *(d + 1 for d in (*self.axes, *self.rest)))

    def read(self, x: Any, dim: int | None) -> Any:
        """The windows, with the batch dim in front."""
        indices, axes = self.indices, self.axes
        if dim is not None:
            x = move_axis(x, dim, 0)
            indices = [self.batch_index, *indices]
            axes = (0, *(a + 1 for a in axes))
        out = gather_p.bind(x, *indices, axes=axes, mode="clip")
        return transpose(out, inverse_permutation(self.order))

    def write(self, x: Any, updates: Any) -> Any:
        """Both operands, and the result, have the batch dim in front."""
        return scatter_p.bind(
            x,
            transpose(updates, self.order),
            self.batch_index,
            *self.indices,
            axes=(0, *(a + 1 for a in self.axes)),
            op="set",
            mode="clip",
            unique_indices=True,
        )


@dynamic_slice_p.def_batch
def _dynamic_slice_batch(axis: Axis, args: Any, dims: Any, *, slice_sizes: tuple) -> tuple:
    (x, *starts), (dim, *start_dims) = args, dims
    if all(d is None for d in start_dims):
        sizes = inserted(slice_sizes, dim, axis.size)
        starts = inserted(starts, dim, np.int64(0))
        return dynamic_slice_p.bind(x, *starts, slice_sizes=sizes), dim
    shape = x.shape if dim is None else without(x.shape, dim)
    if shape == slice_sizes:
        return x, dim
    return _BatchedWindow(axis, starts, start_dims, shape, slice_sizes).read(x, dim), 0


@dynamic_slice_p.def_simplify
def _dynamic_slice_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    x, *atoms = args
    if view.same_type(x):
        return x
    starts = literal_starts(view, atoms)
    if starts is None:
        return repeated_value(view, x)
    window = window_at(x.aval.shape, params["slice_sizes"], starts)
    static = {
        "start_indices": tuple(w.start for w in window),
        "limit_indices": tuple(w.stop for w in window),
        "strides": (1,) * len(window),
    }
    return Rewrite(slice_p, [x], static)


def dynamic_slice_in_dim(operand: Any, start_index: Any, slice_size: int, axis: int = 0) -> Any:
    """``dynamic_slice`` in one dimension.

    Args:
      operand: an array.
      start_index: an integer scalar, traced or not.
      slice_size: how many to take.
      axis: the dimension.

    Returns:
      The part.

    Raises:
      TypeError: when size or start do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.dynamic_slice_in_dim(np.arange(5.0), -2, 2)
    array([3., 4.])
    """
    x = array(operand)
    axis = normalize_axis_index(axis, x.ndim)
    starts: list[Any] = [0] * x.ndim
    starts[axis] = start_index
    sizes = list(x.shape)
    sizes[axis] = slice_size
    return dynamic_slice(x, starts, sizes)


def dynamic_index_in_dim(operand: Any, index: Any, axis: int = 0, keepdims: bool = True) -> Any:
    """The part at one position of a dimension, which may be traced.

    Args:
      operand: an array.
      index: an integer scalar; negative ones count from the end, others are moved inside.
      axis: the dimension.
      keepdims: whether the result keeps it, with size 1.

    Returns:
      The part.

    Raises:
      TypeError: when the index is not an integer scalar or the dimension is empty.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.dynamic_index_in_dim(np.array([[1.0, 2.0], [3.0, 4.0]]), 1, keepdims=False)
    array([3., 4.])
    """
    x = array(operand)
    axis = normalize_axis_index(axis, x.ndim)
    out = dynamic_slice_in_dim(x, index, 1, axis)
    return out if keepdims else reshape(out, without(x.shape, axis))


# --- dynamic_update_slice ----------------------------------------------------------------------

dynamic_update_slice_p = Primitive("dynamic_update_slice")


def dynamic_update_slice(operand: Any, update: Any, start_indices: Any) -> Any:
    """Copy an array and write a part of the copy, at a place that may be traced.

    Args:
      operand: an array.
      update: the part, an array of the same dtype and as many dimensions, no larger.
      start_indices: where the part begins, as for ``dynamic_slice``.

    Returns:
      An array like ``operand``.

    Raises:
      TypeError: when the update or the starts do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.dynamic_update_slice(np.zeros(4), np.array([1.0, 2.0]), (1,))
    array([0., 1., 2., 0.])
    """
    x, update = operands(operand, update)
    starts = _start_scalars(start_indices, x.shape)
    _dynamic_update_slice_abstract(get_aval(x), get_aval(update), *map(get_aval, starts))
    return dynamic_update_slice_p.bind(x, update, *starts)


@dynamic_update_slice_p.def_impl
def _dynamic_update_slice_impl(x: Any, update: Any, *starts: Any) -> Any:
    out = np.array(x, order="C")
    out[window_at(x.shape, update.shape, starts)] = update
    return out


@dynamic_update_slice_p.def_abstract
def _dynamic_update_slice_abstract(
    x: ShapedArray, update: ShapedArray, *starts: ShapedArray
) -> ShapedArray:
    _check_starts("dynamic_update_slice", x, starts)
    fits = (
        update.dtype == x.dtype
        and update.ndim == x.ndim
        and all(n <= size for n, size in zip(update.shape, x.shape, strict=True))
    )
    if not fits:
        raise TypeError(f"dynamic_update_slice: {update} is not a part of {x}")
    return x.strong()


@dynamic_update_slice_p.def_jvp
def _dynamic_update_slice_jvp(primals: Any, tangents: Any, out: Any) -> Any:
    parts = [
        zeros_like(p) if t is None else t for p, t in zip(primals[:2], tangents[:2], strict=True)
    ]
    return dynamic_update_slice_p.bind(*parts, *primals[2:])


@dynamic_update_slice_p.def_transpose
def _dynamic_update_slice_transpose(ct: Any, x: Any, update: Any, *starts: Any) -> list[Any]:
    ct_x = ct_update = None
    if type(x) is LinearInput:
        zeros = uniform(update.shape, ct.dtype)
        ct_x = dynamic_update_slice_p.bind(ct, zeros, *starts)
    if type(update) is LinearInput:
        ct_update = dynamic_slice_p.bind(ct, *starts, slice_sizes=update.shape)
    return [ct_x, ct_update, *(None for _ in starts)]


@dynamic_update_slice_p.def_batch
def _dynamic_update_slice_batch(axis: Axis, args: Any, dims: Any) -> tuple:
    x, update = (batched_at(a, d, axis) for a, d in zip(args[:2], dims[:2], strict=True))
    starts, start_dims = args[2:], dims[2:]
    if x.shape == update.shape:
        return update, 0
    if all(d is None for d in start_dims):
        return dynamic_update_slice_p.bind(x, update, np.int64(0), *starts), 0
    window = _BatchedWindow(axis, starts, start_dims, x.shape[1:], update.shape[1:])
    return window.write(x, update), 0


@dynamic_update_slice_p.def_simplify
def _dynamic_update_slice_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    x, update, *atoms = args
    if update.aval.size == 0:
        return x
    if view.same_type(update):
        return update
    # What is written over was written for nothing.
    inner, starts = view.made_by(x, dynamic_update_slice_p), literal_starts(view, atoms)
    if inner is None or starts is None:
        return None
    before = literal_starts(view, inner.invars[2:])
    if before is None:
        return None
    shape = x.aval.shape
    outer = window_at(shape, update.aval.shape, starts)
    covered = window_at(shape, inner.invars[1].aval.shape, before)
    if all(o.start <= c.start and c.stop <= o.stop for o, c in zip(outer, covered, strict=True)):
        return Rewrite(dynamic_update_slice_p, [inner.invars[0], *args[1:]], params)
    return None


def dynamic_update_slice_in_dim(operand: Any, update: Any, start_index: Any, axis: int) -> Any:
    """``dynamic_update_slice`` in one dimension.

    Args:
      operand: an array.
      update: the part; in the other dimensions no larger than ``operand``.
      start_index: an integer scalar, traced or not.
      axis: the dimension.

    Returns:
      An array like ``operand``.

    Raises:
      TypeError: when the update or the start do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.dynamic_update_slice_in_dim(np.zeros(4), np.array([1.0, 2.0]), -2, 0)
    array([0., 0., 1., 2.])
    """
    x = array(operand)
    starts: list[Any] = [0] * x.ndim
    starts[normalize_axis_index(axis, x.ndim)] = start_index
    return dynamic_update_slice(x, update, starts)


def dynamic_update_index_in_dim(operand: Any, update: Any, index: Any, axis: int) -> Any:
    """Copy an array and write one position of a dimension, which may be traced.

    Args:
      operand: an array.
      update: what to write, with or without that dimension (of size 1).
      index: an integer scalar; negative ones count from the end, others are moved inside.
      axis: the dimension.

    Returns:
      An array like ``operand``.

    Raises:
      TypeError: when the update or the index do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.dynamic_update_index_in_dim(np.zeros(3), 7.0, 1, 0)
    array([0., 7., 0.])
    """
    x, update = operands(operand, update)
    axis = normalize_axis_index(axis, x.ndim)
    if update.ndim == x.ndim - 1:
        update = reshape(update, inserted(update.shape, axis, 1))
    return dynamic_update_slice_in_dim(x, update, index, axis)
