"""Functions with derivative rules of their own whose Python asks for values, under ``jit``."""

from __future__ import annotations

import functools
import gc
import weakref

import numpy as np
import pytest
from numpy_checks import same

import autotrace as at

X = np.array([0.4, -1.3, 2.0])


def plain(x):
    """Branches, a loop and a number, with several results."""
    y = np.sin(x) if x.sum() > 0 else np.cos(x)
    n = 0
    while np.sum(y * y) > 0.5:
        y = y / 2
        n += 1
    scale = float(x[0])
    return {"y": y * scale, "n": n}


def with_jvp():
    """A ``custom_jvp`` of it, of which the rule asks too and tells itself apart by a factor."""
    f = at.custom_jvp(plain)

    @f.defjvp
    def rule(primals, tangents):
        (x,), (t,) = primals, tangents
        factor = 10.0 if x[1] > 0 else 100.0
        out = f(x)
        return out, {"y": factor * t * x, "n": np.zeros((), at.float0)}

    return f


def with_vjp():
    f = at.custom_vjp(plain)

    def fwd(x):
        return f(x), (x, 10.0 if x[1] > 0 else 100.0)

    def bwd(kept, ct):
        x, factor = kept
        return (factor * ct["y"] * x,)

    f.defvjp(fwd, bwd)
    return f


KINDS = {"custom_jvp": with_jvp, "custom_vjp": with_vjp}
POINTS = [X, -X, np.abs(X) / 10, X]


def ruled(x):
    """What the rules say of the gradient of ``sum(y)**2``."""
    return 2 * plain(x)["y"].sum() * (10.0 if x[1] > 0 else 100.0) * x


def loss(f):
    return lambda x: np.sum(f(x)["y"]) ** 2


@pytest.mark.parametrize("kind", KINDS)
def test_values(kind):
    f = at.jit(KINDS[kind]())
    for x in POINTS:
        out, expected = f(x), plain(x)
        same(out["y"], expected["y"], 1e-14)
        assert out["n"] == expected["n"]
    assert f.stats()["paths"] > 1
    assert "test_custom_paths" in f.explain(X)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_rules(kind):
    f = KINDS[kind]()
    ways = {
        "grad": at.grad(loss(f)),
        "jit of grad": at.jit(at.grad(loss(f))),
        "grad of jit": at.grad(at.jit(loss(f))),
        "jit of the function": at.grad(loss(at.jit(f))),
        "jit within jit": at.grad(at.jit(loss(at.jit(f)))),
        "jit of grad of jit": at.jit(at.grad(at.jit(loss(at.jit(f))))),
        "vjp": lambda x: at.vjp(at.jit(loss(f)), x)[1](1.0)[0],
        "jacrev": at.jacrev(at.jit(loss(f))),
    }
    for name, way in ways.items():
        for x in POINTS:
            np.testing.assert_allclose(way(x), ruled(x), rtol=1e-12, err_msg=name)


def test_forward_mode_and_second_derivatives():
    f = with_jvp()
    for g in (loss(f), at.jit(loss(f))):
        ahead = functools.partial(lambda g, x: at.jvp(g, (x,), (np.ones(3),))[1], g)
        for way in (ahead, at.jit(ahead)):
            for x in (X, -X):
                np.testing.assert_allclose(way(x), ruled(x).sum(), rtol=1e-12)
    for x in (X, -X):
        # By the rule, d sum(y) = factor * x: the Hessian that it gives is not symmetric.
        factor = 10.0 if x[1] > 0 else 100.0
        total = plain(x)["y"].sum()
        expected = 2 * factor**2 * np.outer(x, x) + 2 * total * factor * np.eye(3)
        for hessian in (at.hessian(loss(f)), at.hessian(at.jit(loss(f)))):
            np.testing.assert_allclose(hessian(x), expected, rtol=1e-12)


def newton(a):
    """A square root; the derivative does not go through the iteration."""
    x = a
    while abs(x * x - a) > 1e-12:
        x = 0.5 * (x + a / x)
    return x


