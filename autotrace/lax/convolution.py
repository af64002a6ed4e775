"""Convolutions.

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
from operator import index as as_int
from typing import Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray, make_aval, uniform
from ..core.errors import located
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..transforms.batch import Axis
from .arithmetic import NUMERIC, convert_element_type
from .families import add_p, check_kinds
from .slicing import concatenate, pad, pad_p, rev
from .slicing import slice as slice_array
from .structural import (
    array,
    inverse_permutation,
    move_axis,
    reshape,
    transpose,
)
from .windows import dilated_size, padding_pairs, span_of, windows_p

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
        return [_convolved(ct, kernel, ones, around, window_strides, rhs_dilation, groups), None]
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


def _convolved(
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


# --- the public functions ------------------------------------------------------------------------


class ConvDimensionNumbers(NamedTuple):
    """What the dimensions of a convolution's arrays are.

    Attributes:
      lhs_spec: the input's dimensions: batch, feature, and the spatial ones in order.
      rhs_spec: the kernel's: output feature, input feature, and the spatial ones.
      out_spec: the result's: batch, feature, and the spatial ones.
    """

    lhs_spec: tuple[int, ...]
    rhs_spec: tuple[int, ...]
    out_spec: tuple[int, ...]


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: Any
) -> ConvDimensionNumbers:
    """What the dimensions of a convolution's arrays are, from one of the ways to say it.

    Args:
      lhs_shape, rhs_shape: the shapes of the operands.
      dimension_numbers: three strings for input, kernel and result, as in
        ``("NHWC", "HWIO", "NHWC")``: of the input and the result N is the batch and C the
        feature, of the kernel O and I are output and input feature, and spatial dimensions have
        the same letters in all three; or ``ConvDimensionNumbers``; or, with None, batch (O) first
        and feature (I) second.

    Returns:
      The dimension numbers; the order of spatial dimensions is the kernel's.

    Raises:
      TypeError: when the operands differ in rank, or this does not fit it.
      ValueError: when strings do not name all dimensions once.

    >>> import autotrace.lax as lax
    >>> lax.conv_dimension_numbers((8, 5, 5, 3), (3, 3, 3, 4), ("NHWC", "HWIO", "NHWC"))
    ConvDimensionNumbers(lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2))
    """
    rank = len(lhs_shape)
    if rank != len(rhs_shape) or rank < 2:
        raise TypeError(
            located(
                "a convolution takes an input and a kernel with as many dimensions as each other, "
                f"at least 2, got shapes {tuple(lhs_shape)} and {tuple(rhs_shape)}"
            )
        )
    if dimension_numbers is None:
        plain = tuple(range(rank))
        return ConvDimensionNumbers(plain, plain, plain)
    specs = tuple(dimension_numbers)
    if len(specs) == 3 and all(isinstance(s, str) for s in specs):
        return _from_letters(specs, rank)
    if len(specs) == 3 and all(sorted(map(as_int, s)) == list(range(rank)) for s in specs):
        return ConvDimensionNumbers(*(tuple(map(as_int, s)) for s in specs))
    raise TypeError(
        located(
            "a convolution's dimension_numbers are three strings, three orders of its "
            f"{rank} dimensions (ConvDimensionNumbers), or None, got {dimension_numbers!r}"
        )
    )


def _from_letters(specs: tuple[str, str, str], rank: int) -> ConvDimensionNumbers:
    pairs = ("NC", "OI", "NC")
    spatial = [sorted(set(s) - set(pair)) for s, pair in zip(specs, pairs, strict=True)]
    good = all(
        len(s) == rank == len(set(s)) and set(pair) <= set(s)
        for s, pair in zip(specs, pairs, strict=True)
    )
    if not good or spatial[0] != spatial[1] or spatial[0] != spatial[2]:
        raise ValueError(
            located(
                f'dimension_numbers as letters, ("NCHW", "OIHW", "NCHW") for example, name each of '
                f"{rank} dimensions once: N and C (of the kernel O and I), and the same spatial "
                f"ones in all three; got {specs}"
            )
        )
    order = [c for c in specs[1] if c not in "OI"]
    found = (tuple(map(s.index, (*pair, *order))) for s, pair in zip(specs, pairs, strict=True))
    return ConvDimensionNumbers(*found)


def _numbers(what: str, given: Sequence[int] | None, rank: int, least: int = 1) -> tuple[int, ...]:
    """A parameter with a number for each spatial dimension; ones for None."""
    numbers = (1,) * rank if given is None else tuple(map(as_int, given))
    if len(numbers) != rank or min(numbers, default=least) < least:
        raise TypeError(
            located(
                f"a convolution's {what} is a positive number for each of {rank} spatial "
                f"dimensions, got {given}"
            )
        )
    return numbers


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """Convolve an array with a kernel, in any number of dimensions; the kernel is not turned
    around.

    Args:
      lhs: the input: a batch of arrays with features.
      rhs: the kernel, of the same dtype: it has as many input features as the input, divided by
        ``feature_group_count``.
      window_strides: by how many elements the kernel moves, for each spatial dimension.
      padding: ``"VALID"``: none; ``"SAME"``: so many zeros that there is a place for each
        ``stride`` elements, with the odd one after them (``"SAME_LOWER"``: before); or pairs of
        how many zeros to put before and after (negative: elements to take away).
      lhs_dilation: the distance of the input's elements after zeros are put between them.
      rhs_dilation: the distance of the kernel's elements.
      dimension_numbers: the orders of dimensions; see ``conv_dimension_numbers``. None is batch
        (output feature) first, feature (input feature) second.
      feature_group_count: into how many groups features are divided, which have nothing to do
        with each other.
      batch_group_count: into how many groups the batch is divided; each meets its own group of
        output features, and the result's batch is that of a group.
      precision: accepted for JAX's sake; the arithmetic is the dtype's.
      preferred_element_type: the dtype to convert operands to first.

    Returns:
      The result, in the order of dimensions that ``dimension_numbers`` says.

    Raises:
      TypeError: when shapes, dtypes or parameters do not fit.
      ValueError: for an unknown ``padding``, one by name with ``lhs_dilation``, or letters that do
        not fit.

    >>> import autotrace.lax as lax, numpy as np
    >>> x = np.array([1.0, 5.0, 2.0, 4.0]).reshape(1, 1, 4)
    >>> lax.conv_general_dilated(x, np.array([1.0, -1.0]).reshape(1, 1, 2), (1,), "VALID")
    array([[[-4.,  3., -2.]]])
    >>> images, kernel = np.ones((8, 32, 32, 3)), np.ones((3, 3, 3, 16))
    >>> numbers = ("NHWC", "HWIO", "NHWC")
    >>> lax.conv_general_dilated(images, kernel, (2, 2), "SAME", dimension_numbers=numbers).shape
    (8, 16, 16, 16)
    """
    lhs, rhs = array(lhs), array(rhs)
    if preferred_element_type is not None:
        lhs = convert_element_type(lhs, preferred_element_type)
        rhs = convert_element_type(rhs, preferred_element_type)
    numbers = conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    lhs, rhs = transpose(lhs, numbers.lhs_spec), transpose(rhs, numbers.rhs_spec)
    rank = lhs.ndim - 2
    strides = _numbers("window_strides", window_strides, rank)
    base = _numbers("lhs_dilation", lhs_dilation, rank)
    dilation = _numbers("rhs_dilation", rhs_dilation, rank)
    feature_groups, batch_groups = as_int(feature_group_count), as_int(batch_group_count)
    _check_operands(lhs, rhs, feature_groups, batch_groups)
    if isinstance(padding, str) and any(b > 1 for b in base):
        raise ValueError(
            located(
                f"conv_general_dilated: padding={padding!r} does not say what is meant with "
                f"lhs_dilation={base}",
                "What to do: give pairs, or use conv_transpose.",
            )
        )
    spans = [span_of(w, d) for w, d in zip(rhs.shape[2:], dilation, strict=True)]
    pairs = padding_pairs("conv_general_dilated", padding, lhs.shape[2:], spans, strides)
    if batch_groups > 1:  # groups of the batch as groups of features
        batch, features = lhs.shape[:2]
        lhs = reshape(lhs, (batch_groups, batch // batch_groups, *lhs.shape[1:]))
        lhs = move_axis(lhs, 0, 1)
        lhs = reshape(lhs, (batch // batch_groups, batch_groups * features, *lhs.shape[3:]))
    groups = feature_groups * batch_groups
    out = _convolved(lhs, rhs, strides, pairs, base, dilation, groups)
    return transpose(out, inverse_permutation(numbers.out_spec))


def _check_operands(lhs: Any, rhs: Any, feature_groups: int, batch_groups: int) -> None:
    """Raise TypeError where operands in the primitive's order do not fit each other."""
    if lhs.dtype != rhs.dtype:
        raise TypeError(
            located(
                f"a convolution takes operands of one dtype, got {lhs.dtype} and {rhs.dtype}",
                "What to do: convert one of them, for example with preferred_element_type.",
            )
        )
    if min(feature_groups, batch_groups) < 1 or feature_groups > 1 < batch_groups:
        problem = "feature_group_count and batch_group_count are positive, one of them 1"
    elif lhs.shape[1] != feature_groups * rhs.shape[1]:
        problem = (
            f"the input's {lhs.shape[1]} features are not {feature_groups} times the kernel's "
            f"{rhs.shape[1]} input features"
        )
    elif rhs.shape[0] % (feature_groups * batch_groups):
        problem = "the output features cannot be divided into so many groups"
    elif lhs.shape[0] % batch_groups:
        problem = "the batch cannot be divided into so many groups"
    else:
        check_kinds("conv_general_dilated", lhs, NUMERIC)
        return
    raise TypeError(
        located(
            f"convolution of an input (batch, feature, ...) of shape {lhs.shape} with a kernel "
            f"(output, input, ...) of shape {rhs.shape}, feature_group_count={feature_groups}, "
            f"batch_group_count={batch_groups}: {problem}"
        )
    )


