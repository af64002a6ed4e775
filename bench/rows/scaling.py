"""How times grow: with the size of the work, and with threads."""

from __future__ import annotations

import math

import numpy

from . import nets, reductions
from .dense import STEP_ROW
from .elementwise import CHAIN_GRADIENT, vector
from .row import Row

THREADED = ("autotrace", "plain", "jax", "torch")


def _sized(size: int) -> Row:
    return CHAIN_GRADIENT.but(
        key=f"chain_gradient_{size}",
        title=f"12 operations, 10^{round(math.log10(size))}: gradient",
        inputs=lambda: vector(size),
        curve="size",
        x=size,
        slow=size > 1_000_000,
        compilers=False,
    )


def product(np):
    return lambda a, b: np.sum((a @ b) ** 2)


def product_by_hand(a, b):
    c = a @ b
    bar = 2 * c
    return numpy.sum(c * c), bar @ b.T, a.T @ bar


def _squares(size: int) -> tuple:
    return tuple(numpy.random.default_rng(0).normal(size=(2, size, size)))


def _product(size: int) -> Row:
    return Row(
        key=f"matmul_gradient_{size}",
        title=f"sum of squares of a product, {size} x {size}: value and gradient",
        make=product,
        inputs=lambda: _squares(size),
        wanted="value_and_grad",
        argnums=(0, 1),
        by_hand=product_by_hand,
        curve="matmul",
        x=size,
        flops=6 * size**3,
        traffic=5 * 8 * size**2,
    )


def _with_threads(row: Row) -> list[Row]:
    return [
        row.but(
            key=f"{row.key}_threads{threads}",
            title=f"{row.title}, {threads} thread{'s' * (threads > 1)}",
            threads=threads,
            libraries=THREADED,
            c=None,
            compilers=False,
            curve=None,
            flops=None,
        )
        for threads in (1, 2)
    ]


SOFTMAX = next(row for row in reductions.ROWS if row.key == "softmax_gradient")
CONV = next(row for row in nets.ROWS if row.key == "conv_gradient_float32")
ROWS = [
    *map(_sized, (10, 100, 1000, 10_000, 1_000_000, 10_000_000)),
    *map(_product, (4, 16, 64, 256, 1024)),
    *_with_threads(_sized(1_000_000)),
    *_with_threads(SOFTMAX),
    *_with_threads(STEP_ROW),
    *_with_threads(CONV),
]
