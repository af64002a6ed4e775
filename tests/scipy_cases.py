"""SciPy's functions with arguments to test them with, by namespace: values are compared with
SciPy's by the tests of each namespace, derivatives are checked by those and test_all_derivatives.

A case is a name, the arrays, and the other arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

rng = np.random.default_rng(0)


def real(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def cplx(*shape: int) -> np.ndarray:
    return real(*shape) + 1j * real(*shape)


#: A function's name, its arrays, its other arguments.
Case = tuple[str, tuple, dict[str, Any]]

#: Where samples are, and the knots of splines.
PLACES = np.array([0.0, 0.3, 1.1, 1.5, 2.6, 2.9])
KNOTS = np.array([0.0, 0.7, 1.5, 1.9, 3.0, 3.4])

# --- signal -------------------------------------------------------------------------------------

CONVOLUTIONS = [
    ("convolve", (real(6), real(3)), {}),
    ("convolve", (real(3), real(5)), {"mode": "same"}),
    ("convolve", (real(4, 5), real(2, 3)), {"mode": "valid"}),
    ("convolve", (cplx(5), cplx(2)), {"mode": "same"}),
    ("convolve", (real(9), real(4)), {"method": "fft", "mode": "same"}),
    ("correlate", (real(6), real(3)), {}),
    ("correlate", (real(5), real(4)), {"mode": "same", "method": "direct"}),
    ("correlate", (cplx(3, 4), cplx(2, 2)), {"mode": "valid", "method": "direct"}),
    ("fftconvolve", (real(5, 4), real(3, 4)), {"axes": 0, "mode": "same"}),
    ("fftconvolve", (cplx(6), cplx(3)), {"mode": "valid"}),
    ("fftconvolve", (real(5, 1), real(2, 3)), {"axes": [0]}),
    ("oaconvolve", (real(9), real(3)), {}),
    ("convolve2d", (real(4, 5), real(3, 2)), {}),
    ("convolve2d", (real(4, 5), real(3, 2)), {"mode": "same", "boundary": "symm"}),
    ("convolve2d", (real(2, 3), real(4, 5)), {"mode": "valid"}),
    ("convolve2d", (real(4, 5), real(3, 2)), {"boundary": "wrap"}),
    ("correlate2d", (real(4, 5), real(2, 4)), {"mode": "same", "fillvalue": 2.0}),
    ("correlate2d", (cplx(4, 5), cplx(2, 4)), {"mode": "same", "boundary": "wrap"}),
    ("correlate2d", (real(2, 3), real(4, 5)), {"mode": "valid"}),
    ("correlate2d", (cplx(2, 2), cplx(3, 2)), {"mode": "valid"}),
]

SPECTRA = [
    ("detrend", (real(7),), {}),
    ("detrend", (real(7, 2),), {"axis": 0, "bp": [3, 4]}),
    ("detrend", (cplx(2, 5),), {"type": "constant"}),
    ("stft", (real(20),), {"nperseg": 8}),
    ("stft", (real(21, 2),), {"nperseg": 6, "axis": 0, "noverlap": 2, "boundary": "odd"}),
    ("stft", (real(2, 20),), {"nperseg": 5, "boundary": "even", "detrend": "linear"}),
    ("stft", (real(20),), {"nperseg": 8, "boundary": None, "padded": False, "nfft": 9}),
    (
        "stft",
        (cplx(15),),
        {
            "nperseg": 4,
            "return_onesided": False,
            "boundary": "constant",
            "scaling": "psd",
            "fs": 2.0,
        },
    ),
    ("istft", (cplx(5, 6),), {}),
    ("istft", (cplx(5, 6),), {"nperseg": 9, "boundary": False, "scaling": "psd", "fs": 3.0}),
    ("istft", (cplx(2, 6, 4),), {"input_onesided": False, "time_axis": 1, "freq_axis": 2}),
    ("welch", (real(40),), {"nperseg": 8, "fs": 10.0}),
    ("welch", (real(30, 2),), {"nperseg": 7, "axis": 0, "scaling": "spectrum", "detrend": False}),
    ("welch", (real(40),), {"nperseg": 8, "average": "median", "window": ("gaussian", 2.0)}),
    ("welch", (cplx(20),), {"nperseg": 6, "return_onesided": False}),
    ("csd", (real(20), real(24)), {"nperseg": 8}),
    ("csd", (real(2, 20), real(20)), {"nperseg": 5, "average": "median", "detrend": "linear"}),
    ("periodogram", (real(12),), {"nfft": 16}),
    ("periodogram", (real(12),), {"nfft": 8, "window": "hann", "scaling": "spectrum"}),
    ("hilbert", (real(7),), {}),
    ("hilbert", (real(6, 2),), {"axis": 0, "N": 8}),
]

FILTERS = [
    ("lfilter", (real(3), np.array([1.5, 0.4, -0.2]), real(6)), {}),
    ("lfilter", (real(2), np.array([1.0, 0.4, -0.2, 0.1]), real(2, 5)), {}),
    ("lfilter", (np.array([2.0]), np.array([4.0]), real(4, 2)), {"axis": 0}),
    ("savgol_filter", (real(9),), {"window_length": 5, "polyorder": 2}),
    ("savgol_filter", (real(8, 2),), {"window_length": 4, "polyorder": 2, "axis": 0, "deriv": 1}),
    ("savgol_filter", (real(8),), {"window_length": 5, "polyorder": 3, "mode": "mirror"}),
    (
        "savgol_filter",
        (real(8),),
        {"window_length": 3, "polyorder": 1, "mode": "constant", "cval": 2.0, "delta": 0.5},
    ),
]

SIGNAL: list[Case] = [*CONVOLUTIONS, *SPECTRA, *FILTERS]


# --- ndimage ------------------------------------------------------------------------------------

NDIMAGE: list[Case] = [
    ("correlate1d", (real(4, 5), real(3)), {"axis": 0}),
    ("correlate1d", (real(5), real(4)), {"mode": "wrap", "origin": 1}),
    ("correlate1d", (cplx(5), cplx(2)), {"mode": "mirror"}),
    ("convolve1d", (real(5), real(4)), {"mode": "constant", "cval": 2.0, "origin": -2}),
    ("convolve1d", (real(5), cplx(3)), {"mode": "nearest"}),
    ("convolve", (real(4, 5), real(3, 2)), {"origin": (1, 0)}),
    ("convolve", (real(4, 5, 2), real(3, 2)), {"axes": (1, 0), "mode": "mirror"}),
    ("correlate", (real(4, 5), real(2, 4)), {"mode": "constant", "cval": 1.0}),
    ("correlate", (cplx(3, 4), cplx(2, 2)), {}),
    ("uniform_filter1d", (real(6),), {"size": 3, "origin": 1}),
    ("uniform_filter", (real(4, 5),), {"size": (2, 1), "mode": ["wrap", "mirror"]}),
    ("gaussian_filter1d", (real(6, 2),), {"sigma": 0.8, "axis": 0, "order": 2}),
    ("gaussian_filter", (real(4, 5),), {"sigma": (0.5, 0.0), "order": (1, 0)}),
    ("gaussian_filter", (real(4, 5),), {"sigma": 0.7, "axes": (1,), "radius": 2}),
    ("sobel", (real(4, 5),), {"axis": 0, "mode": ["wrap", "nearest"]}),
    ("prewitt", (real(4, 5),), {}),
    ("laplace", (real(4, 5),), {"mode": "mirror"}),
    ("spline_filter1d", (real(3, 7),), {"order": 5}),
    ("spline_filter1d", (real(6, 2),), {"order": 2, "axis": 0, "mode": "grid-wrap"}),
    ("spline_filter", (real(5, 6),), {"order": 3}),
    ("map_coordinates", (real(4, 5), rng.uniform(0.1, 2.9, (2, 3))), {}),
    ("map_coordinates", (real(4, 5), rng.uniform(0.1, 2.9, (2, 2, 2))), {"order": 1}),
    ("map_coordinates", (real(6), rng.uniform(-9.2, 9.2, (1, 7))), {"order": 2, "mode": "mirror"}),
    (
        "map_coordinates",
        (cplx(6), rng.uniform(-3, 9, (1, 7))),
        {"order": 3, "mode": "constant", "cval": 2.0, "prefilter": False},
    ),
]

# --- fft ----------------------------------------------------------------------------------------

FFT: list[Case] = [
    ("fft", (cplx(3, 5),), {"n": 4, "norm": "ortho"}),
    ("ifft", (real(5),), {"workers": 1}),
    ("rfft", (real(2, 5),), {"axis": 0}),
    ("irfft", (cplx(3),), {"n": 5, "overwrite_x": False}),
    ("hfft", (cplx(4),), {"norm": "forward"}),
    ("ihfft", (real(5),), {"norm": "ortho"}),
    ("fft2", (cplx(3, 4),), {}),
    ("ifft2", (real(3, 4),), {"s": (2, 4)}),
    ("rfft2", (real(3, 4),), {}),
    ("irfft2", (cplx(3, 4),), {"norm": "ortho"}),
    ("hfft2", (cplx(3, 4),), {"norm": "forward"}),
    ("ihfft2", (real(3, 4),), {}),
    ("fftn", (cplx(2, 3, 2),), {"axes": 1}),
    ("ifftn", (cplx(2, 3),), {"s": 4}),
    ("rfftn", (real(2, 3, 4),), {"s": (3, 3)}),
    ("irfftn", (cplx(2, 3),), {}),
    ("hfftn", (real(2, 3),), {"norm": "ortho"}),
    ("ihfftn", (real(3, 5),), {"axes": (1, 0)}),
    ("dctn", (real(3, 4),), {"type": 2, "axes": (0,), "norm": "ortho"}),
    ("idctn", (real(3, 4),), {"type": 3}),
    ("dstn", (real(3, 4),), {"type": 2, "s": (4, 2)}),
    ("idstn", (cplx(3, 4),), {"type": 1, "norm": "forward"}),
    ("fftshift", (real(5),), {}),
    ("ifftshift", (real(5),), {}),
]

# --- integrate ----------------------------------------------------------------------------------

INTEGRATE: list[Case] = [
    ("trapezoid", (real(2, 6),), {"dx": 0.5}),
    ("trapezoid", (real(2, 6), PLACES), {}),
    ("trapezoid", (real(6, 2), real(6, 2)), {"axis": 0}),
    ("cumulative_trapezoid", (real(6),), {"initial": 0}),
    ("cumulative_trapezoid", (real(6, 2), PLACES), {"axis": 0}),
    ("cumulative_trapezoid", (real(2, 6), real(2, 6)), {"initial": 0}),
    ("simpson", (real(2, 5),), {"dx": 0.5}),
    ("simpson", (real(2, 6),), {"dx": 0.5}),
    ("simpson", (real(2, 2),), {"dx": 0.5}),
    ("simpson", (real(6, 2), PLACES), {"axis": 0}),
    ("simpson", (real(5), PLACES[:5]), {}),
    ("simpson", (real(2, 4), np.stack([PLACES[:4], PLACES[2:] ** 2])), {}),
    ("simpson", (real(4) + 1j * real(4),), {}),
]

# --- cluster ------------------------------------------------------------------------------------

VQ: list[Case] = [
    ("vq", (real(7, 3), real(4, 3)), {}),
    ("vq", (real(7), real(4)), {"check_finite": False}),
    ("whiten", (real(5, 3),), {}),
]

# --- interpolate --------------------------------------------------------------------------------

SPLINES: list[Case] = [
    ("CubicHermiteSpline", (KNOTS, real(6), real(6)), {}),
    ("CubicHermiteSpline", (KNOTS[:2], real(2, 2), real(2, 2)), {"extrapolate": False}),
    ("PchipInterpolator", (KNOTS, real(6)), {}),
    ("PchipInterpolator", (KNOTS, real(2, 6)), {"axis": 1}),
    ("PchipInterpolator", (KNOTS[:3], np.array([0.0, 1.0, 1.2])), {}),
    ("PchipInterpolator", (KNOTS[:2], real(2)), {}),
    ("Akima1DInterpolator", (KNOTS, real(6)), {}),
    ("Akima1DInterpolator", (KNOTS, real(6, 2)), {"method": "makima", "extrapolate": True}),
    ("Akima1DInterpolator", (KNOTS[:3], real(3)), {"extrapolate": True}),
    ("CubicSpline", (KNOTS, real(6)), {}),
    ("CubicSpline", (KNOTS, real(2, 6, 2)), {"axis": -2, "bc_type": "natural"}),
    ("CubicSpline", (KNOTS, real(6)), {"bc_type": ("clamped", (2, 0.5))}),
    ("CubicSpline", (KNOTS, real(6, 2)), {"bc_type": ((1, [2.0, 1.0]), "not-a-knot")}),
    ("CubicSpline", (KNOTS, real(6) + 1j * real(6)), {"extrapolate": False}),
    ("CubicSpline", (KNOTS[:4], real(4)), {}),
    ("CubicSpline", (KNOTS[:3], real(3)), {}),
    ("CubicSpline", (KNOTS[:3], real(3)), {"bc_type": ("natural", "not-a-knot")}),
    ("CubicSpline", (KNOTS[:2], real(2)), {}),
    ("CubicSpline", (KNOTS[:2], real(2)), {"bc_type": ((2, 1.0), (1, 0.5))}),
]
