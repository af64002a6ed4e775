"""Windows that move along an array: views, and folds over them.

A rule takes ``(plan, args, out aval, params)`` and returns an expression, or None for a host step.
A window of a few elements is folded as one expression over as many shifted views, which vectorises
along the array. A larger one is folded along one dimension after the other, and a long dimension
by runs of 2, 4, 8, ... elements.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.avals import ShapedArray
from .expressions import Expression, Leaf, Node, Number, Root
from .scalars import NATIVE, template
from .views import View

if TYPE_CHECKING:
    from .fusion import Plan

#: Windows of up to so many elements are one expression.
_AT_ONCE = 16
#: Windows of up to so many elements are added up by one step for each of these.
_ADD_ONE_BY_ONE = 64
#: The primitive that combines two elements.
_COMBINE = {
    "reduce_window_sum": "add", "reduce_window_prod": "mul",
    "reduce_window_max": "max", "reduce_window_min": "min",
    "reduce_window_and": "bitwise_and", "reduce_window_or": "bitwise_or",
    "reduce_window_xor": "bitwise_xor",
}  # fmt: skip


def _stored(plan: Plan, x: Expression, cheap: bool) -> Expression:
    """An expression that is read several times for each element; stored, unless it is a view or,
    where operations may be cheap enough to repeat, made of such."""
    return plan.store(x) if isinstance(x, Node) and (x.weight or not cheap) else x


def _windows(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    places = out.shape[: len(params["window"])]
    x = _stored(plan, args[0], cheap=True)
    return plan.reindex(x, lambda v: v.windows(places, **params), out.shape)


def _overlap_add(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    if out.dtype not in NATIVE:
        return None
    x, rank = _stored(plan, args[0], cheap=True), len(out.shape)
    leaf = plan.new_array(out.shape, out.dtype)
    plan.add(Root(Number(out.dtype.type(0), out.shape), leaf.slot, leaf.view), out.shape)
    places = x.shape[:rank]
    move = {k: params[k] for k in ("window", "strides", "dilation")}
    target = leaf.view.windows(places, **move)
    if math.prod(params["window"]) > _ADD_ONE_BY_ONE:
        plan.add(Root(x, leaf.slot, target, "scatter", "sum"), x.shape, over=True, alone=True)
        return leaf
    # One element of all windows after the other: no two of them are in one place.
    steps, text = (1,) * (2 * rank), template("add", [out.dtype] * 2, out.dtype, {})
    assert text is not None
    for index in itertools.product(*map(range, params["window"])):
        start, size = (*(0,) * rank, *index), (*places, *(1,) * rank)

        def part(view: View, start: tuple = start, size: tuple = size) -> View:
            taken = view.slice(start, size, steps)
            return View(places, taken.strides[:rank], taken.offset)

        view = part(target)
        before = Leaf(leaf.slot, view, out.dtype)
        total = Node(text, [before, plan.reindex(x, part, places)], out.dtype, places, False)
        plan.add(Root(total, leaf.slot, view), places, over=True, alone=True)
    return leaf


def _along(values: tuple, axis: int, value: int) -> tuple:
    return (*values[:axis], value, *values[axis + 1 :])


class _Fold:
    """Folds over windows, by one operation."""

    def __init__(self, plan: Plan, kind: str, text: str, dtype: np.dtype):
        self.plan = plan
        self.kind = kind
        self.text = text
        self.dtype = dtype

    def part(self, x: Any, start: tuple, shape: tuple, steps: tuple) -> Any:
        return self.plan.reindex(x, lambda v: v.slice(start, shape, steps), shape)

    def combine(self, parts: list[Any]) -> Any:
        """Neighbours by pairs."""
        while len(parts) > 1:
            rest = parts[len(parts) - len(parts) % 2 :]
            pairs = zip(parts[::2], parts[1::2], strict=False)
            parts = [Node(self.text, list(p), self.dtype, p[0].shape, False) for p in pairs] + rest
        return parts[0]

    def at_once(self, x: Any, places: tuple, window: tuple, strides: tuple, dilation: tuple) -> Any:
        offsets = itertools.product(*map(range, window))
        starts = [tuple(i * d for i, d in zip(o, dilation, strict=True)) for o in offsets]
        return self.combine([self.part(x, start, places, strides) for start in starts])

    def along(self, x: Any, axis: int, count: int, window: int, stride: int, step: int) -> Any:
        """Along one dimension, ``count`` windows of elements ``step`` apart."""
        x = _stored(self.plan, x, cheap=False)
        ones = (1,) * len(x.shape)
        if count == 1 and self.dtype != np.bool_:
            return self.whole(x, axis, window, step)
        if window > _AT_ONCE:
            return self.by_doubling(x, axis, count, window, stride, step)
        move = [_along(ones, axis, n) for n in (window, stride, step)]
        return self.at_once(x, _along(x.shape, axis, count), *move)

    def whole(self, x: Any, axis: int, window: int, step: int) -> Leaf:
        """One window: an ordinary reduction."""
        shape, ones = _along(x.shape, axis, window), (1,) * len(x.shape)
        kept = [d for d in range(len(shape)) if d != axis]
        leaf = self.plan.new_array(tuple(shape[d] for d in kept), self.dtype)
        part = self.part(x, (0,) * len(shape), shape, _along(ones, axis, step))
        target = leaf.view.broadcast(shape, kept)
        self.plan.add(Root(part, leaf.slot, target, "reduce", self.kind), shape, (axis,))
        return Leaf(leaf.slot, leaf.view.broadcast(_along(shape, axis, 1), kept), self.dtype)

    def by_doubling(
        self, x: Any, axis: int, count: int, window: int, stride: int, step: int
    ) -> Any:
        ones, zeros = (1,) * len(x.shape), (0,) * len(x.shape)
        parts, covered, size, run = [], 0, 1, x
        while True:
            if window & size:
                start, shape = _along(zeros, axis, covered * step), _along(run.shape, axis, count)
                parts.append(self.part(run, start, shape, _along(ones, axis, stride)))
                covered += size
            if 2 * size > window:
                return self.combine(parts)
            shape = _along(run.shape, axis, run.shape[axis] - size * step)
            starts = [_along(zeros, axis, s) for s in (0, size * step)]
            run = self.plan.store(self.combine([self.part(run, s, shape, ones) for s in starts]))
            size *= 2


def _reduction(primitive: str) -> Any:
    def rule(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
        text = template(_COMBINE[primitive], [out.dtype] * 2, out.dtype, {})
        if text is None or 0 in out.shape:
            return None
        fold = _Fold(plan, primitive.removeprefix("reduce_window_"), text, out.dtype)
        x = _stored(plan, args[0], cheap=False)
        if math.prod(params["window"]) <= _AT_ONCE:
            return fold.at_once(x, out.shape, **params)
        moves = zip(params["window"], params["strides"], params["dilation"], strict=True)
        for axis, move in enumerate(moves):
            x = fold.along(x, axis, out.shape[axis], *move)
        return x

    return rule


#: By the name of the primitive.
RULES = {name: _reduction(name) for name in _COMBINE} | {
    "windows": _windows,
    "overlap_add": _overlap_add,
}
