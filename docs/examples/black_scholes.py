"""Options: Greeks by derivatives, implied volatilities by implicit ones, and a calibration.

The formula of Black and Scholes (1973), its derivatives to third order by nested transforms, and
the volatility that a price implies, found by Newton's method and differentiated without a look at
its steps. With these, a model with jumps (Merton, Journal of Financial Economics 3, 1976) is fitted
to a surface of implied volatilities: least squares with a Jacobian that goes through the root.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from _report import Report, run
from scipy.special import gammaln, ndtr

import autotrace as at
from autotrace import lax
from autotrace.scipy.optimize import least_squares

RATE = 0.03
#: Hull, Options, Futures, and Other Derivatives, the examples of the chapters on the Black-Scholes
#: model and on the Greek letters, rounded as printed there.
HULL_CALL = (42.0, 40.0, 0.5, 0.1, 0.2), 4.76
HULL_OPTION = 49.0, 50.0, 0.3846, 0.05, 0.2
HULL_GREEKS = {"delta": 0.522, "gamma": 0.066, "vega": 12.1, "theta": -4.31, "rho": 8.91}
HULL_PLACES = {"delta": 3, "gamma": 3, "vega": 1, "theta": 2, "rho": 2}
#: The jumps of the market that is looked at: volatility between jumps, jumps a year, and mean and
#: standard deviation of a jump's logarithm.
MARKET = np.array([0.15, 0.6, -0.12, 0.15])
START = np.array([0.2, 0.3, -0.05, 0.1])


# --- the models: plain NumPy ------------------------------------------------------------------


def call(spot, strike, time, rate, volatility):
    """The price of a European call by Black and Scholes."""
    deviation = volatility * np.sqrt(time)
    d = (np.log(spot / strike) + rate * time) / deviation + 0.5 * deviation
    return spot * ndtr(d) - strike * np.exp(-rate * time) * ndtr(d - deviation)


def jump_call(parameters, spot, strike, time, rate):
    """The price where jumps come at random: Merton's sum over their number."""
    volatility, jumps, mean, spread = parameters
    n = np.arange(40.0)
    growth = np.exp(mean + 0.5 * spread**2) - 1
    expected = jumps * (1 + growth) * time
    chance = np.exp(n * np.log(expected) - expected - gammaln(n + 1))
    own_rate = rate - jumps * growth + n * (mean + 0.5 * spread**2) / time
    own_volatility = np.sqrt(volatility**2 + n * spread**2 / time)
    return np.sum(chance * call(spot, strike, time, own_rate, own_volatility))


# --- Greeks -----------------------------------------------------------------------------------

delta = at.grad(call, argnums=0)
vega = at.grad(call, argnums=4)
GREEKS = {
    "delta": delta,
    "gamma": at.grad(delta, argnums=0),
    "vega": vega,
    "theta": lambda *option: -at.grad(call, argnums=2)(*option),
    "rho": at.grad(call, argnums=3),
    "vanna": at.grad(delta, argnums=4),
    "volga": at.grad(vega, argnums=4),
    "charm": lambda *option: -at.grad(delta, argnums=2)(*option),
    "speed": at.grad(at.grad(delta, argnums=0), argnums=0),
}


@at.jit
def greeks(*option):
    return {name: greek(*option) for name, greek in GREEKS.items()}


def closed_forms(spot, strike, time, rate, volatility):
    """The same as textbooks have them."""
    root = np.sqrt(time)
    d1 = (np.log(spot / strike) + (rate + volatility**2 / 2) * time) / (volatility * root)
    d2 = d1 - volatility * root
    density = np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi)
    present = strike * np.exp(-rate * time)
    gamma = density / (spot * volatility * root)
    return {
        "delta": ndtr(d1),
        "gamma": gamma,
        "vega": spot * density * root,
        "theta": -spot * density * volatility / (2 * root) - rate * present * ndtr(d2),
        "rho": time * present * ndtr(d2),
        "vanna": -density * d2 / volatility,
        "volga": spot * density * root * d1 * d2 / volatility,
        "charm": -density * (2 * rate * time - d2 * volatility * root)
        / (2 * time * volatility * root),
        "speed": -gamma / spot * (d1 / (volatility * root) + 1),
    }  # fmt: skip


# --- implied volatility -----------------------------------------------------------------------


def implied_volatility(price, spot, strike, time, rate):
    """The volatility with which ``call`` gives a price."""

    def excess(volatility):
        return call(spot, strike, time, rate, volatility) - price

    def newton(f, volatility):
        slope = at.grad(f)

        def turn(state):
            volatility, _, count = state
            step = f(volatility) / slope(volatility)
            return volatility - step, step, count + 1

        def unfinished(state):
            volatility, step, count = state
            return (np.abs(step) > 1e-14 * volatility) & (count < 50)

        return lax.while_loop(unfinished, turn, (volatility, 1.0, 0))[0]

    # From the point where the price bends the other way Newton's method always gets there:
    # Manaster and Koehler, Journal of Finance 37 (1982).
    forward = np.log(spot / strike) + rate * time
    start = np.maximum(np.sqrt(2 * np.abs(forward) / time), 0.1)
    return lax.custom_root(excess, start, newton, lambda g, y: y / g(1.0))


