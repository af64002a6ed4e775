"""Sums, means, extrema, running sums, differences, and the methods of ufuncs that go with them."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import is_inexact, uniform
from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import cumulative, elementary, slicing, structural
from ..lax import reductions as lax_reductions
from . import promotion, ufuncs
from .dispatch import implements, traced, traced_methods
from .manipulation import (
    check_dtype,
    join,
    normal_axes,
    normal_axis,
    operand,
)

_NO_VALUE = np._NoValue  # what NumPy passes for "not given"
_FLOAT64 = np.dtype(np.float64)
_FLOAT32 = np.dtype(np.float32)
_FLOAT16 = np.dtype(np.float16)
_INT64 = np.dtype(np.int64)
_BOOL = np.dtype(np.bool_)

# --- arguments ---------------------------------------------------------------------------------


def is_given(x: Any) -> bool:
    return x is not None and x is not _NO_VALUE


def all_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes to reduce over, all of them where none is given."""
    return tuple(range(ndim)) if axis is None else normal_axes(axis, ndim)


def fold_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """As ``all_axes``, of what NumPy folds by a ufunc: a scalar then has an axis, too."""
    return () if not ndim and axis in (0, -1) else all_axes(axis, ndim)


def wide(dtype: np.dtype) -> np.dtype:
    """The dtype in which NumPy adds and multiplies up: at least a platform integer."""
    if dtype.kind in "bi":
        return dtype if dtype == np.uint64 else _INT64
    return np.dtype(np.uint64) if dtype.kind == "u" else dtype


