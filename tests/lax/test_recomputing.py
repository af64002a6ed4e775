"""checkpointed_scan: what it computes, what it keeps, how often it computes it."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import numpy as np
import pytest

import autotrace as at
from autotrace import lax

RNG = np.random.default_rng(11)
W = RNG.standard_normal((3, 3)) / 2
START = RNG.standard_normal(3)
LENGTHS = [0, 1, 2, 5, 17, 101]


def elements(n):
    return {"a": RNG.standard_normal((n, 3)), "b": (RNG.standard_normal(n),)}


def turn_of(w):
    def turn(carry, x):
        following = np.tanh(w @ carry["c"] + x["a"]) * x["b"][0]
        return {"c": following, "n": carry["n"] + 1}, (np.sin(carry["c"]) * x["b"][0], carry["n"])

    return turn


def loss(loop, w, start, xs, **options):
    carry, (ys, counts) = loop(turn_of(w), {"c": start, "n": 0}, xs, **options)
    weights = np.cos(np.arange(counts.shape[0]))[:, None]
    return np.sum(carry["c"] ** 2) + np.sum(ys**3 * weights), (carry, ys, counts)


def same(got, want, tolerance=1e-10):
    for a, b in zip(at.tree.leaves(got), at.tree.leaves(want), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", LENGTHS)
def test_is_scan(n, reverse):
    xs = elements(n)
    value = at.value_and_grad(loss, (1, 2, 3), has_aux=True)
    want = value(lax.scan, W, START, xs, reverse=reverse)
    for levels in (None, 2, 3) if n > 2 else (None, 4):
        same(value(lax.checkpointed_scan, W, START, xs, reverse=reverse, levels=levels), want)


@pytest.mark.parametrize("levels", [2, 3])
def test_transforms(levels):
    xs = elements(7)
    f = lambda w, start, xs: loss(lax.checkpointed_scan, w, start, xs, levels=levels)[0]  # noqa: E731
    g = lambda w, start, xs: loss(lax.scan, w, start, xs)[0]  # noqa: E731
    for transform in (
        at.jit,
        lambda f: at.jit(at.grad(f, (0, 1, 2))),
        lambda f: lambda *args: at.jvp(f, args, args),
        lambda f: at.hessian(f, 1),
        lambda f: at.jit(at.jacrev(at.grad(f, 1))),
        lambda f: lambda w, s, xs: at.vmap(at.grad(f), (None, 0, None))(w, np.stack([s, -s]), xs),
        lambda f: (
            lambda w, s, xs: at.grad(
                lambda w: np.sum(at.vmap(f, (None, 0, None))(w, np.stack([s, -s]), xs))
            )(w)
        ),
    ):
        same(transform(f)(W, START, xs), transform(g)(W, START, xs), 1e-9)


def test_within_loops_and_over_them():
    def f(loop):
        def inner(c, x):
            c = lax.while_loop(lambda v: v[1] < 3, lambda v: (np.sin(v[0]) + x, v[1] + 1), (c, 0))
            return c[0], None

        def outer(c, x):
            return loop(inner, c * x, np.linspace(0, x, 6))

        return lambda c: lax.scan(outer, c, np.array([0.5, 1.5]))[0]

    checkpointed = f(lambda *args: lax.checkpointed_scan(*args, levels=2))
    same(at.jacrev(checkpointed)(START), at.jacrev(f(lax.scan))(START))
    same(at.jit(at.jacrev(checkpointed))(START), at.jacrev(f(lax.scan))(START))


def kept(f, x):
    """How many elements the derivative holds."""
    jaxpr = at.make_jaxpr(at.linearize(f, x)[1])(x)
    return sum(np.size(c) for c in jaxpr.consts)


def test_keeps_few_carries():
    def f(levels):
        turn = lambda c, _: (np.sin(c) * 1.1, None)  # noqa: E731
        return lambda x: lax.checkpointed_scan(turn, x, length=1000, levels=levels)[0]

    one = START.size
    assert kept(f(1), START) >= 1000 * one
    assert kept(f(2), START) <= 34 * one  # 32 stretches, and what is left over
    assert kept(f(3), START) <= 11 * one
    assert kept(f(None), START) <= 17 * one


@pytest.fixture
def counted():
    """A sine that counts how often it is computed."""
    runs: list[int] = []
    primitive = at.extend.Primitive("test_recomputing_counted")
    primitive.def_impl(lambda x: runs.append(1) or np.sin(x))
    primitive.def_abstract(lambda x: x.strong())
    primitive.def_jvp(lambda p, t, out: np.cos(p[0]) * t[0])
    yield primitive, runs
    del at.extend.primitives["test_recomputing_counted"]


@pytest.mark.parametrize("n", [16, 100, 1000])
def test_evaluates_each_turn_once_for_each_level(n, counted):
    primitive, runs = counted
    for levels in (1, 2, 3, 5):
        f = lambda x, k=levels: lax.checkpointed_scan(  # noqa: E731
            lambda c, _: (primitive.bind(c) * 1.5, None), x, length=n, levels=k
        )[0]
        runs.clear()
        f(1.0)
        assert len(runs) == n
        runs.clear()
        at.grad(f)(1.0)
        assert n * min(levels, 2) <= len(runs) <= n * levels
        runs.clear()
        at.jvp(f, (1.0,), (1.0,))
        assert len(runs) == n


def test_effects_happen_once_in_each_turn():
    seen = []

    def turn(c, i):
        at.debug.callback(lambda i: seen.append(int(i)), i)
        return np.sin(c), None

    f = lambda x: lax.checkpointed_scan(turn, x, np.arange(11), levels=3)[0]  # noqa: E731
    at.grad(f)(1.0)
    assert seen == [*range(11)]
    seen.clear()
    g = at.jit(lambda x: x + f(1.0))  # nothing traced goes in, and yet it is a part of the program
    g(1.0)
    g(2.0)
    assert seen == 2 * [*range(11)]


_MEMORY = """
import numpy as np
import autotrace as at

def held(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))

def loss(x):
    turn = lambda c, _: (c + 1e-6 * np.sin(c), None)
    return np.sum(at.lax.checkpointed_scan(turn, x, length=200_000, levels=3)[0])

f = at.jit(at.grad(loss), backend="numba")
f(np.arange(16.0))  # compiling takes memory of its own
with open("/proc/self/clear_refs", "w") as control:
    control.write("5")
before = held("VmRSS")
f(np.arange(16.0))
print(held("VmHWM") - before)
"""


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="asks Linux")
def test_memory_of_many_turns():
    """A plain scan would keep 200,000 carries of 128 bytes, 25 MB."""
    run = subprocess.run([sys.executable, "-c", _MEMORY], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 5_000


def test_errors():
    turn = lambda c, x: (c, None)  # noqa: E731
    with pytest.raises(ValueError, match="levels must be a positive integer, got 0"):
        lax.checkpointed_scan(turn, 1.0, length=3, levels=0)
    with pytest.raises(TypeError):
        lax.checkpointed_scan(turn, 1.0, length=3, levels=1.5)
    with pytest.raises(ValueError, match="it needs a length"):
        lax.checkpointed_scan(turn, 1.0)
    with pytest.raises(ValueError, match="does not fit length=4"):
        lax.checkpointed_scan(turn, 1.0, np.ones(3), 4)
    with pytest.raises(TypeError, match="checkpointed_scan: the carry"):
        lax.checkpointed_scan(lambda c, x: (np.ones(2), None), 1.0, length=3)
