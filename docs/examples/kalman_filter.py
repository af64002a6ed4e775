"""A Kalman filter and its maximum likelihood: the flow of the Nile at Aswan, 1871 to 1970.

The local level model of Durbin and Koopman, Time Series Analysis by State Space Methods (second
edition, Oxford 2012, chapter 2): the flow is a level plus noise, and the level a random walk,

    y[t] = level[t] + noise,        noise ~ N(0, observation)
    level[t+1] = level[t] + step,   step ~ N(0, transition)

with nothing known about the first level (a diffuse prior). The filter gives the likelihood; its
gradient fits the two variances, its Hessian gives their standard errors, and its derivatives with
respect to the *data* give the smoothed level, without a smoother.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from _report import Report, run

import autotrace as at
from autotrace import lax
from autotrace.scipy.optimize import minimize

YEARS = np.arange(1871, 1971)
#: Annual volume in 10^8 cubic metres (Cobb, Biometrika 65, 1978; R's data set "Nile").
NILE = np.array(
    """
1120 1160  963 1210 1160 1160  813 1230 1370 1140  995  935 1110  994 1020  960 1180  799  958 1140
1100 1210 1150 1250 1260 1220 1030 1100  774  840  874  694  940  833  701  916  692 1020 1050  969
 831  726  456  824  702 1120 1100  832  764  821  768  845  864  862  698  845  744  796 1040  759
 781  865  845  944  984  897  822 1010  771  676  649  846  812  742  801 1040  860  874  848  890
 744  749  838 1050  918  986  797  923  975  815 1020  906  901 1170  912  746  919  718  714  740
