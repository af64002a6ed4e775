"""Pytrees: nested containers of arrays, taken apart into leaves and put together again.

Containers are None (no leaves), tuple, named tuple, list, dict (keys in sorted order),
OrderedDict, defaultdict, and any class registered with ``register_node`` or
``register_dataclass``; everything else is a leaf. Available to users as ``autotrace.tree``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, cast


class _Node(NamedTuple):
    """How one container type is taken apart, and put together.

    Attributes:
      parts: from a container to its children and the auxiliary data.
      build: from auxiliary data and children to a container.
      keys: from a container to the keys of its children.
    """

    parts: Callable[[Any], tuple[Sequence, Hashable]]
    build: Callable[[Hashable, Sequence], Any]
    keys: Callable[[Any], Sequence[Key]]


def _sorted_keys(mapping: dict) -> list:
    try:
        return sorted(mapping)
    except TypeError:  # keys of different types: an order that depends on nothing but the keys
        return sorted(mapping, key=lambda k: (type(k).__name__, repr(k)))


def _dict_parts(mapping: dict) -> tuple:
    keys = _sorted_keys(mapping)
    return [mapping[k] for k in keys], tuple(keys)


def _defaultdict_parts(mapping: defaultdict) -> tuple:
    children, keys = _dict_parts(mapping)
    return children, (mapping.default_factory, *keys)


def _dict_keys(mapping: dict) -> list[Key]:
    return [Key(f"[{k!r}]", k) for k in _sorted_keys(mapping)]


def _indices(container: Sequence) -> list[Key]:
    return [Key(f"[{i}]", i) for i in range(len(container))]


class Key:
    """One step of a path: the index, key or attribute name, and how it prints."""

    __slots__ = ("key", "text")

    def __init__(self, text: str, key: Any):
        self.text = text
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and (self.text, self.key) == (other.text, other.key)

    def __hash__(self) -> int:
        return hash((self.text, self.key))

    def __repr__(self) -> str:
        return self.text


def _build_namedtuple(aux: Hashable, children: Sequence) -> Any:
    return aux(*children)  # type: ignore[operator]  # the class is the auxiliary data


_NAMEDTUPLE = _Node(
    lambda x: (x, cast(Hashable, type(x))),
    _build_namedtuple,
    lambda x: [Key(f".{f}", f) for f in x._fields],
)

_registry: dict[type, _Node] = {
    type(None): _Node(lambda x: ((), None), lambda aux, children: None, lambda x: ()),
    tuple: _Node(lambda x: (x, None), lambda aux, children: tuple(children), _indices),
    list: _Node(lambda x: (x, None), lambda aux, children: list(children), _indices),
    dict: _Node(
        _dict_parts,
        lambda keys, children: dict(zip(keys, children, strict=True)),  # type: ignore[call-overload]
        _dict_keys,
    ),
    OrderedDict: _Node(
        lambda x: (list(x.values()), tuple(x)),
        lambda keys, children: OrderedDict(zip(keys, children, strict=True)),  # type: ignore[call-overload]
        lambda x: [Key(f"[{k!r}]", k) for k in x],
    ),
    defaultdict: _Node(
        _defaultdict_parts,
        lambda aux, children: defaultdict(aux[0], zip(aux[1:], children, strict=True)),  # type: ignore[index]
        _dict_keys,
    ),
}


class TreeDef:
    """The structure of a pytree without its leaves; hashable, comparable, printable."""

    __slots__ = ("_hash", "aux", "children", "node_type", "num_leaves")

    def __init__(self, node_type: type | None, aux: Hashable, children: tuple[TreeDef, ...]):
        self.node_type = node_type  # None: a leaf
        self.aux = aux
        self.children = children
        self.num_leaves: int = 1 if node_type is None else sum([c.num_leaves for c in children])
        self._hash = hash((node_type, aux, children))

    def unflatten(self, leaves: Iterable) -> Any:
        """Put leaves back into this structure."""
        return unflatten(self, leaves)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, TreeDef)
            and self._hash == other._hash
            and self.node_type is other.node_type
            and self.aux == other.aux
            and self.children == other.children
        )

    def __reduce__(self) -> tuple:
        if self.node_type is None:
            return (_leaf_def, ())
        return (TreeDef, (self.node_type, self.aux, self.children))

    def __repr__(self) -> str:
        return f"PyTreeDef({self._text()})"

    def _text(self) -> str:
        if self.node_type is None:
            return "*"
        parts = [c._text() for c in self.children]
        if self.node_type is type(None):
            return "None"
        if self.node_type is tuple:
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        if self.node_type is list:
            return f"[{', '.join(parts)}]"
        if self.node_type is dict:
            keys: Any = self.aux
            return "{" + ", ".join(f"{k!r}: {p}" for k, p in zip(keys, parts, strict=True)) + "}"
        return f"{self.node_type.__name__}({', '.join(parts)})"


LEAF = TreeDef(None, None, ())


def is_flat_tuple(treedef: TreeDef) -> bool:
    """Whether a structure is a tuple of leaves."""
    return treedef.node_type is tuple and not [c for c in treedef.children if c is not LEAF]


def _leaf_def() -> TreeDef:
    return LEAF


def _node_for(x: Any) -> _Node | None:
    node = _registry.get(type(x))
    if node is None and isinstance(x, tuple) and hasattr(x, "_fields"):
        return _NAMEDTUPLE
    return node


def node_of(kind: type) -> _Node:
    """How a type of containers is taken apart."""
    return _registry.get(kind, _NAMEDTUPLE)


def is_namedtuple(kind: type) -> bool:
    """Whether a type of containers is a named tuple that nobody has registered."""
    return kind not in _registry


def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, TreeDef]:
    """Take a tree apart.

    Args:
      tree: any pytree.
      is_leaf: called on each node; where it returns true the node counts as a leaf.

    Returns:
      The leaves, in order, and the structure.

    >>> leaves, structure = flatten({"b": 2, "a": (1, None)})
    >>> leaves, structure
    ([1, 2], PyTreeDef({'a': (*, None), 'b': *}))
    """
    leaves: list = []
    return leaves, _flatten_into(tree, leaves, is_leaf)


def _flatten_into(x: Any, leaves: list, is_leaf: Callable[[Any], bool] | None) -> TreeDef:
    if is_leaf is not None and is_leaf(x):
        leaves.append(x)
        return LEAF
    cls = type(x)
    if cls is tuple or cls is list:  # the commonest, without making keys
        return TreeDef(cls, None, tuple([_flatten_into(c, leaves, is_leaf) for c in x]))
    if cls is dict:
        keys = _sorted_keys(x)
        return TreeDef(
            dict, tuple(keys), tuple([_flatten_into(x[k], leaves, is_leaf) for k in keys])
        )
    node = _node_for(x)
    if node is None:
        leaves.append(x)
        return LEAF
    children, aux = node.parts(x)
    return TreeDef(cls, aux, tuple([_flatten_into(c, leaves, is_leaf) for c in children]))


def unflatten(treedef: TreeDef, leaves: Iterable) -> Any:
    """Put leaves into a structure: the inverse of ``flatten``.

    Raises:
      ValueError: when there are more or fewer leaves than the structure has places.

    >>> unflatten(structure({"a": 0, "b": [0, 0]}), [1, 2, 3])
    {'a': 1, 'b': [2, 3]}
    """
    leaves = list(leaves)
    if len(leaves) != treedef.num_leaves:
        raise ValueError(
            f"tree.unflatten: {treedef} has {treedef.num_leaves} leaves, got {len(leaves)}"
        )
    return _build(treedef, iter(leaves))


def _build(treedef: TreeDef, leaves: Any) -> Any:
    if treedef.node_type is None:
        return next(leaves)
    children = [_build(c, leaves) for c in treedef.children]
    return node_of(treedef.node_type).build(treedef.aux, children)


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """The leaves of a tree, in order.

    >>> leaves([1, (2, {"x": 3})])
    [1, 2, 3]
    """
    return flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeDef:
    """The structure of a tree.

    >>> structure([1, (2, 3)])
    PyTreeDef([*, (*, *)])
    """
    return flatten(tree, is_leaf)[1]


def flatten_up_to(treedef: TreeDef, tree: Any, what: str = "tree") -> list:
    """The subtrees of ``tree`` at the leaves of ``treedef``, which must be a prefix of it.

    Raises:
      ValueError: when the structures do not agree; the message names the place.
    """
    out: list = []
    _collect(treedef, tree, out, what, "")
    return out


def _collect(treedef: TreeDef, tree: Any, out: list, what: str, path: str) -> None:
    if treedef.node_type is None:
        out.append(tree)
        return
    node = _node_for(tree)
    if node is None or type(tree) is not treedef.node_type:
        raise ValueError(
            f"{what}{path}: expected a {treedef.node_type.__name__} "
            f"(structure {treedef}), got {type(tree).__name__}"
        )
    children, aux = node.parts(tree)
    if aux != treedef.aux or len(children) != len(treedef.children):
        raise ValueError(f"{what}{path}: expected structure {treedef}, got {structure(tree)}")
    for key, sub, child in zip(node.keys(tree), treedef.children, children, strict=True):
        _collect(sub, child, out, what, f"{path}{key}")


def map(  # noqa: A001  the public name is tree.map
    f: Callable, tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Apply a function to each leaf, and to the matching leaves of further trees.

    Args:
      f: takes one leaf of each tree.
      tree: decides the structure of the result.
      rest: further trees; ``tree``'s structure must be a prefix of theirs.
      is_leaf: as for ``flatten``.

    Returns:
      A tree of the results.

    Raises:
      ValueError: when the structures do not match.

    >>> map(lambda x, y: x + y, {"a": 1, "b": 2}, {"a": 10, "b": 20})
    {'a': 11, 'b': 22}
    """
    first, treedef = flatten(tree, is_leaf)
    columns = [first] + [flatten_up_to(treedef, r, "tree.map") for r in rest]
    return unflatten(treedef, [f(*xs) for xs in zip(*columns, strict=True)])


