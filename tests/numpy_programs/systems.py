"""Linear algebra by hand: factorizations, solvers, eigenvalues."""

import numpy as np

from .program import Program

rng = np.random.default_rng(2)


def gram_schmidt(A):
    """Orthonormal columns by modified Gram-Schmidt."""
    m, n = A.shape
    Q = np.zeros((m, n))
    R = np.zeros((n, n))
    for j in range(n):
        v = A[:, j].copy()
        for i in range(j):
            R[i, j] = Q[:, i] @ v
            v -= R[i, j] * Q[:, i]
        R[j, j] = np.linalg.norm(v)
        Q[:, j] = v / R[j, j]
    return Q, R


def cholesky(A):
    """Cholesky factor by loops."""
    n = A.shape[0]
    L = np.zeros_like(A)
    for i in range(n):
        for j in range(i + 1):
            s = 0.0
            for k in range(j):
                s += L[i, k] * L[j, k]
            if i == j:
                L[i, j] = np.sqrt(A[i, i] - s)
            else:
                L[i, j] = (A[i, j] - s) / L[j, j]
    return L


def lu(A):
    """LU factors without pivoting, in one matrix."""
    A = A.copy()
    n = A.shape[0]
    for k in range(n - 1):
        A[k + 1 :, k] /= A[k, k]
        A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k, k + 1 :])
    return A


def gauss_solve(A, b):
    """A linear system by Gaussian elimination with partial pivoting."""
    A = A.copy()
    b = b.copy()
    n = len(b)
    for k in range(n):
        p = k + np.argmax(np.abs(A[k:, k]))
        if p != k:
            A[[k, p]] = A[[p, k]]
            b[[k, p]] = b[[p, k]]
        for i in range(k + 1, n):
            m = A[i, k] / A[k, k]
            A[i, k:] -= m * A[k, k:]
            b[i] -= m * b[k]
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        x[i] = (b[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x


def conjugate_gradient(A, b, tol=1e-8):
    """Conjugate gradients until the residual is small."""
    x = np.zeros_like(b)
    r = b - A @ x
    p = r.copy()
    rs = r @ r
    for _ in range(len(b)):
        Ap = A @ p
        alpha = rs / (p @ Ap)
        x += alpha * p
        r -= alpha * Ap
        rs_new = r @ r
        if np.sqrt(rs_new) < tol:
            break
        p = r + (rs_new / rs) * p
        rs = rs_new
    return x


def power_iteration(A, tol=1e-9, maxiter=500):
    """The largest eigenvalue by power iteration."""
    v = np.ones(A.shape[0])
    lam = 0.0
    for _ in range(maxiter):
        w = A @ v
        new = np.linalg.norm(w)
        v = w / new
        if abs(new - lam) < tol * new:
            return new, v
        lam = new
    raise RuntimeError("no convergence")


def householder_qr(A):
    """QR factors by Householder reflections."""
    m, n = A.shape
    R = A.copy()
    Q = np.eye(m)
    for k in range(n):
        x = R[k:, k]
        v = x.copy()
        if x[0] >= 0:
            v[0] += np.linalg.norm(x)
        else:
            v[0] -= np.linalg.norm(x)
        v /= np.linalg.norm(v)
        R[k:, :] -= 2.0 * np.outer(v, v @ R[k:, :])
        Q[:, k:] -= 2.0 * np.outer(Q[:, k:] @ v, v)
    return Q[:, :n], R[:n]


def thomas(a, b, c, d):
    """A tridiagonal system by Thomas' algorithm."""
    n = len(d)
    cp = np.zeros(n)
    dp = np.zeros(n)
    cp[0] = c[0] / b[0]
    dp[0] = d[0] / b[0]
    for i in range(1, n):
        m = b[i] - a[i] * cp[i - 1]
        cp[i] = c[i] / m
        dp[i] = (d[i] - a[i] * dp[i - 1]) / m
    x = np.zeros(n)
    x[-1] = dp[-1]
    for i in reversed(range(n - 1)):
        x[i] = dp[i] - cp[i] * x[i + 1]
    return x


def jacobi_eigenvalues(A, tol=1e-9):
    """Eigenvalues of a matrix' symmetric part by Jacobi's rotations, largest entry first."""
    A = (A + A.T) / 2
    n = A.shape[0]
    while True:
        off = np.abs(A - np.diag(np.diag(A)))
        p, q = np.unravel_index(np.argmax(off), off.shape)
        if off[p, q] < tol:
            break
        theta = 0.5 * np.arctan2(2 * A[p, q], A[q, q] - A[p, p])
        c, s = np.cos(theta), np.sin(theta)
        J = np.eye(n)
        J[p, p] = J[q, q] = c
        J[p, q], J[q, p] = s, -s
        A = J.T @ A @ J
    return np.sort(np.diag(A))


def pagerank(links, damping=0.85, tol=1e-8):
    """PageRank of a graph, with pages that link nowhere."""
    n = links.shape[0]
    out = links.sum(axis=1)
    M = np.zeros((n, n))
    for i in range(n):
        if out[i] > 0:
            M[:, i] = links[i] / out[i]
        else:
            M[:, i] = 1.0 / n
    rank = np.full(n, 1.0 / n)
    while True:
        new = (1 - damping) / n + damping * (M @ rank)
        if np.abs(new - rank).sum() < tol:
            return new
        rank = new


def _positive_definite(n):
    A = rng.normal(size=(n, n))
    return A @ A.T + n * np.eye(n)


def _symmetric(n):
    A = rng.normal(size=(n, n))
    return A + A.T


def _links(n, density, dead):
    links = (rng.uniform(size=(n, n)) < density).astype(float)
    links[dead] = 0.0
    return links


PROGRAMS = [
    Program(gram_schmidt, (rng.normal(size=(12, 6)),), (rng.normal(size=(12, 6)),), wrt=(0,)),
    Program(cholesky, (_positive_definite(9),), (_positive_definite(9),), wrt=(0,)),
    Program(lu, (_positive_definite(20),), (_positive_definite(20),), wrt=(0,)),
    Program(
        gauss_solve,
        (rng.normal(size=(6, 6)), rng.normal(size=6)),
        (rng.normal(size=(6, 6)), rng.normal(size=6)),
        wrt=(0, 1),
    ),
    Program(
        conjugate_gradient,
        (_positive_definite(20), rng.normal(size=20)),
        (_positive_definite(20) + 100 * np.eye(20), rng.normal(size=20)),
        wrt=(0, 1),
    ),
    Program(
        power_iteration,
        (_positive_definite(10) + 20 * np.ones((10, 10)),),
        (_positive_definite(10) + 40 * np.ones((10, 10)),),
        wrt=(0,),
    ),
    Program(householder_qr, (rng.normal(size=(10, 5)),), (-rng.normal(size=(10, 5)),), wrt=(0,)),
    Program(
        thomas,
        tuple(rng.uniform(0, 1, size=30) + (3 if k == 1 else 0) for k in range(4)),
        tuple(rng.uniform(0, 1, size=30) + (4 if k == 1 else 0) for k in range(4)),
        wrt=(0, 1, 2, 3),
    ),
    Program(jacobi_eigenvalues, (_symmetric(4),), (_symmetric(4),), wrt=(0,)),
    Program(pagerank, (_links(12, 0.3, [2, 5]),), (_links(12, 0.4, [7]),)),
]
