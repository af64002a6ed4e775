"""Keeping Python's cycle collector from going over a growing program again and again.

Tracing and simplifying make many small objects that all live on. The collector's default
threshold makes it look at them every 700 allocations: for a program of 10,000 equations that took
half the time and grew faster than the program. Within ``patient_collector`` it looks less often;
it is not switched off, since the traced function is the user's and may make garbage.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENT_THRESHOLD = 50_000

_lock = threading.Lock()
_users = 0
_before: tuple[int, int, int] = gc.get_threshold()


def _after_fork() -> None:
    # Other threads, who may hold the lock or be within the block, are not in the child.
    global _lock, _users
    _lock = threading.Lock()
    if _users:
        _users = 0
        gc.set_threshold(*_before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def patient_collector() -> Iterator[None]:
    """Collect young objects rarely within the block; may be nested and used by many threads."""
    global _users, _before
    with _lock:
        if _users == 0:
            _before = gc.get_threshold()
            if 0 < _before[0] < _PATIENT_THRESHOLD:  # 0: the user has switched it off
                gc.set_threshold(_PATIENT_THRESHOLD, *_before[1:])
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users = max(_users - 1, 0)  # in a child forked within the block nobody is counted
            if _users == 0:
                gc.set_threshold(*_before)
