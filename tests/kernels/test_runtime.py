"""The native call of a program: what it takes, what it returns, and what it leaves behind."""

from __future__ import annotations

import copy
import enum
import gc
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from autotrace.kernels import Program

import autotrace as at
from autotrace import lax
from autotrace.core.trace import get_aval
from autotrace.transforms.stage import stage


def program(function: Callable[..., Any], *args: Any) -> Program:
    return Program(stage(function, [get_aval(x) for x in args]))


def bound(function: Callable[..., Any], *args: Any, single: bool = True) -> Any:
    return program(function, *args).bind([type(x) for x in args], single)


def compiled(function: Callable[..., Any]) -> Any:
    return at.jit(function, backend="numba")


def square(x: Any) -> list[Any]:
    return [lax.mul(x, x)]


def matrix() -> np.ndarray:
    return np.arange(12.0).reshape(4, 3) - 5


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same numbers as arrays that the native call does not take."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    unaligned = np.frombuffer(b"." + x.tobytes(), x.dtype, offset=1).reshape(x.shape)
    return {
        "fortran": np.asfortranarray(x),
        "gaps": wide[..., ::2],
        "reversed": np.flip(np.flip(x).copy()),
        "repeated": np.broadcast_to(x[:1], x.shape),
        "unaligned": unaligned,
        "swapped": x.astype(x.dtype.newbyteorder()),
        "unpickled": pickle.loads(pickle.dumps(x)),
        "subclass": x.view(type("Array", (np.ndarray,), {})),
        "masked": np.ma.masked_array(x),
    }


def array_layouts() -> list[str]:
    return list(layouts(matrix()))


# --- arguments: arrays -------------------------------------------------------------------------


@pytest.mark.parametrize("layout", array_layouts())
def test_arrays_that_only_the_program_takes(layout):
    x = layouts(matrix())[layout]
    made = program(square, matrix())
    call = made.bind([np.ndarray], True)
    native = call(x)
    if layout != "unpickled":  # its dtype may be the same object
        assert native is NotImplemented
    right = np.asarray(x, np.float64) ** 2
    for out in (made(x)[0], compiled(lambda x: square(x)[0])(x)):
        assert type(out) is np.ndarray and out.dtype is np.dtype(np.float64)
        np.testing.assert_array_equal(out, right)
    np.testing.assert_array_equal(call(matrix()), matrix() ** 2)


def test_read_only_arrays():
    x = matrix()
    x.flags.writeable = False
    np.testing.assert_array_equal(bound(square, x)(x), x**2)


def test_dtypes_of_their_own():
    x = matrix()
    own = np.ndarray(x.shape, copy.copy(x.dtype), x.tobytes())
    other = np.ndarray(x.shape, np.dtype("f8", copy=True, metadata={"a": 1}), x.tobytes())
    made = program(square, x)
    for y in (own, other):
        np.testing.assert_array_equal(made(y)[0], x**2)
        assert made(y)[0].dtype is np.dtype(np.float64)


@pytest.mark.parametrize(
    "other",
    [
        np.zeros(12),
        np.zeros((4, 3, 1)),
        np.zeros((3, 4)),
        np.zeros((4, 4)),
        np.zeros((0, 3)),
        np.zeros(()),
        np.zeros((4, 3), np.float32),
        np.zeros((4, 3), np.int64),
        np.zeros((4, 3), np.uint64),
        np.zeros((4, 3), bool),
        np.zeros((4, 3), complex),
        np.zeros((4, 3), "m8[s]"),
        np.zeros((4, 3), object),
        np.zeros((4, 3), "S8"),
        np.zeros((4, 3), [("a", "f8")]),
        1.0,
        1,
        True,
        None,
        "text",
        [[1.0] * 3] * 4,
        ((1.0,) * 3,) * 4,
        np.float64(1),
        np.ndarray,
        NotImplemented,
    ],
    ids=lambda x: f"{type(x).__name__}-{getattr(x, 'dtype', '')}-{np.shape(x)}",
)
def test_other_things_than_the_array(other):
    x = matrix()
    call = bound(square, x)
    assert call(other) is NotImplemented
    np.testing.assert_array_equal(call(x), x**2)


def test_counts_of_arguments():
    x = matrix()
    call = bound(lambda x, y: [lax.add(x, y)], x, x)
    for args in [(), (x,), (x, x, x, x), (x,) * 50]:
        assert call(*args) is NotImplemented
    with pytest.raises(TypeError):
        call(x, x, key=x)
    np.testing.assert_array_equal(call(x, x), 2 * x)


