"""The error function, the normal distribution, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as scipy_special

from ... import lax
from ... import numpy as anp
from .functions import hosted, row, ufunc
from .gammas import polynomial

_ROOT_HALF = math.sqrt(0.5)
_ROOT_PI = math.sqrt(math.pi)
_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)

erf = ufunc("erf", lax.erf)
erfc = ufunc("erfc", lax.erfc)
erfinv = ufunc("erfinv", lax.erf_inv)
erfcinv: Callable = hosted("erfcinv", "y", lambda out, y: -0.5 * _ROOT_PI * anp.exp(out * out))
erfcx: Callable = hosted("erfcx", "x", lambda out, x: 2 * x * out - 2 / _ROOT_PI)
erfi: Callable = hosted("erfi", "x", lambda out, x: 2 / _ROOT_PI * anp.exp(x * x))
dawsn: Callable = hosted("dawsn", "x", lambda out, x: 1 - 2 * x * out)
ndtr = ufunc("ndtr", lambda x: 0.5 * lax.erfc(-_ROOT_HALF * x))


def _tail(x: Any) -> tuple[Any, Any, Any]:
    """Where the normal distribution is so small that its asymptotic series is exact; ``x`` there;
    and the series ``1 - 1/x**2 + 3/x**4 - ...`` (DLMF 7.12.1)."""
    far = x < (-10 if x.dtype == np.float32 else -30)
    x = anp.where(far, x, -30.0)
    # The terms at 10 fall until the 50th; at 30 the seventh is below float64's precision.
    terms = [1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0]
    return far, x, polynomial(1 / (x * x), terms)


def _log_ndtr(x: Any) -> Any:
    far, below, series = _tail(x)
    tail = -0.5 * below * below - anp.log(-below) - _HALF_LOG_TWO_PI + anp.log(series)
    near = anp.where(far, 0.0, x)
    half = 0.5 * lax.erfc(_ROOT_HALF * anp.abs(near))
    body = anp.where(near > 0, anp.log1p(-half), anp.log(half))
    return anp.where(far, tail, body)


def _log_ndtr_slope(out: Any, x: Any) -> Any:
    """The normal density over its distribution function."""
    far, below, series = _tail(x)
    near = anp.where(far, 0.0, x)
    body = anp.exp(-0.5 * near * near - anp.where(far, 0.0, out) - _HALF_LOG_TWO_PI)
    return anp.where(far, -below / series, body)


log_ndtr: Callable = hosted("log_ndtr", "x", _log_ndtr_slope, composition=_log_ndtr)
ndtri: Callable = hosted("ndtri", "y", lambda out, y: _ROOT_TWO_PI * anp.exp(0.5 * out * out))
ndtri_exp: Callable = hosted("ndtri_exp", "y", lambda out, y: 1 / _log_ndtr_slope(y, out))
owens_t: Callable = hosted(
    "owens_t",
    "h a",
    lambda out, h, a: -0.5 / _ROOT_TWO_PI * anp.exp(-0.5 * h * h) * lax.erf(_ROOT_HALF * (a * h)),
    lambda out, h, a: anp.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a)),
)

# --- Faddeeva's function and Voigt's profile ----------------------------------------------------

wofz: Callable = hosted("wofz", "z", lambda out, z: 2j / _ROOT_PI - 2 * z * out, takes_complex=True)


# w(z) with z = (x + i gamma) / (sigma sqrt(2)), over sigma sqrt(2 pi), has Voigt's profile V for
# its real part and L for its imaginary one. As dw/dz = 2i / sqrt(pi) - 2 z w, with the equations
# of Cauchy and Riemann, and of heat for sigma:
def _voigt_x(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
    return -(x * v - gamma * l) / (sigma * sigma)


def _voigt_gamma(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
    return (x * l + gamma * v - 1 / math.pi) / (sigma * sigma)


def _voigt_sigma(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
    dv, dl = _voigt_x(v, l, x, sigma, gamma), -_voigt_gamma(v, l, x, sigma, gamma)
    return -(v + x * dv - gamma * dl) / sigma


def _conjugate_sigma(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
    dv, dl = _voigt_x(v, l, x, sigma, gamma), -_voigt_gamma(v, l, x, sigma, gamma)
    return -(l + x * dl + gamma * dv) / sigma


def _conjugate_host(x: Any, sigma: Any, gamma: Any) -> Any:
    scale = sigma * np.sqrt(2)
    return scipy_special.wofz((x + 1j * gamma) / scale).imag / (scale * np.sqrt(np.pi))


_conjugate: Callable = row(
    "voigt_conjugate",
    "x sigma gamma",
    lambda out, *p: -_voigt_gamma(voigt_profile(*p), out, *p),
    lambda out, *p: _conjugate_sigma(voigt_profile(*p), out, *p),
    lambda out, *p: _voigt_x(voigt_profile(*p), out, *p),
    host=_conjugate_host,
)
voigt_profile: Callable = hosted(
    "voigt_profile",
    "x sigma gamma",
    lambda out, *p: _voigt_x(out, _conjugate(*p), *p),
    lambda out, *p: _voigt_sigma(out, _conjugate(*p), *p),
    lambda out, *p: _voigt_gamma(out, _conjugate(*p), *p),
)
