"""reduce_window against loops over the windows, with derivatives, batching and both backends."""

import itertools
import math

import numpy as np
import pytest
from closeness import assert_within
from derivative_checks import check_batching, check_derivatives
from hypothesis import given, settings
from hypothesis import strategies as st

import autotrace as at
from autotrace import lax

BACKENDS = ["numpy", "numba"]
INF = np.inf
#: Of a name: the computation, NumPy's, the dtypes it is for.
OPERATIONS = {
    "sum": (lax.add, np.add, "bhqQefdFD"),
    "prod": (lax.mul, np.multiply, "hqfdD"),
    "max": (lax.max, np.maximum, "?bBhqQefd"),
    "min": (lax.min, np.minimum, "?bBhqQefd"),
    "and": (lax.bitwise_and, np.bitwise_and, "?bQ"),
    "or": (lax.bitwise_or, np.bitwise_or, "?hq"),
    "xor": (lax.bitwise_xor, np.bitwise_xor, "?hB"),
}


def identity(name, dtype):
    dtype = np.dtype(dtype)
    if name in ("max", "min"):
        if dtype.kind == "b":
            return name == "min"
        info = np.iinfo(dtype) if dtype.kind in "iu" else None
        low, high = (info.min, info.max) if info else (-INF, INF)
        return low if name == "max" else high
    if name == "and":
        return np.invert(dtype.type(0))
    return 1 if name == "prod" else 0


def padded(x, value, padding, base):
    """The array with elements between and around it."""
    sizes = [(n - 1) * d + 1 if n else 0 for n, d in zip(x.shape, base, strict=True)]
    dilated = np.full(sizes, value, x.dtype)
    dilated[tuple(slice(None, None, d) for d in base)] = x
    out = np.full([lo + n + hi for n, (lo, hi) in zip(sizes, padding, strict=True)], value, x.dtype)
    source = [
        slice(max(-lo, 0), n - max(-hi, 0)) for n, (lo, hi) in zip(sizes, padding, strict=True)
    ]
    target = [
        slice(max(lo, 0), n - max(hi, 0)) for n, (lo, hi) in zip(out.shape, padding, strict=True)
    ]
    out[tuple(target)] = dilated[tuple(source)]
    return out


