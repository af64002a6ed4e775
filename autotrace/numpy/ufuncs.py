"""NumPy's ufuncs on tracers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import ShapedArray
from ..core.errors import located
from ..core.trace import Tracer, get_aval
from ..lax import arithmetic as arith
from ..lax import elementary as elem
from ..lax.structural import full_like, zeros_like
from .dispatch import implements, traced
from .promotion import (
    asarray,
    binary_operands,
    broadcast_operands,
    broadcast_to,
    inexact_dtype,
    promote_dtypes,
    promote_inexact,
    result_type,
    strong,
    to_dtype,
)
from .ufunc_examples import EXAMPLES

_TO_INEXACT = "inexact"
_SAME = "same"


def _documented(function: Callable, ufunc: np.ufunc, note: str) -> Callable:
    function.__name__ = function.__qualname__ = ufunc.__name__
    args, shown = EXAMPLES[ufunc.__name__]
    function.__doc__ = (
        f"As ``numpy.{ufunc.__name__}``, on arrays and traced values.\n\n{note}".rstrip()
        + f"\n\n>>> {ufunc.__name__}({args})\n{shown}\n"
    )
    function.__module__ = __name__
    return implements(ufunc)(function)


def _unary(ufunc: np.ufunc, primitive: Callable, kind: str, note: str = "") -> Callable:
    if kind == _TO_INEXACT:

        def function(x: Any, /) -> Any:
            x = asarray(x)
            return primitive(to_dtype(x, inexact_dtype(get_aval(x).dtype)))

    else:

        def function(x: Any, /) -> Any:
            x = asarray(x)
            out = primitive(to_dtype(x, get_aval(x).dtype))
            return strong(out) if out is x else out

    return _documented(function, ufunc, note)


sin = _unary(np.sin, elem.sin, _TO_INEXACT)
cos = _unary(np.cos, elem.cos, _TO_INEXACT)
tan = _unary(np.tan, elem.tan, _TO_INEXACT)
arcsin = _unary(np.arcsin, elem.asin, _TO_INEXACT)
arccos = _unary(np.arccos, elem.acos, _TO_INEXACT)
arctan = _unary(np.arctan, elem.atan, _TO_INEXACT)
sinh = _unary(np.sinh, elem.sinh, _TO_INEXACT)
cosh = _unary(np.cosh, elem.cosh, _TO_INEXACT)
tanh = _unary(np.tanh, elem.tanh, _TO_INEXACT)
arcsinh = _unary(np.arcsinh, elem.asinh, _TO_INEXACT)
arccosh = _unary(np.arccosh, elem.acosh, _TO_INEXACT)
arctanh = _unary(np.arctanh, elem.atanh, _TO_INEXACT)
exp = _unary(np.exp, elem.exp, _TO_INEXACT)
exp2 = _unary(np.exp2, elem.exp2, _TO_INEXACT)
expm1 = _unary(np.expm1, elem.expm1, _TO_INEXACT)
log = _unary(np.log, arith.log, _TO_INEXACT)
log2 = _unary(np.log2, elem.log2, _TO_INEXACT)
log10 = _unary(np.log10, elem.log10, _TO_INEXACT)
log1p = _unary(np.log1p, elem.log1p, _TO_INEXACT)
sqrt = _unary(np.sqrt, elem.sqrt, _TO_INEXACT)
cbrt = _unary(np.cbrt, elem.cbrt, _TO_INEXACT)


def _unless_integer(float_function: Callable) -> Callable:
    return lambda x: x if x.dtype.kind in "biu" else float_function(x)


floor = _unary(np.floor, _unless_integer(arith.floor), _SAME)
ceil = _unary(np.ceil, _unless_integer(arith.ceil), _SAME)
trunc = _unary(np.trunc, _unless_integer(arith.trunc), _SAME)
rint = _unary(np.rint, arith.round, _TO_INEXACT)


def _negative(x: Any) -> Any:
    if x.dtype.kind == "b":
        raise TypeError(
            located(
                "The numpy boolean negative, the `-` operator, is not supported",
                "What to do: use the `~` operator or numpy.logical_not.",
            )
        )
    return arith.neg(x)


negative = _unary(np.negative, _negative, _SAME)


def _positive(x: Any) -> Any:
    if x.dtype.kind == "b":
        raise TypeError(located("numpy.positive does not take bools"))
    return x


positive = _unary(np.positive, _positive, _SAME)


def _real_only(name: str, function: Callable) -> Callable:
    def checked(x: Any) -> Any:
        refuse_complex(name, x)
        return function(x)

    return checked


def refuse_complex(name: str, *args: Any) -> None:
    """Raise TypeError for complex operands of a function of real numbers."""
    if any(x.dtype.kind == "c" for x in args):
        raise TypeError(located(f"numpy.{name} is not supported for complex arrays"))


absolute = _unary(np.absolute, arith.abs, _SAME, "The derivative at 0 is 0.")
fabs = _unary(np.fabs, _real_only("fabs", arith.abs), _TO_INEXACT, "The derivative at 0 is 0.")
sign = _unary(np.sign, arith.sign, _SAME)


def _bools_as_int8(function: Callable) -> Callable:
    """NumPy has no loop for bools in some functions, and takes int8's."""
    return lambda x: function(arith.convert_element_type(x, np.int8) if x.dtype.kind == "b" else x)


