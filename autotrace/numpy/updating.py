"""``x.at[index]``: reading, and writing in a copy, with modes for what is out of bounds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer, get_aval
from ..lax import arithmetic as arith
from ..lax.dynamic_slicing import dynamic_update_slice_p
from ..lax.indexing import INDEX, gather_p, scatter_p
from ..lax.structural import array, broadcast_in_dim, full_like
from .indexing import Selection, assignable, wrapped
from .promotion import asarray, broadcast_to, to_dtype

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


def _update(
    name: str, function: Callable | None, doc: str, refused: str = "", remedy: str = ""
) -> Callable[..., Any]:
    """A method of ``x.at[index]`` that changes what is there.

    Args:
      name: the method's.
      function: what makes new elements of the old ones and the values; None to take the values.
      doc: its docstring.
      refused: the kinds of dtypes that it does not take.
      remedy: what to do of such an array instead.
    """

    def update(
        self: _IndexUpdate,
        values: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        x, index, how = self._x, self._index, _mode(mode)
        if x.dtype.kind in refused:
            message = f".at[].{name} does not take an array of {x.dtype}"
            raise TypeError(located(message, f"What to do: {remedy}."))
        values = _cast(values, x.dtype)
        mask = _traced_mask(index)
        if mask is not None and _repeats(values, x, mask):
            return _masked_update(x, mask, function, values)
        selection = Selection(x.shape, index, how == "raise")
        if not selection.arrays and all(s == 1 for s in selection.strides):
            return _static_update(x, selection, function, values)
        unique = unique_indices or selection.unique
        return _scattered_update(x, selection, name, function, values, how, unique)

    update.__name__, update.__doc__ = name, doc
    update.__qualname__ = f"_IndexUpdate.{name}"
    return update


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
        fill_value: Any = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Any:
        """``x[index]``; in mode ``"fill"`` (or ``"drop"``) with ``fill_value`` for what is out of
        bounds: when None, NaN, or the least signed or greatest unsigned integer.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.array([1.0, 2.0]))[np.array([1, 5])].get(mode="fill", fill_value=0.0)
        array([2., 0.])
        """
        x, reading = self._x, _mode(mode)
        selection = Selection(x.shape, self._index, reading == "raise")
        if reading != "drop":
            return selection.read(x, reading)
        if fill_value is None:
            return selection.read(x, "fill")
        inside = selection.read(full_like(x, 0, dtype=np.uint8), "fill")
        values = broadcast_to(_cast(fill_value, x.dtype), inside.shape)
        return arith.select(arith.eq(inside, np.uint8(0)), selection.read(x, "fill"), values)

    set = _update(
        "set",
        None,
        """As ``x[index] = values``; of several values for one position the last stays.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.zeros(3))[1:].set(7.0)
        array([0., 7., 7.])
        """,
    )

    add = _update(
        "add",
        arith.add,
        """As ``np.add.at(x, index, values)``: all values for one position count.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.zeros(3))[[0, 2, 0]].add(1.0)
        array([2., 0., 1.])
        """,
    )

    subtract = _update(
        "subtract",
        arith.sub,
        """As ``np.subtract.at(x, index, values)``.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.zeros(3))[[0, 2, 0]].subtract(1.0)
        array([-2.,  0., -1.])
        """,
        refused="b",
        remedy="use .set with the ^ operator",
    )

    multiply = _update(
        "multiply",
        arith.mul,
        """As ``np.multiply.at(x, index, values)``.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.ones(3))[[0, 2, 0]].multiply(3.0)
        array([9., 1., 3.])
        """,
    )

    mul = multiply

    divide = _update(
        "divide",
        arith.div,
        """As ``np.divide.at(x, index, values)``, up to rounding where a position comes twice.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.ones(3))[[0, 2, 0]].divide(2.0)
        array([0.25, 1.  , 0.5 ])
        """,
        refused="biu",
        remedy="convert it with .astype(float)",
    )

    power = _update(
        "power",
        arith.pow,
        """Raise to a power; where a position comes twice, to the product of the powers.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.array([2.0, 3.0]))[0].power(3.0)
        array([8., 3.])
        """,
        refused="b",
        remedy="convert it with .astype(int)",
    )

    min = _update(
        "min",
        arith.min,
        """As ``np.minimum.at(x, index, values)``; equals share the derivative evenly.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.ones(3))[[0, 2, 0]].min(np.array([0.0, 5.0, -1.0]))
        array([-1.,  1.,  1.])
        """,
    )

    max = _update(
        "max",
        arith.max,
        """As ``np.maximum.at(x, index, values)``; equals share the derivative evenly.

        >>> import autotrace.numpy as anp, numpy as np
        >>> anp.at(np.ones(3))[[0, 2, 0]].max(np.array([0.0, 5.0, 2.0]))
        array([2., 1., 5.])
        """,
    )

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
    values = assignable(values, (1, *rest) if values.ndim > len(rest) else rest)
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
    op = {"multiply": "mul"}.get(op, op)
    write = functools.partial(_write, indices=indices, axes=axes, mode=mode, unique=unique)
    if op not in ("divide", "power"):
        return write(op, x, values)
    # No scatter does these; the values for one position are multiplied first. Only the touched
    # cells are computed with: elsewhere the derivative of a power may be NaN.
    near, reading = indices, mode
    if mode == "drop":
        reading = "clip"
        near = [wrapped(i, x.shape[a], "clip") for i, a in zip(indices, axes, strict=True)]
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
