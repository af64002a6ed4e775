from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives, same

import autotrace as at
import autotrace.numpy as anp

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("function", [np.convolve, np.correlate], ids=lambda f: f.__name__)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(5, 3), (3, 6), (4, 4), (1, 7)], ids=str)
def test_convolutions(function, mode, sizes):
    n, m = sizes
    a, v = RNG.standard_normal(n), RNG.standard_normal(m)
    f = lambda a, v: function(a, v, mode)  # noqa: E731
    agrees(f, a, v, rtol=1e-14)
    if sizes in ((5, 3), (3, 6)):
        agrees(f, a + 1j * a[::-1], v - 2j * v[::-1], rtol=1e-14)
        for dtype in "fbL?" if mode == "same" and sizes == (5, 3) else "":
            agrees(f, (3 * np.abs(a)).astype(dtype), (3 * np.abs(v)).astype(dtype), rtol=1e-14)
        derives(f, a, v)
        derives(f, a + 1j * a[::-1], v - 2j * v[::-1])
    if sizes == (5, 3) and mode == "same" and function is np.convolve:
        at.testing.check_grads(f, (a, v), order=2)


def test_convolve_errors():
    with pytest.raises(ValueError, match="cannot be empty"):
        at.jit(np.convolve)(np.ones(3), np.ones(0))
    with pytest.raises(ValueError, match="too deep"):
        at.jit(np.convolve)(np.ones((3, 1)), np.ones(2))
    with pytest.raises(ValueError, match="mode"):
        at.jit(lambda a: np.correlate(a, a, "most"))(np.ones(3))


WINDOWS = np.lib.stride_tricks.sliding_window_view


@pytest.mark.parametrize(
    "sizes, axis",
    [((2, 3, 1), None), (2, 1), ((2,), -1), ((3, 2), (2, 0)), ((2, 2), (1, 1)), ((0, 2), (0, -2))],
)
def test_sliding_windows(sizes, axis):
    x = RNG.standard_normal((4, 5, 3))
    f = lambda x: WINDOWS(x, sizes, axis)  # noqa: E731
    agrees(f, x)
    derives(f, x)
    if axis is None:
        for dtype in "?bfF":
            agrees(f, np.abs(x).astype(dtype))
        agrees(lambda x: WINDOWS(x, 1, 1), np.zeros((0, 3)))
        at.testing.check_grads(f, (x,), order=2)


def test_sliding_windows_are_views():
    def shown(x):
        y = np.zeros(4)
        windows = WINDOWS(y, 2)
        y[1] = x
        return windows

    same(at.jit(shown)(3.0), np.array([[0.0, 3.0], [3.0, 0.0], [0.0, 0.0]]))

    def written(x):
        WINDOWS(np.zeros(4), 2)[0] = x

    with pytest.raises(ValueError, match="read-only"):
        at.jit(written)(3.0)


@pytest.mark.parametrize(
    "sizes, axis, error",
    [
        ((2, 3), None, ValueError),
        (6, 0, ValueError),
        (-1, 0, ValueError),
        (2, 5, np.exceptions.AxisError),
        (2.5, 0, TypeError),
    ],
)
def test_sliding_windows_errors(sizes, axis, error):
    for f in (WINDOWS, at.jit(WINDOWS, static_argnums=(1, 2))):
        with pytest.raises(error):
            f(np.ones((4, 5, 3)), sizes, axis)
    with pytest.raises(TypeError, match="subok"):
        at.jit(lambda x: WINDOWS(x, 2, writeable=True))(np.ones(3))


@pytest.mark.parametrize("period", [2 * np.pi, 1.5, 4, 5])
def test_unwrap(period):
    steps = RNG.uniform(-8, 8, (3, 9))
    for x in (np.cumsum(steps, 1), np.cumsum(steps.astype("i"), 1), steps.astype("f")):
        if x.dtype.kind == "i" and period == 1.5:
            continue
        agrees(lambda a: np.unwrap(a, period=period), x, rtol=1e-14)
        agrees(lambda a: np.unwrap(a, discont=3, axis=0, period=period), x, rtol=1e-14)
    agrees(lambda a: np.unwrap(a, period=period), np.array([0.0, 2.0, 4.0, 0.0, -2.0]))
    derives(lambda a: np.unwrap(a, period=period), steps)


def test_bessel_and_kaiser():
    x = np.array([-12.0, -3.0, 0.0, 1.0, 8.0, 30.0])
    agrees(np.i0, x, rtol=2e-15)
    agrees(np.i0, x.astype("f"), rtol=2e-15)
    agrees(np.i0, np.arange(4), rtol=2e-15)
    at.testing.check_grads(np.i0, (x[:5] / 4,), order=2)
    with pytest.raises(TypeError, match="complex"):
        at.jit(np.i0)(x * 1j)
    for size in (0, 1, 2, 6, 7):
        agrees(lambda b, n=size: anp.kaiser(n, b), np.float64(6.5), rtol=3e-15)
    at.testing.check_grads(lambda b: np.kaiser(6, b), (4.0,), order=2)


def test_windows_of_a_traced_size():
    def f(x, n):
        return x * anp.hanning(n), x * anp.hamming(n), x * anp.blackman(n), x * anp.bartlett(n)

    same(at.jit(f)(2.0, 5), f(2.0, 5))
