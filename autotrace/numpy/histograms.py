"""Counts of elements: by value, by bin."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.avals import uniform
from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax.indexing import INDEX, scatter_add
from ..lax.structural import array, reduce_sum, reshape
from .creation import linspace
from .dispatch import implements
from .manipulation import operand, unsupported
from .picking import searchsorted
from .positions import known_count
from .promotion import promote_inexact, to_dtype
from .reductions import diff
from .reductions import max as largest
from .reductions import min as smallest


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: Any = 0) -> Any:
    """As ``numpy.bincount``, on arrays and traced values; the largest element, which decides the
    shape, is asked for, and whether there are negative ones."""
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
    if x.size and known_count(smallest(x), "np.bincount") < 0:
        raise ValueError(located("'list' argument must have no negative elements"))
    size = known_count(largest(x), "np.bincount") + 1 if x.size else 0
    if weights is None:
        amounts: Any = np.ones(x.shape, INDEX)
    else:
        amounts = to_dtype(operand(weights), np.dtype(np.float64))
        if amounts.shape != x.shape:
            raise ValueError(located("The weights and list don't have the same length."))
    return scatter_add(uniform((max(size, least),), amounts.dtype), [x], amounts, (0,))


_SHALLOW = "object of too small depth for desired array"


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """As ``numpy.digitize``, on real arrays and traced values; of traced bins it is asked whether
    they increase or decrease, by their ends."""
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


def _edges(a: Any, bins: Any, ends: Any) -> Any:
    """The edges of a histogram's bins."""
    if isinstance(bins, str):
        raise unsupported("histogram", f"bins={bins!r}", "What to do: give a number of bins.")
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
    if ends is not None:
        first, last = ends
    elif not a.size:
        first, last = 0.0, 1.0
    else:
        first, last = smallest(a), largest(a)
    first, last = promote_inexact(operand(first), operand(last))
    if bool(first > last):
        raise ValueError(located("max must be larger than min in range parameter."))
    if bool(first == last):
        first, last = first - 0.5, last + 0.5
    return linspace(first, last, count + 1)


@implements(np.histogram)
def histogram(
    a: Any,
    bins: Any = 10,
    range: Any = None,  # noqa: A002  NumPy's name
    density: Any = None,
    weights: Any = None,
) -> Any:
    """As ``numpy.histogram`` with a number of bins or their edges, on real arrays and traced
    values. The derivative goes to the weights, and to the edges."""
    a = array(operand(a))
    a = reshape(a, (a.size,))
    edges = _edges(a, bins, range)
    if weights is None:
        amounts: Any = np.ones(a.shape, INDEX)
    else:
        amounts = array(operand(weights))
        amounts = reshape(amounts, (amounts.size,))
        if amounts.shape != a.shape:
            raise ValueError(located("weights should have the same shape as a."))
    n = edges.shape[0] - 1
    # The last bin has both of its ends; what is outside, and NaN, is added nowhere.
    place = arith.sub(array(searchsorted(edges, a, "right")), INDEX.type(1))
    place = np.where(a == edges[-1], n - 1, place)
    place = np.where((place < 0) | (a > edges[-1]) | (a != a), n, place)
    counts = scatter_add(uniform((n,), amounts.dtype), [place], amounts, (0,), mode="drop")
    if not density:
        return counts, edges
    total = reduce_sum(counts, (0,))
    return counts / diff(edges) / total, edges
