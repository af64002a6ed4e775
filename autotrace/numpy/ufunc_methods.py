"""The methods of ufuncs: those without a rule of their own go from element to element, as NumPy's.

``reductions`` has the rules of sums, extrema and their like, ``assignment`` those of ``at``.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import uniform
from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import structural
from ..lax.indexing import gather, scatter_add, scatter_max, scatter_min, scatter_mul
from ..lax.scanning import scan
from ..lax.slicing import slice_in_dim
from . import promotion
from .arguments import check_dtype, join, normal_axes, normal_axis, operand, static_array
from .dispatch import traced, traced_methods
from .manipulation import moveaxis
from .reductions import wide

_NO_VALUE = np._NoValue  # what NumPy passes for "not given"


def _loop_dtype(ufunc: np.ufunc, x: Any, dtype: Any) -> np.dtype:
    """The dtype in which NumPy folds an array by a ufunc.

    Raises:
      TypeError: when it does not.
    """
    if dtype is None and ufunc in (np.add, np.multiply):
        return wide(x.dtype)
    asked = None if dtype is None else check_dtype(dtype)
    try:
        found = ufunc.resolve_dtypes(
            (None, x.dtype, None), signature=(asked, None, None), casting="unsafe", reduction=True
        )
    except TypeError as error:
        raise TypeError(located(str(error))) from None
    if found[0] != found[2]:
        raise TypeError(
            located(f"the resolved dtypes are not compatible with numpy.{ufunc.__name__}")
        )
    return found[2]


def _step(ufunc: np.ufunc, dtype: np.dtype) -> Callable:
    function = traced[ufunc]
    return lambda x, y: arith.convert_element_type(function(x, y), dtype)


def _no_identity(ufunc: np.ufunc, why: str) -> ValueError:
    name = ufunc.__name__
    return ValueError(
        located(f"reduction operation '{name}' does not have an identity, {why}")
        if why
        else located(f"zero-size array to reduction operation {name} which has no identity")
    )


def _rows_to_fold(ufunc: np.ufunc, x: Any, axes: tuple[int, ...]) -> Any:
    """An array with the axes that are folded made one, the first."""
    if len(axes) > 1 and ufunc.identity is None and ufunc not in (np.fmax, np.fmin):
        raise ValueError(
            located(
                f"reduction operation '{ufunc.__name__}' is not reorderable, so at most one axis "
                "may be specified"
            )
        )
    kept = [d for d in range(x.ndim) if d not in axes]
    moved = structural.transpose(x, (*axes, *kept))
    return structural.reshape(moved, (-1 if not x.size else _count(x, axes), *_sizes(x, kept)))


def _sizes(x: Any, dims: Any) -> tuple[int, ...]:
    return tuple(x.shape[d] for d in dims)


def _count(x: Any, axes: tuple[int, ...]) -> int:
    return int(np.prod(_sizes(x, axes), dtype=int))


def _reduce(ufunc: np.ufunc) -> Callable:
    def reduce(
        array: Any,
        axis: Any = 0,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = _NO_VALUE,
        where: Any = True,
    ) -> Any:
        x = operand(array)
        dtype = _loop_dtype(ufunc, x, dtype)
        x = arith.convert_element_type(x, dtype)
        axes = tuple(range(x.ndim)) if axis is None else normal_axes(axis, x.ndim)
        kept = [d for d in range(x.ndim) if d not in axes]
        rows = _rows_to_fold(ufunc, x, axes) if x.size else uniform((0, *_sizes(x, kept)), dtype)
        mask = None
        if where is not True:
            full = promotion.broadcast_to(operand(where), x.shape)
            mask = _rows_to_fold(ufunc, full, axes) if x.size else None
        first = ufunc.identity if initial is _NO_VALUE else initial
        if first is None and mask is not None:
            raise _no_identity(ufunc, "so to use a where mask one has to specify 'initial'")
        if first is None and not rows.shape[0]:
            raise _no_identity(ufunc, "")
        if first is None:
            size = rows.shape[0]
            start = structural.reshape(slice_in_dim(rows, 0, 1), rows.shape[1:])
            rows = slice_in_dim(rows, 1, size)
        else:
            start = arith.convert_element_type(operand(first), dtype)
            start = promotion.broadcast_to(start, rows.shape[1:])
        out = _folded(ufunc, start, rows, mask)
        if not keepdims:
            return out
        return structural.reshape(out, tuple(1 if d in axes else n for d, n in enumerate(x.shape)))

    return reduce


def _folded(ufunc: np.ufunc, start: Any, rows: Any, mask: Any) -> Any:
    """A value and the rows of an array, or some of them, folded one after another."""
    step = _step(ufunc, rows.dtype)
    if not rows.shape[0]:
        return start

    def turn(carry: Any, element: Any) -> tuple[Any, None]:
        row, taken = element
        new = step(carry, row)
        return (new if taken is None else traced[np.where](taken, new, carry)), None

    return scan(turn, start, (rows, mask))[0]


def _accumulate(ufunc: np.ufunc) -> Callable:
    def accumulate(array: Any, axis: int = 0, dtype: Any = None) -> Any:
        x = operand(array)
        if not x.ndim:
            raise TypeError(located("cannot accumulate on a scalar"))
        axis = normal_axis(axis, x.ndim)
        dtype = _loop_dtype(ufunc, x, dtype)
        x = arith.convert_element_type(x, dtype)
        if x.shape[axis] < 2:
            return x
        step = _step(ufunc, dtype)
        rows = moveaxis(x, axis, 0)
        first = slice_in_dim(rows, 0, 1)

        def turn(carry: Any, row: Any) -> tuple[Any, Any]:
            new = step(carry, row)
            return new, new

        start = structural.reshape(first, rows.shape[1:])
        _, rest = scan(turn, start, slice_in_dim(rows, 1, rows.shape[0]))
        return moveaxis(join([first, rest], 0), 0, axis)

    return accumulate


#: The ufuncs by which several values can be put into one place at once.
_SCATTERS: dict[np.ufunc, Callable] = {
    np.add: scatter_add,
    np.multiply: scatter_mul,
    np.maximum: scatter_max,
    np.minimum: scatter_min,
}


def _reduceat(ufunc: np.ufunc) -> Callable:
    def reduceat(array: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
        x = operand(array)
        axis = normal_axis(axis, x.ndim)
        dtype = _loop_dtype(ufunc, x, dtype)
        rows = moveaxis(arith.convert_element_type(x, dtype), axis, 0)
        size = rows.shape[0]
        starts = static_array(indices, f"numpy.{ufunc.__name__}.reduceat: indices").astype(int)
        wrong = starts[(starts < 0) | (starts >= size)]
        if wrong.size:
            raise IndexError(
                located(f"index {wrong[0]} out-of-bounds in {ufunc.__name__}.reduceat [0, {size})")
            )
        # What is folded onto each start: the elements up to the next one, if that comes later.
        lengths = np.maximum(np.append(starts[1:], size) - starts, 1)[: len(starts)]
        out = gather(rows, [starts], (0,))
        if ufunc in _SCATTERS:
            segments = np.repeat(np.arange(len(starts)), lengths - 1)
            ahead = np.arange(len(segments)) - np.repeat(
                np.cumsum(lengths - 1) - (lengths - 1), lengths - 1
            )
            more = gather(rows, [starts[segments] + 1 + ahead], (0,))
            out = _SCATTERS[ufunc](out, [segments], more, (0,))
        elif len(starts):
            longest = builtins.int(lengths.max())
            ahead = np.arange(1, longest)[:, None]
            more = gather(rows, [np.minimum(starts + ahead, size - 1)], (0,))
            taken = np.reshape(ahead < lengths, (*ahead.shape[:1], -1, *(1,) * (rows.ndim - 1)))
            out = _folded(ufunc, out, more, np.broadcast_to(taken, more.shape))
        return moveaxis(out, 0, axis)

    return reduceat


def install() -> None:
    """Register the methods of all ufuncs that have an implementation."""
    for ufunc in list(traced):
        if not isinstance(ufunc, np.ufunc) or ufunc.signature is not None:
            continue
        if ufunc.nin == 2 and ufunc.nout == 1 and ufunc is not np.ldexp:  # of two kinds of numbers
            traced_methods.setdefault((ufunc, "reduce"), _reduce(ufunc))
            traced_methods.setdefault((ufunc, "accumulate"), _accumulate(ufunc))
            traced_methods[ufunc, "reduceat"] = _reduceat(ufunc)
