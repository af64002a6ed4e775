"""The threads that share large steps: started once, asleep in between, never needed for small work.

One process has one team. A step that is worth it is opened to the team: whoever is awake takes
pieces of its range until none is left. Whoever comes late finds the step closed, so that the
caller waits only for pieces that someone has begun. While one caller has the team another one
works alone. Workers run native code only and sleep on a semaphore, outside of Python's lock.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading

import numpy as np

from .build import Source, address

_NAMES = """
    LOCK OPEN NEXT STOP PIECE FUNCTION TABLE DONE ASLEEP SEM_WAIT SEM_POST YIELD
    SEMAPHORE SEMAPHORE_1 SEMAPHORE_2 SEMAPHORE_3
"""
_WORDS = {f"TEAM_{name}": i for i, name in enumerate(_NAMES.split())}
#: Added to ``OPEN`` when a step is closed: what it counted before is how many have joined.
_CLOSED = 2**40
#: How often a worker without work looks again before it goes to sleep, some 20 microseconds.
_LOOKS = 2000

NUMBERS = tuple((_WORDS | {"CLOSED": _CLOSED, "LOOKS": _LOOKS}).items())

#: Take pieces of the open step until none is left.
_WORK = (
    """
def work(team):
    piece = team[TEAM_PIECE]
    stop = team[TEAM_STOP]
    at = atomic_add(team, TEAM_NEXT, piece)
    while at < stop:
        invoke(
            team[TEAM_FUNCTION], "void(int64, int64, int64)", team[TEAM_TABLE], at,
            min(at + piece, stop),
        )
        at = atomic_add(team, TEAM_NEXT, piece)
""",
    ("*int64",),
    "void",
)

#: One step in pieces, by whoever of the team is free and at most ``helpers`` more.
SHARE = (
    """
def share(team, function, table, start, stop, piece, helpers):
    if atomic_swap(team, TEAM_LOCK, 1) != 0:
        at = start
        while at < stop:
            invoke(
                function, "void(int64, int64, int64)", table, at, min(at + piece, stop)
            )
            at = at + piece
        return
    team[TEAM_FUNCTION] = function
    team[TEAM_TABLE] = table
    team[TEAM_STOP] = stop
    team[TEAM_PIECE] = piece
    team[TEAM_DONE] = 0
    team[TEAM_NEXT] = start
    atomic_swap(team, TEAM_OPEN, 0)
    wake = min(helpers, atomic_load(team, TEAM_ASLEEP))
    for i in range(wake):
        invoke(team[TEAM_SEM_POST], "int32(int64)", address_of(team, TEAM_SEMAPHORE))
    work(team)
    joined = atomic_add(team, TEAM_OPEN, CLOSED)
    looks = 0
    while atomic_load(team, TEAM_DONE) < joined:
        looks = looks + 1
        if looks > LOOKS:
            invoke(team[TEAM_YIELD], "int32()")
    atomic_swap(team, TEAM_LOCK, 0)
""",
    ("*int64", "int64", "int64", "int64", "int64", "int64", "int64"),
    "void",
)

HELPERS = (_WORK, SHARE)

_WORKER = """
def worker(place):
    team = pointer_int64(place)
    looks = 0
    while True:
        if atomic_load(team, TEAM_OPEN) < CLOSED and atomic_load(team, TEAM_NEXT) < team[TEAM_STOP]:
            if atomic_add(team, TEAM_OPEN, 1) < CLOSED:
                work(team)
                atomic_add(team, TEAM_DONE, 1)
            looks = 0
        looks = looks + 1
        if looks > LOOKS:
            atomic_add(team, TEAM_ASLEEP, 1)
            if atomic_load(team, TEAM_OPEN) >= CLOSED:
                invoke(team[TEAM_SEM_WAIT], "int32(int64)", address_of(team, TEAM_SEMAPHORE))
            atomic_add(team, TEAM_ASLEEP, -1)
            looks = 0
"""

_words = np.zeros(len(_WORDS) + 8, np.int64)
_lock = threading.Lock()
_workers = 0


@functools.cache
def _libc_functions() -> dict[str, int] | None:
    """The C library's functions that a team needs, None where there are not all of them."""
    library = ctypes.CDLL(None)
    found = {}
    for name in ("sem_init", "sem_wait", "sem_post", "sched_yield"):
        try:
            found[name] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        except AttributeError:
            return None
    return found


def available() -> int:
    """How many threads this process may run at once."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def place() -> int:
    """The address of the team's words."""
    return _words.ctypes.data


def ensure(threads: int) -> int:
    """Have at least so many threads, the caller's among them; how many there are. Started when
    first asked for; on a system without POSIX's semaphores there is one."""
    global _workers
    if threads - 1 <= _workers:
        return threads
    functions = _libc_functions()
    if functions is None:
        return 1
    with _lock:
        if not _words[_WORDS["TEAM_SEM_WAIT"]]:
            semaphore = place() + 8 * _WORDS["TEAM_SEMAPHORE"]
            if ctypes.CDLL(None).sem_init(ctypes.c_void_p(semaphore), 0, 0) != 0:
                return 1
            _words[_WORDS["TEAM_OPEN"]] = _CLOSED
            _words[_WORDS["TEAM_YIELD"]] = functions["sched_yield"]
            _words[_WORDS["TEAM_SEM_POST"]] = functions["sem_post"]
            _words[_WORDS["TEAM_SEM_WAIT"]] = functions["sem_wait"]
        work = ctypes.CFUNCTYPE(None, ctypes.c_int64)(
            address(Source(_WORKER, ("int64",), names=NUMBERS, helpers=(_WORK,)))
        )
        while _workers < threads - 1:
            thread = threading.Thread(
                target=work, args=(place(),), name=f"autotrace-{_workers}", daemon=True
            )
            thread.start()
            _workers += 1
    return threads


def _after_fork() -> None:
    # The child has none of the threads; nobody holds the locks.
    global _workers, _lock
    _workers = 0
    _lock = threading.Lock()
    _words[:] = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
