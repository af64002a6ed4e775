"""jit: stage a function once for each signature, and run what was made of it."""

from __future__ import annotations

import functools
import inspect
import os
import threading
import types
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Concatenate, Generic, overload

from ..core import tree
from ..core.avals import ShapedArray
from ..core.config import attention, config, on_update
from ..core.errors import ConcretizationError, located
from ..core.jaxpr import Jaxpr
from ..core.trace import Tracer, active_traces, get_aval
from ..core.treecode import fixed, matcher
from ..core.work import working
from ..lax.calls import jit_p
from ..lax.generators import is_generator, original, stand_in
from ..transforms.backends import (
    Executable,
    compile_counts,
    compile_jaxpr,
    explained,
    get_backend,
)
from ..transforms.stage import as_numpy, hoist_tracers, stage
from .arguments import (
    FlatFunction,
    P,
    Q,
    R,
    check_callable,
    flatten_arrays,
    global_name,
    name_of,
    signature_of,
)
from .differentiate import aval_like
from .explained import Explanation
from .inspect import ShapeDtypeStruct
from .paths import Follow, Paths
from .reasons import log_trace, why_traced
from .staged import Call, Shortcut, StagedProgram, checking, leaf_key, staging, static_key
from .stages import Lowered, Traced

_functions: weakref.WeakSet[JitFunction] = weakref.WeakSet()


@on_update
def _forget_all_shortcuts() -> None:
    for function in list(_functions):
        function._forget_shortcuts()


def _after_fork() -> None:
    # A thread that the child does not have may hold the lock; and programs are bound anew, with
    # threads of the child's own.
    staging.lock = threading.RLock()
    _forget_all_shortcuts()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


#: From a call's arguments, a tuple and a dict, to its leaves; None for other structures.
Match = Callable[[Any], Sequence[Any] | None]
#: That, a native function of the leaves, and from what it returns to the result.
Way = tuple[Match, Callable[..., Any], Callable[..., Any] | None]

#: In place of a result: the program has yet to be run.
_PENDING: Any = object()


