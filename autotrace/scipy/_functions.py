"""Functions of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..lax import arithmetic as arith
from ..lax import matrices, matrix_functions
from ..lax.families import complex_dtype
from ..numpy import linalg as nla
from ..numpy import ufuncs
from ..numpy.arguments import common_dtype, operand
from ..numpy.linear import matmul
from ._implements import as_in_scipy


def _function(name: str, a: Any) -> Any:
    return matrix_functions.matrix_function(nla.matrix(name, a, True), name)


@as_in_scipy
def expm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.expm``, on arrays and traced values."""
    return _function("expm", A)


@as_in_scipy
def expm_frechet(
    A: Any,  # noqa: N803  SciPy's names
    E: Any,  # noqa: N803
    method: Any = None,
    compute_expm: bool = True,
) -> Any:
    """As ``scipy.linalg.expm_frechet``, on arrays and traced values."""
    a, e = common_dtype([nla.matrix("expm_frechet", x, True) for x in (A, E)])
    derivative = matrix_functions.frechet(a, e, "expm")
    return (expm(a), derivative) if compute_expm else derivative


@as_in_scipy
def logm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.logm``, on arrays and traced values; of these the result is complex."""
    return _function("logm", A)


@as_in_scipy
def sqrtm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.sqrtm``, on arrays and traced values; of these the result is complex."""
    return _function("sqrtm", A)


@as_in_scipy
def signm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.signm``, by a square root; of traced values the result is complex."""
    a = nla.matrix("signm", A, True)
    root = sqrtm(matmul(a, a))
    return nla.solve(root, matrices.like(a, root))


def _by_eigenvectors(a: Any, function: Any) -> Any:
    """A function of matrices that have as many eigenvectors as rows."""
    values, vectors = nla.eig(a)
    scaled = matrices.times_diagonal(vectors, function(values))
    return matrices.mt(nla.solve(matrices.mt(vectors), matrices.mt(scaled)))


@as_in_scipy
def funm(A: Any, func: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.funm``, by eigenvectors; of traced values the result is complex, and
    ``func`` gets traced values."""
    return _by_eigenvectors(nla.matrix("funm", A, True), func)


@as_in_scipy
def fractional_matrix_power(A: Any, t: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.fractional_matrix_power``, by eigenvectors; of traced values the result
    is complex where ``t`` is not a whole number."""
    a = nla.matrix("fractional_matrix_power", A, True)
    if isinstance(t, int | np.integer) or (isinstance(t, float) and t.is_integer()):
        return nla.matrix_power(a, int(t))
    return _by_eigenvectors(a, lambda w: ufuncs.power(w, t))


def _exponentials(name: str, a: Any, factor: complex) -> tuple[Any, Any]:
    """``exp(factor * a)`` and ``exp(-factor * a)``."""
    x = nla.matrix(name, a, True)
    if factor.imag:
        x = arith.convert_element_type(x, complex_dtype(x.dtype))
    x = arith.mul(x, arith.constant(factor if factor.imag else factor.real, x))
    return expm(x), expm(arith.neg(x))


def _half(x: Any, a: Any) -> Any:
    half = arith.mul(x, arith.constant(0.5, x))
    return half if operand(a).dtype.kind == "c" or x.dtype.kind != "c" else arith.real(half)


@as_in_scipy
def cosm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.cosm``, on arrays and traced values."""
    one, other = _exponentials("cosm", A, 1j)
    return _half(arith.add(one, other), A)


@as_in_scipy
def sinm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.sinm``, on arrays and traced values."""
    one, other = _exponentials("sinm", A, 1j)
    difference = arith.sub(one, other)
    return _half(arith.mul(difference, arith.constant(-1j, difference)), A)


@as_in_scipy
def tanm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.tanm``, on arrays and traced values."""
    a = operand(A)
    return nla.solve(cosm(a), sinm(a))


@as_in_scipy
def coshm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.coshm``, on arrays and traced values."""
    return _half(arith.add(*_exponentials("coshm", A, 1 + 0j)), A)


@as_in_scipy
def sinhm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.sinhm``, on arrays and traced values."""
    return _half(arith.sub(*_exponentials("sinhm", A, 1 + 0j)), A)


@as_in_scipy
def tanhm(A: Any) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.tanhm``, on arrays and traced values."""
    a = operand(A)
    return nla.solve(coshm(a), sinhm(a))
