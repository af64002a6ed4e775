"""Counts of elements: by value, by bin."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import is_inexact, uniform
from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax.indexing import INDEX, scatter_add
from ..lax.structural import array, reduce_sum, reshape
from . import ufuncs
from .arguments import operand, unsupported
from .asking import type_like
from .creation import linspace
from .dispatch import implements
from .picking import searchsorted
from .positions import known_count
from .promotion import to_dtype
from .quantiles import percentile
from .reductions import max as largest
from .reductions import mean, std
from .reductions import min as smallest
from .running import diff


@implements(np.bincount, extra=("length",))
def bincount(
    x: Any, /, weights: Any = None, minlength: Any = 0, *, length: int | None = None
) -> Any:
    """As ``numpy.bincount``, on arrays and traced values; the largest element, which decides the
    shape, is asked for, and whether there are negative ones. Not so with ``length``, which is that
    of the result: larger elements are not counted then, negative ones as 0.

    >>> bincount(np.array([0, 1, 1, 9]), length=3)
    array([1, 2, 0])
    """
    x = array(operand(x))
    if x.ndim != 1:
        raise ValueError(located("object too deep for desired array" if x.ndim else _SHALLOW))
    if x.dtype.kind not in "biu" or x.dtype == np.uint64:
        raise TypeError(
            located(f"Cannot cast array data from {x.dtype!r} to dtype('int64') safely")
        )
    least = operator.index(minlength)
    if least < 0:
        raise ValueError(located("'minlength' must not be negative"))
    x = arith.convert_element_type(x, INDEX)
    if length is not None:
        x, size, least = ufuncs.maximum(x, 0), operator.index(length), 0
    elif x.size and known_count(smallest(x), "np.bincount") < 0:
        raise ValueError(located("'list' argument must have no negative elements"))
    else:
        size = known_count(largest(x), "np.bincount") + 1 if x.size else 0
    if weights is None:
        amounts: Any = np.ones(x.shape, INDEX)
    else:
        amounts = to_dtype(operand(weights), np.dtype(np.float64))
        if amounts.shape != x.shape:
            raise ValueError(located("The weights and list don't have the same length."))
    start = uniform((max(size, least),), amounts.dtype)
    return scatter_add(start, [x], amounts, (0,), mode="raise" if length is None else "drop")


_SHALLOW = "object of too small depth for desired array"


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """As ``numpy.digitize``, on real arrays and traced values; of traced bins it is asked whether
    they increase or decrease, by their ends.

    >>> digitize(np.array([0.5, 2.5]), np.array([0.0, 1.0, 2.0]))
    array([1, 3])
    """
    x, bins = operand(x), array(operand(bins))
    if x.dtype.kind == "c":
        raise TypeError(located("x may not be complex"))
    if bins.ndim != 1:
        raise ValueError(located("object of too small depth for desired array"))
    rises = not bins.size or bool(bins[0] <= bins[-1])
    if not bool(np.all(diff(bins) >= 0 if rises else diff(bins) <= 0)):
        raise ValueError(located("bins must be monotonically increasing or decreasing"))
    side = "left" if right else "right"
    if rises:
        return searchsorted(bins, x, side)
    return arith.sub(INDEX.type(bins.shape[0]), searchsorted(bins[::-1], x, side))


def _spread(a: Any) -> Any:
    return ufuncs.subtract(largest(a), smallest(a))


def _scott(a: Any) -> Any:
    return (24.0 * math.pi**0.5 / a.size) ** (1.0 / 3.0) * std(a)


def _doane(a: Any) -> Any:
    if a.size <= 2:
        return np.float64(0.0)
    deviation = std(a)
    safe = ufuncs.where(ufuncs.greater(deviation, 0), deviation, 1.0)
    skewness = ufuncs.absolute(mean(((a - mean(a)) / safe) ** 3))
    error = math.sqrt(6.0 * (a.size - 2) / ((a.size + 1.0) * (a.size + 3)))
    width = _spread(a) / (1.0 + math.log2(a.size) + ufuncs.log2(1.0 + skewness / error))
    return ufuncs.where(ufuncs.greater(deviation, 0), width, 0.0)


def _freedman_diaconis(a: Any) -> Any:
    high, low = percentile(a, 75), percentile(a, 25)
    return 2.0 * (high - low) * a.size ** (-1.0 / 3.0)


def _auto(a: Any) -> Any:
    robust = ufuncs.maximum(_freedman_diaconis(a), _WIDTHS["sqrt"](a) / 2)
    return ufuncs.minimum(robust, _WIDTHS["sturges"](a))


#: How wide the bins are to be, by the names that NumPy has for the rules.
_WIDTHS: dict[str, Callable] = {
    "auto": _auto,
    "doane": _doane,
    "fd": _freedman_diaconis,
    "rice": lambda a: _spread(a) / (2.0 * a.size ** (1.0 / 3)),
    "scott": _scott,
    "sqrt": lambda a: _spread(a) / math.sqrt(a.size),
    "sturges": lambda a: _spread(a) / (math.log2(a.size) + 1.0),
}


def _estimated(a: Any, rule: str, ends: Any, weights: Any) -> int:
    """The number of bins of a rule, which is asked for."""
    if rule == "stone":
        raise unsupported("histogram", f"bins={rule!r}", "What to do: give a number of bins.")
    if rule not in _WIDTHS:
        raise ValueError(located(f"{rule!r} is not a valid estimator for `bins`"))
    if weights is not None:
        raise TypeError(
            located("Automated estimation of the number of bins is not supported for weighted data")
        )
    first, last = _ends(a, ends)
    if ends is not None:
        a = a[ufuncs.logical_and(ufuncs.greater_equal(a, first), ufuncs.less_equal(a, last))]
    if not a.size:
        return 1
    width = arith.stop_gradient(_WIDTHS[rule](a))
    if a.dtype.kind in "iu":
        width = ufuncs.maximum(width, 1.0)
    count = ufuncs.ceil((last - first) / ufuncs.where(ufuncs.greater(width, 0), width, np.inf))
    count = arith.convert_element_type(array(ufuncs.maximum(count, 1.0)), INDEX)
    return known_count(count, "np.histogram")


def _ends(a: Any, ends: Any) -> tuple[Any, Any]:
    """Where the first bin begins and the last one ends."""
    if ends is not None:
        first, last = ends
    elif not a.size:
        first, last = 0.0, 1.0
    else:
        first, last = smallest(a), largest(a)
    if bool(first > last):
        raise ValueError(located("max must be larger than min in range parameter."))
    if bool(first == last):
        first, last = first - 0.5, last + 0.5
    return first, last


def _edges(a: Any, bins: Any, ends: Any, weights: Any = None) -> Any:
    """The edges of a histogram's bins."""
    if isinstance(bins, str):
        bins = _estimated(a, bins, ends, weights)
    if np.ndim(bins) == 1:
        edges = array(operand(bins))
        if not bool(np.all(diff(edges) >= 0)):
            raise ValueError(located("`bins` must increase monotonically, when an array"))
        return edges
    if np.ndim(bins):
        raise ValueError(located("`bins` must be 1d, when an array"))
    count = operator.index(bins)
    if count < 1:
        raise ValueError(located("`bins` must be positive, when an integer"))
    first, last = _ends(a, ends)
    dtype = np.result_type(a.dtype, *map(type_like, (first, last)))
    dtype = dtype if is_inexact(dtype) else np.dtype(np.float64)
    return linspace(first, last, count + 1, dtype=dtype)


