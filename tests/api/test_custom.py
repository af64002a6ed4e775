"""custom_jvp, custom_vjp and checkpoint."""

import functools

import numpy as np
import pytest

import autotrace as at
from autotrace import float0, lax

eq = np.testing.assert_array_equal
X = np.array([0.5, 1.0, 1.5])


def total(x):
    return lax.reduce_sum(x, tuple(range(x.ndim)))


def marked_sin(factor=10.0):
    """sin with a derivative that is recognizably the rule's: ``factor * cos``."""

    @at.custom_jvp
    def f(x):
        return np.sin(x)

    @f.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), factor * np.cos(x) * t

    return f


def marked_sin_vjp(factor=10.0):
    @at.custom_vjp
    def f(x):
        return np.sin(x)

    f.defvjp(lambda x: (f(x), x), lambda x, ct: (factor * np.cos(x) * ct,))
    return f


# --- custom_jvp --------------------------------------------------------------------------------


def test_jvp_rule_is_used():
    f, want = marked_sin(), 10 * np.cos(0.5)
    assert f(0.5) == np.sin(0.5)
    for got in (
        at.grad(f)(0.5),
        at.jvp(f, (0.5,), (1.0,))[1],
        at.vjp(f, 0.5)[1](1.0)[0],
        at.linearize(f, 0.5)[1](1.0),
        at.jacfwd(f)(0.5),
        at.jacrev(f)(0.5),
    ):
        np.testing.assert_allclose(got, want)
    assert f.__name__ == "f"


ORDERS = {
    "jit": at.jit,
    "vmap": lambda f: lambda x: at.vmap(f)(np.stack([x, x]))[1],
    "checkpoint": at.checkpoint,
    "grad": at.elementwise_grad,
}


@pytest.mark.parametrize("first", ORDERS)
@pytest.mark.parametrize("second", ORDERS)
@pytest.mark.parametrize("make", [marked_sin, marked_sin_vjp], ids=["jvp", "vjp"])
def test_orders_of_two(first, second, make):
    def stack(f):  # keeps the result on tracers too
        return lambda x: lax.index_in_dim(at.vmap(f, None, axis_size=2)(x), 1, 0, keepdims=False)

    orders = {**ORDERS, "vmap": stack}
    f = orders[second](orders[first](make()))
    grads = (first, second).count("grad")
    # the rule's cos is an ordinary one: only the first derivative has the factor
    want = [np.sin(X), 10 * np.cos(X), -10 * np.sin(X)][grads]
    np.testing.assert_allclose(f(X), want)
    np.testing.assert_allclose(at.jit(f)(X), want)
    np.testing.assert_allclose(at.vmap(f)(X), want)
    if grads < 2:
        want = [10 * np.cos(X), -10 * np.sin(X)][grads]
        np.testing.assert_allclose(at.grad(lambda x: total(f(x)))(X), want)
        np.testing.assert_allclose(at.vmap(at.grad(f))(X), want)


def test_second_derivatives():
    # Its fwd must not call it, or forward mode over reverse mode would meet it.
    reverse = at.custom_vjp(lambda x: np.sin(x))
    reverse.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (10 * np.cos(x) * ct,))
    np.testing.assert_allclose(at.grad(at.grad(marked_sin_vjp()))(0.5), -10 * np.sin(0.5))
    for f in (marked_sin(), reverse):
        summed = functools.partial(lambda f, x: total(f(x)), f)
        np.testing.assert_allclose(at.grad(at.grad(f))(0.5), -10 * np.sin(0.5))
        np.testing.assert_allclose(at.jvp(at.grad(f), (0.5,), (1.0,))[1], -10 * np.sin(0.5))
        np.testing.assert_allclose(at.hessian(summed)(X), np.diag(-10 * np.sin(X)))
        np.testing.assert_allclose(at.hvp(summed, (X,), (X,)), -10 * np.sin(X) * X)
    f = marked_sin()
    np.testing.assert_allclose(
        at.grad(lambda x: at.jvp(f, (x,), (1.0,))[1])(0.5), -10 * np.sin(0.5)
    )


