"""Pytrees: nested containers of arrays, such as lists and dicts of them."""

from .api.raveling import ravel_pytree
from .core.tree import (
    TreeDef,
    all,  # noqa: A004  the public name is tree.all
    flatten,
    flatten_with_path,
    keystr,
    leaves,
    leaves_with_path,
    map,  # noqa: A004  the public name is tree.map
    map_with_path,
    reduce,
    register_dataclass,
    register_node,
    structure,
    transpose,
    unflatten,
)

__all__ = [
    "TreeDef",
    "all",
    "flatten",
    "flatten_with_path",
    "keystr",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "ravel_pytree",
    "reduce",
    "register_dataclass",
    "register_node",
    "structure",
    "transpose",
    "unflatten",
]
