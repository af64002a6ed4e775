"""The generator, bits as numbers, and roundings: compiled and not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import special

import autotrace
from autotrace import lax
from autotrace.lax import random_bits

rng = np.random.default_rng(0)


@pytest.mark.parametrize("size", [1, 3, 17, 1000])
def test_compiled_words_are_those_of_the_interpreter(size):
    key, count = rng.integers(0, 2**64, (2, size), np.uint64)
    out = random_bits.threefry2x32(key, count)
    np.testing.assert_array_equal(autotrace.jit(random_bits.threefry2x32)(key, count), out)
    one = autotrace.jit(lambda k, c: random_bits.threefry2x32(k, c))(key[0], count)
    np.testing.assert_array_equal(one, random_bits.threefry2x32(key[0], count))


def test_counts_are_not_kept_in_a_program():
    jaxpr = autotrace.make_jaxpr(lambda x: x + random_bits.counts((2, 3)))(np.uint64(1))
    assert "iota" in str(jaxpr) and "lambda ;" in str(jaxpr)
    np.testing.assert_array_equal(random_bits.counts((2, 3)), np.arange(6).reshape(2, 3))
    assert random_bits.counts((0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("dtype", "new"),
    [
        ("f8", "u8"), ("f8", "i8"), ("u8", "f8"), ("i8", "f8"), ("i8", "u8"), ("f4", "u4"),
        ("i4", "f4"), ("f2", "u2"), ("u1", "i1"), ("c8", "f8"), ("f8", "f8"),
    ],
)  # fmt: skip
def test_bitcast(dtype, new):
    x = np.frombuffer(rng.bytes(48 * 2), dtype).reshape(2, -1)
    out = autotrace.jit(lambda x: lax.bitcast_convert_type(x, new))(x)
    assert out.dtype == new
    assert out.tobytes() == x.tobytes()
    assert lax.bitcast_convert_type(x.T, new).T.tobytes() == x.tobytes()
    assert lax.bitcast_convert_type(x[0, 0], new).tobytes() == x[:1, :1].tobytes()


def test_bitcast_keeps_the_width():
    with pytest.raises(TypeError, match="keeps the width"):
        lax.bitcast_convert_type(np.float32(1), np.uint64)
    with pytest.raises(TypeError, match="bool"):
        lax.bitcast_convert_type(np.uint8(1), np.bool_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_rounds_once(dtype):
    x, y = rng.normal(size=(2, 300)).astype(dtype)
    z = -x * y * dtype(1 + 1e-5) + rng.normal(size=300).astype(dtype) * np.finfo(dtype).eps
    exact = [
        Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        for a, b, c in zip(x, y, z, strict=True)
    ]
    right = np.array([float(q) for q in exact]).astype(dtype)
    np.testing.assert_array_equal(random_bits.fma(x, y, z), right)
    np.testing.assert_array_equal(autotrace.jit(random_bits.fma)(x, y, z), right)
    many = np.array([np.inf, np.nan, np.finfo(dtype).max], dtype)
    with np.errstate(all="ignore"):
        out = random_bits.fma(many, dtype(2), dtype(1))
    np.testing.assert_array_equal(out, np.array([np.inf, np.nan, np.inf], dtype))
    autotrace.testing.check_grads(random_bits.fma, (x[:2], y[:2], z[:2]), 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_quantile(dtype):
    u = np.concatenate([rng.uniform(-1, 1, 2000), 10.0 ** rng.uniform(-30, 0, 100)]).astype(dtype)
    u = u[np.abs(u) < 1]
    out = autotrace.jit(random_bits.normal_quantile)(u)
    assert out.dtype == dtype
    eps = np.finfo(dtype).eps
    right = np.sqrt(2.0) * special.erfinv(u.astype(np.float64))
    # Of a number next to 1 the square is all that is known.
    away = np.maximum(1 - np.abs(u.astype(np.float64)), eps)
    np.testing.assert_array_less(np.abs(out - right), eps * (20 * np.abs(right) + 1 / away) + 1e-45)
    ends = autotrace.jit(random_bits.normal_quantile)(np.array([-1, 0, 1, np.nan], dtype))
    np.testing.assert_array_equal(ends, np.array([-np.inf, 0, np.inf, np.nan], dtype))
    np.testing.assert_array_equal(
        random_bits.normal_quantile(np.array([-1, 0, 1, np.nan], dtype)), ends
    )
