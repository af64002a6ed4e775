"""cumsum and its relatives against NumPy, with derivatives and batching."""

import itertools

import numpy as np
import pytest
from derivative_checks import backward, check_abstract, check_batching, check_derivatives, forward
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autotrace.core.avals import ShapedArray
from autotrace.lax import cumulative as lax
from autotrace.transforms.jvp import jvp_flat
from autotrace.transforms.simplify import simplify_jaxpr
from autotrace.transforms.stage import stage

NUMPY = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
    "cumlogsumexp": np.logaddexp,
}
KINDS = {"cumsum": "ifc", "cumprod": "ifc", "cumlogsumexp": "f"}
DTYPES = {"b": np.bool_, "i": np.int8, "f": np.float32, "c": np.complex128}
INF = np.inf
WAYS = list(itertools.product((0, 1), (False, True)))


@pytest.mark.parametrize("name", NUMPY)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_values_and_types(name, data):
    dtype = DTYPES[data.draw(st.sampled_from(KINDS.get(name, "bifc")))]
    x = data.draw(hnp.arrays(dtype, hnp.array_shapes(max_dims=3, min_side=0, max_side=4)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    function = getattr(lax, name)
    with np.errstate(all="ignore"):
        out = function(x, axis)
        np.testing.assert_array_equal(out, NUMPY[name].accumulate(x, axis, dtype=dtype))
        assert out.dtype == dtype
        np.testing.assert_array_equal(
            function(x, axis, reverse=True), np.flip(function(np.flip(x, axis), axis), axis)
        )
        check_abstract(lambda x: [function(x, axis, True)], [x])


def loop(a, b, axis, reverse):
    a, b = (np.moveaxis(np.flip(x, axis) if reverse else x, axis, 0) for x in (a, b))
    out = b.copy()
    for n in range(1, len(out)):
        out[n] = a[n] * out[n - 1] + b[n]
    out = np.moveaxis(out, 0, axis)
    return np.flip(out, axis) if reverse else out


@pytest.mark.parametrize("dtype", [np.int32, np.float16, np.float32, float, np.complex64, complex])
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (2, 5), (3, 0, 2), (2, 1, 3), (9, 9, 9)])
def test_recurrence_values(dtype, shape):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-2, 3, shape).astype(dtype) for _ in range(2))
    if np.dtype(dtype).kind == "c":
        a = a * dtype(1j)
    for axis, reverse in itertools.product(range(len(shape)), (False, True)):
        out = lax.linear_recurrence(a, b, axis, reverse)
        assert out.dtype == dtype
        np.testing.assert_array_equal(out, loop(a, b, axis, reverse))
        check_abstract(lambda a, b: [lax.linear_recurrence(a, b, axis, reverse)], [a, b])  # noqa: B023


@pytest.mark.parametrize("width", [1, 100])
def test_recurrence_leaves_the_first_factor_alone(width):
    a = np.full((4, width), 1e200)
    a[0] = np.nan
    b = np.zeros((4, width))
    np.testing.assert_array_equal(lax.linear_recurrence(a, b), b)
    np.testing.assert_array_equal(lax.linear_recurrence(a.T, b.T, 1), b.T)


@pytest.mark.parametrize("axis, reverse", WAYS)
def test_recurrence_derivatives(axis, reverse):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3, 4))
    check_derivatives(lambda a, b: [lax.linear_recurrence(a, b, axis, reverse)], [a, b], order=2)
    check_derivatives(lambda b: [lax.linear_recurrence(a, b, axis, reverse)], [b], order=2)
    check_derivatives(lambda a: [lax.linear_recurrence(a, b, axis, reverse)], [a], order=2)
    check_derivatives(
        lambda a, b: [lax.linear_recurrence(a, b, axis, reverse)], [a + 1j * b, b - 2j * a]
    )


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("axis, reverse", WAYS)
def test_derivatives(name, axis, reverse):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4))
    function = lambda x: [getattr(lax, name)(x, axis, reverse)]  # noqa: E731
    check_derivatives(function, [x], order=2)
    if name in ("cumsum", "cumprod"):
        check_derivatives(function, [x + 1j * rng.standard_normal(x.shape)], order=2)


def test_third_derivative_of_product_at_zeros():
    check_derivatives(lambda x: [lax.cumprod(x)], [np.zeros(3)], order=3)
    check_derivatives(lambda x: [lax.cumprod(x)], [np.array([2.0, 0.0, 3.0, 0.0, 5.0])], order=3)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "x", [[0.0, 1, 2, 3], [1.0, 0, 2, 3], [1.0, 2, 3, 0], [0.0, 1, 0, 2], [0.0, 0, 0, 0]]
)
def test_product_derivatives_at_zeros(x, reverse):
    check_derivatives(lambda x: [lax.cumprod(x, 0, reverse)], [np.array(x)], order=2)


@pytest.mark.parametrize("size", [7, 1000])
def test_derivatives_along_many(size):
    x = np.random.default_rng(0).standard_normal(size)
    check_derivatives(lambda x: [lax.cumlogsumexp(x)], [x])
    check_derivatives(lambda x: [lax.cummax(x)], [x])
    check_derivatives(lambda x: [lax.cumprod(x)], [x])


