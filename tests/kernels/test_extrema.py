"""argmax and argmin in kernels: NumPy's answers, and loops that stay native with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autotrace import jit, lax

DTYPES = [np.float64, np.float32, np.int64, np.int8, np.uint64, np.bool_]
FUNCTIONS = {"argmax": np.argmax, "argmin": np.argmin}


@st.composite
def _cases(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6))
    elements = None
    if dtype.kind == "f":  # ties, zeros of both signs, NaN in several places
        elements = st.sampled_from([0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan, 1e-310])
        elements = elements.map(dtype.type) if dtype == np.float32 else elements
    x = draw(hnp.arrays(dtype, shape, elements=elements))
    return x, draw(st.integers(-len(shape), len(shape) - 1))


@settings(max_examples=60, deadline=None)
@given(_cases(), st.sampled_from(sorted(FUNCTIONS)), st.booleans())
def test_as_numpy(case, name, turned):
    x, axis = case
    x = x.T if turned else x
    function = FUNCTIONS[name]
    got = jit(lambda x: function(x, axis=axis), backend="numba")(x)
    want = function(x, axis=axis)
    np.testing.assert_array_equal(got, want)
    assert np.asarray(got).dtype == want.dtype


@pytest.mark.parametrize("name", FUNCTIONS)
def test_of_what_is_computed_and_no_elements(name):
    x = np.linspace(-3.0, 4.0, 5000).reshape(50, 100)
    function = FUNCTIONS[name]
    f = jit(lambda x: function(np.sin(x * x), axis=0), backend="numba")
    np.testing.assert_array_equal(f(x), function(np.sin(x * x), axis=0))
    assert f(np.ones((3, 0))).shape == (0,)
    with pytest.raises(ValueError, match="empty"):
        f(np.ones((0, 3)))
    g = jit(lambda x: getattr(lax, name)(x, 1, np.int32), backend="numba")
    assert g(x).dtype == np.int32


def test_large_and_in_threads():
    x = np.random.default_rng(0).normal(size=400_000)
    x[[1234, 300_000]] = 9.0
    f = jit(lambda x: (np.argmax(x), np.argmin(x)), backend="numba")
    assert f(x) == (np.argmax(x), np.argmin(x))


def test_a_loop_with_it_is_native():
    def viterbi(scores, change):
        def step(best, score):
            paths = best[:, None] + change
            return paths.max(0) + score, np.argmax(paths, axis=0)

        return lax.scan(step, scores[0], scores[1:])

    rng = np.random.default_rng(1)
    scores, change = rng.normal(size=(30, 4)), rng.normal(size=(4, 4))
    f = jit(viterbi, backend="numba")
    for got, want in zip(f(scores, change), viterbi(scores, change), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13)
    assert "host" not in f.explain(scores, change)
