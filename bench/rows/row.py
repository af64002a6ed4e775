"""What a row of the table is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: Makes a function of arrays from a library's NumPy-like namespace.
Maker = Callable[[Any], Callable]


#: What can be measured, and its unit.
KINDS = {
    "steady": "s",  # a call, after many
    "new_inputs": "s",  # calls with inputs of new shapes
    "cold": "s",  # a new process's first call after the library's import, with no disk caches
    "warm": "s",  # the same with disk caches
    "import": "s",  # import and first call, with disk caches
    "compile": "s",  # the first call of a function, in a process that has compiled others
    "memory": "B",  # what the process has more of during a call
    "ulp": "ulp",  # the largest error of a function's values
}


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
    #: What is measured, a key of ``KINDS``.
    kind: str = "steady"
    #: For the kind "new_inputs": those of each round.
    new_inputs: Callable[[int], list[tuple]] | None = None
    #: For the kind "compile": a program of another structure for each round.
    variant: Callable[[int], Maker] | None = None
    #: For the kind "memory": small inputs, for what a first call loads and keeps.
    small_inputs: Callable[[], tuple] | None = None
    #: For the kind "ulp": mpmath's name of the function.
    exact: str | None = None
    threads: int = 1
    #: Whether it is measured by default.
    default: bool = True
    #: Whether the libraries that take many seconds to compile are measured by default, too.
    compilers: bool = False
    #: The picture with this row, and where on its horizontal axis.
    curve: str | None = None
    x: float | None = None
    #: Arithmetic operations, and bytes read and written at least, for the roofline.
    flops: float | None = None
    traffic: float | None = None
    #: The dtype of a result that is random: of it, mean and deviation are what must be the same.
    sampled: type | None = None

    @property
    def unit(self) -> str:
        return KINDS[self.kind]

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
