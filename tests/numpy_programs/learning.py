"""Statistics and machine learning by hand."""

import numpy as np

from .program import Program

rng = np.random.default_rng(7)


def kmeans(points, centres, maxiter=50):
    """k-means until no point changes its cluster."""
    centres = centres.copy()
    labels = np.full(len(points), -1)
    for _ in range(maxiter):
        distances = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        new_labels = distances.argmin(axis=1)
        if np.array_equal(new_labels, labels):
            break
        labels = new_labels
        for k in range(len(centres)):
            members = points[labels == k]
            if len(members) > 0:
                centres[k] = members.mean(axis=0)
    return centres, labels


def softmax_regression(X, labels, W, rate, steps):
    """Softmax regression trained by gradient descent, with its last loss."""
    n, classes = len(X), W.shape[1]
    onehot = np.zeros((n, classes))
    onehot[np.arange(n), labels] = 1
    W = W.copy()
    for _ in range(steps):
        scores = X @ W
        scores -= scores.max(axis=1, keepdims=True)
        p = np.exp(scores)
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.mean(np.log(p[np.arange(n), labels]))
        W -= rate * X.T @ (p - onehot) / n
    return loss, W


def logistic_irls(X, y, ridge, tol=1e-8):
    """Logistic regression by reweighted least squares."""
    w = np.zeros(X.shape[1])
    for it in range(25):
        p = 1 / (1 + np.exp(-X @ w))
        weights = p * (1 - p)
        H = X.T @ (X * weights[:, None]) + ridge * np.eye(len(w))
        g = X.T @ (y - p) - ridge * w
        step = np.linalg.solve(H, g)
        w += step
        if np.linalg.norm(step) < tol:
            break
    return w, it


