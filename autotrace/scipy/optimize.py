"""SciPy's optimizers and root finders, with derivatives: compiled ones for them, and those of what
they find.

Each function is SciPy's own, given gradients, Hessians and Jacobians that are compiled. What it
finds has derivatives with respect to arguments by the implicit function theorem: a minimum is a
root of the gradient. In traced code (under ``grad``, ``jit``, ``vmap``) SciPy's function is a step
of the program that runs in Python.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import numpy as anp
from ..api.arguments import check_callable, name_of
from ..api.differentiate import elementwise_grad, grad, jvp, value_and_grad
from ..api.inspect import eval_shape
from ..api.jacobians import hessian, jacfwd
from ..api.sparse import sparse_hessian, sparse_jacobian
from ..core.errors import located
from ..core.lazy import LazyModule
from ..core.trace import active_traces
from ..numpy import array
from ._implicit import Problem, find_root, is_traced, plain_call

__all__ = [
    "brentq",
    "curve_fit",
    "least_squares",
    "minimize",
    "minimize_scalar",
    "newton",
    "root",
    "root_scalar",
]

optimize: Any = LazyModule("scipy.optimize")

#: What each method of ``minimize`` uses: the value only, or the dense Hessian; all others that are
#: not named use Hessian-vector products, or those in ``_FIRST_ORDER`` the gradient.
_VALUES_ONLY = ("nelder-mead", "powell", "cobyla", "cobyqa")
_FIRST_ORDER = ("cg", "bfgs", "l-bfgs-b", "tnc", "slsqp")
_DENSE_HESSIAN = ("dogleg", "trust-exact")


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
            return _constrained_minimum(problem, bounds, constraints, settings)
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
    objective, derivatives = _objective(problem, method, settings)
    own = [_constraint(problem, c, method) for c in constraints]
    settings = {**settings, **derivatives, "bounds": bounds, "constraints": own}
    return optimize.minimize(objective, problem.start, **settings)


def _objective(problem: Problem, method: Any, settings: dict) -> tuple[Callable, dict[str, Any]]:
    """What SciPy minimizes, and the derivatives that the method uses."""
    if method in _VALUES_ONLY:
        return problem.compiled(_scalar), {}
    made: dict[str, Any] = {}
    if settings["hess"] == "sparse":
        made["hess"] = problem.made(_sparse_hessian)
    elif settings["hess"] is None and settings["hessp"] is None and method not in _FIRST_ORDER:
        if method in _DENSE_HESSIAN:
            made["hess"] = problem.compiled(_hessian)
        else:
            made["hessp"] = problem.compiled(_hessian_product)
    if settings["jac"] is not None:
        return problem.compiled(_scalar), made
    return problem.compiled(_value_and_gradient), {**made, "jac": True}


def _value_and_gradient(f: Callable) -> Callable:
    return value_and_grad(_scalar(f))


def _hessian(f: Callable) -> Callable:
    return hessian(_scalar(f))


def _sparse_hessian(f: Callable) -> Callable:
    return sparse_hessian(_scalar(f))


def _scalar(f: Callable) -> Callable:
    """A function whose result may be an array of one element, as SciPy's functions take them."""

    def scalar(v: Any, *args: Any) -> Any:
        value = f(v, *args)
        return value.reshape(()) if np.size(value) == 1 and np.ndim(value) else value

    scalar.__name__ = name_of(f)
    return scalar


def _hessian_product(f: Callable) -> Callable:
    def product(v: Any, p: Any, *args: Any) -> Any:
        direction = p.astype(v.dtype)  # SciPy tries some of integers
        return jvp(lambda v: grad(_scalar(f))(v, *args), (v,), (direction,))[1]

    return product


