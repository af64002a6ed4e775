"""The memory that gradients take."""

from __future__ import annotations

import numpy

from . import elementwise, nets, odes
from .elementwise import CHAIN_GRADIENT
from .row import Row

LIBRARIES = ("autotrace", "plain", "jax", "torch", "torch_compile", "autograd")


def _angles(size: int) -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.uniform(0.1, 0.5, size), rng.uniform(0.1, 0.5, size)


def _field(size: int) -> tuple:
    return numpy.random.default_rng(0).normal(size=(size, size)), 0.2


def _of(row: Row, key: str, title: str, large, small, **options) -> Row:
    return row.but(
        key=f"memory_{key}",
        title=title,
        inputs=large,
        small_inputs=small,
        kind="memory",
        libraries=LIBRARIES,
        c=None,
        numba=False,
        compilers=False,
        curve=None,
        **options,
    )


UNROLLED = next(row for row in elementwise.ROWS if row.key == "unrolled")
HEAT = next(row for row in odes.ROWS if row.key == "heat_gradient")
ATTENTION = next(row for row in nets.ROWS if row.key == "attention")
ROWS = [
    _of(
        CHAIN_GRADIENT,
        "chain",
        "memory: 12 operations, 4 * 10^6 (32 MB): gradient",
        lambda: elementwise.vector(4_000_000),
        lambda: elementwise.vector(10),
    ),
    _of(
        UNROLLED,
        "unrolled",
        "memory: 100 unrolled steps, 10^5 (0.8 MB): value and gradient",
        lambda: _angles(100_000),
        lambda: _angles(10),
    ),
    _of(
        HEAT,
        "heat",
        "memory: heat equation, 400 x 400 (1.3 MB), 100 steps: value and gradient",
        lambda: _field(400),
        lambda: _field(8),
    ),
    _of(
        ATTENTION,
        "attention",
        "memory: attention, 4 x 512 positions, 4 heads of 32 (2 MB each): value and gradient",
        lambda: nets.attention_inputs(512),
        lambda: nets.attention_inputs(8),
    ),
]
