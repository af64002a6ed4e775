"""grad, jvp, vjp and their relatives."""

import collections
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autotrace as at
import autotrace.numpy as anp
from autotrace import float0, lax

Pair = collections.namedtuple("Pair", "a b")


def f3(x, y, z=2.0):
    return x**2 * y + z * y


# --- grad --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 24.0),
        (1, 11.0),
        (-1, 11.0),
        (-2, 24.0),
        ((0,), (24.0,)),
        ((1, 0), (11.0, 24.0)),
        ([0, -1], (24.0, 11.0)),
        (np.int64(1), 11.0),
    ],
)
def test_argnums(argnums, expected):
    assert at.grad(f3, argnums)(3.0, 4.0) == expected
    assert at.value_and_grad(f3, argnums)(3.0, 4.0) == (44.0, expected)
    assert at.elementwise_grad(f3, argnums)(3.0, 4.0) == expected


@pytest.mark.parametrize("argnums", [2, -3, (0, 5)])
def test_argnums_out_of_range(argnums):
    for transform in (at.grad, at.value_and_grad, at.elementwise_grad):
        with pytest.raises(ValueError, match="the call has 2 positional arguments") as error:
            transform(f3, argnums)(3.0, 4.0)
        assert __file__ in str(error.value)


@pytest.mark.parametrize("argnums", ["x", 1.0, True, (0, "y"), None])
def test_argnums_of_wrong_type(argnums):
    with pytest.raises(TypeError, match="argnums must be an int or a tuple of ints"):
        at.grad(f3, argnums)(3.0, 4.0)


def test_argnums_twice():
    with pytest.raises(ValueError, match="names an argument twice"):
        at.grad(f3, (0, -2))(3.0, 4.0)


def test_kwargs_are_not_differentiated():
    assert at.grad(f3, 1)(3.0, 4.0, z=10) == 19.0
    assert at.grad(lambda x, *, mode: x * 2 if mode == "a" else x * 3)(1.0, mode="a") == 2.0
    with pytest.raises(ValueError, match="0 positional arguments"):
        at.grad(lambda x: x)(x=1.0)


def test_other_arguments_may_be_anything():
    assert at.grad(lambda x, how, n: x**n if how == "p" else x)(3.0, "p", 2) == 6.0


def test_has_aux():
    f = lambda x, y: (x * y, {"y": y, "xy": x + y, "s": "text", "n": None})  # noqa: E731
    (value, aux), g = at.value_and_grad(f, has_aux=True)(2.0, 3.0)
    assert (value, g) == (6.0, 3.0)
    assert aux == {"y": 3.0, "xy": 5.0, "s": "text", "n": None}
    assert type(aux["xy"]) is np.float64
    assert at.grad(f, (0, 1), has_aux=True)(2.0, 3.0) == ((3.0, 2.0), aux)


def test_aux_keeps_outer_derivatives():
    f = lambda x: at.grad(lambda y: (y * y, y**3), has_aux=True)(x)[1]  # noqa: E731
    assert at.grad(f)(2.0) == 12.0
    assert at.jvp(f, (2.0,), (1.0,)) == (8.0, 12.0)
    np.testing.assert_array_equal(at.vmap(f)(np.array([1.0, 2.0])), [1.0, 8.0])
    assert at.jit(f)(2.0) == 8.0


@pytest.mark.parametrize(
    "out", [lambda x: x, lambda x: (x,), lambda x: (x, 1, 2), lambda x: [x, 1]]
)
def test_has_aux_needs_a_pair(out):
    calls = [
        lambda: at.grad(out, has_aux=True)(1.0),
        lambda: at.jvp(out, (1.0,), (1.0,), has_aux=True),
        lambda: at.vjp(out, 1.0, has_aux=True),
        lambda: at.linearize(out, 1.0, has_aux=True),
        lambda: at.jacfwd(out, has_aux=True)(1.0),
        lambda: at.jacrev(out, has_aux=True)(1.0),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"must return a pair \(output, aux\)"):
            call()


def test_pytrees():
    tree = {"w": np.array([1.0, 2.0]), "more": (3.0, None, Pair([4.0], np.float32(5)))}

    def f(p):
        a, _, (b, c) = p["more"]
        return lax.reduce_sum(p["w"] * a * b[0], (0,)) * c

    g = at.grad(f)(tree)
    assert at.tree.structure(g) == at.tree.structure(tree)
    np.testing.assert_allclose(g["w"], [60.0, 60.0])
    assert g["more"][0] == 60.0 and g["more"][2].a == [45.0] and g["more"][2].b == 36.0
    assert g["more"][2].b.dtype == np.float32


