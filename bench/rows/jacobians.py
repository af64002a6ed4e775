"""Jacobians and Hessians, dense and sparse, and products with them."""

from __future__ import annotations

import numpy
from scipy import optimize

from .row import Row
from .small import ROSENBROCK, points, rosenbrock

LIBRARIES = ("autotrace", "plain", "jax", "torch", "torch_compile", "pytensor", "autograd")
SIZE = 100
CELLS = 1000


def layers(np):
    def f(x, w1, w2):
        return np.tanh(w2 @ np.tanh(w1 @ x))

    return f


def jacobian_of_layers(np):
    return np.jacobian(layers(np))


def jacobian_of_layers_by_hand(x, w1, w2):
    h = numpy.tanh(w1 @ x)
    y = numpy.tanh(w2 @ h)
    return (1 - y * y)[:, None] * (w2 @ ((1 - h * h)[:, None] * w1))


def _weights() -> tuple:
    rng = numpy.random.default_rng(0)
    return rng.normal(size=SIZE), *(rng.normal(size=(2, SIZE, SIZE)) / numpy.sqrt(SIZE))


def hessian_of_rosenbrock(np):
    return np.hessian(rosenbrock(np))


def hessian_of_logistic(np):
    def f(w, x):
        z = x @ w
        return np.sum(np.log1p(np.exp(-z)))

    return np.hessian(f)


def hessian_of_logistic_by_hand(w, x):
    p = 1 / (1 + numpy.exp(-(x @ w)))
    return x.T @ ((p * (1 - p))[:, None] * x)


def _examples() -> tuple:
    rng = numpy.random.default_rng(0)
    return 0.3 * rng.normal(size=20), rng.normal(size=(500, 20))


def reaction(np):
    """A chain of cells, of which each reacts and takes from its neighbours."""

    def f(x):
        inner = x[:-2] - 2 * x[1:-1] + x[2:] + np.exp(-x[1:-1]) * x[1:-1]
        return np.concatenate([x[:1], inner, x[-1:]])

    return f


def products(np):
    """Products of the Jacobian with three directions, which hold all its elements: columns that
    have no row in common are added up."""

    def f(x, directions):
        return np.jvps(reaction(np), x, directions)

    return f


def products_by_hand(x, directions):
    slope = numpy.exp(-x) * (1 - x) - 2
    slope[0] = slope[-1] = 1
    out = slope * directions
    out[:, 1:-1] += directions[:, :-2] + directions[:, 2:]
    return out


def _cells() -> tuple:
    directions = numpy.zeros((3, CELLS))
    for color in range(3):
        directions[color, color::3] = 1
    return numpy.random.default_rng(0).normal(size=CELLS), directions


ROWS = [
    ROSENBROCK.but(
        key="rosenbrock_hvp",
        title="Rosenbrock, n = 100: Hessian times vector",
        inputs=points,
        wanted="hvp",
        by_hand=optimize.rosen_hess_prod,
        c="rosenbrock_hvp",
    ),
    Row(
        key="hessian_rosenbrock",
        title="Rosenbrock, n = 100: Hessian",
        make=hessian_of_rosenbrock,
        inputs=lambda: points()[:1],
        by_hand=optimize.rosen_hess,
        libraries=LIBRARIES,
        compilers=True,
    ),
    Row(
        key="hessian_logistic",
        title="logistic loss, 500 x 20: Hessian",
        make=hessian_of_logistic,
        inputs=_examples,
        by_hand=hessian_of_logistic_by_hand,
        libraries=LIBRARIES,
    ),
    Row(
        key="jacobian_layers",
        title="two layers of 100: Jacobian, 100 x 100",
        make=jacobian_of_layers,
        inputs=_weights,
        by_hand=jacobian_of_layers_by_hand,
        libraries=LIBRARIES,
    ),
    Row(
        key="colored_products",
        title="chain of 1000 cells: three products with the sparse Jacobian",
        make=products,
        inputs=_cells,
        by_hand=products_by_hand,
        libraries=("autotrace", "plain", "jax", "torch", "torch_compile"),
    ),
]
