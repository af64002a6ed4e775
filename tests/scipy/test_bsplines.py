"""Splines of any degree against ``scipy.interpolate``."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
import scipy.sparse.linalg
from numpy_checks import same
from scipy_checks import derivatives

import autotrace as at
from autotrace.scipy.interpolate import BSpline, RegularGridInterpolator, make_interp_spline

rng = np.random.default_rng(0)
KNOTS = np.array([0.0, 0.7, 1.5, 1.9, 3.0, 3.4, 4.0])
PLACES = np.array([[-0.3, 0.0, 0.31], [0.7, 1.2, 1.8], [2.2, 4.0, 4.3]])


@pytest.mark.parametrize("k", [0, 1, 2, 3, 5])
def test_splines_through_points(k):
    y = rng.standard_normal((2, 7))

    def everything(make, x, y, places):
        p = make(x, y, k=k, axis=1)
        inner = x[0] + 0.9 * (places[1] - x[0])
        outside = p(places) if k else p(inner)
        of_order = [p(places[1], n) for n in range(1, k + 1)]
        once = p.antiderivative()
        return outside, *of_order, once(inner), p.integrate(0.2, 3.9)

    plain = everything(scipy.interpolate.make_interp_spline, KNOTS, y, PLACES)
    same(everything(make_interp_spline, KNOTS, y, PLACES), plain, 1e-11)
    if k == 3:
        f = at.jit(lambda *args: everything(make_interp_spline, *args))
        same(f(KNOTS, y, PLACES), plain, 1e-10)


ENDS = [
    (3, "natural"),
    (3, "clamped"),
    (3, ([(2, [0.5, 1.0])], "clamped")),
    (3, (None, [(1, [0.0, 0.3]), (2, [1.0, 1.0])])),
    (5, ([(1, [0.0, 1.0]), (2, [0.0, 1.0])], [(3, [2.0, 3.0]), (1, [2.0, 3.0])])),
    (2, ([(1, [0.0, 1.0])], None)),
    *[(k, "periodic") for k in (1, 2, 3, 4, 5)],
]


@pytest.mark.parametrize(("k", "bc_type"), ENDS, ids=str)
@pytest.mark.parametrize("size", [5, 17])
def test_conditions_at_the_ends(k, bc_type, size):
    x = np.linspace(0.0, 2.0, size) ** 1.2
    y = np.stack([np.cos(3 * x), np.sin(2 * x)])
    y[:, -1] = y[:, 0]
    places = np.linspace(-0.2, 2.5, 9)

    def everything(make, x, y):
        p = make(x, y, k, bc_type=bc_type, axis=1)
        return p(places), p(places, 1), p.integrate(0.2, 1.7)

    plain = everything(scipy.interpolate.make_interp_spline, x, y)
    same(everything(make_interp_spline, x, y), plain, 1e-10)
    if size == 17 and bc_type in ("natural", "periodic") and k == 3:
        f = at.jit(lambda x, y: make_interp_spline(x, y, k, bc_type=bc_type, axis=1)(places))
        same(f(x, y), plain[0], 1e-10)


def test_derivatives_in_conditions_at_the_ends():
    y, places = rng.standard_normal(7), np.array([0.3, 2.2])

    def f(x, y, slope):
        return [make_interp_spline(x, y, bc_type=([(1, slope)], "natural"))(places)]

    derivatives(f, KNOTS, y, np.float64(0.3), compiled=False)


def test_what_is_beyond_the_ends():
    made = make_interp_spline(KNOTS, rng.standard_normal((7, 2)))
    for extrapolate in (True, False, "periodic"):
        ours = BSpline(made.t, made.c, made.k, extrapolate)
        plain = scipy.interpolate.BSpline(made.t, made.c, made.k, extrapolate)
        same(ours(PLACES), plain(PLACES), 1e-12)
        same(ours(PLACES, 1), plain(PLACES, 1), 1e-12)
        for a, b in ((0.5, 2.5), (-0.5, 9.0), (2.0, 1.0)):
            same(ours.integrate(a, b), plain.integrate(a, b), 1e-11)


def test_derivatives():
    y, places = rng.standard_normal(7), np.array([-0.2, 0.3, 2.2])
    derivatives(lambda *args: [make_interp_spline(*args, k=3)(places)], KNOTS, y, order=1)
    derivatives(lambda y, p: [make_interp_spline(KNOTS, y, k=4)(p)], y, places, compiled=False)
    spline = make_interp_spline(KNOTS, y)
    same(at.vmap(at.grad(spline))(places), spline(places, 1), 1e-12)
    same(at.jit(lambda s, p: s.derivative()(p))(spline, places), spline(places, 1), 1e-12)
    moving = lambda t, c: [BSpline(t, c, 2).integrate(1.6, 2.0)]  # noqa: E731
    derivatives(moving, KNOTS, y[:4], compiled=False, order=1)


GRID = (np.array([0.0, 1.0, 3.0, 3.5, 4.0, 5.5]), np.array([-1.0, 0.0, 0.5, 2.0, 2.5, 3.0]))


@pytest.mark.parametrize("method", ["slinear", "cubic", "quintic", "pchip"])
def test_grids(method):
    values = rng.standard_normal((6, 6, 2))
    places = rng.uniform([0.1, -0.9], [5.0, 2.9], (2, 3, 2))
    places[0, 0] = [6.0, 0.0]

    def f(kind, values, places, **options):
        p = kind(GRID, values, method, bounds_error=False, **options)
        q = kind(GRID, values[..., 0], method, False, None, **options)
        return p(places), q(places), q(places[0, 0])

    exact = {} if method == "pchip" else {"solver": scipy.sparse.linalg.spsolve}
    plain = f(scipy.interpolate.RegularGridInterpolator, values, places, **exact)
    same(f(RegularGridInterpolator, values, places), plain, 1e-9)
    compiled = at.jit(lambda *a: f(RegularGridInterpolator, *a)[: 1 if method == "pchip" else 3])
    same(compiled(values, places), plain[: 1 if method == "pchip" else 3], 1e-9)
    if method in ("cubic", "pchip"):
        g = lambda v, p: [RegularGridInterpolator(GRID, v, method)(p)]  # noqa: E731
        derivatives(g, values, places[1], compiled=False)


def test_errors():
    y = np.ones(7)
    for f, error, message in (
        (
            lambda: make_interp_spline(KNOTS, y, t=KNOTS, bc_type="periodic"),
            NotImplementedError,
            "leave `t` out",
        ),
        (
            lambda: make_interp_spline(KNOTS, KNOTS, bc_type="periodic"),
            ValueError,
            "First and last",
        ),
        (lambda: make_interp_spline(KNOTS, y, bc_type="loose"), ValueError, "Unknown"),
        (lambda: make_interp_spline(KNOTS, y, bc_type=3), ValueError, "Unknown"),
        (lambda: make_interp_spline(KNOTS, y, 1, bc_type="natural"), ValueError, "Too much"),
        (
            lambda: make_interp_spline(KNOTS, y, 2, bc_type="natural"),
            ValueError,
            "k - 1 conditions",
        ),
        (lambda: make_interp_spline(KNOTS, y, bc_type=([1], None)), ValueError, "pairs"),
        (lambda: make_interp_spline(KNOTS, y, bc_type=([(4, 0.0)], None)), ValueError, "order 4"),
        (lambda: make_interp_spline(KNOTS, y, bc_type=([(1, [0.0])], None)), ValueError, "shape"),
        (lambda: make_interp_spline(KNOTS[:3], y[:3]), ValueError, "at least 4 points"),
        (lambda: make_interp_spline(KNOTS, y, t=KNOTS), ValueError, "need 11"),
        (lambda: BSpline(KNOTS, y, 4), ValueError, "at least 10 knots"),
        (lambda: BSpline(KNOTS, y[:2], 2), ValueError, "inconsistent"),
        (lambda: BSpline(KNOTS[::-1], y, 2), ValueError, "non-decreasing"),
        (lambda: BSpline(KNOTS, y, -1), ValueError, "negative"),
        (
            lambda: RegularGridInterpolator(GRID, np.ones((6, 6)), "krogh"),
            ValueError,
            "'krogh' is not defined",
        ),
        (
            lambda: RegularGridInterpolator((KNOTS,), y + 1j, "pchip")([[0.5]]),
            ValueError,
            "only works with real values",
        ),
        (
            lambda: RegularGridInterpolator((KNOTS[:3],), y[:3], "cubic")([[0.5]]),
            ValueError,
            "require at least 4",
        ),
    ):
        with pytest.raises(error, match=message):
            f()
