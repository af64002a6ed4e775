"""The vector functions: special values, errors, vectorisation, and plain NumPy scalars."""

from __future__ import annotations

import ctypes
import importlib
import math
from typing import Any

import numpy as np
import pytest
from autotrace.kernels.build import Source, address, llvm_text
from autotrace.kernels.llvm import engine

pytest.importorskip("mpmath")

vecmath: Any = importlib.import_module("autotrace.kernels.vecmath")
accuracy: Any = importlib.import_module("autotrace.kernels.vecmath.accuracy")

FLOATS = (np.float64, np.float32)

# The largest error allowed, in units of the last place; 1.3 where a function is not named.
BOUNDS = {
    "acosh": 1.7, "tan": 1.4, "logistic": 1.6, "softplus": 1.7, "logaddexp": 1.6,
    "logaddexp2": 1.6, "cosh": 1.6, "erf": 1.5, "erfc": 1.6, "erf_inv": 2.2,
    "lgamma": 2.6, "digamma": 3.8,
}  # fmt: skip

run = accuracy.evaluate


def special_operands(name, dtype):
    values = accuracy.specials(dtype)
    if name not in accuracy.BINARY:
        return [values]
    if name.startswith("logaddexp"):  # finite negative ones may cancel to any relative error
        values = values[(values >= 0) | ~np.isfinite(values)]
    return [a.ravel().copy() for a in np.meshgrid(values, values)]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", vecmath.TABLE)
def test_special_values(name, dtype):
    args = special_operands(name, dtype)
    out = run(name, *args)
    with np.errstate(all="ignore"):
        right = accuracy.numpy_function(name)(*args)
        right = right.astype(dtype)
    if name == "logistic":  # SciPy's rounds subnormal results to 0
        right = np.where((args[0] < -80) & (args[0] > -745), out, right)
    if name == "lgamma":  # and its gammaln is infinite for subnormal numbers
        right = np.where((args[0] != 0) & (np.abs(args[0]) < 1e-300), out, right)
    assert np.array_equal(np.isnan(out), np.isnan(right))
    number = ~np.isnan(right)
    exact = number & ((right == 0) | np.isinf(right) | (out == 0) | np.isinf(out))
    np.testing.assert_array_equal(out[exact], right[exact])
    assert np.array_equal(np.signbit(out[number]), np.signbit(right[number]))
    finite = np.isfinite(right)
    if name == "digamma":  # SciPy's loses digits next to the negative poles
        finite &= args[0] >= 0
    if name == "lgamma":  # and its gammaln next to zeros
        finite &= (args[0] >= 0) & (np.abs(args[0] - 1) > 1e-6)
    with np.errstate(over="ignore"):  # the largest number's successor
        place = np.spacing(np.abs(np.where(finite, right, 1)))
    place[np.abs(right) == np.finfo(dtype).max] = np.finfo(dtype).max / 2**20
    difference = np.abs(out[finite].astype(np.longdouble) - right[finite])
    assert (difference <= 8 * place[finite]).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", vecmath.TABLE)
def test_error(name, dtype):
    fast = accuracy.LONG and name not in accuracy.SCIPY_ONLY
    args = accuracy.points(name, dtype, 20_000 if fast else 1500, np.random.default_rng(7))
    found = accuracy.errors(name, args, run(name, *args))
    worst = int(found.argmax())
    assert found[worst] <= BOUNDS.get(name, 1.3), [a[worst] for a in args]


def is_vectorised(text, kind, bits):
    """Whether optimised code multiplies and stores vectors."""
    return any(f"@llvm.fma.v{n}f{bits}" in text for n in (2, 4, 8, 16)) and any(
        f"store <{n} x {kind}>" in text for n in (2, 4, 8, 16)
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", vecmath.TABLE)
def test_vectorised(name, dtype):
    text = str(engine.optimised(llvm_text(accuracy.source_of_loop(name, dtype)))[0])
    kind = "double" if dtype is np.float64 else "float"
    bits = 64 if dtype is np.float64 or name == "pow" else 32  # pow is computed in float64
    assert is_vectorised(text, kind, bits)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_huge_angles_in_a_vector(name, dtype):
    rng = np.random.default_rng(3)
    x = rng.uniform(-10, 10, 1001).astype(dtype)
    x[::7] = 10.0 ** rng.uniform(5, 38, len(x[::7]))
    x[3::50] = np.finfo(dtype).max / 10.0 ** rng.uniform(0, 20, len(x[3::50]))
    assert accuracy.errors(name, [x], run(name, x)).max() <= 1.3


def test_several_functions_with_scalar_repairs_in_one_loop():
    source = Source(
        """
def loops(x, out, start, stop):
    for i in range(start, stop):
        out[i] = vm_sin(x[i]) + vm_sin(vm_cos(x[i])) * vm_tan(x[i])
""",
        ("*float64", "*float64", "int64", "int64"),
        parallel=True,
    )
    x = np.linspace(-1e16, 1e16, 999)
    out = np.empty_like(x)
    types = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
    ctypes.CFUNCTYPE(None, *types)(address(source))(x.ctypes.data, out.ctypes.data, 0, x.size)
    np.testing.assert_allclose(out, np.sin(x) + np.sin(np.cos(x)) * np.tan(x), rtol=1e-12)
    assert is_vectorised(str(engine.optimised(llvm_text(source))[0]), "double", 64)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 17, 64])
@pytest.mark.parametrize("name", ["sin", "exp", "lgamma", "pow"])
def test_a_value_does_not_depend_on_its_neighbours(name, size):
    """The vector body of a loop, what is left of it, and the repairs in it."""
    args = [
        a[::37].copy() for a in accuracy.points(name, np.float64, 3000, np.random.default_rng(5))
    ]
    whole = run(name, *args)
    for at in range(0, whole.size - size, size):
        part = run(name, *(a[at : at + size].copy() for a in args))
        np.testing.assert_array_equal(part, whole[at : at + size])


def test_scalars_and_mixed_types():
    exp, power = vecmath.exp, vecmath.power
    assert exp(1) == exp(np.float64(1.0)) == np.exp(1.0)
    assert power(np.float32(0.5), 1) == 0.5
    # Whole numbers and mixtures are computed in float64.
    assert type(exp(1)) is type(power(np.float32(0.5), 1)) is np.float64
    assert type(exp(np.float32(1))) is np.float32


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", vecmath.TABLE)
def test_plain_scalars(name, dtype):
    args = accuracy.points(name, np.float32, 120, np.random.default_rng(1))
    more = np.float32([0.0, -0.0, 1.0, math.inf, -math.inf, math.nan, 3e38, 1e-44])
    args = [np.concatenate([a[:: len(a) // 12], more]).astype(dtype) for a in args]
    plain = np.array([vecmath.TABLE[name](*numbers) for numbers in zip(*args, strict=True)])
    assert plain.dtype == dtype
    # Beyond some limits the C library computes, and Python's functions stand for its.
    repaired = name in ("sin", "cos", "tan", "lgamma")
    rtol = np.finfo(dtype).eps if repaired else 0
    np.testing.assert_allclose(plain, run(name, *args), rtol=rtol)
