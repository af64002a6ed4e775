"""Products of matrices and their generalization: dot_general."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..transforms.batch import Axis
from ..transforms.simplify import Rewrite, View
from .arithmetic import ANY, mul_p
from .families import add_p, check_kinds
from .structural import array, inverse_permutation, transpose, transpose_p

#: ((lhs contracting, rhs contracting), (lhs batch, rhs batch))
DimensionNumbers = tuple[
    tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]
]


class _Plan(NamedTuple):
    """How two arrays are laid out for a product of (stacks of) matrices."""

    lhs_order: tuple[int, ...]  # batch, free, contracting
    lhs_shape: tuple[int, ...]  # the free and the contracting dims each made one
    rhs_order: tuple[int, ...]  # batch, contracting, free
    rhs_shape: tuple[int, ...]
    out_shape: tuple[int, ...]


@functools.lru_cache(maxsize=4096)
def _plan(lhs: tuple[int, ...], rhs: tuple[int, ...], dimension_numbers: DimensionNumbers) -> _Plan:
    """The layout for two shapes.

    Raises:
      TypeError: when they do not fit.
    """
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    for side, shape, dims in (
        ("lhs", lhs, (*lhs_batch, *lhs_contract)),
        ("rhs", rhs, (*rhs_batch, *rhs_contract)),
    ):
        if len(set(dims)) != len(dims) or not all(0 <= d < len(shape) for d in dims):
            raise TypeError(
                f"dot_general: {dims} (batch and contracting) are not different dimensions of "
                f"{side}, of shape {shape}"
            )
    for kind, lhs_dims, rhs_dims in (
        ("contracting", lhs_contract, rhs_contract),
        ("batch", lhs_batch, rhs_batch),
    ):
        lhs_sizes, rhs_sizes = [lhs[d] for d in lhs_dims], [rhs[d] for d in rhs_dims]
        if lhs_sizes != rhs_sizes:
            raise TypeError(
                f"dot_general: the {kind} dimensions have sizes {lhs_sizes} in lhs, of shape "
                f"{lhs}, and {rhs_sizes} in rhs, of shape {rhs}"
            )
    lhs_free = _free(len(lhs), 0, dimension_numbers)
    rhs_free = _free(len(rhs), 1, dimension_numbers)
    stack = tuple(lhs[d] for d in lhs_batch)
    rows, columns = tuple(lhs[d] for d in lhs_free), tuple(rhs[d] for d in rhs_free)
    inner = math.prod(lhs[d] for d in lhs_contract)
    return _Plan(
        (*lhs_batch, *lhs_free, *lhs_contract),
        (*stack, math.prod(rows), inner),
        (*rhs_batch, *rhs_contract, *rhs_free),
        (*stack, inner, math.prod(columns)),
        (*stack, *rows, *columns),
    )


def _free(ndim: int, side: int, dimension_numbers: DimensionNumbers) -> tuple[int, ...]:
    """The dimensions of an operand (0: lhs, 1: rhs) that are neither contracted nor batch."""
    contract, batch = dimension_numbers
    return tuple(d for d in range(ndim) if d not in contract[side] and d not in batch[side])


# --- dot_general -------------------------------------------------------------------------------

dot_general_p = Primitive("dot_general")


def dot_general(lhs: Any, rhs: Any, dimension_numbers: Sequence[Sequence[Sequence[int]]]) -> Any:
    """Multiply two arrays and sum over dimensions that they have in common.

    Args:
      lhs: an array.
      rhs: an array of the same dtype.
      dimension_numbers: ``((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch))``:
        dimensions, paired in order, that are summed over, and that both operands go along
        together.

    Returns:
      An array whose dimensions are the batch dimensions, the remaining ones of ``lhs``, and the
      remaining ones of ``rhs``.

    Raises:
      TypeError: when paired dimensions differ in size, or the operands in dtype.

    >>> import autotrace.lax as lax, numpy as np
    >>> x, y = np.ones((5, 2, 3)), np.ones((5, 4, 3))
    >>> lax.dot_general(x, y, (((2,), (2,)), ((0,), (0,)))).shape
    (5, 2, 4)
    """
    lhs, rhs = array(lhs), array(rhs)
    (lc, rc), (lb, rb) = dimension_numbers
    numbers = ((tuple(lc), tuple(rc)), (tuple(lb), tuple(rb)))
    _plan(lhs.shape, rhs.shape, numbers)
    _check_dtypes(lhs.dtype, rhs.dtype)
    return dot_general_p.bind(lhs, rhs, dimension_numbers=numbers)


def _check_dtypes(lhs: np.dtype, rhs: np.dtype) -> None:
    if lhs != rhs:
        raise TypeError(
            f"dot_general takes operands of one dtype, got {lhs} and {rhs}; autotrace.numpy "
            "promotes dtypes, lax does not"
        )


@dot_general_p.def_impl
def _dot_general_impl(lhs: Any, rhs: Any, *, dimension_numbers: DimensionNumbers) -> Any:
    (lhs_contract, rhs_contract), (lhs_batch, _) = dimension_numbers
    if not lhs_batch and len(lhs_contract) == 1 and lhs.ndim <= 2 and rhs.ndim <= 2:
        # BLAS takes transposed matrices as they are.
        return np.dot(
            lhs if lhs_contract[0] == lhs.ndim - 1 else lhs.T,
            rhs if rhs_contract[0] == 0 else rhs.T,
        )
    plan = _plan(lhs.shape, rhs.shape, dimension_numbers)
    lhs = np.transpose(lhs, plan.lhs_order).reshape(plan.lhs_shape)
    rhs = np.transpose(rhs, plan.rhs_order).reshape(plan.rhs_shape)
    out = np.matmul(lhs, rhs) if lhs_contract else np.multiply(lhs, rhs)
    return out.reshape(plan.out_shape)[()]


@dot_general_p.def_abstract
def _dot_general_abstract(
    lhs: ShapedArray, rhs: ShapedArray, *, dimension_numbers: DimensionNumbers
) -> ShapedArray:
    check_kinds("dot_general", lhs, ANY)
    _check_dtypes(lhs.dtype, rhs.dtype)
    return make_aval(_plan(lhs.shape, rhs.shape, dimension_numbers).out_shape, lhs.dtype)


@dot_general_p.def_jvp
def _dot_general_jvp(
    primals: Any, tangents: Any, out: Any, *, dimension_numbers: DimensionNumbers
) -> Any:
    (lhs, rhs), (lhs_t, rhs_t) = primals, tangents
    if lhs_t is None:
        return dot_general_p.bind(lhs, rhs_t, dimension_numbers=dimension_numbers)
    share = dot_general_p.bind(lhs_t, rhs, dimension_numbers=dimension_numbers)
    if rhs_t is None:
        return share
    return add_p.bind(share, dot_general_p.bind(lhs, rhs_t, dimension_numbers=dimension_numbers))


@dot_general_p.def_transpose
def _dot_general_transpose(
    ct: Any, lhs: Any, rhs: Any, *, dimension_numbers: DimensionNumbers
) -> list[Any]:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    lhs_free = _free(lhs.ndim, 0, dimension_numbers)
    rhs_free = _free(rhs.ndim, 1, dimension_numbers)
    stack = tuple(range(len(lhs_batch)))
    rows = tuple(range(len(stack), len(stack) + len(lhs_free)))
    columns = tuple(range(len(stack) + len(rows), ct.ndim))
    # The dimensions that were contracted are free now, and free dimensions keep the order that
    # they have in the other operand.
    if type(lhs) is LinearInput:
        lhs_ct = dot_general_p.bind(
            ct, rhs, dimension_numbers=((columns, rhs_free), (stack, rhs_batch))
        )
        by_rhs = sorted(range(len(rhs_contract)), key=rhs_contract.__getitem__)
        order = (*lhs_batch, *lhs_free, *(lhs_contract[i] for i in by_rhs))
        return [transpose(lhs_ct, inverse_permutation(order)), None]
    rhs_ct = dot_general_p.bind(lhs, ct, dimension_numbers=((lhs_free, rows), (lhs_batch, stack)))
    by_lhs = sorted(range(len(lhs_contract)), key=lhs_contract.__getitem__)
    order = (*rhs_batch, *(rhs_contract[i] for i in by_lhs), *rhs_free)
    return [None, transpose(rhs_ct, inverse_permutation(order))]


@dot_general_p.def_batch
def _dot_general_batch(
    axis: Axis, args: Any, dims: Any, *, dimension_numbers: DimensionNumbers
) -> tuple:
    lhs, rhs = args
    lhs_dim, rhs_dim = dims
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    if lhs_dim is not None:
        lhs_contract, lhs_batch = _past(lhs_contract, lhs_dim), _past(lhs_batch, lhs_dim)
    if rhs_dim is not None:
        rhs_contract, rhs_batch = _past(rhs_contract, rhs_dim), _past(rhs_batch, rhs_dim)
    if lhs_dim is not None and rhs_dim is not None:
        lhs_batch, rhs_batch = (lhs_dim, *lhs_batch), (rhs_dim, *rhs_batch)
        at = 0
    elif lhs_dim is not None:
        # A free dimension like any other: one product of larger matrices, not many products.
        at = lhs_dim - sum(d < lhs_dim for d in lhs_contract)
        at += sum(d > lhs_dim for d in lhs_batch)
    else:
        at = lhs.ndim - len(lhs_contract) + rhs_dim
        at -= sum(d < rhs_dim for d in (*rhs_contract, *rhs_batch))
    numbers = ((lhs_contract, rhs_contract), (lhs_batch, rhs_batch))
    return dot_general_p.bind(lhs, rhs, dimension_numbers=numbers), at


def _past(dims: tuple[int, ...], dim: int) -> tuple[int, ...]:
    """Dimensions of an example as those of the array that has a batch dim, too."""
    return tuple(d + (d >= dim) for d in dims)


@dot_general_p.def_simplify
def _dot_general_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    """Multiply by a scalar elementwise; take an operand from before a transposition that leaves
    the free dimensions in order."""
    contract, batch = params["dimension_numbers"]
    if any(not a.aval.shape for a in args):
        return Rewrite(mul_p, args, {})
    for side, arg in enumerate(args):
        inner = view.made_by(arg, transpose_p)
        if inner is None:
            continue
        source = inner.params["permutation"]
        free = [source[d] for d in _free(len(source), side, (contract, batch))]
        if free != sorted(free):
            continue
        sides = [list(contract), list(batch)]
        for pair in sides:
            pair[side] = tuple(source[d] for d in pair[side])
        numbers = tuple(tuple(pair) for pair in sides)
        operands = [*args[:side], inner.invars[0], *args[side + 1 :]]
        return Rewrite(dot_general_p, operands, {"dimension_numbers": numbers})
    return None


def dot(lhs: Any, rhs: Any) -> Any:
    """Products of vectors and matrices.

    Args:
      lhs: a vector or a matrix.
      rhs: a vector or a matrix of the same dtype.

    Returns:
      The product, summed over the last dimension of ``lhs`` and the first of ``rhs``.

    Raises:
      TypeError: when these differ in size, or the operands have other than 1 or 2 dimensions.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.dot(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))
    array([21., 43.])
    """
    lhs, rhs = array(lhs), array(rhs)
    if lhs.ndim not in (1, 2) or rhs.ndim not in (1, 2):
        raise TypeError(f"dot takes vectors and matrices, got shapes {lhs.shape} and {rhs.shape}")
    return dot_general(lhs, rhs, (((lhs.ndim - 1,), (0,)), ((), ())))


def batch_matmul(lhs: Any, rhs: Any) -> Any:
    """Products of corresponding matrices in two stacks.

    Args:
      lhs: an array of shape ``(*stack, n, k)``.
      rhs: an array of shape ``(*stack, k, m)`` and the same dtype.

    Returns:
      An array of shape ``(*stack, n, m)``.

    Raises:
      TypeError: when the shapes do not fit; ``stack`` is not broadcast.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.batch_matmul(np.ones((5, 2, 3)), np.ones((5, 3, 4))).shape
    (5, 2, 4)
    """
    lhs, rhs = array(lhs), array(rhs)
    if lhs.ndim < 2 or lhs.ndim != rhs.ndim:
        raise TypeError(
            "batch_matmul takes stacks of matrices with as many dimensions as each other, got "
            f"shapes {lhs.shape} and {rhs.shape}"
        )
    stack = tuple(range(lhs.ndim - 2))
    return dot_general(lhs, rhs, (((lhs.ndim - 1,), (lhs.ndim - 2,)), (stack, stack)))
