"""``scipy.signal`` on arrays and on traced values: convolutions, spectra, filters."""

from .convolving import convolve, convolve2d, correlate, correlate2d, fftconvolve, oaconvolve
from .filtering import lfilter, savgol_filter
from .spectral import csd, detrend, hilbert, istft, periodogram, stft, welch

__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "csd",
    "detrend",
    "fftconvolve",
    "hilbert",
    "istft",
    "lfilter",
    "oaconvolve",
    "periodogram",
    "savgol_filter",
    "stft",
    "welch",
]
