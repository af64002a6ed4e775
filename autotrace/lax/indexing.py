"""Integer positions: iota, nonzero; reading and writing at them: gather, scatter.

The latter take one integer array for each indexed dimension, all of one shape, as NumPy's advanced
indexing does after broadcasting; the indexed dimensions come first in what is read or written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, is_inexact, make_aval, uniform
from ..core.errors import located
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..core.trace import get_aval, innermost_staging
from ..transforms.batch import Axis
from ..transforms.simplify import View
from .arithmetic import (
    convert_element_type,
    div,
    eq,
    mul,
    nonzero_or_one,
    select,
)
from .families import check_kinds, no_derivative, operands
from .structural import (
    array,
    batched_at,
    broadcast_in_dim,
    broadcast_to_shape,
    inverse_permutation,
    move_axis,
    zeros_like,
)

INDEX = np.dtype(np.int64)

# --- iota --------------------------------------------------------------------------------------

iota_p = no_derivative(Primitive("iota"))


def iota(dtype: Any, size: int) -> Any:
    """The numbers from 0 to ``size - 1``.

    Args:
      dtype: the result's dtype.
      size: how many.

    Returns:
      An array of shape ``(size,)``.

    Raises:
      TypeError: when ``size`` is negative or the dtype is not one of numbers.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.iota(np.int64, 3)
    array([0, 1, 2])
    """
    return broadcasted_iota(dtype, (size,), 0)


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int) -> Any:
    """Each element's position along one dimension.

    Args:
      dtype: the result's dtype.
      shape: the result's shape.
      dimension: the dimension along which to count.

    Returns:
      An array of ``shape``, read-only.

    Raises:
      TypeError: when the shape is not one, has no such dimension, or the dtype is not one of
        numbers.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.broadcasted_iota(np.int64, (2, 3), 1)
    array([[0, 1, 2],
           [0, 1, 2]])
    """
    params = {
        "dtype": np.dtype(dtype),
        "shape": tuple(map(as_int, shape)),
        "dimension": as_int(dimension),
    }
    _iota_abstract(**params)
    return iota_p.bind(**params)


def places(shape: tuple[int, ...], dimension: int, dtype: Any = INDEX) -> Any:
    """Each element's place along a dimension.

    In a program they are an equation: nothing of their size is kept with it.

    >>> places((2, 2), 1)
    array([[0, 1],
           [0, 1]])
    """
    params = {"dtype": np.dtype(dtype), "shape": shape, "dimension": dimension}
    staging = innermost_staging()
    return iota_p.bind(**params) if staging is None else staging.process(iota_p, (), params)


@iota_p.def_impl
def _iota_impl(*, dtype: np.dtype, shape: tuple, dimension: int) -> Any:
    line = np.arange(shape[dimension]).astype(dtype, copy=False)
    if len(shape) == 1:
        return line
    return np.broadcast_to(line.reshape((-1,) + (1,) * (len(shape) - dimension - 1)), shape)


@iota_p.def_abstract
def _iota_abstract(*, dtype: np.dtype, shape: tuple, dimension: int) -> ShapedArray:
    if dtype.kind not in "iufc":
        raise TypeError(f"iota makes integer, floating, complex arrays, not {dtype}")
    if any(n < 0 for n in shape) or not 0 <= dimension < len(shape):
        raise TypeError(f"iota: shape {shape} has no dimension {dimension} or a negative size")
    return make_aval(shape, dtype)


@iota_p.def_batch
def _iota_batch(axis: Axis, args: Any, dims: Any, **params: Any) -> tuple:
    return iota_p.bind(**params), None


# --- where something is true -------------------------------------------------------------------

nonzero_p = no_derivative(Primitive("nonzero"))


def nonzero(mask: Any, size: int) -> Any:
    """The positions of the True elements along the last dimension, as many as are asked for.

    Args:
      mask: an array of bools, of at least one dimension.
      size: how many positions.

    Returns:
      An int64 array of the shape of ``mask`` but for the last dimension, which is ``size``:
      increasing positions. Where there are fewer, the rest is the length of the dimension, which is
      out of bounds; where there are more, the last are left out.

    Raises:
      TypeError: when the mask is not one, or the size is negative.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.nonzero(np.array([[True, False, True], [False, True, False]]), 2)
    array([[0, 2],
           [1, 3]])
    """
    mask, size = array(mask), as_int(size)
    _nonzero_abstract(get_aval(mask), size=size)
    return nonzero_p.bind(mask, size=size)


@nonzero_p.def_impl
def _nonzero_impl(mask: Any, *, size: int) -> Any:
    *rows, column = np.nonzero(mask)
    if mask.ndim == 1 and len(column) == size:
        return column
    out = np.full((*mask.shape[:-1], size), mask.shape[-1], INDEX)
    place = np.cumsum(mask, axis=-1)[(*rows, column)] - 1
    fits = place < size
    out[(*(r[fits] for r in rows), place[fits])] = column[fits]
    return out


@nonzero_p.def_abstract
def _nonzero_abstract(mask: ShapedArray, *, size: int) -> ShapedArray:
    check_kinds("nonzero", mask, "b")
    if not mask.shape:
        raise TypeError("nonzero takes an array of at least one dimension, got a scalar")
    if size < 0:
        raise TypeError(f"nonzero: the size is negative, {size}")
    return make_aval((*mask.shape[:-1], size), INDEX)


@nonzero_p.def_batch
def _nonzero_batch(axis: Axis, args: Any, dims: Any, *, size: int) -> tuple:
    return nonzero_p.bind(move_axis(args[0], dims[0], 0), size=size), 0


# --- positions ---------------------------------------------------------------------------------

_GATHER_MODES = ("raise", "clip", "wrap", "fill", "zero")
_SCATTER_MODES = ("raise", "clip", "wrap", "drop")
_SCATTER_OPS = ("set", "add", "mul", "min", "max")
# What reading does with the positions that writing drops, and the other way round.
_READING = {"drop": "zero"}
_WRITING = {"fill": "drop", "zero": "drop"}


def _read_mode(mode: str) -> str:
    return _READING.get(mode, mode)


def _write_mode(mode: str) -> str:
    return _WRITING.get(mode, mode)


def _front_order(ndim: int, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that moves the axes to the front."""
    return (*axes, *(d for d in range(ndim) if d not in axes))


