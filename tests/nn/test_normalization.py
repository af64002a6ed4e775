"""Softmax and its relatives against formulas, with masks, and on both backends."""

import numpy as np
import pytest
from scipy import special

import autotrace as at
from autotrace import nn

X = np.random.default_rng(0).normal(size=(3, 4, 5))
MASK = np.random.default_rng(1).uniform(size=(3, 4, 5)) < 0.7
MASK[:, :, 0] = MASK[0] = True


@pytest.mark.parametrize("axis", [-1, 0, (0, 2)])
@pytest.mark.parametrize("where", [None, MASK])
def test_softmax_and_its_logarithm(axis, where):
    terms = np.exp(X) * (True if where is None else where)
    expected = terms / terms.sum(axis, keepdims=True)
    functions = lambda x: (nn.softmax(x, axis, where), nn.log_softmax(x, axis, where))  # noqa: E731
    for out, log in (functions(X), at.jit(functions)(X)):
        np.testing.assert_allclose(out, expected, rtol=1e-13)
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(log, np.log(expected), rtol=1e-12)
    weights = np.cos(np.arange(X.size)).reshape(X.shape)
    at.testing.check_grads(lambda x: np.sum(weights * nn.softmax(x, axis, where)), (X,), order=2)

    def seen(x):
        log = nn.log_softmax(x, axis, where)
        return np.sum(log if where is None else np.where(where, weights * log, 0))

    at.testing.check_grads(seen, (X,), order=1)


def test_large_numbers():
    x = np.array([1e4, 1e4, -1e4, -np.inf])
    np.testing.assert_array_equal(nn.softmax(x), [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(
        nn.log_softmax(x), [-np.log(2), -np.log(2), -2e4 - np.log(2), -np.inf]
    )
    back = at.jit(at.grad(lambda x: nn.softmax(x)[0]))(x)
    np.testing.assert_allclose(back, [0.25, -0.25, 0, 0])
    assert nn.softmax(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("axis", [None, 1])
def test_logarithms_of_sums(axis):
    np.testing.assert_allclose(nn.logsumexp(X, axis), special.logsumexp(X, axis))
    np.testing.assert_allclose(nn.logmeanexp(X, axis), np.log(np.mean(np.exp(X), axis)))
    kept = nn.logmeanexp(X, axis, MASK, keepdims=True)
    np.testing.assert_allclose(kept, np.log(np.mean(np.exp(X), axis, keepdims=True, where=MASK)))
    assert nn.logmeanexp(X.astype(np.float32), axis).dtype == np.float32
    at.testing.check_grads(lambda x: nn.logmeanexp(x, axis, MASK), (X,), order=2)


def test_standardize():
    out = at.jit(nn.standardize)(X)
    np.testing.assert_allclose(out.mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(out.var(-1), X.var(-1) / (X.var(-1) + 1e-5))
    masked = nn.standardize(X, (0, 1), epsilon=0.0, where=MASK)
    np.testing.assert_allclose(np.mean(masked, (0, 1), where=MASK), 0, atol=1e-12)
    np.testing.assert_allclose(nn.standardize(X, mean=1.0, variance=3.0, epsilon=1.0), (X - 1) / 2)
    at.testing.check_grads(lambda x: np.sin(nn.standardize(x)), (X,), order=2)


def test_one_hot():
    x = np.array([[0, 2], [-1, 3]])
    expected = np.eye(3)[[0, 2]]
    out = nn.one_hot(x, 3)
    np.testing.assert_array_equal(out[0], expected)
    np.testing.assert_array_equal(out[1], np.zeros((2, 3)))
    assert nn.one_hot(x, 3, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(nn.one_hot(x, 3, axis=0), np.moveaxis(out, -1, 0))
    np.testing.assert_array_equal(at.jit(lambda x: nn.one_hot(x, 3, axis=1))(x), out.swapaxes(1, 2))
