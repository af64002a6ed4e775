"""Medians, quantiles and percentiles, with weights, and those that pass over NaN."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import is_inexact, uniform
from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import slicing, structural
from ..lax.cumulative import cumsum
from ..lax.indexing import gather
from ..lax.sorting import sort
from . import promotion, reductions, ufuncs
from .arguments import operand
from .dispatch import implements
from .manipulation import moveaxis
from .nan_reductions import not_nan
from .picking import take_along_axis
from .reductions import all_axes, full_weights, is_given, mean, mean_dtype

_FLOAT64 = np.dtype(np.float64)
_INT64 = np.dtype(np.int64)


def _rows_last(x: Any, axes: tuple[int, ...]) -> Any:
    """An array with the reduced axes made one, the last."""
    kept = [d for d in range(x.ndim) if d not in axes]
    moved = structural.transpose(x, (*kept, *axes))
    shape = (*(x.shape[d] for d in kept), math.prod(x.shape[d] for d in axes))
    return structural.reshape(moved, shape)


def _sorted_last(a: Any, axis: Any) -> tuple[Any, Any, tuple[int, ...]]:
    """The operand, the same sorted with the reduced axes made one, the last; and the axes."""
    x = operand(a)
    axes = all_axes(axis, x.ndim)
    return x, sort(_rows_last(x, axes), -1, False), axes


def _nan_wins(out: Any, ordered: Any) -> Any:
    """An order statistic, NaN where the largest element, the last, is."""
    if not is_inexact(ordered.dtype):
        return out
    last = slicing.index_in_dim(ordered, -1, ordered.ndim - 1, False)
    bad = arith.is_nan(last)
    if out.shape != bad.shape:
        bad = promotion.broadcast_to(bad, out.shape)
    return arith.select(bad, structural.full_like(out, np.nan), out)


@implements(np.median)
def median(
    a: Any, axis: Any = None, *, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    """As ``numpy.median``, on arrays and traced values.

    The one or two elements in the middle get the derivative, in halves if they are two.

    >>> median(np.array([3.0, 1.0, 2.0]))
    np.float64(2.0)
    """
    x, ordered, axes = _sorted_last(a, axis)
    count = ordered.shape[-1]
    dtype = mean_dtype(x, None)
    if not count:
        out: Any = uniform(ordered.shape[:-1], dtype, np.nan)
        return reductions.keeping(out, x, axes, keepdims)
    low, high = (count - 1) // 2, count // 2
    middle = slicing.slice_in_dim(ordered, low, high + 1, 1, ordered.ndim - 1)
    out = _nan_wins(mean(middle, -1), ordered)
    return reductions.keeping(out, x, axes, keepdims)


@implements(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, *, overwrite_input: bool = False, keepdims: Any = False
) -> Any:
    """As ``numpy.nanmedian``, on arrays and traced values; NaN where all elements are.

    >>> nanmedian(np.array([3.0, np.nan, 1.0]))
    np.float64(2.0)
    """
    x, ordered, axes = _sorted_last(a, axis)
    count = _not_nan_counts(ordered)
    if count is None or not ordered.shape[-1]:
        return median(a, axis, keepdims=keepdims)
    middle = [
        _at_places(ordered, ufuncs.maximum(ufuncs.floor_divide(ufuncs.subtract(count, d), 2), 0))
        for d in (1, 0)
    ]
    out = mean(np.stack(middle), 0)
    none = arith.eq(count, structural.zeros_like(count))
    out = arith.select(none, structural.full_like(out, np.nan), out)
    return reductions.keeping(out, x, axes, keepdims)


def _not_nan_counts(ordered: Any) -> Any:
    """How many elements of each row are not NaN, None where none can be."""
    mask = not_nan(ordered)
    if mask is None:
        return None
    return structural.reduce_sum(arith.convert_element_type(mask, _INT64), (ordered.ndim - 1,))


def _at_places(rows: Any, places: Any) -> Any:
    """The element of each row at a place of its own; of leading dimensions of the places, which
    the rows do not have, each is a further question."""
    lead = places.ndim - (rows.ndim - 1)
    many = math.prod(places.shape[:lead])
    flat = structural.reshape(places, (many, *places.shape[lead:]))
    found = take_along_axis(rows, moveaxis(flat, 0, -1), -1)
    return structural.reshape(moveaxis(found, -1, 0), places.shape)


def _continuous(alpha: float, beta: float) -> Callable:
    def place(n: Any, q: Any) -> Any:
        shift = ufuncs.multiply(q, 1 - alpha - beta)
        return ufuncs.subtract(ufuncs.add(ufuncs.multiply(q, n), ufuncs.add(alpha, shift)), 1)

    return place


def _linear_place(n: Any, q: Any) -> Any:
    return ufuncs.multiply(q, ufuncs.subtract(n, 1))


def _closest_place(n: Any, q: Any) -> Any:
    """The closest observation; halfway between two the one of even order (Hyndman and Fan 1996,
    definition 3), which counted from 0 is odd."""
    exact = ufuncs.subtract(ufuncs.multiply(q, n), 1.5)
    below = ufuncs.floor(exact)
    stays = ufuncs.logical_and(
        ufuncs.equal(exact, below), ufuncs.equal(ufuncs.remainder(below, 2), 1)
    )
    return ufuncs.where(stays, below, ufuncs.add(below, 1))


def _as_it_is(gamma: Any) -> Any:
    return gamma


def _where_exact(exact: float, otherwise: float) -> Callable:
    """A weight that depends on whether the place falls on an element."""

    def weight(gamma: Any) -> Any:
        dtype = gamma.dtype.type
        return ufuncs.where(ufuncs.equal(gamma, 0), dtype(exact), dtype(otherwise))

    return weight


def _empirical_place(n: Any, q: Any) -> Any:
    return ufuncs.subtract(ufuncs.multiply(q, n), 1)


#: For each of NumPy's methods: where the quantile is among n sorted elements, and what makes the
#: weight of the upper neighbour of the fraction of that.
_METHODS: dict[str, tuple[Callable, Callable]] = {
    "linear": (_linear_place, _as_it_is),
    "lower": (_linear_place, _where_exact(0, 0)),
    "higher": (_linear_place, _where_exact(0, 1)),
    "midpoint": (_linear_place, _where_exact(0, 0.5)),
    "nearest": (lambda n, q: ufuncs.rint(_linear_place(n, q)), _as_it_is),
    "closest_observation": (_closest_place, _as_it_is),
    "inverted_cdf": (_empirical_place, _where_exact(0, 1)),
    "averaged_inverted_cdf": (_empirical_place, _where_exact(0.5, 1)),
    "interpolated_inverted_cdf": (_continuous(0, 1), _as_it_is),
    "hazen": (_continuous(0.5, 0.5), _as_it_is),
    "weibull": (_continuous(0, 0), _as_it_is),
    "median_unbiased": (_continuous(1 / 3, 1 / 3), _as_it_is),
    "normal_unbiased": (_continuous(3 / 8, 3 / 8), _as_it_is),
}
#: Those that give an element itself, in its dtype.
_PICKING = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")


def _quantiles_asked(q: Any, scale: float) -> Any:
    """The quantiles as an array of fractions, checked where they are known."""
    q = operand(q)
    q = ufuncs.divide(q, scale) if scale != 1 or q.dtype.kind in "biu" else q
    if not isinstance(q, Tracer) and not np.all((q >= 0) & (q <= 1)):
        what = "Quantiles must be in the range [0, 1]"
        raise ValueError(
            located(what if scale == 1 else "Percentiles must be in the range [0, 100]")
        )
    return q


def _quantile(
    a: Any,
    q: Any,
    scale: float,
    axis: Any,
    method: str,
    keepdims: Any,
    weights: Any,
    over_nan: bool = False,
) -> Any:
    if method not in _METHODS:
        raise ValueError(located(f"{method!r} is not a valid method. Use one of: {[*_METHODS]}"))
    x = operand(a)
    if x.dtype.kind == "c":
        raise TypeError(located("a must be an array of real numbers"))
    weak = type(q) in (int, float) or (isinstance(q, Tracer) and q.aval.weak_type)
    # Of integer quantiles there are two, the smallest and the largest element.
    whole = scale == 1 and operand(q).dtype.kind in "biu" and method == "linear"
    q = _quantiles_asked(q, scale)
    axes = all_axes(axis, x.ndim)
    if weights is not None:
        out = _weighted(x, q, axis, axes, method, weights, over_nan)
    else:
        ordered = sort(_rows_last(x, axes), -1, False)
        if not ordered.shape[-1] and over_nan:
            return nanmedian(a, axis, keepdims=keepdims)  # NumPy's answer, whatever the quantiles
        else:
            out = _of_sorted(ordered, q, method, weak, whole, over_nan)
    if not is_given(keepdims) or not keepdims:
        return out
    ones = tuple(1 if d in axes else size for d, size in enumerate(x.shape))
    return structural.reshape(out, (*q.shape, *ones))


def _of_sorted(ordered: Any, q: Any, method: str, weak: bool, whole: bool, over_nan: bool) -> Any:
    """The quantiles of sorted rows."""
    n: Any = ordered.shape[-1]
    if not n:
        raise IndexError(located("cannot take a quantile of no elements"))
    counts = _not_nan_counts(ordered) if over_nan else None
    if counts is not None:
        n, q = counts, structural.reshape(q, (*q.shape, *(1,) * counts.ndim))
    place, weight = _METHODS[method]
    exact = place(arith.convert_element_type(n, q.dtype) if counts is not None else n, q)
    below = ufuncs.floor(exact)
    gamma = weight(ufuncs.subtract(exact, below))
    # Past either end both neighbours are the element there.
    last = ufuncs.maximum(ufuncs.subtract(n, 1), 0)
    low, high = (
        ufuncs.clip(arith.convert_element_type(i, _INT64), 0, last)
        for i in (ufuncs.maximum(below, -1.0), ufuncs.add(ufuncs.maximum(below, -1.0), 1))
    )
    if counts is not None:
        lower, upper = (_at_places(ordered, i) for i in (low, high))
        gamma = promotion.broadcast_to(gamma, lower.shape)
    else:
        lower, upper = (gather(ordered, [i], (ordered.ndim - 1,)) for i in (low, high))
        gamma = structural.broadcast_in_dim(gamma, lower.shape, range(gamma.ndim))
    if method in _PICKING or whole:  # no interpolation
        out = arith.select(arith.eq(gamma, structural.zeros_like(gamma)), lower, upper)
    else:
        if ordered.dtype.kind == "b":
            ufuncs.subtract(upper, lower)  # which says that this is no arithmetic
        # A Python scalar has no say in the dtype.
        dtype = np.result_type(ordered.dtype, 0.0 if weak else q.dtype)
        out = _between(*(arith.convert_element_type(v, dtype) for v in (lower, upper, gamma)))
    if counts is None:
        return _nan_wins(out, ordered)
    none = promotion.broadcast_to(ufuncs.equal(counts, 0), out.shape)
    return arith.select(none, structural.full_like(out, np.nan), out)


def _between(low: Any, high: Any, t: Any) -> Any:
    """NumPy's interpolation, which is exact at both ends."""
    apart = arith.sub(high, low)
    one = structural.full_like(t, 1)
    from_low = arith.add(low, arith.mul(apart, t))
    from_high = arith.sub(high, arith.mul(apart, arith.sub(one, t)))
    return arith.select(arith.ge(t, structural.full_like(t, 0.5)), from_high, from_low)


