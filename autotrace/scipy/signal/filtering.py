"""Linear filters along an axis."""

from __future__ import annotations

from operator import index as as_int
from typing import Any

import numpy as np
from scipy import signal as _scipy

from ... import numpy as anp
from ...core.errors import located
from ...lax.scanning import scan
from ...numpy.arguments import common_dtype, normal_axis, operand
from ...numpy.dispatch import implements
from ...numpy.manipulation import moveaxis
from .. import ndimage


@implements(_scipy.lfilter)
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """As ``scipy.signal.lfilter``, on arrays and traced values: a loop along the axis.

    Args:
      b, a: the coefficients of the filter's numerator and denominator.
      x: the signal.
      axis: along which to filter.
      zi: the state to begin with, of shape ``max(len(a), len(b)) - 1`` along the axis; zero, and
        none is returned, when None.

    Returns:
      The filtered signal; with ``zi`` also the state at the end.

    Raises:
      ValueError: when there are no coefficients, or the state does not fit.

    >>> import numpy as np
    >>> lfilter([1.0], [1.0, -0.5], np.array([1.0, 0.0, 0.0]))
    array([1.  , 0.5 , 0.25])
    """
    given = [operand(z) for z in (b, a, x) + (() if zi is None else (zi,))]
    inexact = [z if z.dtype.kind in "fc" else anp.astype(z, np.float64) for z in given]
    b, a, x, *rest = common_dtype(inexact)
    if b.ndim > 1 or a.ndim > 1:
        raise ValueError(located("object of too small depth for desired array"))
    b, a = anp.atleast_1d(b), anp.atleast_1d(a)
    if not a.size or not b.size:
        raise ValueError(located("lfilter: the coefficients cannot be empty"))
    axis = normal_axis(axis, x.ndim)
    order = max(a.shape[0], b.shape[0]) - 1
    b, a = (anp.pad(z / a[0], (0, order + 1 - z.shape[0])) for z in (b, a))
    x = moveaxis(x, axis, 0)
    start = np.zeros((order, *x.shape[1:]), x.dtype)
    if rest:
        state = moveaxis(rest[0], axis, 0) if rest[0].ndim == x.ndim else rest[0]
        if state.ndim != x.ndim or state.shape[0] != order:
            raise ValueError(
                located(f"Unexpected shape for zi: expected {order} along the axis, got {zi.shape}")
            )
        start = anp.broadcast_to(state, start.shape)
    column = (order, *(1,) * (x.ndim - 1))
    feed, back = anp.reshape(b[1:], column), anp.reshape(a[1:], column)
    none = np.zeros((1, *x.shape[1:]), x.dtype)

    def turn(state: Any, now: Any) -> tuple[Any, Any]:
        if not order:
            return state, b[0] * now
        out = b[0] * now + state[0]
        return anp.concatenate([state[1:], none]) + feed * now - back * out, out

    end, out = scan(turn, start, x)
    out = moveaxis(out, 0, axis)
    return (out, moveaxis(end, 0, axis)) if rest else out


_SAVGOL_MODES = ("mirror", "constant", "nearest", "interp", "wrap")


@implements(_scipy.savgol_filter)
def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: Any = 0.0,
) -> Any:
    """As ``scipy.signal.savgol_filter``, on arrays and traced values.

    >>> import numpy as np
    >>> savgol_filter(np.arange(6.0) ** 2, 5, 2, deriv=1).round(12) + 0.0
    array([ 0.,  2.,  4.,  6.,  8., 10.])
    """
    if mode not in _SAVGOL_MODES:
        raise ValueError(
            located("mode must be 'mirror', 'constant', 'nearest' 'wrap' or 'interp'.")
        )
    x = operand(x)
    if x.dtype not in (np.float32, np.float64):
        x = anp.astype(x, np.float64)
    axis, length = normal_axis(axis, x.ndim), as_int(window_length)
    kernel = _scipy.savgol_coeffs(length, polyorder, deriv=deriv, delta=delta)
    if mode != "interp":
        return ndimage.convolve1d(x, kernel, axis, mode=mode, cval=cval)
    size = x.shape[axis]
    if length > size:
        raise ValueError(
            located(
                "If mode is 'interp', window_length must be less than or equal to the size of x."
            )
        )
    out = moveaxis(ndimage.convolve1d(x, kernel, axis, mode="constant"), axis, -1)
    x, half = moveaxis(x, axis, -1), length // 2
    # At the ends, the values of the polynomial of least squares through the outermost window.
    fit = np.stack(
        [
            _scipy.savgol_coeffs(length, polyorder, deriv=deriv, delta=delta, pos=n, use="dot")
            for n in range(length)
        ]
    ).astype(x.dtype)
    first = x[..., :length] @ fit[:half].T
    last = x[..., size - length :] @ fit[length - half :].T
    joined = anp.concatenate([first, out[..., half : size - half], last], -1)
    return moveaxis(joined, -1, axis)
