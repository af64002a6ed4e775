"""The error function, its complement and its inverse; the gamma function's logarithm.

Away from 0 the error function is 1 less a power of 2, whose exponent is a polynomial. The scaled
complement is a polynomial of ``(x - 4) / (x + 4)`` (after Shepherd and Laframboise, 1981); the
inverse is one of ``-log(1 - x**2)`` or its root (after Giles, 2012). The gamma function's
logarithm and its derivative come from polynomials next to [1, 2], steps of 1 below 8 and 5, and
Stirling's series from there on.
"""

from __future__ import annotations

import math
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from .core import beyond, copysign, fabs, floor, fma, poly, sqrt, where
from .formats import PI, ROOT_PI, Format

_HALF_LOG_TWO_PI = Fraction(
    "0.918938533204672741780329736405617639861397473637783412817151540482765695927260398"
)
_DIGAMMA_ROOT = Fraction(
    "1.46163214496836234126265954232572132846819620400644635129598840859878644035380181"
)


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except ValueError:  # at a pole
        return math.inf


def build(
    form: Format, exponential: SimpleNamespace, logarithm: SimpleNamespace
) -> SimpleNamespace:
    """The kernels for one dtype."""
    zero, half, one, two, four = form.numbers(0.0, 0.5, 1.0, 2.0, 4.0)
    inf, nan = form.numbers(math.inf, math.nan)
    exp2_parts, exp_times, log = exponential.exp2_parts, exponential.exp_times, logarithm.log
    slope_high, slope_low = form.split(2 / ROOT_PI)
    erf_terms, tail_terms, erfc_terms = form.poly("ERF"), form.poly("ERF_TAIL"), form.poly("ERFC")
    erfc_first, erfc_rest = erfc_terms[0], erfc_terms[1:]
    near_terms, middle_terms = form.poly("ERFINV"), form.poly("ERFINV_MIDDLE")
    far_terms = form.poly("ERFINV_FAR")
    erf_top, erfc_top = form.choose(5.95, 3.95), form.choose(28.0, 10.5)
    center, center_low = form.split(ROOT_PI / 2)
    three, first_end = form.dtype(3.0), form.choose(6.25, 5.0)
    middle, middle_end, far = form.numbers(3.25, 4.0, 5.0)
    lgamma_terms, digamma_terms = form.poly("LGAMMA"), form.poly("DIGAMMA")
    stirling_terms, digamma_far_terms = form.poly("STIRLING"), form.poly("DIGAMMA_FAR")
    # Where lgamma is a polynomial: next to each end, the steps of 1 from there cancel the least.
    lowest, two_fifths, quarter, five, eight = form.numbers(1.1, 0.4, 0.25, 5.0, 8.0)
    half_log_two_pi = form.split(_HALF_LOG_TWO_PI, 1)[0]
    root, root_low = form.split(_DIGAMMA_ROOT - 1)
    pi = form.split(PI, 1)[0]
    tiny = form.tiny
    sin_terms, cos_terms = form.poly("SIN"), form.poly("COS")
    lgamma_top = form.choose(1e300, 1e36)

    negative_lgamma = beyond("lgamma", _lgamma, 0.0, 0.0)

    def erf_near(x: Any) -> Any:
        z = x * x
        return fma(x, slope_high, x * fma(z, poly(z, erf_terms), slope_low))

    def erf(x: Any) -> Any:
        a = fabs(x)
        b = where(a > erf_top, erf_top, a)
        # 1 - erf(x) is a power of two: its digits in full near 1/8, the largest it is here.
        p, scale = exp2_parts(poly(b, tail_terms))
        return copysign(where(a < one, erf_near(a), fma(-p, scale, one)), x)

    def erfc(x: Any) -> Any:
        a = fabs(x)
        a = where(a > erfc_top, erfc_top, a)
        square = a * a
        t = (a - four) / (a + four)
        w = t * poly(t, erfc_rest)
        g = erfc_first + w
        g_low = (erfc_first - g) + w
        d = fma(two, a, one)
        d_low = one - (d - two * a)
        inverse = one / d
        q = g * inverse
        q_low = (fma(-q, d, g) + fma(-q, d_low, g_low)) * inverse
        y = exp_times(-square, -fma(a, a, -square), q, q_low)
        y = where(x < zero, two - y, y)
        return where(a < half, one - erf_near(x), y)

    def erfinv(x: Any) -> Any:
        w = -log((one - x) * (one + x))
        r = sqrt(w)
        r_low = fma(-r, r, w) * (half / r)  # far from 0 the result is little else than the root

        def tail(b: Any, terms: tuple) -> Any:
            return terms[0] + fma(b, poly(b, terms[1:]), r_low)

        y = tail(r - middle, middle_terms)
        if form.suffix == "64":
            y = where(r < middle_end, y, tail(r - far, far_terms))
        near = fma(x, center, x * fma(w, poly(w - three, near_terms), center_low))
        y = where(w < first_end, near, x * y)
        a = fabs(x)
        return where(a < one, y, where(a == one, copysign(inf, x), nan))

    def step(d: Any, p: Any) -> Any:
        """From ``lgamma(2 + d) + log(p)`` to the same with d below 0.4, or nearer to it."""
        more = d >= two_fifths
        return where(more, d - one, d), where(more, fma(p, d, p), p)

    def lgamma(x: Any) -> Any:
        # Negative numbers go to the C library, one by one: its reflection costs as much again.
        a = where(x < zero, one, x)
        far = a >= eight
        b = where(far, two, a)
        below, near_zero = b < lowest, b < lowest - one
        p = where(below, where(near_zero, fma(b, b, b), b), one)
        d = where(below, where(near_zero, b, b - one), b - two)
        d, p = step(d, p)
        d, p = step(d, p)
        d, p = step(d, p)
        d, p = step(d, p)
        d, p = step(d, p)
        d, p = step(d, p)
        ln = log(where(far, a, p))
        y = fma(fma(d, d, d), poly(d + quarter, lgamma_terms), where(below, -ln, ln))
        b = where(a > lgamma_top, lgamma_top, a)
        inverse = one / b
        big = fma(a - half, ln - one, half_log_two_pi - half)
        big = big + inverse * poly(inverse * inverse, stirling_terms)
        y = where(far, big, y)
        y = where(x < inf, y, x)
        return where(x == -inf, x, negative_lgamma(x, y))

    def sum_step(d: Any, p: Any, q: Any) -> Any:
        """From ``digamma(1 + d) + q / p`` to the same with d below 1, or nearer to it."""
        more = d >= one
        return where(more, d - one, d), where(more, p * d, p), where(more, fma(q, d, p), q)

    def digamma(x: Any) -> Any:
        a = fabs(x)
        far = a >= five
        b = where(far, one, a)
        below = b < one
        d, p, q = where(below, b, b - one), where(below, b, one), where(below, one, zero)
        d, p, q = sum_step(d, p, q)
        d, p, q = sum_step(d, p, q)
        d, p, q = sum_step(d, p, q)
        b = where(far, a, p)
        inverse = one / b
        sums = q * inverse
        y = ((d - root) - root_low) * poly(d - half, digamma_terms) + where(below, -sums, sums)
        z = inverse * inverse
        big = log(a) - fma(z, poly(z, digamma_far_terms), half * inverse)
        y = where(far, big, y)
        y = where(a < inf, y, a)
        # Across 0: digamma(-a) = digamma(a) + 1 / a + pi / tan(pi a)
        r = a - floor(a + half)
        t = fabs(r)
        over = t > half * half
        t = where(over, half - t, t) * pi
        z = t * t
        s = fma(t * z, poly(z, sin_terms), t)
        c = fma(z * z, poly(z, cos_terms), fma(-half, z, one))
        ratio = where(over, s, c) / where(over, c, s)
        mirrored = where(a < tiny, one / a, y + (one / a + copysign(ratio, r) * pi))
        y = where(x < zero, where(floor(a) == a, nan, mirrored), y)
        return where(a == zero, copysign(inf, -x), y)

    return SimpleNamespace(
        erf=erf,
        erfc=erfc,
        erfinv=erfinv,
        lgamma=lgamma,
        digamma=digamma,
    )
