"""The normal distribution's quantile of a uniform number, with the bits that XLA's has.

``sqrt(2) * erf_inv(u)`` by the polynomials of Giles (2012) in ``w = -log(1 - u**2)``. Streams of
random numbers are the same as JAX's only if each rounding is, so these are XLA's formulas for
processors, with its fused multiply-adds: the logarithm by Moshier's rational function (Cephes)
next to 1, beyond that his polynomial in float32 and the C library's function in float64. Of that
the result is known without a call, since its error is below 0.52 in the last place: it is the
nearest number, unless the exact value lies close to the middle of two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from .core import beyond, bits, fabs, fma, from_bits, iand, ior, shr, sqrt, where
from .formats import Format

# The coefficient of the highest power first.
_NEAR_64 = (
    -3.64441206401782e-21, -1.6850591381820166e-19, 1.28584807152564e-18, 1.1157877678025181e-17,
    -1.333171662854621e-16, 2.0972767875968562e-17, 6.637638134358324e-15, -4.054566272975207e-14,
    -8.151934197605472e-14, 2.6335093153082323e-12, -1.2975133253453532e-11,
    -5.415412054294628e-11, 1.0512122733215323e-09, -4.112633980346984e-09,
    -2.9070369957882005e-08, 4.2347877827932404e-07, -1.3654692000834679e-06,
    -1.3882523362786469e-05, 0.00018673420803405714, -0.000740702534166267,
    -0.006033670871430149, 0.24015818242558962, 1.6536545626831027,
)  # fmt: skip
_MIDDLE_64 = (
    2.2137376921775787e-09, 9.075656193888539e-08, -2.7517406297064545e-07, 1.8239629214389228e-08,
    1.5027403968909828e-06, -4.013867526981546e-06, 2.9234449089955446e-06, 1.2475304481671779e-05,
    -4.7318229009055734e-05, 6.828485145957318e-05, 2.4031110387097894e-05, -0.0003550375203628475,
    0.0009532893797373805, -0.0016882755560235047, 0.002491442096107851, -0.003751208507569241,
    0.005370914553590064, 1.0052589676941592, 3.0838856104922208,
)  # fmt: skip
_FAR_64 = (
    -2.7109920616438573e-11, -2.555641816996525e-10, 1.5076572693500548e-09,
    -3.789465440126737e-09, 7.61570120807834e-09, -1.496002662714924e-08, 2.914795345090108e-08,
    -6.771199775845234e-08, 2.2900482228026655e-07, -9.9298272942317e-07, 4.526062597223154e-06,
    -1.968177810553167e-05, 7.599527703001776e-05, -0.00021503011930044477,
    -0.00013871931833623122, 1.0103004648645344, 4.849906401408584,
)  # fmt: skip
_NEAR_32 = (
    2.8102264e-08, 3.4327394e-07, -3.5233877e-06, -4.3915065e-06, 0.00021858087, -0.001253725,
    -0.0041776816, 0.24664073, 1.5014094,
)  # fmt: skip
_MIDDLE_32 = (
    -0.00020021426, 0.00010095056, 0.0013493432, -0.0036734284, 0.0057395077, -0.0076224613,
    0.0094388705, 1.001674, 2.8329768,
)  # fmt: skip
_LOG1P_ABOVE = (
    4.52700008624452e-05, 0.49854102823193375, 6.578732594206104, 29.911919328553072,
    60.94966798098779, 57.11296359058554, 20.039553499201283,
)  # fmt: skip
_LOG1P_BELOW = (
    1.0, 15.062909083469192, 83.04756596796722, 221.76239823732857, 309.09872225312057,
    216.42788614495947, 60.11866049760384,
)  # fmt: skip
_LOG_32 = (
    (0.070376836, -0.1151461, 0.116769984),
    (-0.12420141, 0.14249323, -0.16668057),
    (0.20000714, -0.24999994, 0.3333333),
)
_LN2_32 = -0.00021219444, 0.6933594


def _horner(x: Any, coefficients: Sequence[Any]) -> Any:
    out = coefficients[0]
    for c in coefficients[1:]:
        out = fma(out, x, c)
    return out


def build(form: Format, logarithm: SimpleNamespace) -> SimpleNamespace:
    """The kernels for one dtype."""
    double = form.suffix == "64"
    zero, half, one, inf = form.numbers(0.0, 0.5, 1.0, math.inf)
    near_terms = form.numbers(*(_NEAR_64 if double else _NEAR_32))
    middle_terms = form.numbers(*(_MIDDLE_64 if double else _MIDDLE_32))
    far_terms = form.numbers(*_FAR_64)
    above, below = form.numbers(*_LOG1P_ABOVE), form.numbers(*_LOG1P_BELOW)
    log_terms = [form.numbers(*terms) for terms in _LOG_32]
    ln2_low, ln2_high = form.numbers(*_LN2_32)
    near_center, near_end = form.choose(3.125, 2.5), form.choose(6.25, 5.0)
    middle, middle_end, far = form.choose(3.25, 3.0), form.dtype(16.0), form.dtype(5.0)
    root_two, root_half = form.numbers(math.sqrt(2.0), math.sqrt(0.5))
    log1p_end = form.dtype(math.sqrt(2.0) - 1)
    mantissa, half_bits = (1 << form.digits) - 1, form.bits(0.5)
    count, count_bits = form.dtype(2.0**form.digits + form.bias), form.bits(2.0**form.digits)

    more = form.dtype(0.5 / 0.47)
    library_log = beyond("log", math.log, 1e-300, 1e-30)

    def log(x: Any) -> Any:
        """The logarithm of a positive normal number, in float32."""
        i = bits(x)
        m = from_bits(ior(iand(i, mantissa), half_bits))
        e = from_bits(ior(shr(i, form.digits), count_bits)) - count
        low = m < root_half
        e = (e + one) - where(low, one, zero)
        m = (m - one) + where(low, m, zero)
        square = m * m
        cube = square * m
        first, second, third = (_horner(m, terms) for terms in log_terms)
        y = fma(fma(first, cube, second), cube, third)
        y = fma(y, cube, e * ln2_low)
        return fma(e, ln2_high, fma(-square, half, m) + y)

    def log1p(x: Any) -> Any:
        """``log(1 + x)`` for x in (-1, 0]."""
        square = x * x
        y = (x * square) * (_horner(x, above) / _horner(x, below))
        y = x + fma(square, -half, y)
        beyond_end = fabs(x) >= log1p_end
        if not double:
            return where(beyond_end, log(one + x), y)
        nearest, rest = logarithm.log_sum(one + x)
        # Whether the rest is above 0.47 of the last place: then it is close to the middle.
        unsure = fma(rest, more, nearest) != nearest
        asked = where(beyond_end, where(unsure, one + x, zero), zero)
        return library_log(asked, where(beyond_end, nearest, y))

    def normal_quantile(u: Any) -> Any:
        w = -log1p(u * -u)
        root = sqrt(w)
        y = _horner(root - middle, middle_terms)
        if double:
            y = where(w < middle_end, y, _horner(root - far, far_terms))
        y = where(w < near_end, _horner(w - near_center, near_terms), y)
        return where(fabs(u) == one, u * inf, y * u) * root_two

    return SimpleNamespace(normal_quantile=normal_quantile)
