"""Random numbers as pure functions of a key, in JAX's manner."""
