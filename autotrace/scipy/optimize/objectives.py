"""What SciPy's minimizers are given: functions of a flat vector, and the derivatives they use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...api.arguments import name_of
from ...api.differentiate import grad, jvp, value_and_grad
from ...api.jacobians import hessian, jacfwd
from ...api.sparse import sparse_hessian
from ...core.lazy import LazyModule
from ...numpy import array
from .implicit import Problem

optimize: Any = LazyModule("scipy.optimize")

#: What each method of ``minimize`` uses: the value only, or the dense Hessian; all others that are
#: not named use Hessian-vector products, or those in ``FIRST_ORDER`` the gradient.
VALUES_ONLY = ("nelder-mead", "powell", "cobyla", "cobyqa")
FIRST_ORDER = ("cg", "bfgs", "l-bfgs-b", "tnc", "slsqp")
DENSE_HESSIAN = ("dogleg", "trust-exact")


def objective_of(problem: Problem, method: Any, settings: dict) -> tuple[Callable, dict[str, Any]]:
    """What SciPy minimizes, and the derivatives that the method uses."""
    if method in VALUES_ONLY:
        return problem.compiled(scalar), {}
    made: dict[str, Any] = {}
    if settings["hess"] == "sparse":
        made["hess"] = problem.made(_sparse_hessian)
    elif settings["hess"] is None and settings["hessp"] is None and method not in FIRST_ORDER:
        if method in DENSE_HESSIAN:
            made["hess"] = problem.compiled(_hessian)
        else:
            made["hessp"] = problem.compiled(_hessian_product)
    if settings["jac"] is not None:
        return problem.compiled(scalar), made
    return problem.compiled(_value_and_gradient), {**made, "jac": True}


def _value_and_gradient(f: Callable) -> Callable:
    return value_and_grad(scalar(f))


def _hessian(f: Callable) -> Callable:
    return hessian(scalar(f))


def _sparse_hessian(f: Callable) -> Callable:
    return sparse_hessian(scalar(f))


def scalar(f: Callable) -> Callable:
    """A function whose result may be an array of one element, as SciPy's functions take them."""

    def scalar_f(v: Any, *args: Any) -> Any:
        value = f(v, *args)
        return value.reshape(()) if np.size(value) == 1 and np.ndim(value) else value

    scalar_f.__name__ = name_of(f)
    return scalar_f


def _hessian_product(f: Callable) -> Callable:
    def product(v: Any, p: Any, *args: Any) -> Any:
        direction = p.astype(v.dtype)  # SciPy tries some of integers
        return jvp(lambda v: grad(scalar(f))(v, *args), (v,), (direction,))[1]

    return product


def own_constraint(problem: Problem, constraint: Any, method: Any) -> Any:
    """A constraint with compiled derivatives, where it is a function and has none."""
    if isinstance(constraint, dict):
        own = problem.of(constraint["fun"], constraint.get("args", ()))
        found = {**constraint, "fun": own.compiled(), "args": ()}
        if constraint.get("jac") is None and method not in VALUES_ONLY:
            found["jac"] = own.compiled(jacfwd)
        return found
    if not isinstance(constraint, optimize.NonlinearConstraint):
        return constraint
    own = problem.of(constraint.fun, ())
    jac, hess = constraint.jac, constraint.hess
    if isinstance(jac, str):  # of differences
        jac = own.compiled(jacfwd)
    # What there is when none is given, and a warning where one is and is not used.
    if isinstance(hess, optimize.BFGS) and method not in FIRST_ORDER:
        hess = own.compiled(weighted_hessian)
    return optimize.NonlinearConstraint(
        own.compiled(), constraint.lb, constraint.ub, jac, hess, constraint.keep_feasible
    )


def weighted_hessian(f: Callable) -> Callable:
    return lambda v, weights, *args: hessian(lambda v: np.sum(weights * f(v, *args)))(v)


def limits_of(bounds: Any, size: int) -> tuple[Any, Any]:
    if bounds is None:
        return None, None
    if isinstance(bounds, optimize.Bounds):
        return np.broadcast_to(bounds.lb, size), np.broadcast_to(bounds.ub, size)
    sides = zip(*bounds, strict=True)
    low, high = (
        [s * np.inf if x is None else x for x in side]
        for s, side in zip((-1, 1), sides, strict=True)
    )
    return array(low), array(high)


def projected(gradient: Any, v: Any, low: Any, high: Any) -> Any:
    """What is zero at a minimum: the gradient; with bounds, how far a step against it leads that
    stays within them."""
    return gradient if low is None else v - np.minimum(np.maximum(v - gradient, low), high)
