"""Arguments are as copies, whichever way the function is transformed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import same

import autotrace as at

X = np.array([0.3, -1.2, 2.0])
Y = np.array([1.0, 4.0, -2.0])


def writes(x, y):
    """Writes numbers and traced values into the second argument, itself and by way of views."""
    start = y.copy()
    y[0] = 2.0
    y += 1
    part = y[1:]
    part *= x[1]
    start[-1] = x[0]
    y.T[2] += start[2] * x[2]
    np.multiply(y, 2.0, out=y)
    return y[0] * x[0] + y[1] ** 2 + y[2] * x[1] + start.sum() * x[2]


def value(f, *args):
    return f(*[np.array(a) for a in args])


def slope(f, x, *others, step=1e-6):
    """The gradient with respect to the first argument, by central differences."""
    return np.array(
        [
            (value(f, x + step * e, *others) - value(f, x - step * e, *others)) / (2 * step)
            for e in np.eye(x.size)
        ]
    )


EXPECTED = slope(writes, X, Y)
DERIVATIVES = {
    "grad": lambda f, x, y: at.grad(f)(x, y),
    "a keyword": lambda f, x, y: at.grad(f)(x, y=y),
    "value_and_grad": lambda f, x, y: at.value_and_grad(f)(x, y)[1],
    "with aux": lambda f, x, y: at.grad(lambda x, y: (f(x, y), y), has_aux=True)(x, y)[0],
    "the second argument": lambda f, x, y: at.grad(lambda y, x: f(x, y), argnums=1)(y, x),
    "jacfwd": lambda f, x, y: at.jacfwd(f)(x, y),
    "jacrev": lambda f, x, y: at.jacrev(f)(x, y),
    "elementwise_grad": lambda f, x, y: at.elementwise_grad(f)(x, y),
    "jit": lambda f, x, y: at.jit(at.grad(f))(x, y),
    "in jit": lambda f, x, y: at.jit(lambda x, y: (at.grad(f)(x, y), y.sum()))(x, y)[0],
    "in grad": lambda f, x, y: at.grad(lambda s, y: np.sum(s * at.grad(f)(x, y)))(np.ones(3), y),
    "in vmap": lambda f, x, y: at.vmap(at.grad(f), (0, None))(np.stack([x, x]), y)[1],
    "in vmap of both": lambda f, x, y: at.vmap(at.grad(f))(np.stack([x, x]), np.stack([y, y]))[0],
    "in a dict": lambda f, x, y: at.grad(lambda x, d: f(x, d["a"][0]))(x, {"a": (y, None), "b": 1}),
    "read-only": lambda f, x, y: at.grad(f)(x, np.lib.stride_tricks.as_strided(y, writeable=False)),
    "foreign bytes": lambda f, x, y: at.grad(f)(x, y.astype(">f8")),
}


@pytest.mark.parametrize("way", DERIVATIVES)
def test_what_is_not_differentiated_is_as_a_copy(way):
    x, y = X.copy(), Y.copy()
    np.testing.assert_allclose(DERIVATIVES[way](writes, x, y), EXPECTED, rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_array_equal(x, X)


def test_second_derivatives():
    step = 1e-3  # of a polynomial of the third degree
    ahead, behind = [
        [slope(writes, X + sign * step * e, Y, step=step) for e in np.eye(3)] for sign in (1, -1)
    ]
    numeric = np.subtract(ahead, behind) / (2 * step)
    for hessian in (at.hessian(writes), at.jacfwd(at.grad(writes)), at.jacrev(at.jacfwd(writes))):
        y = Y.copy()
        np.testing.assert_allclose(hessian(X, y), numeric, rtol=1e-7, atol=1e-7)
        np.testing.assert_array_equal(y, Y)


def counts(x, n):
    n[0] = 7
    n += 1
    n[n > 7] *= 2
    return x * n.sum()


def test_integers_among_what_is_differentiated():
    n = np.array([1, 2, 3])
    zero = np.zeros(3, at.float0)
    assert at.jvp(counts, (2.0, n), (1.0, zero)) == (46.0, 23.0)
    assert at.vjp(counts, 2.0, n)[1](1.0)[0] == 23.0
    assert at.linearize(counts, 2.0, n)[1](1.0, zero) == 23.0
    assert at.grad(counts, allow_int=True, argnums=(0, 1))(2.0, n)[0] == 23.0
    np.testing.assert_array_equal(n, [1, 2, 3])


def test_what_is_the_same_for_all_examples():
    def f(x, y):
        y[1] = 5.0
        y += 1.0
        y[0] = x
        return y * x

    y = Y.copy()
    expected = [value(f, x, Y) for x in X]
    same(at.vmap(f, (0, None))(X, y), np.array(expected))
    same(at.vmap(lambda x, y: f(x, y["y"]), (0, None))(X, {"y": y}), np.array(expected))
    np.testing.assert_array_equal(y, Y)


def test_one_array_as_two_arguments():
    def f(x, a, b):
        a[0] = x
        b += 1.0
        return np.sum(a * b)

    y = Y.copy()
    assert at.grad(f)(3.0, y, y) == Y[0] + 1.0
    np.testing.assert_array_equal(y, Y)


def test_results_share_nothing_with_arguments():
    y = Y.copy()
    (_, aux), _ = at.value_and_grad(lambda x, y: (x, (y, y[1:])), has_aux=True)(1.0, y)
    same(aux, (Y, Y[1:]))
    aux[0][0], aux[1][0] = 50.0, 60.0
    mapped = at.vmap(lambda x, y: (x, y), (0, None), (0, None))(X, y)[1]
    mapped[1] = 70.0
    np.testing.assert_array_equal(y, Y)


def test_views_of_read_only_arrays_can_be_assigned_to():
    def f(x, y):
        part, turned = y[1:], np.flip(y)
        part[0] = 2.0
        turned[0] = x[0]
        with pytest.raises(ValueError, match="read-only"):
            np.broadcast_to(y, (2, 3))[0] = 1.0
        return np.sum(y * x)

    y = Y.copy()
    y.flags.writeable = False
    np.testing.assert_array_equal(at.grad(f)(X, y), [Y[0] + X[2], 2.0, X[0]])
    np.testing.assert_array_equal(y, Y)


def test_residuals_are_of_what_was_there():
    """What an operation has kept of an argument is not what is written into it later."""

    def f(x, y):
        z = x * y
        y *= 0.0
        return np.sum(z) + np.sum(x * y)

    y = Y.copy()
    np.testing.assert_array_equal(at.grad(f)(X, y), Y)
    np.testing.assert_array_equal(y, Y)


def test_nothing_is_copied_that_is_only_read():
    seen = []

    def f(x, y, z):
        seen.extend([y.array, z.array])
        z[0] = 1.0
        seen.extend([y.array, z.array])
        return np.sum(y) * x

    at.grad(f)(1.0, X, Y)
    read, write, read_later, written = seen
    assert read is X and read_later is X and write is Y
    assert not np.may_share_memory(written, Y)


def test_other_arguments_are_passed_on_as_they_are():
    class Thing:
        pass

    thing, words, table = Thing(), ["a"], np.array(["a", "b"])
    masked, record = np.ma.array([1.0, 2.0], mask=[True, False]), np.zeros(2, [("a", float)])

    def f(x, *others):
        given = (thing, words, table, masked, record, None, len)
        assert all(a is b for a, b in zip(others, given, strict=True))
        words.append("b")
        return x * masked.sum()

    assert at.grad(f)(1.0, thing, words, table, masked, record, None, len) == 2.0
    assert words == ["a", "b"]


def test_containers_are_as_copies_and_keep_their_order():
    given = {"b": [Y.copy(), 3], "a": (X.copy(),), "c": {"z": 1, "y": None}}
    inner = given["c"]

    def f(x, d, *, e):
        assert list(d) == list(e) == ["b", "a", "c"] and d["c"] is inner
        d["b"][0][0] = x
        d["b"].append(4)
        d["a"] = None
        return np.sum(d["b"][0]) * e["b"][0][0]

    assert at.grad(f)(2.0, given, e=given) == Y[0]
    assert list(given) == ["b", "a", "c"] and len(given["b"]) == 2
    np.testing.assert_array_equal(given["b"][0], Y)
    np.testing.assert_array_equal(given["a"][0], X)


def test_files_mapped_into_memory(tmp_path):
    path = tmp_path / "numbers"
    Y.tofile(path)
    mapped = np.memmap(path, float, "r+")
    np.testing.assert_allclose(at.grad(writes)(X, mapped), EXPECTED, rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(np.fromfile(path), Y)