def test_first_of_equals_gets_the_derivative():
    x = np.array([1.0, 3.0, 3.0, 2.0, 4.0])
    (back,) = backward(lambda x: [lax.cummax(x)], [x], [np.ones(5)])
    np.testing.assert_array_equal(back, [1, 3, 0, 0, 1])
    (back,) = backward(lambda x: [lax.cummin(x, 0, True)], [x], [np.ones(5)])
    np.testing.assert_array_equal(back, [1, 0, 0, 3, 1])
    (back,) = backward(lambda x: [lax.cummin(x)], [np.zeros(3)], [np.ones(3)])
    np.testing.assert_array_equal(back, [3, 0, 0])


def derivative(f, x):
    """The matrix of derivatives, by forward mode, checked against reverse mode."""
    n = len(x)
    ahead = np.stack([forward(f, [x], [t])[0] for t in np.eye(n)], 1)
    back = np.stack([backward(f, [x], [c])[0] for c in np.eye(n)])
    np.testing.assert_allclose(ahead, back, atol=1e-15)
    return ahead


def test_logsumexp_is_stable():
    x = np.array([1000.0, 1001.0, -1000.0, 1e5])
    d = derivative(lambda x: [lax.cumlogsumexp(x)], x)
    p = 1 / (1 + np.e)
    expected = [[1, 0, 0, 0], [p, 1 - p, 0, 0], [p, 1 - p, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(d, expected)


@pytest.mark.parametrize(
    "x, expected",
    [
        ([-INF, 0.0, 0.0], [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5]]),
        ([0.0, -INF, 0.0], [[1, 0, 0], [1, 0, 0], [0.5, 0, 0.5]]),
        ([-INF, -INF, 3.0], [[1, 0, 0], [0, 0, 0], [0, 0, 1]]),
        ([0.0, INF, 0.0], [[1, 0, 0], [0, 1, 0], [0, 1, 0]]),
        ([INF, INF, -INF], [[1, 0, 0], [1, 0, 0], [1, 0, 0]]),
        ([-INF, INF, INF], [[1, 0, 0], [0, 1, 0], [0, 1, 0]]),
        ([800.0, INF, 800.0], [[1, 0, 0], [0, 1, 0], [0, 1, 0]]),
    ],
)
def test_logsumexp_at_infinities(x, expected):
    x = np.array(x)
    f = lambda x: [lax.cumlogsumexp(x)]  # noqa: E731
    np.testing.assert_allclose(derivative(f, x), expected)
    # The second derivatives, where every weight is 0 or 1 they are all 0.
    for t in np.eye(3):
        second = derivative(lambda x, t=t: forward(f, [x], [t]), x)
        assert np.isfinite(second).all()
        if np.isin(expected, (0, 1)).all():
            np.testing.assert_array_equal(second, np.zeros((3, 3)))


def test_nan_goes_through():
    x = np.array([1.0, np.nan, 2.0])
    for name in NUMPY:
        with np.errstate(invalid="ignore"):  # NumPy's accumulate warns itself
            (out,), _ = jvp_flat(lambda x, name=name: [getattr(lax, name)(x)], [x], [x])
        np.testing.assert_array_equal(out, [1, np.nan, np.nan])


@pytest.mark.parametrize("name", [*NUMPY, "shift"])
@pytest.mark.parametrize("axis, reverse", WAYS)
def test_batching(name, axis, reverse):
    rng = np.random.default_rng(0)
    stacked = lambda n: rng.standard_normal((n, 2, 4))  # noqa: E731
    function = lambda x: [getattr(lax, name)(x, axis, reverse)]  # noqa: E731
    check_batching(function, [stacked])
    check_batching(lambda x, t: forward(function, [x], [t]), [stacked, stacked])
    check_batching(lambda x, c: backward(function, [x], [c]), [stacked, stacked])


@pytest.mark.parametrize("axis, reverse", WAYS)
def test_batching_recurrence(axis, reverse):
    rng = np.random.default_rng(0)
    stacked = lambda n: rng.standard_normal((n, 2, 4))  # noqa: E731
    function = lambda a, b: [lax.linear_recurrence(a, b, axis, reverse)]  # noqa: E731
    check_batching(function, [stacked] * 2)
    check_batching(lambda a, b, c: backward(function, [a, b], [c]), [stacked] * 3, 2)


def test_shift():
    x = np.arange(1.0, 7.0).reshape(2, 3)
    np.testing.assert_array_equal(lax.shift(x, 1), [[0, 1, 2], [0, 4, 5]])
    np.testing.assert_array_equal(lax.shift(x, 0, True), [[4, 5, 6], [0, 0, 0]])
    assert lax.shift(np.zeros((0, 2))).shape == (0, 2)
    check_derivatives(lambda x: [lax.shift(x, 1)], [x])


def test_errors():
    def traced(f, *dtypes):
        return stage(lambda *xs: [f(*xs)], [ShapedArray((2, 3), d) for d in dtypes])

    with pytest.raises(TypeError, match="axis 2"):
        lax.cumsum(np.zeros((2, 3)), 2)
    with pytest.raises(TypeError, match="cumsum takes integer"):
        traced(lax.cumsum, bool)
    with pytest.raises(TypeError, match="cumlogsumexp takes floating"):
        traced(lax.cumlogsumexp, complex)
    with pytest.raises(TypeError, match="one shape and dtype"):
        traced(lax.linear_recurrence, float, complex)
    with pytest.raises(TypeError, match="linear_recurrence takes integer"):
        traced(lax.linear_recurrence, bool, bool)


def test_simplify():
    jaxpr = stage(
        lambda x: [lax.linear_recurrence(x, lax.cumsum(x, 1), 1)], [ShapedArray((3, 1), float)]
    )
    assert not simplify_jaxpr(jaxpr).eqns
