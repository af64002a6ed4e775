"""From a jaxpr to kernels: what is computed together, what is stored, what runs outside.

Values are kept as expressions until something needs them in memory. Shape changes move into the
views through which the expressions read. What has to be stored, a *root*, is: an output, an
operand of a host step, the operand of a shape change that no view can express, and each
reduction. Roots that run over the same space and do not wait for each other share a kernel.

The cost model: a value is stored rather than computed again

- where a broadcast would repeat an operation that costs more than a memory access;
- where several kernels use it and it holds at least ``_STORE_FROM`` such operations. Softmax of
  a 2000 x 2000 matrix takes 7.5 ms with its exponentials stored, 10.5 ms with them computed twice;
  of a 100 x 100 matrix 33 us and 25 us;
- where several kernels use it and one has to store it anyway. So the state of a simulation that
  Python's loop goes through many steps of is made of that of the step before, not of the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.jaxpr import Eqn, Jaxpr, Literal, Var
from ..transforms.simplify import simplify_jaxpr
from . import (
    control,
    convolutions,
    extrema,
    factorizations,
    indexing,
    orthogonal,
    products,
    scans,
    shapes,
    sorting,
    unrolling,
    windows,
)
from .expressions import (
    REGISTERS,
    Control,
    Expression,
    Heavy,
    HostStep,
    KernelDraft,
    Leaf,
    Node,
    NoKernelError,
    Number,
    Root,
    Routine,
    has_operations,
    inside,
    reindex,
    slots_of,
)
from .scalars import NATIVE, is_heavy, template
from .unrolling import Parts
from .views import View, contiguous

_STORE_FROM = 1
#: How many operations are more than reading what they made, and more than storing it, too.
_READ_FROM = 4
_STORE_FROM_CHEAP = 32
#: After how many heavy operations over a space all values over it that are still needed are stored,
#: so that kernels stay of a size: LLVM's time grows faster than they do. A recurrence of 400 sines
#: and cosines on 1000 numbers with its gradient compiles in 4.0 s as one kernel and in 2.5 s as
#: five, and runs in 0.36 and 0.52 ms; one of 2000 compiles in 14 s.
_HEAVY_UP_TO = 100
#: How many operations a shape change may have computed anew, and how many it may move. Fifty steps
#: of ``y + 0.01 * sin(y) * roll(y, 1)`` on 10,000 numbers take 1.0 ms in place of 13.5 where each
#: step is made of the one before, and their Hessian on 5 numbers compiles in 1.9 s, not 4.9.
_REPEAT_UP_TO, _MOVE_UP_TO = 16, 64


def _may_keep(eqn: Eqn) -> bool:
    return any(callable(p) or isinstance(p, Jaxpr) for p in eqn.params.values())


def _implementation(eqn: Eqn) -> Callable[..., list[Any]]:
    impl, params = eqn.primitive.rule("impl", "jit"), eqn.params
    if eqn.primitive.multiple_results:
        return lambda *args: impl(*args, **params)
    return lambda *args: [impl(*args, **params)]


#: What a plan is made of.
Step = KernelDraft | HostStep | Routine | Control

_RULES = (
    shapes.RULES | products.RULES | convolutions.RULES | indexing.RULES | scans.RULES
    | windows.RULES | extrema.RULES
)  # fmt: skip

#: The rules with several results.
_FACTORS = factorizations.RULES | orthogonal.RULES
_ROUTINES = _FACTORS | sorting.RULES


class Plan:
    """A jaxpr, planned, for inputs of some layouts: strides in elements, None for C order.

    Attributes:
      inputs, consts: the slot of each input; (slot, value) of each constant.
      temporaries, outputs: slot to aval, for what kernels write: in memory that calls share, or
        an array made for each call and returned.
      steps: kernel drafts and host steps, in order.
      results: for each output, its slot, and its dtype if it is a scalar.
    """

    def __init__(self, jaxpr: Jaxpr, layouts: Sequence[tuple[int, ...] | None]):
        self.slot_count = 0
        self.temporaries: dict[int, ShapedArray] = {}
        self.outputs: dict[int, ShapedArray] = {}
        self.steps: list[Step] = []
        #: The slots that each step writes and reads, a bit each.
        self._writes: list[int] = []
        self._reads: list[int] = []
        #: Slots of the block at hand whose arrays may be changed in place when nothing else needs
        #: what they hold.
        self._owned: set[int] = set()
        #: Within how many blocks of loops and branches planning is.
        self._depth = 0
        self._env: dict[Var, Expression | Parts] = {}
        #: The equations whose arrays are unrolled, by identity.
        self._unrolled: set[int] = set()
        self._heavy_below = Heavy()
        #: Expressions that are stored, by identity.
        self._stored: dict[int, tuple[Expression, Leaf]] = {}
        #: What host steps have made, and its shape: it may be a result as it is.
        self._host_made: dict[int, tuple[int, ...]] = {}
        #: What more than one root writes to: what the first one stores there does not stay.
        self.written_over: set[int] = set()
        #: How many heavy operations there are over each space since values over it were stored.
        self._heavy: dict[tuple[int, ...], int] = {}
        #: Where planning is in each jaxpr that it is in: the last use of each variable, and now.
        self._scopes: list[tuple[dict[Var, float], int]] = []
        #: The equation that is being planned, and by its identity the jaxprs that it runs.
        self._eqn: Eqn | None = None
        self.bodies: dict[int, list[Jaxpr]] = {}
        self.inputs = [self._bind_leaf(v, s) for v, s in zip(jaxpr.invars, layouts, strict=True)]
        self.consts: list[tuple[int, Any]] = []
        outs = self.inline(jaxpr, [self._env[v] for v in jaxpr.invars])
        self.results = [self._result(x, a.aval) for x, a in zip(outs, jaxpr.outvars, strict=True)]
        _store_shared(self)

    @contextmanager
    def block(self, owned: Sequence[int] = ()) -> Iterator[list[Step]]:
        """Plan the steps of a part of a loop or a branch, in a list of their own.

        Args:
          owned: slots that only this part uses.

        Raises:
          NoKernelError: when something in it has no kernel; then nothing is left of it.
        """
        names = ("steps", "_writes", "_reads", "_stored", "_heavy", "_owned", "_eqn")
        outside = {name: getattr(self, name) for name in names}
        temporaries, consts = dict(self.temporaries), len(self.consts)
        self.steps, self._owned = [], set(owned)
        self._writes, self._reads, self._stored, self._heavy = [], [], {}, {}
        self._heavy_below.forget()
        self._depth += 1
        try:
            yield self.steps
            _store_shared(self)
        except NoKernelError:
            self.temporaries = temporaries
            del self.consts[consts:]
            raise
        finally:
            self._depth -= 1
            self.__dict__.update(outside)
            self._heavy_below.forget()

    # --- slots --------------------------------------------------------------------------------

    def new_slot(self) -> int:
        """A number for something in memory."""
        self.slot_count += 1
        return self.slot_count - 1

    def _bind_leaf(self, var: Var, strides: tuple[int, ...] | None = None) -> int:
        slot = self.new_slot()
        view = contiguous(var.aval.shape)
        if strides is not None:
            view = View(view.shape, strides)
        self._env[var] = Leaf(slot, view, var.aval.dtype)
        return slot

    def _read(self, atom: Any) -> Expression:
        if type(atom) is Literal:
            return Number(atom.aval.dtype.type(atom.value))
        found = self._env[atom]
        return found.as_one(self) if isinstance(found, Parts) else found

    def _read_parts(self, atom: Any) -> Expression | Parts:
        """The same for an equation that is unrolled."""
        found = self._read(atom) if type(atom) is Literal else self._env[atom]
        if not isinstance(found, Parts) and unrolling.has_parts(found.shape):
            self._env[atom] = found = unrolling.parts_of(self, found)
        return found

    def new_array(self, shape: tuple[int, ...], dtype: np.dtype) -> Leaf:
        slot = self.new_slot()
        self.temporaries[slot] = make_aval(shape, dtype)
        self._owned.add(slot)
        return Leaf(slot, contiguous(shape), dtype)

    def store(self, expression: Expression) -> Leaf:
        """The expression as a leaf, stored where it is not one yet."""
        if isinstance(expression, Leaf):
            return expression
        if isinstance(expression, Number) and not expression.shape:
            return self.constant(expression)
        _, leaf = self._stored.get(id(expression), (None, None))
        if leaf is None:
            leaf = self.new_array(expression.shape, expression.dtype)
            self.add(Root(expression, leaf.slot, leaf.view), expression.shape)
            self._stored[id(expression)] = expression, leaf
            self._heavy_below.store(expression)
        return leaf

    def _result(self, expression: Expression, aval: ShapedArray) -> tuple[int, np.dtype | None]:
        if not aval.shape:
            leaf = self.store(expression)
            if leaf.view.offset:
                leaf = self.copy(leaf)
            return leaf.slot, aval.dtype
        leaf = self.store(expression)
        whole = leaf.view.is_in_order and leaf.shape == aval.shape
        made = self.temporaries.get(leaf.slot)
        by_host = self._host_made.get(leaf.slot) == aval.shape
        if not (whole and (by_host or (made and made.size == aval.size))):
            leaf = self.copy(leaf)
        # Each result is an array of its own: what has been given away is copied next time.
        self._host_made.pop(leaf.slot, None)
        if leaf.slot in self.temporaries:
            self.outputs[leaf.slot] = ShapedArray(aval.shape, aval.dtype)
            del self.temporaries[leaf.slot]
        return leaf.slot, None

    def constant(self, number: Number) -> Leaf:
        """A number in memory."""
        slot = self.new_slot()
        self.consts.append((slot, np.asarray(number.value)))
        return Leaf(slot, contiguous(()), number.dtype)

    def copy(self, leaf: Leaf) -> Leaf:
        """A leaf's elements in C order."""
        if leaf.dtype in NATIVE:
            made = self.new_array(leaf.shape, leaf.dtype)
            self.add(Root(leaf, made.slot, made.view), leaf.shape)
        else:
            made = Leaf(self.new_slot(), contiguous(leaf.shape), leaf.dtype)
            self.add_step(HostStep("copy", lambda x: [np.array(x)], [leaf], [made.slot]))
            self._host_made[made.slot] = made.shape
        return made

    def can_take_over(self, expression: Expression) -> bool:
        """Whether nothing else needs what an array holds, so that it may be changed in place."""
        if not isinstance(expression, Leaf) or expression.slot not in self._owned:
            return False
        whole = expression.view == contiguous(self.aval(expression.slot).shape)
        return whole and not any(expression.reads & e.reads for e in self._needed_later())

    def taken_over(self, expression: Expression) -> Leaf | None:
        """An array as one that is going to be changed in place, None where it cannot be."""
        if not self.can_take_over(expression):
            return None
        assert isinstance(expression, Leaf)
        for key, (_, leaf) in list(self._stored.items()):
            if leaf.slot == expression.slot:
                del self._stored[key]
                self._heavy_below.forget()
        return expression

    def aval(self, slot: int) -> ShapedArray:
        """The type of an array that kernels write."""
        return self.temporaries.get(slot) or self.outputs[slot]

    def in_registers(self, aval: ShapedArray) -> bool:
        """Whether an array made here is so small that a loop keeps it in registers: then it is
        better stored, element by element, than computed wherever it is used."""
        return self._depth > 0 and aval.size <= REGISTERS

    @property
    def within_block(self) -> bool:
        """Whether what is planned is part of a loop or a branch."""
        return self._depth > 0

    def is_used(self, number: int) -> bool:
        """Whether a result of the equation at hand is used."""
        assert self._eqn is not None
        return self._eqn.outvars[number] in self._scopes[-1][0]

    def owns(self, slot: int) -> bool:
        """Whether only the block at hand uses a slot."""
        return slot in self._owned

    def _needed_later(self) -> Iterator[Expression]:
        for var, expression in self._env.items():
            if any(last.get(var, -1) > now for last, now in self._scopes):
                yield from _expressions(expression)

    # --- steps --------------------------------------------------------------------------------

    def add(
        self,
        root: Root,
        shape: tuple[int, ...],
        reduced: tuple[int, ...] = (),
        *,
        over: bool = False,
        alone: bool = False,
    ) -> None:
        """Put a root into the earliest fitting kernel that follows what it reads, and, with
        ``over``, what it writes over; with ``alone`` into a kernel of its own. Over no elements
        there is nothing to do, and nothing that may be read."""
        if 0 in shape:
            return
        reads, own = slots_of(root.reads), 1 << root.slot
        ready = _last(self._writes, reads | own if over else reads)
        if over:  # after those who read what has been there
            ready = max(ready, _last(self._reads, own))
        heavy = self._heavy_below.operations(root.reads, self._stored)
        for position in range(ready + 1, len(self.steps)):
            step = self.steps[position]
            if alone or not isinstance(step, KernelDraft):
                continue
            fits = not step.heavy or (step.heavy | heavy).bit_count() <= _HEAVY_UP_TO
            if step.shape == shape and fits and not step.alone:
                if reduced and not step.reduced:
                    step.reduced = reduced
                if step.reduced == reduced or not reduced:
                    break
        else:
            position = len(self.steps)
            self._append(KernelDraft(shape, reduced, alone))
        draft = self.steps[position]
        assert isinstance(draft, KernelDraft)
        root.eqn = self._eqn
        self._attribute(root.reads)
        draft.roots.append(root)
        draft.heavy |= heavy
        self.last_draft = draft
        if over:
            self.written_over.add(root.slot)
        self._writes[position] |= own
        self._reads[position] |= reads

    def add_step(self, step: HostStep | Routine | Control) -> None:
        """Put a step at the end.

        Raises:
          NoKernelError: for one that needs Python, within a loop or a branch.
        """
        if self._depth and isinstance(step, HostStep):
            raise NoKernelError(step.name)
        step.eqn = self._eqn
        self._append(step)
        for slot in step.uses():
            self._reads[-1] |= 1 << slot
        for slot in step.slots:
            self._writes[-1] |= 1 << slot

    def _append(self, step: Step) -> None:
        self.steps.append(step)
        self._reads.append(0)
        self._writes.append(0)

    def inline(self, jaxpr: Jaxpr, args: Sequence[Expression]) -> list[Expression]:
        """A jaxpr's outputs; what it computes is not shared with the same operations outside."""
        outer = self._eqn
        if outer is not None:
            self.bodies.setdefault(id(outer), []).append(jaxpr)
        self._env.update(zip(jaxpr.invars, args, strict=True))
        self.consts += [
            (self._bind_leaf(v), c) for v, c in zip(jaxpr.constvars, jaxpr.consts, strict=True)
        ]
        last: dict[Var, float] = {}
        for now, eqn in enumerate(jaxpr.eqns):
            last.update((a, now) for a in eqn.invars if type(a) is Var)
        last.update((a, math.inf) for a in jaxpr.outvars if type(a) is Var)
        self._unrolled |= unrolling.chosen(jaxpr)
        for now, eqn in enumerate(jaxpr.eqns):
            self._scopes.append((last, now))
            self._eqn = eqn
            self._visit(eqn)
            made = [self._env[v] for v in eqn.outvars if v in self._env]
            self._attribute([e for x in made for e in _expressions(x)])
            self._scopes.pop()
            for a in eqn.invars:
                if type(a) is Var and last[a] == now:
                    self._env.pop(a, None)
        self._eqn = outer
        return [self._read(a) for a in jaxpr.outvars]

    def _attribute(self, expressions: Sequence[Expression]) -> None:
        """Note what the operations that are new in expressions are for."""
        todo = list(expressions)
        while todo:
            e = todo.pop()
            if isinstance(e, Node) and e.eqn is None:
                e.eqn = self._eqn
                todo += e.args

    def _visit(self, eqn: Eqn) -> None:
        if id(eqn) in self._unrolled:
            parts = [self._read_parts(a) for a in eqn.invars]
            self._env[eqn.outvars[0]] = unrolling.unrolled(self, eqn, parts)
            return
        args = [self._read(a) for a in eqn.invars]
        if eqn.primitive.name == "checkpoint":
            outs = self.inline(simplify_jaxpr(eqn.params["jaxpr"]), args)
            self._env.update(zip(eqn.outvars, outs, strict=True))
            return
        if eqn.primitive.name in control.RULES:
            try:
                found = control.RULES[eqn.primitive.name](self, args, eqn.params)
                self._env.update(zip(eqn.outvars, found, strict=True))
                return
            except NoKernelError:
                self.bodies.pop(id(eqn), None)
                if self._depth:
                    raise
        if eqn.primitive.name in _ROUTINES:
            made = self._routine(eqn, args)
            if made is not None:
                self._env.update(zip(eqn.outvars, made, strict=True))
                return
        out = eqn.outvars[0].aval if eqn.outvars else None
        rule = _RULES.get(eqn.primitive.name)
        if rule is not None and out is not None:
            made = rule(self, args, out, eqn.params)
        elif eqn.primitive.name in unrolling.REDUCTIONS and out is not None:
            made = self._reduce(eqn, args[0], out)
        elif args and out is not None and len(eqn.outvars) == 1:
            made = self.elementwise(eqn, args, out)
        else:
            made = None
        if made is not None:
            self._env[eqn.outvars[0]] = made
            return
        leaves = [a if isinstance(a, Number) and not a.shape else self.store(a) for a in args]
        slots = [self._bind_leaf(v) for v in eqn.outvars]
        self._host_made.update(zip(slots, (v.aval.shape for v in eqn.outvars), strict=True))
        call, kept = _implementation(eqn), _may_keep(eqn)
        name, function = eqn.primitive.name, eqn.params.get("function")
        if isinstance(function, str):  # the primitive stands for several
            name = f"{name} {function}"
        self.add_step(HostStep(name, call, leaves, slots, kept, eqn.location))

    def _routine(self, eqn: Eqn, args: list[Expression]) -> list[Expression] | None:
        outs = [v.aval for v in eqn.outvars]
        if eqn.primitive.name in _FACTORS and not factorizations.takes(args[0]):
            return None
        if not any(a.size for a in outs):
            return [Number(a.dtype.type(0), a.shape) for a in outs]
        if 0 in args[0].shape:
            return None
        return _ROUTINES[eqn.primitive.name](self, args, outs, eqn.params)

    def elementwise(self, eqn: Eqn, args: list[Expression], out: ShapedArray) -> Any:
        """An elementwise operation; None for one without a kernel."""
        name, params = eqn.primitive.name, eqn.params
        if name == "pow":
            name, args, params = _power(args, params)
        expression = template(name, [a.dtype for a in args], out.dtype, params)
        if expression is None or any(a.shape not in ((), out.shape) for a in args):
            return None
        spread = [self.spread(a, out.shape, ()) if a.shape != out.shape else a for a in args]
        heavy = is_heavy(name)
        if heavy:
            self._heavy[out.shape] = self._heavy.get(out.shape, 0) + 1
            if self._heavy[out.shape] > _HEAVY_UP_TO:
                self._cut(out.shape)
                spread = [self._stored_leaf(a) for a in spread]
        return Node(expression, spread, out.dtype, out.shape, heavy)

    def _cut(self, shape: tuple[int, ...]) -> None:
        """Store all values over a space that are still needed: what follows starts from memory."""
        self._heavy[shape] = 0

        def stored(e: Expression) -> Expression:
            dear = isinstance(e, Node) and e.weight and e.shape == shape
            return self.store(e) if dear else e

        for var, value in list(self._env.items()):
            if any(last.get(var, -1) >= now for last, now in self._scopes):
                if isinstance(value, Parts):
                    value.items = np.frompyfunc(stored, 1, 1)(value.items)
                else:
                    self._env[var] = stored(value)

    def _stored_leaf(self, expression: Expression) -> Expression:
        """A value's place in memory, if it has one."""
        return self._stored.get(id(expression), (None, expression))[1]

    def _reduce(self, eqn: Eqn, arg: Expression, out: ShapedArray) -> Any:
        kind, axes = unrolling.REDUCTIONS[eqn.primitive.name], eqn.params["axes"]
        bits = kind in ("and", "or", "xor")
        if out.dtype not in NATIVE or (out.dtype == np.bool_ and not bits):
            return None
        if 0 in arg.shape:
            if kind in ("max", "min"):
                return None
            start = -1 if kind == "and" else int(kind == "prod")
            return Number(np.asarray(start).astype(out.dtype)[()], out.shape)
        return self.fold(arg, kind, axes)

    def fold(self, x: Expression, kind: str, axes: Sequence[int]) -> Leaf:
        """An expression folded over some dimensions, as a new array."""
        kept = tuple(d for d in range(len(x.shape)) if d not in axes)
        leaf = self.new_array(tuple(x.shape[d] for d in kept), x.dtype)
        view = leaf.view.broadcast(x.shape, kept)
        self.add(Root(x, leaf.slot, view, "reduce", kind), x.shape, tuple(sorted(axes)))
        return leaf

    # --- shape changes ------------------------------------------------------------------------

    def spread(
        self, expression: Expression, shape: tuple[int, ...], dims: Sequence[int]
    ) -> Expression:
        """Broadcast, storing first what would be repeated at a cost."""
        repeated = math.prod(shape) > math.prod(expression.shape)
        if isinstance(expression, Node) and expression.weight and repeated and expression.shape:
            expression = self.store(expression)
        return self.reindex(expression, lambda view: view.broadcast(shape, dims), shape)

    def reindex(
        self, expression: Expression, change: Callable[[View], View], shape: tuple[int, ...]
    ) -> Expression:
        """An expression seen through another view: the views of its leaves change.

        One of many operations is stored first: they are computed anew in each view, and seen
        through one view after another (``x = x + transpose(x)``) would double each time. Where it
        is used again, few are enough, and one that costs something.
        """
        again = self._is_used_again(expression)
        dear = again and isinstance(expression, Node) and expression.weight >= _STORE_FROM
        if dear or has_operations(expression, 1 + (_REPEAT_UP_TO if again else _MOVE_UP_TO)):
            expression = self.store(expression)
        return reindex(expression, change, shape)

    def _is_used_again(self, expression: Expression) -> bool:
        """Whether an operand of the equation at hand is one of later ones, too."""
        if self._eqn is None or not self._scopes:
            return False
        last, now = self._scopes[-1]
        operands = (a for a in self._eqn.invars if type(a) is Var)
        return any(last[a] > now and self._env.get(a) is expression for a in operands)

    def placed(
        self,
        expression: Expression,
        around: Expression,
        starts: Sequence[int],
        shape: tuple[int, ...],
        up_to: int = _MOVE_UP_TO,
    ) -> Expression:
        """An expression in a box of a larger space, and another one around it.

        Both are computed everywhere, so what costs something is stored first, and what is made of
        more than ``up_to`` operations.
        """
        if isinstance(expression, Node) and (expression.weight or expression.checked):
            expression = self.store(expression)
        if isinstance(around, Node) and around.weight:
            around = self.store(around)
        where = inside(shape, starts, expression.shape)
        if where is None:
            return expression
        if has_operations(expression, up_to + 1):
            expression = self.store(expression)
        back, steps = [-s for s in starts], [1] * len(shape)
        moved = reindex(expression, lambda v: v.slice(back, shape, steps), shape, where)
        args = [where, moved, around]
        return Node("select({0}, {1}, {2})", args, expression.dtype, shape, False)