def test_empty_pytree():
    assert at.grad(lambda p, x: x)((), 1.0) == ()


def test_holomorphic():
    z = 1.5 + 0.5j
    assert at.grad(lambda z: z * z, holomorphic=True)(z) == 3 + 1j
    np.testing.assert_allclose(at.grad(np.sin, holomorphic=True)(z), np.cos(z))
    with pytest.raises(at.NonDifferentiableError, match="takes complex inputs, got float64"):
        at.grad(lambda z: z * 1j, holomorphic=True)(1.0)
    with pytest.raises(at.NonDifferentiableError, match="must return a complex scalar"):
        at.grad(lambda z: np.real(z), holomorphic=True)(z)


@pytest.mark.parametrize(
    ("f", "expected"),  # what JAX 0.10 gives at 1.5+0.5j
    [
        (lambda z: np.abs(z) ** 2, 3 - 1j),
        (np.real, 1 + 0j),
        (np.imag, -1j),
        (lambda z: np.real(z * z), 3 + 1j),
        (lambda z: np.real(z * (2 - 1j)), 2 - 1j),
        (np.abs, 0.9486832980505138 - 0.31622776601683794j),
    ],
)
def test_complex_convention(f, expected):
    z = 1.5 + 0.5j
    got = at.grad(f)(z)
    np.testing.assert_allclose(got, expected, rtol=1e-14)
    assert got.dtype == np.complex128
    h = 1e-6  # df/dx - i df/dy
    fd = (f(z + h) - f(z - h)) / (2 * h) - 1j * (f(z + 1j * h) - f(z - 1j * h)) / (2 * h)
    np.testing.assert_allclose(got, fd, rtol=1e-6, atol=1e-9)


def test_complex_vjp_and_jvp():  # what JAX 0.10 gives
    z = 1.5 + 0.5j
    assert at.vjp(np.conj, z)[1](1 + 2j) == (1 - 2j,)
    assert at.vjp(lambda z: z * z, z)[1](1 + 2j) == (1 + 7j,)
    out, t = at.jvp(np.abs, (z,), (1 + 2j,))
    np.testing.assert_allclose([out, t], [1.58113883, 1.58113883], rtol=1e-8)
    assert t.dtype == np.float64


def test_allow_int():
    g = at.grad(lambda n, x, b: n * x, (0, 1, 2), allow_int=True)(
        np.int32(3), 2.0, np.array([True, False])
    )
    assert g[0].dtype == float0 and g[0].shape == ()
    assert g[1] == 3.0
    assert g[2].dtype == float0 and g[2].shape == (2,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: at.grad(lambda x: x * 2.0)(3), r"takes floating or complex inputs, got i64\[\]"),
        (lambda: at.grad(lambda x: x)(True), r"got bool\[\]"),
        (lambda: at.grad(lambda x: x[0])(np.arange(3)), r"got i64\[3\]"),
        (
            lambda: at.grad(lambda x: x)(np.ones(2)),
            r"must return a scalar, got an array of shape \(2,\)",
        ),
        (
            lambda: at.grad(lambda x: (x, x))(1.0),
            r"must return one scalar, got PyTreeDef\(\(\*, \*\)\)",
        ),
        (lambda: at.grad(lambda x: None)(1.0), r"(?s)one scalar, got None.*return statement"),
        (lambda: at.grad(lambda x: [x])(1.0), "must return one scalar"),
        (lambda: at.grad(lambda x: x > 1)(1.0), "must return a floating scalar, got bool"),
        (lambda: at.grad(lambda x: 1)(1.0), "must return a floating scalar, got int64"),
        (lambda: at.grad(lambda z: z * z)(1j), "must return a floating scalar, got complex128"),
        (lambda: at.elementwise_grad(np.sin)(3), "takes floating or complex inputs"),
        (lambda: at.elementwise_grad(lambda x: x > 1)(3.0), "the output takes floating"),
        (lambda: at.linear_transpose(lambda x: x, 1), "takes floating or complex inputs"),
    ],
)
def test_not_differentiable(call, message):
    with pytest.raises(at.NonDifferentiableError, match=message) as error:
        call()
    assert isinstance(error.value, TypeError)
    assert __file__ in str(error.value) and len(str(error.value).splitlines()) <= 12


