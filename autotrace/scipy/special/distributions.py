"""Distribution functions that SciPy has among its special functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import numpy as anp
from .functions import ufunc
from .gammas import betaln
from .incomplete import betainc, betaincc, gammainc, gammaincc

chdtr = ufunc("chdtr", lambda v, x: gammainc(0.5 * v, 0.5 * x))
chdtrc = ufunc("chdtrc", lambda v, x: anp.where(x < 0, 1.0, gammaincc(0.5 * v, 0.5 * anp.abs(x))))
gdtr = ufunc("gdtr", lambda a, b, x: gammainc(b, a * x))
gdtrc = ufunc("gdtrc", lambda a, b, x: gammaincc(b, a * x))
pdtr = ufunc("pdtr", lambda k, m: gammaincc(anp.floor(k) + 1, m))
pdtrc = ufunc("pdtrc", lambda k, m: gammainc(anp.floor(k) + 1, m))


def _binomial(k: Any, n: Any, p: Any, upper: bool) -> Any:
    k = anp.floor(k)
    rest = (n - k).astype(k.dtype)
    inside = (k >= 0) & (rest > 0)
    shapes = (anp.where(inside, k, 0.0) + 1, anp.where(inside, rest, 1.0))
    out = (betainc if upper else betaincc)(*shapes, p)
    # SciPy has no lower probability for negative counts, but an upper one.
    below, above = (1.0, 0.0) if upper else (np.nan, 1.0)
    out = anp.where(rest == 0, above, anp.where(inside, out, np.nan))
    return anp.where(k < 0, below, out)


bdtr = ufunc("bdtr", lambda k, n, p: _binomial(k, n, p, False))
bdtrc = ufunc("bdtrc", lambda k, n, p: _binomial(k, n, p, True))
# Their counts are whole: SciPy cuts off what is not.
nbdtr = ufunc("nbdtr", lambda k, n, p: betainc(anp.trunc(n), anp.trunc(k) + 1, p))
nbdtrc = ufunc("nbdtrc", lambda k, n, p: betaincc(anp.trunc(n), anp.trunc(k) + 1, p))


def _f_ratio(d1: Any, d2: Any, x: Any) -> tuple[Any, Any]:
    """The beta variable of an F variable, and 1 less it."""
    total = d2 + d1 * x
    return d1 * x / total, d2 / total


def _fdtr(d1: Any, d2: Any, x: Any) -> Any:
    t, rest = _f_ratio(d1, d2, x)
    lower = t < 0.5
    return anp.where(
        lower,
        betainc(0.5 * d1, 0.5 * d2, anp.where(lower, t, 0.5)),
        betaincc(0.5 * d2, 0.5 * d1, anp.where(lower, 0.5, rest)),
    )


def _fdtrc(d1: Any, d2: Any, x: Any) -> Any:
    t, rest = _f_ratio(d1, d2, x)
    lower = t < 0.5
    return anp.where(
        lower,
        betaincc(0.5 * d1, 0.5 * d2, anp.where(lower, t, 0.5)),
        betainc(0.5 * d2, 0.5 * d1, anp.where(lower, 0.5, rest)),
    )


fdtr = ufunc("fdtr", _fdtr)
fdtrc = ufunc("fdtrc", _fdtrc)


def _stdtr(df: Any, t: Any) -> Any:
    square = t * t
    # At 0, where the beta function's argument has no derivative, two terms of the series are exact.
    near = square * (df + 1) < 1e-9 * df
    center = anp.exp(-betaln(0.5 * df, 0.5 + 0.0 * df)) / anp.sqrt(df)
    series = 0.5 + t * center * (1 - square * (df + 1) / (6 * df))
    square = anp.where(near, 1.0, square)
    total = df + square
    far = square > df
    # One of the two is close to 0, where the beta function's argument is exact.
    tail = 0.5 * betainc(0.5 * df, 0.5 + 0.0 * df, anp.where(far, df / total, 0.5))
    body = 0.5 * betaincc(0.5 + 0.0 * df, 0.5 * df, anp.where(far, 0.5, square / total))
    upper = anp.where(far, tail, body)
    return anp.where(near, series, anp.where(t > 0, 1 - upper, upper))


stdtr = ufunc("stdtr", _stdtr)