def test_python_control_flow_in_rule():
    @at.custom_jvp
    def f(x):
        return x if x > 0 else -x

    f.defjvp(lambda p, t: (f(*p), t[0] * 3 if p[0] > 0 else t[0] * 5))
    assert at.grad(f)(1.0) == 3.0 and at.grad(f)(-1.0) == 5.0
    assert at.jvp(f, (-1.0,), (1.0,)) == (1.0, 5.0)
    with pytest.raises(at.ConcretizationError):
        at.make_jaxpr(f)(1.0)


def test_defjvps():
    @at.custom_jvp
    def f(x, y, z):
        return x * y * z

    f.defjvps(lambda t, out, x, y, z: 2 * t * y * z, None, lambda t, out, x, y, z: t * out / z)
    assert at.grad(f, (0, 1, 2))(2.0, 3.0, 4.0) == (24.0, 0.0, 6.0)
    assert at.jvp(f, (2.0, 3.0, 4.0), (1.0, 1.0, 1.0)) == (24.0, 30.0)
    g = at.custom_jvp(lambda x: {"a": x * x})
    g.defjvps(None)
    assert at.grad(lambda x: g(x)["a"])(3.0) == 0.0
    h = at.custom_jvp(lambda x: {"a": x * x})
    h.defjvps(lambda t, out, x: {"a": t * out["a"]})
    assert at.grad(lambda x: h(x)["a"])(3.0) == 9.0
    with pytest.raises(TypeError, match="does not go with nondiff_argnums"):
        at.custom_jvp(lambda n, x: x, nondiff_argnums=0).defjvps(None)


@pytest.mark.parametrize("nondiff", [0, (0,), -2])
def test_nondiff_argnums(nondiff):
    def power(n, x):
        return x**n

    f = at.custom_jvp(power, nondiff_argnums=nondiff)
    f.defjvp(lambda n, p, t: (f(n, *p), 100.0 * n * t[0]))
    assert f(3, 2.0) == 8.0 and at.grad(f, 1)(3, 2.0) == 300.0
    g = at.custom_vjp(power, nondiff_argnums=nondiff)
    g.defvjp(lambda n, x: (g(n, x), x), lambda n, x, ct: (100.0 * n * ct,))
    assert g(3, 2.0) == 8.0 and at.grad(g, 1)(3, 2.0) == 300.0
    for h in (f, g):
        eq(at.vmap(at.grad(h, 1), (None, 0))(3, X), [300.0] * 3)
        assert at.jit(at.grad(h, 1), static_argnums=0)(3, 2.0) == 300.0


def test_nondiff_function():
    f = at.custom_jvp(lambda fun, x: fun(x), nondiff_argnums=(0,))
    f.defjvp(lambda fun, p, t: (fun(*p), 7.0 * t[0]))
    assert at.grad(lambda x: f(np.sin, x))(0.5) == 7.0


def test_keywords_and_defaults():
    @at.custom_jvp
    def f(x, y=3.0):
        return x * y

    f.defjvp(lambda p, t: (f(*p), t[0] * p[1] * 2))
    assert f(2.0) == 6.0 and f(2.0, y=5.0) == f(y=5.0, x=2.0) == 10.0
    assert at.grad(f)(2.0) == 6.0 and at.grad(lambda x: f(y=5.0, x=x))(2.0) == 10.0
    g = at.custom_jvp(lambda x, *, k: x)
    g.defjvp(lambda p, t: (p[0], t[0]))
    with pytest.raises(TypeError, match=r"keyword-only arguments \['k'\]"):
        g(1.0, k=2)
    with pytest.raises(TypeError):
        f()


def test_trees():
    @at.custom_jvp
    def f(p, q):
        return {"s": p["a"] * q[0], "t": (p["b"],)}

    @f.defjvp
    def rule(primals, tangents):
        (p, q), (tp, tq) = primals, tangents
        return f(p, q), {"s": 2 * tp["a"] * q[0] + tq[0], "t": (tp["b"],)}

    out, t = at.jvp(f, ({"a": 2.0, "b": 3.0}, [4.0]), ({"a": 1.0, "b": 5.0}, [6.0]))
    assert out == {"s": 8.0, "t": (3.0,)} and t == {"s": 14.0, "t": (5.0,)}
    g = at.grad(lambda p, q: f(p, q)["s"], (0, 1))({"a": 2.0, "b": 3.0}, [4.0])
    assert g == ({"a": 8.0, "b": 0.0}, [1.0])


