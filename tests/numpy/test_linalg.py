"""numpy.linalg on traced values: values, types and errors against NumPy's, derivatives."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy_checks import agrees, case_id, derives, same

import autotrace as at
import autotrace.numpy as anp

rng = np.random.default_rng(0)


def real(*shape):
    return rng.normal(size=shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def positive(*shape, make=real):
    x = make(*shape)
    return x @ np.conj(np.swapaxes(x, -1, -2)) + shape[-1] * np.eye(shape[-1])


def symmetric(*shape, make=real):
    x = make(*shape)
    return x + np.conj(np.swapaxes(x, -1, -2))


A, B, TALL, WIDE = real(3, 3), real(3, 2), real(4, 3), real(2, 4)
P, S = positive(3, 3), symmetric(3, 3)
STACK = real(2, 3, 3)
linalg = np.linalg

#: Name, function, arguments: values are compared, and derivatives checked to second order.
SMOOTH = [
    ("cholesky", linalg.cholesky, P),
    ("cholesky of a stack", linalg.cholesky, positive(2, 3, 3)),
    ("cholesky, upper", lambda a: linalg.cholesky(a, upper=True), P),
    ("cholesky, complex", linalg.cholesky, positive(3, 3, make=cplx)),
    ("solve", linalg.solve, A, B),
    ("solve of a vector", linalg.solve, A, real(3)),
    ("solve of a stack and a vector", linalg.solve, STACK, real(3)),
    ("solve of a matrix and a stack", linalg.solve, A, real(2, 3, 2)),
    ("solve, complex and real", linalg.solve, cplx(3, 3), B),
    ("inv", linalg.inv, STACK),
    ("det", linalg.det, STACK),
    ("det, complex", linalg.det, cplx(3, 3)),
    ("slogdet", lambda a: linalg.slogdet(a), STACK),
    ("slogdet, complex", lambda a: linalg.slogdet(a), cplx(3, 3)),
    ("qr", lambda a: linalg.qr(a), TALL),
    ("qr of wide ones", lambda a: linalg.qr(a), WIDE),
    ("qr, complete", lambda a: linalg.qr(a, "complete"), A),
    ("qr, r", lambda a: linalg.qr(a, mode="r"), cplx(4, 3)),
    ("svd", lambda a: linalg.svd(a, full_matrices=False), TALL),
    ("svd of wide ones", lambda a: linalg.svd(a, False), WIDE),
    ("svd of square ones", lambda a: linalg.svd(a), STACK),
    ("svd, Hermitian", lambda a: linalg.svd(a, hermitian=True), S),
    ("svd, values", lambda a: linalg.svd(a, compute_uv=False), TALL),
    ("svd, Hermitian, values", lambda a: linalg.svd(a, compute_uv=False, hermitian=True), S),
    ("svdvals", linalg.svdvals, cplx(3, 2)),
    ("eigh", lambda a: linalg.eigh(a), S),
    ("eigh, upper", lambda a: linalg.eigh(a, UPLO="U"), S),
    ("eigvalsh", linalg.eigvalsh, symmetric(2, 3, 3, make=cplx)),
    ("pinv", linalg.pinv, STACK[:, :2]),
    ("pinv, cut", lambda a: linalg.pinv(a, rtol=1e-3), TALL),
    ("pinv, Hermitian", lambda a: linalg.pinv(a, hermitian=True), S),
    ("lstsq", lambda a, b: linalg.lstsq(a, b)[:2], TALL, real(4, 2)),
    ("lstsq of a vector", lambda a, b: linalg.lstsq(a, b)[0], WIDE, real(2)),
    ("lstsq, values", lambda a: linalg.lstsq(a, np.ones(4), -1)[3], TALL),
    ("norm", linalg.norm, A),
    ("norm 2", lambda a: linalg.norm(a, 2), TALL),
    ("norm -2", lambda a: linalg.norm(a, -2, axis=(2, 0), keepdims=True), STACK),
    ("norm nuc", lambda a: linalg.norm(a, "nuc", axis=(1, 2)), STACK),
    ("matrix_norm", linalg.matrix_norm, STACK),
    ("matrix_norm 1", lambda a: linalg.matrix_norm(a, ord=1, keepdims=True), cplx(3, 2)),
    ("vector_norm", lambda a: linalg.vector_norm(a, ord=3, axis=0), A),
    ("cond", linalg.cond, STACK),
    ("cond -2", lambda a: linalg.cond(a, -2), TALL),
    ("cond 1", lambda a: linalg.cond(a, 1), A),
    ("cond fro", lambda a: linalg.cond(a, "fro"), STACK),
    ("matrix_power", lambda a: linalg.matrix_power(a, 5), STACK),
    ("matrix_power -3", lambda a: linalg.matrix_power(a, -3), A),
    ("multi_dot", lambda a, b: linalg.multi_dot([a, b, b.T]), A, B),
    ("tensorsolve", linalg.tensorsolve, real(2, 3, 6), real(2, 3)),
    ("tensorsolve, axes", lambda a, b: linalg.tensorsolve(a, b, axes=(0,)), real(6, 2, 3),
     real(2, 3)),
    ("tensorinv", linalg.tensorinv, real(2, 3, 6)),
    ("tensorinv 1", lambda a: linalg.tensorinv(a, ind=1), real(6, 2, 3)),
    ("cross", lambda a: linalg.cross(a, a[::-1]), A),
    ("outer", linalg.outer, real(2), real(3)),
    ("diagonal", lambda a: linalg.diagonal(a, offset=1), STACK),
    ("trace", linalg.trace, STACK),
    ("vecdot", linalg.vecdot, cplx(3), cplx(2, 3)),
    ("matmul", linalg.matmul, A, B),
    ("matrix_transpose", linalg.matrix_transpose, STACK),
    ("tensordot", lambda a, b: linalg.tensordot(a, b, axes=1), A, B),
]  # fmt: skip


@pytest.mark.parametrize("case", SMOOTH, ids=case_id)
def test_values(case):
    agrees(case[1], *case[2:], rtol=1e-11)


@pytest.mark.parametrize("case", SMOOTH, ids=case_id)
def test_derivatives(case):
    at.testing.check_grads(case[1], case[2:], order=2, atol=1e-4, rtol=1e-4)


#: Functions whose results NumPy does not give as they are traced, and what they are to be.
OTHERWISE = [
    ("eig", lambda a: linalg.eig(a), lambda a: tuple(x + 0j for x in linalg.eig(a)), A),
    ("eig of a stack", lambda a: linalg.eigvals(a), lambda a: linalg.eigvals(a) + 0j, STACK),
    ("eig, real", lambda a: linalg.eig(a), lambda a: tuple(x + 0j for x in linalg.eig(a)), S),
    ("rank", linalg.matrix_rank, lambda a: np.asarray(linalg.matrix_rank(a)), A[:, :1] @ A[:1]),
    ("rank, rtol", lambda a: linalg.matrix_rank(a, rtol=0.5), None, STACK),
    ("rank, tol", lambda a: linalg.matrix_rank(a, tol=2.0, hermitian=True), None, S),
    ("rank of a vector", linalg.matrix_rank, lambda a: np.int64(linalg.matrix_rank(a)), A[0]),
    ("lstsq, rank", lambda a, b: linalg.lstsq(a, b)[2], None, TALL, real(4)),
    ("matrix_power 0", lambda a: linalg.matrix_power(a, 0), None, np.arange(18).reshape(2, 3, 3)),
    ("matrix_power of integers", lambda a: linalg.matrix_power(a, 3), None,
     np.arange(9).reshape(3, 3)),
]  # fmt: skip


@pytest.mark.parametrize("case", OTHERWISE, ids=case_id)
def test_other_values(case):
    _, function, right, *args = case
    expected = (right or function)(*args)
    found = at.jit(function)(*args)
    for x, y in zip(at.tree.leaves(found), at.tree.leaves(expected), strict=True):
        assert np.shape(x) == np.shape(y) and x.dtype == np.asarray(y).dtype
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("a", [A, S, cplx(3, 3), STACK], ids=["mixed", "real", "complex", "stack"])
def test_eigenvectors_derive(a):
    """To second order, and as what LAPACK does: lengths of 1, largest elements real.

    Between nearby matrices LAPACK may change the order of eigenvalues and the sign of a vector, so
    differences are taken of eigenvalues in the order of those at ``a``, and of vectors whose
    largest element, there, is positive.
    """
    w, v = linalg.eig(a)
    largest = np.argmax(np.abs(v), axis=-2, keepdims=True)

    def ordered(x):
        values, vectors = linalg.eig(x)
        order = np.argmin(np.abs(values[..., None, :] - w[..., :, None]), axis=-1)
        vectors = np.take_along_axis(vectors, order[..., None, :], axis=-1)
        pivots = np.take_along_axis(vectors, largest, axis=-2)
        return np.take_along_axis(values, order, axis=-1), vectors * (np.abs(pivots) / pivots)

    at.testing.check_grads(ordered, (a,), order=2, atol=1e-4, rtol=1e-4)

    def tangent(x):
        return at.jvp(lambda x: linalg.eig(x)[1], (x,), (np.cos(a),))[1]

    t, tt = at.jvp(tangent, (a,), (np.sin(a),))
    for change in (t, tt):
        np.testing.assert_allclose(np.take_along_axis(change, largest, -2).imag, 0, atol=1e-8)
    np.testing.assert_allclose(np.sum(np.conj(v) * t, axis=-2).real, 0, atol=1e-10)


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (2, 4)])
def test_complex_vectors_derive(shape):
    """Up to phases, which are not determined."""
    x = cplx(*shape)

    def projections(x):
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        first = np.outer(u[:, 0], np.conj(u[:, 0])), np.outer(np.conj(vh[1]), vh[1])
        return *first, u @ (s[:, None] ** 2 * vh)

    derives(projections, x)
    h = symmetric(3, 3, make=cplx)

    def power(h):
        w, v = np.linalg.eigh(h)
        return v @ (np.exp(w)[:, None] * np.conj(v.T))

    derives(power, h)


SINGLE = [
    ("cholesky", linalg.cholesky, P),
    ("solve", linalg.solve, A, B),
    ("det", linalg.det, A),
    ("slogdet", lambda a: linalg.slogdet(a), A),
    ("qr", lambda a: linalg.qr(a), A),
    ("svd", lambda a: linalg.svd(a), A),
    ("eigh", lambda a: linalg.eigh(a), S),
    ("eigvals", lambda a: linalg.eigvals(a), A),
    ("pinv", linalg.pinv, A),
    ("norm", lambda a: linalg.norm(a, 2), A),
    ("lstsq", lambda a: linalg.lstsq(a, a)[0], A),
    ("rank", linalg.matrix_rank, A),
]


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
@pytest.mark.parametrize("case", SINGLE, ids=case_id)
def test_single_precision(case, dtype):
    _, function, *args = case
    args = [a.astype(dtype) for a in args]
    found, expected = at.tree.leaves(at.jit(function)(*args)), at.tree.leaves(function(*args))
    for x, y in zip(found, expected, strict=True):
        wanted = np.asarray(y).dtype
        assert x.dtype == (np.complex64 if case[0] == "eigvals" else wanted)
        np.testing.assert_allclose(x, y, rtol=2e-3, atol=2e-3)


def test_integers_are_floats():
    a = np.array([[2, 1], [1, 3]])
    for function in (linalg.cholesky, linalg.inv, linalg.det, linalg.eigvalsh, linalg.norm):
        same(at.jit(function)(a), function(a), 1e-14)
    same(at.jit(linalg.solve)(a, a[0]), linalg.solve(a, a[0]), 1e-14)


EMPTY = [
    ("cholesky", linalg.cholesky, (0, 0)),
    ("inv", linalg.inv, (2, 0, 0)),
    ("det", linalg.det, (0, 0)),
    ("slogdet", lambda a: linalg.slogdet(a), (0, 3, 3)),
    ("solve", lambda a: linalg.solve(a, a), (0, 0)),
    ("qr", lambda a: linalg.qr(a), (0, 3)),
    ("svd", lambda a: linalg.svd(a), (0, 2)),
    ("eigh", lambda a: linalg.eigh(a), (0, 0)),
    ("pinv", linalg.pinv, (0, 2)),
    ("norm", linalg.norm, (0, 2)),
]


@pytest.mark.parametrize("case", EMPTY, ids=case_id)
def test_empty_matrices(case):
    x = np.zeros(case[2])
    found, expected = at.tree.leaves(at.jit(case[1])(x)), at.tree.leaves(case[1](x))
    for out, want in zip(found, expected, strict=True):
        same(out, np.asarray(want)[()])


def test_results_have_names():
    shown = at.jit(lambda a: linalg.slogdet(a))(A)
    assert shown._fields == linalg.slogdet(A)._fields
    assert at.jit(lambda a: linalg.svd(a))(A).Vh.shape == (3, 3)
    assert at.jit(lambda a: linalg.qr(a))(A).R.shape == (3, 3)
    assert at.jit(lambda a: linalg.eigh(a))(S).eigenvalues.shape == (3,)


def test_only_the_triangle_that_is_read_has_a_gradient():
    for function, upper in (
        (linalg.cholesky, False),
        (lambda a: linalg.cholesky(a, upper=True), True),
        (linalg.eigvalsh, False),
        (lambda a: linalg.eigvalsh(a, "U"), True),
    ):
        gradient = at.grad(lambda a, f=function: np.sum(f(a) * np.arange(3.0)))(P)
        outside = np.tril(gradient, -1) if upper else np.triu(gradient, 1)
        np.testing.assert_array_equal(outside, 0)
        assert np.all(np.diag(gradient) != 0)


def test_gradient_of_the_determinant_of_singular_matrices():
    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_allclose(at.grad(linalg.det)(a), [[4, -2], [-2, 1]], atol=1e-14)
    np.testing.assert_allclose(at.grad(linalg.det)(np.zeros((3, 3))), np.zeros((3, 3)))


def test_gradients_where_values_coincide():
    """Eigenvalues and singular values have one, their vectors have not."""
    a = np.diag([1.0, 1.0, 2.0])
    np.testing.assert_allclose(at.grad(lambda x: np.sum(linalg.eigvalsh(x)))(a), np.eye(3))
    np.testing.assert_allclose(at.grad(lambda x: linalg.norm(x, "nuc"))(a), np.eye(3))
    vectors = at.grad(lambda x: np.sum(linalg.eigh(x)[1]))(a)
    assert not np.isfinite(vectors).all()


@pytest.mark.parametrize("order", [2, 3, 1.5])
def test_gradients_of_vector_norms_at_their_kink(order):
    x = np.array([[0.0, 0.0], [3.0, 0.0]])
    slope = at.grad(lambda x: np.sum(linalg.norm(x, order, axis=1)))(x)
    np.testing.assert_allclose(slope, [[0, 0], [1, 0]], rtol=1e-14)


def test_assignment_to_results():
    def f(a):
        q, r = linalg.qr(a)
        r[0, 0] = 1.0
        return q @ r

    same(at.jit(f)(A), f(A), 1e-13)


ERRORS = [
    ("cholesky", linalg.cholesky, -P, "not positive definite"),
    ("cholesky, not square", linalg.cholesky, TALL, "square"),
    ("solve", lambda a: linalg.solve(a, a), np.ones((3, 3)), "Singular"),
    ("inv", linalg.inv, np.zeros((2, 2)), "Singular"),
    ("inv, not square", linalg.inv, TALL, "square"),
    ("det of a vector", linalg.det, A[0], "matrix"),
    ("eigh, not square", linalg.eigvalsh, TALL, "square"),
    ("eig of NaN", linalg.eigvals, np.full((2, 2), np.nan), ""),
    ("lstsq", lambda a: linalg.lstsq(a, np.ones(7)), TALL, "Incompatible"),
    ("tensorsolve", lambda a: linalg.tensorsolve(a, np.ones(4)), real(4, 5), "tensorsolve"),
    ("cond of nothing", linalg.cond, np.zeros((0, 0)), "empty"),
]


@pytest.mark.parametrize("case", ERRORS, ids=case_id)
def test_errors_are_those_of_numpy(case):
    _, function, x, message = case
    with pytest.raises(linalg.LinAlgError):
        function(x)

    def f(a):
        return function(a)

    for call in (at.jit(f), at.jit(f, backend="numpy"), lambda a: at.vmap(f)(a[None])):
        with pytest.raises(linalg.LinAlgError, match=rf"(?s){message}.*test_linalg\.py:\d+ \([f<]"):
            call(x)


def test_one_matrix_for_a_batch_is_factored_once():
    many = real(4, 3)
    jaxpr = at.make_jaxpr(at.vmap(lambda b: linalg.solve(A, b)), simplify=True)(many)
    assert "lu" in str(jaxpr) and "f64[4,3,3]" not in str(jaxpr)
    same(at.vmap(lambda b: linalg.solve(A, b))(many), linalg.solve(A, many.T).T, 1e-13)


def test_import_does_not_load_scipy():
    code = (
        "import sys, numpy as np, autotrace.numpy.linalg as la;"
        "la.solve(np.eye(2), np.ones(2)); assert 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names():
    assert set(linalg.__all__) - {"LinAlgError"} <= set(dir(anp.linalg))
    same(anp.linalg.cholesky(P), linalg.cholesky(P))
