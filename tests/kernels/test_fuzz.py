"""Random programs compiled, against their kernels run as plain Python and the NumPy interpreter.

``AUTOTRACE_FUZZ`` multiplies how many programs the slow tests make; they start from the seed
``AUTOTRACE_FUZZ_SEED``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from autotrace.kernels import Program, lowering, source, unrolling
from plain_kernels import run_plainly
from random_programs import Program as RandomProgram
from random_programs import Value, lax_array, number

from autotrace import lax
from autotrace.api.differentiate import grad, jvp
from autotrace.core.trace import get_aval
from autotrace.transforms.backends import Interpreter
from autotrace.transforms.stage import stage

TIMES = int(os.environ.get("AUTOTRACE_FUZZ", "1"))
FIRST = int(os.environ.get("AUTOTRACE_FUZZ_SEED", "1000000"))


class RichProgram(RandomProgram):
    """Also with running folds, indexing by computed positions, and matrix products."""

    def step(self) -> Value | None:
        if self.chance(0.65):
            return super().step()
        kinds = ("running", "running", "gather", "gather", "scatter", "window", "product")
        return getattr(self, str(self.rng.choice(kinds)))()

    def sized(self, test: Callable[[Value], bool] = lambda v: True) -> Any:
        """A value of at least one dimension, none of them empty."""
        return self.pick(lambda v: v.shape and 0 not in v.shape and v.kind != "bool" and test(v))

    def running(self) -> Value | None:
        choice = int(self.rng.integers(6))
        wanted = ("float64", "float32") if choice >= 3 else ("float64", "float32", "int64", "int32")
        v = self.sized(lambda v: v.kind in wanted)
        if v is None:
            return None
        axis = int(self.rng.integers(len(v.shape)))
        n, options = v.shape[axis], {"reverse": self.chance(0.4)}
        if choice == 0 and not self.smooth:
            return Value(lax.cummax(v.x, axis, **options), v.size, v.error)
        if choice == 1 and not self.smooth:
            return Value(lax.cummin(v.x, axis, **options), v.size, v.error)
        if not v.is_float:
            return Value((lax.cumsum if choice else lax.cumprod)(v.x, axis, **options))
        v = self.tame(v)
        if choice <= 2:
            error = n * v.error + n**2 * 4 * v.eps * v.size
            return Value(lax.cumsum(v.x, axis, **options), n * v.size, error)
        if choice == 3:
            near_one = lax.add(lax.mul(lax.tanh(v.x), number(v, 0.01)), number(v, 1.0))
            error = n * 1.01**n * (0.01 * v.error + 8 * v.eps)
            return Value(lax.cumprod(near_one, axis, **options), 1.01**n, error)
        if choice == 4:
            size = v.size + math.log(n) + 1
            error = v.error + 16 * n * v.eps * size
            return Value(lax.cumlogsumexp(v.x, axis, **options), size, error)
        factor = lax.tanh(v.x)
        error = n * (v.error + n * v.size * (v.error + 8 * v.eps))
        return Value(lax.linear_recurrence(factor, v.x, axis, **options), n * v.size, error)

    def positions(self, shape: tuple[int, ...], low: int, high: int) -> Any:
        """Whole numbers between bounds: constants, or made of the program's values."""
        v = self.pick(lambda v: v.kind == "int64")
        if v is None or self.smooth or self.chance(0.3):
            return self.rng.integers(low, high + 1, shape)
        x = lax.clamp(np.int64(low), v.x, np.int64(high))
        x = lax.reshape(x, (math.prod(v.shape),))
        if not x.shape[0]:
            return self.rng.integers(low, high + 1, shape)
        take = self.rng.integers(0, x.shape[0], shape)
        return lax.gather(x, [take], (0,))

    def indices(self, v: Value) -> tuple[list[Any], tuple[int, ...], str]:
        """Index arrays for some dimensions of a value, and what to do out of bounds."""
        rank = len(v.shape)
        count = int(self.rng.integers(1, min(rank, 2) + 1))
        axes = tuple(sorted(map(int, self.rng.choice(rank, count, replace=False))))
        shape = tuple(map(int, self.rng.integers(1, 4, int(self.rng.integers(0, 3)))))
        mode = str(self.rng.choice(("raise", "clip", "wrap", "out")))
        far = 0 if mode == "raise" else 3
        return (
            [self.positions(shape, -v.shape[a] - far, v.shape[a] - 1 + far) for a in axes],
            axes,
            mode,
        )

    def gather(self) -> Value | None:
        v = self.sized()
        if v is None:
            return None
        indices, axes, mode = self.indices(v)
        if mode == "out":
            mode = "zero" if v.is_float or self.chance(0.5) else "fill"
        return Value(lax.gather(v.x, indices, axes, mode=mode), v.size, v.error)

    def scatter(self) -> Value | None:
        v = self.sized(lambda v: v.kind != "complex128")
        if v is None:
            return None
        v = self.tame(v) if v.is_float else v
        indices, axes, mode = self.indices(v)
        mode = "drop" if mode == "out" else mode
        source = [np.zeros(np.shape(i), np.int64) for i in indices]
        updates = lax.gather(v.x, source, axes)
        op = str(self.rng.choice(("set", "add", "min", "max")))
        if self.smooth and op in ("min", "max"):
            op = "add"
        count = 1 + math.prod(np.shape(indices[0])) if op == "add" else 1
        made = lax.scatter(v.x, indices, updates, axes, op=op, mode=mode)
        eps = v.eps if v.is_float and op == "add" else 0.0
        error = count * (v.error + count * eps * v.size)
        return Value(made, count * v.size, error)

    def window(self) -> Value | None:
        v = self.sized()
        if v is None:
            return None
        sizes = [int(self.rng.integers(1, n + 1)) for n in v.shape]
        starts = [self.positions((), -1, n) for n in v.shape]
        part = lax.dynamic_slice(v.x, starts, sizes)
        if self.chance(0.5):
            return Value(part, v.size, v.error)
        starts = [self.positions((), -1, n) for n in v.shape]
        return Value(lax.dynamic_update_slice(v.x, part, starts), v.size, v.error)

    def product(self) -> Value | None:
        v = self.pick(lambda v: v.is_float and len(v.shape) >= 1)
        if v is None:
            return None
        v = self.tame(v)
        rank = len(v.shape)
        dims = list(map(int, self.rng.permutation(rank)))
        batch = sorted(dims[: int(self.rng.integers(0, rank))])
        contracted = [d for d in dims if d not in batch][: int(self.rng.integers(0, 3))]
        other = lax.sin(v.x)
        made = lax.dot_general(v.x, other, ((contracted, contracted), (batch, batch)))
        n = max(1, math.prod(v.shape[d] for d in contracted))
        error = n * (v.size * (v.error + 8 * v.eps) + v.error + 4 * n * v.eps * v.size)
        return Value(made, n * v.size, error)


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


