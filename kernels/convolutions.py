"""conv_general_dilated: direct loops over vectors, at the processor's peak.

The input is read as it lies, or is laid out first so that what moves along vectors is contiguous:
with padding made real, and for a stride of s as s arrays of each s-th element. Then an element of
the window, or of the result, is a constant offset, and a vector of neighbours reads from there on.
Two routines share that layout:

- *by places*, for a result that is large beside the window: vectors go along the result's places,
  and a block of them times a block of output features stays in registers while all terms are added
  to it, as a product of matrices would do, but without ever making the matrix of windows.
- *by window*, for a window that is large beside the result, as in the derivative with respect to a
  kernel: vectors go along the window; totals are vectors that are added up in the end.

Rows of a small image are shorter than a vector. Then a vector goes on into the next rows, and what
it computes between them is not used (by places) or left out (by window).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray
from . import shapes
from .build import Source
from .expressions import Expression, Leaf, Number, Root, Routine
from .llvm.engine import vector_registers
from .lowering import pieces_of
from .scalars import NATIVE
from .views import View, contiguous

if TYPE_CHECKING:
    from .fusion import Plan

#: What work is counted with, about: operations in a nanosecond on elements of one byte; how much
#: longer those by window take; and nanoseconds for each element that is put in another order.
_SPEED, _BY_WINDOW_TAKES, _REORDERING_TAKES = 400, 1.25, 0.5
#: A vector goes on into further rows where that saves so much of them.
_WORTH_MERGING = 0.9
#: By window, how many vectors of the window (of several features, if it is small) are taken at a
#: time, so that they stay in the first-level cache, for how many blocks of totals.
_CHUNK, _TOTALS = 32, 8
#: How many multiplications there have to be in a step for none to wait for one before.
_LATENCY = 8
#: By places, up to how many bytes of a kernel are read anew for each block of places; of a larger
#: kernel each part meets up to so many blocks while it is in the cache.
_KERNEL_BYTES, _REPEAT = 1 << 17, 16

_NAMES = """
    LHS RHS OUT LHS_BATCH LHS_GROUP LHS_FEATURE RHS_GROUP RHS_OUT RHS_FEATURE OUT_GROUP OUT_FEATURE
    GROUPS OUTS FEATURES TERMS OUT_BLOCKS TURNS VECTORS REPEAT AT_ONCE
