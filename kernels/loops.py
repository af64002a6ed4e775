"""The loop IR: what one kernel computes, without saying for which sizes.

A kernel is a nest of loops. Its operands are strided pointers and scalars; its body is a list of
scalar operations in single assignment; each result is stored, or folded into a reduction. Sizes
and strides are run-time integers; of the strides only the *kind* is fixed: ``0`` where an operand
does not move with a loop, ``1`` where it moves by one element, ``s`` otherwise.
"""

from __future__ import annotations

from typing import NamedTuple


class Operand(NamedTuple):
    """A pointer that is read or written: an element type, and a stride kind for each loop."""

    dtype: str
    kinds: str


class Operation(NamedTuple):
    """One scalar operation: an expression over the values ``args``, and its level: the number of
    loops that it has to stand within."""

    expression: str
    args: tuple[int, ...]
    dtype: str
    level: int


class Result(NamedTuple):
    """A value that leaves the loops: stored through ``operand`` when ``reduce`` is empty, else
    folded (``sum``, ``max``, ``min``, ``prod``) over the reduced loops of the kernel."""

    value: int
    operand: Operand
    reduce: str


class Kernel(NamedTuple):
    """A nest of ``rank`` loops.

    Values are numbered: first the inputs, then the scalars, then the counters (a loop number
    each), then the operations, in order. ``reduced`` are the loops that reductions go over: none,
    or the same for each result that is one.
    """

    rank: int
    inputs: tuple[Operand, ...]
    scalars: tuple[str, ...]
    counters: tuple[Operand, ...]
    operations: tuple[Operation, ...]
    results: tuple[Result, ...]
    reduced: tuple[int, ...]


def level_of(kinds: str) -> int:
    """How many loops something must stand within that moves as its stride kinds say."""
    return max((d + 1 for d, kind in enumerate(kinds) if kind != "0"), default=0)
