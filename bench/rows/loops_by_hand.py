"""The work of ``loops`` in plain NumPy, with derivatives by hand; also in Numba's language.

Reverse mode throughout: what ends in ``_bar`` is the derivative of the result with respect to
that value.
"""

from __future__ import annotations

import numpy as np


def logistic_map(r, x):
    for _ in range(100_000):
        x = r * x * (1 - x)
    return x


def logistic_map_gradient(r, x):
    steps = 100_000
    states = np.empty(steps)
    for i in range(steps):
        states[i] = x
        x = r * x * (1 - x)
    r_bar, x_bar = 0.0, 1.0
    for i in range(steps - 1, -1, -1):
        r_bar += x_bar * states[i] * (1 - states[i])
        x_bar *= r * (1 - 2 * states[i])
    return x, r_bar, x_bar


def garch(theta, returns):
    squares = returns * returns
    variances = np.empty(len(squares))
    omega, alpha, beta = theta[0], theta[1], theta[2]
    variance = omega / (1 - alpha - beta)
    for i in range(len(squares)):
        variances[i] = variance
        variance = omega + alpha * squares[i] + beta * variance
    return -0.5 * np.sum(np.log(variances) + squares / variances)


def garch_gradient(theta, returns):
    squares = returns * returns
    variances = np.empty(len(squares))
    omega, alpha, beta = theta[0], theta[1], theta[2]
    first = omega / (1 - alpha - beta)
    variance = first
    for i in range(len(squares)):
        variances[i] = variance
        variance = omega + alpha * squares[i] + beta * variance
    total = -0.5 * np.sum(np.log(variances) + squares / variances)
    direct = -0.5 * (1 - squares / variances) / variances
    bars = np.empty(len(squares) + 1)
    bars[-1] = 0.0
    for i in range(len(squares) - 1, -1, -1):
        bars[i] = direct[i] + beta * bars[i + 1]
    later = bars[1:]
    share = bars[0] / (1 - alpha - beta)
    gradient = np.array([
        np.sum(later) + share,
        np.sum(later * squares) + share * first,
        np.sum(later * variances) + share * first,
    ])  # fmt: skip
    return total, gradient


def kalman(a, c, q, r, observed):
    mean, cov, total = np.zeros(4), np.eye(4), 0.0
    inverse = np.empty((2, 2))
    for i in range(len(observed)):
        mean, cov = a @ mean, a @ cov @ a.T + q
        both = cov @ c.T
        s = c @ both + r
        det = s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0]
        inverse[0, 0], inverse[0, 1] = s[1, 1] / det, -s[0, 1] / det
        inverse[1, 0], inverse[1, 1] = -s[1, 0] / det, s[0, 0] / det
        error = observed[i] - c @ mean
        gain = both @ inverse
        total -= 0.5 * (error @ (inverse @ error) + np.log(det))
        mean, cov = mean + gain @ error, cov - gain @ (c @ cov)
    return total


