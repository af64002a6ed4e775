"""A graph in Graphviz's language."""

from __future__ import annotations

from .graphs import Box, Graph
from .svg import LOOKS


def render(graph: Graph) -> str:
    """A digraph; clusters are subgraphs. An edge to a cluster ends at the first node in it."""
    names = {box: f"n{number}" for number, box in enumerate(graph.all_boxes())}
    lines = [
        "digraph program {",
        "  compound=true;",
        '  graph [fontname="monospace", fontsize=11];',
        '  node [shape=box, style="rounded,filled", fontname="monospace", fontsize=11];',
    ]
    if graph.notes:
        text = "\\n".join(map(_inside, graph.notes))
        lines.append(f'  label="{text}";')
    for box in graph.boxes:
        lines += _box(box, names, "  ")
    for (source, target), title in graph.edges.items():
        attributes = [f"tooltip={_quoted(title)}"] if title else []
        for end, box in (("ltail", source), ("lhead", target)):
            if box.children is not None:
                attributes.append(f"{end}=cluster_{names[box]}")
        ends = f"{names[_first(source)]} -> {names[_first(target)]}"
        lines.append(f"  {ends} [{', '.join(attributes)}];" if attributes else f"  {ends};")
    return "\n".join([*lines, "}"]) + "\n"


def _first(box: Box) -> Box:
    while box.children:
        box = box.children[0]
    return box


def _box(box: Box, names: dict[Box, str], indent: str) -> list[str]:
    look = LOOKS[box.kind]
    style = "rounded,filled" + (",dashed" if look.dashed else "")
    attributes = {
        "label": "\\n".join(map(_inside, box.lines)),
        "fillcolor": look.fill,
        "color": look.line,
        "style": style,
        "tooltip": _inside(box.title),
    }
    shown = [f'{name}="{value}"' for name, value in attributes.items() if value]
    if box.children is None:
        return [f"{indent}{names[box]} [{', '.join(shown)}];"]
    lines = [f"{indent}subgraph cluster_{names[box]} {{"]
    lines += [f"{indent}  {attribute};" for attribute in shown]
    for child in box.children:
        lines += _box(child, names, indent + "  ")
    if not box.children:  # edges need a node
        lines.append(f"{indent}  {names[box]} [style=invis];")
    return [*lines, f"{indent}}}"]


def _inside(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _quoted(text: str) -> str:
    return f'"{_inside(text)}"'
