"""custom_root and custom_linear_solve: derivatives against closed forms and NumPy's solver."""

from __future__ import annotations

import numpy as np
import pytest

import autotrace as at
from autotrace import lax

RNG = np.random.default_rng(5)
SIZE = 4


def spread(seed):
    a = np.random.default_rng(seed).standard_normal((SIZE, SIZE))
    return a + 3 * np.eye(SIZE)


A = spread(1)
SYMMETRIC = A @ A.T
B = RNG.standard_normal(SIZE)


def close(got, want, tolerance=1e-10):
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def cg(matvec, b):
    """Conjugate gradients (Hestenes and Stiefel 1952)."""

    def step(state):
        x, r, p, count = state
        ap = matvec(p)
        size = r @ r
        x = x + size / (p @ ap) * p
        rest = r - size / (p @ ap) * ap
        return x, rest, rest + (rest @ rest) / size * p, count + 1

    def unfinished(state):
        return (state[1] @ state[1] > 1e-26) & (state[3] < 60)

    return lax.while_loop(unfinished, step, (0 * b, b, b, 0))[0]


def cgnr(matvec, b):
    """The same on the normal equations: for any matrix, here by its columns."""
    columns = at.vmap(matvec, in_axes=1, out_axes=1)(np.eye(SIZE))
    return cg(lambda x: columns.T @ (columns @ x), columns.T @ b)


def solve_symmetric(a, b):
    return lax.custom_linear_solve(lambda x: a @ x, b, cg, symmetric=True)


def solve(a, b):
    return lax.custom_linear_solve(lambda x: a @ x, b, cgnr, transpose_solve=cgnr)


def newton(f, x):
    slope = at.grad(f)
    return lax.fori_loop(0, 12, lambda _, x: x - f(x) / slope(x), x)


def bisection(f, _):
    def step(bounds):
        low, high = bounds
        middle = (low + high) / 2
        above = f(middle) > 0
        return lax.cond(above, lambda: (low, middle), lambda: (middle, high))

    low, high = lax.while_loop(lambda b: b[1] - b[0] > 1e-13, step, (0.0, 20.0))
    return (low + high) / 2


def by_slope(g, y):
    return y / g(1.0)


def cube_root(a, solve=newton):
    return lax.custom_root(lambda x: x**3 - a, 1.0, solve, by_slope)


# --- custom_linear_solve -------------------------------------------------------------------------


@pytest.mark.parametrize("f, a", [(solve_symmetric, SYMMETRIC), (solve, A)])
def test_linear_solve_and_its_derivatives(f, a):
    x, inverse = np.linalg.solve(a, B), np.linalg.inv(a)
    close(f(a, B), x)
    close(at.jit(f)(a, B), x)
    for transform in (lambda g: g, at.jit):
        close(transform(at.jacfwd(f, 1))(a, B), inverse)
        close(transform(at.jacrev(f, 1))(a, B), inverse)
        want = -np.einsum("ij,k->ijk", inverse, x)
        close(transform(at.jacfwd(f, 0))(a, B), want, 1e-8)
        close(transform(at.jacrev(f, 0))(a, B), want, 1e-8)


@pytest.mark.parametrize("f, a", [(solve_symmetric, SYMMETRIC), (solve, A)])
def test_linear_solve_second_order(f, a):
    def direct(s):
        return np.sum(np.sin(np.linalg.inv(a * s) @ B))

    def g(s):
        return np.sum(np.sin(f(a * s, B)))

    h = 1e-3
    second = (
        -direct(1 + 2 * h) + 16 * direct(1 + h) - 30 * direct(1) + 16 * direct(1 - h)
        - direct(1 - 2 * h)
    ) / (12 * h * h)  # fmt: skip
    kinds = {"grad": at.grad, "forward": lambda g: lambda x: at.jvp(g, (x,), (1.0,))[1]}
    for outer in kinds.values():
        for inner in kinds.values():
            close(outer(inner(g))(1.0), second, 1e-6)
            close(at.jit(outer(inner(g)))(1.0), second, 1e-6)
    third = at.grad(at.grad(at.grad(g)))
    close(third(1.0), (at.grad(at.grad(g))(1 + h) - at.grad(at.grad(g))(1 - h)) / (2 * h), 1e-4)


