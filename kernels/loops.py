"""The loop IR: what one kernel computes, without saying for which sizes.

A kernel is a nest of loops. Its operands are strided pointers and scalars; its body is a list of
scalar operations in single assignment; each result is stored, or folded into a reduction. Sizes
and strides are run-time integers; of the strides only the *kind* is fixed: ``0`` where an operand
does not move with a loop, ``1`` where it moves by one element, ``c`` where it moves by a few that
the kernel knows, ``s`` otherwise.
"""

from __future__ import annotations

from typing import NamedTuple


class Operand(NamedTuple):
    """A pointer that is read or written: an element type, and a stride kind for each loop.

    Operands that go along the same rows, each at a place of its own within them, have one pointer.

    Attributes:
      step: the stride of kind ``c``, of the innermost loop.
      owner: the number of the operand whose pointer it is, or -1; ``within``: how many elements
        behind that one it begins.
    """

    dtype: str
    kinds: str
    step: int = 0
    owner: int = -1
    within: int = 0


class Operation(NamedTuple):
    """One scalar operation: an expression over the values ``args``, and its level: the number of
    loops that it has to stand within. With a ``table`` the expression is a position, and the
    value what that table of the kernel has there, or, with a ``guard``, 0 where that value is
    false."""

    expression: str
    args: tuple[int, ...]
    dtype: str
    level: int
    table: int = -1
    guard: int = -1


class Result(NamedTuple):
    """A value that leaves the loops.

    Attributes:
      value: its number.
      operand: where it goes.
      kind: ``store``; ``reduce``: folded over the reduced loops; ``scan``: so too, and each
        partial result stored; ``scatter``: folded into what is there.
      fold: ``sum``, ``prod``, ``max``, ``min``, ``and``, ``or``, ``xor``, ``logaddexp``,
        ``recurrence`` (``factor * before + value``), ``set``; empty for ``store``.
      factor: a value's number, for ``recurrence``; else -1.
      offset: the number of a value that is added to the place; -1 for none.
      skip: the number of a value that says where nothing is written; -1 for none.
    """

    value: int
    operand: Operand
    kind: str
    fold: str = ""
    factor: int = -1
    offset: int = -1
    skip: int = -1


class Kernel(NamedTuple):
    """A nest of ``rank`` loops.

    Values are numbered: first the inputs, then the scalars, then the counters (a loop number
    each), then the operations, in order.

    Attributes:
      tables: what operations look up at computed positions.
      checks: values that are true where an index is out of bounds.
      reduced: the loops that folds go over: none, or the same for each result that is one.
      cut: whether the first loop counts pieces of the second one, so that threads can fold a
        piece each: then turn ``i`` of the first takes ``piece`` turns of the second from
        ``i * piece`` on.
      short: whether sums have so few terms that they are added one by one.
    """

    rank: int
    inputs: tuple[Operand, ...]
    scalars: tuple[str, ...]
    counters: tuple[Operand, ...]
    operations: tuple[Operation, ...]
    results: tuple[Result, ...]
    reduced: tuple[int, ...]
    tables: tuple[Operand, ...] = ()
    checks: tuple[int, ...] = ()
    cut: bool = False
    short: bool = False

    @property
    def gathers(self) -> bool:
        """Whether elements that do not lie side by side are worth being gathered into vectors: they
        are for functions and folds, of which vectors are several times as fast."""
        functions = any("vm_" in operation.expression for operation in self.operations)
        return functions or any(r.kind in ("reduce", "scan") for r in self.results)


def level_of(kinds: str) -> int:
    """How many loops something must stand within that moves as its stride kinds say."""
    return max((d + 1 for d, kind in enumerate(kinds) if kind != "0"), default=0)
