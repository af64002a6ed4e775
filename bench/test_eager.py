"""Un-jitted derivatives of scalar code with Python control flow, beside HIPS autograd."""

from __future__ import annotations

import numpy as np
import pytest

import autotrace as at


def scalar_function(np):
    """Thirty operations with an ``if`` and a ``while`` on values, for a given numpy namespace."""

    def f(a, b):
        z = a * b + np.sin(a)
        w = np.exp(-z * 0.1) + b / (a + 2.0)
        if w > 0.5:  # noqa: SIM108  the point is an if statement
            z = z * w - np.tanh(b)
        else:
            z = z + w
        n = 0
        while n < 2 and z < 100.0:
            z = z * 1.5 + np.cos(a * z) - np.log(b + 1.0)
            n += 1
        u = np.sqrt(a * a + b * b)
        v = np.log(1.0 + u) * z - u**2
        return v + np.sin(z * 0.01) * w - a / b

    return f


def test_value_and_grad_of_scalar_code(compare):
    autograd = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")
    ours = at.value_and_grad(scalar_function(np), argnums=(0, 1))
    theirs_of_pair = scalar_function(anp)
    theirs = autograd.value_and_grad(lambda pair: theirs_of_pair(*pair))

    value, gradient = ours(1.3, 0.7)
    other_value, other_gradient = theirs((1.3, 0.7))
    np.testing.assert_allclose(value, other_value, rtol=1e-14)
    np.testing.assert_allclose(gradient, other_gradient, rtol=1e-12)
    compare({"autotrace": lambda: ours(1.3, 0.7), "autograd": lambda: theirs((1.3, 0.7))})


def test_value_and_grad_of_array_code(compare):
    autograd = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(200, 10)), rng.normal(size=200), rng.normal(size=10)

    def loss(np):
        def f(w):
            r = np.tanh(np.dot(x, w)) - y
            return np.sum(r * r) + 0.1 * np.sum(w * w)

        return f

    ours, theirs = at.value_and_grad(loss(np)), autograd.value_and_grad(loss(anp))
    np.testing.assert_allclose(ours(w)[1], theirs(w)[1], rtol=1e-12)
    compare({"autotrace": lambda: ours(w), "autograd": lambda: theirs(w)})
