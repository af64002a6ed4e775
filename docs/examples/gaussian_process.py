"""A Gaussian process: carbon dioxide at Mauna Loa, and its next years.

The model of Rasmussen and Williams (Gaussian Processes for Machine Learning, MIT Press 2006,
section 5.4.3): a smooth trend, seasons that change slowly, irregularities of a few years, and
noise. Its eleven parameters are fitted by their marginal likelihood, whose gradient would be eleven
formulas. The samples are those of Keeling and Whorf (in the public domain; ``data/mauna_loa.txt``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from _report import Report, Timer, run
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

import autotrace as at
from autotrace.scipy.linalg import cho_solve, solve_triangular
from autotrace.scipy.optimize import minimize

START = {
    "trend": np.log([50.0, 50.0]),  # size (ppm), length (years)
    "season": np.log([2.0, 100.0, 1.0]),  # size, length of its decay, length within the year
    "medium": np.log([0.5, 1.0, 1.0]),  # size, length, shape
    "noise": np.log([0.1, 0.1, 0.1]),  # size and length of what is correlated, size of the rest
}
#: What scikit-learn finds for the same data and model, in the example of its documentation
#: "Forecasting of CO2 level on Mauna Loa dataset using Gaussian process regression": the sizes and
#: lengths as printed there, to three digits.
SCIKIT_LEARN_LIKELIHOOD = -115.050
SCIKIT_LEARN = {
    "trend": [44.8, 51.6],
    "season": [2.64, 91.5, 1.48],
    "medium": [0.536, 0.968, 2.89],
    "noise": [0.188, 0.122, 0.0367**0.5],
}
#: Annual means at Mauna Loa, from NOAA's Global Monitoring Laboratory, in ppm, rounded.
LATER = {2005: 380.0, 2010: 390.1, 2015: 401.0}


def monthly(every: int) -> tuple[np.ndarray, np.ndarray]:
    """Times in years and concentrations, every so many months."""
    table = np.loadtxt(Path(__file__).parent / "data" / "mauna_loa.txt")
    times = (table[:, :1] + (np.arange(12) + 0.5) / 12).ravel()
    values = table[:, 1:].ravel()
    known = np.flatnonzero(np.isfinite(values))[::every]
    return times[known], values[known]


# --- the model: plain NumPy -------------------------------------------------------------------


def squared_exponential(d, size, length):
    return size**2 * np.exp(-0.5 * (d / length) ** 2)


def periodic(d, length):
    return np.exp(-2 * (np.sin(np.pi * d) / length) ** 2)


def rational_quadratic(d, size, length, shape):
    return size**2 * (1 + 0.5 * (d / length) ** 2 / shape) ** -shape


def covariance(theta, d):
    """Of values that are ``d`` years apart, without noise that is each value's own."""
    size, decay, within = np.exp(theta["season"])
    correlated = np.exp(theta["noise"][:2])
    return (
        squared_exponential(d, *np.exp(theta["trend"]))
        + squared_exponential(d, size, decay) * periodic(d, within)
        + rational_quadratic(d, *np.exp(theta["medium"]))
        + squared_exponential(d, *correlated)
    )


def factor(theta, t):
    """Cholesky's factor of the data's covariance."""
    own = np.exp(2 * theta["noise"][2])
    return np.linalg.cholesky(covariance(theta, t[:, None] - t) + own * np.eye(len(t)))


def negative_log_likelihood(theta, t, y):
    low = factor(theta, t)
    weights = cho_solve((low, True), y)
    return 0.5 * y @ weights + np.sum(np.log(np.diag(low))) + 0.5 * len(y) * np.log(2 * np.pi)


def trend(theta, t, y, new):
    """The smooth part alone, at one time."""
    weights = cho_solve((factor(theta, t), True), y)
    return squared_exponential(new - t, *np.exp(theta["trend"])) @ weights


#: In ppm a year.
growth = at.jit(at.vmap(at.grad(trend, argnums=3), in_axes=(None, None, None, 0)))


@at.jit
def predict(theta, t, y, new):
    """The mean and the standard deviation of new samples."""
    low = factor(theta, t)
    k = covariance(theta, new[:, None] - t)
    mean = k @ cho_solve((low, True), y)
    spread = solve_triangular(low, k.T, lower=True)
    own = np.exp(2 * theta["noise"][2])
    variance = covariance(theta, 0.0) + own - np.sum(spread**2, axis=0)
    return mean, np.sqrt(variance)


# --- the same by other means, for the checks ----------------------------------------------------


def dense_likelihood(theta, t, y):
    """With an inverse and a determinant, as the formula is in books."""
    k = covariance(theta, t[:, None] - t) + np.exp(2 * theta["noise"][2]) * np.eye(len(t))
    _, log_determinant = np.linalg.slogdet(2 * np.pi * k)
    return 0.5 * (y @ np.linalg.inv(k) @ y + log_determinant)


def differences(theta, t, y, step=1e-3):
    """The gradient by central differences of the dense likelihood."""
    flat, unravel = at.tree.ravel_pytree(theta)
    moves = step * np.eye(len(flat))
    up = [dense_likelihood(unravel(flat + move), t, y) for move in moves]
    down = [dense_likelihood(unravel(flat - move), t, y) for move in moves]
    return (np.array(up) - np.array(down)) / (2 * step)