def kalman_gradient(a, c, q, r, observed):
    steps = len(observed)
    means, covs = np.zeros((steps + 1, 4)), np.zeros((steps + 1, 4, 4))
    ahead_means, ahead_covs = np.empty((steps, 4)), np.empty((steps, 4, 4))
    inverses, errors, gains = np.empty((steps, 2, 2)), np.empty((steps, 2)), np.empty((steps, 4, 2))
    covs[0], total = np.eye(4), 0.0
    for i in range(steps):
        mean, cov = a @ means[i], a @ covs[i] @ a.T + q
        both = cov @ c.T
        s = c @ both + r
        det = s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0]
        inverse = inverses[i]
        inverse[0, 0], inverse[0, 1] = s[1, 1] / det, -s[0, 1] / det
        inverse[1, 0], inverse[1, 1] = -s[1, 0] / det, s[0, 0] / det
        error = observed[i] - c @ mean
        gain = both @ inverse
        total -= 0.5 * (error @ (inverse @ error) + np.log(det))
        means[i + 1], covs[i + 1] = mean + gain @ error, cov - gain @ (c @ cov)
        ahead_means[i], ahead_covs[i], errors[i], gains[i] = mean, cov, error, gain

    a_bar, c_bar, q_bar, r_bar = (
        np.zeros((4, 4)),
        np.zeros((2, 4)),
        np.zeros((4, 4)),
        np.zeros((2, 2)),
    )
    mean_bar, cov_bar = np.zeros(4), np.zeros((4, 4))
    for i in range(steps - 1, -1, -1):
        mean, cov, gain = ahead_means[i], ahead_covs[i], gains[i]
        scaled = inverses[i] @ errors[i]
        moved = gain.T @ mean_bar
        error_bar = moved - scaled
        both_bar = np.outer(mean_bar, scaled) - cov_bar @ gain
        s_bar = np.outer(0.5 * scaled - moved, scaled) - 0.5 * inverses[i]
        s_bar += gain.T @ cov_bar @ gain
        seen_bar = (s_bar + s_bar.T) @ c - gain.T @ cov_bar
        c_bar += (both_bar.T + seen_bar) @ cov - np.outer(error_bar, mean)
        r_bar += s_bar
        cov_bar = cov_bar + both_bar @ c + c.T @ (s_bar @ c - gain.T @ cov_bar)
        mean_bar = mean_bar - c.T @ error_bar
        q_bar += cov_bar
        a_bar += (cov_bar + cov_bar.T) @ a @ covs[i] + np.outer(mean_bar, means[i])
        cov_bar, mean_bar = a.T @ cov_bar @ a, a.T @ mean_bar
    return total, a_bar, c_bar, q_bar, r_bar


def lstm(wx, wh, b, xs):
    steps, batch, width = xs.shape
    size = wh.shape[0]
    inputs = (xs.reshape(steps * batch, width) @ wx + b).reshape(steps, batch, 4 * size)
    h, cell, total = np.zeros((batch, size)), np.zeros((batch, size)), 0.0
    for i in range(steps):
        gates = inputs[i] + h @ wh
        new = np.tanh(gates[:, 2 * size : 3 * size])
        gates = 1 / (1 + np.exp(-gates))
        cell = gates[:, size : 2 * size] * cell + gates[:, :size] * new
        h = gates[:, 3 * size :] * np.tanh(cell)
        total += np.sum(h * h)
    return total


def lstm_gradient(wx, wh, b, xs):
    steps, batch, width = xs.shape
    size = wh.shape[0]
    flat = xs.reshape(steps * batch, width)
    gates = (flat @ wx + b).reshape(steps, batch, 4 * size)
    hs, cells = np.zeros((steps + 1, batch, size)), np.zeros((steps + 1, batch, size))
    shown = np.empty((steps, batch, size))
    for i in range(steps):
        z = gates[i] + hs[i] @ wh
        g = 1 / (1 + np.exp(-z))
        g[:, 2 * size : 3 * size] = np.tanh(z[:, 2 * size : 3 * size])
        gates[i] = g
        cells[i + 1] = g[:, size : 2 * size] * cells[i] + g[:, :size] * g[:, 2 * size : 3 * size]
        shown[i] = np.tanh(cells[i + 1])
        hs[i + 1] = g[:, 3 * size :] * shown[i]
    total = np.sum(hs * hs)

    h_bar, cell_bar = np.zeros((batch, size)), np.zeros((batch, size))
    back = np.ascontiguousarray(wh.T)
    for i in range(steps - 1, -1, -1):
        g = gates[i]
        take, keep = g[:, :size].copy(), g[:, size : 2 * size].copy()
        new, show = g[:, 2 * size : 3 * size].copy(), g[:, 3 * size :].copy()
        h_bar = h_bar + 2 * hs[i + 1]
        cell_bar = cell_bar + h_bar * show * (1 - shown[i] * shown[i])
        g[:, :size] = cell_bar * new * take * (1 - take)
        g[:, size : 2 * size] = cell_bar * cells[i] * keep * (1 - keep)
        g[:, 2 * size : 3 * size] = cell_bar * take * (1 - new * new)
        g[:, 3 * size :] = h_bar * shown[i] * show * (1 - show)
        h_bar = g @ back
        cell_bar = cell_bar * keep
    bars = gates.reshape(steps * batch, 4 * size)
    before = hs[:-1].reshape(steps * batch, size)
    return total, flat.T @ bars, before.T @ bars, np.sum(bars, axis=0)


