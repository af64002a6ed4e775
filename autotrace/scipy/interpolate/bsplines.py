"""Splines of any degree as sums of B-splines, differentiable in places, coefficients and knots."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ... import numpy as anp
from ...core import tree
from ...core.errors import located
from ...core.lazy import LazyModule
from ...numpy.arguments import normal_axis
from ...numpy.dispatch import has_tracer, is_traced
from ..linalg import solve_banded
from .piecewise import checked, double, extrapolation

_scipys: Any = LazyModule("scipy.interpolate")


class BSpline:
    """As ``scipy.interpolate.BSpline``: a spline by its coefficients with respect to B-splines.

    Differentiable in the places, the coefficients and the knots; a pytree.

    Args:
      t: the knots, of shape ``(n + k + 1,)``, in ascending order.
      c: the coefficients, with n of them along ``axis``; further ones have no effect.
      k: the degree.
      extrapolate: whether the outermost polynomials go on beyond ``t[k]`` and ``t[n]`` (True, the
        default), NaN is what is there (False), or "periodic".
      axis: that of ``c`` along the knots; values have the places' dimensions there.

    Raises:
      ValueError: when knots and coefficients do not fit, or the knots are not in ascending order.

    >>> b = BSpline([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0], 2)  # 2 x (1 - x)
    >>> b([0.25, 0.5]), b.derivative()(0.5), b.integrate(0.0, 0.5).round(6)
    (array([0.375, 0.5  ]), np.float64(0.0), np.float64(0.166667))
    """

    t: Any
    c: Any
    k: int
    extrapolate: bool | str
    axis: int

    def __init__(self, t: Any, c: Any, k: int, extrapolate: Any = True, axis: int = 0):
        t, c = double(t), double(c)
        if k < 0:
            raise ValueError(located("Spline order cannot be negative."))
        if t.ndim != 1 or t.shape[0] < 2 * k + 2:
            raise ValueError(
                located(f"Need at least {2 * k + 2} knots for degree {k}, got shape {t.shape}")
            )
        axis = normal_axis(axis, c.ndim)
        count = t.shape[0] - k - 1
        c = anp.moveaxis(c, axis, 0)
        if c.shape[0] < count:
            raise ValueError(located("Knots, coefficients and degree are inconsistent."))
        if not is_traced(t) and np.any(np.diff(t) < 0):
            raise ValueError(located("Knots must be in a non-decreasing order."))
        self._set(t, c[:count], (int(k), extrapolation(extrapolate), axis))

    def _set(self, t: Any, c: Any, how: tuple[int, bool | str, int]) -> None:
        self.t, self.c = t, c
        self.k, self.extrapolate, self.axis = how

    @property
    def _base(self) -> tuple[Any, Any]:
        """The ends of the interval on which the B-splines add up to one."""
        return self.t[self.k], self.t[self.c.shape[0]]

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The values, or those of a derivative.

        Args:
          x: where, of any shape.
          nu: the derivative's order.
          extrapolate: as for the constructor; what that was given when None.

        Returns:
          The values, with the dimensions of ``x`` in place of that along the knots.
        """
        extrapolate = self.extrapolate if extrapolate is None else extrapolation(extrapolate)
        places = double(x)
        first, last = self._base
        if extrapolate == "periodic":
            places = first + anp.mod(places - first, last - first)
        out = self.derivative(nu)._values(places) if nu else self._values(places)
        known = places == places
        if extrapolate is False:
            known = (places - first) * (last - places) >= 0
        known = anp.reshape(anp.asarray(known), (*places.shape, *(1,) * (out.ndim - places.ndim)))
        out = anp.where(known, out, np.nan)[()]
        here = tuple(range(places.ndim))
        return anp.moveaxis(out, here, tuple(d + self.axis for d in here)) if self.axis else out

    def _values(self, places: Any) -> Any:
        """By de Boor's recursion."""
        t, k = self.t, self.k
        interval = _interval(t, k, self.c.shape[0], places)
        trailing = (1,) * (self.c.ndim - 1)
        parts = [anp.take(self.c, interval - k + j, 0) for j in range(k + 1)]
        for r in range(1, k + 1):
            for j in range(k, r - 1, -1):
                share = _share(t, interval - k + j, k + 1 - r, places)
                share = anp.reshape(anp.asarray(share), (*places.shape, *trailing))
                parts[j] = (1 - share) * parts[j - 1] + share * parts[j]
        return parts[k]

    def derivative(self, nu: int = 1) -> BSpline:
        """The derivative of an order, as a spline; the antiderivative below zero."""
        if nu < 0:
            return self.antiderivative(-nu)
        t, c, k = self.t, self.c, self.k
        for _ in range(nu):
            if not k:
                c = 0 * c
                break
            width = t[k + 1 : -1] - t[1 : -k - 1]
            c = (c[1:] - c[:-1]) * k / _column(width, c.ndim)
            t, k = t[1:-1], k - 1
        return _made(t, c, (k, self.extrapolate, self.axis))

    def antiderivative(self, nu: int = 1) -> BSpline:
        """The integral from the first knot, a number of times, as a spline."""
        if nu < 0:
            return self.derivative(-nu)
        t, c, k = self.t, self.c, self.k
        for _ in range(nu):
            width = t[k + 1 :] - t[: -k - 1]
            sums = anp.cumsum(c * _column(width, c.ndim), 0) / (k + 1)
            c = anp.concatenate([0 * sums[:1], sums])
            t, k = anp.concatenate([t[:1], t, t[-1:]]), k + 1
        extrapolate = False if nu and self.extrapolate == "periodic" else self.extrapolate
        return _made(t, c, (k, extrapolate, self.axis))

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from ``a`` to ``b``, which are numbers; without ``extrapolate`` the spline
        is zero outside.

        Returns:
          An array of the values' shape, without the dimension along the knots.
        """
        extrapolate = self.extrapolate if extrapolate is None else extrapolation(extrapolate)
        whole = self.antiderivative()
        whole._set(whole.t, whole.c, (whole.k, True, 0))
        first, last = self._base
        if extrapolate != "periodic":
            ends = [double(a), double(b)]
            if not extrapolate:
                ends = [anp.clip(x, first, last) for x in ends]
            return whole(ends[1]) - whole(ends[0])
        period = last - first

        def up_to(place: Any) -> Any:
            turns, rest = anp.divmod(double(place) - first, period)
            return turns * (whole(last) - whole(first)) + whole(first + rest)

        return up_to(b) - up_to(a)


def _made(t: Any, c: Any, how: tuple[int, bool | str, int]) -> BSpline:
    out = object.__new__(BSpline)
    out._set(t, c, how)
    return out


tree.register_node(
    BSpline,
    lambda b: ((b.t, b.c), (b.k, b.extrapolate, b.axis)),
    lambda how, children: _made(children[0], children[1], how),  # type: ignore[arg-type]
)


def _column(x: Any, ndim: int) -> Any:
    return anp.reshape(x, (-1, *(1,) * (ndim - 1)))


def _interval(t: Any, k: int, count: int, places: Any) -> Any:
    """For each place the number of the knot below it, of those between which there is a spline."""
    return anp.clip(anp.searchsorted(t, places, side="right") - 1, k, count - 1)


def _share(t: Any, lower: Any, steps: int, places: Any) -> Any:
    """How far a place is from a knot, on the way to the one some steps later."""
    start = anp.take(t, lower)
    width = anp.take(t, lower + steps) - start
    return (places - start) / anp.where(width == 0, 1.0, width)


def _bases(t: Any, k: int, count: int, places: Any) -> tuple[Any, list[Any]]:
    """The B-splines that are not zero at each place.

    Returns:
      The number of the first of them, and the values of the k + 1.
    """
    interval = _interval(t, k, count, places)
    values: list[Any] = [anp.ones_like(places)]
    for degree in range(1, k + 1):
        up = [_share(t, interval - degree + 1 + j, degree, places) for j in range(degree)]
        parts = [v * u for v, u in zip(values, up, strict=True)]
        rest = [v - p for v, p in zip(values, parts, strict=True)]
        values = [
            (rest[j] if j < degree else 0.0) + (parts[j - 1] if j else 0.0)
            for j in range(degree + 1)
        ]
    return interval - k, values


def _not_a_knot(x: Any, k: int) -> Any:
    """Knots for interpolation at places: all of these but as many as there are too many."""
    drop = (k + 1) // 2 if k % 2 else k // 2
    inner = x if k % 2 else (x[1:] + x[:-1]) / 2
    inner = inner[drop : inner.shape[0] - drop] if drop else inner
    return anp.concatenate([anp.repeat(x[:1], k + 1), inner, anp.repeat(x[-1:], k + 1)])


def _on_a_circle(x: Any, k: int) -> Any:
    """Knots for a periodic spline: the places, or for even degrees what is half-way before each,
    continued on both sides."""
    if k % 2 == 0:
        x = anp.concatenate([x[:1], (x[1:-1] + x[:-2]) / 2, x[-1:]])
    width = x[1:] - x[:-1]
    turn = np.arange(k) % (x.shape[0] - 1)
    before = x[:1] - anp.cumsum(anp.take(width, -1 - turn))
    after = x[-1:] + anp.cumsum(anp.take(width, turn))
    return anp.concatenate([before[::-1], x, after])


def _periodic(values: list[Any], y: Any) -> Any:
    """The coefficients of a periodic spline.

    Args:
      values: of the k + 1 B-splines that are not zero at each place, of which the first has the
        place's number.
      y: the values at the places, a matrix.
    """
    k, count = len(values) - 1, y.shape[0]
    row = np.arange(count)
    if count <= 2 * k:
        terms = (
            _column(v, 2) * (row == _column((row + j) % count, 2)) for j, v in enumerate(values)
        )
        return anp.linalg.solve(sum(terms), y)
    # Unknowns are numbered so that the diagonals are about the main one. The corners that they go
    # around are in few columns, so that Woodbury's formula adds them.
    lower, upper = k // 2, k - k // 2
    bands, corners = [], [anp.zeros(count)] * k
    for off in range(upper, -lower - 1, -1):
        band = values[off + lower]
        within = (row + off >= 0) & (row + off < count)
        bands.append(anp.roll(anp.where(within, band, 0.0), off))
        for r in range(abs(off)):
            place, column = (count - off + r, r) if off > 0 else (r, k + off + r)
            corners[column] = corners[column] + anp.where(row == place, band, 0.0)
    right = anp.concatenate([y, anp.astype(anp.stack(corners, 1), y.dtype)], 1)
    solved = solve_banded((lower, upper), anp.stack(bands), right)
    first, change = solved[:, : y.shape[1]], solved[:, y.shape[1] :]
    ends = np.r_[:upper, count - lower : count]
    share = anp.linalg.solve(np.eye(k) + anp.take(change, ends, 0), anp.take(first, ends, 0))
    return anp.roll(first - change @ share, lower, 0)


class _End(NamedTuple):
    """What holds at an end: derivatives' orders, and their values."""

    orders: tuple[int, ...]
    values: tuple[Any, ...]


