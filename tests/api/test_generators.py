"""NumPy's random generators in traced functions: errors and warnings that name the remedy."""

from __future__ import annotations

import numpy as np
import pytest

import autotrace
from autotrace import random

generator = np.random.default_rng(0)


def test_a_generator_is_no_argument():
    for bad in (np.random.default_rng(0), np.random.RandomState(0), np.random.PCG64(0)):
        f = autotrace.jit(lambda rng, x: x)
        with pytest.raises(
            TypeError, match=r"(?s)NumPy (Gen|Ran|PCG).*test_gen.*autotrace\.random"
        ):
            f(bad, 1.0)
        with pytest.raises(TypeError, match=r"autotrace\.random"):
            f({"a": (bad,)}, 1.0)
        f = autotrace.jit(lambda rng, x: x, static_argnums=0)
        with pytest.raises(TypeError, match=r"static argument 0 is a NumPy.*"):
            f(bad, 1.0)


def test_draws_while_tracing_are_warned_of():
    local = np.random.default_rng(0)
    legacy = np.random.RandomState(0)

    def inner(x):
        return [x + local.normal() for _ in range(2)]

    class Model:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def noisy(self, x):
            return x + self.rng.normal()

    cases = {
        "generator": lambda x: x + generator.normal(),
        "local": lambda x: x + local.normal(),
        "legacy": lambda x: x + legacy.normal(),
        r"numpy\.random": lambda x: x + np.random.normal(),
        r"self\.rng": Model().noisy,
    }
    for name, f in cases.items():
        with pytest.warns(RuntimeWarning, match=rf"(?s)drew from {name} while.*test_generators"):
            first = autotrace.jit(f)
            first(1.0)
        assert first(1.0) == first(1.0)  # traced already: nothing more to say
    with pytest.warns(RuntimeWarning, match="drew from local"):
        autotrace.jit(inner)(1.0)
    with pytest.warns(RuntimeWarning, match="drew from local"):
        autotrace.jit(inner).lower(1.0)
    with pytest.warns(RuntimeWarning, match="drew from local"):
        autotrace.jit(autotrace.grad(lambda x: x * local.normal()))(1.0)


def test_what_is_not_drawn_from_is_not_warned_of():
    drawn = generator.normal(size=3)

    def f(x, key):
        assert generator is not None
        return np.sum(x * drawn) + random.normal(key)

    f = autotrace.jit(f)
    np.random.normal()
    key = random.key(0)
    assert f(1.0, key) != f(1.0, random.fold_in(key, 1))


def test_without_jit_each_call_draws():
    slope = autotrace.grad(lambda x: x * generator.normal())
    assert slope(1.0) != slope(1.0)
    with pytest.raises(autotrace.TracerArrayError, match=r"come from autotrace\.random"):
        autotrace.grad(lambda x: generator.normal(x, 1.0))(1.0)
