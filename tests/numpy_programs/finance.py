"""Prices of options, and volatility."""

import numpy as np

from .program import Program

rng = np.random.default_rng(5)


def norm_cdf(x):
    # Abramowitz and Stegun 26.2.17
    t = 1 / (1 + 0.2316419 * np.abs(x))
    poly = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    tail = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi) * poly
    return np.where(x > 0, 1 - tail, tail)


def black_scholes(spot, strike, rate, vol, maturity):
    """Prices of calls and puts by Black and Scholes' formula."""
    sd = vol * np.sqrt(maturity)
    d1 = (np.log(spot / strike) + (rate + 0.5 * vol**2) * maturity) / sd
    d2 = d1 - sd
    discount = np.exp(-rate * maturity)
    call = spot * norm_cdf(d1) - strike * discount * norm_cdf(d2)
    put = call - spot + strike * discount
    return call, put


def implied_volatility(price, spot, strike, rate, maturity):
    """Volatility implied by a price, by Newton's method."""
    sigma = 0.2
    for _ in range(100):
        sd = sigma * np.sqrt(maturity)
        d1 = (np.log(spot / strike) + (rate + 0.5 * sigma**2) * maturity) / sd
        d2 = d1 - sd
        value = spot * norm_cdf(d1) - strike * np.exp(-rate * maturity) * norm_cdf(d2)
        vega = spot * np.sqrt(maturity) * np.exp(-0.5 * d1 * d1) / np.sqrt(2 * np.pi)
        diff = value - price
        if abs(diff) < 1e-8:
            return sigma
        sigma = sigma - diff / vega
        if sigma <= 0:
            sigma = 0.01
    return np.nan


def monte_carlo_asian(spot, strike, rate, vol, uniforms):
    """An Asian option by Monte Carlo, with given uniform numbers (Box and Muller)."""
    paths, steps = uniforms.shape[0], uniforms.shape[1] // 2
    u1, u2 = uniforms[:, :steps], uniforms[:, steps:]
    z = np.sqrt(-2 * np.log(u1)) * np.cos(2 * np.pi * u2)
    dt = 1.0 / steps
    s = np.full(paths, spot)
    total = np.zeros(paths)
    for k in range(steps):
        s = s * np.exp((rate - 0.5 * vol**2) * dt + vol * np.sqrt(dt) * z[:, k])
        total += s
    payoff = np.maximum(total / steps - strike, 0)
    return np.exp(-rate) * payoff.mean(), payoff.std() / np.sqrt(paths)


def american_put(spot, strike, rate, vol, maturity, steps):
    """An American put on a binomial tree."""
    dt = maturity / steps
    u = np.exp(vol * np.sqrt(dt))
    d = 1 / u
    p = (np.exp(rate * dt) - d) / (u - d)
    disc = np.exp(-rate * dt)
    prices = spot * u ** (steps - 2 * np.arange(steps + 1))
    values = np.maximum(strike - prices, 0)
    for k in range(steps - 1, -1, -1):
        values = disc * (p * values[:-1] + (1 - p) * values[1:])
        prices = prices[:-1] * d
        exercise = strike - prices
        better = exercise > values
        values[better] = exercise[better]
    return values[0]


def garch_loglikelihood(params, returns):
    """Log-likelihood of a GARCH(1,1) model, with a penalty outside of its region."""
    omega, alpha, beta = params
    if omega <= 0 or alpha < 0 or beta < 0 or alpha + beta >= 1:
        return -1e10
    n = len(returns)
    sigma2 = np.zeros(n)
    sigma2[0] = np.var(returns)
    for t in range(1, n):
        sigma2[t] = omega + alpha * returns[t - 1] ** 2 + beta * sigma2[t - 1]
    return -0.5 * np.sum(np.log(2 * np.pi * sigma2) + returns**2 / sigma2)


def drawdown(prices):
    """The largest fall of a price, and how long it took."""
    peak = prices[0]
    peak_day = 0
    worst, length = 0.0, 0
    for day in range(1, len(prices)):
        if prices[day] > peak:
            peak = prices[day]
            peak_day = day
        fall = (peak - prices[day]) / peak
        if fall > worst:
            worst = fall
            length = day - peak_day
    return worst, length


PROGRAMS = [
    Program(
        black_scholes,
        (rng.uniform(80, 120, size=50), 100.0, 0.02, 0.3, rng.uniform(0.1, 2, size=50)),
        (rng.uniform(80, 120, size=50), 90.0, 0.01, 0.2, rng.uniform(0.1, 2, size=50)),
        wrt=(0, 3),
    ),
    Program(
        implied_volatility,
        (10.0, 100.0, 105.0, 0.02, 1.0),
        (30.0, 100.0, 80.0, 0.02, 1.0),
        wrt=(0, 1),
    ),
    Program(
        monte_carlo_asian,
        (100.0, 98.0, 0.03, 0.25, rng.uniform(size=(1000, 24))),
        (90.0, 98.0, 0.03, 0.15, rng.uniform(size=(1000, 24))),
        wrt=(0, 3),
    ),
    Program(
        american_put,
        (100.0, 103.0, 0.05, 0.2, 1.0, 30),
        (120.0, 103.0, 0.02, 0.4, 1.0, 30),
        wrt=(0, 3),
    ),
    Program(
        garch_loglikelihood,
        (np.array([0.05, 0.1, 0.8]), rng.normal(size=100)),
        (np.array([0.05, 0.4, 0.8]), rng.normal(size=100)),
        wrt=(0,),
    ),
    Program(
        drawdown,
        (100 * np.exp(np.cumsum(0.02 * rng.normal(size=60))),),
        (100 * np.exp(np.cumsum(0.02 * rng.normal(size=60))),),
        wrt=(0,),
    ),
]
