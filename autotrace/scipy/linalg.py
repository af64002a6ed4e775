"""scipy.linalg on arrays and traced values.

Where nothing is traced these are SciPy's own functions; what is not here is SciPy's, too, and takes
no traced values. Arguments about memory, checks and the choice of an algorithm have no effect on
traced values, whose elements are not checked for NaN. Of a Hermitian matrix one triangle is read,
which is what has a derivative.
"""

from __future__ import annotations

from operator import index as as_int
from typing import Any

import numpy as np
import scipy.linalg
from scipy.linalg import LinAlgError, LinAlgWarning

from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import equations, factorizations, matrices, matrix_functions, spectral, structural
from ..lax.families import complex_dtype
from ..numpy import linalg as nla
from ..numpy import promotion, reductions, ufuncs
from ..numpy.dispatch import unsupported
from ..numpy.linear import matmul
from ..numpy.manipulation import argsort, common_dtype, concatenate, operand
from ._implements import as_in_scipy
from ._structured import (
    STATIC,
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    dense_from_bands,
    fiedler,
    hankel,
    khatri_rao,
    leslie,
    matmul_toeplitz,
    solve_banded,
    solve_circulant,
    solve_toeplitz,
    solveh_banded,
    toeplitz,
)

__all__ = [
    "LinAlgError",
    "LinAlgWarning",
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "circulant",
    "companion",
    "convolution_matrix",
    "coshm",
    "cosm",
    "det",
    "eig",
    "eig_banded",
    "eigh",
    "eigh_tridiagonal",
    "eigvals",
    "eigvals_banded",
    "eigvalsh",
    "eigvalsh_tridiagonal",
    "expm",
    "expm_frechet",
    "fiedler",
    "fractional_matrix_power",
    "funm",
    "hankel",
    "hessenberg",
    "inv",
    "khatri_rao",
    "leslie",
    "logm",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "matmul_toeplitz",
    "norm",
    "null_space",
    "orth",
    "orthogonal_procrustes",
    "pinv",
    "pinvh",
    "polar",
    "qr",
    "rsf2csf",
    "schur",
    "signm",
    "sinhm",
    "sinm",
    "solve",
    "solve_banded",
    "solve_circulant",
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_lyapunov",
    "solve_sylvester",
    "solve_toeplitz",
    "solve_triangular",
    "solveh_banded",
    "sqrtm",
    "svd",
    "svdvals",
    "tanhm",
    "tanm",
    "toeplitz",
]
__all__ += STATIC


def __getattr__(name: str) -> Any:
    return getattr(scipy.linalg, name)


def _no(name: str, what: str) -> TypeError:
    return unsupported(f"scipy.linalg.{name} with {what}")


# --- factors -----------------------------------------------------------------------------------


@as_in_scipy
def cholesky(a: Any, lower: bool = False) -> Any:
    """As ``scipy.linalg.cholesky``, on arrays and traced values."""
    return nla.cholesky(operand(a), upper=not lower)


@as_in_scipy
def cho_factor(a: Any, lower: bool = False) -> tuple[Any, bool]:
    """As ``scipy.linalg.cho_factor``, with zeros in the other triangle."""
    return cholesky(operand(a), lower=lower), bool(lower)


@as_in_scipy
def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Any:
    """As ``scipy.linalg.cho_solve``, on arrays and traced values."""
    factor, lower = c_and_lower

    def both(c: Any, right: Any) -> Any:
        for turned in (not lower, bool(lower)):
            right = factorizations.triangular_solve(
                c,
                right,
                left_side=True,
                lower=bool(lower),
                transpose_a=turned,
                conjugate_a=turned,
            )
        return right

    return nla.solved("cho_solve", factor, b, both)


@as_in_scipy
def lu_factor(a: Any) -> tuple[Any, Any]:
    """As ``scipy.linalg.lu_factor``, on arrays and traced values."""
    factors, pivots, _ = factorizations.lu_p.bind(nla.matrix("lu_factor", a))
    return factors, pivots


@as_in_scipy
def lu_solve(lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0) -> Any:
    """As ``scipy.linalg.lu_solve``, on arrays and traced values."""
    factors, pivots = (operand(x) for x in lu_and_piv)
    if trans not in (0, 1, 2):
        raise ValueError(located(f"lu_solve: trans is 0, 1 or 2, got {trans!r}"))
    order = factorizations.lu_pivots_to_permutation(pivots, factors.shape[-1])

    def solve_matrices(lu: Any, right: Any) -> Any:
        rows = promotion.broadcast_to(order, lu.shape[:-1])
        if trans == 0:
            return equations.solve_lu(lu, rows, right)
        how: dict[str, Any] = {
            "left_side": True,
            "transpose_a": True,
            "conjugate_a": trans == 2,
        }
        right = factorizations.triangular_solve(lu, right, **how)
        right = factorizations.triangular_solve(lu, right, lower=True, unit_diagonal=True, **how)
        return factorizations.take_rows(right, argsort(rows, -1))

    return nla.solved("lu_solve", factors, b, solve_matrices)