conjugate = _unary(
    np.conjugate,
    _bools_as_int8(lambda x: arith.conj(x) if x.dtype.kind == "c" else x),
    _SAME,
)
square = _unary(np.square, _bools_as_int8(elem.square), _SAME)


def _reciprocal(x: Any) -> Any:
    if x.dtype.kind in "iu":  # by floating point, as NumPy does
        quotient = elem.reciprocal(arith.convert_element_type(x, np.float64))
        return arith.convert_element_type(quotient, x.dtype)
    return elem.reciprocal(x)


reciprocal = _unary(np.reciprocal, _bools_as_int8(_reciprocal), _SAME)


def _scaled(factor: float) -> Callable:
    return lambda x: arith.mul(x, factor)


deg2rad = _unary(np.deg2rad, _real_only("deg2rad", _scaled(math.pi / 180)), _TO_INEXACT)
radians = _unary(np.radians, _real_only("radians", _scaled(math.pi / 180)), _TO_INEXACT)
rad2deg = _unary(np.rad2deg, _real_only("rad2deg", _scaled(180 / math.pi)), _TO_INEXACT)
degrees = _unary(np.degrees, _real_only("degrees", _scaled(180 / math.pi)), _TO_INEXACT)


def _false(x: Any) -> Any:
    return full_like(x, False, np.bool_)


def _float_test(test: Callable, otherwise: Callable) -> Callable:
    return lambda x: test(x) if x.dtype.kind in "fc" else otherwise(x)


isnan = _unary(np.isnan, _float_test(arith.is_nan, _false), _SAME)
isinf = _unary(np.isinf, _float_test(arith.is_inf, _false), _SAME)
isfinite = _unary(
    np.isfinite,
    _float_test(arith.is_finite, lambda x: full_like(x, True, np.bool_)),
    _SAME,
)
signbit = _unary(np.signbit, arith.signbit, _TO_INEXACT)


def as_bool(x: Any) -> Any:
    """Whether each element is not zero."""
    x = asarray(x)
    x = to_dtype(x, get_aval(x).dtype)
    return x if x.dtype.kind == "b" else arith.ne(x, zeros_like(x))


logical_not = _documented(lambda x, /: arith.bitwise_not(as_bool(x)), np.logical_not, "")
invert = _unary(np.invert, arith.bitwise_not, _SAME)
bitwise_count = _unary(np.bitwise_count, _bools_as_int8(arith.population_count), _SAME)


def _spacing(x: Any) -> Any:
    x = arith.stop_gradient(x)
    away = full_like(x, np.inf)
    if x.dtype != np.float16:  # for which NumPy goes upwards, whatever the sign
        away = arith.select(arith.lt(x, zeros_like(x)), arith.neg(away), away)
    out = arith.sub(arith.nextafter(x, away), x)
    return arith.select(arith.is_inf(x), full_like(x, np.nan), out)


spacing = _unary(np.spacing, _spacing, _TO_INEXACT)

# --- two operands ------------------------------------------------------------------------------