@implements(np.histogram_bin_edges)
def histogram_bin_edges(
    a: Any,
    bins: Any = 10,
    range: Any = None,  # noqa: A002  NumPy's name
    weights: Any = None,
) -> Any:
    """As ``numpy.histogram_bin_edges``, on real arrays and traced values; of a rule such as
    ``"auto"`` the number of bins is asked for.

    >>> histogram_bin_edges(np.array([0.0, 1.0, 4.0]), bins=2)
    array([0., 2., 4.])
    """
    a = array(operand(a))
    return _edges(reshape(a, (a.size,)), bins, range, weights)


def _are_several(bins: Any) -> bool:
    """Whether bins are given for each dimension, or edges, and not one number."""
    return isinstance(bins, list | tuple) or np.ndim(bins) > 0


def _places(edges: Any, a: Any, outside: Any) -> Any:
    """The bin of each number; the last bin has both of its ends, and NaN is in none."""
    n = edges.shape[0] - 1
    place = arith.sub(array(searchsorted(edges, a, "right")), INDEX.type(1))
    place = np.where(a == edges[-1], n - 1, place)
    return np.where((place < 0) | (a > edges[-1]) | (a != a), outside, place)


@implements(np.histogramdd)
def histogramdd(
    sample: Any,
    bins: Any = 10,
    range: Any = None,  # noqa: A002  NumPy's name
    density: Any = None,
    weights: Any = None,
) -> tuple[Any, Any]:
    """As ``numpy.histogramdd``, on real arrays and traced values. The derivative goes to the
    weights, and to the edges.

    >>> counts, edges = histogramdd(np.array([[0.0, 1.0], [2.0, 3.0]]), bins=2)
    >>> counts
    array([[1., 0.],
           [0., 1.]])
    """
    if isinstance(sample, list | tuple):
        columns = [reshape(x, (x.size,)) for x in map(array, map(operand, sample))]
    else:
        x = array(operand(sample))
        if x.ndim > 2:
            raise ValueError(located("too many values to unpack (expected 2)"))
        x = x if x.ndim == 2 else reshape(x, (x.size, 1))
        columns = [x[:, k] for k in np.arange(x.shape[1])]
    count = len(columns)
    bins = list(bins) if _are_several(bins) else [bins] * count
    if len(bins) != count:
        raise ValueError(
            located("The dimension of bins must be equal to the dimension of the sample x.")
        )
    ends = [None] * count if range is None else list(range)
    if len(ends) != count:
        raise ValueError(located("range argument must have one entry per dimension"))
    edges = [_edges(x, b, r) for x, b, r in zip(columns, bins, ends, strict=True)]
    sizes = [e.shape[0] - 1 for e in edges]
    # One further bin in each dimension for what is outside, left out in the end.
    places = [_places(e, x, n) for e, x, n in zip(edges, columns, sizes, strict=True)]
    if weights is None:
        amounts: Any = np.ones(columns[0].shape)
    else:
        amounts = to_dtype(array(operand(weights)), np.dtype(np.float64))
    counts: Any = uniform(tuple(n + 1 for n in sizes), amounts.dtype)
    counts = scatter_add(counts, places, amounts, tuple(np.arange(count)))
    counts = counts[(slice(None, -1),) * count]
    if density:
        counts = counts / np.sum(counts)
        for d, e in enumerate(edges):
            counts = counts / reshape(diff(e), (*(1,) * d, sizes[d], *(1,) * (count - d - 1)))
    return counts, tuple(edges)


