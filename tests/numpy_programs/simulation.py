"""Simulations with given random numbers, and iterated maps."""

import numpy as np

from .program import Program

rng = np.random.default_rng(12)


def mandelbrot(c, maxiter):
    """Escape times of Mandelbrot's set."""
    z = np.zeros_like(c)
    count = np.zeros(c.shape, dtype=int)
    active = np.ones(c.shape, dtype=bool)
    for _ in range(maxiter):
        z[active] = z[active] ** 2 + c[active]
        active = active & (np.abs(z) <= 2)
        count[active] += 1
    return count


def mandelbrot_scalar(re, im, maxiter):
    """Escape time of one point of Mandelbrot's set."""
    x = y = 0.0
    for n in range(maxiter):
        if x * x + y * y > 4.0:
            return n
        x, y = x * x - y * y + re, 2 * x * y + im
    return maxiter


def reflected_walk(increments, low, high):
    """A random walk between two reflecting barriers."""
    x = 0.0
    path = np.zeros(len(increments) + 1)
    for i, dx in enumerate(increments):
        x += dx
        while x < low or x > high:
            if x < low:
                x = 2 * low - x
            if x > high:
                x = 2 * high - x
        path[i + 1] = x
    return path


def ising_energy(spins, coupling, field):
    """Energy and magnetization of an Ising lattice."""
    energy = 0.0
    n, m = spins.shape
    for i in range(n):
        for j in range(m):
            s = spins[i, j]
            neighbours = spins[(i + 1) % n, j] + spins[i, (j + 1) % m]
            energy += -coupling * s * neighbours - field * s
    return energy, spins.mean()


def ising_metropolis(spins, sites, uniforms, beta):
    """Metropolis steps on an Ising lattice, with given sites and uniform numbers."""
    spins = spins.copy()
    n, m = spins.shape
    accepted = 0
    for k in range(len(uniforms)):
        i, j = sites[k]
        total = (
            spins[(i + 1) % n, j]
            + spins[(i - 1) % n, j]
            + spins[i, (j + 1) % m]
            + spins[i, (j - 1) % m]
        )
        dE = 2 * spins[i, j] * total
        if dE <= 0 or uniforms[k] < np.exp(-beta * dE):
            spins[i, j] *= -1
            accepted += 1
    return spins, accepted


def metropolis_hastings(x0, steps, log_uniforms, scale):
    """A Markov chain of a distribution with two peaks, with given random numbers."""

    def log_density(x):
        return np.logaddexp(-0.5 * (x - 2) ** 2, -0.5 * (x + 2) ** 2)

    x = x0
    lp = log_density(x)
    chain = np.empty(len(steps))
    for i in range(len(steps)):
        proposal = x + scale * steps[i]
        lp_new = log_density(proposal)
        if log_uniforms[i] < lp_new - lp:
            x, lp = proposal, lp_new
        chain[i] = x
    return chain.mean(), chain


def percolation(open_sites):
    """Whether water flows through a lattice, by filling it step by step."""
    n, m = open_sites.shape
    wet = np.zeros((n, m), dtype=bool)
    wet[0] = open_sites[0]
    while True:
        spread = wet.copy()
        spread[1:] |= wet[:-1]
        spread[:-1] |= wet[1:]
        spread[:, 1:] |= wet[:, :-1]
        spread[:, :-1] |= wet[:, 1:]
        spread &= open_sites
        if (spread == wet).all():
            break
        wet = spread
    return wet[-1].any(), wet.sum()


def bootstrap(x, picks):
    """A bootstrap interval of the median, with given picks."""
    medians = np.zeros(len(picks))
    for b in range(len(picks)):
        medians[b] = np.median(x[picks[b]])
    medians.sort()
    return medians[int(0.05 * len(picks))], medians[int(0.95 * len(picks))]


def lyapunov(r, x0, n):
    """Lyapunov's exponent of the logistic map."""
    x = x0
    total = 0.0
    for _ in range(n):
        x = r * x * (1 - x)
        total += np.log(abs(r * (1 - 2 * x)))
    return total / n


