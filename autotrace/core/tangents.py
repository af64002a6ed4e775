"""What stands for a linear input, and for tangents that are zero.

A tangent or cotangent of ``None`` is a symbolic zero: rules pass over it instead of computing with
it. ``instantiate`` makes an array of it where one is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .avals import ShapedArray, float0, tangent_aval, zeros_of
from .trace import get_aval


class LinearInput:
    """In a transpose rule, an argument in which the primitive is linear and is transposed."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def ndim(self) -> int:
        return len(self.aval.shape)

    def __repr__(self) -> str:
        return f"LinearInput({self.aval})"


def instantiate(tangent: Any, primal: Any) -> Any:
    """The tangent, or an array of zeros of the primal's type where it is a symbolic zero."""
    return zeros_of(tangent_aval(get_aval(primal))) if tangent is None else tangent


def float0_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """The one tangent that an integer or bool array has."""
    return np.zeros(shape, float0)
