"""Vector quantization: ``scipy.cluster.vq`` on arrays and on traced values."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.cluster import vq as _scipy

from ... import numpy as anp
from ...core.errors import located
from ...numpy.arguments import operand
from ...numpy.dispatch import implements, is_traced

__all__ = ["vq", "whiten"]


@implements(_scipy.whiten)
def whiten(obs: Any, check_finite: bool = True) -> Any:
    """As ``scipy.cluster.vq.whiten``, on arrays and traced values: features divided by their
    standard deviations, where those are not zero.

    >>> import numpy as np
    >>> whiten(np.array([[0.0, 1.0], [2.0, 5.0]]))
    array([[0. , 0.5],
           [2. , 2.5]])
    """
    x = operand(obs)
    spread = anp.std(x, 0)
    return x / anp.where(spread == 0, 1, spread)


@implements(_scipy.vq)
def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """As ``scipy.cluster.vq.vq``, on arrays and traced values.

    Args:
      obs: M observations of N features, of shape ``(M, N)``, or M numbers.
      code_book: K codes, of shape ``(K, N)`` or ``(K,)``.
      check_finite: whether to look at arrays that are not traced for NaNs and infinities.

    Returns:
      For each observation the number of the nearest code, the first of several, and the distance
      to it. The distance is differentiable; where it is zero, its derivative is taken as zero.

    Raises:
      ValueError: when the shapes do not fit.

    >>> import numpy as np
    >>> vq(np.array([[0.0, 1.0], [3.0, 4.0]]), np.array([[0.0, 0.0], [3.0, 3.0]]))
    (array([0, 1], dtype=int32), array([1., 1.]))
    """
    x, codes = operand(obs), operand(code_book)
    for z in (x, codes):
        if check_finite and not is_traced(z) and not np.all(np.isfinite(z)):
            raise ValueError(located("array must not contain infs or NaNs"))
    if x.ndim != codes.ndim or x.ndim not in (1, 2):
        raise ValueError(located("Observation and code_book should have the same rank"))
    if x.shape[1:] != codes.shape[1:]:
        raise ValueError(
            located(f"vq: observations of shape {x.shape} and codes of shape {codes.shape}")
        )
    floating = np.result_type(x.dtype, codes.dtype).kind == "f"
    if x.ndim == 1:
        x, codes = x[:, None], codes[:, None]
    if not floating:
        x, codes = (anp.astype(z, np.float64) for z in (x, codes))
    squares = anp.sum((x[:, None] - codes) ** 2, -1)
    nearest = anp.argmin(squares, 1)
    least = anp.min(squares, 1)
    zero = least == 0
    distance = anp.where(zero, 0, anp.sqrt(anp.where(zero, 1, least)))
    return anp.astype(nearest, np.int32 if floating else np.int64), anp.astype(
        distance, squares.dtype
    )
