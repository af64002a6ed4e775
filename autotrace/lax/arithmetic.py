"""Arithmetic, comparison, selection and dtype conversion, element by element."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, is_inexact, make_aval, uniform, uniform_value
from ..core.jaxpr import Literal
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..core.trace import Tracer
from ..transforms.pending import Choice, Pending
from ..transforms.simplify import Rewrite, View
from .families import (
    BOOL,
    add_p,
    binary,
    check_kinds,
    common_shape,
    complex_dtype,
    def_linear,
    def_partials,
    elementwise,
    elementwise_batch,
    identities,
    is_scalar_literal,
    no_derivative,
    operands,
    real_dtype,
    repeated_scalar,
    thin_operands,
    to_bool,
    unary,
)
from .structural import (
    array,
    broadcast_in_dim_p,
    broadcast_to_shape,
    full_like,
    unbroadcast,
    zeros_like,
)

NUMERIC = "iufc"
ORDERED = "biuf"
ANY = "biufc"

# --- the four operations -----------------------------------------------------------------------

add = binary(
    add_p,
    """Elementwise sum of two arrays of one shape and dtype (or scalars).

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.add(np.array([1.0, 2.0]), 3.0)
    array([4., 5.])
    """,
)

neg_p = elementwise("neg", operator.neg, NUMERIC)
neg = unary(
    neg_p,
    """Elementwise negation.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.neg(np.array([1.0, -2.0]))
    array([-1.,  2.])
    """,
)
def_linear(neg_p, lambda ct, aval: neg(ct))


def _neg_identity(view: View, args: Sequence[Any], params: dict) -> Any:
    inner = view.made_by(args[0], neg_p)
    if inner is not None:
        return inner.invars[0]
    product = view.made_by(args[0], mul_p)
    if product is not None:  # -(x * 3.0) is x * -3.0, for zeros, infinities and NaN too
        for x, y in (product.invars, product.invars[::-1]):
            number = view.scalar(y)
            if number is not None and y.aval.dtype.kind == "f":
                return Rewrite(mul_p, [x, Literal(-number)], {})
    return None


identities[neg_p] = _neg_identity

sub_p = elementwise("sub", operator.sub, NUMERIC)
sub = binary(
    sub_p,
    """Elementwise difference of two arrays of one shape and dtype (or scalars).

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.sub(np.array([1.0, 2.0]), 3.0)
    array([-2., -1.])
    """,
)
def_partials(sub_p, lambda t, out, x, y: t, lambda t, out, x, y: neg(t))


@sub_p.def_transpose
def _sub_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    return [
        unbroadcast(ct, x.aval.shape) if type(x) is LinearInput else None,
        neg(unbroadcast(ct, y.aval.shape)) if type(y) is LinearInput else None,
    ]


def _sub_identity(view: View, args: Sequence[Any], params: dict) -> Any:
    x, y = args
    if x.aval.dtype.kind in "iuf" and view.same_type(x) and is_scalar_literal(view, y, 0.0):
        return x
    return None


identities[sub_p] = _sub_identity

mul_p = elementwise("mul", operator.mul, ANY)
mul = binary(
    mul_p,
    """Elementwise product of two arrays of one shape and dtype (or scalars).

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.mul(np.array([1.0, 2.0]), 3.0)
    array([3., 6.])
    """,
)


@mul_p.def_jvp
def _mul_jvp(primals: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    (x, y), (t, u) = primals, tangents
    if x is y and t is u:  # a square, spelled x*x: one linear equation instead of three
        return mul_p.bind(t, add_p.bind(x, x))
    if u is None:
        total = mul_p.bind(t, y)
    elif t is None:
        total = mul_p.bind(x, u)
    else:
        total = add_p.bind(mul_p.bind(t, y), mul_p.bind(x, u))
    return broadcast_to_shape(total, out.shape)


@mul_p.def_transpose
def _mul_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    if type(x) is LinearInput:
        return [unbroadcast(mul_p.bind(ct, y), x.aval.shape), None]
    return [None, unbroadcast(mul_p.bind(x, ct), y.aval.shape)]


def _mul_identity(view: View, args: Sequence[Any], params: dict) -> Any:
    for a, b in (args, args[::-1]):
        if a.aval.dtype.kind in "iuf" and view.same_type(a):
            if is_scalar_literal(view, b, 1):
                return a
            if is_scalar_literal(view, b, -1) and a.aval.dtype.kind != "u":
                return Rewrite(neg_p, [a], {})
    return None


identities[mul_p] = _mul_identity

div_p = elementwise("div", lambda x, y: np.true_divide(x, y), "fc")
div = binary(
    div_p,
    """Elementwise quotient of two floating or complex arrays of one shape and dtype (or scalars).

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.div(np.array([1.0, 2.0]), 4.0)
    array([0.25, 0.5 ])
    """,
)
def_partials(
    div_p,
    lambda t, out, x, y: div_p.bind(t, y),
    lambda t, out, x, y: mul_p.bind(t, neg(div_p.bind(out, y))),
)


@div_p.def_transpose
def _div_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    return [unbroadcast(div_p.bind(ct, y), x.aval.shape), None]


def _div_identity(view: View, args: Sequence[Any], params: dict) -> Any:
    x, y = args
    if x.aval.dtype.kind == "f" and view.same_type(x) and is_scalar_literal(view, y, 1.0):
        return x
    return None


identities[div_p] = _div_identity

# --- remainders, powers, extrema ---------------------------------------------------------------

floor_divide_p = no_derivative(elementwise("floor_divide", np.floor_divide, "iuf"))
floor_divide = binary(
    floor_divide_p,
    """Elementwise ``floor(x / y)``; the derivative is zero.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.floor_divide(np.array([7, -7]), 2)
    array([ 3, -4])
    """,
)

trunc_p = no_derivative(elementwise("trunc", np.trunc, "f"))
floor_p = no_derivative(elementwise("floor", np.floor, "f"))
ceil_p = no_derivative(elementwise("ceil", np.ceil, "f"))
round_p = no_derivative(elementwise("round", np.rint, "fc"))
sign_p = elementwise("sign", np.sign, NUMERIC)
trunc = unary(
    trunc_p,
    """Elementwise rounding towards zero.

    >>> import autotrace.lax as lax
    >>> float(lax.trunc(-1.5))
    -1.0
    """,
)
floor = unary(
    floor_p,
    """Elementwise rounding down.

    >>> import autotrace.lax as lax
    >>> float(lax.floor(-1.5))
    -2.0
    """,
)
ceil = unary(
    ceil_p,
    """Elementwise rounding up.

    >>> import autotrace.lax as lax
    >>> float(lax.ceil(-1.5))
    -1.0
    """,
)
round = unary(  # noqa: A001  the name in lax
    round_p,
    """Elementwise rounding to the nearest integer, halves to even.

    >>> import autotrace.lax as lax
    >>> float(lax.round(2.5))
    2.0
    """,
)
sign = unary(
    sign_p,
    """Elementwise sign: -1, 0 or 1; ``x/|x|`` for complex.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.sign(np.array([-3.0, 0.0, 2.0]))
    array([-1.,  0.,  1.])
    """,
)


rem_p = elementwise("rem", np.fmod, "iuf")
rem = binary(
    rem_p,
    """Elementwise remainder with the sign of ``x`` (C's fmod).

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.rem(np.array([7.0, -7.0]), 4.0)
    array([ 3., -3.])
    """,
)
def_partials(
    rem_p, lambda t, out, x, y: t, lambda t, out, x, y: mul(t, neg(trunc(div_p.bind(x, y))))
)

mod_p = elementwise("mod", np.remainder, "iuf")
mod = binary(
    mod_p,
    """Elementwise remainder with the sign of ``y`` (Python's ``%``).

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.mod(np.array([7.0, -7.0]), 4.0)
    array([3., 1.])
    """,
)
def_partials(
    mod_p, lambda t, out, x, y: t, lambda t, out, x, y: mul(t, neg(floor_divide_p.bind(x, y)))
)


@sign_p.def_jvp
def _sign_jvp(primals: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    (x,), (t,) = primals, tangents
    if x.dtype.kind != "c":
        return None
    # d(x/|x|) = i * x/|x| * Im(conj(x) t)/|x|^2 * |x|: only the turning part is left.
    size = abs(x)
    safe = select(eq(size, 0.0), full_like(size, 1), size)
    turning = div(imag(mul(conj(out), t)), safe)
    return mul(mul(out, full_like(out, 1j)), convert_element_type(turning, out.dtype))


def nonzero_or_one(x: Any) -> Any:
    """The array with zeros replaced by ones: a divisor for where the quotient is not used."""
    return select(eq(x, zeros_like(x)), full_like(x, 1), x)


pow_p = elementwise("pow", np.power, NUMERIC)
pow = binary(  # noqa: A001  the name in lax
    pow_p,
    """Elementwise power of two arrays of one shape and dtype (or scalars).

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.pow(np.array([2.0, 3.0]), np.array([3.0, 2.0]))
    array([8., 9.])
    """,
)


def _pow_partial_x(t: Any, out: Any, x: Any, y: Any) -> Any:
    # With y == 0 the power is 1 whatever x is; y * x**(y-1) would be 0 * inf at x == 0.
    exponent = select(eq(y, zeros_like(y)), full_like(y, 1), sub(y, 1.0))
    return mul_p.bind(t, mul_p.bind(y, pow_p.bind(x, exponent)))


def _pow_partial_y(t: Any, out: Any, x: Any, y: Any) -> Any:
    # The limit at x == 0 is 0 for y > 0: log(1) in place of log(0).
    return mul_p.bind(t, mul_p.bind(log(nonzero_or_one(x)), out))


def_partials(pow_p, _pow_partial_x, _pow_partial_y)

log_p = elementwise("log", np.log, "fc")
log = unary(
    log_p,
    """Elementwise natural logarithm.

    >>> import autotrace.lax as lax
    >>> float(lax.log(1.0))
    0.0
    """,
)
def_partials(log_p, lambda t, out, x: div_p.bind(t, x))

integer_pow_p = elementwise("integer_pow", lambda x, *, y: x**y, NUMERIC)


def integer_pow(x: Any, y: int) -> Any:
    """Elementwise power with a static integer exponent.

    Args:
      x: an array; floating or complex when ``y`` is negative.
      y: a Python integer.

    Returns:
      ``x**y``.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.integer_pow(np.array([2.0, 3.0]), 2)
    array([4., 9.])
    """
    x = array(x)
    if y < 0 and not is_inexact(x.dtype):
        raise ValueError("integers to negative integer powers are not allowed")
    return integer_pow_p.bind(x, y=y)


def _integer_pow_partial(t: Any, out: Any, x: Any, *, y: int) -> Any:
    if y == 0:
        return zeros_like(t)
    if y == 1:
        return t
    slope = x if y == 2 else integer_pow_p.bind(x, y=y - 1)
    return mul_p.bind(t, mul_p.bind(constant(y, x), slope))


def constant(value: Any, like: Any) -> Any:
    """A NumPy scalar of the dtype of an array or tracer."""
    return like.dtype.type(value)


def_partials(integer_pow_p, _integer_pow_partial)


def _integer_pow_identity(view: View, args: Sequence[Any], params: dict) -> Any:
    return args[0] if params["y"] == 1 else None


identities[integer_pow_p] = _integer_pow_identity

max_p = elementwise("max", np.maximum, ANY)
max = binary(  # noqa: A001  the name in lax
    max_p,
    """Elementwise maximum; a NaN in either operand gives NaN.

    Where the operands are equal each gets half of the derivative.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.max(np.array([1.0, 5.0]), 2.0)
    array([2., 5.])
    """,
)
min_p = elementwise("min", np.minimum, ANY)
min = binary(  # noqa: A001  the name in lax
    min_p,
    """Elementwise minimum; a NaN in either operand gives NaN.

    Where the operands are equal each gets half of the derivative.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.min(np.array([1.0, 5.0]), 2.0)
    array([1., 2.])
    """,
)
fmax_p = elementwise("fmax", np.fmax, ANY)
fmax = binary(
    fmax_p,
    """Elementwise maximum that passes over NaN where it can.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.fmax(np.array([1.0, np.nan]), 2.0)
    array([2., 2.])
    """,
)
fmin_p = elementwise("fmin", np.fmin, ANY)
fmin = binary(
    fmin_p,
    """Elementwise minimum that passes over NaN where it can.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.fmin(np.array([1.0, np.nan]), 2.0)
    array([1., 2.])
    """,
)


def gate(t: Any, condition: Any) -> Any:
    """A tangent where a condition holds, zero elsewhere; either may be a scalar."""
    t = broadcast_to_shape(t, t.shape or condition.shape)
    return select_n_p.bind(condition, constant(0, t), t)


def _chosen(t: Any, out: Any, mine: Any, other: Any) -> Any:
    """The tangent where an operand is the extremum, half of it where both are."""
    share = select(eq(out, other), full_like(out, 0.5), full_like(out, 1))
    return gate(mul(t, share), eq(out, mine))


for _extremum in (max_p, min_p, fmax_p, fmin_p):
    def_partials(
        _extremum,
        lambda t, out, x, y: _chosen(t, out, x, y),
        lambda t, out, x, y: _chosen(t, out, y, x),
    )

nextafter_p = no_derivative(elementwise("nextafter", np.nextafter, "f"))
nextafter = binary(
    nextafter_p,
    """The next floating-point number after ``x`` towards ``y``.

    >>> import autotrace.lax as lax
    >>> float(lax.nextafter(1.0, 2.0))
    1.0000000000000002
    """,
)
copysign_p = elementwise("copysign", np.copysign, "f")
copysign = binary(
    copysign_p,
    """The magnitude of ``x`` with the sign of ``y``.

    >>> import autotrace.lax as lax
    >>> float(lax.copysign(1.0, -0.0))
    -1.0
    """,
)
def_partials(
    copysign_p,
    lambda t, out, x, y: mul(t, mul(copysign(full_like(x, 1), x), copysign(full_like(y, 1), y))),
    None,
)

# --- comparisons and tests ---------------------------------------------------------------------


def _comparison(name: str, impl: Any, kinds: str, words: str, example: str) -> tuple:
    primitive = no_derivative(elementwise(name, impl, kinds, to_bool))
    doc = f"""Elementwise ``x {words} y``, as bools.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.{name}(np.array([1, 2, 3]), 2)
    {example}
    """
    return primitive, binary(primitive, doc)


eq_p, eq = _comparison("eq", operator.eq, ANY, "==", "array([False,  True, False])")
ne_p, ne = _comparison("ne", operator.ne, ANY, "!=", "array([ True, False,  True])")
lt_p, lt = _comparison("lt", operator.lt, ANY, "<", "array([ True, False, False])")
le_p, le = _comparison("le", operator.le, ANY, "<=", "array([ True,  True, False])")
gt_p, gt = _comparison("gt", operator.gt, ANY, ">", "array([False, False,  True])")
ge_p, ge = _comparison("ge", operator.ge, ANY, ">=", "array([False,  True,  True])")


def _test(name: str, impl: Any, kinds: str, words: str, example: str) -> tuple:
    primitive = no_derivative(elementwise(name, impl, kinds, to_bool))
    doc = f"""Elementwise: whether a number is {words}.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.{name}(np.array([-1.0, np.inf, np.nan]))
    {example}
    """
    return primitive, unary(primitive, doc)


is_finite_p, is_finite = _test(
    "is_finite", np.isfinite, "fc", "finite", "array([ True, False, False])"
)
is_nan_p, is_nan = _test("is_nan", np.isnan, "fc", "a NaN", "array([False, False,  True])")
is_inf_p, is_inf = _test("is_inf", np.isinf, "fc", "infinite", "array([False,  True, False])")
signbit_p, signbit = _test(
    "signbit", np.signbit, "f", "negative, -0.0 included", "array([ True, False, False])"
)

# --- bits and integers -------------------------------------------------------------------------

_BITS = "biu"


def _integer_binary(name: str, impl: Any, kinds: str, words: str, example: str) -> tuple:
    primitive = no_derivative(elementwise(name, impl, kinds))
    doc = f"""Elementwise {words}.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.{name}(np.array([12, 7]), 2)
    {example}
    """
    return primitive, binary(primitive, doc)


bitwise_and_p, bitwise_and = _integer_binary(
    "bitwise_and", np.bitwise_and, _BITS, "bitwise (for bools: logical) and", "array([0, 2])"
)
bitwise_or_p, bitwise_or = _integer_binary(
    "bitwise_or", np.bitwise_or, _BITS, "bitwise (for bools: logical) or", "array([14,  7])"
)
bitwise_xor_p, bitwise_xor = _integer_binary(
    "bitwise_xor",
    np.bitwise_xor,
    _BITS,
    "bitwise (for bools: logical) exclusive or",
    "array([14,  5])",
)
shift_left_p, shift_left = _integer_binary(
    "shift_left", np.left_shift, "iu", "shift of the bits to the left", "array([48, 28])"
)
shift_right_p, shift_right = _integer_binary(
    "shift_right", np.right_shift, "iu", "shift to the right, keeping the sign", "array([3, 1])"
)
gcd_p, gcd = _integer_binary("gcd", np.gcd, "iu", "greatest common divisor", "array([2, 1])")
lcm_p, lcm = _integer_binary("lcm", np.lcm, "iu", "least common multiple", "array([12, 14])")
bitwise_not_p = no_derivative(elementwise("bitwise_not", np.invert, _BITS))
bitwise_not = unary(
    bitwise_not_p,
    """Elementwise bitwise (for bools: logical) not.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.bitwise_not(np.array([True, False]))
    array([False,  True])
    """,
)
population_count_p = no_derivative(
    elementwise("population_count", np.bitwise_count, "iu", lambda _: np.dtype(np.uint8))
)
population_count = unary(
    population_count_p,
    """The number of bits that are set in the absolute value, as uint8.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.population_count(np.array([7, 8]))
    array([3, 1], dtype=uint8)
    """,
)

# --- complex parts -----------------------------------------------------------------------------

real_p = elementwise("real", lambda x: np.array(x.real)[()], "c", real_dtype)
real = unary(
    real_p,
    """Elementwise real part of a complex array.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.real(np.array([1 + 2j]))
    array([1.])
    """,
)
imag_p = elementwise("imag", lambda x: np.array(x.imag)[()], "c", real_dtype)
imag = unary(
    imag_p,
    """Elementwise imaginary part of a complex array.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.imag(np.array([1 + 2j]))
    array([2.])
    """,
)
complex_p = elementwise(
    "complex",
    lambda x, y: np.asarray(x + y * complex_dtype(x.dtype).type(1j))[()],
    "f",
    complex_dtype,
)
complex = binary(  # noqa: A001  the name in lax
    complex_p,
    """The complex array with the given real and imaginary parts.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.complex(np.array([1.0]), np.array([2.0]))
    array([1.+2.j])
    """,
)
conj_p = elementwise("conj", np.conj, "c")
conj = unary(
    conj_p,
    """Elementwise complex conjugate of a complex array.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.conj(np.array([1 + 2j]))
    array([1.-2.j])
    """,
)
# Cotangents pair with tangents as Re(ct * t), without conjugation, as in JAX.
def_linear(real_p, lambda ct, aval: complex(ct, zeros_like(ct)))
def_linear(imag_p, lambda ct, aval: complex(zeros_like(ct), neg(ct)))
def_linear(conj_p, lambda ct, aval: conj(ct))
def_partials(
    complex_p,
    lambda t, out, x, y: complex(t, zeros_like(t)),
    lambda t, out, x, y: complex(zeros_like(t), t),
)


@complex_p.def_transpose
def _complex_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    return [
        unbroadcast(real(ct), x.aval.shape) if type(x) is LinearInput else None,
        unbroadcast(imag(neg(ct)), y.aval.shape) if type(y) is LinearInput else None,
    ]


abs_p = elementwise("abs", np.abs, ANY, real_dtype)
abs = unary(  # noqa: A001  the name in lax
    abs_p,
    """Elementwise absolute value, real for complex arrays; the derivative at 0 is 0.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.abs(np.array([-1.0, 2.0]))
    array([1., 2.])
    """,
)


def _abs_partial(t: Any, out: Any, x: Any) -> Any:
    if x.dtype.kind == "c":
        return real(mul(t, conj(sign(x))))
    return mul_p.bind(t, sign_p.bind(x))


def_partials(abs_p, _abs_partial)

# --- conversion --------------------------------------------------------------------------------

convert_element_type_p = Primitive("convert_element_type", elementwise=True)


def convert_element_type(x: Any, new_dtype: Any) -> Any:
    """Convert to another dtype, as ``ndarray.astype``.

    Args:
      x: an array.
      new_dtype: the dtype to convert to.

    Returns:
      The array in that dtype; ``x`` itself when it has it already.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.convert_element_type(np.array([1.9, -1.9]), np.int64)
    array([ 1, -1])
    """
    x, dtype = array(x), np.dtype(new_dtype)
    return x if x.dtype == dtype else convert_element_type_p.bind(x, new_dtype=dtype)


@convert_element_type_p.def_impl
def _convert_impl(x: Any, *, new_dtype: np.dtype) -> Any:
    value = uniform_value(x)
    if value is not None:
        return uniform(x.shape, new_dtype, _convert_impl(value, new_dtype=new_dtype))
    if x.dtype.kind == "c" and new_dtype.kind not in "cb":
        x = x.real  # what astype does, but for its warning
    return x.astype(new_dtype)


@convert_element_type_p.def_abstract
def _convert_abstract(x: ShapedArray, *, new_dtype: np.dtype) -> ShapedArray:
    return make_aval(x.shape, new_dtype)


@convert_element_type_p.def_jvp
def _convert_jvp(primals: Any, tangents: Any, out: Any, *, new_dtype: np.dtype) -> Any:
    return convert_element_type(tangents[0], new_dtype) if is_inexact(new_dtype) else None


@convert_element_type_p.def_transpose
def _convert_transpose(ct: Any, x: Any, *, new_dtype: np.dtype) -> list[Any]:
    return [convert_element_type(ct, x.aval.dtype)]


convert_element_type_p.def_batch(elementwise_batch(convert_element_type_p))


@convert_element_type_p.def_simplify
def _convert_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    if args[0].aval.dtype == params["new_dtype"]:
        return args[0]
    scalar = repeated_scalar(view, args[0])
    if type(scalar) is Literal and view.scalar(scalar) is not None:
        converted = Literal(_convert_impl(array(scalar.value), **params))
        broadcast = {"shape": view.out_aval.shape, "broadcast_dimensions": ()}
        return Rewrite(broadcast_in_dim_p, [converted], broadcast)
    return None


# --- selection ---------------------------------------------------------------------------------

select_n_p = Primitive("select_n", elementwise=True)


def select_n(which: Any, *cases: Any) -> Any:
    """Choose from several arrays, element by element.

    Args:
      which: bools (for two cases) or integers in ``[0, len(cases))``, of the cases' shape or a
        scalar.
      cases: arrays of one dtype, each of the common shape or a scalar.

    Returns:
      ``cases[which]``, elementwise; note that False takes the first case.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.select_n(np.array([True, False]), np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([3., 2.])
    """
    return select_n_p.bind(array(which), *operands(*cases))


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """Choose between two arrays, element by element.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.select(np.array([True, False]), np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([1., 4.])
    """
    return select_n(pred, on_false, on_true)


@select_n_p.def_impl
def _select_impl(which: Any, *cases: Any) -> Any:
    if which.dtype == BOOL and len(cases) == 2:
        return np.where(which, cases[1], cases[0])[()]
    out = cases[0]
    for index, case in enumerate(cases[1:], 1):
        out = np.where(which == index, case, out)
    return np.asarray(out)[()]


@select_n_p.def_abstract
def _select_abstract(which: ShapedArray, *cases: ShapedArray) -> ShapedArray:
    check_kinds("select_n's first operand", which, "biu")
    if which.dtype == BOOL and len(cases) > 2:
        raise TypeError("select_n: bools choose between two cases; use integers for more")
    if len({c.dtype for c in cases}) != 1:
        raise TypeError(f"select_n takes cases of one dtype, got {' and '.join(map(str, cases))}")
    return make_aval(common_shape("select_n", (which, *cases)), cases[0].dtype)


@select_n_p.def_jvp
def _select_jvp(primals: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    zero = constant(0, out)
    shares = [zero if t is None else broadcast_to_shape(t, out.shape) for t in tangents[1:]]
    return select_n_p.bind(primals[0], *shares)


@select_n_p.def_transpose
def _select_transpose(ct: Any, which: Any, *cases: Any) -> list[Any]:
    choice = Choice(len(cases), which)
    out: list[Any] = [None]
    for index, case in enumerate(cases):
        if type(case) is not LinearInput:
            out.append(None)
        elif case.aval.shape == ct.shape:
            out.append(Pending(ct, ((choice, index),)))
        else:
            out.append(unbroadcast(choice.select({index: ct}), case.aval.shape))
    return out


select_n_p.def_batch(elementwise_batch(select_n_p))


@select_n_p.def_simplify
def _select_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    which, *cases = args
    chosen = view.scalar(which)
    if chosen is not None and view.same_type(cases[int(chosen)]):
        return cases[int(chosen)]
    if all(c is cases[0] for c in cases) and view.same_type(cases[0]):
        return cases[0]
    thin = thin_operands(view, args)
    if thin is not None and any(a.aval.shape == view.out_aval.shape for a in thin):
        return Rewrite(select_n_p, thin, params)
    return None


clamp_p = elementwise("clamp", lambda lo, x, hi: np.minimum(np.maximum(x, lo), hi), ORDERED)


def clamp(min: Any, x: Any, max: Any) -> Any:  # noqa: A002  JAX's argument names
    """Limit ``x`` to ``[min, max]``, element by element.

    Args:
      min, max: of ``x``'s shape, or scalars.
      x: an array.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.clamp(0.0, np.array([-1.0, 0.5, 2.0]), 1.0)
    array([0. , 0.5, 1. ])
    """
    first, *rest = operands(x, min, max)
    return clamp_p.bind(rest[0], first, rest[1])


def_partials(
    clamp_p,
    lambda t, out, lo, x, hi: gate(t, bitwise_and(gt(lo, x), lt(lo, hi))),
    lambda t, out, lo, x, hi: gate(t, bitwise_and(ge(x, lo), le(x, hi))),
    lambda t, out, lo, x, hi: gate(t, ge(max(x, lo), hi)),
)


def stop_gradient(x: Any) -> Any:
    """The same value, with no derivative: see ``autotrace.stop_gradient``."""
    return x if not isinstance(x, Tracer) else stop_gradient_p.bind(x)


stop_gradient_p = no_derivative(elementwise("stop_gradient", lambda x: x, ANY))
identities[stop_gradient_p] = lambda view, args, params: args[0]
