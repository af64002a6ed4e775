"""Padding: with constants, with elements of the array, with what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import slicing, structural
from . import promotion, ufuncs
from .arguments import join, normal_axis, operand, static_array
from .creation import linspace
from .dispatch import has_tracer, implements
from .joining import stack, take_static
from .manipulation import moveaxis
from .quantiles import median
from .reductions import max as largest
from .reductions import mean
from .reductions import min as smallest

_STATISTICS: dict[str, Callable] = {
    "maximum": largest,
    "mean": mean,
    "median": median,
    "minimum": smallest,
}
#: The arguments that each mode takes.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "constant": ("constant_values",),
    "edge": (),
    "empty": (),
    "linear_ramp": ("end_values",),
    **dict.fromkeys(_STATISTICS, ("stat_length",)),
    "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",),
    "wrap": (),
}


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """As ``numpy.pad``, on arrays and traced values.

    Args:
      mode: any of NumPy's, or a function as NumPy takes it; ``"empty"`` gives zeros.

    >>> pad(np.array([1, 2, 3]), 2, mode="reflect")
    array([3, 2, 1, 2, 3, 2, 1])
    """
    x = operand(array)
    widths = _widths(pad_width, x.ndim)
    if callable(mode):
        return _by_function(x, widths, mode, kwargs)
    if mode not in _ARGUMENTS:
        raise ValueError(located(f"mode '{mode}' is not supported"))
    wrong = [name for name in kwargs if name not in _ARGUMENTS[mode]]
    if wrong:
        raise ValueError(located(f"unsupported keyword arguments for mode '{mode}': {wrong}"))
    if mode in ("constant", "empty"):
        return _with_constants(x, widths, kwargs.get("constant_values", 0))
    rule = _RULES[mode](x.ndim, **kwargs)
    for axis, width in enumerate(widths):
        if not any(width):
            continue
        if not x.shape[axis]:
            raise ValueError(
                located(
                    f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'"
                )
            )
        x = rule(x, axis, width)
    return x


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        given = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            low, high = width if isinstance(width, tuple | list) else (width, width)
            given[normal_axis(axis, ndim)] = (low, high)
        pad_width = given or np.zeros((0, 2), int)
    widths = static_array(pad_width, "numpy.pad: pad_width")
    if widths.dtype.kind not in "iu":
        raise TypeError(located("`pad_width` must be of integral type."))
    if (widths < 0).any():
        raise ValueError(located("index can't contain negative values"))
    pairs = np.broadcast_to(widths, (ndim, 2))
    return [(int(low), int(high)) for low, high in pairs]


# --- constants ---------------------------------------------------------------------------------


def _with_constants(x: Any, widths: list[tuple[int, int]], values: Any) -> Any:
    if not has_tracer(values) and np.ndim(values) == 0:
        config = [(low, high, 0) for low, high in widths]
        return slicing.pad(x, arith.convert_element_type(np.asarray(values)[()], x.dtype), config)
    pairs = promotion.broadcast_to(operand(values), (x.ndim, 2))
    for axis, width in enumerate(widths):
        low, high = (_fill(x, axis, n, pairs[axis, side]) for side, n in enumerate(width))
        x = join([low, x, high], axis)
    return x


def _fill(x: Any, axis: int, size: int, value: Any) -> Any:
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    scalar = arith.convert_element_type(structural.reshape(value, ()), x.dtype)
    return structural.broadcast_in_dim(scalar, shape, ())


# --- what is made of the elements --------------------------------------------------------------


def _elements(mode: str) -> Callable:
    """A mode in which each new element is one that there is."""

    def prepare(ndim: int) -> Callable:
        def rule(x: Any, axis: int, width: tuple[int, int]) -> Any:
            places = np.pad(np.arange(x.shape[axis]), width, mode=mode)  # type: ignore[call-overload]
            return take_static(x, places, axis)

        return rule

    return prepare


def _reflection(mode: str) -> Callable:
    def prepare(ndim: int, reflect_type: str = "even") -> Callable:
        if reflect_type != "odd":
            return _elements(mode)(ndim)

        def rule(x: Any, axis: int, width: tuple[int, int]) -> Any:
            size = x.shape[axis]
            places = np.pad(np.arange(size), width, mode=mode)  # type: ignore[call-overload]
            if size == 1:
                return take_static(x, places, axis)
            # Each new element is linear in the one that it mirrors and in the two at the ends;
            # NumPy tells the factors, by what it makes of vectors that have a one there only.
            first, last = np.zeros((2, size), int)
            first[0] = last[-1] = 1
            inner = 1 - first - last
            factors = [
                np.pad(probe, width, mode=mode, reflect_type="odd")  # type: ignore[call-overload]
                for probe in (inner, first, last)
            ]
            parts = (places, np.zeros_like(places), np.full_like(places, size - 1))
            shape = (*(1,) * axis, len(places), *(1,) * (x.ndim - axis - 1))
            out: Any = None
            for factor, source in zip(factors, parts, strict=True):
                scale = factor.astype(x.dtype).reshape(shape)
                term = ufuncs.multiply(scale, take_static(x, source, axis))
                out = term if out is None else ufuncs.add(out, term)
            return out

        return rule

    return prepare


def _ramp(ndim: int, end_values: Any = 0) -> Callable:
    ends = promotion.broadcast_to(operand(end_values), (ndim, 2))

    def rule(x: Any, axis: int, width: tuple[int, int]) -> Any:
        sides = []
        for side, n in enumerate(width):
            edge = slicing.index_in_dim(x, -side, axis, False)
            sides.append(linspace(ends[axis, side], edge, n, False, dtype=x.dtype, axis=axis))
        return join([sides[0], x, slicing.rev(sides[1], (axis,))], axis)

    return rule


def _statistic(mode: str) -> Callable:
    def prepare(ndim: int, stat_length: Any = None) -> Callable:
        if stat_length is None:
            lengths = None
        else:
            lengths = np.broadcast_to(
                static_array(stat_length, "numpy.pad: stat_length"), (ndim, 2)
            )

        def rule(x: Any, axis: int, width: tuple[int, int]) -> Any:
            size = x.shape[axis]
            sides = []
            for side, n in enumerate(width):
                length = size if lengths is None else min(int(lengths[axis, side]), size)
                if not length and mode in ("maximum", "minimum"):
                    raise ValueError(located("stat_length of 0 yields no value for padding"))
                start = size - length if side else 0
                part = slicing.slice_in_dim(x, start, start + length, 1, axis)
                value = _STATISTICS[mode](part, axis=axis, keepdims=True)
                if x.dtype.kind in "iu":
                    value = ufuncs.rint(value)
                value = arith.convert_element_type(value, x.dtype)
                shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
                sides.append(promotion.broadcast_to(value, shape))
            return join([sides[0], x, sides[1]], axis)

        return rule

    return prepare


_RULES: dict[str, Callable] = {
    "edge": _elements("edge"),
    "linear_ramp": _ramp,
    **{mode: _statistic(mode) for mode in _STATISTICS},
    "reflect": _reflection("reflect"),
    "symmetric": _reflection("symmetric"),
    "wrap": _elements("wrap"),
}


def _by_function(
    x: Any, widths: list[tuple[int, int]], function: Callable, kwargs: dict[str, Any]
) -> Any:
    """Each row along each axis, padded with zeros, is given to a function that changes it."""
    x = _with_constants(x, widths, 0)
    for axis, width in enumerate(widths):
        rows = moveaxis(x, axis, -1)
        flat = structural.reshape(rows, (rows.size // max(rows.shape[-1], 1), rows.shape[-1]))
        changed = []
        for n in range(flat.shape[0]):
            row = flat[n].copy()
            function(row, width, axis, kwargs)
            changed.append(row)
        if changed:
            x = moveaxis(structural.reshape(stack(changed), rows.shape), -1, axis)
    return x
