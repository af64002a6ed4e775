"""reduce, accumulate, reduceat, outer and at of each ufunc of two operands, against NumPy's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from closeness import assert_within
from numpy_checks import UFUNCS, derives

import autotrace as at

BINARY = [f for f in UFUNCS if f.nin == 2]
#: NumPy 2.4.6 loses the last elements of float64 rows here: np.power.reduce([3.0, 1.0, 2.0, 2.0])
#: gives 9. ldexp takes two kinds of numbers, and cannot be folded but by accident.
LEFT_OUT = {"power", "arctan2", "ldexp"}
X = np.array([[3, 1, 2, 2], [1, 4, 2, 1]])


def methods(ufunc, a):
    return {
        "reduce": lambda: ufunc.reduce(a),
        "reduce along": lambda: ufunc.reduce(a, axis=1, keepdims=True),
        "accumulate": lambda: ufunc.accumulate(a, axis=1),
        "reduceat": lambda: ufunc.reduceat(a, [0, 2, 1, 3], axis=1),
        "outer": lambda: ufunc.outer(a, a[0]),
    }


def check(ufunc, name, call_traced, call):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            expected = call()
        except (TypeError, ValueError) as error:
            with pytest.raises(type(error).__mro__[-4]):
                call_traced()
            return
        out = call_traced()
    for o, e in zip(*(y if isinstance(y, tuple) else (y,) for y in (out, expected)), strict=True):
        assert_within(o, e, 0 if np.asarray(e).dtype.kind in "biu" else 16)


@pytest.mark.parametrize("ufunc", [f for f in BINARY if f.__name__ not in LEFT_OUT], ids=str)
@pytest.mark.parametrize("dtype", ["d", "i", "b", "?"])
def test_as_numpys(ufunc, dtype):
    x = X.astype(dtype)
    names = {"d": methods(ufunc, x), "i": ("reduce along", "reduceat")}.get(dtype, ("reduceat",))
    for name in names:
        f = at.jit(lambda a, name=name: methods(ufunc, a)[name]())
        check(ufunc, name, lambda f=f: f(x), methods(ufunc, x)[name])


FOLDED = [np.subtract, np.hypot, np.add]


@pytest.mark.parametrize("ufunc", FOLDED, ids=str)
def test_arguments_and_derivatives(ufunc):
    x = X + np.array([[0.1, 0.3, 0.25, 0.4], [0.7, 0.15, 0.2, 0.5]])
    mask = X > 1

    def f(a):
        return (
            ufunc.reduce(a, axis=1, initial=2.5, where=mask),
            ufunc.reduce(a, axis=0, dtype=np.float64),
            ufunc.accumulate(a, axis=0),
            ufunc.reduceat(a, [2, 0, 3], axis=1),
            ufunc.outer(a[0], a[:, 1]),
        )

    check(ufunc, "all", lambda: at.jit(f)(x), lambda: f(x))
    derives(f, x)
    out = at.vmap(f)(np.stack([x, 2 * x]))
    for part, one in zip(out, f(2 * x), strict=True):
        np.testing.assert_allclose(part[1], one, rtol=1e-14)


def test_second_derivatives():
    def f(a):
        return np.hypot.reduce(a), np.divide.accumulate(a)

    at.testing.check_grads(f, (np.array([0.7, 1.2, 2.1]),), order=2)


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.divide, np.hypot, np.fmax], ids=str)
def test_at(ufunc):
    values = np.array([2.0, 3.0, 1.5])

    def f(a, v):
        a = a.copy()
        ufunc.at(a, ([0, 1, 0], [1, 2, 1]), v)
        return a

    x = X + 0.3
    np.testing.assert_allclose(at.jit(f)(x, values), f(x, values), rtol=1e-15)
    derives(f, x, values)


def test_at_of_one_operand():
    def f(a):
        a = a.copy()
        np.negative.at(a, [0, 1, 1, 2])
        np.exp.at(a, [3, 3])
        return a

    np.testing.assert_allclose(at.jit(f)(X[0] / 4), f(X[0] / 4), rtol=1e-15)


def test_dtype_casting_and_signature():
    x = X[0] + 0.5

    def f(a):
        return (
            np.add(a, 1, dtype="f"),
            np.sqrt(a, dtype=complex),
            np.less(a, 2, dtype=bool),
            np.multiply(a, a, signature="ff->f", casting="same_kind"),
            *np.divmod(a, 2, dtype="f"),
            np.add(a, 1, order="F", subok=False),
        )

    for o, e in zip(at.jit(f)(x), f(x), strict=True):
        assert_within(o, e, 4 if e.dtype.kind in "fc" else 0)
    with pytest.raises(TypeError, match="casting rule"):
        at.jit(lambda a: np.add(a, 1, dtype=int))(x)
    with pytest.raises(TypeError, match="casting rule"):
        at.jit(lambda a: np.add(a, 1, dtype="f", casting="safe"))(x)


def test_errors():
    with pytest.raises(ValueError, match="not reorderable"):
        at.jit(lambda a: np.subtract.reduce(a, axis=(0, 1)))(X)
    with pytest.raises(ValueError, match="no identity"):
        at.jit(lambda a: np.subtract.reduce(a))(X[:0])
    with pytest.raises(ValueError, match="where mask"):
        at.jit(lambda a: np.subtract.reduce(a, where=a > 0))(X)
    with pytest.raises(IndexError, match=r"out-of-bounds in add\.reduceat"):
        at.jit(lambda a: np.add.reduceat(a, [0, 4], axis=1))(X)
    with pytest.raises(TypeError, match="No loop"):
        at.jit(lambda a: np.equal.reduce(a))(X)
    with pytest.raises(TypeError, match="scalar"):
        at.jit(lambda a: np.subtract.accumulate(a))(1.0)
