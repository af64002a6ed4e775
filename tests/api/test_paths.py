"""Python's control flow on traced values under jit: the paths that calls take."""

import copy
import gc
import math
import pickle
import re
import threading
import warnings

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import autotrace as at
from autotrace import grad, hessian, jit, jvp, value_and_grad, vmap

BACKENDS = ["numpy", "numba"]


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request):
    before = at.config.backend
    at.config.update("backend", request.param)
    yield request.param
    at.config.update("backend", before)


def same(a, b):
    assert type(a) is type(b) or np.shape(a) == np.shape(b)
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def traces(f):
    return f.stats()["traces"]


# --- what Python may ask -----------------------------------------------------------------------


def _if(x):
    if x > 0.5:
        return x * 2
    return x - 1


def _early_return(x):
    y = x + 1
    if y < 1:
        return y
    z = y * x
    if z > 2:
        return z
    return z - y


def _while(x):
    y = x
    while abs(y * y - x) > 1e-6:
        y = 0.5 * (y + x / y)
    return y


def _boolean(x):
    return x * 3 if (x > 0 and x < 1) or not x < 2 else -x


def _max_min(x):
    return max(x, 1.0 - x) * min(x * x, 0.25, x) + sorted([x, 0.5, 1 / (1 + x * x)])[1]


def _abs_round(x):
    return abs(x) + round(x * 1.5)


def _assert(x):
    assert x == x
    return np.sin(x)


def _range(x):
    out = x
    for i in range(int(abs(x) * 3)):
        out = out + i * x
    return out


def _float(x):
    return math.exp(float(x)) * x


def _item(x):
    return x * x.item() if hasattr(x, "item") else x * x


def _list_index(x):
    return [x, x * 2, x * 3, x * 4][np.astype(abs(x) * 1.2, int)]


def _chained(x):
    return x if 0 < x < 1 else x * x


def _truth(x):
    return x * 2 if x else x + 1


def _format(x):
    return x * len(f"{x:.3f}")


def _divmod(x):
    q, r = divmod(x, 0.7)
    return r if q > 0 else q


def _nested_functions(x):
    def inner(y):
        return y * x if y > x else y + x

    return inner(x * x) + inner(x / 2)


def _exceptions(x):
    try:
        if x < 0:
            raise ValueError("negative")
        return x**2
    except ValueError:
        return -x


PROGRAMS = [
    _if, _early_return, _boolean, _max_min, _abs_round, _assert, _range, _float, _item,
    _list_index, _chained, _truth, _format, _divmod, _nested_functions, _exceptions,
]  # fmt: skip
POINTS = [np.float64(v) for v in (0.3, 0.9, 1.7, 2.4, -0.6, 0.0, -2.2)]


@pytest.mark.parametrize("program", [*PROGRAMS, _while])
def test_programs(program):
    f = jit(program)
    points = POINTS[:4] if program is _while else POINTS
    for _ in range(3):
        for x in points:
            same(f(x), program(x))
    counted = traces(f)
    for x in points:
        same(f(x), program(x))
        same(f(np.asarray(x)), program(x))
    # One trace for each path, and one that was left where the loop closed.
    assert traces(f) == counted == f.stats()["paths"] + (program is _while)
    assert f.stats()["signatures"] == 1


@pytest.mark.parametrize("program", [*PROGRAMS, _while])
def test_derivatives(program):
    f = jit(program)
    for x in [v for v in POINTS if v and (v > 0 or program is not _while)]:
        value, slope = value_and_grad(program)(x)
        for compiled in (value_and_grad(f), jit(value_and_grad(program)), jit(value_and_grad(f))):
            for _ in range(2):
                got = compiled(x)
                same(got[0], value)
                same(got[1], slope)
        same(jvp(f, (x,), (1.5,))[1], 1.5 * slope)
        same(jit(lambda x: jvp(program, (x,), (1.5,))[1])(x), 1.5 * slope)
        same(jit(lambda x: jvp(f, (x,), (1.5,))[1])(x), 1.5 * slope)
        curve = hessian(program)(x)
        for compiled in (hessian(f), jit(hessian(program)), grad(grad(f)), grad(jit(grad(f)))):
            same(compiled(x), curve)
        if program not in (_float, _item):  # there Python's number is a constant
            step = 1e-6
            difference = (program(x + step) - program(x - step)) / (2 * step)
            np.testing.assert_allclose(slope, difference, rtol=1e-5, atol=1e-7)


