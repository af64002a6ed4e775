"""QR factors, eigenvalues and singular values in compiled programs."""

from __future__ import annotations

import numpy as np
import pytest
from autotrace.kernels import orthogonal

import autotrace as at
from autotrace.core.primitive import primitives

rng = np.random.default_rng(0)


def real(*shape, dtype=float):
    return rng.normal(size=shape).astype(dtype)


def close(found, expected):
    eps = np.finfo(expected.dtype).eps
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=3e3 * eps, atol=3e3 * eps)


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": lambda x: np.ascontiguousarray(x.mT).mT,
    "apart": lambda x: np.repeat(x, 2, -1)[..., ::2],
}
FUNCTIONS = {
    "qr": lambda a: tuple(np.linalg.qr(a)),
    "qr, complete": lambda a: tuple(np.linalg.qr(a, "complete")),
    "qr, r": lambda a: np.linalg.qr(a, "r"),
    "singular values": np.linalg.svdvals,
    "eigenvalues": lambda a: np.linalg.eigvalsh(a @ a.mT),
    "eigenvalues, upper": lambda a: np.linalg.eigvalsh(a @ a.mT, UPLO="U"),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_shapes_and_layouts(name, dtype):
    function = FUNCTIONS[name]
    for shape in [(1, 1), (3, 3), (5, 2), (2, 5), (2, 3, 6, 4), (70, 40)]:
        x = real(*shape, dtype=dtype)
        jitted = at.jit(function, backend="numba")
        assert "host step" not in jitted.lower(x).as_text("fusion")
        for layout in LAYOUTS.values():
            found, expected = jitted(layout(x)), function(x)
            for out, wanted in zip(at.tree.leaves(found), at.tree.leaves(expected), strict=True):
                close(out, wanted)


def test_vectors_are_those_of_numpy():
    """Signs included: but within loops they come from another LAPACK."""
    x = real(40, 40)
    for function in (lambda a: tuple(np.linalg.eigh(a)), lambda a: tuple(np.linalg.svd(a))):
        jitted = at.jit(function, backend="numba")
        assert "host step" in jitted.lower(x).as_text("fusion")
        for out, wanted in zip(jitted(x), function(x), strict=True):
            np.testing.assert_array_equal(out, wanted)


def _by_eigenvectors(a):
    w, v = np.linalg.eigh(a)
    return v @ (np.sqrt(1 + w**2)[:, None] * v.T)


def _by_upper_triangle(a):
    w, v = np.linalg.eigh(a, "U")
    return (v * np.cos(w)) @ v.T


def _by_singular_vectors(a):
    u, s, vh = np.linalg.svd(a)
    return u @ (np.sin(s)[:, None] * vh) + np.eye(4)


def _by_thin_vectors(a):
    u, s, vh = np.linalg.svd(a[:, :2], full_matrices=False)
    return a + (u * s) @ vh @ a[:2] / 9


def _by_qr(a):
    q, r = np.linalg.qr(a)
    return r @ q + np.eye(4)


STEPS = [_by_eigenvectors, _by_upper_triangle, _by_singular_vectors, _by_thin_vectors, _by_qr]


@pytest.mark.parametrize("step", STEPS, ids=lambda f: f.__name__)
def test_within_loops(step):
    """What does not depend on signs comes out of a native loop as of Python's."""

    def looped(a):
        return at.lax.fori_loop(0, 4, lambda i, a: step(a), a)

    def unrolled(a):
        for _ in range(4):
            a = step(a)
        return a

    x = real(4, 4)
    x = x + x.T + np.diag([1.0, 3.0, 6.0, 9.0])
    jitted = at.jit(looped, backend="numba")
    text = jitted.lower(x).as_text("fusion")
    assert "LAPACK" in text and "host step" not in text
    close(jitted(x), unrolled(x))

    def total(function):
        return lambda a: np.sum(function(a) * np.arange(16.0).reshape(4, 4))

    gradient = at.jit(at.grad(total(looped)), backend="numba")(x)
    np.testing.assert_allclose(gradient, at.grad(total(unrolled))(x), rtol=1e-8, atol=1e-8)


def test_empty_matrices():
    for shape in [(0, 0), (0, 3), (3, 0), (2, 0, 3)]:
        for function in (lambda a: tuple(np.linalg.qr(a)), np.linalg.svdvals):
            found, expected = at.jit(function)(np.zeros(shape)), function(np.zeros(shape))
            for out, wanted in zip(at.tree.leaves(found), at.tree.leaves(expected), strict=True):
                close(out, wanted)


@pytest.mark.parametrize("function", [np.linalg.svdvals, np.linalg.eigvalsh])
def test_nan(function):
    """NaN gives what it gives in NumPy: an error or NaN."""
    x = np.full((3, 3), np.nan)
    try:
        expected = function(x)
    except np.linalg.LinAlgError:
        with pytest.raises(np.linalg.LinAlgError, match=r"(?s)did not converge.*test_orthogonal"):
            at.jit(function)(x)
    else:
        np.testing.assert_array_equal(at.jit(function)(x), expected)


def test_every_rule_has_a_primitive():
    assert set(orthogonal.RULES) <= set(primitives)
