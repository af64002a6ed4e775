"""Where in the user's code an operation was asked for.

A ``Location`` is taken at every recorded equation, so taking one must be cheap: it keeps the code
object and the instruction offset, and the line number is worked out only when somebody reads it.
"""

from __future__ import annotations

import ast
import contextlib
import linecache
import os
import sys
import threading
from types import CodeType
from typing import NamedTuple, cast

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

    @property
    def expression(self) -> str:
        """The part of the source that is being evaluated, where it is within one line that can be
        read; else an empty string."""
        first, last, start, stop = list(self.code.co_positions())[self.offset // 2]
        if first is None or first != last or start is None or stop is None:
            return ""
        line = linecache.getline(self.filename, first).encode()
        return line[start:stop].decode(errors="replace")

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
    location = Location(frame.f_code, frame.f_lasti)
    return module or package, _called(location) or inner.f_code.co_name, location


def _called(location: Location) -> str:
    """What a call at a place calls, as the source has it, where that can be read."""
    with contextlib.suppress(SyntaxError):
        call = ast.parse(location.expression, mode="eval").body
        return ast.unparse(call.func) if isinstance(call, ast.Call) else ""
    return ""


def describe(location: Location | None) -> str:
    """One or two lines for an error message: the place, and the source line where readable."""
    if location is None:
        return "  at an unknown place"
    text = location.text
    return f"  at {location}" + (f"\n    {text}" if text else "")
