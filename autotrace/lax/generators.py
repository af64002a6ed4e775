"""NumPy's random generators in functions that are being traced: what stands in their places.

A generator's methods are compiled code that asks nobody. So while a function is traced into a
program, the generators within its reach, and those among its arguments, are replaced by ones of the
same class that share their state, and that have the program draw (``drawing``).
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import functools
import importlib
import itertools
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import located
from ..core.source import is_internal, user_location
from ..core.trace import Tracer, innermost_staging
from .drawing import DRAWS, REMEDY, Draw, draw, global_generator


def is_generator(x: Any) -> bool:
    """Whether something is one of NumPy's random generators."""
    return "numpy.random" in sys.modules and isinstance(
        x, np.random.Generator | np.random.RandomState
    )


def original(x: Any) -> Any:
    """The generator itself, of one or of what stands in for it."""
    return getattr(x, "__wrapped__", x)


class _StandIn:
    """What stands in for a generator: shares its state, and is that to whoever keeps it."""

    def __init__(self, generator: Any):
        # The state is that of the same bit generator.
        super().__init__(generator._bit_generator)  # type: ignore[call-arg]
        self.__wrapped__ = generator

    def __reduce__(self) -> Any:
        return self.__wrapped__.__reduce__()

    def __deepcopy__(self, memo: dict) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __eq__(self, other: object) -> bool:
        return original(other) is self.__wrapped__

    def __hash__(self) -> int:
        return hash(self.__wrapped__)


