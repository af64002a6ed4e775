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
    """A function of arrays against SciPy's: values, shapes and dtypes in both precisions, in a
    batch, and with each argument traced alone; derivatives to second order.

    What is compiled is the function and its gradient; the rest is the same for any backend.

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

    expected = call(plain, *args)
    same(f(*args), expected)
    same(at.jit(f)(*args), expected, tolerance)
    for n, arg in enumerate(args):

        def alone(x: Any, n: int = n) -> list[Any]:
            return f(*[x if n == m else y for m, y in enumerate(args)])

        at.make_jaxpr(alone)(arg)
    with at.config.override("backend", "numpy"):
        mapped = at.vmap(f)(*[np.stack([x, x]) for x in args])
        for out, e in zip(mapped, expected, strict=True):
            out = out[1] if np.ndim(out) > np.ndim(e) else out
            np.testing.assert_allclose(out, e, atol=1e-11)
        if single:
            narrow = [x.astype(_SINGLE.get(x.dtype, x.dtype)) for x in args]
            same(at.jit(f)(*narrow), call(plain, *narrow), 100 * tolerance)
    if all(x.dtype.kind in "fc" for x in args):
        inexact = [n for n, e in enumerate(expected) if np.asarray(e).dtype.kind in "fc"]
        derivatives(lambda *xs: [f(*xs)[n] for n in inexact], *args)


def derivatives(f: Callable, *args: Any, compiled: bool = True, order: int = 2) -> None:
    """Derivatives of a function that returns arrays: to second order by interpreted programs, since
    these are many; the gradient compiled, too, if asked for."""

    def norm(*xs: Any) -> Any:
        return sum(np.sum(np.real(out * np.conj(out))) for out in leaves(f(*xs)))

    with at.config.override("backend", "numpy"):
        derives(f, *args)
        at.testing.check_grads(norm, args, order=order)
        gradient = at.grad(norm, tuple(range(len(args))))
        expected = gradient(*args)
    if not compiled:
        return
    for got, e in zip(at.jit(gradient)(*args), expected, strict=True):
        np.testing.assert_allclose(got, e, rtol=1e-10, atol=1e-10)
