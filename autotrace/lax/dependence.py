"""Which elements of the operands those of the results come from, for the primitives that
derivatives are made of; see ``autotrace.transforms.dependence``.

Tangents meet linear operations only, so that these rules are few. Many are one: the primitive runs
on the numbers of sets in place of the elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, is_inexact
from ..core.errors import ConcretizationError, located
from ..core.jaxpr import Eqn, Jaxpr, sub_jaxprs
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from ..transforms.batch import Axis
from ..transforms.dependence import (
    Dependence,
    Value,
    find_dependence,
    from_everything,
    gathered,
    independent_inputs,
    is_known,
    sparse,
    together,
    united,
)
from ..transforms.derived import batched
from ..transforms.stage import stage
from .arithmetic import mul_p, select_n_p
from .bodies import Shape
from .branching import cond_p
from .calls import custom_tangent_p, jit_p
from .checkpointing import checkpoint_p
from .convolution import conv_general_dilated_p
from .cumulative import cumsum_p, linear_recurrence_p, shift_p
from .dynamic_slicing import dynamic_slice_p, dynamic_update_slice_p
from .equations import banded_solve_p, solve_p, sylvester_p
from .factorizations import cholesky_cotangent_p, cholesky_tangent_p, triangular_solve_p
from .fourier import dct_p, fft_p
from .implicit import custom_linear_solve_p
from .indexing import gather_p, scatter_p
from .linear import dot_general_p
from .scanning import scan_p
from .slicing import concatenate_p, pad_p, rev_p, slice_p
from .structural import broadcast_in_dim_p, reduce_sum_p, reshape_p, transpose_p
from .sweeping import given_sweeps, sweeps_p
from .windows import overlap_add_p, reduce_window_sum_p, window_reached_p, windows_p

csgraph: Any = LazyModule("scipy.sparse.csgraph")

Avals = Sequence[ShapedArray]
Values = list[Value]

#: So many pairs of elements at most are looked at one by one; of more, lanes depend on themselves.
_PAIRS = 1 << 21
#: So many equations of turns at most are gone through one by one; a longer loop is taken to do in
#: each turn what it does in any.
_TURNS = 20_000
#: A pattern of more nonzeros than these, which take 4 GB, is refused.
_NONZEROS = 1 << 29
#: So often what a loop carries may come to depend on more, before it depends on everything.
_ROUNDS = 24


def _shapes(avals: Avals) -> list[tuple[int, ...]]:
    return [a.shape for a in avals]


# --- elements are moved ------------------------------------------------------------------------


def _moves(primitive: Primitive) -> Callable:
    """Each element of the result is one of the operands', or none: run on the sets' numbers."""
    impl = primitive.rule("impl", "sparsity")

    def rule(operands: Values, ins: Avals, outs: Avals, **params: Any) -> Values:
        ids, table = together(operands, _shapes(ins))
        return [Dependence(impl(*ids, **params), table)]

    return rule


for _primitive in (
    broadcast_in_dim_p, reshape_p, transpose_p, slice_p, rev_p, pad_p, concatenate_p, windows_p,
    shift_p,
):  # fmt: skip
    _primitive.def_dependence(_moves(_primitive))


def _spread(value: Value, shape: tuple[int, ...]) -> Value:
    """What an array depends on that repeats another one."""
    if not isinstance(value, Dependence):
        return None
    return value.moved(lambda ids: np.broadcast_to(ids, shape))


def _any_place(value: Value, axes: Sequence[int], shape: tuple[int, ...]) -> Value:
    """What depends on where along some axes something is, when that may be anywhere."""
    if value is None or not axes:
        return value
    return _spread(value.reduced(axes, keepdims=True), shape)


@select_n_p.def_dependence
def _select_dependence(operands: Values, ins: Avals, outs: Avals) -> Values:
    which, *cases = operands
    shape = outs[0].shape
    if not is_known(which):
        return [united(cases, shape)]
    ids, table = together(cases, _shapes(ins[1:]))
    ids = [np.broadcast_to(i, shape) for i in ids]
    return [Dependence(select_n_p.impl(np.asarray(which), *ids), table)]


@mul_p.def_dependence
def _mul_dependence(operands: Values, ins: Avals, outs: Avals) -> Values:
    shape = outs[0].shape
    masked = []
    for value, other in zip(operands, operands[::-1], strict=True):
        if isinstance(value, Dependence) and is_known(other):  # nothing comes through zeros
            ids = np.where(np.equal(other, 0), 0, value.ids)
            value = Dependence(np.broadcast_to(ids, shape), value.table)
        masked.append(value)
    return [united(masked, shape)]


def _indexed(
    x: Value, shape: Sequence[int], indices: Values, ins: Avals, axes: tuple
) -> tuple[Value, tuple[int, ...], list[Any]]:
    """An operand of a gather or scatter, its dimensions with unknown indices made one element; its
    shape then; and the indices, all known now."""
    unknown = [a for a, i in zip(axes, indices, strict=True) if not is_known(i)]
    if unknown and x is not None:
        x = x.reduced(unknown, keepdims=True)
    known = [
        i if is_known(i) else np.zeros(aval.shape, np.int64)
        for i, aval in zip(indices, ins, strict=True)
    ]
    return x, tuple(1 if d in unknown else n for d, n in enumerate(shape)), known


@gather_p.def_dependence
def _gather_dependence(
    operands: Values, ins: Avals, outs: Avals, *, axes: tuple, mode: str
) -> Values:
    x, *indices = operands
    x, _, known = _indexed(x, ins[0].shape, indices, ins[1:], axes)
    mode = "zero" if mode == "fill" else mode
    return [x.moved(lambda ids: gather_p.impl(ids, *known, axes=axes, mode=mode))]


@scatter_p.def_dependence
def _scatter_dependence(
    operands: Values, ins: Avals, outs: Avals, *, axes: tuple, op: str, mode: str, **params: Any
) -> Values:
    x, updates, *indices = operands
    shape = outs[0].shape
    if op == "set" and all(map(is_known, indices)):
        ids, table = together([x, updates], _shapes(ins[:2]))
        written = scatter_p.impl(*ids, *indices, axes=axes, op=op, mode=mode, **params)
        return [Dependence(written, table)]
    if not isinstance(updates, Dependence):
        return [x]
    _, thin, known = _indexed(None, shape, indices, ins[2:], axes)
    numbers = np.arange(1, math.prod(thin) + 1).reshape(thin)
    reading = "zero" if mode == "drop" else mode
    targets = gather_p.impl(numbers, *known, axes=axes, mode=reading) - 1
    return [united([x, _spread(gathered(targets, updates, thin), shape)], shape)]


@dynamic_slice_p.def_dependence
def _dynamic_slice_dependence(
    operands: Values, ins: Avals, outs: Avals, *, slice_sizes: tuple
) -> Values:
    x, *starts = operands
    unknown = _unknown_starts(starts, slice_sizes, ins[0].shape)
    x = _any_place(x, unknown, ins[0].shape)
    known = [s if is_known(s) else np.int64(0) for s in starts]
    return [x.moved(lambda ids: dynamic_slice_p.impl(ids, *known, slice_sizes=slice_sizes))]


def _unknown_starts(starts: Values, sizes: Sequence[int], shape: Sequence[int]) -> list[int]:
    rows = zip(starts, sizes, shape, strict=True)
    return [d for d, (s, n, size) in enumerate(rows) if n < size and not is_known(s)]


@dynamic_update_slice_p.def_dependence
def _dynamic_update_slice_dependence(operands: Values, ins: Avals, outs: Avals) -> Values:
    x, update, *starts = operands
    shape, part = ins[0].shape, ins[1].shape
    unknown = _unknown_starts(starts, part, shape)
    known = [s if is_known(s) else np.int64(0) for s in starts]
    wide = tuple(shape[d] if d in unknown else n for d, n in enumerate(part))
    ids, table = together([x, _any_place(update, unknown, wide)], [shape, wide])
    written = Dependence(dynamic_update_slice_p.impl(*ids, *known), table)
    return [united([x, written], shape) if unknown else written]


# --- elements are added ------------------------------------------------------------------------


@reduce_sum_p.def_dependence
def _reduce_sum_dependence(operands: Values, ins: Avals, outs: Avals, *, axes: tuple) -> Values:
    return [operands[0].reduced(axes)]


@reduce_window_sum_p.def_dependence
def _window_sum_dependence(operands: Values, ins: Avals, outs: Avals, **params: Any) -> Values:
    seen = operands[0].moved(lambda ids: windows_p.impl(ids, **params))
    rank = len(ins[0].shape)
    return [seen.reduced(range(rank, 2 * rank))]


@window_reached_p.def_dependence
def _reached_dependence(operands: Values, ins: Avals, outs: Avals, **params: Any) -> Values:
    return _window_sum_dependence(operands[:1], ins[:1], outs, **params)


@overlap_add_p.def_dependence
def _overlap_add_dependence(
    operands: Values, ins: Avals, outs: Avals, *, shape: tuple, **params: Any
) -> Values:
    places = np.arange(math.prod(shape)).reshape(shape)
    return [gathered(windows_p.impl(places, **params), operands[0], shape)]


def _running(operands: Values, ins: Avals, outs: Avals, *, axis: int, reverse: bool) -> Values:
    """The last operand is summed up along an axis."""
    value, shape = operands[-1], outs[0].shape
    size = shape[axis]
    if (size + 1) * math.prod(shape) > 2 * _PAIRS:
        return [_any_place(value, [axis], shape)]
    later, earlier = np.tril_indices(size)
    if reverse:
        later, earlier = earlier, later
    places = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), axis, 0)
    ids = np.moveaxis(value.ids, axis, 0)
    return [gathered(places[later], Dependence(ids[earlier], value.table), shape)]


cumsum_p.def_dependence(_running)
linear_recurrence_p.def_dependence(_running)


@dot_general_p.def_dependence
def _dot_dependence(
    operands: Values, ins: Avals, outs: Avals, *, dimension_numbers: tuple
) -> Values:
    contract, batch = dimension_numbers
    shape = outs[0].shape
    count = math.prod(ins[0].shape[d] for d in batch[0])
    thirds = []  # operands as (batch, rest, summed)
    for side in (0, 1):
        rest = [d for d in range(ins[side].ndim) if d not in (*contract[side], *batch[side])]
        order = (*batch[side], *rest, *contract[side])
        summed = math.prod(ins[side].shape[d] for d in contract[side])
        wide = math.prod(ins[side].shape[d] for d in rest)
        thirds.append((order, (count, wide, summed)))
    parts = []
    for side, value in enumerate(operands):
        if not isinstance(value, Dependence):
            continue
        order, flat = thirds[side]
        ids = value.ids.transpose(order).reshape(flat)
        other_order, other_flat = thirds[1 - side]
        other = operands[1 - side]
        if is_known(other):
            other = np.transpose(other, other_order).reshape(other_flat)
            at = np.nonzero(other)
            if len(at[0]) < other.size and len(at[0]) * flat[1] <= _PAIRS:
                parts.append(_through_nonzeros(Dependence(ids, value.table), at, side, shape))
                continue
        sums = Dependence(ids, value.table).reduced((2,))
        full = (count, thirds[0][1][1], thirds[1][1][1])
        repeated = np.broadcast_to(np.expand_dims(sums.ids, 2 - side), full)
        parts.append(Dependence(repeated.reshape(shape), sums.table))
    return [united(parts, shape)]


def _through_nonzeros(value: Dependence, at: tuple, side: int, shape: tuple) -> Dependence:
    """What a product with a known array depends on that is zero in places.

    Args:
      value: the other operand, as (batch, rest, summed).
      at: where the known one, laid out likewise, is not zero.
      side: whether ``value`` is the left or the right operand.
    """
    batch, other, summed = (i[:, None] for i in at)
    own = np.arange(value.ids.shape[1])[None, :]
    widest = math.prod(shape) // max(value.ids.shape[0] * value.ids.shape[1], 1)
    if side:
        targets = (batch * widest + other) * value.ids.shape[1] + own
    else:
        targets = (batch * value.ids.shape[1] + own) * widest + other
    return gathered(targets, Dependence(value.ids[batch, own, summed], value.table), shape)


def _solutions(
    operands: Values, ins: Avals, outs: Avals, *, left_side: bool = True, **_: Any
) -> Values:
    """Of linear equations with stacks of matrices: each right side's unknowns depend on it."""
    if isinstance(operands[0], Dependence):
        return from_everything(operands, outs)
    return [_any_place(operands[1], [outs[0].ndim - (2 if left_side else 1)], outs[0].shape)]