def test_arrays_are_asked():
    @jit
    def f(x):
        if np.all(x > 0):
            return np.log(x)
        if (x < 0).any():
            x = x[x > 0]
        return x * x.tolist()[0]

    def plain(x):
        return f.__wrapped__(x)

    for x in ([1.0, 2.0], [-1.0, 2.0, 3.0], [0.0, 3.0], [-2.0, 2.0, 3.0], [2.0, -2.0, 3.0]):
        for _ in range(2):
            same(f(np.array(x)), plain(np.array(x)))


def test_counts_of_true():
    @jit
    def f(x, n):
        return x[:n].sum() + np.nonzero(x)[0].sum() + np.compress(x > 1, x).sum() + len(x[x > 2])

    x = np.array([0.0, 1.0, 2.0, 3.0])
    for n in (0, 1, 3):
        same(f(x, n), f.__wrapped__(x, n))


def test_truth_of_an_array_is_ambiguous():
    f = jit(lambda x: 1 if x > 0 else 2)
    for _ in range(3):
        with pytest.raises(ValueError, match="ambiguous"):
            f(np.ones(3))
    assert f(np.ones(1)) == 1


def test_answers_are_told_apart_by_bits():
    @jit
    def f(x):
        return math.copysign(1.0, float(x)) + (0 if math.isnan(x.item()) else 10)

    for value in (0.0, -0.0, np.nan, -np.nan, 1.0):
        for _ in range(2):
            assert f(value) == f.__wrapped__(np.float64(value))
    g = jit(lambda x: type(x.tolist()).__name__ == "bool")
    assert g(np.True_) and not g(1) and not g(1.0)


def test_failed_conversions():
    @jit
    def f(x):
        try:
            return x * int(x)
        except (ValueError, OverflowError) as error:
            return x * len(str(error))

    for x in (2.5, np.nan, np.inf, -7.9, 1e300):
        with np.errstate(all="ignore"):
            want = f.__wrapped__(np.float64(x))
        for _ in range(3):
            same(f(x), want)
    assert traces(f) == 5
    g = jit(lambda x: int(x))
    assert g(3.7) == 3
    for _ in range(2):
        with pytest.raises(ValueError, match="NaN"):
            g(np.nan)
        with pytest.raises(OverflowError):
            g(np.inf)
    assert g(3.2) == 3


def test_assertion():
    @jit
    def f(x):
        assert x > 0, "positive, please"
        return np.sqrt(x)

    for _ in range(3):
        assert f(4.0) == 2.0
        with pytest.raises(AssertionError, match="positive, please"):
            f(-4.0)
    with pytest.raises(AssertionError):
        jit(f.__wrapped__)(-1.0)  # at the first call already


def test_inputs_and_computed_values_of_every_dtype():
    @jit
    def f(x, flag, n):
        if flag:
            x = x + x.dtype.type(1)
        for _ in range(n):
            x = x + x
        return x

    for dtype in "?bhilBHILefdFD":
        x = np.array([1, 0, 3]).astype(dtype)
        if dtype == "?":
            continue
        for flag in (True, False):
            for n in (0, 2, np.int32(3), np.uint8(1)):
                got, want = f(x, flag, n), f.__wrapped__(x, flag, n)
                assert got.dtype == want.dtype
                same(got, want)


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


# --- how functions are called ------------------------------------------------------------------


def test_structures_depend_on_the_path():
    @jit
    def f(tree, *, k=1):
        if tree["a"] > 0:
            return {"x": tree["a"] * k, "y": [tree["b"], None]}
        return (tree["b"][0],)

    for _ in range(3):
        out = f({"a": 1.0, "b": (2.0, 3.0)}, k=2)
        assert out == {"x": 2.0, "y": [(2.0, 3.0), None]}
        assert f({"a": -1.0, "b": (2.0, 3.0)}) == (2.0,)


def test_static_arguments():
    @jit(static_argnums=1, static_argnames="mode")
    def f(x, n, mode="up"):
        if x > n:
            return x * n if mode == "up" else x / n
        return x

    for _ in range(2):
        assert f(3.0, 2) == 6.0 and f(3.0, 2, mode="down") == 1.5 and f(1.0, 2) == 1.0
        assert f(3.0, 4) == 3.0


