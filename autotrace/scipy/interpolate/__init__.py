"""``scipy.interpolate`` on arrays and on traced values: splines, and values on grids."""

from .bsplines import BSpline, make_interp_spline
from .grids import RegularGridInterpolator, interpn
from .piecewise import (
    Akima1DInterpolator,
    CubicHermiteSpline,
    CubicSpline,
    PchipInterpolator,
    PPoly,
)

__all__ = [
    "Akima1DInterpolator",
    "BSpline",
    "CubicHermiteSpline",
    "CubicSpline",
    "PPoly",
    "PchipInterpolator",
    "RegularGridInterpolator",
    "interpn",
    "make_interp_spline",
]
