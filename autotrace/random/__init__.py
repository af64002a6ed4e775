"""Random numbers as pure functions of a key, in JAX's manner."""

from .gamma import beta, chisquare, dirichlet, f, gamma, loggamma, t
from .keys import PRNGKey, clone, fold_in, key, key_data, key_impl, split, wrap_key_data
from .sampling import bits, normal, randint, uniform
