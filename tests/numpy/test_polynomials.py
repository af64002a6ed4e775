from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives, same

import autotrace as at
import autotrace.numpy as anp

P = np.array([2.0, -1.0, 0.5, 3.0])
Q = np.array([1.5, 2.0])
X = np.array([[0.3, -1.2], [2.0, 0.0]])

CASES = {
    "polyval": lambda p, q: (np.polyval(p, X), np.polyval(p, q), np.polyval(p, 2)),
    "polyadd": lambda p, q: (np.polyadd(p, q), np.polyadd(q, p), np.polyadd(p, 1)),
    "polysub": lambda p, q: (np.polysub(p, q), np.polysub(q, p)),
    "polymul": lambda p, q: (np.polymul(p, q), np.polymul(p, p)),
    "polyder": lambda p, q: (np.polyder(p), np.polyder(p, 2), np.polyder(q, 3)),
    "polyint": lambda p, q: (np.polyint(p), np.polyint(p, 2, 1.5), np.polyint(p, 2, [1, 2])),
    "poly": lambda p, q: (np.poly(p), np.poly(q)),
    "vander": lambda p, q: (np.vander(p), np.vander(q, 5, increasing=True)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    f = CASES[name]
    agrees(f, P, Q, rtol=1e-14)
    at.testing.check_grads(f, (P, Q), order=1 if name == "polymul" else 2)
    agrees(f, np.array([2, -1, 4]), np.array([1, 3]), rtol=1e-14)
    if name != "polyint":
        agrees(f, P.astype("f"), Q.astype("f"), rtol=1e-14)
    derives(f, P + 1j, Q - 2j)


def test_poly1d():
    def f(p, x):
        one, other = np.poly1d(p), np.poly1d(np.array([1.0, x]))
        return (one * other + one)(x), one.deriv()(x), one.integ().coeffs, (one - 2)(x)

    same(at.jit(f)(P, 0.7), f(P, 0.7), 1e-14)
    at.testing.check_grads(f, (P, 0.7), order=2)
    same(anp.polyadd(np.poly1d(P), Q).coeffs, np.polyadd(P, Q))


def test_division():
    for top, bottom in ((P, Q), (Q, P), (P.astype("f"), Q.astype("f")), (P + 1j, Q - 2j)):
        same(at.jit(np.polydiv)(top, bottom), np.polydiv(top, bottom), 1e-14)
    top, bottom = np.array([1.0, 0.0, -1.0]), np.array([1.0, -1.0])
    same(at.jit(np.polydiv)(top, bottom), np.polydiv(top, bottom))
    at.testing.check_grads(np.polydiv, (P, Q), order=2)


T = np.array([0.0, 0.5, 1.0, 1.5, 2.5, 3.0])
Y = np.array([1.0, 0.2, 0.7, 2.0, 3.5, 3.0])
W = np.array([1.0, 2.0, 0.5, 1.0, 1.5, 1.0])
FITS = {
    "line": lambda t, y, w: np.polyfit(t, y, 1),
    "weights": lambda t, y, w: np.polyfit(t, y, 2, w=w),
    "several": lambda t, y, w: np.polyfit(t, np.stack([y, y**2], 1), 2, w=w),
    "covariance": lambda t, y, w: np.polyfit(t, y, 2, cov=True),
    "unscaled": lambda t, y, w: np.polyfit(t, y, 1, w=w, cov="unscaled"),
    "covariance of several": lambda t, y, w: np.polyfit(
        t, np.stack([y, 1 / (1 + y)], 1), 1, cov=True
    ),
}


@pytest.mark.parametrize("name", FITS)
def test_polyfit(name):
    same(at.jit(FITS[name])(T, Y, W), FITS[name](T, Y, W), 1e-11)
    at.testing.check_grads(FITS[name], (T, Y, W), order=1 if "cov" in name else 2, atol=1e-4)


def test_polyfit_full():
    f = lambda t, y: np.polyfit(t, y, 2, full=True)  # noqa: E731
    same(at.jit(f)(T, Y), f(T, Y), 1e-12)
    with pytest.raises(TypeError, match="1D vector for x"):
        at.jit(lambda t: np.polyfit(t[None], Y, 1))(T)
    with pytest.raises(TypeError, match="same length"):
        at.jit(lambda t: np.polyfit(t, Y[1:], 1))(T)
    with pytest.raises(ValueError, match="deg >= 0"):
        at.jit(lambda t: np.polyfit(t, Y, -1))(T)
    with pytest.raises(ValueError, match="must exceed order"):
        at.jit(lambda t: np.polyfit(t, Y, 5, cov=True))(T)


def test_roots():
    p = np.array([0.0, 2.0, -1.0, 0.5, 3.0, 0.0, 0.0])
    same(np.sort(at.jit(np.roots)(p)), np.sort(np.roots(p)), 1e-13)
    real = np.array([1.0, -6.0, 11.0, -6.0])
    same(np.sort(at.jit(np.roots)(real)), np.array([1, 2, 3], complex), 1e-12)
    at.testing.check_grads(np.roots, (p[1:5],), order=2, atol=1e-3)
    same(at.jit(np.roots)(np.zeros(3)), np.zeros(0))
    same(at.jit(np.roots)(np.array([2.0, 0.0])), np.zeros(1))
    same(at.jit(np.roots)(np.array([2, -4])), np.array([2.0 + 0j]))
    with pytest.raises(ValueError, match="rank-1"):
        at.jit(np.roots)(np.ones((2, 2)))


def test_errors():
    with pytest.raises(ValueError, match="must be positive"):
        at.jit(lambda p: np.polyder(p, -1))(P)
    with pytest.raises(ValueError, match="must be positive"):
        at.jit(lambda p: np.polyint(p, -1))(P)
    with pytest.raises(ValueError, match="1d or non-empty square"):
        at.jit(lambda p: np.poly(p))(np.ones((2, 3)))
