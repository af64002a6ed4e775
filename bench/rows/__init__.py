"""The rows of the tables, by family and in order."""

from __future__ import annotations

from . import (
    accuracy,
    adbench,
    algebra,
    compiling,
    dense,
    elementwise,
    indexing,
    jacobians,
    linear,
    loops,
    memory,
    nets,
    odes,
    reductions,
    sampling,
    scaling,
    small,
    specials,
    statistics,
)
from .row import Row

FAMILIES: dict[str, list[Row]] = {
    "Calls of small functions": small.ROWS,
    "Element by element": elementwise.ROWS,
    "Reductions": reductions.ROWS,
    "Linear models": linear.ROWS,
    "Neural nets": [*dense.ROWS, *nets.ROWS],
    "Scans and recurrences": loops.ROWS,
    "Differential equations and solvers": odes.ROWS,
    "Statistics": statistics.ROWS,
    "Jacobians and Hessians": jacobians.ROWS,
    "ADBench": adbench.ROWS,
    "Linear algebra": algebra.ROWS,
    "Indexing and sorting": indexing.ROWS,
    "Special functions": specials.ROWS,
    "Random numbers": sampling.ROWS,
    "Compilation": compiling.ROWS,
    "Memory": memory.ROWS,
    "Sizes and threads": scaling.ROWS,
    "Accuracy": accuracy.ROWS,
}
ALL: list[Row] = [row for family in FAMILIES.values() for row in family]
BY_KEY: dict[str, Row] = {row.key: row for row in ALL}
FAMILY_OF = {row.key: family for family, members in FAMILIES.items() for row in members}
