"""Transforms of transforms: every ordered pair, and a sample of triples, of small programs."""

import random

import numpy as np
import pytest

import autotrace as at
from autotrace import lax

RNG = np.random.default_rng(7)
SIZE = 3


def total(x):
    return lax.reduce_sum(x, tuple(range(x.ndim)))


@at.custom_jvp
def soft(x):
    return np.log1p(np.exp(x))


soft.defjvp(lambda p, t: (soft(*p), t[0] / (1 + np.exp(-p[0]))))


def at_index(x, i):
    return lax.index_in_dim(x, i, 0, keepdims=False)


W = RNG.standard_normal((SIZE, SIZE))
CONSTANT = np.array([0.3, -1.2, 0.8])

#: From a vector of three positive numbers to such a vector, so that each composes with each.
PROGRAMS = {
    "square": lambda x: x * x,
    "sin": np.sin,
    "exp": lambda x: np.exp(-x),
    "log": lambda x: np.log(x + 1.0),
    "tanh": lambda x: np.tanh(x) * 2 + x,
    "power": lambda x: x**3 - x**0.5,
    "division": lambda x: 1.0 / (1.0 + x),
    "constant": lambda x: x * CONSTANT + CONSTANT,
    "python scalar": lambda x: 2 * x - 1,
    "where": lambda x: np.where(x > 1.0, x * x, 2.0 * x),
    "maximum": lambda x: np.maximum(x, 0.9 * x**2),
    "matmul": lambda x: lax.dot(W, x),
    "matmul twice": lambda x: np.tanh(lax.dot(W, np.tanh(lax.dot(x, W)))),
    "quadratic": lambda x: x * lax.dot(x, lax.dot(W, x)),
    "sum": lambda x: x * total(x),
    "softmax": lambda x: np.exp(x) / total(np.exp(x)),
    "reverse": lambda x: lax.rev(x, (0,)) * x,
    "slices": lambda x: lax.concatenate([lax.slice_in_dim(x, 1, 3), x[:1] ** 2], 0),
    "index": lambda x: at_index(x, 1) * x + at_index(x, 0),
    "broadcast": lambda x: lax.reduce_sum(
        lax.broadcast_in_dim(x, (SIZE, SIZE), (1,)) * lax.expand_dims(x, (1,)) ** 2, (1,)
    ),
    "transpose": lambda x: lax.dot(
        lax.transpose(lax.expand_dims(x, (0,)) * lax.expand_dims(np.sin(x), (1,)), (1, 0)), x
    ),
    "cumsum": lambda x: np.cumsum(x * x),
    "custom_jvp": lambda x: soft(x) * x,
    "jit inside": lambda x: at.jit(lambda y: np.sin(y) * y)(x) + x,
    "jit closure": lambda x: at.jit(lambda y: np.cos(y) * x)(x * x),
    "vmap inside": lambda x: at.vmap(lambda y: y * total(x))(x),
    "checkpoint inside": lambda x: at.checkpoint(lambda y: np.sin(y) * x)(x),
    "grad inside": lambda x: at.grad(lambda y: total(y**2 * np.sin(x)))(x),
    "unused": lambda x: (np.exp(x), x * 1.5)[1],
    "identity": lambda x: x,
    "zero": lambda x: x * 0.0 + 1.0,
    "stop": lambda x: x * at.stop_gradient(np.sin(x)),
}

DIRECTION = np.array([0.7, -0.4, 1.1])


def vmapped(f):
    """f over a batch of three variations of x, summed up again."""

    def g(x):
        shifts = np.array([0.0, 0.5, 1.0])
        stack = lax.expand_dims(x, (0,)) + lax.expand_dims(shifts, (1,))
        return lax.reduce_sum(at.vmap(f)(stack), (0,))

    return g


def looped(f):
    """What ``vmapped`` means."""
    return lambda x: f(x) + f(x + 0.5) + f(x + 1.0)


