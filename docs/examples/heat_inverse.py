"""An inverse problem: the conductivity along a rod, from noisy temperatures at eight sensors.

Run as ``python docs/examples/heat_inverse.py``. The heat equation is discretised (finite volumes,
Crank and Nicolson's steps, a banded solve in each) and the program is differentiated. Gauss and
Newton's method needs the Jacobian of all readings by the conductivity of each cell; its inverse
says how well each is known.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from _report import Report, run

import autotrace as at
from autotrace import lax
from autotrace.scipy import optimize
from autotrace.scipy.linalg import solveh_banded

DURATION = 1.0
STEPS = 100
NOISE = 0.002  # of a sensor, where the rod's end is heated from 0 to 1
#: How much the logarithm of the conductivity is taken to change along the rod, before measuring: it
#: is a random walk, with this standard deviation at the end of one unit of length.
ROUGHNESS = 2.0


# --- the rod: plain NumPy ---------------------------------------------------------------------


def true_conductivity(x: np.ndarray) -> np.ndarray:
    """A rod of good conductivity with a bad piece in it."""
    return 1.0 - 0.7 / (1 + np.exp(-(x - 0.35) / 0.02)) + 0.5 / (1 + np.exp(-(x - 0.65) / 0.02))


def heat(log_k: np.ndarray, left: np.ndarray, start: np.ndarray | float = 0.0) -> np.ndarray:
    """The temperatures in a rod over time.

    Args:
      log_k: the logarithm of the conductivity in each cell.
      left: the temperature at the left end at each time; the right end is insulated.
      start: the temperature in the beginning.

    Returns:
      An array with a row for each time but the first, and a column for each cell.
    """
    cells, dx, dt = len(log_k), 1 / len(log_k), DURATION / (len(left) - 1)
    resistance = dx * np.exp(-log_k)  # of each cell; from centre to centre it is half of two
    inner = 2 / (resistance[:-1] + resistance[1:])
    first = 2 / resistance[0]
    both = np.concatenate([first[None], inner]) + np.concatenate([inner, np.zeros(1)])

    def flow(u: np.ndarray, end: np.ndarray) -> np.ndarray:
        through = inner * (u[1:] - u[:-1])
        into = np.concatenate([first * (end - u[:1]), -through])
        return into + np.concatenate([through, np.zeros(1)])

    # (dx + dt/2 K) u_next = (dx - dt/2 K) u + what the end gives: symmetric, two diagonals
    above = np.concatenate([np.zeros(1), -0.5 * dt * inner])
    bands = np.stack([above, dx + 0.5 * dt * both])

    def turn(u: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        known = dx * u + 0.5 * dt * (flow(u, ends[0]) + first * ends[1] * (np.arange(cells) == 0))
        u = solveh_banded(bands, known)
        return u, u

    ends = np.stack([left[:-1], left[1:]], axis=1)
    return lax.scan(turn, np.zeros(cells) + start, ends)[1]


def heating(steps: int) -> np.ndarray:
    """The left end is heated to 1, and cools down again."""
    t = np.linspace(0, DURATION, steps + 1)
    return np.sin(np.pi * t / DURATION) ** 2


def readings(log_k: np.ndarray, refined: int = 1) -> np.ndarray:
    """What eight sensors show at 25 times.

    Args:
      log_k: as for ``heat``.
      refined: how many times as fine as usual the steps and cells are; an odd number, so that the
        sensors are at centres of cells.
    """
    every, spacing = refined * STEPS // 25, len(log_k) // 8
    u = heat(log_k, heating(refined * STEPS))
    return u[every - 1 :: every, spacing // 2 + refined // 2 :: spacing]


def residuals(log_k: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Misfits and steps, both in standard deviations: what a posterior's exponent is made of."""
    misfits = (readings(log_k) - data) / NOISE
    steps = (log_k[1:] - log_k[:-1]) * np.sqrt(len(log_k)) / ROUGHNESS
    return np.concatenate([misfits.ravel(), steps])


def measure(cells: int, rng: np.random.Generator) -> np.ndarray:
    """From a grid three times as fine, so that the model is not exactly that of the data."""
    log_k = np.log(true_conductivity((np.arange(3 * cells) + 0.5) / (3 * cells)))
    exact = readings(log_k, refined=3)
    return exact + NOISE * rng.normal(size=exact.shape)


# --- the example ------------------------------------------------------------------------------


