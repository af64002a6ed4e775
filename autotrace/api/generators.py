"""NumPy's random generators in traced functions: what they drew is noticed, and said.

A generator's state is no array. What is drawn from one while a function is traced by ``jit`` is a
number of the program from then on, the same in every call, which nobody wants.
"""

from __future__ import annotations

import contextlib
import inspect
import pickle
import warnings
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.source import user_location
from .arguments import name_of

_REMEDY = (
    "What to do: use autotrace.random, whose keys are arrays: draw with "
    "autotrace.random.normal(key, ...),\nand give each call a key of its own; or draw outside and "
    "pass the numbers."
)


def is_generator(x: Any) -> bool:
    """Whether something is one of NumPy's random generators."""
    return isinstance(x, np.random.Generator | np.random.RandomState | np.random.BitGenerator)


def check_no_generator(x: Any, what: str) -> None:
    """Raise where an argument is a generator.

    Raises:
      TypeError: with what to use in its place.
    """
    if is_generator(x):
        raise TypeError(
            located(
                f"{what} is a NumPy {type(x).__name__}: what it draws while the function is traced "
                "would be the same numbers in every call",
                _REMEDY,
            )
        )


def _state(generator: Any) -> bytes:
    if isinstance(generator, np.random.RandomState):
        return pickle.dumps(generator.get_state(legacy=False))
    source = getattr(generator, "bit_generator", generator)
    return pickle.dumps(source.state)


def _within_reach(fun: Callable) -> dict[str, Any]:
    """The generators that a function's code names: its own, and that of functions it contains."""
    plain = inspect.unwrap(fun)
    owner = getattr(plain, "__self__", None)
    plain = getattr(plain, "__func__", plain)
    code = getattr(plain, "__code__", None)
    if code is None:
        return {}
    named = _names(code)
    cells = zip(code.co_freevars, plain.__closure__ or (), strict=False)
    found = {name: plain.__globals__.get(name) for name in named}
    for name, cell in cells:
        with contextlib.suppress(ValueError):  # empty yet
            found[name] = cell.cell_contents
    found |= {f"self.{name}": x for name, x in getattr(owner, "__dict__", {}).items()}
    generators = {name: x for name, x in found.items() if is_generator(x)}
    if "random" in named:
        generators["numpy.random"] = np.random.get_state.__self__  # type: ignore[attr-defined]
    return generators


def _names(code: CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*map(_names, inner))


@contextlib.contextmanager
def watching_generators(fun: Callable) -> Iterator[None]:
    """Warn when a generator within a function's reach is drawn from while it is staged."""
    before = [(name, x, _state(x)) for name, x in _within_reach(fun).items()]
    yield
    drawn = [name for name, x, state in before if _state(x) != state]
    if drawn:
        place = user_location()
        text = located(
            f"jit of {name_of(fun)}: the function drew from {' and '.join(drawn)} while it was "
            "traced; every call will use the same numbers",
            _REMEDY,
            place,
        )
        where = (place.filename, place.lineno) if place else ("unknown", 0)
        warnings.warn_explicit(text, RuntimeWarning, *where)