def test_an_iteration():
    root = at.custom_jvp(newton)
    root.defjvp(lambda p, t: (root(*p), t[0] / (2 * root(*p))))
    f = at.jit(root)
    for a in (2.0, 30.0, 0.01, 2.0):
        assert np.isclose(f(a), np.sqrt(a), rtol=1e-10)
        assert np.isclose(at.grad(f)(a), 0.5 / np.sqrt(a), rtol=1e-10)
        assert np.isclose(at.grad(at.grad(f))(a), -0.25 * a**-1.5, rtol=1e-10)
        assert np.isclose(at.jit(at.grad(at.grad(root)))(a), -0.25 * a**-1.5, rtol=1e-10)
    assert f.stats()["paths"] > 1
    many = at.vmap(at.jit(lambda x, a: x * root(a)), (0, None))
    np.testing.assert_allclose(many(X, 2.0), X * np.sqrt(2.0), rtol=1e-10)
    slopes = at.vmap(at.grad(at.jit(lambda a, x: x * root(a))), (None, 0))
    np.testing.assert_allclose(slopes(2.0, X), X * 0.5 / np.sqrt(2.0), rtol=1e-10)


def test_only_the_rule_asks():
    @at.custom_jvp
    def f(x):
        return x * x

    f.defjvp(lambda p, t: (p[0] * p[0], t[0] * (3.0 if p[0] > 0 else 5.0)))
    for g in (at.grad(at.jit(f)), at.jit(at.grad(f)), at.jit(at.grad(at.jit(f)))):
        assert [g(1.0), g(-1.0), g(2.0)] == [3.0, 5.0, 3.0]
    assert at.jvp(at.jit(f), (-2.0,), (1.0,)) == (4.0, 5.0)
    with pytest.raises(at.ConcretizationError, match="test_custom_paths"):
        at.vmap(at.grad(at.jit(f)))(X)


def test_arguments_that_are_not_differentiated():
    @at.custom_vjp
    def f(x, y):
        return (x if y > 0 else -x) * y

    f.defvjp(lambda x, y: (f(x, y), y), lambda y, ct: (7.0 * ct, None))
    assert at.jit(f)(2.0, 3.0) == 6.0 and at.jit(f)(2.0, -3.0) == 6.0
    assert at.grad(at.jit(f), (0, 1))(2.0, -3.0) == (7.0, 0.0)

    def power(n, x):
        return x**n if x > 0 else -x

    g = at.custom_jvp(power, nondiff_argnums=0)
    g.defjvp(lambda n, p, t: (g(n, *p), n * t[0]))
    h = at.jit(lambda x: g(3, x) + g(2, x))
    assert h(2.0) == 12.0 and h(-2.0) == 4.0
    assert at.grad(h)(2.0) == 5.0 and at.jit(at.grad(h))(-2.0) == 5.0


def test_what_functions_do_inside():
    """Assignment, derivatives, jitted functions, loops, exceptions and other such functions."""
    half = at.custom_jvp(lambda x: x / 2 if x[0] > 0 else x / 4)
    half.defjvp(lambda p, t: (half(*p), 1000.0 * t[0]))
    inner = at.jit(lambda x: x * 2 if x[1] > 0 else x * 3)

    def body(x):
        y = np.zeros(3)
        y[:2] = half(x)[:2]
        if y[0] > 0.1:
            y[2] = at.grad(lambda z: np.sum(z**3))(x)[2]
        try:
            if np.sum(y) > 2.0:
                raise ValueError
            y = y + np.arange(3)
        except ValueError:
            y = inner(y)
        total, _ = at.lax.scan(lambda c, v: (c + v, None), 0.0, y)
        return y * total, x

    f = at.custom_jvp(body)
    f.defjvp(lambda p, t: (f(*p), (5.0 * t[0], 2.0 * t[0])))
    jitted = at.jit(f)
    for x in (X, -X, X / 10, np.array([0.5, 3.0, 0.1]), X):
        expected = body(x)
        same(jitted(x), expected, 1e-13)
        for g in (
            at.grad(lambda v: np.sum(jitted(v)[0])),
            at.jit(at.grad(lambda v: f(v)[0].sum())),
        ):
            np.testing.assert_allclose(g(x), np.full(3, 5.0))
        np.testing.assert_allclose(at.grad(lambda v: np.sum(jitted(v)[1]))(x), np.full(3, 2.0))