def test_methods_and_defaults():
    class Model:
        scale = 3.0

        @jit
        def __call__(self, x, low=0.0):
            return x * 2 if x > low else x

    at.tree.register_node(Model, lambda m: ((), None), lambda aux, children: Model())
    m = Model()
    for _ in range(3):
        assert m(1.0) == 2.0 and m(-1.0) == -1.0 and m(1.0, low=2.0) == 1.0


def test_donated_arguments():
    @jit(donate_argnums=0)
    def f(x, y):
        if y > 0:
            return x + y
        return x - y

    for _ in range(3):
        same(f(np.ones(3), 1.0), np.full(3, 2.0))
        same(f(np.ones(3), -2.0), np.full(3, 3.0))


def test_layouts_and_scalars():
    @jit
    def f(x, y):
        s = x * 2
        if x.sum() > 3:
            return s + y
        return s - y

    base = np.arange(12.0).reshape(3, 4)
    arrays = [base, base.T.copy().T, base[::-1], np.asfortranarray(base), base[:, ::-1] * 0]
    for _ in range(3):
        for x in arrays:
            for y in (1.0, np.float64(2.0), 3, np.array(4.0)):
                same(f(x, y), f.__wrapped__(x, y))
    swapped = base.astype(">f8")
    same(f(swapped, 1.0), base * 2 + 1)


def test_zero_size_and_no_arguments():
    @jit
    def f(x):
        return x + 1 if x.size and x[0] > 0 else x * 2

    assert f(np.ones(0)).shape == (0,)
    c = np.float64(2.0)
    g = jit(lambda: 1.0 if at.lax.add(c, c) > 3 else 2.0)
    assert g() == 1.0
    h = jit(lambda x: x if np.sum(x) == 0 else x + 1)
    for _ in range(3):
        assert h(np.zeros((0, 3))).shape == (0, 3)


def test_wrong_arguments_after_paths_are_known():
    f = jit(lambda x: x * 2 if x.sum() > 0 else x)
    for _ in range(4):
        f(np.ones(3))
    same(f(np.ones(4)), np.full(4, 2.0))
    same(f(np.ones(3, np.float32)), np.full(3, 2.0))
    same(f(2.0), 4.0)
    with pytest.raises(TypeError):
        f("text")
    with pytest.raises(TypeError):
        f(np.ones(3), np.ones(3))


def test_index_errors_name_the_line(backend):
    @jit
    def f(x, i):
        y = x[i]  # the user's line
        if y > 0:
            return y
        return -y

    x = np.array([1.0, -2.0])
    for _ in range(3):
        assert f(x, 0) == 1.0 and f(x, 1) == 2.0
        with pytest.raises(IndexError, match="index 2 is out of bounds") as error:
            f(x, 2)
        assert backend == "numpy" or "y = x[i]  # the user's line" in str(error.value)


def test_settings():
    f = jit(lambda x: np.log(x) if x > -1 else x)
    f(1.0), f(1.0)
    with at.config.override("debug_nans", True):
        assert f(1.0) == 0.0 and f(-2.0) == -2.0
        with pytest.raises(at.NanError, match="log"):
            f(-0.5)
    with at.config.override("check_kernels", True):
        assert f(1.0) == 0.0
    for name in BACKENDS:
        with at.config.override("backend", name):
            assert f(1.0) == 0.0 and f(-3.0) == -3.0
    with at.config.override("num_threads", 1):
        assert f(1.0) == 0.0
    at.config.update("num_threads", 1)
    assert f(1.0) == 0.0
    at.config.update("num_threads", 0)
    assert f(1.0) == 0.0
    assert f.stats()["paths"] == 2


def test_pickle_copy_and_clear():
    f = pickle.loads(pickle.dumps(branching))
    assert f(1.0) == 2.0 and f(-1.0) == -2.0 and f is branching
    f.clear_cache()
    assert f.stats()["paths"] == 0 and f(1.0) == 2.0
    g = copy.deepcopy(jit(_if, max_paths=7))
    same(g(1.0), 2.0)
    assert g._options[-1] == 7


@jit
def branching(x):
    return x + 1 if x > 0 else x - 1


