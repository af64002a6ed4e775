"""Initializers: their moments, ranges, shapes and dtypes."""

import numpy as np
import pytest

import autotrace as at
from autotrace.nn import initializers

KEY = at.random.key(0)
SHAPE = (300, 200)
#: Of a name: the variance for (300, 200), and the largest absolute value, if there is one.
SCALED = {
    "glorot_uniform": (2 / 500, np.sqrt(3 * 2 / 500)),
    "glorot_normal": (2 / 500, 2 * np.sqrt(2 / 500) / 0.8796),
    "lecun_uniform": (1 / 300, np.sqrt(3 / 300)),
    "lecun_normal": (1 / 300, 2 * np.sqrt(1 / 300) / 0.8796),
    "he_uniform": (2 / 300, np.sqrt(3 * 2 / 300)),
    "he_normal": (2 / 300, 2 * np.sqrt(2 / 300) / 0.8796),
}


@pytest.mark.parametrize("name", SCALED)
def test_scaled(name):
    variance, largest = SCALED[name]
    x = getattr(initializers, name)()(KEY, SHAPE)
    assert x.shape == SHAPE and x.dtype == np.float64
    np.testing.assert_allclose(x.var(), variance, rtol=0.03)
    np.testing.assert_allclose(x.mean(), 0, atol=4 * np.sqrt(variance / x.size))
    assert 0.95 * largest < np.abs(x).max() <= largest * 1.0001
    same = getattr(initializers, name)(dtype=np.float32)(KEY, SHAPE)
    assert same.dtype == np.float32
    assert getattr(initializers, name)()(KEY, SHAPE, np.float32).dtype == np.float32


def test_aliases():
    assert initializers.xavier_uniform is initializers.glorot_uniform
    assert initializers.xavier_normal is initializers.glorot_normal
    assert initializers.kaiming_uniform is initializers.he_uniform
    assert initializers.kaiming_normal is initializers.he_normal


@pytest.mark.parametrize(
    ("mode", "fan"),
    [("fan_in", 3 * 4 * 8), ("fan_out", 3 * 4 * 50), ("fan_avg", 3 * 4 * 29),
     ("fan_geo_avg", 12 * 20)],
)  # fmt: skip
def test_modes_count_the_window(mode, fan):
    init = initializers.variance_scaling(2.0, mode, "normal")
    x = np.stack([init(at.random.key(i), (3, 4, 8, 50)) for i in range(4)])
    np.testing.assert_allclose(x.var(), 2 / fan, rtol=0.05)


def test_axes():
    init = initializers.variance_scaling(1.0, "fan_in", "normal", 1, 0, (2,))
    np.testing.assert_allclose(init(KEY, (50, 20, 9)).var(), 1 / 20, rtol=0.1)


def test_plain():
    np.testing.assert_array_equal(initializers.zeros(KEY, (2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.ones(KEY, (2,), np.int32), np.ones(2, np.int32))
    made = initializers.constant(np.arange(3.0), np.float32)(KEY, (2, 3))
    np.testing.assert_array_equal(made, np.array([[0, 1, 2]] * 2, np.float32))
    x = initializers.uniform(2.0)(KEY, SHAPE)
    assert x.min() >= 0 and 1.9 < x.max() < 2
    np.testing.assert_allclose(initializers.normal(3.0)(KEY, SHAPE).std(), 3, rtol=0.02)
    cut = initializers.truncated_normal(2.0, lower=-1.0, upper=0.5)(KEY, SHAPE)
    assert -2 <= cut.min() < -1.9 and 0.9 < cut.max() <= 1


@pytest.mark.parametrize(
    ("shape", "axis"), [((6, 4), -1), ((4, 6), -1), ((6, 2, 3), 0), ((2, 9, 3), 1)]
)
def test_orthogonal(shape, axis):
    x = initializers.orthogonal(2.0, axis)(KEY, shape)
    assert x.shape == shape
    matrix = np.moveaxis(x, axis, -1).reshape(-1, shape[axis])
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)
    assert initializers.orthogonal(dtype=np.float32)(KEY, shape).dtype == np.float32


def test_delta_orthogonal():
    x = initializers.delta_orthogonal()(KEY, (3, 4, 2, 5))
    centre = x[1, 1]
    np.testing.assert_allclose(centre @ centre.T, np.eye(2), atol=1e-12)
    assert np.count_nonzero(x) == centre.size


def test_within_jit():
    init = at.jit(lambda key: initializers.he_normal()(key, (5, 4)))
    np.testing.assert_allclose(init(KEY), initializers.he_normal()(KEY, (5, 4)), rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "shape", "match"),
    [
        (lambda: initializers.variance_scaling(1.0, "fan", "normal"), SHAPE, "mode is one of"),
        (lambda: initializers.variance_scaling(1.0, "fan_in", "cauchy"), SHAPE, "distribution is"),
        (initializers.he_normal, (3,), "a shape with inputs"),
        (initializers.orthogonal, (3,), "two axes or more"),
        (initializers.delta_orthogonal, (3, 5, 2), "no more inputs than outputs"),
    ],
)
def test_errors(make, shape, match):
    with pytest.raises(ValueError, match=match):
        make()(KEY, shape)
