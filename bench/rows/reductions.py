"""Reductions along an axis of a matrix, and what is made of them."""

from __future__ import annotations

import numpy

from .row import Row, by_library, weighted

SHAPE = (1000, 1000)


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


def _matrices() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.normal(size=SHAPE), rng.normal(size=SHAPE)


def _matrix() -> tuple:
    return _matrices()[:1]


def _pair(name: str, make, own: dict, by_hand) -> list[Row]:
    key = name.replace(" ", "_")
    value = Row(key=key, title=f"{name}, 1000 x 1000", make=make, inputs=_matrix, own=own, c=key)
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


ROWS = [
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
]