def _constraint(problem: Problem, constraint: Any, method: Any) -> Any:
    """A constraint with compiled derivatives, where it is a function and has none."""
    if isinstance(constraint, dict):
        own = problem.of(constraint["fun"], constraint.get("args", ()))
        found = {**constraint, "fun": own.compiled(), "args": ()}
        if constraint.get("jac") is None and method not in _VALUES_ONLY:
            found["jac"] = own.compiled(jacfwd)
        return found
    if not isinstance(constraint, optimize.NonlinearConstraint):
        return constraint
    own = problem.of(constraint.fun, ())
    jac, hess = constraint.jac, constraint.hess
    if isinstance(jac, str):  # of differences
        jac = own.compiled(jacfwd)
    # What there is when none is given, and a warning where one is and is not used.
    if isinstance(hess, optimize.BFGS) and method not in _FIRST_ORDER:
        hess = own.compiled(_weighted_hessian)
    return optimize.NonlinearConstraint(
        own.compiled(), constraint.lb, constraint.ub, jac, hess, constraint.keep_feasible
    )


def _weighted_hessian(f: Callable) -> Callable:
    return lambda v, weights, *args: hessian(lambda v: np.sum(weights * f(v, *args)))(v)


def _traced_minimum(problem: Problem, bounds: Any, settings: dict) -> Any:
    low, high = _limits(bounds, problem.start.size)

    def solve(problem: Problem, low: Any, high: Any) -> Any:
        limits = None if low is None else optimize.Bounds(low, high)
        return _minimum(problem, limits, (), settings)

    def stationary(f: Callable, v: Any, low: Any, high: Any) -> Any:
        return _projected(grad(_scalar(f))(v), v, low, high)

    counts = ("success", "status", "nit", "nfev")
    f, x, info = find_root(problem, solve, stationary, counts, (low, high))
    return optimize.OptimizeResult(x=problem.unravel(x), fun=_scalar(f)(x), **info)


# --- constraints ---------------------------------------------------------------------------------

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


