"""A call of every sampler of ``autotrace.random``."""

from __future__ import annotations

import numpy as np

#: A call of every sampler: parameters by name.
CALLS: dict[str, dict] = {
    **{
        name: {}
        for name in (
            "bits", "cauchy", "exponential", "gumbel", "laplace", "logistic", "maxwell", "normal",
            "rademacher", "uniform",
        )
    },
    "ball": {"d": 3},
    "bernoulli": {"p": 0.4},
    "beta": {"a": 0.7, "b": 2.0},
    "binomial": {"n": 30.0, "p": 0.6},
    "categorical": {"logits": np.log([[0.2, 0.8], [0.5, 0.5]])},
    "chisquare": {"df": 3.0},
    "choice": {"a": np.arange(12.0).reshape(4, 3)},
    "dirichlet": {"alpha": np.array([0.5, 2.0])},
    "double_sided_maxwell": {"loc": 1.0, "scale": 2.0},
    "f": {"dfnum": 3.0, "dfden": 4.0},
    "gamma": {"a": 0.7},
    "generalized_normal": {"p": 3.0},
    "geometric": {"p": 0.3},
    "loggamma": {"a": 0.7},
    "lognormal": {"sigma": 0.5},
    "multinomial": {"n": 20.0, "p": np.array([0.3, 0.7])},
    "multivariate_normal": {"mean": np.ones(2), "cov": np.array([[2.0, 0.5], [0.5, 1.0]])},
    "orthogonal": {"n": 3},
    "pareto": {"b": 2.0},
    "permutation": {"x": np.arange(4.0)},
    "poisson": {"lam": np.array([3.0, 20.0])},
    "randint": {"shape": (2,), "minval": 0, "maxval": 9},
    "rayleigh": {"scale": 2.0},
    "shuffle": {"x": np.arange(8.0).reshape(4, 2)},
    "t": {"df": 3.0},
    "triangular": {"left": 0.0, "mode": 1.0, "right": 3.0},
    "truncated_normal": {"lower": -1.0, "upper": 2.0},
    "wald": {"mean": 2.0},
    "weibull_min": {"scale": 2.0, "concentration": 3.0},
}  # fmt: skip

#: Those that are functions of their parameters with a derivative in these, at a fixed key.
SMOOTH = {
    "uniform": {"minval": -1.0, "maxval": 2.0},
    **{
        name: CALLS[name]
        for name in (
            "double_sided_maxwell", "lognormal", "pareto", "rayleigh", "triangular",
            "truncated_normal", "wald", "weibull_min",
        )
    },
}  # fmt: skip
NO_SAMPLERS = {
    "PRNGKey",
    "key",
    "split",
    "fold_in",
    "key_data",
    "wrap_key_data",
    "clone",
    "key_impl",
}
