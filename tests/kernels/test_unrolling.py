"""Arrays of a long dimension and small ones: what becomes one loop over the long one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from autotrace.kernels import Program, unrolling
from plain_kernels import run_plainly

import autotrace as at
import autotrace.numpy as anp
from autotrace import lax
from autotrace.core.trace import get_aval
from autotrace.transforms.backends import Interpreter
from autotrace.transforms.stage import stage

N = 70


def array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def turned(q: Any, x: Any) -> Any:
    """A point turned by a quaternion of any length."""
    q = q / anp.sqrt(q @ q)
    w, v = q[0], q[1:]
    return x + 2.0 * anp.cross(v, anp.cross(v, x) + w * x)


def pull(places: Any, masses: Any) -> Any:
    """What bodies feel of each other's gravity."""
    between = places[None] - places[:, None]
    squares = anp.sum(between**2, -1) + 0.1
    return anp.einsum("j,ijk->ik", masses, between * (squares**-1.5)[..., None])


def filtered(state: Any, covariance: Any, seen: Any) -> Any:
    """A step of a Kalman filter of two states, one of which is seen."""
    move = np.array([[1.0, 0.1], [0.0, 1.0]])
    state, covariance = move @ state, move @ covariance @ move.T + 0.01 * np.eye(2)
    gain = covariance[:, 0] / (covariance[0, 0] + 0.5)
    covariance = covariance - anp.outer(gain, covariance[0])
    return state + gain * (seen - state[0]), (covariance + covariance.T) / 2


def energy(q: Any, x: Any) -> Any:
    return anp.sum(anp.sin(at.vmap(turned)(q, x)))


TURN = np.linalg.qr(array(3, 3))[0]

#: Functions, their arguments, and how many kernels they become.
PROGRAMS: dict[str, tuple[Any, tuple, int]] = {
    "turned": (at.vmap(turned), (array(N, 4), array(N, 3)), 1),
    "its gradient": (at.vmap(at.grad(lambda q, x: turned(q, x)[0])), (array(N, 4), array(N, 3)), 2),
    "its Jacobian": (at.vmap(at.jacrev(turned)), (array(N, 4), array(N, 3)), 2),
    "in columns": (at.vmap(turned, 1, 1), (array(4, N), array(3, N)), 1),
    "one for all": (at.vmap(turned, (None, 0)), (array(4), array(N, 3)), 5),
    "gradient of a sum": (at.grad(energy), (array(N, 4), array(N, 3)), 1),
    "a sum": (energy, (array(N, 4), array(N, 3)), 1),
    "three bodies": (at.vmap(pull, (0, None)), (array(N, 3, 2), np.array([1.0, 2.0, 0.5])), 1),
    "filtered": (
        at.vmap(filtered),
        (array(N, 2), array(N, 2, 1) * array(N, 1, 2), array(N)),
        1,
    ),
    "a shared turn": (lambda x: anp.sum((x @ TURN) ** 2, 1), (array(N, 3),), 1),
    "eleven in a row": (
        lambda x: anp.prod(x[:, 2:5], 1)[:, None] * x[:, ::-2], (array(N, 11),), 1
    ),
    "softmax": (lambda x: at.nn.softmax(x), (array(N, 5),), 1),
    "single precision": (lambda x: at.nn.softmax(x), (array(N, 5).astype(np.float32),), 1),
    "whole numbers": (
        lambda x: anp.max(x, 1, keepdims=True) - anp.pad(x[:, 1:], ((0, 0), (1, 0))),
        ((10 * array(N, 4)).astype(np.int16),), 1,
    ),
    "bools": (lambda x: anp.all(x > -1, 1)[:, None] | anp.any(x > 2, 0), (array(N, 4),), 2),
    "picked out": (
        lambda x, i: anp.sum(x[i] ** 2, 1), (array(9, 3), np.arange(N) % 9), 1
    ),
    "sums over the long one": (
        lambda x: anp.sum(x * anp.mean(x, 0), 0), (array(N, 3),), 3
    ),
    "a long sum between": (
        lambda x: x / anp.mean(anp.sqrt(anp.sum(x * x, 1))), (array(N, 3),), 3
    ),
    "a loop": (
        lambda x: lax.fori_loop(0, 5, lambda i, x: x / anp.sqrt(1 + anp.sum(x * x, 1))[:, None], x),
        (array(N, 3),), 1,
    ),
    "reshaped and reversed": (
        lambda x: anp.sum(anp.flip(anp.transpose(x.reshape(N, 3, 2), (2, 0, 1)), 2), 2),
        (array(N, 6),), 1,
    ),
    "one of a row": (lambda x: anp.sum(x[:, 3:5], 1, keepdims=True), (array(N, 7),), 1),
}  # fmt: skip


