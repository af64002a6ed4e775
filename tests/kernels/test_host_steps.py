"""What has no kernel is what docs/compiling.md says."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from autotrace.kernels import Program
from test_rules import EXAMPLES

import autotrace as at
from autotrace.core.primitive import primitives
from autotrace.core.trace import get_aval
from autotrace.transforms.stage import stage

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "compiling.md"

#: Primitives without a kernel for real numbers.
HOST_STEPS = {
    "sort", "top_k", "argmax", "argmin", "gcd", "lcm", "nextafter", "polygamma", "real", "imag",
    "conj", "complex", "pure_callback", "debug_callback",
}  # fmt: skip


def host_steps(name):
    primitive, example = primitives[name], EXAMPLES[name]

    def call(*args):
        out = primitive.bind(*args, **example.params)
        return out if primitive.multiple_results else [out]

    program = Program(stage(call, [get_aval(x) for x in example.args]))
    return [step.name for step in program.host_steps]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_primitives_have_kernels_or_are_in_the_list(name):
    assert bool(host_steps(name)) == (name in HOST_STEPS), host_steps(name)


def test_the_page_has_the_list():
    text = PAGE.read_text().split("## What runs through NumPy")[1]
    for name in HOST_STEPS:
        assert f"`{name}`" in text or f"`{name.replace('_', '.', 1)}`" in text, name


def test_powers_of_whole_numbers():
    f = at.jit(lambda x, y: x**y, backend="numba")
    args = np.array([2, 3]), np.array([5, 0])
    assert "host step pow" in f.explain(*args)
    np.testing.assert_array_equal(f(*args), [32, 1])


def test_a_checkpoint_is_compiled():
    f = at.jit(at.grad(at.checkpoint(lambda x: np.sum(np.sin(np.sin(x))))), backend="numba")
    x = np.linspace(0, 1, 5)
    assert "host step" not in f.explain(x)
    np.testing.assert_allclose(f(x), np.cos(np.sin(x)) * np.cos(x), rtol=1e-14)
