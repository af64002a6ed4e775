"""The directive ``namespace``: every public name of a module, in groups, from its docstrings.

Its argument is the module. Each line of its content is a group: a title, a colon, and patterns of
names; a pattern that begins with a dot is one of the files the names come from. A name belongs to
the first group that has a pattern for it; what no pattern fits comes under "More", so that a new
name is never left out.
"""

from __future__ import annotations

import importlib
import inspect
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import autotrace


def public_names(module: ModuleType) -> list[str]:
    """What a module offers: its ``__all__``."""
    return [n for n in module.__all__ if not n.startswith("__")]


def is_ours(value: Any) -> bool:
    """Whether something is the library's own, and not re-exported from NumPy or SciPy."""
    return (getattr(value, "__module__", None) or type(value).__module__).startswith("autotrace")


def groups_of(module: ModuleType, lines: list[str]) -> dict[str, list[str]]:
    """The names of each group, by its title."""
    wanted = {}
    for line in lines:
        title, _, patterns = line.partition(":")
        wanted[title.strip()] = patterns.split()
    found: dict[str, list[str]] = {title: [] for title in wanted}
    for name in public_names(module):
        value = getattr(module, name)
        source = "." + (getattr(value, "__module__", None) or "").rpartition(".")[2]
        fits = (t for t, ps in wanted.items() for p in ps if fnmatchcase(name, p) or p == source)
        found.setdefault(next(fits, "More"), []).append(name)
    return found


def summary(value: Any) -> str:
    """The first sentence of a docstring, on one line."""
    text = inspect.getdoc(value) or ""
    words = " ".join(text.partition("\n\n")[0].split())
    end = words.find(". ")
    return words if end < 0 else words[: end + 1]


def directive_for(value: Any) -> str:
    """The directive of autodoc that fits a value."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) and inspect.isroutine(value) else "autodata"


def home_of(name: str, n: str, module: ModuleType) -> str | None:
    """Where something is described: None here, else the full name of what it is the same as."""
    value = getattr(module, n)
    if name != "autotrace" and vars(autotrace).get(n) is value:
        return f"autotrace.{n}"
    first = getattr(value, "__name__", n)
    return f"{name}.{first}" if first != n and getattr(module, first, None) is value else None


def render(name: str, module: ModuleType, lines: list[str]) -> list[str]:
    """A namespace as reStructuredText."""
    out: list[str] = []
    for title, names in groups_of(module, lines).items():
        ours = [n for n in names if is_ours(getattr(module, n))]
        if not ours:
            continue
        out += [title, "-" * len(title), "", ".. list-table::", "   :class: names", ""]
        for n in ours:
            home = home_of(name, n, module)
            text = f"The same as :py:obj:`{home}`." if home else summary(getattr(module, n))
            out += [f"   * - :py:obj:`{n} <{home or name + '.' + n}>`", f"     - {text}"]
        out.append("")
        for n in ours:
            if home_of(name, n, module) is None:
                out += [f".. {directive_for(getattr(module, n))}:: {name}.{n}", ""]
    theirs = [n for n in public_names(module) if not is_ours(getattr(module, n))]
    theirs = [n for n in theirs if not inspect.ismodule(getattr(module, n))]
    if theirs:
        out += ["As they are", "-----------", "", ", ".join(f"``{n}``" for n in theirs), ""]
    return out


class Namespace(SphinxDirective):
    """See above."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        module = importlib.import_module(name)
        self.env.note_dependency(module.__file__)
        text = "\n".join(render(name, module, list(self.content)))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict:
    app.add_directive("namespace", Namespace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
