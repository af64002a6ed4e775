"""What one signature of a jitted function was staged into, and the short way to run it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import SCALAR_TYPES
from ..core.config import config
from ..core.jaxpr import Jaxpr
from ..core.trace import axis_sizes
from ..core.treecode import builder
from ..transforms.backends import Executable
from .arguments import plain

#: Says what was used last.
clock = itertools.count()


class _Staging:
    """The lock that a thread holds while it stages a function and others wait. One for all
    functions, since staging one may stage another; reentrant for the same reason."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


staging = _Staging()


class StagedProgram:
    """What one signature was staged into."""

    __slots__ = ("closed_over", "jaxpr", "once", "out_tree", "used")

    def __init__(
        self,
        jaxpr: Jaxpr,
        out_tree: tree.TreeDef,
        closed_over: list[Any],
        once: bool = False,
    ):
        self.jaxpr = jaxpr
        self.out_tree = out_tree
        #: Tracers of enclosing transforms, the leading inputs.
        self.closed_over = closed_over
        #: Whether it is good for one call only: it depends on such tracers.
        self.once = once or bool(closed_over)
        #: When it was last used, by ``clock``.
        self.used = next(clock)

    def touch(self) -> None:
        """Note that it is being used."""
        self.used = next(clock)


class Call:
    """One call's arguments, sorted into static ones and array leaves."""

    __slots__ = ("in_tree", "key", "keywords", "leaves", "static")

    def __init__(
        self,
        leaves: list[Any],
        in_tree: tree.TreeDef,
        static: tuple,
        avals: Iterable[Any],
        keywords: Iterable[str] = (),
    ):
        self.leaves = leaves
        self.in_tree = in_tree
        self.keywords = frozenset(keywords)
        self.static = static
        self.key: Hashable = (in_tree, tuple(avals), static_key(static), axis_sizes())

    def __reduce__(self) -> tuple:  # neither arguments nor static values are needed once traced
        return Call, ([], self.in_tree, (), (), self.keywords)


def leaf_key(leaves: Sequence[Any]) -> Hashable:
    """What tells calls with arrays and numbers as leaves apart, several times faster than the full
    signature; None for other leaves."""
    key: list[Any] = []
    for x in leaves:
        kind = type(x)
        if kind is np.ndarray and x.dtype.isnative:
            key.append((x.shape, x.dtype))
        elif kind in SCALAR_TYPES:
            key.append(kind)
        else:
            return None
    return tuple(key)


def checking() -> bool:
    """Whether results are checked, which takes the long way."""
    return config.debug_nans or config.check_kernels


class Shortcut:
    """From leaves to a result, for one program and backend.

    Attributes:
      native: a built-in function of the backend's, or None. It may return ``NotImplemented`` or
        ``Ellipsis``; then it has done nothing, and ``__call__`` is right.
      rebuild: from what ``native`` returns to the result; None where it is the result.
      way: what a jitted function keeps of it, for ``JitFunction``.
    """

    __slots__ = (
        "_consts", "_executable", "_fresh", "_out_tree", "_program", "native", "rebuild", "way",
    )  # fmt: skip

    def __init__(
        self,
        program: StagedProgram,
        executable: Executable,
        leaves: Sequence[Any] = (),
        donated: Sequence[int] = (),
    ):
        self._program = program
        self._executable = executable
        self._fresh = getattr(executable, "fresh_outputs", False)
        self._consts = program.jaxpr.consts
        self._out_tree = program.out_tree
        self.native: Callable[..., Any] | None = None
        self.rebuild: Callable[..., Any] | None = None
        self.way: Any = None
        bind = getattr(executable, "bind_like", None)
        if bind is not None and leaves:
            single = self._out_tree is tree.LEAF
            self.native = bind(leaves, single, donated)
            if not single and not tree.is_flat_tuple(self._out_tree):
                self.rebuild = builder(self._out_tree)

    def touch(self) -> None:
        """Note that the program has been used."""
        self._program.touch()

    def __call__(self, leaves: Sequence[Any]) -> Any:
        self.touch()
        if self.native is not None and not checking():
            outs = self.native(*leaves)
            if outs is not NotImplemented and outs is not ...:
                return outs if self.rebuild is None else self.rebuild(outs)
        outs = self._executable(*leaves)
        if not self._fresh:
            outs = plain(outs, [*leaves, *self._consts])
        return outs[0] if self._out_tree is tree.LEAF else tree.unflatten(self._out_tree, outs)


def static_key(value: Any) -> Any:
    """What tells static arguments apart."""
    # 1, 1.0 and True are equal and hash alike, but make different programs.
    if isinstance(value, tuple | frozenset):
        return type(value), tuple(static_key(v) for v in value)
    return type(value), value
