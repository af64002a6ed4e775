"""Places for temporaries in one block of memory."""

from __future__ import annotations

import bisect
import heapq
import math
from collections.abc import Mapping


class _Free:
    """The parts of a block without end that are free, in order of their places."""

    def __init__(self) -> None:
        self._starts: list[float] = [0]
        self._ends: list[float] = [math.inf]

    def take(self, size: int) -> int:
        """The first place where there is room."""
        for i, (start, end) in enumerate(zip(self._starts, self._ends, strict=True)):
            if end - start >= size:
                self._starts[i] = start + size
                if start + size == end:
                    del self._starts[i], self._ends[i]
                return int(start)
        raise AssertionError("the last part has no end")

    def give_back(self, start: int, size: int) -> None:
        """Free a place, as one with those beside it."""
        i = bisect.bisect(self._starts, start)
        end: float = start + size
        first, last = i, i
        if i and self._ends[i - 1] == start:
            first, start = i - 1, self._starts[i - 1]  # type: ignore[assignment]
        if i < len(self._starts) and self._starts[i] == end:
            last, end = i + 1, self._ends[i]
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]


def arranged(used: Mapping[int, tuple[int, int]], sizes: Mapping[int, int]) -> dict[int, int]:
    """Places for slots: those that are not in use at the same step may share one.

    Args:
      used: the first and the last step that uses a slot.
      sizes: in bytes, multiples of what places are to be multiples of.
    """
    free = _Free()
    places: dict[int, int] = {}
    taken: list[tuple[int, int]] = []  # last use and slot
    for slot, (first, last) in sorted(used.items(), key=lambda item: item[1]):
        while taken and taken[0][0] < first:
            _, done = heapq.heappop(taken)
            if sizes[done]:
                free.give_back(places[done], sizes[done])
        places[slot] = free.take(sizes[slot]) if sizes[slot] else 0
        heapq.heappush(taken, (last, slot))
    return places
