"""reduce_prod, reduce_max and so on against NumPy, with derivatives and batching."""

import itertools

import numpy as np
import pytest
from derivative_checks import backward, check_abstract, check_batching, check_derivatives, forward
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autotrace.core.avals import ShapedArray
from autotrace.lax import reductions as lax
from autotrace.transforms.simplify import simplify_jaxpr
from autotrace.transforms.stage import stage

AXES = [
    axes for n in range(1, 4) for k in range(n + 1) for axes in itertools.combinations(range(n), k)
]
NUMPY = {
    "reduce_prod": np.multiply,
    "reduce_max": np.maximum,
    "reduce_min": np.minimum,
    "reduce_and": np.bitwise_and,
    "reduce_or": np.bitwise_or,
    "reduce_xor": np.bitwise_xor,
}
KINDS = {"reduce_prod": "ifc", "reduce_max": "bifc", "reduce_min": "bifc"}
DTYPES = {"b": np.bool_, "i": np.int16, "f": np.float32, "c": np.complex128}


def draw_array(data, kinds, **options):
    dtype = DTYPES[data.draw(st.sampled_from(kinds))]
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))
    return data.draw(hnp.arrays(dtype, shape, **options))


@pytest.mark.parametrize("name", NUMPY)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_values_and_types(name, data):
    x = draw_array(data, KINDS.get(name, "bi"))
    axes = tuple(data.draw(st.sets(st.integers(0, x.ndim - 1))))
    reduce = getattr(lax, name)
    with np.errstate(all="ignore"):
        out = reduce(x, axes)
        expected = NUMPY[name].reduce(x, axis=axes, dtype=x.dtype) if axes else x
        np.testing.assert_array_equal(out, expected)
        assert out.dtype == x.dtype
        check_abstract(lambda x: [reduce(x, axes)], [x])


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_places(name, data):
    x = draw_array(data, "bifc")
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    place = getattr(lax, name)
    for dtype in (np.int64, np.int32, np.uint8):
        out = place(x, axis, dtype)
        np.testing.assert_array_equal(out, getattr(np, name)(x, axis))
        assert out.dtype == dtype
        check_abstract(lambda x, d=dtype: [place(x, axis, d)], [x])


@pytest.mark.parametrize("axes", AXES)
def test_product_derivatives(axes):
    rng = np.random.default_rng(0)
    shape = (2, 3, 2)[: max(axes, default=0) + 1]
    x = rng.standard_normal(shape)
    product = lambda x: [lax.reduce_prod(x, axes)]  # noqa: E731
    check_derivatives(product, [x], order=2)
    x.flat[0] = 0
    check_derivatives(product, [x], order=2)
    x.flat[-1] = 0
    check_derivatives(product, [x], order=2)
    check_derivatives(product, [np.zeros(shape)], order=2)
    check_derivatives(product, [x + 1j * rng.standard_normal(shape)], order=2)


def test_third_derivative_of_product_at_zero():
    one = np.eye(3)

    def product(x):
        return [lax.reduce_prod(x, (0,))]

    def first(x):
        return forward(product, [x], [one[0]])

    def second(x):
        return forward(first, [x], [one[1]])

    assert forward(second, [np.zeros(3)], [one[2]])[0] == 1.0
    assert forward(second, [np.zeros(3)], [one[1]])[0] == 0.0


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
@pytest.mark.parametrize("axes", AXES)
def test_extremum_derivatives(name, axes):
    rng = np.random.default_rng(0)
    shape = (2, 3, 2)[: max(axes, default=0) + 1]
    x = rng.permutation(np.prod(shape)).reshape(shape).astype(float)
    check_derivatives(lambda x: [getattr(lax, name)(x, axes)], [x], order=2)


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
def test_ties_share(name):
    x = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 5.0 if name == "reduce_min" else -5.0]])
    (back,) = backward(lambda x: [getattr(lax, name)(x, (1,))], [x], [np.array([3.0, 2.0])])
    np.testing.assert_allclose(back, [[1, 1, 1], [1, 1, 0]])


