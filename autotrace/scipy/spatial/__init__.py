"""``scipy.spatial`` for traced values: ``transform``."""

from . import transform

__all__ = ["transform"]
