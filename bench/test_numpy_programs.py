"""Programs written for plain NumPy, jitted, beside themselves: what the page on them says."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
import warnings

import numpy_programs
import pytest
from program_checks import gradient, right_gradient, same_results

import autotrace as at
from bench import results, timing, workers
from bench.programs import NO, NONE, WAYS, YES

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
    if not rounds:
        return {}
    with tempfile.TemporaryDirectory() as kept:
        cold, warm = [first_call(program, kept)], []
        for _ in range(rounds):
            warm.append(first_call(program, kept))
        for _ in range(rounds - 1):
            with tempfile.TemporaryDirectory() as empty:
                cold.append(first_call(program, empty))
    return {name: results.cell(taken)["median"] for name, taken in (("cold", cold), ("warm", warm))}


def attempt(found, way, check, function):
    """Note whether a check passes with a program as it is."""
    try:
        check(function)
        found["runs"][way] = YES
    except Exception as error:
        found["problems"][way] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        found["runs"][way] = NO


@pytest.mark.parametrize("program", numpy_programs.ALL, ids=lambda p: p.name)
def test_program(program, compare, programs_found, request):
    found = {
        "title": program.title,
        "runs": dict.fromkeys(WAYS, NONE),
        "problems": {},
        "paths": None,
        "rounds": min(ROUNDS, request.config.getoption("rounds") or ROUNDS),
        "seconds": {},
    }
    made: dict = {}
    function = program.function
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attempt(found, "jit", check_jit(program, made), function)
        if program.wrt:
            for way, transform in (("grad", lambda g: g), ("jit(grad)", at.jit)):
                attempt(found, way, check_gradient(program, way, transform, made), function)
        if found["runs"]["jit"] == YES:
            found["paths"] = made["jit"].stats()["paths"]
            jobs = {"jitted": made["jit"], "plain": function}
            if found["runs"]["jit(grad)"] == YES:
                jobs["gradient"] = made["jit(grad)"]
            found["seconds"] = seconds(jobs, program.inputs, compare)
            found["seconds"] |= first_calls(program, request.config.getoption("first_calls"))
    programs_found.record(program.name, found)


def seconds(jobs, inputs, compare):
    """The median of each job's calls."""
    timed = {name: functools.partial(job, *inputs) for name, job in jobs.items()}
    longest = max(timing.seconds_of(job) for job in timed.values())
    return compare(timed, ROUNDS, min(max(int(TURN / longest), 1), MOST_CALLS))
