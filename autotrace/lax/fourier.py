"""Fourier transforms, and cosine and sine transforms, over some dimensions: all linear."""

# ruff: noqa: A002  SciPy's names

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from ..transforms.batch import Axis
from .arithmetic import mul, real
from .families import complex_dtype, def_linear, real_dtype
from .structural import array, broadcast_in_dim

_scipy_fft = LazyModule("scipy.fft")

#: The norm with which the inverse transform undoes a transform, and under which its factor is the
#: same as the transform's own.
SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
_TRANSFORMED = tuple(np.dtype(c) for c in "fdFD")


def _check_axes(name: str, x: ShapedArray, axes: tuple[int, ...]) -> None:
    if x.dtype not in _TRANSFORMED:
        raise TypeError(f"{name} takes float32, float64, complex64 and complex128, got {x}")
    if len(set(axes)) != len(axes) or not all(0 <= d < x.ndim for d in axes):
        raise TypeError(f"{name}: {axes} are not different dimensions of {x}")


def _batch(primitive: Primitive) -> None:
    """Give a transform over ``axes`` its batching rule: the axes move, the rest stays."""

    def rule(axis: Axis, args: Any, dims: Any, *, axes: tuple[int, ...], **params: Any) -> tuple:
        (x,), (dim,) = args, dims
        moved = tuple(d + (d >= dim) for d in axes)
        return primitive.bind(x, axes=moved, **params), dim

    primitive.def_batch(rule)


def _weighted(x: Any, axis: int, weights: np.ndarray) -> Any:
    """An array times real weights along one of its dimensions."""
    return mul(x, broadcast_in_dim(weights.astype(x.dtype), x.shape, (axis,)))


# --- fft ---------------------------------------------------------------------------------------

#: ``kind`` is "fft", "ifft", "rfft" or "irfft". The last of ``axes`` is the one of which "rfft"
#: returns, and "irfft" takes, the first half; ``length`` is its whole length, and None for the
#: others. With ``transposed`` it is the transpose of such a transform.
fft_p = Primitive("fft")