def _ends(bc_type: Any, k: int, shape: tuple[int, ...]) -> list[_End]:
    """The conditions at both ends; of ``shape`` are the values.

    Raises:
      ValueError: when there are no such conditions.
    """
    aliases = {"clamped": 1, "natural": 2}
    if bc_type is None or (isinstance(bc_type, str) and bc_type in ("not-a-knot", "periodic")):
        bc_type = (None, None)
    both = (bc_type, bc_type) if isinstance(bc_type, str) else bc_type
    if not isinstance(both, tuple | list) or len(both) != 2:
        raise ValueError(located(f"Unknown boundary condition: {bc_type!r:.80}"))
    found = []
    for conditions in both:
        if isinstance(conditions, str):
            if conditions not in aliases:
                raise ValueError(located(f"Unknown boundary condition : {conditions}"))
            conditions = [(aliases[conditions], np.zeros(shape))]
        try:
            pairs = [(order, double(value)) for order, value in conditions or ()]
        except TypeError:
            raise ValueError(
                located(
                    "Derivatives, `bc_type`, should be specified as a pair of iterables of pairs "
                    "of (order, value)."
                )
            ) from None
        for order, value in pairs:
            if not 0 <= order <= k:
                raise ValueError(located(f"no derivative of order {order} for degree {k}"))
            if value.shape != shape:
                raise ValueError(
                    located(f"a derivative of shape {value.shape} for values of shape {shape}")
                )
        found.append(_End(tuple(o for o, _ in pairs), tuple(v for _, v in pairs)))
    return found


