"""Inline code that is a public name leads to its entry in the reference: ``jit``, ``lax.scan``.

In the reference, the names of a page's own namespace do, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode


class Autolink(SphinxPostTransform):
    """See above."""

    default_priority = 400

    def run(self, **kwargs: object) -> None:
        objects = self.env.domains["py"].data["objects"]
        for literal in list(self.document.findall(nodes.literal)):
            if isinstance(literal.parent, nodes.reference | nodes.title):
                continue
            for name in self._candidates(literal.astext()):
                entry = objects.get(name)
                if entry is not None and name not in self._described(literal):
                    page, target = entry.docname, entry.node_id
                    link = make_refnode(
                        self.app.builder, self.env.docname, page, target, literal.deepcopy(), name
                    )
                    literal.replace_self(link)
                    break

    def _candidates(self, text: str) -> Iterator[str]:
        name = text.removesuffix("()").removeprefix("autotrace.").removeprefix("at.")
        if not name.startswith(("numpy.", "scipy.")) or text.startswith(("autotrace.", "at.")):
            yield f"autotrace.{name}"
        _, _, namespace = self.env.docname.partition("api/")
        if namespace not in ("", "autotrace.numpy") and len(name) > 2:
            yield f"{namespace}.{name}"

    @staticmethod
    def _described(node: nodes.Node | None) -> set[str]:
        """The names whose entry a node stands in: no link from there to itself."""
        names: set[str] = set()
        while node is not None:
            if node.tagname == "desc":
                names.update(i for sig in node.children[:1] for i in sig.get("ids", ()))
            node = node.parent
        return names


def setup(app: Sphinx) -> dict:
    app.add_post_transform(Autolink)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
