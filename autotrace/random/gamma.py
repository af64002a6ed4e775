"""The gamma distribution and what is made of it, with derivatives in the shape parameter.

Sampling is by squeeze and rejection (Marsaglia and Tsang, 2000). A rejection has no derivative; the
sample's is that of the distribution's quantile at fixed probability (Figurnov, Mohamed and Mnih,
2018).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..api.custom import custom_jvp
from ..api.vectorize import vmap
from ..lax.constants import stop_gradient
from ..lax.elementary import digamma, logistic
from ..lax.looping import while_loop
from ..lax.random_bits import threefry2x32
from ..numpy.promotion import broadcast_to
from .keys import split_word
from .sampling import exponential_of, normal_of, sampler, unit_of, words

# --- sampling ------------------------------------------------------------------------------------


def _first(word: Any) -> Any:
    """The word of the only number of a key."""
    return threefry2x32(word, np.uint64(0))


def _tried(of_x: Any, u: Any, c: Any, d: Any) -> tuple[Any, Any]:
    """What a normal and a uniform number propose, and whether it is rejected.

    Args:
      of_x: the word that the normal number x comes from.
      u: the uniform number.

    Returns:
      ``v = 1 + c x``, and a bool. With v below 0 another x is due, else x and u.
    """
    x = normal_of(_first(threefry2x32(of_x, np.uint64(1))), c.dtype)
    v = 1 + c * x
    square, cube = x * x, v * v * v
    unsure = u >= 1 - 0.0331 * (square * square)
    inside = np.where(v > 0, cube, 1.0)
    far = np.log(u) >= square * 0.5 + d * ((1 - cube) + np.log(inside))
    return v, (v <= 0) | (unsure & far)


def _uniform(word: Any, dtype: np.dtype) -> Any:
    return unit_of(_first(threefry2x32(word, np.uint64(2))), dtype)


def _until_accepted(c: Any, d: Any, *first: Any) -> Any:
    """The accepted v of one lane, from its first proposal."""

    def turn(state: tuple) -> tuple:
        word, of_x, u, v, _ = state
        retry = v <= 0
        word = np.where(retry, word, _first(word))
        of_x = np.where(retry, _first(of_x), threefry2x32(word, np.uint64(1)))
        u = np.where(retry, u, _uniform(word, u.dtype))
        return word, of_x, u, *_tried(of_x, u, c, d)

    return while_loop(lambda state: state[4], turn, first)[3]


def _draw(each: Any, a: Any, log_space: bool) -> Any:
    """Samples for a vector of shape parameters, with a word for each."""
    boosted = a < 1
    # Gamma(a) is Gamma(a + 1) times a power of a uniform number.
    d = np.where(boosted, a + 1, a) - 1 / 3
    c = (1 / 3) / np.sqrt(d)
    each, of_boost = split_word(each)
    # Most lanes accept their first proposal: those are made together, the others one by one.
    of_x, u = threefry2x32(each, np.uint64(1)), _uniform(each, a.dtype)
    v = vmap(_until_accepted)(c, d, each, of_x, u, *_tried(of_x, u, c, d))
    cube = v * v * v
    if log_space:
        log = -exponential_of(_first(of_boost), a.dtype)
        boost = np.where(boosted & (log != 0), log / a, 0.0)
        return np.log(d) + np.log(cube) + boost
    power = np.power(1 - unit_of(_first(of_boost), a.dtype), 1 / a)
    return d * cube * np.where(boosted, power, 1.0)


# --- the derivative in the shape parameter -------------------------------------------------------

#: Gauss's nodes and weights on [0, 1] for an integrand of ``u**2``: with 28 of them the error is
#: some 1e-12 of the result for shape parameters from 1e-3 to 1e6 and probabilities from 1e-8 to
#: 1 - 1e-8.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(28)
_NODES = (_NODES + 1) / 2
_NODES, _WEIGHTS = _NODES**2, _WEIGHTS * _NODES
#: Where integrands have fallen to ``exp(-36)``.
_DEPTH = 36.0


def log_gamma_slope(a: Any, log_x: Any) -> Any:
    """How the logarithm of a gamma quantile changes with the shape parameter, elementwise.

    With ``s = 1`` where ``log_x`` is above ``c = digamma(a)`` and -1 below, it is the integral over
    positive t of ``exp(s a t - x expm1(s t)) (t + |log_x - c|)``: the derivative of the
    distribution function in ``a``, over the density, as an integral from x outwards. Nothing
    cancels in it, and it may be differentiated again.

    Args:
      a: float64, positive.
      log_x: float64 of the same shape, the logarithm of the quantile.

    Returns:
      ``d log_x / d a`` at fixed probability.

    >>> import numpy as np
    >>> log_gamma_slope(np.array([0.5, 2.0]), np.log([0.2, 3.0])).round(6)
    array([3.970253, 0.4406  ])
    """
    x = np.exp(log_x)
    # Below 1 by way of a + 1, since the integrand is too long there.
    low = (a < 1) & (x < 1)
    a_up = np.where(low, a + 1, a)
    distance = log_x - digamma(a_up)
    side = np.where(distance < 0, -1.0, 1.0)
    reach = stop_gradient(_reach(a_up, x, side))
    t = reach[..., None] * _NODES
    slope, side, far = (v[..., None] for v in (a_up * side, side, np.abs(distance)))
    falling = np.exp(slope * t - x[..., None] * np.expm1(side * t))
    total = reach * np.sum(falling * (t + far) * _WEIGHTS, -1)
    return np.where(low, (x * total - distance) / a, total)


def _reach(a: Any, x: Any, side: Any) -> Any:
    """Where the exponent of the integrand has fallen to ``-_DEPTH``, or a bit further."""
    start = side * (x - a)
    # Where its expansion to the second order has: not far enough below the center, where one of
    # Newton's steps then goes beyond, and too far above, where a fixed point is approached.
    near = 2 * _DEPTH / (start + np.sqrt(start * start + 2 * _DEPTH * x))
    below = near + (_DEPTH - a * near - x * np.expm1(-near)) / (a - x * np.exp(-near))
    x = np.maximum(x, 0.5)  # as it is there
    above = np.log1p((_DEPTH + a * np.log1p((_DEPTH + a * near) / x)) / x)
    return np.where(side < 0, below, above)


@functools.partial(custom_jvp, nondiff_argnums=(2,))
def gamma_of(each: Any, a: Any, log_space: bool) -> Any:
    return np.reshape(_draw(np.ravel(each), np.ravel(a), log_space), a.shape)


@gamma_of.defjvp
def _gamma_jvp(log_space: bool, primals: tuple, tangents: tuple) -> tuple:
    each, a = primals
    out = gamma_of(each, a, log_space)
    sample = out.astype(np.float64)
    log = sample if log_space else np.log(np.maximum(sample, np.finfo(out.dtype).tiny))
    slope = log_gamma_slope(a.astype(np.float64), log)
    return out, tangents[1] * (slope if log_space else sample * slope).astype(out.dtype)


# --- the distributions ---------------------------------------------------------------------------


@sampler
def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Gamma distribution of scale 1: density ``x**(a - 1) * exp(-x) / gamma(a)`` on x > 0.

    Differentiable in ``a``, to any order.

    Args:
      key: a key.
      a: the shape parameter, positive.
      shape: the result's shape, that of ``a`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.gamma(at.random.key(0), 2.5, 2).round(6)
    array([1.80488, 1.53856])
    """
    return gamma_of(words(key, shape), broadcast_to(a, shape), False)


