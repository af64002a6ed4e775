"""``scipy.integrate`` on arrays and on traced values: integrals of samples, of functions by fixed
rules, and of differential equations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import integrate as _scipy
from scipy import optimize

from .. import numpy as anp
from ..core.errors import located
from ..core.trace import active_traces
from ..numpy.arguments import normal_axis, operand
from ..numpy.dispatch import implements, is_traced
from ._runge_kutta import solve

__all__ = [
    "cumulative_simpson",
    "cumulative_trapezoid",
    "fixed_quad",
    "odeint",
    "simpson",
    "solve_ivp",
    "trapezoid",
]


def _samples(y: Any, x: Any, axis: int) -> tuple[Any, Any]:
    """The samples along the last axis, and the distances between them (None where they are even).

    Raises:
      ValueError: when the places do not fit the samples.
    """
    y = operand(y)
    axis = normal_axis(axis, y.ndim)
    y = anp.moveaxis(y if y.dtype.kind in "fc" else anp.astype(y, np.float64), axis, -1)
    if x is None:
        return y, None
    x = operand(x)
    if x.ndim > 1:
        if x.ndim != y.ndim:
            raise ValueError(located("If given, shape of x must be 1-D or the same as y."))
        x = anp.moveaxis(x, axis, -1)
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(located("If given, length of x along axis must be the same as y."))
    return y, x[..., 1:] - x[..., :-1]


@implements(_scipy.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """As ``scipy.integrate.trapezoid``, on arrays and traced values.

    >>> trapezoid([1.0, 2.0, 3.0], x=[4.0, 6.0, 8.0])
    np.float64(8.0)
    """
    samples, width = _samples(y, x, axis)
    width = dx if width is None else width
    return anp.sum(width * (samples[..., 1:] + samples[..., :-1]) / 2, -1, dtype=samples.dtype)


@implements(_scipy.cumulative_trapezoid)
def cumulative_trapezoid(
    y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """As ``scipy.integrate.cumulative_trapezoid``, on arrays and traced values.

    >>> cumulative_trapezoid([1.0, 2.0, 3.0], initial=0)
    array([0. , 1.5, 4. ])
    """
    samples, width = _samples(y, x, axis)
    if not samples.shape[-1]:
        raise ValueError(located("At least one point is required along `axis`."))
    if initial is not None and (is_traced(initial) or initial != 0):
        raise ValueError(located("`initial` must be `None` or `0`."))
    width = dx if width is None else width
    out = anp.cumsum(width * (samples[..., 1:] + samples[..., :-1]) / 2, -1)
    if initial is not None:
        out = anp.concatenate([anp.zeros_like(out, shape=(*out.shape[:-1], 1)), out], -1)
    return anp.moveaxis(out, -1, axis)


def _ratio(x: Any, y: Any) -> Any:
    """A quotient, zero where the divisor is."""
    return anp.where(y != 0, x / anp.where(y != 0, y, 1), 0)


def _pairs(y: Any, width: Any) -> Any:
    """Simpson's rule over pairs of intervals, of which there is a whole number."""
    first, middle, last = y[..., :-2:2], y[..., 1:-1:2], y[..., 2::2]
    if width is None:
        return anp.sum(first + 4 * middle + last, -1) / 3
    h0, h1 = width[..., :-1:2], width[..., 1::2]
    both = h0 + h1
    parts = (
        first * (2 - _ratio(h1, h0))
        + middle * (both * _ratio(both, h0 * h1))
        + last * (2 - _ratio(h0, h1))
    )
    return anp.sum(both / 6 * parts, -1)


@functools.cache
def _simpson_in_double() -> bool:
    """Whether the SciPy at hand makes parts of ``simpson`` in double precision: before 1.18."""
    return bool(_scipy.simpson(np.ones(4, np.float32)).dtype == np.float64)


@implements(_scipy.simpson)
def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """As ``scipy.integrate.simpson``, on arrays and traced values.

    With an odd number of intervals the last one is integrated by the parabola through the last
    three samples (Cartwright 2017).

    >>> simpson([0.0, 1.0, 4.0, 9.0])
    np.float64(9.0)
    """
    samples, width = _samples(y, x, axis)
    size = samples.shape[-1]
    if not size:
        raise ValueError(located("simpson: at least one sample is needed"))
    double = _simpson_in_double()
    if not double:
        dx = anp.asarray(dx, dtype=anp.result_type(samples, dx))
    elif width is not None:
        width = anp.astype(width, np.float64)
    factor = dx if width is None else 1
    if size % 2:
        return _pairs(samples, width) * factor
    if size == 2:
        last = factor if width is None else width[..., 0]
        return 0.5 * last * (samples[..., 0] + samples[..., 1])
    before = _pairs(samples[..., :-1], None if width is None else width[..., :-1]) * factor
    h0, h1 = (dx, dx) if width is None else (width[..., -2], width[..., -1])
    rest = (
        samples[..., -1] * _ratio(2 * h1**2 + 3 * h0 * h1, 6 * (h0 + h1))
        + samples[..., -2] * _ratio(h1**2 + 3 * h0 * h1, 6 * h0)
        - samples[..., -3] * _ratio(h1**3, 6 * h0 * (h0 + h1))
    )
    if not double:
        return before + rest
    # The correction is made in double precision, and added in place to an array.
    out = before + anp.astype(rest, np.result_type(rest.dtype, np.float64))
    return anp.astype(out, before.dtype) if width is None and before.ndim else out


