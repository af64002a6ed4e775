"""``scipy.linalg``'s functions with matrices to test them with."""

from __future__ import annotations

import numpy as np

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
