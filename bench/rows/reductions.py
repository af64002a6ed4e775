"""Reductions of vectors and along an axis of a matrix, and what is made of them."""

from __future__ import annotations

import numpy

from .row import Row, by_library, weighted

SHAPE = (1000, 1000)
N = 100_000


def softmax(np):
    def f(x):
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    return f


#: Softmax as users of these libraries have it.
SOFTMAX = {
    "jax": lambda np: lambda x: np.softmax(x, axis=1),
    "torch": lambda np: lambda x: np.softmax(x, dim=1),
    "pytensor": lambda np: lambda x: np.softmax(x, axis=1),
}


def softmax_gradient_by_hand(x, w):
    y = softmax(numpy)(x)
    return y * (w - numpy.sum(w * y, axis=1, keepdims=True))


def layer_norm(np):
    """Without scale and shift."""

    def f(x):
        centred = x - np.mean(x, axis=1, keepdims=True)
        return centred / np.sqrt(np.mean(centred * centred, axis=1, keepdims=True) + 1e-5)

    return f


LAYER_NORM = {"torch": lambda np: lambda x: np.layer_norm(x, x.shape[1:], eps=1e-5)}


def layer_norm_gradient_by_hand(x, w):
    centred = x - numpy.mean(x, axis=1, keepdims=True)
    scale = 1 / numpy.sqrt(numpy.mean(centred * centred, axis=1, keepdims=True) + 1e-5)
    y = centred * scale
    inner = numpy.mean(w * y, axis=1, keepdims=True)
    return scale * (w - numpy.mean(w, axis=1, keepdims=True) - y * inner)


def logsumexp(axis: int):
    def make(np):
        def f(x):
            largest = np.max(x, axis=axis, keepdims=True)
            total = np.sum(np.exp(x - largest), axis=axis)
            return np.log(total) + np.squeeze(largest, axis)

        return f

    return make


def own_logsumexp(axis: int) -> dict:
    return {
        "jax": lambda np: lambda x: np.logsumexp(x, axis=axis),
        "torch": lambda np: lambda x: np.logsumexp(x, dim=axis),
        "pytensor": lambda np: lambda x: np.logsumexp(x, axis=axis),
    }


def cumulative_sum(np):
    return lambda x: np.cumsum(x, 0)


def sum_of_squares(np):
    return lambda x: np.sum(x * x)


def variance(np):
    return lambda x: np.var(x, 0)


def variance_gradient_by_hand(x, w):
    return 2 / len(x) * w * (x - numpy.mean(x, 0))


def _vectors() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.normal(size=N), rng.normal(size=N)


def _matrices() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.normal(size=SHAPE), rng.normal(size=SHAPE)


def _matrix() -> tuple:
    return _matrices()[:1]


def _pair(name: str, make, own: dict, by_hand) -> list[Row]:
    key = name.replace(" ", "_")
    value = Row(
        key=key,
        title=f"{name}, 1000 x 1000",
        make=make,
        inputs=_matrix,
        own=own,
        c=key,
        compilers=True,
    )
    gradient = value.but(
        key=f"{key}_gradient",
        title=f"{name}, 1000 x 1000: gradient of a weighted sum",
        make=weighted(make),
        inputs=_matrices,
        wanted="gradient",
        by_hand=by_hand,
        own=by_library(own, weighted),
        c=f"{key}_gradient",
    )
    return [value, gradient]


CUMULATIVE_SUM = Row(
    key="cumsum",
    title="cumsum, 10^5",
    make=cumulative_sum,
    inputs=lambda: _vectors()[:1],
    c="cumulative_sum",
    flops=N,
    traffic=16 * N,
)
SUM_OF_SQUARES = Row(
    key="sum_of_squares",
    title="sum of squares, 10^5",
    make=sum_of_squares,
    inputs=lambda: _vectors()[:1],
    c="sum_of_squares",
    flops=2 * N,
    traffic=8 * N,
)
ROWS = [
    SUM_OF_SQUARES,
    SUM_OF_SQUARES.but(
        key="sum_of_squares_gradient",
        flops=N,
        traffic=16 * N,
        title="sum of squares, 10^5: gradient",
        wanted="gradient",
        by_hand=lambda x: 2 * x,
        c="sum_of_squares_gradient",
    ),
    CUMULATIVE_SUM,
    CUMULATIVE_SUM.but(
        key="cumsum_gradient",
        title="gradient of sum(w * cumsum(x))",
        make=weighted(cumulative_sum),
        inputs=_vectors,
        wanted="gradient",
        by_hand=lambda x, w: numpy.cumsum(w[::-1])[::-1],
        c="cumulative_sum_gradient",
    ),
    *_pair("softmax", softmax, SOFTMAX, softmax_gradient_by_hand),
    *_pair("layer norm", layer_norm, LAYER_NORM, layer_norm_gradient_by_hand),
    *(
        Row(
            key=f"logsumexp_axis{axis}",
            title=f"logsumexp, 1000 x 1000, axis {axis}",
            make=logsumexp(axis),
            inputs=_matrix,
            own=own_logsumexp(axis),
            c=("logsumexp_columns", "logsumexp_rows")[axis],
        )
        for axis in (0, 1)
    ),
    Row(
        key="variance_gradient",
        title="variances of the columns of 1000 x 1000: gradient of a weighted sum",
        make=weighted(variance),
        inputs=lambda: (_matrices()[0], _matrices()[1][0]),
        wanted="gradient",
        by_hand=variance_gradient_by_hand,
        own={"torch": weighted(lambda np: lambda x: np.var(x, 0, correction=0))},
    ),
]