_NO_INITIAL = object()


def reduce(
    function: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = _NO_INITIAL,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """Fold a function over the leaves, from the left.

    Raises:
      TypeError: for a tree without leaves when there is no ``initializer``.

    >>> reduce(lambda a, b: a + b, {"a": 1, "b": [2, 3]})
    6
    """
    items = leaves(tree, is_leaf)
    if initializer is _NO_INITIAL:
        return functools.reduce(function, items)
    return functools.reduce(function, items, initializer)


def all(tree: Any, *, is_leaf: Callable[[Any], bool] | None = None) -> bool:  # noqa: A001
    """Whether each leaf is true.

    >>> all([True, {"a": 1}]), all([True, 0])
    (True, False)
    """
    return not any(not leaf for leaf in leaves(tree, is_leaf))


def transpose(outer_treedef: TreeDef, inner_treedef: TreeDef, pytree_to_transpose: Any) -> Any:
    """Turn a tree of trees inside out.

    Args:
      outer_treedef: the outer structure of the input.
      inner_treedef: the structure at each of its leaves.
      pytree_to_transpose: the tree.

    Returns:
      A tree with ``inner_treedef`` outside and ``outer_treedef`` inside.

    >>> transpose(structure([0, 0]), structure({"a": 0, "b": 0}),
    ...           [{"a": 1, "b": 2}, {"a": 3, "b": 4}])
    {'a': [1, 3], 'b': [2, 4]}
    """
    rows = [
        flatten_up_to(inner_treedef, row, "tree.transpose")
        for row in flatten_up_to(outer_treedef, pytree_to_transpose, "tree.transpose")
    ]
    columns = zip(*rows, strict=True) if rows else [()] * inner_treedef.num_leaves
    return unflatten(inner_treedef, [unflatten(outer_treedef, c) for c in columns])


def flatten_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[tuple, Any]], TreeDef]:
    """As ``flatten``, with the path to each leaf.

    Returns:
      A list of (path, leaf), a path being a tuple of keys that print as in Python, and the
      structure.

    >>> for path, leaf in flatten_with_path({"a": [1, 2]})[0]:
    ...     print("".join(str(key) for key in path), leaf)
    ['a'][0] 1
    ['a'][1] 2
    """
    out: list[tuple[tuple, Any]] = []
    _flatten_paths(tree, (), out, is_leaf)
    return out, structure(tree, is_leaf)


