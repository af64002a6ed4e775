"""Eigenvalues: of generalized problems and of matrices with few diagonals too."""

from __future__ import annotations

from operator import index as as_int
from typing import Any

import numpy as np

from ..core.errors import located
from ..lax import equations, factorizations, matrices, spectral
from ..numpy import linalg as nla
from ..numpy import ufuncs
from ..numpy.arguments import common_dtype, operand
from ..numpy.joining import concatenate
from ..numpy.linear import matmul
from ._implements import as_in_scipy, unsupported
from ._structured import dense_from_bands


def _generalized(a: Any, b: Any, lower: bool, kind: int) -> tuple[Any, Any]:
    """A standard problem with the same eigenvalues, and a function of its eigenvectors that gives
    those of the general one."""
    if kind not in (1, 2, 3):
        raise ValueError(located('"type" keyword only accepts 1, 2, and 3.'))
    a, b = common_dtype([nla.matrix("eigh", x, True) for x in (a, b)])
    factor = factorizations.cholesky_p.bind(b if lower else matrices.adjoint(b))
    full = matrices.hermitian_from(a, lower)
    solve_factor = factorizations.triangular_solve

    def back(v: Any) -> Any:
        if kind == 3:
            return matmul(factor, v)
        return solve_factor(
            factor, v, left_side=True, lower=True, transpose_a=True, conjugate_a=True
        )

    if kind != 1:
        return matmul(matrices.adjoint(factor), matmul(full, factor)), back
    left = solve_factor(factor, full, left_side=True, lower=True)
    return solve_factor(factor, left, lower=True, transpose_a=True, conjugate_a=True), back


def _chosen(values: Any, by_index: Any, by_value: Any) -> slice:
    if by_value is not None:
        raise unsupported("eigh", "subset_by_value (how many there are depends on the values)")
    if by_index is None:
        return slice(None)
    first, last = (as_int(i) for i in by_index)
    if not 0 <= first <= last < values.shape[-1]:
        raise ValueError(located("Requested eigenvalue indices are not valid."))
    return slice(first, last + 1)


@as_in_scipy
def eigh(
    a: Any,
    b: Any = None,
    lower: bool = True,
    eigvals_only: bool = False,
    type: int = 1,  # noqa: A002  SciPy's name
    subset_by_index: Any = None,
    subset_by_value: Any = None,
) -> Any:
    """As ``scipy.linalg.eigh``, on arrays and traced values."""
    back: Any = None
    if b is not None:
        a, back = _generalized(a, b, lower, type)
        lower = True
    x = nla.matrix("eigh", a, True)
    outs = spectral.eigh_p.bind(x, lower=bool(lower), values_only=bool(eigvals_only))
    chosen = _chosen(outs[0], subset_by_index, subset_by_value)
    values = outs[0][..., chosen]
    if eigvals_only:
        return values
    vectors = outs[1][..., chosen]
    return values, vectors if back is None else back(vectors)


@as_in_scipy
def eigvalsh(
    a: Any,
    b: Any = None,
    lower: bool = True,
    type: int = 1,  # noqa: A002  SciPy's name
    subset_by_index: Any = None,
    subset_by_value: Any = None,
) -> Any:
    """As ``scipy.linalg.eigvalsh``, on arrays and traced values."""
    return eigh(
        operand(a),
        b,
        lower=lower,
        eigvals_only=True,
        type=type,
        subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
    )


@as_in_scipy
def eig(
    a: Any,
    b: Any = None,
    left: bool = False,
    right: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:
    """As ``scipy.linalg.eig``, of regular ``b``; left eigenvectors up to their phases."""
    if homogeneous_eigvals:
        raise unsupported("eig", "homogeneous_eigvals=True")
    x = nla.matrix("eig", a, True)
    if b is not None:
        x = nla.solve(operand(b), x)
    if not (left or right):
        return spectral.eig_p.bind(x, values_only=True)[0]
    values, vectors = spectral.eig_p.bind(x, values_only=False)
    out = [values]
    if left:
        turned = matrices.adjoint(equations.inverse(vectors))
        if b is not None:
            turned = nla.solve(matrices.adjoint(operand(b)), turned)
        out.append(ufuncs.divide(turned, nla.norm(turned, axis=-2, keepdims=True)))
    if right:
        out.append(vectors)
    return tuple(out)


@as_in_scipy
def eigvals(a: Any, b: Any = None, homogeneous_eigvals: bool = False) -> Any:
    """As ``scipy.linalg.eigvals``, of regular ``b``."""
    return eig(operand(a), b, right=False, homogeneous_eigvals=homogeneous_eigvals)


def _range(select: Any, select_range: Any) -> Any:
    if select in ("a", "all", 0):
        return None
    if select in ("v", "value", 1):
        raise unsupported(
            "eigh_tridiagonal", "select='v' (how many there are depends on the values)"
        )
    return select_range


@as_in_scipy
def eigh_tridiagonal(
    d: Any, e: Any, eigvals_only: bool = False, select: Any = "a", select_range: Any = None,
    tol: float = 0.0,
) -> Any:  # fmt: skip
    """As ``scipy.linalg.eigh_tridiagonal``, on arrays and traced values; by a dense matrix."""
    d, e = common_dtype([nla.inexact(x) for x in (d, e)])
    if d.ndim != 1 or e.shape != (d.shape[0] - 1,):
        raise ValueError(located(f"d (shape {d.shape}) must have one more element than e"))
    n = d.shape[0]
    zero = np.zeros(1, d.dtype)
    below = matrices.columns_of(concatenate([zero, e]), n)
    x = ufuncs.where(np.eye(n, k=-1, dtype=bool), below, d.dtype.type(0))
    x = matrices.on_diagonal(matrices.columns_of(d, n), x)
    return eigh(x, eigvals_only=eigvals_only, subset_by_index=_range(select, select_range))


@as_in_scipy
def eigvalsh_tridiagonal(
    d: Any, e: Any, select: Any = "a", select_range: Any = None, tol: float = 0.0
) -> Any:
    """As ``scipy.linalg.eigvalsh_tridiagonal``, on arrays and traced values."""
    return eigh_tridiagonal(
        operand(d), operand(e), eigvals_only=True, select=select, select_range=select_range
    )


@as_in_scipy
def eig_banded(
    a_band: Any,
    lower: bool = False,
    eigvals_only: bool = False,
    overwrite_a_band: bool = False,
    select: Any = "a",
    select_range: Any = None,
    max_ev: int = 0,
) -> Any:
    """As ``scipy.linalg.eig_banded``, on arrays and traced values; by a dense matrix."""
    x = dense_from_bands(nla.inexact(a_band), lower)
    return eigh(x, eigvals_only=eigvals_only, subset_by_index=_range(select, select_range))


@as_in_scipy
def eigvals_banded(
    a_band: Any,
    lower: bool = False,
    overwrite_a_band: bool = False,
    select: Any = "a",
    select_range: Any = None,
) -> Any:
    """As ``scipy.linalg.eigvals_banded``, on arrays and traced values."""
    return eig_banded(
        operand(a_band), lower, eigvals_only=True, select=select, select_range=select_range
    )
