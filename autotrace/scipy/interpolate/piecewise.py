"""Piecewise polynomials and cubic splines in one variable.

Differentiable in the places, in the values and in the knots. The objects are pytrees: they may be
arguments and results of transformed functions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import numpy as anp
from ...core import tree
from ...core.errors import located
from ...core.lazy import LazyModule
from ...lax.cumulative import linear_recurrence
from ...lax.scanning import scan
from ...numpy.arguments import normal_axis, operand
from ...numpy.dispatch import has_tracer, is_traced

_scipys: Any = LazyModule("scipy.linalg")


def double(x: Any) -> Any:
    """An array of float64 or complex128."""
    x = operand(x)
    return anp.astype(x, np.complex128 if x.dtype.kind == "c" else np.float64)


def _column(x: Any, ndim: int) -> Any:
    """A vector along the first of several dimensions."""
    return anp.reshape(x, (x.shape[0], *(1,) * (ndim - 1)))


class PPoly:
    """As ``scipy.interpolate.PPoly``: polynomials, each over an interval, in powers of the distance
    from the interval's first end.

    Args:
      c: the coefficients, of shape ``(..., k, m, ...)``: of k powers, the highest first, in m
        intervals.
      x: the m + 1 ends of the intervals, in ascending order (or descending, if not traced).
      extrapolate: whether the outermost polynomials go on beyond the ends (True, the default),
        NaN is what is there (False), or "periodic".
      axis: that of ``c`` along the powers; values have the places' dimensions there.

    >>> p = PPoly([[1.0, 2.0], [0.0, 1.0]], [0.0, 1.0, 3.0])
    >>> p([0.5, 2.0]), p.integrate(0.0, 3.0)
    (array([0.5, 3. ]), np.float64(6.5))
    """

    c: Any
    x: Any
    extrapolate: bool | str
    axis: int

    def __init_subclass__(cls) -> None:
        _register(cls)

    def __init__(self, c: Any, x: Any, extrapolate: Any = None, axis: int = 0):
        c, x = double(c), double(x)
        if c.ndim < 2 or x.ndim != 1:
            raise ValueError(
                located("Coefficients array must be at least 2-dimensional, and x 1-dimensional.")
            )
        if not 0 <= axis < c.ndim - 1:
            raise ValueError(located(f"axis={axis} must be between 0 and {c.ndim - 2}"))
        c = anp.moveaxis(c, (axis, axis + 1), (0, 1))
        if x.shape[0] < 2 or c.shape[1] != x.shape[0] - 1:
            raise ValueError(
                located(
                    f"a piecewise polynomial over {c.shape[1]} intervals has {c.shape[1] + 1} "
                    f"breakpoints, got {x.shape[0]}"
                )
            )
        if not is_traced(x) and not (np.all(np.diff(x) >= 0) or np.all(np.diff(x) <= 0)):
            raise ValueError(located("`x` must be strictly increasing or decreasing."))
        self._set(c, x, extrapolation(extrapolate), axis)

    def _set(self, c: Any, x: Any, extrapolate: bool | str, axis: int) -> None:
        self.c, self.x, self.extrapolate, self.axis = c, x, extrapolate, axis

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The values, or those of a derivative.

        Args:
          x: where, of any shape.
          nu: the derivative's order.
          extrapolate: as for the constructor; what that was given when None.

        Returns:
          The values, with the dimensions of ``x`` in place of that along the intervals.
        """
        extrapolate = self.extrapolate if extrapolate is None else extrapolation(extrapolate)
        if nu < 0:
            raise ValueError(located("Order of derivative cannot be negative"))
        poly = self.derivative(nu) if nu else self
        places = double(x)
        first, last = self.x[0], self.x[-1]
        if extrapolate == "periodic":
            places = first + anp.mod(places - first, last - first)
        out = poly._values(places)
        known = places == places
        if extrapolate is False:
            known = (places - first) * (last - places) >= 0
        known = anp.reshape(anp.asarray(known), (*places.shape, *(1,) * (out.ndim - places.ndim)))
        out = anp.where(known, out, np.nan)[()]
        here = tuple(range(places.ndim))
        return anp.moveaxis(out, here, tuple(d + self.axis for d in here)) if self.axis else out

    def _values(self, places: Any) -> Any:
        knots, at = self.x, places
        if not is_traced(knots) and knots[0] > knots[-1]:
            knots, at = -knots, -places
        interval = anp.searchsorted(knots, at, side="right") - 1
        interval = anp.clip(interval, 0, self.c.shape[1] - 1)
        distance = places - anp.take(self.x, interval)
        distance = anp.reshape(anp.asarray(distance), (*places.shape, *(1,) * (self.c.ndim - 2)))
        coefficients = anp.take(self.c, interval, 1)
        out = coefficients[0]
        for power in range(1, self.c.shape[0]):
            out = out * distance + coefficients[power]
        return out

    def derivative(self, nu: int = 1) -> PPoly:
        """The derivative of an order, as a piecewise polynomial; the antiderivative below zero."""
        if nu < 0:
            return self.antiderivative(-nu)
        c = self.c
        for _ in range(nu):
            degree = c.shape[0] - 1
            c = c[:-1] * _column(np.arange(degree, 0.0, -1), c.ndim) if degree else 0 * c
        return _made(PPoly, c, self.x, self.extrapolate, self.axis)

    def antiderivative(self, nu: int = 1) -> PPoly:
        """The integral from the first end, a number of times, as a piecewise polynomial."""
        if nu < 0:
            return self.derivative(-nu)
        c = self.c
        width = self.x[1:] - self.x[:-1]
        for _ in range(nu):
            c = c / _column(np.arange(c.shape[0], 0.0, -1), c.ndim)
            over = 0 * c[0]
            for coefficient in c:
                over = (over + coefficient) * _column(width, over.ndim)
            before = anp.cumsum(over, 0) - over
            c = anp.concatenate([c, before[None]])
        extrapolate = self.extrapolate
        if nu and extrapolate == "periodic":
            extrapolate = False
        return _made(PPoly, c, self.x, extrapolate, self.axis)

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from ``a`` to ``b``, which are numbers.

        Returns:
          An array of the values' shape, without the dimension along the intervals.
        """
        extrapolate = self.extrapolate if extrapolate is None else extrapolation(extrapolate)
        whole = _made(PPoly, self.antiderivative().c, self.x, False, 0)
        if extrapolate != "periodic":
            return whole(b, extrapolate=extrapolate) - whole(a, extrapolate=extrapolate)
        first = self.x[0]
        period = self.x[-1] - first

        def up_to(place: Any) -> Any:
            turns, rest = anp.divmod(place - first, period)
            return turns * whole(self.x[-1]) + whole(first + rest)

        return up_to(b) - up_to(a)


def extrapolation(extrapolate: Any) -> bool | str:
    """What is beyond the ends: True, False or "periodic"."""
    if extrapolate is None:
        return True
    return extrapolate if extrapolate == "periodic" else bool(extrapolate)


def _made(kind: type[PPoly], c: Any, x: Any, extrapolate: bool | str, axis: int) -> Any:
    out = object.__new__(kind)
    out._set(c, x, extrapolate, axis)
    return out


def _register(kind: type[PPoly]) -> None:
    tree.register_node(
        kind,
        lambda p: ((p.c, p.x), (p.extrapolate, p.axis)),
        lambda aux, children: _made(kind, children[0], children[1], *aux),  # type: ignore[misc]
    )


_register(PPoly)

# --- cubic splines -------------------------------------------------------------------------------


def checked(x: Any, y: Any, axis: int) -> tuple[Any, Any, int]:
    """Knots, and values with their axis first.

    Raises:
      ValueError: when they do not fit, or the knots are not in ascending order.
    """
    x, y = double(x), double(y)
    if x.dtype.kind == "c":
        raise ValueError(located("`x` must contain real values."))
    axis = normal_axis(axis, y.ndim)
    if x.ndim != 1 or x.shape[0] < 2:
        raise ValueError(located("`x` must be 1-dimensional, with at least 2 elements."))
    if x.shape[0] != y.shape[axis]:
        raise ValueError(
            located(f"The length of `y` along `axis`={axis} doesn't match the length of `x`")
        )
    for name, z in (("x", x), ("y", y)):
        if not is_traced(z) and not np.all(np.isfinite(z)):
            raise ValueError(located(f"`{name}` must contain only finite values."))
    if not is_traced(x) and np.any(np.diff(x) <= 0):
        raise ValueError(located("`x` must be strictly increasing sequence."))
    return x, anp.moveaxis(y, axis, 0), axis


class CubicHermiteSpline(PPoly):
    """As ``scipy.interpolate.CubicHermiteSpline``: cubic polynomials with given values and
    derivatives.

    Args:
      x: the knots, in ascending order.
      y: the values there, along ``axis``.
      dydx: the derivatives there, of the same shape.
      axis: that of ``y`` along the knots.
      extrapolate: as for ``PPoly``.

    >>> CubicHermiteSpline([0.0, 1.0], [0.0, 1.0], [0.0, 3.0])(0.5)
    np.float64(0.125)
    """

    def __init__(self, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None):
        x, y, axis = checked(x, y, axis)
        slopes = anp.moveaxis(double(dydx), axis, 0)
        if slopes.shape != y.shape:
            raise ValueError(located("The shapes of `y` and `dydx` must be identical."))
        self._through(x, y, slopes, axis, extrapolate)

    def _through(self, x: Any, y: Any, slopes: Any, axis: int, extrapolate: Any) -> None:
        """Go through values with slopes, the first axis being that along the knots."""
        width = _column(x[1:] - x[:-1], y.ndim)
        rise = (y[1:] - y[:-1]) / width
        bend = (slopes[:-1] + slopes[1:] - 2 * rise) / width
        c = [bend / width, (rise - slopes[:-1]) / width - bend, slopes[:-1], y[:-1]]
        self._set(anp.stack(c), x, extrapolation(extrapolate), axis)


def monotonic_slopes(x: Any, y: Any) -> Any:
    """The slopes at the knots of a ``PchipInterpolator``, along the first axis."""
    width = _column(x[1:] - x[:-1], y.ndim)
    rise = (y[1:] - y[:-1]) / width
    if y.shape[0] == 2:
        return anp.concatenate([rise, rise])
    before, after = rise[:-1], rise[1:]
    w1, w2 = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    with np.errstate(all="ignore"):
        mean = (w1 + w2) / (w1 / before + w2 / after)
    monotonic = (anp.sign(before) == anp.sign(after)) & (before != 0)
    inner = anp.where(monotonic, mean, 0.0)

    def end(h0: Any, h1: Any, m0: Any, m1: Any) -> Any:
        d = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
        steep = (anp.sign(m0) != anp.sign(m1)) & (anp.abs(d) > 3 * anp.abs(m0))
        d = anp.where(steep, 3 * m0, d)
        return anp.where(anp.sign(d) != anp.sign(m0), 0.0, d)

    first = end(width[:1], width[1:2], rise[:1], rise[1:2])
    last = end(width[-1:], width[-2:-1], rise[-1:], rise[-2:-1])
    return anp.concatenate([first, inner, last])


class PchipInterpolator(CubicHermiteSpline):
    """As ``scipy.interpolate.PchipInterpolator``: monotonic where the values are (Fritsch and
    Butland 1984).

    >>> PchipInterpolator([0.0, 1.0, 2.0], [0.0, 1.0, 1.0])(1.5)
    np.float64(1.0)
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, extrapolate: Any = None):
        x, y, axis = checked(x, y, axis)
        if y.dtype.kind == "c":
            raise ValueError(located("`PchipInterpolator` only works with real values for `y`."))
        self._through(x, y, monotonic_slopes(x, y), axis, extrapolate)


