"""``autotrace.scipy.integrate`` against ``scipy.integrate``."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
from numpy_checks import same
from scipy_cases import INTEGRATE, PLACES, real
from scipy_checks import TOLERANCE, case_ids, check

import autotrace as at


@pytest.mark.parametrize(("name", "args", "options"), INTEGRATE, ids=case_ids)
def test_values_and_derivatives(name, args, options):
    check(getattr(scipy.integrate, name), getattr(at.scipy.integrate, name), args, options)


@pytest.mark.parametrize("initial", [None, 1.5])
def test_cumulative_simpson(initial):
    """Its other arguments go by keyword."""
    for y, x, axis in [
        (real(6), PLACES, 0),
        (real(2, 5), None, 1),
        (real(3, 2), PLACES[:3], 0),
        (real(2, 6), np.stack([PLACES, PLACES**2]), -1),
    ]:

        def f(y, x, axis=axis, kind=at.scipy):
            return kind.integrate.cumulative_simpson(y, x=x, dx=0.5, axis=axis, initial=initial)

        expected = f(y, x, kind=scipy)
        same(at.jit(f)(y, x), expected, TOLERANCE)
        args = (y,) if x is None else (y, x)
        at.testing.check_grads(f if len(args) == 2 else lambda y: f(y, None), args, order=2)


def test_repeated_places():
    y, x = real(7), np.array([0.0, 0.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    for n in (5, 6, 7):
        expected = scipy.integrate.simpson(y[:n], x[:n])
        same(at.jit(at.scipy.integrate.simpson)(y[:n], x[:n]), expected, TOLERANCE)
        assert np.all(np.isfinite(at.grad(at.scipy.integrate.simpson)(y[:n], x[:n])))


def test_integers():
    for name in ("trapezoid", "cumulative_trapezoid", "simpson"):
        y = np.arange(5) ** 2
        got = at.jit(getattr(at.scipy.integrate, name))(y)
        same(got, getattr(scipy.integrate, name)(y), TOLERANCE)


def test_fixed_quad():
    def f(a, b, p):
        return at.scipy.integrate.fixed_quad(lambda x, p: np.exp(p * x), a, b, (p,), n=9)[0]

    expected = scipy.integrate.fixed_quad(lambda x, p: np.exp(p * x), 0.5, 2.0, (0.7,), n=9)[0]
    same(at.jit(f)(0.5, 2.0, 0.7), expected, TOLERANCE)
    at.testing.check_grads(f, (0.5, 2.0, 0.7), order=2)
    same(at.grad(f, 1)(0.5, 2.0, 0.7), np.exp(1.4), 1e-9)


def test_errors():
    s, x = at.scipy.integrate, PLACES
    for f, message in [
        (lambda y: s.trapezoid(y, x[:3]), "length of x"),
        (lambda y: s.simpson(y, x[None]), "shape of x"),
        (lambda y: s.cumulative_trapezoid(y[:0]), "At least one point"),
        (lambda y: s.cumulative_trapezoid(y, initial=2), "initial"),
        (lambda y: s.simpson(y[:0]), "at least one sample"),
    ]:
        with pytest.raises(ValueError, match=message):
            at.make_jaxpr(f)(np.ones(6))
