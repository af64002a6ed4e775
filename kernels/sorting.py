"""Sorting, natively: stable orders by counting the digits of keys.

A number becomes a *key*, a uint64 that is ordered as it is: a float's bits with its sign turned
round, NaN above all. The highest 32 of the bits in which keys differ, with the element's place
below them, are a *word*, and the words are sorted digit by digit from the lowest (radix sort:
Knuth, The Art of Computer Programming 3, 5.2.5). What is equal in those bits is told apart by whole
keys: few elements by insertion, many as words of their lower bits.

Low digits are left out where the higher ones tell all but neighbours apart, which are put right by
insertion.

A rule takes ``(plan, args, outs, params)`` and returns an expression for each output, or None for a
host step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.avals import ShapedArray
from .expressions import Counter, Expression, Leaf, Lookup, Node, Number
from .factorizations import add_routine, form, times
from .scalars import NATIVE
from .views import View

if TYPE_CHECKING:
    from .fusion import Plan

_PLACE = np.dtype(np.int64)
_KEY = np.dtype(np.uint64)
#: Up to so many elements are sorted by insertion.
_SHORT = 32
#: From so many elements on a digit has 11 bits, and 8 below, where the counts of more values would
#: cost more than the elements. From many more on it has 10, since elements go to as many pages of
#: memory at once: a million uint32 take 13 ns each with 11 bits and 8 ns with 10.
_LONG, _LARGE = 3000, 300_000
#: Below this row size, and from so many elements on, NumPy's sort without an order is faster.
_ROW_BYTES = 4096
_FEW = 300
#: The counts of all digits of a word's upper half: 4 of 8 or 10 bits, 3 of 11.
_COUNTS = 3 * 2**11

#: How often each value of a digit occurs becomes the place of its first element. The result: among
#: how many others an element is whose value it has.
_COUNT = """
def counted(words, size, counts, values, shift):
    for k in range(values):
        counts[k] = 0
    for i in range(size):
        k = np.int64(words[i] >> shift) & (values - 1)
        counts[k] = counts[k] + 1
    before = 0
    pairs = 0.0
    for k in range(values):
        here = counts[k]
        counts[k] = before
        before = before + here
        pairs = pairs + np.float64(here) * np.float64(here)
    return pairs / np.float64(size)
"""

#: Whether it took no more than so many moves; if not, the words are in no order.
_INSERTION = """
def inserted(words, size, moves):
    i = 1
    while i < size and moves >= 0:
        word = words[i]
        j = i
        while j > 0:
            if words[j - 1] <= word:
                break
            words[j] = words[j - 1]
            j = j - 1
        words[j] = word
        moves = moves - (i - j)
        i = i + 1
    return moves >= 0
"""

#: By all their bits, of which the upper ``width`` below the highest that are the same for all are
#: looked at, and the lowest 32, in which they are in order.
_WORDS = f"""
def sort_words(words, spare, size, width, counts):
    bits = 10
    if size < {_LARGE}:
        bits = 11
    if size < {_LONG}:
        bits = 8
    values = 1 << bits
    digits = quotient(width + bits - 1, bits)
    base = 32 + width - digits * bits
    enough = 1.0
    while True:
        first = digits
        crowd = np.float64(size)
        while first > 0 and crowd > enough:
            first = first - 1
            shift = np.uint64(base + first * bits)
            share = counted(words, size, at(counts, first * values), values, shift)
            crowd = crowd * (share / np.float64(size))
        source = words
        target = spare
        for d in range(first, digits):
            starts = at(counts, d * values)
            shift = np.uint64(base + d * bits)
            for i in range(size):
                word = source[i]
                k = np.int64(word >> shift) & (values - 1)
                place = starts[k]
                starts[k] = place + 1
                target[place] = word
            other = source
            source = target
            target = other
        if ((digits - first) & 1) == 1:
            for i in range(size):
                words[i] = source[i]
        if first == 0:
            break
        if inserted(words, size, 8 * size):
            break
        enough = 0.0
