"""``numpy.fft`` on arrays and on traced values; plain ``numpy.fft`` calls come here too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import fourier, slicing
from .arguments import normal_axes, normal_axis, operand
from .dispatch import implements, store
from .manipulation import astype
from .picking import roll
from .promotion import to_dtype

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

_numpy = np.fft
_HALF = np.dtype(np.float16)
_SINGLE = np.dtype(np.float32)


def transformable(x: Any) -> Any:
    """An operand in a dtype that has transforms: integers become float64, half precision single."""
    x = operand(x)
    if x.dtype.kind not in "fc":
        return arith.convert_element_type(x, np.float64)
    return arith.convert_element_type(x, _SINGLE) if x.dtype == _HALF else x


def _as_complex(x: Any) -> Any:
    return x if x.dtype.kind == "c" else to_dtype(x, np.result_type(x.dtype, np.complex64))


def known_norm(norm: Any) -> str:
    """A ``norm`` argument, its default filled in.

    Raises:
      ValueError: for an unknown one.
    """
    norm = "backward" if norm is None else norm
    if norm not in fourier.SWAPPED:
        raise ValueError(
            located(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
        )
    return norm


def resized(x: Any, axis: int, size: int) -> Any:
    """An array cut, or continued with zeros, along one axis."""
    change = size - x.shape[axis]
    if not change:
        return x
    config = [(0, change if d == axis else 0, 0) for d in range(x.ndim)]
    return slicing.pad(x, x.dtype.type(0), config)


def check_length(n: int) -> int:
    """The number of points of a transform.

    Raises:
      ValueError: when there are none.
    """
    if n < 1:
        raise ValueError(located(f"Invalid number of FFT data points ({n}) specified."))
    return n


def sizes_and_axes(
    x: Any, s: Any, axes: Any, half: bool = False
) -> tuple[list[int], tuple[int, ...]]:
    """How long the axes of a transform over several are, and which they are.

    Args:
      x: the operand.
      s, axes: as in ``numpy.fft.fftn``.
      half: whether the last axis is the half that "irfft" takes.
    """
    if axes is None:
        axes = range(x.ndim if s is None else len(s))
        axes = [d - len(axes) for d in axes]
    where = tuple(normal_axis(d, x.ndim) for d in axes)
    given = [-1] * len(where) if s is None else [-1 if n is None else as_int(n) for n in s]
    if len(given) != len(where):
        raise ValueError(located("Shape and axes have different lengths."))
    sizes = [x.shape[d] if n == -1 else n for n, d in zip(given, where, strict=True)]
    if half and s is None and where:
        sizes[-1] = 2 * (x.shape[where[-1]] - 1)
    return [check_length(n) for n in sizes], where


def over_axes(x: Any, kind: str, sizes: Sequence[int], axes: Sequence[int], norm: str) -> Any:
    """Transform over several axes; over one that comes twice, twice.

    Args:
      x: the operand, in a dtype that has transforms.
      kind: "fft", "ifft", "rfft" or "irfft".
      sizes: how many elements to transform along each axis.
      axes: counted from the front.
      norm: a known one.
    """
    if not axes:
        if kind in ("rfft", "irfft"):
            raise IndexError(located(f"{kind}n: at least one axis must be transformed"))
        return x
    if kind == "rfft" and x.dtype.kind == "c":
        raise TypeError(located(f"rfft takes real numbers, got an array of {x.dtype}"))
    if kind == "irfft":
        x = _as_complex(x)
    if len(set(axes)) < len(axes):
        # The half comes last, or goes first, as for different axes.
        order = list(zip(sizes, axes, strict=True))
        half = [(kind, order.pop())] if kind in ("rfft", "irfft") else []
        whole = [(kind.replace("r", ""), step) for step in order]
        steps = whole + half if kind == "irfft" else half + whole[::-1]
        for step_kind, (size, axis) in steps:
            x = over_axes(x, step_kind, [size], [axis], norm)
        return x
    for size, axis in zip(sizes, axes, strict=True):
        is_half = kind == "irfft" and axis == axes[-1]
        x = resized(x, axis, size // 2 + 1 if is_half else size)
    return fourier.transform(x, kind, axes, sizes[-1], norm)


def along_axis(x: Any, kind: str, n: Any, axis: int, norm: str) -> Any:
    """Transform along one axis; see ``over_axes``."""
    axis = normal_axis(axis, x.ndim)
    if n is None:
        n = 2 * (x.shape[axis] - 1) if kind == "irfft" else x.shape[axis]
    return over_axes(x, kind, [check_length(as_int(n))], [axis], norm)


def hermitian(x: Any, n: Any, axis: int, norm: str) -> Any:
    """The transform of a signal of which the first half is given, as real numbers."""
    return along_axis(arith.conj(_as_complex(x)), "irfft", n, axis, fourier.SWAPPED[norm])


def inverse_hermitian(x: Any, n: Any, axis: int, norm: str) -> Any:
    """What ``hermitian`` takes, from what it gives."""
    return arith.conj(along_axis(x, "rfft", n, axis, fourier.SWAPPED[norm]))


def _halved(result: Any, x: Any, count: int) -> Any:
    """A result in half precision where NumPy's is: real, from that, by one transform."""
    halved = x.dtype == _HALF and result.dtype.kind == "f" and count == 1
    return arith.convert_element_type(result, _HALF) if halved else result