def _window_shape(
    name: str, x: ShapedArray, indices: Sequence[ShapedArray], axes: tuple
) -> tuple[int, ...]:
    """The shape of what is read or written, or a TypeError."""
    if not axes or len(indices) != len(axes):
        raise TypeError(
            f"{name} takes one index array for each axis and at least one, got {len(indices)} "
            f"for axes {axes}"
        )
    if list(axes) != sorted(set(axes)) or axes[0] < 0 or axes[-1] >= x.ndim:
        raise TypeError(f"{name}: {axes} are not increasing dimensions of {x}")
    for i in indices:
        if i.dtype.kind not in "iu" or i.shape != indices[0].shape:
            raise TypeError(
                f"{name} takes integer index arrays of one shape, got "
                f"{' and '.join(map(str, indices))}"
            )
    return indices[0].shape + tuple(n for d, n in enumerate(x.shape) if d not in axes)


def _signed(index: Any) -> np.ndarray:
    index = np.asarray(index)
    if index.dtype == np.uint64:  # beyond int64 is out of bounds, not negative
        index = np.minimum(index, np.uint64(np.iinfo(INDEX).max))
    return index.astype(INDEX, copy=False)


def _place(index: Any, axis: int, size: int, mode: str) -> tuple[np.ndarray, Any]:
    """Where an index array points, as positions in ``[0, size)``, and, in the modes that treat
    them apart, which of them were in bounds (the others come as position 0), None for all."""
    index = _signed(index)
    if (index.view(np.uint64) < size).all():  # a negative one is very large
        return index, None
    if mode in ("clip", "wrap"):
        if not size and index.size:
            raise _out_of_bounds(index.flat[0], axis, size)
        if mode == "clip":
            return np.minimum(np.maximum(index, 0), size - 1), None
        return np.remainder(index, size or 1), None
    place = np.where(index < 0, index + size, index)
    inside = (place >= 0) & (place < size)
    if mode == "raise":
        if not inside.all():
            raise _out_of_bounds(np.extract(~inside, index)[0], axis, size)
        return place, None
    return np.where(inside, place, 0), inside


