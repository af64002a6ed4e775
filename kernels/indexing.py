"""Reading and writing at computed positions: gather, scatter and the dynamic slices.

A gather is an expression like any other: its position is computed by the operations of the loop
that uses it, so it costs no memory. What is out of bounds sets a flag, the position read being
another one then; the program finds the flag when it is done and raises the error.
A rule takes ``(plan, args, out aval, params)`` and returns an expression, or None for a host step.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.avals import ShapedArray, is_inexact
from .expressions import Expression, Leaf, Lookup, Node, Number, Root
from .scalars import NATIVE, template
from .views import View

if TYPE_CHECKING:
    from .fusion import Plan

_INDEX = np.dtype(np.int64)
_BOOL = np.dtype(np.bool_)


def _number(value: int, shape: tuple[int, ...]) -> Number:
    return Number(np.int64(value), shape)


def _node(expression: str, *args: Expression, dtype: np.dtype = _INDEX) -> Node:
    return Node(expression, list(args), dtype, args[0].shape, False)


def _total(terms: list[Expression]) -> Expression:
    return functools.reduce(lambda x, y: _node("{0} + {1}", x, y), terms)


def _signed(index: Expression) -> Expression | None:
    """An index as int64, None where it may be beyond."""
    if index.dtype == _INDEX:
        return index
    if index.dtype == np.uint64:
        return None
    text = template("convert_element_type", [index.dtype], _INDEX, {})
    return text and _node(text, index)


def _place(index: Expression, size: int, mode: str) -> tuple[Expression, Node | None]:
    """A valid position for an index, and where there are others, which are out of bounds."""
    n = _number(size, index.shape)
    if mode == "clip":
        last = _number(size - 1, index.shape)
        return _node("min(max({0}, 0), {1})", index, last), None
    if mode == "wrap":
        return _node("modulo({0}, {1})", index, n), None
    place = _node("{0} + {1} if {0} < 0 else {0}", index, n)
    outside = _node("({0} < 0) | ({0} >= {1})", place, n, dtype=_BOOL)
    return _node("select({0}, 0, {1})", outside, place), outside


class _Positions:
    """What index arrays point to.

    Attributes:
      offset: the position of each element, in elements of the array.
      outside: a bool that is true where an index is out of bounds; None where none can be.
    """

    def __init__(
        self,
        plan: Plan,
        leaf: Leaf,
        indices: list[Expression],
        axes: tuple[int, ...],
        mode: str,
        shape: tuple[int, ...],
    ):
        dims = range(len(indices[0].shape))
        terms: list[Expression] = []
        tests: list[Node] = []
        for index, axis in zip(indices, axes, strict=True):
            spread = plan.spread(index, shape, dims) if index.shape != shape else index
            place, outside = _place(spread, leaf.shape[axis], mode)
            terms.append(_node("{0} * {1}", place, _number(leaf.view.strides[axis], shape)))
            tests += [outside] if outside is not None else []
        self.offset = _total(terms)
        self.outside = (
            functools.reduce(lambda x, y: _node("{0} | {1}", x, y, dtype=_BOOL), tests)
            if tests
            else None
        )


def _window(leaf: Leaf, axes: tuple[int, ...], rank: int, shape: tuple[int, ...]) -> View:
    """The view of the dimensions that are not indexed, behind ``rank`` of the indices."""
    kept = [s for d, s in enumerate(leaf.view.strides) if d not in axes]
    return View(shape, (*(0,) * rank, *kept), leaf.view.offset)


def _signed_all(indices: list[Expression]) -> list[Expression] | None:
    signed = [_signed(i) for i in indices]
    return None if any(i is None for i in signed) else signed  # type: ignore[return-value]


def _gather(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    x, *indices = args
    axes, mode = params["axes"], params["mode"]
    signed = _signed_all(indices)
    if out.dtype not in NATIVE or signed is None or 0 in x.shape or 0 in out.shape:
        return None
    leaf = plan.store(x)
    found = _Positions(plan, leaf, signed, axes, mode, out.shape)
    view = _window(leaf, axes, len(indices[0].shape), out.shape)
    checked = [found.outside] if mode == "raise" else []
    value = Lookup(Leaf(leaf.slot, view, leaf.dtype), [found.offset, *checked])
    if mode not in ("fill", "zero"):
        return value
    fill = Number(_fill(out.dtype) if mode == "fill" else out.dtype.type(0), out.shape)
    assert found.outside is not None
    return _node("select({0}, {1}, {2})", found.outside, fill, value, dtype=out.dtype)


def _fill(dtype: np.dtype) -> Any:
    if is_inexact(dtype):
        return dtype.type(np.nan)
    if dtype == np.bool_:
        return np.True_
    limits = np.iinfo(dtype)
    return dtype.type(limits.min if dtype.kind == "i" else limits.max)


_FOLDS = {"set": "set", "add": "sum", "mul": "prod", "min": "min", "max": "max"}


def _changeable(plan: Plan, x: Expression, out: ShapedArray) -> Leaf:
    """An array to write into: the operand itself where nothing else needs it, or else a copy."""
    own = plan.taken_over(x)
    if own is not None:
        return own
    leaf = plan.new_array(out.shape, out.dtype)
    plan.add(Root(x, leaf.slot, leaf.view), out.shape)
    return leaf


def _apart(plan: Plan, leaf: Leaf, read: list[Any]) -> list[Any]:
    """What is read for a change of an array, stored first where it is computed from that array,
    unless it is a single number, which is read before anything is written."""
    return [plan.store(e) if math.prod(e.shape) > 1 and leaf.reads & e.reads else e for e in read]


def _scatter(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    x, updates, *indices = args
    axes, mode = params["axes"], params["mode"]
    signed = _signed_all(indices)
    if out.dtype not in NATIVE or signed is None or 0 in out.shape:
        return None
    if out.dtype == _BOOL and params["op"] in ("add", "mul"):
        return None
    leaf = _changeable(plan, x, out)
    if 0 in updates.shape:
        return leaf
    updates, *signed = _apart(plan, leaf, [updates, *signed])
    found = _Positions(plan, leaf, signed, axes, mode, updates.shape)
    view = _window(leaf, axes, len(indices[0].shape), updates.shape)
    root = Root(
        updates,
        leaf.slot,
        view,
        "scatter",
        _FOLDS[params["op"]],
        offset=found.offset,
        skip=found.outside,
    )
    plan.add(root, updates.shape, over=True, alone=True)
    if mode == "raise" and found.outside is not None:
        plan.last_draft.checks.append(found.outside)
    return leaf


def _starts(leaf: Leaf, starts: list[Any], sizes: tuple[int, ...]) -> Expression | None:
    """The position at which a window begins, moved so that it is inside."""
    signed = _signed_all(starts)
    if signed is None:
        return None
    terms: list[Expression] = []
    for start, size, n, stride in zip(signed, leaf.shape, sizes, leaf.view.strides, strict=True):
        if size != n:
            place = _node("min(max({0}, 0), {1})", start, _number(size - n, ()))
            terms.append(_node("{0} * {1}", place, _number(stride, ())))
    return _total(terms) if terms else _number(0, ())


def _dynamic_slice(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    x, *starts = args
    if out.dtype not in NATIVE or 0 in out.shape:
        return None
    leaf = plan.store(x)
    offset = _starts(leaf, starts, out.shape)
    if offset is None:
        return None
    view = View(out.shape, leaf.view.strides, leaf.view.offset)
    return Lookup(Leaf(leaf.slot, view, leaf.dtype), [plan.spread(offset, out.shape, ())])


def _in_one_go(plan: Plan, x: Expression, update: Expression) -> bool:
    """Whether an array with a part replaced is better made anew than changed in place or copied
    first: where much is replaced, and something else needs the old array."""
    if 2 * math.prod(update.shape) < math.prod(x.shape):
        return False
    return bool(x.reads & update.reads) or not plan.can_take_over(x)


def _dynamic_update_slice(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    x, update, *starts = args
    if out.dtype not in NATIVE or 0 in update.shape:
        return None
    if any(s.dtype == np.uint64 for s in starts):
        return None
    if all(isinstance(s, Number) for s in starts) and _in_one_go(plan, x, update):
        sizes = zip(starts, out.shape, update.shape, strict=True)
        places = [min(max(int(s.value), 0), n - size) for s, n, size in sizes]
        return plan.placed(update, x, places, out.shape)
    leaf = _changeable(plan, x, out)
    update, *starts = _apart(plan, leaf, [update, *starts])
    offset = _starts(leaf, starts, update.shape)
    if offset is None:
        return None
    view = View(update.shape, leaf.view.strides)
    spread = plan.spread(offset, update.shape, ())
    plan.add(Root(update, leaf.slot, view, offset=spread), update.shape, over=True, alone=True)
    return leaf


#: By the name of the primitive.
RULES = {
    "gather": _gather,
    "scatter": _scatter,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
}
