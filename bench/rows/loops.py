"""Scans: recurrences and filters, whose turns depend on each other.

``np.lax`` is a library's control flow; where a library has none, it is Python's loops
(``libraries.common.python_loops``). The derivatives by hand are in ``loops_by_hand``.
"""

from __future__ import annotations

import numpy

from . import loops_by_hand as by_hand
from .row import Row

#: Who takes part, but that autograd is left out where a call takes it ten seconds, and PyTorch from
#: derivatives of 100,000 turns, which take it minutes. A loop of hundreds of turns, unrolled, is no
#: work for ``torch.compile``.
LIBRARIES = ("autotrace", "plain", "jax", "torch", "autograd", "numba", "c")

LONG = 100_000


def logistic_map(np):
    def f(r, x):
        return np.lax.fori_loop(0, LONG, lambda i, x: r * x * (1 - x), x)

    return f


def garch(np):
    """The log likelihood of a GARCH(1, 1) model: its variance follows the squared returns."""

    def f(theta, returns):
        omega, alpha, beta = theta[0], theta[1], theta[2]

        def step(carry, x):
            variance, total = carry
            total = total - 0.5 * (np.log(variance) + x * x / variance)
            return (omega + alpha * x * x + beta * variance, total), None

        first = omega / (1 - alpha - beta)
        (_, total), _ = np.lax.scan(step, (first, 0.0 * first), returns)
        return total

    return f


def _returns() -> tuple:
    rng = numpy.random.default_rng(0)
    theta = numpy.array([0.05, 0.08, 0.9])
    returns, variance = numpy.empty(LONG), 1.0
    for i, z in enumerate(rng.normal(size=LONG)):
        returns[i] = numpy.sqrt(variance) * z
        variance = theta[0] + theta[1] * returns[i] ** 2 + theta[2] * variance
    return theta, returns


def kalman(np):
    """The log likelihood of a linear Gaussian state space model, with two observations a step."""

    def f(a, c, q, r, observed):
        def step(carry, y):
            mean, cov, total = carry
            mean, cov = a @ mean, a @ cov @ a.T + q
            both = cov @ c.T
            s = c @ both + r
            det = s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0]
            rows = np.stack([s[1, 1], -s[0, 1]]), np.stack([-s[1, 0], s[0, 0]])
            inverse = np.stack(rows) / det
            error = y - c @ mean
            total = total - 0.5 * (error @ inverse @ error + np.log(det))
            gain = both @ inverse
            return (mean + gain @ error, cov - gain @ (c @ cov), total), None

        init = np.zeros(4, dtype=np.float64), np.eye(4, dtype=np.float64), 0.0 * a[0, 0]
        (_, _, total), _ = np.lax.scan(step, init, observed)
        return total

    return f


def _series() -> tuple:
    """A position and a velocity in two dimensions, the position observed."""
    rng = numpy.random.default_rng(0)
    a = numpy.eye(4) * 0.98 + 0.1 * numpy.eye(4, k=2)
    c = numpy.eye(2, 4) + 0.1 * rng.normal(size=(2, 4))
    q, r = 0.05 * numpy.eye(4) + 0.01, 0.2 * numpy.eye(2) + 0.05
    state, observed = numpy.zeros(4), []
    for _ in range(500):
        state = a @ state + rng.multivariate_normal(numpy.zeros(4), q)
        observed.append(c @ state + rng.multivariate_normal(numpy.zeros(2), r))
    return a, c, q, r, numpy.array(observed)


def lstm(np):
    """The sum of the squares of all outputs."""

    def f(wx, wh, b, xs):
        size = wh.shape[0]

        def step(carry, x):
            h, cell = carry
            gates = x @ wx + h @ wh + b
            take, keep = np.sigmoid(gates[:, :size]), np.sigmoid(gates[:, size : 2 * size])
            new, show = np.tanh(gates[:, 2 * size : 3 * size]), np.sigmoid(gates[:, 3 * size :])
            cell = keep * cell + take * new
            h = show * np.tanh(cell)
            return (h, cell), h

        zeros = np.zeros((xs.shape[1], size), dtype=np.float64)
        _, outputs = np.lax.scan(step, (zeros, zeros), xs)
        return np.sum(outputs * outputs)

    return f


def _lstm_of_torch(np):
    def f(wx, wh, b, xs):
        zeros = np.zeros((1, xs.shape[1], wh.shape[0]), dtype=np.float64)
        weights = [wx.T, wh.T, b, np.zeros_like(b)]
        outputs, *_ = np.lstm(xs, (zeros, zeros), weights, True, 1, 0.0, False, False, False)
        return np.sum(outputs * outputs)

    return f


def _sequence(batch: int) -> tuple:
    rng = numpy.random.default_rng(0)
    hidden, inputs = 64, 32
    return (
        rng.normal(size=(inputs, 4 * hidden)) / numpy.sqrt(inputs),
        rng.normal(size=(hidden, 4 * hidden)) / numpy.sqrt(hidden),
        0.1 * rng.normal(size=4 * hidden),
        rng.normal(size=(100, batch, inputs)),
    )


def pair(key: str, title: str, argnums: tuple[int, ...], without=(), **options) -> list[Row]:
    """A function's value, and its gradient beside it; the latter not of those ``without``."""
    value, gradient = options.pop("by_hand")
    loss = options.pop("loss", {})
    libraries = tuple(name for name in LIBRARIES if name not in without)
    row = Row(key=key, title=title, by_hand=value, c=key, numba=True, **options)
    return [
        # autograd has derivatives only.
        row.but(libraries=tuple(name for name in LIBRARIES if name != "autograd")),
        row.but(
            key=f"{key}_gradient",
            title=f"{title}: value and gradient",
            wanted="value_and_grad",
            argnums=argnums,
            by_hand=gradient,
            c=f"{key}_gradient",
            libraries=libraries,
            **loss,
        ),
    ]


ROWS = [
    *pair(
        "logistic_map",
        "logistic map, 10^5 steps",
        (0, 1),
        make=logistic_map,
        inputs=lambda: (3.5, 0.3),
        by_hand=(by_hand.logistic_map, by_hand.logistic_map_gradient),
        without=("autograd", "torch"),
        slow=True,
    ),
    *pair(
        "garch",
        "GARCH(1, 1), log likelihood of 10^5 returns",
        (0,),
        make=garch,
        inputs=_returns,
        by_hand=(by_hand.garch, by_hand.garch_gradient),
        without=("autograd", "torch"),
        slow=True,
    ),
    *pair(
        "kalman",
        "Kalman filter, log likelihood, 500 steps",
        (0, 1, 2, 3),
        make=kalman,
        inputs=_series,
        by_hand=(by_hand.kalman, by_hand.kalman_gradient),
    ),
    *(
        row.but(key=row.key.replace("lstm", f"lstm{batch}"))
        for batch in (1, 16)
        for row in pair(
            "lstm",
            f"LSTM 32-64, 100 steps, batch {batch}",
            (0, 1, 2),
            make=lstm,
            inputs=lambda batch=batch: _sequence(batch),
            own={"torch": _lstm_of_torch},
            by_hand=(by_hand.lstm, by_hand.lstm_gradient),
        )
    ),
]