def test_nan():
    x = np.array([[1.0, np.nan], [2.0, 3.0]])
    np.testing.assert_array_equal(lax.reduce_max(x, (1,)), [np.nan, 3.0])
    np.testing.assert_array_equal(lax.reduce_min(x, (1,)), [np.nan, 2.0])
    np.testing.assert_array_equal(lax.argmax(x, 1), [1, 1])
    (back,) = backward(lambda x: [lax.reduce_max(x, (1,))], [x], [np.ones(2)])
    np.testing.assert_array_equal(back, [[0, 0], [0, 1]])


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_batching(name, axes):
    rng = np.random.default_rng(0)
    reduce = getattr(lax, name)
    check_batching(lambda x: [reduce(x, axes)], [lambda n: rng.integers(0, 9, (n, 2, 3, 2))])


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_batching_places(name, axis):
    rng = np.random.default_rng(0)
    place = getattr(lax, name)
    check_batching(
        lambda x: [place(x, axis, np.int32)], [lambda n: rng.integers(0, 9, (n, 2, 3, 2))]
    )


@pytest.mark.parametrize("name", ["reduce_prod", "reduce_max"])
@pytest.mark.parametrize("axes", [(0,), (0, 1)])
def test_batching_derivatives(name, axes):
    rng = np.random.default_rng(0)
    stacked = lambda n: rng.standard_normal((n, 2, 3))  # noqa: E731
    reduce = lambda x: [getattr(lax, name)(x, axes)]  # noqa: E731
    check_batching(lambda x, t: forward(reduce, [x], [t]), [stacked, stacked])
    ct = np.ones(np.zeros((2, 3)).sum(axes).shape)
    check_batching(lambda x: backward(reduce, [x], [ct]), [stacked])


def test_no_elements():
    empty = np.zeros((0, 2))
    np.testing.assert_array_equal(lax.reduce_prod(empty, (0,)), [1.0, 1.0])
    assert lax.reduce_and(np.zeros(0, np.bool_), (0,)) == True  # noqa: E712
    assert lax.reduce_or(np.zeros(0, np.int64), (0,)) == 0
    assert lax.reduce_max(empty, (1,)).shape == (0,)
    for reduce in (lax.reduce_max, lax.reduce_min):
        with pytest.raises(ValueError, match="no identity"):
            reduce(empty, (0,))
        with pytest.raises(ValueError, match="no elements"):
            stage(lambda x, r=reduce: [r(x, (0,))], [ShapedArray((0, 2), float)])
    with pytest.raises(ValueError, match="empty"):
        lax.argmax(empty, 0)
    with pytest.raises(ValueError, match="no elements"):
        stage(lambda x: [lax.argmin(x, 0)], [ShapedArray((0, 2), float)])
    (back,) = backward(lambda x: [lax.reduce_prod(x, (0,))], [empty], [np.ones(2)])
    assert back.shape == (0, 2)


def test_errors():
    def traced(f, dtype=float):
        return stage(lambda x: [f(x)], [ShapedArray((2, 3), dtype)])

    with pytest.raises(TypeError, match="reduce_prod takes integer"):
        traced(lambda x: lax.reduce_prod(x, (0,)), bool)
    with pytest.raises(TypeError, match="reduce_and takes bool, integer"):
        traced(lambda x: lax.reduce_and(x, (0,)))
    with pytest.raises(TypeError, match="not different dimensions"):
        traced(lambda x: lax.reduce_max(x, (0, 0)))
    with pytest.raises(TypeError, match="axis 2"):
        traced(lambda x: lax.argmax(x, 2))
    with pytest.raises(TypeError, match="index_dtype"):
        lax.argmax(np.zeros(3), 0, np.float64)


def test_simplify():
    jaxpr = stage(lambda x: [lax.reduce_max(x, (0, 2))], [ShapedArray((1, 3, 1), float)])
    assert [e.primitive.name for e in simplify_jaxpr(jaxpr).eqns] == ["reshape"]
