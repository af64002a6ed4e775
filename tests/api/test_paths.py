"""Functions under jit whose Python asks for values: what it may ask, how they are called."""

import copy
import math
import pickle
import re
import threading

import numpy as np
import pytest
from path_checks import BACKENDS, same, traces

import autotrace as at
from autotrace import grad, hessian, jit, jvp, value_and_grad

pytestmark = pytest.mark.usefixtures("backend")


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


def test_explain_runs_what_has_not_been_called():
    def f(x):
        return x * 2 if x.sum() > 0 else x

    text = jit(f).explain(np.ones(3))
    assert "asks for values" in text and "1 path" in text
    with pytest.raises(at.ConcretizationError):
        jit(f).explain(at.ShapeDtypeStruct((3,), np.float64))


def test_a_path_that_keeps_more_with_each_turn_is_warned_of(monkeypatch):
    monkeypatch.setattr("autotrace.api.paths._MANY_QUESTIONS", 16)

    def grown(x, steps):
        y = x
        while y < steps:
            y = y + np.cos(0.0 * x)
        return y

    message = r"(?s)jit of grad\(grown\): after 16 questions.*grad\(jit\(f\)\)"
    with pytest.warns(RuntimeWarning, match=message) as caught:
        assert at.jit(at.grad(grown))(0.0, 20.0) == 1.0
    assert len(caught) == 1 and "while y < steps" in str(caught[0].message)
    assert at.grad(at.jit(grown))(0.0, 20.0) == 1.0  # without a warning
