"""Loops of a number of turns that is found out at run time, one after another: what the derivative
of a ``while_loop`` is made of.

In reverse mode a loop has to be gone through backwards, with values of each turn. Their number is
not known when a program is made, so they cannot be arrays of it. *Sweeps* keep them to themselves:
several loops with the same number of turns, forwards and backwards, each of which may hand values
of each turn to later ones. Sweeps are closed under all transforms: a derivative of sweeps is more
sweeps. The values of the turns of a ``while_loop`` are made anew for its derivative, so that
nothing but its start has to be kept until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.avals import ShapedArray
from ..core.jaxpr import Jaxpr
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..transforms.batch import Axis
from ..transforms.derived import batched, scatter_outputs
from ..transforms.evaluate import eval_jaxpr
from ..transforms.stage import stage
from .bodies import (
    Flags,
    Shape,
    batch_flags,
    batched_body,
    chosen,
    filled,
    filled_parts,
    forward_body,
    linear_body,
    linear_flags,
    present,
    silent,
    tangent_flags,
    transposed_body,
)
from .families import add_p
from .indexing import INDEX
from .scanning import batched_front, by_lanes, run_turns

#: Operands: the number of turns, then for each sweep its body's constants and its first carry.
#: Results: the last carry of each sweep, those with a position in ``outs``.
sweeps_p = Primitive("sweeps", multiple_results=True, noted=True)


class Sweep(NamedTuple):
    """What a sweep is, beside its body.

    Attributes:
      shape: the body's; its elements are values that earlier sweeps hand on, its outputs what it
        hands on itself.
      takes: the numbers of the values that it takes: those of the first sweep count first.
      reverse: whether it begins with the last turn.
    """

    shape: Shape
    takes: tuple[int, ...]
    reverse: bool

    @property
    def operands(self) -> int:
        return self.shape.consts + self.shape.carry


class _Maker:
    """Sweeps under construction."""

    def __init__(self, turns: Any):
        self.turns = turns
        self.jaxprs: list[Jaxpr] = []
        self.sweeps: list[Sweep] = []
        self.operands: list[Any] = []
        self.handed = 0
        self.carried = 0

    def add(
        self,
        jaxpr: Jaxpr,
        consts: Sequence[Any],
        carry: Sequence[Any],
        takes: Sequence[int],
        reverse: bool,
    ) -> tuple[list[int], list[int]]:
        """A further sweep.

        Returns:
          The positions of what it carries among all that is carried, and the numbers of what it
          hands on.
        """
        self.jaxprs.append(jaxpr)
        self.sweeps.append(Sweep(Shape(len(consts), len(carry)), tuple(takes), reverse))
        self.operands += [*consts, *carry]
        places = range(self.carried, self.carried + len(carry))
        self.carried += len(carry)
        made = len(jaxpr.outvars) - len(carry)
        handed = range(self.handed, self.handed + made)
        self.handed += made
        return list(places), list(handed)

    def bind(self, outs: Sequence[int]) -> list[Any]:
        return sweeps_p.bind(
            self.turns,
            *self.operands,
            jaxprs=tuple(self.jaxprs),
            sweeps=tuple(self.sweeps),
            outs=tuple(outs),
        )


class _Given:
    """One sweep of an equation, and its operands."""

    def __init__(self, jaxpr: Jaxpr, sweep: Sweep, operands: Sequence[Any], first: int):
        self.jaxpr = jaxpr
        self.sweep = sweep
        self.shape = sweep.shape
        self.consts = operands[: sweep.shape.consts]
        self.carry = operands[sweep.shape.consts :]
        made = len(jaxpr.outvars) - sweep.shape.carry
        #: The numbers of what it hands on.
        self.hands = range(first, first + made)


def given_sweeps(
    operands: Sequence[Any], jaxprs: tuple[Jaxpr, ...], sweeps: tuple[Sweep, ...]
) -> list:
    """The sweeps of an equation."""
    found, at, first = [], 0, 0
    for jaxpr, sweep in zip(jaxprs, sweeps, strict=True):
        given = _Given(jaxpr, sweep, operands[at : at + sweep.operands], first)
        found.append(given)
        at += sweep.operands
        first += len(given.hands)
    return found


def linear_sweeps(
    turns: Any,
    primals: Sequence[Any],
    tangents: Sequence[Sequence[Any]],
    jaxpr: Jaxpr,
    shape: Shape,
    ins: Flags,
    outs: Flags,
) -> list[Any]:
    """The tangents that a loop ends with, linear in those that it starts with.

    Args:
      turns: how many the loop takes.
      primals: the body's constants and the first carry.
      tangents: see ``bodies.filled_parts``.
      ins, outs: see ``bodies.tangent_flags``.
    """
    maker = _Maker(turns)
    consts, carry, _ = shape.split(primals)
    body = linear_body(silent(jaxpr), shape, ins, outs)
    _, handed = maker.add(body.forward, consts, carry, (), False)
    places, _ = maker.add(body.linear, *body.operands(consts, (), handed, tangents), False)
    return maker.bind(places)


@sweeps_p.def_impl
def _sweeps_impl(
    turns: Any, *operands: Any, jaxprs: tuple, sweeps: tuple, outs: tuple[int, ...]
) -> list[Any]:
    handed: list[Any] = []
    carried: list[Any] = []
    for given in given_sweeps(operands, jaxprs, sweeps):
        elements = [handed[i] for i in given.sweep.takes]
        carry, made = run_turns(
            given.jaxpr, given.consts, given.carry, elements, int(turns), given.sweep.reverse
        )
        carried += carry
        handed += made
    return [carried[i] for i in outs]


@sweeps_p.def_abstract
def _sweeps_abstract(
    turns: ShapedArray, *avals: ShapedArray, jaxprs: tuple, sweeps: tuple, outs: tuple[int, ...]
) -> list[ShapedArray]:
    if turns.shape or turns.dtype != INDEX:
        raise TypeError(f"sweeps: the number of turns is an int64 scalar, got {turns}")
    handed: list[ShapedArray] = []
    carried: list[ShapedArray] = []
    for given in given_sweeps(avals, jaxprs, sweeps):
        count = given.shape.carry
        found = [*given.consts, *given.carry, *(handed[i] for i in given.sweep.takes)]
        found += given.carry
        wanted = [*given.jaxpr.in_avals, *given.jaxpr.out_avals[:count]]
        for a, b in zip(found, wanted, strict=True):
            if a.shape != b.shape or a.dtype != b.dtype:
                raise TypeError(f"sweeps: {b} is wanted where there is {a}")
        carried += given.jaxpr.out_avals[:count]
        handed += given.jaxpr.out_avals[count:]
    return [carried[i] for i in outs]


@sweeps_p.def_jvp_call
def _sweeps_jvp(
    linear: bool,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    jaxprs: tuple,
    sweeps: tuple,
    outs: tuple[int, ...],
) -> tuple:
    turns, *operands = primals
    if not any(present(tangents)):
        made = sweeps_p.bind(*primals, jaxprs=jaxprs, sweeps=sweeps, outs=outs)
        return made, [None] * len(made)
    some = given_sweeps(tangents[1:], jaxprs, sweeps)
    rows = list(zip(given_sweeps(operands, jaxprs, sweeps), some, strict=True))
    if not linear:
        return _forward_mode(turns, rows, outs)
    made = sweeps_p.bind(*primals, jaxprs=jaxprs, sweeps=sweeps, outs=outs)
    return made, _linearized(turns, rows, outs)


def _flags(row: tuple[_Given, _Given], handed: Sequence[bool], linear: bool) -> tuple[Flags, Flags]:
    """Which inputs and outputs of a sweep's body have a tangent."""
    given, some = row
    ins = [*present(some.consts), *present(some.carry), *(handed[i] for i in given.sweep.takes)]
    return tangent_flags(given.jaxpr, given.shape, ins, linear)


