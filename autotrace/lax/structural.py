"""Shape changes and their transposes: broadcast_in_dim, reshape, transpose, reduce_sum.

These four come first because the rules of every other family are written with them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, aval_of, make_aval, uniform, uniform_value
from ..core.primitive import Primitive
from ..core.trace import Tracer
from ..transforms.batch import Axis
from ..transforms.simplify import Rewrite, View


def array(x: Any) -> Any:
    """A tracer, ndarray or NumPy scalar as it is; a Python scalar as a NumPy scalar.

    Raises:
      TypeError: for anything else.
    """
    if isinstance(x, Tracer | np.ndarray | np.generic):
        return x
    return aval_of(x).dtype.type(x)


# --- broadcast_in_dim --------------------------------------------------------------------------

broadcast_in_dim_p = Primitive("broadcast_in_dim", rearranges=True)


def broadcast_in_dim(x: Any, shape: Sequence[int], broadcast_dimensions: Sequence[int]) -> Any:
    """Broadcast an array, saying which dimension of the result each of its own becomes.

    Args:
      x: an array of shape ``s``.
      shape: the result's shape.
      broadcast_dimensions: strictly increasing, one for each dimension of ``x``; ``s[i]`` is 1 or
        ``shape[broadcast_dimensions[i]]``.

    Returns:
      An array of ``shape``.

    Raises:
      TypeError: when the dimensions do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.broadcast_in_dim(np.array([1.0, 2.0]), (2, 3), (0,))
    array([[1., 1., 1.],
           [2., 2., 2.]])
    """
    x, shape, dims = array(x), tuple(shape), tuple(broadcast_dimensions)
    if x.shape == shape and dims == tuple(range(len(shape))):
        return x
    return broadcast_in_dim_p.bind(x, shape=shape, broadcast_dimensions=dims)


@broadcast_in_dim_p.def_impl
def _broadcast_impl(x: Any, *, shape: tuple, broadcast_dimensions: tuple) -> Any:
    if np.ndim(x) == 0:
        return uniform(shape, x.dtype, x)
    expanded = [1] * len(shape)
    for dim, size in zip(broadcast_dimensions, x.shape, strict=True):
        expanded[dim] = size
    return np.broadcast_to(x.reshape(expanded), shape)


@broadcast_in_dim_p.def_abstract
def _broadcast_abstract(
    x: ShapedArray, *, shape: tuple, broadcast_dimensions: tuple
) -> ShapedArray:
    dims = broadcast_dimensions
    fits = (
        len(dims) == x.ndim
        and all(0 <= d < len(shape) for d in dims)
        and all(a < b for a, b in itertools.pairwise(dims))
        and all(n in (1, shape[d]) for n, d in zip(x.shape, dims, strict=True))
    )
    if not fits:
        raise TypeError(f"broadcast_in_dim: cannot broadcast {x} to {shape} along {dims}")
    return make_aval(shape, x.dtype)


@broadcast_in_dim_p.def_jvp
def _broadcast_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    return broadcast_in_dim_p.bind(tangents[0], **params)


@broadcast_in_dim_p.def_transpose
def _broadcast_transpose(
    ct: Any, x: Any, *, shape: tuple, broadcast_dimensions: tuple
) -> list[Any]:
    kept = {d for n, d in zip(x.aval.shape, broadcast_dimensions, strict=True) if n == shape[d]}
    summed = reduce_sum(ct, [d for d in range(len(shape)) if d not in kept])
    return [reshape(summed, x.aval.shape)]


@broadcast_in_dim_p.def_batch
def _broadcast_batch(
    axis: Axis, args: Any, dims: Any, *, shape: tuple, broadcast_dimensions: tuple
) -> tuple:
    x = move_axis(args[0], dims[0], 0)
    out = broadcast_in_dim_p.bind(
        x,
        shape=(axis.size, *shape),
        broadcast_dimensions=(0, *(d + 1 for d in broadcast_dimensions)),
    )
    return out, 0


@broadcast_in_dim_p.def_simplify
def _broadcast_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    if view.same_type(args[0]):
        return args[0]
    inner = view.made_by(args[0], broadcast_in_dim_p)
    if inner is not None:
        outer_dims = params["broadcast_dimensions"]
        dims = tuple(outer_dims[d] for d in inner.params["broadcast_dimensions"])
        params = {"shape": params["shape"], "broadcast_dimensions": dims}
        return Rewrite(broadcast_in_dim_p, inner.invars, params)
    return None


def full(shape: Sequence[int], fill_value: Any, dtype: Any = None) -> Any:
    """An array with one value everywhere.

    Args:
      shape: its shape.
      fill_value: a scalar, traced or not.
      dtype: its dtype; the value's when None.

    Returns:
      The array; without traced input a read-only one that takes one element of memory.

    >>> import autotrace.lax as lax
    >>> lax.full((2,), 7.0)
    array([7., 7.])
    """
    value = array(fill_value)
    if isinstance(value, Tracer):
        return broadcast_in_dim(value, shape, ())
    return uniform(tuple(shape), value.dtype if dtype is None else dtype, value)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """An array of the shape and dtype of another with one value everywhere.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.full_like(np.zeros(2), 7)
    array([7., 7.])
    """
    return uniform(x.shape, x.dtype if dtype is None else dtype, fill_value)


def zeros_like(x: Any) -> Any:
    """Zeros of an array's (or tracer's) shape and dtype, read-only, one element of memory.

    >>> zeros_like(np.ones(2, np.float32))
    array([0., 0.], dtype=float32)
    """
    return uniform(x.shape, x.dtype)


def unbroadcast(ct: Any, shape: tuple[int, ...]) -> Any:
    """The cotangent of a scalar operand that went with an array: the sum over all of it."""
    if ct.shape == shape:
        return ct
    return reduce_sum(ct, range(ct.ndim))


def broadcast_to_shape(x: Any, shape: tuple[int, ...]) -> Any:
    """A scalar as an array of a shape; an array of that shape as it is."""
    return (
        x if x.shape == shape else broadcast_in_dim_p.bind(x, shape=shape, broadcast_dimensions=())
    )


# --- reshape -----------------------------------------------------------------------------------

reshape_p = Primitive("reshape", rearranges=True)


def reshape(x: Any, new_sizes: Sequence[int]) -> Any:
    """Give an array another shape with as many elements, in C order.

    Args:
      x: an array.
      new_sizes: the new shape, without -1.

    Returns:
      The array of the new shape.

    Raises:
      TypeError: when the number of elements differs.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.reshape(np.arange(4), (2, 2))
    array([[0, 1],
           [2, 3]])
    """
    x, sizes = array(x), tuple(new_sizes)
    return x if x.shape == sizes else reshape_p.bind(x, new_sizes=sizes)


@reshape_p.def_impl
def _reshape_impl(x: Any, *, new_sizes: tuple) -> Any:
    value = uniform_value(x)
    if value is not None and new_sizes:
        return uniform(new_sizes, value.dtype, value)
    return np.reshape(x, new_sizes) if new_sizes else np.reshape(x, ())[()]


@reshape_p.def_abstract
def _reshape_abstract(x: ShapedArray, *, new_sizes: tuple) -> ShapedArray:
    if math.prod(new_sizes) != x.size or any(n < 0 for n in new_sizes):
        raise TypeError(f"cannot reshape an array of shape {x.shape} into shape {new_sizes}")
    return make_aval(new_sizes, x.dtype)


@reshape_p.def_jvp
def _reshape_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    return reshape_p.bind(tangents[0], **params)


@reshape_p.def_transpose
def _reshape_transpose(ct: Any, x: Any, *, new_sizes: tuple) -> list[Any]:
    return [reshape(ct, x.aval.shape)]


@reshape_p.def_batch
def _reshape_batch(axis: Axis, args: Any, dims: Any, *, new_sizes: tuple) -> tuple:
    x = move_axis(args[0], dims[0], 0)
    return reshape(x, (axis.size, *new_sizes)), 0


@reshape_p.def_simplify
def _reshape_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    if view.same_type(args[0]):
        return args[0]
    inner = view.made_by(args[0], reshape_p)
    if inner is not None:
        return Rewrite(reshape_p, inner.invars, params)
    repeated = view.made_by(args[0], broadcast_in_dim_p)
    if repeated is not None and not repeated.invars[0].aval.shape:
        broadcast = {"shape": params["new_sizes"], "broadcast_dimensions": ()}
        return Rewrite(broadcast_in_dim_p, repeated.invars, broadcast)
    return None


def expand_dims(x: Any, dimensions: Sequence[int]) -> Any:
    """Insert dimensions of size 1, at places that count in the result.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.expand_dims(np.zeros((2, 3)), (0, 2)).shape
    (1, 2, 1, 3)
    """
    x = array(x)
    rank = x.ndim + len(tuple(dimensions))
    places = {d % rank for d in dimensions}
    sizes = iter(x.shape)
    return reshape(x, tuple(1 if d in places else next(sizes) for d in range(rank)))


# --- transpose ---------------------------------------------------------------------------------

transpose_p = Primitive("transpose", rearranges=True)


def transpose(x: Any, permutation: Sequence[int]) -> Any:
    """Reorder an array's dimensions.

    Args:
      x: an array.
      permutation: for each dimension of the result, the dimension of ``x`` that it is.

    Returns:
      The array with its dimensions reordered.

    Raises:
      TypeError: when ``permutation`` is not one.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.transpose(np.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x, permutation = array(x), tuple(permutation)
    if permutation == tuple(range(x.ndim)):
        return x
    return transpose_p.bind(x, permutation=permutation)


@transpose_p.def_impl
def _transpose_impl(x: Any, *, permutation: tuple) -> Any:
    return np.transpose(x, permutation)


@transpose_p.def_abstract
def _transpose_abstract(x: ShapedArray, *, permutation: tuple) -> ShapedArray:
    if sorted(permutation) != list(range(x.ndim)):
        raise TypeError(f"transpose: {permutation} is no permutation of {x}'s dimensions")
    return make_aval(tuple(x.shape[d] for d in permutation), x.dtype)


def inverse_permutation(permutation: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes another."""
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))


@transpose_p.def_jvp
def _transpose_jvp(primals: Any, tangents: Any, out: Any, *, permutation: tuple) -> Any:
    return transpose_p.bind(tangents[0], permutation=permutation)


@transpose_p.def_transpose
def _transpose_transpose(ct: Any, x: Any, *, permutation: tuple) -> list[Any]:
    return [transpose(ct, inverse_permutation(permutation))]


@transpose_p.def_batch
def _transpose_batch(axis: Axis, args: Any, dims: Any, *, permutation: tuple) -> tuple:
    dim = dims[0]
    moved = (dim, *(d + (d >= dim) for d in permutation))
    return transpose(args[0], moved), 0


@transpose_p.def_simplify
def _transpose_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    permutation = params["permutation"]
    if permutation == tuple(range(len(permutation))):
        return args[0]
    inner = view.made_by(args[0], transpose_p)
    if inner is not None:
        both = tuple(inner.params["permutation"][d] for d in permutation)
        return Rewrite(transpose_p, inner.invars, {"permutation": both})
    return None


def move_axis(x: Any, source: int, destination: int) -> Any:
    """Move one dimension to another place, the others keeping their order."""
    if source == destination:
        return x
    order = [d for d in range(x.ndim) if d != source]
    order.insert(destination, source)
    return transpose_p.bind(x, permutation=tuple(order))


def insert_axis(x: Any, size: int, at: int) -> Any:
    """Repeat an array along a new dimension."""
    shape = (*x.shape[:at], size, *x.shape[at:])
    dims = tuple(d for d in range(len(shape)) if d != at)
    return broadcast_in_dim_p.bind(x, shape=shape, broadcast_dimensions=dims)


def batched_at(x: Any, dim: int | None, axis: Axis, at: int = 0) -> Any:
    """An array with its batch dim moved, or made, at a place."""
    return insert_axis(x, axis.size, at) if dim is None else move_axis(x, dim, at)


# --- reduce_sum --------------------------------------------------------------------------------

reduce_sum_p = Primitive("reduce_sum", rearranges=True)


def reduce_sum(x: Any, axes: Sequence[int]) -> Any:
    """Sum over some dimensions.

    Args:
      x: an array of any numeric dtype (the result has the same one).
      axes: the dimensions to sum over, non-negative.

    Returns:
      The array without those dimensions.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.reduce_sum(np.ones((2, 3)), (1,))
    array([3., 3.])
    """
    x, axes = array(x), tuple(axes)
    return reduce_sum_p.bind(x, axes=axes) if axes else x


@reduce_sum_p.def_impl
def _reduce_sum_impl(x: Any, *, axes: tuple) -> Any:
    return np.add.reduce(x, axis=axes, dtype=x.dtype)


def reduced_aval(name: str, x: ShapedArray, axes: tuple, dtype: Any = None) -> ShapedArray:
    """The aval of a reduction over axes."""
    if len(set(axes)) != len(axes) or any(not 0 <= d < x.ndim for d in axes):
        raise TypeError(f"{name}: {axes} are not different dimensions of {x}")
    shape = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    return make_aval(shape, x.dtype if dtype is None else dtype)


@reduce_sum_p.def_abstract
def _reduce_sum_abstract(x: ShapedArray, *, axes: tuple) -> ShapedArray:
    if x.dtype.kind == "b":
        raise TypeError(f"reduce_sum takes integer, floating, complex arrays, got {x}")
    return reduced_aval("reduce_sum", x, axes)


@reduce_sum_p.def_jvp
def _reduce_sum_jvp(primals: Any, tangents: Any, out: Any, *, axes: tuple) -> Any:
    return reduce_sum_p.bind(tangents[0], axes=axes)


def undo_reduction(x: Any, shape: tuple[int, ...], axes: Sequence[int]) -> Any:
    """Broadcast a reduction's result back over the dimensions that it removed."""
    kept = tuple(d for d in range(len(shape)) if d not in axes)
    return broadcast_in_dim_p.bind(x, shape=shape, broadcast_dimensions=kept)


@reduce_sum_p.def_transpose
def _reduce_sum_transpose(ct: Any, x: Any, *, axes: tuple) -> list[Any]:
    return [undo_reduction(ct, x.aval.shape, axes)]


def reduction_batch(primitive: Primitive) -> Any:
    """The batching rule of a reduction: count the batch dim in."""

    def rule(axis: Axis, args: Any, dims: Any, *, axes: tuple) -> tuple:
        dim = dims[0]
        moved = tuple(d + (d >= dim) for d in axes)
        return primitive.bind(args[0], axes=moved), dim - sum(d < dim for d in moved)

    return rule


reduce_sum_p.def_batch(reduction_batch(reduce_sum_p))


@reduce_sum_p.def_simplify
def reduction_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    """A reduction over no dimension is its operand."""
    return args[0] if not params["axes"] else None
