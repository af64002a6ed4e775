"""Hyperparameters by gradient: weight decays from the derivative of a cross-validation.

Run as ``python docs/examples/bilevel.py``. A logistic regression tells malignant from benign by 30
measurements, among 30 columns of noise. How strongly should the weights decay? The loss in
cross-validation has a derivative, which goes through the fits by the implicit function theorem.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from _report import Report, run
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer

import autotrace as at
from autotrace.scipy import optimize

FOLDS = 5
TRAINING = 200  # of 569 patients; the others are for the test
COLUMNS = 30  # of measurements, and as many of noise


# --- the model: plain NumPy -------------------------------------------------------------------


def log_loss(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean negative log-likelihood of a logistic regression."""
    z = x @ w
    return np.mean(np.logaddexp(0.0, z) - y * z)


def penalized(w: np.ndarray, log_decay: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What training minimizes. The first weight, that of the column of ones, does not decay."""
    return log_loss(w, x, y) + 0.5 * np.sum(np.exp(log_decay) * w[1:] ** 2)


def fit(log_decay: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The weights, by Newton's method with a trust region."""
    start = np.zeros(x.shape[1])
    options = {"gtol": 1e-10}
    found = optimize.minimize(penalized, start, (log_decay, x, y), "trust-exact", options=options)
    return found.x


def cross_validation(log_decay: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean loss on each fifth of the data of what is fitted to the rest."""
    fold = np.arange(len(y)) % FOLDS
    total = 0.0
    for k in range(FOLDS):
        w = fit(log_decay, x[fold != k], y[fold != k])
        total = total + log_loss(w, x[fold == k], y[fold == k])
    return total / FOLDS


# --- the example ------------------------------------------------------------------------------


def patients() -> tuple[np.ndarray, ...]:
    """Inputs and labels for training and test: ones, measurements, noise; 1 is malignant."""
    raw = load_breast_cancer()
    rng = np.random.default_rng(0)
    x = np.concatenate([raw.data, rng.normal(size=(len(raw.data), COLUMNS))], axis=1)
    order = rng.permutation(len(x))
    x, y = x[order], 1.0 - raw.target[order]
    x = (x - x[:TRAINING].mean(axis=0)) / x[:TRAINING].std(axis=0)
    x = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    return x[:TRAINING], y[:TRAINING], x[TRAINING:], y[TRAINING:]


def check_gradient(report: Report, x: np.ndarray, y: np.ndarray, every: int) -> None:
    """Against differences of the whole: ten fits for each of them."""
    report.section("1. The derivative of the cross-validation by each weight's decay")
    outer = at.jit(lambda log_decay: cross_validation(log_decay, x, y))
    log_decay = np.full(2 * COLUMNS, -4.0)
    gradient = at.jit(at.grad(outer))(log_decay)
    step, chosen = 1e-3, np.arange(0, 2 * COLUMNS, every)
    beside = [[outer(log_decay + s * row) for s in (step, -step)] for row in np.eye(60)[chosen]]
    slopes = -np.diff(beside, axis=1)[:, 0] / (2 * step)
    # Central differences are off by the square of the step; fits end at slopes of 1e-10.
    report.agree("some of 60, and differences", gradient[chosen], slopes, rtol=1e-4, atol=1e-8)
    # Decay of what says nothing is good, decay of what says much is bad.
    signal, noise = gradient[:COLUMNS], gradient[COLUMNS:]
    report.number("sum of those of measurements", signal.sum(), "{:.4f}")
    report.check("and of those of noise", noise.sum(), 0.0)


def example(report: Report, short: bool) -> dict[str, Any]:
    """Check the derivative; choose one decay, then two, by descent and on a grid."""
    x, y, test_x, test_y = patients()
    check_gradient(report, x, y, 30 if short else 10)
    path: list[np.ndarray] = []

    def outer(log_decays: np.ndarray) -> np.ndarray:
        """Cross-validation, for a decay that all weights share, or for two, each of a half."""
        each = np.ones((len(log_decays), 2 * COLUMNS // len(log_decays))) * log_decays[:, None]
        return cross_validation(each.reshape(-1), x, y)

    def tested(log_decays: np.ndarray) -> float:
        w = fit(np.repeat(log_decays, 2 * COLUMNS // len(log_decays)), x, y)
        return float(log_loss(w, test_x, test_y))

    value_and_grad = at.jit(at.value_and_grad(outer))
    found = {}
    for title, start in (
        ("2. One decay", [0.0]),
        ("3. One for measurements, one for noise", [0.0, 0.0]),
    ):
        report.section(title)
        path.clear()
        path.append(np.array(start))
        best = minimize(
            value_and_grad,
            start,
            jac=True,
            method="L-BFGS-B",
            callback=lambda v: path.append(v.copy()),
        )
        found[len(start)] = best
        report.line("log decay", " ".join(f"{v:.3f}" for v in best.x))
        report.number(f"{len(start)}: cross-validation", best.fun, "{:.5f}")
        report.line("evaluations, with gradients", best.nfev)
        report.number(f"{len(start)}: loss on the test data", tested(best.x), "{:.5f}")

    report.section("4. The same on a grid")
    axes = np.arange(-9.0, 0.5, 4.5 if short else 0.75)
    jitted = at.jit(outer)
    grid = np.array([[jitted(np.array([a, b])) for a in axes] for b in axes])
    row, column = np.unravel_index(np.argmin(grid), grid.shape)
    report.line("evaluations", grid.size)
    report.number("the best of them", grid[row, column], "{:.5f}")
    report.check("2: found, less that", found[2].fun - grid[row, column], 1e-7)
    spacing = axes[1] - axes[0]
    report.agree("2: its place, within a mesh", found[2].x, [axes[column], axes[row]], atol=spacing)
    return {"axes": axes, "grid": grid, "path": np.array(path), "one": found[1].x[0]}


def picture(figure: Any, results: dict[str, Any]) -> None:
    """The cross-validation over both decays, and the way down."""
    axes = figure.subplots()
    levels = np.geomspace(np.min(results["grid"]), np.max(results["grid"]), 12)
    lines = axes.contour(results["axes"], results["axes"], results["grid"], levels, cmap="viridis")
    axes.clabel(lines, fontsize=7, fmt="%.2f")
    axes.axline((0, 0), slope=1, color="0.6", ls=":", lw=1)
    axes.plot(results["one"], results["one"], "s", color="C0", label="the best of one for all")
    axes.plot(*results["path"].T, ".-", color="C3", lw=1, label="the way of L-BFGS")
    axes.plot(*results["path"][-1], "*", color="C3", ms=12, label="the best of two")
    axes.set(xlabel="log decay of the measurements' weights", ylabel="log decay of noise's")
    axes.set(title="Loss in cross-validation", xlim=(-9, 0.2), ylim=(-9, 0.2))
    axes.legend(loc="lower right")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
