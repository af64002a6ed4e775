"""Logarithms, powers, inverse hyperbolic functions, the cube root.

A positive number is ``2**k (1 + f)`` with ``1 + f`` between sqrt(1/2) and sqrt(2), and
``log(1 + f) = 2 atanh(f / (2 + f))`` (the arrangement of terms follows Ng, 1993: the rounded
terms are small beside the result). Powers take the logarithm as a sum of two numbers (Dekker,
1971), which has the ten bits more that multiplying it by the exponent costs.
"""

from __future__ import annotations

import math
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from .core import (
    bits,
    copysign,
    fabs,
    floor,
    fma,
    from_bits,
    iadd,
    iand,
    ior,
    isub,
    narrow,
    poly,
    shl,
    shr,
    sqrt,
    where,
    widen,
)
from .formats import DOUBLE, LN2, LN10, Format


def build(form: Format, exponential: SimpleNamespace) -> SimpleNamespace:
    """The kernels for one dtype."""
    digits, bias, tiny, smallest = form.digits, form.bias, form.tiny, form.smallest
    root_half = form.bits(math.sqrt(0.5))
    shift_bits, mask = form.one - root_half, (1 << digits) - 1
    count_bits = form.bits(2.0**digits)
    count = form.dtype(2.0**digits + bias)
    zero, half, one, two = form.numbers(0.0, 0.5, 1.0, 2.0)
    inf, nan = form.numbers(math.inf, math.nan)
    raised, raise_by = form.numbers(digits + 2, 2.0 ** (digits + 2))
    # The first part ends in zeros, so that its product with k is exact.
    ln2_high, ln2_low = form.split(LN2, zeros=form.choose(12, 9).astype(int))
    log2e_high, log2e_low = form.split(1 / LN2)
    log10e_high, log10e_low = form.split(1 / LN10)
    log10_2_high, log10_2_low = form.split(LN2 / LN10, zeros=form.choose(12, 9).astype(int))
    third_high, third_low = form.split(Fraction(1, 3))
    large = form.choose(2.0**54, 2.0**25)
    large_square = form.choose(2.0**28, 2.0**13)
    log_terms, atanh_terms = form.poly("LOG"), form.poly("ATANH")
    cbrt_terms = form.poly("CBRT")
    magic = form.magic
    pow_log_terms, pow_exp2_terms = DOUBLE.poly("POW_LOG"), DOUBLE.poly("POW_EXP2")
    wide_root_half, wide_one, wide_mask = DOUBLE.bits(math.sqrt(0.5)), DOUBLE.one, (1 << 52) - 1
    wide_shift, wide_count_bits = wide_one - wide_root_half, DOUBLE.bits(2.0**52)
    wide_count, wide_log2e, wide_top = DOUBLE.numbers(2.0**52 + 1023, 1 / LN2, 200.0)
    wide_first, wide_two = DOUBLE.numbers(1.0, 2.0)
    wide_inf, wide_magic = DOUBLE.dtype(math.inf), DOUBLE.magic
    # A third of the first power is the other.
    cube_up, root_down = form.choose(2.0**54, 2.0**24), form.choose(2.0**-18, 2.0**-8)
    three, one_bits = form.dtype(3.0), form.one
    third, two_ninths = form.numbers(1 / 3, 2 / 9)
    cbrt_half, cbrt_two = form.numbers(2.0 ** (1 / 3), 2.0 ** (-1 / 3))
    exp, exp2, exp_sum = exponential.exp, exponential.exp2, exponential.exp_sum
    ln2 = form.split(LN2, 1)[0]
    exp_top = form.choose(800.0, 110.0)

    def parts(x: Any) -> Any:
        """The exponent k, ``2**-k``, and f, of a positive normal number."""
        # In unsigned arithmetic: the exponent is kept biased until it is a float.
        i = iadd(bits(x), shift_bits)
        k = shr(i, digits)
        f = from_bits(iadd(iand(i, mask), root_half)) - one
        down = from_bits(shl(isub(iadd(isub(k, k), 2 * bias), k), digits))
        return from_bits(ior(k, count_bits)) - count, down, f

    def log_near(k: Any, f: Any, c: Any) -> Any:
        """``k log(2) + log(1 + f + c)``, c below the last place of ``1 + f``."""
        s = f / (two + f)
        z = s * s
        square = (half * f) * f
        w = one - s
        a = k * ln2_high
        high = a + f
        rest = fma(s, fma(z, poly(z, log_terms), square), fma(k, ln2_low, c * w * w)) - square
        return high + ((f - (high - a)) + rest)

    def special(x: Any, y: Any) -> Any:
        """A logarithm's result y, or what it is for an x that is not positive and finite."""
        y = where(x < inf, y, x)
        return where(x > zero, y, where(x == zero, -inf, nan))

    def positive(x: Any) -> Any:
        """The exponent and f of a positive number, subnormal ones included."""
        low = x < smallest
        k, _, f = parts(where(low, x * raise_by, x))
        return k - where(low, raised, zero), f

    def log(x: Any) -> Any:
        k, f = positive(x)
        s = f / (two + f)
        z = s * s
        square = (half * f) * f
        a = k * ln2_high
        high = a + f
        rest = fma(s, fma(z, poly(z, log_terms), square), k * ln2_low) - square
        return special(x, high + ((f - (high - a)) + rest))

    def log_pair(f: Any) -> Any:
        """``log(1 + f)`` as a sum of two numbers."""
        s = f / (two + f)
        z = s * s
        square = (half * f) * f
        high = f - square
        return high, ((f - high) - square) + s * fma(z, poly(z, log_terms), square)

    def log2(x: Any) -> Any:
        k, f = positive(x)
        high, low = log_pair(f)
        p = high * log2e_high
        rest = fma(high, log2e_high, -p) + fma(high, log2e_low, low * log2e_high)
        total = k + p
        return special(x, total + ((p - (total - k)) + rest))

    def log10(x: Any) -> Any:
        k, f = positive(x)
        high, low = log_pair(f)
        p = high * log10e_high
        rest = fma(high, log10e_high, -p) + fma(high, log10e_low, low * log10e_high)
        a = k * log10_2_high
        total = a + p
        return special(x, total + ((p - (total - a)) + fma(k, log10_2_low, rest)))

    def log1p_sum(x: Any, low: Any, more: Any) -> Any:
        """``log(1 + x + low) + more log(2)`` for ``x >= -1/2`` or so, or ``log(x)`` where
        ``more`` is not 0."""
        u = where(more > zero, x, one + x)
        c = where(x > one, one - (u - x), x - (u - one)) + low
        k, down, f = parts(u)
        c = where(more > zero, zero, where(c == zero, zero, c * down))
        return log_near(k + more, f, c)

    def log1p(x: Any) -> Any:
        u = one + x
        c = where(x > one, one - (u - x), x - (u - one))
        k, down, f = parts(u)
        y = log_near(k, f, where(x > large, zero, c * down))
        return where(fabs(x) < tiny, x, special(u, y))

    def softplus(x: Any) -> Any:
        y = log1p_sum(exp(-fabs(x)), zero, zero)
        return where(x > zero, x, zero) + y

    def apart(x: Any, y: Any) -> Any:
        """The larger one, and minus the magnitude of the difference, with its error."""
        top, bottom = where(x > y, x, y), where(x > y, y, x)
        bottom = where(x == y, top, bottom)
        d = bottom - top
        z = d - bottom
        low = (bottom - (d - z)) - (top + z)
        return top, where(top == bottom, zero, d), where(fabs(d) < exp_top, low, zero)

    def logaddexp(x: Any, y: Any) -> Any:
        top, d, low = apart(x, y)
        out = top + log1p_sum(exp_sum(d, low), zero, zero)
        return where(x == x, where(y == y, out, y), x)

    def logaddexp2(x: Any, y: Any) -> Any:
        top, d, low = apart(x, y)
        e = exp2(d)
        out = top + log1p_sum(fma(e, low * ln2, e), zero, zero) * log2e_high
        return where(x == x, where(y == y, out, y), x)

    def asinh(x: Any) -> Any:
        a = fabs(x)
        big = a > large_square
        b = where(big, one, a)
        q = b * b
        p = q / (one + sqrt(one + q))
        y = b + p
        y = log1p_sum(where(big, a, y), (b - y) + p, where(big, one, zero))
        y = where(a < inf, y, a)
        return where(a < tiny, x, copysign(y, x))

    def acosh(x: Any) -> Any:
        big = x > large_square
        t = where(big, one, x - one)
        r = sqrt(fma(t, t, t + t))
        y = r + t
        y = log1p_sum(where(big, x, y), (r - y) + t, where(big, one, zero))
        y = where(x < inf, y, x)
        return where(x < one, nan, y)

    def atanh(x: Any) -> Any:
        a = fabs(x)
        d = one - a
        d_low = (one - d) - a
        inverse = one / d
        q = (a + a) * inverse
        rest = fma(-q, d, a + a) - q * d_low
        y = half * log1p_sum(q, rest * inverse, zero)
        y = where(a < one, y, where(a == one, inf, nan))
        return where(a < tiny, x, copysign(y, x))

    def log_sum(a: Any) -> tuple[Any, Any]:
        """The logarithm of a positive number as a sum of two, with an error of some ``2**-13`` of
        the first one's last place: a power multiplies it by up to ``2**10``."""
        k, f = positive(a)
        # s = f / (2 + f), then atanh(s), then the logarithm, each as a sum of two numbers.
        d = two + f
        inverse = one / d
        s = f * inverse
        s_low = (fma(-s, d, f) - s * (f - (d - two))) * inverse
        z = s * s
        z_low = fma(s, s, -z) + (s + s) * s_low
        w = z * poly(z, atanh_terms)
        b = third_high + w
        b_low = ((third_high - b) + w) + third_low
        v = z * b
        v_low = fma(z, b, -v) + fma(z, b_low, z_low * b)
        t = s * v
        t_low = fma(s, v, -t) + fma(s, v_low, s_low * v)
        high = s + t
        low = ((s - high) + t) + (s_low + t_low)
        e = k * ln2_high
        high2 = high + high
        total = e + high2
        rest = (high2 - (total - e)) + fma(k, ln2_low, low + low)
        log_high = total + rest
        return log_high, (total - log_high) + rest

    def power_pair(x: Any, y: Any) -> Any:
        """``abs(x) ** y``, but for the special cases."""
        a = fabs(x)
        log_high, log_low = log_sum(a)
        log_high = where(a == zero, -inf, where(a < inf, log_high, a))
        p = y * log_high
        p_low = fma(y, log_high, -p) + y * log_low
        return exp_sum(p, where(fabs(p) < exp_top, p_low, zero))

    def power_double(x: Any, y: Any) -> Any:
        """The same for float32, computed in float64, which has digits enough for a plain sum."""
        a = widen(fabs(x))
        i = iadd(bits(a), wide_shift)
        k = from_bits(ior(shr(i, 52), wide_count_bits)) - wide_count
        f = from_bits(iadd(iand(i, wide_mask), wide_root_half)) - 1.0
        s = f / (2.0 + f)
        z = s * s
        lg = fma(s * wide_log2e, fma(z, poly(z, pow_log_terms), wide_two), k)
        lg = where(a == 0.0, -wide_inf, where(a < wide_inf, lg, a))
        p = widen(y) * lg
        p = where(p > wide_top, wide_top, p)
        p = where(p < -wide_top, -wide_top, p)
        t = p + wide_magic
        r = p - (t - wide_magic)
        e = fma(r, poly(r, pow_exp2_terms), wide_first)
        return narrow(e * from_bits(iadd(shl(bits(t), 52), wide_one)))

    magnitude = power_pair if form.suffix == "64" else power_double

    def power(x: Any, y: Any) -> Any:
        a = fabs(x)
        out = magnitude(x, y)
        broken = floor(y) != y
        odd = (floor(y) == y) & (floor(half * y) != half * y)
        out = where(a == one, one, out)
        out = where((x < zero) & (x > -inf) & broken, nan, out)
        out = where(odd, copysign(out, x), out)
        out = where(y == y, out, y)
        return where((x == one) | (y == zero), one, out)

    def cbrt(x: Any) -> Any:
        a = fabs(x)
        low = a < smallest
        # 2**k m = 2**(3 q) 2**rest m, and the root of the last two by their power -1/3: one step
        # of third order from a polynomial's guess.
        scale = where(low, cube_up, one)
        k, _, f = parts(a * scale)
        t = fma(k, third, magic)
        q = t - magic
        rest = fma(q, -three, k)
        m = (f + one) * where(rest > zero, two, where(rest < zero, half, one))
        y = poly(f + one, cbrt_terms)
        y = y * where(rest > zero, cbrt_two, where(rest < zero, cbrt_half, one))
        h = fma(-m * y, y * y, one)
        y = fma(y * h, fma(two_ninths, h, third), y)
        r = m * (y * y)
        square = r * r
        error = fma(-square, r, m) - fma(r, r, -square) * r
        r = fma(error * third, y * y, r)
        out = r * from_bits(iadd(shl(bits(t), digits), one_bits))
        out = out * where(low, root_down, one)
        return where((a < inf) & (a > zero), copysign(out, x), x)

    return SimpleNamespace(
        log=log,
        log2=log2,
        log10=log10,
        log1p=log1p,
        log1p_sum=log1p_sum,
        log_sum=log_sum,
        softplus=softplus,
        logaddexp=logaddexp,
        logaddexp2=logaddexp2,
        asinh=asinh,
        acosh=acosh,
        atanh=atanh,
        power=power,
        cbrt=cbrt,
    )
