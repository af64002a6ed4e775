"""The convolution that others are made of.

There is one primitive, which knows neither dilated inputs nor orders of dimensions: ``lhs`` is
``(batch, groups * in, *sizes)``, ``rhs`` is ``(groups * out, in, *window)``, and windows that fit
into the padded sizes give ``(batch, groups * out, *places)``. Orders are ``transpose``, which
compiled programs read through. An input with holes (``lhs_dilation``, the transpose of a
strided convolution) is never made: the places of the result fall into phases, each of which meets
some of the window's elements only, and is a plain convolution with these.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray, make_aval, uniform
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..transforms.batch import Axis
from .arithmetic import NUMERIC
from .families import add_p, check_kinds
from .slicing import concatenate, pad_p, rev
from .slicing import slice as slice_array
from .structural import (
    move_axis,
    reshape,
    transpose,
)
from .windows import dilated_size, span_of, windows_p

#: How much memory the implementation in NumPy takes for windows at a time.
_PATCH_BYTES = 1 << 24

# --- the primitive -------------------------------------------------------------------------------

conv_general_dilated_p = Primitive("conv_general_dilated")


Pairs = tuple[tuple[int, int], ...]


def _places(
    lhs: tuple[int, ...],
    rhs: tuple[int, ...],
    window_strides: tuple[int, ...],
    padding: Pairs,
    rhs_dilation: tuple[int, ...],
) -> tuple[int, ...]:
    """How many windows fit along each dimension."""
    return tuple(
        max((n + low + high - span_of(w, d)) // s + 1, 0) if w else 0
        for n, w, s, (low, high), d in zip(
            lhs[2:], rhs[2:], window_strides, padding, rhs_dilation, strict=True
        )
    )


@conv_general_dilated_p.def_impl
def _conv_impl(
    lhs: Any,
    rhs: Any,
    *,
    window_strides: tuple,
    padding: Pairs,
    rhs_dilation: tuple,
    feature_group_count: int,
) -> Any:
    batch, groups = lhs.shape[0], feature_group_count
    outs, ins, window = rhs.shape[0] // groups, rhs.shape[1], rhs.shape[2:]
    places = _places(lhs.shape, rhs.shape, window_strides, padding, rhs_dilation)
    out = np.zeros((batch, groups, outs, math.prod(places)), lhs.dtype)
    if not (out.size and rhs.size):
        return out.reshape(batch, groups * outs, *places)
    terms = ins * math.prod(window)
    config = ((0, 0, 0), (0, 0, 0), *((low, high, 0) for low, high in padding))
    lhs = pad_p.impl(lhs, lhs.dtype.type(0), padding_config=config)
    seen = windows_p.impl(
        np.reshape(lhs, (batch, groups, ins, *lhs.shape[2:])),
        window=(1, 1, 1, *window),
        strides=(1, 1, 1, *window_strides),
        dilation=(1, 1, 1, *rhs_dilation),
    )[(..., 0, 0, 0, *(slice(None),) * len(window))]
    within = tuple(range(3 + len(window), seen.ndim))
    across = tuple(range(3, 3 + len(window)))
    # Matrices of windows and places, the longer of them along the rows: they are copied faster.
    by_places = math.prod(places) >= math.prod(window)
    order = (0, 1, 2, *within, *across) if by_places else (0, 1, *across, 2, *within)
    seen = seen.transpose(order)
    weights = np.reshape(rhs, (groups, outs, terms))
    size = groups * terms * math.prod(places) * lhs.dtype.itemsize
    step = max(1, _PATCH_BYTES // size)
    for n in range(0, batch, step):
        part = seen[n : n + step]
        shape = (len(part), groups, terms, -1) if by_places else (len(part), groups, -1, terms)
        matrices = part.reshape(shape)
        matrices = matrices if by_places else np.swapaxes(matrices, -1, -2)
        np.matmul(weights, matrices, out=out[n : n + step])
    return out.reshape(batch, groups * outs, *places)


@conv_general_dilated_p.def_abstract
def _conv_abstract(
    lhs: ShapedArray,
    rhs: ShapedArray,
    *,
    window_strides: tuple,
    padding: Pairs,
    rhs_dilation: tuple,
    feature_group_count: int,
) -> ShapedArray:
    check_kinds("conv_general_dilated", lhs, NUMERIC)
    fits = (
        lhs.dtype == rhs.dtype
        and lhs.ndim == rhs.ndim
        and len(window_strides) == len(padding) == len(rhs_dilation) == lhs.ndim - 2
        and lhs.shape[1] == feature_group_count * rhs.shape[1]
        and rhs.shape[0] % feature_group_count == 0
    )
    if not fits:
        raise TypeError(
            f"conv_general_dilated: {rhs} in {feature_group_count} groups is no kernel for {lhs}"
        )
    places = _places(lhs.shape, rhs.shape, window_strides, padding, rhs_dilation)
    return make_aval((lhs.shape[0], rhs.shape[0], *places), lhs.dtype)


@conv_general_dilated_p.def_jvp
def _conv_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    (lhs, rhs), (lhs_t, rhs_t) = primals, tangents
    if lhs_t is None:
        return conv_general_dilated_p.bind(lhs, rhs_t, **params)
    share = conv_general_dilated_p.bind(lhs_t, rhs, **params)
    if rhs_t is None:
        return share
    return add_p.bind(share, conv_general_dilated_p.bind(lhs, rhs_t, **params))


@conv_general_dilated_p.def_transpose
def _conv_transpose(
    ct: Any,
    lhs: Any,
    rhs: Any,
    *,
    window_strides: tuple,
    padding: Pairs,
    rhs_dilation: tuple,
    feature_group_count: int,
) -> list[Any]:
    groups = feature_group_count
    if type(lhs) is LinearInput:
        shape = lhs.aval.shape
        if not (ct.size and rhs.size):
            return [uniform(shape, ct.dtype), None]
        outs, ins, window = rhs.shape[0] // groups, rhs.shape[1], rhs.shape[2:]
        # The kernel turned around, with inputs and outputs exchanged.
        kernel = reshape(rev(rhs, range(2, rhs.ndim)), (groups, outs, ins, *window))
        kernel = reshape(move_axis(kernel, 2, 1), (groups * ins, outs, *window))
        around = [
            (span_of(w, d) - 1 - low, n + low - dilated_size(p, s))
            for n, p, w, s, (low, _), d in zip(
                shape[2:], ct.shape[2:], window, window_strides, padding, rhs_dilation, strict=True
            )
        ]
        ones = (1,) * len(window)
        return [convolved(ct, kernel, ones, around, window_strides, rhs_dilation, groups), None]
    shape = rhs.aval.shape
    if not (ct.size and lhs.size):
        return [None, uniform(shape, ct.dtype)]
    batch, ins, outs = lhs.shape[0], shape[1], shape[0] // groups
    sizes, window, places = lhs.shape[2:], shape[2:], ct.shape[2:]
    # What no window reaches has no part in it.
    reached = tuple(
        (low, (w - 1) * d + dilated_size(p, s) - n - low)
        for n, w, p, s, (low, _), d in zip(
            sizes, window, places, window_strides, padding, rhs_dilation, strict=True
        )
    )
    # The batch is what is summed over, with the cotangent as the kernel.
    seen = reshape(lhs, (batch, groups, ins, *sizes))
    seen = reshape(_permuted(seen, 2, 1, 0), (ins, groups * batch, *sizes))
    kernel = reshape(ct, (batch, groups, outs, *places))
    kernel = reshape(_permuted(kernel, 1, 2, 0), (groups * outs, batch, *places))
    back = conv_general_dilated_p.bind(
        seen,
        kernel,
        window_strides=rhs_dilation,
        padding=reached,
        rhs_dilation=window_strides,
        feature_group_count=groups,
    )
    return [None, move_axis(back, 1, 0)]


def _permuted(x: Any, *order: int) -> Any:
    """The first dimensions in another order."""
    return transpose(x, (*order, *range(len(order), x.ndim)))


@conv_general_dilated_p.def_batch
def _conv_batch(
    axis: Axis, args: Any, dims: Any, *, feature_group_count: int, **params: Any
) -> tuple:
    (lhs, rhs), (lhs_dim, rhs_dim), size = args, dims, axis.size
    groups = feature_group_count
    if lhs_dim is not None:
        lhs = move_axis(lhs, lhs_dim, 0)
    if rhs_dim is not None:
        rhs = move_axis(rhs, rhs_dim, 0)
    if rhs_dim is None:  # more examples
        batch = lhs.shape[1]
        lhs = reshape(lhs, (size * batch, *lhs.shape[2:]))
        out = conv_general_dilated_p.bind(lhs, rhs, feature_group_count=groups, **params)
        return reshape(out, (size, batch, *out.shape[1:])), 0
    outs = rhs.shape[1] // groups
    if lhs_dim is None:  # more outputs in each group
        rhs = reshape(rhs, (size, groups, outs, *rhs.shape[2:]))
        rhs = reshape(move_axis(rhs, 0, 1), (groups * size * outs, *rhs.shape[3:]))
        out = conv_general_dilated_p.bind(lhs, rhs, feature_group_count=groups, **params)
        out = reshape(out, (out.shape[0], groups, size, outs, *out.shape[2:]))
        out = move_axis(out, 2, 0)
        return reshape(out, (size, out.shape[1], groups * outs, *out.shape[4:])), 0
    if not size:
        places = _places(lhs.shape[1:], rhs.shape[1:], **params)
        return uniform((0, lhs.shape[1], groups * outs, *places), lhs.dtype), 0
    # More groups.
    lhs = move_axis(lhs, 0, 1)
    lhs = reshape(lhs, (lhs.shape[0], size * lhs.shape[2], *lhs.shape[3:]))
    rhs = reshape(rhs, (size * groups * outs, *rhs.shape[2:]))
    out = conv_general_dilated_p.bind(lhs, rhs, feature_group_count=size * groups, **params)
    return reshape(out, (out.shape[0], size, groups * outs, *out.shape[2:])), 1


# --- inputs with holes ---------------------------------------------------------------------------


class _Phase(NamedTuple):
    """Along one dimension, the places ``phase, phase + phases, ...`` of a result: which of the
    window's elements meet elements of the input there, and how much is put around the input."""

    first: int
    step: int
    taps: int
    low: int
    high: int


