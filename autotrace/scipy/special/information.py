"""Products with logarithms and their entropies, and the logistic function's family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import lax
from ... import numpy as anp
from .functions import hosted, ufunc

# A product is 0 where its first factor is, even if the other one is infinite; but not NaN.


def _product(x: Any, y: Any, log: Any) -> Any:
    zero = (x == 0) & ~anp.isnan(y)
    return anp.where(zero, 0.0, x * log(anp.where(zero, 1.0, y)))


def _ratio(x: Any, y: Any) -> Any:
    """``x / y``, 0 where both are."""
    return x / anp.where((x == 0) & (y == 0), 1.0, y)


xlogy: Callable = hosted(
    "xlogy",
    "x y",
    lambda out, x, y: anp.log(y),
    lambda out, x, y: _ratio(x, y),
    composition=lambda x, y: _product(x, y, anp.log),
    note="0 where ``x`` is, and so is the derivative with respect to ``y``.",
)
xlog1py: Callable = hosted(
    "xlog1py",
    "x y",
    lambda out, x, y: anp.log1p(y),
    lambda out, x, y: _ratio(x, 1 + y),
    composition=lambda x, y: _product(x, y, anp.log1p),
    note="0 where ``x`` is, and so is the derivative with respect to ``y``.",
)


def _entr(x: Any) -> Any:
    return anp.where(x < 0, -np.inf, -xlogy(x, anp.where(x < 0, 1.0, x)))


entr: Callable = hosted(
    "entr",
    "x",
    lambda out, x: anp.where(x < 0, 0.0, -1 - anp.log(anp.where(x < 0, 1.0, x))),
    composition=_entr,
)


def _valid(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Whether ``x * log(x / y)`` is a number for x and y, and numbers for which it is, the same
    where they are."""
    inside = (x > 0) & (y > 0)
    return inside, anp.where(inside, x, 1.0), anp.where(inside, y, 1.0)


def _log_ratio(x: Any, y: Any) -> Any:
    """``log(x / y)``, accurate where the two are close."""
    ratio = x / y
    close = (ratio > 0.5) & (ratio < 2)
    # A subnormal quotient has lost digits.
    whole = (ratio > float(np.finfo(ratio.dtype).tiny)) & (ratio < np.inf)
    apart = anp.where(whole, anp.log(anp.where(whole, ratio, 1.0)), anp.log(x) - anp.log(y))
    return anp.where(close, anp.log1p((x - y) / y), apart)


def _beyond(x: Any, y: Any, at_0: Any) -> Any:
    """The value where ``x * log(x / y)`` is no number: infinite, but at ``x = 0``."""
    infinite = anp.where(anp.isnan(x + y), np.nan, anp.full_like(x + y, np.inf))
    return anp.where((x == 0) & (y >= 0), at_0, infinite)


def _rel_entr(x: Any, y: Any) -> Any:
    inside, xs, ys = _valid(x, y)
    return anp.where(inside, xs * _log_ratio(xs, ys), _beyond(x, y, 0.0))


def _kl_div(x: Any, y: Any) -> Any:
    inside, xs, ys = _valid(x, y)
    return anp.where(inside, xs * _log_ratio(xs, ys) - xs + ys, _beyond(x, y, y))


def _log_ratio_slope(x: Any, y: Any) -> Any:
    """``log(x / y)``, -inf at 0, 0 where neither function is finite."""
    inside, xs, ys = _valid(x, y)
    steep = (x == 0) & (y > 0)
    return anp.where(steep, -np.inf, anp.where(inside, _log_ratio(xs, ys), 0.0))


def _ratio_slope(x: Any, y: Any) -> Any:
    return anp.where((x >= 0) & (y > 0), x / anp.where(y > 0, y, 1.0), 0.0)


def _domain(x: Any, y: Any) -> Any:
    return ((x >= 0) & (y >= 0)).astype(x.dtype)


rel_entr: Callable = hosted(
    "rel_entr",
    "x y",
    lambda out, x, y: _log_ratio_slope(x, y) + _domain(x, y),
    lambda out, x, y: -_ratio_slope(x, y),
    composition=_rel_entr,
)
kl_div: Callable = hosted(
    "kl_div",
    "x y",
    lambda out, x, y: _log_ratio_slope(x, y),
    lambda out, x, y: _domain(x, y) - _ratio_slope(x, y),
    composition=_kl_div,
)

# --- logistic ------------------------------------------------------------------------------------


def _logit(x: Any) -> Any:
    middle = (x > 0.3) & (x < 0.65)
    away = anp.log(x / (1 - x))
    return anp.where(middle, 2 * anp.arctanh(anp.where(middle, 2 * x - 1, 0.0)), away)


expit = ufunc("expit", lax.logistic)
logit: Callable = hosted("logit", "x", lambda out, x: 1 / (x * (1 - x)), composition=_logit)
log_expit = ufunc("log_expit", lambda x: -anp.logaddexp(anp.zeros_like(x), -x))
