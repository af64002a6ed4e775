"""What functions make of their arguments: arrays, dtypes, axes and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..core.avals import SUPPORTED_DTYPES, aval_of, float0
from ..core.errors import ConcretizationError, located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import slicing
from . import promotion
from .dispatch import has_tracer

#: The dtype of indices.
INDEX = np.dtype(np.int64)


def operand(x: Any) -> Any:
    """An argument as a tracer, an ndarray or a NumPy scalar, none of them weak; nested sequences
    that hold tracers are stacked.

    Raises:
      TypeError: for what is not an array of numbers.
    """
    if isinstance(x, Tracer):
        return promotion.strong(x)
    if isinstance(x, list | tuple) and has_tracer(x):
        return promotion.stack_nested(x)
    if not isinstance(x, np.ndarray | np.generic):
        x = np.asarray(x)
    aval_of(x)
    return x


def common_dtype(arrays: Sequence[Any]) -> list[Any]:
    """Strong arrays converted to their common dtype."""
    dtype = np.result_type(*[a.dtype for a in arrays])
    return [arith.convert_element_type(a, dtype) for a in arrays]


def check_dtype(dtype: Any) -> np.dtype:
    """A dtype that arrays may have.

    Raises:
      TypeError: for any other.
    """
    dtype = np.dtype(dtype)
    if dtype not in SUPPORTED_DTYPES or dtype == float0:
        raise TypeError(located(f"traced arrays of dtype {dtype} are not supported"))
    return dtype


def axis_error(axis: int, ndim: int) -> Exception:
    """NumPy's error for an axis that an array does not have."""
    return np.exceptions.AxisError(
        located(f"axis {axis} is out of bounds for array of dimension {ndim}")
    )


def normal_axis(axis: Any, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
      AxisError: when there is no such axis.
    """
    axis = as_int(axis)
    if not -ndim <= axis < ndim:
        raise axis_error(axis, ndim)
    return axis % ndim


def normal_axes(axis: Any, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """An axis or several, counted from the front.

    Raises:
      AxisError: when there is no such axis.
      ValueError: when one comes twice.
    """
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    out = tuple(normal_axis(a, ndim) for a in axes)
    if len(set(out)) != len(out):
        raise ValueError(located(f"duplicate value in '{name}'"))
    return out


def static_array(x: Any, what: str) -> np.ndarray:
    """An argument that decides a shape, as numbers: traced ones are asked for theirs.

    Raises:
      ConcretizationError: where these cannot be told.
    """
    if isinstance(x, list | tuple):
        return np.asarray([static_array(y, what) for y in x])
    if not isinstance(x, Tracer):
        return np.asarray(x)
    try:
        return np.asarray(x.concrete(what))
    except ConcretizationError:
        raise ConcretizationError(
            located(
                f"{what} must be known while tracing, since the result's shape depends on it; "
                f"got a value traced under {x.owner.transform}",
                "What to do: compute it with plain NumPy from values that are not traced, or leave "
                "this part out of what is transformed.",
            )
        ) from None


def unsupported(name: str, what: str, remedy: str = "") -> TypeError:
    """The error for an argument that works without traced values only."""
    return TypeError(located(f"numpy.{name}: {what} is not supported on traced values", remedy))


def shape_of(shape: Any) -> tuple[int, ...]:
    """An argument that gives a shape: an integer or several."""
    if isinstance(shape, tuple | list | np.ndarray):
        return tuple(as_int(n) for n in shape)
    return (as_int(shape),)


def join(arrays: Sequence[Any], axis: int) -> Any:
    """Arrays of one dtype joined along an axis that is counted from the front."""
    return slicing.concatenate(arrays, axis)
