"""The paths of a function whose Python asks for values, as a graph: a question a box."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..transforms.questions import End, Node
from .graphs import Box, Graph
from .programs import short


def question_graph(nodes: Sequence[Node | End], max_nodes: int) -> Graph:
    """The graph of questions, answers and ends.

    Args:
      nodes: parents before their children.
      max_nodes: how many are drawn; a box says how many more there are.
    """
    graph = Graph()
    boxes: dict[int, Box] = {}
    answers: list[tuple[Box, Node | End]] = []
    for node in nodes[:max_nodes]:
        box = boxes[id(node)] = graph.add(*_shown(node))
        for text, after in _answers(node):
            back = " (back)" if id(after) in boxes else ""
            answer = graph.add([short(text) + back], "answer", f"answer: {text}")
            graph.connect(box, answer)
            answers.append((answer, after))
    rest = len(nodes) - max_nodes
    more = graph.add([f"... {rest} more questions and ends"], "more") if rest > 0 else None
    for answer, after in answers:
        target = boxes.get(id(after), more)
        if target is not None:
            graph.connect(answer, target)
    return graph


def _answers(node: Node | End) -> list[tuple[str, Node | End]]:
    if isinstance(node, End):
        return []
    return [(node.question.text(key), after) for key, after in node.children.items()]


def _shown(node: Node | End) -> tuple[list[str], str, str]:
    """A node's lines, kind and title."""
    work = 0 if node.segment is None else len(node.segment.jaxpr.eqns)
    times = "once" if node.hits == 1 else f"{node.hits} times"
    told = f"{work} equation{'s' if work != 1 else ''}, {times}"
    if isinstance(node, End):
        return ["result", told], "output", "the end of a path"
    lines = [node.question.asked.split(" (")[0]]
    location = node.question.location
    title = node.question.asked
    if location is not None:
        place = f"{os.path.basename(location.filename)}:{location.lineno}"
        lines = [short(location.text or lines[0]), place]
        title = f"{title}\n{place} ({location.code.co_name})"
    return [*lines, told], "question", title
