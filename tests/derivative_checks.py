"""Checks that the tests of primitives share: derivatives and batching against plain NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autotrace.core.trace import get_aval
from autotrace.transforms.batch import Axis, batch_flat
from autotrace.transforms.jvp import jvp_flat
from autotrace.transforms.linearize import eval_linear, linearize_flat
from autotrace.transforms.stage import stage
from autotrace.transforms.transpose import transpose_linear


def random_like(rng: np.random.Generator, x: Any) -> Any:
    out = rng.standard_normal(np.shape(x))
    if np.asarray(x).dtype.kind == "c":
        out = out + 1j * rng.standard_normal(np.shape(x))
    return np.asarray(out, np.asarray(x).dtype)[()]


def _zeros(tangents: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    return [np.zeros_like(v) if t is None else t for t, v in zip(tangents, values, strict=True)]


def forward(f: Callable, primals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    outs, out_tangents = jvp_flat(f, primals, tangents)
    return [
        np.zeros(o.shape, o.dtype) if t is None else t
        for t, o in zip(out_tangents, outs, strict=True)
    ]


def backward(f: Callable, primals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
    _, linear = linearize_flat(f, primals, [True] * len(primals))
    back = transpose_linear(linear, cts)
    return [
        np.zeros(x.shape, x.dtype) if c is None else c for c, x in zip(back, primals, strict=True)
    ]


def check_derivatives(
    f: Callable,
    primals: Sequence[Any],
    *,
    seed: int = 0,
    order: int = 1,
    step: float = 1e-6,
    tolerance: float = 1e-5,
) -> None:
    """Forward mode against central differences, the linear map against forward mode, its transpose
    against itself; and, for order 2, all of that for the first derivatives in their turn."""
    rng = np.random.default_rng(seed)
    primals = [np.asarray(x)[()] for x in primals]
    tangents = [random_like(rng, x) for x in primals]
    outs, out_tangents = jvp_flat(f, primals, tangents)
    ahead = f(*[x + step * t for x, t in zip(primals, tangents, strict=True)])
    behind = f(*[x - step * t for x, t in zip(primals, tangents, strict=True)])
    for o, a, b, t in zip(outs, ahead, behind, _zeros(out_tangents, outs), strict=True):
        assert t.shape == o.shape and t.dtype == o.dtype
        difference = (a - b) / (2 * step)
        np.testing.assert_allclose(t, difference, rtol=tolerance, atol=tolerance * 10)
    linear_outs, linear = linearize_flat(f, primals, [True] * len(primals))
    again = _zeros(eval_linear(linear, tangents), outs)
    for o, o2, t, t2 in zip(outs, linear_outs, _zeros(out_tangents, outs), again, strict=True):
        np.testing.assert_array_equal(o, o2)
        np.testing.assert_allclose(t, t2, rtol=1e-9, atol=1e-12)
    cts = [random_like(rng, o) for o in outs]
    given = backward(f, primals, cts)
    for c, x in zip(given, primals, strict=True):
        assert c.shape == x.shape and c.dtype == x.dtype
    # Cotangents pair with tangents as Re(ct * t), without conjugation.
    there = sum(np.sum(np.real(c * t)) for c, t in zip(cts, again, strict=True))
    back = sum(np.sum(np.real(c * t)) for c, t in zip(given, tangents, strict=True))
    np.testing.assert_allclose(there, back, rtol=1e-8, atol=1e-10)
    if order > 1:
        n = len(primals)
        options = {"seed": seed + 1, "order": order - 1, "step": step, "tolerance": tolerance}
        check_derivatives(lambda *xs: forward(f, xs[:n], xs[n:]), [*primals, *tangents], **options)
        check_derivatives(lambda *xs: backward(f, xs[:n], xs[n:]), [*primals, *cts], **options)


def check_batching(f: Callable, args: Sequence[Callable[..., Any]], size: int = 3) -> None:
    """Batching against a loop, for every choice of batched operands and of their batch dims.

    Args:
      f: from arrays to a list of arrays.
      args: for each operand, ``(n) -> n examples of it, stacked``.
    """
    stacks = [make(size) for make in args]
    places = [[None, *range(s.ndim)] for s in stacks]
    for dims in itertools.product(*places):
        if all(d is None for d in dims):
            continue
        values = [
            s[0] if d is None else np.moveaxis(s, 0, d) for s, d in zip(stacks, dims, strict=True)
        ]
        outs, out_dims = batch_flat(f, Axis(size), values, dims)
        for n in range(size):
            expected = f(*[s[0 if d is None else n] for s, d in zip(stacks, dims, strict=True)])
            for out, d, e in zip(outs, out_dims, expected, strict=True):
                actual = out if d is None else np.take(out, n, axis=d)
                assert actual.dtype == np.asarray(e).dtype
                np.testing.assert_allclose(actual, e, rtol=1e-12, atol=1e-12)


def check_abstract(f: Callable, args: Sequence[Any]) -> None:
    """The type rule against what the implementation gives."""
    jaxpr = stage(f, [get_aval(a).strong() for a in args], "test")
    for aval, out in zip(jaxpr.out_avals, f(*args), strict=True):
        assert (aval.shape, aval.dtype) == (out.shape, out.dtype)
