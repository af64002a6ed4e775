"""Assignment to traced arrays, as NumPy users write it: ``y[i] = v``, ``y += v``, ``np.copyto``.

The new value is computed as ``x.at[i].set(v)`` does; ``aliasing.write`` lets the handle, and what
shares memory with it, stand for that. Held arrays are changed in place as long as nothing traced is
put into them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer, get_aval
from ..lax import arithmetic as arith
from ..lax.scanning import scan
from ..lax.structural import array, reshape
from ..transforms.held import HeldTracer, hold
from . import asking, manipulation, sorting, ufuncs
from .aliasing import link, write, write_numbers
from .arguments import normal_axis, operand
from .dispatch import (
    implements,
    into_ordinary,
    is_traced,
    lowered,
    numbers,
    store,
    traced,
    traced_methods,
)
from .indexing import Selection, getitem
from .promotion import broadcast_to, to_dtype
from .updating import at

# --- reading -----------------------------------------------------------------------------------


class _At:
    """What makes a view of an array by basic indexing, and puts a new value of it back."""

    __slots__ = ("index",)

    def __init__(self, index: Any):
        self.index = index

    @property
    def traced(self) -> bool:
        return is_traced(self.index)

    def __call__(self, base: Any) -> Any:
        if isinstance(base, Tracer):
            return getitem(base, self.index)
        return base[_known(self.index)]

    def put(self, base: Any, new: Any) -> Any:
        return put_at(base, self.index, new)


def _known(index: Any) -> Any:
    """A basic index with traced positions, which make no difference to where memory lies, as 0."""
    if type(index) is tuple:
        return tuple(_known(i) for i in index)
    return 0 if is_traced(index) else numbers(index)


def _is_basic(index: Any) -> bool:
    """Whether an index makes a view: no arrays and no lists in it."""
    kind = type(index)
    if kind is int or kind is slice or index is None or index is Ellipsis:
        return True
    if kind is tuple:
        for item in index:
            kind = type(item)
            if kind is not int and kind is not slice and (kind is tuple or not _is_basic(item)):
                return False
        return True
    if isinstance(index, Tracer):
        return not index.shape and index.dtype.kind in "iu"
    return hasattr(index, "__index__") and not isinstance(index, bool | np.ndarray | np.bool_)


def _has_ellipsis(index: Any) -> bool:
    return index is Ellipsis or (type(index) is tuple and any(i is Ellipsis for i in index))


def _getitem(self: Any, index: Any) -> Any:
    """As ndarray's: a view where the index has no arrays in it, else a copy."""
    plain = type(index) is int or type(index) is slice  # the commonest
    if type(self) is HeldTracer and (plain or not is_traced(index)):
        array = self.array[index if plain else numbers(index)]
        if type(array) is not np.ndarray:
            return array
        out: Any = HeldTracer(array)
        writeable = array.flags.writeable or None  # a read-only array may be lent
    else:
        out = getitem(self, index)
        if not out.shape and not _has_ellipsis(index):
            return out
        writeable = True
    if not plain and not _is_basic(index):
        return hold(out)
    made = _At(index)
    return link(self, out, made, made.put, index, True, writeable)


# --- writing -----------------------------------------------------------------------------------


def _same_index(first: Any, second: Any) -> bool:
    if first is second:
        return True
    # Python 3.12 makes the slice of y[a:b] += v twice.
    return (
        type(first) is slice
        and type(second) is slice
        and all(type(i) in (int, type(None)) for i in (first.start, first.stop, first.step))
        and first == second
    )


def _assignable(value: Any, dtype: np.dtype) -> Any:
    """A value as an array of the dtype that it is assigned to, converted as NumPy does."""
    if isinstance(value, complex) and dtype.kind in "fiu" and not isinstance(value, np.generic):
        raise TypeError(
            located("float() argument must be a string or a real number, not 'complex'")
        )
    if not isinstance(value, int | float | complex | np.generic | Tracer):
        value = operand(value)
    if dtype.kind not in "cb" and get_aval(value).dtype.kind == "c":
        warnings.warn(
            "Casting complex values to real discards the imaginary part",
            np.exceptions.ComplexWarning,
            stacklevel=4,
        )
        value = ufuncs.real(value)
    return to_dtype(value, dtype)


def put_at(x: Any, index: Any, value: Any) -> Any:
    """A value of an array with others put in at an index, converted to its dtype."""
    x = lowered(x)
    return at(x)[lowered(index)].set(_assignable(lowered(value), x.dtype))