class JitFunction(Generic[P, R]):
    """A function that is staged and compiled at its first call with each signature.

    Made by ``jit``; call it as the function itself.
    """

    def __init__(
        self,
        fun: Callable[P, R],
        static_argnums: int | Sequence[int] | None = None,
        static_argnames: str | Iterable[str] | None = None,
        backend: str | None = None,
        donate_argnums: int | Sequence[int] | None = None,
        max_paths: int = 256,
    ):
        check_callable(fun, "jit")
        if max_paths < 1:
            raise ValueError(f"jit of {name_of(fun)}: max_paths must be positive, got {max_paths}")
        functools.update_wrapper(self, fun)
        self.__wrapped__ = fun
        self._options = (static_argnums, static_argnames, backend, donate_argnums, max_paths)
        self._max_paths = max_paths
        self._chosen_backend = backend
        if backend is not None:
            get_backend(backend)
        self._static_numbers, self._static_names = _static_arguments(
            fun, static_argnums, static_argnames
        )
        self._all_dynamic = not (self._static_numbers or self._static_names)
        self._donated = _donated_arguments(fun, donate_argnums, self._static_numbers)
        self._programs: dict[Hashable, StagedProgram | Paths] = {}
        self._counts = {"traces": 0, "compiled": 0, "loaded": 0}
        self._shortcuts: dict[Hashable, Shortcut | Follow] = {}
        #: The shortcut taken last: its native function checks the arguments itself.
        self._last: Shortcut | Follow | None = None
        self._native: Callable[..., Any] | None = None
        #: In its place, where the arguments are not the leaves, or the outputs not the result.
        self._way: Way | None = None
        self._matchers: dict[tree.TreeDef, Match | None] = {}
        _functions.add(self)

    def __repr__(self) -> str:
        return f"<jit of {name_of(self.__wrapped__)}>"

    @property
    def _backend(self) -> str:
        return config.backend if self._chosen_backend is None else self._chosen_backend

    def __reduce__(self) -> str | tuple:
        # A decorated function's name leads to this object, not to the function it wraps.
        return global_name(self) or (JitFunction, (self.__wrapped__, *self._options))

    @overload
    def __get__(self, instance: None, owner: Any = None) -> JitFunction[P, R]: ...
    @overload
    def __get__(
        self: JitFunction[Concatenate[Any, Q], R], instance: object, owner: Any = None
    ) -> Callable[Q, R]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        native = self._native
        if native is not None and not kwargs and not attention.count:
            out = native(*args)
            if out is not NotImplemented and out is not ...:
                return out
        way = self._way
        if way is not None and not attention.count:
            match, native, rebuild = way
            found = match((args, kwargs))
            if found is not None:
                out = native(*found)
                if out is not NotImplemented and out is not ...:
                    return out if rebuild is None else rebuild(out)
                other = self._shortcuts.get((match, leaf_key(found)))
                if other is not None:  # the same structure, other shapes
                    return self._take(other, found, args, kwargs)
        key, leaves = self._shortcut_key(args, kwargs)
        if key is not None:
            try:
                shortcut = self._shortcuts.get(key)
            except TypeError:  # a static argument that has no hash, which is refused below
                shortcut = key = None
            if shortcut is not None:
                return self._take(shortcut, leaves, args, kwargs)
        call = self._sort(args, kwargs)
        program, result = self._program(call)
        if isinstance(program, Paths):
            if result is not _PENDING:
                return result
            if key is None or attention.count:
                return program.call(call.leaves, self._backend)
            follow = Follow(program, leaves, self._backend)
            self._shortcuts[key] = follow
            return self._take(follow, leaves, args, kwargs)
        if any(isinstance(x, Tracer) for x in call.leaves) or program.closed_over:
            outs = jit_p.bind(
                *program.closed_over,
                *map(as_numpy, call.leaves),
                jaxpr=program.jaxpr,
                backend=self._backend,
                name=name_of(self.__wrapped__),
            )
            return tree.unflatten(program.out_tree, outs)
        executable = self._compiled(program.jaxpr, self._backend)
        if key is None:
            return Shortcut(program, executable)(call.leaves)
        shortcut = Shortcut(program, executable, leaves, self._donated_leaves(args))
        self._shortcuts[key] = shortcut
        return self._take(shortcut, leaves, args, kwargs)

    def _compiled(self, jaxpr: Jaxpr, backend: str) -> Executable:
        before = compile_counts(backend)
        executable = compile_jaxpr(jaxpr, backend, name_of(self.__wrapped__))
        for name, count in compile_counts(backend).items():
            self._counts[name] += count - before[name]
        return executable

    def _shortcut_key(self, args: tuple, kwargs: dict) -> tuple[Hashable, Sequence[Any]]:
        """The key of ``_shortcuts`` for a call, None where it has none, and the call's leaves."""
        if active_traces():
            return None, ()
        static: list[tuple] = []
        given: Sequence[Any] = args
        if not self._all_dynamic:
            given = []
            for number, arg in enumerate(args):
                if self._is_static(number, len(args)):
                    static.append((number, static_key(arg)))
                else:
                    given.append(arg)
            static += [(k, static_key(x)) for k, x in kwargs.items() if k in self._static_names]
            kwargs = {k: x for k, x in kwargs.items() if k not in self._static_names}
        leaves: Sequence[Any] = given
        structure: Hashable = None
        if kwargs:
            names = sorted(kwargs)
            leaves, structure = [*given, *(kwargs[k] for k in names)], (len(given), *names)
        key = leaf_key(leaves)
        if key is None:
            leaves, structure = tree.flatten((given, kwargs))
            key = leaf_key(leaves)
            if key is None:
                return None, leaves
        return (tuple(static), structure, key, config.backend, config.num_threads), leaves

    def _is_static(self, number: int, count: int) -> bool:
        """Whether an argument of so many is static."""
        return number in self._static_numbers or number - count in self._static_numbers

    def _donated_leaves(self, args: tuple) -> list[int]:
        """The positions among the leaves of those that belong to donated arguments."""
        donated: list[int] = []
        first = 0
        for number, arg in enumerate(args):
            if self._is_static(number, len(args)):
                continue
            count = len(tree.leaves(arg))
            if number in self._donated or number - len(args) in self._donated:
                donated += range(first, first + count)
            first += count
        return donated

    def _take(
        self, shortcut: Shortcut | Follow, leaves: Sequence[Any], args: tuple, kwargs: dict
    ) -> Any:
        """Call, and try this shortcut first next time."""
        if shortcut is not self._last:
            if self._last is not None:
                self._last.touch()
            self._last = shortcut
            self._native = self._way = None
            if shortcut.native is not None and not checking():
                if leaves is args and shortcut.rebuild is None:
                    self._native = shortcut.native
                else:
                    if shortcut.way is None:
                        match = self._matcher(args, kwargs)
                        shortcut.way = match and (match, shortcut.native, shortcut.rebuild)
                        if match is not None and not attention.count:
                            self._shortcuts[match, leaf_key(leaves)] = shortcut
                    self._way = shortcut.way
        return shortcut(leaves)

    def _matcher(self, args: tuple, kwargs: dict) -> Match | None:
        """What tells calls with arguments of this structure, and finds their leaves."""
        positional = [
            fixed(static_key, x) if self._is_static(i, len(args)) else tree.structure(x)
            for i, x in enumerate(args)
        ]
        names = sorted(kwargs)
        named = [
            fixed(static_key, kwargs[k]) if k in self._static_names else tree.structure(kwargs[k])
            for k in names
        ]
        given = tree.TreeDef(tuple, None, tuple(positional))
        keywords = tree.TreeDef(dict, tuple(names), tuple(named))
        structure = tree.TreeDef(tuple, None, (given, keywords))
        if structure not in self._matchers:
            if len(self._matchers) >= config.jit_cache_size:
                self._matchers.clear()
            self._matchers[structure] = matcher(structure)
        return self._matchers[structure]

    def _forget_shortcuts(self) -> None:
        self._shortcuts.clear()
        self._matchers.clear()
        self._last = self._native = self._way = None
        for program in list(self._programs.values()):
            if isinstance(program, Paths):
                program.forget()

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Stage for a signature without running.

        Args:
          args, kwargs: as for a call; arrays may be given as ``ShapeDtypeStruct``.

        Returns:
          The staged program.
        """
        call = self._sort(args, kwargs, abstract=True)
        program = self._programs.get(call.key)
        if not isinstance(program, StagedProgram):
            with staging.lock:
                program = self._keep(call, self._stage(call))
        program.touch()
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

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """What a call would run: as ``lower(...).as_text("fusion")``, and which backend. Of a
        function whose Python asks for values: the questions, with the user's lines, the answers
        that calls have met, and the paths; the call is run where there are none yet.

        Returns:
          A string. ``to_svg()`` draws it, ``to_dot()`` does for Graphviz, and notebooks show the
          equations of each step: see ``autotrace.visualize``.

        >>> import numpy as np
        >>> print(jit(lambda x: np.sum(np.sin(x)), backend="numba").explain(np.ones(7)))
        backend numba
        kernel over (7,): 1 loop, 1 read, 1 operation, 1 sum, 1 for later steps: sin, reduce_sum
        memory for intermediate values: 8 bytes, kept for later calls
        """
        key = self._sort(args, kwargs, abstract=True).key
        if not isinstance(self._programs.get(key), Paths):
            try:
                lowered = self.lower(*args, **kwargs)
            except ConcretizationError:
                if any(isinstance(x, ShapeDtypeStruct) for x in tree.leaves((args, kwargs))):
                    raise
                self(*args, **kwargs)
        found = self._programs.get(key)
        if isinstance(found, Paths):
            return Explanation(f"backend {self._backend}\n{found.describe()}", found.nodes())
        program = explained(compile_jaxpr(lowered.jaxpr, self._backend), self._backend)
        return Explanation(f"backend {self._backend}\n{program.text}", program)

    def stats(self) -> dict[str, int]:
        """What calls of this function have cost beyond running.

        Returns:
          ``traces``: how often the function was staged; ``signatures``: how many of them are
          kept; ``paths``: how many paths through the function, one for a signature whose Python
          asks for no values; ``compiled`` and ``loaded``: how many kernels were compiled for it,
          and how many came from disk. A new size of an array costs a trace, and compiles nothing.

        >>> import numpy as np
        >>> f = jit(lambda x: x * 2)
        >>> _ = f(1.0), f(2.0), f(np.ones(3))
        >>> f.stats()["traces"]
        2
        """
        paths = [p.tree.ends if isinstance(p, Paths) else 1 for p in list(self._programs.values())]
        return {**self._counts, "signatures": len(paths), "paths": sum(paths)}

    def clear_cache(self) -> None:
        """Forget each signature."""
        self._programs.clear()
        self._forget_shortcuts()

    def _cache_size(self) -> int:
        return len(self._programs)

    def _sort(self, args: tuple, kwargs: dict, abstract: bool = False) -> Call:
        what = f"jit of {name_of(self.__wrapped__)}: "
        static: list[tuple] = []
        dynamic: list[Any] = []
        positions: list[int] = []
        for index, arg in enumerate(args):
            if is_generator(arg):  # what it draws is an effect of the program
                static.append((index, original(arg)))
            elif self._is_static(index, len(args)):
                static.append((index, _hashable(arg, f"{what}static argument {index}")))
            else:
                dynamic.append(arg)
                positions.append(index)
        keywords = {}
        for name, arg in kwargs.items():
            if is_generator(arg):
                static.append((name, original(arg)))
            elif name in self._static_names:
                static.append((name, _hashable(arg, f"{what}static argument {name!r}")))
            else:
                keywords[name] = arg
        if abstract:
            leaves, in_tree = tree.flatten((dynamic, keywords))
            avals = [aval_like(x, what.rstrip(": ")) for x in leaves]
            return Call(leaves, in_tree, tuple(static), avals, keywords)
        try:
            leaves, in_tree = flatten_arrays((dynamic, keywords), what, positions)
        except TypeError as error:
            raise TypeError(
                f"{error}"
                if "What to do" in str(error)
                else f"{error}\nWhat to do: pass arrays and numbers, or name the argument in "
                "static_argnums or static_argnames (then it must be hashable)."
            ) from None
        return Call(leaves, in_tree, tuple(static), [get_aval(x) for x in leaves])

    def _program(self, call: Call) -> tuple[StagedProgram | Paths, Any]:
        """What a signature was staged into, and where that computed it this call's result."""
        program = self._programs.get(call.key)
        result = _PENDING
        if program is None:
            with staging.lock:
                program = self._programs.get(call.key)
                if program is None:
                    program, result = self._trace(call)
                    self._keep(call, program)
        program.touch()
        return program, result

    def _keep(self, call: Call, program: Any) -> Any:
        """Keep what a signature was staged into, and no more than the setting allows."""
        if not program.once:
            self._programs[call.key] = program
            if self._last is not None:
                self._last.touch()
            while len(self._programs) > config.jit_cache_size:
                del self._programs[min(self._programs, key=lambda k: self._programs[k].used)]
                self._forget_shortcuts()
        return program

    def _trace(self, call: Call) -> tuple[StagedProgram | Paths, Any]:
        """Stage for a call, which is run where the function asks for values."""
        in_tree, static = call.in_tree, call.static
        paths = Paths(
            name_of(self.__wrapped__),
            lambda: self._flat(in_tree, static),
            call.key[1],  # type: ignore[index]
            self._compiled,
            self._max_paths,
            self._counts,
        )
        self._log(call)
        program, result = paths.begin(call.leaves, self._backend)
        return (paths, result) if program is None else (program, _PENDING)

    def _stage(self, call: Call) -> StagedProgram:
        """Stage for a signature, whatever the values."""
        flat = self._flat(call.in_tree, call.static)
        avals: Sequence[ShapedArray] = call.key[1]  # type: ignore[index]
        self._log(call)
        self._counts["traces"] += 1
        with working(f"tracing {name_of(self.__wrapped__)}"):
            jaxpr, closed_over = hoist_tracers(stage(flat, avals, "jit"))
        return StagedProgram(jaxpr, flat.out_tree, closed_over)

    def _log(self, call: Call) -> None:
        """Tell the log that it is traced for a signature."""
        avals: Sequence[ShapedArray] = call.key[1]  # type: ignore[index]
        programs, traces = self._programs, self._counts["traces"]
        log_trace(name_of(self.__wrapped__), avals, lambda: why_traced(call.key, programs, traces))

    def _flat(self, in_tree: tree.TreeDef, static: tuple) -> FlatFunction:
        """The function of the array leaves."""
        fun = self.__wrapped__

        def with_static(dynamic: list, keywords: dict) -> Any:
            given = iter(dynamic)
            values = [(k, stand_in(v) if is_generator(v) else v) for k, v in static]
            numbered = {k: v for k, v in values if isinstance(k, int)}
            count = len(dynamic) + len(numbered)
            args = [numbered[i] if i in numbered else next(given) for i in range(count)]
            named = {k: v for k, v in values if isinstance(k, str)}
            return fun(*args, **keywords, **named)

        with_static.__name__ = name_of(fun)
        with_static.__wrapped__ = fun  # type: ignore[attr-defined]
        return FlatFunction(with_static, in_tree)


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


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _static_arguments(
    fun: Callable, argnums: Any, argnames: Any
) -> tuple[frozenset[int], frozenset[str]]:
    """Positions and names of the static arguments, each completed from the other."""
    numbers = {argnums} if isinstance(argnums, int) else set(argnums or ())
    names = {argnames} if isinstance(argnames, str) else set(argnames or ())
    signature = signature_of(fun)
    if signature is not None and (numbers or names):
        positional = [p.name for p in signature.parameters.values() if p.kind in _POSITIONAL]
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
    signature = signature_of(fun)
    if signature is not None and numbers:
        kinds = [p.kind for p in signature.parameters.values()]
        count = sum(k in _POSITIONAL for k in kinds)
        if inspect.Parameter.VAR_POSITIONAL not in kinds and any(
            not -count <= n < count for n in numbers
        ):
            raise ValueError(
                f"jit of {name_of(fun)}: donate_argnums={argnums}, but the function has {count} "
                "positional arguments"
            )
    return numbers


