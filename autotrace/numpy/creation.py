"""Making arrays: from nested lists, like another array, of evenly spaced numbers."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import SUPPORTED_DTYPES, is_inexact, uniform
from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import structural
from ..lax.indexing import broadcasted_iota
from ..transforms.held import HeldTracer, holding
from . import manipulation, promotion, ufuncs
from .aliasing import ordered
from .arguments import check_dtype, join, normal_axis, operand, shape_of
from .asking import type_like
from .dispatch import has_tracer, implements
from .manipulation import broadcast_arrays, moveaxis

__all__ = [
    "arange",
    "array",
    "asanyarray",
    "asarray",
    "asarray_chkfinite",
    "ascontiguousarray",
    "asfortranarray",
    "copy",
    "empty",
    "empty_like",
    "eye",
    "fromfunction",
    "fromiter",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "indices",
    "isfortran",
    "linspace",
    "logspace",
    "meshgrid",
    "ones",
    "ones_like",
    "require",
    "tri",
    "vander",
    "zeros",
    "zeros_like",
]

# --- arrays to assign to ------------------------------------------------------------------------

#: The functions that make arrays, under the names that NumPy has for them.
made_here: dict[str, Callable] = {}


def creates(numpy_function: Any, fill: Any = None) -> Callable:
    """Register a function that makes an array: in a traced function one that is held.

    Args:
      numpy_function: NumPy's.
      fill: the one value that the array has, None where it has several.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def public(*args: Any, **kwargs: Any) -> Any:
            if not holding():
                return function(*args, **kwargs)
            x = function(*args, **kwargs)
            if type(x) is not np.ndarray or x.dtype not in SUPPORTED_DTYPES:
                return x
            if x.base is not None or any(x is a for a in args):
                return x  # the user's own array, or a view of it
            return HeldTracer(x, fill)

        made_here[numpy_function.__name__] = public
        return public

    return decorate


zeros = creates(np.zeros, 0)(np.zeros)
ones = creates(np.ones, 1)(np.ones)
eye = creates(np.eye)(np.eye)
identity = creates(np.identity)(np.identity)
tri = creates(np.tri)(np.tri)
indices = creates(np.indices)(np.indices)
fromfunction = creates(np.fromfunction)(np.fromfunction)


@functools.wraps(np.empty)
def _empty(*args: Any, **kwargs: Any) -> Any:
    # Zeros where it is held, so that results do not depend on what memory was used for before.
    return (np.zeros if holding() else np.empty)(*args, **kwargs)


empty = creates(np.empty, 0)(_empty)
copy = creates(np.copy)(manipulation.copy)

# --- from what there is ------------------------------------------------------------------------


@creates(np.array)
@implements(np.array, raw=True)
def array(
    object: Any,  # noqa: A002  NumPy's name
    dtype: Any = None,
    *,
    copy: Any = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    ndmax: int = 0,
    like: Any = None,
) -> Any:
    """As ``numpy.array``, on arrays, traced values and nested lists of them.

    >>> array([1.0, 2.0])
    array([1., 2.])
    """
    x = operand(object)
    if dtype is not None:
        x = arith.convert_element_type(x, check_dtype(dtype))
    if x.ndim < ndmin:
        x = structural.reshape(x, (*(1,) * (ndmin - x.ndim), *x.shape))
    if x is object and copy:
        x = x.twin()
    return ordered(x, order if copy and order in ("C", "F") else None)


@creates(np.asarray)
@implements(np.asarray, raw=True)
def asarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: Any = None,
    like: Any = None,
) -> Any:
    """As ``numpy.asarray``, on arrays, traced values and nested lists of them.

    >>> asarray([1.0, 2.0])
    array([1., 2.])
    """
    return array(a, dtype, copy=copy)


@creates(np.asanyarray)
@implements(np.asanyarray, raw=True)
def asanyarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    device: Any = None,
    copy: Any = None,
    like: Any = None,
) -> Any:
    """As ``numpy.asanyarray``, on arrays, traced values and nested lists of them.

    >>> asanyarray([1.0, 2.0])
    array([1., 2.])
    """
    return array(a, dtype, copy=copy)


@creates(np.ascontiguousarray)
@implements(np.ascontiguousarray, view=True)
def ascontiguousarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """As ``numpy.ascontiguousarray``, on arrays, traced values and nested lists of them.

    >>> ascontiguousarray([1.0, 2.0])
    array([1., 2.])
    """
    return array(a, dtype, copy=False, ndmin=1)


@creates(np.asfortranarray)
@implements(np.asfortranarray, view=True)
def asfortranarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """As ``numpy.asfortranarray``, on arrays, traced values and nested lists of them; the layout
    of traced values is not kept track of.

    >>> asfortranarray([1.0, 2.0])
    array([1., 2.])
    """
    return array(a, dtype, copy=False, ndmin=1)


