"""Loops and branches: their bodies are planned as programs are, in blocks of steps of their own.

What a loop carries lies in a slot from turn to turn. A body that changes an array in place, when
nothing else needs what it held, leaves it in its slot; one that makes a new array has the two slots
trade places. A rule takes ``(plan, args, params)`` and returns the outputs' expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.avals import ShapedArray
from ..core.jaxpr import Jaxpr
from ..transforms.simplify import simplify_jaxpr
from .expressions import (
    Branch,
    Expression,
    Leaf,
    Loop,
    Loops,
    NoKernelError,
    Number,
    Root,
    slots_in,
    slots_of,
)
from .scalars import NATIVE
from .views import View, contiguous

if TYPE_CHECKING:
    from .fusion import Plan


def _check(avals: Sequence[ShapedArray]) -> None:
    for aval in avals:
        if aval.dtype not in NATIVE:
            raise NoKernelError(f"values of {aval.dtype}")


def _operand(plan: Plan, x: Expression) -> Expression:
    """What a block can read: a number, or something in memory."""
    return x if isinstance(x, Number) and not x.shape else plan.store(x)


def _read(operands: Sequence[Expression]) -> list[int]:
    return slots_in(slots_of(operands))


def _whole(plan: Plan, slot: int) -> Leaf:
    aval = plan.temporaries[slot]
    return Leaf(slot, contiguous(aval.shape), aval.dtype)


def _write(plan: Plan, expression: Expression, slot: int, shape: tuple[int, ...]) -> None:
    """Have a value stored in a slot."""
    plan.add(Root(expression, slot, contiguous(shape)), shape)


class _Body:
    """A loop's body, planned.

    Args:
      loop: what is carried lies in its slots; the body and all that belongs to it go there.
      consts: what it reads in each turn.
      elements: the arrays that it goes through.
      outputs: the slots of the arrays that it writes.
    """

    def __init__(
        self,
        plan: Plan,
        loop: Loop,
        jaxpr: Jaxpr,
        consts: Sequence[Expression],
        elements: Sequence[Leaf],
        outputs: Sequence[int],
    ):
        self.plan = plan
        self.loop = loop
        given: list[Expression] = [*consts, *(_whole(plan, slot) for slot in loop.carry)]
        for leaf in elements:
            slot = plan.new_slot()
            loop.elements.append((slot, leaf))
            given.append(Leaf(slot, View(leaf.shape[1:], leaf.view.strides[1:]), leaf.dtype))
        with plan.block(loop.carry) as steps:
            outs = plan.inline(jaxpr, given)
            count = len(loop.carry)
            for expression, target, aval in zip(
                outs[count:], outputs, jaxpr.out_avals[count:], strict=True
            ):
                slot = plan.new_slot()
                loop.outputs.append((slot, target, aval.size, aval.dtype))
                _write(plan, expression, slot, aval.shape)
            self._carry_on(outs[:count], jaxpr.out_avals[:count])
            loop.body = steps

    def _carry_on(self, outs: Sequence[Expression], avals: Sequence[ShapedArray]) -> None:
        """Say where each carried value lies at the end of a turn: in a slot for each."""
        taken: set[int] = set()
        for expression, aval in zip(outs, avals, strict=True):
            leaf = expression if isinstance(expression, Leaf) else None
            if leaf is None and not (isinstance(expression, Number) and not aval.shape):
                leaf = self.plan.store(expression)
            if leaf is None or leaf.slot in taken or not self._own(leaf, aval):
                leaf = self.plan.new_array(aval.shape, aval.dtype)
                _write(self.plan, expression, leaf.slot, aval.shape)
            taken.add(leaf.slot)
            self.loop.sources.append(leaf.slot)

    def _own(self, leaf: Leaf, aval: ShapedArray) -> bool:
        """Whether a leaf is the whole of a slot of this loop."""
        if not self.plan.owns(leaf.slot):
            return False
        made = self.plan.aval(leaf.slot)
        return leaf.view == contiguous(made.shape) and made.shape == aval.shape


def _taken(plan: Plan, expression: Expression, others: Sequence[Expression]) -> Leaf | None:
    """An operand as an array that a loop or a branch may change, None where something else needs
    what it holds."""
    if isinstance(expression, Leaf) and expression.reads & slots_of(others):
        return None
    return plan.taken_over(expression)


def _without(values: Sequence[Expression], number: int) -> list[Expression]:
    return [*values[:number], *values[number + 1 :]]


def _loop(
    plan: Plan,
    loop: Loop,
    jaxpr: Jaxpr,
    consts: Sequence[Expression],
    init: Sequence[Expression],
    elements: Sequence[Leaf],
    outputs: Sequence[int],
    others: Sequence[Expression] = (),
) -> None:
    """Plan a loop.

    Args:
      init: what it begins with.
      others: further operands of the same equation.
    """
    for number, expression in enumerate(init):
        rest = [*consts, *_without(init, number), *elements, *others]
        leaf = _taken(plan, expression, rest)
        if leaf is None:
            leaf = plan.new_array(expression.shape, expression.dtype)
        loop.carry.append(leaf.slot)
    _Body(plan, loop, simplify_jaxpr(jaxpr), consts, elements, outputs)
    loop.slots = [*loop.carry, *outputs]
    loop.reads = _read([*consts, *elements, *(_whole(plan, s) for s in loop.carry)])


def _start(plan: Plan, loop: Loop, init: Sequence[Expression]) -> None:
    """Write what a loop begins with."""
    for slot, expression in zip(loop.carry, init, strict=True):
        if not (isinstance(expression, Leaf) and expression.slot == slot):
            _write(plan, expression, slot, expression.shape)


def _scan(plan: Plan, args: list[Expression], params: dict) -> list[Expression]:
    jaxpr, shape, length = params["jaxpr"], params["shape"], params["length"]
    _check([*jaxpr.in_avals, *jaxpr.out_avals])
    consts, carry, elements = shape.split(args)
    consts = [_operand(plan, x) for x in consts]
    leaves = [plan.store(x) for x in elements]
    outputs = [
        plan.new_array((length, *a.shape), a.dtype).slot for a in jaxpr.out_avals[shape.carry :]
    ]
    loop = Loop("scan", length, params["reverse"])
    _loop(plan, loop, jaxpr, consts, carry, leaves, outputs)
    _start(plan, loop, carry)
    plan.add_step(loop)
    return [_whole(plan, slot) for slot in loop.slots]


def _while(plan: Plan, args: list[Expression], params: dict) -> list[Expression]:
    test, body = params["cond_jaxpr"], params["body_jaxpr"]
    _check([*test.in_avals, *body.in_avals])
    count = params["cond_consts"]
    first = [_operand(plan, x) for x in args[:count]]
    second = [_operand(plan, x) for x in args[count : count + params["body_consts"]]]
    init = args[count + params["body_consts"] :]
    loop = Loop("while", None, False)
    _loop(plan, loop, body, second, init, (), (), first)
    with plan.block() as steps:
        given = [*first, *(_whole(plan, slot) for slot in loop.carry)]
        (answer,) = plan.inline(simplify_jaxpr(test), given)
        loop.condition = plan.store(answer)
        loop.test = steps
    loop.reads = sorted({*loop.reads, *_read(first)})
    _start(plan, loop, init)
    plan.add_step(loop)
    return [_whole(plan, slot) for slot in loop.carry]


def _sweeps(plan: Plan, args: list[Expression], params: dict) -> list[Expression]:
    turns = plan.store(args[0])
    rest = iter(args[1:])
    handed: list[tuple[int, int, np.dtype]] = []
    avals: list[ShapedArray] = []
    loops = []
    starts = []
    for jaxpr, sweep in zip(params["jaxprs"], params["sweeps"], strict=True):
        _check([*jaxpr.in_avals, *jaxpr.out_avals])
        consts = [_operand(plan, next(rest)) for _ in range(sweep.shape.consts)]
        carry = [next(rest) for _ in range(sweep.shape.carry)]
        elements = [
            Leaf(handed[i][0], contiguous((1, *avals[i].shape)), avals[i].dtype)
            for i in sweep.takes
        ]
        made = jaxpr.out_avals[sweep.shape.carry :]
        slots = [plan.new_slot() for _ in made]
        handed += [(s, a.size, a.dtype) for s, a in zip(slots, made, strict=True)]
        avals += made
        loop = Loop("sweep", turns, sweep.reverse)
        _loop(plan, loop, jaxpr, consts, carry, elements, slots, args)
        loops.append(loop)
        starts.append(carry)
    for loop, carry in zip(loops, starts, strict=True):
        _start(plan, loop, carry)
    own = {slot for slot, _, _ in handed}
    for loop in loops:
        loop.slots = list(loop.carry)
        loop.reads = [s for s in loop.reads if s not in own]
    plan.add_step(Loops(turns, loops, handed))
    carried = [slot for loop in loops for slot in loop.carry]
    return [_whole(plan, carried[i]) for i in params["outs"]]


def _cond(plan: Plan, args: list[Expression], params: dict) -> list[Expression]:
    _check([*params["branches"][0].in_avals, *params["branches"][0].out_avals])
    branches = [simplify_jaxpr(b) for b in params["branches"]]
    index = plan.store(args[0])
    operands = [_operand(plan, x) for x in args[1:]]
    outs: list[Leaf | None] = [
        _changed(plan, branches, number, operands) for number in range(len(branches[0].outvars))
    ]
    in_place = [leaf.slot for leaf in outs if leaf is not None]
    whole = [
        leaf or plan.new_array(a.shape, a.dtype)
        for leaf, a in zip(outs, branches[0].out_avals, strict=True)
    ]
    blocks = []
    for jaxpr in branches:
        with plan.block(in_place) as steps:
            found = list(zip(plan.inline(jaxpr, operands), whole, strict=True))
            # What is changed in place comes last: the others may read what it held.
            for expression, leaf in sorted(found, key=lambda pair: pair[1].slot in in_place):
                if isinstance(expression, Leaf) and expression.slot == leaf.slot:
                    continue
                over = leaf.slot in in_place
                plan.add(Root(expression, leaf.slot, leaf.view), leaf.shape, over=over)
            blocks.append(steps)
    slots = [leaf.slot for leaf in whole]
    plan.add_step(Branch(index, blocks, slots, _read([index, *operands])))
    return list(whole)


def _changed(
    plan: Plan, branches: Sequence[Jaxpr], number: int, operands: Sequence[Expression]
) -> Leaf | None:
    """The operand that a result is in each branch, unchanged or with some elements replaced, if
    nothing else needs it."""
    found = {_origin(jaxpr, jaxpr.outvars[number]) for jaxpr in branches}
    (place,) = found if len(found) == 1 else (None,)
    if place is None:
        return None
    return _taken(plan, operands[place], _without(operands, place))


def _origin(jaxpr: Jaxpr, atom: Any) -> int | None:
    """The number of the input that some elements of a value have been replaced in."""
    producers = {e.outvars[0]: e for e in jaxpr.eqns if e.outvars}
    while atom in producers:
        eqn = producers[atom]
        if eqn.primitive.name not in ("scatter", "dynamic_update_slice"):
            return None
        atom = eqn.invars[0]
    places = {v: i for i, v in enumerate(jaxpr.invars)}
    return places.get(atom)


#: By the name of the primitive.
RULES: dict[str, Callable[[Plan, list[Any], dict], list[Expression]]] = {
    "scan": _scan,
    "while": _while,
    "sweeps": _sweeps,
    "cond": _cond,
}