def keeping(out: Any, x: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    """A reduction's result, with the axes that it removed as ones where asked for."""
    if not is_given(keepdims) or not keepdims:
        return out
    return structural.reshape(out, tuple(1 if d in axes else n for d, n in enumerate(x.shape)))


def _mask(where: Any, x: Any) -> Any:
    """``where=`` as bools of the operand's shape, None where all elements take part."""
    if not is_given(where) or where is True:
        return None
    mask = operand(where)
    if mask.dtype != _BOOL:
        raise TypeError(located(f"where= must hold bools, not {mask.dtype}"))
    return promotion.broadcast_to(mask, x.shape)


def _masked(x: Any, mask: Any, fill: Any) -> Any:
    """The array with one value where the mask is false."""
    if mask is None:
        return x
    return arith.select(mask, x, structural.full_like(x, fill))


def _count(x: Any, axes: tuple[int, ...], mask: Any, dtype: np.dtype) -> Any:
    """How many elements are reduced to one, as a number or, with a mask, as an array."""
    if mask is None:
        return math.prod(x.shape[d] for d in axes)
    return structural.reduce_sum(arith.convert_element_type(mask, dtype), axes)


def _scalar(value: Any, dtype: np.dtype) -> Any:
    """``initial=`` in the dtype of the result."""
    value = operand(value)
    if value.shape:
        raise ValueError(located("initial= must be a scalar"))
    return arith.convert_element_type(value, dtype)


# --- sums and products -------------------------------------------------------------------------


def _fold(
    a: Any,
    axis: Any,
    dtype: Any,
    keepdims: Any,
    initial: Any,
    where: Any,
    reduce: Callable,
    combine: Callable,
    identity: Any,
    logical: tuple[Callable, Callable],
) -> Any:
    """A sum or product in NumPy's dtype."""
    x = operand(a)
    axes = fold_axes(axis, x.ndim)
    mask = _mask(where, x)
    dtype = check_dtype(dtype) if dtype is not None else wide(x.dtype)
    if dtype == _BOOL:  # asked for: NumPy then adds by "or" and multiplies by "and"
        x = ufuncs.as_bool(x)
        reduce, combine = logical
    x = _masked(arith.convert_element_type(x, dtype), mask, identity)
    out = keeping(reduce(x, axes), x, axes, keepdims)
    return combine(out, _scalar(initial, dtype)) if is_given(initial) else out


_SUM = (structural.reduce_sum, arith.add, 0, (lax_reductions.reduce_or, arith.bitwise_or))
_PROD = (lax_reductions.reduce_prod, arith.mul, 1, (lax_reductions.reduce_and, arith.bitwise_and))


@implements(np.sum)
def sum(  # noqa: A001  NumPy's name
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """As ``numpy.sum``, on arrays and traced values.

    >>> sum(np.array([[1, 2], [3, 4]]), axis=0)
    array([4, 6])
    """
    return _fold(a, axis, dtype, keepdims, initial, where, *_SUM)


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """As ``numpy.prod``, on arrays and traced values; differentiable at zeros, too.

    >>> prod(np.array([2, 3, 4]))
    np.int64(24)
    """
    return _fold(a, axis, dtype, keepdims, initial, where, *_PROD)


# --- extrema -----------------------------------------------------------------------------------


def _extremum(
    name: str,
    a: Any,
    axis: Any,
    keepdims: Any,
    initial: Any,
    where: Any,
    reduce: Callable,
    combine: Callable,
) -> Any:
    x = operand(a)
    axes = fold_axes(axis, x.ndim)
    mask = _mask(where, x)
    if not is_given(initial):
        if mask is not None:
            raise ValueError(
                located(
                    f"reduction operation '{name}' does not have an identity, so to use a where "
                    "mask one has to specify 'initial'"
                )
            )
        if not math.prod(x.shape[d] for d in axes):
            raise ValueError(
                located(f"zero-size array to reduction operation {name} which has no identity")
            )
        return keeping(reduce(x, axes), x, axes, keepdims)
    first = _scalar(initial, x.dtype)
    if mask is not None:
        x = arith.select(mask, x, structural.broadcast_in_dim(first, x.shape, ()))
    if not math.prod(x.shape[d] for d in axes):
        left = tuple(n for d, n in enumerate(x.shape) if d not in axes)
        out = structural.broadcast_in_dim(first, left, ())
    else:
        out = combine(reduce(x, axes), first)
    return keeping(out, x, axes, keepdims)


_MAX = (lax_reductions.reduce_max, arith.max)
_MIN = (lax_reductions.reduce_min, arith.min)


@implements(np.max)
def max(  # noqa: A001  NumPy's name
    a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = None
) -> Any:
    """As ``numpy.max``, on arrays and traced values.

    Elements that reach the maximum together share the derivative evenly.

    >>> max(np.array([[1, 5], [7, 2]]), axis=1)
    array([5, 7])
    """
    return _extremum("maximum", a, axis, keepdims, initial, where, *_MAX)


@implements(np.min)
def min(  # noqa: A001  NumPy's name
    a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = None
) -> Any:
    """As ``numpy.min``, on arrays and traced values.

    Elements that reach the minimum together share the derivative evenly.

    >>> min(np.array([[1, 5], [7, 2]]), axis=1)
    array([1, 2])
    """
    return _extremum("minimum", a, axis, keepdims, initial, where, *_MIN)


amax, amin = max, min
traced[np.amax], traced[np.amin] = traced[np.max], traced[np.min]


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """As ``numpy.ptp``, on arrays and traced values; derivatives as those of max and min.

    >>> ptp(np.array([3, 9, 5]))
    np.int64(6)
    """
    x = operand(a)
    return ufuncs.subtract(max(x, axis, keepdims=keepdims), min(x, axis, keepdims=keepdims))


# --- truth -------------------------------------------------------------------------------------


def _truth(a: Any, axis: Any, keepdims: Any, where: Any, reduce: Callable, identity: bool) -> Any:
    x = ufuncs.as_bool(operand(a))
    axes = fold_axes(axis, x.ndim)
    x = _masked(x, _mask(where, x), identity)
    return keeping(reduce(x, axes), x, axes, keepdims)


@implements(np.any)
def any(  # noqa: A001  NumPy's name
    a: Any, axis: Any = None, *, keepdims: Any = False, where: Any = None
) -> Any:
    """As ``numpy.any``, on arrays and traced values.

    >>> any(np.array([[True, False], [False, False]]), axis=1)
    array([ True, False])
    """
    return _truth(a, axis, keepdims, where, lax_reductions.reduce_or, False)


@implements(np.all)
def all(  # noqa: A001  NumPy's name
    a: Any, axis: Any = None, *, keepdims: Any = False, where: Any = None
) -> Any:
    """As ``numpy.all``, on arrays and traced values.

    >>> all(np.array([[True, False], [True, True]]), axis=1)
    array([False,  True])
    """
    return _truth(a, axis, keepdims, where, lax_reductions.reduce_and, True)


# --- means and variances -----------------------------------------------------------------------


def _over(total: Any, count: Any) -> Any:
    """A sum divided by a count (a number, or an array of its shape), in the sum's dtype."""
    dtype = total.dtype
    if not is_inexact(dtype):  # a dtype that was asked for
        return arith.convert_element_type(
            _over(arith.convert_element_type(total, _FLOAT64), count), dtype
        )
    if isinstance(count, int | float):
        count = dtype.type(count)
    return arith.div(total, arith.convert_element_type(count, dtype))


def _mean(x: Any, axes: tuple[int, ...], dtype: np.dtype, mask: Any) -> Any:
    values = _masked(arith.convert_element_type(x, dtype), mask, 0)
    return _over(structural.reduce_sum(values, axes), _count(x, axes, mask, _float_of(dtype)))


def _float_of(dtype: np.dtype) -> np.dtype:
    """The dtype in which elements are counted, for a division of this dtype."""
    return dtype if is_inexact(dtype) else _FLOAT64


def mean_dtype(x: Any, dtype: Any) -> np.dtype:
    if dtype is not None:
        return check_dtype(dtype)
    return x.dtype if is_inexact(x.dtype) else _FLOAT64


@implements(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False, where: Any = None
) -> Any:
    """As ``numpy.mean``, on arrays and traced values.

    >>> mean(np.array([[1.0, 2.0], [3.0, 6.0]]), axis=0)
    array([2., 4.])
    """
    x = operand(a)
    axes = all_axes(axis, x.ndim)
    out_dtype = mean_dtype(x, dtype)
    half = dtype is None and out_dtype == _FLOAT16
    out = _mean(x, axes, _FLOAT32 if half else out_dtype, _mask(where, x))
    return keeping(arith.convert_element_type(out, out_dtype), x, axes, keepdims)


def _ddof(ddof: Any, correction: Any) -> Any:
    if not is_given(correction):
        return ddof
    if ddof != 0:
        raise ValueError(located("ddof and correction can't be provided simultaneously."))
    return correction


def _variance(
    a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, center: Any
) -> Any:
    x = operand(a)
    axes = all_axes(axis, x.ndim)
    mask = _mask(where, x)
    asked, dtype = dtype, mean_dtype(x, dtype)
    if not is_given(center):
        center = keeping(_mean(x, axes, dtype, mask), x, axes, True)
    apart = ufuncs.subtract(x, center)
    if apart.dtype.kind == "c":
        real, imag = arith.real(apart), arith.imag(apart)
        squares = arith.add(elementary.square(real), elementary.square(imag))
        dtype = squares.dtype if asked is None else dtype
    else:
        squares = elementary.square(apart)
    squares = _masked(arith.convert_element_type(squares, dtype), mask, 0)
    total = structural.reduce_sum(squares, axes)
    count = _count(x, axes, mask, _float_of(dtype))
    if isinstance(count, int):
        freedom = builtins.max(count - ddof, 0)
    else:
        freedom = ufuncs.maximum(ufuncs.subtract(count, ddof), 0)
    return keeping(_over(total, freedom), x, axes, keepdims)


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: Any = 0,
    keepdims: Any = False,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As ``numpy.var``, on arrays and traced values.

    >>> var(np.array([1.0, 2.0, 3.0, 6.0]))
    np.float64(3.5)
    """
    return _variance(a, axis, dtype, _ddof(ddof, correction), keepdims, where, mean)


def root(x: Any) -> Any:
    """The square root, with derivative 0 at 0."""
    zero = arith.eq(x, structural.zeros_like(x))
    safe = elementary.sqrt(arith.select(zero, structural.full_like(x, 1), x))
    return arith.select(zero, structural.zeros_like(x), safe)


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: Any = 0,
    keepdims: Any = False,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As ``numpy.std``, on arrays and traced values; the derivative is 0 where all elements are
    equal.

    >>> std(np.array([1.0, 3.0]))
    np.float64(1.0)
    """
    out = _variance(a, axis, dtype, _ddof(ddof, correction), keepdims, where, mean)
    if not is_inexact(out.dtype):
        wide = root(arith.convert_element_type(out, _FLOAT64))
        return arith.convert_element_type(wide, out.dtype)
    return root(out)


@implements(np.average)
def average(
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = False,
) -> Any:
    """As ``numpy.average``, on arrays and traced values; traced weights that sum to zero give
    inf and nan instead of an error.

    >>> average(np.array([1.0, 4.0]), weights=np.array([3.0, 1.0]))
    np.float64(1.75)
    """
    x = operand(a)
    if weights is None:
        out = mean(x, axis, keepdims=keepdims)
        total = structural.full_like(out, x.size / builtins.max(out.size, 1))
        return (out, total) if returned else out
    w = full_weights(operand(weights), x, axis)
    kinds = [x.dtype, w.dtype] + ([_FLOAT64] if x.dtype.kind in "biu" else [])
    dtype = np.result_type(*kinds)
    x, w = (arith.convert_element_type(v, dtype) for v in (x, w))
    total = sum(w, axis, dtype, keepdims=keepdims)
    if not isinstance(total, Tracer) and np.any(total == 0):
        raise ZeroDivisionError(located("Weights sum to zero, can't be normalized"))
    out = ufuncs.divide(sum(ufuncs.multiply(x, w), axis, keepdims=keepdims), total)
    if returned:
        return out, promotion.broadcast_to(total, out.shape)
    return out


def full_weights(w: Any, x: Any, axis: Any) -> Any:
    """Weights, given for all elements or for those along some axes, in the operand's shape."""
    if w.shape == x.shape:
        return w
    if axis is None:
        raise TypeError(located("Axis must be specified when shapes of a and weights differ."))
    axes = normal_axes(axis, x.ndim)
    if w.shape != tuple(x.shape[d] for d in axes):
        raise ValueError(
            located("Shape of weights must be consistent with shape of a along specified axis.")
        )
    w = structural.transpose(w, np.argsort(axes).tolist())
    return structural.broadcast_in_dim(w, x.shape, sorted(axes))


# --- places of extrema -------------------------------------------------------------------------


def _place(name: str, a: Any, axis: Any, keepdims: Any, find: Callable) -> Any:
    x = operand(a)
    if axis is None:
        axes: tuple[int, ...] = tuple(range(x.ndim))
        flat, at = structural.reshape(x, (x.size,)), 0
    else:
        axes = fold_axes(axis, x.ndim)
        at = axes[0] if axes else 0
        flat = x if x.ndim else structural.reshape(x, (1,))
    if not flat.shape[at]:
        raise ValueError(located(f"attempt to get {name} of an empty sequence"))
    return keeping(find(flat, at), x, axes, keepdims)


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """As ``numpy.argmax``, on arrays and traced values.

    >>> argmax(np.array([3, 9, 5]))
    np.int64(1)
    """
    return _place("argmax", a, axis, keepdims, lax_reductions.argmax)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """As ``numpy.argmin``, on arrays and traced values.

    >>> argmin(np.array([3, 9, 5]))
    np.int64(0)
    """
    return _place("argmin", a, axis, keepdims, lax_reductions.argmin)


# --- running sums and products -----------------------------------------------------------------


def _running(x: Any, axis: Any, dtype: Any, accumulate: Callable) -> Any:
    if axis is None:
        x, axis = structural.reshape(x, (x.size,)), 0
    if not x.ndim and axis in (0, -1):
        x = structural.reshape(x, (1,))
    axis = normal_axis(axis, x.ndim)
    dtype = check_dtype(dtype) if dtype is not None else wide(x.dtype)
    if dtype == _BOOL:  # asked for: running "or" and "and"
        bits = arith.convert_element_type(ufuncs.as_bool(x), np.int8)
        logical = cumulative.cummax if accumulate is cumulative.cumsum else cumulative.cummin
        return arith.convert_element_type(logical(bits, axis), _BOOL)
    return accumulate(arith.convert_element_type(x, dtype), axis)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """As ``numpy.cumsum``, on arrays and traced values.

    >>> cumsum(np.array([1, 2, 3]))
    array([1, 3, 6])
    """
    return _running(operand(a), axis, dtype, cumulative.cumsum)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """As ``numpy.cumprod``, on arrays and traced values; differentiable at zeros, too.

    >>> cumprod(np.array([1, 2, 3]))
    array([1, 2, 6])
    """
    return _running(operand(a), axis, dtype, cumulative.cumprod)


def _running_standard(
    x: Any, axis: Any, dtype: Any, include_initial: bool, accumulate: Callable, first: int
) -> Any:
    x = operand(x)
    if not x.ndim:
        x = structural.reshape(x, (1,))
    if axis is None:
        if x.ndim != 1:
            raise ValueError(
                located("For arrays which have more than one dimension ``axis`` is required.")
            )
        axis = 0
    axis = normal_axis(axis, x.ndim)
    out = _running(x, axis, dtype, accumulate)
    if include_initial:
        shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        return join([uniform(shape, out.dtype, first), out], axis)
    return out


def _cumulative_sum(
    x: Any, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """As ``numpy.cumulative_sum``, on arrays and traced values.

    >>> cumulative_sum(np.array([1, 2, 3]), include_initial=True)
    array([0, 1, 3, 6])
    """
    return _running_standard(x, axis, dtype, include_initial, cumulative.cumsum, 0)


def _cumulative_prod(
    x: Any, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """As ``numpy.cumulative_prod``, on arrays and traced values.

    >>> cumulative_prod(np.array([1, 2, 3]), include_initial=True)
    array([1, 1, 2, 6])
    """
    return _running_standard(x, axis, dtype, include_initial, cumulative.cumprod, 1)


def _newer(function: Callable) -> Callable:
    """Register a function under its name where this NumPy has one of that name."""
    function.__name__ = function.__qualname__ = function.__name__.removeprefix("_")
    original = getattr(np, function.__name__, None)
    return function if original is None else implements(original)(function)


cumulative_sum = _newer(_cumulative_sum)
cumulative_prod = _newer(_cumulative_prod)

# --- passing over NaN --------------------------------------------------------------------------


def not_nan(x: Any) -> Any:
    """Which elements are not NaN, None where none can be."""
    return arith.bitwise_not(arith.is_nan(x)) if is_inexact(x.dtype) else None


def _both(x: Any, where: Any) -> Any:
    """Which elements take part: those that are not NaN and that ``where=`` leaves in."""
    masks = [m for m in (not_nan(x), _mask(where, x)) if m is not None]
    if len(masks) == 2:
        return arith.bitwise_and(*masks)
    return masks[0] if masks else None


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """As ``numpy.nansum``, on arrays and traced values.

    >>> nansum(np.array([1.0, np.nan, 2.0]))
    np.float64(3.0)
    """
    x = operand(a)
    return sum(x, axis, dtype, keepdims=keepdims, initial=initial, where=_both(x, where))


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    """As ``numpy.nanprod``, on arrays and traced values.

    >>> nanprod(np.array([3.0, np.nan, 2.0]))
    np.float64(6.0)
    """
    x = operand(a)
    return prod(x, axis, dtype, keepdims=keepdims, initial=initial, where=_both(x, where))


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: Any = False, where: Any = None
) -> Any:
    """As ``numpy.nanmean``, on arrays and traced values.

    >>> nanmean(np.array([1.0, np.nan, 2.0]))
    np.float64(1.5)
    """
    x = operand(a)
    axes = fold_axes(axis, x.ndim)
    out = _mean(x, axes, mean_dtype(x, dtype), _both(x, where))
    return keeping(out, x, axes, keepdims)


def _nan_where_none(out: Any, x: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    """NaN where all elements are."""
    some = keeping(lax_reductions.reduce_or(not_nan(x), axes), x, axes, keepdims)
    return arith.select(some, out, structural.full_like(out, np.nan))


def _nan_extremum(
    a: Any, axis: Any, keepdims: Any, initial: Any, where: Any, find: Callable, worst: float
) -> Any:
    x = operand(a)
    if not is_inexact(x.dtype):
        return find(x, axis, keepdims=keepdims, initial=initial, where=where)
    axes = fold_axes(axis, x.ndim)
    out = find(_masked(x, not_nan(x), worst), axis, keepdims=keepdims, initial=initial, where=where)
    return out if is_given(initial) else _nan_where_none(out, x, axes, keepdims)


@implements(np.nanmax)
def nanmax(
    a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = None
) -> Any:
    """As ``numpy.nanmax``, on arrays and traced values.

    Elements that reach the maximum together share the derivative evenly.

    >>> nanmax(np.array([1.0, np.nan, 2.0]))
    np.float64(2.0)
    """
    return _nan_extremum(a, axis, keepdims, initial, where, max, -np.inf)


@implements(np.nanmin)
def nanmin(
    a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = None
) -> Any:
    """As ``numpy.nanmin``, on arrays and traced values.

    Elements that reach the minimum together share the derivative evenly.

    >>> nanmin(np.array([1.0, np.nan, 2.0]))
    np.float64(1.0)
    """
    return _nan_extremum(a, axis, keepdims, initial, where, min, np.inf)


def _nan_variance(
    a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, center: Any
) -> Any:
    x = operand(a)
    mask = not_nan(x)
    if mask is None:
        return _variance(x, axis, dtype, ddof, keepdims, where, center)
    # What takes no part must not be NaN either, lest the derivative of its square be.
    clean, axes = _masked(x, mask, 0), fold_axes(axis, x.ndim)
    out = _variance(clean, axis, dtype, ddof, keepdims, _both(x, where), center)
    count = keeping(_count(x, axes, _both(x, where), _FLOAT64), x, axes, keepdims)
    enough = arith.gt(count, structural.full_like(count, ddof))
    return arith.select(enough, out, structural.full_like(out, np.nan))


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: Any = 0,
    keepdims: Any = False,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As ``numpy.nanvar``, on arrays and traced values.

    >>> nanvar(np.array([1.0, np.nan, 3.0]))
    np.float64(1.0)
    """
    return _nan_variance(a, axis, dtype, _ddof(ddof, correction), keepdims, where, mean)


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: Any = 0,
    keepdims: Any = False,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    """As ``numpy.nanstd``, on arrays and traced values; the derivative is 0 where all elements
    are equal.

    >>> nanstd(np.array([1.0, np.nan, 3.0]))
    np.float64(1.0)
    """
    return root(_nan_variance(a, axis, dtype, _ddof(ddof, correction), keepdims, where, mean))


def _nan_place(a: Any, axis: Any, keepdims: Any, find: Callable, worst: float) -> Any:
    x = operand(a)
    return find(_masked(x, not_nan(x), worst), axis, keepdims=keepdims)


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """As ``numpy.nanargmax``, on arrays and traced values; for these 0 where all are NaN.

    >>> nanargmax(np.array([np.nan, 2.0, 1.0]))
    np.int64(1)
    """
    return _nan_place(a, axis, keepdims, argmax, -np.inf)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """As ``numpy.nanargmin``, on arrays and traced values; for these 0 where all are NaN.

    >>> nanargmin(np.array([np.nan, 2.0, 1.0]))
    np.int64(2)
    """
    return _nan_place(a, axis, keepdims, argmin, np.inf)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """As ``numpy.nancumsum``, on arrays and traced values.

    >>> nancumsum(np.array([1.0, np.nan, 2.0]))
    array([1., 1., 3.])
    """
    x = operand(a)
    return cumsum(_masked(x, not_nan(x), 0), axis, dtype)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """As ``numpy.nancumprod``, on arrays and traced values.

    >>> nancumprod(np.array([3.0, np.nan, 2.0]))
    array([3., 3., 6.])
    """
    x = operand(a)
    return cumprod(_masked(x, not_nan(x), 1), axis, dtype)


# --- differences -------------------------------------------------------------------------------


def _step(x: Any, axis: int) -> Any:
    size = x.shape[axis]
    later = slicing.slice_in_dim(x, builtins.min(1, size), size, 1, axis)
    earlier = slicing.slice_in_dim(x, 0, builtins.max(size - 1, 0), 1, axis)
    return (arith.ne if x.dtype == _BOOL else arith.sub)(later, earlier)


@implements(np.diff)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = _NO_VALUE, append: Any = _NO_VALUE
) -> Any:
    """As ``numpy.diff``, on arrays and traced values.

    >>> diff(np.array([1, 4, 9]))
    array([3, 5])
    """
    x = operand(a)
    if n == 0:
        return x
    if n < 0:
        raise ValueError(located(f"order must be non-negative but got {n}"))
    if not x.ndim:
        raise ValueError(located("diff requires input that is at least one dimensional"))
    axis = normal_axis(axis, x.ndim)
    ends = [operand(e) if e is not _NO_VALUE else None for e in (prepend, append)]
    if builtins.any(e is not None for e in ends):
        one = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        before, after = (e if e is None or e.ndim else promotion.broadcast_to(e, one) for e in ends)
        parts = [p for p in (before, x, after) if p is not None]
        dtype = np.result_type(*[p.dtype for p in parts])
        x = join([arith.convert_element_type(p, dtype) for p in parts], axis)
    for _ in range(n):
        x = _step(x, axis)
    return x


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """As ``numpy.ediff1d``, on arrays and traced values.

    >>> ediff1d(np.array([1, 4, 9]), to_begin=0)
    array([0, 3, 5])
    """
    x = operand(ary)
    x = structural.reshape(x, (x.size,))
    steps = ufuncs.subtract(x[1:], x[:-1])
    ends: list[list[Any]] = []
    for name, end in (("to_begin", to_begin), ("to_end", to_end)):
        if end is None:
            ends.append([])
            continue
        end = operand(end)
        if not np.can_cast(end.dtype, x.dtype, "same_kind"):
            raise TypeError(
                located(
                    f"dtype of `{name}` must be compatible with input `ary` under the "
                    "`same_kind` rule."
                )
            )
        ends.append([structural.reshape(arith.convert_element_type(end, x.dtype), (end.size,))])
    return join([*ends[0], steps, *ends[1]], 0)


# --- the methods of ufuncs ---------------------------------------------------------------------


def _logical_fold(reduce: Callable, combine: Callable, identity: bool) -> Callable:
    def function(
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = _NO_VALUE,
        where: Any = True,
    ) -> Any:
        x = ufuncs.as_bool(operand(a))
        out = _truth(x, axis, keepdims, where, reduce, identity)
        if is_given(initial):
            return combine(out, ufuncs.as_bool(operand(initial)))
        return out

    return function


def _bit_fold(reduce: Callable, combine: Callable, identity: int) -> Callable:
    def function(
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = _NO_VALUE,
        where: Any = True,
    ) -> Any:
        x = operand(a)
        if dtype is not None:
            x = arith.convert_element_type(x, check_dtype(dtype))
        axes = fold_axes(axis, x.ndim)
        fill = np.array(identity).astype(x.dtype)
        x = _masked(x, _mask(where, x), fill)
        out = keeping(reduce(x, axes), x, axes, keepdims)
        return combine(out, _scalar(initial, x.dtype)) if is_given(initial) else out

    return function


def _arithmetic_fold(rule: tuple) -> Callable:
    def function(
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = _NO_VALUE,
        where: Any = True,
    ) -> Any:
        return _fold(a, axis, dtype, keepdims, initial, where, *rule)

    return function


def _extremum_fold(name: str, rule: tuple) -> Callable:
    def function(
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = _NO_VALUE,
        where: Any = True,
    ) -> Any:
        x = operand(a)
        if dtype is not None:
            x = arith.convert_element_type(x, check_dtype(dtype))
        return _extremum(name, x, axis, keepdims, initial, where, *rule)

    return function


def _logaddexp_fold(
    a: Any,
    axis: Any = 0,
    dtype: Any = None,
    keepdims: Any = False,
    initial: Any = _NO_VALUE,
    where: Any = True,
) -> Any:
    x = operand(a)
    out_dtype = check_dtype(dtype) if dtype is not None else promotion.inexact_dtype(x.dtype)
    x = arith.convert_element_type(x, out_dtype)
    axes = fold_axes(axis, x.ndim)
    x = _masked(x, _mask(where, x), -np.inf)
    left = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    if not x.size:
        out: Any = uniform(left, x.dtype, -np.inf)
    else:
        top = lax_reductions.reduce_max(arith.stop_gradient(x), axes)
        finite = arith.is_finite(top)
        top = arith.select(finite, top, structural.zeros_like(top))
        shifted = (
            arith.sub(x, structural.undo_reduction(top, x.shape, axes))
            if axes
            else arith.sub(x, top)
        )
        total = structural.reduce_sum(elementary.exp(shifted), axes)
        none = arith.eq(total, structural.zeros_like(total))
        safe = arith.log(arith.select(none, structural.full_like(total, 1), total))
        out = arith.select(none, structural.full_like(total, -np.inf), arith.add(safe, top))
    out = keeping(out, x, axes, keepdims)
    if is_given(initial):
        return ufuncs.logaddexp(out, _scalar(initial, out_dtype))
    return out


_REDUCE: dict[np.ufunc, Callable] = {
    np.add: _arithmetic_fold(_SUM),
    np.multiply: _arithmetic_fold(_PROD),
    np.maximum: _extremum_fold("maximum", _MAX),
    np.minimum: _extremum_fold("minimum", _MIN),
    np.logical_and: _logical_fold(lax_reductions.reduce_and, arith.bitwise_and, True),
    np.logical_or: _logical_fold(lax_reductions.reduce_or, arith.bitwise_or, False),
    np.bitwise_and: _bit_fold(lax_reductions.reduce_and, arith.bitwise_and, -1),
    np.bitwise_or: _bit_fold(lax_reductions.reduce_or, arith.bitwise_or, 0),
    np.bitwise_xor: _bit_fold(lax_reductions.reduce_xor, arith.bitwise_xor, 0),
    np.logical_xor: _logical_fold(lax_reductions.reduce_xor, arith.bitwise_xor, False),
    np.logaddexp: _logaddexp_fold,
}


def _accumulation(accumulate: Callable, dtype_of: Callable[[np.dtype], np.dtype]) -> Callable:
    def function(array: Any, axis: int = 0, dtype: Any = None) -> Any:
        x = operand(array)
        if not x.ndim:
            raise TypeError(located("cannot accumulate on a scalar"))
        axis = normal_axis(axis, x.ndim)
        dtype = check_dtype(dtype) if dtype is not None else dtype_of(x.dtype)
        return accumulate(arith.convert_element_type(x, dtype), axis)

    return function


def _same(dtype: np.dtype) -> np.dtype:
    return dtype


_ACCUMULATE: dict[np.ufunc, Callable] = {
    np.add: _accumulation(cumulative.cumsum, wide),
    np.multiply: _accumulation(cumulative.cumprod, wide),
    np.maximum: _accumulation(cumulative.cummax, _same),
    np.minimum: _accumulation(cumulative.cummin, _same),
    np.logaddexp: _accumulation(cumulative.cumlogsumexp, promotion.inexact_dtype),
}


def _outer(function: Callable) -> Callable:
    def outer(a: Any, b: Any, /, dtype: Any = None) -> Any:
        if dtype is not None:
            a, b = (arith.convert_element_type(operand(x), check_dtype(dtype)) for x in (a, b))
        x, y = operand(a), operand(b)
        if x.ndim and y.ndim:
            x = structural.reshape(x, (*x.shape, *(1,) * y.ndim))
        return function(x, y)

    return outer


for _ufunc, _rule in _REDUCE.items():
    traced_methods[_ufunc, "reduce"] = _rule
for _ufunc, _rule in _ACCUMULATE.items():
    traced_methods[_ufunc, "accumulate"] = _rule
for _ufunc, _rule in list(traced.items()):
    if isinstance(_ufunc, np.ufunc) and _ufunc.nin == 2 and _ufunc.signature is None:
        traced_methods[_ufunc, "outer"] = _outer(_rule)
