"""A compiled program can be read at each stage, and the backend chosen in several ways."""

import os
import subprocess
import sys

import numpy as np
import pytest

import autotrace as at


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_stages_of_a_program():
    lowered = at.jit(lambda x: np.nextafter(softmax(x), 9.0), backend="numba").lower(
        np.ones((3, 5))
    )
    fusion = lowered.as_text("fusion").splitlines()
    steps = [line for line in fusion if not line.startswith("memory")]
    assert steps[-1].startswith("host step nextafter")
    assert all(line.startswith("kernel over (3, 5)") for line in steps[:-1])
    assert "1 max" in fusion[0] and "1 sum" in fusion[1]
    source = lowered.as_text("source")
    assert "# { lambda" in source and "def loops(" in source and "vm_exp" in source
    assert "define" in lowered.as_text("llvm")
    assert "ret" in lowered.as_text("asm")
    with pytest.raises(ValueError, match="jaxpr, simplified, fusion, source, llvm, asm"):
        lowered.as_text("nothing")


def test_fusion_of_nothing():
    assert at.jit(lambda x: x, backend="numba").lower(1.0).as_text("fusion") == "nothing to compute"


def test_a_chain_is_one_kernel():
    f = at.jit(lambda x: np.sum(np.tanh(np.sin(x) * 2 + 1) ** 2), backend="numba")
    assert f.lower(np.ones(7)).as_text("fusion").count("kernel over") == 1


def test_the_configured_backend_is_used():
    f = at.jit(lambda x: np.sin(x) * 2)
    x = np.linspace(0, 1, 5)
    for backend, text in [("numpy", "def run"), ("numba", "def loops"), ("numpy", "def run")]:
        with at.config.override("backend", backend):
            assert text in f.lower(x).as_text("source")
            np.testing.assert_allclose(f(x), np.sin(x) * 2, rtol=1e-15)


def test_compiled_programs_are_the_default():
    code = "import autotrace; print(autotrace.config.backend)"
    env = {k: v for k, v in os.environ.items() if k != "AUTOTRACE_BACKEND"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert done.stdout.strip() == b"numba"


def test_debug_nans_names_the_line_in_compiled_code():
    f = at.jit(lambda x: np.log(x) * 2, backend="numba")
    with at.debug_nans(), pytest.raises(at.NanError, match=r"log made a NaN.*\n.*test_describe"):
        f(np.array([-1.0, 1.0]))
