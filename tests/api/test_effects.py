"""debug.print, debug.callback, pure_callback, debug_nans."""

import numpy as np
import pytest
from closeness import assert_within, ulps

import autotrace as at
from autotrace import lax

eq = np.testing.assert_array_equal
SCALAR = at.ShapeDtypeStruct((), float)
X = np.array([1.0, 2.0, 3.0])


def total(x):
    return lax.reduce_sum(x, tuple(range(x.ndim)))


def said(capsys):
    return capsys.readouterr().out.splitlines()


# --- debug -------------------------------------------------------------------------------------


def test_print_everywhere(capsys):
    def f(x):
        at.debug.print("x={x:.1f} {}", 2 * x, x=x)
        return x * x

    f(1.0)
    assert said(capsys) == ["x=1.0 2.0"]
    g = at.jit(f)
    assert said(capsys) == []
    g(1.0)
    g(2.0)
    assert said(capsys) == ["x=1.0 2.0", "x=2.0 4.0"]
    at.vmap(f)(X)
    at.jit(at.vmap(f))(X)
    at.vmap(at.jit(f))(X)
    assert said(capsys) == ["x=1.0 2.0", "x=2.0 4.0", "x=3.0 6.0"] * 3
    at.vmap(f, None, axis_size=2)(1.0)
    assert len(said(capsys)) in (1, 2)
    for run in (
        lambda: at.grad(f)(1.0),
        lambda: at.jvp(f, (1.0,), (1.0,)),
        lambda: at.vjp(f, 1.0),
        lambda: at.jit(at.grad(f))(1.0),
        lambda: at.grad(at.jit(f))(1.0),
        lambda: at.linearize(f, 1.0),
        lambda: at.grad(at.grad(f))(1.0),
        lambda: at.jvp(at.jit(f), (1.0,), (1.0,)),
        lambda: at.jit(at.grad(at.grad(f)))(1.0),
    ):
        run()
        assert said(capsys) == ["x=1.0 2.0"]
    at.vmap(at.grad(f))(X)
    assert len(said(capsys)) == 3


def test_print_order(capsys):
    @at.jit
    def f(x):
        at.debug.print("first")
        y = np.sin(x)
        at.debug.print("second {}", x)
        at.jit(lambda z: at.debug.print("third {}", z))(x)
        at.debug.print("fourth")
        return y

    f(1.0)
    assert said(capsys) == ["first", "second 1.0", "third 1.0", "fourth"]


def test_print_without_traced_arguments_runs_at_each_call(capsys):
    f = at.jit(lambda x: at.debug.print("here") or x)
    f(1.0)
    f(1.0)
    assert said(capsys) == ["here"] * 2


@pytest.mark.parametrize(
    ("fmt", "args", "kwargs", "kind"),
    [
        ("{} {}", (1.0,), {}, IndexError),
        ("{x}", (), {}, KeyError),
        ("{x[0]}", (), {"y": 1}, KeyError),
        ("{", (), {}, ValueError),
    ],
)
def test_print_checks_its_format_at_once(fmt, args, kwargs, kind):
    with pytest.raises(kind):
        at.make_jaxpr(lambda: at.debug.print(fmt, *args, **kwargs))()


def test_callback():
    seen = []

    def note(*args, **kwargs):
        seen.append((args, kwargs))

    def f(x):
        at.debug.callback(note, {"x": x}, [x, None], k=2 * x)
        return x

    at.jit(f)(X)
    ((args, kwargs),) = seen
    eq(args[0]["x"], X)
    eq(args[1][0], X)
    eq(kwargs["k"], 2 * X)
    assert type(args[0]["x"]) is np.ndarray and args[1][1] is None
    seen.clear()
    at.jit(f)(1.0)
    assert type(seen[0][0][0]["x"]) is np.float64


def test_callback_cannot_spoil_values():
    def spoil(x):
        x[:] = -1

    x = X.copy()
    out = at.jit(lambda x: at.debug.callback(spoil, x) or x * 1.0)(x)
    eq(out, X)
    eq(x, X)
    at.debug.callback(spoil, x)
    eq(x, X)


