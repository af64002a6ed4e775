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

ROUNDS = 15
#: A turn lasts about so long, in seconds.
TURN = 0.005
MOST_CALLS = 2000


def check_jit(program, found):
    def check(function):
        found["jit"] = jitted = at.jit(function)
        for inputs in (program.inputs, program.others, program.inputs):
            same_results(jitted(*inputs), function(*inputs))

    return check


def check_gradient(program, way, transform, found):
    def check(function):
        found[way] = derivative = transform(gradient(function, program))
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
            **workers.settings(),
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


def compare_rounds(request) -> int:
    return min(ROUNDS, request.config.getoption("rounds") or ROUNDS)


@pytest.mark.parametrize("program", numpy_programs.ALL, ids=lambda p: p.name)
def test_program(program, compare, programs_page, request):
    facts = Facts(dict.fromkeys(("jit", "grad", "jit(grad)"), NONE))
    programs_page.facts[program.name] = facts
    found: dict = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        facts.attempt("jit", check_jit(program, found), program)
        if program.wrt:
            facts.attempt("grad", check_gradient(program, "grad", lambda g: g, found), program)
            facts.attempt("jit(grad)", check_gradient(program, "jit(grad)", at.jit, found), program)
        if facts.runs["jit"] == NO:
            pytest.skip(facts.problems["jit"])

        jitted, derivative, inputs = found["jit"], found.get("jit(grad)"), program.inputs
        function = jitted.__wrapped__
        facts.paths = jitted.stats()["paths"]
        jobs = {"jitted": lambda: jitted(*inputs), "NumPy": lambda: function(*inputs)}
        if facts.runs["jit(grad)"] not in (NO, NONE):
            jobs["gradient"] = lambda: derivative(*inputs)
        seconds = max(timing.seconds_of(job) for job in jobs.values())
        calls = min(max(int(TURN / seconds), 1), MOST_CALLS)
        medians = compare(jobs, ROUNDS, calls)
    facts.jitted, facts.plain = medians["jitted"], medians["NumPy"]
    facts.gradient = medians.get("gradient")
    facts.rounds = compare_rounds(request)
    count = request.config.getoption("first_calls")
    if count:
        facts.cold, facts.warm = first_calls(program, count)
