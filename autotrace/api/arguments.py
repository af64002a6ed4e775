"""What goes into and comes out of a transformed function: checks, flattening, plain arrays."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..core import tree
from ..core.avals import is_inexact
from ..core.errors import NonDifferentiableError, located
from ..core.trace import Tracer, active_traces, any_staging, get_aval
from ..core.tree import TreeDef
from ..lax.generators import standing_in
from ..transforms.backends import own
from ..transforms.held import HeldTracer, lend
from ..transforms.stage import as_numpy

#: For the types of transforms: of a function's arguments and result, of the first argument, of what
#: comes beside the result, of a function as it is.
P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
A = TypeVar("A")
S = TypeVar("S")
F = TypeVar("F", bound=Callable)


def check_callable(fun: Any, what: str) -> None:
    """Raise TypeError where something other than a function is given to a transform."""
    if not callable(fun):
        raise TypeError(f"{what} takes a function as its first argument, got {fun!r:.80}")


def name_of(fun: Callable) -> str:
    """What a function is called, for messages."""
    return getattr(fun, "__name__", type(fun).__name__)


def as_array(leaf: Any, what: str) -> Any:
    """Check that a leaf is an array or a number.

    Raises:
      TypeError: naming the function and the place, when it is not.
    """
    fault = _fault(leaf)
    if fault is not None:
        raise TypeError(located(f"{what}: {fault[0]}", fault[1]))
    return leaf


def _fault(leaf: Any) -> tuple[str, str] | None:
    """Why a leaf cannot be taken as an array, and what to do; None where it can."""
    try:
        get_aval(leaf)
    except TypeError as error:
        return str(error), _container_remedy(leaf)
    if type(leaf) is np.ndarray or not isinstance(leaf, np.ndarray):
        return None
    # Subclasses are taken as plain arrays, which these are not.
    if isinstance(leaf, np.matrix):
        return (
            "an np.matrix, whose * is the product of matrices, is not supported",
            "What to do: pass np.asarray(x), and write @.",
        )
    if "numpy.ma" in sys.modules and np.ma.is_masked(leaf):
        return (
            "masked arrays are not supported, since the mask would be lost",
            "What to do: pass x.filled(...) and x.mask, and use np.where.",
        )
    return None


def _container_remedy(leaf: Any) -> str:
    """What to do with what holds arrays, and is not known as a container."""
    if not dataclasses.is_dataclass(leaf) or isinstance(leaf, type):
        return ""
    name = type(leaf).__name__
    return (
        f"What to do: make {name} a container of arrays by @autotrace.tree.register_dataclass,\n"
        "above its @dataclass; fields that do not hold arrays are named in its meta_fields."
    )


def flatten_arrays(
    args: Any, what: str, positions: Sequence[int] | None = None
) -> tuple[list[Any], TreeDef]:
    """The array leaves of a pytree.

    Args:
      args: the pytree.
      what: what it is, for messages.
      positions: where it is a pair of a call's arguments and keywords: the former's numbers.

    Raises:
      TypeError: naming the path of a leaf that is not an array or a number.
    """
    leaves, treedef = tree.flatten(args)
    for index, leaf in enumerate(leaves):
        if isinstance(leaf, Tracer):
            leaves[index] = leaf.captured()
        elif not isinstance(leaf, np.generic | float | int):
            if isinstance(leaf, np.ndarray) and not leaf.dtype.isnative:
                # As read from a file of another machine's.
                leaves[index] = leaf = leaf.astype(leaf.dtype.newbyteorder("="))
            fault = _fault(leaf)
            if fault is not None:
                place = _place(args, index, what, positions)
                raise TypeError(located(f"{place}: {fault[0]}", fault[1]))
        elif type(leaf) is int and not _INT64.min <= leaf <= _INT64.max:
            place = _place(args, index, what, positions)
            raise OverflowError(located(f"{place}: Python integer {leaf} does not fit int64"))
    return leaves, treedef


_INT64 = np.iinfo(np.int64)


def _place(args: Any, index: int, what: str, positions: Sequence[int] | None) -> str:
    """Where a leaf is, for messages."""
    path, _ = tree.leaves_with_path(args)[index]
    if positions is None:
        return f"{what}{tree.keystr(path)}"
    group, name, *rest = path
    known = positions[name.key] if group.key == 0 else repr(name.key)
    return f"{what}argument {known}{tree.keystr(rest)}"


class FlatFunction:
    """A function of pytrees as one of flat arrays, which notes its output's structure.

    Attributes:
      out_tree: the structure of the last call's output (without the auxiliary part).
      aux: the auxiliary output of the last call, with ``has_aux``.
    """

    __slots__ = ("args", "aux", "fun", "has_aux", "in_tree", "kwargs", "out_tree", "positions")

    def __init__(
        self,
        fun: Callable,
        in_tree: TreeDef,
        args: Sequence[Any] = (),
        positions: Sequence[int] | None = None,
        kwargs: dict[str, Any] | None = None,
        has_aux: bool = False,
    ):
        self.fun = fun
        self.in_tree = in_tree
        self.args = args
        self.positions = positions
        self.kwargs = kwargs or {}
        self.has_aux = has_aux
        self.out_tree: TreeDef = tree.LEAF
        self.aux: Any = None

    def __call__(self, *leaves: Any) -> list[Any]:
        args = tree.unflatten(self.in_tree, [lend(x) for x in leaves])
        named = self.kwargs
        if self.positions is not None:
            full = list(self.args)
            for position, arg in zip(self.positions, args, strict=True):
                full[position] = arg
            if len(args) < len(full):
                full = [x if n in self.positions else _lent(x) for n, x in enumerate(full)]
            args = full
            if named:
                named = _lent(named)
        if any_staging():
            with standing_in(self.fun):
                out = self.fun(*args, **named)
        else:
            out = self.fun(*args, **named)
        if self.has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise TypeError(
                    located(
                        f"with has_aux=True {name_of(self.fun)} must return a pair "
                        f"(output, aux), got {type(out).__name__}"
                    )
                )
            out, aux = out
            # The innermost trace is the one that runs this; it takes no interest in aux.
            trace: Any = active_traces()[-1]
            self.aux = tree.map(lambda x: owned(trace.split(x)[0]), aux)
        outs, self.out_tree = tree.flatten(out)
        what = f"the output of {name_of(self.fun)}"
        return [owned(as_numpy(as_array(x, what))) for x in outs]


def _lent(arg: Any) -> Any:
    """An argument that is not differentiated, for the user's code: ``lend`` for its arrays, in new
    containers where it has any. Dicts keep their order, which those of a ``TreeDef`` do not."""
    if isinstance(arg, np.ndarray | Tracer):
        return lend(arg)
    if type(arg) is dict:
        named = {name: _lent(x) for name, x in arg.items()}
        return named if any(x is not arg[name] for name, x in named.items()) else arg
    leaves, treedef = tree.flatten(arg, _is_dict)
    if treedef is tree.LEAF:
        return lend(arg)
    made = [_lent(x) for x in leaves]
    same = all(x is leaf for x, leaf in zip(made, leaves, strict=True))
    return arg if same else tree.unflatten(treedef, made)


def _is_dict(x: Any) -> bool:
    return type(x) is dict


def captured(x: Any) -> Any:
    """A value from the user's code, as transforms may keep it."""
    return x.captured() if isinstance(x, Tracer) else x


