"""Sums over the turns of a loop that are made after it: of products, as one larger product.

The cotangent of a matrix that each turn multiplies with is the sum of an outer product for each
turn. To add them up turn by turn touches the whole matrix each time; to keep the factors, which
are vectors, and multiply them all at once is one matrix product.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, NamedTuple

from ..core.jaxpr import Eqn, Jaxpr, Var
from .families import add_p
from .linear import dot_general_p
from .structural import reshape_p, transpose_p


class Term(NamedTuple):
    """A product, and what is done to it.

    Attributes:
      factors: its two operands, variables of a body.
      dimension_numbers: see ``dot_general``.
      changes: equations of one operand that only rearrange, to be applied one after another.
    """

    factors: tuple[Var, Var]
    dimension_numbers: tuple
    changes: tuple[Eqn, ...]

    def total(self, stacks: Sequence[Any]) -> Any:
        """The sum over all turns, given the factors of all turns stacked."""
        (lhs, rhs), (lhs_batch, rhs_batch) = self.dimension_numbers
        contract = tuple((0, *(d + 1 for d in dims)) for dims in (lhs, rhs))
        batch = tuple(tuple(d + 1 for d in dims) for dims in (lhs_batch, rhs_batch))
        out = dot_general_p.bind(*stacks, dimension_numbers=(contract, batch))
        for eqn in self.changes:
            out = eqn.primitive.bind(out, **eqn.params)
        return out


def terms_of(jaxpr: Jaxpr, out: Any, fixed: Container[Any]) -> list[Term] | None:
    """An output as a sum of products that are better made after the loop, None where it is not.

    Args:
      fixed: the variables that are the same in each turn.
    """
    producers = {e.outvars[0]: e for e in jaxpr.eqns if len(e.outvars) == 1}
    found: list[Term] = []
    todo: list[tuple[Any, tuple[Eqn, ...]]] = [(out, ())]
    while todo:
        atom, changes = todo.pop()
        eqn = producers.get(atom) if type(atom) is Var else None
        if eqn is None:
            return None
        if eqn.primitive is add_p:
            todo += [(a, changes) for a in eqn.invars]
        elif eqn.primitive in (reshape_p, transpose_p):
            todo.append((eqn.invars[0], (eqn, *changes)))
        elif eqn.primitive is dot_general_p and all(
            type(a) is Var and a not in fixed for a in eqn.invars
        ):
            left, right = eqn.invars
            if left.aval.size + right.aval.size > eqn.outvars[0].aval.size:
                return None
            found.append(Term((left, right), eqn.params["dimension_numbers"], changes))
        else:
            return None
    return found
