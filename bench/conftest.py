"""The fixtures of the benchmarks, and what is said and written at the end of a session."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from bench import programs, report, timing, workers

collect_ignore = ["libraries"]  # not all can be imported here; doctests would be looked for
_lines: list[str] = []
_elapsed = 0.0
_TABLE = pytest.StashKey[report.Table]()


def reported_time() -> float:
    """The clock of pytest-benchmark here: it goes on by what the first job's rounds take."""
    return _elapsed


def pytest_addoption(parser) -> None:
    group = parser.getgroup("autotrace")
    group.addoption("--rounds", type=int, help="rounds for each benchmark")
    group.addoption("--table", type=Path, help="the page to write when all rows were measured")
    group.addoption("--first-calls", type=int, default=1, help="first calls of each program")
    group.addoption("--programs", type=Path, help="the same, on programs written for plain NumPy")


def pytest_itemcollected(item) -> None:
    item.add_marker(pytest.mark.benchmark(timer=reported_time))


@pytest.fixture
def measure(benchmark, request) -> Callable[[Mapping[str, timing.Timer], int], dict[str, float]]:
    """A function of timers and a number of rounds: the median of each.

    The rounds of the first are also given to pytest-benchmark, which keeps its statistics.
    """

    def run(timers: Mapping[str, timing.Timer], rounds: int) -> dict[str, float]:
        taken: list[dict[str, float]] = []
        session = timing.interleaved(timers)

        def one_round() -> None:
            global _elapsed
            taken.append(next(session))
            _elapsed += next(iter(taken[-1].values()))

        rounds = min(rounds, request.config.getoption("rounds") or rounds)
        benchmark.pedantic(one_round, rounds=rounds, iterations=1)
        medians = {name: statistics.median(t[name] for t in taken) for name in timers}
        benchmark.extra_info.update(medians)
        first, *others = medians
        parts = [f"{first} {timing.readable(medians[first])}"]
        parts += [
            f"{name} {timing.readable(medians[name])} ({medians[first] / medians[name]:.2f})"
            for name in others
        ]
        _lines.append(f"{request.node.name}: " + ", ".join(parts))
        return medians

    return run


@pytest.fixture
def compare(measure) -> Callable:
    """A function ``(jobs, rounds, calls)`` for jobs in this process; see ``measure``."""

    def run(
        jobs: Mapping[str, Callable[[], object]], rounds: int = 15, calls: int = 50
    ) -> dict[str, float]:
        timers = {name: timing.in_process(job, calls) for name, job in jobs.items()}
        return measure(timers, rounds)

    return run


@pytest.fixture(scope="session")
def table(request) -> Iterator[report.Table]:
    """The table, to be filled by the rows; written at the end where ``--table`` says."""
    table = report.Table(*workers.installed())
    yield table
    request.config.stash[_TABLE] = table
    path = request.config.getoption("table")
    if path is not None and table.complete():
        path.write_text(table.page(), encoding="utf-8")


@pytest.fixture(scope="session")
def programs_page(request) -> Iterator[programs.Page]:
    """The page on programs, to be filled; written at the end where ``--programs`` says."""
    page = programs.Page()
    yield page
    path = request.config.getoption("programs")
    if path is not None and page.complete():
        path.write_text(page.text(), encoding="utf-8")


@pytest.fixture(scope="session")
def libraries(table) -> Iterator[dict[str, workers.Worker]]:
    """The process of each library that is installed."""
    processes = {name: workers.Worker(name) for name in table.versions}
    yield processes
    for process in processes.values():
        process.stop()


def pytest_terminal_summary(terminalreporter, config) -> None:
    if _lines:
        terminalreporter.section("interleaved medians (ratio: the first to the other)")
        for line in _lines:
            terminalreporter.write_line(line)
    table = config.stash.get(_TABLE, None)
    if table is not None:
        for note in table.notes():
            terminalreporter.write_line(note)
        path = config.getoption("table")
        if path is not None:
            written = "written" if table.complete() else "not written: rows are missing"
            terminalreporter.write_line(f"{path}: {written}")
