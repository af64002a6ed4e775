"""Where a mask is True: positions whose number depends on values.

Shapes are static, so the number is asked for while tracing, as Python asks for the number behind an
``if``; what follows depends on the number alone. The positions themselves are computed, like
anything else, in an array of that size.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import ConcretizationError, located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax.indexing import INDEX, nonzero_p
from ..lax.structural import array, reduce_sum, reshape
from .promotion import broadcast_to, to_dtype

_REMEDY = (
    "What to do: keep the shape static. np.where(mask, x, 0) in place of x[mask] before a sum, "
    "with np.count_nonzero(mask) for a mean; np.where(mask, v, x), or x.at[mask].set(v) with a "
    "scalar v, to assign; or leave this part out of what is transformed."
)


def known_count(count: Any, what: str) -> int:
    """A number on which the shape of a result depends.

    Args:
      count: an integer, perhaps traced.
      what: what the shape is that of, for messages.

    Returns:
      The number; what is traced is from now on a program for this number.

    Raises:
      ConcretizationError: where it cannot be told, as under ``vmap``, where each row has its own.
    """
    try:
        return operator.index(count)
    except ConcretizationError:
        under = count.owner.transform
        message = f"the shape of {what} depends on a value traced under {under}, not known here"
        raise ConcretizationError(located(message, _REMEDY)) from None


def positions(mask: Any, what: str, size: int | None = None) -> Any:
    """The positions of a mask's True elements.

    Args:
      mask: an array of bools of any shape, perhaps traced.
      what: what is made of them, for messages.
      size: how many are wanted, None for all.

    Returns:
      An int64 array of one dimension: increasing positions in the mask's C order. Where there are
      fewer than are wanted the rest is the mask's size, which is out of bounds.

    Raises:
      ConcretizationError: where the number of True elements cannot be told.

    >>> positions(np.array([[True, False], [True, True]]), "np.flatnonzero")
    array([0, 2, 3])
    """
    if size is not None:
        return nonzero_p.bind(reshape(array(mask), (mask.size,)), size=operator.index(size))
    if not isinstance(mask, Tracer):
        return np.flatnonzero(mask)
    # The mask is all that is kept while its count is asked for: what else is alive then is stored.
    mask = reshape(mask, (mask.size,))
    count = known_count(reduce_sum(arith.convert_element_type(mask, INDEX), (0,)), what)
    if not count:
        return np.zeros(0, INDEX)
    return nonzero_p.bind(mask, size=count)


def unravelled(flat: Any, shape: Sequence[int]) -> tuple[Any, ...]:
    """Positions in C order as indices for each dimension.

    >>> unravelled(np.array([0, 4]), (2, 3))
    (array([0, 1]), array([0, 1]))
    """
    if not isinstance(flat, Tracer):
        return np.unravel_index(flat, shape) if math.prod(shape) else tuple(flat for _ in shape)
    parts = []
    for size in reversed(shape[1:]):
        width = INDEX.type(max(size, 1))
        parts.append(arith.rem(flat, width))
        flat = arith.floor_divide(flat, width)
    return (flat, *reversed(parts)) if shape else ()


def filled(values: Any, flat: Any, size: int, fill: Any) -> Any:
    """Values with another one in the place of those whose position is out of bounds.

    Args:
      values: an array whose first axis runs over the positions.
      flat: the positions, as ``positions`` gives them.
      size: the number of elements that there are positions of.
      fill: the other value.
    """
    valid = reshape(arith.lt(flat, INDEX.type(size)), (*flat.shape, *(1,) * (values.ndim - 1)))
    new = broadcast_to(to_dtype(fill, values.dtype), values.shape)
    return arith.select(broadcast_to(valid, values.shape), values, array(new))


def where_true(mask: Any, what: str, size: int | None = None, fill: Any = None) -> tuple[Any, ...]:
    """The positions of a mask's True elements, as an index array for each of its dimensions.

    Args:
      mask, what, size: as of ``positions``.
      fill: what stands for positions that there are not, one for all or one for each dimension;
        0 when None.

    >>> where_true(np.array([[True, False], [True, True]]), "np.nonzero")
    (array([0, 1, 1]), array([0, 0, 1]))
    """
    if size is not None:
        flat = positions(mask, what, size)
        fills = (
            fill if isinstance(fill, tuple | list) else (0 if fill is None else fill,) * mask.ndim
        )
        clipped = arith.min(flat, INDEX.type(max(mask.size - 1, 0)))
        columns = unravelled(clipped, mask.shape)
        return tuple(filled(c, flat, mask.size, f) for c, f in zip(columns, fills, strict=True))
    if not isinstance(mask, Tracer):
        return mask.nonzero()
    return unravelled(positions(mask, what), mask.shape)
