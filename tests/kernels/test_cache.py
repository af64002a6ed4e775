"""Kernels on disk: found again by other processes, and never the reason of a failure."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("numba")

PROGRAM = """
import numpy as np, autotrace as at
f = at.jit(lambda x: np.sum(np.tanh(x) ** 2) + np.exp(x[0]) * SCALE, backend="numba")
print(repr(float(f(np.linspace(0, 1, 7)))))
from autotrace.kernels.build import compiled_kernels, loaded_kernels
print(compiled_kernels(), loaded_kernels())
"""


def start(folder, program=PROGRAM, scale="2.0"):
    environment = {**os.environ, "AUTOTRACE_CACHE_DIR": folder}
    return subprocess.Popen(
        [sys.executable, "-c", program.replace("SCALE", scale)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    value, counts = out.splitlines()
    kernels, loaded = map(int, counts.split())
    return float(value), kernels, loaded


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    value, kernels, loaded = finish(start(str(folder)))
    assert kernels > 0 and loaded == 0
    return folder, value, kernels


def test_a_second_process_compiles_nothing(filled):
    folder, value, kernels = filled
    assert finish(start(str(folder))) == (value, kernels, kernels)


def test_another_constant_is_the_same_kernel(filled):
    folder, value, kernels = filled
    other, count, loaded = finish(start(str(folder), scale="3.0"))
    assert other != value and count == loaded == kernels


def test_no_cache(filled):
    _, value, kernels = filled
    assert finish(start("")) == (value, kernels, 0)


def test_processes_at_once(tmp_path, filled):
    _, value, kernels = filled
    processes = [start(str(tmp_path)) for _ in range(3)]
    for process in processes:
        assert finish(process)[:2] == (value, kernels)
    assert finish(start(str(tmp_path))) == (value, kernels, kernels)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".nbc", "truncated"),
        (".nbc", "garbage"),
        (".nbi", "empty"),
        (".nbi", "removed"),
        (".py", "garbage"),
    ],
)
def test_damaged_files(filled, suffix, damage):
    folder, value, kernels = filled
    files = [f for f in folder.rglob(f"*{suffix}") if f.is_file()]
    assert files
    for file in files:
        content = file.read_bytes()
        if damage == "removed":
            file.unlink()
        else:
            new = {"empty": b"", "truncated": content[: len(content) // 2]}
            file.write_bytes(new.get(damage, b"\x93NUMPY garbage" * 20))
    assert finish(start(str(folder)))[:2] == (value, kernels)
    finish(start(str(folder)))  # writes again what the last one removed


def test_a_folder_that_cannot_be_made(tmp_path, filled):
    _, value, kernels = filled
    file = tmp_path / "file"
    file.write_text("")
    assert finish(start(str(file))) == (value, kernels, 0)
