"""Tracers and traces: how an operation finds out which transform is watching.

Each transform that runs a Python function makes a *trace* and wraps the function's inputs in
*tracers* that belong to it. Traces nest; each has a level, higher the further in. A primitive that
is applied to tracers is handed to the trace with the highest level among them, which does its work
by applying primitives to what its tracers carry: values of lower levels. So transforms compose
with no transform knowing of another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .avals import ShapedArray, aval_of
from .config import attention
from .errors import (
    ConcretizationError,
    LeakedTracerError,
    TracerArrayError,
    located,
)

if TYPE_CHECKING:
    from .primitive import Primitive


class _Stack(threading.local):
    def __init__(self) -> None:
        self.traces: list[Trace] = []
        self.guarded = 0
        self.quiet: Any = None


_stack = _Stack()


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
        attention.count += 1
        self.level = traces[-1].level + 1 if traces else 1
        self.alive = True
        traces.append(self)
        if self.guarded:
            _stack.guarded += 1
        return self

    def __exit__(self, *_: Any) -> None:
        self.alive = False
        attention.count -= 1
        _stack.traces.remove(self)
        if self.guarded:
            _stack.guarded -= 1
        if not _stack.traces:
            _stack.quiet.__exit__()

    def process(self, primitive: Primitive, args: tuple, params: dict) -> Any:
        """Apply a primitive to arguments at least one of which is a tracer of this trace."""
        raise NotImplementedError

    def tie(self) -> None:
        """Note that Python saw a number of an enclosing trace's: what is made is good once."""


def active_traces() -> list[Trace]:
    """The traces of this thread, outermost first."""
    return _stack.traces


def innermost_guarded() -> Trace | None:
    """The innermost of this thread's traces that are ``guarded``, or None."""
    if not _stack.guarded:
        return None
    return next((t for t in reversed(_stack.traces) if t.guarded), None)


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
    guarded = sum(t.guarded for t in held)
    del traces[at:]
    attention.count -= len(held)
    _stack.guarded -= guarded
    try:
        yield
    finally:
        traces.extend(held)
        attention.count += len(held)
        _stack.guarded += guarded
        _stack.quiet = quiet


def axis_sizes() -> tuple[tuple[Any, int], ...]:
    """The named axes that are being mapped, outermost first, as (name, size)."""
    return tuple(
        (t.axis_name, t.axis_size)  # type: ignore[misc]
        for t in _stack.traces
        if t.axis_name is not None
    )


class Tracer:
    """Stands for an array inside a traced function and behaves like one.

    The arithmetic operators, indexing and array methods are put on by the NumPy layer
    (``autotrace.numpy``), which knows the primitives; this class knows only how to answer what
    Python and NumPy ask of any array.
    """

    __slots__ = ("__weakref__", "owner")

    #: The trace that it belongs to.
    owner: Any
    # Above ndarray's 0 and np.matrix's 10, so that NumPy's operators defer to ours.
    __array_priority__ = 1000.0
    __hash__ = None  # type: ignore[assignment]  # elementwise __eq__, as ndarray

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

    def __float__(self) -> float:
        return float(self.concrete("float()"))

    def __complex__(self) -> complex:
        return complex(self.concrete("complex()"))

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

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TracerArrayError(
            located(
                f"NumPy tried to turn a traced value of {self.aval} under {self.owner.transform} "
                "into an ordinary array",
                "What to do: build arrays with autotrace.numpy.array or np.stack instead of "
                "np.array or np.asarray; assign into arrays with x.at[i].set(v); for code that "
                "cannot be traced, use autotrace.pure_callback.",
            )
        )

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        return self.concrete("format()", lambda number: format(number, spec))

    def __reduce__(self) -> NoReturn:
        raise TypeError(located("a traced value cannot be pickled or copied to another process"))

    def __copy__(self) -> Tracer:
        return self

    def __deepcopy__(self, memo: dict) -> Tracer:
        return self

    def __repr__(self) -> str:
        return f"Traced<{self.aval}> under {self.owner.transform}"


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
            "It was stored somewhere outside (a global, an attribute, a list, a closure) while "
            "the function was traced.\nWhat to do: return it from the function instead.",
        )
    )
