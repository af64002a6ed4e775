"""Matrices that few numbers make, and equations with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import located
from ..lax import arithmetic as arith
from ..lax import equations, matrices, structural
from ..lax.slicing import index_in_dim
from ..numpy import linalg as nla
from ..numpy import picking, ufuncs
from ..numpy.arguments import common_dtype, operand
from ..numpy.dispatch import implements
from ..numpy.joining import concatenate, stack
from ..numpy.linear import matmul
from ..numpy.manipulation import ravel, reshape
from ._implements import as_in_scipy, scipy


def _conj(x: Any) -> Any:
    return arith.conj(x) if x.dtype.kind == "c" else x


def _column_and_row(c_or_cr: Any) -> tuple[Any, Any]:
    """The arguments of a function that takes a column, or a tuple of a column and a row."""
    if isinstance(c_or_cr, tuple):
        column, row = (operand(x) for x in c_or_cr)
        return column, row
    column = operand(c_or_cr)
    return column, _conj(column)


@as_in_scipy
def toeplitz(c: Any, r: Any = None) -> Any:
    """As ``scipy.linalg.toeplitz``, on arrays and traced values."""
    column, row = _column_and_row(c if r is None else (c, r))
    column, row = common_dtype([column, row])
    m, n = column.shape[-1], row.shape[-1]
    values = concatenate([column[..., ::-1], row[..., 1:]], axis=-1)
    places = np.arange(m)[::-1, None] + np.arange(n)
    return picking.take(values, places, axis=-1)


@as_in_scipy
def circulant(c: Any) -> Any:
    """As ``scipy.linalg.circulant``, on arrays and traced values."""
    c = operand(c)
    n = c.shape[-1]
    return picking.take(c, (np.arange(n)[:, None] - np.arange(n)) % max(n, 1), axis=-1)


@as_in_scipy
def hankel(c: Any, r: Any = None) -> Any:
    """As ``scipy.linalg.hankel``, on arrays and traced values."""
    column = operand(c)
    row = ufuncs.multiply(column, 0) if r is None else operand(r)
    column, row = common_dtype([column, row])
    m, n = column.shape[-1], row.shape[-1]
    values = concatenate([column, row[..., 1:]], axis=-1)
    return picking.take(values, np.arange(m)[:, None] + np.arange(n), axis=-1)


@as_in_scipy
def companion(a: Any) -> Any:
    """As ``scipy.linalg.companion``, on arrays and traced values."""
    a = nla.inexact(a)
    first = ufuncs.negative(ufuncs.divide(a[..., 1:], a[..., :1]))
    n = first.shape[-1]
    rest = np.broadcast_to(np.eye(n - 1, n, dtype=a.dtype), (*first.shape[:-1], n - 1, n))
    return concatenate([structural.expand_dims(first, (first.ndim - 1,)), rest], axis=-2)


@as_in_scipy
def leslie(f: Any, s: Any) -> Any:
    """As ``scipy.linalg.leslie``, on arrays and traced values."""
    f, s = common_dtype([operand(f), operand(s)])
    n = f.shape[-1]
    survivors = ufuncs.multiply(np.eye(n - 1, n, dtype=bool), structural.expand_dims(s, (s.ndim,)))
    return concatenate([structural.expand_dims(f, (f.ndim - 1,)), survivors], axis=-2)


@as_in_scipy
def fiedler(a: Any) -> Any:
    """As ``scipy.linalg.fiedler``, on arrays and traced values."""
    a = operand(a)
    n = a.shape[-1]
    return ufuncs.absolute(arith.sub(matrices.columns_of(a, n), matrices.rows_of(a, n)))


@as_in_scipy
def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """As ``scipy.linalg.convolution_matrix``, on arrays and traced values."""
    if mode not in ("full", "valid", "same"):
        raise ValueError(located("'mode' argument must be one of ('full', 'valid', 'same')"))
    a = operand(a)
    m = a.shape[-1]
    edge = np.zeros((*a.shape[:-1], n - 1), a.dtype)
    row = concatenate([a[..., :1], edge], axis=-1)
    full = toeplitz(concatenate([a, edge], axis=-1), row)
    if mode == "full":
        return full
    # As numpy.convolve cuts the result of the longer one by the shorter one.
    short, long = min(m, n), max(m, n)
    start = short - 1 if mode == "valid" else (short - 1) // 2
    return full[..., start : start + (long - short + 1 if mode == "valid" else long), :]


@as_in_scipy
def khatri_rao(a: Any, b: Any) -> Any:
    """As ``scipy.linalg.khatri_rao``, on arrays and traced values."""
    a, b = operand(a), operand(b)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-1]:
        raise ValueError(
            located(f"khatri_rao takes matrices with as many columns, got {a.shape} and {b.shape}")
        )
    out = ufuncs.multiply(a[..., :, None, :], b[..., None, :, :])
    return reshape(out, (*out.shape[:-3], a.shape[-2] * b.shape[-2], a.shape[-1]))


@implements(scipy.linalg.block_diag)
def block_diag(*arrs: Any) -> Any:
    """As ``scipy.linalg.block_diag``, on arrays and traced values."""
    blocks = common_dtype([operand(a) for a in arrs])
    blocks = [reshape(b, (1, b.size)) if b.ndim < 2 else b for b in blocks]
    width = sum(b.shape[-1] for b in blocks)
    rows, start = [], 0
    for block in blocks:
        if block.ndim != 2:
            raise ValueError(
                located(f"arguments in the following positions have dimension greater than 2: "
                        f"shape {block.shape}")
            )  # fmt: skip
        height, columns = block.shape
        before = np.zeros((height, start), block.dtype)
        start += columns
        after = np.zeros((height, width - start), block.dtype)
        rows.append(concatenate([before, block, after], axis=1))
    return concatenate(rows, axis=0)


# --- equations ---------------------------------------------------------------------------------


@as_in_scipy
def solve_toeplitz(c_or_cr: Any, b: Any) -> Any:
    """As ``scipy.linalg.solve_toeplitz``, on arrays and traced values, by LU factors."""
    column, row = _column_and_row(c_or_cr)
    return nla.solve(toeplitz(column, row), b)


@as_in_scipy
def matmul_toeplitz(c_or_cr: Any, x: Any) -> Any:
    """As ``scipy.linalg.matmul_toeplitz``, on arrays and traced values."""
    column, row = _column_and_row(c_or_cr)
    return matmul(toeplitz(column, row), x)


@as_in_scipy
def solve_circulant(c: Any, b: Any) -> Any:
    """As ``scipy.linalg.solve_circulant`` with its first axes, by LU factors."""
    return nla.solve(circulant(c), b)


@as_in_scipy
def solve_banded(l_and_u: tuple[int, int], ab: Any, b: Any) -> Any:
    """As ``scipy.linalg.solve_banded``, on arrays and traced values."""
    lower, upper = l_and_u
    return _solve_bands("solve_banded", ab, b, lower, upper, False)


@as_in_scipy
def solveh_banded(ab: Any, b: Any, lower: bool = False) -> Any:
    """As ``scipy.linalg.solveh_banded``, on arrays and traced values."""
    bands, count = hermitian_bands(nla.inexact(ab), lower)
    return _solve_bands("solveh_banded", bands, b, count, count, True)


def hermitian_bands(ab: Any, lower: bool) -> tuple[Any, int]:
    """All diagonals of a Hermitian matrix, of which some are given, and how many there are on each
    side of the main one."""
    axis, count = ab.ndim - 2, ab.shape[-2] - 1
    rows = [index_in_dim(ab, k, axis, False) for k in range(count + 1)]
    last = ab.ndim - 2
    if lower:
        below = rows
    else:
        below = [equations.shifted(_conj(rows[count - k]), k, last) for k in range(count + 1)]
    main = matrices.like(matrices.real(below[0]), below[0])
    above = [equations.shifted(_conj(below[k]), -k, last) for k in range(count, 0, -1)]
    return stack([*above, main, *below[1:]], axis=axis), count


def dense_from_bands(ab: Any, lower: bool) -> Any:
    """The Hermitian matrix of some diagonals."""
    bands, count = hermitian_bands(ab, lower)
    n = bands.shape[-1]
    row, column = np.indices((n, n))
    place = count + row - column
    inside = (place >= 0) & (place <= 2 * count)
    flat = reshape(bands, (*bands.shape[:-2], (2 * count + 1) * n))
    entries = picking.take(flat, np.where(inside, place * n + column, 0), axis=-1)
    return ufuncs.where(inside, entries, entries.dtype.type(0))


def _solve_bands(name: str, bands: Any, b: Any, lower: int, upper: int, positive: bool) -> Any:
    bands, right = common_dtype([nla.inexact(bands), nla.inexact(b)])
    if bands.ndim < 2 or bands.shape[-2] != lower + upper + 1:
        raise ValueError(
            located(
                f"invalid values for the number of lower and upper diagonals: l+u+1 "
                f"({lower + upper + 1}) does not equal ab.shape[0] ({bands.shape[:-1]})"
            )
        )
    vector = right.ndim == 1
    right = structural.expand_dims(right, (1,)) if vector else right
    if right.shape[-2] != bands.shape[-1]:
        raise ValueError(located(f"{name}: shapes of ab and b are not compatible."))
    out = equations.banded_solve(bands, right, lower, upper, positive)
    return ravel(out) if vector else out


#: Those that are made of numbers only, which are never traced.
STATIC = [
    "dft",
    "hadamard",
    "helmert",
    "hilbert",
    "invhilbert",
    "invpascal",
    "pascal",
]
