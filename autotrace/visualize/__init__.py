"""Programs as pictures: jaxprs, and what compiled functions run.

What ``make_jaxpr(f)(x)`` and ``jit(f).explain(x)`` return can be drawn: ``to_svg()`` makes a
picture without any other program, ``to_dot()`` the same for Graphviz, and notebooks show both kinds
of objects as text that folds. The functions here do the same.

Equations are boxes; jaxprs within them (loops, branches, calls) are clusters. In a compiled program
what runs together as one kernel is a cluster with a color, loops in machine code are gray, calls of
libraries violet, host steps, where NumPy's implementation runs, orange. A dashed box costs nothing
of its own: it changes how an array is read. Where the pointer rests, the whole equation is shown,
with the user's line.
"""

from __future__ import annotations

from typing import Any

from ..core.jaxpr import Jaxpr
from ..transforms.backends import Explained
from . import dot, html, svg
from .graphs import Graph
from .programs import program_graph
from .questions import question_graph

__all__ = ["Svg", "to_dot", "to_html", "to_svg"]


class Svg(str):
    """SVG as a string, which notebooks show as a picture."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)


def to_svg(program: Any, max_equations: int = 100) -> Svg:
    """A program as a picture.

    Args:
      program: a jaxpr, or what ``jit(f).explain(...)`` returns.
      max_equations: how many equations are drawn, those in loops and branches included; one box
        says how many more there are.

    Returns:
      An SVG document, a string: write it to a file, or have a notebook show it.

    Raises:
      TypeError: for what is no program.

    >>> import numpy as np
    >>> from autotrace import make_jaxpr
    >>> picture = to_svg(make_jaxpr(np.sin)(1.0))
    >>> picture.startswith("<svg"), "b = sin a" in picture
    (True, True)
    """
    return Svg(svg.render(_graph(program, max_equations, "to_svg")))


def to_dot(program: Any, max_equations: int = 100) -> str:
    """A program in Graphviz's language.

    Args:
      program, max_equations: as those of ``to_svg``.

    Raises:
      TypeError: for what is no program.

    >>> import numpy as np
    >>> from autotrace import make_jaxpr
    >>> print(to_dot(make_jaxpr(np.sin)(1.0)).splitlines()[0])
    digraph program {
    """
    return dot.render(_graph(program, max_equations, "to_dot"))


def to_html(program: Any) -> str:
    """A program as notebooks show it: text whose parts fold, with types and the user's lines where
    the pointer rests.

    Args:
      program: as that of ``to_svg``.

    Raises:
      TypeError: for what is no program.
    """
    if isinstance(program, Jaxpr):
        return html.jaxpr_html(program)
    found = _found(program, "to_html")
    if isinstance(found, Explained):
        return html.program_html(found, program)
    return html.text_html(program, question_graph(found, html.DRAWN))


def _found(program: Any, what: str) -> Any:
    if not hasattr(program, "program"):
        raise TypeError(
            f"{what} takes a jaxpr, of make_jaxpr(f)(x), or what jit(f).explain(x) returns, got "
            f"{type(program).__name__}"
        )
    return program.program


def _graph(program: Any, max_equations: int, what: str) -> Graph:
    if isinstance(program, Jaxpr):
        return program_graph(Explained(program, [], {}, ""), max_equations)
    found = _found(program, what)
    draw = program_graph if isinstance(found, Explained) else question_graph
    return draw(found, max_equations)
