"""Taking arrays apart and putting them together at fixed places: slice, rev, pad, concatenate."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from operator import index as as_int
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..core.avals import ShapedArray, make_aval
from ..core.errors import located
from ..core.primitive import Primitive, primitives
from ..core.tangents import LinearInput
from ..core.trace import get_aval
from ..transforms.batch import Axis
from ..transforms.simplify import Rewrite, View
from .arithmetic import constant, select, select_n
from .families import operands, repeated_scalar
from .structural import (
    array,
    batched_at,
    broadcast_in_dim,
    broadcast_in_dim_p,
    insert_axis,
    move_axis,
    reduce_sum,
    reshape,
    zeros_like,
)


def inserted(sequence: Sequence[Any], at: int, item: Any) -> tuple:
    """A sequence with one more item."""
    return (*sequence[:at], item, *sequence[at:])


def repeated_value(view: View, atom: Any) -> Any:
    """The rewrite of what rearranges the elements of a repeated scalar, or None."""
    scalar = repeated_scalar(view, atom)
    if scalar is None or not view.out_aval.shape:
        return None
    params = {"shape": view.out_aval.shape, "broadcast_dimensions": ()}
    return Rewrite(broadcast_in_dim_p, [scalar], params)


def without(shape: tuple[int, ...], dimension: int) -> tuple[int, ...]:
    """A shape without one dimension."""
    return shape[:dimension] + shape[dimension + 1 :]


# --- slice -------------------------------------------------------------------------------------

slice_p = Primitive("slice", rearranges=True)


def slice(  # noqa: A001  the name in lax
    operand: Any,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Any:
    """Take a part of an array: ``operand[start:limit:stride]`` in each dimension.

    Args:
      operand: an array of shape ``s``.
      start_indices: where to begin, one for each dimension.
      limit_indices: where to end, ``start <= limit <= s[d]``.
      strides: the steps, positive; 1 when None.

    Returns:
      The part, of size ``ceil((limit - start) / stride)`` in each dimension.

    Raises:
      TypeError: when the bounds do not fit the shape; nothing is clamped, and negative numbers do
        not count from the end.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.slice(np.arange(6.0), (1,), (6,), (2,))
    array([1., 3., 5.])
    """
    x = array(operand)
    params = {
        "start_indices": tuple(map(as_int, start_indices)),
        "limit_indices": tuple(map(as_int, limit_indices)),
        "strides": (1,) * x.ndim if strides is None else tuple(map(as_int, strides)),
    }
    out = _slice_abstract(get_aval(x), **params)
    return x if out.shape == x.shape else slice_p.bind(x, **params)


@slice_p.def_impl
def _slice_impl(x: Any, *, start_indices: tuple, limit_indices: tuple, strides: tuple) -> Any:
    return x[tuple(map(builtins.slice, start_indices, limit_indices, strides))]


@slice_p.def_abstract
def _slice_abstract(
    x: ShapedArray, *, start_indices: tuple, limit_indices: tuple, strides: tuple
) -> ShapedArray:
    bounds = (start_indices, limit_indices, strides)
    fits = all(len(b) == x.ndim for b in bounds) and all(
        0 <= start <= limit <= size and stride > 0
        for start, limit, stride, size in zip(*bounds, x.shape, strict=True)
    )
    if not fits:
        raise TypeError(
            f"slice: cannot take {start_indices} to {limit_indices} in steps of {strides} from {x}"
        )
    shape = tuple(
        -((start - limit) // stride) for start, limit, stride in zip(*bounds, strict=True)
    )
    return make_aval(shape, x.dtype)


@slice_p.def_jvp
def _slice_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    return slice_p.bind(tangents[0], **params)


@slice_p.def_transpose
def _slice_transpose(
    ct: Any, x: Any, *, start_indices: tuple, limit_indices: tuple, strides: tuple
) -> list[Any]:
    config = tuple(
        (start, size - start - _dilated(n, stride - 1), stride - 1)
        for n, start, stride, size in zip(
            ct.shape, start_indices, strides, x.aval.shape, strict=True
        )
    )
    if not any(map(any, config)):
        return [ct]
    return [pad_p.bind(ct, constant(0, ct), padding_config=config)]


@slice_p.def_batch
def _slice_batch(
    axis: Axis, args: Any, dims: Any, *, start_indices: tuple, limit_indices: tuple, strides: tuple
) -> tuple:
    (dim,) = dims
    out = slice_p.bind(
        args[0],
        start_indices=inserted(start_indices, dim, 0),
        limit_indices=inserted(limit_indices, dim, axis.size),
        strides=inserted(strides, dim, 1),
    )
    return out, dim


@slice_p.def_simplify
def _slice_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    if view.same_type(args[0]):
        return args[0]
    inner = view.made_by(args[0], slice_p)
    if inner is None:
        return _written(view, args[0], params)
    starts, limits, strides = [], [], []
    for n, start, stride, first_start, first_stride in zip(
        view.out_aval.shape,
        params["start_indices"],
        params["strides"],
        inner.params["start_indices"],
        inner.params["strides"],
        strict=True,
    ):
        both = first_stride * stride
        starts.append(first_start + start * first_stride if n else 0)
        limits.append(starts[-1] + (n - 1) * both + 1 if n else 0)
        strides.append(both)
    merged = {
        "start_indices": tuple(starts),
        "limit_indices": tuple(limits),
        "strides": tuple(strides),
    }
    return Rewrite(slice_p, inner.invars, merged)


def window_at(shape: tuple[int, ...], sizes: tuple[int, ...], starts: Sequence[Any]) -> tuple:
    """The slices of a window, moved so that it is inside."""
    begins = [
        builtins.min(builtins.max(int(s), 0), size - n)
        for s, size, n in zip(starts, shape, sizes, strict=True)
    ]
    return tuple(builtins.slice(b, b + n) for b, n in zip(begins, sizes, strict=True))


def literal_starts(view: View, atoms: Sequence[Any]) -> list[Any] | None:
    """The numbers of starts, None where one is not known."""
    values = [view.scalar(a) for a in atoms]
    return None if any(v is None for v in values) else values


def _written(view: View, atom: Any, params: dict) -> Any:
    """The rewrite of a slice of what has just been written to, or None.

    What has been written elsewhere is passed over only where that leads to something: a read of
    the array as it was before would keep later writes from being done in place.
    """
    starts, limits = params["start_indices"], params["limit_indices"]
    while (eqn := view.made_by(atom, primitives["dynamic_update_slice"])) is not None:
        x, update, *places = eqn.invars
        begins = literal_starts(view, places)
        if begins is None:
            return None
        bounds = [
            (start, limit, w.start, w.stop)
            for start, limit, w in zip(
                starts, limits, window_at(x.aval.shape, update.aval.shape, begins), strict=True
            )
        ]
        if all(first <= start and limit <= last for start, limit, first, last in bounds):
            inside = {
                "start_indices": tuple(start - first for start, _, first, _ in bounds),
                "limit_indices": tuple(limit - first for _, limit, first, _ in bounds),
                "strides": params["strides"],
            }
            return Rewrite(slice_p, [update], inside)
        if all(start < last and first < limit for start, limit, first, last in bounds):
            return None
        atom = x
    return repeated_value(view, atom)


def slice_in_dim(
    operand: Any,
    start_index: int | None,
    limit_index: int | None,
    stride: int = 1,
    axis: int = 0,
) -> Any:
    """``slice`` in one dimension; negative bounds count from its end, None is the end itself.

    Args:
      operand: an array.
      start_index, limit_index: where to begin and end.
      stride: the step, positive.
      axis: the dimension.

    Returns:
      The part.

    Raises:
      TypeError: when the bounds do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.slice_in_dim(np.arange(6.0), -3, None)
    array([3., 4., 5.])
    """
    x = array(operand)
    axis = normalize_axis_index(axis, x.ndim)
    size = x.shape[axis]
    start = 0 if start_index is None else as_int(start_index)
    limit = size if limit_index is None else as_int(limit_index)
    start, limit = (i + size if i < 0 else i for i in (start, limit))
    starts, limits, strides = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[axis], limits[axis], strides[axis] = start, limit, stride
    return slice(x, starts, limits, strides)


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """The part at one static position of a dimension.

    Args:
      operand: an array.
      index: the position; negative ones count from the end.
      axis: the dimension.
      keepdims: whether the result keeps it, with size 1.

    Returns:
      The part.

    Raises:
      IndexError: when the position is out of bounds.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.index_in_dim(np.array([[1.0, 2.0], [3.0, 4.0]]), -1, keepdims=False)
    array([3., 4.])
    """
    x = array(operand)
    axis = normalize_axis_index(axis, x.ndim)
    index, size = as_int(index), x.shape[axis]
    if not -size <= index < size:
        raise IndexError(
            located(f"index {index} is out of bounds for axis {axis} with size {size}")
        )
    index %= size
    out = slice_in_dim(x, index, index + 1, 1, axis)
    return out if keepdims else reshape(out, without(x.shape, axis))


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Cut an array into consecutive parts: the inverse of ``concatenate``.

    Args:
      operand: an array.
      sizes: of the parts; together the size of the dimension.
      axis: the dimension to cut.

    Returns:
      A list of the parts.

    Raises:
      TypeError: when the sizes do not add up.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.split(np.arange(5.0), (2, 3))
    [array([0., 1.]), array([2., 3., 4.])]
    """
    x = array(operand)
    axis = normalize_axis_index(axis, x.ndim)
    sizes = tuple(map(as_int, sizes))
    if sum(sizes) != x.shape[axis] or any(n < 0 for n in sizes):
        raise TypeError(f"split: {sizes} do not add up to dimension {axis} of {get_aval(x)}")
    parts, start = [], 0
    for n in sizes:
        parts.append(slice_in_dim(x, start, start + n, 1, axis))
        start += n
    return parts


