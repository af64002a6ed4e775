"""Assignment to traced arrays: values, views and derivatives as NumPy's."""

from __future__ import annotations

import operator
import pickle
import threading
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy_checks import derives, leaves, same

import autotrace as at
import autotrace.numpy as anp
from autotrace.transforms.held import HeldTracer

RNG = np.random.default_rng(7)
X = RNG.standard_normal(6)
M = RNG.standard_normal((3, 4))

# --- programs that NumPy users write -----------------------------------------------------------


def elements(x):
    y = np.zeros(4)
    y[0] = x[0]
    y[1] = y[0] * x[1]
    y[2:] = x[2:4]
    y[-1] += 3.0 * x[5]
    return y


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


def own(f, *args):
    """A function's results on copies of the arguments, as arrays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [np.array(x) for x in leaves(f(*[np.array(a) for a in args]))]


def agrees(f, x, rtol=1e-13):
    """The same values traced in every way as on plain arrays, and the argument untouched."""
    expected, before = own(f, x), x.copy()
    runs = {
        "jit": lambda: at.jit(f)(x),
        "numpy": lambda: at.jit(f, backend="numpy")(x),
        "jvp": lambda: at.jvp(f, (x,), (np.ones_like(x),))[0],
        "vjp": lambda: at.vjp(f, x)[0],
        "jit of jvp": lambda: at.jit(lambda a: at.jvp(f, (a,), (a,))[0])(x),
        "vmap": lambda: [y[1] for y in leaves(at.vmap(f)(np.stack([x + 1.0, x])))],
        "jit of vmap": lambda: [y[0] for y in leaves(at.jit(at.vmap(f))(np.stack([x, x])))],
    }
    for name, run in runs.items():
        try:
            out = run()
        except at.ConcretizationError:
            assert name not in ("jvp", "vjp"), name
            continue
        same(out, expected, rtol)
        for part in leaves(out):
            assert type(part) is not HeldTracer and isinstance(part, np.ndarray | np.generic)
        np.testing.assert_array_equal(x, before)


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


# --- random programs ---------------------------------------------------------------------------

_AUGMENTED = (operator.iadd, operator.isub, operator.imul)


def basic_index(shape, a, b):
    """An index made of integers and slices that is right for a shape."""
    if not shape:
        return ...
    n = shape[0]
    kind = a % 6
    if kind == 0:
        first = b % n
    elif kind == 1:
        first = slice(b % n, None)
    elif kind == 2:
        first = slice(None, None, -1)
    elif kind == 3:
        first = slice(b % n, None, 2)
    elif kind == 4:
        return (..., slice(0, 1 + b % shape[-1]))
    else:
        return (None, slice(None), *basic_index_tail(shape, b))
    return (first, *basic_index_tail(shape, b // 2))


def basic_index_tail(shape, b):
    return (slice(b % shape[1], None),) if len(shape) > 1 and b % 3 == 0 else ()


def run(program, x):
    """Run a program of assignments on what NumPy calls give, and return all arrays."""
    arrays = [x.copy(), np.zeros((3, 4)), np.ones(4), np.array([[1.0, 2.0], [3.0, 4.0]])]
    for op, a, b, c in program:
        target, other = arrays[a % len(arrays)], arrays[b % len(arrays)]
        shape = np.shape(target)
        if op == "view":
            made = target[basic_index(shape, b, c)]
        elif op == "transform":
            kind = b % 8
            if kind == 0:
                made = target.T
            elif kind == 1:
                made = target.reshape(-1)
            elif kind == 2:
                made = target.ravel()
            elif kind == 3:
                made = np.flip(target)
            elif kind == 4:
                made = np.expand_dims(target, 0)
            elif kind == 5:
                made = np.squeeze(target)
            elif kind == 6:
                made = np.atleast_2d(target)
            else:
                made = np.array_split(target, 2)[c % 2] if shape else target
        elif op == "copy":
            made = target.copy() if b % 2 else target.copy(order="F")
        elif op == "set":
            target[basic_index(shape, b, c)] = float(c) - 2.0
            continue
        elif op == "set scaled":
            index = basic_index(shape, b, c)
            target[index] = target[index] * 0.5 + x[0, 0]
            continue
        elif op == "set other":
            index = basic_index(shape, c, b)
            part = target[index]
            try:
                np.broadcast_shapes(np.shape(other), np.shape(part))
                fits = np.broadcast_shapes(np.shape(other), np.shape(part)) == np.shape(part)
            except ValueError:
                fits = False
            if fits:
                target[index] = other
            continue
        elif op == "augmented":
            index = basic_index(shape, b, c)
            target[index] = _AUGMENTED[c % 3](target[index], x[1, 1])
            continue
        elif op == "augmented whole":
            target = _AUGMENTED[b % 3](target, 0.5)
            continue
        elif op == "fancy" and shape:
            places = [b % shape[0], c % shape[0]]
            target[places] = x[2, 1]
            target[places] += 1.0
            continue
        elif op == "rows" and shape:
            for n, row in enumerate(target):
                if np.ndim(row):
                    row[:] = row * (n + 1.0)
            continue
        else:
            continue
        if np.ndim(made) and np.size(made) and np.ndim(made) < 4:
            arrays.append(made)
    return arrays


OPS = (
    "view",
    "transform",
    "copy",
    "set",
    "set scaled",
    "set other",
    "augmented",
    "augmented whole",
    "fancy",
    "rows",
)
numbers = st.integers(0, 11)
programs = st.lists(st.tuples(st.sampled_from(OPS), numbers, numbers, numbers), max_size=12)


@settings(max_examples=150, deadline=None)
@given(programs)
def test_random_programs(program):
    def f(x):
        return run(program, x)

    x = M.copy()
    expected = own(f, x)
    value, tangent = at.jvp(f, (x,), (np.cos(M),))
    same(value, expected, 1e-12)
    same(at.jit(f, backend="numpy")(x), expected, 1e-12)
    np.testing.assert_array_equal(x, M)
    outs = at.vmap(f)(np.stack([x, x]))
    same([np.asarray(y)[1] for y in outs], expected, 1e-12)
    # The programs are polynomials of low degree in x: differences are exact enough.
    step = 1e-6
    ahead, behind = own(f, M + step * np.cos(M)), own(f, M - step * np.cos(M))
    for t, p, q in zip(tangent, ahead, behind, strict=True):
        scale = 1.0 + np.abs(p).max()
        np.testing.assert_allclose(t / scale, (p - q) / (2 * step) / scale, rtol=1e-5, atol=1e-5)
    _, pull = at.vjp(f, x)
    weights = [np.sin(np.arange(float(np.size(y)))).reshape(np.shape(y)) for y in expected]
    (gradient,) = pull(weights)
    forward = sum(np.vdot(w, t) for w, t in zip(weights, tangent, strict=True))
    np.testing.assert_allclose(np.vdot(gradient, np.cos(M)), forward, rtol=1e-9, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(programs)
def test_random_programs_compiled(program):
    def f(x):
        return run(program, x)

    same(at.jit(f)(M.copy()), own(f, M), 1e-12)