def _weighted(
    x: Any, q: Any, axis: Any, axes: tuple[int, ...], method: str, weights: Any, over_nan: bool
) -> Any:
    """The first element at which the running share of the weights reaches each quantile."""
    if method != "inverted_cdf":
        raise ValueError(located(f"Only method 'inverted_cdf' supports weights. Got: {method}."))
    w = operand(weights)
    if not isinstance(w, Tracer) and np.any(w < 0):
        raise ValueError(located("Weights must be non-negative."))
    w = _rows_last(full_weights(w, x, axis), axes)
    rows = _rows_last(x, axes)
    if not rows.shape[-1]:
        raise IndexError(located("cannot take a quantile of no elements"))
    w = arith.stop_gradient(arith.convert_element_type(w, _FLOAT64))
    mask = not_nan(rows) if over_nan else None
    if mask is not None:
        w = arith.select(mask, w, structural.zeros_like(w))
    ordered, w = sort((rows, w), rows.ndim - 1, True)
    share = cumsum(w, w.ndim - 1)
    share = ufuncs.divide(share, slicing.slice_in_dim(share, -1, w.shape[-1], 1, w.ndim - 1))
    if q.dtype.kind == "f":
        share = arith.convert_element_type(share, q.dtype)
    # What has no weight is not picked, not even for the quantile 0.
    share = arith.select(
        arith.eq(share, structural.zeros_like(share)), structural.full_like(share, -1), share
    )
    goal = arith.stop_gradient(structural.reshape(q, (*q.shape, *(1,) * share.ndim)))
    before = arith.convert_element_type(ufuncs.less(share, goal), _INT64)
    place = structural.reduce_sum(before, (before.ndim - 1,))
    last = _INT64.type(w.shape[-1] - 1)
    if mask is not None:
        last = ufuncs.maximum(ufuncs.subtract(_not_nan_counts(ordered), 1), 0)
    out = _at_places(ordered, ufuncs.minimum(place, last))
    return out if over_nan else _nan_wins(out, ordered)