solve_p.def_dependence(_solutions)
triangular_solve_p.def_dependence(_solutions)
banded_solve_p.def_dependence(_solutions)


def _within_stacks(operands: Values, ins: Avals, outs: Avals, **_: Any) -> Values:
    """Of functions of stacks of matrices: each result depends on its own matrices."""
    found = []
    for aval in outs:
        parts = [
            _any_place(v, [v.ids.ndim - 2, v.ids.ndim - 1], aval.shape)
            for v in operands
            if isinstance(v, Dependence)
        ]
        found.append(united(parts, aval.shape))
    return found


for _primitive in (cholesky_tangent_p, cholesky_cotangent_p, sylvester_p):
    _primitive.def_dependence(_within_stacks)


def _transformed(
    operands: Values, ins: Avals, outs: Avals, *, axes: Sequence[int], **_: Any
) -> Values:
    return [_any_place(operands[0], axes, outs[0].shape)]


fft_p.def_dependence(_transformed)
dct_p.def_dependence(_transformed)


@conv_general_dilated_p.def_dependence
def _conv_dependence(
    operands: Values,
    ins: Avals,
    outs: Avals,
    *,
    window_strides: tuple,
    padding: tuple,
    rhs_dilation: tuple,
    feature_group_count: int,
) -> Values:
    lhs, rhs = operands
    shape = outs[0].shape
    parts: Values = []
    if isinstance(lhs, Dependence):
        around = ((0, 0, 0), (0, 0, 0), *((low, high, 0) for low, high in padding))
        lhs = lhs.moved(lambda ids: pad_p.impl(ids, 0, padding_config=around))
        window = (1, 1, *ins[1].shape[2:])
        along = {"strides": (1, 1, *window_strides), "dilation": (1, 1, *rhs_dilation)}
        seen = lhs.moved(lambda ids: windows_p.impl(np.array(ids), window=window, **along))
        seen = seen.reduced(range(len(shape), 2 * len(shape)))
        groups = (shape[0], feature_group_count, ins[1].shape[1], *shape[2:])
        seen = seen.moved(lambda ids: ids.reshape(groups)).reduced((2,))
        wide = shape[1] // feature_group_count
        parts.append(seen.moved(lambda ids: np.repeat(ids, wide, 1)))
    if isinstance(rhs, Dependence):
        filters = rhs.reduced(range(1, len(shape)))
        places = (1, shape[1], *(1 for _ in shape[2:]))
        parts.append(_spread(filters.moved(lambda ids: ids.reshape(places)), shape))
    return [united(parts, shape)]