@pytest.mark.parametrize("bad", ["text", object(), np.array(["a"]), {"k": [1.0, "x"]}, {1, 2}])
def test_not_arrays(bad):
    f = lambda x: 1.0  # noqa: E731
    for call in (
        lambda: at.grad(f)(bad),
        lambda: at.vjp(f, bad),
        lambda: at.linearize(f, bad),
        lambda: at.jvp(f, (bad,), (bad,)),
        lambda: at.elementwise_grad(f)(bad),
        lambda: at.jit(f)(bad),
        lambda: at.jacfwd(f)(bad),
        lambda: at.jacrev(f)(bad),
    ):
        with pytest.raises(TypeError, match=r"expected an array or a number|not supported"):
            call()


def test_dataclass_that_is_no_container():
    @dataclasses.dataclass
    class Params:
        w: float

    for call in (at.grad, at.jit, at.vmap):
        with pytest.raises(TypeError, match=r"(?s)got Params: .*tree\.register_dataclass"):
            call(lambda p: p.w)(Params(1.0))
    at.tree.register_dataclass(Params)
    assert at.grad(lambda p: p.w**2)(Params(3.0)) == Params(6.0)
    with pytest.raises(TypeError, match="got type") as caught:  # a class is not one of its objects
        at.grad(lambda p: 1.0)(Params)
    assert "register_dataclass" not in str(caught.value)


def test_bad_leaf_is_named():
    with pytest.raises(
        TypeError, match=r"grad of .*: argument \[0\]\['k'\]\[1\]: expected an array"
    ):
        at.grad(lambda x: 1.0)({"k": [1.0, "x"]})


def test_bad_arguments_of_a_call_are_counted_as_in_the_call():
    f = at.jit(lambda n, x, y=None: x, static_argnums=0)
    for call, place in (
        (lambda: f("static", "x"), "argument 1:"),
        (lambda: f(1, [1.0, {"a": "x"}]), r"argument 1\[1\]\['a'\]:"),
        (lambda: f(1, 2.0, y=["x"]), r"argument 'y'\[0\]:"),
    ):
        with pytest.raises(TypeError, match=f"jit of <lambda>: {place} expected an array"):
            call()


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_arrays_that_are_no_plain_ones():
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    jitted = at.jit(np.sum)
    jitted(np.ones(2)), jitted(np.ones((2, 2)))  # a program that would take them
    for bad, message in (
        (masked, r"(?s)the mask would be lost.*filled"),
        (matrix, "(?s)np.matrix.*@"),
    ):
        for call in (at.grad(np.sum), jitted, at.vmap(np.sum), lambda x: at.vjp(np.sum, x)):
            with pytest.raises(TypeError, match=message):
                call(bad)
    whole = np.ma.array([1.0, 2.0])
    np.testing.assert_array_equal(at.grad(lambda x: np.sum(x * x))(whole), [2.0, 4.0])
    assert at.grad(lambda x, y: x * y.sum())(1.0, masked) == 2.0  # not differentiated: as it is


def test_questions_to_functions_of_python():
    def f(x):
        whole = math.floor(x) + math.ceil(x) + math.trunc(x)
        return x * (whole + math.sin(float(x))) if math.isfinite(x) else 0 * x

    assert at.grad(f)(1.5) == 4 + math.sin(1.5)
    assert at.jit(at.grad(f))(1.5) == 4 + math.sin(1.5)
    whole = at.jit(lambda x: x * math.floor(x))
    assert [whole(x) for x in (2.2, 2.7, 2.9)] == [4.4, 5.4, 5.8]
    assert whole.stats()["paths"] == 1  # an answer is a whole number


@pytest.mark.parametrize("out", ["text", object()])
def test_bad_output(out):
    for transform in (at.grad, at.jit, lambda f: lambda x: at.jvp(f, (x,), (x,))):
        with pytest.raises(TypeError, match=r"the output of .*: expected an array"):
            transform(lambda x: out)(1.0)


def test_takes_functions_only():
    for transform in (
        at.grad,
        at.value_and_grad,
        at.elementwise_grad,
        at.jacfwd,
        at.jacrev,
        at.vmap,
        at.jit,
        at.checkpoint,
        at.custom_jvp,
        at.custom_vjp,
        at.make_jaxpr,
        at.explain,
        at.eval_shape,
        lambda f: at.jvp(f, (), ()),
        at.vjp,
        at.linearize,
        at.linear_transpose,
        lambda f: at.hvp(f, (1.0,), (1.0,)),
        at.hessian,
    ):
        with pytest.raises(TypeError, match="takes a function as its first argument, got 3"):
            transform(3)


