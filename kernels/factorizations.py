"""Cholesky's and LU's factors and triangular systems: LAPACK and BLAS, called natively.

A matrix in C order is for Fortran the transposed one in its own. Cholesky's factor of that is the
transpose of the one that is wanted, which lies where it should; a triangular system is turned
round as a whole; LU factors are made of a copy that lies as Fortran wants it. Each works on a copy
of its operand, which the kernel that makes the operand stores in the first place.

What cannot be factored or solved sets the program's status. A rule takes ``(plan, args, outs,
params)`` and returns an expression for each output, or None for a host step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray
from .blas import LETTERS, address_of
from .build import Source
from .expressions import Counter, Expression, Leaf, Node, Number, Root, Routine, slots_of
from .lowering import NO_FACTOR, STATUS_SLOT
from .products import ONE, as_one
from .views import View

if TYPE_CHECKING:
    from .fusion import Plan

_FAIL = """
            status = pointer_int64(words[STATUS])
            status[0] = NO_FACTOR
"""

_CHOLESKY = """
def routine(table, start, stop):
    words = pointer_int64(table)
    for i in range(start, stop):
        invoke(
            words[FUNCTION], "void(int64, int64, int64, int64, int64)", table + 8 * UPLO,
            table + 8 * N, words[A] + i * words[A_STEP], table + 8 * N, table + 8 * INFO,
        )
        info = pointer_int32(table + 8 * INFO)
        if info[0] != 0:
            {fail}
"""

#: With the pivots counted from 0, and the order that they make of the rows.
_LU = """
def routine(table, start, stop):
    words = pointer_int64(table)
    for i in range(start, stop):
        place = words[PIVOTS] + 4 * i * words[K]
        invoke(
            words[FUNCTION], "void(int64, int64, int64, int64, int64, int64)", table + 8 * M,
            table + 8 * N, words[A] + i * words[A_STEP], table + 8 * M, place, table + 8 * INFO,
        )
        pivots = pointer_int32(place)
        order = pointer_int32(words[ORDER] + 4 * i * words[M])
        for r in range(words[M]):
            order[r] = np.int32(r)
        for r in range(words[K]):
            other = np.int64(pivots[r]) - 1
            pivots[r] = np.int32(other)
            kept = order[r]
            order[r] = order[other]
            order[other] = kept
"""

_TRIANGULAR = """
def routine(table, start, stop):
    words = pointer_int64(table)
    for i in range(start, stop):
        a = words[A] + i * words[A_STEP]
        b = words[B] + i * words[B_STEP]
        entries = pointer_{dtype}(a)
        for r in range(words[CHECKED]):
            if entries[r * (words[LDA] + 1)] == 0:
                {fail}
        invoke(words[FUNCTION], "void({types})", {arguments})
"""

#: The reverse mode of Cholesky's factor, block of columns after block of columns from the last
#: (Murray 2016, "Differentiation of the Cholesky decomposition", section 4). In a block's rows R
#: lies to the left of the block D on the diagonal, and B to the left of C in the rows below. All of
#: it is in C order, so that BLAS gets the operands of a product the other way round.
_COTANGENT = """
def routine(table, start, stop):
    words = pointer_int64(table)
    n = words[N]
    for i in range(start, stop):
        a = words[A] + i * words[A_STEP]
        g = words[G] + i * words[G_STEP]
        factor = pointer_{dtype}(a)
        for p in range(n):
            if factor[p * (words[LDA] + 1)] == 0:
                {fail}
        first = words[LAST]
        while first >= 0:
            width = min(words[WIDTH], n - first)
            after = first + width
            words[BLOCK] = width
            words[LEFT] = first
            words[BELOW] = n - after
            size = words[SIZE]
            r = a + first * words[LDA] * size
            d = r + first * size
            b = a + after * words[LDA] * size
            c = b + first * size
            r_bar = g + first * n * size
            d_bar = r_bar + first * size
            b_bar = g + after * n * size
            c_bar = b_bar + first * size
            {trsm_c}
            {gemm_b}
            {gemm_r}
            {gemm_d}
            entries = pointer_{dtype}(d_bar)
            for p in range(width):
                for q in range(p + 1, width):
                    entries[p * n + q] = 0
            {trmm_d}
            for p in range(width):
                entries[p * n + p] = entries[p * n + p] * HALF
                for q in range(p + 1, width):
                    entries[p * n + q] = 0
            {trsm_left}
            {trsm_right}
            for p in range(width):
                for q in range(p):
                    total = entries[p * n + q] + entries[q * n + p]
                    entries[p * n + q] = total
                    entries[q * n + p] = total
                entries[p * n + p] = entries[p * n + p] * 2
            {gemm_symmetric}
            for p in range(width):
                entries[p * n + p] = entries[p * n + p] * HALF
                for q in range(p + 1, width):
                    entries[p * n + q] = 0
            first = first - words[WIDTH]
