"""Measure the error and the time of every function; writes docs/vecmath.md.

Run as ``python -m autotrace.kernels.vecmath.accuracy [--points N] [--only NAME ...] [--out FILE]``;
with ``--only`` the page's other rows stay.

The error is the distance from the exact value in units of the last place (ULP) of the exact
value rounded to the dtype. Every point is compared with the C library's long double where that
has 64 bits and the function, and the worst hundred of those, and all points else, with mpmath.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding
import numpy as np
import scipy.special as special
from mpmath import mp, mpf

from ..build import Source, address
from . import TABLE

FLOATS = (np.float64, np.float32)

# NumPy's function (SciPy's where NumPy has none), where it has another name.
REFERENCES: dict[str, Callable] = {
    "logistic": special.expit,
    "softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "pow": np.power,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": special.erf,
    "erfc": special.erfc,
    "erf_inv": special.erfinv,
    "lgamma": special.gammaln,
    "digamma": special.psi,
}
BINARY = frozenset(["pow", "atan2", "hypot", "logaddexp", "logaddexp2"])
SCIPY_ONLY = frozenset(["erf", "erfc", "erf_inv", "lgamma", "digamma"])
LONG = np.finfo(np.longdouble).nmant >= 63

# Where a function is neither constant nor infinite nor NaN, for float64; the exponentials' ends
# lie where float64's range ends.
_DOMAINS = {
    "exp": (-746, 710), "exp2": (-1076, 1025), "expm1": (-45, 710), "sinh": (-711, 711),
    "cosh": (-711, 711), "tanh": (-25, 25), "logistic": (-746, 40), "softplus": (-746, 40),
    "log": (0, 20), "log2": (0, 20), "log10": (0, 20), "log1p": (-1, 20), "asin": (-1, 1),
    "acos": (-1, 1), "atanh": (-1, 1), "acosh": (1, 20), "erf": (-6.5, 6.5), "erfc": (-7, 28),
    "erf_inv": (-1, 1), "lgamma": (0, 30), "digamma": (0, 30),
}  # fmt: skip
_SINGLE_DOMAINS = {
    "exp": (-104, 89), "exp2": (-151, 129), "expm1": (-20, 89), "sinh": (-90, 90),
    "cosh": (-90, 90), "logistic": (-104, 20), "softplus": (-104, 20), "erfc": (-5, 10.5),
}  # fmt: skip
# Points near which relative accuracy is hard.
_HARD = {"log": 1.0, "log2": 1.0, "log10": 1.0, "acosh": 1.0, "lgamma": 1.5, "digamma": 1.4616}


def numpy_function(name: str) -> Callable:
    """NumPy's or SciPy's function of a primitive's name."""
    return REFERENCES.get(name) or getattr(np, name)


def domain(name: str, dtype: type) -> tuple[float, float]:
    """The interval that most of the points are from."""
    found = _SINGLE_DOMAINS.get(name) if dtype is np.float32 else None
    return found or _DOMAINS.get(name, (-100, 100))


def source_of_loop(name: str, dtype: type) -> Source:
    """A loop over flat arrays."""
    dtype_name = np.dtype(dtype).name
    operands = ["x", "y"] if name in BINARY else ["x"]
    call = ", ".join(f"{a}[i]" for a in operands)
    text = f"""def loops({", ".join(operands)}, out, start, stop):
    for i in range(start, stop):
        out[i] = vm_{name}({call})
"""
    types = (*[f"*{dtype_name}"] * (len(operands) + 1), "int64", "int64")
    return Source(text, types, table=True, parallel=True)


def bound_loop(name: str, *arrays: np.ndarray) -> Callable[[], None]:
    """The loop over these arrays, the last one its output, compiled."""
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
        address(source_of_loop(name, arrays[0].dtype.type))
    )
    table = np.array([a.ctypes.data for a in arrays])

    def run() -> None:  # keeps the table and the arrays alive
        function(table_at, 0, size)

    table_at, size = table.ctypes.data, arrays[0].size
    run.arrays = table, arrays  # type: ignore[attr-defined]
    return run