@creates(np.asarray_chkfinite)
@implements(np.asarray_chkfinite)
def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """As ``numpy.asarray_chkfinite``, on arrays and traced values; it is asked whether all numbers
    are finite.

    >>> asarray_chkfinite([1.0, 2.0])
    array([1., 2.])
    """
    x = array(a, dtype, copy=False)
    if is_inexact(x.dtype) and not bool(np.all(np.isfinite(x))):
        raise ValueError(located("array must not contain infs or NaNs"))
    return x


@creates(np.require)
@implements(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    """As ``numpy.require``, on arrays and traced values, which have no layout to require.

    >>> require([1, 2], float)
    array([1., 2.])
    """
    return array(a, dtype, copy=False)


def isfortran(a: Any) -> bool:
    """As ``numpy.isfortran``, on arrays and traced values; these count as C-contiguous.

    >>> isfortran(np.ones((2, 3), order="F"))
    True
    """
    return not isinstance(a, Tracer) and np.isfortran(a)


@creates(np.fromiter)
def fromiter(iter: Any, dtype: Any, count: int = -1, *, like: Any = None) -> Any:  # noqa: A002
    """As ``numpy.fromiter``, of numbers and traced values.

    >>> fromiter((n * n for n in range(3)), float)
    array([0., 1., 4.])
    """
    items = list(iter if count < 0 else itertools.islice(iter, count))
    if len(items) < count:
        raise ValueError(
            located(
                f"iterator too short: Expected {count} but iterator had only {len(items)} items."
            )
        )
    return array(items, dtype) if has_tracer(items) else np.fromiter(items, dtype, count)


# --- of one value ------------------------------------------------------------------------------


def _like(a: Any, dtype: Any, shape: Any) -> tuple[tuple[int, ...], np.dtype]:
    x = operand(a)
    sizes = x.shape if shape is None else shape_of(shape)
    return sizes, x.dtype if dtype is None else check_dtype(dtype)


@creates(np.zeros_like, 0)
@implements(np.zeros_like)
def zeros_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """As ``numpy.zeros_like``, on arrays and traced values; traced ones can be assigned to it.

    >>> zeros_like(np.array([1.0, 2.0]))
    array([0., 0.])
    """
    return uniform(*_like(a, dtype, shape))


@creates(np.empty_like)
@implements(np.empty_like)
def empty_like(
    prototype: Any,
    /,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """As ``numpy.empty_like``, on arrays and traced values; zeros of traced ones.

    >>> empty_like(np.array([1.0, 2.0]), shape=0)
    array([], dtype=float64)
    """
    return uniform(*_like(prototype, dtype, shape))


@creates(np.ones_like, 1)
@implements(np.ones_like)
def ones_like(
    a: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """As ``numpy.ones_like``, on arrays and traced values; traced ones can be assigned to it.

    >>> ones_like(np.array([1.0, 2.0]))
    array([1., 1.])
    """
    return uniform(*_like(a, dtype, shape), 1)


def _filled(shape: tuple[int, ...], value: Any, dtype: np.dtype) -> Any:
    value = arith.convert_element_type(operand(value), dtype)
    if isinstance(value, Tracer) or value.ndim:
        return promotion.broadcast_to(value, shape)
    return uniform(shape, dtype, value)


@creates(np.full_like)
@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """As ``numpy.full_like``, on arrays and traced values.

    >>> full_like(np.array([1.0, 2.0]), 7)
    array([7., 7.])
    """
    sizes, dtype = _like(a, dtype, shape)
    return _filled(sizes, fill_value, dtype)


@creates(np.full)
@implements(np.full)
def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """As ``numpy.full``, on arrays and traced values.

    >>> full(2, 7.5)
    array([7.5, 7.5])
    """
    value = operand(fill_value)
    return _filled(shape_of(shape), value, value.dtype if dtype is None else check_dtype(dtype))


# --- evenly spaced -----------------------------------------------------------------------------


@creates(np.arange)
@implements(np.arange)
def arange(*args: Any, dtype: Any = None, device: Any = None, like: Any = None) -> Any:
    """As ``numpy.arange``, whose arguments decide the shape and so must be known: where a traced
    one is, its number is taken, without a derivative.

    >>> arange(1, 7, 2)
    array([1, 3, 5])
    """
    known = [a.item() if isinstance(a, Tracer) else a for a in args]
    return np.arange(*known, dtype=dtype)


def _count(num: Any) -> int:
    num = operator.index(num)
    if num < 0:
        raise ValueError(located(f"Number of samples, {num}, must be non-negative."))
    return num


def _type_of(x: Any) -> Any:
    """What takes part in promotion for an argument: a Python number as such."""
    return x if type(x) in (int, float, complex) else type_like(operand(x))


def _spaced(start: Any, stop: Any, num: int, endpoint: bool) -> tuple[Any, Any]:
    """Evenly spaced numbers along a new first axis, and the step."""
    dtype = np.result_type(*map(_type_of, (start, stop)))
    start, stop = broadcast_arrays(start, stop)
    dtype = dtype if is_inexact(dtype) else np.dtype(np.float64)
    start, stop = (arith.convert_element_type(x, dtype) for x in (start, stop))
    shape = (num, *start.shape)
    intervals = num - 1 if endpoint else num
    dims = range(1, len(shape))
    delta = arith.sub(stop, start)
    step: Any = arith.div(delta, dtype.type(intervals)) if intervals > 0 else dtype.type(np.nan)
    places = broadcasted_iota(dtype, shape, 0)
    first = structural.broadcast_in_dim(start, shape, dims)
    by = step if intervals > 0 else delta
    out = arith.add(arith.mul(places, structural.broadcast_in_dim(by, shape, dims)), first)
    if endpoint and num > 1:
        # Exactly the end, as NumPy has it, and not what rounding makes of it.
        last = arith.eq(places, structural.full_like(places, num - 1))
        out = arith.select(last, structural.broadcast_in_dim(stop, shape, dims), out)
    return out, step


def _moved(x: Any, axis: Any) -> Any:
    return moveaxis(x, 0, normal_axis(axis, x.ndim))


@creates(np.linspace)
@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """As ``numpy.linspace``, with start and stop arrays or traced values; differentiable in
    both.

    >>> linspace(0.0, 1.0, 3)
    array([0. , 0.5, 1. ])
    """
    out, step = _spaced(start, stop, _count(num), endpoint)
    out = _moved(out, axis)
    if dtype is not None:
        dtype = check_dtype(dtype)
        out = arith.convert_element_type(ufuncs.floor(out) if dtype.kind in "iu" else out, dtype)
    return (out, step) if retstep else out


@creates(np.logspace)
@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """As ``numpy.logspace``, on arrays and traced values; differentiable in start, stop, base.

    >>> logspace(0.0, 2.0, 3)
    array([  1.,  10., 100.])
    """
    if np.ndim(base):
        start, stop, base = broadcast_arrays(start, stop, base)
        base = structural.expand_dims(base, (axis,))
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    out = ufuncs.power(base, exponents)
    return out if dtype is None else arith.convert_element_type(out, check_dtype(dtype))


@creates(np.geomspace)
@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """As ``numpy.geomspace``, on arrays and traced values; differentiable in start and stop.

    >>> geomspace(1.0, 100.0, 3)
    array([  1.,  10., 100.])
    """
    start, stop = operand(start), operand(stop)
    num = _count(num)
    for end in (start, stop):
        if not isinstance(end, Tracer) and np.any(end == 0):
            raise ValueError(located("Geometric sequence cannot include zero"))
    # NumPy has the dtype's zero take part, which for none given is a float64.
    out_dtype = np.result_type(start.dtype, stop.dtype, np.zeros((), dtype))
    out_dtype = out_dtype if is_inexact(out_dtype) else np.dtype(np.float64)
    wide = arith.convert_element_type(start, out_dtype), arith.convert_element_type(stop, out_dtype)
    start, stop = broadcast_arrays(*wide)
    sign = ufuncs.sign(start)
    ends = [ufuncs.divide(x, sign) for x in (start, stop)]
    out = logspace(ufuncs.log10(ends[0]), ufuncs.log10(ends[1]), num, endpoint)
    out = ufuncs.multiply(out, sign)
    dims = range(1, out.ndim)
    places = broadcasted_iota(np.int64, out.shape, 0)
    if num:
        first = structural.broadcast_in_dim(start, out.shape, dims)
        out = arith.select(arith.eq(places, 0), first, out)
    if num > 1 and endpoint:
        last = structural.broadcast_in_dim(stop, out.shape, dims)
        out = arith.select(arith.eq(places, num - 1), last, out)
    out = _moved(out, axis)
    return out if dtype is None else arith.convert_element_type(out, check_dtype(dtype))


# --- grids and matrices ------------------------------------------------------------------------


@implements(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Any, ...]:
    """As ``numpy.meshgrid``, on arrays and traced values.

    >>> meshgrid(np.array([1, 2]), np.array([3, 4]))
    (array([[1, 2],
           [1, 2]]), array([[3, 3],
           [4, 4]]))
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(located("Valid values for `indexing` are 'xy' and 'ij'."))
    n = len(xi)
    order = list(range(n))
    if indexing == "xy" and n > 1:
        order[:2] = 1, 0
    out = []
    for place, x in zip(order, (operand(x) for x in xi), strict=True):
        shape = tuple(x.size if d == place else 1 for d in range(n))
        out.append(structural.reshape(x, shape))
    return tuple(out) if sparse or n < 2 else broadcast_arrays(*out)


@implements(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:  # noqa: N803  NumPy's name
    """As ``numpy.vander``, on arrays and traced values.

    >>> vander(np.array([2, 3]), 3)
    array([[4, 2, 1],
           [9, 3, 1]])
    """
    x = operand(x)
    if x.ndim != 1:
        raise ValueError(located("x must be a one-dimensional array or sequence."))
    count = x.size if N is None else operator.index(N)
    dtype = np.promote_types(x.dtype, int)
    x = structural.reshape(arith.convert_element_type(x, dtype), (x.size, 1))
    powers = [structural.full_like(x, 1)]
    while len(powers) < count:
        powers.append(arith.mul(powers[-1], x))
    if not count:
        return uniform((x.size, 0), dtype)
    return join(powers if increasing else powers[::-1], 1)
