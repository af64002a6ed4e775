"""autotrace.kernels.Program: its memory, its threads, and values of common computations."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest
from autotrace.kernels import Program
from autotrace.kernels.build import counts
from scipy import special

import autotrace
from autotrace import lax
from autotrace.core.trace import get_aval
from autotrace.transforms.stage import stage


def program(function: Any, *args: Any) -> Program:
    return Program(stage(function, [get_aval(x) for x in args]))


def run(function: Any, *args: Any) -> list[Any]:
    return program(function, *args)(*args)


def numba(function: Any) -> Any:
    return autotrace.jit(function, backend="numba")


def along(x: Any, reduced: Any) -> Any:
    """What was reduced over the last dimension, for each element of it again."""
    return lax.broadcast_in_dim(reduced, x.shape, tuple(range(len(x.shape) - 1)))


def softmax(x: Any) -> Any:
    last = (len(x.shape) - 1,)
    e = lax.exp(lax.sub(x, along(x, lax.reduce_max(x, last))))
    return lax.div(e, along(x, lax.reduce_sum(e, last)))


def logsumexp(x: Any) -> Any:
    last = (len(x.shape) - 1,)
    most = lax.reduce_max(x, last)
    total = lax.reduce_sum(lax.exp(lax.sub(x, along(x, most))), last)
    return lax.add(most, lax.log(total))


def variance(x: Any) -> Any:
    last, n = (len(x.shape) - 1,), np.float64(x.shape[-1])
    centred = lax.sub(x, along(x, lax.div(lax.reduce_sum(x, last), n)))
    return lax.div(lax.reduce_sum(lax.mul(centred, centred), last), n)


def layer_norm(x: Any) -> Any:
    last, n = (len(x.shape) - 1,), np.float64(x.shape[-1])
    centred = lax.sub(x, along(x, lax.div(lax.reduce_sum(x, last), n)))
    scale = lax.rsqrt(lax.add(variance(x), np.float64(1e-5)))
    return lax.mul(centred, along(x, scale))


def np_layer_norm(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def randn(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape)


# --- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: [x],
        lambda x: [x, x, lax.reshape(x, (12,))],
        lambda x: [lax.transpose(x, (1, 0))],
        lambda x: [lax.exp(x), lax.reduce_sum(x, (0,))],
        lambda x: [lax.slice(x, (0, 0), (2, 3))],
        lambda x: [lax.dynamic_slice(x, (0, 0), (2, 3))],
        lambda x: [lax.pad(x, np.float64(0), [(1, 1, 0), (0, 0, 1)])],
        lambda x: [lax.cumsum(lax.reshape(x, (12,)), 0)],
    ],
)
def test_jitted_outputs_are_new(function):
    x = randn(4, 3)
    before = x.copy()
    outs = numba(function)(x)
    for i, out in enumerate(outs):
        assert not np.shares_memory(out, x)
        assert not any(np.shares_memory(out, other) for other in outs[:i])
        assert out.flags.writeable
        assert out.flags.c_contiguous
        out[...] = 7.0
    np.testing.assert_array_equal(x, before)
    again = numba(function)(x)
    for a, b in zip(again, function(x), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_constant_that_is_an_output_is_not_the_programs(order):
    constant = np.asarray(randn(4, 3), order=order)
    jitted = numba(lambda x: (constant, lax.add(x, constant)))
    right = constant.copy()
    jitted(right)[0][...] = 5.0
    np.testing.assert_array_equal(constant, right)
    np.testing.assert_array_equal(jitted(right)[0], right)
    np.testing.assert_array_equal(jitted(right)[1], 2 * right)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: lax.dynamic_slice(lax.exp(x), (0, 0), (2, 3)),
        lambda x: lax.exp(x),
        lambda x: lax.transpose(lax.exp(x), (1, 0)),
        lambda x: lax.dynamic_index_in_dim(lax.exp(x), 1),
        lambda x: lax.cumsum(lax.exp(x), 0),
        lambda x: lax.reduce_max(lax.exp(x), (1,)),
    ],
)
def test_outputs_outlive_the_next_call(function):
    x = randn(4, 3)
    made = program(lambda x: [function(x)], x)
    (first,) = made(x)
    (second,) = made(x + 1)
    np.testing.assert_allclose(first, function(x), rtol=1e-14)
    np.testing.assert_allclose(second, function(x + 1), rtol=1e-14)


def test_calls_after_an_error():
    x = randn(5)
    made = program(lambda x, i: [lax.exp(lax.gather(x, [i], (0,)))], x, np.array([1]))
    with pytest.raises(IndexError):
        made(x, np.array([9]))
    np.testing.assert_allclose(made(x, np.array([2]))[0], np.exp(x[[2]]), rtol=1e-15)


def test_read_only_and_unusual_inputs():
    x = randn(4, 3)
    x.flags.writeable = False
    wide = np.zeros((4, 6))[:, ::2]
    swapped = x.astype(">f8")
    f = numba(lambda x: lax.mul(x, x))
    unaligned = np.frombuffer(b"." + x.tobytes(), offset=1).reshape(4, 3)
    repeated = np.broadcast_to(x[0], (4, 3))
    for y in (x, np.asfortranarray(x), x[::-1, ::-1], wide, repeated, swapped, unaligned):
        np.testing.assert_array_equal(f(y), np.asarray(y, float) ** 2)


def test_threads():
    x = randn(300, 40)
    made = program(lambda x: [softmax(x), lax.cumsum(lax.exp(x), 0), logsumexp(x)], x)
    wrong = []

    def work(number: int) -> None:
        y = x + number
        right = [special.softmax(y, -1), np.exp(y).cumsum(0), special.logsumexp(y, -1)]
        for _ in range(30):
            for a, b in zip(made(y), right, strict=True):
                if not np.allclose(a, b, rtol=1e-12):
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# --- sums --------------------------------------------------------------------------------------


def cancelling(rng: np.random.Generator, n: int) -> np.ndarray:
    half = 1e6 * rng.normal(size=n // 2)
    return np.concatenate([half, -rng.permutation(half)]) + 1e-3


@pytest.mark.parametrize(
    "make",
    [
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: rng.random(n),
        lambda rng, n: rng.normal(size=n) * 10.0 ** rng.uniform(-8, 8, n),
        cancelling,
    ],
)
def test_long_sums_are_as_accurate_as_those_of_numpy(make):
    wrong, wrong_of_numpy = 0.0, 0.0
    for seed in range(10):
        x = make(np.random.default_rng(seed), 1_000_000)
        exact = math.fsum(x)
        (found,) = run(lambda x: [lax.reduce_sum(x, (0,))], x)
        wrong += abs(found - exact)
        wrong_of_numpy += max(abs(x.sum() - exact), 2 * np.spacing(abs(exact)))
    assert wrong <= 1.25 * wrong_of_numpy  # their spread over ten inputs


def test_sums_of_rows_are_as_accurate():
    x = np.random.default_rng(0).random((5, 100_000)).astype(np.float32)
    exact = x.astype(np.float64).sum(1)
    (found,) = run(lambda x: [lax.reduce_sum(x, (1,))], x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=1.2e-7)


@pytest.mark.parametrize("size", [3, 512, 513, 1024, 5000])
def test_special_sums(size):
    x = np.ones(size)
    total = program(lambda x: [lax.reduce_sum(x, (0,))], x)
    for places, right in [
        ({0: np.inf}, np.inf),
        ({size - 1: -np.inf}, -np.inf),
        ({0: np.inf, size - 1: np.inf}, np.inf),
        ({0: np.inf, size - 1: -np.inf}, np.nan),
        ({size // 2: np.nan}, np.nan),
        ({0: np.inf, 1: np.nan}, np.nan),
        ({0: 1e308, size - 1: 1e308, 1: 1e308}, np.inf),
        ({0: -1.7e308, size - 1: -1.7e308}, -np.inf),
    ]:
        y = x.copy()
        for place, value in places.items():
            y[place] = value
        np.testing.assert_equal(total(y)[0], np.float64(right))
    assert total(x)[0] == size


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_reductions_of_nothing(shape, dtype):
    x = np.zeros(shape, dtype)
    for axes in [(0,), (len(shape) - 1,), tuple(range(len(shape)))]:
        total, product = run(lambda x, a=axes: [lax.reduce_sum(x, a), lax.reduce_prod(x, a)], x)
        np.testing.assert_array_equal(total, x.sum(axes))
        np.testing.assert_array_equal(product, x.prod(axes))
        assert total.dtype == product.dtype == x.dtype
        assert np.shape(total) == np.shape(product) == x.sum(axes).shape


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_extrema_with_nan(dtype, axes):
    x = randn(7, 2000).astype(dtype)
    x[2, 1500] = np.nan
    x[4, 7] = -np.inf
    x[5] = np.inf
    most, least = run(lambda x: [lax.reduce_max(x, axes), lax.reduce_min(x, axes)], x)
    np.testing.assert_array_equal(most, x.max(axes))
    np.testing.assert_array_equal(least, x.min(axes))


def test_extrema_of_infinities():
    x = np.full((3, 4), -np.inf)
    assert run(lambda x: [lax.reduce_max(x, (0, 1))], x)[0] == -np.inf
    assert run(lambda x: [lax.reduce_min(x, (0, 1))], -x)[0] == np.inf


def test_integers_wrap_around():
    x = np.array([2**62, 2**62, 3, -5])
    total, product = run(lambda x: [lax.reduce_sum(x, (0,)), lax.reduce_prod(x, (0,))], x)
    assert total == x.sum()
    assert product == x.prod()


# --- kernels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [softmax, layer_norm, logsumexp, variance])
def test_sizes_share_kernels(function):
    run(lambda x: [function(x)], randn(32, 10))
    run(lambda x: [function(x)], randn(3000, 70))  # large ones go through blocks of rows
    count = counts()
    for rows, columns in [(64, 10), (7, 10), (5000, 10), (32, 11), (2, 3000), (4000, 80)]:
        x = randn(rows, columns)
        np.testing.assert_allclose(
            run(lambda x: [function(x)], x)[0], function(x), rtol=1e-12, atol=1e-14
        )
    assert counts() == count


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40, 1000), (2, 3, 4), (3000,)])
@pytest.mark.parametrize(
    ("function", "right"),
    [
        (softmax, lambda x: special.softmax(x, -1)),
        (logsumexp, lambda x: special.logsumexp(x, -1)),
        (variance, lambda x: x.var(-1)),
        (layer_norm, np_layer_norm),
    ],
)
def test_values(function, right, shape):
    x = 10 * randn(*shape) + 3
    np.testing.assert_allclose(numba(function)(x), right(x), rtol=1e-12, atol=1e-14)


def test_shape_changes_of_many_operations():
    def doubling(x: Any) -> Any:  # seen through one view after another, it would double each time
        for _ in range(18):
            x = lax.mul(lax.add(x, lax.transpose(x, (1, 0))), np.float64(0.5))
        return x

    def long(x: Any) -> Any:  # deeper than Python's stack
        for _ in range(600):
            x = lax.add(x, np.float64(0.25))
        return lax.transpose(x, (1, 0))

    x = randn(3, 3)
    np.testing.assert_allclose(run(lambda x: [doubling(x)], x)[0], doubling(x), rtol=1e-13)
    np.testing.assert_allclose(run(lambda x: [long(x)], x)[0], x.T + 150, rtol=1e-13)


@pytest.mark.parametrize("config", [[(1, 1, 0), (0, 0, 0)], [(2, -2, 0), (-1, 1, 0)]])
def test_padding_is_filled_before_it_is_written_over(config):
    x = randn(4, 3)

    def function(x: Any) -> list[Any]:  # a kernel over the shape of x comes before the padding
        return [lax.reduce_sum(x, (0, 1)), lax.pad(x, np.float64(7), config)]

    for a, b in zip(run(function, x), function(x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_a_result_with_dimensions_of_one_is_not_copied():
    x = randn(3, 4)
    made = program(lambda x: [lax.reshape(lax.reduce_sum(x, (1,)), (3, 1))], x)
    assert len(made.kernels) == 1
    np.testing.assert_allclose(made(x)[0], x.sum(1, keepdims=True), rtol=1e-14)


# --- scalars -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x",
    [1.5, 3, True, 2j, np.float64(1.5), np.float32(1.5), np.int64(3), np.int32(3), np.bool_(True),
     np.complex128(2j), np.array(1.5), np.array(3), np.array(True), np.array(2j), -0.0, np.nan],
)  # fmt: skip
def test_scalar_inputs(x):
    kind = np.asarray(x).dtype

    def function(x: Any) -> Any:
        wide = lax.broadcast_in_dim(x, (2, 3), ())
        some = [x, wide, lax.eq(x, x), lax.gather(wide, [np.array([1])], (1,))]
        return some if kind.kind == "b" else [*some, lax.add(x, x), lax.cumsum(wide, 0)]

    found, right = numba(function)(x), autotrace.jit(function, backend="numpy")(x)
    for a, b in zip(found, right, strict=True):
        assert type(a) is type(b)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_comparisons_of_bools():
    x, y = (a.ravel() for a in np.meshgrid([False, True], [False, True]))
    for f in (lax.lt, lax.le, lax.gt, lax.ge, lax.eq, lax.ne):
        np.testing.assert_array_equal(run(lambda x, y, f=f: [f(x, y)], x, y)[0], f(x, y))


def test_bools_of_any_byte():
    x = np.array([0, 1, 2, 255], np.uint8).view(bool)
    found = run(lambda x: [lax.bitwise_not(x), lax.convert_element_type(x, np.int64)], x)
    np.testing.assert_array_equal(found[0], [True, False, False, False])
    np.testing.assert_array_equal(found[1], [0, 1, 1, 1])


def test_signs_of_zero():
    x = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf])
    for f in (lax.neg, lax.abs, lax.floor, lax.sqrt, lax.sin, lax.tanh, lax.square, lax.reciprocal):
        (found,) = run(lambda x, f=f: [f(x)], x)
        with np.errstate(all="ignore"):
            right = f(x)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(right))
        number = ~np.isnan(right)
        np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(right[number]))
    (low, high) = run(lambda x, y: [lax.min(x, y), lax.max(x, y)], x[:2], x[1::-1])
    np.testing.assert_array_equal(low, [0.0, 0.0])
    np.testing.assert_array_equal(high, [0.0, 0.0])
