"""What random numbers are made of, as machine code and as Python."""

from __future__ import annotations

import numpy as np
import pytest
from autotrace.kernels.build import Source, llvm_text
from autotrace.kernels.llvm import engine
from autotrace.kernels.scalars import NAMESPACE

import autotrace
from autotrace import random
from autotrace.lax import random_bits

rng = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_quantiles_have_the_bits_of_their_definition(dtype):
    u = np.concatenate([np.linspace(-1, 1, 61), [0.9999999, -1e-20, 0.76, 0.64]]).astype(dtype)
    compiled = autotrace.jit(random_bits.normal_quantile, backend="numba")(u)
    plain = np.array([NAMESPACE["normal_quantile"](x) for x in u])
    np.testing.assert_array_equal(compiled, plain)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_quantile_does_not_depend_on_its_neighbours(dtype):
    u = rng.uniform(-1, 1, 301).astype(dtype)
    quantile = autotrace.jit(random_bits.normal_quantile, backend="numba")
    whole = quantile(u)
    for size in (1, 3, 8, 17):
        parts = [quantile(u[at : at + size]) for at in range(0, u.size, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_words():
    key, count = rng.integers(0, 2**64, (2, 50), np.uint64)
    plain = [NAMESPACE["threefry2x32"](k, c) for k, c in zip(key, count, strict=True)]
    np.testing.assert_array_equal(random_bits.threefry2x32(key, count), plain)


def test_loops_of_them_are_vectorised():
    lowered = autotrace.jit(random.uniform, static_argnums=1, backend="numba")
    text = lowered.lower(random.key(0), (1000,)).as_text("source")
    assert "threefry2x32" in text
    words = Source(
        "def loops(x, out, start, stop):\n"
        "    for i in range(start, stop):\n"
        "        out[i] = threefry2x32(x[0], np.uint64(i))\n",
        ("*uint64", "*uint64", "int64", "int64"),
        parallel=True,
    )
    text = str(engine.optimised(llvm_text(words))[0])
    assert any(f"call <{n} x i64> @_ZGV_LLVM_N{n}vv_threefry2x32" in text for n in (2, 4, 8, 16))
