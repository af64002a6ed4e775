"""What the primitives of linear algebra share: they work on stacks of matrices.

An operand has the shape ``(*stack, rows, columns)``, and all operands of a primitive have the same
stack, so batching only adds a dimension in front.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray
from ..core.errors import located
from ..core.jaxpr import Jaxpr
from ..core.primitive import Primitive
from ..transforms.batch import Axis
from ..transforms.simplify import Inline, View
from ..transforms.stage import JaxprTrace
from . import arithmetic as arith
from .families import add_p, real_dtype
from .linear import dot_general
from .slicing import slice as slice_array
from .structural import (
    array,
    batched_at,
    broadcast_in_dim,
    full_like,
    insert_axis,
    move_axis,
    reduce_sum,
    reshape,
    transpose,
    zeros_like,
)

LinAlgError = np.linalg.LinAlgError

_SINGULAR = (
    "What to do: look at the matrix that this line gets; np.linalg.pinv and np.linalg.lstsq take "
    "singular ones."
)


def singular(why: str) -> LinAlgError:
    """The error for a matrix that has no inverse."""
    return LinAlgError(located(f"Singular matrix: {why}", _SINGULAR))


def not_converged(name: str) -> LinAlgError:
    """The error for an iteration of LAPACK's that does not end; NaN or infinite elements do it."""
    return LinAlgError(
        located(
            f"{name} did not converge",
            "What to do: look for NaN and infinite elements of the matrix that this line gets.",
        )
    )


def not_positive_definite(name: str) -> LinAlgError:
    """The error for a matrix that has no Cholesky factor."""
    return LinAlgError(
        located(
            f"{name}: Matrix is not positive definite",
            "What to do: add a small multiple of the identity (jitter), or use np.linalg.eigh or "
            "np.linalg.solve,\nwhich take any symmetric matrix.",
        )
    )


def check_matrices(name: str, x: Any, square: bool = False) -> None:
    """Check an operand's type.

    Raises:
      TypeError: for other dtypes than float32, float64, complex64 and complex128.
      LinAlgError: for vectors and scalars, and, with ``square``, for matrices that are not.
    """
    if x.dtype.kind not in "fc" or x.dtype == np.float16:
        raise TypeError(f"array type {x.dtype} is unsupported in linear algebra ({name})")
    if len(x.shape) < 2:
        raise LinAlgError(
            located(
                f"{name} takes a matrix or a stack of matrices, of at least two dimensions; "
                f"got an array of {len(x.shape)}, of shape {x.shape}"
            )
        )
    if square and x.shape[-1] != x.shape[-2]:
        raise LinAlgError(
            located(
                f"{name}: Last 2 dimensions of the array must be square; got an array of shape "
                f"{x.shape}"
            )
        )


def check_stacks(name: str, *operands: ShapedArray) -> None:
    """Raise TypeError unless operands have one dtype and one stack."""
    first = operands[0]
    for other in operands[1:]:
        if other.dtype != first.dtype or other.shape[:-2] != first.shape[:-2]:
            raise TypeError(
                f"{name} takes operands of one dtype and with the same leading dimensions, got "
                f"{' and '.join(map(str, operands))}"
            )


# --- rules that all share ----------------------------------------------------------------------


