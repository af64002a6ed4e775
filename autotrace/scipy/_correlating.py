"""Products of a kernel with what it lies over, at all places of an array."""

from __future__ import annotations

from typing import Any

from ..lax import linear
from ..lax.windows import windows_p


def correlated(x: Any, kernel: Any) -> Any:
    """The products of a kernel with what it lies over, summed, at all places where it fits.

    Args:
      x: an array.
      kernel: one of the same dtype and number of dimensions.

    >>> import numpy as np
    >>> correlated(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0]))
    array([21., 32.])
    """
    rank = x.ndim
    ones = (1,) * rank
    seen = windows_p.bind(x, window=kernel.shape, strides=ones, dilation=ones)
    within = tuple(range(rank, 2 * rank))
    return linear.dot_general(seen, kernel, ((within, tuple(range(rank))), ((), ())))
