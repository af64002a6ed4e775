"""The gamma function and its relatives: logarithms, derivatives, ratios, and the zeta function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as scipy_special

from ... import lax
from ... import numpy as anp
from ...api.differentiate import jvp
from ...core.errors import located
from ...core.trace import get_aval
from ...numpy.dispatch import has_tracer, lowered
from ...numpy.promotion import asarray, to_dtype
from .functions import hosted, loop_operands, row, ufunc

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


def floating(x: Any) -> Any:
    """An array of real numbers as a floating one; float64 for integers."""
    x = lowered(asarray(x))
    dtype = get_aval(x).dtype
    return to_dtype(x, dtype if dtype.kind in "fc" else np.dtype(np.float64))


def stirling_rest(x: Any) -> Any:
    """``lgamma(x) - ((x - 1/2) log(x) - x + log(2 pi) / 2)``, for ``x >= 8``.

    Stirling's series with Bernoulli numbers up to the 16th, DLMF 5.11.1.
    """
    terms = [
        1 / 12,
        -1 / 360,
        1 / 1260,
        -1 / 1680,
        1 / 1188,
        -691 / 360360,
        1 / 156,
        -3617 / 122400,
    ]
    inverse = 1 / x
    return inverse * polynomial(inverse * inverse, terms)


def polynomial(x: Any, coefficients: list[float]) -> Any:
    """A polynomial with these coefficients, the constant's first."""
    total: Any = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


gamma: Callable = hosted("gamma", "x", lambda out, x: out * lax.digamma(x))
gammaln = ufunc("gammaln", lax.lgamma)
loggamma = ufunc(
    "loggamma",
    lambda x: anp.where(x < 0, np.nan, lax.lgamma(x)),
    "Of real numbers; NaN for negative ones, as SciPy's.",
)
gammasgn: Callable = hosted("gammasgn", "x", None)
psi = digamma = ufunc("psi", lax.digamma)


def _rgamma_slope(out: Any, x: Any) -> Any:
    pole = (x <= 0) & (x == anp.floor(x))
    return anp.where(pole, anp.cos(math.pi * x) * gamma(1 - x), -out * lax.digamma(x))


rgamma: Callable = hosted("rgamma", "x", _rgamma_slope)


def polygamma(n: Any, x: Any) -> Any:
    """The n-th derivative of the digamma function, as ``scipy.special.polygamma``.

    Args:
      n: a Python integer, at least 0; or an array of whole numbers.
      x: real numbers.

    Returns:
      An array of ``x``'s floating dtype.

    >>> round(float(polygamma(1, 1.0)), 6)
    1.644934
    """
    x = floating(x)
    if isinstance(n, int):
        if n < 0:
            raise ValueError(located(f"polygamma: n must be at least 0, got {n}"))
        return lax.polygamma(n, x)
    m = floating(n) + 1
    sign = anp.where(anp.remainder(m, 2) == 0, 1.0, -1.0)
    out = anp.where(m == 1, lax.digamma(x), sign * gamma(m) * zeta(m, x))
    return out.astype(x.dtype) if has_tracer((n, x)) else np.asarray(out, x.dtype)[()]


# --- zeta ----------------------------------------------------------------------------------------

#: B(2k) / (2k)! for k from 1.
_BERNOULLI_RATIOS = [
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600, -3617 / 10670622842880000, 43867 / 5109094217170944000,
    -174611 / 802857662698291200000,
]  # fmt: skip
_HEAD = 12


def _zeta_sum(s: Any, q: Any) -> Any:
    """Hurwitz's zeta function by Euler and Maclaurin's formula (DLMF 25.11.6), which can be
    differentiated with respect to ``s``."""
    total: Any = 0.0
    for k in range(_HEAD):
        total = total + (q + k) ** -s
    end = q + _HEAD
    power = end**-s
    total = total + power * (end / (s - 1) + 0.5)
    factor = s / end
    rest: Any = 0.0
    for k, ratio in enumerate(_BERNOULLI_RATIOS):
        rest = rest + ratio * factor
        factor = factor * ((s + 2 * k + 1) * (s + 2 * k + 2)) / (end * end)
    return total + power * rest


def _zeta_slope(out: Any, s: Any, q: Any) -> Any:
    s = s + anp.zeros_like(q)
    return jvp(lambda s: _zeta_sum(s, q), (s,), (anp.ones_like(s),))[1]


_hurwitz_zeta: Callable = row(
    "zeta",
    "x q",
    _zeta_slope,
    lambda out, x, q: -x * _hurwitz_zeta(x + 1, q),
    host=lambda x, q: scipy_special.zeta(x, q),
)
_riemann_zeta: Callable = row(
    "riemann_zeta",
    "x",
    lambda out, x: _zeta_slope(out, x, anp.ones_like(x)),
    host=lambda x: scipy_special.zeta(x),
)


def zeta(x: Any, q: Any = None) -> Any:
    """The zeta function of Hurwitz, or of Riemann without ``q``; as ``scipy.special.zeta``.

    Args:
      x: real numbers; with ``q`` at least 1.
      q: real numbers.

    >>> round(float(zeta(2.0)), 6)
    1.644934
    """
    if q is None:
        return _riemann_zeta(floating(x))
    return _hurwitz_zeta(*loop_operands(np.true_divide, (lowered(x), lowered(q))))


# --- beta ----------------------------------------------------------------------------------------


