"""jit: stage a function once for each signature, and run what was made of it."""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
import os
import threading
import types
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import SCALAR_TYPES, ShapedArray
from ..core.config import attention, config, on_update
from ..core.errors import located
from ..core.jaxpr import Jaxpr, check_pickles
from ..core.trace import Tracer, active_traces, axis_sizes, get_aval
from ..lax.calls import jit_p
from ..transforms.backends import (
    Executable,
    compile_counts,
    compile_jaxpr,
    get_backend,
    stages_of,
)
from ..transforms.simplify import simplify_jaxpr
from ..transforms.stage import as_numpy, hoist_tracers, stage
from .arguments import (
    FlatFunction,
    as_array,
    check_callable,
    flatten_arrays,
    global_name,
    name_of,
    plain,
    signature_of,
)
from .differentiate import aval_like
from .inspect import ShapeDtypeStruct

_staging = threading.RLock()
_clock = itertools.count()
_functions: weakref.WeakSet[JitFunction] = weakref.WeakSet()


@on_update
def _forget_all_shortcuts() -> None:
    for function in list(_functions):
        function._forget_shortcuts()


def _after_fork() -> None:
    # A thread that the child does not have may hold the lock; and programs are bound anew, with
    # threads of the child's own.
    global _staging
    _staging = threading.RLock()
    _forget_all_shortcuts()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Program:
    """What one signature was staged into."""

    __slots__ = ("closed_over", "jaxpr", "out_tree", "used")

    def __init__(self, jaxpr: Jaxpr, out_tree: tree.TreeDef, closed_over: list[Any]):
        self.jaxpr = jaxpr
        self.out_tree = out_tree
        #: Tracers of enclosing transforms, the leading inputs; a program with any is used once.
        self.closed_over = closed_over
        #: When it was last used, by ``_clock``.
        self.used = next(_clock)


class _Call:
    """One call's arguments, sorted into static ones and array leaves."""

    __slots__ = ("in_tree", "key", "keywords", "leaves", "static")

    def __init__(
        self,
        leaves: list[Any],
        in_tree: tree.TreeDef,
        static: tuple,
        avals: Iterable[Any],
        keywords: Iterable[str] = (),
    ):
        self.leaves = leaves
        self.in_tree = in_tree
        self.keywords = frozenset(keywords)
        self.static = static
        self.key: Hashable = (in_tree, tuple(avals), _static_key(static), axis_sizes())

    def __reduce__(self) -> tuple:  # neither arguments nor static values are needed once traced
        return _Call, ([], self.in_tree, (), (), self.keywords)


def _leaf_key(leaves: Sequence[Any]) -> Hashable:
    """What tells calls with arrays and numbers as leaves apart, several times faster than the full
    signature; None for other leaves and within a transform."""
    if active_traces():
        return None
    key: list[Any] = []
    for x in leaves:
        kind = type(x)
        if kind is np.ndarray and x.dtype.isnative:
            key.append((x.shape, x.dtype))
        elif kind in SCALAR_TYPES:
            key.append(kind)
        else:
            return None
    return tuple(key)


def _checking() -> bool:
    """Whether results are checked, which takes the long way."""
    return config.debug_nans or config.check_kernels