# --- rev ---------------------------------------------------------------------------------------

rev_p = Primitive("rev", rearranges=True)


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """Reverse the order of the elements along some dimensions.

    Args:
      operand: an array.
      dimensions: different, non-negative.

    Returns:
      The reversed array.

    Raises:
      TypeError: when they are not dimensions of the array.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.rev(np.arange(3.0), (0,))
    array([2., 1., 0.])
    """
    x, dimensions = array(operand), tuple(map(as_int, dimensions))
    _rev_abstract(get_aval(x), dimensions=dimensions)
    return rev_p.bind(x, dimensions=dimensions) if dimensions else x


@rev_p.def_impl
def _rev_impl(x: Any, *, dimensions: tuple) -> Any:
    return np.flip(x, dimensions)


@rev_p.def_abstract
def _rev_abstract(x: ShapedArray, *, dimensions: tuple) -> ShapedArray:
    if len(set(dimensions)) != len(dimensions) or any(not 0 <= d < x.ndim for d in dimensions):
        raise TypeError(f"rev: {dimensions} are not different dimensions of {x}")
    return x.strong()


@rev_p.def_jvp
def _rev_jvp(primals: Any, tangents: Any, out: Any, *, dimensions: tuple) -> Any:
    return rev_p.bind(tangents[0], dimensions=dimensions)


