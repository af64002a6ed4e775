"""Indexing of traced arrays: ``x[...]``.

An index is first worked out against the shape alone (``Selection``). Its static part, which is
integers, slices and new axes, then becomes a slice and a reshape; its arrays one gather or scatter.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..core.errors import ConcretizationError, located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax.indexing import INDEX, gather_p
from ..lax.slicing import rev, slice_p
from ..lax.structural import (
    broadcast_in_dim,
    reshape,
    reshape_p,
    transpose,
)
from ..transforms.held import HeldTracer
from .dispatch import has_tracer
from .positions import where_true
from .promotion import (
    broadcast_to,
    stack_nested,
)

# --- what an index means -----------------------------------------------------------------------

_VALID = (
    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean "
    "arrays are valid indices"
)
_ALL = slice(None)


def _entry(item: Any) -> Any:
    """One component of an index: an int, a slice, None, Ellipsis, or an array, traced or not, of
    integers or bools."""
    kind = type(item)
    if kind is HeldTracer:
        item = item.captured()
    if kind is int or kind is slice or item is None or item is Ellipsis:
        return item
    if isinstance(item, bool | np.bool_):
        raise IndexError(
            located(
                "a bool is no index of an array",
                "What to do: x[None] for a new axis; np.where for a choice.",
            )
        )
    if not isinstance(item, np.ndarray | Tracer):
        if hasattr(item, "__index__"):
            return operator.index(item)
        if isinstance(item, str | bytes | np.generic | float | complex):
            raise IndexError(located(f"{_VALID}, got {item!r:.40}"))
        nested = isinstance(item, list | tuple) and has_tracer(item)
        sequence = stack_nested(item) if nested else np.asarray(item)
        # NumPy takes an empty list for integers, though np.asarray makes floats of it.
        item = sequence if sequence.size or sequence.dtype.kind != "f" else sequence.astype(INDEX)
    dtype, shape = item.dtype, item.shape
    if dtype.kind == "b" and shape:
        return item
    if dtype.kind not in "iu":
        if not shape:
            raise IndexError(located(f"{_VALID}, got a scalar of {dtype}"))
        raise IndexError(
            located(
                f"arrays used as indices must be of integer (or boolean) type, got {dtype}",
                "What to do: convert them with .astype(int).",
            )
        )
    if isinstance(item, Tracer):
        return item
    return item.astype(INDEX, copy=False) if shape else int(item)


def _is_mask(item: Any) -> bool:
    return isinstance(item, np.ndarray | Tracer) and item.dtype.kind == "b"


def _bounds(part: slice, size: int) -> tuple[int, int, int, bool]:
    """A slice of a dimension as start, limit, stride > 0, and whether it goes backwards.

    Raises:
      ConcretizationError: for bounds that are traced and not known.
    """
    try:
        start, stop, step = part.indices(size)
    except ConcretizationError:
        raise ConcretizationError(
            located(
                "a slice's bounds are traced values, on which the shape of the result would depend",
                "What to do: for a part of static size use autotrace.lax.dynamic_slice_in_dim(x, "
                "start, size), or x[start + np.arange(size)]; else leave this part un-jitted.",
            )
        ) from None
    count = len(range(start, stop, step))
    if count == 0:
        return 0, 0, 1, False
    if count == 1:
        return start, start + 1, 1, False
    if step < 0:
        return start + (count - 1) * step, start + 1, -step, True
    return start, start + (count - 1) * step + 1, step, False


def _out_of_bounds(index: int, axis: int, size: int) -> IndexError:
    return IndexError(located(f"index {index} is out of bounds for axis {axis} with size {size}"))


class Selection:
    """An index, worked out against a shape.

    Attributes:
      starts, limits, strides: the static part, for each dimension; all of it where the dimension
        is indexed by an array.
      backwards: the dimensions whose slice has a negative step.
      whole: whether the static part is all of the array.
      dropped: the dimensions that an integer indexes.
      arrays: the index array of each dimension that has one, not yet broadcast.
      kept: the dimensions that no integer indexes, in order, with None for each new axis.
      layout: as ``kept``, without those that have an index array: the result's other dimensions.
      place: where in the layout the dimensions of the index arrays go.
      at: the common shape of the index arrays.
      unique: whether no position comes twice.
    """

    __slots__ = (
        "arrays",
        "at",
        "backwards",
        "dropped",
        "kept",
        "layout",
        "limits",
        "place",
        "shape",
        "starts",
        "strides",
        "unique",
        "whole",
    )

    def __init__(self, shape: tuple[int, ...], index: Any, strict: bool = True):
        """Work an index out.

        Args:
          shape: the array's.
          index: what stands between the brackets.
          strict: whether static integers out of bounds are an error at once; if not, they become
            index arrays, which have modes for that.
        """
        items = [_entry(i) for i in (index if type(index) is tuple else (index,))]
        ndim = len(shape)
        used = hidden = 0
        for item in items:
            if item is Ellipsis:
                hidden += 1
            elif _is_mask(item):
                used += item.ndim
            elif item is not None:
                used += 1
        if hidden > 1:
            raise IndexError(located("an index can only have a single ellipsis ('...')"))
        if used > ndim:
            raise IndexError(
                located(
                    f"too many indices for array: array is {ndim}-dimensional, but {used} were "
                    "indexed"
                )
            )
        if not hidden:
            items.append(Ellipsis)
        self.shape = shape
        self.starts = [0] * ndim
        self.limits = list(shape)
        self.strides = [1] * ndim
        self.backwards: list[int] = []
        self.dropped: list[int] = []
        self.arrays: dict[int, Any] = {}
        self.kept: list[int | None] = []
        self.whole = True
        masks = 0
        dim = free = 0
        # For each integer and array, what had come before it of the rest: NumPy keeps the index
        # dimensions in place only where nothing comes between (not even an empty ellipsis).
        places = []
        groups = set()
        group = 0
        for item in items:
            if item is None:
                self.kept.append(None)
                free += 1
                group += 1
            elif item is Ellipsis:
                self.kept.extend(range(dim, dim + ndim - used))
                free += ndim - used
                dim += ndim - used
                group += 1
            elif type(item) is slice:
                if item != _ALL:
                    size = shape[dim]
                    start, limit, stride, backwards = _bounds(item, size)
                    if start or limit != size or stride != 1:
                        self.whole = False
                        self.starts[dim], self.limits[dim], self.strides[dim] = start, limit, stride
                    if backwards:
                        self.backwards.append(dim)
                self.kept.append(dim)
                free += 1
                dim += 1
                group += 1
            else:
                places.append(free)
                groups.add(group)
                if type(item) is int:
                    self._integer(dim, item, strict)
                    dim += 1
                elif _is_mask(item):
                    masks += 1
                    self._mask(dim, item)
                    dim += item.ndim
                else:
                    self.arrays[dim] = item
                    self.kept.append(dim)
                    dim += 1
        if not self.arrays:
            self.layout, self.place, self.at, self.unique = self.kept, 0, (), True
            return
        self.layout = [d for d in self.kept if d not in self.arrays]
        self.place = places[0] if len(groups) == 1 else 0
        shapes = [a.shape for a in self.arrays.values()]
        if len(set(shapes)) > 1:
            try:
                self.at = np.broadcast_shapes(*shapes)
            except ValueError:
                words = " ".join(map(str, shapes))
                raise IndexError(
                    located(
                        "shape mismatch: indexing arrays could not be broadcast together with "
                        f"shapes {words}"
                    )
                ) from None
        else:
            self.at = shapes[0]
        # A single mask's positions differ, whatever they are broadcast against.
        self.unique = math.prod(self.at) <= 1 or (
            masks == 1 and all(s in ((), self.at) for s in shapes)
        )

    def _integer(self, dim: int, index: int, strict: bool) -> None:
        size = self.shape[dim]
        if not -size <= index < size:
            if strict:
                raise _out_of_bounds(index, dim, size)
            self.arrays[dim] = np.asarray(index, INDEX)
            self.kept.append(dim)
            return
        if index < 0:
            index += size
        self.starts[dim], self.limits[dim] = index, index + 1
        self.whole = self.whole and size == 1
        self.dropped.append(dim)

    def _mask(self, dim: int, mask: Any) -> None:
        for axis, n in enumerate(mask.shape, dim):
            if self.shape[axis] != n:
                raise IndexError(
                    located(
                        f"boolean index did not match indexed array along axis {axis}; size of "
                        f"axis is {self.shape[axis]} but size of corresponding boolean axis is {n}"
                    )
                )
        self.arrays.update(enumerate(where_true(mask, "what a mask selects"), dim))
        self.kept.extend(range(dim, dim + mask.ndim))

    def sizes(self) -> tuple[int, ...]:
        """The shape of the static part, in which integers leave dimensions of size 1."""
        return tuple(
            -((start - limit) // stride)
            for start, limit, stride in zip(self.starts, self.limits, self.strides, strict=True)
        )

    def static_part(self, x: Any) -> Any:
        """The static part itself, in the array's own order."""
        if self.whole:
            return x
        return slice_p.bind(
            x,
            start_indices=tuple(self.starts),
            limit_indices=tuple(self.limits),
            strides=tuple(self.strides),
        )

    def spread(self, index: Any, shape: tuple[int, ...]) -> Any:
        """An index array broadcast to a shape."""
        if isinstance(index, Tracer):
            return broadcast_to(index, shape)
        return np.ascontiguousarray(np.broadcast_to(index, shape)) if shape else INDEX.type(index)

    def read(self, x: Any, mode: str) -> Any:
        """The selected elements."""
        out = self.static_part(x)
        if self.backwards:
            out = rev(out, self.backwards)
        if not self.arrays and not self.dropped and None not in self.layout:
            return out
        sizes = self.sizes()
        out = reshape(out, tuple(1 if d is None else sizes[d] for d in self.kept))
        if not self.arrays:
            return out
        dims = sorted(self.arrays)
        axes = tuple(self.kept.index(d) for d in dims)
        indices = [wrapped(self.arrays[d], self.shape[d], mode) for d in dims]
        indices = [self.spread(i, self.at) for i in indices]
        out = gather_p.bind(out, *indices, axes=axes, mode=mode)
        return index_dims_to(out, len(self.at), self.place)

    def result_shape(self) -> tuple[int, ...]:
        """The shape of what is selected."""
        sizes = self.sizes()
        rest = [1 if d is None else sizes[d] for d in self.layout]
        return (*rest[: self.place], *self.at, *rest[self.place :])

    def static_values(self, values: Any) -> Any:
        """Values for the static part, in the array's own order."""
        if not values.shape:
            return values
        values = reshape(assignable(values, self.result_shape()), self.sizes())
        return rev(values, self.backwards) if self.backwards else values

    def cells(self, mode: str) -> tuple[list[Any], tuple[int, ...]]:
        """The selected positions as index arrays of one shape, for scatter, and their axes.

        All dimensions that are not taken whole have one. Their common shape is that of the index
        arrays followed by the sizes of the slices.
        """
        axes = tuple(d for d in range(len(self.shape)) if self._indexed(d))
        sliced = [d for d in axes if d in self.layout]
        sizes = self.sizes()
        shape = (*self.at, *(sizes[d] for d in sliced))
        indices = []
        for d in axes:
            if d in self.arrays:
                index = wrapped(self.arrays[d], self.shape[d], mode)
                index = reshape(index, (*index.shape, *(1 for _ in sliced)))
            else:
                index = np.arange(self.starts[d], self.limits[d], self.strides[d])
                if d in self.backwards:
                    index = index[::-1]
                if d in sliced:
                    index = index.reshape((-1, *(1 for _ in sliced[sliced.index(d) + 1 :])))
                else:
                    index = index[0]
            indices.append(self.spread(index, shape))
        return indices, axes

    def _indexed(self, dim: int) -> bool:
        """Whether scatter needs an index array for a dimension."""
        if dim in self.arrays or dim in self.dropped or dim in self.backwards:
            return True
        return (self.starts[dim], self.limits[dim], self.strides[dim]) != (0, self.shape[dim], 1)

    def cell_values(self, values: Any) -> Any:
        """Values in the order that scatter wants."""
        axes = [d for d in range(len(self.shape)) if self._indexed(d)]
        rest = [d for d in range(len(self.shape)) if d not in axes]
        sliced = [d for d in axes if d in self.layout]
        sizes = self.sizes()
        shape = (*self.at, *(sizes[d] for d in sliced), *(sizes[d] for d in rest))
        if not values.shape:
            return broadcast_in_dim(values, shape, ())
        values = assignable(values, self.result_shape())
        # The result's dimensions: those of the index arrays as ~0, ~1, ..., without new axes.
        index_dims = [~k for k in range(len(self.at))]
        labels: list[int | None] = [
            *self.layout[: self.place],
            *index_dims,
            *self.layout[self.place :],
        ]
        kept = [label for label in labels if label is not None]
        values = reshape(
            values,
            tuple(n for n, label in zip(values.shape, labels, strict=True) if label is not None),
        )
        return transpose(values, [kept.index(label) for label in (*index_dims, *sliced, *rest)])