def conv(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """``conv_general_dilated`` of ``(batch, feature, ...)`` with ``(output, input, ...)``.

    >>> import autotrace.lax as lax, numpy as np
    >>> lax.conv(np.ones((8, 3, 32, 32)), np.ones((16, 3, 3, 3)), (1, 1), "VALID").shape
    (8, 16, 30, 30)
    """
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def conv_with_general_padding(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """``conv_general_dilated`` of ``(batch, feature, ...)`` with ``(output, input, ...)``.

    >>> import autotrace.lax as lax, numpy as np
    >>> x, kernel = np.ones((1, 1, 5)), np.ones((1, 1, 2))
    >>> lax.conv_with_general_padding(x, kernel, (1,), [(1, 0)], None, (2,))
    array([[[1., 2., 2., 2.]]])
    """
    return conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


#: What ``conv_transpose`` takes by default, by the number of spatial dimensions.
_CHANNELS_LAST = {0: "", 1: "H", 2: "HW", 3: "HWD"}


def conv_transpose(
    lhs: Any,
    rhs: Any,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """A convolution of an input with ``strides - 1`` zeros between its elements, which undoes the
    shape of a strided convolution.

    Args:
      lhs: the input.
      rhs: the kernel, of the same dtype.
      strides: the distance of the input's elements.
      padding: ``"SAME"`` or ``"VALID"``: so that a convolution with these strides and this padding
        goes from the result's shape to the input's; or pairs, as for ``conv_general_dilated``.
      rhs_dilation: the distance of the kernel's elements.
      dimension_numbers: see ``conv_dimension_numbers``; None is ``("NHWC", "HWIO", "NHWC")`` in two
        dimensions, and so on.
      transpose_kernel: whether to turn the kernel around and exchange its features, so that this is
        the transpose of a convolution with that kernel.
      precision, preferred_element_type: as for ``conv_general_dilated``.

    Returns:
      The result.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``.

    >>> import autotrace.lax as lax, numpy as np
    >>> x, kernel = np.array([1.0, 2.0]).reshape(1, 2, 1), np.array([1.0, 10.0]).reshape(2, 1, 1)
    >>> lax.conv_transpose(x, kernel, (2,), "SAME").ravel()
    array([10.,  1., 20.,  2.])
    """
    lhs, rhs = array(lhs), array(rhs)
    rank = lhs.ndim - 2
    if dimension_numbers is None and rank in _CHANNELS_LAST:
        letters = _CHANNELS_LAST[rank]
        dimension_numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    numbers = conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    apart = _numbers("strides", strides, rank)
    dilation = _numbers("rhs_dilation", rhs_dilation, rank)
    if isinstance(padding, str):
        window = [rhs.shape[d] for d in numbers.rhs_spec[2:]]
        spans = [span_of(w, d) for w, d in zip(window, dilation, strict=True)]
        padding = [_undoing(padding, n, s) for n, s in zip(spans, apart, strict=True)]
    if transpose_kernel:
        out, into, *spatial = numbers.rhs_spec
        rhs = rev(rhs, spatial)
        numbers = numbers._replace(rhs_spec=(into, out, *spatial))
    return conv_general_dilated(
        lhs,
        rhs,
        (1,) * rank,
        padding,
        apart,
        dilation,
        numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def _undoing(padding: str, span: int, stride: int) -> tuple[int, int]:
    """Padding along one dimension that undoes that of a strided convolution."""
    if padding.upper() == "SAME":
        total = span + stride - 2
        low = span - 1 if stride > span - 1 else -(-total // 2)
    elif padding.upper() == "VALID":
        total = span + stride - 2 + max(span - stride, 0)
        low = span - 1
    else:
        raise ValueError(
            located(f'conv_transpose: padding is "SAME", "VALID" or pairs, got {padding!r}')
        )
    return low, total - low


def conv_general_dilated_patches(
    lhs: Any,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Any:
    """What a kernel sees at each place, as features.

    Args:
      lhs: the input.
      filter_shape: the kernel's spatial shape.
      window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers: as for
        ``conv_general_dilated``; of ``dimension_numbers`` the kernel's order is that of
        ``filter_shape``.
      precision: accepted for JAX's sake.
      preferred_element_type: the dtype to convert the input to first.

    Returns:
      An array like ``conv_general_dilated``'s, with ``features * prod(filter_shape)`` features;
      those of one feature of the input come together, in C order of the kernel.

    Raises:
      TypeError, ValueError: as ``conv_general_dilated``.

    >>> import autotrace.lax as lax, numpy as np
    >>> x = np.arange(4.0).reshape(1, 1, 4)
    >>> lax.conv_general_dilated_patches(x, (2,), (1,), "VALID")
    array([[[0., 1., 2.],
            [1., 2., 3.]]])
    """
    lhs = array(lhs)
    if preferred_element_type is not None:
        lhs = convert_element_type(lhs, preferred_element_type)
    window = tuple(map(as_int, filter_shape))
    numbers = conv_dimension_numbers(lhs.shape, (1, 1, *window), dimension_numbers)
    lhs, rank = transpose(lhs, numbers.lhs_spec), len(window)
    strides = _numbers("window_strides", window_strides, rank)
    base = _numbers("lhs_dilation", lhs_dilation, rank)
    dilation = _numbers("rhs_dilation", rhs_dilation, rank)
    spans = [span_of(w, d) for w, d in zip(window, dilation, strict=True)]
    pairs = padding_pairs("conv_general_dilated_patches", padding, lhs.shape[2:], spans, strides)
    config = [(0, 0, 0), (0, 0, 0), *((*p, b - 1) for p, b in zip(pairs, base, strict=True))]
    lhs = pad(lhs, np.zeros((), lhs.dtype)[()], config)
    seen = windows_p.bind(
        lhs, window=(1, 1, *window), strides=(1, 1, *strides), dilation=(1, 1, *dilation)
    )
    batch, features, *places = seen.shape[: 2 + rank]
    seen = reshape(seen, (batch, features, *places, *window))
    seen = transpose(seen, (0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank)))
    out = reshape(seen, (batch, features * math.prod(window), *places))
    return transpose(out, inverse_permutation(numbers.out_spec))
