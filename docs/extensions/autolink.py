"""Links that pages need not write.

Inline code that is a public name leads to its entry in the reference: ``jit``, ``lax.scan``, names
beside that of their module, names of the namespaces that a page is about (in the reference its own,
else ``autolink_namespaces``), and names with an underscore that only one namespace has. And a link
whose text is a file's name, as code-hosting sites show it, has the page's title.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

#: The arguments of a call.
_CALL = re.compile(r"\([\w ,=*.]*\)$")

#: Names of modules that are as often those of arguments.
_WORDS = ("debug", "random", "testing", "tree")


def _described(node: nodes.Node | None) -> Iterator[str]:
    """The names whose entry a node stands in: no link from there to itself."""
    while node is not None:
        if node.tagname == "desc":
            for signature in node.children[:1]:
                yield from signature.get("ids", ())
        node = node.parent


class NameLinks(SphinxPostTransform):
    """Inline code that is a public name."""

    default_priority = 400

    def run(self, **kwargs: object) -> None:
        self._objects = self.env.domains["py"].data["objects"]
        self._homes: dict[str, set[str]] = {}
        for name in self._objects:
            self._homes.setdefault(name.rpartition(".")[2], set()).add(name)
        for literal in list(self.document.findall(nodes.literal)):
            if isinstance(literal.parent, nodes.reference | nodes.title):
                continue
            found = (n for n in self._candidates(literal) if n in self._objects)
            name = next(found, None)
            if name is not None and name not in _described(literal):
                entry = self._objects[name]
                if entry.objtype == "module" and literal.astext() in _WORDS:
                    continue
                link = make_refnode(
                    self.app.builder,
                    self.env.docname,
                    entry.docname,
                    entry.node_id,
                    literal.deepcopy(),
                    name,
                )
                literal.replace_self(link)

    def _candidates(self, literal: nodes.literal) -> Iterator[str]:
        text = literal.astext()
        name = _CALL.sub("", text).removeprefix("autotrace.").removeprefix("at.")
        _, _, own = self.env.docname.partition("api/")
        about = self.config.autolink_namespaces.get(self.env.docname, ())
        for namespace in (*self._beside(literal), own, *about):
            if namespace != "autotrace.numpy" or namespace in about:
                yield f"{namespace}.{name}"
        if name.split(".")[0] not in ("numpy", "scipy") or text.startswith(("autotrace.", "at.")):
            yield f"autotrace.{name}"
        homes = self._homes.get(name, set())
        if "_" in name.strip("_") and len(homes) == 1:
            yield from homes

    def _beside(self, literal: nodes.literal) -> Iterator[str]:
        """The modules that a paragraph names."""
        for other in literal.parent.findall(nodes.literal):
            entry = self._objects.get(other.astext())
            if entry is not None and entry.objtype == "module":
                yield other.astext()


class TitleLinks(SphinxPostTransform):
    """Links with a file's name as their text."""

    default_priority = 410

    def run(self, **kwargs: object) -> None:
        folder = posixpath.dirname(self.env.docname)
        for link in list(self.document.findall(nodes.reference)):
            if not link.astext().endswith(".md") or "refuri" not in link:
                continue
            uri = link["refuri"].partition("#")[0].removesuffix(".html")
            page = posixpath.normpath(posixpath.join(folder, uri))
            if page in self.env.titles:
                title = self.env.titles[page].deepcopy()
                link.children = [nodes.inline("", "", *title.children)]


def setup(app: Sphinx) -> dict:
    app.add_config_value("autolink_namespaces", {}, "env")
    app.add_post_transform(NameLinks)
    app.add_post_transform(TitleLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
