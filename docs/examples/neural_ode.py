"""A neural ODE: a small network learns the law of motion behind noisy points of a spiral.

Run as ``python docs/examples/neural_ode.py``. The problem is the spiral of Chen, Rubanova,
Bettencourt and Duvenaud, "Neural Ordinary Differential Equations" (NeurIPS 2018). The derivative
of the fit goes through the ODE solver in three ways, which are compared: through all steps, with
checkpoints, and by the adjoint equation of that paper.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _adam import adam
from _report import Report, run

import autotrace as at
from autotrace import lax
from autotrace.scipy import optimize

STEPS, DT = 1000, 0.025  # of the solver: 25 units of time
EVERY = 5  # so many steps from one measurement to the next
NOISE = 0.05
START = np.array([2.0, 0.0])

Params = dict[str, np.ndarray]


# --- the model: plain NumPy -------------------------------------------------------------------


def spiral(y: np.ndarray) -> np.ndarray:
    """The law to be found: y' = A y**3, element by element."""
    return y**3 @ np.array([[-0.1, 2.0], [-2.0, -0.1]])


def network(params: Params, y: np.ndarray) -> np.ndarray:
    """What stands in for it: one hidden layer, on the cubes as in the paper."""
    return np.tanh(y**3 @ params["w1"] + params["b1"]) @ params["w2"] + params["b2"]


def rk4(f: Callable, y: Any, dt: float) -> Any:
    """One step of Runge and Kutta's method, for a pytree of arrays."""

    def moved(k: Any, h: float) -> Any:
        return at.tree.map(lambda y, k: y + h * k, y, k)

    k1 = f(y)
    k2 = f(moved(k1, dt / 2))
    k3 = f(moved(k2, dt / 2))
    k4 = f(moved(k3, dt))
    return at.tree.map(
        lambda y, a, b, c, d: y + dt / 6 * (a + 2 * b + 2 * c + d), y, k1, k2, k3, k4
    )


def trajectory(f: Callable, start: np.ndarray, steps: int, scan: Callable = lax.scan) -> np.ndarray:
    """The states after each step, with ``steps`` along the first axis."""

    def turn(y: np.ndarray, _: None) -> tuple[np.ndarray, np.ndarray]:
        y = rk4(f, y, DT)
        return y, y

    return scan(turn, start, length=steps)[1]


def whole_loss(params: Params, points: np.ndarray, scan: Callable = lax.scan) -> np.ndarray:
    """The mean square distance from all measurements, along one trajectory from the start."""
    steps = len(points) * EVERY
    path = trajectory(lambda y: network(params, y), START, steps, scan)
    return np.mean((path[EVERY - 1 :: EVERY] - points) ** 2)


