"""The fixtures of the benchmarks, and what is said and written at the end of a session."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numba
import numpy_programs
import pytest

import autotrace
from bench import machine, programs, results, rows, timing, workers
from bench.libraries import OURS, TITLES

collect_ignore = ["libraries"]  # not all can be imported here; doctests would be looked for
_lines: list[str] = []
_elapsed = 0.0
_SESSION = pytest.StashKey["Session"]()


def reported_time() -> float:
    """The clock of pytest-benchmark here: it goes on by what the first job's rounds take."""
    return _elapsed


def pytest_addoption(parser) -> None:
    group = parser.getgroup("autotrace")
    group.addoption("--rounds", type=int, help="rounds for each benchmark, at most")
    group.addoption("--all", action="store_true", help="all rows, all libraries, more rounds")
    group.addoption("--libraries", help="these only, by their names in bench/libraries: a,b,...")
    group.addoption("--results", type=Path, help="the JSON file to write")
    group.addoption("--programs", type=Path, help="the same for programs written for plain NumPy")
    group.addoption("--keep", action="store_true", help="renew what is measured of that file only")
    group.addoption("--missing", action="store_true", help="measure what is not in that file yet")
    group.addoption("--first-calls", type=int, default=1, help="first calls of each program")


class Session:
    """What was measured so far, and the processes of the libraries."""

    def __init__(self, config: pytest.Config):
        self.config = config
        self.path: Path | None = config.getoption("results")
        self.everything: bool = config.getoption("all")
        keep = config.getoption("keep") or config.getoption("missing")
        self.found = self._begin(keep)
        self._processes: dict[tuple[str, int], workers.Worker] = {}

    def _begin(self, keep: bool) -> dict:
        old = _old(self.path) if keep else {}
        names = self.config.getoption("libraries")
        self.versions, missing = workers.installed(names.split(",") if names else TITLES)
        versions = old.get("versions", {}) | self.versions
        return {
            "date": machine.today(),
            "set": old.get("set") or ("all" if self.everything else "default"),
            "machine": old.get("machine", {}) | machine.description(),
            "versions": {name: versions[name] for name in TITLES if name in versions},
            "missing": {
                name: why.splitlines()[0] for name, why in missing.items() if name not in versions
            },
            "rows": old.get("rows", {}),
        }

    def workers(self, threads: int) -> dict[str, workers.Worker]:
        """The process of each library that is installed."""
        for name in self.versions:
            if (name, threads) not in self._processes:
                self._processes[name, threads] = workers.Worker(
                    name, workers.kept_caches(), threads=threads
                )
        return {name: p for (name, count), p in self._processes.items() if count == threads}

    def record(self, key: str, row: dict) -> None:
        self.found["rows"][key] = {**row, "date": machine.today()}
        self.save()

    def save(self) -> None:
        if self.path is not None:
            order = [key for key in rows.BY_KEY if key in self.found["rows"]]
            self.found["rows"] = {key: self.found["rows"][key] for key in order}
            results.save(self.found, self.path)

    def stop(self) -> None:
        for process in self._processes.values():
            process.stop()


class Programs:
    """What was found out so far of programs written for plain NumPy."""

    def __init__(self, config: pytest.Config):
        self.path: Path | None = config.getoption("programs")
        keep = config.getoption("keep") or config.getoption("missing")
        self.found = programs.programs(_old(self.path)) if keep else {}

    def record(self, name: str, found: dict) -> None:
        self.found[name] = {**found, "date": machine.today()}
        if self.path is not None:
            results.save(self._everything(), self.path)

    def _everything(self) -> dict:
        about = machine.description()
        versions = {"autotrace": autotrace.__version__, "NumPy": about["numpy"]}
        return {
            "machine": {name: about[name] for name in ("processor", "cores", "system", "python")},
            "versions": {**versions, "Numba": numba.__version__, "SciPy": about["scipy"]},
            "backend": autotrace.config.backend,
            "load": round(os.getloadavg()[0], 1),
            "fields": {
                title: {p.name: self.found[p.name] for p in module.PROGRAMS if p.name in self.found}
                for title, module in numpy_programs.FIELDS.items()
            },
        }


