"""Sums, products, extrema, means and variances, and the places of extrema."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import is_inexact
from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import elementary, structural
from ..lax import reductions as lax_reductions
from . import promotion, ufuncs
from .arguments import check_dtype, normal_axes, operand
from .dispatch import implements, traced

#: What NumPy passes for "not given".
NO_VALUE = np._NoValue
FLOAT64 = np.dtype(np.float64)
_FLOAT32 = np.dtype(np.float32)
_FLOAT16 = np.dtype(np.float16)
_INT64 = np.dtype(np.int64)
BOOL = np.dtype(np.bool_)

# --- arguments ---------------------------------------------------------------------------------


def is_given(x: Any) -> bool:
    """Whether an argument of NumPy's was given."""
    return x is not None and x is not NO_VALUE


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


def mask_of(where: Any, x: Any) -> Any:
    """``where=`` as bools of the operand's shape, None where all elements take part."""
    if not is_given(where) or where is True:
        return None
    mask = operand(where)
    if mask.dtype != BOOL:
        raise TypeError(located(f"where= must hold bools, not {mask.dtype}"))
    return promotion.broadcast_to(mask, x.shape)


def masked(x: Any, mask: Any, fill: Any) -> Any:
    """The array with one value where the mask is false."""
    if mask is None:
        return x
    return arith.select(mask, x, structural.full_like(x, fill))


def count_of(x: Any, axes: tuple[int, ...], mask: Any, dtype: np.dtype) -> Any:
    """How many elements are reduced to one, as a number or, with a mask, as an array."""
    if mask is None:
        return math.prod(x.shape[d] for d in axes)
    return structural.reduce_sum(arith.convert_element_type(mask, dtype), axes)


def scalar_of(value: Any, dtype: np.dtype) -> Any:
    """``initial=`` in the dtype of the result."""
    value = operand(value)
    if value.shape:
        raise ValueError(located("initial= must be a scalar"))
    return arith.convert_element_type(value, dtype)


# --- sums and products -------------------------------------------------------------------------


