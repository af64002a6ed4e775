"""jit."""

import collections
import inspect
import pickle
import threading

import numpy as np
import pytest

import autotrace as at
from autotrace import config, lax
from autotrace.api.compile import JitFunction

eq = np.testing.assert_array_equal
Point = collections.namedtuple("Point", "x y")


def total(x):
    return lax.reduce_sum(x, tuple(range(x.ndim)))


class Counted:
    """A jitted function that counts how often Python runs it."""

    def __init__(self, fun, **options):
        self.count = 0

        def counted(*args, **kwargs):
            self.count += 1
            return fun(*args, **kwargs)

        counted.__signature__ = inspect.signature(fun)
        self.jitted = at.jit(counted, **options)

    def __call__(self, *args, **kwargs):
        return self.jitted(*args, **kwargs)


@pytest.mark.parametrize(
    ("first", "second", "again"),
    [
        (1.0, 2.0, 0),
        (1.0, np.float64(1.0), 1),  # a Python scalar is weak
        (np.float64(1), np.array(1.0), 0),
        (np.ones(2), np.zeros(2), 0),
        (np.ones(2), np.ones(3), 1),
        (np.ones(2), np.ones((2, 1)), 1),
        (np.ones(2), np.ones(2, np.float32), 1),
        (np.ones(2), [np.ones(2)], 1),
        ((1.0, 2.0), [1.0, 2.0], 1),
        ({"a": 1.0}, {"b": 1.0}, 1),
        ({"a": 1.0, "b": 2.0}, {"b": 1.0, "a": 2.0}, 0),
        (True, 1, 1),
        (1, 1.0, 1),
        (1.0, 1j, 1),
        (None, 1.0, 1),
        (np.ones((2, 2)), np.asfortranarray(np.ones((2, 2))), 0),
        (np.ones((2, 2)), np.ones((4, 4))[::2, ::2], 0),
    ],
)
def test_retracing(first, second, again):
    f = Counted(lambda x: at.tree.map(lambda y: y * 2, x))
    f(first)
    assert f.count == 1
    f(second)
    assert f.count == 1 + again
    f(first)
    f(second)
    assert f.count == 1 + again and f.jitted._cache_size() == 1 + again


def test_static_values():
    f = Counted(lambda x, n: x * n if isinstance(n, int) else x, static_argnums=1)
    assert f(2.0, 3) == 6.0 and f(3.0, 3) == 9.0 and f.count == 1
    assert f(2.0, 4) == 8.0 and f.count == 2
    assert f(2.0, n=4) == 8.0  # the same argument, by name
    assert f(2.0, "text") == 2.0
    assert f(2.0, 1) == 2.0 and f(2.0, True) == 2.0 and f(2.0, 1.0) == 2.0


def test_static_values_of_equal_hash_and_other_type():
    f = Counted(lambda x, n: x * (10 if type(n) is int else 20), static_argnames="n")
    assert f(1.0, n=1) == 10.0 and f(1.0, n=1.0) == 20.0 and f(1.0, n=True) == 20.0
    assert f.count == 3


def test_static_argnames_completes_argnums():
    f = Counted(lambda x, n, m=1: x * n * m, static_argnames=("n", "m"))
    for call in (lambda: f(2.0, 3), lambda: f(2.0, n=3), lambda: f(x=2.0, n=3)):
        assert call() == 6.0
    assert f(2.0, 3, 4) == f(2.0, 3, m=4) == 24.0
    seen = []
    g = at.jit(lambda x, n: seen.append(type(n)) or x, static_argnums=(-1,))
    g(1.0, 2)
    g(1.0, n=2)
    assert set(seen) == {int}


def test_static_argument_of_open_signature():
    f = at.jit(lambda *args: args[0] * len(args[1]), static_argnums=1)
    assert f(2.0, "abc") == 6.0
    g = at.jit(lambda **kw: kw["x"] * len(kw["how"]), static_argnames="how")
    assert g(x=2.0, how="ab") == 4.0
    h = at.jit(lambda *args: args[0] * len(args[-1]), static_argnums=-1)
    assert h(2.0, "abc") == 6.0


def test_static_errors():
    f = at.jit(lambda x, n: x, static_argnums=1)
    for bad in ([1], {"a": 1}, np.ones(2)):
        with pytest.raises(ValueError, match="static argument 1 must be hashable") as error:
            f(1.0, bad)
        assert __file__ in str(error.value)
    with pytest.raises(ValueError, match="static argument 'n' must be hashable"):
        f(1.0, n=[1])
    with pytest.raises(ValueError, match=r"static_argnames names \['m'\]"):
        at.jit(lambda x, n: x, static_argnames="m")
    with pytest.raises(ValueError, match="static_argnums=2, but the function has 2"):
        at.jit(lambda x, n: x, static_argnums=2)
    with pytest.raises(ValueError, match="no backend 'gpu'; there are: numba, numpy"):
        at.jit(np.sin, backend="gpu")