def _single(
    name: str, function: Callable[[Any, Any, int, str], Any], example: str, shown: str
) -> Callable:
    """``numpy.fft``'s function along one axis."""

    def single(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
        x = operand(a)
        result = function(transformable(x), n, axis, known_norm(norm))
        result = _halved(result, x, 1)
        return result if out is None else store(f"numpy.fft.{name}", result, out)

    return _public(name, single, example, shown)


def _several(name: str, kind: str, axes: Any, example: str, shown: str) -> Callable:
    """``numpy.fft``'s function over several axes."""
    default = axes

    def several(
        a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None
    ) -> Any:
        x = operand(a)
        sizes, where = sizes_and_axes(x, s, axes, kind == "irfft")
        result = over_axes(transformable(x), kind, sizes, where, known_norm(norm))
        result = _halved(result, x, len(where))
        return result if out is None else store(f"numpy.fft.{name}", result, out)

    return _public(name, several, example, shown)


def _public(name: str, function: Callable, example: str, shown: str) -> Callable:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""As ``numpy.fft.{name}``, on arrays and traced values.

    >>> {example}
    {shown}
    """
    return implements(getattr(_numpy, name))(function)


def _of_kind(kind: str) -> Callable[[Any, Any, int, str], Any]:
    return lambda x, n, axis, norm: along_axis(x, kind, n, axis, norm)


fft = _single("fft", _of_kind("fft"), "fft([1.0, 2.0])", "array([ 3.+0.j, -1.+0.j])")
ifft = _single("ifft", _of_kind("ifft"), "ifft([1.0, 2.0])", "array([ 1.5+0.j, -0.5+0.j])")
rfft = _single("rfft", _of_kind("rfft"), "rfft([1.0, 2.0])", "array([ 3.+0.j, -1.+0.j])")
irfft = _single("irfft", _of_kind("irfft"), "irfft([1.0, 2.0])", "array([ 1.5, -0.5])")
hfft = _single("hfft", hermitian, "hfft([1.0, 2.0])", "array([ 3., -1.])")
ihfft = _single("ihfft", inverse_hermitian, "ihfft([1.0, 2.0])", "array([ 1.5-0.j, -0.5-0.j])")
fft2 = _several("fft2", "fft", (-2, -1), "fft2([[1.0, 2.0]])", "array([[ 3.+0.j, -1.+0.j]])")
ifft2 = _several("ifft2", "ifft", (-2, -1), "ifft2([[1.0, 2.0]])", "array([[ 1.5+0.j, -0.5+0.j]])")
rfft2 = _several("rfft2", "rfft", (-2, -1), "rfft2([[1.0, 2.0]])", "array([[ 3.+0.j, -1.+0.j]])")
irfft2 = _several("irfft2", "irfft", (-2, -1), "irfft2([[1.0, 2.0]])", "array([[ 1.5, -0.5]])")
fftn = _several("fftn", "fft", None, "fftn([[1.0, 2.0]])", "array([[ 3.+0.j, -1.+0.j]])")
ifftn = _several("ifftn", "ifft", None, "ifftn([[1.0, 2.0]])", "array([[ 1.5+0.j, -0.5+0.j]])")
rfftn = _several("rfftn", "rfft", None, "rfftn([[1.0, 2.0]])", "array([[ 3.+0.j, -1.+0.j]])")
irfftn = _several("irfftn", "irfft", None, "irfftn([[1.0, 2.0]])", "array([[ 1.5, -0.5]])")


def fftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Any:
    """As ``numpy.fft.fftfreq``; the sample spacing may be traced.

    Args:
      n: how many frequencies.
      d: the sample spacing.
      device: None or "cpu".
      dtype: the result's, as the array API standard has it; float64 when None.

    >>> fftfreq(4, 0.5)
    array([ 0. ,  0.5, -1. , -0.5])
    """
    out = _numpy.fftfreq(n, d, device)
    return out if dtype is None else astype(out, dtype)


def rfftfreq(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Any:
    """As ``numpy.fft.rfftfreq``; the arguments are those of ``fftfreq``.

    >>> rfftfreq(4, 0.5)
    array([0. , 0.5, 1. ])
    """
    out = _numpy.rfftfreq(n, d, device)
    return out if dtype is None else astype(out, dtype)


def _shifted(x: Any, axes: Any, sign: int) -> Any:
    x = operand(x)
    where = normal_axes(tuple(range(x.ndim)) if axes is None else axes, x.ndim)
    half = [x.shape[d] // 2 if sign > 0 else -(x.shape[d] // 2) for d in where]
    return roll(x, half, where)


@implements(_numpy.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """As ``numpy.fft.fftshift``, on arrays and traced values.

    >>> fftshift([0, 1, 2, 3])
    array([2, 3, 0, 1])
    """
    return _shifted(x, axes, 1)


@implements(_numpy.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """As ``numpy.fft.ifftshift``, on arrays and traced values.

    >>> ifftshift([2, 3, 0, 1])
    array([0, 1, 2, 3])
    """
    return _shifted(x, axes, -1)
