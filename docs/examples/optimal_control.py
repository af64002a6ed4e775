"""Optimal control: a cart swings up its pole, with the least effort.

Run as ``python docs/examples/optimal_control.py``. The problem and its numbers are those of Kelly,
"An Introduction to Trajectory Optimization" (SIAM Review, 2017): direct collocation by trapezoids.
The equations of motion come from the Lagrangian, by derivatives. SciPy's SLSQP finds a path on a
coarse mesh, and Newton's method, with sparse second derivatives, on finer ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from _report import Report, run
from scipy.integrate import solve_ivp
from scipy.sparse.linalg import spsolve

import autotrace as at
from autotrace.flatten_util import ravel_pytree
from autotrace.scipy import optimize

CART, POLE, LENGTH, GRAVITY = 1.0, 0.3, 0.5, 9.81  # kg, kg, m, m/s^2
DURATION = 2.0  # s
DOWN = np.array([0.0, 0.0, 0.0, 0.0])  # place, angle and their rates
UP = np.array([1.0, np.pi, 0.0, 0.0])  # one metre further

Plan = dict[str, np.ndarray]


# --- the cart and the pole: plain NumPy -------------------------------------------------------


def lagrangian(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Kinetic less potential energy, of the cart's place and the pole's angle and their rates."""
    bob = np.stack([v[0] + LENGTH * v[1] * np.cos(q[1]), LENGTH * v[1] * np.sin(q[1])])
    kinetic = 0.5 * CART * v[0] ** 2 + 0.5 * POLE * np.sum(bob**2)
    return kinetic + POLE * GRAVITY * LENGTH * np.cos(q[1])


def cart_pole(state: np.ndarray, force: np.ndarray) -> np.ndarray:
    """The rates of a state, by Euler and Lagrange's equation: d/dt dL/dv = dL/dq + force."""
    q, v = state[:2], state[2:]
    mass = at.hessian(lagrangian, 1)(q, v)
    drift = at.jvp(lambda q: at.grad(lagrangian, 1)(q, v), (q,), (v,))[1]
    push = at.grad(lagrangian, 0)(q, v) - drift + np.stack([force, 0.0 * force])
    return np.concatenate([v, np.linalg.solve(mass, push)])


# --- collocation ------------------------------------------------------------------------------


def effort(plan: Plan) -> np.ndarray:
    """The integral of the force's square, by trapezoids."""
    square = plan["force"] ** 2
    return DURATION / (len(square) - 1) * (np.sum(square) - 0.5 * (square[0] + square[-1]))


def collocation(dynamics: Callable, start: np.ndarray, goal: np.ndarray) -> Callable:
    """What must be zero, as a function of a plan: how far trapezoids lead from the next state, and
    how far the ends are from where they must be."""

    def defects(plan: Plan) -> np.ndarray:
        states, step = plan["states"], DURATION / (len(plan["force"]) - 1)
        rates = at.vmap(dynamics)(states, plan["force"])
        gaps = states[1:] - states[:-1] - 0.5 * step * (rates[1:] + rates[:-1])
        return np.concatenate([np.ravel(gaps), states[0] - start, states[-1] - goal])

    return defects


def newton(defects: Callable) -> Callable:
    """A function from a plan to the best one near it, and how many of Newton's steps that takes.

    The best plan is where the Lagrange function's derivatives by the plan and by the multipliers
    are zero. Each step solves a sparse system.
    """

    def lagrange(plan: Plan, multipliers: np.ndarray) -> np.ndarray:
        return effort(plan) + multipliers @ defects(plan)

    gradient = at.jit(at.grad(lagrange, (0, 1)))
    hessian, jacobian = at.sparse_hessian(lagrange), at.sparse_jacobian(defects)

    def slope(plan: Plan, multipliers: np.ndarray) -> np.ndarray:
        by_plan, gaps = gradient(plan, multipliers)
        return np.concatenate([ravel_pytree(by_plan)[0], gaps])

    def step(curvature: Any, plan: Plan, multipliers: np.ndarray) -> np.ndarray:
        rows = jacobian(plan)
        matrix = scipy.sparse.block_array([[curvature, rows.T], [rows, None]], format="csc")
        return spsolve(matrix, -slope(plan, multipliers))

    def solve(plan: Plan) -> tuple[Plan, int]:
        flat, unravel = ravel_pytree(plan)
        none = np.zeros(len(defects(plan)))
        # The multipliers that fit the first plan best.
        multipliers = step(scipy.sparse.eye_array(len(flat)), plan, none)[len(flat) :]
        for count in range(1, 20):
            move = step(hessian(plan, multipliers), plan, multipliers)
            flat, multipliers = flat + move[: len(flat)], multipliers + move[len(flat) :]
            plan = unravel(flat)
            if np.max(np.abs(slope(plan, multipliers))) < 1e-9:
                return plan, count
        raise RuntimeError("Newton's method has not converged")

    return solve


def finer(plan: Plan) -> Plan:
    """The same plan with twice as many trapezoids."""

    def refined(x: np.ndarray) -> np.ndarray:
        fine = np.repeat(x, 2, axis=0)[:-1]
        fine[1::2] = 0.5 * (x[1:] + x[:-1])
        return fine

    return at.tree.map(refined, plan)