def by_scikit_learn(theta, t, y):
    """Value and gradient by scikit-learn, whose kernels have their derivatives by hand."""
    trend, season, medium, noise = (np.exp(theta[name]) for name in START)
    kernel = (
        trend[0] ** 2 * kernels.RBF(trend[1])
        + season[0] ** 2
        * kernels.RBF(season[1])
        * kernels.ExpSineSquared(season[2], periodicity_bounds="fixed")
        + medium[0] ** 2 * kernels.RationalQuadratic(medium[1], medium[2])
        + noise[0] ** 2 * kernels.RBF(noise[1])
        + kernels.WhiteKernel(noise[2] ** 2)
    )
    model = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(t[:, None], y)
    logs = model.kernel_.theta
    value, slopes = model.log_marginal_likelihood(logs, eval_gradient=True, clone_kernel=False)
    size, length = 2 * slopes[[0, 2, 5, 8, 10]], slopes[[1, 3, 7, 9]]  # sizes are squared there
    return -value, {
        "trend": -np.array([size[0], length[0]]),
        "season": -np.array([size[1], length[1], slopes[4]]),
        "medium": -np.array([size[2], length[2], slopes[6]]),
        "noise": -np.array([size[3], length[3], size[4]]),
    }


# --- the example --------------------------------------------------------------------------------


def example(report: Report, short: bool) -> tuple:
    t, raw = monthly(6 if short else 1)
    y = raw - np.mean(raw)
    report.section("Marginal likelihood and its gradient, at the start")
    report.line("samples", len(y))
    value_and_grad = at.jit(at.value_and_grad(negative_log_likelihood))
    value, gradient = value_and_grad(START, t, y)
    # The matrix's condition number is some 1e7: nine digits are left of sixteen.
    report.agree("value by the dense formula", value, dense_likelihood(START, t, y), rtol=1e-9)
    flat = at.tree.ravel_pytree(gradient)[0]
    scale = np.max(np.abs(flat))
    # The differences' own errors: the step squared, and rounding divided by it.
    report.agree("gradient by differences", flat, differences(START, t, y), atol=1e-5 * scale)
    known_value, known = by_scikit_learn(START, t, y)
    report.agree("value by scikit-learn", value, known_value, rtol=1e-9)
    known = at.tree.ravel_pytree(known)[0]
    report.agree("gradient by scikit-learn", flat, known, atol=1e-8 * scale)

    report.section("Fit by L-BFGS-B")
    with Timer() as timer:
        found = minimize(
            negative_log_likelihood,
            START,
            args=(t, y),
            method="L-BFGS-B",
            options={"maxiter": 60 if short else 500},
        )
    theta = found.x
    report.line("evaluations of value and gradient", f"{found.nfev} in {timer.seconds:.1f} s")
    for name in START:
        report.line(name, "  ".join(f"{value:.3g}" for value in np.exp(theta[name])))
    if short:
        report.number("log-likelihood", -found.fun)
        report.check("gradient, relative to the start's", np.max(np.abs(found.jac)) / scale, 1e-3)
    else:
        report.agree("log-likelihood", -found.fun, SCIKIT_LEARN_LIKELIHOOD, atol=5e-3)
        for name, known in SCIKIT_LEARN.items():
            report.agree(f"{name}, as scikit-learn has it", np.exp(theta[name]), known, rtol=5e-3)

    report.section("The years after")
    new = np.arange(2002, 2021, 1 / 12) + 0.5 / 12
    mean, deviation = predict(theta, t, y, new)
    mean = mean + np.mean(raw)
    years = mean.reshape(-1, 12).mean(axis=1)
    for year, known in LATER.items():
        place = year - 2002
        error = deviation[12 * place + 6]
        report.line(f"{year}: foretold, measured", f"{years[place]:.1f} +- {error:.1f}, {known}")
    rate = growth(theta, t, y, np.array([1965.0, 1980.0, 1995.0]))
    report.line("growth in 1965, 1980, 1995", "  ".join(f"{r:.2f}" for r in rate) + " ppm a year")
    h = 1e-3
    middle = (trend(theta, t, y, 1980.0 + h) - trend(theta, t, y, 1980.0 - h)) / (2 * h)
    report.agree("that of 1980 by differences", rate[1], middle, rtol=1e-5)
    return t, raw, new, mean, deviation


def picture(figure: Any, results: tuple) -> None:
    """The samples, and the prediction with its band."""
    t, raw, new, mean, deviation = results
    axes = figure.subplots()
    axes.plot(t, raw, color="0.3", linewidth=0.8, label="samples")
    axes.plot(new, mean, color="C0", linewidth=0.8, label="prediction")
    low, high = mean - 1.96 * deviation, mean + 1.96 * deviation
    axes.fill_between(new, low, high, color="C0", alpha=0.25, linewidth=0, label="95% of it")
    axes.plot([y + 0.5 for y in LATER], list(LATER.values()), "C3D", markersize=4, label="measured")
    axes.set(xlabel="year", ylabel="CO$_2$ (ppm)", xlim=(1957, 2021))
    axes.legend(loc="upper left", frameon=False)
    axes.set_title("Carbon dioxide at Mauna Loa: 1958 to 2001, and what was to come")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
