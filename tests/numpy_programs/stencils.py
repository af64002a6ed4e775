"""Differential equations in space and time, by slices and loops over a grid."""

import numpy as np

from .program import Program

rng = np.random.default_rng(1)


def heat(u0, kappa, dx, dt, steps):
    """Heat equation in one dimension, explicit, in place."""
    u = u0.copy()
    r = kappa * dt / dx**2
    for _ in range(steps):
        u[1:-1] += r * (u[2:] - 2 * u[1:-1] + u[:-2])
        u[0] = u[1]
        u[-1] = u[-2]
    return u


def crank_nicolson(u0, alpha, dx, dt, steps):
    """Heat equation by Crank-Nicolson with a tridiagonal solver."""
    n = len(u0)
    r = alpha * dt / (2 * dx * dx)
    u = np.copy(u0)
    c = np.empty(n)
    d = np.empty(n)
    for _ in range(steps):
        rhs = u.copy()
        rhs[1:-1] = r * u[:-2] + (1 - 2 * r) * u[1:-1] + r * u[2:]
        c[0] = 0.0
        d[0] = rhs[0]
        for i in range(1, n - 1):
            m = 1 + 2 * r + r * c[i - 1]
            c[i] = -r / m
            d[i] = (rhs[i] + r * d[i - 1]) / m
        u[-1] = rhs[-1]
        for i in range(n - 2, -1, -1):
            u[i] = d[i] - c[i] * u[i + 1]
    return u


