"""Products of traced values with SciPy's sparse arrays, by ``@`` and ``A.dot(x)``.

A sparse array is a constant: its product is a linear function of the other operand, made of a
gather, a multiplication and a sum. Where rows have about as many elements each, they are padded to
one length (the format called ELLPACK): compiled, that takes as long as SciPy's product. Otherwise
the sum is a scatter that adds, which takes a few times as long.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import get_aval
from ..lax import arithmetic as arith
from ..lax import indexing
from . import reductions, ufuncs
from .manipulation import transpose

#: How many times as much memory the padding may take.
_PADDING = 3


def is_sparse(x: Any) -> bool:
    """Whether something is a sparse array or matrix of SciPy's, of two dimensions."""
    sparse = sys.modules.get("scipy.sparse")  # without it there is none
    return sparse is not None and sparse.issparse(x) and x.ndim == 2


def times_array(matrix: Any, x: Any) -> Any:
    """``matrix @ x``.

    Args:
      matrix: a sparse array of shape ``(m, n)``.
      x: a traced value of shape ``(n,)`` or ``(n, k)``.

    Returns:
      A traced value of shape ``(m,)`` or ``(m, k)``.

    Raises:
      ValueError: for other shapes.
    """
    _check("n", matrix.shape, x.shape, matrix.shape[1], 0)
    return _product(matrix.tocsr(), x)


def array_times(x: Any, matrix: Any) -> Any:
    """``x @ matrix``, for ``x`` of shape ``(m,)`` or ``(k, m)``: as ``times_array``."""
    _check("m", x.shape, matrix.shape, matrix.shape[0], -1)
    out = _product(matrix.T.tocsr(), transpose(x))
    return transpose(out)


def _check(name: str, left: tuple, right: tuple, size: int, axis: int) -> None:
    array = right if axis == 0 else left
    if len(array) not in (1, 2) or array[axis] != size:
        raise ValueError(
            located(
                f"matmul of shapes {left} and {right}: a sparse array of (m, n) takes an array of "
                f"({name},) or {'(n, k)' if axis == 0 else '(k, m)'} on this side"
            )
        )


def _product(matrix: Any, x: Any) -> Any:
    dtype = np.result_type(matrix.dtype, get_aval(x).dtype)
    if dtype == np.bool_:  # sums of bools, as SciPy has them
        return arith.ne(_product(matrix.astype(np.int64), x), np.int64(0))
    x = arith.convert_element_type(x, dtype)
    counts = np.diff(matrix.indptr)
    rows, width = matrix.shape[0], int(counts.max(initial=0))
    data, columns = matrix.data.astype(dtype), matrix.indices.astype(np.int64)
    row = np.repeat(np.arange(rows), counts)
    if width * rows > _PADDING * matrix.nnz:
        zeros = np.zeros((rows, *x.shape[1:]), dtype)
        return indexing.scatter_add(zeros, [row], _terms(x, columns, data), (0,))
    # The n-th elements of all rows together. Where a row has fewer, the column is out of bounds and
    # gives a zero, and not 0 * x[...], which is NaN for infinite elements.
    place = np.arange(matrix.nnz) - matrix.indptr[row], row
    padded = np.full((width, rows), x.shape[0]), np.zeros((width, rows), dtype)
    padded[0][place], padded[1][place] = columns, data
    return reductions.sum(_terms(x, *padded), axis=0, dtype=dtype)


def _terms(x: Any, columns: np.ndarray, data: np.ndarray) -> Any:
    """The elements of a matrix times the elements or rows of ``x`` that they meet."""
    taken = indexing.gather(x, [columns], (0,), mode="zero")
    return ufuncs.multiply(data.reshape(data.shape + (1,) * (x.ndim - 1)), taken)
