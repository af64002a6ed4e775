"""Products of a kernel with what it lies over, at all places of an array."""

from __future__ import annotations

from typing import Any

from ..lax.convolution import conv_general_dilated_p
from ..lax.structural import reshape


def correlated(x: Any, kernel: Any) -> Any:
    """The products of a kernel with what it lies over, summed, at all places where it fits.

    Args:
      x: an array.
      kernel: one of the same dtype and number of dimensions.

    >>> import numpy as np
    >>> correlated(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0]))
    array([21., 32.])
    """
    ones = (1,) * x.ndim
    out = conv_general_dilated_p.bind(
        reshape(x, (1, 1, *x.shape)),
        reshape(kernel, (1, 1, *kernel.shape)),
        window_strides=ones,
        padding=((0, 0),) * x.ndim,
        rhs_dilation=ones,
        feature_group_count=1,
    )
    return reshape(out, out.shape[2:])
