"""Run a jaxpr, equation by equation: on numbers it computes, on tracers it transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.jaxpr import Eqn, Jaxpr, Literal, Var
from ..core.source import current


def eval_jaxpr(jaxpr: Jaxpr, args: Sequence[Any]) -> list[Any]:
    """Bind each equation's primitive in turn.

    Args:
      jaxpr: what to run.
      args: a value or a tracer for each input.

    Returns:
      The outputs.
    """
    env: dict[Var, Any] = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    run_eqns(jaxpr.eqns, env)
    return [a.value if type(a) is Literal else env[a] for a in jaxpr.outvars]


def run_eqns(eqns: Sequence[Eqn], env: dict[Var, Any]) -> None:
    """Bind each equation's primitive in turn, reading from ``env`` and writing to it."""
    outside = current.location
    try:
        for eqn in eqns:
            current.location = eqn.location or outside
            values = [a.value if type(a) is Literal else env[a] for a in eqn.invars]
            out = eqn.primitive.bind(*values, **eqn.params)
            if eqn.primitive.multiple_results:
                env.update(zip(eqn.outvars, out, strict=True))
            else:
                env[eqn.outvars[0]] = out
    finally:
        current.location = outside