def fdtd_1d(eps, source, steps):
    """Maxwell's equations in one dimension (FDTD) with a hard source."""
    n = eps.shape[0]
    ez = np.zeros(n)
    hy = np.zeros(n)
    probe = np.zeros(steps)
    for t in range(steps):
        hy[:-1] += 0.5 * (ez[1:] - ez[:-1])
        ez[1:] += 0.5 / eps[1:] * (hy[1:] - hy[:-1])
        ez[n // 4] = source[t]
        probe[t] = ez[3 * n // 4]
    return probe, ez


def fdtd_2d(eps, source, steps):
    """Maxwell's equations in two dimensions (FDTD, TM)."""
    nx, ny = eps.shape
    ez = np.zeros((nx, ny))
    hx = np.zeros((nx, ny - 1))
    hy = np.zeros((nx - 1, ny))
    for t in range(steps):
        hx -= 0.5 * (ez[:, 1:] - ez[:, :-1])
        hy += 0.5 * (ez[1:, :] - ez[:-1, :])
        curl = hy[1:, 1:-1] - hy[:-1, 1:-1] - hx[1:-1, 1:] + hx[1:-1, :-1]
        ez[1:-1, 1:-1] += 0.5 / eps[1:-1, 1:-1] * curl
        ez[nx // 2, ny // 2] += source[t]
    return np.sum(ez**2), ez


def jacobi_poisson(f, h, tol, maxiter=400):
    """Poisson's equation on a square by Jacobi iteration, until it converges."""
    u = np.zeros_like(f)
    it = 0
    while it < maxiter:
        new = u.copy()
        new[1:-1, 1:-1] = 0.25 * (
            u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - h * h * f[1:-1, 1:-1]
        )
        err = np.abs(new - u).max()
        u = new
        it += 1
        if err < tol:
            break
    return u, it


def gauss_seidel(A, b, tol, maxiter=200):
    """A linear system by Gauss-Seidel iteration."""
    n = len(b)
    x = np.zeros(n)
    for _ in range(maxiter):
        delta = 0.0
        for i in range(n):
            new = (b[i] - A[i, :i] @ x[:i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
            delta = max(delta, abs(new - x[i]))
            x[i] = new
        if delta < tol:
            break
    return x


def perona_malik(img, kappa, lam, steps):
    """Anisotropic diffusion of an image (Perona and Malik)."""
    u = img.astype(float)
    for _ in range(steps):
        dn = np.zeros_like(u)
        ds = np.zeros_like(u)
        de = np.zeros_like(u)
        dw = np.zeros_like(u)
        dn[1:, :] = u[:-1, :] - u[1:, :]
        ds[:-1, :] = u[1:, :] - u[:-1, :]
        de[:, :-1] = u[:, 1:] - u[:, :-1]
        dw[:, 1:] = u[:, :-1] - u[:, 1:]
        for d in (dn, ds, de, dw):
            d *= np.exp(-((d / kappa) ** 2))
        u += lam * (dn + ds + de + dw)
    return u


def burgers(u0, dx, t_end, cfl=0.5):
    """Burgers' equation, Godunov's flux, time steps chosen by the fastest wave."""
    u = u0.copy()
    t = 0.0
    steps = 0
    while t < t_end:
        dt = cfl * dx / np.max(np.abs(u))
        if t + dt > t_end:
            dt = t_end - t
        left, right = u[:-1], u[1:]
        shock = np.where(left + right > 0, 0.5 * left**2, 0.5 * right**2)
        fan = np.where(left > 0, 0.5 * left**2, np.where(right < 0, 0.5 * right**2, 0.0))
        flux = np.where(left > right, shock, fan)
        u[1:-1] -= dt / dx * (flux[1:] - flux[:-1])
        t += dt
        steps += 1
    return u, steps


def gray_scott(u, v, feed, kill, steps):
    """Reaction and diffusion of two substances on a torus (Gray and Scott)."""

    def laplacian(z):
        return np.roll(z, 1, 0) + np.roll(z, -1, 0) + np.roll(z, 1, 1) + np.roll(z, -1, 1) - 4 * z

    u, v = u.copy(), v.copy()
    for _ in range(steps):
        uvv = u * v * v
        u += 0.16 * laplacian(u) - uvv + feed * (1 - u)
        v += 0.08 * laplacian(v) + uvv - (feed + kill) * v
    return u, v


def game_of_life(board, generations):
    """Conway's game of life on a torus."""
    board = board.copy()
    for _ in range(generations):
        neighbours = np.zeros(board.shape, dtype=int)
        for di in (-1, 0, 1):
            for dj in (-1, 0, 1):
                if di != 0 or dj != 0:
                    neighbours += np.roll(np.roll(board, di, axis=0), dj, axis=1)
        birth = (neighbours == 3) & (board == 0)
        survive = ((neighbours == 2) | (neighbours == 3)) & (board == 1)
        board[...] = 0
        board[birth | survive] = 1
    return board


def _conductor(n):
    return np.eye(n) * 4 + rng.normal(size=(n, n)) * 0.2


_square = rng.normal(size=(12, 12))
_spot = np.zeros((24, 24))
_spot[10:14, 9:13] = 0.5

PROGRAMS = [
    Program(
        heat,
        (rng.normal(size=200), 0.7, 1.0, 0.5, 40),
        (rng.normal(size=200), 0.3, 0.9, 0.4, 40),
        wrt=(0, 1),
    ),
    Program(
        crank_nicolson,
        (rng.normal(size=16), 0.7, 0.5, 0.1, 5),
        (rng.normal(size=16), 0.2, 0.4, 0.2, 5),
        wrt=(0, 1),
    ),
    Program(
        fdtd_1d,
        (rng.uniform(1, 2, size=120), np.sin(0.3 * np.arange(60)), 60),
        (rng.uniform(1, 3, size=120), np.cos(0.2 * np.arange(60)), 60),
        wrt=(0, 1),
    ),
    Program(
        fdtd_2d,
        (rng.uniform(1, 2, size=(40, 36)), np.sin(0.3 * np.arange(10)), 10),
        (rng.uniform(1, 2, size=(40, 36)), np.cos(0.2 * np.arange(10)), 10),
        wrt=(0, 1),
    ),
    Program(jacobi_poisson, (_square, 0.1, 1e-3), (3 * _square, 0.1, 1e-3), wrt=(0,)),
    Program(
        gauss_seidel,
        (_conductor(8), rng.normal(size=8), 1e-8),
        (_conductor(8) + 2 * np.eye(8), rng.normal(size=8), 1e-5),
        wrt=(0, 1),
    ),
    Program(
        perona_malik,
        (rng.normal(size=(30, 40)), 1.2, 0.2, 5),
        (rng.normal(size=(30, 40)), 0.8, 0.1, 5),
        wrt=(0, 1),
    ),
    Program(
        burgers,
        (1 + np.sin(0.13 * np.arange(100)), 0.1, 0.5),
        (0.4 + 0.7 * np.sin(0.11 * np.arange(100)), 0.1, 0.5),
        wrt=(0,),
    ),
    Program(
        gray_scott,
        (1 - _spot, _spot / 2, 0.035, 0.06, 8),
        (1 - _spot.T, _spot.T / 2, 0.03, 0.055, 8),
        wrt=(0, 2, 3),
    ),
    Program(
        game_of_life,
        (rng.integers(0, 2, size=(32, 32)), 4),
        (rng.integers(0, 2, size=(32, 32)), 4),
    ),
]
