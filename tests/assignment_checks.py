"""Checks that the tests of assignment share."""

from __future__ import annotations

import warnings

import numpy as np
from numpy_checks import leaves, same

import autotrace as at
from autotrace.transforms.held import HeldTracer

RNG = np.random.default_rng(7)
X = RNG.standard_normal(6)
M = RNG.standard_normal((3, 4))


def elements(x):
    y = np.zeros(4)
    y[0] = x[0]
    y[1] = y[0] * x[1]
    y[2:] = x[2:4]
    y[-1] += 3.0 * x[5]
    return y


def own(f, *args):
    """A function's results on copies of the arguments, as arrays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        return [np.array(x) for x in leaves(f(*given))]


def agrees(f, x, rtol=1e-13):
    """The same values traced in every way as on plain arrays, and the argument untouched."""
    expected, before = own(f, x), x.copy()
    runs = {
        "jit": lambda: at.jit(f)(x),
        "numpy": lambda: at.jit(f, backend="numpy")(x),
        "jvp": lambda: at.jvp(f, (x,), (np.ones_like(x),))[0],
        "vjp": lambda: at.vjp(f, x)[0],
        "jit of jvp": lambda: at.jit(lambda a: at.jvp(f, (a,), (a,))[0])(x),
        "vmap": lambda: [y[1] for y in leaves(at.vmap(f)(np.stack([x + 1.0, x])))],
        "jit of vmap": lambda: [y[0] for y in leaves(at.jit(at.vmap(f))(np.stack([x, x])))],
    }
    for name, run in runs.items():
        try:
            out = run()
        except at.ConcretizationError:
            assert name not in ("jvp", "vjp"), name
            continue
        same(out, expected, rtol)
        for part in leaves(out):
            assert type(part) is not HeldTracer and isinstance(part, np.ndarray | np.generic)
        np.testing.assert_array_equal(x, before)