def test_integers_in_rule():
    seen = []
    f = at.custom_jvp(lambda n, x: (n, n * x))
    f.defjvp(lambda p, t: seen.append(t[0].dtype) or (f(*p), (t[0], p[0] * t[1])))
    out, t = at.jvp(lambda x: f(3, x), (2.0,), (1.0,))
    assert out == (3, 6.0) and t[0].dtype == float0 and t[1] == 3.0
    assert seen == [float0]
    assert at.jit(at.grad(lambda x: f(3, x)[1]))(2.0) == 3.0


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda p, t: p[0], "must return a pair"),
        (lambda p, t: (p[0], t[0], 1), "must return a pair"),
        (lambda p, t: (p[0], (t[0],)), "must have the structure of its primals_out"),
        (lambda p, t: (p[0], np.ones(3) * t[0]), r"a tangent of f64\[3\] for a value of f64\[\]"),
        (lambda p, t: ("x", t[0]), "expected an array"),
    ],
)
def test_bad_jvp_rules(rule, message):
    f = at.custom_jvp(lambda x: x)
    f.defjvp(rule)
    for call in (
        lambda: at.grad(f)(1.0),
        lambda: at.jvp(f, (1.0,), (1.0,)),
        lambda: at.vmap(at.grad(f))(np.ones(2)),
        lambda: at.grad(at.jit(f))(1.0),
    ):
        with pytest.raises(TypeError, match=message) as error:
            call()
    assert __file__ in str(error.value)


def test_missing_rules():
    with pytest.raises(AttributeError, match=r"give it one with sq\.defjvp"):
        at.custom_jvp(sq)(1.0)
    with pytest.raises(AttributeError, match=r"give it one with sq\.defvjp"):
        at.custom_vjp(sq)(1.0)


def sq(x):
    return x * x


def test_symbolic_zeros():
    seen = []

    @at.custom_jvp
    def f(x, y, n):
        return x**n * y, y

    def rule(primals, tangents):
        (x, y, n), (dx, dy, dn) = primals, tangents
        seen.append([isinstance(t, at.SymbolicZero) for t in tangents])
        assert isinstance(dn, at.SymbolicZero) and dn.dtype == at.float0
        zero = lambda t: isinstance(t, at.SymbolicZero)  # noqa: E731
        assert not zero(dx) or (dx.shape == x.shape and dx.dtype == x.dtype)
        shares = [s * t for s, t in ((n * x ** (n - 1) * y, dx), (x**n, dy)) if not zero(t)]
        return f(x, y, n), (sum(shares), at.SymbolicZero(np.shape(y), y.dtype) if zero(dy) else dy)

    f.defjvp(rule, symbolic_zeros=True)
    x, y = np.array([1.0, 2.0]), np.array([3.0, 0.5])

    def total(x, y):
        first, second = f(x, y, 3)
        return np.sum(first * second)

    wanted = 3 * x**2 * y**2, 2 * x**3 * y
    for which, pattern in ((0, [False, True, True]), (1, [True, False, True])):
        for gradient in (
            at.grad(total, which),
            at.jit(at.grad(total, which)),
            at.grad(at.jit(total), which),
            lambda *xs, w=which: at.jit(at.vmap(at.grad(total, w)))(*[v[:, None] for v in xs])[
                :, 0
            ],
            lambda *xs, w=which: at.grad(lambda *v: np.sum(at.vmap(total)(*v)), w)(
                *[v[:, None] for v in xs]
            )[:, 0],
            lambda *xs, w=which: at.jacfwd(total, w)(*xs),
        ):
            seen.clear()
            np.testing.assert_allclose(gradient(x, y), wanted[which])
            assert seen and all(s == pattern for s in seen)
    np.testing.assert_allclose(at.grad(total, (0, 1))(x, y), wanted)
    at.testing.check_grads(lambda x, y: f(x, y, 3), (x, y), order=2)
    _, tangents = at.jvp(lambda x: f(x, y, 3), (x,), (np.ones(2),))
    np.testing.assert_array_equal(tangents[1], np.zeros(2))  # an array for the caller
    assert repr(at.SymbolicZero((2,), float)) == "SymbolicZero((2,), float64)"


