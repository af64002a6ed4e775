"""``autotrace.scipy.interpolate`` against ``scipy.interpolate``."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
from numpy_checks import same
from scipy_cases import KNOTS, SPLINES, real, rng
from scipy_checks import TOLERANCE, case_ids, derivatives

import autotrace as at


def periodic(*shape):
    y = real(*shape)
    return np.concatenate([y[:-1], y[:1]])


PLACES = np.array([[-0.3, 0.0, 0.31], [0.7, 1.2, 1.8], [2.2, 3.4, 4.1]])
PERIODIC = [periodic(n) for n in (2, 3, 4, 6)]


@pytest.mark.parametrize(("name", "args", "options"), SPLINES, ids=case_ids)
def test_splines(name, args, options):
    """Values and dtypes; derivatives with respect to places, values and knots."""
    plain, ours = getattr(scipy.interpolate, name), getattr(at.scipy.interpolate, name)

    def everything(kind, places, *args):
        p = kind(*args, **options)
        inside = p.integrate(0.2, 0.6)
        return p(places), p(places, 1), p.derivative(2)(places), p.antiderivative(2)(places), inside

    def f(places, *args):
        return everything(ours, places, *args)

    expected = everything(plain, PLACES, *args)
    same(f(PLACES, *args), expected, 100 * TOLERANCE)
    # Few knots are cases of their own to the constructor only.
    compiled = args[0].size == 6 and options.get("axis", 0) == 0
    jitted = at.jit(f, backend=None if compiled else "numpy")
    same(jitted(PLACES, *args), expected, 100 * TOLERANCE)
    narrow = [a.astype(np.float32) for a in args if a.dtype == np.float64]
    if len(narrow) == len(args):
        wide = [a.astype(np.float64) for a in narrow]
        got = at.jit(f, backend="numpy")(PLACES, *narrow)
        same(got, everything(plain, PLACES, *wide), 100 * TOLERANCE)
    inside = np.array([0.31, 0.4, 1.2])
    inside = inside[inside < args[0][-1]]

    def value(places, *args):
        return ours(*args, **options)(places)

    derivatives(value, inside, *args, compiled=compiled, order=2 if compiled else 1)
    for n in range(len(args) + 1):  # each alone

        def alone(x, n=n):
            return value(*[x if n == m else y for m, y in enumerate([inside, *args])])

        at.make_jaxpr(alone)([inside, *args][n])
    with at.config.override("backend", "numpy"):
        many = at.vmap(lambda y: ours(args[0], y, *args[2:], **options)(inside))
        first = many(np.stack([args[1], 2 * args[1]]))[0]
    np.testing.assert_allclose(first, value(inside, *args), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("y", PERIODIC, ids=len)
def test_periodic_splines(y):
    x = KNOTS[: len(y)]

    def f(kind, y, places):
        p = kind(x, y, bc_type="periodic")
        return p(places), p.derivative()(places), p.integrate(-0.4, 2.1), p.integrate(0.3, 0.1)

    expected = f(scipy.interpolate.CubicSpline, y, PLACES)
    ours = at.jit(lambda y, places: f(at.scipy.interpolate.CubicSpline, y, places), backend="numpy")
    same(ours(y, PLACES), expected, 100 * TOLERANCE)

    def g(inner, places):
        y = np.concatenate([inner, inner[:1]])
        return f(at.scipy.interpolate.CubicSpline, y, places)

    derivatives(g, y[:-1], PLACES[0] + 0.05, compiled=len(y) == 6, order=2 if len(y) > 4 else 1)


def test_piecewise_polynomials():
    c, x = real(3, 4, 2), np.array([0.0, 1.0, 1.5, 3.0, 4.0])
    places = np.array([-0.5, 0.0, 0.2, 1.0, 3.3, 4.0, 5.0, np.nan])

    def f(kind, c, x, places):
        p = kind(c, x, extrapolate="periodic")
        q = kind(np.moveaxis(c, 2, 0), x, extrapolate=False, axis=1)
        return (
            *(p(places, nu) for nu in (0, 1, 2, 3)),
            *(q(places, nu, extrapolate=e) for nu in (0, 1) for e in (None, True, "periodic")),
            q(1.2),
            p.integrate(-1.0, 7.5),
            q.integrate(2.0, 0.5),
            q.integrate(2.0, 5.0),
            p.antiderivative(2).derivative(2)(places),
        )

    ours, plain = at.scipy.interpolate.PPoly, scipy.interpolate.PPoly
    expected = f(plain, c, x, places)
    same(f(ours, c, x, places), expected, TOLERANCE)
    jitted = at.jit(lambda c, x, places: f(ours, c, x, places))
    same(jitted(c, x, places), expected, TOLERANCE)
    backwards = ours(c, x[::-1]), plain(c, x[::-1])
    same(backwards[0](places), backwards[1](places), TOLERANCE)


def test_splines_are_pytrees():
    x, y = KNOTS, real(6)
    spline = at.scipy.interpolate.CubicSpline(x, y)

    @at.jit
    def value(spline, place):
        assert type(spline) is at.scipy.interpolate.CubicSpline
        return spline(place)

    same(value(spline, 0.3), spline(0.3), TOLERANCE)
    slope = at.grad(value)(spline, 0.3)
    assert slope.c.shape == spline.c.shape
    made = at.jit(lambda y: at.scipy.interpolate.PchipInterpolator(x, y))(y)
    same(made(PLACES), scipy.interpolate.PchipInterpolator(x, y)(PLACES), TOLERANCE)


GRID = (np.array([0.0, 1.0, 3.0]), np.array([-1.0, 0.0, 0.5, 2.0]))


@pytest.mark.parametrize("method", ["linear", "nearest"])
def test_grids(method):
    values = real(3, 4, 2)
    places = rng.uniform([0.1, -0.9], [2.9, 1.9], (2, 3, 2))
    everywhere = np.concatenate([rng.uniform(-3, 5, (9, 2)), [[0, -1], [3, 2], [np.nan, 1]]])

    def f(kind, x, y, values, places):
        p = kind((x, y), values, method, bounds_error=False)
        q = kind((x, y), values[..., 0], method, False, None)
        return (
            p(places),
            p(tuple(places[..., d] for d in range(2))),
            p(everywhere),
            q(everywhere),
            q(places[0, 0]),
        )

    ours, plain = at.scipy.interpolate.RegularGridInterpolator, scipy.interpolate
    expected = f(plain.RegularGridInterpolator, *GRID, values, places)
    same(f(ours, *GRID, values, places), expected, TOLERANCE)
    jitted = at.jit(lambda *args: f(ours, *args))
    same(jitted(*GRID, values, places), expected, TOLERANCE)

    def g(x, y, values, places):
        return at.scipy.interpolate.interpn((x, y), values, places, method)

    same(g(*GRID, values, places), plain.interpn(GRID, values, places, method), TOLERANCE)
    derivatives(g, *GRID, values, places, compiled=method == "linear")
    mapped = at.vmap(lambda v: ours(GRID, v, method, False)(places))(np.stack([values, values]))
    np.testing.assert_allclose(mapped[1], expected[0], rtol=1e-12)
    downwards = ((GRID[0][::-1], GRID[1]), np.arange(12.0).reshape(3, 4), method)
    same(ours(*downwards)(places), plain.RegularGridInterpolator(*downwards)(places), TOLERANCE)
    grid = ours(GRID, values, method)
    same(at.jit(lambda grid, places: grid(places))(grid, places), expected[0], TOLERANCE)
    with pytest.raises(ValueError, match="out of bounds in dimension 0"):
        at.jit(lambda grid, places: grid(places))(grid, places + 3)


def test_errors():
    s = at.scipy.interpolate
    x = KNOTS
    for f, error, message in [
        (lambda y: s.CubicSpline(x, y[:3]), ValueError, "length"),
        (lambda y: s.CubicSpline(x[::-1], y), ValueError, "increasing"),
        (lambda y: s.CubicSpline(x * 1j, y), ValueError, "real"),
        (lambda y: s.CubicSpline(x * np.nan, y), ValueError, "finite"),
        (lambda y: s.CubicSpline(x, y, bc_type="loose"), ValueError, "bc_type"),
        (lambda y: s.CubicSpline(x, y, bc_type=("periodic", "natural")), ValueError, "both"),
        (lambda y: s.CubicSpline(x, y, bc_type=((3, 0.0), "natural")), ValueError, "1 or 2"),
        (lambda y: s.CubicSpline(x, y, bc_type=((1, y), "natural")), ValueError, "shape"),
        (lambda y: s.CubicSpline(x, y, bc_type=("natural",)), ValueError, "2 elements"),
        (lambda y: s.CubicSpline(x[:1], y[:1]), ValueError, "2 elements"),
        (lambda y: s.PchipInterpolator(x, y * 1j), ValueError, "real"),
        (lambda y: s.Akima1DInterpolator(x, y * 1j), ValueError, "real"),
        (lambda y: s.Akima1DInterpolator(x, y, method="a"), NotImplementedError, "method"),
        (lambda y: s.CubicHermiteSpline(x, y, y[:2]), ValueError, "identical"),
        (lambda y: s.PPoly(y[None], x), ValueError, "breakpoints"),
        (lambda y: s.PPoly(y, x), ValueError, "2-dimensional"),
        (lambda y: s.PPoly(y[None], x, axis=1), ValueError, "axis"),
        (lambda y: s.PPoly(y[None, :2], x[[0, 2, 1]]), ValueError, "increasing"),
        (lambda y: s.RegularGridInterpolator((x,), y, "akima"), ValueError, "not defined"),
        (lambda y: s.RegularGridInterpolator((x[:3],), y), ValueError, "do not fit"),
        (lambda y: s.RegularGridInterpolator((x * 0,), y), ValueError, "ascending"),
        (lambda y: s.interpn((x,), y, np.ones((2, 2))), ValueError, "dimension 2"),
    ]:
        with pytest.raises(error, match=message):
            at.make_jaxpr(f)(np.ones(6))
    with pytest.raises(ValueError, match="identical"):
        s.CubicSpline(x, x, bc_type="periodic")
