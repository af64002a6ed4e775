"""Transposition: running a linear program backwards, from output to input cotangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.jaxpr import Eqn, Jaxpr, Literal, Var
from ..core.source import current, user_location
from ..core.tangents import LinearInput
from ..core.trace import any_staging
from .evaluate import run_eqns
from .linearize import Linear
from .pending import Pending, add_pending, settled, transpose_pending, unsettled
from .stage import stage


def transpose_linear(linear: Linear, cts: Sequence[Any]) -> list[Any]:
    """The input cotangents of a linear map.

    Args:
      linear: the map.
      cts: a cotangent for each output, None for a symbolic zero.

    Returns:
      A cotangent for each input, None where symbolically zero.
    """
    ct_env: dict[Var, Any] = {}
    for var, ct in zip(linear.outs, cts, strict=True):
        if var is not None and ct is not None:
            _accumulate(ct_env, var, ct)
    _backward(linear.eqns, ct_env, {})
    return [settled(ct_env.get(v)) for v in linear.invars]


def _accumulate(ct_env: dict[Var, Any], var: Var, ct: Any) -> None:
    before = ct_env.get(var)
    ct_env[var] = ct if before is None else add_pending(before, ct)


def _backward(eqns: Sequence[Eqn], ct_env: dict[Var, Any], known: dict[Var, Any]) -> None:
    """Walk equations in reverse; ``known`` holds the variables that are not linear."""
    outside = current.location
    # One place for all that is noted, but where the user's own code may run.
    here = user_location() if any_staging() else outside
    try:
        for eqn in reversed(eqns):
            primitive = eqn.primitive
            if primitive.multiple_results:
                ct: Any = [ct_env.pop(v, None) for v in eqn.outvars]
                if all(c is None for c in ct):
                    continue
                if not primitive.passes_zeros:
                    ct = [settled(c) for c in ct]
            else:
                ct = ct_env.pop(eqn.outvars[0], None)
                if ct is None:
                    continue
            current.location = eqn.location or (
                outside if any(map(callable, eqn.params.values())) else here
            )
            args = [
                a.value if type(a) is Literal else known[a] if a in known else LinearInput(a.aval)
                for a in eqn.invars
            ]
            if type(ct) is Pending:
                arg_cts = transpose_pending(primitive, ct, args, eqn.params)
            else:
                rule = primitive.transpose or primitive.rule("transpose", "reverse mode")
                arg_cts = rule(ct, *args, **eqn.params)
            for atom, arg_ct in zip(eqn.invars, arg_cts, strict=True):
                if arg_ct is not None and type(atom) is Var and atom not in known:
                    before = ct_env.get(atom)
                    if before is None:
                        ct_env[atom] = arg_ct
                    elif type(before) is Pending or type(arg_ct) is Pending:
                        ct_env[atom] = add_pending(before, arg_ct)
                    else:
                        ct_env[atom] = before + arg_ct
    finally:
        current.location = outside


def backward_pass(jaxpr: Jaxpr, args: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
    """Transpose a jaxpr that is linear in some of its inputs.

    Args:
      jaxpr: the program.
      args: a value for each input that is not linear, ``LinearInput`` for each that is.
      cts: a cotangent for each output, None for a symbolic zero.

    Returns:
      A cotangent for each input, None where zero or where the input is not linear.
    """
    return [settled(c) for c in _pending_backward_pass(jaxpr, args, cts)]


def _pending_backward_pass(jaxpr: Jaxpr, args: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
    known: dict[Var, Any] = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    linear: set[Var] = set()
    for var, arg in zip(jaxpr.invars, args, strict=True):
        if isinstance(arg, LinearInput):
            linear.add(var)
        else:
            known[var] = arg
    forward, backward = [], []
    for eqn in jaxpr.eqns:
        if linear.isdisjoint(a for a in eqn.invars if type(a) is Var):
            forward.append(eqn)
        else:
            backward.append(eqn)
            linear.update(eqn.outvars)
    run_eqns(forward, known)
    ct_env: dict[Var, Any] = {}
    for atom, ct in zip(jaxpr.outvars, cts, strict=True):
        if ct is not None and type(atom) is Var and atom in linear:
            _accumulate(ct_env, atom, ct)
    _backward(backward, ct_env, known)
    return [ct_env.get(v) if v in linear else None for v in jaxpr.invars]


def transpose_jaxpr(
    jaxpr: Jaxpr,
    is_linear: Sequence[bool],
    has_ct: Sequence[bool],
    pending: Sequence[bool] | None = None,
) -> tuple[Jaxpr, list[bool], list[bool]]:
    """The transpose of a jaxpr, as a jaxpr.

    Args:
      jaxpr: the program.
      is_linear: the inputs to transpose.
      has_ct: the outputs whose cotangent is not zero.
      pending: the outputs whose cotangent counts where it is not zero only (see ``pending``);
        None for none.

    Returns:
      A jaxpr from the other inputs, in order, followed by the nonzero cotangents, to the nonzero
      cotangents of the linear inputs; which of the linear inputs those are; and which of those
      count where they are not zero only.
    """
    nonzero: list[bool] = []
    out_pending: list[bool] = []
    known_avals = [a for a, lin in zip(jaxpr.in_avals, is_linear, strict=True) if not lin]
    ct_avals = [a for a, has in zip(jaxpr.out_avals, has_ct, strict=True) if has]

    def run(*values: Any) -> list[Any]:
        known = iter(values[: len(known_avals)])
        given = iter(values[len(known_avals) :])
        args = [
            LinearInput(v.aval) if lin else next(known)
            for v, lin in zip(jaxpr.invars, is_linear, strict=True)
        ]
        cts = [next(given) if has else None for has in has_ct]
        if pending is not None:
            cts = [unsettled(c) if p else c for c, p in zip(cts, pending, strict=True)]
        found = _pending_backward_pass(jaxpr, args, cts)
        wanted = [c for c, lin in zip(found, is_linear, strict=True) if lin]
        nonzero[:] = [c is not None for c in wanted]
        out_pending[:] = [type(c) is Pending for c in wanted]
        return [settled(c) for c in wanted if c is not None]

    return stage(run, known_avals + ct_avals, "transpose"), nonzero, out_pending