@implements(_scipy.cumulative_simpson)
def cumulative_simpson(
    y: Any, *, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """As ``scipy.integrate.cumulative_simpson``, on arrays and traced values.

    >>> cumulative_simpson([0.0, 1.0, 4.0, 9.0], initial=0).round(3)
    array([0.   , 0.333, 2.667, 9.   ])
    """
    samples, width = _samples(y, x, axis)
    if samples.shape[-1] < 3:
        return cumulative_trapezoid(y, x, dx, axis, initial)
    if width is None:
        width = anp.multiply(dx, np.ones(samples.shape[-1] - 1))

    def first_of_two(y: Any, h: Any) -> Any:
        """The first interval of each two, by the parabola through the three samples."""
        h0, h1 = h[..., :-1], h[..., 1:]
        part, ratio = h0 / (h0 + h1), h0 / h1
        return (
            h0
            / 6
            * (
                (3 - part) * y[..., :-2]
                + (3 + part * ratio + part) * y[..., 1:-1]
                - part * ratio * y[..., 2:]
            )
        )

    ahead = first_of_two(samples, width)
    behind = first_of_two(samples[..., ::-1], width[..., ::-1])[..., ::-1]
    # The intervals in turn by the parabola that begins, and by the one that ends with them.
    count = samples.shape[-1] - 1
    forwards = anp.concatenate([ahead, behind[..., -1:]], -1)
    backwards = anp.concatenate([ahead[..., :1], behind], -1)
    by_first = (np.arange(count) % 2 == 0) & (np.arange(count) < count - 1)
    out = anp.cumsum(anp.where(by_first, forwards, backwards), -1)
    out = anp.moveaxis(out, -1, axis)
    if initial is None:
        return out
    start = anp.broadcast_to(initial, anp.moveaxis(samples, -1, axis).take([0], axis).shape)
    return anp.concatenate([anp.astype(start, out.dtype), out + start], axis)


def fixed_quad(func: Callable, a: Any, b: Any, args: tuple = (), n: int = 5) -> tuple[Any, None]:
    """As ``scipy.integrate.fixed_quad``: Gauss and Legendre's rule of an order.

    Args:
      func: a function of an array of n places, and of ``args``, to an array with their values along
        the last dimension.
      a, b: the limits, finite.
      args: further arguments.
      n: the order.

    Returns:
      The integral, and None.

    >>> import numpy as np
    >>> fixed_quad(lambda x: x**9, 0.0, 1.0)[0].round(12)
    np.float64(0.1)
    """
    nodes, weights = np.polynomial.legendre.leggauss(n)
    places = (b - a) * (nodes + 1) / 2 + a
    return (b - a) / 2 * anp.sum(weights * func(places, *args), -1), None


# --- differential equations ----------------------------------------------------------------------


def _initial(y0: Any, what: str) -> Any:
    y0 = operand(y0)
    if y0.ndim > 1:
        raise ValueError(located(f"{what}: y0 must be 1-dimensional, got shape {y0.shape}"))
    y0 = anp.reshape(y0, (-1,))
    return y0 if y0.dtype.kind in "fc" else anp.astype(y0, np.float64)


def odeint(
    func: Callable,
    y0: Any,
    t: Any,
    args: Any = (),
    *,
    rtol: Any = None,
    atol: Any = None,
    h0: Any = 0.0,
    hmax: Any = 0.0,
    mxstep: int = 0,
    tfirst: bool = False,
    **settings: Any,
) -> Any:
    """As ``scipy.integrate.odeint``: the solution of ``dy/dt = func(y, t, *args)``.

    Outside of traced code it is SciPy's (LSODA). Traced, it is one compiled loop of Dormand and
    Prince's method of order 5 with steps of its own choice, for equations that are not stiff. Its
    derivatives are those of the steps taken, with their lengths as constants: exact for the
    numbers that come out, in both modes and of any order, with respect to ``y0``, ``t``, ``args``
    and what else ``func`` uses. Under ``vmap`` each example takes steps of its own.

    Args:
      func: of the values, an array of shape ``(n,)``, and a time, to the values' slopes; with
        ``tfirst`` the time comes first.
      y0: the values at ``t[0]``, of shape ``(n,)``.
      t: times in rising or falling order, of shape ``(m,)``.
      args: further arguments of ``func``.
      rtol, atol: the error allowed in a step; 1.49e-8 when None.
      h0, hmax: the first step and the longest one; 0 leaves it to the method.
      mxstep: how many steps there may be from one time to the next; beyond, values are NaN. 0: as
        many as SciPy allows, and in traced code 100,000.
      settings: SciPy's other arguments, without effect in traced code, where ``full_output`` is
        refused.

    Returns:
      An array of shape ``(m, n)``, of float64 in SciPy and of the dtype of ``y0`` in traced code.

    >>> from autotrace import grad
    >>> t = np.array([0.0, 1.0, 2.0])
    >>> decay = lambda y, t, rate: -rate * y
    >>> grad(lambda rate: odeint(decay, np.ones(1), t, args=(rate,))[-1, 0])(0.5).round(6)
    np.float64(-0.735759)
    """
    args = tuple(args) if isinstance(args, tuple | list) else (args,)
    if not active_traces():
        given = {"rtol": rtol, "atol": atol, "h0": h0, "hmax": hmax, "mxstep": mxstep}
        return _scipy.odeint(func, y0, t, args, tfirst=tfirst, **given, **settings)
    if settings.get("full_output"):
        raise NotImplementedError(located("odeint: in traced code without full_output"))

    def slopes(time: Any, y: Any) -> Any:
        return anp.asarray(func(time, y, *args) if tfirst else func(y, time, *args))

    return solve(
        slopes,
        operand(t) * 1.0,
        _initial(y0, "odeint"),
        rtol=1.49012e-8 if rtol is None else rtol,
        atol=1.49012e-8 if atol is None else atol,
        first_step=h0 or None,
        max_step=hmax or np.inf,
        max_steps=mxstep or 100_000,
    )


def solve_ivp(
    fun: Callable,
    t_span: Any,
    y0: Any,
    method: Any = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Any = None,
    *,
    rtol: Any = 1e-3,
    atol: Any = 1e-6,
    first_step: Any = None,
    max_step: Any = np.inf,
    **options: Any,
) -> Any:
    """As ``scipy.integrate.solve_ivp``: the solution of ``dy/dt = fun(t, y, *args)``.

    Outside of traced code it is SciPy's. Traced, it has the method ``"RK45"`` and the values at
    ``t_eval``, or where that is None at both ends; see ``odeint``.

    Args:
      fun: of a time and the values, an array of shape ``(n,)``, to the values' slopes.
      t_span: the first time and the last one.
      y0: the values at the first.
      t_eval: times between them, in their order.
      args: further arguments of ``fun``.
      rtol, atol, first_step, max_step: as for SciPy's function.
      method: as for SciPy's function; in traced code ``"RK45"`` only.
      dense_output, events, vectorized, options: as for SciPy's function; left out in traced code.

    Returns:
      SciPy's result; in traced code with ``t``, ``y`` of shape ``(n, m)``, ``success`` and
      ``status``. Where a value has become NaN, ``success`` is False.

    Raises:
      NotImplementedError: in traced code, with another method, events or ``dense_output``.

    >>> from autotrace import grad
    >>> f = lambda t, y, rate: -rate * y
    >>> tight = {"rtol": 1e-9, "atol": 1e-9}
    >>> end = lambda rate: solve_ivp(f, (0.0, 2.0), [1.0], args=(rate,), **tight).y[0, -1]
    >>> grad(end)(0.5).round(6)
    np.float64(-0.735759)
    """
    if not active_traces():
        return _scipy.solve_ivp(
            fun, t_span, y0, method, t_eval, dense_output, events, vectorized, args,
            rtol=rtol, atol=atol, first_step=first_step, max_step=max_step, **options,
        )  # fmt: skip
    if method != "RK45" or dense_output or events is not None:
        raise NotImplementedError(
            located(
                "solve_ivp: in traced code there is the method 'RK45', without events and "
                "dense_output",
                "What to do: call SciPy's through autotrace.pure_callback; or write the steps as a "
                "loop.",
            )
        )
    first, last = t_span
    times = anp.stack([first, last]) if t_eval is None else operand(t_eval) * 1.0
    places = times if t_eval is None else anp.concatenate([anp.reshape(first, 1), times])
    given = tuple(args) if args is not None else ()
    found = solve(
        lambda t, y: anp.asarray(fun(t, y, *given)),
        places * 1.0,
        _initial(y0, "solve_ivp"),
        rtol=rtol,
        atol=atol,
        first_step=first_step,
        max_step=max_step,
    )
    y = found if t_eval is None else found[1:]
    good = anp.all(anp.isfinite(y))
    status = anp.where(good, 0, -1)
    return optimize.OptimizeResult(t=times, y=y.T, sol=None, success=good, status=status)
