"""Signals and images."""

import numpy as np

from .program import Program

rng = np.random.default_rng(8)


def fir_filter(x, h):
    """A filter of finite response by two loops."""
    n, m = len(x), len(h)
    y = np.zeros(n)
    for i in range(n):
        for k in range(m):
            if i - k >= 0:
                y[i] += h[k] * x[i - k]
    return y


def iir_biquad(x, b, a):
    """A recursive filter of second order."""
    y = np.zeros_like(x)
    for n in range(len(x)):
        y[n] = b[0] * x[n]
        if n >= 1:
            y[n] += b[1] * x[n - 1] - a[1] * y[n - 1]
        if n >= 2:
            y[n] += b[2] * x[n - 2] - a[2] * y[n - 2]
    return y


def savitzky_golay(y):
    """Savitzky and Golay's smoothing over five points, by slices."""
    out = y.copy()
    out[2:-2] = (-3 * y[:-4] + 12 * y[1:-3] + 17 * y[2:-2] + 12 * y[3:-1] - 3 * y[4:]) / 35
    return out


def haar(x):
    """Haar's wavelet transform, in place."""
    out = x.copy()
    n = len(out)
    while n > 1:
        even = out[:n:2].copy()
        odd = out[1:n:2].copy()
        out[: n // 2] = (even + odd) / np.sqrt(2)
        out[n // 2 : n] = (even - odd) / np.sqrt(2)
        n //= 2
    return out


def denoise(x, threshold):
    """Denoising by thresholds on one level of Haar's wavelets."""
    a = (x[0::2] + x[1::2]) / 2
    d = (x[0::2] - x[1::2]) / 2
    d[np.abs(d) < threshold] = 0
    y = np.empty_like(x)
    y[0::2] = a + d
    y[1::2] = a - d
    return y


def convolve_2d(img, kernel):
    """Convolution of an image by shifted slices."""
    kh, kw = kernel.shape
    h, w = img.shape
    padded = np.pad(img, ((kh // 2, kh // 2), (kw // 2, kw // 2)), mode="edge")
    out = np.zeros_like(img)
    for i in range(kh):
        for j in range(kw):
            out += kernel[i, j] * padded[i : i + h, j : j + w]
    return out


def median_filter(x, width):
    """A running median."""
    half = width // 2
    y = x.copy()
    for i in range(half, len(x) - half):
        y[i] = np.median(x[i - half : i + half + 1])
    return y


def bilinear(img, ys, xs):
    """Bilinear interpolation of an image at given points."""
    h, w = img.shape
    out = np.zeros(len(ys))
    for k in range(len(ys)):
        y = min(max(ys[k], 0.0), h - 1.001)
        x = min(max(xs[k], 0.0), w - 1.001)
        i, j = int(y), int(x)
        dy, dx = y - i, x - j
        out[k] = (
            img[i, j] * (1 - dy) * (1 - dx)
            + img[i + 1, j] * dy * (1 - dx)
            + img[i, j + 1] * (1 - dy) * dx
            + img[i + 1, j + 1] * dy * dx
        )
    return out


def bilinear_arrays(img, ys, xs):
    """Bilinear interpolation of an image at many points at once."""
    i = np.clip(np.floor(ys).astype(int), 0, img.shape[0] - 2)
    j = np.clip(np.floor(xs).astype(int), 0, img.shape[1] - 2)
    dy, dx = ys - i, xs - j
    top = img[i, j] * (1 - dx) + img[i, j + 1] * dx
    bottom = img[i + 1, j] * (1 - dx) + img[i + 1, j + 1] * dx
    return top * (1 - dy) + bottom * dy


def find_peaks(x, height):
    """Positions and heights of a signal's peaks, and their mean distance."""
    inner = x[1:-1]
    is_peak = (inner > x[:-2]) & (inner > x[2:]) & (inner > height)
    where = np.flatnonzero(is_peak) + 1
    if len(where) < 2:
        return where, x[where], 0.0
    return where, x[where], np.mean(np.diff(where))


def zero_crossings(t, x):
    """Times at which a signal crosses zero, by linear interpolation."""
    crossing = np.where(x[:-1] * x[1:] < 0)[0]
    t0, t1 = t[crossing], t[crossing + 1]
    x0, x1 = x[crossing], x[crossing + 1]
    return t0 - x0 * (t1 - t0) / (x1 - x0)


def envelope(x, attack, release):
    """An envelope follower with two time constants."""
    env = 0.0
    out = np.zeros(x.size)
    for i, sample in enumerate(np.abs(x)):
        if sample > env:
            env = attack * env + (1 - attack) * sample
        else:
            env = release * env + (1 - release) * sample
        out[i] = env
    return out


def otsu(img, bins):
    """Otsu's threshold of a grey image, from its histogram."""
    hist = np.zeros(bins)
    for v in img.ravel():
        hist[int(v * bins)] += 1
    hist /= hist.sum()
    levels = np.arange(bins)
    best, threshold = -1.0, 0
    for t in range(1, bins):
        w0 = hist[:t].sum()
        w1 = 1 - w0
        if w0 == 0 or w1 == 0:
            continue
        m0 = (levels[:t] * hist[:t]).sum() / w0
        m1 = (levels[t:] * hist[t:]).sum() / w1
        between = w0 * w1 * (m0 - m1) ** 2
        if between > best:
            best, threshold = between, t
    return threshold, best


def fourier_series(x, harmonics):
    """Amplitudes of some harmonics of a signal, by their definition."""
    n = len(x)
    t = np.arange(n)
    amplitudes = []
    for k in range(1, harmonics + 1):
        c = np.sum(x * np.exp(-2j * np.pi * k * t / n)) / n
        amplitudes.append(np.abs(c))
    return np.array(amplitudes)


PROGRAMS = [
    Program(
        fir_filter,
        (rng.normal(size=30), rng.normal(size=5)),
        (rng.normal(size=30), rng.normal(size=5)),
        wrt=(0, 1),
    ),
    Program(
        iir_biquad,
        (rng.normal(size=30), np.array([0.2, 0.4, 0.2]), np.array([1.0, -0.5, 0.2])),
        (rng.normal(size=30), np.array([0.3, 0.1, 0.2]), np.array([1.0, -0.2, 0.3])),
        wrt=(0, 1, 2),
    ),
    Program(savitzky_golay, (rng.normal(size=1000),), (rng.normal(size=1000),), wrt=(0,)),
    Program(haar, (rng.normal(size=256),), (rng.normal(size=256),), wrt=(0,)),
    Program(denoise, (rng.normal(size=512), 0.4), (rng.normal(size=512), 0.9), wrt=(0,)),
    Program(
        convolve_2d,
        (rng.normal(size=(64, 48)), rng.normal(size=(3, 3))),
        (rng.normal(size=(64, 48)), rng.normal(size=(3, 3))),
        wrt=(0, 1),
    ),
    Program(median_filter, (rng.normal(size=60), 5), (rng.normal(size=60), 5), wrt=(0,)),
    Program(
        bilinear,
        (rng.normal(size=(6, 7)), rng.uniform(0, 5, size=5), rng.uniform(-1, 6, size=5)),
        (rng.normal(size=(6, 7)), rng.uniform(0, 5, size=5), rng.uniform(-1, 6, size=5)),
        wrt=(0, 1, 2),
    ),
    Program(
        bilinear_arrays,
        (rng.normal(size=(40, 50)), rng.uniform(0, 39, size=500), rng.uniform(0, 49, size=500)),
        (rng.normal(size=(40, 50)), rng.uniform(0, 39, size=500), rng.uniform(0, 49, size=500)),
        wrt=(0, 1, 2),
    ),
    Program(
        find_peaks,
        (np.sin(0.3 * np.arange(200)) + 0.1 * rng.normal(size=200), 0.5),
        (np.sin(0.2 * np.arange(200)) + 0.1 * rng.normal(size=200), 0.9),
        wrt=(0,),
    ),
    Program(
        zero_crossings,
        (np.linspace(0, 10, 200), np.sin(3 * np.linspace(0, 10, 200) + 0.1)),
        (np.linspace(0, 10, 200), np.sin(2 * np.linspace(0, 10, 200) + 0.1)),
        wrt=(0, 1),
    ),
    Program(
        envelope, (rng.normal(size=25), 0.5, 0.95), (rng.normal(size=25), 0.3, 0.9), wrt=(0, 1, 2)
    ),
    Program(otsu, (rng.beta(2, 5, size=(6, 8)), 8), (rng.beta(5, 2, size=(6, 8)), 8)),
    Program(fourier_series, (rng.normal(size=128), 6), (rng.normal(size=128), 6), wrt=(0,)),
]
