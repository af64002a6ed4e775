"""The process of one library: builds rows, runs them and times them, as it is told.

Started by ``workers``, with the library's name, the number of an open pipe, and perhaps
``one-core``.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy

from bench import rows
from bench.rows.row import Row


class Worker:
    """The commands, each of which answers with something that can be pickled.

    The times are pairs: seconds for a call, and seconds of the processor, which are more if there
    are other threads and less if something else had the processor.
    """

    def __init__(self, name: str):
        self.name = name
        self.started = time.process_time(), time.perf_counter()
        self.library = importlib.import_module(f"bench.libraries.{name}")
        self.row: Row | None = None
        self.bind: Callable | None = None
        self.job: Callable[[], Any] | None = None

    def version(self) -> str:
        return self.library.VERSION

    def prepare(self, key: str) -> bool:
        """Build a row, in place of the one before. Whether the library has it."""
        self.row = rows.BY_KEY[key]
        taking_part = self.row.libraries is None or self.name in self.row.libraries
        self.bind = self.library.build(self.row) if taking_part else None
        self.job = self.bind and self.bind(self.row.inputs())
        return self.job is not None

    def results(self) -> list[numpy.ndarray]:
        results = self.job()
        return [numpy.asarray(x) for x in ([results] if self.row.single else results)]

    def time(self, calls: int, warm_up: bool = True) -> tuple[float, float]:
        if warm_up:
            self.job()  # what others left in the processor's caches is not its concern
        return _timed(self.job, calls)

    def time_new_inputs(self, round_: int) -> tuple[float, float]:
        """All calls with new inputs together, after one with the usual inputs."""
        self.prepare(self.row.key)
        self.job()
        new = self.row.new_inputs(round_)
        return _timed(lambda: [self.bind(inputs)() for inputs in new], 1)

    def time_first_call(self, key: str, with_import: bool = False) -> tuple[float, float]:
        """From the library's import to the first result; or from before the import."""
        inputs = rows.BY_KEY[key].inputs()

        def first():
            self.row = rows.BY_KEY[key]
            self.bind = self.library.build(self.row)
            self.job = self.bind(inputs)
            self.job()

        if with_import:
            first()
            used, start = self.started
            return time.perf_counter() - start, time.process_time() - used
        return _timed(first, 1)

    def time_compile(self, round_: int) -> tuple[float, float]:
        """The first call of a function that this process has not seen."""
        row = self.row.but(make=self.row.variant(round_))

        def first():
            self.job = self.library.build(row)(row.inputs())
            self.job()

        return _timed(first, 1)

    def memory(self) -> tuple[float, None]:
        """The bytes that the process has more during a call than before the first with such sizes.

        What a library keeps from call to call counts, since it is taken from others; what it
        loads in a first call with small inputs does not.
        """
        self.bind(self.row.small_inputs())()
        job = self.bind(self.row.inputs())
        _give_back()
        before = _resident("VmRSS")
        job()
        _give_back()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        job()
        return float(_resident("VmHWM") - before), None


def _give_back() -> None:
    """Have the C library give unused memory back, so that its keeping some does not count."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(name))
    return int(line.split()[1]) * 1024


def _timed(job: Callable[[], Any], calls: int) -> tuple[float, float]:
    repeats = range(calls)
    used, start = time.process_time(), time.perf_counter()
    for _ in repeats:
        job()
    seconds = time.perf_counter() - start
    return seconds / calls, (time.process_time() - used) / calls


def serve(pipe: Connection, name: str) -> None:
    """Answer ``(command, arguments)`` with ``(True, answer)`` or ``(False, what went wrong)``."""
    worker: Worker | None = None
    while True:
        try:
            command, args = pipe.recv()
        except EOFError:
            return
        try:
            if worker is None:
                worker = Worker(name)
            answer = True, getattr(worker, command)(*args)
        except Exception as error:
            traceback.print_exc()
            answer = False, f"{type(error).__name__}: {error}"
        pipe.send(answer)


if __name__ == "__main__":
    if "one-core" in sys.argv and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    serve(Connection(int(sys.argv[2])), sys.argv[1])
