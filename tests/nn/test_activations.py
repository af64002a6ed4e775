"""Activations against formulas, their derivatives, kinks, and large inputs, on both backends."""

import numpy as np
import pytest
from scipy import special

import autotrace as at
from autotrace import nn

BACKENDS = ["numpy", "numba"]


def cdf(x):
    return special.ndtr(x)


def near(x):
    """What ``gelu`` takes for the distribution function."""
    return (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def softplus(x):
    return np.logaddexp(x, 0)


#: Of a name: the formula, and the derivative at places where that has a kink.
FORMULAS = {
    "identity": (lambda x: x, {}),
    "relu": (lambda x: np.maximum(x, 0), {0.0: 0.0}),
    "relu6": (lambda x: np.clip(x, 0, 6), {0.0: 0.0, 6.0: 0.0}),
    "sigmoid": (special.expit, {}),
    "tanh": (np.tanh, {}),
    "softplus": (softplus, {}),
    "sparse_plus": (lambda x: np.where(x < -1, 0, np.where(x > 1, x, (x + 1) ** 2 / 4)), {}),
    "sparse_sigmoid": (lambda x: np.clip((x + 1) / 2, 0, 1), {-1.0: 0.0, 1.0: 0.0}),
    "soft_sign": (lambda x: x / (1 + np.abs(x)), {}),
    "silu": (lambda x: x * special.expit(x), {}),
    "swish": (lambda x: x * special.expit(x), {}),
    "mish": (lambda x: x * np.tanh(softplus(x)), {}),
    "log_sigmoid": (special.log_expit, {}),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), {0.0: 1.0}),
    "hard_sigmoid": (lambda x: np.clip(x + 3, 0, 6) / 6, {-3.0: 0.0, 3.0: 0.0}),
    "hard_silu": (lambda x: x * np.clip(x + 3, 0, 6) / 6, {-3.0: 0.0, 3.0: 1.0}),
    "hard_swish": (lambda x: x * np.clip(x + 3, 0, 6) / 6, {}),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), {-1.0: 1.0, 1.0: 1.0}),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), {0.0: 1.0}),
    "celu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), {0.0: 1.0}),
    "selu": (
        lambda x: (
            1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
        ),
        {},
    ),
    "gelu": (lambda x: x * near(x), {}),
    "squareplus": (lambda x: (x + np.sqrt(x * x + 4)) / 2, {}),
}
#: Where none of them has a kink.
POINTS = np.concatenate([np.linspace(-7.3, 7.4, 30), [0.013, -0.017]])
LARGE = np.array([1e4, -1e4, 1e300, -1e300])


def both(f):
    """Values and derivatives, as they are and compiled."""
    run = at.elementwise_grad(f)
    return [f, run, *(at.jit(g, backend=b) for b in BACKENDS for g in (f, run))]


@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_derivatives(name):
    formula, kinks = FORMULAS[name]
    f = getattr(nn, name)
    functions = both(f)
    x = np.concatenate([POINTS, LARGE, [*kinks]])
    plain = POINTS.size
    values, slopes = formula(POINTS), (formula(POINTS + 1e-6) - formula(POINTS - 1e-6)) / 2e-6
    for value, slope in zip(functions[::2], functions[1::2], strict=True):
        out, derivative = value(x), slope(x)
        np.testing.assert_allclose(out[:plain], values, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(derivative[:plain], slopes, rtol=1e-6, atol=1e-8)
        assert not np.isnan(out).any() and not np.isnan(derivative).any()
        # Far away all of them are straight.
        far = slice(plain, plain + LARGE.size)
        assert np.isin(derivative[far].round(7), [0, 1, 0.01, 1.050701]).all()
        np.testing.assert_array_equal(derivative[plain + LARGE.size :], [*kinks.values()])
    with np.errstate(invalid="ignore"):
        assert np.isnan(f(np.array([np.nan]))).all()


@pytest.mark.parametrize("name", FORMULAS)
def test_dtypes(name):
    f = getattr(nn, name)
    single = f(POINTS.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, f(POINTS), rtol=1e-5, atol=1e-6)
    kept = name in ("relu", "relu6", "identity", "hard_tanh")
    assert f(np.array([1, 2])).dtype == (np.int64 if kept else np.float64)
    assert np.shape(f(0.5)) == ()
    assert not np.isnan(at.elementwise_grad(f)(np.array([1e38, -1e38], np.float32))).any()


@pytest.mark.parametrize(
    ("f", "formula"),
    [
        (lambda x: nn.gelu(x, approximate=False), lambda x: x * cdf(x)),
        (lambda x: nn.elu(x, 0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0)))),
        (
            lambda x: nn.celu(x, 2.0),
            lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0) / 2)),
        ),
        (lambda x: nn.leaky_relu(x, 0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
        (lambda x: nn.squareplus(x, 0.5), lambda x: (x + np.sqrt(x * x + 0.5)) / 2),
    ],
)
def test_parameters(f, formula):
    np.testing.assert_allclose(f(POINTS), formula(POINTS), rtol=1e-11, atol=1e-15)
    at.testing.check_grads(f, (POINTS[:6],), order=2)
    assert not np.isnan(at.elementwise_grad(f)(LARGE)).any()


def test_glu():
    x = np.arange(12.0).reshape(2, 6) / 5
    np.testing.assert_allclose(nn.glu(x), x[:, :3] * special.expit(x[:, 3:]))
    np.testing.assert_allclose(nn.glu(x, 0), x[:1] * special.expit(x[1:]))
    at.testing.check_grads(nn.glu, (x,), order=2)
    with pytest.raises(ValueError, match="two halves"):
        nn.glu(np.ones(3))
