"""Long work, for those who wait for it: a line on a terminal, and records in the log.

The line appears when something has been under way for about a second, where standard error is a
terminal, and is gone when it is done. A thread of its own writes it, so that it goes on while the
compiler is busy with a single kernel. The logger ``autotrace`` has records at ``DEBUG`` only.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger("autotrace")
logger.addHandler(logging.NullHandler())

#: After how many seconds the line appears, and how often it is written anew.
AFTER, EVERY = 1.0, 0.2


class Job:
    """Something under way.

    Attributes:
      what: such as ``"compiling f"``.
      status: how far it is, or what says so.
    """

    __slots__ = ("status", "what")

    def __init__(self, what: str, status: str | Callable[[], str] = ""):
        self.what = what
        self.status = status

    def line(self, seconds: float) -> str:
        status = self.status if isinstance(self.status, str) else self.status()
        parts = [f"autotrace: {self.what}", *([status] if status else []), f"{seconds:.0f} s"]
        return ", ".join(parts)


class _Line:
    """The process's line: one thread has it at a time, with the jobs that it has under way."""

    def __init__(self) -> None:
        self.enabled = os.environ.get("AUTOTRACE_PROGRESS", "1").lower() not in (
            "0",
            "false",
            "off",
        )
        self.forget()

    def forget(self) -> None:
        """Start over: in a child process the writing thread does not exist."""
        self.lock = threading.Lock()
        self.owner: int | None = None
        self.jobs: list[Job] = []
        self.done = threading.Event()
        self.writer: threading.Thread | None = None

    def take(self) -> bool:
        """Whether this thread has the line now."""
        with self.lock:
            if self.owner is None and self.enabled and _watched():
                self.owner = threading.get_ident()
                self.done = threading.Event()
                self.writer = threading.Thread(target=self._write, args=(self.done,), daemon=True)
                self.writer.start()
            return self.owner == threading.get_ident()

    def end(self, job: Job) -> None:
        """End a job; with the last one the line is given back, and gone from the terminal. In a
        child process that was forked within the job it has ended already."""
        if job not in self.jobs:
            return
        self.jobs.remove(job)
        if self.jobs:
            return
        self.done.set()
        if self.writer is not None:
            self.writer.join()
        self.owner = self.writer = None

    def _write(self, done: threading.Event) -> None:
        start, stream = time.monotonic(), sys.stderr
        if done.wait(AFTER):
            return
        try:
            while True:
                jobs = self.jobs[-1:]
                text = jobs[0].line(time.monotonic() - start) if jobs else ""
                width = max(shutil.get_terminal_size().columns - 1, 1)
                stream.write(f"\r{text[:width]}\x1b[K")
                stream.flush()
                if done.wait(EVERY):
                    break
            stream.write("\r\x1b[K")
            stream.flush()
        except (OSError, ValueError):
            return  # nobody watches any more


_line = _Line()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_line.forget)


def _watched() -> bool:
    """Whether somebody sits at a terminal and sees standard error."""
    if "PYTEST_CURRENT_TEST" in os.environ or os.environ.get("TERM") == "dumb":
        return False
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def set_progress(enabled: bool) -> None:
    """Say whether long compiles show a line on a terminal.

    They do unless told otherwise: what is compiled, how much of it is done, and since when.
    The environment variable ``AUTOTRACE_PROGRESS=0`` switches it off at the start. Where standard
    error is not a terminal nothing is written in any case.

    Args:
      enabled: whether they do, in this process.

    >>> import autotrace as at
    >>> at.set_progress(False)
    >>> at.set_progress(True)
    """
    _line.enabled = bool(enabled)


@contextmanager
def working(what: str, status: str | Callable[[], str] = "") -> Iterator[None]:
    """Within the block something is under way; see ``Job``."""
    if not _line.take():
        yield
        return
    job = Job(what, status)
    _line.jobs.append(job)
    try:
        yield
    finally:
        _line.end(job)


def note(status: str) -> None:
    """Say how far the innermost thing is that this thread has under way."""
    if _line.owner == threading.get_ident() and _line.jobs:
        _line.jobs[-1].status = status


def logging_on() -> bool:
    """Whether anyone wants the records."""
    return logger.isEnabledFor(logging.DEBUG)
