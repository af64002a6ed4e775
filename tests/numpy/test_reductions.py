from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives, same

import autotrace
import autotrace.numpy as anp

RNG = np.random.default_rng(0)
DTYPES = ["?", "b", "B", "h", "i", "I", "l", "L", "e", "f", "d", "F", "D"]


def values(dtype: str, shape: tuple = (2, 3, 4)) -> np.ndarray:
    x = RNG.integers(-4, 5, shape).astype(float)
    if dtype in "eFfdD":
        x = x + 0.25
    if dtype in "FD":
        x = x + 0.5j
    if dtype in "BIL?":
        x = np.abs(x)
    return x.astype(dtype)


REDUCTIONS = [np.sum, np.prod, np.max, np.min, np.any, np.all, np.mean, np.var, np.std]
AXES = [None, 0, -1, (0, 2), (), 1]


@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions_over_axes_and_dtypes(function, dtype):
    x = values(dtype)
    for axis in AXES:
        # A sum over several axes under vmap goes in another order.
        agrees(lambda a, axis=axis: function(a, axis=axis), x, rtol=1e-13)
    agrees(lambda a: function(a, 1, keepdims=True), x, rtol=1e-13)
    agrees(lambda a: function(a, axis=None, keepdims=True), x, rtol=1e-13)
    agrees(function, values(dtype, ()), rtol=1e-13)
    agrees(function, np.asfortranarray(x)[::-1, :, ::2], rtol=1e-13)


@pytest.mark.parametrize("function", [np.sum, np.prod, np.mean, np.var, np.std])
@pytest.mark.parametrize("dtype", ["i", "f", "d", "e", "D"])
@pytest.mark.parametrize("wanted", [np.float32, np.float64, np.complex128, np.int32])
def test_dtype_argument(function, dtype, wanted):
    if function is np.std and wanted is np.int32:
        pytest.skip("numpy refuses")
    if dtype == "D" and np.dtype(wanted).kind != "c":
        pytest.skip("numpy warns about the imaginary part")
    agrees(lambda a: function(a, axis=1, dtype=wanted), values(dtype), rtol=1e-6)


def test_where_and_initial():
    x, mask = values("d"), RNG.random((2, 3, 4)) < 0.6
    mask[:, 0] = True
    for function in (np.sum, np.prod, np.mean, np.var, np.std, np.any, np.all):
        agrees(lambda a, m, f=function: f(a, axis=1, where=m), x, mask, rtol=1e-14)
        agrees(lambda a, f=function: f(a, axis=1, where=mask[0]), x, rtol=1e-14)
    for function in (np.sum, np.prod):
        agrees(lambda a, f=function: f(a, axis=1, where=mask, initial=2.5), x)
    for function in (np.max, np.min):
        agrees(lambda a, f=function: f(a, axis=1, where=mask, initial=0.5), x)
        agrees(lambda a, f=function: f(a, axis=0, initial=0.5), x[:0])
        with pytest.raises(ValueError, match="identity"):
            autotrace.jit(lambda a, f=function: f(a, where=mask))(x)
    agrees(lambda a: np.var(a, axis=1, ddof=1), x, rtol=1e-14)
    agrees(lambda a: np.std(a, axis=1, correction=1.5), x, rtol=1e-14)
    agrees(lambda a: np.var(a, axis=1, mean=np.mean(a, axis=1, keepdims=True)), x, rtol=1e-14)


def test_empty():
    for shape in [(0,), (2, 0, 3)]:
        x = np.zeros(shape)
        for function in (np.sum, np.prod, np.any, np.all, np.mean, np.var):
            agrees(function, x)
            agrees(lambda a, f=function: f(a, axis=0), x)
        with pytest.raises(ValueError, match="zero-size"):
            autotrace.jit(np.max)(x)
        with pytest.raises(ValueError, match="empty sequence"):
            autotrace.jit(np.argmax)(x)


@pytest.mark.parametrize("function", [*REDUCTIONS, np.argmax, np.cumsum, np.median, np.ptp])
def test_axis_errors_name_the_users_line(function):
    with pytest.raises(np.exceptions.AxisError, match=r"axis 3 is out of bounds(.|\n)*test_reduc"):
        autotrace.jit(lambda x: function(x, axis=3))(np.ones((2, 2)))


def test_duplicate_axes():
    with pytest.raises(ValueError, match="duplicate value"):
        autotrace.jit(lambda x: np.sum(x, axis=(0, 0)))(np.ones((2, 2)))


