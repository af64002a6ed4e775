"""How closely the results of jitted functions must agree with NumPy's: all of it said here.

The interpreter ("numpy") calls NumPy, so its results have the same bits. The compiled backend
("numba") has the same bits, too, for what rounds once or not at all: arithmetic, square roots,
comparisons, integers, copies. Its elementary functions and NumPy's are each some last digits off
(docs/vecmath.md), and it does not say which of 0.0 and -0.0 is the larger.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autotrace import config

#: What the compiled backend's elementary functions and NumPy's may differ by, in units of the
#: last place: below 1.6 of the one and 2 of the other, rounded up. Both compute float16 in float32.
ELEMENTARY = 4
#: The same for the functions that SciPy has: its own errors are larger, and those of ``digamma``.
SPECIAL = 8

#: NumPy's ufuncs and the primitives that have an error of more than one rounding.
_ELEMENTARY_NAMES = frozenset(
    "acos acosh arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh "
    "cbrt cos cosh exp exp2 expm1 float_power hypot integer_pow log log10 log1p log2 logaddexp "
    "logaddexp2 pow power sin sinh tan tanh cumlogsumexp".split()
)
_SPECIAL_NAMES = frozenset(
    "digamma erf erf_inv erfc lgamma logistic normal_quantile polygamma".split()
)
#: The primitives that add or multiply several numbers, in an order that is not promised.
_SUM_NAMES = frozenset(
    "cumprod cumsum dot_general linear_recurrence overlap_add reduce_prod reduce_sum "
    "reduce_window_prod reduce_window_sum scatter window_reached "
    "cholesky cholesky_cotangent cholesky_tangent conv_general_dilated det lu polar qr slogdet "
    "solve triangular_solve".split()
)
#: Whose relative error has no bound where the result crosses zero; the absolute one has.
_CROSSING_NAMES = frozenset("digamma lgamma logaddexp logaddexp2".split())
#: What may return either zero where both are among its arguments.
_EITHER_ZERO_NAMES = frozenset(
    "maximum minimum fmax fmin max min clamp reduce_max reduce_min cummax cummin "
    "reduce_window_max reduce_window_min".split()
)


def ulps(name: str, dtype: Any, backend: str | None = None) -> int:
    """How far a backend's result may be from NumPy's, in units of the last place.

    Args:
      name: that of a ufunc or of a primitive.
      dtype: the result's.
      backend: the configured one when None.
    """
    if (backend or config.backend) == "numpy" or np.dtype(dtype).kind not in "fc":
        return 0
    if name in _SUM_NAMES | _ELEMENTARY_NAMES:
        bound = ELEMENTARY
    else:
        bound = SPECIAL if name in _SPECIAL_NAMES else 0
    return min(bound, 1) if np.dtype(dtype) == np.float16 else bound


def assert_within(actual: Any, expected: Any, ulps: int, scale: float = 0.0) -> None:
    """Assert equal shapes, dtypes, NaNs and infinities, and otherwise a distance in units of the
    last place of the expected number (of the larger part of a complex one).

    Args:
      ulps: how many; with 0 the numbers are equal.
      scale: the units are at least those of this number.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    assert actual.dtype == expected.dtype, (actual.dtype, expected.dtype)
    inexact = np.zeros(expected.shape, bool)
    if ulps:
        inexact = np.isfinite(expected) & np.isfinite(actual)
        if expected.dtype.kind == "c":
            size = np.maximum(np.abs(expected.real), np.abs(expected.imag))
        else:
            size = np.abs(expected)
        units = np.spacing(np.maximum(size, size.dtype.type(scale))[inexact])
        with np.errstate(over="ignore"):
            distance = np.abs(actual[inexact] - expected[inexact]) / units
        worst = distance.max(initial=0)
        assert worst <= ulps, (worst, actual, expected)
    np.testing.assert_array_equal(actual[~inexact], expected[~inexact])


def assert_close(
    name: str, actual: Any, expected: Any, backend: str | None = None, operands: Any = ()
) -> None:
    """Assert what a backend promises of the result of a ufunc or primitive, zeros' signs included.

    Args:
      name, backend: see ``ulps``.
      operands: what is added up, if anything; a sum that cancels has their rounding error.
    """
    expected = np.asarray(expected)
    scale = 1.0 if name in _CROSSING_NAMES else 0.0
    if name in _SUM_NAMES:
        numbers = [np.abs(x) for x in operands if np.asarray(x).dtype.kind in "fc"]
        scale = max((float(np.max(x, initial=0)) for x in numbers), default=0.0)
    assert_within(actual, expected, ulps(name, expected.dtype, backend), scale)
    assert_zeros(name, actual, expected, backend)


def assert_zeros(name: str, actual: Any, expected: Any, backend: str | None = None) -> None:
    """Assert that zeros have the signs of NumPy's, as far as a backend promises it."""
    expected = np.asarray(expected)
    compiled = (backend or config.backend) != "numpy"
    if expected.dtype.kind == "f" and not (compiled and name in _EITHER_ZERO_NAMES):
        zero = expected == 0
        np.testing.assert_array_equal(np.signbit(actual)[zero], np.signbit(expected)[zero])
