"""Programs written for plain NumPy run under ``jit`` and ``grad`` and give what NumPy gives."""

from __future__ import annotations

import copy

import numpy as np
import numpy_programs
import pytest
from program_checks import gradient, right_gradient, same_results

import autotrace


def parameters(programs):
    return pytest.mark.parametrize("program", programs, ids=lambda p: p.name)


programs = parameters(numpy_programs.ALL)
differentiable = parameters([p for p in numpy_programs.ALL if p.wrt])


@programs
def test_jitted(program):
    """With the same function: other branches and trip counts the second time, then as before."""
    function = program.function
    jitted = autotrace.jit(function)
    before = copy.deepcopy((program.inputs, program.others))
    for inputs in (program.inputs, program.others, program.inputs):
        same_results(jitted(*inputs), function(*inputs))
    for now, then in zip((program.inputs, program.others), before, strict=True):
        for x, y in zip(now, then, strict=True):
            np.testing.assert_array_equal(x, y)


@differentiable
def test_gradient(program):
    """Un-jitted, where Python's control flow runs on numbers."""
    function = program.function
    for inputs in (program.inputs, program.others):
        right_gradient(gradient(function, program), function, program, inputs)


@differentiable
def test_jitted_gradient(program):
    function = program.function
    jitted = autotrace.jit(gradient(function, program))
    for inputs in (program.inputs, program.others, program.inputs):
        right_gradient(jitted, function, program, inputs)


@differentiable
def test_value_while_differentiated(program):
    function = program.function

    def of_some(*some):
        # What comes from outside is no argument: copies, which programs may assign to.
        args = [np.array(x) if isinstance(x, np.ndarray) else x for x in program.inputs]
        for place, x in zip(program.wrt, some, strict=True):
            args[place] = x
        return function(*args)

    primals = tuple(program.inputs[i] for i in program.wrt)
    values, _ = autotrace.jvp(of_some, primals, tuple(np.ones(np.shape(x)) for x in primals))
    same_results(values, function(*program.inputs))
