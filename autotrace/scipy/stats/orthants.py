"""Probabilities of normal vectors below bounds, by quadrature that is differentiable throughout."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ... import numpy as anp
from ..special import ndtr

#: More dimensions take a hundred times the work each.
MOST_DIMENSIONS = 4
#: Beyond this many standard deviations there is nothing in float64.
_FAR = 8.5


@functools.cache
def _rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss and Legendre's nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def _bivariate(h: Any, k: Any, rho: Any) -> Any:
    """The probability that two standard normal numbers with a correlation are at most ``h`` and
    ``k``: the product for independent ones, and Plackett's integral (1954) over the correlation's
    angle."""
    nodes, weights = _rule(64)
    h, k = anp.clip(h, -38.0, 38.0), anp.clip(k, -38.0, 38.0)
    angle = anp.arcsin(rho)
    h, k, along = h[..., None], k[..., None], angle[..., None] * nodes
    sine, cosine = anp.sin(along), anp.cos(along)
    # h**2 - 2 h k sin + k**2 over cos**2, without a difference of large numbers
    sign = anp.where(sine < 0, -1.0, 1.0)
    off = (h - sign * k) / cosine
    square = off * off + 2 * sign * h * k / (1 + sign * sine)
    share = anp.sum(anp.exp(-0.5 * square) * weights, axis=-1) * angle / (2 * math.pi)
    return (ndtr(h) * ndtr(k))[..., 0] + share


def below(b: Any, cov: Any) -> Any:
    """The probability that a normal vector around zero is below bounds in each component.

    From the third dimension on it is an integral over one component of the probability given that.

    Args:
      b: the bounds, of shape ``(..., k)``.
      cov: a positive definite matrix ``(k, k)``.

    Returns:
      An array of shape ``(...)``.
    """
    scale = anp.sqrt(cov[0, 0])
    first = b[..., 0] / scale
    if b.shape[-1] == 1:
        return ndtr(first)
    if b.shape[-1] == 2:
        other = anp.sqrt(cov[1, 1])
        rho = cov[0, 1] / (scale * other)
        return _bivariate(first, b[..., 1] / other, rho)
    nodes, weights = _rule(64)
    end = anp.clip(first, -38.0, _FAR)
    start = anp.minimum(end, 0.0) - _FAR
    z = start[..., None] + (end - start)[..., None] * nodes
    slopes = cov[1:, 0] / scale
    rest = cov[1:, 1:] - slopes[:, None] * slopes
    given = below(b[..., None, 1:] - z[..., None] * slopes, rest)
    density = anp.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return anp.sum(weights * density * given, axis=-1) * (end - start)
