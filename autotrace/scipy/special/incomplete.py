"""The incomplete gamma and beta functions, and their derivatives in every argument.

Both are integrals of a density ``p`` up to ``x``, so a derivative with respect to a parameter is
the integral of the density's derivative, which is ``p`` times a polynomial of its logarithm's
derivatives: for the gamma distribution ``dP/da`` is the integral of ``p(t) (log(t) - psi(a))``. The
integral over everything is 0, so of the two sides of ``x`` the one is taken where the integrand
does not change its sign, and nothing cancels. In the coordinates ``log(t)`` and ``logit(t)`` the
densities are log-concave; each side is two panels, of known decay, that begin at the bend of the
density's logarithm, and are integrated by Gauss and Legendre's rule after ``s = w v**4``.

Other ways are series and continued fractions that are differentiated term by term (Moore 1982, for
gamma; Boik and Robison-Cox 1998, for beta), which give first and second derivatives; this one gives
all orders, and so second derivatives of derivatives.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as scipy_special

from ... import lax
from ... import numpy as anp
from .functions import hosted, row
from .gammas import betaln, stirling_rest
from .information import xlog1py, xlogy

#: exp(-45) is nothing beside 1 in float64.
_DECAY = 45.0
#: How many elements are integrated at once: their integrands fit the cache.
_BLOCK = 256


@functools.cache
def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1] that lie close together at 0."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    v = (nodes + 1) / 2
    return v**4, 2 * v**3 * weights


def panel(
    integrand: Callable, start: np.ndarray, width: np.ndarray, *columns: np.ndarray
) -> np.ndarray:
    """The integral over a width, which may be negative, times its sign.

    Args:
      integrand: of points, in rows, and of the columns' numbers for each row.
      start, width: for each row.
      columns: what the integrand takes besides.
    """
    nodes, weights = _rule()
    rows = np.flatnonzero(width)
    length = width[rows, None]
    values = integrand(start[rows, None] + length * nodes, *(c[rows, None] for c in columns))
    out = np.zeros_like(width)
    out[rows] = np.abs(width[rows]) * (values @ weights)
    return out


def in_blocks(function: Callable) -> Callable:
    """A host function of float64 arrays of one dimension as one of arrays of any shapes."""

    @functools.wraps(function)
    def run(*args: Any, **params: Any) -> np.ndarray:
        arrays = np.broadcast_arrays(*[np.asarray(a, np.float64) for a in args])
        flat = [a.ravel() for a in arrays]
        out = np.empty(flat[0].shape)
        for start in range(0, out.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            out[part] = function(*[a[part] for a in flat], **params)
        return out.reshape(arrays[0].shape)

    return run


def _two_panels(
    integrand: Callable, end: Any, bend: Any, lower: Any, left: Any, right: Any, *columns: Any
) -> np.ndarray:
    """The integral of a density's derivative up to ``end``.

    Args:
      bend: where the density's logarithm bends most.
      lower: whether to integrate from the left to ``end``; or else from there on, with a minus.
      left, right: the lengths beyond which nothing is left.
    """
    start = np.where(lower, np.minimum(end, bend), np.maximum(end, bend))
    outer = panel(integrand, start, np.where(lower, -left, right), *columns)
    inner = panel(integrand, start, end - start, *columns)
    return np.where(lower, 1.0, -1.0) * (outer + inner)


# --- gamma ---------------------------------------------------------------------------------------


def gamma_factor(log_t: Any, a: Any, order: int) -> Any:
    """A derivative of the gamma density with respect to ``a``, over the density.

    Args:
      log_t: log(t) less digamma(a).
    """
    slopes = [log_t, *(-lax.polygamma(i, a) for i in range(1, order))]
    factors: list[Any] = [1.0]
    for n in range(order):
        factors.append(sum(math.comb(n, i) * slopes[i] * factors[n - i] for i in range(n + 1)))
    return factors[order]


@in_blocks
def _gammainc_shape_host(a: np.ndarray, x: np.ndarray, *, order: int) -> np.ndarray:
    good = (a > 0) & (x > 0) & np.isfinite(x) & np.isfinite(a)
    a, given = np.where(good, a, 1.0), (a, x)
    x = np.where(good, x, 1.0)
    # In units in which the density's mode, in log(t), is 0.
    with np.errstate(over="ignore"):
        near = np.abs(x - a) < 0.5 * a
    end = np.where(near, np.log1p(np.where(near, x - a, 0.0) / a), np.log(x) - np.log(a))
    center = scipy_special.psi(a) - np.log(a)
    large = np.maximum(a, 8.0)
    log_mode = np.where(
        a < 8,
        a * (np.log(a) - 1) - scipy_special.gammaln(a),
        0.5 * np.log(large / (2 * np.pi)) - stirling_rest(large),
    )

    def integrand(d: Any, shape: Any, at_mode: Any, middle: Any) -> np.ndarray:
        density = np.exp(shape * (d - np.expm1(d)) + at_mode)
        return density * np.asarray(gamma_factor(d - middle, shape, order))

    at_least_1 = np.maximum(a, 1.0)
    left = _DECAY / a + np.sqrt(2 * _DECAY / a)
    right = np.minimum(np.sqrt(2 * _DECAY / at_least_1), np.log1p(_DECAY / at_least_1) + 1.5)
    bend = np.log(at_least_1 / a)
    columns = (a, log_mode, center)
    out = _two_panels(integrand, end, bend, end <= center, left, right, *columns)
    a, x = given
    return np.where(good, out, np.where((a > 0) & ((x == 0) | (x == np.inf)), 0.0, np.nan))


def _inside(x: Any, top: float) -> tuple[Any, Any]:
    """Whether numbers are between 0 and a bound, and numbers that are, the same where they are."""
    inside = (x > 0) & (x < top)
    return inside, anp.where(inside, x, 0.5)


def _shift(change: Any, density: Any) -> Any:
    """How a quantile moves with a parameter, of which the distribution function changes; at the
    ends of the support, where neither it nor the density need be above 0, not at all."""
    still = change == 0
    return anp.where(still, 0.0, -change / anp.where(still, 1.0, density))


def _gamma_density(a: Any, x: Any, order: int = 0) -> Any:
    """The gamma density, or a derivative of it with respect to ``a``."""
    if order == 0:
        at_end = anp.where(x == 0, anp.where(a < 1, np.inf, anp.where(a == 1, 1.0, 0.0)), 0.0)
    else:
        at_end = 0.0
    inside, x = _inside(x, np.inf)
    log_x = anp.log(x)
    density = anp.exp((a - 1) * log_x - x - lax.lgamma(a))
    if order:
        density = density * gamma_factor(log_x - lax.digamma(a), a, order)
    return anp.where(inside, density, at_end)


_gammainc_shape: Callable = row(
    "gammainc_shape",
    "a x",
    lambda out, a, x, *, order: _gammainc_shape(a, x, order=order + 1),
    lambda out, a, x, *, order: _gamma_density(a, x, order),
    host=_gammainc_shape_host,
)
gammainc: Callable = hosted(
    "gammainc",
    "a x",
    lambda out, a, x: _gammainc_shape(a, x, order=1),
    lambda out, a, x: _gamma_density(a, x),
)
gammaincc: Callable = hosted(
    "gammaincc",
    "a x",
    lambda out, a, x: -_gammainc_shape(a, x, order=1),
    lambda out, a, x: -_gamma_density(a, x),
)
gammaincinv: Callable = hosted(
    "gammaincinv",
    "a y",
    lambda out, a, y: _shift(_gammainc_shape(a, out, order=1), _gamma_density(a, out)),
    lambda out, a, y: 1 / _gamma_density(a, out),
)
gammainccinv: Callable = hosted(
    "gammainccinv",
    "a y",
    lambda out, a, y: _shift(_gammainc_shape(a, out, order=1), _gamma_density(a, out)),
    lambda out, a, y: -1 / _gamma_density(a, out),
)

# --- beta ----------------------------------------------------------------------------------------


def _beta_factor(log_t: Any, log_rest: Any, a: Any, b: Any, orders: tuple[int, int]) -> Any:
    """A derivative of the beta density with respect to ``a`` and ``b``, over the density.

    Args:
      log_t: log(t) less its mean.
      log_rest: log(1 - t) less its mean.
    """

    @functools.cache
    def slope(i: int, j: int) -> Any:
        """A derivative of the density's logarithm."""
        if i + j == 1:
            return log_t if i else log_rest
        own = [lax.polygamma(n - 1, p) for n, p, m in ((i, a, j), (j, b, i)) if not m]
        return lax.polygamma(i + j - 1, a + b) - (own[0] if own else 0.0)

    @functools.cache
    def factor(n: int, m: int) -> Any:
        if n == m == 0:
            return 1.0
        step = (1, 0) if n else (0, 1)
        n, m = n - step[0], m - step[1]
        return sum(
            math.comb(n, i)
            * math.comb(m, j)
            * slope(i + step[0], j + step[1])
            * factor(n - i, m - j)
            for i in range(n + 1)
            for j in range(m + 1)
        )

    return factor(*orders)