def _floating_operands(x: Any, y: Any) -> list[Any]:
    """The operands of a floating function of two, in the smallest dtype that holds both: for int8
    and uint8 that is float16, though their common integer dtype would need float32."""
    x, y = asarray(x), asarray(y)
    dtype = _floating_dtype(get_aval(x), get_aval(y))
    return broadcast_operands(to_dtype(x, dtype), to_dtype(y, dtype))


def _floating_dtype(x: ShapedArray, y: ShapedArray) -> np.dtype:
    if x.weak_type or y.weak_type:
        return inexact_dtype(result_type(x, y)[0])
    return np.promote_types(inexact_dtype(x.dtype), inexact_dtype(y.dtype))


def _binary(ufunc: np.ufunc, primitive: Callable, kind: str = _SAME, note: str = "") -> Callable:
    if kind == _TO_INEXACT:

        def function(x: Any, y: Any, /) -> Any:
            return primitive(*_floating_operands(x, y))

    else:

        def function(x: Any, y: Any, /) -> Any:
            return primitive(*binary_operands(asarray(x), asarray(y)))

    return _documented(function, ufunc, note)


def _no_bool_subtract(x: Any, y: Any) -> Any:
    if x.dtype.kind == "b":
        raise TypeError(
            located(
                "numpy boolean subtract, the `-` operator, is not supported",
                "What to do: use the `^` operator or numpy.logical_xor.",
            )
        )
    return arith.sub(x, y)


def _divide(x: Any, y: Any, /) -> Any:
    x, y = asarray(x), asarray(y)
    dtype = result_type(get_aval(x), get_aval(y))[0]
    if dtype.kind in "fc":
        return arith.div(*binary_operands(x, y))
    # float64 even for small integers, unlike the other functions
    return arith.div(*broadcast_operands(*(to_dtype(a, np.dtype(np.float64)) for a in (x, y))))


def _bool_as_int8(function: Callable) -> Callable:
    def converted(x: Any, y: Any) -> Any:
        if x.dtype.kind == "b":
            x, y = (arith.convert_element_type(a, np.int8) for a in (x, y))
        return function(x, y)

    return converted


add = _binary(np.add, arith.add)
subtract = _binary(np.subtract, _no_bool_subtract)
multiply = _binary(np.multiply, arith.mul)
divide = true_divide = _documented(_divide, np.divide, "")
floor_divide = _binary(np.floor_divide, _bool_as_int8(arith.floor_divide))
remainder = mod = _binary(np.remainder, _bool_as_int8(arith.mod))
fmod = _binary(np.fmod, _bool_as_int8(arith.rem))
_TIES = "Where the operands are equal each gets half of the derivative."
maximum = _binary(np.maximum, arith.max, note=_TIES)
minimum = _binary(np.minimum, arith.min, note=_TIES)
fmax = _binary(np.fmax, arith.fmax, note=_TIES)
fmin = _binary(np.fmin, arith.fmin, note=_TIES)
arctan2 = _binary(np.arctan2, elem.atan2, _TO_INEXACT)
hypot = _binary(np.hypot, elem.hypot, _TO_INEXACT, "The derivative at the origin is 0.")
logaddexp = _binary(np.logaddexp, elem.logaddexp, _TO_INEXACT)
logaddexp2 = _binary(np.logaddexp2, elem.logaddexp2, _TO_INEXACT)
copysign = _binary(np.copysign, arith.copysign, _TO_INEXACT)
nextafter = _binary(np.nextafter, arith.nextafter, _TO_INEXACT)


def _beyond(x: Any, other: Any) -> float | None:
    """inf or -inf for a Python integer that the other operand's dtype cannot hold, else None."""
    if type(x) is not int or not isinstance(other, Tracer | np.ndarray | np.generic):
        return None
    dtype = other.dtype
    if dtype.kind not in "iu" or get_aval(other).weak_type:
        return None
    info = np.iinfo(dtype)
    return None if info.min <= x <= info.max else math.copysign(math.inf, x)


def _comparison(ufunc: np.ufunc, primitive: Callable) -> Callable:
    def function(x: Any, y: Any, /) -> Any:
        x, y = asarray(x), asarray(y)
        far_x, far_y = _beyond(x, y), _beyond(y, x)
        if far_x is not None:  # which compares with all integers as infinity does
            x, y = far_x, to_dtype(y, np.dtype(np.float64))
        elif far_y is not None:
            x, y = to_dtype(x, np.dtype(np.float64)), far_y
        return primitive(*binary_operands(x, y))

    return _documented(function, ufunc, "")


