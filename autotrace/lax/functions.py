"""The functions that control flow takes: a user's function of pytrees as a jaxpr."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray
from ..core.errors import located
from ..core.jaxpr import Jaxpr, Var
from ..core.primitive import Primitive
from ..core.trace import Tracer, get_aval, innermost_staging
from ..core.tree import TreeDef
from ..transforms.stage import as_numpy, check_output, hoist_tracers, stage
from .calls import call_compiled
from .generators import standing_in


class Function(NamedTuple):
    """A function as a jaxpr.

    Attributes:
      jaxpr: what it uses of enclosing traces are its leading inputs.
      closed: those values.
      out_tree: the structure of what it returns.
    """

    jaxpr: Jaxpr
    closed: list[Any]
    out_tree: TreeDef


def name_of(function: Any) -> str:
    """What a function is called, for messages."""
    return getattr(function, "__name__", type(function).__name__)


def as_function(
    fun: Callable,
    what: str,
    trees: Sequence[TreeDef],
    avals: Sequence[ShapedArray],
    guarded: bool = False,
) -> Function:
    """Stage a function.

    Args:
      fun: takes pytrees.
      what: who takes the function, for messages.
      trees: the structure of each argument.
      avals: the types of all their leaves.
      guarded: whether it may never run, so that nothing of it is computed outside of it.

    Raises:
      TypeError: when it is no function, or returns something else than arrays.
    """
    if not callable(fun):
        raise TypeError(located(f"{what} takes a function, got {fun!r:.80}"))
    out_trees: list[TreeDef] = []

    def flat(*leaves: Any) -> list[Any]:
        rest = iter(leaves)
        args = [tree.unflatten(t, [next(rest) for _ in range(t.num_leaves)]) for t in trees]
        with standing_in(fun):
            out = fun(*args)
        outs, out_tree = tree.flatten(out)
        out_trees.append(out_tree)
        return [check_output(x, f"{what}: {name_of(fun)}") for x in outs]

    jaxpr, closed = hoist_tracers(stage(flat, avals, what, guarded))
    return Function(jaxpr, closed, out_trees[0])


def with_all_closed(functions: Sequence[Function]) -> tuple[list[Any], list[Jaxpr]]:
    """What some functions close over, each value once; and the functions as jaxprs that all take
    the whole of that as leading inputs."""
    closed = {id(x): x for f in functions for x in f.closed}
    jaxprs = []
    for function in functions:
        jaxpr, count = function.jaxpr, len(function.closed)
        own = dict(zip(map(id, function.closed), jaxpr.invars[:count], strict=True))
        leading = [own.get(key) or Var(get_aval(x).strong()) for key, x in closed.items()]
        invars = [*leading, *jaxpr.invars[count:]]
        jaxprs.append(Jaxpr(jaxpr.constvars, jaxpr.consts, invars, jaxpr.eqns, jaxpr.outvars))
    return list(closed.values()), jaxprs


def flatten_operands(value: Any, what: str) -> tuple[list[Any], TreeDef]:
    """The array leaves of what a user gave.

    Raises:
      TypeError: naming the path of a leaf that is no array or number.
    """
    leaves, treedef = tree.flatten(value)
    for number, leaf in enumerate(leaves):
        if isinstance(leaf, Tracer):
            leaves[number] = leaf.captured()
            continue
        try:
            get_aval(leaf)
        except TypeError as error:
            path = tree.keystr(tree.leaves_with_path(value)[number][0])
            raise TypeError(located(f"{what}{path}: {error}")) from None
    return leaves, treedef


def check_same(
    what: str,
    expected: tuple[TreeDef, Sequence[ShapedArray]],
    got: tuple[TreeDef, Sequence[ShapedArray]],
    remedy: str,
) -> None:
    """Check that two structures of arrays are the same.

    Args:
      what: the two, for the message: "what is carried in and what the function returns".

    Raises:
      TypeError: showing both structures, or the first leaf that differs and its path.
    """
    (tree_a, avals_a), (tree_b, avals_b) = expected, got
    if tree_a != tree_b:
        raise TypeError(located(f"{what} differ in structure:\n  {tree_a}\n  {tree_b}", remedy))
    paths = tree.leaves_with_path(tree.unflatten(tree_a, range(len(avals_a))))
    for (path, _), a, b in zip(paths, avals_a, avals_b, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            place = f" at {tree.keystr(path)}" if path else ""
            raise TypeError(located(f"{what} differ in type{place}: {a} and {b}", remedy))


def first_of_pair(
    function: Function, what: str, parts: str, remedy: str = ""
) -> tuple[TreeDef, list[ShapedArray]]:
    """The structure of the first of the two things that a function returns, and its types.

    Args:
      what: the function, for the message: "scan: with ... body".
      parts: what the two are.

    Raises:
      TypeError: where it does not return a pair.
    """
    out_tree = function.out_tree
    if out_tree.node_type is not tuple or len(out_tree.children) != 2:
        raise TypeError(
            located(f"{what} must return a pair ({parts}), got the structure {out_tree}", remedy)
        )
    first = out_tree.children[0]
    return first, function.jaxpr.out_avals[: first.num_leaves]


def bind_whole(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
    """Bind a primitive that runs jaxprs: noted where a program is being staged, else compiled."""
    args = [as_numpy(x) for x in args]
    if innermost_staging() is not None:
        return primitive.bind(*args, **params)
    outs: list[Any] = []
    for x in call_compiled(primitive, args, params):
        # The interpreter returns what is carried without change as it is.
        taken = isinstance(x, np.ndarray) and any(
            isinstance(y, np.ndarray) and np.may_share_memory(x, y) for y in (*args, *outs)
        )
        outs.append(np.array(x) if taken else x)
    return outs
