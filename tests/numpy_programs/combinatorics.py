"""Graphs, tables of dynamic programming, sorting by hand."""

import numpy as np

from .program import Program

rng = np.random.default_rng(10)


def floyd_warshall(weights):
    """Shortest paths between all nodes (Floyd and Warshall)."""
    d = weights.copy()
    n = d.shape[0]
    for k in range(n):
        for i in range(n):
            d[i, :] = np.minimum(d[i, :], d[i, k] + d[k, :])
    return d


def dijkstra(weights, start):
    """Shortest paths from one node (Dijkstra), with a matrix of weights."""
    n = weights.shape[0]
    dist = np.full(n, np.inf)
    done = np.zeros(n, dtype=bool)
    dist[start] = 0.0
    for _ in range(n):
        u = np.argmin(np.where(done, np.inf, dist))
        done[u] = True
        for v in range(n):
            if not done[v] and dist[u] + weights[u, v] < dist[v]:
                dist[v] = dist[u] + weights[u, v]
    return dist


def spanning_tree(weights):
    """Cost of the least spanning tree (Prim)."""
    n = len(weights)
    in_tree = np.zeros(n, dtype=bool)
    in_tree[0] = True
    best = weights[0].copy()
    cost = 0.0
    for _ in range(n - 1):
        j = np.argmin(np.where(in_tree, np.inf, best))
        cost += best[j]
        in_tree[j] = True
        best = np.minimum(best, weights[j])
    return cost


def edit_distance(a, b):
    """Levenshtein's distance of two sequences of codes."""
    n, m = len(a), len(b)
    d = np.zeros((n + 1, m + 1), dtype=int)
    d[:, 0] = np.arange(n + 1)
    d[0, :] = np.arange(m + 1)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = 0 if a[i - 1] == b[j - 1] else 1
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + cost)
    return d[n, m]


def knapsack(values, weights, capacity):
    """The best value of a knapsack, by a table over capacities."""
    best = np.zeros(capacity + 1)
    for v, w in zip(values, weights):
        for c in range(capacity, w - 1, -1):
            best[c] = max(best[c], best[c - w] + v)
    return best[capacity]


def longest_increasing(x):
    """Length of the longest increasing subsequence."""
    n = len(x)
    length = np.ones(n, dtype=int)
    for i in range(n):
        for j in range(i):
            if x[j] < x[i] and length[j] + 1 > length[i]:
                length[i] = length[j] + 1
    return length.max()


def needleman_wunsch(a, b, match, mismatch, gap):
    """Score of the best alignment of two sequences (Needleman and Wunsch)."""
    H = np.zeros((len(a) + 1, len(b) + 1))
    H[:, 0] = gap * np.arange(len(a) + 1)
    H[0, :] = gap * np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            s = match if a[i - 1] == b[j - 1] else mismatch
            H[i, j] = np.max([H[i - 1, j - 1] + s, H[i - 1, j] + gap, H[i, j - 1] + gap])
    return H[-1, -1]


def sieve(limit, marks):
    """Sum of marks at the primes below a limit (Eratosthenes)."""
    prime = np.ones(limit, dtype=bool)
    prime[:2] = False
    for i in range(2, int(limit**0.5) + 1):
        if prime[i]:
            prime[i * i :: i] = False
    return marks[prime].sum(), prime.sum()


def partition(x):
    """Lomuto's partition of an array around its last element, by swaps."""
    x = x.copy()
    pivot = x[-1]
    i = 0
    for j in range(len(x) - 1):
        if x[j] < pivot:
            x[i], x[j] = x[j], x[i]
            i += 1
    x[i], x[-1] = x[-1], x[i]
    return x, i


def insertion_sort(x):
    """Insertion sort."""
    x = x.copy()
    for i in range(1, len(x)):
        key = x[i]
        j = i - 1
        while j >= 0 and x[j] > key:
            x[j + 1] = x[j]
            j -= 1
        x[j + 1] = key
    return x


def components(adjacency):
    """Labels of a graph's components, by passing on the least label."""
    n = len(adjacency)
    labels = np.arange(n)
    changed = True
    while changed:
        changed = False
        for i in range(n):
            least = labels[adjacency[i] | (np.arange(n) == i)].min()
            if least < labels[i]:
                labels[i] = least
                changed = True
    return labels, len(np.unique(labels))


def convex_hull_area(points):
    """Area of the convex hull of points in a plane (monotone chain)."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    p = points[order]

    def half(seq):
        hull = []
        for q in seq:
            while len(hull) >= 2:
                o, a = hull[-2], hull[-1]
                if (a[0] - o[0]) * (q[1] - o[1]) - (a[1] - o[1]) * (q[0] - o[0]) > 0:
                    break
                hull.pop()
            hull.append(q)
        return hull[:-1]

    hull = np.array(half(p) + half(p[::-1]))
    x, y = hull[:, 0], hull[:, 1]
    return 0.5 * np.abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def _weights(n):
    w = rng.uniform(1, 10, size=(n, n))
    w = w + w.T
    np.fill_diagonal(w, 0)
    return w


PROGRAMS = [
    # Staying costs something: where two ways tie there is no derivative.
    Program(floyd_warshall, (_weights(14) + np.eye(14),), (_weights(14) + np.eye(14),), wrt=(0,)),
    Program(dijkstra, (_weights(6), 0), (_weights(6), 2), wrt=(0,)),
    Program(spanning_tree, (_weights(10),), (_weights(10),), wrt=(0,)),
    Program(
        edit_distance,
        (rng.integers(0, 3, size=6), rng.integers(0, 3, size=7)),
        (rng.integers(0, 3, size=6), rng.integers(0, 3, size=7)),
    ),
    Program(
        knapsack,
        (rng.uniform(1, 10, size=6), np.array([3, 5, 2, 7, 4, 1]), 12),
        (rng.uniform(1, 10, size=6), np.array([2, 5, 3, 6, 4, 2]), 12),
        wrt=(0,),
    ),
    Program(longest_increasing, (rng.normal(size=9),), (rng.normal(size=9),)),
    Program(
        needleman_wunsch,
        (rng.integers(0, 3, size=6), rng.integers(0, 3, size=7), 1.0, -0.9, -1.3),
        (rng.integers(0, 3, size=6), rng.integers(0, 3, size=7), 1.1, -0.7, -1.6),
        wrt=(2, 3, 4),
    ),
    Program(sieve, (60, rng.normal(size=60)), (60, rng.normal(size=60)), wrt=(1,)),
    Program(partition, (rng.normal(size=10),), (rng.normal(size=10),), wrt=(0,)),
    Program(insertion_sort, (rng.normal(size=8),), (rng.normal(size=8),), wrt=(0,)),
    Program(
        components,
        (_weights(6) < 6,),
        (_weights(6) < 8,),
    ),
    Program(convex_hull_area, (rng.normal(size=(9, 2)),), (rng.normal(size=(9, 2)),), wrt=(0,)),
]