STRIKES, TIMES = np.linspace(70.0, 130.0, 13), np.array([0.1, 0.25, 0.5, 1.0, 2.0])


def smile(parameters, strike, time):
    """The volatility that Black and Scholes see in a price with jumps."""
    price = jump_call(parameters, 100.0, strike, time, RATE)
    return implied_volatility(price, 100.0, strike, time, RATE)


#: Of all strikes (columns) and times (rows).
surface = at.jit(at.vmap(at.vmap(smile, in_axes=(None, 0, None)), in_axes=(None, None, 0)))


def misfit(parameters, strikes, times, market):
    return (surface(parameters, strikes, times) - market).ravel()


# --- the example --------------------------------------------------------------------------------


def check_greeks(report: Report) -> None:
    report.section("Greeks")
    option, known = HULL_CALL
    report.agree("a call of Hull's", call(*option), known, atol=0.005)
    found, expected = greeks(*HULL_OPTION), closed_forms(*HULL_OPTION)
    print(f"\n  {'':10}{'nested grad':>14}{'closed form':>14}{'Hull':>9}")
    for name in GREEKS:
        printed = HULL_GREEKS.get(name, "")
        print(f"  {name:10}{found[name]:14.7f}{expected[name]:14.7f}{printed:>9}")
    print()
    for name, value in HULL_GREEKS.items():
        report.agree(f"{name}, as in Hull", round(found[name], HULL_PLACES[name]), value)
    rng = np.random.default_rng(0)
    many = (
        rng.uniform(80, 120, 200),
        rng.uniform(80, 120, 200),
        rng.uniform(0.1, 2, 200),
        rng.uniform(0, 0.1, 200),
        rng.uniform(0.1, 0.5, 200),
    )
    found, expected = at.jit(at.vmap(greeks))(*many), closed_forms(*many)
    for name in GREEKS:
        # Rounding alone, of sums whose terms cancel.
        atol = 1e-12 * np.max(np.abs(expected[name]))
        report.agree(f"{name} of 200 options", found[name], expected[name], atol=atol)


def check_implied(report: Report) -> np.ndarray:
    report.section("Implied volatility")
    market = surface(MARKET, STRIKES, TIMES)
    report.line("prices inverted", market.size)
    of_all = at.vmap(at.vmap(jump_call, (None, None, 0, None, None)), (None, None, None, 0, None))
    prices = of_all(MARKET, 100.0, STRIKES, TIMES, RATE)
    back = call(100.0, STRIKES, TIMES[:, None], RATE, market)
    report.agree("prices found back", back, prices, atol=1e-12 * 100)
    option = 100.0, 110.0, 0.5, RATE
    slope = at.grad(implied_volatility)(5.0, *option)
    bend = at.grad(at.grad(implied_volatility))(5.0, *option)
    exact = closed_forms(*option, implied_volatility(5.0, *option))
    report.agree("slope in the price: 1/vega", slope, 1 / exact["vega"], rtol=1e-11)
    expected = -exact["volga"] / exact["vega"] ** 3
    report.agree("second: -volga/vega^3", bend, expected, rtol=1e-9)
    return market


def calibrate(report: Report, market: np.ndarray) -> None:
    report.section("Calibration: the jumps, from the surface")
    found = least_squares(
        misfit, START, args=(STRIKES, TIMES, market), x_scale="jac", xtol=1e-14, ftol=1e-14
    )
    report.line("evaluations", found.nfev)
    names = "volatility", "jumps a year", "mean of a jump", "its deviation"
    for name, value, known in zip(names, found.x, MARKET, strict=True):
        report.agree(name, value, known, atol=1e-8)
    step = 1e-5 * np.eye(4)
    columns = [
        (surface(START + e, STRIKES, TIMES) - surface(START - e, STRIKES, TIMES)) / 2e-5
        for e in step
    ]
    jacobian = at.jit(at.jacfwd(surface))(START, STRIKES, TIMES)
    # The differences' own error: the step squared, times third derivatives.
    report.agree("Jacobian against differences", jacobian, np.stack(columns, -1), atol=1e-6)


def example(report: Report, short: bool) -> np.ndarray:
    check_greeks(report)
    market = check_implied(report)
    calibrate(report, market)
    return market


def picture(figure: Any, market: np.ndarray) -> None:
    """The surface, as it is and by lines."""
    fine = np.linspace(70.0, 130.0, 13), np.linspace(0.1, 2.0, 11)
    left = figure.add_subplot(1, 2, 1, projection="3d")
    heights = 100 * surface(MARKET, *fine)
    left.plot_surface(*np.meshgrid(*fine), heights, cmap="viridis", edgecolor="w", linewidth=0.2)
    left.set(xlabel="strike", ylabel="years", title="Implied volatility (%)")
    left.view_init(25, 35)
    right = figure.add_subplot(1, 2, 2)
    for time, row in zip(TIMES, market, strict=True):
        right.plot(STRIKES, 100 * row, ".-", label=f"{time:g} years")
    right.set(xlabel="strike", ylabel="implied volatility (%)", title="Smiles that jumps make")
    right.legend(frameon=False)


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