# --- calls and branches ------------------------------------------------------------------------


def _call_dependence(
    operands: Values, ins: Avals, outs: Avals, *, jaxpr: Jaxpr, **_: Any
) -> Values:
    return find_dependence(jaxpr, operands)


jit_p.def_dependence(_call_dependence)
checkpoint_p.def_dependence(_call_dependence)


@cond_p.def_dependence
def _cond_dependence(
    operands: Values, ins: Avals, outs: Avals, *, branches: tuple[Jaxpr, ...]
) -> Values:
    index, *args = operands
    if is_known(index):
        return find_dependence(branches[int(index)], args)
    rows = zip(*(find_dependence(b, args) for b in branches), strict=True)
    return [united(row, aval.shape) for row, aval in zip(rows, outs, strict=True)]


def _local_rows(values: Values, avals: Avals, inputs: int) -> Any:
    """What several arrays depend on, one after the other, as the rows of one matrix."""
    empty = [sparse.csr_array((a.size, inputs), dtype=bool) for a in avals]
    rows = [
        v.rows() if isinstance(v, Dependence) else e for v, e in zip(values, empty, strict=True)
    ]
    return sparse.vstack(rows, format="csr") if rows else sparse.csr_array((0, inputs), dtype=bool)


def _flat(values: Values, avals: Avals) -> Dependence:
    """Several arrays, one after the other; one of them depends on something."""
    ids, table = together(values, _shapes(avals))
    return Dependence(np.concatenate([i.ravel() for i in ids]), table)


