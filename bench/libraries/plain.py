"""Plain NumPy and SciPy; derivatives are written by hand."""

from __future__ import annotations

import numpy
from scipy import linalg, special

from bench.libraries import common

VERSION = numpy.__version__
NP = common.namespace(
    numpy,
    cho_solve=lambda factor, b: linalg.cho_solve((factor, True), b, check_finite=False),
    special=special,
    erf=special.erf,
)


def build(row):
    if row.by_hand is None and row.wanted != "value":
        return None  # nobody has written it by hand
    return common.job_maker(row, row.by_hand or row.maker("plain")(NP))