def _out_of_bounds(index: Any, axis: int, size: int) -> IndexError:
    return IndexError(
        located(
            f"index {index} is out of bounds for axis {axis} with size {size}",
            "What to do: keep the indices within the array, or say what happens to others with "
            "mode='clip', 'wrap', 'fill' (reading) or 'drop' (writing).",
        )
    )


# --- gather ------------------------------------------------------------------------------------

gather_p = Primitive("gather")


def gather(x: Any, indices: Sequence[Any], axes: Sequence[int], mode: str = "raise") -> Any:
    """Read an array at integer positions.

    Args:
      x: an array of at least one dimension.
      indices: an integer array for each of ``axes``, all of one shape ``s``.
      axes: strictly increasing, non-negative: the dimensions that are indexed.
      mode: what happens out of bounds. ``"raise"`` is an error; ``"clip"`` takes the nearest
        position (0 for negative ones); ``"wrap"`` counts modulo the size; ``"fill"`` gives NaN,
        the least signed or greatest unsigned integer, or True; ``"zero"`` gives 0. In
        ``"raise"``, ``"fill"`` and ``"zero"`` negative indices count from the end.

    Returns:
      An array of shape ``s`` followed by the dimensions of ``x`` that are not indexed.

    Raises:
      TypeError: when axes, shapes or dtypes do not fit.
      IndexError: in mode ``"raise"`` for what is out of bounds.

    >>> import autotrace.lax as lax, numpy as np
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> lax.gather(x, [np.array([1, 0, -1])], (1,))
    array([[2., 4.],
           [1., 3.],
           [2., 4.]])
    >>> lax.gather(x, [np.array([0, 5])], (1,), mode="fill")
    array([[ 1.,  3.],
           [nan, nan]])
    """
    x, indices, axes = array(x), [array(i) for i in indices], tuple(map(as_int, axes))
    _gather_abstract(get_aval(x), *map(get_aval, indices), axes=axes, mode=mode)
    return gather_p.bind(x, *indices, axes=axes, mode=mode)


@gather_p.def_impl
def _gather_impl(x: Any, *indices: Any, axes: tuple, mode: str) -> Any:
    if mode == "raise":
        try:
            return _read(x, [_signed(i) for i in indices], axes)
        except IndexError:
            for i, a in zip(indices, axes, strict=True):
                _place(i, a, x.shape[a], mode)
            raise
    pairs = [_place(i, a, x.shape[a], mode) for i, a in zip(indices, axes, strict=True)]
    places = [place for place, _ in pairs]
    if mode in ("clip", "wrap"):
        return _read(x, places, axes)
    fill = _fill_value(x.dtype) if mode == "fill" else x.dtype.type(0)
    rest = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    if 0 in (x.shape[a] for a in axes):
        return uniform(places[0].shape + rest, x.dtype, fill)
    out = _read(x, places, axes)
    tests = [inside for _, inside in pairs if inside is not None]
    if not tests:
        return out
    inside = np.logical_and.reduce(tests)
    return np.where(np.reshape(inside, inside.shape + (1,) * len(rest)), out, fill)[()]


