"""Spectra of segments of a signal: short-time Fourier transforms, Welch's estimates, trends.

Windows, frequencies and times are plain numbers; what depends on the signal may be traced.
"""

# ruff: noqa: A002, N803  SciPy's names

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from operator import index as as_int
from typing import Any

import numpy as np
from scipy import signal as _scipy

from ... import numpy as anp
from ...core.errors import located
from ...lax.windows import overlap_add_p, windows_p
from ...numpy.arguments import normal_axis, operand
from ...numpy.dispatch import implements
from ...numpy.fft import along_axis, fftfreq, rfftfreq, transformable
from ...numpy.manipulation import moveaxis

# --- trends --------------------------------------------------------------------------------------


@implements(_scipy.detrend)
def detrend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False
) -> Any:
    """As ``scipy.signal.detrend``, on arrays and traced values.

    Args:
      data: the signal.
      axis: along which to remove the trend.
      type: "linear", for the line of least squares, or "constant", for the mean.
      bp: where one line ends and the next begins: plain integers.
      overwrite_data: without effect on traced values.

    >>> import numpy as np
    >>> detrend(np.array([0.0, 1.0, 2.0, 4.0]), type="constant")
    array([-1.75, -0.75,  0.25,  2.25])
    """
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError(located("Trend type must be 'linear' or 'constant'."))
    x = operand(data)
    if type[0] == "c":
        return anp.subtract(x, anp.mean(x, axis, keepdims=True))
    x = moveaxis(x if x.dtype.kind in "fc" else anp.astype(x, np.float64), axis, -1)
    size = x.shape[-1]
    breaks = np.unique(np.concatenate(np.atleast_1d(0, np.asarray(bp), size)))
    if breaks[-1] > size:
        raise ValueError(located("Breakpoints must be less than length of data along given axis."))
    parts = []
    for begin, end in itertools.pairwise(breaks):
        part = x[..., begin:end]
        line = np.vander(np.arange(1, end - begin + 1) / (end - begin), 2)
        basis = np.linalg.svd(line, full_matrices=False)[0][:, : min(2, end - begin)]
        basis = basis.astype(x.dtype)
        parts.append(part - (part @ basis) @ basis.T)
    return moveaxis(anp.concatenate(parts, -1), -1, axis)


# --- segments ------------------------------------------------------------------------------------


def _even(x: Any, n: int) -> Any:
    return anp.concatenate([x[..., n:0:-1], x, x[..., -2 : -(n + 2) : -1]], -1)


def _odd(x: Any, n: int) -> Any:
    before = 2 * x[..., :1] - x[..., n:0:-1]
    return anp.concatenate([before, x, 2 * x[..., -1:] - x[..., -2 : -(n + 2) : -1]], -1)


def _constant(x: Any, n: int) -> Any:
    return anp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)], "edge")


def _zeros(x: Any, n: int) -> Any:
    return anp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)])


_EXTENSIONS: dict[Any, Callable[[Any, int], Any]] = {
    "even": _even,
    "odd": _odd,
    "constant": _constant,
    "zeros": _zeros,
}


