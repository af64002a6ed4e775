"""Where in the user's code an operation was asked for.

A ``Location`` is taken at every recorded equation, so taking one must be cheap: it keeps the code
object and the instruction offset, and the line number is worked out only when somebody reads it.
"""

from __future__ import annotations

import builtins
import dis
import linecache
import os
import sys
import threading
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple, cast

import numpy

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The library's own folders and NumPy's: a frame in one of them is never "the user's line". The
# kernels' folder lies beside the package in a source tree and below it in a wheel.
_INTERNAL_PREFIXES = tuple(
    folder + os.sep
    for folder in (
        _PACKAGE,
        os.path.join(os.path.dirname(_PACKAGE), "kernels"),
        os.path.dirname(os.path.abspath(numpy.__file__)),
    )
)
_INTERNAL_NAMES = tuple(
    os.path.join(os.path.dirname(os.__file__), name)
    for name in ("functools.py", "contextlib.py", "_collections_abc.py")
)
# Keyed by file name: a str caches its hash, a code object computes it anew each time.
_is_internal: dict[str, bool] = {}


#: The file name of generated code. Its globals have ``locations``: by line, what it was made from.
GENERATED = "<jaxpr as NumPy calls>"


class Location(NamedTuple):
    """A place in the user's code: a code object and an instruction offset in it."""

    code: CodeType
    offset: int

    @property
    def filename(self) -> str:
        return self.code.co_filename

    @property
    def lineno(self) -> int:
        for start, end, line in self.code.co_lines():
            if start <= self.offset < end and line is not None:
                return line
        return self.code.co_firstlineno

    @property
    def text(self) -> str:
        """The source line, stripped, or an empty string where it cannot be read."""
        return linecache.getline(self.filename, self.lineno).strip()

    def __str__(self) -> str:
        return f"{self.filename}:{self.lineno} ({self.code.co_name})"

    def __reduce__(self) -> tuple:  # a code object cannot be pickled
        return (_restored, (self.filename, self.lineno, self.code.co_name))


class _Named(NamedTuple):
    """What is left of a code object in another process: it has one line."""

    co_filename: str
    co_firstlineno: int
    co_name: str

    def co_lines(self) -> tuple:
        return ()


def _restored(filename: str, lineno: int, name: str) -> Location:
    return Location(cast(CodeType, _Named(filename, lineno, name)), 0)


def is_internal(filename: str) -> bool:
    """Whether code is this library's or NumPy's."""
    internal = filename.startswith(_INTERNAL_PREFIXES) or filename in (*_INTERNAL_NAMES, GENERATED)
    _is_internal[filename] = internal
    return internal


class _Current(threading.local):
    #: Set while a jaxpr is being interpreted: the place its present equation came from.
    location: Location | None = None


current = _Current()


def user_location() -> Location | None:
    """The place of the equation being interpreted, else the innermost frame that is neither this
    library's nor NumPy's; None when there is none."""
    if current.location is not None:
        return current.location
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename == GENERATED:
            location = frame.f_globals["locations"].get(frame.f_lineno)
            if location is not None:
                return location
        internal = _is_internal.get(code.co_filename)
        if internal is None:
            internal = is_internal(code.co_filename)
        if not internal:
            return Location(code, frame.f_lasti)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _callee(code: CodeType, offset: int) -> tuple[str, str] | None:
    first_line, last_line, first, last = list(code.co_positions())[offset // 2]
    if last_line is None or last is None:
        return None
    names = sorted(
        ((p.end_lineno, p.end_col_offset), step.argval)
        for step in dis.get_instructions(code)
        if (p := step.positions) is not None
        and step.opname.startswith("LOAD")
        and isinstance(step.argval, str)
        and step.argrepr != repr(step.argval)  # a constant
        and (p.lineno, p.col_offset) == (first_line, first)
        and p.end_lineno is not None
        and p.end_col_offset is not None
        and (p.end_lineno, p.end_col_offset) < (last_line, last)
    )
    found = [name for _, name in names]
    return (found[-1], found[-2] if len(found) > 1 else "") if found else None


#: By a code object's id and an instruction: the code, to keep it, and what is called there.
_calls: dict[tuple[int, int], tuple[CodeType, tuple[str, str] | None]] = {}
_CALLS_LIMIT = 4096


def callee_at(code: CodeType, offset: int) -> tuple[str, str] | None:
    """What the call at an instruction calls, by name, and the name of what it takes that from,
    empty where it is a name alone.

    It is the name or attribute whose place in the source begins where the call's does, and ends
    last of these before the call does. None where the code does not say.
    """
    known = _calls.get((id(code), offset))
    if known is None:
        if len(_calls) >= _CALLS_LIMIT:
            _calls.clear()
        known = _calls[id(code), offset] = (code, _callee(code, offset))
    return known[1]


def _variable(frame: FrameType, name: str) -> Any:
    code = frame.f_code
    if name in code.co_varnames or name in code.co_freevars or name in code.co_cellvars:
        return frame.f_locals.get(name)
    return frame.f_globals.get(name, getattr(builtins, name, None))


def called_function(frame: FrameType) -> Any:
    """The function that a frame is calling by a name or as a module's attribute, if it says so."""
    callee = callee_at(frame.f_code, frame.f_lasti)
    if callee is None:
        return None
    name, owner = callee
    if not owner:
        return _variable(frame, name)
    holder = _variable(frame, owner)
    # Attributes of other objects may be computed; this library's own are not.
    if isinstance(holder, ModuleType) or is_internal(frame.f_code.co_filename):
        return getattr(holder, name, None)
    return None


def describe(location: Location | None) -> str:
    """One or two lines for an error message: the place, and the source line where readable."""
    if location is None:
        return "  at an unknown place"
    text = location.text
    return f"  at {location}" + (f"\n    {text}" if text else "")
