"""The directive ``namespace``: each public name of a module, in groups, from the docstrings.

Its argument is the module. Each line of its content is a group: a title, a colon, and patterns of
names; a pattern that begins with a dot is a file that names come from.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from docutils import nodes
from grouping import group, is_ours, public_modules, read_groups, summary
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import autotrace

#: A page that a docstring names.
_PAGE = re.compile(r"`*docs/(\w+)\.md`*")


def _directive(value: Any) -> tuple[str, list[str]]:
    """The directive of autodoc for a value, with its options."""
    if inspect.isclass(value):
        if issubclass(value, BaseException):
            return "autoexception", []
        plain = type(value) is type and not issubclass(value, tuple)
        return "autoclass", [":members:"] if plain else []
    return ("autofunction", []) if inspect.isroutine(value) else ("autodata", [":no-value:"])


def _home(name: str, module: ModuleType, member: str) -> str | None:
    """The full name of what a member is another name of, if it is."""
    value = getattr(module, member)
    if module is not autotrace and vars(autotrace).get(member) is value:
        return f"autotrace.{member}"
    first = getattr(value, "__name__", member)
    return f"{name}.{first}" if first != member and getattr(module, first, 0) is value else None


def _is_short(value: Any) -> bool:
    """Whether a docstring is one paragraph, so that a line of the table says all."""
    return "\n\n" not in (inspect.getdoc(value) or "").strip() and not inspect.isclass(value)


def _signature(value: Any) -> str:
    """How something is called, without annotations."""
    if not inspect.isroutine(value):
        return ""
    signature = inspect.signature(value)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


def _row(name: str, module: ModuleType, member: str) -> list[str]:
    value = getattr(module, member)
    home = _home(name, module, member)
    title = f":py:obj:`{member} <{home or f'{name}.{member}'}>`"
    text = _PAGE.sub(r":doc:`/\1`", summary(value))
    if inspect.ismodule(value):
        title = "\n       ".join(f"| :doc:`{page}`" for page in public_modules(value))
    elif home is not None:
        first = home.removeprefix(f"{name}.")
        text = f"The same as :py:obj:`{first} <{home}>`."
    elif _is_short(value):
        kind = "function" if inspect.isroutine(value) else "data"
        title = f".. py:{kind}:: {member}{_signature(value)}\n          :module: {name}\n"
        text = " ".join((inspect.getdoc(value) or "").split())
    return [f"   * - {title}", f"     - {text}"]


def _section(name: str, module: ModuleType, title: str, members: list[str]) -> Iterator[str]:
    """A table of the names, and an entry for each that has more to say."""
    yield from ["", title, "-" * len(title), ""]
    if not is_ours(getattr(module, members[0])):
        yield ", ".join(f"``{n}``" for n in members)
        return
    yield from [".. list-table::", "   :class: names", "   :widths: auto", ""]
    for member in members:
        yield from _row(name, module, member)
    for member in members:
        value = getattr(module, member)
        if inspect.ismodule(value) or _home(name, module, member) or _is_short(value):
            continue
        directive, options = _directive(value)
        yield from ["", f".. {directive}:: {name}.{member}", *(f"   {o}" for o in options)]


class Namespace(SphinxDirective):
    """See above."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        module = importlib.import_module(name)
        self.env.note_dependency(module.__file__)
        text = _PAGE.sub(r":doc:`/\1`", inspect.getdoc(module) or "")
        lines = [f".. py:module:: {name}", "", *text.splitlines()]
        for title, members in group(module, read_groups(list(self.content))).items():
            lines += _section(name, module, title, members)
            self._note_other_names(name, module, members)
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)

    def _note_other_names(self, name: str, module: ModuleType, members: list[str]) -> None:
        """Let links to a second name lead to the entry of the first."""
        for member in members:
            home = _home(name, module, member)
            if home is not None and home.startswith(f"{name}."):
                python = self.env.domains["py"]
                python.note_object(f"{name}.{member}", "data", home, aliased=True)


def _link_pages(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]):
    lines[:] = [_PAGE.sub(r":doc:`/\1`", line) for line in lines]


def _returns_are_prose(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]):
    """Begin "Returns:" with an empty line of text: what its first line has before a colon would
    be taken for a type."""
    for number, line in enumerate(lines):
        if line.strip() == "Returns:":
            following = lines[number + 1]
            indent = len(following) - len(following.lstrip())
            lines.insert(number + 1, " " * indent + "\\")
            break


def setup(app: Sphinx) -> dict:
    app.connect("autodoc-process-docstring", _link_pages)
    app.connect("autodoc-process-docstring", _returns_are_prose, priority=400)
    app.add_directive("namespace", Namespace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
