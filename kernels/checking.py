"""Compare what kernels compute with what each primitive's NumPy implementation does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import KernelMismatchError, located
from ..core.jaxpr import Jaxpr
from ..transforms.evaluate import eval_jaxpr

if TYPE_CHECKING:
    from .program import Program

#: How far results may be apart, in units of the dtype's precision times the largest number of the
#: array: kernels add in another order, and functions differ in the last digits.
_TOLERANCE = 2.0**16


def agree(x: Any, y: Any) -> bool:
    """Whether two results are the same but for rounding."""
    x, y = np.asarray(x), np.asarray(y)
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    if x.dtype.kind not in "fc":
        return bool((x == y).all())
    with np.errstate(all="ignore"):
        same = (x == y) | ((x != x) & (y != y))
        finite = np.isfinite(x) & np.isfinite(y)
        size = np.abs(np.where(finite, y, 0)).max(initial=0.0)
        near = np.abs(x - y) <= _TOLERANCE * np.finfo(x.dtype).eps * size
    return bool((same | (finite & near)).all())


def check(program: Program, values: Sequence[Any], outs: Sequence[Any]) -> None:
    """Compare a program's results with NumPy's.

    Raises:
      KernelMismatchError: when they differ by more than rounding; it names the first operation
        that does, and the user's line.
    """
    if program.jaxpr.effectful:  # which would happen again, and may be draws
        return
    with np.errstate(all="ignore"):
        right = eval_jaxpr(program.jaxpr, list(values))
    if all(agree(x, y) for x, y in zip(outs, right, strict=True)):
        return
    where = _first_wrong(program, values)
    raise KernelMismatchError(
        located(
            f"a compiled program and NumPy disagree{where[0]} (check_kernels is on)",
            "What to do: run the function with backend='numpy', and report this.",
            where[1],
        )
    )


def _first_wrong(program: Program, values: Sequence[Any]) -> tuple[str, Any]:
    """The first equation whose result is wrong where each is stored."""
    jaxpr = program.jaxpr
    variables = [v for eqn in jaxpr.eqns for v in eqn.outvars]
    whole = Jaxpr(jaxpr.constvars, jaxpr.consts, jaxpr.invars, jaxpr.eqns, variables)
    with np.errstate(all="ignore"):
        right = iter(eval_jaxpr(whole, list(values)))
    found = iter(type(program)(whole).run(*values))
    for eqn in jaxpr.eqns:
        pairs = [(next(found), next(right)) for _ in eqn.outvars]
        if not all(agree(x, y) for x, y in pairs):
            return f": the first difference is in {eqn.primitive.name}", eqn.location
    return ", though not where every intermediate value is stored", None
