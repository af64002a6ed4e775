"""Convolution and correlation, direct and by Fourier transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import signal as _scipy
from scipy.fft import next_fast_len

from ... import numpy as anp
from ...core.errors import located
from ...lax import slicing
from ...numpy.arguments import common_dtype, normal_axes, operand
from ...numpy.dispatch import implements
from ...numpy.fft import over_axes
from .._correlating import correlated

#: Up to so many elements of the smaller array the sum over them is faster than transforms.
_DIRECT = 256
_MODES = ("full", "valid", "same")


def _check_mode(mode: Any) -> str:
    if mode not in _MODES:
        raise ValueError(located("acceptable mode flags are 'valid', 'same', or 'full'"))
    return mode


def _operands(name: str, in1: Any, in2: Any) -> list[Any]:
    x, y = operand(in1), operand(in2)
    if x.ndim != y.ndim:
        raise ValueError(located(f"{name}: the operands should have the same dimensionality"))
    return common_dtype([x, y])


def reversed_conj(x: Any) -> Any:
    """An array turned around in all dimensions, and conjugated."""
    x = slicing.rev(x, range(x.ndim))
    return anp.conj(x) if x.dtype.kind == "c" else x


def _part(name: str, mode: str, sizes: Sequence[int], others: Sequence[int]) -> list[tuple]:
    """Which part of the full convolution a mode asks for: first place and number, by dimension.

    Raises:
      ValueError: for "valid" where neither array is larger in each dimension.
    """
    if mode == "full":
        return [(0, n + m - 1) for n, m in zip(sizes, others, strict=True)]
    if mode == "same":
        return [((m - 1) // 2, n) for n, m in zip(sizes, others, strict=True)]
    pairs = list(zip(sizes, others, strict=True))
    if any(n < m for n, m in pairs) and any(n > m for n, m in pairs):
        raise ValueError(
            located(
                f"{name}: for 'valid' mode, one must be at least as large as the other in every "
                f"dimension, got shapes {tuple(sizes)} and {tuple(others)}"
            )
        )
    return [(min(n, m) - 1, abs(n - m) + 1) for n, m in pairs]


def _direct(x: Any, y: Any, part: Sequence[tuple]) -> Any:
    if y.size > x.size:
        x, y = y, x
    config = [
        (m - 1 - first, first + count - n, 0)
        for (first, count), n, m in zip(part, x.shape, y.shape, strict=True)
    ]
    return correlated(slicing.pad(x, x.dtype.type(0), config), slicing.rev(y, range(y.ndim)))


def _by_transforms(x: Any, y: Any, axes: Sequence[int], part: Sequence[tuple]) -> Any:
    """A convolution over some axes, the others being broadcast, by Fourier transforms."""
    kinds = ("fft", "ifft") if x.dtype.kind == "c" else ("rfft", "irfft")
    real = kinds[0] == "rfft"
    lengths = [x.shape[d] + y.shape[d] - 1 for d in axes]
    fast = [next_fast_len(n, real and d == axes[-1]) for n, d in zip(lengths, axes, strict=True)]
    product = anp.multiply(*(over_axes(z, kinds[0], fast, axes, "backward") for z in (x, y)))
    out = over_axes(product, kinds[1], fast, axes, "backward")
    index = [slice(None)] * out.ndim
    for d, (first, count) in zip(axes, part, strict=True):
        index[d] = slice(first, first + count)
    return out[tuple(index)]


def _inexact(x: Any) -> Any:
    return x if x.dtype.kind in "fc" else anp.astype(x, np.float64)


@implements(_scipy.convolve)
def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """As ``scipy.signal.convolve``, on arrays and traced values.

    Args:
      in1, in2: arrays with as many dimensions as each other.
      mode: "full", "valid" or "same".
      method: "direct", "fft" or "auto", which takes transforms where both arrays are large.

    Returns:
      The convolution.

    Raises:
      ValueError: for other modes or methods, and for arrays that do not fit each other.

    >>> import numpy as np
    >>> convolve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5]), "same")
    array([1. , 2.5, 4. ])
    """
    x, y = _operands("convolve", in1, in2)
    _check_mode(mode)
    if method not in ("auto", "direct", "fft"):
        raise ValueError(located("Acceptable method flags are 'auto', 'direct', or 'fft'."))
    if not x.ndim:
        return x * y
    if not x.size or not y.size:
        raise ValueError(located("convolve: the arrays cannot be empty"))
    part = _part("convolve", mode, x.shape, y.shape)
    exact = x.dtype.kind in "biu"
    small = math.prod(map(min, x.shape, y.shape)) <= _DIRECT
    if method == "direct" or (method == "auto" and (exact or small)):
        return _direct(x, y, part)
    out = _by_transforms(_inexact(x), _inexact(y), range(x.ndim), part)
    return anp.astype(anp.round(out), x.dtype) if exact else out


@implements(_scipy.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """As ``scipy.signal.correlate``, on arrays and traced values.

    >>> import numpy as np
    >>> correlate(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5]), "valid")
    array([3.5])
    """
    x, y = _operands("correlate", in1, in2)
    return convolve(x, reversed_conj(y), mode, method)


@implements(_scipy.fftconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """As ``scipy.signal.fftconvolve``, on arrays and traced values.

    >>> import numpy as np
    >>> fftconvolve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5])).round(12) + 0.0
    array([0. , 1. , 2.5, 4. , 1.5])
    """
    x, y = (_inexact(z) for z in _operands("fftconvolve", in1, in2))
    _check_mode(mode)
    if not x.ndim:
        return x * y
    if not x.size or not y.size:
        return np.zeros(0)
    where = normal_axes(tuple(range(x.ndim)) if axes is None else axes, x.ndim)
    if not where:
        raise ValueError(located("fftconvolve: when provided, axes cannot be empty"))
    outer = [d for d in range(x.ndim) if d not in where]
    if any(1 not in (x.shape[d], y.shape[d]) and x.shape[d] != y.shape[d] for d in outer):
        raise ValueError(
            located(f"fftconvolve: incompatible shapes for in1 and in2: {x.shape} and {y.shape}")
        )
    part = _part("fftconvolve", mode, [x.shape[d] for d in where], [y.shape[d] for d in where])
    return _by_transforms(x, y, where, part)


@implements(_scipy.oaconvolve)
def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """As ``scipy.signal.oaconvolve``; of traced values by one transform of the whole length.

    >>> import numpy as np
    >>> oaconvolve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.5])).round(12) + 0.0
    array([0. , 1. , 2.5, 4. , 1.5])
    """
    return fftconvolve(in1, in2, mode, axes)


# --- two dimensions ------------------------------------------------------------------------------

_BOUNDARIES = {"fill": "constant", "wrap": "wrap", "symm": "symmetric"}


def _in_two_dimensions(
    name: str, x: Any, y: Any, mode: str, boundary: str, fillvalue: Any, part: Sequence[tuple]
) -> Any:
    """A convolution of ``x`` continued beyond its borders with ``y``."""
    if boundary not in _BOUNDARIES:
        raise ValueError(
            located(f"{name}: acceptable boundary flags are 'fill', 'circular' (or 'wrap'), 'symm'")
        )
    if mode == "valid":
        return _direct(x, y, part)
    around = [(m - 1, m - 1) for m in y.shape]
    options = {"constant_values": fillvalue} if boundary == "fill" else {}
    wide = anp.pad(x, around, _BOUNDARIES[boundary], **options)
    ends = [first + count + m - 1 for (first, count), m in zip(part, y.shape, strict=True)]
    places = [slice(first, end) for (first, _), end in zip(part, ends, strict=True)]
    return correlated(wide[tuple(places)], slicing.rev(y, (0, 1)))


def _two_dimensions(name: str, in1: Any, in2: Any) -> list[Any]:
    x, y = _operands(name, in1, in2)
    if x.ndim != 2:
        raise ValueError(located(f"{name} inputs must both be 2-D arrays"))
    return [x, y]


@implements(_scipy.convolve2d)
def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """As ``scipy.signal.convolve2d``, on arrays and traced values.

    >>> import numpy as np
    >>> convolve2d(np.eye(2), np.array([[1.0, 10.0]]), "same", boundary="wrap")
    array([[ 1., 10.],
           [10.,  1.]])
    """
    x, y = _two_dimensions("convolve2d", in1, in2)
    part = _part("convolve2d", _check_mode(mode), x.shape, y.shape)
    return _in_two_dimensions("convolve2d", x, y, mode, boundary, fillvalue, part)


@implements(_scipy.correlate2d)
def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """As ``scipy.signal.correlate2d``, on arrays and traced values.

    >>> import numpy as np
    >>> correlate2d(np.eye(2), np.array([[1.0, 10.0]]), "valid")
    array([[ 1.],
           [10.]])
    """
    x, y = _two_dimensions("correlate2d", in1, in2)
    part = _part("correlate2d", _check_mode(mode), x.shape, y.shape)
    if mode == "same":
        part = [(m // 2, n) for n, m in zip(x.shape, y.shape, strict=True)]
    if mode == "valid" and any(m > n for n, m in zip(x.shape, y.shape, strict=True)):
        x, y = anp.conj(x), anp.conj(y)  # SciPy takes the conjugate of the smaller one
    turned = reversed_conj(y)
    return _in_two_dimensions("correlate2d", x, turned, mode, boundary, fillvalue, part)