def test_non_array_argument():
    with pytest.raises(TypeError, match=r"jit of f: argument 0: expected an array") as e:

        def f(x):
            return x

        at.jit(f)("text")
    assert "static_argnums" in str(e.value) and __file__ in str(e.value)


def test_kwargs():
    f = Counted(lambda x, y=10.0, *, z: x + y * z)
    assert f(1.0, z=2.0) == 21.0
    assert f(1.0, 3.0, z=2.0) == f(1.0, y=3.0, z=2.0) == f(y=3.0, z=2.0, x=1.0) == 7.0
    with pytest.raises(TypeError, match="missing"):
        f(1.0)


def test_structures():
    Pair = collections.namedtuple("Pair", "a b")
    out = at.jit(lambda p: {"p": Pair(p.b, p.a), "n": None, "c": (1, 2.5, True)})(
        Pair(1.0, np.ones(2))
    )
    assert type(out["p"]) is Pair and out["n"] is None and out["p"].b == 1.0
    assert out["c"] == (1, 2.5, True) and [type(x) for x in out["c"]] == [
        np.int64,
        np.float64,
        np.bool_,
    ]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda a, b: (a, b),
        lambda a, b: [a, b],
        lambda a, b: ((a, b), a),
        lambda a, b: ({"a": a}, b),
        lambda a, b: (a, (b,)),
        lambda a, b: (a, None),
        lambda a, b: (a,),
        lambda a, b: (),
        lambda a, b: ((), a),
    ],
)
@pytest.mark.parametrize("x", [2.0, np.arange(3.0)], ids=["scalar", "array"])
def test_structures_of_results(wrap, x):
    f = at.jit(lambda x: wrap(x * 2, x + 1))
    want = wrap(x * 2, x + 1)
    for _ in range(3):
        got = f(x)
        assert at.tree.structure(got) == at.tree.structure(want)
        at.tree.map(eq, got, want)


def test_nesting():
    inner = Counted(lambda x: np.sin(x))
    f = Counted(lambda x: inner(x) + inner(2 * x))
    np.testing.assert_allclose(f(1.0), np.sin(1.0) + np.sin(2.0))
    f(2.0)
    assert f.count == 1 and inner.count <= 2
    text = str(at.make_jaxpr(f.jitted)(1.0))
    assert text.count("= jit[") == 3


def test_closure_over_outer_tracers():
    f = lambda x: at.jit(lambda y: x * y * y)(x)  # noqa: E731
    assert at.grad(f)(2.0) == 12.0
    assert at.grad(at.grad(f))(2.0) == 12.0
    assert at.jvp(f, (2.0,), (1.0,)) == (8.0, 12.0)
    eq(at.vmap(f)(np.arange(3.0)), np.arange(3.0) ** 3)
    assert at.jit(f)(2.0) == 8.0
    assert at.jit(at.grad(f))(2.0) == at.grad(at.jit(f))(2.0) == 12.0
    eq(at.vmap(at.grad(f))(np.arange(3.0)), 3 * np.arange(3.0) ** 2)
    assert at.grad(lambda x: at.jit(lambda: x * x)())(3.0) == 6.0
    assert at.grad(lambda x: at.jit(lambda y: at.jit(lambda z: x * y * z)(y))(x))(2.0) == 12.0


def test_one_jit_closing_over_changing_tracers():
    box = []
    g = at.jit(lambda y: box[0] * y)

    def f(x):
        box[:] = [x]
        return g(x)

    assert [at.grad(f)(x) for x in (1.0, 2.0, 3.0)] == [2.0, 4.0, 6.0]
    assert at.jvp(f, (5.0,), (1.0,)) == (25.0, 10.0)
    assert g._cache_size() == 0


def test_closed_over_arrays():
    g = np.arange(3.0)
    f = at.jit(lambda x: (g, x + g, g[::-1]))
    out = f(1.0)
    eq(out[0], g)
    out[0][:] = out[2][:] = -1
    eq(g, np.arange(3.0))
    eq(f(1.0)[0], np.arange(3.0))
    eq(f(1.0)[2], np.arange(3.0)[::-1])