@as_in_scipy
def lu(a: Any, permute_l: bool = False, p_indices: bool = False) -> tuple[Any, ...]:
    """As ``scipy.linalg.lu``, on arrays and traced values."""
    x = nla.matrix("lu", a)
    factors, _, order = factorizations.lu_p.bind(x)
    lower, upper = factorizations.unpacked(factors)
    if permute_l:
        return factorizations.take_rows(lower, argsort(order, -1)), upper
    if p_indices:
        return argsort(order, -1), lower, upper
    m = x.shape[-2]
    # Column i of the permutation matrix has its one in row order[i].
    ones = ufuncs.equal(np.arange(m)[:, None], structural.expand_dims(order, (order.ndim - 1,)))
    return arith.convert_element_type(ones, matrices.real_aval_dtype(x)), lower, upper


@as_in_scipy
def qr(a: Any, mode: str = "full", pivoting: bool = False) -> Any:
    """As ``scipy.linalg.qr``, on arrays and traced values; without pivoting."""
    if mode not in ("full", "r", "economic", "raw"):
        raise ValueError(located("Mode argument should be one of ['full', 'r', 'economic', 'raw']"))
    if pivoting or mode == "raw":
        raise _no("qr", "pivoting" if pivoting else "mode='raw'")
    full = mode != "economic"
    q, r = factorizations.qr_p.bind(nla.matrix("qr", a), full_matrices=full)
    return (r,) if mode == "r" else (q, r)


@as_in_scipy
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """As ``scipy.linalg.svd``, on arrays and traced values."""
    out = nla.svd(operand(a), full_matrices, compute_uv)
    return tuple(out) if compute_uv else out


@as_in_scipy
def svdvals(a: Any) -> Any:
    """As ``scipy.linalg.svdvals``, on arrays and traced values."""
    return nla.svdvals(operand(a))


@as_in_scipy
def polar(a: Any, side: str = "right") -> tuple[Any, Any]:
    """As ``scipy.linalg.polar``, on arrays and traced values; by singular values, which must
    differ for derivatives."""
    if side not in ("right", "left"):
        raise ValueError(located("`side` must be either 'right' or 'left'"))
    u, s, vh = nla.svd(operand(a), full_matrices=False)
    outer = matrices.adjoint(vh) if side == "right" else u
    scaled = matrices.times_diagonal(outer, matrices.like(s, outer))
    return matmul(u, vh), matmul(scaled, matrices.adjoint(outer))


@as_in_scipy
def schur(a: Any, output: str = "real", sort: Any = None) -> tuple[Any, Any]:
    """As ``scipy.linalg.schur``, on arrays and traced values; without derivatives."""
    if sort is not None:
        raise _no("schur", "sort=")
    if output not in ("real", "complex", "r", "c"):
        raise ValueError(located("argument must be 'real', or 'complex'"))
    kind = "complex" if output[0] == "c" else "real"
    q, t = matrix_functions.unitary_form(nla.matrix("schur", a, True), "schur", kind)
    return t, q


@as_in_scipy
def rsf2csf(T: Any, Z: Any) -> tuple[Any, Any]:  # noqa: N803  SciPy's names
    """As ``scipy.linalg.rsf2csf``, up to phases of the columns of ``Z``."""
    t, q = schur(operand(T), "complex")
    return t, matmul(operand(Z), q)


@as_in_scipy
def hessenberg(a: Any, calc_q: bool = False) -> Any:
    """As ``scipy.linalg.hessenberg``, on arrays and traced values; without derivatives."""
    q, h = matrix_functions.unitary_form(nla.matrix("hessenberg", a, True), "hessenberg")
    return (h, q) if calc_q else h


# --- equations ---------------------------------------------------------------------------------


def _symmetric(a: Any, lower: bool) -> Any:
    """The symmetric matrix (also of complex numbers) of a triangle."""
    read = matrices.tril(a) if lower else matrices.triu(a)
    return matrices.on_diagonal(a, matrices.plus(read, matrices.mt(read)))


def _band(a: Any, width: int) -> Any:
    return matrices.triu(matrices.tril(a, width), -width)


