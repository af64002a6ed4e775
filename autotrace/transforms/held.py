"""Arrays of plain numbers that a traced function made and may assign traced values to.

An ndarray cannot turn into something else, so an array that the user makes in a traced function is
*held*: it is a tracer of the lowest trace there is, which knows the numbers and computes at once.
When a traced value is put into it, it becomes that kind of tracer (``Tracer.become``). To whatever
else it meets it is the ndarray that it holds.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.avals import SUPPORTED_DTYPES, ShapedArray, aval_of, uniform, uniform_value
from ..core.primitive import Primitive
from ..core.trace import Trace, Tracer, active_traces, slot


class HeldTracer(Tracer):
    """A tracer of a known array.

    Attributes:
      array: the array; its memory belongs to this handle and its views, unless it is lent.
      lent: whether something else has kept the array, so that it must not be written into.
      born: the level of the innermost trace when it was made.
      repeated: the one value that all of it has, None where that is not known.
    """

    __slots__ = ()
    array = slot("_carried")
    lent = slot("_beside")
    born = slot("_noted")
    repeated = slot("_snapshot")

    def __init__(self, array: np.ndarray, fill: Any = None):
        self.owner = _numbers
        self.array = array
        # Memory that may be another's is copied before it is written into.
        self.lent = array.base is not None or not array.flags.writeable
        self.born = innermost_level()
        self.place = None
        self.repeated = fill

    @property
    def aval(self) -> ShapedArray:
        return aval_of(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    def weaken(self) -> HeldTracer:
        return self

    def concrete(self, asked: str, kind: Any = None) -> Any:
        return self.array if kind is None else kind(self.array)

    @property
    def root(self) -> Any:
        """The handle whose memory it is."""
        root: Any = self
        place = self.place
        while place is not None and place.base is not None and place.shares is not False:
            root = place.base
            place = getattr(root, "place", None)
        return root

    def captured(self) -> Any:
        """The array itself, which will not be written into from now on."""
        array = self.array
        if not array.ndim:
            return array[()]
        root = self.root
        if root.repeated is not None:  # which a program makes rather than keeps
            return uniform(array.shape, array.dtype, root.repeated or None)
        root.lent = True
        return array

    def twin(self) -> HeldTracer:
        root = self.root
        root.lent = True
        twin = HeldTracer(self.array, root.repeated)
        twin.lent = True
        return twin

    def __float__(self) -> float:
        return float(self.array)

    def __complex__(self) -> complex:
        return complex(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # A copy: of what is written into another's array this handle would not know.
        if copy is False:
            raise ValueError("an array made in a traced function has no memory to share")
        return np.array(self.array, dtype)

    def __getattr__(self, name: str) -> Any:
        # What tracers do not have: flags, strides, flat and the like, to be looked at.
        if name == "place":  # not set where it has become a held array
            self.place = None
            return None
        if name == "_snapshot" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.view(), name)

    def view(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """The array, or it under another dtype, to be read."""
        self.root.lent = True
        array = self.array.view()
        array.flags.writeable = False
        return array.view(*args, **kwargs)

    def __reduce__(self) -> Any:
        return self.array.__reduce__()

    def __repr__(self) -> str:
        return repr(self.array)

    def __str__(self) -> str:
        return str(self.array)

    def __format__(self, spec: str) -> str:
        return format(self.array, spec)


class _Numbers(Trace):
    """The trace below all others: computes with the numbers."""

    __slots__ = ()

    transform = "no transform"
    level = 0
    alive = True

    def process(self, primitive: Primitive, args: tuple, params: dict) -> Any:
        out = primitive.bind(
            *[x.captured() if isinstance(x, Tracer) else x for x in args], **params
        )
        return [hold(x) for x in out] if primitive.multiple_results else hold(out)


_numbers = _Numbers()


def innermost_level() -> int:
    """The level of the innermost trace of this thread, 0 without any."""
    traces = active_traces()
    return traces[-1].level if traces else 0


def hold(x: Any) -> Any:
    """An array that was computed as one that can be assigned to; anything else as it is.

    A trace, or the caller, may have kept the array, so it is copied before it is written into.
    """
    if type(x) is not np.ndarray or x.dtype not in SUPPORTED_DTYPES:
        return x
    repeated = None if x.flags.writeable else uniform_value(x)
    if repeated is not None:
        return HeldTracer(np.array(x, order="C"), repeated)
    tracer = HeldTracer(x)
    tracer.lent = True
    return tracer


def lend(x: Any) -> Any:
    """A value of the caller's for the user's code, which may assign to it as to a copy.

    An array is copied when it is first written into. What is no array of numbers stays as it is.
    """
    if isinstance(x, Tracer):
        return x.twin()
    if not isinstance(x, np.ndarray) or not active_traces():
        return x
    if type(x) is np.memmap:
        x = x.view(np.ndarray)
    return hold(x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("=")))


def own(result: Any, args: Iterable[Any]) -> Any:
    """The results of a function of tracers as handles of their own, to be assigned to.

    Args:
      result: what the function returned: one of its arguments, or a view that it made within, may
        be among it.
      args: its arguments.
    """
    if isinstance(result, Tracer):
        for a in args:
            if a is result or (type(a) in (list, tuple) and _is_among(result, a)):
                return result.twin()
        return result if getattr(result, "place", None) is None else result.twin()
    if isinstance(result, list | tuple):
        parts = [own(x, args) for x in result]
        return like_sequence(result, parts)
    return hold(result)


def like_sequence(sequence: Any, parts: list[Any]) -> Any:
    """A list, tuple or named tuple with other parts."""
    kind = type(sequence)
    return kind(parts) if kind in (list, tuple) else kind._make(parts)


def _is_among(x: Any, args: Iterable[Any]) -> bool:
    return any(x is a or (type(a) in (list, tuple) and _is_among(x, a)) for a in args)


def giving_own(function: Callable) -> Callable:
    """A function of arrays whose results are handles of their own where tracers are given."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        given = (*args, *kwargs.values()) if kwargs else args
        return own(out, given) if _holds_tracer(given) else out

    return wrapper


def _holds_tracer(args: Iterable[Any]) -> bool:
    return any(
        isinstance(x, Tracer) or (type(x) in (list, tuple) and _holds_tracer(x)) for x in args
    )


class _Plain(threading.local):
    #: How many blocks of ``plain_arrays`` this thread is in.
    depth = 0


_plain = _Plain()


@contextmanager
def plain_arrays() -> Iterator[None]:
    """Have arrays made by this thread be ordinary ones: for code that is called from a traced
    function but is no part of it."""
    _plain.depth += 1
    try:
        yield
    finally:
        _plain.depth -= 1


def holding() -> bool:
    """Whether arrays that this thread's user makes are to be held."""
    return bool(active_traces()) and not _plain.depth
