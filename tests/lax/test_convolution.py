"""Convolutions against their definition by loops, with derivatives, batching and both backends."""

import itertools
import math

import numpy as np
import pytest
import scipy.signal
from derivative_checks import check_batching, check_derivatives
from hypothesis import given, settings
from hypothesis import strategies as st

import autotrace as at
from autotrace import lax

BACKENDS = ["numpy", "numba"]


def by_loops(x, w, strides, pads, base, dilation, groups):
    """Of an input (batch, feature, ...) and a kernel (output, input, ...), in float64 or exact."""
    exact = x.dtype if x.dtype.kind in "iu" else np.result_type(x, np.float64)
    holes = [(n - 1) * b + 1 if n else 0 for n, b in zip(x.shape[2:], base, strict=True)]
    sizes = [n + low + high for n, (low, high) in zip(holes, pads, strict=True)]
    window = w.shape[2:]
    spans = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    places = [max((n - m) // s + 1, 0) for n, m, s in zip(sizes, spans, strides, strict=True)]
    out = np.zeros((x.shape[0], w.shape[0], *places), exact)
    per_group = w.shape[0] // groups
    for place in itertools.product(*map(range, places)):
        for tap in itertools.product(*map(range, window)):
            at_ = [
                p * s + k * d - low
                for p, s, k, d, (low, _) in zip(place, strides, tap, dilation, pads, strict=True)
            ]
            index = [i // b for i, b in zip(at_, base, strict=True)]
            inside = all(
                i % b == 0 and 0 <= i // b < n
                for i, b, n in zip(at_, base, x.shape[2:], strict=True)
            )
            if not inside:
                continue
            seen = x[(slice(None), slice(None), *index)].astype(exact)
            for g in range(groups):
                mine = slice(g * per_group, (g + 1) * per_group)
                features = slice(g * w.shape[1], (g + 1) * w.shape[1])
                weights = w[(mine, slice(None), *tap)].astype(exact)
                with np.errstate(all="ignore"):
                    out[(slice(None), mine, *place)] += seen[:, features] @ weights.T
    return out.astype(x.dtype)


def numbers(rng, shape, dtype=np.float64):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0, 9, shape).astype(dtype)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    if expected.dtype.kind in "iu":
        np.testing.assert_array_equal(actual, expected)
        return
    tolerance = 300 * np.finfo(expected.dtype).eps
    finite = np.abs(np.where(np.isfinite(expected), expected, 0)).max(initial=1e-30)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * finite)


@st.composite
def convolutions(draw):
    """An input's and a kernel's shape in plain order, the orders of dimensions, and parameters."""
    rank = draw(st.integers(0, 3))

    def several(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    groups, batch_groups = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (3, 1), (1, 2)]))
    features, outs = draw(st.integers(1, 5)), draw(st.integers(1, 5)) * groups * batch_groups
    batch = draw(st.integers(1, 4)) * batch_groups
    sizes = several(1, (1, 40, 12, 5)[rank])
    window, strides, dilation = several(1, 4), several(1, 3), several(1, 3)
    base = several(1, 3) if draw(st.booleans()) else (1,) * rank
    pads = tuple((draw(st.integers(-1, 4)), draw(st.integers(-1, 4))) for _ in range(rank))
    letters = "HWD"[:rank]
    orders = tuple("".join(draw(st.permutations(c + letters))) for c in ("NC", "OI", "NC"))
    shapes = (batch, features * groups, *sizes), (outs, features, *window)
    return shapes, orders, (strides, pads, base, dilation), groups, batch_groups


def ordered(x, pair, order, letters):
    """An array in plain order (its two features, then spatial) in another one."""
    return np.ascontiguousarray(np.transpose(x, [(pair + letters).index(c) for c in order]))