@rev_p.def_transpose
def _rev_transpose(ct: Any, x: Any, *, dimensions: tuple) -> list[Any]:
    return [rev_p.bind(ct, dimensions=dimensions)]


@rev_p.def_batch
def _rev_batch(axis: Axis, args: Any, dims: Any, *, dimensions: tuple) -> tuple:
    (dim,) = dims
    return rev_p.bind(args[0], dimensions=tuple(d + (d >= dim) for d in dimensions)), dim


@rev_p.def_simplify
def _rev_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    if not params["dimensions"]:
        return args[0]
    inner = view.made_by(args[0], rev_p)
    if inner is None:
        return repeated_value(view, args[0])
    once = set(params["dimensions"]) ^ set(inner.params["dimensions"])
    return Rewrite(rev_p, inner.invars, {"dimensions": tuple(sorted(once))})


# --- pad ---------------------------------------------------------------------------------------

pad_p = Primitive("pad", rearranges=True)


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """Put a value before, after and between the elements, in each dimension.

    Args:
      operand: an array.
      padding_value: a scalar of the same dtype.
      padding_config: ``(low, high, interior)`` for each dimension: how many to put before the
        first element, after the last one and between any two. Negative ``low`` and ``high`` take
        away, after ``interior`` has been put in.

    Returns:
      The padded array.

    Raises:
      TypeError: when the configuration or the value do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.pad(np.array([1.0, 2.0, 3.0]), 0.0, [(1, -1, 1)])
    array([0., 1., 0., 2., 0.])
    """
    x, value = operands(operand, padding_value)
    config = tuple(tuple(map(as_int, c)) for c in padding_config)
    _pad_abstract(get_aval(x), get_aval(value), padding_config=config)
    if not any(map(any, config)):
        return x
    return pad_p.bind(x, value, padding_config=config)


