"""The noncentral t distribution.

T = (Z + nc) / S, where S**2 times df has a chi-square distribution. Its density, and the
derivatives of its distribution function, are integrals over s of

    s**(n - 1) exp(-df s**2 / 2) exp(-(x s - nc)**2 / 2),

which have one maximum. They are computed by the trapezoidal rule in y, where the logarithm of s is
off its place at the maximum by sinh(y) widths of that: the terms fall doubly exponentially on both
sides (Takahasi and Mori 1974), so that sums are exact to some 1e-13 for n above 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import lax
from ... import numpy as anp
from ...api.differentiate import jvp
from ..special import gammainc, gammaln
from ..special.functions import row
from .distribution import Continuous, scipy_stats

_STEP = 1 / 16
_PLACES = np.arange(-5.5, 3.25, _STEP)
#: Of the logarithm of s, in widths of the maximum; and the rule's weights.
_STRETCHED, _WEIGHTS = np.sinh(_PLACES), np.cosh(_PLACES) * _STEP
_LOG_ROOT_HALF_PI = 0.5 * math.log(math.pi / 2)


def _maximum(n: Any, slope: Any) -> tuple[Any, Any]:
    """Where ``t**n exp(slope t - t**2 / 2)`` has its maximum, and its width in the logarithm of t.
    They place the nodes, and have no derivative."""
    root = anp.sqrt(slope * slope + 4 * n)
    # The larger root of t**2 - slope t - n, without cancellation.
    top = anp.where(slope > 0, 0.5 * (slope + root), 2 * n / (root - anp.minimum(slope, 0.0)))
    return lax.stop_gradient(top), lax.stop_gradient(1 / anp.sqrt(top * top + n))


def _nodes(width: Any) -> tuple[Any, Any]:
    """The logarithms of the nodes over the maximum, and the weights, along a new last axis."""
    width = width[..., None]
    return width * _STRETCHED.astype(width.dtype), width * _WEIGHTS.astype(width.dtype)


def _log_integral(n: Any, slope: Any) -> Any:
    """The logarithm of the integral of ``t**(n - 1) exp(slope t - t**2 / 2)`` from 0 up."""
    top, width = _maximum(n, slope)
    logs, weights = _nodes(width)
    t = top[..., None] * anp.exp(logs)
    highest = n * anp.log(top) + (slope - 0.5 * top) * top
    # Relative to the maximum's value, which is added again: it has no derivative of its own.
    highest = lax.stop_gradient(highest)
    exponent = n[..., None] * (anp.log(top)[..., None] + logs) + (slope[..., None] - 0.5 * t) * t
    return highest + anp.log(anp.sum(weights * anp.exp(exponent - highest[..., None]), -1))


def _log_density(x: Any, df: Any, nc: Any, power: float = 1.0) -> Any:
    """The logarithm of the density; with 0 for ``power``, of the slope in nc."""
    x, df, nc = anp.broadcast_arrays(x, df, nc)
    total = df + x * x
    n = df + power
    factor = 0.5 * df * anp.log(0.5 * df) - gammaln(0.5 * df) - _LOG_ROOT_HALF_PI
    inner = _log_integral(n, x * nc / anp.sqrt(total))
    return factor - 0.5 * nc * nc - 0.5 * n * anp.log(total) + inner


def _slope_in_df(x: Any, df: Any, nc: Any) -> Any:
    """The derivative of the distribution function with respect to df: that of S, integrated by
    parts."""
    x, df, nc = (v[..., None] for v in anp.broadcast_arrays(x, df, nc))
    total = anp.sqrt(df + x * x)
    top, width = _maximum(df[..., 0], (x * nc / total)[..., 0])
    logs, weights = _nodes(width)
    s = lax.stop_gradient(top[..., None] / total) * anp.exp(logs)
    half, square = 0.5 * df + 0 * s, 0.5 * s * s
    one = anp.ones_like(half)
    change = jvp(lambda h: gammainc(h, 2 * h * square), (half,), (0.5 * one,))[1]
    density = anp.exp(-0.5 * (x * s - nc) ** 2) / math.sqrt(2 * math.pi)
    return -anp.sum(weights * s * x * density * change, -1)


def _distribution(name: str, sign: float) -> Callable:
    return row(
        f"nct_{name}",
        "x df nc",
        lambda out, x, df, nc: sign * anp.exp(_log_density(x, df, nc)),
        lambda out, x, df, nc: sign * _slope_in_df(x, df, nc),
        lambda out, x, df, nc: -sign * anp.exp(_log_density(x, df, nc, 0.0)),
        host=lambda *args: getattr(scipy_stats.nct, name)(*args),
        title=f"scipy.stats.nct.{name}",
    )


def _mean(df: Any, nc: Any) -> Any:
    some = df > 1
    half = 0.5 * anp.where(some, df, 2.0)
    mean = nc * anp.sqrt(half) * anp.exp(gammaln(half - 0.5) - gammaln(half))
    return anp.where(some, mean, np.nan)


def _var(df: Any, nc: Any) -> Any:
    some = df > 2
    df = anp.where(some, df, 3.0)
    mean = _mean(df, nc)
    return anp.where(some, df * (1 + nc * nc) / (df - 2) - mean * mean, np.nan)


nct = Continuous(
    "nct",
    "df nc",
    valid=lambda df, nc: (df > 0) & ~anp.isnan(nc),
    logpdf=_log_density,
    cdf=_distribution("cdf", 1.0),
    sf=_distribution("sf", -1.0),
    mean=_mean,
    var=_var,
)