def _betaln(a: Any, b: Any) -> Any:
    """After Didonato and Morris (1992): Stirling's series where the logarithms are large."""
    small, large = anp.minimum(a, b), anp.maximum(a, b)
    far = anp.where(large < 8, 8.0, large)
    both = anp.where(small < 8, 8.0, small)
    ratio = small / far
    log_sum = anp.log1p(ratio)  # of 1 + small / large
    rest = stirling_rest(far) - stirling_rest(small + far)
    one_large = (
        lax.lgamma(small) + rest + small - small * (anp.log(far) + log_sum) - (far - 0.5) * log_sum
    )
    two_large = (
        stirling_rest(both)
        + rest
        + _HALF_LOG_TWO_PI
        - 0.5 * anp.log(far)
        - (both - 0.5) * anp.log1p(far / both)
        - far * log_sum
    )
    sums = lax.lgamma(small) + lax.lgamma(large) - lax.lgamma(small + large)
    return anp.where(large < 8, sums, anp.where(small < 8, one_large, two_large))


beta: Callable = hosted(
    "beta",
    "a b",
    lambda out, a, b: out * (lax.digamma(a) - lax.digamma(a + b)),
    lambda out, a, b: out * (lax.digamma(b) - lax.digamma(a + b)),
)
betaln: Callable = hosted(
    "betaln",
    "a b",
    lambda out, a, b: lax.digamma(a) - lax.digamma(a + b),
    lambda out, a, b: lax.digamma(b) - lax.digamma(a + b),
    composition=_betaln,
)
poch: Callable = hosted(
    "poch",
    "z m",
    lambda out, z, m: out * (lax.digamma(z + m) - lax.digamma(z)),
    lambda out, z, m: out * lax.digamma(z + m),
)
binom: Callable = hosted(
    "binom",
    "n k",
    lambda out, n, k: out * (lax.digamma(n + 1) - lax.digamma(n - k + 1)),
    lambda out, n, k: out * (lax.digamma(n - k + 1) - lax.digamma(k + 1)),
)


def multigammaln(a: Any, d: int) -> Any:
    """The logarithm of the multivariate gamma function, as ``scipy.special.multigammaln``.

    Args:
      a: real numbers above ``(d - 1) / 2``.
      d: the dimension, a Python integer.

    Raises:
      ValueError: for a dimension below 1, or, where the numbers are known, ``a`` too small.

    >>> round(float(multigammaln(3.0, 2)), 6)
    1.550195
    """
    if not isinstance(d, int) or d < 1:
        raise ValueError(located(f"multigammaln: d must be a positive integer, got {d!r:.40}"))
    a = floating(a)
    if not has_tracer(a) and np.any(a <= 0.5 * (d - 1)):
        raise ValueError(located(f"multigammaln: a must be above {0.5 * (d - 1)} for d={d}"))
    out: Any = d * (d - 1) / 4 * math.log(math.pi)
    for j in range(d):
        out = out + lax.lgamma(a - 0.5 * j)
    return out


def factorial(n: Any, exact: bool = False) -> Any:
    """``gamma(n + 1)``, 0 for negative ``n``; as ``scipy.special.factorial``.

    Args:
      n: real numbers.
      exact: whether to compute with Python's integers; not of traced values.

    >>> float(factorial(5))
    120.0
    """
    if exact:
        _refuse_exact("factorial", n)
        return scipy_special.factorial(n, exact=True)
    n = floating(n)
    inside = n >= 0
    return anp.where(inside, gamma(anp.where(inside, n, 0.0) + 1), 0.0)


def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:  # noqa: N803
    """The number of combinations of ``N`` things taken ``k`` at a time, as ``scipy.special.comb``.

    Args:
      N, k: real numbers; the result is 0 where not ``0 <= k <= N``.
      exact: whether to compute with Python's integers; not of traced values.
      repetition: whether a thing may be taken more than once.

    >>> float(comb(5, 2))
    10.0
    """
    if exact:
        _refuse_exact("comb", (N, k))
        return scipy_special.comb(N, k, exact=True, repetition=repetition)
    if repetition:
        return comb(N + k - 1, k)
    N, k = floating(N), floating(k)  # noqa: N806
    inside = (k <= N) & (N >= 0) & (k >= 0)
    return anp.where(inside, binom(anp.where(inside, N, 1.0), anp.where(inside, k, 0.0)), 0.0)


def perm(N: Any, k: Any, exact: bool = False) -> Any:  # noqa: N803
    """The number of arrangements of ``k`` of ``N`` things, as ``scipy.special.perm``.

    Args:
      N, k: real numbers; the result is 0 where not ``0 <= k <= N``.
      exact: whether to compute with Python's integers; not of traced values.

    >>> float(perm(5, 2))
    20.0
    """
    if exact:
        _refuse_exact("perm", (N, k))
        return scipy_special.perm(N, k, exact=True)
    N, k = floating(N), floating(k)  # noqa: N806
    inside = (k <= N) & (N >= 0) & (k >= 0)
    k = anp.where(inside, k, 0.0)
    return anp.where(inside, poch(anp.where(inside, N, 1.0) - k + 1, k), 0.0)


def _refuse_exact(name: str, args: Any) -> None:
    if has_tracer(args):
        raise TypeError(
            located(f"{name}: exact=True computes with Python's integers, not with traced values")
        )
