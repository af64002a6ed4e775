"""Reductions that pass over NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import is_inexact
from ..lax import arithmetic as arith
from ..lax import reductions as lax_reductions
from ..lax import structural
from . import reductions
from .arguments import operand
from .dispatch import implements
from .reductions import (
    FLOAT64,
    argmax,
    argmin,
    count_of,
    ddof_of,
    fold_axes,
    is_given,
    keeping,
    mask_of,
    masked,
    mean_dtype,
    mean_over,
    prod,
    root,
    variance_over,
)
from .running import cumprod, cumsum


def not_nan(x: Any) -> Any:
    """Which elements are not NaN, None where none can be."""
    return arith.bitwise_not(arith.is_nan(x)) if is_inexact(x.dtype) else None


def _both(x: Any, where: Any) -> Any:
    """Which elements take part: those that are not NaN and that ``where=`` leaves in."""
    masks = [m for m in (not_nan(x), mask_of(where, x)) if m is not None]
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
    return reductions.sum(x, axis, dtype, keepdims=keepdims, initial=initial, where=_both(x, where))


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
    out = mean_over(x, axes, mean_dtype(x, dtype), _both(x, where))
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
    out = find(masked(x, not_nan(x), worst), axis, keepdims=keepdims, initial=initial, where=where)
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
    return _nan_extremum(a, axis, keepdims, initial, where, reductions.max, -np.inf)


@implements(np.nanmin)
def nanmin(
    a: Any, axis: Any = None, *, keepdims: Any = False, initial: Any = None, where: Any = None
) -> Any:
    """As ``numpy.nanmin``, on arrays and traced values.

    Elements that reach the minimum together share the derivative evenly.

    >>> nanmin(np.array([1.0, np.nan, 2.0]))
    np.float64(1.0)
    """
    return _nan_extremum(a, axis, keepdims, initial, where, reductions.min, np.inf)


def _nan_variance(
    a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, center: Any
) -> Any:
    x = operand(a)
    mask = not_nan(x)
    if mask is None:
        return variance_over(x, axis, dtype, ddof, keepdims, where, center)
    # What takes no part must not be NaN either, lest the derivative of its square be.
    clean, axes = masked(x, mask, 0), fold_axes(axis, x.ndim)
    out = variance_over(clean, axis, dtype, ddof, keepdims, _both(x, where), center)
    count = keeping(count_of(x, axes, _both(x, where), FLOAT64), x, axes, keepdims)
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
    return _nan_variance(a, axis, dtype, ddof_of(ddof, correction), keepdims, where, mean)


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
    return root(_nan_variance(a, axis, dtype, ddof_of(ddof, correction), keepdims, where, mean))


def _nan_place(a: Any, axis: Any, keepdims: Any, find: Callable, worst: float) -> Any:
    x = operand(a)
    return find(masked(x, not_nan(x), worst), axis, keepdims=keepdims)


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """As ``numpy.nanargmax``, on arrays and traced values; 0 of traced ones that are all NaN.

    >>> nanargmax(np.array([np.nan, 2.0, 1.0]))
    np.int64(1)
    """
    return _nan_place(a, axis, keepdims, argmax, -np.inf)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """As ``numpy.nanargmin``, on arrays and traced values; 0 of traced ones that are all NaN.

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
    return cumsum(masked(x, not_nan(x), 0), axis, dtype)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    """As ``numpy.nancumprod``, on arrays and traced values.

    >>> nancumprod(np.array([3.0, np.nan, 2.0]))
    array([3., 3., 6.])
    """
    x = operand(a)
    return cumprod(masked(x, not_nan(x), 1), axis, dtype)