def test_symbolic_zeros_through_a_scan():
    @at.custom_jvp
    def scaled(x, rate):
        return x * rate

    def rule(primals, tangents):
        (x, rate), (t, t_rate) = primals, tangents
        assert isinstance(t_rate, at.SymbolicZero)
        return scaled(x, rate), t * rate

    scaled.defjvp(rule, symbolic_zeros=True)

    def last(x):
        return at.lax.scan(lambda c, r: (scaled(c, r), None), x, np.array([2.0, 3.0]))[0]

    assert at.grad(last)(1.0) == at.jit(at.grad(last))(1.0) == 6.0


def test_symbolic_zeros_of_a_wrong_shape():
    f = at.custom_jvp(sq)
    f.defjvp(lambda p, t: (sq(*p), at.SymbolicZero((3,), float)), symbolic_zeros=True)
    with pytest.raises(TypeError, match=r"gave a tangent of SymbolicZero\(\(3,\), float64\)"):
        at.grad(f)(1.0)


def test_methods():
    class Model:
        def __init__(self, k):
            self.k = k

        @at.custom_jvp
        def f(self, x):
            return x

    Model.f.nondiff_argnums = (0,)
    Model.f.defjvp(lambda self, p, t: (p[0], self.k * t[0]))
    assert at.grad(Model(3.0).f)(1.0) == 3.0


def closing_jvp(y):
    f = at.custom_jvp(lambda a: a * y)
    f.defjvp(lambda p, t: (p[0] * y, 10 * t[0] * y))
    return f


def closing_vjp(y):
    f = at.custom_vjp(lambda a: a * y)
    f.defvjp(lambda a: (a * y, y), lambda r, ct: (10 * ct * r,))
    return f


@pytest.mark.parametrize("closing", [closing_jvp, closing_vjp], ids=["jvp", "vjp"])
def test_closure_over_a_batch(closing):
    f = lambda x, y: closing(y)(x)  # noqa: E731
    y = np.array([1.0, 2.0, 3.0])
    eq(at.vmap(f)(X, y), X * y)
    eq(at.vmap(f, (None, 0))(2.0, y), 2 * y)
    eq(at.vmap(f, (0, None))(X, 2.0), 2 * X)
    eq(at.vmap(at.grad(f))(X, y), 10 * y)
    eq(at.grad(lambda x: total(at.vmap(f)(x, y)))(X), 10 * y)
    with pytest.raises(at.NonDifferentiableError, match="uses a traced value from outside"):
        at.vmap(lambda x: total(at.vmap(lambda z: f(x, z))(y)))(X)
    eq(at.vmap(lambda y: at.vmap(lambda x: f(x, y))(X))(y), np.outer(y, X))
    with pytest.raises((at.NonDifferentiableError, at.LeakedTracerError)):
        at.grad(lambda x: total(at.vmap(lambda y: at.vmap(lambda x: f(x, y))(x))(y)))(X)


def test_closure_over_a_batch_in_forward_mode():
    y = np.array([1.0, 2.0, 3.0])
    many = lambda x: at.vmap(lambda a, b: closing_jvp(b)(a))(x, y)  # noqa: E731
    out, t = at.jvp(many, (X,), (np.ones(3),))
    eq(out, X * y)
    eq(t, 10 * y)
    eq(at.vmap(lambda a, b: at.jvp(closing_jvp(b), (a,), (1.0,))[1])(X, y), 10 * y)


@pytest.mark.parametrize("closing", [closing_jvp, closing_vjp], ids=["jvp", "vjp"])
def test_closure_over_an_outer_level(closing):
    # y belongs to an outer derivative, x to the inner one: the rule knows all there is to know.
    f = lambda y: at.grad(lambda x: closing(y)(x))(2.0)  # noqa: E731
    assert f(3.0) == 30.0


