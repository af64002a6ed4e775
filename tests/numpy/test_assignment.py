"""Assignment to traced arrays: values, dtypes and derivatives as NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from assignment_checks import X, agrees, elements, own
from numpy_checks import derives, leaves, same

import autotrace as at

# --- programs that NumPy users write -----------------------------------------------------------


def stencil(x):
    y = np.zeros((5, 6))
    y[0] = x
    for k in range(1, 5):
        y[k, 1:-1] = y[k - 1, 1:-1] + 0.1 * (y[k - 1, 2:] - 2 * y[k - 1, 1:-1] + y[k - 1, :-2])
    return y


def strided(x):
    y = np.ones((4, 6))
    y[1:-1, ::2] += x[:3]
    y[::-2, 1::2] *= x[3:]
    y[:, -1] = 2.0
    return y


def masked(x):
    y = np.full(6, 2.0)
    y[x > 0] = 5.0
    y[np.array([True, False, True, False, False, False])] += x[:2]
    return y * x


def fancy(x):
    y = np.zeros((3, 4))
    y[[0, 2], [1, 3]] = x[:2]
    y[[0, 0], [1, 1]] += 1.0
    np.add.at(y, ([0, 0, 1], [1, 1, 2]), x[3:])
    np.multiply.at(y, 0, x[0])
    np.maximum.at(y[2], [3], x[5])
    return y


def augmented(x):
    y = x.copy()
    alias = y
    y += 1.0
    y -= x[::-1]
    y *= x
    y /= 1.0 + x**2
    y **= 2
    y //= 0.125
    y %= 7.0
    y += x
    return alias


def rows(x):
    y = np.zeros((3, 4))
    for n, row in enumerate(y):
        row[:] = x[n] * np.arange(4.0)
        row[n] += 1.0
    for column in y.T:
        column[0] -= x[5]
    return y


def views(x):
    y = np.empty((2, 3, 2))
    y[...] = 0.0
    y.reshape(-1)[:6] = x
    y.T[0, 1] += x[0]
    y.swapaxes(0, 2)[1, 2] *= 2.0
    y[None, ::-1][0, 0, :, 0] = x[:3]
    flat = y.ravel()
    flat[::5] = x[1]
    left, right = np.split(y, 2)
    right[0] -= left[0]
    np.moveaxis(y, 0, -1)[0, 0] = 7.0
    return y, flat, left, right


def whole(x):
    y = np.zeros(6)
    y[...] = x
    z = y[:]
    z[:] = z[::-1]
    y[1:] += y[:-1]
    y[1:] = y[:-1]
    return y, z


def methods(x):
    y = np.array([x[0], x[1], x[2]])
    y.sort()
    z = np.zeros_like(x)
    z.fill(x[3])
    z.put([0, 3], x[4:])
    w = np.copy(x)
    w[2:].sort()
    w.partition(1)
    return y, z, np.sort(w)


def functions(x):
    y = np.zeros((3, 3))
    np.copyto(y, x[:3])
    np.copyto(y, x[3:], where=np.eye(3, dtype=bool))
    np.fill_diagonal(y[1:], x[0])
    z = np.zeros(6)
    np.put(z, [1, 4], x[:2])
    np.putmask(z, z == 0.0, x)
    np.place(z, np.arange(6) % 2 == 0, x[:2])
    w = np.zeros((2, 3))
    np.put_along_axis(w, np.array([[2], [0]]), np.array([[x[0]], [x[1]]]), 1)
    return y, z, w


def outs(x):
    y = np.zeros(6)
    np.add(x, 1.0, out=y)
    np.multiply(y, x, out=y[::1])
    np.sin(x[:3], out=y[3:])
    np.add(y, x, out=y, where=np.arange(6) > 3)
    z = np.zeros(2)
    np.sum(np.reshape(x, (2, 3)), axis=1, out=z)
    x.reshape(3, 2).max(axis=0, out=z[:2])
    w = np.zeros((2, 6))
    np.cumsum(x, out=w[0])
    np.stack([x, y], out=w)
    return y, z, w


def scalars(x):
    s = x[0]
    t = s
    s += x[1]
    total = 0.0
    for v in x:
        total += v * v
    cell = np.array(0.0)
    same_cell = cell
    cell += x[2]
    cell[...] = cell * 2.0
    return s, t, total, same_cell


def swapped(x):
    y = x.copy()
    y[0], y[1] = y[1], y[0]
    y[[2, 3]] = y[[3, 2]]
    return y


def integers(x):
    y = np.zeros(6, int)
    y[:] = 3.7 * x
    y[0] = x[1]
    z = np.zeros(6, np.float32)
    z += x
    return y, z


def linear_solve(x):
    a = np.eye(3) * 4.0
    a[0, 1:] = x[:2]
    a[1:, 0] = x[:2]
    b = np.zeros(3)
    b[:] = x[3:]
    for k in range(3):
        for i in range(k + 1, 3):
            factor = a[i, k] / a[k, k]
            a[i, k:] -= factor * a[k, k:]
            b[i] -= factor * b[k]
    out = np.empty_like(b)
    for k in (2, 1, 0):
        out[k] = (b[k] - np.dot(a[k, k + 1 :], out[k + 1 :])) / a[k, k]
    return out


def complex_parts(x):
    z = np.zeros(6, complex)
    z.real = x
    z.imag[1:] = x[:-1] ** 2
    z[0] += 1j * x[3]
    return z.real, z.imag, np.abs(z[1:])


SMOOTH = [
    elements,
    stencil,
    strided,
    fancy,
    rows,
    views,
    whole,
    methods,
    functions,
    outs,
    scalars,
    swapped,
    linear_solve,
    complex_parts,
]
ALL = [*SMOOTH, masked, augmented, integers]


@pytest.mark.parametrize("f", ALL, ids=lambda f: f.__name__)
def test_values(f):
    agrees(f, X)


@pytest.mark.parametrize("f", SMOOTH, ids=lambda f: f.__name__)
def test_derivatives(f):
    derives(f, X)

    def total(x):
        return sum(np.sum(np.sin(part)) for part in leaves(f(x)))

    gradient = at.grad(total)(X)
    for jitted in (at.jit(at.grad(total)), at.jit(at.grad(total), backend="numpy")):
        np.testing.assert_allclose(jitted(X), gradient, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(at.grad(at.jit(total))(X), gradient, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(at.jacfwd(total)(X), gradient, rtol=1e-12, atol=1e-13)
    stacked = np.stack([X, 2.0 * X])
    np.testing.assert_allclose(
        at.vmap(at.grad(total))(stacked),
        [at.grad(total)(row) for row in stacked],
        rtol=1e-12,
        atol=1e-12,
    )
    second = at.hessian(total)(X)
    step = 1e-6
    numeric = [
        (at.grad(total)(X + step * e) - at.grad(total)(X - step * e)) / (2 * step)
        for e in np.eye(X.size)
    ]
    np.testing.assert_allclose(second, numeric, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(at.jit(at.hessian(total))(X), second, rtol=1e-11, atol=1e-12)


# --- dtypes, shapes and errors -----------------------------------------------------------------


def test_dtypes():
    def f(x):
        a = np.zeros(3, np.float32)
        a[:] = x[:3]
        b = np.zeros(3, np.int8)
        b[1] = x[1] * 10.0
        c = np.zeros(3, complex)
        c[2] = x[2]
        d = np.zeros(3, bool)
        d[0] = x[0]
        e = np.arange(3)
        e[0] = 7
        e *= 2
        a += x[3]
        return a, b, c, d, e

    agrees(f, X)
    for name in ("int", "float32"):

        def g(x, name=name):
            y = np.ones(2, name)
            y += x
            return y

        if name == "int":
            for run in (at.jit(g), at.vmap(g), lambda x: at.jvp(g, (x,), (x,))):
                with pytest.raises(TypeError, match="same_kind"):
                    run(np.ones(2))
        else:
            agrees(g, np.ones(2))


def test_complex_into_real():
    def f(x):
        y = np.zeros(2)
        y[:] = x
        return y

    z = np.array([1.0 + 2j, 3.0])
    for run in (at.jit(f), lambda x: at.jvp(f, (x,), (x,))[0]):
        with pytest.warns(np.exceptions.ComplexWarning):
            np.testing.assert_array_equal(run(z), [1.0, 3.0])


def test_int_overflow_and_shapes():
    def overflow(x):
        y = np.zeros(3, np.uint8) + (x > 0)
        y[0] = 300
        return y

    def wide(x):
        y = np.zeros(2)
        y[:] = x
        return y

    def out(x):
        y = np.zeros(2)
        y += x[:, None]
        return y

    def index(x):
        y = np.zeros(2)
        y[5] = x[0]
        return y

    for f, error, words in (
        (overflow, OverflowError, "out of bounds"),
        (wide, ValueError, "could not broadcast"),
        (out, ValueError, "non-broadcastable output"),
        (index, IndexError, "out of bounds"),
    ):
        for run in (at.jit(f), lambda x, f=f: at.jvp(f, (x,), (x,))):
            with pytest.raises(error, match=words):
                run(np.ones(3))


# --- positions ----------------------------------------------------------------------------------


def test_traced_positions():
    def f(x, i):
        y = np.zeros((3, 4))
        row = y[i]
        row[:] = x[:4]
        y[i, 1] += x[4]
        y[:, i] *= 2.0
        y[i - 1] = row[::-1]
        return y, row

    expected = own(f, X, 1)
    same(at.jit(f)(X, 1), expected, 1e-13)
    same(at.jvp(lambda x: f(x, 1), (X,), (X,))[0], expected, 1e-13)
    mapped = at.vmap(f, in_axes=(None, 0))(X, np.array([2, 1]))
    same([y[1] for y in mapped], expected, 1e-13)
    derives(lambda x: at.jit(f)(x, 1), X)


def test_masks_of_traced_values_under_jit():
    def f(x):
        y = x.copy()
        y[x > 0.2] = 0.0
        y[y < -0.5] = -1.0
        return y

    same(at.jit(f)(X), own(f, X))
    agrees(f, X)


# --- in functions that others call --------------------------------------------------------------


def test_custom_rules_may_assign():
    @at.custom_jvp
    def cube(x):
        y = np.zeros_like(x)
        y[:] = x**3
        return y

    @cube.defjvp
    def cube_jvp(primals, tangents):
        (x,), (t,) = primals, tangents
        y, s = np.empty_like(x), np.zeros_like(t)
        y[:] = x**3
        s += 3 * x**2 * t
        t[:] = 0.0
        x[:] = 0.0  # both are copies, whatever they are
        return y, s

    @at.custom_vjp
    def square(x):
        return x * x

    def fwd(x):
        kept = np.zeros_like(x)
        kept[:] = x
        return x * x, kept

    def bwd(kept, ct):
        out = np.zeros_like(ct)
        out[:] = 2 * kept * ct
        ct[:] = 0.0
        return (out,)

    square.defvjp(fwd, bwd)
    x = X.copy()
    np.testing.assert_allclose(at.grad(lambda v: np.sum(cube(v)))(x), 3 * X**2)
    np.testing.assert_allclose(at.jit(at.grad(lambda v: np.sum(cube(v))))(x), 3 * X**2)
    np.testing.assert_allclose(at.grad(lambda v: np.sum(square(v)))(x), 2 * X)
    np.testing.assert_allclose(at.jit(at.grad(lambda v: np.sum(square(v))))(x), 2 * X)
    np.testing.assert_array_equal(x, X)


def test_control_flow_bodies_may_assign():
    def f(x):
        def body(y, k):
            y[k] = y[k] + y[k - 1] * x[k]
            return y, y[k]

        out, seen = at.lax.scan(body, x * 1.0, np.arange(1, 6))
        return out, seen

    def plainly(x):
        y, seen = x * 1.0, []
        for k in range(1, 6):
            y[k] = y[k] + y[k - 1] * x[k]
            seen.append(y[k])
        return y, np.stack(seen)

    expected = own(plainly, X)
    same(at.jit(f)(X), expected, 1e-13)
    derives(at.jit(f), X)
    agrees(plainly, X)
