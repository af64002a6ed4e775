"""Which elements of the inputs each value of a program depends on, found without numbers.

A value is a number that is known, ``None`` for one that is not and depends on no input, or a
``Dependence``: for each element of the array the number of a set, and a table of these sets.
Elements share sets, so what moves elements about (reshape, slice, gather, ...) is done by the
primitive's own implementation on the array of numbers, whatever the sets hold; only where several
elements go into one are new sets made. The answer is conservative: a set may hold an input that
the element turns out not to depend on, but never misses one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray
from ..core.jaxpr import Eqn, Jaxpr, Literal, Var, sub_jaxprs
from ..core.lazy import LazyModule

sparse: Any = LazyModule("scipy.sparse")


class Dependence:
    """What the elements of an array depend on.

    Attributes:
      ids: for each element the number of its set, an int64 array of the array's shape.
      table: the sets, as rows of a ``csr_array`` of bools with sorted indices; row 0 is empty.
    """

    __slots__ = ("ids", "table")

    def __init__(self, ids: np.ndarray, table: Any):
        self.ids = np.asarray(ids)
        self.table = table

    def sizes(self) -> np.ndarray:
        """How many inputs each element depends on."""
        return np.diff(self.table.indptr)[self.ids]

    def rows(self) -> Any:
        """The sets of all elements, in C order, as rows of a ``csr_array``."""
        return self.table[self.ids.ravel()]

    def moved(self, move: Callable[[np.ndarray], Any]) -> Dependence:
        """What an array depends on whose elements are elements of this one, by the function that
        says which; zero there stands for no dependence."""
        return Dependence(move(self.ids), self.table)

    def reduced(self, axes: Sequence[int], keepdims: bool = False) -> Dependence:
        """What sums over some axes depend on."""
        axes = tuple(axes)
        kept = [d for d in range(self.ids.ndim) if d not in axes]
        shape = [self.ids.shape[d] for d in kept]
        width = math.prod(self.ids.shape[d] for d in axes)
        groups = self.ids.transpose(*kept, *axes).reshape(math.prod(shape), width)
        if keepdims:
            shape = [1 if d in axes else n for d, n in enumerate(self.ids.shape)]
        return _joined(groups, self.table, shape)

    def everything(self) -> Dependence:
        """What a scalar depends on that is made of all elements."""
        return self.reduced(range(self.ids.ndim))


#: A known number, no dependence, or a dependence.
Value = Any


def independent_inputs(avals: Sequence[ShapedArray]) -> list[Dependence]:
    """Arrays each element of which is an input of its own, counted on from array to array."""
    total = sum(a.size for a in avals)
    indptr = np.concatenate([[0], np.arange(total + 1)])
    table = sparse.csr_array(
        (np.ones(total, bool), np.arange(total), indptr), shape=(total + 1, total)
    )
    found, start = [], 1
    for aval in avals:
        found.append(Dependence(np.arange(start, start + aval.size).reshape(aval.shape), table))
        start += aval.size
    return found


def together(values: Sequence[Value], shapes: Sequence[tuple[int, ...]]) -> tuple[list, Any]:
    """The numbers of the sets of several arrays in one table. What depends on nothing gets zeros.

    Args:
      values: at least one of them a ``Dependence``.
      shapes: the arrays'.
    """
    starts: dict[int, int] = {}
    tables: list[Any] = []
    count = 0
    for value in values:
        if isinstance(value, Dependence) and id(value.table) not in starts:
            starts[id(value.table)] = count
            tables.append(value.table[1:] if tables else value.table)
            count += value.table.shape[0] - 1
    table = sparse.vstack(tables, format="csr") if len(tables) > 1 else tables[0]
    ids = []
    for value, shape in zip(values, shapes, strict=True):
        if isinstance(value, Dependence):
            start = starts[id(value.table)]
            ids.append(np.where(value.ids, value.ids + start, 0) if start else value.ids)
        else:
            ids.append(np.broadcast_to(np.int64(0), shape))
    return ids, table


def united(values: Sequence[Value], shape: tuple[int, ...]) -> Value:
    """What an array depends on that is made element by element of others, which have its shape or
    are scalars."""
    found = [v for v in values if isinstance(v, Dependence)]
    if not found:
        return None
    if len(found) == 1:
        return found[0].moved(lambda ids: np.broadcast_to(ids, shape))
    ids, table = together(found, [v.ids.shape for v in found])
    columns = [np.broadcast_to(i, shape).ravel() for i in ids]
    return _joined(np.stack(columns, 1), table, shape)


def gathered(targets: np.ndarray, value: Dependence, shape: tuple[int, ...]) -> Dependence:
    """What an array depends on each element of which is made of any number of elements of
    another.

    Args:
      targets: for each element of ``value`` the position, in the array laid out flat, of what it
        goes into; -1 for none.
      value: what these elements depend on.
      shape: the array's.
    """
    targets, ids = np.ravel(targets), np.ravel(value.ids)
    counted = (targets >= 0) & (ids > 0)
    groups = sparse.coo_array(
        (np.ones(counted.sum(), bool), (targets[counted], ids[counted])),
        shape=(math.prod(shape), value.table.shape[0]),
    ).tocsr()
    return _unions(groups, value.table, shape)


def _joined(groups: np.ndarray, table: Any, shape: Sequence[int]) -> Dependence:
    """The union of each row of set numbers."""
    if not groups.size:
        return Dependence(np.zeros(shape, np.int64), table)
    ids = groups.max(1)
    mixed = ((groups != ids[:, None]) & (groups != 0)).any(1)
    if not mixed.any():
        return Dependence(ids.reshape(shape), table)
    full = np.diff(table.indptr) == table.shape[1]
    if full.any():  # nothing can be added to these: not to write them out saves much
        whole = full[groups]
        reached = whole.any(1)
        ids = np.where(reached, full.argmax(), ids)
        mixed &= ~reached
    count = int(mixed.sum())
    width = groups.shape[1]
    members = sparse.csr_array(
        (np.ones(count * width, bool), groups[mixed].ravel(), np.arange(count + 1) * width),
        shape=(count, table.shape[0]),
    )
    members.sum_duplicates()
    made = _unions(members, table, (count,))
    (known, new), both = together(
        [Dependence(np.where(mixed, 0, ids), table), made], [ids.shape, (count,)]
    )
    known = np.array(known)
    known[mixed] = new
    return _compact(known.reshape(shape), both)


def _unions(members: Any, table: Any, shape: Sequence[int]) -> Dependence:
    """The union of the sets that each row of a matrix names."""
    members, again = _distinct(members)
    sets = (members @ table).tocsr()
    sets.sort_indices()
    sets, ids = _distinct(sets)
    empty = sparse.csr_array((1, table.shape[1]), dtype=bool)
    ids = np.where(np.diff(sets.indptr)[ids] > 0, ids + 1, 0)
    return Dependence(ids[again].reshape(shape), sparse.vstack([empty, sets], format="csr"))


def _compact(ids: np.ndarray, table: Any) -> Dependence:
    """Leave out the sets that no element has."""
    used = np.zeros(table.shape[0], bool)
    used[0] = True
    used[ids.ravel()] = True
    if used.all():
        return Dependence(ids, table)
    numbers = np.cumsum(used) - 1
    return Dependence(numbers[ids], table[np.flatnonzero(used)])


def _distinct(matrix: Any) -> tuple[Any, np.ndarray]:
    """The different rows of a CSR matrix of bools with sorted indices, and which each one is."""
    indptr, indices = matrix.indptr, matrix.indices
    with np.errstate(over="ignore"):
        # SplitMix64's finalizer (Steele, Lea, Flood 2014); a sum of these stands for the row.
        mixed = (indices.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
        keys = sums[indptr[1:]] - sums[indptr[:-1]]
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) == len(keys) or not _same_rows(indptr, indices, first[which]):
        return matrix, np.arange(len(keys))
    return matrix[first], which


def _same_rows(indptr: np.ndarray, indices: np.ndarray, other: np.ndarray) -> bool:
    """Whether each row has the indices of another one."""
    lengths = np.diff(indptr)
    if not np.array_equal(lengths, lengths[other]):
        return False
    places = np.arange(len(indices)) + np.repeat(indptr[other] - indptr[:-1], lengths)
    return np.array_equal(indices, indices[places])


def is_known(value: Value) -> bool:
    """Whether a value is a number."""
    return value is not None and not isinstance(value, Dependence)


def find_dependence(jaxpr: Jaxpr, inputs: Sequence[Value]) -> list[Value]:
    """What the outputs of a program depend on.

    Args:
      jaxpr: the program.
      inputs: a value for each of its inputs.

    Returns:
      A value for each output.
    """
    env: dict[Var, Value] = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    env.update(zip(jaxpr.invars, inputs, strict=True))
    for eqn in jaxpr.eqns:
        operands = [a.value if type(a) is Literal else env[a] for a in eqn.invars]
        env.update(zip(eqn.outvars, _apply(eqn, operands), strict=True))
    return [a.value if type(a) is Literal else env[a] for a in jaxpr.outvars]


def _apply(eqn: Eqn, operands: list[Value]) -> Sequence[Value]:
    primitive = eqn.primitive
    nested = any(True for _ in sub_jaxprs(eqn.params))
    if not any(isinstance(v, Dependence) for v in operands):
        known = sum(v is not None for v in operands)
        if not nested and known == len(operands) and not primitive.effectful:
            return _computed(eqn, operands)
        if not (nested and known and primitive.dependence):
            return [None] * len(eqn.outvars)
    rule = primitive.dependence or (_elementwise if primitive.elementwise else _on_everything)
    ins, outs = ([v.aval for v in atoms] for atoms in (eqn.invars, eqn.outvars))
    return rule(operands, ins, outs, **eqn.params)


def _computed(eqn: Eqn, operands: Sequence[Any]) -> Sequence[Value]:
    """What an equation makes of known numbers: positions are computed from such."""
    try:
        with np.errstate(all="ignore"):
            out = eqn.primitive.rule("impl", "sparsity")(*operands, **eqn.params)
    except Exception:  # an error on a path that is never taken; it is met again where it is
        return [None] * len(eqn.outvars)
    return out if eqn.primitive.multiple_results else [out]


def _elementwise(operands: Sequence[Value], ins: Any, outs: Any, **_: Any) -> list[Value]:
    return [united(operands, aval.shape) for aval in outs]


def _on_everything(operands: Sequence[Value], ins: Any, outs: Any, **_: Any) -> list[Value]:
    return from_everything(operands, outs)


def from_everything(operands: Sequence[Value], outs: Sequence[ShapedArray]) -> list[Value]:
    """Where nothing is known of an operation: each result depends on all operands."""
    whole = united([v.everything() for v in operands if isinstance(v, Dependence)], ())
    if whole is None:
        return [None] * len(outs)
    return [whole.moved(lambda ids, a=a: np.broadcast_to(ids, a.shape)) for a in outs]