def check_program(
    seed: int, plainly: bool = False, kind: type[RandomProgram] = RandomProgram, **options: Any
) -> None:
    made = kind(seed, special=seed % 4 == 0, **options)
    jaxpr = staged(made.run, made.inputs)
    compiled, interpreter = Program(jaxpr), Interpreter(jaxpr)
    before = [np.array(x) for x in made.inputs]
    found = compiled(*made.inputs)
    right = interpreter(*map(lax_array, made.inputs))
    check_same(found, right, made.errors)
    for x, y in zip(made.inputs, before, strict=True):
        np.testing.assert_array_equal(x, y)
    kept = [np.array(x) for x in found]
    # Other layouts are other loops, which may add in another order.
    again = compiled(*(made.layout(np.array(x)) for x in made.inputs))
    check_same(again, right, made.errors)
    check_same(found, kept, [0.0] * len(kept))
    if plainly:
        check_same(run_plainly(compiled, made.inputs), found, made.errors)


def check_derivatives(
    seed: int, plainly: bool = False, kind: type[RandomProgram] = RandomProgram, **options: Any
) -> None:
    """The derivatives of a program: the error of one is not bounded as that of a value is, but
    programs are short and their operations smooth."""
    options = {"length": (1, 4), **options}
    made = kind(seed, kinds=("float64",), smooth=True, constants=False, **options)
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
    compiled = Program(jaxpr)
    found, right = compiled(*inputs), Interpreter(jaxpr)(*inputs)
    tolerances = [1e-8 * max(1, np.abs(x).max(initial=0)) for x in right]
    check_same(found, right, tolerances)
    if plainly:
        check_same(run_plainly(compiled, inputs), right, tolerances)