"""

_ORDER = f"""
def routine(table, start, stop):
    table_words = pointer_int64(table)
    n = table_words[N]
    words = pointer_uint64(table_words[ROOM])
    counts = pointer_int64(table_words[COUNTS])
    for row in range(start, stop):
        keys = pointer_uint64(table_words[KEYS] + 8 * n * row)
        order = pointer_int64(table_words[ORDER] + 8 * n * row)
        differ = np.uint64(0)
        falls = False
        for i in range(1, n):
            differ = differ | (keys[i] ^ keys[0])
            falls = falls | (keys[i] < keys[i - 1])
        if falls:
            order_row(keys, words, at(words, n + 1), n, differ, counts)
        for i in range(n):
            order[i] = select(falls, np.int64(words[i] & {2**32 - 1}), i)
"""

_ROW = f"""
def order_row(keys, words, spare, n, differ, counts):
    for by in range(6):
        differ = differ | (differ >> (np.uint64(1) << np.uint64(by)))
    width = np.int64(count_ones(differ))
    below = max(width - 32, 0)
    width = width - below
    size = n
    if n <= {_SHORT}:
        size = 0
        below = 1
        for i in range(n):
            words[i] = np.uint64(i)
    else:
        for i in range(n):
            words[i] = keys[i] >> np.uint64(below) << 32 | np.uint64(i)
    first = 0
    done = 0
    while size > 0 or done < n:
        if size > 0:
            sort_words(at(words, first), spare, size, width, counts)
            size = 0
        if below == 0:
            done = n
        while done < n and size == 0:
            first = done
            window = words[first] >> 32
            done = done + 1
            while done < n and words[done] >> 32 == window:
                done = done + 1
            if done - first > {_SHORT}:
                size = done - first
                width = below
                for i in range(first, done):
                    place = words[i] & {2**32 - 1}
                    words[i] = keys[np.int64(place)] << 32 | place
            elif done - first > 1:
                insert_by_key(keys, at(words, first), done - first)
"""

_BY_KEY = f"""
def insert_by_key(keys, words, size):
    for i in range(1, size):
        word = words[i]
        key = keys[np.int64(word & {2**32 - 1})]
        j = i
        while j > 0:
            if keys[np.int64(words[j - 1] & {2**32 - 1})] <= key:
                break
            words[j] = words[j - 1]
            j = j - 1
        words[j] = word
