"""The continuous distributions: their standard forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import lax
from ... import numpy as anp
from ...api.differentiate import jvp
from ..special import (
    betainc,
    betaincc,
    betainccinv,
    betaincinv,
    betaln,
    cosm1,
    digamma,
    erfinv,
    expit,
    fdtr,
    fdtrc,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    i0e,
    i1e,
    log_expit,
    log_ndtr,
    logit,
    ndtr,
    ndtri,
    ndtri_exp,
    owens_t,
    stdtr,
    xlog1py,
    xlogy,
)  # fmt: skip
from ..special.functions import row
from ..special.incomplete import in_blocks, panel
from .distribution import Continuous, scipy_stats

_LOG_2, _LOG_PI = math.log(2), math.log(math.pi)
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_ROOT_TWO = math.sqrt(2)
_EULER = float(np.euler_gamma)


def _positive(*shapes: Any) -> Any:
    valid = shapes[0] > 0
    for s in shapes[1:]:
        valid = valid & (s > 0)
    return valid


def _normal(y: Any) -> Any:
    return -0.5 * y * y - _HALF_LOG_TWO_PI


# --- on the real line ----------------------------------------------------------------------------

norm = Continuous(
    "norm",
    logpdf=_normal,
    cdf=ndtr,
    sf=lambda y: ndtr(-y),
    logcdf=log_ndtr,
    logsf=lambda y: log_ndtr(-y),
    ppf=ndtri,
    isf=lambda q: -ndtri(q),
    mean=lambda: 0.0,
    var=lambda: 1.0,
    entropy=lambda: _HALF_LOG_TWO_PI + 0.5,
)
cauchy = Continuous(
    "cauchy",
    logpdf=lambda y: -_LOG_PI - anp.log1p(y * y),
    cdf=lambda y: anp.arctan2(anp.ones_like(y), -y) / math.pi,
    sf=lambda y: anp.arctan2(anp.ones_like(y), y) / math.pi,
    ppf=lambda q: -1 / anp.tan(math.pi * q),
    isf=lambda q: 1 / anp.tan(math.pi * q),
    entropy=lambda: math.log(4 * math.pi),
)


def _laplace_tail(y: Any) -> Any:
    return 0.5 * anp.exp(anp.where(y > 0, -y, y))  # not abs, which has slope 0 at 0


def _laplace_log_cdf(y: Any) -> Any:
    return anp.where(y > 0, anp.log1p(-_laplace_tail(y)), y - _LOG_2)


def _laplace_ppf(q: Any) -> Any:
    return anp.where(q > 0.5, -anp.log(2 * (1 - q)), anp.log(2 * q))


laplace = Continuous(
    "laplace",
    logpdf=lambda y: -_LOG_2 - anp.abs(y),
    cdf=lambda y: anp.where(y > 0, 1 - _laplace_tail(y), _laplace_tail(y)),
    sf=lambda y: anp.where(y > 0, _laplace_tail(y), 1 - _laplace_tail(y)),
    logcdf=_laplace_log_cdf,
    logsf=lambda y: _laplace_log_cdf(-y),
    ppf=_laplace_ppf,
    isf=lambda q: -_laplace_ppf(q),
    mean=lambda: 0.0,
    var=lambda: 2.0,
    entropy=lambda: 1 + _LOG_2,
)
logistic = Continuous(
    "logistic",
    logpdf=lambda y: log_expit(y) + log_expit(-y),
    cdf=expit,
    sf=lambda y: expit(-y),
    logcdf=log_expit,
    logsf=lambda y: log_expit(-y),
    ppf=logit,
    isf=lambda q: -logit(q),
    mean=lambda: 0.0,
    var=lambda: math.pi**2 / 3,
    entropy=lambda: 2.0,
)
gumbel_r = Continuous(
    "gumbel_r",
    logpdf=lambda y: -y - anp.exp(-y),
    cdf=lambda y: anp.exp(-anp.exp(-y)),
    sf=lambda y: -anp.expm1(-anp.exp(-y)),
    logcdf=lambda y: -anp.exp(-y),
    ppf=lambda q: -anp.log(-anp.log(q)),
    isf=lambda q: -anp.log(-anp.log1p(-q)),
    mean=lambda: _EULER,
    var=lambda: math.pi**2 / 6,
    entropy=lambda: _EULER + 1,
)
gumbel_l = Continuous(
    "gumbel_l",
    logpdf=lambda y: y - anp.exp(y),
    cdf=lambda y: -anp.expm1(-anp.exp(y)),
    sf=lambda y: anp.exp(-anp.exp(y)),
    logsf=lambda y: -anp.exp(y),
    ppf=lambda q: anp.log(-anp.log1p(-q)),
    isf=lambda q: anp.log(-anp.log(q)),
    mean=lambda: -_EULER,
    var=lambda: math.pi**2 / 6,
    entropy=lambda: _EULER + 1,
)
t: Continuous = Continuous(
    "t",
    "df",
    valid=_positive,
    logpdf=lambda y, df: (
        -0.5 * anp.log(df)
        - betaln(anp.full_like(df, 0.5), 0.5 * df)
        - 0.5 * (df + 1) * anp.log1p(y * y / df)
    ),
    cdf=lambda y, df: stdtr(df, y),
    sf=lambda y, df: stdtr(df, -y),
    isf=lambda q, df: -t.formula("ppf")(q, df),
    mean=lambda df: anp.where(df > 1, 0.0, np.nan),
    var=lambda df: anp.where(
        df > 2, df / anp.where(df > 2, df - 2, 1.0), anp.where(df > 1, np.inf, np.nan)
    ),
    entropy=lambda df: (
        0.5 * (df + 1) * (digamma(0.5 * (df + 1)) - digamma(0.5 * df))
        + 0.5 * anp.log(df)
        + betaln(0.5 * df, anp.full_like(df, 0.5))
    ),
)


def _gennorm_cdf(y: Any, beta: Any) -> Any:
    power = anp.abs(y) ** beta
    # At 0, where the gamma function's argument has no derivative, the first term is exact.
    near = power < np.cbrt(np.finfo(power.dtype).tiny)
    tail = 0.5 * gammaincc(1 / beta, anp.where(near, 1.0, power))
    center = 0.5 + y * anp.exp(anp.log(0.5 * beta) - gammaln(1 / beta))
    return anp.where(near, center, anp.where(y > 0, 1 - tail, tail))


gennorm = Continuous(
    "gennorm",
    "beta",
    valid=_positive,
    logpdf=lambda y, beta: anp.log(0.5 * beta) - gammaln(1 / beta) - anp.abs(y) ** beta,
    cdf=_gennorm_cdf,
    sf=lambda y, beta: _gennorm_cdf(-y, beta),
    mean=lambda beta: anp.zeros_like(beta),
    var=lambda beta: anp.exp(gammaln(3 / beta) - gammaln(1 / beta)),
    entropy=lambda beta: 1 / beta - anp.log(0.5 * beta) + gammaln(1 / beta),
)
skewnorm = Continuous(
    "skewnorm",
    "a",
    valid=lambda a: ~anp.isnan(a),
    logpdf=lambda y, a: _LOG_2 + _normal(y) + log_ndtr(a * y),
    cdf=lambda y, a: ndtr(y) - 2 * owens_t(y, a),
    sf=lambda y, a: ndtr(-y) + 2 * owens_t(y, a),
    mean=lambda a: math.sqrt(2 / math.pi) * a / anp.sqrt(1 + a * a),
    var=lambda a: 1 - 2 / math.pi * a * a / (1 + a * a),
)


def _exponnorm_part(y: Any, k: Any) -> Any:
    """The logarithm of the density times k."""
    rate = 1 / k
    return 0.5 * rate * rate - y * rate + log_ndtr(y - rate)


exponnorm = Continuous(
    "exponnorm",
    "K",
    valid=_positive,
    logpdf=lambda y, k: _exponnorm_part(y, k) - anp.log(k),
    cdf=lambda y, k: ndtr(y) - anp.exp(_exponnorm_part(y, k)),
    sf=lambda y, k: ndtr(-y) + anp.exp(_exponnorm_part(y, k)),
    mean=lambda k: k,
    var=lambda k: 1 + k * k,
)


def _log_i0e(kappa: Any) -> Any:
    """The logarithm of ``i0e`` of numbers not below 0, with the derivatives from above at 0."""
    at_0 = kappa == 0
    square = kappa * kappa
    return anp.where(
        at_0,
        square * (0.25 - square / 64) - kappa,
        anp.log(i0e(anp.where(at_0, 1.0, kappa))),
    )


def _vonmises_logpdf(y: Any, kappa: Any) -> Any:
    return kappa * cosm1(y) - 2 * _HALF_LOG_TWO_PI - _log_i0e(kappa)


def _vonmises_density(y: Any, kappa: Any, order: int = 0) -> Any:
    """The density, or a derivative of it with respect to ``kappa``."""
    if not order:
        return anp.exp(_vonmises_logpdf(y, kappa))
    k = kappa + anp.zeros_like(y)
    return jvp(lambda k: _vonmises_density(y, k, order - 1), (k,), (anp.ones_like(k),))[1]


@in_blocks
def _vonmises_concentration_host(y: np.ndarray, kappa: np.ndarray, *, order: int) -> np.ndarray:
    """A derivative of the distribution function with respect to ``kappa``.

    The function is a quotient of integrals of ``exp(kappa (cos(t) - 1))``, up to ``y`` and up to
    pi, whose derivatives have ``cos(t) - 1`` as a factor. It is computed on the side on which it is
    less than a half.
    """
    good = (kappa >= 0) & np.isfinite(kappa) & np.isfinite(y)
    kappa, y = np.where(good, kappa, 1.0), np.where(good, y, 0.0)
    y = y - 2 * np.pi * np.round(y / (2 * np.pi))
    sign, y = np.where(y > 0, -1.0, 1.0), -np.abs(y)
    # 1 - cos(t) is at least 2 (t / pi)**2, and exp(-45) is nothing.
    reach = np.minimum(np.pi * np.sqrt(22.5 / np.maximum(kappa, 1.0)), np.pi)

    def integral(start: np.ndarray, power: int) -> np.ndarray:
        def integrand(t: Any, k: Any) -> Any:
            fall = -2 * np.sin(0.5 * t) ** 2
            return fall**power * np.exp(k * fall)

        return panel(integrand, start, np.maximum(start - reach, -np.pi) - start, kappa)

    whole = [2 * integral(np.zeros_like(y), n) for n in range(order + 1)]
    found: list[np.ndarray] = []
    for n in range(order + 1):
        known = sum(math.comb(n, k) * found[k] * whole[n - k] for k in range(n))
        found.append((integral(y, n) - known) / whole[0])
    return np.where(good, sign * found[order], np.nan)


_vonmises_concentration: Callable = row(
    "vonmises_concentration",
    "x kappa",
    lambda out, y, kappa, *, order: _vonmises_density(y, kappa, order),
    lambda out, y, kappa, *, order: _vonmises_concentration(y, kappa, order=order + 1),
    host=_vonmises_concentration_host,
    title="scipy.stats.vonmises.cdf",
)
vonmises = Continuous(
    "vonmises",
    "kappa",
    valid=lambda kappa: kappa >= 0,
    logpdf=_vonmises_logpdf,
    cdf=row(
        "vonmises_cdf",
        "x kappa",
        lambda out, y, kappa: _vonmises_density(y, kappa),
        lambda out, y, kappa: _vonmises_concentration(y, kappa, order=1),
        host=lambda y, kappa: scipy_stats.vonmises.cdf(y, kappa),
        title="scipy.stats.vonmises.cdf",
    ),
    entropy=lambda kappa: (
        -kappa * i1e(kappa) / i0e(kappa) + 2 * _HALF_LOG_TWO_PI + _log_i0e(kappa) + kappa
    ),
)

# --- from 0 --------------------------------------------------------------------------------------

expon = Continuous(
    "expon",
    "",
    0.0,
    logpdf=lambda y: -y,
    cdf=lambda y: -anp.expm1(-y),
    sf=lambda y: anp.exp(-y),
    logsf=lambda y: -y,
    ppf=lambda q: -anp.log1p(-q),
    isf=lambda q: -anp.log(q),
    mean=lambda: 1.0,
    var=lambda: 1.0,
    entropy=lambda: 1.0,
)
gamma = Continuous(
    "gamma",
    "a",
    0.0,
    valid=_positive,
    logpdf=lambda y, a: xlogy(a - 1, y) - y - gammaln(a),
    cdf=lambda y, a: gammainc(a, y),
    sf=lambda y, a: gammaincc(a, y),
    ppf=lambda q, a: gammaincinv(a, q),
    isf=lambda q, a: gammainccinv(a, q),
    mean=lambda a: a,
    var=lambda a: a,
    entropy=lambda a: a + gammaln(a) + (1 - a) * digamma(a),
)
invgamma = Continuous(
    "invgamma",
    "a",
    0.0,
    open=True,
    valid=_positive,
    logpdf=lambda y, a: -(a + 1) * anp.log(y) - gammaln(a) - 1 / y,
    cdf=lambda y, a: gammaincc(a, 1 / y),
    sf=lambda y, a: gammainc(a, 1 / y),
    ppf=lambda q, a: 1 / gammainccinv(a, q),
    isf=lambda q, a: 1 / gammaincinv(a, q),
    mean=lambda a: anp.where(a > 1, 1 / anp.where(a > 1, a - 1, 1.0), np.inf),
    var=lambda a: anp.where(a > 2, 1 / anp.where(a > 2, (a - 1) ** 2 * (a - 2), 1.0), np.inf),
    entropy=lambda a: a - (a + 1) * digamma(a) + gammaln(a),
)
chi2 = Continuous(
    "chi2",
    "df",
    0.0,
    valid=_positive,
    logpdf=lambda y, df: xlogy(0.5 * df - 1, y) - 0.5 * y - gammaln(0.5 * df) - 0.5 * _LOG_2 * df,
    cdf=lambda y, df: gammainc(0.5 * df, 0.5 * y),
    sf=lambda y, df: gammaincc(0.5 * df, 0.5 * y),
    ppf=lambda q, df: 2 * gammaincinv(0.5 * df, q),
    isf=lambda q, df: 2 * gammainccinv(0.5 * df, q),
    mean=lambda df: df,
    var=lambda df: 2 * df,
    entropy=lambda df: 0.5 * df + _LOG_2 + gammaln(0.5 * df) + (1 - 0.5 * df) * digamma(0.5 * df),
)
f = Continuous(
    "f",
    "dfn dfd",
    0.0,
    valid=_positive,
    logpdf=lambda y, dfn, dfd: (
        0.5 * dfn * anp.log(dfn / dfd)
        + xlogy(0.5 * dfn - 1, y)
        - 0.5 * (dfn + dfd) * anp.log1p(dfn / dfd * y)
        - betaln(0.5 * dfn, 0.5 * dfd)
    ),
    cdf=lambda y, dfn, dfd: fdtr(dfn, dfd, y),
    sf=lambda y, dfn, dfd: fdtrc(dfn, dfd, y),
    mean=lambda dfn, dfd: anp.where(dfd > 2, dfd / anp.where(dfd > 2, dfd - 2, 1.0), np.inf),
)
halfnorm = Continuous(
    "halfnorm",
    "",
    0.0,
    logpdf=lambda y: _normal(y) + _LOG_2,
    cdf=lambda y: lax.erf(y / _ROOT_TWO),
    sf=lambda y: lax.erfc(y / _ROOT_TWO),
    logsf=lambda y: log_ndtr(-y) + _LOG_2,
    ppf=lambda q: _ROOT_TWO * erfinv(q),
    isf=lambda q: -ndtri(0.5 * q),
    mean=lambda: math.sqrt(2 / math.pi),
    var=lambda: 1 - 2 / math.pi,
    entropy=lambda: 0.5 * math.log(math.pi / 2) + 0.5,
)
halfcauchy = Continuous(
    "halfcauchy",
    "",
    0.0,
    logpdf=lambda y: _LOG_2 - _LOG_PI - anp.log1p(y * y),
    cdf=lambda y: 2 / math.pi * anp.arctan(y),
    sf=lambda y: 2 / math.pi * anp.arctan2(anp.ones_like(y), y),
    ppf=lambda q: anp.tan(0.5 * math.pi * q),
    isf=lambda q: 1 / anp.tan(0.5 * math.pi * q),
    entropy=lambda: math.log(2 * math.pi),
)
lognorm = Continuous(
    "lognorm",
    "s",
    0.0,
    open=True,
    valid=_positive,
    logpdf=lambda y, s: _normal(anp.log(y) / s) - anp.log(s * y),
    cdf=lambda y, s: ndtr(anp.log(y) / s),
    sf=lambda y, s: ndtr(-anp.log(y) / s),
    logcdf=lambda y, s: log_ndtr(anp.log(y) / s),
    logsf=lambda y, s: log_ndtr(-anp.log(y) / s),
    ppf=lambda q, s: anp.exp(s * ndtri(q)),
    isf=lambda q, s: anp.exp(-s * ndtri(q)),
    mean=lambda s: anp.exp(0.5 * s * s),
    var=lambda s: anp.expm1(s * s) * anp.exp(s * s),
    entropy=lambda s: _HALF_LOG_TWO_PI + 0.5 + anp.log(s),
)
weibull_min = Continuous(
    "weibull_min",
    "c",
    0.0,
    valid=_positive,
    logpdf=lambda y, c: anp.log(c) + xlogy(c - 1, y) - y**c,
    cdf=lambda y, c: -anp.expm1(-(y**c)),
    sf=lambda y, c: anp.exp(-(y**c)),
    logsf=lambda y, c: -(y**c),
    ppf=lambda q, c: (-anp.log1p(-q)) ** (1 / c),
    isf=lambda q, c: (-anp.log(q)) ** (1 / c),
    mean=lambda c: anp.exp(gammaln(1 + 1 / c)),
    var=lambda c: anp.exp(gammaln(1 + 2 / c)) - anp.exp(2 * gammaln(1 + 1 / c)),
    entropy=lambda c: _EULER * (1 - 1 / c) - anp.log(c) + 1,
)
rayleigh = Continuous(
    "rayleigh",
    "",
    0.0,
    logpdf=lambda y: anp.log(y) - 0.5 * y * y,
    cdf=lambda y: -anp.expm1(-0.5 * y * y),
    sf=lambda y: anp.exp(-0.5 * y * y),
    logsf=lambda y: -0.5 * y * y,
    ppf=lambda q: anp.sqrt(-2 * anp.log1p(-q)),
    isf=lambda q: anp.sqrt(-2 * anp.log(q)),
    mean=lambda: math.sqrt(math.pi / 2),
    var=lambda: 2 - math.pi / 2,
    entropy=lambda: 1 + 0.5 * _EULER - 0.5 * _LOG_2,
)
lomax = Continuous(
    "lomax",
    "c",
    0.0,
    valid=_positive,
    logpdf=lambda y, c: anp.log(c) - (c + 1) * anp.log1p(y),
    cdf=lambda y, c: -anp.expm1(-c * anp.log1p(y)),
    sf=lambda y, c: anp.exp(-c * anp.log1p(y)),
    logsf=lambda y, c: -c * anp.log1p(y),
    ppf=lambda q, c: anp.expm1(-anp.log1p(-q) / c),
    isf=lambda q, c: anp.expm1(-anp.log(q) / c),
    entropy=lambda c: 1 + 1 / c - anp.log(c),
)
pareto = Continuous(
    "pareto",
    "b",
    1.0,
    valid=_positive,
    logpdf=lambda y, b: anp.log(b) - (b + 1) * anp.log(y),
    cdf=lambda y, b: -anp.expm1(-b * anp.log(y)),
    sf=lambda y, b: anp.exp(-b * anp.log(y)),
    logsf=lambda y, b: -b * anp.log(y),
    ppf=lambda q, b: anp.exp(-anp.log1p(-q) / b),
    isf=lambda q, b: anp.exp(-anp.log(q) / b),
    mean=lambda b: anp.where(b > 1, b / anp.where(b > 1, b - 1, 1.0), np.inf),
    var=lambda b: anp.where(b > 2, b / anp.where(b > 2, (b - 1) ** 2 * (b - 2), 1.0), np.inf),
    entropy=lambda b: 1 + 1 / b - anp.log(b),
)


def _invgauss_parts(y: Any, mu: Any) -> tuple[Any, Any, Any]:
    root = anp.sqrt(y)
    near, far = (y / mu - 1) / root, -(y / mu + 1) / root
    return near, far, anp.exp(2 / mu + log_ndtr(far))


invgauss = Continuous(
    "invgauss",
    "mu",
    0.0,
    open=True,
    valid=_positive,
    logpdf=lambda y, mu: -_HALF_LOG_TWO_PI - 1.5 * anp.log(y) - (y - mu) ** 2 / (2 * mu * mu * y),
    cdf=lambda y, mu: ndtr(_invgauss_parts(y, mu)[0]) + _invgauss_parts(y, mu)[2],
    sf=lambda y, mu: ndtr(-_invgauss_parts(y, mu)[0]) - _invgauss_parts(y, mu)[2],
    mean=lambda mu: mu,
    var=lambda mu: mu**3,
)

# --- on an interval ------------------------------------------------------------------------------

uniform = Continuous(
    "uniform",
    "",
    0.0,
    1.0,
    logpdf=lambda y: anp.zeros_like(y),
    cdf=lambda y: y,
    ppf=lambda q: q,
    mean=lambda: 0.5,
    var=lambda: 1 / 12,
    entropy=lambda: 0.0,
)
beta = Continuous(
    "beta",
    "a b",
    0.0,
    1.0,
    valid=_positive,
    logpdf=lambda y, a, b: xlog1py(b - 1, -y) + xlogy(a - 1, y) - betaln(a, b),
    cdf=lambda y, a, b: betainc(a, b, y),
    sf=lambda y, a, b: betaincc(a, b, y),
    ppf=lambda q, a, b: betaincinv(a, b, q),
    isf=lambda q, a, b: betainccinv(a, b, q),
    mean=lambda a, b: a / (a + b),
    var=lambda a, b: a * b / ((a + b) ** 2 * (a + b + 1)),
    entropy=lambda a, b: (
        betaln(a, b) - (a - 1) * digamma(a) - (b - 1) * digamma(b) + (a + b - 2) * digamma(a + b)
    ),
)
powerlaw = Continuous(
    "powerlaw",
    "a",
    0.0,
    1.0,
    valid=_positive,
    logpdf=lambda y, a: anp.log(a) + xlogy(a - 1, y),
    cdf=lambda y, a: y**a,
    sf=lambda y, a: -anp.expm1(a * anp.log(y)),
    logcdf=lambda y, a: a * anp.log(y),
    ppf=lambda q, a: q ** (1 / a),
    mean=lambda a: a / (a + 1),
    var=lambda a: a / ((a + 2) * (a + 1) ** 2),
    entropy=lambda a: 1 - 1 / a - anp.log(a),
)
loguniform = reciprocal = Continuous(
    "loguniform",
    "a b",
    lambda a, b: a,
    lambda a, b: b,
    valid=lambda a, b: (a > 0) & (b > a),
    logpdf=lambda y, a, b: -anp.log(y) - anp.log(anp.log(b / a)),
    cdf=lambda y, a, b: anp.log(y / a) / anp.log(b / a),
    sf=lambda y, a, b: anp.log(b / y) / anp.log(b / a),
    ppf=lambda q, a, b: a * anp.exp(q * anp.log(b / a)),
    mean=lambda a, b: (b - a) / anp.log(b / a),
    var=lambda a, b: 0.5 * (b * b - a * a) / anp.log(b / a) - ((b - a) / anp.log(b / a)) ** 2,
    entropy=lambda a, b: 0.5 * anp.log(a * b) + anp.log(anp.log(b / a)),
)


def _triang_parts(y: Any, c: Any) -> tuple[Any, Any, Any]:
    """Whether a point is before the mode, and its share of the way from either end to it."""
    before = y < c
    up = anp.where(before, y, 1.0) / anp.where(before, c, 1.0)
    down = anp.where(before, 1.0, 1 - y) / anp.where(before, 1.0, anp.where(c == 1, 1.0, 1 - c))
    return before, up, anp.where((c == 1) & (y == 1), 1.0, down)


def _triang_logpdf(y: Any, c: Any) -> Any:
    before, up, down = _triang_parts(y, c)
    return _LOG_2 + anp.log(anp.where(before, up, down))


def _triang_cdf(y: Any, c: Any) -> Any:
    before, up, down = _triang_parts(y, c)
    return anp.where(before, y * up, 1 - (1 - y) * down)


def _triang_ppf(q: Any, c: Any) -> Any:
    before = q < c
    up = anp.sqrt(anp.where(before, c * q, 1.0))
    down = anp.sqrt(anp.where(before, 1.0, (1 - c) * (1 - q)))
    return anp.where(before, up, 1 - down)


triang = Continuous(
    "triang",
    "c",
    0.0,
    1.0,
    valid=lambda c: (c >= 0) & (c <= 1),
    logpdf=_triang_logpdf,
    cdf=_triang_cdf,
    ppf=_triang_ppf,
    mean=lambda c: (c + 1) / 3,
    var=lambda c: (1 - c + c * c) / 18,
    entropy=lambda c: 0.5 - _LOG_2 + anp.zeros_like(c),
)


def _wrapcauchy_cdf(y: Any, c: Any) -> Any:
    upper = y > math.pi
    ratio = (1 + c) / (1 - c)
    half = 0.5 * anp.where(upper, 2 * math.pi - y, y)
    part = anp.arctan2(ratio * anp.sin(half), anp.cos(half)) / math.pi
    return anp.where(upper, 1 - part, part)


def _wrapcauchy_ppf(q: Any, c: Any) -> Any:
    upper = q > 0.5
    ratio = (1 - c) / (1 + c)
    angle = math.pi * anp.where(upper, 1 - q, q)
    part = 2 * anp.arctan2(ratio * anp.sin(angle), anp.cos(angle))
    return anp.where(upper, 2 * math.pi - part, part)


wrapcauchy = Continuous(
    "wrapcauchy",
    "c",
    0.0,
    2 * math.pi,
    valid=lambda c: (c > 0) & (c < 1),
    logpdf=lambda y, c: (
        anp.log1p(-c * c) - 2 * _HALF_LOG_TWO_PI - anp.log(1 + c * c - 2 * c * anp.cos(y))
    ),
    cdf=_wrapcauchy_cdf,
    ppf=_wrapcauchy_ppf,
    entropy=lambda c: anp.log(2 * math.pi * (1 - c * c)),
)

# --- truncated -----------------------------------------------------------------------------------


def _finite(bound: Any) -> Any:
    """A bound, and in place of an infinite one a number that is so for the normal distribution: it
    is a constant, so that no derivative is 0 times infinity."""
    return anp.where(anp.isinf(bound), anp.where(bound > 0, 1e10, -1e10).astype(bound.dtype), bound)


def _log_mass(a: Any, b: Any) -> Any:
    """The logarithm of the normal probability of ``[a, b]``, accurate in the tails."""
    a, b = _finite(a), _finite(b)
    right = a > 0
    near, far = anp.where(right, -a, b), anp.where(right, -b, a)
    tail = near <= 0
    high = log_ndtr(anp.where(tail, near, 0.0))
    low = log_ndtr(anp.where(tail, far, -1.0))
    both_sides = anp.where(tail, 0.0, ndtr(a) + ndtr(-b))
    # Next to each other the difference of the logarithms rounds to 0.
    gap = anp.where(low < high, low - high, -1.0)
    inside = anp.where(low < high, high + anp.log(-anp.expm1(gap)), -np.inf)
    return anp.where(tail, inside, anp.log1p(-both_sides))


def _log_share(part: Any, rest: Any, whole: Any) -> Any:
    """The logarithm of a part's share of a whole, from the logarithms of it and of the rest."""
    small = part < rest
    left = anp.where(small, -1.0, rest - whole)
    return anp.where(small, part - whole, anp.log1p(-anp.exp(left)))