def _parts(value: Dependence, avals: Avals) -> Values:
    """The inverse of ``_flat``."""
    cuts = np.cumsum([a.size for a in avals])[:-1]
    parts = np.split(value.ids, cuts)
    return [Dependence(i.reshape(a.shape), value.table) for i, a in zip(parts, avals, strict=True)]


@custom_tangent_p.def_dependence
def _custom_tangent_dependence(
    operands: Values,
    ins: Avals,
    outs: Avals,
    *,
    bwd: Callable,
    num_residuals: int,
    given: tuple,
    **_: Any,
) -> Values:
    """Of the derivative only the transpose is known, so that it is this that is looked at."""
    found: list[bool] = []

    def back(*values: Any) -> list[Any]:
        made = bwd(values[:num_residuals], values[num_residuals:])
        made = [ct for ct, flag in zip(made, given, strict=True) if flag]
        found[:] = [ct is not None for ct in made]
        return [ct for ct in made if ct is not None]

    try:
        jaxpr = stage(back, [*ins[:num_residuals], *outs], "sparsity")
    except ConcretizationError:
        return from_everything(operands, outs)
    made = iter(find_dependence(jaxpr, [*operands[:num_residuals], *independent_inputs(outs)]))
    cts = [next(made) if flag else None for flag in found]
    avals = ins[num_residuals:]
    local = _local_rows(cts, avals, sum(a.size for a in outs)).tocoo()
    tangents = _flat(operands[num_residuals:], avals)
    through = Dependence(tangents.ids[local.row], tangents.table)
    return _parts(gathered(local.col, through, (local.shape[1],)), outs)


