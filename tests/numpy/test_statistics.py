from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees

import autotrace as at

RNG = np.random.default_rng(8)
X = RNG.standard_normal((3, 6))
W = RNG.uniform(0.5, 2.0, 6)
CASES = {
    "cov": lambda x, w: np.cov(x),
    "cov of one": lambda x, w: np.cov(x[0]),
    "cov of two": lambda x, w: np.cov(x[0], x[1]),
    "columns": lambda x, w: np.cov(x, rowvar=False),
    "columns of two": lambda x, w: np.cov(x, x**2, rowvar=False),
    "bias": lambda x, w: (np.cov(x, bias=True), np.cov(x, ddof=3)),
    "aweights": lambda x, w: np.cov(x, aweights=w),
    "fweights": lambda x, w: np.cov(x, fweights=[1, 2, 3, 1, 1, 2]),
    "both weights": lambda x, w: np.cov(x, fweights=[1, 2, 3, 1, 1, 2], aweights=w, ddof=0),
    "corrcoef": lambda x, w: np.corrcoef(x),
    "corrcoef of two": lambda x, w: np.corrcoef(x[0], x[1]),
    "corrcoef of columns": lambda x, w: np.corrcoef(x, rowvar=False),
    "corrcoef of one": lambda x, w: np.corrcoef(x[0]),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    f = CASES[name]
    agrees(f, X, W, rtol=3e-14)
    if "columns" not in name:
        at.testing.check_grads(f, (X, W), order=2, atol=1e-3, rtol=1e-3)
        agrees(f, X + 1j * X[::-1], W, rtol=3e-14)
    agrees(f, (9 * X).astype("i"), W, rtol=3e-14)


def test_dtype():
    agrees(lambda x: np.cov(x, dtype=np.float32), X.astype("f"), rtol=3e-14)
    agrees(lambda x: np.cov(x), X.astype("f"), rtol=3e-14)


def test_errors():
    with pytest.raises(ValueError, match="more than 2 dimensions"):
        at.jit(lambda x: np.cov(x[None]))(X)
    with pytest.raises(RuntimeError, match="incompatible numbers"):
        at.jit(lambda x: np.cov(x, aweights=W[1:]))(X)
    with pytest.raises(ValueError, match="cannot be negative"):
        at.jit(lambda x: np.cov(x, aweights=-W))(X)
    with pytest.raises(TypeError, match="fweights must be integer"):
        at.jit(lambda x: np.cov(x, fweights=W))(X)
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        at.jit(lambda x: np.cov(x, ddof=9))(X)