@sampler
def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = float) -> Any:
    """The logarithm of numbers with gamma distribution, which for small ``a`` may lie below the
    smallest floats; that of ``gamma`` with the same arguments, up to rounding.

    Args:
      key: a key.
      a: the shape parameter, positive.
      shape: the result's shape, that of ``a`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.loggamma(at.random.key(0), 1e-4, 2).round(1)
    array([-11123.6, -22795.9])
    """
    return gamma_of(words(key, shape), broadcast_to(a, shape), True)


@sampler
def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Beta distribution: density proportional to ``x**(a - 1) * (1 - x)**(b - 1)`` on [0, 1].

    Args:
      key: a key.
      a, b: the shape parameters, positive; differentiable in both.
      shape: the result's shape, to which they are broadcast.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.beta(at.random.key(0), 2.0, 3.0, 2).round(6)
    array([0.327956, 0.613809])
    """
    log_a, log_b = _two_logs(split_word(key), (a, b), shape)
    return logistic(log_a - log_b)


def _two_logs(keys: Sequence[Any], shapes: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """Logarithms of two gamma distributions, in one go."""
    each = np.stack([words(key, shape) for key in keys])
    return gamma_of(each, np.stack([broadcast_to(a, shape) for a in shapes]), True)


@sampler(events={"alpha": 1})
def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Dirichlet distribution: n positive numbers of sum 1, with density proportional to the product
    of ``x[i] ** (alpha[i] - 1)``.

    Args:
      key: a key.
      alpha: positive, of shape ``(..., n)``; differentiable.
      shape: the result's shape without the last dimension, that of ``alpha`` when None.
      dtype: a floating dtype.

    Returns:
      An array of shape ``(*shape, n)``.

    >>> import autotrace as at
    >>> at.random.dirichlet(at.random.key(0), [1.0, 2.0, 3.0]).round(6)
    array([0.070653, 0.167056, 0.762291])
    """
    whole = (*shape, alpha.shape[-1])
    log = gamma_of(words(key, whole), broadcast_to(alpha, whole), True)
    raised = np.exp(log - stop_gradient(np.max(log, -1, keepdims=True, initial=-np.inf)))
    return raised / np.sum(raised, -1, keepdims=True)


