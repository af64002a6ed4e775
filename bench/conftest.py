"""Interleaved comparison of several implementations of one job.

``compare`` runs the implementations in turn, round after round, so that what else the machine does
meets all of them alike, and reports medians and their ratio to the first. The first one is also
given to pytest-benchmark, which keeps its statistics.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest

_reports: list[str] = []


def interleaved_medians(
    jobs: dict[str, Callable[[], object]], rounds: int, calls: int
) -> dict[str, float]:
    """Median seconds a call for each job."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            for _ in range(calls):
                job()
            times[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(t) for name, t in times.items()}


def _readable(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds / 1e-9:.4g} ns"


@pytest.fixture
def compare(benchmark, request):
    """A function ``(jobs, rounds, calls)``; see the module."""

    def run(jobs: dict[str, Callable[[], object]], rounds: int = 15, calls: int = 50) -> dict:
        medians = interleaved_medians(jobs, rounds, calls)
        first, *others = medians
        parts = [f"{first} {_readable(medians[first])}"]
        parts += [
            f"{name} {_readable(medians[name])} (ratio {medians[first] / medians[name]:.2f})"
            for name in others
        ]
        _reports.append(f"{request.node.name}: " + ", ".join(parts))
        benchmark.extra_info.update(medians)
        benchmark.pedantic(jobs[first], rounds=rounds, iterations=calls)
        return medians

    return run


def pytest_terminal_summary(terminalreporter) -> None:
    if _reports:
        terminalreporter.section("interleaved medians (ratio: the first to the other)")
        for line in _reports:
            terminalreporter.write_line(line)