def lorenz(state, parameters):
    h = 0.005
    sigma, rho, beta = parameters[0], parameters[1], parameters[2]

    def slope(x, y, z):
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    x, y, z = state[0], state[1], state[2]
    for _ in range(1000):
        a1, b1, c1 = slope(x, y, z)
        a2, b2, c2 = slope(x + h / 2 * a1, y + h / 2 * b1, z + h / 2 * c1)
        a3, b3, c3 = slope(x + h / 2 * a2, y + h / 2 * b2, z + h / 2 * c2)
        a4, b4, c4 = slope(x + h * a3, y + h * b3, z + h * c3)
        x += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        y += h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
        z += h / 6 * (c1 + 2 * c2 + 2 * c3 + c4)
    return x * x + y * y + z * z


def lorenz_gradient(state, parameters):
    h, steps = 0.005, 1000
    sigma, rho, beta = parameters[0], parameters[1], parameters[2]

    def slope(x, y, z):
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    def back(x, y, z, a, b, c):
        return (rho - z) * b - sigma * a + y * c, sigma * a - b + x * c, -x * b - beta * c

    # The four points of each step, at which the slope is taken.
    points = np.empty((steps, 12))
    x, y, z = state[0], state[1], state[2]
    for i in range(steps):
        p = points[i]
        p[0], p[1], p[2] = x, y, z
        a1, b1, c1 = slope(x, y, z)
        p[3], p[4], p[5] = x + h / 2 * a1, y + h / 2 * b1, z + h / 2 * c1
        a2, b2, c2 = slope(p[3], p[4], p[5])
        p[6], p[7], p[8] = x + h / 2 * a2, y + h / 2 * b2, z + h / 2 * c2
        a3, b3, c3 = slope(p[6], p[7], p[8])
        p[9], p[10], p[11] = x + h * a3, y + h * b3, z + h * c3
        a4, b4, c4 = slope(p[9], p[10], p[11])
        x += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        y += h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
        z += h / 6 * (c1 + 2 * c2 + 2 * c3 + c4)

    x_bar, y_bar, z_bar = 2 * x, 2 * y, 2 * z
    sigma_bar, rho_bar, beta_bar = 0.0, 0.0, 0.0
    for i in range(steps - 1, -1, -1):
        p = points[i]
        u, v, w = 0.0, 0.0, 0.0
        dx, dy, dz = x_bar, y_bar, z_bar
        for k in range(3, -1, -1):
            # What the stage's slope adds to the step, and to the point of the next stage.
            own = h / 6 if k == 0 or k == 3 else h / 3
            on = 0.0 if k == 3 else (h if k == 2 else h / 2)
            a, b, c = own * x_bar + on * u, own * y_bar + on * v, own * z_bar + on * w
            px, py, pz = p[3 * k], p[3 * k + 1], p[3 * k + 2]
            u, v, w = back(px, py, pz, a, b, c)
            sigma_bar += (py - px) * a
            rho_bar += px * b
            beta_bar -= pz * c
            dx, dy, dz = dx + u, dy + v, dz + w
        x_bar, y_bar, z_bar = dx, dy, dz
    value = x * x + y * y + z * z
    return value, np.array([x_bar, y_bar, z_bar]), np.array([sigma_bar, rho_bar, beta_bar])


def neural_ode(w1, b1, w2, b2, start):
    h = 0.02

    def slope(u):
        return np.tanh(u @ w1 + b1) @ w2 + b2

    u = start
    for _ in range(50):
        k1 = slope(u)
        k2 = slope(u + h / 2 * k1)
        k3 = slope(u + h / 2 * k2)
        k4 = slope(u + h * k3)
        u = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.mean(u * u)


