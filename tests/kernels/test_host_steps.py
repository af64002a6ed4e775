"""What has no kernel runs through NumPy, and what calls a jaxpr is compiled with it."""

from __future__ import annotations

import numpy as np

import autotrace as at


def test_powers_of_whole_numbers():
    f = at.jit(lambda x, y: x**y, backend="numba")
    args = np.array([2, 3]), np.array([5, 0])
    assert "host step pow" in f.explain(*args)
    np.testing.assert_array_equal(f(*args), [32, 1])


def test_a_checkpoint_is_compiled():
    f = at.jit(at.grad(at.checkpoint(lambda x: np.sum(np.sin(np.sin(x))))), backend="numba")
    x = np.linspace(0, 1, 5)
    assert "host step" not in f.explain(x)
    np.testing.assert_allclose(f(x), np.cos(np.sin(x)) * np.cos(x), rtol=1e-14)