def _read(x: Any, places: Sequence[np.ndarray], axes: tuple) -> Any:
    if len(axes) == 1 and places[0].ndim and x.flags.c_contiguous:
        # Faster than x[i], and of a dimension that is not the first; it copies other layouts.
        (axis,) = axes
        out = x.take(places[0], axis=axis)
        rank = places[0].ndim
        if axis == 0:
            return out
        return out.transpose(_front_order(out.ndim, tuple(range(axis, axis + rank))))
    return np.transpose(x, _front_order(x.ndim, axes))[tuple(p[()] for p in places)]


def _fill_value(dtype: np.dtype) -> Any:
    if is_inexact(dtype):
        return dtype.type(np.nan)
    if dtype.kind == "b":
        return np.True_
    limits = np.iinfo(dtype)
    return dtype.type(limits.min if dtype.kind == "i" else limits.max)


@gather_p.def_abstract
def _gather_abstract(x: ShapedArray, *indices: ShapedArray, axes: tuple, mode: str) -> ShapedArray:
    if mode not in _GATHER_MODES:
        raise TypeError(f"gather: mode is one of {', '.join(_GATHER_MODES)}, got {mode!r}")
    return make_aval(_window_shape("gather", x, indices, axes), x.dtype)


@gather_p.def_jvp
def _gather_jvp(primals: Any, tangents: Any, out: Any, *, axes: tuple, mode: str) -> Any:
    # What is filled in does not depend on x.
    mode = "zero" if mode == "fill" else mode
    return gather_p.bind(tangents[0], *primals[1:], axes=axes, mode=mode)


@gather_p.def_transpose
def _gather_transpose(ct: Any, x: Any, *indices: Any, axes: tuple, mode: str) -> list[Any]:
    params = {"op": "add", "mode": _write_mode(mode), "unique_indices": False}
    ct_x = scatter_p.bind(uniform(x.aval.shape, x.aval.dtype), ct, *indices, axes=axes, **params)
    return [ct_x, *(None for _ in indices)]


def _with_batch_axis(
    axis: Axis, indices: Sequence[Any], dims: Sequence[int | None], axes: tuple, at: int
) -> tuple[list[Any], tuple[int, ...]]:
    """Index arrays, batched in front, that also index an operand's batch dim; and their axes."""
    batched = [batched_at(i, d, axis) for i, d in zip(indices, dims, strict=True)]
    moved = [a + (a >= at) for a in axes]
    place = sum(a < at for a in moved)
    batched.insert(place, iota_p.bind(dtype=INDEX, shape=batched[0].shape, dimension=0))
    moved.insert(place, at)
    return batched, tuple(moved)


@gather_p.def_batch
def _gather_batch(axis: Axis, args: Any, dims: Any, *, axes: tuple, mode: str) -> tuple:
    (x, *indices), (at, *index_dims) = args, dims
    if all(d is None for d in index_dims):
        moved = tuple(a + (a >= at) for a in axes)
        out_dim = indices[0].ndim + at - sum(a < at for a in axes)
        return gather_p.bind(x, *indices, axes=moved, mode=mode), out_dim
    if at is None:
        batched = [batched_at(i, d, axis) for i, d in zip(indices, index_dims, strict=True)]
    else:
        batched, axes = _with_batch_axis(axis, indices, index_dims, axes, at)
    return gather_p.bind(x, *batched, axes=axes, mode=mode), 0


# --- scatter -----------------------------------------------------------------------------------

scatter_p = Primitive("scatter")


