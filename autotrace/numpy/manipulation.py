"""Shapes, and copies of another dtype."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import structural
from . import promotion, ufuncs
from .arguments import axis_error, check_dtype, normal_axes, normal_axis, operand, shape_of
from .asking import every
from .dispatch import implements

# --- shapes ------------------------------------------------------------------------------------


def _full_shape(size: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with its -1, if any, filled in."""
    asked = shape
    if shape.count(-1) > 1:
        raise ValueError(located("can only specify one unknown dimension"))
    if -1 in shape:
        rest = math.prod(n for n in shape if n != -1)
        shape = tuple((size // rest if rest else 0) if n == -1 else n for n in shape)
        if not rest:
            shape = (-1,)
    if math.prod(shape) != size or builtins.any(n < 0 for n in shape):
        raise ValueError(located(f"cannot reshape array of size {size} into shape {asked}"))
    return shape


def _check_order(order: str) -> None:
    if order not in ("C", "F", "A", "K"):
        raise ValueError(located(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})"))


@implements(np.reshape, view=True)
def reshape(a: Any, /, shape: Any = None, order: str = "C", *, copy: Any = None) -> Any:
    """As ``numpy.reshape``, on arrays and traced values; traced values count as C-contiguous.

    >>> reshape(np.arange(4), (2, 2))
    array([[0, 1],
           [2, 3]])
    """
    x = operand(a)
    if shape is None:
        raise TypeError(located("reshape() missing 1 required positional argument: 'shape'"))
    _check_order(order)
    sizes = _full_shape(x.size, shape_of(shape))
    if order == "F":
        backwards = structural.reshape(_reversed_axes(x), sizes[::-1])
        return _reversed_axes(backwards)
    return structural.reshape(x, sizes)


def _reversed_axes(x: Any) -> Any:
    return structural.transpose(x, range(x.ndim)[::-1])


@implements(np.ravel, view=True)
def ravel(a: Any, order: str = "C") -> Any:
    """As ``numpy.ravel``, on arrays and traced values; traced values count as C-contiguous.

    >>> ravel(np.array([[1, 2], [3, 4]]))
    array([1, 2, 3, 4])
    """
    return reshape(operand(a), (-1,), order=order)


@implements(np.transpose, view=True)
def transpose(a: Any, axes: Any = None) -> Any:
    """As ``numpy.transpose``, on arrays and traced values.

    >>> transpose(np.array([[1, 2], [3, 4]]))
    array([[1, 3],
           [2, 4]])
    """
    x = operand(a)
    if axes is None:
        return _reversed_axes(x)
    axes = tuple(axes) if isinstance(axes, tuple | list | np.ndarray) else (axes,)
    if len(axes) != x.ndim:
        raise ValueError(located("axes don't match array"))
    order = [normal_axis(d, x.ndim) for d in axes]
    if len(set(order)) != len(order):
        raise ValueError(located("repeated axis in transpose"))
    return structural.transpose(x, order)


permute_dims = transpose


@implements(np.matrix_transpose, view=True)
def matrix_transpose(x: Any, /) -> Any:
    """As ``numpy.matrix_transpose``, on arrays and traced values.

    >>> matrix_transpose(np.array([[1, 2], [3, 4]]))
    array([[1, 3],
           [2, 4]])
    """
    x = operand(x)
    if x.ndim < 2:
        raise ValueError(located(f"Input array must be at least 2-dimensional, but it is {x.ndim}"))
    return swapaxes(x, -1, -2)


@implements(np.swapaxes, view=True)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """As ``numpy.swapaxes``, on arrays and traced values.

    >>> swapaxes(np.array([[1, 2], [3, 4]]), 0, 1)
    array([[1, 3],
           [2, 4]])
    """
    x = operand(a)
    first, second = normal_axis(axis1, x.ndim), normal_axis(axis2, x.ndim)
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    return structural.transpose(x, order)


@implements(np.moveaxis, view=True)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """As ``numpy.moveaxis``, on arrays and traced values.

    >>> moveaxis(np.array([[1, 2], [3, 4]]), 0, 1)
    array([[1, 3],
           [2, 4]])
    """
    x = operand(a)
    sources = normal_axes(source, x.ndim, "source")
    places = normal_axes(destination, x.ndim, "destination")
    if len(sources) != len(places):
        raise ValueError(
            located("`source` and `destination` arguments must have the same number of elements")
        )
    order = [d for d in range(x.ndim) if d not in sources]
    for place, d in sorted(zip(places, sources, strict=True)):
        order.insert(place, d)
    return structural.transpose(x, order)


@implements(np.rollaxis, view=True)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """As ``numpy.rollaxis``, on arrays and traced values.

    >>> rollaxis(np.array([[1, 2], [3, 4]]), 1)
    array([[1, 3],
           [2, 4]])
    """
    x = operand(a)
    axis = normal_axis(axis, x.ndim)
    start = as_int(start)
    if not -x.ndim <= start <= x.ndim:
        raise axis_error(start, x.ndim + 1)
    start += x.ndim if start < 0 else 0
    order = [d for d in range(x.ndim) if d != axis]
    order.insert(start - (axis < start), axis)
    return structural.transpose(x, order)


@implements(np.expand_dims, view=True)
def expand_dims(a: Any, axis: Any) -> Any:
    """As ``numpy.expand_dims``, on arrays and traced values.

    >>> expand_dims(np.array([1, 2]), 0)
    array([[1, 2]])
    """
    x = operand(a)
    many = len(axis) if isinstance(axis, tuple | list) else 1
    return structural.expand_dims(x, normal_axes(axis, x.ndim + many))


@implements(np.squeeze, view=True)
def squeeze(a: Any, axis: Any = None) -> Any:
    """As ``numpy.squeeze``, on arrays and traced values.

    >>> squeeze(np.array([[1, 2]]))
    array([1, 2])
    """
    x = operand(a)
    if axis is None:
        return structural.reshape(x, tuple(n for n in x.shape if n != 1))
    axes = normal_axes(axis, x.ndim)
    if builtins.any(x.shape[d] != 1 for d in axes):
        raise ValueError(
            located("cannot select an axis to squeeze out which has size not equal to one")
        )
    return structural.reshape(x, tuple(n for d, n in enumerate(x.shape) if d not in axes))


@implements(np.broadcast_to, view=True)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """As ``numpy.broadcast_to``, on arrays and traced values.

    >>> broadcast_to(np.array([1, 2]), (2, 2))
    array([[1, 2],
           [1, 2]])
    """
    return promotion.broadcast_to(operand(array), shape_of(shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """As ``numpy.broadcast_arrays``, on arrays and traced values.

    >>> broadcast_arrays(np.array([1, 2]), 3)
    (array([1, 2]), array([3, 3]))
    """
    arrays = [operand(a) for a in args]
    shape = promotion.broadcast_shapes(*[a.shape for a in arrays])
    return tuple(promotion.broadcast_to(a, shape) for a in arrays)


def _each(function: Any, arrays: Sequence[Any]) -> Any:
    out = tuple(function(operand(a)) for a in arrays)
    return out[0] if len(out) == 1 else out


@implements(np.atleast_1d, view=True)
def atleast_1d(*arys: Any) -> Any:
    """As ``numpy.atleast_1d``, on arrays and traced values.

    >>> atleast_1d(3.0)
    array([3.])
    """
    return _each(lambda x: x if x.ndim else structural.reshape(x, (1,)), arys)


def to_2d(x: Any) -> Any:
    """An array of at least two dimensions."""
    return x if x.ndim >= 2 else structural.reshape(x, (1, x.size))


@implements(np.atleast_2d, view=True)
def atleast_2d(*arys: Any) -> Any:
    """As ``numpy.atleast_2d``, on arrays and traced values.

    >>> atleast_2d(np.array([1, 2]))
    array([[1, 2]])
    """
    return _each(to_2d, arys)


def to_3d(x: Any) -> Any:
    """An array of at least three dimensions."""
    if x.ndim >= 3:
        return x
    return structural.reshape(x, (*x.shape, 1) if x.ndim == 2 else (1, x.size, 1))


@implements(np.atleast_3d, view=True)
def atleast_3d(*arys: Any) -> Any:
    """As ``numpy.atleast_3d``, on arrays and traced values.

    >>> atleast_3d(np.array([1, 2]))
    array([[[1],
            [2]]])
    """
    return _each(to_3d, arys)


# --- dtypes and copies -------------------------------------------------------------------------


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """As ``numpy.astype``, on arrays and traced values.

    The dtypes are bools, integers, float16, float32, float64, complex64 and complex128.

    >>> astype(np.array([1.5, 2.5]), int)
    array([1, 2])
    """
    dtype = check_dtype(dtype)
    return arith.convert_element_type(operand(x), dtype)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """As ``numpy.copy``, on arrays and traced values.

    >>> copy(np.array([1, 2]))
    array([1, 2])
    """
    x = operand(a)
    return x if isinstance(x, Tracer) else np.array(x)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """As ``numpy.real_if_close``, on arrays and traced values; of complex ones it is asked whether
    all imaginary parts are close to zero.

    >>> real_if_close(np.array([2.1 + 4e-14j]), tol=1000)
    array([2.1])
    """
    x = operand(a)
    if x.dtype.kind != "c":
        return x
    bound = tol * np.finfo(x.dtype).eps if tol > 1 else tol
    near = ufuncs.less(ufuncs.absolute(arith.imag(x)), bound)
    return arith.real(x) if bool(every(near)) else x