#: By what SciPy calls the structure of a matrix: its short name.
_STRUCTURES: dict[Any, str] = {
    "general": "gen", "symmetric": "sym", "hermitian": "her", "positive definite": "pos",
    "upper triangular": "upper", "lower triangular": "lower", "banded": "gen", None: "gen",
    **{name: name for name in ("gen", "sym", "her", "pos", "diagonal", "tridiagonal")},
}  # fmt: skip


def _assumed(name: str, assume_a: Any, lower: bool) -> Any:
    """A function that solves equations with matrices of a structure."""
    if assume_a not in _STRUCTURES:
        raise ValueError(located(f"{name}: {assume_a!r} is not a recognized matrix structure"))
    kind = _STRUCTURES[assume_a]
    solve_square = equations.solve_square

    def by_factors(a: Any, b: Any) -> Any:
        if kind == "pos":
            return solve_square(a if lower else matrices.adjoint(a), b, positive=True)
        if kind in ("upper", "lower"):
            return factorizations.triangular_solve(a, b, left_side=True, lower=kind == "lower")
        if kind == "sym":
            a = _symmetric(a, lower)
        elif kind == "her":
            a = matrices.hermitian_from(a, lower)
        elif kind in ("diagonal", "tridiagonal"):
            a = _band(a, int(kind == "tridiagonal"))
        return solve_square(a, b)

    return by_factors


@as_in_scipy
def solve(
    a: Any, b: Any, lower: bool = False, assume_a: Any = None, transposed: bool = False
) -> Any:
    """As ``scipy.linalg.solve``, on arrays and traced values; by Cholesky's factors with
    ``assume_a="pos"``, and by LU otherwise."""
    by_factors = _assumed("solve", assume_a, lower)
    if transposed:
        a = matrices.mt(nla.matrix("solve", a, True))
        kind = _STRUCTURES[assume_a]
        if kind in ("upper", "lower"):
            by_factors = _assumed("solve", f"{'lower' if kind == 'upper' else 'upper'} triangular",
                                  lower)  # fmt: skip
        elif kind in ("sym", "her", "pos"):
            by_factors = _assumed("solve", assume_a, not lower)
    return nla.solved("solve", a, b, by_factors)


@as_in_scipy
def inv(a: Any, assume_a: Any = None, lower: bool = False) -> Any:
    """As ``scipy.linalg.inv``, on arrays and traced values."""
    x = nla.matrix("inv", a, True)
    eye = matrices.identity(x.shape[:-2], x.shape[-1], x.dtype)
    return _assumed("inv", assume_a, lower)(x, eye)


@as_in_scipy
def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """As ``scipy.linalg.solve_triangular``, on arrays and traced values."""
    how = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}.get(trans)
    if how is None:
        raise ValueError(located(f"solve_triangular: trans is 0, 1 or 2, got {trans!r}"))

    def by_substitution(x: Any, y: Any) -> Any:
        return factorizations.triangular_solve(
            x,
            y,
            left_side=True,
            lower=lower,
            transpose_a=how > 0,
            conjugate_a=how == 2,
            unit_diagonal=unit_diagonal,
        )

    return nla.solved("solve_triangular", a, b, by_substitution)


@as_in_scipy
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """As ``scipy.linalg.solve_sylvester``, on arrays and traced values."""
    return equations.sylvester(*common_dtype([nla.inexact(x) for x in (a, b, q)]))


@as_in_scipy
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """As ``scipy.linalg.solve_continuous_lyapunov``, on arrays and traced values."""
    a, q = common_dtype([nla.inexact(x) for x in (a, q)])
    return equations.sylvester(a, matrices.adjoint(a), q)


solve_lyapunov = solve_continuous_lyapunov


@as_in_scipy
def solve_discrete_lyapunov(a: Any, q: Any, method: Any = None) -> Any:
    """As ``scipy.linalg.solve_discrete_lyapunov``, on arrays and traced values."""
    a, q = common_dtype([nla.matrix("solve_discrete_lyapunov", x, True) for x in (a, q)])
    n = a.shape[-1]
    if method is None:
        method = "direct" if n < 10 else "bilinear"
    if method not in ("direct", "bilinear"):
        raise ValueError(located(f"Unknown solver {method!r}"))
    eye = matrices.identity(a.shape[:-2], n, a.dtype)
    if method == "direct":
        products = ufuncs.multiply(
            a[..., :, None, :, None], matrices.conj(a)[..., None, :, None, :]
        )
        left = structural.reshape(products, (*a.shape[:-2], n * n, n * n))
        left = arith.sub(matrices.identity(a.shape[:-2], n * n, a.dtype), left)
        right = structural.reshape(q, (*q.shape[:-2], n * n, 1))
        return structural.reshape(equations.solve_square(left, right), q.shape)
    turned = matrices.adjoint(a)
    inverse = equations.inverse(matrices.plus(turned, eye))
    b = matmul(arith.sub(turned, eye), inverse)
    c = matmul(matmul(matrices.adjoint(inverse), q), inverse)
    two = arith.constant(2, c)
    return equations.sylvester(matrices.adjoint(b), b, arith.neg(arith.mul(c, two)))