class Akima1DInterpolator(CubicHermiteSpline):
    """As ``scipy.interpolate.Akima1DInterpolator``: slopes from the neighbours only (Akima 1970).

    >>> Akima1DInterpolator([0.0, 1.0, 2.0], [0.0, 1.0, 4.0])(0.5)
    np.float64(0.25)
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        axis: int = 0,
        *,
        method: str = "akima",
        extrapolate: Any = None,
    ):
        if method not in ("akima", "makima"):
            raise NotImplementedError(located(f"`method`={method} is unsupported."))
        x, y, axis = checked(x, y, axis)
        if y.dtype.kind == "c":
            raise ValueError(located("`Akima1DInterpolator` only works with real values for `y`."))
        extrapolate = False if extrapolate is None else extrapolate
        self._through(x, y, self._slopes(x, y, method == "makima"), axis, extrapolate)

    @staticmethod
    def _slopes(x: Any, y: Any, modified: bool) -> Any:
        rise = (y[1:] - y[:-1]) / _column(x[1:] - x[:-1], y.ndim)
        if y.shape[0] == 2:
            return anp.concatenate([rise, rise])
        before = 2 * rise[:1] - rise[1:2]
        after = 2 * rise[-1:] - rise[-2:-1]
        m = [2 * before - rise[:1], before, rise, after, 2 * after - rise[-1:]]
        m = anp.concatenate(m)
        change = anp.abs(m[1:] - m[:-1])
        if modified:
            change = change + 0.5 * anp.abs(m[1:] + m[:-1])
        f1, f2 = change[2:], change[:-2]
        total = f1 + f2
        defined = total > 1e-9 * (anp.max(total) if total.size else 0.0)
        with np.errstate(all="ignore"):
            slope = m[1:-2] + f2 / total * (m[2:-1] - m[1:-2])
        return anp.where(defined, slope, 0.5 * (m[3:] + m[:-3]))


class CubicSpline(CubicHermiteSpline):
    """As ``scipy.interpolate.CubicSpline``: cubic, with two continuous derivatives.

    Args:
      x: the knots, in ascending order.
      y: the values there, along ``axis``.
      axis: that of ``y`` along the knots.
      bc_type: what holds at the ends: "not-a-knot", "periodic", "clamped", "natural", or for each
        end one of these or a pair of a derivative's order (1 or 2) and its value.
      extrapolate: as for ``PPoly``; "periodic" by default for that condition.

    >>> CubicSpline(np.arange(4.0), np.arange(4.0) ** 3)(1.5).round(6)
    np.float64(3.375)
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        axis: int = 0,
        bc_type: Any = "not-a-knot",
        extrapolate: Any = None,
    ):
        x, y, axis = checked(x, y, axis)
        first, last = self._conditions(bc_type, y)
        if extrapolate is None and first == "periodic":
            extrapolate = "periodic"
        if not y.size:
            slopes = y
        elif first == "periodic":
            slopes = self._periodic(x, y)
        else:
            slopes = self._slopes(x, y, first, last)
        self._through(x, y, slopes, axis, extrapolate)

    @staticmethod
    def _conditions(bc_type: Any, y: Any) -> list[Any]:
        """The conditions at both ends: "not-a-knot", "periodic", or order and value."""
        if isinstance(bc_type, str):
            bc_type = (bc_type, bc_type)
        elif len(bc_type) != 2:
            raise ValueError(
                located("`bc_type` must contain 2 elements to specify start and end conditions.")
            )
        elif "periodic" in [b for b in bc_type if isinstance(b, str)]:
            raise ValueError(
                located(
                    "'periodic' `bc_type` is defined for both curve ends and cannot be used with "
                    "other boundary conditions."
                )
            )
        found: list[Any] = []
        for condition in bc_type:
            if isinstance(condition, str):
                if condition not in ("not-a-knot", "periodic", "clamped", "natural"):
                    raise ValueError(located(f"bc_type={condition} is not allowed."))
                order = {"clamped": 1, "natural": 2}.get(condition)
                found.append(condition if order is None else (order, 0.0))
                continue
            order, value = condition
            value = operand(value)
            if order not in (1, 2):
                raise ValueError(located("The specified derivative order must be 1 or 2."))
            if value.shape != y.shape[1:]:
                raise ValueError(
                    located(
                        f"`deriv_value` shape {value.shape} is not the expected one {y.shape[1:]}."
                    )
                )
            found.append((order, value))
        periodic = found[0] == "periodic"
        if periodic and not is_traced(y) and not np.allclose(y[0], y[-1], rtol=1e-15, atol=1e-15):
            raise ValueError(
                located(
                    "The first and last `y` point must be identical (within machine precision) "
                    "when bc_type='periodic'."
                )
            )
        return found

    @staticmethod
    def _inner(width: Any, rise: Any) -> tuple[Any, Any, Any, Any]:
        """The equations of the knots within: lower, main and upper diagonal, right side."""
        h = _column(width, rise.ndim)
        right = 3 * (h[1:] * rise[:-1] + h[:-1] * rise[1:])
        return width[1:], 2 * (width[:-1] + width[1:]), width[:-1], right

    def _slopes(self, x: Any, y: Any, first: Any, last: Any) -> Any:
        width = x[1:] - x[:-1]
        rise = (y[1:] - y[:-1]) / _column(width, y.ndim)
        if x.shape[0] == 2:
            first, last = ((1, rise[0]) if c == "not-a-knot" else c for c in (first, last))
        parabola = isinstance(first, str) and isinstance(last, str) and x.shape[0] == 3

        def end(condition: Any, h0: Any, h1: Any, m0: Any, m1: Any, sign: float) -> tuple:
            """The equation of an end: its own factor, its neighbour's, the right side."""
            if parabola:
                return 1.0, 1.0, 2 * m0
            if condition == "not-a-knot":
                both = h0 + h1
                return h1, both, ((h0 + 2 * both) * h1 * m0 + h0 * h0 * m1) / both
            order, value = condition
            value = anp.broadcast_to(value, y.shape[1:])
            if order == 1:
                return 1.0, 0.0, value
            return 2 * h0, h0, 3 * h0 * m0 - sign * 0.5 * value * h0 * h0

        next_to = min(1, width.shape[0] - 1)
        d0, u0, b0 = end(first, width[0], width[next_to], rise[0], rise[next_to], 1)
        dn, ln, bn = end(last, width[-1], width[-1 - next_to], rise[-1], rise[-1 - next_to], -1)
        lower, main, upper, right = self._inner(width, rise)

        def joined(*parts: Any) -> Any:
            return anp.concatenate([anp.atleast_1d(anp.asarray(p, np.float64)) for p in parts])

        right = anp.concatenate([anp.asarray(b0)[None], right, anp.asarray(bn)[None]])
        return _tridiagonal(
            joined(0.0, lower, ln), joined(d0, main, dn), joined(u0, upper, 0.0), right
        )

    def _periodic(self, x: Any, y: Any) -> Any:
        width = x[1:] - x[:-1]
        rise = (y[1:] - y[:-1]) / _column(width, y.ndim)
        if x.shape[0] == 2:
            return anp.concatenate([rise, rise])
        if x.shape[0] == 3:
            h = _column(width, y.ndim)
            slope = anp.sum(rise / h, 0) / anp.sum(1 / h, 0)
            return anp.broadcast_to(slope, y.shape)
        # The last interval once more before the first: the knots but the last are all within.
        around = anp.concatenate([width[-1:], width])
        lower, main, upper, right = self._inner(around, anp.concatenate([rise[-1:], rise]))
        # Without the last unknown the system is tridiagonal; that one follows.
        ends = anp.concatenate([-lower[:1], np.zeros(x.shape[0] - 4), -upper[-2:-1]])
        unit = anp.broadcast_to(_column(ends, y.ndim), right[:-1].shape)
        both = anp.stack([right[:-1], anp.astype(unit, right.dtype)], -1)
        solved = _tridiagonal(lower[:-1], main[:-1], upper[:-1], both)
        s, t = solved[..., 0], solved[..., 1]
        over, under = lower[-1], upper[-1]
        last = (right[-1] - under * s[0] - over * s[-1]) / (main[-1] + under * t[0] + over * t[-1])
        s = s + last * t
        return anp.concatenate([s, last[None], s[:1]])


def _tridiagonal(lower: Any, main: Any, upper: Any, right: Any) -> Any:
    """Solve a tridiagonal system by elimination without pivoting.

    Args:
      lower, main, upper: the diagonals, of n elements; the first of ``lower`` and the last of
        ``upper`` are not used.
      right: of shape ``(n, ...)``.
    """

    if not has_tracer((lower, main, upper, right)):
        bands = np.stack([np.roll(upper, 1), main, np.roll(lower, -1)])
        columns = right.reshape(len(main), -1)
        return _scipys.solve_banded((1, 1), bands, columns).reshape(right.shape)

    def turn(above: Any, row: Any) -> tuple[Any, Any]:
        pivot_above, upper_above = above
        low, diagonal, up = row
        factor = low / pivot_above
        pivot = diagonal - factor * upper_above
        return (pivot, up), (factor, pivot)

    _, (factors, pivots) = scan(turn, (1.0, 0.0), (lower, main, upper))

    def along(x: Any) -> Any:
        return anp.broadcast_to(_column(x, right.ndim), right.shape).astype(right.dtype)

    right = linear_recurrence(along(-factors), right, 0)
    return linear_recurrence(along(-upper / pivots), right / along(pivots), 0, reverse=True)