@custom_linear_solve_p.def_dependence
def _linear_solve_dependence(
    operands: Values, ins: Avals, outs: Avals, *, matvec: Jaxpr, consts: int, **_: Any
) -> Values:
    """An unknown depends on the right sides of the equations that are tied to it: the inverse of a
    matrix in blocks is in blocks."""
    avals = ins[consts:]
    right = operands[consts:]
    rest = [None] * (len(outs) - len(avals))
    if not any(isinstance(v, Dependence) for v in right):
        return [*(None for _ in avals), *rest]
    rows = find_dependence(matvec, [*operands[:consts], *independent_inputs(avals)])
    matrix = _local_rows(rows, avals, sum(a.size for a in avals))
    tied = sparse.block_array([[None, matrix], [matrix.T, None]])
    count, blocks = csgraph.connected_components(tied, directed=False)
    size = matrix.shape[0]
    sums = gathered(blocks[:size], _flat(right, avals), (count,))
    return [*_parts(sums.moved(lambda ids: ids[blocks[size:]]), avals), *rest]


# --- loops -------------------------------------------------------------------------------------


def _work(jaxpr: Jaxpr) -> int:
    """How many equations there are to be gone through."""
    inner = (e.params.get("length", 1) * _work(s) for e in jaxpr.eqns for s in sub_jaxprs(e.params))
    return len(jaxpr.eqns) + sum(inner)


