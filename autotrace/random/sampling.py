"""Samplers: how they take their arguments, and the four that all others are made of."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer, get_aval
from ..lax.arithmetic import convert_element_type
from ..lax.random_bits import bitcast_convert_type, counts, fma, normal_quantile, threefry2x32
from ..numpy.promotion import asarray, broadcast_operands
from .keys import check_key, split_word, word_of
from .staging import as_dtype, as_shape, common_shape, staged

_HALF = np.uint64(32)


def sampler(
    function: Callable | None = None,
    *,
    kinds: str = "",
    static: tuple[str, ...] = (),
    events: Mapping[str, int] | None = None,
) -> Any:
    """Make a sampler of its body.

    The body has the sampler's signature, and is staged. It gets the word of the key; parameters
    in the dtype of the result, or where that is no floating one in a floating dtype; and of
    ``shape`` the result's, without events.

    Args:
      function: the body.
      kinds: the kinds of dtypes it makes, in NumPy's letters; by default those of the default.
      static: its further arguments that are not arrays.
      events: for each parameter that holds vectors or matrices, how many dimensions those have.
    """
    if function is None:
        return functools.partial(sampler, kinds=kinds, static=static, events=events)
    name, signature = function.__name__, inspect.signature(function)
    own = {"key", "shape", "dtype", *static}
    parameters = [p for p in signature.parameters if p not in own]
    default = signature.parameters["dtype"].default if "dtype" in signature.parameters else None
    kinds = kinds or ("iu" if default is int else "f")
    below = events or {}

    @staged
    @functools.wraps(function)
    def body(key: Any, *values: Any, **given: Any) -> Any:
        dtype = given.get("dtype")
        floating = [as_floating(x, dtype) for x in values]
        return function(word_of(key), **dict(zip(parameters, floating, strict=True)), **given)

    @functools.wraps(function)
    def public(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(located(f"random.{name}: {error}")) from None
        bound.apply_defaults()
        given = bound.arguments
        key = check_key(name, given.pop("key"))
        values = {p: _as_parameter(given.pop(p)) for p in parameters}
        shapes = {p: _shape_of(name, p, x, below.get(p, 0)) for p, x in values.items()}
        given["shape"] = common_shape(name, given["shape"], shapes)
        if default is not None:
            given["dtype"] = as_dtype(name, given["dtype"], kinds, default)
        return body(key, *values.values(), **given)

    return public


def _as_parameter(x: Any) -> Any:
    return asarray(x) if isinstance(x, list | tuple) else x


def _shape_of(name: str, parameter: str, value: Any, event: int) -> tuple[int, ...]:
    aval = get_aval(value)
    if aval.dtype.kind not in "biuf":
        raise TypeError(located(f"random.{name} takes real numbers for {parameter}, got {aval}"))
    if len(aval.shape) < event:
        raise ValueError(
            located(
                f"random.{name} takes {parameter} of at least {event} dimension"
                f"{'s' * (event > 1)}, got shape {aval.shape}"
            )
        )
    return aval.shape[: len(aval.shape) - event]


def as_floating(x: Any, dtype: np.dtype | None) -> Any:
    """A parameter in a floating dtype: the result's, its own, or float64."""
    if dtype is not None and dtype.kind in "fc":
        wanted = np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype
    else:
        wanted = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    return convert_element_type(x, wanted)


# --- words as numbers --------------------------------------------------------------------------


def words(word: Any, shape: tuple[int, ...]) -> Any:
    """The random words of a key's word."""
    return threefry2x32(word, counts(shape))


def bits_of(words: Any, width: int) -> Any:
    """Random words as unsigned integers of a width."""
    if width == 64:
        return words
    return (words ^ (words >> _HALF)).astype(f"u{width // 8}")


def unit_of(words: Any, dtype: np.dtype) -> Any:
    """Random words as numbers in [0, 1): the bits of numbers in [1, 2) up to their exponent."""
    info = np.finfo(dtype)
    one = np.ones((), dtype).view(f"u{dtype.itemsize}")
    mantissa = bits_of(words, info.bits) >> one.dtype.type(info.bits - info.nmant)
    return bitcast_convert_type(mantissa | one[()], dtype) - dtype.type(1)


def between(unit: Any, low: Any, high: Any) -> Any:
    """Numbers in [0, 1) as numbers in [low, high), rounded as JAX does."""
    unit, low, high = broadcast_operands(unit, low, high)
    return np.maximum(low, fma(unit, high - low, low))


def normal_of(words: Any, dtype: np.dtype) -> Any:
    """Random words as standard normal numbers."""
    low, high = np.nextafter(dtype.type(-1), dtype.type(0)), dtype.type(1)
    u = between(unit_of(words, dtype), low, high)
    if dtype.itemsize < 4:
        return normal_quantile(u.astype(np.float32)).astype(dtype)
    return normal_quantile(u)


def exponential_of(words: Any, dtype: np.dtype) -> Any:
    """Random words as standard exponential numbers."""
    return -np.log1p(-unit_of(words, dtype))


