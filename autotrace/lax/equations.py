"""Linear equations, and what is defined by them: determinants, inverses, pseudoinverses.

A solution is differentiated through its equation, ``dX = A^-1 (dB - dA X)``, with the factors that
it was found with (Giles 2008); a pseudoinverse by the formula of Golub and Pereyra (1973).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from . import arithmetic as arith
from .factorizations import cholesky_p, lu_p, take_rows, triangular_solve
from .matrices import (
    LinAlgError,
    adjoint,
    check_matrices,
    check_stacks,
    composed,
    conj,
    diagonal,
    each,
    hermitian_from,
    identity,
    like,
    matmul,
    minus,
    mt,
    not_converged,
    plus,
    real_aval_dtype,
    singular,
    solve_batch,
    stack_batch,
    trace,
)
from .reductions import reduce_prod
from .slicing import concatenate, pad
from .slicing import slice as slice_array
from .structural import (
    array,
    broadcast_in_dim,
    expand_dims,
    full_like,
    insert_axis,
    reduce_sum,
    reshape,
)

_scipy_linalg = LazyModule("scipy.linalg")


# --- solve -------------------------------------------------------------------------------------


def solve_lu(factors: Any, order: Any, b: Any) -> Any:
    """Solve ``a x = b`` with the results of ``lu(a)``."""
    x = take_rows(b, order)
    x = triangular_solve(factors, x, left_side=True, lower=True, unit_diagonal=True)
    return triangular_solve(factors, x, left_side=True)


def solve_cholesky(factor: Any, b: Any) -> Any:
    """Solve ``l l^H x = b``."""
    x = triangular_solve(factor, b, left_side=True, lower=True)
    return triangular_solve(
        factor, x, left_side=True, lower=True, transpose_a=True, conjugate_a=True
    )


def _solver(a: Any, positive: bool) -> Callable[[Any], Any]:
    """Factor matrices: a function that solves equations with them."""
    if positive:
        factor = cholesky_p.bind(a)
        return lambda b: solve_cholesky(factor, b)
    factors, _, order = lu_p.bind(a)
    return lambda b: solve_lu(factors, order, b)


def _solve(a: Any, b: Any, *, positive: bool) -> list[Any]:
    check_matrices("solve", a, True)
    check_stacks("solve", a, b)
    return [_solver(a, positive)(b)]


#: Operands: matrices and right sides, of shape ``(*stack, n, k)``. With ``positive`` the matrices
#: are Hermitian and positive definite, and their lower triangles are read.
solve_p = composed("solve", _solve, batch=solve_batch)


@solve_p.def_jvp_call
def _solve_jvp(linear: bool, primals: Any, tangents: Any, *, positive: bool) -> tuple:
    (a, b), (a_t, b_t) = primals, tangents
    if a_t is None and b_t is None:
        return solve_p.bind(a, b, positive=positive), [None]
    solver = _solver(a, positive)
    x = solver(b)
    moved = b_t
    if a_t is not None:
        moved = minus(b_t, matmul(hermitian_from(a_t) if positive else a_t, x))
    return [x], [solver(moved)]


@solve_p.def_transpose
def _solve_transpose(ct: Any, a: Any, b: Any, *, positive: bool) -> list[Any]:
    turned = conj(a) if positive else mt(a)
    return [None, solve_square(turned, ct[0], positive)]


def solve_square(a: Any, b: Any, positive: bool = False) -> Any:
    """Solve ``a x = b`` for stacks of matrices of one dtype; see ``solve_p``."""
    return solve_p.bind(a, b, positive=positive)[0]


def inverse(a: Any) -> Any:
    """The inverses of matrices."""
    return solve_square(a, identity(a.shape[:-2], a.shape[-1], a.dtype))


# --- determinants ------------------------------------------------------------------------------


def _parity(pivots: Any, dtype: Any) -> Any:
    """1 or -1 for permutations with an even and an odd number of exchanges."""
    places = np.broadcast_to(np.arange(pivots.shape[-1], dtype=pivots.dtype), pivots.shape)
    moved = arith.convert_element_type(arith.ne(pivots, places), np.int64)
    odd = arith.bitwise_and(reduce_sum(moved, (pivots.ndim - 1,)), np.int64(1))
    odd = arith.convert_element_type(odd, dtype)
    return arith.sub(full_like(odd, 1), arith.add(odd, odd))


def _det(a: Any) -> list[Any]:
    check_matrices("det", a, True)
    factors, pivots, _ = lu_p.bind(a)
    return [arith.mul(_parity(pivots, a.dtype), reduce_prod(diagonal(factors), (a.ndim - 2,)))]


det_p = composed("det", _det)


@det_p.def_jvp_call
def _det_jvp(linear: bool, primals: Any, tangents: Any) -> tuple:
    (a,), (a_t,) = primals, tangents
    out = det_p.bind(a)
    if a_t is None:
        return out, [None]
    # Jacobi's formula, which holds for singular matrices too.
    share = arith.mul(mt(adjugate_p.bind(a)), a_t)
    return out, [reduce_sum(share, (a.ndim - 2, a.ndim - 1))]


def _slogdet(a: Any) -> list[Any]:
    check_matrices("slogdet", a, True)
    factors, pivots, _ = lu_p.bind(a)
    return _slogdet_of(factors, pivots)


def _slogdet_of(factors: Any, pivots: Any) -> list[Any]:
    entries = diagonal(factors)
    axes = (entries.ndim - 1,)
    sign = arith.mul(_parity(pivots, factors.dtype), reduce_prod(arith.sign(entries), axes))
    return [sign, reduce_sum(arith.log(arith.abs(entries)), axes)]


slogdet_p = composed("slogdet", _slogdet)


@slogdet_p.def_jvp_call
def _slogdet_jvp(linear: bool, primals: Any, tangents: Any) -> tuple:
    (a,), (a_t,) = primals, tangents
    if a_t is None:
        return slogdet_p.bind(a), [None, None]
    factors, pivots, order = lu_p.bind(a)
    sign, size = _slogdet_of(factors, pivots)
    change = trace(solve_lu(factors, order, a_t))
    if a.dtype.kind != "c":
        return [sign, size], [None, change]
    turn = arith.sub(change, like(arith.real(change), change))
    return [sign, size], [arith.mul(sign, turn), arith.real(change)]


adjugate_p = Primitive("adjugate")


@adjugate_p.def_impl
def _adjugate_impl(a: Any) -> Any:
    n = a.shape[-1]
    out = np.empty(a.shape, a.dtype)
    for matrix, result in zip(each(a, n, n), each(out, n, n), strict=True):
        try:
            result[:] = np.linalg.det(matrix) * np.linalg.inv(matrix)
        except LinAlgError:
            result[:] = _adjugate_of_singular(matrix)
    return out


def _adjugate_of_singular(a: np.ndarray) -> np.ndarray:
    u, s, vh = np.linalg.svd(a)
    others = [np.prod(np.delete(s, i)) for i in range(len(s))]
    turn = np.linalg.det(u) * np.linalg.det(vh)
    return turn * (np.conj(vh.T) * np.asarray(others, s.dtype)) @ np.conj(u.T)


@adjugate_p.def_abstract
def _adjugate_abstract(a: ShapedArray) -> ShapedArray:
    check_matrices("adjugate", a, True)
    return make_aval(a.shape, a.dtype)


@adjugate_p.def_jvp
def _adjugate_jvp(primals: Any, tangents: Any, out: Any) -> Any:
    # From adj(A) = det(A) A^-1: only where there is an inverse.
    (a,), (a_t,) = primals, tangents
    inv = inverse(a)
    change = matmul(inv, a_t)
    total = reduce_sum(arith.mul(mt(out), a_t), (a.ndim - 2, a.ndim - 1))
    spread = broadcast_in_dim(total, a.shape, tuple(range(total.ndim)))
    return minus(arith.mul(spread, inv), matmul(change, out))


adjugate_p.def_batch(stack_batch(adjugate_p))


# --- pseudoinverse -----------------------------------------------------------------------------

#: Operands: matrices, and for each, of shape ``(*stack, 1, 1)``, up to what part of the largest
#: one a singular value counts as zero.
pinv_p = Primitive("pinv")


@pinv_p.def_impl
def _pinv_impl(a: Any, rcond: Any, *, hermitian: bool) -> Any:
    try:
        return np.linalg.pinv(a, rcond[..., 0, 0], hermitian)
    except LinAlgError:
        raise not_converged("pinv") from None


@pinv_p.def_abstract
def _pinv_abstract(a: ShapedArray, rcond: ShapedArray, *, hermitian: bool) -> ShapedArray:
    check_matrices("pinv", a, hermitian)
    *stack, m, n = a.shape
    if rcond.shape != (*stack, 1, 1) or rcond.dtype != real_aval_dtype(a):
        raise TypeError(f"pinv: rcond is a {rcond} with a matrix {a}")
    return make_aval((*stack, n, m), a.dtype)


@pinv_p.def_jvp
def _pinv_jvp(primals: Any, tangents: Any, out: Any, *, hermitian: bool) -> Any:
    (a, _), (a_t, _) = primals, tangents
    if a_t is None:
        return None
    if hermitian:
        a, a_t = hermitian_from(a), hermitian_from(a_t)
    # -P dA P + P P^H dA^H (1 - A P) + (1 - P A) dA^H P^H P
    back, p_h = adjoint(a_t), adjoint(out)
    rows = matmul(matmul(out, p_h), back)
    columns = matmul(back, matmul(p_h, out))
    rows = minus(rows, matmul(matmul(rows, a), out))
    columns = minus(columns, matmul(out, matmul(a, columns)))
    return minus(plus(rows, columns), matmul(matmul(out, a_t), out))


pinv_p.def_batch(stack_batch(pinv_p))


def pinv(a: Any, rcond: Any, hermitian: bool = False) -> Any:
    """The pseudoinverses of matrices; ``rcond``: see ``pinv_p``, or one number for all."""
    rcond = arith.convert_element_type(array(rcond), real_aval_dtype(a))
    stack = a.shape[:-2]
    rcond = expand_dims(rcond, (rcond.ndim, rcond.ndim + 1))
    if rcond.shape != (*stack, 1, 1):
        last = range(len(stack) + 2 - rcond.ndim, len(stack) + 2)
        rcond = broadcast_in_dim(rcond, (*stack, 1, 1), last)
    return pinv_p.bind(a, rcond, hermitian=hermitian)


# --- Sylvester's equation ----------------------------------------------------------------------

sylvester_p = Primitive("sylvester")


def sylvester(a: Any, b: Any, c: Any) -> Any:
    """Solve ``a x + x b = c`` for stacks of matrices of one dtype."""
    return sylvester_p.bind(a, b, c)


@sylvester_p.def_impl
def _sylvester_impl(a: Any, b: Any, c: Any) -> Any:
    out = np.empty(c.shape, c.dtype)
    m, n = c.shape[-2:]
    rows = each(a, m, m), each(b, n, n), each(c, m, n), each(out, m, n)
    for *given, result in zip(*rows, strict=True):
        if result.size:
            try:
                result[:] = _scipy_linalg.solve_sylvester(*given)
            except LinAlgError:
                raise singular("in solve_sylvester a and -b have an eigenvalue in common") from None
    return out


@sylvester_p.def_abstract
def _sylvester_abstract(a: ShapedArray, b: ShapedArray, c: ShapedArray) -> ShapedArray:
    for x in (a, b):
        check_matrices("solve_sylvester", x, True)
    check_stacks("solve_sylvester", a, b, c)
    if c.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise TypeError(f"solve_sylvester: matrices {a} and {b} do not fit a right side {c}")
    return make_aval(c.shape, c.dtype)


@sylvester_p.def_jvp
def _sylvester_jvp(primals: Any, tangents: Any, out: Any) -> Any:
    (a, b, _), (a_t, b_t, right) = primals, tangents
    if a_t is not None:
        right = minus(right, matmul(a_t, out))
    if b_t is not None:
        right = minus(right, matmul(out, b_t))
    return sylvester_p.bind(a, b, right)


@sylvester_p.def_transpose
def _sylvester_transpose(ct: Any, a: Any, b: Any, c: Any) -> list[Any]:
    return [None, None, sylvester_p.bind(mt(a), mt(b), ct)]


sylvester_p.def_batch(stack_batch(sylvester_p))


def stein(a: Any, q: Any, direct: bool | None = None) -> Any:
    """Solve ``a x a^H - x + q = 0``, as n^2 equations (``direct``) or by Sylvester's equation for
    ``(a^H - 1) (a^H + 1)^-1``; small ones as the former when None."""
    *stack, n, _ = a.shape
    if direct or (direct is None and n < 10):
        spread = (*stack, n, n, n, n)
        front = tuple(range(len(stack)))
        rows, columns = len(stack), len(stack) + 1
        left = broadcast_in_dim(a, spread, (*front, rows, columns + 1))
        right = broadcast_in_dim(conj(a), spread, (*front, rows + 1, columns + 2))
        product = reshape(arith.mul(left, right), (*stack, n * n, n * n))
        left = arith.sub(identity(stack, n * n, a.dtype), product)
        return reshape(solve_square(left, reshape(q, (*stack, n * n, 1))), q.shape)
    turned, one = adjoint(a), identity(stack, n, a.dtype)
    back = inverse(plus(turned, one))
    b = matmul(arith.sub(turned, one), back)
    c = matmul(matmul(adjoint(back), q), back)
    return sylvester(adjoint(b), b, arith.mul(c, full_like(c, -2)))


# --- banded matrices ---------------------------------------------------------------------------

#: Operands: diagonals, of shape ``(*stack, lower + upper + 1, n)`` in LAPACK's layout (element
#: ``i, j`` of the matrix at ``upper + i - j, j``), and right sides ``(*stack, n, k)``.
banded_solve_p = Primitive("banded_solve")


def banded_solve(bands: Any, b: Any, lower: int, upper: int, positive: bool = False) -> Any:
    """Solve equations with banded matrices; with ``positive`` Hermitian positive definite ones."""
    return banded_solve_p.bind(bands, b, lower=lower, upper=upper, positive=positive)


@banded_solve_p.def_impl
def _banded_impl(bands: Any, b: Any, *, lower: int, upper: int, positive: bool) -> Any:
    out = np.empty(b.shape, b.dtype)
    n, k = b.shape[-2:]
    for band, right, result in zip(
        each(bands, *bands.shape[-2:]), each(b, n, k), each(out, n, k), strict=True
    ):
        if not result.size:
            continue
        try:
            if positive:
                result[:] = _scipy_linalg.solveh_banded(
                    band[upper:], right, lower=True, check_finite=False
                )
            else:
                result[:] = _scipy_linalg.solve_banded(
                    (lower, upper), band, right, check_finite=False
                )
        except LinAlgError as error:
            raise singular(f"in solve_banded {error}") from None
    return out


@banded_solve_p.def_abstract
def _banded_abstract(
    bands: ShapedArray, b: ShapedArray, *, lower: int, upper: int, positive: bool
) -> ShapedArray:
    check_matrices("solve_banded", bands)
    check_stacks("solve_banded", bands, b)
    if bands.shape[-2:] != (lower + upper + 1, b.shape[-2]):
        raise TypeError(
            f"solve_banded: {lower} + {upper} + 1 diagonals {bands} do not fit a right side {b}"
        )
    return make_aval(b.shape, b.dtype)


def shifted(x: Any, by: int, axis: int) -> Any:
    """Element ``i + by`` at ``i``, zeros where there is none."""
    low, high = max(-by, 0), max(by, 0)
    n = x.shape[axis]
    kept = max(n - abs(by), 0)
    start, limit = [0] * x.ndim, list(x.shape)
    start[axis] = min(high, n)
    limit[axis] = start[axis] + kept
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (min(low, n), n - kept - min(low, n), 0)
    return pad(slice_array(x, start, limit), x.dtype.type(0), config)


def banded_product(bands: Any, x: Any, lower: int, upper: int) -> Any:
    """The product of a banded matrix with others, one diagonal after the other."""
    total = None
    for row in range(lower + upper + 1):
        entries = _row(bands, row)
        share = arith.mul(insert_axis(entries, x.shape[-1], entries.ndim), x)
        total = plus(total, shifted(share, upper - row, x.ndim - 2))
    return total


def _row(bands: Any, row: int) -> Any:
    *stack, _, n = bands.shape
    start, limit = (*(0,) * len(stack), row, 0), (*stack, row + 1, n)
    return reduce_sum(slice_array(bands, start, limit), (bands.ndim - 2,))


def transposed_bands(bands: Any, lower: int, upper: int) -> Any:
    """The diagonals of the transposed matrix, which has ``upper`` below and ``lower`` above."""
    rows = [
        shifted(_row(bands, row), upper - row, bands.ndim - 2)
        for row in range(lower + upper, -1, -1)
    ]
    axis = bands.ndim - 2
    return concatenate([expand_dims(row, (axis,)) for row in rows], axis)


@banded_solve_p.def_jvp
def _banded_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    (bands, _), (bands_t, right) = primals, tangents
    if bands_t is not None:
        right = minus(right, banded_product(bands_t, out, params["lower"], params["upper"]))
    return banded_solve_p.bind(bands, right, **params)


@banded_solve_p.def_transpose
def _banded_transpose(
    ct: Any, bands: Any, b: Any, *, lower: int, upper: int, positive: bool
) -> list[Any]:
    turned = conj(bands) if positive else transposed_bands(bands, lower, upper)
    out = banded_solve_p.bind(turned, ct, lower=upper, upper=lower, positive=positive)
    return [None, out]


banded_solve_p.def_batch(solve_batch(banded_solve_p))