@sampler
def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Chi-square distribution: that of the sum of ``df`` squares of standard normal numbers.

    Args:
      key: a key.
      df: the degrees of freedom, positive; differentiable.
      shape: the result's shape, that of ``df`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.chisquare(at.random.key(0), 3.0, 2).round(6)
    array([1.813893, 1.448354])
    """
    return 2 * np.exp(gamma_of(words(key, shape), broadcast_to(df / 2, shape), True))


@sampler
def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = float) -> Any:
    """F distribution: that of the ratio of two means of squares of standard normal numbers.

    Args:
      key: a key.
      dfnum, dfden: the degrees of freedom of numerator and denominator, positive; differentiable.
      shape: the result's shape, to which they are broadcast.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.f(at.random.key(0), 3.0, 5.0, 2).round(6)
    array([1.54798 , 0.357456])
    """
    log_den, log_num = _two_logs(split_word(key), (dfden / 2, dfnum / 2), shape)
    return np.exp(log_num - log_den) * (dfden / dfnum)


@sampler
def t(key: Any, df: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Student's t distribution: density proportional to ``(1 + x*x / df) ** (-(df + 1) / 2)``.

    Args:
      key: a key.
      df: the degrees of freedom, positive; differentiable.
      shape: the result's shape, that of ``df`` when None.
      dtype: a floating dtype.

    Returns:
      An array of ``shape`` and ``dtype``.

    >>> import autotrace as at
    >>> at.random.t(at.random.key(0), 3.0, 2).round(6)
    array([ 1.401159, -0.607246])
    """
    of_normal, of_gamma = split_word(key)
    half = df / 2
    normal = normal_of(words(of_normal, shape), dtype)
    sample = gamma_of(words(of_gamma, shape), broadcast_to(half, shape), False)
    return normal * np.sqrt(half / sample)
