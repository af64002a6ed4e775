"""Distinct elements, and arrays as sets of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.avals import uniform
from ..lax import arithmetic as arith
from ..lax.cumulative import cumsum_p
from ..lax.indexing import INDEX, broadcasted_iota, gather, scatter
from ..lax.slicing import concatenate, slice_in_dim
from ..lax.sorting import sort
from ..lax.structural import array, reshape
from .dispatch import implements
from .manipulation import join, moveaxis, normal_axis, operand
from .picking import searchsorted
from .positions import positions
from .promotion import promote_dtypes


def _unequal(x: Any, equal_nan: bool) -> Any:
    """Whether each element of a sorted array differs from the one before it; the first does."""
    n = x.shape[0]
    before, after = slice_in_dim(x, 0, max(n - 1, 0)), slice_in_dim(x, min(n, 1), n)
    differ = arith.ne(after, before)
    if equal_nan and x.dtype.kind in "fc":
        both = arith.bitwise_and(arith.is_nan(after), arith.is_nan(before))
        differ = arith.bitwise_and(differ, arith.bitwise_not(both))
    return differ


def _first_of_each(columns: list[Any], equal_nan: bool) -> Any:
    """Which rows of sorted columns differ from the row before."""
    n = columns[0].shape[0]
    differ = _unequal(columns[0], equal_nan)
    for column in columns[1:]:
        differ = arith.bitwise_or(differ, _unequal(column, equal_nan))
    return concatenate([np.ones(min(n, 1), bool), differ], 0)


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,  # noqa: A002  NumPy's name
) -> Any:
    """As ``numpy.unique``, on arrays and traced values; traced values come sorted always.

    The derivative of a value that comes several times goes to the first of them.
    """
    x = array(operand(ar))
    rows = x if axis is None else moveaxis(x, normal_axis(axis, x.ndim), 0)
    count = x.size if axis is None else rows.shape[0]
    width = 1 if axis is None else math.prod(rows.shape[1:])
    table = reshape(rows, (count, width))
    columns = [reshape(slice_in_dim(table, k, k + 1, 1, 1), (count,)) for k in range(width)]
    keys = columns or [np.zeros(count, np.int8)]
    *keys, order = sort((*keys, broadcasted_iota(INDEX, (count,), 0)), 0, True, len(keys))
    # NumPy compares rows as they are, with each NaN different from any other.
    first = _first_of_each(keys, equal_nan and axis is None)
    places = positions(first, "np.unique")
    picked = gather(order, [places], (0,))
    if axis is None:
        out = gather(keys[0], [places], (0,))
    else:
        out = moveaxis(gather(rows, [picked], (0,)), 0, normal_axis(axis, x.ndim))
    results = [out]
    if return_index:
        results.append(picked)
    if return_inverse:
        ranks = cumsum_p.bind(arith.convert_element_type(first, INDEX), axis=0, reverse=False)
        ranks = arith.sub(ranks, INDEX.type(1))
        inverse = scatter(uniform((count,), INDEX), [order], ranks, (0,), unique_indices=True)
        results.append(reshape(inverse, x.shape) if axis is None else inverse)
    if return_counts:
        found = places.shape[0]
        ends = slice_in_dim(places, min(found, 1), found)
        ends = concatenate([ends, np.full(min(found, 1), count)], 0)
        results.append(arith.sub(ends, places))
    return results[0] if len(results) == 1 else tuple(results)


def _flat(x: Any) -> Any:
    x = array(operand(x))
    return reshape(x, (x.size,))


@implements(np.isin)
def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: Any = None,
) -> Any:
    """As ``numpy.isin``, on arrays and traced values."""
    x, tests = promote_dtypes(array(operand(element)), _flat(test_elements))
    if not tests.size:
        return np.full(x.shape, bool(invert))
    tests = sort(tests, 0)
    last = INDEX.type(tests.size - 1)
    place = arith.min(array(searchsorted(tests, x)), last)
    found = arith.eq(gather(tests, [place], (0,)), x)
    return arith.bitwise_not(found) if invert else found


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """As ``numpy.union1d``, on arrays and traced values."""
    return unique(join(promote_dtypes(_flat(ar1), _flat(ar2)), 0))


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """As ``numpy.setdiff1d``, on arrays and traced values."""
    first = _flat(ar1) if assume_unique else unique(ar1)
    return _chosen(first, isin(first, ar2, invert=True), "np.setdiff1d")


@implements(np.intersect1d)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """As ``numpy.intersect1d``, on arrays and traced values."""
    first, second = promote_dtypes(_flat(ar1), _flat(ar2))
    first, first_places = unique(first, return_index=True)
    second, second_places = unique(second, return_index=True)
    both = isin(first, second)
    out = _chosen(first, both, "np.intersect1d")
    if not return_indices:
        return out
    there = gather(second_places, [searchsorted(second, out)], (0,))
    return out, _chosen(first_places, both, "np.intersect1d"), there


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """As ``numpy.setxor1d``, on arrays and traced values."""
    first, second = promote_dtypes(_flat(ar1), _flat(ar2))
    parts = [setdiff1d(first, second), setdiff1d(second, first)]
    return sort(join(parts, 0), 0)


def _chosen(x: Any, mask: Any, what: str) -> Any:
    return gather(x, [positions(mask, what)], (0,))
