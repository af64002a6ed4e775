"""What runs a jaxpr: backends by name, and the NumPy interpreter, which is one of them.

A backend is a function from a jaxpr to an executable: a callable that takes an array or a number
for each input and returns a list of NumPy arrays and scalars. These may be its inputs or
constants, unless the executable has a true attribute ``fresh_outputs``. Where it has a method
``bind_like(leaves, single, donated)``, that gives a faster function for arguments like these, which
may answer ``NotImplemented`` or ``Ellipsis`` and leave the call to the executable itself.
"""

from __future__ import annotations

import importlib
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.avals import float0
from ..core.collector import patient_collector
from ..core.config import config
from ..core.jaxpr import Eqn, Jaxpr, Var, check_pickles, sub_jaxprs
from ..core.source import GENERATED
from ..core.work import logger, logging_on, working
from .evaluate import eval_jaxpr
from .simplify import simplify_jaxpr
from .stage import as_numpy

Executable = Callable[..., list[Any]]
Backend = Callable[[Jaxpr], Executable]


class Step(NamedTuple):
    """A step of a compiled program.

    Attributes:
      kind: ``"kernel"``, ``"routine"`` (of a library), ``"host"`` (NumPy's or SciPy's function),
        ``"loop"`` (or a branch), ``"together"`` (kernels that take turns over blocks of rows).
      title: what it is, in a line.
      eqns: the equations that it computes; two kernels may both compute one.
      steps: the steps that it is made of.
    """

    kind: str
    title: str
    eqns: list[Eqn]
    steps: list[Step]


class Explained(NamedTuple):
    """A compiled program as those see it who look at it.

    Attributes:
      jaxpr: what was compiled.
      steps: what runs, in order.
      bodies: by the identity of an equation the jaxprs that it runs, as they were compiled.
      text: the steps as text.
    """

    jaxpr: Jaxpr
    steps: list[Step]
    bodies: dict[int, list[Jaxpr]]
    text: str


class Interpreter:
    """Runs a simplified jaxpr through each primitive's NumPy implementation.

    The equations are written out as the lines of one Python function, a call of an implementation
    each; a variable is deleted after its last use, so that memory is held no longer than needed.
    Measured on 100 to 10,000 equations over small arrays, this takes half the time of a loop over
    a list of steps.

    Attributes:
      jaxpr: the simplified jaxpr.
      source: the Python function as text.
    """

    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = simplify_jaxpr(jaxpr)
        self.source, namespace = _python_source(self.jaxpr)
        exec(compile(self.source, GENERATED, "exec"), namespace)
        self._run = namespace["run"]
        #: Whether equations run jaxprs: these are to be interpreted too.
        self._nested = any(True for eqn in self.jaxpr.eqns for _ in sub_jaxprs(eqn.params))

    def __reduce__(self) -> tuple:
        check_pickles(self.jaxpr)
        return Interpreter, (self.jaxpr,)

    def __call__(self, *args: Any) -> list[Any]:
        with np.errstate(all="ignore"):
            values = [as_numpy(x) for x in args]
            if config.debug_nans:
                return eval_jaxpr(self.jaxpr, values)
            if self._nested and config.backend != "numpy":
                with config.override("backend", "numpy"):
                    return self._run(*values)
            return self._run(*values)


def _python_source(jaxpr: Jaxpr) -> tuple[str, dict[str, Any]]:
    """A function ``run`` that computes a jaxpr's outputs, and the names that it uses."""
    locations: dict[int, Any] = {}
    namespace: dict[str, Any] = {"locations": locations}
    names: dict[Var, str] = {}

    def constant(kind: str, value: Any) -> str:
        name = f"{kind}{len(namespace)}"
        namespace[name] = value
        return name

    def read(atom: Any) -> str:
        return names[atom] if type(atom) is Var else constant("literal", atom.value)

    def define(var: Var) -> str:
        return names.setdefault(var, f"v{len(names)}")

    for var, const in zip(jaxpr.constvars, jaxpr.consts, strict=True):
        names[var] = constant("const", const)
    kept = {*jaxpr.outvars, *jaxpr.constvars}
    lines = [f"def run({', '.join(define(v) for v in jaxpr.invars)}):"]
    for eqn, last in zip(jaxpr.eqns, _last_uses(jaxpr.eqns, kept), strict=True):
        call = [read(a) for a in eqn.invars]
        call += [f"{name}={constant('param', value)}" for name, value in eqn.params.items()]
        name = eqn.primitive.name if eqn.primitive.name.isidentifier() else "primitive"
        impl = constant(f"{name}_", eqn.primitive.rule("impl", "jit"))
        outs = [define(v) for v in eqn.outvars]
        left = f"[{', '.join(outs)}]" if eqn.primitive.multiple_results else outs[0]
        lines.append(f"    {left} = {impl}({', '.join(call)})")
        locations[len(lines)] = eqn.location
        if last:
            lines.append(f"    del {', '.join(names[v] for v in last)}")
    lines.append(f"    return [{', '.join(read(a) for a in jaxpr.outvars)}]")
    return "\n".join(lines), namespace


