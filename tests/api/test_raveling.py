"""Pytrees as one array."""

from __future__ import annotations

import numpy as np
import pytest

import autotrace as at
from autotrace.flatten_util import ravel_pytree


def test_there_and_back():
    tree = {"a": np.float32(1), "b": [np.arange(3), (np.ones((2, 2), order="F") * 2, 5.0)]}
    flat, unravel = ravel_pytree(tree)
    np.testing.assert_array_equal(flat, [1, 0, 1, 2, 2, 2, 2, 2, 5])
    assert flat.dtype == np.float64
    back = unravel(flat)
    assert back["a"].dtype == np.float32 and back["b"][0].dtype == np.int64
    np.testing.assert_array_equal(back["b"][1][0], tree["b"][1][0])
    with pytest.raises(ValueError, match=r"shape \(9,\)"):
        unravel(flat[1:])


def test_shares_nothing():
    x = np.zeros(3)
    flat, unravel = ravel_pytree(x)
    flat[0] = 1
    back = unravel(flat)
    back[1] = 2
    np.testing.assert_array_equal(x, np.zeros(3))
    np.testing.assert_array_equal(flat, [1, 0, 0])
    assert at.tree.ravel_pytree([])[0].shape == (0,)


def test_traced():
    tree = {"a": 2.0, "b": np.arange(3.0)}

    def f(tree):
        flat, unravel = ravel_pytree(tree)
        return unravel(flat**2)["b"].sum() * flat[0]

    gradient = at.jit(at.grad(f))(tree)
    assert gradient["a"] == 5.0
    np.testing.assert_array_equal(gradient["b"], [0, 4, 8])
    np.testing.assert_array_equal(at.vmap(lambda x: ravel_pytree(x)[0])(np.ones((2, 3, 2))),
                                  np.ones((2, 6)))  # fmt: skip
