"""Reductions over windows that move along an array: running means, pooling, dilation.

``windows`` shows an array as all its windows, a view without a copy. Its transpose adds windows
up where they overlap; that is slow, so the sum and the extrema have transposes of their own, which
go over the windows that an element is in.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray, make_aval
from ..core.errors import located
from ..core.primitive import Primitive
from ..core.trace import get_aval
from ..transforms.batch import Axis
from ..transforms.simplify import Inline, View
from ..transforms.stage import stage
from .arithmetic import (
    ANY,
    NUMERIC,
    constant,
    convert_element_type,
    div,
    eq,
    gate,
    max_p,
    mul,
)
from .families import add_p, check_kinds, def_linear, no_derivative
from .monoids import Computation, operands_with_init
from .reductions import (
    reduce_and_p,
    reduce_max_p,
    reduce_min_p,
    reduce_or_p,
    reduce_prod_p,
    reduce_xor_p,
)
from .slicing import pad
from .slicing import slice as slice_array
from .structural import batched_at, move_axis, reduce_sum_p, reshape, undo_reduction

_BITS = "biu"


def span_of(window: int, dilation: int) -> int:
    """How many elements of an array a window covers from its first to its last one."""
    return (window - 1) * dilation + 1


def dilated_size(size: int, dilation: int) -> int:
    """The size of a dimension whose elements lie so far apart."""
    return (size - 1) * dilation + 1 if size else 0


def _count(size: int, window: int, stride: int, dilation: int) -> int:
    """How many windows fit into a dimension."""
    return max((size - span_of(window, dilation)) // stride + 1, 0)


def _moved(
    name: str, x: ShapedArray, window: tuple, strides: tuple, dilation: tuple
) -> tuple[int, ...]:
    """The shape of the windows' places; an error where the parameters do not fit."""
    parameters = (window, strides, dilation)
    if any(len(p) != x.ndim for p in parameters) or any(n < 1 for p in parameters for n in p):
        raise TypeError(
            f"{name}: windows of shape {window}, in steps of {strides} and dilated by {dilation}, "
            f"do not fit {x}: each needs a positive number for each of its dimensions"
        )
    return tuple(_count(*along) for along in zip(x.shape, *parameters, strict=True))


def _with_dim(params: dict, dim: int) -> dict:
    """Parameters for one more dimension, along which each element is a window of its own."""
    return {k: (*v[:dim], 1, *v[dim:]) for k, v in params.items()}


# --- windows, and their sum where they overlap --------------------------------------------------

windows_p = Primitive("windows", rearranges=True)
overlap_add_p = Primitive("overlap_add", rearranges=True)


@windows_p.def_impl
def _windows_impl(x: Any, *, window: tuple, strides: tuple, dilation: tuple) -> Any:
    x = np.asarray(x)
    places = tuple(_count(*along) for along in zip(x.shape, window, strides, dilation, strict=True))
    steps = [
        *(a * b for a, b in zip(x.strides, strides, strict=True)),
        *(a * b for a, b in zip(x.strides, dilation, strict=True)),
    ]
    return np.lib.stride_tricks.as_strided(x, (*places, *window), steps, writeable=False)


@windows_p.def_abstract
def _windows_abstract(
    x: ShapedArray, *, window: tuple, strides: tuple, dilation: tuple
) -> ShapedArray:
    return make_aval((*_moved("windows", x, window, strides, dilation), *window), x.dtype)


def_linear(
    windows_p,
    lambda ct, aval, **params: overlap_add_p.bind(ct, shape=aval.shape, **params),
)


@windows_p.def_batch
def _windows_batch(axis: Axis, args: Any, dims: Any, **params: Any) -> tuple:
    (x,), (dim,) = args, dims
    out = windows_p.bind(x, **_with_dim(params, dim))
    extra = x.ndim + dim  # the batch's windows are of one element
    return reshape(out, (*out.shape[:extra], *out.shape[extra + 1 :])), dim


@overlap_add_p.def_impl
def _overlap_add_impl(
    x: Any, *, shape: tuple, window: tuple, strides: tuple, dilation: tuple
) -> Any:
    out = np.zeros(shape, x.dtype)
    places = x.shape[: len(shape)]
    for index in itertools.product(*map(range, window)):
        target = tuple(
            slice(i * d, i * d + dilated_size(n, s), s)
            for i, n, s, d in zip(index, places, strides, dilation, strict=True)
        )
        out[target] += x[(..., *index)]
    return out[()]


@overlap_add_p.def_abstract
def _overlap_add_abstract(
    x: ShapedArray, *, shape: tuple, window: tuple, strides: tuple, dilation: tuple
) -> ShapedArray:
    check_kinds("overlap_add", x, NUMERIC)
    out = make_aval(shape, x.dtype)
    places = _moved("overlap_add", out, window, strides, dilation)
    if x.shape != (*places, *window):
        raise TypeError(f"overlap_add: {x} are not the windows of {out}")
    return out