def _truncnorm_ppf(q: Any, a: Any, b: Any) -> Any:
    a, b = _finite(a), _finite(b)
    mass = _log_mass(a, b)
    left = ndtri_exp(anp.logaddexp(log_ndtr(a), anp.log(q) + mass))
    right = -ndtri_exp(anp.logaddexp(log_ndtr(-b), anp.log1p(-q) + mass))
    return anp.where(a < 0, left, right)


truncnorm = Continuous(
    "truncnorm",
    "a b",
    lambda a, b: a,
    lambda a, b: b,
    valid=lambda a, b: a < b,
    inner=lambda a, b: anp.clip(0.0, a, b),
    logpdf=lambda y, a, b: _normal(y) - _log_mass(a, b),
    cdf=lambda y, a, b: anp.exp(_log_mass(a, y) - _log_mass(a, b)),
    sf=lambda y, a, b: anp.exp(_log_mass(y, b) - _log_mass(a, b)),
    logcdf=lambda y, a, b: _log_share(_log_mass(a, y), _log_mass(y, b), _log_mass(a, b)),
    logsf=lambda y, a, b: _log_share(_log_mass(y, b), _log_mass(a, y), _log_mass(a, b)),
    ppf=_truncnorm_ppf,
    isf=lambda q, a, b: -_truncnorm_ppf(q, -b, -a),
)
