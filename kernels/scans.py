"""Running sums and their like: one loop that keeps what it has so far.

A rule takes ``(plan, args, out aval, params)`` and returns an expression, or None for a host step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.avals import ShapedArray
from .expressions import Number, Root
from .scalars import NATIVE

if TYPE_CHECKING:
    from .fusion import Plan

_FOLDS = {
    "cumsum": "sum", "cumprod": "prod", "cummax": "max", "cummin": "min",
    "cumlogsumexp": "logaddexp", "linear_recurrence": "recurrence",
}  # fmt: skip


def _scan(fold: str) -> Any:
    def rule(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
        if out.dtype not in NATIVE or (out.dtype == np.bool_ and fold not in ("max", "min")):
            return None
        if 0 in out.shape:
            return None
        axis = params["axis"]
        leaf = plan.new_array(out.shape, out.dtype)
        view = leaf.view
        args = [a if a.shape else plan.spread(a, out.shape, ()) for a in args]
        if params["reverse"]:
            view = view.reverse((axis,))
            args = [plan.reindex(a, lambda v: v.reverse((axis,)), out.shape) for a in args]
        factor = args[0] if fold == "recurrence" else None
        root = Root(args[-1], leaf.slot, view, "scan", fold, factor=factor)
        plan.add(root, out.shape, (axis,), alone=True)
        return leaf

    return rule


def _shift(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    (x,), axis = args, params["axis"]
    if out.dtype not in NATIVE or 0 in out.shape:
        return None
    leaf = plan.new_array(out.shape, out.dtype)
    zero = Number(out.dtype.type(0), out.shape)
    plan.add(Root(zero, leaf.slot, leaf.view), out.shape)
    part = tuple(n - (d == axis) for d, n in enumerate(out.shape))
    one, none = [int(d == axis) for d in range(len(part))], [0] * len(part)
    source, target = (one, none) if params["reverse"] else (none, one)
    steps = [1] * len(part)
    moved = plan.reindex(x, lambda v: v.slice(source, part, steps), part)
    plan.add(Root(moved, leaf.slot, leaf.view.slice(target, part, steps)), part, over=True)
    return leaf


#: By the name of the primitive.
RULES = {name: _scan(fold) for name, fold in _FOLDS.items()} | {"shift": _shift}
