"""Numba: what is written by hand for NumPy, compiled, where it is in Numba's language."""

from __future__ import annotations

import warnings

import numba

from bench.libraries import common

VERSION = numba.__version__
# Some products of matrices are of transposed ones, as they are with NumPy.
warnings.simplefilter("ignore", numba.NumbaPerformanceWarning)


def build(row):
    return common.job_maker(row, numba.njit(row.by_hand)) if row.numba else None
