"""Sums of exponentials and what is normalized by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import numpy as anp
from ...lax.arithmetic import stop_gradient
from .gammas import floating


def _shift(a: Any, axis: Any, keepdims: bool) -> Any:
    """The maximum along an axis, 0 where it is infinite; without a derivative."""
    top = stop_gradient(anp.max(a, axis=axis, keepdims=keepdims, initial=-np.inf))
    return anp.where(anp.isfinite(top), top, 0.0).astype(a.dtype)


def _squeezed(x: Any, axis: Any) -> Any:
    return anp.reshape(x, ()) if axis is None else anp.squeeze(x, axis)


def logsumexp(
    a: Any,
    axis: int | tuple[int, ...] | None = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
) -> Any:
    """``log(sum(b * exp(a)))`` without overflow, as ``scipy.special.logsumexp``.

    Args:
      a: real numbers.
      axis: the axis or axes to sum over; all when None.
      b: factors of the exponentials, which broadcast against ``a``.
      keepdims: whether the summed axes stay, with length 1.
      return_sign: whether to return the sum's sign, too; without it the logarithm of a negative
        sum is NaN.
      where: which elements to sum.

    Returns:
      The logarithm of the sum's magnitude; with ``return_sign`` a tuple of it and the sign. Where
      the sum is 0, the logarithm is -inf and its derivative 0.

    >>> round(float(logsumexp(np.array([1000.0, 1000.0])) - 1000.0), 6)
    0.693147
    """
    a = floating(a)
    used: Any = None if where is None else anp.asarray(where)
    if b is not None:
        b = anp.asarray(b)
        used = b != 0 if used is None else used & (b != 0)
    if used is not None:
        a = anp.where(used, a, -np.inf)
    top = _shift(a, axis, True)
    terms = anp.exp(a - top)
    if b is not None:
        terms = anp.where(used, b, 0.0).astype(a.dtype) * terms
    total = anp.sum(terms, axis=axis, keepdims=True)
    zero = total == 0
    out = anp.log(anp.where(zero, 1.0, anp.abs(total) if return_sign else total))
    out = anp.where(zero, -np.inf, out) + top
    sign = anp.sign(total)
    if not keepdims:
        out, sign = _squeezed(out, axis), _squeezed(sign, axis)
    return (out, sign) if return_sign else out


def softmax(x: Any, axis: int | tuple[int, ...] | None = None) -> Any:
    """Exponentials normalized to a sum of 1, as ``scipy.special.softmax``.

    Args:
      x: real numbers.
      axis: the axis or axes to sum over; all when None.

    >>> softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    x = floating(x)
    powers = anp.exp(x - _shift(x, axis, True))
    return powers / anp.sum(powers, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: int | tuple[int, ...] | None = None) -> Any:
    """The logarithm of ``softmax``, as ``scipy.special.log_softmax``.

    Args:
      x: real numbers.
      axis: the axis or axes to sum over; all when None.

    >>> round(float(log_softmax(np.array([0.0, 0.0]))[0]), 6)
    -0.693147
    """
    x = floating(x)
    shifted = x - _shift(x, axis, True)
    return shifted - anp.log(anp.sum(anp.exp(shifted), axis=axis, keepdims=True))


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))`` without overflow, as ``scipy.special.softplus``.

    >>> round(float(softplus(0.0)), 6)
    0.693147
    """
    x = floating(x)
    return anp.logaddexp(x, anp.zeros_like(x))
