"""Places: boxes apart, in their clusters, edges down."""

import itertools
import random

import pytest

from autotrace.visualize.graphs import Graph
from autotrace.visualize.layout import _isotonic, lay_out


def random_graph(seed):
    """Boxes in nested clusters, and edges from earlier ones to later ones."""
    draw = random.Random(seed)
    graph = Graph()
    clusters = [None]
    for number in range(draw.randrange(2, 30)):
        parent = draw.choice(clusters)
        if draw.random() < 0.2:
            clusters.append(graph.add([f"cluster {number}"], "nested", "", parent, True))
        else:
            graph.add(["x" * draw.randrange(1, 20)], "equation", "", parent)
    nodes = [box for box in graph.all_boxes() if box.children is None]
    for _ in range(2 * len(nodes)):
        one, other = sorted(draw.choices(range(len(nodes)), k=2))
        if one != other:
            graph.connect(nodes[one], nodes[other])
    return graph


def within(inner, outer, slack=0.01):
    (x, y, w, h), (left, top, width, height) = inner, outer
    return (
        x >= left - slack
        and y >= top - slack
        and x + w <= left + width + slack
        and y + h <= top + height + slack
    )


@pytest.mark.parametrize("seed", range(20))
def test_boxes_are_apart_and_in_their_clusters(seed):
    graph = random_graph(seed)
    layout = lay_out(graph)
    whole = (0.0, 0.0, layout.width, layout.height)
    siblings = {}
    for box in graph.all_boxes():
        outer = whole if box.parent is None else layout.places[box.parent]
        assert within(layout.places[box], outer)
        siblings.setdefault(box.parent, []).append(layout.places[box])
    for places in siblings.values():
        for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(places, 2):
            assert x + w < x2 or x2 + w2 < x or y + h < y2 or y2 + h2 < y


@pytest.mark.parametrize("seed", range(20))
def test_the_parts_of_an_edge_lead_from_its_source_to_its_target(seed):
    graph = random_graph(seed)
    layout = lay_out(graph)
    for source, target in graph.edges:
        parts = [r.points for r in layout.routes if (source, target) in r.edges]
        ends = [(round(x, 3), round(y, 3)) for p in parts for x, y in (p[0], p[-1])]
        loose = sorted((e for e in ends if ends.count(e) == 1), key=lambda end: end[1])
        assert len(loose) == 2  # other parts meet at borders
        (x, y, width, height), (left, top, w, _) = layout.places[source], layout.places[target]
        assert loose[0] == (round(x + width / 2, 3), round(y + height, 3))
        assert loose[1] == (round(left + w / 2, 3), round(top, 3))
        assert all(p[0][1] <= p[-1][1] for p in parts)


def test_edges_go_down_and_a_chain_is_straight():
    graph = Graph()
    boxes = [graph.add(["box"], "equation") for _ in range(4)]
    for one, other in itertools.pairwise(boxes):
        graph.connect(one, other)
    layout = lay_out(graph)
    tops = [layout.places[box][1] for box in boxes]
    assert tops == sorted(tops) and len({layout.places[box][0] for box in boxes}) == 1
    assert all(r.points[0][1] < r.points[-1][1] for r in layout.routes)


def test_crossings_are_removed():
    graph = Graph()
    above = [graph.add([name], "equation") for name in "abcd"]
    below = [graph.add([name], "equation") for name in "wxyz"]
    for one, other in zip(above, below[::-1], strict=True):
        graph.connect(one, other)
    places = lay_out(graph).places
    order = [sorted("abcd", key=lambda n: places[above["abcd".index(n)]][0])]
    order.append(sorted("wxyz", key=lambda n: places[below["wxyz".index(n)]][0]))
    assert [dict(zip("abcd", "zyxw", strict=True))[n] for n in order[0]] == order[1]


def test_a_circle_and_a_box_alone():
    graph = Graph()
    a, b = graph.add(["a"], "equation"), graph.add(["b"], "equation")
    graph.add(["alone"], "equation")
    graph.connect(a, b)
    graph.connect(b, a)
    assert len(lay_out(graph).routes) == 2
    assert lay_out(Graph()).places == {}


def test_isotonic_regression():
    assert _isotonic([1.0, 3.0, 2.0], [1.0, 1.0, 1.0]) == [1.0, 2.5, 2.5]
    assert _isotonic([3.0, 1.0], [3.0, 1.0]) == [2.5, 2.5]
    assert _isotonic([], []) == []
