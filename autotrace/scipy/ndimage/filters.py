"""Filters: weighted sums over the neighbours of each element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index as as_int
from typing import Any

import numpy as np
from scipy import ndimage as _scipy

from ... import numpy as anp
from ...core.errors import located
from ...core.trace import Tracer
from ...lax import slicing
from ...numpy.arguments import check_dtype, normal_axes, normal_axis, operand
from ...numpy.dispatch import implements
from .._correlating import correlated

#: NumPy's names for how an array goes on beyond its borders.
PAD_MODES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "mirror": "reflect",
    "nearest": "edge",
    "wrap": "wrap",
    "grid-wrap": "wrap",
    "constant": "constant",
    "grid-constant": "constant",
}


def output_dtype(name: str, output: Any, *arrays: Any) -> np.dtype:
    """The dtype of a result: what ``output`` asks for, or the first array's, complex if one is.

    Raises:
      TypeError: when ``output`` is an array to write into.
    """
    if isinstance(output, Tracer | np.ndarray):
        raise TypeError(
            located(
                f"{name}: output= takes a dtype where there are traced values, not an array",
                "What to do: use what the function returns.",
            )
        )
    dtype = arrays[0].dtype if output is None else check_dtype(output)
    if any(a.dtype.kind == "c" for a in arrays) and dtype.kind != "c":
        return np.result_type(dtype, np.complex64)
    return dtype


def extended(x: Any, widths: Sequence[tuple[int, int]], mode: str, cval: Any) -> Any:
    """An array continued beyond its borders in one of SciPy's ways.

    Raises:
      RuntimeError: for an unknown one.
    """
    if mode not in PAD_MODES:
        raise RuntimeError(located(f"boundary mode not supported: {mode!r}"))
    options = {"constant_values": cval} if PAD_MODES[mode] == "constant" else {}
    return anp.pad(x, widths, PAD_MODES[mode], **options)


def doubled(x: Any) -> Any:
    """An operand in double precision, in which SciPy computes."""
    return anp.astype(x, np.complex128 if x.dtype.kind == "c" else np.float64)


def _filtered(
    name: str, x: Any, kernel: Any, origins: Sequence[int], modes: Any, cval: Any, dtype: np.dtype
) -> Any:
    """Correlate with a kernel that has as many dimensions as the array."""
    for size, origin in zip(kernel.shape, origins, strict=True):
        if size < 1:
            raise RuntimeError(located(f"{name}: no filter weights given"))
        if not -(size // 2) <= origin <= (size - 1) // 2:
            raise ValueError(
                located(
                    f"{name}: invalid origin; origin must satisfy "
                    "-(len(weights) // 2) <= origin <= (len(weights)-1) // 2"
                )
            )
    before = [n // 2 + origin for n, origin in zip(kernel.shape, origins, strict=True)]
    widths = [(b, n - 1 - b) for b, n in zip(before, kernel.shape, strict=True)]
    x = extended(doubled(x), widths, modes, cval)
    kernel = anp.conj(doubled(kernel)) if kernel.dtype.kind == "c" else doubled(kernel)
    if x.dtype != kernel.dtype:
        x, kernel = (anp.astype(z, np.complex128) for z in (x, kernel))
    return anp.astype(correlated(x, kernel), dtype)


def _turned(kernel: Any, origins: Sequence[int]) -> tuple[Any, list[int]]:
    """The kernel and the origins with which a correlation is a convolution."""
    kernel = slicing.rev(kernel, range(kernel.ndim))
    kernel = anp.conj(kernel) if kernel.dtype.kind == "c" else kernel
    return kernel, [-o - (n % 2 == 0) for o, n in zip(origins, kernel.shape, strict=True)]


# --- along one axis ------------------------------------------------------------------------------


def _along(
    name: str, turned: bool, input: Any, weights: Any, axis: int, output: Any, mode: str,  # noqa: A002
    cval: Any, origin: int,
) -> Any:  # fmt: skip
    x, weights = operand(input), operand(weights)
    if weights.ndim != 1:
        raise RuntimeError(located(f"{name}: no filter weights given"))
    axis = normal_axis(axis, x.ndim)
    origins = [as_int(origin)]
    if turned:
        weights, origins = _turned(weights, origins)
    kernel = anp.reshape(weights, tuple(-1 if d == axis else 1 for d in range(x.ndim)))
    origins = [origins[0] if d == axis else 0 for d in range(x.ndim)]
    dtype = output_dtype(name, output, x, weights)
    return _filtered(name, x, kernel, origins, mode, cval, dtype)


@implements(_scipy.correlate1d)
def correlate1d(
    input: Any,  # noqa: A002
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """As ``scipy.ndimage.correlate1d``, on arrays and traced values.

    >>> import numpy as np
    >>> correlate1d(np.array([2.0, 8.0, 0.0, 4.0]), [1, 3])
    array([ 8., 26.,  8., 12.])
    """
    return _along("correlate1d", False, input, weights, axis, output, mode, cval, origin)


@implements(_scipy.convolve1d)
def convolve1d(
    input: Any,  # noqa: A002
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """As ``scipy.ndimage.convolve1d``, on arrays and traced values.

    >>> import numpy as np
    >>> convolve1d(np.array([2.0, 8.0, 0.0, 4.0]), [1, 3])
    array([14., 24.,  4., 16.])
    """
    return _along("convolve1d", True, input, weights, axis, output, mode, cval, origin)


@implements(_scipy.uniform_filter1d)
def uniform_filter1d(
    input: Any,  # noqa: A002
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """As ``scipy.ndimage.uniform_filter1d``, on arrays and traced values.

    >>> import numpy as np
    >>> uniform_filter1d(np.array([3.0, 6.0, 0.0, 9.0]), 3)
    array([4., 3., 5., 6.])
    """
    x = operand(input)
    if size < 1:
        raise RuntimeError(located("incorrect filter size"))
    dtype = output_dtype("uniform_filter1d", output, x)
    wide = doubled(x)
    total = correlate1d(wide, np.ones(size), axis, wide.dtype, mode, cval, origin)
    return anp.astype(total / size, dtype)


def _gaussian(sigma: Any, order: int, radius: int) -> Any:
    """The values of a Gaussian, of sum 1, or of its derivative of an order."""
    x = np.arange(-radius, radius + 1)
    inverse = 1 / (sigma * sigma)
    phi = anp.exp(-0.5 * inverse * x**2)
    phi = phi / anp.sum(phi)
    # The derivatives of exp(p) are q exp(p), with q' + q p' in the place of q for the next one.
    q: list[Any] = [1.0]
    for _ in range(order):
        slopes = [*(n * c for n, c in enumerate(q) if n), 0.0, 0.0]
        q = [s - below * inverse for s, below in zip(slopes, [0.0, *q], strict=True)]
    return sum(c * x**n for n, c in enumerate(q)) * phi


@implements(_scipy.gaussian_filter1d)
def gaussian_filter1d(
    input: Any,  # noqa: A002
    sigma: Any,
    axis: int = -1,
    order: int = 0,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Any:
    """As ``scipy.ndimage.gaussian_filter1d``, on arrays and traced values.

    Args:
      input, axis, order, output, mode, cval, truncate: as SciPy's.
      sigma: the standard deviation; may be traced.
      radius: that of the kernel; when None it depends on the value of ``sigma``, which must be
        known then.

    >>> import numpy as np
    >>> gaussian_filter1d(np.array([0.0, 0.0, 1.0, 0.0, 0.0]), 0.5).round(3)
    array([0.   , 0.106, 0.787, 0.106, 0.   ])
    """
    width = int(truncate * float(sigma) + 0.5) if radius is None else as_int(radius)
    if width < 0:
        raise ValueError(located("Radius must be a nonnegative integer."))
    if as_int(order) < 0:
        raise ValueError(located("order must be non-negative"))
    kernel = slicing.rev(operand(_gaussian(sigma, order, width)), (0,))
    return correlate1d(input, kernel, axis, output, mode, cval)


# --- along several -------------------------------------------------------------------------------


def _each(value: Any, count: int) -> list[Any]:
    """One value for each axis, given as one or as several."""
    values = list(value) if isinstance(value, tuple | list) else [value] * count
    if len(values) != count:
        raise RuntimeError(located("sequence argument must have length equal to input rank"))
    return values


def _axes(axes: Any, ndim: int) -> tuple[int, ...]:
    return tuple(range(ndim)) if axes is None else normal_axes(axes, ndim)


@implements(_scipy.gaussian_filter)
def gaussian_filter(
    input: Any,  # noqa: A002
    sigma: Any,
    order: Any = 0,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
    axes: Any = None,
) -> Any:
    """As ``scipy.ndimage.gaussian_filter``, on arrays and traced values; see
    ``gaussian_filter1d``.

    >>> import numpy as np
    >>> gaussian_filter(np.eye(3), 0.5, mode="constant").round(3)
    array([[0.63 , 0.167, 0.012],
           [0.167, 0.641, 0.167],
           [0.012, 0.167, 0.63 ]])
    """
    x = operand(input)
    where = _axes(axes, x.ndim)
    dtype = output_dtype("gaussian_filter", output, x)
    each = [_each(v, len(where)) for v in (sigma, order, mode, radius)]
    for axis, width, n, way, reach in zip(where, *each, strict=True):
        if isinstance(width, Tracer) or width > 1e-15:
            x = gaussian_filter1d(x, width, axis, n, dtype, way, cval, truncate, radius=reach)
    return anp.astype(x, dtype)


@implements(_scipy.uniform_filter)
def uniform_filter(
    input: Any,  # noqa: A002
    size: Any = 3,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """As ``scipy.ndimage.uniform_filter``, on arrays and traced values.

    >>> import numpy as np
    >>> uniform_filter(np.eye(3) * 9, 3, mode="constant")
    array([[2., 2., 1.],
           [2., 3., 2.],
           [1., 2., 2.]])
    """
    x = operand(input)
    where = _axes(axes, x.ndim)
    dtype = output_dtype("uniform_filter", output, x)
    each = [_each(v, len(where)) for v in (size, mode, origin)]
    for axis, n, way, place in zip(where, *each, strict=True):
        if n > 1:
            x = uniform_filter1d(x, n, axis, dtype, way, cval, place)
    return anp.astype(x, dtype)


def _over(
    name: str, turned: bool, input: Any, weights: Any, output: Any, mode: str, cval: Any,  # noqa: A002
    origin: Any, axes: Any,
) -> Any:  # fmt: skip
    x, kernel = operand(input), operand(weights)
    where = _axes(axes, x.ndim)
    if kernel.ndim != len(where):
        raise RuntimeError(
            located(f"weights.ndim ({kernel.ndim}) must match len(axes) ({len(where)})")
        )
    # The kernel's dimensions are for the axes from first to last, however these are given.
    sizes = dict(zip(sorted(where), kernel.shape, strict=True))
    places = dict(zip(where, _each(origin, len(where)), strict=True))
    kernel = anp.reshape(kernel, tuple(sizes.get(d, 1) for d in range(x.ndim)))
    origins = [places.get(d, 0) for d in range(x.ndim)]
    if turned:
        kernel, origins = _turned(kernel, origins)
    dtype = output_dtype(name, output, x, kernel)
    return _filtered(name, x, kernel, origins, mode, cval, dtype)


@implements(_scipy.correlate)
def correlate(
    input: Any,  # noqa: A002
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """As ``scipy.ndimage.correlate``, on arrays and traced values.

    >>> import numpy as np
    >>> correlate(np.eye(2), np.array([[0.0, 1.0], [10.0, 0.0]]))
    array([[11., 10.],
           [ 1.,  0.]])
    """
    return _over("correlate", False, input, weights, output, mode, cval, origin, axes)


@implements(_scipy.convolve)
def convolve(
    input: Any,  # noqa: A002
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """As ``scipy.ndimage.convolve``, on arrays and traced values.

    >>> import numpy as np
    >>> convolve(np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, -1.0]))
    array([1., 3., 2.])
    """
    return _over("convolve", True, input, weights, output, mode, cval, origin, axes)


# --- derivatives ---------------------------------------------------------------------------------


def _slope(name: str, across: list[int], shown: str) -> Callable:
    """A difference along one axis, smoothed along the others."""

    def function(
        input: Any,  # noqa: A002
        axis: int = -1,
        output: Any = None,
        mode: Any = "reflect",
        cval: Any = 0.0,
    ) -> Any:
        x = operand(input)
        axis, modes = normal_axis(axis, x.ndim), _each(mode, x.ndim)
        dtype = output_dtype(name, output, x)
        out = correlate1d(x, [-1, 0, 1], axis, dtype, modes[axis], cval)
        for d in range(x.ndim):
            if d != axis:
                out = correlate1d(out, across, d, dtype, modes[d], cval)
        return out

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""As ``scipy.ndimage.{name}``, on arrays and traced values.

    >>> {name}([[0, 1, 3]])
    {shown}
    """
    return implements(getattr(_scipy, name))(function)


sobel = _slope("sobel", [1, 2, 1], "array([[ 4, 12,  8]])")
prewitt = _slope("prewitt", [1, 1, 1], "array([[3, 9, 6]])")


@implements(_scipy.laplace)
def laplace(
    input: Any,  # noqa: A002
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    *,
    axes: Any = None,
) -> Any:
    """As ``scipy.ndimage.laplace``, on arrays and traced values.

    >>> import numpy as np
    >>> laplace(np.arange(4.0) ** 2)
    array([ 1.,  2.,  2., -5.])
    """
    x = operand(input)
    where = _axes(axes, x.ndim)
    dtype = output_dtype("laplace", output, x)
    modes = _each(mode, len(where))
    pairs = zip(where, modes, strict=True)
    parts = [correlate1d(x, [1, -2, 1], d, dtype, m, cval) for d, m in pairs]
    return sum(parts[1:], parts[0]) if parts else anp.astype(x, dtype)