def_linear(
    overlap_add_p,
    lambda ct, aval, *, shape, **params: windows_p.bind(ct, **params),
)


@overlap_add_p.def_batch
def _overlap_add_batch(axis: Axis, args: Any, dims: Any, *, shape: tuple, **params: Any) -> tuple:
    rank = len(shape)
    x = move_axis(args[0], dims[0], 0)
    x = reshape(x, (*x.shape[: rank + 1], 1, *x.shape[rank + 1 :]))
    return overlap_add_p.bind(x, shape=(axis.size, *shape), **_with_dim(params, 0)), 0


# --- reductions ----------------------------------------------------------------------------------

# Up to so many elements of a window for each step that it moves they are combined one by one;
# beyond, runs of 2, 4, 8, ... elements are.
_ONE_BY_ONE = 3
# Up to so many elements of a window a derivative has an expression for each of them.
_TERM_BY_TERM = 32


def _fold_along(
    ufunc: np.ufunc, x: Any, axis: int, window: int, stride: int, dilation: int
) -> np.ndarray:
    """Reduce over windows along one axis by operations on whole arrays."""
    before = (slice(None),) * axis
    count = _count(x.shape[axis], window, stride, dilation)

    def part(run: Any, start: int) -> Any:
        """Of the folds of a run of elements from each on, those that windows begin with."""
        begin = start * dilation
        return run[(*before, slice(begin, begin + (count - 1) * stride + 1, stride))]

    if not count:
        return x[(*before, slice(0, 0))]
    if count == 1:
        whole = x[(*before, slice(0, span_of(window, dilation), dilation))]
        return ufunc.reduce(whole, axis=axis, dtype=x.dtype, keepdims=True)
    if window <= _ONE_BY_ONE * stride:
        total = part(x, 0)
        for start in range(1, window):
            total = ufunc(total, part(x, start), out=None if start == 1 else total)
        return total
    total, covered, size, run = None, 0, 1, x
    while True:
        if window & size:
            more = part(run, covered)
            total = more if total is None else ufunc(total, more)
            covered += size
        if 2 * size > window:
            return total
        step = size * dilation
        run = ufunc(run[(*before, slice(None, -step))], run[(*before, slice(step, None))])
        size *= 2


def _reduction(name: str, ufunc: np.ufunc, kinds: str) -> Primitive:
    """A primitive that reduces over windows with a NumPy operation."""
    primitive = Primitive(name)

    def impl(x: Any, *, window: tuple, strides: tuple, dilation: tuple) -> Any:
        for axis, along in enumerate(zip(window, strides, dilation, strict=True)):
            x = _fold_along(ufunc, x, axis, *along)
        return x

    def abstract(x: ShapedArray, *, window: tuple, strides: tuple, dilation: tuple) -> ShapedArray:
        check_kinds(name, x, kinds)
        return make_aval(_moved(name, x, window, strides, dilation), x.dtype)

    def batch(axis: Axis, args: Any, dims: Any, **params: Any) -> tuple:
        return primitive.bind(args[0], **_with_dim(params, dims[0])), dims[0]

    primitive.def_impl(impl)
    primitive.def_abstract(abstract)
    primitive.def_batch(batch)
    return primitive


reduce_window_sum_p = _reduction("reduce_window_sum", np.add, NUMERIC)
reduce_window_prod_p = _reduction("reduce_window_prod", np.multiply, NUMERIC)
reduce_window_max_p = _reduction("reduce_window_max", np.maximum, ANY)
reduce_window_min_p = _reduction("reduce_window_min", np.minimum, ANY)
reduce_window_and_p = no_derivative(_reduction("reduce_window_and", np.bitwise_and, _BITS))
reduce_window_or_p = no_derivative(_reduction("reduce_window_or", np.bitwise_or, _BITS))
reduce_window_xor_p = no_derivative(_reduction("reduce_window_xor", np.bitwise_xor, _BITS))


# --- derivatives ---------------------------------------------------------------------------------


def _around(
    ct: Any, shape: tuple, value: float, window: tuple, strides: tuple, dilation: tuple
) -> Any:
    """What belongs to windows, put so that a window of stride 1 at each element of an array of a
    shape has that of the windows which the element is in, and ``value`` for the others."""
    config = [
        (span_of(w, d) - 1, size - dilated_size(n, s), s - 1)
        for size, n, w, s, d in zip(shape, ct.shape, window, strides, dilation, strict=True)
    ]
    return pad(ct, value, config)


def _ones(window: tuple) -> tuple[int, ...]:
    return (1,) * len(window)


