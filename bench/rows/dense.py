"""A multilayer perceptron."""

from __future__ import annotations

import itertools

import numpy

from .row import Row

#: What a step of gradient descent multiplies the gradient with.
STEP = 0.1
SIZES = (784, 256, 256, 10)
BATCH = 128
WEIGHTS = tuple(range(6))
#: Of the weights, but for the biases.
NUMBERS = sum(a * b for a, b in itertools.pairwise(SIZES))


def mlp(np):
    """The mean cross entropy of a batch."""

    def f(w1, b1, w2, b2, w3, b3, x, y):
        h = np.maximum(x @ w1 + b1, 0.0)
        h = np.maximum(h @ w2 + b2, 0.0)
        z = h @ w3 + b3
        z = z - np.max(z, axis=1, keepdims=True)
        log_total = np.log(np.sum(np.exp(z), axis=1, keepdims=True))
        return -np.mean(np.sum(y * (z - log_total), axis=1))

    return f


def _mlp_of_layers(np):
    def f(w1, b1, w2, b2, w3, b3, x, y):
        h = np.relu(x @ w1 + b1)
        h = np.relu(h @ w2 + b2)
        return -np.mean(np.sum(y * np.log_softmax(h @ w3 + b3, 1), 1))

    return f


def _mlp_of_torch(np):
    def f(w1, b1, w2, b2, w3, b3, x, y):
        h = np.relu(np.addmm(b1, x, w1))
        h = np.relu(np.addmm(b2, h, w2))
        return np.cross_entropy(np.addmm(b3, h, w3), y)

    return f


MLP = {"jax": _mlp_of_layers, "torch": _mlp_of_torch, "pytensor": _mlp_of_layers}


def mlp_by_hand(w1, b1, w2, b2, w3, b3, x, y):
    """The loss and its gradient with respect to the weights."""
    h1 = numpy.maximum(x @ w1 + b1, 0)
    h2 = numpy.maximum(h1 @ w2 + b2, 0)
    z = h2 @ w3 + b3
    z -= numpy.max(z, axis=1, keepdims=True)
    e = numpy.exp(z)
    sums = numpy.sum(e, axis=1, keepdims=True)
    value = -numpy.mean(numpy.sum(y * (z - numpy.log(sums)), axis=1))
    bar = (e / sums - y) / len(x)
    bar2 = (bar @ w3.T) * (h2 > 0)
    bar1 = (bar2 @ w2.T) * (h1 > 0)
    return (
        value,
        *(x.T @ bar1, bar1.sum(0)),
        *(h1.T @ bar2, bar2.sum(0)),
        *(h2.T @ bar, bar.sum(0)),
    )


def mlp_step_by_hand(*args):
    value, *gradient = mlp_by_hand(*args)
    return value, *(w - STEP * g for w, g in zip(args, gradient, strict=False))


def weights(dtype=numpy.float64) -> tuple:
    rng = numpy.random.default_rng(0)
    arrays = []
    for fan_in, fan_out in itertools.pairwise(SIZES):
        arrays.append(rng.normal(size=(fan_in, fan_out)) * numpy.sqrt(2 / fan_in))
        arrays.append(0.1 * rng.normal(size=fan_out))
    return tuple(a.astype(dtype) for a in arrays)


def batch(size: int, dtype=numpy.float64) -> tuple:
    """Images of noise, and their classes as rows of zeros and a one."""
    rng = numpy.random.default_rng(size)
    x, classes = rng.normal(size=(size, SIZES[0])), rng.integers(SIZES[-1], size=size)
    return x.astype(dtype), numpy.eye(SIZES[-1], dtype=dtype)[classes]


def training_inputs(dtype=numpy.float64) -> tuple:
    return *weights(dtype), *batch(BATCH, dtype)


STEP_ROW = Row(
    key="mlp_step",
    title="MLP 784-256-256-10, batch 128: a training step",
    make=mlp,
    inputs=training_inputs,
    wanted="step",
    argnums=WEIGHTS,
    by_hand=mlp_step_by_hand,
    own=MLP,
    c="mlp_step",
    compilers=True,
    flops=BATCH * (6 * NUMBERS - 2 * SIZES[0] * SIZES[1]),  # the inputs have no cotangent
    traffic=8 * (2 * NUMBERS + BATCH * SIZES[0]),
)
GRADIENT_ROW = STEP_ROW.but(wanted="value_and_grad", by_hand=mlp_by_hand, c="mlp_gradient")
ROWS = [
    STEP_ROW,
    STEP_ROW.but(
        key="mlp_step_float32",
        title="MLP 784-256-256-10, batch 128: a training step, float32",
        inputs=lambda: training_inputs(numpy.float32),
        traffic=STEP_ROW.traffic / 2,
    ),
    STEP_ROW.but(
        key="mlp_step_small",
        title="MLP 784-256-256-10, batch 8: a training step, float32",
        inputs=lambda: (*weights(numpy.float32), *batch(8, numpy.float32)),
        c=None,
        compilers=False,
        flops=None,
    ),
]
