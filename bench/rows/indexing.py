"""Indexing and sorting."""

from __future__ import annotations

import numpy

from .row import Row

N, TABLE = 100_000, 10_000


def gather(np):
    return lambda x, index, w: np.sum(w * x[index])


def _picked() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.normal(size=TABLE), rng.integers(TABLE, size=N), rng.normal(size=N)


def segment_sums(np):
    return lambda x, index, w: np.zeros_like(x).at[index].add(w)


def sort(np):
    return lambda x: np.sort(x)


def sort_gradient(np):
    return lambda x, w: np.sum(w * np.sort(x))


def sort_gradient_by_hand(x, w):
    out = numpy.empty_like(x)
    out[numpy.argsort(x)] = w
    return out


def rows_by_key(np):
    """The rows of a table in the order of its first column."""
    return lambda x: x[np.argsort(x[:, 0])]


def interpolated(np):
    return lambda x, xs, ys: np.interp(x, xs, ys)


def _curve() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.uniform(size=N), numpy.linspace(0, 1, 1000), rng.normal(size=1000)


def found(np):
    return lambda x, xs: np.searchsorted(xs, x)


def picked_out(np):
    """The sum of squares of the positive elements, picked out into an array of their own."""

    def f(x):
        y = x[x > 0]
        return np.sum(y * y)

    return f


def clipped(np):
    return lambda x: np.sum(np.where(x > 0, x * x, -x))


def _numbers() -> tuple:
    return (numpy.random.default_rng(0).normal(size=N),)


def _first(make):
    return lambda np: lambda x: make(np)(x)[0]


ROWS = [
    Row(
        key="gather_gradient",
        title="sum of 10^5 weighted elements x[index]: gradient",
        make=gather,
        inputs=_picked,
        wanted="gradient",
        by_hand=lambda x, index, w: numpy.bincount(index, w, TABLE),
        compilers=True,
    ),
    Row(
        key="segment_sums",
        title="10^5 numbers added up into 10^4 sums, by index",
        make=segment_sums,
        inputs=_picked,
        by_hand=lambda x, index, w: numpy.bincount(index, w, TABLE),
        own={
            "torch": lambda np: lambda x, index, w: np.zeros_like(x).index_add(0, index, w),
            "pytensor": lambda np: lambda x, index, w: np.inc_subtensor(np.zeros_like(x)[index], w),
        },
    ),
    Row(
        key="sort",
        title="sort 10^5",
        make=sort,
        inputs=_numbers,
        own={"torch": _first(sort)},
    ),
    Row(
        key="sort_gradient",
        title="sort 10^5: gradient of a weighted sum",
        make=sort_gradient,
        inputs=lambda: (*_numbers(), numpy.random.default_rng(1).normal(size=N)),
        wanted="gradient",
        by_hand=sort_gradient_by_hand,
        own={"torch": lambda np: lambda x, w: np.sum(w * np.sort(x)[0])},
    ),
    Row(
        key="rows_by_key",
        title="the rows of 10^4 x 10 by their first column",
        make=rows_by_key,
        inputs=lambda: (numpy.random.default_rng(0).normal(size=(TABLE, 10)),),
    ),
    Row(
        key="interp",
        title="interp, 10^5 in 1000",
        make=interpolated,
        inputs=_curve,
        libraries=("autotrace", "plain", "jax"),
    ),
    Row(
        key="searchsorted",
        title="searchsorted, 10^5 in 1000",
        make=found,
        inputs=lambda: _curve()[:2],
        libraries=("autotrace", "plain", "jax", "torch", "torch_compile", "pytensor"),
    ),
    Row(
        key="picked_out",
        title="sum of squares of x[x > 0], 10^5",
        make=picked_out,
        inputs=_numbers,
        libraries=("autotrace", "plain", "torch", "pytensor"),
    ),
    Row(
        key="where_gradient",
        title="sum of where(x > 0, x * x, -x), 10^5: gradient",
        make=clipped,
        inputs=_numbers,
        wanted="gradient",
        by_hand=lambda x: numpy.where(x > 0, 2 * x, -1.0),
    ),
]
