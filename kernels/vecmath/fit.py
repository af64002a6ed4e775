"""Fit the polynomials of the functions: writes ``coefficients.py`` beside itself (needs mpmath).

Each is the polynomial of least maximum weighted error on its interval, found by the exchange
algorithm (Remez, 1934) in 90 digits; the degree is the least one that meets the accuracy asked
for. Run as ``python -m autotrace.kernels.vecmath.fit``.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.dps = 90


class Fit(NamedTuple):
    """What a polynomial approximates.

    Attributes:
      function: the function of a real number.
      low: the interval's lower end.
      high: its upper end.
      weight: the errors are multiplied by this function.
      double: minus the binary logarithm of the weighted error allowed for float64.
      single: the same for float32.
      range_single: the interval for float32, if another.
    """

    function: Callable
    low: float
    high: float
    weight: Callable
    double: float = 57.0
    single: float = 28.0
    range_single: tuple[float, float] | None = None


def remez(fit: Fit, degree: int, rounds: int = 12) -> tuple[list, float]:
    """The coefficients, the constant's first, and the binary logarithm of the weighted error."""
    count = max(24 * (degree + 2), 200)
    low, high = mpf(fit.low), mpf(fit.high)
    angles = [mp.pi * (k + mpf(1) / 3) / count for k in range(count)]
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(a) for a in angles]
    values = [fit.function(x) for x in grid]
    weights = [fit.weight(x) for x in grid]
    at = [int((k + 0.5) * count / (degree + 2)) for k in range(degree + 2)]
    coefficients: list = []
    worst = mpf(1)
    for _ in range(rounds):
        system = mpmath.matrix(degree + 2, degree + 2)
        right = mpmath.matrix(degree + 2, 1)
        for row, k in enumerate(at):
            power = mpf(1)
            for column in range(degree + 1):
                system[row, column] = power * weights[k]
                power *= grid[k]
            system[row, degree + 1] = (-1) ** row
            right[row] = values[k] * weights[k]
        solution = mp.lu_solve(system, right)
        coefficients = list(solution[: degree + 1])
        level = abs(solution[degree + 1])
        errors = [
            w * (mp.polyval(coefficients[::-1], x) - v)
            for x, v, w in zip(grid, values, weights, strict=True)
        ]
        worst = max(abs(e) for e in errors)
        if worst <= level * mpf("1.02"):
            break
        at = _alternation(errors, degree + 2)
    return coefficients, float(mp.log(worst, 2))


def _alternation(errors: list, count: int) -> list[int]:
    """The places of ``count`` extrema of alternating signs, the largest ones."""
    peaks: list[int] = []
    for k, e in enumerate(errors):
        if peaks and (errors[peaks[-1]] > 0) == (e > 0):
            if abs(e) > abs(errors[peaks[-1]]):
                peaks[-1] = k
        else:
            peaks.append(k)
    while len(peaks) > count:
        if len(peaks) - count == 1:
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
            continue
        # A small extremum goes with its smaller neighbour, which keeps the signs alternating.
        inner = min(range(len(peaks)), key=lambda k: abs(errors[peaks[k]]))
        sides = [k for k in (inner - 1, inner + 1) if 0 <= k < len(peaks)]
        if len(sides) == 1:
            peaks.pop(inner)
            continue
        other = min(sides, key=lambda k: abs(errors[peaks[k]]))
        for k in sorted((inner, other), reverse=True):
            peaks.pop(k)
    if len(peaks) < count:
        raise ValueError("the error alternates too seldom")
    return peaks


def least_degree(fit: Fit, target: float) -> list:
    """The polynomial of least degree that is accurate enough."""
    for degree in range(1, 40):
        coefficients, error = remez(fit, degree)
        if error <= -target:
            return coefficients
    raise ValueError("no polynomial of degree below 40 is accurate enough")


def _half_log_ratio(z: mpf) -> mpf:
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z