def _operand_tangents(row: tuple[_Given, _Given], ins: Flags) -> tuple[list[Any], ...]:
    given, some = row
    count = given.sweep.operands
    values, tangents = [*given.consts, *given.carry], [*some.consts, *some.carry]
    return filled_parts(given.shape, tangents, ins[:count], values)


def _forward_mode(turns: Any, rows: list, outs: tuple[int, ...]) -> tuple:
    maker = _Maker(turns)
    flags: list[bool] = []  # of what has been handed on
    values: list[int] = []  # its number among the new sweeps, and that of its tangent
    tangents: list[int | None] = []
    places: list[int] = []
    tangent_places: list[int | None] = []
    for row in rows:
        given = row[0]
        count = given.shape.carry
        ins, found = _flags(row, flags, False)
        d_consts, d_carry, _ = _operand_tangents(row, ins)
        body = forward_body(given.jaxpr, given.shape, ins, found).jaxpr
        takes = [values[i] for i in given.sweep.takes]
        takes += [t for i in given.sweep.takes if (t := tangents[i]) is not None]
        own, hands = maker.add(
            body, [*given.consts, *d_consts], [*given.carry, *d_carry], takes, given.sweep.reverse
        )
        places += own[:count]
        tangent_places += scatter_outputs(own[count:], found[:count])
        number = len(given.hands)
        flags += found[count:]
        values += hands[:number]
        tangents += scatter_outputs(hands[number:], found[count:])
    wanted = [t for i in outs if (t := tangent_places[i]) is not None]
    made = maker.bind([*(places[i] for i in outs), *wanted])
    has = [tangent_places[i] is not None for i in outs]
    return made[: len(outs)], scatter_outputs(made[len(outs) :], has)


