"""Random nests of loops and branches against the same programs with Python's loops and ifs.

``AUTOTRACE_FUZZ`` multiplies how many programs the slow tests make; they start from the seed
``AUTOTRACE_FUZZ_SEED``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from control_programs import UNROLLED, ControlProgram

import autotrace as at
import autotrace.numpy as anp
from autotrace import lax

TIMES = int(os.environ.get("AUTOTRACE_FUZZ", "1"))
FIRST = int(os.environ.get("AUTOTRACE_FUZZ_SEED", "2000000"))
BACKENDS = ("numpy", "numba")
#: A float nearer to what it is compared with may be on the other side of it elsewhere.
MARGIN = {True: 1e-9, False: 1e-3}
TOLERANCE = {True: 1e-11, False: 2e-4}
STEP = 1e-5


class UnclearError(Exception):
    """A float was too near to what it was compared with, so that rounding or a small step might
    decide how often a loop turns."""


def lane(args: Sequence[Any], axes: Sequence[int | None], index: int) -> list[Any]:
    """What a function of a batch gets for one example."""
    return [
        x if axis is None else np.take(x, index, axis) for x, axis in zip(args, axes, strict=True)
    ]


def assert_same(found: Sequence[Any], right: Sequence[Any], tolerance: float) -> None:
    assert len(found) == len(right)
    for x, y in zip(found, right, strict=True):
        assert np.shape(x) == np.shape(y)
        assert x.dtype == y.dtype
        if x.dtype.kind == "f":
            np.testing.assert_allclose(x, y, rtol=0, atol=tolerance)
        else:
            np.testing.assert_array_equal(x, y)


class Case:
    """A program, its results with Python's loops, and random batches and directions for it."""

    def __init__(self, seed: int, margin: float = 0.0, **options: Any):
        self.program = ControlProgram(seed, **options)
        exact = self.program.is_exact
        self.tolerance = TOLERANCE[exact]
        self.margin = margin or MARGIN[exact]
        self.inputs = self.program.inputs
        self.rng = np.random.default_rng(seed + 1)
        self.floats = tuple(i for i, x in enumerate(self.inputs) if x.dtype.kind == "f")

    def run(self, *args: Any) -> list[Any]:
        return self.program.run(lax, *args)

    def unrolled(self, *args: Any) -> list[Any]:
        """Raises UnclearError."""
        self.program.margins.clear()
        outs = self.program.run(UNROLLED, *args)
        if min(self.program.margins, default=1.0) < self.margin:
            raise UnclearError
        return outs

    def loss(self, control: Any) -> Callable:
        """A scalar function of the program's floats, whose gradient has entries below 1."""

        def scalar(*floats: Any) -> Any:
            args = list(self.inputs)
            for place, x in zip(self.floats, floats, strict=True):
                args[place] = x
            total = np.float64(0)
            for place, x in enumerate(self.program.run(control, *args)):
                if x.dtype.kind == "f":
                    weights = np.cos(np.arange(x.size, dtype=x.dtype) + place).reshape(x.shape)
                    total = total + anp.sum(weights * x) / max(x.size, 1)
            return total

        return scalar

    def points(self) -> list[Any]:
        return [self.inputs[i] for i in self.floats]

    def directions(self) -> list[Any]:
        return [
            np.asarray(self.rng.uniform(-1, 1, np.shape(x)), x.dtype)[()] for x in self.points()
        ]

    def batch(self, size: int = 3) -> tuple[list[Any], tuple[int | None, ...]]:
        """Arguments for so many examples of random inputs, one at least batched; and its axes."""
        args, axes = [], []
        for place, x in enumerate(self.inputs):
            axis = int(self.rng.integers(x.ndim + 1))
            if place and self.rng.random() < 0.3:
                args.append(x)
                axes.append(None)
                continue
            rows = [self.program.data(self.rng, x.shape, x.dtype.name) for _ in range(size)]
            args.append(np.stack([x, *rows[1:]], axis))
            axes.append(axis)
        return args, tuple(axes)


# --- the checks ---------------------------------------------------------------------------------


def check_value(seed: int, **options: Any) -> None:
    """Eager, and jitted on both backends, twice with other inputs."""
    case = Case(seed, **options)
    args, axes = case.batch(2)
    jitted = [at.jit(case.run, backend=backend) for backend in BACKENDS]
    for index in range(2):
        inputs = lane(args, axes, index)
        right = case.unrolled(*inputs)
        for run in [case.run, *jitted]:
            assert_same(run(*inputs), right, case.tolerance)


def check_batched(seed: int, **options: Any) -> None:
    """Under vmap, and under jit of it: against each example alone."""
    case = Case(seed, **options)
    args, axes = case.batch()
    rows = [case.unrolled(*lane(args, axes, i)) for i in range(3)]
    right = [np.stack(column) for column in zip(*rows, strict=True)]
    many = at.vmap(case.run, in_axes=axes)
    assert_same(many(*args), right, case.tolerance)
    backend = BACKENDS[seed % 2]
    assert_same(at.jit(many, backend=backend)(*args), right, case.tolerance)


