"""Machine code on disk: a second process compiles nothing.

A file holds the object code of one function. It is named by the hash of everything that the code
depends on: the function's source, this package's own, LLVM's version and the processor. It starts
with a checksum, and is written so that no process ever sees a part of it.

Files lie in ``AUTOTRACE_CACHE_DIR``, by default ``autotrace`` in the user's cache folder; an empty
value switches the cache off. Whatever goes wrong with them, the code is compiled without.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
import time
from pathlib import Path

import llvmlite

from .engine import processor

#: The folder is cut back to half of this when it is found larger, the longest unused files first.
_MOST_BYTES = 256 * 1024 * 1024
#: How often that is looked at, in seconds. A look takes some 10 us a file, which is half a second
#: for a folder that is nearly full: too much for each process to begin with.
_LOOK_EVERY = 24 * 3600.0
_DIGEST = 32


@functools.cache
def directory() -> Path | None:
    """Where the files lie, None where there is no cache."""
    chosen = os.environ.get("AUTOTRACE_CACHE_DIR")
    if chosen == "":
        return None
    if chosen is None:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        chosen = os.path.join(base, "autotrace")
    folder = Path(chosen) / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _due(folder.with_name("looked-at")):
            _cut_back(folder)
    except OSError:
        return None
    return folder


def _due(stamp: Path) -> bool:
    """Whether no process has looked for a while; if so, the stamp says that this one does."""
    with contextlib.suppress(OSError):
        if abs(time.time() - stamp.stat().st_mtime) < _LOOK_EVERY:
            return False
    with contextlib.suppress(OSError):  # a folder may be there to be read only
        stamp.touch()
    return True


def _cut_back(folder: Path) -> None:
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # another process may have removed or renamed it
                if entry.is_file():
                    files.append((entry.stat(), entry.path))
    size = sum(stat.st_size for stat, _ in files)
    if size <= _MOST_BYTES:
        return
    for stat, file in sorted(files, key=lambda pair: pair[0].st_mtime):
        with contextlib.suppress(OSError):  # another process may have removed it
            os.unlink(file)
        size -= stat.st_size
        if size <= _MOST_BYTES // 2:
            return


@functools.cache
def _fingerprint() -> bytes:
    """What machine code depends on beside the function's own source."""
    digest = hashlib.sha256()
    digest.update(llvmlite.__version__.encode())
    digest.update(processor().encode())
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()


def name_of(source: str) -> str:
    """A name for what is compiled from a source, the same in every process."""
    return "k" + hashlib.sha256(source.encode() + _fingerprint()).hexdigest()[:40]


def read(name: str) -> bytes | None:
    """Machine code from disk, None where there is none that is whole."""
    folder = directory()
    if folder is None:
        return None
    try:
        content = (folder / name).read_bytes()
    except OSError:
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / name)  # what is used is cut back last
    code = content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == content[:_DIGEST] else None


def write(name: str, code: bytes) -> None:
    """Keep machine code; where that is not possible, do nothing."""
    folder = directory()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        handle, temporary = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(temporary, folder / name)
        except OSError:
            os.unlink(temporary)
            raise
