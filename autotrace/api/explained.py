"""What a call of a jitted function runs, as an object to be read and drawn."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.showing import Drawable, shortened
from ..transforms.backends import Explained
from ..transforms.questions import End, Node


class Explanation(str, Drawable):
    """What a call of a jitted function runs: a string, which ``to_svg`` and ``to_dot`` draw and
    notebooks show as text that folds. It pickles as its text.

    Attributes:
      program: what was compiled, or the questions and ends of a function that asks for values.
    """

    __slots__ = ("program",)

    program: Explained | Sequence[Node | End]

    def __new__(cls, text: str, program: Explained | Sequence[Node | End]) -> Explanation:
        made = super().__new__(cls, text)
        made.program = program
        return made

    def __repr__(self) -> str:
        return shortened(self.splitlines(), "print shows them all")

    def __str__(self) -> str:
        return str.__str__(self)

    def __reduce__(self) -> tuple:
        return str, (str(self),)