def _drawing(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return draw(self.__wrapped__, name, args, kwargs)

    method.__name__ = name
    return method


def _refusing(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        trace = innermost_staging()
        if trace is not None:
            what = f"{type(self.__wrapped__).__name__}.{name}"
            raise TypeError(located(f"{what} is asked for while {trace.transform} traces", REMEDY))
        return getattr(self.__wrapped__, name)(*args, **kwargs)

    method.__name__ = name
    return method


@functools.cache
def _class_like(kind: type) -> type:
    """The class of what stands in for a generator of a class. Made late: ``numpy.random`` is
    imported by who uses it."""
    names = [n for n in dir(kind) if not n.startswith("_") and callable(getattr(kind, n))]
    methods = {n: (_drawing if n in DRAWS else _refusing)(n) for n in names}
    return type(kind.__name__, (_StandIn, kind), {**methods, "__module__": __name__})


def stand_in(generator: Any) -> Any:
    """What stands in for a generator, or a method of one, in a function that is being traced."""
    if isinstance(generator, tuple):
        made = [stand_in(x) if _is_drawn_from(x) else x for x in generator]
        kind = type(generator)
        return tuple(made) if kind is tuple else kind._make(made)  # type: ignore[attr-defined]
    if isinstance(generator, types.MethodType):
        return getattr(stand_in(generator.__self__), generator.__name__)
    if generator is not original(generator):
        return generator
    is_new = isinstance(generator, np.random.Generator)
    return _class_like(np.random.Generator if is_new else np.random.RandomState)(generator)


class _Place(NamedTuple):
    """Where a value is kept: how to look there, and how to put another one there."""

    value: Any
    get: Callable[[], Any]
    put: Callable[[Any], None]


#: What holds no generators, or not by attributes of its own.
_HOLDS_NONE = (int, float, str, bytes, type, type(None), np.ndarray, np.generic, np.ufunc, Tracer,
               types.BuiltinFunctionType)  # fmt: skip
#: Called when ``numpy.random`` has been imported for a function that is about to be traced.
when_imported: list[Callable[[], None]] = []
#: How many objects are looked at, and how long a container may be.
_MOST_OBJECTS = 500
_MOST_ITEMS = 64


def _is_drawn_from(x: Any) -> bool:
    if isinstance(x, tuple):
        return any(map(_is_drawn_from, x))
    return is_generator(x.__self__ if isinstance(x, types.MethodType) else x)


@functools.lru_cache(4096)
def _names(code: types.CodeType) -> frozenset[str]:
    """The names of globals and attributes in a function's code, and that of functions in it."""
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return frozenset(code.co_names).union(*map(_names, inner))


def _in_items(container: Any, keys: Any) -> Iterator[_Place]:
    for key in keys:
        if isinstance(container[key], _HOLDS_NONE):
            continue
        get = functools.partial(container.__getitem__, key)
        yield _Place(container[key], get, functools.partial(container.__setitem__, key))


def _in_attributes(x: Any, *names: str) -> Iterator[_Place]:
    for name in names:
        with contextlib.suppress(ValueError):  # an empty cell
            get = functools.partial(getattr, x, name)
            yield _Place(get(), get, functools.partial(setattr, x, name))


def _in_function(function: types.FunctionType) -> Iterator[_Place]:
    for cell in function.__closure__ or ():
        yield from _in_attributes(cell, "cell_contents")
    yield from _in_attributes(function, "__defaults__")
    for values in (vars(function), function.__kwdefaults__ or {}):
        yield from _in_items(values, list(values))
    if is_internal(function.__code__.co_filename):
        return
    names = _names(function.__code__)
    if "random" in names and "numpy.random" not in sys.modules:
        importlib.import_module("numpy.random")
        for ready in when_imported:
            ready()
    found = function.__globals__
    named = [name for name in names if name in found]
    yield from _in_items(found, named)
    for name in named:
        module = found[name]
        if isinstance(module, types.ModuleType) and not _of_library(module.__name__):
            yield from _in_items(vars(module), [n for n in names if n in vars(module)])


def _of_library(module: str | None) -> bool:
    return (module or "").split(".")[0] in ("numpy", "scipy", "autotrace")


def _within(x: Any) -> Iterator[_Place]:
    """The values that an object holds."""
    if isinstance(x, types.FunctionType):
        yield from _in_function(x)
    elif isinstance(x, types.MethodType):
        if not is_generator(x.__self__):
            yield from _in_attributes(x, "__func__", "__self__")
    elif isinstance(x, functools.partial):
        yield _Place(x.func, lambda: x.func, lambda func: _set_partial(x, func, x.args))
        yield _Place(x.args, lambda: x.args, lambda args: _set_partial(x, x.func, args))
        yield from _in_items(x.keywords, list(x.keywords))
    elif type(x) is dict and len(x) <= _MOST_ITEMS:
        yield from _in_items(x, list(x))
    elif type(x) is list and len(x) <= _MOST_ITEMS:
        yield from _in_items(x, range(len(x)))
    elif isinstance(x, tuple) and len(x) <= _MOST_ITEMS:
        yield from (_Place(value, lambda: None, lambda _: None) for value in x)
    elif isinstance(x, type | types.ModuleType):
        return
    else:
        library = _of_library(type(x).__module__)
        if type(held := getattr(x, "__dict__", None)) is dict:
            yield from _in_items(held, held.keys() & {"__wrapped__"} if library else list(held))
        if not library:
            yield from _in_slots(x)


def _in_slots(x: Any) -> Iterator[_Place]:
    kinds = [vars(kind).values() for kind in type(x).__mro__ if "__slots__" in vars(kind)]
    for slot in itertools.chain.from_iterable(kinds):
        if isinstance(slot, types.MemberDescriptorType):
            # By the slot itself: a frozen dataclass does not let its attributes be set.
            get = functools.partial(slot.__get__, x)
            put: Callable[[Any], None] = functools.partial(slot.__set__, x)
            with contextlib.suppress(AttributeError):  # an empty one
                yield _Place(get(), get, put)


def _set_partial(partial: functools.partial, func: Callable, args: tuple) -> None:
    state = (func, args, partial.keywords, vars(partial))
    partial.__setstate__(state)  # type: ignore[attr-defined]


def _generators_within(fun: Callable) -> list[_Place]:
    """Where the generators are that a function can get at."""
    found: list[_Place] = []
    waiting: list[Any] = [fun]
    seen: dict[int, Any] = {}
    while waiting and len(seen) < _MOST_OBJECTS:
        x = waiting.pop()
        if id(x) in seen:
            continue
        seen[id(x)] = x
        for place in _within(x):
            if isinstance(place.value, _HOLDS_NONE):
                continue
            if _is_drawn_from(place.value):
                found.append(place)
            else:
                waiting.append(place.value)
    return found


@contextlib.contextmanager
def standing_in(fun: Callable) -> Iterator[None]:
    """Have stand-ins in place of the generators within a function's reach while it is traced.

    Warns:
      RuntimeWarning: where NumPy's global generator was drawn from all the same.
    """
    put: list[tuple[_Place, Any]] = []
    for place in _generators_within(fun):
        replaced = stand_in(place.value)
        if replaced is not place.value:
            place.put(replaced)
            put.append((place, replaced))
    before, draws = _global_state(), Draw.of_global
    try:
        yield
    finally:
        for place, replaced in reversed(put):
            if place.get() is replaced:
                place.put(place.value)
    if before is not None and Draw.of_global == draws and _global_state() != before:
        at = user_location()
        where = (at.filename, at.lineno) if at else ("unknown", 0)
        text = located(
            "numpy.random's global state changed while a function was traced: where that was by "
            "library code\nthat the function calls, every call will use the same numbers",
            REMEDY,
            at,
        )
        # No error: it may have been another thread.
        warnings.warn_explicit(text, RuntimeWarning, *where)


def of_module() -> dict[str, Callable[..., Any]]:
    """NumPy's functions of its global generator, as they are in programs."""
    generator = stand_in(global_generator())
    found = {name: getattr(generator, name) for name in sorted(DRAWS & set(np.random.__all__))}
    for name in ("get_state", "set_state"):
        found[name] = getattr(generator, name)
    return found | dict.fromkeys(("ranf", "sample"), generator.random_sample)


def _global_state() -> Any:
    """The state of NumPy's global generator, None where there is none yet."""
    if "numpy.random" not in sys.modules:
        return None
    source = global_generator()._bit_generator
    if type(source).__name__ == "MT19937":  # 625 words, and 30 us to ask for them
        return ctypes.string_at(source.ctypes.state_address, 625 * 4)
    return repr(source.state)
