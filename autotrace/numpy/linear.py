"""Products: dot, matmul, tensordot, einsum and their relatives."""

from __future__ import annotations

import builtins
import functools
import string
from collections.abc import Callable, Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..core.avals import uniform
from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import linear as lax_linear
from ..lax import reductions as lax_reductions
from ..lax import slicing, structural
from ..lax.indexing import gather, iota
from . import promotion, ufuncs
from .arguments import check_dtype, common_dtype, join, normal_axes, operand
from .dispatch import implements
from .manipulation import moveaxis


def _pair(a: Any, b: Any) -> list[Any]:
    return common_dtype([operand(a), operand(b)])


def _contract(
    x: Any,
    y: Any,
    x_dims: Sequence[int],
    y_dims: Sequence[int],
    x_batch: Sequence[int] = (),
    y_batch: Sequence[int] = (),
) -> Any:
    return lax_linear.dot_general(x, y, ((x_dims, y_dims), (x_batch, y_batch)))


def _conj(x: Any) -> Any:
    return arith.conj(x) if x.dtype.kind == "c" else x


# --- products of vectors and matrices ----------------------------------------------------------


@implements(np.dot)
def dot(a: Any, b: Any) -> Any:
    """As ``numpy.dot``, on arrays and traced values.

    >>> dot(np.array([1, 2]), np.array([3, 4]))
    np.int64(11)
    """
    x, y = _pair(a, b)
    if not x.ndim or not y.ndim:
        return arith.mul(x, y)
    at = builtins.max(y.ndim - 2, 0)
    if x.shape[-1] != y.shape[at]:
        raise ValueError(
            located(
                f"shapes {x.shape} and {y.shape} not aligned: {x.shape[-1]} (dim {x.ndim - 1}) "
                f"!= {y.shape[at]} (dim {at})"
            )
        )
    return _contract(x, y, (x.ndim - 1,), (at,))


def _core_mismatch(name: str, x: Any, y: Any) -> ValueError:
    return ValueError(
        located(
            f"{name}: shapes {x.shape} and {y.shape} do not fit: the dimensions that are "
            "multiplied differ"
        )
    )


def _takes_axes(first: int, second: int, result: int, vectors: bool = False) -> Callable:
    """Give a function of stacks of vectors and matrices NumPy's ``axes``, ``axis``, ``keepdims``.

    Args:
      first, second, result: how many dimensions of the operands and of the result are no stack.
      vectors: whether a vector may stand for a matrix; the result then has fewer dimensions.
    """

    def decorate(function: Callable) -> Callable:
        name = function.__name__.removeprefix("_")

        @functools.wraps(function)
        def with_axes(
            x1: Any, x2: Any, /, *, axes: Any = None, axis: Any = None, keepdims: bool = False
        ) -> Any:
            if axes is None and axis is None and not keepdims:
                return function(x1, x2)
            if result and (axis is not None or keepdims):
                raise TypeError(
                    located(
                        f"{name}: axis and keepdims go with vectors that give numbers; use axes="
                    )
                )
            if axes is None:
                axes = [-1 if axis is None else axis] * 2
            places = [tuple(a) if isinstance(a, tuple | list) else (a,) for a in axes]
            x, y = operand(x1), operand(x2)
            missing = 0
            for n, (z, rank) in enumerate(((x, first), (y, second))):
                own = builtins.min(rank, z.ndim) if vectors else rank
                missing += rank - own
                if n >= len(places) or len(places[n]) != own:
                    raise ValueError(located(f"{name}: axes[{n}] must be a tuple of length {own}"))
            x, y = (
                moveaxis(z, p, tuple(range(-len(p), 0)))
                for z, p in zip((x, y), places, strict=False)
            )
            out = function(x, y)
            if keepdims:
                return structural.expand_dims(out, normal_axes(places[0], out.ndim + 1))
            rank = result - missing
            return moveaxis(out, tuple(range(-rank, 0)), places[2]) if rank else out

        return with_axes

    return decorate