""".split(),
    float,
)

#: Durbin and Koopman's estimates (section 2.10), rounded as they have them.
BOOK = np.array([15099.0, 1469.1])
#: statsmodels 0.15.0, UnobservedComponents(y, "llevel") with an exact diffuse start, at BOOK: the
#: log-likelihood, and for 1871, 1898, 1913 and 1970 the smoothed level and its variance.
KNOWN_LIKELIHOOD = -633.4645636488787
KNOWN_YEARS = np.array([1871, 1898, 1913, 1970])
KNOWN_LEVEL = np.array([1111.6683191267957, 999.585218705269, 799.4532692509016, 798.3702926083578])
KNOWN_VARIANCE = np.array(
    [4032.1579418084766, 2326.756958102708, 2326.756869821948, 4032.157941808783]
)
#: Its standard errors at its own maximum (cov_type="approx"): from differences of the likelihood.
KNOWN_ERRORS = np.array([3145.5477, 1280.3749])
#: The same with the first level known to be 0 +- sqrt(1e7), instead of diffuse.
KNOWN_WIDE_LIKELIHOOD = -641.5855784594156


# --- the filter: plain NumPy and one scan -----------------------------------------------------


def filtered(variances, y, level, variance):
    """Predictions of each observation by those before it.

    Args:
      variances: those of the observations and of the level's steps, of shape (2,).
      y: the observations, of shape (n,).
      level, variance: what is known of the first level.

    Returns:
      The errors of the predictions and the variances of these, of shape (n,).
    """
    observation, transition = variances

    def step(state, y):
        level, variance = state
        error, spread = y - level, variance + observation
        gain = variance / spread
        state = level + gain * error, variance * (1 - gain) + transition
        return state, (error, spread)

    return lax.scan(step, (level, variance), y)[1]


def gaussian_log_likelihood(variances, y, level, variance):
    error, spread = filtered(variances, y, level, variance)
    return -0.5 * np.sum(np.log(2 * np.pi * spread) + error**2 / spread)


@at.jit
def log_likelihood(variances, y):
    """With nothing known beforehand: the first observation says where the level is."""
    observation, transition = variances
    rest = gaussian_log_likelihood(variances, y[1:], y[0], observation + transition)
    return rest - 0.5 * np.log(2 * np.pi)


def maximum_likelihood(y):
    """The variances, found by their logarithms, with compiled gradients and Hessians."""

    def loss(logs):
        return -log_likelihood(np.exp(logs), y)

    start = np.log([np.var(y) / 2, np.var(y) / 2])
    return np.exp(minimize(loss, start, method="trust-exact", tol=1e-8).x)


@at.jit
def smoothed(variances, y):
    """The level given all observations, and its variance.

    The noise has the covariance o*I, and the data V. Then E[noise | y] = o V^-1 (y - mean), and the
    gradient of the log-likelihood with respect to y is -V^-1 (y - mean), its Hessian -V^-1.
    """
    observation = variances[0]
    slope = at.grad(log_likelihood, argnums=1)(variances, y)
    curvature = np.diag(at.hessian(log_likelihood, argnums=1)(variances, y))
    return y + observation * slope, observation + observation**2 * curvature


# --- the same by other means, for the checks --------------------------------------------------


def dense_log_likelihood(variances, y):
    """Of the differences of y, which do not know the first level: a Gaussian with a matrix."""
    observation, transition = variances
    n = len(y) - 1
    covariance = (transition + 2 * observation) * np.eye(n)
    covariance -= observation * (np.eye(n, k=1) + np.eye(n, k=-1))
    d = np.diff(y)
    log_determinant = np.linalg.slogdet(2 * np.pi * covariance)[1]
    return -0.5 * (log_determinant + d @ np.linalg.solve(covariance, d)) - 0.5 * np.log(2 * np.pi)


def differences(f, x, relative_step=1e-3):
    """The Hessian of a function by central differences."""
    h = relative_step * x
    e = np.diag(h)
    return np.array(
        [
            [
                (f(x + e[i] + e[j]) - f(x + e[i] - e[j]) - f(x - e[i] + e[j]) + f(x - e[i] - e[j]))
                / (4 * h[i] * h[j])
                for j in range(len(x))
            ]
            for i in range(len(x))
        ]
    )


# --- the example ------------------------------------------------------------------------------


def example(report: Report, short: bool) -> tuple:
    y = NILE
    report.section("The likelihood at the book's variances")
    report.agree("log-likelihood, diffuse", log_likelihood(BOOK, y), KNOWN_LIKELIHOOD, rtol=1e-12)
    wide = gaussian_log_likelihood(BOOK, y, 0.0, 1e7)
    report.agree("log-likelihood, first level 0 +- 3162", wide, KNOWN_WIDE_LIKELIHOOD, rtol=1e-12)
    report.agree("by a dense matrix", dense_log_likelihood(BOOK, y), KNOWN_LIKELIHOOD, rtol=1e-12)

    report.section("Maximum likelihood")
    variances = maximum_likelihood(y)
    # The book gives five digits.
    report.agree("variance of the observations", variances[0], BOOK[0], rtol=5e-5)
    report.agree("variance of the level's steps", variances[1], BOOK[1], rtol=1e-4)
    gradient = at.grad(log_likelihood)(variances, y) * variances
    report.check("gradient there, by logarithms", np.max(np.abs(gradient)), 1e-6)
    information = -at.hessian(log_likelihood)(variances, y)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    report.line("standard errors", f"{errors[0]:.1f} and {errors[1]:.1f}")
    report.agree("by statsmodels", errors, KNOWN_ERRORS, rtol=1e-5)
    numeric = -differences(lambda v: dense_log_likelihood(v, y), variances)
    expected = np.sqrt(np.diag(np.linalg.inv(numeric)))
    # The differences' own error: the step squared, and rounding divided by it.
    report.agree("by differences of the dense likelihood", errors, expected, rtol=1e-4)

    report.section("The smoothed level, by derivatives with respect to the data")
    level, variance = smoothed(BOOK, y)
    at_known = np.searchsorted(YEARS, KNOWN_YEARS)
    report.agree("level in four years", level[at_known], KNOWN_LEVEL, rtol=1e-9)
    report.agree("its variance", variance[at_known], KNOWN_VARIANCE, rtol=1e-9)

    report.section("The likelihood for a grid of variances, by vmap")
    count = 10 if short else 60
    observations = np.geomspace(8e3, 2.6e4, count)
    transitions = np.geomspace(1e2, 1.2e4, count)
    of_row = at.vmap(lambda o, t: log_likelihood(np.array([o, t]), y), in_axes=(0, None))
    grid = at.jit(at.vmap(of_row, in_axes=(None, 0)))(observations, transitions)
    best = log_likelihood(variances, y)
    report.line("filters run", grid.size)
    report.check("largest, below the maximum by", best - np.max(grid), 0.0, above=True)
    corner = grid[-1, 0] - dense_log_likelihood(np.array([8e3, 1.2e4]), y)
    report.check("a corner against the dense likelihood", abs(corner), 1e-9)
    return level, variance, variances, errors, observations, transitions, grid - best


def picture(figure: Any, results: tuple) -> None:
    """The flow and its level, and the likelihood."""
    level, variance, variances, errors, observations, transitions, grid = results
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    left.plot(YEARS, NILE, ".", color="0.5", markersize=4, label="flow")
    left.plot(YEARS, level, color="#1f77b4", label="smoothed level")
    band = 1.645 * np.sqrt(variance)
    left.fill_between(YEARS, level - band, level + band, alpha=0.25, label="90% of it")
    left.set(xlabel="year", ylabel="flow at Aswan ($10^8$ m$^3$)")
    left.legend(loc="upper right", frameon=False)
    left.set_title("The Nile")
    drawn = right.contour(observations, transitions, grid, levels=[-6, -3, -2, -1, -0.5])
    right.clabel(drawn, fmt="%g", fontsize=7)
    right.errorbar(*variances, *errors[::-1], fmt="ko", markersize=4, linewidth=1)
    right.set(yscale="log", xlabel="variance of the observations")
    right.set(ylim=(transitions[0], transitions[-1]), ylabel="variance of the level's steps")
    right.set_title("Log-likelihood, relative")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
