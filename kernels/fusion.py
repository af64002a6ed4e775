"""From a jaxpr to kernels: what is computed together, what is stored, what runs outside.

Values are kept as expressions until something needs them in memory. Shape changes move into the
views through which the expressions read. What has to be stored, a *root*, is: an output, an
operand of a host step, the operand of a shape change that no view can express, and each
reduction. Roots that run over the same space and do not wait for each other share a kernel.

The cost model: a value is stored rather than computed again

- where a broadcast would repeat an operation that costs more than a memory access;
- where several kernels use it and it holds at least ``_STORE_FROM`` such operations. Softmax of
  a 2000 x 2000 matrix takes 7.5 ms with its exponentials stored, 10.5 ms with them computed twice;
  of a 100 x 100 matrix 33 us and 25 us.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray
from ..core.jaxpr import Eqn, Jaxpr, Literal, Var
from .scalars import NATIVE, is_heavy, template
from .views import View, contiguous

_STORE_FROM = 1
#: How many operations a shape change may have computed anew.
_REPEAT_UP_TO = 64


class Leaf:
    """An array, or a part of one, in a slot."""

    __slots__ = ("dtype", "slot", "view")

    def __init__(self, slot: int, view: View, dtype: np.dtype):
        self.slot = slot
        self.view = view
        self.dtype = dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.view.shape


class Number:
    """A scalar that stands in the program."""

    __slots__ = ("dtype", "shape", "value")

    def __init__(self, value: Any, shape: tuple[int, ...] = ()):
        self.value = value
        self.dtype = np.dtype(value.dtype)
        self.shape = shape


class Counter:
    """Each element's position: the numbers that a view maps indices to."""

    __slots__ = ("dtype", "view")

    def __init__(self, view: View, dtype: np.dtype):
        self.view = view
        self.dtype = dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.view.shape


class Node:
    """An elementwise operation on expressions of one shape."""

    __slots__ = ("args", "dtype", "expression", "shape", "weight")

    def __init__(
        self, expression: str, args: list[Any], dtype: np.dtype, shape: tuple[int, ...], heavy: bool
    ):
        self.expression = expression
        self.args = args
        self.dtype = dtype
        self.shape = shape
        #: How many operations stand below it that are better stored than repeated.
        self.weight = heavy + sum(a.weight for a in args if isinstance(a, Node))


Expression = Leaf | Number | Counter | Node


class Root:
    """An expression that goes to memory: stored through a view, or reduced into it."""

    __slots__ = ("expression", "reduce", "slot", "view")

    def __init__(self, expression: Expression, slot: int, view: View, reduce: str = ""):
        self.expression = expression
        self.slot = slot
        self.view = view
        self.reduce = reduce


class KernelDraft:
    """Roots over one space, in one nest of loops."""

    def __init__(self, shape: tuple[int, ...], reduced: tuple[int, ...]):
        self.shape = shape
        self.reduced = reduced
        self.roots: list[Root] = []
        #: Expressions, by identity, that earlier kernels have stored.
        self.stored: dict[int, Leaf] = {}


class HostStep:
    """A call of a NumPy function: what has no lowering runs through its implementation."""

    def __init__(
        self, name: str, call: Callable[..., list[Any]], args: list[Any], slots: list[int]
    ):
        self.name = name
        self.call = call
        #: Leaves and numbers.
        self.args = args
        self.slots = slots


def _implementation(eqn: Eqn) -> Callable[..., list[Any]]:
    impl, params = eqn.primitive.rule("impl", "jit"), eqn.params
    if eqn.primitive.multiple_results:
        return lambda *args: impl(*args, **params)
    return lambda *args: [impl(*args, **params)]


_REDUCTIONS = {
    "reduce_sum": "sum",
    "reduce_prod": "prod",
    "reduce_max": "max",
    "reduce_min": "min",
}


