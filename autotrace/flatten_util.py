"""``ravel_pytree`` under JAX's name; it is also in ``autotrace.tree``."""

from .api.raveling import ravel_pytree

__all__ = ["ravel_pytree"]