@in_blocks
def _betainc_shapes_host(
    a: np.ndarray, b: np.ndarray, x: np.ndarray, *, orders: tuple[int, int]
) -> np.ndarray:
    shapes = (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
    good = shapes & (x > 0) & (x < 1)
    at_end = np.where(shapes & ((x == 0) | (x == 1)), 0.0, np.nan)
    a, b, x = np.where(good, a, 1.0), np.where(good, b, 1.0), np.where(good, x, 0.5)
    both = a + b
    mode, other = a / both, b / both
    # In units in which the density's mode, in logit(t), is 0.
    near = np.abs(x - mode) < 0.5 * np.minimum(mode, other)
    off = np.where(near, x - mode, 0.0)
    close = np.log1p(off / mode) - np.log1p(-off / other)
    end = np.where(near, close, np.log(x) - np.log1p(-x) - np.log(a / b))
    log_mode = np.where(
        np.minimum(a, b) < 8,
        a * np.log(mode) + b * np.log1p(-mode) - scipy_special.betaln(a, b),
        0.5 * np.log(a * other / (2 * np.pi))
        + stirling_rest(np.maximum(both, 8.0))
        - stirling_rest(np.maximum(a, 8.0))
        - stirling_rest(np.maximum(b, 8.0)),
    )
    means = [scipy_special.psi(p) - scipy_special.psi(both) for p in (a, b)]
    lower = np.log(x) <= means[0] if orders[0] else np.log1p(-x) >= means[1]

    def integrand(
        d: Any,
        first: Any,
        second: Any,
        at_mode: Any,
        share: Any,
        rest: Any,
        off_t: Any,
        off_rest: Any,
    ) -> np.ndarray:
        # log(t) and log(1 - t) less what they are at the mode.
        up = d > 0
        bend = np.log1p(np.where(up, rest, share) * np.expm1(-np.abs(d)))
        log_t, log_rest = np.where(up, -bend, d - bend), np.where(up, -d - bend, -bend)
        factor = _beta_factor(log_t + off_t, log_rest + off_rest, first, second, orders)
        return np.exp(first * log_t + second * log_rest + at_mode) * np.asarray(factor)

    def reach(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return _DECAY / p + np.sqrt(2 * _DECAY * (1 / p + 1 / np.maximum(q, 1.0)))

    bend = np.log(np.maximum(a, 1.0) / a) - np.log(np.maximum(b, 1.0) / b)
    columns = (a, b, log_mode, mode, other, np.log(mode) - means[0], np.log(other) - means[1])
    out = _two_panels(integrand, end, bend, lower, reach(a, b), reach(b, a), *columns)
    return np.where(good, out, at_end)


def _beta_density(a: Any, b: Any, x: Any, orders: tuple[int, int] = (0, 0)) -> Any:
    """The beta density, or a derivative of it with respect to the parameters."""
    if orders == (0, 0):
        return anp.where(
            (x >= 0) & (x <= 1), anp.exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b)), 0.0
        )
    inside, x = _inside(x, 1.0)
    log_t, log_rest = anp.log(x), anp.log1p(-x)
    density = anp.exp((a - 1) * log_t + (b - 1) * log_rest - betaln(a, b))
    mean = lax.digamma(a + b)
    factor = _beta_factor(
        log_t - lax.digamma(a) + mean, log_rest - lax.digamma(b) + mean, a, b, orders
    )
    return anp.where(inside, density * factor, 0.0)


