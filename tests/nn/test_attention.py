"""Attention against its definition, whole and in blocks."""

import numpy as np
import pytest

import autotrace as at
from autotrace import nn
from autotrace.nn import attention

rng = np.random.default_rng(0)
BATCH, QUERIES, KEYS, HEADS, SIZE = 2, 14, 7, 4, 3
BIAS = rng.normal(size=(1, HEADS, QUERIES, KEYS))
MASK = rng.uniform(size=(BATCH, 1, QUERIES, KEYS)) < 0.8
#: Of a name: how many heads keys have, and the arguments.
CASES = {
    "plain": (4, {}),
    "bias and mask": (4, {"bias": BIAS, "mask": MASK}),
    "shared heads, causal": (2, {"is_causal": True, "scale": 0.3}),
    "window": (1, {"local_window_size": (1, 2), "bias": BIAS[:, :1]}),
    "lengths": (
        2,
        {"query_seq_lengths": np.array([3, 5]), "key_value_seq_lengths": np.array([4, 7])},
    ),
    "one row of bias": (4, {"bias": BIAS[:, :, :1], "mask": MASK[:1]}),
}


def definition(q, k, v, bias=None, mask=None, scale=None, is_causal=False,
               query_seq_lengths=None, key_value_seq_lengths=None,
               local_window_size=None):  # fmt: skip
    out = np.zeros((*q.shape[:3], v.shape[-1]))
    shape = (BATCH, HEADS, QUERIES, KEYS)
    bias = np.broadcast_to(0 if bias is None else bias, shape)
    mask = np.broadcast_to(True if mask is None else mask, shape)
    for b, t, n in np.ndindex(BATCH, QUERIES, HEADS):
        head = n // (HEADS // k.shape[2])
        logits = k[b, :, head] @ q[b, t, n] * (SIZE**-0.5 if scale is None else scale)
        seen = mask[b, n, t].copy()
        positions = np.arange(KEYS)
        if is_causal:
            seen &= positions <= t
        if local_window_size is not None:
            seen &= (positions >= t - local_window_size[0]) & (
                positions <= t + local_window_size[1]
            )
        if key_value_seq_lengths is not None:
            seen &= positions < key_value_seq_lengths[b]
        weights = np.exp(logits + bias[b, n, t]) * seen if seen.any() else np.ones(KEYS)
        out[b, t, n] = weights / weights.sum() @ v[b, :, head]
        if query_seq_lengths is not None and t >= query_seq_lengths[b]:
            out[b, t, n] = 0
    return out


def taking_turns(monkeypatch, in_turn=14):
    """By batch, heads and queries; with more in a turn, by batch only."""
    monkeypatch.setattr(attention, "_AT_ONCE", 0)
    monkeypatch.setattr(attention, "_IN_TURN", in_turn)


@pytest.mark.parametrize("parts", [False, True], ids=["whole", "parts"])
@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name, parts, monkeypatch):
    if parts:
        taking_turns(monkeypatch)
    heads, options = CASES[name]
    q = rng.normal(size=(BATCH, QUERIES, HEADS, SIZE))
    k = rng.normal(size=(BATCH, KEYS, heads, SIZE))
    v = rng.normal(size=(BATCH, KEYS, heads, SIZE + 1))
    expected = definition(q, k, v, **options)

    def f(q, k, v):
        return nn.dot_product_attention(q, k, v, **options)

    np.testing.assert_allclose(f(q, k, v), expected, rtol=1e-11, atol=1e-13)
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    both = at.value_and_grad(lambda *args: np.sum(weights * f(*args)), (0, 1, 2))
    value, gradients = at.jit(both)(q, k, v)
    np.testing.assert_allclose(value, np.sum(weights * expected), rtol=1e-10)
    for argnum, (x, given) in enumerate(zip((q, k, v), gradients, strict=True)):
        direction = rng.normal(size=x.shape)

        def along(step, argnum=argnum, direction=direction):
            args = [q, k, v]
            args[argnum] = args[argnum] + step * direction
            return np.sum(weights * definition(*args, **options))

        slope = (along(1e-5) - along(-1e-5)) / 2e-5
        np.testing.assert_allclose(np.sum(given * direction), slope, rtol=1e-6, atol=1e-8)


