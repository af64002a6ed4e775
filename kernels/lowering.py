"""From a kernel draft, over arrays of known shapes, to the loop IR and the numbers it runs on."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.jaxpr import Eqn
from .build import Source
from .expressions import (
    TINY_UP_TO,
    Counter,
    Expression,
    KernelDraft,
    Leaf,
    Lookup,
    Node,
    Number,
    Root,
)
from .loops import Kernel, Operand, Operation, Result, level_of
from .source import kernel_source
from .views import View

#: From about this many nanoseconds of work on a kernel is shared among threads, in pieces of about
#: so many.
_SHARE_FROM = 60_000
_PIECE = 30_000
#: Strides of up to so many elements in a single loop are part of its code: those of rows of a few
#: numbers. LLVM reads several of a row at once then.
_ROWS_UP_TO = 32
#: In the patches of a table: the word that a kernel sets when an index is out of bounds.
STATUS_SLOT = -1
#: The status of a program that met a matrix which cannot be factored, or is singular.
NO_FACTOR = 3


@functools.cache
def _name(dtype: np.dtype) -> str:
    """A dtype's name, which NumPy makes in Python whenever it is asked."""
    return dtype.name


class Access(NamedTuple):
    """How a kernel reads or writes a slot, in elements: from ``offset`` on, along its loops."""

    slot: int
    offset: int
    itemsize: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    #: Whether the position is computed; then it may be any.
    looked_up: bool

    def row(self, turns: int) -> tuple[int, int, int]:
        """For so many turns of the outermost loop as a row: the distance of rows, and the first
        and last position of row 0."""
        first = last = self.offset
        inner = zip(self.shape[1:], self.strides[1:], strict=True)
        for n, stride in ((turns, self.strides[0]), *inner):
            first += min(0, (n - 1) * stride)
            last += max(0, (n - 1) * stride)
        return self.strides[0] * turns, first, last

    def bytes(self, turns: int) -> int:
        """How much memory such a row takes: of what is strided, only what is read."""
        _, first, last = self.row(turns)
        moving = zip((turns, *self.shape[1:]), self.strides, strict=True)
        count = math.prod(n for n, stride in moving if stride)
        return min(last - first + 1, count) * self.itemsize


class Lowered:
    """A kernel, and what its table holds for the shapes at hand.

    Attributes:
      kernel: the loop IR.
      table: the table's words; zero where an address goes.
      patches: (slot, position in the table, byte offset) for each address.
      stop: how many turns the outermost loop takes.
      space: the shape that the loops run over, before dimensions were merged.
      accesses: how each slot is read and written.
      cut: where that loop counts pieces of the next one, the turns of a piece, and of all.
    """

    def __init__(
        self,
        kernel: Kernel,
        table: list[int],
        patches: list[tuple[int, int, int]],
        stop: int,
        space: tuple[int, ...],
        draft: KernelDraft,
        accesses: list[Access],
        cut: tuple[int, int] | None = None,
    ):
        self.accesses = accesses
        self.space = space
        self._draft = draft
        self.kernel = kernel
        self.table = table
        self.patches = patches
        self.stop = stop
        self.cut = cut

    @property
    def piece(self) -> int:
        """How much of its range one thread takes at a time; 0 where it is not shared."""
        return pieces_of(self.work, self.stop) if self.by_rows else 0

    @property
    def by_rows(self) -> bool:
        """Whether the turns of the outermost loop may be done in any order."""
        first_folded = 0 in self.kernel.reduced or self.kernel.rank == 0
        # Two turns may scatter to one place.
        return not first_folded and all(r.kind != "scatter" for r in self.kernel.results)

    @functools.cached_property
    def source(self) -> Source:
        """What is compiled."""
        return kernel_source(self.kernel)

    def uses(self) -> list[int]:
        """The slots that it reads or writes."""
        return [slot for slot, _, _ in self.patches if slot != STATUS_SLOT]

    def writes(self) -> list[int]:
        """The slots that it writes."""
        return [r.slot for r in self._draft.roots]

    def in_place(self, out: int, read: int) -> bool:
        """Whether each element of a slot is read just before the same one of another is written."""
        views = {r.view for r in self._draft.roots if r.slot == out}
        found = _topological([e for r in self._draft.roots for e in r.reads], self._draft.stored)
        for e in found:
            if isinstance(e, Leaf) and e.slot == read:
                views.add(e.view)
            elif isinstance(e, Lookup) and e.leaf.slot == read:
                return False
        stored = all(r.kind == "store" for r in self._draft.roots if r.slot == out)
        return stored and len(views) == 1

    @property
    def eqns(self) -> list[Eqn]:
        """The equations that it computes, the last ones perhaps in part only."""
        roots = self._draft.roots
        found = _topological([e for r in roots for e in r.reads], self._draft.stored)
        eqns = [e.eqn for e in found if isinstance(e, Node)]
        eqns += [r.eqn for r in roots if not (r.kind == "store" and isinstance(r.expression, Node))]
        return list({id(eqn): eqn for eqn in eqns if eqn is not None}.values())

    @functools.cached_property
    def work(self) -> int:
        """A rough count of nanoseconds on one thread."""
        return _work(self.space, [o.expression for o in self.kernel.operations])


