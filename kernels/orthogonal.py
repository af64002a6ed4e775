"""QR factors, eigenvalues of symmetric matrices, singular values: LAPACK, called natively.

Each works on a copy of its operand in Fortran's order, which the kernel that makes the operand
stores in the first place. A failure sets the program's status. See ``factorizations``.

The signs of eigenvectors and singular vectors hang on how the LAPACK at hand rounds, and SciPy's is
not NumPy's. So that a program has the same ones as NumPy, those are host steps, except within a
loop or a branch, which Python would have to run otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.avals import ShapedArray
from .blas import LETTERS, address_of
from .expressions import Expression, Leaf, Root
from .factorizations import Form, add_routine, form, times, triangle
from .lowering import STATUS_SLOT
from .views import View

if TYPE_CHECKING:
    from .fusion import Plan

_CALL = """
def routine(table, start, stop):
    words = pointer_int64(table)
    for i in range(start, stop):
        invoke(words[FUNCTION], "void({types})", {arguments})
        info = pointer_int32(table + 8 * INFO)
        if info[0] != 0:
            {fail}
"""

#: The arguments, in Fortran's order: those in small letters are arrays.
_ARGUMENTS = {
    "geqrf": "M N a M tau work LWORK INFO",
    "orgqr": "M N K a M tau work LWORK INFO",
    "syevd": "JOB UPLO N a N w work LWORK iwork LIWORK INFO",
    "gesdd": "JOB M N a M s u M vt K work LWORK iwork INFO",
}


def _lapack_form(name: str) -> Form:
    arguments = _ARGUMENTS[name].split()
    given = [
        f"words[{a.upper()}] + i * words[{a.upper()}_STEP]" if a.islower() else f"table + 8 * {a}"
        for a in arguments
    ]
    words = [
        w for a in arguments for w in ([a.upper(), f"{a.upper()}_STEP"] if a.islower() else [a])
    ]
    return form(
        _CALL,
        " ".join(dict.fromkeys(["FUNCTION", "STATUS", *words])),
        types=", ".join(["int64"] * len(given)),
        arguments=", ".join(given),
    )


_FORMS = {name: _lapack_form(name) for name in _ARGUMENTS}
#: How many columns LAPACK takes at a time, at most: so much room it gets for each row.
_BLOCK = 64


class _Array:
    """An array for LAPACK, one for each matrix of a stack, or one for all.

    Attributes:
      leaf: where it lies, as LAPACK has it: of matrices the transposes.
      step: the distance of two matrices', in bytes.
    """

    def __init__(self, plan: Plan, stack: Sequence[int], shape: Sequence[int], dtype: Any):
        dtype = np.dtype(dtype)
        self.leaf = plan.new_array((*stack, *shape), dtype)
        self.step = math.prod(shape) * dtype.itemsize if stack else 0

    @property
    def slot(self) -> int:
        return self.leaf.slot

    def matrices(self, rows: int, columns: int) -> Leaf:
        """The first rows and columns of the matrices."""
        view = self.leaf.view
        shape = (*view.shape[:-2], rows, columns)
        strides = (*view.strides[:-2], view.strides[-1], view.strides[-2])
        return Leaf(self.slot, View(shape, strides, view.offset), self.leaf.dtype)


class _Calls:
    """The calls for a stack of matrices: what they have in common."""

    def __init__(self, plan: Plan, x: Expression, dtype: np.dtype, columns: int = 0):
        *stack, self.m, self.n = x.shape
        self.plan = plan
        self.stack = tuple(stack)
        self.dtype = dtype
        self.letter = LETTERS[dtype.name]
        self.a = self.array(max(self.n, columns), self.m)
        source = self.a.matrices(self.m, self.n)
        plan.add(Root(x, source.slot, source.view), x.shape)

    def array(self, *shape: int) -> _Array:
        return _Array(self.plan, self.stack, shape, self.dtype)

    def call(
        self, name: str, numbers: dict[str, int], arrays: dict[str, _Array], room: int, whole: int
    ) -> None:
        """Put a call into the plan.

        Args:
          numbers, arrays: the arguments by name, beside ``a`` and the room to work in.
          room: how many floating and ``whole`` how many whole numbers that has.
        """
        arrays = {"a": self.a, **arrays, "work": _Array(self.plan, (), (room,), self.dtype)}
        if whole:
            arrays["iwork"] = _Array(self.plan, (), (whole,), np.int32)
        words = {"FUNCTION": address_of(self.letter + name), "M": self.m, "N": self.n}
        words |= {"LWORK": room, "LIWORK": whole, **numbers}
        words |= {f"{key.upper()}_STEP": array.step for key, array in arrays.items()}
        places = {key.upper(): (array.slot, 0) for key, array in arrays.items()}
        count, made = math.prod(self.stack), _FORMS[name]
        add_routine(
            self.plan,
            f"{self.letter}{name} of {self.m} x {self.n}{times(count)}",
            made,
            {word: value for word, value in words.items() if word in made.words},
            {**places, "STATUS": (STATUS_SLOT, 0)},
            count,
            self.m * self.n * min(self.m, self.n) // 3,
            [array.slot for array in arrays.values()],
        )


def _qr(plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict) -> list[Expression]:
    q, r = outs
    columns = q.shape[-1]
    calls = _Calls(plan, args[0], q.dtype, columns)
    m, n = calls.m, calls.n
    k, room = min(m, n), _BLOCK * max(n, columns)
    tau = calls.array(k)
    calls.call("geqrf", {}, {"tau": tau}, room, 0)
    # Before orgqr writes over it: what lies below the diagonal says how to make q.
    made = plan.new_array(r.shape, r.dtype)
    upper = triangle(calls.a.matrices(r.shape[-2], n), r, False)
    plan.add(Root(upper, made.slot, made.view), r.shape)
    calls.call("orgqr", {"N": columns, "K": k}, {"tau": tau}, room, 0)
    return [calls.a.matrices(m, columns), made]


def _eigh(
    plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict
) -> list[Expression] | None:
    vectors = not params["values_only"]
    if vectors and not plan.within_block:
        return None
    calls = _Calls(plan, args[0], outs[0].dtype)
    n = calls.n
    values = calls.array(n)
    job = {"JOB": ord("V" if vectors else "N"), "UPLO": ord("L" if params["lower"] else "U")}
    room = n * (_BLOCK + 6) + 2 * n * n * vectors + 1
    calls.call("syevd", job, {"w": values}, room, 3 + 5 * n if vectors else 1)
    return [values.leaf, calls.a.matrices(n, n)] if vectors else [values.leaf]


def _svd(
    plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict
) -> list[Expression] | None:
    vectors = params["compute_uv"]
    if vectors and not plan.within_block:
        return None
    calls = _Calls(plan, args[0], outs[0].dtype)
    m, n = calls.m, calls.n
    k = min(m, n)
    left, right = (m, n) if params["full_matrices"] else (k, k)
    job = "N" if not vectors else "A" if params["full_matrices"] else "S"
    s = calls.array(k)
    u, vt = (calls.array(left, m), calls.array(n, right)) if vectors else (calls.a, calls.a)
    room = _BLOCK * max(m, n) + 8 * k + 4 * k * k * vectors
    numbers = {"JOB": ord(job), "K": right}
    calls.call("gesdd", numbers, {"s": s, "u": u, "vt": vt}, room, 8 * k)
    return [u.matrices(m, left), s.leaf, vt.matrices(right, n)] if vectors else [s.leaf]


#: By the name of the primitive.
RULES: dict[str, Callable[..., list[Expression] | None]] = {"qr": _qr, "eigh": _eigh, "svd": _svd}
