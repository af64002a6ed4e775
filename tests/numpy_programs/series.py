"""Time series: likelihoods, filters of states, smoothing."""

import numpy as np

from .program import Program

rng = np.random.default_rng(6)


def ar2_loglikelihood(phi1, phi2, sigma, y):
    """Conditional log-likelihood of an autoregressive process of order 2."""
    n = len(y)
    ll = 0.0
    for t in range(2, n):
        e = y[t] - phi1 * y[t - 1] - phi2 * y[t - 2]
        ll += -0.5 * np.log(2 * np.pi * sigma**2) - e**2 / (2 * sigma**2)
    return ll


def kalman_filter(y, F, H, Q, R):
    """Kalman's filter with missing observations, and its log-likelihood."""
    n, k = len(y), F.shape[0]
    x = np.zeros(k)
    P = np.eye(k) * 10
    states = np.zeros((n, k))
    ll = 0.0
    for t in range(n):
        x = F @ x
        P = F @ P @ F.T + Q
        if not np.isnan(y[t]):
            v = y[t] - H @ x
            S = H @ P @ H + R
            K = P @ H / S
            x = x + K * v
            P = P - np.outer(K, H @ P)
            ll -= 0.5 * (np.log(2 * np.pi * S) + v * v / S)
        states[t] = x
    return ll, states


def hmm_forward(pi, A, B, obs):
    """Log-likelihood of a hidden Markov model by the scaled forward algorithm."""
    alpha = pi * B[:, obs[0]]
    ll = np.log(alpha.sum())
    alpha /= alpha.sum()
    for o in obs[1:]:
        alpha = (alpha @ A) * B[:, o]
        s = alpha.sum()
        ll += np.log(s)
        alpha = alpha / s
    return ll


def viterbi(pi, A, B, obs):
    """The likeliest states of a hidden Markov model (Viterbi)."""
    n, k = len(obs), len(pi)
    delta = np.zeros((n, k))
    back = np.zeros((n, k), dtype=int)
    delta[0] = np.log(pi) + np.log(B[:, obs[0]])
    for t in range(1, n):
        for j in range(k):
            scores = delta[t - 1] + np.log(A[:, j])
            back[t, j] = np.argmax(scores)
            delta[t, j] = scores[back[t, j]] + np.log(B[j, obs[t]])
    path = np.zeros(n, dtype=int)
    path[-1] = np.argmax(delta[-1])
    for t in range(n - 2, -1, -1):
        path[t] = back[t + 1, path[t + 1]]
    return path, delta[-1].max()


def holt_winters(y, alpha, beta, gamma, period):
    """Exponential smoothing with a trend and a season, and its squared error."""
    level = y[:period].mean()
    trend = (y[period : 2 * period].mean() - level) / period
    season = list(y[:period] - level)
    sse = 0.0
    for t in range(period, len(y)):
        forecast = level + trend + season[t - period]
        sse += (y[t] - forecast) ** 2
        last = level
        level = alpha * (y[t] - season[t - period]) + (1 - alpha) * (level + trend)
        trend = beta * (level - last) + (1 - beta) * trend
        season.append(gamma * (y[t] - level) + (1 - gamma) * season[t - period])
    return sse


def time_warping(x, y):
    """Distance of two series by dynamic time warping."""
    n, m = len(x), len(y)
    D = np.full((n + 1, m + 1), np.inf)
    D[0, 0] = 0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = abs(x[i - 1] - y[j - 1])
            D[i, j] = cost + min(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1])
    return D[n, m]


def autocorrelation(x, lags):
    """Autocorrelations of a series."""
    x = x - x.mean()
    out = np.empty(lags + 1)
    out[0] = 1.0
    variance = np.dot(x, x)
    for k in range(1, lags + 1):
        out[k] = np.dot(x[k:], x[:-k]) / variance
    return out


def cusum(x, drift, threshold):
    """Change points by cumulative sums, which begin anew after an alarm."""
    up = down = 0.0
    alarms = np.zeros(len(x), dtype=bool)
    for i in range(1, len(x)):
        step = x[i] - x[i - 1]
        up = max(up + step - drift, 0)
        down = max(down - step - drift, 0)
        if up > threshold or down > threshold:
            alarms[i] = True
            up = down = 0.0
    return alarms, np.sum(alarms)


def _observations(n, missing):
    y = rng.normal(size=n).cumsum()
    y[missing] = np.nan
    return y


def _stochastic(*shape):
    p = rng.uniform(0.1, 1, size=shape)
    return p / p.sum(axis=-1, keepdims=True)


_F, _H = np.array([[1.0, 1.0], [0.0, 0.9]]), np.array([1.0, 0.3])

PROGRAMS = [
    Program(
        ar2_loglikelihood,
        (0.5, 0.2, 1.1, rng.normal(size=80)),
        (0.3, -0.2, 0.8, rng.normal(size=80)),
        wrt=(0, 1, 2),
    ),
    Program(
        kalman_filter,
        (_observations(20, [3, 4, 11]), _F, _H, 0.1 * np.eye(2), 0.5),
        (_observations(20, [4, 15]), _F, _H, 0.2 * np.eye(2), 0.3),
        wrt=(1, 2, 4),
    ),
    Program(
        hmm_forward,
        (_stochastic(3), _stochastic(3, 3), _stochastic(3, 5), rng.integers(0, 5, size=40)),
        (_stochastic(3), _stochastic(3, 3), _stochastic(3, 5), rng.integers(0, 5, size=40)),
        wrt=(0, 1, 2),
    ),
    Program(
        viterbi,
        (_stochastic(3), _stochastic(3, 3), _stochastic(3, 5), rng.integers(0, 5, size=12)),
        (_stochastic(3), _stochastic(3, 3), _stochastic(3, 5), rng.integers(0, 5, size=12)),
    ),
    Program(
        holt_winters,
        (10 + rng.normal(size=60), 0.3, 0.1, 0.2, 12),
        (10 + rng.normal(size=60), 0.5, 0.2, 0.1, 12),
        wrt=(0, 1, 2, 3),
    ),
    Program(
        time_warping,
        (rng.normal(size=10), rng.normal(size=12)),
        (rng.normal(size=10), rng.normal(size=12)),
        wrt=(0, 1),
    ),
    Program(autocorrelation, (rng.normal(size=300), 20), (rng.normal(size=300), 20), wrt=(0,)),
    Program(
        cusum,
        (rng.normal(size=40).cumsum(), 0.1, 1.5),
        (rng.normal(size=40).cumsum(), 0.1, 2.5),
    ),
]
