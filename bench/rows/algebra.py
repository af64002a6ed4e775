"""Linear algebra: the marginal likelihood of a Gaussian process, equations, Cholesky's factor."""

from __future__ import annotations

import numpy
from scipy import linalg

from .row import Row, weighted

LIBRARIES = ("autotrace", "plain", "jax", "torch", "autograd")


def gaussian_process(np):
    """The negative log likelihood of observations, by the logarithms of the squared length, the
    variance and the noise."""

    def f(theta, x, y):
        length, scale, noise = np.exp(theta)
        gap = x[:, None] - x[None, :]
        k = scale * np.exp(-0.5 * gap * gap / length) + noise * np.eye(len(x), dtype=x.dtype)
        factor = np.linalg.cholesky(k)
        weights = np.cho_solve(factor, y)
        constant = 0.5 * len(x) * numpy.log(2 * numpy.pi)
        return 0.5 * np.sum(y * weights) + np.sum(np.log(np.diag(factor))) + constant

    return f


def gaussian_process_by_hand(theta, x, y):
    length, scale, noise = numpy.exp(theta)
    gap = x[:, None] - x[None, :]
    square = gap * gap
    signal = scale * numpy.exp(-0.5 * square / length)
    k = signal + noise * numpy.eye(len(x))
    factor = linalg.cho_factor(k, lower=True, check_finite=False)
    weights = linalg.cho_solve(factor, y, check_finite=False)
    value = 0.5 * y @ weights + numpy.sum(numpy.log(numpy.diag(factor[0])))
    value += 0.5 * len(x) * numpy.log(2 * numpy.pi)
    # The inverse from the factor; LAPACK writes one triangle.
    inverse, _ = linalg.lapack.dpotri(factor[0], lower=1)
    inverse = numpy.tril(inverse) + numpy.tril(inverse, -1).T
    bar = 0.5 * (inverse - numpy.outer(weights, weights))
    shared = bar * signal
    gradient = (
        0.5 * numpy.sum(shared * square) / length,
        numpy.sum(shared),
        noise * numpy.trace(bar),
    )
    return value, numpy.array(gradient)


def observations() -> tuple:
    rng = numpy.random.default_rng(0)
    x = numpy.sort(rng.uniform(0, 10, size=200))
    return numpy.log([1.0, 1.0, 0.05]), x, numpy.sin(x) + 0.1 * rng.normal(size=200)


def equations(np):
    """The sum of squared solutions of one equation for each matrix."""

    def f(a, b):
        x = np.linalg.solve(a, b)
        return np.sum(x * x)

    return f


def equations_by_hand(a, b):
    x = numpy.linalg.solve(a, b)
    bar = numpy.linalg.solve(numpy.swapaxes(a, 1, 2), 2 * x)
    return numpy.sum(x * x), -bar * numpy.swapaxes(x, 1, 2)


def systems() -> tuple:
    rng = numpy.random.default_rng(0)
    a = rng.normal(size=(100, 100, 100)) + 20 * numpy.eye(100)
    return a, rng.normal(size=(100, 100, 1))


def cholesky(np):
    return lambda x: np.linalg.cholesky(x)


def cholesky_by_hand(x, w):
    """The gradient with respect to the lower triangle (Murray 2016)."""
    factor = numpy.linalg.cholesky(x)
    inner = numpy.tril(factor.T @ numpy.tril(w))
    inner[numpy.diag_indices_from(inner)] *= 0.5
    left = linalg.solve_triangular(factor, inner, trans=1, lower=True, check_finite=False)
    bar = linalg.solve_triangular(factor, left.T, trans=1, lower=True, check_finite=False).T
    return numpy.tril(bar) + numpy.tril(bar.T, -1)


def _symmetric(np):
    """As these libraries have it: half of the gradient goes to the other triangle."""
    return lambda x: np.linalg.cholesky(np.tril(x) + np.swapaxes(np.tril(x, -1), 0, 1))


def matrix_and_weights() -> tuple:
    rng = numpy.random.default_rng(0)
    x = rng.normal(size=(200, 200))
    return x @ x.T + 200 * numpy.eye(200), rng.normal(size=(200, 200))


def log_determinant(np):
    return lambda x: np.linalg.slogdet(x)[1]


def eigenvalues(np):
    """The sum of the eigenvalues' squares, weighted, and so of all eigenvectors' products."""
    return lambda x, w: np.sum(w * np.linalg.eigh(x)[0] ** 2)


def eigenvalues_by_hand(x, w):
    values, vectors = numpy.linalg.eigh(x)
    return (vectors * (2 * w * values)) @ vectors.T


def _eigenvalues_of_symmetric(np):
    """The libraries differ in which triangle the gradient goes to, if nothing says so."""
    f = eigenvalues(np)
    return lambda x, w: f(0.5 * (x + np.swapaxes(x, 0, 1)), w)


def inverse(np):
    return lambda x: np.linalg.inv(x)


def inverse_by_hand(x, w):
    y = numpy.linalg.inv(x)
    return -y.T @ w @ y.T


GAUSSIAN_PROCESS = Row(
    key="gaussian_process",
    title="Gaussian process, 200 points, marginal likelihood: value and gradient",
    make=gaussian_process,
    inputs=observations,
    wanted="value_and_grad",
    by_hand=gaussian_process_by_hand,
    libraries=LIBRARIES,
)
ROWS = [
    GAUSSIAN_PROCESS.but(
        key="gaussian_process_value",
        title="Gaussian process, 200 points, marginal likelihood",
        wanted="value",
        by_hand=None,
    ),
    GAUSSIAN_PROCESS,
    Row(
        key="solve_batch",
        title="100 systems of 100 equations: value and gradient",
        make=equations,
        inputs=systems,
        wanted="value_and_grad",
        by_hand=equations_by_hand,
        libraries=LIBRARIES,
    ),
    Row(
        key="cholesky_gradient",
        title="Cholesky's factor, 200 x 200: gradient of a weighted sum",
        make=weighted(cholesky),
        inputs=matrix_and_weights,
        wanted="gradient",
        by_hand=cholesky_by_hand,
        own=dict.fromkeys(("jax", "torch", "autograd"), weighted(_symmetric)),
        libraries=LIBRARIES,
    ),
    Row(
        key="logdet_gradient",
        title="log determinant, 200 x 200: gradient",
        make=log_determinant,
        inputs=lambda: matrix_and_weights()[:1],
        wanted="gradient",
        by_hand=lambda x: numpy.linalg.inv(x).T,
        libraries=LIBRARIES,
    ),
    Row(
        key="eigh_gradient",
        title="eigenvalues, 100 x 100 symmetric: gradient of the sum of weighted squares",
        make=_eigenvalues_of_symmetric,
        inputs=lambda: (matrix_and_weights()[0][:100, :100], numpy.linspace(1, 2, 100)),
        wanted="gradient",
        by_hand=eigenvalues_by_hand,
        libraries=LIBRARIES,
    ),
    Row(
        key="inverse_gradient",
        title="inverse, 200 x 200: gradient of a weighted sum",
        make=weighted(inverse),
        inputs=matrix_and_weights,
        wanted="gradient",
        by_hand=inverse_by_hand,
        libraries=LIBRARIES,
    ),
]
