"""Checks that the tests of NumPy's functions share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from closeness import assert_close

import autotrace
from autotrace.numpy.dispatch import traced

#: NumPy's elementwise ufuncs that work on traced values. (``traced`` has those of scipy.special,
#: too, once a test has imported them.)
UFUNCS = sorted(
    {f for f in vars(np).values() if isinstance(f, np.ufunc) and f in traced and not f.signature},
    key=lambda f: f.__name__,
)


def leaves(x: Any) -> list[Any]:
    return [y for part in x for y in leaves(part)] if isinstance(x, tuple | list) else [x]


def same(actual: Any, expected: Any, rtol: float = 0.0, dtypes: bool = True) -> None:
    """Assert equal structure, shapes, dtypes and values; NaN equals NaN."""
    got, wanted = leaves(actual), leaves(expected)
    assert len(got) == len(wanted)
    for a, e in zip(got, wanted, strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert a.shape == e.shape, (a.shape, e.shape)
        if dtypes:
            assert a.dtype == e.dtype, (a.dtype, e.dtype)
        if rtol:
            scale = np.finfo(e.dtype).eps / np.finfo(np.float64).eps if e.dtype.kind in "fc" else 1
            np.testing.assert_allclose(a, e, rtol=rtol * scale, atol=rtol * scale)
        else:
            np.testing.assert_array_equal(a, e)


def agrees(f: Callable, *args: Any, rtol: float = 0.0, name: str = "") -> None:
    """Assert that a function gives the same traced, staged and mapped as on plain arrays.

    Args:
      rtol: the tolerance, in units of float64's epsilon; without one, the values are equal.
      name: the ufunc that it calls, to allow for what a backend's differs from NumPy's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = f(*args)
        if name:
            assert_close(name, autotrace.jit(f)(*args), expected)
        else:
            same(autotrace.jit(f)(*args), expected, rtol)
        if any(np.asarray(a).dtype.kind in "fc" for a in args):
            tangents = [
                np.zeros_like(a)
                if np.asarray(a).dtype.kind in "fc"
                else np.zeros(np.shape(a), autotrace.float0)
                for a in args
            ]
            same(autotrace.jvp(f, tuple(args), tuple(tangents))[0], expected, rtol)
        stacked = [np.stack([a, a]) for a in args]
        mapped = leaves(autotrace.vmap(f)(*stacked))
        for out, e in zip(mapped, leaves(expected), strict=True):
            same(out[1], e, max(rtol, 1e-14))


def derives(
    f: Callable, *args: Any, step: float = 1e-6, tolerance: float = 2e-5, seed: int = 0
) -> None:
    """Forward mode against central differences, reverse mode against forward mode."""
    rng = np.random.default_rng(seed)
    args = tuple(np.asarray(a, float if np.asarray(a).dtype.kind != "c" else complex) for a in args)

    def direction(x: Any) -> Any:
        out = rng.standard_normal(x.shape)
        return out + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else out

    tangents = tuple(direction(a) for a in args)

    def flat(*xs: Any) -> list[Any]:
        return leaves(f(*xs))

    outs, out_tangents = autotrace.jvp(flat, args, tangents)
    ahead = flat(*[a + step * t for a, t in zip(args, tangents, strict=True)])
    behind = flat(*[a - step * t for a, t in zip(args, tangents, strict=True)])
    for t, high, low in zip(out_tangents, ahead, behind, strict=True):
        np.testing.assert_allclose(t, (high - low) / (2 * step), rtol=tolerance, atol=tolerance)
    _, pull = autotrace.vjp(flat, *args)
    cts = [np.asarray(direction(np.asarray(o)), np.asarray(o).dtype)[()] for o in outs]
    back = pull(cts)
    there = sum(np.sum(c * t) for c, t in zip(cts, out_tangents, strict=True))
    here = sum(np.sum(c * t) for c, t in zip(back, tangents, strict=True))
    np.testing.assert_allclose(np.real(there), np.real(here), rtol=1e-8, atol=1e-9)


def case_id(case: Sequence[Any]) -> str:
    return str(case[0])
