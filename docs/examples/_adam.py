"""Adam, for the examples that train networks: plain NumPy on pytrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

import autotrace as at


def adam(
    value_and_grad: Callable, params: Any, batches: Iterable[tuple], rate: float | Callable = 5e-3
) -> tuple[Any, list[float]]:
    """Minimise with Adam (Kingma and Ba, 2015).

    Args:
      value_and_grad: gives the loss of the parameters and a batch, and the gradient.
      params: a pytree of arrays.
      batches: further arguments of ``value_and_grad``, for each step.
      rate: the size of a step, or a function of the step's number.

    Returns:
      The parameters, and the loss at each step.
    """
    first = second = at.tree.map(np.zeros_like, params)
    losses: list[float] = []
    for t, batch in enumerate(batches, 1):
        loss, gradient = value_and_grad(params, *batch)
        losses.append(float(loss))
        first = at.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = at.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        step = rate(t) if callable(rate) else rate
        step *= np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        params = at.tree.map(
            lambda p, m, v, step=step: p - step * m / (np.sqrt(v) + 1e-8), params, first, second
        )
    return params, losses


def minibatches(
    rng: np.random.Generator, epochs: Iterable, size: int, *arrays: np.ndarray
) -> Iterator[tuple]:
    """Rows of arrays, ``size`` at a time, all of them in random order in each epoch."""
    for _ in epochs:
        order = rng.permutation(len(arrays[0]))
        for start in range(0, len(order) - size + 1, size):
            batch = order[start : start + size]
            yield tuple(array[batch] for array in arrays)
