"""The largest errors of elementary functions, in units of the last place; mpmath knows better."""

from __future__ import annotations

import numpy

from .row import Row

POINTS = 2000
#: By name: mpmath's function, and where points are; "log" ones are spread over all exponents.
FUNCTIONS = {
    "exp": ("exp", -700, 700, ""),
    "expm1": ("expm1", -30, 700, ""),
    "log": ("log", 1e-300, 1e300, "log"),
    "log1p": ("log1p", 1e-15, 1e15, "log"),
    "sin": ("sin", -1e5, 1e5, ""),
    "cos": ("cos", -1e5, 1e5, ""),
    "tan": ("tan", -1e5, 1e5, ""),
    "sinh": ("sinh", -700, 700, ""),
    "tanh": ("tanh", -20, 20, ""),
    "arcsin": ("asin", -1, 1, ""),
    "arctan": ("atan", -50, 50, ""),
    "cbrt": ("cbrt", 1e-300, 1e300, "log"),
    "erf": ("erf", -5, 5, ""),
}
#: Where float32 has less room.
SINGLE = {"exp": 87.0, "expm1": 87.0, "sinh": 87.0, "log": 1e-37, "cbrt": 1e-37}


def points(name: str, dtype: type) -> numpy.ndarray:
    _, low, high, spread = FUNCTIONS[name]
    if dtype is numpy.float32 and name in SINGLE:
        edge = SINGLE[name]
        low, high = (edge, 1 / edge) if spread else (max(low, -edge), edge)
    rng = numpy.random.default_rng(0)
    if spread:
        return numpy.exp(rng.uniform(numpy.log(low), numpy.log(high), POINTS)).astype(dtype)
    return rng.uniform(low, high, POINTS).astype(dtype)


def _row(name: str, dtype: type) -> Row:
    single = dtype is numpy.float32
    return Row(
        key=f"ulp_{name}" + "_float32" * single,
        title=f"{name}, float{32 if single else 64}",
        make=lambda np: lambda x: getattr(np, name)(x),
        inputs=lambda: (points(name, dtype),),
        exact=FUNCTIONS[name][0],
        kind="ulp",
        # torch has no cube root.
        libraries=("autotrace", "plain", "jax", *(["torch"] if name != "cbrt" else [])),
    )


ROWS = [_row(name, dtype) for dtype in (numpy.float64, numpy.float32) for name in FUNCTIONS]