equal = _comparison(np.equal, arith.eq)
not_equal = _comparison(np.not_equal, arith.ne)
less = _comparison(np.less, arith.lt)
less_equal = _comparison(np.less_equal, arith.le)
greater = _comparison(np.greater, arith.gt)
greater_equal = _comparison(np.greater_equal, arith.ge)
bitwise_and = _binary(np.bitwise_and, arith.bitwise_and)
bitwise_or = _binary(np.bitwise_or, arith.bitwise_or)
bitwise_xor = _binary(np.bitwise_xor, arith.bitwise_xor)
left_shift = _binary(np.left_shift, _bool_as_int8(arith.shift_left))
right_shift = _binary(np.right_shift, _bool_as_int8(arith.shift_right))
gcd = _binary(np.gcd, arith.gcd)
lcm = _binary(np.lcm, arith.lcm)


def _static_integer(y: Any) -> int | None:
    """The exponent, where it is a Python integer or float that is one."""
    if type(y) is int:
        return y
    # Not np.float64, which is a float too but has a dtype to promote.
    if type(y) is float and y.is_integer() and abs(y) <= 64:
        return int(y)
    return None


def _power(x: Any, y: Any, /) -> Any:
    x, y = asarray(x), asarray(y)
    exponent = _static_integer(y)
    if exponent is not None and isinstance(x, Tracer):
        dtype = get_aval(x).dtype
        if dtype.kind in "fc" or (isinstance(y, int) and dtype.kind in "iu"):
            return elem.integer_pow(x, exponent)
    x, y = binary_operands(x, y)
    if x.dtype.kind == "b":
        x, y = (arith.convert_element_type(a, np.int8) for a in (x, y))
    return arith.pow(x, y)


power = pow = _documented(_power, np.power, "")  # noqa: A001  NumPy's name


def _float_power(x: Any, y: Any, /) -> Any:
    x, y = asarray(x), asarray(y)
    both = result_type(get_aval(x), get_aval(y))[0]
    wide = np.dtype(np.complex128 if both.kind == "c" else np.float64)
    return arith.pow(*broadcast_operands(to_dtype(x, wide), to_dtype(y, wide)))


float_power = _documented(_float_power, np.float_power, "")


def _logical(ufunc: np.ufunc, primitive: Callable) -> Callable:
    def function(x: Any, y: Any, /) -> Any:
        return primitive(*broadcast_operands(as_bool(x), as_bool(y)))

    return _documented(function, ufunc, "")


logical_and = _logical(np.logical_and, arith.bitwise_and)
logical_or = _logical(np.logical_or, arith.bitwise_or)
logical_xor = _logical(np.logical_xor, arith.bitwise_xor)


def _heaviside(x: Any, y: Any, /) -> Any:
    x, y = _floating_operands(x, y)
    refuse_complex("heaviside", x)
    if not x.shape and y.shape:
        x = arith.add(x, zeros_like(y))
    step = arith.select(arith.lt(x, zeros_like(x)), zeros_like(x), full_like(x, 1))
    out = arith.select(arith.eq(x, zeros_like(x)), y, step)
    return arith.select(arith.is_nan(x), full_like(x, np.nan), out)


heaviside = _documented(_heaviside, np.heaviside, "")


def _ldexp(x: Any, y: Any, /) -> Any:
    x, y = asarray(x), asarray(y)
    y = to_dtype(y, get_aval(y).dtype)
    if not np.can_cast(y.dtype, np.int64):
        raise TypeError(located(f"numpy.ldexp takes an integer exponent, not {y.dtype}"))
    dtype = inexact_dtype(get_aval(x).dtype)
    wide = np.dtype(np.float32) if dtype == np.float16 else dtype
    out, y = broadcast_operands(to_dtype(x, wide), arith.convert_element_type(y, np.int64))
    refuse_complex("ldexp", out)
    # In four steps, so that no power of two overflows where the result does not; the bound takes
    # any number to 0 or infinity.
    bound = 3 * int(np.finfo(wide).maxexp)
    left = arith.clamp(-bound, y, bound)
    for parts in (4, 3, 2, 1):
        part = arith.floor_divide(left, parts)
        left = arith.sub(left, part)
        out = arith.mul(out, elem.exp2(arith.convert_element_type(part, wide)))
    return arith.convert_element_type(out, dtype)


