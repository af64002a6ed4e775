"""Random programs through the Numba backend, against the NumPy interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from autotrace.kernels import Program, source
from plain_kernels import run_plainly
from random_programs import Program as RandomProgram
from random_programs import lax_array

from autotrace import lax
from autotrace.api.differentiate import grad, jvp
from autotrace.core.trace import get_aval
from autotrace.transforms.backends import Interpreter
from autotrace.transforms.stage import stage

BATCHES, EACH = 10, 12


def staged(function: Any, args: Any) -> Any:
    return stage(function, [get_aval(lax_array(a)) for a in args])


def check_same(found: list[Any], right: list[Any], tolerances: list[float]) -> None:
    assert len(found) == len(right)
    for a, b, tolerance in zip(found, right, tolerances, strict=True):
        assert np.shape(a) == np.shape(b)
        assert a.dtype == b.dtype
        if not tolerance or a.dtype.kind not in "fc":
            np.testing.assert_array_equal(a, b)
            continue
        a, b = np.asarray(a), np.asarray(b)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(all="ignore"):
            near = np.abs(a - b) <= tolerance
        assert (same | near).all(), (a, b, tolerance)


def check_program(seed: int, plainly: bool = False, **options: Any) -> None:
    made = RandomProgram(seed, special=seed % 4 == 0, **options)
    jaxpr = staged(made.run, made.inputs)
    compiled, interpreter = Program(jaxpr), Interpreter(jaxpr)
    before = [np.array(x) for x in made.inputs]
    found = compiled(*made.inputs)
    right = interpreter(*map(lax_array, made.inputs))
    check_same(found, right, made.errors)
    for x, y in zip(made.inputs, before, strict=True):
        np.testing.assert_array_equal(x, y)
    kept = [np.array(x) for x in found]
    again = compiled(*(made.layout(np.array(x)) for x in made.inputs))
    check_same(again, kept, [0.0] * len(kept))
    check_same(found, kept, [0.0] * len(kept))
    if plainly:
        check_same(run_plainly(compiled, made.inputs), found, made.errors)


def check_batch(batch: int, each: int = EACH, **options: Any) -> None:
    for seed in range(batch * each, (batch + 1) * each):
        try:
            check_program(seed, **options)
        except BaseException as error:
            error.add_note(f"program {seed} of {options}")
            raise


@pytest.mark.parametrize("batch", range(BATCHES))
def test_programs(batch):
    check_batch(batch)


@pytest.mark.parametrize("batch", range(3))
def test_plain_python(batch):
    check_batch(1000 + batch, plainly=True)


@pytest.mark.parametrize("batch", range(3))
def test_long_programs(batch):
    check_batch(1100 + batch, each=4, length=(15, 40))


@pytest.mark.parametrize("batch", range(2))
def test_small_blocks(batch, monkeypatch):
    monkeypatch.setattr(source, "_BLOCK", 3)
    check_batch(1200 + batch, plainly=True)


@pytest.mark.parametrize("batch", range(2))
def test_scalars(batch):
    check_batch(1300 + batch, rank=0)


def check_derivatives(seed: int) -> None:
    """The derivatives of a program: the error of one is not bounded as that of a value is, but
    programs are short and their operations smooth."""
    made = RandomProgram(seed, length=(2, 6), kinds=("float64",), smooth=True, constants=False)
    inputs = [lax_array(x) for x in made.inputs]
    rng = np.random.default_rng(seed)
    tangents = [np.asarray(rng.normal(size=np.shape(x)))[()] for x in inputs]

    def scalar(*args: Any) -> Any:
        total = np.float64(0)
        for x in made.run(*args):
            if x.dtype == np.float64:
                x = lax.reduce_sum(lax.sin(x), tuple(range(len(x.shape))))
                total = lax.add(x, total)
        return total

    def both(*args: Any) -> list[Any]:
        _, tangent = jvp(scalar, args, tuple(tangents))
        return [tangent, *grad(scalar, argnums=tuple(range(len(args))))(*args)]

    jaxpr = staged(both, inputs)
    found, right = Program(jaxpr)(*inputs), Interpreter(jaxpr)(*inputs)
    check_same(found, right, [1e-8 * max(1, np.abs(x).max(initial=0)) for x in right])


@pytest.mark.parametrize("batch", range(3))
def test_derivatives(batch):
    for seed in range(batch * 5, (batch + 1) * 5):
        try:
            check_derivatives(seed)
        except BaseException as error:
            error.add_note(f"program {seed}")
            raise


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(100))
def test_many_programs(batch):
    check_batch(2000 + batch, each=45, plainly=batch % 4 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(50))
def test_many_long_programs(batch):
    check_batch(3000 + batch, each=10, length=(15, 40))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(20))
def test_many_small_blocks(batch, monkeypatch):
    monkeypatch.setattr(source, "_BLOCK", 3)
    check_batch(4000 + batch, each=45, plainly=batch % 2 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(100))
def test_many_derivatives(batch):
    for seed in range(1000 + 5 * batch, 1005 + 5 * batch):
        try:
            check_derivatives(seed)
        except BaseException as error:
            error.add_note(f"program {seed}")
            raise