def _last(steps: list[int], slots: int) -> int:
    """The last of some sets of slots that has one of these, -1 where none has."""
    for position in range(len(steps) - 1, -1, -1):
        if steps[position] & slots:
            return position
    return -1


def _expressions(value: Expression | Parts) -> list[Expression]:
    return value.expressions() if isinstance(value, Parts) else [value]


def _power(args: list[Expression], params: dict) -> tuple[str, list[Expression], dict]:
    """A power, simpler where the exponent is one that NumPy treats apart too."""
    exponent = args[1].value if isinstance(args[1], Number) else None
    if exponent == 0.5:
        return "sqrt", args[:1], {}
    if exponent in (1, 2, 3, -1) and args[0].dtype.kind == "f":
        return "integer_pow", args[:1], {"y": int(exponent)}
    return "pow", args, params


def _store_shared(plan: Plan) -> None:
    """Have the first of several kernels store what they would all compute at a cost, and the
    later ones read what one before has stored."""
    drafts = [s for s in plan.steps if isinstance(s, KernelDraft)]
    computed: dict[int, KernelDraft] = {}
    stored: dict[int, Leaf] = {}
    for draft in drafts:
        draft.stored = {}
        seen: set[int] = set()
        todo: list[Expression] = [e for r in draft.roots for e in r.reads]
        while todo:
            node = todo.pop()
            if not isinstance(node, Node) or id(node) in seen:
                continue
            seen.add(id(node))
            if id(node) in stored and has_operations(node, _READ_FROM, stored):
                draft.stored[id(node)] = stored[id(node)]
                continue
            before = computed.setdefault(id(node), draft)
            again = before is not draft and node.shape == before.shape
            if again and (
                node.weight >= _STORE_FROM or has_operations(node, _STORE_FROM_CHEAP, stored)
            ):
                if id(node) not in stored:
                    stored[id(node)] = _stored_by(plan, before, node)
                draft.stored[id(node)] = stored[id(node)]
            else:
                todo.extend(node.args)
        for root in draft.roots:
            if _stays(plan, root):
                stored.setdefault(id(root.expression), _leaf_of(root))


def _stays(plan: Plan, root: Root) -> bool:
    """Whether a root's place in memory holds its expression from then on."""
    over = root.slot in plan.written_over
    return root.kind == "store" and not over and root.offset is None


def _leaf_of(root: Root) -> Leaf:
    return Leaf(root.slot, root.view, root.expression.dtype)


def _stored_by(plan: Plan, draft: KernelDraft, node: Node) -> Leaf:
    """Where a kernel that computes a value stores it, from now on at the latest."""
    for root in draft.roots:
        if root.expression is node and _stays(plan, root):
            return _leaf_of(root)
    leaf = plan.new_array(node.shape, node.dtype)
    draft.roots.append(Root(node, leaf.slot, leaf.view))
    return leaf