@as_in_scipy
def lstsq(a: Any, b: Any, cond: Any = None) -> tuple[Any, ...]:
    """As ``scipy.linalg.lstsq``, with residuals as those of ``autotrace.numpy.linalg.lstsq``."""
    solution, residuals, rank, values = nla.lstsq(operand(a), operand(b), cond)
    if solution.ndim == 1 and residuals.shape == (1,):
        residuals = structural.reshape(residuals, ())
    return solution, residuals, rank, values


@as_in_scipy
def det(a: Any) -> Any:
    """As ``scipy.linalg.det``, on arrays and traced values."""
    return nla.det(operand(a))


@as_in_scipy
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    """As ``scipy.linalg.norm``, on arrays and traced values."""
    return nla.norm(operand(a), ord, axis, keepdims)


def _cut(x: Any, atol: Any, rtol: Any, values: Any) -> Any:
    """Up to what part of the largest singular value one counts as zero."""
    if rtol is None:
        rtol = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if atol is None else 0.0
    if atol is None:
        return operand(rtol)
    return ufuncs.add(rtol, ufuncs.divide(atol, reductions.max(values, -1)))


@as_in_scipy
def pinv(a: Any, atol: Any = None, rtol: Any = None, return_rank: bool = False) -> Any:
    """As ``scipy.linalg.pinv``, on arrays and traced values."""
    x = nla.matrix("pinv", a)
    values = nla.svdvals(x) if return_rank or atol is not None else None
    cut = _cut(x, atol, rtol, values)
    out = equations.pinv(x, cut)
    return (out, nla.matrix_rank(x, rtol=cut)) if return_rank else out


@as_in_scipy
def pinvh(
    a: Any, atol: Any = None, rtol: Any = None, lower: bool = True, return_rank: bool = False
) -> Any:
    """As ``scipy.linalg.pinvh``, on arrays and traced values."""
    x = matrices.hermitian_from(nla.matrix("pinvh", a, True), lower)
    values = ufuncs.absolute(nla.eigvalsh(x)) if return_rank or atol is not None else None
    cut = _cut(x, atol, rtol, values)
    out = equations.pinv(x, cut, hermitian=True)
    return (out, nla.matrix_rank(x, hermitian=True, rtol=cut)) if return_rank else out


def _space(a: Any, rcond: Any, full: bool) -> tuple[Any, Any, int]:
    """Singular vectors of both sides, and the rank as a number, which is asked for."""
    x = nla.matrix("null_space" if full else "orth", a)
    u, _, vh = nla.svd(x, full_matrices=full)
    rank = nla.matrix_rank(x, rtol=rcond)
    return u, vh, int(rank)


@as_in_scipy
def null_space(A: Any, rcond: Any = None) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.null_space``; how many vectors there are is asked of the values."""
    _, vh, rank = _space(A, rcond, True)
    return matrices.adjoint(vh[..., rank:, :])


@as_in_scipy
def orth(A: Any, rcond: Any = None) -> Any:  # noqa: N803  SciPy's name
    """As ``scipy.linalg.orth``; how many vectors there are is asked of the values."""
    u, _, rank = _space(A, rcond, False)
    return u[..., :rank]


@as_in_scipy
def orthogonal_procrustes(A: Any, B: Any) -> tuple[Any, Any]:  # noqa: N803  SciPy's names
    """As ``scipy.linalg.orthogonal_procrustes``, on arrays and traced values."""
    a, b = common_dtype([nla.matrix("orthogonal_procrustes", x) for x in (A, B)])
    if a.shape != b.shape:
        raise ValueError(located(f"the shapes of A and B differ ({a.shape} vs {b.shape})"))
    u, s, vh = nla.svd(matrices.mt(matmul(matrices.mt(b), matrices.conj(a))))
    return matmul(u, vh), reductions.sum(s, -1)


# --- eigenvalues -------------------------------------------------------------------------------


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
        raise _no("eigh", "subset_by_value (how many there are depends on the values)")
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
        raise _no("eig", "homogeneous_eigvals=True")
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
        raise _no("eigh_tridiagonal", "select='v' (how many there are depends on the values)")
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


# --- functions of matrices ---------------------------------------------------------------------


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