def test_names():
    assert at.grad(f3).__name__ == "grad(f3)"
    assert at.grad(f3).__wrapped__ is f3
    assert at.grad(at.vmap(f3)).__name__ == "grad(vmap(f3))"


def test_constant_function():
    assert at.grad(lambda x: 3.0)(1.0) == 0.0
    g = at.grad(lambda x: 3.0)(np.ones((2, 3), np.float32))
    assert g.shape == (2, 3) and g.dtype == np.float32 and not g.any() and g.flags.writeable
    assert at.jvp(lambda x: 3.0, (1.0,), (1.0,)) == (3.0, 0.0)


# --- elementwise_grad --------------------------------------------------------------------------


def test_elementwise_grad():
    x = np.linspace(0.1, 1, 6).reshape(2, 3)
    np.testing.assert_allclose(at.elementwise_grad(np.sin)(x), np.cos(x))
    np.testing.assert_allclose(at.elementwise_grad(at.elementwise_grad(np.sin))(x), -np.sin(x))
    a, b = at.elementwise_grad(lambda x, y: (x * y, [x]), (0, 1))(x, 2 * x)
    np.testing.assert_allclose(a, 2 * x + 1)
    np.testing.assert_allclose(b, x)


# --- jvp ---------------------------------------------------------------------------------------


def test_jvp_pytrees():
    f = lambda p, n: {"a": p[0] * p[1], "n": n}  # noqa: E731
    out, t = at.jvp(f, ((2.0, 3.0), 5), ((1.0, 10.0), np.zeros((), float0)))
    assert out == {"a": 6.0, "n": 5}
    assert t["a"] == 23.0 and t["n"].dtype == float0 and t["n"].shape == ()


def test_jvp_aux():
    out, t, aux = at.jvp(lambda x: (x * x, (x, "s")), (3.0,), (1.0,), has_aux=True)
    assert (out, t, aux) == (9.0, 6.0, (3.0, "s"))


def test_float0_tangents():
    zero = np.zeros(3, float0)
    out, t = at.jvp(lambda n, x: (n * x, n > 1), (np.arange(3), 2.0), (zero, 1.0))
    np.testing.assert_array_equal(out[0], [0, 2, 4])
    np.testing.assert_array_equal(t[0], [0, 1, 2])
    assert t[1].dtype == float0 and t[1].shape == (3,)


@pytest.mark.parametrize(
    ("primals", "tangents", "message"),
    [
        ((1.0,), (1.0, 2.0), "same structure"),
        ((1.0,), ((1.0,),), "same structure"),
        ((1.0,), (None,), "same structure"),
        (1.0, 1.0, "must be tuples or lists"),
        (
            (np.ones(2),),
            (np.ones(3),),
            r"tangent of an input of f64\[2\] must have its type, got f64\[3\]",
        ),
        ((np.ones(2),), (1.0,), r"must have its type"),
        ((np.ones(2, np.float32),), (np.ones(2),), r"of f32\[2\] must have its type, got f64\[2\]"),
        ((np.float64(1),), (np.int64(1),), "must have its type"),
        ((1,), (1,), "must have dtype float0"),
        ((True,), (1.0,), "must have dtype float0"),
        ((1.0,), ("x",), "expected an array"),
    ],
)
def test_mismatched_tangents(primals, tangents, message):
    with pytest.raises(TypeError, match=message):
        at.jvp(lambda *xs: xs[0], primals, tangents)
    if isinstance(primals, tuple):
        with pytest.raises(
            TypeError, match=message.replace("same structure", "must have structure")
        ):
            at.linearize(lambda *xs: xs[0], *primals)[1](*tangents)


def test_weak_tangents():
    _out, t = at.jvp(lambda x: x * 2, (np.float32(3),), (1,))
    assert t == 2 and t.dtype == np.float32


# --- vjp, linearize ----------------------------------------------------------------------------


def test_vjp():
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    out, back = at.vjp(lambda x, y: {"p": x * y, "s": [x]}, x, y)
    np.testing.assert_array_equal(out["p"], [3.0, 8.0])
    for scale in (1.0, 2.0, -1.0):  # again and again
        cx, cy = back({"p": np.full(2, scale), "s": [np.ones(2)]})
        np.testing.assert_array_equal(cx, scale * y + 1)
        np.testing.assert_array_equal(cy, scale * x)
    assert "vjp" in repr(back)


