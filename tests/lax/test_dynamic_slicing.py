"""autotrace.lax.dynamic_slicing: values against NumPy, and each rule against what it has to agree
with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operation_checks import check_rules, check_staged, randn

import autotrace
from autotrace.core.avals import ShapedArray
from autotrace.core.jaxpr import check_jaxpr
from autotrace.core.trace import get_aval
from autotrace.lax import dynamic_slicing as lax
from autotrace.lax.structural import full
from autotrace.transforms.batch import Axis, batch_flat
from autotrace.transforms.evaluate import eval_jaxpr
from autotrace.transforms.simplify import simplify_jaxpr
from autotrace.transforms.stage import stage

FEW = settings(max_examples=40, deadline=None)


def window(shape, starts, sizes):
    begins = [
        min(max(int(s) + (n if s < 0 else 0), 0), n - k)
        for s, n, k in zip(starts, shape, sizes, strict=True)
    ]
    return tuple(slice(b, b + k) for b, k in zip(begins, sizes, strict=True))


@st.composite
def windows(draw):
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=2)))
    sizes = tuple(draw(st.integers(0, n)) for n in shape)
    starts = [draw(st.integers(-7, 7)) for _ in shape]
    dtypes = [draw(st.sampled_from([np.int64, np.int32, np.int8])) for _ in shape]
    return shape, sizes, [t(s) for t, s in zip(dtypes, starts, strict=True)]


@FEW
@given(windows())
def test_dynamic_slice(case):
    shape, sizes, starts = case
    x = np.asarray(randn(*shape))
    np.testing.assert_array_equal(
        lax.dynamic_slice(x, starts, sizes), x[window(shape, starts, sizes)]
    )
    check_rules(lambda x, *starts: lax.dynamic_slice(x, starts, sizes), x, *starts)
    check_staged(lambda x: [lax.dynamic_slice(x, starts, sizes)], [x])


@FEW
@given(windows())
def test_dynamic_update_slice(case):
    shape, sizes, starts = case
    x, u = np.asarray(randn(*shape)), np.asarray(randn(*sizes))
    expected = x.copy()
    expected[window(shape, starts, sizes)] = u
    before = x.copy()
    np.testing.assert_array_equal(lax.dynamic_update_slice(x, u, starts), expected)
    np.testing.assert_array_equal(x, before)
    check_rules(lambda x, u, *starts: lax.dynamic_update_slice(x, u, starts), x, u, *starts)


def test_starts_of_three_dimensions():
    x, u = randn(3, 4, 5), randn(2, 4, 1)
    starts = [np.int64(1), np.int64(0), np.int64(3)]
    check_rules(lambda x, *s: lax.dynamic_slice(x, s, (2, 4, 1)), x, *starts)
    check_rules(lambda x, u, *s: lax.dynamic_update_slice(x, u, s), x, u, *starts)


def test_starts_in_one_array():
    x, starts = randn(4, 5), np.array([-2, 9])
    np.testing.assert_array_equal(lax.dynamic_slice(x, starts, (2, 2)), x[2:4, 3:5])
    check_rules(lambda x, starts: lax.dynamic_slice(x, starts, (2, 2)), x, starts)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_unsigned_starts(dtype):
    x, far = randn(300), np.array([np.iinfo(dtype).max, 1], dtype)
    expected = x[255:257] if dtype == np.uint8 else x[298:]
    np.testing.assert_array_equal(lax.dynamic_slice(x, (far[0],), (2,)), expected)
    (out,), (dim,) = batch_flat(lambda s: [lax.dynamic_slice(x, (s,), (2,))], Axis(2), [far], [0])
    np.testing.assert_array_equal(np.moveaxis(out, dim, 0), [expected, x[1:3]])


def test_small_start_dtype():
    x = randn(300)
    start = np.int8(-100)
    np.testing.assert_array_equal(lax.dynamic_slice(x, (start,), (2,)), x[200:202])
    jaxpr = stage(lambda x, s: [lax.dynamic_slice(x, (s,), (2,))], [get_aval(x), get_aval(start)])
    np.testing.assert_array_equal(eval_jaxpr(jaxpr, [x, start])[0], x[200:202])


def test_dynamic_in_dim():
    x = randn(4, 6)
    np.testing.assert_array_equal(lax.dynamic_slice_in_dim(x, 2, 3, axis=1), x[:, 2:5])
    np.testing.assert_array_equal(lax.dynamic_slice_in_dim(x, -2, 2, axis=-1), x[:, -2:])
    np.testing.assert_array_equal(lax.dynamic_index_in_dim(x, 1), x[1:2])
    np.testing.assert_array_equal(lax.dynamic_index_in_dim(x, -1, 1, keepdims=False), x[:, -1])
    expected = x.copy()
    expected[:, 2:4] = 1
    np.testing.assert_array_equal(
        lax.dynamic_update_slice_in_dim(x, np.ones((4, 2)), 2, axis=1), expected
    )
    expected = x.copy()
    expected[:, 5] = 1
    for update in (np.ones(4), np.ones((4, 1))):
        got = lax.dynamic_update_index_in_dim(x, update, -1, axis=1)
        np.testing.assert_array_equal(got, expected)


def test_dynamic_refuses():
    x = np.zeros((3, 4))
    for starts, sizes in [((0,), (1, 1)), ((0, 0), (1,)), ((0, 0), (4, 1)), ((0.0, 0), (1, 1))]:
        with pytest.raises(TypeError):
            lax.dynamic_slice(x, starts, sizes)
    for update, starts in [
        (np.zeros((4, 1)), (0, 0)),
        (np.zeros(1), (0, 0)),
        (np.zeros((1, 1), np.float32), (0, 0)),
        (np.zeros((1, 1)), (0, True)),
    ]:
        with pytest.raises(TypeError):
            lax.dynamic_update_slice(x, update, starts)


@pytest.mark.parametrize(
    ("fun", "names"),
    [
        (lambda x: lax.dynamic_slice(x, (9,), (2,)), ["slice"]),
        (lambda x: lax.dynamic_slice(x, (9,), (4,)), []),
        (lambda x: lax.dynamic_update_slice(x, full((0,), 1.0), (2,)), []),
    ],
)
def test_simplified(fun, names):
    jaxpr = simplify_jaxpr(stage(lambda x: [fun(x)], [ShapedArray((4,), float)]))
    check_jaxpr(jaxpr)
    assert [e.primitive.name for e in jaxpr.eqns] == names


def test_slices_of_what_was_written():
    """A read of what has just been written is that; what is written over is not written."""

    def f(x):
        y = np.zeros((3, 2))
        y[0] = x
        y[1] = 2.0 * y[0]
        y[2, 1] = y[1, 0]
        y[0] = y[2]
        return y

    x = np.array([1.0, 2.0])
    expected = f(x)
    text = str(autotrace.make_jaxpr(lambda v: f(v)[2, 1], simplify=True)(x))
    assert "dynamic_update_slice" not in text
    assert str(autotrace.make_jaxpr(f, simplify=True)(x)).count("dynamic_update_slice") <= 4
    for backend in ("numpy", None):
        np.testing.assert_array_equal(autotrace.jit(f, backend=backend)(x), expected)

    def twice(x):
        y = np.zeros(3)
        y[1:] = x
        y[1:] = 3.0 * x
        return y

    text = str(autotrace.make_jaxpr(twice, simplify=True)(x))
    assert text.count("dynamic_update_slice") == 1
    np.testing.assert_array_equal(autotrace.jit(twice)(x), [0.0, 3.0, 6.0])