@settings(max_examples=24, deadline=None)
@given(case=convolutions(), dtype=st.sampled_from("ddffiBD"), seed=st.integers(0, 99))
def test_values_and_derivatives(case, dtype, seed):
    (lhs_shape, rhs_shape), orders, parameters, groups, batch_groups = case
    strides, pads, base, dilation = parameters
    rng = np.random.default_rng(seed)
    # The letters' order in the kernel is the parameters' order.
    letters = "".join(c for c in orders[1] if c not in "OI")
    plain = numbers(rng, lhs_shape, dtype), numbers(rng, rhs_shape, dtype)

    def definition(x, w):
        if batch_groups > 1:
            x = x.reshape(batch_groups, -1, *x.shape[1:]).swapaxes(0, 1)
            x = x.reshape(x.shape[0], -1, *x.shape[3:])
        out = by_loops(x, w, strides, pads, base, dilation, groups * batch_groups)
        return ordered(out, "NC", orders[2], letters)

    def given_order(x, w):
        return ordered(x, "NC", orders[0], letters), ordered(w, "OI", orders[1], letters)

    def f(x, w):
        return lax.conv_general_dilated(
            x, w, strides, pads, base, dilation, orders, groups, batch_groups
        )

    expected = definition(*plain)
    x, w = given_order(*plain)
    close(f(x, w), expected)
    close(at.jit(f, backend="numba")(x, w), expected)
    if dtype != "d" or not expected.size:
        return
    ct = numbers(rng, expected.shape)
    directions = numbers(rng, lhs_shape), numbers(rng, rhs_shape)
    there = np.sum(ct * definition(directions[0], plain[1]))
    also = np.sum(ct * definition(plain[0], directions[1]))
    turned = given_order(*directions)
    gradient = at.grad(lambda x, w: np.sum(ct * f(x, w)), (0, 1))
    for g in (gradient, at.jit(gradient, backend="numba")):
        for back, direction, value in zip(g(x, w), turned, (there, also), strict=True):
            assert back.shape == direction.shape
            np.testing.assert_allclose(np.sum(back * direction), value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", ["valid", "same"])
def test_against_scipy(mode):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 19, 23)), rng.standard_normal((4, 3, 5, 3))
    expected = [
        [sum(scipy.signal.correlate(a, b, mode) for a, b in zip(n, o, strict=True)) for o in w]
        for n in x
    ]
    for backend in BACKENDS:
        f = at.jit(lambda x, w: lax.conv(x, w, (1, 1), mode.upper()), backend=backend)
        np.testing.assert_allclose(f(x, w), expected, atol=1e-12)