def evaluate(name: str, *args: np.ndarray) -> np.ndarray:
    """The function of flat contiguous arrays of one dtype."""
    out = np.empty_like(args[0])
    bound_loop(name, *args, out)()
    return out


def specials(dtype: type) -> np.ndarray:
    """Zeros, infinities, NaN, the ends of the dtype's ranges, and round numbers."""
    info = np.finfo(dtype)
    positive = [
        0, info.smallest_subnormal, info.tiny, 4 * info.tiny, info.eps, 0.25, 0.5, 1 - info.epsneg,
        1, 1 + info.eps, 1.5, 2, 2.5, 3, 4, 7, 8, 10, 89, 100, 104, 150, 709.9, 745.2, 1000, 1e30,
        2.0**24, 2.0**53, info.max / 2, info.max, math.inf,
    ]  # fmt: skip
    return np.array([*positive, *(-np.array(positive)), math.nan], dtype)


def points(name: str, dtype: type, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Operands to test at: some random bit patterns, the rest in the domain."""
    if name in BINARY:
        return _pairs(name, dtype, count, rng)
    low, high = domain(name, dtype)
    n = count // 6
    whole = np.uint64 if dtype is np.float64 else np.uint32
    patterns: np.ndarray = rng.integers(0, np.iinfo(whole).max, n, dtype=whole).view(dtype)
    if low == 0:
        patterns = np.abs(patterns)
    sign = np.sign(rng.normal(size=n)) if low < 0 else 1.0
    parts = [
        rng.uniform(low, high, 2 * n),
        rng.uniform(max(low, -3), min(high, 3), n),
        sign * 10.0 ** rng.uniform(-10, math.log10(high), n),
        _HARD.get(name, 0.0) + rng.uniform(-1, 1, n // 2) ** 3 * 0.6,
        rng.normal(size=n // 2) if low < 0 else rng.exponential(size=n // 2),
    ]
    if name in ("sin", "cos", "tan"):
        parts.append(np.rint(rng.uniform(-1e5, 1e5, n)) * (math.pi / 2))
        parts.append(10.0 ** rng.uniform(0, 14 if dtype is np.float64 else 5, n))
    if high == 1:
        parts.append(sign * (1 - 10.0 ** rng.uniform(-16, -1, n)))
    return [np.concatenate([*(p.astype(dtype) for p in parts), patterns])]


def _pairs(name: str, dtype: type, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    sizes = 10.0 ** rng.uniform(-4, 4, (2, count))
    signs = np.sign(rng.normal(size=(2, count)))
    if name == "pow":
        x = sizes[0]
        x[::2] = rng.uniform(0.4, 2.5, len(x[::2]))
        top = 750 if dtype is np.float64 else 104
        y = rng.uniform(-1, 1, count) * np.minimum(top / np.maximum(np.abs(np.log(x)), 1e-9), 1e9)
        y[::5] = np.clip(np.rint(y[::5]), -50, 50)
        x[::5] *= signs[0][::5]
        return [x.astype(dtype), y.astype(dtype)]
    if name.startswith("logaddexp"):  # of positive numbers: else the result may be anything near 0
        return [a.astype(dtype) for a in rng.uniform(0, 30, (2, count))]
    return [a.astype(dtype) for a in sizes * signs]


def exact(name: str) -> Callable[..., Any]:
    """The function in mpmath."""
    half_log = lambda x: mp.log1p(x) if abs(x) > mpf(10) ** -30 else x - x * x / 2  # noqa: E731
    table: dict[str, Callable] = {
        "exp2": lambda x: mp.power(2, x),
        "log2": lambda x: mp.log(x) / mp.log(2),
        "log10": lambda x: mp.log(x) / mp.log(10),
        "log1p": half_log,
        "logistic": lambda x: 1 / (1 + mp.exp(-x)),
        "softplus": lambda x: half_log(mp.exp(x)),
        "logaddexp": lambda x, y: max(x, y) + half_log(mp.exp(-abs(x - y))),
        "logaddexp2": lambda x, y: max(x, y) + half_log(mp.power(2, -abs(x - y))) / mp.log(2),
        "pow": mp.power,
        "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        "erf_inv": mp.erfinv,
        "erfc": lambda x: mp.erfc(x) if x < 1000 else mpf(0),
        "lgamma": lambda x: mp.log(abs(mp.gamma(x))) if abs(x) < 1e4 else mp.loggamma(x).real,
    }
    return table.get(name) or getattr(mp, name)


def _mpmath_error(name: str, args: tuple, out: Any, dtype: type) -> float:
    """The error of one finite result."""
    numbers = [mpf(float(a)) for a in args]
    got = mpf(float(out))
    if name == "erf_inv":  # a Newton step from the result: the error's square is nothing
        distance = abs((mp.erf(got) - numbers[0]) * mp.exp(got * got) * mp.sqrt(mp.pi) / 2)
        return float(distance / _last_place(out, dtype))
    right = exact(name)(*numbers)
    return float(abs(got - right) / _last_place(dtype(float(right)), dtype))


def _last_place(x: Any, dtype: type) -> mpf:
    info = np.finfo(dtype)
    if math.isinf(x):
        x = info.max
    return mpf(float(max(np.spacing(np.abs(dtype(x))), info.smallest_subnormal)))


def _digits(name: str) -> int:
    """Enough for the cancellation at the points."""
    return 340 if name in ("sin", "cos", "tan") else 60 if name == "lgamma" else 45


def errors(name: str, args: list[np.ndarray], out: np.ndarray) -> np.ndarray:
    """The errors of the results, in ULP; infinite where a result is not finite and should be,
    or the reverse."""
    dtype = out.dtype.type
    with np.errstate(all="ignore"), mp.workdps(_digits(name)):
        if not (LONG and name not in SCIPY_ONLY):
            plain = numpy_function(name)(*args)
            found = np.where(_same_kind(out, plain), 0.0, math.inf)
            for k in np.flatnonzero(np.isfinite(out)):  # SciPy's may be infinite near a pole
                found[k] = _mpmath_error(name, tuple(a[k] for a in args), out[k], dtype)
            return found
        right = _long_double(name, [a.astype(np.longdouble) for a in args])
        rounded = right.astype(dtype)
        place = np.maximum(np.spacing(np.abs(rounded)), np.finfo(dtype).smallest_subnormal)
        found = (np.abs(out.astype(np.longdouble) - right) / place).astype(np.float64)
        finite = np.isfinite(out) & np.isfinite(rounded)
        found = np.where(finite, found, np.where(_same_kind(out, rounded), 0.0, math.inf))
        worst = np.argsort(np.where(np.isfinite(found), found, -1.0))[-100:]
        for k in worst[finite[worst]]:
            found[k] = _mpmath_error(name, tuple(a[k] for a in args), out[k], dtype)
        return found


def _same_kind(out: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (
        (out == right) | (np.isnan(out) & np.isnan(right)) | (np.isfinite(out) & np.isfinite(right))
    )


def _long_double(name: str, args: list[np.ndarray]) -> np.ndarray:
    if name == "logistic":
        return 1 / (1 + np.exp(-args[0]))
    if name == "softplus":
        return np.maximum(args[0], 0) + np.log1p(np.exp(-np.abs(args[0])))
    return numpy_function(name)(*args)


def nanoseconds(name: str, dtype: type, rounds: int = 21) -> tuple[float, float]:
    """The loop's and NumPy's time for an element, medians of interleaved runs."""
    rng = np.random.default_rng(0)
    low, high = domain(name, dtype)
    shape = (2 if name in BINARY else 1, 4096)
    args = list(rng.uniform(max(low, -20), min(high, 20), shape).astype(dtype))
    if name == "pow":
        args[0] = np.abs(args[0])
    out = np.empty_like(args[0])
    plain = numpy_function(name)
    ufunc = isinstance(plain, np.ufunc)
    runs = (
        bound_loop(name, *args, out),
        (lambda: plain(*args, out)) if ufunc else lambda: plain(*args),
    )
    times: tuple[list, list] = ([], [])
    with np.errstate(all="ignore"):
        for _ in range(rounds):
            for run, found in zip(runs, times, strict=True):
                start = time.perf_counter()
                for _ in range(10):
                    run()
                found.append((time.perf_counter() - start) / (10 * out.size) * 1e9)
    return statistics.median(times[0]), statistics.median(times[1])


def measure(names: list[str], count: int) -> Iterator[tuple]:
    """A row for every function and dtype."""
    rng = np.random.default_rng(2024)
    for name in names:
        for dtype in FLOATS:
            args = points(name, dtype, count, rng)
            if name not in BINARY:
                more = specials(dtype)
                # The relative error of digamma is not bounded near its negative zeros.
                args = [np.concatenate([args[0], more[more >= 0] if name == "digamma" else more])]
            out = evaluate(name, *args)
            found = errors(name, args, out)
            worst = int(found.argmax())
            at = ", ".join(f"{a[worst]!s}" for a in args)
            times = nanoseconds(name, dtype)
            yield name, dtype.__name__, float(found[worst]), at, float(found.mean()), *times


_HEADER = """# The vector functions' accuracy and speed

`autotrace.kernels.vecmath` has the elementary and special functions in a form that LLVM's loop
vectoriser turns into vector code. This page is written by
`python -m autotrace.kernels.vecmath.accuracy --points {points}`, on {machine}.

The error is in units of the last place of the exact result (ULP): 0.5 is a correctly rounded
result. The points are some {count} a row: random bit patterns over the whole range, uniform and
log-uniform ones over the interesting range, dense ones near zeros and ends, and special values.
They are compared with the C library's long double, and the worst hundred with mpmath; all of them
with mpmath for the error and gamma functions, which have no long double in NumPy.
Times are nanoseconds an element of an array of 4096, on one thread; NumPy's (SciPy's for
logistic, erf, erfc, erf_inv, lgamma and digamma) are from the same run, interleaved.

