"""Nonlinear least squares on NIST's reference problems, to the digits that NIST certifies.

The 27 nonlinear problems of the Statistical Reference Datasets, each from both of NIST's starting
points, with exact Jacobians and Hessians. The data, starting points and certified values in
``data/nist_strd.json`` are NIST's, in the public domain: https://www.itl.nist.gov/div898/strd/.
They check themselves: a wrong digit in a problem's data would change its sum of squares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
from _report import Report, run

import autotrace as at
from autotrace.scipy.optimize import least_squares

DATA = json.loads((Path(__file__).parent / "data" / "nist_strd.json").read_text(encoding="utf-8"))
#: NIST certifies eleven digits.
CERTIFIED = 11.0
#: The digits that must be found. Rounding in double precision costs some of the eleven.
LEAST = 10.0
#: Lanczos1 was made of a formula, to 14 digits. Its residuals are the rounding of its data (the sum
#: of their squares is 1.4e-25), and so are the standard deviations that follow from them.
LANCZOS1_DEVIATIONS = 2.5
COLUMNS = "jacobian", "+ newton", "deviations"
#: The short form: some of each level, and of each kind of model.
SHORT = "Lanczos1", "ENSO", "MGH09", "BoxBOD", "Bennett5"


# --- models: plain NumPy ----------------------------------------------------------------------


def saturation(x, b1, b2):
    return b1 * (1 - np.exp(-b2 * x))


def misra1b(x, b1, b2):
    return b1 * (1 - (1 + b2 * x / 2) ** -2)


def misra1c(x, b1, b2):
    return b1 * (1 - (1 + 2 * b2 * x) ** -0.5)


def misra1d(x, b1, b2):
    return b1 * b2 * x / (1 + b2 * x)


def chwirut(x, b1, b2, b3):
    return np.exp(-b1 * x) / (b2 + b3 * x)


def lanczos(x, b1, b2, b3, b4, b5, b6):
    return b1 * np.exp(-b2 * x) + b3 * np.exp(-b4 * x) + b5 * np.exp(-b6 * x)


def gauss(x, b1, b2, b3, b4, b5, b6, b7, b8):
    peaks = b3 * np.exp(-(((x - b4) / b5) ** 2)) + b6 * np.exp(-(((x - b7) / b8) ** 2))
    return b1 * np.exp(-b2 * x) + peaks


def danwood(x, b1, b2):
    return b1 * x**b2


def kirby2(x, b1, b2, b3, b4, b5):
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


def cubics(x, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def nelson(x, b1, b2, b3):  # of the logarithm of y
    weeks, celsius = x
    return b1 - b2 * weeks * np.exp(-b3 * celsius)


def mgh17(x, b1, b2, b3, b4, b5):
    return b1 + b2 * np.exp(-x * b4) + b3 * np.exp(-x * b5)


def roszman1(x, b1, b2, b3, b4):
    return b1 - b2 * x - np.arctan(b3 / (x - b4)) / np.pi


def enso(x, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    t = 2 * np.pi * x
    year = b2 * np.cos(t / 12) + b3 * np.sin(t / 12)
    el_nino = b5 * np.cos(t / b4) + b6 * np.sin(t / b4)
    southern = b8 * np.cos(t / b7) + b9 * np.sin(t / b7)
    return b1 + year + el_nino + southern


def mgh09(x, b1, b2, b3, b4):
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


def rat42(x, b1, b2, b3):
    return b1 / (1 + np.exp(b2 - b3 * x))


def mgh10(x, b1, b2, b3):
    return b1 * np.exp(b2 / (x + b3))


def eckerle4(x, b1, b2, b3):
    return b1 / b2 * np.exp(-0.5 * ((x - b3) / b2) ** 2)


def rat43(x, b1, b2, b3, b4):
    return b1 / (1 + np.exp(b2 - b3 * x)) ** (1 / b4)


def bennett5(x, b1, b2, b3):
    return b1 * (b2 + x) ** (-1 / b3)


MODELS = {
    **dict.fromkeys(("Misra1a", "BoxBOD"), saturation),
    **dict.fromkeys(("Chwirut1", "Chwirut2"), chwirut),
    **dict.fromkeys(("Lanczos1", "Lanczos2", "Lanczos3"), lanczos),
    **dict.fromkeys(("Gauss1", "Gauss2", "Gauss3"), gauss),
    **dict.fromkeys(("Hahn1", "Thurber"), cubics),
    "Misra1b": misra1b,
    "Misra1c": misra1c,
    "Misra1d": misra1d,
    "DanWood": danwood,
    "Kirby2": kirby2,
    "Nelson": nelson,
    "MGH17": mgh17,
    "Roszman1": roszman1,
    "ENSO": enso,
    "MGH09": mgh09,
    "Rat42": rat42,
    "MGH10": mgh10,
    "Eckerle4": eckerle4,
    "Rat43": rat43,
    "Bennett5": bennett5,
}


class Problem(NamedTuple):
    """A model and its data."""

    model: Callable
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def named(cls, name: str) -> Problem:
        data = DATA[name]
        y = np.array(data["y"])
        x = np.array(data["x"]) if "x" in data else np.array([data["x1"], data["x2"]])
        return cls(MODELS[name], x, np.log(y) if name == "Nelson" else y)


# --- fitting ----------------------------------------------------------------------------------


def residuals(b, model, x, y):
    return model(x, *b) - y


def half_squares(b, model, x, y):
    return 0.5 * np.sum(residuals(b, model, x, y) ** 2)


jacobian = at.jit(at.jacfwd(residuals), static_argnames="model")
gradient = at.jit(at.grad(half_squares), static_argnames="model")
hessian = at.jit(at.hessian(half_squares), static_argnames="model")


def newton_step(b, *problem):
    """One step on the gradient, with the unknowns brought to one scale first."""
    h = hessian(b, *problem)
    scale = 1 / np.sqrt(np.abs(np.diag(h)))
    return b - scale * np.linalg.solve(scale[:, None] * h * scale, scale * gradient(b, *problem))


def standard_deviations(b, *problem):
    """Of the parameters, from the Jacobian: the roots of diag((J'J)^-1) times the variance."""
    j = jacobian(b, *problem)
    variance = 2 * half_squares(b, *problem) / (j.shape[0] - j.shape[1])
    scale = np.linalg.norm(j, axis=0)
    inverse = np.linalg.inv(np.linalg.qr(j / scale)[1])
    return np.sqrt(variance * np.sum(inverse**2, axis=1)) / scale


SETTINGS = {"x_scale": "jac", "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "max_nfev": 5000}


def fit(start, problem, least_squares=least_squares):
    with np.errstate(all="ignore"):  # far from the solution exp() overflows
        return least_squares(residuals, start, args=problem, **SETTINGS).x


def polish(b, problem):
    """Two of Newton's steps: they lose the error that comes of stopping."""
    return newton_step(newton_step(b, *problem), *problem)


# --- comparing --------------------------------------------------------------------------------


def digits(found: np.ndarray, certified: Any) -> float:
    """The logarithm of the relative error: how many digits agree, of the worst of the numbers."""
    certified = np.array(certified)
    error = np.max(np.abs(found - certified) / np.abs(certified))
    return float(np.clip(-np.log10(max(error, 1e-300)), 0.0, CERTIFIED))


def check_data(report: Report) -> None:
    report.section("The data: residual sums of squares at the certified parameters")
    squares = {
        name: 2 * half_squares(np.array(data["certified"]), *Problem.named(name))
        for name, data in DATA.items()
    }
    report.line("problems", len(DATA))
    report.check("sum of Lanczos1, all rounding", squares.pop("Lanczos1"), 1e-20)
    # Sums are given to eleven digits. They are at their least there: what is cut off from the
    # parameters matters little.
    error = max(abs(s / DATA[name]["rss"] - 1) for name, s in squares.items())
    report.check("largest relative error of the others", error, 1e-9)


def fit_all(report: Report, names: tuple[str, ...], differences: bool) -> dict[str, dict]:
    """Fit, and print the digits that agree."""
    report.section("Digits that agree with NIST's eleven: the worst number, from the worse start")
    methods = ("differences", *COLUMNS) if differences else COLUMNS
    print("  problem     level      n  par." + "".join(f"{method:>14}" for method in methods))
    table = {}
    for name in names:
        data, problem = DATA[name], Problem.named(name)
        found: dict[str, list[float]] = {method: [] for method in methods}
        for start in (np.array(data["start1"]), np.array(data["start2"])):
            if differences:
                b = fit(start, problem, scipy.optimize.least_squares)
                found["differences"].append(digits(b, data["certified"]))
            b = fit(start, problem)
            found["jacobian"].append(digits(b, data["certified"]))
            b = polish(b, problem)
            found["+ newton"].append(digits(b, data["certified"]))
            sd = standard_deviations(b, *problem)
            found["deviations"].append(digits(sd, data["deviations"]))
        table[name] = {method: min(values) for method, values in found.items()}
        size = f"{len(problem.y):>4}{len(data['certified']):>6}"
        values = "".join(f"{value:>14.1f}" for value in table[name].values())
        print(f"  {name:<12}{data['level']:<8}{size}{values}")
    print()
    least = min(row["+ newton"] for row in table.values())
    report.check("least digits of parameters", least, LEAST, above=True)
    rest = [row["deviations"] for name, row in table.items() if name != "Lanczos1"]
    report.check("least digits of standard deviations", min(rest), LEAST, above=True)
    if "Lanczos1" in table:
        least = table["Lanczos1"]["deviations"]
        report.check("those of Lanczos1", least, LANCZOS1_DEVIATIONS, above=True)
    return table


def example(report: Report, short: bool) -> dict[str, dict]:
    check_data(report)
    return fit_all(report, SHORT if short else tuple(DATA), differences=not short)


def picture(figure: Any, table: dict[str, dict]) -> None:
    """The digits of the parameters, by each method."""
    axes = figure.subplots()
    place = np.arange(len(table))
    styles = {
        "+ newton": ("exact Jacobian, and two of Newton's steps", "#9ecae1", 0.8),
        "jacobian": ("exact Jacobian", "#2171b5", 0.5),
        "differences": ("SciPy's differences", "#fd8d3c", 0.25),
    }
    for method, (label, color, width) in styles.items():
        if method in next(iter(table.values())):
            heights = [row[method] for row in table.values()]
            axes.bar(place, heights, width, color=color, label=label)
    axes.set_xticks(place, list(table), rotation=90)
    axes.set(ylim=(0, 13), ylabel="digits that agree", xlim=(-0.6, len(table) - 0.4))
    axes.axhline(CERTIFIED, color="k", linewidth=0.8, linestyle="--")
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper center", ncols=3, frameon=False)
    axes.set_title("The worst parameter of each of NIST's problems, from the worse starting point")


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
