"""Distributions of vectors and matrices, and the density of samples."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import numpy as anp
from ...core.errors import located
from ...lax.factorizations import triangular_solve
from ...numpy.dispatch import is_traced
from ..special import gammaln, logsumexp, multigammaln, xlogy
from .distribution import common, converted, scipy_stats
from .orthants import MOST_DIMENSIONS, below

_LOG_TWO_PI = math.log(2 * math.pi)
_LOG_2 = math.log(2)


def _quiet(function: Callable) -> Any:
    """A function as a static method under which NumPy does not warn."""

    @functools.wraps(function)
    def quiet(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return staticmethod(quiet)


def _factor(a: Any) -> Any:
    """The Cholesky factor of a symmetric matrix, with a symmetric derivative."""
    return anp.linalg.cholesky(0.5 * (a + anp.swapaxes(a, -1, -2)))


def _log_det(factor: Any) -> Any:
    """The logarithm of a matrix's determinant, from its Cholesky factor."""
    return 2 * anp.sum(anp.log(anp.diagonal(factor, axis1=-2, axis2=-1)), axis=-1)


def _whitened(factor: Any, x: Any) -> Any:
    """The factor's inverse times vectors, of shape ``(..., k)``."""
    if factor.ndim == 2:
        flat = anp.reshape(x, (-1, x.shape[-1]))
        out = triangular_solve(factor, flat.T, left_side=True, lower=True)
        return anp.reshape(out.T, x.shape)
    stack = anp.broadcast_shapes(factor.shape[:-2], x.shape[:-1])
    factor = anp.broadcast_to(factor, (*stack, *factor.shape[-2:]))
    x = anp.broadcast_to(x, (*stack, x.shape[-1]))
    return triangular_solve(factor, x[..., None], left_side=True, lower=True)[..., 0]


def _vectors(name: str, x: Any, mean: Any, cov: Any) -> tuple[Any, Any]:
    """Points less their mean, of shape ``(..., k)``, and the matrix, ``(..., k, k)``."""
    cov = 1.0 if cov is None else cov
    x, mean, cov = converted(x, 0.0 if mean is None else mean, cov)
    k = max(1, mean.shape[-1] if mean.ndim else 1, cov.shape[-1] if cov.ndim else 1)
    if cov.ndim < 2:
        cov = anp.eye(k, dtype=cov.dtype) * cov
    if x.ndim == 0 or (k == 1 and x.ndim == 1):
        x = x[..., None]
    if x.shape[-1] != k or cov.shape[-2:] != (k, k) or (mean.ndim and mean.shape[-1] not in (1, k)):
        raise ValueError(
            located(
                f"scipy.stats.{name}: points of shape (..., {x.shape[-1]}), a location of shape "
                f"{mean.shape} and a matrix of shape {cov.shape} do not go together"
            )
        )
    return x - mean, cov


