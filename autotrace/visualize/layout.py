"""Places for the boxes and edges of a drawing: layers from the top down.

The method of Sugiyama, Tagawa and Toda (1981): boxes are put into layers so that edges go down; an
edge over several layers gets a bend in each; layers are reordered until few edges cross; then
boxes move sideways, as near to their neighbours as their order allows. That last step is a least
squares fit with an order to keep, an isotonic regression, solved by pooling adjacent violators
(Ayer et al., 1955).

A cluster is laid out on its own and is one box to what is around it. Where an edge goes through its
border it has a *port*, a point in the first layer or the last one.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from .graphs import Box, Graph

#: The size of a character and of a line of text, in points of the drawing.
CHAR, LINE = 6.6, 16.0
_MARGIN = 8.0
#: Free space between boxes of a layer, between edges, and between layers.
_BESIDE, _BETWEEN_EDGES, _BELOW = 18.0, 9.0, 26.0
_SWEEPS = 12

Point = tuple[float, float]
_Port = tuple[str, Box]  # "in" or "out", and the box where its edges start


class Route(NamedTuple):
    """A part of an edge, from a box or a border to the next one.

    Attributes:
      points: from the top down, or from the bottom up where the edge goes back.
      edges: the edges that it is part of.
      ends: whether it ends at a box, where an arrow's head belongs.
    """

    points: list[Point]
    edges: list[tuple[Box, Box]]
    ends: bool


class Layout(NamedTuple):
    """What has been placed.

    Attributes:
      width, height: of the whole.
      places: the left upper corner of each box, and its width and height.
      routes: the parts of edges.
    """

    width: float
    height: float
    places: dict[Box, tuple[float, float, float, float]]
    routes: list[Route]


class _Item:
    """What a layer holds: a box, a port or a bend."""

    __slots__ = ("above", "below", "height", "layer", "slim", "width", "x", "y")

    def __init__(self, width: float = 0.0, height: float = 0.0, slim: bool = True):
        self.width, self.height, self.slim = width, height, slim
        self.layer = 0
        self.x = self.y = 0.0  # of the middle of the upper side
        #: Neighbours in the next layers: the item, and where the edge meets it and this one.
        self.above: list[tuple[_Item, float, float]] = []
        self.below: list[tuple[_Item, float, float]] = []


def lay_out(graph: Graph) -> Layout:
    """Find places for a graph's boxes and edges."""
    return _Cluster(None, graph.boxes, _segments(graph)).result()


def _segments(graph: Graph) -> dict[Box | None, dict[tuple, list[tuple[Box, Box]]]]:
    """For each cluster the connections that lie directly in it: from a child or a port to a child
    or a port, and the edges that each is part of.

    An end is a box, the port that leads into it or None, or None and a port of the cluster's own.
    """
    found: dict[Box | None, dict[tuple, list[tuple[Box, Box]]]] = {}
    for source, target in graph.edges:
        up, down = source.way(), target.way()
        common = 0
        while common < min(len(up), len(down)) - 1 and up[common] is down[common]:
            common += 1
        out, into = ("out", source), ("in", source)
        steps: list[tuple[Box | None, tuple, tuple]] = []
        for depth in range(len(up) - 1, common, -1):
            inner = out if depth < len(up) - 1 else None
            steps.append((up[depth - 1], (up[depth], inner), (None, out)))
        start = up[common], (out if common < len(up) - 1 else None)
        end = down[common], (into if common < len(down) - 1 else None)
        steps.append((up[common - 1] if common else None, start, end))
        for depth in range(common + 1, len(down)):
            inner = into if depth < len(down) - 1 else None
            steps.append((down[depth - 1], (None, into), (down[depth], inner)))
        for cluster, a, b in steps:
            found.setdefault(cluster, {}).setdefault((a, b), []).append((source, target))
    return found


