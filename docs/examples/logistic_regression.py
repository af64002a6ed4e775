"""Logistic regression and what is reported of it, all from one log-likelihood.

Spector and Mazzeo (Journal of Economic Education 11, 1980) asked whether a new way of teaching
economics (PSI) raises students' grades; the data are a textbook example (Greene, Econometric
Analysis). Standard errors are the inverse of a Hessian, robust ones need each student's gradient,
marginal effects are derivatives of the prediction, and the errors of these derivatives again.
A probit model is one line more.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from _report import Report, run
from scipy.special import log_ndtr

import autotrace as at

NAMES = "(constant)", "GPA", "TUCE", "PSI"
#: 32 students: grade point average, score in a test before the course, whether taught by PSI, and
#: whether the grade has improved.
STUDENTS = np.array("""
    2.66 20 0 0   2.89 22 0 0   3.28 24 0 0   2.92 12 0 0
    4.00 21 0 1   2.86 17 0 0   2.76 17 0 0   2.87 21 0 0
    3.03 25 0 0   3.92 29 0 1   2.63 20 0 0   3.32 23 0 0
    3.57 23 0 0   3.26 25 0 1   3.53 26 0 0   2.74 19 0 0
    2.75 25 0 0   2.83 19 0 0   3.12 23 1 0   3.16 25 1 1
    2.06 22 1 0   3.62 28 1 1   2.89 14 1 0   3.51 26 1 0
    3.54 24 1 1   2.83 27 1 1   3.39 17 1 1   2.67 24 1 0
    3.65 21 1 1   4.00 23 1 1   3.10 21 1 0   2.39 19 1 1
""".split(), float).reshape(32, 4)  # fmt: skip
X, Y = np.column_stack([np.ones(32), STUDENTS[:, :3]]), STUDENTS[:, 3]

#: statsmodels 0.15.0 on these data: Logit(Y, X).fit(tol=1e-14), get_margeff(), cov_type="HC0", and
#: Probit. Greene prints the same to the digits that he prints.
LOGIT = {
    "coefficients": [-13.02134685812, 2.826112594889, 0.09515766131791, 2.378687655093],
    "standard errors": [4.931324213603, 1.262941075629, 0.1415542056737, 1.064564254497],
    "robust": [5.197585410300, 1.267545982016, 0.1179222677494, 0.9644192096529],
    "marginal effects": [0.3625808316015, 0.01220841095868, 0.3051777022839],
    "their errors": [0.1094411526790, 0.01779416066988, 0.09237956935892],
    "log-likelihood": -12.88963422213,
}
PROBIT = {
    "coefficients": [-7.452319648220, 1.625810039452, 0.05172894550760, 1.426332342007],
    "standard errors": [2.542472321478, 0.6938824884415, 0.08389026142653, 0.5950379023503],
    "log-likelihood": -12.81880406889,
}
#: Both programs iterate until rounding is left; the figures have thirteen digits.
TOLERANCE = 1e-10


# --- the models: plain NumPy --------------------------------------------------------------------


def log_logistic(z):
    """The logarithm of 1 / (1 + exp(-z))."""
    return -np.logaddexp(0.0, -z)


def log_probability(link, b, x, y):
    """Of one student's result; ``link`` is log_logistic, or log_ndtr for a probit model."""
    return link((2 * y - 1) * np.dot(x, b))


def log_likelihood(link, b):
    return np.sum(log_probability(link, b, X, Y))


def prediction(link, b, x):
    return np.exp(link(np.dot(x, b)))


# --- what is reported: derivatives of these -----------------------------------------------------


def fit(link):
    """Newton's method."""
    gradient = at.jit(at.grad(log_likelihood, argnums=1), static_argnames="link")
    hessian = at.jit(at.hessian(log_likelihood, argnums=1), static_argnames="link")
    b = np.zeros(X.shape[1])
    for _ in range(12):
        b = b - np.linalg.solve(hessian(link, b), gradient(link, b))
    return b


def covariance(link, b):
    """The inverse of the observed information."""
    return np.linalg.inv(-at.hessian(log_likelihood, argnums=1)(link, b))


