"""autotrace.numpy.indexing and updating: against plain NumPy, under each transform."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autotrace
import autotrace.numpy as anp
from autotrace import ConcretizationError, grad, jit, jvp, make_jaxpr, vmap
from autotrace.core.config import config
from autotrace.numpy.indexing import Selection, getitem

RNG = np.random.default_rng(0)
FEW = settings(max_examples=60, deadline=None)
MANY = settings(max_examples=250, deadline=None)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@pytest.fixture(autouse=True)
def checked():
    with config.override("check_jaxprs", True):
        yield


def numbered(shape, dtype=float):
    return np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


def same(actual, expected):
    expected = np.asarray(expected)
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def total(x):
    return autotrace.lax.reduce_sum(x, range(x.ndim))


def equations(f, *args):
    return [e.primitive.name for e in make_jaxpr(f)(*args).eqns]


@st.composite
def indexed(draw, shapes=SHAPES, advanced=True):
    """A shape and an index of it with slices, integers, new axes, arrays and masks."""
    shape = draw(shapes)
    if not advanced or draw(st.integers(0, 3)) == 0:
        basic = hnp.basic_indices(shape, allow_newaxis=True, max_dims=8)
        return shape, draw(basic)
    common = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    items = []
    hidden = draw(st.integers(0, len(shape)))
    with_mask = draw(st.booleans())
    dim = 0
    while dim < len(shape):
        if dim == hidden and draw(st.booleans()):
            items.append(...)
            dim += draw(st.integers(0, len(shape) - dim))
            hidden = -1
            continue
        size = shape[dim]
        kind = draw(st.sampled_from(["slice", "int", "array", "array", "list", "new", "mask"]))
        if kind == "new":
            items.append(None)
            continue
        if kind == "mask" and with_mask and common == ():
            rank = draw(st.integers(1, min(2, len(shape) - dim)))
            items.append(draw(hnp.arrays(bool, shape[dim : dim + rank])))
            with_mask = False
            dim += rank
            continue
        if kind == "slice":
            items.append(draw(st.slices(size)))
        elif kind == "int":
            i = draw(st.integers(-size, size - 1))
            items.append(draw(st.sampled_from([i, np.int32(i), np.asarray(i)])))
        else:
            own = tuple(draw(st.sampled_from([n, 1])) for n in common)
            own = own[draw(st.integers(0, len(own))) :]
            dtype = draw(st.sampled_from([np.int64, np.int8]))
            numbers = hnp.arrays(dtype, own, elements=st.integers(-size, size - 1))
            value = draw(numbers)
            items.append(value.tolist() if kind == "list" and value.ndim else value)
        dim += 1
        if draw(st.integers(0, 9)) == 0 and hidden != -1:
            break
    return shape, tuple(items)


# --- reading -----------------------------------------------------------------------------------


@MANY
@given(indexed())
def test_getitem(case):
    shape, index = case
    x = numbered(shape)
    expected = x[index]
    same(jit(lambda x: x[index])(x), expected)
    weights = RNG.standard_normal(expected.shape)
    got = grad(lambda x: total(x[index] * weights))(x)
    scattered = np.zeros_like(x)
    np.add.at(scattered, index, weights)
    np.testing.assert_allclose(got, scattered, atol=1e-12)
    y, t = jvp(lambda x: x[index], (x,), (x * 2,))
    same(y, expected)
    same(t, expected * 2)
    stack = np.stack([x, -x, x + 1])
    same(vmap(lambda x: x[index])(stack), np.stack([s[index] for s in stack]))


@FEW
@given(indexed())
def test_result_shape(case):
    shape, index = case
    assert Selection(shape, index).result_shape() == numbered(shape)[index].shape


@FEW
@given(indexed())
def test_traced_index(case):
    """Integers and integer arrays of the index as arguments of the jitted function."""
    shape, index = case
    x = numbered(shape)
    index = index if isinstance(index, tuple) else (index,)
    places = [
        k
        for k, i in enumerate(index)
        if isinstance(i, int | np.integer | list) or (isinstance(i, np.ndarray) and i.dtype != bool)
    ]

    def read(x, *traced):
        items = list(index)
        for k, i in zip(places, traced, strict=True):
            items[k] = i
        return getitem(x, tuple(items))

    traced = [
        np.asarray(index[k], np.asarray(index[k]).dtype if np.size(index[k]) else int)
        for k in places
    ]
    same(jit(read)(x, *traced), x[index])
    if places:
        same(jit(lambda *traced: read(x, *traced))(*traced), x[index])
        weights = RNG.standard_normal(x[index].shape)
        got = jit(grad(lambda x, *traced: total(read(x, *traced) * weights)))(x, *traced)
        scattered = np.zeros_like(x)
        np.add.at(scattered, index, weights)
        np.testing.assert_allclose(got, scattered, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint64, bool, np.complex64])
def test_dtypes(dtype):
    x = numbered((3, 4)).astype(dtype)
    for index in (1, (1, 2), slice(None, None, -2), [2, 0], (slice(1), [1, 1, -1]), x.astype(bool)):
        same(jit(lambda x, index=index: x[index])(x), x[index])


def test_empty():
    x = np.zeros((0, 3))
    for index in (
        slice(None),
        [],
        (slice(None), 1),
        (..., None),
        (slice(None), [0, 0]),
        np.zeros((0, 3), bool),
        np.zeros((2, 0), int),
    ):
        same(jit(lambda x, index=index: x[index])(x), x[index])
    y = numbered((2, 3))
    same(jit(lambda y: y[[]])(y), y[[]])
    same(jit(lambda y: y[2:, ::-1])(y), y[2:, ::-1])


def test_masks_with_arrays():
    x = numbered((3, 4, 2))
    m = np.array([[True, False, True, False], [False] * 4, [True, False, False, False]])
    for index in (
        (m, [0, 1, 1]),
        (m, 1),
        (m, slice(1)),
        ([2, 0], slice(None), [True, True]),
        (m.any(1), [1, 2]),
        (m.any(1), None, m.any(0)),
        (slice(None), m[0], 0),
        m,
    ):
        same(jit(lambda x, index=index: x[index])(x), x[index])
        expected = x.copy()
        np.add.at(expected, index, 1.0)
        same(jit(lambda x, index=index: x.at[index].add(1.0))(x), expected)
        assert not Selection(x.shape, index).unique or (expected - x).max() == 1
    with pytest.raises(IndexError, match="shape mismatch"):
        jit(lambda x: x[m, [0, 1]])(x)


def test_scalars():
    same(jit(lambda x: x[()])(np.float64(3)), np.float64(3))
    same(jit(lambda x: x[..., None])(np.float64(3)), np.array([3.0]))
    assert grad(lambda x: x[None][0] * 3.0)(2.0) == 3.0


def test_equations():
    x = numbered((3, 4))
    count = lambda index: equations(lambda x: x[index], x)  # noqa: E731
    assert count(0) == count((-1, 2)) == count((slice(1, 3), 1)) == ["slice", "reshape"]
    assert count(slice(None)) == count(...) == count((slice(None), slice(0, 4))) == []
    assert count(slice(1, None)) == count((..., slice(0, None, 2))) == ["slice"]
    assert count(slice(None, None, -1)) == ["rev"]
    assert count(None) == ["reshape"]
    assert count([0, 2]) == count(([0, 1], [1, 2])) == count(x > 3) == ["gather"]
    assert count((slice(None), [0, 2])) == ["gather", "transpose"]
    assert equations(lambda x, i: x[i], x, 1) == ["gather"]
    assert equations(lambda x: x[:1][0], x) == ["slice", "reshape"]


def test_concrete_under_grad():
    def f(x):
        out = 0.0
        for i in range(x.shape[0]):
            out = out + x[i] * x[x > 1.5][0]
        n = np.count_nonzero(x > 1.5)  # a plain number here
        return out + x[:n][-1]

    x = np.array([1.0, 2.0, 3.0])
    same(grad(f)(x), np.array([2.0, 2.0 + 6.0 + 1.0, 2.0]))
    same(grad(lambda x: total(x[np.flatnonzero(x > 1.5)]))(x), np.array([0.0, 1.0, 1.0]))
    same(grad(lambda x: total(np.extract(x > 1.5, x)))(x), np.array([0.0, 1.0, 1.0]))
    same(grad(lambda x: total(np.compress(x > 1.5, x)))(x), np.array([0.0, 1.0, 1.0]))
    same(grad(lambda x: total(x[np.nonzero(x)]))(x), np.ones(3))
    same(grad(lambda x: total(x[np.argwhere(x)[:, 0]]))(x), np.ones(3))


def test_list_of_traced_integers():
    x = numbered((3, 4))
    same(jit(lambda x, i: x[[i, 0, i + 1]])(x, 1), x[[1, 0, 2]])
    same(jit(lambda x, i: x[[[i], [0]], 1])(x, 1), x[[[1], [0]], 1])


def test_vmap_of_indices():
    x = numbered((4, 3))
    i = np.array([[0, -1], [3, 1], [2, 2]])
    same(vmap(lambda i: getitem(x, i))(i), np.stack([x[k] for k in i]))
    same(vmap(lambda x, i: getitem(x, (i, slice(2))), (None, 0))(x, i[:, 0]), x[i[:, 0], :2])
    rows = np.stack([r[k] for r, k in zip(x.T, i, strict=True)])
    same(vmap(lambda row, i: row[i])(x.T, i), rows)


@pytest.mark.parametrize(
    "index, error, words",
    [
        (3, IndexError, "index 3 is out of bounds for axis 0 with size 3"),
        (-4, IndexError, "index -4 is out of bounds"),
        ((0, 4), IndexError, "index 4 is out of bounds for axis 1 with size 4"),
        ((slice(None), 4, None), IndexError, "index 4 is out of bounds for axis 1"),
        ((0, 0, 0), IndexError, "too many indices for array: array is 2-dimensional, but 3"),
        ((..., ...), IndexError, "single ellipsis"),
        (1.0, IndexError, "only integers, slices"),
        ("a", IndexError, "only integers, slices"),
        (np.float64(1), IndexError, "only integers, slices"),
        (np.zeros(2), IndexError, "arrays used as indices must be of integer"),
        (True, IndexError, "bool is no index"),
        (np.array(True), IndexError, "only integers, slices"),
        (np.ones(4, bool), IndexError, "boolean index did not match indexed array along axis 0"),
        (([0, 1], [0, 1, 2]), IndexError, r"shape mismatch.*\(2,\) \(3,\)"),
        (slice(1.0), TypeError, "slice indices must be integers"),
    ],
)
def test_errors(index, error, words):
    x = numbered((3, 4))
    with pytest.raises(error, match=words) as caught:
        jit(lambda x: x[index])(x)
    if error is IndexError:
        assert "test_indexing.py" in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 12
        with pytest.raises(IndexError, match=words):
            grad(lambda x: total(x[index]))(x)


def test_out_of_bounds_when_run():
    x = numbered((3,))
    with pytest.raises(IndexError, match="index 3 is out of bounds for axis 0 with size 3"):
        jit(lambda x, i: x[i])(x, np.array([0, 3]))
    with pytest.raises(IndexError, match="index -4 is out of bounds"):
        jit(lambda x: x[[0, -4]])(x)


def test_traced_masks_and_bounds():
    x = numbered((3,))
    with pytest.raises(ConcretizationError, match=r"(?s)mask.*test_indexing.*np\.where"):
        make_jaxpr(lambda x: x[x > 1])(x)
    with pytest.raises(ConcretizationError, match=r"np\.where"):
        vmap(lambda x: x[x > 1])(numbered((2, 3)))
    with pytest.raises(ConcretizationError, match=r"(?s)slice.*dynamic_slice_in_dim"):
        make_jaxpr(lambda x, n: x[:n])(x, 2)
    with pytest.raises(ConcretizationError, match=r"np\.nonzero"):
        make_jaxpr(lambda x: np.nonzero(x)[0])(x)
    with pytest.raises(ConcretizationError, match=r"np\.compress"):
        make_jaxpr(lambda x: np.compress(x > 1, x))(x)


# --- writing -----------------------------------------------------------------------------------

OPS = {
    "set": None,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "mul": np.multiply,
    "divide": np.divide,
    "min": np.minimum,
    "max": np.maximum,
    "power": np.power,
}


def numpy_update(x, index, op, values):
    out = x.copy()
    # NumPy's ufunc.at reads beyond the end of a vector that it broadcasts to a matrix of indices.
    values = np.array(np.broadcast_to(values, x[index].shape))
    if op == "set":
        out[index] = values
    elif op == "power":
        ones = np.ones_like(x)
        np.multiply.at(ones, index, values)
        np.power(out, ones, out=out)
    else:
        OPS[op].at(out, index, values)
    return out


def some_values(data, shape):
    """An array that broadcasts to a shape."""
    ndim = data.draw(st.integers(0, len(shape)))
    own = tuple(data.draw(st.sampled_from([n, 1])) for n in shape[len(shape) - ndim :])
    return np.asarray(RNG.uniform(0.5, 1.5, own))


@MANY
@given(indexed(), st.sampled_from(sorted(OPS)), st.data())
def test_at(case, op, data):
    shape, index = case
    x = RNG.uniform(0.5, 1.5, shape)
    values = some_values(data, x[index].shape)
    update = lambda x, v: getattr(anp.at(x)[index], op)(v)  # noqa: E731
    before = x.copy()
    expected = numpy_update(x, index, op, values)
    check = np.testing.assert_allclose
    check(jit(update)(x, values), expected, rtol=1e-12)
    check(jit(lambda v: getattr(anp.at(x)[index], op)(v))(values), expected, rtol=1e-12)
    plain = getattr(anp.at(x)[index], op)(values)
    check(plain, expected, rtol=1e-12)
    assert not np.shares_memory(plain, x) and not np.shares_memory(plain, values)
    same(x, before)
    # Forward mode against differences, reverse mode against forward mode.
    tx, tv = RNG.standard_normal(x.shape), RNG.standard_normal(values.shape)
    _, tangent = jvp(update, (x, values), (tx, tv))
    step = 1e-6
    ahead = numpy_update(x + step * tx, index, op, values + step * tv)
    behind = numpy_update(x - step * tx, index, op, values - step * tv)
    check(tangent, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-6)
    weights = RNG.standard_normal(x.shape)
    gx, gv = grad(lambda x, v: total(update(x, v) * weights), argnums=(0, 1))(x, values)
    check((gx * tx).sum() + (gv * tv).sum(), (tangent * weights).sum(), rtol=1e-8, atol=1e-10)
    xs = np.stack([x, x + 0.25])
    stacked = np.stack([numpy_update(x, index, op, values) for x in xs])
    check(vmap(update, (0, None))(xs, values), stacked, rtol=1e-12)
    vs = np.stack([values, values + 0.25])
    stacked = np.stack([numpy_update(x, index, op, v) for v in vs])
    check(vmap(update, (None, 0))(x, vs), stacked, rtol=1e-12)


@FEW
@given(indexed())
def test_at_get_and_apply(case):
    shape, index = case
    x = numbered(shape)
    same(jit(lambda x: x.at[index].get())(x), x[index])
    expected = x.copy()
    expected[index] = np.sqrt(x[index])
    same(jit(lambda x: x.at[index].apply(np.sqrt))(x), expected)


def test_at_equations():
    x = numbered((3, 4))
    count = lambda index, op="set": equations(  # noqa: E731
        lambda x, v: getattr(x.at[index], op)(v), x, 2.0
    )
    assert (
        count(0)
        == count((slice(1, 3), slice(-1, None)))
        == ["broadcast_in_dim", "dynamic_update_slice"]
    )
    assert count(0, "add") == ["slice", "add", "dynamic_update_slice"]
    assert count(..., "multiply") == ["mul"]
    assert count([0, 1]) == ["broadcast_in_dim", "scatter"]
    assert count((slice(None, None, 2), [0, 1]), "add") == ["broadcast_in_dim", "scatter"]
    assert count(x > 3, "min") == ["broadcast_in_dim", "scatter"]


def test_at_traced_index():
    x = numbered((4, 3))
    f = jit(lambda x, i, v: x.at[i, 1:].add(v))
    for i in (2, -1, np.array([0, 1, 0]), np.array([[0], [3]])):
        expected = x.copy()
        np.add.at(expected, (i, slice(1, None)), 2.0)
        same(f(x, i, 2.0), expected)
    i = np.array([0, -1, 2])
    got = vmap(lambda i: anp.at(x)[i].set(0.0))(i)
    for k, out in zip(i, got, strict=True):
        expected = x.copy()
        expected[k] = 0
        same(out, expected)


def test_at_modes():
    x = numbered((3,))
    i = np.array([-1, 5, 1, -7])
    v = np.array([10.0, 20.0, 30.0, 40.0])
    run = lambda op, mode: jit(lambda x, i: getattr(x.at[i], op)(v, mode=mode))(x, i)  # noqa: E731
    for mode in (None, "raise", "promise_in_bounds"):
        with pytest.raises(IndexError, match="index 5 is out of bounds"):
            run("set", mode)
    for mode in ("drop", "fill"):
        same(run("add", mode), np.array([1.0, 32.0, 13.0]))
        same(run("divide", mode), np.array([1.0, 2 / 30, 3 / 10]))
    same(run("add", "clip"), np.array([41.0, 32.0, 33.0]))
    same(run("add", "wrap"), np.array([1.0, 32.0, 73.0]))
    same(jit(lambda x, i: x.at[i].get(mode="fill"))(x, i), np.array([3.0, np.nan, 2.0, np.nan]))
    same(jit(lambda x, i: x.at[i].get(mode="clip"))(x, i), np.array([3.0, 3.0, 2.0, 1.0]))
    filled = lambda x, i: x.at[i].get(mode="fill", fill_value=x[0])  # noqa: E731
    same(jit(filled)(x, i), np.array([3.0, 1.0, 2.0, 1.0]))
    same(grad(lambda x: total(filled(x, i)))(x), np.array([2.0, 1.0, 1.0]))
    for nothing in (np.zeros((0, 2), np.float32), np.zeros((0, 2), bool)):
        read = jit(lambda x, i: x.at[i].get(mode="fill", fill_value=True))(nothing, i)
        same(read, np.ones((4, 2), nothing.dtype))
    roots = jit(lambda x, i: x.at[i].apply(np.sqrt, mode="drop"))(x, i)
    same(roots, np.array([1.0, *np.sqrt([2.0, 3.0])]))
    # Static integers out of bounds too.
    same(jit(lambda x: x.at[7].set(0.0, mode="drop"))(x), x)
    same(jit(lambda x: x.at[7].set(0.0, mode="clip"))(x), np.array([1.0, 2.0, 0.0]))
    same(jit(lambda x: x.at[7].get(mode="wrap"))(x), x[1])
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        jit(lambda x: x.at[7].set(0.0))(x)
    with pytest.raises(ValueError, match="mode is one of"):
        jit(lambda x: x.at[0].set(0.0, mode="nearest"))(x)
    g = grad(lambda x: total(x.at[i].power(2.0, mode="drop")))(np.array([-1.0, 2.0, 0.0]))
    same(g, np.array([1.0, 4.0, 0.0]))
    g = grad(lambda x: total(x.at[i].divide(2.0, mode="drop")))(x)
    same(g, np.array([1.0, 0.5, 0.5]))


def test_at_traced_mask():
    x = numbered((2, 3))
    for op in ("set", "add", "multiply", "min"):
        for values in (2.5, np.array([1.0, 5.0, 2.0]), np.ones((1, 3))):
            values_at = values if np.ndim(values) == 0 else np.broadcast_to(values, (1, 3))
            got = jit(lambda x, m, v, op=op: getattr(x.at[m], op)(v))(x, x[:, 0] > 1, values)
            same(got, numpy_update(x, x[:, 0] > 1, op, values_at))
    same(jit(lambda x: x.at[x > 2].set(0))(x), np.where(x > 2, 0, x))
    same(jit(lambda x: x.at[x > 2].set(np.ones(4)))(x), np.where(x > 2, 1, x))
    with pytest.raises(ConcretizationError, match="what a mask selects"):
        make_jaxpr(lambda x: x.at[x > 2].set(np.ones(4)))(x)


def test_at_dtypes():
    x = np.array([1, 2, 3])
    same(jit(lambda x: x.at[0].set(1.7))(x), x)
    same(jit(lambda x: x.at[[0, 0]].add(True))(x), np.array([3, 2, 3]))
    u = x.astype(np.uint8)
    same(jit(lambda u: u.at[[0, 0]].subtract(1))(u), np.array([255, 2, 3], np.uint8))
    same(jit(lambda u: u.at[1:].subtract([1, 2]))(u), np.array([1, 1, 1], np.uint8))
    f = x.astype(np.float32)
    same(jit(lambda f, v: f.at[1].set(v))(f, 0.5), np.array([1, 0.5, 3], np.float32))
    b = x > 1
    same(jit(lambda b: b.at[0].set(1))(b), np.ones(3, bool))
    c = x.astype(complex)
    same(jit(lambda c: c.at[0].multiply(1j))(c), np.array([1j, 2, 3]))
    with pytest.raises(TypeError, match="complex values cannot be put"):
        jit(lambda x: x.at[0].set(1j))(x)
    with pytest.raises(TypeError, match="divide does not take an array of int64"):
        jit(lambda x: x.at[0].divide(2))(x)
    with pytest.raises(TypeError, match="subtract does not take an array of bool"):
        jit(lambda b: b.at[0].subtract(True))(b)
    with pytest.raises(OverflowError):
        jit(lambda u: u.at[0].set(300))(u)


def test_at_errors_and_repr():
    x = numbered((3,))
    with pytest.raises(ValueError, match=r"could not broadcast values of shape \(2,\)"):
        jit(lambda x: x.at[:].set(np.ones(2)))(x)
    with pytest.raises(ValueError, match="could not broadcast"):
        jit(lambda x: x.at[0].add(np.ones(2)))(x)
    with pytest.raises(IndexError, match="too many indices"):
        jit(lambda x: x.at[0, 0].set(1.0))(x)
    seen = []
    jit(lambda x: seen.append((repr(x.at), repr(x.at[1:]))) or x)(x)
    assert seen[0] == (
        "<at of Traced<f64[3]> under jit>",
        "<at[slice(1, None, None)] of Traced<f64[3]> under jit>",
    )


def test_at_values_with_leading_ones():
    x = numbered((3,))
    same(jit(lambda x: x.at[1:].set(np.ones((1, 1, 2))))(x), np.array([1.0, 1.0, 1.0]))
    same(jit(lambda x: x.at[[1]].add(np.ones((1, 1))))(x), np.array([1.0, 3.0, 3.0]))


def test_at_ties_share():
    _, t = jvp(lambda x: x.at[[0, 0]].max(np.array([1.0, 0.0])), (np.ones(2),), (np.ones(2),))
    same(t, np.array([0.5, 1.0]))


def test_at_derivative_away_from_touched_cells():
    x = np.array([-2.0, 3.0])
    v = np.array([2.0, 2.0])
    g = grad(lambda v: x_power(x, v))(v)
    np.testing.assert_allclose(g, np.full(2, 3.0**4 * np.log(3.0) * 2))


def x_power(x, v):
    return total(anp.at(x)[np.array([1, 1])].power(v))


# --- NumPy's functions -------------------------------------------------------------------------


def agree(f, *args, transform=True):
    """A NumPy function against itself, jitted, differentiated and mapped."""
    expected = f(*args)
    same(jit(f)(*args), expected)
    x, *rest = args
    if not transform or x.dtype.kind != "f":
        return
    t = RNG.standard_normal(x.shape).astype(x.dtype)
    out, tangent = jvp(lambda x: f(x, *rest), (x,), (t,))
    same(out, expected)
    same(tangent, f(t, *rest))
    w = RNG.standard_normal(np.shape(expected))
    g = grad(lambda x: total(f(x, *rest) * w))(x)
    np.testing.assert_allclose((g * t).sum(), (f(t, *rest) * w).sum(), 1e-5, 1e-10)
    xs = np.stack([x, t])
    same(vmap(lambda x: f(x, *rest))(xs), np.stack([f(x, *rest) for x in xs]))


def test_take():
    x = numbered((3, 4))
    i = np.array([[0, -1], [2, 1]])
    for axis in (None, 0, 1, -1):
        for index in (i, 1, -1, [0, 2], i[0]):
            agree(lambda x, axis=axis, index=index: np.take(x, index, axis), x)
        agree(lambda x, i, axis=axis: np.take(x, i, axis), x, i)
    for mode in ("clip", "wrap"):
        agree(lambda x, mode=mode: np.take(x, [5, -7, 1], 1, mode=mode), x)
        agree(lambda x, mode=mode: np.take(x, 9, 1, mode=mode), x)
    same(jit(lambda i: anp.take(x, i, 1))(i), np.take(x, i, 1))
    same(jit(lambda x: x.take([0, 1], axis=1))(x), x.take([0, 1], axis=1))
    with pytest.raises(IndexError, match="out of bounds"):
        jit(lambda x: np.take(x, 4, 1))(x)
    with pytest.raises(TypeError, match="integer indices"):
        jit(lambda x: np.take(x, 1.5))(x)
    with pytest.raises(ValueError, match="mode is"):
        jit(lambda x: np.take(x, 1, mode="fill"))(x)


def test_take_along_axis():
    x = RNG.standard_normal((3, 4))
    for axis in (0, 1, -1):
        agree(lambda x, i, axis=axis: np.take_along_axis(x, i, axis), x, np.argsort(x, axis))
    agree(lambda x: np.take_along_axis(x, np.array([[1, -1]]), 1), x)
    agree(lambda x: np.take_along_axis(x, np.array([[1], [2], [0]]), 1), x)
    agree(lambda x: np.take_along_axis(x[:1], np.array([[1, 2], [2, 0]]), 1), x)
    agree(lambda x: np.take_along_axis(x, np.array([5, 2]), None), x)
    agree(lambda x: np.take_along_axis(x, np.array([2, 2, -1]), 0), x[0])
    with pytest.raises(ValueError, match="same number of dimensions"):
        jit(lambda x: np.take_along_axis(x, np.array([0]), 0))(x)


def test_choose():
    x = numbered((4,))
    i = np.array([0, 2, 1, 0])
    agree(lambda x: np.choose(i, [x, 2 * x, x[::-1]]), x)
    same(jit(lambda i: np.choose(i, [x, -x, x * 2]))(i), np.choose(i, [x, -x, x * 2]))
    same(jit(lambda i: i.choose(numbered((3, 4))))(i), i.choose(numbered((3, 4))))
    for mode in ("clip", "wrap"):
        j = np.array([-1, 5, 1, -4])
        same(
            jit(lambda j, mode=mode: np.choose(j, [x, -x], mode=mode))(j),
            np.choose(j, [x, -x], mode=mode),
        )
    for bad in (-1, 2):
        with pytest.raises(IndexError, match="out of bounds"):
            jit(lambda j: np.choose(j, [x, -x]))(bad)


def test_compress_and_extract():
    x = numbered((3, 4))
    agree(lambda x: np.compress([True, False, True], x, axis=0), x)
    agree(lambda x: np.compress([False, True, True], x), x)
    agree(lambda x: np.extract(numbered((3, 4)) % 2 == 0, x), x)
    same(jit(lambda x: x.compress([True, False, True], axis=1))(x[:, :3]), x[:, :3][:, ::2])


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (2, 3, 4), (1, 1), (0, 3), (3, 0)])
def test_diagonals(shape):
    x = numbered(shape)
    for k in range(-5, 6):
        agree(lambda x, k=k: np.diagonal(x, k), x)
        agree(lambda x, k=k: np.trace(x, k), x)
        agree(lambda x, k=k: np.tril(x, k), x)
        agree(lambda x, k=k: np.triu(x, k), x)
        agree(lambda x, k=k: np.diag(anp.diagonal(x), k) if x.ndim == 2 else x[0], x)
        agree(lambda x, k=k: np.diagflat(x, k), x)
    if len(shape) > 2:
        for axes in ((0, 2), (2, 1), (-1, 0)):
            agree(lambda x, axes=axes: np.diagonal(x, 1, *axes), x)
            agree(lambda x, axes=axes: np.trace(x, -1, *axes), x)
            same(jit(lambda x, axes=axes: x.diagonal(1, *axes))(x), x.diagonal(1, *axes))


def test_diagonals_more():
    agree(lambda x: np.tril(x, 1), numbered((3,)))
    for dtype in (np.int8, bool, np.uint16, np.float32):
        agree(np.trace, numbered((3, 3)).astype(dtype))
        agree(np.diag, numbered((3,)).astype(dtype))
        agree(np.triu, numbered((3, 3)).astype(dtype))
    agree(lambda x: np.trace(x, dtype=np.float32), numbered((3, 3), int))
    for f in (np.diagonal, np.trace):
        with pytest.raises(ValueError, match="two dimensions"):
            jit(f)(numbered((3,)))
    with pytest.raises(ValueError, match="1- or 2-d"):
        jit(np.diag)(numbered((2, 2, 2)))


def test_roll():
    x = numbered((3, 4))
    for shift in (0, 1, -2, 13, np.int64(2)):
        for axis in (None, 0, 1, -1, (0, 1), (1, 1)):
            agree(lambda x, shift=shift, axis=axis: np.roll(x, shift, axis), x)
            if not isinstance(axis, tuple) or axis == (0, 1):
                same(
                    jit(lambda x, s, axis=axis: np.roll(x, s, axis))(x, shift),
                    np.roll(x, shift, axis),
                )
    agree(lambda x: np.roll(x, (1, -1), (0, 1)), x)
    agree(lambda x: np.roll(x, (1, 2)), x)
    agree(lambda x: np.roll(x, 1), np.zeros((0, 2)))
    s = np.array([1, 2])
    same(jit(lambda s: anp.roll(x, s, (0, 1)))(s), np.roll(x, s, (0, 1)))


def test_flips():
    x = numbered((2, 3, 4))
    for axis in (None, 0, -1, (0, 2), (0, 1, 2)):
        agree(lambda x, axis=axis: np.flip(x, axis), x)
    agree(np.fliplr, x)
    agree(np.flipud, x)
    for k in range(-2, 5):
        for axes in ((0, 1), (1, 0), (2, 0), (-1, 1)):
            agree(lambda x, k=k, axes=axes: np.rot90(x, k, axes), x)
    with pytest.raises(ValueError, match="2-d"):
        jit(np.fliplr)(numbered((2,)))


@FEW
@given(st.data())
def test_searchsorted(data):
    elements = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 1.0, 2.0, np.inf, np.nan])
    a = np.sort(data.draw(hnp.arrays(float, st.integers(0, 9), elements=elements)))
    v = data.draw(hnp.arrays(float, hnp.array_shapes(min_dims=0, max_dims=2), elements=elements))
    for side in ("left", "right"):
        find = lambda a, v, side=side: np.searchsorted(a, v, side)  # noqa: E731
        expected = np.searchsorted(a, v, side)
        same(jit(find)(a, v), expected)
        same(jit(lambda v, find=find: find(a, v))(v), expected)
        same(jit(lambda a, find=find: find(a, v))(a), expected)
        same(vmap(find, (None, 0))(a, np.stack([v, v])), np.stack([expected, expected]))


def test_searchsorted_more():
    a = np.array([1, 3, 3, 7])
    same(jit(lambda a: a.searchsorted(3))(a), np.searchsorted(a, 3))
    same(jit(lambda a: np.searchsorted(a, [2.5, 7]))(a), np.searchsorted(a, [2.5, 7]))
    b = a[::-1].copy()
    order = np.argsort(b)
    same(
        jit(lambda b: np.searchsorted(b, 3, "right", order))(b),
        np.searchsorted(b, 3, "right", order),
    )
    x = np.array([0.0, 1.0, 2.0])
    assert grad(lambda v: x[np.searchsorted(x, v)] * v)(1.5) == 2.0
    assert jit(grad(lambda v: anp.at(x)[np.searchsorted(x, v)].get() * v))(1.5) == 2.0
    same(jit(lambda a: np.searchsorted(a, True))(np.array([False, True])), np.int64(1))
    with pytest.raises(ValueError, match="one-dimensional"):
        jit(lambda a: np.searchsorted(a, 1))(numbered((2, 2)))
    with pytest.raises(ValueError, match="side"):
        jit(lambda a: np.searchsorted(a, 1, "middle"))(a)


def test_count_nonzero():
    x = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0]])
    for axis in (None, 0, 1, (0, 1)):
        for keepdims in (False, True):
            expected = np.count_nonzero(x, axis=axis, keepdims=keepdims)
            got = jit(lambda x, a=axis, k=keepdims: np.count_nonzero(x, axis=a, keepdims=k))(x)
            np.testing.assert_array_equal(got, expected)
            assert got.shape == np.shape(expected) and got.dtype == np.int64


def test_public_functions_without_tracers():
    x = numbered((3, 3))
    same(anp.take(x, [0, 2], axis=1), x[:, [0, 2]])
    same(anp.nonzero(x)[0], np.nonzero(x)[0])