@pytest.mark.parametrize("other", [np.zeros(12), np.zeros((3, 4)), np.zeros((4, 3, 1))])
def test_the_program_itself_given_another_shape(other):
    made = program(square, matrix())
    with pytest.raises((TypeError, ValueError)):
        made(other)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_arrays_of_no_elements(shape):
    x = np.zeros(shape)
    call = bound(lambda x: [lax.exp(x), lax.transpose(x, range(x.ndim)[::-1])], x, single=False)
    first, second = call(x)
    assert first.shape == shape and second.shape == shape[::-1]
    assert call(np.zeros((*shape[:-1], shape[-1] + 1))) is NotImplemented
    total = bound(lambda x: [lax.reduce_sum(x, range(x.ndim))], x)(x)
    assert type(total) is np.float64 and total == 0


def test_dimensions_of_one_with_any_stride():
    x = np.lib.stride_tricks.as_strided(np.arange(4.0), (1, 4, 1), (99, 8, 7))
    assert x.flags.c_contiguous
    np.testing.assert_array_equal(bound(square, x)(x), x**2)


def test_arrays_of_many_dimensions():
    x = np.arange(2.0**12).reshape((2,) * 12 + (1,) * 20)
    right = x**2
    np.testing.assert_array_equal(bound(square, x)(x), right)
    np.testing.assert_array_equal(compiled(lambda x: x.T * 1.0)(x), x.T)


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "int64", "bool", "int8", "int16", "int32", "uint8", "uint16", "uint32",
     "uint64", "complex64", "complex128"],
)  # fmt: skip
def test_every_dtype(dtype):
    x = np.arange(6).reshape(2, 3).astype(dtype)

    def function(x: Any) -> list[Any]:
        return [lax.transpose(x, (1, 0)), lax.eq(x, x), x]

    call = bound(function, x, single=False)
    found = call(x)
    assert [a.dtype for a in found] == [x.dtype, np.dtype(bool), x.dtype]
    np.testing.assert_array_equal(found[0], x.T)
    np.testing.assert_array_equal(found[2], x)
    assert found[1].all()
    for other in ("float64", "float32", "int64", "bool", "int32"):
        if other != dtype:
            assert call(np.zeros(x.shape, other)) is NotImplemented


# --- arguments: scalars ------------------------------------------------------------------------


class _Whole(int):
    pass


class _Real(float):
    pass


class _Choice(enum.IntEnum):
    TWO = 2


SCALARS = [
    2.5, 2, True, 2j, np.float64(2.5), np.float32(2.5), np.int64(2), np.int32(2), np.int8(2),
    np.uint64(2), np.bool_(True), np.complex128(2j), np.complex64(2j),
]  # fmt: skip


def type_name(x: Any) -> str:
    return type(x).__name__


@pytest.mark.parametrize("x", SCALARS, ids=type_name)
def test_a_scalar_is_of_exactly_the_bound_type(x):
    call = bound(lambda x: [lax.eq(x, x), x], x, single=False)
    for other in [*SCALARS, np.array(x), None, _Whole(2), _Real(2.5), _Choice.TWO, "2", [2]]:
        found = call(other)
        if type(other) is type(x):
            assert found[0] and found[1] == x
            assert type(found[1]) is type(get_aval(x).dtype.type(x))
        else:
            assert found is NotImplemented


@pytest.mark.parametrize("x", SCALARS, ids=type_name)
def test_scalars_of_all_types_after_each_other(x):
    function = compiled(lambda x: (x, lax.ne(x, x)))
    right = at.jit(lambda x: (x, lax.ne(x, x)), backend="numpy")
    for other in [x, *SCALARS, np.array(x), _Whole(2), _Real(2.5), x]:
        for a, b in zip(function(other), right(other), strict=True):
            assert type(a) is type(b) and a == b


@pytest.mark.parametrize("x", [0, 1, -1, 2**30, -(2**30), 2**31, 2**60, 2**63 - 1, -(2**63)])
def test_whole_numbers(x):
    call = bound(lambda x: [x], 3)
    for _ in range(2):
        found = call(x)
        assert type(found) is np.int64 and int(found) == x


