"""Sorting in machine code beside NumPy's stable sort, to the last place."""

import functools

import numpy as np
import pytest
from autotrace.kernels.scalars import NATIVE

import autotrace as at
from autotrace import lax
from autotrace.core.avals import ShapedArray
from autotrace.transforms.stage import stage

rng = np.random.default_rng(0)


@functools.cache
def compiled(f):
    return at.jit(f, backend="numba")


def same(found, right):
    assert found.dtype == right.dtype and found.shape == right.shape
    np.testing.assert_array_equal(found, right)
    if right.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found), np.signbit(right))


def orders(x):
    return np.argsort(x, axis=-1, stable=True), np.sort(x, axis=-1, stable=True)


def numbers(dtype, shape):
    """With ties, and all that is special about a dtype."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        few = [info.min, info.max, 0, 1, info.max - 1, *rng.integers(0, 100, 20).tolist()]
    else:
        tiny = np.finfo(dtype).smallest_subnormal
        few = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, -tiny, 1.0, -1.5]
    several = np.array(few, dtype)[rng.integers(0, len(few), shape)]
    many = rng.standard_normal(shape).astype(dtype) if dtype.kind == "f" else several
    return np.where(rng.random(shape) < 0.5, several, many)


@pytest.mark.parametrize("dtype", sorted(d.name for d in NATIVE))
@pytest.mark.parametrize("shape", [(1,), (7,), (500,), (4000,), (3, 2, 40)])
def test_as_numpys_stable_sort(dtype, shape):
    x = numbers(dtype, shape)
    for found, right in zip(compiled(orders)(x), orders(x), strict=True):
        same(found, right)


def together(top, middle, low):
    """Floats by the digits of their bits."""
    one = np.float64(1).view(np.uint64)
    parts = [np.uint64(part) for part in (top, middle, low)]
    return (one + ((parts[0] << 41) | (parts[1] << 30) | parts[2])).view(np.float64)


MANY = rng.integers(0, 2**11, 100_000, np.uint64)
#: What one of the ways through needs.
ARRAYS = {
    "all equal": np.ones(1000),
    "sorted": np.sort(rng.random(5000)),
    "sorted, with equals": np.repeat(np.arange(100.0), 30),
    "falling": -np.sort(rng.random(5000)),
    "one is far from all others": np.append(1 + 1e-9 * rng.random(4000), 1e300),
    "several runs that are equal at first": np.repeat([1e300, 1.0, -1e300], 1000)
    * (1 + 1e-9 * rng.random(3000)),
    "short runs that are equal at first": rng.integers(1, 300, 4000)
    * (1 + 1e-12 * rng.integers(0, 3, 4000)),
    "digits that say the same": together(MANY, MANY, rng.integers(0, 2**30, MANY.size)),
    "whole numbers": rng.integers(-1000, 1000, 5000).astype(float),
    "one bit": rng.integers(0, 2, 5000) * 2.0**-1074,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_all_ways(name):
    for x in (ARRAYS[name], ARRAYS[name][::-1].copy()):
        for found, right in zip(compiled(orders)(x), orders(x), strict=True):
            same(found, right)


def test_along_other_dimensions_and_of_other_layouts():
    x = np.round(rng.standard_normal((6, 50, 4)), 1)
    for axis in range(3):
        for y in (x, x.T, x[:, ::-2]):
            sort = at.jit(lambda y, a=axis: np.argsort(np.exp(y), a, stable=True), backend="numba")
            same(sort(y), np.argsort(np.exp(y), axis, stable=True))


def test_several_keys_and_what_goes_with_them():
    keys = [rng.integers(0, 3, (5, 60)), np.round(rng.standard_normal((5, 60)), 1)]
    rest = rng.random((5, 60)) < 0.5
    order = np.lexsort(keys[::-1], axis=1)
    found = compiled(lambda x, y, z: lax.sort((x, y, z), 1, num_keys=2))(*keys, rest)
    for out, x in zip(found, (*keys, rest), strict=True):
        same(out, np.take_along_axis(x, order, 1))


def test_the_largest():
    x = np.where(rng.random((4, 90)) < 0.3, np.nan, np.round(rng.standard_normal((4, 90)), 1))
    for k in (1, 7, 90):
        top = at.jit(lambda x, k=k: lax.top_k(np.where(x > 1, 1.0, x), k), backend="numba")
        values, places = top(x)
        y = np.where(x > 1, 1.0, x)
        right = y.shape[1] - 1 - np.argsort(y[:, ::-1], axis=1, stable=True)[:, ::-1][:, :k]
        same(places, right)
        same(values, np.take_along_axis(y, right, 1))


def test_within_loops_and_batches():
    def turned(x):
        return lax.fori_loop(0, 3, lambda i, x: np.sort(x * -1.5 + np.flip(x)), x)

    for n in (3, 70):
        x = rng.standard_normal((4, n))
        f = at.jit(at.vmap(turned), backend="numba")
        assert "host step" not in f.explain(x)
        np.testing.assert_allclose(f(x), [turned(row) for row in x], rtol=1e-14)
        assert f(x[:, :0]).shape == (4, 0)


def test_many_short_rows_are_numpys():
    f = compiled(lambda x: np.sort(x))
    assert "host step sort" in f.explain(np.ones((50, 40)))
    for x in (np.ones((50, 1000)), np.ones((1, 40)), np.ones((50, 40), np.complex64)):
        assert ("host step sort" in f.explain(x)) == (x.dtype.kind == "c")
    assert "host step" not in compiled(lambda x: np.sort(x, stable=True)).explain(np.ones((50, 40)))


def test_an_order_alone_stores_no_more():
    """Neither the sorted keys nor the places that they are sorted with."""
    jaxpr = stage(lambda x: [np.argsort(x)], [ShapedArray((1000,), np.dtype(float))])
    assert not any(np.size(c) > 1 for c in jaxpr.consts)
    text = at.jit(lambda x: np.argsort(x), backend="numba").explain(np.ones(1000))
    assert text.count("kernel over") == 1
