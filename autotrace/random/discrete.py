"""Distributions over whole numbers. They have no derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..api.vectorize import vmap
from ..core.errors import located
from ..lax.elementary import lgamma
from ..lax.looping import while_loop
from ..lax.random_bits import threefry2x32
from ..lax.scanning import scan
from ..lax.sorting import top_k
from ..numpy.promotion import asarray, broadcast_to
from .continuous import gumbel_of
from .keys import check_key, word_of
from .sampling import as_floating, sampler, signs_of, unit_of, words
from .staging import as_dtype, common_shape, staged

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


@sampler(static=("mode",))
def bernoulli(key: Any, p: Any = 0.5, shape: Any = None, mode: str = "low") -> Any:
    """True with a probability.

    Args:
      key: a key.
      p: the probability.
      shape: the result's shape, that of ``p`` when None.
      mode: ``"high"`` draws twice as many bits, for probabilities below 1e-7 in float32.

    Returns:
      An array of bools.

    Raises:
      ValueError: for another mode.

    >>> import autotrace as at
    >>> at.random.bernoulli(at.random.key(0), 0.7, 3)
    array([ True,  True, False])
    """
    if mode not in ("low", "high"):
        raise ValueError(located(f"random.bernoulli: mode is 'low' or 'high', got {mode!r}"))
    if mode == "high":
        first, second = unit_of(words(key, (2, *shape)), p.dtype)
        return second * p.dtype.type(2.0 ** -np.finfo(p.dtype).nmant) < p - first
    return unit_of(words(key, shape), p.dtype) < p


@sampler(kinds="iuf")
def rademacher(key: Any, shape: Any = (), dtype: Any = int) -> Any:
    """1 and -1, each half of the time.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: an integer or floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.rademacher(at.random.key(0), 3)
    array([ 1,  1, -1])
    """
    return signs_of(words(key, shape), dtype)


@sampler
def geometric(key: Any, p: Any, shape: Any = None, dtype: Any = int) -> Any:
    """How many trials it takes until the first success: probability ``p * (1 - p)**(k - 1)`` of k.

    Args:
      key: a key.
      p: the probability of a success.
      shape: the result's shape, that of ``p`` when None.
      dtype: an integer dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.geometric(at.random.key(0), 0.3, 3)
    array([3, 5, 1])
    """
    u = unit_of(words(key, shape), p.dtype)
    u = np.where(u == 0, p.dtype.type(1), u)
    return (np.floor(np.log(u) / np.log1p(-p)) + 1).astype(dtype)


# --- by search, and by rejection -----------------------------------------------------------------
#
# Where the mean is small, the distribution function is searched for a uniform number. Else all
# elements make their first proposal together, and what is rejected goes on alone: a number depends
# on its own parameters only, and stops when it is done. Each has a word of its own.


def _rows(key: Any, shape: tuple[int, ...], *parameters: Any) -> list[Any]:
    """A word for each element of a shape, and its parameters in float64: as vectors."""
    wide = [broadcast_to(x.astype(np.float64), shape) for x in parameters]
    return [np.ravel(x) for x in (words(key, shape), *wide)]


def _unit(word: Any, number: Any) -> Any:
    """The uniform number of a number, of those that a word has."""
    return unit_of(threefry2x32(word, number), np.dtype(float))


def _searched(each: Any, first: Any, ratio: Callable, *parameters: Any) -> Any:
    """The first k at which the distribution function is above a uniform number.

    Args:
      each: a word for each lane.
      first: the probability of 0.
      ratio: from k and parameters to the probability of k over that of ``k - 1``.
    """

    def lane(u: Any, first: Any, *parameters: Any) -> Any:
        def turn(state: tuple) -> tuple:
            k, probability, rest = state
            k = k + 1
            probability = probability * ratio(k, *parameters)
            return k, probability, rest - probability

        # In the upper tail rounding errors may leave a rest that nothing reaches.
        going = lambda state: (state[2] >= 0) & (state[1] > 1e-18)  # noqa: E731
        return while_loop(going, turn, (first * 0, first, u - first))[0]

    return vmap(lane)(_unit(each, np.uint64(0)), first, *parameters)


def _accepted(each: Any, done: Any, propose: Callable, *parameters: Any) -> Any:
    """What is accepted of the proposals of each lane; anything where it is done already.

    Args:
      propose: from two uniform numbers, the first in [-0.5, 0.5), and parameters to a proposal and
        whether it is accepted.
    """

    def proposal(word: Any, number: Any, *parameters: Any) -> tuple[Any, Any]:
        u, v = _unit(word, 2 * number + 1), _unit(word, 2 * number + 2)
        return propose(u - 0.5, v, *parameters)

    def lane(word: Any, k: Any, done: Any, *parameters: Any) -> Any:
        def turn(state: tuple) -> tuple:
            number = state[0] + np.uint64(1)
            return number, *proposal(word, number, *parameters)

        return while_loop(lambda state: ~state[2], turn, (np.uint64(0), k, done))[1]

    k, good = proposal(each, np.uint64(0), *parameters)
    return vmap(lane)(each, k, good | done, *parameters)


def _poisson_proposal(u: Any, v: Any, lam: Any) -> tuple[Any, Any]:
    """Transformed rejection (Hormann, 1993: PTRS), for rates of at least 10."""
    b = 0.931 + 2.53 * np.sqrt(lam)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    distance = 0.5 - np.abs(u)
    k = np.floor((2 * a / distance + b) * u + lam + 0.43)
    squeezed = (distance >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
    out = (k < 0) | ((distance < 0.013) & (v > distance))
    s = np.log(v * inverse_alpha / (a / (distance * distance) + b))
    fits = s <= k * np.log(lam) - lam - lgamma(np.maximum(k, 0.0) + 1)
    return k, squeezed | (~out & fits)


@sampler
def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = int) -> Any:
    """Poisson distribution: probability ``lam**k * exp(-lam) / k!`` of k.

    Args:
      key: a key.
      lam: the rate, not negative.
      shape: the result's shape, that of ``lam`` when None.
      dtype: an integer dtype.

    Returns:
      An array of ``shape`` and ``dtype``; -1 where the rate is negative, NaN or above ``2**62``.

    >>> import autotrace as at
    >>> at.random.poisson(at.random.key(0), 3.0, 3)
    array([7, 1, 4])
    """
    each, lam = _rows(key, shape, lam)
    valid = (lam >= 0) & (lam <= 2.0**62)
    many = valid & (lam >= 10)
    rate = np.where(valid & ~many, lam, 0.0)
    few = _searched(each, np.exp(-rate), lambda k, rate: rate / k, rate)
    found = _accepted(each, ~many, _poisson_proposal, np.where(many, lam, 100.0))
    out = np.where(many, found, np.where(valid, few, -1.0))
    return np.reshape(out, shape).astype(dtype)


def _stirling_rest(k: Any) -> Any:
    """``log(k!)`` less ``(k + 1/2) log(k + 1) - (k + 1) + log(2 pi) / 2``."""
    few = np.minimum(k, 9.0)
    start = lgamma(few + 1) - ((few + 0.5) * np.log(few + 1) - (few + 1) + _HALF_LOG_TWO_PI)
    inverse = 1 / (k + 1)
    square = inverse * inverse
    far = inverse * (1 / 12 - square * (1 / 360 - square / 1260))
    return np.where(k > 9, far, start)


def _binomial_proposal(u: Any, v: Any, n: Any, p: Any) -> tuple[Any, Any]:
    """Transformed rejection (Hormann, 1993: BTRS), for means of at least 10 and p up to 1/2."""
    deviation = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    odds = p / (1 - p)
    mode = np.floor((n + 1) * p)
    distance = 0.5 - np.abs(u)
    k = np.floor((2 * a / distance + b) * u + n * p + 0.5)
    squeezed = (distance >= 0.07) & (v <= 0.92 - 4.2 / b)
    inside = (k >= 0) & (k <= n)
    held = np.where(inside, k, mode)
    # The logarithm of the probability of k over that of the mode.
    at_mode, rest = n - mode + 1, n - held + 1
    ratio = (mode + 0.5) * np.log((mode + 1) / (odds * at_mode))
    ratio = ratio + (n + 1) * np.log(at_mode / rest)
    ratio = ratio + (held + 0.5) * np.log(odds * rest / (held + 1))
    ratio = ratio + _stirling_rest(mode) + _stirling_rest(n - mode)
    ratio = ratio - _stirling_rest(held) - _stirling_rest(n - held)
    alpha = (2.83 + 5.1 / b) * deviation
    fits = np.log(v * alpha / (a / (distance * distance) + b)) <= ratio
    return k, squeezed | (inside & fits)


def _binomial(key: Any, n: Any, p: Any, shape: tuple[int, ...]) -> Any:
    """Numbers of binomial distribution in float64, from a key's word."""
    each, n, p = _rows(key, shape, np.floor(n), p)
    valid = (n >= 0) & (p >= 0) & (p <= 1)
    finite = valid & (n < np.inf)
    more = p > 0.5
    q = np.where(finite, np.where(more, 1 - p, p), 0.0)
    count = np.where(finite, n, 0.0)
    many = count * q > 10
    q_few, count_few = np.where(many, 0.0, q), np.where(many, 0.0, count)
    few = _searched(
        each,
        np.exp(count_few * np.log1p(-q_few)),
        lambda k, n, odds: odds * ((n + 1) / k - 1),
        count_few,
        q_few / (1 - q_few),
    )
    found = _accepted(
        each, ~many, _binomial_proposal, np.where(many, count, 100.0), np.where(many, q, 0.5)
    )
    k = np.where(many, found, few)
    k = np.where(more, count - k, k)
    endless = np.where(p > 0, n, 0.0)
    return np.reshape(np.where(finite, k, np.where(valid, endless, np.nan)), shape)


