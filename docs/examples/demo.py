"""Fit, train and differentiate on real data: breast cancer and handwritten digits.

Run as ``python docs/examples/demo.py``; ``--short`` shortens the training. The data comes with
scikit-learn. The exit code is 1 when a check fails: gradients against finite differences, the
Hessian against its closed form, the accuracies against what such models reach.
"""

from __future__ import annotations

import itertools
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from _adam import adam, minibatches
from _report import Report, Timer, run
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_digits
from tqdm import tqdm

import autotrace as at

SEED = 0
#: The largest relative error that a gradient may have, by central differences.
GRADIENT_TOLERANCE = 1e-6
#: The largest relative difference from the closed-form Hessian.
HESSIAN_TOLERANCE = 1e-10
#: The least accuracies on data not seen in training, in %.
LOGISTIC_ACCURACY = 95.0
NETWORK_ACCURACY = 95.0


# --- data -------------------------------------------------------------------------------------


class Data(NamedTuple):
    """Inputs and labels, split."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def split(x: np.ndarray, y: np.ndarray, share: float = 0.25) -> Data:
    """Shuffle with a fixed seed, and keep a share for the test."""
    order = np.random.default_rng(SEED).permutation(len(x))
    cut = round(len(x) * share)
    test, train = order[:cut], order[cut:]
    return Data(x[train], y[train], x[test], y[test])


def breast_cancer() -> tuple[Data, list[str]]:
    """Standardised measurements with a leading one, labels 1 for malignant, and their names."""
    raw = load_breast_cancer()
    data = split(raw.data, 1.0 - raw.target)  # scikit-learn has 0 for malignant
    mean, scale = data.train_x.mean(axis=0), data.train_x.std(axis=0)

    def prepare(x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(x), 1)), (x - mean) / scale], axis=1)

    data = data._replace(train_x=prepare(data.train_x), test_x=prepare(data.test_x))
    return data, ["(intercept)", *map(str, raw.feature_names)]


def digits() -> Data:
    """8x8 images with pixels between 0 and 1, labels 0 to 9."""
    raw = load_digits()
    return split(raw.data / 16.0, raw.target)


# --- models: plain NumPy ----------------------------------------------------------------------


RIDGE = 1.0


def logistic_loss(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The negative log-likelihood of a logistic regression, with a ridge on all but the first."""
    z = x @ w
    return np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * RIDGE * np.sum(w[1:] ** 2)