def test_nothing_else_traced_may_be_used():
    def function(c):
        @at.custom_jvp
        def f(x):
            return x * c if x > 0 else x

        f.defjvp(lambda p, t: (f(*p), t[0]))
        return f

    for run in (
        lambda: at.jit(lambda x, c: function(c)(x))(1.0, 2.0),
        lambda: at.grad(lambda c: at.jit(lambda x: function(c)(x))(1.0))(2.0),
        lambda: at.jit(at.grad(lambda c, x: function(c)(x)))(1.0, 2.0),
    ):
        with pytest.raises(at.NonDifferentiableError, match=r"(?s)outside.*as an argument"):
            run()
    assert at.jit(function(3.0))(2.0) == 6.0

    kept = []
    f = at.custom_jvp(lambda x: kept.append(x) or (x if x > 0 else -x))
    f.defjvp(lambda p, t: (f(*p), t[0]))
    at.jit(f)(1.0)
    for use in (lambda x: x + 1.0, float):
        with pytest.raises(at.LeakedTracerError):
            use(kept[0])


def test_questions_are_errors_where_there_are_no_values():
    f = with_jvp()
    for run in (
        lambda: at.make_jaxpr(f)(X),
        lambda: at.vmap(f)(np.stack([X, X])),
        lambda: at.jit(at.vmap(lambda x: f(x)["y"]))(np.stack([X, X])),
        lambda: at.lax.scan(lambda c, x: (c, f(x)["y"]), 0.0, np.stack([X, X])),
        lambda: at.checkpoint(f)(X),
    ):
        with pytest.raises(at.ConcretizationError, match="test_custom_paths"):
            run()


def test_loops_around_fold():
    """Calls of the same function with the same rule are the same in each turn."""

    def square(n, x):
        return x * x

    squared = at.custom_jvp(square, nondiff_argnums=0)
    squared.defjvp(lambda n, p, t: (squared(n, *p), n * p[0] * t[0]))
    half = at.custom_vjp(lambda x: x / 2)
    half.defvjp(lambda x: (half(x), None), lambda _, ct: (ct * 0.5,))

    def turns(step):
        def f(x):
            y, n = x, 0 * x
            while x > 1.0:
                x, n = step(x), n + 1.0
            return x + 0 * y, n

        return f

    for step, slope in (
        (half, 0.5),
        (lambda x: squared(2, np.sqrt(x)) / 2, 0.5),
        (lambda x: squared(6, np.sqrt(x)) / 2, 1.5),
    ):
        f = at.jit(turns(step))
        for x in (5.0, 3000.0, 40.0, 0.5):
            same(f(x), turns(lambda x: x / 2)(x), 1e-12)
        assert f.stats()["traces"] == 2  # the last takes no turn
        for x in (5.0, 40.0):
            n = turns(lambda x: x / 2)(x)[1]
            assert np.isclose(at.grad(lambda x, f=f: f(x)[0])(x), slope**n, rtol=1e-12)

    @at.custom_jvp
    def shrink(x):
        return x * 0.5 if x > 3 else x * 0.25

    shrink.defjvp(lambda p, t: (shrink(*p), t[0] * (7.0 if p[0] > 3 else 2.0)))
    f = at.jit(turns(shrink))
    for x, slope in ((50.0, 7.0**5 * 2), (5.0, 7.0 * 2), (900.0, 7.0**9 * 2), (50.0, 7.0**5 * 2)):
        same(f(x), turns(shrink)(x), 1e-12)
        assert np.isclose(at.grad(lambda x, f=f: f(x)[0])(x), slope)
        assert np.isclose(at.jit(at.grad(lambda x, f=f: f(x)[0]))(x), slope)
    assert f.stats()["traces"] < 4

    counts = iter(range(1, 9))
    f = at.jit(turns(lambda x: squared(next(counts), np.sqrt(x)) / 2))
    same(f(5.0), turns(lambda x: x / 2)(5.0), 1e-12)
    slope = at.grad(lambda x: f(x)[0])(5.0)
    assert np.isclose(slope, 1 * 2 * 3 / 4**3)  # each turn has a rule of its own


def test_programs_do_not_keep_arguments():
    """What a program keeps of a rule holds no value that was traced."""
    kept = []

    @at.custom_vjp
    def f(x):
        return x * 2.0

    f.defvjp(lambda x: (f(x), None), lambda _, ct: (ct,))
    g = at.custom_jvp(lambda x: x * 3.0)
    g.defjvp(lambda p, t: (g(*p), t[0]))

    def both(x):
        y = np.sin(x)
        kept.append(weakref.ref(y))
        return f(y) + g(y)

    jitted = at.jit(both)
    assert np.isclose(jitted(1.0), 5.0 * np.sin(1.0))
    gc.collect()
    assert kept[0]() is None
