"""Loops in two, and what need not be in either between them, for all turns at once.

In a loop over numbers a logarithm takes as long as some ten of them take in a loop over an array,
of which the compiler makes vectors. So elementwise operations that cost something and that no later
turn has to wait for leave the loop:

    before                                 after
    for x in xs:                           for i, x in enumerate(xs):
        total = total + log(v)                 vs[i] = v
        v = a * x + b * v                      v = a * x + b * v
                                           logs = log(vs)
                                           for y in logs:
                                               total = total + y

Each turn computes what it did before, in the same order, so the results are the same in all bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.avals import make_aval
from ..core.jaxpr import Eqn, Jaxpr, Var, has_effect
from ..core.primitive import Primitive
from ..transforms.batch import Axis
from ..transforms.evaluate import eval_jaxpr
from ..transforms.simplify import Inline
from ..transforms.stage import live_eqns, stage
from .bodies import CHEAP, Shape, batched_body, kept_values
from .chains import all_reached

#: Values of a turn with more elements are an array already.
_SMALL = 4
#: Fewer turns are not worth another kernel.
_TURNS_FROM = 32
#: How much memory may be taken for values of all turns.
_BYTES_UP_TO = 2**24
#: What an operation saves, in numbers handed from loop to loop: a function, and others.
_FUNCTION, _ROOT = 3, 1
_ROOTS = frozenset({"div", "sqrt", "rem", "mod", "floor_divide"})


class _Parts(NamedTuple):
    """The equations of a body in three parts, and which carried values belong to the first."""

    first: list[Eqn]
    middle: list[Eqn]
    carried: list[int]
    gain: int


def _reads(eqn: Eqn) -> list[Var]:
    return [a for a in eqn.invars if type(a) is Var]


def _movable(eqn: Eqn) -> bool:
    sizes = [a.aval.size for a in (*eqn.invars, *eqn.outvars)]
    return eqn.primitive.elementwise and max(sizes) <= _SMALL and len(eqn.outvars) == 1


def _gain(eqn: Eqn) -> int:
    if eqn.primitive.name in CHEAP or not _movable(eqn):
        return 0
    return _ROOT if eqn.primitive.name in _ROOTS else _FUNCTION


def _parts(jaxpr: Jaxpr, shape: Shape) -> _Parts | None:
    """Divide a body, None where nothing is gained."""
    dear = [e for e in jaxpr.eqns if _gain(e)]
    if not dear:
        return None
    carry = shape.split(jaxpr.invars)[1]
    number = {v: i for i, v in enumerate(carry)}
    # The carried values that a variable depends on: in its turn, then in all turns before.
    needs: dict[Any, frozenset[int]] = {v: frozenset({i}) for v, i in number.items()}
    nothing: frozenset[int] = frozenset()
    for eqn in jaxpr.eqns:
        found = nothing.union(*(needs.get(v, nothing) for v in _reads(eqn)))
        needs.update(dict.fromkeys(eqn.outvars, found))
    outs = jaxpr.outvars[: shape.carry]
    before = [needs.get(a, nothing) if type(a) is Var else nothing for a in outs]
    before = all_reached(before)

    def closed(row: frozenset[int]) -> frozenset[int]:
        return row.union(*(before[i] for i in row))

    best: tuple[int, frozenset[int]] = 0, nothing
    for carried in dict.fromkeys(closed(needs[e.outvars[0]]) for e in dear):
        inner = set(live_eqns(jaxpr.eqns, [outs[i] for i in carried]))
        gain = sum(
            _gain(e) for e in dear if e not in inner and closed(needs[e.outvars[0]]) <= carried
        )
        best = max(best, (gain, carried), key=lambda pair: pair[0])
    gain, carried = best
    if not gain:
        return None
    first = set(live_eqns(jaxpr.eqns, [outs[i] for i in carried]))
    moved = [e for e in dear if e not in first and closed(needs[e.outvars[0]]) <= carried]
    above = live_eqns(jaxpr.eqns, [e.outvars[0] for e in moved])
    first.update(live_eqns(jaxpr.eqns, [v for e in above if not _movable(e) for v in e.outvars]))
    wanted = set(above)
    middle: list[Eqn] = []
    made: set[Var] = set()
    late = {v for v, i in number.items() if i not in carried}
    for eqn in jaxpr.eqns:
        if eqn in first:
            continue
        below = not made.isdisjoint(_reads(eqn))
        if late.isdisjoint(_reads(eqn)) and _movable(eqn) and (eqn in wanted or below):
            middle.append(eqn)
            made.update(eqn.outvars)
        else:
            late.update(eqn.outvars)
    gain = sum(map(_gain, middle))
    return _Parts([e for e in jaxpr.eqns if e in first], middle, sorted(carried), gain)


def divided_scan(primitive: Primitive, args: Sequence[Any], params: dict) -> Inline | None:
    """A scan as up to two with operations on arrays between them, None where that is no gain."""
    jaxpr, shape, length = params["jaxpr"], params["shape"], params["length"]
    if length < _TURNS_FROM or any(map(has_effect, jaxpr.eqns)):
        return None
    parts = _parts(jaxpr, shape)
    if parts is None:
        return None
    consts, carry, elements = shape.split(jaxpr.invars)
    early = [carry[i] for i in parts.carried]
    late = [i for i in range(shape.carry) if i not in parts.carried]
    own = jaxpr.outvars[shape.carry :]
    by_first = {v for e in parts.first for v in e.outvars} | set(early)
    by_middle = {v for e in parts.middle for v in e.outvars}
    rest = [e for e in jaxpr.eqns if by_first.isdisjoint(e.outvars)
            and by_middle.isdisjoint(e.outvars)]  # fmt: skip
    after = [i for i, a in enumerate(own) if a not in by_first and a not in by_middle]
    last_outs = [*(jaxpr.outvars[i] for i in late), *(own[i] for i in after)]
    rest = live_eqns(rest, last_outs)
    shown = [a for a in own if a in by_first]
    # What the parts after the first need of it: some is kept, some computed again.
    read = {v: None for e in (*parts.middle, *rest) for v in _reads(e)}
    read |= {a: None for a in last_outs if type(a) is Var}
    whole = Jaxpr(jaxpr.constvars, jaxpr.consts, [*consts, *early, *elements], parts.first, [])
    places = {v: i for i, v in enumerate(elements)}
    fixed = [*jaxpr.constvars, *consts]
    residuals = [v for v in read if v in by_first]
    kept, again = kept_values(whole, residuals, fixed, places)
    used = {a: None for a in last_outs if type(a) is Var}
    used |= {v: None for e in live_eqns([*again, *rest], last_outs) for v in _reads(e)}
    handed = [v for v in used if v in by_middle]
    results = list(dict.fromkeys([*handed, *(a for a in own if a in by_middle)]))
    numbers = [*kept, *handed]
    if parts.gain <= len(numbers):
        return None
    # What is computed again would be so for all turns at once.
    if any(v.aval.size > _SMALL for v in [*numbers, *(v for e in again for v in e.outvars)]):
        return None
    if length * sum(v.aval.size * v.aval.dtype.itemsize for v in numbers) > _BYTES_UP_TO:
        return None

    def body(invars: Sequence[Var], eqns: Sequence[Eqn], outvars: Sequence[Any]) -> Jaxpr:
        return Jaxpr(jaxpr.constvars, jaxpr.consts, invars, live_eqns(eqns, outvars), outvars)

    early_outs = [*(jaxpr.outvars[i] for i in parts.carried), *kept, *shown]
    bodies = (
        body(whole.invars, parts.first, early_outs),
        body([*consts, *kept, *elements], [*again, *parts.middle], results),
        body(
            [*consts, *(carry[i] for i in late), *kept, *handed, *elements],
            [*again, *rest],
            last_outs,
        ),
    )
    loop = {"length": length, "reverse": params["reverse"]}

    def run(*values: Any) -> list[Any]:
        given, start, xs = shape.split(values)
        before = Shape(len(consts), len(early))
        begin = [start[i] for i in parts.carried]
        made: list[Any] = []
        if early_outs:
            made = primitive.bind(*given, *begin, *xs, jaxpr=bodies[0], shape=before, **loop)
        ends = dict(zip(parts.carried, made, strict=False))
        stacks = dict(zip([*kept, *shown], made[len(early) :], strict=True))
        saved = [stacks[v] for v in kept]
        dims = [None] * len(consts) + [0] * (len(kept) + len(elements))
        many = batched_body(bodies[1], Axis(length), dims, [True] * len(results))
        stacks |= zip(results, eval_jaxpr(many, [*given, *saved, *xs]), strict=True)
        outs: list[Any] = [stacks.get(a) for a in own]
        if last_outs:
            made = primitive.bind(
                *given, *(start[i] for i in late), *saved, *(stacks[v] for v in handed), *xs,
                jaxpr=bodies[2], shape=Shape(len(consts), len(late)), **loop,
            )  # fmt: skip
            ends.update(zip(late, made, strict=False))
            for i, y in zip(after, made[len(late) :], strict=True):
                outs[i] = y
        return [*(ends[i] for i in range(shape.carry)), *outs]

    avals = [make_aval(a.aval.shape, a.aval.dtype) for a in args]
    return Inline(stage(run, avals, "scan"), list(args))