_betainc_shapes: Callable = row(
    "betainc_shapes",
    "a b x",
    lambda out, a, b, x, *, orders: _betainc_shapes(a, b, x, orders=(orders[0] + 1, orders[1])),
    lambda out, a, b, x, *, orders: _betainc_shapes(a, b, x, orders=(orders[0], orders[1] + 1)),
    lambda out, a, b, x, *, orders: _beta_density(a, b, x, orders),
    host=_betainc_shapes_host,
)
betainc: Callable = hosted(
    "betainc",
    "a b x",
    lambda out, a, b, x: _betainc_shapes(a, b, x, orders=(1, 0)),
    lambda out, a, b, x: _betainc_shapes(a, b, x, orders=(0, 1)),
    lambda out, a, b, x: _beta_density(a, b, x),
)
betaincc: Callable = hosted(
    "betaincc",
    "a b x",
    lambda out, a, b, x: -_betainc_shapes(a, b, x, orders=(1, 0)),
    lambda out, a, b, x: -_betainc_shapes(a, b, x, orders=(0, 1)),
    lambda out, a, b, x: -_beta_density(a, b, x),
)


def _beta_shift(out: Any, a: Any, b: Any, orders: tuple[int, int]) -> Any:
    return _shift(_betainc_shapes(a, b, out, orders=orders), _beta_density(a, b, out))


betaincinv: Callable = hosted(
    "betaincinv",
    "a b y",
    lambda out, a, b, y: _shift(
        _betainc_shapes(a, b, out, orders=(1, 0)), _beta_density(a, b, out)
    ),
    lambda out, a, b, y: _shift(
        _betainc_shapes(a, b, out, orders=(0, 1)), _beta_density(a, b, out)
    ),
    lambda out, a, b, y: 1 / _beta_density(a, b, out),
)
betainccinv: Callable = hosted(
    "betainccinv",
    "a b y",
    lambda out, a, b, y: _shift(
        _betainc_shapes(a, b, out, orders=(1, 0)), _beta_density(a, b, out)
    ),
    lambda out, a, b, y: _shift(
        _betainc_shapes(a, b, out, orders=(0, 1)), _beta_density(a, b, out)
    ),
    lambda out, a, b, y: -1 / _beta_density(a, b, out),
)
