"""Functions along axes: softmax and its relatives, standardized arrays, classes as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import numpy as anp
from ..scipy import special
from .activations import as_floating

Axis = int | tuple[int, ...] | None


def logmeanexp(a: Any, axis: Axis = None, where: Any = None, keepdims: bool = False) -> Any:
    """``log(mean(exp(a)))`` along axes, without overflow.

    Args:
      a: an array.
      axis, where, keepdims: as for ``logsumexp``.

    Returns:
      The logarithm.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.logmeanexp(np.array([1000.0, 1000.0]))
    np.float64(1000.0)
    """
    a = as_floating(a)
    counted = anp.ones(a.shape, bool) if where is None else anp.broadcast_to(where, a.shape)
    count = anp.sum(counted, axis=axis, keepdims=keepdims)
    return special.logsumexp(a, axis, keepdims=keepdims, where=where) - anp.log(count).astype(
        a.dtype
    )


def _counted(x: Any, where: Any) -> Any:
    """Minus infinity, of which the exponential is 0, where a mask is false."""
    x = as_floating(x)
    return x if where is None else anp.where(where, x, -np.inf)


def softmax(x: Any, axis: int | tuple[int, ...] = -1, where: Any = None) -> Any:
    """``exp(x) / sum(exp(x))`` along axes, without overflow.

    Args:
      x: an array.
      axis: the axes to sum over.
      where: a mask of the elements to count; elsewhere the result is 0.

    Returns:
      An array of the same shape.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.softmax(np.array([1000.0, 1000.0, 0.0]))
    array([0.5, 0.5, 0. ])
    """
    return special.softmax(_counted(x, where), axis)


def log_softmax(x: Any, axis: int | tuple[int, ...] = -1, where: Any = None) -> Any:
    """The logarithm of ``softmax``, without overflow.

    Args:
      x: an array.
      axis: the axes to sum over.
      where: a mask of the elements to count; elsewhere the result is ``-inf``.

    Returns:
      An array of the same shape.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.log_softmax(np.array([1000.0, 0.0]))
    array([    0., -1000.])
    """
    return special.log_softmax(_counted(x, where), axis)


def standardize(
    x: Any,
    axis: int | tuple[int, ...] = -1,
    mean: Any = None,
    variance: Any = None,
    epsilon: Any = 1e-5,
    where: Any = None,
) -> Any:
    """``(x - mean) / sqrt(variance + epsilon)``.

    Args:
      x: an array.
      axis: the axes that ``mean`` and ``variance`` are over.
      mean, variance: arrays that broadcast with it; those of ``x`` for None.
      epsilon: what is added to the variance.
      where: a mask of the elements to count in mean and variance; all for None.

    Returns:
      An array of the same shape.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.standardize(np.array([1.0, 3.0]), epsilon=0.0)
    array([-1.,  1.])
    """
    x = as_floating(x)
    counted = {} if where is None else {"where": where}
    if mean is None:
        mean = anp.mean(x, axis, keepdims=True, **counted)
    if variance is None:
        variance = anp.mean((x - mean) ** 2, axis, keepdims=True, **counted)
    return (x - mean) / anp.sqrt(variance + epsilon)


def one_hot(x: Any, num_classes: int, *, dtype: Any = np.float64, axis: int = -1) -> Any:
    """Classes as vectors that are 1 at the class and 0 elsewhere.

    Args:
      x: an array of integers; one outside of ``[0, num_classes)`` gives zeros.
      num_classes: the size of the vectors.
      dtype: the result's.
      axis: where the vectors lie in the result.

    Returns:
      An array with one more dimension.

    >>> import autotrace.nn as nn, numpy as np
    >>> nn.one_hot(np.array([0, 2]), 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    x = anp.asarray(x)
    place = axis % (x.ndim + 1)
    classes = np.arange(num_classes).reshape([-1 if d == place else 1 for d in range(x.ndim + 1)])
    return anp.equal(anp.expand_dims(x, place), classes).astype(dtype)
