"""Elementary and special functions, element by element, each with its derivative."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from .arithmetic import (
    add,
    constant,
    div,
    eq,
    integer_pow,
    mul,
    mul_p,
    neg,
    nonzero_or_one,
    select,
    sub,
    zeros_like,
)
from .families import binary, def_partials, elementwise, unary
from .structural import array

special = LazyModule("scipy.special")

# Named before they exist, for the derivatives of functions that come before them.
cos: Callable[[Any], Any]
cosh: Callable[[Any], Any]
digamma: Callable[[Any], Any]
logistic: Callable[[Any], Any]


def _unary(
    name: str, impl: Callable, kinds: str, words: str, partial: Callable, at: float, shown: str
) -> tuple[Primitive, Callable[[Any], Any]]:
    """A primitive of one operand, its function, and a docstring with an example at a point."""
    primitive = elementwise(name, impl, kinds)
    def_partials(primitive, partial)
    doc = f"""Elementwise {words}.

    >>> import autotrace.lax as lax
    >>> round(float(lax.{name}({at})), 6)
    {shown}
    """
    return primitive, unary(primitive, doc)


def _one_minus_square(x: Any) -> Any:
    return sub(constant(1, x), mul_p.bind(x, x))


_LN2, _LN10 = math.log(2.0), math.log(10.0)

# Each partial multiplies the tangent by one coefficient made of primals only, so that a linear
# program has one equation for it.
exp_p, exp = _unary(
    "exp", np.exp, "fc", "exponential", lambda t, out, x: mul_p.bind(t, out), 1.0, "2.718282"
)
exp2_p, exp2 = _unary(
    "exp2",
    np.exp2,
    "fc",
    "power of two",
    lambda t, out, x: mul(t, mul(out, _LN2)),
    3.0,
    "8.0",
)
expm1_p, expm1 = _unary(
    "expm1",
    np.expm1,
    "fc",
    "``exp(x) - 1``, accurate near 0",
    lambda t, out, x: mul(t, add(out, 1.0)),
    1.0,
    "1.718282",
)
log2_p, log2 = _unary(
    "log2",
    np.log2,
    "fc",
    "logarithm to base 2",
    lambda t, out, x: div(t, mul(x, _LN2)),
    8.0,
    "3.0",
)
log10_p, log10 = _unary(
    "log10",
    np.log10,
    "fc",
    "logarithm to base 10",
    lambda t, out, x: div(t, mul(x, _LN10)),
    100.0,
    "2.0",
)
log1p_p, log1p = _unary(
    "log1p",
    np.log1p,
    "fc",
    "``log(1 + x)``, accurate near 0",
    lambda t, out, x: div(t, add(x, 1.0)),
    1.0,
    "0.693147",
)
sqrt_p, sqrt = _unary(
    "sqrt",
    np.sqrt,
    "fc",
    "square root",
    lambda t, out, x: mul(t, div(0.5, out)),
    4.0,
    "2.0",
)
cbrt_p, cbrt = _unary(
    "cbrt",
    np.cbrt,
    "f",
    "cube root",
    lambda t, out, x: mul(t, div(1 / 3, mul(out, out))),
    8.0,
    "2.0",
)
sin_p, sin = _unary(
    "sin", np.sin, "fc", "sine (radians)", lambda t, out, x: mul_p.bind(t, cos(x)), 1.0, "0.841471"
)
cos_p, cos = _unary(
    "cos",
    np.cos,
    "fc",
    "cosine (radians)",
    lambda t, out, x: mul_p.bind(t, neg(sin(x))),
    1.0,
    "0.540302",
)
tan_p, tan = _unary(
    "tan",
    np.tan,
    "fc",
    "tangent (radians)",
    lambda t, out, x: mul(t, add(mul(out, out), 1.0)),
    1.0,
    "1.557408",
)
asin_p, asin = _unary(
    "asin",
    np.arcsin,
    "fc",
    "inverse sine, in radians",
    lambda t, out, x: div(t, sqrt(_one_minus_square(x))),
    1.0,
    "1.570796",
)
acos_p, acos = _unary(
    "acos",
    np.arccos,
    "fc",
    "inverse cosine, in radians",
    lambda t, out, x: div(t, neg(sqrt(_one_minus_square(x)))),
    0.0,
    "1.570796",
)
atan_p, atan = _unary(
    "atan",
    np.arctan,
    "fc",
    "inverse tangent, in radians",
    lambda t, out, x: div(t, add(mul(x, x), 1.0)),
    1.0,
    "0.785398",
)
sinh_p, sinh = _unary(
    "sinh",
    np.sinh,
    "fc",
    "hyperbolic sine",
    lambda t, out, x: mul_p.bind(t, cosh(x)),
    1.0,
    "1.175201",
)
cosh_p, cosh = _unary(
    "cosh",
    np.cosh,
    "fc",
    "hyperbolic cosine",
    lambda t, out, x: mul_p.bind(t, sinh(x)),
    1.0,
    "1.543081",
)
tanh_p, tanh = _unary(
    "tanh",
    np.tanh,
    "fc",
    "hyperbolic tangent",
    lambda t, out, x: mul_p.bind(t, _one_minus_square(out)),
    1.0,
    "0.761594",
)
asinh_p, asinh = _unary(
    "asinh",
    np.arcsinh,
    "fc",
    "inverse hyperbolic sine",
    lambda t, out, x: div(t, sqrt(add(mul(x, x), 1.0))),
    1.0,
    "0.881374",
)
acosh_p, acosh = _unary(
    "acosh",
    np.arccosh,
    "fc",
    "inverse hyperbolic cosine",
    lambda t, out, x: div(t, mul(sqrt(sub(x, 1.0)), sqrt(add(x, 1.0)))),
    2.0,
    "1.316958",
)
atanh_p, atanh = _unary(
    "atanh",
    np.arctanh,
    "fc",
    "inverse hyperbolic tangent",
    lambda t, out, x: div(t, _one_minus_square(x)),
    0.5,
    "0.549306",
)
logistic_p, logistic = _unary(
    "logistic",
    lambda x: special.expit(x),
    "f",
    "logistic function ``1 / (1 + exp(-x))``",
    lambda t, out, x: mul(t, mul(out, logistic(neg(x)))),
    0.0,
    "0.5",
)
_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
erf_p, erf = _unary(
    "erf",
    lambda x: special.erf(x),
    "f",
    "error function",
    lambda t, out, x: mul(t, mul(exp(neg(mul(x, x))), _TWO_OVER_SQRT_PI)),
    1.0,
    "0.842701",
)
erfc_p, erfc = _unary(
    "erfc",
    lambda x: special.erfc(x),
    "f",
    "complementary error function ``1 - erf(x)``",
    lambda t, out, x: mul(t, mul(exp(neg(mul(x, x))), -_TWO_OVER_SQRT_PI)),
    1.0,
    "0.157299",
)
erf_inv_p, erf_inv = _unary(
    "erf_inv",
    lambda x: special.erfinv(x),
    "f",
    "inverse error function",
    lambda t, out, x: mul(t, mul(exp(mul(out, out)), 1 / _TWO_OVER_SQRT_PI)),
    0.5,
    "0.476936",
)
lgamma_p, lgamma = _unary(
    "lgamma",
    lambda x: special.gammaln(x),
    "f",
    "logarithm of the gamma function's magnitude",
    lambda t, out, x: mul_p.bind(t, digamma(x)),
    4.0,
    "1.791759",
)
digamma_p, digamma = _unary(
    "digamma",
    lambda x: special.psi(x),
    "f",
    "digamma function, lgamma's derivative",
    lambda t, out, x: mul(t, polygamma(1, x)),
    1.0,
    "-0.577216",
)

polygamma_p = elementwise(
    "polygamma", lambda x, *, n: np.asarray(special.polygamma(n, x), x.dtype)[()], "f"
)
def_partials(polygamma_p, lambda t, out, x, *, n: mul(t, polygamma(n + 1, x)))


def polygamma(n: int, x: Any) -> Any:
    """Elementwise n-th derivative of the digamma function.

    Args:
      n: a Python integer, at least 0.
      x: a floating array.

    >>> import autotrace.lax as lax
    >>> round(float(lax.polygamma(1, 1.0)), 6)
    1.644934
    """
    return digamma(x) if n == 0 else polygamma_p.bind(array(x), n=n)


_BESSEL_I = {0: lambda x: special.i0(x), 1: lambda x: special.i1(x)}

bessel_i_p = elementwise(
    "bessel_i",
    lambda x, *, n: np.asarray(_BESSEL_I[n](x) if n in _BESSEL_I else special.iv(n, x), x.dtype)[
        ()
    ],
    "f",
)


def _bessel_i_slope(n: int, x: Any) -> Any:
    """DLMF 10.29.1 and 10.29.3."""
    return bessel_i(1, x) if n == 0 else mul(add(bessel_i(n - 1, x), bessel_i(n + 1, x)), 0.5)


def_partials(bessel_i_p, lambda t, out, x, *, n: mul(t, _bessel_i_slope(n, x)))


def bessel_i(n: int, x: Any) -> Any:
    """Elementwise modified Bessel function of the first kind.

    Args:
      n: the order, a Python integer, at least 0.
      x: a floating array.

    >>> import autotrace.lax as lax
    >>> round(float(lax.bessel_i(0, 1.0)), 6)
    1.266066
    """
    return bessel_i_p.bind(array(x), n=n)


# --- two operands ------------------------------------------------------------------------------

atan2_p = elementwise("atan2", np.arctan2, "f")
atan2 = binary(
    atan2_p,
    """The angle of the point ``(y, x)``, in radians in [-pi, pi]: ``atan2(y, x)``.

    >>> import autotrace.lax as lax
    >>> round(float(lax.atan2(1.0, -1.0)), 6)
    2.356194
    """,
)


def _over_square_norm(part: Any, y: Any, x: Any) -> Any:
    return div(part, add(mul(x, x), mul(y, y)))


def_partials(
    atan2_p,
    lambda t, out, y, x: mul(t, _over_square_norm(x, y, x)),
    lambda t, out, y, x: mul(t, neg(_over_square_norm(y, y, x))),
)

hypot_p = elementwise("hypot", np.hypot, "f")
hypot = binary(
    hypot_p,
    """``sqrt(x**2 + y**2)`` without overflow; the derivative at the origin is 0.

    >>> import autotrace.lax as lax
    >>> float(lax.hypot(3.0, 4.0))
    5.0
    """,
)
def_partials(
    hypot_p,
    lambda t, out, x, y: mul(t, div(x, nonzero_or_one(out))),
    lambda t, out, x, y: mul(t, div(y, nonzero_or_one(out))),
)


def _log_share(x: Any, out: Any) -> Any:
    """``x - out``, 0 where the two are equal, infinities included."""
    same = eq(x, out)
    return select(same, zeros_like(out), sub(select(same, zeros_like(out), x), out))


logaddexp_p = elementwise("logaddexp", np.logaddexp, "f")
logaddexp = binary(
    logaddexp_p,
    """``log(exp(x) + exp(y))`` without overflow.

    >>> import autotrace.lax as lax
    >>> round(float(lax.logaddexp(1000.0, 1000.0)), 6)
    1000.693147
    """,
)
def_partials(
    logaddexp_p,
    lambda t, out, x, y: mul(t, exp(_log_share(x, out))),
    lambda t, out, x, y: mul(t, exp(_log_share(y, out))),
)

logaddexp2_p = elementwise("logaddexp2", np.logaddexp2, "f")
logaddexp2 = binary(
    logaddexp2_p,
    """``log2(2**x + 2**y)`` without overflow.

    >>> import autotrace.lax as lax
    >>> float(lax.logaddexp2(1000.0, 1000.0))
    1001.0
    """,
)
def_partials(
    logaddexp2_p,
    lambda t, out, x, y: mul(t, exp2(_log_share(x, out))),
    lambda t, out, x, y: mul(t, exp2(_log_share(y, out))),
)


def square(x: Any) -> Any:
    """Elementwise square.

    >>> import autotrace.lax as lax
    >>> float(lax.square(3.0))
    9.0
    """
    return integer_pow(x, 2)


def reciprocal(x: Any) -> Any:
    """Elementwise ``1 / x``.

    >>> import autotrace.lax as lax
    >>> float(lax.reciprocal(4.0))
    0.25
    """
    return div(1.0, x)


def rsqrt(x: Any) -> Any:
    """Elementwise ``1 / sqrt(x)``.

    >>> import autotrace.lax as lax
    >>> float(lax.rsqrt(4.0))
    0.5
    """
    return div(1.0, sqrt(x))
