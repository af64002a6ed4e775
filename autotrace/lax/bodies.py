"""What becomes of the body of a loop or of a branch under each transform.

A loop's body is a jaxpr from constants, carried values and elements to carried values and further
outputs. What is carried must look the same before and after a turn, so that a carried value which
has a tangent (a cotangent, a batch dim) after a turn is given one before the first. The functions
here find out which those are and make the new body; the primitives bind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import add
from typing import Any, NamedTuple

from ..core.avals import ShapedArray, tangent_aval, zeros_of
from ..core.jaxpr import Eqn, Jaxpr, Var, has_effect
from ..core.trace import get_aval
from ..transforms.batch import Axis
from ..transforms.derived import batched, jvp_of, scatter_outputs, split_linear, transposed
from ..transforms.evaluate import eval_jaxpr, run_eqns
from ..transforms.simplify import simplify_jaxpr
from ..transforms.stage import live_eqns, stage
from .chains import shortened
from .loop_sums import Term, terms_of
from .structural import batched_at

Flags = tuple[bool, ...]


class Shape(NamedTuple):
    """How many of a body's inputs are constants and how many are carried; the others are
    elements. Of its outputs as many are carried; the others are its own."""

    consts: int
    carry: int

    def split(self, values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Constants, carried values and elements."""
        last = self.consts + self.carry
        return values[: self.consts], values[self.consts : last], values[last:]


def settle(flow: Callable[[Flags], Sequence[bool]], flags: Sequence[bool]) -> Flags:
    """The least flags above the given ones that a turn leaves as they are."""
    now = tuple(flags)
    while True:
        after = tuple(a or b for a, b in zip(now, flow(now), strict=True))
        if after == now:
            return now
        now = after