class Plan:
    """A jaxpr, planned.

    Attributes:
      inputs, consts: the slot of each input; (slot, value) of each constant.
      temporaries, outputs: slot to aval, for what kernels write: kept by the program, or new for
        each call.
      steps: kernel drafts and host steps, in order.
      results: for each output, its slot, or a number.
    """

    def __init__(self, jaxpr: Jaxpr):
        self.slot_count = 0
        self.temporaries: dict[int, ShapedArray] = {}
        self.outputs: dict[int, ShapedArray] = {}
        self.steps: list[KernelDraft | HostStep] = []
        self._written_at: dict[int, int] = {}
        self._env: dict[Var, Expression] = {}
        #: Expressions that are stored, by identity.
        self._stored: dict[int, tuple[Expression, Leaf]] = {}
        #: The shapes of inputs, constants and what host steps make.
        self._shapes: dict[int, tuple[int, ...]] = {}
        self.inputs = [self._bind_leaf(v) for v in jaxpr.invars]
        self.consts = [
            (self._bind_leaf(v), c) for v, c in zip(jaxpr.constvars, jaxpr.consts, strict=True)
        ]
        for eqn in jaxpr.eqns:
            self._visit(eqn)
        self.results = [self._result(self._read(a), a.aval) for a in jaxpr.outvars]

    # --- slots --------------------------------------------------------------------------------

    def _slot(self) -> int:
        self.slot_count += 1
        return self.slot_count - 1

    def _bind_leaf(self, var: Var) -> int:
        slot = self._slot()
        self._shapes[slot] = var.aval.shape
        self._env[var] = Leaf(slot, contiguous(var.aval.shape), var.aval.dtype)
        return slot

    def _read(self, atom: Any) -> Expression:
        if type(atom) is Literal:
            return Number(atom.aval.dtype.type(atom.value))
        return self._env[atom]

    def new_array(self, shape: tuple[int, ...], dtype: np.dtype) -> Leaf:
        slot = self._slot()
        self.temporaries[slot] = ShapedArray(shape, dtype)
        return Leaf(slot, contiguous(shape), dtype)

    def store(self, expression: Expression) -> Leaf:
        """The expression as a leaf, stored where it is not one yet."""
        if isinstance(expression, Leaf):
            return expression
        _, leaf = self._stored.get(id(expression), (None, None))
        if leaf is None:
            leaf = self.new_array(expression.shape, expression.dtype)
            self.add(Root(expression, leaf.slot, leaf.view), expression.shape)
            self._stored[id(expression)] = expression, leaf
        return leaf

    def _result(self, expression: Expression, aval: ShapedArray) -> Any:
        if isinstance(expression, Number) and not aval.shape:
            return expression.value
        leaf = self.store(expression)
        made = self.temporaries.get(leaf.slot)
        in_order = leaf.view.is_in_order
        if made is not None and in_order and made.size == aval.size:
            self.outputs[leaf.slot] = ShapedArray(aval.shape, aval.dtype)
            del self.temporaries[leaf.slot]
        elif not in_order or self._shapes.get(leaf.slot) != aval.shape:
            leaf = self.copy(leaf)
            if leaf.slot in self.temporaries:
                self.outputs[leaf.slot] = self.temporaries.pop(leaf.slot)
        return leaf.slot

    def copy(self, leaf: Leaf) -> Leaf:
        """A leaf's elements in C order."""
        if leaf.dtype in NATIVE:
            made = self.new_array(leaf.shape, leaf.dtype)
            self.add(Root(leaf, made.slot, made.view), leaf.shape)
        else:
            made = Leaf(self._slot(), contiguous(leaf.shape), leaf.dtype)
            self._add_host(HostStep("copy", lambda x: [np.array(x)], [leaf], [made.slot]))
        return made

    # --- steps --------------------------------------------------------------------------------

    def add(
        self, root: Root, shape: tuple[int, ...], reduced: tuple[int, ...] = (), over: bool = False
    ) -> None:
        """Put a root into the earliest fitting kernel that follows what it reads, and, with
        ``over``, what it writes over. Over no elements there is nothing to do, and nothing that
        may be read."""
        if 0 in shape:
            return
        waits_for = slots_of(root.expression) | ({root.slot} if over else set())
        ready = max((self._written_at.get(s, -1) for s in waits_for), default=-1)
        for position in range(ready + 1, len(self.steps)):
            step = self.steps[position]
            if isinstance(step, KernelDraft) and step.shape == shape:
                if reduced and not step.reduced:
                    step.reduced = reduced
                if step.reduced == reduced or not reduced:
                    break
        else:
            position = len(self.steps)
            self.steps.append(KernelDraft(shape, reduced))
        self.steps[position].roots.append(root)  # type: ignore[union-attr]
        self._written_at[root.slot] = max(position, self._written_at.get(root.slot, -1))

    def _add_host(self, step: HostStep) -> None:
        self._written_at.update(dict.fromkeys(step.slots, len(self.steps)))
        self.steps.append(step)

    def _visit(self, eqn: Eqn) -> None:
        args = [self._read(a) for a in eqn.invars]
        out = eqn.outvars[0].aval if eqn.outvars else None
        rule = _SHAPE_RULES.get(eqn.primitive.name)
        if rule is not None and out is not None:
            made = rule(self, args, out, eqn.params)
        elif eqn.primitive.name in _REDUCTIONS and out is not None:
            made = self._reduce(eqn, args[0], out)
        elif out is not None and len(eqn.outvars) == 1:
            made = self._elementwise(eqn, args, out)
        else:
            made = None
        if made is not None:
            self._env[eqn.outvars[0]] = made
            return
        leaves = [a if isinstance(a, Number) and not a.shape else self.store(a) for a in args]
        slots = [self._bind_leaf(v) for v in eqn.outvars]
        self._add_host(HostStep(eqn.primitive.name, _implementation(eqn), leaves, slots))

    def _elementwise(self, eqn: Eqn, args: list[Expression], out: ShapedArray) -> Any:
        expression = template(eqn.primitive.name, [a.dtype for a in args], out.dtype, eqn.params)
        if expression is None or any(a.shape not in ((), out.shape) for a in args):
            return None
        spread = [self.spread(a, out.shape, ()) if a.shape != out.shape else a for a in args]
        heavy = is_heavy(eqn.primitive.name)
        return Node(expression, spread, out.dtype, out.shape, heavy)

    def _reduce(self, eqn: Eqn, arg: Expression, out: ShapedArray) -> Any:
        kind, axes = _REDUCTIONS[eqn.primitive.name], eqn.params["axes"]
        if out.dtype not in NATIVE or out.dtype == np.bool_:
            return None
        if out.dtype.kind != "f" and kind in ("max", "min"):
            return None
        if 0 in arg.shape:
            return Number(out.dtype.type(kind == "prod"), out.shape)
        leaf = self.new_array(out.shape, out.dtype)
        kept = tuple(d for d in range(len(arg.shape)) if d not in axes)
        view = leaf.view.broadcast(arg.shape, kept)
        self.add(Root(arg, leaf.slot, view, kind), arg.shape, tuple(sorted(axes)))
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
        through one view after another (``x = x + transpose(x)``) would double each time.
        """
        if len(_operations(expression, _REPEAT_UP_TO + 1)) > _REPEAT_UP_TO:
            expression = self.store(expression)
        return _reindex(expression, change, shape)


def _operations(expression: Expression, limit: int) -> set[int]:
    """The operations that an expression is made of, by identity; about ``limit`` at most."""
    found: set[int] = set()
    todo = [expression]
    while todo and len(found) < limit:
        e = todo.pop()
        if isinstance(e, Node) and id(e) not in found:
            found.add(id(e))
            todo.extend(e.args)
    return found


def _reindex(
    expression: Expression, change: Callable[[View], View], shape: tuple[int, ...]
) -> Expression:
    seen: dict[int, Expression] = {}

    def visit(e: Expression) -> Expression:
        if id(e) not in seen:
            if isinstance(e, Leaf):
                seen[id(e)] = Leaf(e.slot, change(e.view), e.dtype)
            elif isinstance(e, Counter):
                seen[id(e)] = Counter(change(e.view), e.dtype)
            elif isinstance(e, Number):
                seen[id(e)] = Number(e.value, shape)
            else:
                args = [visit(a) for a in e.args]
                copy = Node(e.expression, args, e.dtype, shape, False)
                copy.weight = e.weight
                seen[id(e)] = copy
        return seen[id(e)]

    return visit(expression)


def slots_of(expression: Expression) -> set[int]:
    """The slots that an expression reads."""
    found: set[int] = set()
    seen: set[int] = set()
    todo = [expression]
    while todo:
        e = todo.pop()
        if id(e) in seen:
            continue
        seen.add(id(e))
        if isinstance(e, Leaf):
            found.add(e.slot)
        elif isinstance(e, Node):
            todo.extend(e.args)
    return found


# --- rules: (plan, args, out aval, params) -> expression, or None for a host step ----------------


def _broadcast(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    if isinstance(args[0], Number) and out.dtype not in NATIVE:
        return None  # no kernel could store it
    return plan.spread(args[0], out.shape, params["broadcast_dimensions"])


def _transpose(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    return plan.reindex(args[0], lambda v: v.transpose(params["permutation"]), out.shape)


def _slice(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    return plan.reindex(
        args[0],
        lambda v: v.slice(params["start_indices"], out.shape, params["strides"]),
        out.shape,
    )


def _rev(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    return plan.reindex(args[0], lambda v: v.reverse(params["dimensions"]), out.shape)


def _reshape(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    try:
        return plan.reindex(args[0], lambda v: _affine(v.reshape(out.shape)), out.shape)
    except _NotAffineError:
        pass
    leaf = plan.store(args[0])
    view = leaf.view.reshape(out.shape)
    if view is None:  # a leaf that is read through a view
        leaf, view = plan.copy(leaf), contiguous(out.shape)
    return Leaf(leaf.slot, view, leaf.dtype)


class _NotAffineError(Exception):
    """A reshape that no view can express."""


def _affine(view: View | None) -> View:
    if view is None:
        raise _NotAffineError
    return view


def _iota(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    if out.dtype not in NATIVE or out.dtype == np.bool_:
        return None
    strides = tuple(int(d == params["dimension"]) for d in range(len(out.shape)))
    return Counter(View(out.shape, strides), out.dtype)


def _pad(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    x, value = args
    if out.dtype not in NATIVE or 0 in x.shape:
        return None
    leaf = plan.new_array(out.shape, out.dtype)
    fill = plan.spread(value, out.shape, ())
    plan.add(Root(fill, leaf.slot, leaf.view), out.shape)
    starts, first, sizes, steps = [], [], [], []
    for size, total, (low, _, interior) in zip(
        x.shape, out.shape, params["padding_config"], strict=True
    ):
        step = interior + 1
        # The elements of x that land inside: low + i * step in [0, total).
        begin = max(0, -(low // step))
        end = min(size, (total - low + step - 1) // step)
        starts.append(begin)
        sizes.append(max(0, end - begin))
        first.append(low + begin * step)
        steps.append(step)
    shape = tuple(sizes)
    if 0 in shape:
        return leaf
    part = plan.reindex(x, lambda v: v.slice(starts, shape, [1] * len(shape)), shape)
    target = leaf.view.slice(first, shape, steps)
    plan.add(Root(part, leaf.slot, target), shape, over=True)
    return leaf


def _concatenate(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    if out.dtype not in NATIVE:
        return None
    leaf = plan.new_array(out.shape, out.dtype)
    starts = [0] * len(out.shape)
    for x in args:
        target = leaf.view.slice(starts, x.shape, [1] * len(starts))
        plan.add(Root(x, leaf.slot, target), x.shape)
        starts[params["dimension"]] += x.shape[params["dimension"]]
    return leaf


_SHAPE_RULES: dict[str, Callable[[Plan, list[Any], ShapedArray, dict], Any]] = {
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "slice": _slice,
    "rev": _rev,
    "reshape": _reshape,
    "iota": _iota,
    "pad": _pad,
    "concatenate": _concatenate,
}