def check_gradient(seed: int, **options: Any) -> None:
    """Reverse mode against that of Python's loops, forward mode and differences; jitted, batched,
    and behind a jit."""
    case = Case(seed, margin=10 * STEP, **options)
    case.unrolled(*case.inputs)
    points, directions = case.points(), case.directions()
    argnums = tuple(range(len(points)))
    loss, plain = case.loss(lax), case.loss(UNROLLED)
    right = at.grad(plain, argnums)(*points)
    gradient = at.grad(loss, argnums)
    assert_same(gradient(*points), right, case.tolerance)
    backend = BACKENDS[seed % 2]
    assert_same(at.jit(gradient, backend=backend)(*points), right, case.tolerance)
    inside = at.grad(at.jit(loss, backend=backend), argnums)
    assert_same(inside(*points), right, case.tolerance)

    slope = sum(np.sum(g * d) for g, d in zip(right, directions, strict=True))
    _, forward = at.jvp(loss, tuple(points), tuple(directions))
    np.testing.assert_allclose(forward, slope, rtol=0, atol=10 * case.tolerance)
    if case.program.is_exact:
        ahead, behind = (
            plain(*(x + h * d for x, d in zip(points, directions, strict=True)))
            for h in (STEP, -STEP)
        )
        difference = (ahead - behind) / (2 * STEP)
        np.testing.assert_allclose(slope, difference, rtol=0, atol=1e-6)


def check_batched_gradient(seed: int, **options: Any) -> None:
    """vmap of grad and grad of vmap, against each example alone."""
    case = Case(seed, **options)
    points = case.points()
    argnums = tuple(range(len(points)))
    rows = [
        [p, *(case.program.data(case.rng, p.shape, p.dtype.name) for _ in "12")] for p in points
    ]
    stacks = [np.stack(r) for r in rows]
    plain = at.grad(case.loss(UNROLLED), argnums)
    for index in range(3):
        args = list(case.inputs)
        for place, stack in zip(case.floats, stacks, strict=True):
            args[place] = stack[index]
        case.unrolled(*args)
    each = [plain(*(s[index] for s in stacks)) for index in range(3)]
    right = [np.stack(column) for column in zip(*each, strict=True)]
    many = at.vmap(at.grad(case.loss(lax), argnums))
    assert_same(many(*stacks), right, case.tolerance)
    backend = BACKENDS[seed % 2]
    assert_same(at.jit(many, backend=backend)(*stacks), right, case.tolerance)
    of_sum = at.grad(lambda *xs: anp.sum(at.vmap(case.loss(lax))(*xs)), argnums)
    assert_same(of_sum(*stacks), right, case.tolerance)


def check_second(seed: int, **options: Any) -> None:
    """The derivative of the gradient along a direction, by both modes, and jitted."""
    case = Case(seed, single="float64", **options)
    case.unrolled(*case.inputs)
    points, directions = case.points(), case.directions()
    argnums = tuple(range(len(points)))

    def along(control: Any) -> Callable:
        gradient = at.grad(case.loss(control), argnums)

        def slope(*xs: Any) -> Any:
            parts = zip(gradient(*xs), directions, strict=True)
            return sum((anp.sum(g * d) for g, d in parts), start=np.float64(0))

        return slope

    right = at.grad(along(UNROLLED), argnums)(*points)
    tolerance = 100 * case.tolerance
    assert_same(at.grad(along(lax), argnums)(*points), right, tolerance)
    gradient = at.grad(case.loss(lax), argnums)
    _, forward = at.jvp(gradient, tuple(points), tuple(directions))
    assert_same(forward, right, tolerance)
    jitted = at.jit(at.grad(along(lax), argnums), backend=BACKENDS[seed % 2])
    assert_same(jitted(*points), right, tolerance)


def check_batch(check: Callable[..., None], first: int, count: int, **options: Any) -> None:
    """So many programs from a seed on, but for those where a float is too near to a jump."""
    unclear = 0
    for seed in range(first, first + count):
        try:
            check(seed, **options)
        except UnclearError:
            unclear += 1
        except BaseException as error:
            error.add_note(f"{check.__name__}({seed}, **{options})")
            raise
    assert unclear <= max(2, count // 4)


SMALL = {"depth": 1, "length": (1, 3)}


@pytest.mark.parametrize("check", [check_value, check_batched, check_gradient])
@pytest.mark.parametrize("batch", range(2))
def test_small_programs(check, batch):
    check_batch(check, 100_000 + 100 * batch, 12, **SMALL)


@pytest.mark.parametrize("batch", range(4))
def test_values(batch):
    check_batch(check_value, 100 * batch, 6)


@pytest.mark.parametrize("batch", range(3))
def test_batched(batch):
    check_batch(check_batched, 10_000 + 100 * batch, 5)


@pytest.mark.parametrize("batch", range(4))
def test_gradients(batch):
    check_batch(check_gradient, 20_000 + 100 * batch, 5)


@pytest.mark.parametrize("batch", range(3))
def test_gradients_in_double_precision(batch):
    check_batch(check_gradient, 30_000 + 100 * batch, 5, single="float64")


@pytest.mark.parametrize("batch", range(2))
def test_batched_gradients(batch):
    check_batch(check_batched_gradient, 40_000 + 100 * batch, 5, depth=2)


@pytest.mark.parametrize("batch", range(2))
def test_second_derivatives(batch):
    check_batch(check_second, 50_000 + 100 * batch, 5, depth=2, length=(1, 4))


# --- hours of it, on demand ---------------------------------------------------------------------

TASKS: dict[str, tuple[Callable[..., None], int, dict[str, Any]]] = {
    "small values": (check_value, 200, SMALL),
    "small batched": (check_batched, 200, SMALL),
    "small gradients": (check_gradient, 200, SMALL),
    "values": (check_value, 100, {}),
    "long values": (check_value, 30, {"length": (6, 12)}),
    "batched": (check_batched, 100, {}),
    "gradients": (check_gradient, 100, {}),
    "exact gradients": (check_gradient, 100, {"single": "float64"}),
    "batched gradients": (check_batched_gradient, 50, {}),
    "second derivatives": (check_second, 50, {"depth": 2}),
}


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(10))
@pytest.mark.parametrize("task", TASKS)
def test_many(task, batch):
    check, count, options = TASKS[task]
    count = max(1, count * TIMES // 10)
    check_batch(check, FIRST + batch * count, count, **options)
