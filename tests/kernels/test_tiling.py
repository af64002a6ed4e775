"""Blocks of rows: which kernels run together, and that they compute what they compute alone."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from autotrace.kernels import Program, fusion, lowering, tiling
from autotrace.kernels.tiling import Group

import autotrace as at
from autotrace import lax
from autotrace.core.jaxpr import Jaxpr
from autotrace.core.trace import get_aval
from autotrace.lax.cumulative import shift
from autotrace.transforms.backends import Interpreter
from autotrace.transforms.stage import stage

#: A size of blocks that no array reaches.
NONE = 1 << 60


def staged(function: Callable[..., Any], *args: Any) -> Jaxpr:
    def flat(*args: Any) -> list[Any]:
        found = function(*args)
        return list(found) if isinstance(found, tuple | list) else [found]

    return stage(flat, [get_aval(x) for x in args])


def blocked(jaxpr: Jaxpr, size: int) -> Program:
    """A program whose blocks of rows touch at most so many bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "_BLOCK_BYTES", size)
        return Program(jaxpr)


def groups(made: Program) -> list[Group]:
    return [step for step in made.steps if isinstance(step, Group)]


def bits(x: Any) -> tuple:
    x = np.asarray(x)
    return x.shape, x.dtype, x.tobytes()


def check(function: Callable[..., Any], *args: Any, threads: int = 1) -> list[list[Group]]:
    """Compare programs of blocks of several sizes with one without and with the interpreter; the
    groups of each."""
    jaxpr = staged(function, *args)
    alone = blocked(jaxpr, NONE)
    assert not groups(alone)
    right = alone(*args)
    for a, b in zip(right, Interpreter(jaxpr)(*args), strict=True):
        assert np.shape(a) == np.shape(b) and a.dtype == b.dtype
        if a.dtype.kind == "f":
            scale = np.abs(np.where(np.isfinite(b), b, 0)).max(initial=1)
            tolerance = (1e-5 if a.dtype == np.float32 else 1e-11) * scale
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)
    found = []
    for size in (1, 300, 1000):
        made = blocked(jaxpr, size)
        assert [low.kernel for low in made.kernels] == [low.kernel for low in alone.kernels]
        with at.threads(threads):
            for _ in range(2):
                for a, b in zip(made(*args), right, strict=True):
                    assert bits(a) == bits(b), f"blocks of {size} bytes"
        found.append(groups(made))
    return found


def randn(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


# --- what runs together -------------------------------------------------------------------------


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, -1, keepdims=True))
    return e / np.sum(e, -1, keepdims=True)


def log_softmax(x: Any) -> Any:
    x = x - np.max(x, -1, keepdims=True)
    return x - np.log(np.sum(np.exp(x), -1, keepdims=True))


def layer_norm(x: Any) -> Any:
    centred = x - np.mean(x, -1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, -1, keepdims=True) + 1e-5)


def normalised(x: Any) -> Any:
    return x / np.sqrt(np.sum(x * x, -1, keepdims=True))


def running(x: Any) -> Any:
    total = np.cumsum(np.exp(x), -1)
    return total / np.max(total, -1, keepdims=True)


def two_norms(x: Any) -> Any:
    return layer_norm(np.tanh(layer_norm(x)) + x)


ROW_WISE = [softmax, log_softmax, layer_norm, normalised, running, two_norms]


@pytest.mark.parametrize("function", ROW_WISE)
@pytest.mark.parametrize("shape", [(2, 9), (37, 13), (5, 4, 7), (64, 1)])
def test_chains_along_rows(function, shape):
    found = check(function, randn(*shape))
    if shape[-1] > 1:
        assert all(found[0])


@pytest.mark.parametrize("function", ROW_WISE)
@pytest.mark.parametrize("shape", [(2, 9), (37, 13), (5, 4, 7)])
def test_gradients_of_chains(function, shape):
    def loss(x: Any) -> Any:
        return np.sum(function(x) * np.cos(x))

    found = check(at.grad(loss), randn(*shape))
    assert all(found[0])


