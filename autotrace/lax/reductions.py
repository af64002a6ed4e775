"""Reductions over dimensions beside the sum: products, extrema, bits, places of extrema."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray
from ..core.primitive import Primitive
from ..transforms.batch import Axis
from ..transforms.simplify import Rewrite, View
from .arithmetic import (
    ANY,
    NUMERIC,
    constant,
    convert_element_type,
    div,
    eq,
    gate,
    max_p,
    mul,
)
from .cumulative import check_axis, cumprod_p, previous
from .families import check_kinds, no_derivative
from .structural import (
    array,
    inverse_permutation,
    reduce_sum_p,
    reduced_aval,
    reduction_batch,
    reshape,
    reshape_p,
    transpose,
    undo_reduction,
)

_BITS = "biu"


def _reduction(name: str, ufunc: np.ufunc, kinds: str) -> Primitive:
    """A primitive that reduces with a NumPy operation."""
    primitive = Primitive(name)

    def impl(x: Any, *, axes: tuple) -> Any:
        return ufunc.reduce(x, axis=axes, dtype=x.dtype)

    def abstract(x: ShapedArray, *, axes: tuple) -> ShapedArray:
        check_kinds(name, x, kinds)
        aval = reduced_aval(name, x, axes)
        if ufunc.identity is None and not all(x.shape[d] for d in axes):
            raise ValueError(f"{name}: there is no extremum of no elements (of {x} over {axes})")
        return aval

    primitive.def_impl(impl)
    primitive.def_abstract(abstract)
    primitive.def_batch(reduction_batch(primitive))
    primitive.def_simplify(_single_elements)
    return primitive


def _single_elements(view: View, args: Sequence[Any], params: dict) -> Any:
    """A reduction over no dimension is its operand, one over single elements a reshape of it."""
    x, axes = args[0], params["axes"]
    if not axes:
        return x
    if all(x.aval.shape[d] == 1 for d in axes):
        return Rewrite(reshape_p, args, {"new_sizes": view.out_aval.shape})
    return None


def _function(primitive: Primitive, words: str, raises: str, example: str) -> Callable:
    name = primitive.name
    call, result = example.split(" -> ")

    def function(x: Any, axes: Sequence[int]) -> Any:
        x, axes = array(x), tuple(axes)
        return primitive.bind(x, axes=axes) if axes else x

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{words}

    Args:
      x: an array.
      axes: the dimensions to reduce over, non-negative.

    Returns:
      The array without those dimensions, of the same dtype.

    Raises:
{raises}

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.{name}({call}
    {result}
    """
    return function


_WRONG_DTYPE = "      TypeError: when the operation does not take the dtype."
_NO_ELEMENTS = "      ValueError: when there is no element to reduce."

# --- products ----------------------------------------------------------------------------------

reduce_prod_p = _reduction("reduce_prod", np.multiply, NUMERIC)
reduce_prod = _function(
    reduce_prod_p,
    "Multiply over some dimensions; the product of no elements is 1.",
    _WRONG_DTYPE,
    "np.array([[1.0, 2.0], [3.0, 4.0]]), (1,)) -> array([ 2., 12.])",
)


@reduce_prod_p.def_jvp
def _reduce_prod_jvp(primals: Any, tangents: Any, out: Any, *, axes: tuple) -> Any:
    others = _products_of_others(primals[0], axes)
    return reduce_sum_p.bind(mul(tangents[0], others), axes=axes)


def _products_of_others(x: Any, axes: tuple) -> Any:
    """For each element the product of the others that a reduction takes it together with."""
    # Not product / element, which fails at zeros.
    if len(axes) == 1:
        return _products_around(x, axes[0])
    kept = [d for d in range(x.ndim) if d not in axes]
    order = (*kept, *axes)
    last = transpose(x, order)
    flat = reshape(last, (*(x.shape[d] for d in kept), math.prod(x.shape[d] for d in axes)))
    others = reshape(_products_around(flat, len(kept)), last.shape)
    return transpose(others, inverse_permutation(order))


def _products_around(x: Any, axis: int) -> Any:
    before, after = (
        previous(cumprod_p.bind(x, axis=axis, reverse=reverse), 1, axis, reverse)
        for reverse in (False, True)
    )
    return mul(before, after)


# --- extrema -----------------------------------------------------------------------------------

reduce_max_p = _reduction("reduce_max", np.maximum, ANY)
reduce_max = _function(
    reduce_max_p,
    """The maximum over some dimensions; NaN where there is one.

    Elements that reach it together share the derivative evenly.""",
    _NO_ELEMENTS,
    "np.array([[1.0, 2.0], [5.0, 4.0]]), (1,)) -> array([2., 5.])",
)
reduce_min_p = _reduction("reduce_min", np.minimum, ANY)
reduce_min = _function(
    reduce_min_p,
    """The minimum over some dimensions; NaN where there is one.

    Elements that reach it together share the derivative evenly.""",
    _NO_ELEMENTS,
    "np.array([[1.0, 2.0], [5.0, 4.0]]), (1,)) -> array([1., 4.])",
)


