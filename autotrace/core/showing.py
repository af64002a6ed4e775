"""What the objects that can be drawn have in common."""

from __future__ import annotations

from .lazy import LazyModule

# Drawing needs what is above this layer, and is needed seldom.
_visualize = LazyModule("autotrace.visualize")


class Drawable:
    """A program that can be drawn: see ``autotrace.visualize``."""

    __slots__ = ()

    def to_svg(self, max_equations: int = 100) -> str:
        """This as a picture: see ``autotrace.visualize.to_svg``."""
        return _visualize.to_svg(self, max_equations)

    def to_dot(self, max_equations: int = 100) -> str:
        """This in Graphviz's language: see ``autotrace.visualize.to_dot``."""
        return _visualize.to_dot(self, max_equations)

    def _repr_html_(self) -> str:
        return _visualize.to_html(self)
