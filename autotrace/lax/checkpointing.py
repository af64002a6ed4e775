"""Recomputation in reverse mode: checkpoint, and what it keeps all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..core import tree
from ..core.config import config
from ..core.errors import located
from ..core.jaxpr import Eqn, Jaxpr, Literal, Var
from ..core.primitive import Primitive
from ..transforms.backends import compile_jaxpr
from ..transforms.derived import jvp_of, once, scatter_outputs
from ..transforms.evaluate import run_eqns
from ..transforms.stage import live_eqns, stage
from .bodies import Flags, present, silent
from .calls import call_abstract, call_batch, call_jvp, call_transpose, jit_p
from .families import def_linear, elementwise, identities
from .linear import dot_general_p

#: From a primitive, the avals of its operands and its parameters to whether its results are kept.
Policy = Callable[..., bool]

#: Calls a jaxpr whose intermediate values are not kept for reverse mode but computed again, save
#: for those that ``policy`` names. It is never inlined, since common-subexpression elimination
#: would undo the recomputation.
checkpoint_p = Primitive("checkpoint", multiple_results=True, passes_zeros=True)

#: Gives a value a name that policies know it by.
checkpoint_name_p = elementwise("checkpoint_name", lambda x, *, name: x, "?biufc")
def_linear(checkpoint_name_p, lambda ct, aval, name: ct)
identities[checkpoint_name_p] = lambda view, args, params: args[0]


def checkpoint_name(x: Any, name: str) -> Any:
    """Name a value, for the policies of ``checkpoint`` that go by names.

    Args:
      x: a pytree of arrays.
      name: any string; values may share one.

    Returns:
      The same values.

    Raises:
      TypeError: when the name is no string.

    >>> import numpy as np, autotrace as at
    >>> f = lambda x: np.sin(at.checkpoint_name(np.exp(x), "growth"))
    >>> g = at.checkpoint(f, policy=at.checkpoint_policies.save_only_these_names("growth"))
    >>> bool(at.grad(g)(0.5) == at.grad(f)(0.5))
    True
    """
    if not isinstance(name, str):
        raise TypeError(located(f"checkpoint_name: the name must be a string, got {name!r:.80}"))
    return tree.map(lambda v: checkpoint_name_p.bind(v, name=name), x)


# --- policies ----------------------------------------------------------------------------------


def everything_saveable(primitive: Primitive, *_: Any, **__: Any) -> bool:
    """Keep what reverse mode needs, as without ``checkpoint``."""
    return True


def nothing_saveable(primitive: Primitive, *_: Any, **__: Any) -> bool:
    """Keep the inputs only."""
    return False


def dots_saveable(primitive: Primitive, *_: Any, **__: Any) -> bool:
    """Keep the results of matrix products."""
    return primitive is dot_general_p


def dots_with_no_batch_dims_saveable(primitive: Primitive, *_: Any, **params: Any) -> bool:
    """Keep the results of matrix products that are no stacks of products: under ``vmap`` those of
    weights, which all examples share, and not those of two values of each example."""
    return primitive is dot_general_p and not any(params["dimension_numbers"][1])


@dataclass(frozen=True)
class _TheseNames:
    names: frozenset[str]

    def __call__(self, primitive: Primitive, *_: Any, **params: Any) -> bool:
        return primitive is checkpoint_name_p and params["name"] in self.names


@dataclass(frozen=True)
class _OtherNames:
    names: frozenset[str]

    def __call__(self, primitive: Primitive, *_: Any, **params: Any) -> bool:
        return primitive is checkpoint_name_p and params["name"] not in self.names


@dataclass(frozen=True)
class _AnythingElse:
    names: frozenset[str]

    def __call__(self, primitive: Primitive, *_: Any, **params: Any) -> bool:
        return primitive is not checkpoint_name_p or params["name"] not in self.names


@dataclass(frozen=True)
class _Either:
    first: Policy
    second: Policy

    def __call__(self, primitive: Primitive, *avals: Any, **params: Any) -> bool:
        return self.first(primitive, *avals, **params) or self.second(primitive, *avals, **params)


def save_only_these_names(*names: str) -> Policy:
    """Keep the values with one of these names (``checkpoint_name``)."""
    return _TheseNames(frozenset(names))


def save_any_names_but_these(*names: str) -> Policy:
    """Keep the values that have a name, other than these."""
    return _OtherNames(frozenset(names))


def save_anything_except_these_names(*names: str) -> Policy:
    """Keep all values, named or not, but for those with one of these names."""
    return _AnythingElse(frozenset(names))


def save_from_both_policies(policy_1: Policy, policy_2: Policy) -> Policy:
    """Keep what either policy keeps."""
    return _Either(policy_1, policy_2)


def _keeps(policy: Policy, eqn: Eqn, names: set[str]) -> bool:
    """Whether a policy keeps what an equation makes, some of which may have names."""
    if isinstance(policy, _Either):
        return _keeps(policy.first, eqn, names) or _keeps(policy.second, eqn, names)
    if isinstance(policy, _AnythingElse) and names & policy.names:
        return False
    return bool(policy(eqn.primitive, *(a.aval for a in eqn.invars), **eqn.params))


# --- the primitive -----------------------------------------------------------------------------


class _Split(NamedTuple):
    """A jaxpr's derivative under a policy.

    Attributes:
      forward: from the inputs to the outputs, and what is kept beside the inputs.
      tangent: from some inputs, what is kept and the tangents to tangents.
      inputs: which inputs those are.
      found: which outputs have a tangent.
    """

    forward: Jaxpr
    tangent: Jaxpr
    inputs: list[int]
    found: list[bool]


@once
def _split(jaxpr: Jaxpr, given: Flags, policy: Policy) -> _Split:
    both, found = jvp_of(jaxpr, given, True)
    count = len(jaxpr.invars)
    outs, out_tangents = both.outvars[: len(found)], both.outvars[len(found) :]
    known, saveable = _known_eqns(both, count, policy)
    needed = {a for a in out_tangents if type(a) is Var}
    kept: list[Var] = []
    eqns = []
    for eqn in reversed(both.eqns):
        wanted = [v for v in eqn.outvars if v in needed]
        if wanted and saveable.issuperset(wanted):
            kept += wanted
        elif wanted:
            needed.update(a for a in eqn.invars if type(a) is Var)
            eqns.append(eqn)
    primals, tangents = both.invars[:count], both.invars[count:]
    inputs = [i for i, v in enumerate(primals) if v in needed]
    invars = [*(primals[i] for i in inputs), *kept, *tangents]
    forward = jaxpr
    if kept:
        made = [*outs, *kept]
        forward = Jaxpr(both.constvars, both.consts, primals, live_eqns(known, made), made)
    tangent = Jaxpr(both.constvars, both.consts, invars, eqns[::-1], out_tangents)
    return _Split(forward, silent(tangent), inputs, found)


def _known_eqns(both: Jaxpr, count: int, policy: Policy) -> tuple[list[Eqn], set[Var]]:
    """The equations that do not depend on inputs beyond the first ``count``, and which of their
    results a policy keeps."""
    linear = set(both.invars[count:])
    known = []
    names: dict[Var, set[str]] = {}
    for eqn in both.eqns:
        if not linear.isdisjoint(a for a in eqn.invars if type(a) is Var):
            linear.update(eqn.outvars)
            continue
        known.append(eqn)
        if eqn.primitive is checkpoint_name_p and type(eqn.invars[0]) is Var:
            names.setdefault(eqn.invars[0], set()).add(eqn.params["name"])
    saveable: set[Var] = set()
    for eqn in known:
        if _keeps(policy, eqn, set().union(*(names.get(v, ()) for v in eqn.outvars))):
            named = eqn.primitive is checkpoint_name_p  # the value has more uses than by its name
            saveable.update(a for a in (eqn.invars if named else eqn.outvars) if type(a) is Var)
    return known, saveable


@checkpoint_p.def_impl
def _checkpoint_impl(*args: Any, jaxpr: Jaxpr, **_: Any) -> list[Any]:
    return compile_jaxpr(jaxpr, config.backend)(*args)


checkpoint_p.def_abstract(call_abstract)
checkpoint_p.def_batch(call_batch(checkpoint_p))
checkpoint_p.def_transpose(call_transpose(checkpoint_p))


@checkpoint_p.def_jvp_call
def _checkpoint_jvp(
    linear: bool,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    jaxpr: Jaxpr,
    policy: Policy,
    name: str,
) -> tuple:
    params = {"policy": policy, "name": name}
    given = present(tangents)
    if not any(given):
        outs = checkpoint_p.bind(*primals, jaxpr=jaxpr, **params)
        return outs, [None] * len(outs)
    if not linear:
        return call_jvp(checkpoint_p, primals, tangents, jaxpr, params)
    # The linear program holds what the policy keeps, and makes the rest of it when it is run.
    split = _split(jaxpr, given, policy)
    made = checkpoint_p.bind(*primals, jaxpr=split.forward, **params)
    count = len(split.found)
    out_tangents = checkpoint_p.bind(
        *(primals[i] for i in split.inputs),
        *made[count:],
        *(t for t in tangents if t is not None),
        jaxpr=split.tangent,
        **params,
    )
    return made[:count], scatter_outputs(out_tangents, split.found)


def without_calls(jaxpr: Jaxpr) -> Jaxpr:
    """The same program with what jitted functions do in place of their calls, so that a policy
    sees it."""
    if all(eqn.primitive is not jit_p for eqn in jaxpr.eqns):
        return jaxpr
    return stage(lambda *xs: _run_calls(jaxpr, xs), jaxpr.in_avals, "checkpoint")


def _run_calls(jaxpr: Jaxpr, args: Sequence[Any]) -> list[Any]:
    env: dict[Var, Any] = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))

    def read(atom: Any) -> Any:
        return atom.value if type(atom) is Literal else env[atom]

    for eqn in jaxpr.eqns:
        if eqn.primitive is jit_p:
            outs = _run_calls(eqn.params["jaxpr"], [read(a) for a in eqn.invars])
            env.update(zip(eqn.outvars, outs, strict=True))
        else:
            run_eqns([eqn], env)
    return [read(a) for a in jaxpr.outvars]