"""

#: The arguments, in Fortran's order: names of words are given by their addresses.
_ARGUMENTS = {
    "trsm": "SIDE UPLO TRANS DIAG ROWS COLUMNS ONE a LDA b ROWS",
    "trsv": "UPLO TRANS DIAG N a LDA b ONE_STEP",
}


class Form(NamedTuple):
    """A routine's source, and the places of the words that it names."""

    source: Source
    words: dict[str, int]


def form(text: str, names: str, helpers: tuple[tuple, ...] = (), **fields: str) -> Form:
    """A routine's text, in which words stand by their names, as a source."""
    # The numbers stand in the text: routines of several kinds may become parts of one source.
    words = {name: i for i, name in enumerate(names.split())}
    fail = _FAIL.strip().replace("NO_FACTOR", str(NO_FACTOR))
    indent = re.search(r"( *)\{fail\}", text)
    fail = fail.replace("\n            ", "\n" + (indent.group(1) if indent else ""))
    text = text.format(fail=fail, **fields)
    text = re.sub(r"\b[A-Z][A-Z_]*\b", lambda m: str(words[m[0]]), text)
    return Form(Source(text, ("int64",) * 3, helpers=helpers), words)


def _triangular_form(name: str, dtype: str) -> Form:
    arguments = _ARGUMENTS[name].split()
    given = [a if a.islower() else f"table + 8 * {a}" for a in arguments]
    names = "FUNCTION A A_STEP B B_STEP STATUS CHECKED N SIDE UPLO TRANS DIAG ROWS COLUMNS ONE LDA"
    return form(
        _TRIANGULAR,
        names + " ONE_STEP",
        dtype=dtype,
        types=", ".join(["int64"] * len(given)),
        arguments=", ".join(given),
    )


_COTANGENT_CALLS = {
    # C <- C D^-1; B <- B - C R; R <- R - C^T B; D <- D - C^T C
    "trsm_c": "TRSM LEFT_SIDE UPPER PLAIN PLAIN BLOCK BELOW ONE d LDA c_bar N",
    "gemm_b": "GEMM PLAIN PLAIN LEFT BELOW BLOCK MINUS r LDA c_bar N ONE b_bar N",
    "gemm_r": "GEMM PLAIN TURNED LEFT BLOCK BELOW MINUS b LDA c_bar N ONE r_bar N",
    "gemm_d": "GEMM PLAIN TURNED BLOCK BLOCK BELOW MINUS c LDA c_bar N ONE d_bar N",
    # D <- D^-T phi(D^T D) D^-1
    "trmm_d": "TRMM RIGHT_SIDE UPPER TURNED PLAIN BLOCK BLOCK ONE d LDA d_bar N",
    "trsm_left": "TRSM RIGHT_SIDE UPPER TURNED PLAIN BLOCK BLOCK ONE d LDA d_bar N",
    "trsm_right": "TRSM LEFT_SIDE UPPER PLAIN PLAIN BLOCK BLOCK ONE d LDA d_bar N",
    # R <- R - (D + D^T) R
    "gemm_symmetric": "GEMM PLAIN PLAIN LEFT BLOCK BLOCK MINUS r LDA d_bar N ONE r_bar N",
}


def _calls(calls: dict[str, str]) -> dict[str, str]:
    texts = {}
    for name, words in calls.items():
        function, *arguments = words.split()
        given = ", ".join(a if a.islower() else f"table + 8 * {a}" for a in arguments)
        types = ", ".join(["int64"] * len(arguments))
        texts[name] = f'invoke(words[{function}], "void({types})", {given})'
    return texts


_COTANGENT_WORDS = (
    "TRSM GEMM TRMM A A_STEP LDA G G_STEP N WIDTH SIZE BLOCK LEFT BELOW LEFT_SIDE RIGHT_SIDE UPPER "
    "PLAIN TURNED ONE MINUS LAST STATUS"
)
_COTANGENT_FORMS = {
    dtype: form(
        _COTANGENT.replace("HALF", "np.float32(0.5)" if dtype == "float32" else "0.5"),
        _COTANGENT_WORDS,
        dtype=dtype,
        **_calls(_COTANGENT_CALLS),
    )
    for dtype in ("float32", "float64")
}
#: The bits of -1 by BLAS's letter.
_MINUS = {"s": 0xBF800000, "d": 0xBFF0000000000000 - 2**64}
#: How many columns are in a block. 200 x 200 takes 0.21 ms with 16 or 24, 0.31 ms with 64, and
#: 0.9 ms as products and systems of the whole; from 500 x 500 on 24 and 64 take the same.
_WIDTH = 24

