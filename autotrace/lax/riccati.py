"""Riccati's equations of optimal control.

The derivative of a solution solves a linear equation with the closed loop's matrix (Kao and
Hennequin 2020, "Automatic differentiation of Sylvester, Lyapunov, and algebraic Riccati
equations").
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.errors import located
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from . import arithmetic as arith
from .equations import solve_square, stein, sylvester
from .matrices import (
    LinAlgError,
    adjoint,
    check_matrices,
    check_stacks,
    each,
    matmul,
    minus,
    plus,
    stack_batch,
)

_scipy_linalg = LazyModule("scipy.linalg")

#: Operands: matrices ``a`` of shape ``(*stack, n, n)``, ``b`` ``(*stack, n, m)``, and Hermitian
#: ``q`` and ``r``. Result: the Hermitian ``x`` with
#: ``a^H x + x a - x b r^-1 b^H x + q = 0``, or, with ``discrete``, with
#: ``a^H x a - x - a^H x b (r + b^H x b)^-1 b^H x a + q = 0``.
riccati_p = Primitive("riccati")


def riccati(a: Any, b: Any, q: Any, r: Any, discrete: bool) -> Any:
    """The stabilizing solutions of Riccati's equations: see ``riccati_p``."""
    return riccati_p.bind(a, b, q, r, discrete=discrete)


def _name(discrete: bool) -> str:
    return f"solve_{'discrete' if discrete else 'continuous'}_are"


@riccati_p.def_impl
def _riccati_impl(a: Any, b: Any, q: Any, r: Any, *, discrete: bool) -> Any:
    out = np.empty(a.shape, a.dtype)
    solve = getattr(_scipy_linalg, _name(discrete))
    if out.size:
        stacks = [each(x, *x.shape[-2:]) for x in (a, b, q, r, out)]
        for *given, result in zip(*stacks, strict=True):
            try:
                result[:] = solve(*given)
            except LinAlgError as error:
                raise LinAlgError(located(f"{_name(discrete)}: {error}")) from None
    return out


@riccati_p.def_abstract
def _riccati_abstract(
    a: ShapedArray, b: ShapedArray, q: ShapedArray, r: ShapedArray, *, discrete: bool
) -> ShapedArray:
    for x in (a, q, r):
        check_matrices(_name(discrete), x, True)
    check_stacks(_name(discrete), a, b, q, r)
    n, m = b.shape[-2:]
    if (a.shape[-1], q.shape[-1], r.shape[-1]) != (n, n, m):
        raise TypeError(f"{_name(discrete)}: matrices {a}, {b}, {q} and {r} do not fit")
    return make_aval(a.shape, a.dtype)


@riccati_p.def_jvp
def _riccati_jvp(primals: Any, tangents: Any, out: Any, *, discrete: bool) -> Any:
    (a, b, _, r), (a_t, b_t, q_t, r_t) = primals, tangents
    x, b_h = out, adjoint(b)
    if discrete:
        gain = solve_square(plus(r, matmul(b_h, matmul(x, b))), matmul(b_h, matmul(x, a)))
    else:
        gain = solve_square(r, matmul(b_h, x))
    closed = minus(a, matmul(b, gain))
    # What the equation changes by where x stays.
    change = q_t
    moved = a_t if b_t is None else minus(a_t, matmul(b_t, gain))
    if moved is not None:
        share = matmul(matmul(adjoint(closed), x) if discrete else x, moved)
        change = plus(change, plus(share, adjoint(share)))
    if r_t is not None:
        change = plus(change, matmul(adjoint(gain), matmul(r_t, gain)))
    if discrete:
        return stein(adjoint(closed), change)
    return sylvester(adjoint(closed), closed, arith.neg(change))


riccati_p.def_batch(stack_batch(riccati_p))