def _linearized(turns: Any, rows: list, outs: tuple[int, ...]) -> list[Any]:
    """First all values once more, then the tangents, in sweeps of their own."""
    maker = _Maker(turns)
    flags: list[bool] = []
    values: list[int] = []
    later = []
    for row in rows:
        given = row[0]
        ins, found = _flags(row, flags, True)
        body = linear_body(given.jaxpr, given.shape, ins, found)
        takes = [values[i] for i in given.sweep.takes]
        _, hands = maker.add(body.forward, given.consts, given.carry, takes, given.sweep.reverse)
        number = len(given.hands)
        flags += found[given.shape.carry :]
        values += hands[:number]
        later.append((row, ins, found, body, takes, hands[number:]))
    tangents: list[int | None] = []
    places: list[int | None] = []
    for row, ins, found, body, takes, kept in later:
        given = row[0]
        if not any(found):
            places += [None] * given.shape.carry
            tangents += [None] * len(given.hands)
            continue
        d_consts, d_carry, _ = _operand_tangents(row, ins)
        d_takes = [t for i in given.sweep.takes if (t := tangents[i]) is not None]
        parts = body.operands(given.consts, takes, kept, (d_consts, d_carry, d_takes))
        own, hands = maker.add(body.linear, *parts, given.sweep.reverse)
        places += scatter_outputs(own, found[: given.shape.carry])
        tangents += scatter_outputs(hands, found[given.shape.carry :])
    has = [places[i] is not None for i in outs]
    made = maker.bind([p for i in outs if (p := places[i]) is not None])
    return scatter_outputs(made, has)


@sweeps_p.def_transpose
def _sweeps_transpose(
    cts: Sequence[Any],
    turns: Any,
    *operands: Any,
    jaxprs: tuple,
    sweeps: tuple,
    outs: tuple[int, ...],
) -> list[Any]:
    given = given_sweeps(operands, jaxprs, sweeps)
    maker = _Maker(turns)
    numbers: list[int | None] = []  # of what known sweeps hand on, in the new ones
    linear: list[_Given] = []
    for g in given:
        inputs = [*g.consts, *g.carry]
        is_linear = any(isinstance(x, LinearInput) for x in inputs)
        if is_linear or any(numbers[i] is None for i in g.sweep.takes):
            linear.append(g)
            numbers += [None] * len(g.hands)
            continue
        takes = [n for i in g.sweep.takes if (n := numbers[i]) is not None]
        numbers += maker.add(g.jaxpr, g.consts, g.carry, takes, g.sweep.reverse)[1]
    carry_cts: dict[int, Any] = {}
    for place, ct in zip(outs, cts, strict=True):
        if ct is not None:
            carry_cts[place] = add_p.bind(carry_cts[place], ct) if place in carry_cts else ct
    first = {id(g): sum(h.shape.carry for h in given[:n]) for n, g in enumerate(given)}
    handed_cts: dict[int, list[int]] = {}
    found: dict[int, list[int | None]] = {}
    for g in reversed(linear):
        own = [carry_cts.get(first[id(g)] + i) for i in range(g.shape.carry)]
        found[id(g)] = _transposed(maker, g, own, numbers, handed_cts)
    wanted = [p for g in linear for p in found[id(g)] if p is not None]
    made = dict(zip(wanted, maker.bind(wanted), strict=True)) if wanted else {}
    results: list[Any] = [None]
    for g in given:
        spots = found.get(id(g), [None] * g.sweep.operands)
        results += [None if p is None else made[p] for p in spots]
    return results


