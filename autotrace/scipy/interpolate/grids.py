"""Interpolation on a grid of any number of dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import numpy as anp
from ...core import tree
from ...core.errors import located
from ...numpy.arguments import operand
from ...numpy.dispatch import is_traced
from ...numpy.indexing import getitem
from .bsplines import make_interp_spline
from .piecewise import monotonic_slopes

#: The degree of the polynomials by which a method interpolates along a dimension; None where it
#: uses a cell's corners.
_METHODS = {"linear": None, "nearest": None, "slinear": 1, "cubic": 3, "quintic": 5, "pchip": 3}


def _check_method(method: str) -> str:
    if method not in _METHODS:
        raise ValueError(
            located(
                f"Method '{method}' is not defined",
                f"What to do: use one of {', '.join(_METHODS)}.",
            )
        )
    return method


def _coordinates(xi: Any, ndim: int) -> Any:
    """Places as one array, the last dimension being the coordinates'."""
    if isinstance(xi, tuple) and len(xi) == 1:
        xi = xi[0]
    if isinstance(xi, tuple):
        return anp.stack(anp.broadcast_arrays(*xi), -1)
    xi = operand(xi)
    return anp.reshape(xi, (-1, ndim)) if xi.ndim == 1 else xi


class RegularGridInterpolator:
    """As ``scipy.interpolate.RegularGridInterpolator``.

    By splines it is a linear map of the values, found for each dimension: its work is that of a
    product of places and grid points. So is that of "pchip", which is not linear, and begins with
    the last dimension.

    Differentiable in the places, the values and the grid; a pytree.

    Args:
      points: for each dimension the grid's coordinates, in ascending order (or descending, where
        not traced).
      values: an array of shape ``(len(points[0]), ..., len(points[-1]), ...)``.
      method: "linear", "nearest", "slinear", "cubic", "quintic" or "pchip"; "slinear" and what
        follows it by splines of degree 1, 3 and 5 in each dimension, "pchip" as
        ``PchipInterpolator``.
      bounds_error: whether places outside the grid are an error. It is a question for values, as an
        ``if`` is, so that under ``vmap`` it must be False.
      fill_value: what is outside the grid; where None, what the outermost cells have there.

    Raises:
      ValueError: for other methods, and points that do not fit the values.

    >>> grid = RegularGridInterpolator(([0.0, 1.0], [0.0, 2.0]), [[0.0, 2.0], [1.0, 3.0]])
    >>> grid([[0.5, 1.0], [1.0, 1.0]])
    array([1.5, 2. ])
    """

    grid: tuple
    values: Any
    fill_value: Any

    def __init__(
        self,
        points: Any,
        values: Any,
        method: str = "linear",
        bounds_error: bool = True,
        fill_value: Any = np.nan,
    ):
        values = operand(values)
        if values.dtype.kind not in "fc":
            values = anp.astype(values, np.float64)
        grid = []
        for d, given in enumerate(points):
            axis = anp.astype(operand(given), np.float64)
            if not is_traced(axis) and axis.ndim == 1 and np.all(np.diff(axis) < 0):
                axis, values = axis[::-1], anp.flip(values, d)
            if not is_traced(axis) and (axis.ndim != 1 or not np.all(np.diff(axis) > 0)):
                raise ValueError(
                    located(
                        f"The points in dimension {d} must be 1-dimensional, and strictly "
                        "ascending or descending"
                    )
                )
            grid.append(axis)
        if len(grid) > values.ndim or any(
            g.shape != (n,) for g, n in zip(grid, values.shape, strict=False)
        ):
            raise ValueError(
                located(
                    f"points of shapes {[g.shape for g in grid]} do not fit values of shape "
                    f"{values.shape}"
                )
            )
        self._set(tuple(grid), values, fill_value, (_check_method(method), bool(bounds_error)))

    def _set(self, grid: tuple, values: Any, fill_value: Any, how: tuple[str, bool]) -> None:
        self.grid, self.values, self.fill_value = grid, values, fill_value
        self.method, self.bounds_error = how

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """The values at some places.

        Args:
          xi: of shape ``(..., n)``, or a tuple of n arrays of coordinates.
          method: in place of the one that was given to the constructor.

        Returns:
          An array of shape ``(..., *values.shape[n:])``.

        Raises:
          ValueError: when places are outside, if asked for; when they have other coordinates.
        """
        method = _check_method(self.method if method is None else method)
        ndim = len(self.grid)
        places = anp.astype(_coordinates(xi, ndim), np.float64)
        if places.shape[-1] != ndim:
            raise ValueError(
                located(
                    f"The requested sample points xi have dimension {places.shape[-1]} but this "
                    f"RegularGridInterpolator has dimension {ndim}"
                )
            )
        degree = _METHODS[method]
        inside: Any = True
        indices, weights = [], []
        for d, axis in enumerate(self.grid):
            place = places[..., d]
            within = (axis[0] <= place) & (place <= axis[-1])
            if self.bounds_error and not anp.all(within):
                raise ValueError(
                    located(f"One of the requested xi is out of bounds in dimension {d}")
                )
            inside = inside & within
            if degree is not None:
                continue
            below = anp.clip(anp.searchsorted(axis, place) - 1, 0, max(axis.shape[0] - 2, 0))
            above = anp.minimum(below + 1, axis.shape[0] - 1)
            start = anp.take(axis, below)
            width = anp.take(axis, above) - start
            part = (place - start) / anp.where(width > 0, width, 1.0)
            if method == "nearest":
                index = anp.where(part <= 0.5, below, above)[None]
                weight = None
            else:
                index, weight = anp.stack([below, above]), anp.stack([1 - part, part])
            indices.append(anp.expand_dims(index, tuple(e for e in range(ndim) if e != d)))
            weights.append(weight)
        trailing = self.values.ndim - ndim
        if degree is None:
            out = _combined(getitem(self.values, tuple(indices)), weights, trailing)
        else:
            backwards = [*reversed(range(ndim)), *range(ndim, self.values.ndim)]
            out = anp.transpose(self.values, backwards)
            for d in reversed(range(ndim)):
                _check_count(self.grid[d], degree, d)
                along = _monotonic_along if method == "pchip" else _along
                out = along(self.grid[d], out, places[..., d], d == ndim - 1, degree)
        missing = anp.any(anp.isnan(places), -1)
        shape = (*places.shape[:-1], *(1,) * trailing)
        if not self.bounds_error and self.fill_value is not None:
            outside = anp.reshape(anp.asarray(~inside), shape)
            out = anp.where(outside, anp.astype(operand(self.fill_value), out.dtype), out)
        return anp.where(anp.reshape(anp.asarray(missing), shape), np.nan, out)[()]