class _Segments:
    """How a signal is cut into windowed segments.

    Attributes:
      window: the window, of the segments' length.
      size: that length.
      step: from one segment to the next.
      nfft: the length of the transform.
    """

    def __init__(
        self, window: Any, nperseg: Any, noverlap: Any, nfft: Any, length: int | None, default: int
    ):
        named = isinstance(window, str | tuple)
        if nperseg is not None and as_int(nperseg) < 1:
            raise ValueError(located("nperseg must be a positive integer"))
        if named:
            size = default if nperseg is None else as_int(nperseg)
            if length is not None and size > length:
                if nperseg is not None:
                    warnings.warn(
                        f"nperseg={size} is greater than signal length {length=}, using "
                        f"nperseg={length}",
                        stacklevel=4,
                    )
                size = length
            self.window = _scipy.get_window(window, size)
        else:
            self.window = operand(window)
            if self.window.ndim != 1:
                raise ValueError(located("window must be 1-D"))
            size = self.window.shape[0]
            if length is not None and size > length:
                raise ValueError(located("window is longer than input signal"))
            if nperseg is not None and as_int(nperseg) != size:
                raise ValueError(located(f"window must have length of {nperseg}"))
        overlap = size // 2 if noverlap is None else as_int(noverlap)
        if overlap >= size:
            raise ValueError(located("noverlap must be less than nperseg."))
        self.size, self.step = size, size - overlap
        self.nfft = size if nfft is None else as_int(nfft)
        if self.nfft < size:
            raise ValueError(located("nfft must be greater than or equal to nperseg."))

    def transform(self, x: Any, detrend_by: Any, one_sided: bool) -> Any:
        """The transforms of the windowed segments of a signal along its last axis, one for each
        row."""
        ones = (1,) * (x.ndim - 1)
        parts = windows_p.bind(
            x, window=(*ones, self.size), strides=(*ones, self.step), dilation=(*ones, 1)
        )
        parts = anp.reshape(parts, (*parts.shape[: x.ndim], self.size))
        if callable(detrend_by):
            parts = detrend_by(parts)
        elif detrend_by:
            parts = detrend(parts, -1, detrend_by)
        windowed = transformable(anp.multiply(parts, self.window))
        return along_axis(windowed, "rfft" if one_sided else "fft", self.nfft, -1, "backward")

    def frequencies(self, fs: Any, one_sided: bool) -> Any:
        return (rfftfreq if one_sided else fftfreq)(self.nfft, 1 / fs)


def _scale(window: Any, scaling: str, fs: Any, density: str) -> Any:
    """The factor of a power."""
    if scaling == "spectrum":
        return 1 / anp.square(anp.sum(window))
    if scaling != density:
        raise ValueError(located(f"Parameter {scaling=} not in ['spectrum', {density!r}]!"))
    return 1 / (fs * anp.sum(anp.square(window)))


def _signal(x: Any, window: Any, dtype: np.dtype) -> tuple[Any, Any]:
    """A signal and a window in the precision of the result."""
    real = np.finfo(dtype).dtype
    x = anp.astype(x, dtype if x.dtype.kind == "c" else real)
    return x, anp.astype(window, dtype if window.dtype.kind == "c" else real)


@implements(_scipy.stft)
def stft(
    x: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: Any = 256,
    noverlap: Any = None,
    nfft: Any = None,
    detrend: Any = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> tuple[Any, Any, Any]:
    """As ``scipy.signal.stft``, on arrays and traced values.

    >>> import numpy as np
    >>> f, t, z = stft(np.ones(8), nperseg=4)
    >>> f, t, z.shape
    (array([0.  , 0.25, 0.5 ]), array([0., 2., 4., 6., 8.]), (3, 5))
    """
    x = operand(x)
    if boundary is not None and boundary not in _EXTENSIONS:
        raise ValueError(
            located(f"Unknown boundary option '{boundary}', must be one of: {[*_EXTENSIONS, None]}")
        )
    axis = normal_axis(axis, x.ndim)
    segments = _Segments(window, nperseg, noverlap, nfft, x.shape[axis], 256)
    dtype = np.result_type(x.dtype, np.complex64)
    x, segments.window = _signal(moveaxis(x, axis, -1), segments.window, dtype)
    size, step = segments.size, segments.step
    if boundary is not None:
        x = _EXTENSIONS[boundary](x, size // 2)
    if padded:
        x = anp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, (-(x.shape[-1] - size) % step) % size)])
    one_sided = return_onesided and x.dtype.kind != "c"
    out = segments.transform(x, _along(detrend, axis, x.ndim), one_sided)
    density = "density" if scaling == "density" else "psd"
    out = out * anp.sqrt(_scale(segments.window, scaling, fs, density))
    times = np.arange(size / 2, x.shape[-1] - size / 2 + 1, step) / fs
    if boundary is not None:
        times = times - size / 2 / fs
    out = anp.astype(moveaxis(out, -1, axis), dtype)
    return segments.frequencies(fs, one_sided), times, out


def _along(detrend: Any, axis: int, ndim: int) -> Any:
    """A user's detrending function gets the segments' elements where the signal's axis was."""
    if not callable(detrend) or axis == ndim - 1:
        return detrend
    back = axis - ndim
    return lambda parts: moveaxis(detrend(moveaxis(parts, -1, back)), back, -1)