def _scaled_erfc(t: mpf) -> mpf:
    x = 4 * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def _erfinv_of_log(w: mpf) -> mpf:
    """``erfinv(x) / x`` where ``w = -log(1 - x**2)``."""
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x if w > mpf("1e-25") else mp.sqrt(mp.pi) / 2


def _lgamma_near_two(d: mpf) -> mpf:
    """``lgamma(2 + d)`` over its zeros at 0 and -1."""
    return mp.loggamma(2 + d) / (d * (d + 1))


_ROOT = mpf(
    "1.4616321449683623412626595423257213284681962040064463512959884085987864403538018102431"
)


def _digamma_between(d: mpf) -> mpf:
    """``digamma(1 + d)`` over its zero."""
    return mp.digamma(1 + d) / (1 + d - _ROOT)


def _stirling(z: mpf) -> mpf:
    """``lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2``, times x, at ``z = 1 / x**2``."""
    x = 1 / mp.sqrt(z)
    return x * (mp.loggamma(x) - (x - 0.5) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)


def _digamma_series(z: mpf) -> mpf:
    """``log(x) - 1 / (2 x) - digamma(x)``, times ``x**2``, at ``z = 1 / x**2``."""
    x = 1 / mp.sqrt(z)
    return (mp.log(x) - 1 / (2 * x) - mp.digamma(x)) * x * x


_LOG_RANGE = 0.0296  # of s**2, s = f / (2 + f), for arguments in [sqrt(1/2), sqrt(2)]
_EXP_RANGE = 0.34658  # half of log(2), and a little