#: Each takes a function of a vector to a vector to another such function.
TRANSFORMS = {
    "jit": at.jit,
    "grad": lambda f: at.grad(lambda x: total(f(x))),
    "jvp": lambda f: lambda x: at.jvp(f, (x,), (DIRECTION,))[1],
    "jvp value": lambda f: lambda x: at.jvp(f, (x,), (DIRECTION * x,))[0],
    "vjp": lambda f: lambda x: at.vjp(f, x)[1](DIRECTION)[0],
    "vmap": vmapped,
    "jacfwd": lambda f: lambda x: lax.dot(at.jacfwd(f)(x), DIRECTION),
    "jacrev": lambda f: lambda x: lax.dot(DIRECTION, at.jacrev(f)(x)),
    "linearize": lambda f: lambda x: at.linearize(f, x)[1](DIRECTION),
    "checkpoint": at.checkpoint,
}


def finite(f, x):
    """The Jacobian by central differences of fourth order."""
    columns = []
    for k in range(SIZE):
        h = np.zeros(SIZE)
        h[k] = 2e-3
        columns.append((8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * 2e-3))
    return np.stack(columns, 1)


#: What each means in terms of evaluating the function alone.
MEANINGS = {
    "jit": lambda f: f,
    "checkpoint": lambda f: f,
    "jvp value": lambda f: f,
    "vmap": looped,
    "grad": lambda f: lambda x: finite(f, x).sum(0),
    "vjp": lambda f: lambda x: DIRECTION @ finite(f, x),
    "jacrev": lambda f: lambda x: DIRECTION @ finite(f, x),
    "jvp": lambda f: lambda x: finite(f, x) @ DIRECTION,
    "jacfwd": lambda f: lambda x: finite(f, x) @ DIRECTION,
    "linearize": lambda f: lambda x: finite(f, x) @ DIRECTION,
}

X = np.array([0.8, 1.3, 1.7])
#: Nor X nor its shifts are near the kinks of "where" and "maximum", or differences would fail.
PAIRS = [(a, b) for a in TRANSFORMS for b in TRANSFORMS]


def compare(names, f, tolerance):
    made, meant = f, f
    for name in names:
        made, meant = TRANSFORMS[name](made), MEANINGS[name](meant)
    got, want = made(X.copy()), meant(X)
    assert type(got) is np.ndarray and got.shape == (SIZE,) and got.dtype == np.float64
    scale = max(1.0, float(np.abs(want).max()))
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("program", sorted({*PROGRAMS} - {"stop"}))
def test_single_transforms(program):
    for name in TRANSFORMS:
        compare([name], PROGRAMS[program], 1e-7)


@pytest.mark.parametrize("program", sorted({*PROGRAMS} - {"stop"}))
def test_pairs(program):
    for pair in PAIRS:
        compare(pair, PROGRAMS[program], 1e-5)


TRIPLES = random.Random(3).sample(
    [(a, b, c) for a in TRANSFORMS for b in TRANSFORMS for c in TRANSFORMS], 60
)

#: Transforms that give the same function, by what they compute.
PLAINER = {
    "jit": lambda f: f,
    "checkpoint": lambda f: f,
    "jvp value": lambda f: f,
    "vmap": looped,
    "grad": lambda f: lambda x: at.vjp(f, x)[1](np.ones(SIZE))[0],
    "vjp": lambda f: (
        lambda x: sum(
            DIRECTION[k] * at.grad(lambda y, k=k: at_index(f(y), k))(x) for k in range(SIZE)
        )
    ),
    "jacrev": lambda f: lambda x: at.vjp(f, x)[1](DIRECTION)[0],
    "jvp": lambda f: lambda x: at.linearize(f, x)[1](DIRECTION),
    "jacfwd": lambda f: lambda x: at.jvp(f, (x,), (DIRECTION,))[1],
    "linearize": lambda f: lambda x: at.jvp(f, (x,), (DIRECTION,))[1],
}