def robust_covariance(link, b):
    """The sandwich: it does not take the model for true. A gradient for each student, by vmap."""
    of_one = at.grad(log_probability, argnums=1)
    scores = at.vmap(of_one, in_axes=(None, None, 0, 0))(link, b, X, Y)
    bread = covariance(link, b)
    return bread @ (scores.T @ scores) @ bread


def marginal_effects(link, b):
    """By how much the chance rises with each of a student's numbers, on average."""
    of_one = at.grad(prediction, argnums=2)
    return np.mean(at.vmap(of_one, in_axes=(None, None, 0))(link, b, X), axis=0)[1:]


def delta_method(function, link, b):
    """The standard errors of a function of the coefficients."""
    jacobian = at.jacrev(function, argnums=1)(link, b)
    return np.sqrt(np.diag(jacobian @ covariance(link, b) @ jacobian.T))


# --- the example --------------------------------------------------------------------------------


def example(report: Report, short: bool) -> np.ndarray:
    report.section("Logit: has the grade improved?")
    b = fit(log_logistic)
    error = np.sqrt(np.diag(covariance(log_logistic, b)))
    robust = np.sqrt(np.diag(robust_covariance(log_logistic, b)))
    print(f"  {'':12}{'coefficient':>12}{'std. error':>12}{'z':>8}{'robust':>12}")
    for row in zip(NAMES, b, error, b / error, robust, strict=True):
        print("  {:12}{:12.4f}{:12.4f}{:8.2f}{:12.4f}".format(*row))
    effects = marginal_effects(log_logistic, b)
    effect_errors = delta_method(marginal_effects, log_logistic, b)
    print(f"\n  {'':12}{'effect':>12}{'std. error':>12}")
    for row in zip(NAMES[1:], effects, effect_errors, strict=True):
        print("  {:12}{:12.4f}{:12.4f}".format(*row))

    report.section("Against statsmodels")
    found = {
        "coefficients": b,
        "standard errors": error,
        "robust": robust,
        "marginal effects": effects,
        "their errors": effect_errors,
        "log-likelihood": log_likelihood(log_logistic, b),
    }
    for label, value in found.items():
        report.agree(label, value, LOGIT[label], rtol=TOLERANCE)
    p = prediction(log_logistic, b, X)
    information = X.T @ (X * (p * (1 - p))[:, None])
    exact = np.linalg.inv(information)
    report.agree("X'WX, as in textbooks", covariance(log_logistic, b), exact, rtol=1e-9)

    report.section("Probit: the same code with scipy.special.log_ndtr")
    c = fit(log_ndtr)
    error = np.sqrt(np.diag(covariance(log_ndtr, c)))
    report.agree("probit coefficients", c, PROBIT["coefficients"], rtol=TOLERANCE)
    report.agree("probit standard errors", error, PROBIT["standard errors"], rtol=TOLERANCE)
    value = log_likelihood(log_ndtr, c)
    report.agree("probit log-likelihood", value, PROBIT["log-likelihood"], rtol=TOLERANCE)
    return b


def picture(figure: Any, b: np.ndarray) -> None:
    """The chance of a better grade, with and without PSI."""
    axes = figure.subplots()
    gpa = np.linspace(2.0, 4.0, 60)
    for psi, color, label in ((1, "C0", "taught by PSI"), (0, "C1", "as before")):
        x = np.column_stack([np.ones(60), gpa, np.full(60, X[:, 2].mean()), np.full(60, psi)])

        def logits(link, b, x=x):
            return x @ b

        middle, error = x @ b, delta_method(logits, log_logistic, b)
        low, high = (1 / (1 + np.exp(-(middle + 1.645 * s * error))) for s in (-1, 1))
        axes.plot(gpa, 1 / (1 + np.exp(-middle)), color=color, label=label)
        axes.fill_between(gpa, low, high, color=color, alpha=0.2)
        own = X[:, 3] == psi
        axes.plot(X[own, 1], Y[own] + (0.02 if psi else -0.02), "|", color=color)
    axes.set(xlabel="grade point average before the course", ylabel="chance of a better grade")
    axes.set_title("32 students of economics; bands of 90 %")
    axes.legend(frameon=False)


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
