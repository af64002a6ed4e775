"""exp, exp2, expm1, the hyperbolic functions, the logistic function.

The argument is reduced to ``n log(2) + r`` with ``|r| <= log(2) / 2`` in two fused steps (Cody
and Waite, 1980), a polynomial takes r, and n goes into the exponent's bits.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .core import bits, copysign, fabs, fma, from_bits, iadd, isub, poly, shl, shr, where
from .formats import LN2, Format


def build(form: Format) -> SimpleNamespace:
    """The kernels for one dtype."""
    digits, one_bits, magic, tiny = form.digits, form.one, form.magic, form.tiny
    half_bits, quarter_bits = form.bits(0.5), form.bits(0.25)
    half, one, two = form.numbers(0.5, 1.0, 2.0)
    ln2_high, ln2_low = form.split(LN2)
    log2e = form.split(1 / LN2, 1)[0]
    # Beyond these the results are infinite or 0, and the powers of two still have exponents.
    top, bottom = form.choose(710.0, 89.0), form.choose(-746.0, -104.0)
    top2, bottom2 = form.choose(1025.0, 129.0), form.choose(-1076.0, -151.0)
    far, zero = form.choose(60.0, 30.0), form.dtype(0.0)
    top_sinh = form.choose(710.7, 89.6)
    bottom_expm1, top_tanh = form.choose(-40.0, -20.0), form.choose(19.0, 9.0)
    exp_terms = form.poly("EXP")
    exp_all = form.poly("EXP", 1.0)
    exp2_terms = form.poly("EXP2")
    sinh_terms, cosh_terms = form.poly("SINH"), form.poly("COSH")

    def scale(p: Any, t: Any) -> Any:
        # Two factors, since one power of two cannot reach the subnormal numbers, nor 2**1024.
        i = bits(t)
        j = shr(i, 1)
        first = from_bits(iadd(shl(j, digits), one_bits))
        return p * first * from_bits(iadd(shl(isub(i, j), digits), one_bits))

    def power_of_two(t: Any) -> Any:
        """``2**n`` for ``t = n + magic``, where it is a normal number."""
        return from_bits(iadd(shl(bits(t), digits), one_bits))

    def exp(x: Any) -> Any:
        x = where(x > top, top, x)
        x = where(x < bottom, bottom, x)
        t = fma(x, log2e, magic)
        n = t - magic
        r = fma(n, -ln2_low, fma(n, -ln2_high, x))
        return scale(fma(r, poly(r, exp_all), one), t)

    def exp_parts(x: Any, low: Any) -> Any:
        """``exp(x + low)`` as ``1 + r + rest`` times a power of two: all three."""
        x = where(x > top, top, x)
        x = where(x < bottom, bottom, x)
        t = fma(x, log2e, magic)
        n = t - magic
        r1 = fma(n, -ln2_high, x)
        w = fma(n, -ln2_low, low)
        r = r1 + w
        return r, fma(r * r, poly(r, exp_terms), (r1 - r) + w), t

    def exp_sum(x: Any, low: Any) -> Any:
        """``exp(x + low)``; ``low`` is less than some units in the last place of ``x``."""
        r, rest, t = exp_parts(x, low)
        return scale(one + (r + rest), t)

    def exp_times(x: Any, low: Any, y: Any, y_low: Any) -> Any:
        """``exp(x + low) * (y + y_low)``."""
        r, rest, t = exp_parts(x, low)
        p = one + r
        p_low = ((one - p) + r) + rest
        return scale(fma(p, y, fma(p, y_low, p_low * y)), t)

    def exp2_parts(x: Any) -> Any:
        """``2**x`` as a number near 1 and a power of two, where that is a normal number."""
        t = x + magic
        r = x - (t - magic)
        return fma(r, poly(r, exp2_terms), one), power_of_two(t)

    def exp2(x: Any) -> Any:
        x = where(x > top2, top2, x)
        x = where(x < bottom2, bottom2, x)
        t = x + magic
        r = x - (t - magic)
        return scale(fma(r, poly(r, exp2_terms), one), t)

    def half_expm1(x: Any) -> Any:
        """``expm1(x) / 2`` as a sum of two numbers, the second one the smaller."""
        t = fma(x, log2e, magic)
        n = t - magic
        r1 = fma(n, -ln2_high, x)
        r = fma(n, -ln2_low, r1)
        low = fma(r * r, poly(r, exp_terms), fma(n, -ln2_low, r1 - r))
        s = from_bits(iadd(shl(bits(t), digits), half_bits))
        a, b = s - half, s * r
        high = a + b
        return high, fma(s, low, b - (high - a))

    def expm1(x: Any) -> Any:
        y = where(x > top, top, x)
        y = where(y < bottom_expm1, bottom_expm1, y)
        high, low = half_expm1(y)
        return where(fabs(x) < tiny, x, two * (high + low))

    def tanh(x: Any) -> Any:
        a = fabs(x)
        a = where(a > top_tanh, top_tanh, a)
        # With e = expm1(2 a) / 2, the result is e / (e + 1).
        e, rest = half_expm1(a + a)
        high = e + rest
        low = (e - high) + rest
        d = high + one
        d_low = (high - (d - one)) + low  # exact but for the last: d - 1 is, up to the top
        inverse = one / d
        q = high * inverse
        rest = fma(-q, d, high) + fma(-q, d_low, low)
        return copysign(fma(rest, inverse, q), x)

    def hyperbolic(a: Any) -> Any:
        """For ``a = n log(2) + r``: r and its error, sinh(r) - r, cosh(r) - 1, a quarter of
        ``2**n``, and a quarter of ``2**-n``."""
        t = fma(a, log2e, magic)
        n = t - magic
        r1 = fma(n, -ln2_high, a)
        r = fma(n, -ln2_low, r1)
        low = fma(n, -ln2_low, r1 - r)
        z = r * r
        i = shl(bits(t), digits)
        up, down = (
            from_bits(iadd(i, quarter_bits)),
            from_bits(iadd(isub(i, shl(i, 1)), quarter_bits)),
        )
        down = where(a > far, zero, down)
        return r, low, (r * z) * poly(z, sinh_terms), z * poly(z, cosh_terms), up, down

    def sinh(x: Any) -> Any:
        a = fabs(x)
        a = where(a > top_sinh, top_sinh, a)
        r, low, s, c, up, down = hyperbolic(a)
        # sinh(n log(2) + r) = sinh(n log(2)) cosh(r) + cosh(n log(2)) sinh(r), all halved
        f, g = up - down, up + down
        b = g * r
        high = f + b
        rest = (b - (high - f)) + fma(g, r, -b)
        rest = rest + fma(f, c, g * (s + low))
        return where(fabs(x) < tiny, x, copysign(two * (high + rest), x))

    def cosh(x: Any) -> Any:
        a = fabs(x)
        a = where(a > top_sinh, top_sinh, a)
        r, low, s, c, up, down = hyperbolic(a)
        f, g = up - down, up + down
        b = f * r
        high = g + b
        rest = (b - (high - g)) + fma(g, c, f * (s + low))
        return two * (high + rest)

    def sigmoid(x: Any) -> Any:
        # exp(x) / (1 + exp(x)) or 1 / (1 + exp(-x)), whichever exponential is at most 1.
        e = exp(-fabs(x))
        negative = x < 0
        top = where(negative, e, one)
        d = one + e
        inverse = one / d
        q = top * inverse
        rest = fma(-q, d, top) - q * (e - (d - one))
        return fma(rest, inverse, q)

    return SimpleNamespace(
        exp=exp,
        exp_sum=exp_sum,
        exp_times=exp_times,
        exp2=exp2,
        exp2_parts=exp2_parts,
        expm1=expm1,
        sinh=sinh,
        cosh=cosh,
        tanh=tanh,
        sigmoid=sigmoid,
    )
