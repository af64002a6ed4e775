"""Dormand and Prince's pair of Runge-Kutta methods (1980), with steps of its own choice.

Derivatives are those of the steps as they were taken: how long they are counts as constant, so that
the control of errors leaves no trace in them. They are exact for the numbers that come out, in both
modes and of any order, and hold for the times too. Every time that is asked for is the end of a
step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import lax
from .. import numpy as anp
from ..lax.constants import stop_gradient

#: Where a step's stages are, and what they are made of (Hairer, Norsett, Wanner 1993, table 5.2).
_NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0)
_STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
)
_END = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
#: The fifth-order result less the fourth-order one.
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
_ORDER = 5
_SAFETY, _LEAST, _MOST = 0.9, 0.2, 10.0


def _norm(x: Any) -> Any:
    """The root of the mean square."""
    return anp.sqrt(anp.sum(anp.abs(x) ** 2) / max(x.size, 1))


def _first_step(f: Callable, t: Any, y: Any, slope: Any, rtol: Any, atol: Any) -> Any:
    """A first step whose error is about as large as allowed (Hairer and others, section II.4)."""
    scale = atol + rtol * anp.abs(y)
    size, speed = _norm(y / scale), _norm(slope / scale)
    small = (size < 1e-5) | (speed < 1e-5)
    guess = anp.where(small, 1e-6, 0.01 * size / anp.where(small, 1.0, speed))
    bend = _norm((f(t + guess, y + guess * slope) - slope) / scale) / guess
    steep = anp.maximum(speed, bend)
    flat = steep <= 1e-15
    length = anp.where(
        flat,
        anp.maximum(1e-6, 1e-3 * guess),
        (0.01 / anp.where(flat, 1.0, steep)) ** (1 / _ORDER),
    )
    return anp.minimum(100 * guess, length)


def _sum(weights: tuple[float, ...], slopes: list[Any]) -> Any:
    return sum(w * k for w, k in zip(weights, slopes, strict=True) if w)


def _step(f: Callable, t: Any, y: Any, slope: Any, h: Any) -> tuple[Any, Any, Any]:
    """One step: the values at its end, the slopes there, and the estimate of the error."""
    slopes = [slope]
    time_step, h = h, h.astype(y.real.dtype)
    for node, weights in zip(_NODES, _STAGES, strict=True):
        slopes.append(f(t + node * time_step, y + h * _sum(weights, slopes)))
    end = y + h * _sum(_END, slopes)
    slopes.append(f(t + time_step, end))
    return end, slopes[-1], h * _sum(_ERROR, slopes)


def solve(
    fun: Callable,
    times: Any,
    y0: Any,
    *,
    rtol: Any,
    atol: Any,
    first_step: Any = None,
    max_step: Any = np.inf,
    max_steps: int = 100_000,
) -> Any:
    """The solution of ``dy/dt = fun(t, y)``.

    Args:
      fun: of a time and the values, an array of one dimension, to their slopes.
      times: where the solution is wanted, in rising or falling order, the first one that of ``y0``.
      y0: the values at the first of them.
      rtol, atol: the error allowed in a step: ``atol + rtol * abs(y)`` for each value.
      first_step, max_step: lengths of steps.
      max_steps: how many steps there may be from one time to the next. The values beyond are NaN.

    Returns:
      An array of shape ``(len(times), len(y0))``.
    """
    dtype = y0.dtype
    sign = anp.sign(times[-1] - times[0])  # time goes up here

    def f(t: Any, y: Any) -> Any:
        return (sign * fun(sign * t, y)).astype(dtype)

    start = sign * times[0]
    slope = f(start, y0)
    if first_step is None:
        first_step = _first_step(f, start, y0, slope, rtol, atol)
    first_step = stop_gradient(anp.minimum(first_step, max_step)).astype(times.dtype)

    def until(carry: tuple, time: Any) -> tuple:
        goal = sign * time

        def is_short(state: tuple) -> Any:
            t, _, _, _, count = state
            return (t < goal) & (count < max_steps)

        def advance(state: tuple) -> tuple:
            t, y, slope, h, count = state
            last = t + h >= goal
            taken = anp.where(last, goal - t, h)
            end, end_slope, error = _step(f, t, y, slope, taken)
            scale = atol + rtol * anp.maximum(anp.abs(y), anp.abs(end))
            wrong = stop_gradient(_norm(error / scale))
            factor = _SAFETY * anp.maximum(wrong, 1e-10) ** (-1 / _ORDER)
            good = wrong < 1
            # A NaN counts as an error too large.
            factor = anp.where(good, anp.minimum(factor, _MOST), anp.fmax(factor, _LEAST))
            factor = anp.where(good, factor, anp.minimum(factor, 1.0))
            proposed = stop_gradient(taken) * factor
            # A step cut short says nothing of how long steps may be, unless that is still shorter.
            proposed = anp.where(good & last, anp.maximum(proposed, h), proposed)
            return (
                anp.where(good, anp.where(last, goal, t + taken), t),
                anp.where(good, end, y),
                anp.where(good, end_slope, slope),
                stop_gradient(anp.minimum(proposed, max_step)).astype(h.dtype),
                count + 1,
            )

        t, y, slope, h, _ = lax.while_loop(is_short, advance, (*carry, 0))
        return (t, y, slope, h), anp.where(t >= goal, y, np.nan).astype(dtype)

    # A NaN among the values makes no time pass, and ends in NaN.
    carry = (start + 0.0 * first_step, y0, slope, first_step)
    _, out = lax.scan(until, carry, times[1:])
    return anp.concatenate([y0[None], out])