def _transposed(
    maker: _Maker,
    given: _Given,
    carry_cts: Sequence[Any],
    numbers: Sequence[int | None],
    handed_cts: dict[int, list[int]],
) -> list[int | None]:
    """Add the transpose of a linear sweep.

    Args:
      carry_cts: the cotangents of what it ends with.
      numbers: for what known sweeps hand on its number, None for what is linear.
      handed_cts: for what is linear the numbers of its cotangents; they add up.

    Returns:
      For each of the sweep's operands the place of its cotangent among all that is carried.
    """
    takes = given.sweep.takes
    operands = [*given.consts, *given.carry]
    asked = [isinstance(x, LinearInput) for x in operands]
    flags = [*asked, *(numbers[i] is None for i in takes)]
    is_linear = linear_flags(given.jaxpr, given.shape, flags)
    if not all(given.shape.split(is_linear)[1]):
        raise NotImplementedError("sweeps that carry more than what they are linear in")
    rows = [handed_cts.get(i, []) for i in given.hands]
    out_cts = tuple(bool(row) for row in rows)
    if not any(present(carry_cts)) and not any(out_cts):
        return [None] * given.sweep.operands
    back = transposed_body(given.jaxpr, given.shape, is_linear, present(carry_cts), out_cts)
    linear_avals = chosen(given.jaxpr.in_avals, is_linear)
    count = len(back.consts)
    sums = filled([None] * count, back.consts, linear_avals[:count])
    avals = linear_avals[count : count + given.shape.carry]
    carry = filled(carry_cts, back.carry, avals)
    known = [x for x in given.consts if not isinstance(x, LinearInput)]
    known_takes = [n for i in takes if (n := numbers[i]) is not None]
    body = _adding(back.jaxpr, [len(row) for row in rows if row])
    places, hands = maker.add(
        body,
        known,
        [*sums, *carry],
        [*known_takes, *(n for row in rows for n in row)],
        not given.sweep.reverse,
    )
    made = iter(hands)
    for i, flag in zip((i for i in takes if numbers[i] is None), back.elements, strict=True):
        if flag:
            handed_cts.setdefault(i, []).append(next(made))
    spots = iter(scatter_outputs(places, (*back.consts, *back.carry)))
    every = [next(spots) if flag else None for flag in is_linear[: len(operands)]]
    return [p if flag else None for p, flag in zip(every, asked, strict=True)]


def _adding(jaxpr: Jaxpr, counts: Sequence[int]) -> Jaxpr:
    """A body whose last inputs are sums, of so many addends each."""
    if all(n == 1 for n in counts):
        return jaxpr
    kept = len(jaxpr.invars) - len(counts)

    def run(*values: Any) -> list[Any]:
        rest = iter(values[kept:])
        sums = []
        for n in counts:
            total = next(rest)
            for _ in range(n - 1):
                total = add_p.bind(total, next(rest))
            sums.append(total)
        return eval_jaxpr(jaxpr, [*values[:kept], *sums])

    avals = jaxpr.in_avals
    addends = [a for a, n in zip(avals[kept:], counts, strict=True) for _ in range(n)]
    return stage(run, [*avals[:kept], *addends], "transpose")


@sweeps_p.def_batch
def _sweeps_batch(
    axis: Axis,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    jaxprs: tuple,
    sweeps: tuple,
    outs: tuple[int, ...],
) -> tuple:
    if dims[0] is not None:
        params = {"jaxprs": jaxprs, "sweeps": sweeps, "outs": outs}
        return by_lanes(sweeps_p, axis, args, dims, params)
    maker = _Maker(args[0])
    handed: list[bool] = []
    carried: list[bool] = []
    pairs = zip(
        given_sweeps(args[1:], jaxprs, sweeps), given_sweeps(dims[1:], jaxprs, sweeps), strict=True
    )
    for given, where in pairs:
        elements = [0 if handed[i] else None for i in given.sweep.takes]
        ins = [*where.consts, *where.carry, *elements]
        flags = batch_flags(given.jaxpr, given.shape, axis, ins)
        carry = [
            batched_front(*row, axis) for row in zip(given.carry, where.carry, flags, strict=True)
        ]
        inner = (*where.consts, *(0 if flag else None for flag in flags), *elements)
        found = batched(given.jaxpr, axis, inner)[1]
        front = [*flags, *(d is not None for d in found[given.shape.carry :])]
        body = batched_body(given.jaxpr, axis, inner, front)
        maker.add(body, given.consts, carry, given.sweep.takes, given.sweep.reverse)
        handed += front[given.shape.carry :]
        carried += flags
    return maker.bind(outs), [0 if carried[i] else None for i in outs]
