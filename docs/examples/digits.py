"""Handwritten digits: a network with one hidden layer, and a convolutional one.

Run as ``python docs/examples/digits.py``. Both are trained with the same Adam on 1348 of
scikit-learn's images of 8 x 8 pixels, and tested on the other 449. The convolution is written in
plain NumPy, as windows times a matrix.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from _adam import adam, minibatches
from _report import Report, Timer, run
from demo import digits, gradient_error, initial_network, network

import autotrace as at
from autotrace import lax

Params = dict[str, np.ndarray]


# --- a convolutional network: plain NumPy -----------------------------------------------------


def convolve(images: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Cross-correlation of padded images, of shape (batch, row, column, feature), with kernels of
    shape (row, column, feature, output)."""
    rows, columns = kernels.shape[:2]
    around = [(0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(images, around), (rows, columns), axis=(1, 2)
    )
    return np.einsum("byxfij,ijfo->byxo", windows, kernels)


def pool(images: np.ndarray) -> np.ndarray:
    """The largest of each four pixels."""
    batch, rows, columns, features = images.shape
    return images.reshape(batch, rows // 2, 2, columns // 2, 2, features).max(axis=(2, 4))


def convolutional(params: Params, x: np.ndarray) -> np.ndarray:
    """The scores of two convolutions, each with a rectifier and pooling, and a dense layer."""
    x = x.reshape(-1, 8, 8, 1)
    for name in ("first", "second"):
        x = pool(np.maximum(convolve(x, params[name]) + params[name + "_bias"], 0.0))
    return x.reshape(len(x), -1) @ params["dense"] + params["dense_bias"]


def cross_entropy(scores: Callable) -> Callable:
    """The mean cross-entropy of a network's scores, as a function of parameters and a batch."""

    def loss(params: Any, x: np.ndarray, onehot: np.ndarray) -> np.ndarray:
        z = scores(params, x)
        z = z - np.max(z, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(z), axis=1)) - np.sum(onehot * z, axis=1))

    return loss


def initial_convolutional(rng: np.random.Generator) -> Params:
    """Weights drawn at random, of a scale that keeps the layers' outputs alike."""
    shapes = {"first": (3, 3, 1, 16), "second": (3, 3, 16, 32), "dense": (2 * 2 * 32, 10)}
    params: Params = {}
    for name, shape in shapes.items():
        params[name] = rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
        params[name + "_bias"] = np.zeros(shape[-1])
    return params


# --- the example ------------------------------------------------------------------------------


def check_convolution(report: Report, rng: np.random.Generator) -> None:
    """The convolution in plain NumPy is the library's, and so are its derivatives."""

    def library(images: np.ndarray, kernels: np.ndarray) -> np.ndarray:
        layout = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(images, kernels, (1, 1), "SAME", dimension_numbers=layout)

    images, kernels = rng.normal(size=(5, 8, 8, 3)), rng.normal(size=(3, 3, 3, 4))
    ours, theirs = (
        at.jit(at.value_and_grad(lambda *args, f=f: np.sum(np.sin(f(*args))), (0, 1)))(
            images, kernels
        )
        for f in (convolve, library)
    )
    report.agree("convolution, sum of its sines", ours[0], theirs[0], rtol=1e-12)
    report.agree("derivative by the images", ours[1][0], theirs[1][0], atol=1e-12)
    report.agree("derivative by the kernels", ours[1][1], theirs[1][1], atol=1e-11)


class Trained(NamedTuple):
    """What training gave: parameters, each step's loss, and what test images are read as."""

    params: Any
    losses: list[float]
    predicted: np.ndarray


def train(report: Report, name: str, scores: Callable, params: Any, epochs: int) -> Trained:
    """Train a network, and test it."""
    data = digits()
    onehot = np.eye(10)[data.train_y]
    loss = cross_entropy(scores)
    few = data.train_x[:50], onehot[:50]
    report.check(
        f"{name}: error of the gradient", gradient_error(lambda p: loss(p, *few), params, 30), 1e-6
    )
    batches = minibatches(np.random.default_rng(0), range(epochs), 64, data.train_x, onehot)
    with Timer() as timer:
        params, losses = adam(at.jit(at.value_and_grad(loss)), params, batches, 3e-3)
    report.line(f"{name}: {len(losses)} steps of Adam", f"{timer.seconds:.1f} s")
    predicted = np.argmax(at.jit(scores)(params, data.test_x), axis=1)
    return Trained(params, losses, predicted)


def example(report: Report, short: bool) -> dict[str, Any]:
    """Both networks."""
    rng = np.random.default_rng(0)
    data = digits()
    report.section("1. The convolution in plain NumPy, and lax.conv_general_dilated")
    check_convolution(report, rng)
    report.section("2. Training")
    epochs = 3 if short else 40
    dense = train(report, "dense", network, initial_network([64, 128, 10]), epochs)
    convolved = train(report, "convolutional", convolutional, initial_convolutional(rng), epochs)
    # Such networks reach 97 to 99 % here. With 449 images one standard deviation of that is 0.7 %,
    # and the limit is some of them below.
    for name, found in (("dense", dense), ("convolutional", convolved)):
        accuracy = 100 * float(np.mean(found.predicted == data.test_y))
        report.check(f"{name}: accuracy, test (%)", accuracy, 80.0 if short else 95.0, above=True)
    return {"data": data, "dense": dense, "convolutional": convolved}


def picture(figure: Any, results: dict[str, Any]) -> None:
    """The losses, the first layer's kernels, and the digits that are read wrongly."""
    grid = figure.add_gridspec(1, 3, width_ratios=[1.5, 1, 1.2])
    axes = figure.add_subplot(grid[0])
    for name in ("dense", "convolutional"):
        losses = np.array(results[name].losses)
        losses = losses[: len(losses) // 7 * 7].reshape(-1, 7).mean(axis=1)
        axes.semilogy(7 * np.arange(1, len(losses) + 1), losses, lw=1, label=name)
    axes.set(xlabel="step of Adam", ylabel="cross-entropy, mean of 7 batches", title="Training")
    axes.legend()
    kernels = np.moveaxis(results["convolutional"].params["first"][:, :, 0], -1, 0)
    tiles(figure.add_subplot(grid[1]), kernels, 4, "RdBu", "First layer's kernels")
    data, predicted = results["data"], results["convolutional"].predicted
    wrong = np.flatnonzero(predicted != data.test_y)[:9]
    axes = figure.add_subplot(grid[2])
    tiles(axes, data.test_x[wrong].reshape(-1, 8, 8), 3, "gray_r", "Read wrongly")
    for k, i in enumerate(wrong):
        text = f"{data.test_y[i]} as {predicted[i]}"
        axes.text(k % 3 * 10 + 4, k // 3 * 10 + 8.5, text, ha="center", va="center", fontsize=8)


def tiles(axes: Any, images: np.ndarray, columns: int, colors: str, title: str) -> None:
    """Small images in rows, with gaps between them."""
    count, height, width = images.shape
    gap = max(1, height // 4)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap), columns * (width + gap)), np.nan)
    for k, image in enumerate(images):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    axes.imshow(sheet, cmap=colors)
    axes.set_title(title)
    axes.set_axis_off()


if __name__ == "__main__":
    sys.exit(run(__doc__, example, picture))
