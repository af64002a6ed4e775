"""Functions of a few numbers, where the time of a call is not spent on arithmetic."""

from __future__ import annotations

import numpy
from scipy import optimize

from .row import Row


def scalar_chain(np):
    """Sixty operations on one number."""

    def f(a):
        for _ in range(15):
            a = np.sin(a) * 1.1 + 0.3 * a
        return a

    return f


def scalar_chain_by_hand(a):
    slope = 1.0
    for _ in range(15):
        slope = slope * (1.1 * numpy.cos(a) + 0.3)
        a = numpy.sin(a) * 1.1 + 0.3 * a
    return a, slope


def rosenbrock(np):
    return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def sum_of_all(np):
    """Its square."""

    def f(*xs):
        total = np.sum(xs[0])
        for x in xs[1:]:
            total = total + np.sum(x)
        return total * total

    return f


def points() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.normal(size=100), rng.normal(size=100)


CHAIN = Row(
    key="scalar_chain",
    title="scalar function of 60 operations",
    make=scalar_chain,
    inputs=lambda: (1.3,),
    c="scalar_chain",
    compilers=True,
)
ROSENBROCK = Row(
    key="rosenbrock_gradient",
    title="Rosenbrock, n = 100: gradient",
    make=rosenbrock,
    inputs=lambda: points()[:1],
    wanted="gradient",
    by_hand=optimize.rosen_der,
    c="rosenbrock_gradient",
    compilers=True,
)
ROWS = [
    CHAIN,
    CHAIN.but(
        key="scalar_chain_gradient",
        title="scalar function of 60 operations: value and gradient",
        wanted="value_and_grad",
        by_hand=scalar_chain_by_hand,
        c="scalar_chain_gradient",
    ),
    ROSENBROCK,
    Row(
        key="add_one",
        title="x + 1, n = 3",
        make=lambda np: lambda x: x + 1.0,
        inputs=lambda: (numpy.arange(3.0),),
    ),
    Row(
        key="twenty_arguments",
        title="sum of 20 arrays of 3: gradients",
        make=sum_of_all,
        inputs=lambda: tuple(numpy.random.default_rng(0).normal(size=(20, 3))),
        wanted="gradient",
        argnums=tuple(range(20)),
        by_hand=lambda *xs: (numpy.full(3, 2.0 * sum(x.sum() for x in xs)),) * 20,
    ),
]
