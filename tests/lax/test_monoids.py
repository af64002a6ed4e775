"""reduce by the functions that have a primitive and by others, on both backends."""

import functools
import operator

import numpy as np
import pytest
from derivative_checks import check_batching, check_derivatives

import autotrace as at
from autotrace import lax

BACKENDS = ["numpy", "numba"]
X = np.random.default_rng(0).uniform(0.5, 1.5, (4, 5, 3))


@pytest.mark.parametrize(
    ("computation", "init", "name"),
    [
        (lax.add, 0.0, "reduce_sum"),
        (operator.add, 0.0, "reduce_sum"),
        (np.add, 0.0, "reduce_sum"),
        (lambda x, y: y + x, 0.0, "reduce_sum"),
        (at.jit(lambda x, y: x + y), 0.0, "reduce_sum"),
        (np.multiply, 1.0, "reduce_prod"),
        (np.maximum, -np.inf, "reduce_max"),
        (lax.min, np.inf, "reduce_min"),
    ],
)
def test_known_operations_are_recognised(computation, init, name):
    jaxpr = at.make_jaxpr(lambda x: lax.reduce(x, init, computation, (0, 2)))(X)
    assert [e.primitive.name for e in jaxpr.eqns] == [name]


@pytest.mark.parametrize(
    "computation", [lambda x, y: x + x, lambda x, y: x, lambda x, y: x + y * 2]
)
def test_others_are_not(computation):
    jaxpr = at.make_jaxpr(lambda x: lax.reduce(x, 0.0, computation, (0,)))(X)
    assert all(not e.primitive.name.startswith("reduce_") for e in jaxpr.eqns)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int64])
@pytest.mark.parametrize(
    ("computation", "ufunc"),
    [
        (lax.bitwise_and, np.bitwise_and),
        (lax.bitwise_or, np.bitwise_or),
        (lax.bitwise_xor, np.bitwise_xor),
        (lax.max, np.maximum),
        (lax.min, np.minimum),
        (lax.add, np.add),
        (lax.mul, np.multiply),
    ],
)
def test_whole_numbers_and_bools(computation, ufunc, dtype):
    x = np.random.default_rng(1).integers(0, 5, (3, 4)).astype(dtype)
    first = dtype(1)
    for axes in [(), (0,), (1,), (0, 1), (1, 0)]:
        expected = ufunc.reduce(x, axis=axes, dtype=dtype, initial=first)

        def f(x, axes=axes):
            return lax.reduce(x, first, computation, axes)

        for out in [f(x), *(at.jit(f, backend=b)(x) for b in BACKENDS)]:
            np.testing.assert_array_equal(out, expected)
            assert out.dtype == dtype


def affine_after(first, second):
    (a, b), (c, d) = first, second
    return a * c, b * c + d


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 13])
@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_the_order_is_kept(size, backend):
    """Affine maps do not commute."""
    a, b = X.reshape(-1)[: 3 * size].reshape(size, 3), np.arange(3.0 * size).reshape(size, 3)

    def f(a, b):
        return lax.reduce((a, b), (1.0, 0.0), affine_after, (0,))

    expected = functools.reduce(affine_after, zip(a, b, strict=True), (1.0, 0.0))
    out = (f if backend is None else at.jit(f, backend=backend))(a, b)
    np.testing.assert_allclose(out, expected, rtol=1e-12)


@pytest.mark.parametrize("axes", [(), (0,), (2,), (1, 2), (2, 0), (0, 1, 2)])
def test_derivatives_of_others(axes):
    def f(x):
        return [lax.reduce(x, 0.0, np.hypot, axes)]

    kept = tuple(d for d in range(3) if d not in axes)
    np.testing.assert_allclose(f(X)[0], np.sqrt(np.sum(X * X, axes)), rtol=1e-12)
    assert f(X)[0].shape == tuple(X.shape[d] for d in kept)
    check_derivatives(f, [X], tolerance=1e-4)
    check_batching(f, [lambda n: np.stack([X] * n)])


def test_over_no_elements():
    x = np.ones((0, 2))
    for computation in (lax.max, np.hypot):
        np.testing.assert_array_equal(lax.reduce(x, -1.0, computation, (0,)), [-1.0, -1.0])
    assert lax.reduce(x, 0.0, lax.add, (1,)).shape == (0,)
    assert lax.reduce(x, 0.0, np.hypot, (1,)).shape == (0,)


def test_traced_initial_values_and_closures():
    x = np.array([2.0, 3.0])
    assert at.grad(lambda i: lax.reduce(x, i, lax.mul, (0,)))(1.0) == 6.0
    assert at.grad(lambda c: lax.reduce(x, 0.0, lambda a, b: a + c * b, (0,)))(1.0) == 8.0
    assert at.jit(lambda i: lax.reduce(x, i, lax.add, (0,)))(1.0) == 6.0


def test_errors():
    with pytest.raises(TypeError, match="not different dimensions"):
        lax.reduce(X, 0.0, lax.add, (0, 0))
    with pytest.raises(TypeError, match="arrays of one shape"):
        lax.reduce((X, X[0]), (0.0, 0.0), affine_after, (0,))
    with pytest.raises(TypeError, match="the computation must return"):
        lax.reduce(X, 0.0, lambda x, y: x > y, (0,))
    with pytest.raises(TypeError, match="the computation must return"):
        lax.reduce(X, 0.0, lambda x, y: (x, y), (0,))