@scan_p.def_dependence
def _scan_dependence(
    operands: Values,
    ins: Avals,
    outs: Avals,
    *,
    jaxpr: Jaxpr,
    shape: Shape,
    length: int,
    reverse: bool,
) -> Values:
    consts, carry, elements = (list(part) for part in shape.split(operands))
    if length * _work(jaxpr) <= _TURNS:
        turns: list[Any] = [None] * length
        for i in reversed(range(length)) if reverse else range(length):
            made = find_dependence(jaxpr, [*consts, *carry, *(_element(x, i) for x in elements)])
            carry, turns[i] = made[: shape.carry], made[shape.carry :]
        columns = zip(*turns, strict=True) if length else [()] * (len(outs) - shape.carry)
        stacks = zip(columns, jaxpr.out_avals[shape.carry :], strict=True)
        return [*carry, *(_stacked(c, a) for c, a in stacks)]
    any_element = [x.reduced((0,)) if isinstance(x, Dependence) else None for x in elements]
    carry, _ = _settled(jaxpr, shape, consts, carry, any_element)
    if len(outs) == shape.carry:
        return carry
    side_by_side = _batched_turns if all(map(_batches, jaxpr.eqns)) else _nested_turns
    return [*carry, *side_by_side(jaxpr, [*consts, *carry], elements, outs[shape.carry :])]


def _batches(eqn: Eqn) -> bool:
    """Whether an equation has a batch, and one without loops, which may never come to an end of
    being batched."""
    primitive = eqn.primitive
    known = primitive.batch is not None and primitive is not custom_tangent_p
    return known and not any(True for _ in sub_jaxprs(eqn.params))


def _batched_turns(jaxpr: Jaxpr, before: Values, elements: Values, outs: Avals) -> Values:
    """What a loop's turns put out, when what they begin with depends on the same in each of them:
    by the body for all turns at once."""
    length = outs[0].shape[0]
    dims = (*(None for _ in before), *(0 for _ in elements))
    many, places = batched(jaxpr, Axis(length), dims)
    found = find_dependence(many, [*before, *elements])[-len(outs) :]
    rows = zip(found, places[-len(outs) :], outs, strict=True)
    return [_in_front(value, place, aval.shape) for value, place, aval in rows]


def _nested_turns(jaxpr: Jaxpr, before: Values, elements: Values, outs: Avals) -> Values:
    """As ``_batched_turns``, without a batch: by what a turn's results depend on among its own
    elements."""
    length = outs[0].shape[0]
    chosen = [isinstance(x, Dependence) for x in elements]
    avals = [a for a, c in zip(jaxpr.in_avals[len(before) :], chosen, strict=True) if c]
    inputs = iter(independent_inputs(avals))
    own = [next(inputs) if c else None for c in chosen]
    found = find_dependence(jaxpr, [*(None for _ in before), *own])[-len(outs) :]
    others = find_dependence(jaxpr, [*before, *(None for _ in elements)])[-len(outs) :]
    if not avals:
        return [_spread(v, a.shape) for v, a in zip(others, outs, strict=True)]
    picked = [x for x, c in zip(elements, chosen, strict=True) if c]
    ids, table = together(picked, [(length, *a.shape) for a in avals])
    wide = np.concatenate([i.reshape(length, -1) for i in ids], 1)
    made: Values = []
    for value, other, aval in zip(found, others, outs, strict=True):
        through = None
        if isinstance(value, Dependence):
            local = value.rows().tocoo()
            targets = np.arange(length)[:, None] * local.shape[0] + local.row
            through = gathered(targets, Dependence(wide[:, local.col], table), aval.shape)
        made.append(united([_spread(other, aval.shape), through], aval.shape))
    return made


