"""Running sums and products, and differences."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import uniform
from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import cumulative, slicing, structural
from . import promotion, ufuncs
from .arguments import check_dtype, join, normal_axis, operand
from .dispatch import implements
from .reductions import BOOL, NO_VALUE, wide

# --- running sums and products -----------------------------------------------------------------


def _running(x: Any, axis: Any, dtype: Any, accumulate: Callable) -> Any:
    if axis is None:
        x, axis = structural.reshape(x, (x.size,)), 0
    if not x.ndim and axis in (0, -1):
        x = structural.reshape(x, (1,))
    axis = normal_axis(axis, x.ndim)
    dtype = check_dtype(dtype) if dtype is not None else wide(x.dtype)
    if dtype == BOOL:  # asked for: running "or" and "and"
        bits = arith.convert_element_type(ufuncs.as_bool(x), np.int8)
        logical = cumulative.cummax if accumulate is cumulative.cumsum else cumulative.cummin
        return arith.convert_element_type(logical(bits, axis), BOOL)
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


# --- differences -------------------------------------------------------------------------------


def _step(x: Any, axis: int) -> Any:
    size = x.shape[axis]
    later = slicing.slice_in_dim(x, builtins.min(1, size), size, 1, axis)
    earlier = slicing.slice_in_dim(x, 0, builtins.max(size - 1, 0), 1, axis)
    return (arith.ne if x.dtype == BOOL else arith.sub)(later, earlier)


@implements(np.diff)
def diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = NO_VALUE, append: Any = NO_VALUE
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
    ends = [operand(e) if e is not NO_VALUE else None for e in (prepend, append)]
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
