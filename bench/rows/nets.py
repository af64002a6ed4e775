"""Convolutions, pooling, attention, and a small convolutional net."""

from __future__ import annotations

import itertools

import numpy
from numpy.lib.stride_tricks import sliding_window_view

from .dense import STEP
from .row import Row

#: NumPy, and the libraries that have convolutions.
LIBRARIES = ("autotrace", "plain", "jax", "torch", "torch_compile")


def images(batch, features, size, seed=0):
    return numpy.random.default_rng(seed).normal(size=(batch, features, size, size))


def kernel(outs, ins, size=3, seed=1):
    drawn = numpy.random.default_rng(seed).normal(size=(outs, ins, size, size))
    return drawn * numpy.sqrt(2 / (ins * size * size))


# --- by hand: the matrix of windows ("im2col") ---------------------------------------------------


def windows(x, size=3):
    """(batch, features * size * size, places) of what a kernel sees, with zeros around."""
    around = [(0, 0), (0, 0), (size // 2, size // 2), (size // 2, size // 2)]
    seen = sliding_window_view(numpy.pad(x, around), (size, size), (2, 3))
    batch, features, *places = seen.shape[:4]
    return seen.transpose(0, 1, 4, 5, 2, 3).reshape(batch, features * size * size, -1), places


def conv_by_hand(x, w):
    seen, places = windows(x)
    return (w.reshape(len(w), -1) @ seen).reshape(len(x), len(w), *places)


def conv_transposes_by_hand(x, w, ct):
    """The cotangents of input and kernel."""
    seen, _ = windows(x)
    flat = ct.reshape(len(x), len(w), -1)
    w_bar = numpy.matmul(flat, seen.swapaxes(1, 2)).sum(0).reshape(w.shape)
    turned = w[:, :, ::-1, ::-1].swapaxes(0, 1)
    return conv_by_hand(ct, numpy.ascontiguousarray(turned)), w_bar


def pool_by_hand(x):
    batch, features, rows, columns = x.shape
    return x.reshape(batch, features, rows // 2, 2, columns // 2, 2).max((3, 5))


def pool_transpose_by_hand(x, out, ct):
    def spread(a):
        return a.repeat(2, 2).repeat(2, 3)

    return spread(ct) * (x == spread(out))


# --- the rows ------------------------------------------------------------------------------------


def conv(np):
    return lambda x, w: np.lax.conv(x, w, (1, 1), "SAME")


def _torch_conv(np):
    return lambda x, w: np.conv2d(x, w, padding=1)


def pool(np):
    def f(x):
        window = (1, 1, 2, 2)
        return np.lax.reduce_window(x, -numpy.inf, np.lax.max, window, window, "VALID")

    return f


def _torch_pool(np):
    return lambda x: np.max_pool2d(x, 2)


def _with_squares(make):
    """Half the sum of squares, which has the result as its own cotangent."""

    def make_squares(np):
        f = make(np)
        return lambda *args: 0.5 * np.sum(f(*args) ** 2)

    return make_squares


def squares_by_hand(x, w):
    out = conv_by_hand(x, w)
    return 0.5 * numpy.sum(out * out), *conv_transposes_by_hand(x, w, out)


def squares_of_pool_by_hand(x):
    out = pool_by_hand(x)
    return 0.5 * numpy.sum(out * out), pool_transpose_by_hand(x, out, out)


def _relu(np):
    return lambda x: np.maximum(x, 0.0)


def _torch_relu(np):
    return np.relu


def net(conv, pool, relu):
    """The mean cross entropy of two convolutions, each with pooling, and a layer."""

    def make(np):
        convolve, shrink, rectify = conv(np), pool(np), relu(np)

        def f(w1, w2, w3, x, y):
            h = shrink(rectify(convolve(x, w1)))
            h = shrink(rectify(convolve(h, w2)))
            z = np.reshape(h, (h.shape[0], -1)) @ w3
            z = z - np.max(z, 1)[:, None]
            return -np.mean(np.sum(y * (z - np.log(np.sum(np.exp(z), 1))[:, None]), 1))

        return f

    return make


def net_step_by_hand(w1, w2, w3, x, y):
    z1 = conv_by_hand(x, w1)
    h1 = numpy.maximum(z1, 0)
    p1 = pool_by_hand(h1)
    z2 = conv_by_hand(p1, w2)
    h2 = numpy.maximum(z2, 0)
    p2 = pool_by_hand(h2)
    flat = p2.reshape(len(x), -1)
    z = flat @ w3
    z -= z.max(1, keepdims=True)
    e = numpy.exp(z)
    sums = e.sum(1, keepdims=True)
    value = -numpy.mean(numpy.sum(y * (z - numpy.log(sums)), 1))
    bar = (e / sums - y) / len(x)
    bar2 = pool_transpose_by_hand(h2, p2, (bar @ w3.T).reshape(p2.shape)) * (z2 > 0)
    p1_bar, w2_bar = conv_transposes_by_hand(p1, w2, bar2)
    bar1 = pool_transpose_by_hand(h1, p1, p1_bar) * (z1 > 0)
    seen, _ = windows(x)
    w1_bar = numpy.matmul(bar1.reshape(len(x), len(w1), -1), seen.swapaxes(1, 2)).sum(0)
    bars = w1_bar.reshape(w1.shape), w2_bar, flat.T @ bar
    return value, *(w - STEP * b for w, b in zip((w1, w2, w3), bars, strict=True))


def _net_inputs() -> tuple:
    rng = numpy.random.default_rng(2)
    dense = rng.normal(size=(16 * 7 * 7, 10)) / 28
    x, classes = images(32, 1, 28), rng.integers(10, size=32)
    inputs = kernel(8, 1), kernel(16, 8), dense, x, numpy.eye(10)[classes]
    return tuple(a.astype(numpy.float32) for a in inputs)


BATCH, LENGTH, HEADS, SIZE = 4, 128, 4, 32


def attention(np):
    def f(q, k, v):
        logits = np.einsum("btnh,bsnh->bnts", q, k) * SIZE**-0.5
        e = np.exp(logits - np.max(logits, 3)[..., None])
        return 0.5 * np.sum(np.einsum("bnts,bsnh->btnh", e / np.sum(e, 3)[..., None], v) ** 2)

    return f


def _attention_of_libraries(np):
    def f(q, k, v):
        return 0.5 * np.sum(np.nn.dot_product_attention(q, k, v) ** 2)

    return f


def _attention_of_torch(np):
    def f(q, k, v):
        heads_first = (x.transpose(1, 2) for x in (q, k, v))
        return 0.5 * np.sum(np.nn.functional.scaled_dot_product_attention(*heads_first) ** 2)

    return f


def attention_by_hand(q, k, v):
    q, k, v = (x.swapaxes(1, 2) for x in (q, k, v))
    logits = q @ k.swapaxes(2, 3) * SIZE**-0.5
    e = numpy.exp(logits - logits.max(3, keepdims=True))
    p = e / e.sum(3, keepdims=True)
    out = p @ v
    p_bar = out @ v.swapaxes(2, 3)
    bar = p * (p_bar - numpy.sum(p * p_bar, 3, keepdims=True)) * SIZE**-0.5
    bars = bar @ k, bar.swapaxes(2, 3) @ q, p.swapaxes(2, 3) @ out
    return 0.5 * numpy.sum(out * out), *(x.swapaxes(1, 2) for x in bars)


def attention_inputs(length: int = LENGTH) -> tuple:
    rng = numpy.random.default_rng(3)
    return tuple(rng.normal(size=(BATCH, length, HEADS, SIZE)) for _ in range(3))


def _conv_inputs() -> tuple:
    return images(8, 16, 32), kernel(32, 16)


def _single(inputs):
    return lambda: tuple(x.astype(numpy.float32) for x in inputs())


def _in_both(row: Row) -> list[Row]:
    """A row for float64 and one for float32."""
    single = row.but(
        key=f"{row.key}_float32",
        title=f"{row.title}, float32",
        inputs=_single(row.inputs),
        traffic=row.traffic and row.traffic / 2,
    )
    return [row, single]


CONV_ROW = Row(
    key="conv",
    title="convolution 3 x 3, 8 images of 32 x 32, 16 to 32 features",
    make=conv,
    inputs=_conv_inputs,
    by_hand=conv_by_hand,
    own={"torch": _torch_conv},
    libraries=LIBRARIES,
    flops=2 * 8 * 32 * 32 * 32 * 16 * 9,
    traffic=8 * (8 * 16 * 32 * 32 + 8 * 32 * 32 * 32 + 32 * 16 * 9),
)
ATTENTION_ROW = Row(
    key="attention",
    title="attention, 4 x 128 positions, 4 heads of 32: value and gradient",
    make=attention,
    inputs=attention_inputs,
    wanted="value_and_grad",
    argnums=(0, 1, 2),
    by_hand=attention_by_hand,
    own={"autotrace": _attention_of_libraries, "torch": _attention_of_torch},
    libraries=LIBRARIES,
)
# JAX's own has its softmax in float32.
ATTENTION_FLOAT32_ROW = _in_both(ATTENTION_ROW)[1].but(
    compilers=True, own={**ATTENTION_ROW.own, "jax": _attention_of_libraries}
)
ROWS = list(
    itertools.chain(
        _in_both(CONV_ROW),
        _in_both(
            CONV_ROW.but(
                key="conv_gradient",
                title="sum of squares of that convolution: value and gradient",
                make=_with_squares(conv),
                own={"torch": _with_squares(_torch_conv)},
                wanted="value_and_grad",
                argnums=(0, 1),
                by_hand=squares_by_hand,
                flops=3 * CONV_ROW.flops,
            )
        ),
        [
            Row(
                key="max_pool_gradient",
                title="max pooling 2 x 2, 8 images of 32 x 32, 32 features: value and gradient",
                make=_with_squares(pool),
                inputs=lambda: (images(8, 32, 32),),
                wanted="value_and_grad",
                by_hand=squares_of_pool_by_hand,
                own={"torch": _with_squares(_torch_pool)},
                libraries=LIBRARIES,
            ),
            Row(
                key="net_step",
                title="net of two convolutions, 32 images of 28 x 28: a training step, float32",
                make=net(conv, pool, _relu),
                inputs=_net_inputs,
                wanted="step",
                argnums=(0, 1, 2),
                by_hand=net_step_by_hand,
                own={"torch": net(_torch_conv, _torch_pool, _torch_relu)},
                libraries=LIBRARIES,
                compilers=True,
            ),
        ],
        [ATTENTION_ROW, ATTENTION_FLOAT32_ROW],
    )
)