class _Shortcut:
    """From leaves to a result, for one program and backend.

    Attributes:
      native: a built-in function of the backend's, or None. It may return ``NotImplemented`` or
        ``Ellipsis``; then it has done nothing, and ``__call__`` is right.
      rebuild: from what ``native`` returns to the result; None where it is the result.
    """

    __slots__ = ("_consts", "_executable", "_fresh", "_out_tree", "_program", "native", "rebuild")

    def __init__(
        self,
        program: _Program,
        executable: Executable,
        leaves: Sequence[Any] = (),
        donated: Sequence[int] = (),
    ):
        self._program = program
        self._executable = executable
        self._fresh = getattr(executable, "fresh_outputs", False)
        self._consts = program.jaxpr.consts
        self._out_tree = program.out_tree
        self.native: Callable[..., Any] | None = None
        self.rebuild: Callable[..., Any] | None = None
        bind = getattr(executable, "bind_like", None)
        if bind is not None and leaves:
            single = self._out_tree is tree.LEAF
            self.native = bind(leaves, single, donated)
            if not single and not tree.is_flat_tuple(self._out_tree):
                self.rebuild = functools.partial(tree.unflatten, self._out_tree)

    def touch(self) -> None:
        """Note that the program has been used."""
        self._program.used = next(_clock)

    def __call__(self, leaves: Sequence[Any]) -> Any:
        self.touch()
        if self.native is not None and not _checking():
            outs = self.native(*leaves)
            if outs is not NotImplemented and outs is not ...:
                return outs if self.rebuild is None else self.rebuild(outs)
        outs = self._executable(*leaves)
        if not self._fresh:
            outs = plain(outs, [*leaves, *self._consts])
        return outs[0] if self._out_tree is tree.LEAF else tree.unflatten(self._out_tree, outs)


def _static_key(value: Any) -> Any:
    # 1, 1.0 and True are equal and hash alike, but make different programs.
    if isinstance(value, tuple | frozenset):
        return type(value), tuple(_static_key(v) for v in value)
    return type(value), value


