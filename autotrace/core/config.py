"""The settings. There are at most six, each a plain attribute of ``config``.

A setting has a value for the process (``config.update``), taken from the environment at import,
and may be overridden in one thread for the length of a ``with`` block (``config.override``).
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def _flag(name: str) -> bool:
    return os.environ.get(name, "0").lower() in ("1", "true", "yes", "on")


def _best_backend() -> str:
    found = all(importlib.util.find_spec(name) for name in ("numba", "llvmlite"))
    return "numba" if found else "numpy"


class _Attention(threading.local):
    count = 0


#: How many things are under way in this thread that make a call different from a plain one:
#: transforms and overridden settings. While there are none, calls may take shortcuts.
attention = _Attention()


class _Config(threading.local):
    """The settings, read as attributes, changed with ``update`` or, in a block, ``override``.

    Each has a value for the process, which the environment may give when the library is imported
    (``AUTOTRACE_BACKEND=numpy``), and may have another one in a thread.

    Attributes:
      debug_nans: raise ``NanError`` at the first operation that makes a NaN out of inputs that
        have none.
      check_jaxprs: type-check each jaxpr after each pass (on in the tests; costs time).
      jit_cache_size: how many signatures one jitted function keeps; the least recently used goes
        first.
      backend: what runs jitted functions that do not name a backend: ``"numpy"``, or ``"numba"``
        where that is installed.
      check_kernels: compare each compiled program's results with NumPy's at every call (slow).
      num_threads: how many threads compiled functions use for large work; 0 is one for each
        processor core.
    """

    # Class attributes hold the process's values, instance attributes a thread's overrides.
    debug_nans: bool = _flag("AUTOTRACE_DEBUG_NANS")
    check_jaxprs: bool = _flag("AUTOTRACE_CHECK_JAXPRS")
    jit_cache_size: int = int(os.environ.get("AUTOTRACE_JIT_CACHE_SIZE", "256"))
    backend: str = os.environ.get("AUTOTRACE_BACKEND") or _best_backend()
    check_kernels: bool = _flag("AUTOTRACE_CHECK_KERNELS")
    num_threads: int = int(os.environ.get("AUTOTRACE_NUM_THREADS", "0"))

    def update(self, name: str, value: Any) -> None:
        """Set a setting for the whole process."""
        self._check(name)
        self.__dict__.pop(name, None)
        setattr(type(self), name, value)
        for listener in _listeners:
            listener()

    @contextmanager
    def override(self, name: str, value: Any) -> Iterator[None]:
        """Set a setting for this thread, within a ``with`` block."""
        self._check(name)
        missing = object()
        before = self.__dict__.get(name, missing)
        setattr(self, name, value)
        attention.count += 1
        try:
            yield
        finally:
            attention.count -= 1
            if before is missing:
                del self.__dict__[name]
            else:
                setattr(self, name, before)

    def __repr__(self) -> str:
        values = (f"{name}={getattr(self, name)!r}" for name in self.__annotations__)
        return f"<autotrace.config: {', '.join(values)}>"

    def __reduce__(self) -> str:
        return "config"  # each process has its own

    @staticmethod
    def _check(name: str) -> None:
        if name not in _Config.__annotations__:
            known = ", ".join(_Config.__annotations__)
            raise AttributeError(f"autotrace.config has no setting {name!r}; it has: {known}")


config = _Config()
_listeners: list[Callable[[], None]] = []


def on_update(listener: Callable[[], None]) -> Callable[[], None]:
    """Have a function called after each change of a setting for the process; a decorator."""
    _listeners.append(listener)
    return listener
