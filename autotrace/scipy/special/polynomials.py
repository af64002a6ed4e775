"""Orthogonal polynomials and spherical harmonics.

Their derivatives are polynomials of the next lower degree of a family with larger parameters, which
are regular at the ends of the interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as scipy_special

from ... import lax
from ... import numpy as anp
from ...core.errors import located
from ...numpy.dispatch import lowered
from ...numpy.promotion import broadcast_operands
from .functions import NO_RULE, hosted, loop_operands, row
from .gammas import floating


def _lower(factor: Callable, function: Callable) -> Callable:
    """``factor(n, ...) * function(n - 1, ...)``, 0 where n is."""

    def slope(out: Any, n: Any, *rest: Any) -> Any:
        lower = anp.where(n == 0, n, n - 1)  # SciPy's have no integer degrees below 0
        return anp.where(n == 0, 0.0, factor(n, *rest) * function(lower, *rest))

    return slope


def _gegenbauer(alpha: float) -> Callable:
    return lambda n, x: eval_gegenbauer(n, anp.full_like(x, alpha), x)


eval_gegenbauer: Callable = hosted(
    "eval_gegenbauer",
    "n alpha x",
    NO_RULE,
    NO_RULE,
    _lower(lambda n, a, x: 2 * a, lambda n, a, x: eval_gegenbauer(n, a + 1, x)),
)
eval_legendre: Callable = hosted(
    "eval_legendre", "n x", NO_RULE, _lower(lambda n, x: 1.0, _gegenbauer(1.5))
)
eval_chebyt: Callable = hosted(
    "eval_chebyt", "n x", NO_RULE, _lower(lambda n, x: n, lambda n, x: eval_chebyu(n, x))
)
eval_chebyu: Callable = hosted(
    "eval_chebyu", "n x", NO_RULE, _lower(lambda n, x: 2.0, _gegenbauer(2.0))
)
eval_hermite: Callable = hosted(
    "eval_hermite", "n x", NO_RULE, _lower(lambda n, x: 2 * n, lambda n, x: eval_hermite(n, x))
)
eval_hermitenorm: Callable = hosted(
    "eval_hermitenorm",
    "n x",
    NO_RULE,
    _lower(lambda n, x: n, lambda n, x: eval_hermitenorm(n, x)),
)
eval_genlaguerre: Callable = hosted(
    "eval_genlaguerre",
    "n alpha x",
    NO_RULE,
    NO_RULE,
    _lower(lambda n, a, x: -1.0, lambda n, a, x: eval_genlaguerre(n, a + 1, x)),
)
eval_laguerre: Callable = hosted(
    "eval_laguerre",
    "n x",
    NO_RULE,
    _lower(lambda n, x: -1.0, lambda n, x: eval_genlaguerre(n, anp.ones_like(x), x)),
)
eval_jacobi: Callable = hosted(
    "eval_jacobi",
    "n alpha beta x",
    NO_RULE,
    NO_RULE,
    NO_RULE,
    _lower(
        lambda n, a, b, x: 0.5 * (n + a + b + 1),
        lambda n, a, b, x: eval_jacobi(n, a + 1, b + 1, x),
    ),
)
eval_sh_legendre: Callable = hosted(
    "eval_sh_legendre",
    "n x",
    NO_RULE,
    _lower(lambda n, x: 2.0, lambda n, x: _gegenbauer(1.5)(n, 2 * x - 1)),
)
eval_sh_chebyt: Callable = hosted(
    "eval_sh_chebyt",
    "n x",
    NO_RULE,
    _lower(lambda n, x: 2 * n, lambda n, x: eval_sh_chebyu(n, x)),
)
eval_sh_chebyu: Callable = hosted(
    "eval_sh_chebyu",
    "n x",
    NO_RULE,
    _lower(lambda n, x: 4.0, lambda n, x: _gegenbauer(2.0)(n, 2 * x - 1)),
)


def legendre_p(n: Any, z: Any) -> Any:
    """Legendre polynomials, as ``scipy.special.legendre_p`` without its derivatives.

    Args:
      n: degrees, integers.
      z: real numbers.

    Returns:
      The values, with a first dimension of 1, as SciPy gives them.

    >>> legendre_p(2, 0.5)
    array([-0.125])
    """
    z = floating(z)
    return anp.expand_dims(eval_legendre(n, z).astype(z.dtype), 0)


# --- spherical harmonics -------------------------------------------------------------------------


def _along_meridian(out: Any, n: Any, m: Any, theta: Any) -> Any:
    up = anp.sqrt(anp.maximum((n - m) * (n + m + 1), 0) * 1.0).astype(theta.dtype)
    down = anp.sqrt(anp.maximum((n + m) * (n - m + 1), 0) * 1.0).astype(theta.dtype)
    # Beyond the poles the functions are those of the sine's magnitude.
    side = anp.where(anp.sin(theta) < 0, -0.5, 0.5)
    return side * (up * _sph_legendre(n, m + 1, theta) - down * _sph_legendre(n, m - 1, theta))


def _sph_legendre_host(n: Any, m: Any, theta: Any) -> Any:
    out = scipy_special.sph_legendre_p(n, m, theta)  # with a first dimension of 1, or not
    return np.reshape(out, np.broadcast(n, m, theta).shape)


_sph_legendre: Callable = row(
    "sph_legendre_p",
    "n m theta",
    None,
    None,
    _along_meridian,
    host=_sph_legendre_host,
)


def _whole(name: str, *args: Any) -> list[Any]:
    """Degrees and orders as arrays.

    Raises:
      TypeError: when they are not integers.
    """
    out = [lowered(anp.asarray(x)) for x in args]
    if any(x.dtype.kind not in "iu" for x in out):
        raise TypeError(located(f"{name}: degree and order must be integers"))
    return out


def sph_legendre_p(n: Any, m: Any, theta: Any) -> Any:
    """Spherical Legendre functions, as ``scipy.special.sph_legendre_p`` without its derivatives.

    Args:
      n, m: degrees and orders, integers.
      theta: polar angles.

    Returns:
      The values, with a first dimension of 1, as SciPy gives them.

    Raises:
      TypeError: for degrees or orders that are not integers.

    >>> sph_legendre_p(1, 0, np.pi / 3).round(6)
    array([0.244301])
    """
    n, m = _whole("sph_legendre_p", n, m)
    theta, _ = loop_operands(np.true_divide, (theta, theta))
    n, m, theta = broadcast_operands(n, m, theta)
    return anp.expand_dims(_sph_legendre(n, m, theta), 0)


def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any) -> Any:
    """Spherical harmonics, as ``scipy.special.sph_harm_y`` without its derivatives.

    Args:
      n, m: degrees and orders, integers.
      theta, phi: polar and azimuthal angles, real numbers.

    Returns:
      Complex numbers.

    Raises:
      TypeError: for degrees or orders that are not integers.

    >>> round(float(sph_harm_y(1, 0, 0.0, 0.0).real * np.sqrt(4 * np.pi / 3)), 12)
    1.0
    """
    n, m = _whole("sph_harm_y", n, m)
    theta, phi = loop_operands(np.true_divide, (theta, phi))
    n, m, theta, phi = broadcast_operands(n, m, theta, phi)
    along = _sph_legendre(n, m, theta)
    angle = (m * phi).astype(phi.dtype)
    return lax.complex(along * anp.cos(angle), along * anp.sin(angle))
