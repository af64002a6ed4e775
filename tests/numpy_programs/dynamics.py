"""Ordinary differential equations and bodies in motion."""

import numpy as np

from .program import Program

rng = np.random.default_rng(4)


def sir(beta, gamma, s0, i0, dt, days):
    """An epidemic of susceptible, infected and recovered people by Euler's method."""
    S, I, R = s0, i0, 0.0
    peak = 0.0
    infected = np.zeros(days)
    for day in range(days):
        new_infections = beta * S * I * dt
        recoveries = gamma * I * dt
        S = S - new_infections
        I = I + new_infections - recoveries
        R = R + recoveries
        infected[day] = I
        if I > peak:
            peak = I
    return infected, peak, R


def pendulum_rk4(theta0, omega0, damping, dt, n):
    """A damped pendulum by Runge and Kutta's method of order 4."""

    def rhs(y):
        return np.array([y[1], -np.sin(y[0]) - damping * y[1]])

    ys = np.zeros((n + 1, 2))
    ys[0] = theta0, omega0
    for i in range(n):
        y = ys[i]
        k1 = rhs(y)
        k2 = rhs(y + dt / 2 * k1)
        k3 = rhs(y + dt / 2 * k2)
        k4 = rhs(y + dt * k3)
        ys[i + 1] = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return ys


def rk45(y0, mu, t_end, tol):
    """Van der Pol's oscillator by an adaptive method of order 4 and 5 (Fehlberg)."""

    def f(y):
        return np.array([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]])

    t, h, y = 0.0, 0.1, np.array(y0)
    accepted = rejected = 0
    while t < t_end:
        h = min(h, t_end - t)
        k1 = h * f(y)
        k2 = h * f(y + k1 / 4)
        k3 = h * f(y + 3 / 32 * k1 + 9 / 32 * k2)
        k4 = h * f(y + 1932 / 2197 * k1 - 7200 / 2197 * k2 + 7296 / 2197 * k3)
        k5 = h * f(y + 439 / 216 * k1 - 8 * k2 + 3680 / 513 * k3 - 845 / 4104 * k4)
        k6 = h * f(y - 8 / 27 * k1 + 2 * k2 - 3544 / 2565 * k3 + 1859 / 4104 * k4 - 11 / 40 * k5)
        error = np.max(np.abs(k1 / 360 - 128 / 4275 * k3 - 2197 / 75240 * k4 + k5 / 50 + k6 / 27.5))
        if error <= tol:
            t += h
            y = y + 25 / 216 * k1 + 1408 / 2565 * k3 + 2197 / 4104 * k4 - k5 / 5
            accepted += 1
        else:
            rejected += 1
        h *= min(4.0, max(0.1, 0.84 * (tol / (error + 1e-300)) ** 0.25))
    return y, accepted, rejected


def lotka_volterra(prey, predators, a, b, c, d, dt, steps):
    """Prey and predators by the midpoint method, who die out below a threshold."""
    history = np.empty((steps, 2))
    x, y = prey, predators
    for k in range(steps):
        xm = x + 0.5 * dt * (a * x - b * x * y)
        ym = y + 0.5 * dt * (c * x * y - d * y)
        x = x + dt * (a * xm - b * xm * ym)
        y = y + dt * (c * xm * ym - d * ym)
        if y < 0.05:
            y = 0.0
        history[k, 0] = x
        history[k, 1] = y
    return history


def nbody_leapfrog(pos, vel, mass, dt, steps):
    """Bodies that attract each other, by leapfrog steps."""

    def acceleration(pos):
        acc = np.zeros_like(pos)
        n = len(mass)
        for i in range(n):
            for j in range(n):
                if i == j:
                    continue
                d = pos[j] - pos[i]
                r2 = np.sum(d**2) + 1e-2
                acc[i] += mass[j] * d / (r2 * np.sqrt(r2))
        return acc

    pos = pos.copy()
    vel = vel.copy()
    acc = acceleration(pos)
    for _ in range(steps):
        vel += 0.5 * dt * acc
        pos += dt * vel
        acc = acceleration(pos)
        vel += 0.5 * dt * acc
    energy = 0.5 * np.sum(mass * np.sum(vel**2, axis=1))
    return pos, vel, energy


