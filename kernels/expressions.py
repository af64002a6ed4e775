"""What a plan is made of: expressions over arrays in memory, and the steps that compute them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

import numpy as np

from ..core.jaxpr import Eqn
from ..core.source import Location
from .build import Source
from .views import View

#: Arrays of up to so many elements are kept in registers where only a loop uses them.
REGISTERS = 32
#: Within loops, kernels over up to so many elements have their sizes in the source, so that their
#: loops can be unrolled; others take them from a table, so that another size compiles nothing.
TINY_UP_TO = 64


class NoKernelError(Exception):
    """Something within a loop or a branch that only Python can do: then Python runs the loop."""


class _Atom:
    """What an expression ends in: nothing is computed for it."""

    __slots__ = ()

    #: As of a ``Node``.
    weight = 0
    checked = False
    reads = 0


class Leaf(_Atom):
    """An array, or a part of one, in a slot."""

    __slots__ = ("dtype", "slot", "view")

    def __init__(self, slot: int, view: View, dtype: np.dtype):
        self.slot = slot
        self.view = view
        self.dtype = dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.view.shape

    @property
    def reads(self) -> int:  # type: ignore[override]
        return 1 << self.slot


class Number(_Atom):
    """A scalar that stands in the program."""

    __slots__ = ("dtype", "shape", "value")

    def __init__(self, value: Any, shape: tuple[int, ...] = ()):
        self.value = value
        self.dtype = np.dtype(value.dtype)
        self.shape = shape


class Counter(_Atom):
    """Each element's position: the numbers that a view maps indices to."""

    __slots__ = ("dtype", "view")

    def __init__(self, view: View, dtype: np.dtype):
        self.view = view
        self.dtype = dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.view.shape


class Node:
    """An elementwise operation on expressions of one shape.

    What is asked of a node and all that it is made of is worked out when it is made, from what is
    known of its arguments: a program's last expressions may be made of all the others.
    """

    __slots__ = (
        "args", "bit", "checked", "counted", "dtype", "eqn", "expression", "heavy", "known",
        "reads", "shape", "weight",
    )  # fmt: skip

    def __init__(
        self, expression: str, args: list[Any], dtype: np.dtype, shape: tuple[int, ...], heavy: bool
    ):
        #: The equation that it computes, or a part of it.
        self.eqn: Eqn | None = None
        self.expression = expression
        self.args = args
        self.dtype = dtype
        self.shape = shape
        #: Whether it is better stored than repeated.
        self.heavy = heavy
        #: How many of those stand below it, each as often as it is used; a large number at most.
        self.weight = min(heavy + sum([a.weight for a in args]), 1_000_000)
        #: Whether it has indices that are checked.
        self.checked = any(a.checked for a in args)
        #: The slots that it reads, a bit each.
        self.reads = slots_of(args)
        #: Belong to ``Heavy``: which bit it is, what is known of it, and of what it is made of.
        self.bit = 0
        self.known: tuple[object, int] = (None, 0)
        self.counted: object = None


class Lookup(Node):
    """What an array holds at computed positions.

    ``args`` are the position that is added to the leaf's own, in elements, and a bool in two cases.
    Where indices are checked it is true where one is out of bounds (the position is a valid one
    then). With ``guarded`` it says where there is something to read; elsewhere the value is 0.
    """

    __slots__ = ("guarded", "leaf")

    def __init__(self, leaf: Leaf, args: list[Any], guarded: bool = False):
        super().__init__("{0}", args, leaf.dtype, leaf.shape, False)
        self.leaf = leaf
        self.guarded = guarded
        self.reads |= leaf.reads
        self.checked = self.checked or (len(args) > 1 and not guarded)


Expression = Leaf | Number | Counter | Node


class Root:
    """An expression that goes to memory through a view; see ``loops.Result`` for the rest."""

    __slots__ = ("eqn", "expression", "factor", "fold", "kind", "offset", "skip", "slot", "view")

    def __init__(
        self,
        expression: Expression,
        slot: int,
        view: View,
        kind: str = "store",
        fold: str = "",
        *,
        factor: Expression | None = None,
        offset: Expression | None = None,
        skip: Expression | None = None,
    ):
        self.expression = expression
        self.slot = slot
        self.view = view
        self.kind = kind
        self.fold = fold
        #: The equation that asked for it.
        self.eqn: Eqn | None = None
        self.factor = factor
        self.offset = offset
        self.skip = skip

    @property
    def reads(self) -> list[Expression]:
        """All that is computed for it."""
        return [e for e in (self.expression, self.factor, self.offset, self.skip) if e is not None]


