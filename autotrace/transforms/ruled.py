"""The trace of a function that has a derivative rule of its own, within one that is being staged.

What the function computes is noted by the trace around it, so that a question of its Python is one
of that trace's: it may be answered, and the program go on in another segment (``paths``). What is
noted is cut off from derivatives, and nothing traced but the arguments may go into it, since the
rule says nothing of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.avals import ShapedArray, weak_aval
from ..core.errors import NonDifferentiableError, located
from ..core.jaxpr import Jaxpr
from ..core.primitive import Primitive, primitives
from ..core.trace import Trace, Tracer, from_outside, get_aval, leaked, slot
from .stage import JaxprTrace, checked_program, hoist_constants, live_eqns


class RuledTracer(Tracer):
    """A value of the trace around, within the function."""

    __slots__ = ()
    value = slot("_carried")
    _weak = slot("_noted")

    def __init__(self, trace: RuledTrace, value: Tracer):
        self.owner = trace
        self.value = value
        self._weak = value.weak_type

    @property
    def aval(self) -> ShapedArray:
        aval = self.value.aval.strong()
        return weak_aval(aval) if self._weak else aval

    def weaken(self) -> RuledTracer:
        """Mark this fresh value as standing for a Python scalar."""
        self._weak = True
        return self

    def concrete(self, asked: str, kind: Callable[[Any], Any] | None = None) -> Any:
        if not self.owner.alive:
            raise leaked(self.owner)
        return self.value.concrete(asked, kind)


class RuledTrace(Trace):
    """Has the trace around it note each primitive.

    Args:
      outer: the trace around.
      name: the function's, for messages.
    """

    __slots__ = ("name", "outer", "transform")

    stages_effects = True

    def __init__(self, outer: JaxprTrace, name: str):
        self.outer = outer
        self.name = name
        self.transform = outer.transform

    def process(self, primitive: Primitive, args: tuple, params: dict) -> Any:
        if not self.alive:
            raise leaked(self)
        out = self.outer.process(primitive, tuple([self.split(x) for x in args]), params)
        return [self.join(x) for x in out] if primitive.multiple_results else self.join(out)

    def split(self, x: Any) -> Any:
        """A value as the trace around has it."""
        if type(x) is RuledTracer and x.owner is self:
            return x.value
        x = from_outside(x)
        if isinstance(x, Tracer):
            raise NonDifferentiableError(
                located(
                    f"the function {self.name} has a derivative rule of its own and uses a "
                    f"traced value from outside (under {self.transform}), for which the rule says "
                    "nothing",
                    "What to do: pass that value as an argument.",
                )
            )
        return x

    def join(self, x: Any) -> Any:
        """The inverse of ``split``."""
        return RuledTracer(self, x) if isinstance(x, Tracer) else x

    def lift(self, x: Any) -> RuledTracer:
        """As the trace around does."""
        return RuledTracer(self, self.outer.lift(x))


def stage_ruled(
    trace: JaxprTrace, function: Callable[..., Sequence[Any]], args: Sequence[Any], name: str
) -> Jaxpr | list[Any]:
    """Have a trace note what a function does.

    Args:
      trace: the trace.
      function: takes arrays and returns a list of arrays; it has a derivative rule.
      args: its arguments, of which at least one is the trace's.
      name: the function's, for messages.

    Returns:
      The function as a jaxpr, of which the trace knows nothing. Where it has asked for a value,
      its results, which the trace has noted, without derivatives with respect to the arguments.

    Raises:
      NonDifferentiableError: where it uses other traced values.
    """
    eqns, start = trace.eqns, len(trace.eqns)
    stop_gradient = primitives["stop_gradient"]
    stopped = []
    for x in args:
        tracer = trace.record(stop_gradient, (x,), {})
        stopped.append(tracer.weaken() if get_aval(x).weak_type else tracer)
    invars = [x.atom for x in stopped]
    try:
        with RuledTrace(trace, name) as ruled:
            inputs = [ruled.join(x) for x in stopped]
            del stopped
            outs = [ruled.split(x) for x in function(*inputs)]
    except BaseException:
        if trace.eqns is eqns:
            del eqns[start:]
        raise
    if trace.eqns is not eqns:
        return outs
    outvars = [trace.atom(x) for x in outs]
    body = live_eqns(eqns[start + len(args) :], outvars)
    del eqns[start:]
    return checked_program(hoist_constants(invars, body, outvars))
