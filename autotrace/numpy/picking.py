"""NumPy's functions that pick, rearrange, search and count elements, on traced arrays."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..core.avals import uniform
from ..core.errors import located
from ..core.trace import Tracer, get_aval
from ..lax import arithmetic as arith
from ..lax.indexing import INDEX, broadcasted_iota, gather_p
from ..lax.slicing import (
    concatenate,
    pad,
    rev,
    slice_in_dim,
)
from ..lax.structural import (
    array,
    reduce_sum,
    reshape,
    transpose,
)
from .dispatch import implements
from .indexing import getitem, index_dims_to
from .positions import filled, positions, unravelled, where_true
from .promotion import (
    asarray,
    broadcast_shapes,
    broadcast_to,
    promote_dtypes,
    promote_inexact,
)
from .reductions import fold_axes
from .ufuncs import as_bool

# --- NumPy's functions that read at positions --------------------------------------------------


def _read_along(x: Any, index: Any, axis: int, mode: str) -> Any:
    """``x`` at positions of one dimension, those of the index array in its place."""
    if not isinstance(index, Tracer) and not index.shape:
        index = INDEX.type(index)
    out = gather_p.bind(x, index, axes=(axis,), mode=mode)
    return index_dims_to(out, index.ndim, axis)


def _as_positions(indices: Any, name: str) -> Any:
    indices = array(asarray(indices))
    if indices.dtype.kind == "f" and not indices.size:
        return np.zeros(indices.shape, INDEX)
    if indices.dtype.kind == "b":
        return arith.convert_element_type(indices, INDEX)
    if indices.dtype.kind not in "iu":
        raise TypeError(located(f"{name} takes integer indices, got {indices.dtype}"))
    return indices if isinstance(indices, Tracer) else indices.astype(INDEX)


def _check_mode(name: str, mode: str) -> None:
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(located(f"{name}: mode is 'raise', 'clip' or 'wrap', got {mode!r}"))


def _ravel(x: Any) -> Any:
    return reshape(x, (math.prod(x.shape),))


def _no_out(function: Any, out: Any) -> None:
    if out is not None:
        raise TypeError(located(f"numpy.{function.__name__}: give out= by keyword"))


@implements(np.take, extra=("fill_value",))
def take(
    a: Any,
    indices: Any,
    axis: Any = None,
    out: Any = None,
    mode: str = "raise",
    *,
    fill_value: Any = None,
) -> Any:
    """As ``numpy.take``, on arrays and traced values.

    Args:
      fill_value: what stands for elements at positions that are out of bounds, NumPy's modes
        notwithstanding.

    >>> take(np.array([5, 6]), np.array([1, 2]), fill_value=0)
    array([6, 0])
    """
    _no_out(np.take, out)
    _check_mode("numpy.take", mode)
    a = array(asarray(a))
    indices = _as_positions(indices, "numpy.take")
    if axis is None:
        a, axis = _ravel(a), 0
    axis = normalize_axis_index(operator.index(axis), a.ndim)
    if fill_value is not None:
        size = a.shape[axis]
        outside = np.where(indices < -size, size, np.where(indices < 0, indices + size, indices))
        taken = gather_p.bind(a, array(outside), axes=(axis,), mode="clip")
        return index_dims_to(filled(taken, array(outside), size, fill_value), indices.ndim, axis)
    if mode == "raise" and not isinstance(indices, Tracer) and not indices.shape:
        return getitem(a, (*(slice(None) for _ in range(axis)), int(indices)))
    return _read_along(a, indices, axis, mode)


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """As ``numpy.take_along_axis``, on arrays and traced values.

    >>> take_along_axis(np.array([[10, 30, 20]]), np.array([[0, 2]]), 1)
    array([[10, 20]])
    """
    return _along_axis(arr, indices, axis, "raise")


def _along_axis(arr: Any, indices: Any, axis: Any, mode: str) -> Any:
    arr = array(asarray(arr))
    indices = array(asarray(indices))
    if indices.dtype.kind not in "iu":
        raise IndexError(located("`indices` must be an integer array"))
    if axis is None:
        if indices.ndim != 1:
            raise ValueError(located("when axis=None, `indices` must have a single dimension."))
        arr, axis = _ravel(arr), 0
    axis = normalize_axis_index(operator.index(axis), arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError(located("`indices` and `arr` must have the same number of dimensions"))
    shape = broadcast_shapes((*arr.shape[:axis], 1, *arr.shape[axis + 1 :]), indices.shape)
    if arr.ndim == 1:
        return _read_along(arr, indices, 0, mode)
    own = [
        broadcast_to(indices, shape)
        if d == axis
        else broadcasted_iota(INDEX, shape, d)
        if arr.shape[d] == shape[d]
        else np.zeros(shape, INDEX)
        for d in range(arr.ndim)
    ]
    return gather_p.bind(arr, *own, axes=tuple(range(arr.ndim)), mode=mode)


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """As ``numpy.choose``, on arrays and traced values; all choices are evaluated.

    >>> choose(np.array([0, 1, 0]), [np.array([1, 2, 3]), np.array([4, 5, 6])])
    array([1, 5, 3])
    """
    _no_out(np.choose, out)
    _check_mode("numpy.choose", mode)
    a = _as_positions(a, "numpy.choose")
    if isinstance(choices, Tracer | np.ndarray):
        choices = [getitem(choices, i) for i in range(choices.shape[0])]
    parts = promote_dtypes(*[array(asarray(c)) for c in choices])
    shape = broadcast_shapes(a.shape, *(p.shape for p in parts))
    rows = [reshape(broadcast_to(p, shape), (1, *shape)) for p in parts]
    if mode == "raise":  # where, unlike elsewhere, negative indices are out of bounds
        a = arith.convert_element_type(a, np.uint64)
    index = reshape(broadcast_to(a, shape), (1, *shape))
    return reshape(_along_axis(concatenate(rows, 0), index, 0, mode), shape)


_SIZED = ("size", "fill_value")


@implements(np.compress, extra=_SIZED)
def compress(
    condition: Any,
    a: Any,
    axis: Any = None,
    out: Any = None,
    *,
    size: int | None = None,
    fill_value: Any = 0,
) -> Any:
    """As ``numpy.compress``, on arrays and traced values; with ``size``, that many elements, of
    which ``fill_value`` is the rest.

    >>> compress(np.array([False, True, True]), np.array([5, 6, 7]), size=3)
    array([6, 7, 0])
    """
    _no_out(np.compress, out)
    condition = array(as_bool(asarray(condition)))
    if condition.ndim != 1:
        raise ValueError(located("condition must be a 1-d array"))
    return _picked(a, condition, axis, "np.compress", size, fill_value)


def _picked(a: Any, mask: Any, axis: Any, what: str, size: int | None, fill: Any) -> Any:
    """What a mask of one dimension picks along an axis."""
    flat = positions(mask, what, size)
    if size is None:
        return take(a, flat, axis)
    a = array(asarray(a))
    if axis is None:
        a, axis = _ravel(a), 0
    axis = normalize_axis_index(operator.index(axis), a.ndim)
    taken = gather_p.bind(a, flat, axes=(axis,), mode="clip")
    # A mask may be shorter than the axis: what it does not have is not there.
    return index_dims_to(filled(taken, flat, mask.shape[0], fill), 1, axis)


@implements(np.extract, extra=_SIZED)
def extract(condition: Any, arr: Any, *, size: int | None = None, fill_value: Any = 0) -> Any:
    """As ``numpy.extract``, on arrays and traced values; ``size`` as of ``compress``.

    >>> extract(np.array([True, False]), np.array([5, 6]), size=2, fill_value=-1)
    array([ 5, -1])
    """
    mask = _ravel(array(as_bool(asarray(condition))))
    return _picked(arr, mask, None, "np.extract", size, fill_value)


# --- diagonals and triangles -------------------------------------------------------------------


@implements(np.diagonal, view=True)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """As ``numpy.diagonal``, on arrays and traced values.

    >>> diagonal(np.array([[1, 2], [3, 4]]))
    array([1, 4])
    """
    a = asarray(a)
    if a.ndim < 2:
        raise ValueError(located("diag requires an array of at least two dimensions"))
    axis1, axis2 = (normalize_axis_index(operator.index(i), a.ndim) for i in (axis1, axis2))
    if axis1 == axis2:
        raise ValueError(located("axis1 and axis2 cannot be the same"))
    offset = operator.index(offset)
    a = transpose(a, (*(d for d in range(a.ndim) if d not in (axis1, axis2)), axis1, axis2))
    *lead, rows, columns = a.shape
    first_row, first_column = max(-offset, 0), max(offset, 0)
    count = max(min(rows - first_row, columns - first_column), 0)
    # Every (columns + 1)th of the elements in C order: a slice, which is cheaper than a gather.
    flat = reshape(a, (*lead, rows * columns))
    start = first_row * columns + first_column if count else 0
    limit = start + (count - 1) * (columns + 1) + 1 if count else 0
    return slice_in_dim(flat, start, limit, columns + 1, len(lead))


@implements(np.diag, view=True)
def diag(v: Any, k: int = 0) -> Any:
    """As ``numpy.diag``, on arrays and traced values.

    >>> diag(np.array([1, 2]))
    array([[1, 0],
           [0, 2]])
    """
    v, k = asarray(v), operator.index(k)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(located("Input must be 1- or 2-d."))
    count = v.shape[0]
    side = count + abs(k)
    start = k if k >= 0 else -k * side
    length = count + max(count - 1, 0) * side
    padding = (start, side * side - start - length, side)
    return reshape(pad(v, arith.constant(0, v), (padding,)), (side, side))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """As ``numpy.diagflat``, on arrays and traced values.

    >>> diagflat(np.array([[1, 2]]))
    array([[1, 0],
           [0, 2]])
    """
    return diag(_ravel(array(asarray(v))), k)


def _triangle(m: Any, k: int, lower: bool) -> Any:
    m = asarray(m)
    if not m.ndim:
        raise ValueError(located("a triangle takes an array of at least one dimension"))
    rows, columns = m.shape[-2:] if m.ndim > 1 else (m.shape[0], m.shape[0])
    mask = np.tri(rows, columns, operator.index(k) - (not lower), dtype=bool)
    m = broadcast_to(m, (rows, columns)) if m.ndim == 1 else m
    mask = broadcast_to(mask if lower else ~mask, m.shape)
    return arith.select(mask, m, arith.constant(0, m))


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """As ``numpy.tril``, on arrays and traced values.

    >>> tril(np.array([[1, 2], [3, 4]]))
    array([[1, 0],
           [3, 4]])
    """
    return _triangle(m, k, True)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """As ``numpy.triu``, on arrays and traced values.

    >>> triu(np.array([[1, 2], [3, 4]]))
    array([[1, 2],
           [0, 4]])
    """
    return _triangle(m, k, False)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    """As ``numpy.trace``, on arrays and traced values.

    >>> trace(np.array([[1, 2], [3, 4]]))
    np.int64(5)
    """
    _no_out(np.trace, out)
    entries = diagonal(a, offset, axis1, axis2)
    if dtype is None:
        kind = entries.dtype.kind
        # NumPy sums small integers in its default integer.
        dtype = {"b": INDEX, "i": INDEX, "u": np.dtype(np.uint64)}.get(kind, entries.dtype)
    entries = arith.convert_element_type(entries, dtype)
    return reduce_sum(entries, (entries.ndim - 1,))


# --- rearranging -------------------------------------------------------------------------------


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """As ``numpy.roll``, on arrays and traced values; the shifts may be traced.

    >>> roll(np.array([1, 2, 3]), 1)
    array([3, 1, 2])
    """
    a = array(asarray(a))
    if axis is None:
        return reshape(roll(_ravel(a), shift, 0), a.shape)
    axes = normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    shifts = _components(shift)
    if len(axes) != len(shifts):
        if 1 not in (len(axes), len(shifts)):
            raise ValueError(located("'shift' and 'axis' should be scalars or 1D sequences"))
        axes, shifts = axes * len(shifts), shifts * len(axes)
    for s, d in zip(shifts, axes, strict=True):
        a = _rolled(a, s, d)
    return a


def _components(shift: Any) -> list[Any]:
    """Shifts, given as one or as a sequence, as a list."""
    if isinstance(shift, Tracer):
        return [getitem(shift, i) for i in range(shift.shape[0])] if shift.ndim else [shift]
    if isinstance(shift, list | tuple):
        return list(shift)
    return list(np.atleast_1d(shift))


def _rolled(x: Any, shift: Any, axis: int) -> Any:
    size = x.shape[axis]
    if isinstance(shift, Tracer):
        moved = arith.sub(np.arange(size), arith.convert_element_type(shift, INDEX))
        return _read_along(x, arith.mod(moved, INDEX.type(max(size, 1))), axis, "clip")
    shift = int(operator.index(shift)) % max(size, 1)
    if not shift:
        return x
    cut = size - shift
    parts = [slice_in_dim(x, cut, size, 1, axis), slice_in_dim(x, 0, cut, 1, axis)]
    return concatenate(parts, axis)


@implements(np.flip, view=True)
def flip(m: Any, axis: Any = None) -> Any:
    """As ``numpy.flip``, on arrays and traced values.

    >>> flip(np.array([1, 2, 3]))
    array([3, 2, 1])
    """
    m = array(asarray(m))
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return rev(m, axes)


@implements(np.fliplr, view=True)
def fliplr(m: Any) -> Any:
    """As ``numpy.fliplr``, on arrays and traced values.

    >>> fliplr(np.array([[1, 2], [3, 4]]))
    array([[2, 1],
           [4, 3]])
    """
    if m.ndim < 2:
        raise ValueError(located("Input must be >= 2-d."))
    return rev(m, (1,))


@implements(np.flipud, view=True)
def flipud(m: Any) -> Any:
    """As ``numpy.flipud``, on arrays and traced values.

    >>> flipud(np.array([[1, 2], [3, 4]]))
    array([[3, 4],
           [1, 2]])
    """
    if m.ndim < 1:
        raise ValueError(located("Input must be >= 1-d."))
    return rev(m, (0,))


@implements(np.rot90, view=True)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """As ``numpy.rot90``, on arrays and traced values.

    >>> rot90(np.array([[1, 2], [3, 4]]))
    array([[2, 4],
           [1, 3]])
    """
    m = asarray(m)
    if len(axes) != 2:
        raise ValueError(located("len(axes) must be 2."))
    first, second = (normalize_axis_index(operator.index(d), m.ndim) for d in axes)
    if first == second:
        raise ValueError(located("Axes must be different."))
    k = operator.index(k) % 4
    if k == 2:
        return rev(m, (first, second))
    if k == 1:
        m = rev(m, (second,))
    if k:
        order = list(range(m.ndim))
        order[first], order[second] = second, first
        m = transpose(m, order)
    return rev(m, (second,)) if k == 3 else m


# --- searching and counting --------------------------------------------------------------------


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """As ``numpy.searchsorted``, on arrays and traced values; the derivative is zero.

    >>> searchsorted(np.array([1.0, 2.0, 3.0]), 2.5)
    np.int64(2)
    """
    if side not in ("left", "right"):
        raise ValueError(located(f"side must be 'left' or 'right', got {side!r}"))
    a, v = promote_dtypes(asarray(a), asarray(v))
    a, v = arith.stop_gradient(a), arith.stop_gradient(v)
    if a.ndim != 1:
        raise ValueError(located(f"searchsorted takes a one-dimensional a, got {get_aval(a)}"))
    if sorter is not None:
        a = take(a, sorter)
    if not isinstance(a, Tracer) and not isinstance(v, Tracer):
        return np.searchsorted(a, v, side)  # type: ignore[call-overload]
    size = a.shape[0]
    if a.dtype.kind == "b":
        a, v = (arith.convert_element_type(x, np.int8) for x in (a, v))
    # NaNs come last: search before the first of them.
    is_float = a.dtype.kind in "fc"
    count = count_nonzero(arith.bitwise_not(arith.is_nan(a))) if is_float else INDEX.type(size)
    count = INDEX.type(count) if not isinstance(count, Tracer) else count
    before = arith.lt if side == "left" else arith.le
    # Binary search from the highest bit of the answer to the lowest.
    found: Any = uniform(v.shape, INDEX)
    for bit in reversed(range(size.bit_length())):
        further = arith.add(found, INDEX.type(1 << bit))
        place = arith.sub(further, INDEX.type(1))
        entry = gather_p.bind(a, place, axes=(0,), mode="clip")
        right = arith.bitwise_and(arith.le(further, count), before(entry, v))
        found = arith.select(right, further, found)
    if not is_float:
        return broadcast_to(found, v.shape)
    end = count if side == "left" else INDEX.type(size)
    return broadcast_to(arith.select(arith.is_nan(v), end, found), v.shape)


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """As ``numpy.interp``, on arrays and traced values; ``fp`` may be complex.

    >>> interp(2.5, np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 0.0]))
    np.float64(1.0)
    """
    x, xp = promote_inexact(asarray(x), array(asarray(xp)))
    (fp,) = promote_inexact(array(asarray(fp)))
    if xp.ndim != 1 or fp.ndim != 1 or xp.shape != fp.shape:
        raise ValueError(located("fp and xp are not of the same length."))
    if not xp.shape[0]:
        raise ValueError(located("array of sample points is empty"))
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, abs(period))
        left = right = None
    n = xp.shape[0]
    below = arith.sub(searchsorted(xp, x, "right"), INDEX.type(1))
    k = np.clip(below, 0, max(n - 2, 0))
    read = functools.partial(_read_along, axis=0, mode="clip")
    if n == 1:
        inside = broadcast_to(getitem(fp, 0), x.shape)
    else:
        x0, x1, y0, y1 = (read(a, k + d) for a in (xp, fp) for d in (0, 1))
        inside = (y1 - y0) / (x1 - x0) * (x - x0) + y0
    first, last = getitem(xp, 0), getitem(xp, -1)
    low = getitem(fp, 0) if left is None else left
    high = getitem(fp, -1)
    out = np.where(x == last, high, inside)
    out = np.where(x < first, low, out)
    return np.where(x > last, high if right is None else right, out)


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    """Points and samples within one period, with a sample more at either end."""
    if not isinstance(period, Tracer) and not period:
        raise ValueError(located("period must be a non-zero value"))
    xp = xp % period
    order = np.argsort(xp)
    xp, fp = take(xp, order), take(fp, order)
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return x % period, xp, np.concatenate([fp[-1:], fp, fp[:1]])


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    """As ``numpy.unravel_index``, on arrays and traced values; whether traced indices are within
    the shape is not looked at.

    >>> unravel_index(np.array([1, 5]), (2, 3))
    (array([0, 1]), array([1, 2]))
    """
    indices = asarray(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(located("only int indices permitted"))
    shape = (shape,) if isinstance(shape, int) else tuple(map(operator.index, shape))
    indices = arith.convert_element_type(indices, INDEX)
    if order == "F":
        return unravelled(indices, shape[::-1])[::-1]
    return unravelled(indices, shape)


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    """As ``numpy.ravel_multi_index``, on arrays and traced values; whether traced indices are
    within the dimensions is not looked at in mode ``"raise"``.

    >>> ravel_multi_index((np.array([0, 1]), np.array([1, 2])), (2, 3))
    array([1, 5])
    """
    dims = tuple(map(operator.index, dims))
    modes = (mode,) * len(dims) if isinstance(mode, str) else tuple(mode)
    places: Any = INDEX.type(0)
    pairs = list(zip(multi_index, dims, modes, strict=True))
    for index, n, how in pairs if order == "C" else reversed(pairs):
        if how == "wrap":
            index = index % n
        elif how == "clip":
            index = np.clip(index, 0, n - 1)
        places = places * n + index
    return places


@implements(np.nonzero, extra=_SIZED)
def nonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """As ``numpy.nonzero``, on arrays and traced values.

    Args:
      size: how many positions to return; then nothing is asked for, and it works under ``vmap``.
      fill_value: what stands for positions that there are not, one number or one for each
        dimension; 0 when None.

    >>> nonzero(np.array([0, 3, 4]), size=4, fill_value=-1)
    (array([ 1,  2, -1, -1]),)
    """
    mask = array(as_bool(a))
    if not mask.ndim:
        raise ValueError(
            located(
                "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() "
                "instead."
            )
        )
    return where_true(mask, "np.nonzero", size, fill_value)


@implements(np.argwhere, extra=_SIZED)
def argwhere(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """As ``numpy.argwhere``, on arrays and traced values; ``size`` as of ``nonzero``.

    >>> argwhere(np.array([0, 3, 4]), size=2)
    array([[1],
           [2]])
    """
    mask = array(as_bool(a))
    if not mask.ndim:
        return np.zeros((len(positions(reshape(mask, (1,)), "np.argwhere")), 0), INDEX)
    columns = where_true(mask, "np.argwhere", size, fill_value)
    return concatenate([reshape(c, (*c.shape, 1)) for c in columns], 1)


@implements(np.flatnonzero, extra=_SIZED)
def flatnonzero(a: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """As ``numpy.flatnonzero``, on arrays and traced values; ``size`` as of ``nonzero``.

    >>> flatnonzero(np.array([0, 3, 4]), size=3)
    array([1, 2, 0])
    """
    (out,) = where_true(_ravel(array(as_bool(a))), "np.flatnonzero", size, fill_value)
    return out


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As ``numpy.count_nonzero``, on arrays and traced values.

    >>> count_nonzero(np.array([0, 3, 4]))
    np.int64(2)
    """
    mask = array(as_bool(a))
    axes = fold_axes(axis, mask.ndim)
    out = reduce_sum(arith.convert_element_type(mask, INDEX), axes)
    if not keepdims:
        return out
    return reshape(out, tuple(1 if d in axes else n for d, n in enumerate(mask.shape)))


# --- on tracers --------------------------------------------------------------------------------


def install() -> None:
    """Put the methods that pick elements on ``Tracer``."""
    methods: dict[str, Any] = {
        "take": take,
        "diagonal": diagonal,
        "trace": trace,
        "nonzero": nonzero,
        "searchsorted": searchsorted,
        "compress": lambda self, condition, axis=None: compress(condition, self, axis),
        "choose": choose,
    }
    for name, method in methods.items():
        setattr(Tracer, name, method)
