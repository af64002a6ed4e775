"""Structural zeros: a case that a select does not take contributes nothing to a derivative, not
even where its own derivative is infinite or NaN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autotrace as at
from autotrace import lax

BACKENDS = ["numpy", "numba"]


def gradients(f, *args):
    """The gradient of the sum of a function's elements, by each way that there is."""
    argnums = tuple(range(len(args)))

    def total(*xs):
        return np.sum(f(*xs))

    def by_vjp(*xs):
        out, pull = at.vjp(f, *xs)
        return pull(np.ones_like(out))

    def by_transposition(*xs):
        out, push = at.linearize(f, *xs)
        return at.linear_transpose(push, *xs)(np.ones_like(out))

    grad = at.grad(total, argnums)
    yield "grad", grad
    yield "vjp", by_vjp
    yield "linearize", by_transposition
    yield "jacrev", at.jacrev(total, argnums)
    yield "grad of checkpoint", at.grad(at.checkpoint(total), argnums)
    for backend in BACKENDS:
        yield f"jit of grad, {backend}", at.jit(grad, backend=backend)
        yield f"grad of jit, {backend}", at.grad(at.jit(total, backend=backend), argnums)


def assert_gradient(f, args, expected):
    for way, gradient in gradients(f, *args):
        for found, right in zip(gradient(*args), expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-12, err_msg=way)


X = np.array([0.0, 4.0])


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (lambda x: np.where(x > 0, np.sqrt(x), 0.0), X, [0, 0.25]),
        (lambda x: np.where(x > 0, np.log(np.sqrt(x)) / x, x), X, [1, (1 - np.log(4)) / 32]),
        (lambda x: np.where(x == 0, x, np.where(x < 9, np.log(x), x**0.5)), X, [1, 0.25]),
        (lambda x: np.where(x > 0, np.where(x > 5, 1 / (x - 4), np.sqrt(x)), 3 * x), X, [3, 0.25]),
        (lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0.0, 0),
        (lambda x: np.where(x > 0, 1 / x, 0.0), np.float32(0), 0),
        (lambda x: lax.select(x > 0, np.sqrt(x), x), X, [1, 0.25]),
        (
            lambda x: lax.select_n((x > 0).astype(int) + 1, 1 / x, np.sin(x), np.sqrt(x)),
            X,
            [1, 0.25],
        ),
        (
            lambda x: lax.select_n(np.array([2, 0]), np.log(x), np.sqrt(x), 2 * x) * np.exp(x),
            np.array([0.0, 1.0]),
            [2, np.e],
        ),
        # Two selects share an operand, and do not choose alike.
        (
            lambda x: np.where(x > 0, np.sqrt(x), 0.0) + np.where(x > 1, np.sqrt(x), x),
            X,
            [1, 0.5],
        ),
        # The greater of two takes no part of the smaller one.
        (lambda x: np.maximum(np.log(x), -10.0), X, [0, 0.25]),
        (lambda x: np.clip(np.log(x), -10.0, 10.0), X, [0, 0.25]),
        (lambda x: lax.clamp(-10.0, np.log(x), 10.0), X, [0, 0.25]),
        (lambda x: np.max(np.sqrt(x)), X, [0, 0.25]),
        (lambda x: np.where(np.abs(x) > 0, np.real(np.sqrt(x + 0j)), 0.0), X, [0, 0.25]),
        (lambda x: np.where(x > 0, np.sqrt(x).astype(np.float32), 0).astype(float), X, [0, 0.25]),
        (lambda x: np.where(x > 0, np.sqrt(x), 0.0), np.zeros((0, 2)), np.zeros((0, 2))),
    ],
)
def test_what_is_not_taken_contributes_nothing(f, x, expected):
    assert_gradient(f, (x,), (expected,))


NONE = np.zeros(3, bool)


