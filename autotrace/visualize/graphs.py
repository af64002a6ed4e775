"""A drawing before it has places: boxes, some of them in others, and edges."""

from __future__ import annotations

from collections.abc import Iterator


class Box:
    """A node, or a cluster of boxes.

    Attributes:
      lines: its text; of a cluster its heading.
      kind: how it looks: a key of ``svg.LOOKS``.
      title: what is shown when the pointer rests on it.
      parent: the cluster that it lies in, None at the top.
      children: the boxes in it, in an order in which they can be run; None for a node.
    """

    __slots__ = ("children", "kind", "lines", "parent", "title")

    def __init__(
        self, lines: list[str], kind: str, title: str, parent: Box | None, cluster: bool
    ) -> None:
        self.lines = lines
        self.kind = kind
        self.title = title
        self.parent = parent
        self.children: list[Box] | None = [] if cluster else None

    def way(self) -> list[Box]:
        """The clusters that it lies in, the outermost first, and itself."""
        found = [self]
        while found[-1].parent is not None:
            found.append(found[-1].parent)
        return found[::-1]


class Graph:
    """Boxes and edges.

    Attributes:
      boxes: those at the top, in an order in which they can be run.
      edges: from a box to a box, with a title; either may be a cluster, and in any cluster.
      notes: lines that stand below the drawing.
    """

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.edges: dict[tuple[Box, Box], str] = {}
        self.notes: list[str] = []

    def add(
        self,
        lines: list[str],
        kind: str,
        title: str = "",
        parent: Box | None = None,
        cluster: bool = False,
    ) -> Box:
        """Add a box at the end of a cluster, or of the top."""
        box = Box(lines, kind, title, parent, cluster)
        siblings = self.boxes if parent is None else parent.children
        assert siblings is not None
        siblings.append(box)
        return box

    def connect(self, source: Box, target: Box, title: str = "") -> None:
        """Add an edge; one of each pair of boxes."""
        before = self.edges.get((source, target))
        if before is None:
            self.edges[source, target] = title
        elif title not in before.split("\n"):
            self.edges[source, target] = f"{before}\n{title}"

    def all_boxes(self) -> Iterator[Box]:
        """Each box, clusters before what is in them."""
        waiting = self.boxes[::-1]
        while waiting:
            box = waiting.pop()
            yield box
            waiting += (box.children or [])[::-1]
