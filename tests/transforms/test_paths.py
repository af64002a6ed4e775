"""What tracing a path does and keeps; many paths, and long ones."""

import gc
import warnings

import numpy as np
import pytest
from path_checks import same, traces

import autotrace as at
from autotrace import grad, jit

pytestmark = pytest.mark.usefixtures("backend")


# --- traces, work, effects ---------------------------------------------------------------------


def test_a_path_is_traced_once():
    seen = []

    @jit
    def f(x):
        seen.append("start")
        if x > 0:
            seen.append("positive")
            return x
        seen.append("other")
        return -x

    for _ in range(4):
        assert f(1.0) == 1.0
    assert seen == ["start", "positive"]
    for _ in range(4):
        assert f(-2.0) == 2.0 and f(3.0) == 3.0
    assert seen == ["start", "positive", "start", "other"]
    assert f.stats()["paths"] == f.stats()["traces"] == 2


def test_no_work_before_a_guard_is_done_twice():
    calls = []

    def work(tag, x):
        calls.append(tag)
        return x * 2

    def counted(tag, x):
        return at.pure_callback(lambda v: work(tag, v), at.ShapeDtypeStruct((), float), x)

    @jit
    def f(x):
        y = counted("first", x)
        if y > 0:
            z = counted("second", y)
            if z > 10:
                return counted("third", z)
            return z + y
        return counted("fourth", x)

    for x, tags in [
        (1.0, ["first", "second"]),
        (1.5, ["first", "second"]),
        (5.0, ["first", "second", "third"]),  # a new path, after work that was done
        (-5.0, ["first", "fourth"]),
        (5.0, ["first", "second", "third"]),
        (-5.0, ["first", "fourth"]),
    ]:
        calls.clear()
        f(x)
        assert calls == tags


def test_effects_run_once_and_in_order():
    seen = []

    @jit
    def f(x):
        at.debug.callback(lambda v: seen.append(("a", float(v))), x)
        if x > 1:
            at.debug.callback(lambda v: seen.append(("b", float(v))), x * 2)
            if x > 5:
                at.debug.callback(lambda: seen.append("c"))
        else:
            at.debug.callback(lambda v: seen.append(("d", float(v))), x)
        return x

    for _ in range(3):
        for x in (0.0, 2.0, 7.0):
            seen.clear()
            f(x)
            want = [("a", x), ("d", x)] if x <= 1 else [("a", x), ("b", 2 * x)]
            assert seen == want + (["c"] if x > 5 else [])
    for x in (0.0, 2.0, 7.0):
        seen.clear()
        grad(f)(x)
        assert len(seen) == (3 if x > 5 else 2)


def test_a_callback_may_call_jitted_functions():
    inner = jit(lambda x: x + 1 if x > 0 else x - 1)
    seen = []

    @jit
    def f(x):
        at.debug.callback(lambda v: seen.append(inner(v)), x)
        return x if x > 2 else -x

    for x in (1.0, -1.0, 3.0):
        f(x)
        f(x)
    assert seen == [2.0, 2.0, -2.0, -2.0, 4.0, 4.0]


def test_values_no_longer_held_are_not_kept():
    @jit
    def f(x):
        y = np.sin(x)
        z = y.sum()
        del y
        if z > 0:
            return x * z
        return x

    x = np.ones(4)
    same(f(x), x * np.sin(1) * 4)
    (paths,) = f._programs.values()
    root = paths.tree.root
    assert len(root.segment.jaxpr.outvars) == 2  # the answer and z
    assert len(root.pick((x, True, 3.0))) == 2  # x and z


def test_results_share_memory_with_nothing():
    @jit
    def f(x):
        y = x * 2
        if x.sum() > 0:
            return x, y, y, y[::2], x.T
        return y, x

    x = np.arange(6.0).reshape(2, 3) + 1
    for _ in range(4):
        outs = f(x)
        for n, out in enumerate(outs):
            assert out.flags.writeable and out.flags.c_contiguous and out.base is None
            assert not np.may_share_memory(out, x)
            assert not any(np.may_share_memory(out, other) for other in outs[n + 1 :])
        same(outs[0], x)
        same(outs[3], (x * 2)[::2])
        for out in outs:
            out[...] = 0
    same(f(-x)[0], -2 * x)


def test_constants_are_taken_as_they_are():
    c = np.arange(3.0)

    @jit
    def f(x):
        if x > 0:
            return c + x, c
        return c * x, c

    for _ in range(2):
        first, second = f(1.0), f(-1.0)
        same(first[0], np.arange(3.0) + 1)
        same(second[0], -np.arange(3.0))
        first[1][:] = 9
        second[1][:] = 9
    same(c, np.arange(3.0))


# --- many paths, long paths --------------------------------------------------------------------


def test_long_loops():
    @jit
    def f(x, n):
        while n > 0:
            x = x * 0.999 + 1.0
            n = n - 1
        return x

    want = 0.0
    for _ in range(10_000):
        want = want * 0.999 + 1.0
    for _ in range(3):
        same(f(0.0, 10_000), want)
    assert traces(f) == 2  # the first was left where the loop closed
    same(f(0.0, 3), 1.0 + 0.999 + 0.999**2)
    f.clear_cache()
    gc.collect()
    assert f(0.0, 1) == 1.0


def test_equal_iterations_share_their_code(backend):
    @jit
    def f(x, tol):
        while np.abs(np.cos(x) - x).max() > tol:
            x = np.cos(x) * 0.37 + x * 0.63
        return x

    f(np.ones(5), 1e-3)
    before = f.stats()
    (paths,) = f._programs.values()
    programs = len(paths.tree.segments)
    f(np.ones(5), 1e-9)
    after = f.stats()
    assert (after["compiled"], after["loaded"]) == (before["compiled"], before["loaded"])
    assert len(paths.tree.segments) == programs


def test_too_many_paths():
    @jit(max_paths=5)
    def f(x):
        return x * float(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in range(5):
            assert f(x + 0.5) == (x + 0.5) ** 2
    with pytest.warns(RuntimeWarning, match="max_paths") as caught:
        assert f(99.0) == 99.0**2
    text = str(caught[0].message)
    assert "return x * float(x)" in text and "lax.cond" in text and "static_argnums" in text
    assert "5 different answers" in text and len(text.splitlines()) <= 12
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once
        for x in (99.0, 98.0, 1.5):
            assert f(x) == x * x
            assert grad(f)(x) == x
    assert f.stats()["paths"] == 5
    with pytest.raises(ValueError, match="max_paths must be positive"):
        jit(lambda x: x, max_paths=0)


def test_functions_of_more_than_their_arguments():
    state = {"n": 0}

    @jit
    def f(x):
        state["n"] += 1
        if state["n"] == 1:
            return x + 1 if x > 0 else x - 1
        return x * 2 if x > 5 else x * 3

    assert f(1.0) == 2.0
    with pytest.warns(RuntimeWarning, match="did not ask for the same values") as caught:
        assert f(-1.0) == -3.0
    assert "test_paths.py" in str(caught[0].message)
    assert f(7.0) == 14.0 and f(-7.0) == -21.0
