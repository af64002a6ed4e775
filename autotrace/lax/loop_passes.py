"""Simplification of loops: what need not be in them, and what nothing uses of them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from ..core.jaxpr import Eqn, Jaxpr, Literal, Var, has_effect
from ..core.primitive import Primitive
from ..transforms.simplify import Inline, simplify_jaxpr
from ..transforms.stage import live_eqns
from .bodies import CHEAP, Flags, Shape, chosen, rearranged, settle
from .fission import divided_scan

_simplified: weakref.WeakKeyDictionary[Jaxpr, weakref.ref[Jaxpr] | Jaxpr] = (
    weakref.WeakKeyDictionary()
)


def simplified(jaxpr: Jaxpr) -> Jaxpr:
    """A body, simplified; one that is already comes back as it is."""
    found = _simplified.get(jaxpr)
    if isinstance(found, weakref.ref):
        return jaxpr
    if found is None:
        found = simplify_jaxpr(jaxpr)
        _simplified[jaxpr] = found
        _simplified[found] = weakref.ref(found)
    return found


#: What may raise an error, so that it stays in a loop that may take no turn.
_MAY_RAISE = frozenset({"gather", "scatter", "pure_callback", "while", "scan", "cond", "sweeps"})


class _Loop:
    """A loop under simplification: a body, and where its inputs come from.

    Attributes:
      eqns: what is done before the loop.
      sources: for each input of the body what it is given outside, an atom.
    """

    def __init__(self, jaxpr: Jaxpr, shape: Shape, args: Sequence[Any]):
        self.jaxpr = jaxpr
        self.shape = shape
        self.sources = list(args)
        self.eqns: list[Eqn] = []

    def hoist(self) -> None:
        """Take what costs something and is the same in each turn out of the loop."""
        consts = self.jaxpr.invars[: self.shape.consts]
        invariant: set[Var] = {*self.jaxpr.constvars, *consts}
        eqns = []
        for eqn in self.jaxpr.eqns:
            inputs = [a for a in eqn.invars if type(a) is Var]
            fixed = bool(inputs) and all(a in invariant for a in inputs)
            if fixed and eqn.primitive.name not in _MAY_RAISE and not has_effect(eqn):
                eqns.append(eqn)
                invariant.update(eqn.outvars)
        dear = [v for e in eqns if e.primitive.name not in CHEAP for v in e.outvars]
        inner = {a for e in self.jaxpr.eqns if e not in eqns for a in e.invars if type(a) is Var}
        inner |= {a for a in self.jaxpr.outvars if type(a) is Var}
        wanted = [v for v in dear if v in inner or any(v in e.invars for e in eqns)]
        if not wanted:
            return
        moved = live_eqns(eqns, wanted)
        self.eqns = _renamed(self.jaxpr, moved, dict(zip(consts, self.sources, strict=False)))
        names = {old: new for e, f in zip(moved, self.eqns, strict=True)
                 for old, new in zip(e.outvars, f.outvars, strict=True)}  # fmt: skip
        rest = [e for e in self.jaxpr.eqns if not set(e.outvars) & set(wanted)]
        invars = [*consts, *wanted, *self.jaxpr.invars[self.shape.consts :]]
        rest = live_eqns(rest, self.jaxpr.outvars)
        self.jaxpr = Jaxpr(
            self.jaxpr.constvars, self.jaxpr.consts, invars, rest, self.jaxpr.outvars
        )
        self.sources[len(consts) : len(consts)] = [names[v] for v in wanted]
        self.shape = Shape(self.shape.consts + len(wanted), self.shape.carry)

    def fix_carry(self) -> list[int]:
        """Make constants of what is carried without change; the numbers of what is still
        carried."""
        consts, carry, elements = self.shape.split(range(len(self.jaxpr.invars)))
        invars, outvars = self.jaxpr.invars, self.jaxpr.outvars
        moved = [i for n, i in enumerate(carry) if outvars[n] is invars[i]]
        kept = [n for n, i in enumerate(carry) if i not in moved]
        if moved:
            order = [*consts, *moved, *(carry[n] for n in kept), *elements]
            outs = [*kept, *range(self.shape.carry, len(outvars))]
            self.jaxpr = rearranged(self.jaxpr, order, outs)
            self.sources = [self.sources[i] for i in order]
            self.shape = Shape(self.shape.consts + len(moved), len(kept))
        return kept

    def drop_inputs(self) -> None:
        """Leave out constants and elements that nothing uses, and constants given twice."""
        used = {a for e in self.jaxpr.eqns for a in e.invars if type(a) is Var}
        used |= {a for a in self.jaxpr.outvars if type(a) is Var}
        consts, carry, elements = self.shape.split(range(len(self.jaxpr.invars)))
        invars = self.jaxpr.invars
        first: dict[Any, Var] = {}
        same: dict[Var, Var] = {}
        kept = []
        for i in consts:
            source = self.sources[i]
            if invars[i] not in used:
                continue
            if type(source) is Var and source in first:
                same[invars[i]] = first[source]
            else:
                first[source] = invars[i]
                kept.append(i)
        some = [i for i in elements if invars[i] in used]
        if len(kept) == len(consts) and len(some) == len(elements):
            return
        order = [*kept, *carry, *some]
        self.jaxpr = _replaced(rearranged(self.jaxpr, order, range(len(self.jaxpr.outvars))), same)
        self.sources = [self.sources[i] for i in order]
        self.shape = Shape(len(kept), len(carry))


def _renamed(jaxpr: Jaxpr, eqns: Sequence[Eqn], env: dict[Var, Any]) -> list[Eqn]:
    """Equations of a body for the outside of the loop."""
    env = dict(env)
    env.update({v: v for v in jaxpr.constvars})
    out = []
    for eqn in eqns:
        outvars = [Var(v.aval) for v in eqn.outvars]
        inputs = [a if type(a) is Literal else env[a] for a in eqn.invars]
        out.append(Eqn(eqn.primitive, inputs, outvars, eqn.params, eqn.location))
        env.update(zip(eqn.outvars, outvars, strict=True))
    return out


def _replaced(jaxpr: Jaxpr, same: dict[Var, Var]) -> Jaxpr:
    if not same:
        return jaxpr
    eqns = [
        Eqn(e.primitive, [same.get(a, a) for a in e.invars], e.outvars, e.params, e.location)
        for e in jaxpr.eqns
    ]
    outvars = [same.get(a, a) for a in jaxpr.outvars]
    return Jaxpr(jaxpr.constvars, jaxpr.consts, jaxpr.invars, eqns, outvars)


def simplify_scan(primitive: Primitive, args: Sequence[Any], params: dict) -> Inline | None:
    """A scan with less in it, None where there is nothing to do."""
    jaxpr, shape = params["jaxpr"], params["shape"]
    body = simplified(jaxpr)
    invars = [Var(a.aval) for a in args]
    loop = _Loop(
        body, shape, [a if type(a) is Literal else v for a, v in zip(args, invars, strict=True)]
    )
    # The same operand is the same source.
    first: dict[Any, Any] = {}
    for i, a in enumerate(args):
        if type(a) is Var:
            loop.sources[i] = first.setdefault(a, loop.sources[i])
    loop.hoist()
    kept = loop.fix_carry()
    loop.drop_inputs()
    if loop.jaxpr is jaxpr:
        return divided_scan(primitive, args, params)
    # What has been changed here is simple; it is not to come here again and again.
    _simplified[loop.jaxpr] = weakref.ref(loop.jaxpr)
    outvars = [Var(a) for a in primitive.out_avals([a.aval for a in args], params)]
    inner = [*(outvars[i] for i in kept), *outvars[shape.carry :]]
    made = {**params, "jaxpr": loop.jaxpr, "shape": loop.shape}
    eqns = [*loop.eqns, Eqn(primitive, loop.sources, inner, made, None)]
    outs: list[Any] = [*outvars]
    for n in range(shape.carry):
        if n not in kept:
            outs[n] = args[shape.consts + n]
            outs[n] = outs[n] if type(outs[n]) is Literal else invars[shape.consts + n]
    return Inline(Jaxpr(body.constvars, body.consts, invars, eqns, outs), list(args))


def prune_scan(params: dict, used: Sequence[bool]) -> tuple | None:
    """A scan without results that nothing uses, and without what it carries for them alone."""
    jaxpr, shape = params["jaxpr"], params["shape"]
    if any(has_effect(e) for e in jaxpr.eqns):
        return None
    carry_used = needed_carry(jaxpr, shape, used)
    keep = [*carry_used, *used[shape.carry :]]
    if all(keep):
        return None
    consts, carry, elements = shape.split(range(len(jaxpr.invars)))
    outputs = [i for i, flag in enumerate(keep) if flag]
    order = [*consts, *chosen(carry, carry_used), *elements]
    body = rearranged(jaxpr, order, outputs)
    _simplified[body] = weakref.ref(body)
    small = Shape(shape.consts, sum(carry_used))
    return {**params, "jaxpr": body, "shape": small}, order, outputs


def inputs_of(jaxpr: Jaxpr, outvars: Sequence[Any]) -> set[Var]:
    """The variables that some outputs of a program are computed from."""
    needed = {a for a in outvars if type(a) is Var}
    for eqn in live_eqns(jaxpr.eqns, outvars):
        needed.update(a for a in eqn.invars if type(a) is Var)
    return needed


def needed_carry(jaxpr: Jaxpr, shape: Shape, used: Sequence[bool]) -> Flags:
    """Which of the values that a loop's body carries the used results need."""

    def flow(flags: Flags) -> list[bool]:
        wanted = chosen(jaxpr.outvars, [*flags, *used[shape.carry :]])
        needed = inputs_of(jaxpr, wanted)
        return [v in needed for v in shape.split(jaxpr.invars)[1]]

    return settle(flow, used[: shape.carry])
