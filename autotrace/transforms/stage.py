"""Tracing a function into a jaxpr."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, aval_of, uniform_value, weak_aval
from ..core.collector import patient_collector
from ..core.config import config
from ..core.jaxpr import Eqn, Jaxpr, Literal, Var, check_jaxpr, has_effect
from ..core.primitive import Primitive, primitives
from ..core.source import user_location
from ..core.trace import (
    Trace,
    Tracer,
    concretization_error,
    from_outside,
    get_aval,
    innermost_staging,
    leaked,
    slot,
)

_CONCRETE_REMEDY = (
    "What to do: for a choice use np.where or autotrace.lax.cond, for a loop lax.while_loop; mark "
    "the argument static (static_argnums, static_argnames); or call the function as jit(f), with "
    "actual values and not within vmap or a body of lax: there Python sees them."
)


class StagedTracer(Tracer):
    """Stands for a variable (or a lifted literal) of the jaxpr under construction."""

    __slots__ = ()
    atom = slot("_carried")
    _aval = slot("_noted")

    def __init__(self, trace: JaxprTrace, atom: Var | Literal):
        self.owner = trace
        self.atom = atom
        self._aval = atom.aval
        if trace.made is not None:
            trace.made.append(weakref.ref(self))

    @property
    def aval(self) -> ShapedArray:
        return self._aval

    def weaken(self) -> StagedTracer:
        """Mark this fresh result as standing for a Python scalar."""
        self._aval = weak_aval(self._aval)
        return self

    def concrete(self, asked: str, kind: Callable[[Any], Any] | None = None) -> Any:
        if not self.owner.alive:
            raise leaked(self.owner)
        return self.owner.answer(self, asked, kind)


class JaxprTrace(Trace):
    """Notes each primitive as an equation."""

    __slots__ = ("eqns", "guarded", "invars", "locate", "made", "stages_effects", "transform")

    #: The tracers that were made, where the trace has to find them again.
    made: list[weakref.ref[StagedTracer]] | None

    def __init__(
        self,
        transform: str = "jit",
        stages_effects: bool = True,
        locate: bool = True,
        guarded: bool = False,
    ):
        self.transform = transform
        self.guarded = guarded
        self.stages_effects = stages_effects
        self.locate = locate
        self.made = None
        self.eqns: list[Eqn] = []
        self.invars: list[Var] = []

    def new_input(self, aval: ShapedArray) -> StagedTracer:
        """A tracer for a further input of the function."""
        var = Var(aval)
        self.invars.append(var)
        return StagedTracer(self, var)

    def lift(self, x: Any) -> StagedTracer:
        """A tracer for a constant, so that what is made of it is noted and not computed at once."""
        return StagedTracer(self, Literal(x))

    def atom(self, x: Any) -> Var | Literal:
        """The variable of one of this trace's tracers, or a literal that holds any other value."""
        if type(x) is StagedTracer and x.owner is self:
            return x.atom
        return Literal(from_outside(x))

    def process(self, primitive: Primitive, args: tuple, params: dict) -> Any:
        if not self.alive:
            raise leaked(self)
        if primitive.stage is not None:
            return primitive.stage(self, args, params)
        return self.record(primitive, args, params)

    def record(self, primitive: Primitive, args: Sequence[Any], params: dict) -> Any:
        """Note an equation.

        Returns:
          The tracer of its output, or a list of them with ``multiple_results``.
        """
        atoms = [
            x.atom if type(x) is StagedTracer and x.owner is self else self.atom(x) for x in args
        ]
        if primitive.multiple_results:
            outvars = [Var(a) for a in primitive.out_avals([x.aval for x in atoms], params)]
        else:
            abstract = primitive.abstract or primitive.rule("abstract", self.transform)
            outvars = [Var(abstract(*[x.aval for x in atoms], **params))]
        location = user_location() if self.locate else None
        self.eqns.append(Eqn(primitive, atoms, outvars, params, location))
        if primitive.multiple_results:
            return [StagedTracer(self, v) for v in outvars]
        return StagedTracer(self, outvars[0])

    def answer(self, tracer: StagedTracer, asked: str, kind: Callable[[Any], Any] | None) -> Any:
        """What Python asks of a value: see ``Tracer.concrete``."""
        raise concretization_error(
            tracer,
            asked,
            f"under {self.transform} a function is traced once for all values, "
            "so the number is not known.",
            _CONCRETE_REMEDY,
        )

    def adopt(self, tracer: Any) -> None:
        if self.made is not None:
            self.made.append(weakref.ref(tracer))

    def finish(self, outs: Sequence[Any]) -> Jaxpr:
        """The jaxpr from the inputs to the given outputs, without what they do not need."""
        outvars = [self.atom(x) for x in outs]
        eqns = live_eqns(self.eqns, outvars)
        return hoist_constants(self.invars, eqns, outvars)

    def program(self, outs: Sequence[Any]) -> Jaxpr:
        """As ``finish``, when nothing more is to be noted."""
        return checked_program(self.finish(outs))


def lift_constant(x: Any) -> Any:
    """A constant as a tracer of the innermost staging trace, where there is one.

    Without this, what a derivative makes of its first cotangent, often an array of one repeated
    value, would be computed while tracing and end up in the program as a large constant.
    """
    trace = innermost_staging()
    return x if trace is None else trace.lift(x)


