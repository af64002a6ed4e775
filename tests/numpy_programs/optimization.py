"""Roots and minima: loops that stop when they are close enough, and branches on values."""

import numpy as np

from .program import Program

rng = np.random.default_rng(3)


def newton_sqrt(a, tol=1e-12):
    """A root by Newton's method with a tolerance."""
    x = a if a > 1 else 1.0
    while abs(x * x - a) > tol * a:
        x = 0.5 * (x + a / x)
    return x


def kepler(mean_anomaly, e):
    """Kepler's equation by Newton's method, one planet after the other."""
    out = np.zeros(len(mean_anomaly))
    for i, m in enumerate(mean_anomaly):
        E = m + e[i] * np.sin(m)
        for _ in range(50):
            dE = (E - e[i] * np.sin(E) - m) / (1 - e[i] * np.cos(E))
            E -= dE
            if abs(dE) < 1e-12:
                break
        out[i] = E
    return out


def bisection(a, b, c, tol=1e-9):
    """A root of cos(c x) - x^3 between two points by bisection."""

    def f(x):
        return np.cos(c * x) - x**3

    fa = f(a)
    steps = 0
    while b - a > tol:
        mid = (a + b) / 2
        fm = f(mid)
        if fa * fm <= 0:
            b = mid
        else:
            a, fa = mid, fm
        steps += 1
    return 0.5 * (a + b), steps


def secant(x0, x1, p, maxiter=50):
    """A root of exp(-p x) - x by the secant method."""
    f0 = np.exp(-p * x0) - x0
    for _ in range(maxiter):
        f1 = np.exp(-p * x1) - x1
        if abs(f1) < 1e-13:
            break
        x0, x1, f0 = x1, x1 - f1 * (x1 - x0) / (f1 - f0), f1
    return x1


def golden_section(a, b, shift, tol=1e-5):
    """The least value of a function of one variable by golden sections."""

    def f(x):
        return (x - shift) ** 2 + 0.1 * np.sin(3 * x)

    g = (np.sqrt(5) - 1) / 2
    c = b - g * (b - a)
    d = a + g * (b - a)
    while abs(b - a) > tol:
        if f(c) < f(d):
            b = d
        else:
            a = c
        c = b - g * (b - a)
        d = a + g * (b - a)
    return (b + a) / 2


def nelder_mead(x0, scale, maxiter=25):
    """Some steps of Nelder and Mead's simplex search on Rosenbrock's function."""

    def f(x):
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    n = len(x0)
    simplex = np.zeros((n + 1, n))
    simplex[0] = x0
    for i in range(n):
        simplex[i + 1] = x0
        simplex[i + 1, i] += scale
    values = np.array([f(x) for x in simplex])
    for _ in range(maxiter):
        order = np.argsort(values)
        simplex, values = simplex[order], values[order]
        centre = simplex[:-1].mean(axis=0)
        reflected = centre + (centre - simplex[-1])
        fr = f(reflected)
        if fr < values[0]:
            expanded = centre + 2 * (centre - simplex[-1])
            fe = f(expanded)
            if fe < fr:
                simplex[-1], values[-1] = expanded, fe
            else:
                simplex[-1], values[-1] = reflected, fr
        elif fr < values[-2]:
            simplex[-1], values[-1] = reflected, fr
        else:
            contracted = centre + 0.5 * (simplex[-1] - centre)
            fc = f(contracted)
            if fc < values[-1]:
                simplex[-1], values[-1] = contracted, fc
            else:
                for i in range(1, n + 1):
                    simplex[i] = simplex[0] + 0.5 * (simplex[i] - simplex[0])
                    values[i] = f(simplex[i])
    return simplex[np.argmin(values)], values.min()


def backtracking_descent(A, b, x0, steps=15):
    """Gradient descent with a backtracking line search (Armijo)."""
    x = x0.copy()
    for _ in range(steps):
        r = A @ x - b
        value = 0.5 * r @ r + 0.1 * np.sum(np.log(np.cosh(x)))
        g = A.T @ r + 0.1 * np.tanh(x)
        t = 1.0
        while True:
            new = x - t * g
            rn = A @ new - b
            new_value = 0.5 * rn @ rn + 0.1 * np.sum(np.log(np.cosh(new)))
            if new_value <= value - 0.3 * t * (g @ g):
                break
            t *= 0.5
        x = new
    return x, value


def levenberg_marquardt(t, y, p0, maxiter=30):
    """An exponential decay fitted by Levenberg and Marquardt's method."""
    p = p0.copy()
    lam = 1e-2
    r = y - p[0] * np.exp(-p[1] * t)
    cost = r @ r
    for _ in range(maxiter):
        e = np.exp(-p[1] * t)
        J = np.column_stack([e, -p[0] * t * e])
        H = J.T @ J
        step = np.linalg.solve(H + lam * np.diag(np.diag(H)), J.T @ r)
        trial = p + step
        r_trial = y - trial[0] * np.exp(-trial[1] * t)
        cost_trial = r_trial @ r_trial
        if cost_trial < cost:
            improvement = cost - cost_trial
            p, r, cost = trial, r_trial, cost_trial
            lam /= 3
            if improvement < 1e-12:
                break
        else:
            lam *= 2
    return p


_t = np.linspace(0, 4, 40)

PROGRAMS = [
    Program(newton_sqrt, (7.3,), (0.002,), wrt=(0,)),
    Program(
        kepler,
        (rng.uniform(0, 6, size=6), rng.uniform(0.1, 0.5, size=6)),
        (rng.uniform(0, 6, size=6), rng.uniform(0.1, 0.9, size=6)),
        wrt=(0, 1),
    ),
    Program(
        bisection,
        (0.0, 2.0, 1.0),
        (0.0, 1.0, 2.0),
    ),
    Program(secant, (0.0, 1.0, 1.3), (0.2, 2.0, 0.4), wrt=(2,)),
    Program(golden_section, (-1.0, 3.0, 0.7), (-1.0, 3.0, 1.9)),
    Program(nelder_mead, (np.array([-1.0, 1.5]), 0.5), (np.array([0.3, 0.2]), 0.3), wrt=(0,)),
    Program(
        backtracking_descent,
        (rng.normal(size=(8, 5)), rng.normal(size=8), rng.normal(size=5)),
        (0.4 * rng.normal(size=(8, 5)), rng.normal(size=8), rng.normal(size=5)),
        wrt=(1, 2),
    ),
    Program(
        levenberg_marquardt,
        (_t, 2.0 * np.exp(-1.3 * _t) + 0.01 * rng.normal(size=40), np.array([1.0, 1.0])),
        (_t, 3.0 * np.exp(-0.6 * _t) + 0.01 * rng.normal(size=40), np.array([0.5, 3.0])),
        wrt=(1,),
    ),
]
