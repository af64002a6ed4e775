"""The rows of the tables in docs/benchmarks."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import mpmath
import numpy as np
import pytest

import autotrace
from bench import results as found
from bench import rows
from bench.libraries import COMPILED, OURS, SLOW_COMPILERS, TITLES, common, plain
from bench.libraries.autotrace import NP
from bench.rows.row import Row
from bench.workers import FREE_ALLOCATION, Worker, WorkerError, disk_caches

#: By default, and with --all.
ROUNDS, MORE_ROUNDS = 7, 15
#: Of rows where a turn is a process, a compilation or a second.
SLOW_ROUNDS, MORE_SLOW_ROUNDS = 3, 5
#: Memory is the same in each round, but for a page here and there; of the others a round takes
#: half a minute.
FEW_ROUNDS = {"memory": 2, "cold": 2, "compile": 2}
#: A turn of a library lasts about so long, in seconds.
TURN = 0.01
MOST_CALLS = 20_000
#: A call of so many seconds is not made for the processor's caches only.
LONG = 0.1
#: Processes that compile at the same time, before anything is timed.
PREPARED_AT_ONCE = 2
#: A number and, where it is a time, the processor's.
Timer = Callable[[], tuple[float, float | None]]


def reference(row: Row) -> list[np.ndarray]:
    """The results in float64: NumPy's, or where nobody has written derivatives by hand, those of
    autotrace without its compiler. The other libraries then check these."""
    inputs = tuple(
        np.asarray(x, np.float64) if np.ndim(x) and x.dtype.kind == "f" else x for x in row.inputs()
    )
    has = row.libraries is None or "plain" in row.libraries
    job = plain.build(row) if has else None
    if job is None:
        hvp = lambda f: lambda x, v: autotrace.hvp(f, (x,), (v,))  # noqa: E731
        work = common.derived(row, row.make(NP), autotrace.value_and_grad, hvp)
        job = common.job_maker(row, autotrace.jit(work, backend="numpy"))
    outputs = job(inputs)()
    return [np.asarray(x) for x in ([outputs] if row.single else outputs)]


def check_samples(results: list[np.ndarray], expected: list[np.ndarray], dtype: type) -> None:
    """As many numbers, with the same mean and deviation, up to chance."""
    for result, wanted in zip(results, expected, strict=True):
        assert result.shape == wanted.shape and result.dtype == dtype
        chance = 10 * wanted.std() / np.sqrt(wanted.size)
        for statistic in (np.mean, np.std):
            np.testing.assert_allclose(statistic(result), statistic(wanted), rtol=0, atol=chance)


def check(results: list[np.ndarray], expected: list[np.ndarray], dtype: np.dtype) -> None:
    """Equal up to rounding errors, which count beside an array's largest element."""
    tolerance = {8: 1e-10, 4: 1e-5}[dtype.itemsize]
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        assert result.shape == wanted.shape, f"shape {result.shape} in place of {wanted.shape}"
        if wanted.dtype.kind == "f":
            assert result.dtype == dtype, f"{result.dtype} in place of {dtype}"
        largest = np.max(np.abs(wanted), initial=0.0)
        np.testing.assert_allclose(result, wanted, rtol=tolerance, atol=tolerance * largest)


@contextmanager
def steady(row: Row, worker: Worker) -> Iterator[tuple[list, Timer]]:
    """The results, and a timer for calls after the first."""
    results = worker.ask("results")
    turn: tuple[int, bool] | None = None

    def timer() -> tuple[float, float]:
        nonlocal turn
        if turn is None:  # found out here, when nothing else runs
            seconds, _ = worker.ask("time", 1, False)
            if seconds < TURN:
                seconds, _ = worker.ask("time", 2)
            turn = min(max(int(TURN / seconds), 1), MOST_CALLS), seconds < LONG
            worker.ask("time", *turn)
        return worker.ask("time", *turn)

    yield results, timer


@contextmanager
def new_inputs(row: Row, worker: Worker) -> Iterator[tuple[list, Timer]]:
    """The results for the usual inputs, and a timer for calls with new ones."""
    with Worker(worker.name, one_core=True) as own:
        own.ask("prepare", row.key)
        rounds = iter(range(1000))
        yield own.ask("results"), lambda: own.ask("time_new_inputs", next(rounds))


@contextmanager
def first_call(row: Row, worker: Worker) -> Iterator[tuple[list, Timer]]:
    """The results, and a timer for first calls of new processes."""
    with tempfile.TemporaryDirectory() as kept:

        def in_new_process(folder: str, command: str) -> object:
            with Worker(worker.name, disk_caches(folder), one_core=True) as new:
                seconds = new.ask("time_first_call", row.key, row.kind == "import")
                return seconds if command == "time" else new.ask(command)

        def timer() -> object:
            if row.kind != "cold":
                return in_new_process(kept, "time")
            with tempfile.TemporaryDirectory() as empty:
                return in_new_process(empty, "time")

        yield in_new_process(kept, "results"), timer


