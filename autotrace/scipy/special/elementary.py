"""Elementary functions of SciPy: powers, exponentials, angles in degrees, losses, Box and Cox."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import lax
from ... import numpy as anp
from .functions import hosted, ufunc
from .integrals import near_zero

cbrt = ufunc("cbrt", lax.cbrt)
exp2 = ufunc("exp2", lax.exp2)
exp10 = ufunc("exp10", lambda x: lax.pow(10.0, x))
expm1 = ufunc("expm1", lax.expm1)
log1p = ufunc("log1p", lax.log1p)
sinc = anp.sinc


def _half_square(x: Any) -> Any:
    sine = anp.sin(0.5 * x)
    return -2 * sine * sine


cosm1 = ufunc("cosm1", _half_square)
powm1: Callable = hosted(
    "powm1",
    "x y",
    lambda out, x, y: y * lax.pow(x, y - 1),
    lambda out, x, y: (out + 1) * anp.log(x),
)

_DEGREE = math.pi / 180
sindg: Callable = hosted("sindg", "x", lambda out, x: _DEGREE * cosdg(x))
cosdg: Callable = hosted("cosdg", "x", lambda out, x: -_DEGREE * sindg(x))
tandg: Callable = hosted("tandg", "x", lambda out, x: _DEGREE * (1 + out * out))
cotdg: Callable = hosted("cotdg", "x", lambda out, x: -_DEGREE * (1 + out * out))
radian = ufunc("radian", lambda d, m, s: _DEGREE * (d + m / 60 + s / 3600))

# --- exprel --------------------------------------------------------------------------------------

_exprel_slope = near_zero(
    0.5,
    [(k + 1) / math.factorial(k + 2) for k in range(16)],
    lambda x: (anp.exp(x) - anp.expm1(x) / x) / x,
)


def _exprel(x: Any) -> Any:
    zero = x == 0
    return anp.where(zero, 1.0, anp.expm1(x) / anp.where(zero, 1.0, x))


exprel: Callable = hosted("exprel", "x", lambda out, x: _exprel_slope(x), composition=_exprel)

# --- losses --------------------------------------------------------------------------------------


def _huber(delta: Any, r: Any) -> Any:
    size = anp.abs(r)
    inner = 0.5 * r * r
    return anp.where(
        delta < 0, np.inf, anp.where(size <= delta, inner, delta * (size - 0.5 * delta))
    )


def _pseudo_huber(delta: Any, r: Any) -> Any:
    zero = delta == 0
    scale = anp.where(zero, 1.0, delta)
    ratio = r / scale
    inner = scale * scale * anp.expm1(0.5 * anp.log1p(ratio * ratio))
    return anp.where(delta < 0, np.inf, anp.where(zero, 0.0, inner))


huber = ufunc("huber", _huber)
pseudo_huber = ufunc("pseudo_huber", _pseudo_huber)

# --- Box and Cox ---------------------------------------------------------------------------------


def _power_of(log_x: Any, lmbda: Any) -> Any:
    """``(exp(lmbda log_x) - 1) / lmbda``, the logarithm where lmbda is 0, from the logarithm."""
    plain = (lmbda == 0) | (log_x == 0) | ~anp.isfinite(log_x)
    whole = anp.where(plain, 1.0, log_x)
    at_end = anp.where(
        (log_x == -np.inf) & (lmbda > 0), -1 / anp.where(lmbda == 0, 1.0, lmbda), log_x
    )
    return anp.where(plain, at_end, whole * exprel(lmbda * whole))


def _power_slope(log_x: Any, lmbda: Any) -> Any:
    """The derivative of a Box-Cox transform with respect to lmbda."""
    zero = log_x == -np.inf
    inner = anp.where(zero, 0.0, log_x)
    at_zero = 1 / anp.where(lmbda > 0, lmbda * lmbda, 1.0)
    at_zero = anp.where(lmbda > 0, at_zero, np.inf)
    return anp.where(zero, at_zero, inner * inner * _exprel_slope(lmbda * inner))


# (z / (1 + z) - log(1 + z)) / z**2, of which the inverse's derivative is made.
_inverse_slope = near_zero(
    0.1,
    [(-1) ** (k + 1) * (k + 1) / (k + 2) for k in range(18)],
    lambda z: (z / (1 + z) - anp.log1p(z)) / (z * z),
)

boxcox: Callable = hosted(
    "boxcox",
    "x lmbda",
    lambda out, x, lmbda: lax.pow(x, lmbda - 1),
    lambda out, x, lmbda: _power_slope(anp.log(x), lmbda),
    composition=lambda x, lmbda: _power_of(anp.log(x), lmbda),
)
boxcox1p: Callable = hosted(
    "boxcox1p",
    "x lmbda",
    lambda out, x, lmbda: lax.pow(1 + x, lmbda - 1),
    lambda out, x, lmbda: _power_slope(anp.log1p(x), lmbda),
    composition=lambda x, lmbda: _power_of(anp.log1p(x), lmbda),
)


def _inverse(y: Any, lmbda: Any) -> Any:
    """The logarithm of Box and Cox's inverse."""
    zero = lmbda == 0
    scale = anp.where(zero, 1.0, lmbda)
    return anp.where(zero, y, anp.log1p(scale * y) / scale)


inv_boxcox: Callable = hosted(
    "inv_boxcox",
    "x lmbda",
    lambda out, y, lmbda: out / (1 + lmbda * y),
    lambda out, y, lmbda: out * y * y * _inverse_slope(lmbda * y),
    composition=lambda y, lmbda: anp.exp(_inverse(y, lmbda)),
)
inv_boxcox1p: Callable = hosted(
    "inv_boxcox1p",
    "x lmbda",
    lambda out, y, lmbda: (out + 1) / (1 + lmbda * y),
    lambda out, y, lmbda: (out + 1) * y * y * _inverse_slope(lmbda * y),
    composition=lambda y, lmbda: anp.expm1(_inverse(y, lmbda)),
)