def test_out_of_an_ordinary_array_is_refused():
    plain = np.zeros(())
    with pytest.raises(TypeError, match="ordinary array"):
        autotrace.jit(lambda x: np.sum(x, out=plain))(np.ones(2))
    with pytest.raises(TypeError, match="ordinary array"):
        autotrace.jit(lambda x: x.sum(None, None, plain))(np.ones(2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_places_and_order_statistics(dtype):
    x = values(dtype)
    for function in (np.argmax, np.argmin):
        agrees(function, x)
        agrees(lambda a, f=function: f(a, axis=1, keepdims=True), x)
    if dtype != "?":
        agrees(lambda a: np.ptp(a, axis=1), x)
    if dtype not in "?FD":
        for axis in (None, 1, (0, 2)):
            agrees(lambda a, axis=axis: np.median(a, axis=axis), x)
            agrees(lambda a, axis=axis: np.quantile(a, 0.3, axis=axis), x, rtol=1e-15)
        agrees(lambda a: np.quantile(a, [0.0, 0.3, 1.0], axis=1, keepdims=True), x, rtol=1e-15)
        agrees(lambda a: np.quantile(a, np.float32(0.7), axis=1), x, rtol=1e-15)
        agrees(lambda a: np.percentile(a, 30, axis=1), x, rtol=1e-15)
        agrees(lambda a: np.percentile(a, [25.0, 75.0]), x, rtol=1e-15)


@pytest.mark.parametrize(
    "method",
    [
        "linear",
        "lower",
        "higher",
        "midpoint",
        "nearest",
        "inverted_cdf",
        "averaged_inverted_cdf",
        "interpolated_inverted_cdf",
        "hazen",
        "weibull",
        "median_unbiased",
        "normal_unbiased",
    ],
)
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_quantile_methods(method, n):
    for x in (RNG.standard_normal((n, 2)), RNG.integers(0, 9, (n, 2))):
        for q in (0.0, 0.1, 0.25, 0.5, 0.8, 1.0, [0.2, 0.5], 1):
            agrees(lambda a, q=q: np.quantile(a, q, axis=0, method=method), x, rtol=1e-14)


def test_quantile_takes_traced_quantiles_and_nan():
    x = np.array([[3.0, 1.0, 2.0], [1.0, np.nan, 2.0]])
    agrees(lambda a, q: np.quantile(a, q, axis=1), x, np.array([0.2, 0.9]), rtol=1e-15)
    agrees(lambda a: np.median(a, axis=1), x)
    with pytest.raises(ValueError, match="range"):
        autotrace.jit(lambda a: np.quantile(a, 1.5))(x)


def test_average():
    x, w = values("d"), RNG.random((2, 3, 4))
    agrees(lambda a, b: np.average(a, weights=b, axis=1), x, w, rtol=1e-14)
    agrees(lambda a, b: np.average(a, weights=b, axis=1, returned=True), x, w[0, :, 0], rtol=1e-14)
    agrees(lambda a: np.average(a, axis=1, returned=True, keepdims=True), values("i"))
    agrees(lambda a: np.average(a, axis=(2, 0), weights=np.ones((4, 2))), values("i"), rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_running(dtype):
    x = values(dtype)
    for function in (np.cumsum, np.cumprod):
        agrees(function, x)
        agrees(lambda a, f=function: f(a, axis=1), x)
    agrees(lambda a: np.cumsum(a, axis=1, dtype=np.complex64), x)
    agrees(lambda a: (np.cumsum(a, 1, dtype=bool), np.cumprod(a, 1, dtype=bool)), x)
    if hasattr(np, "cumulative_sum"):
        for function in (np.cumulative_sum, np.cumulative_prod):
            agrees(lambda a, f=function: f(a, axis=1, include_initial=True), x)
    agrees(lambda a: np.diff(a, axis=1), x)
    agrees(lambda a: np.diff(a, n=2), x)
    agrees(lambda a: np.ediff1d(a), x) if dtype != "?" else None


def test_differences_with_ends():
    x = values("d")
    agrees(lambda a: np.diff(a, axis=1, prepend=1, append=np.zeros((2, 2, 4))), x)
    agrees(lambda a: np.ediff1d(a, to_begin=[1.0, 2], to_end=3), x)
    agrees(lambda a: np.diff(a, n=5), x)
    agrees(lambda a: np.diff(a, n=0), x)


NAN_FUNCTIONS = [
    np.nansum,
    np.nanprod,
    np.nanmean,
    np.nanmax,
    np.nanmin,
    np.nanvar,
    np.nanstd,
    np.nanargmax,
    np.nanargmin,
    np.nancumsum,
    np.nancumprod,
]


@pytest.mark.parametrize("function", NAN_FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["i", "f", "d", "?"])
def test_passing_over_nan(function, dtype):
    x = values(dtype)
    if dtype in "fd":
        x[0, 1, 2] = x[1, 0, 0] = np.nan
    agrees(function, x, rtol=1e-14)
    agrees(lambda a: function(a, axis=1), x, rtol=1e-14)
    if dtype in "fd" and "arg" not in function.__name__:
        x[:, :, 1] = np.nan
        agrees(lambda a: function(a, axis=1), x, rtol=1e-14)


UFUNCS = [
    np.add,
    np.multiply,
    np.maximum,
    np.minimum,
    np.logical_and,
    np.logical_or,
    np.bitwise_and,
    np.bitwise_or,
    np.bitwise_xor,
    np.logaddexp,
]


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["?", "b", "B", "i", "l", "f", "d"])
def test_ufunc_reduce(ufunc, dtype):
    if "bitwise" in ufunc.__name__ and dtype in "fd":
        pytest.skip("not for floats")
    x, mask = values(dtype), RNG.random((2, 3, 4)) < 0.7
    agrees(ufunc.reduce, x, rtol=1e-14)
    agrees(lambda a: ufunc.reduce(a, axis=(0, 2), keepdims=True), x, rtol=1e-14)
    agrees(lambda a: ufunc.reduce(a, axis=None), x, rtol=1e-13)
    agrees(lambda a: ufunc.reduce(a, axis=1, where=mask, initial=1), x, rtol=1e-14)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp])
