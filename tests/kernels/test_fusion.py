"""Plans: what it takes to make one."""

import sys

import numpy as np
import pytest
from autotrace.kernels.expressions import KernelDraft, operations
from autotrace.kernels.fusion import Plan
from autotrace.kernels.lowering import lower

import autotrace as at
from autotrace.transforms.simplify import simplify_jaxpr


def sums(steps):
    def f(x):
        for _ in range(steps):
            x = x * 0.9 + np.sum(x) * 1e-3 * np.sin(x)
        return np.sum(x)

    return f, np.ones(100)


def layers(steps):
    def f(x):
        h = x
        for _ in range(steps):
            h = np.tanh(h @ x)
        return np.sum(h)

    return f, np.ones((20, 20))


def stencils(steps):
    def f(x):
        for _ in range(steps):
            x[1:-1] = x[1:-1] + 0.1 * (x[2:] - 2 * x[1:-1] + x[:-2])
        return np.sum(x)

    return f, np.ones(100)


def calls(jaxpr):
    """How many functions are called and left while a program is planned."""
    count = 0

    def counts(frame, event, argument):
        nonlocal count
        count += 1

    sys.setprofile(counts)
    try:
        plan = Plan(jaxpr, (None,) * len(jaxpr.invars))
        for step in plan.steps:
            if isinstance(step, KernelDraft):
                lower(step, plan.new_array)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("program", [sums, layers, stencils])
def test_work_grows_as_programs_do(program):
    short, long = (
        calls(simplify_jaxpr(at.jit(at.value_and_grad(f)).trace(x).jaxpr))
        for f, x in (program(steps) for steps in (10, 40))
    )
    assert long < 6 * short


def test_each_step_is_made_of_the_one_before():
    def f(x):
        for _ in range(12):
            x = x + 0.01 * np.sin(x) * np.roll(x, 1)
        return x

    jaxpr = simplify_jaxpr(at.jit(f).trace(np.ones(50)).jaxpr)
    plan = Plan(jaxpr, (None,))
    made = [operations(r.expression, 99, step.stored) for step in plan.steps for r in step.roots]
    assert sum(map(len, made)) <= 12 * 6