def test_threads():
    @jit
    def f(x):
        y = x
        while y < 100:
            y = y * 2 + 1
        if y > 150:
            return y
        return -y

    plain = f.__wrapped__
    errors = []
    start = threading.Barrier(8)

    def call(seed):
        rng = np.random.default_rng(seed)
        start.wait()
        for x in rng.uniform(0.1, 90, 60):
            if f(x) != plain(np.float64(x)):
                errors.append(x)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    # One was left where the loop closed, unless the first number of all needed no second turn.
    assert traces(f) - f.stats()["paths"] in (0, 1)


def test_signatures_are_dropped():
    f = jit(lambda x: x + 1 if np.sum(x) > 0 else x)
    with at.config.override("jit_cache_size", 2):
        for size in (1, 2, 3, 1, 2, 3):
            same(f(np.ones(size)), np.full(size, 2.0))
    assert f.stats()["signatures"] == 2


# --- composition -------------------------------------------------------------------------------


def test_jit_within_jit():
    inner = jit(lambda x: x * 2 if x > 1 else x / 2)

    @jit
    def f(x):
        y = inner(x) + inner(x + 1)
        return y if inner(y) > 3 else -y

    for x in (0.2, 0.7, 1.5, 3.0):
        for _ in range(3):
            same(f(x), f.__wrapped__(np.float64(x)))
        same(grad(f)(x), grad(f.__wrapped__)(x))
        same(jit(grad(f))(x), grad(f.__wrapped__)(x))


def test_inner_paths_are_asked_again_from_outside():
    """A path of the outer function that goes through a new path of the inner one."""
    inner = jit(lambda x: x * 2 if x > 1 else x / 2)
    outer = jit(lambda x: inner(x) - 1)
    order = (2.0, 0.5, 2.0, 0.5)
    for x in order:
        same(outer(x), (x * 2 if x > 1 else x / 2) - 1)
    assert traces(outer) == traces(inner) == 2
    other = jit(lambda x: inner(x) + 1)
    for x in order:
        same(other(x), (x * 2 if x > 1 else x / 2) + 1)
    assert traces(inner) == 2


def test_recursion():
    @jit
    def factorial(n):
        return 1 if n <= 1 else n * factorial(n - 1)

    @jit
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    for n in (1, 5, 6, 5, 3):
        assert factorial(n) == math.factorial(n)
    assert [fibonacci(n) for n in (1, 5, 7, 6)] == [1, 5, 13, 8]


def test_closing_over_traced_values():
    def outer(x):
        @jit
        def inner(y):
            if y > 0:
                return x * y
            return x - y

        return inner(x) + inner(-x) + inner(1.0)

    same(grad(outer)(2.0), grad(lambda x: x * x + x + x + x if x > 0 else x)(2.0))
    same(jit(outer)(2.0), 4.0 + 4.0 + 2.0)
    same(jit(grad(outer))(3.0), grad(outer)(3.0))
    same(jvp(jit(outer), (2.0,), (1.0,))[1], grad(outer)(2.0))


def test_outer_values_asked_in_an_inner_function():
    def outer(x):
        inner = jit(lambda y: y * x if x > 1 else y + x)
        return inner(2.0) + inner(x)

    for x in (2.0, 0.5):
        same(jit(outer)(x), outer(np.float64(x)))
        same(jit(grad(outer))(x), grad(outer)(x))
        same(grad(jit(outer))(x), grad(outer)(x))


def test_outer_values_from_an_object():
    class Model:
        scale = None

    model = Model()
    with_question = jit(lambda y: y * 2 if model.scale > 1 else y)
    with_both = jit(lambda y: (y * 2 if model.scale > 1 else y) * (3 if y > 0 else 4))

    def outer(x, inner):
        model.scale = x
        return inner(1.0) + x * 0

    for inner, answers in ((with_question, (2.0, 1.0, 2.0)), (with_both, (6.0, 3.0, 6.0))):
        f = jit(lambda x, inner=inner: outer(x, inner))
        both = value_and_grad(lambda x, inner=inner: outer(x, inner))
        for x, answer in zip((2.0, 0.5, 3.0), answers, strict=True):
            assert f(x) == answer
            assert both(x) == value_and_grad(f)(x) == jit(both)(x) == (answer, 0.0)
        assert inner.stats()["signatures"] == 0  # what it depends on is not its argument