"""

_HELPERS = (
    (_COUNT, ("*uint64", "int64", "*int64", "int64", "uint64"), "float64"),
    (_INSERTION, ("*uint64", "int64", "int64"), "bool"),
    (_WORDS, ("*uint64", "*uint64", "int64", "int64", "*int64")),
    (_BY_KEY, ("*uint64", "*uint64", "int64")),
    (_ROW, ("*uint64", "*uint64", "*uint64", "int64", "uint64", "*int64")),
)
_FORM = form(_ORDER, "KEYS ORDER N ROOM COUNTS", _HELPERS)


def _float_key(width: int) -> str:
    # With 0.0 added, so that -0.0 is equal to it.
    bits = "bits({0} + 0.0)"
    sign = f"np.uint{width}(np.int{width}({bits}) >> {width - 1}) | {2 ** (width - 1)}"
    return f"np.uint64(select({{0}} != {{0}}, {2**width - 1}, {bits} ^ ({sign})))"


#: A key in terms of a number.
_KEYS = {
    **{np.dtype(f"f{width // 8}"): _float_key(width) for width in (32, 64)},
    **{np.dtype(f"i{n}"): f"np.uint64(np.int64({{0}})) ^ {2**63}" for n in (1, 2, 4, 8)},
    **{np.dtype(f"u{n}"): "np.uint64({0})" for n in (1, 2, 4, 8)},
    np.dtype(np.bool_): "np.uint64({0})",
}


def _key(x: Expression) -> Node:
    return Node(_KEYS[x.dtype], [x], _KEY, x.shape, False)


def _takes(xs: Sequence[Expression], size: int) -> bool:
    """Whether arrays may be put into order here: places in words have 32 bits."""
    return size < 2**31 and all(x.dtype in NATIVE for x in xs)


def _order(plan: Plan, key: Expression, dimension: int) -> Leaf:
    """The stable order along a dimension."""
    dims = [d for d in range(len(key.shape)) if d != dimension]
    to_rows = (*dims, dimension)
    rows = View(key.shape, key.shape).transpose(to_rows).shape
    n = rows[-1]
    keys = plan.store(plan.reindex(key, lambda view: view.transpose(to_rows), rows))
    order = plan.new_array(rows, _PLACE)
    room = plan.new_array((2 * n + 1,), _KEY)
    counts = plan.new_array((_COUNTS,), _PLACE)
    count = math.prod(rows[:-1])
    add_routine(
        plan,
        f"sort of {n}{times(count)}",
        _FORM,
        {"N": n},
        {
            "KEYS": (keys.slot, keys.view.offset * _KEY.itemsize),
            "ORDER": (order.slot, 0),
            "ROOM": (room.slot, 0),
            "COUNTS": (counts.slot, 0),
        },
        count,
        n * 10,
        [order.slot, room.slot, counts.slot],
        "radix",
    )
    back = [to_rows.index(d) for d in range(len(rows))]
    return Leaf(order.slot, order.view.transpose(back), _PLACE)


def _taken(plan: Plan, x: Expression, order: Expression, dimension: int) -> Expression:
    """The elements at other places along a dimension."""
    if isinstance(x, Counter) and x.dtype == _PLACE and _counts_along(x.view, dimension):
        return order
    leaf = plan.store(x)
    steps = leaf.view.strides
    kept = tuple(0 if d == dimension else s for d, s in enumerate(steps))
    view = View(order.shape, kept, leaf.view.offset)
    step = Number(np.int64(steps[dimension]), order.shape)
    place = Node("{0} * {1}", [order, step], _PLACE, order.shape, False)
    return Lookup(Leaf(leaf.slot, view, leaf.dtype), [place])


def _counts_along(view: View, dimension: int) -> bool:
    steps = tuple(int(d == dimension) for d in range(len(view.shape)))
    return view.strides == steps and not view.offset


def _short_rows(outs: Sequence[ShapedArray], size: int, params: dict) -> bool:
    """Whether NumPy's vectorised sort is faster: for many short rows, if their order is not wanted
    and equals may change places. 1000 rows of 100 float64 take 0.21 ms and here 1.2 ms, one row of
    100 takes 1 us and here 1.5 us, but calling NumPy costs that and more."""
    alone = len(outs) == 1 and not params["is_stable"]
    return alone and size * outs[0].dtype.itemsize < _ROW_BYTES and outs[0].size > _FEW


def _sort(
    plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict
) -> list[Expression] | None:
    dimension = params["dimension"]
    size = outs[0].shape[dimension]
    if not _takes(args, size) or (not plan.within_block and _short_rows(outs, size, params)):
        return None
    used = [plan.is_used(i) for i in range(len(args))]
    args = [
        plan.store(x) if u and isinstance(x, Node) else x for x, u in zip(args, used, strict=True)
    ]
    order: Expression | None = None
    for x in reversed(args[: params["num_keys"]]):
        moved = x if order is None else _taken(plan, x, order, dimension)
        found = _order(plan, _key(moved), dimension)
        order = found if order is None else _taken(plan, order, found, dimension)
    assert order is not None
    return [
        _taken(plan, x, order, dimension) if u else Number(x.dtype.type(0), x.shape)
        for x, u in zip(args, used, strict=True)
    ]


def _top_k(
    plan: Plan, args: list[Any], outs: Sequence[ShapedArray], params: dict
) -> list[Expression] | None:
    (x,), last, shape = args, len(args[0].shape) - 1, outs[0].shape
    if not _takes(args, x.shape[-1]):
        return None
    # Of the complements, so that the first of equals stays the first.
    falling = Node("~{0}", [_key(x)], _KEY, x.shape, False)
    order = _order(plan, falling, last)
    view = order.view.slice((0,) * len(shape), shape, (1,) * len(shape))
    first = Leaf(order.slot, view, _PLACE)
    return [_taken(plan, x, first, last), first]


#: By the name of the primitive, for results that have elements.
RULES: dict[str, Callable[..., list[Expression] | None]] = {"sort": _sort, "top_k": _top_k}