_CHOLESKY_FORM = form(_CHOLESKY, "FUNCTION A A_STEP STATUS UPLO N INFO")
_LU_FORM = form(_LU, "FUNCTION A A_STEP PIVOTS ORDER M N K INFO")
_TRIANGULAR_FORMS = {
    (name, dtype): _triangular_form(name, dtype)
    for name in _ARGUMENTS
    for dtype in ("float32", "float64")
}


def add_routine(
    plan: Plan,
    name: str,
    form: Form,
    words: dict[str, int],
    places: dict[str, tuple[int, int]],
    count: int,
    work: int,
    slots: list[int],
    library: str = "LAPACK",
) -> None:
    """Put a routine into a plan.

    Args:
      words: the table's words, by name.
      places: the slot and the offset in bytes of each address in it.
    """
    table = [0] * len(form.words)
    for word, value in words.items():
        table[form.words[word]] = value
    patches = [(slot, form.words[word], offset) for word, (slot, offset) in places.items()]
    step = Routine(name, form.source, table, patches, count, count * work, slots, library)
    plan.written_over.update(slots)
    plan.add_step(step)


def takes(x: Expression) -> bool:
    """Whether there are routines for a dtype."""
    return x.dtype.kind == "f" and x.dtype.name in LETTERS


class _Matrices(NamedTuple):
    """A stack of matrices in memory: from element ``offset`` on, ``step`` apart, with ``lead``
    elements from one row (or, in Fortran's order, column) to the next."""

    slot: int
    offset: int
    step: int
    lead: int
    fortran: bool


def _matrices(plan: Plan, expression: Expression) -> _Matrices:
    """A stack of square matrices, stored where it does not lie so."""
    leaf = plan.store(expression)
    found = _found(leaf) or _found(plan.copy(leaf))
    assert found is not None
    return found


def _found(leaf: Leaf) -> _Matrices | None:
    view, n = leaf.view, leaf.shape[-1]
    stack = as_one(view, range(len(leaf.shape) - 2))
    if stack is None or stack[1] < 0:
        return None
    rows, columns = view.strides[-2:]
    for fortran, (lead, step) in enumerate(((rows, columns), (columns, rows))):
        if n == 1 or (step == 1 and lead >= n):
            return _Matrices(leaf.slot, view.offset, stack[1], max(lead, n), bool(fortran))
    return None


def _cholesky(
    plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict
) -> list[Expression]:
    (out,) = outs
    n, size = out.shape[-1], out.dtype.itemsize
    leaf = plan.new_array(out.shape, out.dtype)
    # LAPACK leaves the other triangle alone: it is 0 from the start.
    plan.add(Root(triangle(args[0], out), leaf.slot, leaf.view), out.shape)
    letter = LETTERS[out.dtype.name]
    count = out.size // (n * n)
    add_routine(
        plan,
        f"{letter}potrf of {n} x {n}{times(count)}",
        _CHOLESKY_FORM,
        {
            "FUNCTION": address_of(letter + "potrf"),
            "A_STEP": n * n * size,
            "UPLO": ord("U"),
            "N": n,
        },
        {"A": (leaf.slot, 0), "STATUS": (STATUS_SLOT, 0)},
        count,
        n**3 // 30,
        [leaf.slot],
    )
    return [leaf]


def times(count: int) -> str:
    """How often, for a routine's name."""
    return f", {count} times" if count != 1 else ""


def _lu(plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict) -> list[Expression]:
    out, pivots, order = outs
    *stack, m, n = out.shape
    size, count = out.dtype.itemsize, math.prod(stack)
    leaf = plan.new_array((*stack, n, m), out.dtype)
    turned = (*range(len(stack)), len(stack) + 1, len(stack))
    leaf = Leaf(leaf.slot, leaf.view.transpose(turned), out.dtype)
    plan.add(Root(args[0], leaf.slot, leaf.view), out.shape)
    made = [plan.new_array(a.shape, a.dtype) for a in (pivots, order)]
    letter = LETTERS[out.dtype.name]
    add_routine(
        plan,
        f"{letter}getrf of {m} x {n}{times(count)}",
        _LU_FORM,
        {
            "FUNCTION": address_of(letter + "getrf"), "A_STEP": m * n * size, "M": m, "N": n,
            "K": min(m, n),
        },
        {"A": (leaf.slot, 0), "PIVOTS": (made[0].slot, 0), "ORDER": (made[1].slot, 0)},
        count,
        m * n * min(m, n) // 15,
        [leaf.slot, made[0].slot, made[1].slot],
    )  # fmt: skip
    return [leaf, *made]