def nbody_arrays(pos, vel, mass, dt, steps):
    """Many bodies that attract each other, by arrays of distances."""
    pos, vel = pos.copy(), vel.copy()
    for _ in range(steps):
        diff = pos[None, :, :] - pos[:, None, :]
        dist2 = (diff**2).sum(axis=-1) + 0.05
        np.fill_diagonal(dist2, np.inf)
        acc = (mass[None, :, None] * diff / dist2[..., None] ** 1.5).sum(axis=1)
        vel += dt * acc
        pos += dt * vel
    return pos


def bouncing_ball(height, speed, g, restitution, dt, steps):
    """A ball that bounces: an event within a time step."""
    z, v = height, speed
    bounces = 0
    track = []
    for _ in range(steps):
        v -= g * dt
        z += v * dt
        if z < 0:
            z = -z * restitution
            v = -v * restitution
            bounces += 1
        track.append(z)
    return np.array(track), bounces


def implicit_decay(y0, k, dt, steps):
    """Stiff decay by the implicit Euler method, with Newton's method in each step."""
    y = y0
    total = 0
    for _ in range(steps):
        new = y
        for _ in range(20):
            residual = new - y + dt * k * new**3
            change = residual / (1 + 3 * dt * k * new**2)
            new = new - change
            total += 1
            if np.abs(change) < 1e-10:
                break
        y = new
    return y, total


def lorenz(state, sigma, rho, beta, dt, steps):
    """Lorenz' attractor by Euler's method, one component at a time."""
    xs = np.empty(steps + 1)
    ys = np.empty(steps + 1)
    zs = np.empty(steps + 1)
    xs[0], ys[0], zs[0] = state
    for i in range(steps):
        xs[i + 1] = xs[i] + dt * sigma * (ys[i] - xs[i])
        ys[i + 1] = ys[i] + dt * (xs[i] * (rho - zs[i]) - ys[i])
        zs[i + 1] = zs[i] + dt * (xs[i] * ys[i] - beta * zs[i])
    return xs, ys, zs


PROGRAMS = [
    Program(sir, (0.4, 0.1, 0.99, 0.01, 0.5, 60), (0.15, 0.2, 0.9, 0.1, 0.5, 60), wrt=(0, 1)),
    Program(pendulum_rk4, (1.0, 0.3, 0.1, 0.05, 25), (2.5, -0.3, 0.4, 0.05, 25), wrt=(0, 1, 2)),
    Program(rk45, (np.array([2.0, 0.0]), 1.5, 2.0, 1e-6), (np.array([0.5, 1.0]), 4.0, 2.0, 1e-6)),
    Program(
        lotka_volterra,
        (1.0, 0.5, 1.1, 0.4, 0.1, 0.4, 0.1, 30),
        (1.0, 0.2, 0.5, 0.4, 0.1, 1.4, 0.1, 30),
        wrt=(2, 3),
    ),
    Program(
        nbody_leapfrog,
        (rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), np.ones(4), 0.01, 3),
        (rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.uniform(1, 2, size=4), 0.02, 3),
        wrt=(0, 1, 2),
    ),
    Program(
        nbody_arrays,
        (rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), np.ones(40), 0.01, 5),
        (rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), np.ones(40) * 2, 0.01, 5),
        wrt=(0, 2),
    ),
    Program(
        bouncing_ball, (1.0, 0.0, 9.81, 0.9, 0.02, 80), (2.0, 1.0, 9.81, 0.8, 0.02, 80), wrt=(0, 3)
    ),
    Program(implicit_decay, (2.0, 50.0, 0.1, 12), (0.5, 5.0, 0.1, 12), wrt=(0, 1)),
    Program(
        lorenz,
        (np.array([1.0, 1.0, 1.0]), 10.0, 28.0, 8 / 3, 0.01, 60),
        (np.array([3.0, 0.0, 2.0]), 9.0, 25.0, 2.5, 0.01, 60),
        wrt=(0, 2),
    ),
]
