"""What shares memory, and what does not: views, copies, residuals, results."""

from __future__ import annotations

import numpy as np
import pytest
from assignment_checks import M, X, agrees
from numpy_checks import derives, same

import autotrace as at


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


def test_copies_that_might_have_been_views_are_arrays_of_their_own():
    def f(x):
        y = np.asfortranarray(np.ones((2, 3)))
        y[0, 0] = x[0]
        copied = y.reshape(-1)
        copied[...] = 7.0
        copied[1] *= 2.0
        copied[2:4] += x[1]
        y[1] = x[2]
        return y, copied, copied * x

    agrees(f, X)
    derives(f, X)


def test_the_order_of_a_copy():
    def f(x):
        outs = []
        for start in (np.zeros((2, 3)), np.asfortranarray(np.zeros((2, 3)))):
            for order in ("C", "F", "K", "A"):
                y = start.copy(order)
                flat = y.reshape(-1)
                y[0] = 2.0
                y[1, 1] = x[0]
                outs += [flat, y]
            y = start.copy()
            flat = y.ravel()
            y[1] = x[:3]
            outs += [flat, y]
        return outs

    agrees(f, X)


def test_values_that_lie_in_another_order():
    def f(x):
        y = np.zeros((2, 3))
        flat = y.reshape(-1)
        y[0] = x[:3]
        y[...] = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        y[0, 1] = 7.0
        flat[2] = 8.0
        return y, flat, y * x[0]

    agrees(f, X)


def test_unknown_order_is_an_error_where_it_matters():
    def f(x):
        y = x * 2.0
        y.reshape(-1)[0] = 1.0
        return y

    for run in (at.jit(f), at.vmap(f), lambda x: at.jvp(f, (x,), (x,))):
        with pytest.raises(at.AssignmentError, match=r"(?s)test_aliasing.*x\.copy\(\)"):
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