def chosen(values: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The values whose flag is set."""
    return [v for v, flag in zip(values, flags, strict=True) if flag]


def present(values: Sequence[Any]) -> Flags:
    """Which values are not symbolic zeros."""
    return tuple(v is not None for v in values)


def filled(values: Sequence[Any], flags: Sequence[bool], avals: Sequence[ShapedArray]) -> list[Any]:
    """The values whose flag is set, zeros in place of symbolic ones."""
    return [
        zeros_of(tangent_aval(aval)) if v is None else v
        for v, flag, aval in zip(values, flags, avals, strict=True)
        if flag
    ]


def filled_parts(
    shape: Shape, tangents: Sequence[Any], flags: Sequence[bool], values: Sequence[Any]
) -> tuple[list[Any], ...]:
    """``filled`` for what a loop takes: the tangents of constants, of the carry and of elements.

    Args:
      values: what the tangents belong to.
    """
    rows = zip(*(shape.split(x) for x in (tangents, flags, values)), strict=True)
    return tuple(filled(t, f, [get_aval(x) for x in part]) for t, f, part in rows)


def completed(jaxpr: Jaxpr, found: Sequence[bool], wanted: Sequence[bool], avals: Any) -> Jaxpr:
    """A program whose last outputs are those of some found ones that are wanted, zeros where they
    are wanted and not found."""
    if tuple(found) == tuple(wanted):
        return jaxpr
    count = len(jaxpr.outvars) - sum(found)

    def run(*values: Any) -> list[Any]:
        outs = eval_jaxpr(jaxpr, values)
        given = iter(outs[count:])
        spread = [next(given) if f else None for f in found]
        return [*outs[:count], *filled(spread, wanted, avals)]

    return stage(run, jaxpr.in_avals, "grad")


def rearranged(jaxpr: Jaxpr, inputs: Sequence[int], outputs: Sequence[int]) -> Jaxpr:
    """The same program with its inputs, and some of its outputs, in another order."""
    outvars = [jaxpr.outvars[i] for i in outputs]
    return Jaxpr(
        jaxpr.constvars,
        jaxpr.consts,
        [jaxpr.invars[i] for i in inputs],
        live_eqns(jaxpr.eqns, outvars),
        outvars,
    )


def silent(jaxpr: Jaxpr) -> Jaxpr:
    """A program without its effects, for what is run only to have values again."""
    if not any(map(has_effect, jaxpr.eqns)):
        return jaxpr

    def quiet(value: Any) -> Any:
        if isinstance(value, tuple) and any(isinstance(v, Jaxpr) for v in value):
            return tuple(map(quiet, value))
        return silent(value) if isinstance(value, Jaxpr) else value

    eqns = [
        Eqn(
            e.primitive, e.invars, e.outvars, {k: quiet(v) for k, v in e.params.items()}, e.location
        )
        for e in jaxpr.eqns
        if e.outvars or not e.primitive.effectful
    ]
    return Jaxpr(jaxpr.constvars, jaxpr.consts, jaxpr.invars, eqns, jaxpr.outvars)


# --- forward mode ------------------------------------------------------------------------------


def jvp_body(jaxpr: Jaxpr, given: Flags, wanted: Flags) -> Jaxpr:
    """From the inputs and the given tangents to the outputs and the wanted tangents."""
    both, found = jvp_of(jaxpr, given)
    return completed(both, found, wanted, jaxpr.out_avals)


def tangent_flags(
    jaxpr: Jaxpr, shape: Shape, given: Sequence[bool], linear: bool
) -> tuple[Flags, Flags]:
    """Which inputs of a loop's body have a tangent, given which do before the first turn; and
    which outputs do.

    Args:
      linear: whether for reverse mode, where a function may have a rule for that mode alone.
    """
    consts, carry, elements = shape.split(given)

    def found(flags: Flags) -> Sequence[bool]:
        return jvp_of(jaxpr, (*consts, *flags, *elements), linear)[1]

    carry = settle(lambda flags: found(flags)[: shape.carry], carry)
    return (*consts, *carry, *elements), (*carry, *found(carry)[shape.carry :])


class ForwardBody(NamedTuple):
    """A loop's body on values and tangents: of constants, of what is carried, of elements.

    Attributes:
      order: what it takes, as positions among all values followed by all tangents.
      out_order: what it returns, in the same way.
      outs: which of its outputs have a tangent.
    """

    jaxpr: Jaxpr
    shape: Shape
    order: list[int]
    out_order: list[int]
    outs: Flags

    def operands(self, given: Sequence[Any]) -> list[Any]:
        """What the loop takes, of all values followed by all tangents."""
        return [given[i] for i in self.order]

    def results(self, made: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """The values that the loop returned, and their tangents, None for symbolic zeros."""
        placed: list[Any] = [None] * len(made)
        for i, x in zip(self.out_order, made, strict=True):
            placed[i] = x
        count = len(self.outs)
        return placed[:count], scatter_outputs(placed[count:], self.outs)


def forward_body(jaxpr: Jaxpr, shape: Shape, ins: Flags, outs: Flags) -> ForwardBody:
    """The body of a loop in forward mode.

    Args:
      ins: which inputs have a tangent.
      outs: which outputs get one.
    """
    count, made = len(ins), len(outs)
    places = iter(range(count, count + sum(ins)))
    tangents = shape.split([next(places) if flag else None for flag in ins])
    out_places = iter(range(made, made + sum(outs)))
    out_tangents = [next(out_places) if flag else None for flag in outs]
    order: list[int] = []
    for values, some in zip(shape.split(range(count)), tangents, strict=True):
        order += [*values, *(t for t in some if t is not None)]
    out_order: list[int] = []
    for part in (slice(None, shape.carry), slice(shape.carry, None)):
        out_order += [*range(made)[part], *(t for t in out_tangents[part] if t is not None)]
    consts, carry, _ = shape.split(ins)
    both = Shape(shape.consts + sum(consts), shape.carry + sum(carry))
    body = rearranged(jvp_body(jaxpr, ins, outs), order, out_order)
    return ForwardBody(body, both, order, out_order, outs)


class LinearBody(NamedTuple):
    """A loop's body, linearized once for all turns.

    Attributes:
      forward: from the inputs to the outputs and to what is to be kept of each turn.
      linear: from residuals and tangents to tangents, a body itself: its constants are invariant
        residuals and the tangents of constants; its elements are residuals that are elements,
        those that are kept, and the tangents of elements.
      invariants: from a loop's constants to those residuals that are the same in each turn.
      elements: which elements of the loop are residuals.
      shape: of ``linear``.
    """

    forward: Jaxpr
    linear: Jaxpr
    invariants: Callable[[Sequence[Any]], list[Any]]
    elements: list[int]
    shape: Shape

    def operands(
        self,
        consts: Sequence[Any],
        elements: Sequence[Any],
        kept: Sequence[Any],
        tangents: Sequence[Sequence[Any]],
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """What the linear loop takes: its constants, what it starts with, its elements.

        Args:
          consts, elements: of the loop.
          kept: of each turn.
          tangents: see ``filled_parts``.
        """
        d_consts, d_carry, d_elements = tangents
        residuals = [elements[i] for i in self.elements]
        return (
            [*self.invariants(consts), *d_consts],
            [*d_carry],
            [*residuals, *kept, *d_elements],
        )


def linear_body(jaxpr: Jaxpr, shape: Shape, ins: Flags, outs: Flags) -> LinearBody:
    """Linearize the body of a loop.

    Args:
      ins: which inputs have a tangent.
      outs: which outputs get one.
    """
    forward, linear, found = split_linear(jaxpr, ins)
    # So that what is equal is kept once.
    forward = simplify_jaxpr(forward)
    linear = completed(linear, found, outs, jaxpr.out_avals)
    count = len(jaxpr.outvars)
    needed = forward.outvars[count:]
    residuals = list(dict.fromkeys(a for a in needed if type(a) is Var))
    eqns, invariant = _invariant_eqns(forward, shape.consts)
    elements = {v: i for i, v in enumerate(shape.split(forward.invars)[2])}
    kept, again = kept_values(forward, residuals, invariant, elements)
    used = {a for e in again for a in e.invars if type(a) is Var} | set(residuals)
    made = {v for e in again for v in e.outvars}
    fixed = [v for v in invariant if v in used and v not in made]
    passed = [v for v in elements if v in used]

    def invariants(consts: Sequence[Any]) -> list[Any]:
        env = dict(zip(forward.constvars, forward.consts, strict=True))
        env.update(zip(forward.invars[: shape.consts], consts, strict=True))
        run_eqns(live_eqns(eqns, fixed), env)
        return [env[v] for v in fixed]

    d_consts, d_carry, _ = (sum(part) for part in shape.split(ins))
    tangents = linear.in_avals[len(needed) :]
    first = tangents[: d_consts + d_carry]

    def run(*operands: Any) -> list[Any]:
        rest = iter(operands)
        env = {v: next(rest) for v in fixed}
        given = [next(rest) for _ in first]
        env.update((v, next(rest)) for v in (*passed, *kept))
        run_eqns(again, env)
        values = [env[a] if type(a) is Var else a.value for a in needed]
        return eval_jaxpr(linear, [*values, *given, *rest])

    groups = [[v.aval for v in fixed], first, [v.aval for v in (*passed, *kept)]]
    avals = [a for group in groups for a in group] + tangents[len(first) :]
    outvars = [*forward.outvars[:count], *kept]
    return LinearBody(
        Jaxpr(
            forward.constvars,
            forward.consts,
            forward.invars,
            live_eqns(forward.eqns, outvars),
            outvars,
        ),
        stage(run, avals, "linearize"),
        invariants,
        [elements[v] for v in passed],
        Shape(len(fixed) + d_consts, d_carry),
    )


#: What is computed again in a turn of the linear loop rather than kept of a turn of the other: it
#: costs less than a number in memory.
CHEAP = frozenset(
    "add sub mul neg abs sign max min clamp integer_pow select_n convert_element_type eq ne lt le "
    "gt ge bitwise_and bitwise_or bitwise_xor bitwise_not is_nan is_inf is_finite stop_gradient "
    "broadcast_in_dim reshape transpose slice rev iota dynamic_slice".split()
)


def kept_values(
    forward: Jaxpr, residuals: Sequence[Var], invariant: Sequence[Var], elements: dict[Var, int]
) -> tuple[list[Var], list[Eqn]]:
    """What a turn has to keep for its residuals, and the equations that make the rest again."""
    fixed = {*invariant, *elements}
    kept = {v: None for v in residuals if v not in fixed}
    producers = {v: e for e in forward.eqns for v in e.outvars if e.primitive.name in CHEAP}
    bases = set(forward.invars) | fixed | {v for v in kept if v not in producers}
    cheap: set[Var] = set()
    for eqn in forward.eqns:
        needs = [a for a in eqn.invars if type(a) is Var]
        if eqn.primitive.name in CHEAP and all(a in bases or a in cheap for a in needs):
            cheap.update(eqn.outvars)
    again = [v for v in kept if v in cheap and v not in bases]
    # What has no outputs has an effect, which does not happen again.
    eqns = [e for e in forward.eqns if e.outvars and cheap.issuperset(e.outvars)]
    wanted = live_eqns(eqns, again)
    read = {a: None for e in wanted for a in e.invars if type(a) is Var}
    made = {v for e in wanted for v in e.outvars}
    fewer = [v for v in kept if v not in again]
    fewer += [v for v in read if v not in kept and v not in fixed and v not in made]
    if _bytes(fewer) <= _bytes(kept):
        return fewer, wanted
    return list(kept), []


def _bytes(variables: Iterable[Var]) -> int:
    return sum(v.aval.size * v.aval.dtype.itemsize for v in variables)


def _invariant_eqns(jaxpr: Jaxpr, consts: int) -> tuple[list[Eqn], list[Var]]:
    """The equations that need nothing but a body's constants, and the variables that are the same
    in each turn."""
    known = dict.fromkeys([*jaxpr.constvars, *jaxpr.invars[:consts]])
    eqns = []
    for eqn in jaxpr.eqns:
        if all(a in known for a in eqn.invars if type(a) is Var) and not has_effect(eqn):
            eqns.append(eqn)
            known.update(dict.fromkeys(eqn.outvars))
    return eqns, list(known)


# --- reverse mode ------------------------------------------------------------------------------


def linear_flags(jaxpr: Jaxpr, shape: Shape, given: Sequence[bool]) -> Flags:
    """Which inputs of a loop's body depend on what the loop is linear in.

    What a loop carries may do so though it starts with something else: then that is a zero.
    """
    consts, carry, elements = shape.split(given)

    def flow(flags: Flags) -> Sequence[bool]:
        ins = (*consts, *flags, *elements)
        linear = set(chosen(jaxpr.invars, ins))
        for eqn in jaxpr.eqns:
            if not linear.isdisjoint(a for a in eqn.invars if type(a) is Var):
                linear.update(eqn.outvars)
        return [a in linear for a in jaxpr.outvars[: shape.carry]]

    return (*consts, *settle(flow, carry), *elements)


class TransposedBody(NamedTuple):
    """The body of a loop that runs a linear one backwards.

    Attributes:
      jaxpr: its constants are the known ones; it carries the sums of the cotangents of linear
        constants and the cotangents of carried values; its elements are the known ones and the
        cotangents of the outputs; its outputs are the cotangents of linear elements, and factors.
      consts, carry, elements: which of the linear ones have a cotangent; of the constants those
        whose cotangents are added up turn by turn.
      later: for the other linear constants that have one, by number, the terms of the cotangent.
      factors: the factors of all terms, in the order in which they are outputs.
    """

    jaxpr: Jaxpr
    consts: Flags
    carry: Flags
    elements: Flags
    later: dict[int, list[Term]]
    factors: list[Var]


def transposed_body(
    jaxpr: Jaxpr,
    shape: Shape,
    is_linear: Flags,
    carry_cts: Flags,
    out_cts: Flags,
    sum_later: bool = False,
) -> TransposedBody:
    """Transpose the body of a loop that is linear in all that it carries.

    Args:
      is_linear: the inputs to transpose.
      carry_cts, out_cts: which carried and which other outputs have a cotangent.
      sum_later: whether sums over turns may be made after the loop.
    """
    linear_avals = [chosen(*pair) for pair in zip(
        shape.split(jaxpr.in_avals), shape.split(is_linear), strict=True)]  # fmt: skip
    counts = Shape(len(linear_avals[0]), shape.carry)

    def flow(flags: Flags) -> Sequence[bool]:
        return counts.split(transposed(jaxpr, is_linear, (*flags, *out_cts))[1])[1]

    carry = settle(flow, carry_cts)
    back, found = transposed(jaxpr, is_linear, (*carry, *out_cts))
    consts, found_carry, elements = (tuple(part) for part in counts.split(found))
    later: dict[int, list[Term]] = {}
    if sum_later:
        outs = iter(back.outvars)
        fixed = {*back.constvars, *back.invars[: shape.consts - len(consts)]}
        for number, flag in enumerate(consts):
            terms = terms_of(back, next(outs), fixed) if flag else None
            if terms is not None:
                later[number] = terms
    factors = list(dict.fromkeys(v for terms in later.values() for t in terms for v in t.factors))
    wanted = [v for i, v in zip(chosen(range(len(consts)), consts), back.outvars, strict=False)
              if i not in later]  # fmt: skip
    wanted += [*back.outvars[sum(consts) :], *factors]
    eqns = live_eqns(back.eqns, wanted)
    back = Jaxpr(back.constvars, back.consts, back.invars, eqns, wanted)
    consts = tuple(flag and i not in later for i, flag in enumerate(consts))
    known = [chosen(part, [not flag for flag in flags]) for part, flags in zip(
        shape.split(jaxpr.in_avals), shape.split(is_linear), strict=True)]  # fmt: skip
    groups = [
        known[0],
        chosen(linear_avals[0], consts),
        chosen(linear_avals[1], carry),
        known[2],
        chosen(jaxpr.out_avals[shape.carry :], out_cts),
    ]

    def run(*values: Any) -> list[Any]:
        rest = iter(values)
        first, sums, cts, second, outs = ([next(rest) for _ in group] for group in groups)
        made = iter(eval_jaxpr(back, [*first, *second, *cts, *outs]))
        after_sums = [add(s, next(made)) for s in sums]
        spread = [next(made) if f else None for f in found_carry]
        return [*after_sums, *filled(spread, carry, linear_avals[1]), *made]

    avals = [aval for group in groups for aval in group]
    first = len(known[0])
    body = shortened(stage(run, avals, "transpose"), first, sum(consts) + sum(carry))
    return TransposedBody(body, consts, carry, elements, later, factors)


# --- batching ----------------------------------------------------------------------------------


def batch_flags(jaxpr: Jaxpr, shape: Shape, axis: Axis, dims: Sequence[int | None]) -> Flags:
    """Which carried values of a loop's body have a batch dim, given where inputs have theirs."""
    consts, carry, elements = shape.split(dims)

    def flow(flags: Flags) -> Sequence[bool]:
        ins = (*consts, *(0 if flag else None for flag in flags), *elements)
        return [d is not None for d in batched(jaxpr, axis, ins)[1][: shape.carry]]

    return settle(flow, [d is not None for d in carry])


def batched_body(
    jaxpr: Jaxpr, axis: Axis, dims: Sequence[int | None], front: Sequence[bool]
) -> Jaxpr:
    """A jaxpr on a batch, in some of whose outputs the batch dim comes first; the others have
    none."""
    many, found = batched(jaxpr, axis, tuple(dims))
    places = zip(found, front, strict=True)
    if all(d == (0 if flag else None) for d, flag in places):
        return many

    def run(*values: Any) -> list[Any]:
        outs = zip(eval_jaxpr(many, values), found, front, strict=True)
        return [batched_at(x, d, axis) if flag else x for x, d, flag in outs]

    return stage(run, many.in_avals, "vmap")
