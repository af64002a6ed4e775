"""Jacobians, Hessians and Hessian-vector products."""

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autotrace as at
from autotrace import float0, lax

Pair = collections.namedtuple("Pair", "a b")
BOTH = pytest.mark.parametrize("jac", [at.jacfwd, at.jacrev], ids=["fwd", "rev"])
RNG = np.random.default_rng(0)


def total(x):
    return lax.reduce_sum(x, tuple(range(x.ndim)))


def finite(f, x, h=1e-6):
    out = np.zeros((*np.shape(f(x)), *np.shape(x)))
    for index in np.ndindex(np.shape(x)):
        step = np.zeros_like(x)
        step[index] = h
        out[(..., *index)] = (f(x + step) - f(x - step)) / (2 * h)
    return out


@BOTH
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 2, 2)])
def test_elementwise(jac, shape):
    x = RNG.uniform(0.5, 2, shape)[()]
    f = lambda x: np.sin(x) * x  # noqa: E731
    got = jac(f)(x)
    assert np.shape(got) == shape * 2
    n = int(np.prod(shape))
    want = np.diag(np.ravel(np.cos(x) * x + np.sin(x))).reshape(shape * 2)
    np.testing.assert_allclose(got, want)
    assert np.size(got) == n * n


PROGRAMS = [
    lambda x: x * lax.reduce_sum(x, (0,)),
    lambda x: lax.rev(x, (0,)) ** 2 / x,
    lambda x: total(np.exp(x) * np.arange(1.0, 4.0)),
    lambda x: lax.broadcast_in_dim(x, (2, 3), (1,)) * np.arange(6.0).reshape(2, 3),
    lambda x: lax.dot(np.arange(12.0).reshape(4, 3), np.sin(x)),
    lambda x: np.where(x > 1, x * x, np.exp(x)),
    lambda x: np.maximum(x, 1.0) * total(x),
    lambda x: at.jit(lambda y: y * total(y))(x) + x,
    lambda x: at.checkpoint(lambda y: np.sin(y) * total(y))(x),
    lambda x: at.grad(lambda y: total(y**3) * total(y))(x),
    lambda x: at.vmap(lambda y: y * total(x))(x),
]


