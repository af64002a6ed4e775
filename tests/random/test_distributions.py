"""Samples of every distribution have it: fixed keys, so that the tests always give the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from autotrace import config, random

#: Of samples; the interpreter takes its time over loops.
COUNT = 3000 if config.backend == "numba" else 200


def two_sided(distribution: Any) -> Any:
    """The distribution function of a random sign times something positive."""
    return lambda x: 0.5 + 0.5 * np.sign(x) * distribution.cdf(np.abs(x))


CONTINUOUS: dict[str, tuple[str, tuple, Any]] = {
    "uniform": ("uniform", (), stats.uniform()),
    "normal": ("normal", (), stats.norm()),
    "exponential": ("exponential", (), stats.expon()),
    "cauchy": ("cauchy", (), stats.cauchy()),
    "gumbel": ("gumbel", (), stats.gumbel_r()),
    "laplace": ("laplace", (), stats.laplace()),
    "logistic": ("logistic", (), stats.logistic()),
    "maxwell": ("maxwell", (), stats.maxwell()),
    "double_sided_maxwell": ("double_sided_maxwell", (0.0, 2.0), two_sided(stats.maxwell(0, 2.0))),
    "lognormal": ("lognormal", (0.7,), stats.lognorm(0.7)),
    "pareto": ("pareto", (2.5,), stats.pareto(2.5)),
    "rayleigh": ("rayleigh", (2.0,), stats.rayleigh(scale=2.0)),
    "triangular": ("triangular", (-1.0, 0.0, 3.0), stats.triang(0.25, -1.0, 4.0)),
    "truncated_normal": ("truncated_normal", (-0.5, 2.0), stats.truncnorm(-0.5, 2.0)),
    "wald": ("wald", (0.8,), stats.invgauss(0.8)),
    "weibull_min": ("weibull_min", (2.0, 1.5), stats.weibull_min(1.5, scale=2.0)),
    "gamma_small": ("gamma", (0.05,), stats.gamma(0.05)),
    "gamma": ("gamma", (2.5,), stats.gamma(2.5)),
    "gamma_large": ("gamma", (1e4,), stats.gamma(1e4)),
    "loggamma": ("loggamma", (0.3,), lambda x: stats.gamma.cdf(np.exp(x), 0.3)),
    "beta": ("beta", (0.4, 2.0), stats.beta(0.4, 2.0)),
    "chisquare": ("chisquare", (3.0,), stats.chi2(3.0)),
    "f": ("f", (3.0, 8.0), stats.f(3.0, 8.0)),
    "t": ("t", (2.5,), stats.t(2.5)),
    "generalized_normal": ("generalized_normal", (1.5,), stats.gennorm(1.5)),
}

DISCRETE: dict[str, tuple[str, tuple, Any]] = {
    "bernoulli": ("bernoulli", (0.3,), stats.bernoulli(0.3)),
    "geometric": ("geometric", (0.3,), stats.geom(0.3)),
    "poisson_few": ("poisson", (2.5,), stats.poisson(2.5)),
    "poisson_many": ("poisson", (31.0,), stats.poisson(31.0)),
    "poisson_most": ("poisson", (2e5,), stats.poisson(2e5)),
    "binomial_few": ("binomial", (12, 0.3), stats.binom(12, 0.3)),
    "binomial_likely": ("binomial", (15, 0.95), stats.binom(15, 0.95)),
    "binomial_many": ("binomial", (200, 0.45), stats.binom(200, 0.45)),
    "binomial_most": ("binomial", (10**6, 0.7), stats.binom(10**6, 0.7)),
}


def is_distributed(samples: np.ndarray, cdf: Any) -> None:
    """Kolmogorov and Smirnov's test."""
    assert samples.shape == (COUNT,)
    assert stats.kstest(samples.astype(np.float64), getattr(cdf, "cdf", cdf)).pvalue > 1e-3


