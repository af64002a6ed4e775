"""Running sums, products and extrema along an axis, and the recurrence their derivatives obey."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from ..transforms.batch import Axis
from ..transforms.simplify import View
from .arithmetic import ANY, NUMERIC, bitwise_and, bitwise_not, bitwise_or, eq, mul, ne, select, sub
from .elementary import exp
from .families import add_p, check_kinds, def_linear
from .structural import array, batched_at, full_like, zeros_like

lapack = LazyModule("scipy.linalg.lapack")


def check_axis(name: str, axis: int, ndim: int) -> int:
    """An axis counted from the front.

    Raises:
      TypeError: when there is no such axis.
    """
    if not -ndim <= axis < ndim:
        raise TypeError(f"{name}: axis {axis} is not an axis of an array of {ndim} dimensions")
    return axis % ndim


def _check_static(name: str, x: ShapedArray, axis: int) -> None:
    if not 0 <= axis < x.ndim:
        raise TypeError(f"{name}: axis {axis} is not an axis of {x}")


def axis_batch(primitive: Primitive) -> Callable:
    """The batching rule of a primitive of one operand that works along ``axis`` and keeps the
    shape."""

    def rule(batch: Axis, args: Any, dims: Any, **params: Any) -> tuple:
        dim = dims[0]
        params["axis"] += params["axis"] >= dim
        return primitive.bind(args[0], **params), dim

    return rule


def _directed(x: Any, axis: int, reverse: bool) -> Any:
    return np.flip(x, axis) if reverse else x


def _short_axis(view: View, args: Sequence[Any], params: dict) -> Any:
    """Along an axis of one element (or none) there is nothing to accumulate."""
    last = args[-1]
    return last if last.aval.shape[params["axis"]] <= 1 else None


def _cumulative(name: str, ufunc: np.ufunc, kinds: str) -> Primitive:
    """A primitive that accumulates a NumPy operation along an axis."""
    primitive = Primitive(name)

    def impl(x: Any, *, axis: int, reverse: bool) -> Any:
        out = ufunc.accumulate(_directed(x, axis, reverse), axis=axis, dtype=x.dtype)
        return _directed(out, axis, reverse)

    def abstract(x: ShapedArray, *, axis: int, reverse: bool) -> ShapedArray:
        check_kinds(name, x, kinds)
        _check_static(name, x, axis)
        return make_aval(x.shape, x.dtype)

    primitive.def_impl(impl)
    primitive.def_abstract(abstract)
    primitive.def_batch(axis_batch(primitive))
    primitive.def_simplify(_short_axis)
    return primitive


def _function(primitive: Primitive, words: str, example: str, more: str = "") -> Callable:
    name = primitive.name
    call, result = example.split(" -> ")

    def function(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
        operand = array(operand)
        axis = check_axis(name, axis, operand.ndim)
        return primitive.bind(operand, axis=axis, reverse=bool(reverse))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""The running {words} along an axis.
{more}
    Args:
      operand: an array of any shape but ``()``.
      axis: the axis to go along.
      reverse: whether to go from the end to the start.

    Returns:
      An array of the operand's shape and dtype; element ``n`` covers the elements up to and with
      ``n`` (from ``n`` on, in reverse).

    Raises:
      TypeError: when there is no such axis, or the operation does not take the dtype.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.{name}({call}
    {result}
    """
    return function


# --- shift: moving along an axis by one place --------------------------------------------------

shift_p = Primitive("shift")


