"""Convolutions, windows that slide, window functions, and phases without jumps."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import uniform
from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax.dynamic_slicing import dynamic_slice
from ..lax.elementary import bessel_i
from ..lax.scanning import scan
from ..lax.slicing import pad, rev, slice_in_dim
from ..lax.structural import reshape, zeros_like
from ..lax.windows import windows_p
from . import ufuncs
from .arguments import common_dtype, normal_axis, operand
from .creation import creates, zeros
from .dispatch import implements
from .manipulation import atleast_1d
from .running import cumsum, diff

# --- convolutions ------------------------------------------------------------------------------


def _mode(name: str, mode: Any) -> str:
    modes = ("valid", "same", "full")
    if isinstance(mode, str) and mode[:1].lower() in "vsf" and mode:
        return next(m for m in modes if m[0] == mode[0].lower())
    if isinstance(mode, int | np.integer) and 0 <= mode < 3:
        return modes[mode]
    raise ValueError(located(f"{name}: mode must be one of 'valid', 'same', or 'full'"))


def _vector(x: Any) -> Any:
    x = operand(x)
    if x.ndim != 1:
        what = "object too deep" if x.ndim else "object of too small depth"
        raise ValueError(located(f"{what} for desired array"))
    return x


def _asked(n: int, m: int, mode: str, from_end: bool) -> tuple[int, int]:
    """Which elements of the full convolution of vectors of n and m elements a mode asks for."""
    long, short = max(n, m), min(n, m)
    if mode == "full":
        return 0, n + m - 1
    if mode == "valid":
        return short - 1, long
    start = short // 2 if from_end else (short - 1) // 2
    return start, start + long


def _convolved(x: Any, y: Any, mode: str, from_end: bool = False) -> Any:
    """The sum of a vector's copies, shifted and multiplied by each element of a shorter one."""
    start, stop = _asked(x.shape[0], y.shape[0], mode, from_end)
    if x.shape[0] < y.shape[0]:
        x, y = y, x
    last = y.shape[0] - 1
    is_bool = x.dtype.kind == "b"
    times, plus = (arith.bitwise_and, arith.bitwise_or) if is_bool else (arith.mul, arith.add)
    padded = pad(x, arith.constant(0, x), ((last, last, 0),))

    def turn(carry: Any, factor: Any) -> tuple[Any, None]:
        total, place = carry
        part = dynamic_slice(padded, (place,), (stop - start,))
        return (plus(total, times(part, factor)), arith.sub(place, 1)), None

    first = (uniform((stop - start,), x.dtype), np.int64(last + start))
    return scan(turn, first, y)[0][0]


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """As ``numpy.convolve``, on arrays and traced values.

    >>> convolve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5]))
    array([0. , 1. , 2.5, 4. , 1.5])
    """
    mode = _mode("numpy.convolve", mode)
    x, y = common_dtype([_vector(atleast_1d(z)) for z in (a, v)])
    for name, z in (("a", x), ("v", y)):
        if not z.shape[0]:
            raise ValueError(located(f"{name} cannot be empty"))
    return _convolved(x, y, mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """As ``numpy.correlate``, on arrays and traced values.

    >>> correlate(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5]), "same")
    array([2. , 3.5, 3. ])
    """
    mode = _mode("numpy.correlate", mode)
    x, y = common_dtype([_vector(a), _vector(v)])
    n, m = x.shape[0], y.shape[0]
    if not n or not m:
        raise ValueError(
            located(f"{'first' if not n else 'second'} array argument cannot be empty")
        )
    turned = rev(y, (0,))
    turned = arith.conj(turned) if turned.dtype.kind == "c" else turned
    return _convolved(x, turned, mode, from_end=n < m)


# --- windows that slide ------------------------------------------------------------------------


@implements(np.lib.stride_tricks.sliding_window_view, view=True)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """As ``numpy.lib.stride_tricks.sliding_window_view``, on arrays and traced values; of these a
    result is never writeable.

    >>> sliding_window_view(np.array([1, 2, 3, 4]), 3)
    array([[1, 2, 3],
           [2, 3, 4]])
    """
    x = operand(x)
    if subok or writeable:
        raise TypeError(located("sliding_window_view: no subok and writeable on traced values"))
    sizes = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = range(x.ndim) if axis is None else axis if np.iterable(axis) else (axis,)
    axes = [normal_axis(a, x.ndim) for a in axes]
    if len(sizes) != len(axes):
        raise ValueError(
            located(
                f"sliding_window_view: window_shape has {len(sizes)} elements for {len(axes)} axes",
                "What to do: give a size for each axis; axis=None means all axes.",
            )
        )
    for along, size in zip(axes, map(operator.index, sizes), strict=True):
        if not 0 <= size <= x.shape[along]:
            raise ValueError(
                located(
                    f"sliding_window_view: a window of {size} elements along axis {along}, which "
                    f"has {x.shape[along]}"
                )
            )
        x = _windows_along(x, along, size)
    return x


def _windows_along(x: Any, axis: int, size: int) -> Any:
    """What windows along one axis show, as one more axis at the end."""
    if size == 0:
        shape = (*x.shape[:axis], x.shape[axis] + 1, *x.shape[axis + 1 :], 0)
        return zeros(shape, x.dtype)
    ones = (1,) * x.ndim
    window = (*ones[:axis], size, *ones[axis + 1 :])
    seen = windows_p.bind(x, window=window, strides=ones, dilation=ones)
    return reshape(seen, (*seen.shape[: x.ndim], size))


# --- Bessel's function, and Kaiser's window of it ----------------------------------------------


@implements(np.i0)
def i0(x: Any) -> Any:
    """As ``numpy.i0``, on real arrays and traced values.

    >>> i0(np.array([0.0, 1.0])).round(6)
    array([1.      , 1.266066])
    """
    x = operand(x)
    if x.dtype.kind == "c":
        raise TypeError(located("i0 not supported for complex values"))
    if x.dtype.kind != "f":
        x = arith.convert_element_type(x, np.float64)
    return bessel_i(0, x)


@creates(np.kaiser)
@implements(np.kaiser)
def kaiser(M: Any, beta: Any) -> Any:  # noqa: N803  NumPy's name
    """As ``numpy.kaiser``, differentiable in ``beta``; of a traced number of points the number is
    asked for.

    >>> kaiser(3, 8.6).round(6)
    array([0.001333, 1.      , 0.001333])
    """
    size = M.item() if isinstance(M, Tracer) else M
    if size < 1:
        return np.zeros(0)
    if size == 1:
        return np.ones(1)
    half = (size - 1) / 2.0
    across = np.sqrt(1 - ((np.arange(size) - half) / half) ** 2)
    beta = ufuncs.multiply(beta, 1.0)
    return ufuncs.divide(i0(ufuncs.multiply(across, beta)), i0(beta))


# --- windows -----------------------------------------------------------------------------------


def _window(numpy_function: Callable, example: str) -> Callable:
    def function(M: Any) -> Any:  # noqa: N803  NumPy's name
        return numpy_function(M.item())

    name = numpy_function.__name__
    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"As ``numpy.{name}``; the number of points decides the shape: of a traced one the number "
        f"is asked for.\n\n    >>> {example}\n    "
    )
    return implements(numpy_function)(function)