def _constrained_minimum(
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
        goal, derivatives = _objective(minimized, method, settings)
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
        slack = _projected(multipliers, limited, lower, upper)
        return np.concatenate([_projected(grad(lagrangian)(v), v, low, high), slack])

    counts = ("success", "status", "nit", "nfev")
    more = (*_limits(bounds, size), lower, upper)
    f, z, info = find_root(whole, solve, conditions, counts, more)
    return optimize.OptimizeResult(x=problem.unravel(z[:size]), fun=f(z)[0], **info)


def _limited(
    problem: Problem, lower: np.ndarray, upper: np.ndarray, rows: np.ndarray, method: str
) -> Any:
    """Some of the constraints, for SciPy."""
    part = _Part(tuple((1 + np.flatnonzero(rows)).tolist()), rows.size)
    own = problem.calling(part, vector=True)
    bends = {} if method in _FIRST_ORDER else {"hess": own.compiled(_weighted_hessian)}
    return optimize.NonlinearConstraint(
        own.compiled(), lower[rows], upper[rows], own.compiled(jacfwd), **bends
    )


def _gradient(f: Callable) -> Callable:
    return grad(_scalar(f))


def _between(x: Any, low: Any, high: Any) -> Any:
    """Which numbers are well within their bounds."""
    near = _ACTIVE * (1 + np.abs(x))
    return (x - low > near) & (high - x > near)


def _limits(bounds: Any, size: int) -> tuple[Any, Any]:
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


def _projected(gradient: Any, v: Any, low: Any, high: Any) -> Any:
    """What is zero at a minimum: the gradient; with bounds, how far a step against it leads that
    stays within them."""
    return gradient if low is None else v - np.minimum(np.maximum(v - gradient, low), high)


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
        return _projected(grad(f)(v), v, low, high)

    counts = ("success", "nit", "nfev")
    f, x, info = find_root(problem, solve, stationary, counts, (low, high))
    return optimize.OptimizeResult(x=x, fun=f(x), **info)


#: What ``least_squares`` makes of squared residuals, by the name of the loss.
_LOSSES: dict[str, Callable] = {
    "linear": lambda z: z,
    "soft_l1": lambda z: 2 * (np.sqrt(1 + z) - 1),
    "huber": lambda z: np.where(z <= 1, z, 2 * np.sqrt(np.where(z <= 1, 1, z)) - 1),
    "cauchy": lambda z: np.log1p(z),
    "arctan": lambda z: np.arctan(z),
}


def least_squares(
    fun: Callable,
    x0: Any,
    jac: Any = None,
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    *,
    loss: Any = "linear",
    f_scale: float = 1.0,
    jac_sparsity: Any = None,
    args: Any = (),
    kwargs: dict | None = None,
    **options: Any,
) -> Any:
    """``scipy.optimize.least_squares`` with a compiled Jacobian.

    Args:
      fun: a function of the unknowns and ``args`` to the residuals, an array or a pytree of arrays.
      x0: a first guess, as for ``minimize``.
      jac: a Jacobian of one's own, as SciPy takes it; compiled when None.
      jac_sparsity: ``"auto"`` for a sparse Jacobian (see ``sparse_jacobian``), or its pattern if
        known, a sparse or dense array; None for a dense one.
      args, kwargs: further arguments of ``fun``.
      bounds, method, loss, f_scale, options: as for SciPy's function.

    Returns:
      SciPy's ``OptimizeResult``, with ``x`` in the structure of ``x0``. In traced code it has
      ``x``, ``cost``, ``fun``, ``success``, ``status`` and ``nfev``, of which the first three have
      derivatives.

    Raises:
      NotImplementedError: in traced code, with a loss that is a function.

    >>> import numpy as np
    >>> def residuals(x):
    ...     return np.concatenate([x[1:] - x[:-1] ** 2, x - 1])
    >>> least_squares(residuals, np.zeros(50), jac_sparsity="auto").x[:3].round(6)
    array([1., 1., 1.])
    """
    problem = Problem("least_squares", fun, x0, args, kwargs, vector=True)
    settings = {"jac": jac, "method": method, "loss": loss, "f_scale": f_scale, **options}
    if isinstance(bounds, optimize.Bounds):
        bounds = bounds.lb, bounds.ub
    if active_traces():
        return _traced_least_squares(problem, bounds, jac_sparsity, settings)
    return problem.finished(_least_squares(problem, bounds, jac_sparsity, settings))


def _least_squares(problem: Problem, bounds: Any, sparsity: Any, settings: dict) -> Any:
    jac = settings["jac"]
    if isinstance(sparsity, str):
        if sparsity != "auto":
            raise ValueError(
                f"least_squares: jac_sparsity is 'auto', an array or None, got {sparsity!r}"
            )
        jac = problem.made(sparse_jacobian)
    elif jac is None and sparsity is None:
        jac = problem.compiled(jacfwd)
    elif jac is None:
        jac = problem.made(functools.partial(sparse_jacobian, pattern=sparsity))
    settings = {**settings, "jac": jac, "bounds": bounds}
    return optimize.least_squares(problem.compiled(), problem.start, **settings)


def _traced_least_squares(problem: Problem, bounds: Any, sparsity: Any, settings: dict) -> Any:
    if not isinstance(settings["loss"], str):
        raise NotImplementedError(
            located(
                "least_squares: with a loss that is a function the solution has no derivative here",
                f"What to do: use one of {', '.join(_LOSSES)}; or minimize.",
            )
        )
    loss, scale = _LOSSES[settings["loss"]], settings["f_scale"]
    low, high = _sides(bounds, problem.start.size)

    def solve(problem: Problem, low: Any, high: Any) -> Any:
        limits = (-np.inf, np.inf) if low is None else (low, high)
        return _least_squares(problem, limits, sparsity, settings)

    def cost(f: Callable, v: Any) -> Any:
        return 0.5 * scale**2 * np.sum(loss((f(v) / scale) ** 2))

    def stationary(f: Callable, v: Any, low: Any, high: Any) -> Any:
        return _projected(grad(lambda v: cost(f, v))(v), v, low, high)

    counts = ("success", "status", "nfev")
    f, x, info = find_root(problem, solve, stationary, counts, (low, high))
    return optimize.OptimizeResult(x=problem.unravel(x), cost=cost(f, x), fun=f(x), **info)


def _sides(bounds: Any, size: int) -> tuple[Any, Any]:
    """Bounds given as a pair, each for all unknowns; none where they are infinite."""
    if not is_traced(bounds) and all(bool(np.isinf(b).all()) for b in bounds):
        return None, None
    low, high = (np.broadcast_to(array(b) * 1.0, (size,)) for b in bounds)
    return low, high


def curve_fit(
    f: Callable,
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Any = None,
    **options: Any,
) -> tuple:
    """``scipy.optimize.curve_fit`` with a compiled Jacobian.

    Args:
      f: the model, a function ``f(xdata, *parameters)`` to an array like ``ydata``.
      xdata: what ``f`` takes, an array.
      ydata: an array of one dimension.
      p0: a first guess of the parameters, an array or a sequence of numbers; ones when None.
      jac: a Jacobian of one's own; compiled when None.
      sigma, absolute_sigma, bounds, method, options: as for SciPy's function.

    Returns:
      The parameters and their covariance, and what else SciPy returns with ``full_output``. In
      traced code both have derivatives with respect to ``xdata``, ``ydata`` and ``sigma``.

    Raises:
      NotImplementedError: in traced code, where ``sigma`` is a matrix.

    >>> import numpy as np
    >>> t = np.linspace(0, 1, 20)
    >>> p, covariance = curve_fit(lambda t, a, b: a * np.exp(-b * t), t, 3 * np.exp(-2 * t))
    >>> p.round(6), covariance.shape
    (array([3., 2.]), (2, 2))
    """
    check_callable(f, "curve_fit")
    count = len(inspect.signature(f).parameters) - 1 if p0 is None else np.size(p0)
    start = np.ones(count) if p0 is None else np.asarray(p0, float)
    options |= {"bounds": bounds, "method": method}
    if active_traces() and is_traced((xdata, ydata, sigma)):
        return _traced_fit(f, (xdata, ydata, sigma), start, absolute_sigma, options)
    problem = Problem("curve_fit", f, start, (xdata,), vector=True, call=_model)
    model, slope = problem.compiled(), problem.compiled(jacfwd)

    def curve(x: Any, *parameters: Any) -> Any:
        return model(np.array(parameters))

    def slopes(x: Any, *parameters: Any) -> Any:
        return slope(np.array(parameters))

    guess = p0 if p0 is not None else _feasible(bounds, start)
    options["jac"] = slopes if jac is None else jac
    return optimize.curve_fit(curve, xdata, ydata, guess, sigma, absolute_sigma, **options)


def _model(f: Callable, parameters: Any, xdata: Any) -> Any:
    return f(xdata, *parameters)


def _feasible(bounds: Any, start: np.ndarray) -> np.ndarray:
    """Ones, or what is in the middle of bounds, or one off a single bound, as SciPy begins."""
    if isinstance(bounds, optimize.Bounds):
        bounds = bounds.lb, bounds.ub
    low, high = (np.broadcast_to(np.asarray(b, float), start.shape) for b in bounds)
    below, above = np.isfinite(low), np.isfinite(high)
    with np.errstate(invalid="ignore"):
        middle = (low + high) / 2
    return np.where(
        below & above, middle, np.where(below, low + 1, np.where(above, high - 1, start))
    )


def _traced_fit(
    f: Callable, data: tuple, start: np.ndarray, absolute_sigma: bool, options: dict
) -> tuple:
    xdata, ydata, sigma = data
    if sigma is not None and np.ndim(sigma) > 1:
        raise NotImplementedError(
            located("curve_fit: in traced code sigma has one dimension, or is a number")
        )
    bounds, method = options.pop("bounds"), options.pop("method")
    guess = _feasible(bounds, start)
    free = _sides(bounds, start.size)[0] is None
    weight = 1.0 if sigma is None else 1 / sigma

    def residuals(p: Any) -> Any:
        return (f(xdata, *p) - ydata) * weight

    result = least_squares(
        residuals, guess, None, bounds, method or ("lm" if free else "trf"), **options
    )
    jacobian = jacfwd(residuals)(result.x)
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    if not absolute_sigma:
        covariance = covariance * (2 * result.cost / (np.size(ydata) - start.size))
    return result.x, covariance


def root(
    fun: Callable,
    x0: Any,
    args: Any = (),
    method: str = "hybr",
    jac: Any = None,
    tol: float | None = None,
    callback: Callable | None = None,
    options: dict | None = None,
) -> Any:
    """``scipy.optimize.root`` with a compiled Jacobian.

    Args:
      fun: a function of the unknowns and ``args`` to as many numbers, an array or a pytree.
      x0: a first guess, as for ``minimize``.
      args: further arguments of ``fun``.
      jac: a Jacobian of one's own; compiled when None.
      method, tol, callback, options: as for SciPy's function.

    Returns:
      SciPy's ``OptimizeResult``, with ``x`` in the structure of ``x0``. In traced code it has
      ``x``, ``fun`` and ``success``, of which the first has derivatives.

    >>> import numpy as np
    >>> from autotrace import grad
    >>> f = lambda x, a: np.array([x[0] * x[1] - a, x[0] - x[1]])
    >>> root(f, np.ones(2), args=(9.0,)).x.round(6)
    array([3., 3.])
    >>> float(grad(lambda a: root(f, np.ones(2), args=(a,)).x[0])(9.0).round(6))
    0.166667
    """
    problem = Problem("root", fun, x0, args, vector=True)

    def solve(problem: Problem) -> Any:
        slope = problem.compiled(jacfwd) if jac is None and method in ("hybr", "lm") else jac
        settings = {"method": method, "tol": tol, "callback": callback, "options": options}
        return optimize.root(problem.compiled(), problem.start, jac=slope, **settings)

    if not active_traces():
        return problem.finished(solve(problem))
    f, x, info = find_root(problem, solve, lambda f, v: f(v), ("success",))
    return optimize.OptimizeResult(x=problem.unravel(x), fun=f(x), **info)


def root_scalar(
    f: Callable,
    args: Any = (),
    method: str | None = None,
    bracket: Any = None,
    fprime: Any = None,
    fprime2: Any = None,
    x0: Any = None,
    x1: Any = None,
    **settings: Any,
) -> Any:
    """``scipy.optimize.root_scalar`` with compiled derivatives for the methods that use them.

    Args:
      f: a function of a number and ``args`` to a number.
      args: further arguments of ``f``.
      method: as for SciPy's function; when None, ``"brentq"`` with a bracket, ``"secant"`` with
        ``x1``, else ``"newton"``.
      fprime, fprime2: derivatives of one's own; compiled when None.
      bracket, x0, x1, settings: as for SciPy's function.

    Returns:
      SciPy's ``RootResults``; in traced code an ``OptimizeResult`` with ``root``, which has
      derivatives, ``converged``, ``iterations`` and ``function_calls``.

    >>> from autotrace import grad
    >>> f = lambda x, a: x**3 - a
    >>> root_scalar(f, args=(8.0,), x0=1.0).root.round(6)
    np.float64(2.0)
    >>> float(grad(lambda a: root_scalar(f, args=(a,), bracket=(0.0, 9.0)).root)(8.0).round(6))
    0.083333
    """
    if method is None:
        method = "brentq" if bracket is not None else "secant" if x1 is not None else "newton"
    own = {"method": method, "bracket": bracket, "x0": x0, "x1": x1, **settings}
    problem = Problem("root_scalar", f, 0.0, args, elementwise=True)

    def solve(problem: Problem) -> Any:
        slopes = {"fprime": fprime, "fprime2": fprime2}
        for name, order in _SLOPES.get(method, {}).items():
            slopes[name] = problem.compiled(order) if slopes[name] is None else slopes[name]
        return optimize.root_scalar(problem.compiled(), **slopes, **own)

    if not active_traces():
        return solve(problem)
    counts = ("converged", "iterations", "function_calls")
    _, x, info = find_root(problem, solve, lambda f, v: f(v), counts, found="root")
    return optimize.OptimizeResult(root=x, **info)


def _second_derivative(f: Callable) -> Callable:
    return elementwise_grad(elementwise_grad(f))


#: The derivatives that methods of ``root_scalar`` use.
_SLOPES: dict[str, dict[str, Callable]] = {
    "newton": {"fprime": elementwise_grad},
    "halley": {"fprime": elementwise_grad, "fprime2": _second_derivative},
}


def brentq(
    f: Callable,
    a: float,
    b: float,
    args: Any = (),
    xtol: float = 2e-12,
    rtol: float = 8.881784197001252e-16,
    maxiter: int = 100,
    full_output: bool = False,
    disp: bool = True,
) -> Any:
    """``scipy.optimize.brentq`` of a compiled function: a root between ``a`` and ``b``.

    Args:
      f: a function of a number and ``args`` to a number, of different signs at ``a`` and ``b``.
      args: further arguments of ``f``.
      xtol, rtol, maxiter, full_output, disp: as for SciPy's function.

    Returns:
      The root, which has derivatives with respect to ``args``; with ``full_output`` a pair of it
      and the result of ``root_scalar``.

    >>> from autotrace import grad
    >>> f = lambda x, a: x * x - a
    >>> round(float(grad(lambda a: brentq(f, 0.0, 9.0, args=(a,)))(4.0)), 6)
    0.25
    """
    result = root_scalar(f, args, "brentq", bracket=(a, b), xtol=xtol, rtol=rtol, maxiter=maxiter)
    return _root_of(result, full_output, disp)


def newton(
    func: Callable,
    x0: Any,
    fprime: Any = None,
    args: Any = (),
    tol: float = 1.48e-8,
    maxiter: int = 50,
    fprime2: Any = None,
    x1: Any = None,
    rtol: float = 0.0,
    full_output: bool = False,
    disp: bool = True,
) -> Any:
    """``scipy.optimize.newton`` with a compiled derivative: a root, or an array of roots.

    Args:
      func: a function of a number and ``args`` to a number; or elementwise, of an array.
      x0: a first guess, a number or an array.
      fprime, fprime2: derivatives of one's own; the first compiled when None (and no ``x1``).
      args: further arguments of ``func``.
      x1, tol, maxiter, rtol, full_output, disp: as for SciPy's function.

    Returns:
      The root or roots, which have derivatives with respect to ``args``; with ``full_output`` what
      SciPy returns.

    Raises:
      NotImplementedError: in traced code, with ``full_output``.

    >>> import numpy as np
    >>> newton(lambda x, a: x**2 - a, np.ones(3), args=(np.array([1.0, 4.0, 9.0]),)).round(6)
    array([1., 2., 3.])
    """
    options = {"tol": tol, "maxiter": maxiter, "rtol": rtol, "disp": disp}
    problem = Problem("newton", func, x0, args, elementwise=True)

    def found(problem: Problem) -> Any:
        given = fprime is not None or x1 is not None
        slope = fprime if given else problem.compiled(elementwise_grad)
        slopes = {"fprime": slope, "fprime2": fprime2, "x1": x1, "full_output": full_output}
        return optimize.newton(problem.compiled(), problem.start, **slopes, **options)

    if not active_traces():
        return found(problem)
    if full_output:
        raise NotImplementedError(located("newton: in traced code without full_output"))

    def solve(problem: Problem) -> Any:
        return optimize.OptimizeResult(x=found(problem))

    return find_root(problem, solve, lambda f, v: f(v), ())[1]


def _root_of(result: Any, full_output: bool, disp: bool) -> Any:
    if disp and not is_traced(result.root) and not result.converged:
        raise RuntimeError(f"no root was found: {result}")
    return (result.root, result) if full_output else result.root
