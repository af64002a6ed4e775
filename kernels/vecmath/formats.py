"""What the functions need to know of float64 and float32."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from . import coefficients

LN2 = Fraction(
    "0.693147180559945309417232121458176568075500134360255254120680009493393621969694716"
)
LN10 = Fraction(
    "2.30258509299404568401799145468436420760110148862877297603332790096757260967735248"
)
PI = Fraction(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899863"
)
ROOT_PI = Fraction(
    "1.77245385090551602729816748334114518279754945612238712821380778985291128459103"
)


class Format:
    """A floating format: its parameters, and exact constants rounded to it.

    Attributes:
      dtype: np.float64 or np.float32.
      digits: the bits of the mantissa that are stored.
      bias: the exponent's.
      one: the bits of 1.
      magic: adding this rounds a number to a whole one, found in the low bits of the sum.
    """

    def __init__(self, dtype: type):
        info = np.finfo(dtype)
        self.dtype = dtype
        self.digits = info.nmant
        self.bias = info.maxexp - 1
        self.one = self.bias << self.digits
        self.magic = dtype(1.5 * 2.0**info.nmant)
        self.smallest = dtype(info.smallest_normal)
        self.tiny = dtype(2.0 ** (-info.nmant - 2))
        self.suffix = "64" if dtype is np.float64 else "32"

    def poly(self, name: str, *first: float | Fraction) -> tuple:
        """Fitted coefficients, after the given ones."""
        table = getattr(coefficients, f"{name}_{self.suffix}")
        return tuple(self.dtype(float(c)) for c in (*first, *table))

    def numbers(self, *values: float | Fraction) -> Sequence:
        """The values in this format."""
        return [self.dtype(float(v)) for v in values]

    def split(self, value: Fraction, parts: int = 2, zeros: int = 0) -> list:
        """A constant as a sum of numbers of this format, the largest first.

        Args:
          value: the constant.
          parts: how many.
          zeros: how many bits at the end of the first one are 0, so that its products with
            small whole numbers are exact.
        """
        out = []
        for k in range(parts):
            part = self.dtype(float(value))
            if k == 0 and zeros:
                view = np.array([part]).view(np.uint64 if self.suffix == "64" else np.uint32)
                view[0] = int(view[0]) >> zeros << zeros
                part = view.view(self.dtype)[0]
            out.append(part)
            value -= Fraction(float(part))
        return out

    def bits(self, value: float) -> int:
        """The bits of a number of this format."""
        return int(self.dtype(value).view(np.uint64 if self.suffix == "64" else np.uint32))

    def choose(self, double: float, single: float) -> np.floating:
        """The number for this format of one for float64 and one for float32."""
        return self.dtype(double if self.suffix == "64" else single)


DOUBLE, SINGLE = Format(np.float64), Format(np.float32)