def test_decorator():
    @at.jit
    def f(x):
        """Doc."""
        return x * 2

    @at.jit(static_argnames="n")
    def g(x, n):
        return x * n

    @at.jit()
    def h(x):
        return x

    assert f(2.0) == 4.0 and g(2.0, n=3) == 6.0 and h(1.0) == 1.0
    assert f.__name__ == "f" and f.__doc__ == "Doc." and repr(f) == "<jit of f>"
    assert f.__wrapped__(3) == 6


class Model:
    scale = 3.0

    @at.jit
    def bad(self, x):
        return x

    def __init__(self, w):
        self.w = w

    def _step(self, x):
        return self.w * x

    def __hash__(self):
        return 1

    def __eq__(self, other):
        return self is other

    @at.jit(static_argnums=0)
    def step(self, x):
        return self.w * x * self.scale

    @staticmethod
    @at.jit
    def static(x):
        return 2 * x


def test_methods():
    assert Model(2.0).step(5.0) == 30.0 and Model(4.0).step(5.0) == 60.0
    assert Model.static(3.0) == 6.0 and Model(1.0).static(3.0) == 6.0
    assert isinstance(Model.step, JitFunction)
    assert at.jit(Model(2.0)._step)(3.0) == 6.0
    assert at.grad(Model(2.0).step)(5.0) == 6.0
    with pytest.raises(TypeError, match="expected an array or a number, got Model"):
        Model(1.0).bad(1.0)


def module_level(x):
    return x * 2


@at.jit
def decorated(x):
    return x * 3


@at.jit(static_argnames="n")
def with_options(x, n):
    return x * n


def test_pickling():
    f = pickle.loads(pickle.dumps(at.jit(module_level)))
    assert isinstance(f, JitFunction) and f(2.0) == 4.0
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    assert pickle.loads(pickle.dumps(with_options)) is with_options
    assert pickle.loads(pickle.dumps(Model.step)) is Model.step
    g = pickle.loads(pickle.dumps(at.jit(pow, static_argnums=1)))
    assert g(3.0, 2) == 9.0
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(at.jit(lambda x: x))


def test_clear_cache():
    f = Counted(lambda x: x)
    f(1.0)
    f.jitted.clear_cache()
    assert f.jitted._cache_size() == 0
    f(1.0)
    assert f.count == 2


def test_least_recently_used_goes():
    f = Counted(lambda x: x * 2)
    with config.override("jit_cache_size", 2):
        for n in (1, 2, 1, 3):  # 2 is the least recently used
            f(np.ones(n))
        assert f.count == 3 and f.jitted._cache_size() == 2
        f(np.ones(1))
        assert f.count == 3
        f(np.ones(2))
        assert f.count == 4
    with config.override("jit_cache_size", 1):
        f(np.ones(5))
        assert f.jitted._cache_size() == 1


@pytest.mark.parametrize("limit", [256, 1, 2])
def test_threads(limit):
    f = Counted(lambda x, n: at.grad(lambda y: total(np.sin(y) * y))(x) * n, static_argnums=1)
    barrier = threading.Barrier(8)
    errors = []

    def work(seed):
        try:
            with config.override("jit_cache_size", limit):
                barrier.wait()
                for k in range(30):
                    n = 1 + (seed + k) % 4
                    x = np.arange(float(n)) + seed
                    np.testing.assert_allclose(f(x, n), (np.cos(x) * x + np.sin(x)) * n)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors[0]
    if limit == 256:
        assert f.count == 4


def test_transforms_in_threads():
    errors = []

    def work(seed):
        try:
            for k in range(20):
                x = 0.1 * seed + k
                f = lambda x: at.vmap(lambda y: np.sin(x) * y)(np.arange(3.0))  # noqa: E731
                slope = at.jvp(lambda x: at.grad(lambda z: total(f(z)))(x), (x,), (1.0,))  # noqa: B023
                np.testing.assert_allclose(slope, [3 * np.cos(x), -3 * np.sin(x)], atol=1e-12)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors[0]


# --- ahead of time -----------------------------------------------------------------------------


def test_lower():
    f = at.jit(lambda x: -(-x) * 1.0 + 0 * 2)  # noqa: B002
    lowered = f.lower(2.0)
    assert "neg" in lowered.as_text("jaxpr") and "neg" not in lowered.as_text()
    with pytest.raises(ValueError, match="no stage 'hlo'; there are: jaxpr, simplified"):
        lowered.as_text("hlo")
    assert "lowered" in repr(lowered) and "compiled" in repr(lowered.compile())
    assert lowered.out_info == at.ShapeDtypeStruct((), float)


