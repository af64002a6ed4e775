"""The methods of ufuncs that go with reductions: ``reduce``, ``accumulate`` and ``outer``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import uniform
from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import cumulative, elementary, structural
from ..lax import reductions as lax_reductions
from . import promotion, ufuncs
from .arguments import check_dtype, normal_axis, operand
from .dispatch import traced, traced_methods
from .reductions import (
    MAX,
    MIN,
    NO_VALUE,
    PROD,
    SUM,
    extremum_of,
    fold_axes,
    folded,
    is_given,
    keeping,
    mask_of,
    masked,
    scalar_of,
    truth_of,
    wide,
)


def _method(fold: Callable) -> Callable:
    """A fold as a ufunc's method ``reduce``: its arguments and their defaults."""

    def reduce(
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = NO_VALUE,
        where: Any = True,
    ) -> Any:
        return fold(a, axis, dtype, keepdims, initial, where)

    return reduce


def _logical_fold(reduce: Callable, combine: Callable, identity: bool) -> Callable:
    @_method
    def function(a: Any, axis: Any, dtype: Any, keepdims: Any, initial: Any, where: Any) -> Any:
        x = ufuncs.as_bool(operand(a))
        out = truth_of(x, axis, keepdims, where, reduce, identity)
        if is_given(initial):
            return combine(out, ufuncs.as_bool(operand(initial)))
        return out

    return function


def _bit_fold(reduce: Callable, combine: Callable, identity: int) -> Callable:
    @_method
    def function(a: Any, axis: Any, dtype: Any, keepdims: Any, initial: Any, where: Any) -> Any:
        x = operand(a)
        if dtype is not None:
            x = arith.convert_element_type(x, check_dtype(dtype))
        axes = fold_axes(axis, x.ndim)
        fill = np.array(identity).astype(x.dtype)
        x = masked(x, mask_of(where, x), fill)
        out = keeping(reduce(x, axes), x, axes, keepdims)
        return combine(out, scalar_of(initial, x.dtype)) if is_given(initial) else out

    return function


def _arithmetic_fold(rule: tuple) -> Callable:
    @_method
    def function(a: Any, axis: Any, dtype: Any, keepdims: Any, initial: Any, where: Any) -> Any:
        return folded(a, axis, dtype, keepdims, initial, where, *rule)

    return function


def _extremum_fold(name: str, rule: tuple) -> Callable:
    @_method
    def function(a: Any, axis: Any, dtype: Any, keepdims: Any, initial: Any, where: Any) -> Any:
        x = operand(a)
        if dtype is not None:
            x = arith.convert_element_type(x, check_dtype(dtype))
        return extremum_of(name, x, axis, keepdims, initial, where, *rule)

    return function


@_method
def _logaddexp_fold(a: Any, axis: Any, dtype: Any, keepdims: Any, initial: Any, where: Any) -> Any:
    x = operand(a)
    out_dtype = check_dtype(dtype) if dtype is not None else promotion.inexact_dtype(x.dtype)
    x = arith.convert_element_type(x, out_dtype)
    axes = fold_axes(axis, x.ndim)
    x = masked(x, mask_of(where, x), -np.inf)
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
        return ufuncs.logaddexp(out, scalar_of(initial, out_dtype))
    return out


_REDUCE: dict[np.ufunc, Callable] = {
    np.add: _arithmetic_fold(SUM),
    np.multiply: _arithmetic_fold(PROD),
    np.maximum: _extremum_fold("maximum", MAX),
    np.minimum: _extremum_fold("minimum", MIN),
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


def install() -> None:
    """Give the ufuncs that have traced implementations their methods."""
    traced_methods.update({(ufunc, "reduce"): rule for ufunc, rule in _REDUCE.items()})
    traced_methods.update({(ufunc, "accumulate"): rule for ufunc, rule in _ACCUMULATE.items()})
    for ufunc, rule in traced.items():
        if isinstance(ufunc, np.ufunc) and ufunc.nin == 2 and ufunc.signature is None:
            traced_methods[ufunc, "outer"] = _outer(rule)