@pytest.mark.parametrize("closing", [closing_jvp, closing_vjp], ids=["jvp", "vjp"])
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: at.grad(f, (0, 1))(1.0, 2.0),
        lambda f: at.vjp(f, 1.0, 2.0)[1](1.0),
        lambda f: at.jvp(f, (1.0, 2.0), (1.0, 1.0)),
        lambda f: at.jit(f)(1.0, 2.0),
        lambda f: at.grad(lambda x, y: total(at.vmap(f)(x, y)), (0, 1))(X, X),
    ],
    ids=["grad", "vjp", "jvp", "jit", "grad-vmap"],
)
def test_closure_over_differentiated_value(closing, transform):
    with pytest.raises(at.NonDifferentiableError, match=r"from outside|reverse-mode rule only"):
        transform(lambda x, y: closing(y)(x))


# --- custom_vjp --------------------------------------------------------------------------------


def test_vjp_rule_is_used():
    f = marked_sin_vjp()
    assert f(0.5) == np.sin(0.5)
    np.testing.assert_allclose(at.grad(f)(0.5), 10 * np.cos(0.5))
    np.testing.assert_allclose(at.jacrev(f)(X), np.diag(10 * np.cos(X)))
    np.testing.assert_allclose(at.jit(at.grad(f))(0.5), 10 * np.cos(0.5))
    np.testing.assert_allclose(at.grad(at.jit(f))(0.5), 10 * np.cos(0.5))


def test_forward_mode_error():
    f = marked_sin_vjp()
    for call in (
        lambda: at.jvp(f, (0.5,), (1.0,)),
        lambda: at.jacfwd(f)(0.5),
        lambda: at.linearize(f, 0.5)[1](1.0),
        lambda: at.jit(lambda x: at.jvp(f, (x,), (x,)))(0.5),
        lambda: at.vmap(lambda x: at.jvp(f, (x,), (x,)))(X),
        lambda: at.jvp(at.vmap(f), (X,), (X,)),
        lambda: at.jvp(at.jit(f), (0.5,), (1.0,)),
    ):
        with pytest.raises(at.NonDifferentiableError, match=r"forward mode .* met the function f,"):
            call()
    assert f(0.5) == at.jvp(lambda x: f(0.5) + 0 * x, (1.0,), (1.0,))[0]


def test_residual_trees_and_none():
    @at.custom_vjp
    def f(p, y):
        return p["a"] * y, p["b"]

    def fwd(p, y):
        return f(p, y), {"y": y, "n": None, "t": (p["a"], 2)}

    def bwd(res, ct):
        assert res["n"] is None
        return {"a": ct[0] * res["y"], "b": ct[1] * res["t"][1]}, None

    f.defvjp(fwd, bwd)
    _, back = at.vjp(f, {"a": 2.0, "b": 3.0}, 4.0)
    assert back((1.0, 1.0)) == ({"a": 4.0, "b": 2.0}, 0.0)
    assert back((0.0, 5.0)) == ({"a": 0.0, "b": 10.0}, 0.0)
    assert at.grad(lambda p: f(p, 4.0)[0])({"a": 2.0, "b": 3.0}) == {"a": 4.0, "b": 0.0}
    g = at.jit(at.grad(lambda p, y: f(p, y)[1], (0, 1)))({"a": 2.0, "b": 3.0}, 4.0)
    assert g == ({"a": 0.0, "b": 2.0}, 0.0)


def test_integer_arguments():
    f = at.custom_vjp(lambda n, x: n * x)
    f.defvjp(lambda n, x: (n * x, n), lambda n, ct: (None, 10 * n * ct))
    assert at.grad(f, 1)(3, 2.0) == 30.0
    g = at.custom_vjp(lambda n, x: n * x)
    g.defvjp(lambda n, x: (n * x, n), lambda n, ct: (np.zeros((), float0), 10 * n * ct))
    assert at.grad(g, 1)(3, 2.0) == 30.0
    eq(at.vmap(at.grad(f, 1), (None, 0))(3, X), [30.0] * 3)


def test_vmap_sums_cotangents_of_unbatched():
    f = at.custom_vjp(lambda x, w: x * w)
    f.defvjp(lambda x, w: (x * w, (x, w)), lambda r, ct: (ct * r[1], 10 * ct * r[0]))
    loss = lambda w: total(at.vmap(lambda x: f(x, w))(X))  # noqa: E731
    np.testing.assert_allclose(at.grad(loss)(2.0), 10 * X.sum())
    np.testing.assert_allclose(at.jit(at.grad(loss))(2.0), 10 * X.sum())
    many = at.vmap(f, (1, None), 1)
    x = np.arange(6.0).reshape(2, 3)
    w = np.array([1.0, 2.0])
    cx, cw = at.vjp(many, x, w)[1](np.ones((2, 3)))
    eq(cx, np.stack([w] * 3, 1))
    eq(cw, 10 * x.sum(1))
    nested = at.vmap(at.vmap(f, (0, None)), (0, None))
    np.testing.assert_allclose(at.grad(lambda w: total(nested(x, w)))(2.0), 10 * x.sum())


