"""Batches of unit vectors, and what linear operations make of them, without their zeros.

A Jacobian is the linear map on a batch of all unit vectors, of which the first half of the work
would go to zeros: the batch is an identity matrix, and as long as operations are elementwise it
stays a diagonal one. Here such a batch keeps its diagonal. A dimension of the example is *tied* to
the batch where it is zero but at the place that the example has in the batch; a matrix product over
it is then a scaled matrix, a sum over it the diagonal. What has no rule here gets an array.

An array of several dimensions has a batch of as many factors, and each dimension is tied to its
own: so a Jacobian of a function of many examples stays block-diagonal until they meet.

The zeros are structural, as those of a select are (``transforms.pending``): what is not on the
diagonal contributes nothing to a derivative, though it meets infinity or NaN in a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval, uniform, uniform_value
from ..core.primitive import Primitive
from ..core.trace import Tracer
from ..transforms.batch import Structured
from ..transforms.stage import lift_constant
from .arithmetic import (
    bitwise_and,
    complex_p,
    conj_p,
    convert_element_type_p,
    div_p,
    eq,
    imag_p,
    mul_p,
    neg_p,
    real_p,
    select_n_p,
    sub_p,
)
from .checkpointing import checkpoint_name_p
from .families import add_p
from .linear import DimensionNumbers, dot_general_p
from .slicing import pad
from .structural import (
    broadcast_in_dim,
    broadcast_in_dim_p,
    reduce_sum,
    reduce_sum_p,
    reshape,
    reshape_p,
    transpose,
    transpose_p,
)


@dataclass(frozen=True, slots=True)
class Tied(Structured):
    """A batch with tied dimensions.

    Attributes:
      array: its dimensions are the factors of the batch, then those of the example that are free.
      shape: the example's.
      factors: the sizes whose product counts the examples that are not zero altogether.
      ties: for each dimension of the example the factor that it is tied to, None where it is free.
        No two are tied to one.
      start: the place of the first of those examples in the batch.
      total: the size of the batch.
    """

    array: Any
    shape: tuple[int, ...]
    factors: tuple[int, ...]
    ties: tuple[int | None, ...]
    start: int
    total: int

    @property
    def aval(self) -> ShapedArray:
        return make_aval(self.shape, self.array.dtype)

    @property
    def has_zeros(self) -> bool:
        return any(tie is not None for tie in self.ties)

    @property
    def places(self) -> list[int]:
        """For each dimension of the example, that of the array."""
        free = iter(range(len(self.factors), self.array.ndim))
        return [next(free) if tie is None else tie for tie in self.ties]

    def like(self, x: Any) -> Any:
        """An array that is the same for all examples, as far as it meets what is not zero."""
        return _spread(x, self.places, self.array.shape) if x.ndim else x

    def alike(self, other: Tied) -> bool:
        """Whether two have their zeros at the same places."""
        layout = (self.shape, self.factors, self.ties, self.start)
        return layout == (other.shape, other.factors, other.ties, other.start)

    def dense(self) -> Any:
        count = len(self.factors)
        x = self.array
        if self.has_zeros:
            full = (*self.factors, *self.shape)
            free = [count + d for d, tie in enumerate(self.ties) if tie is None]
            x = broadcast_in_dim(x, full, (*range(count), *free))
            x = select_n_p.bind(self._on_diagonal(full), x.dtype.type(0), x)
        size = math.prod(self.factors)
        x = reshape(x, (size, *self.shape))
        if size == self.total:
            return x
        around = (self.start, self.total - self.start - size, 0)
        return pad(x, x.dtype.type(0), (around, *((0, 0, 0) for _ in self.shape)))

    def _on_diagonal(self, full: tuple[int, ...]) -> Any:
        """Bools: where each tied dimension is at the place of its factor."""
        found = None
        for dim, tie in enumerate(self.ties):
            if tie is not None:
                count: Any = np.arange(self.factors[tie])
                if isinstance(self.array, Tracer):  # in a program, a matrix is compared, not kept
                    count = lift_constant(count)
                sides = (tie, len(self.factors) + dim)
                same = eq(*(broadcast_in_dim(count, full, (side,)) for side in sides))
                found = same if found is None else bitwise_and(found, same)
        return found


def unit_vectors(aval: ShapedArray, start: int, total: int) -> Any:
    """The unit vectors of an array's space within the batch of those of several arrays.

    Args:
      aval: the array's type.
      start: where they begin.
      total: the size of the batch.

    Returns:
      A structured value, or an array with the batch dim in front.
    """
    sizes = tuple(n for n in aval.shape if n != 1)
    if 0 in sizes:
        return np.zeros((total, *aval.shape), aval.dtype)
    count = iter(range(len(sizes)))
    ties = tuple(None if n == 1 else next(count) for n in aval.shape)
    ones = uniform((*sizes, *(n for n in aval.shape if n == 1)), aval.dtype, 1)
    units = Tied(ones, aval.shape, sizes, ties, start, total)
    return units if sizes else units.dense()


def _spread(x: Any, places: Sequence[int], shape: tuple[int, ...]) -> Any:
    """An array with its dimensions at places of a larger shape, repeated along the others."""
    order = sorted(range(x.ndim), key=places.__getitem__)
    return broadcast_in_dim(transpose(x, order), shape, sorted(places))


# --- elementwise -------------------------------------------------------------------------------


def _elementwise(primitive: Primitive, args: Sequence[Any], params: dict) -> Tied | None:
    """The rule where zeros of all tied operands give zeros."""
    tied = [x for x in args if isinstance(x, Tied)]
    if not all(tied[0].alike(x) for x in tied[1:]):
        return None
    given = [x.array if isinstance(x, Tied) else tied[0].like(x) for x in args]
    return replace(tied[0], array=primitive.bind(*given, **params))


def _linear(primitive: Primitive) -> Callable:
    """The rule of an operation that is linear in each tied operand, given the others."""
    return lambda args, **params: _elementwise(primitive, args, params)


def _is_zero(x: Any) -> bool:
    if isinstance(x, Tied):
        return True
    if isinstance(x, Tracer):
        return False
    value = uniform_value(x) if x.ndim else x
    return value is not None and bool(value == 0)


def _additive(primitive: Primitive) -> Callable:
    """The rule of an operation that is linear in all operands together: the others must be 0."""

    def rule(args: Sequence[Any], **params: Any) -> Tied | None:
        return _elementwise(primitive, args, params) if all(map(_is_zero, args)) else None

    return rule


for _primitive in (neg_p, mul_p, real_p, imag_p, conj_p, convert_element_type_p, checkpoint_name_p):
    _primitive.def_tied(_linear(_primitive))
for _primitive in (add_p, sub_p, complex_p):
    _primitive.def_tied(_additive(_primitive))


@div_p.def_tied
def _div_tied(args: Sequence[Any]) -> Tied | None:
    return None if isinstance(args[1], Tied) else _elementwise(div_p, args, {})


@select_n_p.def_tied
def _select_tied(args: Sequence[Any]) -> Tied | None:
    which, *cases = args
    if isinstance(which, Tied) or not all(map(_is_zero, cases)):
        return None
    return _elementwise(select_n_p, args, {})


# --- changes of shape --------------------------------------------------------------------------


@transpose_p.def_tied
def _transpose_tied(args: Sequence[Any], *, permutation: tuple[int, ...]) -> Tied:
    x = args[0]
    count = len(x.factors)
    free = [x.places[d] for d in permutation if x.ties[d] is None]
    return replace(
        x,
        array=transpose(x.array, (*range(count), *free)),
        shape=tuple(x.shape[d] for d in permutation),
        ties=tuple(x.ties[d] for d in permutation),
    )


@broadcast_in_dim_p.def_tied
def _broadcast_tied(
    args: Sequence[Any], *, shape: tuple[int, ...], broadcast_dimensions: tuple[int, ...]
) -> Tied:
    x = args[0]
    ties: list[int | None] = [None] * len(shape)
    for tie, d in zip(x.ties, broadcast_dimensions, strict=True):
        ties[d] = tie
    free = iter(range(len(x.factors), len(x.factors) + len(shape)))
    places = [next(free) if tie is None else tie for tie in ties]
    full = (*x.factors, *(n for n, tie in zip(shape, ties, strict=True) if tie is None))
    kept = [places[d] for d in broadcast_dimensions if ties[d] is None]
    array = broadcast_in_dim(x.array, full, (*range(len(x.factors)), *kept))
    return replace(x, array=array, shape=shape, ties=tuple(ties))


def _matching(before: Sequence[int], after: Sequence[int]) -> list[tuple[range, range]]:
    """Runs of dimensions before a reshape and after it that have as many elements each, as short
    as they can be; dimensions of size 1 are runs of their own."""
    runs = []
    i = j = 0
    while i < len(before) or j < len(after):
        first, second = i, j
        if i < len(before) and before[i] == 1:
            i += 1
        elif j < len(after) and after[j] == 1:
            j += 1
        else:
            left, right = before[i], after[j]
            i, j = i + 1, j + 1
            while left != right:
                if left < right:
                    left *= before[i]
                    i += 1
                else:
                    right *= after[j]
                    j += 1
        runs.append((range(first, i), range(second, j)))
    return runs


@reshape_p.def_tied
def _reshape_tied(args: Sequence[Any], *, new_sizes: tuple[int, ...]) -> Tied | None:
    """A run of dimensions that is tied to a run of factors reshapes these, too."""
    x = args[0]
    if 0 in x.shape:
        return None
    made: dict[int, Sequence[int]] = {}  # for tied factors, the new dimensions in their place
    for before, after in _matching(x.shape, new_sizes):
        run = [x.ties[d] for d in before if x.shape[d] != 1]
        if all(tie is None for tie in run):
            continue
        if run[0] is None or run != list(range(run[0], run[0] + len(run))):
            return None
        made.update((tie, ()) for tie in run)
        made[run[0]] = [d for d in after if new_sizes[d] != 1]
    factors: list[int] = []
    ties: list[int | None] = [None] * len(new_sizes)
    for tie, size in enumerate(x.factors):
        if tie in made:
            for d in made[tie]:
                ties[d] = len(factors)
                factors.append(new_sizes[d])
        else:
            factors.append(size)
    free = [n for n, tie in zip(new_sizes, ties, strict=True) if tie is None]
    array = reshape(x.array, (*factors, *free))
    return Tied(array, new_sizes, tuple(factors), tuple(ties), x.start, x.total)


@reduce_sum_p.def_tied
def _reduce_sum_tied(args: Sequence[Any], *, axes: tuple[int, ...]) -> Tied:
    x = args[0]
    left = [d for d in range(len(x.shape)) if d not in axes]
    return replace(
        x,
        array=reduce_sum(x.array, [x.places[d] for d in axes if x.ties[d] is None]),
        shape=tuple(x.shape[d] for d in left),
        ties=tuple(x.ties[d] for d in left),
    )


# --- matrix products ---------------------------------------------------------------------------


@dot_general_p.def_tied
def _dot_general_tied(args: Sequence[Any], *, dimension_numbers: DimensionNumbers) -> Tied | None:
    """A sum over a tied dimension has one term, that of the factor's place: no sum is left."""
    side = 0 if isinstance(args[0], Tied) else 1
    x, other = args[side], args[1 - side]
    if isinstance(other, Tied):
        return None
    count = len(x.factors)
    contracted, stacked = (
        list(zip(pair[side], pair[1 - side], strict=True)) for pair in dimension_numbers
    )
    summed = [(x.places[d], e) for d, e in contracted if x.ties[d] is None]
    together = [(x.places[d], e) for d, e in contracted if x.ties[d] is not None]
    together += [(x.places[d], e) for d, e in stacked]
    mine = [d for d in range(len(x.shape)) if d not in {d for d, _ in (*contracted, *stacked)}]
    theirs = [e for e in range(other.ndim) if e not in {e for _, e in (*contracted, *stacked)}]

    # The dimensions of the result: those of the tied array by place, then the other's.
    own: list[tuple[int, int | None, int]] = [(x.places[d], x.ties[d], x.shape[d]) for d in mine]
    both = [(x.places[d], x.ties[d], x.shape[d]) for d, _ in stacked]
    rest = [(x.array.ndim + e, None, other.shape[e]) for e in theirs]
    example = [*both, *(own if side == 0 else rest), *(rest if side == 0 else own)]
    wanted = [*range(count), *(place for place, tie, _ in example if tie is None)]
    shape = tuple(n for _, _, n in example)
    ties = tuple(tie for _, tie, _ in example)
    free = tuple(n for _, tie, n in example if tie is None)
    array = _product(x.array, other, side, summed, together, wanted, (*x.factors, *free))
    return Tied(array, shape, x.factors, ties, x.start, x.total)


