"""Long vectors, element by element."""

from __future__ import annotations

import math

import numpy
from scipy import special

from .row import Row, total

N = 100_000
RATE = 0.05


def black_scholes(np):
    """The price of a call option."""

    def normal(z):
        return 0.5 * (1 + np.erf(z / math.sqrt(2)))

    def f(spot, strike, time, volatility):
        spread = volatility * np.sqrt(time)
        d1 = (np.log(spot / strike) + (RATE + volatility**2 / 2) * time) / spread
        return spot * normal(d1) - strike * np.exp(-RATE * time) * normal(d1 - spread)

    return f


def greeks_by_hand(spot, strike, time, volatility):
    """Derivatives with respect to spot, time and volatility."""
    root = numpy.sqrt(time)
    spread = volatility * root
    d1 = (numpy.log(spot / strike) + (RATE + volatility**2 / 2) * time) / spread
    density = spot * numpy.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
    present = RATE * strike * numpy.exp(-RATE * time)
    by_time = density * volatility / (2 * root) + present * special.ndtr(d1 - spread)
    return special.ndtr(d1), by_time, density * root


def options(dtype=numpy.float64) -> tuple:
    rng = numpy.random.default_rng(0)
    bounds = (50, 150), (50, 150), (0.1, 2), (0.1, 0.5)
    return tuple(rng.uniform(low, high, N).astype(dtype) for low, high in bounds)


def chain(np):
    """Twelve operations."""

    def f(x):
        y = np.tanh(x) * 2 + 1
        y = np.exp(-y * y)
        y = np.sin(y) + y * x
        return y / (1 + y * y)

    return f


def chain_gradient_by_hand(x):
    t = numpy.tanh(x)
    a = t * 2 + 1
    e = numpy.exp(-a * a)
    y = numpy.sin(e) + e * x
    e_by_x = -4 * a * e * (1 - t * t)
    return (1 - y * y) / (1 + y * y) ** 2 * ((numpy.cos(e) + x) * e_by_x + e)


def unrolled(np):
    """A loop of 100 steps in Python, which tracing unrolls."""

    def f(a, b):
        z = a
        for i in range(100):
            z = a * np.cos(z + i) + z * np.sin(b - i)
        return np.sum(z)

    return f


def unrolled_by_hand(a, b):
    z, factors = a, []
    for i in range(100):
        cosine, sine = numpy.cos(z + i), numpy.sin(b - i)
        factors.append((cosine, sine - a * numpy.sin(z + i), z * numpy.cos(b - i)))
        z = a * cosine + z * sine
    bar = numpy.ones_like(a)
    by_a, by_b = numpy.zeros_like(a), numpy.zeros_like(b)
    for to_a, to_z, to_b in reversed(factors):
        by_a += bar * to_a
        by_b += bar * to_b
        bar = bar * to_z
    return z.sum(), by_a + bar, by_b


def vector(size: int = N, dtype=numpy.float64) -> tuple:
    return (numpy.random.default_rng(0).normal(size=size).astype(dtype),)


def _angles() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.uniform(0.1, 0.5, 1000), rng.uniform(0.1, 0.5, 1000)


BLACK_SCHOLES = Row(
    key="black_scholes",
    title="Black-Scholes price, 10^5",
    make=black_scholes,
    inputs=options,
    c="black_scholes",
    compilers=True,
)
CHAIN = Row(
    key="chain",
    title="12 operations with tanh, exp, sin, 10^5",
    make=chain,
    inputs=vector,
    c="chain",
    compilers=True,
)
CHAIN_GRADIENT = CHAIN.but(
    key="chain_gradient",
    title="12 operations, 10^5: gradient",
    make=total(chain),
    wanted="gradient",
    by_hand=chain_gradient_by_hand,
    c="chain_gradient",
    curve="size",
    x=N,
)
ROWS = [
    BLACK_SCHOLES,
    BLACK_SCHOLES.but(
        key="black_scholes_float32",
        title="Black-Scholes price, 10^5, float32",
        compilers=False,
        inputs=lambda: options(numpy.float32),
    ),
    BLACK_SCHOLES.but(
        key="black_scholes_gradient",
        title="Black-Scholes, gradient: spot, time, volatility",
        make=total(black_scholes),
        wanted="gradient",
        argnums=(0, 2, 3),
        by_hand=greeks_by_hand,
        c="black_scholes_gradient",
    ),
    CHAIN,
    CHAIN_GRADIENT,
    CHAIN_GRADIENT.but(
        key="chain_gradient_float32",
        title="12 operations, 10^5: gradient, float32",
        curve=None,
        compilers=False,
        inputs=lambda: vector(N, numpy.float32),
    ),
    Row(
        key="unrolled",
        title="100 unrolled steps, 10^3: value and gradient",
        make=unrolled,
        inputs=_angles,
        wanted="value_and_grad",
        argnums=(0, 1),
        by_hand=unrolled_by_hand,
        c="unrolled_gradient",
    ),
]