def folded(
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
    mask = mask_of(where, x)
    dtype = check_dtype(dtype) if dtype is not None else wide(x.dtype)
    if dtype == BOOL:  # asked for: NumPy then adds by "or" and multiplies by "and"
        x = ufuncs.as_bool(x)
        reduce, combine = logical
    x = masked(arith.convert_element_type(x, dtype), mask, identity)
    out = keeping(reduce(x, axes), x, axes, keepdims)
    return combine(out, scalar_of(initial, dtype)) if is_given(initial) else out


SUM = (structural.reduce_sum, arith.add, 0, (lax_reductions.reduce_or, arith.bitwise_or))
PROD = (lax_reductions.reduce_prod, arith.mul, 1, (lax_reductions.reduce_and, arith.bitwise_and))


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
    return folded(a, axis, dtype, keepdims, initial, where, *SUM)


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
    return folded(a, axis, dtype, keepdims, initial, where, *PROD)


# --- extrema -----------------------------------------------------------------------------------


def extremum_of(
    name: str,
    a: Any,
    axis: Any,
    keepdims: Any,
    initial: Any,
    where: Any,
    reduce: Callable,
    combine: Callable,
) -> Any:
    """The least or greatest element."""
    x = operand(a)
    axes = fold_axes(axis, x.ndim)
    mask = mask_of(where, x)
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
    first = scalar_of(initial, x.dtype)
    if mask is not None:
        x = arith.select(mask, x, structural.broadcast_in_dim(first, x.shape, ()))
    if not math.prod(x.shape[d] for d in axes):
        left = tuple(n for d, n in enumerate(x.shape) if d not in axes)
        out = structural.broadcast_in_dim(first, left, ())
    else:
        out = combine(reduce(x, axes), first)
    return keeping(out, x, axes, keepdims)


MAX = (lax_reductions.reduce_max, arith.max)
MIN = (lax_reductions.reduce_min, arith.min)


@implements(np.max)
def max(  # noqa: A001  NumPy's name
    a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = None
) -> Any:
    """As ``numpy.max``, on arrays and traced values.

    Elements that reach the maximum together share the derivative evenly.

    >>> max(np.array([[1, 5], [7, 2]]), axis=1)
    array([5, 7])
    """
    return extremum_of("maximum", a, axis, keepdims, initial, where, *MAX)


@implements(np.min)
def min(  # noqa: A001  NumPy's name
    a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = None
) -> Any:
    """As ``numpy.min``, on arrays and traced values.

    Elements that reach the minimum together share the derivative evenly.

    >>> min(np.array([[1, 5], [7, 2]]), axis=1)
    array([1, 2])
    """
    return extremum_of("minimum", a, axis, keepdims, initial, where, *MIN)


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


def truth_of(a: Any, axis: Any, keepdims: Any, where: Any, reduce: Callable, identity: bool) -> Any:
    """Whether any or all elements are True."""
    x = ufuncs.as_bool(operand(a))
    axes = fold_axes(axis, x.ndim)
    x = masked(x, mask_of(where, x), identity)
    return keeping(reduce(x, axes), x, axes, keepdims)


@implements(np.any)
def any(  # noqa: A001  NumPy's name
    a: Any, axis: Any = None, *, keepdims: Any = False, where: Any = None
) -> Any:
    """As ``numpy.any``, on arrays and traced values.

    >>> any(np.array([[True, False], [False, False]]), axis=1)
    array([ True, False])
    """
    return truth_of(a, axis, keepdims, where, lax_reductions.reduce_or, False)


@implements(np.all)
def all(  # noqa: A001  NumPy's name
    a: Any, axis: Any = None, *, keepdims: Any = False, where: Any = None
) -> Any:
    """As ``numpy.all``, on arrays and traced values.

    >>> all(np.array([[True, False], [True, True]]), axis=1)
    array([False,  True])
    """
    return truth_of(a, axis, keepdims, where, lax_reductions.reduce_and, True)


# --- means and variances -----------------------------------------------------------------------


def _over(total: Any, count: Any) -> Any:
    """A sum divided by a count (a number, or an array of its shape), in the sum's dtype."""
    dtype = total.dtype
    if not is_inexact(dtype):  # a dtype that was asked for
        return arith.convert_element_type(
            _over(arith.convert_element_type(total, FLOAT64), count), dtype
        )
    if isinstance(count, int | float):
        count = dtype.type(count)
    return arith.div(total, arith.convert_element_type(count, dtype))


def mean_over(x: Any, axes: tuple[int, ...], dtype: np.dtype, mask: Any) -> Any:
    """The mean over some axes, of the elements under a mask if there is one."""
    values = masked(arith.convert_element_type(x, dtype), mask, 0)
    return _over(structural.reduce_sum(values, axes), count_of(x, axes, mask, _float_of(dtype)))


def _float_of(dtype: np.dtype) -> np.dtype:
    """The dtype in which elements are counted, for a division of this dtype."""
    return dtype if is_inexact(dtype) else FLOAT64


def mean_dtype(x: Any, dtype: Any) -> np.dtype:
    if dtype is not None:
        return check_dtype(dtype)
    return x.dtype if is_inexact(x.dtype) else FLOAT64


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
    out = mean_over(x, axes, _FLOAT32 if half else out_dtype, mask_of(where, x))
    return keeping(arith.convert_element_type(out, out_dtype), x, axes, keepdims)


def ddof_of(ddof: Any, correction: Any) -> Any:
    """How many degrees of freedom are missing, by either of the names for it."""
    if not is_given(correction):
        return ddof
    if ddof != 0:
        raise ValueError(located("ddof and correction can't be provided simultaneously."))
    return correction


def variance_over(
    a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, center: Any
) -> Any:
    """The variance, around a given center if there is one."""
    x = operand(a)
    axes = all_axes(axis, x.ndim)
    mask = mask_of(where, x)
    asked, dtype = dtype, mean_dtype(x, dtype)
    if not is_given(center):
        center = keeping(mean_over(x, axes, dtype, mask), x, axes, True)
    apart = ufuncs.subtract(x, center)
    if apart.dtype.kind == "c":
        real, imag = arith.real(apart), arith.imag(apart)
        squares = arith.add(elementary.square(real), elementary.square(imag))
        dtype = squares.dtype if asked is None else dtype
    else:
        squares = elementary.square(apart)
    squares = masked(arith.convert_element_type(squares, dtype), mask, 0)
    total = structural.reduce_sum(squares, axes)
    count = count_of(x, axes, mask, _float_of(dtype))
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
    return variance_over(a, axis, dtype, ddof_of(ddof, correction), keepdims, where, mean)


def root(x: Any, function: Callable = elementary.sqrt) -> Any:
    """The square root, or another one, with derivative 0 at 0."""
    zero = arith.eq(x, structural.zeros_like(x))
    safe = function(arith.select(zero, structural.full_like(x, 1), x))
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
    out = variance_over(a, axis, dtype, ddof_of(ddof, correction), keepdims, where, mean)
    if not is_inexact(out.dtype):
        wide = root(arith.convert_element_type(out, FLOAT64))
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
    kinds = [x.dtype, w.dtype] + ([FLOAT64] if x.dtype.kind in "biu" else [])
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
