"""Derivatives and integrals of sampled functions."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..core.avals import is_inexact
from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax.slicing import slice_in_dim
from ..lax.structural import reshape
from . import ufuncs
from .arguments import join, normal_axes, normal_axis, operand
from .dispatch import implements
from .reductions import sum as total
from .running import diff

_FLOAT64 = np.dtype(np.float64)


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """As ``numpy.trapezoid``, on arrays and traced values.

    >>> trapezoid(np.array([1.0, 2.0, 3.0]), dx=2)
    np.float64(8.0)
    """
    y = operand(y)
    axis = normal_axis(axis, y.ndim)
    if x is None:
        width = dx
    else:
        x = operand(x)
        width = diff(x, axis=0 if x.ndim == 1 else axis)
        if x.ndim == 1:
            width = reshape(width, (*(1,) * axis, width.size, *(1,) * (y.ndim - axis - 1)))
    size = y.shape[axis]
    later = slice_in_dim(y, builtins.min(1, size), size, 1, axis)
    earlier = slice_in_dim(y, 0, builtins.max(size - 1, 0), 1, axis)
    areas = ufuncs.divide(ufuncs.multiply(width, ufuncs.add(later, earlier)), 2.0)
    return total(areas, axis)


def _spacings(f: Any, axes: tuple[int, ...], given: tuple) -> list[Any]:
    """For each axis the distance of samples, or an array of all distances."""
    if not given:
        return [1.0] * len(axes)
    if len(given) == 1 and not np.ndim(given[0]):
        return [given[0]] * len(axes)
    if len(given) != len(axes):
        raise TypeError(located("invalid number of arguments"))
    out = []
    for axis, places in zip(axes, given, strict=True):
        if not np.ndim(places):
            out.append(places)
            continue
        places = operand(places)
        if places.ndim != 1:
            raise ValueError(located("distances must be either scalars or 1d"))
        if places.shape[0] != f.shape[axis]:
            raise ValueError(
                located("when 1d, distances must match the length of the corresponding dimension")
            )
        if places.dtype.kind in "iu":
            places = arith.convert_element_type(places, _FLOAT64)
        steps = diff(places)
        even = not isinstance(steps, Tracer) and bool((steps == steps[0]).all())
        out.append(steps[0] if even else steps)
    return out


def _weighted(parts: tuple, weights: tuple) -> Any:
    out: Any = None
    for part, weight in zip(parts, weights, strict=True):
        term = ufuncs.multiply(weight, part)
        out = term if out is None else ufuncs.add(out, term)
    return out


def _slope(f: Any, axis: int, h: Any, edge_order: int) -> Any:
    """The derivative along one axis: central differences inside, one-sided ones at the ends
    (Fornberg 1988, for distances that differ)."""
    n = f.shape[axis]

    def part(start: int, stop: int) -> Any:
        return slice_in_dim(f, start, stop, 1, axis)

    def along(weights: Any) -> Any:
        if not np.ndim(weights):
            return weights
        return reshape(weights, (*(1,) * axis, weights.size, *(1,) * (f.ndim - axis - 1)))

    def at(place: int) -> Any:
        return part(place % n, place % n + 1)

    spread = np.ndim(h) > 0
    first, second = (h[0], h[1 % (n - 1)]) if spread else (h, h)
    last, before = (h[-1], h[-2 % (n - 1)]) if spread else (h, h)
    if spread:
        left, right = h[:-1], h[1:]
        weights = (
            -right / (left * (left + right)),
            (right - left) / (left * right),
            left / (right * (left + right)),
        )
        parts = (part(0, n - 2), part(1, n - 1), part(2, n))
        inside = _weighted(parts, tuple(map(along, weights)))
    else:
        inside = ufuncs.divide(ufuncs.subtract(part(2, n), part(0, n - 2)), 2.0 * h)
    if edge_order == 1:
        head = ufuncs.divide(ufuncs.subtract(at(1), at(0)), first)
        tail = ufuncs.divide(ufuncs.subtract(at(-1), at(-2)), last)
    else:
        head = _weighted((at(0), at(1), at(2)), _end_weights(first, second))
        turned = _end_weights(last, before)
        tail = _weighted((at(-1), at(-2), at(-3)), tuple(-w for w in turned))
    dtype = f.dtype
    return join([arith.convert_element_type(p, dtype) for p in (head, inside, tail)], axis)


def _end_weights(near: Any, far: Any) -> tuple:
    """The weights of a second order derivative at an end, of the samples from there inwards."""
    return (
        -(2.0 * near + far) / (near * (near + far)),
        (near + far) / (near * far),
        -near / (far * (near + far)),
    )


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """As ``numpy.gradient``, on arrays and traced values; differentiable in the samples and in
    their distances.

    >>> gradient(np.array([1.0, 2.0, 4.0, 7.0]))
    array([1. , 1.5, 2.5, 3. ])
    """
    f = operand(f)
    axes = tuple(range(f.ndim)) if axis is None else normal_axes(axis, f.ndim)
    spacings = _spacings(f, axes, varargs)
    if edge_order > 2:
        raise ValueError(located("'edge_order' greater than 2 not supported"))
    is_bool = f.dtype.kind == "b"
    if not is_inexact(f.dtype) and not is_bool:
        f = arith.convert_element_type(f, _FLOAT64)
    out = []
    for d, h in zip(axes, spacings, strict=True):
        if f.shape[d] < edge_order + 1:
            raise ValueError(
                located(
                    "Shape of array too small to calculate a numerical gradient, at least "
                    "(edge_order + 1) elements are required."
                )
            )
        if is_bool:
            ufuncs.subtract(f, f)  # which says that this is no arithmetic
        out.append(_slope(f, d, h, edge_order))
    return out[0] if len(axes) == 1 else tuple(out)
