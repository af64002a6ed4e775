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


def _odd_terms(sign: float) -> list[float]:
    """The coefficients ``(2n + 1)!! / 2**n`` of an asymptotic series, with a sign to the nth."""
    return [math.prod(range(1, 2 * n + 2, 2)) * (0.5 * sign) ** n for n in range(7)]


def _slope(z: Any, side: Any, near: Callable, limit: complex, sign: float = 1.0) -> Any:
    """The derivative of a function that falls as ``limit / z`` and solves ``dw/dz = c - 2 z w``:
    far out, where that difference cancels, by the asymptotic series (DLMF 7.12).

    Args:
      z: real or complex numbers.
      side: real numbers, not negative where the series holds.
      near: of ``z`` to the difference.
      limit: see above.
      sign: that of the ratio of terms.
    """
    single = z.dtype in (np.float32, np.complex64)
    far = (anp.abs(z) > (10 if single else 30)) & (side >= 0)
    beyond = anp.where(far, z, 30.0)
    inverse = 1 / (beyond * beyond)
    series = -limit * inverse * polynomial(inverse, _odd_terms(sign))
    return anp.where(far, series, near(anp.where(far, 0.0, z)))


erfcx: Callable = hosted(
    "erfcx",
    "x",
    lambda out, x: _slope(x, x, lambda y: 2 * y * out - 2 / _ROOT_PI, 1 / _ROOT_PI, -1.0),
)
erfi: Callable = hosted("erfi", "x", lambda out, x: 2 / _ROOT_PI * anp.exp(x * x))
dawsn: Callable = hosted(
    "dawsn", "x", lambda out, x: _slope(x, x * x, lambda y: 1 - 2 * y * out, 0.5)
)
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


def _wofz_slope(out: Any, z: Any) -> Any:
    return _slope(z, anp.imag(z), lambda y: 2j / _ROOT_PI - 2 * y * out, 1j / _ROOT_PI)


wofz: Callable = hosted("wofz", "z", _wofz_slope, takes_complex=True)


# w(z) with z = (x + i gamma) / (sigma sqrt(2)), over sigma sqrt(2 pi), has Voigt's profile V for
# its real part and L for its imaginary one. As dw/dz = 2i / sqrt(pi) - 2 z w, with the equations
# of Cauchy and Riemann, and of heat for sigma:
def _near_x(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
    return -(x * v - gamma * l) / (sigma * sigma)


def _near_gamma(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
    return (x * l + gamma * v - 1 / math.pi) / (sigma * sigma)


def _near_sigma(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
    dv, dl = _near_x(v, l, x, sigma, gamma), -_near_gamma(v, l, x, sigma, gamma)
    return -(v + x * dv - gamma * dl) / sigma


def _near_sigma_of_conjugate(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
    dv, dl = _near_x(v, l, x, sigma, gamma), -_near_gamma(v, l, x, sigma, gamma)
    return -(l + x * dl + gamma * dv) / sigma


def _voigt_slope(near: Callable, of_sigma: bool, factor: complex) -> Callable:
    """A derivative of V or L. Where sigma is small to the distance from 0 the differences above
    cancel; there the series of ``w`` is that of ``V + i L`` in ``sigma / (x + i gamma)``.

    Args:
      near: the derivative by V, L and the parameters.
      of_sigma: whether it is with respect to sigma, or to ``x + i gamma``.
      factor: the derivative is the real part of this times the series.
    """

    def slope(v: Any, l: Any, x: Any, sigma: Any, gamma: Any) -> Any:  # noqa: E741
        limit = 200 if x.dtype == np.float32 else 1800
        far = (x * x + gamma * gamma > limit * sigma * sigma) & (gamma >= 0)
        inverse = 1 / (anp.where(far, x, 1.0) + 1j * anp.where(far, gamma, 1.0))
        ratio = anp.where(far, sigma, 0.0) * inverse
        terms = [c * 2**n for n, c in enumerate(_odd_terms(1.0))]
        if of_sigma:
            terms = [2 * (n + 1) * c for n, c in enumerate(terms)]
            series = ratio * polynomial(ratio * ratio, terms)
        else:
            series = -polynomial(ratio * ratio, terms)
        beyond = anp.real(factor * 1j / math.pi * (inverse * inverse * series))
        return anp.where(far, beyond, near(v, l, x, anp.where(far, 1.0, sigma), gamma))

    return slope


def _conjugate_host(x: Any, sigma: Any, gamma: Any) -> Any:
    scale = sigma * np.sqrt(2)
    distance = np.asarray(x + 1j * gamma)
    with np.errstate(all="ignore"):
        found = scipy_special.wofz(distance / scale).imag / (scale * np.sqrt(np.pi))
    return np.where(sigma == 0, np.real(1 / (np.pi * distance)), found)


_voigt_x = _voigt_slope(_near_x, False, 1)
_voigt_gamma = _voigt_slope(_near_gamma, False, 1j)
_voigt_sigma = _voigt_slope(_near_sigma, True, 1)
_conjugate_x = _voigt_slope(lambda *args: -_near_gamma(*args), False, -1j)
_conjugate_sigma = _voigt_slope(_near_sigma_of_conjugate, True, -1j)

_conjugate: Callable = row(
    "voigt_conjugate",
    "x sigma gamma",
    lambda out, *p: _conjugate_x(voigt_profile(*p), out, *p),
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
