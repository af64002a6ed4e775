"""Assignment to traced arrays: values, views and derivatives as NumPy's."""

from __future__ import annotations

import operator
import pickle
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
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
        given = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        return [np.array(x) for x in leaves(f(*given))]


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


# --- aliasing ----------------------------------------------------------------------------------


def test_residuals_do_not_change():
    """What an earlier operation has kept is not touched by later assignment."""

    def f(x):
        c = np.ones(6)
        y = x * c
        c[:] = 5.0
        z = x * c
        c += x
        mask = x > 0
        w = np.where(mask, x, 0.0)
        mask[:] = False
        c[0] = 7.0
        return y, z, c, w, np.where(mask, x, 1.0)

    agrees(f, X)
    derives(f, X)


def test_a_trace_further_out_is_not_changed_by_an_inner_ones_arguments():
    def inner(y, x):
        y[0] = 3.0 * x[1]
        return np.sum(y * y * x)

    def f(x):
        y = x * 2.0
        before = y.copy()
        g = at.grad(inner)(y, x)
        h = at.jit(inner)(y, x)
        k = at.jvp(inner, (y, x), (x, y))[1]
        return y - before, g * h, k

    agrees(f, X)
    derives(f, X)


def test_values_kept_by_inner_transforms_do_not_change():
    def f(x):
        y = x * 2.0
        value, pull = at.vjp(lambda a: a * y, x)
        y[:] = 0.0
        value[0] = 9.0
        (a,) = pull(np.ones(6))
        z = x * 3.0
        _, ahead = at.linearize(lambda a: np.sin(a) * z, x)
        z *= 0.0
        return y, value, a, ahead(np.ones(6))

    value = 2.0 * X * X
    value[0] = 9.0
    expected = [np.zeros(6), value, 2.0 * X, np.cos(X) * 3.0 * X]
    for run in (at.jit(f), lambda x: at.jvp(f, (x,), (x,))[0], lambda x: at.vjp(f, x)[0]):
        same(run(X), expected, 1e-13)


def test_results_share_nothing():
    def f(x):
        y = x * 1.0
        return y, y, y[:3], x

    for run in (at.jit(f), lambda x: at.jvp(f, (x,), (x,))[0], lambda x: at.vjp(f, x)[0]):
        outs = run(X.copy())
        outs[0][:] = 0.0
        np.testing.assert_array_equal(outs[1], X)
        np.testing.assert_array_equal(outs[2], X[:3])
        np.testing.assert_array_equal(outs[3], X)

    def g(x):
        y, z = at.value_and_grad(lambda a: np.sum(a * a))(x)
        z[0] = y
        return z, at.stop_gradient(x)

    agrees(lambda x: (x * 1.0, x[:3] * 2.0), X)
    v, (z, s) = X.copy(), at.jvp(g, (X.copy(),), (X,))[0]
    s[0] = 100.0
    np.testing.assert_array_equal(v, X)
    assert z[0] == np.sum(X * X)


def test_functions_that_may_return_their_argument_give_arrays_of_their_own():
    unchanged = [
        lambda x: +x,
        lambda x: x.copy(),
        lambda x: np.copy(x),
        lambda x: np.array(x),
        lambda x: x.astype(float),
        lambda x: np.positive(x),
        lambda x: np.conjugate(x),
        lambda x: np.concatenate([x]),
        lambda x: np.tile(x, 1),
        lambda x: np.repeat(x, 1),
        lambda x: np.roll(x, 0),
        lambda x: np.pad(x, 0),
        lambda x: np.clip(x, None, np.inf),
        lambda x: x.flatten(),
        lambda x: np.nan_to_num(x),
        lambda x: x[np.arange(6)],
        lambda x: np.sort(x) * 0.0 + x,
        lambda x: np.cumsum(x)[:0].sum() + x,
    ]
    for function in unchanged:

        def f(x, function=function):
            y = function(x)
            y[0] = 50.0
            return x, y

        agrees(f, X)

        def g(x, function=function):
            y = np.array(X)
            y[0] = x[0]
            z = function(y)
            z[1] = 60.0
            return y, z

        agrees(g, X)