def is_counted(samples: np.ndarray, distribution: Any) -> None:
    """The chi-square test, over stretches of some 20 samples at least."""
    cuts = np.unique(distribution.ppf(np.linspace(0, 1, max(COUNT // 100, 4))[1:-1]))
    expected = np.diff(distribution.cdf(np.concatenate([[-np.inf], cuts, [np.inf]]))) * COUNT
    expected = expected[:-1] if expected[-1] == 0 else expected
    # Cut k is the last number of stretch k.
    found = np.bincount(np.searchsorted(cuts, samples), minlength=expected.size)
    assert stats.chisquare(found, expected).pvalue > 1e-3


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name):
    sampler, parameters, distribution = CONTINUOUS[name]
    samples = getattr(random, sampler)(random.key(17), *parameters, shape=COUNT)
    assert samples.dtype == np.float64
    is_distributed(samples, distribution)


@pytest.mark.parametrize("name", ["normal", "exponential", "gamma", "gumbel"])
def test_single_precision(name):
    sampler, parameters, distribution = CONTINUOUS[name]
    samples = getattr(random, sampler)(random.key(3), *parameters, shape=COUNT, dtype=np.float32)
    assert samples.dtype == np.float32
    is_distributed(samples, distribution)


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name):
    sampler, parameters, distribution = DISCRETE[name]
    samples = getattr(random, sampler)(random.key(23), *parameters, shape=COUNT)
    assert samples.shape == (COUNT,)
    is_counted(samples, distribution)


def test_fine_gumbel_numbers():
    samples = random.gumbel(random.key(3), COUNT, np.float32, mode="high")
    is_distributed(samples, stats.gumbel_r())


def test_dirichlet():
    alpha = np.array([0.5, 2.0, 1.0])
    samples = random.dirichlet(random.key(4), alpha, (COUNT,))
    np.testing.assert_allclose(samples.sum(-1), 1.0)
    for i, a in enumerate(alpha):
        is_distributed(samples[:, i], stats.beta(a, alpha.sum() - a))


def test_ball():
    for d, p in [(3, 2.0), (2, 1.0)]:
        points = random.ball(random.key(5), d, p, (COUNT,))
        is_distributed((np.abs(points) ** p).sum(-1) ** (d / p), stats.uniform())


def test_multinomial():
    p = np.array([0.2, 0.0, 0.5, 0.3])
    samples = random.multinomial(random.key(6), 40, p, shape=(COUNT, 4))
    np.testing.assert_array_equal(samples.sum(-1), 40)
    np.testing.assert_array_equal(samples[:, 1], 0)
    for i in (0, 2, 3):
        is_counted(samples[:, i], stats.binom(40, p[i]))


@pytest.mark.parametrize("replace", [True, False])
def test_choices(replace):
    p = np.array([0.1, 0.2, 0.3, 0.4])
    found = np.bincount(
        [random.choice(k, 4, (), replace, p) for k in random.split(random.key(7), COUNT)]
    )
    assert stats.chisquare(found, p * COUNT).pvalue > 1e-3
    logits = np.broadcast_to(np.log(p), (COUNT, 4)) + 3.0
    found = np.bincount(random.categorical(random.key(8), logits))
    assert stats.chisquare(found, p * COUNT).pvalue > 1e-3


def test_permutations():
    orders = [tuple(random.permutation(k, 3)) for k in random.split(random.key(9), COUNT)]
    _, found = np.unique(orders, axis=0, return_counts=True)
    assert found.size == 6 and stats.chisquare(found).pvalue > 1e-3


def test_whole_numbers():
    found = np.bincount(random.randint(random.key(10), COUNT, 0, 7, np.int8))
    assert stats.chisquare(found).pvalue > 1e-3
    signs = random.rademacher(random.key(11), COUNT, np.float32)
    assert (
        signs.dtype == np.float32 and stats.binomtest(int((signs > 0).sum()), COUNT).pvalue > 0.01
    )
