"""Shorter chains in the bodies of reverse mode's loops."""

from __future__ import annotations

import numpy as np
import pytest

import autotrace as at
from autotrace import lax
from autotrace.core.avals import ShapedArray
from autotrace.lax.chains import chains_of, shortened
from autotrace.testing import check_grads
from autotrace.transforms.evaluate import eval_jaxpr
from autotrace.transforms.stage import stage

NUMBER = ShapedArray((), np.float64)


def _staged(body, count):
    return stage(body, [NUMBER] * count)


def _chain(jaxpr, count):
    return chains_of(jaxpr, jaxpr.invars[:count])


def _logistic(c, r, x):
    return [r * (c * (1.0 - x)) - r * x * c]


def _two(c, d, x, y):
    return [x * (y * c) + d, c - (d * x) * y * x]


def _divided(c, x, y):
    return [-(x * (c / y)) + c + x]


@pytest.mark.parametrize(
    ("body", "carried", "rest", "chains"),
    [(_logistic, 1, 2, [1]), (_two, 2, 2, [2, 2]), (_divided, 1, 2, [2])],
)
def test_shortens(body, carried, rest, chains):
    jaxpr = _staged(body, carried + rest)
    made = shortened(jaxpr, 0, carried)
    assert sum(_chain(jaxpr, carried)) > sum(_chain(made, carried))
    assert _chain(made, carried) == chains
    values = np.random.default_rng(0).uniform(1, 2, carried + rest)
    np.testing.assert_allclose(eval_jaxpr(made, values), eval_jaxpr(jaxpr, values), rtol=1e-14)


@pytest.mark.parametrize(
    ("body", "carried"),
    [
        (lambda c, x: [c * c * x], 1),  # not linear
        (lambda c, x: [x / (c * x)], 1),
        (lambda c, x: [lax.sin(c * x) * x], 1),
        (lambda c, x: [c + x], 1),  # a sum
        (lambda c, d, x: [c + x * x * d, d], 2),  # one waits for the other, which waits for none
        (lambda c, d, x: [d, c], 2),
    ],
)
def test_leaves_others_alone(body, carried):
    jaxpr = _staged(body, carried + 1)
    assert shortened(jaxpr, 0, carried) is jaxpr


def test_few_more_operations():
    """Of two values with dense coefficients the coefficients cost more than what they save."""

    def body(c, d, x):
        for _ in range(6):
            c, d = c * x + d, d * x - c
        return [c, d]

    jaxpr = _staged(body, 3)
    assert shortened(jaxpr, 0, 2) is jaxpr


def _map(r, x):
    return lax.fori_loop(0, 20, lambda i, x: r * x * (1 - x), x)


def test_gradient_of_a_recurrence():
    jaxpr = at.make_jaxpr(at.grad(_map, (0, 1)), simplify=True)(3.5, 0.3)
    back = jaxpr.eqns[-1].params
    consts, carry = back["shape"]
    assert max(chains_of(back["jaxpr"], back["jaxpr"].invars[consts : consts + carry])) == 1
    check_grads(_map, (3.1, 0.3), order=2)
    rates = np.linspace(2.5, 3.4, 5)
    by_lane = [at.grad(_map)(r, 0.3) for r in rates]
    np.testing.assert_allclose(at.vmap(at.grad(_map), (0, None))(rates, 0.3), by_lane, rtol=1e-12)


def test_gradient_through_while():
    def f(x):
        def step(carry):
            n, y = carry
            return n + 1, y * x * (1 - y)

        return lax.while_loop(lambda carry: carry[0] < 10, step, (0, x / 10))[1]

    check_grads(f, (2.5,), order=2)
    np.testing.assert_allclose(at.jit(at.grad(f))(2.5), at.grad(f)(2.5), rtol=1e-13)
