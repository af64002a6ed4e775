"""The rows of the table, in its order."""

from __future__ import annotations

from . import algebra, bundle, elementwise, loops, models, reductions, sampling, small
from .row import Row

ALL: list[Row] = [
    *small.ROWS,
    *elementwise.ROWS,
    *reductions.ROWS,
    *models.ROWS,
    *algebra.ROWS,
    *loops.ROWS,
    *bundle.ROWS,
    *sampling.ROWS,
]
BY_KEY: dict[str, Row] = {row.key: row for row in ALL}
