"""Least squares, and curves through points."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ...api.arguments import check_callable
from ...api.differentiate import grad
from ...api.jacobians import jacfwd
from ...api.sparse import sparse_jacobian
from ...core.errors import located
from ...core.trace import active_traces
from ...numpy import array
from .implicit import Problem, find_root, is_traced
from .objectives import optimize, projected

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
        return projected(grad(lambda v: cost(f, v))(v), v, low, high)

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
