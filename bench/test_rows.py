"""The rows of the table in docs/benchmarks.md."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from bench import rows
from bench.libraries import COMPILED, OURS, TITLES, plain
from bench.rows.row import Row
from bench.workers import Worker, WorkerError, disk_caches

ROUNDS, SLOW_ROUNDS = 15, 5
#: A turn of a library lasts about so long, in seconds.
TURN = 0.01
MOST_CALLS = 20_000


def reference(row: Row) -> list[np.ndarray]:
    """NumPy's results in float64."""
    inputs = [np.asarray(x, np.float64) if np.ndim(x) else x for x in row.inputs()]
    results = plain.build(row)(tuple(inputs))()
    return [np.asarray(x) for x in ([results] if row.single else results)]


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
        assert result.shape == wanted.shape and result.dtype == dtype
        np.testing.assert_allclose(
            result, wanted, rtol=tolerance, atol=tolerance * np.max(np.abs(wanted))
        )


@contextmanager
def steady(row: Row, worker: Worker) -> Iterator[tuple[list, Callable]]:
    """The results, and a timer for calls after the first."""
    results = worker.ask("results")
    seconds, _ = worker.ask("time", 2)
    calls = min(max(int(TURN / seconds), 1), MOST_CALLS)
    worker.ask("time", calls)
    yield results, lambda: worker.ask("time", calls)


@contextmanager
def new_inputs(row: Row, worker: Worker) -> Iterator[tuple[list, Callable]]:
    """The results for the usual inputs, and a timer for calls with new ones."""
    with Worker(worker.name, one_core=True) as own:
        own.ask("prepare", row.key)
        rounds = iter(range(1000))
        yield own.ask("results"), lambda: own.ask("time_new_inputs", next(rounds))


@contextmanager
def first_call(row: Row, worker: Worker) -> Iterator[tuple[list, Callable]]:
    """The results, and a timer for first calls of new processes."""
    with tempfile.TemporaryDirectory() as kept:

        def in_new_process(folder: str, command: str) -> object:
            with Worker(worker.name, disk_caches(folder), one_core=True) as new:
                seconds = new.ask("time_first_call", row.key)
                return seconds if command == "time" else new.ask(command)

        def timer() -> object:
            if row.first_call == "warm":
                return in_new_process(kept, "time")
            with tempfile.TemporaryDirectory() as empty:
                return in_new_process(empty, "time")

        yield in_new_process(kept, "results"), timer


def kind(row: Row) -> tuple[Callable, int]:
    """How a row is measured, and the number of rounds."""
    if row.new_inputs:
        return new_inputs, SLOW_ROUNDS
    if row.first_call:
        return first_call, SLOW_ROUNDS
    return steady, SLOW_ROUNDS if row.slow else ROUNDS


@pytest.mark.parametrize("row", rows.ALL, ids=lambda row: row.key)
def test_row(row, measure, libraries, table):
    """Peers that fail are noted; wrong results, and a failure of autotrace, fail the test."""
    expected = reference(row)
    dtype = np.asarray(row.inputs()[0]).dtype
    way, rounds = kind(row)
    usages: dict[str, list[float]] = {}

    def timer_of(name: str, ask: Callable[[], tuple[float, float]]) -> Callable[[], float]:
        def timer() -> float:
            seconds, processor = ask()
            usages.setdefault(name, []).append(processor / seconds)
            return seconds

        return timer

    with ExitStack() as stack:
        timers = {}
        for name, worker in libraries.items():
            if row.first_call and name not in COMPILED:
                continue
            try:
                if worker.ask("prepare", row.key):
                    results, ask = stack.enter_context(way(row, worker))
                    if row.sampled:
                        check_samples(results, expected, row.sampled)
                    else:
                        check(results, expected, dtype)
                    timers[TITLES[name]] = timer_of(name, ask)
            except (WorkerError, AssertionError) as error:
                table.problems[row.key, name] = str(error).strip()
        medians = measure(timers, rounds)

    table.seconds[row.key] = {
        name: medians[title] for name, title in TITLES.items() if title in medians
    }
    table.rounds[row.key] = max(map(len, usages.values()), default=0)
    for name, values in usages.items():
        table.usage[row.key, name] = statistics.median(values)
    problems = {name: p for (key, name), p in table.problems.items() if key == row.key}
    assert OURS not in problems, problems[OURS]
