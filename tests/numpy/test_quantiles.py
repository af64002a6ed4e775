from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives

import autotrace as at
import autotrace.numpy as anp

RNG = np.random.default_rng(3)
HOLES = RNG.standard_normal((3, 4, 5))
HOLES[RNG.random(HOLES.shape) < 0.3] = np.nan
HOLES[0, 0] = np.nan
FULL = RNG.standard_normal((3, 4, 5))
METHODS = [
    "linear",
    "lower",
    "higher",
    "midpoint",
    "nearest",
    "closest_observation",
    "inverted_cdf",
    "averaged_inverted_cdf",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "median_unbiased",
    "normal_unbiased",
]


@pytest.mark.parametrize("method", METHODS)
def test_over_nan(method):
    def f(a):
        return (
            np.nanquantile(a, 0.3, axis=-1, method=method),
            np.nanquantile(a, [0.0, 0.25, 1.0], axis=(0, 2), method=method, keepdims=True),
            np.nanpercentile(a, [[10, 60]], axis=1, method=method),
            np.nanquantile(a, 0.9, method=method),
        )

    agrees(f, HOLES, rtol=1e-14)
    if method in ("linear", "lower"):
        agrees(lambda a: np.nanquantile(a, 0.3, 1, method=method), HOLES.astype("f"), rtol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8])
def test_closest_observation(n):
    x = RNG.permutation(np.arange(float(n)))
    qs = np.linspace(0, 1, 17)
    agrees(lambda a: np.quantile(a, qs, method="closest_observation"), x)


def test_nanmedian():
    agrees(lambda a: np.nanmedian(a), HOLES)
    agrees(lambda a: np.nanmedian(a, axis=1), HOLES)
    agrees(lambda a: np.nanmedian(a, axis=(0, 2), keepdims=True), HOLES.astype("f"))
    agrees(lambda a: np.nanmedian(a, axis=0), np.arange(6).reshape(3, 2))
    agrees(lambda a: np.nanmedian(a), np.zeros(0))
    agrees(lambda a: np.nanmedian(a), np.full(3, np.nan))


@pytest.mark.parametrize("dtype", ["d", "f", "i"])
def test_weights(dtype):
    x = (10 * FULL).astype(dtype)
    w = RNG.integers(0, 4, x.shape)
    w[..., 0] += 1
    w[0] += 1
    qs = [0.0, 0.2, 0.5, 1.0]

    def f(a, w):
        options = {"weights": w, "method": "inverted_cdf"}
        return np.quantile(a, qs, axis=-1, **options), np.percentile(a, 40.0, axis=0, **options)

    agrees(f, x, w)
    agrees(lambda a: np.quantile(a, qs, axis=1, weights=[1, 0, 2, 1.5], method="inverted_cdf"), x)
    if dtype != "i":
        holes = np.where(RNG.random(x.shape) < 0.2, np.nan, x).astype(dtype)
        agrees(
            lambda a, w: np.nanquantile(a, qs, axis=2, weights=w + 1, method="inverted_cdf"),
            holes,
            w,
        )
        agrees(lambda a, w: np.quantile(a, qs, weights=w, method="inverted_cdf"), holes, w)


def test_derivatives():
    x = FULL[0]
    holes = np.where(np.abs(x) > 1.2, np.nan, 0 * x)
    derives(lambda a: np.nanmedian(a + holes, axis=1), x)
    derives(lambda a, q: np.nanquantile(a + holes, q, axis=1), x, np.array([0.31, 0.77]))
    derives(lambda a: np.quantile(a, 0.4, axis=1, weights=np.ones(5), method="inverted_cdf"), x)


def test_errors():
    with pytest.raises(ValueError, match="not a valid method"):
        at.jit(lambda a: np.quantile(a, 0.3, method="none"))(FULL)
    with pytest.raises(ValueError, match="Only method 'inverted_cdf' supports weights"):
        at.jit(lambda a: np.quantile(a, 0.3, weights=np.ones(FULL.shape)))(FULL)
    with pytest.raises(ValueError, match="non-negative"):
        at.jit(lambda a: np.quantile(a, 0.3, weights=-np.ones(FULL.shape), method="inverted_cdf"))(
            FULL
        )
    with pytest.raises(TypeError, match="real"):
        at.jit(lambda a: np.nanquantile(a, 0.3))(FULL * 1j)
    with pytest.raises(ValueError, match="range"):
        at.jit(lambda a: anp.nanpercentile(a, 101))(FULL)
