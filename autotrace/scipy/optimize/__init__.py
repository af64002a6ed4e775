"""SciPy's optimizers and root finders, with derivatives: compiled ones for them, and those of what
they find.

Each function is SciPy's own, given gradients, Hessians and Jacobians that are compiled. What it
finds has derivatives with respect to arguments by the implicit function theorem: a minimum is a
root of the gradient. In traced code (under ``grad``, ``jit``, ``vmap``) SciPy's function is a step
of the program that runs in Python.
"""

from .fitting import curve_fit, least_squares
from .minimizing import minimize, minimize_scalar
from .roots import brentq, newton, root, root_scalar

__all__ = [
    "brentq",
    "curve_fit",
    "least_squares",
    "minimize",
    "minimize_scalar",
    "newton",
    "root",
    "root_scalar",
]
