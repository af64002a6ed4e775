"""Pytrees of arrays as one array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray
from ..core.errors import located
from ..core.trace import get_aval
from ..lax.arithmetic import convert_element_type
from ..lax.slicing import concatenate, slice_in_dim
from ..lax.structural import array, reshape
from .arguments import flatten_arrays, plain


def ravel_pytree(pytree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The arrays of a pytree, laid out flat in C order, one after the other.

    Args:
      pytree: a pytree of arrays and numbers.

    Returns:
      The array, of one dimension and of the dtype that all of them promote to; and the function
      that makes a pytree of the same structure, shapes and dtypes from an array of that length.

    >>> import numpy as np
    >>> flat, unravel = ravel_pytree({"a": 1.0, "b": np.array([[2.0], [3.0]])})
    >>> flat
    array([1., 2., 3.])
    >>> unravel(2 * flat)["a"]
    np.float64(2.0)
    """
    leaves, treedef = flatten_arrays(pytree, "ravel_pytree: ")
    avals = [get_aval(x) for x in leaves]
    dtype = np.result_type(*(a.dtype for a in avals)) if avals else np.dtype(np.float64)
    parts = [
        reshape(convert_element_type(array(x), dtype), (a.size,))
        for x, a in zip(leaves, avals, strict=True)
    ]
    flat = concatenate(parts, 0) if parts else np.zeros(0)

    return plain([flat], leaves)[0], _Unravel(treedef, avals)


class _Unravel:
    """From a flat array to the pytree of the structure that was laid out flat."""

    def __init__(self, treedef: tree.TreeDef, avals: list[ShapedArray]):
        self.treedef = treedef
        self.avals = avals
        self.total = sum(a.size for a in avals)

    def __repr__(self) -> str:
        return f"<unravel {self.total} numbers: {self.treedef}>"

    def __call__(self, values: Any) -> Any:
        if np.shape(values) != (self.total,):
            raise ValueError(
                located(
                    f"the function from ravel_pytree takes an array of shape ({self.total},), got "
                    f"{np.shape(values)}"
                )
            )
        if not isinstance(values, np.ndarray):
            values = array(values)
        found, start = [], 0
        for aval in self.avals:
            part = slice_in_dim(values, start, start + math.prod(aval.shape))
            found.append(convert_element_type(reshape(part, aval.shape), aval.dtype))
            start += aval.size
        return tree.unflatten(self.treedef, plain(found, [values]))
