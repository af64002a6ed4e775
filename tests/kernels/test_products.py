"""dot_general in compiled code: in loops and by BLAS, from operands that lie in any way."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from autotrace.kernels import Program, products
from autotrace.kernels.expressions import HostStep

import autotrace as at
from autotrace import lax
from autotrace.core.jaxpr import Jaxpr
from autotrace.core.trace import get_aval
from autotrace.transforms.backends import Interpreter
from autotrace.transforms.stage import stage

KINDS = ["float64", "float32", "complex128", "complex64"]
WHOLE = ["int64", "int32", "int8", "uint8", "uint64", "bool"]
TOLERANCE = {"float64": 1e-12, "complex128": 1e-12, "float32": 2e-5, "complex64": 2e-5}


def staged(function: Callable[..., Any], *args: Any) -> Jaxpr:
    def flat(*args: Any) -> list[Any]:
        found = function(*args)
        return list(found) if isinstance(found, tuple | list) else [found]

    return stage(flat, [get_aval(x) for x in args])


def equal(found: Any, right: Any) -> None:
    for a, b in zip(found, right, strict=True):
        assert np.shape(a) == np.shape(b)
        assert a.dtype == b.dtype
        if a.dtype.name in TOLERANCE:
            finite = np.abs(np.where(np.isfinite(b), b, 0)).max(initial=0.0)
            tolerance = TOLERANCE[a.dtype.name]
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(finite, 1e-30))
        else:
            np.testing.assert_array_equal(a, b)


def check(function: Callable[..., Any], *args: Any, poison: bool = True) -> Program:
    """Compare with the interpreter, also where the results are written over NaN."""
    jaxpr = staged(function, *args)
    made, right = Program(jaxpr), Interpreter(jaxpr)(*args)
    equal(made(*args), right)
    if poison and all(isinstance(x, np.ndarray) and x.ndim for x in right):
        compiled = at.jit(function, backend="numba").lower(*args).compile()
        out = [np.full(x.shape, np.nan if x.dtype.kind in "fc" else 1, x.dtype) for x in right]
        compiled(*args, out=out[0] if len(out) == 1 else tuple(out))
        equal(out, right)
    return made


def numbers(shape: tuple[int, ...], kind: str = "float64", seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    if kind in WHOLE:
        return rng.integers(0, 2 if kind == "bool" else 100, shape).astype(kind)
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape)).astype(kind) if kind[0] == "c" else x.astype(kind)


def copies(made: Program) -> int:
    """How many kernels there are; a product alone by BLAS has none."""
    return len(made.kernels)


def routines(made: Program) -> list[str]:
    return [step.name for step in made.steps if hasattr(step, "name")]


# --- layouts -------------------------------------------------------------------------------------

#: From a matrix to one of the same size, by a view within the program.
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda a: a,
    "transposed": lambda a: lax.transpose(lax.reshape(a, a.shape[::-1]), (1, 0)),
    "reversed rows": lambda a: lax.rev(a, (0,)),
    "reversed columns": lambda a: lax.rev(a, (1,)),
    "repeated row": lambda a: np.broadcast_to(a[:1], a.shape),
    "repeated column": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "computed": lambda a: a * 2,
    "padded": lambda a: np.concatenate([a, a], 1)[:, 1 : a.shape[1] + 1],
}
SIZES = [(3, 4, 5), (30, 40, 20), (200, 3, 17), (1, 60, 50), (50, 60, 1), (60, 1, 50), (1, 9, 1)]


@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("kind", ["float64", "complex64"])
def test_layouts(kind, left, right):
    for m, k, n in SIZES:
        a, b = numbers((m, k), kind), numbers((k, n), kind, 1)
        check(lambda a, b: LAYOUTS[left](a) @ LAYOUTS[right](b), a, b, poison=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dims", list(itertools.product((0, 1), (0, 1))))
@pytest.mark.parametrize("size", SIZES)
def test_contracted_dimensions(kind, dims, size):
    m, k, n = size
    a = numbers((k, m) if dims[0] == 0 else (m, k), kind)
    b = numbers((k, n) if dims[1] == 0 else (n, k), kind, 1)
    numbers_of_dims = (([dims[0]], [dims[1]]), ([], []))
    check(lambda a, b: lax.dot_general(a, b, numbers_of_dims), a, b)


def arguments(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same numbers as arguments in other orders."""
    wide = np.full((2 * x.shape[0] + 1, 3 * x.shape[1] + 1), np.nan, x.dtype)
    wide[1::2, 1::3] = x
    far = np.full((x.shape[0], x.shape[1] + 7), np.nan, x.dtype)
    far[:, 3:-4] = x
    return {
        "fortran": np.asfortranarray(x),
        "strided": wide[1::2, 1::3],
        "part": far[:, 3:-4],
        "reversed": x[::-1, ::-1].copy()[::-1, ::-1],
        "transposed": x.T.copy().T,
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(3, 4, 5), (30, 40, 20), (1, 60, 50), (50, 60, 1)])
def test_orders_of_arguments(kind, size):
    m, k, n = size
    a, b = numbers((m, k), kind), numbers((k, n), kind, 1)
    product = at.jit(lambda a, b: a @ b, backend="numba")
    for x in arguments(a).values():
        for y in arguments(b).values():
            for _ in range(2):
                equal([product(x, y)], [a @ b])


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_arguments(kind):
    """What lies beside a part is NaN."""
    a, b = np.full((40, 50), np.nan, kind), np.full((60, 70), np.nan, kind)
    a[5:35, 10:45], b[15:50, 2:68] = numbers((30, 35), kind), numbers((35, 66), kind, 1)
    made = check(lambda a, b: a[5:35, 10:45] @ b[15:50, 2:68], a, b)
    assert not copies(made)
    made = check(lambda a, b: b[15:50, 2:68].T @ a[5:35, 10:45].T, a, b)
    assert not copies(made)
    check(lambda a, b: a[5:35:2, 10:45] @ b[15:50, 2:68:3], a, b)
    check(lambda a, b: a[5:35, 10:45:5] @ b[15:50:5, 2:68], a, b)