def test_linear_solve_batched():
    many_a = np.stack([spread(i) for i in range(3)])
    many_b = RNG.standard_normal((3, SIZE))
    want = np.stack([np.linalg.solve(a, b) for a, b in zip(many_a, many_b, strict=True)])
    close(at.vmap(solve)(many_a, many_b), want)
    close(at.vmap(solve, (None, 0))(A, many_b), np.linalg.solve(A, many_b.T).T)
    close(at.vmap(solve, (0, None))(many_a, B), np.linalg.solve(many_a, B))
    close(at.jit(at.vmap(solve, (0, 1)))(many_a, many_b.T), want)

    def loss(a, b):
        return np.sum(solve(a, b) ** 2)

    got = at.vmap(at.grad(loss, (0, 1)))(many_a, many_b)
    for i in range(3):
        for x, y in zip(got, at.grad(loss, (0, 1))(many_a[i], many_b[i]), strict=True):
            close(x[i], y, 1e-8)
    total = at.grad(lambda a: np.sum(at.vmap(solve, (None, 0))(a, many_b) ** 2))(A)
    close(total, sum(at.grad(loss)(A, b) for b in many_b), 1e-8)


def test_linear_solve_batched_in_part():
    """An unknown that the batched constant reaches only through the transpose."""

    def f(c, b):
        matvec = lambda x: {"p": x["p"] + c * x["q"], "q": x["q"]}  # noqa: E731
        forwards = lambda _, b: {"p": b["p"] - c * b["q"], "q": b["q"]}  # noqa: E731
        backwards = lambda _, b: {"p": b["p"], "q": b["q"] - c * b["p"]}  # noqa: E731
        return lax.custom_linear_solve(matvec, b, forwards, backwards)

    b = {"p": 2.0, "q": 3.0}
    cs = np.array([1.0, 2.0, 4.0])
    close(at.vmap(f, (0, None))(cs, b)["p"], 2 - 3 * cs)
    got = at.grad(lambda b: np.sum(at.vmap(f, (0, None))(cs, b)["p"] ** 2))(b)
    close(got["p"], np.sum(2 * (2 - 3 * cs)))
    close(got["q"], np.sum(-2 * cs * (2 - 3 * cs)))


def test_linear_solve_of_a_tree_with_aux():
    def solver(matvec, b):
        return {"x": (b["x"][0] / 2.0,), "y": b["y"] / 3.0}, (matvec(b)["y"], 7)

    def f(scale, b):
        matvec = lambda v: {"x": (2.0 * v["x"][0] * scale,), "y": 3.0 * v["y"] * scale}  # noqa: E731
        scaled = lambda mv, b: solver(mv, at.tree.map(lambda v: v / scale, b))  # noqa: E731
        return lax.custom_linear_solve(matvec, b, scaled, scaled, has_aux=True)

    b = {"x": (np.arange(3.0),), "y": 6.0}
    for g in (f, at.jit(f)):
        x, (aux, number) = g(1.0, b)
        close(x["x"][0], np.arange(3.0) / 2)
        assert (x["y"], aux, number) == (2.0, 18.0, 7)
    slope, (aux, _) = at.grad(lambda s: (lambda r: (r[0]["y"] ** 2, r[1]))(f(s, b)), has_aux=True)(
        1.0
    )
    close(slope, -8.0)
    assert aux == 18.0
    _, tangents = at.jvp(f, (1.0, b), (0.0, at.tree.map(np.ones_like, b)))
    close(tangents[0]["y"], 1 / 3)
    close(tangents[1][0], 0.0)
    close(at.grad(lambda b: f(1.0, b)[0]["y"])(b)["x"][0], np.zeros(3))


def test_linear_solve_in_float32_and_complex():
    single = solve_symmetric(SYMMETRIC.astype("f4"), B.astype("f4"))
    assert single.dtype == np.float32
    d = np.array([1 + 2j, 3 - 1j])

    def f(b, backwards=True):
        by = lambda _, b: b / d  # noqa: E731
        return lax.custom_linear_solve(lambda x: d * x, b, by, by if backwards else None)

    b = np.array([2 - 1j, 1j])
    close(f(b), b / d)
    ct = np.array([1j, 2.0 + 1j])
    close(at.vjp(f, b)[1](ct)[0], ct / d)


