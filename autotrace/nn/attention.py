"""Attention, with masks of all kinds, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from .. import lax
from .. import numpy as anp
from ..api.custom import checkpoint
from ..core.errors import located
from ..lax.checkpointing import checkpoint_name, save_only_these_names

#: The name of the largest logits, which a derivative keeps of its turns.
_TOP = "attention_top"
#: Up to so many products of queries and keys are in memory at once; of more, parts take turns, and
#: a derivative computes theirs again.
_AT_ONCE = 1 << 19
#: About so many there are in a turn: what is made of them stays in the second-level cache.
_IN_TURN = 1 << 17


def _window(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    before, after = (size, size) if np.ndim(size) == 0 else size
    return as_int(before), as_int(after)


def _aligned(name: str, x: Any, shape: tuple[int, int, int, int]) -> Any:
    """A bias or mask with four dimensions that broadcast to a shape."""
    if x is None:
        return None
    x = anp.asarray(x)
    full = (1,) * (4 - x.ndim) + tuple(x.shape)
    if len(full) != 4 or any(n not in (1, m) for n, m in zip(full, shape, strict=True)):
        raise ValueError(
            located(
                f"dot_product_attention: {name} of shape {x.shape} does not broadcast to (batch, "
                f"heads, queries, keys), {shape}"
            )
        )
    return anp.reshape(x, full)


def _checked(query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
    """The operands as arrays of one dtype, with a batch; float16 would overflow in sums."""
    dtype = anp.result_type(query, key, value, np.float32)
    q, k, v = (anp.asarray(x).astype(dtype) for x in (query, key, value))
    if q.ndim == 3:
        q, k, v = (anp.expand_dims(x, 0) if x.ndim == 3 else x for x in (q, k, v))
    fits = q.ndim == k.ndim == v.ndim == 4 and (
        q.shape[0] == k.shape[0] == v.shape[0]
        and k.shape[1:3] == v.shape[1:3]
        and q.shape[3] == k.shape[3]
        and k.shape[2] > 0
        and q.shape[2] % k.shape[2] == 0
    )
    if not fits:
        raise ValueError(
            located(
                "dot_product_attention takes a query (batch, queries, heads, size), a key (batch, "
                "keys, key heads, size) and a value (batch, keys, key heads, value size), where "
                "key heads divide heads, or all without the batch; got shapes "
                f"{np.shape(query)}, {np.shape(key)} and {np.shape(value)}"
            )
        )
    return q, k, v


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: Any = None,
    is_causal: bool = False,
    query_seq_lengths: Any = None,
    key_value_seq_lengths: Any = None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: str | None = None,
) -> Any:
    """Means of values, weighted by ``softmax(scale * query @ key + bias)`` over the keys.

    Args:
      query: an array of shape (batch, queries, heads, size), or without the batch.
      key: (batch, keys, key heads, size); ``heads`` is a multiple of ``key heads``, and each of
        these serves as many heads in a row.
      value: (batch, keys, key heads, value size).
      bias: what is added to the logits; it broadcasts to (batch, heads, queries, keys).
      mask: bools that broadcast to the same: where a key counts for a query.
      scale: what products of queries and keys are multiplied by; ``1 / sqrt(size)`` for None.
      is_causal: whether a query sees no key after its own position.
      query_seq_lengths: for each of the batch, how many queries there are; the result is 0 for
        others.
      key_value_seq_lengths: the same for keys; others do not count.
      local_window_size: how many keys before and after its position a query sees, as one number or
        two; any for None.
      implementation: accepted for JAX's sake.

    Returns:
      An array of shape (batch, queries, heads, value size), or without the batch. A query that sees
      no key gets the mean of all values.

    Raises:
      ValueError: when the shapes do not fit.

    Where these are many, batch, heads and blocks of queries take turns, so that the logits of one
    turn are in memory at a time; a derivative keeps the largest logit of each query and computes
    the others again.

    Source: Vaswani et al. 2017 (arXiv:1706.03762); heads that share keys: Ainslie et al. 2023
    (arXiv:2305.13245); blocks: Rabe and Staats 2021 (arXiv:2112.05682), Dao et al. 2022
    (arXiv:2205.14135).

    >>> import autotrace.nn as nn, numpy as np
    >>> query, key = np.zeros((2, 1, 4)), np.zeros((2, 1, 4))
    >>> value = np.array([1.0, 3.0]).reshape(2, 1, 1)
    >>> nn.dot_product_attention(query, key, value, is_causal=True).ravel()
    array([1., 2.])
    """
    q, k, v = _checked(query, key, value)
    batch, queries, heads, size = q.shape
    shape = (batch, heads, queries, k.shape[1])
    bias, mask = _aligned("bias", bias, shape), _aligned("mask", mask, shape)
    if scale is None:
        scale = 1 / math.sqrt(size)
    window = _window(local_window_size)
    lengths = key_value_seq_lengths
    if lengths is not None:
        lengths = anp.asarray(lengths)[:, None, None, None]

    def attend(operands: Sequence[Any]) -> Any:
        q, k, v, bias, mask, lengths, rows = operands
        seen = _visible(rows, k.shape[1], is_causal, window, lengths)
        return _attend(q, k, v, scale, bias, mask, seen)

    rows = np.arange(queries)[:, None]
    out, sums = _in_parts(attend, shape, k.shape[2], (q, k, v, bias, mask, lengths, rows))
    out = out / sums[..., None]
    dtype = anp.result_type(query, key, value)
    if dtype.kind == "f":
        out = out.astype(dtype)
    if query_seq_lengths is not None:
        there = np.arange(queries) < anp.asarray(query_seq_lengths)[:, None]
        out = anp.where(there[:, :, None, None], out, 0)
    return out if np.ndim(query) == 4 else out[0]


def _visible(
    rows: Any, keys: int, is_causal: bool, window: tuple[int, int] | None, lengths: Any
) -> Any:
    """A mask of which keys the queries at some positions (queries, 1) see, (batch or 1, 1, queries,
    keys), None where that is all."""
    column = np.arange(keys)
    masks = []
    if is_causal:
        masks += [column <= rows]
    if window is not None:
        masks += [(column >= rows - window[0]) & (column <= rows + window[1])]
    if lengths is not None:
        masks += [column < lengths]
    found = None
    for mask in masks:
        found = mask if found is None else found & mask
    return found


def _attend(q: Any, k: Any, v: Any, scale: Any, bias: Any, *masks: Any) -> tuple[Any, Any]:
    """The sums of values weighted by exponentials, and of the weights.

    Whoever divides one by the other divides once for each query, and the derivative needs the
    weights alone.
    """
    batch, queries, heads, size = q.shape
    shared = k.shape[2]
    grouped = anp.reshape(q, (batch, queries, shared, heads // shared, size))
    logits = anp.einsum("btkgh,bskh->bkgts", grouped, k)
    logits = anp.reshape(logits, (batch, heads, queries, k.shape[1])) * scale
    if bias is not None:
        logits = logits + bias
    for mask in masks:
        if mask is not None:
            # Not minus infinity: a query that sees no key would make NaN of it.
            logits = anp.where(mask, logits, 0.7 * float(np.finfo(logits.dtype).min))
    top = checkpoint_name(lax.stop_gradient(anp.max(logits, axis=-1, keepdims=True)), _TOP)
    weights = anp.exp(logits - top)
    sums = anp.moveaxis(anp.sum(weights, axis=-1), 1, 2)
    weights = anp.reshape(weights, (batch, shared, heads // shared, queries, k.shape[1]))
    out = anp.einsum("bkgts,bskh->btkgh", weights, v)
    return anp.reshape(out, (batch, queries, heads, v.shape[3])), sums


#: Which dimensions of the operands of a part go along batch, heads and queries.
_ALONG = {
    "batch": (0, 0, 0, 0, 0, 0, None),
    "heads": (2, 2, 2, 1, 1, None, None),
    "queries": (1, None, None, 2, 2, None, 0),
}
#: The same for the result.
_OF_OUT = {"batch": 0, "heads": 2, "queries": 1}


def _in_parts(
    attend: Callable, shape: tuple[int, int, int, int], shared: int, operands: Sequence[Any]
) -> Any:
    """Attention of all queries at once, or of parts of batch, heads and queries that take turns."""
    batch, heads, queries, keys = shape
    if batch * heads * queries * keys <= _AT_ONCE:
        return attend(operands)
    turns = {"batch": batch}
    if heads * queries * keys > _IN_TURN:
        turns["heads"] = shared
        # A turn adds to the cotangents of all keys and values, which should be few beside its
        # products.
        group = heads // shared
        block = max(_IN_TURN // keys, 4 * operands[0].shape[3]) // group
        if block < queries:
            turns["queries"] = -(-queries // block)
    run = checkpoint(attend, policy=save_only_these_names(_TOP))
    sizes = {"batch": batch, "heads": heads, "queries": queries}
    for name, count in reversed(turns.items()):
        if count > 1:
            run = _by_turns(run, count, _ALONG[name], _OF_OUT[name], sizes[name])
    return run(operands)


def _by_turns(
    run: Callable, count: int, along: Sequence[int | None], out_axis: int, size: int
) -> Callable:
    """A function of operands of which so many parts take turns.

    Args:
      run: a function of the operands of one part.
      count: how many parts there are.
      along: for each operand the dimension that is cut; operands that have one of size 1 there are
        the same for all.
      out_axis: that of the result.
      size: of the dimension, the last part of which may have to be filled up.
    """

    def run_all(operands: Sequence[Any]) -> Any:
        cut = [
            None if x is None or d is None or x.shape[d] == 1 else _cut(x, d, count)
            for x, d in zip(operands, along, strict=True)
        ]

        def turn(parts: Sequence[Any]) -> Any:
            pairs = zip(operands, parts, strict=True)
            return run([x if part is None else part for x, part in pairs])

        return [_joined(out, out_axis, size) for out in lax.map(turn, cut)]

    return run_all


def _joined(parts: Any, axis: int, size: int) -> Any:
    """An array of parts that are in its first dimension, put together along another one."""
    parts = anp.moveaxis(parts, 0, axis)
    whole = anp.reshape(parts, (*parts.shape[:axis], -1, *parts.shape[axis + 2 :]))
    return lax.slice_in_dim(whole, 0, size, axis=axis)


def _cut(x: Any, axis: int, count: int) -> Any:
    """An array with its parts along a dimension in a new first one."""
    part = -(-x.shape[axis] // count)
    around = [(0, 0)] * x.ndim
    around[axis] = (0, count * part - x.shape[axis])
    x = anp.pad(x, around) if around[axis][1] else x
    x = anp.reshape(x, (*x.shape[:axis], count, part, *x.shape[axis + 1 :]))
    return anp.moveaxis(x, axis, 0)
