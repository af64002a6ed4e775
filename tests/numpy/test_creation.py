from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives, same

import autotrace
import autotrace.numpy as anp

RNG = np.random.default_rng(2)
X = RNG.standard_normal((2, 3))

LIKE = {
    "zeros_like": np.zeros_like,
    "ones_like": np.ones_like,
    "zeros_like dtype": lambda x: np.zeros_like(x, dtype=int),
    "ones_like shape": lambda x: np.ones_like(x, shape=(4,)),
    "full_like": lambda x: np.full_like(x, 7),
    "full_like dtype": lambda x: np.full_like(x, 7.5, dtype=np.int16),
    "full_like array": lambda x: np.full_like(x, np.arange(3)),
    "empty_like": lambda x: 0 * np.empty_like(x),
    "vander": lambda x: (np.vander(x[0]), np.vander(x[1], 2, increasing=True), np.vander(x[0], 0)),
    "meshgrid": lambda x: tuple(np.meshgrid(x[0], x[1, :2])),
    "meshgrid ij": lambda x: tuple(np.meshgrid(x[0], x[1, :2], [1, 2], indexing="ij")),
    "meshgrid sparse": lambda x: tuple(np.meshgrid(x[0], x[1, :2], sparse=True)),
}


@pytest.mark.parametrize("name", LIKE)
@pytest.mark.parametrize("dtype", ["d", "f", "h", "D"])
def test_like(name, dtype):
    agrees(LIKE[name], X.astype(dtype))


def test_array_of_nested_lists():
    def f(x):
        return anp.array([[x[0, 0], 1], [2.5, x[1, 2] * 2]])

    expected = np.array([[X[0, 0], 1], [2.5, X[1, 2] * 2]])
    same(autotrace.jit(f)(X), expected)
    same(autotrace.jit(lambda x: anp.asarray([x, x]))(X), np.array([X, X]))
    same(
        autotrace.jit(lambda x: anp.array([x[0, 0], 1], dtype=np.float32))(X),
        np.array([X[0, 0], 1], np.float32),
    )
    same(autotrace.jit(lambda x: anp.array(x[0, 0], ndmin=2))(X), np.array(X[0, 0], ndmin=2))
    same(autotrace.jit(lambda x: anp.array([x, 1]))(np.float32(2)), np.array([np.float32(2), 1]))
    derives(f, X)
    with pytest.raises(ValueError, match="one shape"):
        autotrace.jit(lambda x: anp.array([x, x[0]]))(X)


def test_full_with_a_traced_value():
    same(autotrace.jit(lambda x: anp.full((2, 2), x))(1.5), np.full((2, 2), 1.5))
    same(autotrace.jit(lambda x: anp.full(3, x, dtype=int))(1.5), np.full(3, 1.5, int))
    same(
        autotrace.jit(lambda x: np.full_like(np.ones(2), 1) + anp.full_like(np.ones(2), x))(2.0),
        np.full(2, 3.0),
    )
    same(autotrace.grad(lambda x: anp.full(3, x).sum())(1.5), np.float64(3.0))


SPACES = {
    "linspace": lambda a, b: anp.linspace(a, b, 7),
    "linspace open": lambda a, b: anp.linspace(a, b, 7, endpoint=False),
    "linspace axis": lambda a, b: anp.linspace(a, b, 4, axis=-1),
    "linspace step": lambda a, b: anp.linspace(a, b, 4, retstep=True),
    "linspace one": lambda a, b: anp.linspace(a, b, 1),
    "linspace none": lambda a, b: anp.linspace(a, b, 0),
    "logspace": lambda a, b: anp.logspace(a, b, 5),
    "logspace base": lambda a, b: anp.logspace(a, b, 5, base=2.0),
    "geomspace": lambda a, b: anp.geomspace(a, b, 5),
    "geomspace open": lambda a, b: anp.geomspace(a, b, 5, endpoint=False),
}


@pytest.mark.parametrize("name", SPACES)
def test_spaces(name):
    for a, b in [(1.0, 3.5), (np.float32(2), np.float32(0.5)), (np.array([1.0, 2.0]), 5.0), (1, 9)]:
        expected = SPACES[name](a, b)
        same(autotrace.jit(SPACES[name])(a, b), expected, rtol=1e-14)
    if name != "linspace none":
        wanted = (np.array([1.0, 2.0]), np.array([3.0, 4.5]))
        if name == "linspace step" or name == "linspace one":
            return
        derives(SPACES[name], *wanted)


def test_linspace_of_integers():
    expected = np.linspace(0, 10, 4, dtype=int)
    same(autotrace.jit(lambda a: anp.linspace(a, 10, 4, dtype=int))(0.0), expected)
    with pytest.raises(ValueError, match="non-negative"):
        autotrace.jit(lambda a: anp.linspace(a, 1, -1))(0.0)


def test_arange():
    same(anp.arange(3), np.arange(3))
    same(autotrace.jit(lambda n: anp.arange(n))(3), np.arange(3))
    with pytest.raises(autotrace.ConcretizationError):
        autotrace.make_jaxpr(lambda n: anp.arange(n))(3)
    same(autotrace.jvp(lambda x: anp.arange(x) * 1.0, (3.0,), (1.0,))[0], np.arange(3.0))


def test_without_traced_values_they_are_numpys_own():
    for name in ("zeros", "ones", "eye", "identity", "tri", "empty"):
        out = getattr(anp, name)(3)
        assert type(out) is np.ndarray and out.flags.writeable
    out = anp.zeros_like(X)
    out[0] = 1.0
    assert isinstance(anp.array([1, 2]), np.ndarray)


def test_all_names_exist():
    for name in anp.__all__:
        assert hasattr(anp, name), name
