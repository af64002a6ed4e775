"""Sines, cosines, tangents and their inverses.

Angles are reduced by multiples of a quarter turn, in fused arithmetic with pi/2 in three parts
(Cody and Waite, 1980): that holds for thirteen digits of angle, and the C library takes those
beyond. The result is a sum of two numbers, for the sake of angles near a multiple.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from .core import (
    beyond,
    bits,
    copysign,
    fabs,
    fma,
    from_bits,
    iand,
    ixor,
    poly,
    shl,
    sqrt,
    where,
)
from .formats import PI, Format


def build(form: Format) -> SimpleNamespace:
    """The kernels for one dtype."""
    magic = form.magic
    width = 63 if form.suffix == "64" else 31
    zero, half, one = form.numbers(0.0, 0.5, 1.0)
    inf = form.dtype(math.inf)
    two_over_pi = form.split(2 / PI, 1)[0]
    p1, p2, p3 = form.split(PI / 2, 3)
    pi_high, pi_low = form.split(PI)
    half_pi, half_pi_low = form.split(PI / 2)
    quarter_pi, quarter_pi_low = form.split(PI / 4)
    small = form.choose(2.0**-27, 2.0**-12)
    tan_eighth = form.dtype(math.sqrt(2.0) - 1.0)
    upper, lower = form.choose(2.0**600, 2.0**80), form.choose(2.0**-600, 2.0**-80)
    middle_upper, middle_lower = form.choose(2.0**500, 2.0**60), form.choose(2.0**-400, 2.0**-40)
    huge = form.choose(2.0**60, 2.0**30)
    sin_terms, cos_terms = form.poly("SIN"), form.poly("COS")
    asin_terms, atan_terms = form.poly("ASIN"), form.poly("ATAN")

    # The count of quarter turns must be exact and its products with p2 well above the error.
    far_sin, far_cos, far_tan = (
        beyond(f.__name__, f, 2.0**45, 2.0**15) for f in (np.sin, np.cos, np.tan)
    )

    def reduce(x: Any) -> Any:
        """The quarter turns in x, in the low bits of an integer, and the rest r and its error."""
        t = fma(x, two_over_pi, magic)
        n = t - magic
        r1 = fma(n, -p1, x)  # exact, and a multiple of the last place of the next product
        w = n * p2
        r = r1 - w
        return bits(t), r, fma(n, -p3, ((r1 - r) - w) - fma(n, p2, -w))

    def sin_cos(r: Any, low: Any) -> Any:
        """Sine and cosine on [-pi/4, pi/4], each as a sum of two numbers."""
        z = r * r
        s_low = fma(r * z, poly(z, sin_terms), low)
        hz = half * z
        c = one - hz
        c_low = ((one - c) - hz) + fma(z * z, poly(z, cos_terms), -r * low)
        return r, s_low, c, c_low

    def turn_sign(y: Any, i: Any) -> Any:
        """Change the sign of y where the bit of value 2 is set."""
        return from_bits(ixor(bits(y), shl(iand(i, 2), width - 1)))

    def sin(x: Any) -> Any:
        i, r, low = reduce(x)
        s, s_low, c, c_low = sin_cos(r, low)
        swap = iand(i, 1) != 0
        y = turn_sign(where(swap, c + c_low, s + s_low), i)
        return far_sin(x, where(fabs(x) < small, x, y))

    def cos(x: Any) -> Any:
        i, r, low = reduce(x)
        s, s_low, c, c_low = sin_cos(r, low)
        swap = iand(i, 1) != 0
        y = turn_sign(where(swap, s + s_low, c + c_low), i)
        return far_cos(x, from_bits(ixor(bits(y), shl(iand(i, 1), width))))

    def tan(x: Any) -> Any:
        i, r, low = reduce(x)
        s, s_low, c, c_low = sin_cos(r, low)
        high = s + s_low
        s_low = (s - high) + s_low
        s = high
        high = c + c_low
        c_low = (c - high) + c_low
        c = high
        swap = iand(i, 1) != 0
        top, top_low = where(swap, c, s), where(swap, c_low, s_low)
        d, d_low = where(swap, s, c), where(swap, s_low, c_low)
        inverse = one / d
        q = top * inverse
        rest = fma(-q, d, top) + fma(-q, d_low, top_low)
        y = fma(rest, inverse, q)
        y = from_bits(ixor(bits(y), shl(iand(i, 1), width)))
        return far_tan(x, where(fabs(x) < small, x, y))

    def atan_ratio(y: Any, x: Any) -> Any:
        """``atan(y / x)`` for ``0 <= y <= x``, as a sum of two numbers."""
        big = y > x * tan_eighth
        top, d = where(big, y - x, y), where(big, y + x, x)
        top_low = where(big, (y - (top + x)), zero)
        d_low = where(big, y - (d - x), zero)
        inverse = one / d
        q = top * inverse
        rest = fma(-q, d, top) + fma(-q, d_low, top_low)
        q_low = rest * inverse
        z = q * q
        low = fma(q * z, poly(z, atan_terms), q_low)
        base, base_low = where(big, quarter_pi, zero), where(big, quarter_pi_low, zero)
        high = base + q
        return high, ((base - high) + q) + (low + base_low)

    def atan(x: Any) -> Any:
        a = fabs(x)
        over = a > one
        a = where(a > huge, huge, a)
        high, low = atan_ratio(where(over, one, a), where(over, a, one))
        total = half_pi - high
        y = where(over, total + ((half_pi - total - high) + (half_pi_low - low)), high + low)
        return copysign(y, x)

    def atan2(y: Any, x: Any) -> Any:
        a, b = fabs(y), fabs(x)
        swap = a > b
        top, d = where(swap, b, a), where(swap, a, b)
        # Two infinities stand for two ones, one for a ratio of 0; so do two zeros.
        infinite = d == inf
        top = where(infinite, where(top == inf, one, zero), top)
        d = where(infinite | (d == zero), one, d)
        scale = where(d > upper, lower, where(d < lower, upper, one))
        high, low = atan_ratio(top * scale, d * scale)
        negative = copysign(one, x) < zero
        flip = swap != negative
        high, low = where(flip, -high, high), where(flip, -low, low)
        base = where(swap, half_pi, where(negative, pi_high, zero))
        base_low = where(swap, half_pi_low, where(negative, pi_low, zero))
        total = base + high
        out = total + (((base - total) + high) + (base_low + low))
        out = copysign(out, y)
        return where((x == x) & (y == y), out, x + y)

    def hypot(x: Any, y: Any) -> Any:
        a, b = fabs(x), fabs(y)
        top, low = where(a > b, a, b), where(a > b, b, a)
        scale = where(top > middle_upper, lower, where(top < middle_lower, upper, one))
        back = where(top > middle_upper, upper, where(top < middle_lower, lower, one))
        top, low = top * scale, low * scale
        out = sqrt(fma(top, top, low * low)) * back
        return where((a == inf) | (b == inf), inf, out)

    def asin_parts(a: Any) -> Any:
        """For ``|x|`` above a half, the root of ``(1 - |x|) / 2``; then asin of it or of x,
        without the first term."""
        over = a > half
        z = where(over, half * (one - a), a * a)
        r = where(over, sqrt(z), a)
        return over, r, (r * z) * poly(z, asin_terms)

    def asin(x: Any) -> Any:
        a = fabs(x)
        over, r, rest = asin_parts(a)
        total = half_pi - (r + r)
        y = (half_pi - total - (r + r)) + (half_pi_low - (rest + rest))
        y = where(over, total + y, r + rest)
        return copysign(y, x)

    def acos(x: Any) -> Any:
        a = fabs(x)
        over, r, rest = asin_parts(a)
        twice = (r + r) + (rest + rest)
        far = pi_high - (twice - pi_low)
        r = copysign(r, x)
        total = half_pi - r
        near = total + ((half_pi - total - r) + (half_pi_low - copysign(rest, x)))
        return where(over, where(x < zero, far, twice), near)

    return SimpleNamespace(
        sin=sin,
        cos=cos,
        tan=tan,
        atan=atan,
        asin=asin,
        acos=acos,
        atan2=atan2,
        hypot=hypot,
    )
