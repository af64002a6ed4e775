"""Differential equations by explicit steps, and a solver by iteration."""

from __future__ import annotations

import numpy

from . import loops_by_hand as by_hand
from .loops import pair


def runge_kutta(f, h):
    """A step of the classical method."""

    def step(u):
        k1 = f(u)
        k2 = f(u + 0.5 * h * k1)
        k3 = f(u + 0.5 * h * k2)
        k4 = f(u + h * k3)
        return u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return step


def lorenz(np):
    """The squared distance from the origin after a thousand steps."""

    def f(state, parameters):
        sigma, rho, beta = parameters[0], parameters[1], parameters[2]

        def slope(u):
            x, y, z = u[0], u[1], u[2]
            return np.stack([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])

        step = runge_kutta(slope, 0.005)
        end = np.lax.fori_loop(0, 1000, lambda i, u: step(u), state)
        return np.sum(end * end)

    return f


def neural_ode(np):
    def f(w1, b1, w2, b2, start):
        step = runge_kutta(lambda u: np.tanh(u @ w1 + b1) @ w2 + b2, 0.02)
        end = np.lax.fori_loop(0, 50, lambda i, u: step(u), start)
        return np.mean(end * end)

    return f


def _network() -> tuple:
    rng = numpy.random.default_rng(0)
    return (
        rng.normal(size=(4, 64)) / 2,
        0.1 * rng.normal(size=64),
        rng.normal(size=(64, 4)) / 8,
        0.1 * rng.normal(size=4),
        rng.normal(size=(32, 4)),
    )


def heat(np):
    """A hundred explicit steps with a fixed boundary."""

    def f(u, alpha):
        def step(i, u):
            around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
            return u.at[1:-1, 1:-1].add(alpha * (around - 4 * u[1:-1, 1:-1]))

        return np.lax.fori_loop(0, 100, step, u)

    return f


def _heat_of_torch(np):
    def f(u, alpha):
        def step(i, u):
            new = u.clone()
            around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
            new[1:-1, 1:-1] += alpha * (around - 4 * u[1:-1, 1:-1])
            return new

        return np.lax.fori_loop(0, 100, step, u)

    return f


def kepler(np):
    """Kepler's equation, solved for each orbit by Newton's method as long as it moves."""

    def solve(mean, eccentricity):
        def step(carry):
            x, _ = carry
            residual = x - eccentricity * np.sin(x) - mean
            move = residual / (1 - eccentricity * np.cos(x))
            return x - move, move

        init = mean, np.ones_like(mean)
        x, _ = np.lax.while_loop(lambda carry: np.any(np.abs(carry[1]) > 1e-12), step, init)
        return x

    return np.vmap(solve)


def squares(make):
    """Half the sum of the squares of a function's result."""

    def make_squares(np):
        f = make(np)

        def loss(*args):
            y = f(*args)
            return 0.5 * np.sum(y * y)

        return loss

    return make_squares


def _orbits() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.uniform(0.1, 3.0, 1000), rng.uniform(0.05, 0.8, 1000)


ROWS = [
    *pair(
        "lorenz",
        "Lorenz system, RK4, 1000 steps",
        (0, 1),
        make=lorenz,
        inputs=lambda: (numpy.array([1.0, 1.0, 1.0]), numpy.array([10.0, 28.0, 8 / 3])),
        by_hand=(by_hand.lorenz, by_hand.lorenz_gradient),
        without=("autograd",),
    ),
    *pair(
        "neural_ode",
        "neural ODE 4-64-4, batch 32, RK4, 50 steps",
        (0, 1, 2, 3),
        make=neural_ode,
        inputs=_network,
        by_hand=(by_hand.neural_ode, by_hand.neural_ode_gradient),
    ),
    *pair(
        "heat",
        "heat equation, 200 x 200, 100 steps",
        (0, 1),
        make=heat,
        inputs=lambda: (numpy.random.default_rng(0).normal(size=(200, 200)), 0.2),
        own={"torch": _heat_of_torch},
        by_hand=(by_hand.heat, by_hand.heat_gradient),
        loss={"make": squares(heat), "own": {"torch": squares(_heat_of_torch)}},
        # It has no way to write into a part of an array.
        without=("autograd",),
    ),
    *pair(
        "kepler",
        "Kepler's equation, 1000 orbits by Newton's method",
        (0, 1),
        make=kepler,
        inputs=_orbits,
        by_hand=(by_hand.kepler, by_hand.kepler_gradient),
        loss={"make": squares(kepler)},
        # It has no reverse mode through while_loop.
        without=("jax",),
    ),
]
