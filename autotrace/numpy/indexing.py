"""Indexing of traced arrays: ``x[...]`` and ``x.at[...]``.

An index is first worked out against the shape alone (``Selection``). Its static part, which is
integers, slices and new axes, then becomes a slice and a reshape; its arrays one gather or scatter.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import ConcretizationError, located
from ..core.trace import Tracer, get_aval
from ..lax import arithmetic as arith
from ..lax.dynamic_slicing import dynamic_update_slice_p
from ..lax.indexing import INDEX, gather_p, scatter_p
from ..lax.slicing import concatenate, rev, slice_p
from ..lax.structural import (
    array,
    broadcast_in_dim,
    full_like,
    reshape,
    reshape_p,
    transpose,
)
from ..transforms.held import HeldTracer
from .dispatch import has_tracer
from .positions import where_true
from .promotion import (
    asarray,
    broadcast_to,
    promote_dtypes,
    to_dtype,
)

# --- what an index means -----------------------------------------------------------------------

_VALID = (
    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean "
    "arrays are valid indices"
)
_ALL = slice(None)


def _stacked(items: Any) -> Any:
    """A nested list with traced values in it as one array."""
    if not has_tracer(items):
        return np.asarray(items)
    if isinstance(items, Tracer):
        return items
    parts = promote_dtypes(*[_stacked(i) for i in items])
    if len({p.shape for p in parts}) > 1:
        raise ValueError(located("the lists of an index make no array: their lengths differ"))
    return concatenate([reshape(p, (1, *p.shape)) for p in parts], 0)


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
        sequence = _stacked(item) if isinstance(item, list | tuple) else np.asarray(item)
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
        indices = [_wrapped(self.arrays[d], self.shape[d], mode) for d in dims]
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
        values = reshape(_assignable(values, self.result_shape()), self.sizes())
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
                index = _wrapped(self.arrays[d], self.shape[d], mode)
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
        values = _assignable(values, self.result_shape())
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


def _wrapped(index: Any, size: int, mode: str) -> Any:
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


def _assignable(values: Any, shape: tuple[int, ...]) -> Any:
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


# --- writing: x.at[index] ----------------------------------------------------------------------

_MODES = {
    None: "raise",
    "raise": "raise",
    "promise_in_bounds": "raise",
    "clip": "clip",
    "wrap": "wrap",
    "drop": "drop",
    "fill": "drop",
}


def _mode(mode: str | None) -> str:
    """What the user calls a mode as scatter does.

    Raises:
      ValueError: for what is none.
    """
    if mode not in _MODES:
        words = ", ".join(repr(m) for m in _MODES)
        raise ValueError(located(f"mode is one of {words}, got {mode!r}"))
    return _MODES[mode]


def _cast(values: Any, dtype: np.dtype) -> Any:
    """Values as an array of the dtype that they are assigned to."""
    values = asarray(values)
    if get_aval(values).dtype.kind == "c" and dtype.kind != "c":
        raise TypeError(
            located(
                f"complex values cannot be put into an array of {dtype}",
                "What to do: take np.real(values), or convert the array with .astype(complex).",
            )
        )
    return to_dtype(values, dtype)


class _Updater:
    """``x.at``: its index says where to read or write a copy of ``x``."""

    __slots__ = ("_x",)

    def __init__(self, x: Any):
        self._x = x

    def __repr__(self) -> str:
        return f"<at of {self._x!r}>"

    def __getitem__(self, index: Any) -> _IndexUpdate:
        return _IndexUpdate(self._x, index)


class _IndexUpdate:
    """``x.at[index]``: what can be done to those elements of a copy of ``x``.

    Each method returns a new array and leaves ``x`` as it is. The values are broadcast to the
    shape of ``x[index]`` and converted to the dtype of ``x``. ``mode`` says what happens out of
    bounds: None or ``"raise"`` is an IndexError as in NumPy; ``"clip"`` takes the nearest
    position, ``"wrap"`` counts modulo the size, ``"drop"`` (or ``"fill"``) leaves the update out.
    Negative indices count from the end. ``unique_indices=True`` promises that no position comes
    twice, which makes things faster; ``indices_are_sorted`` is there for JAX's sake and ignored.
    """

    __slots__ = ("_index", "_x")

    def __init__(self, x: Any, index: Any):
        self._x = x
        self._index = index

    def __repr__(self) -> str:
        return f"<at[{self._index!r}] of {self._x!r}>"

    def get(
        self,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """``x[index]``; in mode ``"fill"`` (or ``"drop"``) with NaN for what is out of bounds, or
        the least signed or greatest unsigned integer.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.array([1.0, 2.0]))[np.array([1, 5])].get(mode="fill")
        array([ 2., nan])
        """
        reading = _mode(mode)
        selection = Selection(self._x.shape, self._index, reading == "raise")
        return selection.read(self._x, "fill" if reading == "drop" else reading)

    def set(
        self,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """As ``x[index] = values``; of several values for one position the last stays.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.zeros(3))[1:].set(7.0)
        array([0., 7., 7.])
        """
        return self._update("set", None, values, mode, unique_indices)

    def add(
        self,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """As ``np.add.at(x, index, values)``: all values for one position count.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.zeros(3))[[0, 2, 0]].add(1.0)
        array([2., 0., 1.])
        """
        return self._update("add", arith.add, values, mode, unique_indices)

    def subtract(
        self,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """As ``np.subtract.at(x, index, values)``.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.zeros(3))[[0, 2, 0]].subtract(1.0)
        array([-2.,  0., -1.])
        """
        self._refuse("subtract", "b", "use .set with the ^ operator")
        return self._update("subtract", arith.sub, values, mode, unique_indices)

    def multiply(
        self,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """As ``np.multiply.at(x, index, values)``.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.ones(3))[[0, 2, 0]].multiply(3.0)
        array([9., 1., 3.])
        """
        return self._update("mul", arith.mul, values, mode, unique_indices)

    mul = multiply

    def divide(
        self,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """As ``np.divide.at(x, index, values)``, up to rounding where a position comes twice.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.ones(3))[[0, 2, 0]].divide(2.0)
        array([0.25, 1.  , 0.5 ])
        """
        self._refuse("divide", "biu", "convert it with .astype(float)")
        return self._update("divide", arith.div, values, mode, unique_indices)

    def power(
        self,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """Raise to a power; where a position comes twice, to the product of the powers.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.array([2.0, 3.0]))[0].power(3.0)
        array([8., 3.])
        """
        self._refuse("power", "b", "convert it with .astype(int)")
        return self._update("power", arith.pow, values, mode, unique_indices)

    def min(
        self,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """As ``np.minimum.at(x, index, values)``; equals share the derivative evenly.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.ones(3))[[0, 2, 0]].min(np.array([0.0, 5.0, -1.0]))
        array([-1.,  1.,  1.])
        """
        return self._update("min", arith.min, values, mode, unique_indices)

    def max(
        self,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """As ``np.maximum.at(x, index, values)``; equals share the derivative evenly.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.ones(3))[[0, 2, 0]].max(np.array([0.0, 5.0, 2.0]))
        array([2., 1., 5.])
        """
        return self._update("max", arith.max, values, mode, unique_indices)

    def apply(
        self,
        func: Callable[[Any], Any],
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """As ``x[index] = func(x[index])``: once, also where a position comes twice.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.array([1.0, 4.0, 9.0]))[1:].apply(np.sqrt)
        array([1., 2., 3.])
        """
        # What is dropped is not read as NaN, which func's derivative would spread.
        old = self.get(mode="clip" if _mode(mode) == "drop" else mode)
        return self.set(func(old), mode=mode, unique_indices=unique_indices)

    def _refuse(self, name: str, kinds: str, remedy: str) -> None:
        dtype = self._x.dtype
        if dtype.kind in kinds:
            message = f".at[].{name} does not take an array of {dtype}"
            raise TypeError(located(message, f"What to do: {remedy}."))

    def _update(
        self, op: str, function: Callable | None, values: Any, mode: str | None, unique: bool
    ) -> Any:
        x, how = self._x, _mode(mode)
        values = _cast(values, x.dtype)
        mask = _traced_mask(self._index)
        if mask is not None and _repeats(values, x, mask):
            return _masked_update(x, mask, function, values)
        selection = Selection(x.shape, self._index, how == "raise")
        if not selection.arrays and all(s == 1 for s in selection.strides):
            return _static_update(x, selection, function, values)
        unique = unique or selection.unique
        return _scattered_update(x, selection, op, function, values, how, unique)


def _own(x: Any) -> Any:
    """An array that the user may write into with no effect on what it was made of."""
    return np.array(x) if isinstance(x, np.ndarray) else x


def _traced_mask(index: Any) -> Any:
    """The mask, where a traced one is the whole index; else None."""
    mask = index[0] if type(index) is tuple and len(index) == 1 else index
    return mask if isinstance(mask, Tracer) and mask.dtype.kind == "b" and mask.shape else None


def _repeats(values: Any, x: Any, mask: Any) -> bool:
    """Whether values are the same for each position of a mask, however many it has."""
    if mask.shape != x.shape[: mask.ndim]:
        return False
    rest = x.ndim - mask.ndim
    return values.ndim <= rest or all(n == 1 for n in values.shape[: values.ndim - rest])


def _masked_update(x: Any, mask: Any, function: Callable | None, values: Any) -> Any:
    """An update at a traced mask, by values that repeat: a choice between old and new."""
    rank = mask.ndim
    rest = x.shape[rank:]
    values = _assignable(values, (1, *rest) if values.ndim > len(rest) else rest)
    values = broadcast_to(values, x.shape)
    new = values if function is None else function(x, values)
    kept = broadcast_in_dim(mask, x.shape, range(rank))
    return arith.select(kept, new, x)


def _static_update(x: Any, selection: Selection, function: Callable | None, values: Any) -> Any:
    """An update of a block of the array."""
    sizes = selection.sizes()
    values = selection.static_values(values)
    if 0 in sizes:
        return _own(x)
    if function is not None:
        values = function(selection.static_part(x), values)
    elif not values.shape:
        values = broadcast_in_dim(values, sizes, ())
    if sizes == selection.shape:
        return _own(values)
    return dynamic_update_slice_p.bind(x, values, *map(INDEX.type, selection.starts))


def _scattered_update(
    x: Any,
    selection: Selection,
    op: str,
    function: Callable | None,
    values: Any,
    mode: str,
    unique: bool,
) -> Any:
    """An update at index arrays."""
    values = selection.cell_values(values)
    if 0 in values.shape:
        return _own(x)
    indices, axes = selection.cells(mode)
    if op == "subtract":
        op, values = "add", arith.neg(values)
    write = functools.partial(_write, indices=indices, axes=axes, mode=mode, unique=unique)
    if op not in ("divide", "power"):
        return write(op, x, values)
    # No scatter does these; the values for one position are multiplied first. Only the touched
    # cells are computed with: elsewhere the derivative of a power may be NaN.
    near, reading = indices, mode
    if mode == "drop":
        reading = "clip"
        near = [_wrapped(i, x.shape[a], "clip") for i, a in zip(indices, axes, strict=True)]
    read = functools.partial(gather_p.bind, axes=axes, mode=reading)
    if not unique:
        values = read(write("mul", full_like(x, 1), values), *near)
    assert function is not None
    return write("set", x, function(read(x, *near), values))


def _write(
    op: str, x: Any, values: Any, *, indices: Sequence[Any], axes: tuple, mode: str, unique: bool
) -> Any:
    return scatter_p.bind(
        x, values, *indices, axes=axes, op=op, mode=mode, unique_indices=bool(unique)
    )


def at(x: Any) -> Any:
    """``x.at`` for traced values and for ndarrays, which have none of their own.

    Args:
      x: an array, traced or not.

    Returns:
      What is indexed as ``at(x)[index]`` and then has the methods ``get``, ``set``, ``add``,
      ``subtract``, ``multiply``, ``divide``, ``power``, ``min``, ``max`` and ``apply``; each
      returns a new array. The values may be traced where ``x`` is not.

    >>> import autotrace, autotrace.numpy as anp, numpy as np
    >>> float(autotrace.grad(lambda v: anp.at(np.zeros(3))[1].set(v)[1] * 2.0)(5.0))
    2.0
    """
    return _Updater(array(asarray(x)))


# --- on tracers --------------------------------------------------------------------------------


def install() -> None:
    """Put ``at`` on ``Tracer``."""
    at_property = property(_Updater, doc="``x.at[index].set(v)`` and its like: see ``at``.")
    Tracer.at = at_property  # type: ignore[attr-defined]
