"""Derivatives of samples with respect to shape parameters: those of quantiles."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy import special

import autotrace
from autotrace import config, random
from autotrace.random.gamma import log_gamma_slope

KEY = random.key(5)
#: Of samples; the interpreter takes its time over loops.
COUNT = 4000 if config.backend == "numba" else 400


def exact_slope(a: float, log_x: float) -> mpmath.mpf:
    """``d log(x) / d a`` where the distribution function keeps its value, in many digits."""
    with mpmath.workdps(60):
        x = mpmath.exp(mpmath.mpf(log_x))
        slope = mpmath.diff(lambda b: mpmath.gammainc(b, 0, x, regularized=True), mpmath.mpf(a))
        density = mpmath.exp(a * mpmath.mpf(log_x) - x - mpmath.loggamma(mpmath.mpf(a)))
        return -slope / density


POINTS = [
    (a, float(np.log(special.gammaincinv(a, p))))
    for a in (0.05, 0.6, 1.0, 1.7, 12.0, 300.0)
    for p in (1e-6, 0.2, 0.6, 1 - 1e-6)
    if special.gammaincinv(a, p) > 1e-200
]


def test_slopes_against_exact_ones():
    a, log_x = np.array(POINTS).T
    right = np.array([float(exact_slope(*point)) for point in POINTS])
    np.testing.assert_allclose(autotrace.jit(log_gamma_slope)(a, log_x), right, rtol=1e-10)


def test_slopes_at_the_ends():
    a = np.array([1e-4, 0.3, 2.0, 1e7])
    log_x = np.array([-3e5, -800.0, -700.0, np.log(1e7)])
    out = autotrace.jit(log_gamma_slope)(a, log_x)
    # Far below, the distribution function is a power of x.
    far = (special.psi(a + 1) - log_x) / a
    np.testing.assert_allclose(out[:3], far[:3], rtol=1e-12)
    assert 0.99e-7 < out[3] < 1.01e-7


def test_derivatives_of_gamma_samples():
    """First and second, against differences of the quantile at the sample's probability."""
    a = np.array([0.4, 1.0, 3.7, 80.0])
    total = lambda a: np.sum(random.gamma(KEY, a))  # noqa: E731  each sample has its own a
    first = autotrace.jit(autotrace.grad(total))
    p = special.gammainc(a, random.gamma(KEY, a))
    step = 1e-3 * a
    below, above = (special.gammaincinv(a + h, p) for h in (-step, step))
    np.testing.assert_allclose(first(a), (above - below) / (2 * step), rtol=1e-5)
    second = autotrace.grad(lambda a: np.sum(first(a)))(a)
    slopes = [
        special.gammaincinv(b, p) * log_gamma_slope(b, np.log(special.gammaincinv(b, p)))
        for b in (a - step, a + step)
    ]
    np.testing.assert_allclose(second, (slopes[1] - slopes[0]) / (2 * step), rtol=1e-4)
    forward = autotrace.jvp(total, (a,), (np.ones(4),))[1]
    np.testing.assert_allclose(forward, np.sum(first(a)), rtol=1e-12)


def test_derivatives_of_logarithms():
    small = np.array([1e-3, 0.2, 4.0])
    log = lambda a: random.loggamma(KEY, a)  # noqa: E731
    slopes = autotrace.grad(lambda a: np.sum(log(a)))(small)
    np.testing.assert_allclose(slopes, log_gamma_slope(small, log(small)), rtol=1e-12)
    # Samples of gamma are 0 for some of these.
    zero = autotrace.grad(lambda a: np.sum(random.gamma(KEY, a, 3)))(1e-4)
    assert np.isfinite(zero)


@pytest.mark.parametrize(
    ("name", "parameters", "mean"),
    [
        ("gamma", (0.7,), lambda a: a),
        ("beta", (0.8, 1.7), lambda a, b: a / (a + b)),
        ("chisquare", (3.0,), lambda df: df),
        ("dirichlet", (np.array([0.6, 1.5, 3.0]),), lambda alpha: alpha / np.sum(alpha)),
        ("f", (4.0, 15.0), lambda dfnum, dfden: dfden / (dfden - 2)),
    ],
)
def test_derivatives_of_means(name, parameters, mean):
    """The mean of the derivatives is the derivative of the mean."""
    weights = np.array([1.0, -2.0, 0.5])[: 3 if name == "dirichlet" else 1]

    def sampled(*parameters):
        samples = getattr(random, name)(random.key(1), *parameters, shape=(COUNT,))
        return np.sum(np.mean(samples, 0) * weights)

    def right(*parameters):
        return np.sum(mean(*parameters) * weights)

    numbers = tuple(range(len(parameters)))
    out = autotrace.grad(sampled, numbers)(*parameters)
    for found, wanted in zip(out, autotrace.grad(right, numbers)(*parameters), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=6 / np.sqrt(COUNT), atol=0.05)


def test_t_tends_to_the_normal_distribution():
    square = lambda df: np.mean(random.t(random.key(2), df, 5 * COUNT) ** 2)  # noqa: E731
    slope = autotrace.grad(square)(12.0)  # of df / (df - 2)
    assert abs(slope + 2 / 100) < 0.5 / np.sqrt(5 * COUNT)


def test_single_precision():
    out, slope = autotrace.value_and_grad(lambda a: random.gamma(KEY, a, dtype=np.float32))(2.5)
    assert out.dtype == np.float32
    np.testing.assert_allclose(
        slope, out * log_gamma_slope(np.array(2.5), np.log(np.float64(out))), rtol=1e-6
    )


def test_lanes_are_independent():
    """A sample depends on its own parameter and place, and not on what its neighbours need."""
    a = np.array([0.01, 0.5, 1.0, 3.0, 1e3])
    together = random.gamma(KEY, a)
    for i in range(a.size):
        other = np.full(a.size, 7.0)
        other[i] = a[i]
        assert random.gamma(KEY, other)[i] == together[i]


def test_bad_parameters_give_nan():
    out = random.gamma(KEY, np.array([np.nan, 2.0]))
    assert np.isnan(out[0]) and out[1] > 0
