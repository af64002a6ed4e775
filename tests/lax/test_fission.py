"""Loops in two: what leaves them, what stays, and that nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

import autotrace as at
import autotrace.numpy as anp
from autotrace import lax
from autotrace.testing import check_grads
from autotrace.transforms.evaluate import eval_jaxpr
from autotrace.transforms.simplify import simplify_jaxpr

N = 64
XS = np.random.default_rng(5).uniform(0.5, 2, N)


def after(a, xs):
    """Functions of what is carried, which no later turn waits for."""

    def step(carry, x):
        v, total = carry
        y = anp.log(v) + x / v
        return (a * x + 0.5 * v, total - y), None

    (v, total), _ = lax.scan(step, (a, 0.0 * a), xs)
    return total + v


def before(a, xs):
    """Functions of elements, before the loop."""
    return lax.scan(lambda c, x: (0.9 * c + anp.exp(a * x), c), a, xs)[0]


def outputs(a, xs):
    """A function's value is an output; another output is made in the loop."""

    def step(c, x):
        c = anp.where(c > 2, 0.3 * c, c + x)
        return c, (anp.sin(c) * a, c, x)

    end, (y, z, w) = lax.scan(step, a, xs, reverse=True)
    return end + anp.sum(y * z * w)


def both(a, xs):
    """A chain of loops: what is carried late waits for functions of what is carried early."""

    def step(carry, x):
        c, d, e = carry
        return (0.5 * c + x, 0.5 * d + anp.sin(c), 0.5 * e + anp.cos(d)), d

    (_, _, e), ys = lax.scan(step, (a, a, a), xs)
    return e + anp.sum(ys)


def small_arrays(a, xs):
    def step(c, x):
        c = anp.stack([c[1], 0.5 * c[0] + x])
        return c, anp.sum(anp.tanh(c * a))

    end, ys = lax.scan(step, anp.stack([a, a]), xs)
    return anp.sum(ys) + end[0]


PROGRAMS = {f.__name__: f for f in (after, before, outputs, both, small_arrays)}


def functions_in_loops(jaxpr):
    return [
        e.primitive.name
        for loop in jaxpr.eqns
        if loop.primitive.name == "scan"
        for e in loop.params["jaxpr"].eqns
        if e.primitive.name in ("log", "exp", "sin", "cos", "tanh", "div")
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_functions_leave(name):
    f = PROGRAMS[name]
    plain = at.make_jaxpr(f)(1.5, XS)
    simple = simplify_jaxpr(plain)
    assert functions_in_loops(plain) and not functions_in_loops(simple)
    with at.config.override("backend", "numpy"):  # NumPy's functions, in the loop and outside
        args = [np.float64(1.5), XS]
        assert eval_jaxpr(simple, args) == eval_jaxpr(plain, args)
    np.testing.assert_allclose(at.jit(f)(1.5, XS), f(1.5, XS), rtol=1e-13)
    check_grads(lambda a: f(a, XS[:40]), (1.5,), order=2)
    lanes = np.array([1.2, 1.5])
    want = [at.grad(f)(a, XS) for a in lanes]
    np.testing.assert_allclose(at.jit(at.vmap(at.grad(f), (0, None)))(lanes, XS), want, rtol=1e-12)


@pytest.mark.parametrize(
    ("step", "count"),
    [
        (lambda c, x: (anp.sin(c) + x, None), N),  # the next turn waits for it
        (lambda c, x: (c + x, c + x), N),  # nothing that costs
        (lambda c, x: (c + x, anp.sin(c)), 10),  # few turns
        (lambda c, x: (c + x, 1.0 / c), 10**6),  # much memory for little
    ],
)
def test_stays(step, count):
    def loop(c, xs):
        return lax.scan(step, c, xs)

    plain = at.make_jaxpr(loop)(1.0, np.zeros(count))
    (eqn,) = simplify_jaxpr(plain).eqns
    assert eqn.primitive.name == "scan"


def test_arrays_stay():
    xs = np.ones((N, 40))
    plain = at.make_jaxpr(lambda c, xs: lax.scan(lambda c, x: (c + x, anp.sin(c)), c, xs))
    assert functions_in_loops(simplify_jaxpr(plain(xs[0], xs))) == ["sin"]


def test_large_values_are_not_made_for_all_turns():
    """A function of one element of an outer product, which is cheap to make again in each turn."""

    def step(c, x):
        return c + x[0], anp.sin((x[:, None] * x)[0, 1])

    xs = np.ones((N, 40))
    plain = at.make_jaxpr(lambda xs: lax.scan(step, 0.0, xs))(xs)
    assert functions_in_loops(simplify_jaxpr(plain)) == ["sin"]


def test_effects_stay_where_they_are(capsys):
    def step(c, x):
        at.debug.print("{}", c)
        return c + x, anp.sin(c)

    at.jit(lambda xs: lax.scan(step, 0.0, xs))(np.ones(40))
    assert capsys.readouterr().out.split()[:3] == ["0.0", "1.0", "2.0"]