@contextmanager
def compilation(row: Row, worker: Worker) -> Iterator[tuple[list, Timer]]:
    """The results, and a timer for first calls in a process that has compiled others."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Worker(worker.name, disk_caches(folder), one_core=True) as own,
    ):
        own.ask("prepare", row.key)
        rounds = iter(range(1, 1000))
        yield own.ask("results"), lambda: own.ask("time_compile", next(rounds))


@contextmanager
def memory(row: Row, worker: Worker) -> Iterator[tuple[list, Timer]]:
    """The results, and a "timer" of bytes: each in a new process, since processes keep memory."""

    def timer() -> object:
        with Worker(worker.name, FREE_ALLOCATION) as own:
            own.ask("prepare", row.key)
            return own.ask("memory")

    yield worker.ask("results"), timer


@contextmanager
def accuracy(row: Row, worker: Worker) -> Iterator[tuple[list, Timer]]:
    """The results, and a "timer" of the largest error in units of the last place."""
    results = worker.ask("results")
    (points,) = row.inputs()
    (values,) = results

    def timer() -> tuple[float, None]:
        return largest_error(values, points, getattr(mpmath, row.exact)), None

    yield results, timer


def largest_error(values: np.ndarray, points: np.ndarray, exact: Callable) -> float:
    """In units of the last place of the exact value."""
    worst = 0.0
    with mpmath.workprec(120):
        for value, point in zip(values.tolist(), points.tolist(), strict=True):
            wanted = exact(mpmath.mpf(point))
            unit = float(np.spacing(abs(values.dtype.type(float(wanted)))))
            worst = max(worst, float(abs(mpmath.mpf(value) - wanted)) / unit)
    return worst


WAYS = {
    "steady": steady,
    "new_inputs": new_inputs,
    "cold": first_call,
    "warm": first_call,
    "import": first_call,
    "compile": compilation,
    "memory": memory,
    "ulp": accuracy,
}


def rounds_of(row: Row, everything: bool) -> int:
    if row.kind == "ulp":
        return 1
    if row.kind in FEW_ROUNDS and not everything:
        return FEW_ROUNDS[row.kind]
    if row.slow or row.kind != "steady":
        return MORE_SLOW_ROUNDS if everything else SLOW_ROUNDS
    return MORE_ROUNDS if everything else ROUNDS


def takes_part(row: Row, name: str, everything: bool) -> bool:
    if row.kind in ("cold", "warm", "compile") and name not in COMPILED:
        return False
    return everything or row.compilers or name not in SLOW_COMPILERS


class Contest:
    """The libraries that do a row, as long as they do not fail."""

    def __init__(self, row: Row, stack: ExitStack):
        self.row, self.stack = row, stack
        self.problems: dict[str, str] = {}
        self.usages: dict[str, list[float]] = {}
        self.timers: dict[str, Callable[[], float]] = {}
        self.expected = reference(row)
        arrays = [np.asarray(x) for x in row.inputs()]
        self.dtype = next(x.dtype for x in arrays if x.dtype.kind == "f" or len(arrays) == 1)

    def prepare(self, processes: dict[str, Worker]) -> None:
        """Compile and check all, some at once; those that do not have the row are left out."""
        with ThreadPoolExecutor(PREPARED_AT_ONCE) as pool:
            pending = {name: pool.submit(self._enter, p) for name, p in processes.items()}
        for name, future in pending.items():
            try:
                timer = future.result()
            except Exception as error:  # whatever it is, the others go on
                self.fails(name, error)
            else:
                if timer is not None:
                    self.timers[name] = self._of_numbers(name, timer)

    def fails(self, name: str, error: Exception) -> None:
        lines = [line for line in str(error).splitlines() if line.strip()]
        self.problems[name] = lines[0].strip()[:200] if lines else type(error).__name__

    def _enter(self, worker: Worker) -> Timer | None:
        if not worker.ask("prepare", self.row.key):
            return None
        results, timer = self.stack.enter_context(WAYS[self.row.kind](self.row, worker))
        if self.row.sampled:
            check_samples(results, self.expected, self.row.sampled)
        elif self.row.kind != "ulp":
            check(results, self.expected, self.dtype)
        return timer

    def _of_numbers(self, name: str, timer: Timer) -> Callable[[], float]:
        def number() -> float:
            if name in self.problems:
                return math.nan
            try:
                taken, processor = timer()
            except WorkerError as error:
                self.fails(name, error)
                return math.nan
            if processor is not None:
                self.usages.setdefault(name, []).append(processor / taken)
            return taken

        return number


@pytest.mark.parametrize("row", rows.ALL, ids=lambda row: row.key)
def test_row(row, measure, session):
    """Peers that fail are noted; a failure of autotrace is too, and fails the test."""
    processes = {
        name: worker
        for name, worker in session.workers(row.threads).items()
        if takes_part(row, name, session.everything)
    }
    with ExitStack() as stack:
        contest = Contest(row, stack)
        contest.prepare(processes)
        timers = {TITLES[name]: timer for name, timer in contest.timers.items()}
        samples = measure(timers, rounds_of(row, session.everything), row.unit)
    cells = {}
    for name, title in TITLES.items():
        if name in contest.problems:
            cells[name] = {"fails": contest.problems[name]}
        elif title in samples:
            cells[name] = found.cell(samples[title], contest.usages.get(name, ()))
    facts = {
        "family": rows.FAMILY_OF[row.key],
        "title": row.title,
        "unit": row.unit,
        "kind": row.kind,
        "rounds": max(map(len, samples.values()), default=0),
    }
    for name in ("curve", "x", "flops", "traffic"):
        if getattr(row, name) is not None:
            facts[name] = getattr(row, name)
    if row.threads > 1:
        facts["threads"] = row.threads
    session.record(row.key, {**facts, "cells": cells})
    assert OURS not in contest.problems, contest.problems[OURS]
