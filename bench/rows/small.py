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


EFFECTS = numpy.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = numpy.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def eight_schools(np):
    """The log density, non-centred: the effect of a school is ``mu + tau * theta``."""
    effects, errors = np.asarray(EFFECTS), np.asarray(ERRORS)

    def f(mu, log_tau, theta):
        tau = np.exp(log_tau)
        residual = (effects - mu - tau * theta) / errors
        likelihood = -0.5 * np.sum(residual * residual)
        prior = -0.5 * np.sum(theta * theta) - 0.5 * (mu / 5) ** 2 - np.log1p((tau / 5) ** 2)
        return likelihood + prior + log_tau

    return f


def eight_schools_by_hand(mu, log_tau, theta):
    tau = numpy.exp(log_tau)
    residual = (EFFECTS - mu - tau * theta) / ERRORS
    scaled = residual / ERRORS
    ratio = (tau / 5) ** 2
    value = -0.5 * (residual @ residual + theta @ theta + (mu / 5) ** 2) - numpy.log1p(ratio)
    by_log_tau = tau * (scaled @ theta) - 2 * ratio / (1 + ratio) + 1
    return value + log_tau, scaled.sum() - mu / 25, by_log_tau, tau * scaled - theta


def rosenbrock(np):
    return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _points() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.normal(size=100), rng.normal(size=100)


CHAIN = Row(
    key="scalar_chain",
    title="scalar function of 60 operations",
    make=scalar_chain,
    inputs=lambda: (1.3,),
    c="scalar_chain",
)
ROSENBROCK = Row(
    key="rosenbrock_gradient",
    title="Rosenbrock, n = 100: gradient",
    make=rosenbrock,
    inputs=lambda: _points()[:1],
    wanted="gradient",
    by_hand=optimize.rosen_der,
    c="rosenbrock_gradient",
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
    Row(
        key="eight_schools",
        title="eight schools, log density: value and gradient",
        make=eight_schools,
        inputs=lambda: (4.4, 1.2, numpy.linspace(-1.0, 1.5, 8)),
        wanted="value_and_grad",
        argnums=(0, 1, 2),
        by_hand=eight_schools_by_hand,
        c="eight_schools_gradient",
    ),
    ROSENBROCK,
    ROSENBROCK.but(
        key="rosenbrock_hvp",
        title="Rosenbrock, n = 100: Hessian times vector",
        inputs=_points,
        wanted="hvp",
        by_hand=optimize.rosen_hess_prod,
        c="rosenbrock_hvp",
    ),
]