def by_loops(x, value, ufunc, window, strides, padding, base, dilation):
    full = padded(x, value, padding, base)
    spans = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    places = [
        max((n - span) // s + 1, 0) for n, span, s in zip(full.shape, spans, strides, strict=True)
    ]
    out = np.empty(places, x.dtype)
    for place in itertools.product(*map(range, places)):
        seen = full[
            tuple(
                slice(i * s, i * s + span, d)
                for i, s, span, d in zip(place, strides, spans, dilation, strict=True)
            )
        ]
        out[place] = ufunc.reduce(seen, axis=None, dtype=x.dtype)
    return out


def numbers(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        return rng.integers(0, 9, shape).astype(dtype)
    x = rng.uniform(0.5, 1.5, shape)
    return (x + 1j * rng.uniform(-1, 1, shape) if dtype.kind == "c" else x).astype(dtype)


@st.composite
def windows(draw, most=9):
    rank = draw(st.integers(0, 3))

    def several(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    shape = several(0, most if rank < 3 else 4)
    window, strides = several(1, 5 if rank > 1 else 40), several(1, 3)
    base, dilation = several(1, 2), several(1, 3)
    sizes = [(n - 1) * d + 1 if n else 0 for n, d in zip(shape, base, strict=True)]
    padding = tuple(
        (draw(st.integers(-n // 2, 20)), draw(st.integers(-(n // 2), 20))) for n in sizes
    )
    padding = tuple((max(lo, -(n // 2)), hi) for (lo, hi), n in zip(padding, sizes, strict=True))
    return shape, (window, strides, padding, base, dilation)


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=25)
@given(case=windows(), data=st.data())
def test_values(name, case, data):
    computation, ufunc, dtypes = OPERATIONS[name]
    dtype = np.dtype(data.draw(st.sampled_from(dtypes)))
    shape, parameters = case
    x = numbers(np.random.default_rng(data.draw(st.integers(0, 99))), shape, dtype)
    init = dtype.type(identity(name, dtype))

    def f(x):
        return lax.reduce_window(x, init, computation, *parameters)

    expected = by_loops(x, init, ufunc, *parameters)
    for out in [f(x), *(at.jit(f, backend=b)(x) for b in BACKENDS)]:
        exact = name not in ("sum", "prod") or dtype.kind in "biu"
        assert_within(out, expected, 0 if exact else 40 if dtype.kind == "c" else 20, 1.0)


@pytest.mark.parametrize("padding", ["SAME", "SAME_LOWER", "VALID", "same"])
@pytest.mark.parametrize(("size", "window", "stride"), [(7, 3, 1), (7, 4, 2), (5, 2, 3), (1, 4, 2)])
def test_padding_by_name(padding, size, window, stride):
    x = np.arange(1.0, size + 1)
    out = lax.reduce_window(x, 0.0, lax.add, (window,), (stride,), padding)
    if padding == "VALID":
        count = max((size - window) // stride + 1, 0)
        pairs = (0, 0)
    else:
        count = math.ceil(size / stride)
        total = max((count - 1) * stride + window - size, 0)
        pairs = (total - total // 2, total // 2)
        pairs = pairs if padding == "SAME_LOWER" else pairs[::-1]
    assert out.shape == (count,)
    explicit = lax.reduce_window(x, 0.0, lax.add, (window,), (stride,), [pairs])
    np.testing.assert_array_equal(out, explicit)


DERIVED = {
    "sum": (lax.add, 0.0),
    "max": (lax.max, -INF),
    "min": (lax.min, INF),
    "prod": (lax.mul, 1.0),
    "general": (np.hypot, 0.0),
}
PLACES = [
    ((6, 5), ((2, 3), (1, 1), "VALID")),
    ((6, 5), ((2, 2), (2, 2), "SAME")),
    ((6, 5), ((3, 2), (1, 2), ((1, 0), (1, 1)), (2, 1), (1, 2))),
    ((40,), ((35,), (1,), "VALID")),
    ((9,), ((2,), (5,), ((0, -1),))),
    ((2, 3, 4), ((2, 2, 2), (1, 1, 2), "VALID")),
]


@pytest.mark.parametrize(("shape", "parameters"), PLACES)
@pytest.mark.parametrize("name", DERIVED)
def test_derivatives(name, shape, parameters):
    computation, init = DERIVED[name]
    x = np.random.default_rng(0).permutation(math.prod(shape)).reshape(shape) / 20 + 0.5

    def f(x):
        return [lax.reduce_window(x, init, computation, *parameters)]

    order = 1 if name == "general" or shape == (40,) else 2
    check_derivatives(f, [x], order=order, tolerance=1e-4)
    eager = at.grad(lambda x: np.sum(np.sin(f(x)[0])))
    for backend in BACKENDS:
        np.testing.assert_allclose(at.jit(eager, backend=backend)(x), eager(x), rtol=1e-10)
        np.testing.assert_allclose(
            at.jit(at.jacfwd(lambda x: f(x)[0]), backend=backend)(x),
            at.jacrev(lambda x: f(x)[0])(x),
        )


@pytest.mark.parametrize("name", DERIVED)
def test_batching(name):
    computation, init = DERIVED[name]
    rng = np.random.default_rng(1)

    def f(x):
        return [lax.reduce_window(x, init, computation, (2, 2), (1, 2), "SAME", None, (1, 2))]

    check_batching(f, [lambda n: rng.uniform(0.5, 1.5, (n, 4, 5))])
    check_batching(
        lambda x: [at.grad(lambda x: np.sum(np.sin(f(x)[0])))(x)],
        [lambda n: rng.uniform(0.5, 1.5, (n, 4, 5))],
    )


@pytest.mark.parametrize("window", [3, 34])
@pytest.mark.parametrize("jit", [lambda f: f, at.jit])
def test_ties_share_the_derivative(window, jit):
    x = np.zeros(window)
    x[-1] = -1.0
    grad = jit(
        at.grad(lambda x: np.sum(lax.reduce_window(x, -INF, lax.max, (window,), (1,), "VALID")))
    )
    expected = np.where(x == 0, 1 / (window - 1), 0)
    np.testing.assert_allclose(grad(x), expected)
    x[1] = np.nan  # no element equals what is reached
    assert not grad(x).any()


def test_an_initial_value_takes_part():
    x = np.array([-1.0, -3.0, 2.0])
    relu = lax.reduce_window(x, 0.0, lax.max, (2,), (1,), "VALID")
    np.testing.assert_array_equal(relu, [0.0, 2.0])
    total = lax.reduce_window(x, 10.0, lax.add, (2,), (1,), "SAME")
    np.testing.assert_array_equal(total, [6.0, 9.0, 22.0])
    grad = at.grad(lambda i: lax.reduce_window(x, i, lax.add, (2,), (1,), "VALID").sum())
    assert grad(10.0) == 2.0


def test_operands_reduce_together():
    """The place of the greatest element of each window."""

    def later(a, b):
        return tuple(np.where(a[0] >= b[0], p, q) for p, q in zip(a, b, strict=True))

    x = np.array([1.0, 5.0, 2.0, 4.0, 3.0])

    def f(x):
        return lax.reduce_window((x, np.arange(5)), (-INF, -1), later, (3,), (1,), "SAME")

    for g in [f, *(at.jit(f, backend=b) for b in BACKENDS)]:
        values, places = g(x)
        np.testing.assert_array_equal(values, [5, 5, 5, 4, 4])
        np.testing.assert_array_equal(places, [1, 1, 1, 3, 3])


def test_derivative_where_no_window_fits():
    x = np.ones((6, 3))

    def f(x):
        return lax.reduce_window(x, -INF, lax.max, (2, 3), (1, 2), "VALID", None, (1, 2))

    for jacobian in (at.jacfwd(f), at.jacrev(f)):
        assert jacobian(x).shape == (5, 0, 6, 3)


def test_errors():
    x = np.ones((3, 3))
    with pytest.raises(TypeError, match="each of 2 dimensions"):
        lax.reduce_window(x, 0.0, lax.add, (2,), (1, 1), "VALID")
    with pytest.raises(TypeError, match="positive number"):
        lax.reduce_window(x, 0.0, lax.add, (2, 0), (1, 1), "VALID")
    with pytest.raises(ValueError, match="FULL"):
        lax.reduce_window(x, 0.0, lax.add, (2, 2), (1, 1), "FULL")
    with pytest.raises(TypeError, match="pair for each of 2"):
        lax.reduce_window(x, 0.0, lax.add, (2, 2), (1, 1), [(1, 1)])
    with pytest.raises(TypeError, match="a scalar of its dtype"):
        lax.reduce_window(x, np.int64(0), lax.add, (2, 2), (1, 1), "VALID")
