"""The distributions on integers."""

from __future__ import annotations

import math
from typing import Any

from ... import numpy as anp
from ..special import (
    betainc,
    betaincc,
    betaln,
    entr,
    gammainc,
    gammaincc,
    gammaln,
    xlog1py,
    xlogy,
    zeta,
)  # fmt: skip
from .distribution import Discrete


def _share(p: Any) -> Any:
    return (p >= 0) & (p <= 1)


def _log_binomial(n: Any, k: Any) -> Any:
    """The logarithm of the number of combinations."""
    return -anp.log(n + 1) - betaln(n - k + 1, k + 1)


bernoulli = Discrete(
    "bernoulli",
    "p",
    0.0,
    1.0,
    valid=_share,
    inner=lambda p: 0.0,
    logpmf=lambda k, p: xlogy(k, p) + xlog1py(1 - k, -p),
    cdf=lambda k, p: 1 - p,
    sf=lambda k, p: p,
    mean=lambda p: p,
    var=lambda p: p * (1 - p),
    entropy=lambda p: entr(p) + entr(1 - p),
)
binom = Discrete(
    "binom",
    "n p",
    0.0,
    lambda n, p: n,
    valid=lambda n, p: (n >= 0) & _share(p),
    inner=lambda n, p: 0.0,
    logpmf=lambda k, n, p: _log_binomial(n, k) + xlogy(k, p) + xlog1py(n - k, -p),
    cdf=lambda k, n, p: betaincc(k + 1, anp.where(n > k, n - k, 1.0), p),
    sf=lambda k, n, p: betainc(k + 1, anp.where(n > k, n - k, 1.0), p),
    mean=lambda n, p: n * p,
    var=lambda n, p: n * p * (1 - p),
)
nbinom = Discrete(
    "nbinom",
    "n p",
    0.0,
    math.inf,
    valid=lambda n, p: (n > 0) & (p > 0) & (p <= 1),
    inner=lambda n, p: 0.0,
    logpmf=lambda k, n, p: -anp.log(n + k) - betaln(n, k + 1) + n * anp.log(p) + xlog1py(k, -p),
    cdf=lambda k, n, p: betainc(n, k + 1, p),
    sf=lambda k, n, p: betaincc(n, k + 1, p),
    mean=lambda n, p: n * (1 - p) / p,
    var=lambda n, p: n * (1 - p) / (p * p),
)
geom = Discrete(
    "geom",
    "p",
    1.0,
    math.inf,
    valid=lambda p: (p > 0) & (p <= 1),
    logpmf=lambda k, p: xlog1py(k - 1, -p) + anp.log(p),
    cdf=lambda k, p: -anp.expm1(k * anp.log1p(-p)),
    sf=lambda k, p: anp.exp(k * anp.log1p(-p)),
    logsf=lambda k, p: k * anp.log1p(-p),
    mean=lambda p: 1 / p,
    var=lambda p: (1 - p) / (p * p),
    entropy=lambda p: (entr(p) + entr(1 - p)) / p,
)
poisson = Discrete(
    "poisson",
    "mu",
    0.0,
    math.inf,
    valid=lambda mu: mu >= 0,
    logpmf=lambda k, mu: xlogy(k, mu) - gammaln(k + 1) - mu,
    cdf=lambda k, mu: gammaincc(k + 1, mu),
    sf=lambda k, mu: gammainc(k + 1, mu),
    mean=lambda mu: mu,
    var=lambda mu: mu,
)
betabinom = Discrete(
    "betabinom",
    "n a b",
    0.0,
    lambda n, a, b: n,
    valid=lambda n, a, b: (n >= 0) & (a > 0) & (b > 0),
    inner=lambda n, a, b: 0.0,
    logpmf=lambda k, n, a, b: _log_binomial(n, k) + betaln(k + a, n - k + b) - betaln(a, b),
    mean=lambda n, a, b: n * a / (a + b),
    var=lambda n, a, b: n * a * b * (a + b + n) / ((a + b) ** 2 * (a + b + 1)),
)
hypergeom = Discrete(
    "hypergeom",
    "M n N",
    lambda total, good, drawn: anp.maximum(drawn - (total - good), 0.0),
    lambda total, good, drawn: anp.minimum(good, drawn),
    valid=lambda total, good, drawn: (
        (good >= 0) & (drawn >= 0) & (good <= total) & (drawn <= total)
    ),
    inner=lambda total, good, drawn: anp.maximum(drawn - (total - good), 0.0),
    logpmf=lambda k, total, good, drawn: (
        _log_binomial(good, k)
        + _log_binomial(total - good, drawn - k)
        - _log_binomial(total, drawn)
    ),
    mean=lambda total, good, drawn: drawn * good / total,
    var=lambda total, good, drawn: (
        drawn * (good / total) * (1 - good / total) * (total - drawn) / (total - 1)
    ),
)
zipf = Discrete(
    "zipf",
    "a",
    1.0,
    math.inf,
    valid=lambda a: a > 1,
    logpmf=lambda k, a: -a * anp.log(k) - anp.log(zeta(a, anp.ones_like(a))),
    cdf=lambda k, a: 1 - zeta(a, k + 1) / zeta(a, anp.ones_like(a)),
    sf=lambda k, a: zeta(a, k + 1) / zeta(a, anp.ones_like(a)),
)
randint = Discrete(
    "randint",
    "low high",
    lambda low, high: low,
    lambda low, high: high - 1,
    valid=lambda low, high: high > low,
    inner=lambda low, high: low,
    logpmf=lambda k, low, high: anp.zeros_like(k) - anp.log(high - low),
    cdf=lambda k, low, high: (k - low + 1) / (high - low),
    mean=lambda low, high: 0.5 * (low + high - 1),
    var=lambda low, high: ((high - low) ** 2 - 1) / 12,
    entropy=lambda low, high: anp.log(high - low),
)
logser = Discrete(
    "logser",
    "p",
    1.0,
    math.inf,
    valid=lambda p: (p > 0) & (p < 1),
    logpmf=lambda k, p: k * anp.log(p) - anp.log(k) - anp.log(-anp.log1p(-p)),
    mean=lambda p: p / ((1 - p) * -anp.log1p(-p)),
)