class JitFunction:
    """A function that is staged and compiled at its first call with each signature.

    Made by ``jit``; call it as the function itself.
    """

    def __init__(
        self,
        fun: Callable,
        static_argnums: int | Sequence[int] | None = None,
        static_argnames: str | Iterable[str] | None = None,
        backend: str | None = None,
        donate_argnums: int | Sequence[int] | None = None,
    ):
        check_callable(fun, "jit")
        functools.update_wrapper(self, fun)
        self.__wrapped__ = fun
        self._options = (static_argnums, static_argnames, backend, donate_argnums)
        self._chosen_backend = backend
        if backend is not None:
            get_backend(backend)
        self._static_numbers, self._static_names = _static_arguments(
            fun, static_argnums, static_argnames
        )
        self._all_dynamic = not (self._static_numbers or self._static_names)
        self._donated = _donated_arguments(fun, donate_argnums, self._static_numbers)
        self._programs: dict[Hashable, _Program] = {}
        self._counts = {"traces": 0, "compiled": 0, "loaded": 0}
        self._shortcuts: dict[Hashable, _Shortcut] = {}
        #: The shortcut taken last: its native function checks the arguments itself.
        self._last: _Shortcut | None = None
        self._native: Callable[..., Any] | None = None
        _functions.add(self)

    def __repr__(self) -> str:
        return f"<jit of {name_of(self.__wrapped__)}>"

    @property
    def _backend(self) -> str:
        return config.backend if self._chosen_backend is None else self._chosen_backend

    def __reduce__(self) -> str | tuple:
        # A decorated function's name leads to this object, not to the function it wraps.
        return global_name(self) or (JitFunction, (self.__wrapped__, *self._options))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        native = self._native
        if native is not None and not kwargs and not attention.count:
            out = native(*args)
            if out is not NotImplemented and out is not ...:
                return out
        key, leaves = self._shortcut_key(args, kwargs)
        if key is not None:
            shortcut = self._shortcuts.get(key)
            if shortcut is not None:
                return self._take(shortcut, leaves, leaves is args)
        call = self._sort(args, kwargs)
        program = self._program(call)
        if any(isinstance(x, Tracer) for x in call.leaves) or program.closed_over:
            outs = jit_p.bind(
                *program.closed_over,
                *map(as_numpy, call.leaves),
                jaxpr=program.jaxpr,
                backend=self._backend,
                name=name_of(self.__wrapped__),
            )
            return tree.unflatten(program.out_tree, outs)
        executable = self._compiled(program)
        if key is None:
            return _Shortcut(program, executable)(call.leaves)
        shortcut = _Shortcut(program, executable, leaves, self._donated_leaves(args))
        self._shortcuts[key] = shortcut
        return self._take(shortcut, leaves, leaves is args)

    def _compiled(self, program: _Program) -> Executable:
        before = compile_counts(self._backend)
        executable = compile_jaxpr(program.jaxpr, self._backend)
        for name, count in compile_counts(self._backend).items():
            self._counts[name] += count - before[name]
        return executable

    def _shortcut_key(self, args: tuple, kwargs: dict) -> tuple[Hashable, Sequence[Any]]:
        """The key of ``_shortcuts`` for a call, None where it has none, and the call's leaves."""
        if not self._all_dynamic:
            return None, ()
        structure = None
        key = None if kwargs else _leaf_key(args)
        leaves: Sequence[Any] = args
        if key is None and not active_traces():
            leaves, structure = tree.flatten((args, kwargs))
            key = _leaf_key(leaves)
        return key and (structure, key, config.backend, config.num_threads), leaves

    def _donated_leaves(self, args: tuple) -> list[int]:
        """The positions among the leaves of those that belong to donated arguments."""
        donated: list[int] = []
        first = 0
        for number, arg in enumerate(args):
            count = len(tree.leaves(arg))
            if number in self._donated or number - len(args) in self._donated:
                donated += range(first, first + count)
            first += count
        return donated

    def _take(self, shortcut: _Shortcut, leaves: Sequence[Any], flat: bool) -> Any:
        """Call, and try this shortcut first next time; ``flat``: the leaves are the arguments."""
        if shortcut is not self._last:
            if self._last is not None:
                self._last.touch()
            self._last = shortcut
            direct = flat and shortcut.rebuild is None and not _checking()
            self._native = shortcut.native if direct else None
        return shortcut(leaves)

    def _forget_shortcuts(self) -> None:
        self._shortcuts.clear()
        self._last = self._native = None

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Stage for a signature without running.

        Args:
          args, kwargs: as for a call; arrays may be given as ``ShapeDtypeStruct``.

        Returns:
          The staged program.
        """
        call = self._sort(args, kwargs, abstract=True)
        program = self._program(call)
        if program.closed_over:
            raise TypeError(
                located(
                    f"jit of {name_of(self.__wrapped__)}: trace() and lower() need a function "
                    "that uses no traced values from outside"
                )
            )
        return Traced(program, call, self._backend, name_of(self.__wrapped__))

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """As ``trace(...).lower()``."""
        return self.trace(*args, **kwargs).lower()

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """What a call would run: as ``lower(...).as_text("fusion")``, and which backend.

        >>> import numpy as np
        >>> print(jit(lambda x: np.sum(np.sin(x) ** 2), backend="numba").explain(np.ones(7)))
        backend numba
        kernel over (7,): 1 loop, 1 read, 2 operations, 1 sum, 1 for later steps
        memory for intermediate values: 8 bytes, kept for later calls
        """
        lowered = self.lower(*args, **kwargs)
        stage = "fusion" if "fusion" in stages_of(self._backend) else "source"
        return f"backend {self._backend}\n{lowered.as_text(stage)}"

    def stats(self) -> dict[str, int]:
        """What calls of this function have cost beyond running.

        Returns:
          ``traces``: how often the function was staged; ``signatures``: how many of the programs
          are kept; ``compiled`` and ``loaded``: how many kernels were compiled for it, and how
          many came from disk. A new size of an array costs a trace, and compiles nothing.

        >>> import numpy as np
        >>> f = jit(lambda x: x * 2)
        >>> _ = f(1.0), f(2.0), f(np.ones(3))
        >>> f.stats()["traces"]
        2
        """
        return {**self._counts, "signatures": len(self._programs)}

    def clear_cache(self) -> None:
        """Forget each signature."""
        self._programs.clear()
        self._forget_shortcuts()

    def _cache_size(self) -> int:
        return len(self._programs)

    def _sort(self, args: tuple, kwargs: dict, abstract: bool = False) -> _Call:
        what = f"jit of {name_of(self.__wrapped__)}: "
        static: list[tuple] = []
        dynamic: list[Any] = []
        for index, arg in enumerate(args):
            is_static = index in self._static_numbers or index - len(args) in self._static_numbers
            if is_static:
                static.append((index, _hashable(arg, f"{what}static argument {index}")))
            else:
                dynamic.append(arg)
        keywords = {}
        for name, arg in kwargs.items():
            if name in self._static_names:
                static.append((name, _hashable(arg, f"{what}static argument {name!r}")))
            else:
                keywords[name] = arg
        if abstract:
            leaves, in_tree = tree.flatten((dynamic, keywords))
            avals = [aval_like(x, what.rstrip(": ")) for x in leaves]
            return _Call(leaves, in_tree, tuple(static), avals, keywords)
        try:
            leaves, in_tree = flatten_arrays((dynamic, keywords), f"{what}an argument")
        except TypeError as error:
            raise TypeError(
                f"{error}\nWhat to do: pass arrays and numbers, or name the argument in "
                "static_argnums or static_argnames (then it must be hashable)."
            ) from None
        return _Call(leaves, in_tree, tuple(static), [get_aval(x) for x in leaves])

    def _program(self, call: _Call) -> _Program:
        program = self._programs.get(call.key)
        if program is None:
            # One thread stages while others wait. One lock for all functions, since staging one
            # may stage another; reentrant for the same reason.
            with _staging:
                program = self._programs.get(call.key) or self._stage(call)
                if program.closed_over:
                    return program
                self._programs[call.key] = program
                if self._last is not None:
                    self._last.touch()
                while len(self._programs) > config.jit_cache_size:
                    del self._programs[min(self._programs, key=lambda k: self._programs[k].used)]
                    self._forget_shortcuts()
        program.used = next(_clock)
        return program

    def _stage(self, call: _Call) -> _Program:
        fun = self.__wrapped__
        static = call.static

        def with_static(dynamic: list, keywords: dict) -> Any:
            given = iter(dynamic)
            numbered = {k: v for k, v in static if isinstance(k, int)}
            count = len(dynamic) + len(numbered)
            args = [numbered[i] if i in numbered else next(given) for i in range(count)]
            named = {k: v for k, v in static if isinstance(k, str)}
            return fun(*args, **keywords, **named)

        with_static.__name__ = name_of(fun)
        flat = FlatFunction(with_static, call.in_tree)
        avals: Sequence[ShapedArray] = call.key[1]  # type: ignore[index]
        self._counts["traces"] += 1
        jaxpr, closed_over = hoist_tracers(stage(flat, avals, "jit"))
        return _Program(jaxpr, flat.out_tree, closed_over)


def _hashable(value: Any, what: str) -> Any:
    try:
        hash(value)
    except TypeError:
        raise ValueError(
            located(
                f"{what} must be hashable, got {type(value).__name__}",
                "What to do: pass a tuple instead of a list; pass arrays as ordinary arguments.",
            )
        ) from None
    return value


def _static_arguments(
    fun: Callable, argnums: Any, argnames: Any
) -> tuple[frozenset[int], frozenset[str]]:
    """Positions and names of the static arguments, each completed from the other."""
    numbers = {argnums} if isinstance(argnums, int) else set(argnums or ())
    names = {argnames} if isinstance(argnames, str) else set(argnames or ())
    signature = signature_of(fun)
    if signature is not None and (numbers or names):
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        positional = [p.name for p in signature.parameters.values() if p.kind in kinds]
        open_ended = any(
            p.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
            for p in signature.parameters.values()
        )
        unknown = names - set(signature.parameters)
        if unknown and not open_ended:
            raise ValueError(
                f"jit of {name_of(fun)}: static_argnames names {sorted(unknown)}, which the "
                f"function does not have; it has {list(signature.parameters)}"
            )
        if not open_ended and any(not -len(positional) <= n < len(positional) for n in numbers):
            raise ValueError(
                f"jit of {name_of(fun)}: static_argnums={argnums}, but the function has "
                f"{len(positional)} positional arguments"
            )
        from_names = {i for i, n in enumerate(positional) if n in names}
        names |= {positional[n] for n in numbers if -len(positional) <= n < len(positional)}
        numbers = {n % len(positional) if n < 0 and not open_ended else n for n in numbers}
        numbers |= from_names
    return frozenset(numbers), frozenset(names)


def _donated_arguments(fun: Callable, argnums: Any, static: frozenset[int]) -> frozenset[int]:
    numbers = frozenset({argnums} if isinstance(argnums, int) else argnums or ())
    if numbers & static:
        raise ValueError(
            f"jit of {name_of(fun)}: arguments {sorted(numbers & static)} are static; they have "
            "no memory to donate"
        )
    return numbers


class Traced:
    """A function staged for one signature.

    Attributes:
      jaxpr: the program as it was traced.
      out_info: the output's structure with a ``ShapeDtypeStruct`` for each array.
    """

    def __init__(self, program: _Program, call: _Call, backend: str, name: str):
        self._program = program
        self._call = call
        self._backend = backend
        self._name = name
        self.jaxpr = program.jaxpr
        self.out_info = tree.unflatten(
            program.out_tree, [ShapeDtypeStruct(a.shape, a.dtype) for a in program.jaxpr.out_avals]
        )

    def __reduce__(self) -> tuple:
        check_pickles(self.jaxpr)
        return Traced, (self._program, self._call, self._backend, self._name)

    def __repr__(self) -> str:
        return f"<{self._name} traced for {', '.join(map(str, self.jaxpr.in_avals))}>"

    def lower(self) -> Lowered:
        """Prepare for compilation."""
        return Lowered(self)


class Lowered:
    """A traced function after the passes that precede compilation."""

    def __init__(self, traced: Traced):
        self._traced = traced
        self.out_info = traced.out_info

    def __reduce__(self) -> tuple:
        return Lowered, (self._traced,)

    def __repr__(self) -> str:
        return f"<lowered: {self._traced!r}>"

    def as_text(self, stage: str = "simplified") -> str:
        """The program as text.

        Args:
          stage: ``"jaxpr"``, as traced, or ``"simplified"``; with backend ``"numpy"``
            ``"source"``, the NumPy calls; with ``"numba"`` ``"fusion"``, what runs together,
            ``"source"``, the kernels as Python loops, ``"llvm"`` and ``"asm"``.

        Raises:
          ValueError: for another stage.

        >>> from autotrace import jit
        >>> print(jit(lambda x: -(-x) * 1.0).lower(2.0).as_text())
        { lambda ; a:f64[]. let in (a,) }
        """
        if stage == "jaxpr":
            return str(self._traced.jaxpr)
        if stage == "simplified":
            return str(simplify_jaxpr(self._traced.jaxpr))
        stages = stages_of(self._traced._backend)
        if stage in stages:
            return stages[stage](compile_jaxpr(self._traced.jaxpr, self._traced._backend))
        known = ", ".join(["jaxpr", "simplified", *stages])
        raise ValueError(f"as_text: there is no stage {stage!r}; there are: {known}")

    def compile(self) -> Compiled:
        """Compile."""
        return Compiled(self._traced)


class Compiled:
    """A function compiled for one signature; call it with arguments of that signature.

    It pickles, machine code and all: another process neither traces nor compiles.
    """

    def __init__(self, traced: Traced, executable: Executable | None = None):
        self._traced = traced
        if executable is None:
            executable = compile_jaxpr(traced.jaxpr, traced._backend)
        self._executable = executable
        self._shortcuts: dict[Hashable, _Shortcut] = {}
        self.out_info = traced.out_info

    def __reduce__(self) -> tuple:
        # The simplified program: custom rules, which may not pickle, are gone from it.
        traced = self._traced
        simplified: Any = self._executable.jaxpr  # type: ignore[attr-defined]
        program = _Program(simplified, traced._program.out_tree, [])
        slim = Traced(program, traced._call, traced._backend, traced._name)
        return Compiled, (slim, self._executable)

    def __repr__(self) -> str:
        return f"<compiled: {self._traced!r}>"

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Call.

        Args:
          args, kwargs: arguments of the signature that was compiled for.
          out: where the results go: writable C-order arrays of the results' shapes and dtypes (of
            shape ``()`` for scalars), in the results' structure. New arrays when left out.

        Returns:
          The results; ``out`` itself where it was given.

        Raises:
          TypeError: when arguments or ``out`` do not have the signature.
        """
        if out is not None and "out" in self._traced._call.keywords:
            kwargs["out"], out = out, None
        leaves, in_tree = tree.flatten((list(args), kwargs))
        if in_tree != self._traced._call.in_tree or not self._fits(leaves):
            got = ", ".join(str(get_aval(as_array(x, f"{self!r}: an argument"))) for x in leaves)
            raise TypeError(
                located(
                    f"{self!r} was called with {got or 'nothing'}, or another structure",
                    "What to do: call the jitted function itself, which compiles for each "
                    "signature; static arguments are not passed to a compiled function.",
                )
            )
        shortcut = self._shortcut(leaves)
        return shortcut(leaves) if out is None else self._into(shortcut, leaves, out)

    def as_numba(self) -> Any:
        """This function for code that Numba compiles.

        Returns:
          A function that ``@njit`` functions can call, from several threads too, and Python. It
          takes the flat arguments (arrays in C order of exactly the shapes and dtypes, scalars) and
          returns the output, or a tuple of the flat outputs. See docs/interop.md.

        Raises:
          NotImplementedError: when the program needs Python to run; the message names the step.

        >>> import numpy as np
        >>> slope = jit(lambda x: np.cos(x) ** 2).lower(1.0).compile().as_numba()
        >>> slope(0.0)
        1.0
        """
        interop, program = self._native()
        return interop.as_numba(program, self._traced._name)

    def as_low_level_callable(self, signature: str | None = None) -> Any:
        """This function as a C function, a ``scipy.LowLevelCallable``, for SciPy's integrators.

        Args:
          signature: ``"double (double, void *)"``, of one number; ``"double (int, double *,
            void *)"``, of several numbers; or ``"int (double *, intptr_t, double *, void *)"``, of
            a vector, for filters. Chosen by the arguments when None.

        Raises:
          TypeError: when the arguments or the result are not float64 numbers (or a vector).
          NotImplementedError: when the program needs Python to run.

        >>> import numpy as np
        >>> from scipy.integrate import quad
        >>> f = jit(lambda x: np.exp(-x * x)).lower(1.0).compile()
        >>> round(quad(f.as_low_level_callable(), 0, 1)[0], 6)
        0.746824
        """
        interop, program = self._native()
        return interop.as_low_level_callable(program, signature)

    def _native(self) -> tuple[Any, Any]:
        program = self._executable
        if self._traced._backend != "numba":
            program = compile_jaxpr(self._traced.jaxpr, "numba")
        return importlib.import_module("autotrace.kernels.interop"), program

    def _shortcut(self, leaves: Sequence[Any]) -> _Shortcut:
        key = (*map(type, leaves), config.num_threads)
        shortcut = self._shortcuts.get(key)
        if shortcut is None:
            typed = all(type(x) is np.ndarray or type(x) in SCALAR_TYPES for x in leaves)
            shortcut = _Shortcut(self._traced._program, self._executable, leaves if typed else ())
            self._shortcuts[key] = shortcut
        return shortcut

    def _fits(self, leaves: Sequence[Any]) -> bool:
        expected = self._traced.jaxpr.in_avals
        got = [get_aval(as_array(x, f"{self!r}: an argument")) for x in leaves]
        return len(got) == len(expected) and all(
            g.shape == e.shape and g.dtype == e.dtype for g, e in zip(got, expected, strict=True)
        )

    def _into(self, shortcut: _Shortcut, leaves: Sequence[Any], out: Any) -> Any:
        arrays = tree.flatten_up_to(self._traced._program.out_tree, out, f"{self!r}: out")
        avals = self._traced.jaxpr.out_avals
        for x, aval in zip(arrays, avals, strict=True):
            good = type(x) is np.ndarray and x.shape == aval.shape and x.dtype == aval.dtype
            if not (good and x.flags.c_contiguous and x.flags.writeable):
                found = get_aval(x) if isinstance(x, np.ndarray) else type(x).__name__
                raise TypeError(
                    located(
                        f"{self!r}: out takes writable arrays in C order; for {aval} it got {found}"
                        + (", read-only or in another order" if good else "")
                    )
                )
        inputs = [*leaves, *self._traced.jaxpr.consts]
        spans = [x for x in inputs if isinstance(x, np.ndarray)]
        apart = not any(np.may_share_memory(x, y) for x in arrays for y in spans)
        apart = apart and len({x.ctypes.data for x in arrays}) == len(arrays)
        given = [x for x in arrays if x.ndim]
        outs: Any = NotImplemented
        native = getattr(self._executable, "takes_outputs", False) and shortcut.native
        if apart and given and native and not _checking():
            outs = native(*leaves, *given)
        if outs is NotImplemented or outs is ...:
            outs = self._executable(*leaves)
        elif self._traced._program.out_tree is tree.LEAF:
            outs = [outs]
        for x, made in zip(arrays, outs, strict=True):
            if made is not x:
                x[...] = made
        return out


