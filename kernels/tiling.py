"""Kernels that go over the same rows, run block of rows after block of rows.

One kernel after another over large arrays, each would fetch from memory again what the one before
has just used. Where all that passes between them stays within a row, they run together on as many
rows as the processor's cache holds. That needs no other kernels: each takes a range of its
outermost loop anyway. What nothing else uses lies for each block where it lay for the one before,
so that it never goes to memory: after a block the addresses in the kernels' tables are moved back
by its rows.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

from .build import Source
from .lowering import Lowered, pieces_of
from .structure import Structured

#: How much memory a block of rows may touch: about half of a core's second-level cache. The
#: gradient of a layer norm of 4000 x 1000 takes 6.8 ms without blocks and 4.9 ms in blocks of
#: this size; of a softmax of 1000 x 1000, which the third-level cache holds, 1.9 and 1.7 ms.
_BLOCK_BYTES = 512 * 1024

#: How many words of tables are copied at most.
_COPIED_UP_TO = 512

_GROUP = f"""
def group(table, start, stop):
    words = pointer_int64(table)
    step = words[TILE]
    count = words[COUNT]
    copied = words[COPIED]
    moved = HEAD + 4 * count
    copies = room_int64({_COPIED_UP_TO})
    if copied > 0:
        filled = 0
        for i in range(count):
            row = HEAD + 4 * i
            source = pointer_int64(words[row + 1])
            for k in range(words[row + 3]):
                copies[filled + k] = source[k]
            filled += words[row + 3]
    at = start
    while at < stop:
        end = min(at + step, stop)
        filled = 0
        for i in range(count):
            row = HEAD + 4 * i
            place = words[row + 1]
            if copied > 0:
                place = address_of(copies, filled)
            invoke(
                words[row], "void(int64, int64, int64)", place, at * words[row + 2],
                end * words[row + 2],
            )
            filled += words[row + 3]
        for i in range(copied):
            k = words[moved + 2 * i]
            copies[k] = copies[k] - (end - at) * words[moved + 2 * i + 1]
        at = end
"""
SOURCE = Source(
    _GROUP, ("int64",) * 3, names=(("COUNT", 0), ("TILE", 1), ("COPIED", 2), ("HEAD", 3))
)


class Group:
    """Kernels over the same rows.

    Attributes:
      members: the kernels, and how many turns of its outermost loop each takes for a row.
      stop: the number of rows; ``tile``: how many are in a block.
      moved: the words of the members' tables, one table after another, that are addresses of what
        only the group uses, and how many bytes a row takes there.
    """

    source = SOURCE

    def __init__(self, members: Sequence[Lowered], rows: int, tile: int):
        self.members = [(low, low.stop // rows) for low in members]
        self.stop = rows
        self.tile = tile
        self.work = sum(low.work for low in members)
        self.piece = pieces_of(self.work, rows)
        self.moved: list[tuple[int, int]] = []

    def reuse(self, slots: Container[int]) -> None:
        """Have each block of rows write what only the group uses where the one before did, so that
        it stays in the cache: to the first rows of the piece that a thread takes."""
        if sum(len(low.table) for low, _ in self.members) > _COPIED_UP_TO:
            return
        first = 0
        for low, turns in self.members:
            strides = {a.slot: a.row(turns)[0] * a.itemsize for a in low.accesses}
            self.moved += [(first + at, strides[s]) for s, at, _ in low.patches if s in slots]
            first += len(low.table)

    def uses(self) -> list[int]:
        """The slots that it reads or writes."""
        return [slot for low, _ in self.members for slot in low.uses()]


class _Rows:
    """Kernels that may run together: what each slot that they write holds for a row."""

    def __init__(self) -> None:
        self.kernels: list[Lowered] = []
        self.rows = 0

    def take(self, low: Lowered) -> bool:
        """Add a kernel if that is possible."""
        if not low.by_rows:
            return False
        kernels = [*self.kernels, low]
        rows = min(k.stop for k in kernels)
        if rows < 2 or any(k.stop % rows for k in kernels):
            return False
        if not self.kernels:  # most remain alone; with a second one all are looked at
            self.kernels, self.rows = kernels, rows
            return True
        written = {slot for k in kernels for slot in k.writes()}
        spans: dict[int, tuple[int, ...]] = {}
        for kernel in kernels:
            for access in kernel.accesses:
                if access.slot in written:
                    stride, first, last = access.row(kernel.stop // rows)
                    if access.looked_up or stride <= 0 or last - first >= stride:
                        return False
                    low_end, high_end = spans.get(access.slot, (stride, first, last))[1:]
                    span = (stride, min(first, low_end), max(last, high_end))
                    if spans.setdefault(access.slot, span)[0] != stride:
                        return False
                    if span[2] - span[1] >= stride:
                        return False
                    spans[access.slot] = span
        self.kernels, self.rows = kernels, rows
        return True

    def bytes(self) -> int:
        """How much memory a row takes."""
        found: dict[int, int] = {}
        for kernel in self.kernels:
            for access in kernel.accesses:
                size = access.bytes(kernel.stop // self.rows)
                found[access.slot] = max(found.get(access.slot, 0), size)
        return sum(found.values())


def grouped(steps: Iterable[Any]) -> list[Any]:
    """Steps with runs of kernels over the same rows in groups, where they touch much memory."""
    out: list[Any] = []
    run = _Rows()

    def close() -> None:
        nonlocal run
        row = run.bytes() if len(run.kernels) > 1 else 0
        tile = max(1, _BLOCK_BYTES // row) if row else run.rows
        if tile < run.rows:
            out.append(Group(run.kernels, run.rows, tile))
        else:
            out.extend(run.kernels)
        run = _Rows()

    for step in steps:
        if isinstance(step, Lowered):
            if run.take(step):
                continue
            close()
            if run.take(step):
                continue
        close()
        out.append(step)
    close()
    return out


def kernels_of(steps: Iterable[Any]) -> list[Lowered]:
    """All kernels among steps, those in groups too."""
    found: list[Lowered] = []
    for step in steps:
        if isinstance(step, Group):
            found += [low for low, _ in step.members]
        elif isinstance(step, Lowered):
            found.append(step)
        elif isinstance(step, Structured):
            found += step.kernels
    return found