def check_batch(check: Callable[..., None], first: int, count: int, **options: Any) -> None:
    """So many programs from a seed on; every fourth one also as plain Python."""
    for seed in range(first, first + count):
        try:
            check(seed, plainly=seed % 4 == 1, **options)
        except BaseException as error:
            error.add_note(f"{check.__name__}({seed}, plainly={seed % 4 == 1}, **{options})")
            raise


SMALL = {"length": (1, 5)}
LONG = {"length": (15, 40)}
RICH = {"length": (1, 5), "kind": RichProgram}


@pytest.mark.parametrize("batch", range(6))
def test_small_programs(batch):
    check_batch(check_program, 100_000 + 50 * batch, 50, **SMALL)


@pytest.mark.parametrize("batch", range(4))
def test_programs(batch):
    check_batch(check_program, 50 * batch, 50)


@pytest.mark.parametrize("batch", range(3))
def test_programs_with_indexing_scans_and_products(batch):
    check_batch(check_program, 160_000 + 50 * batch, 50, **RICH)


@pytest.mark.parametrize("batch", range(3))
def test_long_programs(batch):
    check_batch(check_program, 110_000 + 10 * batch, 10, **LONG)


@pytest.mark.parametrize("batch", range(2))
def test_programs_of_scalars(batch):
    check_batch(check_program, 120_000 + 50 * batch, 50, rank=0)


@pytest.mark.parametrize("batch", range(2))
def test_small_blocks(batch, monkeypatch):
    monkeypatch.setattr(source, "_BLOCK", 3)
    check_batch(check_program, 130_000 + 25 * batch, 25)


@pytest.fixture
def unrolled(monkeypatch):
    """Have dimensions that are not small be so few as programs have, and rows as long."""
    monkeypatch.setattr(unrolling, "_LONG_FROM", 2)
    monkeypatch.setattr(unrolling, "_gain", lambda eqn: 1)
    monkeypatch.setattr(lowering, "TINY_UP_TO", 1)
    monkeypatch.setattr(lowering, "_ROWS_UP_TO", 1000)


def test_unrolled_programs(unrolled):
    check_batch(check_program, 190_000, 8, length=(2, 10))
    check_batch(check_program, 200_000, 6, kind=RichProgram, length=(1, 6))
    check_batch(check_derivatives, 210_000, 2)


@pytest.mark.parametrize("batch", range(8))
def test_derivatives_of_small_programs(batch):
    check_batch(check_derivatives, 140_000 + 50 * batch, 50)


@pytest.mark.parametrize("batch", range(4))
def test_derivatives_of_programs_of_scalars(batch):
    check_batch(check_derivatives, 170_000 + 50 * batch, 50, rank=0)


@pytest.mark.parametrize("batch", range(4))
def test_derivatives_with_indexing_scans_and_products(batch):
    check_batch(check_derivatives, 180_000 + 25 * batch, 25, kind=RichProgram)


@pytest.mark.parametrize("batch", range(2))
def test_derivatives(batch):
    check_batch(check_derivatives, 150_000 + 10 * batch, 10, length=(4, 8))


# --- hours of it, on demand ---------------------------------------------------------------------

TASKS: dict[str, tuple[Callable[..., None], int, dict[str, Any]]] = {
    "small": (check_program, 1000, SMALL),
    "medium": (check_program, 500, {}),
    "rich": (check_program, 500, {"kind": RichProgram}),
    "long": (check_program, 100, LONG),
    "long and rich": (check_program, 100, {"kind": RichProgram, **LONG}),
    "scalars": (check_program, 200, {"rank": 0}),
    "derivatives of small": (check_derivatives, 500, {}),
    "derivatives of rich": (check_derivatives, 200, {"kind": RichProgram}),
    "derivatives": (check_derivatives, 200, {"length": (4, 8)}),
    "derivatives of scalars": (check_derivatives, 200, {"rank": 0, "length": (2, 8)}),
}


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(10))
@pytest.mark.parametrize("task", TASKS)
def test_many(task, batch):
    check, count, options = TASKS[task]
    count = max(1, count * TIMES // 10)
    check_batch(check, FIRST + batch * count, count, **options)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_many_unrolled(task, unrolled):
    check, count, options = TASKS[task]
    check_batch(check, FIRST, max(1, count * TIMES // 10), **options)


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_many_with_small_blocks(block, monkeypatch):
    monkeypatch.setattr(source, "_BLOCK", block)
    check_batch(check_program, FIRST, 100 * TIMES, kind=RichProgram)
