"""Random numbers, a million at a time; each library with its own generator."""

from __future__ import annotations

import numpy

from .row import Row

N = 1_000_000
SHAPE, RATE = 2.5, 10.0


def uniform(np):
    return lambda key: np.random.uniform(key, (N,), numpy.float64)


def normal(np):
    return lambda key: np.random.normal(key, (N,), numpy.float64)


def gamma(np):
    return lambda key: np.random.gamma(key, SHAPE, (N,), numpy.float64)


def poisson(np):
    return lambda key: np.random.poisson(key, RATE, (N,))


def permutation(np):
    return lambda key: np.random.permutation(key, N)


def _numpys(draw):
    """With a generator that goes on from call to call, as NumPy's do."""

    def make(np):
        generator = numpy.random.default_rng(0)
        return lambda key: draw(generator)

    return make


def _torchs(draw):
    return lambda np: lambda key: draw(np)


UNIFORM = Row(
    key="uniform",
    title="a million uniform numbers",
    make=uniform,
    inputs=lambda: (numpy.array([0, 7], numpy.uint32),),
    own={
        "plain": _numpys(lambda generator: generator.random(N)),
        "torch": _torchs(lambda np: np.rand(N, dtype=np.float64)),
    },
    libraries=("autotrace", "jax", "plain", "torch"),
    sampled=numpy.float64,
)
ROWS = [
    UNIFORM,
    UNIFORM.but(
        key="normal",
        title="a million normal numbers",
        make=normal,
        own={
            "plain": _numpys(lambda generator: generator.standard_normal(N)),
            "torch": _torchs(lambda np: np.randn(N, dtype=np.float64)),
        },
    ),
    UNIFORM.but(
        key="gamma",
        title="a million numbers of gamma distribution",
        make=gamma,
        own={
            "plain": _numpys(lambda generator: generator.standard_gamma(SHAPE, N)),
            "torch": _torchs(lambda np: np._standard_gamma(np.full((N,), SHAPE, dtype=np.float64))),
        },
        slow=True,
    ),
    UNIFORM.but(
        key="poisson_numbers",
        title="a million numbers of Poisson distribution",
        make=poisson,
        own={
            "plain": _numpys(lambda generator: generator.poisson(RATE, N)),
            "torch": _torchs(lambda np: np.poisson(np.full((N,), RATE)).to(np.int64)),
        },
        sampled=numpy.int64,
        slow=True,
    ),
    UNIFORM.but(
        key="permutation",
        title="a permutation of a million",
        make=permutation,
        own={
            "plain": _numpys(lambda generator: generator.permutation(N)),
            "torch": _torchs(lambda np: np.randperm(N)),
        },
        sampled=numpy.int64,
        slow=True,
    ),
]