def wrapped(index: Any, size: int, mode: str) -> Any:
    """An index array for a mode; negative entries count from the end in every mode."""
    if mode != "clip" or index.dtype.kind == "u":
        return index
    if not isinstance(index, Tracer):
        return np.where(index < 0, index + size, index)
    index = arith.convert_element_type(index, INDEX)
    return arith.select(arith.lt(index, INDEX.type(0)), arith.add(index, INDEX.type(size)), index)


def index_dims_to(x: Any, count: int, place: int) -> Any:
    """Move the first ``count`` dimensions behind the ``place`` that follow them."""
    if not count or not place:
        return x
    order = (*range(count, count + place), *range(count), *range(count + place, x.ndim))
    return transpose(x, order)


def assignable(values: Any, shape: tuple[int, ...]) -> Any:
    """Values broadcast to a shape as NumPy's assignment does: leading 1s are left out.

    Raises:
      ValueError: when it does not go.
    """
    given = values.shape
    extra = max(len(given) - len(shape), 0)
    fits = all(n == 1 for n in given[:extra]) and all(
        n in (1, m) for n, m in zip(reversed(given[extra:]), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(
            located(f"could not broadcast values of shape {given} into indexed shape {shape}")
        )
    return broadcast_to(reshape(values, given[extra:]), shape)


# --- reading -----------------------------------------------------------------------------------


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` with NumPy's meaning, where the array, the index or both are traced.

    Args:
      x: an array.
      index: integers, slices (of static bounds), None, Ellipsis, integer arrays, boolean masks,
        or a tuple of these. Of a traced mask the number of True elements is asked for.

    Returns:
      The selected elements.

    Raises:
      IndexError: for what is no index of such an array.
      ConcretizationError: where traced slice bounds, or how many elements a traced mask selects,
        cannot be told.

    >>> import autotrace, numpy as np
    >>> autotrace.jit(lambda x: x[1:, [2, 0]])(np.arange(6.0).reshape(2, 3))
    array([[5., 3.]])
    """
    if isinstance(index, np.integer):
        index = int(index)
    if type(index) is int:
        shape = x.shape
        if shape:
            size = shape[0]
            if -size <= index < size:
                rest = shape[1:]
                if size > 1:
                    if index < 0:
                        index += size
                    x = slice_p.bind(
                        x,
                        start_indices=(index, *(0,) * len(rest)),
                        limit_indices=(index + 1, *rest),
                        strides=(1,) * len(shape),
                    )
                return reshape_p.bind(x, new_sizes=rest)
            raise _out_of_bounds(index, 0, size)
    elif type(index) is tuple:
        position = _position(x.shape, index)
        if position is not None:
            part = slice_p.bind(
                x,
                start_indices=position,
                limit_indices=tuple([i + 1 for i in position]),
                strides=(1,) * len(position),
            )
            return reshape_p.bind(part, new_sizes=())
    return Selection(x.shape, index).read(x, "raise")


def _position(shape: tuple[int, ...], index: tuple) -> tuple[int, ...] | None:
    """An index of one element as numbers that count from the beginning, None for any other."""
    if len(index) != len(shape) or not shape:
        return None
    position = []
    for i, n in zip(index, shape, strict=True):
        if type(i) is not int or not -n <= i < n:
            return None
        position.append(i + n if i < 0 else i)
    return tuple(position)