def pieces_of(work: int, stop: int) -> int:
    """How much of a range one thread takes at a time; 0 where it is not shared."""
    if work < _SHARE_FROM or stop < 2:
        return 0
    return -(-stop // _most_pieces(work))


def _most_pieces(work: int) -> int:
    return min(64, max(2, work // _PIECE))


def _bits(value: Any) -> int:
    raw = np.asarray(value).tobytes()
    return int.from_bytes(raw.ljust(8, b"\0"), "little", signed=True)


class _Lowering:
    def __init__(self, draft: KernelDraft):
        self.draft = draft
        self.stored = draft.stored
        self.inputs: dict[tuple, int] = {}
        self.scalars: dict[tuple[np.dtype, int], int] = {}
        self.counters: dict[tuple, int] = {}
        self.tables: dict[tuple, int] = {}
        self.nodes: list[Node] = []
        self.seen: dict[int, tuple[str, int]] = {}

    def collect(self, e: Expression) -> tuple[str, int]:
        """Where a value stands: in which list, and its place there."""
        if id(e) in self.seen:
            return self.seen[id(e)]
        e = self.stored.get(id(e), e)
        if isinstance(e, Leaf):
            place = ("in", self.inputs.setdefault((e.slot, e.view, e.dtype), len(self.inputs)))
        elif isinstance(e, Number):
            key = (e.dtype, _bits(e.value))
            place = ("scalar", self.scalars.setdefault(key, len(self.scalars)))
        elif isinstance(e, Counter):
            place = ("count", self.counters.setdefault((e.view, e.dtype), len(self.counters)))
        else:
            for arg in e.args:
                self.collect(arg)
            place = ("node", len(self.nodes))
            self.nodes.append(e)
            if isinstance(e, Lookup):
                key = (e.leaf.slot, e.leaf.view, e.dtype)
                self.tables.setdefault(key, len(self.tables))
        self.seen[id(e)] = place
        return place


def lower(
    draft: KernelDraft, new_array: Callable[[tuple[int, ...], np.dtype], Leaf]
) -> list[Lowered]:
    """Lower a draft to a kernel, or to two: a large one whose outermost loop is folded writes a
    result for each piece of that loop, in memory from ``new_array``, and the second one folds
    those. So threads can take a piece each, and what comes out does not depend on how many.
    """
    low = _Lowering(draft)
    # Deep graphs would overrun Python's stack: collect from the leaves up.
    roots = draft.roots
    for e in _topological([e for r in roots for e in r.reads], draft.stored):
        low.collect(e)
    views = [view for _, view, _ in low.inputs]
    views += [view for view, _ in low.counters]
    views += [r.view for r in roots]
    views += [view for _, view, _ in low.tables]
    shape, reduced, strides = _merge_dimensions(draft.shape, draft.reduced, views)
    first_root = len(low.inputs) + len(low.counters)
    targets = [(r.slot, r.view.offset) for r in roots]
    turns = _turns_a_piece(low, shape, reduced)
    second: list[Lowered] = []
    if turns:
        pieces = -(-shape[0] // turns)
        kept = [d for d in range(len(shape)) if d not in reduced]
        sizes = tuple(shape[d] for d in kept)
        folded = KernelDraft((pieces, *sizes), (0,), alone=True)
        strides = [(0, *s) for s in strides]
        for i, root in enumerate(roots):
            if root.kind != "reduce":
                continue
            part = new_array((pieces, *sizes), root.expression.dtype)
            before = strides[first_root + i]
            view = View(part.shape, (0, *(before[1 + d] for d in kept)), root.view.offset)
            last = Root(part, root.slot, view, "reduce", root.fold)
            last.eqn = root.eqn
            folded.roots.append(last)
            moves = [part.view.strides[0]] + [0] * len(shape)
            for d, stride in zip(kept, part.view.strides[1:], strict=True):
                moves[1 + d] = stride
            strides[first_root + i] = tuple(moves)
            targets[i] = part.slot, 0
        shape, reduced = (pieces, *shape), tuple(d + 1 for d in reduced)
        second = lower(folded, new_array)
    rank = len(shape)
    steps = iter(strides)
    one_loop = rank == 1 + bool(turns) and shape[-1] > TINY_UP_TO
    inputs = _operands([(s, v.offset, dtype) for s, v, dtype in low.inputs], steps, one_loop)
    counters = _operands([(None, v.offset, dtype) for v, dtype in low.counters], steps)
    stored = one_loop and all(r.kind == "store" and r.offset is None for r in roots)
    places = [(*t, r.expression.dtype) for t, r in zip(targets, roots, strict=True)]
    operands = _operands(places, steps, stored)
    tables = _operands([(s, v.offset, dtype) for s, v, dtype in low.tables], steps)
    first_scalar = len(inputs)
    first_counter = first_scalar + len(low.scalars)
    base = {
        "in": 0, "scalar": first_scalar, "count": first_counter,
        "node": first_counter + len(counters),
    }  # fmt: skip

    def number(e: Expression | None) -> int:
        if e is None:
            return -1
        kind, i = low.seen[_key(low, e)]
        return base[kind] + i

    levels = [level_of(o.kinds) for o in inputs] + [0] * len(low.scalars)
    levels += [level_of(o.kinds) for o in counters]
    operations = []
    checks = []
    for node in low.nodes:
        args = tuple(number(a) for a in node.args)
        level = max((levels[n] for n in args), default=0)
        table = guard = -1
        if isinstance(node, Lookup):
            table = low.tables[node.leaf.slot, node.leaf.view, node.dtype]
            level = max(level, level_of(tables[table].kinds))
            if node.guarded:
                guard = args[1]
            else:
                checks += args[1:]
        levels.append(level)
        operations.append(Operation(node.expression, args, _name(node.dtype), level, table, guard))
    checks += [number(e) for e in draft.checks]
    results = [
        Result(
            number(r.expression), o, r.kind, r.fold,
            number(r.factor), number(r.offset), number(r.skip),
        )
        for r, o in zip(roots, operands, strict=True)
    ]  # fmt: skip
    kernel = Kernel(
        rank,
        tuple(inputs),
        tuple([_name(dtype) for dtype, _ in low.scalars]),
        tuple(counters),
        tuple(operations),
        tuple(results),
        reduced,
        tuple(tables),
        tuple(dict.fromkeys(checks)),
        cut=bool(turns),
    )
    table, patches = _fill_table(low, kernel, shape, strides, targets, turns)
    stop = shape[0] if rank else 1
    accesses = _accesses(low, shape, strides, targets, turns)
    cut = (turns, shape[1]) if turns else None
    return [Lowered(kernel, table, patches, stop, draft.shape, draft, accesses, cut), *second]


def _accesses(
    low: _Lowering,
    shape: tuple[int, ...],
    strides: list[tuple[int, ...]],
    targets: list[tuple[int, int]],
    turns: int,
) -> list[Access]:
    if not shape:
        return []
    if turns:  # the first loop counts pieces of the second one
        shape = (shape[0], turns, *shape[2:])
        strides = [(s[0] + turns * s[1], *s[1:]) for s in strides]
    found: list[Access] = []
    steps = iter(strides)
    for slot, view, dtype in low.inputs:
        found.append(Access(slot, view.offset, dtype.itemsize, shape, next(steps), False))
    for _ in low.counters:
        next(steps)
    for (slot, offset), root in zip(targets, low.draft.roots, strict=True):
        size, moved = root.expression.dtype.itemsize, root.offset is not None
        found.append(Access(slot, offset, size, shape, next(steps), moved))
    for slot, view, dtype in low.tables:
        found.append(Access(slot, view.offset, dtype.itemsize, shape, next(steps), True))
    return found


def _turns_a_piece(low: _Lowering, shape: tuple[int, ...], reduced: tuple[int, ...]) -> int:
    """How many turns of a folded outermost loop make a piece; 0 where the loop is not cut."""
    work = _work(low.draft.shape, [node.expression for node in low.nodes])
    if 0 not in reduced:
        return 0
    if any(r.kind in ("scan", "scatter") for r in low.draft.roots):
        return 0
    kept = math.prod(n for d, n in enumerate(shape) if d not in reduced)
    if _most_pieces(work) * kept * 8 > math.prod(shape):  # the pieces' results would cost too much
        return 0
    return pieces_of(work, shape[0])


def _work(space: tuple[int, ...], expressions: list[str]) -> int:
    """A rough count of nanoseconds on one thread."""
    operations = sum(1 + 4 * ("vm_" in e) for e in expressions)
    return math.prod(space) * (1 + operations) // 4


def _key(low: _Lowering, e: Expression) -> int:
    return id(low.stored.get(id(e), e))


def _topological(roots: list[Expression], stored: dict[int, Leaf]) -> list[Expression]:
    order: list[Expression] = []
    done: set[int] = set()
    todo: list[tuple[Expression, bool]] = [(r, False) for r in reversed(roots)]
    while todo:
        e, ready = todo.pop()
        e = stored.get(id(e), e)
        if ready:
            order.append(e)
        elif id(e) not in done:
            done.add(id(e))
            todo.append((e, True))
            if isinstance(e, Node):
                todo.extend((a, False) for a in reversed(e.args))
    return order


def _kinds(strides: tuple[int, ...]) -> str:
    last = len(strides) - 1
    return "".join(
        "0" if s == 0 else "1" if s == 1 and d == last else "s" for d, s in enumerate(strides)
    )


def _operands(
    places: Sequence[tuple[int | None, int, np.dtype]],
    strides: Iterator[tuple[int, ...]],
    rows: bool = False,
) -> list[Operand]:
    """Operands at some places (slot, offset, dtype), with the next strides; with ``rows`` those
    that go along the same short rows have one pointer."""
    operands: list[Operand] = []
    owners: dict[tuple, int] = {}
    for number, (slot, offset, dtype) in enumerate(places):
        steps = next(strides)
        kinds = _kinds(steps)
        if not (rows and kinds.endswith("s") and 1 < steps[-1] <= _ROWS_UP_TO):
            operands.append(Operand(_name(dtype), kinds))
            continue
        owner = owners.setdefault((slot, dtype, steps, offset // steps[-1]), number)
        within = offset - places[owner][1]
        own = -1 if owner == number else owner
        operands.append(Operand(_name(dtype), kinds[:-1] + "c", steps[-1], own, within))
    return operands


def _merge_dimensions(
    shape: tuple[int, ...], reduced: tuple[int, ...], views: list[View]
) -> tuple[tuple[int, ...], tuple[int, ...], list[tuple[int, ...]]]:
    """Drop dimensions of size one and count neighbours as one where every operand allows it."""
    dims = [d for d, n in enumerate(shape) if n != 1]
    groups: list[list[int]] = []
    for d in dims:
        if groups and (groups[-1][-1] in reduced) == (d in reduced):
            before = groups[-1][-1]
            if all(v.strides[before] == v.strides[d] * shape[d] for v in views):
                groups[-1].append(d)
                continue
        groups.append([d])
    sizes = tuple(math.prod(shape[d] for d in g) for g in groups)
    merged_reduced = tuple(i for i, g in enumerate(groups) if g[0] in reduced)
    strides = [tuple(v.strides[g[-1]] for g in groups) for v in views]
    if reduced and not merged_reduced:  # each reduced dimension has one element: keep a loop
        sizes, merged_reduced = (*sizes, 1), (len(sizes),)
        strides = [(*s, 0) for s in strides]
    return sizes, merged_reduced, strides


def _fill_table(
    low: _Lowering,
    kernel: Kernel,
    shape: tuple[int, ...],
    strides: list[tuple[int, ...]],
    targets: list[tuple[int, int]],
    turns: int,
) -> tuple[list[int], list[tuple[int, int, int]]]:
    """The words of a kernel's table, in the order of ``source.parameters``; ``targets``: slot and
    offset of each result."""
    patches = []
    pointers = [
        (slot, view.offset, dtype)
        for (slot, view, dtype), operand in zip(low.inputs, kernel.inputs, strict=True)
        if operand.owner < 0
    ]
    pointers += [
        (slot, offset, root.expression.dtype)
        for (slot, offset), root, result in zip(
            targets, low.draft.roots, kernel.results, strict=True
        )
        if result.operand.owner < 0
    ]
    pointers += [(slot, view.offset, dtype) for slot, view, dtype in low.tables]
    for at, (slot, offset, dtype) in enumerate(pointers):
        patches.append((slot, at, offset * dtype.itemsize))
    if kernel.checks:
        patches.append((STATUS_SLOT, len(patches), 0))
    table = [0] * len(patches)
    table += [bits for _, bits in low.scalars]
    table += [view.offset for view, _ in low.counters]
    table += shape
    table += [turns] if turns else []
    operands = [*kernel.inputs, *kernel.counters, *(r.operand for r in kernel.results)]
    operands += kernel.tables
    less = 1 if kernel.gathers else 0
    for operand, steps in zip(operands, strides, strict=True):
        table += [s - less for s, kind in zip(steps, operand.kinds, strict=True) if kind == "s"]
    return table, patches
