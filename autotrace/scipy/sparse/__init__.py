"""``scipy.sparse`` for traced code: its iterative solvers."""

from . import linalg

__all__ = ["linalg"]
