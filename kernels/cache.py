"""Kernels on disk: a second process compiles nothing.

A kernel's source is written to a file named by the hash of its text and of everything else that
its machine code depends on: this package's sources and the versions of what compiles them. Numba's
own cache, which is made for functions in files, does the rest: it keys on the processor, writes
atomically, and loads a kernel in 2 ms where compiling takes 40 to 200.

Files lie in ``AUTOTRACE_CACHE_DIR``, by default ``autotrace`` in the user's cache folder; an empty
value switches the cache off. Whatever goes wrong with them, the kernel is compiled without.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np

#: The folder is cut back to half of this when it is found larger, the longest unused files first.
_MOST_BYTES = 256 * 1024 * 1024


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
        _cut_back(folder)
    except OSError:
        return None
    return folder


def _cut_back(folder: Path) -> None:
    files = [(f.stat(), f) for f in folder.rglob("*") if f.is_file()]
    size = sum(stat.st_size for stat, _ in files)
    if size <= _MOST_BYTES:
        return
    for stat, file in sorted(files, key=lambda pair: pair[0].st_mtime):
        with contextlib.suppress(OSError):  # another process may have removed it
            file.unlink()
        size -= stat.st_size
        if size <= _MOST_BYTES // 2:
            return


@functools.cache
def _fingerprint() -> bytes:
    """What machine code depends on beside the kernel's own source and the processor."""
    digest = hashlib.sha256()
    for name in (numba.__version__, llvmlite.__version__, np.__version__):
        digest.update(name.encode())
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.digest()


def _write(path: Path, text: str) -> None:
    """Write a file so that no other process ever sees a part of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def cached(source: str, compile_file: Callable[[str, bool], Any]) -> Any:
    """Compile a source, or load what it was compiled to before.

    Args:
      source: the text.
      compile_file: ``(file name, whether to cache)``, compiles the source under a file name.
    """
    folder = directory()
    if folder is None:
        return compile_file("<kernel>", False)
    name = hashlib.sha256(source.encode() + _fingerprint()).hexdigest()[:40]
    path = folder / f"{name}.py"
    try:
        if not path.exists() or path.read_text(encoding="utf-8") != source:
            _write(path, source)
        return compile_file(str(path), True)
    except Exception:
        # Numba reads its files with pickle, which raises anything for a damaged one. A fault of
        # the source itself is raised again below.
        for file in (path, *folder.glob(f"__pycache__/{name}.*")):
            with contextlib.suppress(OSError):
                file.unlink()
        return compile_file("<kernel>", False)
