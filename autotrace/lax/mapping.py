"""A function applied to one element after another: map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index as as_int
from typing import Any

from ..core import tree
from ..core.errors import located
from ..core.trace import get_aval
from ..transforms.batch import Axis
from ..transforms.evaluate import eval_jaxpr
from .bodies import batched_body
from .functions import Function, as_function, flatten_operands, name_of
from .scanning import element_of, length_of, scan, scan_as
from .slicing import concatenate, slice_in_dim
from .structural import array, reshape


def map(f: Callable, xs: Any, *, batch_size: int | None = None) -> Any:  # noqa: A001  JAX's name
    """Apply a function to each element along the leading axis of arrays, one after another.

    Args:
      f: from an element, a pytree as ``xs``, to a pytree of arrays.
      xs: arrays of shape ``(n, ...)``.
      batch_size: so many elements at a time, as by ``vmap``; one when None.

    Returns:
      The results stacked to shape ``(n, ...)``.

    Raises:
      ValueError: when the arrays differ in length, or ``batch_size`` is not positive.

    >>> import numpy as np
    >>> from autotrace import lax
    >>> lax.map(lambda x: x * 2, np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """

    def turn(_: None, x: Any) -> tuple:
        return None, f(x)

    turn.__name__ = name_of(f)
    if batch_size is None:
        return scan_as("map", turn, None, xs, None)[1]
    if as_int(batch_size) < 1:
        raise ValueError(located(f"map: batch_size must be positive, got {batch_size}"))
    elements, xs_tree = flatten_operands(xs, "map: xs")
    length = length_of(elements, xs, None, "map")
    function = as_function(f, "map", [xs_tree], [element_of(get_aval(x)) for x in elements])
    size = min(as_int(batch_size), length)
    whole = length - length % size if size else 0
    parts = []
    if whole:
        grouped = [
            reshape(slice_in_dim(array(x), 0, whole), (whole // size, size, *x.shape[1:]))
            for x in elements
        ]
        _, found = scan(lambda _, x: (None, _batch(function, x, size)), None, grouped)
        parts.append([reshape(x, (whole, *x.shape[2:])) for x in found])
    if whole < length or not length:
        rest = [slice_in_dim(array(x), whole, length) for x in elements]
        parts.append(_batch(function, rest, length - whole))
    outs = [concatenate(pieces, 0) for pieces in zip(*parts, strict=True)]
    return tree.unflatten(function.out_tree, outs)


def _batch(function: Function, elements: Sequence[Any], size: int) -> list[Any]:
    """The results of a function for some elements at once."""
    dims = (*(None for _ in function.closed), *(0 for _ in elements))
    body = batched_body(function.jaxpr, Axis(size), dims, [True] * len(function.jaxpr.outvars))
    return eval_jaxpr(body, [*function.closed, *elements])
