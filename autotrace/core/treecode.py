"""Pytrees of one structure taken apart and put together by code that is written for it.

A call of a compiled function takes half a microsecond; to go through a tree of two arrays without
knowing what it is takes several times that. So a function that is called with the same structure
again gets straight-line Python for it::

    def match(tree):                        def build(leaves):
        try:                                    v0, v1, = leaves
            if type(tree) is not dict:          v2 = {k0: v0, k1: v1}
                return None                     return v2
            ...
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from .tree import TreeDef, is_namedtuple, node_of

#: Trees of more leaves are taken apart by ``tree.flatten``: their code would be long.
_MOST_LEAVES = 1000
#: In the library's folder, so that no frame of it is taken for the user's.
_FILE = os.path.join(os.path.dirname(__file__), "<code for a tree>")


class Fixed(NamedTuple):
    """What a structure to be matched has where only one value will do.

    Attributes:
      key: from a value to what tells it apart from others.
      known: what that is for the value.
    """

    key: Callable[[Any], Any]
    known: Any


def fixed(key: Callable[[Any], Any], value: Any) -> TreeDef:
    """A ``Fixed`` place as a structure."""
    return TreeDef(Fixed, Fixed(key, key(value)), ())


class _Writer:
    """The lines of a function, and the objects that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: dict[str, Any] = {}
        self.variables = 0

    def object(self, x: Any) -> str:
        name = f"k{len(self.objects)}"
        self.objects[name] = x
        return name

    def variable(self) -> str:
        self.variables += 1
        return f"v{self.variables - 1}"

    def function(self, head: str) -> Callable[[Any], Any]:
        text = "\n".join([head, *self.lines])
        exec(compile(text, _FILE, "exec"), self.objects)
        function: Callable[[Any], Any] = self.objects["function"]
        return function

    # --- taking apart --------------------------------------------------------------------------

    def match(self, treedef: TreeDef, tree: str, leaves: list[str]) -> None:
        """Return None where a tree is not of this structure; append its leaves' variables."""
        kind, count = treedef.node_type, len(treedef.children)
        if kind is None:
            leaves.append(tree)
            return
        if kind is type(None):
            self.refuse(f"{tree} is not None")
            return
        if kind is Fixed:
            key, known = cast(Fixed, treedef.aux)
            self.refuse(f"{self.object(key)}({tree}) != {self.object(known)}")
            return
        self.refuse(f"type({tree}) is not {self.object(kind)}")
        parts = [self.variable() for _ in treedef.children]
        left = "".join(f"{part}, " for part in parts)
        if kind is dict:
            keys: Any = treedef.aux
            self.refuse(f"len({tree}) != {count}")
            for part, key in zip(parts, keys, strict=True):  # a KeyError is no match
                self.line(f"{part} = {tree}[{self.object(key)}]")
        elif kind in (tuple, list) or is_namedtuple(kind):
            self.refuse(f"len({tree}) != {count}")
            if parts:
                self.line(f"{left}= {tree}")
        else:
            children, aux = self.variable(), self.variable()
            self.line(f"{children}, {aux} = {self.object(node_of(kind).parts)}({tree})")
            known = self.object(treedef.aux)
            self.refuse(f"{aux} != {known} or len({children}) != {count}")
            if parts:
                self.line(f"{left}= {children}")
        for child, part in zip(treedef.children, parts, strict=True):
            self.match(child, part, leaves)

    def line(self, text: str) -> None:
        self.lines.append(f"        {text}")

    def refuse(self, test: str) -> None:
        self.line(f"if {test}: return None")

    # --- putting together ----------------------------------------------------------------------

    def build(self, treedef: TreeDef, leaves: Any) -> str:
        """The variable, or the constant, that a tree of this structure is in."""
        kind = treedef.node_type
        if kind is None:
            return next(leaves)
        if kind is type(None):
            return "None"
        parts = [self.build(child, leaves) for child in treedef.children]
        listed = "".join(f"{part}, " for part in parts)
        if kind is tuple:
            text = f"({listed})"
        elif kind is list:
            text = f"[{listed}]"
        elif kind is dict:
            keys: Any = treedef.aux
            pairs = zip(keys, parts, strict=True)
            text = f"{{{', '.join(f'{self.object(key)}: {part}' for key, part in pairs)}}}"
        else:
            build, aux = self.object(node_of(kind).build), self.object(treedef.aux)
            text = f"{build}({aux}, [{listed}])"
        made = self.variable()
        self.lines.append(f"    {made} = {text}")
        return made


def matcher(treedef: TreeDef) -> Callable[[Any], Sequence[Any] | None] | None:
    """A function from a tree to its leaves, and to None where it has another structure. What stands
    in a leaf's place is not looked at: it may be a container. None for a structure of very many
    leaves.

    Args:
      treedef: the structure; a node of the type ``Fixed`` in it stands for a value that is no leaf.

    >>> from autotrace import tree
    >>> match = matcher(tree.structure({"a": 0, "b": (0, 0)}))
    >>> match({"b": (2, 3), "a": 1}), match({"a": 1, "b": [2, 3]})
    ((1, 2, 3), None)
    """
    if treedef.num_leaves > _MOST_LEAVES:
        return None
    writer = _Writer()
    leaves: list[str] = []
    writer.match(treedef, "tree", leaves)
    writer.line(f"return ({''.join(f'{leaf}, ' for leaf in leaves)})")
    writer.lines.append("    except KeyError:\n        return None")
    return writer.function("def function(tree):\n    try:")


def builder(treedef: TreeDef) -> Callable[[Sequence[Any]], Any]:
    """A function from leaves to a tree: ``treedef.unflatten``, faster.

    >>> from autotrace import tree
    >>> builder(tree.structure({"a": 0, "b": (0, 0)}))([1, 2, 3])
    {'a': 1, 'b': (2, 3)}
    """
    if treedef.num_leaves > _MOST_LEAVES:
        return treedef.unflatten
    return _builder(treedef, _key_types(treedef))


def _key_types(treedef: TreeDef) -> tuple:
    """What tells structures apart that are equal: 1 and True are the same key, but not the same."""
    aux = treedef.aux
    types = tuple(map(type, aux)) if isinstance(aux, tuple) else ()
    return (types, *map(_key_types, treedef.children))


@functools.lru_cache(1024)
def _builder(treedef: TreeDef, key_types: tuple) -> Callable[[Sequence[Any]], Any]:
    writer = _Writer()
    leaves = [writer.variable() for _ in range(treedef.num_leaves)]
    if leaves:
        writer.lines.append(f"    {''.join(f'{leaf}, ' for leaf in leaves)}= leaves")
    made = writer.build(treedef, iter(leaves))
    writer.lines.append(f"    return {made}")
    return writer.function("def function(leaves):")