FITS: dict[str, Fit] = {
    # exp(r) = 1 + r + r**2 EXPM1(r); expm1 needs it relative to r.
    "EXP": Fit(lambda r: (mp.expm1(r) - r) / r**2, -_EXP_RANGE, _EXP_RANGE, lambda r: r, 55, 27),
    # 2**r = 1 + r EXP2(r)
    "EXP2": Fit(
        lambda r: (mp.power(2, r) - 1) / r, -0.5001, 0.5001, lambda r: r / mp.power(2, r), 55, 28
    ),
    # log(1 + f) = s (2 + z LOG(z)), s = f / (2 + f), z = s**2
    "LOG": Fit(_half_log_ratio, 0, _LOG_RANGE, lambda z: z / 2, 58, 28),
    # The same, and 2**r = 1 + r POW_EXP2(r), for float32's powers computed in float64
    "POW_LOG": Fit(_half_log_ratio, 0, _LOG_RANGE, lambda z: z / 2, 37, 37),
    "POW_EXP2": Fit(
        lambda r: (mp.power(2, r) - 1) / r, -0.5001, 0.5001, lambda r: r / mp.power(2, r), 33, 33
    ),
    # atanh(s) = s (1 + z / 3 + z**2 ATANH(z)), relative to far less than the last place, for pow
    "ATANH": Fit(
        lambda z: (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1 - z / 3) / z**2,
        0,
        _LOG_RANGE,
        lambda z: z**2,
        67,
        35,
    ),
    # sin(r) = r + r z SIN(z); cos(r) = 1 - z / 2 + z**2 COS(z)
    "SIN": Fit(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 0, 0.64, lambda z: z, 57, 27),
    "COS": Fit(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, 0, 0.64, lambda z: z**2, 57, 27),
    # asin(x) = x + x z ASIN(z)
    "ASIN": Fit(
        lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 0, 0.2501, lambda z: z, 56, 27
    ),
    # atan(x) = x + x z ATAN(z)
    "ATAN": Fit(
        lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 0, 0.1717, lambda z: z, 54.5, 27
    ),
    # sinh(r) = r + r z SINH(z); cosh(r) = 1 + z COSH(z)
    "SINH": Fit(
        lambda z: (mp.sinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 0, 0.1202, lambda z: z, 57, 28
    ),
    "COSH": Fit(lambda z: (mp.cosh(mp.sqrt(z)) - 1) / z, 0, 0.1202, lambda z: z, 57, 28),
    # x**(-1/3), a first guess
    "CBRT": Fit(
        lambda x: mp.power(x, mpf(-1) / 3), 0.7071, 1.4143, lambda x: mp.cbrt(x), 18.5, 9.5
    ),
    # erf(x) = 2 / sqrt(pi) x + x z ERF(z)
    "ERF": Fit(
        lambda z: (mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 2 / mp.sqrt(mp.pi)) / z,
        0,
        1.0,
        lambda z: z,
        56,
        27,
    ),
    # erf(x) = 1 - 2**ERF_TAIL(x)
    "ERF_TAIL": Fit(
        lambda x: mp.log(mp.erfc(x), 2),
        0.999,
        5.95,
        lambda x: mp.log(2) * mp.erfc(x) / mp.erf(x),
        54.5,
        25.8,
        (0.999, 3.95),
    ),
    # erfc(x) = exp(-x**2) ERFC(t) / (1 + 2 x), t = (x - 4) / (x + 4)
    "ERFC": Fit(_scaled_erfc, -0.778, 0.751, lambda t: mpf(1), 56, 27, (-0.778, 0.45)),
    # erfinv(x) = x (sqrt(pi) / 2 + w ERFINV(w - 3)), w = -log(1 - x**2), then x times one of
    # the root of w
    "ERFINV": Fit(
        lambda v: (_erfinv_of_log(v + 3) - mp.sqrt(mp.pi) / 2) / (v + 3),
        -3,
        3.25,
        lambda v: v + 3,
        55,
        27,
        (-3, 2),
    ),
    "ERFINV_MIDDLE": Fit(
        lambda v: _erfinv_of_log((v + 3.25) ** 2),
        -0.751,
        0.751,
        lambda v: mpf(0.5),
        55,
        26,
        (-1.02, 0.85),
    ),
    "ERFINV_FAR": Fit(lambda v: _erfinv_of_log((v + 5) ** 2), -1, 1.01, lambda v: mpf(0.3), 55, 26),
    # lgamma(2 + d) = d (d + 1) LGAMMA(d + 1/4), digamma(1 + d) = (1 + d - root) DIGAMMA(d - 1/2)
    "LGAMMA": Fit(
        lambda v: _lgamma_near_two(v - mpf(0.25)), -0.66, 0.655, lambda v: mpf(2), 56, 27
    ),
    "DIGAMMA": Fit(lambda v: _digamma_between(v + 0.5), -0.5, 0.5, lambda v: mpf(1), 56, 27),
    # lgamma(x) = (x - 1/2) log(x) - x + log(2 pi) / 2 + STIRLING(1 / x**2) / x for x >= 8
    "STIRLING": Fit(_stirling, 1e-14, 0.015626, lambda z: mpf(0.02), 57, 27),
    # digamma(x) = log(x) - 1 / (2 x) - DIGAMMA_FAR(1 / x**2) / x**2 for x >= 5
    "DIGAMMA_FAR": Fit(_digamma_series, 1e-14, 0.04000004, lambda z: mpf("0.027"), 57, 27),
}


def main(names: list[str]) -> None:
    lines = ['"""Coefficients of the polynomials, the constant\'s first: written by fit.py."""', ""]
    for name, fit in FITS.items():
        for dtype, target in ((np.float64, fit.double), (np.float32, fit.single)):
            if names and name not in names:
                continue
            if dtype is np.float32 and fit.range_single is not None:
                fit = fit._replace(low=fit.range_single[0], high=fit.range_single[1])
            coefficients = least_degree(fit, target)
            lines.append(f"{name}_{'64' if dtype is np.float64 else '32'} = (")
            lines += [f"    {dtype(float(c))!s}," for c in coefficients]
            lines.append(")")
            print(name, dtype.__name__, len(coefficients), file=sys.stderr)
    if names:
        print("\n".join(lines))
    else:
        pathlib.Path(__file__).with_name("coefficients.py").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
