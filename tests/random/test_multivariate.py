"""Random vectors and matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import autotrace
from autotrace import random

KEY = random.key(2)
MEAN, COV = np.array([1.0, -2.0]), np.array([[2.0, 0.5], [0.5, 1.0]])


@pytest.mark.parametrize("method", ["cholesky", "eigh", "svd"])
def test_normal_vectors(method):
    vectors = random.multivariate_normal(KEY, MEAN, COV, (2000,), method=method)
    white = np.linalg.solve(np.linalg.cholesky(COV), (vectors - MEAN).T)
    for row in (*white, (white[0] + white[1]) / np.sqrt(2)):
        assert stats.kstest(row, stats.norm.cdf).pvalue > 1e-3


def test_singular_covariance():
    out = random.multivariate_normal(KEY, np.zeros(2), np.ones((2, 2)), (5,), method="eigh")
    np.testing.assert_allclose(out[:, 0], out[:, 1], atol=1e-7)


def test_derivatives_of_normal_vectors():
    def sample(mean, half):
        cov = half @ half.T + np.eye(2)
        return random.multivariate_normal(KEY, mean, cov, (3,))

    autotrace.testing.check_grads(sample, (MEAN, COV), order=2)
    means = np.stack([MEAN, MEAN + 1])
    out = autotrace.vmap(lambda m: random.multivariate_normal(KEY, m, COV))(means)
    np.testing.assert_allclose(out[0], random.multivariate_normal(KEY, MEAN, COV), rtol=1e-13)


def test_bad_arguments_of_normal_vectors():
    with pytest.raises(ValueError, match=r"cov of shape \(..., 2, 2\)"):
        random.multivariate_normal(KEY, MEAN, np.eye(3))
    with pytest.raises(ValueError, match="mean of at least 1 dimension"):
        random.multivariate_normal(KEY, 0.0, COV)
    with pytest.raises(ValueError, match="cov of at least 2 dimensions"):
        random.multivariate_normal(KEY, MEAN, np.ones(2))
    with pytest.raises(ValueError, match="got 'lu'"):
        random.multivariate_normal(KEY, MEAN, COV, method="lu")
    out = random.multivariate_normal(KEY, np.zeros((4, 1, 2)), np.tile(COV, (3, 1, 1)))
    assert out.shape == (4, 3, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize(("n", "m"), [(3, None), (2, 4), (4, 2)])
def test_orthogonal_matrices(n, m, dtype):
    q = random.orthogonal(KEY, n, (5,), dtype, m)
    assert q.shape == (5, n, m or n) and q.dtype == dtype
    adjoint = np.swapaxes(q, -1, -2).conj()
    product = q @ adjoint if n <= (m or n) else adjoint @ q
    np.testing.assert_allclose(product, np.tile(np.eye(product.shape[-1]), (5, 1, 1)), atol=1e-6)


def test_orthogonal_matrices_are_uniform():
    """Each entry of a vector on the sphere in three dimensions is."""
    q = random.orthogonal(KEY, 3, (1000,))
    for entry in (q[:, 0, 0], q[:, 1, 2], q[:, 2, 1]):
        assert stats.kstest(entry, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_balls_and_their_powers():
    slope = autotrace.grad(lambda p: np.sum(random.ball(KEY, 3, p) ** 2))(3.0)
    assert np.isfinite(slope)
    with pytest.raises(ValueError, match="one number p"):
        random.ball(KEY, 3, np.ones(2))