def staged(function: Any, args: tuple) -> Any:
    return stage(lambda *a: at.tree.leaves(function(*a)), [get_aval(a) for a in args])


def texts(made: Program) -> list[str]:
    """The sources of all its kernels and loops."""
    return [step.source.text for step in (*made.native_steps, *made.kernels)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_unrolled(name, monkeypatch):
    function, args, kernels = PROGRAMS[name]
    jaxpr = staged(function, args)
    made = Program(jaxpr)
    assert len(made.kernels) == kernels
    right = Interpreter(jaxpr)(*args)
    close = {"rtol": 3e-6} if args[0].dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-13}
    for found in (made(*args), run_plainly(made, args)):
        for a, b in zip(found, right, strict=True):
            assert np.shape(a) == np.shape(b) and a.dtype == b.dtype
            np.testing.assert_allclose(a, b, **close)
    # Without, as the rest of the compiler does it: other kernels, and the same numbers.
    monkeypatch.setattr(unrolling, "_gain", lambda eqn: 0)
    other = Program(jaxpr)
    assert texts(other) != texts(made)
    for a, b in zip(other(*args), right, strict=True):
        np.testing.assert_allclose(a, b, **close)


def test_a_new_batch_size_compiles_nothing():
    function, args, _ = PROGRAMS["turned"]
    first = Program(staged(function, args))
    larger = tuple(np.tile(a, (50, 1)) for a in args)
    again = Program(staged(function, larger))
    assert texts(again) == texts(first)
    np.testing.assert_array_equal(again(*larger)[0][:N], first(*args)[0])


@pytest.mark.parametrize("count", [1, 31, 32, 33, 63, 64, 65, 100])
def test_blocks_of_rows_that_do_not_come_out_even(count):
    """Rows of eleven go over the stack by 32; smaller batches are not unrolled."""
    x = array(count, 11)
    found = at.jit(lambda x: anp.sum(x[:, :3] ** 2, 1)[:, None] * x)(x)
    np.testing.assert_allclose(found, np.sum(x[:, :3] ** 2, 1)[:, None] * x, rtol=1e-13)


def test_large_sums_are_cut_in_pieces():
    x = array(100_000, 5)
    found = at.jit(lambda x: anp.sum(anp.sqrt(anp.sum(x * x, 1))))(x)
    np.testing.assert_allclose(found, np.sum(np.sqrt(np.sum(x * x, 1))), rtol=1e-14)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_special_values_stay():
    x = array(N, 3)
    x[:5] = [[np.nan, 1, 2], [np.inf, 1, -np.inf], [0.0, -0.0, 0.0], [-0.0] * 3, [np.inf, 1, 2]]
    for function in (lambda x: np.sum(x, 1), lambda x: np.max(x, 1), lambda x: np.prod(x, 1)):
        found, right = at.jit(function)(x), function(x)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(right))
        np.testing.assert_allclose(found, right, rtol=1e-13)


def test_what_is_too_large_stays_as_it_is():
    x = array(N, 4)

    def long(x: Any) -> Any:
        for _ in range(300):
            x = x * anp.sum(x, 1, keepdims=True)
        return x

    assert not unrolling.chosen(staged(long, (x,)))