def test_callback_errors_come_through():
    def fail(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        at.jit(lambda x: at.debug.callback(fail, x))(1.0)
    with pytest.raises(TypeError, match="expected an array"):
        at.debug.callback(print, "text")


def test_unused_result_is_kept_in_loops_of_jit():
    seen = []
    inner = at.jit(lambda x: at.debug.callback(seen.append, x))
    at.jit(lambda x: (inner(x), inner(x), x)[2])(1.0)
    assert seen == [1.0, 1.0]


# --- pure_callback -----------------------------------------------------------------------------


def host_sum(x):
    assert type(x) in (np.ndarray, np.float64)
    return np.sum(x)


def test_pure_callback():
    f = lambda x: at.pure_callback(host_sum, SCALAR, x) * 2  # noqa: E731
    assert f(X) == 12.0 and at.jit(f)(X) == 12.0
    assert at.make_jaxpr(f)(X).out_avals[0].shape == ()
    assert at.eval_shape(f, X) == SCALAR


def test_pure_callback_trees():
    shapes = {"s": SCALAR, "v": (at.ShapeDtypeStruct((3,), np.int32),)}
    f = lambda p, k: at.pure_callback(  # noqa: E731
        lambda p, k: {"s": p["x"].sum() * k, "v": (np.arange(3, dtype=np.int32),)}, shapes, p, k=k
    )
    for g in (f, at.jit(f)):
        out = g({"x": X}, 2.0)
        assert out["s"] == 12.0
        eq(out["v"][0], [0, 1, 2])
        out["v"][0][:] = 7
    array = np.zeros(3)
    assert not np.shares_memory(at.pure_callback(lambda: array, array), array)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.ones(2), r"returned f64\[2\] where result_shape_dtypes says f64\[\]"),
        (np.float32(1), r"returned f32\[\]"),
        (1, r"returned i64\[\]"),
        ((1.0,), r"structure PyTreeDef\(\(\*,\)\)"),
        (None, "structure"),
    ],
)
def test_pure_callback_checks_its_result(result, message):
    f = lambda x: at.pure_callback(lambda x: result, SCALAR, x)  # noqa: E731
    for call in (lambda: f(1.0), lambda: at.jit(f)(1.0), lambda: at.vmap(f)(X)):
        with pytest.raises(TypeError, match=message):
            call()


@pytest.mark.parametrize("method", ["sequential", "expand_dims", "broadcast_all"])
def test_pure_callback_vmap_methods(method):
    shapes = []

    def host(x, y):
        shapes.append((np.shape(x), np.shape(y)))
        return np.sum(x, axis=-1) + y

    a = np.arange(6.0).reshape(2, 3)
    f = lambda x, y: at.pure_callback(host, SCALAR, x, y, vmap_method=method)  # noqa: E731
    eq(at.vmap(f, (0, None))(a, 1.0), a.sum(1) + 1)
    assert (
        shapes
        == {
            "sequential": [((3,), ())] * 2,
            "expand_dims": [((2, 3), (1,))],
            "broadcast_all": [((2, 3), (2,))],
        }[method]
    )
    shapes.clear()
    eq(at.vmap(f, (1, 0))(a.T, np.arange(2.0)), a.sum(1) + np.arange(2.0))
    assert shapes[0] == (((3,), ()) if method == "sequential" else ((2, 3), (2,)))
    eq(at.jit(at.vmap(f, (0, None)))(a, 1.0), a.sum(1) + 1)
    eq(at.vmap(at.jit(f), (0, None))(a, 1.0), a.sum(1) + 1)
    eq(
        at.vmap(at.vmap(f, (0, None)), (0, None))(np.stack([a, a]), 1.0),
        np.stack([a.sum(1) + 1] * 2),
    )


def test_pure_callback_bad_method():
    with pytest.raises(ValueError, match="vmap_method must be one of"):
        at.pure_callback(np.sum, SCALAR, X, vmap_method="loop")