def test_gradient_with_arrays_and_residuals():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((4, 4))

    def loss(params, x):
        h = np.tanh(x @ params["w"])
        steps = 0
        while np.sum(h * h) > 1.0 and steps < 5:
            h = np.tanh(h @ params["w"]) * params["s"]
            steps += 1
        return np.sum(h) if np.max(h) > 0.1 else np.sum(h**2)

    x = rng.standard_normal((3, 4))
    for scale in (0.3, 0.9, 0.5):
        params = {"w": w, "s": np.float64(scale)}
        want = grad(loss)(params, x)
        for f in (jit(grad(loss)), grad(jit(loss)), jit(grad(jit(loss)))):
            for _ in range(2):
                got = f(params, x)
                same(got["w"], want["w"])
                same(got["s"], want["s"])


def test_reverse_mode_does_not_compute_twice():
    calls = []

    @at.custom_jvp
    def square(x):
        return at.pure_callback(
            lambda v: calls.append(1) or v * v, at.ShapeDtypeStruct((), float), x
        )

    square.defjvp(lambda p, t: (square(*p), 2 * p[0] * t[0]))

    @jit
    def f(x):
        y = square(x)
        return y * 3 if y > 1 else y

    for _ in range(3):
        calls.clear()
        assert grad(f)(2.0) == 12.0
        assert len(calls) == 1
        calls.clear()
        assert value_and_grad(f)(0.5) == (0.25, 1.0)
        assert len(calls) == 1


def test_minimize():
    def rosenbrock(x):
        total = 0.0
        for i in range(len(x) - 1):
            term = 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
            if term > 0:
                total = total + term
        return total

    found = scipy.optimize.minimize(jit(value_and_grad(rosenbrock)), np.zeros(3), jac=True)
    np.testing.assert_allclose(found.x, np.ones(3), rtol=1e-4)


def test_vmap_is_refused_with_the_line():
    f = jit(lambda x: x if x > 0 else -x)
    for g in (vmap(f), jit(vmap(f)), jit(vmap(f.__wrapped__))):
        for _ in range(2):
            with pytest.raises(at.ConcretizationError, match="under vmap it stands") as error:
                g(np.array([1.0, -1.0]))
            text = str(error.value)
            assert "test_paths.py" in text and "x if x > 0 else -x" in text and "np.where" in text
            assert len(text.splitlines()) <= 12
    f(1.0), f(-1.0)  # known paths change nothing about it
    with pytest.raises(at.ConcretizationError, match="x if x > 0 else -x"):
        vmap(f)(np.array([1.0, -1.0]))
    # What is the same for all examples has a number.
    g = jit(lambda x, s: x if s > 0 else -x)
    same(vmap(g, (0, None))(np.array([1.0, 2.0]), -1.0), np.array([-1.0, -2.0]))


def test_staging_for_all_values_is_refused():
    f = jit(lambda x: x if x > 0 else -x)
    asked = [
        lambda: f.lower(1.0),
        lambda: f.trace(1.0),
        lambda: at.make_jaxpr(f)(1.0),
        lambda: at.eval_shape(f, 1.0),
        lambda: at.checkpoint(f)(1.0),
    ]
    for call in (*asked, lambda: f(1.0), *asked):
        if call not in asked:
            call()
            continue
        with pytest.raises(at.ConcretizationError, match="x if x > 0 else -x") as error:
            call()
        assert "What to do" in str(error.value)
        assert len(str(error.value).splitlines()) <= 12


def test_custom_rules_with_control_flow():
    @at.custom_jvp
    def f(x):
        return np.abs(x)

    f.defjvp(lambda p, t: (f(*p), t[0] * (3 if p[0] > 0 else 5)))
    g = lambda x: f(x) * 2  # noqa: E731
    assert jit(grad(g))(1.0) == 6.0 and jit(grad(g))(-1.0) == 10.0


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


# --- loops that are one node -------------------------------------------------------------------


def test_another_count_of_turns_needs_no_trace():
    @jit
    def f(x, n):
        while n > 0:
            x = x * 0.5 + 1.0
            n = n - 1
        return x

    for n in (0, 1, 6):
        f(1.0, n)
    known = traces(f)
    for n in (2, 3, 4, 5, 17, 1000):
        same(f(1.0, n), 2.0 - 0.5**n)
        same(grad(f)(1.0, n), 0.5**n)
        same(jit(grad(f))(1.0, n), 0.5**n)
    assert traces(f) == known == 4
    assert "True" in f.explain(1.0, 3)


