"""What is checked of a program of ``numpy_programs``, and how derivatives are measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy_checks import leaves
from numpy_programs.program import Program

import autotrace

#: Results of long computations, by other roundings. What is counted is equal.
TOLERANCE = 1e-9
STEP = 1e-6
DERIVATIVE_TOLERANCE = 1e-4


def same_results(actual: Any, expected: Any) -> None:
    """Assert what plain NumPy gives: structure, shapes, dtypes and numbers."""
    got, wanted = leaves(actual), leaves(expected)
    assert len(got) == len(wanted), (len(got), len(wanted))
    for a, e in zip(got, wanted, strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert (a.shape, a.dtype) == (e.shape, e.dtype), (a.shape, a.dtype, e.shape, e.dtype)
        np.testing.assert_allclose(a, e, rtol=TOLERANCE, atol=TOLERANCE)


def weighted_sum(results: Any) -> Any:
    """One number made of all floats in a result, with a weight of its own for each."""
    total = 0.0
    for place, leaf in enumerate(leaves(results)):
        if isinstance(leaf, float) or getattr(leaf, "dtype", np.dtype(int)).kind == "f":
            shape = np.shape(leaf)
            weights = np.cos(1.0 + place + np.arange(np.prod(shape, dtype=int)))
            total = total + np.sum(weights.reshape(shape) * leaf)
    return total


def gradient(function: Callable, program: Program) -> Callable:
    """The gradient of the weighted sum of a program's results."""
    return autotrace.grad(lambda *args: weighted_sum(function(*args)), argnums=program.wrt)


def right_gradient(derivative: Callable, function: Callable, program: Program, inputs: Any) -> None:
    """Assert a gradient that goes with central differences of plain NumPy's results."""
    rng = np.random.default_rng(0)
    directions = {i: rng.standard_normal(np.shape(inputs[i])) for i in program.wrt}

    def moved(step: float) -> Any:
        places = enumerate(inputs)
        args = [x + step * directions[i] if i in directions else x for i, x in places]
        return weighted_sum(function(*args))

    expected = (moved(STEP) - moved(-STEP)) / (2 * STEP)
    parts = zip(derivative(*inputs), program.wrt, strict=True)
    actual = sum(np.sum(part * directions[i]) for part, i in parts)
    tolerance = DERIVATIVE_TOLERANCE * max(1.0, abs(expected))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)
