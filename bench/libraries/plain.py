"""Plain NumPy and SciPy; derivatives are written by hand."""

from __future__ import annotations

import numpy
from scipy import special

from bench.libraries import common

VERSION = numpy.__version__
NP = common.namespace(numpy, erf=special.erf)


def build(row):
    return common.job_maker(row, row.by_hand or row.maker("plain")(NP))
