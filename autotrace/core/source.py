"""Where in the user's code an operation was asked for.

A ``Location`` is taken at every recorded equation, so taking one must be cheap: it keeps the code
object and the instruction offset, and the line number is worked out only when somebody reads it.
"""

from __future__ import annotations

import builtins
import dis
import importlib.util
import linecache
import os
import sys
import threading
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any, NamedTuple, cast

import numpy

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The library's own folders and NumPy's. The kernels' folder lies beside the package in a source
# tree and below it in a wheel.
_OWN = (_PACKAGE + os.sep, os.path.join(os.path.dirname(_PACKAGE), "kernels") + os.sep)
_INTERNAL_PREFIXES = (*_OWN, os.path.dirname(os.path.abspath(numpy.__file__)) + os.sep)
_scipy = importlib.util.find_spec("scipy")  # not imported: that takes time
_SCIPY = tuple(folder + os.sep for folder in (_scipy and _scipy.submodule_search_locations) or ())
_INTERNAL_NAMES = tuple(
    os.path.join(os.path.dirname(os.__file__), name)
    for name in ("functools.py", "contextlib.py", "_collections_abc.py")
)
# Keyed by file name: a str caches its hash, a code object computes it anew each time.
_is_passed: dict[str, bool] = {}


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
    return filename.startswith(_INTERNAL_PREFIXES) or filename in (*_INTERNAL_NAMES, GENERATED)


def _pass(filename: str) -> bool:
    """Whether code is nothing that a user has written, though it may be what a user has called."""
    passed = _is_passed[filename] = is_internal(filename) or filename.startswith(_SCIPY)
    return passed


class _Current(threading.local):
    #: Set while a jaxpr is being interpreted: the place its present equation came from.
    location: Location | None = None


current = _Current()


def user_location() -> Location | None:
    """The place of the equation being interpreted, else the innermost frame that is neither this
    library's nor NumPy's or SciPy's; None when there is none."""
    if current.location is not None:
        return current.location
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename == GENERATED:
            location = frame.f_globals["locations"].get(frame.f_lineno)
            if location is not None:
                return location
        passed = _is_passed.get(code.co_filename)
        if passed is None:
            passed = _pass(code.co_filename)
        if not passed:
            return Location(code, frame.f_lasti)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def asked_by(package: str, function: str) -> bool:
    """Whether the innermost frame outside of this library is of a function of a package's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_internal(frame.f_code.co_filename):
        frame = frame.f_back
    return (
        frame is not None
        and frame.f_code.co_name == function
        and frame.f_globals.get("__package__") == package
    )


def is_testing() -> bool:
    """Whether the innermost frame outside of this library is of ``numpy.testing``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__", "").startswith("numpy.testing")


def call_from_outside(package: str) -> tuple[str, str, Location] | None:
    """The call of a package's that the innermost frames are in, where a user's code made it.

    Args:
      package: the name of a top-level package.

    Returns:
      The module that has what was called, as ``scipy.stats``; the call's function as the user's
      code has it, as ``norm.pdf``, or its name where the code cannot be read; and the call's place.
      None where the innermost frame outside of this library is not the package's.
    """
    frame = sys._getframe(1)
    inner = None
    module = ""
    while frame is not None:
        parts = (frame.f_globals.get("__package__") or "").split(".")
        if parts[0] == package:
            if len(parts) > 1 and not parts[1].startswith("_"):
                module = ".".join(parts[:2])
            inner = frame
        elif inner is None and not is_internal(frame.f_code.co_filename):
            return None
        elif inner is not None and not is_internal(frame.f_code.co_filename):
            break
        frame = frame.f_back  # type: ignore[assignment]
    if inner is None or frame is None:
        return None
    called = ".".join(callee_names(frame))
    return module or package, called or inner.f_code.co_name, Location(frame.f_code, frame.f_lasti)


def describe(location: Location | None) -> str:
    """One or two lines for an error message: the place, and the source line where readable."""
    if location is None:
        return "  at an unknown place"
    text = location.text
    return f"  at {location}" + (f"\n    {text}" if text else "")


# --- what a frame is calling ---------------------------------------------------------------------


def _callee(code: CodeType, offset: int) -> tuple[str, ...]:
    """The names in a call: those whose place in the source begins where the call's does, and ends
    before the call does."""
    first_line, last_line, first, last = list(code.co_positions())[offset // 2]
    if last_line is None or last is None:
        return ()
    # A set, since the test of a loop is compiled twice.
    names = sorted(
        {
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
        }
    )
    return tuple([name for _, name in names])


#: By a code object's id and an instruction: the code, to keep it, and what is called there.
_callees: dict[tuple[int, int], tuple[CodeType, tuple[str, ...]]] = {}
_CALLEES = 4096


def callee_names(frame: FrameType) -> tuple[str, ...]:
    """What the instruction that a frame is at calls, by name: ``("np", "zeros")``; empty where the
    code does not say."""
    code = frame.f_code
    key = (id(code), frame.f_lasti)
    known = _callees.get(key)
    if known is None:
        if len(_callees) >= _CALLEES:
            _callees.clear()
        known = _callees[key] = (code, _callee(code, frame.f_lasti))
    return known[1]


def _codes(*names: str) -> frozenset[int]:
    return frozenset(code for name, code in dis.opmap.items() if name.startswith(names))


_SUBSCRIPTS = _codes("BINARY_SUBSCR")


def is_subscript(location: Location) -> bool:
    """Whether a place is one that reads elements, ``x[i]``."""
    return location.code.co_code[location.offset] in _SUBSCRIPTS


def called_at(location: Location) -> tuple[str, ...]:
    """What a place calls, by name: ``("np", "zeros")``; empty where the code does not say."""
    return _callee(location.code, location.offset)


_CALLS = _codes("CALL", "PRECALL")
#: ``"%g" % x``.
_FORMATS = _codes("BINARY_OP")
#: The built-in functions that are called for the number, or its text.
_CONVERSIONS = (float, complex, int, bool, round, format, print, str, repr, divmod, pow, abs)


def taker(frame: FrameType) -> str | None:
    """What has a number taken that Python asks for at a frame's instruction: None where the code
    itself says so, as ``float(x)`` does; else the name of the compiled code that is called."""
    code = frame.f_code
    operation = code.co_code[frame.f_lasti]
    if operation in _FORMATS:
        return None
    called = _callee_object(frame) if operation in _CALLS else None
    if any(called is conversion for conversion in _CONVERSIONS):
        return None
    name = getattr(called, "__qualname__", None)
    if not isinstance(called, type | BuiltinFunctionType) or called.__module__ == "builtins":
        return "compiled code"  # such as that of ``map``
    return f"{called.__module__}.{name}"


def _callee_object(frame: FrameType) -> Any:
    """The object that a call calls, where it is a variable or an attribute of one; else None."""
    code = frame.f_code
    names = callee_names(frame)
    if not names:
        return None
    first = names[0]
    if first in code.co_varnames or first in code.co_cellvars or first in code.co_freevars:
        found = variables_of(frame).get(first)
    else:
        found = frame.f_globals.get(first, getattr(builtins, first, None))
    for name in names[1:]:
        found = getattr(found, name, None)
    return found


def variables_of(frame: FrameType) -> dict[str, Any]:
    """A function's variables."""
    found = frame.f_locals
    variables = dict(found)
    if type(found) is dict:
        # Python keeps this dictionary with the frame, and would keep the values alive.
        found.clear()
    return variables