def test_linear_solve_sees_constants_and_calls():
    def f(b):
        given = lambda _, b: at.pure_callback(  # noqa: E731
            lambda b: np.linalg.solve(SYMMETRIC, b), at.ShapeDtypeStruct((SIZE,), "f8"), b
        )
        return lax.custom_linear_solve(lambda x: SYMMETRIC @ x, b, given, symmetric=True)

    inverse = np.linalg.inv(SYMMETRIC)
    close(at.jit(at.jacrev(f))(B), inverse)
    close(at.jacfwd(f)(B), inverse)


def test_linear_solve_within_loops_and_branches():
    inverse = np.linalg.inv(A)

    def f(a, b):
        turn = lambda c, _: (lax.cond(c[0] > 1e9, lambda: c, lambda: solve(a, c)), None)  # noqa: E731
        return lax.scan(turn, b, None, 2)[0]

    def g(a, b):
        return lax.while_loop(lambda s: s[1] < 2, lambda s: (solve(a, s[0]), s[1] + 1), (b, 0))[0]

    for h in (f, g):
        close(h(A, B), inverse @ inverse @ B)
        close(at.jit(at.jacrev(h, 1))(A, B), inverse @ inverse)
        close(at.jacfwd(h, 1)(A, B), inverse @ inverse)
        forward, backward = at.jacfwd(h)(A, B), at.jacrev(h)(A, B)
        close(forward, backward, 1e-8)


def test_linear_solve_without_transpose():
    f = lambda a, b: lax.custom_linear_solve(lambda x: a @ x, b, cgnr)  # noqa: E731
    close(at.jacfwd(f, 1)(A, B), np.linalg.inv(A))
    with pytest.raises(at.NonDifferentiableError, match=r"transpose_solve=.*symmetric=True") as e:
        at.grad(lambda b: np.sum(f(A, b)))(B)
    assert "test_implicit.py" in str(e.value)
    # What has no derivative needs no transpose.
    close(at.grad(lambda b: b[0] + at.stop_gradient(f(A, b))[0])(B), np.eye(SIZE)[0])


def test_linear_solve_errors():
    identity = lambda x: x  # noqa: E731
    with pytest.raises(TypeError, match=r"matvec returns differ in type: f64\[4\] and f64\[\]"):
        lax.custom_linear_solve(lambda x: x[0], B, lambda mv, b: b)
    with pytest.raises(TypeError, match="solution that halved returns differ in structure") as e:

        def halved(mv, b):
            return b / 2, 1

        lax.custom_linear_solve(identity, B, halved)
    assert "has_aux=True" in str(e.value) and "test_implicit.py" in str(e.value)
    with pytest.raises(TypeError, match=r"returns differ in type: f64\[4\] and f32\[4\]"):
        lax.custom_linear_solve(identity, B, lambda mv, b: b.astype("f4"))
    with pytest.raises(TypeError, match="must return a pair"):
        lax.custom_linear_solve(identity, B, lambda mv, b: b, has_aux=True)
    with pytest.raises(TypeError, match=r"vecmat.* f64\[4\] and f64\[3\]"):
        lax.custom_linear_solve(identity, B, lambda mv, b: b, lambda vm, b: vm(b[:3]))
    with pytest.raises(TypeError, match="takes a function, got 3"):
        lax.custom_linear_solve(identity, B, 3)
    with pytest.raises(TypeError, match="takes a function, got 3"):
        lax.custom_linear_solve(3, B, lambda mv, b: b)


def test_linear_solve_of_nothing():
    twice, half = (
        lambda x: at.tree.map(lambda v: 2 * v, x),
        lambda _, b: at.tree.map(lambda v: v / 2, b),
    )
    f = lambda b: lax.custom_linear_solve(twice, b, half, symmetric=True)  # noqa: E731
    assert f(np.zeros(0)).shape == (0,)
    assert at.jacrev(f)(np.zeros((0, 2))).shape == (0, 2, 0, 2)
    assert at.vmap(f)(np.zeros((0, 3))).shape == (0, 3)
    assert f(()) == ()


