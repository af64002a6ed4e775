"""Kernels that go over the same rows, run block of rows after block of rows.

One kernel after another over large arrays, each would fetch from memory again what the one before
has just used. Where all that passes between them stays within a row, they run together on as many
rows as the processor's cache holds. That needs no other kernels: each takes a range of its
outermost loop anyway. What nothing else uses lies for each block where it lay for the one before,
so that it never goes to memory: after a block the addresses in the kernels' tables are moved back
by its rows. A kernel that folds a large loop piece by piece is one of them, with pieces as rows.
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
_COPIED_UP_TO = 2048

_GROUP = f"""
def group(table, start, stop):
    words = pointer_int64(table)
    step = words[TILE]
    count = words[COUNT]
    copied = words[COPIED]
    moved = HEAD + MEMBER * count
    copies = room_int64({_COPIED_UP_TO})
    if copied > 0:
        filled = 0
        for i in range(count):
            row = HEAD + MEMBER * i
            source = pointer_int64(words[row + 1])
            for k in range(words[row + 3]):
                copies[filled + k] = source[k]
            filled += words[row + 3]
    at = start
    while at < stop:
        end = min(at + step, stop)
        filled = 0
        for i in range(count):
            row = HEAD + MEMBER * i
            place = words[row + 1]
            if copied > 0:
                place = address_of(copies, filled)
            invoke(
                words[row], "void(int64, int64, int64)", place, at * words[row + 2],
                min(end * words[row + 2], words[row + 4]),
            )
            filled += words[row + 3]
        for i in range(copied):
            k = words[moved + 2 * i]
            copies[k] = copies[k] - (end - at) * words[moved + 2 * i + 1]
        at = end
"""
SOURCE = Source(
    _GROUP,
    ("int64",) * 3,
    names=(("COUNT", 0), ("TILE", 1), ("COPIED", 2), ("HEAD", 3), ("MEMBER", 5)),
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

    def __init__(self, members: Sequence[tuple[Lowered, int]], rows: int, tile: int):
        self.members = list(members)
        self.stop = rows
        self.tile = tile
        self.work = sum(low.work for low, _ in members)
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


def _rows_of(kernels: Sequence[Lowered]) -> tuple[int, list[int]] | None:
    """How many rows kernels have in common, and how many turns of its outermost loop each takes for
    one; None where they have none. A kernel that counts pieces has a row for each, and the others
    as many turns as a piece has; the last row may be shorter."""
    cuts = {k.cut for k in kernels if k.cut is not None}
    if not cuts:
        rows = min(k.stop for k in kernels)
        fits = rows > 1 and not any(k.stop % rows for k in kernels)
        return (rows, [k.stop // rows for k in kernels]) if fits else None
    turns, full = next(iter(cuts))
    if len(cuts) > 1 or any(k.stop % full for k in kernels if k.cut is None):
        return None
    rows = -(-full // turns)
    return rows, [1 if k.cut else k.stop // full * turns for k in kernels]


class _Rows:
    """Kernels that may run together: what each slot that they write holds for a row."""

    def __init__(self) -> None:
        self.members: list[tuple[Lowered, int]] = []
        self.rows = 0

    def take(self, low: Lowered) -> bool:
        """Add a kernel if that is possible."""
        if not low.by_rows:
            return False
        kernels = [*(k for k, _ in self.members), low]
        found = _rows_of(kernels)
        if found is None:
            return False
        rows, turns = found
        members = list(zip(kernels, turns, strict=True))
        written = {slot for k in kernels for slot in k.writes()}
        spans: dict[int, tuple[int, ...]] = {}
        for kernel, count in members:
            for access in kernel.accesses:
                if access.slot in written:
                    stride, first, last = access.row(count)
                    if access.looked_up or stride <= 0 or last - first >= stride:
                        return False
                    low_end, high_end = spans.get(access.slot, (stride, first, last))[1:]
                    span = (stride, min(first, low_end), max(last, high_end))
                    if spans.setdefault(access.slot, span)[0] != stride:
                        return False
                    if span[2] - span[1] >= stride:
                        return False
                    spans[access.slot] = span
        self.members, self.rows = members, rows
        return True

    def bytes(self) -> int:
        """How much memory a row takes."""
        found: dict[int, int] = {}
        for kernel, turns in self.members:
            for access in kernel.accesses:
                found[access.slot] = max(found.get(access.slot, 0), access.bytes(turns))
        return sum(found.values())


def grouped(steps: Iterable[Any]) -> list[Any]:
    """Steps with runs of kernels over the same rows in groups, where they touch much memory."""
    out: list[Any] = []
    run = _Rows()

    def close() -> None:
        nonlocal run
        row = run.bytes()
        tile = max(1, _BLOCK_BYTES // row) if row else 0
        if len(run.members) > 1 and tile < run.rows:
            out.append(Group(run.members, run.rows, tile))
        else:
            out.extend(k for k, _ in run.members)
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