def collatz(n):
    """Steps of Collatz' sequence."""
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n = n // 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


def queue(arrivals, services):
    """Waiting times at a counter, one customer after the other."""
    n = len(arrivals)
    start = np.zeros(n)
    end = np.zeros(n)
    start[0] = arrivals[0]
    end[0] = start[0] + services[0]
    for i in range(1, n):
        if arrivals[i] > end[i - 1]:
            start[i] = arrivals[i]
        else:
            start[i] = end[i - 1]
        end[i] = start[i] + services[i]
    wait = start - arrivals
    return wait.mean(), wait.max(), np.sum(wait > 0)


def forest_fire(trees, lightning, steps):
    """Fire that spreads through a forest from the places that lightning strikes."""
    state = trees.copy()  # 0: empty, 1: tree, 2: fire
    burnt = 0
    for t in range(steps):
        fire = state == 2
        near = np.zeros_like(fire)
        near[1:] |= fire[:-1]
        near[:-1] |= fire[1:]
        near[:, 1:] |= fire[:, :-1]
        near[:, :-1] |= fire[:, 1:]
        state[fire] = 0
        burnt += np.count_nonzero(fire)
        state[near & (state == 1)] = 2
        i, j = lightning[t]
        if state[i, j] == 1:
            state[i, j] = 2
    return state, burnt


_plane = np.linspace(-2, 0.6, 30) + 1j * np.linspace(-1.2, 1.2, 24)[:, None]

PROGRAMS = [
    Program(mandelbrot, (_plane, 12), (_plane * 0.7, 12)),
    Program(mandelbrot_scalar, (0.3, 0.5, 60), (-0.8, 0.5, 60)),
    Program(
        reflected_walk,
        (rng.normal(size=20), -1.5, 1.5),
        (rng.normal(size=20), -1.2, 1.0),
        wrt=(0, 1, 2),
    ),
    Program(
        ising_energy,
        (rng.choice([-1, 1], size=(8, 8)), 1.0, 0.1),
        (rng.choice([-1, 1], size=(8, 8)), 0.5, 0.3),
        wrt=(1, 2),
    ),
    Program(
        ising_metropolis,
        (
            rng.choice([-1, 1], size=(6, 6)),
            rng.integers(0, 6, size=(8, 2)),
            rng.uniform(size=8),
            0.4,
        ),
        (
            rng.choice([-1, 1], size=(6, 6)),
            rng.integers(0, 6, size=(8, 2)),
            rng.uniform(size=8),
            0.2,
        ),
    ),
    Program(
        metropolis_hastings,
        (0.0, rng.normal(size=20), np.log(rng.uniform(size=20)), 1.5),
        (1.0, rng.normal(size=20), np.log(rng.uniform(size=20)), 2.5),
        wrt=(0, 3),
    ),
    Program(percolation, (rng.uniform(size=(12, 12)) < 0.7,), (rng.uniform(size=(12, 12)) < 0.5,)),
    Program(
        bootstrap,
        (rng.normal(size=31), rng.integers(0, 31, size=(40, 31))),
        (rng.normal(size=31), rng.integers(0, 31, size=(40, 31))),
        wrt=(0,),
    ),
    Program(lyapunov, (3.4, 0.3, 60), (3.2, 0.4, 60), wrt=(0, 1)),
    Program(collatz, (27,), (97,)),
    Program(
        queue,
        (np.cumsum(rng.exponential(1.0, size=20)), rng.exponential(0.8, size=20)),
        (np.cumsum(rng.exponential(1.0, size=20)), rng.exponential(0.6, size=20)),
        wrt=(0, 1),
    ),
    Program(
        forest_fire,
        ((rng.uniform(size=(15, 15)) < 0.7) * 1, rng.integers(0, 15, size=(8, 2)), 8),
        ((rng.uniform(size=(15, 15)) < 0.8) * 1, rng.integers(0, 15, size=(8, 2)), 8),
    ),
]
