"""Random order, and choices from an array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.errors import located
from ..lax.sorting import sort, top_k
from ..numpy.picking import take
from ..numpy.promotion import asarray
from .continuous import gumbel_of
from .keys import check_key, split_word, word_of
from .sampling import as_floating, bits_of, randint, unit_of, words
from .staging import as_shape, as_whole, staged


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """An array in random order along one dimension, or the numbers below ``x``.

    Args:
      key: a key.
      x: an array, or how many numbers.
      axis: the dimension.
      independent: whether each vector along it has an order of its own.

    Returns:
      An array of the shape of ``x``, or ``(x,)``. The array's derivative is the same permutation.

    Raises:
      TypeError: when ``x`` is a number but no whole one.

    >>> import autotrace as at
    >>> at.random.permutation(at.random.key(0), 5)
    array([0, 1, 4, 3, 2])
    """
    check_key("permutation", key)
    x, axis = _array("permutation", x, axis)
    return _permuted(key, x, axis=axis, independent=bool(independent))


def _array(name: str, x: Any, axis: int) -> tuple[Any, int]:
    """An array to take from, the range below a number, and a dimension of it."""
    if np.ndim(x) == 0:
        x = np.arange(as_whole(x, f"random.{name} takes an array or a whole number, got {x!r:.60}"))
    x = asarray(x)
    if not -x.ndim <= axis < x.ndim:
        raise np.exceptions.AxisError(axis, x.ndim)
    return x, axis % x.ndim


@staged
def _permuted(key: Any, x: Any, *, axis: int, independent: bool) -> Any:
    if independent or x.ndim == 1:
        return _shuffled(word_of(key), x, axis)
    return np.take(x, _shuffled(word_of(key), np.arange(x.shape[axis]), 0), axis)


def _shuffled(word: Any, x: Any, axis: int) -> Any:
    """Sorted by random numbers, as often as makes ties in all of them unlikely."""
    rounds = math.ceil(3 * math.log(max(1, x.size)) / math.log(2**32 - 1))
    for _ in range(rounds):
        word, own = split_word(word)
        _, x = sort((bits_of(words(own, x.shape), 32), x), axis)
    return x


def shuffle(key: Any, x: Any, axis: int = 0) -> Any:
    """An array whose elements are in random order along one dimension, each vector of its own.

    Args:
      key: a key.
      x: an array; it stays as it is.
      axis: the dimension.

    Returns:
      An array of the same shape.

    >>> import autotrace as at, numpy as np
    >>> at.random.shuffle(at.random.key(0), np.arange(5))
    array([0, 1, 4, 3, 2])
    """
    return permutation(key, x, axis, independent=True)


def choice(
    key: Any,
    a: Any,
    shape: Any = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: str | None = None,
) -> Any:
    """Random elements of an array, or numbers below ``a``.

    Args:
      key: a key.
      a: an array, or a number for ``arange(a)``.
      shape: the shape of the choices.
      replace: whether an element may be chosen again.
      p: the probability of each element, of shape ``(a.shape[axis],)``; all alike when None.
      axis: the dimension of ``a`` along which to choose.
      mode: as for ``gumbel``; it matters with ``p`` and without replacement.

    Returns:
      An array of ``shape``, in place of ``axis`` where ``a`` has more dimensions.

    Raises:
      ValueError: when ``a`` is empty, when more is asked for than there is, without replacement,
        or when ``p`` has another shape.

    >>> import autotrace as at
    >>> at.random.choice(at.random.key(0), 10, 3, replace=False)
    array([0, 1, 8])
    """
    check_key("choice", key)
    shape = as_shape("choice", shape)
    number = np.ndim(a) == 0
    a, axis = _array("choice", a, axis)
    count, wanted = a.shape[axis], math.prod(shape)
    if wanted and not count:
        raise ValueError(located("random.choice: there is nothing to choose from"))
    if not replace and wanted > count:
        raise ValueError(
            located(f"random.choice: {wanted} elements without replacement, of {count}")
        )
    if p is not None:
        p = asarray(p)
        if np.shape(p) != (count,):
            raise ValueError(
                located(f"random.choice: p must have shape ({count},), got {np.shape(p)}")
            )
        places = _weighted(key, p, shape=shape, replace=bool(replace), mode=mode)
    elif replace:
        places = randint(key, shape, 0, count)
    elif number:
        return np.reshape(permutation(key, count)[:wanted], shape)
    else:
        taken = (slice(None),) * axis + (slice(wanted),)
        chosen = permutation(key, a, axis)[taken]
        return np.reshape(chosen, a.shape[:axis] + shape + a.shape[axis + 1 :])
    return places if number else take(a, places, axis)


@staged
def _weighted(key: Any, p: Any, *, shape: tuple[int, ...], replace: bool, mode: str | None) -> Any:
    word, p = word_of(key), as_floating(p, None)
    if not replace:  # the largest of logits with Gumbel noise (Yellott, 1977)
        noise = gumbel_of(word, p.shape, p.dtype, mode)
        return np.reshape(top_k(noise + np.log(p), math.prod(shape))[1], shape)
    total = np.cumsum(p)
    r = total[-1] * (1 - unit_of(words(word, shape), p.dtype))
    return np.searchsorted(total, r)
