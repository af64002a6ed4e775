"""What a row of the table is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: Makes a function of arrays from a library's NumPy-like namespace.
Maker = Callable[[Any], Callable]


@dataclass(frozen=True)
class Row:
    """One job for all libraries.

    Libraries that are used like NumPy share ``make``; one that has functions of its own for the
    job, which its users would take, has an entry in ``own``.
    """

    key: str
    title: str
    make: Maker
    inputs: Callable[[], tuple]
    #: "value", "gradient", "value_and_grad", "hvp" (inputs: point, direction), "step" (of SGD).
    wanted: str = "value"
    argnums: tuple[int, ...] = (0,)
    #: The same results in plain NumPy, where ``wanted`` is more than the value.
    by_hand: Callable | None = None
    #: Makers for libraries by name, in place of ``make``.
    own: Mapping[str, Maker] = field(default_factory=dict)
    #: Whether ``by_hand`` is in Numba's language, too.
    numba: bool = False
    #: The function in reference.c.
    c: str | None = None
    #: Who takes part, where it makes no sense for all.
    libraries: tuple[str, ...] | None = None
    #: Whether a call takes some libraries a second, so that there are few rounds.
    slow: bool = False
    #: For a row whose time is that of calls with inputs of new shapes: those of each round.
    new_inputs: Callable[[int], list[tuple]] | None = None
    #: For a row whose time is that of a new process's first call: "cold" or "warm", which is what
    #: the library's caches on disk are.
    first_call: str | None = None
    #: The dtype of a result that is random: of it, mean and deviation are what must be the same.
    sampled: type | None = None

    def maker(self, library: str) -> Maker:
        return self.own.get(library, self.make)

    def but(self, **changes: Any) -> Row:
        return replace(self, **changes)

    @property
    def single(self) -> bool:
        """Whether the result is one array and not a tuple."""
        return self.wanted in ("value", "hvp") or (
            self.wanted == "gradient" and len(self.argnums) == 1
        )


def total(make: Maker) -> Maker:
    """The sum of a function's result, whose gradient is its elementwise derivative."""

    def make_total(np):
        f = make(np)
        return lambda *args: np.sum(f(*args))

    return make_total


def weighted(make: Maker) -> Maker:
    """``sum(w * f(x))``, whose gradient is a general product with the Jacobian."""

    def make_weighted(np):
        f = make(np)
        return lambda x, w: np.sum(w * f(x))

    return make_weighted


def by_library(makers: Mapping[str, Maker], change: Callable[[Maker], Maker]) -> dict[str, Maker]:
    """The same change to the makers of all libraries."""
    return {library: change(make) for library, make in makers.items()}