@pytest.mark.parametrize("triple", TRIPLES, ids="-".join)
def test_triples(triple):
    names = sorted(PROGRAMS)
    for program in random.Random(str(triple)).sample(names, 6):
        made = meant = PROGRAMS[program]
        for name in triple:
            made, meant = TRANSFORMS[name](made), PLAINER[name](meant)
        got, want = made(X), meant(X)
        scale = max(1.0, float(np.abs(want).max()))
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-10 * scale, err_msg=program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_jit_of_each_and_each_of_jit(program):
    f = PROGRAMS[program]
    for name, transform in TRANSFORMS.items():
        want = transform(f)(X)
        for g in (at.jit(transform(f)), transform(at.jit(f)), at.jit(transform(at.jit(f)))):
            np.testing.assert_allclose(g(X), want, rtol=1e-12, atol=1e-13, err_msg=name)
            np.testing.assert_allclose(g(X), want, rtol=1e-12, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("program", PROGRAMS)
def test_vmap_of_each_is_the_stack(program):
    f = PROGRAMS[program]
    stack = np.stack([X, X + 0.25, X[::-1]])
    for name, transform in TRANSFORMS.items():
        g = transform(f)
        want = np.stack([g(x) for x in stack])
        for axis in (0, 1):
            got = at.vmap(g, axis, axis)(np.moveaxis(stack, 0, axis))
            np.testing.assert_allclose(
                np.moveaxis(got, axis, 0), want, rtol=1e-11, atol=1e-12, err_msg=name
            )


@pytest.mark.parametrize("program", PROGRAMS)
def test_dot_product(program):
    """The transposed derivative is the transpose of the derivative."""
    f = PROGRAMS[program]
    ct = np.array([1.5, 0.2, -0.9])
    forward = at.jvp(f, (X,), (DIRECTION,))[1]
    (backward,) = at.vjp(f, X)[1](ct)
    np.testing.assert_allclose(ct @ forward, backward @ DIRECTION, rtol=1e-12, atol=1e-13)


SCALARS = {
    "polynomial": lambda x: x**3 - 2 * x + 1,
    "trigonometric": lambda x: np.sin(x) * np.cos(2 * x),
    "rational": lambda x: (x + 1) / (x * x + 1),
    "exponential": lambda x: np.exp(-x * x / 2),
    "array inside": lambda x: total(np.sin(x * CONSTANT)),
    "soft": soft,
    "jit": lambda x: at.jit(lambda y: y * x * x)(np.sin(x)),
    "atan2": lambda x: np.arctan2(x, 1 + x**2),
    "power": lambda x: x**x,
}
DERIVATIVES = {
    "grad": at.grad,
    "jvp": lambda f: lambda x: at.jvp(f, (x,), (1.0,))[1],
    "vjp": lambda f: lambda x: at.vjp(f, x)[1](1.0)[0],
    "linearize": lambda f: lambda x: at.linearize(f, x)[1](1.0),
    "jacfwd": at.jacfwd,
    "jacrev": at.jacrev,
    "elementwise": at.elementwise_grad,
    "jit grad": lambda f: at.jit(at.grad(f)),
    "checkpoint": lambda f: at.grad(at.checkpoint(f)),
    "vmap": lambda f: (
        lambda x: lax.index_in_dim(at.vmap(at.grad(f), None, axis_size=2)(x), 1, 0, keepdims=False)
    ),
}


@pytest.mark.parametrize("program", SCALARS)
def test_second_derivatives_of_scalars(program):
    f, x, h = SCALARS[program], 0.83, 1e-3
    second = (-f(x + 2 * h) + 16 * f(x + h) - 30 * f(x) + 16 * f(x - h) - f(x - 2 * h)) / (
        12 * h * h
    )
    exact = None
    for outer in DERIVATIVES.values():
        for inner in DERIVATIVES.values():
            got = outer(inner(f))(x)
            np.testing.assert_allclose(got, second, rtol=1e-6, atol=1e-7)
            exact = got if exact is None else exact
            np.testing.assert_allclose(got, exact, rtol=1e-11, atol=1e-12)
            assert type(got) is np.float64
