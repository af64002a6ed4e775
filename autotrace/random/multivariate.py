"""Random vectors and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import located
from ..numpy import linalg
from ..numpy.promotion import broadcast_to
from .gamma import gamma_of
from .keys import check_key, split_word, word_of
from .sampling import exponential_of, normal, normal_of, sampler, signs_of, words
from .staging import as_dtype, as_shape, as_whole, staged


@sampler(static=("method",), events={"mean": 1, "cov": 2})
def multivariate_normal(
    key: Any,
    mean: Any,
    cov: Any,
    shape: Any = None,
    dtype: Any = float,
    method: str = "cholesky",
) -> Any:
    """Normal vectors of given mean and covariance; differentiable in both.

    Args:
      key: a key.
      mean: of shape ``(..., n)``.
      cov: of shape ``(..., n, n)``, positive definite.
      shape: the shape of the vectors, to which the leading dimensions are broadcast; those when
        None.
      dtype: a floating dtype.
      method: ``"cholesky"``, or ``"eigh"`` or ``"svd"``, which take singular matrices too.

    Returns:
      An array of shape ``(*shape, n)``.

    Raises:
      ValueError: when the shapes do not fit, or for another method.

    >>> import autotrace as at, numpy as np
    >>> cov = np.array([[2.0, 0.5], [0.5, 1.0]])
    >>> at.random.multivariate_normal(at.random.key(0), np.zeros(2), cov).round(6)
    array([-0.291105, -0.806857])
    """
    n = mean.shape[-1]
    if cov.shape[-2:] != (n, n):
        raise ValueError(
            located(
                f"random.multivariate_normal takes cov of shape (..., {n}, {n}) with vectors of "
                f"{n}, got {cov.shape}"
            )
        )
    if method == "cholesky":
        factor = linalg.cholesky(cov)
    elif method == "eigh":
        variances, vectors = linalg.eigh(cov)
        factor = vectors * np.sqrt(variances)[..., None, :]
    elif method == "svd":
        vectors, variances, _ = linalg.svd(cov)
        factor = vectors * np.sqrt(variances)[..., None, :]
    else:
        raise ValueError(
            located(
                f"random.multivariate_normal: method is 'cholesky', 'eigh' or 'svd', got {method!r}"
            )
        )
    independent = normal_of(words(key, (*shape, n)), dtype)
    return mean + np.matmul(factor, independent[..., None])[..., 0]


def orthogonal(key: Any, n: int, shape: Any = (), dtype: Any = float, m: int | None = None) -> Any:
    """Orthogonal matrices, uniform in Haar's measure; unitary ones for complex dtypes.

    Args:
      key: a key.
      n: how many rows.
      shape: the shape of the matrices.
      dtype: a floating or complex dtype.
      m: how many columns, ``n`` when None. Then the rows are orthonormal where there are less of
        them, else the columns.

    Returns:
      An array of shape ``(*shape, n, m)``.

    Source: Mezzadri, How to generate random matrices from the classical compact groups (2007).

    >>> import autotrace as at
    >>> q = at.random.orthogonal(at.random.key(0), 3)
    >>> (q @ q.T).round(6) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    check_key("orthogonal", key)
    wrong = f"random.orthogonal takes whole numbers n and m, got {n!r:.40} and {m!r:.40}"
    rows, columns = (as_whole(x, wrong) for x in (n, n if m is None else m))
    found = as_dtype("orthogonal", dtype, "fc")
    return _orthogonal(
        key, rows=rows, columns=columns, shape=as_shape("orthogonal", shape), dtype=found
    )


@staged
def _orthogonal(
    key: Any, *, rows: int, columns: int, shape: tuple[int, ...], dtype: np.dtype
) -> Any:
    tall = (*shape, max(rows, columns), min(rows, columns))
    q, r = linalg.qr(normal(key, tall, dtype))
    x = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return np.swapaxes(x, -1, -2) if rows < columns else x


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
    count = as_whole(d, f"random.ball takes a whole number d, got {d!r:.60}")
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
