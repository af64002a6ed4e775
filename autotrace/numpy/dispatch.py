"""How a call of a NumPy function finds its traced implementation.

``implements(numpy_function)`` makes the two meet: plain ``numpy`` calls on tracers arrive by
``__array_ufunc__`` and ``__array_function__``, and calls through ``autotrace.numpy`` go to the
traced implementation when an argument is traced and to NumPy's own function when none is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer

#: The traced implementation of each NumPy function and ufunc.
traced: dict[Any, Callable] = {}
#: The traced implementation of each ufunc method, by (ufunc, method name).
traced_methods: dict[tuple[Any, str], Callable] = {}


def has_tracer(x: Any) -> bool:
    """Whether a tracer is among some arguments, inside lists, tuples and dicts too."""
    if isinstance(x, Tracer):
        return True
    if isinstance(x, list | tuple):
        return any(has_tracer(y) for y in x)
    if isinstance(x, dict):
        return any(has_tracer(y) for y in x.values())
    return False


def implements(numpy_function: Any) -> Callable[[Callable], Callable]:
    """Register a function as what a NumPy function does on tracers.

    Returns:
      A decorator that gives the public function: NumPy's own where nothing is traced.
    """

    def decorate(function: Callable) -> Callable:
        traced[numpy_function] = function

        @functools.wraps(function)
        def public(*args: Any, **kwargs: Any) -> Any:
            if has_tracer(args) or has_tracer(kwargs):
                _refuse_out(numpy_function, kwargs)
                return function(*args, **kwargs)
            return numpy_function(*args, **kwargs)

        return public

    return decorate


def _name(numpy_function: Any) -> str:
    name = getattr(numpy_function, "__name__", str(numpy_function))
    module = getattr(numpy_function, "__module__", None) or "numpy"
    return f"{module}.{name}"


def _refuse_out(numpy_function: Any, kwargs: dict) -> None:
    out = kwargs.pop("out", None)
    if any(o is not None for o in (out if isinstance(out, tuple) else (out,))):
        raise TypeError(
            located(
                f"{_name(numpy_function)}: out= does not work on traced values, which cannot be "
                "written into",
                "What to do: use the returned array instead.",
            )
        )


def _unsupported(what: str) -> TypeError:
    return TypeError(
        located(
            f"{what} is not supported on traced values",
            "What to do: write it with supported functions, or call it through "
            "autotrace.pure_callback.",
        )
    )


_UFUNC_DEFAULTS: dict[str, Any] = {
    "where": True,
    "casting": "same_kind",
    "order": "K",
    "subok": True,
    "signature": None,
}


def array_ufunc(ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What NumPy calls when a ufunc or one of its methods meets a tracer."""
    if method == "__call__" and not kwargs and ufunc in traced:
        return traced[ufunc](*inputs)
    _refuse_out(ufunc, kwargs)
    if method == "__call__":
        implementation = traced.get(ufunc)
        dtype = kwargs.pop("dtype", None)
        for name, value in kwargs.items():
            if name in _UFUNC_DEFAULTS and value is not _UFUNC_DEFAULTS[name]:
                raise _unsupported(f"{_name(ufunc)} with {name}=")
        kwargs = {k: v for k, v in kwargs.items() if k not in _UFUNC_DEFAULTS}
        if implementation is None:
            raise _unsupported(_name(ufunc))
        if dtype is not None:
            inputs = tuple(traced[np.astype](x, dtype) for x in inputs)
        return implementation(*inputs, **kwargs)
    by_method = traced_methods.get((ufunc, method))
    if by_method is None:
        raise _unsupported(f"{_name(ufunc)}.{method}")
    return by_method(*inputs, **kwargs)


def array_function(function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
    """What NumPy calls when one of its other functions meets a tracer."""
    implementation = traced.get(function)
    if implementation is None:
        raise _unsupported(_name(function))
    _refuse_out(function, kwargs)
    return implementation(*args, **kwargs)