def test_vjp_aux():
    out, back, aux = at.vjp(lambda x: (x * x, {"k": x + 1}), 3.0, has_aux=True)
    assert out == 9.0 and back(1.0) == (6.0,) and aux == {"k": 4.0}


def test_vjp_integers():
    _out, back = at.vjp(lambda n, x: (n * x, n), 3, 2.0)
    g = back((1.0, np.zeros((), float0)))
    assert g[0].dtype == float0 and g[1] == 3.0
    with pytest.raises(TypeError, match="float0"):
        back((1.0, 1))


@pytest.mark.parametrize(
    ("ct", "message"),
    [
        (1.0, "output's structure"),
        ((1.0,), "output's structure"),
        ((1.0, np.ones(3)), "must have its type"),
        ((np.float32(1), np.ones(2)), "must have its type"),
        ((1.0, "x"), "expected an array"),
    ],
)
def test_vjp_checks_cotangents(ct, message):
    _, back = at.vjp(lambda x: (x, x * np.ones(2)), 1.0)
    with pytest.raises(TypeError, match=message):
        back(ct)


def test_caller_may_change_inputs_afterwards():
    x = np.array([1.0, 2.0])
    out, back = at.vjp(lambda x: x * x, x)
    _, push = at.linearize(lambda x: x * x, x)
    x[:] = 100.0
    np.testing.assert_array_equal(back(np.ones(2))[0], [2.0, 4.0])
    np.testing.assert_array_equal(push(np.ones(2)), [2.0, 4.0])
    out[:] = 7
    np.testing.assert_array_equal(back(np.ones(2))[0], [2.0, 4.0])


def test_results_may_be_changed_afterwards():
    x = np.array([0.5, 1.0])
    out, back = at.vjp(np.exp, x)
    expected = np.exp(x)
    out[:] = 0  # exp's derivative is its value
    first = back(np.ones(2))[0]
    np.testing.assert_array_equal(first, expected)
    first[:] = 0
    np.testing.assert_array_equal(back(np.ones(2))[0], expected)
    out, push = at.linearize(np.exp, x)
    out[:] = 0
    np.testing.assert_array_equal(push(np.ones(2)), expected)


def test_linearize():
    out, push = at.linearize(lambda p: (p["a"] * p["b"], p["a"]), {"a": 2.0, "b": 3.0})
    assert out == (6.0, 2.0)
    assert push({"a": 1.0, "b": 0.0}) == (3.0, 1.0)
    assert push({"a": 0.0, "b": 1.0}) == (2.0, 0.0)
    out, push, aux = at.linearize(lambda x: (x * x, x), 3.0, has_aux=True)
    assert (out, push(2.0), aux) == (9.0, 12.0, 3.0)


def test_linearize_runs_the_function_once():
    calls = []

    def f(x):
        calls.append(1)
        return np.sin(x)

    _, push = at.linearize(f, 1.0)
    _, back = at.vjp(f, 1.0)
    for t in (1.0, 2.0):
        np.testing.assert_allclose(push(t), t * np.cos(1.0))
        np.testing.assert_allclose(back(t)[0], t * np.cos(1.0))
    assert len(calls) == 2


def test_linearized_map_transforms():
    _, push = at.linearize(np.sin, 1.0)
    np.testing.assert_allclose(at.vmap(push)(np.arange(3.0)), np.arange(3.0) * np.cos(1.0))
    np.testing.assert_allclose(at.jit(push)(2.0), 2 * np.cos(1.0))
    np.testing.assert_allclose(at.grad(push)(2.0), np.cos(1.0))
    _, back = at.vjp(np.sin, 1.0)
    np.testing.assert_allclose(at.vmap(back)(np.arange(3.0))[0], np.arange(3.0) * np.cos(1.0))
    np.testing.assert_allclose(at.jit(back)(2.0)[0], 2 * np.cos(1.0))
    assert "cos" not in str(at.make_jaxpr(push)(1.0))


def test_linear_transpose():
    transpose = at.linear_transpose(lambda x, y: {"o": 3 * x - y}, 1.0, 2.0)
    assert transpose({"o": 2.0}) == (6.0, -2.0)
    t = at.linear_transpose(
        lambda x: lax.reduce_sum(x, (0,)), at.ShapeDtypeStruct((3,), np.float32)
    )
    (out,) = t(np.float32(2))
    np.testing.assert_array_equal(out, np.full(3, 2, np.float32))
    assert out.dtype == np.float32 and out.flags.writeable
    (zero,) = at.linear_transpose(lambda x: 1.0, np.ones(2))(5.0)
    np.testing.assert_array_equal(zero, [0.0, 0.0])
    with pytest.raises(TypeError, match="output's structure"):
        transpose(1.0)
    with pytest.raises(at.MissingRuleError, match="sin, which has no transpose rule"):
        at.linear_transpose(np.sin, 1.0)(1.0)