class _Cluster:
    """A cluster, laid out on its own, its left upper corner at the origin."""

    def __init__(self, box: Box | None, children: Sequence[Box], segments: dict):
        self.box = box
        self.width = self.height = 0.0
        self.inner: dict[Box, _Cluster] = {}
        self.items: dict[Hashable, _Item] = {}
        own: dict[tuple, list[tuple[Box, Box]]] = segments.get(box, {})
        ports = list(dict.fromkeys(p for ends in own for child, p in ends if child is None))
        for port in ports:
            if port[0] == "in":
                self.items[port] = _Item()
        for child in children:
            if child.children is None:
                width = max(map(len, child.lines)) * CHAR + 2 * _MARGIN
                size = width, len(child.lines) * LINE + _MARGIN
            else:
                self.inner[child] = _Cluster(child, child.children, segments)
                size = self.inner[child].width, self.inner[child].height
            self.items[child] = _Item(*size, slim=False)
        for port in ports:
            if port[0] == "out":
                self.items[port] = _Item()
        self.layers, self.chains = self._layered(own)
        _order(self.layers)
        self._place()

    def _end(self, end: tuple) -> tuple[_Item, float]:
        """An end of a connection: the item, and how far from its middle."""
        child, port = end
        if child is None:
            return self.items[port], 0.0
        item = self.items[child]
        if port is None:
            return item, 0.0
        inner = self.inner[child]
        return item, inner.items[port].x - inner.width / 2

    def _layered(self, own: dict) -> tuple[list[list[_Item]], list]:
        """Layers by the longest way from the top, and for each connection its items in order."""
        pairs = [(self._end(a)[0], self._end(b)[0]) for a, b in own]
        order = _forward(list(self.items.values()), pairs)
        links = []
        for (a, b), edges in own.items():
            (first, x), (second, y) = self._end(a), self._end(b)
            if first is second:
                continue
            back = order[first] > order[second]
            if back:
                (first, x), (second, y) = (second, y), (first, x)
            links.append((first, x, second, y, back, edges, b[0] is not None and b[1] is None))
        into: dict[_Item, list[_Item]] = {}
        for first, _, second, *_ in links:
            into.setdefault(second, []).append(first)
        for item in order:
            item.layer = max((above.layer + 1 for above in into.get(item, ())), default=0)
        last = max((item.layer for item in self.items.values()), default=0)
        for key, item in self.items.items():
            if isinstance(key, tuple) and key[0] == "out":
                item.layer = last
        below: dict[_Item, int] = {}
        for first, _, second, *_ in links:
            below[first] = min(below.get(first, last), second.layer)
        for item in self.items.values():
            if item not in into and not item.slim and item in below:
                item.layer = below[item] - 1  # a source stands just above what it goes into
        layers: list[list[_Item]] = [[] for _ in range(last + 1)]
        for item in self.items.values():
            layers[item.layer].append(item)
        chains = []
        for first, x, second, y, back, edges, ends in links:
            chain, at = [first], first
            for layer in range(first.layer + 1, second.layer + 1):
                item = second if layer == second.layer else _Item()
                if item is not second:
                    item.layer = layer
                    layers[layer].append(item)
                mine, its = (x if at is first else 0.0), (y if item is second else 0.0)
                at.below.append((item, its, mine))
                item.above.append((at, mine, its))
                chain.append(item)
                at = item
            chains.append((chain, x, y, back, edges, ends))
        return layers, chains

    def _place(self) -> None:
        for layer in self.layers:
            x = 0.0
            for item in layer:
                item.x = x + item.width / 2
                x += item.width + (_BETWEEN_EDGES if item.slim else _BESIDE)
        for sweep in range(_SWEEPS):
            down = sweep % 2 == 0
            for layer in self.layers if down else self.layers[::-1]:
                _move(layer, down)
        for layer in self.layers:
            _move(layer, None)
        everything = [item for layer in self.layers for item in layer]
        left = min((i.x - i.width / 2 for i in everything), default=0.0)
        right = max((i.x + i.width / 2 for i in everything), default=0.0)
        pad = 0.0 if self.box is None else _MARGIN
        heading = [] if self.box is None else self.box.lines
        wide = max(map(len, heading), default=0) * CHAR
        self.width = max(right - left, wide) + 2 * pad
        shift = pad + max(0.0, wide - (right - left)) / 2 - left
        y = len(heading) * LINE + pad
        for number, layer in enumerate(self.layers):
            for item in layer:
                item.x, item.y = item.x + shift, y
            y += max((item.height for item in layer), default=0.0)
            # Where edges come through a border there is room for half of a bend only.
            ports = number in (0, len(self.layers) - 2) and self.box is not None
            y += _BELOW / 2 if ports and any(i.slim for i in layer) else _BELOW
        self.height = y - (_BELOW if self.layers else 0.0) + pad

    def result(self) -> Layout:
        """With everything that is in it."""
        places: dict[Box, tuple[float, float, float, float]] = {}
        routes: list[Route] = []
        waiting: list[tuple[_Cluster, float, float]] = [(self, 0.0, 0.0)]
        while waiting:
            cluster, left, top = waiting.pop()
            for key, item in cluster.items.items():
                if isinstance(key, Box):
                    x, y = left + item.x - item.width / 2, top + item.y
                    places[key] = x, y, item.width, item.height
                    if key in cluster.inner:
                        waiting.append((cluster.inner[key], x, y))
            for chain, x, y, back, edges, ends in cluster.chains:
                points = cluster._points(chain, x, y)
                points = [(left + px, top + py) for px, py in points]
                routes.append(Route(points[::-1] if back else points, edges, ends))
        return Layout(self.width, self.height, places, routes)

    def _points(self, chain: list[_Item], x: float, y: float) -> list[Point]:
        first, *bends, last = chain
        # A port lies on the border itself.
        start = first.y + first.height if not first.slim else 0.0
        end = last.y if not last.slim else self.height
        points = [(first.x + x, start)]
        if not first.slim:  # straight down to the end of the layer, past what is taller
            points.append((first.x + x, first.y + self._depth(first)))
        for bend in bends:
            points += [(bend.x, bend.y), (bend.x, bend.y + self._depth(bend))]
        return [*points, (last.x + y, end)]

    def _depth(self, item: _Item) -> float:
        """The height of an item's layer."""
        return max(other.height for other in self.layers[item.layer])


