"""scipy.linalg on traced values: values and types against SciPy's, derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as sla
from linalg_cases import SMOOTH, TALL, A, B, P, cplx
from numpy_checks import case_id

import autotrace as at
from autotrace.scipy import linalg


def close(found, expected, tolerance=1e-9):
    found, expected = at.tree.leaves(found), at.tree.leaves(expected)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", SMOOTH, ids=case_id)
def test_values(case):
    _, function, *args = case
    expected = function(sla, *args)
    close(at.jit(lambda *xs: function(linalg, *xs))(*args), expected)
    close(function(linalg, *args), expected)
    stacked = at.vmap(lambda *xs: function(linalg, *xs))(*[np.stack([x, x]) for x in args])
    close([x[1] for x in at.tree.leaves(stacked)], at.tree.leaves(expected))


@pytest.mark.parametrize("case", SMOOTH, ids=case_id)
def test_derivatives(case):
    name, function, *args = case
    order = 1 if name in ("logm", "tanm") else 2
    options = {"order": order, "atol": 1e-4, "rtol": 1e-4}
    at.testing.check_grads(lambda *xs: function(linalg, *xs), args, **options)


def test_values_without_derivatives():
    close(at.jit(linalg.schur)(A), sla.schur(A))
    close(at.jit(lambda a: linalg.schur(a, "complex"))(A), sla.schur(A, "complex"))
    close(at.jit(lambda a: linalg.hessenberg(a, calc_q=True))(A), sla.hessenberg(A, calc_q=True))
    close(at.jit(linalg.hessenberg)(A), sla.hessenberg(A))
    close(at.jit(linalg.lu)(TALL), sla.lu(TALL))
    t, z = at.jit(linalg.rsf2csf)(*sla.schur(A))
    np.testing.assert_allclose(z @ t @ np.conj(z.T), A, atol=1e-12)
    p, lower, upper = at.jit(lambda a: linalg.lu(a, p_indices=True))(TALL)
    np.testing.assert_allclose(lower[p] @ upper, TALL, atol=1e-14)
    rank = at.jit(lambda a: linalg.pinv(a, return_rank=True))(A[:, :1] @ A[:1])[1]
    assert rank == 1
    with pytest.raises(at.NonDifferentiableError, match=r"(?s)schur.*stop_gradient"):
        at.grad(lambda a: np.sum(linalg.schur(a)[0]))(A)


def test_eig():
    a, b = cplx(3, 3), cplx(3, 3)
    w, left, right = at.jit(lambda a, b: linalg.eig(a, b, left=True))(a, b)
    np.testing.assert_allclose(a @ right, b @ right * w, atol=1e-12)
    np.testing.assert_allclose(np.conj(left.T) @ a, w[:, None] * (np.conj(left.T) @ b), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(left, axis=0), 1)
    wanted = sla.eigvals(a, b)
    found = at.jit(linalg.eigvals)(a, b)
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(wanted), atol=1e-12)
    # Their order is not SciPy's.
    at.testing.check_grads(
        lambda a, b: np.sum(linalg.eigvals(a, b) ** 3), (a, b), order=2, atol=1e-4, rtol=1e-4
    )


def test_spaces_whose_size_depends_on_the_values():
    x = np.outer([1.0, 2.0, 3.0], [1.0, 1.0]) + np.outer([0, 1.0, 0], [0, 1e-20])
    for function in (linalg.null_space, linalg.orth):
        found, wanted = at.jit(function)(x), getattr(sla, function.__name__)(x)
        np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-12)
    found = at.jit(linalg.null_space)(np.outer([1.0, 2.0], [1.0, 2.0, 3.0]))
    assert found.shape == (3, 2)


def test_square_roots_of_real_matrices_are_complex():
    assert at.jit(linalg.sqrtm)(P).dtype == np.complex128
    assert at.jit(linalg.logm)(P.astype(np.float32)).dtype == np.complex64
    gradient = at.grad(lambda a: np.sum(linalg.sqrtm(a).real))(P)
    assert gradient.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision(dtype):
    a, b = P.astype(dtype), B.astype(dtype)
    for function in (
        lambda la: lambda a, b: la.cho_solve(la.cho_factor(a), b),
        lambda la: lambda a, b: la.solve(a, b),
        lambda la: lambda a, b: la.expm(a / 10) @ b,
        lambda la: lambda a, b: la.solve_triangular(a, b),
    ):
        close(at.jit(function(linalg))(a, b), function(sla)(a, b), 1e-4)


ERRORS = [
    ("cholesky", lambda a: linalg.cholesky(a), -P, np.linalg.LinAlgError),
    ("solve_triangular", lambda a: linalg.solve_triangular(a, a), np.zeros((2, 2)),
     np.linalg.LinAlgError),
    ("solve", lambda a: linalg.solve(a, np.ones(2)), np.ones((2, 2)), np.linalg.LinAlgError),
    ("solve of another shape", lambda a: linalg.solve(a, np.ones(7)), A, ValueError),
    ("solve by what", lambda a: linalg.solve(a, a, assume_a="what"), A, ValueError),
    ("solve_banded", lambda a: linalg.solve_banded((1, 2), a, np.ones(5)), np.zeros((4, 5)),
     np.linalg.LinAlgError),
    ("solve_banded of other bands", lambda a: linalg.solve_banded((1, 1), a, np.ones(5)),
     np.zeros((4, 5)), ValueError),
    ("qr with pivoting", lambda a: linalg.qr(a, pivoting=True), A, TypeError),
    ("eigh of some values", lambda a: linalg.eigh(a, subset_by_value=[0, 1]), A, TypeError),
    ("unknown argument", lambda a: linalg.inv(a, unknown=1), A, TypeError),
]  # fmt: skip


@pytest.mark.parametrize("case", ERRORS, ids=case_id)
def test_errors(case):
    _, function, x, kind = case
    for call in (at.jit(function), at.jit(function, backend="numpy")):
        with pytest.raises(kind) as caught:
            call(x)
        if case[0] != "unknown argument":
            assert "test_linalg.py" in str(caught.value)


def test_what_is_scipys_own():
    assert linalg.hilbert is sla.hilbert
    assert linalg.LinAlgError is np.linalg.LinAlgError
    np.testing.assert_array_equal(linalg.toeplitz([1, 2], [1, 3]), sla.toeplitz([1, 2], [1, 3]))
    for name in linalg.__all__:
        assert hasattr(sla, name)