@overload
def jit(
    fun: Callable[P, R],
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    backend: str | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    max_paths: int = 256,
) -> JitFunction[P, R]: ...
@overload
def jit(
    fun: None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    backend: str | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    max_paths: int = 256,
) -> Callable[[Callable[P, R]], JitFunction[P, R]]: ...
def jit(
    fun: Callable | None = None,
    *,
    static_argnums: int | Sequence[int] | None = None,
    static_argnames: str | Iterable[str] | None = None,
    backend: str | None = None,
    donate_argnums: int | Sequence[int] | None = None,
    max_paths: int = 256,
) -> Any:
    """Stage a function when it is first called with each signature, and run the staged program.

    The signature is the structure of the arguments, the shapes and dtypes of their arrays, the
    values of static arguments, and whether a number was a Python scalar. Where Python asks for a
    value (``if x > 0``, ``while``, ``float(x)``, ``range(int(n))``) the program so far is run, and
    staging goes on with the answer: calls follow the path of their values, and a path is staged
    when it is first taken. Python code in ``fun`` runs once a path; its side effects do too. The
    function must not depend on anything that changes between calls other than its arguments; an
    array that it closes over is taken as it is when the function is staged.

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
        place of the old ones. Functions that ask for values return new arrays.
      max_paths: how many paths a signature keeps. Beyond that a warning names the question with the
        most answers, and a call that takes a new path stages it for that call only.

    Returns:
      A ``JitFunction``: called as ``fun``, returning new writable arrays; with ``lower``,
      ``trace`` and ``clear_cache``. It is thread-safe, and pickles when ``fun`` does.

    Raises:
      ConcretizationError: a TypeError, when ``fun`` asks for a number where there is none: when it
        is only staged (``lower``, ``trace``), and under ``vmap``.

    >>> import numpy as np
    >>> @jit
    ... def f(x):
    ...     return np.sin(x) ** 2 + np.cos(x) ** 2
    >>> f(np.array([0.5, 1.0]))
    array([1., 1.])
    >>> relu = jit(lambda x: x if x > 0 else 0.0)
    >>> relu(2.0), relu(-2.0), relu.stats()["paths"]
    (np.float64(2.0), np.float64(0.0), 2)
    """
    if fun is None:
        return functools.partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            backend=backend,
            donate_argnums=donate_argnums,
            max_paths=max_paths,
        )
    return JitFunction(fun, static_argnums, static_argnames, backend, donate_argnums, max_paths)
