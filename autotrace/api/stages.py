"""The stages of a jitted function for one signature: traced, lowered, compiled."""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import SCALAR_TYPES
from ..core.config import config
from ..core.errors import located
from ..core.jaxpr import Jaxpr, check_pickles
from ..core.trace import get_aval
from ..transforms.backends import Executable, compile_jaxpr, stages_of
from ..transforms.simplify import simplify_jaxpr
from .arguments import as_array, captured, flatten_arrays
from .inspect import ShapeDtypeStruct
from .staged import Call, Shortcut, StagedProgram, checking

#: In place of ``out``: none was given.
_NEW: Any = object()


class Traced:
    """A function staged for one signature.

    Attributes:
      jaxpr: the program as it was traced.
      out_info: the output's structure with a ``ShapeDtypeStruct`` for each array.
    """

    def __init__(self, program: StagedProgram, call: Call, backend: str, name: str):
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

    @property
    def jaxpr(self) -> Jaxpr:
        """The program as it was traced."""
        return self._traced.jaxpr

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
        self._shortcuts: dict[Hashable, Shortcut] = {}
        self._writers: dict[Hashable, Any] = {}
        self.out_info = traced.out_info

    def __reduce__(self) -> tuple:
        # The simplified program: custom rules, which may not pickle, are gone from it.
        traced = self._traced
        simplified: Any = self._executable.jaxpr  # type: ignore[attr-defined]
        program = StagedProgram(simplified, traced._program.out_tree, [])
        slim = Traced(program, traced._call, traced._backend, traced._name)
        return Compiled, (slim, self._executable)

    def __repr__(self) -> str:
        return f"<compiled: {self._traced!r}>"

    def __call__(self, *args: Any, out: Any = _NEW, **kwargs: Any) -> Any:
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
        if out is not _NEW and "out" in self._traced._call.keywords:
            kwargs["out"], out = out, None
        leaves, in_tree = tree.flatten((list(args), kwargs))
        leaves = [captured(x) for x in leaves]
        if any(isinstance(x, np.ndarray) and not x.dtype.isnative for x in leaves):
            leaves, in_tree = flatten_arrays((list(args), kwargs), f"{self!r}: an argument")
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
        fresh = out is _NEW or out is None
        return shortcut(leaves) if fresh else self._into(shortcut, leaves, out)

    def as_numba(self) -> Any:
        """This function for code that Numba compiles.

        Returns:
          A function that ``@njit`` functions can call, from several threads too, and Python. It
          takes the flat arguments (arrays in C order of exactly the shapes and dtypes, scalars) and
          returns the output, or a tuple of the flat outputs. See docs/interop.md.

        Raises:
          NotImplementedError: when the program needs Python to run; the message names the step.

        >>> import numpy as np
        >>> from autotrace import jit
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
        >>> from autotrace import jit
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

    def _shortcut(self, leaves: Sequence[Any]) -> Shortcut:
        key = (*map(type, leaves), config.num_threads)
        shortcut = self._shortcuts.get(key)
        if shortcut is None:
            typed = all(type(x) is np.ndarray or type(x) in SCALAR_TYPES for x in leaves)
            shortcut = Shortcut(self._traced._program, self._executable, leaves if typed else ())
            self._shortcuts[key] = shortcut
        return shortcut

    def _writer(self, leaves: Sequence[Any]) -> Any:
        """A native function that takes arrays for its outputs too."""
        key = ("out", *map(type, leaves), config.num_threads)
        found = self._writers.get(key)
        if found is None and all(type(x) is np.ndarray or type(x) in SCALAR_TYPES for x in leaves):
            single = self._traced._program.out_tree is tree.LEAF
            found = self._executable.bind_like(leaves, single, outputs=True)  # type: ignore[attr-defined]
            self._writers[key] = found
        return found

    def _fits(self, leaves: Sequence[Any]) -> bool:
        expected = self._traced.jaxpr.in_avals
        got = [get_aval(as_array(x, f"{self!r}: an argument")) for x in leaves]
        return len(got) == len(expected) and all(
            g.shape == e.shape and g.dtype == e.dtype for g, e in zip(got, expected, strict=True)
        )

    def _into(self, shortcut: Shortcut, leaves: Sequence[Any], out: Any) -> Any:
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
        native = self._writer(leaves) if getattr(self._executable, "takes_outputs", False) else None
        if apart and given and native is not None and not checking():
            outs = native(*leaves, *given)
        if outs is NotImplemented or outs is ...:
            outs = self._executable(*leaves)
        elif self._traced._program.out_tree is tree.LEAF:
            outs = [outs]
        for x, made in zip(arrays, outs, strict=True):
            if made is not x:
                x[...] = made
        return out
