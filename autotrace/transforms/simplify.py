"""Rewriting a jaxpr into a smaller one that computes the same values, bit for bit.

One walk over the equations does constant folding, common subexpressions, inlining of calls and
the identities that each primitive's ``simplify`` rule knows; dead code goes last. Only identities
that are exact in IEEE arithmetic belong into a rule: ``x*1``, ``x-0``, ``-(-x)``, but not ``x*0``
(NaN, infinity), ``x+0`` (-0.0) or ``(x+y)-y``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.collector import patient_collector
from ..core.config import config
from ..core.jaxpr import Atom, Eqn, Jaxpr, Literal, Var, check_jaxpr, has_effect, sub_jaxprs
from ..core.primitive import Primitive
from ..core.trace import Tracer
from .stage import live_eqns


class Rewrite(NamedTuple):
    """A rule's answer: this equation instead, with one output of the same type."""

    primitive: Primitive
    args: Sequence[Any]
    params: dict[str, Any]


class Inline(NamedTuple):
    """A rule's answer: the equations of a jaxpr in place of a call of it."""

    jaxpr: Jaxpr
    args: Sequence[Any]


class View:
    """What a ``simplify`` rule may look at beside the equation itself."""

    __slots__ = ("_producers", "out_aval")

    def __init__(self, producers: dict[Var, Eqn]):
        self._producers = producers
        self.out_aval: Any = None

    def producer(self, atom: Atom) -> Eqn | None:
        """The (simplified) equation that makes a variable; None for inputs and literals."""
        return self._producers.get(atom) if type(atom) is Var else None

    def made_by(self, atom: Atom, primitive: Primitive) -> Eqn | None:
        """The equation that makes a variable, when it is one of the given primitive."""
        eqn = self.producer(atom)
        return eqn if eqn is not None and eqn.primitive is primitive else None

    def scalar(self, atom: Atom) -> Any:
        """The number of a scalar literal, None for anything else."""
        if type(atom) is Literal and not isinstance(atom.value, Tracer):
            return atom.value
        return None

    def same_type(self, atom: Atom) -> bool:
        """Whether an atom could stand in place of the output."""
        aval = atom.aval
        return aval.shape == self.out_aval.shape and aval.dtype == self.out_aval.dtype


class _Simplifier:
    def __init__(self, jaxpr: Jaxpr) -> None:
        self.constants: dict[int, tuple[Var, Any]] = {
            id(c): (v, c) for v, c in zip(jaxpr.constvars, jaxpr.consts, strict=True)
        }
        self.env: dict[Var, Atom] = {}
        self.eqns: list[Eqn] = []
        self.seen: dict[tuple, Sequence[Var]] = {}
        self.producers: dict[Var, Eqn] = {}
        self.view = View(self.producers)

    def atom(self, a: Atom) -> Atom:
        return a if type(a) is Literal else self.env.get(a, a)  # type: ignore[arg-type]

    def walk(self, eqns: Sequence[Eqn]) -> None:
        for eqn in eqns:
            args = [self.atom(a) for a in eqn.invars]
            self.visit(Eqn(eqn.primitive, args, eqn.outvars, eqn.params, eqn.location))

    def visit(self, eqn: Eqn) -> None:
        eqn_or_atom = self.rewritten(eqn)
        if eqn_or_atom is None:
            return
        if not isinstance(eqn_or_atom, Eqn):
            self.env[eqn.outvars[0]] = eqn_or_atom
            return
        eqn = eqn_or_atom
        if not has_effect(eqn):
            folded = _fold(eqn)
            if folded is not None:
                self.env.update(zip(eqn.outvars, folded, strict=True))
                return
            key = _key(eqn)
            if key is not None:
                if key in self.seen:
                    self.env.update(zip(eqn.outvars, self.seen[key], strict=True))
                    return
                self.seen[key] = eqn.outvars
        self.eqns.append(eqn)
        for var in eqn.outvars:
            self.producers[var] = eqn

    def rewritten(self, eqn: Eqn) -> Eqn | Atom | None:
        """The equation after its primitive's rule has nothing more to say; the atom that replaces
        it; or None where it has been inlined."""
        while eqn.primitive.simplify is not None:
            self.view.out_aval = eqn.outvars[0].aval if eqn.outvars else None
            answer = eqn.primitive.simplify(self.view, eqn.invars, eqn.params)
            if answer is None:
                break
            if isinstance(answer, Inline):
                self.inline(answer, eqn)
                return None
            if not isinstance(answer, Rewrite):
                return answer
            eqn = Eqn(answer.primitive, answer.args, eqn.outvars, answer.params, eqn.location)
        return eqn

    def inline(self, call: Inline, eqn: Eqn) -> None:
        """Copy a called jaxpr's equations, with new variables and the call's arguments."""
        jaxpr = call.jaxpr
        for var, const in zip(jaxpr.constvars, jaxpr.consts, strict=True):
            self.constants.setdefault(id(const), (Var(var.aval), const))
            self.env[var] = self.constants[id(const)][0]
        self.env.update(zip(jaxpr.invars, call.args, strict=True))
        for inner in jaxpr.eqns:
            args = [self.atom(a) for a in inner.invars]
            outvars = [Var(v.aval) for v in inner.outvars]
            self.visit(
                Eqn(inner.primitive, args, outvars, inner.params, inner.location or eqn.location)
            )
            self.env.update(
                (old, self.atom(new)) for old, new in zip(inner.outvars, outvars, strict=True)
            )
        self.env.update(
            (var, self.atom(a)) for var, a in zip(eqn.outvars, jaxpr.outvars, strict=True)
        )


