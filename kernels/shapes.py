"""Shape changes: what becomes of each in a plan.

A rule takes ``(plan, args, out aval, params)`` and returns an expression, or None for a host step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.avals import ShapedArray
from .expressions import Counter, Leaf, Number, Root
from .scalars import NATIVE
from .views import View, contiguous

if TYPE_CHECKING:
    from .fusion import Plan

#: How many operations are computed anew in the place of a padded array: several of them are often
#: added. The Hessian of a Rosenbrock function of 100 numbers takes 12 us with 4 and 24 us with 16.
_PADDED_UP_TO = 4


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
    config = params["padding_config"]
    if not plan.in_registers(out) and not any(interior for _, _, interior in config):
        around = plan.spread(value, out.shape, ())
        return plan.placed(x, around, [low for low, _, _ in config], out.shape, _PADDED_UP_TO)
    leaf = plan.new_array(out.shape, out.dtype)
    fill = plan.spread(value, out.shape, ())
    plan.add(Root(fill, leaf.slot, leaf.view), out.shape)
    starts, first, sizes, steps = [], [], [], []
    for size, total, (low, _, interior) in zip(x.shape, out.shape, config, strict=True):
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


#: By the name of the primitive.
RULES: dict[str, Callable[[Plan, list[Any], ShapedArray, dict], Any]] = {
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "slice": _slice,
    "rev": _rev,
    "reshape": _reshape,
    "iota": _iota,
    "pad": _pad,
    "concatenate": _concatenate,
}
