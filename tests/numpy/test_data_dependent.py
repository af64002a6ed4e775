"""Results whose shape depends on data: under ``jit``, differentiated, and what they compile."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import same

from autotrace import config, grad, jit, jvp, vmap
from autotrace.core.errors import ConcretizationError

RNG = np.random.default_rng(0)


def agrees(f, *several):
    """One jitted function on several arguments, and again on the first."""
    jitted = jit(f)
    for args in (*several, several[0]):
        same(jitted(*args), f(*args))


def floats(*shape):
    return RNG.normal(size=shape)


def ints(*shape, low=0, high=5):
    return RNG.integers(low, high, shape)


NONE, ALL = -np.ones(6), np.ones(6)
VECTORS = [(floats(6),), (floats(6),), (NONE,), (ALL,), (floats(9),), (np.zeros(0),)]
MATRICES = [(floats(4, 3),), (floats(4, 3),), (-np.ones((4, 3)),), (np.zeros((0, 3)),)]

# --- masks and positions -----------------------------------------------------------------------

SELECTIONS = {
    "mask": lambda x: x[x > 0],
    "mask of another": lambda x: (2 * x)[x < 0.3],
    "in two steps": lambda x: x[x > 0][x[x > 0] < 1],
    "nonzero": lambda x: np.nonzero(x > 0),
    "method nonzero": lambda x: (x * (x > 0)).nonzero(),
    "nonzero of floats": lambda x: np.nonzero(np.maximum(x, 0)),
    "flatnonzero": lambda x: np.flatnonzero(x > 0),
    "argwhere": lambda x: np.argwhere(x > 0),
    "where": lambda x: np.where(x > 0),
    "extract": lambda x: np.extract(x > 0, 3 * x),
}


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("inputs", [VECTORS, MATRICES], ids=["vectors", "matrices"])
def test_selections(name, inputs):
    agrees(SELECTIONS[name], *inputs)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[x[:, 0] > 0],
        lambda x: x[x.sum(1) > 0, 1],
        lambda x: x[:, x[0] > 0],
        lambda x: x[x[:, 0] > 0, :2],
        lambda x: x[..., x[0] > 0, None],
        lambda x: x[1:][x[1:] > 0],
        lambda x: x[::-1, x[1] < 0],
        lambda x: np.compress(x[0] > 0, x, axis=1),
        lambda x: x.compress(x[:, 1] > 0, axis=0),
        lambda x: np.compress(x[0] > 0, x),
        lambda x: x[np.flatnonzero(x[:, 0] > 0)].sum(0),
        lambda x: np.stack([x, x])[:, x > 0],
        lambda x: np.delete(x, x[:, 0] > 0, axis=0),
    ],
)
def test_masks_on_some_dimensions(f):
    agrees(f, (floats(4, 3),), (floats(4, 3),), (floats(4, 3),), (np.ones((4, 3)),))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float32, np.complex128])
def test_dtypes(dtype):
    x = ints(7, high=2).astype(dtype)
    agrees(lambda x: (x[x != 0], np.nonzero(x), np.argwhere(x)), (x,), (x[::-1],))
    assert jit(lambda x: np.flatnonzero(x))(x).dtype == np.intp


def test_a_scalar():
    agrees(lambda x: np.argwhere(x > 0), (1.0,), (-1.0,))
    agrees(lambda x: np.flatnonzero(x > 0), (1.0,), (-1.0,))
    with pytest.raises(ValueError, match="nonzero on 0d arrays"):
        jit(lambda x: np.nonzero(x))(1.0)


def test_a_mask_that_does_not_fit():
    with pytest.raises(IndexError, match=r"(?s)boolean index did not match.*test_data_dependent"):
        jit(lambda x: x[(x > 0)[1:]])(floats(4))
    with pytest.raises(IndexError, match="too many indices"):
        jit(lambda x: x[np.stack([x, x]) > 0])(floats(4))


# --- writing -----------------------------------------------------------------------------------


def test_assignment_of_as_many_values():
    def f(x):
        mask = x > 0
        return x.at[mask].set(x[mask] ** 2), x.at[mask].add(np.cumsum(x[mask]))

    def plain(x):
        one, two, mask = x.copy(), x.copy(), x > 0
        one[mask] = x[mask] ** 2
        two[mask] += np.cumsum(x[mask])
        return one, two

    jitted = jit(f)
    for x in (floats(6), floats(6), NONE, ALL, floats(3, 4)):
        same(jitted(x), plain(x), 1e-14)


def test_assignment_of_another_number_of_values():
    f = jit(lambda x, v: x.at[x > 0].set(v))
    same(f(ALL, np.arange(6.0)), np.arange(6.0))
    same(f(np.array([1.0, -1.0, 1.0]), np.array([5.0, 7.0])), np.array([5.0, -1.0, 7.0]))
    with pytest.raises(ValueError, match="could not broadcast values of shape"):
        f(np.array([1.0, -1.0, 1.0]), np.arange(3.0))


def test_assignment_of_one_value_asks_nothing():
    f = jit(lambda x, v: x.at[x > 0].set(v))
    for x in (floats(6), floats(6), floats(6), NONE):
        same(f(x, 2.0), np.where(x > 0, 2.0, x))
    assert f.stats()["traces"] == 1


# --- distinct elements -------------------------------------------------------------------------

CODES = [(ints(8),), (ints(8),), (ints(8, low=2, high=3),), (np.zeros(0, int),), (ints(3, 4),)]
NANS = np.array([2.0, np.nan, -0.0, 0.0, np.nan, np.inf, 2.0])


def test_unique():
    agrees(lambda x: np.unique(x), *CODES, (NANS,))
    agrees(lambda x: np.unique(x, return_index=True, return_inverse=True), *CODES, (NANS,))
    agrees(lambda x: np.unique(x, return_counts=True), *CODES, (NANS,))
    agrees(lambda x: np.unique(x, True, True, True), *CODES, (NANS,))
    agrees(lambda x: np.unique(x, return_counts=True, equal_nan=False), (NANS,))
    agrees(lambda x: np.unique(x > 2, return_inverse=True), *CODES)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_unique_rows(axis):
    f = lambda x: np.unique(x, True, True, True, axis=axis)  # noqa: E731
    agrees(f, (ints(6, 2, high=2),), (ints(6, 2, high=2),), (ints(3, 5, high=2) / 2,))
    agrees(lambda x: np.unique(x, axis=axis), (ints(3, 4, 2, high=2),), (ints(3, 4, 2, high=1),))


def test_sets():
    pairs = [
        (ints(6), ints(4)),
        (ints(6), ints(4, low=3, high=9)),
        (ints(6), ints(4, low=7, high=9)),
    ]
    agrees(lambda x, y: np.isin(x, y), *pairs, (ints(2, 3), np.zeros(0, int)))
    agrees(lambda x, y: np.isin(x, y, invert=True), *pairs)
    agrees(lambda x, y: np.union1d(x, y), *pairs)
    agrees(lambda x, y: np.intersect1d(x, y), *pairs)
    agrees(lambda x, y: np.intersect1d(x, y, return_indices=True), *pairs)
    agrees(lambda x, y: np.setdiff1d(x, y), *pairs)
    agrees(lambda x, y: np.setdiff1d(x, y, assume_unique=True), *pairs)
    agrees(lambda x, y: np.setxor1d(x, y), *pairs)
    agrees(lambda x: np.setdiff1d([1, 2, 3], x), (ints(3),))


# --- counts ------------------------------------------------------------------------------------


def test_bincount():
    agrees(lambda x: np.bincount(x), (ints(9),), (ints(9, high=3),), (np.zeros(0, int),))
    agrees(lambda x: np.bincount(x, minlength=4), (ints(9),), (ints(9, high=2),))
    agrees(lambda x, w: np.bincount(x, w), (ints(9), floats(9)), (ints(9, high=9), floats(9)))
    agrees(lambda x: np.bincount(x > 1), (ints(9),))
    with pytest.raises(ValueError, match="negative"):
        jit(lambda x: np.bincount(x))(np.array([1, -1]))
    with pytest.raises(TypeError, match="Cannot cast"):
        jit(lambda x: np.bincount(x))(np.ones(3))


def test_repeat():
    f = lambda x, n: np.repeat(x, n)  # noqa: E731
    agrees(f, (floats(4), ints(4)), (floats(4), ints(4)), (floats(4), np.zeros(4, int)))
    agrees(f, (floats(4), 3), (floats(4), 0), (floats(4), np.array([2])))
    agrees(lambda x, n: np.repeat(x, n, axis=1), (floats(2, 3), ints(3)), (floats(2, 3), ints(3)))
    with pytest.raises(ValueError, match="negative"):
        jit(f)(floats(2), np.array([1, -1]))


def test_delete_and_trim():
    agrees(lambda x, i: np.delete(x, i), (floats(5), 1), (floats(5), -1))
    agrees(
        lambda x, i: np.delete(x, i), (floats(5), np.array([1, 3, 1])), (floats(5), np.arange(5))
    )
    with pytest.raises(IndexError):
        jit(lambda x, i: np.delete(x, i))(floats(5), 7)
    trimmed = [np.array([0.0, 0, 1, 0, 2, 0]), np.array([1.0, 0, 0, 0, 0, 0]), np.zeros(6)]
    for trim in ("fb", "f", "b"):
        agrees(lambda x, trim=trim: np.trim_zeros(x, trim), *[(x,) for x in trimmed])


def test_arguments_that_decide_a_shape():
    agrees(lambda x, n: np.array_split(x, n), (floats(7), 2), (floats(7), 3))
    agrees(lambda x, i: np.split(x, [i, 2 * i]), (floats(7), 2), (floats(7), 3))
    agrees(lambda x, n: np.pad(x, (n, 1)), (floats(3), 0), (floats(3), 2))
    agrees(lambda x, i: np.insert(x, i, 7.0), (floats(3), 0), (floats(3), 2))
    agrees(lambda x, k: np.partition(x, k)[k], (floats(9), 3), (floats(9), 4))
    agrees(lambda x, n: (x[:n], x[n : 2 * n]), (floats(9), 3), (floats(9), 4), (floats(9), 0))
    with pytest.raises(ConcretizationError, match=r"(?s)array_split.*vmap"):
        vmap(lambda x, n: np.array_split(x, n)[0])(floats(2, 4), np.array([2, 2]))


def test_digitize():
    bins = np.array([0.0, 0.5, 1.0])
    inputs = np.array([-1.0, 0.0, 0.2, 0.5, 1.0, 7.0])
    for right in (False, True):
        f = lambda x, b, right=right: np.digitize(x, b, right)  # noqa: E731
        agrees(f, (inputs, bins), (inputs[::-1], bins[::-1]), (inputs.reshape(2, 3), bins))
    with pytest.raises(ValueError, match="monotonically"):
        jit(lambda x, b: np.digitize(x, b))(inputs, np.array([0.0, 2.0, 1.0]))


@pytest.mark.parametrize("density", [False, True])
def test_histogram(density):
    x, weights = floats(40), RNG.uniform(size=40)
    for options in (
        {},
        {"bins": 4},
        {"bins": 3, "range": (-1.0, 1.5)},
        {"bins": np.arange(-2.0, 3)},
    ):
        f = lambda x, o=options: np.histogram(x, **o, density=density)  # noqa: E731
        jitted = jit(f)
        for y in (x, floats(40), np.ones(3)):
            same(jitted(y), f(y), 1e-14)
        same(
            jit(lambda x, w, o=options: np.histogram(x, **o, weights=w, density=density))(
                x, weights
            ),
            np.histogram(x, **options, weights=weights, density=density),
            1e-14,
        )
    with pytest.raises(ValueError, match="monotonically"):
        jit(lambda x: np.histogram(x, x))(np.array([1.0, 0.0]))


def test_interp():
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([2.0, -1.0, 5.0])
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.5, 3.0, 4.0, np.nan])
    agrees(lambda x: np.interp(x, xp, fp), (x,), (x[::-1],), (0.7,))
    agrees(lambda x: np.interp(x, xp, fp, left=-7, right=9), (x,))
    agrees(lambda x, xp, fp: np.interp(x, xp, fp), (x, xp, fp), (x, xp[:1], fp[:1]))
    agrees(lambda x: np.interp(x, xp, fp * (1 + 2j)), (x,))
    f = lambda x, xp: np.interp(x, xp, fp, period=4.0)  # noqa: E731
    same(jit(f)(x, xp[::-1]), f(x, xp[::-1]), 1e-14)


def test_positions_in_shapes():
    flat, shape = np.array([0, 7, 23]), (2, 3, 4)
    agrees(lambda i: np.unravel_index(i, shape), (flat,), (5,), (flat.reshape(3, 1),))
    agrees(lambda i: np.unravel_index(i, shape, order="F"), (flat,))
    index = np.unravel_index(flat, shape)
    agrees(lambda *i: np.ravel_multi_index(i, shape), index)
    agrees(lambda *i: np.ravel_multi_index(i, shape, order="F"), index)
    agrees(lambda *i: np.ravel_multi_index(i, (2, 2, 2), mode="clip"), index)
    agrees(lambda *i: np.ravel_multi_index(i, (2, 2, 2), mode=("wrap", "clip", "wrap")), index)


# --- derivatives -------------------------------------------------------------------------------

POINT = np.array([0.4, -1.0, 2.0, 0.7, -0.2, 1.3])
DIFFERENTIABLE = {
    "mean of some": lambda x: np.mean(x[x > 0] ** 2),
    "positions": lambda x: np.prod(x[np.flatnonzero(x > 0)]),
    "two dimensions": lambda x: np.sum(np.sin(np.outer(x, x)[np.outer(x, x) > 0.3])),
    "assignment": lambda x: np.sum(x.at[x > 0].multiply(np.cumsum(x[x > 0])) ** 2),
    "unique": lambda x: np.sum(np.unique(x) * np.arange(6.0)),
    "unique rows": lambda x: np.sum(
        np.unique(x.reshape(3, 2), axis=0) * np.arange(6.0).reshape(3, 2)
    ),
    "union": lambda x: np.sum(np.union1d(x[:3], 2 * x[3:]) ** 2 * np.arange(6.0)),
    "weights": lambda x: np.sum(np.bincount([0, 2, 1, 0, 2, 2], x) ** 2),
    "repeat": lambda x: np.sum(np.repeat(x, [1, 0, 2, 1, 1, 3]) ** 3),
    "histogram of weights": lambda x: np.sum(
        np.histogram([0.1, 0.5, 0.2, 0.9, 0.4, 0.6], 3, weights=x, density=True)[0] ** 2
    ),
    "interp at": lambda x: np.sum(np.interp(x, [-2.0, 0.1, 1.0, 3.0], [1.0, 4.0, -1.0, 2.0]) ** 2),
    "interp of": lambda x: np.sum(np.interp([0.2, 3.1, 4.9], np.arange(6.0), x) ** 2),
    "interp between": lambda x: np.interp(1.0, np.sort(x), x**2),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name):
    f = DIFFERENTIABLE[name]
    plain = POINT if name != "assignment" else None
    jitted = jit(f)
    expected = np.zeros(6)
    for k in range(6):
        step = np.eye(6)[k] * 1e-6
        expected[k] = (jitted(POINT + step) - jitted(POINT - step)) / 2e-6
    for gradient in (grad(f), jit(grad(f)), grad(jit(f)), jit(grad(jit(f)))):
        np.testing.assert_allclose(gradient(POINT), expected, rtol=1e-6, atol=1e-8)
    _, tangent = jvp(jitted, (POINT,), (np.arange(6.0),))
    np.testing.assert_allclose(tangent, expected @ np.arange(6.0), rtol=1e-6)
    if plain is not None:
        np.testing.assert_allclose(jitted(plain), f(plain), rtol=1e-13)


# --- what a new count costs --------------------------------------------------------------------


@pytest.mark.skipif(config.backend == "numpy", reason="compiles nothing")
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sin(x[x > 0])),
        lambda x: np.exp(x[x > 0]) - 1.0,
        lambda x: np.unique(np.maximum(np.round(2 * x), 1), return_counts=True),
        lambda x: np.repeat(x, np.maximum(x * 2, 0).astype(int)),
        grad(lambda x: np.mean(x[x > 0] ** 2)),
    ],
)
def test_new_counts_compile_nothing(f):
    jitted = jit(f)
    same(jitted(POINT), f(POINT), 1e-13)
    compiled = jitted.stats()["compiled"] + jitted.stats()["loaded"]
    for shift in (0.3, 0.8, 1.1):
        same(jitted(POINT + shift), f(POINT + shift), 1e-13)
    stats = jitted.stats()
    assert stats["compiled"] + stats["loaded"] == compiled
    assert stats["traces"] > 1


def test_the_count_alone_decides():
    """Other values with the same count run what there is."""
    f = jit(lambda x: x[x > 0] * 2)
    same(f(POINT), POINT[POINT > 0] * 2)
    traces = f.stats()["traces"]
    same(f(-POINT[::-1] + 0.1), (lambda x: x[x > 0] * 2)(-POINT[::-1] + 0.1))
    same(f(POINT[::-1]), POINT[::-1][POINT[::-1] > 0] * 2)
    assert f.stats()["traces"] <= traces + 1


def test_rows_of_their_own_count():
    with pytest.raises(ConcretizationError, match=r"(?s)vmap.*test_data_dependent.*np\.where"):
        vmap(lambda x: x[x > 1])(floats(2, 3))
    with pytest.raises(ConcretizationError, match=r"np\.unique.*vmap"):
        vmap(lambda x: np.unique(x))(floats(2, 3))


# --- out of bounds -----------------------------------------------------------------------------


def test_out_of_bounds_in_a_loop():
    """Compiled code raises what NumPy raises, with the user's line, and works on afterwards."""

    def walk(x, start):
        place, total = start, 0.0
        for _ in range(4):
            total = total + x[place]  # the line
            place = place + 2
        return total

    f = jit(walk)
    x = floats(8)
    same(f(x, 1), walk(x, 1), 1e-15)
    with pytest.raises(
        IndexError, match=r"(?s)index 9 is out of bounds.*test_data_dependent.*the line"
    ):
        f(x, 3)
    same(f(x, 0), walk(x, 0), 1e-15)


def test_out_of_bounds_after_a_count():
    f = jit(lambda x, i: x[x > 0][i])
    same(f(ALL, 5), 1.0)
    with pytest.raises(IndexError, match="index 5 is out of bounds for axis 0 with size 2"):
        f(np.array([1.0, -1.0, 1.0]), 5)
    with pytest.raises(IndexError):
        f(NONE, 0)
