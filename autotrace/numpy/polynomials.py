"""Polynomials as arrays of coefficients, the highest power first."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.avals import is_inexact
from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax.structural import reshape
from . import ufuncs
from .arguments import common_dtype, join, operand
from .creation import vander
from .dispatch import implements
from .joining import trim_zeros
from .manipulation import atleast_1d
from .signals import convolve

_FLOAT64 = np.dtype(np.float64)


def _coefficients(p: Any) -> Any:
    return atleast_1d(operand(p.coeffs if isinstance(p, np.poly1d) else p))


def _like(given: tuple, out: Any) -> Any:
    """A polynomial as NumPy returns it: a ``poly1d`` where one was given."""
    return np.poly1d(out) if any(isinstance(p, np.poly1d) for p in given) else out


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """As ``numpy.polyval``, on arrays and traced values; by Horner's scheme.

    >>> polyval(np.array([3.0, 0.0, 1.0]), 2.0)
    np.float64(13.0)
    """
    coefficients = operand(p.coeffs if isinstance(p, np.poly1d) else p)
    if isinstance(x, np.poly1d):
        value: Any = np.poly1d(0)
    else:
        x = operand(x)
        value = np.zeros_like(x)
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def _sum(a1: Any, a2: Any, combine: Any) -> Any:
    x, y = common_dtype([_coefficients(a1), _coefficients(a2)])
    size = max(x.size, y.size)
    x, y = (join([np.zeros(size - z.size, z.dtype), z], 0) if z.size < size else z for z in (x, y))
    return _like((a1, a2), combine(x, y))


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """As ``numpy.polyadd``, on arrays and traced values.

    >>> polyadd(np.array([1.0, 2.0]), np.array([9.0, 5.0, 4.0]))
    array([9., 6., 6.])
    """
    return _sum(a1, a2, ufuncs.add)


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """As ``numpy.polysub``, on arrays and traced values.

    >>> polysub(np.array([2.0, 10.0, -2.0]), np.array([3.0, 10.0, -4.0]))
    array([-1.,  0.,  2.])
    """
    return _sum(a1, a2, ufuncs.subtract)


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """As ``numpy.polymul``, on arrays and traced values; zeros in front of traced ones are kept.

    >>> polymul(np.array([1.0, 2.0]), np.array([1.0, -2.0]))
    array([ 1.,  0., -4.])
    """
    x, y = map(_coefficients, (a1, a2))
    if x.ndim > 1 or y.ndim > 1:
        raise ValueError(located("Polynomial must be 1d only."))
    x, y = (z if z.size else np.zeros(1, z.dtype) for z in (x, y))
    return _like((a1, a2), convolve(x, y))


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """As ``numpy.polydiv``, on arrays and traced values; the number of zeros in front of the
    remainder, which decides its shape, is asked for.

    >>> polydiv(np.array([3.0, 5.0, 2.0]), np.array([2.0, 1.0]))
    (array([1.5 , 1.75]), array([0.25]))
    """
    top, bottom = _coefficients(u) + 0.0, _coefficients(v) + 0.0
    dtype = np.result_type(top.dtype, bottom.dtype)
    rest, bottom = (arith.convert_element_type(z, dtype) for z in (top, bottom))
    n, m = rest.shape[0], bottom.shape[0]
    quotient = []
    scale = 1.0 / bottom[0]
    for k in range(n - m + 1):
        factor = scale * rest[k]
        quotient.append(factor)
        parts = [rest[:k], rest[k : k + m] - factor * bottom, rest[k + m :]]
        rest = np.concatenate(parts)
    out = np.stack(quotient) if quotient else np.zeros(1, dtype)
    # What is left of the leading terms is rounding: as many as lie within a tolerance are dropped.
    clear = ufuncs.greater(ufuncs.absolute(rest), 1e-8)
    first = operator.index(np.argmax(np.append(clear[:-1], True)))
    return _like((u, v), out), _like((u, v), rest[first:])


@implements(np.polyder)
def polyder(p: Any, m: Any = 1) -> Any:
    """As ``numpy.polyder``, on arrays and traced values.

    >>> polyder(np.array([1.0, 1.0, 1.0, 1.0]))
    array([3., 2., 1.])
    """
    times = operator.index(m)
    if times < 0:
        raise ValueError(located("Order of derivative must be positive (see polyint)"))
    x = operand(p.coeffs if isinstance(p, np.poly1d) else p)
    for _ in range(times):
        degree = len(x) - 1
        x = ufuncs.multiply(x[: max(degree, 0)], np.arange(degree, 0, -1))
    return _like((p,), x)


@implements(np.polyint)
def polyint(p: Any, m: Any = 1, k: Any = None) -> Any:
    """As ``numpy.polyint``, on arrays and traced values.

    >>> polyint(np.array([3.0, 2.0, 1.0]))
    array([1., 1., 1., 0.])
    """
    times = operator.index(m)
    if times < 0:
        raise ValueError(located("Order of integral must be positive (see polyder)"))
    constants: Any = atleast_1d(operand(0.0 if k is None else k))
    if constants.shape[0] == 1 and times > 1:
        constants = np.broadcast_to(constants, (times,))
    if constants.shape[0] < times:
        raise ValueError(located("k must be a scalar or a rank-1 array of length 1 or >m."))
    x = operand(p.coeffs if isinstance(p, np.poly1d) else p)
    for n in range(times):
        raised = ufuncs.divide(x, np.arange(len(x), 0, -1))
        x = join(common_dtype([raised, reshape(constants[n], (1,))]), 0)
    return _like((p,), x)


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """As ``numpy.poly``, on arrays and traced values; real where the zeros are, and complex where
    those are, since a dtype cannot depend on numbers.

    >>> poly(np.array([2.0, -2.0]))
    array([ 1.,  0., -4.])
    """
    zeros = atleast_1d(operand(seq_of_zeros))
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] and zeros.shape[0]:
        zeros = np.linalg.eigvals(zeros)
    elif zeros.ndim != 1:
        raise ValueError(located("input must be 1d or non-empty square 2d array."))
    if not zeros.shape[0]:
        return 1.0
    if zeros.dtype.kind in "biu" or zeros.dtype == np.float16:
        zeros = arith.convert_element_type(zeros, _FLOAT64)
    out: Any = np.ones(1, zeros.dtype)
    nothing = np.zeros(1, zeros.dtype)
    for n in range(zeros.shape[0]):
        raised, constant = join([out, nothing], 0), join([nothing, out], 0)
        out = ufuncs.subtract(raised, ufuncs.multiply(zeros[n], constant))
    return out


@implements(np.roots)
def roots(p: Any) -> Any:
    """As ``numpy.roots``, on arrays and traced values: the eigenvalues of the companion matrix,
    complex of traced values, since a dtype cannot depend on numbers. How many zeros the
    coefficients begin and end with, which decides the shape, is asked for.

    >>> roots(np.array([1.0, -3.0, 2.0]))
    array([2., 1.])
    """
    x = _coefficients(p)
    if x.ndim != 1:
        raise ValueError(located("Input must be a rank-1 array."))
    trimmed = trim_zeros(x)
    if not trimmed.shape[0]:
        return np.zeros(0)
    at_end = trim_zeros(x, "f").shape[0] - trimmed.shape[0]
    if not is_inexact(trimmed.dtype):
        trimmed = arith.convert_element_type(trimmed, _FLOAT64)
    degree = trimmed.shape[0] - 1
    wide = np.result_type(trimmed.dtype, np.complex64)
    if not degree:
        return np.zeros(at_end)
    row = reshape(-trimmed[1:] / trimmed[0], (1, degree))
    companion = join([row, np.eye(degree - 1, degree, dtype=trimmed.dtype)], 0)
    found = np.linalg.eigvals(companion)
    if not at_end:
        return found
    return join([arith.convert_element_type(found, wide), np.zeros(at_end, wide)], 0)


@implements(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: Any,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """As ``numpy.polyfit``, on arrays and traced values; differentiable in the points, the values
    and the weights.

    >>> polyfit(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]), 1).round(12)
    array([2., 1.])
    """
    order = operator.index(deg) + 1
    x, y = operand(x) + 0.0, operand(y) + 0.0
    if order < 1:
        raise ValueError(located("expected deg >= 0"))
    if x.ndim != 1:
        raise TypeError(located("expected 1D vector for x"))
    if not x.size:
        raise TypeError(located("expected non-empty vector for x"))
    if y.ndim not in (1, 2):
        raise TypeError(located("expected 1D or 2D array for y"))
    if x.shape[0] != y.shape[0]:
        raise TypeError(located("expected x and y to have same length"))
    rcond = x.size * np.finfo(x.dtype).eps if rcond is None else rcond
    matrix, values = vander(x, order), y
    if w is not None:
        weights = operand(w) + 0.0
        if weights.ndim != 1:
            raise TypeError(located("expected a 1-d array for weights"))
        if weights.shape[0] != y.shape[0]:
            raise TypeError(located("expected w and y to have the same length"))
        column = reshape(weights, (weights.size, 1))
        matrix = matrix * column
        values = values * (column if values.ndim == 2 else weights)
    # Columns of length one make the least squares problem as well conditioned as scaling can.
    scale = np.sqrt(np.sum(matrix * matrix, axis=0))
    c, residuals, rank, singular = np.linalg.lstsq(matrix / scale, values, rcond)
    c = (c.T / scale).T
    if full:
        return c, residuals, rank, singular, rcond
    if not cov:
        return c
    scaled = matrix / scale
    inverse = np.linalg.inv(scaled.T @ scaled) / np.outer(scale, scale)
    if isinstance(cov, str) and cov == "unscaled":
        factor: Any = 1.0
    else:
        if x.shape[0] <= order:
            raise ValueError(
                located(
                    "the number of data points must exceed order to scale the covariance matrix"
                )
            )
        factor = residuals / (x.shape[0] - order)
    if y.ndim == 1:
        return c, inverse * factor
    return c, reshape(inverse, (*inverse.shape, 1)) * factor