# --- vectors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("m", "k"), [(3, 4), (60, 50), (1, 2000), (2000, 1), (2, 1000), (1, 1)])
def test_matrices_and_vectors(kind, m, k):
    a, v, w = numbers((m, k), kind), numbers((k,), kind, 1), numbers((m,), kind, 2)
    check(lambda a, v: a @ v, a, v)
    check(lambda a, w: w @ a, a, w)
    check(lambda a, w: a.T @ w, a, w)
    check(lambda a, v: v @ a.T, a, v)
    check(lambda a, v: a @ v[::-1], a, v)
    check(lambda a, w: w[::-1] @ a, a, w)
    check(lambda a, v: a[::-1] @ v, a, v)
    check(lambda a, v: a[:, ::-1] @ v, a, v)
    check(lambda v, w: np.outer(v, w), v, w)
    check(lambda v: v @ v, v)
    check(lambda v: v[::-1] @ v, v)


@pytest.mark.parametrize("kind", KINDS)
def test_strided_vectors(kind):
    a, v = numbers((60, 50), kind), numbers((150,), kind, 1)
    table = numbers((50, 60), kind, 2)
    check(lambda a, v: a @ v[::3], a, v)
    check(lambda a, v: a @ v[1::3], a, v)
    check(lambda a, v: a @ v[::-3], a, v)
    check(lambda a, v: v[:120:2] @ a, a, v)
    made = check(lambda a, t: a @ t[:, 7], a, table)
    assert not copies(made)
    check(lambda a, t: t[:, 7] @ a.T, a, table)
    check(lambda a, t: a[::2] @ t[:, 7], a, table)
    check(lambda a, t: a[:, ::2] @ t[::2, 7], a, table)
    check(lambda a, v: a @ np.broadcast_to(v[0], (50,)), a, v)


@pytest.mark.parametrize("kind", KINDS)
def test_long_products_of_vectors(kind):
    v, w = numbers((100_000,), kind), numbers((100_000,), kind, 1)
    check(lambda v, w: v @ w, v, w)
    check(lambda v, w: v[::2] @ w[::-2], v, w)
    check(lambda v, w: lax.dot_general(v, w, (([], []), ([0], [0]))), v, w)


# --- whole numbers, bools and mixtures -----------------------------------------------------------


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("size", [(3, 4, 5), (30, 40, 20), (1, 60, 50), (50, 60, 1), (60, 1, 50)])
def test_whole_numbers(kind, size):
    m, k, n = size
    a, b = numbers((m, k), kind), numbers((k, n), kind, 1)
    check(lambda a, b: a @ b, a, b)
    check(lambda a, b: b.T @ a.T, a, b)
    product = at.jit(lambda a, b: a @ b, backend="numba")
    np.testing.assert_array_equal(product(a, b), a @ b)


def test_mixed_dtypes():
    for kinds in itertools.product(["float64", "float32", "int32", "complex64"], repeat=2):
        a, b = numbers((20, 30), kinds[0]), numbers((30, 25), kinds[1], 1)
        found = at.jit(lambda a, b: a @ b, backend="numba")(a, b)
        plain = at.jit(lambda a, b: a @ b, backend="numpy")(a, b)
        assert found.dtype == plain.dtype
        np.testing.assert_allclose(found, plain, rtol=2e-5, atol=1e-4)


