"""Compiled functions: their arguments, ``out=``, what they cost, and what they are made of."""

from __future__ import annotations

import gc
import itertools
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autotrace as at

BACKENDS = ["numba", "numpy"]
X = np.linspace(-1, 2, 12).reshape(4, 3)


def same(found: Any, right: Any) -> None:
    found, right = at.tree.leaves(found), at.tree.leaves(right)
    assert len(found) == len(right)
    for a, b in zip(found, right, strict=True):
        assert np.shape(a) == np.shape(b)
        assert a.dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def compiled(
    function: Callable[..., Any], *args: Any, backend: str = "numba", **kwargs: Any
) -> Any:
    return at.jit(function, backend=backend).lower(*args, **kwargs).compile()


# --- arguments


@pytest.mark.parametrize("backend", BACKENDS)
def test_right_arguments(backend):
    made = compiled(lambda x, y: (np.sin(x) * y, np.sum(x)), X, 2.0, backend=backend)
    right = np.sin(X) * 2, np.sum(X)
    wide = np.zeros((8, 6))
    wide[::2, ::2] = X
    for x in (X, np.asfortranarray(X), wide[::2, ::2], X[::-1].copy()[::-1]):
        for y in (2.0, np.float64(2), np.array(2.0)):
            for _ in range(2):
                same(made(x, y), right)


@pytest.mark.parametrize("backend", BACKENDS)
def test_swapped_bytes(backend):
    swapped = X.astype(X.dtype.newbyteorder())
    jitted = at.jit(np.sin, backend=backend)
    same(jitted(swapped), np.sin(X))
    same(jitted.lower(X).compile()(swapped), np.sin(X))