class KernelDraft:
    """Roots over one space, in one nest of loops.

    Attributes:
      reduced: the dimensions that folds go over.
      alone: whether no other roots may join.
      checks: bools that are true where an index is out of bounds.
    """

    def __init__(self, shape: tuple[int, ...], reduced: tuple[int, ...], alone: bool = False):
        self.shape = shape
        self.reduced = reduced
        self.alone = alone
        self.checks: list[Expression] = []
        #: The heavy operations of its roots, a bit each.
        self.heavy = 0
        self.roots: list[Root] = []
        #: Expressions, by identity, that earlier kernels have stored.
        self.stored: dict[int, Leaf] = {}


class HostStep:
    """A call of a NumPy function: what has no lowering runs through its implementation.

    Attributes:
      call: takes arrays and scalars for ``args``, leaves and numbers; returns a list.
      slots: where its results go.
      eqn: the equation that it computes.
      keeps_arguments: whether it may hand its arguments to someone who keeps them, or return
        what someone keeps.
      location: the user's line.
    """

    def __init__(
        self,
        name: str,
        call: Callable[..., list[Any]],
        args: list[Any],
        slots: list[int],
        keeps_arguments: bool = False,
        location: Location | None = None,
    ):
        self.name = name
        self.call = call
        self.args = args
        self.slots = slots
        self.keeps_arguments = keeps_arguments
        self.location = location
        self.eqn: Eqn | None = None

    @property
    def leaves(self) -> list[Leaf]:
        return [a for a in self.args if isinstance(a, Leaf)]

    def uses(self) -> list[int]:
        """The slots that it reads or makes."""
        return [*(a.slot for a in self.leaves), *self.slots]


class Routine:
    """A step with a source of its own, not made of expressions.

    Attributes:
      name: what it does, for ``describe``.
      source: a function ``(table, start, stop)``.
      table: its words; ``patches``: (slot, position, offset in bytes) for each address in it.
      stop: the end of its range.
      work: a rough count of nanoseconds.
      slots: what it writes.
      library: what it calls.
      piece: how much of its range a thread takes at a time; 0 where it runs in one piece.
      eqn: the equation that it computes, or a part of it.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        table: list[int],
        patches: list[tuple[int, int, int]],
        stop: int,
        work: int,
        slots: list[int],
        library: str = "BLAS",
        piece: int = 0,
    ):
        self.name = name
        self.library = library
        self.source = source
        self.table = table
        self.patches = patches
        self.stop = stop
        self.work = work
        self.slots = slots
        self.piece = piece
        self.eqn: Eqn | None = None

    @property
    def may_fail(self) -> bool:
        """Whether it may set the program's status."""
        return any(slot < 0 for slot, _, _ in self.patches)

    def uses(self) -> list[int]:
        """The slots that it reads or writes."""
        return [slot for slot, _, _ in self.patches if slot >= 0]


class Control:
    """A loop, a branch, or loops in a row: steps that other steps are made of.

    Attributes:
      name: the primitive's.
      slots: what it writes that others read.
      reads: what it reads that others have written.
    """

    name = ""
    slots: list[int]
    reads: list[int]
    eqn: Eqn | None = None

    def uses(self) -> list[int]:
        """The slots that it reads or writes, as far as others do."""
        return [*self.reads, *self.slots]


class Loop(Control):
    """A loop over a number of turns, or, with a test, for as long as that holds.

    Attributes:
      turns: the number, or the leaf that holds it, or None with a test.
      reverse: whether the elements are taken from the last to the first.
      carry: slots that hold at the beginning of a turn what the last one left there.
      sources: for each of those the slot that holds at the end of a turn what it is to hold.
      elements: (slot, leaf): a slot that is in each turn an element of an array.
      outputs: (slot, slot, size, dtype): one that is in each turn an element, of so many numbers,
        of an array that is written.
      body, test: the steps; ``condition``: the leaf that the test leaves its answer in.
    """

    def __init__(self, name: str, turns: Any, reverse: bool):
        self.name = name
        self.turns = turns
        self.reverse = reverse
        self.carry: list[int] = []
        self.sources: list[int] = []
        self.elements: list[tuple[int, Leaf]] = []
        self.outputs: list[tuple[int, int, int, np.dtype]] = []
        self.body: list[Any] = []
        self.test: list[Any] | None = None
        self.condition: Leaf | None = None
        self.slots: list[int] = []
        self.reads: list[int] = []


class Branch(Control):
    """One of several lists of steps, chosen by a number."""

    name = "cond"

    def __init__(self, index: Leaf, branches: list[list[Any]], slots: list[int], reads: list[int]):
        self.index = index
        self.branches = branches
        self.slots = slots
        self.reads = reads


class Loops(Control):
    """Loops in a row, and arrays that they hand on: (slot, elements a turn, dtype) each."""

    name = "sweeps"

    def __init__(self, turns: Leaf, loops: list[Loop], handed: list[tuple[int, int, np.dtype]]):
        self.turns = turns
        self.loops = loops
        self.handed = handed
        self.slots = [s for loop in loops for s in loop.slots]
        self.reads = [turns.slot, *(s for loop in loops for s in loop.reads)]


