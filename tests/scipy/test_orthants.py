"""Distribution functions of normal vectors: against SciPy, known values and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from scipy_checks import derivatives

import autotrace as at
from autotrace.scipy import stats

rng = np.random.default_rng(0)
FACTOR = rng.standard_normal((4, 4))
COV = FACTOR @ FACTOR.T + 0.3 * np.eye(4)
X, MEAN = rng.standard_normal((3, 4)) * 1.5, rng.standard_normal(4)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_values(k):
    x, mean, cov = X[:, :k], MEAN[:k], COV[:k, :k]
    tight = {"abseps": 1e-6, "releps": 1e-6, "rng": np.random.default_rng(0)}
    for limits in ({}, {"lower_limit": x - np.linspace(0.5, 1.5, k)}):
        if k == 1:
            limits = {name: value[..., 0] for name, value in limits.items()}
        got = stats.multivariate_normal.cdf(x if k > 1 else x[:, 0], mean, cov, **limits)
        low = limits.get("lower_limit")
        for n, point in enumerate(x):
            own = {} if low is None else {"lower_limit": low[n]}
            want = scipy.stats.multivariate_normal.cdf(point, mean, cov, **own, **tight)
            np.testing.assert_allclose(got[n], want, atol=1e-5)
        assert got.shape == (3,)


def test_known_values():
    for rho in (-0.999, -0.9, 0.0, 0.3, 0.99, 0.9999):
        cov = np.array([[1.0, rho], [rho, 1.0]])
        quadrant = stats.multivariate_normal.cdf(np.zeros(2), None, cov)
        np.testing.assert_allclose(quadrant, 0.25 + math.asin(rho) / (2 * math.pi), rtol=1e-13)
        far = stats.multivariate_normal.cdf(np.array([[np.inf, 0.7], [-np.inf, 0.7]]), None, cov)
        np.testing.assert_allclose(far, [scipy.stats.norm.cdf(0.7), 0.0], atol=1e-15)
    order = [2, 0, 3, 1]
    one = stats.multivariate_normal.cdf(X, MEAN, COV)
    other = stats.multivariate_normal.cdf(X[:, order], MEAN[order], COV[np.ix_(order, order)])
    np.testing.assert_allclose(one, other, rtol=1e-11)
    np.testing.assert_allclose(stats.multivariate_normal.logcdf(X, MEAN, COV), np.log(one))
    more = np.eye(5)
    assert stats.multivariate_normal.cdf(np.zeros(5), None, more) == pytest.approx(1 / 32)


def test_derivatives():
    def f(x, mean, cov):
        return [stats.multivariate_normal.cdf(x, mean, 0.5 * (cov + cov.T))]

    derivatives(f, X[:, :2], MEAN[:2], COV[:2, :2])
    derivatives(f, X[0, :3], MEAN[:3], COV[:3, :3], compiled=False, order=1)
    # The derivative in one bound is the density there times the probability of the rest.
    slope = at.grad(lambda x: stats.multivariate_normal.cdf(x, None, COV))(X[0])[0]
    rest = COV[1:, 1:] - np.outer(COV[1:, 0], COV[0, 1:]) / COV[0, 0]
    given = X[0, 1:] - COV[1:, 0] / COV[0, 0] * X[0, 0]
    density = scipy.stats.norm.pdf(X[0, 0], scale=np.sqrt(COV[0, 0]))
    want = density * stats.multivariate_normal.cdf(given, None, rest)
    np.testing.assert_allclose(slope, want, rtol=1e-10)


def test_errors():
    with pytest.raises(NotImplementedError, match="up to 4 dimensions, got 5"):
        at.grad(lambda x: stats.multivariate_normal.cdf(x, None, np.eye(5)))(np.zeros(5))
    with pytest.raises(ValueError, match="one matrix"):
        stats.multivariate_normal.cdf(X, None, np.stack([COV, COV, COV]))
