"""Long work shows on a terminal, and nowhere else; the log says what is traced and compiled."""

from __future__ import annotations

import logging
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest

import autotrace as at
from autotrace.core import work

SLOW = """
import time
import numpy as np
import autotrace as at
from autotrace.core import work

work.AFTER, work.EVERY = 0.05, 0.02

@at.jit
def slow(x):
    for _ in range(4):
        time.sleep(0.1)
        x = np.sin(x) + 1
    return x

slow(np.ones(3))
print("done")
"""


def on_terminal(code: str) -> tuple[str, str]:
    """What a process writes to a terminal that is its standard error, and to its output."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**inherited, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                if select.select([ours], [], [], 60)[0]:
                    data = os.read(ours, 1000)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                break
            seen += data
        os.close(ours)
        assert process.stdout is not None
        out = process.stdout.read().decode()
    assert process.returncode == 0, seen.decode()
    return seen.decode(), out


def test_a_line_on_a_terminal_that_goes_away():
    seen, out = on_terminal(SLOW)
    assert out == "done\n"
    lines = seen.split("\r")
    assert re.fullmatch(r"autotrace: tracing slow, \d equations, \d s\x1b\[K", lines[1])
    assert {
        int(re.findall(r"(\d) equations", line)[0]) for line in lines[1:-1] if "tracing" in line
    } > {0}
    assert lines[-1] == "\x1b[K" and "\n" not in seen


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.fixture
def terminal(monkeypatch):
    made = Terminal()
    monkeypatch.setattr(work, "_watched", lambda: True)
    # pytest replaces sys.stderr after the fixture has run.
    monkeypatch.setattr(work, "sys", types.SimpleNamespace(stderr=made))
    monkeypatch.setattr(work, "AFTER", 0.0)
    monkeypatch.setattr(work, "EVERY", 0.005)
    return made


def test_who_watches(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # which pytest sets anew for each phase of a test
    for name, value, seen in [
        ("TERM", "xterm", True),
        ("TERM", "dumb", False),
        ("PYTEST_CURRENT_TEST", "a test", False),
    ]:
        with monkeypatch.context() as context:
            context.setenv("TERM", "xterm")
            context.setenv(name, value)
            assert work._watched() == seen
    monkeypatch.setenv("TERM", "xterm")
    with open(tmp_path / "errors", "w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        assert not work._watched()
    assert file.closed and not work._watched()
    monkeypatch.setattr(sys, "stderr", None)
    assert not work._watched()


def test_it_can_be_switched_off(terminal, monkeypatch):
    at.set_progress(False)
    try:
        with work.working("compiling f"):
            time.sleep(0.02)
            assert work._line.writer is None
    finally:
        at.set_progress(True)
    monkeypatch.setattr(work, "AFTER", 100.0)
    with work.working("what is soon done"):
        assert work._line.writer is not None
    assert terminal.text == "" and work._line.writer is None
    for value, enabled in [("0", False), ("off", False), ("1", True)]:
        monkeypatch.setenv("AUTOTRACE_PROGRESS", value)
        assert work._Line().enabled == enabled


def wait_for(terminal, text):
    end = time.monotonic() + 20
    while text not in terminal.text and time.monotonic() < end:
        time.sleep(0.002)
    assert text in terminal.text


def test_the_innermost_job_is_shown_and_errors_end_it(terminal):
    with pytest.raises(KeyError), work.working("compiling f", "planning"):
        wait_for(terminal, "autotrace: compiling f, planning, 0 s")
        with work.working("compiling g"):
            wait_for(terminal, "autotrace: compiling g, 0 s")
            work.note("1 of 2 kernels")
            wait_for(terminal, "autotrace: compiling g, 1 of 2 kernels, 0 s")
        raise KeyError
    assert terminal.text.endswith("\r\x1b[K")
    assert work._line.owner is None and work._line.jobs == []


def test_one_thread_has_the_line(terminal):
    def other():
        with work.working("compiling other"):
            work.note("nothing")

    with work.working("compiling f"):
        wait_for(terminal, "compiling f")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert [job.what for job in work._line.jobs] == ["compiling f"]
    assert "other" not in terminal.text


def test_kernels_are_counted(monkeypatch):
    notes = []
    monkeypatch.setattr("autotrace.kernels.build.note", notes.append)
    monkeypatch.setattr("autotrace.kernels.build._addresses", {})  # as in a new process
    f = at.jit(lambda x: np.sort(np.sin(x) * 2.0) + np.cos(x), backend="numba")
    f(np.ones(3))
    counts = [tuple(map(int, re.fullmatch(r"(\d+) of (\d+) kernels", n).groups())) for n in notes]
    assert all(done <= total for done, total in counts)
    assert max(total for _, total in counts) > 1 and counts[-1][0] == counts[-1][1]


def test_a_child_process_starts_over(terminal):
    with work.working("compiling f"):
        wait_for(terminal, "compiling f")
        thread, done = work._line.writer, work._line.done
        work._line.forget()  # as after a fork, where the thread is not there
        assert work._line.owner is None
        done.set()
        thread.join()
    assert work._line.jobs == [] and work._line.writer is None


def test_a_closed_terminal_is_no_error(terminal, monkeypatch):
    def closed(text):
        raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(terminal, "write", closed)
    with work.working("compiling f"):
        time.sleep(0.02)


# --- the log -------------------------------------------------------------------------------------


def test_why_a_function_is_traced(caplog, backend):
    @at.jit
    def scale(x, y):
        return x["a"] * y

    with caplog.at_level(logging.DEBUG, "autotrace"):
        scale({"a": np.ones(3)}, 2.0)
        scale({"a": np.ones(3)}, 3.0)  # nothing new
        scale({"a": np.ones(4)}, 2.0)
        scale({"a": np.ones(4)}, np.float64(2.0))
        scale({"a": np.ones(4), "b": 1.0}, np.float64(2.0))
        scale.clear_cache()
        scale({"a": np.ones(4)}, 2.0)
    traces = [r.getMessage() for r in caplog.records if r.getMessage().startswith("tracing")]
    assert traces == [
        "tracing scale for f64[3], f64[] (Python's): the first call",
        "tracing scale for f64[4], f64[] (Python's): a signature not met before, "
        "array 0 is f64[4] in place of f64[3]",
        "tracing scale for f64[4], f64[]: a signature not met before, "
        "array 1 is f64[] in place of f64[] (Python's)",
        "tracing scale for f64[4], f64[] (Python's), f64[]: a signature not met before, "
        "arguments of another structure",
        "tracing scale for f64[4], f64[] (Python's): nothing of it is kept",
    ]
    compiled = [r.getMessage() for r in caplog.records if "compiled scale for" in r.getMessage()]
    assert len(compiled) == 5 and all(
        re.search(rf"for {backend}: 1 equations.* \d\.\d+ s", c) for c in compiled
    )
    if backend == "numba":
        assert "kernels anew" in compiled[0] and "from disk" in compiled[0]
    assert {r.levelno for r in caplog.records} == {logging.DEBUG}


def test_static_arguments_and_lowering(caplog):
    power = at.jit(lambda x, n: x**n, static_argnums=1)
    with caplog.at_level(logging.DEBUG, "autotrace"):
        power(2.0, 2)
        power(2.0, 3)
        power.lower(np.ones(2), 3)
    traces = [r.getMessage() for r in caplog.records if "tracing" in r.getMessage()]
    assert traces[1].endswith("a signature not met before, other static arguments")
    assert "array 0 is f64[2] in place of f64[] (Python's)" in traces[2]


def test_paths_are_told(caplog):
    @at.jit
    def relu(x):
        return x if x > 0 else 0 * x

    with caplog.at_level(logging.DEBUG, "autotrace"):
        relu(1.0)
        relu(-1.0)
        relu(-2.0)
    told = [r.getMessage() for r in caplog.records if "path" in r.getMessage()]
    assert len(told) == 3
    assert re.match(
        r"relu has a path more, 1 in all: bool\(\).* is True at .*test_work\.py:\d+", told[0]
    )
    assert told[1] == "tracing relu for f64[] (Python's): a path not taken before"
    assert "2 in all" in told[2] and "is False" in told[2]


def test_nothing_is_told_unasked(caplog):
    with caplog.at_level(logging.INFO, "autotrace"):
        at.jit(lambda x: np.sin(x) * 3.25)(1.0)
    assert caplog.records == []
    assert any(isinstance(h, logging.NullHandler) for h in work.logger.handlers)
