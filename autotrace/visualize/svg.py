"""A graph as SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from .graphs import Box, Graph
from .layout import CHAR, LINE, Layout, Point, Route, lay_out

_PAD = 12.0
_NOT_XML = re.compile("[^\\t\\n\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Look(NamedTuple):
    """How a box is drawn.

    Attributes:
      fill, line: colors.
      round: the radius of its corners.
      dashed: whether its border is.
    """

    fill: str
    line: str
    round: float = 4.0
    dashed: bool = False


#: By the kind of a box. Kernels take turns with colors that differ in lightness, too.
LOOKS = {
    "input": Look("#ffffff", "#57606a", 11.0),
    "constant": Look("#f6f8fa", "#57606a", 11.0, True),
    "output": Look("#ffffff", "#24292f", 11.0),
    "equation": Look("#ffffff", "#8c959f"),
    "view": Look("#ffffff", "#8c959f", 4.0, True),
    "more": Look("#fff8c5", "#9a6700", 4.0, True),
    "host": Look("#ffd8b5", "#bc4c00"),
    "routine": Look("#e2d6fb", "#6639ba"),
    "loop": Look("#eaeef2", "#424a53"),
    "nested": Look("#f6f8fa", "#8c959f"),
    "together": Look("#ffffff", "#424a53", 4.0, True),
    "question": Look("#fff8c5", "#9a6700", 11.0),
    "answer": Look("#ffffff", "#d0d7de", 9.0),
    "kernel0": Look("#d3e7fb", "#0a53a8"),
    "kernel1": Look("#d5f0d5", "#1a6d2e"),
    "kernel2": Look("#f9dcea", "#a52a6a"),
    "kernel3": Look("#cdeff0", "#0f6a70"),
    "kernel4": Look("#f3edc0", "#7a6300"),
    "kernel5": Look("#e4e1f7", "#4b3fa0"),
}


def render(graph: Graph) -> str:
    """An SVG document, on white."""
    layout = lay_out(graph)
    notes = graph.notes
    width = max([layout.width, *(len(note) * CHAR for note in notes)]) + 2 * _PAD
    height = layout.height + 2 * _PAD + len(notes) * LINE
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="0 0 {_n(width)} {_n(height)}" font-family="{escape(_FONT)}" font-size="11">',
        f'<rect width="{_n(width)}" height="{_n(height)}" fill="#ffffff"/>',
        f'<g transform="translate({_n(_PAD)} {_n(_PAD)})">',
    ]
    boxes = list(graph.all_boxes())
    out += [_frame(box, layout) for box in boxes if box.children is not None]
    out += [_edge(route, graph) for route in layout.routes]
    out += [_heading(box, layout) for box in boxes if box.children is not None]
    out += [_node(box, layout) for box in boxes if box.children is None]
    y = layout.height
    out += [
        _text(0.0, y + (i + 1) * LINE, note, "start", "#57606a") for i, note in enumerate(notes)
    ]
    out += ["</g>", "</svg>"]
    return "\n".join(out) + "\n"


def _n(x: float) -> str:
    return f"{x:.1f}".rstrip("0").rstrip(".")


def _text(x: float, y: float, text: str, anchor: str, color: str, more: str = "") -> str:
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" fill="{color}"{more}>'
        f"{_escaped(text)}</text>"
    )


def _escaped(text: str) -> str:
    """Text for XML, without the characters that it cannot hold."""
    return escape(_NOT_XML.sub("?", text))


def _rect(box: Box, layout: Layout) -> str:
    x, y, width, height = layout.places[box]
    look = LOOKS[box.kind]
    dash = ' stroke-dasharray="4 3"' if look.dashed else ""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
        f'rx="{_n(look.round)}" fill="{look.fill}" stroke="{look.line}"{dash}/>'
    )


def _titled(box: Box, parts: Sequence[str]) -> str:
    title = f"<title>{_escaped(box.title)}</title>" if box.title else ""
    return f"<g>{title}{''.join(parts)}</g>"


def _frame(box: Box, layout: Layout) -> str:
    return _titled(box, [_rect(box, layout)])


def _heading(box: Box, layout: Layout) -> str:
    x, y, _, _ = layout.places[box]
    look = LOOKS[box.kind]
    # Around the letters, so that edges do not run through them.
    halo = f' stroke="{look.fill}" stroke-width="4" paint-order="stroke"'
    texts = [
        _text(
            x + 8.0,
            y + (i + 1) * LINE - 1,
            line,
            "start",
            look.line,
            halo + ("" if i else ' font-weight="bold"'),
        )
        for i, line in enumerate(box.lines)
    ]
    return _titled(box, texts)


def _node(box: Box, layout: Layout) -> str:
    x, y, width, _ = layout.places[box]
    first = "#24292f"
    texts = [
        _text(x + width / 2, y + (i + 1) * LINE - 1, line, "middle", "#57606a" if i else first)
        for i, line in enumerate(box.lines)
    ]
    return _titled(box, [_rect(box, layout), *texts])


def _edge(route: Route, graph: Graph) -> str:
    titles = dict.fromkeys(graph.edges[edge] for edge in route.edges)
    title = "\n".join(t for t in titles if t)
    path = f'<path d="{_curve(route.points)}" fill="none" stroke="#57606a"/>'
    head = ""
    if route.ends:
        (x, y), (_, before) = route.points[-1], route.points[-2]
        back = -5.0 if y >= before else 5.0
        head = f'<path d="M{_n(x)} {_n(y)}l-3 {_n(back)}h6z" fill="#57606a"/>'
    told = f"<title>{_escaped(title)}</title>" if title else ""
    return f"<g>{told}{path}{head}</g>"


def _curve(points: Sequence[Point]) -> str:
    """A smooth line, vertical where it passes a layer."""
    (x, y), *rest = points
    parts = [f"M{_n(x)} {_n(y)}"]
    for to_x, to_y in rest:
        if abs(to_x - x) < 0.05:
            parts.append(f"V{_n(to_y)}")
        else:
            middle = (y + to_y) / 2
            parts.append(f"C{_n(x)} {_n(middle)} {_n(to_x)} {_n(middle)} {_n(to_x)} {_n(to_y)}")
        x, y = to_x, to_y
    return "".join(parts)