def _old(path: Path | None) -> dict:
    """An earlier file, or one with nothing in it."""
    return results.load(path) if path and path.exists() else {"rows": {}, "fields": {}}


def pytest_collection_modifyitems(config, items) -> None:
    """Leave out rows that are measured with ``--all`` only, and what was measured."""
    everything = config.getoption("all")
    done: set[str] = set()
    if config.getoption("missing"):
        old = _old(config.getoption("results"))["rows"]
        done = {key for key, row in old.items() if results.median(row, OURS) is not None}
        done |= set(programs.programs(_old(config.getoption("programs"))))
    kept, left = [], []
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        row, program = parameters.get("row"), parameters.get("program")
        out = row and (row.key in done or not (row.default or everything))
        out = out or (program and program.name in done)
        (left if out else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


def pytest_itemcollected(item) -> None:
    item.add_marker(pytest.mark.benchmark(timer=reported_time))


@pytest.fixture
def measure(benchmark, request) -> Callable[..., dict[str, list[float]]]:
    """A function of timers and a number of rounds: what each gave in each round.

    The rounds of the first are also given to pytest-benchmark, which keeps its statistics. Timers
    that fail give NaN.
    """

    def run(
        timers: Mapping[str, timing.Timer], rounds: int, unit: str = "s"
    ) -> dict[str, list[float]]:
        taken: list[dict[str, float]] = []
        session = timing.interleaved(timers)

        def one_round() -> None:
            global _elapsed
            taken.append(next(session))
            first = next(iter(taken[-1].values()), math.nan)
            _elapsed += 1e-9 if math.isnan(first) else first  # of a library that failed

        rounds = min(rounds, request.config.getoption("rounds") or rounds)
        benchmark.pedantic(one_round, rounds=rounds, iterations=1)
        samples = {name: [t[name] for t in taken] for name in timers}
        medians = {name: results.cell(s)["median"] for name, s in samples.items() if _whole(s)}
        benchmark.extra_info.update(medians)
        ours = next(iter(medians.values()), math.nan)
        parts = [
            f"{name} {timing.readable(m, unit)}" + (f" ({ours / m:.2f})" if i and m else "")
            for i, (name, m) in enumerate(medians.items())
        ]
        _lines.append(f"{request.node.name}: " + ", ".join(parts))
        return samples

    return run


def _whole(samples: list[float]) -> bool:
    return not any(map(math.isnan, samples))


@pytest.fixture
def compare(measure) -> Callable:
    """A function ``(jobs, rounds, calls)`` for jobs in this process: the medians."""

    def run(
        jobs: Mapping[str, Callable[[], object]], rounds: int = 15, calls: int = 50
    ) -> dict[str, float]:
        timers = {name: timing.in_process(job, calls) for name, job in jobs.items()}
        return {name: results.cell(s)["median"] for name, s in measure(timers, rounds).items()}

    return run


@pytest.fixture(scope="session")
def session(request) -> Iterator[Session]:
    """What is measured, to be filled by the rows; written after each, where ``--results`` says."""
    session = Session(request.config)
    yield session
    request.config.stash[_SESSION] = session
    session.save()
    session.stop()


@pytest.fixture(scope="session")
def programs_found(request) -> Programs:
    """What is found out of programs; written after each, where ``--programs`` says."""
    return Programs(request.config)


def pytest_terminal_summary(terminalreporter, config) -> None:
    if _lines:
        terminalreporter.section("interleaved medians (ratio: the first to the other)")
        for line in _lines:
            terminalreporter.write_line(line)
    session = config.stash.get(_SESSION, None)
    if session is not None:
        for key, row in session.found["rows"].items():
            for name, cell in row["cells"].items():
                if "fails" in cell:
                    terminalreporter.write_line(f"{TITLES[name]} failed in {key}: {cell['fails']}")
        for name, why in session.found["missing"].items():
            terminalreporter.write_line(f"{TITLES[name]} is left out: {why}")