def straight(start: np.ndarray, goal: np.ndarray, count: int) -> Plan:
    """A first guess: from the start to the goal at an even pace, without force."""
    share = np.linspace(0, 1, count + 1)[:, None]
    return {"states": start + (goal - start) * share, "force": np.zeros(count + 1)}


# --- the example ------------------------------------------------------------------------------


def check_equations(report: Report) -> None:
    """Against the equations of motion as they are derived by hand."""
    report.section("1. Where the answer is known")
    q, v, force = np.array([0.3, 0.7]), np.array([-0.4, 1.1]), 2.0
    sin, cos = np.sin(q[1]), np.cos(q[1])
    pull = LENGTH * POLE * sin * v[1] ** 2 + force
    place = (pull + POLE * GRAVITY * cos * sin) / (CART + POLE * sin**2)
    angle = -(pull * cos + (CART + POLE) * GRAVITY * sin) / (LENGTH * (CART + POLE * sin**2))
    found = cart_pole(np.concatenate([q, v]), np.float64(force))
    report.agree("equations of motion", found, [*v, place, angle], rtol=1e-13)


def check_method(report: Report, count: int) -> None:
    """On a mass that is moved by one metre: its best force falls evenly."""
    start, goal = np.zeros(2), np.array([1.0, 0.0])
    defects = collocation(lambda state, force: np.stack([state[1], force]), start, goal)
    plan, steps = newton(defects)(straight(start, goal, count))
    report.agree("a mass without pole: steps", steps, 1)  # its equations are linear
    # The trapezoids are off by the square of their width; at the ends, the force by the width.
    report.agree("its effort", effort(plan), 12 / DURATION**3, rtol=5 / count**2)
    known = 6 / DURATION**2 * (1 - 2 * np.linspace(0, 1, count + 1))
    report.agree("its force", plan["force"], known, atol=known[0] / count)


def simulated(plan: Plan) -> np.ndarray:
    """Where the cart and the pole go with a plan's forces, by SciPy's solver."""
    times = np.linspace(0, DURATION, len(plan["force"]))
    rates = at.jit(cart_pole)

    def turn(t: float, state: np.ndarray) -> np.ndarray:
        return rates(state, np.interp(t, times, plan["force"]))

    step = times[1]  # the force has a corner at each
    return solve_ivp(turn, (0, DURATION), DOWN, max_step=step, rtol=1e-9, atol=1e-9).y[:, -1]


def example(report: Report, short: bool) -> dict[str, Any]:
    """Check the method, swing the pole up on a coarse mesh, and refine it."""
    check_equations(report)
    check_method(report, 10 if short else 20)

    report.section("2. The swing-up on a coarse mesh, by SLSQP")
    defects = collocation(cart_pole, DOWN, UP)
    found = optimize.minimize(
        effort,
        straight(DOWN, UP, 10 if short else 20),
        method="SLSQP",
        constraints={"type": "eq", "fun": defects},
        options={"maxiter": 200},
    )
    plan = found.x
    report.line("unknowns, constraints", f"{found.jac.size}, {len(defects(plan))}")
    report.line("iterations", found.nit)
    report.check("largest defect", np.max(np.abs(defects(plan))), 1e-6)

    report.section("3. On finer meshes, by Newton's method")
    solve, efforts = newton(defects), []
    for mesh in range(1 if short else 5):
        plan, steps = solve(finer(plan) if mesh else plan)
        efforts.append(float(effort(plan)))
        report.line(
            f"{len(plan['force']) - 1} trapezoids", f"{steps} steps, effort {efforts[-1]:.6f}"
        )
    structure = at.sparse_jacobian(defects).structure(plan)
    report.line("products for the Jacobian", structure.forward + structure.reverse)
    if not short:
        # Of second order: half the width, a quarter of the error.
        ratio = (efforts[-3] - efforts[-2]) / (efforts[-2] - efforts[-1])
        report.agree("changes of the effort, ratio", ratio, 4.0, rtol=0.05)
        # The path is unstable: what the trapezoids are off by has grown at the end.
        off = np.max(np.abs(simulated(plan) - UP))
        report.check("simulated: distance from the goal", off, 0.05)
    return {"plan": plan}


def picture(figure: Any, results: dict[str, Any]) -> None:
    """The cart and the pole at some moments, and the force over time."""
    left, right = figure.subplots(1, 2, width_ratios=[1.4, 1])
    states, force = results["plan"]["states"], results["plan"]["force"]
    place, angle = states[:, 0], states[:, 1]
    bob = np.stack([place + LENGTH * np.sin(angle), -LENGTH * np.cos(angle)], axis=1)
    left.plot(*bob[::4].T, color="0.7", lw=1)
    for i in np.linspace(0, len(force) - 1, 14).astype(int):
        color = (i / len(force), 0.25, 1 - i / len(force))
        left.plot([place[i], bob[i, 0]], [0.0, bob[i, 1]], color=color, lw=1.5)
        left.plot(place[i], 0.0, "s", color=color, ms=5)
        left.plot(*bob[i], "o", color=color, ms=5)
    left.set(aspect="equal", xlabel="m", ylabel="m", title="The swing, from blue to red")
    right.plot(np.linspace(0, DURATION, len(force))[::2], force[::2], color="C3")
    right.set(xlabel="time in s", ylabel="force in N", title="The force")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