def _last_uses(eqns: Sequence[Eqn], kept: set[Any]) -> list[list[Var]]:
    """For each equation, the variables that nothing uses after it."""
    seen = set(kept)
    last = []
    for eqn in reversed(eqns):
        variables = [a for a in eqn.invars if type(a) is Var]
        free = [v for v in dict.fromkeys([*variables, *eqn.outvars]) if v not in seen]
        seen.update(free)
        last.append(free)
    return last[::-1]


_backends: dict[str, Backend] = {"numpy": Interpreter}
#: For each backend, from the names of the stages that can be looked at to functions from its
#: executables to text.
_stages: dict[str, dict[str, Callable[[Any], str]]] = {
    "numpy": {"source": lambda executable: executable.source}
}
#: The module that has ``compile_jaxpr``, for backends that are imported when first asked for.
_MODULES = {"numba": "autotrace.kernels"}


def get_backend(name: str) -> Backend:
    """A backend by name.

    Raises:
      ValueError: when there is none of that name.
      ImportError: when what it needs is not installed.
    """
    if name not in _backends:
        if name not in _MODULES:
            known = ", ".join(sorted({*_backends, *_MODULES}))
            raise ValueError(f"there is no backend {name!r}; there are: {known}")
        module = importlib.import_module(_MODULES[name])
        _stages[name] = module.STAGES
        _counters[name] = module.counts
        _explainers[name] = module.explained
        _backends[name] = module.compile_jaxpr
    return _backends[name]


def stages_of(name: str) -> dict[str, Callable[[Any], str]]:
    """What of a backend's executables can be looked at as text."""
    get_backend(name)
    return _stages[name]


def explained(executable: Any, name: str) -> Explained:
    """What a backend's executable runs."""
    get_backend(name)
    return _explainers[name](executable)


_explainers: dict[str, Callable[[Any], Explained]] = {
    "numpy": lambda executable: Explained(executable.jaxpr, [], {}, executable.source)
}
_counters: dict[str, Callable[[], dict[str, int]]] = {}


def compile_counts(name: str) -> dict[str, int]:
    """What a backend counts of its work in this process: kernels compiled, loaded from disk."""
    get_backend(name)
    return _counters[name]() if name in _counters else {}


_compiled: weakref.WeakKeyDictionary[Jaxpr, dict[str, Executable]] = weakref.WeakKeyDictionary()


def compile_jaxpr(jaxpr: Jaxpr, backend: str, name: str = "a program") -> Executable:
    """The executable of a jaxpr, made once for each backend and kept as long as the jaxpr is.

    Args:
      name: what the program is called where long work is shown.
    """
    by_backend = _compiled.get(jaxpr)
    if by_backend is None:
        by_backend = _compiled.setdefault(jaxpr, {})
    executable = by_backend.get(backend)
    if executable is None:
        executable = by_backend[backend] = _compile(jaxpr, backend, name)
    return executable


def _compile(jaxpr: Jaxpr, backend: str, name: str) -> Executable:
    before, start = compile_counts(backend), time.perf_counter()
    with patient_collector(), working(f"compiling {name}", f"{len(jaxpr.eqns)} equations"):
        executable = get_backend(backend)(jaxpr)
    if logging_on():
        made = {k: n - before[k] for k, n in compile_counts(backend).items()}
        kernels = f", {made['compiled']} kernels anew, {made['loaded']} from disk" if made else ""
        logger.debug(
            "compiled %s for %s: %d equations%s, %.3f s",
            *(name, backend, len(jaxpr.eqns), kernels, time.perf_counter() - start),
        )
    return executable


def own(values: Iterable[Any], inputs: Iterable[Any]) -> list[Any]:
    """What an executable returns as writable C-order ndarrays that share memory with nothing, and
    NumPy scalars in place of 0-d arrays. Tracers stay as they are.

    Args:
      values: the results.
      inputs: arrays that belong to the caller.
    """
    taken = {id(x) for x in inputs}
    out = []
    for x in values:
        if isinstance(x, np.ndarray):
            if x.ndim == 0 and x.dtype != float0:
                x = x[()]
            else:
                if (
                    x.base is not None
                    or id(x) in taken
                    or not (x.flags.c_contiguous and x.flags.writeable)
                ):
                    x = np.array(x, order="C", subok=False)
                taken.add(id(x))
        out.append(x)
    return out
