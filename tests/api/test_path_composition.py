"""Functions that ask for values, under other transforms and within each other."""

import math

import numpy as np
import pytest
import scipy.optimize
from path_checks import same, traces

import autotrace as at
from autotrace import grad, jit, jvp, value_and_grad, vmap

pytestmark = pytest.mark.usefixtures("backend")


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
            assert (
                "test_path_composition.py" in text
                and "x if x > 0 else -x" in text
                and "np.where" in text
            )
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
