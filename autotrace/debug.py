"""Looking at values while traced code runs."""

from .api.effects import callback
from .api.effects import print_ as print  # noqa: A004  the public name is debug.print

__all__ = ["callback", "print"]
