"""The check that the tests of SciPy's functions share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy_checks import derives, leaves, same

import autotrace as at

#: Of single precision, and the tolerance of values, in units of float64's epsilon.
_SINGLE = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
TOLERANCE = 1e-13


def case_ids(part: Any) -> str:
    return part if type(part) is str else ""


def check(
    plain: Callable,
    ours: Callable,
    args: Sequence[Any],
    options: Mapping[str, Any],
    tolerance: float = TOLERANCE,
    single: bool = True,
) -> None:
    """A function of arrays against SciPy's: values and dtypes, compiled and in a batch, in both
    precisions; derivatives to second order.

    Args:
      plain, ours: SciPy's function and the library's.
      args: arrays, all traced.
      options: other arguments, not traced.
      tolerance: of values, relative to results of order 1.
      single: whether to do it in single precision, too.
    """

    def call(function: Callable, *xs: Any) -> list[Any]:
        return leaves(function(*xs, **options))

    def f(*xs: Any) -> list[Any]:
        return call(ours, *xs)

    jitted = at.jit(f)
    expected = call(plain, *args)
    same(call(ours, *args), expected)
    same(jitted(*args), expected, tolerance)
    for n, arg in enumerate(args):  # each alone

        def alone(x: Any, n: int = n) -> list[Any]:
            return f(*[x if n == m else y for m, y in enumerate(args)])

        at.make_jaxpr(alone)(arg)
    mapped = at.vmap(f)(*[np.stack([x, x]) for x in args])
    for out, e in zip(mapped, expected, strict=True):
        np.testing.assert_allclose(out[1] if np.ndim(out) > np.ndim(e) else out, e, atol=1e-11)
    if single:
        narrow = [x.astype(_SINGLE.get(x.dtype, x.dtype)) for x in args]
        same(jitted(*narrow), call(plain, *narrow), 100 * tolerance)
    if all(x.dtype.kind in "fc" for x in args):
        inexact = [n for n, e in enumerate(expected) if np.asarray(e).dtype.kind in "fc"]

        def g(*xs: Any) -> list[Any]:
            outs = f(*xs)
            return [outs[n] for n in inexact]

        derives(g, *args)
        at.testing.check_grads(
            lambda *xs: sum(np.sum(np.abs(out) ** 2) for out in g(*xs)), args, order=2
        )