@pytest.mark.parametrize("backend", BACKENDS)
def test_wrong_arguments(backend):
    made = compiled(lambda x, y: np.sin(x) * y, X, 2.0, backend=backend)
    right = np.sin(X) * 2
    wrong: list[tuple] = [
        (), (X,), (X, 2.0, 3.0), (X, 2.0, X), (X, 2.0, X, X), (X[:2], 2.0), (X.ravel(), 2.0),
        (X.astype(np.float32), 2.0), (X, 2), (X, True), (X, 2j), (X, X), ((X, 2.0),), ([X], 2.0),
        ({"x": X}, 2.0), (X, None), (None, 2.0), (2.0, X), (X.T, 2.0), (X.astype(int), 2.0),
    ]  # fmt: skip
    for args in wrong:
        for _ in range(2):
            same(made(X, 2.0), right)
            with pytest.raises(TypeError, match=r"(?s)was called with.*test_compiled"):
                made(*args)
    with pytest.raises(TypeError, match="an array or a number"):
        made("x", 2.0)
    for kwargs in ({"y": 2.0}, {"z": 1.0, "y": 2.0}):
        with pytest.raises(TypeError, match="or another structure"):
            made(X, **kwargs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_structures(backend):
    def function(d: Any, *rest: Any, scale: Any) -> Any:
        return {"a": d["a"] * scale, "b": [rest[0] + d["b"], rest[1]]}

    made = compiled(function, {"a": X, "b": 1.0}, 2.0, X, scale=3.0, backend=backend)
    for _ in range(2):
        found = made({"b": 1.0, "a": X}, 2.0, X, scale=3.0)
        assert list(found) == ["a", "b"] and isinstance(found["b"], list)
        same(found, {"a": X * 3, "b": [np.float64(3), X]})
        with pytest.raises(TypeError):
            made({"a": X}, 2.0, X, scale=3.0)
        with pytest.raises(TypeError):
            made({"a": X, "b": 1.0}, 2.0, X, 3.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_static_and_abstract_arguments(backend):
    jitted = at.jit(lambda x, n, k=1: x * n + k, static_argnums=1, backend=backend)
    made = jitted.lower(at.ShapeDtypeStruct((4, 3), np.float64), 5).compile()
    same(made(X), X * 5 + 1)
    with pytest.raises(TypeError, match="static arguments are not passed"):
        made(X, 5)
    assert made.out_info.shape == (4, 3)
    assert made.out_info.dtype == np.float64


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_are_new(backend):
    made = compiled(lambda x: (x, x + 1, np.sum(x)), X, backend=backend)
    first, second = made(X), made(X)
    for a, b in itertools.combinations([*first[:2], *second[:2], X], 2):
        assert not np.shares_memory(a, b)
    assert all(x.flags.writeable for x in first[:2])


def test_pickled():
    made = pickle.loads(pickle.dumps(compiled(np.tanh, X)))
    out = np.empty_like(X)
    assert made(X, out=out) is out
    same(out, np.tanh(X))


# --- jitted functions called with other numbers of arguments


@pytest.mark.parametrize("backend", BACKENDS)
def test_more_arguments_than_before(backend):
    jitted = at.jit(lambda *xs: sum(xs[1:], xs[0] * 2), backend=backend)
    xs = [np.full(3, 10.0**n) for n in range(4)]
    kept = [x.copy() for x in xs]
    for counts in itertools.product((1, 2, 3, 4), (1, 2, 3, 4)):
        for count in (counts[0], counts[0], counts[1]):
            found = jitted(*xs[:count])
            same(found, sum(kept[1:count], kept[0] * 2))
            for x, y in zip(xs, kept, strict=True):
                np.testing.assert_array_equal(x, y)
                assert found is not x


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_optional_array(backend):
    jitted = at.jit(lambda x, y=2.0: x * y, backend=backend)
    x, y = np.arange(3.0), np.full(3, 10.0)
    same(jitted(x), x * 2)
    found = jitted(x, y)
    assert found is not y
    np.testing.assert_array_equal(y, 10.0)
    same(found, x * 10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arguments_without_leaves(backend):
    jitted = at.jit(lambda *args: np.ones(2) * len(args), backend=backend)
    for args in ((), ([],), ({}, []), (None,), (), ([], [], [])):
        same(jitted(*args), np.ones(2) * len(args))


# --- out


@pytest.mark.parametrize("backend", BACKENDS)
def test_out(backend):
    made = compiled(lambda x, y: np.sin(x) * y, X, 2.0, backend=backend)
    out = np.full((4, 3), np.nan)
    for y in (2.0, np.float64(3), np.array(4.0)):
        for x in (X, np.asfortranarray(X), X[::-1].copy()[::-1]):
            out[...] = np.nan
            assert made(x, y, out=out) is out
            same(out, np.sin(X) * float(y))


@pytest.mark.parametrize("backend", BACKENDS)
def test_out_of_structures(backend):
    def function(x: Any) -> Any:
        return {"a": [x * 2, np.sum(x)], "b": (x.astype(int), np.max(x, 0) > 0), "c": 1.5}

    made = compiled(function, X, backend=backend)
    right = at.jit(function, backend="numpy")(X)
    out = at.tree.map(lambda y: np.empty(np.shape(y), np.asarray(y).dtype), right)
    for _ in range(3):
        for y in at.tree.leaves(out):
            y[...] = 0
        assert made(X, out=out) is out
        same(out, right)
        assert all(type(y) is np.ndarray for y in at.tree.leaves(out))
    with pytest.raises((TypeError, ValueError)):
        made(X, out=out["a"])
    with pytest.raises((TypeError, ValueError)):
        made(X, out={"a": out["a"], "b": out["b"]})


@pytest.mark.parametrize("backend", BACKENDS)
def test_out_of_scalars(backend):
    made = compiled(lambda x: (np.sum(x), x[0, 0] > 0), X, backend=backend)
    out = np.array(0.0), np.array(True)
    assert made(X, out=out) is out
    same(out, (np.sum(X), X[0, 0] > 0))
    single = compiled(lambda x: np.sum(x), X, backend=backend)
    out = np.array(np.nan)
    assert single(X, out=out) is out
    same(out, np.sum(X))
    for wrong in (0.0, np.float64(0), np.zeros(1), [0.0], np.array(0)):
        with pytest.raises((TypeError, ValueError)):
            single(X, out=wrong)
    number = compiled(lambda x: x * 2, 1.5, backend=backend)
    assert number(2.5, out=out) == 5.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_wrong_out(backend):
    made = compiled(lambda x: np.sin(x) + 1, X, backend=backend)
    read_only = np.empty((4, 3))
    read_only.flags.writeable = False
    wrong = {
        "shape": np.empty((3, 4)), "rank": np.empty(12), "dtype": np.empty((4, 3), np.float32),
        "whole": np.empty((4, 3), int), "order": np.empty((3, 4)).T, "read-only": read_only,
        "strided": np.empty((4, 6))[:, ::2],
        "subclass": np.ma.empty((4, 3)), "a number": 1.0,
    }  # fmt: skip
    for out in wrong.values():
        before = np.array(out)
        with pytest.raises(TypeError, match=r"(?s)out takes writable arrays in C order.*test_comp"):
            made(X, out=out)
        np.testing.assert_array_equal(np.array(out), before)
    for out in ((np.empty((4, 3)),), [np.empty((4, 3))], {"a": 1}, np.empty((4, 3), ">f8")):
        with pytest.raises((TypeError, ValueError)):
            made(X, out=out)
    with pytest.raises(TypeError, match="read-only or in another order"):
        made(X, out=read_only)
    with pytest.raises(TypeError, match="was called with"):
        made(X[:2], out=np.empty((4, 3)))


OVERLAPPING: list[Callable[[Any], Any]] = [
    lambda x: x[::-1] + x,
    lambda x: np.cumsum(x) + x[::-1],
    lambda x: x - np.sum(x),
    lambda x: np.roll(x, 1) * 2,
    lambda x: np.sort(x)[::-1],
    lambda x: np.outer(x, x)[:, 0] + np.tanh(x),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", OVERLAPPING)
@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2, 6])
def test_out_that_overlaps_with_an_argument(function, shift, backend):
    """Results are those of the arguments as they were, as with NumPy's functions."""
    x = np.random.default_rng(0).normal(size=6)
    made, right = compiled(function, x, backend=backend), function(x)
    for _ in range(2):
        base = np.full(20, 7.0)
        mine, out = base[6:12], base[6 + shift : 12 + shift]
        mine[:] = x
        assert made(mine, out=out) is out
        same(out, right)


@pytest.mark.parametrize("backend", BACKENDS)
def test_out_that_is_several_arguments(backend):
    x = np.linspace(0, 1, 6)
    made = compiled(lambda x, y: (x + y[::-1], y * 2), x, x, backend=backend)
    a, b = x.copy(), x + 5
    right = a + b[::-1], b * 2
    made(a, b, out=(b, a))
    same((b, a), right)
    a = x.copy()
    made(a, a, out=(a, np.empty(6)))
    same(a, x + x[::-1])


def test_out_that_is_closed_over():
    c = np.linspace(0, 1, 6)
    made = compiled(lambda x: x + c[::-1], c)
    right = c + c[::-1]
    x = c.copy()
    out = c
    made(x, out=out)
    same(out, right)
    out[:] = 9.0
    same(made(x), right)


@pytest.mark.parametrize("backend", BACKENDS)
def test_out_twice_the_same(backend):
    made = compiled(lambda x: (x + 1, x * 2), X, backend=backend)
    out = np.empty((4, 3))
    found = made(X, out=(out, out))
    assert found[0] is out and found[1] is out
    same(out, X * 2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_out_of_host_steps_inputs_and_constants(backend):
    c = np.arange(3.0)
    made = compiled(lambda x: (np.sort(x, 0), x, c, np.sort(x, 1) * 2), X, backend=backend)
    out = np.empty((4, 3)), np.empty((4, 3)), np.empty(3), np.empty((4, 3))
    for _ in range(2):
        assert made(X, out=out) is out
        same(out, (np.sort(X, 0), X, c, np.sort(X, 1) * 2))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_empty_out(shape, backend):
    x = np.zeros(shape)
    made = compiled(lambda x: (x + 1, x * 2), x, backend=backend)
    out = np.empty(shape), np.empty(shape)
    assert made(x, out=out) is out


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_keyword_named_out(backend):
    def function(x: Any, out: Any = None) -> Any:
        return x + 1 if out is None else x * out

    with_out = compiled(function, X, out=2.0, backend=backend)
    same(with_out(X, out=3.0), X * 3)
    arrays = compiled(function, X, out=X, backend=backend)
    kept = X.copy()
    same(arrays(X, out=kept), X * X)
    np.testing.assert_array_equal(kept, X)
    without = compiled(function, X, backend=backend)
    mine = np.empty((4, 3))
    assert without(X, out=mine) is mine
    same(mine, X + 1)
    same(without(X, out=None), X + 1)
    positional = compiled(function, X, 2.0, backend=backend)
    assert positional(X, 3.0, out=mine) is mine
    same(mine, X * 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_keyword_named_out_that_is_none(backend):
    made = compiled(lambda x, out: x + 1 if out is None else x, X, out=None, backend=backend)
    same(made(X, out=None), X + 1)


def test_out_and_errors():
    made = compiled(lambda x, i: (np.exp(x)[i], np.sum(x)), X, np.array([1]))
    out = np.empty((1, 3)), np.empty(())
    with pytest.raises(IndexError):
        made(X, np.array([4]), out=out)
    made(X, np.array([3]), out=out)
    same(out, (np.exp(X)[[3]], np.sum(X)))


def test_out_with_settings():
    made = compiled(lambda x: np.exp(x) * 2, X)
    out = np.empty((4, 3))
    for name in ("debug_nans", "check_kernels"):
        with at.config.override(name, True):
            out[...] = 0
            assert made(X, out=out) is out
            same(out, np.exp(X) * 2)
    for count in (1, 2, 3):
        with at.threads(count):
            out[...] = 0
            made(X, out=out)
            same(out, np.exp(X) * 2)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.exp(x) * 2,
        lambda x: (np.exp(x - x.max(1, keepdims=True)), x @ x.T),
        lambda x: [np.cumsum(x, 0), {"a": x.T * 2}],
    ],
)
def test_out_allocates_nothing(function):
    x = np.random.default_rng(0).normal(size=(200, 200))
    made = compiled(function, x)
    out = at.tree.map(lambda y: np.empty(y.shape), function(x))
    for _ in range(3):
        made(x, out=out)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(10):
            made(x, out=out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - before < 200 * 200 * 8 / 8
    same(out, function(x))


# --- stats


def test_stats():
    jitted = at.jit(lambda x: np.sum(np.sin(x) * 1.2345) + x * 0.777, backend="numba")
    none = {"traces": 0, "compiled": 0, "loaded": 0, "signatures": 0, "paths": 0}
    assert jitted.stats() == none
    jitted(np.ones(50))
    first = jitted.stats()
    assert first["traces"] == first["signatures"] == 1
    assert first["compiled"] + first["loaded"] >= 1
    for _ in range(3):
        jitted(np.zeros(50))
        assert jitted.stats() == first
    for count, size in enumerate((60, 7, 3000), 2):  # a new size compiles nothing
        jitted(np.ones(size))
        assert jitted.stats() == {**first, "traces": count, "signatures": count, "paths": count}
    jitted(np.ones(50, np.float32))
    other = jitted.stats()
    assert other["traces"] == other["signatures"] == 5
    assert other["compiled"] + other["loaded"] > first["compiled"] + first["loaded"]
    jitted.clear_cache()
    assert jitted.stats() == {**other, "signatures": 0, "paths": 0}
    jitted(np.ones(50))
    assert jitted.stats() == {**other, "traces": 6, "signatures": 1, "paths": 1}


def test_stats_of_two_functions_and_of_the_interpreter():
    first = at.jit(lambda x: np.tanh(x) * 3.14159, backend="numba")
    second = at.jit(lambda x: np.tanh(x) * 3.14159, backend="numba")
    plain = at.jit(lambda x: np.tanh(x) * 3.14159, backend="numpy")
    for f in (first, second, plain):
        f(X)
    assert second.stats() == plain.stats() == {
        "traces": 1, "compiled": 0, "loaded": 0, "signatures": 1, "paths": 1
    }  # fmt: skip


def test_stats_of_failed_traces_and_of_lowering():
    def function(x: Any) -> Any:
        if x.ndim > 1:
            raise ValueError("no matrices")
        return x * 2

    jitted = at.jit(function, backend="numba")
    with pytest.raises(ValueError, match="no matrices"):
        jitted(X)
    assert jitted.stats()["signatures"] == 0
    jitted.lower(X[0]).compile()
    jitted(X[0])
    assert jitted.stats()["signatures"] == 1


def test_stats_are_a_copy():
    jitted = at.jit(np.sin)
    jitted.stats()["traces"] = 9
    assert jitted.stats()["traces"] == 0


# --- text


def test_explain():
    jitted = at.jit(lambda x: np.nextafter(np.exp(x) * 2, 9.0) @ x.T, backend="numba")
    lines = jitted.explain(X).splitlines()
    assert lines[0] == "backend numba"
    assert lines[1].startswith("kernel over (4, 3)")
    assert any(
        line.startswith("host step nextafter at ") and "test_compiled" in line for line in lines
    )
    assert "memory for intermediate values" in lines[-1]
    assert jitted.stats()["traces"] == 1
    assert jitted.explain(at.ShapeDtypeStruct((4, 3), float)) == jitted.explain(X)
    assert jitted.stats()["traces"] == 1


def test_explain_of_the_interpreter():
    jitted = at.jit(lambda x: np.sort(np.exp(x) * 2, 0), backend="numpy")
    lines = jitted.explain(X).splitlines()
    assert lines[0] == "backend numpy"
    assert lines[1].startswith("def run(")
    assert "exp" in jitted.explain(X) and "sort" in jitted.explain(X)


def test_explain_of_the_configured_backend():
    jitted = at.jit(lambda x: np.exp(x) * 2)
    for backend in BACKENDS:
        with at.config.override("backend", backend):
            assert jitted.explain(X).startswith(f"backend {backend}\n")


def test_explain_of_nothing_of_threads_and_of_groups():
    assert at.jit(lambda x: x, backend="numba").explain(1.0) == "backend numba\nnothing to compute"
    sine = at.jit(lambda x: np.sin(x) * 2, backend="numba")
    assert "shared among threads" not in sine.explain(np.ones(100))
    assert "shared among threads by" in sine.explain(np.ones(1_000_000))

    def softmax(x: Any) -> Any:
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    text = at.jit(softmax, backend="numba").explain(np.ones((1000, 1000)))
    assert "of 1000 rows at a time:\n  kernel over" in text


def test_explain_of_static_arguments_and_keywords():
    jitted = at.jit(lambda x, n, y: np.exp(x) * n + y, static_argnames="n", backend="numba")
    assert "kernel over (4, 3)" in jitted.explain(X, n=3, y=X)


@pytest.mark.parametrize("backend", BACKENDS)
def test_stages(backend):
    lowered = at.jit(lambda x: np.sum(np.exp(x) * 1.0 + 0.0), backend=backend).lower(X)
    assert lowered.as_text("jaxpr").startswith("{ lambda ; a:f64[4,3]")
    assert "mul" in lowered.as_text("jaxpr")
    assert "mul" not in lowered.as_text("simplified")
    assert lowered.as_text() == lowered.as_text("simplified")
    stages = {
        "numpy": {"source": "def run("},
        "numba": {"source": "def loops(", "fusion": "kernel over", "llvm": "define", "asm": "ret"},
    }[backend]
    for stage, text in stages.items():
        assert text in lowered.as_text(stage)
    known = ", ".join(["jaxpr", "simplified"])
    for wrong in ("nothing", "", *({"fusion", "llvm", "asm"} - set(stages))):
        with pytest.raises(ValueError, match=f"there are: {known}, "):
            lowered.as_text(wrong)


@pytest.mark.parametrize("backend", BACKENDS)
def test_representations(backend):
    def named(x: Any) -> Any:
        return np.sin(x)

    jitted = at.jit(named, backend=backend)
    assert repr(jitted) == "<jit of named>"
    assert repr(jitted.trace(X)) == "<named traced for f64[4,3]>"
    assert repr(jitted.lower(X)) == "<lowered: <named traced for f64[4,3]>>"
    assert repr(jitted.lower(X).compile()) == "<compiled: <named traced for f64[4,3]>>"
