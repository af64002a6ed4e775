from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, same

import autotrace as at
import autotrace.numpy as anp

X = np.random.default_rng(7).standard_normal((2, 3, 4))
V = np.array([-1.5, -0.2, 0.7, 2.0])


def test_select():
    def f(v):
        return np.select([v < -1, v < 0, v > 1], [v**2, np.sqrt(np.abs(v)), 3 * v], np.exp(v))

    agrees(f, V, rtol=1e-14)
    at.testing.check_grads(f, (V,), order=2)
    # What is not taken is 0 for the derivative, not NaN.
    g = lambda v: np.sum(np.select([v >= 0], [np.sqrt(np.abs(v))], 0.0))  # noqa: E731
    same(at.grad(g)(np.array([-1.0, 4.0])), np.array([0.0, 0.25]))
    for dtype in "fiD":
        agrees(lambda v: np.select([v == 1, v == 2], [v, 2]), np.array([1, 2, 3], dtype))
    agrees(lambda v: np.select([v[0] > 0, v[0] < 0], [v, -v]), V)
    agrees(lambda v: np.select([v > 0], [1], 0.5), V.astype("f"))
    with pytest.raises(ValueError, match="same length"):
        at.jit(lambda v: np.select([v > 0], [v, v]))(V)
    with pytest.raises(TypeError, match="boolean"):
        at.jit(lambda v: np.select([v], [v]))(V)


def test_piecewise():
    def f(v):
        return np.piecewise(v, [v < -1, v > 1], [lambda y: y**2, 7.0, np.exp])

    agrees(f, V, rtol=1e-14)
    at.testing.check_grads(f, (V,), order=2)
    agrees(lambda v: np.piecewise(v, v > 0, [2, -1]), np.array([1, -2, 3]))
    agrees(lambda v: np.piecewise(v, [v > 0, v > 1], [1.7, 2.2]), np.array([1, -2, 3]))
    agrees(lambda v: np.piecewise(v, [v > 0], [lambda y, a, b: a * y + b, 0], 2.0, b=1), V)
    agrees(lambda v: np.piecewise(v, [v > 0], [lambda y: -y]), np.float64(2.0))
    with pytest.raises(ValueError, match=r"with 1 condition\(s\), either 1 or 2 functions"):
        at.jit(lambda v: np.piecewise(v, [v > 0], [1, 2, 3]))(V)


def _first_if_positive(row):
    return row[0] if row[0] > 0 else row[-1] * 2


def test_along_an_axis():
    for axis in (0, 1, -1):
        agrees(lambda x, a=axis: np.apply_along_axis(np.sum, a, x), X, rtol=1e-15)
        agrees(lambda x, a=axis: np.apply_along_axis(lambda r: r[:2] * r[0], a, x), X)
        agrees(lambda x, a=axis: np.apply_along_axis(lambda r: np.outer(r, r), a, x), X)
        f = lambda x, a=axis: np.apply_along_axis(_first_if_positive, a, x)  # noqa: E731
        same(at.jit(f)(X), f(X))
        at.testing.check_grads(f, (X,), order=2)
    agrees(lambda x: np.apply_along_axis(lambda r, a, b: a * r.max() + b, 1, x, 2.0, b=1), X)
    agrees(lambda x: np.apply_along_axis(lambda r: 1, 0, x), X)
    with pytest.raises(ValueError, match="dimensions are 0"):
        at.jit(lambda x: np.apply_along_axis(np.sum, 0, x))(X[:, :, :0])


def test_over_axes():
    agrees(lambda x: np.apply_over_axes(np.sum, x, [0, -1]), X, rtol=1e-15)
    agrees(lambda x: np.apply_over_axes(np.cumsum, x, 1), X)
    with pytest.raises(ValueError, match="correct shape"):
        at.jit(lambda x: np.apply_over_axes(lambda y, a: y[0, 0], x, [0]))(X)


def _pick(a, b):
    return a * b if a > b else a + 2.0 * b


def test_vectorize():
    f = lambda x: np.vectorize(_pick)(x, V)  # noqa: E731
    same(at.jit(f)(X), f(X))
    at.testing.check_grads(f, (X,), order=2)
    agrees(lambda x: np.vectorize(lambda a, b: (a + b, a * b))(x, 2.0), X)
    agrees(lambda x: np.vectorize(np.outer, signature="(n),(m)->(n,m)")(x, V), X)
    agrees(
        lambda x: np.vectorize(lambda a, p: np.polyval(p, a), excluded=["p"])(x, p=V), X, rtol=1e-14
    )
    agrees(lambda x: np.vectorize(lambda a, p: a * p[1], excluded={1})(x, V), X)
    agrees(lambda x: np.vectorize(lambda a: 2 * a, otypes=[np.float32])(x), X)
    agrees(lambda x: np.vectorize(lambda a, b: a - b)(x, b=V), X)


def test_vectorize_as_decorator():
    @anp.vectorize
    def positive(a):
        return a if a > 0 else 0.0 * a

    same(positive(V), np.maximum(V, 0) + 0.0)
    same(at.grad(lambda v: np.sum(positive(v)))(V), (V > 0) * 1.0)
    assert isinstance(positive, np.vectorize)
    with pytest.raises(TypeError, match="wrong number"):
        at.jit(lambda v: anp.vectorize(np.dot, signature="(n),(n)->()")(v))(V)
    with pytest.raises(ValueError, match="inconsistent size"):
        at.jit(lambda v: anp.vectorize(np.dot, signature="(n),(n)->()")(v, v[1:]))(V)