@implements(np.histogram2d)
def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,  # noqa: A002  NumPy's name
    density: Any = None,
    weights: Any = None,
) -> tuple[Any, Any, Any]:
    """As ``numpy.histogram2d``, on real arrays and traced values. The derivative goes to the
    weights, and to the edges.

    >>> histogram2d(np.array([0.0, 2.0]), np.array([1.0, 3.0]), bins=2)[0]
    array([[1., 0.],
           [0., 1.]])
    """
    x, y = operand(x), operand(y)
    if len(x) != len(y):
        raise ValueError(located("x and y must have the same length."))
    if _are_several(bins) and len(bins) not in (1, 2):
        bins = [bins, bins]
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]


@implements(np.histogram)
def histogram(
    a: Any,
    bins: Any = 10,
    range: Any = None,  # noqa: A002  NumPy's name
    density: Any = None,
    weights: Any = None,
) -> Any:
    """As ``numpy.histogram`` with a number of bins or their edges, on real arrays and traced
    values. The derivative goes to the weights, and to the edges.

    >>> histogram(np.array([1, 2, 1]), bins=[0, 1, 2, 3])
    (array([0, 2, 1]), array([0, 1, 2, 3]))
    """
    a = array(operand(a))
    a = reshape(a, (a.size,))
    edges = _edges(a, bins, range, weights)
    if weights is None:
        amounts: Any = np.ones(a.shape, INDEX)
    else:
        amounts = array(operand(weights))
        amounts = reshape(amounts, (amounts.size,))
        if amounts.shape != a.shape:
            raise ValueError(located("weights should have the same shape as a."))
    n = edges.shape[0] - 1
    place = _places(edges, a, n)  # what is outside is added nowhere
    counts = scatter_add(uniform((n,), amounts.dtype), [place], amounts, (0,), mode="drop")
    if not density:
        return counts, edges
    if counts.dtype.kind == "b":
        counts = arith.convert_element_type(counts, INDEX)
    widths = arith.convert_element_type(diff(edges), np.float64)
    return counts / widths / reduce_sum(counts, (0,)), edges
