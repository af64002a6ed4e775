"""ndarray's methods and attributes on tracers, and rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax import structural
from ..transforms.held import HeldTracer
from . import (
    joining,
    linear,
    manipulation,
    reductions,
    running,
    sorting,
    sparse_products,
    ufuncs,
)
from .aliasing import ordered
from .arguments import operand
from .dispatch import implements, traced
from .sparse_products import is_sparse

# --- rounding ----------------------------------------------------------------------------------


@implements(np.round)
def round(a: Any, decimals: int = 0) -> Any:  # noqa: A001  NumPy's name
    """As ``numpy.round``, on arrays and traced values; the derivative is 0.

    >>> round(np.array([1.234, 5.678]), 1)
    array([1.2, 5.7])
    """
    x = operand(a)
    if x.dtype.kind == "b":
        return arith.convert_element_type(x, np.float16) if decimals == 0 else _bool_round()
    if x.dtype.kind in "iu":
        return x if decimals >= 0 else _round_integers(x, -decimals)
    if decimals == 0:
        return arith.round(x)
    scale = structural.full_like(x, 10.0 ** abs(decimals))
    if decimals > 0:
        return _parts(x, lambda y, s: arith.div(arith.round(arith.mul(y, s)), s), scale)
    return _parts(x, lambda y, s: arith.mul(arith.round(arith.div(y, s)), s), scale)


def _bool_round() -> Any:
    raise TypeError(located("numpy.round of bools takes decimals=0 only"))


def _parts(x: Any, function: Callable, scale: Any) -> Any:
    """Apply a function to real numbers, or to both parts of complex ones."""
    if x.dtype.kind != "c":
        return function(x, scale)
    real_scale = np.real(scale)
    return arith.complex(function(arith.real(x), real_scale), function(arith.imag(x), real_scale))


def _round_integers(x: Any, digits: int) -> Any:
    # By floating point, as NumPy does.
    out = arith.convert_element_type(x, np.float64)
    scale = structural.full_like(out, 10.0**digits)
    return arith.convert_element_type(arith.mul(arith.round(arith.div(out, scale)), scale), x.dtype)


around = round
traced[np.around] = traced[np.round]


@implements(np.fix)
def fix(x: Any) -> Any:
    """As ``numpy.fix``, on arrays and traced values; the derivative is 0.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):  # newer NumPy prefers ``trunc``
    ...     fix(np.array([1.7, -1.7]))
    array([ 1., -1.])
    """
    return ufuncs.trunc(operand(x))


# --- methods -----------------------------------------------------------------------------------


def _shape_arguments(args: tuple) -> Any:
    return args[0] if len(args) == 1 and isinstance(args[0], tuple | list) else args


def _reshape(self: Any, *shape: Any, order: str = "C", copy: Any = None) -> Any:
    """As ndarray's: ``x.reshape(2, 3)`` or ``x.reshape((2, 3))``."""
    return manipulation.reshape(self, _shape_arguments(shape), order)


def _transpose(self: Any, *axes: Any) -> Any:
    """As ndarray's: ``x.transpose()``, ``x.transpose(1, 0)`` or ``x.transpose((1, 0))``."""
    if not axes or axes == (None,):
        return manipulation.transpose(self)
    return manipulation.transpose(self, _shape_arguments(axes))


def _astype(
    self: Any,
    dtype: Any,
    order: str = "K",
    casting: str = "unsafe",
    subok: bool = True,
    copy: bool = True,
) -> Any:
    """As ndarray's."""
    if casting != "unsafe" and not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            located(
                f"Cannot cast array data from {self.dtype!r} to {np.dtype(dtype)!r} "
                f"according to the rule '{casting}'"
            )
        )
    return self if not copy and self.dtype == dtype else manipulation.astype(self, dtype)


def _copy(self: Any, order: str = "C") -> Any:
    """As ndarray's."""
    if type(self) is HeldTracer:
        return HeldTracer(self.array.copy(order))
    return ordered(manipulation.copy(self), order if order in ("C", "F") else None)


def _flatten(self: Any, order: str = "C") -> Any:
    """As ndarray's."""
    return ordered(manipulation.reshape(self, (-1,), order).twin(), "C")


def _clip(self: Any, min: Any = None, max: Any = None, **kwargs: Any) -> Any:  # noqa: A002
    """As ndarray's."""
    return ufuncs.clip(self, min, max, **kwargs)


def _conjugate(self: Any) -> Any:
    """As ndarray's."""
    return ufuncs.conjugate(self) if self.dtype.kind == "c" else self


def _len(self: Any) -> int:
    shape = self.shape
    if not shape:
        raise TypeError(located("len() of unsized object"))
    return shape[0]


def _iter(self: Any) -> Iterator[Any]:
    shape = self.shape
    if not shape:
        raise TypeError(located("iteration over a 0-d array"))
    return (self[n] for n in range(shape[0]))


def _contains(self: Any, value: Any) -> bool:
    return bool(reductions.any(ufuncs.equal(self, value)))


