"""Log densities with their gradients, as samplers (HMC, NUTS) call them at every step.

The parameters are one vector, unconstrained; the data are arguments.
"""

from __future__ import annotations

import numpy
from scipy import special

from .row import Row

EFFECTS = numpy.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = numpy.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def eight_schools(np):
    """The log density, non-centred: the effect of a school is ``mu + tau * theta``."""
    effects, errors = np.asarray(EFFECTS), np.asarray(ERRORS)

    def f(mu, log_tau, theta):
        tau = np.exp(log_tau)
        residual = (effects - mu - tau * theta) / errors
        likelihood = -0.5 * np.sum(residual * residual)
        prior = -0.5 * np.sum(theta * theta) - 0.5 * (mu / 5) ** 2 - np.log1p((tau / 5) ** 2)
        return likelihood + prior + log_tau

    return f


def eight_schools_by_hand(mu, log_tau, theta):
    tau = numpy.exp(log_tau)
    residual = (EFFECTS - mu - tau * theta) / ERRORS
    scaled = residual / ERRORS
    ratio = (tau / 5) ** 2
    value = -0.5 * (residual @ residual + theta @ theta + (mu / 5) ** 2) - numpy.log1p(ratio)
    by_log_tau = tau * (scaled @ theta) - 2 * ratio / (1 + ratio) + 1
    return value + log_tau, scaled.sum() - mu / 25, by_log_tau, tau * scaled - theta


GROUPS, HOUSES = 85, 919


def hierarchical(np):
    """Levels of radon in houses: intercepts of counties from a normal distribution, a slope
    (Gelman and Hill 2007). The parameters: mean and logarithm of the deviation of the
    intercepts, the slope, the logarithm of the noise, and the standardised intercepts."""

    def f(theta, floor, level, county):
        mean, spread, slope = theta[0], np.exp(theta[1]), theta[2]
        noise = np.exp(theta[3])
        intercepts = mean + spread * theta[4:]
        z = (level - intercepts[county] - slope * floor) / noise
        likelihood = -0.5 * np.sum(z * z) - HOUSES * theta[3]
        prior = -0.5 * np.sum(theta[4:] * theta[4:]) - 0.5 * (mean * mean + slope * slope)
        return likelihood + prior - 0.5 * (spread * spread + noise * noise) + theta[1] + theta[3]

    return f


def hierarchical_by_hand(theta, floor, level, county):
    mean, spread, slope, noise = theta[0], numpy.exp(theta[1]), theta[2], numpy.exp(theta[3])
    z = (level - (mean + spread * theta[4:])[county] - slope * floor) / noise
    scaled = z / noise
    by_intercept = numpy.bincount(county, scaled, GROUPS)
    squares = z @ z
    value = -0.5 * (squares + theta[4:] @ theta[4:] + mean**2 + slope**2 + spread**2 + noise**2)
    bar = numpy.empty_like(theta)
    bar[0] = by_intercept.sum() - mean
    bar[1] = spread * (by_intercept @ theta[4:]) - spread**2 + 1
    bar[2] = scaled @ floor - slope
    bar[3] = squares - len(level) - noise**2 + 1
    bar[4:] = spread * by_intercept - theta[4:]
    return value - len(level) * theta[3] + theta[1] + theta[3], bar


def _houses() -> tuple:
    rng = numpy.random.default_rng(0)
    county = rng.integers(GROUPS, size=HOUSES)
    floor = rng.integers(2, size=HOUSES).astype(float)
    level = 1.5 + 0.3 * rng.normal(size=GROUPS)[county] - 0.7 * floor
    level += 0.7 * rng.normal(size=HOUSES)
    return 0.3 * rng.normal(size=4 + GROUPS), floor, level, county


COMPONENTS = 4


def mixture(np):
    """Normal distributions on a line, without prior: logits, means, logarithms of deviations."""

    def f(theta, x):
        k = COMPONENTS
        logits, means, logs = theta[:k], theta[k : 2 * k], theta[2 * k :]
        z = (x[:, None] - means) * np.exp(-logs)
        t = logits - np.log(np.sum(np.exp(logits))) - logs - 0.5 * z * z
        largest = np.max(t, 1, keepdims=True)
        return np.sum(np.log(np.sum(np.exp(t - largest), 1))) + np.sum(largest)

    return f


