"""What transforms return: functions that pickle, if what they were made of does."""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Callable
from typing import Any

from .arguments import global_name, name_of


class Transformed:
    """A function that a transform has made of another one, such as ``grad(f)``.

    It is called as a function, is a method where a class has it, has the other function's
    documentation and signature, and pickles with that: another process makes it anew.
    """

    def __init__(self, fun: Callable, transform: str, options: tuple, named: dict[str, Any]):
        self.__name__: str
        name_as(self, fun, transform)
        self.__wrapped__ = fun
        #: The transform's other arguments.
        self._options = transform, options, named
        self._call: Callable

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __reduce__(self) -> str | tuple:
        transform, options, named = self._options
        return pickled(self, transform, self.__wrapped__, *options, **named)


def name_as(made: Any, fun: Callable, transform: str) -> None:
    """Give what a transform makes the name ``transform(fun)``, and the function's documentation."""
    updated = ("__dict__",) if isinstance(fun, types.FunctionType) else ()
    functools.update_wrapper(made, fun, updated=updated)
    made.__name__ = made.__qualname__ = f"{transform}({name_of(fun)})"


def wraps(
    fun: Callable, transform: str, *options: Any, **named: Any
) -> Callable[[Callable], Transformed]:
    """As ``functools.wraps``, for what a transform makes of any callable.

    Args:
      transform: the name of the transform in ``autotrace``.
      options, named: its arguments after the function.
    """

    def decorate(call: Callable) -> Transformed:
        made = Transformed(fun, transform, options, named)
        made._call = call
        return made

    return decorate


def pickled(made: Any, transform: str, fun: Callable, *options: Any, **named: Any) -> str | tuple:
    """For ``__reduce__``: how another process makes the same of a function."""
    # A decorated function's name leads to what has been made of it.
    decorated = global_name(made, getattr(fun, "__qualname__", ""))
    return decorated or (_again, (transform, fun, options, named))


def _again(transform: str, fun: Callable, options: tuple, named: dict[str, Any]) -> Any:
    return getattr(importlib.import_module("autotrace"), transform)(fun, *options, **named)
