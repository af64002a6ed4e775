"""Tracers and traces: how an operation finds out which transform is watching.

Each transform that runs a Python function makes a *trace* and wraps the function's inputs in
*tracers* that belong to it. Traces nest; each has a level, higher the further in. A primitive that
is applied to tracers is handed to the trace with the highest level among them, which does its work
by applying primitives to what its tracers carry: values of lower levels. So transforms compose
with no transform knowing of another.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dis import opmap
from types import FrameType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

import numpy as np

from .avals import ShapedArray, aval_of
from .config import attention
from .errors import (
    ConcretizationError,
    LeakedTracerError,
    TracerArrayError,
    located,
)
from .source import (
    asked_by,
    call_from_outside,
    called_at,
    is_subscript,
    is_testing,
    taker,
    user_location,
)

if TYPE_CHECKING:
    from .primitive import Primitive


class _Stack(threading.local):
    def __init__(self) -> None:
        self.traces: list[Trace] = []
        #: Those that stage effects, and those that are guarded.
        self.staging: list[Trace] = []
        self.guarded: list[Trace] = []
        self.quiet: Any = None


_stack = _Stack()

#: Called when a thread's first trace is entered and when its last one is left.
_at_first: list[Callable[[], None]] = []
_at_last: list[Callable[[], None]] = []


def while_tracing(begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Have something done for as long as a thread has any trace."""
    _at_first.append(begin)
    _at_last.append(end)


class Trace:
    """One run of one transform. Entered as a context manager, which gives it its level; after the
    block its tracers are dead and their use is an error.

    While any trace is active NumPy's floating-point warnings are off: a derivative rule may divide
    by zero where the function does not, and under ``jit`` nothing can warn either.
    """

    __slots__ = ("alive", "level")

    alive: bool
    level: int
    #: What the user called, for messages.
    transform = "a transform"
    #: Whether operations without traced inputs but with an effect belong to this trace.
    stages_effects = False
    #: Whether what it traces may never run, so that operations on values from outside have to stay
    #: in it: the branch of a ``cond``, where the other branch may be what keeps an index in bounds
    #: or a number from being divided by zero.
    guarded = False
    #: The name and size of the mapped axis, for the trace that maps one.
    axis_name: Any = None
    axis_size: int | None = None

    def __enter__(self) -> Any:
        traces = _stack.traces
        if not traces:
            _stack.quiet = np.errstate(all="ignore")
            _stack.quiet.__enter__()
            for begin in _at_first:
                begin()
        attention.count += 1
        self.level = traces[-1].level + 1 if traces else 1
        self.alive = True
        traces.append(self)
        if self.stages_effects:
            _stack.staging.append(self)
        if self.guarded:
            _stack.guarded.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        self.alive = False
        attention.count -= 1
        _stack.traces.remove(self)
        if self.stages_effects:
            _stack.staging.remove(self)
        if self.guarded:
            _stack.guarded.remove(self)
        if not _stack.traces:
            for end in _at_last:
                end()
            _stack.quiet.__exit__()

    def adopt(self, tracer: Tracer) -> None:
        """Note that a handle stands for a value of this trace from now on."""

    def process(self, primitive: Primitive, args: tuple, params: dict) -> Any:
        """Apply a primitive to arguments at least one of which is a tracer of this trace."""
        raise NotImplementedError

    def tie(self) -> None:
        """Note that Python saw a number of an enclosing trace's: what is made is good once."""


def active_traces() -> list[Trace]:
    """The traces of this thread, outermost first."""
    return _stack.traces


def any_staging() -> bool:
    """Whether a program is being staged in this thread."""
    return bool(_stack.staging)


def innermost_staging() -> Any:
    """The innermost trace that stages effects of operations without traced inputs, or None."""
    return _stack.staging[-1] if _stack.staging else None


def innermost_guarded() -> Trace | None:
    """The innermost of this thread's traces that are ``guarded``, or None."""
    return _stack.guarded[-1] if _stack.guarded else None


def tie_within(owner: Trace) -> None:
    """Tell the traces within another that Python saw a number of that one's."""
    for trace in reversed(_stack.traces):
        if trace.level <= owner.level:
            break
        trace.tie()


@contextmanager
def suspended(trace: Trace) -> Iterator[None]:
    """Step out of a trace, and of those within it, for the length of a block: what runs there runs
    as if called from outside."""
    traces, quiet = _stack.traces, _stack.quiet
    at = traces.index(trace)
    held = traces[at:]
    staging = [t for t in held if t.stages_effects]
    guarded = [t for t in held if t.guarded]
    del traces[at:]
    del _stack.staging[len(_stack.staging) - len(staging) :]
    del _stack.guarded[len(_stack.guarded) - len(guarded) :]
    attention.count -= len(held)
    try:
        yield
    finally:
        traces.extend(held)
        _stack.staging.extend(staging)
        _stack.guarded.extend(guarded)
        attention.count += len(held)
        _stack.quiet = quiet