def test_branches_within_a_loop():
    @jit
    def f(x):
        while abs(x) > 1:
            if x > 3:
                x = x * 0.5
            elif x > 0:
                x = x - 0.3
            else:
                x = -x * 0.9
        return x * 2

    points = [1.5, 100.0, 2.5, -7.7, 50.0, 0.5, -100.0, 3.3]
    for x in points:
        same(f(x), f.__wrapped__(np.float64(x)))
    known = traces(f)
    for x in np.linspace(-200, 200, 37):
        same(f(x), f.__wrapped__(x))
        same(grad(f)(x), grad(f.__wrapped__)(x))
    assert traces(f) - known <= 6


def _counter(x):
    n = 0
    while x < 1e9:
        x = x * 1.5
        n += 1
        if n > 20:
            break
    return x, n


def _growing_list(x):
    seen = []
    while x < 1e9:
        x = x * 1.5
        seen.append(None)
        if len(seen) > 7:
            break
    return x


def _attribute(x):
    class Counter:
        n = 0

    counter = Counter()
    while x < 1e9:
        x = x * 1.5
        counter.n += 1
        if counter.n > 7:
            break
    return x


def _nonlocal(x):
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    while x < 1e9:
        x = x * 1.5
        if count() > 7:
            break
    return x


def _make_counter():
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    return count


def _closure_of_a_returned_function(x):
    count = _make_counter()
    while x < 1e9:
        x = x * 1.5
        if count() > 7:
            break
    return x


def _bound_method(x):
    class Counter:
        def __init__(self):
            self.n = 0

        def more(self):
            self.n += 1
            return self.n

    more = Counter().more
    while x < 1e9:
        x = x * 1.5
        if more() > 7:
            break
    return x


def _function_attribute(x):
    def count():
        count.n += 1
        return count.n

    count.n = 0
    while x < 1e9:
        x = x * 1.5
        if count() > 7:
            break
    return x


def _hidden_iterator(x):
    for _ in [None] * 6:
        if x < 1e9:
            x = x * 1.5
    return x


def _explicit_iterator(x):
    it = iter([None] * 6)
    while x < 1e9:
        x = x * 1.5
        if next(it, True):
            break
    return x


def _generator(x):
    def steps():
        for n in range(6):
            yield n > 4

    g = steps()
    while x < 1e9:
        x = x * 1.5
        if next(g):
            break
    return x


def _in_a_generator(x):
    def steps(y):
        while y < 1e9:
            y = y * 1.5
            yield y

    for n, y in enumerate(steps(x)):
        if n == 6:
            return y
    return x


def _array_counter(x):
    n = np.frombuffer(bytearray(8), int)
    while x < 1e9:
        x = x * 1.5
        n[0] += 1
        if int(n[0]) > 7:
            break
    return x


def _dict_of_dicts(x):
    state = {"a": {"n": 0}}
    while x < 1e9:
        x = x * 1.5
        state["a"]["n"] += 1
        if state["a"]["n"] > 7:
            break
    return x


def _set(x):
    seen = set()
    while x < 1e9:
        x = x * 1.5
        seen.add(len(seen))
        if len(seen) > 7:
            break
    return x


def _list_of_traced(x):
    history = [x]
    while x < 100:
        x = x * 1.5
        history.append(x)
    return sum(history)


def _last_two(x):
    before = after = x
    while after < 100:
        before, after = after, after + before * 0.5
    return before * 2 + after


def _changing_names(x):
    y = x
    while x < 100:
        x = x * 1.5
        z = x + y
        y = z * 0.5
    return x + y


def _aliases(x):
    a = [1]
    b = a
    while x < 1e9:
        x = x * 1.5
        if b is a:
            b = [1]
        else:
            break
    return x


def _turning_flag(x):
    flag = False
    while x < 1000:
        x = x * 1.5 if flag else x + 1
        flag = not flag
    return x


def _settling(x):
    n = 0
    while x < 1e4:
        x = x * 1.3
        n = min(n + 1, 4)
        if n == 4:
            x = x + 1
    return x


def _helper_loop(x):
    def climb(y, top):
        while y < top:
            y = y * 1.7
        return y

    for k in range(3):
        x = climb(x, 10.0 * (k + 1)) + k
    return x


def _helper_in_an_endless_loop(x):
    def climb(y):
        while y < 40:
            y = y * 1.7
        return y

    calls = [0]
    while True:
        calls[0] += 1
        x = climb(x) * 0.1
        if calls[0] == 5:
            return x


