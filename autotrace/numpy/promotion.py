"""NumPy's dtype promotion (NEP 50) and broadcasting, in front of primitives that do neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, aval_of
from ..core.errors import located
from ..core.trace import Tracer, get_aval
from ..lax.arithmetic import convert_element_type, convert_element_type_p
from ..lax.slicing import concatenate
from ..lax.structural import broadcast_in_dim, reshape

#: What NumPy takes for a weak (Python) scalar of each kind when it promotes.
_WEAK_VALUE: dict[str, Any] = {"i": 0, "f": 0.0, "c": 0j}


def asarray(x: Any) -> Any:
    """A tracer, ndarray or scalar as it is; lists of numbers as an ndarray, and such that hold
    tracers stacked.

    Raises:
      TypeError: for what is not an array of numbers.
    """
    if isinstance(x, Tracer | np.ndarray | np.generic | float | int | complex):
        return x
    if isinstance(x, list | tuple) and _holds_tracer(x):
        return stack_nested(x)
    array = np.asarray(x)
    aval_of(array)
    return array


def stack_nested(x: Sequence[Any]) -> Any:
    """Nested sequences, of which the leaves may be traced, as one array.

    Raises:
      ValueError: when they are not of one shape.
    """
    given = [asarray(y) for y in x]
    parts = [strong(y) if isinstance(y, Tracer) else np.asarray(y) for y in given]
    if not parts:
        return np.zeros(0)
    shape = parts[0].shape
    if any(p.shape != shape for p in parts):
        raise ValueError(
            located(
                "a sequence becomes an array only when its elements have one shape; they have "
                + " ".join(str(p.shape) for p in parts)
            )
        )
    return concatenate([reshape(p, (1, *shape)) for p in promote_dtypes(*parts)], 0)


def strong(x: Any) -> Any:
    """An array as it is; a tracer that stands for a Python scalar as one that does not.

    For functions that return their argument: NumPy's make a NumPy scalar of a Python number.
    """
    if isinstance(x, Tracer) and x.aval.weak_type:
        return convert_element_type_p.bind(x, new_dtype=x.dtype)
    return x


def _holds_tracer(x: Any) -> bool:
    if isinstance(x, list | tuple):
        return any(_holds_tracer(y) for y in x)
    return isinstance(x, Tracer)


def result_type(*avals: ShapedArray) -> tuple[np.dtype, bool]:
    """NumPy's common dtype for some operands, and whether all of them are weak."""
    given = [
        _WEAK_VALUE[a.dtype.kind] if a.weak_type and a.dtype.kind in _WEAK_VALUE else a.dtype
        for a in avals
    ]
    return np.result_type(*given), all(a.weak_type for a in avals)


_dtype_plans: dict[tuple, np.dtype] = {}


def _common_dtype(first: ShapedArray, second: ShapedArray) -> np.dtype:
    key = (first.dtype, first.weak_type, second.dtype, second.weak_type)
    dtype = _dtype_plans.get(key)
    if dtype is None:
        dtype = _dtype_plans[key] = result_type(first, second)[0]
    return dtype


def to_dtype(x: Any, dtype: np.dtype) -> Any:
    """Convert an operand; Python numbers become NumPy scalars, and must fit.

    Raises:
      OverflowError: when a Python integer does not fit the dtype, as in NumPy.
    """
    if isinstance(x, Tracer | np.ndarray):
        return convert_element_type(x, dtype)
    if not isinstance(x, np.generic):
        if isinstance(x, int) and dtype.kind in "iu":
            info = np.iinfo(dtype)
            if not info.min <= x <= info.max:
                raise OverflowError(located(f"Python integer {x} out of bounds for {dtype}"))
        return dtype.type(x)
    return convert_element_type(x, dtype)


def promote_dtypes(*args: Any) -> list[Any]:
    """Convert operands to their common dtype."""
    dtype, _ = result_type(*[get_aval(x) for x in args])
    return [to_dtype(x, dtype) for x in args]


def promote_inexact(*args: Any) -> list[Any]:
    """Convert operands to their common dtype, integers and bools to what NumPy's floating
    functions make of them."""
    dtype, _ = result_type(*[get_aval(x) for x in args])
    return [to_dtype(x, inexact_dtype(dtype)) for x in args]


def inexact_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype in which NumPy evaluates a floating function of a dtype: float16 for bool and
    8-bit integers, float32 for 16-bit ones, float64 for larger."""
    if dtype.kind in "fc":
        return dtype
    size = dtype.itemsize
    return np.dtype(np.float16 if size == 1 else np.float32 if size == 2 else np.float64)


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """NumPy's broadcasting of one array to a shape.

    Raises:
      ValueError: when it does not go.
    """
    shape = tuple(shape)
    old = np.shape(x) if not isinstance(x, Tracer) else x.shape
    if old == shape:
        return x
    lead = len(shape) - len(old)
    if lead < 0 or any(n not in (1, m) for n, m in zip(old, shape[lead:], strict=True)):
        raise ValueError(
            located(f"operands could not be broadcast together: shape {old} to shape {shape}")
        )
    kept = [d for d, n in enumerate(old) if n == shape[lead + d]]
    squeezed = reshape(x, tuple(old[d] for d in kept))
    return broadcast_in_dim(squeezed, shape, tuple(lead + d for d in kept))


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """NumPy's common shape.

    Raises:
      ValueError: when there is none.
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            located(
                "operands could not be broadcast together with shapes " + " ".join(map(str, shapes))
            )
        ) from None


def broadcast_operands(*args: Any) -> list[Any]:
    """Bring arrays to one shape, but leave scalars, which elementwise primitives take as such."""
    shapes = [x.shape for x in args]
    shape = broadcast_shapes(*shapes)
    return [x if not x.shape else broadcast_to(x, shape) for x in args]


def binary_operands(x: Any, y: Any) -> tuple[Any, Any]:
    """The operands of a binary primitive: one dtype, and one shape or scalars."""
    ax = x.aval if isinstance(x, Tracer) else get_aval(x)
    ay = y.aval if isinstance(y, Tracer) else get_aval(y)
    if ax is ay and not ax.weak_type:
        return x, y
    dtype = _common_dtype(ax, ay)
    if ax.dtype != dtype or not isinstance(x, Tracer):
        x = to_dtype(x, dtype)
    if ay.dtype != dtype or not isinstance(y, Tracer):
        y = to_dtype(y, dtype)
    if ax.shape != ay.shape and ax.shape and ay.shape:
        shape = broadcast_shapes(ax.shape, ay.shape)
        return broadcast_to(x, shape), broadcast_to(y, shape)
    return x, y
