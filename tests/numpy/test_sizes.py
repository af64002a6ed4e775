"""``size=`` and the like, which NumPy does not have: shapes that do not depend on values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import same

import autotrace as at
import autotrace.numpy as anp

X = np.array([[3, 0, 1, 3], [0, 0, 2, 5]])
Y = np.array([[1, 1, 5, 0], [2, 0, 0, 9]])


def padded(x, size, fill=0):
    x = np.asarray(x)[:size]
    return np.concatenate([x, np.full((size - len(x), *x.shape[1:]), fill, x.dtype)])


CASES = {
    "nonzero": (lambda a, b: anp.nonzero(a, size=3)[0], lambda a, b: padded(np.nonzero(a)[0], 3)),
    "fill": (
        lambda a, b: anp.nonzero(a, size=5, fill_value=-1)[0],
        lambda a, b: padded(np.nonzero(a)[0], 5, -1),
    ),
    "where": (lambda a, b: anp.where(a > 1, size=3)[0], lambda a, b: padded(np.where(a > 1)[0], 3)),
    "flatnonzero": (
        lambda a, b: anp.flatnonzero(a, size=4, fill_value=9),
        lambda a, b: padded(np.flatnonzero(a), 4, 9),
    ),
    "argwhere": (lambda a, b: anp.argwhere(a, size=3), lambda a, b: padded(np.argwhere(a), 3)),
    "compress": (
        lambda a, b: anp.compress(a > 1, b, size=3, fill_value=7),
        lambda a, b: padded(np.compress(a > 1, b), 3, 7),
    ),
    "extract": (
        lambda a, b: anp.extract(a > 1, b, size=3),
        lambda a, b: padded(np.extract(a > 1, b), 3),
    ),
    "unique": (
        lambda a, b: anp.unique(a, size=4, fill_value=-1),
        lambda a, b: padded(np.unique(a), 4, -1),
    ),
    "unique counts": (
        lambda a, b: anp.unique(a, size=4, return_counts=True, return_inverse=True),
        lambda a, b: (
            padded(np.unique(a), 4, np.min(a)),
            np.unique(a, return_inverse=True)[1],
            padded(np.unique(a, return_counts=True)[1], 4),
        ),
    ),
    "union1d": (
        lambda a, b: anp.union1d(a, b, size=7, fill_value=-1),
        lambda a, b: padded(np.union1d(a, b), 7, -1),
    ),
    "intersect1d": (
        lambda a, b: anp.intersect1d(a, b, size=4),
        lambda a, b: padded(np.intersect1d(a, b), 4),
    ),
    "setdiff1d": (
        lambda a, b: anp.setdiff1d(a, b, size=4, fill_value=-2),
        lambda a, b: padded(np.setdiff1d(a, b), 4, -2),
    ),
    "setxor1d": (
        lambda a, b: anp.setxor1d(a, b, size=6),
        lambda a, b: padded(np.setxor1d(a, b), 6),
    ),
    "bincount": (
        lambda a, b: anp.bincount(a, length=4),
        lambda a, b: np.bincount(a, minlength=4)[:4],
    ),
    "repeat": (
        lambda a, b: anp.repeat(b, a, total_repeat_length=6),
        lambda a, b: padded(np.repeat(b, a), 6, b[-1]),
    ),
    "take": (
        lambda a, b: anp.take(b, a, fill_value=-5),
        lambda a, b: np.where(a < 4, np.append(b, -5)[np.minimum(a, 4)], -5),
    ),
    "sort": (
        lambda a, b: (anp.sort(a, descending=True), anp.argsort(a, stable=True, descending=True)),
        lambda a, b: (np.sort(a)[::-1], np.argsort(-a, kind="stable")),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_same_shape_for_all_values(name):
    f, expected = CASES[name]
    for a, b in zip(X, Y, strict=True):
        same(f(a, b), expected(a, b))  # of ordinary arrays, too
        same(at.jit(f)(a, b), expected(a, b))
    at.make_jaxpr(f)(X[0], Y[0])  # asks for nothing
    out = at.vmap(f)(X, Y)
    for n, (a, b) in enumerate(zip(X, Y, strict=True)):
        parts = tuple(y[n] for y in out) if isinstance(out, tuple) else out[n]
        same(parts, expected(a, b))


def test_more_than_one_dimension():
    rows, columns = anp.nonzero(X, size=6, fill_value=(-1, -2))
    same(rows, padded(np.nonzero(X)[0], 6, -1))
    same(columns, padded(np.nonzero(X)[1], 6, -2))
    same(
        anp.unique(np.array([[1, 2], [0, 1], [1, 2]]), axis=0, size=3),
        np.array([[0, 1], [1, 2], [0, 1]]),
    )
    same(
        anp.compress(np.array([True, False, True]), np.arange(8).reshape(2, 4), axis=1, size=3),
        np.array([[0, 2, 0], [4, 6, 0]]),
    )


def test_derivatives():
    x = np.array([0.5, -1.0, 2.0])
    at.testing.check_grads(lambda a: anp.compress(a > 0, a**2, size=3), (x,), order=2)
    at.testing.check_grads(lambda a: anp.unique(a, size=2), (x,), order=2)


def test_new_values_in_place_of_changed_arrays():
    x = np.zeros((2, 2))
    same(anp.fill_diagonal(x, 3.0, inplace=False), np.diag([3.0, 3.0]))
    same(anp.put(x, [0, 3], 1.5, inplace=False), np.diag([1.5, 1.5]))
    same(anp.place(x, x == 0, 2.0, inplace=False), np.full((2, 2), 2.0))
    same(anp.put_along_axis(x, np.array([[0], [1]]), 1.0, 1, inplace=False), np.eye(2))
    assert not x.any()
    anp.fill_diagonal(x, 3.0)
    same(x, np.diag([3.0, 3.0]))
    g = at.grad(lambda v: np.sum(anp.fill_diagonal(np.ones((2, 2)), v, inplace=False)))
    same(g(1.0), np.float64(2.0))
