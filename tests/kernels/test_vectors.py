"""Vectors in the language of kernels: each function against NumPy."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from autotrace.kernels.build import Source, address

TEXT = """
def combine(xs, ys, out, bits):
    x = load_vector(xs, 1, {lanes})
    y = load_vector(ys, 2, {lanes})
    total = splat(xs[0], {lanes})
    for i in range(3):
        total = multiply_add(x, y, total)
    store_vector(out, 0, kept(total, bits))
    out[{lanes}] = sum_of(total)
"""


@pytest.mark.parametrize(
    ("dtype", "lanes"),
    [("float64", 8), ("float32", 16), ("float32", 4), ("int32", 8), ("uint8", 64)],
)
def test_vectors(dtype, lanes):
    source = Source(TEXT.format(lanes=lanes), (f"*{dtype}", f"*{dtype}", f"*{dtype}", "int64"))
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64)(address(source))
    rng = np.random.default_rng(0)
    xs, ys = (rng.integers(0, 100, lanes + 2).astype(dtype) for _ in range(2))
    out = np.zeros(lanes + 1, dtype)
    bits = int(rng.integers(-(2**62), 2**62))
    run(xs.ctypes.data, ys.ctypes.data, out.ctypes.data, bits)
    with np.errstate(over="ignore"):
        total = xs[0] + np.dtype(dtype).type(3) * xs[1 : lanes + 1] * ys[2:]
    here = np.array([bits >> i & 1 for i in range(lanes)], bool)
    np.testing.assert_array_equal(out[:-1], np.where(here, total, 0))
    assert out[-1] == np.sum(total, dtype=dtype)