def _dilated(size: int, interior: int) -> int:
    """A dimension's size after padding between its elements."""
    return size + builtins.max(size - 1, 0) * interior


@pad_p.def_impl
def _pad_impl(x: Any, value: Any, *, padding_config: tuple) -> Any:
    shape, source, target = [], [], []
    for size, (low, high, interior) in zip(x.shape, padding_config, strict=True):
        step = interior + 1
        n = low + high + _dilated(size, interior)
        # Element i comes to low + i * step; those from first to last come inside.
        first = builtins.max(0, -(low // step))
        last = builtins.min(size - 1, (n - 1 - low) // step)
        count = builtins.max(0, last - first + 1)
        start = low + first * step if count else 0
        shape.append(n)
        source.append(builtins.slice(first, first + count))
        target.append(builtins.slice(start, start + (count - 1) * step + 1 if count else 0, step))
    if all(low <= 0 and high <= 0 and not interior for low, high, interior in padding_config):
        return x[tuple(source)]
    out = np.empty(shape, x.dtype)
    out.fill(value)
    out[tuple(target)] = x[tuple(source)]
    return out


@pad_p.def_abstract
def _pad_abstract(x: ShapedArray, value: ShapedArray, *, padding_config: tuple) -> ShapedArray:
    if value.shape or value.dtype != x.dtype:
        raise TypeError(f"pad: the padding value of {x} is a scalar of its dtype, got {value}")
    if len(padding_config) != x.ndim or any(len(c) != 3 or c[2] < 0 for c in padding_config):
        raise TypeError(
            f"pad: {x} takes {x.ndim} of (low, high, interior >= 0), got {padding_config}"
        )
    shape = tuple(
        low + high + _dilated(n, interior)
        for n, (low, high, interior) in zip(x.shape, padding_config, strict=True)
    )
    if any(n < 0 for n in shape):
        raise TypeError(f"pad: {padding_config} takes more away from {x} than there is")
    return make_aval(shape, x.dtype)


@pad_p.def_jvp
def _pad_jvp(primals: Any, tangents: Any, out: Any, *, padding_config: tuple) -> Any:
    parts = [zeros_like(p) if t is None else t for p, t in zip(primals, tangents, strict=True)]
    return pad_p.bind(*parts, padding_config=padding_config)


def _holds_operand(shape: tuple[int, ...], padding_config: tuple) -> np.ndarray:
    """Where in the padded array the operand's elements are, as opposed to the padding."""
    inside = np.broadcast_to(np.True_, shape)
    return _pad_impl(inside, np.False_, padding_config=padding_config)


@pad_p.def_transpose
def _pad_transpose(ct: Any, x: Any, value: Any, *, padding_config: tuple) -> list[Any]:
    ct_x = ct_value = None
    if type(x) is LinearInput:
        undone = [(-low, -high, 0) for low, high, _ in padding_config]
        spread = pad(ct, constant(0, ct), undone)
        strides = [interior + 1 for _, _, interior in padding_config]
        ct_x = slice(spread, (0,) * ct.ndim, spread.shape, strides)
    if type(value) is LinearInput:
        # Not the whole sum less the operand's part: that loses digits, and all with an infinity.
        inside = _holds_operand(x.shape, padding_config)
        ct_value = reduce_sum(select(inside, zeros_like(ct), ct), range(ct.ndim))
    return [ct_x, ct_value]


@pad_p.def_batch
def _pad_batch(axis: Axis, args: Any, dims: Any, *, padding_config: tuple) -> tuple:
    (x, value), (x_dim, value_dim) = args, dims
    if value_dim is None:
        config = inserted(padding_config, x_dim, (0, 0, 0))
        return pad_p.bind(x, value, padding_config=config), x_dim
    shape = x.shape if x_dim is None else without(x.shape, x_dim)
    inside = _holds_operand(shape, padding_config)
    if x_dim is None:
        padded = pad(x, constant(0, x), padding_config)
        padded = insert_axis(padded, axis.size, 0)
    else:
        padded = pad(move_axis(x, x_dim, 0), constant(0, x), ((0, 0, 0), *padding_config))
    padding = broadcast_in_dim(value, padded.shape, (0,))
    return select_n(insert_axis(inside, axis.size, 0), padding, padded), 0


@pad_p.def_simplify
def _pad_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    x, config = args[0], params["padding_config"]
    if not any(map(any, config)):
        return x
    if all(low <= 0 and high <= 0 and not interior for low, high, interior in config):
        cut = {
            "start_indices": tuple(-low for low, _, _ in config),
            "limit_indices": tuple(
                n + high for n, (_, high, _) in zip(x.aval.shape, config, strict=True)
            ),
            "strides": (1,) * len(config),
        }
        return Rewrite(slice_p, [x], cut)
    return None


# --- concatenate -------------------------------------------------------------------------------

concatenate_p = Primitive("concatenate", rearranges=True)


def concatenate(operands: Sequence[Any], dimension: int) -> Any:
    """Join arrays along a dimension that they have.

    Args:
      operands: arrays of one dtype, at least one, whose shapes differ in that dimension at most.
      dimension: non-negative.

    Returns:
      The joined array.

    Raises:
      TypeError: when the operands do not fit together.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.concatenate([np.array([1.0]), np.array([2.0, 3.0])], 0)
    array([1., 2., 3.])
    """
    arrays, dimension = [array(x) for x in operands], as_int(dimension)
    _concatenate_abstract(*map(get_aval, arrays), dimension=dimension)
    return concatenate_p.bind(*arrays, dimension=dimension) if len(arrays) > 1 else arrays[0]


@concatenate_p.def_impl
def _concatenate_impl(*operands: Any, dimension: int) -> Any:
    return np.concatenate(operands, dimension)


@concatenate_p.def_abstract
def _concatenate_abstract(*operands: ShapedArray, dimension: int) -> ShapedArray:
    if not operands:
        raise TypeError("concatenate takes at least one array")
    first = operands[0]
    fits = 0 <= dimension < first.ndim and all(
        x.ndim == first.ndim
        and x.dtype == first.dtype
        and without(x.shape, dimension) == without(first.shape, dimension)
        for x in operands
    )
    if not fits:
        raise TypeError(
            f"concatenate: cannot join {', '.join(map(str, operands))} along dimension {dimension}"
        )
    joined = sum(x.shape[dimension] for x in operands)
    shape = (*first.shape[:dimension], joined, *first.shape[dimension + 1 :])
    return make_aval(shape, first.dtype)


@concatenate_p.def_jvp
def _concatenate_jvp(primals: Any, tangents: Any, out: Any, *, dimension: int) -> Any:
    parts = [zeros_like(p) if t is None else t for p, t in zip(primals, tangents, strict=True)]
    return concatenate_p.bind(*parts, dimension=dimension)


@concatenate_p.def_transpose
def _concatenate_transpose(ct: Any, *operands: Any, dimension: int) -> list[Any]:
    cts: list[Any] = []
    start = 0
    for x in operands:
        limit = start + x.shape[dimension]
        linear = type(x) is LinearInput
        cts.append(slice_in_dim(ct, start, limit, 1, dimension) if linear else None)
        start = limit
    return cts


@concatenate_p.def_batch
def _concatenate_batch(axis: Axis, args: Any, dims: Any, *, dimension: int) -> tuple:
    at = next(d for d in dims if d is not None)
    parts = [batched_at(x, d, axis, at) for x, d in zip(args, dims, strict=True)]
    return concatenate_p.bind(*parts, dimension=dimension + (dimension >= at)), at


@concatenate_p.def_simplify
def _concatenate_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    if len(args) == 1:
        return args[0]
    dimension = params["dimension"]
    parts = [x for x in args if x.aval.shape[dimension]] or list(args[:1])
    return Rewrite(concatenate_p, parts, params) if len(parts) < len(args) else None