def check_solver(report: Report) -> None:
    """Against the slowest mode of an even rod: a quarter of a sine, which fades exponentially."""
    report.section("1. The solver, and its derivatives")
    errors = []
    for cells in (20, 40):
        x = (np.arange(cells) + 0.5) / cells
        mode = np.sin(np.pi / 2 * x)
        u = heat(np.full(cells, np.log(0.5)), np.zeros(cells + 1), mode)
        errors.append(np.max(np.abs(u[-1] - np.exp(-0.5 * np.pi**2 / 4 * DURATION) * mode)))
    report.check("error with 40 cells and steps", errors[1], 1e-4)
    # It is of second order in both: half the size of cells and steps, a quarter of the error.
    report.agree("that with 20, relative to it", errors[0] / errors[1], 4.0, rtol=0.02)


def check_derivatives(report: Report, log_k: np.ndarray) -> None:
    forward = at.jit(at.jacfwd(readings))(log_k)
    reverse = at.jit(at.jacrev(readings))(log_k)
    step, direction = 1e-4, np.cos(np.arange(len(log_k)))
    above, below = (readings(log_k + s * direction) for s in (step, -step))
    scale = np.max(np.abs(forward))
    report.line("Jacobian", " x ".join(map(str, forward.shape)))
    # The same numbers in another order; rounding grows by the condition of the matrix, about 1000.
    report.agree("jacrev and jacfwd", reverse, forward, atol=1e-11 * scale)
    # Central differences are off by the square of the step.
    slope = (above - below) / (2 * step)
    report.agree("jacfwd and differences", forward @ direction, slope, atol=1e-7)


def example(report: Report, short: bool) -> dict[str, np.ndarray]:
    """Measure, fit, and say how well the conductivity is known."""
    check_solver(report)
    cells = 32 if short else 64
    check_derivatives(report, np.sin(np.arange(cells) / 5))

    report.section("2. The conductivity of each cell")
    x = (np.arange(cells) + 0.5) / cells
    truth = np.log(true_conductivity(x))
    data = measure(cells, np.random.default_rng(0))
    report.line("readings, unknowns", f"{data.size}, {cells}")
    found = optimize.least_squares(residuals, np.zeros(cells), args=(data,))
    report.line("evaluations", f"{found.nfev} of the rod, {found.njev} of the Jacobian")
    fitted = readings(found.x)
    misfit = (fitted - data) / NOISE
    # 200 readings: their RMS is 1 +- 0.05, and less by what is fitted to them.
    report.agree("misfit, in units of the noise", np.sqrt(np.mean(misfit**2)), 1.0, atol=0.15)
    deviation = np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)))
    report.number("RMS standard deviation of log k", np.sqrt(np.mean(deviation**2)), "{:.3f}")
    error = found.x - truth
    report.check("RMS error of log k", np.sqrt(np.mean(error**2)), 0.2)
    # Errors of neighbours go together, and where the prior rules they are small for a smooth rod.
    report.check("largest error, in deviations", np.max(np.abs(error / deviation)), 3.0)
    return {"x": x, "found": found.x, "deviation": deviation, "data": data, "fitted": fitted}


def picture(figure: Any, results: dict[str, np.ndarray]) -> None:
    """The conductivity with its uncertainty, and the readings with what the fit makes of them."""
    left, right = figure.subplots(1, 2)
    x, found, deviation = (results[name] for name in ("x", "found", "deviation"))
    low, high = np.exp(found - 2 * deviation), np.exp(found + 2 * deviation)
    left.fill_between(x, low, high, color="C3", alpha=0.2, lw=0, label="two standard deviations")
    left.plot(x, np.exp(found), "C3", label="found")
    left.plot(x, true_conductivity(x), "k:", label="true")
    left.set(xlabel="place", ylabel="conductivity", ylim=(0, 2), title="The rod")
    left.legend(fontsize=8)
    times = DURATION * np.arange(1, len(results["data"]) + 1) / len(results["data"])
    for i, (data, fitted) in enumerate(zip(results["data"].T, results["fitted"].T, strict=True)):
        color = (i / 10, 0.3, 1 - i / 10)
        right.plot(times, fitted, color=color, lw=1)
        right.plot(times, data, ".", color=color, ms=3)
    right.set(xlabel="time", ylabel="temperature", title="Readings (dots), fit (lines)")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
