"""Bessel's functions and Airy's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as scipy_special

from ... import lax
from ... import numpy as anp
from . import chebyshev
from .functions import NO_RULE, hosted, row, ufunc
from .gammas import floating
from .incomplete import gamma_factor, in_blocks, panel

# Derivatives with respect to x are means of the neighbouring orders (DLMF 10.6.1 and 10.29.1),
# which have no singularity at 0 where the function has none.


def _mean(function: Callable, sign: float, lower_sign: float = 1.0) -> Callable:
    """``(sign f(v - 1) + lower_sign f(v + 1)) / 2``"""

    def slope(out: Any, v: Any, x: Any) -> Any:
        return 0.5 * (lower_sign * function(v - 1, x) + sign * function(v + 1, x))

    return slope


def _second(function: Callable, x: Any) -> Any:
    """The function of order 2."""
    return function(anp.full_like(x, 2.0), x)


jv: Callable = hosted("jv", "v x", NO_RULE, lambda *a: _mean(jv, -1.0)(*a))
jn = jv
yv: Callable = hosted("yv", "v x", NO_RULE, lambda *a: _mean(yv, -1.0)(*a))
yn: Callable = hosted("yn", "n x", NO_RULE, lambda *a: _mean(yn, -1.0)(*a))
iv: Callable = hosted(
    "iv",
    "v x",
    lambda out, v, x: anp.exp(x) * _ive_order(v, x, order=1),
    lambda *a: _mean(iv, 1.0)(*a),
)
ive: Callable = hosted(
    "ive",
    "v x",
    lambda out, v, x: _ive_order(v, x, order=1),
    lambda out, v, x: _mean(ive, 1.0)(out, v, x) - lax.sign(x) * out,
)
kn: Callable = hosted("kn", "n x", NO_RULE, lambda *a: -_mean(kn, 1.0)(*a))
j0: Callable = hosted("j0", "x", lambda out, x: -j1(x))
j1: Callable = hosted("j1", "x", lambda out, x: 0.5 * (j0(x) - _second(jv, x)))
y0: Callable = hosted("y0", "x", lambda out, x: -y1(x))
y1: Callable = hosted("y1", "x", lambda out, x: 0.5 * (y0(x) - _second(yv, x)))
i0 = ufunc("i0", lambda x: lax.bessel_i(0, x))
i1 = ufunc("i1", lambda x: lax.bessel_i(1, x))
i0e: Callable = hosted(
    "i0e", "x", lambda out, x: i1e(x) - lax.sign(x) * out, composition=chebyshev.i0e
)
i1e: Callable = hosted(
    "i1e",
    "x",
    lambda out, x: 0.5 * (i0e(x) + _second(ive, x)) - lax.sign(x) * out,
    composition=chebyshev.i1e,
)
k0: Callable = hosted("k0", "x", lambda out, x: -k1(x))
k1: Callable = hosted("k1", "x", lambda out, x: -0.5 * (k0(x) + _second(kv, x)))
k0e: Callable = hosted("k0e", "x", lambda out, x: out - k1e(x))
k1e: Callable = hosted("k1e", "x", lambda out, x: out - 0.5 * (k0e(x) + _second(kve, x)))

# --- K in its order ------------------------------------------------------------------------------


@in_blocks
def _kve_order_host(v: np.ndarray, x: np.ndarray, *, order: int) -> np.ndarray:
    """A derivative of ``exp(x) K_v(x)`` with respect to v, from the integral of
    ``exp(-x cosh(t)) cosh(v t)`` over positive t (DLMF 10.32.9)."""
    good = (x > 0) & np.isfinite(x) & np.isfinite(v)
    sign = np.where(v < 0, (-1.0) ** order, 1.0)
    at_infinity = np.where(x == np.inf, 0.0, np.nan)
    v, x = np.abs(np.where(good, v, 1.0)), np.where(good, x, 1.0)
    # The exponent v t - x (cosh(t) - 1) is greatest at t = asinh(v / x), and bends there the more
    # the longer this is:
    bend, steep = np.arcsinh(v / x), np.hypot(v, x)
    width = np.sqrt(90 / steep)
    right = np.where(steep > 1, np.minimum(width, np.log1p(90 / steep) + 1.5), width)
    right = np.minimum(right, np.log1p(180 / steep) + 1.5)
    left = np.minimum(bend, width + 45 / np.maximum(v, 1e-3))

    def integrand(t: Any, orders: Any, arguments: Any) -> np.ndarray:
        decay = -2 * orders * t
        wave = -np.expm1(decay) if order % 2 else 1 + np.exp(decay)
        half = np.sinh(0.5 * t)
        return t**order * np.exp(orders * t - 2 * arguments * half * half) * (0.5 * wave)

    out = panel(integrand, bend, right, v, x) + panel(integrand, bend, -left, v, x)
    return np.where(good, sign * out, at_infinity)


_kve_order: Callable = row(
    "kve_order",
    "v x",
    lambda out, v, x, *, order: _kve_order(v, x, order=order + 1),
    lambda out, v, x, *, order: (
        out - 0.5 * (_kve_order(v - 1, x, order=order) + _kve_order(v + 1, x, order=order))
    ),
    host=_kve_order_host,
)
kv: Callable = hosted(
    "kv",
    "v x",
    lambda out, v, x: anp.exp(-x) * _kve_order(v, x, order=1),
    lambda *a: -_mean(kv, 1.0)(*a),
)
kve: Callable = hosted(
    "kve",
    "v x",
    lambda out, v, x: _kve_order(v, x, order=1),
    lambda out, v, x: out - _mean(kve, 1.0)(out, v, x),
)

# --- I in its order ------------------------------------------------------------------------------

#: How many standard deviations of the series' terms are summed up on both sides of the largest.
_TERMS = 9.0


def _ive_order_series(v: np.ndarray, x: np.ndarray, order: int) -> np.ndarray:
    """A derivative of ``exp(-x) I_v(x)`` with respect to v, which is at least 0, from the power
    series (DLMF 10.25.2), whose terms are positive, around its largest term."""
    middle = 0.5 * x * x / (v + np.hypot(v, x))
    spread = np.sqrt(middle * (v + middle) / np.maximum(v + 2 * middle, 1e-300))
    reach = np.ceil(_TERMS * spread + 25)
    first = np.maximum(np.floor(middle - reach), 0.0)
    count = int(np.max(middle + reach - first)) + 1
    k = first[:, None] + np.arange(count)
    a, half = v[:, None] + k + 1, np.log(0.5 * x)[:, None]
    logarithm = (
        (a + k - 1) * half - scipy_special.gammaln(k + 1) - scipy_special.gammaln(a) - x[:, None]
    )
    factor = gamma_factor(half - scipy_special.psi(a), a, order)
    return np.sum(np.exp(logarithm) * factor, axis=1)


@in_blocks
def _ive_order_host(v: np.ndarray, x: np.ndarray, *, order: int) -> np.ndarray:
    """A derivative of ``exp(-x) I_v(x)`` with respect to v, for positive x."""
    good = (x > 0) & np.isfinite(x) & np.isfinite(v)
    at_end = np.where(((x == 0) & (v > 0)) | (x == np.inf), 0.0, np.nan)
    v, x = np.where(good, v, 1.0), np.where(good, x, 1.0)
    below, u = v < 0, np.abs(v)
    out = _ive_order_series(u, x, order)
    if below.any():  # I of order -u is I of order u and 2/pi sin(u pi) K (DLMF 10.27.2)
        waves = (
            math.comb(order, j)
            * np.pi ** (order - j)
            * np.sin(np.pi * (u + 0.5 * (order - j)))
            * _kve_order_host(u, x, order=j)
            for j in range(order + 1)
        )
        mirrored = out + 2 / np.pi * np.exp(-2 * x) * sum(waves)
        out = np.where(below, (-1.0) ** order * mirrored, out)
    return np.where(good, out, at_end)


_ive_order: Callable = row(
    "ive_order",
    "v x",
    lambda out, v, x, *, order: _ive_order(v, x, order=order + 1),
    lambda out, v, x, *, order: (
        0.5 * (_ive_order(v - 1, x, order=order) + _ive_order(v + 1, x, order=order)) - out
    ),
    host=_ive_order_host,
)

# --- Airy ----------------------------------------------------------------------------------------


def _airy_part(part: int) -> Callable:
    def slope(out: Any, x: Any) -> Any:
        return _airy_parts[part + 1](x) if part % 2 == 0 else x * _airy_parts[part - 1](x)

    return row(f"airy_{part}", "x", slope, host=lambda x: scipy_special.airy(x)[part])


_airy_parts = [_airy_part(n) for n in range(4)]
airy = ufunc("airy", lambda x: tuple(part(x) for part in _airy_parts))


def _spherical(name: str, cylindrical: Callable) -> Callable:
    """A spherical function from the cylindrical one of half-integer order (DLMF 10.47.3)."""

    def function(n: Any, z: Any) -> Any:
        z = floating(z)
        return anp.sqrt(0.5 * math.pi / z) * cylindrical(floating(n).astype(z.dtype) + 0.5, z)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"As ``scipy.special.{name}``, for orders ``n`` at least 0 and real ``z`` above 0.\n"
    )
    return function


spherical_jn = _spherical("spherical_jn", jv)
spherical_yn = _spherical("spherical_yn", yv)
spherical_in = _spherical("spherical_in", iv)
spherical_kn = _spherical("spherical_kn", kv)