def handle(x: Any) -> Any:
    """A value for the user's code, which may assign to it: another handle on a traced one."""
    return x.twin() if isinstance(x, Tracer) else x


def copied(x: Any) -> Any:
    """A value that others keep, for the user's code, which may assign to it."""
    return np.array(x) if isinstance(x, np.ndarray) else handle(x)


def owned(x: Any) -> Any:
    """A copy of an untraced array, which may belong to the caller; anything else as it is."""
    if type(x) is HeldTracer:
        x = x.array
    return np.array(x) if isinstance(x, np.ndarray) else x


def normalize_argnums(argnums: Any, count: int, what: str, name: str = "argnums") -> list[int]:
    """Argument positions as non-negative integers.

    Raises:
      ValueError: for a position that the call does not have.
      TypeError: for what is not an integer.
    """
    positions = argnums if isinstance(argnums, tuple | list) else (argnums,)
    out = []
    for position in positions:
        if isinstance(position, bool) or not hasattr(position, "__index__"):
            raise TypeError(f"{what}: {name} must be an int or a tuple of ints, got {argnums!r}")
        index = position.__index__()
        if not -count <= index < count:
            raise ValueError(
                located(f"{what}: {name}={argnums} but the call has {count} positional arguments")
            )
        out.append(index % count)
    if len(set(out)) != len(out):
        raise ValueError(f"{what}: {name}={argnums} names an argument twice")
    return out