def _matmul(x1: Any, x2: Any, /) -> Any:
    """As ``numpy.matmul``, on arrays and traced values.

    >>> matmul(np.array([[1, 2], [3, 4]]), np.array([1, 1]))
    array([3, 7])
    """
    x, y = _pair(x1, x2)
    for place, z in enumerate((x, y)):
        if not z.ndim:
            raise ValueError(
                located(f"matmul: Input operand {place} does not have enough dimensions (has 0)")
            )
    at = builtins.max(y.ndim - 2, 0)
    if x.shape[-1] != y.shape[at]:
        raise _core_mismatch("matmul", x, y)
    if y.ndim <= 2:
        return _contract(x, y, (x.ndim - 1,), (at,))
    if x.ndim <= 2:
        # One product of larger matrices; the rows then go behind the stack.
        out = _contract(x, y, (x.ndim - 1,), (at,))
        return out if x.ndim == 1 else structural.move_axis(out, 0, out.ndim - 2)
    stack = promotion.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x = promotion.broadcast_to(x, (*stack, *x.shape[-2:]))
    y = promotion.broadcast_to(y, (*stack, *y.shape[-2:]))
    dims = range(len(stack))
    return _contract(x, y, (x.ndim - 1,), (y.ndim - 2,), dims, dims)


_matmul.__name__ = _matmul.__qualname__ = "matmul"
matmul = implements(np.matmul)(_takes_axes(2, 2, 2, vectors=True)(_matmul))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """As ``numpy.vdot``, on arrays and traced values.

    >>> vdot(np.array([1, 2j]), np.array([3, 4]))
    np.complex128(3-8j)
    """
    x, y = _pair(a, b)
    x, y = (structural.reshape(z, (z.size,)) for z in (x, y))
    if x.size != y.size:
        raise _core_mismatch("vdot", x, y)
    return _contract(_conj(x), y, (0,), (0,))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """As ``numpy.inner``, on arrays and traced values.

    >>> inner(np.array([1, 2]), np.array([3, 4]))
    np.int64(11)
    """
    x, y = _pair(a, b)
    if not x.ndim or not y.ndim:
        return arith.mul(x, y)
    if x.shape[-1] != y.shape[-1]:
        raise _core_mismatch("inner", x, y)
    return _contract(x, y, (x.ndim - 1,), (y.ndim - 1,))


@implements(np.outer)
def outer(a: Any, b: Any) -> Any:
    """As ``numpy.outer``, on arrays and traced values.

    >>> outer(np.array([1, 2]), np.array([3, 4]))
    array([[3, 4],
           [6, 8]])
    """
    x, y = operand(a), operand(b)
    return ufuncs.multiply(structural.reshape(x, (x.size, 1)), structural.reshape(y, (1, y.size)))


@implements(np.vecdot) if hasattr(np, "vecdot") else (lambda f: f)
@_takes_axes(1, 1, 0)
def vecdot(x1: Any, x2: Any, /) -> Any:
    """As ``numpy.vecdot``, on arrays and traced values.

    >>> vecdot(np.array([1, 2]), np.array([3, 4]))
    np.int64(11)
    """
    x, y = _pair(x1, x2)
    for z in (x, y):
        if not z.ndim:
            raise ValueError(located("vecdot: operands must have at least one dimension"))
    if x.shape[-1] != y.shape[-1]:
        raise _core_mismatch("vecdot", x, y)
    x = _conj(x)
    stack = promotion.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    x, y = (promotion.broadcast_to(z, (*stack, z.shape[-1])) for z in (x, y))
    dims = range(len(stack))
    return _contract(x, y, (len(stack),), (len(stack),), dims, dims)


@implements(np.matvec) if hasattr(np, "matvec") else (lambda f: f)
@_takes_axes(2, 1, 1)
def matvec(x1: Any, x2: Any, /) -> Any:
    """As ``numpy.matvec``, on arrays and traced values.

    >>> matvec(np.array([[1, 2], [3, 4]]), np.array([1, 1]))
    array([3, 7])
    """
    x, y = _pair(x1, x2)
    if x.ndim < 2 or not y.ndim:
        raise ValueError(located("matvec: takes matrices and vectors"))
    if x.shape[-1] != y.shape[-1]:
        raise _core_mismatch("matvec", x, y)
    column = matmul(x, structural.expand_dims(y, (y.ndim,)))
    return structural.reshape(column, column.shape[:-1])


