"""Minima under constraints, with derivatives by the conditions of Karush, Kuhn and Tucker."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import numpy as anp
from ...api.differentiate import grad
from ...api.inspect import eval_shape
from ...api.jacobians import jacfwd
from .implicit import Problem, find_root
from .objectives import (
    FIRST_ORDER,
    limits_of,
    objective_of,
    optimize,
    projected,
    scalar,
    weighted_hessian,
)

#: How near to its bound a constraint holds as an equation.
_ACTIVE = 1e-4


@dataclass(frozen=True)
class _Part:
    """Calls a function of unknowns and multipliers, with some of its results.

    Attributes:
      places: those of the results that are wanted; the first result is what is minimized.
      multipliers: how many there are.
    """

    places: int | tuple[int, ...]
    multipliers: int

    def __call__(self, fun: Callable, v: Any, *args: Any) -> Any:
        values = fun(np.concatenate([v, np.zeros(self.multipliers)]), *args)
        return values[np.array(self.places)]


def _with_bounds(problem: Problem, constraint: Any) -> tuple[Callable, Any, Any]:
    """A constraint as a function of the flat unknowns, and the bounds of its results."""
    if isinstance(constraint, dict):
        own = problem.of(constraint["fun"], constraint.get("args", ()))
        return own.plain(), 0.0, 0.0 if constraint["type"] == "eq" else np.inf
    if isinstance(constraint, optimize.LinearConstraint):
        matrix = np.atleast_2d(constraint.A)
        return lambda v: matrix @ v, constraint.lb, constraint.ub
    return problem.of(constraint.fun, ()).plain(), constraint.lb, constraint.ub


def constrained_minimum(
    problem: Problem, bounds: Any, constraints: Sequence[Any], settings: dict
) -> Any:
    """A minimum and the constraints' multipliers, as a root of the conditions for both."""
    parts = [_with_bounds(problem, c) for c in constraints]
    start, objective = problem.start, problem.plain()
    shapes = [eval_shape(g, start).shape for g, _, _ in parts]
    size, count = start.size, sum(math.prod(shape) for shape in shapes)
    lower, upper = (
        np.concatenate(
            [np.ravel(anp.broadcast_to(b, s)) for b, s in zip(side, shapes, strict=True)]
        )
        for side in ([low for _, low, _ in parts], [high for _, _, high in parts])
    )

    def everything(z: Any) -> Any:
        v = z[:size]
        return np.concatenate([np.reshape(objective(v), 1), *(np.ravel(g(v)) for g, _, _ in parts)])

    whole = Problem("minimize", everything, np.concatenate([start, np.zeros(count)]))

    def solve(own: Problem, low: Any, high: Any, lower: Any, upper: Any) -> Any:
        own.start = own.start[:size]
        limits = None if low is None else optimize.Bounds(low, high)
        method = (settings["method"] or "SLSQP").lower()
        minimized = own.calling(_Part(0, count))
        limited = own.calling(_Part(tuple(range(1, count + 1)), count), vector=True)
        equal = lower == upper
        made = [_limited(own, lower, upper, rows, method) for rows in (equal, ~equal) if rows.any()]
        goal, derivatives = objective_of(minimized, method, settings)
        given = {**settings, **derivatives, "method": method, "bounds": limits}
        result = optimize.minimize(goal, own.start, constraints=made, **given)
        gradient = minimized.compiled(_gradient)(result.x)
        values, jacobian = limited.compiled()(result.x), limited.compiled(jacfwd)(result.x)
        free = np.ones(size, bool) if low is None else _between(result.x, low, high)
        held = ~_between(values, lower, upper)
        multipliers = np.zeros(count)
        multipliers[held] = np.linalg.lstsq(jacobian[held][:, free].T, gradient[free])[0]
        result.x = np.concatenate([result.x, multipliers])
        return result

    def conditions(f: Callable, z: Any, low: Any, high: Any, lower: Any, upper: Any) -> Any:
        v, multipliers = z[:size], z[size:]

        def lagrangian(v: Any) -> Any:
            values = f(np.concatenate([v, multipliers]))
            return values[0] - np.sum(multipliers * values[1:])

        limited = f(z)[1:]
        slack = projected(multipliers, limited, lower, upper)
        return np.concatenate([projected(grad(lagrangian)(v), v, low, high), slack])

    counts = ("success", "status", "nit", "nfev")
    more = (*limits_of(bounds, size), lower, upper)
    f, z, info = find_root(whole, solve, conditions, counts, more)
    return optimize.OptimizeResult(x=problem.unravel(z[:size]), fun=f(z)[0], **info)


def _limited(
    problem: Problem, lower: np.ndarray, upper: np.ndarray, rows: np.ndarray, method: str
) -> Any:
    """Some of the constraints, for SciPy."""
    part = _Part(tuple((1 + np.flatnonzero(rows)).tolist()), rows.size)
    own = problem.calling(part, vector=True)
    bends = {} if method in FIRST_ORDER else {"hess": own.compiled(weighted_hessian)}
    return optimize.NonlinearConstraint(
        own.compiled(), lower[rows], upper[rows], own.compiled(jacfwd), **bends
    )


def _gradient(f: Callable) -> Callable:
    return grad(scalar(f))


def _between(x: Any, low: Any, high: Any) -> Any:
    """Which numbers are well within their bounds."""
    near = _ACTIVE * (1 + np.abs(x))
    return (x - low > near) & (high - x > near)