def fft(x: Any, fft_type: str, fft_lengths: Sequence[int]) -> Any:
    """Fourier transform over the last dimensions.

    Args:
      x: a float32, float64, complex64 or complex128 array; real for "rfft".
      fft_type: "fft", "ifft", "rfft" (of real numbers: the half that says all) or "irfft" (from
        that half, to real numbers), in letters of either case.
      fft_lengths: how long the last dimensions are, outside of the half of "rfft" and "irfft".

    Returns:
      The transformed array; the inverse ones are divided by the number of elements.

    Raises:
      TypeError: for another dtype, or lengths that do not fit.
      ValueError: for another type.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.fft(np.array([1.0, 2.0, 3.0, 2.0]), "rfft", (4,)).real
    array([ 8., -2.,  0.])
    """
    x, kind, lengths = array(x), fft_type.lower(), tuple(fft_lengths)
    if kind not in ("fft", "ifft", "rfft", "irfft"):
        raise ValueError(f"fft: there is no type {fft_type!r}, only fft, ifft, rfft and irfft")
    axes = tuple(range(x.ndim - len(lengths), x.ndim))
    half = kind == "irfft"
    taken = (*lengths[:-1], lengths[-1] // 2 + 1) if half and lengths else lengths
    if not 1 <= len(lengths) <= x.ndim or taken != tuple(x.shape[d] for d in axes):
        raise TypeError(f"{kind}: lengths {lengths} do not fit an array of shape {x.shape}")
    return transform(x, kind, axes, lengths[-1])


def transform(x: Any, kind: str, axes: Sequence[int], length: int, norm: str = "backward") -> Any:
    """Fourier transform over some dimensions.

    Args:
      x: a float32, float64, complex64 or complex128 array.
      kind: "fft", "ifft", "rfft" or "irfft".
      axes: which ones, at least one, counted from the front, all different.
      length: the whole length along the last of ``axes``: of the result's, for "irfft".
      norm: as in ``numpy.fft``.

    >>> import numpy as np
    >>> transform(np.ones((2, 3)), "fft", (0,), 2).real
    array([[2., 2., 2.],
           [0., 0., 0.]])
    """
    whole = length if kind in ("rfft", "irfft") else None
    return fft_p.bind(x, kind=kind, axes=tuple(axes), length=whole, norm=norm, transposed=False)


@fft_p.def_impl
def _fft_impl(
    x: Any, *, kind: str, axes: tuple, length: int | None, norm: str, transposed: bool
) -> Any:
    if length is None:
        if len(axes) == 1:  # which costs half of what SciPy's function of several does
            return getattr(_scipy_fft, kind)(x, axis=axes[0], norm=norm)
        return getattr(_scipy_fft, kind + "n")(x, axes=axes, norm=norm)
    if kind == "rfft" and not transposed:
        return _scipy_fft.rfftn(x, axes=axes, norm=norm)
    sizes = [*(x.shape[d] for d in axes[:-1]), length]
    if not transposed:
        return _scipy_fft.irfftn(x, s=sizes, axes=axes, norm=norm)
    # The matrices of rfft and irfft are parts of symmetric ones. A sum over all of a half stands
    # for two elements, which are each other's conjugates, except where one is its own mirror image.
    inner = [slice(None)] * x.ndim
    inner[axes[-1]] = slice(1, -1 if length % 2 == 0 else None)
    if kind == "rfft":
        half = np.conj(x)
        half[tuple(inner)] *= 0.5
        return _scipy_fft.irfftn(half, s=sizes, axes=axes, norm=SWAPPED[norm])
    half = _scipy_fft.rfftn(x, axes=axes, norm=SWAPPED[norm])
    np.conj(half, out=half)
    half[tuple(inner)] *= 2
    return half


@fft_p.def_abstract
def _fft_abstract(
    x: ShapedArray, *, kind: str, axes: tuple, length: int | None, norm: str, transposed: bool
) -> ShapedArray:
    _check_axes(kind, x, axes)
    for d in axes:
        if not x.shape[d]:
            raise ValueError(f"{kind}: {x} has no elements along dimension {d}")
    if length is None:
        return make_aval(x.shape, complex_dtype(x.dtype))
    to_real = (kind == "irfft") != transposed
    if to_real != (x.dtype.kind == "c"):
        raise TypeError(f"{kind} takes {'complex' if to_real else 'real'} numbers, got {x}")
    sizes = (length // 2 + 1, length)
    if length < 1 or x.shape[axes[-1]] != sizes[not to_real]:
        raise TypeError(f"{kind}: {x} does not fit {length} elements along dimension {axes[-1]}")
    shape = list(x.shape)
    shape[axes[-1]] = sizes[to_real]
    return make_aval(tuple(shape), (real_dtype if to_real else complex_dtype)(x.dtype))


def _fft_transpose(ct: Any, x: ShapedArray, *, kind: str, transposed: bool, **params: Any) -> Any:
    if kind in ("rfft", "irfft"):
        return fft_p.bind(ct, kind=kind, transposed=not transposed, **params)
    out = fft_p.bind(ct, kind=kind, transposed=False, **params)  # a symmetric matrix
    return out if x.dtype.kind == "c" else real(out)


def_linear(fft_p, _fft_transpose)
_batch(fft_p)


# --- cosine and sine transforms ----------------------------------------------------------------

#: ``kind`` is "dct" or "dst", ``type`` 1 to 4; ``norm`` and ``orthogonalize`` as in ``scipy.fft``,
#: always said.
dct_p = Primitive("dct")


def trigonometric_transform(
    x: Any,
    kind: str,
    type: int,
    axes: Sequence[int],
    norm: str,
    orthogonalize: bool,
) -> Any:
    """Cosine or sine transform over some dimensions.

    Args:
      x: a float32, float64, complex64 or complex128 array.
      kind: "dct" or "dst".
      type: 1, 2, 3 or 4.
      axes: which ones, at least one, counted from the front, all different.
      norm, orthogonalize: as in ``scipy.fft.dct``.

    >>> import numpy as np
    >>> trigonometric_transform(np.ones(4), "dct", 2, (0,), "ortho", True).round(6) + 0.0
    array([2., 0., 0., 0.])
    """
    return dct_p.bind(
        x, kind=kind, type=type, axes=tuple(axes), norm=norm, orthogonalize=orthogonalize
    )


@dct_p.def_impl
def _dct_impl(x: Any, *, kind: str, axes: tuple, **params: Any) -> Any:
    if not x.size:
        return np.zeros_like(x)
    return getattr(_scipy_fft, kind + "n")(x, axes=axes, **params)


@dct_p.def_abstract
def _dct_abstract(x: ShapedArray, *, kind: str, type: int, axes: tuple, **_: Any) -> ShapedArray:
    _check_axes(kind, x, axes)
    if type not in (1, 2, 3, 4):
        raise ValueError(f"{kind}: there is no type {type}, only 1, 2, 3 and 4")
    fewest = 2 if (kind, type) == ("dct", 1) else 1
    if any(x.shape[d] < fewest for d in axes):
        raise ValueError(f"{kind} of type {type} takes {fewest} elements at least, got {x}")
    return make_aval(x.shape, x.dtype)


def _dct_transpose(
    ct: Any,
    x: ShapedArray,
    *,
    kind: str,
    type: int,
    axes: tuple,
    norm: str,
    orthogonalize: bool,
) -> Any:
    # With `orthogonalize` the matrices are multiples of orthogonal ones, the one of type 3 being
    # the transpose of that of type 2, the others symmetric. Without it they differ from those at
    # one end (at both, for "dct" of type 1): the weights turn one form into the other.
    partner = {2: 3, 3: 2}.get(type, type)
    before, after = {2: (2.0, 1.0), 3: (1.0, 0.5), 1: (2.0, 0.5)}.get(type, (1.0, 1.0))
    ends = {("dct", 1): (0, -1), ("dst", 1): ()}.get((kind, type), (0,) if kind == "dct" else (-1,))

    def weigh(y: Any, weight: float) -> Any:
        if orthogonalize or weight == 1.0 or not ends:
            return y
        for d in axes:
            weights = np.ones(y.shape[d])
            weights[list(ends)] = weight
            y = _weighted(y, d, weights)
        return y

    out = trigonometric_transform(weigh(ct, before), kind, partner, axes, norm, orthogonalize)
    return weigh(out, after)


def_linear(dct_p, _dct_transpose)
_batch(dct_p)
