"""Random vectors and matrices."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.errors import located
from ..numpy.promotion import broadcast_to
from .gamma import gamma_of
from .keys import check_key, split_word, word_of
from .sampling import exponential_of, sampler, signs_of, words
from .staging import as_dtype, as_shape, staged


@sampler
def generalized_normal(key: Any, p: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Generalized normal distribution: density proportional to ``exp(-abs(x)**p)``.

    Args:
      key: a key.
      p: the power, positive; differentiable.
      shape: the result's shape, that of ``p`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.generalized_normal(at.random.key(0), 4.0, 2).round(6)
    array([ 0.708331, -0.981466])
    """
    return _generalized_normal(key, p, shape, dtype)


def _generalized_normal(word: Any, p: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    of_size, of_sign = split_word(word)
    size = gamma_of(words(of_size, shape), broadcast_to(1 / p, shape), False)
    return signs_of(words(of_sign, shape), dtype) * size ** (1 / p)


def ball(key: Any, d: int, p: Any = 2.0, shape: Any = (), dtype: Any = float) -> Any:
    """Points of uniform distribution in the ball ``sum(abs(x)**p) <= 1`` in d dimensions.

    Args:
      key: a key.
      d: the number of dimensions.
      p: the norm's power, a positive number; differentiable.
      shape: the shape of the points.
      dtype: a floating dtype.

    Returns:
      An array of shape ``(*shape, d)``.

    Source: Barthe, Guedon, Mendelson and Naor, A probabilistic approach to the geometry of the
    l_p^n-ball (2005).

    >>> import autotrace as at
    >>> at.random.ball(at.random.key(0), 2).round(6)
    array([-0.870151, -0.45473 ])
    """
    check_key("ball", key)
    try:
        count = operator.index(d)
    except TypeError:
        raise TypeError(located(f"random.ball takes a whole number d, got {d!r:.60}")) from None
    if np.ndim(p):
        raise ValueError(located(f"random.ball takes one number p, got shape {np.shape(p)}"))
    found = as_dtype("ball", dtype, "f")
    return _ball(key, p, d=count, shape=as_shape("ball", shape), dtype=found)


@staged
def _ball(key: Any, p: Any, *, d: int, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    p = p.astype(dtype)
    of_point, of_length = split_word(word_of(key))
    point = _generalized_normal(of_point, p, (*shape, d), dtype)
    more = exponential_of(words(of_length, shape), dtype)
    length = (np.sum(np.abs(point) ** p, -1) + more) ** (1 / p)
    return point / length[..., None]