def checked_program(jaxpr: Jaxpr) -> Jaxpr:
    """A finished program: without the weak flags of its inputs, and type-checked in tests."""
    for var in jaxpr.invars:  # the weak flag belongs to the signature, not to the program
        var.aval = var.aval.strong()
    if config.check_jaxprs:
        check_jaxpr(jaxpr, "staging")
    return jaxpr


def live_eqns(eqns: Sequence[Eqn], outvars: Sequence[Any]) -> list[Eqn]:
    """The equations that the outputs need or that have an effect (dead-code elimination)."""
    needed = {a for a in outvars if type(a) is Var}
    live = []
    for eqn in reversed(eqns):
        if not needed.isdisjoint(eqn.outvars) or has_effect(eqn):
            needed.update(a for a in eqn.invars if type(a) is Var)
            live.append(eqn)
    live.reverse()
    return live


def _snapshot(value: Any) -> Any:
    """A constant as it is now: the caller may write into an array that a function closes over."""
    return np.array(value, order="C")


def hoist_constants(
    invars: Sequence[Var],
    eqns: list[Eqn],
    outvars: Sequence[Any],
    keep: Callable[[Any], Any] = _snapshot,
) -> Jaxpr:
    """Give each literal that is not a scalar a variable: a constant's, or, for an array of one
    repeated value, that of an equation that makes it.

    Args:
      invars, eqns, outvars: the program so far.
      keep: makes what the program keeps of a constant, which its owner may change later.
    """
    consts: dict[int, tuple[Var, Any]] = {}  # by the identity of what is kept
    variables: dict[int, Var] = {}  # by the identity of the literal's value
    made: list[Eqn] = []

    def hoist(atom: Any) -> Any:
        if type(atom) is Var:
            return atom
        value = atom.value
        if not isinstance(value, Tracer) and not atom.aval.shape:
            return Literal(atom.aval.dtype.type(value)) if type(value) is np.ndarray else atom
        if id(value) not in variables:
            var = Var(atom.aval.strong())
            repeated = None if isinstance(value, Tracer) else uniform_value(value)
            if repeated is not None:
                params = {"shape": value.shape, "broadcast_dimensions": ()}
                broadcast = primitives["broadcast_in_dim"]
                made.append(Eqn(broadcast, [Literal(repeated)], [var], params, None))
            else:
                kept = value if isinstance(value, Tracer) else keep(value)
                var, _ = consts.setdefault(id(kept), (var, kept))
            variables[id(value)] = var
        return variables[id(value)]

    out_eqns = [
        Eqn(e.primitive, [hoist(a) for a in e.invars], e.outvars, e.params, e.location)
        for e in eqns
    ]
    outs = [hoist(a) for a in outvars]
    return Jaxpr(
        [var for var, _ in consts.values()],
        [value for _, value in consts.values()],
        invars,
        made + out_eqns,
        outs,
    )


def stage(
    fun: Callable[..., Sequence[Any]],
    avals: Sequence[ShapedArray],
    transform: str = "jit",
    guarded: bool = False,
) -> Jaxpr:
    """Trace a function of arrays to a list of arrays.

    Args:
      fun: takes a tracer for each aval and returns a list of arrays.
      avals: the types of the inputs.
      transform: what the user called, for messages.
      guarded: whether the program may never run; see ``Trace.guarded``.

    Returns:
      Its jaxpr. Values of enclosing traces that it uses are among the constants, as tracers.

    >>> import autotrace.numpy as anp
    >>> from autotrace.core.avals import ShapedArray
    >>> stage(lambda x: [anp.sin(x) * 2.0], [ShapedArray((3,), "float64")])
    { lambda ; a:f64[3]. let
        b:f64[3] = sin a
        c:f64[3] = mul b 2.0:f64[]
      in (c,) }
    """
    trace = JaxprTrace(transform, guarded=guarded)
    with patient_collector(), trace:
        return trace.program(fun(*[trace.new_input(a) for a in avals]))


def hoist_tracers(jaxpr: Jaxpr) -> tuple[Jaxpr, list[Any]]:
    """Turn the constants that are tracers into leading inputs.

    A jaxpr that closes over values of an enclosing trace is good for one call only; as inputs they
    may be anything.

    Returns:
      The jaxpr with further inputs in front, and the tracers to pass for them.
    """
    pairs = list(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    traced = [(v, c) for v, c in pairs if isinstance(c, Tracer)]
    if not traced:
        return jaxpr, []
    plain = [(v, c) for v, c in pairs if not isinstance(c, Tracer)]
    hoisted = Jaxpr(
        [v for v, _ in plain],
        [c for _, c in plain],
        [v for v, _ in traced] + jaxpr.invars,
        jaxpr.eqns,
        jaxpr.outvars,
    )
    return hoisted, [c for _, c in traced]


def check_output(x: Any, what: str) -> Any:
    """A leaf of a traced function's result, as an array; an error for what is not one."""
    try:
        get_aval(x)
    except TypeError as error:
        raise TypeError(f"{what} must return arrays and numbers: {error}") from None
    return as_numpy(x)


def as_numpy(x: Any) -> Any:
    """A Python scalar as a NumPy scalar; arrays and tracers as they are."""
    if isinstance(x, np.ndarray | np.generic | Tracer):
        return x
    return aval_of(x).dtype.type(x)