def test_lax_functions_give_arrays_of_their_own():
    def f(x):
        made = [
            at.lax.reshape(x, (6,)),
            at.lax.slice(x, (0,), (6,)),
            at.lax.convert_element_type(x, float),
            at.stop_gradient(x),
            at.lax.concatenate([x], 0),
        ]
        for y in made:
            y[0] = 3.0
        return (x, *made)

    for run in (at.jit(f), lambda x: at.jvp(f, (x,), (x,))[0]):
        out = run(X.copy())
        np.testing.assert_array_equal(out[0], X)
        assert all(y[0] == 3.0 and y[1] == X[1] for y in out[1:])


VIEWS = {
    "index": lambda y: y[1],
    "slice": lambda y: y[:, ::-2],
    "ellipsis": lambda y: y[0, 1, ...],
    "new axis": lambda y: y[None, 1:],
    "T": lambda y: y.T,
    "mT": lambda y: y.mT,
    "transpose": lambda y: y.transpose(1, 0),
    "swapaxes": lambda y: y.swapaxes(0, 1),
    "moveaxis": lambda y: np.moveaxis(y, 0, 1),
    "rollaxis": lambda y: np.rollaxis(y, 1),
    "reshape": lambda y: y.reshape(2, 6),
    "reshape F": lambda y: y.reshape(12, order="F"),
    "reshape of T": lambda y: y.T.reshape(-1),
    "ravel": lambda y: y.ravel(),
    "ravel F": lambda y: y.ravel("F"),
    "ravel of T in F": lambda y: y.T.ravel("F"),
    "reshape of a part": lambda y: y[:, 1:3].reshape(-1),
    "reshape of rows": lambda y: y[1:].reshape(-1),
    "flip": lambda y: np.flip(y),
    "flip an axis": lambda y: np.flip(y, 0),
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "rot90": np.rot90,
    "rot270": lambda y: np.rot90(y, 3),
    "rot0": lambda y: np.rot90(y, 0),
    "squeeze": lambda y: np.squeeze(y[:1]),
    "expand_dims": lambda y: np.expand_dims(y, 1),
    "atleast_3d": np.atleast_3d,
    "split": lambda y: np.split(y, 3)[1],
    "hsplit": lambda y: np.hsplit(y, 2)[1],
    "array_split": lambda y: np.array_split(y, 2)[0],
    "real": lambda y: y.real,
    "asarray": lambda y: np.asarray(y),
    "ascontiguousarray": lambda y: np.ascontiguousarray(y),
    "ascontiguousarray of T": lambda y: np.ascontiguousarray(y.T),
    "astype without a copy": lambda y: y.astype(float, copy=False),
    "chain": lambda y: y[1:].T[::2][:, None].reshape(2, 2),
    "list": lambda y: list(y)[2],
    "flatten": lambda y: y.flatten(),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views(name):
    view = VIEWS[name]

    def through(x):
        y = np.ones((3, 4))
        y[1, 1] = x[0]
        v = view(y)
        v[...] = v * 2.0 + x[1]
        return y, v

    def behind(x):
        y = x.reshape(2, 3)[[0, 1, 0]][:, [0, 1, 2, 0]].copy()
        v = view(y)
        y[1:, 1] += x[2]
        return v, y

    def held_first(x):
        y = np.zeros((3, 4))
        v = view(y)
        y[1] = 2.0
        v[...] = v + 1.0
        y[1, 1] = x[0]
        v[...] = v * x[1]
        return y, v

    for f in (through, behind, held_first):
        agrees(f, X)
        derives(f, X)


def test_read_only_views():
    for view in (
        lambda y: np.broadcast_to(y, (2, 3, 4)),
        lambda y: np.diagonal(y),
        lambda y: np.diag(y),
    ):

        def f(x, view=view):
            y = np.zeros((3, 4))
            v = view(y)
            y[1] = x[:4]
            return v, y

        agrees(f, X)

        def g(x, view=view):
            y = np.zeros((3, 4)) + x[0]
            view(y)[...] = 0.0
            return y

        for run in (at.jit(g), at.vmap(g), lambda x: at.jvp(g, (x,), (x,))):
            with pytest.raises(ValueError, match="read-only"):
                run(M)


def test_unknown_order_is_an_error_where_it_matters():
    def f(x):
        y = x * 2.0
        y.reshape(-1)[0] = 1.0
        return y

    for run in (at.jit(f), at.vmap(f), lambda x: at.jvp(f, (x,), (x,))):
        with pytest.raises(at.AssignmentError, match=r"(?s)test_assignment.*x\.copy\(\)"):
            run(np.stack([M, M]))

    def g(x):
        flat = x.reshape(-1)
        x[0] = 1.0
        return flat

    with pytest.raises(at.AssignmentError):
        at.jit(g)(M)

    def fine(x):
        column = x[:, :1] * 2.0
        column.reshape(-1)[0] = 1.0
        y = x[0] * 2.0
        y.reshape(2, 2)[0] = 5.0
        z = (x * 2.0).copy()
        z.reshape(-1)[::5] = 0.0
        del z
        x.reshape(-1)
        x[0] = 1.0
        return column, y, x

    agrees(fine, M)


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


plain = np.zeros(3)


def test_ordinary_arrays_are_an_error_with_the_remedy():
    """An assignment to an array that NumPy made unseen would lose the derivative."""

    def item(x):
        plain[0] = x[0]
        return plain

    def part(x):
        plain[1:] = x[1:]
        return plain

    def whole(x):
        np.copyto(plain, x)
        return plain

    def augmented(x):
        y = plain
        y += x
        return y

    def out(x):
        return np.add(x, 1.0, out=plain)

    def at_places(x):
        np.add.at(plain, [0], x[0])
        return plain

    def put(x):
        np.put(plain, [0], x[0])
        return plain

    def fill(x):
        plain.fill(x[0])
        return plain

    runs = {
        "jit": lambda f: at.jit(f)(np.ones(3)),
        "grad": lambda f: at.grad(lambda x: np.sum(f(x)))(np.ones(3)),
        "jvp": lambda f: at.jvp(f, (np.ones(3),), (np.ones(3),)),
        "vmap": lambda f: at.vmap(f)(np.ones((2, 3))),
    }
    for f in (item, part, whole, augmented, out, at_places, put):
        for run in runs.values():
            with pytest.raises((TypeError, ValueError)) as error:
                run(f)
            chain = [error.value, error.value.__cause__, error.value.__context__]
            (ours,) = [e for e in chain if isinstance(e, at.AutotraceError)][:1]
            assert "np.zeros(...)" in str(ours) and "test_assignment" in str(ours)
            assert str(ours).count("\n") < 12
    assert not plain.any()


def test_floats_are_still_given():
    def f(x):
        z = [float(x[0]), complex(x[1])]
        y = {}
        y["a"] = float(x[2])
        return x[0] * z[0] + z[1].real + y["a"]

    np.testing.assert_allclose(at.grad(f)(X), [X[0], 0, 0, 0, 0, 0])


def test_arrays_from_outside_the_inner_function():
    def f(x):
        y = np.zeros(3)

        def inner(z):
            y[0] = z
            return z * z

        return at.grad(inner)(x[0]) + y[0]

    with pytest.raises(at.AssignmentError, match=r"(?s)outside.*as an argument"):
        at.grad(f)(X)

    def by_a_view(x):
        y = np.zeros(3)

        def inner(z):
            part = y[1:]
            part[0] = z
            return z * z

        return at.grad(inner)(x[0]) + y[0]

    with pytest.raises(at.AssignmentError, match="outside"):
        at.grad(by_a_view)(X)

    def g(x):
        y = np.zeros(3)
        at.jit(lambda z: y.fill(1.0))(x[0])
        return y[0]

    with pytest.raises(at.AssignmentError, match="jit"):
        at.jvp(g, (X,), (X,))

    def leaks(x):
        y = x * 2.0

        def inner(z):
            y[0] = z
            return z * z

        return at.grad(inner)(x[0]) + np.sum(y)

    with pytest.raises(at.LeakedTracerError, match="assigned to"):
        at.grad(leaks)(X)


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


# --- arrays made in the traced function --------------------------------------------------------


def test_what_is_held_behaves_as_an_array():
    seen = []

    def f(x):
        y = np.arange(6.0).reshape(2, 3)
        assert isinstance(y, HeldTracer)
        seen.append(
            [y.flags.writeable, y.strides, y.tolist(), repr(y), y.tobytes(), f"{y[0, 1]:.1f}"]
        )
        assert float(y[0, 1]) == 1.0 and bool(np.all(y >= 0)) and len(y) == 2 and 5.0 in y
        assert (
            y.sum() == 15.0 and y.mean(axis=0).shape == (3,) and [*range(np.array(3))] == [0, 1, 2]
        )
        assert isinstance(np.fft.fft(y).real.max(), np.floating)
        assert np.linalg.norm(y) == np.sqrt(55.0)
        np.testing.assert_array_equal(y, np.arange(6.0).reshape(2, 3))
        assert type(pickle.loads(pickle.dumps(y))) is np.ndarray
        with pytest.raises(ValueError, match="ambiguous"):
            bool(y)
        z = np.asarray(y, dtype=np.float32)
        assert z.dtype == np.float32
        if y[1, 2] > 4.0:
            y[0] = x[0]
        return np.sum(y)

    np.testing.assert_array_equal(at.grad(f)(X), [3.0, 0, 0, 0, 0, 0])
    assert seen[0][0] is False and seen[0][1] == (24, 8)


def test_numpy_is_restored():
    zeros, array = np.zeros, np.array
    names = ("zeros", "empty", "array", "full", "copy", "asarray", "arange", "linspace")
    before = [getattr(np, name) for name in names]
    with pytest.raises(ZeroDivisionError):
        at.grad(lambda x: x * (1 / 0))(1.0)
    at.grad(lambda x: at.grad(lambda y: np.sum(np.zeros(2) + y))(x) * x)(1.0)
    assert [getattr(np, name) for name in names] == before
    assert np.zeros is zeros and np.array is array

    def f(x):
        assert np.zeros is not zeros and np.zeros == zeros and hash(np.zeros) == hash(zeros)
        assert {zeros: 1}[np.zeros] == 1
        assert pickle.loads(pickle.dumps(np.zeros))(2).shape == (2,)
        assert np.zeros.__name__ == "zeros" and np.zeros.__doc__ == zeros.__doc__
        assert type(zeros(2)) is np.ndarray  # taken from numpy before
        assert type(anp.zeros(2)) is HeldTracer
        return x

    at.grad(f)(1.0)


def test_other_threads_and_callbacks_get_ordinary_arrays():
    seen = []
    inside, done = threading.Event(), threading.Event()

    def other():
        inside.wait(10)
        seen.append(type(np.zeros(2)))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()

    def f(x):
        inside.set()
        assert done.wait(10)
        shape = at.ShapeDtypeStruct((), np.float64)
        at.debug.callback(lambda y: seen.append(type(np.zeros(2))), x)
        y = at.pure_callback(lambda: seen.append(type(np.ones(2))) or np.float64(2.0), shape)
        seen.append(type(np.zeros(2)))
        return x * y

    assert at.grad(f)(1.0) == 2.0
    thread.join()
    assert seen == [np.ndarray, np.ndarray, np.ndarray, HeldTracer]
    assert type(np.zeros(2)) is np.ndarray


def test_libraries_get_ordinary_arrays():
    code = compile("def make(): return np.zeros(2)", "/usr/lib/site-packages/lib/made.py", "exec")
    library = {"np": np}
    exec(code, library)

    def f(x):
        assert type(library["make"]()) is np.ndarray
        assert type(np.zeros(2)) is HeldTracer
        return x

    at.grad(f)(1.0)


def test_compiled_libraries_get_ordinary_arrays():
    """Cython's functions have no frames: who calls np.array is seen by the instruction only."""

    def f(x):
        rng = np.random.default_rng(3), np.array([1.0])
        seed = np.random.SeedSequence(5).spawn(2)[0].generate_state(3)
        y = np.array(
            [
                x,
                np.zeros(
                    (2,),
                ).sum(),
            ]
        )
        (z,) = [np.zeros(shape) for shape in (3,)]
        assert isinstance(rng[1], HeldTracer) and isinstance(z, HeldTracer)
        assert type(seed) is np.ndarray and type(rng[0].normal(size=2)) is np.ndarray
        assert all(type(m) is np.ndarray for m in map(np.zeros, (1, 2)))
        made = np.zeros(*[(2, 3)], **{"dtype": float})
        assert isinstance(made, HeldTracer)
        return np.sum(y)

    assert at.grad(f)(1.0) == 1.0


def test_many_threads_restore_numpy():
    zeros = np.zeros

    def work():
        for _ in range(30):
            at.grad(lambda x: np.sum(elements(np.zeros(6) + x)))(1.0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.zeros is zeros


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