# --- batches, several dimensions, none -----------------------------------------------------------


@pytest.mark.parametrize("kind", [*KINDS, "int32"])
@pytest.mark.parametrize("size", [(3, 4, 5), (20, 15, 10), (1, 40, 50), (40, 50, 1), (1, 9, 1)])
def test_batches(kind, size):
    m, k, n = size
    a, b = numbers((3, 2, m, k), kind), numbers((3, 2, k, n), kind, 1)
    check(lambda a, b: a @ b, a, b)
    check(lambda a, b: a[:, 0] @ b[:, 1], a, b)
    check(lambda a, b: a[::-1] @ b, a, b)
    check(lambda a, b: a @ b[0, 0], a, b)
    check(lambda a, b: a[0, 0] @ b, a, b)
    check(lambda a, b: a[:1] @ b, a, b)
    check(lambda a, b: a[:, :1] @ b[:1], a, b)
    check(lambda a, b: np.swapaxes(b, -1, -2) @ np.swapaxes(a, -1, -2), a, b)
    check(lambda a, b: np.transpose(a, (1, 0, 2, 3)) @ np.transpose(b, (1, 0, 2, 3)), a, b)
    check(lambda a, b: np.einsum("bcij,bcjk->bcik", a, b), a, b)


EINSUMS = [
    ("ij,jk->ik", (9, 12), (12, 15)),
    ("ijk,jkl->il", (9, 4, 5), (4, 5, 30)),
    ("ijk,kjl->il", (9, 4, 5), (5, 4, 30)),
    ("ijk,lkj->il", (9, 4, 5), (30, 5, 4)),
    ("jik,jkl->il", (4, 9, 5), (4, 5, 30)),
    ("ijab,abkl->ijkl", (3, 4, 5, 6), (5, 6, 7, 2)),
    ("aibj,bkal->ijkl", (3, 4, 5, 6), (5, 4, 3, 2)),
    ("bij,bjk->bik", (2, 9, 12), (2, 12, 15)),
    ("ibj,jbk->bik", (9, 2, 12), (12, 2, 15)),
    ("ijb,kjb->bik", (9, 12, 2), (15, 12, 2)),
    ("bhqd,bhkd->bhqk", (2, 3, 10, 8), (2, 3, 12, 8)),
    ("bqhd,bkhd->bhqk", (2, 10, 3, 8), (2, 12, 3, 8)),
    ("i,j->ij", (40,), (50,)),
    ("ij,kl->ijkl", (6, 7), (8, 9)),
    ("abcde,edcba->", (2, 3, 4, 5, 6), (6, 5, 4, 3, 2)),
    ("abcdei,jedcba->ij", (2, 3, 2, 3, 2, 8), (9, 2, 3, 2, 3, 2)),
    ("ij,ij->i", (50, 60), (50, 60)),
    ("ij,ij->j", (50, 60), (50, 60)),
    ("ij,ji->", (50, 60), (60, 50)),
]


@pytest.mark.parametrize("kind", ["float64", "complex128"])
@pytest.mark.parametrize(("text", "left", "right"), EINSUMS)
def test_einsums(text, left, right, kind):
    a, b = numbers(left, kind), numbers(right, kind, 1)
    check(lambda a, b: np.einsum(text, a, b), a, b)
    equal(
        [np.asarray(at.jit(lambda a, b: np.einsum(text, a, b), backend="numba")(a, b))],
        [np.asarray(np.einsum(text, a, b))],
    )


