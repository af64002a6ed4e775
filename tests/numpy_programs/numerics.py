"""Quadrature, polynomials, interpolation."""

import numpy as np

from .program import Program

rng = np.random.default_rng(9)


def trapezoid(a, b, n):
    """An integral by trapezoids."""
    x = np.linspace(a, b, n + 1)
    y = np.exp(-(x**2)) * np.cos(x)
    return (b - a) / n * (y[1:-1].sum() + 0.5 * (y[0] + y[-1]))


def simpson(a, b, n):
    """An integral by Simpson's rule, in a loop."""
    h = (b - a) / n
    s = 0.0
    for i in range(n + 1):
        x = a + i * h
        f = np.sqrt(1 + np.sin(x) ** 2)
        if i == 0 or i == n:
            s += f
        elif i % 2 == 1:
            s += 4 * f
        else:
            s += 2 * f
    return s * h / 3


def adaptive_simpson(a, b, c, tol):
    """An integral by Simpson's rule on intervals halved where it is needed."""

    def f(x):
        return 1 / (c + x * x)

    def quad(a, fa, b, fb, m, fm, whole, tol):
        lm, rm = (a + m) / 2, (m + b) / 2
        flm, frm = f(lm), f(rm)
        left = (m - a) / 6 * (fa + 4 * flm + fm)
        right = (b - m) / 6 * (fm + 4 * frm + fb)
        if abs(left + right - whole) <= 15 * tol:
            return left + right + (left + right - whole) / 15
        return quad(a, fa, m, fm, lm, flm, left, tol / 2) + quad(
            m, fm, b, fb, rm, frm, right, tol / 2
        )

    fa, fb = f(a), f(b)
    m = (a + b) / 2
    fm = f(m)
    return quad(a, fa, b, fb, m, fm, (b - a) / 6 * (fa + 4 * fm + fb), tol)


def romberg(a, b, levels):
    """An integral by Romberg's extrapolation."""
    R = np.zeros((levels, levels))
    h = b - a
    R[0, 0] = 0.5 * h * (np.log(1 + a) + np.log(1 + b))
    for i in range(1, levels):
        h = h / 2
        x = a + h * np.arange(1, 2**i, 2)
        R[i, 0] = 0.5 * R[i - 1, 0] + h * np.sum(np.log(1 + x))
        for k in range(1, i + 1):
            R[i, k] = R[i, k - 1] + (R[i, k - 1] - R[i - 1, k - 1]) / (4**k - 1)
    return R[-1, -1]


def horner(coefficients, x):
    """A polynomial and its derivative by Horner's scheme."""
    p = np.zeros_like(x)
    dp = np.zeros_like(x)
    for c in coefficients[::-1]:
        dp = dp * x + p
        p = p * x + c
    return p, dp


def clenshaw(c, x):
    """A Chebyshev series by Clenshaw's recurrence."""
    b1 = b2 = 0.0
    for k in range(len(c) - 1, 0, -1):
        b1, b2 = 2 * x * b1 - b2 + c[k], b1
    return x * b1 - b2 + c[0]


