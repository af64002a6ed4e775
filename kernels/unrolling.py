"""Small dimensions unrolled: an array of 5000 x 3 as three expressions over 5000.

A function of a few numbers that is applied to a whole batch of them has arrays of one long
dimension and small ones: points, rotations, covariances, what ``vmap`` makes of them. As loops over
all dimensions, those over two or three elements would be innermost, and each sum over them a kernel
of its own. Here such an array is an expression over the long dimension for each element of the
others, its *parts*. Changes of shape move parts about and cost nothing, sums over small dimensions
are expressions, and what remains is one loop over the batch, in vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.avals import ShapedArray
from ..core.jaxpr import Eqn, Jaxpr, Var
from .expressions import TINY_UP_TO, Expression, Node, Root, has_operations, reindex
from .scalars import NATIVE, is_heavy, template
from .source import folded
from .views import View

if TYPE_CHECKING:
    from .fusion import Plan

#: A dimension is long from so many elements on, and others are small where they have at most so
#: many together.
_LONG_FROM = TINY_UP_TO + 1
_SMALL_UP_TO = 32
#: How many operations what belongs together may have in the end, functions and divisions counted
#: as so many, and a product of matrices. 700 multiplications and additions take 0.15 s to compile.
_OPERATIONS_UP_TO = 2000
_HEAVY = 8
_PRODUCT_UP_TO = 64
#: Up to how many terms a sum over small dimensions takes less time in a loop over the long one. The
#: norms of 5000 rows of 3 numbers take 2 us in place of 18, of 8 numbers 13 in place of 21, of 16
#: numbers 26 in place of 23. How many there are is part of the code then: no more than what pays.
_TERMS_UP_TO = 8
#: The same for products with one matrix for all, which BLAS knows how to do.
_SHARED_UP_TO = 4
#: How many operations an array that is read may consist of; one of more is stored first.
_REPEAT_UP_TO = 16

REDUCTIONS = {
    "reduce_sum": "sum",
    "reduce_prod": "prod",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
    "reduce_xor": "xor",
}


class Parts:
    """An array with its small dimensions unrolled.

    Attributes:
      shape, dtype: the array's.
      axis: its long dimension.
      items: an expression over the long dimension for each element of the others: an array of
        objects of the array's shape, except that its long dimension has one element.
      whole: the array as one expression, once it has been made.
    """

    __slots__ = ("axis", "dtype", "items", "shape", "whole")

    def __init__(
        self,
        items: np.ndarray,
        shape: tuple[int, ...],
        axis: int,
        dtype: np.dtype,
        whole: Expression | None = None,
    ):
        self.items = items
        self.shape = shape
        self.axis = axis
        self.dtype = dtype
        self.whole = whole

    def expressions(self) -> list[Expression]:
        return [*self.items.flat, *([] if self.whole is None else [self.whole])]

    def as_one(self, plan: Plan) -> Expression:
        """The array as one expression: stored, where it has several parts."""
        if self.whole is None and self.items.size == 1:
            (item,) = self.items.flat
            item = _over(plan, item, self.shape[self.axis])
            self.whole = plan.reindex(item, self._spread_out, self.shape)
        elif self.whole is None:
            self.whole = leaf = plan.new_array(self.shape, self.dtype)
            for index in np.ndindex(*self.items.shape):
                e = _over(plan, self.items[index], self.shape[self.axis])
                plan.add(Root(e, leaf.slot, _part(leaf.view, index, self.axis)), e.shape)
        return self.whole

    def _spread_out(self, view: View) -> View:
        strides = tuple(view.strides[0] if d == self.axis else 0 for d in range(len(self.shape)))
        return View(self.shape, strides, view.offset)


def _part(view: View, index: Sequence[int], axis: int) -> View:
    offset = view.offset + sum(i * s for i, s in zip(index, view.strides, strict=True))
    return View((view.shape[axis],), (view.strides[axis],), offset)


def _over(plan: Plan, part: Expression, n: int) -> Expression:
    """A part over the long dimension, which a number may not have."""
    return part if part.shape else plan.spread(part, (n,), ())


def parts_of(plan: Plan, x: Expression) -> Parts:
    """An array that is an expression, unrolled."""
    axis = _long(x.shape)
    assert axis is not None
    whole = x
    if has_operations(x, _REPEAT_UP_TO + 1):
        x = plan.store(x)
    items = np.empty(_short(x.shape, axis), object)
    for index in np.ndindex(*items.shape):
        items[index] = reindex(
            x, lambda view, index=index: _part(view, index, axis), (x.shape[axis],)
        )
    return Parts(items, x.shape, axis, x.dtype, whole)


def has_parts(shape: Sequence[int]) -> bool:
    """Whether there is something to unroll."""
    return len(shape) > 1 and _long(shape) is not None


def _elements_of(plan: Plan, x: Expression, n: int) -> np.ndarray:
    """The elements of a small array, each the same along a dimension of ``n``; or an array of
    nothing but that dimension."""
    if x.shape == (n,):
        items = np.empty(1, object)
        items[0] = x
        return items
    items = np.empty(x.shape, object)
    leaf = plan.store(x) if isinstance(x, Node) else x
    for index in np.ndindex(*items.shape):
        items[index] = reindex(
            leaf,
            lambda v, index=index: View(
                (n,), (0,), v.offset + sum(i * s for i, s in zip(index, v.strides, strict=True))
            ),
            (n,),
        )
    return items


# --- what is unrolled -----------------------------------------------------------------------------


def _long(shape: Sequence[int]) -> int | None:
    """Which dimension is long while the others are small, None where none is."""
    size = math.prod(shape)
    for d, n in enumerate(shape):
        if n >= _LONG_FROM and 0 < size <= n * _SMALL_UP_TO:
            return d
    return None


def _short(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return tuple(1 if d == axis else n for d, n in enumerate(shape))


def chosen(jaxpr: Jaxpr) -> set[int]:
    """The equations, by identity, that are unrolled: those that hang together through arrays of
    small dimensions, where there is something to gain among them and they are not too many."""
    parent: dict[Var, Var] = {}

    def find(v: Var) -> Var:
        while parent.setdefault(v, v) is not v:
            v = parent[v]
        return v

    found: list[tuple[Eqn, Var, int]] = []
    for eqn in jaxpr.eqns:
        cost = _cost(eqn)
        atoms = (*eqn.invars, *eqn.outvars)
        wide = [v for v in atoms if type(v) is Var and len(v.aval.shape) > 1 and _is_long(v)]
        if cost is None or not wide:
            continue
        for v in wide[1:]:
            parent[find(v)] = find(wide[0])
        found.append((eqn, wide[0], cost))
    costs: dict[Var, int] = {}
    gains: dict[Var, int] = {}
    for eqn, var, cost in found:
        region = find(var)
        costs[region] = costs.get(region, 0) + cost
        gains[region] = gains.get(region, 0) + _gain(eqn)
    return {
        id(eqn)
        for eqn, var, _ in found
        if gains[find(var)] > 0 and costs[find(var)] <= _OPERATIONS_UP_TO
    }


def _is_long(atom: Any) -> bool:
    return _long(atom.aval.shape) is not None


def _gain(eqn: Eqn) -> int:
    """Whether an equation keeps others from running in one loop, or its own loops short, and would
    not if it was unrolled: 1 for a sum of few terms and for few sums or an array put together of
    few, -1 for a sum of many terms, or else 0."""
    name, shape = eqn.primitive.name, eqn.invars[0].aval.shape
    few = _TERMS_UP_TO
    if name == "concatenate":
        return int(math.prod(eqn.outvars[0].aval.shape) <= few * max(shape))
    if name == "dot_general":
        (axes, _), (batch, _) = eqn.params["dimension_numbers"]
        few = few if batch else _SHARED_UP_TO
    elif name in REDUCTIONS:
        axes = eqn.params["axes"]
        if _long(shape) in axes:  # rows that are long are summed well as they are
            inner = axes[0] < len(shape) - 1
            return int(len(axes) == 1 and inner and eqn.outvars[0].aval.size <= few)
    else:
        return 0
    return (1 if math.prod(shape[d] for d in axes) <= few else -1) if axes else 0


def _cost(eqn: Eqn) -> int | None:
    """How many operations an equation becomes; None where it cannot be unrolled."""
    if len(eqn.outvars) != 1 or not eqn.invars:
        return None
    name, out = eqn.primitive.name, eqn.outvars[0].aval
    atoms = [out, *(a.aval for a in eqn.invars)]
    if name in REDUCTIONS:
        return _sum_cost(atoms[1], out, REDUCTIONS[name])
    axis = _long(out.shape)
    if axis is None or any(a.dtype not in NATIVE for a in atoms):
        return None
    axes = []
    for aval in atoms[1:]:
        at = _long(aval.shape)
        if at is not None and aval.shape[at] != out.shape[axis]:
            return None
        if at is None and aval.size > _SMALL_UP_TO:
            return None
        axes.append(at)
    per_row = out.size // out.shape[axis]
    if name in _SHAPES:
        return 0 if _FITS[name](atoms[1:], axes, out, axis, eqn.params) else None
    if name == "dot_general":
        return _product_cost(atoms[1:], axes, out, axis, eqn.params)
    if any(a.shape not in ((), out.shape) for a in atoms[1:]):
        return None
    known = template(name, [a.dtype for a in atoms[1:]], out.dtype, eqn.params)
    if known is None:
        return None
    return per_row * (_HEAVY if is_heavy(name) else 1)


def _sum_cost(x: ShapedArray, out: ShapedArray, kind: str) -> int | None:
    axis = _long(x.shape)
    bits = kind in ("and", "or", "xor")
    if axis is None or out.dtype not in NATIVE or (out.dtype == np.bool_ and not bits):
        return None
    return x.size // x.shape[axis]


def _product_cost(
    args: list[ShapedArray], axes: list[int | None], out: ShapedArray, axis: int, params: dict
) -> int | None:
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = params["dimension_numbers"]
    if out.dtype == np.bool_ or any(a.dtype != out.dtype for a in args):
        return None
    places: list[int | None] = []
    first = len(lhs_batch)
    for aval, at, contract, batch in zip(
        args, axes, (lhs_contract, rhs_contract), (lhs_batch, rhs_batch), strict=True
    ):
        free = [d for d in range(len(aval.shape)) if d not in (*contract, *batch)]
        if at is not None:
            if at in contract:
                return None
            places.append(batch.index(at) if at in batch else first + free.index(at))
        first += len(free)
    if any(place != axis for place in places):
        return None
    inner = math.prod(args[0].shape[d] for d in lhs_contract)
    cost = out.size // out.shape[axis] * inner
    return 2 * cost if 0 < cost <= _PRODUCT_UP_TO else None


# --- changes of shape -----------------------------------------------------------------------------
# Each with a test: (operands' types, their long dimensions, result's type, its long dimension,
# parameters), and what becomes of the parts: (operands, result's shape, parameters).


def _broadcast(args: list[np.ndarray], shape: tuple[int, ...], params: dict) -> np.ndarray:
    sizes = [1] * len(shape)
    for d, n in zip(params["broadcast_dimensions"], args[0].shape, strict=True):
        sizes[d] = n
    return np.broadcast_to(args[0].reshape(sizes), shape)


def _broadcasts(args: Any, axes: list[int | None], out: Any, axis: int, params: dict) -> bool:
    return axes[0] is None or params["broadcast_dimensions"][axes[0]] == axis


def _transpose(args: list[np.ndarray], shape: tuple[int, ...], params: dict) -> np.ndarray:
    return args[0].transpose(params["permutation"])


def _transposes(args: Any, axes: list[int | None], out: Any, axis: int, params: dict) -> bool:
    return params["permutation"][axis] == axes[0]


def _slice(args: list[np.ndarray], shape: tuple[int, ...], params: dict) -> np.ndarray:
    bounds = zip(params["start_indices"], params["limit_indices"], params["strides"], strict=True)
    return args[0][tuple(slice(*b) for b in bounds)]


def _stays(args: Any, axes: list[int | None], out: Any, axis: int, params: dict) -> bool:
    return axes[0] == axis


def _rev(args: list[np.ndarray], shape: tuple[int, ...], params: dict) -> np.ndarray:
    return np.flip(args[0], params["dimensions"])


def _reverses(args: Any, axes: list[int | None], out: Any, axis: int, params: dict) -> bool:
    return axes[0] == axis and axis not in params["dimensions"]


def _reshape(args: list[np.ndarray], shape: tuple[int, ...], params: dict) -> np.ndarray:
    return args[0].reshape(shape)


def _reshapes(args: list[Any], axes: list[int | None], out: Any, axis: int, params: dict) -> bool:
    before = None if axes[0] is None else math.prod(args[0].shape[: axes[0]])
    return before == math.prod(out.shape[:axis])


def _pad(args: list[np.ndarray], shape: tuple[int, ...], params: dict) -> np.ndarray:
    x, value = args
    items = np.empty(shape, object)
    items[...] = value[()]
    for index in np.ndindex(*x.shape):
        places = zip(index, params["padding_config"], strict=True)
        at = tuple(low + i * (interior + 1) for i, (low, _, interior) in places)
        if all(0 <= i < n for i, n in zip(at, shape, strict=True)):
            items[at] = x[index]
    return items


def _pads(args: Any, axes: list[int | None], out: Any, axis: int, params: dict) -> bool:
    return axes[0] == axis and not any(params["padding_config"][axis])


def _concatenate(args: list[np.ndarray], shape: tuple[int, ...], params: dict) -> np.ndarray:
    return np.concatenate(args, params["dimension"])


def _concatenates(args: Any, axes: list[int | None], out: Any, axis: int, params: dict) -> bool:
    return params["dimension"] != axis and all(at == axis for at in axes)


_SHAPES: dict[str, Callable[[list[np.ndarray], tuple[int, ...], dict], np.ndarray]] = {
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "slice": _slice,
    "rev": _rev,
    "reshape": _reshape,
    "pad": _pad,
    "concatenate": _concatenate,
}
_FITS: dict[str, Callable[[list[Any], list[int | None], Any, int, dict], bool]] = {
    "broadcast_in_dim": _broadcasts,
    "transpose": _transposes,
    "slice": _stays,
    "rev": _reverses,
    "reshape": _reshapes,
    "pad": _pads,
    "concatenate": _concatenates,
}


# --- what is computed -----------------------------------------------------------------------------


def unrolled(plan: Plan, eqn: Eqn, args: Sequence[Parts | Expression]) -> Parts | Expression:
    """What a chosen equation computes."""
    name, out = eqn.primitive.name, eqn.outvars[0].aval
    if name in REDUCTIONS:
        return _reduce(plan, args[0], REDUCTIONS[name], eqn.params["axes"], out)
    axis = _long(out.shape)
    assert axis is not None
    n, shape = out.shape[axis], _short(out.shape, axis)
    items = [a.items if isinstance(a, Parts) else _elements_of(plan, a, n) for a in args]
    row = ShapedArray((n,), out.dtype)
    if name in _SHAPES:
        made = _SHAPES[name](items, shape, eqn.params)
    elif name == "dot_general":
        made = _product(items, eqn.params, row, shape)
    else:
        made = np.empty(shape, object)
        for index, given in zip(
            np.ndindex(*shape),
            zip(*(np.broadcast_to(x, shape).flat for x in items), strict=True),
            strict=True,
        ):
            made[index] = plan.elementwise(eqn, list(given), row)
    if len(shape) == 1:
        return _over(plan, made[0], n)
    return Parts(made, out.shape, axis, out.dtype)


def _folded(items: Iterable[Expression], kind: str, row: ShapedArray) -> Expression:
    """Expressions folded in pairs, and the pairs in pairs."""
    text = folded(kind, row.dtype.name, "{0}", "{1}")
    level = list(items)
    while len(level) > 1:
        pairs = [
            Node(text, [x, y], row.dtype, row.shape, False)
            for x, y in zip(level[::2], level[1::2], strict=False)
        ]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def _reduce(
    plan: Plan, x: Parts | Expression, kind: str, axes: Sequence[int], out: ShapedArray
) -> Parts | Expression:
    assert isinstance(x, Parts)
    kept = [d for d in range(len(x.shape)) if d not in axes]
    sizes = [x.items.shape[d] for d in kept]
    n = x.shape[x.axis]
    made = np.empty(math.prod(sizes), object)
    for i, terms in enumerate(x.items.transpose([*kept, *axes]).reshape(len(made), -1)):
        made[i] = _folded(terms, kind, ShapedArray((n,), out.dtype))
    if x.axis not in axes:
        axis = kept.index(x.axis)
        if len(kept) == 1:
            return _over(plan, made[0], n)
        return Parts(made.reshape(sizes), out.shape, axis, out.dtype)
    leaf = plan.new_array(out.shape, out.dtype)
    for i, e in enumerate(made):
        root = Root(_over(plan, e, n), leaf.slot, View((n,), (0,), i), "reduce", kind)
        plan.add(root, (n,), (0,))
    return leaf


def _product(
    items: list[np.ndarray], params: dict, row: ShapedArray, shape: tuple[int, ...]
) -> np.ndarray:
    matrices = []
    for x, contract, batch in zip(items, *params["dimension_numbers"], strict=True):
        free = [d for d in range(x.ndim) if d not in (*contract, *batch)]
        sizes = [math.prod(x.shape[d] for d in dims) for dims in (batch, free, contract)]
        matrices.append(x.transpose([*batch, *free, *contract]).reshape(sizes))
    a, b = matrices
    made = np.empty((len(a), a.shape[1], b.shape[1]), object)
    for i, j, k in np.ndindex(*made.shape):
        made[i, j, k] = _folded(
            (
                Node("{0} * {1}", list(pair), row.dtype, row.shape, False)
                for pair in zip(a[i, j], b[i, k], strict=True)
            ),
            "sum",
            row,
        )
    return made.reshape(shape)