def _operand(x):
    count = _make_counter()
    while True:
        x = x * 1.2
        if (count(), 1 if x < 1e9 else 2)[0] > 6:
            return x


def _with_block(x):
    while x < 1000:
        with np.errstate(all="ignore"):
            x = x * 1.5 if x < 50 else x * 3
    return x


def _try_block(x):
    n = 0
    while x < 1e9:
        try:
            x = x * 1.5
            if x > 20:
                n += 1
                raise ValueError
        except ValueError:
            if n > 3:
                break
    return x


def _nested_loops(x):
    y = x
    while y < 500:
        while x < 5:
            x = x * 1.4
        y = y + x
        x = x - 4.5
    return y - x


def _integer_state(x):
    n = int(x)
    while x < 100:
        x = x * 1.5
        n = int(x) % 3
    return x * (n + 1)


def _dictionary_of_traced(x):
    p = {"x": x, "steps": (x * 0, x)}
    while p["x"] < 100:
        p = {"x": p["x"] * 1.5, "steps": (p["steps"][0] + 1, p["x"])}
    return p["x"] + p["steps"][0] * p["steps"][1]


LOOPS = [
    _counter, _growing_list, _attribute, _nonlocal, _closure_of_a_returned_function, _bound_method,
    _function_attribute, _hidden_iterator, _explicit_iterator, _generator, _in_a_generator,
    _array_counter, _dict_of_dicts, _set, _list_of_traced, _last_two, _changing_names, _aliases,
    _turning_flag, _settling, _helper_loop, _helper_in_an_endless_loop, _operand, _with_block,
    _try_block, _nested_loops, _integer_state, _dictionary_of_traced,
]  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_with_state_in_python(loop):
    f = jit(loop)
    points = [3.0, 1.0, 1.7, 0.6, 1e8, 4e8, 2e7, 60.0, 1.1, 700.0]
    for x in points:
        want = loop(np.float64(x))
        for _ in range(2):
            for got, expected in zip(np.atleast_1d(f(x)), np.atleast_1d(want), strict=True):
                same(got, expected)
    if loop is not _counter:
        for x in points[:4]:
            same(grad(f)(x), grad(loop)(x))
            same(jit(grad(loop))(x), grad(loop)(x))


@pytest.mark.parametrize("loop", [_last_two, _changing_names, _settling, _dictionary_of_traced])
def test_these_loops_need_few_traces(loop):
    f = jit(loop)
    for x in np.geomspace(0.001, 5000, 60):
        same(f(x), loop(x))
    assert traces(f) <= 8


def test_loops_at_once():
    @jit
    def f(x, n):
        while n > 0:
            x = x * 0.5 + 1.0
            n = n - 1
        return x

    wrong = []

    def call(seed):
        rng = np.random.default_rng(seed)
        for n in rng.integers(0, 60, 40):
            if abs(f(1.0, int(n)) - (2.0 - 0.5 ** int(n))) > 1e-12:
                wrong.append(n)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and traces(f) <= 6


# --- looking at paths --------------------------------------------------------------------------


def test_explain():
    @jit
    def f(x):
        if x > 1:
            return x
        for _ in range(int(x * 4)):
            x = x * 2
        return x

    for x in (2.0, 3.0, 0.5, 0.5, 0.25):
        f(x)
    text = f.explain(1.0)
    assert "if x > 1:" in text and "for _ in range(int(x * 4)):" in text and __file__ in text
    assert "True 2 times, False 3 times" in text
    assert re.search(r"int\(\): 2 2 times, 1 once", text)
    assert "3 paths:" in text and "[1] True: 2 times" in text
    assert "[1] False, [2] 2: 2 times" in text
    plain = jit(lambda x: x + 1)
    assert "asks" not in plain.explain(1.0)


def test_stats():
    f = jit(lambda x: x if x > 0 else -x)
    assert f.stats()["paths"] == 0
    f(1.0)
    assert f.stats()["paths"] == 1
    f(-1.0), f(-1)
    assert f.stats()["paths"] == 3 and f.stats()["signatures"] == 2


# --- random programs ---------------------------------------------------------------------------