def gaussian_mixture(x, mu, sigma, weight, tol=1e-3, maxiter=60):
    """A mixture of normal distributions by EM, until the likelihood stands still."""
    mu, sigma, weight = mu.copy(), sigma.copy(), weight.copy()
    last = -np.inf
    for _ in range(maxiter):
        dens = (
            weight * np.exp(-0.5 * ((x[:, None] - mu) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
        )
        total = dens.sum(axis=1)
        ll = np.log(total).sum()
        if ll - last < tol:
            break
        last = ll
        resp = dens / total[:, None]
        nk = resp.sum(axis=0)
        mu = (resp * x[:, None]).sum(axis=0) / nk
        sigma = np.sqrt((resp * (x[:, None] - mu) ** 2).sum(axis=0) / nk)
        weight = nk / len(x)
    return mu, sigma, weight, ll


def perceptron(X, y, epochs):
    """Rosenblatt's perceptron, one example after the other."""
    w = np.zeros(X.shape[1])
    b = 0.0
    mistakes = 0
    for _ in range(epochs):
        wrong = 0
        for xi, yi in zip(X, y):
            if yi * (xi @ w + b) <= 0:
                w += yi * xi
                b += yi
                wrong += 1
        mistakes += wrong
        if wrong == 0:
            break
    return w, b, mistakes


def nearest_neighbours(train, labels, queries, k):
    """Classification by the k nearest neighbours' votes."""
    out = np.zeros(len(queries), dtype=int)
    for i, q in enumerate(queries):
        d = np.sqrt(((train - q) ** 2).sum(axis=1))
        nearest = np.argsort(d)[:k]
        votes = np.bincount(labels[nearest])
        out[i] = np.argmax(votes)
    return out


def multilayer_perceptron(X, y, W1, b1, W2, b2):
    """Loss of a network with one hidden layer, its weights shrunk."""
    h = X @ W1 + b1
    h[h < 0] *= 0.01
    out = h @ W2 + b2
    err = out[:, 0] - y
    return np.mean(err**2) + 1e-3 * (np.sum(W1**2) + np.sum(W2**2))


def huber_regression(X, y, delta, steps):
    """Robust regression by Huber's loss and gradient descent."""
    w = np.zeros(X.shape[1])
    for _ in range(steps):
        r = X @ w - y
        g = r.copy()
        g[r > delta] = delta
        g[r < -delta] = -delta
        w -= 0.1 * X.T @ g / len(y)
    return w


def lasso(X, y, lam, sweeps):
    """The lasso by coordinate descent with soft thresholds."""
    n, p = X.shape
    w = np.zeros(p)
    r = y.copy()
    for _ in range(sweeps):
        for j in range(p):
            xj = X[:, j]
            rho = xj @ r + w[j] * (xj @ xj)
            if rho < -lam:
                new = (rho + lam) / (xj @ xj)
            elif rho > lam:
                new = (rho - lam) / (xj @ xj)
            else:
                new = 0.0
            r += (w[j] - new) * xj
            w[j] = new
    return w


def confusion_matrix(truth, predicted, classes):
    """A confusion matrix and the accuracy of each class."""
    m = np.zeros((classes, classes), dtype=int)
    for t, p in zip(truth, predicted):
        m[t, p] += 1
    recall = np.zeros(classes)
    for c in range(classes):
        if m[c].sum() > 0:
            recall[c] = m[c, c] / m[c].sum()
    return m, recall


def gaussian_process(x, y, x_new, length, noise):
    """Prediction and marginal likelihood of a Gaussian process."""
    K = np.exp(-0.5 * (x[:, None] - x[None, :]) ** 2 / length**2)
    K[np.diag_indices(len(x))] += noise
    L = np.linalg.cholesky(K)
    alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
    K_new = np.exp(-0.5 * (x_new[:, None] - x[None, :]) ** 2 / length**2)
    ll = -0.5 * y @ alpha - np.log(np.diag(L)).sum() - 0.5 * len(x) * np.log(2 * np.pi)
    return K_new @ alpha, ll


_clusters = np.concatenate([rng.normal(size=(20, 2)) + c for c in ([0, 0], [4, 0], [0, 4])])
_mixture = np.concatenate([rng.normal(size=60), 0.5 * rng.normal(size=40) + 3])
_sides = np.sign(_clusters[:, 0] - _clusters[:, 1] + 0.3)

PROGRAMS = [
    Program(
        kmeans,
        (_clusters, _clusters[[0, 1, 2]]),
        (_clusters, _clusters[[5, 25, 45]]),
        wrt=(0,),
    ),
    Program(
        softmax_regression,
        (_clusters, rng.integers(0, 3, size=60), rng.normal(size=(2, 3)), 0.5, 20),
        (_clusters, rng.integers(0, 3, size=60), rng.normal(size=(2, 3)), 0.2, 20),
        wrt=(0, 2, 3),
    ),
    Program(
        logistic_irls,
        (_clusters, (rng.uniform(size=60) < 0.5) * 1.0, 0.1),
        (_clusters, (rng.uniform(size=60) < 0.1) * 1.0, 1.0),
        wrt=(0, 2),
    ),
    Program(
        gaussian_mixture,
        (_mixture, np.array([-1.0, 2.0]), np.array([1.0, 1.0]), np.array([0.5, 0.5])),
        (_mixture, np.array([0.2, 3.2]), np.array([1.0, 0.7]), np.array([0.6, 0.4])),
        wrt=(0,),
    ),
    Program(perceptron, (_clusters[:20], _sides[:20], 4), (_clusters[20:40], _sides[20:40], 4)),
    Program(
        nearest_neighbours,
        (_clusters, np.repeat([0, 1, 2], 20), rng.normal(size=(5, 2)) + 2, 5),
        (_clusters, np.repeat([1, 0, 2], 20), rng.normal(size=(5, 2)) + 1, 5),
    ),
    Program(
        multilayer_perceptron,
        (
            rng.normal(size=(50, 4)),
            rng.normal(size=50),
            rng.normal(size=(4, 8)),
            rng.normal(size=8),
            rng.normal(size=(8, 1)),
            rng.normal(size=1),
        ),
        (
            rng.normal(size=(50, 4)),
            rng.normal(size=50),
            rng.normal(size=(4, 8)),
            rng.normal(size=8),
            rng.normal(size=(8, 1)),
            rng.normal(size=1),
        ),
        wrt=(2, 3, 4, 5),
    ),
    Program(
        huber_regression,
        (rng.normal(size=(60, 3)), 3 * rng.normal(size=60), 1.0, 25),
        (rng.normal(size=(60, 3)), rng.normal(size=60), 2.0, 25),
        wrt=(0, 1, 2),
    ),
    Program(
        lasso,
        (rng.normal(size=(20, 4)), rng.normal(size=20), 2.0, 4),
        (rng.normal(size=(20, 4)), rng.normal(size=20), 0.5, 4),
        wrt=(0, 1, 2),
    ),
    Program(
        confusion_matrix,
        (rng.integers(0, 4, size=60), rng.integers(0, 4, size=60), 4),
        (rng.integers(0, 3, size=60), rng.integers(0, 4, size=60), 4),
    ),
    Program(
        gaussian_process,
        (np.sort(rng.uniform(0, 5, size=20)), rng.normal(size=20), np.linspace(0, 5, 9), 0.8, 0.1),
        (np.sort(rng.uniform(0, 5, size=20)), rng.normal(size=20), np.linspace(0, 5, 9), 1.2, 0.2),
        wrt=(0, 1, 3, 4),
    ),
]