def _forward(items: Sequence[_Item], links: Sequence[tuple[_Item, _Item]]) -> dict[_Item, int]:
    """An order in which links go forward, but for those of circles, near to that of the items."""
    number = {item: i for i, item in enumerate(items)}
    after: dict[_Item, list[_Item]] = {}
    waits = dict.fromkeys(items, 0)
    for first, second in links:
        if first is not second:
            after.setdefault(first, []).append(second)
            waits[second] += 1
    ready = [number[item] for item in items if not waits[item]]  # sorted: a heap
    order: dict[_Item, int] = {}
    rest = iter(items)
    while len(order) < len(items):
        item = items[heapq.heappop(ready)] if ready else next(rest)
        if item in order:
            continue
        order[item] = len(order)
        for other in after.get(item, ()):
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(ready, number[other])
    return order


def _order(layers: list[list[_Item]]) -> None:
    """Reorder layers by the middle of their neighbours; keep the order with fewest crossings."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for layer in layers[1:] if down else layers[-2::-1]:
            fixed = layers[layer[0].layer + (-1 if down else 1)] if layer else []
            place = {item: number for number, item in enumerate(fixed)}
            means = {}
            for number, item in enumerate(layer):
                near = [
                    place[other] + x / 1e4 for other, x, _ in (item.above if down else item.below)
                ]
                means[item] = sum(near) / len(near) if near else float(number)
            layer.sort(key=means.__getitem__)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    layers[:] = best


def _crossings(layers: Iterable[list[_Item]]) -> int:
    """How many pairs of edges cross."""
    total = 0
    place: dict[_Item, int] = {}
    for layer in layers:
        seen: list[float] = []
        for item in layer:
            ends = sorted(place[other] + x / 1e4 for other, x, _ in item.above)
            total += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
            for end in ends:
                bisect.insort(seen, end)
        place = {item: number for number, item in enumerate(layer)}
    return total


def _move(layer: list[_Item], down: bool | None) -> None:
    """Move the items of a layer to where their neighbours are, as far as their order allows.

    Args:
      down: whether those above count, or those below; both where None.
    """
    shift, shifts = 0.0, []
    wanted, weights = [], []
    for number, item in enumerate(layer):
        if number:
            before = layer[number - 1]
            gap = _BETWEEN_EDGES if item.slim and before.slim else _BESIDE
            shift += (before.width + item.width) / 2 + gap
        shifts.append(shift)
        near = {True: item.above, False: item.below, None: item.above + item.below}[down]
        goals = [other.x + its - mine for other, its, mine in near]
        wanted.append((sum(goals) / len(goals) if goals else item.x) - shift)
        # Bends first: long edges are to be straight.
        weights.append((8.0 if item.slim else 1.0) * (1.0 if goals else 0.01))
    for item, x, offset in zip(layer, _isotonic(wanted, weights), shifts, strict=True):
        item.x = x + offset


def _isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The increasing numbers nearest to these in weighted least squares."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, count = pools.pop()
            total = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    return [mean for mean, _, count in pools for _ in range(count)]
