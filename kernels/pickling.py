"""Machine code in a pickle: a program that comes out of one needs no compiler.

A pickled program carries its jaxpr and the machine code of each of its functions, under the name
that the function has in the cache on disk. The name depends on all that the code depends on
(the function's source, this package's, LLVM's version, the processor), so code is taken where its
name is still right, and anything else is compiled from the jaxpr as usual. The cache plays no part
in it: it may be empty, or off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from . import build, runtime, team
from .build import Source
from .llvm import cache, engine


class Piece(NamedTuple):
    """A function and its machine code."""

    source: Source
    name: str
    code: bytes


#: The code of functions that came in pickles, by name: they may go out again.
_adopted: dict[str, bytes] = {}


def pieces(sources: Iterable[Source]) -> list[Piece]:
    """The machine code of functions, and of those that call any program."""
    runtime.entry()
    shared = [s for s in list(build._addresses) if s.text in (runtime._CALL, team._WORKER)]
    return [_piece(source) for source in dict.fromkeys([*sources, *shared])]


def _piece(source: Source) -> Piece:
    name = build.name_of(source)
    code = _adopted.get(name) or cache.read(name)
    if code is None:
        code = build.machine_code(source, name)
    return Piece(source, name, code)


def adopt(given: Sequence[Piece]) -> None:
    """Load machine code that comes out of a pickle, where it is right for this process."""
    with build._lock:
        for source, name, code in given:
            if source in build._addresses or name != build.name_of(source):
                continue
            try:
                build._addresses[source] = engine.load(code, name)
            except RuntimeError:
                continue
            _adopted[name] = code
            build._counts["loaded"] += 1
