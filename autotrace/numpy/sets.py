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
from .arguments import join, normal_axis, operand, unsupported
from .dispatch import implements
from .manipulation import moveaxis
from .picking import searchsorted
from .positions import filled, positions
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


_SIZED = ("size", "fill_value")


@implements(np.unique, extra=_SIZED)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,  # noqa: A002  NumPy's name
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """As ``numpy.unique``, on arrays and traced values; traced values come sorted always.

    The derivative of a value that comes several times goes to the first of them.

    Args:
      size: how many values to return; then nothing is asked for, and it works under ``vmap``.
      fill_value: what stands for values that there are not, the first value when None; their
        index is that of the first, their count 0.

    >>> unique(np.array([7, 5, 7]), size=3, return_counts=True)
    (array([5, 7, 5]), array([1, 2, 0]))
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
    places = positions(first, "np.unique", size)
    # Of values that there are not, which have a place past the end, the first stands in.
    there = places if size is None else filled(places, places, count, 0)
    picked = gather(order, [there], (0,))
    out = gather(keys[0] if axis is None else rows, [there if axis is None else picked], (0,))
    if fill_value is not None:
        out = filled(out, places, count, fill_value)
    if axis is not None:
        out = moveaxis(out, 0, normal_axis(axis, x.ndim))
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
        results.append(
            arith.sub(arith.min(ends, INDEX.type(count)), arith.min(places, INDEX.type(count)))
        )
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
    """As ``numpy.isin``, on arrays and traced values.

    >>> isin(np.array([1, 2, 3]), [2, 3])
    array([False,  True,  True])
    """
    x, tests = promote_dtypes(array(operand(element)), _flat(test_elements))
    if not tests.size:
        return np.full(x.shape, bool(invert))
    tests = sort(tests, 0)
    last = INDEX.type(tests.size - 1)
    place = arith.min(array(searchsorted(tests, x)), last)
    found = arith.eq(gather(tests, [place], (0,)), x)
    return arith.bitwise_not(found) if invert else found


@implements(np.union1d, extra=_SIZED)
def union1d(ar1: Any, ar2: Any, *, size: int | None = None, fill_value: Any = None) -> Any:
    """As ``numpy.union1d``, on arrays and traced values; ``size`` as of ``unique``.

    >>> union1d(np.array([1, 2]), np.array([2, 3]), size=4, fill_value=0)
    array([1, 2, 3, 0])
    """
    both = join(promote_dtypes(_flat(ar1), _flat(ar2)), 0)
    return unique(both, size=size, fill_value=fill_value)


@implements(np.setdiff1d, extra=_SIZED)
def setdiff1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """As ``numpy.setdiff1d``, on arrays and traced values; with ``size``, that many elements, of
    which ``fill_value``, 0 when None, is the rest.

    >>> setdiff1d(np.array([1, 2, 3]), np.array([2]), size=3)
    array([1, 3, 0])
    """
    if size is not None:
        ordered = sort(_flat(ar1), 0)
        wanted = arith.bitwise_and(_first_of_each([ordered], True), isin(ordered, ar2, invert=True))
        return _chosen(ordered, wanted, "np.setdiff1d", size, fill_value)
    first = _flat(ar1) if assume_unique else unique(ar1)
    return _chosen(first, isin(first, ar2, invert=True), "np.setdiff1d")


@implements(np.intersect1d, extra=_SIZED)
def intersect1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    return_indices: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """As ``numpy.intersect1d``, on arrays and traced values; ``size`` as of ``setdiff1d``, not
    together with ``return_indices``.

    >>> intersect1d(np.array([1, 2]), np.array([2, 3]), size=2)
    array([2, 0])
    """
    first, second = promote_dtypes(_flat(ar1), _flat(ar2))
    if size is not None:
        if return_indices:
            raise unsupported("intersect1d", "size= with return_indices=True")
        ordered = sort(first, 0)
        wanted = arith.bitwise_and(_first_of_each([ordered], True), isin(ordered, second))
        return _chosen(ordered, wanted, "np.intersect1d", size, fill_value)
    first, first_places = unique(first, return_index=True)
    second, second_places = unique(second, return_index=True)
    both = isin(first, second)
    out = _chosen(first, both, "np.intersect1d")
    if not return_indices:
        return out
    there = gather(second_places, [searchsorted(second, out)], (0,))
    return out, _chosen(first_places, both, "np.intersect1d"), there


@implements(np.setxor1d, extra=_SIZED)
def setxor1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,
    *,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """As ``numpy.setxor1d``, on arrays and traced values; ``size`` as of ``setdiff1d``.

    >>> setxor1d(np.array([1, 2]), np.array([2, 3]), size=3)
    array([1, 3, 0])
    """
    first, second = promote_dtypes(_flat(ar1), _flat(ar2))
    if size is not None:
        ordered = sort(join([first, second], 0), 0)
        one = arith.bitwise_xor(isin(ordered, first), isin(ordered, second))
        wanted = arith.bitwise_and(_first_of_each([ordered], True), one)
        return _chosen(ordered, wanted, "np.setxor1d", size, fill_value)
    parts = [setdiff1d(first, second), setdiff1d(second, first)]
    return sort(join(parts, 0), 0)


def _chosen(x: Any, mask: Any, what: str, size: int | None = None, fill: Any = None) -> Any:
    places = positions(mask, what, size)
    if size is None:
        return gather(x, [places], (0,))
    out = gather(x, [places], (0,), mode="clip")
    return filled(out, places, x.shape[0], 0 if fill is None else fill)


# --- under the names of the array API ----------------------------------------------------------

_Unique = {
    name: type(getattr(np, name)(np.zeros(0)))
    for name in ("unique_all", "unique_counts", "unique_inverse")
}


@implements(np.unique_values)
def unique_values(x: Any) -> Any:
    """As ``numpy.unique_values``, on arrays and traced values; traced values come sorted.

    >>> sorted(unique_values(np.array([1, 1, 2])).tolist())
    [1, 2]
    """
    return unique(x, equal_nan=False)


@implements(np.unique_counts)
def unique_counts(x: Any) -> Any:
    """As ``numpy.unique_counts``, on arrays and traced values.

    >>> unique_counts(np.array([1, 1, 2])).counts
    array([2, 1])
    """
    return _Unique["unique_counts"](*unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def unique_inverse(x: Any) -> Any:
    """As ``numpy.unique_inverse``, on arrays and traced values.

    >>> unique_inverse(np.array([1, 1, 2])).inverse_indices
    array([0, 0, 1])
    """
    return _Unique["unique_inverse"](*unique(x, return_inverse=True, equal_nan=False))


@implements(np.unique_all)
def unique_all(x: Any) -> Any:
    """As ``numpy.unique_all``, on arrays and traced values.

    >>> unique_all(np.array([1, 1, 2])).indices
    array([0, 2])
    """
    return _Unique["unique_all"](*unique(x, True, True, True, equal_nan=False))
