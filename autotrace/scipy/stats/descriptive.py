"""Statistics of samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import numpy as anp
from ...core.errors import located
from ..special import entr, rel_entr
from .distribution import common

# Fewer arguments than SciPy's: there is no nan_policy, since what is dropped of an array would
# depend on its values.


def _sample(name: str, a: Any, axis: int | None) -> tuple[Any, int]:
    (a,) = common(a)
    if axis is None:
        return anp.reshape(a, (-1,)), 0
    if not isinstance(axis, int):
        raise TypeError(located(f"scipy.stats.{name}: axis must be an integer or None"))
    return a, axis


def _kept(x: Any, axis: int | None, keepdims: bool, rank: int) -> Any:
    """A result from which an axis has gone, with it again where that is asked for."""
    if not keepdims:
        return x
    return anp.reshape(x, (1,) * rank) if axis is None else anp.expand_dims(x, axis)


def _central(a: Any, order: int, axis: int) -> Any:
    return anp.mean((a - anp.mean(a, axis=axis, keepdims=True)) ** order, axis=axis)


def moment(a: Any, order: int = 1, axis: int | None = 0, *, center: Any = None) -> Any:
    """A moment about the mean, as ``scipy.stats.moment``.

    Args:
      a: real numbers.
      order: which, a Python integer.
      axis: the axis along which the samples lie; all axes when None.
      center: what to take the differences from; the mean when None.

    >>> float(moment(np.array([1.0, 2.0, 3.0, 4.0]), 2))
    1.25
    """
    a, axis = _sample("moment", a, axis)
    middle = anp.mean(a, axis=axis, keepdims=True) if center is None else center
    return anp.mean((a - middle) ** order, axis=axis)


def sem(a: Any, axis: int | None = 0, ddof: int = 1, *, keepdims: bool = False) -> Any:
    """The standard error of the mean, as ``scipy.stats.sem``.

    Args:
      a: real numbers.
      axis: the axis along which the samples lie; all axes when None.
      ddof: what is subtracted from the number of samples for the variance.
      keepdims: whether the axis stays, with length 1.

    >>> float(sem(np.array([1.0, 3.0])))
    1.0
    """
    x, along = _sample("sem", a, axis)
    out = anp.std(x, axis=along, ddof=ddof) / np.sqrt(x.shape[along])
    return _kept(out.astype(x.dtype), axis, keepdims, anp.ndim(a))


def zscore(a: Any, axis: int | None = 0, ddof: int = 0) -> Any:
    """Distances from the mean in standard deviations, as ``scipy.stats.zscore``.

    Args:
      a: real numbers.
      axis: the axis along which the samples lie; all axes when None.
      ddof: what is subtracted from the number of samples for the variance.

    >>> zscore(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    (a,) = common(a)
    off = a - anp.mean(a, axis=axis, keepdims=True)
    with np.errstate(all="ignore"):
        return off / anp.std(a, axis=axis, ddof=ddof, keepdims=True)


def skew(a: Any, axis: int | None = 0, bias: bool = True, *, keepdims: bool = False) -> Any:
    """The skewness of samples, as ``scipy.stats.skew``.

    Args:
      a: real numbers.
      axis: the axis along which the samples lie; all axes when None.
      bias: whether to leave the bias of the estimate uncorrected.
      keepdims: whether the axis stays, with length 1.

    >>> float(skew(np.array([1.0, 2.0, 3.0])))
    0.0
    """
    x, along = _sample("skew", a, axis)
    with np.errstate(all="ignore"):
        out = _central(x, 3, along) / _central(x, 2, along) ** 1.5
    n = x.shape[along]
    if not bias and n > 2:
        out = out * (np.sqrt(n * (n - 1.0)) / (n - 2.0)).item()
    return _kept(out, axis, keepdims, anp.ndim(a))


def kurtosis(
    a: Any, axis: int | None = 0, fisher: bool = True, bias: bool = True, *, keepdims: bool = False
) -> Any:
    """The kurtosis of samples, as ``scipy.stats.kurtosis``.

    Args:
      a: real numbers.
      axis: the axis along which the samples lie; all axes when None.
      fisher: whether 3, that of a normal distribution, is subtracted.
      bias: whether to leave the bias of the estimate uncorrected.
      keepdims: whether the axis stays, with length 1.

    >>> float(kurtosis(np.array([-1.0, 1.0])))
    -2.0
    """
    x, along = _sample("kurtosis", a, axis)
    with np.errstate(all="ignore"):
        out = _central(x, 4, along) / _central(x, 2, along) ** 2
    n = x.shape[along]
    if not bias and n > 3:
        out = ((n * n - 1.0) * out - 3.0 * (n - 1.0) ** 2) / ((n - 2.0) * (n - 3.0)) + 3.0
    return _kept(out - 3.0 if fisher else out, axis, keepdims, anp.ndim(a))


def entropy(pk: Any, qk: Any = None, base: float | None = None, axis: int = 0) -> Any:
    """Shannon's entropy of a distribution, or its relative entropy to another; as
    ``scipy.stats.entropy``.

    Args:
      pk: probabilities, which are normalized here.
      qk: those of the other distribution.
      base: the logarithm's; e when None.
      axis: the axis along which the probabilities lie.

    >>> round(float(entropy(np.array([1.0, 1.0]), base=2)), 12)
    1.0
    """
    if base is not None and base <= 0:
        raise ValueError(located("scipy.stats.entropy: base must be a positive number or None"))
    given = common(pk) if qk is None else common(pk, qk)
    shares = [p / anp.sum(p, axis=axis, keepdims=True) for p in given]
    parts = entr(shares[0]) if qk is None else rel_entr(*shares)
    out = anp.sum(parts, axis=axis)
    return out if base is None else out / float(np.log(base))


def _ranks(a: Any, method: str) -> Any:
    """Ranks along the last axis, of a nan as of the largest number; integers but for averages."""
    order = anp.argsort(a, axis=-1, stable=True)
    position = anp.argsort(order, axis=-1, stable=True)
    if method == "ordinal":
        return position + 1
    ordered = anp.take_along_axis(a, order, -1)
    new = ordered[..., 1:] != ordered[..., :-1]
    first = anp.concatenate([anp.ones_like(ordered[..., :1], dtype=bool), new], -1)
    last = anp.concatenate([new, anp.ones_like(ordered[..., :1], dtype=bool)], -1)
    place = anp.arange(1, a.shape[-1] + 1)
    lowest = np.maximum.accumulate(anp.where(first, place, 0), axis=-1)
    upwards = anp.where(last, place, a.shape[-1] + 1)[..., ::-1]
    highest = np.minimum.accumulate(upwards, axis=-1)[..., ::-1]
    ranks = {
        "min": lambda: lowest,
        "max": lambda: highest,
        "dense": lambda: anp.cumsum(first, axis=-1),
        "average": lambda: 0.5 * (lowest + highest),
    }[method]()
    return anp.take_along_axis(ranks, position, -1)


def rankdata(a: Any, method: str = "average", *, axis: int | None = None) -> Any:
    """The rank of each number among those along an axis, from 1; as ``scipy.stats.rankdata``.

    Args:
      a: real numbers.
      method: which rank equal numbers get: ``"average"``, ``"min"``, ``"max"``, ``"dense"`` or
        ``"ordinal"`` (by position).
      axis: the axis along which to rank; all axes, flattened, when None.

    Returns:
      floats of the samples' dtype, float64 of integers, as SciPy 1.18 has them (before, integers
      unless a value was nan); nan where one of the numbers is nan. They have no derivative.

    >>> rankdata(np.array([10.0, 30.0, 10.0]))
    array([1.5, 3. , 1.5])
    """
    if method not in ("average", "min", "max", "dense", "ordinal"):
        raise ValueError(located(f"scipy.stats.rankdata: unknown method {method!r}"))
    a = anp.asarray(a)
    if axis is None:
        a, axis = anp.reshape(a, (-1,)), 0
    a = anp.moveaxis(a, axis, -1)
    out = anp.astype(_ranks(a, method), a.dtype if a.dtype.kind == "f" else np.float64)
    if a.dtype.kind == "f":
        out = anp.where(anp.any(anp.isnan(a), axis=-1, keepdims=True), np.nan, out)
    return anp.moveaxis(out, -1, axis)


def mode(a: Any, axis: int | None = 0, *, keepdims: bool = False) -> tuple[Any, Any]:
    """The most frequent number, the smallest of several, and how often it occurs; as
    ``scipy.stats.mode``.

    Args:
      a: real numbers, at least one along the axis.
      axis: the axis along which to count; all axes when None.
      keepdims: whether the axis stays, with length 1.

    Returns:
      A tuple of the numbers and the counts.

    >>> tuple(int(x) for x in mode(np.array([3, 1, 3])))
    (3, 2)
    """
    a = anp.asarray(a)
    rank = a.ndim
    x = anp.reshape(a, (-1,)) if axis is None else anp.moveaxis(a, axis, -1)
    if x.shape[-1] == 0:
        raise ValueError(located("scipy.stats.mode: there are no numbers along the axis"))
    x = anp.sort(x, axis=-1)
    lowest, highest = (_ranks(x, method) for method in ("min", "max"))
    count = highest - lowest + 1
    at = anp.argmax(count, axis=-1, keepdims=True)
    found = [anp.squeeze(anp.take_along_axis(y, at, -1), -1) for y in (x, count)]
    return _kept(found[0], axis, keepdims, rank), _kept(found[1], axis, keepdims, rank)