NAMES = ["a", "b", "c"]
_EXPRESSIONS = st.sampled_from(
    "a b c a*b a+c b-c a*0.5 np.sin(a) np.cos(b)*c b*b-0.5 a/(1+b*b) abs(c) max(a,b) min(b,c) "
    "np.tanh(a+b) float(a>b)*c (a,b,c)[int(abs(c))%3] -a 0.3".split()
)
_QUESTIONS = st.sampled_from(
    "a>b b>0 a<c<1.5 not_a>0.2 abs(c)>0.7 a>0_and_b>0 a>0_or_c<0 int(a*2)%2==0 round(b)==0 "
    "max(a,b)>c".split()
).map(lambda text: text.replace("_", " "))
_ASSIGNMENTS = st.tuples(st.sampled_from(NAMES), _EXPRESSIONS).map(" = ".join)


def _indented(block):
    return [f"    {line}" for line in block]


@st.composite
def _blocks(draw, depth=2):
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        kinds = ["set", "set", "if", "else", "for", "while", "return", "call"]
        kind = draw(st.sampled_from(kinds if depth else ["set"]))
        if kind == "set":
            lines.append(draw(_ASSIGNMENTS))
        elif kind == "return":
            lines += [f"if {draw(_QUESTIONS)}:", f"    return {draw(_EXPRESSIONS)} + a*c"]
        elif kind == "call":
            name = draw(st.sampled_from(NAMES))
            lines.append(f"{name} = inner({draw(_EXPRESSIONS)})")
        elif kind == "while":
            turns = f"turns{depth}"
            lines += [f"{turns} = 0", f"while ({draw(_QUESTIONS)}) and {turns} < 3:"]
            lines += _indented([*draw(_blocks(depth - 1)), f"{turns} += 1"])
        elif kind == "for":
            count = draw(st.sampled_from(["2", "int(abs(a)*2)%4", "int(b > a) + 1"]))
            lines += [f"for k in range({count}):", *_indented(draw(_blocks(depth - 1)))]
            lines.append(f"    if {draw(_QUESTIONS)}:")
            lines.append(f"        {draw(st.sampled_from(['break', 'continue', 'a = a + k']))}")
        else:
            lines += [f"if {draw(_QUESTIONS)}:", *_indented(draw(_blocks(depth - 1)))]
            if kind == "else":
                lines += ["else:", *_indented(draw(_blocks(depth - 1)))]
    return lines


def _compiled_text(lines, inner):
    body = [*lines, "return a + 2.0*b*c"]
    text = "\n".join(["def f(a, b, c):", *_indented(body)])
    namespace = {"np": np, "inner": inner}
    exec(compile(text, "<program>", "exec"), namespace)
    return namespace["f"]


def _inner(x):
    return np.sin(x) if x > 0.4 else x * x


_POINTS = st.lists(st.tuples(*[st.floats(-2, 2, width=16)] * 3), min_size=2, max_size=4)


@pytest.mark.parametrize("backend", BACKENDS, indirect=True)
def test_random_programs(backend):
    examples = 80 if backend == "numpy" else 12  # compiling takes its time
    settings(max_examples=examples)(given(_blocks(), _POINTS)(_check_random_program))()


def _check_random_program(lines, points):
    plain = _compiled_text(lines, _inner)
    f = jit(_compiled_text(lines, jit(_inner)))
    points = [tuple(map(np.float64, point)) for point in points]
    wanted = [plain(*point) for point in points]
    for _ in range(2):
        for point, want in zip(points, wanted, strict=True):
            np.testing.assert_allclose(f(*point), want, rtol=1e-9, atol=1e-9)
    known = traces(f)
    assert known == f.stats()["paths"]
    for point in points[:3]:
        slopes = grad(plain, (0, 1, 2))(*point)
        for compiled in (grad(f, (0, 1, 2)), jit(grad(plain, (0, 1, 2)))):
            np.testing.assert_allclose(compiled(*point), slopes, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(
            jvp(f, point, (1.0, -2.0, 0.5))[1],
            slopes[0] - 2 * slopes[1] + 0.5 * slopes[2],
            rtol=1e-7,
            atol=1e-7,
        )
    assert traces(f) == known  # derivatives follow the paths that values have taken


def test_explain_runs_what_has_not_been_called():
    def f(x):
        return x * 2 if x.sum() > 0 else x

    text = jit(f).explain(np.ones(3))
    assert "asks for values" in text and "1 path" in text
    with pytest.raises(at.ConcretizationError):
        jit(f).explain(at.ShapeDtypeStruct((3,), np.float64))