def _flatten_paths(x: Any, path: tuple, out: list, is_leaf: Callable[[Any], bool] | None) -> None:
    node = None if is_leaf is not None and is_leaf(x) else _node_for(x)
    if node is None:
        out.append((path, x))
        return
    children, _ = node.parts(x)
    for key, child in zip(node.keys(x), children, strict=True):
        _flatten_paths(child, (*path, key), out, is_leaf)


def leaves_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """The (path, leaf) pairs of a tree.

    >>> leaves_with_path((5, {"k": 6}))
    [(([0],), 5), (([1], ['k']), 6)]
    """
    return flatten_with_path(tree, is_leaf)[0]


def map_with_path(
    f: Callable, tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """As ``map``, the function taking the path first.

    >>> map_with_path(lambda path, x: f"{keystr(path)}={x}", {"a": 1, "b": (2,)})
    {'a': "['a']=1", 'b': ("['b'][0]=2",)}
    """
    pairs, treedef = flatten_with_path(tree, is_leaf)
    columns = [flatten_up_to(treedef, r, "tree.map_with_path") for r in rest]
    return unflatten(
        treedef, [f(path, x, *xs) for (path, x), *xs in zip(pairs, *columns, strict=True)]
    )


def keystr(path: Iterable) -> str:
    """A path as it would be written in Python.

    >>> keystr(leaves_with_path({"w": [0]})[0][0])
    "['w'][0]"
    """
    return "".join(str(key) for key in path)


def broadcast_prefix(
    prefix: Any, tree: Any, what: str, is_leaf: Callable[[Any], bool] | None = None
) -> list:
    """One value of ``prefix`` for each leaf of ``tree``, of which it is a prefix.

    A None in ``prefix`` is a value here, not an empty container.

    Raises:
      ValueError: when ``prefix`` is not a prefix of ``tree``.
    """
    out: list = []

    def none_or_leaf(x: Any) -> bool:
        return x is None or (is_leaf is not None and is_leaf(x))

    values, treedef = flatten(prefix, none_or_leaf)
    for value, subtree in zip(values, flatten_up_to(treedef, tree, what), strict=True):
        out.extend([value] * structure(subtree).num_leaves)
    return out


def register_node(
    nodetype: type,
    flatten_func: Callable[[Any], tuple[Iterable, Hashable]],
    unflatten_func: Callable[[Hashable, Sequence], Any],
) -> None:
    """Make a class a container.

    Args:
      nodetype: the class.
      flatten_func: from an instance to (children, hashable auxiliary data).
      unflatten_func: from (auxiliary data, children) to an instance.

    Raises:
      ValueError: when the class is registered already.

    >>> class Point:
    ...     def __init__(self, x, y): self.x, self.y = x, y
    >>> register_node(Point, lambda p: ((p.x, p.y), None), lambda _, xy: Point(*xy))
    >>> leaves(Point(1, 2))
    [1, 2]
    """
    if nodetype in _registry:
        raise ValueError(f"tree.register_node: {nodetype.__name__} is registered already")

    def parts(x: Any) -> tuple:
        children, aux = flatten_func(x)
        return tuple(children), aux

    _registry[nodetype] = _Node(parts, unflatten_func, lambda x: _indices(parts(x)[0]))


def register_dataclass(
    nodetype: type,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] = (),
) -> type:
    """Make a dataclass a container; also works as a decorator.

    Args:
      nodetype: the dataclass.
      data_fields: the fields that hold children; all but ``meta_fields`` when None.
      meta_fields: the fields that are part of the structure (hashable, compared).

    Returns:
      The class.

    Raises:
      ValueError: when the class is registered already.
      TypeError: when it is not a dataclass or a field is not its own.

    >>> @register_dataclass
    ... @dataclasses.dataclass
    ... class Params:
    ...     w: float
    ...     b: float
    >>> map(lambda x: 2 * x, Params(1.0, 3.0))
    Params(w=2.0, b=6.0)
    """
    if not dataclasses.is_dataclass(nodetype):
        raise TypeError(f"tree.register_dataclass: {nodetype.__name__} is not a dataclass")
    names = [f.name for f in dataclasses.fields(nodetype) if f.init]
    meta = tuple(meta_fields)
    data = tuple(n for n in names if n not in meta) if data_fields is None else tuple(data_fields)
    if set(data) | set(meta) != set(names) or set(data) & set(meta):
        raise TypeError(
            f"tree.register_dataclass: {nodetype.__name__} has the fields {names}; each must be "
            f"in one of data_fields {list(data)} and meta_fields {list(meta)}"
        )
    if nodetype in _registry:
        raise ValueError(f"tree.register_dataclass: {nodetype.__name__} is registered already")
    keys = [Key(f".{n}", n) for n in data]

    def parts(x: Any) -> tuple:
        return [getattr(x, n) for n in data], tuple([getattr(x, n) for n in meta])

    def build(aux: Any, children: Sequence) -> Any:
        return nodetype(
            **dict(zip(data, children, strict=True)), **dict(zip(meta, aux, strict=True))
        )

    _registry[nodetype] = _Node(parts, build, lambda x: keys)
    return nodetype