def scatter(
    x: Any,
    indices: Sequence[Any],
    updates: Any,
    axes: Sequence[int],
    op: str = "set",
    mode: str = "raise",
    unique_indices: bool = False,
) -> Any:
    """Copy an array and write to integer positions of the copy.

    Args:
      x: an array of at least one dimension.
      indices: an integer array for each of ``axes``, all of one shape ``s``.
      updates: an array of ``x``'s dtype, of shape ``s`` followed by the dimensions of ``x`` that
        are not indexed; or a scalar.
      axes: strictly increasing, non-negative: the dimensions that are indexed.
      op: ``"set"``, ``"add"``, ``"mul"``, ``"min"`` or ``"max"``: how an update meets what is
        there. Of several updates to one position ``"set"`` keeps the last; the others take all.
      mode: what happens out of bounds. ``"raise"`` is an error; ``"clip"`` takes the nearest
        position (0 for negative ones); ``"wrap"`` counts modulo the size; ``"drop"`` leaves the
        update out. In ``"raise"`` and ``"drop"`` negative indices count from the end.
      unique_indices: a promise that no position comes twice, which makes things faster; what the
        result is when it is broken is not defined.

    Returns:
      An array like ``x``.

    Raises:
      TypeError: when axes, shapes or dtypes do not fit.
      IndexError: in mode ``"raise"`` for what is out of bounds.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.scatter(np.zeros(3), [np.array([0, 2, 0])], np.array([1.0, 2.0, 3.0]), (0,))
    array([3., 0., 2.])
    """
    x, updates = operands(x, updates)
    indices, axes = [array(i) for i in indices], tuple(map(as_int, axes))
    avals = [get_aval(i) for i in indices]
    if updates.ndim == 0:
        shape = _window_shape("scatter", get_aval(x), avals, axes)
        updates = broadcast_to_shape(updates, shape)
    params = {"axes": axes, "op": op, "mode": mode, "unique_indices": bool(unique_indices)}
    _scatter_abstract(get_aval(x), get_aval(updates), *avals, **params)
    return scatter_p.bind(x, updates, *indices, **params)


def scatter_add(
    x: Any,
    indices: Sequence[Any],
    updates: Any,
    axes: Sequence[int],
    mode: str = "raise",
    unique_indices: bool = False,
) -> Any:
    """Add to integer positions of a copy: ``scatter`` with ``op="add"``.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.scatter_add(np.ones(3), [np.array([0, 2, 0])], np.array([1.0, 2.0, 3.0]), (0,))
    array([5., 1., 3.])
    """
    return scatter(x, indices, updates, axes, "add", mode, unique_indices)


def scatter_mul(
    x: Any,
    indices: Sequence[Any],
    updates: Any,
    axes: Sequence[int],
    mode: str = "raise",
    unique_indices: bool = False,
) -> Any:
    """Multiply integer positions of a copy: ``scatter`` with ``op="mul"``.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.scatter_mul(np.ones(3), [np.array([0, 2, 0])], np.array([2.0, 3.0, 4.0]), (0,))
    array([8., 1., 3.])
    """
    return scatter(x, indices, updates, axes, "mul", mode, unique_indices)


def scatter_min(
    x: Any,
    indices: Sequence[Any],
    updates: Any,
    axes: Sequence[int],
    mode: str = "raise",
    unique_indices: bool = False,
) -> Any:
    """Take the minimum at integer positions of a copy: ``scatter`` with ``op="min"``.

    Operands that are equally small share the derivative evenly.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.scatter_min(np.ones(3), [np.array([0, 2, 0])], np.array([2.0, -3.0, 0.0]), (0,))
    array([ 0.,  1., -3.])
    """
    return scatter(x, indices, updates, axes, "min", mode, unique_indices)


def scatter_max(
    x: Any,
    indices: Sequence[Any],
    updates: Any,
    axes: Sequence[int],
    mode: str = "raise",
    unique_indices: bool = False,
) -> Any:
    """Take the maximum at integer positions of a copy: ``scatter`` with ``op="max"``.

    Operands that are equally great share the derivative evenly.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.scatter_max(np.ones(3), [np.array([0, 2, 0])], np.array([2.0, -3.0, 5.0]), (0,))
    array([5., 1., 1.])
    """
    return scatter(x, indices, updates, axes, "max", mode, unique_indices)


_UFUNCS = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