@sampler
def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Binomial distribution: the number of successes in ``n`` trials of probability ``p``.

    Args:
      key: a key.
      n: the number of trials; what follows the point is left out.
      p: the probability of a success.
      shape: the result's shape, to which they are broadcast.
      dtype: a floating dtype, as in JAX.

    Returns:
      An array of whole numbers of ``shape`` and ``dtype``; NaN where ``n`` is negative or ``p``
      no probability.

    >>> import autotrace as at
    >>> at.random.binomial(at.random.key(0), 10, 0.3, 3)
    array([6., 1., 4.])
    """
    return _binomial(key, n, p, shape).astype(dtype)


def multinomial(key: Any, n: Any, p: Any, *, shape: Any = None, dtype: Any = float) -> Any:
    """How often each of several outcomes occurs in ``n`` trials.

    Args:
      key: a key.
      n: the number of trials, of shape ``p.shape[:-1]`` or broadcast to it.
      p: the probabilities of the outcomes along the last dimension.
      shape: the result's shape, that of ``p`` when None.
      dtype: a floating dtype.

    Returns:
      An array of whole numbers of ``shape`` and ``dtype``, whose sums over the last dimension are
      ``n``.

    >>> import autotrace as at
    >>> at.random.multinomial(at.random.key(0), 10, [0.2, 0.3, 0.5])
    array([1., 3., 6.])
    """
    check_key("multinomial", key)
    n, p = (asarray(x) for x in (n, p))
    shapes = {"n": (*np.shape(n), 1), "p": np.shape(p)}
    whole = common_shape("multinomial", shape, shapes)
    found = as_dtype("multinomial", dtype, "f")
    return _multinomial(key, n, p, shape=whole, dtype=found)


@staged
def _multinomial(key: Any, n: Any, p: Any, *, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    p = np.moveaxis(broadcast_to(p.astype(np.float64), shape), -1, 0)
    n = broadcast_to(n.astype(np.float64), shape[:-1])
    left = np.flip(np.cumsum(np.flip(p, 0), 0), 0)
    ratios = np.clip(p / np.where(left == 0, 1.0, left), 0, 1)

    def outcome(n: Any, each: tuple) -> tuple:
        key, ratio = each
        count = _binomial(key, n, ratio, n.shape)
        return n - count, count

    _, found = scan(outcome, n, (words(word_of(key), shape[-1:]), ratios))
    return np.moveaxis(found, 0, -1).astype(dtype)


def categorical(
    key: Any,
    logits: Any,
    axis: int = -1,
    shape: Any = None,
    replace: bool = True,
    mode: str | None = None,
) -> Any:
    """The numbers of outcomes with probabilities proportional to ``exp(logits)``.

    Args:
      key: a key.
      logits: an array; one of its dimensions counts outcomes.
      axis: that dimension.
      shape: the result's shape, that of ``logits`` without ``axis`` when None; it ends with that
        or broadcasts to it.
      replace: whether an outcome may occur again among the leading dimensions of ``shape``.
      mode: as for ``gumbel``.

    Returns:
      int64 of ``shape``.

    Raises:
      ValueError: when more outcomes are asked for than there are, without replacement.

    >>> import autotrace as at, numpy as np
    >>> at.random.categorical(at.random.key(0), np.log([0.2, 0.3, 0.5]), shape=5)
    array([2, 2, 0, 1, 1])
    """
    check_key("categorical", key)
    logits = asarray(logits)
    rank = np.ndim(logits)
    if not -rank <= axis < rank:
        raise ValueError(
            located(f"random.categorical: axis {axis} of logits of shape {np.shape(logits)}")
        )
    batch = tuple(n for d, n in enumerate(np.shape(logits)) if d != axis % rank)
    whole = common_shape("categorical", shape, {"logits without axis": batch})
    return _categorical(
        key, logits, axis=axis % rank, shape=whole, replace=bool(replace), mode=mode
    )


@staged
def _categorical(
    key: Any, logits: Any, *, axis: int, shape: tuple[int, ...], replace: bool, mode: str | None
) -> Any:
    logits = np.moveaxis(as_floating(logits, None), axis, -1)
    count = logits.shape[-1]
    leading = shape[: len(shape) - (logits.ndim - 1)]
    if replace:
        # The noise lies as the logits do, so that the outcomes are JAX's.
        batch = list(shape[len(leading) :])
        batch.insert(axis, count)
        noise = gumbel_of(word_of(key), (*leading, *batch), logits.dtype, mode)
        return np.argmax(np.moveaxis(noise, len(leading) + axis, -1) + logits, -1)
    wanted = int(np.prod(leading))
    if wanted > count:
        raise ValueError(
            located(
                f"random.categorical: {wanted} outcomes without replacement, of {count}",
            )
        )
    batch = list(logits.shape[:-1])
    batch.insert(axis, count)
    noise = np.moveaxis(gumbel_of(word_of(key), tuple(batch), logits.dtype, mode), axis, -1)
    _, found = top_k(logits + noise, wanted)
    return np.reshape(np.moveaxis(found, -1, 0), shape)
