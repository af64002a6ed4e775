"""Krylov methods against dense solutions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import autotrace as at
from autotrace.scipy.sparse.linalg import bicgstab, cg, gmres, jacobian_operator
from autotrace.testing import check_grads

N = 12
RNG = np.random.default_rng(0)
GENERAL = RNG.normal(size=(N, N)) + 6 * np.eye(N)
DEFINITE = GENERAL @ GENERAL.T + np.eye(N)
B = RNG.normal(size=N)
METHODS = {"cg": (cg, DEFINITE), "bicgstab": (bicgstab, GENERAL), "gmres": (gmres, GENERAL)}


@pytest.fixture(params=METHODS)
def method(request):
    solve, matrix = METHODS[request.param]
    return lambda *args, **options: solve(*args, **{"tol": 1e-12, **options}), matrix


def check(found, matrix, b, tolerance=1e-9):
    x, info = found
    assert info == 0
    np.testing.assert_allclose(matrix @ x, b, rtol=tolerance, atol=tolerance)


def test_matrices_and_functions(method):
    solve, matrix = method
    check(solve(matrix, B), matrix, B)
    check(solve(sp.csr_array(matrix), B), matrix, B)
    check(solve(lambda x: matrix @ x, B), matrix, B)
    check(at.jit(lambda b: solve(sp.csr_array(matrix), b))(B), matrix, B)
    jacobi = np.diag(1 / np.diag(matrix))
    check(solve(matrix, B, x0=np.ones(N), M=jacobi), matrix, B)
    check(solve(matrix, B, M=lambda r: r / np.diag(matrix)), matrix, B)


def test_dtypes(method):
    solve, matrix = method
    x, info = solve(matrix.astype(np.float32), B.astype(np.float32), tol=1e-5)
    assert x.dtype == np.float32 and info == 0
    np.testing.assert_allclose(x, np.linalg.solve(matrix, B), rtol=1e-2, atol=1e-4)
    assert solve(np.eye(3), np.arange(3))[0].dtype == np.float64
    hermitian = matrix + 1j * (GENERAL - GENERAL.T) / 9
    check(solve(hermitian, B + 1j), hermitian, B + 1j)


def test_derivatives(method):
    solve, matrix = method
    hermitian = matrix is DEFINITE

    def f(scale, b):  # of the matrix and of the right side
        scaled = scale[:, None] * matrix * scale if hermitian else scale[:, None] * matrix
        return solve(scaled, b)[0]

    # Not compiled: what there is to check is the rule, and the programs are large.
    with at.config.override("backend", "numpy"):
        check_grads(f, (np.linspace(1, 2, N), B), order=2 if hermitian else 1)
    gradient = at.jit(at.grad(lambda b: np.sum(solve(matrix, b)[0] ** 2)))(B)
    x = np.linalg.solve(matrix, B)
    np.testing.assert_allclose(gradient, np.linalg.solve(matrix.T, 2 * x), rtol=1e-7)
    jacobi = 1 / np.diag(matrix)
    preconditioned = at.grad(lambda b: np.sum(solve(matrix, b, M=lambda r: r * jacobi)[0] ** 2))(B)
    np.testing.assert_allclose(preconditioned, gradient, rtol=1e-7)


def test_complex_derivatives_of_cg():
    hermitian = DEFINITE + 1j * (GENERAL - GENERAL.T) / 9
    check_grads(lambda b: cg(hermitian, b, tol=1e-13)[0], (B + 1j,), order=1)


def test_batches(method):
    solve, matrix = method
    rows = np.stack([B, 2 * B, B[::-1]])
    x, info = at.vmap(lambda b: solve(matrix, b))(rows)
    assert (info == 0).all()
    np.testing.assert_allclose(x @ matrix.T, rows, rtol=1e-8, atol=1e-9)


def test_pytrees(method):
    solve, _ = method

    def apply(x):
        return {"u": 4 * x["u"] + x["v"].sum(), "v": 5 * x["v"] + x["u"].sum()}

    b = {"u": np.ones(2), "v": np.arange(6.0).reshape(2, 3)}
    x, info = solve(apply, b, x0=b)
    assert info == 0
    np.testing.assert_allclose(apply(x)["v"], b["v"], atol=1e-10)


def test_what_is_not_reached():
    assert cg(DEFINITE, B, maxiter=2)[1] == 2
    assert bicgstab(GENERAL, B, maxiter=1)[1] == 1
    assert gmres(GENERAL, B, tol=1e-14, restart=2, maxiter=2)[1] == 2
    assert bicgstab(np.array([[0.0, 1.0], [-1.0, 0.0]]), np.ones(2))[1] == -1  # it breaks down


def test_edges(method):
    solve, matrix = method
    x, info = solve(matrix, np.zeros(N), x0=np.ones(N), atol=1e-9)
    assert info == 0 and np.abs(x).max() < 1e-8
    assert solve(np.zeros((0, 0)), np.zeros(0))[0].shape == (0,)
    check(solve(np.array([[2.0]]), np.array([4.0])), np.array([[2.0]]), np.array([4.0]))


def test_restarts():
    x, info = gmres(GENERAL, B, tol=1e-10, restart=3)
    np.testing.assert_allclose(GENERAL @ x, B, atol=1e-8)
    assert info == 0


def test_errors(method):
    solve, matrix = method
    with pytest.raises(TypeError, match=r"matrix of shape \(3, 3\)"):
        solve(matrix, np.ones(3))
    with pytest.raises(TypeError, match="x0 must be like b"):
        solve(matrix, B, x0=np.ones(3))
    with pytest.raises(ValueError, match="restart"):
        gmres(matrix, B, restart=0)


def test_jacobian_operator():
    def f(x):
        return np.outer(x["a"], x["b"]).ravel()[1:]

    point = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0, 5.0])}
    flat, unravel = at.tree.ravel_pytree(point)
    dense = at.jacfwd(lambda v: f(unravel(v)))(flat)
    operator = jacobian_operator(f, point)
    assert operator.shape == (5, 5) and operator.dtype == np.float64
    np.testing.assert_allclose(operator @ np.eye(5), dense)
    np.testing.assert_allclose(operator.T @ np.eye(5), dense.T)