# --- custom_root ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [newton, bisection])
def test_root_and_its_derivatives(method):
    f = lambda a: cube_root(a, method)  # noqa: E731
    a = 5.0
    want = [a ** (1 / 3), a ** (-2 / 3) / 3, -2 / 9 * a ** (-5 / 3), 10 / 27 * a ** (-8 / 3)]
    forward = lambda g: lambda x: at.jvp(g, (x,), (1.0,))[1]  # noqa: E731
    close(f(a), want[0])
    close(at.jit(f)(a), want[0])
    for first in (at.grad, forward):
        close(first(f)(a), want[1])
        close(at.jit(first(f))(a), want[1])
        for second in (at.grad, forward):
            close(second(first(f))(a), want[2])
            close(at.jit(second(first(f)))(a), want[2])
    close(at.grad(at.grad(at.grad(f)))(a), want[3])


@pytest.mark.parametrize("method", [newton, bisection])
def test_root_batched(method):
    f = lambda a: cube_root(a, method)  # noqa: E731
    many = np.array([1.0, 8.0, 27.0, 0.125])
    for transform in (lambda g: g, at.jit):
        close(transform(at.vmap(f))(many), np.cbrt(many))
        close(transform(at.vmap(at.grad(f)))(many), np.cbrt(many) ** -2 / 3)
        close(transform(at.grad(lambda m: np.sum(at.vmap(f)(m))))(many), np.cbrt(many) ** -2 / 3)
        close(transform(at.vmap(at.grad(at.grad(f))))(many), -2 / 9 * np.cbrt(many) ** -5)


def test_root_does_not_depend_on_the_guess():
    f = lambda a, guess: lax.custom_root(lambda x: x**3 - a, guess, newton, by_slope)  # noqa: E731
    close(at.grad(f, (0, 1))(5.0, 2.0), (5 ** (-2 / 3) / 3, 0.0))
    close(at.jvp(f, (5.0, 2.0), (0.0, 1.0))[1], 0.0)
    close(at.vmap(f, (None, 0))(5.0, np.array([1.0, 2.0, 3.0])), [np.cbrt(5.0)] * 3)


def system(p, x):
    """Two equations with the root x = p, y = 2 p + 1, for a tree."""
    return {"x": x["x"] ** 3 + x["x"] - p**3 - p, "y": x["y"] - 2 * x["x"] - 1}


def dense(g, y):
    """Solve by the matrix of a linear function of a pair of numbers."""
    one, zero = np.ones_like(y["x"]), np.zeros_like(y["x"])
    first, second = g({"x": one, "y": zero}), g({"x": zero, "y": one})
    determinant = first["x"] * second["y"] - second["x"] * first["y"]
    return {
        "x": (second["y"] * y["x"] - second["x"] * y["y"]) / determinant,
        "y": (first["x"] * y["y"] - first["y"] * y["x"]) / determinant,
    }


def newton_for_trees(f, guess):
    def step(_, x):
        value, slope = at.linearize(f, x)
        return at.tree.map(lambda a, b: a - b, x, dense(slope, value))

    return lax.fori_loop(0, 15, step, guess)


@pytest.mark.parametrize("transform", [lambda g: g, at.jit])
def test_root_of_a_tree_with_aux(transform):
    def f(p):
        solver = lambda f, guess: (newton_for_trees(f, guess), {"turns": 15, "p": p})  # noqa: E731
        return lax.custom_root(
            lambda x: system(p, x), {"x": 0.1, "y": 0.2}, solver, dense, has_aux=True
        )

    g = transform(f)
    root, aux = g(0.7)
    close([root["x"], root["y"]], [0.7, 2.4])
    assert aux["turns"] == 15 and aux["p"] == 0.7
    _, (tangents, aux_tangents) = at.jvp(g, (0.7,), (1.0,))
    close([tangents["x"], tangents["y"]], [1.0, 2.0])
    assert aux_tangents["p"] == 0.0
    close(at.grad(lambda p: g(p)[0]["x"] * g(p)[0]["y"])(0.7), 4 * 0.7 + 1)
    close(at.grad(at.grad(lambda p: g(p)[0]["x"] * g(p)[0]["y"]))(0.7), 4.0, 1e-8)
    close(at.vmap(lambda p: g(p)[0]["y"])(np.array([0.2, 0.7])), [1.4, 2.4])
    _, many = at.vmap(g)(np.array([0.2, 0.7]))
    np.testing.assert_array_equal(many["turns"], [15, 15])
    np.testing.assert_array_equal(many["p"], [0.2, 0.7])