def stack_batch(primitive: Primitive) -> Callable:
    """The batching rule: the batch is one more dimension of the stack."""

    def rule(axis: Axis, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple:
        aligned = [batched_at(x, d, axis) for x, d in zip(args, dims, strict=True)]
        out = primitive.bind(*aligned, **params)
        return out, [0] * len(out) if primitive.multiple_results else 0

    return rule


def solve_batch(primitive: Primitive) -> Callable:
    """The batching rule of a primitive of matrices and of right sides, which stand in columns: if
    the matrix is the same for all, the batch is more right sides."""
    stacked = stack_batch(primitive)

    def rule(axis: Axis, args: Any, dims: Any, **params: Any) -> tuple:
        a, b = args
        if dims[0] is not None or a.ndim > 2:
            return stacked(axis, args, dims, **params)
        b = move_axis(b, dims[1], 2)
        n, k, size = b.shape
        out = primitive.bind(a, reshape(b, (n, k * size)), **params)
        if primitive.multiple_results:
            return [reshape(out[0], b.shape)], [2]
        return reshape(out, b.shape), 2

    return rule


def composed(
    name: str,
    function: Callable[..., list[Any]],
    inline: bool = True,
    batch: Callable[[Primitive], Callable] = stack_batch,
) -> Primitive:
    """A primitive that is made of others but has a derivative of its own.

    Its derivative rule is for its caller to set.

    Args:
      name: the primitive's.
      function: ``(*arrays, **params) -> list of arrays``, for stacks of matrices.
      inline: whether it gives way, in a program, to what it is made of.
      batch: makes its batching rule.
    """
    primitive = Primitive(name, multiple_results=True)

    @functools.lru_cache(maxsize=1024)
    def staged(avals: tuple[ShapedArray, ...], params: tuple) -> Jaxpr:
        # Without locations: its equations take that of the one which they stand for.
        trace = JaxprTrace("simplification", locate=False)
        with trace:
            inputs = [trace.new_input(a) for a in avals]
            return trace.program(function(*inputs, **dict(params)))

    def of(avals: Sequence[ShapedArray], params: dict) -> Jaxpr:
        return staged(tuple(avals), tuple(sorted(params.items())))

    def simplify(view: View, args: Sequence[Any], params: dict) -> Inline:
        return Inline(of([a.aval for a in args], params), args)

    primitive.def_impl(function)
    primitive.def_abstract(lambda *avals, **params: list(of(avals, params).out_avals))
    if inline:
        primitive.def_simplify(simplify)
    primitive.def_batch(batch(primitive))
    return primitive


def each(x: np.ndarray, *shape: int) -> np.ndarray:
    """A stack of anything as a stack of one dimension, for a loop over it."""
    return np.reshape(x, (-1, *shape)) if x.size else np.reshape(x, (_stack_size(x, shape), *shape))


def _stack_size(x: np.ndarray, shape: tuple[int, ...]) -> int:
    return math.prod(x.shape[: x.ndim - len(shape)])


# --- operations on stacks of matrices ----------------------------------------------------------


def mt(x: Any) -> Any:
    """The transposes."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def conj(x: Any) -> Any:
    """The conjugate; a real array as it is."""
    return arith.conj(x) if x.dtype.kind == "c" else x


def real(x: Any) -> Any:
    """The real part; a real array as it is."""
    return arith.real(x) if x.dtype.kind == "c" else x


def adjoint(x: Any) -> Any:
    """The conjugate transposes."""
    return conj(mt(x))


def like(x: Any, other: Any) -> Any:
    """An array in the dtype of another."""
    return arith.convert_element_type(x, other.dtype)


def matmul(x: Any, y: Any) -> Any:
    """The products of two stacks' matrices."""
    stack = tuple(range(x.ndim - 2))
    return dot_general(x, y, (((x.ndim - 1,), (x.ndim - 2,)), (stack, stack)))


def plus(x: Any, y: Any) -> Any:
    """The sum of two tangents, either of which may be None for zero."""
    if x is None or y is None:
        return y if x is None else x
    return add_p.bind(x, y)


def minus(x: Any, y: Any) -> Any:
    """The difference of two tangents, either of which may be None for zero."""
    if y is None:
        return x
    return arith.neg(y) if x is None else arith.sub(x, y)


@functools.lru_cache(maxsize=256)
def _mask(rows: int, columns: int, k: int, lower: bool) -> np.ndarray:
    mask = np.tri(rows, columns, k if lower else k - 1, dtype=bool)
    mask = mask if lower else ~mask
    mask.flags.writeable = False
    return mask


def _where(mask: np.ndarray, x: Any, other: Any) -> Any:
    dims = (x.ndim - 2, x.ndim - 1)
    return arith.select(broadcast_in_dim(mask, x.shape, dims), x, other)


def tril(x: Any, k: int = 0) -> Any:
    """The lower triangles, up to the k-th diagonal, and zeros."""
    return _where(_mask(*x.shape[-2:], k, True), x, zeros_like(x))


def triu(x: Any, k: int = 0) -> Any:
    """The upper triangles, from the k-th diagonal on, and zeros."""
    return _where(_mask(*x.shape[-2:], k, False), x, zeros_like(x))


@functools.lru_cache(maxsize=256)
def _eye(n: int) -> np.ndarray:
    eye = np.eye(n, dtype=bool)
    eye.flags.writeable = False
    return eye


def on_diagonal(x: Any, other: Any) -> Any:
    """One array's elements on the diagonals, and another's elsewhere."""
    return _where(_eye(x.shape[-1]), x, other)


@functools.lru_cache(maxsize=64)
def _identity(n: int, dtype: np.dtype) -> np.ndarray:
    eye = np.eye(n, dtype=dtype)
    eye.flags.writeable = False
    return eye


def identity(stack: Sequence[int], n: int, dtype: Any) -> Any:
    """A stack of identity matrices."""
    eye = _identity(n, np.dtype(dtype))
    return broadcast_in_dim(eye, (*stack, n, n), (len(stack), len(stack) + 1))


def diagonal(x: Any) -> Any:
    """The diagonals: of shape ``(*stack, min(rows, columns))``."""
    *stack, rows, columns = x.shape
    count = min(rows, columns)
    # Every (columns + 1)th of the elements in C order: a slice, which is cheaper than a gather.
    flat = reshape(x, (*stack, rows * columns))
    limits = (*stack, (count - 1) * (columns + 1) + 1 if count else 0)
    return slice_array(flat, (0,) * flat.ndim, limits, (*(1,) * len(stack), columns + 1))


def rows_of(v: Any, n: int) -> Any:
    """A stack of vectors, each as the rows, all equal, of a matrix with ``n`` of them."""
    return insert_axis(v, n, v.ndim - 1)


def columns_of(v: Any, n: int) -> Any:
    """A stack of vectors, each as the columns, all equal, of a matrix with ``n`` of them."""
    return insert_axis(v, n, v.ndim)


def times_diagonal(x: Any, v: Any) -> Any:
    """Matrices whose columns are multiplied by the elements of vectors."""
    return arith.mul(x, rows_of(v, x.shape[-2]))


def trace(x: Any) -> Any:
    """The sums of the diagonals."""
    return reduce_sum(diagonal(x), (x.ndim - 2,))


def hermitian_from(x: Any, lower: bool = True) -> Any:
    """The Hermitian matrices that have the lower (or upper) triangles of ``x``: its other
    triangles, and imaginary parts on the diagonals, are not read."""
    mask = _mask(*x.shape[-2:], 0, lower)
    made = _where(mask, x, adjoint(x))
    return on_diagonal(like(real(made), made), made) if x.dtype.kind == "c" else made


def symmetrized(x: Any) -> Any:
    """The Hermitian parts of matrices."""
    return arith.mul(add_p.bind(x, adjoint(x)), full_like(x, 0.5))


def matrices(x: Any, name: str, square: bool = False) -> Any:
    """An operand of a public function, checked."""
    x = array(x)
    check_matrices(name, x, square)
    return x


def real_aval_dtype(x: ShapedArray) -> np.dtype:
    """The dtype of eigenvalues of Hermitian matrices, singular values and norms."""
    return real_dtype(x.dtype)
