"""Roots of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...api.differentiate import elementwise_grad
from ...api.jacobians import jacfwd
from ...core.errors import located
from ...core.trace import active_traces
from .implicit import Problem, find_root, is_traced
from .objectives import optimize


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