def _rows_at(
    end: _End, place: Any, t: Any, k: int, count: int
) -> tuple[list[Any], list[list[Any]]]:
    """The equations of derivatives at a place, as ``_bases`` gives those of values: the number of
    the first B-spline and the k + 1 factors, for each."""
    first = _interval(t, k, count, place) - k
    near = anp.take(t, first + np.arange(2 * k + 2))
    basis = _made(near, np.eye(k + 1), (k, True, 0))
    made = [basis.derivative(order)._values(place) for order in end.orders]
    return [first] * len(made), [[row[j] for j in range(k + 1)] for row in made]


def make_interp_spline(
    x: Any,
    y: Any,
    k: int = 3,
    t: Any = None,
    bc_type: Any = None,
    axis: int = 0,
    check_finite: bool = True,
) -> BSpline:
    """As ``scipy.interpolate.make_interp_spline``: the spline of a degree through some points.

    Args:
      x: the places, in ascending order.
      y: the values there, along ``axis``.
      k: the degree.
      t: the knots, as many as places, conditions and k + 1. When None: the places, without the
        outermost inner ones where there are no conditions.
      bc_type: what holds at the ends: None or "not-a-knot", "natural", "clamped", "periodic", or a
        pair of conditions at the first and at the last place: None, a name, or a list of pairs of
        a derivative's order and its value.
      axis: that of ``y`` along the places.
      check_finite: without effect on traced values.

    Returns:
      A ``BSpline``, differentiable in ``x``, ``y``, ``t`` and the derivatives at the ends.

    Raises:
      NotImplementedError: for knots of a periodic spline.
      ValueError: when places, values, degree, knots and conditions do not fit.

    >>> import numpy as np
    >>> x = np.arange(7.0)
    >>> make_interp_spline(x, x**5, k=5)(2.5).round(6)
    np.float64(97.65625)
    """
    x, y, axis = checked(x, y, axis)
    left, right = _ends(bc_type, k, y.shape[1:])
    given = len(left.orders) + len(right.orders)
    if k <= 1 and t is None and given:
        raise ValueError(located(f"Too much info for k={k}: bc_type can only be None."))
    if k > 1 and isinstance(bc_type, str) and bc_type == "periodic":
        return _closed(x, y, k, t, axis)
    points = x.shape[0]
    count = points + given
    if k < 0 or count <= k:
        raise ValueError(
            located(f"a spline of degree {k} goes through at least {k + 1} points, got {points}")
        )
    if t is not None:
        t = double(t)
    elif k == 0:
        t = anp.concatenate([x, x[-1:]])
    elif given:
        t = anp.concatenate([anp.repeat(x[:1], k), x, anp.repeat(x[-1:], k)])
    else:
        t = _not_a_knot(x, k)
    if t.shape != (count + k + 1,):
        raise ValueError(
            located(
                f"got {t.shape[0]} knots, need {count + k + 1}: as many as places and conditions "
                "at the ends, and k + 1; without `t` there must be k - 1 conditions or none"
            )
        )
    if k == 0:
        return _made(t, y, (0, True, axis))
    if not has_tracer((x, y, t, left.values, right.values)):
        ends = tuple(list(zip(*end, strict=True)) or None for end in (left, right))
        return _made(t, _scipys.make_interp_spline(x, y, k, t, ends).c, (k, True, axis))
    first, values = _bases(t, k, count, x)
    before, after = _rows_at(left, x[0], t, k, count), _rows_at(right, x[-1], t, k, count)

    def joined(start: list[Any], middle: Any, end: list[Any]) -> Any:
        return anp.concatenate([anp.reshape(v, (-1,)) for v in (*start, middle, *end)])

    first = joined(before[0], first, after[0])
    values = [
        joined([r[j] for r in before[1]], v, [r[j] for r in after[1]]) for j, v in enumerate(values)
    ]
    row = np.arange(count)
    bands = []
    for off in range(k, -k - 1, -1):  # the diagonals from above, in LAPACK's layout
        band = sum(anp.where(first + j == row + off, v, 0.0) for j, v in enumerate(values))
        bands.append(anp.roll(band, off))
    y = anp.concatenate(
        [anp.reshape(v, (-1, *y.shape[1:])) for v in (*left.values, y, *right.values)]
    )
    flat = anp.reshape(y, (count, math.prod(y.shape[1:])))
    c = solve_banded((k, k), anp.stack(bands), flat)
    return _made(t, anp.reshape(c, y.shape), (k, True, axis))


def _closed(x: Any, y: Any, k: int, t: Any, axis: int) -> BSpline:
    """The periodic spline through some points."""
    if t is not None:
        raise NotImplementedError(
            located(
                "make_interp_spline: the knots of a periodic spline are made of the places",
                "What to do: leave `t` out.",
            )
        )
    if not is_traced(y) and not np.allclose(y[0], y[-1], atol=1e-15):
        raise ValueError(
            located("First and last points does not match while periodic case expected")
        )
    t, turn = _on_a_circle(x, k), x.shape[0] - 1
    _, values = _bases(t, k, turn + k, x[:-1])
    c = _periodic(values, anp.reshape(y[:-1], (turn, math.prod(y.shape[1:]))))
    c = anp.take(c, np.arange(turn + k) % turn, 0)
    return _made(t, anp.reshape(c, (turn + k, *y.shape[1:])), (k, "periodic", axis))