def _check_count(axis: Any, degree: int, dimension: int) -> None:
    if axis.shape[0] <= degree:
        raise ValueError(
            located(
                f"There are {axis.shape[0]} points in dimension {dimension}, but splines of degree "
                f"{degree} require at least {degree + 1} points per dimension"
            )
        )


def _along(axis: Any, values: Any, place: Any, first: bool, degree: int) -> Any:
    """Interpolate by splines along a dimension.

    Args:
      axis: the grid's coordinates.
      values: in the first dimension the grid's values, after the first time after the places'
        dimensions, which the result has first.
      place: the coordinates of the places.
      first: whether it is the first time.
      degree: of the splines.
    """
    shares = make_interp_spline(axis, np.eye(axis.shape[0]), degree)(place)
    if first:
        return anp.tensordot(shares, values, 1)
    letters = "abcdefghijklmnop"[: place.ndim]
    return anp.einsum(f"{letters}z,{letters}z...->{letters}...", shares, values)


def _monotonic_along(axis: Any, values: Any, place: Any, first: bool, _: int) -> Any:
    """Interpolate as ``PchipInterpolator`` along a dimension; the arguments are those of
    ``_along``."""
    if values.dtype.kind == "c":
        raise ValueError(located("`PchipInterpolator` only works with real values."))
    values = values if first else anp.moveaxis(values, place.ndim, 0)
    slopes = monotonic_slopes(axis, values)
    below = anp.clip(anp.searchsorted(axis, place, side="right") - 1, 0, axis.shape[0] - 2)
    start, end = anp.take(axis, below), anp.take(axis, below + 1)
    trailing = values.ndim - 1 - (0 if first else place.ndim)

    def of_places(x: Any) -> Any:
        return anp.reshape(x, (*place.shape, *(1,) * trailing))

    def at(x: Any, index: Any) -> Any:
        if first:
            return anp.take(x, index, 0)
        index = anp.broadcast_to(of_places(index), x.shape[1:])
        return anp.take_along_axis(x, index[None], 0)[0]

    width, part = of_places(end - start), of_places((place - start) / (end - start))
    (y0, m0), (y1, m1) = (
        (at(values, index), width * at(slopes, index)) for index in (below, below + 1)
    )
    rise = y1 - y0
    return y0 + part * (m0 + part * (3 * rise - 2 * m0 - m1 + part * (m0 + m1 - 2 * rise)))


def _combined(corners: Any, weights: list[Any], trailing: int) -> Any:
    """The sum over the corners of a cell, which are along the first dimensions.

    Args:
      corners: the values there, with the places' dimensions and then some ``trailing`` ones.
      weights: for each dimension what both sides count; None where there is one side only.
    """
    for n, weight in enumerate(weights):
        if weight is None:
            corners = corners[0]
            continue
        rest = (1,) * (len(weights) - n - 1)
        shape = (weight.shape[0], *rest, *weight.shape[1:], *(1,) * trailing)
        corners = anp.sum(corners * anp.reshape(weight, shape), 0)
    return corners


def _unflatten(how: Any, children: Any) -> RegularGridInterpolator:
    out = object.__new__(RegularGridInterpolator)
    grid, values, fill_value = children
    out._set(grid, values, fill_value, how)
    return out


tree.register_node(
    RegularGridInterpolator,
    lambda g: ((g.grid, g.values, g.fill_value), (g.method, g.bounds_error)),
    _unflatten,
)


def interpn(
    points: Any,
    values: Any,
    xi: Any,
    method: str = "linear",
    bounds_error: bool = True,
    fill_value: Any = np.nan,
) -> Any:
    """As ``scipy.interpolate.interpn``; see ``RegularGridInterpolator``.

    >>> import numpy as np
    >>> interpn((np.arange(3.0),), np.array([0.0, 1.0, 4.0]), np.array([0.5, 1.5]))
    array([0.5, 2.5])
    """
    grid = RegularGridInterpolator(points, values, method, bounds_error, fill_value)
    return grid(xi)
