"""Convolutions as users call them: orders of dimensions, padding, groups, transposes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index as as_int
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import located
from .arithmetic import NUMERIC, convert_element_type
from .convolution import convolved
from .families import check_kinds
from .slicing import pad, rev
from .structural import array, inverse_permutation, move_axis, reshape, transpose
from .windows import padding_pairs, span_of, windows_p


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
    out = convolved(lhs, rhs, strides, pairs, base, dilation, groups)
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
