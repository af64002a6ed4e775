"""Special functions of 10^5 numbers."""

from __future__ import annotations

import numpy
from scipy import special

from .row import Row, total

N = 100_000
LIBRARIES = ("autotrace", "plain", "jax", "torch", "torch_compile", "pytensor")


def of_one(name: str):
    """A function of the library's namespace of special functions."""
    return lambda np: lambda x: getattr(np.special, name)(x)


def _between(low: float, high: float):
    return lambda: (numpy.random.default_rng(0).uniform(low, high, N),)


def betainc(np):
    return lambda a, b, x: np.special.betainc(a, b, x)


def _beta() -> tuple:
    rng = numpy.random.default_rng(0)
    return (*rng.uniform(0.5, 5, (2, 10_000)), rng.uniform(size=10_000))


def _value(name: str, low: float, high: float, **options) -> Row:
    return Row(
        key=name,
        title=f"{name}, 10^5",
        make=of_one(name),
        inputs=_between(low, high),
        libraries=LIBRARIES,
        **options,
    )


ROWS = [
    _value("gammaln", 0.1, 50),
    Row(
        key="gammaln_gradient",
        title="gammaln, 10^5: gradient of the sum",
        make=total(of_one("gammaln")),
        inputs=_between(0.1, 50),
        wanted="gradient",
        by_hand=special.psi,
        libraries=(*LIBRARIES, "autograd"),
    ),
    _value("erf", -3, 3, compilers=True),
    _value("erfinv", -0.999, 0.999),
    _value("ndtri", 0.001, 0.999),
    _value("i0e", 0, 30),
    _value("expit", -10, 10),
    Row(
        key="betainc",
        title="betainc, 10^4",
        make=betainc,
        inputs=_beta,
        libraries=("autotrace", "plain", "jax"),
    ),
]