"""
_WORDS = {name: i for i, name in enumerate(_NAMES.split())}


def _blocks(
    outs: int, vectors: int, most_outs: int, registers: int, aligned: bool
) -> tuple[int, int]:
    """How many output features and how many vectors (or terms) make up a block whose totals stay
    in registers, so that all blocks together take the least time.

    That of a step is that of its multiplications or of its reads, whichever are more: a number of
    the kernel is half a read, and a vector of the input, which lies anywhere, two.
    """

    def time(block: tuple[int, int]) -> float:
        o, v = block
        reads = 2 * v + (o if aligned else o / 2)
        steps = -(-outs // o) * -(-vectors // v)
        return steps * (max(o * v, reads, _LATENCY) + 0.1 * reads)

    options = itertools.product(range(1, most_outs + 1), range(1, 9))
    return min(((o, v) for o, v in options if o * v <= registers), key=time)


def _indented(depth: int, lines: Sequence[str]) -> str:
    return "\n".join(" " * 4 * depth + line for line in lines)


# --- by places -----------------------------------------------------------------------------------

#: A task is a block of vectors of places, of a group of features of an example, and a block of
#: output features; so many blocks of vectors meet the one before the next one's turn (``REPEAT``).
_BY_PLACES = """
def routine(table, start, stop):
    words = pointer_int64(table)
    offsets = pointer_int64(table + {offsets})
    vectors = pointer_int64(table + {offsets} + 8 * words[TERMS])
    zero = splat(np.{dtype}(0), {lanes})
    for task in range(start, stop):
        round = quotient(task, words[REPEAT])
        block = rest(round, words[OUT_BLOCKS]) * {outs}
        number = quotient(round, words[OUT_BLOCKS]) * words[REPEAT] + rest(task, words[REPEAT])
        turn = rest(number, words[TURNS]) * {width}
        number = quotient(number, words[TURNS])
        group = rest(number, words[GROUPS])
        x = pointer_{dtype}(words[LHS])
        x = at(x, quotient(number, words[GROUPS]) * words[LHS_BATCH] + group * words[LHS_GROUP])
        weights = pointer_{dtype}(words[RHS])
        weights = at(weights, group * words[RHS_GROUP] + block * words[TERMS])
        out = pointer_{dtype}(words[OUT])
        out = at(out, number * words[OUT_GROUP])
{places}
{begin}
        for k in range(words[TERMS]):
            offset = offsets[k]
{read}
{add}
{store}
"""


@functools.cache
def _by_places(dtype: str, outs: int, width: int, lanes: int) -> Source:
    """For ``outs`` output features times ``width`` vectors at a time."""
    features, vectors = range(outs), range(width)
    both = list(itertools.product(features, vectors))
    add, store = [], []
    for o in features:
        add += [f"w = splat(weights[{outs} * k + {o}], {lanes})"]
        add += [f"t{o}_{v} = multiply_add(x{v}, w, t{o}_{v})" for v in vectors]
        store += [f"if block + {o} < words[OUTS]:"]
        store += [f"    row = at(out, (block + {o}) * words[OUT_FEATURE])"]
        store += [f"    store_vector(row, to{v}, t{o}_{v})" for v in vectors]
    places = [f"source{v} = vectors[3 * (turn + {v})]" for v in vectors]
    places += [f"to{v} = vectors[3 * (turn + {v}) + 1]" for v in vectors]
    text = _BY_PLACES.format(
        dtype=dtype,
        outs=outs,
        width=width,
        lanes=lanes,
        offsets=8 * len(_WORDS),
        places=_indented(2, places),
        begin=_indented(2, [f"t{o}_{v} = zero" for o, v in both]),
        read=_indented(3, [f"x{v} = load_vector(x, offset + source{v}, {lanes})" for v in vectors]),
        add=_indented(3, add),
        store=_indented(2, store),
    )
    return Source(text, ("int64",) * 3, names=tuple(_WORDS.items()))


# --- by window -----------------------------------------------------------------------------------

#: A task is a block of output features of a group, and so many blocks of terms: a term here is a
#: place of the result for one of the batch, with its offset in the input and in the result.
_BY_WINDOW = """
def routine(table, start, stop):
    words = pointer_int64(table)
    terms = pointer_int64(table + {offsets})
    vectors = pointer_int64(table + {offsets} + 16 * words[TERMS])
    totals = room_{dtype}({room})
    zero = splat(np.{dtype}(0), {lanes})
    for task in range(start, stop):
        first = rest(task, words[TURNS]) * {totals}
        last = min(first + {totals}, quotient(words[TERMS], {width}))
        block = quotient(task, words[TURNS])
        group = quotient(block, words[OUT_BLOCKS])
        block = rest(block, words[OUT_BLOCKS]) * {outs}
        for i in range({blocks}):
            store_vector(totals, i * {lanes}, zero)
        x = pointer_{dtype}(words[LHS])
        x = at(x, group * words[LHS_GROUP])
        y = pointer_{dtype}(words[RHS])
        y = at(y, group * words[RHS_GROUP])
        feature = 0
        while feature < words[FEATURES]:
            limit = min(feature + words[AT_ONCE], words[FEATURES])
            begin = 0
            while begin < words[VECTORS]:
                end = min(begin + {chunk}, words[VECTORS])
                for part in range(first, last):
                    here = at(totals, (part - first) * {outs} * {width} * {lanes})
{begin}
                    for f in range(feature, limit):
                        xs = at(x, f * words[LHS_FEATURE])
                        ys = at(y, f * words[RHS_FEATURE])
{rows}
                        for v in range(begin, end):
                            source = vectors[3 * v]
                            other = vectors[3 * v + 1]
                            bits = vectors[3 * v + 2]
{read}
{add}
{keep}
                begin = end
            feature = limit
        out = pointer_{dtype}(words[OUT])
        out = at(out, group * words[OUT_GROUP])
        for part in range(first, last):
            here = at(totals, (part - first) * {outs} * {width} * {lanes})
{store}
"""


@functools.cache
def _by_window(dtype: str, outs: int, width: int, lanes: int) -> Source:
    """For ``outs`` output features times ``width`` terms at a time."""
    features, terms = range(outs), range(width)
    place = {(o, k): (o * width + k) * lanes for o in features for k in terms}
    add, store = [], []
    for o in features:
        add += [f"w = load_vector(y{o}, other, {lanes})"]
        add += [f"t{o}_{k} = multiply_add(x{k}, w, t{o}_{k})" for k in terms]
        store += [f"if block + {o} < words[OUTS]:"]
        store += [f"    row = at(out, (block + {o}) * words[OUT_FEATURE])"]
        for k in terms:
            total = f"sum_of(load_vector(here, {place[o, k]}, {lanes}))"
            store += [f"    row[terms[2 * ({width} * part + {k}) + 1]] = {total}"]
    rows = [f"y{o} = at(ys, min(block + {o}, words[OUTS] - 1) * words[RHS_OUT])" for o in features]
    begin = [f"k{k} = terms[2 * ({width} * part + {k})]" for k in terms]
    begin += [f"t{o}_{k} = load_vector(here, {at}, {lanes})" for (o, k), at in place.items()]
    read = [f"x{k} = kept(load_vector(xs, k{k} + source, {lanes}), bits)" for k in terms]
    keep = [f"store_vector(here, {at}, t{o}_{k})" for (o, k), at in place.items()]
    text = _BY_WINDOW.format(
        dtype=dtype,
        outs=outs,
        width=width,
        lanes=lanes,
        chunk=_CHUNK,
        totals=_TOTALS,
        blocks=_TOTALS * outs * width,
        room=_TOTALS * outs * width * lanes,
        offsets=8 * len(_WORDS),
        rows=_indented(6, rows),
        begin=_indented(5, begin),
        read=_indented(7, read),
        add=_indented(7, add),
        keep=_indented(5, keep),
        store=_indented(3, store),
    )
    return Source(text, ("int64",) * 3, names=tuple(_WORDS.items()))


# --- how arrays lie ------------------------------------------------------------------------------


def _grid(sizes: Sequence[int], strides: Sequence[int]) -> np.ndarray:
    """The position of each element of a view, in one dimension."""
    at = np.zeros(1, np.int64)
    for n, stride in zip(sizes, strides, strict=True):
        at = (at[:, None] + stride * np.arange(n)).reshape(-1)
    return at


class _Vectors:
    """Places, of which neighbours lie ``pitches`` apart, as vectors: along the last dimension, or
    along several of them with what lies between.

    Attributes:
      count: how many vectors there are.
      shape, strides: of another array that has the same vectors: its shape, and the strides of the
        places in it.
      over: how many elements there have to be beyond the last place.
      in_order: whether the other array has the places in C order and nothing else.
    """

    def __init__(self, sizes: tuple[int, ...], pitches: tuple[int, ...], lanes: int):
        def run_of(merged: int) -> int:
            inner = zip(sizes[-merged:], pitches[-merged:], strict=True)
            return sum((n - 1) * p for n, p in inner) + 1

        def count_of(merged: int) -> int:
            return math.prod(sizes[:-merged]) * -(-run_of(merged) // lanes)

        merged = 1
        for more in range(2, len(sizes) + 1):
            if count_of(more) <= _WORTH_MERGING * count_of(merged):
                merged = more
        self._outer, self._inner, self._pitches = sizes[:-merged], sizes[-merged:], pitches
        self._run, self._lanes = run_of(merged), lanes
        self.count = count_of(merged)
        self.over = max(0, lanes - self._run)
        self.shape = (*self._outer, self._run + self.over)
        self.strides = (*contiguous(self.shape).strides[:-1], *pitches[-merged:])
        self.in_order = math.prod(self.shape) == math.prod(sizes)

    def table(self) -> list[tuple[int, int, int]]:
        """For each vector where it starts, in the array with the pitches and in the other one, and
        a bit for each of its elements that is a place and in no vector before."""
        rank, lane = len(self._outer), np.arange(self._lanes)
        real = np.zeros(self._run + self.over, bool)
        real[_grid(self._inner, self._pitches[rank:])] = True
        begin = np.arange(0, self._run, self._lanes)
        start = np.maximum(0, np.minimum(begin, self._run - self._lanes))
        element = start[:, None] + lane
        new = real[element] & (element >= begin[:, None])
        bits = np.sum(new.astype(np.uint64) << lane.astype(np.uint64), axis=1, dtype=np.uint64)
        source = _grid(self._outer, self._pitches[:rank])[:, None] + start
        other = np.arange(len(source))[:, None] * len(real) + start
        columns = np.broadcast_arrays(source, other, bits.view(np.int64))
        return list(zip(*(c.ravel().tolist() for c in columns), strict=True))


class _Layout:
    """How an input lies so that ``moving`` places along it, ``apart``, are neighbours.

    Attributes:
      shape: of the spatial dimensions: first the phases, then the elements of a phase.
      used: the phases that are read.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        moving: tuple[int, ...],
        apart: tuple[int, ...],
        taps: tuple[int, ...],
        spread: tuple[int, ...],
        lanes: int,
    ):
        self.apart = apart
        self.lanes = lanes
        counts = tuple(-(-n // s) for n, s in zip(sizes, apart, strict=True))
        self.shape = (*apart, *counts)
        strides, rank = contiguous(self.shape).strides, len(sizes)
        self.phase_strides, self.pitches = strides[:rank], strides[rank:]
        self._reached = [np.arange(n) * d for n, d in zip(taps, spread, strict=True)]
        self.used = [
            sorted({*(at % s).tolist()}) for at, s in zip(self._reached, apart, strict=True)
        ]
        self.vectors = _Vectors(moving, self.pitches, lanes)
        #: How much is computed for each place.
        self.waste = self.vectors.count * lanes / max(1, math.prod(moving))

    def offsets(self) -> list[int]:
        """Where the first place is for each of the taps."""
        parts = zip(self._reached, self.apart, self.phase_strides, self.pitches, strict=True)
        total = np.zeros(1, np.int64)
        for at, s, outer, inner in parts:
            total = (total[:, None] + at % s * outer + at // s * inner).reshape(-1)
        return total.tolist()


class _Placed(NamedTuple):
    """An array in memory: where, and the strides of its first two dimensions."""

    slot: int
    offset: int
    strides: tuple[int, int]


def _in_place(x: Leaf) -> bool:
    """Whether the spatial dimensions lie in C order."""
    shape, strides = x.shape[2:], x.view.strides[2:]
    plain = contiguous(shape).strides
    return all(n == 1 or s == p for n, s, p in zip(shape, strides, plain, strict=True))


def _as_placed(x: Leaf) -> _Placed:
    return _Placed(x.slot, x.view.offset, (x.view.strides[0], x.view.strides[1]))


def _laid_out(plan: Plan, x: Expression, layout: _Layout) -> _Placed:
    lead, over = x.shape[:2], layout.vectors.over
    if not over and all(s == 1 for s in layout.apart):
        leaf = plan.store(x)
        if _in_place(leaf):
            return _as_placed(leaf)
    shape = (*lead, *layout.shape)
    made = plan.new_array((math.prod(shape) + over,), x.dtype)
    strides = contiguous(shape).strides[:2]
    for phase in itertools.product(*layout.used):
        within = zip(x.shape[2:], phase, layout.apart, strict=True)
        part = (*lead, *(-(-(n - r) // s) for n, r, s in within))
        offset = sum(r * s for r, s in zip(phase, layout.phase_strides, strict=True))
        starts, steps = (0, 0, *phase), (1, 1, *layout.apart)
        taken = plan.reindex(x, lambda v, a=starts, n=part, s=steps: v.slice(a, n, s), part)
        plan.add(Root(taken, made.slot, View(part, (*strides, *layout.pitches), offset)), part)
    return _Placed(made.slot, 0, (strides[0], strides[1]))


def _window_laid_out(plan: Plan, x: Expression, vectors: _Vectors) -> _Placed:
    """A kernel whose elements lie as the vectors of a window go, with zeros between."""
    if vectors.in_order:
        leaf = plan.store(x)
        return _as_placed(leaf if _in_place(leaf) else plan.copy(leaf))
    lead = x.shape[:2]
    made = plan.new_array((*lead, *vectors.shape), x.dtype)
    zero = Number(x.dtype.type(0), made.shape)
    plan.add(Root(zero, made.slot, made.view), made.shape)
    strides = made.view.strides[:2]
    plan.add(Root(x, made.slot, View(x.shape, (*strides, *vectors.strides))), x.shape, over=True)
    return _Placed(made.slot, 0, (strides[0], strides[1]))


def _packed(plan: Plan, rhs: Expression, groups: int, block: int) -> Leaf:
    """A kernel as (group, block of output features, term, output feature within the block)."""
    outs, rest = rhs.shape[0] // groups, rhs.shape[1:]
    blocks, rank = -(-outs // block), len(rest)
    made = plan.new_array((groups, blocks, *rest, block), rhs.dtype)
    whole = plan.reindex(rhs, lambda v: _split(v, 0, (groups, outs)), (groups, outs, *rest))
    full, left = divmod(outs, block)

    def put(start: int, shape: tuple[int, int]) -> None:
        """Output features from one on, so many blocks of so many."""
        part = (groups, math.prod(shape), *rest)
        starts, ones = (0, start, *(0,) * rank), (1,) * len(part)
        order = (0, 1, *range(3, 3 + rank), 2)
        taken = plan.reindex(
            whole,
            lambda v: _split(v.slice(starts, part, ones), 1, shape).transpose(order),
            (groups, shape[0], *rest, shape[1]),
        )
        at = (0, start // block, *(0,) * (rank + 1))
        target = made.view.slice(at, taken.shape, (1,) * len(at))
        plan.add(Root(taken, made.slot, target), taken.shape, over=start > 0 or not full)

    if left:  # what is not filled would be computed with
        last = (groups, 1, *rest, block)
        at = (0, full, *(0,) * (rank + 1))
        target = made.view.slice(at, last, (1,) * len(at))
        plan.add(Root(Number(rhs.dtype.type(0), last), made.slot, target), last)
    if full:
        put(0, (full, block))
    if left:
        put(full * block, (1, left))
    return made


def _split(view: View, dim: int, sizes: tuple[int, int]) -> View:
    """A view with one dimension cut in two: it stays affine."""
    found = view.reshape((*view.shape[:dim], *sizes, *view.shape[dim + 1 :]))
    assert found is not None
    return found


# --- the two ways --------------------------------------------------------------------------------


class _Job(NamedTuple):
    """A convolution of an input (batch, groups * features, *sizes) with a kernel (groups * outs,
    features, *window) to a result of a shape (batch, groups * outs, *places)."""

    lhs: Expression
    rhs: Expression
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def terms(self) -> int:
        """How many products an element of the result is the sum of."""
        return math.prod(self.rhs.shape[1:])

    def by_places(self, lanes: int) -> _Layout:
        window, places = self.rhs.shape[2:], self.shape[2:]
        return _Layout(self.lhs.shape[2:], places, self.strides, window, self.dilation, lanes)

    def by_window(self, lanes: int) -> _Layout:
        window, places = self.rhs.shape[2:], self.shape[2:]
        return _Layout(self.lhs.shape[2:], window, self.dilation, places, self.strides, lanes)

    def along_batch(self, plan: Plan) -> _Job:
        """The same with the batch as the last spatial dimension, so that there is a batch of 1."""
        rank = len(self.shape)
        order = (*range(1, rank), 0)
        batch, *rest = self.lhs.shape
        lhs = plan.reindex(self.lhs, lambda v: _longer(v.transpose(order), 0), (1, *rest, batch))
        rhs = plan.reindex(self.rhs, lambda v: _longer(v, rank), (*self.rhs.shape, 1))
        shape = (1, *self.shape[1:], self.shape[0])
        return _Job(lhs, rhs, shape, (*self.strides, 1), (*self.dilation, 1), self.groups)

    def along_features(self, plan: Plan) -> _Job:
        """The same with a group's features as the last spatial dimension."""
        batch, _, *sizes = self.lhs.shape
        outs, features, *window = self.rhs.shape
        rank = len(self.shape)
        order = (0, 1, *range(3, rank + 1), 2)
        lhs = plan.reindex(
            self.lhs,
            lambda v: _split(v, 1, (self.groups, features)).transpose(order),
            (batch, self.groups, *sizes, features),
        )
        order_of_kernel = (0, *range(2, rank), 1)
        rhs = plan.reindex(
            self.rhs,
            lambda v: _longer(v.transpose(order_of_kernel), 1),
            (outs, 1, *window, features),
        )
        shape = (*self.shape, 1)
        return _Job(lhs, rhs, shape, (*self.strides, 1), (*self.dilation, 1), self.groups)

    def time(self, layout: _Layout) -> float:
        """About how many nanoseconds it takes by places."""
        work = math.prod(self.shape) * self.terms * 2 * self.lhs.dtype.itemsize
        return work * layout.waste / _SPEED


def _longer(view: View, dim: int) -> View:
    """A view with one more dimension, of one element."""
    shape, strides = view.shape, view.strides
    return View((*shape[:dim], 1, *shape[dim:]), (*strides[:dim], 0, *strides[dim:]), view.offset)


def _padded(plan: Plan, x: Expression, padding: tuple[tuple[int, int], ...]) -> Expression:
    """An input with zeros around, or with elements taken away."""
    pairs = ((0, 0), (0, 0), *padding)
    if any(min(pair) < 0 for pair in pairs):
        starts = [max(0, -low) for low, _ in pairs]
        ends = [n - max(0, -high) for n, (_, high) in zip(x.shape, pairs, strict=True)]
        shape = tuple(max(0, b - a) for a, b in zip(starts, ends, strict=True))
        x = plan.reindex(x, lambda v: v.slice(starts, shape, (1,) * len(shape)), shape)
    config = tuple((max(0, low), max(0, high), 0) for low, high in pairs)
    if not any(map(any, config)):
        return x
    shape = tuple(n + low + high for n, (low, high, _) in zip(x.shape, config, strict=True))
    if 0 in x.shape:
        return Number(x.dtype.type(0), shape)
    zero = Number(x.dtype.type(0))
    return shapes.RULES["pad"](
        plan, [x, zero], ShapedArray(shape, x.dtype), {"padding_config": config}
    )


def _convolution(plan: Plan, args: list[Any], out: ShapedArray, params: dict) -> Any:
    """The rule of the primitive: of several ways the one that is expected to take least time."""
    if out.dtype not in NATIVE or out.dtype == np.bool_:
        return None
    lhs, rhs = args
    if out.size == 0 or 0 in rhs.shape or 0 in lhs.shape:
        return Number(out.dtype.type(0), out.shape)
    lhs = _padded(plan, lhs, params["padding"])
    job = _Job(
        lhs, rhs, out.shape, params["window_strides"], params["rhs_dilation"],
        params["feature_group_count"],
    )  # fmt: skip
    lanes = vector_registers()[0] // out.dtype.itemsize
    turned, deep = job.along_batch(plan), job.along_features(plan)
    ways = [(_plan_by_places, turned, turned.by_places(lanes)),
            (_plan_by_window, deep, deep.by_window(lanes))]  # fmt: skip
    if len(out.shape) > 2:
        ways += [(_plan_by_places, job, job.by_places(lanes)),
                 (_plan_by_window, job, job.by_window(lanes))]  # fmt: skip
    # Elements that are reordered, which takes longer than reading them in order.
    size, kernel = math.prod(lhs.shape), math.prod(rhs.shape)
    moved = [size + out.size + kernel, size + kernel, kernel, 0]

    def time(number: int) -> float:
        way, one, layout = ways[number]
        factor = _BY_WINDOW_TAKES if way is _plan_by_window else 1
        return one.time(layout) * factor + moved[number] * _REORDERING_TAKES

    way, chosen, layout = ways[min(range(len(ways)), key=time)]
    found = way(plan, chosen, layout)
    shape, strides, offset = found.view
    if chosen is turned:
        view = View(out.shape, (strides[-1], *strides[1:-1]), offset)
    else:
        rank = len(out.shape)
        view = View(shape[:rank], strides[:rank], offset)
    return Leaf(found.slot, view, out.dtype)


def _step(
    plan: Plan,
    job: _Job,
    source: Source,
    words: dict[str, int],
    table: Sequence[int],
    placed: dict[str, _Placed],
    stop: int,
) -> None:
    head = [0] * len(_WORDS)
    for name, word in words.items():
        head[_WORDS[name]] = word
    size, multiplications = job.lhs.dtype.itemsize, math.prod(job.shape) * job.terms
    patches = [(p.slot, _WORDS[name], p.offset * size) for name, p in placed.items()]
    work = multiplications * 2 * size // _SPEED
    operands = " with ".join(str(x.shape) for x in (job.lhs, job.rhs))
    plan.add_step(
        Routine(
            f"convolution of {operands}", source, [*head, *table], patches, stop, work,
            [placed["OUT"].slot], "direct", pieces_of(work, stop),
        )
    )  # fmt: skip


def _plan_by_places(plan: Plan, job: _Job, layout: _Layout) -> Leaf:
    dtype, shape, groups = job.lhs.dtype, job.shape, job.groups
    outs, ins = shape[1] // groups, job.rhs.shape[1]
    rows = layout.vectors.table()
    registers = vector_registers()[1] * 3 // 4
    block, width = _blocks(outs, len(rows), 8, registers, False)
    turns = -(-len(rows) // width)
    x, weights = _laid_out(plan, job.lhs, layout), _packed(plan, job.rhs, groups, block)
    made = plan.new_array((*shape[:2], *layout.vectors.shape), dtype)
    per_feature = made.view.strides[1]
    taps = layout.offsets()
    offsets = [c * x.strides[1] + offset for c in range(ins) for offset in taps]
    rows += rows[-1:] * (turns * width - len(rows))
    large = len(offsets) * outs * dtype.itemsize > _KERNEL_BYTES
    blocks = shape[0] * groups * turns
    repeat = next(n for n in range(_REPEAT if large else 1, 0, -1) if blocks % n == 0)
    words = {
        "LHS_BATCH": x.strides[0], "LHS_GROUP": ins * x.strides[1],
        "RHS_GROUP": weights.view.strides[0],
        "OUT_GROUP": outs * per_feature, "OUT_FEATURE": per_feature, "GROUPS": groups,
        "OUTS": outs, "TERMS": len(offsets), "OUT_BLOCKS": -(-outs // block), "TURNS": turns,
        "REPEAT": repeat,
    }  # fmt: skip
    placed = {"LHS": x, "RHS": _as_placed(weights), "OUT": _as_placed(made)}
    source = _by_places(dtype.name, block, width, layout.lanes)
    table = [*offsets, *itertools.chain.from_iterable(rows)]
    _step(plan, job, source, words, table, placed, blocks * -(-outs // block))
    view = View(shape, (*made.view.strides[:2], *layout.vectors.strides))
    return Leaf(made.slot, view, dtype)


def _plan_by_window(plan: Plan, job: _Job, layout: _Layout) -> Leaf:
    dtype, shape = job.lhs.dtype, job.shape
    outs, features = shape[1] // job.groups, job.rhs.shape[1]
    x, y = _laid_out(plan, job.lhs, layout), _window_laid_out(plan, job.rhs, layout.vectors)
    made = plan.new_array(shape, dtype)
    per_batch, per_feature = made.view.strides[:2]
    places = list(enumerate(layout.offsets()))
    terms = [
        (n * x.strides[0] + offset, n * per_batch + place)
        for n in range(shape[0])
        for place, offset in places
    ]
    registers = vector_registers()[1] // 2
    block, width = _blocks(outs, len(terms), math.isqrt(registers), registers, True)
    terms += terms[-1:] * (-len(terms) % width)
    turns = -(-len(terms) // (width * _TOTALS))
    rows = layout.vectors.table()
    words = {
        "LHS_GROUP": features * x.strides[1], "LHS_FEATURE": x.strides[1],
        "RHS_GROUP": outs * y.strides[0], "RHS_OUT": y.strides[0], "RHS_FEATURE": y.strides[1],
        "OUT_GROUP": outs * per_feature, "OUT_FEATURE": per_feature,
        "OUTS": outs, "FEATURES": features, "TERMS": len(terms),
        "OUT_BLOCKS": -(-outs // block), "TURNS": turns, "VECTORS": len(rows),
        "AT_ONCE": max(1, _CHUNK // len(rows)),
    }  # fmt: skip
    placed = {"LHS": x, "RHS": y, "OUT": _as_placed(made)}
    source = _by_window(dtype.name, block, width, layout.lanes)
    table = [*itertools.chain.from_iterable(terms), *itertools.chain.from_iterable(rows)]
    _step(plan, job, source, words, table, placed, job.groups * -(-outs // block) * turns)
    return made


#: By the name of the primitive.
RULES = {"conv_general_dilated": _convolution}
