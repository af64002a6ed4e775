"""Programs written for plain NumPy, jitted, beside themselves: the rows of the page on them."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import warnings

import numpy_programs
import pytest
from program_checks import gradient, right_gradient, same_results

import autotrace as at
from bench import timing, workers
from bench.programs import NO, NONE, Facts

ROUNDS, FIRST_CALLS = 15, 3
#: A turn lasts about so long, in seconds.
TURN = 0.005
MOST_CALLS = 2000


def check_jit(program, found):
    def check(function):
        jitted = at.jit(function)
        for inputs in (program.inputs, program.others, program.inputs):
            same_results(jitted(*inputs), function(*inputs))
        found.append(jitted)

    return check


def check_gradient(program, transform):
    def check(function):
        derivative = transform(gradient(function, program))
        for inputs in (program.inputs, program.others):
            right_gradient(derivative, function, program, inputs)

    return check


def first_call(program, folder):
    """Seconds of the first call in a new process, with a folder for compiled code."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.first_call", program.name],
        cwd=workers.ROOT,
        env={
            **workers.environment(),
            **workers.SETTINGS,
            **workers.disk_caches(folder),
            "PYTHONPATH": str(workers.ROOT / "tests"),
        },
        check=True,
        capture_output=True,
        text=True,
        timeout=workers.TIME_LIMIT,
    )
    return float(done.stdout)


def first_calls(program, rounds):
    """The medians without and with what an earlier process left."""
    with tempfile.TemporaryDirectory() as kept:
        cold, warm = [first_call(program, kept)], []
        for _ in range(rounds):
            warm.append(first_call(program, kept))
        for _ in range(rounds - 1):
            with tempfile.TemporaryDirectory() as empty:
                cold.append(first_call(program, empty))
    return statistics.median(cold), statistics.median(warm)


@pytest.mark.parametrize("program", numpy_programs.ALL, ids=lambda p: p.name)
def test_program(program, compare, programs_page, request):
    facts = Facts(dict.fromkeys(("jit", "grad", "jit(grad)"), NONE))
    found: list = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        facts.attempt("jit", check_jit(program, found), program)
        if program.wrt:
            facts.attempt("grad", check_gradient(program, lambda g: g), program)
            facts.attempt("jit(grad)", check_gradient(program, at.jit), program)
        programs_page.facts[program.name] = facts
        if facts.runs["jit"] == NO:
            pytest.skip(facts.problems["jit"])

        function, jitted, inputs = program.changed or program.function, found[-1], program.inputs
        facts.paths = jitted.stats()["paths"]
        jobs = {"jitted": lambda: jitted(*inputs), "NumPy": lambda: function(*inputs)}
        if facts.runs["jit(grad)"] not in (NO, NONE):
            derivative = at.jit(gradient(function, program))
            jobs["gradient"] = lambda: derivative(*inputs)
        seconds = max(timing.seconds_of(job) for job in jobs.values())
        calls = min(max(int(TURN / seconds), 1), MOST_CALLS)
        medians = compare(jobs, ROUNDS, calls)
    facts.jitted, facts.plain = medians["jitted"], medians["NumPy"]
    facts.gradient = medians.get("gradient")
    facts.cold, facts.warm = first_calls(
        program, min(FIRST_CALLS, request.config.getoption("rounds") or FIRST_CALLS)
    )