def _fold(eqn: Eqn) -> list[Literal] | None:
    """The outputs as literals, where all inputs are scalar literals and all outputs scalars.

    Not of what runs jaxprs: a loop may take long, or, where it never runs, not end.
    """
    if any(type(a) is not Literal for a in eqn.invars) or any(v.aval.shape for v in eqn.outvars):
        return None
    if any(True for _ in sub_jaxprs(eqn.params)):
        return None
    if eqn.primitive.impl is None or any(isinstance(a.value, Tracer) for a in eqn.invars):
        return None
    with np.errstate(all="ignore"):
        out = eqn.primitive.impl(*[a.value for a in eqn.invars], **eqn.params)
    outs = out if eqn.primitive.multiple_results else [out]
    return [Literal(v.aval.dtype.type(x)) for v, x in zip(eqn.outvars, outs, strict=True)]


def _pruned(eqns: Sequence[Eqn], outvars: Sequence[Any]) -> list[Eqn]:
    """As ``live_eqns``; of equations with several results also without those that are unused."""
    alive = live_eqns(eqns, outvars)
    if all(eqn.primitive.prune is None for eqn in alive):
        return alive
    needed = {a for a in outvars if type(a) is Var}
    live = []
    for eqn in reversed(alive):
        if eqn.primitive.prune is not None:
            used = [v in needed for v in eqn.outvars]
            fewer = None if all(used) else eqn.primitive.prune(eqn.params, used)
            if fewer is not None:
                params, inputs, outputs = fewer
                eqn = Eqn(
                    eqn.primitive,
                    [eqn.invars[i] for i in inputs],
                    [eqn.outvars[i] for i in outputs],
                    params,
                    eqn.location,
                )
        needed.update(a for a in eqn.invars if type(a) is Var)
        if eqn.outvars or has_effect(eqn):
            live.append(eqn)
    return live_eqns(live[::-1], outvars)


def _key(eqn: Eqn) -> tuple | None:
    """What makes two equations the same, or None for one whose parameters cannot be compared."""
    key = (
        eqn.primitive,
        tuple([_atom_key(a) for a in eqn.invars]),
        tuple(sorted(eqn.params.items())) if eqn.params else (),
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _atom_key(atom: Any) -> Any:
    if type(atom) is Var:
        return atom
    if isinstance(atom.value, Tracer):
        return id(atom.value)
    value = np.asarray(atom.value)  # by bytes: 0.0 and -0.0 differ, a NaN is like itself
    return (value.dtype, value.tobytes())


def simplify_jaxpr(jaxpr: Jaxpr) -> Jaxpr:
    """Simplify.

    Args:
      jaxpr: a program; it is left as it is.

    Returns:
      A program with the same inputs and outputs.

    >>> import autotrace as at
    >>> f = lambda x, y: 5 + x * y
    >>> at.make_jaxpr(at.grad(f))(2.0, 3.0)
    { lambda ; a:f64[] b:f64[]. let
        c:f64[] = mul 1.0:f64[] b
      in (c,) }
    >>> at.make_jaxpr(at.grad(f), simplify=True)(2.0, 3.0)
    { lambda ; a:f64[] b:f64[]. let in (b,) }
    """
    simplifier = _Simplifier(jaxpr)
    with patient_collector():
        simplifier.walk(jaxpr.eqns)
        outvars = [simplifier.atom(a) for a in jaxpr.outvars]
        eqns = _pruned(simplifier.eqns, outvars)
    used = {a for e in eqns for a in e.invars if type(a) is Var}
    used.update(a for a in outvars if type(a) is Var)
    kept = [(v, c) for v, c in simplifier.constants.values() if v in used]
    out = Jaxpr([v for v, _ in kept], [c for _, c in kept], jaxpr.invars, eqns, outvars)
    if config.check_jaxprs:
        check_jaxpr(out, "simplification")
    return out