class _Along(NamedTuple):
    """A convolution along one dimension of its input."""

    size: int
    window: int
    stride: int
    low: int
    high: int
    base: int
    dilation: int

    @property
    def places(self) -> int:
        """How many windows fit."""
        room = dilated_size(self.size, self.base) + self.low + self.high
        span = span_of(self.window, self.dilation) if self.window else 0
        return max((room - span) // self.stride + 1, 0) if room >= span else 0

    # An element of the window, ``k``, is at place ``p`` on the dilated input's element ``p * stride
    # + k * dilation - low``, which is one of the input's where ``base`` divides that. So both the
    # places and the window's elements go by steps, those after which this holds again.

    @property
    def phases(self) -> int:
        return self.base // math.gcd(self.base, self.stride)

    @property
    def apart(self) -> int:
        """The stride within a phase."""
        return self.stride // math.gcd(self.base, self.stride)

    @property
    def spread(self) -> int:
        """The dilation within a phase."""
        return self.dilation // math.gcd(self.base, self.dilation)

    def phase(self, number: int) -> _Phase | None:
        """A phase, None where it meets none of the window's elements."""
        step = self.base // math.gcd(self.base, self.dilation)
        at = number * self.stride - self.low
        for first in range(min(step, self.window)):
            begin, rest = divmod(at + first * self.dilation, self.base)
            if rest == 0:
                taps = -(-(self.window - first) // step)
                count = -(-self.places // self.phases)
                end = begin + (count - 1) * self.apart + span_of(taps, self.spread)
                return _Phase(first, step, taps, -begin, end - self.size)
        return None


def convolved(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Any:
    """A convolution of operands in the primitive's orders of dimensions."""
    along = [
        _Along(n, w, s, low, high, b, d)
        for n, w, s, (low, high), b, d in zip(
            lhs.shape[2:], rhs.shape[2:], strides, padding, base, dilation, strict=True
        )
    ]
    rank, places = len(along), tuple(a.places for a in along)
    lead = (lhs.shape[0], rhs.shape[0])
    if not (lhs.size and rhs.size and all(places)):
        return uniform((*lead, *places), lhs.dtype)
    phases = tuple(a.phases for a in along)
    counts = tuple(-(-n // m) for n, m in zip(places, phases, strict=True))

    def one(number: tuple[int, ...]) -> Any:
        found = [a.phase(r) for a, r in zip(along, number, strict=True)]
        met = [p for p in found if p is not None]
        if len(met) < rank:
            return uniform((*lead, *counts), lhs.dtype)
        kernel = slice_array(
            rhs, (0, 0, *(p.first for p in met)), rhs.shape, (1, 1, *(p.step for p in met))
        )
        return conv_general_dilated_p.bind(
            lhs,
            kernel,
            window_strides=tuple(a.apart for a in along),
            padding=tuple((p.low, p.high) for p in met),
            rhs_dilation=tuple(a.spread for a in along),
            feature_group_count=groups,
        )

    parts = [one(number) for number in itertools.product(*map(range, phases))]
    if len(parts) == 1:
        return parts[0]
    # The phases take turns.
    total = concatenate([reshape(p, (*lead, 1, *counts)) for p in parts], 2)
    total = reshape(total, (*lead, *phases, *counts))
    turns = [d for i in range(rank) for d in (2 + rank + i, 2 + i)]
    total = transpose(total, (0, 1, *turns))
    total = reshape(total, (*lead, *(n * m for n, m in zip(counts, phases, strict=True))))
    return slice_array(total, (0,) * total.ndim, (*lead, *places))
