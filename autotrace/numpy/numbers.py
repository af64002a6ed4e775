"""The functions of Python's ``math`` on traced numbers.

``math.sin`` is compiled code that takes the number of whatever it is given. For as long as
something is traced, the module's attributes are therefore ones that hand traced numbers to the
functions here (``standins``), which compute in float64 as Python does. Errors are not raised where
Python raises them: the square root of -1 is NaN, that of a number known only later cannot be else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer, get_aval
from ..lax.elementary import erf, erfc, lgamma
from ..lax.structural import reshape
from ..transforms.held import HeldTracer
from .dispatch import has_tracer
from .promotion import to_dtype

_FLOAT = np.dtype(np.float64)


def _number(name: str, x: Any) -> Any:
    """An argument as a float64."""
    if isinstance(x, HeldTracer):
        x = x.array
    if isinstance(x, Tracer):
        if x.size != 1 or x.dtype.kind == "c":
            raise TypeError(
                located(
                    f"math.{name} takes a real number, got {get_aval(x)}",
                    "What to do: NumPy's functions take arrays and complex numbers.",
                )
            )
        return to_dtype(reshape(x, ()), _FLOAT)
    return np.float64(x)


def _as_python(out: Any) -> Any:
    """A result as Python's own numbers are: it takes the other operand's dtype."""
    if not isinstance(out, Tracer):
        return out.item()
    return out if out.dtype.kind == "b" else out.weaken()


def _elementwise(name: str, function: Callable) -> Callable:
    def on_numbers(*args: Any, **kwargs: Any) -> Any:
        return _as_python(function(*(_number(name, x) for x in args), **kwargs))

    return on_numbers


def _log(x: Any, base: Any = math.e) -> Any:
    return np.log(x) if base is math.e else np.log(x) / np.log(base)


def _hypot(*coordinates: Any) -> Any:
    found = np.float64(0.0)
    for x in coordinates:
        found = np.hypot(found, x)
    return found


def _isclose(a: Any, b: Any, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> Any:
    near = np.abs(a - b) <= np.maximum(rel_tol * np.maximum(np.abs(a), np.abs(b)), abs_tol)
    return (a == b) | (near & np.isfinite(a) & np.isfinite(b))


def _modf(x: Any) -> tuple[Any, Any]:
    fraction, whole = np.modf(_number("modf", x))
    return _as_python(fraction), _as_python(whole)


def _sequence(name: str, values: Iterable) -> list[Any]:
    return [_number(name, x) for x in values]


def _fsum(seq: Iterable) -> Any:
    """Rounded after each addition, which Python's is not."""
    return _as_python(np.sum(np.stack(_sequence("fsum", seq))))


def _dist(p: Iterable, q: Iterable) -> Any:
    pairs = zip(_sequence("dist", p), _sequence("dist", q), strict=True)
    return _as_python(_hypot(*(a - b for a, b in pairs)))


_ELEMENTWISE: dict[str, Callable] = {
    **{
        name: getattr(np, name)
        for name in "acos acosh asin asinh atan atan2 atanh cbrt copysign cos cosh degrees exp exp2"
        " expm1 fabs fmod isfinite isinf isnan log10 log1p log2 pow radians sin sinh sqrt tan"
        " tanh".split()
    },
    "erf": erf,
    "erfc": erfc,
    "hypot": _hypot,
    "isclose": _isclose,
    "lgamma": lgamma,
    "log": _log,
}


def _for_traced(original: Callable, traced: Callable) -> Callable:
    """A function that is Python's unless there is a traced number among its arguments."""

    def function(*args: Any, **kwargs: Any) -> Any:
        if has_tracer(args):
            return traced(*args, **kwargs)
        return original(*args, **kwargs)

    return function


def _for_traced_in_sequence(original: Callable, traced: Callable) -> Callable:
    """As ``_for_traced``, for a function of sequences."""

    def function(*args: Any) -> Any:
        given = [list(x) if isinstance(x, Iterable) else x for x in args]
        return traced(*given) if has_tracer(given) else original(*given)

    return function


#: What has ours in the place of Python's while something is traced.
in_place_of_pythons: dict[str, Callable] = {
    name: _for_traced(getattr(math, name), _elementwise(name, function))
    for name, function in _ELEMENTWISE.items()
} | {
    "modf": _for_traced(math.modf, _modf),
    "fsum": _for_traced_in_sequence(math.fsum, _fsum),
    "dist": _for_traced_in_sequence(math.dist, _dist),
}
