"""Sorting and partitioning."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import slicing, structural
from ..lax.indexing import places
from ..lax.sorting import sort as lax_sort
from .arguments import INDEX, normal_axis, operand, static_array
from .dispatch import implements
from .joining import rows


def _stable(name: str, kind: Any, order: Any, stable: Any) -> bool:
    if order is not None:
        raise ValueError(located(f"numpy.{name}: order= is for arrays with fields"))
    if kind is not None and stable is not None:
        raise ValueError(
            located("`kind` and `stable` parameters can't be provided at the same time")
        )
    return bool(stable) or kind in ("stable", "mergesort")


def _along(a: Any, axis: Any) -> tuple[Any, int]:
    x = operand(a)
    if axis is None:
        return structural.reshape(x, (x.size,)), 0
    return x, normal_axis(axis, x.ndim)


@implements(np.sort, extra=("descending",))
def sort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """As ``numpy.sort``, on arrays and traced values; with ``descending``, from the largest, NaN
    first.

    >>> sort(np.array([1, 3, 2]), descending=True)
    array([3, 2, 1])
    """
    x, axis = _along(a, axis)
    out = lax_sort(x, axis, _stable("sort", kind, order, stable))
    return slicing.rev(out, (axis,)) if descending else out


@implements(np.argsort, extra=("descending",))
def argsort(
    a: Any,
    axis: Any = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: Any = None,
    descending: bool = False,
) -> Any:
    """As ``numpy.argsort``, on arrays and traced values; with ``descending``, from the largest;
    equal ones keep their order if ``stable``.

    >>> argsort(np.array([1, 3, 2, 3]), stable=True, descending=True)
    array([1, 3, 2, 0])
    """
    # NumPy lets a scalar have an axis here, though not in sort.
    x, axis = _along(a, None if axis in (0, -1) and not np.ndim(a) else axis)
    at = places(x.shape, axis)
    is_stable = _stable("argsort", kind, order, stable)
    if not descending:
        return lax_sort((x, at), axis, is_stable)[1]
    # What is sorted backwards and turned round keeps the order of equals.
    turned = lax_sort((slicing.rev(x, (axis,)), slicing.rev(at, (axis,))), axis, is_stable)[1]
    return slicing.rev(turned, (axis,))


def _check_kth(x: Any, kth: Any, axis: int) -> None:
    wanted = static_array(kth, "numpy.partition: kth")
    size = x.shape[axis]
    if size and builtins.any(not -size <= int(k) < size for k in wanted.reshape(-1)):
        raise ValueError(located(f"kth(={kth}) out of bounds ({size})"))


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """As ``numpy.partition``, on arrays and traced values; traced values come fully sorted.

    >>> partition(np.array([2, 0, 1]), 1)
    array([0, 1, 2])
    """
    x, axis = _along(a, axis)
    _check_kth(x, kth, axis)
    return sort(x, axis)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """As ``numpy.argpartition``, on arrays and traced values; traced values come fully sorted.

    >>> argpartition(np.array([2, 0, 1]), 0)
    array([1, 2, 0])
    """
    x, axis = _along(a, axis)
    _check_kth(x, kth, axis)
    return argsort(x, axis)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    """As ``numpy.lexsort``, on arrays and traced values.

    >>> lexsort((np.array([2, 1, 0]), np.array([0, 1, 0])))
    array([2, 0, 1])
    """
    columns = [operand(k) for k in rows(keys)]
    if not columns:
        raise TypeError(located("need sequence of keys with len > 0 in lexsort"))
    if builtins.any(c.shape != columns[0].shape for c in columns):
        raise ValueError(located("all keys need to be the same shape"))
    if not columns[0].ndim:
        return np.zeros((), INDEX)
    axis = normal_axis(axis, columns[0].ndim)
    at = places(columns[0].shape, axis)
    return lax_sort((*columns[::-1], at), axis, True, len(columns))[-1]


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """As ``numpy.sort_complex``, on arrays and traced values.

    >>> sort_complex(np.array([2 + 1j, 1 + 0j]))
    array([1.+0.j, 2.+1.j])
    """
    x = operand(a)
    if x.dtype.kind != "c":
        narrow = x.dtype.char in "bhBH"  # as NumPy has it, float32 is not among them
        x = arith.convert_element_type(x, np.complex64 if narrow else np.complex128)
    return lax_sort(x, normal_axis(-1, x.ndim), False)