def neural_ode_gradient(w1, b1, w2, b2, start):
    h, steps = 0.02, 50
    batch, size, hidden = start.shape[0], w1.shape[0], w1.shape[1]
    points = np.empty((4 * steps, batch, size))
    layers = np.empty((4 * steps, batch, hidden))
    u = start
    for i in range(steps):
        total, k = np.zeros_like(u), np.zeros_like(u)
        for stage in range(4):
            at = 4 * i + stage
            points[at] = u + (0.0 if stage == 0 else h if stage == 3 else h / 2) * k
            layers[at] = np.tanh(points[at] @ w1 + b1)
            k = layers[at] @ w2 + b2
            total = total + (h / 6 if stage == 0 or stage == 3 else h / 3) * k
        u = u + total

    slopes_bar, layers_bar = np.empty_like(points), np.empty_like(layers)
    back1, back2 = np.ascontiguousarray(w1.T), np.ascontiguousarray(w2.T)
    u_bar = u * (2 / u.size)
    for i in range(steps - 1, -1, -1):
        after, new_bar = np.zeros_like(u), u_bar
        for stage in range(3, -1, -1):
            at = 4 * i + stage
            own = h / 6 if stage == 0 or stage == 3 else h / 3
            on = 0.0 if stage == 3 else h if stage == 2 else h / 2
            slopes_bar[at] = own * u_bar + on * after
            layers_bar[at] = (slopes_bar[at] @ back2) * (1 - layers[at] * layers[at])
            after = layers_bar[at] @ back1
            new_bar = new_bar + after
        u_bar = new_bar
    rows = 4 * steps * batch
    points_flat, layers_flat = points.reshape(rows, size), layers.reshape(rows, hidden)
    by_layer, by_slope = layers_bar.reshape(rows, hidden), slopes_bar.reshape(rows, size)
    return (
        np.mean(u * u),
        points_flat.T @ by_layer,
        np.sum(by_layer, axis=0),
        layers_flat.T @ by_slope,
        np.sum(by_slope, axis=0),
    )


def heat(u, alpha):
    u = u.copy()
    for _ in range(100):
        around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
        u[1:-1, 1:-1] += alpha * (around - 4 * u[1:-1, 1:-1])
    return u


def heat_gradient(u, alpha):
    steps = 100
    u = u.copy()
    changes = np.empty((steps, u.shape[0] - 2, u.shape[1] - 2))
    for i in range(steps):
        around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
        changes[i] = around - 4 * u[1:-1, 1:-1]
        u[1:-1, 1:-1] += alpha * changes[i]
    u_bar, alpha_bar = u.copy(), 0.0
    for i in range(steps - 1, -1, -1):
        inner = u_bar[1:-1, 1:-1].copy()
        alpha_bar += np.sum(inner * changes[i])
        inner *= alpha
        u_bar[:-2, 1:-1] += inner
        u_bar[2:, 1:-1] += inner
        u_bar[1:-1, :-2] += inner
        u_bar[1:-1, 2:] += inner
        u_bar[1:-1, 1:-1] -= 4 * inner
    return 0.5 * np.sum(u * u), u_bar, alpha_bar


def kepler(mean, eccentricity):
    x = mean.copy()
    while True:
        move = (x - eccentricity * np.sin(x) - mean) / (1 - eccentricity * np.cos(x))
        x -= move
        if np.max(np.abs(move)) <= 1e-12:
            return x


def kepler_gradient(mean, eccentricity):
    """By the implicit function theorem."""
    x = mean.copy()
    while True:
        sine, slope = np.sin(x), 1 - eccentricity * np.cos(x)
        move = (x - eccentricity * sine - mean) / slope
        x -= move
        if np.max(np.abs(move)) <= 1e-12:
            mean_bar = x / slope
            return 0.5 * np.sum(x * x), mean_bar, mean_bar * sine