@implements(_scipy.istft)
def istft(
    Zxx: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: Any = None,
    noverlap: Any = None,
    nfft: Any = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> tuple[Any, Any]:
    """As ``scipy.signal.istft``, on arrays and traced values.

    >>> import numpy as np
    >>> t, x = istft(stft(np.arange(8.0), nperseg=4)[2])
    >>> x.round(12) + 0.0
    array([0., 1., 2., 3., 4., 5., 6., 7.])
    """
    z = transformable(Zxx)
    if z.ndim < 2:
        raise ValueError(located("Input stft must be at least 2d!"))
    times, bins = normal_axis(time_axis, z.ndim), normal_axis(freq_axis, z.ndim)
    if times == bins:
        raise ValueError(located("Must specify differing time and frequency axes!"))
    default = 2 * (z.shape[bins] - 1) if input_onesided else z.shape[bins]
    if nfft is None:
        odd = input_onesided and nperseg is not None and as_int(nperseg) == default + 1
        nfft = as_int(nperseg) if odd else default
    if nperseg is None and not isinstance(window, str | tuple):
        nperseg = default
    segments = _Segments(window, nperseg, noverlap, nfft, None, default)
    size, step, win = segments.size, segments.step, segments.window
    z = moveaxis(z, (times, bins), (-2, -1))
    parts = along_axis(z, "irfft" if input_onesided else "ifft", segments.nfft, -1, "backward")
    parts = parts[..., :size]
    win = anp.astype(win, parts.dtype)
    if scaling not in ("spectrum", "psd"):
        raise ValueError(located(f"Parameter {scaling=} not in ['spectrum', 'psd']!"))
    if scaling == "spectrum":
        parts = parts * anp.sum(win)
    else:
        parts = parts * anp.sqrt(anp.multiply(fs, anp.sum(win**2)))
    x = _added(parts * win, step)
    norm = _added(anp.broadcast_to(win**2, (parts.shape[-2], size)), step)
    if boundary:
        half = slice(size // 2, -(size // 2))
        x, norm = x[..., half], norm[half]
    x = x / anp.where(norm > 1e-10, norm, 1)
    length = x.shape[-1]
    if x.ndim > 1 and times != z.ndim - 1:
        x = moveaxis(x, -1, times - (bins < times))
        length = x.shape[0]  # as SciPy has it
    elif x.ndim > 1:
        length = x.shape[0]
    return np.arange(length) / fs, x


def _added(parts: Any, step: int) -> Any:
    """Segments, one for each row, added up where they overlap."""
    count, size = parts.shape[-2:]
    ones = (1,) * (parts.ndim - 2)
    shape = (*parts.shape[:-2], size + (count - 1) * step)
    parts = anp.reshape(anp.asarray(parts), (*parts.shape[:-1], *ones, size))
    params = {"window": (*ones, size), "strides": (*ones, step), "dilation": (*ones, 1)}
    return overlap_add_p.bind(parts, shape=shape, **params)


# --- power ---------------------------------------------------------------------------------------


@implements(_scipy.csd)
def csd(
    x: Any,
    y: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: Any = None,
    noverlap: Any = None,
    nfft: Any = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:
    """As ``scipy.signal.csd``, on arrays and traced values.

    >>> import numpy as np
    >>> f, p = csd(np.arange(8.0), np.arange(8.0) ** 2, nperseg=4)
    >>> f, p.shape
    (array([0.  , 0.25, 0.5 ]), (3,))
    """
    same = x is y
    x = operand(x)
    y = x if same else operand(y)
    dtype = np.result_type(x.dtype, y.dtype, np.complex64)
    rank = max(x.ndim, y.ndim)
    place = normal_axis(axis, rank)
    x, y = moveaxis(x, axis, -1), moveaxis(y, axis, -1)
    length = max(x.shape[-1], y.shape[-1])
    segments = _Segments(window, nperseg, noverlap, nfft, length, 256)
    win = segments.window
    one_sided = return_onesided and "c" not in (x.dtype.kind, y.dtype.kind)
    spectra = []
    for z in (x,) if same else (x, y):
        z, segments.window = _signal(z, win, dtype)
        z = anp.pad(z, [(0, 0)] * (z.ndim - 1) + [(0, length - z.shape[-1])])
        spectra.append(segments.transform(z, _along(detrend, place, rank), one_sided))
    power = _power(spectra[0]) if same else anp.conj(spectra[0]) * spectra[1]
    power = power * _scale(segments.window, scaling, fs, "density")
    if one_sided:
        bins = power.shape[-1]
        # All but the first, and the last of an even number, stand for two.
        paired = np.arange(bins) > 0
        if segments.nfft % 2 == 0:
            paired[-1] = False
        power = power * np.where(paired, 2, 1).astype(np.finfo(dtype).dtype)
    out = moveaxis(_averaged(power, average), -1, place)
    return segments.frequencies(fs, one_sided), anp.astype(
        out, dtype if out.dtype.kind == "c" else np.finfo(dtype).dtype
    )


def _power(z: Any) -> Any:
    return anp.square(anp.real(z)) + anp.square(anp.imag(z))


def _averaged(power: Any, average: str) -> Any:
    """The average over segments, those being the last axis but one."""
    count = power.shape[-2]
    if average not in ("mean", "median"):
        raise ValueError(located(f"Parameter {average=} must be 'median' or 'mean'!"))
    if average == "mean" or count == 1:
        return anp.mean(power, -2)
    # The expected median of powers of noise, relative to their mean.
    pairs = 2.0 * np.arange(1, (count - 1) // 2 + 1)
    bias = 1 + np.sum(1 / (pairs + 1) - 1 / pairs)
    if power.dtype.kind != "c":
        return anp.median(power, -2) / bias
    real, imag = (anp.median(part(power), -2) / bias for part in (anp.real, anp.imag))
    return real + 1j * imag


@implements(_scipy.welch)
def welch(
    x: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: Any = None,
    noverlap: Any = None,
    nfft: Any = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:
    """As ``scipy.signal.welch``, on arrays and traced values.

    >>> import numpy as np
    >>> f, p = welch(np.cos(np.pi * np.arange(16)), nperseg=8)
    >>> f[np.argmax(p)]
    np.float64(0.5)
    """
    x = operand(x)
    return csd(
        x, x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average
    )


@implements(_scipy.periodogram)
def periodogram(
    x: Any,
    fs: Any = 1.0,
    window: Any = "boxcar",
    nfft: Any = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Any, Any]:
    """As ``scipy.signal.periodogram``, on arrays and traced values.

    >>> import numpy as np
    >>> f, p = periodogram(np.cos(np.pi * np.arange(4)))
    >>> p.round(12)
    array([0., 0., 4.])
    """
    x = operand(x)
    size = x.shape[axis]
    if nfft is not None and nfft < size:
        index = [slice(None)] * x.ndim
        index[axis] = slice(0, nfft)
        x, size, nfft = x[tuple(index)], nfft, None
    window = "boxcar" if window is None else window
    return welch(x, fs, window, size, 0, nfft, detrend, return_onesided, scaling, axis)


@implements(_scipy.hilbert)
def hilbert(x: Any, N: Any = None, axis: int = -1) -> Any:
    """As ``scipy.signal.hilbert``, on arrays and traced values.

    >>> import numpy as np
    >>> hilbert(np.array([1.0, 0.0, -1.0, 0.0])).round(12) + 0.0
    array([ 1.+0.j,  0.+1.j, -1.+0.j,  0.-1.j])
    """
    x = transformable(x)
    if x.dtype.kind == "c":
        raise ValueError(located("x must be real."))
    size = x.shape[axis] if N is None else as_int(N)
    if size <= 0:
        raise ValueError(located("N must be positive."))
    spectrum = moveaxis(along_axis(x, "fft", size, axis, "backward"), axis, -1)
    places = np.arange(size)
    weights = np.where(2 * places < size, 2, 0) + (2 * places == size) - (places == 0)
    analytic = spectrum * weights.astype(x.dtype)
    return moveaxis(along_axis(analytic, "ifft", None, -1, "backward"), -1, axis)