ldexp = _documented(_ldexp, np.ldexp, "")


def _modf(x: Any, /) -> tuple[Any, Any]:
    (x,) = promote_inexact(asarray(x))
    whole = arith.trunc(x)
    rest = arith.select(arith.is_inf(x), zeros_like(x), arith.sub(x, whole))
    return arith.copysign(rest, x), whole


modf = _documented(_modf, np.modf, "")


def _frexp(x: Any, /) -> tuple[Any, Any]:
    (x,) = promote_inexact(asarray(x))
    refuse_complex("frexp", x)
    ordinary = arith.bitwise_and(arith.is_finite(x), arith.ne(x, zeros_like(x)))
    size = arith.select(ordinary, arith.abs(arith.stop_gradient(x)), full_like(x, 1))
    if size.dtype == np.float16:
        size = arith.convert_element_type(size, np.float32)
    exponent = arith.convert_element_type(arith.floor(elem.log2(size)), np.int32)
    # The logarithm's rounding may be on the wrong side of a power of two.
    part = ldexp(size, arith.neg(exponent))
    low, high = arith.lt(part, full_like(part, 1)), arith.ge(part, full_like(part, 2))
    up, down = (arith.convert_element_type(b, np.int32) for b in (high, low))
    exponent = arith.add(arith.sub(arith.add(exponent, up), down), np.int32(1))
    exponent = arith.select(ordinary, exponent, zeros_like(exponent))
    return arith.select(ordinary, ldexp(x, arith.neg(exponent)), x), exponent


frexp = _documented(_frexp, np.frexp, "The derivative is that of the mantissa.")


@implements(np.isposinf)
def isposinf(x: Any) -> Any:
    """As ``numpy.isposinf``, on arrays and traced values.

    >>> isposinf(np.array([np.inf, -np.inf, 1.0]))
    array([ True, False, False])
    """
    return _infinite("isposinf", x, False)


@implements(np.isneginf)
def isneginf(x: Any) -> Any:
    """As ``numpy.isneginf``, on arrays and traced values.

    >>> isneginf(np.array([np.inf, -np.inf, 1.0]))
    array([False,  True, False])
    """
    return _infinite("isneginf", x, True)


def _infinite(name: str, x: Any, negative_one: bool) -> Any:
    x = asarray(x)
    if get_aval(x).dtype.kind == "c":
        raise TypeError(located(f"numpy.{name} is not supported for complex arrays"))
    sign_bit = signbit(x)
    return arith.bitwise_and(isinf(x), sign_bit if negative_one else arith.bitwise_not(sign_bit))


def _divmod(x: Any, y: Any, /) -> tuple[Any, Any]:
    from_floor, from_mod = floor_divide(x, y), remainder(x, y)
    return from_floor, from_mod


divmod = _documented(_divmod, np.divmod, "")  # noqa: A001  NumPy's name


def _real(x: Any) -> Any:
    x = asarray(x)
    return arith.real(x) if get_aval(x).dtype.kind == "c" else x


def _imag(x: Any) -> Any:
    x = asarray(x)
    return arith.imag(x) if get_aval(x).dtype.kind == "c" else zeros_like(x)


@implements(np.real, view=True)
def real(val: Any) -> Any:
    """As ``numpy.real``, on arrays and traced values.

    >>> real(np.array([1 + 2j]))
    array([1.])
    """
    return _real(val)


