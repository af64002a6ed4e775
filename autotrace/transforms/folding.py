"""Telling that Python is where it was: what lets the turns of a loop be one node of a graph.

A question in a loop may come back with everything as it was the turn before, but for the numbers.
Then the function goes on as it did then, and the question is the same node. That has to be proven:
the frames between ``jit`` and the question must be the same activation, at the same instruction,
with equal variables. Numbers and texts are compared by value; containers and objects by what is in
them, aliases and all; arrays by their content; functions by identity and what they close over;
traced values by their place in the state. Anything else, an iterator for one, is no proof. What a
frame holds beside its variables (the operands of an expression, the iterator of a ``for``) cannot
be seen, so the instruction must be one at which there is nothing but the value asked for.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.source import is_internal, variables_of

#: How many values are looked at before a proof is given up.
_MOST_VALUES = 1000
_FUNCTION = inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS
_SUSPENDED = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_PLAIN = (bool, int, str, bytes, type(None), type(Ellipsis), type(NotImplemented))
_FIXED = (type, types.ModuleType, np.ufunc, np.dtype)


class _Object:
    """How large an object is that has a ``__dict__`` and nothing else."""


class NoProofError(Exception):
    """Something cannot be compared."""


#: Instead of its name, for a comparison that asks for the truth of its result itself; its operands
#: are gone from the stack by then.
_TESTED = "COMPARE_OP and TO_BOOL"


def _compares_and_tests(instruction: dis.Instruction) -> bool:
    """As Python 3.13 has it where a comparison is all that is tested."""
    new = sys.version_info >= (3, 13) and instruction.opname == "COMPARE_OP"
    return new and bool((instruction.arg or 0) & 16)


@functools.cache
def _depths(code: types.CodeType) -> dict[int, tuple[str, int]]:
    """For each instruction that is reached without an exception, its name, and how much is on the
    stack before it."""
    instructions = list(dis.get_instructions(code))
    at = {instruction.offset: n for n, instruction in enumerate(instructions)}
    depths: dict[int, tuple[str, int]] = {}
    waiting = [(0, 0)]
    while waiting:
        n, depth = waiting.pop()
        if n >= len(instructions) or instructions[n].offset in depths:
            continue
        one = instructions[n]
        depths[one.offset] = (_TESTED if _compares_and_tests(one) else one.opname, depth)
        argument = one.arg if one.opcode >= dis.HAVE_ARGUMENT else None
        name = one.opname
        if one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
            effect = dis.stack_effect(one.opcode, argument, jump=True)
            waiting.append((at[one.argval], depth + effect))
            if name.startswith(("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_ABSOLUTE")):
                continue
        if not name.startswith(("RETURN", "RAISE", "RERAISE")) or name == "RETURN_GENERATOR":
            effect = dis.stack_effect(one.opcode, argument, jump=False)
            waiting.append((n + 1, depth + effect))
    return depths


@functools.cache
def _loops(code: types.CodeType) -> list[tuple[int, int]]:
    """The first and the last instruction of each loop."""
    return [
        (one.argval, one.offset)
        for one in dis.get_instructions(code)
        if (one.opcode in dis.hasjrel or one.opcode in dis.hasjabs) and one.argval <= one.offset
    ]


def is_bare(frame: types.FrameType) -> bool:
    """Whether a frame is within a loop at a test of a value, with nothing else on its stack, and
    cannot be resumed by another caller."""
    code, at = frame.f_code, frame.f_lasti
    if code.co_flags & _FUNCTION != _FUNCTION or code.co_flags & _SUSPENDED:
        return False
    if not any(first <= at <= last for first, last in _loops(code)):
        return False
    name, depth = _depths(code).get(at, ("", 0))
    if name == _TESTED:
        return depth == 2
    return depth == 1 and name.startswith(("POP_JUMP", "TO_BOOL"))


def active_frames(innermost: types.FrameType) -> set[int]:
    """The identities of the frames that are running."""
    found = set()
    at: types.FrameType | None = innermost
    while at is not None:
        found.add(id(at))
        at = at.f_back
    return found


def form_of_array(value: Any) -> Any:
    """An array or a number by its content; raises ``NoProofError`` where that is objects."""
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise NoProofError
    content = hashlib.blake2b(array.tobytes(), digest_size=16).digest()
    return (array.shape, array.dtype, array.strides, content)


class Form:
    """What the frames from a question out to ``jit`` look like; equal forms, equal futures.

    Args:
      frame: that of the question.
      entry: the identity of the frame that began the trace.
      traced: the form of a traced value; raises ``NoProofError`` for one without.

    Raises:
      NoProofError: where something cannot be compared.
    """

    def __init__(self, frame: types.FrameType, entry: int, traced: Callable[[Any], Any]):
        self._traced = traced
        self._met: dict[int, int] = {}
        parts: list[Any] = []
        at: types.FrameType | None = frame
        while at is not None and id(at) != entry:
            if not is_internal(at.f_code.co_filename):
                if at.f_code.co_flags & _FUNCTION != _FUNCTION:
                    raise NoProofError
                variables = variables_of(at)
                parts.append(
                    (at.f_code, at.f_lasti, [(k, self.of(v)) for k, v in sorted(variables.items())])
                )
            at = at.f_back
        if at is None:
            raise NoProofError
        self.parts = parts
        del self._traced, self._met  # they hold traced values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and self.parts == other.parts

    __hash__ = None  # type: ignore[assignment]

    def of(self, value: Any) -> Any:
        """The form of one value."""
        kind = type(value)
        if kind in _PLAIN:
            return (kind, value)
        if kind in (float, complex) or isinstance(value, np.generic):
            return (kind, np.asarray(value).tobytes())
        if isinstance(value, _FIXED):
            return (kind, id(value))
        if kind is types.BuiltinFunctionType and (
            value.__self__ is None or isinstance(value.__self__, types.ModuleType)
        ):
            return (kind, id(value))
        if id(value) in self._met:
            return ("again", self._met[id(value)])
        if len(self._met) >= _MOST_VALUES:
            raise NoProofError
        self._met[id(value)] = len(self._met)
        return (kind, self._inside(kind, value))

    def _inside(self, kind: type, value: Any) -> Any:
        if kind in (tuple, list):
            return [self.of(v) for v in value]
        if kind is dict:
            return [(self.of(k), self.of(v)) for k, v in value.items()]
        if kind is np.ndarray:
            return form_of_array(value)
        if kind is types.FunctionType:
            return (value.__code__, id(value.__globals__), self._closure(value))
        if kind is types.MethodType:
            return [self.of(value.__func__), self.of(value.__self__)]
        if kind is functools.partial:
            return [self.of(value.func), self.of(value.args), self.of(value.keywords)]
        if "numpy.random" in sys.modules and isinstance(
            value, np.random.Generator | np.random.RandomState
        ):
            # A stand-in, whose draws are equations. Of others the state would count.
            drawn_from = getattr(value, "__wrapped__", None)
            if drawn_from is None:
                raise NoProofError
            return id(drawn_from)
        if kind.__module__.startswith("autotrace."):
            wrapped = getattr(value, "__wrapped__", None)
            if wrapped is None:
                return self._traced(value)
            made = getattr(value, "_call", None)  # what it does; else it is known by identity
            return (id(value) if made is None else self.of(made), self.of(wrapped))
        return (id(kind), self._attributes(kind, value))

    def _closure(self, function: types.FunctionType) -> Any:
        """What a function holds: its cells, defaults and attributes."""
        cells = []
        for cell in function.__closure__ or ():
            try:
                cells.append(self.of(cell.cell_contents))
            except ValueError:  # still empty
                cells.append(None)
        held = (function.__defaults__, function.__kwdefaults__)
        attributes = {k: v for k, v in vars(function).items() if k != "__wrapped__"}
        wrapped = self.of(getattr(function, "__wrapped__", None))
        return (cells, [self.of(x) for x in held], self.of(attributes), wrapped)

    def _attributes(self, kind: type, value: Any) -> Any:
        """An object of a class written in Python, all of whose state is in its ``__dict__``."""
        for base in kind.__mro__[:-1]:
            heap = base.__flags__ & (1 << 9)  # Py_TPFLAGS_HEAPTYPE
            slots = [s for s in base.__dict__.get("__slots__", ()) if s != "__weakref__"]
            if not heap or slots:
                raise NoProofError
        if kind.__basicsize__ > _Object.__basicsize__ or not hasattr(value, "__dict__"):
            raise NoProofError
        return self.of(vars(value))