@pytest.mark.parametrize("f", PROGRAMS, ids=range(len(PROGRAMS)))
def test_against_finite_differences(f):
    x = np.array([0.7, 1.3, 1.9])
    want = finite(f, x)
    for jac in (at.jacfwd, at.jacrev):
        np.testing.assert_allclose(jac(f)(x), want, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(at.jit(jac(f))(x), want, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(
            at.vmap(jac(f))(np.stack([x, x + 1]))[0], want, rtol=1e-6, atol=1e-7
        )
        second = finite(jac(f), x)
        for jac2 in (at.jacfwd, at.jacrev):
            np.testing.assert_allclose(jac2(jac(f))(x), second, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(at.hessian(f)(x), second, rtol=1e-5, atol=1e-6)


@BOTH
def test_trees(jac):
    f = lambda p: {"s": p.a * total(p.b), "t": (p.b * p.a, [p.a])}  # noqa: E731
    p = Pair(2.0, np.array([3.0, 4.0, 5.0]))
    out = jac(f)(p)
    assert at.tree.structure(out) == at.tree.structure(
        {"s": Pair(0, 0), "t": (Pair(0, 0), [Pair(0, 0)])}
    )
    assert out["s"].a == 12.0
    np.testing.assert_array_equal(out["s"].b, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(out["t"][0].a, p.b)
    np.testing.assert_array_equal(out["t"][0].b, 2 * np.eye(3))
    assert out["t"][1][0].a == 1.0
    np.testing.assert_array_equal(out["t"][1][0].b, np.zeros(3))


@BOTH
def test_argnums(jac):
    f = lambda x, y, k=1.0: x * y * k  # noqa: E731
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    a, b = jac(f, (1, 0))(x, y, k=10.0)
    np.testing.assert_array_equal(a, 10 * np.diag(x))
    np.testing.assert_array_equal(b, 10 * np.diag(y))
    np.testing.assert_array_equal(jac(f, -1)(x, y), np.diag(x))
    (only,) = jac(f, (0,))(x, y)
    np.testing.assert_array_equal(only, np.diag(y))
    with pytest.raises(ValueError, match="the call has 2 positional"):
        jac(f, 2)(x, y)


@BOTH
def test_aux(jac):
    x = np.array([1.0, 2.0])
    out, aux = jac(lambda x: (x * x, {"twice": 2 * x, "s": "text"}), has_aux=True)(x)
    np.testing.assert_array_equal(out, np.diag(2 * x))
    np.testing.assert_array_equal(aux["twice"], 2 * x)
    assert type(aux["twice"]) is np.ndarray and aux["s"] == "text"


def test_hessian_aux():
    out, aux = at.hessian(lambda x: (total(x**3), x + 1), has_aux=True)(np.array([1.0, 2.0]))
    np.testing.assert_allclose(out, np.diag([6.0, 12.0]))
    np.testing.assert_array_equal(aux, [2.0, 3.0])


@BOTH
def test_control_flow(jac):
    def f(x):
        y = x
        while float(total(y)) < 20:
            y = y * 2 if y.shape == (2,) and float(total(x)) > 0 else y * 3
        return y

    np.testing.assert_array_equal(jac(f)(np.array([1.0, 2.0])), 8 * np.eye(2))
    h = at.hessian(lambda x: x**3 if x > 0 else x**2)
    assert h(2.0) == 12.0 and h(-2.0) == 2.0


@BOTH
def test_zero_size(jac):
    assert jac(lambda x: x * 2.0)(np.zeros(0)).shape == (0, 0)
    assert jac(lambda x: (x, total(x)))(np.zeros((2, 0)))[1].shape == (2, 0)
    assert jac(lambda x: np.zeros((0, 3)) * x)(1.0).shape == (0, 3)
    assert at.hessian(total)(np.zeros(0)).shape == (0, 0)
    assert jac(lambda p: 1.0 * p["x"])({"x": 2.0, "none": None, "e": np.zeros(0)})["e"].shape == (
        0,
    )
    assert jac(lambda p: 1.0)(()) == ()


@BOTH
def test_constant_outputs(jac):
    a, b = jac(lambda x: (2.0, np.arange(3.0)))(np.ones(2))
    assert not a.any() and a.shape == (2,) and not b.any() and b.shape == (3, 2)


@BOTH
def test_float32(jac):
    out = jac(lambda x: np.sin(x) * 2.5)(np.ones(2, np.float32))
    assert out.dtype == np.float32 and out.flags.writeable and out.flags.c_contiguous


def test_holomorphic():
    z = np.array([1.5 + 0.5j, 2j])
    for jac in (at.jacfwd, at.jacrev):
        np.testing.assert_allclose(jac(lambda z: z * z, holomorphic=True)(z), np.diag(2 * z))
        with pytest.raises(at.NonDifferentiableError, match="complex"):
            jac(lambda z: z * z, holomorphic=True)(1.0)
    np.testing.assert_allclose(at.hessian(lambda z: z**3, holomorphic=True)(1.5 + 0.5j), 9 + 3j)


def test_complex():  # as JAX 0.10
    z = 1.5 + 0.5j
    np.testing.assert_allclose(at.jacrev(np.abs)(z), 0.9486832980505138 - 0.31622776601683794j)
    assert at.jacfwd(lambda x: x * 1j)(1.0) == 1j
    for call in (
        lambda: at.jacfwd(lambda z: z * z)(z),
        lambda: at.jacfwd(np.abs)(z),
        lambda: at.jacrev(lambda z: z * z)(z),
        lambda: at.jacrev(lambda x: x * 1j)(1.0),
    ):
        with pytest.raises(at.NonDifferentiableError, match="holomorphic=True"):
            call()


def test_integers():
    for jac in (at.jacfwd, at.jacrev):
        with pytest.raises(at.NonDifferentiableError, match="takes floating or complex inputs"):
            jac(lambda x: x * 1.0)(3)
    a, b = at.jacrev(lambda n, x: n * x, (0, 1), allow_int=True)(np.arange(3), np.ones(3))
    assert a.dtype == float0 and a.shape == (3, 3)
    np.testing.assert_array_equal(b, np.diag([0.0, 1.0, 2.0]))
    with pytest.raises(at.NonDifferentiableError, match="must return floating arrays, got i64"):
        at.jacrev(lambda x: (x, 3))(1.0)


def test_hvp():
    f = lambda x, y: total(x**3) * y  # noqa: E731
    x, v = np.array([1.0, 2.0]), np.array([1.0, -1.0])
    np.testing.assert_allclose(at.hvp(lambda x: f(x, 1.0), (x,), (v,)), 6 * x * v)
    a, b = at.hvp(f, (x, 2.0), (v, 1.0))
    np.testing.assert_allclose(a, 12 * x * v + 3 * x**2)
    np.testing.assert_allclose(b, np.sum(3 * x**2 * v))
    tree = at.hvp(lambda p: p["a"] ** 2 * p["b"], ({"a": 2.0, "b": 3.0},), ({"a": 1.0, "b": 0.0},))
    assert tree == {"a": 6.0, "b": 4.0}


@given(st.integers(1, 5), st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_quadratic_form(n, seed):
    rng = np.random.default_rng(seed)
    a, x, v = rng.standard_normal((n, n)), rng.standard_normal(n), rng.standard_normal(n)
    f = lambda x: lax.dot(x, lax.dot(a, x))  # noqa: E731
    np.testing.assert_allclose(at.hessian(f)(x), a + a.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(at.hvp(f, (x,), (v,)), (a + a.T) @ v, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(at.jacfwd(at.grad(f))(x), at.jacrev(at.grad(f))(x), atol=1e-12)
    np.testing.assert_allclose(at.jit(at.hessian(f))(x), a + a.T, rtol=1e-10, atol=1e-12)


def test_hessian_of_trees():
    h = at.hessian(lambda p: p["a"] ** 2 * total(p["b"]))({"a": 3.0, "b": np.array([1.0, 2.0])})
    assert h["a"]["a"] == 6.0
    np.testing.assert_array_equal(h["a"]["b"], [6.0, 6.0])
    np.testing.assert_array_equal(h["b"]["a"], [6.0, 6.0])
    np.testing.assert_array_equal(h["b"]["b"], np.zeros((2, 2)))


def test_hessian_with_argnums():
    (aa, ab), (ba, bb) = at.hessian(lambda x, y: x**2 * y**3, (0, 1))(2.0, 3.0)
    assert (aa, ab, ba, bb) == (54.0, 108.0, 108.0, 72.0)


def test_one_run_only():
    calls = []
    f = lambda x: calls.append(1) or x * x  # noqa: E731
    for jac in (at.jacfwd, at.jacrev):
        calls.clear()
        jac(f)(np.ones(5))
        assert len(calls) == 1
