"""The process of one library: builds rows, runs them and times them, as it is told.

Started by ``workers``, with the library's name, the number of an open pipe, and perhaps
``one-core``.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
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

    def time(self, calls: int) -> tuple[float, float]:
        self.job()  # what others left in the processor's caches is not this library's concern
        return _timed(self.job, calls)

    def time_new_inputs(self, round_: int) -> tuple[float, float]:
        """All calls with new inputs together, after one with the usual inputs."""
        self.prepare(self.row.key)
        self.job()
        new = self.row.new_inputs(round_)
        return _timed(lambda: [self.bind(inputs)() for inputs in new], 1)

    def time_first_call(self, key: str) -> tuple[float, float]:
        """From the library's import to the first result."""
        inputs = rows.BY_KEY[key].inputs()

        def first():
            self.row = rows.BY_KEY[key]
            self.bind = self.library.build(self.row)
            self.job = self.bind(inputs)
            self.job()

        return _timed(first, 1)


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