def _triangular(
    plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict
) -> list[Expression]:
    (out,) = outs
    a = _matrices(plan, args[0])
    leaf = _own_copy(plan, args[1], args[:1])
    letter, size = LETTERS[out.dtype.name], out.dtype.itemsize
    left = params["left_side"]
    rows, columns = out.shape[-2:]
    n, sides = (rows, columns) if left else (columns, rows)
    name = "trsv" if sides == 1 else "trsm"
    # Fortran has the transposes of what lies in C order: of both sides, so that a product comes
    # the other way round, except that a single right side is its own transpose.
    transposed = params["transpose_a"] != a.fortran
    if name == "trsv" and left:
        transposed = not transposed
    count = out.size // (rows * columns)
    add_routine(
        plan,
        f"{letter}{name} of {n} x {n} and {sides}{times(count)}",
        _TRIANGULAR_FORMS[name, out.dtype.name],
        {
            "FUNCTION": address_of(letter + name),
            "A_STEP": a.step * size,
            "B_STEP": rows * columns * size,
            "CHECKED": 0 if params["unit_diagonal"] else n,
            "N": n,
            "SIDE": ord("R" if left else "L"),
            "UPLO": ord("L" if params["lower"] == a.fortran else "U"),
            "TRANS": ord("T" if transposed else "N"),
            "DIAG": ord("U" if params["unit_diagonal"] else "N"),
            "ROWS": columns,
            "COLUMNS": rows,
            "ONE": ONE[letter],
            "LDA": a.lead,
            "ONE_STEP": 1,
        },
        {"A": (a.slot, a.offset * size), "B": (leaf.slot, 0), "STATUS": (STATUS_SLOT, 0)},
        count,
        n * n * sides // 10,
        [leaf.slot],
        "BLAS",
    )
    return [leaf]


def _cholesky_cotangent(
    plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict
) -> list[Expression]:
    (out,) = outs
    a = _matrices(plan, args[0])
    if a.fortran:
        copied = _found(plan.copy(plan.store(args[0])))
        assert copied is not None
        a = copied
    leaf = plan.new_array(out.shape, out.dtype)
    plan.add(Root(triangle(args[1], out), leaf.slot, leaf.view), out.shape)
    letter, size, n = LETTERS[out.dtype.name], out.dtype.itemsize, out.shape[-1]
    count = out.size // (n * n)
    letters = {"LEFT_SIDE": "L", "RIGHT_SIDE": "R", "UPPER": "U", "PLAIN": "N", "TURNED": "T"}
    add_routine(
        plan,
        f"reverse mode of {letter}potrf of {n} x {n}{times(count)}",
        _COTANGENT_FORMS[out.dtype.name],
        {
            **{name.upper(): address_of(letter + name) for name in ("trsm", "gemm", "trmm")},
            **{word: ord(sign) for word, sign in letters.items()},
            "A_STEP": a.step * size,
            "LDA": a.lead,
            "G_STEP": n * n * size,
            "N": n,
            "WIDTH": _WIDTH,
            "LAST": (n - 1) // _WIDTH * _WIDTH,
            "SIZE": size,
            "ONE": ONE[letter],
            "MINUS": _MINUS[letter],
        },
        {"A": (a.slot, a.offset * size), "G": (leaf.slot, 0), "STATUS": (STATUS_SLOT, 0)},
        count,
        n**3 // 15,
        [leaf.slot],
        "BLAS",
    )
    return [leaf]


def triangle(x: Expression, out: ShapedArray, lower: bool = True) -> Node:
    """An expression with zeros above the diagonal, or below it."""
    along = (0,) * (len(out.shape) - 2)
    row, column = (
        Counter(View(out.shape, (*along, *steps)), np.dtype(np.int64)) for steps in ((1, 0), (0, 1))
    )
    places = [row, column] if lower else [column, row]
    outside = Node("{0} < {1}", places, np.dtype(np.bool_), out.shape, False)
    zero = Number(out.dtype.type(0), out.shape)
    return Node("select({0}, {1}, {2})", [outside, zero, x], out.dtype, out.shape, False)


def _own_copy(plan: Plan, expression: Expression, others: Sequence[Expression]) -> Leaf:
    """An operand in memory that may be written over: its own, where nothing else needs it."""
    if not expression.reads & slots_of(others):
        taken = plan.taken_over(expression)
        if taken is not None:
            return taken
    leaf = plan.new_array(expression.shape, expression.dtype)
    plan.add(Root(expression, leaf.slot, leaf.view), expression.shape)
    return leaf


#: By the name of the primitive, for operands that ``takes`` says yes to and that have elements.
RULES: dict[str, Callable[..., list[Expression]]] = {
    "cholesky": _cholesky,
    "cholesky_cotangent": _cholesky_cotangent,
    "lu": _lu,
    "triangular_solve": _triangular,
}
