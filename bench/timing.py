"""Interleaved rounds.

What else the machine does meets all jobs alike when they run in turn, round after round; the
median over the rounds is then compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

#: Runs one round of a job and gives the seconds of a call.
Timer = Callable[[], float]


def in_process(job: Callable[[], object], calls: int) -> Timer:
    """A timer for a job in this process."""
    job()

    def timer() -> float:
        start = time.perf_counter()
        for _ in range(calls):
            job()
        return (time.perf_counter() - start) / calls

    return timer


def seconds_of(job: Callable[[], object]) -> float:
    """The time of one call, after one that is not timed."""
    job()
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def interleaved(timers: Mapping[str, Timer]) -> Iterator[dict[str, float]]:
    """Round after round, the seconds of each."""
    while True:
        yield {name: timer() for name, timer in timers.items()}


UNITS = {
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9},
    "B": {"GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1.0},
    "ulp": {"ulp": 1.0},
}


def readable(number: float, unit: str = "s") -> str:
    """With three digits."""
    units = UNITS[unit]
    name = next((name for name, size in units.items() if number >= size), list(units)[-1])
    number /= units[name]
    return f"{number:.{0 if number >= 100 else 1 if number >= 10 else 2}f} {name}"
