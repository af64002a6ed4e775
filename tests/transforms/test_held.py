"""Held arrays: as arrays, and as what may take traced values."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from assignment_checks import X

import autotrace as at
from autotrace.transforms.held import HeldTracer


def test_what_is_held_behaves_as_an_array():
    seen = []

    def f(x):
        y = np.arange(6.0).reshape(2, 3)
        assert isinstance(y, HeldTracer)
        seen.append(
            [y.flags.writeable, y.strides, y.tolist(), repr(y), y.tobytes(), f"{y[0, 1]:.1f}"]
        )
        assert float(y[0, 1]) == 1.0 and bool(np.all(y >= 0)) and len(y) == 2 and 5.0 in y
        assert (
            y.sum() == 15.0 and y.mean(axis=0).shape == (3,) and [*range(np.array(3))] == [0, 1, 2]
        )
        assert isinstance(np.fft.fft(y).real.max(), np.floating)
        assert np.linalg.norm(y) == np.sqrt(55.0)
        np.testing.assert_array_equal(y, np.arange(6.0).reshape(2, 3))
        assert type(pickle.loads(pickle.dumps(y))) is np.ndarray
        with pytest.raises(ValueError, match="ambiguous"):
            bool(y)
        z = np.asarray(y, dtype=np.float32)
        assert z.dtype == np.float32
        if y[1, 2] > 4.0:
            y[0] = x[0]
        return np.sum(y)

    np.testing.assert_array_equal(at.grad(f)(X), [3.0, 0, 0, 0, 0, 0])
    assert seen[0][0] is False and seen[0][1] == (24, 8)


def test_arrays_from_outside_the_inner_function():
    def f(x):
        y = np.zeros(3)

        def inner(z):
            y[0] = z
            return z * z

        return at.grad(inner)(x[0]) + y[0]

    with pytest.raises(at.AssignmentError, match=r"(?s)outside.*as an argument"):
        at.grad(f)(X)

    def by_a_view(x):
        y = np.zeros(3)

        def inner(z):
            part = y[1:]
            part[0] = z
            return z * z

        return at.grad(inner)(x[0]) + y[0]

    with pytest.raises(at.AssignmentError, match="outside"):
        at.grad(by_a_view)(X)

    def g(x):
        y = np.zeros(3)
        at.jit(lambda z: y.fill(1.0))(x[0])
        return y[0]

    with pytest.raises(at.AssignmentError, match="jit"):
        at.jvp(g, (X,), (X,))

    def leaks(x):
        y = x * 2.0

        def inner(z):
            y[0] = z
            return z * z

        return at.grad(inner)(x[0]) + np.sum(y)

    with pytest.raises(at.LeakedTracerError, match="assigned to"):
        at.grad(leaks)(X)
