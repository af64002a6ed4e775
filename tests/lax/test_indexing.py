"""autotrace.lax.indexing: values against loops, and each rule against what it has to agree with."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operation_checks import check_batched, check_derivative, check_rules, check_staged, randn, vjp

from autotrace.core.trace import get_aval
from autotrace.lax import indexing as lax
from autotrace.transforms.batch import Axis, batch_flat
from autotrace.transforms.jvp import jvp_flat
from autotrace.transforms.simplify import simplify_jaxpr
from autotrace.transforms.stage import stage

RNG = np.random.default_rng(0)
FEW = settings(max_examples=40, deadline=None)
OPS = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


# --- iota --------------------------------------------------------------------------------------


def test_iota():
    np.testing.assert_array_equal(lax.iota(np.float32, 3), np.arange(3, dtype=np.float32))
    assert lax.iota("int8", 0).dtype == np.int8
    for dimension in range(3):
        expected = np.indices((2, 3, 4))[dimension]
        got = lax.broadcasted_iota(np.int64, (2, 3, 4), dimension)
        np.testing.assert_array_equal(got, expected)
    assert lax.broadcasted_iota(int, (0, 3), 1).shape == (0, 3)
    assert lax.iota_p.abstract(dtype=np.dtype(int), shape=(2, 3), dimension=1).shape == (2, 3)


@pytest.mark.parametrize(
    "dtype, shape, dimension", [(bool, (2,), 0), (int, (2,), 1), (int, (), 0), (int, (-1,), 0)]
)
def test_iota_refuses(dtype, shape, dimension):
    with pytest.raises(TypeError, match="iota"):
        lax.broadcasted_iota(dtype, shape, dimension)


# --- references --------------------------------------------------------------------------------


def resolve(index, size, mode):
    """The position an index means, None where it is out of bounds."""
    index = int(index)
    if mode == "clip":
        return min(max(index, 0), size - 1)
    if mode == "wrap":
        return index % size
    index += size if index < 0 else 0
    return index if 0 <= index < size else None


def cells(x, indices, axes, mode):
    """Each place in the index arrays with the place in the front of the moved array, or None."""
    for at in np.ndindex(*np.shape(indices[0])):
        place = [
            resolve(np.asarray(i)[at], x.shape[a], mode) for i, a in zip(indices, axes, strict=True)
        ]
        yield at, None if None in place else tuple(place)


def gathered(x, indices, axes, mode, fill):
    front = np.moveaxis(x, axes, range(len(axes)))
    out = np.full(np.shape(indices[0]) + front.shape[len(axes) :], fill, x.dtype)
    for at, place in cells(x, indices, axes, mode):
        if place is not None:
            out[at] = front[place]
    return out


def scattered(x, indices, u, axes, op, mode):
    out = x.copy()
    front = np.moveaxis(out, axes, range(len(axes)))
    for at, place in cells(x, indices, axes, mode):
        if place is not None:
            front[place] = u[at] if op == "set" else OPS[op](front[place], u[at])
    return out


@st.composite
def positions(draw, modes, in_bounds=("raise",), min_size=1):
    shape = tuple(draw(st.lists(st.integers(min_size, 3), min_size=1, max_size=3)))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True).map(sorted))
    mode = draw(st.sampled_from(modes))
    at = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    if 0 in (shape[a] for a in axes) and mode in ("raise", "clip", "wrap"):
        at = (0,)
    indices = []
    for a in axes:
        n = shape[a]
        low, high = (-n, max(n - 1, -n)) if mode in in_bounds else (-5, 5)
        count = int(np.prod(at))
        values = draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
        dtype = draw(st.sampled_from([np.int64, np.int32]))
        indices.append(np.array(values, dtype).reshape(at))
    return shape, tuple(axes), mode, indices


READS = ["raise", "clip", "wrap", "fill", "zero"]
WRITES = ["raise", "clip", "wrap", "drop"]


# --- nonzero -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (0, 4), (2, 0), (2, 3, 4)])
@pytest.mark.parametrize("size", [0, 1, 2, 9])
def test_nonzero(shape, size):
    mask = np.random.default_rng(size).uniform(size=shape) < 0.5
    got = lax.nonzero(mask, size)
    assert got.dtype == np.int64 and got.shape == (*shape[:-1], size)
    for row in np.ndindex(shape[:-1]):
        expected = np.full(size, shape[-1])
        there = np.flatnonzero(mask[row])[:size]
        expected[: len(there)] = there
        np.testing.assert_array_equal(got[row], expected)
    check_staged(lambda m: [lax.nonzero(m, size)], [mask])
    check_batched(lambda m: [lax.nonzero(m, size)], [mask])


def test_nonzero_refuses():
    with pytest.raises(TypeError, match="nonzero"):
        lax.nonzero(np.ones(3), 2)
    with pytest.raises(TypeError, match="scalar"):
        lax.nonzero(True, 1)
    with pytest.raises(TypeError, match="negative"):
        lax.nonzero(np.ones(3, bool), -1)


# --- gather ------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(positions(READS, min_size=0))
def test_gather(case):
    shape, axes, mode, indices = case
    x = randn(*shape)
    expected = gathered(x, indices, axes, mode, np.nan if mode == "fill" else 0)
    for layout in (x, np.asfortranarray(x), np.flip(np.flip(x).copy())):
        np.testing.assert_array_equal(lax.gather(layout, indices, axes, mode), expected)


@FEW
@given(positions(READS))
def test_gather_rules(case):
    shape, axes, mode, indices = case
    if mode == "raise":  # the batching test adds to scalar indices, rolls others
        indices = [np.where(i < 0, i, -1 - i) for i in indices]
    fun = lambda x, *indices: lax.gather(x, indices, axes, mode)  # noqa: E731
    x = randn(*shape)
    args = [x, *indices]
    check_staged(lambda *xs: [fun(*xs)], args)
    if mode == "raise" and not indices[0].ndim:
        return
    check_batched(lambda *xs: [fun(*xs)], args)
    mask = [True] + [False] * len(indices)
    check_derivative(fun, args, mask, smooth=mode != "fill")
    ct = randn(*fun(*args).shape)
    backward = vjp(fun, args, mask)
    check_staged(backward, [*args, ct])
    check_batched(backward, [*args, ct], variations=1)


def test_gather_tangent_of_fill():
    index = np.array([0, 9])
    (out,), (tangent,) = jvp_flat(
        lambda x: [lax.gather(x, [index], (0,), "fill")], [np.ones(2)], [np.ones(2)]
    )
    np.testing.assert_array_equal(out, [1, np.nan])
    np.testing.assert_array_equal(tangent, [1, 0])


@pytest.mark.parametrize(
    "dtype, value",
    [
        (np.float32, np.nan),
        (np.complex128, np.nan),
        (np.int8, -128),
        (np.uint16, 65535),
        (np.bool_, True),
    ],
)
def test_gather_fill_values(dtype, value):
    x = np.zeros((2, 3), dtype)
    out = lax.gather(x, [np.array([0, 2])], (0,), "fill")
    assert out.dtype == dtype
    np.testing.assert_array_equal(out[1], np.full(3, value, dtype))
    assert not out[0].any()
    empty = lax.gather(x[:0], [np.array([0])], (0,), "fill")
    np.testing.assert_array_equal(empty, np.full((1, 3), value, dtype))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64])
def test_index_dtypes(dtype):
    x = randn(300)
    top = np.iinfo(dtype).max
    index = np.array([3, top], dtype)
    at_top = 299 if top > 300 else top
    np.testing.assert_array_equal(lax.gather(x, [index], (0,), "clip"), x[[3, at_top]])
    out = lax.gather(x, [index], (0,), "fill")
    np.testing.assert_array_equal(out, [x[3], np.nan if top > 300 else x[top]])
    np.testing.assert_array_equal(lax.gather(x, [index[:1]], (0,)), x[3:4])


def test_out_of_bounds():
    x = np.zeros((2, 3))
    index = np.array([1, -1])
    with pytest.raises(IndexError, match="index 3 is out of bounds for axis 1 with size 3") as e:
        lax.gather(x, [index, np.array([0, 3])], (0, 1))
    assert "test_indexing.py" in str(e.value)
    for op in ("set", "add"):
        with pytest.raises(IndexError, match="index -4 is out of bounds for axis 1 with size 3"):
            lax.scatter(x, [np.array([0, -4])], np.ones((2, 2)), (1,), op)
    for mode in ("raise", "clip", "wrap"):
        with pytest.raises(IndexError, match="axis 0 with size 0"):
            lax.gather(x[:0], [index], (0,), mode)
        with pytest.raises(IndexError, match="axis 0 with size 0"):
            lax.scatter(x[:0], [index], np.ones((2, 3)), (0,), mode=mode)
    assert lax.scatter(x[:0], [index], np.ones((2, 3)), (0,), mode="drop").shape == (0, 3)


@pytest.mark.parametrize(
    "indices, axes",
    [
        ([], ()),
        ([np.array([0])], (0, 1)),
        ([np.array([0])], (2,)),
        ([np.array([0])], (-1,)),
        ([np.array([0]), np.array([0])], (1, 0)),
        ([np.array([0]), np.array([0])], (0, 0)),
        ([np.array([0]), np.array([0, 1])], (0, 1)),
        ([np.array([0.0])], (0,)),
        ([np.array([True, False])], (0,)),
    ],
)
def test_refuses(indices, axes):
    with pytest.raises(TypeError):
        lax.gather(np.zeros((2, 3)), indices, axes)
    with pytest.raises(TypeError):
        lax.scatter(np.zeros((2, 3)), indices, 1.0, axes)


def test_refuses_words_and_updates():
    x, i = np.zeros(3), [np.array([0])]
    with pytest.raises(TypeError, match="mode is one of"):
        lax.gather(x, i, (0,), "drop")
    with pytest.raises(TypeError, match="mode is one of"):
        lax.scatter(x, i, np.ones(1), (0,), mode="fill")
    with pytest.raises(TypeError, match="op is one of"):
        lax.scatter(x, i, np.ones(1), (0,), op="sub")
    for updates in (np.ones(2), np.ones((1, 1)), np.ones(1, np.float32)):
        with pytest.raises(TypeError, match="takes updates of"):
            lax.scatter(x, i, updates, (0,))


# --- scatter -----------------------------------------------------------------------------------


def updates_for(x, indices, axes):
    rest = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    return np.asarray(randn(*np.shape(indices[0]), *rest))


@settings(max_examples=150, deadline=None)
@given(positions(WRITES, min_size=0), st.sampled_from(["set", *OPS]))
def test_scatter(case, op):
    shape, axes, mode, indices = case
    x = randn(*shape)
    u = updates_for(x, indices, axes)
    expected = scattered(x, indices, u, axes, op, mode)
    for layout in (x, np.asfortranarray(x), np.flip(np.flip(x).copy())):
        before = layout.copy()
        got = lax.scatter(layout, indices, u, axes, op, mode)
        np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-14)
        np.testing.assert_array_equal(layout, before)


@settings(max_examples=60, deadline=None)
@given(positions(WRITES), st.sampled_from(["set", *OPS]))
def test_scatter_rules(case, op):
    shape, axes, mode, indices = case
    x = randn(*shape)
    u = updates_for(x, indices, axes)
    fun = lambda x, u, *indices: lax.scatter(x, indices, u, axes, op, mode)  # noqa: E731
    args = [x, u, *indices]
    ints = [False] * len(indices)
    check_staged(lambda *xs: [fun(*xs)], args)
    for mask in ([True, True], [True, False], [False, True]):
        check_derivative(fun, args, mask + ints, smooth=True)
    if mode == "raise" and not indices[0].ndim:
        return
    check_batched(lambda *xs: [fun(*xs)], args, variations=1)


@pytest.mark.parametrize("op", ["set", *OPS])
@pytest.mark.parametrize("mode", WRITES)
def test_scatter_reverse(op, mode):
    x, u = randn(3, 2, 4), randn(5, 2)
    indices = [np.array([0, 2, 0, 1, 2]), np.array([1, 3, 1, 0, 3])]
    if mode != "raise":
        indices[1] = indices[1] + np.array([0, 4, 0, -7, 0])
    fun = lambda x, u, *indices: lax.scatter(x, indices, u, (0, 2), op, mode)  # noqa: E731
    args = [x, u, *indices]
    backward = vjp(fun, args, [True, True, False, False])
    ct = randn(*x.shape)
    check_staged(backward, [*args, ct])
    check_batched(backward, [*args, ct], variations=1)


@pytest.mark.parametrize("op", ["set", *OPS])
def test_scatter_unique(op):
    for shape, axes, indices in [
        ((5,), (0,), [np.array([3, 0, 4])]),
        ((3, 4), (1,), [np.array([3, 0])]),
        ((3, 4, 2), (0, 2), [np.array([[2, 1]]), np.array([[0, 1]])]),
        ((3, 4), (0,), [np.int64(1)]),
    ]:
        x = randn(*shape)
        u = updates_for(x, indices, axes)
        np.testing.assert_array_equal(
            lax.scatter(x, indices, u, axes, op, unique_indices=True),
            scattered(x, indices, u, axes, op, "raise"),
        )

        def fun(x, u, axes=axes, indices=indices):
            return lax.scatter(x, indices, u, axes, op, unique_indices=True)

        check_rules(fun, x, u)


@pytest.mark.parametrize("op", ["min", "max"])
def test_ties_share(op):
    x, u = np.array([1.0, 2.0, 5.0]), np.array([1.0, 1.0, 2.0, 9.0 if op == "max" else -9.0])
    index = np.array([0, 0, 1, 2])
    backward = vjp(lambda x, u: lax.scatter(x, [index], u, (0,), op), [x, u], [True, True])
    ct_x, ct_u = backward(x, u, np.ones(3))
    np.testing.assert_allclose(ct_x, [1 / 3, 1 / 2, 0])
    np.testing.assert_allclose(ct_u, [1 / 3, 1 / 3, 1 / 2, 1])


def test_extremum_of_nan():
    x, u = np.array([np.nan, 1.0]), np.array([2.0])
    backward = vjp(lambda x, u: lax.scatter_max(x, [np.array([0])], u, (0,)), [x, u], [True, True])
    ct_x, ct_u = backward(x, u, np.ones(2))
    np.testing.assert_array_equal(ct_x, [0, 1])
    np.testing.assert_array_equal(ct_u, [0])


@pytest.mark.parametrize("zeros", list(itertools.product([False, True], repeat=3)))
def test_mul_with_zeros(zeros):
    x, u = randn(3), randn(4)
    u[:3][list(zeros)] = 0
    indices = [np.array([1, 1, 1, 0])]
    for mode in WRITES:
        check_rules(lambda x, u, mode=mode: lax.scatter_mul(x, indices, u, (0,), mode), x, u)


def test_last_update_wins():
    x, u = np.zeros(2), np.arange(1.0, 6)
    index = np.array([0, 1, 0, 1, 0])[::-1]
    np.testing.assert_array_equal(lax.scatter(x, [index], u, (0,)), [5, 4])
    backward = vjp(lambda x, u: lax.scatter(x, [index], u, (0,)), [x, u], [True, True])
    ct_x, ct_u = backward(x, u, np.array([10.0, 20.0]))
    np.testing.assert_array_equal(ct_x, [0, 0])
    np.testing.assert_array_equal(ct_u, [0, 0, 0, 20, 10])


def test_second_derivative_of_mul():
    x, u, indices = randn(3), randn(4), [np.array([0, 2, 0, 0])]

    def gradient(x, u):
        backward = vjp(lambda x, u: lax.scatter_mul(x, indices, u, (0,)), [x, u], [True, True])
        return backward(x, u, np.arange(1.0, 4))

    t = [randn(3), randn(4)]
    _, tangents = jvp_flat(gradient, [x, u], t)
    h = 1e-6
    above, below = (gradient(x + s * t[0], u + s * t[1]) for s in (h, -h))
    for tangent, a, b in zip(tangents, above, below, strict=True):
        np.testing.assert_allclose(tangent, (a - b) / (2 * h), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.bool_, np.int32, np.uint8, np.float32, np.complex64])
@pytest.mark.parametrize("op", ["set", *OPS])
def test_scatter_dtypes(dtype, op):
    x = RNG.integers(0, 5, (4, 2)).astype(dtype)
    u = RNG.integers(0, 5, (3, 2)).astype(dtype)
    indices = [np.array([3, 0, 3])]
    got = lax.scatter(x, indices, u, (0,), op)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, scattered(x, indices, u, (0,), op, "raise"))


def test_scalar_updates():
    np.testing.assert_array_equal(
        lax.scatter_add(np.zeros((2, 3)), [np.array([0, 0])], 1, (0,)), [[2, 2, 2], [0, 0, 0]]
    )
    index = [np.array([0, 1])]
    np.testing.assert_array_equal(lax.scatter_min(np.ones(3), index, 0.5, (0,)), [0.5, 0.5, 1])
    np.testing.assert_array_equal(lax.scatter_max(np.ones(3), index, 5.0, (0,)), [5, 5, 1])
    np.testing.assert_array_equal(lax.scatter_mul(np.ones(3), index, 5.0, (0,)), [5, 5, 1])
    check_rules(lambda x, u: lax.scatter(x, index, u, (0,)), randn(3), np.float64(2))


def test_int_operands_have_no_tangents():
    x, u = np.arange(3), np.array([7])
    outs, tangents = jvp_flat(
        lambda x, u: [lax.scatter_add(x, [np.array([1])], u, (0,))], [x, u], [None, None]
    )
    assert tangents == [None] and outs[0].tolist() == [0, 8, 2]


def test_batched_scalar_index():
    x, index = randn(4, 5), np.array([0, 2, 4, -1])
    (out,), (dim,) = batch_flat(
        lambda x, i: [lax.gather(x, [i], (0,))], Axis(4), [x, index], [0, 0]
    )
    np.testing.assert_array_equal(out, x[np.arange(4), index])
    assert dim == 0
    (out,), (dim,) = batch_flat(
        lambda x, i: [lax.scatter_add(x, [i], 1.0, (0,))],
        Axis(5),
        [x, index[[0, 1, 1, 1, 1]]],
        [1, 0],
    )
    expected = x.T.copy()
    expected[np.arange(5), index[[0, 1, 1, 1, 1]]] += 1
    np.testing.assert_array_equal(np.moveaxis(out, dim, 0), expected)


def test_simplified():
    nothing = [np.zeros(0, int)]
    avals = [get_aval(np.ones(3)), get_aval(np.ones(0))]
    jaxpr = stage(lambda x, u: [lax.scatter(x, nothing, u, (0,))], avals)
    assert simplify_jaxpr(jaxpr).eqns == []
