"""Calling back into Python from traced code."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

from ..core import tree
from ..core.avals import make_aval
from ..lax.calls import debug_callback_p, pure_callback_p
from ..transforms.held import plain_arrays
from ..transforms.stage import as_numpy
from .arguments import check_callable, flatten_arrays, name_of, plain

_VMAP_METHODS = ("sequential", "expand_dims", "broadcast_all")


def callback(fun: Callable, *args: Any, **kwargs: Any) -> None:
    """Call a Python function with the values that arrays have when the code runs.

    Under ``jit`` it is called at each run, not once at tracing; under ``vmap`` once for each
    example; under derivatives once, with the primals.

    Args:
      fun: called for its effect; what it returns is dropped.
      args, kwargs: pytrees of arrays; ``fun`` gets NumPy arrays and scalars.

    >>> import autotrace as at
    >>> at.jit(lambda x: at.debug.callback(print, x))(3.0)
    3.0
    """
    check_callable(fun, "debug.callback")
    leaves, in_tree = flatten_arrays((args, kwargs), "debug.callback: argument ")

    def call(*values: Any) -> None:
        given, keywords = tree.unflatten(in_tree, plain(values, values))
        with plain_arrays():
            fun(*given, **keywords)

    call.__name__ = name_of(fun)
    debug_callback_p.bind(*map(as_numpy, leaves), callback=call)


def print_(fmt: str, *args: Any, **kwargs: Any) -> None:
    """Print values when the code runs; see ``debug.callback``.

    Args:
      fmt: a format string as for ``str.format``; ``{x}`` needs a keyword argument ``x``.
      args, kwargs: pytrees of arrays to format.

    Raises:
      ValueError, IndexError, KeyError: when ``fmt`` does not fit the arguments; raised at once,
        not when the code runs.

    >>> import autotrace as at
    >>> _ = at.jit(lambda x: at.debug.print("x = {x:.2f}", x=x))(3.0)
    x = 3.00
    """
    fields = [name for _, name, _, _ in string.Formatter().parse(fmt) if name is not None]
    for index, field in enumerate(f for f in fields if f == ""):
        if index >= len(args):
            raise IndexError(f"debug.print: {fmt!r} has more fields than there are arguments")
        del field
    for field in fields:
        root = field.split(".")[0].split("[")[0]
        if root and not root.isdigit() and root not in kwargs:
            raise KeyError(f"debug.print: {fmt!r} needs a keyword argument {root!r}")
    callback(lambda *a, **k: print(fmt.format(*a, **k)), *args, **kwargs)


def pure_callback(
    fun: Callable,
    result_shape_dtypes: Any,
    *args: Any,
    vmap_method: str = "sequential",
    **kwargs: Any,
) -> Any:
    """Call a Python function of NumPy arrays from traced code and use its result.

    Args:
      fun: a function without side effects; it may be called more or fewer times than the code
        reads, and its result reused.
      result_shape_dtypes: a pytree of ``ShapeDtypeStruct`` (or arrays): the type of its result.
      args, kwargs: pytrees of arrays; ``fun`` gets NumPy arrays and scalars.
      vmap_method: under ``vmap``: ``"sequential"`` calls once for each example;
        ``"expand_dims"`` and ``"broadcast_all"`` call once with a leading batch dimension, of
        size 1 for what is not batched with the former, repeated with the latter.

    Returns:
      The result. It has no derivative: wrap the caller in ``custom_jvp`` or ``custom_vjp``.

    Raises:
      TypeError: when the result is not of the type that was announced.

    >>> import autotrace as at, numpy as np
    >>> total = lambda x: at.pure_callback(np.sum, at.ShapeDtypeStruct((), float), x)
    >>> at.jit(total)(np.ones(3))
    np.float64(3.0)
    """
    check_callable(fun, "pure_callback")
    if vmap_method not in _VMAP_METHODS:
        raise ValueError(
            f"pure_callback: vmap_method must be one of {_VMAP_METHODS}, got {vmap_method!r}"
        )
    leaves, in_tree = flatten_arrays((args, kwargs), "pure_callback: argument ")
    shapes, out_tree = tree.flatten(result_shape_dtypes)
    avals = tuple(make_aval(tuple(s.shape), s.dtype) for s in shapes)

    def call(*values: Any) -> list[Any]:
        given, keywords = tree.unflatten(in_tree, plain(values, values))
        with plain_arrays():
            outs, got = tree.flatten(fun(*given, **keywords))
        if got != out_tree:
            raise TypeError(
                f"pure_callback: {name_of(fun)} returned a result of structure {got}, "
                f"result_shape_dtypes says {out_tree}"
            )
        return outs

    call.__name__ = name_of(fun)
    outs = pure_callback_p.bind(
        *map(as_numpy, leaves), callback=call, result_avals=avals, vmap_method=vmap_method
    )
    return tree.unflatten(out_tree, plain(outs))
