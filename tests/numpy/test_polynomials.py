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
    at.testing.check_grads(f, (P, Q), order=2)
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


def test_errors():
    with pytest.raises(ValueError, match="must be positive"):
        at.jit(lambda p: np.polyder(p, -1))(P)
    with pytest.raises(ValueError, match="must be positive"):
        at.jit(lambda p: np.polyint(p, -1))(P)
    with pytest.raises(ValueError, match="1d or non-empty square"):
        at.jit(lambda p: np.poly(p))(np.ones((2, 3)))