class multivariate_normal:  # noqa: N801  SciPy's name
    """The normal distribution of vectors, called as SciPy's.

    >>> round(float(multivariate_normal.logpdf(np.zeros(2), np.zeros(2), np.eye(2))), 6)
    -1.837877
    """

    @_quiet
    def logpdf(x: Any, mean: Any = None, cov: Any = 1) -> Any:  # noqa: N805
        """The logarithm of the density.

        Args:
          x: points of shape ``(..., k)``.
          mean: of shape ``(k,)``, or stacks of them; zeros when None.
          cov: a number, a diagonal of shape ``(k,)``, a positive definite matrix ``(k, k)`` or
            stacks of them.

        Returns:
          An array of shape ``(...,)``.

        Raises:
          LinAlgError: for a matrix that is not positive definite.
          ValueError: for shapes that do not fit.
        """
        off, cov = _vectors("multivariate_normal", x, mean, cov)
        factor = _factor(cov)
        squares = anp.sum(_whitened(factor, off) ** 2, axis=-1)
        return -0.5 * (off.shape[-1] * _LOG_TWO_PI + _log_det(factor) + squares)

    @_quiet
    def pdf(x: Any, mean: Any = None, cov: Any = 1) -> Any:  # noqa: N805
        """The density; see ``logpdf``."""
        return anp.exp(multivariate_normal.logpdf(x, mean, cov))

    @_quiet
    def cdf(
        x: Any,  # noqa: N805
        mean: Any = None,
        cov: Any = 1,
        *,
        lower_limit: Any = None,
        **settings: Any,
    ) -> Any:
        """The probability of a vector below ``x`` in each component.

        Args:
          x: points of shape ``(..., k)``.
          mean: of shape ``(k,)``; zeros when None.
          cov: a number, a diagonal of shape ``(k,)``, or a positive definite matrix ``(k, k)``.
          lower_limit: above which it is, too, of a shape that broadcasts with ``x``; where it is
            above ``x`` the probability changes its sign.
          settings: SciPy's, which have an effect beyond four dimensions only.

        Returns:
          An array of shape ``(...,)``. Up to four dimensions it is found by Gauss and Legendre's
          rule to some 1e-12, where correlations are not near one, and has all derivatives.

        Raises:
          NotImplementedError: for traced values of more dimensions.
          ValueError: for shapes that do not fit.
        """
        if lower_limit is None:
            low, x = None, anp.asarray(x)
        else:
            low, x = anp.broadcast_arrays(lower_limit, x)
        off, matrix = _vectors("multivariate_normal", x, mean, cov)
        k = off.shape[-1]
        if matrix.ndim != 2:
            raise ValueError(located("scipy.stats.multivariate_normal.cdf takes one matrix"))
        if k > MOST_DIMENSIONS:
            if is_traced((x, mean, cov, low)):
                raise NotImplementedError(
                    located(
                        f"multivariate_normal.cdf: of traced values in up to {MOST_DIMENSIONS} "
                        f"dimensions, got {k}",
                        "What to do: keep the arguments out of jit and derivatives, or sample.",
                    )
                )
            settings["lower_limit"] = low
            return scipy_stats.multivariate_normal.cdf(x, mean, cov, **settings)
        if low is None:
            return below(off, matrix).astype(off.dtype)
        under, _ = _vectors("multivariate_normal", low, mean, cov)
        total: Any = 0.0
        for corner in itertools.product((False, True), repeat=k):
            sign = (-1.0) ** sum(corner)
            total = total + sign * below(anp.where(np.array(corner), under, off), matrix)
        return total.astype(off.dtype)

    @_quiet
    def logcdf(x: Any, mean: Any = None, cov: Any = 1, **settings: Any) -> Any:  # noqa: N805
        """The logarithm of ``cdf``."""
        return anp.log(multivariate_normal.cdf(x, mean, cov, **settings))

    @_quiet
    def entropy(mean: Any = None, cov: Any = 1) -> Any:  # noqa: N805
        """The differential entropy, in nats."""
        _, cov = _vectors("multivariate_normal", 0.0 if mean is None else mean, mean, cov)
        return 0.5 * (cov.shape[-1] * (_LOG_TWO_PI + 1) + _log_det(_factor(cov)))


class multivariate_t:  # noqa: N801  SciPy's name
    """Student's distribution of vectors, called as SciPy's.

    >>> round(float(multivariate_t.logpdf(np.zeros(2), np.zeros(2), np.eye(2), df=3)), 6)
    -1.837877
    """

    @_quiet
    def logpdf(x: Any, loc: Any = None, shape: Any = 1, df: Any = 1) -> Any:  # noqa: N805
        """The logarithm of the density.

        Args:
          x: points of shape ``(..., k)``.
          loc: of shape ``(k,)``; zeros when None.
          shape: a number, a diagonal ``(k,)`` or a positive definite matrix ``(k, k)``.
          df: degrees of freedom, a finite number above 0.

        Returns:
          An array of shape ``(...,)``.
        """
        off, shape = _vectors("multivariate_t", x, loc, shape)
        off, df = converted(off, df)
        factor, k = _factor(shape), off.shape[-1]
        squares = anp.sum(_whitened(factor, off) ** 2, axis=-1)
        constant = gammaln(0.5 * (df + k)) - gammaln(0.5 * df) - 0.5 * k * anp.log(math.pi * df)
        return constant - 0.5 * _log_det(factor) - 0.5 * (df + k) * anp.log1p(squares / df)

    @_quiet
    def pdf(x: Any, loc: Any = None, shape: Any = 1, df: Any = 1) -> Any:  # noqa: N805
        """The density; see ``logpdf``."""
        return anp.exp(multivariate_t.logpdf(x, loc, shape, df))


