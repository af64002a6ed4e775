"""The compiled backend beside plain NumPy and JAX (NumPy arrays in and out, one thread each)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

import autotrace as at

# Before JAX is imported: one thread, and double precision.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
os.environ.setdefault("JAX_ENABLE_X64", "1")
rng = np.random.default_rng(0)
N = 100_000


try:
    import jax
except ImportError:  # a peer, measured where it is installed
    jax = None


def compare_with_peers(compare: Callable, make: Callable, args: tuple, calls: int) -> None:
    """Compare ``make(np, erf)`` over libraries."""
    ours = at.jit(make(np, at.lax.erf), backend="numba")
    plain = make(np, special.erf)
    np.testing.assert_allclose(ours(*args), plain(*args), rtol=1e-9, atol=1e-12)
    jobs = {"autotrace": lambda: ours(*args), "NumPy": lambda: plain(*args)}
    if jax is not None:
        theirs = jax.jit(make(jax.numpy, jax.scipy.special.erf))
        np.testing.assert_allclose(theirs(*args), plain(*args), rtol=1e-6, atol=1e-9)
        jobs["JAX"] = lambda: np.asarray(theirs(*args))
    compare(jobs, rounds=9, calls=calls)


def chain(np, erf):
    def f(x):
        y = np.tanh(x) * 2 + 1
        y = np.exp(-y * y)
        y = np.sin(y) + y * x
        return y / (1 + y * y) - 0.5 * x

    return f


def black_scholes(np, erf):
    def f(spot, strike, time):
        rate, volatility = 0.05, 0.2
        spread = volatility * np.sqrt(time)
        d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * time) / spread
        normal = lambda z: 0.5 * (1 + erf(z / math.sqrt(2)))  # noqa: E731
        return spot * normal(d1) - strike * np.exp(-rate * time) * normal(d1 - spread)

    return f


def softmax(np, erf):
    def f(x):
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    return f


def layer_norm(np, erf):
    def f(x):
        centred = x - np.mean(x, axis=1, keepdims=True)
        return centred / np.sqrt(np.mean(centred * centred, axis=1, keepdims=True) + 1e-5)

    return f


def sum_of_squares(np, erf):
    return lambda x: np.sum(x * x)


def scalar_chain(np, erf):
    def f(a):
        for _ in range(15):
            a = np.sin(a) * 1.1 + 0.3 * a
        return a

    return f


def test_chain(compare):
    compare_with_peers(compare, chain, (rng.normal(size=N),), 10)


def test_black_scholes(compare):
    args = (rng.uniform(50, 150, N), rng.uniform(50, 150, N), rng.uniform(0.1, 2, N))
    compare_with_peers(compare, black_scholes, args, 5)


def test_softmax(compare):
    compare_with_peers(compare, softmax, (rng.normal(size=(1000, 1000)),), 3)


def test_layer_norm(compare):
    compare_with_peers(compare, layer_norm, (rng.normal(size=(1000, 1000)),), 3)


def test_sum_of_squares(compare):
    compare_with_peers(compare, sum_of_squares, (rng.normal(size=N),), 100)


def test_call_of_a_scalar_function(compare):
    compare_with_peers(compare, scalar_chain, (1.3,), 500)


@pytest.mark.parametrize("make", [chain, sum_of_squares], ids=lambda f: f.__name__)
def test_gradient(compare, make):
    x = rng.normal(size=N)
    ours = at.jit(at.elementwise_grad(make(np, at.lax.erf)), backend="numba")
    eager = at.elementwise_grad(make(np, at.lax.erf))
    np.testing.assert_allclose(ours(x), eager(x), rtol=1e-9, atol=1e-12)
    jobs = {"autotrace": lambda: ours(x), "autotrace, un-jitted": lambda: eager(x)}
    if jax is not None:
        of_jax = make(jax.numpy, jax.scipy.special.erf)
        theirs = jax.jit(jax.grad(lambda x: jax.numpy.sum(of_jax(x))))
        np.testing.assert_allclose(theirs(x), eager(x), rtol=1e-6, atol=1e-9)
        jobs["JAX"] = lambda: np.asarray(theirs(x))
    compare(jobs, rounds=9, calls=10)


def test_new_batch_sizes(compare):
    """Twenty sizes through one function: staging only, no kernel is compiled again."""
    f = at.jit(layer_norm(np, None), backend="numba")
    f(np.ones((7, 5)))
    sizes = iter(range(10, 100_000))

    def job():
        for _ in range(20):
            f(np.ones((next(sizes), 5)))

    compare({"20 new sizes": job}, rounds=5, calls=1)
