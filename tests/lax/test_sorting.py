"""sort and top_k against NumPy, with derivatives and batching."""

import itertools

import numpy as np
import pytest
from derivative_checks import backward, check_abstract, check_batching, check_derivatives, forward
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autotrace.core.avals import ShapedArray
from autotrace.lax import sorting as lax
from autotrace.lax.arithmetic import mul
from autotrace.transforms.stage import stage

DTYPES = [np.bool_, np.int8, np.float32, np.complex128]
NAN = np.nan


def draw_array(data, dtype=None):
    dtype = dtype or data.draw(st.sampled_from(DTYPES))
    shape = data.draw(hnp.array_shapes(max_dims=3, min_side=0, max_side=4))
    few = st.sampled_from([0, 1]) if np.dtype(dtype).kind in "bi" else st.sampled_from([0, 1, NAN])
    return data.draw(hnp.arrays(dtype, shape, elements=few))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_sort_values(data):
    x = draw_array(data)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    for stable in (False, True):
        out = lax.sort(x, axis, is_stable=stable)
        assert out.dtype == x.dtype
        np.testing.assert_array_equal(out, np.sort(x, axis))
        check_abstract(lambda x, s=stable: [lax.sort(x, axis, s)], [x])


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_sort_of_several(data):
    first = draw_array(data)
    second = data.draw(hnp.arrays(np.int8, first.shape, elements=st.sampled_from([0, 1])))
    third = np.arange(first.size, dtype=float).reshape(first.shape)
    axis = data.draw(st.integers(0, first.ndim - 1))
    num_keys = data.draw(st.integers(1, 3))
    keys = [first, second, third][:num_keys]
    order = np.lexsort(keys[::-1], axis=axis)
    outs = lax.sort((first, second, third), axis, num_keys=num_keys)
    for out, x in zip(outs, (first, second, third), strict=True):
        np.testing.assert_array_equal(out, np.take_along_axis(x, order, axis))
    check_abstract(lambda *xs: lax.sort(xs, axis, num_keys=num_keys), [first, second, third])


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_top_k_values(data):
    x = draw_array(data)
    k = data.draw(st.integers(0, x.shape[-1]))
    values, indices = lax.top_k(x, k)
    assert values.shape == indices.shape == (*x.shape[:-1], k)
    assert values.dtype == x.dtype and indices.dtype == np.int64
    np.testing.assert_array_equal(values, np.sort(x, -1)[..., ::-1][..., :k])
    # Counting by hand: an element goes before another that is smaller, or equal and behind it.
    for place in np.ndindex(x.shape[:-1]):
        row, found = x[place], indices[place]
        rank = {v: i for i, v in enumerate(np.unique(row))}
        size = [len(rank) if np.isnan(v) else rank[v] for v in row]
        expected = sorted(range(len(row)), key=lambda i: (-size[i], i))
        assert list(found) == expected[:k]
    check_abstract(lambda x: lax.top_k(x, k), [x])


def distinct(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.permutation(np.prod(shape)).reshape(shape) * 0.7 - 2.0


@pytest.mark.parametrize("shape, axis", [((4,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 2), 1)])
def test_sort_derivatives(shape, axis):
    x, y = distinct(shape), np.random.default_rng(1).standard_normal(shape)
    check_derivatives(lambda x: [lax.sort(x, axis)], [x], order=2)
    check_derivatives(lambda x: [mul(lax.sort(mul(x, x), axis), x)], [x], order=2, tolerance=1e-4)
    check_derivatives(lambda x, y: lax.sort((x, y), axis), [x, y])
    check_derivatives(lambda y: [lax.sort((x, y), axis)[1]], [y])
    check_derivatives(lambda y: [lax.sort((np.floor(x / 2), x, y), axis, num_keys=2)[2]], [y])
    check_derivatives(lambda z: [lax.sort(z, axis)], [x + 1j * y])


def test_sort_with_integer_keys():
    keys, y = np.array([2, 1, 2, 0]), np.array([1.0, 2.0, 3.0, 4.0])
    (back,) = backward(lambda y: [lax.sort((keys, y))[1]], [y], [np.array([10.0, 20, 30, 40])])
    np.testing.assert_array_equal(back, [30, 20, 40, 10])


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("k", [0, 1, 3, 4])
def test_top_k_derivatives(shape, k):
    check_derivatives(lambda x: [lax.top_k(x, k)[0]], [distinct(shape)], order=2)


@pytest.mark.parametrize("axis", [0, 1])
def test_batching_sort(axis):
    stacked = lambda n: distinct((n, 2, 4))  # noqa: E731
    sort = lambda x: [lax.sort(x, axis)]  # noqa: E731
    check_batching(sort, [stacked])
    check_batching(lambda *xs: lax.sort(xs, axis, num_keys=2), [stacked] * 3, 2)
    check_batching(lambda x, t: forward(sort, [x], [t]), [stacked] * 2)
    check_batching(lambda x, c: backward(sort, [x], [c]), [stacked] * 2)


@pytest.mark.parametrize("k", [0, 2])
def test_batching_top_k(k):
    stacked = lambda n: distinct((n, 2, 4))  # noqa: E731
    top = lambda x: [lax.top_k(x, k)[0]]  # noqa: E731
    check_batching(lambda x: lax.top_k(x, k), [stacked])
    check_batching(lambda x, t: forward(top, [x], [t]), [stacked] * 2)


def test_take_along():
    x = distinct((2, 3, 4))
    for axis, seed in itertools.product(range(3), range(3)):
        shape = list(x.shape)
        shape[axis] = 2 + seed
        indices = np.random.default_rng(seed).integers(0, x.shape[axis], shape)
        take = lambda x, i=indices, a=axis: [lax.take_along(x, i, a)]  # noqa: E731
        np.testing.assert_array_equal(take(x)[0], np.take_along_axis(x, indices, axis))
        check_derivatives(take, [x])


def test_errors():
    x = np.zeros((2, 3))
    with pytest.raises(TypeError, match="axis 2"):
        lax.sort(x, 2)
    with pytest.raises(TypeError, match="0 dimensions"):
        lax.sort(1.0)
    with pytest.raises(TypeError, match="one shape"):
        lax.sort((x, x[0]))
    with pytest.raises(ValueError, match="num_keys=2"):
        lax.sort(x, num_keys=2)
    with pytest.raises(ValueError, match="k=4 of 3"):
        lax.top_k(x, 4)
    with pytest.raises(TypeError, match="0 dimensions"):
        lax.top_k(1.0, 1)
    with pytest.raises(ValueError, match="k=4 of 3"):
        stage(lambda x: lax.top_k_p.bind(x, k=4), [ShapedArray((2, 3), float)])
    with pytest.raises(TypeError, match="do not fit"):
        lax.take_along(x, np.zeros((3, 1), int), 1)