@pytest.mark.parametrize("function", [softmax, layer_norm])
def test_float32_and_threads(function):
    x = randn(41, 11).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lowering, "_SHARE_FROM", 1)
        patch.setattr(lowering, "_PIECE", 1)
        found = check(function, x, threads=3)
    assert all(group.piece for some in found[:1] for group in some)


def test_members_and_rows_of_a_group():
    x = randn(37, 13)
    made = blocked(staged(softmax, x), 1000)
    (group,) = made.steps
    assert isinstance(group, Group)
    assert group.stop == 37
    assert 1 <= group.tile < 37
    assert [low for low, _ in group.members] == made.kernels
    assert group.work == sum(low.work for low in made.kernels)
    # The kernel that divides goes over all elements, 13 for each row, or over rows.
    assert all(low.stop == turns * 37 for low, turns in group.members)


def moved_slots(group: Group) -> set[int]:
    """The slots whose addresses each block of rows moves back."""
    slots = {}
    first = 0
    for low, _ in group.members:
        slots.update({first + at: slot for slot, at, _ in low.patches})
        first += len(low.table)
    return {slots[at] for at, _ in group.moved}


def test_what_only_a_group_uses_lies_in_one_place():
    x = randn(37, 13)
    made = blocked(staged(softmax, x), 1000)
    (group,) = groups(made)
    assert moved_slots(group) == set(made.plan.temporaries)

    def shown(x: Any) -> Any:
        e = np.exp(x - np.max(x, -1, keepdims=True))
        return e / np.sum(e, -1, keepdims=True), np.nextafter(e, 9.0)

    for some in check(shown, x):
        assert some
    made = blocked(staged(shown, x), 1000)
    (group,) = groups(made)
    others = {slot for step in made.steps if step is not group for slot in step.uses()}
    assert others & set(made.plan.temporaries)
    assert moved_slots(group) == set(made.plan.temporaries) - others


def test_many_tables_stay_where_they_are(monkeypatch):
    monkeypatch.setattr(tiling, "_COPIED_UP_TO", 4)
    for some in check(two_norms, randn(37, 13)):
        assert not any(group.moved for group in some)


@pytest.mark.parametrize("shape", [(997,), (41, 7, 3)])
@pytest.mark.parametrize("threads", [1, 2])
def test_folds_in_pieces_belong_to_the_group(shape, threads, monkeypatch):
    """Pieces are rows then, the last of which is shorter."""
    monkeypatch.setattr(fusion, "_HEAVY_UP_TO", 3)  # so that there are several kernels
    monkeypatch.setattr(lowering, "_SHARE_FROM", 100)
    monkeypatch.setattr(lowering, "_PIECE", 100)

    def energy(x: Any) -> Any:
        for step in range(6):
            x = np.sin(x + step) * x
        return np.sum(x)

    x = randn(*shape)
    for some in check(at.value_and_grad(energy), x, threads=threads):
        (group,) = some
        cut = [low for low, _ in group.members if low.cut is not None]
        assert len(group.members) > 2 and cut
        turns, full = cut[0].cut
        assert group.stop == cut[0].stop > 1
        assert full % turns


def test_rows_of_other_pieces_are_no_group(monkeypatch):
    monkeypatch.setattr(lowering, "_SHARE_FROM", 100)
    monkeypatch.setattr(lowering, "_PIECE", 100)
    x, y = randn(300), randn(17, 300)
    check(lambda x, y: (np.sum(np.sin(x)), np.sum(np.cos(y), 0), np.sum(x + y.sum(0))), x, y)


def test_small_blocks_have_a_row():
    (group,) = blocked(staged(softmax, randn(8, 100)), 1).steps
    assert group.tile == 1


def test_what_fits_into_a_block_is_not_grouped():
    jaxpr = staged(softmax, randn(20, 50))
    (group,) = blocked(jaxpr, 10_000).steps
    assert group.tile < 20
    assert not groups(blocked(jaxpr, 100_000))
    assert not groups(Program(jaxpr))


def test_large_arrays_are_grouped_by_default():
    x = randn(1000, 300)
    made = Program(staged(softmax, x))
    assert len(groups(made)) == 1
    text = at.jit(softmax, backend="numba").explain(x)
    assert f"together, {groups(made)[0].tile} of 1000 rows at a time:\n  kernel over" in text
    alone = blocked(staged(softmax, x), NONE)
    assert bits(made(x)[0]) == bits(alone(x)[0])


