"""Colorings of sparse matrices: which columns can be found in one product with a vector.

Columns that have no row in common can be read off the product with the sum of their unit vectors
(Curtis, Powell, Reid 1974), so that the least number of products is a problem of graph coloring
(Coleman, Moré 1983). The algorithms are greedy. Sets of colors are bits of Python's integers, which
makes a step for each nonzero, not one for each edge of the graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


def color_columns(pattern: Any) -> np.ndarray:
    """Color a matrix's columns so that those of one color have no row in common.

    The columns are taken in three orders one after another: as they come, those with most
    conflicts first, and those with fewest last (Matula, Beck 1983); the fewest colors count. As
    many colors are needed as the fullest row has nonzeros, so that the search ends there.

    Args:
      pattern: a sparse array of shape ``(m, n)``; what is stored counts as nonzero.

    Returns:
      The colors, an int64 array of shape ``(n,)``; -1 for columns without nonzeros.
    """
    columns = pattern.tocsc()
    rows = pattern.tocsr()
    lengths = np.diff(rows.indptr)
    bound = int(lengths.max(initial=0))
    conflicts = np.asarray((columns.astype(np.int64) * (lengths - 1)[:, None]).sum(0)).ravel()
    neighbours = _rows_of(columns)
    orders: list[Callable[[], Iterable[int]]] = [
        lambda: range(len(neighbours)),
        lambda: np.argsort(-conflicts, kind="stable").tolist(),
    ]
    if conflicts.sum() <= _EDGES:
        orders.append(lambda: _smallest_last(columns))
    best: list[int] | None = None
    for order in orders:
        colors = _greedy(neighbours, pattern.shape[0], order())
        if best is None or max(colors, default=-1) < max(best, default=-1):
            best = colors
        if max(best, default=-1) + 1 <= bound:
            break
    return np.array(best, np.int64)


#: The conflict graph is written out where it has no more edges than this.
_EDGES = 2_000_000


def _rows_of(columns: Any) -> list[list[int]]:
    """For each column of a CSC matrix the rows in which it has a nonzero."""
    indices, starts = columns.indices.tolist(), columns.indptr.tolist()
    return [indices[a:b] for a, b in itertools.pairwise(starts)]


def _greedy(rows_of: list[list[int]], count: int, order: Iterable[int]) -> list[int]:
    used = [0] * count  # the colors of the columns in each row
    colors = [-1] * len(rows_of)
    for column in order:
        rows = rows_of[column]
        if not rows:
            continue
        taken = 0
        for row in rows:
            taken |= used[row]
        bit = ~taken & (taken + 1)
        colors[column] = bit.bit_length() - 1
        for row in rows:
            used[row] |= bit
    return colors


def _smallest_last(columns: Any) -> list[int]:
    """The order that puts last the column with fewest conflicts, and so on with the others."""
    pattern = columns.astype(bool)
    neighbours = _rows_of((pattern.T @ pattern).tocsc())
    degree = [len(n) for n in neighbours]
    buckets: list[list[int]] = [[] for _ in range(max(degree, default=0) + 1)]
    for vertex, d in enumerate(degree):
        buckets[d].append(vertex)
    order: list[int] = []
    done = [False] * len(degree)
    lowest = 0
    while len(order) < len(degree):
        while not buckets[lowest]:
            lowest += 1
        vertex = buckets[lowest].pop()
        if done[vertex] or degree[vertex] != lowest:
            continue  # it is in another bucket by now
        done[vertex] = True
        order.append(vertex)
        for other in neighbours[vertex]:
            if not done[other]:
                degree[other] -= 1
                buckets[degree[other]].append(other)
        lowest = max(lowest - 1, 0)
    return order[::-1]


def color_symmetric(pattern: Any) -> np.ndarray:
    """Color a symmetric matrix's columns so that each of its elements, or the one across the
    diagonal, is alone in its row among those of its color.

    That is a star coloring of the matrix's graph (Coleman, Moré 1984), found greedily (Gebremedhin,
    Manne, Pothen 2005): neighbours differ in color, and no path of four vertices has two colors.
    The vertices are taken as they come and by falling degree; the fewer colors count.

    Args:
      pattern: a sparse array of shape ``(n, n)``, symmetric.

    Returns:
      The colors, an int64 array of shape ``(n,)``; -1 for columns without nonzeros.
    """
    columns = pattern.tocsc()
    degrees = np.diff(columns.indptr)
    neighbours = _rows_of(columns)
    found = [
        _greedy_star(neighbours, order)
        for order in (range(len(neighbours)), np.argsort(-degrees, kind="stable").tolist())
    ]
    return np.array(min(found, key=lambda colors: max(colors, default=-1)), np.int64)


def _greedy_star(neighbours: list[list[int]], order: Iterable[int]) -> list[int]:
    count = len(neighbours)
    colors = [-1] * count
    once = [0] * count  # the colors among a vertex's neighbours
    twice = [0] * count  # those of more than one neighbour
    first: list[dict[int, int]] = [{} for _ in range(count)]  # a neighbour of each color
    # The colors of a vertex's neighbours that have another neighbour of the vertex's color: a
    # further neighbour of such a color would make a path of four.
    blocked = [0] * count
    for vertex in order:
        own = neighbours[vertex]
        if not own:
            continue
        taken = 0
        for other in own:
            color = colors[other]
            if color >= 0:
                bit = 1 << color
                taken |= bit
                taken |= once[other] if twice[vertex] & bit else blocked[other]
        bit = ~taken & (taken + 1)
        color = colors[vertex] = bit.bit_length() - 1
        for other in own:
            if other == vertex:
                continue
            across = colors[other]
            if once[other] & bit:
                if across >= 0:
                    blocked[vertex] |= 1 << across
                    if not twice[other] & bit:
                        blocked[first[other][color]] |= 1 << across
                twice[other] |= bit
            else:
                once[other] |= bit
                first[other][color] = vertex
            if across >= 0 and twice[vertex] >> across & 1:
                blocked[other] |= bit
    return colors