@scatter_p.def_impl
def _scatter_impl(
    x: Any, updates: Any, *indices: Any, axes: tuple, op: str, mode: str, unique_indices: bool
) -> Any:
    in_front = axes[-1] == len(axes) - 1
    order = _front_order(x.ndim, axes)
    out = np.array(x if in_front else np.transpose(x, order), order="C")
    width = math.prod(out.shape[len(axes) :])
    rows: Any = 0
    kept = None
    for index, axis in zip(indices, axes, strict=True):
        size = x.shape[axis]
        place, inside = _place(index, axis, size, mode)
        rows = rows * size + place
        if inside is not None:
            kept = inside if kept is None else kept & inside
    # One contiguous index array: NumPy then writes in order (the last of several updates stays),
    # and its ufunc.at is many times faster.
    rows = np.ravel(rows)
    values = np.reshape(updates, (rows.size, width))
    if kept is not None:
        kept = np.ravel(kept)
        rows, values = rows[kept], values[kept]
    cells = out.reshape((math.prod(out.shape[: len(axes)]), width))
    if op == "set":
        cells[rows] = values
    elif unique_indices:
        cells[rows] = _UFUNCS[op](cells[rows], values)
    else:
        if width != 1:
            rows = np.ravel(rows[:, None] * width + np.arange(width))
        flat, values = cells.reshape(-1), np.ravel(values)
        if op in ("add", "mul"):
            _UFUNCS[op].at(flat, rows, values)
        else:
            with np.errstate(invalid="ignore"):  # at NaNs, of which np.maximum says nothing
                _UFUNCS[op].at(flat, rows, values)
    return out if in_front else np.transpose(out, inverse_permutation(order))


@scatter_p.def_abstract
def _scatter_abstract(
    x: ShapedArray,
    updates: ShapedArray,
    *indices: ShapedArray,
    axes: tuple,
    op: str,
    mode: str,
    unique_indices: bool,
) -> ShapedArray:
    if mode not in _SCATTER_MODES:
        raise TypeError(f"scatter: mode is one of {', '.join(_SCATTER_MODES)}, got {mode!r}")
    if op not in _SCATTER_OPS:
        raise TypeError(f"scatter: op is one of {', '.join(_SCATTER_OPS)}, got {op!r}")
    shape = _window_shape("scatter", x, indices, axes)
    if updates.shape != shape or updates.dtype != x.dtype:
        expected = make_aval(shape, x.dtype)
        raise TypeError(
            f"scatter into {x} at axes {axes} with indices of shape {indices[0].shape} takes "
            f"updates of {expected}, got {updates}"
        )
    return x.strong()


@scatter_p.def_jvp
def _scatter_jvp(
    primals: Any,
    tangents: Any,
    out: Any,
    *,
    axes: tuple,
    op: str,
    mode: str,
    unique_indices: bool,
) -> Any:
    x, u, *indices = primals
    x_t, u_t = tangents[:2]
    cells = _Cells(indices, axes, mode, unique_indices)
    if op == "set":
        x_t = zeros_like(x) if x_t is None else x_t
        return cells.write("set", x_t, zeros_like(u) if u_t is None else u_t)
    if op == "add":
        shares = [x_t, u_t]
    elif op == "mul":
        shares = [
            None if x_t is None else cells.write("mul", x_t, u),
            None if u_t is None else mul(_other_factors(cells, x, u), u_t),
        ]
    else:
        of_x, of_u = _extremal_shares(cells, x, u, out)
        shares = [
            None if x_t is None else mul(x_t, of_x),
            None if u_t is None else mul(u_t, of_u),
        ]
    x_share, u_share = shares
    if u_share is None:
        return x_share
    return cells.write("add", zeros_like(x) if x_share is None else x_share, u_share)