def shift(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Move an array one place along an axis; zero comes in and the last element drops out.

    Args:
      x: an array of any shape but ``()``.
      axis: the axis.
      reverse: whether to move towards the start.

    Returns:
      An array of the same shape and dtype.

    Raises:
      TypeError: when there is no such axis.

    >>> import numpy as np
    >>> shift(np.array([1.0, 2.0, 3.0]))
    array([0., 1., 2.])
    """
    x = array(x)
    return shift_p.bind(x, axis=check_axis("shift", axis, x.ndim), reverse=bool(reverse))


def _along(axis: int, part: slice) -> tuple:
    return (*(slice(None),) * axis, part)


_HEAD, _TAIL = slice(None, -1), slice(1, None)


@shift_p.def_impl
def _shift_impl(x: Any, *, axis: int, reverse: bool) -> Any:
    out = np.empty(x.shape, x.dtype)
    source, target = (_TAIL, _HEAD) if reverse else (_HEAD, _TAIL)
    out[_along(axis, target)] = x[_along(axis, source)]
    out[_along(axis, slice(-1, None) if reverse else slice(0, 1))] = 0
    return out


@shift_p.def_abstract
def _shift_abstract(x: ShapedArray, *, axis: int, reverse: bool) -> ShapedArray:
    _check_static("shift", x, axis)
    return make_aval(x.shape, x.dtype)


def_linear(
    shift_p,
    lambda ct, aval, axis, reverse: shift_p.bind(ct, axis=axis, reverse=not reverse),
)
shift_p.def_batch(axis_batch(shift_p))


def at_start(shape: tuple[int, ...], axis: int, reverse: bool) -> np.ndarray:
    """Which elements come first along an axis, as bools."""
    size = shape[axis]
    mask = np.zeros(size, np.bool_)
    mask[-1 if reverse else 0 : None if reverse else 1] = True
    return np.broadcast_to(mask.reshape(size, *(1,) * (len(shape) - axis - 1)), shape)


def previous(x: Any, first: float, axis: int, reverse: bool) -> Any:
    """The element before each along an axis, and a number for the first."""
    moved = shift_p.bind(x, axis=axis, reverse=reverse)
    return select(at_start(x.shape, axis, reverse), full_like(x, first), moved)


# --- linear_recurrence -------------------------------------------------------------------------

linear_recurrence_p = Primitive("linear_recurrence")


def linear_recurrence(a: Any, b: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Solve ``h[n] = a[n] * h[n-1] + b[n]`` with ``h[0] = b[0]`` along an axis.

    Args:
      a: the factors; the first along the axis is not used.
      b: the terms, of the same shape and dtype.
      axis: the axis that ``n`` counts along.
      reverse: whether to start at the end, with ``h[n+1]`` in place of ``h[n-1]``.

    Returns:
      ``h``, of the same shape and dtype.

    Raises:
      TypeError: when the shapes or dtypes differ, or there is no such axis.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.linear_recurrence(np.array([9.0, 0.5, 0.5]), np.array([8.0, 0.0, 1.0]))
    array([8., 4., 3.])
    """
    a, b = array(a), array(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        raise TypeError(
            "linear_recurrence takes operands of one shape and dtype, got "
            f"{a.dtype}{list(a.shape)} and {b.dtype}{list(b.shape)}"
        )
    axis = check_axis("linear_recurrence", axis, b.ndim)
    return linear_recurrence_p.bind(a, b, axis=axis, reverse=bool(reverse))


# With at least this many sequences side by side a NumPy operation for each step is faster than
# solving for one sequence after the other.
_WIDE = 64
_BANDED_SOLVERS = {"f": "stbtrs", "d": "dtbtrs", "F": "ctbtrs", "D": "ztbtrs"}


@linear_recurrence_p.def_impl
def _recurrence_impl(a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
    size = b.shape[axis]
    if size <= 1 or not b.size:
        return b
    a, b = _directed(a, axis, reverse), _directed(b, axis, reverse)
    if b.dtype.char in _BANDED_SOLVERS and b.size < _WIDE * size:
        out = _recur_one_by_one(a, b, axis)
    else:
        out = _recur_side_by_side(a, b, axis)
    return _directed(out, axis, reverse)


def _recur_side_by_side(a: Any, b: Any, axis: int) -> Any:
    out = np.array(b)
    steps, factors = np.moveaxis(out, axis, 0), np.moveaxis(a, axis, 0)
    for n in range(1, len(steps)):
        steps[n] += factors[n] * steps[n - 1]
    return out


def _recur_one_by_one(a: Any, b: Any, axis: int) -> Any:
    """Forward substitution with the bidiagonal matrix of each sequence."""
    solve = getattr(lapack, _BANDED_SOLVERS[b.dtype.char])
    size = b.shape[axis]
    a, b = np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)
    out = np.empty(b.shape, b.dtype)
    band = np.ones((2, size), b.dtype, order="F")
    rows = (x.reshape(-1, size) for x in (a, b, out))
    for factors, terms, result in zip(*rows, strict=True):
        # Not np.negative(..., out=...): NumPy 2.4 gets strides of 64 and 16 bytes wrong.
        band[1, :-1] = -factors[1:]
        result[:] = solve(band, terms, uplo="L", diag="U")[0]
    return np.moveaxis(out, -1, axis)


@linear_recurrence_p.def_abstract
def _recurrence_abstract(
    a: ShapedArray, b: ShapedArray, *, axis: int, reverse: bool
) -> ShapedArray:
    check_kinds("linear_recurrence", b, NUMERIC)
    if a.shape != b.shape or a.dtype != b.dtype:
        raise TypeError(f"linear_recurrence takes operands of one shape and dtype, got {a} and {b}")
    _check_static("linear_recurrence", b, axis)
    return make_aval(b.shape, b.dtype)


@linear_recurrence_p.def_jvp
def _recurrence_jvp(primals: Any, tangents: Any, out: Any, *, axis: int, reverse: bool) -> Any:
    (a, _), (a_t, b_t) = primals, tangents
    term = b_t
    if a_t is not None:
        term = mul(a_t, shift_p.bind(out, axis=axis, reverse=reverse))
        if b_t is not None:
            term = add_p.bind(term, b_t)
    return linear_recurrence_p.bind(a, term, axis=axis, reverse=reverse)


@linear_recurrence_p.def_transpose
def _recurrence_transpose(ct: Any, a: Any, b: Any, *, axis: int, reverse: bool) -> list[Any]:
    # h[n] goes into h[n+1] with the factor a[n+1], so that is what comes back from there.
    factors = shift_p.bind(a, axis=axis, reverse=not reverse)
    return [None, linear_recurrence_p.bind(factors, ct, axis=axis, reverse=not reverse)]


@linear_recurrence_p.def_batch
def _recurrence_batch(batch: Axis, args: Any, dims: Any, *, axis: int, reverse: bool) -> tuple:
    at = next(d for d in dims if d is not None)
    a, b = (batched_at(x, d, batch, at) for x, d in zip(args, dims, strict=True))
    return linear_recurrence_p.bind(a, b, axis=axis + (axis >= at), reverse=reverse), at


linear_recurrence_p.def_simplify(_short_axis)

# --- running sums, products, extrema -----------------------------------------------------------

cumsum_p = _cumulative("cumsum", np.add, NUMERIC)
cumsum = _function(cumsum_p, "sum", "np.array([1, 2, 3]), reverse=True) -> array([6, 5, 3])")
def_linear(
    cumsum_p,
    lambda ct, aval, axis, reverse: cumsum_p.bind(ct, axis=axis, reverse=not reverse),
)

cumprod_p = _cumulative("cumprod", np.multiply, NUMERIC)
cumprod = _function(cumprod_p, "product", "np.array([1, 2, 3])) -> array([1, 2, 6])")


@cumprod_p.def_jvp
def _cumprod_jvp(primals: Any, tangents: Any, out: Any, *, axis: int, reverse: bool) -> Any:
    term = mul(tangents[0], previous(out, 1, axis, reverse))
    return linear_recurrence_p.bind(primals[0], term, axis=axis, reverse=reverse)


_FIRST_OF_EQUALS = """
    Where equal elements reach the extremum, the first one gets the derivative.
"""
cummax_p = _cumulative("cummax", np.maximum, ANY)
cummax = _function(
    cummax_p, "maximum", "np.array([1, 3, 2])) -> array([1, 3, 3])", _FIRST_OF_EQUALS
)
cummin_p = _cumulative("cummin", np.minimum, ANY)
cummin = _function(
    cummin_p, "minimum", "np.array([3, 1, 2])) -> array([3, 1, 1])", _FIRST_OF_EQUALS
)


def _running_extremum_jvp(
    primals: Any, tangents: Any, out: Any, *, axis: int, reverse: bool
) -> Any:
    tangent = tangents[0]
    changed = ne(out, shift_p.bind(out, axis=axis, reverse=reverse))
    new = bitwise_or(at_start(out.shape, axis, reverse), changed)
    kept = select(new, zeros_like(out), full_like(out, 1))
    return linear_recurrence_p.bind(
        kept, select(new, tangent, zeros_like(tangent)), axis=axis, reverse=reverse
    )


cummax_p.def_jvp(_running_extremum_jvp)
cummin_p.def_jvp(_running_extremum_jvp)

cumlogsumexp_p = _cumulative("cumlogsumexp", np.logaddexp, "f")
cumlogsumexp = _function(
    cumlogsumexp_p,
    "logarithm of the sum of exponentials",
    "np.log([1.0, 2.0, 5.0])).round(6) -> array([0.      , 1.098612, 2.079442])",
    """
    An element of -inf takes no part in the derivative; from the first inf on, that one has all.
""",
)


@cumlogsumexp_p.def_jvp
def _cumlogsumexp_jvp(primals: Any, tangents: Any, out: Any, *, axis: int, reverse: bool) -> Any:
    (x,) = primals
    before = previous(out, -math.inf, axis, reverse)
    # Infinities are replaced ahead of the differences, which are then never inf - inf: what is
    # not selected must not be NaN either, for the derivative of these weights.
    full_before, full_here = eq(before, full_like(x, math.inf)), eq(x, full_like(x, math.inf))
    zero, one = zeros_like(x), full_like(x, 1)
    total = select(eq(out, full_like(x, -math.inf)), zero, out)
    kept = select(full_before, one, exp(sub(select(full_before, zero, before), total)))
    all_taken = bitwise_or(
        at_start(x.shape, axis, reverse), bitwise_and(full_here, bitwise_not(full_before))
    )
    taken = select(all_taken, one, exp(sub(select(full_here, zero, x), total)))
    return linear_recurrence_p.bind(kept, mul(tangents[0], taken), axis=axis, reverse=reverse)
