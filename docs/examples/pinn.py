"""A physics-informed network: Burgers' equation, solved by a network that is trained on it.

Run as ``python docs/examples/pinn.py``. The problem is that of Raissi, Perdikaris and Karniadakis,
"Physics-informed neural networks" (Journal of Computational Physics, 2019): a wave that steepens to
a front. The loss has first and second derivatives of the network by its inputs in it, and is
differentiated by its weights. The solution is known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from _report import Report, run

import autotrace as at
from autotrace.scipy import optimize

#: Three times that of the paper: a front that a small network resolves within half a minute.
VISCOSITY = 0.03 / np.pi

Params = list[dict[str, np.ndarray]]


# --- the network and its equation: plain NumPy ------------------------------------------------


def wave(params: Params, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What the network says of one point. It is -sin(pi x) at t = 0 and 0 at x = -1 and 1."""
    h = np.stack([t, x])
    for layer in params[:-1]:
        h = np.tanh(layer["w"] @ h + layer["b"])
    out = params[-1]["w"] @ h + params[-1]["b"]
    return -np.sin(np.pi * x) + t * (1 - x**2) * out[0]


def derivative(f: Callable) -> Callable:
    """The derivative of a function of one number, in forward mode."""
    return lambda x: at.jvp(f, (x,), (np.ones_like(x),))[1]


def burgers(u: Callable, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How far a function is from Burgers' equation at one point: u_t + u u_x - nu u_xx."""
    u_t = derivative(lambda t: u(t, x))
    u_x = derivative(lambda x: u(t, x))
    u_xx = derivative(u_x)
    return u_t(t) + u(t, x) * u_x(x) - VISCOSITY * u_xx(x)


def loss(params: Params, t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The mean square of that for the network, at some points."""
    residual = at.vmap(lambda t, x: burgers(lambda t, x: wave(params, t, x), t, x))
    return np.mean(residual(t, x) ** 2)


def initial(sizes: Sequence[int], rng: np.random.Generator) -> Params:
    """Random weights (Glorot and Bengio, 2010)."""
    return [
        {"w": rng.normal(size=(m, n)) * np.sqrt(2 / (n + m)), "b": np.zeros(m)}
        for n, m in pairwise(sizes)
    ]


# --- the known solution -----------------------------------------------------------------------


def exact(t: np.ndarray, x: np.ndarray, order: int = 100) -> np.ndarray:
    """Cole and Hopf's solution, by Gauss and Hermite's rule (Basdevant et al., 1986)."""
    nodes, weights = np.polynomial.hermite.hermgauss(order)
    spread = np.sqrt(4 * VISCOSITY * t)[..., None]
    y = x[..., None] - spread * nodes
    # The cosines stand in an exponent, of which the largest value is taken out.
    exponent = -np.cos(np.pi * y) / (2 * np.pi * VISCOSITY)
    density = weights * np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    return -np.sum(np.sin(np.pi * y) * density, axis=-1) / np.sum(density, axis=-1)


# --- the example ------------------------------------------------------------------------------


def points(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Times and places at random, half of them where the front is."""
    x = rng.uniform(-1, 1, count)
    x[::2] *= 0.1
    return rng.uniform(0, 1, count), x


def check_derivatives(report: Report, params: Params, rng: np.random.Generator) -> None:
    report.section("1. The equation")
    t, x = rng.uniform(0.1, 0.9, 20), rng.uniform(-0.9, 0.9, 20)
    known = at.vmap(lambda t, x: burgers(exact, t, x))(t, x)
    # But for rounding: the sum is over solutions of the heat equation.
    report.agree("residual of the known solution", known, np.zeros(20), atol=1e-10)

    network = at.jit(at.vmap(wave, in_axes=(None, 0, 0)))
    step = 1e-4
    now, left, right = (network(params, t, x + s * step) for s in (0, -1, 1))
    u_t = (network(params, t + step, x) - network(params, t - step, x)) / (2 * step)
    by_differences = u_t + now * (right - left) / (2 * step)
    by_differences -= VISCOSITY * (right - 2 * now + left) / step**2
    found = at.vmap(lambda t, x: burgers(lambda t, x: wave(params, t, x), t, x))(t, x)
    # Differences are off by the square of the step, and by rounding over it.
    report.agree("the network's, and differences", found, by_differences, atol=1e-5)


def example(report: Report, short: bool) -> dict[str, Any]:
    """Train the network on the equation, and compare it with the solution."""
    rng = np.random.default_rng(0)
    params = initial([2, 16, 16, 16, 1], rng)
    check_derivatives(report, params, rng)

    report.section("2. Training, without any values of the solution")
    rounds, steps, count = (1, 60, 200) if short else (6, 300, 1000)
    t, x = np.linspace(0.02, 1, 50)[:, None], np.linspace(-1, 1, 201)
    known = exact(*np.broadcast_arrays(t, x))
    network = at.jit(at.vmap(at.vmap(wave, in_axes=(None, None, 0)), in_axes=(None, 0, None)))
    error = 1.0
    for i in range(rounds):
        options = {"maxiter": steps, "maxfun": 2 * steps, "maxcor": 50, "ftol": 0, "gtol": 0}
        found = optimize.minimize(loss, params, points(count, rng), "L-BFGS-B", options=options)
        params = found.x
        predicted = network(params, t[:, 0], x)
        error = np.sqrt(np.sum((predicted - known) ** 2) / np.sum(known**2))
        report.line(f"round {i + 1}: loss, relative error", f"{found.fun:.5f}, {error:.4f}")
    # What networks of this size reach, with some room: rounding decides on the way there. The short
    # form only begins.
    report.check("relative error in the end", error, 0.6 if short else 0.05)
    return {"t": t[:, 0], "x": x, "known": known, "predicted": predicted}


def picture(figure: Any, results: dict[str, Any]) -> None:
    """The network over time and place, and beside the solution at some times."""
    left, right = figure.subplots(1, 2)
    t, x, predicted = results["t"], results["x"], results["predicted"]
    image = left.imshow(predicted.T, cmap="RdBu_r", interpolation="none", aspect="auto")
    image.set(extent=(t[0], t[-1], 1, -1))
    left.invert_yaxis()
    figure.colorbar(image, ax=left)
    left.grid(visible=False)
    left.set(xlabel="t", ylabel="x", title="The network")
    for i, color in ((12, "C0"), (24, "C1"), (49, "C3")):
        right.plot(x, predicted[i], color=color, label=f"t = {t[i]:.2f}")
        right.plot(x, results["known"][i], "k:", lw=1.5)
    right.plot([], [], "k:", label="known solution")
    right.set(xlabel="x", ylabel="u", title="Some times")
    right.legend(fontsize=8, loc="upper right")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
