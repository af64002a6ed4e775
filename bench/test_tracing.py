"""What tracing, differentiating and simplifying cost, by the number of equations.

The time per equation should not grow with their number: read the reports side by side.
"""

from __future__ import annotations

import numpy as np
import pytest

import autotrace as at
from autotrace.transforms.simplify import simplify_jaxpr

SIZES = [100, 1_000, 10_000]


def chain(equations: int):
    def f(x):
        for i in range(equations // 2):
            x = np.sin(x) * (1.0 + i)
        return x

    return f


@pytest.mark.parametrize("equations", SIZES)
def test_trace(compare, equations):
    f = chain(equations)
    assert len(at.make_jaxpr(f)(1.0).eqns) == equations
    compare({"make_jaxpr": lambda: at.make_jaxpr(f)(1.0)}, rounds=5, calls=20_000 // equations)


@pytest.mark.parametrize("equations", SIZES)
def test_trace_gradient(compare, equations):
    g = at.make_jaxpr(at.grad(chain(equations)))
    assert len(g(1.0).eqns) >= equations
    compare({"make_jaxpr(grad)": lambda: g(1.0)}, rounds=5, calls=20_000 // equations)


@pytest.mark.parametrize("equations", SIZES)
def test_eager_gradient(compare, equations):
    g = at.grad(chain(equations))
    compare({"grad": lambda: g(1.0)}, rounds=5, calls=20_000 // equations)


@pytest.mark.parametrize("equations", SIZES)
def test_simplify(compare, equations):
    jaxpr = at.make_jaxpr(at.grad(chain(equations)))(1.0)
    compare({"simplify": lambda: simplify_jaxpr(jaxpr)}, rounds=5, calls=20_000 // equations)


@pytest.mark.parametrize("equations", SIZES)
def test_run(compare, equations):
    f = at.jit(chain(equations), backend="numpy")
    plain = chain(equations)
    x = np.ones(3)
    np.testing.assert_allclose(f(x), plain(x))
    compare({"jit (interpreter)": lambda: f(x), "plain NumPy": lambda: plain(x)}, 5, 2000 // 100)
