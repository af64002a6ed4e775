"""associative_scan against loops, for functions that do not commute."""

import itertools

import numpy as np
import pytest
from derivative_checks import check_batching, check_derivatives

import autotrace as at
from autotrace import lax

BACKENDS = ["numpy", "numba"]
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 31]


def affine_after(first, second):
    return {"a": first["a"] * second["a"], "b": first["b"] * second["a"] + second["b"]}


def matrices(size):
    return np.random.default_rng(size).standard_normal((size, 2, 2)) / 1.5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("reverse", [False, True])
def test_products_of_matrices(size, reverse):
    x = matrices(size)
    order = x[::-1] if reverse else x
    expected = np.array(list(itertools.accumulate(order, np.matmul))).reshape(x.shape)
    expected = expected[::-1] if reverse else expected

    def f(x):
        return lax.associative_scan(np.matmul, x, reverse)

    for out in [f(x), *(at.jit(f, backend=b)(x) for b in BACKENDS)]:
        np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("axis", "reverse"), list(itertools.product((0, 1, -1), (False, True))))
def test_affine_maps(size, axis, reverse):
    rng = np.random.default_rng(size)
    shape = [3, 3]
    shape[axis] = size
    elems = {k: rng.uniform(0.5, 1.5, shape) for k in "ab"}
    out = lax.associative_scan(affine_after, elems, reverse=reverse, axis=axis)
    expected = lax.linear_recurrence(elems["a"], elems["b"], axis, reverse)
    np.testing.assert_allclose(out["b"], expected, rtol=1e-12)
    np.testing.assert_allclose(out["a"], lax.cumprod(elems["a"], axis, reverse), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5, 8])
@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives(size, reverse):
    def f(x):
        return [lax.associative_scan(np.matmul, x, reverse)]

    x = matrices(size)
    check_derivatives(f, [x], order=2, tolerance=1e-4)
    check_batching(f, [lambda n: np.stack([x] * n) + np.arange(n).reshape(-1, 1, 1, 1) / 9])
    eager = at.grad(lambda x: np.sum(np.sin(f(x)[0])))
    for backend in BACKENDS:
        np.testing.assert_allclose(at.jit(eager, backend=backend)(x), eager(x), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.float32, np.complex128])
def test_dtypes(dtype):
    x = np.array([1, 0, 1, 1, 0, 1]).astype(dtype)
    out = lax.associative_scan(np.maximum, x)
    np.testing.assert_array_equal(out, np.maximum.accumulate(x))
    assert out.dtype == dtype


def test_how_often_the_function_is_called():
    calls = []

    def add(x, y):
        calls.append(len(x))
        return x + y

    lax.associative_scan(add, np.ones(1024))
    assert len(calls) < 2 * 10 and sum(calls) < 2 * 1024


def test_errors():
    with pytest.raises(TypeError, match="one size along axis 0"):
        lax.associative_scan(np.add, (np.ones(3), np.ones(4)))
    with pytest.raises(TypeError, match="axis 1 is not an axis"):
        lax.associative_scan(np.add, np.ones(3), axis=1)
    with pytest.raises(TypeError, match="fn must return"):
        lax.associative_scan(lambda x, y: x[:1], np.ones(4))
    with pytest.raises(TypeError, match="fn must return"):
        lax.associative_scan(lambda x, y: (x, y), np.ones(4))
