"""autotrace.lax.slicing: values against NumPy, and each rule against what it has to agree with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operation_checks import check_derivative, check_rules, check_staged, randn

from autotrace.core.avals import ShapedArray
from autotrace.core.jaxpr import check_jaxpr
from autotrace.core.trace import get_aval
from autotrace.lax import slicing as lax
from autotrace.lax.structural import broadcast_in_dim, full
from autotrace.transforms.simplify import simplify_jaxpr
from autotrace.transforms.stage import stage

FEW = settings(max_examples=40, deadline=None)


# --- slice -------------------------------------------------------------------------------------


@st.composite
def slices(draw):
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    starts = [draw(st.integers(0, n)) for n in shape]
    limits = [draw(st.integers(s, n)) for s, n in zip(starts, shape, strict=True)]
    return shape, starts, limits, [draw(st.integers(1, 3)) for _ in shape]


@FEW
@given(slices())
def test_slice(case):
    shape, starts, limits, strides = case
    x = randn(*shape)
    expected = np.asarray(x)[tuple(map(slice, starts, limits, strides))]
    np.testing.assert_array_equal(lax.slice(x, starts, limits, strides), expected)
    check_rules(lambda x: lax.slice(x, starts, limits, strides), x)


@FEW
@given(slices(), st.data())
def test_slice_of_slice(case, data):
    shape, starts, limits, strides = case
    x = randn(*shape)
    inner = lax.slice(x, starts, limits, strides).shape
    starts2 = [data.draw(st.integers(0, n)) for n in inner]
    limits2 = [data.draw(st.integers(s, n)) for s, n in zip(starts2, inner, strict=True)]
    strides2 = [data.draw(st.integers(1, 3)) for _ in inner]

    def fun(x):
        return [lax.slice(lax.slice(x, starts, limits, strides), starts2, limits2, strides2)]

    check_staged(fun, [x])
    assert len(simplify_jaxpr(stage(fun, [get_aval(x)])).eqns) <= 1


@pytest.mark.parametrize(
    "bounds", [((0,), (6,)), ((-1,), (2,)), ((2,), (1,)), ((0, 0), (1, 1)), ((0,), (2,), (0,))]
)
def test_slice_refuses(bounds):
    with pytest.raises(TypeError, match="cannot take"):
        lax.slice(np.zeros(5), *bounds)


def test_slice_in_dim():
    x = randn(4, 6)
    np.testing.assert_array_equal(lax.slice_in_dim(x, 1, 5, 2, axis=1), x[:, 1:5:2])
    np.testing.assert_array_equal(lax.slice_in_dim(x, -3, -1, axis=-1), x[:, -3:-1])
    np.testing.assert_array_equal(lax.slice_in_dim(x, None, None), x)


def test_index_in_dim():
    x = randn(4, 6)
    np.testing.assert_array_equal(lax.index_in_dim(x, -2, 1), x[:, [-2]])
    np.testing.assert_array_equal(lax.index_in_dim(x, 3, keepdims=False), x[3])
    with pytest.raises(IndexError, match="index 6 is out of bounds for axis 1 with size 6"):
        lax.index_in_dim(x, 6, 1)


def test_split():
    x = randn(3, 5)
    for got, want in zip(lax.split(x, (2, 0, 3), 1), np.split(x, (2, 2), 1), strict=True):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(TypeError, match="do not add up"):
        lax.split(x, (2, 2), 1)


# --- rev ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [(), (0,), (1, 2), (2, 0)])
def test_rev(dims):
    x = randn(2, 3, 4)
    np.testing.assert_array_equal(lax.rev(x, dims), np.flip(x, dims))
    check_rules(lambda x: lax.rev(x, dims), x)
    check_rules(lambda x: lax.rev(lax.rev(x, dims), (0, 2)), x)


def test_rev_refuses():
    with pytest.raises(TypeError, match="not different dimensions"):
        lax.rev(np.zeros(3), (1,))
    with pytest.raises(TypeError, match="not different dimensions"):
        lax.rev(np.zeros(3), (0, 0))


# --- pad ---------------------------------------------------------------------------------------


def padded(x, value, config):
    """What pad means, one element after the other."""
    pairs = zip(x.shape, config, strict=True)
    shape = [lo + hi + n + max(n - 1, 0) * i for n, (lo, hi, i) in pairs]
    out = np.full(shape, value)
    for place in np.ndindex(*x.shape):
        to = tuple(lo + p * (i + 1) for p, (lo, _, i) in zip(place, config, strict=True))
        if all(0 <= p < n for p, n in zip(to, shape, strict=True)):
            out[to] = x[place]
    return out


@st.composite
def pads(draw):
    shape = draw(st.lists(st.integers(0, 4), max_size=2))
    config = []
    for n in shape:
        interior = draw(st.integers(0, 2))
        low = draw(st.integers(-5, 5))
        dilated = n + max(n - 1, 0) * interior
        config.append((low, draw(st.integers(max(-5, -low - dilated), 6)), interior))
    return shape, config


@FEW
@given(pads())
def test_pad(case):
    shape, config = case
    x, value = np.asarray(randn(*shape)), np.float64(randn())
    np.testing.assert_array_equal(lax.pad(x, value, config), padded(x, value, config))
    check_rules(lambda x, v: lax.pad(x, v, config), x, value)


def test_pad_value():
    assert lax.pad(np.array([1, 2]), 7, [(1, 0, 0)]).tolist() == [7, 1, 2]
    assert lax.pad(np.array([True]), False, [(1, 0, 0)]).tolist() == [False, True]
    assert np.signbit(lax.pad(np.array([1.0]), -0.0, [(1, 0, 0)])[0])


@pytest.mark.parametrize(
    "value, config",
    [(np.float32(0), [(1, 1, 0)]), (0.0, [(1, 1, -1)]), (0.0, [(-2, -2, 0)]), (0.0, [])],
)
def test_pad_refuses(value, config):
    with pytest.raises(TypeError, match="pad"):
        lax.pad(np.zeros(3), value, config)


# --- concatenate -------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [0, 1])
def test_concatenate(dimension):
    parts = [np.moveaxis(randn(n, 3), 0, dimension) for n in (2, 0, 1)]
    np.testing.assert_array_equal(
        lax.concatenate(parts, dimension), np.concatenate(parts, dimension)
    )
    check_rules(lambda *xs: lax.concatenate(xs, dimension), *parts)
    check_rules(lambda x: lax.concatenate([x], dimension), parts[0])
    check_derivative(lambda x: lax.concatenate([x, x], dimension), parts[:1], [True], True)


@pytest.mark.parametrize(
    "parts, dimension",
    [
        ([], 0),
        ([np.zeros(2), np.zeros((2, 2))], 0),
        ([np.zeros((2, 3)), np.zeros((2, 2))], 0),
        ([np.zeros(2), np.zeros(2, np.float32)], 0),
        ([np.zeros(2)], 1),
        ([np.float64(0)], 0),
    ],
)
def test_concatenate_refuses(parts, dimension):
    with pytest.raises(TypeError, match="concatenate"):
        lax.concatenate(parts, dimension)


# --- simplification ----------------------------------------------------------------------------


def eqn_names(fun, *shapes):
    jaxpr = simplify_jaxpr(stage(lambda *xs: [fun(*xs)], [ShapedArray(s, float) for s in shapes]))
    check_jaxpr(jaxpr)
    return [e.primitive.name for e in jaxpr.eqns]


def test_simplified():
    zero = np.float64(0)
    repeated = lambda x: broadcast_in_dim(x, (4, 4), ())  # noqa: E731
    for fun, shape, names in [
        (lambda x: lax.rev(lax.rev(x, (0,)), (0,)), (4,), []),
        (lambda x: lax.rev(lax.rev(x, (0,)), (0, 1)), (4, 4), ["rev"]),
        (lambda x: lax.pad_p.bind(x, zero, padding_config=((0, 0, 0),)), (4,), []),
        (lambda x: lax.pad(x, 0.0, [(-1, -1, 0)]), (4,), ["slice"]),
        (lambda x: lax.concatenate_p.bind(x, dimension=0), (4,), []),
        (lambda x: lax.concatenate([x, full((0,), 0.0)], 0), (4,), []),
        (lambda x: lax.slice(repeated(x), (0, 1), (2, 2)), (), ["broadcast_in_dim"]),
        (lambda x: lax.rev(repeated(x), (1,)), (), ["broadcast_in_dim"]),
    ]:
        assert eqn_names(fun, shape) == names
