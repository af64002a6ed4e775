"""SciPy's optimizers with compiled derivatives: what they find, and its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

import autotrace as at
from autotrace import lax
from autotrace.scipy import optimize
from autotrace.testing import check_grads


def rosenbrock(x, a=1.0, b=100.0):
    return np.sum(b * (x[1:] - x[:-1] ** 2) ** 2 + (a - x[:-1]) ** 2)


X0 = np.array([1.3, 0.7, 0.8, 1.9])
METHODS = [
    "Nelder-Mead", "Powell", "CG", "BFGS", "Newton-CG", "L-BFGS-B", "TNC", "SLSQP", "trust-constr",
    "dogleg", "trust-ncg", "trust-exact", "trust-krylov", None,
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_minimize(method):
    x0 = np.array([1.1, 1.2]) if method in ("dogleg", "Powell") else X0
    options = {"maxiter": 5000, "xtol": 1e-10} if method == "trust-constr" else {}
    options |= {"maxiter": 20_000} if method == "Nelder-Mead" else {}
    result = optimize.minimize(rosenbrock, x0, method=method, options=options)
    assert isinstance(result, scipy.optimize.OptimizeResult)
    np.testing.assert_allclose(result.x, np.ones(len(x0)), atol=5e-3)


def test_minimize_by_values_under_constraints():
    above = {"type": "ineq", "fun": lambda x: x[0] - 2}
    result = optimize.minimize(
        lambda x: np.sum(x**2), [3.0, 1.0], method="COBYLA", constraints=above
    )
    np.testing.assert_allclose(result.x, [2, 0], atol=1e-3)


def test_as_scipy_with_the_same_derivatives():
    gradient = at.grad(rosenbrock)
    for method in ("BFGS", "L-BFGS-B", "CG"):
        mine = optimize.minimize(rosenbrock, X0, args=(1.5, 50.0), method=method)
        theirs = scipy.optimize.minimize(
            rosenbrock, X0, (1.5, 50.0), method=method, jac=lambda x, *a: gradient(x, *a)
        )
        np.testing.assert_allclose(mine.x, theirs.x, rtol=1e-5)
        assert abs(mine.nfev - theirs.nfev) <= 3  # rounding may change a step
        assert not isinstance(mine.x, list) and mine.message


def test_own_derivatives():
    calls = []

    def jac(x):
        calls.append(x)
        return np.asarray(at.grad(rosenbrock)(x))

    result = optimize.minimize(rosenbrock, X0, jac=jac)
    assert result.success and len(calls) == result.njev
    pair = optimize.minimize(lambda x: (rosenbrock(x), "aside"), X0, jac=True, method="trust-ncg")
    np.testing.assert_allclose(pair.x, 1, atol=1e-4)
    assert optimize.minimize(rosenbrock, X0, jac="3-point").success


def test_minima_within_minima():
    def outer(a):
        inner = optimize.minimize(lambda x: np.sum((x - a) ** 2 + (x - 1) ** 4), np.zeros(1))
        return (inner.x[0] - 1.5) ** 2

    a = optimize.minimize(outer, np.array([1.0])).x
    np.testing.assert_allclose(a, 1.5 + 2 * 0.5**3, atol=1e-4)


def test_sparse_hessian():
    x0 = np.zeros(60)
    result = optimize.minimize(rosenbrock, x0, method="trust-constr", hess="sparse")
    np.testing.assert_allclose(result.x, np.ones(60), atol=1e-3)


def test_structures():
    def f(p):
        return (p["a"] - 2) ** 2 + np.sum((p["b"] - np.arange(4).reshape(2, 2)) ** 2)

    x = optimize.minimize(f, {"a": 0, "b": np.zeros((2, 2), np.float32)}).x
    np.testing.assert_allclose(x["b"], [[0, 1], [2, 3]], atol=1e-5)
    assert np.shape(x["a"]) == () and x["b"].dtype == np.float64
    assert optimize.minimize(lambda x: np.sum(x**2), [1, 2.0]).x.shape == (2,)
    assert optimize.minimize(lambda x: (x - 1) ** 2, 3.0).x.shape == (1,)
    many = optimize.minimize(
        lambda x, a, n: sum((x[0] - a) ** 2 for _ in range(n)), [1.0], (2.0, 3)
    )
    np.testing.assert_allclose(many.x, [2.0], atol=1e-6)


def test_functions_are_compiled_once():
    traces = []

    def f(x, a):
        traces.append(1)
        return np.sum((x - a) ** 2)

    for a in (1.0, 2.0, 3.0):
        np.testing.assert_allclose(optimize.minimize(f, X0, (a,)).x, a, atol=1e-6)
    assert len(traces) == 1


def test_python_choices():
    def f(x):
        return np.sum((x - 3) ** 2) if x[0] > 1 else np.sum((x - 2) ** 2) + 10

    np.testing.assert_allclose(optimize.minimize(f, np.zeros(2)).x, 3.0, atol=1e-5)


def test_bounds_and_constraints():
    def f(x):
        return (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2

    constraints = [{"type": "ineq", "fun": lambda x, c: x[0] - 2 * x[1] + c, "args": (2.0,)},
                   {"type": "eq", "fun": lambda x: x[0] + x[1] - 3}]  # fmt: skip
    result = optimize.minimize(f, [2.0, 0.0], bounds=[(0, None)] * 2, constraints=constraints)
    np.testing.assert_allclose(result.x, [4 / 3, 5 / 3], atol=1e-6)
    circle = scipy.optimize.NonlinearConstraint(lambda x: x[0] ** 2 + x[1] ** 2, -np.inf, 1)
    result = optimize.minimize(f, [0.1, 0.1], method="trust-constr", constraints=circle)
    np.testing.assert_allclose(result.x, np.array([1, 2.5]) / np.hypot(1, 2.5), atol=1e-4)
    linear = scipy.optimize.LinearConstraint(np.array([[1.0, 1.0]]), 0, 2)
    result = optimize.minimize(f, [0.1, 0.1], method="SLSQP", constraints=linear)
    np.testing.assert_allclose(result.x, [0.25, 1.75], atol=1e-6)


# --- derivatives -------------------------------------------------------------------------------


def quartic(x, p):
    return np.sum((x - p["a"]) ** 4 + p["c"] * (x[0] * x[1] - x) ** 2 + x**2)


P = {"a": np.array([1.0, 2.0]), "c": 0.7}
TIGHT = {"gtol": 1e-11}


def test_derivatives_of_a_minimum():
    def solution(p):
        return optimize.minimize(quartic, np.ones(2), args=(p,), options=TIGHT).x

    with at.config.override("backend", "numpy"):  # not compiled, for the sake of time
        check_grads(solution, (P,), order=2, rtol=1e-3, atol=1e-4)
    compiled = at.jit(at.jacrev(solution))(P)
    np.testing.assert_allclose(compiled["a"], at.jacfwd(solution)(P)["a"], rtol=1e-5)
    many = at.vmap(lambda c: solution({"a": P["a"], "c": c}))(np.array([0.5, 0.7]))
    np.testing.assert_allclose(many[1], solution(P), rtol=1e-6)


def test_derivatives_with_respect_to_what_a_function_closes_over():
    def total(a):
        result = optimize.minimize(lambda x: quartic(x, {"a": a, "c": 0.7}), np.ones(2),
                                   options=TIGHT)  # fmt: skip
        assert result.nit > 0  # a number, while the others are traced
        return result.x.sum() + result.fun

    direct = at.grad(total)(P["a"])
    np.testing.assert_allclose(direct, at.testing.numerical_jacobian(total)(P["a"]), rtol=1e-4)


def test_derivatives_at_bounds():
    def solution(a, low):
        bounds = [(low, None), (low, 5.0)]
        f = lambda x: np.sum((x - a) ** 2) + x[0] * x[1]  # noqa: E731
        return optimize.minimize(f, np.ones(2) * 3, bounds=bounds, options=TIGHT).x

    a = np.array([-1.0, 4.0])
    by_a, by_low = at.jacrev(solution, (0, 1))(a, 0.5)
    np.testing.assert_allclose(by_a, [[0, 0], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(by_low, [1, -0.5], atol=1e-6)


def test_loops_in_a_function():
    def f(x, a):
        y = lax.fori_loop(0, 3, lambda i, y: np.tanh(y) + a, x)
        return np.sum((y - 1.2) ** 2)

    def solution(a):
        return optimize.minimize(f, np.ones(2), args=(a,), options=TIGHT).x

    found = at.grad(lambda a: solution(a).sum())(0.6)
    step = 1e-4
    expected = (solution(0.6 + step).sum() - solution(0.6 - step).sum()) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_a_minimum_in_a_program():
    @at.jit
    def f(a):
        b = np.sin(a) * 2
        result = optimize.minimize(lambda x: np.sum((x - b) ** 2), np.zeros(3))
        return result.x * 2, result.nit

    x, nit = f(np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(x, 4 * np.sin([0.1, 0.2, 0.3]), atol=1e-6)
    assert nit >= 1
    np.testing.assert_allclose(f(np.ones(3))[0], 4 * np.sin(np.ones(3)), atol=1e-6)


def constrained(a, method="SLSQP", options=None):
    """One equation, one inequality that holds as an equation and one that does not, and bounds."""
    constraints = [
        {"type": "eq", "fun": lambda x: np.sum(x) - 1},
        {"type": "ineq", "fun": lambda x, b: b / 3 - x[0], "args": (a,)},
        {"type": "ineq", "fun": lambda x: 10 - x @ x},
    ]
    target = a * np.array([1.0, 0.5, -0.3, 0.2])
    return optimize.minimize(
        lambda x: np.sum((x - target) ** 2 * np.arange(1.0, 5.0)) + np.sum(x**4),
        np.zeros(4),
        constraints=constraints,
        bounds=[(-3, 3), (-3, 3), (0.1, None), (None, None)],
        method=method,
        options=options or {"ftol": 1e-14},
    )


def test_a_minimum_under_constraints():
    weights = np.array([1.0, 3.0, 2.0, -1.0])
    place = at.jit(lambda a: constrained(a).x)
    slope = at.grad(lambda a: place(a) @ weights)(0.8)
    step = 1e-3
    expected = (constrained(0.8 + step).x - constrained(0.8 - step).x) @ weights / (2 * step)
    np.testing.assert_allclose(place(0.8), constrained(0.8).x, atol=1e-7)
    np.testing.assert_allclose(slope, expected, rtol=1e-4)
    np.testing.assert_allclose(at.jacfwd(place)(0.8) @ weights, slope)
    value = at.grad(lambda a: constrained(a).fun)
    bend = (value(0.8 + step) - value(0.8 - step)) / (2 * step)
    np.testing.assert_allclose(at.grad(value)(0.8), bend, rtol=1e-4)
    tight = {"gtol": 1e-10, "xtol": 1e-12, "barrier_tol": 1e-10}
    other = at.grad(lambda a: constrained(a, "trust-constr", tight).x @ weights)(0.8)
    np.testing.assert_allclose(other, slope, atol=1e-4)


def test_derivatives_in_a_constraints_bounds():
    matrix = np.array([[1.0, -2.0]])

    def nearest(b):
        constraints = [
            scipy.optimize.NonlinearConstraint(lambda x: x["u"] @ x["u"][::-1], -np.inf, b),
            scipy.optimize.LinearConstraint(matrix, -b, b),
        ]
        found = optimize.minimize(
            lambda x: np.sum((x["u"] - 1) ** 2), {"u": np.zeros(2)}, constraints=constraints
        )
        return found.x["u"] @ np.array([1.0, 2.0])

    step = 1e-4
    expected = (nearest(0.7 + step) - nearest(0.7 - step)) / (2 * step)
    np.testing.assert_allclose(at.grad(nearest)(0.7), expected, rtol=1e-4)


def test_minimize_scalar():
    def f(x, a):
        return np.cosh(x - a) + 0.1 * x**2

    def solution(a):
        return optimize.minimize_scalar(f, args=(a,), tol=1e-10).x

    np.testing.assert_allclose(solution(2.0), scipy.optimize.minimize_scalar(f, args=(2.0,)).x)
    check_grads(solution, (2.0,), order=1, rtol=1e-3, atol=1e-4)
    bounded = at.grad(lambda a: optimize.minimize_scalar(f, bounds=(a, 9.0), args=(0.0,),
                      method="bounded", options={"xatol": 1e-9}).x)(3.0)  # fmt: skip
    np.testing.assert_allclose(bounded, 1.0)


# --- least squares -----------------------------------------------------------------------------


def chain(x):
    return np.concatenate([x[1:] - x[:-1] ** 2, 1 - x[:-1]])


@pytest.mark.parametrize("sparsity", ["auto", None, "given"])
def test_least_squares(sparsity):
    x0 = np.zeros(40)
    if sparsity == "given":
        sparsity = sp.vstack([sp.eye(39, 40) + sp.eye(39, 40, k=1), sp.eye(39, 40)])
    result = optimize.least_squares(chain, x0, jac_sparsity=sparsity)
    np.testing.assert_allclose(result.x, np.ones(40), atol=1e-6)
    assert sp.issparse(result.jac) == (sparsity is not None)


def test_least_squares_of_pytrees():
    def f(p, t, *, y):
        return {"r": p["a"] * np.exp(-p["b"] * t) - y, "prior": p["b"] * 0}

    t = np.linspace(0, 2, 9)
    result = optimize.least_squares(
        f, {"a": 1.0, "b": 1.0}, args=(t,), kwargs={"y": 3 * np.exp(-t / 2)}, bounds=(0, 9)
    )
    np.testing.assert_allclose([result.x["a"], result.x["b"]], [3, 0.5], rtol=1e-6)
    with pytest.raises(ValueError, match="jac_sparsity"):
        optimize.least_squares(chain, X0, jac_sparsity="dense")


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
def test_derivatives_of_least_squares(loss):
    t = np.linspace(0, 2, 9)
    y = 3 * np.exp(-t / 2) + 0.3 * np.cos(7 * t)

    def solution(y):
        def f(p):
            return p[0] * np.exp(-p[1] * t) - y

        tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-12}
        return optimize.least_squares(f, [2.0, 1.0], loss=loss, f_scale=0.2, **tight).x

    found = at.jacrev(solution)(y)
    rows = 1e-4 * np.eye(9)  # a step that is large beside what the solver leaves
    expected = np.stack([solution(y + r) - solution(y - r) for r in rows], 1) / 2e-4
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)


def test_curve_fit():
    t = np.linspace(0, 1, 20)
    y = 3 * np.exp(-2 * t) + 0.01 * np.cos(20 * t)
    sigma = np.linspace(0.1, 0.2, 20)

    def f(t, a, b):
        return a * np.exp(-b * t)

    for options in (
        {},
        {"sigma": sigma},
        {"sigma": sigma, "absolute_sigma": True},
        {"bounds": (0, [9, 8])},
        {"p0": [1, 1], "method": "dogbox"},
    ):
        mine, theirs = (
            optimize.curve_fit(f, t, y, **options),
            scipy.optimize.curve_fit(f, t, y, **options),
        )
        np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-5)
        np.testing.assert_allclose(mine[1], theirs[1], rtol=1e-3)

    def solution(y, sigma):
        return optimize.curve_fit(f, t, y, sigma=sigma)

    p, covariance = at.jit(solution)(y, sigma)
    np.testing.assert_allclose(
        covariance, scipy.optimize.curve_fit(f, t, y, sigma=sigma)[1], rtol=1e-3
    )
    found = at.jacrev(lambda y: solution(y, sigma)[0])(y)
    slope = np.stack([np.exp(-p[1] * t), -p[0] * t * np.exp(-p[1] * t)], 1) / sigma[:, None]
    np.testing.assert_allclose(found, np.linalg.pinv(slope) / sigma, rtol=0.1, atol=2e-3)


# --- roots -------------------------------------------------------------------------------------


def crossing(x, a):
    return np.array([x[0] * x[1] - a, x[0] - np.sin(x[1])])


@pytest.mark.parametrize("method", ["hybr", "lm", "krylov"])
def test_root(method):
    mine = optimize.root(crossing, [1.0, 1.0], args=(0.7,), method=method)
    np.testing.assert_allclose(crossing(mine.x, 0.7), 0, atol=1e-5)
    assert mine.success


def test_derivatives_of_roots():
    def solution(a):
        return optimize.root(crossing, [1.0, 1.0], args=(a,), tol=1e-13).x

    with at.config.override("backend", "numpy"):
        check_grads(solution, (0.7,), order=2, rtol=1e-3, atol=1e-4)
    pytree = optimize.root(lambda x: [x[0] - 1, x[1] - 2 * np.ones(2)], [np.zeros(()), np.zeros(2)])
    np.testing.assert_allclose(pytree.x[1], 2.0)


@pytest.mark.parametrize("method", ["brentq", "newton", "halley", "secant", "bisect", "toms748"])
def test_root_scalar(method):
    where = {"bracket": (0.0, 9.0)} if method in ("brentq", "bisect", "toms748") else {"x0": 3.0}
    where |= {"x1": 4.0} if method == "secant" else {}

    def solution(a):
        return optimize.root_scalar(lambda x, a: x**3 - a, (a,), method, **where, xtol=1e-12).root

    np.testing.assert_allclose(solution(8.0), 2.0)
    np.testing.assert_allclose(at.grad(solution)(8.0), 1 / 12)
    np.testing.assert_allclose(at.grad(at.grad(solution))(8.0), -2 / 9 * 8 ** (-5 / 3), rtol=1e-6)


def test_brentq_and_newton():
    def f(x, a):
        return np.exp(x) - a

    np.testing.assert_allclose(at.grad(lambda a: optimize.brentq(f, -9.0, 9.0, (a,)))(2.0), 0.5)
    root, result = optimize.brentq(f, -9.0, 9.0, (2.0,), full_output=True)
    assert result.converged and root == result.root
    with pytest.raises(ValueError, match="signs"):
        optimize.brentq(f, 5.0, 9.0, (2.0,))
    a = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(optimize.newton(f, np.ones(3), args=(a,)), np.log(a), atol=1e-12)
    slopes = at.jacrev(lambda a: optimize.newton(f, np.ones(3), args=(a,)))(a)
    np.testing.assert_allclose(slopes, np.diag(1 / a), rtol=1e-6)
    np.testing.assert_allclose(
        at.vmap(lambda a: optimize.newton(f, 1.0, args=(a,)))(a), np.log(a), atol=1e-12
    )
