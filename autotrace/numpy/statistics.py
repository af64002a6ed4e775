"""Covariances and correlations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax.structural import array, expand_dims, reshape
from . import ufuncs
from .arguments import check_dtype, join, operand
from .dispatch import implements
from .linear import dot
from .manipulation import atleast_2d
from .promotion import broadcast_to
from .reductions import average
from .reductions import sum as total


def _variables(m: Any, y: Any, rowvar: bool, dtype: np.dtype) -> Any:
    """The observations of all variables, one variable to a row."""
    rows = []
    for given in (m, y):
        if given is None:
            continue
        x = atleast_2d(arith.convert_element_type(operand(given), dtype))
        if not rowvar and (x.shape[0] != 1 or (given is m and operand(m).ndim != 1)):
            x = x.T
        rows.append(x)
    return rows[0] if len(rows) == 1 else join(rows, 0)


def _frequencies(fweights: Any, count: int) -> Any:
    w = operand(fweights)
    if not isinstance(w, Tracer):
        w = w.astype(float)
        if not np.all(w == np.around(w)):
            raise TypeError(located("fweights must be integer"))
    return _checked("fweights", w, count, RuntimeError)


def _checked(name: str, w: Any, count: int, error: type[Exception]) -> Any:
    if w.ndim > 1:
        raise RuntimeError(located(f"cannot handle multidimensional {name}"))
    if w.shape[0] != count:
        raise RuntimeError(located(f"incompatible numbers of samples and {name}"))
    if not isinstance(w, Tracer) and np.any(w < 0):
        raise ValueError(located(f"{name} cannot be negative"))
    return ufuncs.multiply(w, 1.0)


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """As ``numpy.cov``, on arrays and traced values; differentiable in ``aweights``, too.

    >>> cov(np.array([[0.0, 2.0], [1.0, 5.0]]))
    array([[2., 4.],
           [4., 8.]])
    """
    if ddof is not None and ddof != int(ddof):
        raise ValueError(located("ddof must be integer"))
    for given, name in ((m, "m"), (y, "y")):
        if given is not None and operand(given).ndim > 2:
            raise ValueError(located(f"{name} has more than 2 dimensions"))
    if dtype is None:
        kinds = [operand(x).dtype for x in (m, y) if x is not None]
        dtype = np.result_type(*kinds, np.float64)
    x = _variables(m, y, rowvar, check_dtype(dtype))
    if not x.shape[0]:
        return np.zeros((0, 0))
    count = x.shape[1]
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights: Any = None
    if fweights is not None:
        weights = _frequencies(fweights, count)
    if aweights is not None:
        importance = _checked("aweights", operand(aweights), count, RuntimeError)
        weights = importance if weights is None else weights * importance
    if weights is None:
        center, freedom = np.mean(x, axis=1), np.float64(count - ddof)
    else:
        center, sums = average(x, axis=1, weights=weights, returned=True)
        sums = sums[0]
        freedom = sums - ddof
        if ddof and aweights is not None:
            freedom = sums - ddof * total(weights * importance) / sums
    if not isinstance(freedom, Tracer) and freedom <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=4)
        freedom = np.float64(0.0)
    apart = ufuncs.subtract(x, expand_dims(center, (1,)))
    other = apart if weights is None else ufuncs.multiply(apart, weights)
    other = arith.conj(other) if other.dtype.kind == "c" else other
    products = dot(apart, other.T)
    share = arith.convert_element_type(array(ufuncs.divide(1.0, freedom)), products.dtype)
    out = ufuncs.multiply(products, share)
    return reshape(out, tuple(n for n in out.shape if n != 1))


def _limited(x: Any) -> Any:
    """Numbers within [-1, 1], the parts of complex ones each."""
    if x.dtype.kind == "c":
        return arith.complex(_limited(arith.real(x)), _limited(arith.imag(x)))
    return ufuncs.clip(x, -1.0, 1.0)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """As ``numpy.corrcoef``, on arrays and traced values.

    >>> corrcoef(np.array([0.0, 1.0, 2.0]), np.array([0.0, -2.0, -4.0])).round(12)
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.ndim:
        return ufuncs.divide(c, c)
    deviation = ufuncs.sqrt(ufuncs.real(np.diagonal(c)))
    size = deviation.shape[0]
    by_row = broadcast_to(reshape(deviation, (size, 1)), c.shape)
    return _limited(ufuncs.divide(ufuncs.divide(c, by_row), deviation))
