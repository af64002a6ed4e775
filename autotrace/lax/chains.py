"""Chains of operations from turn to turn, made shorter.

A turn of a loop of numbers takes as long as the operations take that have to wait for the turn
before, one after the other. What a body computes linearly of numbers that it carries is the sum of
each of them times a coefficient, and the coefficients need not wait:

    before                         after
    e = mul a d                    e = mul a d
    g = mul e c                    f = sub 1.0 d
    f = sub 1.0 d                  p = mul a f
    h = mul c f                    q = sub p e
    j = mul a h                    k = mul c q
    k = sub j g

Here ``c`` is carried, ``k`` is what it becomes, and three operations one after another are one. It
is the same sum in another order, rounded differently. It is done for the loops of reverse mode, in
which the order of products is the transform's and not the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.jaxpr import Jaxpr, Var
from ..core.primitive import Primitive
from ..transforms.evaluate import run_eqns
from ..transforms.simplify import simplify_jaxpr
from ..transforms.stage import live_eqns, stage
from .arithmetic import div_p, mul_p, neg_p, sub_p
from .families import add_p

#: What is linear in its operands, or in one of them; and how many of these one after another count.
_LINEAR = {add_p: 1, sub_p: 1, mul_p: 1, div_p: 4, neg_p: 0}


def shortened(jaxpr: Jaxpr, first: int, count: int) -> Jaxpr:
    """The body of a loop with shorter chains, the same one where there are none to shorten.

    It may have a quarter more operations than before: in a loop over arrays, into which this one
    may be batched, they are what counts.

    Args:
      first, count: which inputs are carried; they are the first outputs.
    """
    carried = jaxpr.invars[first : first + count]
    numbers = {v for v in carried if not v.aval.shape and v.aval.dtype.kind == "f"}
    if not numbers:
        return jaxpr
    simple = simplify_jaxpr(jaxpr)
    chains = chains_of(simple, carried)
    forms = _supports(simple, carried)
    chosen = []
    for i, (atom, chain) in enumerate(zip(simple.outvars[:count], chains, strict=True)):
        support = forms.get(atom) if type(atom) is Var else None
        if support and chain > 1 + (len(support) - 1).bit_length() and numbers >= support:
            chosen.append(i)
    if not chosen:
        return jaxpr
    made = _rewritten(simple, carried, chosen)
    shorter = sum(chains_of(made, made.invars[first : first + count])) < sum(chains)
    return made if shorter and 4 * len(made.eqns) <= 5 * len(simple.eqns) else jaxpr


def all_reached(rows: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """From what each carried value depends on in a turn, what it depends on in any number."""
    reached = list(rows)
    while True:
        further = [row.union(*(reached[i] for i in row)) for row in reached]
        if further == reached:
            return reached
        reached = further


def chains_of(jaxpr: Jaxpr, carried: Sequence[Var]) -> list[int]:
    """For each carried value how many operations one after another make it of carried values that
    are made of it in their turn."""
    longest: dict[Any, dict[Var, int]] = {v: {v: 0} for v in carried}
    for eqn in jaxpr.eqns:
        found: dict[Var, int] = {}
        for a in eqn.invars:
            for source, length in longest.get(a, {}).items() if type(a) is Var else ():
                length += _LINEAR.get(eqn.primitive, 4)
                found[source] = max(length, found.get(source, 0))
        longest.update(dict.fromkeys(eqn.outvars, found))
    made = [longest.get(a, {}) if type(a) is Var else {} for a in jaxpr.outvars[: len(carried)]]
    number = {v: i for i, v in enumerate(carried)}
    reached = all_reached([frozenset(number[v] for v in row) for row in made])
    return [
        max((n for v, n in row.items() if i in reached[number[v]]), default=0)
        for i, row in enumerate(made)
    ]


def _supports(jaxpr: Jaxpr, carried: Sequence[Var]) -> dict[Any, frozenset[Var]]:
    """For each value that depends on carried ones, linearly, on which; none for others that do."""
    found: dict[Any, frozenset[Var]] = {v: frozenset((v,)) for v in carried}
    for eqn in jaxpr.eqns:
        given = [found[a] for a in eqn.invars if type(a) is Var and a in found]
        if not given:
            continue
        linear = eqn.primitive in _LINEAR and all(given)
        if eqn.primitive is mul_p and len(given) != 1:
            linear = False
        if eqn.primitive is div_p and type(eqn.invars[1]) is Var and eqn.invars[1] in found:
            linear = False
        some = frozenset().union(*given) if linear else frozenset()
        found.update(dict.fromkeys(eqn.outvars, some))
    return found


def _scaled(form: dict, factor: Any, primitive: Any = mul_p) -> dict:
    return {v: primitive.bind(c, factor) for v, c in form.items()}


def _sum(x: dict, y: dict) -> dict:
    return {
        v: add_p.bind(x[v], y[v]) if v in x and v in y else x.get(v, y.get(v))
        for v in dict.fromkeys((*x, *y))
    }


def _negative(x: dict) -> dict:
    return {v: neg_p.bind(c) for v, c in x.items()}


def _product(x: dict, y: dict) -> dict:
    return _scaled(x, y[None]) if y.keys() == {None} else _scaled(y, x[None])


#: From the forms of the operands to that of the result: of a value the coefficients by what they
#: belong to, and what does not depend on carried values under None.
_FORMS: dict[Primitive, Callable[..., dict]] = {
    add_p: _sum,
    sub_p: lambda x, y: _sum(x, _negative(y)),
    neg_p: _negative,
    mul_p: _product,
    div_p: lambda x, y: _scaled(x, y[None], div_p),
}


def _rewritten(jaxpr: Jaxpr, carried: Sequence[Var], chosen: Sequence[int]) -> Jaxpr:
    """A body in which some outputs are sums of carried values times coefficients."""
    supports = _supports(jaxpr, carried)
    eqns = live_eqns(jaxpr.eqns, [jaxpr.outvars[i] for i in chosen])

    def run(*values: Any) -> list[Any]:
        env: dict[Any, Any] = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
        env.update(zip(jaxpr.invars, values, strict=True))
        run_eqns(jaxpr.eqns, env)

        def value(atom: Any) -> Any:
            return env[atom] if type(atom) is Var else atom.value

        forms: dict[Any, dict] = {v: {v: v.aval.dtype.type(1)} for v in carried}
        for eqn in eqns:
            if supports.get(eqn.outvars[0]):
                args = [forms[a] if a in forms else {None: value(a)} for a in eqn.invars]
                forms[eqn.outvars[0]] = _FORMS[eqn.primitive](*args)
        outs = [value(a) for a in jaxpr.outvars]
        for i in chosen:
            terms = dict(forms[jaxpr.outvars[i]])
            free = [terms.pop(None)] if None in terms else []
            sums = [mul_p.bind(c, env[v]) for v, c in terms.items()] + free
            while len(sums) > 1:
                sums = [*sums[2:], add_p.bind(*sums[:2])]
            outs[i] = sums[0]
        return outs

    return simplify_jaxpr(stage(run, jaxpr.in_avals, "transpose"))