@implements(np.vecmat) if hasattr(np, "vecmat") else (lambda f: f)
@_takes_axes(1, 2, 1)
def vecmat(x1: Any, x2: Any, /) -> Any:
    """As ``numpy.vecmat``, on arrays and traced values.

    >>> vecmat(np.array([1, 1]), np.array([[1, 2], [3, 4]]))
    array([4, 6])
    """
    x, y = _pair(x1, x2)
    if not x.ndim or y.ndim < 2:
        raise ValueError(located("vecmat: takes vectors and matrices"))
    if x.shape[-1] != y.shape[-2]:
        raise _core_mismatch("vecmat", x, y)
    row = matmul(structural.expand_dims(_conj(x), (x.ndim - 1,)), y)
    return structural.reshape(row, (*row.shape[:-2], row.shape[-1]))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """As ``numpy.tensordot``, on arrays and traced values.

    >>> tensordot(np.array([[1, 2], [3, 4]]), np.array([1, 1]), 1)
    array([3, 7])
    """
    x, y = _pair(a, b)
    if isinstance(axes, tuple | list | np.ndarray):
        first, second = (
            tuple(d) if isinstance(d, tuple | list | np.ndarray) else (d,) for d in axes
        )
    else:
        count = as_int(axes)
        first, second = tuple(range(-count, 0)), tuple(range(count))
    if (
        builtins.any(not -x.ndim <= d < x.ndim for d in first)
        or builtins.any(not -y.ndim <= d < y.ndim for d in second)
        or [x.shape[d] for d in first] != [y.shape[d] for d in second]
    ):
        raise ValueError(located(f"shape-mismatch for sum: {x.shape} and {y.shape} over {axes}"))
    return _contract(x, y, normal_axes(first, x.ndim), normal_axes(second, y.ndim))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """As ``numpy.kron``, on arrays and traced values.

    >>> kron(np.array([1, 2]), np.array([1, 10]))
    array([ 1, 10,  2, 20])
    """
    x, y = operand(a), operand(b)
    ndim = builtins.max(x.ndim, y.ndim)
    x, y = (structural.reshape(z, (*(1,) * (ndim - z.ndim), *z.shape)) for z in (x, y))
    left = structural.reshape(x, tuple(m for n in x.shape for m in (n, 1)))
    right = structural.reshape(y, tuple(m for n in y.shape for m in (1, n)))
    product = ufuncs.multiply(left, right)
    return structural.reshape(product, tuple(n * m for n, m in zip(x.shape, y.shape, strict=True)))


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Any:
    """As ``numpy.cross``, on arrays and traced values; of vectors with three components.

    >>> cross(np.array([1, 0, 0]), np.array([0, 1, 0]))
    array([0, 0, 1])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = _pair(a, b)
    if not x.ndim or not y.ndim:
        raise ValueError(located("At least one array has zero dimension"))
    x, y = moveaxis(x, axisa, -1), moveaxis(y, axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ValueError(
            located(
                "numpy.cross of traced values takes vectors with three components, got "
                f"{x.shape[-1]} and {y.shape[-1]}"
            )
        )
    shape = promotion.broadcast_shapes(x.shape, y.shape)
    x, y = (promotion.broadcast_to(z, shape) for z in (x, y))
    last = len(shape) - 1

    def turned(z: Any, by: int) -> Any:
        return join(
            [slicing.slice_in_dim(z, by, 3, 1, last), slicing.slice_in_dim(z, 0, by, 1, last)], last
        )

    ahead, behind = arith.mul(turned(x, 1), turned(y, 2)), arith.mul(turned(x, 2), turned(y, 1))
    return moveaxis(arith.sub(ahead, behind), -1, axisc)


# --- einsum ------------------------------------------------------------------------------------

_LETTERS = string.ascii_letters


def _subscripts(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """An einsum call's arguments as a string of subscripts and the operands."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    terms = []
    pairs, rest = list(operands), None
    if len(pairs) % 2:
        rest = pairs.pop()
    for labels in (*pairs[1::2], *([rest] if rest is not None else [])):
        terms.append("".join("..." if d is Ellipsis else _LETTERS[as_int(d)] for d in labels))
    inputs = terms[: len(pairs) // 2]
    return ",".join(inputs) + ("->" + terms[-1] if rest is not None else ""), pairs[::2]


def _bad(message: str) -> ValueError:
    return ValueError(located(f"einsum: {message}"))


def _parse(subscripts: str, ranks: Sequence[int]) -> tuple[list[list[Any]], list[Any]]:
    """The labels of each operand and of the result: letters, and numbers for the dimensions that
    an ellipsis stands for, counted from the last."""
    left, arrow, right = subscripts.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise _bad(f"{len(inputs)} subscripts for {len(ranks)} operands")

    def expand(term: str, dots: int) -> list[Any]:
        before, found, after = term.partition("...")
        for letter in before + after:
            if letter not in _LETTERS:
                raise _bad(f"{letter!r} is not a valid subscript in {subscripts!r}")
        return [*before, *(range(-dots, 0) if found else ()), *after]

    labels, widest = [], 0
    for term, rank in zip(inputs, ranks, strict=True):
        letters = len(term.replace("...", ""))
        dots = rank - letters
        if dots < 0 or (dots and "..." not in term):
            raise _bad(f"the subscripts {term!r} do not fit an operand of {rank} dimensions")
        labels.append(expand(term, dots))
        if "..." in term:
            widest = builtins.max(widest, dots)
    if arrow:
        out = expand(right, widest)
    else:
        letters_in = [x for term in labels for x in term if isinstance(x, str)]
        out = [*range(-widest, 0), *sorted(x for x in set(letters_in) if letters_in.count(x) == 1)]
    known = {x for term in labels for x in term}
    if len(set(out)) != len(out) or not known.issuperset(out):
        raise _bad(f"the result's subscripts {right!r} must be different, and among the operands'")
    if {x for x in known if isinstance(x, int)} - set(out):
        raise _bad("the dimensions of an ellipsis must be in the result, too")
    return labels, out


def _sum_over(x: Any, dims: Sequence[int]) -> Any:
    return (lax_reductions.reduce_or if x.dtype.kind == "b" else structural.reduce_sum)(x, dims)


def _one_each(x: Any, labels: list[Any]) -> tuple[Any, list[Any]]:
    """Take the diagonal of dimensions with the same label."""
    for label in dict.fromkeys(labels):
        dims = [d for d, other in enumerate(labels) if other == label]
        if len(dims) == 1:
            continue
        sizes = {x.shape[d] for d in dims}
        if len(sizes) > 1:
            raise _bad(f"dimensions of sizes {sorted(sizes)} have the one subscript {label!r}")
        places = iota(np.int64, sizes.pop())
        x = gather(x, [places] * len(dims), dims)
        labels = [label, *(other for other in labels if other != label)]
    return x, labels


def _keep(x: Any, labels: list[Any], wanted: set) -> tuple[Any, list[Any]]:
    """Sum over the dimensions whose labels nothing else needs."""
    dims = [d for d, label in enumerate(labels) if label not in wanted]
    return (_sum_over(x, dims) if dims else x), [label for label in labels if label in wanted]


def _product(
    x: Any, x_labels: list[Any], y: Any, y_labels: list[Any], wanted: set
) -> tuple[Any, list[Any]]:
    x, x_labels = _keep(x, x_labels, wanted | set(y_labels))
    y, y_labels = _keep(y, y_labels, wanted | set(x_labels))
    shared = [label for label in x_labels if label in y_labels]
    batch = [label for label in shared if label in wanted]
    summed = [label for label in shared if label not in wanted]
    out = _contract(
        x,
        y,
        [x_labels.index(s) for s in summed],
        [y_labels.index(s) for s in summed],
        [x_labels.index(s) for s in batch],
        [y_labels.index(s) for s in batch],
    )
    free = [s for s in (*x_labels, *y_labels) if s not in shared]
    return out, batch + free


def _order(labels: list[list[Any]], arrays: list[Any], out: list[Any], optimize: Any) -> list:
    """Which operands to multiply at each step, as ``numpy.einsum_path`` gives it."""
    if len(arrays) < 3:
        return [tuple(range(len(arrays)))]
    letters: dict[Any, str] = {}
    for label in dict.fromkeys(x for term in labels for x in term):
        if len(letters) == len(_LETTERS):
            raise _bad("too many subscripts")
        letters[label] = _LETTERS[len(letters)]
    terms = ["".join(letters[x] for x in term) for term in (*labels, out)]
    dummies = [uniform(a.shape, np.float64) if a.shape else np.zeros(()) for a in arrays]
    how = "greedy" if optimize in (True, False, None) else optimize
    path, _ = np.einsum_path(",".join(terms[:-1]) + "->" + terms[-1], *dummies, optimize=how)
    return path[1:]


@implements(np.einsum)
def einsum(
    *operands: Any,
    optimize: Any = False,
    dtype: Any = None,
    order: str = "K",
    casting: str = "safe",
) -> Any:
    """As ``numpy.einsum``, on arrays and traced values.

    Args:
      optimize: as NumPy's; products of three or more operands are always taken two by two, in the
        greedy order if nothing else is asked for.

    >>> einsum("ij,j", np.array([[1, 2], [3, 4]]), np.array([1, 1]))
    array([3, 7])
    """
    if not operands:
        raise ValueError(
            located("must specify the einstein sum subscripts string and at least one operand")
        )
    subscripts, given = _subscripts(operands)
    arrays = common_dtype([operand(a) for a in given])
    if dtype is not None:
        arrays = [arith.convert_element_type(a, check_dtype(dtype)) for a in arrays]
    labels, out = _parse(subscripts, [a.ndim for a in arrays])
    for n, (x, term) in enumerate(zip(arrays, labels, strict=True)):
        arrays[n], labels[n] = _one_each(x, term)
    sizes = _sizes(arrays, labels)
    for n, (x, term) in enumerate(zip(arrays, labels, strict=True)):
        # A dimension of one goes with any size, by leaving it out.
        kept = [d for d, label in enumerate(term) if x.shape[d] == sizes[label]]
        arrays[n] = structural.reshape(x, tuple(x.shape[d] for d in kept))
        labels[n] = [term[d] for d in kept]
    for step in _order(labels, arrays, out, optimize):
        chosen = [(arrays[n], labels[n]) for n in sorted(step)]
        rest = [n for n in range(len(arrays)) if n not in step]
        others = set(out).union(*(labels[n] for n in rest))
        x, term = chosen[0]
        for n, (y, y_term) in enumerate(chosen[1:], 2):
            later = others.union(*(t for _, t in chosen[n:]))
            x, term = _product(x, term, y, y_term, later)
        x, term = _keep(x, term, others)
        arrays, labels = [*(arrays[n] for n in rest), x], [*(labels[n] for n in rest), term]
    (x,), (term,) = arrays, labels
    return structural.transpose(x, [term.index(label) for label in out])


def _sizes(arrays: list[Any], labels: list[list[Any]]) -> dict[Any, int]:
    sizes: dict[Any, int] = {}
    for x, term in zip(arrays, labels, strict=True):
        for label, n in zip(term, x.shape, strict=True):
            old = sizes.setdefault(label, n)
            if old == 1:
                sizes[label] = n
            elif n not in (1, old):
                raise _bad(f"the subscript {label!r} has sizes {old} and {n}")
    return sizes


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy", einsum_call: bool = False) -> Any:
    """As ``numpy.einsum_path``, on arrays and traced values.

    >>> einsum_path("ij,jk", np.ones((2, 3)), np.ones((3, 2)))[0]
    ['einsum_path', (0, 1)]
    """
    plain = [np.zeros(x.shape, x.dtype) if isinstance(x, Tracer) else x for x in operands]
    return np.einsum_path(*plain, optimize=optimize)