def test_stop_gradient_is_in_lax_too():
    f = lambda x: x * lax.stop_gradient({"a": x})["a"]  # noqa: E731
    assert at.grad(f)(3.0) == at.jit(at.grad(f))(3.0) == 3.0


def test_stop_gradient():
    assert at.grad(lambda x: x * at.stop_gradient(x))(3.0) == 3.0
    assert (
        at.jvp(lambda x: at.stop_gradient({"a": x, "b": (x, 1, None)}), (3.0,), (1.0,))[1]["a"] == 0
    )
    tree = {"a": 1.0, "b": (np.arange(2),)}
    assert at.tree.structure(at.stop_gradient(tree)) == at.tree.structure(tree)
    assert at.grad(at.grad(lambda x: x**2 * at.stop_gradient(x)))(3.0) == 6.0
    assert at.jit(at.grad(lambda x: x * at.stop_gradient(x)))(3.0) == 3.0


# --- nesting -----------------------------------------------------------------------------------


def test_perturbation_confusion():
    d = at.grad
    jd = lambda f: lambda x: at.jvp(f, (x,), (1.0,))[1]  # noqa: E731

    def check(a, b):
        assert a(lambda x: x * b(lambda y: x + y)(1.0))(1.0) == 1.0
        assert a(lambda x: x * b(lambda y: x * y)(2.0))(3.0) == 6.0
        assert a(lambda x: b(lambda y: x * y * y)(x))(3.0) == 12.0
        assert a(lambda x: b(lambda y: x)(3.0))(1.0) == 0.0
        assert a(lambda x: x * b(lambda y: b(lambda z: x * y * z)(y) * y)(x))(2.0) == 24.0

    for a in (d, jd):
        for b in (d, jd):
            check(a, b)


def test_high_order():
    f, expected = np.sin, [np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin, np.cos]
    g, h = np.sin, np.sin
    pushed = lambda g: lambda x: at.jvp(g, (x,), (1.0,))[1]  # noqa: E731
    for derivative in expected:
        f = at.grad(f)
        g = pushed(g)
        h = at.jit(at.grad(h))
        for made in (f, g, h):
            np.testing.assert_allclose(made(0.7), derivative(0.7), rtol=1e-12)


