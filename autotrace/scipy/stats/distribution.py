"""What all distributions share: arguments, location and scale, support, and what follows from what.

A distribution is a row of a table: functions of its standard form on its support. Here the rest is
done, once: outside of the support densities are 0 with a derivative of 0, invalid parameters and
NaN give NaN, and a quantile function without a formula is found by SciPy and differentiated as the
inverse function that it is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import numpy as anp
from ...api.differentiate import jvp
from ...core.errors import located
from ...core.lazy import LazyModule
from ...core.trace import get_aval
from ...numpy.dispatch import lowered
from ...numpy.promotion import asarray, broadcast_operands, result_type, to_dtype
from ..special.functions import NO_RULE, Slope, row

scipy_stats = LazyModule("scipy.stats")

Bound = float | Callable[..., Any]


def converted(*args: Any) -> list[Any]:
    """Arguments in their common floating dtype, float64 for integers, each of its own shape."""
    given = [lowered(asarray(a)) for a in args]
    dtype, _ = result_type(*(get_aval(a) for a in given))
    if dtype.kind == "c":
        raise TypeError(located("scipy.stats takes real numbers, not complex ones"))
    if dtype.kind != "f":
        dtype = np.dtype(np.float64)
    return [to_dtype(a, dtype) for a in given]


def common(*args: Any) -> list[Any]:
    """As ``converted``, and of one shape or scalars."""
    return broadcast_operands(*converted(*args))


def _public(method: Callable) -> Callable:
    """A method of ``(self, parameters, x)``, with the arguments as SciPy takes them."""
    name = method.__name__

    @functools.wraps(method)
    def function(self: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        parameters = self.bound(name, args, kwargs)
        with np.errstate(all="ignore"):
            x, *parameters = common(x, *parameters)
            return method(self, parameters, x)

    return function


def _statistic(name: str, doc: str) -> Callable:
    def function(self: Any, *args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            *shapes, loc, scale = common(*self.bound(name, args, kwargs))
            value = self.formula(name)(*shapes)
            valid = self.valid(shapes, scale)
            return anp.where(valid, self.moved(name, value, loc, scale), np.nan).astype(loc.dtype)

    function.__name__ = name
    function.__doc__ = doc
    return function


class Distribution:
    """A family of distributions, called as SciPy's: ``norm.cdf(x, loc=0, scale=1)``.

    Args:
      name: SciPy's.
      shapes: the names of the shape parameters.
      lower, upper: the bounds of the standard form's support, numbers or functions of the shapes.
      valid: from the shapes to whether they are allowed.
      inner: from the shapes to a point within the support, where there is none that can be made
        of the bounds.
      formulas: the functions of the standard form, by the methods' names: of a point and the
        shapes, or, for ``mean``, ``var`` and ``entropy``, of the shapes.
    """

    #: The names of the parameters beside the shapes, and their defaults.
    _moving: Sequence[str] = ("loc", "scale")
    _defaults = (0.0, 1.0)

    def __init__(
        self,
        name: str,
        shapes: str = "",
        lower: Bound = -math.inf,
        upper: Bound = math.inf,
        *,
        valid: Callable | None = None,
        inner: Callable | None = None,
        **formulas: Callable,
    ):
        self.name = name
        self.shapes = tuple(shapes.split())
        self._lower, self._upper = lower, upper
        self._valid, self._inner = valid, inner
        self._formulas = formulas
        moving = [f"{n}={d:g}" for n, d in zip(self._moving, self._defaults, strict=False)]
        parameters = ", ".join([*self.shapes, *moving])
        self.__doc__ = f"As ``scipy.stats.{name}``; methods take ``{parameters}`` last."

    def __repr__(self) -> str:
        return f"autotrace.scipy.stats.{self.name}"

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with these parameters: its methods take none.

        >>> import autotrace.scipy.stats as stats
        >>> float(stats.norm(loc=1.0, scale=2.0).mean())
        1.0
        """
        self.bound("__call__", args, kwargs)
        return Frozen(self, args, kwargs)

    def has(self, method: str) -> bool:
        """Whether there is a method for this distribution."""
        return method in self._formulas or method not in ("cdf", "ppf", "mean", "var", "entropy")

    def formula(self, name: str) -> Callable:
        """The function of the standard form.

        Raises:
          NotImplementedError: where there is none.
        """
        if name not in self._formulas:
            raise NotImplementedError(located(f"{self!r} has no {name}"))
        return self._formulas[name]

    def bound(self, method: str, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
        """The shapes, the location and the scale.

        Raises:
          TypeError: when arguments are missing, unknown, or given twice.
        """
        names = (*self.shapes, *self._moving)
        what = f"scipy.stats.{self.name}.{method}"
        if len(args) > len(names):
            raise TypeError(located(f"{what} takes the parameters {', '.join(names)}: too many"))
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names or name in given:
                reason = "given twice" if name in given else "no parameter"
                raise TypeError(located(f"{what}: {name} is {reason}; it takes {', '.join(names)}"))
            given[name] = value
        missing = [s for s in self.shapes if s not in given]
        if missing:
            raise TypeError(located(f"{what}: the parameters {', '.join(missing)} are missing"))
        defaults = dict(zip(self._moving, self._defaults, strict=False))
        return [given.get(name, defaults.get(name)) for name in names]

    def valid(self, shapes: Sequence[Any], scale: Any) -> Any:
        """Whether the parameters are allowed."""
        positive = scale > 0
        return positive if self._valid is None else positive & self._valid(*shapes)

    def ends(self, shapes: Sequence[Any]) -> tuple[Any, Any]:
        """The bounds of the standard form's support."""
        lower, upper = (b(*shapes) if callable(b) else b for b in (self._lower, self._upper))
        return lower, upper

    def within(self, shapes: Sequence[Any], lower: Any, upper: Any) -> Any:
        """A point within the support."""
        if self._inner is not None:
            return self._inner(*shapes)
        if self._upper == math.inf:
            return 0.0 if self._lower == -math.inf else lower + 1
        return 0.5 * (lower + upper)

    def moved(self, name: str, value: Any, loc: Any, scale: Any) -> Any:
        """A statistic of the standard form, of the distribution."""
        if name == "entropy":
            return value + anp.log(scale)
        return loc + scale * value if name == "mean" else scale * scale * value

    mean = _statistic("mean", "The mean.")
    var = _statistic("var", "The variance.")
    entropy = _statistic(
        "entropy", "The differential entropy, in nats; for discrete ones Shannon's."
    )

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """The standard deviation."""
        return anp.sqrt(self.var(*args, **kwargs))

    def median(self, *args: Any, **kwargs: Any) -> Any:
        """The median."""
        return self.ppf(0.5, *args, **kwargs)

    def interval(self, confidence: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """The quantiles between which a number is with a probability, with equal areas beyond."""
        lower = self.ppf(0.5 - 0.5 * confidence, *args, **kwargs)
        return lower, self.isf(0.5 - 0.5 * confidence, *args, **kwargs)

    def _distributed(self, parameters: Sequence[Any], x: Any, name: str) -> Any:
        """A distribution function: its formula on the support, and the ends' values beyond."""
        *shapes, loc, scale = parameters
        y = self._point((x - loc) / scale)
        below, above = {"cdf": (0.0, 1.0), "sf": (1.0, 0.0)}.get(name.removeprefix("log"), (0, 0))
        if name.startswith("log"):
            below, above = (math.log(v) if v else -math.inf for v in (below, above))
        lower, upper = self.ends(shapes)
        low, high = y <= lower, y >= upper
        low = self._below(low, y, lower)
        safe = anp.where(low | high, self.within(shapes, lower, upper), y)
        out = anp.where(high, above, self._standard(name)(safe, *shapes))
        out = anp.where(low, below, out)
        return anp.where(self.valid(shapes, scale) & ~anp.isnan(y), out, np.nan)

    def _point(self, y: Any) -> Any:
        return y

    def _below(self, low: Any, y: Any, lower: Any) -> Any:
        return low

    def _standard(self, name: str) -> Callable:
        """The formula of a distribution function, or how it follows from others."""
        known = self._formulas
        if name in known:
            return known[name]
        if name == "sf":
            cdf = self.formula("cdf")
            return lambda y, *shapes: 1 - cdf(y, *shapes)
        if name in ("logcdf", "logsf"):
            sides = self._standard("cdf"), self._standard("sf")
            here, beyond = sides if name == "logcdf" else sides[::-1]

            def log(y: Any, *shapes: Any) -> Any:
                share = here(y, *shapes)
                small = share < 0.5  # or else the other side has more digits
                rest = anp.where(small, 0.0, beyond(y, *shapes))
                return anp.where(small, anp.log(share), anp.log1p(-rest))

            return log
        return self.formula(name)

    @_public
    def cdf(self, parameters: Sequence[Any], x: Any) -> Any:
        """The probability of at most ``x``."""
        return self._distributed(parameters, x, "cdf")

    @_public
    def sf(self, parameters: Sequence[Any], x: Any) -> Any:
        """The probability of more than ``x``."""
        return self._distributed(parameters, x, "sf")

    @_public
    def logcdf(self, parameters: Sequence[Any], x: Any) -> Any:
        """The logarithm of ``cdf``."""
        return self._distributed(parameters, x, "logcdf")

    @_public
    def logsf(self, parameters: Sequence[Any], x: Any) -> Any:
        """The logarithm of ``sf``."""
        return self._distributed(parameters, x, "logsf")

    def _quantile(self, parameters: Sequence[Any], q: Any, name: str) -> Any:
        *shapes, loc, scale = parameters
        inside = (q > 0) & (q < 1)
        formula = self._formulas.get(name) or (
            self.formula("ppf")
            if name == "ppf"
            else lambda p, *shapes: self.formula("ppf")(1 - p, *shapes)
        )
        safe = anp.where(inside, q, 0.5)
        out = formula(safe, *shapes)
        lower, upper = self._ends_of_quantiles(shapes)
        at_0, at_1 = (lower, upper) if name == "ppf" else (upper, lower)
        ends = anp.where(q == 1, at_1, np.nan).astype(q.dtype)
        ends = anp.where(q == 0, at_0, ends)
        out = loc + scale * anp.where(inside, out, ends)
        return anp.where(self.valid(shapes, scale), out, np.nan)

    def _ends_of_quantiles(self, shapes: Sequence[Any]) -> tuple[Any, Any]:
        return self.ends(shapes)

    @_public
    def ppf(self, parameters: Sequence[Any], q: Any) -> Any:
        """The quantile at ``q``: the inverse of ``cdf``."""
        return self._quantile(parameters, q, "ppf")

    @_public
    def isf(self, parameters: Sequence[Any], q: Any) -> Any:
        """The inverse of ``sf``."""
        return self._quantile(parameters, q, "isf")


class Frozen:
    """A distribution with its parameters, as ``norm(loc, scale)`` gives it."""

    def __init__(self, family: Distribution, args: tuple, kwargs: dict[str, Any]):
        self.dist, self.args, self.kwds = family, args, kwargs

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("_") or name not in _METHODS:
            raise AttributeError(f"a distribution with parameters has no attribute {name!r}")
        method = getattr(self.dist, name)
        return lambda *points: method(*points, *self.args, **self.kwds)


#: The methods that take the parameters last.
_METHODS = frozenset(
    "pdf logpdf pmf logpmf cdf sf logcdf logsf ppf isf interval mean var std median entropy".split()
)


class Continuous(Distribution):
    """A family with a density; see ``Distribution``.

    Args:
      open: whether the density is 0 at the lower bound, and its formula no number.
    """

    def __init__(
        self,
        name: str,
        shapes: str = "",
        *bounds: Bound,
        open: bool = False,  # noqa: A002
        **rest: Any,
    ):
        super().__init__(name, shapes, *bounds, **rest)
        self._open = open
        if "cdf" in self._formulas and "ppf" not in self._formulas:
            self._formulas = {
                "ppf": self._inverted("ppf", 1.0), "isf": self._inverted("isf", -1.0)
            } | self._formulas  # fmt: skip

    def _inverted(self, name: str, sign: float) -> Callable:
        """A quantile function: SciPy's number, and the derivatives of an inverse function."""
        cdf, logpdf = self._formulas["cdf"], self._formulas["logpdf"]

        def of_q(out: Any, q: Any, *shapes: Any) -> Any:
            return sign * anp.exp(-logpdf(out, *shapes))

        def of_shape(position: int) -> Slope:
            def slope(out: Any, q: Any, *shapes: Any) -> Any:
                like = anp.zeros_like(out)
                given = [s + like for s in shapes]

                def along(s: Any) -> Any:
                    return cdf(out, *given[:position], s, *given[position + 1 :])

                change = jvp(along, (given[position],), (like + 1,))[1]
                return -change * anp.exp(-logpdf(out, *shapes))

            return slope

        return row(
            f"{self.name}_{name}",
            f"q {' '.join(self.shapes)}",
            of_q,
            *(of_shape(i) for i in range(len(self.shapes))),
            host=lambda q, *shapes: getattr(getattr(scipy_stats, self.name), name)(q, *shapes),
            title=f"scipy.stats.{self.name}.{name}",
        )

    @_public
    def logpdf(self, parameters: Sequence[Any], x: Any) -> Any:
        """The logarithm of the density at ``x``; -inf outside of the support."""
        *shapes, loc, scale = parameters
        y = (x - loc) / scale
        density = self.formula("logpdf")
        lower, upper = self.ends(shapes)
        above = y > lower if self._open or self._lower == -math.inf else y >= lower
        inside = above & (y < math.inf if self._upper == math.inf else y <= upper)
        safe = anp.where(inside, y, self.within(shapes, lower, upper))
        out = anp.where(inside, density(safe, *shapes) - anp.log(scale), -np.inf)
        return anp.where(self.valid(shapes, scale) & ~anp.isnan(y), out, np.nan)

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The density at ``x``; 0 outside of the support."""
        return _exponential(self.logpdf(x, *args, **kwargs))


class Discrete(Distribution):
    """A family of distributions on integers; see ``Distribution``.

    Its quantiles are SciPy's, and have no derivative; so are distribution functions that have no
    formula here, and asking for their derivative is an error.
    """

    _moving = ("loc",)

    def __init__(self, name: str, shapes: str, *bounds: Bound, **rest: Any):
        super().__init__(name, shapes, *bounds, **rest)
        slopes = len(self.shapes)
        for method, slope in (("ppf", None), ("cdf", NO_RULE)):
            if method not in self._formulas:
                self._formulas[method] = row(
                    f"{name}_{method}",
                    f"{'q' if method == 'ppf' else 'k'} {shapes}",
                    None,
                    *[slope] * slopes,
                    host=lambda x, *p, m=method: getattr(getattr(scipy_stats, name), m)(x, *p),
                    title=f"scipy.stats.{name}.{method}",
                )

    def bound(self, method: str, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
        return [*super().bound(method, args, kwargs), 1.0]

    def _point(self, y: Any) -> Any:
        return anp.floor(y)

    def _below(self, low: Any, y: Any, lower: Any) -> Any:
        return y < lower

    def _ends_of_quantiles(self, shapes: Sequence[Any]) -> tuple[Any, Any]:
        lower, upper = self.ends(shapes)
        return lower - 1, upper

    def moved(self, name: str, value: Any, loc: Any, scale: Any) -> Any:
        return loc + value if name == "mean" else value

    @_public
    def logpmf(self, parameters: Sequence[Any], k: Any) -> Any:
        """The logarithm of the probability of ``k``; -inf outside of the support and for numbers
        that are not whole."""
        *shapes, loc, scale = parameters
        y = k - loc
        lower, upper = self.ends(shapes)
        inside = (y >= lower) & (y <= upper) & (y == anp.floor(y))
        safe = anp.where(inside, y, self.within(shapes, lower, upper))
        out = anp.where(inside, self.formula("logpmf")(safe, *shapes), -np.inf)
        return anp.where(self.valid(shapes, scale) & ~anp.isnan(y), out, np.nan)

    def pmf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """The probability of ``k``."""
        return _exponential(self.logpmf(k, *args, **kwargs))


def _exponential(log: Any) -> Any:
    """A density by its logarithm; where it is 0, also at an end of the support, so is its slope."""
    with np.errstate(all="ignore"):
        zero = log == -np.inf
        return anp.where(zero, 0.0, anp.exp(anp.where(zero, 0.0, log)))
