"""``scipy.cluster`` for traced values: ``vq``."""

from . import vq

__all__ = ["vq"]
