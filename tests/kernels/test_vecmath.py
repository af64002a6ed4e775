"""The vector functions: special values, errors, vectorisation, and the pure Python fallback."""

from __future__ import annotations

import importlib
import json
import math
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("mpmath")

vecmath: Any = importlib.import_module("autotrace.kernels.vecmath")
accuracy: Any = importlib.import_module("autotrace.kernels.vecmath.accuracy")

FOLDER = pathlib.Path(vecmath.__file__).resolve().parents[1]

FLOATS = (np.float64, np.float32)

# The largest error allowed, in units of the last place; 1.3 where a function is not named.
BOUNDS = {
    "acosh": 1.7, "tan": 1.4, "logistic": 1.6, "softplus": 1.7, "logaddexp": 1.6,
    "logaddexp2": 1.6, "cosh": 1.6, "erf": 1.4, "erfc": 1.6, "erf_inv": 3.0,
    "lgamma": 3.2, "digamma": 5.0,
}  # fmt: skip

_loops: dict = {}


def loop(name):
    if name not in _loops:
        _loops[name] = accuracy.compile_loop(name)
    return _loops[name]


def run(name, *args):
    out = np.empty_like(args[0])
    loop(name)(*args, out)
    return out


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


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", vecmath.TABLE)
def test_vectorised(name, dtype):
    x = np.full(64, 0.5, dtype)
    run(name, *([x, x] if name in accuracy.BINARY else [x]))
    compiled = loop(name).inspect_llvm()
    text = next(t for s, t in compiled.items() if str(s[0].dtype) == np.dtype(dtype).name)
    kind = "double" if dtype is np.float64 else "float"
    bits = 64 if dtype is np.float64 else 32
    if name == "pow":  # computed in float64
        bits = 64
    assert any(f"@llvm.fma.v{n}f{bits}" in text for n in (2, 4, 8, 16))
    assert any(f"store <{n} x {kind}>" in text for n in (2, 4, 8, 16))


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_huge_angles_in_a_vector(name, dtype):
    rng = np.random.default_rng(3)
    x = rng.uniform(-10, 10, 1001).astype(dtype)
    x[::7] = 10.0 ** rng.uniform(5, 38, len(x[::7]))
    x[3::50] = np.finfo(dtype).max / 10.0 ** rng.uniform(0, 20, len(x[3::50]))
    assert accuracy.errors(name, [x], run(name, x)).max() <= 1.3


def test_two_functions_with_scalar_repairs_in_one_loop():
    numba = importlib.import_module("numba")
    sin, cos, tan = vecmath.sin, vecmath.cos, vecmath.tan

    @numba.njit
    def both(x, out):
        for i in range(x.shape[0]):
            out[i] = sin(x[i]) + sin(cos(x[i])) * tan(x[i])

    x = np.linspace(-1e16, 1e16, 999)
    out = np.empty_like(x)
    both(x, out)
    np.testing.assert_allclose(out, np.sin(x) + np.sin(np.cos(x)) * np.tan(x), rtol=1e-12)
    text = next(iter(both.inspect_llvm().values()))
    assert "@llvm.fma.v" in text


def test_scalars_and_mixed_types():
    numba = importlib.import_module("numba")
    exp, power = vecmath.exp, vecmath.power

    @numba.njit
    def call(x, y):
        return exp(x), power(y, x)

    one, half = call(1, np.float32(0.5))  # integers and mixtures are computed in float64
    assert one == np.exp(1.0) and half == 0.5
    assert vecmath.exp(np.float64(1.0)) == np.exp(1.0)


_FALLBACK = """
import importlib, json, sys, types
import numpy as np
if "autotrace.kernels" not in sys.modules:
    package = types.ModuleType("autotrace.kernels")
    package.__path__ = [{folder!r}]
    sys.modules["autotrace.kernels"] = package
sys.modules["numba"] = None
vecmath = importlib.import_module("autotrace.kernels.vecmath")
assert not vecmath.core.COMPILED
found = {{}}
for name, lists in json.load(sys.stdin).items():
    for dtype in (np.float64, np.float32):
        rows = zip(*[np.array(a, dtype) for a in lists])
        with np.errstate(all="ignore"):
            found[name + dtype.__name__] = [float(vecmath.TABLE[name](*row)).hex() for row in rows]
print(json.dumps(found))
"""


def test_without_numba():
    rng = np.random.default_rng(1)
    cases = {}
    for name in vecmath.TABLE:
        args = accuracy.points(name, np.float32, 120, rng)
        args = [
            np.concatenate([a[:: len(a) // 12], s])
            for a, s in zip(
                args, np.float32([[0.0, -0.0, 1.0, math.inf, 3e38, 1e-44]] * 2), strict=False
            )
        ]
        cases[name] = [[float(v) for v in a] for a in args]
    code = _FALLBACK.format(folder=str(FOLDER))
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, lists in cases.items():
        for dtype in FLOATS:
            out = run(name, *[np.array(a, dtype) for a in lists])
            plain = np.array([float.fromhex(v) for v in found[name + dtype.__name__]], dtype)
            np.testing.assert_allclose(plain, out, rtol=np.finfo(dtype).eps, err_msg=name)