#: Input, kernel, parameters: what each way to compute it is for, in compiled code.
CASES = {
    "rows of vectors": ((2, 3, 7, 32), (9, 3, 3, 3), {"padding": "SAME"}),
    "rows that overlap": ((1, 2, 5, 37), (3, 2, 2, 3), {"padding": "VALID"}),
    "vectors across rows": ((3, 2, 9, 9), (5, 2, 3, 3), {"padding": "SAME"}),
    "less than a vector": ((2, 3, 2, 2), (2, 3, 2, 2), {"padding": "SAME"}),
    "along the batch": ((33, 8, 3, 3), (4, 8, 3, 3), {"padding": "SAME"}),
    "a large kernel": ((4, 64, 6, 6), (96, 64, 3, 3), {"padding": "SAME"}),
    "strided": ((2, 3, 13, 18), (4, 3, 3, 2), {"padding": "SAME", "window_strides": (2, 3)}),
    "strided, one element": ((2, 3, 12, 9), (4, 3, 1, 1), {"window_strides": (3, 2)}),
    "dilated": ((2, 2, 14, 12), (3, 2, 3, 3), {"rhs_dilation": (2, 3)}),
    "by features": ((2, 8, 11, 10), (8, 1, 3, 3), {"feature_group_count": 8, "padding": "SAME"}),
    "one place": ((3, 20, 6, 6), (7, 20, 6, 6), {}),
    "no spatial dimensions": ((5, 6), (7, 6), {}),
    "a long window": ((1, 1, 90), (1, 1, 70), {}),
    "solid": ((1, 2, 5, 6, 7), (3, 2, 2, 3, 3), {"padding": "SAME"}),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_ways_to_compute_it(name, dtype):
    lhs, rhs, options = CASES[name]
    rank = len(lhs) - 2
    options = {"window_strides": (1,) * rank, "padding": "VALID"} | options
    rng = np.random.default_rng(1)
    x, w = numbers(rng, lhs, dtype), numbers(rng, rhs, dtype)

    def f(x, w):
        return lax.conv_general_dilated(x, w, **options)

    def loss(x, w):
        return np.sum(np.tanh(f(x, w)))

    both = at.value_and_grad(loss, (0, 1))
    jitted = at.jit(lambda x, w: (f(x, w), both(x, w)[1]), backend="numba")
    out, (x_bar, w_bar) = jitted(x, w)
    assert "host step" not in jitted.explain(x, w)
    close(out, f(x, w))
    for actual, expected in zip((x_bar, w_bar), both(x, w)[1], strict=True):
        scale = np.abs(expected).max()
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(actual, expected, rtol=0, atol=20 * tolerance * scale)


DERIVED = [
    ((2, 2, 5), (3, 2, 2), {"window_strides": (2,), "padding": [(1, 0)]}),
    ((2, 2, 4), (4, 1, 2), {"feature_group_count": 2, "rhs_dilation": (2,), "padding": "SAME"}),
    ((2, 1, 3, 4), (2, 1, 2, 2), {"lhs_dilation": (2, 1), "padding": [(1, 1), (0, -1)]}),
    ((4, 1, 3), (2, 1, 2), {"batch_group_count": 2, "padding": "VALID"}),
]


@pytest.mark.parametrize(("lhs", "rhs", "options"), DERIVED)
def test_derivatives_and_batching(lhs, rhs, options):
    options = {"window_strides": (1,) * (len(lhs) - 2)} | options
    rng = np.random.default_rng(2)

    def f(x, w):
        return [lax.conv_general_dilated(x, w, **options)]

    check_derivatives(f, [numbers(rng, lhs), numbers(rng, rhs)], order=2)
    stacks = [lambda n, s=s: numbers(rng, (n, *s)) for s in (lhs, rhs)]
    check_batching(f, stacks)
    check_batching(
        lambda x, w: list(at.grad(lambda x, w: np.sum(np.sin(f(x, w)[0])), (0, 1))(x, w)), stacks
    )


def test_complex_derivatives():
    rng = np.random.default_rng(3)
    x, w = numbers(rng, (2, 2, 5), complex), numbers(rng, (3, 2, 3), complex)
    check_derivatives(lambda x, w: [lax.conv(x, w, (2,), "SAME")], [x, w], order=2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("shape", [(2, 3, 6, 5), (1, 3, 2, 2), (2, 3, 6, 19)])
def test_numbers_that_are_not_finite_stay_where_they_are(shape, bad):
    """Vectors read more than the places they are for."""
    rng = np.random.default_rng(4)
    x, w = numbers(rng, shape), numbers(rng, (4, 3, 2, 2))
    x[0, 1, -1, -1] = bad

    def f(x, w):
        return lax.conv(x, w, (1, 1), "VALID")

    np.testing.assert_allclose(
        at.jit(f, backend="numba")(x, w),
        by_loops(x, w, (1, 1), [(0, 0)] * 2, (1, 1), (1, 1), 1),
    )
    ct = numbers(rng, f(x, w).shape)
    gradient = at.grad(lambda w: np.sum(ct * f(x, w)))
    back = at.jit(gradient, backend="numba")(w)
    np.testing.assert_allclose(back, gradient(w))
    # Only the last element of the window meets the last element.
    assert np.isfinite(back[:, 0]).all() and np.isfinite(back[:, 1, 0]).all()
    assert not np.isfinite(back[:, 1, 1, 1]).any()


def test_sums_of_integers_wrap_around():
    x = np.full((1, 1, 70), 100, np.uint8)
    for backend in BACKENDS:
        f = at.jit(lambda x, w: lax.conv(x, w, (1,), "VALID"), backend=backend)
        np.testing.assert_array_equal(f(x, x[..., :3]), np.uint8(30000 % 256))


def test_threads_do_not_change_the_result():
    rng = np.random.default_rng(5)
    x, w = numbers(rng, (4, 8, 32, 32)), numbers(rng, (16, 8, 3, 3))
    f = at.jit(at.grad(lambda x, w: np.sum(lax.conv(x, w, (1, 1), "SAME") ** 2), (0, 1)))
    with at.threads(1):
        alone = f(x, w)
    with at.threads(2):
        shared = f(x, w)
    for a, b in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(a, b)


def test_within_a_loop():
    rng = np.random.default_rng(6)
    x, w = numbers(rng, (2, 3, 8, 8)), 0.3 * numbers(rng, (3, 3, 3, 3))

    def f(x, w):
        def turn(x, _):
            return np.tanh(lax.conv(x, w, (1, 1), "SAME")), np.sum(x)

        return lax.scan(turn, x, None, 4)

    jitted = at.jit(f, backend="numba")
    for actual, expected in zip(jitted(x, w), f(x, w), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12)
    assert "host step" not in jitted.explain(x, w)
    gradient = at.grad(lambda x, w: np.sum(f(x, w)[1]), (0, 1))
    for actual, expected in zip(at.jit(gradient)(x, w), gradient(x, w), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-9)


@pytest.mark.parametrize("lhs", [(0, 2, 4), (2, 2, 1), (2, 2, 0), (2, 0, 4)])
@pytest.mark.parametrize("jit", [lambda f: f, at.jit])
def test_nothing_to_compute(lhs, jit):
    x, w = np.ones(lhs), np.ones((3, lhs[1], 2))
    f = jit(lambda x, w: lax.conv(x, w, (1,), "VALID"))
    out = f(x, w)
    np.testing.assert_array_equal(out, np.zeros((lhs[0], 3, max(lhs[2] - 1, 0))))
    back = jit(at.grad(lambda x, w: np.sum(f(x, w)), (0, 1)))(x, w)
    for actual, like in zip(back, (x, w), strict=True):
        np.testing.assert_array_equal(actual, np.zeros_like(like))


# --- the relatives -------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (2, 2)])
def test_conv_transpose_is_the_transpose(padding, stride, dilation):
    rng = np.random.default_rng(7)
    size, window = 6 * stride, 3
    x, w = numbers(rng, (2, size, 5)), numbers(rng, (window, 5, 4))
    numbers_ = ("NHC", "HIO", "NHC")

    def f(x):
        return lax.conv_general_dilated(x, w, (stride,), padding, None, (dilation,), numbers_)

    out, back = at.vjp(f, x)
    ct = numbers(rng, out.shape)
    found = lax.conv_transpose(
        ct, w, (stride,), padding, (dilation,), numbers_, transpose_kernel=True
    )
    (expected,) = back(ct)
    assert found.shape[1] >= out.shape[1]
    common = min(found.shape[1], size)
    np.testing.assert_allclose(found[:, :common], expected[:, :common], atol=1e-12)
    if padding == "SAME":
        assert found.shape == x.shape
    turned = lax.conv_transpose(ct, w[::-1].swapaxes(1, 2), (stride,), padding, (dilation,))
    np.testing.assert_allclose(turned, found, atol=1e-12)


@pytest.mark.parametrize("orders", [None, ("NHWC", "HWIO", "NHWC"), ("NCWH", "OIHW", "CNHW")])
def test_patches_are_what_a_kernel_sees(orders):
    rng = np.random.default_rng(8)
    x, w = numbers(rng, (2, 3, 6, 7)), numbers(rng, (4, 3, 2, 3))
    letters = orders or ("NCHW", "OIHW", "NCHW")
    x_ = ordered(x, "NC", letters[0], "HW")
    w_ = ordered(w, "OI", letters[1], "HW")
    options = ((1, 2), "SAME", None, (2, 1), orders)
    seen = lax.conv_general_dilated_patches(x_, (2, 3), *options)
    out = lax.conv_general_dilated(x_, w_, *options)
    axis = letters[2].index("C")
    product = np.tensordot(np.moveaxis(seen, axis, -1), w.reshape(4, -1), (-1, 1))
    np.testing.assert_allclose(np.moveaxis(product, -1, axis), out, atol=1e-12)
    check_derivatives(
        lambda x: [lax.conv_general_dilated_patches(x, (2, 3), *options)], [x_], order=1
    )


def test_dimension_numbers():
    letters = lax.conv_dimension_numbers((1, 2, 3), (4, 5, 6), ("NHC", "HIO", "CNH"))
    assert letters == lax.ConvDimensionNumbers((0, 2, 1), (2, 1, 0), (1, 0, 2))
    assert lax.conv_dimension_numbers((1, 2), (3, 2), letters._replace(
        lhs_spec=(0, 1), rhs_spec=(0, 1), out_spec=(1, 0)
    )) == ((0, 1), (0, 1), (1, 0))  # fmt: skip
    x, w = np.ones((5, 7, 2)), np.ones((3, 2, 4))
    by_letters = lax.conv_general_dilated(x, w, (1,), "VALID", None, None, ("NHC", "HIO", "CNH"))
    by_numbers = lax.conv_general_dilated(x, w, (1,), "VALID", None, None, letters)
    assert by_letters.shape == (4, 5, 5)
    np.testing.assert_array_equal(by_letters, by_numbers)


@pytest.mark.parametrize(
    ("error", "match", "args"),
    [
        (TypeError, "of one dtype", (np.ones((1, 1, 4), "f4"), np.ones((1, 1, 2)), (1,), "SAME")),
        (TypeError, "input features", (np.ones((1, 2, 4)), np.ones((1, 1, 2)), (1,), "SAME")),
        (TypeError, "as many dimensions", (np.ones((1, 2, 4)), np.ones((1, 2)), (1,), "SAME")),
        (TypeError, "window_strides", (np.ones((1, 1, 4)), np.ones((1, 1, 2)), (1, 1), "SAME")),
        (TypeError, "window_strides", (np.ones((1, 1, 4)), np.ones((1, 1, 2)), (0,), "SAME")),
        (ValueError, "padding is", (np.ones((1, 1, 4)), np.ones((1, 1, 2)), (1,), "FULL")),
        (TypeError, "a pair for each", (np.ones((1, 1, 4)), np.ones((1, 1, 2)), (1,), [])),
        (ValueError, "say what is meant",
         (np.ones((1, 1, 4)), np.ones((1, 1, 2)), (1,), "SAME", (2,))),
        (ValueError, "name each", (np.ones((1, 1, 4)), np.ones((1, 1, 2)), (1,), "SAME", None,
                                   None, ("NCH", "OIW", "NCH"))),
        (TypeError, "three orders", (np.ones((1, 1, 4)), np.ones((1, 1, 2)), (1,), "SAME", None,
                                     None, ((0, 1, 1),) * 3)),
        (TypeError, "groups", (np.ones((1, 2, 4)), np.ones((3, 1, 2)), (1,), "SAME", None, None,
                               None, 2)),
        (TypeError, "integer, floating, complex",
         (np.ones((1, 1, 4), bool), np.ones((1, 1, 2), bool), (1,), "SAME")),
    ],
)  # fmt: skip
def test_errors(error, match, args):
    with pytest.raises(error, match=match):
        lax.conv_general_dilated(*args)


def test_preferred_element_type():
    x, w = np.ones((1, 1, 4), np.int8), np.full((1, 1, 4), 100, np.int8)
    out = lax.conv(x, w, (1,), "VALID", preferred_element_type=np.float32)
    assert out.dtype == np.float32 and out.item() == 400
    assert math.isclose(lax.conv(x, w, (1,), "VALID").item(), 400 - 256 - 256, abs_tol=0)