@pytest.mark.parametrize("x", [2**63, -(2**63) - 1, 2**64, 2**64 + 5, 2**200, -(2**200)])
def test_whole_numbers_that_are_too_large(x):
    call = bound(lambda x: [x], 3)
    assert call(x) is NotImplemented
    assert call(7) == 7
    function = compiled(lambda x: x + 1)
    for _ in range(2):
        with pytest.raises(OverflowError):
            function(x)
        assert function(7) == 8


@pytest.mark.parametrize("x", [0.0, -0.0, 1e308, 5e-324, np.inf, -np.inf, np.nan])
def test_floats(x):
    for kind in (float, np.float64):
        found = bound(lambda x: [x], kind(1))(kind(x))
        np.testing.assert_array_equal(found, x)
        assert np.signbit(found) == np.signbit(x)


@pytest.mark.parametrize("kind", [bool, np.bool_])
def test_truth(kind):
    call = bound(lambda x: [lax.bitwise_not(x)], kind(True))
    assert [bool(call(kind(x))) for x in (True, False, True)] == [False, True, False]


def test_mixed_arguments():
    args = (matrix(), 2.5, 3, True, np.float32(0.5), np.arange(4), 1j)

    def function(x: Any, a: Any, b: Any, c: Any, d: Any, y: Any, e: Any) -> Any:
        return np.where(c, x * a, x) + b, y * b, d * 2, x[0] * e

    found, right = compiled(function)(*args), at.jit(function, backend="numpy")(*args)
    for a, b in zip(found, right, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    found = compiled(function)(*args[:3], False, *args[4:])
    np.testing.assert_array_equal(found[0], args[0] + 3)


# --- outputs -----------------------------------------------------------------------------------


KEPT = np.arange(12.0).reshape(4, 3)


def callback(result: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A host step that returns something of its own."""
    return lambda x: at.pure_callback(result, at.ShapeDtypeStruct((4, 3), float), x)


FUNCTIONS: dict[str, Callable[[Any], list[Any]]] = {
    "input": lambda x: [x],
    "input repeated": lambda x: [x, x, x],
    "input and view of it": lambda x: [x, lax.reshape(x, (3, 4)), lax.rev(x, (0,))],
    "kernel": lambda x: [lax.exp(x)],
    "kernel repeated": lambda x: [y := lax.exp(x), y, lax.reshape(y, (12,))],
    "kernel and what is made of it": lambda x: [
        y := lax.exp(x),
        lax.sin(y),
        lax.reduce_sum(y, (0,)),
    ],
    "constant": lambda x: [KEPT],
    "constant repeated": lambda x: [KEPT, x, KEPT, lax.add(x, KEPT)],
    "constant that is filled": lambda x: [np.full((4, 3), 2.0), lax.full_like(x, 3.0)],
    "host": lambda x: [np.nextafter(x, 9.0)],
    "host repeated": lambda x: [y := np.nextafter(x, 9.0), y, lax.exp(y), y],
    "host of a kernel": lambda x: [np.nextafter(lax.exp(x), 9.0), lax.exp(x)],
    "host and view of it": lambda x: [y := np.nextafter(x, 9.0), lax.transpose(y, (1, 0))],
    "running sum": lambda x: [y := lax.cumsum(x, 0), y, lax.rev(y, (0,))],
    "gather": lambda x: [lax.gather(x, [np.array([1, 0, 3])], (0,))],
    "matrix product": lambda x: [lax.dot(x, lax.transpose(x, (1, 0)))],
    "complex": lambda x: [lax.real(y := lax.complex(x, x)), lax.imag(y), y, lax.conj(y)],
    "int32": lambda x: [y := lax.convert_element_type(x, np.int32), y, lax.reshape(y, (12,))],
    "callback that returns its argument": lambda x: [callback(lambda x: x)(x)],
    "callback that returns a view": lambda x: [callback(lambda x: x[::-1])(x)],
    "callback of a kernel": lambda x: [y := lax.exp(x), callback(lambda y: y)(y)],
    "scalars": lambda x: [lax.reduce_sum(x, (0, 1)), y := lax.reduce_max(x, (0,)), y],
    "nested": lambda x: [at.jit(lambda x: (x, lax.exp(x)))(x)[0], x],
}


def assert_fresh(function: Callable[[Any], list[Any]]) -> None:
    x = matrix()
    before = x.copy()
    with np.errstate(all="ignore"):
        right = [np.array(y) for y in function(matrix())]
    jitted = compiled(function)
    earlier: list[Any] = []
    for _ in range(3):
        outs = jitted(x)
        for a, b in zip(outs, right, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)
        for at_, out in enumerate(outs):
            if not isinstance(out, np.ndarray):
                continue
            assert type(out) is np.ndarray
            assert out.flags.c_contiguous and out.flags.writeable and out.flags.aligned
            for other in [x, KEPT, *outs[:at_], *earlier]:
                assert not np.shares_memory(out, other)
        earlier += outs
        for out in outs:
            if isinstance(out, np.ndarray):
                out.fill(77)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(KEPT.ravel(), np.arange(12.0))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_outputs_are_new(name):
    assert_fresh(FUNCTIONS[name])


@pytest.mark.parametrize("view", [KEPT, np.frombuffer(KEPT.tobytes()).reshape(4, 3)])
def test_outputs_are_new_where_a_callback_keeps_what_it_returns(view):
    assert_fresh(lambda x: [callback(lambda x: view)(x)])


@pytest.mark.parametrize("shape", [(12,), (3, 4), (4, 1, 3), (2, 6, 1)])
def test_a_host_steps_result_reshaped(shape):
    x = matrix()
    out = compiled(lambda x: lax.reshape(np.nextafter(x, 9.0), shape))(x)
    np.testing.assert_array_equal(out, np.nextafter(x, 9.0).reshape(shape))


def test_a_part_of_a_host_steps_result_of_no_elements():
    x = np.zeros((4, 0))
    out = compiled(lambda x: lax.slice(np.nextafter(x, 9.0), (0, 0), (2, 0)))(x)
    assert out.shape == (2, 0)


def test_outputs_outlive_the_program():
    x = matrix()
    made = program(lambda x: [lax.exp(x), lax.cumsum(x, 0), lax.reduce_sum(x, (0, 1))], x)
    outs = made(x)
    del made
    gc.collect()
    for found, right in zip(outs, (np.exp(x), x.cumsum(0), x.sum()), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-15)


def test_what_callbacks_keep_of_their_arguments():
    kept = []

    def keep(x: Any, s: Any) -> Any:
        kept.append((x, s))
        return x * s

    def function(x: Any) -> Any:
        y = lax.exp(x)
        return at.pure_callback(
            keep, at.ShapeDtypeStruct((4, 3), float), y, lax.reduce_sum(y, (0, 1))
        )

    jitted = compiled(function)
    given = [matrix() / n for n in (1, 2, 3)]
    for x in given:
        jitted(x)
    for x, (y, s) in zip(given, kept, strict=True):
        np.testing.assert_allclose(y, np.exp(x), rtol=1e-15)
        np.testing.assert_allclose(s, np.exp(x).sum(), rtol=1e-13)


def test_scalar_results_are_numpy_scalars():
    function = compiled(lambda x: (x.sum(), x.max() > 1, x.astype(np.float32).sum(), x.argmax()))
    outs = function(matrix())
    assert [type(x) for x in outs] == [np.float64, np.bool_, np.float32, np.int64]


# --- arrays to write to ------------------------------------------------------------------------


def several(x: Any, s: Any) -> list[Any]:
    return [lax.mul(x, s), lax.reduce_sum(x, (0,)), lax.gt(x, s)]


def outputs() -> list[np.ndarray]:
    return [np.zeros((4, 3)), np.zeros(3), np.zeros((4, 3), bool)]


def test_arrays_to_write_to():
    x, outs = matrix(), outputs()
    made = program(several, x, 2.0)
    assert made.takes_outputs
    call = made.bind([np.ndarray, float], outputs=True)
    for s in (2.0, 3.0):
        found = call(x, s, *outs)
        assert type(found) is tuple and all(a is b for a, b in zip(found, outs, strict=True))
        np.testing.assert_array_equal(outs[0], x * s)
        np.testing.assert_array_equal(outs[1], x.sum(0))
        np.testing.assert_array_equal(outs[2], x > s)
    assert call(x, 2.0) is NotImplemented
    assert made.bind([np.ndarray, float])(x, 2.0, *outs) is NotImplemented
    single = program(square, x).bind([np.ndarray], True, outputs=True)
    assert single(x, outs[0]) is outs[0]
    np.testing.assert_array_equal(outs[0], x**2)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_arrays_that_cannot_be_written_to(place):
    x = matrix()
    call = program(several, x, 2.0).bind([np.ndarray, float], outputs=True)
    right = outputs()[place]
    read_only = right.copy()
    read_only.flags.writeable = False
    wrong = [
        read_only,
        np.zeros((*right.shape, 2), right.dtype)[..., 0],
        right.astype(np.int64),
        right.astype(np.float32),
        np.zeros((*right.shape, 1), right.dtype),
        right.ravel()[:-1].copy(),
        right.view(type("Array", (np.ndarray,), {})),
        None,
        2.0,
    ]
    if right.dtype != bool:
        wrong.append(right.astype(">f8"))
        wrong.append(
            np.frombuffer(bytearray(right.nbytes + 1), float, offset=1).reshape(right.shape)
        )
    for other in wrong:
        outs = outputs()
        outs[place] = other
        assert call(x, 2.0, *outs) is NotImplemented
        assert not any(np.any(out) for out in outs if isinstance(out, np.ndarray))
    for count in (1, 2):
        assert call(x, 2.0, *outputs()[:count]) is NotImplemented
    assert call(x, 2.0, *outputs(), np.zeros(3)) is NotImplemented


def test_scalars_beside_arrays_to_write_to():
    x, out = matrix(), np.zeros((4, 3))
    made = program(lambda x: [lax.reduce_sum(x, (0, 1)), lax.exp(x)], x)
    total, found = made.bind([np.ndarray], outputs=True)(x, out)
    assert found is out and total == x.sum()
    np.testing.assert_allclose(out, np.exp(x), rtol=1e-15)


@pytest.mark.parametrize(
    "function", [lambda x: [np.nextafter(x, 9.0)], lambda x: [lax.exp(x), np.nextafter(x, 9.0)]]
)
def test_programs_that_take_no_arrays_to_write_to(function):
    x = matrix()
    made = program(function, x)
    assert not made.takes_outputs
    call = made.bind([np.ndarray])
    arrays = [np.zeros((4, 3)) for _ in call(x)]
    assert call(x, *arrays) is NotImplemented
    assert not any(np.any(a) for a in arrays)


# --- references and memory ---------------------------------------------------------------------


def counted_things(x: np.ndarray) -> list[Any]:
    return [None, True, NotImplemented, ..., np.ndarray, np.float64, np.dtype(np.float64),
            np.dtype(np.int64), np.dtype(bool), x, (), tuple]  # fmt: skip


CALLS: dict[str, Callable[[np.ndarray], tuple[Any, tuple]]] = {
    "array": lambda x: (bound(square, x), (x,)),
    "no elements": lambda x: (bound(square, x[:0]), (x[:0],)),
    "tuple": lambda x: (bound(several, x, 2.0, single=False), (x, 2.0)),
    "arrays to write to": lambda x: (bound(several, x, 2.0, single=False), (x, 2.0, *outputs())),
    "scalars": lambda x: (
        bound(lambda a, b, c: [lax.mul(a, a), b, c], 2.5, 3, True, single=False),
        (1e10, 10**15, False),
    ),
    "host": lambda x: (
        bound(lambda x: [np.nextafter(lax.exp(x), 9.0), lax.argmax(x, 0)], x, single=False),
        (x,),
    ),
    "host scalars": lambda x: (
        bound(
            lambda x: [np.nextafter(x, 9.0), lax.gcd(s := lax.argmax(lax.reshape(x, (12,)), 0), s)],
            x,
            single=False,
        ),
        (x,),
    ),
    "another dtype": lambda x: (bound(square, x), (x.astype(int),)),
    "another shape": lambda x: (bound(square, x), (x.T,)),
    "another count": lambda x: (bound(several, x, 2.0), (x,)),
    "too large": lambda x: (bound(lambda a: [a], 3), (2**70,)),
    "jit": lambda x: (compiled(lambda x: np.sin(x) * 2), (x,)),
    "jit of a tree": lambda x: (compiled(lambda x: {"a": np.sin(x), "b": (x, x.sum())}), (x,)),
    "jit of another layout": lambda x: (compiled(lambda x: np.sin(x) * 2), (x.T,)),
    "jit of a dtype of its own": lambda x: (
        compiled(lambda x: np.sin(x) * 2),
        (pickle.loads(pickle.dumps(x)),),
    ),
    "jit of a program with a host step": lambda x: (
        compiled(lambda x: np.nextafter(x * 2, 9.0)),
        (x,),
    ),
    "jit of an error": lambda x: (raising(compiled(lambda x: callback(fail)(x))), (x,)),
    "memory error": lambda x: (raising(bound(too_large, x, single=False)), (x,)),
    "index error": lambda x: (
        raising(compiled(lambda x, i: lax.gather(x, [i], (0,)))),
        (x, np.array([9])),
    ),
}


def fail(x: Any) -> Any:
    raise ValueError("no result")


def too_large(x: Any) -> list[Any]:
    """The second array cannot be made, the first is given back."""
    return [lax.exp(x), lax.broadcast_in_dim(x, (1 << 43, 4, 3), (1, 2))]


def raising(function: Callable[..., Any]) -> Callable[..., None]:
    def call(*args: Any) -> None:
        with pytest.raises((ValueError, IndexError, MemoryError)):
            function(*args)

    return call


@pytest.mark.parametrize("name", CALLS)
def test_references(name):
    x = matrix()
    call, args = CALLS[name](x)
    for _ in range(3):
        call(*args)
    things = counted_things(x) + list(args)
    # What other tests have left behind refers to True and None thousands of times.
    gc.collect()
    gc.disable()
    try:
        before = [sys.getrefcount(thing) for thing in things]
        for _ in range(1000):
            call(*args)
        after = [sys.getrefcount(thing) for thing in things]
    finally:
        gc.enable()
    # One reference a call would be a leak.
    for thing, a, b in zip(things, before, after, strict=True):
        assert abs(a - b) < 300, f"{thing!r}: {a} and {b} references"


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def check_memory(call: Callable[..., Any], args: tuple, count: int) -> None:
    for _ in range(count // 10 + 10):
        call(*args)
    gc.collect()
    blocks, size = sys.getallocatedblocks(), resident()
    for _ in range(count):
        call(*args)
    gc.collect()
    # A byte a call would not be seen, a smallest object would.
    assert sys.getallocatedblocks() - blocks < count // 20 + 200
    assert resident() - size < 8 * count + 2**19


SLOW_CALLS = frozenset(["jit of an error", "index error", "memory error"])


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("name", CALLS)
def test_memory(name):
    check_memory(*CALLS[name](matrix()), 500 if name in SLOW_CALLS else 20_000)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("name", ["array", "tuple", "scalars", "another dtype", "too large", "jit"])
def test_memory_over_many_calls(name):
    check_memory(*CALLS[name](matrix()), 200_000)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("name", CALLS)
def test_memory_over_a_million_calls(name):
    check_memory(*CALLS[name](matrix()), 20_000 if name in SLOW_CALLS else 1_000_000)


def test_a_program_is_freed():
    x = matrix()
    made = program(lambda x: [np.nextafter(lax.exp(x), 9.0), lax.reduce_sum(x, (0, 1))], x)
    made(x)
    call = made.bind([np.ndarray])
    reference = weakref.ref(made)
    right = made(x)
    del made
    gc.collect()
    assert reference() is None
    for found, other in zip(call(x), right, strict=True):  # a built-in function lives on its own
        np.testing.assert_array_equal(found, other)


def test_a_jitted_functions_program_is_freed():
    def one() -> weakref.ref:
        constant = np.ones((4, 3))
        jitted = compiled(lambda x: np.nextafter(np.exp(x) * constant, 9.0))
        jitted(matrix())
        return weakref.ref(constant)

    reference = one()
    gc.collect()
    assert reference() is None


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_memory_of_programs():
    x = np.ones((300, 1000))

    def one() -> None:  # 2.4 MB of temporaries and 2.4 MB of constants
        constant = np.ones((300, 1000))
        made = program(
            lambda x: [lax.reduce_sum(np.nextafter(lax.add(x, constant), 9.0), (0, 1))], x
        )
        made(x)

    for _ in range(3):
        one()
    gc.collect()
    before = resident()
    for _ in range(30):
        one()
    gc.collect()
    assert resident() - before < 20 * 2**20


# --- errors ------------------------------------------------------------------------------------


class _Failing:
    """A callback that raises when told to."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __call__(self, x: Any) -> Any:
        if self.error is not None:
            raise self.error
        return x + 1


@pytest.mark.parametrize("size", [3, 100_000])  # the interpreter's lock is released for the second
@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), MemoryError(), RecursionError()]
)
def test_a_host_step_that_raises(size, error):
    host = _Failing()
    x = np.linspace(0, 1, size)

    def function(x: Any) -> Any:
        y = at.pure_callback(host, at.ShapeDtypeStruct((size,), float), np.exp(x))
        z = np.sort(y * 2)
        return at.pure_callback(host, at.ShapeDtypeStruct((size,), float), z), y

    jitted = compiled(function)
    right = 2 * np.exp(x) + 3
    for _ in range(3):
        np.testing.assert_allclose(jitted(x)[0], right, rtol=1e-14)
        host.error = error
        with pytest.raises(type(error)):
            jitted(x)
        host.error = None
    np.testing.assert_allclose(jitted(x)[0], right, rtol=1e-14)


