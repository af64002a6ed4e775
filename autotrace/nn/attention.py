"""Attention, with masks of all kinds, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import index as as_int
from typing import Any

import numpy as np

from .. import lax
from .. import numpy as anp
from ..api.custom import checkpoint
from ..core.errors import located
from .normalization import softmax

#: Up to so many products of queries and keys are in memory at once; of more, blocks of queries take
#: turns, and a derivative computes theirs again.
_AT_ONCE = 1 << 22


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
    """The operands as arrays of one dtype, with a batch."""
    dtype = anp.result_type(query, key, value)
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

    Long sequences go by blocks of queries, so that the logits of one block are in memory at a time.

    Source: Vaswani et al. 2017 (arXiv:1706.03762); heads that share keys: Ainslie et al. 2023
    (arXiv:2305.13245); blocks: Rabe and Staats 2021 (arXiv:2112.05682).

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
    visible = _visibility(k.shape[1], is_causal, _window(local_window_size), key_value_seq_lengths)

    def attend(start: Any, q: Any, bias: Any, mask: Any) -> Any:
        return _attend(q, k, v, scale, bias, mask, visible(start, q.shape[1]))

    block = max(1, _AT_ONCE // max(1, batch * heads * k.shape[1]))
    whole = block >= queries
    out = attend(0, q, bias, mask) if whole else _by_blocks(attend, block, q, bias, mask)
    if query_seq_lengths is not None:
        there = np.arange(queries) < anp.asarray(query_seq_lengths)[:, None]
        out = anp.where(there[:, :, None, None], out, 0)
    return out if np.ndim(query) == 4 else out[0]


def _visibility(
    keys: int, is_causal: bool, window: tuple[int, int] | None, lengths: Any
) -> Callable[[Any, int], Any]:
    """A function of the first of so many queries: a mask of which keys they see by their position,
    (batch or 1, 1, queries, keys), None where that is all."""

    def visible(start: Any, queries: int) -> Any:
        row = (start + np.arange(queries))[:, None]
        column = np.arange(keys)
        masks = []
        if is_causal:
            masks += [column <= row]
        if window is not None:
            masks += [(column >= row - window[0]) & (column <= row + window[1])]
        if lengths is not None:
            masks += [column < anp.asarray(lengths)[:, None, None, None]]
        found = None
        for mask in masks:
            found = mask if found is None else found & mask
        return found

    return visible


def _attend(q: Any, k: Any, v: Any, scale: Any, bias: Any, *masks: Any) -> Any:
    """Attention of some queries to all keys."""
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
    weights = softmax(logits).astype(v.dtype)
    weights = anp.reshape(weights, (batch, shared, heads // shared, queries, k.shape[1]))
    out = anp.einsum("bkgts,bskh->btkgh", weights, v)
    return anp.reshape(out, (batch, queries, heads, v.shape[3]))


def _by_blocks(attend: Callable, block: int, q: Any, bias: Any, mask: Any) -> Any:
    """Attention of one block of queries after the other."""
    queries = q.shape[1]
    count = -(-queries // block)

    def cut(x: Any, axis: int) -> Any:
        """An array with its blocks along a first axis; one that is the same for all stays."""
        if x is None or x.shape[axis] != queries:
            return None
        around = [(0, 0)] * x.ndim
        around[axis] = (0, count * block - queries)
        x = anp.pad(x, around)
        x = anp.reshape(x, (*x.shape[:axis], count, block, *x.shape[axis + 1 :]))
        return anp.moveaxis(x, axis, 0)

    def one(parts: tuple) -> Any:
        start, q, *others = parts
        given = zip(others, (bias, mask), strict=True)
        return attend(start, q, *(whole if part is None else part for part, whole in given))

    starts = block * np.arange(count)
    blocks = lax.map(checkpoint(one), (starts, cut(q, 1), cut(bias, 2), cut(mask, 2)))
    blocks = anp.moveaxis(blocks, 0, 1)
    out = anp.reshape(blocks, (blocks.shape[0], count * block, *blocks.shape[3:]))
    return out[:, :queries]