@implements(np.imag, view=True)
def imag(val: Any) -> Any:
    """As ``numpy.imag``, on arrays and traced values.

    >>> imag(np.array([1 + 2j]))
    array([2.])
    """
    return _imag(val)


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """As ``numpy.angle``, on arrays and traced values.

    >>> angle(np.array([1.0, 1j]))
    array([0.        , 1.57079633])
    """
    z = asarray(z)
    if get_aval(z).dtype.kind == "b":
        z = to_dtype(z, np.dtype(np.int64))
    (z,) = promote_inexact(z)
    out = elem.atan2(_imag(z), _real(z))
    return arith.mul(out, 180 / math.pi) if deg else out


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """As ``numpy.sinc``, on arrays and traced values; exact derivatives at 0 up to the second.

    >>> sinc(np.array([0.0, 0.5]))
    array([1.        , 0.63661977])
    """
    x = asarray(x)
    dtype = get_aval(x).dtype
    x = to_dtype(x, dtype if dtype.kind in "fc" else np.dtype(np.float64))
    scaled = arith.mul(x, math.pi)
    zero = arith.eq(scaled, zeros_like(scaled))
    safe = arith.select(zero, full_like(scaled, 1), scaled)
    near = arith.sub(1.0, arith.mul(elem.square(scaled), 1 / 6))
    return arith.select(zero, near, arith.div(elem.sin(safe), safe))


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """As ``numpy.nan_to_num``, on arrays and traced values.

    >>> nan_to_num(np.array([np.nan, 1.0]))
    array([0., 1.])
    """
    x = asarray(x)
    x = to_dtype(x, get_aval(x).dtype)
    if x.dtype.kind not in "fc":
        return x
    if x.dtype.kind == "c":
        parts = [nan_to_num(p, copy, nan, posinf, neginf) for p in (_real(x), _imag(x))]
        return arith.complex(*parts)
    info = np.finfo(x.dtype)
    out = arith.select(arith.is_nan(x), _filling(nan, x), x)
    high = info.max if posinf is None else posinf
    low = info.min if neginf is None else neginf
    out = arith.select(arith.eq(x, full_like(x, np.inf)), _filling(high, x), out)
    return arith.select(arith.eq(x, full_like(x, -np.inf)), _filling(low, x), out)


def _filling(value: Any, x: Any) -> Any:
    """A number, or an array of them, in the shape and dtype of an array."""
    return broadcast_to(to_dtype(asarray(value), x.dtype), x.shape)


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    *,
    min: Any = None,  # noqa: A002
    max: Any = None,  # noqa: A002
    dtype: Any = None,
    casting: str = "same_kind",
) -> Any:
    """As ``numpy.clip``, on arrays and traced values.

    >>> clip(np.array([1, 5, 9]), 2, 6)
    array([2, 5, 6])
    """
    low = a_min if a_min is not None else min
    high = a_max if a_max is not None else max
    out = asarray(a)
    # What no element can be beyond is no bound.
    if _beyond(low, out) == -math.inf:
        low = None
    if _beyond(high, out) == math.inf:
        high = None
    if dtype is not None:
        dtype, given = np.dtype(dtype), get_aval(out).dtype
        if not np.can_cast(given, dtype, casting):  # type: ignore[arg-type]
            raise TypeError(
                located(
                    f"Cannot cast ufunc 'clip' input 0 from {given!r} to {dtype!r} with casting "
                    f"rule '{casting}'"
                )
            )
        out, low, high = (x if x is None else to_dtype(asarray(x), dtype) for x in (out, low, high))
    if low is not None:
        out = maximum(out, low)
    if high is not None:
        out = minimum(out, high)
    return out


# What the method of an ordinary array calls.
implements(np._core.umath.clip)(clip)  # type: ignore[attr-defined]


@implements(np.where, extra=("size", "fill_value"))
def where(condition: Any, x: Any = None, y: Any = None, /, **sized: Any) -> Any:
    """As ``numpy.where``, on arrays and traced values; with one argument it takes ``size`` and
    ``fill_value`` as ``nonzero`` does.

    Where a side is not taken it contributes nothing to the derivative, not even where its own is
    infinite or NaN: ``where(x > 0, sqrt(x), 0.0)`` has derivative 0 at 0.

    >>> where(np.array([True, False]), 1, 2)
    array([1, 2])
    """
    if x is None or y is None:
        if x is not y:
            raise ValueError(located("either both or neither of x and y should be given"))
        return traced[np.nonzero](condition, **sized)
    if sized:
        raise ValueError(located("size and fill_value go with a condition alone"))
    mask = as_bool(condition)
    x, y = promote_dtypes(asarray(x), asarray(y))
    return arith.select(*broadcast_operands(mask, x, y))
