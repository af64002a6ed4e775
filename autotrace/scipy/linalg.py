"""scipy.linalg on arrays and traced values.

Where nothing is traced these are SciPy's own functions; what is not here is SciPy's, too, and takes
no traced values. Arguments about memory, checks and the choice of an algorithm have no effect on
traced values, whose elements are not checked for NaN. Of a Hermitian matrix one triangle is read,
which is what has a derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from scipy.linalg import LinAlgError, LinAlgWarning

from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import (
    equations,
    factorizations,
    matrices,
    matrix_functions,
    riccati,
    spectral,
    structural,
)
from ..numpy import linalg as nla
from ..numpy import promotion, reductions, ufuncs
from ..numpy.arguments import common_dtype, operand
from ..numpy.linear import matmul
from ..numpy.sorting import argsort
from ._eigenvalues import (
    eig,
    eig_banded,
    eigh,
    eigh_tridiagonal,
    eigvals,
    eigvals_banded,
    eigvalsh,
    eigvalsh_tridiagonal,
)
from ._functions import (
    coshm,
    cosm,
    expm,
    expm_frechet,
    fractional_matrix_power,
    funm,
    logm,
    signm,
    sinhm,
    sinm,
    sqrtm,
    tanhm,
    tanm,
)
from ._implements import as_in_scipy, unsupported
from ._structured import (
    STATIC,
    block_diag,
    circulant,
    companion,
    convolution_matrix,
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
    "solve_continuous_are",
    "solve_continuous_lyapunov",
    "solve_discrete_are",
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
        raise unsupported("qr", "pivoting" if pivoting else "mode='raw'")
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
    """As ``scipy.linalg.polar``, on arrays and traced values; derivatives are those of matrices of
    full rank."""
    if side not in ("right", "left"):
        raise ValueError(located("`side` must be either 'right' or 'left'"))
    x = nla.matrix("polar", a)
    left = side == "left"
    x = matrices.adjoint(x) if left else x
    if x.shape[-2] >= x.shape[-1]:
        u, p = spectral.polar_p.bind(x)
    else:  # p is singular, and what it does with vectors that it makes zero has no derivative
        u, s, vh = nla.svd(x, full_matrices=False)
        v = matrices.adjoint(vh)
        u, p = matmul(u, vh), matmul(matrices.times_diagonal(v, matrices.like(s, v)), vh)
    return (matrices.adjoint(u) if left else u), p


@as_in_scipy
def schur(a: Any, output: str = "real", sort: Any = None) -> tuple[Any, Any]:
    """As ``scipy.linalg.schur``, on arrays and traced values; without derivatives."""
    if sort is not None:
        raise unsupported("schur", "sort=")
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
    if method is None:
        method = "direct" if a.shape[-1] < 10 else "bilinear"
    if method not in ("direct", "bilinear"):
        raise ValueError(located(f"Unknown solver {method!r}"))
    return equations.stein(a, q, method == "direct")


def _riccati(a: Any, b: Any, q: Any, r: Any, e: Any, s: Any, discrete: bool) -> Any:
    name = f"solve_{'discrete' if discrete else 'continuous'}_are"
    if e is not None or s is not None:
        raise unsupported(name, "e= or s=")
    a, b, q, r = common_dtype([nla.matrix(name, x) for x in (a, b, q, r)])
    return riccati.riccati(a, b, q, r, discrete)


@as_in_scipy
def solve_continuous_are(a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None) -> Any:
    """As ``scipy.linalg.solve_continuous_are``, on arrays and traced values."""
    return _riccati(a, b, q, r, e, s, False)


@as_in_scipy
def solve_discrete_are(a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None) -> Any:
    """As ``scipy.linalg.solve_discrete_are``, on arrays and traced values."""
    return _riccati(a, b, q, r, e, s, True)


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