def piece_loss(params: Params, starts: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The same for short pieces, each of which starts at a measurement of its own."""
    path = trajectory(lambda y: network(params, y), starts, len(points) * EVERY)
    return np.mean((path[EVERY - 1 :: EVERY] - points) ** 2)


# --- the adjoint method -----------------------------------------------------------------------


def adjoint_gradient(params: Params, points: np.ndarray) -> Params:
    """The gradient of ``whole_loss`` by an ODE that is solved backwards in time.

    With a = dL/dy it is a' = -a df/dy, and dL/dparams grows by a df/dparams. The states are not
    kept, they are computed again by going backwards.
    """
    count = len(points)
    path = trajectory(lambda y: network(params, y), START, count * EVERY)
    pulls = np.zeros_like(path)  # dL/dy, at the steps where there is a measurement
    pulls[EVERY - 1 :: EVERY] = 2 * (path[EVERY - 1 :: EVERY] - points) / points.size

    def backwards(state: tuple) -> tuple:
        y, a, _ = state
        slope, pullback = at.vjp(network, params, y)
        by_params, by_y = pullback(a)
        return -slope, by_y, by_params

    def turn(state: tuple, pull: np.ndarray) -> tuple[tuple, None]:
        y, a, g = state
        return rk4(backwards, (y, a + pull, g), DT), None

    begin = (path[-1], np.zeros_like(START), at.tree.map(np.zeros_like, params))
    return lax.scan(turn, begin, pulls, reverse=True)[0][2]


# --- training ---------------------------------------------------------------------------------


def initial(rng: np.random.Generator, hidden: int = 50) -> Params:
    """Small random weights."""
    return {
        "w1": 0.5 * rng.normal(size=(2, hidden)),
        "b1": np.zeros(hidden),
        "w2": 0.1 * rng.normal(size=(hidden, 2)),
        "b2": np.zeros(2),
    }


def pieces(points: np.ndarray, rng: np.random.Generator, steps: int) -> Iterator[tuple]:
    """Pieces of four measurements and where they start, 32 at a time."""
    points = np.concatenate([START[None], points])
    for _ in range(steps):
        begin = rng.integers(0, len(points) - 4, size=32)
        yield points[begin], points[begin + np.arange(1, 5)[:, None]]


# --- the example ------------------------------------------------------------------------------


def flat(params: Params) -> np.ndarray:
    return np.concatenate([np.ravel(p) for p in at.tree.leaves(params)])


def check_gradients(report: Report, params: Params, points: np.ndarray) -> None:
    steps = len(points) * EVERY
    report.section(f"1. Three ways to the gradient through {steps} steps of the solver")
    through = flat(at.jit(at.grad(whole_loss))(params, points))
    recompute = at.jit(at.grad(lambda p: whole_loss(p, points, lax.checkpointed_scan)))
    recomputed = flat(recompute(params))
    adjoint = flat(at.jit(adjoint_gradient)(params, points))

    direction = at.tree.map(lambda p: np.sin(np.arange(p.size).reshape(p.shape)), params)

    def moved(step: float) -> float:
        return whole_loss(at.tree.map(lambda p, d: p + step * d, params, direction), points)

    slope = (8 * (moved(1e-4) - moved(-1e-4)) - moved(2e-4) + moved(-2e-4)) / 12e-4
    scale = np.max(np.abs(through))
    # Differences of fourth order: off by the fourth power of the step, and rounding over the step.
    along = through @ flat(direction)
    report.agree("scan, along a direction", along, slope, rtol=1e-6)
    # The same arithmetic.
    report.agree("checkpointed_scan", recomputed, through, atol=1e-10 * scale)
    # The derivative of the ODE, not that of the steps: off by the solver's error, of order dt**4.
    report.agree("adjoint equation", adjoint, through, atol=1e-5 * scale)


def example(report: Report, short: bool) -> dict[str, np.ndarray]:
    """Measure, check the gradients, train."""
    rng = np.random.default_rng(0)
    steps = 150 if short else STEPS
    truth = trajectory(spiral, START, steps)
    points = truth[EVERY - 1 :: EVERY]
    points = points + NOISE * rng.normal(size=points.shape)
    params = initial(rng)
    check_gradients(report, params, points)

    report.section("2. Training")
    report.line("measurements, their noise", f"{len(points)}, {NOISE}")
    count = 100 if short else 2000
    learn = at.jit(at.value_and_grad(piece_loss))
    batches = pieces(points, rng, count)
    params = adam(learn, params, batches, lambda t: 0.02 * (1 - t / (count + 1)))[0]
    rough = trajectory(lambda y: network(params, y), START, steps)
    report.number("pieces, with Adam: RMS distance", np.sqrt(whole_loss(params, points)), "{:.4f}")
    settings = {"method": "L-BFGS-B", "options": {"maxiter": 20 if short else 300}}
    # From the start to the end at once there are minima that go round once too often.
    third = points[: len(points) // 3]
    params = optimize.minimize(whole_loss, params, (third,), **settings).x
    found = optimize.minimize(whole_loss, params, (points,), **settings)
    fitted = trajectory(lambda y: network(found.x, y), START, steps)
    # No path is nearer to the points than the noise, but for what a fit takes of it. The short form
    # stops on its way there.
    report.check("whole, L-BFGS: RMS distance", np.sqrt(found.fun), 0.4 if short else 1.1 * NOISE)
    # The noise averages out, so that the path is nearer to the true one than to the points.
    distance = np.sqrt(np.mean((fitted - truth) ** 2))
    report.check("RMS distance from the true path", distance, 0.4 if short else 0.5 * NOISE)
    return {"truth": truth, "points": points, "rough": rough, "fitted": fitted}


def picture(figure: Any, results: dict[str, np.ndarray]) -> None:
    """The paths in the plane, and the first coordinate over time."""
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.3])
    steps = len(results["truth"])
    times = DT * np.arange(1, steps + 1)
    shown = np.unique((steps - 1) * np.linspace(0, 1, 250) ** 1.7).astype(int)  # fast at first
    for name, color, label in (
        ("rough", "0.7", "fitted to pieces"),
        ("fitted", "C3", "fitted to the whole"),
        ("truth", "k", "true path"),
    ):
        path = results[name][shown]
        style = ":" if name == "truth" else "-"
        left.plot(*path.T, style, color=color, lw=1)
        right.plot(times[shown], path[:, 0], style, color=color, lw=1, label=label)
    points, when = results["points"][::2], times[EVERY - 1 :: 2 * EVERY]
    left.plot(*points.T, ".", color="C0", ms=3)
    right.plot(when, points[:, 0], ".", color="C0", ms=3, label="measured (every other)")
    left.set(xlabel="$y_1$", ylabel="$y_2$", title="In the plane", aspect="equal")
    right.set(xlabel="time", ylabel="$y_1$", title="Over time")
    right.legend(loc="upper right", fontsize=8)


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