def _sum_transpose(ct: Any, aval: ShapedArray, **params: Any) -> Any:
    around = _around(ct, aval.shape, 0, **params)
    return reduce_window_sum_p.bind(around, **{**params, "strides": _ones(params["window"])})


def_linear(reduce_window_sum_p, _sum_transpose)


@reduce_window_prod_p.def_jvp
def _prod_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    x, t = (windows_p.bind(v, **params) for v in (primals[0], tangents[0]))
    rule = reduce_prod_p.rule("jvp", "a derivative")
    return rule((x,), (t,), out, axes=tuple(range(out.ndim, 2 * out.ndim)))


def _sum_over_elements(
    term: Callable, moving: Sequence[Any], still: Sequence[Any], params: dict
) -> Any:
    """The sum of a function of each of a window's elements.

    Args:
      term: elementwise, of arrays over the places of the window.
      moving: the arrays that the window moves over.
      still: further arguments, arrays over the places.
    """
    window, strides, dilation = params["window"], params["strides"], params["dilation"]
    if math.prod(window) > _TERM_BY_TERM or not math.prod(still[0].shape):
        axes = tuple(range(len(window), 2 * len(window)))
        seen = [windows_p.bind(x, **params) for x in moving]
        spread = [undo_reduction(x, seen[0].shape, axes) for x in still]
        return reduce_sum_p.bind(term(*seen, *spread), axes=axes)
    places = still[0].shape
    total = None
    for index in itertools.product(*map(range, window)):
        starts = [i * d for i, d in zip(index, dilation, strict=True)]
        limits = [a + dilated_size(n, s) for a, n, s in zip(starts, places, strides, strict=True)]
        parts = [slice_array(x, starts, limits, strides) for x in moving]
        share = term(*parts, *still)
        total = share if total is None else add_p.bind(total, share)
    return total


#: The tangents of the elements that reach the extremum of their window, each window's times its
#: ``share``: linear in the tangents.
window_reached_p = Primitive("window_reached")


@window_reached_p.def_impl
def _reached_impl(t: Any, x: Any, out: Any, share: Any, **params: Any) -> Any:
    return _sum_over_elements(
        lambda t, x, out, share: gate(mul(t, share), eq(x, out)), [t, x], [out, share], params
    )


@window_reached_p.def_abstract
def _reached_abstract(
    t: ShapedArray, x: ShapedArray, out: ShapedArray, share: ShapedArray, **params: Any
) -> ShapedArray:
    places = _moved("window_reached", t, **params)
    if t != x or out != share or out != make_aval(places, t.dtype):
        raise TypeError(f"window_reached: {t} and {x} do not fit {out} and {share}")
    return out


@window_reached_p.def_jvp
def _reached_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    # What is reached, and by how many, changes by jumps only.
    t = tangents[0]
    return None if t is None else window_reached_p.bind(t, *primals[1:], **params)


@window_reached_p.def_transpose
def _reached_transpose(ct: Any, t: Any, x: Any, out: Any, share: Any, **params: Any) -> list[Any]:
    cts = _around(mul(ct, share), x.shape, 0, **params)
    outs = _around(out, x.shape, math.nan, **params)  # which nothing is equal to
    back = _sum_over_elements(
        lambda ct, out, x: gate(ct, eq(x, out)),
        [cts, outs],
        [x],
        {**params, "strides": _ones(params["window"])},
    )
    return [back, None, None, None]


@window_reached_p.def_batch
def _reached_batch(axis: Axis, args: Any, dims: Any, **params: Any) -> tuple:
    args = [batched_at(x, d, axis) for x, d in zip(args, dims, strict=True)]
    return window_reached_p.bind(*args, **_with_dim(params, 0)), 0


@window_reached_p.def_simplify
def _reached_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    """A program has what it is made of."""
    jaxpr = stage(lambda *xs: [_reached_impl(*xs, **params)], [a.aval for a in args])
    return Inline(jaxpr, args)


def _extremum_jvp(primals: Any, tangents: Any, out: Any, **params: Any) -> Any:
    (x,) = primals
    count = _sum_over_elements(
        lambda x, out: convert_element_type(eq(x, out), out.dtype), [x], [out], params
    )
    share = div(constant(1, out), max_p.bind(count, constant(1, out)))
    return window_reached_p.bind(tangents[0], x, out, share, **params)


reduce_window_max_p.def_jvp(_extremum_jvp)
reduce_window_min_p.def_jvp(_extremum_jvp)

# --- the public function -------------------------------------------------------------------------

_WINDOWED = {
    reduce_sum_p: reduce_window_sum_p,
    reduce_prod_p: reduce_window_prod_p,
    reduce_max_p: reduce_window_max_p,
    reduce_min_p: reduce_window_min_p,
    reduce_and_p: reduce_window_and_p,
    reduce_or_p: reduce_window_or_p,
    reduce_xor_p: reduce_window_xor_p,
}


