"""Batches of unit vectors without their zeros: the same Jacobians as with them."""

import numpy as np
import pytest

import autotrace as at
from autotrace.api import jacobians
from autotrace.lax.tied import Tied, unit_vectors
from autotrace.transforms.evaluate import eval_jaxpr

RNG = np.random.default_rng(0)
X, W, Y = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 4)), RNG.normal(size=(3, 2, 3))
VECTOR, SIX = RNG.uniform(0.5, 2, 3), RNG.normal(size=6)

PROGRAMS = {
    "product": (lambda w: X @ w - 1, VECTOR),
    "product of functions": (lambda w: np.tanh(X @ np.tanh(w)), VECTOR),
    "layers": (lambda a: np.tanh(np.tanh(a @ W) @ W.T), X),
    "weights": (lambda a: np.tanh(X @ a) @ W.T, W),
    "two inputs": (lambda a, b: np.tanh(a)[:, None] * np.sin(b) + a.sum(), VECTOR, SIX),
    "ravel": (lambda a: np.ravel(np.sin(a) * a) * 2, X),
    "reshape": (lambda a: (np.sin(a).reshape(2, 3) @ W).reshape(-1, 1, 4).sum(0), SIX),
    "mixed reshape": (lambda a: np.ravel(np.sin(a) @ W), X),
    "sums": (lambda a: (a * a).sum(0) + np.exp(a).sum(1)[:3] + a.mean(), X),
    "softmax": (lambda a: np.exp(a) / np.exp(a).sum(), VECTOR),
    "where": (lambda a: np.where(a > 1, np.sqrt(a), a * 2), VECTOR),
    "transposes": (lambda a: np.sin(a).T @ a, X),
    "stack": (lambda a: np.matmul(np.sin(a), W) @ W.T, Y),
    "stacked twice": (lambda a: np.einsum("nij,njk->nik", a, np.swapaxes(Y, 1, 2)), Y),
    "outer": (lambda a: np.einsum("ij,ik->ijk", a, np.cos(a)).sum(1), X),
    "broadcast": (lambda a: np.broadcast_to(a[:, None], (3, 2)) * np.exp(a)[:, None], VECTOR),
    "slices": (lambda a: a[1:] * a[:-1], VECTOR),
    "one element": (lambda a: np.sin(a) * X[:1, :2] + a.sum(), RNG.normal(size=(1, 2))),
    "scalar": (lambda a: a**2 * X, np.float64(1.3)),
    "dtypes": (lambda a: (a.astype(np.float64) @ X.T) / 3, VECTOR.astype(np.float32)),
    "complex": (lambda a: np.real(np.exp(1j * a) * (1 + a) @ W), VECTOR),
    "empty": (lambda a, b: np.concatenate([a * 2, b]), np.zeros(0), VECTOR),
}


def with_zeros(aval, start, total):
    units = unit_vectors(aval, start, total)
    return units.dense() if isinstance(units, Tied) else units


@pytest.mark.parametrize("jac", [at.jacfwd, at.jacrev, at.hessian])
@pytest.mark.parametrize("name", PROGRAMS)
def test_same_jacobians(name, jac, monkeypatch):
    f, *args = PROGRAMS[name]
    derivative = jac(f, tuple(range(len(args))))
    got = at.tree.leaves(derivative(*args))
    staged = eval_jaxpr(at.make_jaxpr(derivative)(*args), args)
    monkeypatch.setattr(jacobians, "unit_vectors", with_zeros)
    wanted = at.tree.leaves(derivative(*args))
    close = {"rtol": 1e-5, "atol": 1e-6} if args[0].dtype == np.float32 else {"atol": 1e-12}
    for block, again, want in zip(got, staged, wanted, strict=True):
        assert block.dtype == again.dtype == want.dtype
        np.testing.assert_allclose(block, want, **close)
        np.testing.assert_allclose(again, want, **close)


def products(f, *args):
    """How many matrix products a program makes, and the size of the largest result of one."""
    eqns = at.make_jaxpr(f, simplify=True)(*args).eqns
    sizes = [e.outvars[0].aval.size for e in eqns if e.primitive.name == "dot_general"]
    return len(sizes), max(sizes, default=0)


def test_a_product_with_unit_vectors_is_none():
    assert products(at.jacfwd(lambda w: X @ w - 1), VECTOR)[0] == 0
    assert products(at.jacrev(lambda w: X @ w - 1), VECTOR)[0] == 0
    layers = lambda x: np.tanh(W.T @ np.tanh(X.T @ x))  # noqa: E731
    for jac in (at.jacfwd, at.jacrev):
        assert products(jac(layers), np.ones(5)) == (3, 4 * 5)  # two are the function's own
    logistic = lambda w: np.log1p(np.exp(-X @ w)).sum()  # noqa: E731
    assert products(at.hessian(logistic), VECTOR) == (2, 3 * 3)


def test_examples_stay_apart():
    """The Jacobian of a layer on 5 examples takes no array of 5 x 5 before its last step."""
    assert products(at.jacrev(lambda w: np.tanh(X @ w) @ W.T), W)[1] <= 5 * 3 * 4


def test_compiled():
    f = lambda a, b: np.tanh(np.tanh(a @ W) * b)  # noqa: E731
    args = X, np.ones((5, 4))
    for jac in (at.jacfwd, at.jacrev):
        for got, want in zip(at.jit(jac(f, (0, 1)))(*args), jac(f, (0, 1))(*args), strict=True):
            np.testing.assert_allclose(got, want, atol=1e-12)


def test_under_vmap():
    f = lambda a: np.tanh(W.T @ np.tanh(a))  # noqa: E731
    for jac in (at.jacfwd, at.jacrev, at.hessian):
        want = np.stack([jac(f)(x) for x in X])
        np.testing.assert_allclose(at.vmap(jac(f))(X), want, atol=1e-12)


@pytest.mark.parametrize("jac", [at.jacfwd, at.jacrev])
@pytest.mark.parametrize("wrap", [lambda f: f, at.jit], ids=["plain", "jit"])
def test_zeros_are_structural(jac, wrap):
    weights = np.array([[np.inf, 1.0], [2.0, np.nan]])
    np.testing.assert_array_equal(wrap(jac(lambda x: weights @ x))(np.ones(2)), weights)
    got = wrap(jac(np.sqrt))(np.array([0.0, 4.0]))
    np.testing.assert_array_equal(got, [[np.inf, 0.0], [0.0, 0.25]])


def test_an_identity_matrix_of_the_user_is_a_matrix():
    weights = np.array([[np.inf, 1.0], [2.0, 3.0]])
    got = at.jit(lambda w: np.eye(2) @ w)(weights)
    np.testing.assert_array_equal(np.isnan(got), [[False, False], [True, False]])