def check_differentiable(leaf: Any, what: str, holomorphic: bool, allow_int: bool) -> None:
    """Raise unless an input leaf may be differentiated with respect to, in reverse mode."""
    dtype = leaf.dtype if hasattr(leaf, "dtype") else get_aval(leaf).dtype
    if holomorphic:
        if dtype.kind != "c":
            raise NonDifferentiableError(
                located(f"{what} with holomorphic=True takes complex inputs, got {dtype}")
            )
    elif not is_inexact(dtype) and not allow_int:
        raise NonDifferentiableError(
            located(
                f"{what} takes floating or complex inputs, got {get_aval(leaf)}",
                "What to do: pass 2.0 instead of 2, or x.astype(float); choose the arguments to "
                "differentiate with argnums.",
            )
        )


def without_static(
    fun: Callable, args: tuple, static_argnums: int | Sequence[int], what: str
) -> tuple[Callable[[list, dict], Any], list[Any]]:
    """Set aside the arguments that are Python values to a function.

    Returns:
      The function of a list of the other positional arguments and a dict of keyword arguments;
      and the former.
    """
    static = set(normalize_argnums(static_argnums, len(args), what, "static_argnums"))
    dynamic = [i for i in range(len(args)) if i not in static]

    def call(given: list, keywords: dict) -> Any:
        full = list(args)
        for index, arg in zip(dynamic, given, strict=True):
            full[index] = arg
        return fun(*full, **keywords)

    call.__name__ = name_of(fun)
    return call, [args[i] for i in dynamic]


class DerivativeCall:
    """One call of ``grad``, ``jacfwd`` or their like: its arguments, checked and sorted.

    Attributes:
      leaves: the arrays to differentiate with respect to.
      active: which of them have a derivative: all, unless integers are allowed.
      flat: the function of these arrays.
    """

    def __init__(
        self,
        fun: Callable,
        argnums: int | Sequence[int],
        args: tuple,
        kwargs: dict[str, Any],
        what: str,
        *,
        has_aux: bool = False,
        holomorphic: bool = False,
        allow_int: bool = False,
    ):
        self._several = isinstance(argnums, tuple | list)
        positions = normalize_argnums(argnums, len(args), what)
        self.leaves, self.in_tree = flatten_arrays(
            [args[p] for p in positions], f"{what}: argument "
        )
        for leaf in self.leaves:
            check_differentiable(leaf, what, holomorphic, allow_int)
        self.active = [not allow_int or is_inexact(get_aval(x).dtype) for x in self.leaves]
        self.flat = FlatFunction(fun, self.in_tree, args, positions, kwargs, has_aux)

    def gradient(self, leaves: Sequence[Any]) -> Any:
        """Gradient arrays in the structure of the differentiated argument or arguments."""
        grads = tree.unflatten(self.in_tree, leaves)
        return tuple(grads) if self._several else grads[0]

    def with_aux(self, result: Any) -> Any:
        """The result, or with ``has_aux`` the pair of it and the auxiliary output."""
        if not self.flat.has_aux:
            return result
        return result, plain_tree(self.flat.aux, self.leaves)


def plain(values: Iterable[Any], inputs: Sequence[Any] = ()) -> list[Any]:
    """Results as users get them: writable C-order ndarrays that share memory with nothing, and
    NumPy scalars in place of 0-d arrays. Tracers stay as they are.

    Args:
      values: the results.
      inputs: arrays that belong to the caller.
    """
    return [handle(x) for x in own(values, inputs)]


def plain_tree(value: Any, inputs: Sequence[Any] = ()) -> Any:
    """``plain`` for the arrays of a pytree; its other leaves stay as they are."""
    leaves, treedef = tree.flatten(value)
    return tree.unflatten(treedef, plain(leaves, inputs))


def signature_of(fun: Callable) -> inspect.Signature | None:
    """A function's signature, None where Python knows none."""
    try:
        return inspect.signature(fun)
    except (TypeError, ValueError):
        return None


def global_name(x: Any, name: str | None = None) -> str | None:
    """The qualified name by which a module-level object can be pickled, None when it has none.

    Args:
      name: the name; the object's own one when left out.
    """
    found: Any = sys.modules.get(getattr(x, "__module__", None) or "")
    name = getattr(x, "__qualname__", "") if name is None else name
    for part in name.split("."):
        found = getattr(found, part, None)
    return name if found is x else None
