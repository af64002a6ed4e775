"""dot_general: BLAS for matrices of some size, fused loops for small ones.

Each operand is read in place where it is (a stack of) matrices one of whose two dimensions is
contiguous, whichever; BLAS is told so by a flag. Products with a vector go to ``gemv``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray
from .blas import LETTERS, address_of
from .build import Source
from .expressions import Expression, Leaf, Node, Number, Root, Routine
from .scalars import NATIVE
from .views import View

if TYPE_CHECKING:
    from .fusion import Plan

#: Up to this many multiplications a product is loops. Measured on n x n matrices of float64, BLAS
#: and loops take the same time at n = 12.
_LOOPS_UP_TO = 1500

#: For each matrix of a stack, a call of a function of BLAS's.
_STACK = """
def routine(table, start, stop):
    words = pointer_int64(table)
    rank = words[BATCH]
    for i in range(start, stop):
        a = words[A]
        b = words[B]
        c = words[C]
        left = i
        for d in range(rank):
            row = BATCH + 1 + 4 * (rank - 1 - d)
            at = rest(left, words[row])
            left = quotient(left, words[row])
            a = a + at * words[row + 1]
            b = b + at * words[row + 2]
            c = c + at * words[row + 3]
        invoke(
            words[FUNCTION], "void({types})", {arguments}
        )
