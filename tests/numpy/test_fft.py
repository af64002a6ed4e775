"""``numpy.fft`` on traced values: values, dtypes, derivatives, batching, errors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives, same

import autotrace as at

rng = np.random.default_rng(0)
TOLERANCE = 1e-14


def real(*shape):
    return rng.standard_normal(shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def case_ids(part):
    return part if type(part) is str else ""


#: Each function with the operand's shape and the arguments to call it with.
CASES = [
    ("fft", cplx(3, 5), {}),
    ("fft", real(3, 4), {"n": 6, "axis": 0, "norm": "ortho"}),
    ("ifft", cplx(3, 5), {"n": 3, "norm": "forward"}),
    ("ifft", real(6), {}),
    ("rfft", real(2, 6), {}),
    ("rfft", real(5, 2), {"axis": 0, "norm": "ortho"}),
    ("rfft", real(7), {"n": 4, "norm": "forward"}),
    ("irfft", cplx(2, 4), {}),
    ("irfft", cplx(4, 2), {"n": 7, "axis": 0, "norm": "ortho"}),
    ("irfft", real(5), {"n": 4, "norm": "forward"}),
    ("hfft", cplx(2, 4), {"norm": "ortho"}),
    ("hfft", real(4), {"n": 5}),
    ("ihfft", real(2, 5), {}),
    ("ihfft", real(6), {"n": 4, "norm": "forward"}),
    ("fft2", cplx(2, 3, 4), {}),
    ("fft2", real(3, 4), {"s": (2, 5), "norm": "ortho"}),
    ("ifft2", cplx(3, 4), {"axes": (0, 1)}),
    ("rfft2", real(3, 4), {"norm": "forward"}),
    ("rfft2", real(3, 4, 2), {"s": (-1, 5), "axes": (2, 0)}),
    ("irfft2", cplx(3, 4), {"s": (4, 5)}),
    ("fftn", cplx(2, 3, 2), {}),
    ("fftn", cplx(2, 3), {"axes": (1, 1, 0)}),
    ("ifftn", real(2, 3, 2), {"axes": (2, 0), "norm": "ortho"}),
    ("rfftn", real(3, 2, 5), {}),
    ("rfftn", real(3, 4), {"axes": (1, 0, 1), "s": (4, 3, 4)}),
    ("irfftn", cplx(3, 2, 3), {"norm": "ortho"}),
    ("irfftn", cplx(3, 4), {"axes": (1, 0)}),
    ("fftshift", real(4, 5), {}),
    ("fftshift", cplx(4, 5), {"axes": 1}),
    ("ifftshift", real(5, 3), {"axes": (0,)}),
]


@pytest.mark.parametrize(
    ("name", "x", "arguments"), CASES, ids=lambda c: c if type(c) is str else ""
)
def test_values_and_derivatives(name, x, arguments):
    def f(x):
        return getattr(np.fft, name)(x, **arguments)

    def g(x):
        return getattr(at.numpy.fft, name)(x, **arguments)

    agrees(f, x, rtol=TOLERANCE)
    same(at.jit(g)(x), f(x), TOLERANCE)
    same(g(x), f(x))
    derives(f, x)
    at.testing.check_grads(lambda x: np.sum(np.abs(f(x)) ** 2), (x,), order=2)


@pytest.mark.parametrize(
    "name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fftn", "irfftn"]
)
def test_dtypes(name):
    """Of the result as NumPy's: single precision stays."""
    f = getattr(np.fft, name)
    traced = at.jit(f)
    for code in "?bBhHiIlLefdFD":
        x = np.ones((2, 4), code)
        try:
            expected = f(x)
        except TypeError:
            with pytest.raises(TypeError, match="real"):
                traced(x)
            continue
        same(traced(x), expected, 1e-13)
    x = np.ones(4, np.float32)
    assert at.grad(lambda x: np.sum(np.abs(f(x))))(x).dtype == x.dtype


@pytest.mark.parametrize("name", ["fft", "rfft", "irfft"])
def test_without_elements(name):
    f = getattr(np.fft, name)
    agrees(f, np.zeros((0, 4)), rtol=TOLERANCE)
    for x, arguments in [(np.zeros((4, 0)), {}), (np.zeros(4), {"n": 0})]:
        for call in (f, at.jit(f, static_argnames="n")):
            with pytest.raises(ValueError, match="Invalid number of FFT data points"):
                call(x, **arguments)


def test_bad_arguments():
    f = at.jit(lambda x: np.fft.fft(x, axis=2))
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        f(np.ones((2, 2)))
    with pytest.raises(ValueError, match="Invalid norm value unit"):
        at.jit(lambda x: np.fft.rfft(x, norm="unit"))(np.ones(2))
    with pytest.raises(ValueError, match="Shape and axes have different lengths"):
        at.jit(lambda x: np.fft.fftn(x, s=(2,), axes=(0, 1)))(np.ones((2, 2)))
    with pytest.raises(TypeError, match="do not fit"):
        at.lax.fft(np.ones(3), "fft", (4,))
    with pytest.raises(ValueError, match="no type 'dct'"):
        at.lax.fft(np.ones(3), "dct", (3,))


def test_out():
    def f(x):
        y = np.zeros(4, complex)
        z = np.fft.fft(x, out=y)
        np.fft.ifft(z, None, -1, None, y)
        np.fft.fftn(y, out=z)
        return y

    x = real(4)
    agrees(f, x, rtol=TOLERANCE)
    at.testing.check_grads(f, (x,), order=2)
    with pytest.raises(ValueError, match="broadcast"):
        at.jit(lambda x: np.fft.fft(x, out=np.zeros(3, complex)))(x)


def test_frequencies():
    def f(x, d):
        n = x.shape[0]
        return np.fft.fftfreq(n, d) * x, at.numpy.fft.rfftfreq(n, d)

    agrees(f, real(5), np.float64(0.5))


def test_a_spectral_derivative_of_a_batch():
    """A program as users write it, compiled, with a batch and a gradient."""
    n = 16
    k = 2j * np.pi * np.fft.fftfreq(n, 1 / n)

    def slope(x):
        return np.fft.ifft(k * np.fft.fft(x)).real

    t = np.arange(n) / n
    x = np.stack([np.sin(2 * np.pi * t), np.cos(4 * np.pi * t)])
    expected = np.stack([2 * np.pi * np.cos(2 * np.pi * t), -4 * np.pi * np.sin(4 * np.pi * t)])
    np.testing.assert_allclose(at.jit(at.vmap(slope))(x), expected, atol=1e-12)
    energy = at.jit(at.vmap(at.grad(lambda x: np.sum(slope(x) ** 2) / 2)))(x)
    np.testing.assert_allclose(energy, -np.array([[4], [16]]) * -(np.pi**2) * x, atol=1e-10)
