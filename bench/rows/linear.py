"""Generalised linear models: their negative log likelihoods."""

from __future__ import annotations

import numpy
from scipy import special

from .row import Row


def logistic(np):
    def f(w, x, y):
        z = x @ w
        return np.mean(np.logaddexp(0.0, z) - y * z)

    return f


def _softplus_logistic(np):
    def f(w, x, y):
        z = x @ w
        return np.mean(np.softplus(z) - y * z)

    return f


LOGISTIC = dict.fromkeys(("jax", "torch", "pytensor"), _softplus_logistic)


def logistic_by_hand(w, x, y):
    z = x @ w
    value = numpy.mean(numpy.logaddexp(0.0, z) - y * z)
    return value, (special.expit(z) - y) @ x / len(y)


def _observations() -> tuple:
    rng = numpy.random.default_rng(0)
    x = rng.normal(size=(10_000, 50))
    w = 0.2 * rng.normal(size=50)
    return w, x, (rng.uniform(size=10_000) < special.expit(x @ w[::-1])).astype(float)


def poisson(np):
    """With the logarithm as link; up to what the weights do not change."""

    def f(w, x, y):
        z = x @ w
        return np.mean(np.exp(z) - y * z)

    return f


def poisson_by_hand(w, x, y):
    z = x @ w
    rate = numpy.exp(z)
    return numpy.mean(rate - y * z), (rate - y) @ x / len(y)


def _counts() -> tuple:
    w, x, _ = _observations()
    return w, x, numpy.random.default_rng(1).poisson(numpy.exp(x @ w[::-1])).astype(float)


def multinomial(np):
    """Softmax regression with classes as rows of zeros and a one."""

    def f(w, b, x, y):
        z = x @ w + b
        largest = np.max(z, axis=1, keepdims=True)
        total = np.log(np.sum(np.exp(z - largest), axis=1, keepdims=True)) + largest
        return -np.mean(np.sum(y * (z - total), axis=1))

    return f


def multinomial_by_hand(w, b, x, y):
    z = x @ w + b
    z -= numpy.max(z, axis=1, keepdims=True)
    e = numpy.exp(z)
    sums = numpy.sum(e, axis=1, keepdims=True)
    bar = (e / sums - y) / len(x)
    value = -numpy.mean(numpy.sum(y * (z - numpy.log(sums)), axis=1))
    return value, x.T @ bar, bar.sum(0)


def _classes() -> tuple:
    rng = numpy.random.default_rng(2)
    x = rng.normal(size=(5000, 20))
    w, b = rng.normal(size=(20, 10)), rng.normal(size=10)
    return 0.1 * w, 0.1 * b, x, numpy.eye(10)[numpy.argmax(x @ w + b, 1)]


LOGISTIC_ROW = Row(
    key="logistic",
    title="logistic regression, 10^4 x 50: value and gradient",
    make=logistic,
    inputs=_observations,
    wanted="value_and_grad",
    by_hand=logistic_by_hand,
    own=LOGISTIC,
    c="logistic_gradient",
    compilers=True,
    flops=4 * 10_000 * 50,
    traffic=8 * 10_000 * 50,
)
ROWS = [
    LOGISTIC_ROW,
    LOGISTIC_ROW.but(
        key="logistic_float32",
        title="logistic regression, 10^4 x 50: value and gradient, float32",
        inputs=lambda: tuple(x.astype(numpy.float32) for x in _observations()),
        compilers=False,
        traffic=4 * 10_000 * 50,
    ),
    LOGISTIC_ROW.but(
        key="poisson",
        title="Poisson regression, 10^4 x 50: value and gradient",
        make=poisson,
        inputs=_counts,
        by_hand=poisson_by_hand,
        own={},
        c=None,
        compilers=False,
        flops=None,
    ),
    LOGISTIC_ROW.but(
        key="multinomial",
        title="softmax regression, 5000 x 20, 10 classes: value and gradient",
        make=multinomial,
        inputs=_classes,
        argnums=(0, 1),
        by_hand=multinomial_by_hand,
        own={},
        c=None,
        compilers=False,
        flops=None,
    ),
]
