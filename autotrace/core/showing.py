"""What the objects that can be drawn have in common."""

from __future__ import annotations

from .lazy import LazyModule

# Drawing needs what is above this layer, and is needed seldom.
_visualize = LazyModule("autotrace.visualize")


#: How many lines the ``repr`` of a program has at most, and how many of them are its last ones.
_MOST_LINES, _LAST_LINES = 500, 10


def shortened(lines: list[str], rest: str) -> str:
    """Lines as one text, without the middle of a long one.

    Args:
      rest: how to see the rest.
    """
    if len(lines) <= _MOST_LINES:
        return "\n".join(lines)
    left_out = f"    ... {len(lines) - _MOST_LINES} more lines; {rest} ..."
    return "\n".join([*lines[: _MOST_LINES - _LAST_LINES], left_out, *lines[-_LAST_LINES:]])


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