class dirichlet:  # noqa: N801  SciPy's name
    """The Dirichlet distribution, called as SciPy's.

    >>> round(float(dirichlet.pdf(np.array([0.5, 0.5]), np.array([1.0, 1.0]))), 6)
    1.0
    """

    @_quiet
    def logpdf(x: Any, alpha: Any) -> Any:  # noqa: N805
        """The logarithm of the density; -inf for points that are not on the simplex.

        Args:
          x: points, of shape ``(k, ...)``, or ``(k - 1, ...)`` without the last shares.
          alpha: of shape ``(k,)``.

        Returns:
          An array of shape ``(...)``.
        """
        x, alpha = converted(x, alpha)
        if alpha.ndim != 1 or not x.ndim or x.shape[0] not in (len(alpha), len(alpha) - 1):
            raise ValueError(
                located(
                    "scipy.stats.dirichlet: x has the shares along its first axis, as many as "
                    f"alpha has numbers; got {x.shape} and {alpha.shape}"
                )
            )
        if x.shape[0] == len(alpha) - 1:
            x = anp.concatenate([x, 1 - anp.sum(x, axis=0, keepdims=True)])
        powers = anp.reshape(alpha, (-1,) + (1,) * (x.ndim - 1)) - 1
        slack = 1e-9 if x.dtype == np.float64 else 1e-5
        inside = anp.all(x >= 0, axis=0) & (anp.abs(anp.sum(x, axis=0) - 1) <= slack)
        out = anp.sum(xlogy(powers, anp.where(inside, x, 0.5)), axis=0)
        out = anp.where(inside, out + gammaln(anp.sum(alpha)) - anp.sum(gammaln(alpha)), -np.inf)
        return anp.where(anp.all(alpha > 0), out, np.nan)

    @_quiet
    def pdf(x: Any, alpha: Any) -> Any:  # noqa: N805
        """The density; see ``logpdf``."""
        return anp.exp(dirichlet.logpdf(x, alpha))

    @_quiet
    def mean(alpha: Any) -> Any:  # noqa: N805
        """The mean, of shape ``(k,)``."""
        (alpha,) = common(alpha)
        return alpha / anp.sum(alpha)

    @_quiet
    def var(alpha: Any) -> Any:  # noqa: N805
        """The variances, of shape ``(k,)``."""
        (alpha,) = common(alpha)
        total = anp.sum(alpha)
        return alpha * (total - alpha) / (total * total * (total + 1))


class wishart:  # noqa: N801  SciPy's name
    """The Wishart distribution, called as SciPy's.

    >>> round(float(wishart.logpdf(np.eye(2), 3, np.eye(2))), 6)
    -3.531024
    """

    @_quiet
    def logpdf(x: Any, df: Any, scale: Any) -> Any:  # noqa: N805
        """The logarithm of the density.

        Args:
          x: positive definite matrices of shape ``(k, k)``, or ``(k, k, n)``.
          df: degrees of freedom, above ``k - 1``.
          scale: a positive definite matrix ``(k, k)``, a diagonal or a number.

        Returns:
          A number, or an array of shape ``(n,)``.
        """
        x, df, scale = converted(x, df, scale)
        if x.ndim < 2:
            x = anp.reshape(x, (1, 1, *x.shape))
        k = x.shape[0]
        if scale.ndim < 2:
            scale = anp.eye(k, dtype=scale.dtype) * scale
        if x.shape[:2] != (k, k) or scale.shape != (k, k):
            raise ValueError(
                located(f"scipy.stats.wishart: shapes {x.shape} and {scale.shape} do not fit")
            )
        x = anp.moveaxis(x, (0, 1), (-2, -1))
        ours, theirs = _factor(x), _factor(scale)
        whitened = _whitened(theirs, anp.swapaxes(ours, -1, -2))
        trace = anp.sum(whitened * whitened, axis=(-2, -1))
        constant = 0.5 * k * _LOG_2 * df + multigammaln(0.5 * df, k) + 0.5 * df * _log_det(theirs)
        return 0.5 * (df - k - 1) * _log_det(ours) - 0.5 * trace - constant

    @_quiet
    def pdf(x: Any, df: Any, scale: Any) -> Any:  # noqa: N805
        """The density; see ``logpdf``."""
        return anp.exp(wishart.logpdf(x, df, scale))