def _setitem(self: Any, index: Any, value: Any) -> None:
    """As ndarray's."""
    place = getattr(value, "place", None) if isinstance(value, Tracer) else None
    if place is not None and place.base is self and _same_index(place.index, index):
        return  # y[i] += v: the view y[i] has been added to
    if type(self) is HeldTracer and not is_traced(index) and not is_traced(value):
        index, value = numbers(index), numbers(value)
        write_numbers(self, lambda array: array.__setitem__(index, value))
    else:
        write(self, put_at(self, index, value))


_OPERANDS = (Tracer, np.ndarray, np.generic, int, float, complex, list)


def _augmented(ufunc: np.ufunc) -> Callable:
    def operator(self: Any, other: Any) -> Any:
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        held = type(self) is HeldTracer
        if held and not is_traced(other):
            given = numbers(other)
            write_numbers(self, lambda array: ufunc(array, given, out=array))
            return self
        if not held and not self.shape and getattr(self, "place", None) is None:
            return NotImplemented  # NumPy's scalars do not change: Python takes self + other
        result = traced[ufunc](lowered(self), lowered(other))
        return store(f"ufunc '{ufunc.__name__}'", result, self)

    return operator


_AUGMENTED = {
    "iadd": np.add,
    "isub": np.subtract,
    "imul": np.multiply,
    "itruediv": np.divide,
    "ifloordiv": np.floor_divide,
    "imod": np.remainder,
    "ipow": np.power,
    "iand": np.bitwise_and,
    "ior": np.bitwise_or,
    "ixor": np.bitwise_xor,
    "ilshift": np.left_shift,
    "irshift": np.right_shift,
    "imatmul": np.matmul,
}

# --- functions that write into their first argument --------------------------------------------


def _writer(name: str, act: Callable, rule: Callable) -> Callable:
    """A function that changes its first argument.

    Args:
      name: what it is called.
      act: does it to ndarrays.
      rule: gives the new value of what may be traced.
    """

    def function(target: Any, /, *args: Any, inplace: bool = True, **kwargs: Any) -> Any:
        if not inplace:
            target = operand(lowered(target))
            value = rule(target, *lowered(args), **lowered(kwargs))
            return arith.convert_element_type(array(value), target.dtype)
        given = is_traced(args) or is_traced(kwargs)
        if isinstance(target, Tracer) and (given or type(target) is not HeldTracer):
            value = rule(lowered(target), *lowered(args), **lowered(kwargs))
            write(target, arith.convert_element_type(value, target.dtype))
        elif isinstance(target, Tracer):
            rest, named = numbers(args), numbers(kwargs)
            write_numbers(target, lambda array: act(array, *rest, **named))
        elif given:
            raise into_ordinary(name)
        else:
            act(target, *numbers(args), **numbers(kwargs))
        return None

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    return function


def _writes(numpy_function: Any) -> Callable:
    """Register a rule, which gives the array's new value, for a function that writes; with
    ``inplace=False`` it returns that."""

    def decorate(rule: Callable) -> Callable:
        function = _writer(f"numpy.{numpy_function.__name__}", numpy_function, rule)
        function.__doc__ = rule.__doc__
        return implements(numpy_function, writes=True, extra=("inplace",))(function)

    return decorate


def _check_casting(x: Any, dtype: np.dtype, casting: str) -> None:
    if not np.can_cast(x.dtype, dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            located(
                f"Cannot cast array data from {x.dtype!r} to {dtype!r} according to the rule "
                f"'{casting}'"
            )
        )