def cubic_spline(x, y, xq):
    """A natural cubic spline: its coefficients, and its values at given points."""
    n = len(x) - 1
    h = np.diff(x)
    alpha = np.zeros(n + 1)
    for i in range(1, n):
        alpha[i] = 3 / h[i] * (y[i + 1] - y[i]) - 3 / h[i - 1] * (y[i] - y[i - 1])
    l, mu, z = np.ones(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    for i in range(1, n):
        l[i] = 2 * (x[i + 1] - x[i - 1]) - h[i - 1] * mu[i - 1]
        mu[i] = h[i] / l[i]
        z[i] = (alpha[i] - h[i - 1] * z[i - 1]) / l[i]
    b, c, d = np.zeros(n), np.zeros(n + 1), np.zeros(n)
    for j in range(n - 1, -1, -1):
        c[j] = z[j] - mu[j] * c[j + 1]
        b[j] = (y[j + 1] - y[j]) / h[j] - h[j] * (c[j + 1] + 2 * c[j]) / 3
        d[j] = (c[j + 1] - c[j]) / (3 * h[j])
    k = np.clip(np.searchsorted(x, xq) - 1, 0, n - 1)
    t = xq - x[k]
    return y[k] + b[k] * t + c[k] * t**2 + d[k] * t**3


def lagrange(xs, ys, x):
    """Lagrange's interpolation by two loops."""
    total = 0.0
    for i in range(len(xs)):
        term = ys[i]
        for j in range(len(xs)):
            if j != i:
                term = term * (x - xs[j]) / (xs[i] - xs[j])
        total += term
    return total


def gauss_legendre(n, scale):
    """Nodes and weights by Newton's method, and an integral with them."""
    total = 0.0
    for i in range(1, n + 1):
        x = np.cos(np.pi * (i - 0.25) / (n + 0.5))
        while True:
            p0, p1 = 1.0, x
            for k in range(2, n + 1):
                p0, p1 = p1, ((2 * k - 1) * x * p1 - (k - 1) * p0) / k
            dp = n * (x * p1 - p0) / (x * x - 1)
            dx = p1 / dp
            x = x - dx
            if abs(dx) < 1e-14:
                break
        w = 2 / ((1 - x * x) * dp * dp)
        total += w * np.exp(scale * x)
    return total


def bezier(points, ts):
    """A Bezier curve by de Casteljau's construction."""
    n = len(points)
    curve = np.zeros((len(ts), points.shape[1]))
    for i, t in enumerate(ts):
        p = points.copy()
        for r in range(1, n):
            p[: n - r] = (1 - t) * p[: n - r] + t * p[1 : n - r + 1]
        curve[i] = p[0]
    return curve


def euclid(a, b):
    """Euclid's greatest common divisor, with the coefficients."""
    x0, x1, y0, y1 = 1, 0, 0, 1
    while b != 0:
        q = a // b
        a, b = b, a % b
        x0, x1 = x1, x0 - q * x1
        y0, y1 = y1, y0 - q * y1
    return a, x0, y0


def agm(a, b):
    """The arithmetic-geometric mean, until both agree."""
    while abs(a - b) > 1e-13 * a:
        a, b = (a + b) / 2, np.sqrt(a * b)
    return a


_knots = np.cumsum(rng.uniform(0.5, 1, size=9))

PROGRAMS = [
    Program(trapezoid, (0.0, 2.0, 200), (-1.0, 1.0, 200), wrt=(0, 1)),
    Program(simpson, (0.0, 2.0, 40), (-1.0, 1.0, 40), wrt=(0, 1)),
    Program(adaptive_simpson, (-1.0, 1.0, 0.5, 1e-5), (-1.0, 2.0, 0.1, 1e-5), wrt=(0, 1, 2)),
    Program(romberg, (0.0, 2.0, 6), (1.0, 3.0, 6), wrt=(0, 1)),
    Program(
        horner,
        (rng.normal(size=8), rng.normal(size=100)),
        (rng.normal(size=8), rng.normal(size=100)),
        wrt=(0, 1),
    ),
    Program(
        clenshaw,
        (rng.normal(size=10), rng.uniform(-1, 1, size=100)),
        (rng.normal(size=10), rng.uniform(-1, 1, size=100)),
        wrt=(0, 1),
    ),
    Program(
        cubic_spline,
        (_knots, rng.normal(size=9), rng.uniform(1, 6, size=50)),
        (_knots + 0.1, rng.normal(size=9), rng.uniform(1, 6, size=50)),
        wrt=(0, 1, 2),
    ),
    Program(
        lagrange,
        (np.linspace(0, 1, 7), rng.normal(size=7), 0.37),
        (np.linspace(0, 2, 7), rng.normal(size=7), 0.61),
        wrt=(1, 2),
    ),
    Program(gauss_legendre, (6, 0.7), (6, 1.3), wrt=(1,)),
    Program(
        bezier,
        (rng.normal(size=(5, 2)), np.linspace(0, 1, 12)),
        (rng.normal(size=(5, 2)), np.linspace(0, 1, 12)),
        wrt=(0, 1),
    ),
    Program(euclid, (1071, 462), (270, 192)),
    Program(agm, (1.0, 0.2), (24.0, 6.0), wrt=(0, 1)),
]
