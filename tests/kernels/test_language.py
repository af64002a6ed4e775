"""The language of kernels: a text compiled by LLVM does what it does as plain Python."""

from __future__ import annotations

import ctypes
import itertools
import platform
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from autotrace.kernels.build import Source, address, addresses, counts, llvm_text
from autotrace.kernels.llvm.values import TranslationError
from plain_kernels import NAMES, Pointer

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float64", "float32")
NUMBERS = (*INTEGERS, *FLOATS)
DTYPES = (*NUMBERS, "bool")


def c_type(dtype: str) -> Any:
    if dtype == "void":
        return None
    return ctypes.c_void_p if dtype[0] == "*" else np.ctypeslib.as_ctypes_type(np.dtype(dtype))


def native(source: Source) -> Callable[..., Any]:
    types = [c_type(dtype) for dtype in source.dtypes]
    return ctypes.CFUNCTYPE(c_type(source.result), *types)(address(source))


def compiled(text: str, dtypes: tuple[str, ...], result: str = "void", **options: Any) -> Any:
    return native(Source(text, dtypes, result, **options))


def type_of(x: Any) -> str:
    return f"*{x.dtype}" if isinstance(x, np.ndarray) else np.asarray(x).dtype.name


def plainly(text: str, **names: Any) -> Callable[..., Any]:
    namespace = {**NAMES, **names}
    exec(text, namespace)
    function = [f for f in namespace.values() if getattr(f, "__module__", None) is None][-1]

    def call(*args: Any) -> Any:
        given = [Pointer(x) if isinstance(x, np.ndarray) else x for x in args]
        with np.errstate(all="ignore"):
            return function(*given)

    return call


def assert_same(found: Any, right: Any) -> None:
    found, right = np.asarray(found), np.asarray(right)
    assert found.dtype == right.dtype
    np.testing.assert_array_equal(found, right)
    if right.dtype.kind == "f":
        number = ~np.isnan(right)
        np.testing.assert_array_equal(np.signbit(found[number]), np.signbit(right[number]))


def check(text: str, *args: Any, result: str = "void") -> list[Any]:
    """Run a text compiled and plainly; the arrays as it leaves them, and what it returns."""
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in args]
    others = [x.copy() if isinstance(x, np.ndarray) else x for x in args]
    function = compiled(text, tuple(map(type_of, args)), result)
    out = function(*[x.ctypes.data if isinstance(x, np.ndarray) else x.item() for x in copies])
    right = plainly(text)(*others)
    for a, b in zip(copies, others, strict=True):
        assert_same(a, b)
    if result != "void":
        assert_same(np.dtype(result).type(out), np.dtype(result).type(right))
    return [*copies, out]


def elementwise(expression: str, *arrays: np.ndarray, out: str) -> np.ndarray:
    """``expression`` of elements x, y, z for each place, compiled and plainly."""
    names = "xyz"[: len(arrays)]
    loads = "\n".join(f"        {name} = {name}s[i]" for name in names)
    text = f"""
def loop({", ".join(f"{name}s" for name in names)}, out, n):
    for i in range(n):
{loads}
        out[i] = {expression}
"""
    size = arrays[0].size
    return check(text, *arrays, np.zeros(size, out), np.int64(size))[len(arrays)]