def test_pure_callback_has_no_derivative():
    f = lambda x: at.pure_callback(np.sin, SCALAR, x)  # noqa: E731
    for call in (
        lambda: at.grad(f)(1.0),
        lambda: at.jvp(f, (1.0,), (1.0,)),
        lambda: at.grad(at.jit(f))(1.0),
        lambda: at.vmap(at.grad(f))(X),
    ):
        with pytest.raises(at.NonDifferentiableError, match="derivative of pure_callback") as error:
            call()
    assert __file__ in str(error.value)
    assert at.grad(lambda x: x * f(at.stop_gradient(x)))(1.0) == np.sin(1.0)


def test_pure_callback_in_custom_jvp():
    f = at.custom_jvp(lambda x: at.pure_callback(np.sin, SCALAR, x))
    f.defjvp(lambda p, t: (f(*p), t[0] * at.pure_callback(np.cos, SCALAR, *p)))
    assert at.grad(f)(1.0) == np.cos(1.0)
    assert at.jit(at.grad(f))(1.0) == at.grad(at.jit(f))(1.0) == np.cos(1.0)
    eq(at.vmap(at.grad(f))(X), np.cos(X))
    eq(at.grad(lambda x: total(at.vmap(f)(x)))(X), np.cos(X))


def test_pure_callback_is_dropped_when_unused():
    runs = []
    f = at.jit(lambda x: (at.pure_callback(lambda x: runs.append(1) or x, SCALAR, x), x)[1])
    f(1.0)
    assert not runs


# --- debug_nans --------------------------------------------------------------------------------


def bad_log(x):
    y = x - 2.0
    return np.log(y)  # the line at fault


LINE = bad_log.__code__.co_firstlineno + 2


@pytest.mark.parametrize(
    "run",
    [
        lambda: at.jvp(bad_log, (1.0,), (1.0,)),
        lambda: at.grad(bad_log)(1.0),
        lambda: at.jit(bad_log)(1.0),
        lambda: at.jit(at.value_and_grad(bad_log))(1.0),
        lambda: at.grad(at.jit(bad_log))(1.0),
        lambda: at.vmap(bad_log)(X),
        lambda: at.jit(at.vmap(bad_log))(X),
        lambda: at.checkpoint(bad_log)(1.0),
    ],
)
@np.errstate(all="ignore")
def test_nan_names_primitive_and_line(run):
    run()  # off: no error, and a warm cache
    with at.debug_nans(), pytest.raises(at.NanError, match="the primitive log made a NaN") as error:
        run()
    text = str(error.value)
    assert f"{__file__}:{LINE} (bad_log)" in text and "return np.log(y)" in text
    assert isinstance(error.value, FloatingPointError) and len(text.splitlines()) <= 12
    run()


@np.errstate(all="ignore")
def test_nan_in_the_backward_pass():
    def f(x):
        y = x * 0.0
        return np.where(x > 1, x, 0.0 * x) + np.sqrt(y) * 0.0

    line = f.__code__.co_firstlineno + 2
    assert f(2.0) == 2.0 and np.isnan(at.grad(f)(2.0))
    for g in (at.grad(f), at.jit(at.grad(f)), at.grad(at.jit(f))):
        with at.debug_nans(), pytest.raises(at.NanError, match="made a NaN") as error:
            g(2.0)
        assert f"{__file__}:" in str(error.value)
    with at.debug_nans(), pytest.raises(at.NanError) as error:
        at.grad(f)(2.0)
    assert f"{__file__}:{line}" in str(error.value)


def test_nan_in_is_nan_out():
    with at.debug_nans():
        assert np.isnan(at.jit(lambda x: x + 1)(np.nan))
        assert np.isnan(at.grad(lambda x: x * x)(np.nan))
        assert np.isinf(at.jit(lambda x: 1 / x)(0.0))
        eq(at.jit(lambda n: n + 1)(np.arange(3)), [1, 2, 3])


def test_nan_results_are_the_same_with_the_check_on():
    x = np.linspace(0.1, 2, 7)
    f = lambda x: total(np.sin(x) * np.log(x) / x)  # noqa: E731
    want = at.grad(f)(x), at.jit(at.grad(f))(x)
    with at.debug_nans():
        eq(at.grad(f)(x), want[0])
        # The check runs primitives one by one, so that a compiled function's last digits change.
        assert_within(at.jit(at.grad(f))(x), want[1], ulps("sin", float), np.abs(want[1]).max())