def signs_of(words: Any, dtype: np.dtype) -> Any:
    """Random words as 1 and -1."""
    heads = unit_of(words, np.dtype(float)) < 0.5
    return np.where(heads, dtype.type(1), dtype.type(-1))


# --- the samplers that others are made of --------------------------------------------------------


def bits(key: Any, shape: Any = (), dtype: Any = np.uint64) -> Any:
    """Random bits, as unsigned integers.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: an unsigned dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    Raises:
      ValueError: for another dtype.

    >>> import autotrace as at, numpy as np
    >>> at.random.bits(at.random.key(0), 3, np.uint8)
    array([167, 146,  40], dtype=uint8)
    """
    check_key("bits", key)
    found = as_dtype("bits", dtype, "u", np.uint64)
    return _bits(key, shape=as_shape("bits", shape), width=8 * found.itemsize)


@staged
def _bits(key: Any, *, shape: tuple[int, ...], width: int) -> Any:
    return bits_of(words(word_of(key), shape), width)


@sampler
def uniform(
    key: Any, shape: Any = (), dtype: Any = float, minval: Any = 0.0, maxval: Any = 1.0
) -> Any:
    """Numbers with uniform distribution in ``[minval, maxval)``; differentiable in both.

    Args:
      key: a key.
      shape: the result's shape, to which the bounds are broadcast.
      dtype: a floating dtype.
      minval, maxval: the bounds.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.uniform(at.random.key(0), 2, minval=-1.0).round(6)
    array([-0.163086, -0.567409])
    """
    return between(unit_of(words(key, shape), dtype), minval, maxval)


@sampler(kinds="fc")
def normal(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Standard normal numbers. Complex ones have mean square 1.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: a floating or complex dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.normal(at.random.key(0), 2).round(6)
    array([-0.205842, -0.784766])
    """
    if dtype.kind == "f":
        return normal_of(words(key, shape), dtype)
    part = np.dtype(f"f{dtype.itemsize // 2}")
    real, imag = (normal_of(words(k, shape), part) for k in split_word(key))
    return ((real + 1j * imag) / part.type(np.sqrt(2.0))).astype(dtype)


def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = int) -> Any:
    """Whole numbers in ``[minval, maxval)``, each as likely as the others but for a bias of
    at most ``(maxval - minval) / 2**64`` or so.

    Args:
      key: a key.
      shape: the result's shape, to which the bounds are broadcast.
      minval, maxval: whole numbers.
      dtype: an integer dtype.

    Returns:
      An array of ``shape`` and ``dtype``; ``minval`` where ``maxval`` is not above it.

    Raises:
      TypeError: when a bound is not a whole number.

    >>> import autotrace as at
    >>> at.random.randint(at.random.key(0), 5, 0, 10)
    array([5, 1, 5, 7, 3])
    """
    check_key("randint", key)
    found = as_dtype("randint", dtype, "iu", int)
    bounds = {"minval": _as_bound("minval", minval), "maxval": _as_bound("maxval", maxval)}
    wanted = common_shape("randint", shape, {p: x.shape for p, x in bounds.items()})
    return _randint(key, *bounds.values(), shape=wanted, dtype=found)


def _as_bound(parameter: str, x: Any) -> Any:
    x = asarray(x)
    x = x if isinstance(x, Tracer) else np.asarray(x)[()]
    if x.dtype.kind not in "iu":
        got = x.dtype
        raise TypeError(located(f"random.randint takes whole numbers for {parameter}, got {got}"))
    return x


@staged
def _randint(key: Any, low: Any, high: Any, *, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    # In 32 bits at least: the bias is that of dividing what has twice the bits.
    wide = np.dtype(np.int32) if dtype.itemsize < 4 else dtype
    last = np.iinfo(dtype).max
    above = high > min(last, np.iinfo(high.dtype).max)
    if wide is not dtype:
        last += 1
        above = np.zeros((), bool)
    low, high = (_clipped(x, np.iinfo(dtype).min, last).astype(wide) for x in (low, high))
    width = 8 * wide.itemsize
    unsigned = np.dtype(f"u{wide.itemsize}").type
    upper, lower = (bits_of(words(k, shape), width) for k in split_word(word_of(key)))
    span = np.where(high > low, high.astype(unsigned) - low.astype(unsigned), unsigned(1))
    span = np.where(above & (high > low), span + unsigned(1), span)
    whole = span == 0  # all numbers of the dtype
    span = np.where(whole, unsigned(1), span)
    root = unsigned(2 ** (width // 2)) % span
    offset = ((upper % span) * (root * root % span) + lower % span) % span
    return (low + np.where(whole, lower, offset).astype(wide)).astype(dtype)


def _clipped(x: Any, first: int, last: int) -> Any:
    info = np.iinfo(x.dtype)
    return np.clip(x, x.dtype.type(max(first, info.min)), x.dtype.type(min(last, info.max)))