def axis_sizes() -> tuple[tuple[Any, int], ...]:
    """The named axes that are being mapped, outermost first, as (name, size)."""
    return tuple(
        (t.axis_name, t.axis_size)  # type: ignore[misc]
        for t in _stack.traces
        if t.axis_name is not None
    )


class TakenUnasked(str):
    """What was asked by compiled code that was given a traced value, and goes on with its number;
    ``float(x)`` and the like are asked for by the user."""


class Tracer:
    """Stands for an array inside a traced function and behaves like one.

    The arithmetic operators, indexing and array methods are put on by the NumPy layer
    (``autotrace.numpy``), which knows the primitives; this class knows only how to answer what
    Python and NumPy ask of any array.

    A tracer is the user's handle on a value: assignment makes it stand for another one, which may
    belong to another trace (``become``). So all kinds have the same slots, for which subclasses
    have names of their own, and nothing but the user's code keeps a handle: a trace that keeps a
    value of another trace keeps what ``captured`` gives.
    """

    __slots__ = ("__weakref__", "_beside", "_carried", "_noted", "_snapshot", "owner", "place")

    #: The one, two or three things that a kind of tracer carries.
    _carried: Any
    _beside: Any
    _noted: Any
    #: What ``captured`` gave since the last assignment; None in what it gave. Not set at first.
    _snapshot: Any
    #: Of which other handles this one is a view, and which are its views; belongs to the NumPy
    #: layer. Not set where nothing is known.
    place: Any
    #: The trace that it belongs to.
    owner: Any
    # Above ndarray's 0 and np.matrix's 10, so that NumPy's operators defer to ours.
    __array_priority__ = 1000.0
    __hash__ = None  # type: ignore[assignment]  # elementwise __eq__, as ndarray

    def twin(self) -> Tracer:
        """Another handle on the same value, of which nobody else knows."""
        twin: Tracer = object.__new__(type(self))
        twin.owner = self.owner
        twin._carried = self._carried
        twin._noted = self._noted
        if hasattr(self, "_beside"):
            twin._beside = self._beside
        self.owner.adopt(twin)
        return twin

    def become(self, other: Tracer) -> None:
        """Stand for what another tracer stands for."""
        self.__class__ = other.__class__
        for name in ("owner", "_carried", "_beside", "_noted"):
            if hasattr(other, name):
                setattr(self, name, getattr(other, name))
        if hasattr(self, "_snapshot"):
            del self._snapshot
        self.owner.adopt(self)

    def captured(self) -> Any:
        """What another trace, or a program, may keep of this value: a tracer that assignment to
        this handle does not change, the same one until then."""
        snapshot = getattr(self, "_snapshot", self)
        if snapshot is None:
            return self
        if snapshot is self:
            snapshot = self._snapshot = self.twin()
            snapshot._snapshot = None
        return snapshot

    @property
    def aval(self) -> ShapedArray:
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> np.dtype:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return len(self.aval.shape)

    @property
    def size(self) -> int:
        return self.aval.size

    @property
    def itemsize(self) -> int:
        return self.aval.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.aval.size * self.aval.dtype.itemsize

    @property
    def weak_type(self) -> bool:
        return self.aval.weak_type

    def weaken(self) -> Any:
        """Mark this fresh value as standing for a Python scalar, and return it."""
        raise NotImplementedError

    def concrete(self, asked: str, kind: Callable[[Any], Any] | None = None) -> Any:
        """The number itself, where this trace runs on numbers; else an error for the user.

        Args:
          asked: what Python asked for, such as ``bool()``.
          kind: all that is wanted of the number, such as ``bool``: a program that depends on the
            answer depends on that only. None: everything.

        Returns:
          The number, as ``kind`` makes it where that is given.
        """
        raise NotImplementedError

    def __bool__(self) -> bool:
        return self.concrete("bool() (an if, while, and, or, not, assert)", bool)

    def __int__(self) -> int:
        return self.concrete("int()", int)

    def __floor__(self) -> int:
        return self.concrete("math.floor()", math.floor)

    def __ceil__(self) -> int:
        return self.concrete("math.ceil()", math.ceil)

    def __trunc__(self) -> int:
        return self.concrete("math.trunc()", math.trunc)

    def __float__(self) -> float:
        return float(self.concrete(self._converted("float()", sys._getframe(1))))

    def __complex__(self) -> complex:
        return complex(self.concrete(self._converted("complex()", sys._getframe(1))))

    def _converted(self, asked: str, frame: FrameType) -> str:
        """What a frame asks for that has the number taken.

        Raises:
          TracerArrayError: for an assignment ``y[i] = x`` into an ordinary array, which would lose
            the derivative.
        """
        if frame.f_code.co_code[frame.f_lasti] in _STORES:
            self.__array__()
        by = taker(frame)
        return asked if by is None else TakenUnasked(f"{asked} by {by}")

    def __index__(self) -> int:
        if self.aval.dtype.kind not in "iu" or self.aval.shape:
            raise TypeError(
                located(f"only integer scalars can be used as an index or a count, got {self.aval}")
            )
        return self.concrete("an index or a count (range(), a list's or a slice's index)", int)

    def item(self, *args: Any) -> Any:
        """The number as a Python scalar, where it is known (see ``float``)."""
        return np.asarray(self.concrete(".item()")).item(*args)

    def tolist(self) -> Any:
        """The numbers as nested lists, where they are known (see ``float``)."""
        return np.asarray(self.concrete(".tolist()")).tolist()

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        if asked_by("scipy.sparse", "_matmul_dispatch"):
            # So a sparse array asks what it multiplies whether it is an array; by an object it is
            # told that it is not, and leaves the product to __rmatmul__.
            unknown = np.empty((), object)
            unknown[()] = self
            return unknown
        if is_testing():
            return np.asarray(self.concrete("a comparison by numpy.testing"), *args, **kwargs)
        raise TracerArrayError(_no_array(f"{self.aval} under {self.owner.transform}"))

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        return self.concrete("format()", lambda number: format(number, spec))

    def __reduce__(self) -> Any:
        raise TypeError(located("a traced value cannot be pickled or copied to another process"))

    def __copy__(self) -> Tracer:
        return self.twin()

    def __deepcopy__(self, memo: dict) -> Tracer:
        return self.twin()

    def __repr__(self) -> str:
        return f"Traced<{self.aval}> under {self.owner.transform}"