def test_parts_of_the_batch(monkeypatch):
    heads, options = CASES["lengths"]
    q, k = rng.normal(size=(BATCH, QUERIES, HEADS, SIZE)), rng.normal(size=(BATCH, KEYS, heads, 3))
    taking_turns(monkeypatch, 1 << 17)
    out = nn.dot_product_attention(q, k, k, bias=BIAS, **options)
    np.testing.assert_allclose(out, definition(q, k, k, bias=BIAS, **options), rtol=1e-11)


def test_second_derivatives_of_parts(monkeypatch):
    taking_turns(monkeypatch)
    q, k, v = (rng.normal(size=(2, n, 1, 1)) for n in (6, 3, 3))
    f = at.jit(lambda *args: nn.dot_product_attention(*args, is_causal=True))
    at.testing.check_grads(f, (q, k, v), order=2)
    many = at.vmap(f)(*(np.stack([x, 2 * x]) for x in (q, k, v)))
    np.testing.assert_allclose(many[1], f(2 * q, 2 * k, 2 * v), rtol=1e-11)


def test_a_gradient_keeps_no_pairs(monkeypatch):
    """What a loop hands to the derivative has no array of queries by keys."""
    taking_turns(monkeypatch)
    q, k, v = (rng.normal(size=(2, n, 2, 1)) for n in (40, 30, 30))
    grad = at.grad(lambda *args: np.sum(nn.dot_product_attention(*args) ** 2), (0, 1, 2))
    eqns = at.make_jaxpr(grad, simplify=True)(q, k, v).eqns
    assert sum(eqn.primitive.name == "scan" for eqn in eqns) == 2
    assert max(var.aval.size for eqn in eqns for var in eqn.outvars) <= 2 * 2 * 40


def test_half_precision():
    x = np.full((1, 4, 1, 2), 3e4, np.float16)
    out = nn.dot_product_attention(x / 1e4, x / 1e4, x)
    assert out.dtype == np.float16
    np.testing.assert_array_equal(out, x)


def test_without_a_batch():
    q, k, v = (rng.normal(size=(4, 2, 3)) for _ in range(3))
    out = nn.dot_product_attention(q, k, v)
    assert out.shape == (4, 2, 3)
    batched = at.vmap(nn.dot_product_attention)(q[None], k[None], v[None])
    np.testing.assert_allclose(batched[0], out)


def test_a_query_that_sees_nothing():
    q, k, v = (rng.normal(size=(1, 3, 1, 2)).astype(np.float32) for _ in range(3))
    f = lambda q: nn.dot_product_attention(q, k, v, mask=np.zeros((1, 1, 3, 3), bool))  # noqa: E731
    np.testing.assert_allclose(f(q), np.broadcast_to(v.mean(1, keepdims=True), v.shape), rtol=1e-5)
    assert f(q).dtype == np.float32
    assert not np.isnan(at.grad(lambda q: np.sum(f(q)))(q)).any()


@pytest.mark.parametrize(
    ("shapes", "options", "match"),
    [
        ([(1, 2, 3, 4), (1, 5, 2, 4), (1, 5, 2, 4)], {}, "key heads divide"),
        ([(1, 2, 2, 4), (1, 5, 2, 3), (1, 5, 2, 3)], {}, "key heads divide"),
        ([(2, 4), (5, 4), (5, 4)], {}, "key heads divide"),
        ([(1, 2, 2, 4)] * 3, {"bias": np.zeros((3, 2))}, "bias of shape"),
        ([(1, 2, 2, 4)] * 3, {"mask": np.ones((1,) * 5, bool)}, "mask of shape"),
    ],
)
def test_errors(shapes, options, match):
    with pytest.raises(ValueError, match=match):
        nn.dot_product_attention(*map(np.ones, shapes), **options)
