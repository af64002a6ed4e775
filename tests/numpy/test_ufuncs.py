"""Each ufunc against NumPy's: dtypes, special values, Python scalars, layouts, derivatives."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from closeness import assert_close, assert_zeros
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy_checks import UFUNCS, derives, leaves, same

import autotrace
import autotrace.numpy as anp

DTYPES = ["?", "b", "B", "h", "H", "i", "I", "l", "L", "e", "f", "d", "F", "D"]
UNARY = [f for f in UFUNCS if f.nin == 1]
BINARY = [f for f in UFUNCS if f.nin == 2]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan, 5e-324, 1e-40, 6e-8, 1e30]
#: Ufuncs whose traced form is another formula, with the tolerance in units of the dtype's epsilon.
OTHER_FORMULA = {"deg2rad", "radians", "rad2deg", "degrees", "ldexp", "float_power", "spacing"}


def quietly(f: Callable, *args: Any) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return f(*args)


def sample(dtype: str) -> np.ndarray:
    kind = np.dtype(dtype).kind
    with np.errstate(all="ignore"):
        if kind == "f":
            return np.array(SPECIAL).astype(dtype)
        if kind == "c":
            parts = np.array(SPECIAL)[:9]
            return (parts[:, None] + 1j * parts[None, :]).ravel().astype(dtype)
        if kind == "b":
            return np.array([True, False, True])
        info = np.iinfo(dtype)
        numbers = [0, 1, 2, 3, 7, 100, info.min, info.max, info.max - 1]
        return np.array([*numbers, *([-1, -2, -7] if kind == "i" else [])], dtype)


def check(f: Callable, ufunc: np.ufunc, *args: Any) -> None:
    """Compare with NumPy; where that refuses, so must the traced form."""
    try:
        expected = quietly(f, *args)
    except (TypeError, ValueError, OverflowError):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            quietly(autotrace.jit(f), *args)
        return
    leaf = expected[0] if isinstance(expected, tuple) else expected
    if np.asarray(leaf).dtype.kind == "O" or np.asarray(leaf).dtype.char in "gG":
        return
    out = quietly(autotrace.jit(f), *args)
    if ufunc.__name__ in OTHER_FORMULA:
        same(out, expected, 4e-16)
    for a, e in zip(leaves(out), leaves(expected), strict=True):
        compare = assert_zeros if ufunc.__name__ in OTHER_FORMULA else assert_close
        compare(ufunc.__name__, a, e)


@pytest.mark.parametrize("ufunc", UNARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
def test_unary(ufunc, dtype):
    x = sample(dtype)
    if ufunc is np.reciprocal and x.dtype.kind == "c":
        x = x[np.isfinite(x) & (x != 0)][:9]  # at infinities and at 0 NumPy's NaNs differ
    for part in (x, x[:0], x[::-2], np.stack([x, x]).T, x[1]):
        check(lambda a: ufunc(a), ufunc, part)


PAIRS = [(d, d) for d in DTYPES] + [
    ("b", "B"),
    ("B", "H"),
    ("l", "L"),
    ("i", "f"),
    ("h", "e"),
    ("?", "d"),
    ("f", "d"),
    ("d", "F"),
    ("?", "b"),
    ("L", "f"),
    ("e", "F"),
]


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtypes", PAIRS, ids="-".join)
def test_binary(ufunc, dtypes):
    x, y = (sample(d) for d in dtypes)
    if "shift" in ufunc.__name__:
        y = np.clip(y, 0, 7) if y.dtype.kind in "iu" else y
    if ufunc.__name__ in ("ldexp",) and y.dtype.kind in "iu":
        y = np.clip(y.astype("l"), -20, 20).astype("i")
    check(lambda a, b: ufunc(a, b), ufunc, x[:, None], y)
    check(lambda a, b: ufunc(a, b), ufunc, x[:0], y[:1])
    check(lambda a, b: ufunc(a, b), ufunc, x[::-1][:3], y[:3])
    check(lambda a, b: ufunc(a, b), ufunc, x[1], y)


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
def test_python_scalars(ufunc, dtype):
    x = sample(dtype)
    for scalar in (2, 0, -1, 300, True, 2.0, 0.5, -3.0, 1j):
        if "shift" in ufunc.__name__ and not 0 <= np.real(scalar) <= 7:
            continue
        if ufunc.__name__ in ("ldexp",):
            continue
        if ufunc is np.power and x.dtype.kind == "c" and np.real(scalar) < 0:
            continue  # at 0 NumPy's function and its operator give different NaNs
        if ufunc is np.float_power and scalar == 0.5:
            continue  # numpy.power takes the square root, numpy.float_power does not
        check(lambda a, s=scalar: ufunc(a, s), ufunc, x)
        if "shift" not in ufunc.__name__:
            check(lambda a, s=scalar: ufunc(s, a), ufunc, x)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_any_arrays(data):
    ufunc = data.draw(
        st.sampled_from([f for f in UFUNCS if "shift" not in f.__name__ and f.__name__ != "ldexp"])
    )
    dtype = data.draw(st.sampled_from(DTYPES))
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=ufunc.nin, max_side=3, max_dims=3, min_side=0)
    )
    args = [data.draw(hnp.arrays(np.dtype(dtype), s)) for s in shapes.input_shapes]
    if ufunc is np.reciprocal and np.dtype(dtype).kind == "c":
        return  # see test_unary
    if data.draw(st.booleans()):
        args = [np.swapaxes(a, 0, -1)[::-1] if a.ndim == 1 else a.copy(order="F") for a in args]
    check(lambda *xs: ufunc(*xs), ufunc, *args)


def test_operators_follow_promotion():
    ops: list[Callable] = [
        lambda x, s: x + s,
        lambda x, s: s - x,
        lambda x, s: x * s,
        lambda x, s: x / s,
        lambda x, s: x // s,
        lambda x, s: x % s,
        lambda x, s: x**s,
        lambda x, s: s < x,
        lambda x, s: x == s,
        lambda x, s: divmod(x, s),
    ]
    for dtype in ("b", "i", "f", "d", "e", "D"):
        x = np.array([1, 2, 3], dtype)
        for scalar in (2, 2.0, np.float32(2), np.int64(2)):
            for op in ops:
                check(lambda a, op=op, s=scalar: op(a, s), np.add, x)


SMOOTH = {
    "sin": 0.3,
    "cos": 0.3,
    "tan": 0.3,
    "arcsin": 0.3,
    "arccos": 0.3,
    "arctan": 0.3,
    "sinh": 0.3,
    "cosh": 0.3,
    "tanh": 0.3,
    "arcsinh": 0.3,
    "arccosh": 1.7,
    "arctanh": 0.3,
    "exp": 0.3,
    "exp2": 0.3,
    "expm1": 0.3,
    "log": 1.3,
    "log2": 1.3,
    "log10": 1.3,
    "log1p": 1.3,
    "sqrt": 1.3,
    "cbrt": 1.3,
    "square": -1.3,
    "reciprocal": -1.3,
    "negative": 1.0,
    "positive": 1.0,
    "absolute": -1.5,
    "fabs": -1.5,
    "deg2rad": 3.0,
    "rad2deg": 3.0,
    "degrees": 3.0,
    "radians": 3.0,
    "conjugate": 1.0,
    "floor": 1.3,
    "ceil": 1.3,
    "trunc": 1.3,
    "rint": 1.3,
    "sign": 1.3,
    "modf": 1.3,
}
COMPLEX = [
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "square",
    "reciprocal",
    "negative",
    "log2",
    "log10",
    "exp2",
    "arcsinh",
    "arctanh",
    "arccos",
    "arccosh",
]
SMOOTH_PAIRS = {
    "add": 1.3,
    "subtract": 1.3,
    "multiply": 1.3,
    "divide": 1.3,
    "power": 1.3,
    "float_power": 1.3,
    "maximum": 1.3,
    "minimum": 1.3,
    "fmax": 1.3,
    "fmin": 1.3,
    "arctan2": 1.3,
    "hypot": 1.3,
    "logaddexp": 1.3,
    "logaddexp2": 1.3,
    "copysign": 1.3,
    "remainder": 1.3,
    "fmod": 1.3,
    "floor_divide": 1.3,
    "heaviside": 1.3,
}


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives(name):
    derives(getattr(np, name), np.array([SMOOTH[name], SMOOTH[name] * 1.1, SMOOTH[name] * 0.9]))
    autotrace.grad(lambda x: np.sum(autotrace.jit(getattr(anp, name))(x)[0]))(
        np.array([SMOOTH[name]])
    )


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_derivatives(name):
    derives(getattr(np, name), np.array([0.4 + 0.3j, -0.2 + 0.7j]))


@pytest.mark.parametrize("name", SMOOTH_PAIRS)
def test_pair_derivatives(name):
    x = np.array([SMOOTH_PAIRS[name], 0.45])
    derives(getattr(np, name), x[:, None], np.array([0.7, 2.1, 3.3]))


def test_every_differentiable_ufunc_is_tested():
    discrete = {
        "isnan",
        "isinf",
        "isfinite",
        "signbit",
        "logical_not",
        "invert",
        "bitwise_count",
        "spacing",
        "nextafter",
        "equal",
        "not_equal",
        "less",
        "less_equal",
        "greater",
        "greater_equal",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "left_shift",
        "right_shift",
        "gcd",
        "lcm",
        "logical_and",
        "logical_or",
        "logical_xor",
        "ldexp",
        "divmod",
        "frexp",
    }
    names = {f.__name__ for f in UFUNCS}
    assert names - discrete - set(SMOOTH) - set(SMOOTH_PAIRS) == set()


def test_ufunc_keywords():
    x = np.array([1.0, 2.0])
    same(autotrace.jit(lambda a: np.add(a, 1, dtype=np.float32))(x), np.add(x, 1, dtype=np.float32))
    with pytest.raises(TypeError, match="where="):
        autotrace.jit(lambda a: np.add(a, 1, where=x > 1))(x)


def test_ufunc_out_of_an_ordinary_array_is_refused():
    x, plain = np.array([1.0, 2.0]), np.zeros(2)
    with pytest.raises(TypeError, match="ordinary array"):
        autotrace.jit(lambda a: np.add(a, 1, out=plain))(x)


def test_where_clip_and_parts():
    for dtype in ("h", "f", "d", "D"):
        x = np.array([1, -2, 3], dtype)
        check(lambda a: np.where(a == 1, a, 0), np.add, x)
        check(lambda a: np.where(a == 1, 2.5, a), np.add, x)
        check(np.real, np.add, x)
        check(np.imag, np.add, x)
        check(np.angle, np.add, x)
        check(np.sinc, np.sinh, x)
        check(np.nan_to_num, np.add, x)
        if dtype != "D":
            check(lambda a: np.clip(a, -1, 2), np.add, x)
            check(lambda a: np.clip(a, None, 2), np.add, x)
    y = np.array([np.nan, np.inf, -np.inf, 1.0])
    check(lambda a: np.nan_to_num(a, nan=3, posinf=4), np.add, y)
    same(autotrace.grad(lambda a: np.spacing(a))(2.0), np.float64(0))
    derives(np.sinc, np.array([0.0, 0.3, -1.2]), tolerance=1e-4)
    derives(lambda a: np.clip(a, -1, 1), np.array([0.5, 2.0]))
    check(lambda a: np.clip(a, -1, 2, dtype="f"), np.add, y)
    check(lambda a: np.clip(a, -1, 2, dtype=int), np.add, y)
    check(lambda a: np.clip(a, -1, 300), np.add, np.array([7, 200], np.uint8))


def test_frexp():
    for dtype in "efd":
        x = sample(dtype)
        check(np.frexp, np.frexp, x)
        top = np.finfo(dtype)
        powers = 2.0 ** np.arange(max(top.minexp - 3, -1074), top.maxexp).astype(float)
        near = np.concatenate([powers, np.nextafter(powers, 0), np.nextafter(powers, np.inf)])
        check(np.frexp, np.frexp, near.astype(dtype))
    same(autotrace.grad(lambda x: np.frexp(x)[0])(12.0), np.float64(1 / 16))
    autotrace.testing.check_grads(lambda x: np.frexp(x)[0], (np.array([3.0, -0.3]),), order=2)