def logistic_hessian(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The Hessian of ``logistic_loss`` as the textbooks have it: X^T W X + ridge."""
    p = 1.0 / (1.0 + np.exp(-x @ w))
    ridge = np.diag(np.r_[0.0, np.full(len(w) - 1, RIDGE)])
    return x.T @ (x * (p * (1.0 - p))[:, None]) + ridge


def network(params: list[dict], x: np.ndarray) -> np.ndarray:
    """The scores of a fully connected network with rectifiers between its layers."""
    for layer in params[:-1]:
        x = np.maximum(x @ layer["w"] + layer["b"], 0.0)
    return x @ params[-1]["w"] + params[-1]["b"]


def network_loss(params: list[dict], x: np.ndarray, onehot: np.ndarray) -> np.ndarray:
    """The mean cross-entropy of the network's scores."""
    z = network(params, x)
    z = z - np.max(z, axis=1, keepdims=True)
    log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return -np.mean(np.sum(onehot * log_p, axis=1))


def initial_network(sizes: Sequence[int]) -> list[dict]:
    """Weights drawn at random, of a scale that keeps the layers' outputs alike."""
    rng = np.random.default_rng(SEED)
    return [
        {"w": rng.normal(size=(n, m)) * np.sqrt(2.0 / n), "b": np.zeros(m)}
        for n, m in itertools.pairwise(sizes)
    ]


# --- checks -----------------------------------------------------------------------------------


def gradient_error(loss: Callable, params: object, count: int) -> float:
    """How far the gradient is from central differences, in ``count`` randomly chosen entries,
    relative to the gradient's largest entry."""
    gradient = np.concatenate([np.ravel(g) for g in at.tree.leaves(at.grad(loss)(params))])
    leaves, treedef = at.tree.flatten(params)
    ends = np.cumsum([leaf.size for leaf in leaves])

    def moved(index: int, step: float) -> float:
        which = int(np.searchsorted(ends, index, side="right"))
        copy = [leaf.copy() for leaf in leaves]
        copy[which].flat[index - (ends[which] - leaves[which].size)] += step
        return float(loss(at.tree.unflatten(treedef, copy)))

    chosen = np.random.default_rng(SEED).permutation(int(ends[-1]))[:count]
    step = 1e-5
    numeric = np.array([(moved(i, step) - moved(i, -step)) / (2 * step) for i in chosen])
    return float(np.max(np.abs(numeric - gradient[chosen])) / np.max(np.abs(gradient)))


def equations(function: Callable, *args: object) -> tuple[int, int]:
    """How many equations a function has, as traced and simplified."""
    traced = at.make_jaxpr(function)(*args)
    simplified = at.make_jaxpr(function, simplify=True)(*args)
    return len(traced.eqns), len(simplified.eqns)


# --- the four parts ---------------------------------------------------------------------------


def show_gradient(report: Report) -> None:
    """The gradient of a small function as a program."""
    report.section("1. The gradient of one neuron's error, (tanh(w.x) - y)**2, as a program")

    def error(w: np.ndarray, x: np.ndarray, y: float) -> np.ndarray:
        return (np.tanh(np.dot(w, x)) - y) ** 2

    program = at.make_jaxpr(at.grad(error), simplify=True)(np.ones(3), np.ones(3), 1.0)
    print(textwrap.indent(str(program), "  "))


def fit_logistic(report: Report, data: Data) -> np.ndarray:
    """Logistic regression by scipy.optimize, and its accuracies."""
    report.section("2. Logistic regression: malignant or benign?")
    rows, columns = data.train_x.shape
    report.line("data", f"{rows} to fit, {len(data.test_x)} to test, {columns - 1} measurements")

    def loss(w: np.ndarray) -> np.ndarray:
        return logistic_loss(w, data.train_x, data.train_y)

    w0 = np.zeros(columns)
    report.line(
        "equations of its gradient",
        "{} traced, {} simplified".format(*equations(at.grad(loss), w0)),
    )
    start = np.random.default_rng(SEED).normal(size=columns)
    report.check(
        "gradient's relative error",
        gradient_error(loss, start, columns),
        GRADIENT_TOLERANCE,
    )
    with Timer() as timer:
        found = minimize(
            at.jit(at.value_and_grad(loss)),
            w0,
            jac=True,
            method="L-BFGS-B",
            options={"gtol": 1e-6, "ftol": 1e-14},
        )
    report.line("fit with L-BFGS-B", f"{timer.seconds:.3f} s, {found.nfev} evaluations")
    slope = np.max(np.abs(at.grad(loss)(found.x)))
    report.check("gradient's largest entry there", slope, 1e-2)

    def accuracy(x: np.ndarray, y: np.ndarray) -> float:
        return 100.0 * float(np.mean((x @ found.x > 0) == (y > 0.5)))

    train = accuracy(data.train_x, data.train_y)
    report.number("accuracy, training (%)", train, "{:.4g}")
    report.check(
        "accuracy, test (%)",
        accuracy(data.test_x, data.test_y),
        LOGISTIC_ACCURACY,
        above=True,
    )
    return found.x


def standard_errors(report: Report, data: Data, names: list[str], w: np.ndarray) -> None:
    """The Hessian at the optimum, and what it says about the coefficients."""
    report.section("3. Its standard errors, from the Hessian at the optimum")
    hessian = at.jit(at.hessian(logistic_loss))
    with Timer() as timer:
        h = hessian(w, data.train_x, data.train_y)
    report.line("Hessian", f"{h.shape[0]} x {h.shape[1]} in {1000 * timer.seconds:.1f} ms")
    expected = logistic_hessian(w, data.train_x)
    difference = float(np.max(np.abs(h - expected)) / np.max(np.abs(expected)))
    report.check("difference from X^T W X + ridge", difference, HESSIAN_TOLERANCE)
    errors = np.sqrt(np.diag(np.linalg.inv(h)))
    z = w / errors
    print(f"\n  {'measurement':<26}{'coefficient':>12}{'std. error':>12}{'z':>8}")
    for i in np.argsort(-np.abs(z))[:8]:
        print(f"  {names[i]:<26}{w[i]:>12.3f}{errors[i]:>12.3f}{z[i]:>8.2f}")
    print("\n  The measurements are correlated: together they tell, no single one stands out.")


def train_network(report: Report, data: Data, epochs: int) -> list[float]:
    """A small network on the digits, with Adam; returns the losses."""
    report.section("4. A neural network: which digit?")
    onehot = np.eye(10)[data.train_y]
    params = initial_network([64, 128, 10])
    count = sum(leaf.size for leaf in at.tree.leaves(params))
    report.line("data", f"{len(data.train_x)} to train, {len(data.test_x)} to test, 8x8 pixels")
    report.line("layers", f"64 - 128 - 10, {count} parameters")
    few = data.train_x[:100], onehot[:100]
    report.line(
        "equations of its gradient",
        "{} traced, {} simplified".format(*equations(at.grad(network_loss), params, *few)),
    )
    report.check(
        "network: gradient's relative error",
        gradient_error(lambda p: network_loss(p, *few), params, 60),
        GRADIENT_TOLERANCE,
    )
    value_and_grad = at.jit(at.value_and_grad(network_loss))
    with Timer() as timer:
        epoch = tqdm(range(epochs), desc="  training", unit="epoch", leave=False, disable=None)
        rng = np.random.default_rng(SEED)
        batches = minibatches(rng, epoch, 64, data.train_x, onehot)
        params, losses = adam(value_and_grad, params, batches)
    report.line(
        "trained with Adam",
        f"{timer.seconds:.3f} s, {len(losses)} steps, "
        f"{1e6 * timer.seconds / len(losses):.0f} us each",
    )
    report.number("network: loss of the last minibatch", losses[-1], "{:.4g}")

    def accuracy(x: np.ndarray, y: np.ndarray) -> float:
        return 100.0 * float(np.mean(np.argmax(network(params, x), axis=1) == y))

    train = accuracy(data.train_x, data.train_y)
    report.number("network: accuracy, training (%)", train, "{:.4g}")
    report.check(
        "network: accuracy, test (%)",
        accuracy(data.test_x, data.test_y),
        NETWORK_ACCURACY,
        above=True,
    )
    return losses


def example(report: Report, short: bool) -> list[float]:
    """All parts, in order.

    Returns:
      The losses of the network's training.
    """
    show_gradient(report)
    data, names = breast_cancer()
    w = fit_logistic(report, data)
    standard_errors(report, data, names, w)
    return train_network(report, digits(), epochs=12 if short else 40)


def picture(figure: Any, losses: list[float]) -> None:
    """The training: the loss of each minibatch."""
    axes = figure.subplots()
    axes.semilogy(losses, linewidth=0.6)
    axes.set(xlabel="step of Adam", ylabel="cross-entropy of the minibatch")
    axes.set_title("A network learns handwritten digits")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