def test_checkpoint_of_a_call_that_makes_primal_and_tangent():
    f = lambda x: at.jit(lambda y: (np.sin(y), y * x))(x)  # noqa: E731
    g = lambda x: f(x)[0] * f(x)[1] * x  # noqa: E731
    want = at.grad(g)(0.7)
    for h in (at.checkpoint(g), at.checkpoint(at.checkpoint(g)), at.checkpoint(at.jit(g))):
        np.testing.assert_allclose(at.grad(h)(0.7), want, rtol=1e-13)
        np.testing.assert_allclose(at.grad(at.grad(h))(0.7), at.grad(at.grad(g))(0.7), rtol=1e-12)


@pytest.mark.parametrize(
    ("fwd", "bwd", "message"),
    [
        (lambda x, y: x, None, "fwd must return a pair"),
        (lambda x, y: (x, "text"), None, "residuals: expected an array"),
        (lambda x, y: (x, y), lambda r, ct: ct, "must return a tuple of 2 cotangents"),
        (lambda x, y: (x, y), lambda r, ct: (ct,), "of 2 cotangents.*got tuple of 1"),
        (lambda x, y: (x, y), lambda r, ct: (ct, ct, ct), "got tuple of 3"),
        (lambda x, y: (x, y), lambda r, ct: ((ct,), ct), "a cotangent of structure"),
        (lambda x, y: (x, y), lambda r, ct: ("x", ct), "expected an array"),
    ],
)
def test_bad_vjp_rules(fwd, bwd, message):
    f = at.custom_vjp(lambda x, y: x)
    f.defvjp(fwd, bwd or (lambda r, ct: (ct, ct)))
    for call in (
        lambda: at.grad(f)(1.0, 2.0),
        lambda: at.vmap(at.grad(f))(X, X),
        lambda: at.grad(at.jit(f))(1.0, 2.0),
    ):
        with pytest.raises(TypeError, match=message) as error:
            call()
    assert __file__ in str(error.value)


def test_bwd_gives_wrong_shape():
    f = at.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, None), lambda r, ct: (np.ones(3),))
    with pytest.raises(TypeError, match="f64"):
        at.grad(f)(1.0)


def test_bwd_gives_other_dtype():
    f = at.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, None), lambda r, ct: (np.float64(ct),))
    assert at.grad(f)(np.float32(1.0)).dtype == np.float32


def test_fwd_called_in_reverse_mode_only():
    calls = []
    f = at.custom_vjp(lambda x: calls.append("f") or x)
    f.defvjp(lambda x: calls.append("fwd") or (x, None), lambda r, ct: calls.append("bwd") or (ct,))
    f(1.0)
    at.jit(f)(1.0)
    assert calls == ["f", "f"]
    calls.clear()
    at.grad(f)(1.0)
    assert calls == ["fwd", "bwd"]


# --- checkpoint --------------------------------------------------------------------------------


