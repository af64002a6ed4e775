"""What stands in for NumPy's functions that make arrays while a function is being traced.

``y = np.zeros(3)`` has nothing traced in it, so NumPy asks nobody. For as long as any thread is
tracing, the attributes ``numpy.zeros`` and its like are therefore objects that see who calls: the
user's own code in a thread that is tracing gets an array to assign traced values to, everybody else
NumPy's function. Compiled code has no frame of its own, so that the innermost one is the user's may
mean that the user has called such code: what counts is that the instruction which that frame is at
calls something by this name.

Each is equal to the function it stands in for and has its hash, so that tables by function, such as
Numba's, find it; and is pickled as that.
"""

from __future__ import annotations

import math
import os
import sys
import sysconfig
import threading
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from ..core.source import callee_names, is_internal
from ..core.trace import active_traces, any_staging, while_tracing
from ..lax import generators
from ..transforms.held import holding
from . import applying, asking, grids
from .creation import made_here
from .dispatch import has_tracer, public, traced
from .numbers import in_place_of_pythons


def _calls_by_name(frame: FrameType, name: str) -> bool:
    """Whether a frame is calling NumPy's function of a name itself."""
    names = callee_names(frame)
    if not names or names[-1] != name:
        return False
    module = frame.f_globals.get(names[-2]) if len(names) > 1 else None
    return not isinstance(module, ModuleType) or module is np


_LIBRARIES = tuple(
    os.path.join(path, "")
    for name, path in sysconfig.get_paths().items()
    if name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_is_users: dict[str, bool] = {}


def _classify(filename: str) -> bool:
    installed = "site-packages" in filename or "dist-packages" in filename
    users = not (installed or is_internal(filename) or filename.startswith(_LIBRARIES))
    _is_users[filename] = users
    return users


def _is_users_frame(frame: FrameType) -> bool:
    filename = frame.f_code.co_filename
    users = _is_users.get(filename)
    return _classify(filename) if users is None else users


def _is_polynomials(frame: FrameType) -> bool:
    """Whether a frame is of ``numpy.polynomial``, which is Python that computes with what it is
    given, once that is an array."""
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith("numpy.polynomial.")


class _StandIn:
    """One of NumPy's functions, as long as something is traced."""

    def __init_subclass__(cls) -> None:
        cls.__doc__ = _StandIn.__dict__["__doc__"]  # type: ignore[method-assign]

    def __init__(self, original: Callable, held: Callable):
        self.__wrapped__ = original
        self._held = held
        self._name = original.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if holding():
            frame = sys._getframe(1)
            if _is_users_frame(frame):
                if _calls_by_name(frame, self._name):
                    return self._held(*args, **kwargs)
            elif has_tracer(args) and _is_polynomials(frame):
                return self._held(*args, **kwargs)
        return self.__wrapped__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.__wrapped__.__doc__

    def __eq__(self, other: object) -> bool:
        return self is other or self.__wrapped__ is other

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce__(self) -> tuple:
        return (_original, (self.__wrapped__.__module__, self.__wrapped__.__name__))


class _LooksAtAll(_StandIn):
    """A function that gets traced values where NumPy does not look for any: in lists, and in
    arguments beside the array."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # A module that was imported meanwhile keeps it for good.
        if _threads and (has_tracer(args) or (kwargs and has_tracer(tuple(kwargs.values())))):
            return self._held(*args, **kwargs)
        return self.__wrapped__(*args, **kwargs)


class _Applies(_LooksAtAll):
    """A function that applies functions, which may make traced values of ordinary ones."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except (TypeError, ValueError) as error:
            if not applying.met_tracer(error):
                raise
        return traced[self.__wrapped__](*args, **kwargs)


class _InPlace(_StandIn):
    """A function that has been told from another for itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._held(*args, **kwargs)


class _Draws(_StandIn):
    """A method of NumPy's global generator, or what makes a generator of a random seed."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if holding() and any_staging() and _is_users_frame(sys._getframe(1)):
            return self._held(*args, **kwargs)
        return self.__wrapped__(*args, **kwargs)

    def __reduce__(self) -> tuple:
        return (_original, ("numpy.random", self._name))


def _generator_made_here(seed: Any = None) -> Any:
    """``np.random.default_rng`` in a program: what has no seed is made once, and draws anew in each
    call; what has one gives each call the same numbers."""
    made = _originals[np.random]["default_rng"](seed)
    return generators.stand_in(made) if seed is None or generators.original(seed) is made else made


def _original(module: str, name: str) -> Callable:
    return _originals[sys.modules[module]][name]


_APPLYING = ("apply_along_axis", "piecewise")

#: NumPy's functions, and what stands in for them, by module and name.
_originals: dict[ModuleType, dict[str, Any]] = {}
_stand_ins: dict[ModuleType, dict[str, Any]] = {}

_lock = threading.Lock()
_threads = 0


def _prepare_random() -> None:
    """Make the stand-ins of ``numpy.random``, which NumPy imports when it is first used."""
    functions = {**generators.of_module(), "default_rng": _generator_made_here}
    _originals[np.random] = {name: getattr(np.random, name) for name in functions}
    _stand_ins[np.random] = {n: _Draws(getattr(np.random, n), f) for n, f in functions.items()}


def _random_imported() -> None:
    with _lock:
        if np.random not in _stand_ins:
            _prepare_random()
            if _threads:
                _put({np.random: _stand_ins[np.random]})


def _put(functions: dict[ModuleType, dict[str, Any]]) -> None:
    for module, by_name in functions.items():
        module.__dict__.update(by_name)


def _begin() -> None:
    global _threads
    with _lock:
        _threads += 1
        if _threads == 1:
            if "numpy.random" in sys.modules and np.random not in _stand_ins:
                _prepare_random()
            _put(_stand_ins)


def _end() -> None:
    global _threads
    with _lock:
        _threads = max(_threads - 1, 0)
        if not _threads:
            _put(_originals)


def _after_fork() -> None:
    # Of the threads that were tracing only this one is in the child.
    global _lock, _threads
    _lock = threading.Lock()
    _threads = 1 if active_traces() else 0
    if not _threads:
        _put(_originals)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def install() -> None:
    """Have the stand-ins in place whenever something is traced."""
    for module in (np, np.linalg):
        _stand_ins[module] = {
            name: _LooksAtAll(f, public[f])
            for name, f in vars(module).items()
            if callable(f) and f in public and not isinstance(f, np.ufunc)
        }
    main = _stand_ins[np]
    main.update({n: _Applies(getattr(np, n), public[getattr(np, n)]) for n in _APPLYING})
    main.update({name: _StandIn(getattr(np, name), held) for name, held in made_here.items()})
    # Where NumPy asks nobody though something is traced, ours, which calls NumPy's otherwise.
    main.update(applying.in_place_of_numpys)
    main.update(asking.in_place_of_numpys)
    main.update(grids.in_place_of_numpys)
    _stand_ins[math] = {
        name: _InPlace(getattr(math, name), f) for name, f in in_place_of_pythons.items()
    }
    for module, by_name in _stand_ins.items():
        _originals[module] = {name: getattr(module, name) for name in by_name}
    while_tracing(_begin, _end)
    generators.when_imported.append(_random_imported)