def test_a_host_step_that_returns_something_else():
    results: list[Any] = [np.zeros(4), np.zeros((4, 3), np.float32), np.zeros((4, 3), ">f8"), None]
    x = matrix()
    jitted = compiled(lambda x: np.exp(callback(lambda x: results[0] if results else x)(x)))
    while results:
        with pytest.raises(TypeError):
            jitted(x)
        results.pop(0)
    np.testing.assert_allclose(jitted(x), np.exp(x), rtol=1e-15)


def test_results_that_do_not_fit_into_memory():
    call = bound(lambda x: [lax.broadcast_in_dim(x, (1 << 46,), ())], 1.5)
    for _ in range(3):
        with pytest.raises(MemoryError):
            call(2.5)
    assert call(1) is NotImplemented


def test_index_errors():
    x = matrix()
    jitted = compiled(lambda x, i: np.exp(x[i]) + x.sum())
    for i in (0, 3, -1, -4):
        np.testing.assert_allclose(jitted(x, np.int64(i)), np.exp(x[i]) + x.sum(), rtol=1e-14)
        for wrong in (4, -5, 2**62):
            with pytest.raises(IndexError):
                jitted(x, np.int64(wrong))


# --- calls within calls, threads and processes -------------------------------------------------


def test_a_host_step_that_calls_the_same_function():
    x = matrix()
    depth = []

    def again(x: Any) -> Any:
        depth.append(len(depth))
        return jitted(x) if len(depth) < 5 else x

    def function(x: Any) -> Any:
        y = np.exp(x / 10)
        return np.tanh(callback(again)(y) + y)

    jitted = compiled(function)
    found = jitted(x)
    ys = [np.exp(x / 10)]
    for _ in range(4):
        ys.append(np.exp(ys[-1] / 10))
    right = ys[-1]
    for y in reversed(ys):
        right = np.tanh(right + y)
    np.testing.assert_allclose(found, right, rtol=1e-13)
    assert depth == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(jitted(x), np.tanh(np.exp(x / 10) * 2), rtol=1e-13)