def slot(name: str) -> MemberDescriptorType:
    """One of the slots that all tracers have, for a subclass to give it a name of its own."""
    descriptor: MemberDescriptorType = Tracer.__dict__[name]
    return descriptor


def _no_array(value: str) -> str:
    """The message for a traced value that is asked for as an ordinary array."""
    scipys = call_from_outside("scipy")
    if scipys is not None:
        module, called, place = scipys
        return located(
            f"SciPy's {called} ({module}) got a traced value of {value}, and asks no one how to "
            "compute with it",
            f"What to do: call the function of the same name in autotrace.{module}, as far as it "
            "is there; it takes\nordinary arrays too. For code that cannot be traced, use "
            "autotrace.pure_callback.",
            place,
        )
    here = user_location()
    if here is not None and is_subscript(here):
        return located(
            f"an ordinary array cannot be read at the places of a traced value of {value}",
            "What to do: for x[i] of an array x from outside write np.take(x, i), or np.array(x)[i]"
            "\nwith np.array called in the traced function; or pass x as an argument.",
            here,
        )
    *owner, name = called_at(here) if here is not None else ("",)
    if owner[-1:] in (["np"], ["numpy"]):
        if isinstance(getattr(np, name, None), np.ufunc):
            return located(
                f"numpy.{name} got a list that holds a traced value of {value}",
                f"What to do: make the list an array, np.{name}(np.array([...])), or call "
                f"autotrace.numpy.{name}.",
                here,
            )
    elif owner and hasattr(np.ndarray, name) and hasattr(np, name):
        return located(
            f"the method {name} of an ordinary array got a traced value of {value}, and asks no "
            "one how to compute with it",
            f"What to do: write np.{name}(x, ...) for x.{name}(...), called as an attribute of "
            "numpy or autotrace.numpy;\nor pass x as an argument.",
            here,
        )
    return located(
        f"NumPy tried to turn a traced value of {value} into an ordinary array, or to put it into "
        "one",
        "What to do: an array to assign into must be made in the traced function, by "
        "np.zeros(...), np.zeros_like(x), np.array(y)\nor np.copy(y), called as attributes "
        "of numpy or autotrace.numpy and not in an installed library; build others with\n"
        "np.stack or autotrace.numpy.array. Random numbers of traced parameters come from "
        "autotrace.random.\nFor code that cannot be traced, use autotrace.pure_callback.",
    )


#: The instructions that an assignment to an element or a slice ends with.
_STORES = frozenset(opmap[name] for name in ("STORE_SUBSCR", "STORE_SLICE") if name in opmap)


def from_outside(x: Any) -> Any:
    """A value that is not of a trace's own, as that trace keeps it.

    Raises:
      LeakedTracerError: for a tracer whose trace has ended.
    """
    if isinstance(x, Tracer):
        if not x.owner.alive:
            raise leaked(x.owner)
        return x.captured()
    return x


def get_aval(x: Any) -> ShapedArray:
    """The aval of a tracer or of a concrete value.

    Raises:
      TypeError: for what is not an array or a number.
    """
    return x.aval if isinstance(x, Tracer) else aval_of(x)


def concretization_error(tracer: Tracer, asked: str, why: str, remedy: str) -> ConcretizationError:
    """The error for a question about the number that a trace cannot answer."""
    return ConcretizationError(
        located(f"{asked} of a traced value of {tracer.aval}: {why}", remedy)
    )


def leaked(trace: Trace) -> LeakedTracerError:
    """The error for a tracer that is used after its trace has ended."""
    return LeakedTracerError(
        located(
            f"a value traced under {trace.transform} is used after that function has returned",
            "It was stored somewhere outside (a global, an attribute, a list, a closure, an array "
            "from outside that was assigned to) while the function was traced.\n"
            "What to do: return it from the function instead.",
        )
    )
