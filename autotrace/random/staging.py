"""Functions of keys as programs, staged once for the types and static arguments they meet."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..api.compile import JitFunction, jit
from ..core.errors import ConcretizationError, located


def staged(function: Callable) -> Callable:
    """A function of arrays that runs compiled, also where nothing else is.

    Arguments by position are arrays; those by keyword are static, and each combination of them is
    a ``jit`` function of its own, so that a call finds its program by the arrays' types alone.
    """

    @functools.lru_cache(maxsize=512)
    def compiled(**static: Any) -> JitFunction:
        def bound(*arrays: Any) -> Any:
            return function(*arrays, **static)

        bound.__name__ = bound.__qualname__ = function.__name__
        return jit(bound)

    @functools.wraps(function)
    def call(*arrays: Any, **static: Any) -> Any:
        return compiled(**static)(*arrays)

    return call


def as_whole(x: Any, message: str) -> int:
    """A number that must be whole and known; a traced one is asked for its value.

    Raises:
      TypeError: with the message, for what is no whole number.
    """
    try:
        return operator.index(x)
    except ConcretizationError:
        raise  # a traced number where there is no value
    except TypeError:
        raise TypeError(located(message)) from None


def as_shape(name: str, shape: Any) -> tuple[int, ...]:
    """A shape as a tuple; a number is the shape of a vector."""
    several = isinstance(shape, list | tuple) or (isinstance(shape, np.ndarray) and shape.ndim == 1)
    wrong = f"random.{name} takes a shape of whole numbers, got {shape!r:.80}"
    sizes = tuple(as_whole(n, wrong) for n in (shape if several else (shape,)))
    if any(n < 0 for n in sizes):
        raise ValueError(located(f"random.{name}: negative sizes are not allowed, got {shape}"))
    return sizes


def common_shape(name: str, shape: Any, parameters: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of a result, to which its parameters are broadcast; theirs where it is None.

    Args:
      parameters: the shape of each.
    """
    wanted = None if shape is None else as_shape(name, shape)
    try:
        common = np.broadcast_shapes(*parameters.values(), *([] if wanted is None else [wanted]))
    except ValueError:
        common = None
    if common is None or (wanted is not None and common != wanted):
        given = ", ".join(f"{p} of {s}" for p, s in parameters.items())
        raise ValueError(
            located(
                f"random.{name}: parameters of shapes that do not broadcast"
                + (f" to shape={wanted}" if wanted is not None else "")
                + f": {given}",
                "What to do: give the whole shape of the result, parameters' dimensions included.",
            )
        )
    return common


def as_dtype(name: str, dtype: Any, kinds: str, default: Any = float) -> np.dtype:
    """A dtype of one of some kinds (NumPy's letters); the default where it is None."""
    try:
        found = np.dtype(default if dtype is None else dtype)
    except TypeError:
        found = None
    if found is None or found.kind not in kinds:
        words = "an integer" if kinds in ("iu", "u") else "a floating"
        raise ValueError(located(f"random.{name} makes numbers of {words} dtype, got {dtype!r}"))
    return found