def slots_of(expressions: Iterable[Expression]) -> int:
    """The slots that expressions read, a bit each."""
    slots = 0
    for e in expressions:
        more = e.reads
        both = slots | more
        if both != slots:  # where it is an argument's own, the same number: it may be long
            slots = more if both == more else both
    return slots


def slots_in(slots: int) -> list[int]:
    """The numbers of the bits."""
    found = []
    while slots:
        lowest = slots & -slots
        found.append(lowest.bit_length() - 1)
        slots ^= lowest
    return found


def operations(expression: Expression, limit: int, stored: Container[int] = ()) -> set[int]:
    """The operations that an expression is made of, by identity, down to what is stored; about
    ``limit`` at most."""
    found: set[int] = set()
    todo = [expression]
    while todo and len(found) < limit:
        e = todo.pop()
        if isinstance(e, Node) and id(e) not in found:
            found.add(id(e))
            todo.extend(a for a in e.args if id(a) not in stored)
    return found


def has_operations(e: Expression, count: int, stored: Container[int] = ()) -> bool:
    """Whether an expression is made of so many operations, down to what is stored."""
    return isinstance(e, Node) and len(operations(e, count, stored)) >= count


class Heavy:
    """Which heavy operations expressions are made of, down to what is stored.

    Each node keeps the answer for as long as nothing below it becomes stored, so that an expression
    is not gone through anew for each one that is made of it.
    """

    def __init__(self) -> None:
        self._count = 0
        self._now = object()

    def forget(self) -> None:
        """Note that what is stored has changed."""
        self._now = object()

    def store(self, expression: Expression) -> None:
        """Note that an expression is stored now."""
        if isinstance(expression, Node) and expression.counted is self._now:
            self.forget()

    def operations(self, expressions: Sequence[Expression], stored: Container[int]) -> int:
        """Those of some expressions, a bit each."""
        found = 0
        for e in expressions:
            if isinstance(e, Node) and e.weight and id(e) not in stored:
                found |= self._operations(e, stored)
        return found

    def _operations(self, expression: Node, stored: Container[int]) -> int:
        todo = [expression]
        while todo:
            e = todo[-1]
            if e.known[0] is self._now:
                todo.pop()
                continue
            parts = [a for a in e.args if a.weight and id(a) not in stored]
            unknown = [a for a in parts if a.known[0] is not self._now]
            if unknown:
                todo += unknown
                continue
            if e.heavy and not e.bit:
                e.bit = 1 << self._count
                self._count += 1
            bits = e.bit
            for a in parts:
                bits |= a.known[1]
                a.counted = self._now
            e.known = self._now, bits
        return expression.known[1]


def reindex(
    expression: Expression,
    change: Callable[[View], View],
    shape: tuple[int, ...],
    guard: Expression | None = None,
) -> Expression:
    """An expression seen through other views; with a guard only where that is true, and anything
    elsewhere."""
    seen: dict[int, Expression] = {}

    def visit(e: Expression) -> Expression:
        if id(e) not in seen:
            seen[id(e)] = changed(e)
        return seen[id(e)]

    def changed(e: Expression) -> Expression:
        if isinstance(e, Leaf):
            leaf = Leaf(e.slot, change(e.view), e.dtype)
            return leaf if guard is None else Lookup(leaf, [_ZERO, guard], True)
        if isinstance(e, Counter):
            return Counter(change(e.view), e.dtype)
        if isinstance(e, Number):
            return Number(e.value, shape)
        args = [visit(a) for a in e.args]
        if not isinstance(e, Lookup):
            return made(Node(e.expression, args, e.dtype, shape, e.heavy), e)
        leaf, guarded = Leaf(e.leaf.slot, change(e.leaf.view), e.dtype), e.guarded
        if guard is not None:
            args[1:] = [_both(guard, args[1]) if guarded else guard]
            guarded = True
        return made(Lookup(leaf, args, guarded), e)

    def made(node: Node, like: Node) -> Node:
        node.eqn = like.eqn
        return node

    return visit(expression)


_ZERO = Number(np.int64(0))


def _both(x: Expression, y: Expression) -> Node:
    return Node("{0} & {1}", [x, y], np.dtype(np.bool_), x.shape, False)


def inside(shape: tuple[int, ...], starts: Sequence[int], sizes: Sequence[int]) -> Node | None:
    """Where an index lies in a box; None where it always does."""
    tests: list[Node] = []
    for d, (n, start, size) in enumerate(zip(shape, starts, sizes, strict=True)):
        place = Counter(View(shape, tuple(int(k == d) for k in range(len(shape)))), _ZERO.dtype)
        for sign, bound, needed in (
            (">=", start, start > 0),
            ("<", start + size, start + size < n),
        ):
            if needed:
                args = [place, Number(np.int64(bound), shape)]
                tests.append(Node(f"{{0}} {sign} {{1}}", args, np.dtype(np.bool_), shape, False))
    return functools.reduce(_both, tests) if tests else None