@given(st.floats(0.2, 2.0), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_polynomial_derivatives(x, order):
    f = lambda x: x**7 + 1 / x  # noqa: E731
    for _ in range(order):
        f = at.grad(f)
    want = math.prod(range(8 - order, 8)) * x ** (7 - order)
    want += (-1) ** order * math.factorial(order) / x ** (order + 1)
    np.testing.assert_allclose(f(x), want, rtol=1e-10, atol=1e-12)


CONTROL = {
    "if": lambda x: x * x if x > 1 else -x,
    "while": lambda x: _until(x),
    "for": lambda x: sum(x**i for i in range(int(x))),
    "float": lambda x: x * float(x),
    "bool": lambda x: x * bool(x),
    "math": lambda x: x * math.sqrt(x),
    "int": lambda x: x * int(x),
    "match": lambda x: {0: x, 1: x * x, 2: x**3}[int(x) % 3],
    "max": lambda x: max(x, 2.0 * x, 0.0),
    "try": lambda x: _attempt(x),
}


def _until(x):
    while x < 100:
        x = x * x + 1
    return x


def _attempt(x):
    try:
        if x > 2:
            raise KeyError
    except KeyError:
        return x**3
    return x


FLOAT_FIXED = {"float": lambda x: x * 1.0, "int": int, "bool": bool}


@pytest.mark.parametrize("name", CONTROL)
@pytest.mark.parametrize("x", [1.4, 2.6])
def test_python_control_flow(name, x):
    f = CONTROL[name]
    if name in FLOAT_FIXED:
        want = float(FLOAT_FIXED[name](x))  # the converted factor is a constant
    else:
        h = 1e-6
        want = (f(x + h) - f(x - h)) / (2 * h)
    got = [
        at.grad(f)(x),
        at.jvp(f, (x,), (1.0,))[1],
        at.vjp(f, x)[1](1.0)[0],
        at.value_and_grad(f)(x)[1],
        at.linearize(f, x)[1](1.0),
        at.elementwise_grad(f)(x),
        at.jacfwd(f)(x),
        at.jacrev(f)(x),
    ]
    np.testing.assert_allclose(got, want, rtol=1e-6)
    np.testing.assert_allclose(at.value_and_grad(f)(x)[0], f(x))
    nested = at.grad(lambda x: at.grad(f)(x) * x)(x)
    h = 1e-5
    fd = (at.grad(f)(x + h) * (x + h) - at.grad(f)(x - h) * (x - h)) / (2 * h)
    if name not in FLOAT_FIXED:
        np.testing.assert_allclose(nested, fd, rtol=1e-5)


# --- what comes out ----------------------------------------------------------------------------

SHAPES = {
    "identity": lambda x: x,
    "twice": lambda x: (x, x),
    "reshape": lambda x: lax.reshape(x, (3, 2)),
    "transpose": lambda x: lax.transpose(x, (1, 0)),
    "both": lambda x: (x, lax.transpose(x, (1, 0)), lax.reshape(x, (6,))),
    "slice": lambda x: lax.slice(x, (0, 0), (2, 2)),
    "reverse": lambda x: lax.rev(x, (0,)),
    "broadcast": lambda x: lax.broadcast_in_dim(x, (4, 2, 3), (1, 2)),
    "times one": lambda x: x * 1.0,
    "constant": lambda x: (GLOBAL, GLOBAL),
    "zero": lambda x: np.zeros((2, 3)),
    "through jit": lambda x: at.jit(lambda y: (y, GLOBAL))(x),
}
GLOBAL = np.arange(3.0)
X = np.arange(6.0).reshape(2, 3)
RUNS = {
    "jit": lambda f: at.jit(f)(X),
    "vmap": lambda f: at.vmap(lambda a: f(a))(X[None]),
    "vmap1": lambda f: at.vmap(lambda a: f(a), in_axes=1, out_axes=1)(X[:, None]),
    "jvp": lambda f: at.jvp(f, (X,), (T,)),
    "vjp": lambda f: at.vjp(f, X)[0],
    "pullback": lambda f: at.vjp(f, X)[1](at.tree.map(np.ones_like, f(X))),
    "linearize": lambda f: at.linearize(f, X)[0],
    "push": lambda f: at.linearize(f, X)[1](T),
    "grad": lambda f: at.grad(lambda x: _total(f(x)))(X),
    "value": lambda f: at.value_and_grad(lambda x: (_total(f(x)), f(x)), has_aux=True)(X),
    "jacfwd": lambda f: at.jacfwd(f)(X),
    "jacrev": lambda f: at.jacrev(f, has_aux=False)(X),
    "jacaux": lambda f: at.jacfwd(lambda x: (x, f(x)), has_aux=True)(X),
    "transposed": lambda f: at.linear_transpose(lambda x: x * 1.0, X)(T),
    "checkpoint": lambda f: at.checkpoint(f)(X),
    "compiled": lambda f: at.jit(f).lower(X).compile()(X),
    "callback": lambda f: at.pure_callback(f, at.tree.map(lambda a: a, f(X)), X),
}
T = np.ones((2, 3))


def _total(out):
    return sum(lax.reduce_sum(x * 1.0, tuple(range(x.ndim))) for x in at.tree.leaves(out))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("run", RUNS)
def test_plain_results(run, shape):
    before = X.copy(), T.copy(), GLOBAL.copy()
    outs = at.tree.leaves(RUNS[run](SHAPES[shape]))
    outs = [x for x in outs if not callable(x)]
    assert outs
    for i, x in enumerate(outs):
        assert type(x) is np.ndarray or isinstance(x, np.generic), type(x)
        if isinstance(x, np.generic):
            continue
        assert x.flags.writeable and x.flags.c_contiguous
        for other in (X, T, GLOBAL, *outs[:i]):
            assert not np.shares_memory(x, other)
        x[...] = -1
    for now, then in zip((X, T, GLOBAL), before, strict=True):
        np.testing.assert_array_equal(now, then)
    again = at.tree.leaves(RUNS[run](SHAPES[shape]))  # nothing kept was changed
    for x in again:
        if isinstance(x, np.ndarray) and x.size and shape != "zero":
            assert not (x == -1).all()


@pytest.mark.parametrize("run", ["jit", "jvp", "vjp", "grad", "vmap"])
def test_zero_dimensional_results_are_scalars(run):
    runs = {
        "jit": lambda f, x: at.jit(f)(x),
        "jvp": lambda f, x: at.jvp(f, (x,), (x,)),
        "vjp": lambda f, x: (at.vjp(f, x)[0], at.vjp(f, x)[1](x)),
        "grad": lambda f, x: at.value_and_grad(f)(x),
        "vmap": lambda f, x: at.vmap(lambda _: f(x), out_axes=None)(np.ones(2)),
    }
    for x in (2.0, np.float64(2), np.array(2.0), np.float32(2), np.array(2, np.float32)):
        for f in (lambda x: x, lambda x: x * 2, np.sin):
            for out in at.tree.leaves(runs[run](f, x)):
                assert type(out) is np.asarray(x).dtype.type, (type(out), x)


# --- dtypes ------------------------------------------------------------------------------------

F32 = np.array([1.0, 2.0], np.float32)
PROGRAMS = [
    lambda s, a: a * s,
    lambda s, a: a + 2 * s,
    lambda s, a: np.sin(s) * a,
    lambda s, a: a * (s * 2 + 1),
    lambda s, a: s / 3,
    lambda s, a: (s * s) * a,
    lambda s, a: -s * a,
    lambda s, a: abs(s) * a,
    lambda s, a: s**2 * a,
    lambda s, a: a**s,
    lambda s, a: s**a,
    lambda s, a: np.exp(s) + a,
    lambda s, a: np.multiply(s, 2) * a,
    lambda s, a: np.where(a > 1, a, s),
    lambda s, a: np.maximum(a, s),
    lambda s, a: np.float32(2) * s,
    lambda s, a: np.float64(2) * a * s,
    lambda s, a: a * True * s,
    lambda s, a: s % 2 + a,
    lambda s, a: s // 2 + a,
    lambda s, a: a - np.arctan2(s, a),
    lambda s, a: np.sqrt(a) + s,
    lambda s, a: s,
    lambda s, a: (s + 1j) * a,
    lambda s, a: np.square(s) * a,
    lambda s, a: 1 - s * a,
    lambda s, a: np.power(a, 2) * s,
    lambda s, a: a * np.pi * s,
]


@pytest.mark.parametrize("f", PROGRAMS, ids=range(len(PROGRAMS)))
@pytest.mark.parametrize(
    "s",
    [2.0, np.float64(2), np.float32(2), 3, np.int32(3), np.int8(3), np.float16(2)],
    ids=lambda s: f"{type(s).__name__}",
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_dtypes_are_numpys(f, s, dtype):
    a = F32.astype(dtype)
    want = np.asarray(f(s, a)).dtype
    assert np.asarray(at.jit(f)(s, a)).dtype == want
    kinds = [np.asarray(x).dtype.kind for x in (s, a)]
    tangents = [
        np.zeros(np.shape(x), float0) if k == "i" else np.ones_like(x)
        for x, k in zip((s, a), kinds, strict=True)
    ]
    tangents = [t.item() if isinstance(s, float) and i == 0 else t for i, t in enumerate(tangents)]
    out, t = at.jvp(f, (s, a), tuple(tangents))
    assert out.dtype == want and t.dtype == (want if want.kind in "fc" else float0)
    assert at.vmap(f, in_axes=(None, 0))(s, a).dtype == want
    np.testing.assert_allclose(at.jit(f)(s, a), f(s, a), rtol=1e-2 if dtype is np.float16 else 1e-6)


def test_float32_stays():
    f = lambda x: lax.reduce_sum(np.sin(x) * 2.5 + x**2 / 3, (0,))  # noqa: E731
    value, g = at.value_and_grad(f)(F32)
    assert value.dtype == np.float32 and g.dtype == np.float32
    assert at.hessian(f)(F32).dtype == np.float32
    assert at.jit(at.grad(f))(F32).dtype == np.float32
    assert at.vmap(at.grad(lambda x: np.sin(x) * 2.5))(F32).dtype == np.float32


def test_gradient_has_the_arguments_dtype():
    g = at.grad(lambda x, y: x * y, (0, 1))(np.float32(2), np.float64(3))
    assert [x.dtype for x in g] == [np.float32, np.float64]
    g = at.grad(lambda x, z: np.real(x * z), (0, 1))(2.0, 1 + 2j)
    assert [x.dtype for x in g] == [np.float64, np.complex128]
    assert g == (1.0, 2.0)


def test_autotrace_numpy_is_the_same():
    assert at.grad(anp.sin)(0.5) == at.grad(np.sin)(0.5) == np.cos(0.5)
