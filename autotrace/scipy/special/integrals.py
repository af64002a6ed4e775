"""Elliptic, exponential, trigonometric and Fresnel integrals, the dilogarithm, Lambert's W."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as scipy_special

from ... import numpy as anp
from ...numpy.dispatch import lowered
from ...numpy.promotion import asarray, to_dtype
from .functions import NO_RULE, hosted, row, ufunc
from .gammas import polynomial
from .hypergeometric import hyp2f1

# --- elliptic (DLMF 19.4) ------------------------------------------------------------------------


def _hypergeometric(a: float, b: float, c: float, m: Any) -> Any:
    return hyp2f1(*(anp.full_like(m, p) for p in (a, b, c)), m)


def _split(m: Any, radius: float) -> tuple[Any, Any, Any]:
    """Whether numbers are close to 0; those that are, and those that are not."""
    near = anp.abs(m) < radius
    return near, anp.where(near, m, 0.0), anp.where(near, 0.5, m)


def _ellipk_slope(out: Any, m: Any) -> Any:
    near, small, m = _split(m, 0.1)
    away = (ellipe(m) - (1 - m) * ellipk(m)) / (2 * m * (1 - m))
    return anp.where(near, math.pi / 8 * _hypergeometric(1.5, 1.5, 2.0, small), away)


def _ellipe_slope(out: Any, m: Any) -> Any:
    near, small, m = _split(m, 0.1)
    away = (ellipe(m) - ellipk(m)) / (2 * m)
    return anp.where(near, -math.pi / 8 * _hypergeometric(0.5, 1.5, 2.0, small), away)


ellipk: Callable = hosted("ellipk", "m", _ellipk_slope)
ellipe: Callable = hosted("ellipe", "m", _ellipe_slope)


def _ellipkm1_slope(out: Any, p: Any) -> Any:
    near, small, m = _split(1 - p, 0.1)
    rest = anp.where(near, 0.5, p)
    away = (ellipe(m) - rest * ellipkm1(rest)) / (2 * m * rest)
    return -anp.where(near, math.pi / 8 * _hypergeometric(1.5, 1.5, 2.0, small), away)


ellipkm1: Callable = hosted("ellipkm1", "p", _ellipkm1_slope)


def _incomplete_series(phi: Any, m: Any, kind: int) -> Any:
    """The derivative of an incomplete integral with respect to ``m``, for a small one: both are
    power series whose coefficients are integrals of powers of the sine.

    Args:
      kind: 1 or 2.
    """
    sine, cosine = anp.sin(phi), anp.cos(phi)
    power, integral, weight = sine, phi, 1.0
    coefficients = []
    for k in range(1, 14):
        integral = ((2 * k - 1) * integral - cosine * power) / (2 * k)
        power = power * sine * sine
        weight *= (2 * k - 1) / (2 * k)
        coefficients.append(k * (weight if kind == 1 else -weight / (2 * k - 1)) * integral)
    return polynomial(m, coefficients)


def _root(phi: Any, m: Any) -> Any:
    sine = anp.sin(phi)
    return anp.sqrt(1 - m * sine * sine)


def _ellipkinc_m(out: Any, phi: Any, m: Any) -> Any:
    near, small, m = _split(m, 0.05)
    rest = anp.sin(2 * phi) / (4 * (1 - m) * _root(phi, m))
    away = ellipeinc(phi, m) / (2 * m * (1 - m)) - ellipkinc(phi, m) / (2 * m) - rest
    return anp.where(near, _incomplete_series(phi, small, 1), away)


def _ellipeinc_m(out: Any, phi: Any, m: Any) -> Any:
    near, small, m = _split(m, 0.05)
    away = (ellipeinc(phi, m) - ellipkinc(phi, m)) / (2 * m)
    return anp.where(near, _incomplete_series(phi, small, 2), away)


ellipkinc: Callable = hosted(
    "ellipkinc", "phi m", lambda out, phi, m: 1 / _root(phi, m), _ellipkinc_m
)
ellipeinc: Callable = hosted("ellipeinc", "phi m", lambda out, phi, m: _root(phi, m), _ellipeinc_m)


def _agm(a: Any, b: Any) -> Any:
    total = a + b
    zero = total == 0
    whole = anp.where(zero, 1.0, total)
    rest = 4 * (a / whole) * (b / whole)
    return anp.where(zero, 0.0, 0.25 * math.pi * total / ellipkm1(rest))


agm = ufunc("agm", _agm)

# --- exponential, trigonometric ------------------------------------------------------------------

expi: Callable = hosted("expi", "x", lambda out, x: anp.exp(x) / x)
exp1: Callable = hosted("exp1", "z", lambda out, z: -anp.exp(-z) / z)


def _expn_slope(out: Any, n: Any, x: Any) -> Any:
    of_order_0 = -anp.exp(-x) * (1 / x + 1 / (x * x))
    return anp.where(n == 0, of_order_0, -expn(anp.maximum(n - 1, 0), x))


expn: Callable = hosted("expn", "n x", NO_RULE, _expn_slope)


def near_zero(radius: float, coefficients: list[float], away: Callable) -> Callable:
    """A function with a removable singularity at 0, by a polynomial next to it."""

    def function(x: Any) -> Any:
        near, small, far = _split(x, radius)
        return anp.where(near, polynomial(small, coefficients), away(far))

    return function


_sinhc_even = near_zero(
    0.25,
    [1 / math.factorial(2 * k + 1) for k in range(9)],
    lambda z: anp.sinh(anp.sqrt(z)) / anp.sqrt(z),
)


def _sinhc(x: Any) -> Any:
    return _sinhc_even(x * x)


def _sinc(x: Any) -> Any:
    square = x * x
    near, small, square = _split(square, 0.25)
    terms = [(-1) ** k / math.factorial(2 * k + 1) for k in range(9)]
    root = anp.sqrt(square)
    return anp.where(near, polynomial(small, terms), anp.sin(root) / root)


def _pair(name: str, first: Callable, second: Callable) -> Callable:
    """A ufunc of two results, of which one or both may be asked for."""
    function = getattr(scipy_special, name)
    parts = [
        row(f"{name}_{n}", "x", lambda out, x, s=slope: s(x), host=lambda x, n=n: function(x)[n])
        for n, slope in enumerate((first, second))
    ]
    return ufunc(name, lambda x: tuple(part(x) for part in parts))


sici = _pair("sici", _sinc, lambda x: anp.cos(x) / x)
shichi = _pair("shichi", _sinhc, lambda x: anp.cosh(x) / x)
fresnel = _pair(
    "fresnel",
    lambda x: anp.sin(0.5 * math.pi * x * x),
    lambda x: anp.cos(0.5 * math.pi * x * x),
)

_log1p_ratio = near_zero(0.05, [(-1) ** k / (k + 1) for k in range(14)], lambda x: anp.log1p(x) / x)
spence: Callable = hosted("spence", "z", lambda out, z: -_log1p_ratio(z - 1))

# --- W -------------------------------------------------------------------------------------------

_lambertw: Callable = row(
    "lambertw",
    "z",
    lambda out, z, *, k, tol: anp.exp(-out) / (1 + out),
    host=lambda z, *, k, tol: scipy_special.lambertw(z, k, tol),
    takes_complex=True,
)


def lambertw(z: Any, k: int = 0, tol: float = 1e-8) -> Any:
    """A branch of the inverse of ``w exp(w)``, as ``scipy.special.lambertw``.

    Args:
      z: real or complex numbers.
      k: the branch, a Python integer.
      tol: SciPy's tolerance.

    Returns:
      Complex numbers; their ``.real`` is the real branch where there is one.

    >>> float(lambertw(np.e).real)
    1.0
    """
    z = lowered(asarray(z))
    return _lambertw(
        to_dtype(z, np.result_type(getattr(z, "dtype", float), np.complex64)), k=k, tol=tol
    )


wrightomega: Callable = hosted("wrightomega", "z", lambda out, z: out / (1 + out))
