"""Elementary and special functions that LLVM's loop vectoriser can vectorise.

A compiled loop that calls one of them for every element becomes a loop over vectors: they have no
branches and no calls, only arithmetic, comparisons and selections. Each takes float64 or float32
and computes in it; a function of two operands takes two of one dtype. Given values under
translation they write LLVM's instructions; given NumPy scalars they compute, slowly.

``TABLE`` has them by the name of the primitive they compute. Their errors and times are in
docs/vecmath.md.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from . import exponential, logarithm, normal, special, trigonometric
from .core import generic
from .formats import DOUBLE, SINGLE, Format


def _build(form: Format) -> SimpleNamespace:
    exponentials = exponential.build(form)
    logarithms = logarithm.build(form, exponentials)
    trigonometrics = trigonometric.build(form)
    specials = special.build(form, exponentials, logarithms)
    parts = exponentials, logarithms, trigonometrics, specials, normal.build(form, logarithms)
    return SimpleNamespace(**{name: f for part in parts for name, f in vars(part).items()})


_DOUBLE, _SINGLE = _build(DOUBLE), _build(SINGLE)


def _generic(name: str) -> Callable:
    return generic(name, getattr(_DOUBLE, name), getattr(_SINGLE, name))


exp, exp2, expm1 = _generic("exp"), _generic("exp2"), _generic("expm1")
log, log2, log10, log1p = (_generic(f) for f in ("log", "log2", "log10", "log1p"))
sin, cos, tan = _generic("sin"), _generic("cos"), _generic("tan")
asin, acos, atan, atan2 = (_generic(f) for f in ("asin", "acos", "atan", "atan2"))
sinh, cosh, tanh = _generic("sinh"), _generic("cosh"), _generic("tanh")
asinh, acosh, atanh = _generic("asinh"), _generic("acosh"), _generic("atanh")
sigmoid, softplus = _generic("sigmoid"), _generic("softplus")
logaddexp, logaddexp2 = _generic("logaddexp"), _generic("logaddexp2")
power, cbrt, hypot = _generic("power"), _generic("cbrt"), _generic("hypot")
erf, erfc, erfinv = _generic("erf"), _generic("erfc"), _generic("erfinv")
lgamma, digamma = _generic("lgamma"), _generic("digamma")
normal_quantile = _generic("normal_quantile")  # not in the table: its bits matter, not its error

TABLE: dict[str, Callable] = {
    "exp": exp, "exp2": exp2, "expm1": expm1,
    "log": log, "log2": log2, "log10": log10, "log1p": log1p,
    "sin": sin, "cos": cos, "tan": tan,
    "asin": asin, "acos": acos, "atan": atan, "atan2": atan2,
    "sinh": sinh, "cosh": cosh, "tanh": tanh,
    "asinh": asinh, "acosh": acosh, "atanh": atanh,
    "logistic": sigmoid, "softplus": softplus,
    "logaddexp": logaddexp, "logaddexp2": logaddexp2,
    "pow": power, "cbrt": cbrt, "hypot": hypot,
    "erf": erf, "erfc": erfc, "erf_inv": erfinv,
    "lgamma": lgamma, "digamma": digamma,
}  # fmt: skip