class _Cells:
    """The positions that a scatter writes to."""

    def __init__(self, indices: Sequence[Any], axes: tuple, mode: str, unique: bool):
        self.indices = indices
        self.axes = axes
        self.mode = mode
        self.unique = unique

    def write(self, op: str, x: Any, updates: Any) -> Any:
        return scatter_p.bind(
            x,
            updates,
            *self.indices,
            axes=self.axes,
            op=op,
            mode=self.mode,
            unique_indices=self.unique,
        )

    def read(self, x: Any) -> Any:
        return gather_p.bind(x, *self.indices, axes=self.axes, mode=_read_mode(self.mode))


def _other_factors(cells: _Cells, x: Any, u: Any) -> Any:
    """For each update, the product of all other factors of its cell."""
    if cells.unique:
        return cells.read(x)
    # The product of the factors that are not zero and the number of those that are, since a
    # product with a zero cannot be divided by it.
    is_zero = eq(u, zeros_like(u))
    factor = nonzero_or_one(u)
    product = cells.read(cells.write("mul", x, factor))
    zeros = convert_element_type(is_zero, INDEX)
    counts = cells.read(cells.write("add", uniform(x.shape, INDEX), zeros))
    return select(eq(counts, zeros), div(product, factor), zeros_like(u))


def _extremal_shares(cells: _Cells, x: Any, u: Any, out: Any) -> tuple[Any, Any]:
    """What part of a cell's derivative its operand and each of its updates get."""
    of_x = convert_element_type(eq(x, out), x.dtype)
    of_u = convert_element_type(eq(u, cells.read(out)), x.dtype)
    # No operand equals a NaN.
    counts = nonzero_or_one(cells.write("add", of_x, of_u))
    of_u = div(of_u, nonzero_or_one(cells.read(counts)))
    return div(of_x, counts), of_u


@scatter_p.def_transpose
def _scatter_transpose(
    ct: Any,
    x: Any,
    u: Any,
    *indices: Any,
    axes: tuple,
    op: str,
    mode: str,
    unique_indices: bool,
) -> list[Any]:
    cells = _Cells(indices, axes, mode, unique_indices)
    ct_x = ct_u = None
    if type(x) is LinearInput:
        if op == "set":
            ct_x = cells.write("set", ct, uniform(u.shape, ct.dtype))
        elif op == "mul":
            ct_x = cells.write("mul", ct, u)
        else:
            ct_x = ct
    if type(u) is LinearInput:
        ct_u = cells.read(ct)
        if op == "set" and not unique_indices:
            ct_u = select(_winners(cells, ct.shape, u.shape), ct_u, zeros_like(ct_u))
    return [ct_x, ct_u, *(None for _ in indices)]


def _winners(cells: _Cells, shape: tuple[int, ...], window: tuple[int, ...]) -> Any:
    """Which updates are not overwritten by a later one to the same position."""
    at = cells.indices[0].shape
    sizes = tuple(shape[a] for a in cells.axes)
    alone = _Cells(cells.indices, tuple(range(len(sizes))), cells.mode, False)
    ids = np.arange(math.prod(at)).reshape(at)
    last = alone.read(alone.write("set", uniform(sizes, INDEX), ids))
    return broadcast_in_dim(eq(last, ids), window, range(len(at)))


@scatter_p.def_batch
def _scatter_batch(axis: Axis, args: Any, dims: Any, *, axes: tuple, **params: Any) -> tuple:
    (x, u, *indices), (x_dim, u_dim, *index_dims) = args, dims
    if all(d is None for d in index_dims):
        at = indices[0].ndim
        x, u = batched_at(x, x_dim, axis), batched_at(u, u_dim, axis, at)
        axes = tuple(a + 1 for a in axes)
    else:
        x, u = batched_at(x, x_dim, axis), batched_at(u, u_dim, axis)
        indices, axes = _with_batch_axis(axis, indices, index_dims, axes, 0)
    return scatter_p.bind(x, u, *indices, axes=axes, **params), 0


@scatter_p.def_simplify
def _scatter_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    x, _, index, *_ = args
    return x if index.aval.size == 0 and view.same_type(x) else None