def _product(
    x: Any,
    other: Any,
    side: int,
    summed: list[tuple[int, int]],
    together: list[tuple[int, int]],
    wanted: list[int],
    shape: tuple[int, ...],
) -> Any:
    """A product with its dimensions in a given order.

    Args:
      x, other: the factors, in the other order where ``side`` is 1.
      summed, together: pairs of their dimensions that are summed over, and that they share.
      wanted: for each dimension of the result that of ``x``, or, counted on from there, of
        ``other``.
      shape: the result's.
    """
    if not summed:
        shared = {e: d for d, e in together}
        at = [wanted.index(shared.get(e, x.ndim + e)) for e in range(other.ndim)]
        mine = _spread(x, [wanted.index(d) for d in range(x.ndim)], shape)
        pair = (mine, _spread(other, at, shape))
        return mul_p.bind(*(pair if side == 0 else pair[::-1]))
    numbers = tuple(
        (tuple(p[side] for p in pairs), tuple(p[1 - side] for p in pairs))
        for pairs in (summed, together)
    )
    pair = (x, other) if side == 0 else (other, x)
    out = dot_general_p.bind(*pair, dimension_numbers=numbers)
    used = {d for d, _ in (*summed, *together)}, {e for _, e in (*summed, *together)}
    own = [d for d in range(x.ndim) if d not in used[0]]
    rest = [x.ndim + e for e in range(other.ndim) if e not in used[1]]
    order = [d for d, _ in together] + (own + rest if side == 0 else rest + own)
    return transpose(out, [order.index(d) for d in wanted])
