"""Pooling: maxima and means over windows that move along some axes of an array."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from .. import lax
from .. import numpy as anp
from ..core.errors import located
from .activations import as_floating

Padding = str | Sequence[tuple[int, int]]


def _pooled(
    name: str,
    x: Any,
    init: Any,
    combine: Callable,
    window_shape: Sequence[int],
    strides: Sequence[int] | None,
    padding: Padding,
    axis: Sequence[int] | None,
) -> Any:
    """Reduce over windows along axes, those before the last one for None."""
    window = tuple(map(as_int, window_shape))
    given = range(x.ndim - 1 - len(window), x.ndim - 1) if axis is None else axis
    axes = [as_int(d) for d in given]
    moves = (1,) * len(window) if strides is None else tuple(map(as_int, strides))
    pads = [padding] * len(window) if isinstance(padding, str) else list(padding)
    if not len(axes) == len(window) == len(moves) == len(pads) or any(
        not -x.ndim <= d < x.ndim for d in axes
    ):
        raise ValueError(
            located(
                f"{name}: a window of shape {window} with strides={strides}, padding={padding!r} "
                f"and axis={axis} does not fit an array of shape {x.shape}; each has one number "
                "(or pair) for each axis that the window moves along"
            )
        )
    places = {d % x.ndim: i for i, d in enumerate(axes)}

    def all_axes(values: Sequence[Any], other: Any) -> list[Any]:
        return [values[places[d]] if d in places else other for d in range(x.ndim)]

    around = padding if isinstance(padding, str) else all_axes(pads, (0, 0))
    return lax.reduce_window(x, init, combine, all_axes(window, 1), all_axes(moves, 1), around)


def max_pool(
    inputs: Any,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
    *,
    axis: Sequence[int] | None = None,
) -> Any:
    """The largest element of each window.

    Args:
      inputs: an array.
      window_shape: the window's size along each of the axes that it moves along.
      strides: by how many elements it moves; ones for None.
      padding: ``"VALID"``, ``"SAME"``, or pairs, as for ``lax.reduce_window``; what is put around
        an array is in no maximum.
      axis: the axes that the window moves along; for None those before the last, which are the
        spatial ones where features come last.

    Returns:
      An array with a place of the window for each element along these axes. Elements that tie
      share the derivative evenly.

    Raises:
      ValueError: when the parameters do not fit each other.

    >>> import autotrace.nn as nn, numpy as np
    >>> images = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> nn.max_pool(images, (2, 2), (2, 2))[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    >>> nn.max_pool(np.array([1.0, 5.0, 2.0]), (2,), axis=(0,))
    array([5., 5.])
    """
    x = anp.asarray(inputs)
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    combine = lax.max
    return _pooled(
        "max_pool", x, x.dtype.type(least), combine, window_shape, strides, padding, axis
    )


def min_pool(
    inputs: Any,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
    *,
    axis: Sequence[int] | None = None,
) -> Any:
    """The smallest element of each window; the rest is as for ``max_pool``.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.min_pool(np.array([1.0, 5.0, 2.0]), (2,), axis=(0,))
    array([1., 2.])
    """
    x = anp.asarray(inputs)
    most = np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    return _pooled("min_pool", x, x.dtype.type(most), lax.min, window_shape, strides, padding, axis)


def avg_pool(
    inputs: Any,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
    count_include_pad: bool = True,
    *,
    axis: Sequence[int] | None = None,
) -> Any:
    """The mean of each window.

    Args:
      inputs: an array.
      window_shape, strides, padding, axis: as for ``max_pool``.
      count_include_pad: whether the zeros that are put around count as elements of the windows.

    Returns:
      An array with a place of the window for each element along the axes.

    Raises:
      ValueError: when the parameters do not fit each other.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.avg_pool(np.array([1.0, 5.0, 3.0]), (2,), padding="SAME", axis=(0,))
    array([3. , 4. , 1.5])
    >>> nn.avg_pool(np.array([1.0, 5.0, 3.0]), (2,), (1,), "SAME", False, axis=(0,))
    array([3., 4., 3.])
    """
    x = as_floating(inputs)
    zero = x.dtype.type(0)

    def total(x: Any) -> Any:
        return _pooled("avg_pool", x, zero, lax.add, window_shape, strides, padding, axis)

    if count_include_pad:
        return total(x) / math.prod(map(as_int, window_shape))
    return total(x) / total(np.ones(x.shape, x.dtype))