def _element(x: Value, index: int) -> Value:
    return Dependence(x.ids[index], x.table) if isinstance(x, Dependence) else _at(x, index)


def _at(x: Any, index: int) -> Any:
    return None if x is None else x[index]


def _stacked(values: Sequence[Value], aval: ShapedArray) -> Value:
    if values and all(map(is_known, values)):
        return np.stack(values)
    if not any(isinstance(v, Dependence) for v in values):
        return None
    ids, table = together(values, [aval.shape] * len(values))
    return Dependence(np.stack(ids), table)


def _in_front(value: Value, place: int | None, shape: tuple[int, ...]) -> Value:
    if place is None or not isinstance(value, Dependence):
        return _spread(value, shape)
    return value.moved(lambda ids: np.moveaxis(ids, place, 0))


def _settled(
    jaxpr: Jaxpr, shape: Shape, consts: Values, carry: Values, elements: Values
) -> tuple[Values, Values]:
    """What a loop's carried values and its results depend on, in all turns."""
    avals = jaxpr.out_avals[: shape.carry]
    carry = [v if isinstance(v, Dependence) else None for v in carry]
    for _ in range(_ROUNDS):
        made = find_dependence(jaxpr, [*consts, *carry, *elements])
        after = [united([a, b], v.shape) for a, b, v in zip(carry, made, avals, strict=False)]
        if all(map(_as_large, carry, after)):
            return after, made
        carry = after
    whole = from_everything([*consts, *carry, *elements], avals)
    carry = [v if is_inexact(a.dtype) else None for v, a in zip(whole, avals, strict=True)]
    return carry, find_dependence(jaxpr, [*consts, *carry, *elements])


def _as_large(before: Value, after: Value) -> bool:
    """Whether the sets of a value are as large as those that contain them."""
    if before is None or after is None:
        return after is None
    return np.array_equal(before.sizes(), after.sizes())


@sweeps_p.def_dependence
def _sweeps_dependence(
    operands: Values, ins: Avals, avals: Avals, /, *, jaxprs: tuple, sweeps: tuple, outs: tuple
) -> Values:
    handed: Values = []  # in any turn
    carried: Values = []
    for given in given_sweeps(operands[1:], jaxprs, sweeps):
        elements = [handed[i] for i in given.sweep.takes]
        carry, made = _settled(given.jaxpr, given.shape, given.consts, given.carry, elements)
        carried += carry
        handed += [v if isinstance(v, Dependence) else None for v in made[given.shape.carry :]]
    return [carried[i] for i in outs]


# --- the pattern of a Jacobian -----------------------------------------------------------------


def jacobian_pattern(jaxpr: Jaxpr, inputs: Values, count: int) -> Any:
    """Which elements of a program's outputs depend on which inputs.

    Args:
      jaxpr: the program.
      inputs: the values of its inputs.
      count: how many inputs there are.

    Returns:
      A ``csr_array`` of bools, a row for each element of the outputs.

    Raises:
      MemoryError: where there are too many.
    """
    found = find_dependence(jaxpr, inputs)
    total = sum(int(v.sizes().sum()) for v in found if isinstance(v, Dependence))
    if total > _NONZEROS:
        raise MemoryError(
            located(
                f"the pattern of a derivative has {total:,} nonzeros of "
                f"{count * sum(a.size for a in jaxpr.out_avals):,}",
                "What to do: use products with vectors (jvp, vjp, hvp) in place of the matrix.",
            )
        )
    matrix = _local_rows(found, jaxpr.out_avals, count)
    matrix.sort_indices()
    return matrix
