"""Random numbers as pure functions of a key, in JAX's manner."""

from .keys import PRNGKey, clone, fold_in, key, key_data, key_impl, split, wrap_key_data
from .sampling import bits, normal, randint, uniform