def _matmul(self: Any, other: Any) -> Any:
    if _is_array(other):
        return linear.matmul(self, other)
    return sparse_products.array_times(self, other) if is_sparse(other) else NotImplemented


def _rmatmul(self: Any, other: Any) -> Any:
    if _is_array(other):
        return linear.matmul(other, self)
    return sparse_products.times_array(other, self) if is_sparse(other) else NotImplemented


def _is_array(x: Any) -> bool:
    return isinstance(x, Tracer | np.ndarray | np.generic | list | tuple)


def _in_place(name: str, remedy: str) -> Callable:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            located(
                f".{name}() is not supported on traced values",
                f"What to do: {remedy}.",
            )
        )

    return method


_IN_PLACE = {
    "itemset": "use the copy that x.at[i].set(v) returns",
    "resize": "take the copy that np.resize(x, shape) or np.reshape(x, shape) returns",
    "setflags": "leave it out",
    "setfield": "use the copy that x.at[i].set(v) returns",
    "byteswap": "swap the bytes before tracing",
}


def _without_bytes(name: str, remedy: str) -> Callable:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            located(
                f".{name}() asks for the bytes of a traced value, which has none",
                f"What to do: {remedy}.",
            )
        )

    return method


def _of_array(name: str) -> Callable:
    """A method of a held array that only looks at it."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.view(), name)(*args, **kwargs)

    return method


_BYTES = {
    "view": "convert with x.astype(dtype)",
    "getfield": "convert with x.astype(dtype)",
    "tobytes": "do it with the result, outside the traced function",
    "tofile": "do it with the result, outside the traced function",
    "dump": "do it with the result, outside the traced function",
    "dumps": "do it with the result, outside the traced function",
}


def _method(function: Callable) -> Callable:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


def _reducing(function: Callable, *positional: str) -> Callable:
    """A method whose ``out`` NumPy has among its positional arguments."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name, value in zip(positional, args, strict=False):
            kwargs[name] = value
        if len(args) > len(positional):
            raise TypeError(located(f".{function.__name__}() got too many arguments"))
        return function(self, **kwargs)

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


_METHODS: dict[str, Callable] = {
    "__contains__": _contains,
    "__iter__": _iter,
    "__len__": _len,
    "__matmul__": _matmul,
    "__rmatmul__": _rmatmul,
    "all": _reducing(reductions.all, "axis", "out", "keepdims"),
    "any": _reducing(reductions.any, "axis", "out", "keepdims"),
    "argmax": _reducing(reductions.argmax, "axis", "out"),
    "argmin": _reducing(reductions.argmin, "axis", "out"),
    "argpartition": _method(sorting.argpartition),
    "argsort": _method(sorting.argsort),
    "astype": _astype,
    "clip": _clip,
    "conj": _conjugate,
    "conjugate": _conjugate,
    "copy": _copy,
    "cumprod": _reducing(running.cumprod, "axis", "dtype", "out"),
    "cumsum": _reducing(running.cumsum, "axis", "dtype", "out"),
    "dot": _reducing(linear.dot, "b", "out"),
    "flatten": _flatten,
    "max": _reducing(reductions.max, "axis", "out", "keepdims", "initial", "where"),
    "mean": _reducing(reductions.mean, "axis", "dtype", "out", "keepdims"),
    "min": _reducing(reductions.min, "axis", "out", "keepdims", "initial", "where"),
    "prod": _reducing(reductions.prod, "axis", "dtype", "out", "keepdims", "initial", "where"),
    "ravel": _method(manipulation.ravel),
    "repeat": _method(joining.repeat),
    "reshape": _reshape,
    "round": _reducing(round, "decimals", "out"),
    "squeeze": _method(manipulation.squeeze),
    "std": _reducing(reductions.std, "axis", "dtype", "out", "ddof", "keepdims"),
    "sum": _reducing(reductions.sum, "axis", "dtype", "out", "keepdims", "initial", "where"),
    "swapaxes": _method(manipulation.swapaxes),
    "transpose": _transpose,
    "var": _reducing(reductions.var, "axis", "dtype", "out", "ddof", "keepdims"),
}

_ATTRIBUTES: dict[str, Callable] = {
    "T": manipulation.transpose,
    "mT": manipulation.matrix_transpose,
}


def install() -> None:
    """Put ndarray's methods and attributes on ``Tracer``."""
    tables = [
        _METHODS,
        {name: _in_place(name, remedy) for name, remedy in _IN_PLACE.items()},
        {name: _without_bytes(name, remedy) for name, remedy in _BYTES.items()},
    ]
    for table in tables:
        for name, method in table.items():
            # What another module knows better, such as __setitem__, stays.
            if name not in Tracer.__dict__:
                setattr(Tracer, name, method)
    for name in _BYTES:
        if name not in HeldTracer.__dict__:
            setattr(HeldTracer, name, _of_array(name))
    for name, function in _ATTRIBUTES.items():
        setattr(Tracer, name, property(function, doc="As ndarray's."))
