"""``autotrace.scipy.signal`` against ``scipy.signal``."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.signal
from numpy_checks import same
from scipy_cases import SIGNAL, real, rng
from scipy_checks import TOLERANCE, case_ids, check, derivatives

import autotrace as at


@pytest.mark.parametrize(("name", "args", "options"), SIGNAL, ids=case_ids)
@pytest.mark.filterwarnings("ignore:Input data is complex")
@pytest.mark.filterwarnings("ignore:NOLA condition")
def test_values_and_derivatives(name, args, options):
    check(getattr(scipy.signal, name), getattr(at.scipy.signal, name), args, options)


def test_integers():
    for name, method in itertools.product(["convolve", "correlate"], ["auto", "direct", "fft"]):
        ours, plain = getattr(at.scipy.signal, name), getattr(scipy.signal, name)
        for dtype in (np.int32, np.int64):
            x, y = rng.integers(-9, 9, 80).astype(dtype), rng.integers(-9, 9, 7).astype(dtype)
            got = at.jit(lambda x, y, f=ours, m=method: f(x, y, method=m))(x, y)
            same(got, plain(x, y, method=method))
    x, y = np.arange(6), np.ones(3)
    for name in ("convolve", "fftconvolve"):
        got = at.jit(getattr(at.scipy.signal, name))(x, y)
        same(got, getattr(scipy.signal, name)(x, y), TOLERANCE)


def test_long_signals_go_by_transforms():
    x, y = real(300), real(270)
    f = at.jit(at.scipy.signal.convolve)
    same(f(x, y), scipy.signal.convolve(x, y), TOLERANCE)
    assert "fft" in str(at.make_jaxpr(at.scipy.signal.convolve)(x, y))
    assert "fft" not in str(at.make_jaxpr(at.scipy.signal.convolve)(x, y[:9]))


def test_a_traced_window_and_sampling_rate():
    x, window = real(24), real(8) + 2

    def f(x, window, fs):
        frequencies, _, z = at.scipy.signal.stft(x, fs, window, None)
        power = at.scipy.signal.welch(x, fs, window)[1]
        return frequencies, z, power

    expected = [
        scipy.signal.stft(x, 2.0, window, None)[0],
        scipy.signal.stft(x, 2.0, window, None)[2],
        scipy.signal.welch(x, 2.0, window)[1],
    ]
    same(at.jit(f)(x, window, 2.0), expected, TOLERANCE)
    at.testing.check_grads(lambda *xs: f(*xs)[2], (x, window, 2.0), order=2)


def test_there_and_back():
    x = real(50)

    def f(x):
        return at.scipy.signal.istft(at.scipy.signal.stft(x, nperseg=10)[2], nperseg=10)[1]

    same(at.jit(f)(x), x, TOLERANCE)
    np.testing.assert_allclose(at.jacrev(f)(x), np.eye(50), atol=1e-12)


def test_a_detrending_function():
    def double(parts):
        return 2 * parts

    x = real(20, 2)
    for name in ("stft", "welch"):

        def f(x, name=name):
            return getattr(at.scipy.signal, name)(x, nperseg=8, detrend=double, axis=0)[-1]

        expected = getattr(scipy.signal, name)(x, nperseg=8, detrend=double, axis=0)[-1]
        same(at.jit(f)(x), expected, TOLERANCE)


def test_the_state_of_a_filter():
    b, a, x, zi = real(3), np.array([1.0, 0.5]), real(2, 5), real(2, 2)
    options = {"axis": 1}
    plain, ours = scipy.signal.lfilter, at.scipy.signal.lfilter

    def f(b, a, x, zi):
        return ours(b, a, x, zi=zi, **options)

    same(at.jit(f)(b, a, x, zi), plain(b, a, x, zi=zi, **options), TOLERANCE)
    derivatives(f, b, a, x, zi)
    with pytest.raises(ValueError, match="shape for zi"):
        at.jit(f)(b, a, x, zi[:, :1])


def test_errors():
    s = at.scipy.signal
    x, y = np.ones(4), np.ones((2, 2))
    for f, message in [
        (lambda x: s.convolve(x, y), "dimensionality"),
        (lambda x: s.convolve(x, x, "all"), "mode"),
        (lambda x: s.convolve(x, x, method="slow"), "method"),
        (lambda x: s.convolve(x[:0], x), "empty"),
        (lambda x: s.correlate(x[:2, None] * y, np.ones((1, 5)), "valid"), "valid"),
        (lambda x: s.convolve2d(x, x), "2-D"),
        (lambda x: s.convolve2d(x[:2] * y, y, boundary="open"), "boundary"),
        (lambda x: s.detrend(x, type="cubic"), "Trend type"),
        (lambda x: s.detrend(x, bp=9), "Breakpoints"),
        (lambda x: s.stft(x, nperseg=0), "positive"),
        (lambda x: s.stft(x, nperseg=2, noverlap=2), "noverlap"),
        (lambda x: s.stft(x, nperseg=4, nfft=2), "nfft"),
        (lambda x: s.stft(x, nperseg=2, boundary="soft"), "boundary"),
        (lambda x: s.stft(x, window=np.ones(9)), "longer"),
        (lambda x: s.welch(x, nperseg=2, average="mode"), "average"),
        (lambda x: s.welch(x, nperseg=2, scaling="mode"), "scaling"),
        (lambda x: s.istft(x), "2d"),
        (lambda x: s.lfilter([], [1.0], x), "empty"),
        (lambda x: s.savgol_filter(x, 5, 2), "window_length"),
        (lambda x: s.savgol_filter(x, 3, 2, mode="best"), "mode"),
    ]:
        with pytest.raises(ValueError, match=message):
            at.jit(f)(x)
    assert at.jit(s.fftconvolve)(x[:0], x).shape == (0,)
    with pytest.warns(UserWarning, match="nperseg"):
        at.jit(lambda x: s.stft(x))(x)