@pytest.mark.parametrize("dtype", ["b", "B", "i", "f", "d"])
def test_ufunc_accumulate(ufunc, dtype):
    agrees(ufunc.accumulate, values(dtype), rtol=1e-14)
    agrees(lambda a: ufunc.accumulate(a, axis=-1, dtype=np.float64), values(dtype), rtol=1e-14)


def test_ufunc_outer_and_at():
    x, y = values("f", (2, 3)), values("d", (4,))
    for ufunc in (np.add, np.subtract, np.arctan2, np.greater, np.hypot):
        name = ufunc.__name__
        agrees(ufunc.outer, x, y, name=name)
        agrees(lambda a, f=ufunc: f.outer(a, [1, 2]), x, name=name)
    agrees(lambda a: np.add.outer(a, 1.0), x)


def test_logaddexp_reduce_of_infinities():
    for row in ([-np.inf, -np.inf], [np.inf, 1.0], [1.0, -np.inf], [800.0, 801.0]):
        agrees(np.logaddexp.reduce, np.array(row), rtol=1e-14)
    derives(lambda x: np.logaddexp.reduce(x, axis=1), RNG.standard_normal((2, 3)))


DIFFERENTIABLE = [
    np.sum,
    np.prod,
    np.mean,
    np.var,
    np.std,
    np.max,
    np.min,
    np.ptp,
    np.median,
    np.cumsum,
    np.cumprod,
    np.diff,
    np.nansum,
    np.nanmean,
    np.nanvar,
    np.nanstd,
    np.nanmax,
    np.nanprod,
]


@pytest.mark.parametrize("function", DIFFERENTIABLE, ids=lambda f: f.__name__)
def test_derivatives(function):
    x = RNG.standard_normal((3, 4))
    derives(lambda a: function(a, axis=1), x)
    derives(lambda a: function(a), x)


def test_more_derivatives():
    x = RNG.standard_normal((3, 4))
    derives(lambda a, w: np.average(a, axis=1, weights=np.exp(w)), x, x[::-1])
    derives(lambda a, q: np.quantile(a, q, axis=0), x, np.array([0.21, 0.77]))
    derives(lambda a: np.var(a, axis=0, where=x > -1, ddof=0.5), x)
    derives(np.var, x + 1j * x[::-1])
    derives(np.ediff1d, x)
    derives(lambda a: np.maximum.accumulate(a), x)


def test_derivatives_at_special_points():
    same(autotrace.grad(np.prod)(np.array([0.0, 2.0, 3.0])), np.array([6.0, 0.0, 0.0]))
    same(autotrace.grad(np.std)(np.ones(3)), np.zeros(3))
    same(autotrace.grad(np.max)(np.array([1.0, 1.0])), np.array([0.5, 0.5]))
    x = np.array([1.0, np.nan, 3.0])
    for function in (np.nansum, np.nanmean, np.nanvar, np.nanmax):
        assert np.isfinite(autotrace.grad(function)(x)).all()


def test_mean_and_sum_stay_simple():
    jaxpr = autotrace.make_jaxpr(np.mean)(np.ones(3))
    assert len(jaxpr.jaxpr.eqns if hasattr(jaxpr, "jaxpr") else jaxpr.eqns) <= 2


def test_untraced_calls_are_numpys_own():
    out = np.zeros(())
    anp.sum(np.ones(3), out=out)
    assert out == 3.0


def test_python_scalars_become_numpys():
    def f(x):
        return np.sum(x) * np.float32(2)

    agrees(f, np.float64(1.5))
    assert autotrace.jit(f)(1.5).dtype == f(1.5).dtype


LISTS = {
    "max": lambda x, y: np.max([x, y]),
    "sum": lambda x, y: np.sum([[x, y], [1.0, x * y]], axis=0),
    "mean": lambda x, y: np.mean((x, y, 2.0)),
    "norm": lambda x, y: np.linalg.norm([x, y]),
    "dot": lambda x, y: np.dot([x, y], [y, 3.0]),
    "argmax": lambda x, y: np.argmax([x, y]),
    "ours": lambda x, y: anp.prod([x, y]) + anp.min([x, y]),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_traced_values(name):
    agrees(LISTS[name], np.float64(3.0), np.float64(4.0), rtol=1e-15)
    if name != "argmax":
        autotrace.testing.check_grads(LISTS[name], (3.0, 4.0), order=2)
