"""Differential equations: values as SciPy's, derivatives of the steps that were taken."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate

import autotrace as at
from autotrace.scipy.integrate import odeint, solve_ivp


def hunt(y, t, a):
    return np.stack([a * y[0] - 0.5 * y[0] * y[1], 0.3 * y[0] * y[1] - y[1] + 0.1 * np.sin(t)])


start = np.array([2.0, 1.0])
times = np.array([0.0, 0.4, 1.0, 3.0])
solved = at.jit(lambda a, y0, t: odeint(hunt, y0, t, (a,), rtol=1e-9, atol=1e-9))


def exact(a, y0, t):
    return scipy.integrate.odeint(hunt, y0, t, (a,), rtol=1e-12, atol=1e-12)


def test_values_in_both_directions():
    np.testing.assert_allclose(solved(1.1, start, times), exact(1.1, start, times), atol=1e-7)
    back = solved(1.1, start, times[::-1].copy())
    np.testing.assert_allclose(back, exact(1.1, start, times[::-1]), atol=1e-7)
    plain = odeint(hunt, start, times, 1.1)
    np.testing.assert_allclose(plain, exact(1.1, start, times), atol=1e-6)


def test_derivatives_in_all_that_it_depends_on():
    weights = np.linspace(0.5, 1.5, 8).reshape(4, 2)
    arguments = (1.1, start, times)

    def loss(solve, a, y0, t):
        return np.sum(weights * solve(a, y0, t))

    of_all = lambda *xs: loss(solved, *xs)  # noqa: E731
    got = at.jit(at.grad(of_all, argnums=(0, 1, 2)))(*arguments)
    along = at.jit(lambda *xs: at.jvp(of_all, arguments, xs)[1])(*map(np.ones_like, arguments))
    np.testing.assert_allclose(along, sum(map(np.sum, got)), rtol=1e-9)
    for n, reverse in enumerate(got):
        for place in np.ndindex(np.shape(reverse)):
            sides = []
            for step in (1e-4, -1e-4):
                moved = [np.array(x) for x in arguments]
                moved[n][place] += step
                sides.append(loss(exact, *moved))
            slope = (sides[0] - sides[1]) / 2e-4
            np.testing.assert_allclose(np.asarray(reverse)[place], slope, atol=1e-5)


def test_a_second_derivative():
    # y = exp(-a t) y0
    def end(a):
        return solve_ivp(lambda t, y: -a * y, (0.0, 1.5), [2.0], rtol=1e-8, atol=1e-8).y[0, -1]

    second = at.grad(at.grad(end))(0.7)
    np.testing.assert_allclose(second, 2 * 1.5**2 * np.exp(-0.7 * 1.5), rtol=1e-5)


def test_each_example_takes_its_own_steps():
    rates = np.array([0.1, 40.0])
    found = at.vmap(lambda a: odeint(lambda y, t: -a * y, np.ones(1), times)[:, 0])(rates)
    np.testing.assert_allclose(found, np.exp(-rates[:, None] * times), atol=1e-7)


def test_solve_ivp():
    def f(t, y, a):
        return hunt(y, t, a)

    @at.jit
    def traced(a):
        found = solve_ivp(f, (0.0, 3.0), start, t_eval=times[1:], args=(a,), rtol=1e-8, atol=1e-8)
        return found.t, found.y, found.success, found.status

    t, y, success, status = traced(1.1)
    np.testing.assert_array_equal(t, times[1:])
    np.testing.assert_allclose(y.T, exact(1.1, start, times)[1:], atol=1e-6)
    assert success and status == 0
    plain = solve_ivp(f, (0.0, 3.0), start, "LSODA", args=(1.1,), dense_output=True)
    assert plain.sol(1.0).shape == (2,)


def test_complex_values_and_single_precision():
    turn = at.jit(lambda w: odeint(lambda y, t: 1j * w * y, np.array([1.0 + 0j]), times)[:, 0])
    np.testing.assert_allclose(turn(2.0), np.exp(2j * times), atol=1e-6)
    single = at.jit(
        lambda y0: solve_ivp(lambda t, y: -y, (0.0, 1.0), y0, rtol=1e-4, atol=1e-4).y[0]
    )(np.ones(1, np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, [1.0, np.exp(-1.0)], rtol=1e-3)


def test_what_is_refused_and_what_fails():
    f = at.jit(lambda y0: odeint(lambda y, t: y * y, y0, np.array([0.0, 2.0, 3.0]), mxstep=200))
    assert np.isnan(f(np.ones(1))[1:]).all()  # it is 1 / (1 - t)
    with pytest.raises(NotImplementedError, match=r"(?s)RK45.*test_ode"):
        at.jit(lambda y0: solve_ivp(lambda t, y: -y, (0.0, 1.0), y0, "Radau").y)(np.ones(1))
    with pytest.raises(NotImplementedError, match="full_output"):
        at.jit(lambda y0: odeint(lambda y, t: -y, y0, times, full_output=1))(np.ones(1))
    with pytest.raises(ValueError, match="y0 must be 1-dimensional"):
        at.jit(lambda y0: odeint(lambda y, t: -y, y0, times))(np.ones((1, 1)))