def _extremum_jvp(primals: Any, tangents: Any, out: Any, *, axes: tuple) -> Any:
    (x,) = primals
    reached = eq(x, undo_reduction(out, x.shape, axes))
    # A NaN equals nothing, not even itself: there the count is 0, and the derivative too.
    count = reduce_sum_p.bind(convert_element_type(reached, x.dtype), axes=axes)
    share = undo_reduction(div(1.0, max_p.bind(count, constant(1, count))), x.shape, axes)
    return reduce_sum_p.bind(gate(mul(tangents[0], share), reached), axes=axes)


reduce_max_p.def_jvp(_extremum_jvp)
reduce_min_p.def_jvp(_extremum_jvp)

# --- bits --------------------------------------------------------------------------------------

reduce_and_p = no_derivative(_reduction("reduce_and", np.bitwise_and, _BITS))
reduce_and = _function(
    reduce_and_p,
    "Bitwise (for bools: logical) and over some dimensions; that of no elements has all bits set.",
    _WRONG_DTYPE,
    "np.array([[True, False], [True, True]]), (1,)) -> array([False,  True])",
)
reduce_or_p = no_derivative(_reduction("reduce_or", np.bitwise_or, _BITS))
reduce_or = _function(
    reduce_or_p,
    "Bitwise (for bools: logical) or over some dimensions; that of no elements has no bit set.",
    _WRONG_DTYPE,
    "np.array([[True, False], [False, False]]), (1,)) -> array([ True, False])",
)
reduce_xor_p = no_derivative(_reduction("reduce_xor", np.bitwise_xor, _BITS))
reduce_xor = _function(
    reduce_xor_p,
    "Bitwise (for bools: logical) exclusive or over some dimensions.",
    _WRONG_DTYPE,
    "np.array([[True, False], [True, True]]), (1,)) -> array([ True, False])",
)

# --- places of extrema -------------------------------------------------------------------------


def _place(name: str, find: Callable) -> Primitive:
    """A primitive for the index of an extremum along an axis."""
    primitive = no_derivative(Primitive(name))

    def impl(x: Any, *, axis: int, index_dtype: np.dtype) -> Any:
        return find(x, axis).astype(index_dtype, copy=False)

    def abstract(x: ShapedArray, *, axis: int, index_dtype: np.dtype) -> ShapedArray:
        check_kinds(name, x, ANY)
        if index_dtype.kind not in "iu":
            raise TypeError(f"{name}: index_dtype must be an integer dtype, got {index_dtype}")
        aval = reduced_aval(name, x, (axis,), index_dtype)
        if not x.shape[axis]:
            raise ValueError(f"{name}: there is no extremum of no elements (of {x} over {axis})")
        return aval

    def batch(batch_axis: Axis, args: Any, dims: Any, *, axis: int, index_dtype: Any) -> tuple:
        dim = dims[0]
        out = primitive.bind(args[0], axis=axis + (axis >= dim), index_dtype=index_dtype)
        return out, dim - (axis < dim)

    primitive.def_impl(impl)
    primitive.def_abstract(abstract)
    primitive.def_batch(batch)
    return primitive


argmax_p = _place("argmax", np.argmax)
argmin_p = _place("argmin", np.argmin)


def argmax(x: Any, axis: int, index_dtype: Any = np.int64) -> Any:
    """The index of the maximum along an axis: the first where several reach it, or of a NaN.

    Args:
      x: an array of any shape but ``()``.
      axis: the axis.
      index_dtype: the result's dtype, an integer one.

    Returns:
      Indices, of the shape of ``x`` without ``axis``.

    Raises:
      TypeError: when there is no such axis, or ``index_dtype`` is not an integer dtype.
      ValueError: when the axis has no elements.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.argmax(np.array([[1.0, 2.0], [5.0, 4.0]]), 1)
    array([1, 0])
    """
    return _find(argmax_p, x, axis, index_dtype)


def argmin(x: Any, axis: int, index_dtype: Any = np.int64) -> Any:
    """The index of the minimum along an axis: the first where several reach it, or of a NaN.

    Args:
      x: an array of any shape but ``()``.
      axis: the axis.
      index_dtype: the result's dtype, an integer one.

    Returns:
      Indices, of the shape of ``x`` without ``axis``.

    Raises:
      TypeError: when there is no such axis, or ``index_dtype`` is not an integer dtype.
      ValueError: when the axis has no elements.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.argmin(np.array([[1.0, 2.0], [5.0, 4.0]]), 1)
    array([0, 1])
    """
    return _find(argmin_p, x, axis, index_dtype)


def _find(primitive: Primitive, x: Any, axis: int, index_dtype: Any) -> Any:
    x, dtype = array(x), np.dtype(index_dtype)
    if dtype.kind not in "iu":
        raise TypeError(f"{primitive.name}: index_dtype must be an integer dtype, got {dtype}")
    axis = check_axis(primitive.name, axis, x.ndim)
    return primitive.bind(x, axis=axis, index_dtype=dtype)
