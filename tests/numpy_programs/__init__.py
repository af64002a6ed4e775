"""Programs that were written for plain NumPy, with no thought of transforms.

A module for each field. Its functions know ``numpy`` only and are written as such code is written:
arrays are made and filled in, loops stop when they are close enough, branches ask for values.
"""

from . import (
    combinatorics,
    counting,
    dynamics,
    finance,
    learning,
    numerics,
    optimization,
    series,
    signals,
    simulation,
    stencils,
    systems,
)
from .program import Program

FIELDS = {
    "Differential equations on grids": stencils,
    "Motion": dynamics,
    "Linear algebra": systems,
    "Roots and minima": optimization,
    "Quadrature and interpolation": numerics,
    "Signals and images": signals,
    "Time series": series,
    "Statistics and learning": learning,
    "Finance": finance,
    "Graphs and tables": combinatorics,
    "Results of unknown size": counting,
    "Simulation": simulation,
}

ALL: list[Program] = [program for module in FIELDS.values() for program in module.PROGRAMS]