@pytest.mark.parametrize(
    "f",
    [
        lambda s: np.where(NONE, np.sqrt(s), 0.0),
        lambda s: np.where(NONE, np.sqrt(s) * np.arange(3.0), 1.0),
        lambda s: np.where(NONE, np.arange(3.0) / s, s),
        lambda s: np.where(NONE[:, None], np.broadcast_to(np.log(s), (3, 2)), s).T,
        lambda s: np.where(False, np.sqrt(s) * np.arange(3.0), 0.0),
    ],
)
def test_a_scalar_that_no_lane_takes(f):
    for _, gradient in gradients(f, 0.0):
        (found,) = gradient(0.0)
        assert found in (0.0, f(1.0).size)  # the number of lanes that take s itself


@pytest.mark.parametrize(
    "move",
    [
        lambda y: y.reshape(2, 2).T.reshape(-1),
        lambda y: y[::-1],
        lambda y: np.concatenate([y[:1], y[1:]]),
        lambda y: np.pad(y, 1)[1:-1],
        lambda y: np.broadcast_to(y[:, None], (4, 3)).sum(1),
        lambda y: np.stack([y, y])[0],
    ],
)
def test_rearranged_elements_are_followed(move):
    """Between the select and the derivative that is infinite, elements change places."""
    x = np.array([0.0, 4.0, 0.0, 1.0])

    def f(x):
        return np.where(move(x) > 0, move(np.sqrt(x)), 0.0)

    scale = f(np.ones(4)).sum() / 4
    assert_gradient(f, (x,), (scale * np.array([0, 0.25, 0, 0.5]),))


def test_norms_at_the_origin():
    def norms(v):
        squares = np.sum(v * v, axis=-1)
        return np.where(squares > 0, np.sqrt(squares), 0.0)

    v = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert_gradient(norms, (v,), ([[0, 0], [0.6, 0.8]],))


@pytest.mark.parametrize(
    "hessian",
    [
        at.hessian,
        lambda f: at.jacrev(at.jacrev(f)),
        lambda f: at.jacrev(at.grad(f)),
        lambda f: at.jacfwd(at.grad(f)),
        lambda f: at.jacrev(at.jacfwd(f)),
        lambda f: at.jit(at.hessian(f)),
        lambda f: at.jacrev(at.jit(at.grad(f))),
        lambda f: at.jacrev(at.grad(at.jit(f))),
        lambda f: at.jacrev(at.grad(at.checkpoint(f))),
    ],
)
def test_second_derivatives(hessian):
    def f(x):
        return np.sum(np.where(x > 0, np.log(np.sqrt(x)) / x, x * x))

    def safe(x):
        y = np.where(x > 0, x, 1.0)
        return np.sum(np.where(x > 0, np.log(np.sqrt(y)) / y, x * x))

    np.testing.assert_allclose(hessian(f)(X), at.hessian(safe)(X), rtol=1e-12)


@pytest.mark.parametrize("call", [at.jit, at.checkpoint, lambda f: at.jit(at.checkpoint(f))])
def test_the_choice_and_the_derivative_on_different_sides_of_a_call(call):
    root, either = call(np.sqrt), call(lambda c, a, b: np.where(c, a, b))
    expected = [0, 0.25]
    assert_gradient(lambda x: np.where(x > 0, root(x), 0.0), (X,), (expected,))
    assert_gradient(lambda x: either(x > 0, np.sqrt(x), 0 * x), (X,), (expected,))
    assert_gradient(lambda x: either(x > 0, root(x), 0 * x), (X,), (expected,))
    np.testing.assert_array_equal(
        at.jacrev(at.grad(lambda x: np.sum(either(x > 0, root(x), x))))(X),
        [[0, 0], [0, -1 / 32]],
    )


def test_under_vmap():
    rows = np.array([[0.0, 4.0], [1.0, 0.0], [0.0, 0.0]])
    expected = [[0, 0.25], [0.5, 0], [0, 0]]

    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(x), 0.0))

    np.testing.assert_array_equal(at.vmap(at.grad(f))(rows), expected)
    np.testing.assert_array_equal(at.grad(lambda r: np.sum(at.vmap(f)(r)))(rows), expected)
    np.testing.assert_array_equal(at.vmap(at.grad(f), in_axes=1, out_axes=1)(rows.T).T, expected)
    scalars = at.vmap(at.grad(lambda s: np.sum(np.where(NONE, np.sqrt(s), s))))(np.zeros(2))
    np.testing.assert_array_equal(scalars, [3, 3])