| function | dtype | max ULP | at | mean ULP | ns | NumPy ns |
| --- | --- | ---: | --- | ---: | ---: | ---: |
"""

_FOOTER = """
What the numbers leave out:

- `pow` for float32 computes in float64, which is as fast as two-part float32 arithmetic and
  rounds correctly but for one result in some thousands.
- `sin`, `cos` and `tan` of arguments beyond `2**45` (`2**15` for float32) and `lgamma` of negative
  ones are the C library's, one number at a time; the loop around them stays a vector loop, and
  its other numbers cost the same as ever.
- The relative error of `digamma` next to its negative zeros, and of `logaddexp` and `logaddexp2`
  where operands below 0 make them cancel, has no bound; the absolute error is small.
- Without a fused multiply-add in hardware (x86 before 2013) all of them are slow.
"""


def main() -> None:
    """Read the options, measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", default=list(TABLE))
    default = pathlib.Path(__file__).resolve().parents[2] / "docs" / "vecmath.md"
    parser.add_argument("--out", type=pathlib.Path, default=default)
    options = parser.parse_args()
    rows = {}
    if set(options.only) != set(TABLE) and options.out.exists():  # keep the page's other rows
        for line in options.out.read_text().splitlines():
            if line.startswith("| ") and line.split(" | ")[1] in ("float64", "float32"):
                rows[tuple(line[2:].split(" | ")[:2])] = line
    for name, dtype, worst, at, mean, ours, plain in measure(options.only, options.points):
        row = f"| {name} | {dtype} | {worst:.2f} | {at} | {mean:.2f} | {ours:.2f} | {plain:.2f} |"
        print(row, flush=True)
        rows[name, dtype] = row
    machine = f"{platform.machine()} ({llvmlite.binding.get_host_cpu_name()})"
    order = [(name, dtype.__name__) for name in TABLE for dtype in FLOATS]
    table = "".join(rows[key] + "\n" for key in order if key in rows)
    header = _HEADER.format(points=options.points, count=f"{options.points:,}", machine=machine)
    options.out.write_text(header + table + _FOOTER)


if __name__ == "__main__":
    main()
