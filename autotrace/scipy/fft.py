"""``scipy.fft`` on arrays and on traced values.

Everything is linear, and computed by SciPy's functions; ``overwrite_x``, ``workers`` and ``plan``
are without effect on traced values.
"""

# ruff: noqa: A001, A002  SciPy's names

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import fft as _scipy
from scipy.fft import fftfreq, next_fast_len, rfftfreq

from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import fourier
from ..numpy.dispatch import implements
from ..numpy.fft import (
    along_axis,
    fftshift,
    hermitian,
    ifftshift,
    inverse_hermitian,
    known_norm,
    over_axes,
    resized,
    sizes_and_axes,
    transformable,
)

__all__ = [
    "dct",
    "dctn",
    "dst",
    "dstn",
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "idct",
    "idctn",
    "idst",
    "idstn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "next_fast_len",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]


def _public(name: str, function: Callable, example: str, shown: str) -> Callable:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""As ``scipy.fft.{name}``, on arrays and traced values.

    >>> {example}
    {shown}
    """
    return implements(getattr(_scipy, name))(function)


def _sequence(x: Any) -> Any:
    return (x,) if isinstance(x, int | np.integer) else x


def _sizes_and_axes(x: Any, s: Any, axes: Any, half: bool = False) -> tuple[list[int], tuple]:
    sizes, where = sizes_and_axes(x, _sequence(s), _sequence(axes), half)
    if len(set(where)) != len(where):
        raise ValueError(located("all axes must be unique"))
    return sizes, where


# --- Fourier transforms --------------------------------------------------------------------------


def _single(
    name: str, function: Callable[[Any, Any, int, str], Any], example: str, shown: str
) -> Callable:
    """``scipy.fft``'s function along one axis."""

    def single(
        x: Any,
        n: Any = None,
        axis: int = -1,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        plan: Any = None,
    ) -> Any:
        return function(transformable(x), n, axis, known_norm(norm))

    return _public(name, single, example, shown)


def _several(
    name: str, kind: str, axes: Any, example: str, shown: str, hermitian: bool = False
) -> Callable:
    """``scipy.fft``'s function over several axes.

    Args:
      kind: of the transform that it comes down to.
      axes: the default.
      hermitian: whether what is transformed, or the result, is conjugated, and the norm swapped.
    """
    default = axes

    def several(
        x: Any,
        s: Any = None,
        axes: Any = default,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        plan: Any = None,
    ) -> Any:
        x, norm = transformable(x), known_norm(norm)
        sizes, where = _sizes_and_axes(x, s, axes, kind == "irfft")
        if not hermitian:
            return over_axes(x, kind, sizes, where, norm)
        if kind == "irfft" and x.dtype.kind == "c":
            x = arith.conj(x)
        out = over_axes(x, kind, sizes, where, fourier.SWAPPED[norm])
        return arith.conj(out) if kind == "rfft" else out

    return _public(name, several, example, shown)


def _of_kind(kind: str) -> Callable[[Any, Any, int, str], Any]:
    return lambda x, n, axis, norm: along_axis(x, kind, n, axis, norm)


fft = _single("fft", _of_kind("fft"), "fft([1.0, 2.0])", "array([ 3.-0.j, -1.-0.j])")
ifft = _single("ifft", _of_kind("ifft"), "ifft([1.0, 2.0])", "array([ 1.5-0.j, -0.5-0.j])")
rfft = _single("rfft", _of_kind("rfft"), "rfft([1.0, 2.0])", "array([ 3.+0.j, -1.+0.j])")
irfft = _single("irfft", _of_kind("irfft"), "irfft([1.0, 2.0])", "array([ 1.5, -0.5])")
hfft = _single("hfft", hermitian, "hfft([1.0, 2.0])", "array([ 3., -1.])")
ihfft = _single("ihfft", inverse_hermitian, "ihfft([1.0, 2.0])", "array([ 1.5+0.j, -0.5+0.j])")
fft2 = _several("fft2", "fft", (-2, -1), "fft2([[1.0, 2.0]])", "array([[ 3.-0.j, -1.-0.j]])")
ifft2 = _several("ifft2", "ifft", (-2, -1), "ifft2([[1.0, 2.0]])", "array([[ 1.5-0.j, -0.5-0.j]])")
rfft2 = _several("rfft2", "rfft", (-2, -1), "rfft2([[1.0, 2.0]])", "array([[ 3.+0.j, -1.+0.j]])")
irfft2 = _several("irfft2", "irfft", (-2, -1), "irfft2([[1.0, 2.0]])", "array([[ 1.5, -0.5]])")
hfft2 = _several(
    "hfft2", "irfft", (-2, -1), "hfft2([[1.0, 2.0]])", "array([[ 3., -1.]])", hermitian=True
)
ihfft2 = _several(
    "ihfft2",
    "rfft",
    (-2, -1),
    "ihfft2([[1.0, 2.0]])",
    "array([[ 1.5+0.j, -0.5+0.j]])",
    hermitian=True,
)
fftn = _several("fftn", "fft", None, "fftn([[1.0, 2.0]])", "array([[ 3.-0.j, -1.-0.j]])")
ifftn = _several("ifftn", "ifft", None, "ifftn([[1.0, 2.0]])", "array([[ 1.5-0.j, -0.5-0.j]])")
rfftn = _several("rfftn", "rfft", None, "rfftn([[1.0, 2.0]])", "array([[ 3.+0.j, -1.+0.j]])")
irfftn = _several("irfftn", "irfft", None, "irfftn([[1.0, 2.0]])", "array([[ 1.5, -0.5]])")
hfftn = _several(
    "hfftn", "irfft", None, "hfftn([[1.0, 2.0]])", "array([[ 3., -1.]])", hermitian=True
)
ihfftn = _several(
    "ihfftn", "rfft", None, "ihfftn([[1.0, 2.0]])", "array([[ 1.5+0.j, -0.5+0.j]])", hermitian=True
)

# --- cosine and sine transforms ------------------------------------------------------------------

_INVERSE_TYPE = {2: 3, 3: 2}


def _trigonometric(
    x: Any,
    kind: str,
    type: int,
    s: Any,
    axes: Any,
    norm: Any,
    orthogonalize: Any,
) -> Any:
    """The transform of a kind ("dct", "dst", "idct" or "idst"); the inverse ones are others of
    another type, by another factor."""
    x, norm = transformable(x), known_norm(norm)
    if orthogonalize is None:
        orthogonalize = norm == "ortho"
    if kind[0] == "i":
        kind, norm = kind[1:], fourier.SWAPPED[norm]
        type = _INVERSE_TYPE.get(type, type)
    sizes, where = _sizes_and_axes(x, s, axes)
    for d, n in zip(where, sizes, strict=True):
        x = resized(x, d, n)
    if not where:
        return x
    return fourier.trigonometric_transform(x, kind, type, where, norm, bool(orthogonalize))


def _trigonometric_single(name: str, example: str, shown: str) -> Callable:
    def single(
        x: Any,
        type: int = 2,
        n: Any = None,
        axis: int = -1,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        orthogonalize: Any = None,
    ) -> Any:
        return _trigonometric(x, name, type, n, axis, norm, orthogonalize)

    return _public(name, single, example, shown)


def _trigonometric_several(name: str, example: str, shown: str) -> Callable:
    kind = name.removesuffix("n")

    def several(
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        orthogonalize: Any = None,
    ) -> Any:
        return _trigonometric(x, kind, type, s, axes, norm, orthogonalize)

    return _public(name, several, example, shown)


dct = _trigonometric_single("dct", "dct([1.0, 2.0]).round(3)", "array([ 6.   , -1.414])")
idct = _trigonometric_single("idct", "idct([1.0, 2.0]).round(3)", "array([ 0.957, -0.457])")
dst = _trigonometric_single("dst", "dst([1.0, 2.0]).round(3)", "array([ 4.243, -2.   ])")
idst = _trigonometric_single("idst", "idst([1.0, 2.0]).round(3)", "array([ 0.854, -0.146])")
dctn = _trigonometric_several("dctn", "dctn([[1.0, 2.0]]).round(3)", "array([[12.   , -2.828]])")
idctn = _trigonometric_several("idctn", "idctn([[1.0, 2.0]]).round(3)", "array([[ 0.479, -0.229]])")
dstn = _trigonometric_several("dstn", "dstn([[1.0, 2.0]]).round(3)", "array([[ 8.485, -4.   ]])")
idstn = _trigonometric_several("idstn", "idstn([[1.0, 2.0]]).round(3)", "array([[ 0.427, -0.073]])")