def test_a_host_step_that_calls_the_same_function_without_end():
    endless = [True]

    def again(x: Any) -> Any:
        return jitted(x) if endless else x

    jitted = compiled(lambda x: np.tanh(callback(again)(np.exp(x))))
    with pytest.raises(RecursionError):
        jitted(matrix())
    endless.clear()
    np.testing.assert_allclose(jitted(matrix()), np.tanh(np.exp(matrix())), rtol=1e-14)


def test_the_native_call_is_not_entered_twice():
    x = matrix()
    seen = []

    def again(x: Any) -> Any:
        seen.append(call(x))
        return x

    call = bound(lambda x: [lax.mul(callback(again)(x), x)], x)
    np.testing.assert_array_equal(call(x), x**2)
    assert seen == [NotImplemented]
    np.testing.assert_array_equal(call(x), x**2)


def test_a_collector_that_calls_the_same_function():
    """Making an output may run Python code: the garbage collector's."""
    x = matrix()
    jitted = compiled(lambda x: (np.exp(x), np.sin(x), x.sum()))
    right = jitted(x)
    wrong = []

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            found = jitted(x)
            if not all(np.array_equal(a, b) for a, b in zip(found, right, strict=True)):
                wrong.append(found)

    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for _ in range(300):
            Cycle()
            for a, b in zip(jitted(x), right, strict=True):
                np.testing.assert_array_equal(a, b)
    finally:
        gc.set_threshold(*threshold)
    assert not wrong


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Run in threads that start together; the first error of any of them is raised."""
    errors: list[BaseException] = []
    together = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            together.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.fixture
def quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("size", [5, 30_000])  # the interpreter's lock is released for the second
@pytest.mark.parametrize("host", [False, True])
def test_threads(quick_switches, size, host):
    x = np.linspace(0, 1, size)

    def function(x: Any, s: Any) -> Any:
        y = np.exp(x) * s
        z = at.pure_callback(np.sqrt, at.ShapeDtypeStruct((size,), float), y) if host else y
        return z + y, y.sum(), x

    jitted = compiled(function)
    rights = [(np.sqrt(y) if host else y) + y for s in range(1, 9) for y in [np.exp(x) * s]]

    def work(number: int) -> None:
        s = float(number + 1)
        mine = x.copy()
        for _ in range(60 if size > 100 else 600):
            out, total, same = jitted(mine, s)
            np.testing.assert_allclose(out, rights[number], rtol=1e-14)
            np.testing.assert_allclose(total, np.exp(x).sum() * s, rtol=1e-12)
            assert not np.shares_memory(same, mine)

    in_threads(work, 8)


def test_threads_with_arguments_of_different_types(quick_switches):
    jitted = compiled(lambda x, y: (x * 2, y + 1))
    given = [(1.5, 2), (np.float64(1.5), 2), (3, 2.5), (np.ones(3), 2), (np.ones(3), np.ones(2))]

    def work(number: int) -> None:
        x, y = given[number % len(given)]
        for _ in range(300):
            a, b = jitted(x, y)
            assert np.all(a == np.multiply(x, 2)) and np.all(b == np.add(y, 1))
            assert a.dtype == np.asarray(x).dtype

    in_threads(work, 10)


def test_threads_compile_one_function():
    def work(number: int) -> None:
        outs = jitted(np.ones(3))
        np.testing.assert_allclose(outs, np.exp(np.ones(3)) * 7.25, rtol=1e-15)

    for _ in range(5):
        jitted = compiled(lambda x: np.exp(x) * 7.25)
        in_threads(work, 6)


def test_frames_are_used_again():
    x = matrix()
    made = program(square, x)
    for _ in range(5):
        made(x)
    assert len(made._calls) == 1
    assert [len(calls) for calls in made._calls.values()] == [1]


def test_other_threads_run_during_a_long_program():
    x = np.linspace(0, 1, 500_000)
    jitted = compiled(lambda x: np.sum(np.sin(np.exp(np.tanh(x)))))
    jitted(x)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)  # a thread runs until it gives the lock away
    try:
        for _ in range(50):  # on a busy machine the other thread may not be given a processor
            started, finished = threading.Event(), threading.Event()

            def work(started: Any = started, finished: Any = finished) -> None:
                started.set()
                jitted(x)
                finished.set()

            thread = threading.Thread(target=work)
            thread.start()
            started.wait()
            ran_meanwhile = not finished.is_set()
            thread.join()
            if ran_meanwhile:
                return
    finally:
        sys.setswitchinterval(before)
    pytest.fail("no other thread ran")


_FORK = """
import os, sys, threading, traceback
import numpy as np
import autotrace as at