@_writes(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> Any:
    """As ``numpy.copyto``, on arrays and traced values.

    >>> y = np.zeros(2)
    >>> copyto(y, [1, 2])
    >>> y
    array([1., 2.])
    """
    if isinstance(src, Tracer | np.ndarray | np.generic):
        _check_casting(src, dst.dtype, casting)
    new = broadcast_to(_assignable(src, dst.dtype), dst.shape)
    return new if where is True else ufuncs.where(where, new, dst)


def _cycled(values: Any, size: int) -> Any:
    """Values one after the other, and again from the first, up to a size."""
    values = operand(values)
    flat = reshape(values, (values.size,))
    return flat if flat.size == size else getitem(flat, np.arange(size) % flat.size)


@_writes(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> Any:
    """As ``numpy.put``, on arrays and traced values.

    >>> y = np.zeros(2)
    >>> put(y, [1], 5)
    >>> y
    array([0., 5.])
    """
    ind = operand(ind)
    ind = reshape(ind, (ind.size,))
    if not ind.size or not operand(v).size:
        return a
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(located(f"clipmode must be one of 'clip', 'raise', or 'wrap', not {mode}"))
    if mode == "clip":  # in which NumPy takes negative positions for 0
        ind = ufuncs.clip(ind, 0, max(a.size - 1, 0))
    values = _assignable(_cycled(v, ind.size), a.dtype)
    return reshape(at(reshape(a, (a.size,)))[ind].set(values, mode=mode), a.shape)


@_writes(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> Any:
    """As ``numpy.putmask``, on arrays and traced values.

    >>> y = np.zeros(2)
    >>> putmask(y, [True, False], 5)
    >>> y
    array([5., 0.])
    """
    if operand(mask).shape != a.shape:
        raise ValueError(located("putmask: mask and data must be the same size"))
    if not operand(values).size:
        return a
    new = reshape(_assignable(_cycled(values, a.size), a.dtype), a.shape)
    return ufuncs.where(mask, new, a)


@_writes(np.place)
def place(arr: Any, mask: Any, vals: Any) -> Any:
    """As ``numpy.place``, on arrays and traced values.

    >>> y = np.zeros(2)
    >>> place(y, np.array([False, True]), 5)
    >>> y
    array([0., 5.])
    """
    mask, vals = ufuncs.as_bool(operand(mask)), operand(vals)
    if mask.size != arr.size:
        raise ValueError(located("place: mask and data must be the same size"))
    if not vals.size:
        if not bool(np.any(mask)):
            return arr
        raise ValueError(located("Cannot insert from an empty array!"))
    flat = reshape(mask, (mask.size,))
    count = traced[np.cumsum](flat) if isinstance(flat, Tracer) else np.cumsum(flat)
    vals = reshape(_assignable(vals, arr.dtype), (vals.size,))
    new = getitem(vals, ufuncs.remainder(ufuncs.maximum(count - 1, 0), vals.size))
    return ufuncs.where(reshape(mask, arr.shape), reshape(new, arr.shape), arr)


@_writes(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> Any:
    """As ``numpy.put_along_axis``, on arrays and traced values.

    >>> y = np.zeros(2)
    >>> put_along_axis(y, np.array([1]), 5, 0)
    >>> y
    array([0., 5.])
    """
    if axis is None:
        flat = put_along_axis_rule(reshape(arr, (arr.size,)), indices, values, 0)
        return reshape(flat, arr.shape)
    return put_along_axis_rule(arr, indices, values, normal_axis(axis, arr.ndim))


def put_along_axis_rule(arr: Any, indices: Any, values: Any, axis: int) -> Any:
    indices = operand(indices)
    if indices.ndim != arr.ndim:
        raise ValueError(located("`indices` and `arr` must have the same number of dimensions"))
    index = [
        indices
        if d == axis
        else np.arange(n).reshape([-1 if d == e else 1 for e in range(arr.ndim)])
        for d, n in enumerate(arr.shape)
    ]
    return put_at(arr, tuple(index), values)


@_writes(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> Any:
    """As ``numpy.fill_diagonal``, on arrays and traced values; with ``inplace=False``, which the
    functions beside it take, too, it returns the array with the new values.

    >>> fill_diagonal(np.zeros((2, 2)), 5, inplace=False)
    array([[5., 0.],
           [0., 5.]])
    """
    if a.ndim < 2:
        raise ValueError(located("array must be at least 2-d"))
    end = None
    if a.ndim == 2:
        step = a.shape[1] + 1
        if not wrap:
            end = a.shape[1] * a.shape[1]
    else:
        if len(set(a.shape)) > 1:
            raise ValueError(located("All dimensions of input must be of equal length"))
        step = 1 + sum(math.prod(a.shape[:n]) for n in range(1, a.ndim))
    places = range(a.size)[:end:step]
    if not len(places):
        return a
    flat = put_at(reshape(a, (a.size,)), slice(None, end, step), _cycled(val, len(places)))
    return reshape(flat, a.shape)


# --- ufunc.at ----------------------------------------------------------------------------------

_AT_METHODS = {
    np.add: "add",
    np.subtract: "subtract",
    np.multiply: "multiply",
    np.divide: "divide",
    np.minimum: "min",
    np.maximum: "max",
    np.power: "power",
}


def _ufunc_at(ufunc: np.ufunc) -> Callable:
    def rule(x: Any, index: Any, *values: Any) -> Any:
        name = f"ufunc '{ufunc.__name__}'"
        values = tuple(operand(v) if isinstance(v, list | tuple) else v for v in values)
        dtype = x.dtype if not values else np.result_type(x.dtype, asking.type_like(values[0]))
        if ufunc is np.divide and dtype.kind in "biu":
            dtype = np.dtype(np.float64)
        if not np.can_cast(dtype, x.dtype, "same_kind"):
            raise TypeError(
                located(
                    f"Cannot cast {name} output from {dtype!r} to {x.dtype!r} with casting rule "
                    "'same_kind'"
                )
            )
        if ufunc in _AT_METHODS:
            return getattr(at(x)[index], _AT_METHODS[ufunc])(*values)
        if not Selection(x.shape, index).unique:
            return _one_by_one(ufunc, x, index, values)
        return put_at(x, index, traced[ufunc](getitem(x, index), *values))

    return _writer(f"numpy.{ufunc.__name__}.at", ufunc.at, rule)


def _one_by_one(ufunc: np.ufunc, x: Any, index: Any, values: tuple) -> Any:
    """``ufunc.at`` where positions may come several times: one after another."""
    places = getitem(np.arange(x.size).reshape(x.shape), index)
    flat = reshape(x, (x.size,))
    each = tuple(reshape(broadcast_to(operand(v), places.shape), (places.size,)) for v in values)

    def turn(carry: Any, element: Any) -> tuple[Any, None]:
        place, *rest = element
        return put_at(carry, place, traced[ufunc](getitem(carry, place), *rest)), None

    out, _ = scan(turn, flat, (reshape(places, (places.size,)), *each))
    return reshape(out, x.shape)


for _ufunc in list(traced):
    if isinstance(_ufunc, np.ufunc) and _ufunc.nout == 1 and _ufunc.signature is None:
        traced_methods[_ufunc, "at"] = _ufunc_at(_ufunc)

# --- parts -------------------------------------------------------------------------------------


def _set_real(self: Any, value: Any) -> None:
    _setitem(ufuncs.real(self), ..., value)


def _set_imag(self: Any, value: Any) -> None:
    if self.dtype.kind != "c":
        raise TypeError(located("array does not have imaginary part to set"))
    _setitem(ufuncs.imag(self), ..., value)


class _Flat:
    """``x.flat``: the elements in C order, to be read and assigned to."""

    __slots__ = ("_x",)

    def __init__(self, x: Any):
        self._x = x

    def __len__(self) -> int:
        return self._x.size

    def __iter__(self) -> Iterator[Any]:
        return (self[n] for n in range(self._x.size))

    def __getitem__(self, index: Any) -> Any:
        return manipulation.reshape(self._x, (-1,)).copy()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        x = self._x
        if type(x) is HeldTracer and not is_traced((index, value)):
            where, what = numbers(index), numbers(value)
            write_numbers(x, lambda array: array.flat.__setitem__(where, what))
            return
        flat = reshape(lowered(x), (x.size,))
        count = math.prod(Selection(flat.shape, lowered(index)).result_shape())
        new = put_at(flat, index, _cycled(lowered(value), count))
        write(x, reshape(new, x.shape))


def _set_flat(self: Any, value: Any) -> None:
    _Flat(self)[:] = value


_ATTRIBUTES = {
    "real": property(ufuncs.real, _set_real, doc="As ndarray's."),
    "imag": property(ufuncs.imag, _set_imag, doc="As ndarray's."),
    "flat": property(_Flat, _set_flat, doc="As ndarray's."),
}

# --- methods -----------------------------------------------------------------------------------


def _fill(self: Any, value: Any) -> None:
    """As ndarray's."""
    if np.ndim(value):
        raise ValueError(located("setting an array element with a sequence."))
    _setitem(self, ..., value)


def _sort_rule(x: Any, axis: Any = -1, kind: Any = None, order: Any = None, **stable: Any) -> Any:
    return sorting.sort(x, axis, kind, order, **stable)


_METHODS: dict[str, Callable] = {
    "__getitem__": _getitem,
    "__setitem__": _setitem,
    "fill": _fill,
    "sort": _writer("ndarray.sort", np.ndarray.sort, _sort_rule),
    "partition": _writer("ndarray.partition", np.ndarray.partition, sorting.partition),
    "put": put,
}


def install() -> None:
    """Put assignment on ``Tracer``."""
    for name, ufunc in _AUGMENTED.items():
        setattr(Tracer, f"__{name}__", _augmented(ufunc))
    for table in (_METHODS, _ATTRIBUTES):
        for name, attribute in table.items():
            setattr(Tracer, name, attribute)
