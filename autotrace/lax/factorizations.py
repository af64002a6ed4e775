"""Factors of matrices: Cholesky, LU and QR, and systems with triangular matrices.

The derivatives are those of Giles (2008), "Collected matrix derivative results for forward and
reverse mode algorithmic differentiation", of Murray (2016), "Differentiation of the Cholesky
decomposition", and, for QR, of Walter and Lehmann (2010), "Algorithmic differentiation of linear
algebra functions with application in optimum experimental design".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.errors import NonDifferentiableError, located
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from ..transforms.batch import Axis
from ..transforms.jvp import jvp_flat
from . import arithmetic as arith
from .families import check_kinds, no_derivative
from .indexing import gather
from .matrices import (
    LinAlgError,
    adjoint,
    check_matrices,
    check_stacks,
    columns_of,
    composed,
    each,
    hermitian_from,
    identity,
    like,
    matmul,
    matrices,
    minus,
    mt,
    not_positive_definite,
    on_diagonal,
    plus,
    singular,
    solve_batch,
    stack_batch,
    symmetrized,
    tril,
    triu,
)
from .slicing import concatenate, pad
from .slicing import slice as slice_array
from .sorting import take_along
from .structural import array, full_like, move_axis, reshape

_lapack = LazyModule("scipy.linalg.lapack")
_blas = LazyModule("scipy.linalg.blas")
_INDEX = np.dtype(np.int32)
#: The letter of a dtype in the names of BLAS's and LAPACK's functions.
LETTERS = {"f": "s", "d": "d", "F": "c", "D": "z"}


# --- triangular_solve --------------------------------------------------------------------------

triangular_solve_p = Primitive("triangular_solve")


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """Solve ``op(a) x = b`` or ``x op(a) = b`` with triangular matrices.

    Args:
      a: matrices of shape ``(*stack, n, n)``; only one triangle is read.
      b: the right sides, of shape ``(*stack, n, k)``, or ``(*stack, k, n)`` where ``left_side`` is
        false, and of the same dtype.
      left_side: whether ``a`` stands to the left of ``x``.
      lower: which triangle is read.
      transpose_a, conjugate_a: what ``op`` does.
      unit_diagonal: whether the diagonal counts as ones and is not read.

    Returns:
      ``x``, of the shape of ``b``.

    Raises:
      LinAlgError: when a diagonal has a zero.
      TypeError: when shapes or dtypes do not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> a = np.array([[2.0, 0.0], [1.0, 4.0]])
    >>> lax.linalg.triangular_solve(a, np.array([[2.0], [9.0]]), left_side=True, lower=True)
    array([[1.],
           [2.]])
    """
    a, b = matrices(a, "triangular_solve", True), matrices(b, "triangular_solve")
    return triangular_solve_p.bind(
        a,
        b,
        left_side=bool(left_side),
        lower=bool(lower),
        transpose_a=bool(transpose_a),
        conjugate_a=bool(conjugate_a) and a.dtype.kind == "c",
        unit_diagonal=bool(unit_diagonal),
    )


@triangular_solve_p.def_impl
def _triangular_impl(
    a: Any,
    b: Any,
    *,
    left_side: bool,
    lower: bool,
    transpose_a: bool,
    conjugate_a: bool,
    unit_diagonal: bool,
) -> Any:
    if not unit_diagonal and not np.all(np.diagonal(a, axis1=-2, axis2=-1)):
        raise singular("a triangular matrix, or factor, has a zero on its diagonal")
    if conjugate_a and not transpose_a:
        a, conjugate_a = np.conj(a), False
    out = np.empty(b.shape, b.dtype)
    solve = getattr(_blas, LETTERS[b.dtype.char] + "trsm")
    for factor, right, result in zip(
        each(a, *a.shape[-2:]), each(b, *b.shape[-2:]), each(out, *b.shape[-2:]), strict=True
    ):
        if result.size:
            # Fortran sees the transposes, of which the whole equation is the mirror image.
            how = 0 if not transpose_a else 2 if conjugate_a else 1
            solved = solve(
                1.0, factor.T, right.T, left_side, not lower, how, unit_diagonal
            )  # side, lower, trans_a, diag
            result[:] = solved.T
    return out


@triangular_solve_p.def_abstract
def _triangular_abstract(
    a: ShapedArray, b: ShapedArray, *, left_side: bool, **_: Any
) -> ShapedArray:
    check_matrices("triangular_solve", a, True)
    check_stacks("triangular_solve", a, b)
    if a.shape[-1] != b.shape[-2 if left_side else -1]:
        raise TypeError(f"triangular_solve: a matrix {a} does not fit a right side {b}")
    return make_aval(b.shape, b.dtype)


@triangular_solve_p.def_jvp
def _triangular_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    (a, _), (a_t, b_t) = primals, tangents
    if a_t is None:
        return triangular_solve_p.bind(a, b_t, **params)
    # d(A) X + A dX = dB, where only the triangle that is read has a derivative.
    k = int(params["unit_diagonal"])
    read = tril(a_t, -k) if params["lower"] else triu(a_t, k)
    read = mt(read) if params["transpose_a"] else read
    read = arith.conj(read) if params["conjugate_a"] else read
    moved = matmul(read, out) if params["left_side"] else matmul(out, read)
    return triangular_solve_p.bind(a, minus(b_t, moved), **params)


@triangular_solve_p.def_transpose
def _triangular_transpose(ct: Any, a: Any, b: Any, **params: Any) -> list[Any]:
    params["transpose_a"] = not params["transpose_a"]
    return [None, triangular_solve_p.bind(a, ct, **params)]


@triangular_solve_p.def_batch
def _triangular_batch(axis: Axis, args: Any, dims: Any, **params: Any) -> tuple:
    (a, b), (a_dim, b_dim) = args, dims
    if params["left_side"] or a_dim is not None or a.ndim > 2:
        return _left_batch(axis, args, dims, **params)
    b = move_axis(b, b_dim, 0)  # one matrix for all: the batch is more right sides
    out = triangular_solve_p.bind(a, reshape(b, (b.shape[0] * b.shape[1], b.shape[2])), **params)
    return reshape(out, b.shape), 0


_left_batch = solve_batch(triangular_solve_p)


# --- cholesky ----------------------------------------------------------------------------------

cholesky_p = Primitive("cholesky")


def cholesky(x: Any, *, symmetrize_input: bool = True) -> Any:
    """The Cholesky factors of positive definite Hermitian matrices.

    Args:
      x: matrices of shape ``(*stack, n, n)``.
      symmetrize_input: whether to factor ``(x + x^H) / 2``, so that the gradient is Hermitian;
        otherwise only the lower triangle is read, and has a gradient.

    Returns:
      Lower triangular matrices ``l`` with ``l l^H = x``.

    Raises:
      LinAlgError: when a matrix is not positive definite.
      TypeError: for dtypes that are not real or complex.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.linalg.cholesky(np.array([[4.0, 2.0], [2.0, 2.0]]))
    array([[2., 0.],
           [1., 1.]])
    """
    x = matrices(x, "cholesky", True)
    return cholesky_p.bind(symmetrized(x) if symmetrize_input else x)


@cholesky_p.def_impl
def _cholesky_impl(x: Any) -> Any:
    try:
        return np.linalg.cholesky(x)
    except LinAlgError:
        raise not_positive_definite("cholesky") from None


@cholesky_p.def_abstract
def _cholesky_abstract(x: ShapedArray) -> ShapedArray:
    check_matrices("cholesky", x, True)
    return make_aval(x.shape, x.dtype)


@cholesky_p.def_jvp
def _cholesky_jvp(primals: Any, tangents: Any, out: Any) -> Any:
    if out.dtype.kind == "c":
        return _factor_tangent(out, tangents[0])[0]
    return cholesky_tangent_p.bind(out, tangents[0])[0]


def _halved(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    return tril(on_diagonal(arith.mul(x, full_like(x, 0.5)), x))


def _factor_tangent(factor: Any, t: Any) -> list[Any]:
    """``L phi(L^-1 T L^-H)``, phi taking the lower triangle and half of the diagonal."""
    inner = triangular_solve(factor, hermitian_from(t), left_side=True, lower=True)
    inner = triangular_solve(factor, inner, lower=True, transpose_a=True, conjugate_a=True)
    return [matmul(tril(factor), _halved(inner))]


def _factor_cotangent(factor: Any, ct: Any) -> list[Any]:
    """The transpose of this for real matrices."""
    inner = _halved(matmul(mt(tril(factor)), tril(ct)))
    inner = triangular_solve(factor, inner, left_side=True, lower=True, transpose_a=True)
    inner = triangular_solve(factor, inner, lower=True)
    return [tril(on_diagonal(inner, plus(inner, mt(inner))))]


# Two linear maps, of factors and of tangents or cotangents, that are each other's transpose. They
# have names so that the second can be compiled as the blocked algorithm of Murray (2016), which
# takes a quarter of the operations.
cholesky_tangent_p = composed("cholesky_tangent", _factor_tangent)
cholesky_cotangent_p = composed("cholesky_cotangent", _factor_cotangent, inline=False)


def _linear_map(primitive: Primitive, other: Primitive, function: Callable[..., list[Any]]) -> None:
    """Set the rules of a map that is linear in its second operand, and made by a function."""

    def rule(linear: bool, primals: Any, tangents: Any) -> tuple:
        (factor, x), (factor_t, x_t) = primals, tangents
        total = None if x_t is None else primitive.bind(factor, x_t)[0]
        if factor_t is not None:
            _, found = jvp_flat(lambda f: function(f, x), [factor], [factor_t], linear=linear)
            total = plus(total, found[0])
        return primitive.bind(factor, x), [total]

    primitive.def_jvp_call(rule)
    primitive.def_transpose(lambda cts, factor, x: [None, other.bind(factor, cts[0])[0]])


_linear_map(cholesky_tangent_p, cholesky_cotangent_p, _factor_tangent)
_linear_map(cholesky_cotangent_p, cholesky_tangent_p, _factor_cotangent)
cholesky_p.def_batch(stack_batch(cholesky_p))


# --- lu ----------------------------------------------------------------------------------------

lu_p = Primitive("lu", multiple_results=True)


def lu(x: Any) -> tuple[Any, Any, Any]:
    """Factor matrices as ``x[permutation] = l u``, with partial pivoting.

    Args:
      x: matrices of shape ``(*stack, m, n)``.

    Returns:
      ``l`` (without its diagonal of ones) and ``u`` in one array of the shape of ``x``; the
      pivots, int32 of shape ``(*stack, min(m, n))``: row ``i`` was exchanged with row
      ``pivots[i]``, one after the other; the permutation that this is, int32 of shape
      ``(*stack, m)``.

    Raises:
      LinAlgError, TypeError: for what is not a matrix of real or complex numbers.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.linalg.lu(np.array([[1.0, 2.0], [4.0, 4.0]]))
    (array([[4.  , 4.  ],
           [0.25, 1.  ]]), array([1, 1], dtype=int32), array([1, 0], dtype=int32))
    """
    return tuple(lu_p.bind(matrices(x, "lu")))


@lu_p.def_impl
def _lu_impl(x: Any) -> list[Any]:
    *stack, m, n = x.shape
    out = np.empty(x.shape, x.dtype)
    pivots = np.empty((*stack, min(m, n)), _INDEX)
    order = np.empty((*stack, m), _INDEX)
    order[...] = np.arange(m, dtype=_INDEX)
    if x.size:
        factor = getattr(_lapack, LETTERS[x.dtype.char] + "getrf")
        for matrix, result, exchanged, rows in zip(
            each(x, m, n), each(out, m, n), each(pivots, min(m, n)), each(order, m), strict=True
        ):
            result[:], exchanged[:], _ = factor(matrix)
            _exchange(rows, exchanged)
    return [out, pivots, order]


@lu_p.def_abstract
def _lu_abstract(x: ShapedArray) -> list[ShapedArray]:
    check_matrices("lu", x)
    *stack, m, n = x.shape
    return [
        make_aval(x.shape, x.dtype),
        make_aval((*stack, min(m, n)), _INDEX),
        make_aval((*stack, m), _INDEX),
    ]


def unpacked(factors: Any) -> tuple[Any, Any]:
    """The lower and the upper factor in the first result of ``lu``."""
    *stack, m, n = factors.shape
    k = min(m, n)
    ones = identity(stack, k, factors.dtype)
    ones = _padded(ones, m - k, 0)
    lower = plus(tril(_part(factors, m, k), -1), ones)
    return lower, triu(_part(factors, k, n))


def _part(x: Any, rows: int, columns: int) -> Any:
    """The upper left part of matrices."""
    *stack, m, n = x.shape
    if (m, n) == (rows, columns):
        return x
    return slice_array(x, (0,) * x.ndim, (*stack, rows, columns))


def _padded(x: Any, rows: int, columns: int) -> Any:
    """Matrices with so many more rows and columns of zeros."""
    if rows == columns == 0:
        return x
    config = ((0, 0, 0),) * (x.ndim - 2)
    return pad(x, x.dtype.type(0), (*config, (0, rows, 0), (0, columns, 0)))


@lu_p.def_jvp
def _lu_jvp(primals: Any, tangents: Any, out: Any) -> list[Any]:
    # With F = L^-1 P dA U^-1: dL = L tril(F, -1) and dU = triu(F) U; where L has too few columns,
    # or U too few rows, those of an identity matrix make it square.
    factors, _, order = out
    m, n = factors.shape[-2:]
    k = min(m, n)
    lower, upper = unpacked(factors)
    square_lower = _with_columns(lower, m - k)
    square_upper = mt(_with_columns(mt(upper), n - k))
    moved = take_rows(tangents[0], order)
    inner = triangular_solve(square_lower, moved, left_side=True, lower=True, unit_diagonal=True)
    inner = triangular_solve(square_upper, inner)
    lower_t = matmul(square_lower, tril(_part(inner, m, k), -1))
    upper_t = matmul(triu(_part(inner, k, n)), square_upper)
    return [plus(_padded(lower_t, 0, n - k), _padded(upper_t, m - k, 0)), None, None]


def _with_columns(x: Any, count: int) -> Any:
    """Matrices with the last columns of an identity matrix behind theirs."""
    if not count:
        return x
    *stack, n, _ = x.shape
    start = (0,) * len(stack)
    more = slice_array(identity(stack, n, x.dtype), (*start, 0, n - count), (*stack, n, n))
    return concatenate([x, more], x.ndim - 1)


def take_rows(x: Any, rows: Any) -> Any:
    """The rows of matrices at positions, of shape ``(*stack, count)``."""
    if x.ndim == 2:
        return gather(x, [rows], (0,))
    return take_along(x, columns_of(rows, x.shape[-1]), x.ndim - 2)


lu_p.def_batch(stack_batch(lu_p))

#: Operand: pivots, of shape ``(*stack, k)``; parameter: the number of rows.
permutation_p = no_derivative(Primitive("lu_pivots_to_permutation"))


def lu_pivots_to_permutation(pivots: Any, permutation_size: int) -> Any:
    """The permutation that exchanges of rows make.

    Args:
      pivots: int32 of shape ``(*stack, k)``; see ``lu``.
      permutation_size: the number of rows, at least ``k``.

    Returns:
      Int32 of shape ``(*stack, permutation_size)``.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.linalg.lu_pivots_to_permutation(np.array([2, 2, 2], np.int32), 3)
    array([2, 0, 1], dtype=int32)
    """
    return permutation_p.bind(array(pivots), permutation_size=int(permutation_size))


@permutation_p.def_impl
def _permutation_impl(pivots: Any, *, permutation_size: int) -> Any:
    k = pivots.shape[-1]
    order = np.empty((*pivots.shape[:-1], permutation_size), _INDEX)
    order[...] = np.arange(permutation_size, dtype=_INDEX)
    if pivots.size:
        for exchanged, rows in zip(each(pivots, k), each(order, permutation_size), strict=True):
            _exchange(rows, exchanged)
    return order


def _exchange(rows: np.ndarray, pivots: np.ndarray) -> None:
    for i, j in enumerate(pivots):
        if i != j:
            rows[i], rows[j] = rows[j], rows[i]


@permutation_p.def_abstract
def _permutation_abstract(pivots: ShapedArray, *, permutation_size: int) -> ShapedArray:
    check_kinds("lu_pivots_to_permutation", pivots, "iu")
    if not pivots.ndim or pivots.shape[-1] > permutation_size:
        raise TypeError(
            f"lu_pivots_to_permutation: {pivots} are no pivots of {permutation_size} rows"
        )
    return make_aval((*pivots.shape[:-1], permutation_size), _INDEX)


permutation_p.def_batch(stack_batch(permutation_p))


# --- qr ----------------------------------------------------------------------------------------

qr_p = Primitive("qr", multiple_results=True)


def qr(x: Any, *, full_matrices: bool = True) -> tuple[Any, Any]:
    """Factor matrices into one with orthonormal columns and an upper triangular one.

    Args:
      x: matrices of shape ``(*stack, m, n)``.
      full_matrices: whether ``q`` is square; otherwise it has ``min(m, n)`` columns. The last
        columns of a square ``q`` of a tall matrix have no derivative.

    Returns:
      ``q`` and ``r``.

    Raises:
      LinAlgError, TypeError: for what is not a matrix of real or complex numbers.

    >>> import autotrace.lax as lax, numpy as np
    >>> q, r = lax.linalg.qr(np.array([[0.0, 2.0], [3.0, 4.0]]), full_matrices=False)
    >>> (q @ r).round(12)
    array([[0., 2.],
           [3., 4.]])
    """
    return tuple(qr_p.bind(matrices(x, "qr"), full_matrices=bool(full_matrices)))


@qr_p.def_impl
def _qr_impl(x: Any, *, full_matrices: bool) -> list[Any]:
    return list(np.linalg.qr(x, "complete" if full_matrices else "reduced"))


@qr_p.def_abstract
def _qr_abstract(x: ShapedArray, *, full_matrices: bool) -> list[ShapedArray]:
    check_matrices("qr", x)
    *stack, m, n = x.shape
    k = m if full_matrices else min(m, n)
    return [make_aval((*stack, m, k), x.dtype), make_aval((*stack, k, n), x.dtype)]


@qr_p.def_jvp
def _qr_jvp(primals: Any, tangents: Any, out: Any, *, full_matrices: bool) -> list[Any]:
    # Q^H dQ is skew-Hermitian, and its lower triangle is that of Q^H dA R^-1; the diagonal of R
    # stays real. Further columns of a wide matrix change R only.
    (q, r), a_t = out, tangents[0]
    m, n = a_t.shape[-2:]
    if full_matrices and m > n:
        raise NonDifferentiableError(
            located(
                f"qr: the last {m - n} columns of a complete factor of a {m} x {n} matrix are any "
                "orthonormal ones, and have no derivative",
                "What to do: use mode='reduced' (full_matrices=False).",
            )
        )
    k = min(m, n)
    inner = triangular_solve(_part(r, k, k), _part(a_t, m, k))
    seen = matmul(adjoint(q), inner)
    low = tril(seen, -1)
    skew = minus(low, adjoint(low))
    if skew.dtype.kind == "c":
        skew = on_diagonal(minus(seen, like(arith.real(seen), seen)), skew)
    q_t = minus(inner, matmul(q, minus(seen, skew)))
    return [q_t, minus(matmul(adjoint(q), a_t), matmul(skew, r))]


qr_p.def_batch(stack_batch(qr_p))