class multinomial:  # noqa: N801  SciPy's name
    """The multinomial distribution, called as SciPy's.

    >>> round(float(multinomial.pmf(np.array([1, 1]), 2, np.array([0.5, 0.5]))), 6)
    0.5
    """

    @_quiet
    def logpmf(x: Any, n: Any, p: Any) -> Any:  # noqa: N805
        """The logarithm of the probability; -inf for counts that do not add up to ``n``.

        Args:
          x: counts, of shape ``(..., k)``.
          n: how many things are counted.
          p: probabilities, of shape ``(..., k)``, which add up to 1.

        Returns:
          An array of shape ``(...)``.
        """
        x, n, p = converted(x, n, p)
        inside = anp.all((x >= 0) & (x == anp.floor(x)), axis=-1) & (anp.sum(x, axis=-1) == n)
        safe = anp.where(inside[..., None], x, 0.0)
        parts = anp.sum(xlogy(safe, p) - gammaln(safe + 1), axis=-1)
        return anp.where(inside, gammaln(n + 1) + parts, -np.inf)

    @_quiet
    def pmf(x: Any, n: Any, p: Any) -> Any:  # noqa: N805
        """The probability; see ``logpmf``."""
        return anp.exp(multinomial.logpmf(x, n, p))


class gaussian_kde:  # noqa: N801  SciPy's name
    """A density estimated from samples by normal kernels, as ``scipy.stats.gaussian_kde``.

    Args:
      dataset: samples, of shape ``(n,)`` or ``(d, n)``.
      bw_method: ``"scott"``, ``"silverman"``, or the bandwidth's factor; Scott's rule when None.
      weights: of shape ``(n,)``; equal ones when None.

    Attributes:
      d: the dimension.
      n: the number of samples.
      factor: the bandwidth's factor.
      covariance: the kernels' covariance, of shape ``(d, d)``.

    >>> density = gaussian_kde(np.array([-1.0, 0.0, 1.0]))
    >>> round(float(density(0.0)[0]), 6)
    0.318156
    """

    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None):
        (data,) = common(dataset)
        self.dataset = data if data.ndim == 2 else anp.reshape(data, (1, -1))
        self.d, self.n = self.dataset.shape
        if self.n < 2:
            raise ValueError(located("gaussian_kde: it takes at least two samples"))
        raw = anp.ones(self.n, self.dataset.dtype) if weights is None else common(weights)[0]
        if raw.shape != (self.n,):
            raise ValueError(located(f"gaussian_kde: weights must have the shape ({self.n},)"))
        self.weights = raw / anp.sum(raw)
        self.neff = 1 / anp.sum(self.weights * self.weights)
        if bw_method is None or bw_method == "scott":
            self.factor = self.neff ** (-1 / (self.d + 4))
        elif isinstance(bw_method, str):
            if bw_method != "silverman":
                raise ValueError(located(f"gaussian_kde: unknown bw_method {bw_method!r}"))
            self.factor = (self.neff * (self.d + 2) / 4) ** (-1 / (self.d + 4))
        else:
            self.factor = bw_method
        off = self.dataset - anp.sum(self.weights * self.dataset, axis=1, keepdims=True)
        spread = (self.weights * off) @ off.T / (1 - anp.sum(self.weights * self.weights))
        self.covariance = spread * self.factor**2

    def logpdf(self, x: Any) -> Any:
        """The logarithm of the density at points of shape ``(m,)`` or ``(d, m)``.

        Returns:
          An array of shape ``(m,)``.
        """
        points = anp.asarray(x)
        if points.ndim < 2:
            points = anp.reshape(points, (self.d, -1) if points.size == self.d else (1, -1))
        if points.shape[0] != self.d:
            raise ValueError(
                located(f"gaussian_kde: points have dimension {points.shape[0]}, not {self.d}")
            )
        factor = _factor(self.covariance)
        ours, theirs = (_whitened(factor, p.T) for p in (points, self.dataset))
        squares = anp.sum((ours[:, None] - theirs[None]) ** 2, axis=-1)
        kernels = logsumexp(-0.5 * squares, axis=1, b=self.weights)
        return kernels - 0.5 * (self.d * _LOG_TWO_PI + _log_det(factor))

    def evaluate(self, points: Any) -> Any:
        """The density at points; see ``logpdf``."""
        return anp.exp(self.logpdf(points))

    __call__ = pdf = evaluate
