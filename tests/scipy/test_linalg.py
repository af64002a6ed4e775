"""scipy.linalg on traced values: values and types against SciPy's, derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as sla
from numpy_checks import case_id

import autotrace as at
from autotrace.scipy import linalg

rng = np.random.default_rng(0)


def real(*shape):
    return rng.normal(size=shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def positive(n, make=real):
    x = make(n, n)
    return x @ np.conj(x.T) + n * np.eye(n)


def symmetric(n, make=real):
    x = make(n, n)
    return x + np.conj(x.T)


A, B, TALL, P, S = real(3, 3), real(3, 2), real(4, 3), positive(3), symmetric(3)
#: Eigenvalues in the right half plane, for logarithms and roots.
R = np.eye(3) * 4 + real(3, 3)
BANDS = real(4, 5) + np.array([[0.0], [0.0], [6.0], [0.0]])
H_BANDS = real(3, 5) + np.array([[0.0], [0.0], [6.0]])


def lower_of(c):
    return np.tril(c[0]), c[1]


#: Name, function of a namespace and arrays, the arrays: values are compared, and derivatives
#: checked to second order.
SMOOTH = [
    ("cholesky", lambda la, a: la.cholesky(a), P),
    ("cholesky, lower", lambda la, a: la.cholesky(a, lower=True), positive(3, cplx)),
    ("cho_solve", lambda la, a, b: la.cho_solve(la.cho_factor(a), b), P, B),
    ("cho_solve, lower", lambda la, a, b: la.cho_solve(la.cho_factor(a, True), b),
     positive(3, cplx), real(3)),
    ("lu", lambda la, a: la.lu(a)[1:], A),
    ("lu of tall ones", lambda la, a: la.lu(a, permute_l=True), TALL),
    ("lu of a stack", lambda la, a: la.lu(a, permute_l=True), real(2, 2, 3)),
    ("lu_factor", lambda la, a: la.lu_factor(a)[0], A),
    *[(f"lu_solve {t}", lambda la, a, b, t=t: la.lu_solve(la.lu_factor(a), b, t), cplx(3, 3), B)
      for t in (0, 1, 2)],
    ("solve", lambda la, a, b: la.solve(a, b), A, B),
    ("solve, transposed", lambda la, a, b: la.solve(a, b, transposed=True), A, real(3)),
    *[(f"solve {kind}", lambda la, a, b, k=kind: la.solve(a, b, assume_a=k), P, B)
      for kind in ("gen", "sym", "pos", "her")],
    ("solve pos, lower", lambda la, a, b: la.solve(a, b, True, assume_a="pos"), P, B),
    ("solve her, complex", lambda la, a, b: la.solve(a, b, assume_a="her"), symmetric(3, cplx), B),
    ("solve_triangular", lambda la, a, b: la.solve_triangular(a, b), R, B),
    *[(f"solve_triangular {t}", lambda la, a, b, t=t: la.solve_triangular(a, b, t, lower=True),
       R + 1j * A, real(3)) for t in (1, "C")],
    ("solve_triangular, unit",
     lambda la, a, b: la.solve_triangular(a, b, lower=True, unit_diagonal=True), A, B),
    ("solve_banded", lambda la, ab, b: la.solve_banded((1, 2), ab, b), BANDS, real(5, 2)),
    ("solve_banded of a vector", lambda la, ab, b: la.solve_banded((1, 2), ab, b), BANDS + 0j,
     real(5)),
    ("solveh_banded", lambda la, ab, b: la.solveh_banded(ab, b), H_BANDS, real(5)),
    ("solveh_banded, lower", lambda la, ab, b: la.solveh_banded(ab, b, lower=True),
     H_BANDS[::-1] + 0.1j * real(3, 5) * [[0], [1], [1]], real(5, 2)),
    ("solve_toeplitz", lambda la, c, b: la.solve_toeplitz(c, b), R[0], real(3)),
    ("solve_toeplitz of two", lambda la, c, r, b: la.solve_toeplitz((c, r), b), R[0], A[0], B),
    ("matmul_toeplitz", lambda la, c, x: la.matmul_toeplitz(c, x), R[0], B),
    ("solve_circulant", lambda la, c, b: la.solve_circulant(c, b), R[0], B),
    ("solve_sylvester", lambda la, a, b, q: la.solve_sylvester(a, b, q), R, positive(2), B),
    ("solve_lyapunov", lambda la, a, q: la.solve_continuous_lyapunov(a, q), R + 1j * A, A),
    *[(f"solve_discrete_lyapunov {m}",
       lambda la, a, q, m=m: la.solve_discrete_lyapunov(a, q, m), A / 5, A)
      for m in (None, "bilinear")],
    *[(name, lambda la, a, b, q, r, name=name: getattr(la, name)(a, b, q + np.conj(q.T), r + r.T),
       A / 2 + 0.1j * A.T, B, P, positive(2)) for name in ("solve_continuous_are",
                                                           "solve_discrete_are")],
    ("inv", lambda la, a: la.inv(a), A),
    ("det", lambda la, a: la.det(a), A),
    ("norm", lambda la, a: la.norm(a, 2), A),
    ("pinv", lambda la, a: la.pinv(a), TALL),
    ("pinv, cut", lambda la, a: la.pinv(a, atol=1e-3), TALL),
    ("pinvh", lambda la, a: la.pinvh(a), S),
    ("lstsq", lambda la, a, b: la.lstsq(a, b)[:2], TALL, real(4, 2)),
    ("lstsq of a vector", lambda la, a, b: la.lstsq(a, b)[:2], TALL, real(4)),
    ("qr", lambda la, a: la.qr(a), A),
    ("qr, economic", lambda la, a: la.qr(a, mode="economic"), TALL),
    ("qr, r", lambda la, a: la.qr(a, mode="r"), A),
    ("svd", lambda la, a: la.svd(a, full_matrices=False), TALL),
    ("svdvals", lambda la, a: la.svdvals(a), TALL),
    ("polar", lambda la, a: la.polar(a), A),
    ("polar, left", lambda la, a: la.polar(a, "left"), cplx(2, 3)),
    ("polar of tall ones", lambda la, a: la.polar(a), cplx(3, 2)),
    ("polar of wide ones", lambda la, a: la.polar(a), real(2, 3)),
    ("polar of equal singular values", lambda la, a: la.polar(a), np.array([[0.0, 2], [-2, 0]])),
    ("orthogonal_procrustes", lambda la, a, b: la.orthogonal_procrustes(a, b), A, real(3, 3)),
    ("eigh", lambda la, a: la.eigh(a)[1] ** 2, S),
    ("eigh, part", lambda la, a: la.eigh(a, subset_by_index=[1, 2])[1] ** 2, S),
    *[(f"eigh {kind}", lambda la, a, b, k=kind: la.eigh(a, b, type=k)[1] ** 2, S, P)
      for kind in (1, 2, 3)],
    ("eigvalsh, upper", lambda la, a, b: la.eigvalsh(a, b, lower=False), S, P),
    ("eigh_tridiagonal", lambda la, d, e: la.eigh_tridiagonal(d, e, True), real(4), real(3)),
    ("eigvalsh_tridiagonal",
     lambda la, d, e: la.eigvalsh_tridiagonal(d, e, select="i", select_range=(0, 1)),
     real(4), real(3)),
    ("eigvals_banded", lambda la, ab: la.eigvals_banded(ab), H_BANDS),
    ("eigvals_banded, lower", lambda la, ab: la.eigvals_banded(ab, lower=True), H_BANDS[::-1]),
    ("expm", lambda la, a: la.expm(a), A),
    ("expm of a stack", lambda la, a: la.expm(a), real(2, 2, 2)),
    ("expm_frechet", lambda la, a, e: la.expm_frechet(a, e), A[:2, :2], B[:2]),
    ("sqrtm", lambda la, a: la.sqrtm(a) + 0j, R),
    ("logm", lambda la, a: la.logm(a) + 0j, R[:2, :2]),
    ("cosm", lambda la, a: la.cosm(a), A[:2, :2]),
    ("sinm", lambda la, a: la.sinm(a), cplx(2, 2)),
    ("tanm", lambda la, a: la.tanm(a), A[:2, :2] / 3),
    ("coshm", lambda la, a: la.coshm(a), A[:2, :2]),
    ("sinhm", lambda la, a: la.sinhm(a), A[:2, :2]),
    ("tanhm", lambda la, a: la.tanhm(a), A[:2, :2]),
    ("funm", lambda la, a: la.funm(a, lambda w: np.sin(w)) + 0j, R),
    ("fractional_matrix_power", lambda la, a: la.fractional_matrix_power(a, 0.3) + 0j, R),
    ("fractional_matrix_power 2", lambda la, a: la.fractional_matrix_power(a, -2), R),
    ("toeplitz", lambda la, c: la.toeplitz(c), cplx(3)),
    ("toeplitz of two", lambda la, c, r: la.toeplitz(c, r), real(3), real(4)),
    ("circulant", lambda la, c: la.circulant(c), real(4)),
    ("hankel", lambda la, c: la.hankel(c), real(3)),
    ("hankel of two", lambda la, c, r: la.hankel(c, r), real(3), real(4)),
    ("companion", lambda la, a: la.companion(a), 2 + real(4)),
    ("leslie", lambda la, f, s: la.leslie(f, s), real(3), real(2)),
    ("fiedler", lambda la, a: la.fiedler(a), real(4)),
    *[(f"convolution_matrix {m}", lambda la, a, m=m: la.convolution_matrix(a, 4, mode=m), real(k))
      for m, k in (("full", 3), ("valid", 3), ("same", 3), ("same", 6), ("valid", 6))],
    ("khatri_rao", lambda la, a, b: la.khatri_rao(a, b), real(2, 3), real(4, 3)),
    ("block_diag", lambda la, a, b, c: la.block_diag(a, b, c), A, B, real(2)),
]  # fmt: skip


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