def test_compile():
    f = Counted(lambda p, k: {"y": p["x"] * k})
    compiled = f.jitted.lower({"x": np.ones(2)}, k=2.0).compile()
    out = compiled({"x": np.arange(2.0)}, k=3.0)
    eq(out["y"], [0.0, 3.0])
    assert f.count == 1 and compiled.out_info == {"y": at.ShapeDtypeStruct((2,), float)}
    for bad in (
        lambda: compiled({"x": np.ones(3)}, k=2.0),
        lambda: compiled({"x": np.ones(2, np.float32)}, k=2.0),
        lambda: compiled({"y": np.ones(2)}, k=2.0),
        lambda: compiled({"x": np.ones(2)}, 2.0),
        lambda: compiled(),
        lambda: compiled({"x": np.ones(2)}, k=2.0, j=3.0),
    ):
        with pytest.raises(TypeError, match="was called with"):
            bad()


def test_compile_with_static():
    compiled = at.jit(lambda x, n: x * n, static_argnums=1).lower(2.0, 3).compile()
    assert compiled(5.0) == 15.0


def test_abstract_arguments():
    s = at.ShapeDtypeStruct((2, 3), np.float32)
    traced = at.jit(lambda x, y: np.sin(x) * y).trace(s, 2.0)
    assert [str(a) for a in traced.jaxpr.in_avals] == ["f32[2,3]", "f64[]"]
    assert traced.out_info == at.ShapeDtypeStruct((2, 3), np.float32)
    assert "traced for f32[2,3]" in repr(traced)
    out = traced.lower().compile()(np.ones((2, 3), np.float32), 2.0)
    assert out.dtype == np.float32


def test_trace_shares_the_cache():
    f = Counted(lambda x: x * 2)
    f.jitted.trace(1.0)
    f(2.0)
    f.jitted.lower(3.0).compile()(4.0)
    assert f.count == 1


def test_trace_with_closure():
    with pytest.raises(TypeError, match="traced values from outside"):
        at.grad(lambda x: at.jit(lambda y: x * y).trace(1.0) and x)(1.0)


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x",
    [
        3,
        -3,
        np.True_,
        2.5,
        1 + 2j,
        np.int8(3),
        np.uint16(7),
        np.float16(0.5),
        np.complex64(1j),
        np.arange(4),
        np.array([True, False]),
        np.zeros(0),
        np.zeros((2, 0, 3)),
        np.array(2.0),
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12.0)[::-2],
        np.ones((1, 1, 1)),
        np.broadcast_to(1.0, (2, 3)),
        np.array([np.nan, np.inf, -0.0]),
        np.arange(3, dtype=">f8").astype(float),
    ],
    ids=repr,
)
def test_any_input(x):
    for f in (lambda x: x, lambda x: x + x, lambda x: (x * 2, abs(x))):
        want, got = at.tree.leaves(f(x)), at.tree.leaves(at.jit(f)(x))
        for w, g in zip(want, got, strict=True):
            eq(g, w)
            assert g.dtype == np.asarray(w).dtype and np.shape(g) == np.shape(w)
    a = at.jit(lambda x: x)(np.array(x))
    assert isinstance(a, np.generic) is (np.ndim(x) == 0)


@pytest.mark.parametrize(
    "x",
    [np.array(["a"]), np.array([None]), np.array(1, "M8[s]"), np.zeros(2, [("a", float)])],
    ids=repr,
)
def test_unsupported_dtypes(x):
    with pytest.raises(TypeError, match="not supported"):
        at.jit(lambda x: x)(x)


def test_input_is_not_kept_or_changed():
    x = np.arange(3.0)
    x.flags.writeable = False
    out = at.jit(lambda x: x)(x)
    assert out.flags.writeable and not np.shares_memory(out, x)


def test_control_flow_error():
    @at.jit
    def f(x):
        if x > 0:  # the user's line
            return x
        return -x

    with pytest.raises(
        at.ConcretizationError, match=r"bool\(\).*of a traced value of bool\[\]"
    ) as e:
        f.lower(1.0)
    text = str(e.value)
    line = f.__wrapped__.__code__.co_firstlineno + 2
    assert f"{__file__}:{line} (f)" in text and "if x > 0:" in text and "static_argnums" in text
    assert len(text.splitlines()) <= 12


def test_failed_trace_is_not_cached():
    fail = [True]

    @at.jit
    def f(x):
        if fail[0]:
            raise KeyError("no")
        return x

    with pytest.raises(KeyError):
        f(1.0)
    fail[0] = False
    assert f(1.0) == 1.0


