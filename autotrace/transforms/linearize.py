"""Linearization: a function's value and, as a jaxpr, its derivative at a point.

The function runs once, on dual tracers whose tangents are inputs of a jaxpr under construction.
Operations on primals run as they are met (or go to whatever trace surrounds this one); operations
on tangents are noted. What the noted ones use of the primals, the residuals, stands in the linear
jaxpr as constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.avals import tangent_aval
from ..core.config import config
from ..core.jaxpr import Eqn, Jaxpr, Var
from ..core.trace import get_aval
from .evaluate import eval_jaxpr, run_eqns
from .jvp import JVPTrace
from .stage import JaxprTrace, StagedTracer, hoist_tracers, live_eqns


class Linear:
    """A linear map as equations over tangents, with the residuals standing in them as literals.

    Attributes:
      invars: the variable of each input tangent.
      eqns: the equations.
      outs: the variable of each output tangent, None where it is zero whatever the input.
    """

    __slots__ = ("eqns", "invars", "outs")

    def __init__(self, invars: list[Var], eqns: list[Eqn], outs: list[Var | None]):
        self.invars = invars
        self.eqns = eqns
        self.outs = outs


def linearize_flat(
    fun: Callable[..., Sequence[Any]],
    primals: Sequence[Any],
    differentiated: Sequence[bool],
    transform: str = "linearize",
) -> tuple[list[Any], Linear]:
    """The outputs of a function of arrays, and its derivative as a linear map.

    Args:
      fun: from arrays to a list of arrays.
      primals: where to linearize.
      differentiated: which of them get a tangent; the map has an input for each that does.

    Returns:
      The outputs and the map.
    """
    # Nobody reads the lines of a linear program that is transposed at once, and looking them up
    # is a quarter of the cost of noting an equation.
    linear = JaxprTrace(transform, stages_effects=False, locate=config.debug_nans)
    with linear, JVPTrace(transform, linear=True) as trace:
        inputs = [
            trace.new_input(p, linear.new_input(tangent_aval(get_aval(p))) if d else None)
            for p, d in zip(primals, differentiated, strict=True)
        ]
        pairs = [trace.split(out) for out in fun(*inputs)]
        outs = [_tangent_var(linear, t) for _, t in pairs]
    eqns = live_eqns(linear.eqns, outs)
    return [p for p, _ in pairs], Linear(linear.invars, eqns, outs)


def _tangent_var(linear: JaxprTrace, tangent: Any) -> Var | None:
    if type(tangent) is StagedTracer and tangent.owner is linear and type(tangent.atom) is Var:
        return tangent.atom
    # A rule made a tangent without using the input tangents: it can only be zero.
    return None


def linear_to_jaxpr(linear: Linear) -> Jaxpr:
    """The map as a jaxpr: the residuals become constants, outputs that are None are left out."""
    trace = JaxprTrace("linearize")
    trace.alive = True
    trace.invars = linear.invars
    trace.eqns = linear.eqns
    return trace.finish([StagedTracer(trace, v) for v in linear.outs if v is not None])


def split_linear_jaxpr(
    jaxpr: Jaxpr, differentiated: Sequence[bool]
) -> tuple[Jaxpr, Jaxpr, list[bool]]:
    """Linearize a jaxpr once for all points.

    Args:
      jaxpr: a function of arrays.
      differentiated: which inputs get a tangent.

    Returns:
      ``forward``, from the inputs to the outputs followed by the residuals; ``linear``, from the
      residuals followed by the tangents to the output tangents; and which outputs have one.

    ``x*sin(x)`` becomes ``x -> (x*sin(x), sin(x), x*cos(x))`` and ``(s, c), t -> s*t + c*t``.
    """
    from_outside = JaxprTrace("linearize")
    with from_outside:
        primals = [from_outside.new_input(a) for a in jaxpr.in_avals]
        outs, linear = linearize_flat(
            lambda *xs: eval_jaxpr(jaxpr, xs), primals, differentiated, "linearize"
        )
        linear_jaxpr, residuals = hoist_tracers(linear_to_jaxpr(linear))
        forward = from_outside.finish([*outs, *residuals])
    return forward, linear_jaxpr, [v is not None for v in linear.outs]


def eval_linear(linear: Linear, tangents: Sequence[Any]) -> list[Any]:
    """Apply the map to tangents (not symbolic zeros); outputs that are zero come as None."""
    env: dict[Var, Any] = dict(zip(linear.invars, tangents, strict=True))
    run_eqns(linear.eqns, env)
    return [None if v is None else env[v] for v in linear.outs]