def integers(dtype: str, size: int = 60) -> np.ndarray:
    """Small numbers, the ends of the range, and some between."""
    info = np.iinfo(dtype)
    ends = [0, 1, 2, 3, 5, 100, info.max, info.max - 1, info.min, info.min + 1, info.max // 2]
    between = np.random.default_rng(3).integers(info.min, info.max, size, dtype, endpoint=True)
    return np.concatenate([np.array(ends, dtype), np.array([-1, -7]).astype(dtype), between])


def floats(dtype: str, size: int = 60) -> np.ndarray:
    info = np.finfo(dtype)
    special = [0.0, 1.0, 0.1, 1.5, 2.5, 1e10, info.max, info.tiny, info.smallest_subnormal, np.inf]
    between = np.random.default_rng(4).normal(size=size) * 10.0 ** np.arange(size).clip(0, 30)
    return np.concatenate([special, np.negative(special), [np.nan], between]).astype(dtype)


def numbers(dtype: str) -> np.ndarray:
    if dtype == "bool":
        return np.array([False, True, True, False])
    return integers(dtype) if dtype in INTEGERS else floats(dtype)


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    x = numbers(dtype)[:40]
    a, b = np.meshgrid(x, x)
    return a.ravel(), b.ravel()


# --- arithmetic --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("sign", ["+", "-", "*"])
def test_arithmetic(dtype, sign):
    x, y = pairs(dtype)
    with np.errstate(all="ignore"):
        right = {"+": np.add, "-": np.subtract, "*": np.multiply}[sign](x, y)
    assert_same(elementwise(f"x {sign} y", x, y, out=dtype), right)


@pytest.mark.parametrize("dtype", FLOATS)
def test_division_of_floats(dtype):
    x, y = pairs(dtype)
    function = compiled(
        "def loop(x, y, out, n):\n    for i in range(n):\n        out[i] = x[i] / y[i]\n",
        (f"*{dtype}",) * 3 + ("int64",),
    )
    out = np.empty_like(x)
    function(x.ctypes.data, y.ctypes.data, out.ctypes.data, x.size)
    with np.errstate(all="ignore"):
        assert_same(out, x / y)


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_operation_rounds(dtype):
    eps = np.finfo(dtype).eps
    x = np.array([1 + eps, 1 - eps, 1 + 3 * eps, 3.0], dtype)
    out = elementwise("x * y - z", x, x, x * x, out=dtype)
    np.testing.assert_array_equal(out, 0)  # a fused multiply-add would give the product's error
    big, one = np.full(4, 1 / eps, dtype), np.full(4, 0.25, dtype)
    np.testing.assert_array_equal(elementwise("(x + y) - x", big, one, out=dtype), 0)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_quotients_of_integers(dtype):
    x, y = pairs(dtype)
    allowed = (y != 0) & ~((y == np.array(-1).astype(dtype)) & (x == np.iinfo(dtype).min))
    x, y = x[allowed], y[allowed]
    whole = elementwise("quotient(x, y)", x, y, out=dtype)
    left = elementwise("rest(x, y)", x, y, out=dtype)
    np.testing.assert_array_equal(whole * y + left, x)
    np.testing.assert_array_equal(left, np.fmod(x, y))


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@pytest.mark.parametrize("sign", ["&", "|", "^"])
def test_bits(dtype, sign):
    x, y = pairs(dtype)
    right = {"&": np.bitwise_and, "|": np.bitwise_or, "^": np.bitwise_xor}[sign](x, y)
    assert_same(elementwise(f"x {sign} y", x, y, out=dtype), right)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts(dtype):
    x = integers(dtype)
    bits = np.iinfo(dtype).bits
    x, y = (a.ravel() for a in np.meshgrid(x, np.arange(bits).astype(dtype)))
    assert_same(elementwise("x << y", x, y, out=dtype), x << y)
    assert_same(elementwise("x >> y", x, y, out=dtype), x >> y)
    assert_same(elementwise(f"(x << {bits - 1}) >> 1", x, out=dtype), (x << bits - 1) >> 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", ["==", "!=", "<", "<=", ">", ">="])
def test_comparisons(dtype, sign):
    x, y = pairs(dtype)
    functions = {"==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal}
    right = (functions | {">": np.greater, ">=": np.greater_equal})[sign](x, y)
    assert_same(elementwise(f"x {sign} y", x, y, out="bool"), right)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_signs_and_magnitudes(dtype):
    x = numbers(dtype)
    with np.errstate(all="ignore"):
        assert_same(elementwise("-x", x, out=dtype), -x)
        assert_same(elementwise("abs(x)", x, out=dtype), np.abs(x))


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_inversion(dtype):
    x = numbers(dtype)
    assert_same(elementwise("~x", x, out=dtype), ~x)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers_take_the_type_of_what_they_meet(dtype):
    x = numbers(dtype)
    with np.errstate(all="ignore"):
        assert_same(elementwise("3 - x * 2 + 1", x, out=dtype), 3 - x * 2 + 1)
    assert_same(elementwise("x > 2", x, out="bool"), x > 2)
    assert_same(elementwise("2 <= x", x, out="bool"), x >= 2)
    if dtype in FLOATS:
        assert_same(elementwise("0.1 + x", x, out=dtype), np.dtype(dtype).type(0.1) + x)
        assert_same(elementwise("x == np.inf or x != x", x, out="bool"), (x == np.inf) | (x != x))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_extremes_of_integers(dtype):
    x, y = pairs(dtype)
    assert_same(elementwise("min(x, y)", x, y, out=dtype), np.minimum(x, y))
    assert_same(elementwise("max(x, y)", x, y, out=dtype), np.maximum(x, y))


@pytest.mark.parametrize("dtype", FLOATS)
def test_functions_of_floats(dtype):
    x, y = pairs(dtype)
    with np.errstate(all="ignore"):
        assert_same(elementwise("sqrt(x)", x, out=dtype), np.sqrt(x))
        assert_same(elementwise("floor(x)", x, out=dtype), np.floor(x))
        found = elementwise("maximum(x, y)", x + 0.0, y + 0.0, out=dtype)
        np.testing.assert_array_equal(found, np.maximum(x, y))
        found = elementwise("minimum(x, y)", x + 0.0, y + 0.0, out=dtype)
        np.testing.assert_array_equal(found, np.minimum(x, y))


@pytest.mark.parametrize("dtype", DTYPES)
def test_select(dtype):
    x, y = pairs(dtype)
    test = np.random.default_rng(0).random(x.size) < 0.5
    assert_same(elementwise("select(z, x, y)", x, y, test, out=dtype), np.where(test, x, y))
    assert_same(elementwise("x if z else y", x, y, test, out=dtype), np.where(test, x, y))
    zero = np.zeros((), dtype)
    assert_same(elementwise("select(y, x, 0)", x, test, out=dtype), np.where(test, x, zero))


def test_truth():
    x, y = (a.ravel() for a in np.meshgrid([False, True], [False, True]))
    z = np.array([True, False, True, True])
    for expression, right in [
        ("x and y", x & y),
        ("x or y", x | y),
        ("not x", ~x),
        ("not (x or y) and z", ~(x | y) & z),
        ("x and y and z", x & y & z),
        ("x or y or z", x | y | z),
        ("x == y", x == y),
        ("x < y", x < y),
        ("True and x", x),
        ("False or not z", ~z),
    ]:
        assert_same(elementwise(expression, x, y, z, out="bool"), right)


@pytest.mark.parametrize("seed", range(20))
def test_random_expressions(seed):
    rng = np.random.default_rng(seed)
    dtype = str(rng.choice(NUMBERS))

    def number(depth: int) -> str:
        choice = rng.integers(8) if depth else 0
        if choice <= 1:
            return str(rng.choice(["x", "y", "z"]))
        if choice == 2:
            return f"(-{number(depth - 1)})"
        if choice == 3:
            return f"select({truth(depth - 1)}, {number(depth - 1)}, {number(depth - 1)})"
        if choice == 4:
            return f"abs({number(depth - 1)} - {rng.integers(1, 9)})"
        if choice == 5 and dtype in INTEGERS:
            return f"({number(depth - 1)} {rng.choice(['&', '|', '^'])} {number(depth - 1)})"
        if choice == 6 and dtype in INTEGERS:
            return f"({number(depth - 1)} {rng.choice(['<<', '>>'])} {rng.integers(0, 8)})"
        return f"({number(depth - 1)} {rng.choice(['+', '-', '*'])} {number(depth - 1)})"

    def truth(depth: int) -> str:
        if depth and rng.random() < 0.3:
            return f"({truth(depth - 1)} {rng.choice(['and', 'or'])} not {truth(depth - 1)})"
        return f"({number(depth)} {rng.choice(['<', '<=', '==', '!='])} {number(depth)})"

    arrays = [rng.permutation(numbers(dtype)) for _ in range(3)]
    for _ in range(3):
        elementwise(number(5), *arrays, out=dtype)
        elementwise(truth(4), *arrays, out="bool")


# --- conversions -------------------------------------------------------------------------------


def convertible(source: str, target: str) -> np.ndarray:
    """Numbers to convert, the ends of the target's range and what lies beyond among them."""
    x = numbers(source)
    if source not in FLOATS:
        return x
    ends = [0.5, -0.5, 0.99, -0.99, -1.0, -1.5, 2.0**31, 2.0**32, 2.0**62, 2.0**63, 2.0**64]
    if target in INTEGERS:
        info = np.iinfo(target)
        ends += [info.max, info.max + 0.5, info.max + 1.0, info.max + 2.0, 2.0 * info.max]
        ends += [info.min, info.min - 0.5, info.min - 1.0, info.min - 2.0, 2.0 * info.min]
    ends = np.array(ends, source)
    near = [np.nextafter(ends, ends.dtype.type(far)) for far in (-np.inf, np.inf)]
    return np.concatenate([x, ends, -ends, *near])


def converted(x: np.ndarray, target: str) -> np.ndarray:
    name = "bool_" if target == "bool" else target
    function = compiled(
        f"def loop(x, out, n):\n    for i in range(n):\n        out[i] = np.{name}(x[i])\n",
        (f"*{x.dtype}", f"*{target}", "int64"),
    )
    out = np.empty(x.size, target)
    function(x.ctypes.data, out.ctypes.data, x.size)
    return out


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_conversions_are_those_of_numpy(source, target):
    x = convertible(source, target)
    with np.errstate(all="ignore"):
        right = x.astype(target)
        if target == "uint32":  # NumPy's arrays and scalars differ beyond its range
            right = np.array([number.astype(target) for number in x])
        inside = np.ones(x.size, bool)
        if platform.machine() != "x86_64" and source in FLOATS and target in INTEGERS:
            info = np.iinfo(target)
            inside = (x > info.min - 1.0) & (x < info.max)
    assert_same(converted(x, target)[inside], right[inside])


@pytest.mark.parametrize("target", NUMBERS)
def test_conversions_of_numbers(target):
    text = f"def f(out):\n    out[0] = np.{target}(7)\n    out[1] = np.{target}(2.75)\n"
    out = check(text, np.zeros(2, target))[0]
    np.testing.assert_array_equal(out, np.array([7, 2.75]).astype(target))


# --- statements --------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ["+", "-", "*", "/"])
def test_augmented_assignment(sign):
    text = f"""
def f(x, y):
    total = 1.5
    total {sign}= y
    x[1] {sign}= total
    x[0 + 2] {sign}= x[1]
"""
    check(text, np.array([3.0, 4.0, 5.0]), np.float64(2.25))


@pytest.mark.parametrize("sign", ["&", "|", "^", "<<", ">>"])
def test_augmented_assignment_of_bits(sign):
    check(f"def f(x, y):\n    y {sign}= 3\n    x[0] {sign}= y\n", np.array([77]), np.int64(2))


def test_several_targets():
    check("def f(x):\n    a = x[1] = x[2] = x[0] + 1\n    x[3] = a\n", np.arange(5, 10))


@pytest.mark.parametrize("bounds", ["n", "2, n", "-3, n", "n, 2", "0, n, 3", "1, n + 1, 2"])
@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_loops_over_ranges(bounds, n):
    text = f"""
def f(out, n):
    at = 0
    for i in range({bounds}):
        out[at] = i
        at += 1
    out[at] = 77
"""
    check(text, np.zeros(20, np.int64), np.int64(n))


def test_bounds_are_computed_once():
    text = """
def f(out, n):
    for i in range(n):
        n = n + 1
        out[0] = n + i
"""
    check(text, np.zeros(1, np.int64), np.int64(5))


def test_nested_loops_and_breaks():
    text = """
def f(out, n):
    at = 0
    for i in range(n):
        if i == 4:
            break
        for j in range(i, n):
            if j > 2 * i:
                break
            out[at] = 10 * i + j
            at += 1
        k = i
        while True:
            k += 1
            if k > 6:
                break
            if k == 5:
                out[at] = -k
                at += 1
                break
        out[at] = 1000 + k
        at += 1
"""
    check(text, np.zeros(80, np.int64), np.int64(8))


def test_while():
    text = """
def f(x):
    steps = 0
    while x != 1 and steps < 1000:
        if x & 1 == 0:
            x = x >> 1
        else:
            x = 3 * x + 1
        steps += 1
    return steps
"""
    assert check(text, np.int64(27), result="int64")[-1] == 111
    assert check(text, np.int64(1), result="int64")[-1] == 0


@pytest.mark.parametrize("x", [-5.0, -0.0, 0.5, 1.0, 7.0, np.nan])
def test_branches_that_return(x):
    text = """
def f(x):
    if x < 0:
        return 1
    elif x < 1:
        y = 2
    else:
        for i in range(10):
            if np.float64(i) == x:
                return 100 + i
        y = 3
    if y == 2:
        pass
    else:
        y = 4
    return 10 * y
"""
    check(text, np.float64(x), result="int64")


def test_a_return_without_a_value():
    text = """
def f(x):
    x[0] = 1
    if x[1] == 0:
        return
    x[0] = 2
"""
    assert check(text, np.array([0, 0]))[0][0] == 1
    assert check(text, np.array([0, 1]))[0][0] == 2


def test_types_of_names():
    text = '''
def f(x, out, flags):
    """A docstring."""
    whole = 7
    part = 0.5
    yes = True
    single = np.float32(0.1)
    whole = whole * 3
    out[0] = np.float64(whole) + part
    out[1] = np.float64(single)
    flags[0] = yes
    yes = x > 2.0
    flags[1] = yes
    flags[2] = not yes
'''
    check(text, np.float64(2.5), np.zeros(2), np.zeros(3, bool))


def test_numbers_alone_are_computed_while_translating():
    text = "def f(x):\n    x[0] = x[7 % 4] + (2 ** 10 - 3 * 5 // 2) + min(4, 2)\n"
    assert check(text, np.arange(5) + 100)[0][0] == 103 + 1017 + 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_arguments_by_value(dtype):
    x = numbers(dtype)[3]
    check("def f(out, x):\n    out[0] = x\n    out[1] = x\n", np.zeros(2, dtype), x)


# --- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [1, 3, 7])
def test_pointers_at_any_address(dtype, offset):
    x = np.resize(numbers(dtype), 101)
    text = "def f(x, out, n):\n    for i in range(n):\n        out[i] = x[i]\n"
    function = compiled(text, (f"*{dtype}", f"*{dtype}", "int64"))
    size = x.nbytes
    given, found = (np.full(size + 16, 0xA5, np.uint8) for _ in range(2))
    given[offset : offset + size] = x.view(np.uint8)
    function(given.ctypes.data + offset, found.ctypes.data + offset, x.size)
    assert found[offset : offset + size].tobytes() == x.tobytes()
    assert (found[:offset] == 0xA5).all() and (found[offset + size :] == 0xA5).all()


def test_bools_in_memory():
    given = np.array([0, 1, 2, 128, 255] * 20, np.uint8)
    out = np.full(100, 7, np.uint8)
    text = "def f(x, out, n):\n    for i in range(n):\n        out[i] = not x[i]\n"
    compiled(text, ("*bool", "*bool", "int64"))(given.ctypes.data, out.ctypes.data, 100)
    np.testing.assert_array_equal(out, given == 0)


@pytest.mark.parametrize("shift", [-1, 1])
def test_loops_over_memory_that_they_write(shift):
    text = f"def f(x, n):\n    for i in range(1, n):\n        x[i] = x[i + {shift}] + x[i]\n"
    check(text, np.arange(100.0), np.int64(99))
    check(text, np.arange(100), np.int64(99))


def test_addresses_in_memory():
    text = """
def f(table, out, n):
    for i in range(n):
        row = pointer_float64(table[i])
        row[1] = row[0] * 2.0
        end = pointer_float64(address_of(row, 2))
        out[i] = end[0] + end[-1]
"""
    rows = np.arange(12.0).reshape(4, 3)
    table = np.array([row.ctypes.data for row in rows])
    out = np.zeros(4)
    compiled(text, ("*int64", "*float64", "int64"))(table.ctypes.data, out.ctypes.data, 4)
    np.testing.assert_array_equal(rows[:, 1], 2 * rows[:, 0])
    np.testing.assert_array_equal(out, rows[:, 2] + rows[:, 1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_addresses_of_elements(dtype):
    text = f"def f(x):\n    other = pointer_{dtype}(address_of(x, 3))\n    other[0] = x[0]\n"
    x = np.resize(numbers(dtype), 5)
    right = x.copy()
    right[3] = x[0]
    compiled(text, (f"*{dtype}",))(x.ctypes.data)
    assert_same(x, right)


def test_sums_in_any_order():
    x = np.random.default_rng(0).normal(size=1001)
    text = """
def f(x, n):
    total = 0.0
    for i in range(n):
        total = add_any_order(total, x[i])
    return total
"""
    total = compiled(text, ("*float64", "int64"), "float64")(x.ctypes.data, x.size)
    np.testing.assert_allclose(total, x.sum(), rtol=1e-12)
    plain = text.replace("add_any_order(total, x[i])", "total + x[i]")
    assert check(plain, x, np.int64(x.size), result="float64")[-1] == np.cumsum(x)[-1]


def test_additions_by_several_threads():
    text = """
def f(counter, n):
    last = 0
    for i in range(n):
        last = atomic_add(counter, 1, 3)
    return last
"""
    function = compiled(text, ("*int64", "int64"), "int64")
    counter = np.zeros(2, np.int64)
    threads = [
        threading.Thread(target=function, args=(counter.ctypes.data, 20_000)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.tolist() == [0, 3 * 4 * 20_000]
    assert function(counter.ctypes.data, 1) == 3 * 4 * 20_000
    read = compiled("def f(x):\n    return atomic_load(x, 1)\n", ("*int64",), "int64")
    assert read(counter.ctypes.data) == 3 * (4 * 20_000 + 1)
    swap = compiled("def f(x):\n    return atomic_swap(x, 1, 5)\n", ("*int64",), "int64")
    assert swap(counter.ctypes.data) == 3 * (4 * 20_000 + 1)
    assert counter.tolist() == [0, 5]


# --- calls -------------------------------------------------------------------------------------


def test_calls_of_c_functions():
    seen = []

    @ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_double)
    def note(a: int, b: float) -> None:
        seen.append((a, b))

    @ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_int64)
    def scaled(x: float, by: int) -> float:
        return x * by

    @ctypes.CFUNCTYPE(ctypes.c_int64)
    def seven() -> int:
        return 7

    text = """
def f(note, scaled, seven, x):
    invoke(note, "void(int32, float64)", np.int32(5), x)
    invoke(note, "void(int32, float64)", 6, 2)
    number = invoke(seven, "int64()")
    return invoke(scaled, "float64(float64, int64)", x, number)
"""
    function = compiled(text, ("int64", "int64", "int64", "float64"), "float64")
    where = [ctypes.cast(f, ctypes.c_void_p).value for f in (note, scaled, seven)]
    assert function(*where, 1.5) == 10.5
    assert seen == [(5, 1.5), (6, 2.0)]


HELPERS = (
    ("def twice(x):\n    return x * FACTOR\n", ("float64",), "float64"),
    ("def fill(out, x):\n    out[0] = twice(x)\n    out[1] = x\n", ("*float64", "float64"), "void"),
)


def test_helpers_and_names():
    text = "def f(out, x):\n    fill(out, x)\n    out[WHERE] = twice(3) + np.float64(FACTOR)\n"
    out = np.zeros(3)
    function = compiled(
        text, ("*float64", "float64"), names=(("FACTOR", 2), ("WHERE", 2)), helpers=HELPERS
    )
    function(out.ctypes.data, 1.25)
    np.testing.assert_array_equal(out, [2.5, 1.25, 8.0])


def test_sources_that_differ_in_a_name_are_different():
    text = "def f():\n    return NUMBER\n"
    for number in (3, 4):
        assert compiled(text, (), "int64", names=(("NUMBER", number),))() == number


@pytest.mark.parametrize("dtype", DTYPES)
def test_tables(dtype):
    """A kernel's arguments, each in a word of a table."""
    text = """
def loops(x, out, scalar, size, start, stop):
    for i in range(start, stop):
        out[i] = scalar if i == size else x[i]
"""
    x = np.resize(numbers(dtype), 20)
    out = np.zeros(20, dtype)
    scalar = numbers(dtype)[-2:-1]
    table = np.full(4, -1, np.int64)
    table[0], table[1], table[3] = x.ctypes.data, out.ctypes.data, 5
    table[2:3].view(dtype)[:1] = scalar
    source = Source(
        text,
        (f"*{dtype}", f"*{dtype}", dtype, "int64", "int64", "int64"),
        table=True,
        parallel=True,
    )
    types = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
    ctypes.CFUNCTYPE(None, *types)(address(source))(table.ctypes.data, 2, 18)
    right = x.copy()
    right[:2] = right[18:] = 0
    right[5] = scalar[0]
    assert_same(out, right)


# --- what is compiled --------------------------------------------------------------------------


def test_a_source_is_compiled_once():
    sources = [Source(f"def f(x):\n    return x * {n} + 99\n", ("int64",), "int64") for n in (3, 4)]
    first = addresses([*sources, sources[0]])
    before = counts()
    assert first == addresses([*sources, sources[0]]) and first[0] == first[2] != first[1]
    assert address(sources[1]) == first[1]
    assert counts() == before


def test_sources_compiled_by_several_threads():
    sources = [Source(f"def f(x):\n    return x + {n}\n", ("int64",), "int64") for n in range(8)]
    found: dict[int, list[int]] = {}

    def work(number: int) -> None:
        found[number] = addresses(sources)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[n] == found[0] for n in range(4))
    assert [native(s)(100) for s in sources] == list(range(100, 108))


# --- what the language does not have -----------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "del x",
        "a, b = 1, 2",
        "a = [1]",
        "a = 'text'",
        "a = None",
        "a = lambda: 1",
        "a = unknown",
        "a = x.shape",
        "a = np.sin(y)",
        "unknown(y)",
        "a = i + y",
        "a = i + 0.5",
        "i = y",
        "a = 1\n    a = 0.5",
        "a = y & y",
        "a = i / i",
        "a = i // 2",
        "a = i % 2",
        "a = b + b",
        "a = b << b",
        "a = w + i",
        "a = select(b, i, y)",
        "a = y if i else y",
        "if i:\n        pass",
        "while i:\n        pass",
        "a = not i",
        "a = i and b",
        "x[0] = i",
        "x[y] = 1.0",
        "a = x[0.5]",
        "for j in x:\n        pass",
        "for j in range(y):\n        pass",
        "with x:\n        pass",
        "try:\n        pass\n    except:\n        pass",
        "raise x",
        "import os",
        "a: int = 1",
        "for j in range(i):\n        continue",
        "def g():\n        pass",
        "assert b",
    ],
)
def test_what_the_language_does_not_have(statement):
    text = f"def f(x, y, i, b, w):\n    {statement}\n"
    compile(text, "<test>", "exec")  # Python has it
    with pytest.raises(TranslationError):
        llvm_text(Source(text, ("*float64", "float64", "int64", "bool", "int32")))


@pytest.mark.parametrize(
    "statement",
    [
        "a = y ** 2",
        "a = +y",
        "a = y @ y",
        "a = i in x",
        "a = i is i",
        "a = 0 < i < 3",
        "a = -b",
        "a = x + 1",
        "a = x[0][0]",
        "a = min(y)",
        "a = min(y, y, key=i)",
        "return 5",
        "for j in min(0, 5):\n        pass",
        "for j in range(5, 0, -1):\n        pass",
        "for j in range(i):\n        pass\n    else:\n        pass",
        "while b:\n        pass\n    else:\n        pass",
    ],
)
def test_what_the_language_does_not_say_that_it_does_not_have(statement):
    text = f"def f(x, y, i, b, w):\n    {statement}\n"
    compile(text, "<test>", "exec")
    with pytest.raises(TranslationError):
        llvm_text(Source(text, ("*float64", "float64", "int64", "bool", "int32")))


@pytest.mark.parametrize("body", ["out[0] = i", "i = i + 1\n        out[0] += 10"])
def test_the_variable_of_a_loop(body):
    text = f"def f(out):\n    for i in range(5):\n        {body}\n    out[1] = i\n"
    check(text, np.zeros(2, np.int64))


@pytest.mark.parametrize("name", ["min", "max"])
def test_extremes_of_floats(name):
    x, y = pairs("float64")
    elementwise(f"{name}(x, y)", x, y, out="float64")


@pytest.mark.parametrize(
    ("result", "value"), [("int64", "y"), ("float64", "i"), ("int64", "0.5"), ("float32", "y")]
)
def test_results_of_another_type(result, value):
    with pytest.raises(TranslationError):
        llvm_text(Source(f"def f(y, i):\n    return {value}\n", ("float64", "int64"), result))


@pytest.mark.parametrize(
    "pair", [*itertools.permutations(["int32", "int64", "uint64", "float32"], 2)]
)
def test_types_do_not_mix(pair):
    with pytest.raises(TranslationError):
        llvm_text(Source("def f(x, y):\n    a = x + y\n", pair))
