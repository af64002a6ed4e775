"""Minima of functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...api.differentiate import grad
from ...core.trace import active_traces
from .constrained import constrained_minimum
from .implicit import Problem, find_root, plain_call
from .objectives import limits_of, objective_of, optimize, own_constraint, projected, scalar


def minimize(
    fun: Callable,
    x0: Any,
    args: Any = (),
    method: Any = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable | None = None,
    options: dict | None = None,
) -> Any:
    """``scipy.optimize.minimize`` with compiled derivatives: value and gradient in one call, and
    Hessian-vector products or the Hessian for the methods that use them.

    Args:
      fun: a function of the unknowns and ``args`` to a scalar; compiled as ``jit`` does it, so that
        what it uses from outside counts as constant between calls with the same function.
      x0: a first guess: an array or a pytree of arrays; ``fun`` gets the unknowns in its structure,
        in float64. A number, or a list or tuple of numbers, counts as an array of one dimension.
      args: further arguments of ``fun``.
      method: as for SciPy's function.
      jac, hess, hessp: derivatives of one's own, as SciPy takes them, of arrays of one dimension;
        compiled ones when None. With ``jac=True`` the function returns a pair, the second of which
        is left aside. ``hess="sparse"`` gives a method that takes Hessians sparse ones.
      bounds, tol, callback, options: as for SciPy's function, with the unknowns laid out flat.
      constraints: as for SciPy's function. Functions in them get the unknowns as ``fun`` does, and
        compiled derivatives where they come without.

    Returns:
      SciPy's ``OptimizeResult``, with ``x`` in the structure of ``x0``. In traced code it has
      ``x``, ``fun``, ``success``, ``status``, ``nit`` and ``nfev``, of which the first two have
      derivatives with respect to ``args``, the bounds, and what else ``fun`` and the constraints
      use.

    Under constraints the derivatives are those of the conditions of Karush, Kuhn and Tucker, with
    the constraints that hold as equations at the minimum, which must be independent of each other.

    >>> import numpy as np
    >>> from autotrace import grad
    >>> def f(x, a):
    ...     return np.sum((x - a) ** 4 + (x - a) ** 2)
    >>> minimize(f, np.zeros(2), args=(np.array([1.0, 2.0]),), tol=1e-9).x.round(6)
    array([1., 2.])
    >>> grad(lambda a: np.sum(minimize(f, np.zeros(2), args=(a,), tol=1e-9).x ** 2))(2.0).round(6)
    np.float64(8.0)
    """
    pair = jac is True  # the function returns its gradient, too; a compiled one serves
    problem = Problem("minimize", fun, x0, args, call=_first_of_pair if pair else plain_call)
    jac = None if pair or jac is False else jac
    if isinstance(constraints, dict) or not isinstance(constraints, Sequence):
        constraints = [constraints]
    settings = {"tol": tol, "callback": callback, "options": options}
    settings |= {"method": method, "jac": jac, "hess": hess, "hessp": hessp}
    if active_traces():
        if constraints:
            return constrained_minimum(problem, bounds, constraints, settings)
        return _traced_minimum(problem, bounds, settings)
    return problem.finished(_minimum(problem, bounds, constraints, settings))


def _first_of_pair(fun: Callable, x: Any, *args: Any) -> Any:
    return fun(x, *args)[0]


def _minimum(problem: Problem, bounds: Any, constraints: Any, settings: dict) -> Any:
    method = settings["method"]
    if method is None:
        method = "SLSQP" if constraints else "BFGS" if bounds is None else "L-BFGS-B"
    if isinstance(method, str):
        method = method.lower()
    objective, derivatives = objective_of(problem, method, settings)
    own = [own_constraint(problem, c, method) for c in constraints]
    settings = {**settings, **derivatives, "bounds": bounds, "constraints": own}
    return optimize.minimize(objective, problem.start, **settings)


def _traced_minimum(problem: Problem, bounds: Any, settings: dict) -> Any:
    low, high = limits_of(bounds, problem.start.size)

    def solve(problem: Problem, low: Any, high: Any) -> Any:
        limits = None if low is None else optimize.Bounds(low, high)
        return _minimum(problem, limits, (), settings)

    def stationary(f: Callable, v: Any, low: Any, high: Any) -> Any:
        return projected(grad(scalar(f))(v), v, low, high)

    counts = ("success", "status", "nit", "nfev")
    f, x, info = find_root(problem, solve, stationary, counts, (low, high))
    return optimize.OptimizeResult(x=problem.unravel(x), fun=scalar(f)(x), **info)


def minimize_scalar(
    fun: Callable,
    bracket: Any = None,
    bounds: Any = None,
    args: Any = (),
    method: Any = None,
    tol: float | None = None,
    options: dict | None = None,
) -> Any:
    """``scipy.optimize.minimize_scalar`` of a compiled function.

    Args:
      fun: a function of a number and ``args`` to a number.
      bracket, bounds, method, tol, options: as for SciPy's function.
      args: further arguments of ``fun``.

    Returns:
      SciPy's ``OptimizeResult``; in traced code as ``minimize``.

    >>> import numpy as np
    >>> from autotrace import grad
    >>> f = lambda x, a: np.cosh(x - a)
    >>> float(minimize_scalar(f, args=(2.0,)).x.round(6))
    2.0
    >>> float(grad(lambda a: minimize_scalar(f, args=(a,)).x)(2.0).round(6))
    1.0
    """
    problem = Problem("minimize_scalar", fun, 0.0, args, elementwise=True)
    settings = {"bracket": bracket, "method": method, "tol": tol, "options": options}
    if not active_traces():
        return optimize.minimize_scalar(problem.compiled(), bounds=bounds, **settings)
    low, high = (None, None) if bounds is None else bounds

    def solve(problem: Problem, low: Any, high: Any) -> Any:
        limits = None if low is None else (low, high)
        return optimize.minimize_scalar(problem.compiled(), bounds=limits, **settings)

    def stationary(f: Callable, v: Any, low: Any, high: Any) -> Any:
        return projected(grad(f)(v), v, low, high)

    counts = ("success", "nit", "nfev")
    f, x, info = find_root(problem, solve, stationary, counts, (low, high))
    return optimize.OptimizeResult(x=x, fun=f(x), **info)
