"""Kernels of elementwise primitives from outside."""

from __future__ import annotations

import numpy as np
import pytest
from autotrace.kernels import def_kernel

import autotrace as at
from autotrace.extend import Primitive, elementwise


def test_def_kernel():
    p = elementwise("tests_ramp", lambda x, y: np.where(x > y, x * x, -y), "fi")
    x, y = np.linspace(-1, 1, 5), np.linspace(1, -1, 5)

    def f(x, y):
        return 2 * p.bind(x, y)

    before = at.jit(f, backend="numba")
    assert "host step tests_ramp" in before.explain(x, y)
    def_kernel(p, "select({0} > {1}, {0} * {0}, -{1})")
    for dtype in (np.float64, np.float32):
        args = x.astype(dtype), y.astype(dtype)
        after = at.jit(f, backend="numba")
        assert "host step" not in after.explain(*args)
        with at.config.override("check_kernels", True):
            out = after(*args)
        assert out.dtype == dtype
        np.testing.assert_allclose(out, f(*args))
    whole = np.arange(3), np.array([2, 1, 0])  # of a kind that the kernel is not for
    after = at.jit(f, backend="numba")
    assert "host step tests_ramp" in after.explain(*whole)
    np.testing.assert_array_equal(after(*whole), f(*whole))


def test_what_def_kernel_refuses():
    p = elementwise("tests_refused", np.negative, "f")
    with pytest.raises(ValueError, match="def_kernel of tests_refused: there is no foo in kernels"):
        def_kernel(p, "foo({0}) + abs({0}) + np.float64(1)")
    with pytest.raises(TypeError, match="elementwise primitives, got tests_whole"):
        def_kernel(Primitive("tests_whole"), "{0}")
    def_kernel(p, "-{0}")
    with pytest.raises(ValueError, match="tests_refused has a kernel already"):
        def_kernel(p, "-{0}")