def deep(x):
    for _ in range(3):
        x = np.sin(x) * x + 1
    return x


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f(X),
        lambda f: at.grad(lambda x: total(f(x)))(X),
        lambda f: at.jvp(f, (X,), (X,)),
        lambda f: at.vjp(f, X)[1](X),
        lambda f: at.linearize(f, X)[1](X),
        lambda f: at.jit(at.grad(lambda x: total(f(x))))(X),
        lambda f: at.grad(at.jit(lambda x: total(f(x))))(X),
        lambda f: at.vmap(at.grad(f))(X),
        lambda f: at.vmap(at.vmap(f))(np.stack([X, X])),
        lambda f: at.grad(lambda x: total(at.vmap(f)(x)))(X),
        lambda f: at.hessian(lambda x: total(f(x)))(X),
        lambda f: at.jacrev(at.jacrev(f))(X),
        lambda f: at.jacfwd(at.jacfwd(f))(X),
        lambda f: at.grad(at.grad(at.grad(f)))(0.5),
        lambda f: at.grad(lambda x: f(f(x)))(0.5),
        lambda f: at.value_and_grad(f)(0.5),
    ],
)
def test_checkpoint_changes_nothing(transform):
    want = at.tree.leaves(transform(deep))
    for f in (
        at.checkpoint(deep),
        at.checkpoint(at.checkpoint(deep)),
        at.checkpoint(at.jit(deep)),
        at.jit(at.checkpoint(deep)),
    ):
        for a, b in zip(at.tree.leaves(transform(f)), want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_recomputes():
    runs = []
    counted = at.extend.Primitive("test_custom_counted")
    counted.def_impl(lambda x: runs.append(1) or np.sin(x))
    counted.def_abstract(lambda x: x.strong())
    counted.def_jvp(lambda p, t, out: np.cos(p[0]) * t[0])
    try:
        f = lambda x: np.exp(counted.bind(x))  # noqa: E731
        at.grad(f)(1.0)
        assert len(runs) == 1
        runs.clear()
        g = at.grad(at.checkpoint(f))(1.0)
        assert len(runs) == 2
        np.testing.assert_allclose(g, np.exp(np.sin(1.0)) * np.cos(1.0))
        runs.clear()
        at.jit(at.value_and_grad(at.checkpoint(f)))(1.0)
        assert len(runs) == 2
        runs.clear()
        at.checkpoint(f)(1.0)
        at.jit(at.checkpoint(f))(1.0)
        assert len(runs) == 2
        runs.clear()
        _, back = at.vjp(at.checkpoint(f), 1.0)
        assert len(runs) == 1
        back(1.0)
        back(1.0)
        assert len(runs) == 3
    finally:
        del at.extend.primitives["test_custom_counted"]


def test_keeps_inputs_only():
    big = np.ones(1000)
    f = lambda x: total(np.sin(np.sin(x * big)))  # noqa: E731
    for g, few in ((f, False), (at.checkpoint(f), True)):
        jaxpr = at.make_jaxpr(at.linearize(g, 2.0)[1])(1.0)
        held = sum(np.size(c) for c in jaxpr.consts if c is not big)
        assert (held < 500) is few


def test_checkpoint_closures():
    f = lambda x: at.checkpoint(lambda y: np.sin(y) * x)(x)  # noqa: E731
    want = np.cos(0.5) * 0.5 + np.sin(0.5)
    np.testing.assert_allclose(at.grad(f)(0.5), want)
    np.testing.assert_allclose(at.jvp(f, (0.5,), (1.0,))[1], want)
    np.testing.assert_allclose(at.jit(at.grad(f))(0.5), want)
    np.testing.assert_allclose(at.vmap(at.grad(f))(np.array([0.5, 0.5])), [want] * 2)
    np.testing.assert_allclose(
        at.grad(lambda x: total(at.vmap(f)(x)))(X), np.cos(X) * X + np.sin(X)
    )
    np.testing.assert_allclose(at.grad(at.grad(f))(0.5), -np.sin(0.5) * 0.5 + 2 * np.cos(0.5))


def test_checkpoint_options():
    @at.checkpoint(static_argnums=(1, -1))
    def f(x, n, how):
        return {"y": x**n if how == "p" else x, "n": None}

    assert f(2.0, 3, "p")["y"] == 8.0
    assert at.grad(lambda x: f(x, 3, "p")["y"])(2.0) == 12.0
    g = at.checkpoint(lambda p, *, k: p["x"] * k)
    assert at.grad(lambda p: g(p, k=3.0))({"x": 2.0}) == {"x": 3.0}
    assert at.checkpoint(deep).__name__ == "checkpoint(deep)"
    with pytest.raises(at.ConcretizationError, match="under checkpoint"):
        at.checkpoint(lambda x: x if x > 0 else -x)(1.0)


def test_checkpoint_effects():
    seen = []
    f = at.checkpoint(lambda x: at.debug.callback(seen.append, x) or np.sin(x))
    f(1.0)
    assert seen == [1.0]
    seen.clear()
    at.jit(f)(2.0)
    assert seen == [2.0]
