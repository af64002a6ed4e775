"""Values that derivatives take as constants."""

from __future__ import annotations

from typing import TypeVar

from ..core import tree
from ..transforms.held import giving_own
from . import arithmetic

A = TypeVar("A")


def stop_gradient(x: A) -> A:
    """The same value, taken as a constant by every derivative.

    Args:
      x: a pytree; leaves that are not floating or complex arrays stay as they are.

    Returns:
      The pytree.

    >>> import autotrace as at
    >>> at.grad(lambda x: x * at.stop_gradient(x * x))(3.0)
    np.float64(9.0)
    """
    return tree.map(giving_own(arithmetic.stop_gradient), x)