@pytest.mark.parametrize("kind", [*KINDS, "int64", "bool"])
@pytest.mark.parametrize(
    "size", [(0, 4, 5), (3, 0, 5), (3, 4, 0), (0, 0, 5), (0, 4, 0), (3, 0, 0), (0, 0, 0),
             (1, 0, 1), (70, 0, 70), (1, 0, 2000)],
)  # fmt: skip
def test_empty(kind, size):
    m, k, n = size
    a, b = numbers((m, k), kind), numbers((k, n), kind, 1)
    check(lambda a, b: a @ b, a, b)
    check(lambda a, b: (a @ b) * 1 + a.sum(), a, b)
    check(lambda a, b: a[None] @ np.broadcast_to(b, (2, k, n)), a, b)
    if n:
        check(lambda a, b: a @ b[:, 0], a, b)
    check(lambda a, b: a[:0][None] @ b[None], a, b)


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=60)
def test_any(data):
    """Random dimensions and layouts, with products cut between loops and BLAS anywhere."""
    count = [data.draw(st.integers(0, 2)) for _ in range(4)]
    sizes = st.sampled_from([1, 2, 3, 7, 12])
    batch, inner, rows, columns = ([data.draw(sizes) for _ in range(n)] for n in count)
    kind = data.draw(st.sampled_from(["float64", "float32", "complex128"]))

    def operand(free: list[int], seed: int) -> tuple[Any, list[int], list[int], Any]:
        shape = [*batch, *inner, *free]
        order = data.draw(st.permutations(range(len(shape))))
        x = numbers(tuple(shape[d] for d in order), kind, seed)
        where = [order.index(d) for d in range(len(shape))]
        change = data.draw(st.sampled_from(["", "reverse", "strided", "stored"]))

        def view(y: Any) -> Any:
            if change == "reverse" and y.ndim:
                return lax.rev(y, (y.ndim - 1,))
            if change == "strided" and y.ndim:
                return lax.concatenate([y, y], y.ndim - 1)[..., ::2]
            return y * 2 if change == "stored" else y

        return x, where[: len(batch)], where[len(batch) : len(batch) + len(inner)], view

    a, a_batch, a_inner, left = operand(rows, 0)
    b, b_batch, b_inner, right = operand(columns, 1)
    dims = (a_inner, b_inner), (a_batch, b_batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_LOOPS_UP_TO", data.draw(st.sampled_from([0, 100, 1500])))
        check(lambda a, b: lax.dot_general(left(a), right(b), dims), a, b, poison=False)


# --- special values ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("size", [(3, 4, 5), (30, 40, 20), (1, 60, 50), (50, 60, 1), (60, 1, 50)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_special_values(kind, size, value):
    m, k, n = size
    a, b = numbers((m, k), kind), numbers((k, n), kind, 1)
    a[m // 2, k // 2] = value
    with np.errstate(all="ignore"):
        for x, y in ((a, b), (a, np.zeros_like(b)), (np.zeros_like(a), b), (-np.abs(a), b)):
            check(lambda a, b: a @ b, x, y)
            check(lambda a, b: b.T @ a.T, x, y)
        b[k // 2, 0] = -value
        check(lambda a, b: a @ b, a, b)
        b[k // 2, 0] = 0
        found = at.jit(lambda a, b: a @ b, backend="numba")(a, b)
        assert np.isnan(found[m // 2, 0])


def test_signs_of_zero_and_overflow():
    for n in (3, 60):
        a, b = np.full((n, n), 1e200), np.full((n, n), -1e200)
        with np.errstate(all="ignore"):
            check(lambda a, b: a @ b, a, b)
        tiny = np.full((n, n), 5e-324)
        check(lambda a, b: a @ b, tiny, np.eye(n))


# --- loops and BLAS ------------------------------------------------------------------------------


def test_small_products_are_loops_and_large_ones_blas():
    small, large = numbers((5, 5)), numbers((60, 60))
    jitted = at.jit(lambda a: np.tanh(a) @ a, backend="numba")
    assert "BLAS" not in jitted.explain(small)
    assert "BLAS dgemm of 60 x 60 and 60 x 60" in jitted.explain(large)
    assert "BLAS sgemm" in jitted.explain(large.astype(np.float32))
    assert "BLAS zgemm" in at.jit(lambda a: a @ a, backend="numba").explain(large * 1j)
    vectors = at.jit(lambda a, v: a @ v, backend="numba")
    assert "BLAS dgemv" in vectors.explain(large, large[0])
    assert "BLAS" not in vectors.explain(small, small[0])
    for n in (11, 12):  # both sides of the boundary
        x = numbers((n, n))
        np.testing.assert_allclose(jitted(x), np.tanh(x) @ x, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a @ b,
        lambda a, b: a.T @ b,
        lambda a, b: a @ b.T,
        lambda a, b: a.T @ b.T,
        lambda a, b: a[:, 10:40] @ b[10:40],
        lambda a, b: a[10:40].T @ b[20:50],
        lambda a, b: a[0] @ b,
        lambda a, b: a @ b[0],
        lambda a, b: a @ b[:, 3],
        lambda a, b: a.T @ b[0],
        lambda a, b: a.reshape(2, 30, 60)[1] @ b,
        lambda a, b: np.einsum("ij,kj->ik", a, b),
        lambda a, b: a.reshape(3, 20, 60) @ b,
        lambda a, b: np.einsum("bij,bkj->bik", a.reshape(3, 20, 60), b.reshape(3, 20, 60)),
        lambda a, b: np.einsum("ibj,kbj->bik", a.reshape(20, 3, 60), b.reshape(20, 3, 60)),
    ],
)
def test_operands_are_not_copied(function):
    a, b = numbers((60, 60)), numbers((60, 60), seed=1)
    made = check(function, a, b)
    assert not copies(made)
    assert len(routines(made)) == 1
    text = at.jit(function, backend="numba").explain(a, b)
    assert "kernel over" not in text and "host step" not in text and text.count("BLAS") == 1


def test_operands_that_are_copied():
    a, b = numbers((60, 60)), numbers((60, 60), seed=1)
    for function in (
        lambda a, b: a[::-1] @ b,
        lambda a, b: np.broadcast_to(a[:1], (60, 60)) @ b,
        lambda a, b: np.einsum("ij,kj->ik", a[::2, ::2], b[:, ::2]),
    ):
        made = check(function, a, b)
        assert 1 <= copies(made) <= 2
        assert not any(isinstance(step, HostStep) for step in made.steps)


def test_producers_and_consumers():
    a, b, c = numbers((40, 50)), numbers((50, 30), seed=1), numbers((30,), seed=2)
    check(lambda a, b, c: np.tanh(np.exp(a / 9) @ b + c) * 2, a, b, c)
    check(lambda a, b, c: (np.exp(a) @ b).T[::-1] + 1, a, b, c)
    check(lambda a, b, c: np.sum(a @ b @ c), a, b, c)
    check(lambda a, b, c: ((a @ b) @ (a @ b).T, a @ b), a, b, c)
    check(lambda a, b, c: np.cumsum((a @ b)[::2], 0)[:, 1:] @ c[1:], a, b, c)
    check(lambda a, b, c: (a.T @ a) @ (b @ b.T) - (b @ b.T) @ (a.T @ a), a, b, c)


def test_results_are_not_written_over():
    a = numbers((50, 50))
    product = at.jit(lambda a: a @ a, backend="numba")
    first = product(a)
    kept = first.copy()
    product(2 * a)
    np.testing.assert_array_equal(first, kept)


# --- derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("size", [4, 40])
def test_gradients_of_chains(kind, size):
    a, b, c = (numbers((size, size), kind, seed) / size for seed in range(3))

    def loss(a: Any, b: Any, c: Any) -> Any:
        return np.sum(np.tanh(a @ b.T) @ (c.T @ a) @ b[0] * np.arange(size, dtype=kind))

    gradient = at.grad(loss, argnums=(0, 1, 2))
    check(gradient, a, b, c)
    text = at.jit(gradient, backend="numba").explain(a, b, c)
    assert "host step" not in text
    second = at.jvp(lambda a: at.grad(loss)(a, b, c), (a,), (b,))[1]
    assert second.dtype == kind
    check(lambda a: at.jvp(lambda a: at.grad(loss)(a, b, c), (a,), (b,))[1], a)


def test_gradients_of_layers():
    x = numbers((64, 20))
    weights = [(numbers((20, 30), seed=1) / 5, numbers((30,), seed=2)),
               (numbers((30, 10), seed=3) / 5, numbers((10,), seed=4))]  # fmt: skip

    def loss(weights: Any, x: Any) -> Any:
        for w, b in weights:
            x = np.tanh(x @ w + b)
        return np.mean(x**2)

    gradient = at.value_and_grad(loss)
    found = at.jit(gradient, backend="numba")(weights, x)
    right = at.jit(gradient, backend="numpy")(weights, x)
    equal(at.tree.leaves(found), at.tree.leaves(right))
    text = at.jit(gradient, backend="numba").explain(weights, x)
    assert "host step" not in text
    assert text.count("BLAS dgemm") == 5


def test_gradients_of_batches_and_vmap():
    a, b = numbers((5, 20, 30)), numbers((5, 30, 20), seed=1)
    check(at.grad(lambda a, b: np.sum(np.tanh(a @ b)), argnums=(0, 1)), a, b)
    check(at.vmap(lambda a, b: np.tanh(a @ b)), a, b)
    check(at.vmap(lambda a, b: a @ b, in_axes=(0, None)), a, b[0])
    check(at.vmap(lambda a, b: a @ b.T, in_axes=(2, 1)), a, b)
    check(at.vmap(at.grad(lambda a, b: np.sum(a @ b * 2))), a, b)


def test_threads_that_call():
    a = numbers((120, 120))
    jitted = at.jit(lambda a: np.tanh(a @ a.T) @ a, backend="numba")
    right = jitted(a)
    for count in (1, 2, 3):
        with at.threads(count):
            np.testing.assert_array_equal(jitted(a), right)
