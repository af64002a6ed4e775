"""Eigenvalues and singular values.

The derivatives are those of Giles (2008), "Collected matrix derivative results for forward and
reverse mode algorithmic differentiation", of Seeger et al. (2017), "Auto-differentiating linear
algebra", and of Townsend (2016), "Differentiating the singular value decomposition". Where two
eigenvalues (or singular values) are equal their vectors are any of a space, and have no
derivative: theirs is infinite or NaN. The derivatives of the values themselves are not affected.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.errors import NonDifferentiableError, located
from ..core.primitive import Primitive
from . import arithmetic as arith
from .equations import solve_square, sylvester
from .families import complex_dtype
from .matrices import (
    LinAlgError,
    adjoint,
    check_matrices,
    columns_of,
    composed,
    diagonal,
    hermitian_from,
    like,
    matmul,
    matrices,
    minus,
    not_converged,
    on_diagonal,
    plus,
    real,
    real_aval_dtype,
    rows_of,
    stack_batch,
    symmetrized,
    times_diagonal,
)
from .reductions import argmax
from .sorting import take_along
from .structural import expand_dims, full_like, reduce_sum, reshape, zeros_like

_INDEX = np.dtype(np.int64)


def _off_diagonal(x: Any) -> Any:
    return on_diagonal(zeros_like(x), x)


def _reciprocal_off_diagonal(x: Any) -> Any:
    """One over each element, zeros on the diagonals."""
    one = full_like(x, 1)
    return _off_diagonal(arith.div(one, on_diagonal(one, x)))


def _differences(values: Any) -> Any:
    """``values[j] - values[i]`` at ``i, j``."""
    n = values.shape[-1]
    return arith.sub(rows_of(values, n), columns_of(values, n))


# --- eigh --------------------------------------------------------------------------------------

eigh_p = Primitive("eigh", multiple_results=True)


def eigh(x: Any, *, lower: bool = True, symmetrize_input: bool = True) -> tuple[Any, Any]:
    """The eigenvalues and eigenvectors of Hermitian matrices.

    Args:
      x: matrices of shape ``(*stack, n, n)``.
      lower: which triangle is read.
      symmetrize_input: whether to take ``(x + x^H) / 2``, so that the gradient is Hermitian;
        otherwise only the triangle that is read has one.

    Returns:
      The eigenvectors, as columns, and the eigenvalues in ascending order, real and of shape
      ``(*stack, n)``.

    Raises:
      LinAlgError: when the iteration does not converge.

    >>> import autotrace.lax as lax, numpy as np
    >>> vectors, values = lax.linalg.eigh(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> values.round(12)
    array([1., 3.])
    """
    x = matrices(x, "eigh", True)
    x = symmetrized(x) if symmetrize_input else x
    values, vectors = eigh_p.bind(x, lower=bool(lower), values_only=False)
    return vectors, values


def eigvalsh(x: Any, *, lower: bool = True) -> Any:
    """The eigenvalues of Hermitian matrices, in ascending order: see ``eigh``."""
    return eigh_p.bind(matrices(x, "eigvalsh", True), lower=bool(lower), values_only=True)[0]


@eigh_p.def_impl
def _eigh_impl(x: Any, *, lower: bool, values_only: bool) -> list[Any]:
    triangle: Any = "L" if lower else "U"
    try:
        if values_only:
            return [np.linalg.eigvalsh(x, triangle)]
        return list(np.linalg.eigh(x, triangle))
    except LinAlgError:
        raise not_converged("eigh") from None


@eigh_p.def_abstract
def _eigh_abstract(x: ShapedArray, *, lower: bool, values_only: bool) -> list[ShapedArray]:
    check_matrices("eigh", x, True)
    values = make_aval(x.shape[:-1], real_aval_dtype(x))
    return [values] if values_only else [values, make_aval(x.shape, x.dtype)]


@eigh_p.def_jvp_call
def _eigh_jvp(
    linear: bool, primals: Any, tangents: Any, *, lower: bool, values_only: bool
) -> tuple:
    (x,), (x_t,) = primals, tangents
    if x_t is None:
        outs = eigh_p.bind(x, lower=lower, values_only=values_only)
        return outs, [None] * len(outs)
    # With M = V^H dA V: dw = diag(M) and dV = V (F * M), F having 1 / (w_j - w_i).
    values, vectors = eigh_p.bind(x, lower=lower, values_only=False)
    inner = matmul(adjoint(vectors), matmul(hermitian_from(x_t, lower), vectors))
    values_t = real(diagonal(inner))
    if values_only:
        return [values], [values_t]
    factor = like(_reciprocal_off_diagonal(_differences(values)), vectors)
    return [values, vectors], [values_t, matmul(vectors, arith.mul(factor, inner))]


eigh_p.def_batch(stack_batch(eigh_p))


# --- eig ---------------------------------------------------------------------------------------

eig_p = Primitive("eig", multiple_results=True)


def eig(x: Any) -> tuple[Any, Any]:
    """The eigenvalues and right eigenvectors of square matrices.

    Args:
      x: matrices of shape ``(*stack, n, n)``.

    Returns:
      The eigenvalues, in no order, and the eigenvectors, as columns of length 1 whose largest
      element is real; always complex.

    Raises:
      LinAlgError: when the iteration does not converge, or elements are not finite.

    >>> import numpy as np
    >>> values, vectors = eig(np.array([[0.0, -1.0], [1.0, 0.0]]))
    >>> values
    array([0.+1.j, 0.-1.j])
    """
    return tuple(eig_p.bind(matrices(x, "eig", True), values_only=False))


def eigvals(x: Any) -> Any:
    """The eigenvalues of square matrices, complex: see ``eig``."""
    return eig_p.bind(matrices(x, "eigvals", True), values_only=True)[0]


@eig_p.def_impl
def _eig_impl(x: Any, *, values_only: bool) -> list[Any]:
    dtype = complex_dtype(x.dtype)
    try:
        outs = [np.linalg.eigvals(x)] if values_only else np.linalg.eig(x)
    except LinAlgError:
        raise not_converged("eig") from None
    return [out.astype(dtype, copy=False) for out in outs]


@eig_p.def_abstract
def _eig_abstract(x: ShapedArray, *, values_only: bool) -> list[ShapedArray]:
    check_matrices("eig", x, True)
    dtype = complex_dtype(x.dtype)
    values = make_aval(x.shape[:-1], dtype)
    return [values] if values_only else [values, make_aval(x.shape, dtype)]


@eig_p.def_jvp_call
def _eig_jvp(linear: bool, primals: Any, tangents: Any, *, values_only: bool) -> tuple:
    (x,), (x_t,) = primals, tangents
    if x_t is None:
        outs = eig_p.bind(x, values_only=values_only)
        return outs, [None] * len(outs)
    # With M = V^-1 dA V: dw = diag(M) and dV = V (F * M + D), the diagonal D keeping the lengths
    # and the largest elements real.
    values, vectors = eig_p.bind(x, values_only=False)
    inner = solve_square(vectors, matmul(like(x_t, vectors), vectors))
    values_t = diagonal(inner)
    if values_only:
        return [values], [values_t]
    factor = _reciprocal_off_diagonal(_differences(values))
    moved = matmul(vectors, arith.mul(factor, inner))
    axis = x.ndim - 2
    along = real(reduce_sum(arith.mul(arith.conj(vectors), moved), (axis,)))
    largest = expand_dims(argmax(arith.abs(vectors), axis, _INDEX), (axis,))
    ratio = arith.div(take_along(moved, largest, axis), take_along(vectors, largest, axis))
    turned = arith.imag(reshape(ratio, along.shape))
    return [values, vectors], [
        values_t,
        minus(moved, times_diagonal(vectors, arith.complex(along, turned))),
    ]


eig_p.def_batch(stack_batch(eig_p))


# --- svd ---------------------------------------------------------------------------------------

svd_p = Primitive("svd", multiple_results=True)


def svd(x: Any, *, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decompositions of matrices.

    Args:
      x: matrices of shape ``(*stack, m, n)``.
      full_matrices: whether ``u`` and ``vh`` are square. If ``m`` and ``n`` differ, they have no
        derivative then.
      compute_uv: whether to compute them.

    Returns:
      ``(u, s, vh)``, where ``x = u @ diag(s) @ vh``; ``s`` alone without ``compute_uv``.

    Raises:
      LinAlgError: when the iteration does not converge.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.linalg.svd(np.array([[0.0, 2.0], [3.0, 0.0]]), compute_uv=False)
    array([3., 2.])
    """
    x = matrices(x, "svd")
    if not compute_uv:
        return svd_p.bind(x, full_matrices=False, compute_uv=False)[0]
    return tuple(svd_p.bind(x, full_matrices=bool(full_matrices), compute_uv=True))


@svd_p.def_impl
def _svd_impl(x: Any, *, full_matrices: bool, compute_uv: bool) -> list[Any]:
    try:
        if not compute_uv:
            return [np.linalg.svd(x, compute_uv=False)]
        return list(np.linalg.svd(x, full_matrices))
    except LinAlgError:
        raise not_converged("svd") from None


@svd_p.def_abstract
def _svd_abstract(x: ShapedArray, *, full_matrices: bool, compute_uv: bool) -> list[ShapedArray]:
    check_matrices("svd", x)
    *stack, m, n = x.shape
    k = min(m, n)
    values = make_aval((*stack, k), real_aval_dtype(x))
    if not compute_uv:
        return [values]
    left, right = (m, n) if full_matrices else (k, k)
    return [
        make_aval((*stack, m, left), x.dtype),
        values,
        make_aval((*stack, right, n), x.dtype),
    ]


@svd_p.def_jvp_call
def _svd_jvp(
    linear: bool, primals: Any, tangents: Any, *, full_matrices: bool, compute_uv: bool
) -> tuple:
    (x,), (x_t,) = primals, tangents
    if x_t is None:
        outs = svd_p.bind(x, full_matrices=full_matrices, compute_uv=compute_uv)
        return outs, [None] * len(outs)
    m, n = x.shape[-2:]
    if full_matrices and m != n:
        raise NonDifferentiableError(
            located(
                f"svd: of the full factors of a {m} x {n} matrix some columns are any orthonormal "
                "ones, and have no derivative",
                "What to do: use full_matrices=False.",
            )
        )
    u, s, vh = svd_p.bind(x, full_matrices=False, compute_uv=True)
    v = adjoint(vh)
    inner = matmul(adjoint(u), matmul(x_t, v))
    s_t = real(diagonal(inner))
    if not compute_uv:
        return [s], [s_t]
    u_t, v_t = _svd_vectors_jvp(u, s, v, x_t, inner)
    return [u, s, vh], [u_t, s_t, adjoint(v_t)]


def _svd_vectors_jvp(u: Any, s: Any, v: Any, x_t: Any, inner: Any) -> tuple[Any, Any]:
    """The tangents of ``u`` and ``v``, from that of ``x`` and ``inner = u^H dx v``."""
    k = s.shape[-1]
    columns, rows = rows_of(s, k), columns_of(s, k)
    # F has 1 / (s_j^2 - s_i^2), as a product, which does not lose small singular values.
    gap = arith.mul(arith.sub(columns, rows), arith.add(columns, rows))
    factor = like(_reciprocal_off_diagonal(gap), u)
    by_columns, by_rows = (arith.mul(inner, like(x, inner)) for x in (columns, rows))
    u_inner = arith.mul(factor, plus(by_columns, adjoint(by_columns)))
    v_inner = arith.mul(factor, plus(by_rows, adjoint(by_rows)))
    one = full_like(s, 1)
    if u.dtype.kind == "c":
        # Both vectors of a singular value may turn by one phase: it goes to u.
        safe = arith.select(arith.eq(s, zeros_like(s)), one, s)
        skew = arith.mul(minus(inner, adjoint(inner)), full_like(inner, 0.5))
        skew = times_diagonal(skew, like(arith.div(one, safe), skew))
        u_inner = on_diagonal(skew, u_inner)
    inverse = like(arith.div(one, s), u)
    u_t, v_t = matmul(u, u_inner), matmul(v, v_inner)
    m, n = x_t.shape[-2:]
    if m > k:  # what leads out of the space of the columns
        moved = matmul(x_t, v)
        out = minus(moved, matmul(u, matmul(adjoint(u), moved)))
        u_t = plus(u_t, times_diagonal(out, inverse))
    if n > k:
        moved = matmul(adjoint(x_t), u)
        out = minus(moved, matmul(v, matmul(adjoint(v), moved)))
        v_t = plus(v_t, times_diagonal(out, inverse))
    return u_t, v_t


svd_p.def_batch(stack_batch(svd_p))


# --- polar decomposition -----------------------------------------------------------------------


def _polar(x: Any) -> list[Any]:
    u, s, vh = svd_p.bind(x, full_matrices=False, compute_uv=True)
    return [matmul(u, vh), matmul(times_diagonal(adjoint(vh), like(s, vh)), vh)]


#: Operand: matrices with at least as many rows as columns. Results: ``u`` with orthonormal columns
#: and ``p``, Hermitian and not negative, with ``u p = x``.
polar_p = composed("polar", _polar)


@polar_p.def_jvp_call
def _polar_jvp(linear: bool, primals: Any, tangents: Any) -> tuple:
    # u^H du is skew-Hermitian, W, and W p + p W = u^H dx - dx^H u. Unlike those of singular vectors
    # it has a solution wherever p is regular.
    (x,), (x_t,) = primals, tangents
    u, p = polar_p.bind(x)
    if x_t is None:
        return [u, p], [None, None]
    seen = matmul(adjoint(u), x_t)
    turn = sylvester(p, p, minus(seen, adjoint(seen)))
    p_t = minus(seen, matmul(turn, p))
    u_t = matmul(u, turn)
    if x.shape[-2] > x.shape[-1]:  # what leads out of the space of the columns
        out = minus(x_t, matmul(u, seen))
        u_t = plus(u_t, adjoint(solve_square(p, adjoint(out))))
    return [u, p], [u_t, p_t]