def test_strided_reads_count_by_what_they_touch():
    """A row of a transposed array is spread over all of it, and is no larger for that."""
    x = randn(50, 4000)
    (group,) = groups(Program(staged(lambda x: softmax(x.T), x)))
    assert 100 < group.tile < 1000


def test_steps_before_and_after_a_group():
    def function(x: Any) -> Any:
        y = softmax(np.nextafter(x, 9.0))
        z = layer_norm(np.nextafter(y * x, 9.0))
        return z, np.sum(z), y @ z.T

    found = check(function, randn(23, 9))
    assert [len(some) for some in found] == [2, 2, 2]


def test_several_groups():
    def function(x: Any, y: Any) -> Any:
        return softmax(x), layer_norm(y)

    found = check(function, randn(8, 15), randn(21, 10))
    assert len(found[0]) >= 1


def test_groups_of_rows_of_rows():
    """Rows of one kernel are several turns of another one."""

    def function(x: Any) -> Any:
        inner = softmax(x)
        total = np.sum(inner * np.cos(x), (1, 2), keepdims=True)
        return inner / total

    found = check(function, randn(6, 5, 7))
    assert found[0]


# --- what must not -------------------------------------------------------------------------------


def from_rows(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A chain along rows, with something that is not in the middle of it. Powers are stored, since
    several kernels use them."""

    def function(x: Any) -> Any:
        y = softmax(x)
        stored = np.exp(y) + np.sum(np.exp(y), -1, keepdims=True)
        moved = change(stored)
        return moved - np.max(moved, -1, keepdims=True), stored

    return function


NOT_ROW_WISE: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda x: np.exp(x.T) * x,
    "reversed rows": lambda x: x[::-1] + x,
    "reversed columns": lambda x: x[:, ::-1] + x,
    "reversed": lambda x: x[::-1, ::-1] * x,
    "next row": lambda x: np.concatenate([x[1:], x[:1]]) + x,
    "previous row": lambda x: np.concatenate([x[-1:], x[:-1]]) * x,
    "roll": lambda x: np.roll(x, 1, 0) + np.roll(x, 1, 1),
    "shifted": lambda x: shift(x, 0) + shift(x, 1),
    "shifted back": lambda x: shift(x, 0, reverse=True) + x,
    "rows gathered": lambda x: np.exp(x[np.arange(12)[::-1]]) + x,
    "elements gathered": lambda x: x[np.arange(12)[:, None], np.arange(12)] + x,
    "gathered by itself": lambda x: x[lax.clamp(0, (x[:, 0] * 7).astype(int), 11)],
    "sum of columns": lambda x: x / np.sum(x, 0),
    "most of columns": lambda x: x - np.max(x, 0, keepdims=True),
    "sum": lambda x: x / np.sum(x),
    "scan of columns": lambda x: np.cumsum(x, 0) * x,
    "scan of columns back": lambda x: np.cumsum(x[::-1], 0)[::-1] * x,
    "the first row": lambda x: x - x[0],
    "the last row": lambda x: x - x[-1:],
    "the first column": lambda x: x - x[:, :1],
    "every other row": lambda x: np.repeat(x[::2], 2, 0) * x,
    "half of the rows": lambda x: np.concatenate([x[:6] * 2, x[6:] + x[:6]]),
    "windows": lambda x: lax.dynamic_update_slice(
        x, lax.dynamic_slice(x, ((x[0, 0] * 3).astype(int), 0), (5, 12)), (4, 0)
    ),
    "scattered": lambda x: lax.scatter_add(x, [np.arange(12)[::-1]], x, (0,)),
    "reshaped": lambda x: np.exp(x.reshape(6, 24)).reshape(12, 12) + x,
    "padded": lambda x: lax.pad(x, x[0, 0], [(1, -1, 0), (0, 0, 0)]) + x,
    "product": lambda x: x @ x + x,
    "sorted": lambda x: np.sort(x, 0) * x,
    "symmetric": lambda x: (x + x.T) / 2 - np.sum(x + x.T, 1, keepdims=True),
}


@pytest.mark.parametrize("name", NOT_ROW_WISE)
def test_chains_that_are_not_along_rows(name):
    check(from_rows(NOT_ROW_WISE[name]), randn(12, 12))


@pytest.mark.parametrize("name", NOT_ROW_WISE)
def test_gradients_of_chains_that_are_not_along_rows(name):
    function = from_rows(NOT_ROW_WISE[name])

    def loss(x: Any) -> Any:
        y, z = function(x)
        return np.sum(y * np.cos(x)) + np.sum(z)

    check(at.grad(loss), randn(12, 12))


def members_that_write_and_read(made: Program, group: Group) -> None:
    """What a member reads of what another one writes lies in the same rows, for each row."""
    written = {slot for low, _ in group.members for slot in low.writes()}
    rows: dict[int, np.ndarray] = {}
    for low, turns in group.members:
        for access in low.accesses:
            if access.slot not in written:
                continue
            assert not access.looked_up
            aval = (made.plan.temporaries | made.plan.outputs)[access.slot]
            owner = rows.setdefault(access.slot, np.full(aval.size, -1))
            places = np.full(access.shape, access.offset)
            for d, stride in enumerate(access.strides):
                line = np.arange(access.shape[d]) * stride
                places += line.reshape([-1 if e == d else 1 for e in range(places.ndim)])
            for row in range(group.stop):
                mine = places[row * turns : (row + 1) * turns].ravel()
                assert np.isin(owner[mine], (-1, row)).all()
                owner[mine] = row


@pytest.mark.parametrize("name", NOT_ROW_WISE)
def test_rows_of_groups_are_apart(name):
    made = blocked(staged(from_rows(NOT_ROW_WISE[name]), randn(12, 12)), 1)
    for group in groups(made):
        members_that_write_and_read(made, group)


@pytest.mark.parametrize(
    "change",
    [
        lambda y: lax.transpose(y, (1, 0)),
        lambda y: lax.rev(y, (0,)),
        lambda y: lax.gather(y, [np.arange(12)[::-1]], (0,)),
        lambda y: lax.slice(lax.pad(y, np.float64(0), [(1, 0, 0), (0, 0, 0)]), (0, 0), (12, 12)),
    ],
)
def test_two_kernels_that_are_not_grouped(change):
    """What is read is stored by the kernel before, an output."""

    def function(x: Any) -> Any:
        y = lax.cumsum(x, 1)
        return y, lax.cumsum(change(y), 1)

    found = check(function, randn(12, 12))
    assert all(len(low.accesses) and len(g.members) < 3 for some in found for g in some
               for low, _ in g.members)  # fmt: skip
    made = blocked(staged(function, randn(12, 12)), 1)
    for group in groups(made):
        members_that_write_and_read(made, group)


# --- memory --------------------------------------------------------------------------------------


def test_temporaries_of_a_group_do_not_clash():
    """All of a group's temporaries are in use at once, whichever kernel of it writes them."""

    def function(x: Any) -> Any:
        for _ in range(4):
            x = layer_norm(np.tanh(x)) * 0.5 + softmax(x)
        return x

    x = randn(50, 24)
    check(function, x)
    made = blocked(staged(function, x), 2000)
    assert groups(made)
    for group in groups(made):
        spans = sorted(
            (made.places[slot], made.places[slot] + aval.size * aval.dtype.itemsize)
            for slot, aval in made.plan.temporaries.items()
            if slot in group.uses() and slot in made.places
        )
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert all(end <= made.arena for _, end in spans)


def test_donated_arguments_of_groups():
    x = randn(1000, 300)
    jitted = at.jit(softmax, donate_argnums=0, backend="numba")
    right = jitted(x.copy())
    np.testing.assert_allclose(right, np.exp(x) / np.exp(x).sum(1, keepdims=True), rtol=1e-12)
    for _ in range(3):
        assert bits(jitted(x.copy())) == bits(right)


# --- random programs -----------------------------------------------------------------------------


ROW_STEPS: list[Callable[[Any], Any]] = [
    lambda x: np.tanh(x),
    lambda x: x * 0.5 + 1,
    softmax,
    layer_norm,
    lambda x: np.cumsum(x, 1) / x.shape[1],
    lambda x: x[:, ::-1] * 1.5,
    lambda x: x - np.max(x, 1, keepdims=True),
    lambda x: np.sin(x) + np.sum(x, 1, keepdims=True) / 10,
    lambda x: np.roll(x, 2, 1),
    lambda x: np.exp(-x * x).reshape(-1, x.shape[1] // 2).cumsum(1).reshape(x.shape),
]
OTHER_STEPS: list[Callable[[Any], Any]] = [
    lambda x: np.tanh(x[::-1]) + x,
    lambda x: np.roll(x, 1, 0),
    lambda x: x - np.mean(x, 0),
    lambda x: np.sin(x)[np.arange(x.shape[0])[::-1]],
    lambda x: np.concatenate([x[1:], x[:1]]) * np.tanh(x),
    lambda x: np.reshape(np.tanh(x).T, x.shape),
    lambda x: np.reshape(x, x.shape[::-1]).T * 0.5,
    lambda x: np.cumsum(x, 0) / x.shape[0],
    lambda x: x + np.sum(np.tanh(x)) / x.size,
    lambda x: shift(x, 0) + np.tanh(x),
    lambda x: x + np.exp(-x[:1] * x[:1]),
    lambda x: np.repeat(np.tanh(x[: x.shape[0] // 2]), 2, 0) + x,
]


@hypothesis.given(
    st.integers(1, 8).map(lambda n: 2 * n),
    st.integers(1, 5).map(lambda n: 2 * n),
    st.lists(st.integers(0, len(ROW_STEPS) - 1), min_size=1, max_size=4),
    st.integers(0, 4),
)
@hypothesis.settings(max_examples=25)
def test_random_chains_along_rows(rows, columns, steps, kept):
    def function(x: Any) -> Any:
        seen = []
        for i in steps:
            x = ROW_STEPS[i](x)
            seen.append(x)
        return [x, seen[kept % len(seen)]]

    check(function, randn(rows, columns))


@hypothesis.given(
    st.integers(1, 6).map(lambda n: 2 * n),
    st.integers(1, 5).map(lambda n: 2 * n),
    st.lists(
        st.one_of(st.sampled_from(range(len(ROW_STEPS))), st.sampled_from(range(-12, 0))),
        min_size=2,
        max_size=5,
    ),
    st.booleans(),
)
@hypothesis.settings(max_examples=40)
def test_random_chains(rows, columns, steps, several):
    def function(x: Any) -> Any:
        seen = []
        for i in steps:
            x = ROW_STEPS[i](x) if i >= 0 else OTHER_STEPS[i](x)
            seen.append(x)
        return seen if several else [x]

    x = randn(rows, columns)
    check(function, x)
    made = blocked(staged(function, x), 1)
    for group in groups(made):
        members_that_write_and_read(made, group)


def load_fuzz() -> Any:
    path = Path(__file__).with_name("test_fuzz.py")
    spec = importlib.util.spec_from_file_location("fuzz_machinery", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = load_fuzz()


@pytest.mark.parametrize("batch", range(3))
def test_random_programs(batch):
    grouped = 0
    for seed in range(400_000 + 30 * batch, 400_000 + 30 * (batch + 1)):
        random = fuzz.RichProgram(seed, special=seed % 4 == 0, length=(5, 16))
        jaxpr = fuzz.staged(random.run, random.inputs)
        made, alone = blocked(jaxpr, 1), blocked(jaxpr, NONE)
        right = alone(*random.inputs)
        fuzz.check_same(made(*random.inputs), right, [0.0] * len(right))
        for group in groups(made):
            members_that_write_and_read(made, group)
        grouped += len(groups(made))
    assert grouped > 5


def test_random_programs_against_the_interpreter(monkeypatch):
    monkeypatch.setattr(tiling, "_BLOCK_BYTES", 100)
    for seed in range(410_000, 410_020):
        fuzz.check_program(seed, kind=fuzz.RichProgram, length=(5, 12))
        fuzz.check_derivatives(seed, kind=fuzz.RichProgram)
