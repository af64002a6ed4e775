"""donate_argnums: results in the memory of arguments, where that computes the same."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autotrace as at
from autotrace import lax

eq = np.testing.assert_array_equal


def donating(function: Callable[..., Any], argnums: Any = 0, **options: Any) -> Any:
    return at.jit(function, donate_argnums=argnums, backend="numba", **options)


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def same(found: Any, right: Any) -> None:
    for a, b in zip(at.tree.leaves(found), at.tree.leaves(right), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def check(function: Callable[..., Any], *args: Any, argnums: Any = 0) -> list[bool]:
    """Compare with the interpreter for fresh arguments, call after call; for each output whether
    it is one of the arguments."""
    jitted, plain = donating(function, argnums), at.jit(function, backend="numpy")
    numbered = {argnums} if isinstance(argnums, int) else set(argnums)
    taken: list[bool] = []
    for _ in range(3):
        given = [np.array(x, order="K") if isinstance(x, np.ndarray) else x for x in args]
        right = plain(*args)
        found = jitted(*given)
        same(found, right)
        for i, (x, y) in enumerate(zip(given, args, strict=True)):
            if i not in numbered:
                eq(x, y)
        outs = at.tree.leaves(found)
        taken = [any(out is x for x in given) for out in outs]
        for a, b in itertools.combinations(outs, 2):
            assert not np.shares_memory(a, b)
        if not any(taken):
            assert not any(
                np.shares_memory(out, x) for out in outs for x in given if isinstance(x, np.ndarray)
            )
    return taken


# --- in place


@pytest.mark.parametrize("shape", [(5,), (40, 30), (300, 400), (1,), (2, 3, 4)])
def test_an_update_in_place(shape):
    update = donating(lambda p, g: p - 0.1 * g)
    p, g = numbers(*shape), numbers(*shape, seed=1)
    right = p.copy()
    before = p
    for _ in range(4):
        right = right - 0.1 * g
        p = update(p, g)
        assert p is before
        eq(p, right)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sin(x),
        lambda x: np.where(x > 0, x, np.exp(x)) * 2,
        lambda x: x * x + x / 3 - np.tanh(x),
        lambda x: x + 1 if x.ndim else x,
        lambda x: x.at[0].set(0.0),
        lambda x: x.at[1:3].set(1.0),
        lambda x: lax.dynamic_update_slice(x, np.zeros((2, 2)), (1, 1)),
        lambda x: x,
    ],
)
def test_elementwise_functions_take_the_place(function):
    assert check(function, numbers(6, 6)) == [True]


def test_several_outputs_and_arguments():
    def function(x: Any, y: Any) -> Any:
        return x + y, x * y, np.sum(x)

    x, y = numbers(7), numbers(7, seed=1)
    assert check(function, x, y) == [True, False, False]
    assert check(function, x, y, argnums=(0, 1)) == [True, True, False]
    assert check(function, x, y, argnums=1) == [True, False, False]
    assert check(lambda x, y: (y, x), x, y, argnums=(0, 1)) == [True, True]
    assert check(lambda x, y: (x, x, y), x, y, argnums=(0, 1))[0]
    check(lambda x, y: (x - y, np.cumsum(x), y[::-1]), x, y, argnums=(0, 1))


def test_negative_positions():
    update = donating(lambda p, g: p - g, -1)
    p, g = numbers(5), numbers(5, seed=1)
    right = p - g
    assert update(p, g) is g
    eq(g, right)


def test_dtypes_and_shapes_that_differ():
    x = numbers(6)
    check(lambda x: x.astype(np.float32), x)
    check(lambda x: (x > 0, (x * 9).astype(int)), x)
    check(lambda x: x[:3] * 2, x)
    check(lambda x: x.reshape(2, 3) * 2, x)
    check(lambda x: np.concatenate([x, x]), x)
    check(lambda x: x.reshape(2, 3).astype(np.int64).reshape(6), x)
    for kind in ("float32", "int64", "uint8", "bool", "complex128"):
        check(lambda x: x == x, (x > 0).astype(kind))
        if kind != "bool":
            check(lambda x: x + x * x, (9 * x).astype(kind))


def test_scalars_and_empty_arrays():
    update = donating(lambda x, s: (x * s, s + 1), (0, 1))
    x = numbers(4)
    for s in (2.0, np.float64(2), np.array(2.0)):
        found = update(x.copy(), s)
        same(found, (x * 2, np.float64(3)))
    check(lambda x: x * 2, np.zeros((0, 3)))
    check(lambda x: x * 2, np.array(3.0))


# --- right results in any case

NOT_IN_PLACE: dict[str, Callable[[Any], Any]] = {
    "reversed": lambda x: x[::-1] + 1,
    "reversed and itself": lambda x: x + x[::-1],
    "both reversed": lambda x: x[::-1, ::-1] * x,
    "transposed": lambda x: x.T * 2,
    "transposed and itself": lambda x: x + x.T,
    "shifted": lambda x: np.roll(x, 1, 0),
    "shifted along": lambda x: np.roll(x, 1, 1) * x,
    "first row": lambda x: x - x[0],
    "last element": lambda x: x * x[-1, -1],
    "sum": lambda x: x / np.sum(x),
    "sum of rows": lambda x: x - np.sum(x, 1, keepdims=True),
    "softmax": lambda x: np.exp(x) / np.sum(np.exp(x), 1, keepdims=True),
    "sum beside": lambda x: (x * 2, np.sum(x), np.max(x, 0), np.sum(x, 1)),
    "sum of the result": lambda x: (x * 2, np.sum(x * 2, 1)),
    "scan": lambda x: np.cumsum(x, 0),
    "scan back": lambda x: np.cumsum(x[:, ::-1], 1) + x,
    "scan beside": lambda x: (x + 1, np.cumsum(x, 1)),
    "product": lambda x: x @ x,
    "product beside": lambda x: (x + 1, x @ x),
    "gathered": lambda x: x[np.array([2, 0, 1, 5, 4, 3])] + x,
    "gathered beside": lambda x: (x * 3, x[np.array([1, 1])], x[:, 2]),
    "scattered": lambda x: x.at[np.array([0, 1])].add(x[2:4]),
    "window": lambda x: lax.dynamic_update_slice(x, x[:3, :3] * 2, (2, 2)),
    "sorted": lambda x: np.sort(x, 0),
    "sorted beside": lambda x: (x + 1, np.sort(x, 1)),
    "reshaped": lambda x: x.reshape(4, 9).T.reshape(6, 6),
    "padded": lambda x: lax.pad(x, np.float64(0), [(1, -1, 0), (0, 0, 0)]),
    "twice": lambda x: (x, x * 2, x + 1),
    "three steps": lambda x: np.cumsum(np.sin(np.cumsum(np.exp(x), 1)), 0) + x,
    "repeated": lambda x: np.broadcast_to(x[0], (6, 6)) + x,
}


@pytest.mark.parametrize("name", NOT_IN_PLACE)
def test_right_results(name):
    check(NOT_IN_PLACE[name], numbers(6, 6))


@pytest.mark.parametrize("name", NOT_IN_PLACE)
def test_right_results_of_several_threads(name):
    if name in ("gathered", "reshaped", "repeated"):  # of six rows
        return
    with at.threads(3):
        check(NOT_IN_PLACE[name], numbers(200, 200) + 2.0)


@pytest.mark.parametrize("name", NOT_IN_PLACE)
def test_right_gradients(name):
    def loss(x: Any) -> Any:
        return sum(np.sum(np.sin(y)) for y in at.tree.leaves(NOT_IN_PLACE[name](x)))

    check(lambda x: x - 0.1 * at.grad(loss)(x), numbers(6, 6))


def test_two_arguments_that_wait_for_each_other():
    x, y = numbers(5, 5), numbers(5, 5, seed=1)
    for function in (
        lambda x, y: (x + y[::-1], y + x[::-1]),
        lambda x, y: (y * 2, x * 2),
        lambda x, y: (y.T, x.T),
        lambda x, y: (x - np.sum(y), y - np.sum(x)),
        lambda x, y: (np.cumsum(x, 0), x * y),
        lambda x, y: (x @ y, x + y),
        lambda x, y: (x + y, (x + y).T),
        lambda x, y: (x * 2, np.cumsum(x * 2, 1) + y),
    ):
        check(function, x, y, argnums=(0, 1))


# --- arrays that are the same or overlap


def test_the_same_array_twice():
    update = donating(lambda x, y: (x + y[::-1], y * 2), (0, 1))
    one = donating(lambda x, y: x + y[::-1], 0)
    for _ in range(3):
        x = numbers(6)
        same(update(x, x), (numbers(6) + numbers(6)[::-1], numbers(6) * 2))
        x = numbers(6)
        same(one(x, x), numbers(6) + numbers(6)[::-1])
        x = numbers(6)
        same(one(x, numbers(6, seed=1)), numbers(6) + numbers(6, seed=1)[::-1])


@pytest.mark.parametrize("shift", [-3, -1, 0, 1, 3])
def test_views_that_overlap(shift):
    function = donating(lambda x, y: (x * 2, y + 1), (0, 1))
    other = donating(lambda x, y: x - y, 0)
    for _ in range(3):
        base = numbers(20)
        x, y = base[5:11], base[5 + shift : 11 + shift]
        right = x * 2, y + 1
        same(function(x, y), right)
        base = numbers(20)
        x, y = base[5:11], base[5 + shift : 11 + shift]
        right_of_other = x - y
        same(other(x, y), right_of_other)


def test_views_beside_each_other():
    function = donating(lambda x, y: (x * 2, y + 1), (0, 1))
    base = numbers(20)
    before = base.copy()
    found = function(base[2:8], base[8:14])
    same(found, (before[2:8] * 2, before[8:14] + 1))
    eq(base[:2], before[:2])
    eq(base[14:], before[14:])


def test_an_array_that_is_closed_over():
    c = numbers(6)
    kept = c.copy()
    function = donating(lambda x: x - 2 * c)
    for _ in range(3):
        same(function(numbers(6, seed=1)), numbers(6, seed=1) - 2 * kept)
        function(c)
        c[...] = kept


def test_unusual_arrays():
    function = donating(lambda x: x * 2 + x)
    x = numbers(6, 4)
    read_only = x.copy()
    read_only.flags.writeable = False
    wide = np.zeros((12, 8))
    wide[::2, ::2] = x
    unusual = {
        "read-only": read_only,
        "fortran": np.asfortranarray(x),
        "strided": wide[::2, ::2],
        "reversed": x[::-1, ::-1].copy()[::-1, ::-1],
        "repeated": np.broadcast_to(x[0], (6, 4)),
        "swapped": x.astype(">f8"),
        "subclass": x.copy().view(type("Array", (np.ndarray,), {})),
        "list": x.tolist(),
    }
    for name, y in unusual.items():
        before = np.array(y, dtype=np.float64)
        for _ in range(2):
            if name == "list":
                continue
            same(function(y), before * 3)
            eq(y, before)  # another memory order: its memory is of no use
        z = x.copy()
        assert function(z) is z
    with pytest.raises(TypeError):
        donating(lambda x: x * 2)("no array")


def test_other_signatures_after_a_donation():
    """Each call is taken for one like the one before; then it turns out to be another one."""

    def function(x: Any, y: Any = 2.0) -> Any:
        return x * y

    for argnums in (0, 1, (0, 1), -1):
        jitted = donating(function, argnums)
        x, y = numbers(5), numbers(5, seed=1)
        calls: list[tuple] = [
            (x, y), (x, 3.0), (x,), (x[:3], y[:3]), (x.astype(np.float32), y), (2.0, y), (2.0, 3.0),
            (np.float64(2), np.array(3.0)), (x.reshape(5, 1), y.reshape(1, 5)), (x + 1j, y),
        ]  # fmt: skip
        for first, second in itertools.product(calls, calls):
            for args in (first, first, second):
                given = [z.copy() if isinstance(z, np.ndarray) else z for z in args]
                same(jitted(*given), np.multiply(args[0], args[1] if args[1:] else 2.0))


def test_too_many_or_too_few_arguments():
    jitted = donating(lambda x, y: x + y, 1)
    x = numbers(5)
    jitted(x, x.copy())
    jitted(x, x.copy())
    for args in ((), (x,), (x, x, x)):
        with pytest.raises(TypeError):
            jitted(*args)


# --- pytrees, keywords, static arguments


def test_pytrees():
    def step(state: Any, gradient: Any, rate: Any) -> Any:
        moved = {k: 0.9 * state["m"][k] + gradient[k] for k in gradient}
        values = {k: state["p"][k] - rate * moved[k] for k in gradient}
        return {"m": moved, "p": values, "n": state["n"] + 1}

    jitted, plain = donating(step), at.jit(step, backend="numpy")
    made = {"a": numbers(5, 4), "b": numbers(3, seed=1)}
    state = {"m": at.tree.map(np.zeros_like, made), "p": made, "n": 0}
    other = at.tree.map(lambda x: np.array(x) if isinstance(x, np.ndarray) else x, state)
    gradient = at.tree.map(lambda x: np.sin(x), made)
    for _ in range(4):
        arrays = {id(x) for x in at.tree.leaves(state) if isinstance(x, np.ndarray) and x.ndim}
        state, other = jitted(state, gradient, 0.1), plain(other, gradient, 0.1)
        same(state, other)
        assert arrays == {id(x) for x in at.tree.leaves(state) if np.ndim(x)}


def test_arguments_before_a_donated_one():
    jitted = donating(lambda x, p, g: {"p": p["w"] - g[0] * x["a"]}, 1)
    x, p, g = {"a": 2.0, "b": numbers(3)}, {"w": numbers(4)}, (numbers(4, seed=1), 1.0)
    w = p["w"]
    right = w - g[0] * 2
    for _ in range(1):
        found = jitted(x, p, g)
        assert found["p"] is w
        eq(w, right)


def test_keyword_arguments():
    jitted = donating(lambda p, g, rate: p - rate * g)
    p, g = numbers(4), numbers(4, seed=1)
    right = p - 0.5 * g
    kept = p.copy()
    for _ in range(3):
        given = kept.copy()
        assert jitted(given, g=g, rate=0.5) is given
        eq(given, right)
        given = kept.copy()
        same(jitted(given, rate=0.5, g=g), right)
        given = kept.copy()
        same(jitted(p=given, g=g, rate=0.5), right)
        eq(given, kept)  # by keyword it is not given away


def test_static_arguments():
    with pytest.raises(ValueError, match=r"\[1\] are static; they have no memory to donate"):
        at.jit(lambda x, n: x * n, static_argnums=1, donate_argnums=(0, 1))
    with pytest.raises(ValueError, match="static"):
        at.jit(lambda x, n: x * n, static_argnames="n", donate_argnums=1)
    jitted = donating(lambda x, n: x * n, 0, static_argnums=1)
    for n in (2, 3, 2):
        same(jitted(numbers(4), n), numbers(4) * n)


def test_no_arguments_donated():
    for nothing in ((), None, []):
        jitted = at.jit(lambda x: x * 2, donate_argnums=nothing)
        x = numbers(4)
        found = jitted(x)
        assert found is not x
        eq(x, numbers(4))


def test_methods_and_pickles():
    jitted = donating(np.negative)
    x = numbers(4)
    assert jitted(x) is x
    eq(x, -numbers(4))
    jitted.clear_cache()
    assert jitted(x) is x
    eq(x, numbers(4))


# --- where it is ignored


def test_the_interpreter_ignores_it():
    jitted = at.jit(lambda p, g: p - g, donate_argnums=0, backend="numpy")
    p, g = numbers(5), numbers(5, seed=1)
    kept = p.copy()
    for _ in range(3):
        found = jitted(p, g)
        assert found is not p
        eq(p, kept)
        eq(found, p - g)
        assert not np.shares_memory(found, p)


def test_transforms_ignore_it():
    jitted = donating(lambda p, g: p * p - g)
    p, g = numbers(4, 5), numbers(4, 5, seed=1)
    kept = p.copy(), g.copy()
    for _ in range(2):
        same(at.vmap(jitted)(p, g), p * p - g)
        same(at.vmap(jitted, in_axes=(0, None))(p, g[0]), p * p - g[0])
        same(at.grad(lambda p, g: np.sum(jitted(p, g)))(p, g), 2 * p)
        same(at.jvp(jitted, (p, g), (g, p))[1], 2 * p * g - p)
        same(at.vjp(jitted, p, g)[1](p)[0], 2 * p * p)
        same(at.jit(lambda p, g: jitted(p, g) + p)(p, g), 2 * p * p - g - p * p + p)
        same(at.jacfwd(lambda p: jitted(p, g[0]))(p[0]), np.diag(2 * p[0]))
        eq(p, kept[0])
        eq(g, kept[1])
    found = donating(lambda p, g: p * p - g)(p, g)
    assert found is p


def test_debugging_ignores_it():
    jitted = donating(lambda p: p * 2)
    p = numbers(4)
    with at.debug_nans():
        assert jitted(p) is not p
    with at.config.override("check_kernels", True):
        assert jitted(p) is not p
    eq(p, numbers(4))
    assert jitted(p) is p


def test_compiled_functions_do_not_take_arguments():
    p = numbers(4)
    made = donating(lambda p: p * 2).lower(p).compile()
    for _ in range(2):
        assert made(p) is not p
        eq(p, numbers(4))


def test_index_errors():
    jitted = donating(lambda p, i: p.at[i].set(0.0))
    for wrong in (4, -5):
        with pytest.raises(IndexError, match=r"(?s)out of bounds.*test_donation"):
            jitted(numbers(4), np.array([0, wrong]))
    p = numbers(4)
    right = np.concatenate([[0.0], numbers(4)[1:]])
    assert jitted(p, np.array([0])) is p
    eq(p, right)


def test_references():
    """The donated array is returned with a reference of its own."""
    update = donating(lambda p: p + 1)
    p = np.zeros(3)
    for _ in range(1000):
        p = update(p)
    eq(p, 1000)
    first = p
    del p
    gc.collect()
    eq(first, 1000)


def test_an_optimiser_allocates_no_arrays():
    size = 50_000

    def step(p: Any, m: Any, v: Any, n: Any) -> Any:
        g = 2 * p + np.cos(p)
        m = 0.9 * m + 0.1 * g
        v = 0.99 * v + 0.01 * g * g
        return p - 0.01 * m / (np.sqrt(v) + 1e-8), m, v, n + 1

    jitted = donating(step, (0, 1, 2))
    plain = at.jit(step, backend="numpy")
    state = [numbers(size), np.zeros(size), np.zeros(size), 0.0]
    right = [x.copy() if isinstance(x, np.ndarray) else x for x in state]
    arrays = state[:3]
    for _ in range(3):
        state = jitted(*state)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(20):
            state = jitted(*state)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - before < size * 8 / 4
    assert all(x is y for x, y in zip(state, arrays, strict=False))
    for _ in range(23):
        right = plain(*right)
    same(state, right)


def test_positions_that_the_function_does_not_have():
    with pytest.raises(ValueError, match="donate_argnums"):
        at.jit(lambda x: x, donate_argnums=4)