bartlett = _window(np.bartlett, "bartlett(3)\n    array([0., 1., 0.])")
hanning = _window(np.hanning, "hanning(3)\n    array([0., 1., 0.])")
hamming = _window(np.hamming, "hamming(3)\n    array([0.08, 1.  , 0.08])")
blackman = _window(np.blackman, "blackman(3).round(12) + 0.0\n    array([0., 1., 0.])")


# --- phases ------------------------------------------------------------------------------------


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """As ``numpy.unwrap``, on arrays and traced values.

    >>> unwrap(np.array([0.0, 2.0, 4.0, 6.0, 1.0]), period=7)
    array([0., 2., 4., 6., 8.])
    """
    x = operand(p)
    axis = normal_axis(axis, x.ndim)
    steps = diff(x, axis=axis)
    dtype = np.result_type(steps.dtype, operand(period).dtype if np.ndim(period) else period)
    whole = dtype.kind in "iu"
    half = ufuncs.floor_divide(period, 2) if whole else ufuncs.divide(period, 2)
    # For an even whole period the ends of the interval are both among the numbers.
    ambiguous = not whole or not (period % 2)
    short = ufuncs.subtract(ufuncs.mod(ufuncs.add(steps, half), period), half)
    if ambiguous:
        at_end = ufuncs.logical_and(
            ufuncs.equal(short, ufuncs.negative(half)), ufuncs.greater(steps, 0)
        )
        short = ufuncs.where(at_end, half, short)
    turns = ufuncs.subtract(short, steps)
    small = ufuncs.less(ufuncs.absolute(steps), half if discont is None else discont)
    turns = ufuncs.where(small, zeros_like(turns), turns)
    moved = ufuncs.add(
        slice_in_dim(x, min(1, x.shape[axis]), x.shape[axis], 1, axis), cumsum(turns, axis)
    )
    moved = arith.convert_element_type(moved, dtype)
    first = arith.convert_element_type(slice_in_dim(x, 0, min(1, x.shape[axis]), 1, axis), dtype)
    return np.concatenate([first, moved], axis=axis)
