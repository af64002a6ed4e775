"""Structural zeros through select: cotangents that count in some lanes only.

The derivative of ``where(x > 0, sqrt(x), 0)`` at 0 is 0, though that of ``sqrt`` is infinite there
and ``0 * inf`` is NaN: a case that was not taken contributes nothing, whatever its derivative. So
the transpose of a select puts no zeros into the cotangents of its cases. It leaves them *pending*:
the cotangent as it came, and the lanes in which it counts. Elementwise linear primitives work on
it and leave it pending; the select is made where something else needs the array, after infinities
and NaN have got into the lanes that it drops. Primitives that rearrange elements take the select
at once, but remember which of their cotangent's elements came from a lane that counts. So do calls
of a jaxpr; within it, and behind it, the lanes are those where the cotangent is not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import make_aval, uniform
from ..core.primitive import Primitive, primitives
from ..core.tangents import LinearInput

_MASK_DTYPE = np.dtype(np.float32)


class Choice:
    """What a select chooses by: ``which`` holds for each lane the number of its case.

    It is made when it is first asked for; most choices made by rearranging never are.
    """

    __slots__ = ("_make", "_which", "count")

    def __init__(self, count: int, which: Any = None, make: Callable[[], Any] | None = None):
        self.count = count
        self._which = which
        self._make = make

    def same(self, other: Choice) -> bool:
        """Whether two are known to choose alike."""
        return self is other or (self._which is not None and self._which is other._which)

    def select(self, cts: dict[int, Any]) -> Any:
        """The given cotangent in the lanes of each case, zero in those of the others."""
        if self._which is None and self._make is not None:
            self._which, self._make = self._make(), None
        zero = next(iter(cts.values())).dtype.type(0)
        cases = [cts.get(case, zero) for case in range(self.count)]
        return primitives["select_n"].bind(self._which, *cases)


class Pending:
    """A cotangent beneath selects that have not been made.

    Attributes:
      ct: the cotangent; arbitrary outside its lanes, unless ``exact`` says that it is zero there.
      lanes: the selects, the outermost first: a choice and the case that is this one's.
    """

    __slots__ = ("ct", "exact", "lanes")

    def __init__(self, ct: Any, lanes: tuple[tuple[Choice, int], ...], exact: bool = False):
        self.ct = ct
        self.lanes = lanes
        self.exact = exact

    def beneath(self, depth: int) -> Any:
        """The cotangent with all selects made but the outermost few."""
        ct = self.ct
        if not self.exact:
            for choice, case in reversed(self.lanes[depth:]):
                ct = choice.select({case: ct})
        return ct

    def mask(self, depth: int = 0) -> Any:
        """1 where it counts as far as the inner selects go, 0 elsewhere."""
        ones = uniform(self.ct.shape, _MASK_DTYPE, 1)
        return Pending(ones, self.lanes[depth:]).beneath(0)


def settled(ct: Any) -> Any:
    """A cotangent (or None) with the selects made that it is under."""
    return ct.beneath(0) if type(ct) is Pending else ct


def unsettled(ct: Any) -> Pending:
    """A cotangent that has been settled, and counts where it is not zero."""
    return Pending(ct, ((_where_nonzero(lambda: ct), 1),), exact=True)


def add_pending(x: Any, y: Any) -> Any:
    """The sum of two cotangents of one variable, pending or not: it counts where one of them
    does."""
    if type(x) is not Pending or type(y) is not Pending:
        return settled(x) + settled(y)
    if x.lanes == y.lanes:
        return Pending(x.ct + y.ct, x.lanes, x.exact and y.exact)
    shared = 0
    for (choice, case), (other, other_case) in zip(x.lanes, y.lanes, strict=False):
        if case != other_case or not choice.same(other):
            break
        shared += 1
    lanes = x.lanes[:shared]
    if shared == len(x.lanes) == len(y.lanes):
        return Pending(x.ct + y.ct, lanes, x.exact and y.exact)
    if not x.exact and not y.exact and shared + 1 == len(x.lanes) == len(y.lanes):
        (choice, case), (other, other_case) = x.lanes[-1], y.lanes[-1]
        if choice.count == 2 and choice.same(other):  # each lane has one of them: no sum, no select
            total = choice.select({case: x.ct, other_case: y.ct})
            return Pending(total, lanes) if lanes else total
    total = x.beneath(shared) + y.beneath(shared)
    either = _where_nonzero(lambda: x.mask(shared) + y.mask(shared))
    return Pending(total, (*lanes, (either, 1)), not lanes or (x.exact and y.exact))


def _where_nonzero(make: Callable[[], Any]) -> Choice:
    """The choice of case 1 where an array, made when it is asked for, is not zero."""
    convert = primitives["convert_element_type"]
    return Choice(2, make=lambda: convert.bind(make(), new_dtype=np.dtype(np.bool_)))


def transpose_pending(
    primitive: Primitive, ct: Pending, args: Sequence[Any], params: dict[str, Any]
) -> Sequence[Any]:
    """Apply a primitive's transpose rule, which knows of arrays only, to a pending cotangent.

    Args:
      primitive: has one output.
      ct: the output's cotangent.
      args, params: as the rule takes them.

    Returns:
      A cotangent or None for each argument, as the rule does.
    """
    rule = primitive.rule("transpose", "reverse mode")
    if primitive.elementwise:
        shape = ct.ct.shape
        # A scalar operand stands for an array that repeats it: to sum comes after the select.
        full = [
            LinearInput(make_aval(shape, a.aval.dtype))
            if type(a) is LinearInput and a.aval.shape != shape
            else a
            for a in args
        ]
        cts: list[Any] = []
        for c, arg in zip(rule(ct.ct, *full, **params), args, strict=True):
            if c is not None:
                # What is pending already is so by this primitive, which is a select itself.
                inner, lanes = (c.ct, c.lanes) if type(c) is Pending else (c, ())
                c = Pending(inner, ct.lanes + lanes)
                if arg.aval.shape != shape:
                    c = _repeated_scalar(c, arg)
            cts.append(c)
        return cts
    if primitive.rearranges:
        return _rearranged(rule, ct, args, params)
    return rule(settled(ct), *args, **params)


def _repeated_scalar(ct: Pending, arg: LinearInput) -> Pending:
    """The cotangent of a scalar, from that of an array that repeats it."""
    broadcast = primitives["broadcast_in_dim"].rule("transpose", "reverse mode")
    params = {"shape": ct.ct.shape, "broadcast_dimensions": ()}
    return _rearranged(broadcast, ct, [arg], params)[0]


def _rearranged(
    rule: Callable, ct: Pending, args: Sequence[Any], params: dict[str, Any]
) -> list[Any]:
    """The transpose of a primitive whose outputs are sums of elements of its operands: an element
    of theirs counts where it went into one that does, and there are such where the transpose of
    ones in the lanes that count, zeros in the others, is not zero."""

    def masks() -> list[Any]:
        placeholders = [
            LinearInput(make_aval(a.shape, _MASK_DTYPE)) if type(a) is LinearInput else a
            for a in args
        ]
        return rule(ct.mask(), *placeholders, **params)

    def counts(index: int) -> Choice:
        return _where_nonzero(lambda: masks()[index])

    return [
        None if c is None else Pending(c, ((counts(index), 1),), exact=True)
        for index, c in enumerate(rule(ct.beneath(0), *args, **params))
    ]
