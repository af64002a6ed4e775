"""Pooling against loops over windows."""

import numpy as np
import pytest

import autotrace as at
from autotrace import nn

X = np.random.default_rng(0).permutation(2 * 5 * 6 * 3).reshape(2, 5, 6, 3) / 10.0


def by_loops(x, reduce, window, strides):
    """Over the two axes before the last one."""
    places = [(n - w) // s + 1 for n, w, s in zip(x.shape[1:3], window, strides, strict=True)]
    out = np.empty((x.shape[0], *places, x.shape[3]))
    for i, j in np.ndindex(*places):
        top, left = i * strides[0], j * strides[1]
        out[:, i, j] = reduce(x[:, top : top + window[0], left : left + window[1]], (1, 2))
    return out


@pytest.mark.parametrize(
    ("window", "strides"), [((2, 2), (2, 2)), ((3, 2), (1, 2)), ((2, 3), None)]
)
@pytest.mark.parametrize(
    ("pool", "reduce"), [(nn.max_pool, np.max), (nn.min_pool, np.min), (nn.avg_pool, np.mean)]
)
def test_values_and_derivatives(pool, reduce, window, strides):
    expected = by_loops(X, reduce, window, strides or (1, 1))

    def f(x):
        return pool(x, window, strides)

    for out in (f(X), at.jit(f)(X)):
        np.testing.assert_allclose(out, expected, rtol=1e-13)
    first = pool(np.moveaxis(X, -1, 1), window, strides, axis=(2, 3))
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), expected, rtol=1e-13)
    gradient = at.grad(lambda x: np.sum(np.sin(f(x))))
    at.testing.check_grads(f, (X,), order=1, modes=["fwd", "rev"])
    np.testing.assert_allclose(at.jit(gradient)(X), gradient(X), rtol=1e-12)


def test_padding():
    x = np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(nn.max_pool(-x, (2,), padding="SAME", axis=(0,)), [-1, -1, -2])
    np.testing.assert_array_equal(nn.max_pool(-x, (2,), (2,), [(1, 0)], axis=(0,)), [-3, -1])
    np.testing.assert_array_equal(nn.avg_pool(x, (2,), padding="SAME", axis=(0,)), [2, 1.5, 1])
    out = nn.avg_pool(x, (2,), None, "SAME", False, axis=(0,))
    np.testing.assert_array_equal(out, [2, 1.5, 2])


def test_dtypes():
    whole = X.astype(np.int32)
    assert nn.max_pool(whole, (2, 2)).dtype == np.int32
    assert nn.avg_pool(whole, (2, 2)).dtype == np.float64
    assert nn.avg_pool(X.astype(np.float32), (2, 2), padding="SAME").dtype == np.float32


@pytest.mark.parametrize(
    "options", [{"strides": (1,)}, {"padding": [(0, 0)]}, {"axis": (1,)}, {"axis": (1, 4)}]
)
def test_errors(options):
    with pytest.raises(ValueError, match="does not fit an array"):
        nn.max_pool(X, (2, 2), **options)