"""

#: The arguments, in Fortran's order: names of words are given by their addresses.
_ARGUMENTS = {
    "gemm": "TRANS_A TRANS_B M N K ONE a LDA b LDB ZERO c LDC",
    "gemv": "TRANS_A M N ONE a LDA b LDB ZERO c LDC",
}


def _source(name: str) -> Source:
    words = _ARGUMENTS[name].split()
    arguments = [w if w.islower() else f"table + 8 * {w}" for w in words]
    text = _STACK.format(types=", ".join(["int64"] * len(words)), arguments=", ".join(arguments))
    return Source(text, ("int64",) * 3, names=tuple(_WORDS.items()))


_NAMES = "FUNCTION A B C TRANS_A TRANS_B M N K LDA LDB LDC ONE ONE_HIGH ZERO ZERO_HIGH BATCH"
_WORDS = {name: i for i, name in enumerate(_NAMES.split())}
_SOURCES = {name: _source(name) for name in _ARGUMENTS}
#: The bits of 1 by BLAS's letter: of the real part, where there is an imaginary one.
ONE = {"s": 0x3F800000, "d": 0x3FF0000000000000, "c": 0x3F800000, "z": 0x3FF0000000000000}


class _Matrices(NamedTuple):
    """A stack of matrices: sizes and strides of the stack, then of rows and columns."""

    slot: int
    offset: int
    stack: tuple[int, ...]
    rows: tuple[int, int]
    columns: tuple[int, int]


def dot_general(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    """The rule of the primitive."""
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = params["dimension_numbers"]
    lhs, rhs = args
    native = out.dtype in NATIVE and out.dtype != np.bool_
    if not (native or out.dtype.name in LETTERS):
        return None
    inner = [lhs.shape[d] for d in lhs_contract]
    lhs_free = [d for d in range(len(lhs.shape)) if d not in (*lhs_contract, *lhs_batch)]
    rhs_free = [d for d in range(len(rhs.shape)) if d not in (*rhs_contract, *rhs_batch)]
    multiplications = out.size * math.prod(inner)
    small = multiplications <= _LOOPS_UP_TO or not inner
    scalars = math.prod(out.shape[len(lhs_batch) :]) == 1
    if native and (small or scalars or out.dtype.name not in LETTERS):
        return _by_loops(plan, args, out, params, lhs_free, rhs_free)
    if multiplications == 0 or max(*out.shape, *inner, 0) > np.iinfo(np.int32).max:
        return None
    return _by_blas(plan, args, out, params, lhs_free, rhs_free)


def _by_loops(
    plan: Plan,
    args: list[Expression],
    out: ShapedArray,
    params: dict,
    lhs_free: list[int],
    rhs_free: list[int],
) -> Any:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = params["dimension_numbers"]
    lhs, rhs = args
    inner = tuple(lhs.shape[d] for d in lhs_contract)
    stack, rows = len(lhs_batch), len(lhs_free)
    columns = len(rhs_free)
    # The contracted dimensions come before the columns: the innermost loop goes along rows of the
    # result, as it does along rows of a right operand in C order.
    shape = (*out.shape[: stack + rows], *inner, *out.shape[stack + rows :])
    contract = range(stack + rows, stack + rows + len(inner))
    if columns == 0 or math.prod(out.shape[stack + rows :]) < 4:
        shape = (*out.shape, *inner)
        contract = range(len(out.shape), len(shape))
    others = [d for d in range(len(shape)) if d not in contract]

    def places(free: list[int], dims: Any, batch: Any, where: list[int], ndim: int) -> list[int]:
        at = dict(zip(batch, others[:stack], strict=True))
        at |= dict(zip(dims, contract, strict=True)) | dict(zip(free, where, strict=True))
        return [at[d] for d in range(ndim)]

    lhs_places = places(
        lhs_free, lhs_contract, lhs_batch, others[stack : stack + rows], len(lhs.shape)
    )
    rhs_places = places(rhs_free, rhs_contract, rhs_batch, others[stack + rows :], len(rhs.shape))
    a, b = plan.spread(lhs, shape, lhs_places), plan.spread(rhs, shape, rhs_places)
    product = Node("{0} * {1}", [a, b], out.dtype, shape, False)
    if not inner:
        return product
    if 0 in shape:
        return Number(out.dtype.type(0), out.shape)
    leaf = plan.new_array(out.shape, out.dtype)
    view = leaf.view.broadcast(shape, others)
    plan.add(Root(product, leaf.slot, view, "reduce", "sum"), shape, tuple(contract))
    return leaf


def _by_blas(
    plan: Plan,
    args: list[Expression],
    out: ShapedArray,
    params: dict,
    lhs_free: list[int],
    rhs_free: list[int],
) -> Leaf:
    _, (lhs_batch, _) = params["dimension_numbers"]
    lhs, rhs = plan.store(args[0]), plan.store(args[1])
    a, b = _contracted(plan, lhs, rhs, params, lhs_free, rhs_free)
    leaf = plan.new_array(out.shape, out.dtype)
    m, k, n = a.rows[0], a.columns[0], b.columns[0]
    size = out.dtype.itemsize
    stack = tuple(out.shape[: len(lhs_batch)])
    out_strides = leaf.view.strides[: len(lhs_batch)]
    words = [0] * len(_WORDS)
    letter = LETTERS[out.dtype.name]
    if m == 1 or n == 1:
        name = "gemv"
        matrix, vector = (a, b) if n == 1 else (b, a)
        step = (b.rows if n == 1 else a.columns)[1]
        # Fortran's matrix: its columns are contiguous.
        along, across = (matrix.rows, matrix.columns) if n == 1 else (matrix.columns, matrix.rows)
        plain = across[1] != 1  # the result's dimension is the contiguous one
        fortran = (along[0], across[0]) if plain else (across[0], along[0])
        words[_WORDS["TRANS_A"]] = ord("N" if plain else "T")
        words[_WORDS["M"]], words[_WORDS["N"]] = fortran
        lead = across[1] if plain else along[1]
        words[_WORDS["LDA"]] = max(lead, fortran[0], 1)
        words[_WORDS["LDB"]], words[_WORDS["LDC"]] = max(step, 1), 1
    else:
        # BLAS counts from the columns: the transposed result is b.T @ a.T.
        name, matrix, vector = "gemm", b, a
        for side, found in (("A", b), ("B", a)):
            plain = found.columns[1] == 1
            words[_WORDS[f"TRANS_{side}"]] = ord("N" if plain else "T")
            lead, least = (found.rows[1], found.columns[0]) if plain else (
                found.columns[1], found.rows[0]
            )  # fmt: skip
            words[_WORDS[f"LD{side}"]] = max(lead, least, 1)
        words[_WORDS["M"]], words[_WORDS["N"]], words[_WORDS["K"]] = n, m, k
        words[_WORDS["LDC"]] = n
    words[_WORDS["FUNCTION"]] = address_of(letter + name)
    words[_WORDS["ONE"]] = ONE[letter]
    words[_WORDS["BATCH"]] = len(stack)
    for dims in zip(stack, matrix.stack, vector.stack, out_strides, strict=True):
        words += [dims[0], *(s * size for s in dims[1:])]
    patches = [
        (matrix.slot, _WORDS["A"], matrix.offset * size),
        (vector.slot, _WORDS["B"], vector.offset * size),
        (leaf.slot, _WORDS["C"], 0),
    ]
    work = 2 * out.size * k // 10
    plan.add_step(
        Routine(
            f"{letter}{name} of {m} x {k} and {k} x {n}" + (f", {stack}" if stack else ""),
            _SOURCES[name], words, patches, math.prod(stack), work, [leaf.slot],
        )
    )  # fmt: skip
    return leaf


def _contracted(
    plan: Plan, lhs: Leaf, rhs: Leaf, params: dict, lhs_free: list[int], rhs_free: list[int]
) -> tuple[_Matrices, _Matrices]:
    """Both operands as matrices, copied where they do not lie so. The pairs of contracted
    dimensions may go in any order, if it is the same for both."""
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = params["dimension_numbers"]
    pairs = list(zip(lhs_contract, rhs_contract, strict=True))
    best: tuple | None = None
    for order in itertools.islice(itertools.permutations(pairs), 24):
        a = _matrices(lhs, lhs_batch, lhs_free, [p[0] for p in order])
        b = _matrices(rhs, rhs_batch, [p[1] for p in order], rhs_free)
        if a and b:
            return a, b
        if best is None or ((a or b) and not (best[0] or best[1])):
            best = a, b, order
    assert best is not None
    a, b, order = best
    if a is None:
        dims = [*lhs_batch, *lhs_free, *(p[0] for p in order)]
        a = _copied(plan, lhs, dims, len(lhs_batch), len(lhs_free))
    if b is None:
        dims = [*rhs_batch, *(p[1] for p in order), *rhs_free]
        b = _copied(plan, rhs, dims, len(rhs_batch), len(order))
    return a, b


def _matrices(leaf: Leaf, batch: Any, rows: list[int], columns: list[int]) -> _Matrices | None:
    view = leaf.view
    merged = [as_one(view, dims) for dims in (rows, columns)]
    if merged[0] is None or merged[1] is None:
        return None
    (m, row_step), (n, column_step) = merged[0], merged[1]
    if column_step == 1 and (row_step >= n or m == 1):
        row_step = max(row_step, n)
    elif row_step == 1 and (column_step >= m or n == 1):
        column_step = max(column_step, m)
    elif not (n == 1 and row_step >= 1) and not (m == 1 and column_step >= 1):
        return None
    if n == 1 and column_step != 1 and row_step != 1:
        column_step = 1
    if m == 1 and row_step != 1 and column_step != 1:
        row_step = 1
    stack = tuple(view.strides[d] for d in batch)
    return _Matrices(leaf.slot, view.offset, stack, (m, row_step), (n, column_step))


def as_one(view: View, dims: Sequence[int]) -> tuple[int, int] | None:
    """Some dimensions as one: its size and stride."""
    kept = [(view.shape[d], view.strides[d]) for d in dims if view.shape[d] != 1]
    for (_, outer), (n, inner) in itertools.pairwise(kept):
        if outer != n * inner:
            return None
    if not kept:
        return 1, 1
    return math.prod(n for n, _ in kept), kept[-1][1]


def _copied(plan: Plan, leaf: Leaf, dims: list[int], stack: int, rows: int) -> _Matrices:
    """A copy with its dimensions in this order: the stack, the rows, the columns."""
    view = leaf.view.transpose(dims)
    made = plan.copy(Leaf(leaf.slot, view, leaf.dtype))
    order = list(range(len(dims)))
    found = _matrices(made, order[:stack], order[stack : stack + rows], order[stack + rows :])
    assert found is not None
    return found


#: By the name of the primitive.
RULES = {"dot_general": dot_general}