def mixture_by_hand(theta, x):
    logits, means, logs = theta.reshape(3, COMPONENTS)
    inverse = numpy.exp(-logs)
    z = (x[:, None] - means) * inverse
    e = numpy.exp(logits)
    t = logits - numpy.log(numpy.sum(e)) - logs - 0.5 * z * z
    largest = t.max(1, keepdims=True)
    weights = numpy.exp(t - largest)
    sums = weights.sum(1, keepdims=True)
    weights /= sums
    total = weights.sum(0)
    bars = (
        total - len(x) * e / numpy.sum(e),
        numpy.sum(weights * z, 0) * inverse,
        numpy.sum(weights * z * z, 0) - total,
    )
    return numpy.log(sums).sum() + largest.sum(), numpy.concatenate(bars)


def _mixed() -> tuple:
    rng = numpy.random.default_rng(0)
    x = rng.normal(size=1000) + rng.choice([-3.0, 0.0, 2.0, 5.0], size=1000)
    return numpy.concatenate([0.1 * rng.normal(size=4), [-2, 0, 2, 4], numpy.zeros(4)]), x


#: The noise of the regression's observations.
NOISE = numpy.random.default_rng(1).standard_t(4, 1000)


def student(np):
    """Linear regression with Student's t as noise; its degrees of freedom are a parameter."""

    def f(theta, x, y):
        noise, freedom = np.exp(theta[0]), np.exp(theta[1])
        z = (y - x @ theta[2:]) / noise
        half = (freedom + 1) / 2
        constant = np.gammaln(half) - np.gammaln(freedom / 2) - 0.5 * np.log(freedom * numpy.pi)
        likelihood = len(NOISE) * (constant - theta[0]) - half * np.sum(np.log1p(z * z / freedom))
        return likelihood - 0.5 * np.sum(theta * theta)

    return f


def student_by_hand(theta, x, y):
    noise, freedom = numpy.exp(theta[0]), numpy.exp(theta[1])
    z = (y - x @ theta[2:]) / noise
    half, ratio = (freedom + 1) / 2, z * z / freedom
    logs = numpy.log1p(ratio).sum()
    constant = special.gammaln(half) - special.gammaln(freedom / 2)
    value = len(y) * (constant - 0.5 * numpy.log(freedom * numpy.pi) - theta[0]) - half * logs
    pull = 2 * half * z / freedom / (1 + ratio)
    bar = numpy.empty_like(theta)
    bar[0] = pull @ z - len(y)
    by_freedom = 0.5 * (special.psi(half) - special.psi(freedom / 2)) - 0.5 / freedom
    by_freedom = len(y) * by_freedom - 0.5 * logs + half / freedom * numpy.sum(ratio / (1 + ratio))
    bar[1] = freedom * by_freedom
    bar[2:] = (pull / noise) @ x
    return value - 0.5 * theta @ theta, bar - theta


def _regression() -> tuple:
    rng = numpy.random.default_rng(0)
    x = rng.normal(size=(len(NOISE), 10))
    return 0.3 * rng.normal(size=12), x, x @ rng.normal(size=10) + NOISE


ROWS = [
    Row(
        key="eight_schools",
        title="eight schools, log density: value and gradient",
        make=eight_schools,
        inputs=lambda: (4.4, 1.2, numpy.linspace(-1.0, 1.5, 8)),
        wanted="value_and_grad",
        argnums=(0, 1, 2),
        compilers=True,
        by_hand=eight_schools_by_hand,
        c="eight_schools_gradient",
    ),
    Row(
        key="hierarchical",
        title="houses in 85 counties, log density of 919 levels: value and gradient",
        make=hierarchical,
        inputs=_houses,
        wanted="value_and_grad",
        by_hand=hierarchical_by_hand,
        compilers=True,
    ),
    Row(
        key="mixture",
        title="mixture of 4 normal distributions, 1000 numbers: value and gradient",
        make=mixture,
        inputs=_mixed,
        wanted="value_and_grad",
        by_hand=mixture_by_hand,
    ),
    Row(
        key="student",
        title="regression with Student's t, 1000 x 10: value and gradient",
        make=student,
        inputs=_regression,
        wanted="value_and_grad",
        by_hand=student_by_hand,
    ),
]
