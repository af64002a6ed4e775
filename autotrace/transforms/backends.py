"""What runs a jaxpr: backends by name, and the NumPy interpreter, which is one of them.

A backend is a function from a jaxpr to a callable that takes a NumPy array or scalar for each
input and returns a list of NumPy arrays and scalars.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.config import config
from ..core.jaxpr import Jaxpr, Literal, Var
from .evaluate import eval_jaxpr
from .simplify import simplify_jaxpr

Executable = Callable[..., list[Any]]
Backend = Callable[[Jaxpr], Executable]


class Interpreter:
    """Runs a simplified jaxpr through each primitive's NumPy implementation.

    The equations are turned into steps over a list of slots once; a slot is emptied after its
    last use, so that memory is held no longer than needed.
    """

    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = simplify_jaxpr(jaxpr)
        slots: dict[Var, int] = {}

        def slot(var: Var) -> int:
            return slots.setdefault(var, len(slots))

        self._literals: list[tuple[int, Any]] = []

        def read(atom: Any) -> int:
            if type(atom) is not Literal:
                return slot(atom)
            var = Var(atom.aval)
            self._literals.append((slot(var), atom.value))
            return slot(var)

        source = self.jaxpr
        for var, const in zip(source.constvars, source.consts, strict=True):
            self._literals.append((slot(var), const))
        self._inputs = [slot(v) for v in source.invars]
        self._steps = [
            (
                eqn.primitive.impl,
                [read(a) for a in eqn.invars],
                [slot(v) for v in eqn.outvars],
                eqn.params,
                eqn.primitive.multiple_results,
            )
            for eqn in source.eqns
        ]
        self._outs = [read(a) for a in source.outvars]
        self._frees = _last_uses(self._steps, {*self._outs, *(s for s, _ in self._literals)})
        self._template = [None] * len(slots)
        for index, value in self._literals:
            self._template[index] = value

    def __call__(self, *args: Any) -> list[Any]:
        with np.errstate(all="ignore"):
            if config.debug_nans:
                return eval_jaxpr(self.jaxpr, args)
            return self._run(args)

    def _run(self, args: Sequence[Any]) -> list[Any]:
        env: list[Any] = self._template.copy()
        for index, value in zip(self._inputs, args, strict=True):
            env[index] = value
        for (impl, ins, outs, params, multiple), frees in zip(
            self._steps, self._frees, strict=True
        ):
            out = impl(*[env[i] for i in ins], **params)
            if multiple:
                for index, value in zip(outs, out, strict=True):
                    env[index] = value
            else:
                env[outs[0]] = out
            for index in frees:
                env[index] = None
        return [env[i] for i in self._outs]


def _last_uses(steps: Sequence[tuple], kept: set[int]) -> list[list[int]]:
    """For each step, the slots that nothing reads after it."""
    seen = set(kept)
    frees = []
    for _, ins, outs, *_ in reversed(steps):
        free = [i for i in dict.fromkeys([*ins, *outs]) if i not in seen]
        seen.update(free)
        frees.append(free)
    return frees[::-1]


_backends: dict[str, Backend] = {"numpy": Interpreter}


def get_backend(name: str) -> Backend:
    """A backend by name.

    Raises:
      ValueError: when there is none of that name.
    """
    if name not in _backends:
        raise ValueError(f"there is no backend {name!r}; there are: {', '.join(_backends)}")
    return _backends[name]


_compiled: weakref.WeakKeyDictionary[Jaxpr, dict[str, Executable]] = weakref.WeakKeyDictionary()


def compile_jaxpr(jaxpr: Jaxpr, backend: str) -> Executable:
    """The executable of a jaxpr, made once for each backend and kept as long as the jaxpr is."""
    by_backend = _compiled.get(jaxpr)
    if by_backend is None:
        by_backend = _compiled.setdefault(jaxpr, {})
    executable = by_backend.get(backend)
    if executable is None:
        executable = by_backend[backend] = get_backend(backend)(jaxpr)
    return executable
