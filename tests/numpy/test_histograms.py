from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import same

import autotrace as at

RNG = np.random.default_rng(10)
A = RNG.standard_normal(200)
S = RNG.standard_normal((40, 2))
RULES = ["auto", "fd", "doane", "scott", "rice", "sturges", "sqrt"]


def jitted(f, *args, rtol=1e-13):
    same(at.jit(f)(*args), f(*args), rtol)


@pytest.mark.parametrize("rule", RULES)
def test_rules(rule):
    jitted(lambda a: np.histogram_bin_edges(a, rule), A)
    jitted(lambda a: np.histogram(a, rule, range=(-1.0, 1.5)), A)
    jitted(lambda a: np.histogram(a, rule), (20 * A).astype(int))
    jitted(lambda a: np.histogram(a, rule), np.ones(4))
    jitted(lambda a: np.histogram(a, rule), np.zeros(0))


def test_edges():
    jitted(lambda a: np.histogram_bin_edges(a, 5, range=(0, 2)), A)
    jitted(lambda a: np.histogram_bin_edges(a, [0, 1, 3]), A)
    at.testing.check_grads(lambda a: np.histogram_bin_edges(a, 5), (A[:9],), order=2)
    with pytest.raises(ValueError, match="not a valid estimator"):
        at.jit(lambda a: np.histogram(a, "best"))(A)
    with pytest.raises(TypeError, match="weighted"):
        at.jit(lambda a: np.histogram(a, "auto", weights=a))(A)


CASES = {
    "number": {"bins": 4},
    "numbers": {"bins": (3, 5), "density": True},
    "edges": {"bins": [np.array([-1.0, 0.0, 0.5]), np.linspace(-2, 2, 6)]},
    "mixed": {"bins": [3, np.linspace(-2, 2, 6)], "density": True},
    "range": {"bins": 3, "range": [(-1, 1), (-0.5, 2)]},
    "part of a range": {"bins": 3, "range": [None, (-0.5, 2)]},
}


@pytest.mark.parametrize("name", CASES)
def test_several_dimensions(name):
    options, w = CASES[name], np.abs(S[:, 0])
    jitted(lambda s: np.histogramdd(s, **options), S)
    jitted(lambda s, w: np.histogramdd(s, weights=w, **options), S, w)
    jitted(lambda x, y, w: np.histogram2d(x, y, weights=w, **options), S[:, 0], S[:, 1], w)
    at.testing.check_grads(lambda w: np.histogramdd(S, weights=w, **options)[0], (w,), order=2)


def test_more_of_histogramdd():
    jitted(lambda s: np.histogramdd((s[:, 0], s[:, 1], s[:, 0] * 2), bins=2), S)
    jitted(lambda s: np.histogramdd(s[:, 0], bins=2), S)
    jitted(lambda x, y: np.histogram2d(x, y, bins=[-2, 0, 1, 3]), S[:, 0], S[:, 1])
    jitted(lambda s: np.histogramdd(s, bins=3), np.array([[1.0, 2.0], [1.0, 5.0], [4.0, 5.0]]))
    with pytest.raises(ValueError, match="dimension of bins"):
        at.jit(lambda s: np.histogramdd(s, bins=(2, 3, 4)))(S)
    with pytest.raises(ValueError, match="same length"):
        at.jit(lambda s: np.histogram2d(s[0], s[:, 0]))(S)