def jit(
    fun: Callable | None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    backend: str | None = None,
    donate_argnums: int | Sequence[int] | None = None,
) -> Any:
    """Stage a function when it is first called with each signature, and run the staged program.

    The signature is the structure of the arguments, the shapes and dtypes of their arrays, the
    values of static arguments, and whether a number was a Python scalar. Python code in ``fun``
    runs once a signature; its side effects do too. The function must not depend on anything that
    changes between calls other than its arguments; an array that it closes over is taken as it is
    when the function is staged.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays. When left out, ``jit`` returns
        a decorator.
      static_argnums: positions of arguments that are Python values to the function; each must be
        hashable, and each new value stages anew.
      static_argnames: names of such arguments. Either is completed from the other where the
        function's signature allows.
      backend: what runs the program: ``"numba"``, machine code, or ``"numpy"``, an interpreter;
        ``autotrace.config.backend`` when None.
      donate_argnums: positions of arguments that the caller gives away: an output may be written
        to the memory of one, which is then what is returned. Only compiled programs make use of
        it, and where the arithmetic allows: in an update ``p - 0.1 * g`` the new values take the
        place of the old ones.

    Returns:
      A ``JitFunction``: called as ``fun``, returning new writable arrays; with ``lower``,
      ``trace`` and ``clear_cache``. It is thread-safe, and pickles when ``fun`` does.

    Raises:
      ConcretizationError: a TypeError, when ``fun`` asks for a traced value's number.

    >>> import numpy as np
    >>> @jit
    ... def f(x):
    ...     return np.sin(x) ** 2 + np.cos(x) ** 2
    >>> f(np.array([0.5, 1.0]))
    array([1., 1.])
    """
    if fun is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            backend=backend,
            donate_argnums=donate_argnums,
        )
    return JitFunction(fun, static_argnums, static_argnames, backend, donate_argnums)
