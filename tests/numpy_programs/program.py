"""What an entry of the collection says about a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Program:
    """A function as somebody wrote it for NumPy, and what to call it with.

    Attributes:
      function: the program.
      inputs: its arguments.
      others: other arguments: with values that make branches and trip counts come out otherwise
        where the program has any.
      wrt: the positions of the arguments to differentiate by; none where that makes no sense.
    """

    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    others: tuple[Any, ...]
    wrt: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return (self.function.__doc__ or self.name).strip().splitlines()[0].rstrip(".")