def test_a_gradient_has_one_plain_select():
    """Nothing of this is seen in a jaxpr but where the select stands."""
    gradient = at.grad(lambda x: np.sum(np.where(x > 0, np.sin(np.exp(x)), 2.0 * x)))
    names = [e.primitive.name for e in at.make_jaxpr(gradient, simplify=True)(X).eqns]
    assert names.count("select_n") == 1 and names[-1] == "select_n"


# --- random chains -------------------------------------------------------------------------------
#
# Rows of an array are taken as a whole or not at all, and no step mixes rows. In the rows that are
# not taken the numbers are as bad as can be. The reference replaces them first.

ROWS, COLUMNS = 4, 3
BAD = [0.0, -0.0, -1.0, np.inf, -np.inf, np.nan, 1e300, 5e-324]
STEPS = {
    "sqrt": np.sqrt,
    "log": lambda y: np.log(y * y),
    "reciprocal": lambda y: 1.0 / y,
    "power": lambda y: (y * y) ** 0.3,
    "exp": lambda y: np.exp(-y) + y,
    "arcsin": lambda y: np.arcsin(y / 40),
    "scaled": lambda y: y * np.arange(1.0, 4.0),
    "normalised": lambda y: y / np.sqrt(np.sum(y * y, axis=-1, keepdims=True)),
    "peak": lambda y: y - 0.5 * np.max(y, axis=-1, keepdims=True),
    "mean": lambda y: y + np.mean(y, axis=1)[:, None],
    "flipped": lambda y: y[:, ::-1] * 2,
    "rolled": lambda y: np.concatenate([y[:, 1:], y[:, :1]], axis=1),
    "turned": lambda y: (y.T / np.arange(1.0, 5.0)).T,
    "flat": lambda y: np.sqrt(y.reshape(-1) + 3.0).reshape(y.shape),
    "maximum": lambda y: np.maximum(y, 0.3),
    "clip": lambda y: np.clip(y, 0.2, 1.5),
    "nested": lambda y: np.where(y > 0.7, np.log(y), y * y),
    "complex": lambda y: np.real((y + 0.5j) * (1 - 2j) * y),
    "single": lambda y: (y.astype(np.float32) * 3).astype(float),
}


@st.composite
def cases(draw):
    names = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4)
    taken = np.array(draw(st.lists(st.booleans(), min_size=ROWS, max_size=ROWS)))[:, None]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    good = rng.uniform(0.5, 2.0, (ROWS, COLUMNS))
    return taken, np.where(taken, good, rng.choice(BAD, good.shape)), draw(names), draw(names)


def chain(names, y):
    for name in names:
        y = STEPS[name](y)
    return y


@settings(max_examples=25)  # each is compiled
@given(cases())
def test_chains_beside_a_select_of_the_input(case):
    taken, x, first, second = case

    def f(x, y):
        return np.where(taken, chain(second, chain(first, x) * y), 2.0 * y)

    def safe(x, y):
        return f(np.where(taken, x, 1.0), y)

    y = np.full(x.shape, 1.5)
    expected = at.grad(lambda *xs: np.sum(safe(*xs)), (0, 1))(x, y)
    for _, gradient in gradients(f, x, y):
        found = gradient(x, y)
        assert not found[0][~taken[:, 0]].any()
        assert (found[1][~taken[:, 0]] == 2.0).all()
        for got, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-6, atol=1e-9)


@given(cases())
def test_chains_agree_with_finite_differences(case):
    taken, x, first, _ = case
    names = [n for n in first if n not in ("maximum", "clip", "nested", "single", "peak")]
    direction = np.random.default_rng(0).standard_normal(x.shape)

    def f(x):
        out = np.where(taken, chain(names, x), 0.0)
        return np.sum(np.where(np.isfinite(out), out, 0.0))

    step = 1e-6
    with np.errstate(all="ignore"):
        difference = (f(x + step * direction) - f(x - step * direction)) / (2 * step)
        slope = np.sum(np.where(taken, at.grad(f)(x), 0.0) * direction)
    np.testing.assert_allclose(slope, difference, rtol=1e-4, atol=1e-4)