def test_root_whose_tangents_are_solved_by_iteration():
    """custom_linear_solve within custom_root: reverse mode transposes the former."""

    def f(a, b):
        by_cg = lambda g, y: lax.custom_linear_solve(g, y, cg, symmetric=True)  # noqa: E731
        return lax.custom_root(
            lambda x: a @ x + x**3 - b,
            np.zeros(SIZE),
            lambda f, x: lax.fori_loop(
                0, 30, lambda _, x: x - np.linalg.inv(SYMMETRIC) @ f(x) * 0.9, x
            ),
            by_cg,
        )

    a = SYMMETRIC + 5 * np.eye(SIZE)
    x = f(a, 0.1 * B)
    slope = np.linalg.inv(a + np.diag(3 * x**2))
    close(at.jacrev(f, 1)(a, 0.1 * B), slope, 1e-8)
    close(at.jacfwd(f, 1)(a, 0.1 * B), slope, 1e-8)
    close(at.jit(at.jacrev(f))(a, 0.1 * B), -np.einsum("ij,k->ijk", slope, x), 1e-8)


def test_root_with_a_loop_that_cannot_be_transposed():
    def f(a):
        def tangent_solve(g, y):
            return cg(lambda x: g(x), y)

        x = lax.custom_root(
            lambda x: x * x - a, np.ones(2), lambda f, x: np.sqrt(a) + 0 * x, tangent_solve
        )
        return np.sum(x)

    close(at.jvp(f, (np.array([4.0, 9.0]),), (np.ones(2),))[1], 1 / 4 + 1 / 6)
    with pytest.raises(at.NonDifferentiableError, match="custom_linear_solve"):
        at.grad(f)(np.array([4.0, 9.0]))


def test_root_within_loops_and_branches():
    def f(a):
        turn = lambda c, x: (c + lax.cond(x > 0, cube_root, lambda x: -x, x), c)  # noqa: E731
        return lax.scan(turn, 0.0, a)[0]

    a = np.array([8.0, -2.0, 27.0])
    close(f(a), 7.0)
    close(at.grad(f)(a), [1 / 12, -1.0, 1 / 27])
    close(at.jit(at.grad(f))(a), [1 / 12, -1.0, 1 / 27])

    def g(a):
        return lax.while_loop(lambda s: s[1] < 2, lambda s: (cube_root(s[0]), s[1] + 1), (a, 0))[0]

    close(at.grad(g)(5.0), 5 ** (-8 / 9) / 9)
    close(at.vmap(at.jit(at.grad(g)))(np.array([5.0, 2.0])), np.array([5.0, 2.0]) ** (-8 / 9) / 9)


def test_root_in_float32():
    f = lambda a: lax.custom_root(lambda x: x * x - a, np.float32(1), newton, by_slope)  # noqa: E731
    assert f(np.float32(4)).dtype == np.float32
    slope = at.grad(f)(np.float32(4))
    assert slope.dtype == np.float32 and slope == np.float32(0.25)


def test_root_errors():
    with pytest.raises(TypeError, match=r"initial_guess\['n'\] must be floating, got i64") as e:
        lax.custom_root(lambda x: x, {"n": 1}, newton, by_slope)
    assert "has_aux" in str(e.value)
    with pytest.raises(TypeError, match="what f returns differ in structure"):
        lax.custom_root(lambda x: (x, x), 1.0, newton, by_slope)
    with pytest.raises(TypeError, match=r"solution that wide returns .*f64\[\] and f64\[2\]"):

        def wide(f, x):
            return np.ones(2) * x

        lax.custom_root(lambda x: x, 1.0, wide, by_slope)
    with pytest.raises(TypeError, match="solution that pair returns differ in structure"):

        def pair(g, y):
            return y, y

        lax.custom_root(lambda x: x, 1.0, newton, pair)
    with pytest.raises(TypeError, match=r"custom_root: g: .*f64\[\] and f64\[2\]"):
        lax.custom_root(lambda x: x, 1.0, newton, lambda g, y: y / g(np.ones(2))[0])
    with pytest.raises(TypeError, match="takes a function, got None"):
        lax.custom_root(lambda x: x, 1.0, newton, None)
