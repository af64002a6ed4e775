from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees

import autotrace as at

RNG = np.random.default_rng(6)
F = RNG.standard_normal((4, 5))
T = np.cumsum(RNG.uniform(0.2, 1.0, 5))
CASES = {
    "plain": lambda f, t: np.gradient(f),
    "scalar": lambda f, t: np.gradient(f, 0.3),
    "scalars": lambda f, t: np.gradient(f, 0.3, t[0]),
    "places": lambda f, t: np.gradient(f, t, axis=1),
    "both": lambda f, t: np.gradient(f, t[:4], 2.0, edge_order=2),
    "second order": lambda f, t: np.gradient(f, 0.3, edge_order=2),
    "places, second order": lambda f, t: np.gradient(f, t, axis=-1, edge_order=2),
    "two samples": lambda f, t: np.gradient(f[:2], t[:2], axis=0),
    "trapezoid": lambda f, t: np.trapezoid(f),
    "trapezoid of places": lambda f, t: (np.trapezoid(f, t), np.trapezoid(f, f**2, axis=0)),
    "trapezoid of steps": lambda f, t: np.trapezoid(f, dx=t[0], axis=0),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    f = CASES[name]
    agrees(f, F, T, rtol=1e-13)
    at.testing.check_grads(f, (F, T), order=2)
    agrees(f, F + 1j, T, rtol=1e-13)
    agrees(f, (9 * F).astype("i"), np.array([1, 2, 4, 5, 9]), rtol=1e-13)
    if name in ("plain", "scalar", "second order"):
        agrees(f, F.astype("f"), T, rtol=1e-13)


def test_even_places_are_a_step():
    agrees(lambda f: np.gradient(f, np.arange(5.0), axis=1), F)


def test_errors():
    with pytest.raises(ValueError, match="too small"):
        at.jit(lambda f: np.gradient(f[:1]))(F)
    with pytest.raises(TypeError, match="invalid number of arguments"):
        at.jit(lambda f: np.gradient(f, 1.0, 2.0, 3.0))(F)
    with pytest.raises(ValueError, match="distances must match"):
        at.jit(lambda f: np.gradient(f, T, 1.0))(F)
    with pytest.raises(ValueError, match="edge_order"):
        at.jit(lambda f: np.gradient(f, edge_order=3))(F)