def test_no_warnings_from_numpy():
    with np.errstate(all="raise"):
        assert np.isnan(at.jit(np.log)(-1.0))
        assert np.isinf(at.jit(lambda x: 1 / x)(0.0))


def test_simplification_is_exact():
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.5])
    for f in (
        lambda x: x * 0,
        lambda x: x + 0.0,
        lambda x: x - x,
        lambda x: 0.0 - x,
        lambda x: -x,
        lambda x: x * 1.0,
        lambda x: (x + 1e300) - 1e300,
        lambda x: x / x,
        lambda x: x**0,
        lambda x: x * 2 / 2,
        lambda x: -(-x),  # noqa: B002
        lambda x: 1 * x + -0.0,
    ):
        with np.errstate(all="ignore"):
            want = f(x)
        got = at.jit(f)(x)
        assert want.tobytes() == got.tobytes() or (
            np.array_equal(want, got, equal_nan=True)
            and np.array_equal(np.signbit(want[~np.isnan(want)]), np.signbit(got[~np.isnan(got)]))
        )


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_closed_over_arrays_are_taken_as_they_are_when_staged(backend):
    if backend == "numba":
        pytest.importorskip("numba")
    array = np.array([1.0, 2.0])
    f = at.jit(lambda x: x * array, backend=backend)
    eq(f(3.0), [3.0, 6.0])
    array[:] = 10.0
    eq(f(3.0), [3.0, 6.0])


def test_static_and_keyword_arguments_in_later_calls():
    """Which take a shorter way than the first."""
    f = at.jit(
        lambda x, n, scale=1.0, *, flip=False: (-x if flip else x) * n * scale,
        static_argnums=1,
        static_argnames="flip",
    )
    x = np.arange(3.0)
    for _ in range(3):
        for n in (1, 1.0, True, 2):
            want = x * n
            for flip in (False, True):
                got = f(x, n, flip=flip)
                np.testing.assert_array_equal(got, -want if flip else want)
            np.testing.assert_array_equal(f(x, n, scale=x), want * x)
            np.testing.assert_array_equal(f(scale=x, n=n, x=x), want * x)
            np.testing.assert_array_equal(f(x, n, 3), want * 3)
    assert f.stats()["traces"] == 4 * 5
    for _ in range(2):
        with pytest.raises(ValueError, match="static argument 1 must be hashable"):
            f(x, [1])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_structures_in_later_calls(backend):
    """They are told apart by code for the one before."""
    f = at.jit(lambda p, *more, **named: {"out": p, "more": [more, named]}, backend=backend)
    x, y, n = np.arange(3.0), np.ones(2), 2.0
    calls = [
        (({"a": x, "b": y},), {}),
        (({"b": y, "a": x},), {}),
        (({"a": y, "b": x},), {}),
        (({"a": x, "c": y},), {}),
        (({"a": x},), {}),
        (({"a": x, "b": None},), {}),
        (({"a": x, "b": (y,)},), {}),
        (({"a": x, "b": [y]},), {}),
        (([x, y],), {}),
        ((x, y), {}),
        (((x, y),), {}),
        ((x,), {"k": y}),
        ((x,), {"other": y}),
        ((x,), {"k": (y, n)}),
        ((x, n), {}),
        (({},), {}),
        ((Point(x, n),), {}),
        ((Point(x, y),), {"k": {}}),
    ]
    for args, kwargs in [*calls, *reversed(calls), *(call for call in calls for _ in range(3))]:
        got = f(*args, **kwargs)
        want = {"out": args[0], "more": [args[1:], kwargs]}
        assert at.tree.structure(got) == at.tree.structure(want)
        at.tree.map(eq, got, want)
    assert f.stats()["traces"] == len(calls) - 1


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_structures_in_transforms_after_calls(backend):
    f = at.jit(lambda p, n: {"y": p["x"] * n}, static_argnames="n", backend=backend)
    p = {"x": 3.0}
    for _ in range(3):
        assert f(p, n=2) == {"y": 6.0}
        assert at.grad(lambda p: f(p, n=2)["y"])(p) == {"x": 2.0}
        assert f(p, n=3) == {"y": 9.0}


def test_donated_beside_static_arguments():
    f = at.jit(lambda n, x, y: x * n + y, static_argnums=0, donate_argnums=1, backend="numba")
    for _ in range(3):
        x, y = np.ones(4), np.ones(4)
        out = f((2, 3)[0], x, y)
        np.testing.assert_array_equal(out, 3.0)
        np.testing.assert_array_equal(y, 1.0)
        assert np.shares_memory(out, x)
