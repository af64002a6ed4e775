"""Distributions that are functions of uniform, normal or exponential numbers.

All parameters are differentiable: the sample is a smooth function of them at a fixed key.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import located
from ..lax.constants import stop_gradient
from ..lax.elementary import erf, erf_inv
from .keys import split_word
from .sampling import between, exponential_of, normal_of, sampler, signs_of, unit_of, words


def _between(key: Any, shape: tuple[int, ...], dtype: Any, low: Any, high: Any) -> Any:
    return between(unit_of(words(key, shape), dtype), low, high)


@sampler
def exponential(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Exponential distribution: density ``exp(-x)`` on x >= 0.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.exponential(at.random.key(0), 2).round(6)
    array([0.542071, 0.243723])
    """
    return exponential_of(words(key, shape), dtype)


@sampler
def cauchy(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Cauchy distribution: density proportional to ``1 / (1 + x*x)``.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.cauchy(at.random.key(0), 2).round(6)
    array([-0.26193 , -1.237846])
    """
    u = _between(key, shape, dtype, np.finfo(dtype).eps, dtype.type(1))
    return np.tan(dtype.type(np.pi) * (u - 0.5))


@sampler(static=("mode",))
def gumbel(key: Any, shape: Any = (), dtype: Any = float, mode: str | None = None) -> Any:
    """Gumbel distribution: density ``exp(-x - exp(-x))``.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: a floating dtype.
      mode: ``"high"`` draws twice as many bits, so that in float32 numbers above 16 occur;
        ``"low"`` when None.

    Returns:
      An array of ``shape`` and ``dtype``.

    Raises:
      ValueError: for another mode.

    >>> import autotrace as at
    >>> at.random.gumbel(at.random.key(0), 2).round(6)
    array([ 0.137906, -0.425993])
    """
    return gumbel_of(key, shape, dtype, mode)


def gumbel_of(key: Any, shape: tuple[int, ...], dtype: Any, mode: str | None) -> Any:
    """Numbers of Gumbel distribution from a key's word."""
    if mode not in (None, "low", "high"):
        raise ValueError(located(f"random: mode is 'low' or 'high', got {mode!r}"))
    info = np.finfo(dtype)
    if mode == "high":
        high, low = unit_of(words(key, (2, *shape)), dtype)
        fine = high + dtype.type(2.0**-info.nmant) * low + info.tiny
        return -np.log(-np.log1p(-np.where(high >= 0.5, high, fine)))
    return -np.log(-np.log(_between(key, shape, dtype, info.tiny, dtype.type(1))))


@sampler
def laplace(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Laplace distribution: density ``exp(-abs(x)) / 2``.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.laplace(at.random.key(0), 2).round(6)
    array([0.178034, 0.837963])
    """
    low = dtype.type(-1) + np.finfo(dtype).epsneg
    u = _between(key, shape, dtype, low, dtype.type(1))
    return np.sign(u) * np.log1p(-np.abs(u))


@sampler
def logistic(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Logistic distribution: density ``exp(-x) / (1 + exp(-x))**2``.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.logistic(at.random.key(0), 2).round(6)
    array([-0.32911 , -1.287387])
    """
    u = _between(key, shape, dtype, np.finfo(dtype).tiny, dtype.type(1))
    return np.log(u) - np.log1p(-u)


@sampler
def maxwell(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Maxwell distribution: that of the length of three standard normal numbers.

    Args:
      key: a key.
      shape: the result's shape.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.maxwell(at.random.key(0), 2).round(6)
    array([1.98907 , 0.424607])
    """
    return _maxwell(key, shape, dtype)


def _maxwell(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    normal = normal_of(words(key, (*shape, 3)), dtype)
    return np.sqrt(np.sum(normal * normal, -1))


@sampler
def double_sided_maxwell(
    key: Any, loc: Any, scale: Any, shape: Any = None, dtype: Any = float
) -> Any:
    """Maxwell distribution with a random sign: ``loc + scale * sign * maxwell``.

    Args:
      key: a key.
      loc, scale: its center and scale.
      shape: the result's shape, to which they are broadcast.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.double_sided_maxwell(at.random.key(0), 0.0, 1.0, 2).round(6)
    array([ 1.984612, -2.478207])
    """
    of_size, of_sign = split_word(key)
    signs = signs_of(words(of_sign, shape), dtype)
    return signs * _maxwell(of_size, shape, dtype) * scale + loc


@sampler
def lognormal(key: Any, sigma: Any = 1.0, shape: Any = None, dtype: Any = float) -> Any:
    """Log-normal distribution: ``exp(sigma * normal)``.

    Args:
      key: a key.
      sigma: the logarithm's standard deviation.
      shape: the result's shape, that of ``sigma`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.lognormal(at.random.key(0), 0.5, 2).round(6)
    array([0.902198, 0.675445])
    """
    return np.exp(normal_of(words(key, shape), dtype) * sigma)


@sampler
def pareto(key: Any, b: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Pareto distribution: density ``b / x**(b + 1)`` on x >= 1.

    Args:
      key: a key.
      b: the power, positive.
      shape: the result's shape, that of ``b`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.pareto(at.random.key(0), 3.0, 2).round(6)
    array([1.198044, 1.084632])
    """
    return np.exp(exponential_of(words(key, shape), dtype) / b)


@sampler
def rayleigh(key: Any, scale: Any = 1.0, shape: Any = None, dtype: Any = float) -> Any:
    """Rayleigh distribution: density proportional to ``x * exp(-x*x / (2 * scale**2))`` on x > 0.

    Args:
      key: a key.
      scale: positive.
      shape: the result's shape, that of ``scale`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.rayleigh(at.random.key(0), 2.0, 2).round(6)
    array([2.639971, 3.49984 ])
    """
    u = _between(key, shape, dtype, np.finfo(dtype).tiny, dtype.type(1))
    return scale * np.sqrt(np.log(u) * -2)


@sampler
def triangular(
    key: Any, left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = float
) -> Any:
    """Triangular distribution: density rising from ``left`` to ``mode``, falling to ``right``.

    Args:
      key: a key.
      left, mode, right: the corners, in this order.
      shape: the result's shape, to which they are broadcast.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.triangular(at.random.key(0), 0.0, 1.0, 4.0, 2).round(6)
    array([1.358312, 0.930152])
    """
    u = unit_of(words(key, shape), dtype)
    width = right - left
    rising = left + np.sqrt(u * width * (mode - left))
    falling = right - np.sqrt((1 - u) * width * (right - mode))
    return np.where(u < (mode - left) / width, rising, falling)


@sampler
def truncated_normal(
    key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = float
) -> Any:
    """Standard normal numbers between two bounds.

    Args:
      key: a key.
      lower, upper: the bounds.
      shape: the result's shape, to which they are broadcast.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``; all numbers lie between the bounds, which are not
      among them.

    >>> import autotrace as at
    >>> at.random.truncated_normal(at.random.key(0), -1.0, 1.0, 2).round(6)
    array([-0.139996, -0.506315])
    """
    root = dtype.type(np.sqrt(2.0))
    u = _between(key, shape, dtype, erf(lower / root), erf(upper / root))
    inside = (
        np.nextafter(stop_gradient(lower), dtype.type(np.inf)),
        np.nextafter(stop_gradient(upper), dtype.type(-np.inf)),
    )
    return np.clip(root * erf_inv(u), *inside)


@sampler
def wald(key: Any, mean: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Wald distribution of scale 1: density ``exp(-(x - mean)**2 / (2 * mean**2 * x)) /
    sqrt(2 * pi * x**3)`` on x > 0. The method is that of Michael, Schucany and Haas (1976).

    Args:
      key: a key.
      mean: positive.
      shape: the result's shape, that of ``mean`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.wald(at.random.key(0), 2.0, 2).round(6)
    array([0.223279, 3.900855])
    """
    of_normal, of_side = split_word(key)
    normal = normal_of(words(of_normal, shape), dtype)
    u = unit_of(words(of_side, shape), dtype)
    # The smaller root of a quadratic equation, written so that it is positive however small.
    y = mean * (normal * normal)
    small = mean * (2 / (2 + y + np.sqrt(y * (y + 4))))
    return np.where(u <= mean / (mean + small), small, mean * (mean / small))


@sampler
def weibull_min(
    key: Any, scale: Any, concentration: Any, shape: Any = None, dtype: Any = float
) -> Any:
    """Weibull distribution: ``scale`` times an exponential number to the power
    ``1 / concentration``.

    Args:
      key: a key.
      scale, concentration: positive.
      shape: the result's shape, to which they are broadcast.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.weibull_min(at.random.key(0), 1.0, 2.0, 2).round(6)
    array([0.736254, 0.493683])
    """
    return np.power(exponential_of(words(key, shape), dtype), 1 / concentration) * scale