x = np.linspace(0, 1, 400_000)
host = lambda x: at.pure_callback(np.sqrt, at.ShapeDtypeStruct(x.shape, float), x)
jitted = at.jit(lambda x: np.tanh(host(np.exp(x))).sum(), backend="numba")
right = jitted(x)
stop = False

def work():
    while not stop:
        jitted(x)

threads = [threading.Thread(target=work) for _ in range(2)]
for t in threads:
    t.start()
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            same = all(jitted(x) == right for _ in range(3))
            other = at.jit(lambda x: np.cos(x) * 2.5 + 1, backend="numba")(x)  # compiled here
            code = 0 if same and np.allclose(other, np.cos(x) * 2.5 + 1) else 2
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children]
stop = True
for t in threads:
    t.join()
assert jitted(x) == right
print(codes)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_while_programs_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORK],
        env={**os.environ, "AUTOTRACE_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[0,", *["0,"] * 6, "0]"], done.stderr


# --- settings ----------------------------------------------------------------------------------


def test_warnings_of_the_processor_stay_off():
    x = np.array([-1.0, 0.0, 1e300])
    jitted = compiled(lambda x: (np.log(x), np.exp(x), 1 / x, np.sort(x) ** 3))
    with np.errstate(all="raise"):
        jitted(x)
        jitted(x)


def test_debug_nans_after_plain_calls():
    jitted = compiled(lambda x: np.log(x) * 2)
    x = np.array([1.0, -1.0])
    for _ in range(3):
        jitted(x)
    with at.debug_nans(), pytest.raises(at.NanError):
        jitted(x)
    assert np.isnan(jitted(x)[1])