def padding_pairs(
    name: str,
    padding: str | Sequence[tuple[int, int]],
    sizes: Sequence[int],
    spans: Sequence[int],
    strides: Sequence[int],
) -> list[tuple[int, int]]:
    """How much to put before and after each dimension."""
    if not isinstance(padding, str):
        pairs = [(as_int(low), as_int(high)) for low, high in padding]
        if len(pairs) != len(sizes):
            raise TypeError(
                located(
                    f"{name}: padding is a pair for each of {len(sizes)} dimensions, got {padding}"
                )
            )
        return pairs
    if padding.upper() == "VALID":
        return [(0, 0)] * len(sizes)
    if padding.upper() not in ("SAME", "SAME_LOWER"):
        raise ValueError(
            located(
                f'{name}: padding is "VALID", "SAME", "SAME_LOWER" or pairs (low, high), got '
                f"{padding!r}"
            )
        )
    pairs = []
    for size, span, stride in zip(sizes, spans, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        less, more = total // 2, total - total // 2
        pairs.append((less, more) if padding.upper() == "SAME" else (more, less))
    return pairs


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[[Any, Any], Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Reduce over each window of an array.

    With one operation as ``computation`` (see ``reduce``) windows are reduced along one dimension
    after the other, and long ones in a number of steps that is the logarithm of their length. Any
    other associative function is applied to all windows side by side. Where elements of a window
    tie in ``max`` or ``min`` they share the derivative evenly.

    Args:
      operand: an array, or a pytree of arrays of one shape.
      init_value: for each a scalar of its dtype, which is also what is padded with.
      computation: an associative function of two like ``operand``, elementwise.
      window_dimensions: the shape of a window, a number for each dimension of the array.
      window_strides: by how many elements one window lies after another.
      padding: ``"VALID"``: none; ``"SAME"``: so much that there is a window for each ``stride``
        elements, with the odd one after them (``"SAME_LOWER"``: before); or pairs of how many
        elements to put before and after (negative: to take away).
      base_dilation: the distance of the array's elements after padding between them; 1 for None.
      window_dilation: the distance of a window's elements; 1 for None.

    Returns:
      Like ``operand``, with an element for each place of the window.

    Raises:
      TypeError: when shapes, dtypes or parameters do not fit.
      ValueError: for an unknown ``padding``.

    >>> import autotrace.lax as lax, numpy as np
    >>> x = np.array([1.0, 5.0, 2.0, 4.0, 3.0])
    >>> lax.reduce_window(x, -np.inf, lax.max, (3,), (1,), "SAME")
    array([5., 5., 5., 4., 4.])
    >>> lax.reduce_window(x, 0.0, lax.add, (2,), (2,), "VALID")
    array([6., 6.])
    """
    xs, inits, structure = operands_with_init("reduce_window", operand, init_value)
    combine = Computation("reduce_window", computation, structure, [get_aval(x) for x in xs])
    shape = xs[0].shape
    window, strides = tuple(map(as_int, window_dimensions)), tuple(map(as_int, window_strides))
    base = (1,) * len(shape) if base_dilation is None else tuple(map(as_int, base_dilation))
    dilation = (1,) * len(shape) if window_dilation is None else tuple(map(as_int, window_dilation))
    if any(
        len(p) != len(shape) or min(p, default=1) < 1 for p in (window, strides, base, dilation)
    ):
        raise TypeError(
            located(
                "reduce_window: window_dimensions, window_strides, base_dilation and "
                f"window_dilation are a positive number for each of {len(shape)} dimensions, got "
                f"{window}, {strides}, {base} and {dilation}"
            )
        )
    sizes = [dilated_size(n, d) for n, d in zip(shape, base, strict=True)]
    spans = [span_of(w, d) for w, d in zip(window, dilation, strict=True)]
    pairs = padding_pairs("reduce_window", padding, sizes, spans, strides)
    config = [(*pair, d - 1) for pair, d in zip(pairs, base, strict=True)]
    xs = [pad(x, i, config) for x, i in zip(xs, inits, strict=True)]
    params = {"window": window, "strides": strides, "dilation": dilation}
    totals: Sequence[Any]
    if combine.monoid is not None:
        totals = [_WINDOWED[combine.monoid.reduction].bind(xs[0], **params)]
    else:
        totals = combine.fold([_window_elements(x, params) for x in xs])
    return tree.unflatten(structure, combine.with_init(inits, totals))


def _window_elements(x: Any, params: dict) -> Any:
    """For each element of a window, in C order along a first dimension, that of all windows."""
    rank = len(params["window"])
    seen = windows_p.bind(x, **params)
    flat = reshape(seen, (*seen.shape[:rank], math.prod(params["window"])))
    return move_axis(flat, rank, 0)
