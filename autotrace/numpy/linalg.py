"""numpy.linalg on arrays and traced values; plain ``numpy.linalg`` calls come here too.

What NumPy reads of a Hermitian matrix, one triangle, is what has a derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import index as as_int
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from ..core.avals import is_inexact
from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import equations, factorizations, matrices, spectral, structural
from ..lax.families import real_dtype
from . import linear as products
from . import picking, promotion, reductions, ufuncs
from .arguments import common_dtype, normal_axes, normal_axis, operand, unsupported
from .creation import eye
from .dispatch import implements, traced
from .manipulation import matrix_transpose, moveaxis, ravel
from .sorting import argsort, sort

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]

_linalg = np.linalg
# The named tuples that NumPy's functions return.
_EigResult = type(_linalg.eig(np.eye(1)))
_EighResult = type(_linalg.eigh(np.eye(1)))
_QRResult: Any = type(_linalg.qr(np.eye(1)))
_SlogdetResult = type(_linalg.slogdet(np.eye(1)))
_SVDResult = type(_linalg.svd(np.eye(1)))


# --- arguments ---------------------------------------------------------------------------------


def inexact(x: Any) -> Any:
    """An operand of a floating or complex dtype."""
    x = operand(x)
    return x if is_inexact(x.dtype) else arith.convert_element_type(x, np.float64)


def matrix(name: str, a: Any, square: bool = False) -> Any:
    """An argument that is a matrix or a stack of them.

    Raises:
      LinAlgError: for another shape.
      TypeError: for float16, as NumPy.
    """
    x = inexact(a)
    matrices.check_matrices(name, x, square)
    return x


def triangle(name: str, letter: str) -> bool:
    """Whether ``UPLO`` says the lower triangle."""
    if str(letter).upper() not in ("L", "U"):
        raise ValueError(located(f"{name}: UPLO argument must be 'L' or 'U', got {letter!r}"))
    return letter.upper() == "L"


# --- factors -----------------------------------------------------------------------------------


@implements(_linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """As ``numpy.linalg.cholesky``, on arrays and traced values; the derivative is that with
    respect to the triangle that is read."""
    x = matrix("cholesky", a, True)
    # The lower triangle of the adjoint is what stands in the upper one.
    factor = factorizations.cholesky_p.bind(matrices.adjoint(x) if upper else x)
    return matrices.adjoint(factor) if upper else factor


@implements(_linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """As ``numpy.linalg.qr``, on arrays and traced values; of modes reduced, complete and r."""
    if mode not in ("reduced", "complete", "r"):
        if mode == "raw":
            raise unsupported("linalg.qr", "mode='raw'")
        raise ValueError(located(f"Unrecognized mode '{mode}'"))
    x = matrix("qr", a)
    q, r = factorizations.qr_p.bind(x, full_matrices=mode == "complete")
    return r if mode == "r" else _QRResult(q, r)


@implements(_linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """As ``numpy.linalg.svd``, on arrays and traced values; the singular vectors have derivatives
    where the singular values differ."""
    x = matrix("svd", a, hermitian)
    if hermitian:
        return _hermitian_svd(x, compute_uv)
    if not compute_uv:
        return svdvals(x)
    return _SVDResult(*spectral.svd_p.bind(x, full_matrices=bool(full_matrices), compute_uv=True))


def _hermitian_svd(x: Any, compute_uv: bool) -> Any:
    if not compute_uv:
        return picking.flip(sort(ufuncs.absolute(eigvalsh(x))), -1)
    values, u = eigh(x)
    order = picking.flip(argsort(ufuncs.absolute(values)), -1)
    values = picking.take_along_axis(values, order, -1)
    u = picking.take_along_axis(u, matrices.rows_of(order, u.shape[-2]), -1)
    signed = ufuncs.multiply(u, matrices.rows_of(ufuncs.sign(values), u.shape[-2]))
    return _SVDResult(u, ufuncs.absolute(values), matrices.adjoint(signed))


@implements(_linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """As ``numpy.linalg.svdvals``, on arrays and traced values."""
    x = matrix("svdvals", x)
    return spectral.svd_p.bind(x, full_matrices=False, compute_uv=False)[0]


# --- eigenvalues -------------------------------------------------------------------------------


@implements(_linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803  NumPy's name
    """As ``numpy.linalg.eigh``, on arrays and traced values; the eigenvectors have derivatives
    where the eigenvalues differ."""
    x, lower = matrix("eigh", a, True), triangle("eigh", UPLO)
    return _EighResult(*spectral.eigh_p.bind(x, lower=lower, values_only=False))


@implements(_linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803  NumPy's name
    """As ``numpy.linalg.eigvalsh``, on arrays and traced values."""
    x, lower = matrix("eigvalsh", a, True), triangle("eigvalsh", UPLO)
    return spectral.eigh_p.bind(x, lower=lower, values_only=True)[0]


@implements(_linalg.eig)
def eig(a: Any) -> Any:
    """As ``numpy.linalg.eig``, on arrays and traced values; of these the results are complex."""
    return _EigResult(*spectral.eig_p.bind(matrix("eig", a, True), values_only=False))


@implements(_linalg.eigvals)
def eigvals(a: Any) -> Any:
    """As ``numpy.linalg.eigvals``, on arrays and traced values; of these the results are
    complex."""
    return spectral.eig_p.bind(matrix("eigvals", a, True), values_only=True)[0]


# --- equations ---------------------------------------------------------------------------------


def solved(name: str, a: Any, b: Any, solve_matrices: Callable[[Any, Any], Any]) -> Any:
    """Solve equations whose right sides are a vector or (stacks of) matrices.

    Args:
      name: the function, for messages.
      a: matrices.
      b: a vector, or matrices.
      solve_matrices: for matrices of one dtype and one stack.
    """
    x, y = common_dtype([inexact(a), inexact(b)])
    matrices.check_matrices(name, x, True)
    vector = y.ndim == 1
    if vector:
        y = structural.expand_dims(y, (1,))
    matrices.check_matrices(name, y)
    if y.shape[-2] != x.shape[-1]:
        raise ValueError(
            located(
                f"{name}: the right side has {y.shape[-2]} rows and the matrix {x.shape[-1]}: "
                f"shapes {x.shape} and {y.shape[:-1] if vector else y.shape} do not fit"
            )
        )
    stack = promotion.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (promotion.broadcast_to(z, (*stack, *z.shape[-2:])) for z in (x, y))
    out = solve_matrices(x, y)
    return structural.reshape(out, out.shape[:-1]) if vector else out


@implements(_linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """As ``numpy.linalg.solve``, on arrays and traced values."""
    return solved("solve", a, b, equations.solve_square)


@implements(_linalg.inv)
def inv(a: Any) -> Any:
    """As ``numpy.linalg.inv``, on arrays and traced values."""
    return equations.inverse(matrix("inv", a, True))


@implements(_linalg.det)
def det(a: Any) -> Any:
    """As ``numpy.linalg.det``, on arrays and traced values; singular matrices have a gradient."""
    return equations.det_p.bind(matrix("det", a, True))[0]


@implements(_linalg.slogdet)
def slogdet(a: Any) -> Any:
    """As ``numpy.linalg.slogdet``, on arrays and traced values."""
    return _SlogdetResult(*equations.slogdet_p.bind(matrix("slogdet", a, True)))


@implements(_linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    """As ``numpy.linalg.pinv``, on arrays and traced values; the derivative is that among matrices
    of the same rank."""
    x = matrix("pinv", a, hermitian)
    if rcond is not None and rtol is not np._NoValue:
        raise ValueError(located("`rtol` and `rcond` can't be both set."))
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
        if rcond is None:
            rcond = float(max(x.shape[-2:]) * np.finfo(x.dtype).eps)
    return equations.pinv(x, operand(rcond), bool(hermitian))


@implements(_linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """As ``numpy.linalg.lstsq``, on arrays and traced values; of these the sums of squared
    residuals come for every matrix with more rows than columns, whatever its rank."""
    x, y = common_dtype([inexact(a), inexact(b)])
    vector = y.ndim == 1
    y = structural.expand_dims(y, (1,)) if vector else y
    for z in (x, y):
        matrices.check_matrices("lstsq", z)
        if z.ndim != 2:
            raise LinAlgError(located(f"lstsq: {z.ndim}-dimensional array given; must be 2"))
    m, n = x.shape
    if m != y.shape[0]:
        raise LinAlgError(
            located(f"lstsq: Incompatible dimensions: {m} rows and {y.shape[0]} right sides")
        )
    eps = float(np.finfo(x.dtype).eps)
    cut = eps * max(m, n) if rcond is None else rcond
    cut = eps if np.isscalar(cut) and cut == -1 else cut
    solution = products.matmul(equations.pinv(x, operand(cut)), y)
    values = svdvals(x)
    rank = _count_above(values, cut)
    rank = arith.convert_element_type(rank, np.int32)
    residuals: Any = np.zeros(0, real_dtype(x.dtype))
    if m > n:
        rest = ufuncs.absolute(arith.sub(y, products.matmul(x, solution)))
        residuals = reductions.sum(ufuncs.square(rest), 0)
    if vector:
        solution = structural.reshape(solution, (n,))
    return solution, residuals, rank, values


def _count_above(values: Any, part: Any) -> Any:
    """How many singular values are above a part of the largest one."""
    if not values.shape[-1]:
        return structural.reduce_sum(values, (values.ndim - 1,)).astype(np.int64)
    least = ufuncs.multiply(reductions.max(values, -1, keepdims=True), part)
    return picking.count_nonzero(ufuncs.greater(values, least), -1)


@implements(_linalg.matrix_rank)
def matrix_rank(
    A: Any,  # noqa: N803  NumPy's name
    tol: Any = None,
    hermitian: bool = False,
    *,
    rtol: Any = None,
) -> Any:
    """As ``numpy.linalg.matrix_rank``, on arrays and traced values."""
    if rtol is not None and tol is not None:
        raise ValueError(located("`tol` and `rtol` can't be both set."))
    x = inexact(A)
    if x.ndim < 2:
        return arith.convert_element_type(reductions.any(ufuncs.not_equal(x, 0)), np.int64)
    values = svd(x, compute_uv=False, hermitian=hermitian)
    if tol is None:
        if rtol is None:
            rtol = max(x.shape[-2:]) * np.finfo(values.dtype).eps
        return _count_above(values, _with_axis(rtol))
    return picking.count_nonzero(ufuncs.greater(values, _with_axis(tol)), -1)


def _with_axis(x: Any) -> Any:
    x = operand(x)
    return structural.expand_dims(x, (x.ndim,))


@implements(_linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Any:
    """As ``numpy.linalg.matrix_power``, on arrays and traced values."""
    try:
        n = as_int(n)
    except TypeError:
        raise TypeError(located("exponent must be an integer")) from None
    x = operand(a)
    if n < 0 or is_inexact(x.dtype):
        x = matrix("matrix_power", x, True)
    elif x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        matrix("matrix_power", x, True)
    if n == 0:
        return promotion.broadcast_to(eye(x.shape[-1], dtype=x.dtype), x.shape)
    if n < 0:
        x, n = inv(x), -n
    out = None
    while n:
        if n & 1:
            out = x if out is None else products.matmul(out, x)
        n >>= 1
        if n:
            x = products.matmul(x, x)
    return out


@implements(_linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """As ``numpy.linalg.tensorsolve``, on arrays and traced values."""
    x, y = operand(a), operand(b)
    if axes is not None:
        moved = [normal_axis(d, x.ndim) for d in axes]
        order = [d for d in range(x.ndim) if d not in moved] + moved
        x = structural.transpose(x, order)
    shape = x.shape[y.ndim :]
    size = int(np.prod(shape, dtype=int))
    if x.size != size**2:
        raise LinAlgError(
            located(
                "tensorsolve: Input arrays must satisfy the requirement "
                "prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
            )
        )
    out = solve(structural.reshape(x, (size, size)), ravel(y))
    return structural.reshape(out, shape)


@implements(_linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """As ``numpy.linalg.tensorinv``, on arrays and traced values."""
    x = operand(a)
    if ind <= 0:
        raise ValueError(located("Invalid ind argument."))
    rows, columns = x.shape[:ind], x.shape[ind:]
    count = int(np.prod(columns, dtype=int))
    out = inv(structural.reshape(x, (x.size // max(count, 1), count)))
    return structural.reshape(out, (*columns, *rows))


# --- norms -------------------------------------------------------------------------------------


def _absolute_square(x: Any) -> Any:
    if x.dtype.kind == "c":
        real, imag = arith.real(x), arith.imag(x)
        return arith.add(arith.mul(real, real), arith.mul(imag, imag))
    return arith.mul(x, x)


def _vector_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if order is None or order == 2:
        total = structural.reduce_sum(_absolute_square(x), axes)
        return reductions.keeping(reductions.root(total), x, axes, keepdims)
    size = ufuncs.absolute(x)
    if order == np.inf:
        return reductions.max(size, axes, keepdims=keepdims)
    if order == -np.inf:
        return reductions.min(size, axes, keepdims=keepdims)
    if order == 0:
        some = ufuncs.not_equal(x, 0)
        return reductions.sum(arith.convert_element_type(some, size.dtype), axes, keepdims=keepdims)
    if order == 1:
        return reductions.sum(size, axes, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(located(f"Invalid norm order '{order}' for vectors"))
    total = reductions.sum(ufuncs.power(size, order), axes, keepdims=keepdims)
    inverse = np.reciprocal(order, dtype=total.dtype)
    if order < 1:  # 0 to such a power is infinite, or its slope is
        return ufuncs.power(total, inverse)
    return reductions.root(total, lambda x: ufuncs.power(x, inverse))


def _of_singular_values(order: Any) -> Callable[..., Any] | None:
    """What a norm of matrices makes of the singular values."""
    if isinstance(order, str):
        return reductions.sum if order == "nuc" else None
    return {2: reductions.max, -2: reductions.min}.get(order)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if order is None or (isinstance(order, str) and order in ("f", "fro")):
        return _vector_norm(x, None, axes, keepdims)
    row, column = axes
    if row == column:
        raise ValueError(located("Duplicate axes given."))
    fold = _of_singular_values(order)
    if fold is not None:
        values = svdvals(moveaxis(x, axes, (-2, -1)))
        return reductions.keeping(fold(values, -1), x, axes, keepdims)
    if isinstance(order, str) or order not in (1, -1, np.inf, -np.inf):
        raise ValueError(located(f"Invalid norm order {order!r} for matrices."))
    size = ufuncs.absolute(x)
    summed, then = (row, column) if abs(order) == 1 else (column, row)
    find = reductions.max if order > 0 else reductions.min
    out = find(reductions.sum(size, summed, keepdims=True), then, keepdims=True)
    if keepdims:
        return out
    return structural.reshape(out, tuple(n for d, n in enumerate(out.shape) if d not in axes))


@implements(_linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    """As ``numpy.linalg.norm``, on arrays and traced values; the derivative of the 2-norm of
    vectors and of the Frobenius norm at the origin is 0."""
    x = inexact(x)
    if axis is None:
        if ord is None or (ord == 2 and x.ndim == 1) or (ord in ("f", "fro") and x.ndim == 2):
            return _vector_norm(x, None, tuple(range(x.ndim)), keepdims)
        axes = tuple(range(x.ndim))
    else:
        axes = normal_axes(axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(located("Improper number of dimensions to norm."))
    return _matrix_norm(x, ord, axes, keepdims)


@implements(_linalg.vector_norm)
def vector_norm(
    x: Any,
    /,
    *,
    axis: Any = None,
    keepdims: bool = False,
    ord: Any = 2,  # noqa: A002
) -> Any:
    """As ``numpy.linalg.vector_norm``, on arrays and traced values; the derivative of the 2-norm
    at the origin is 0."""
    x = inexact(x)
    axes = tuple(range(x.ndim)) if axis is None else normal_axes(axis, x.ndim)
    return _vector_norm(x, ord, axes, keepdims)


@implements(_linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:  # noqa: A002
    """As ``numpy.linalg.matrix_norm``, on arrays and traced values."""
    x = inexact(x)
    if x.ndim < 2:
        matrices.check_matrices("matrix_norm", x)
    return _matrix_norm(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


@implements(_linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """As ``numpy.linalg.cond``, on arrays and traced values; of these singular matrices have none
    in norms other than 2 and -2."""
    x = matrix("cond", x)
    if not x.size:
        raise LinAlgError(located("cond is not defined on empty arrays"))
    axes = (x.ndim - 2, x.ndim - 1)
    if p is None or p in (2, -2):
        values = svdvals(x)
        largest, least = values[..., 0], values[..., -1]
        ratio = ufuncs.divide(*((least, largest) if p == -2 else (largest, least)))
    else:
        matrices.check_matrices("cond", x, True)
        ratio = ufuncs.multiply(
            _matrix_norm(x, p, axes, False), _matrix_norm(inv(x), p, axes, False)
        )
    # That of a matrix of zeros is infinite; that of one with NaN is NaN.
    unknown = ufuncs.logical_and(
        ufuncs.isnan(ratio), ufuncs.logical_not(reductions.any(ufuncs.isnan(x), axes))
    )
    return ufuncs.where(unknown, ratio.dtype.type(np.inf), ratio)


# --- products and parts ------------------------------------------------------------------------


@implements(_linalg.multi_dot)
def multi_dot(arrays: Any) -> Any:
    """As ``numpy.linalg.multi_dot``, on arrays and traced values."""
    parts = [operand(a) for a in arrays]
    if len(parts) < 2:
        raise ValueError(located("Expecting at least two arrays."))
    first, last = parts[0], parts[-1]
    count = len(parts)
    labels = [products._LETTERS[n : n + 2] for n in range(count)]
    wanted = products._LETTERS[0] + products._LETTERS[count]
    if first.ndim == 1:
        labels[0], wanted = labels[0][1:], wanted[1:]
    if last.ndim == 1:
        labels[-1], wanted = labels[-1][:1], wanted[:-1]
    return products.einsum(",".join(labels) + "->" + wanted, *parts)


def _as_in_linalg(function: Callable) -> Callable:
    """``implements`` for the functions of ``numpy.linalg`` that ``numpy`` has too."""
    name = function.__name__
    function.__doc__ = f"As ``numpy.linalg.{name}``, on arrays and traced values."
    return implements(getattr(_linalg, name))(function)


@_as_in_linalg
def tensordot(a: Any, b: Any, /, *, axes: Any = 2) -> Any:
    return products.tensordot(a, b, axes)


@_as_in_linalg
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return products.vecdot(x1, x2, axis=axis)


@_as_in_linalg
def outer(x1: Any, x2: Any, /) -> Any:
    return products.outer(x1, x2)


@_as_in_linalg
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return products.cross(x1, x2, axis=axis)


@_as_in_linalg
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return picking.diagonal(x, offset, -2, -1)


@_as_in_linalg
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return picking.trace(x, offset, -2, -1, dtype)


matmul = products.matmul
traced[_linalg.matmul] = matmul
traced[_linalg.matrix_transpose] = matrix_transpose