_ARGUMENTS = """
    Differentiable in the array and the quantiles, of the methods that interpolate.

    Args:
      q: may be traced; then it is not checked to be in range, but limited to it.
      method: any of NumPy's.
      weights: with the method ``"inverted_cdf"``, as in NumPy.
    """


def _family(numpy_function: Callable, scale: float, over_nan: bool, example: str) -> Callable:
    def function(
        a: Any,
        q: Any,
        axis: Any = None,
        *,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        weights: Any = None,
    ) -> Any:
        return _quantile(a, q, scale, axis, method, keepdims, weights, over_nan)

    name = numpy_function.__name__
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"As ``numpy.{name}``, on arrays and traced values.\n{_ARGUMENTS}\n    {example}\n    "
    )
    return implements(numpy_function)(function)


quantile = _family(
    np.quantile, 1, False, ">>> quantile(np.array([3.0, 1.0]), 0.5)\n    np.float64(2.0)"
)
percentile = _family(
    np.percentile, 100, False, ">>> percentile(np.array([3.0, 1.0]), 50)\n    np.float64(2.0)"
)
nanquantile = _family(
    np.nanquantile, 1, True, ">>> nanquantile(np.array([3.0, np.nan]), 0.5)\n    np.float64(3.0)"
)
nanpercentile = _family(
    np.nanpercentile,
    100,
    True,
    ">>> nanpercentile(np.array([3.0, np.nan]), 50)\n    np.float64(3.0)",
)
