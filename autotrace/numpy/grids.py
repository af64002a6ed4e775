"""Indices of diagonals and triangles, open and full grids, and arrays written as an index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.errors import located
from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax.structural import reshape, transpose
from .arguments import check_dtype, common_dtype, operand, unsupported
from .asking import type_like
from .creation import arange, array, linspace, meshgrid
from .dispatch import has_tracer, implements
from .joining import concatenate, stack
from .picking import nonzero

# --- diagonals and triangles -------------------------------------------------------------------


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> tuple[Any, ...]:
    """As ``numpy.diag_indices_from``, on arrays and traced values.

    >>> diag_indices_from(np.zeros((2, 2)))
    (array([0, 1]), array([0, 1]))
    """
    if arr.ndim < 2:
        raise ValueError(located("input array must be at least 2-d"))
    if len(set(arr.shape)) > 1:
        raise ValueError(located("All dimensions of input must be of equal length"))
    return np.diag_indices(arr.shape[0], arr.ndim)


def _check_matrix(arr: Any) -> None:
    if arr.ndim != 2:
        raise ValueError(located("input array must be 2-d"))


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> tuple[Any, Any]:
    """As ``numpy.tril_indices_from``, on arrays and traced values.

    >>> tril_indices_from(np.zeros((2, 2)))
    (array([0, 1, 1]), array([0, 0, 1]))
    """
    _check_matrix(arr)
    return np.tril_indices(arr.shape[0], k, arr.shape[1])


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> tuple[Any, Any]:
    """As ``numpy.triu_indices_from``, on arrays and traced values.

    >>> triu_indices_from(np.zeros((2, 2)))
    (array([0, 0, 1]), array([0, 1, 1]))
    """
    _check_matrix(arr)
    return np.triu_indices(arr.shape[0], k, arr.shape[1])


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    """As ``numpy.ix_``, on arrays and traced values; of bools the number of True is asked for.

    >>> ix_(np.array([0, 2]), np.array([1]))
    (array([[0],
           [2]]), array([[1]]))
    """
    out = []
    for place, x in enumerate(map(operand, args)):
        if x.ndim != 1:
            raise ValueError(located("Cross index must be 1 dimensional"))
        if not x.size:
            x = arith.convert_element_type(x, np.intp)
        if x.dtype.kind == "b":
            (x,) = nonzero(x)
        out.append(reshape(x, (*(1,) * place, x.size, *(1,) * (len(args) - place - 1))))
    return tuple(out)


class ndenumerate:  # noqa: N801  NumPy's name
    """As ``numpy.ndenumerate``, of arrays and traced values.

    >>> list(ndenumerate(np.array([5, 6])))
    [((0,), np.int64(5)), ((1,), np.int64(6))]
    """

    def __init__(self, arr: Any):
        x = operand(arr)
        self._pairs = ((index, x[index]) for index in np.ndindex(*x.shape))

    def __next__(self) -> tuple[tuple[int, ...], Any]:
        return next(self._pairs)

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], Any]]:
        return self


# --- arrays written as an index ----------------------------------------------------------------


def _holds_tracer(key: Any) -> bool:
    """Whether a tracer is in an index, inside of slices too."""
    if isinstance(key, tuple):
        return any(map(_holds_tracer, key))
    if isinstance(key, slice):
        return has_tracer((key.start, key.stop, key.step))
    return has_tracer(key)


def _range(part: slice) -> Any:
    """The numbers that a slice stands for: a step of ``5j`` asks for five of them."""
    start, step = (d if x is None else x for x, d in ((part.start, 0), (part.step, 1)))
    stop = part.stop
    if isinstance(step, complex):
        return linspace(start, stop, int(abs(step)))
    return arange(start, stop, step)


class _Concatenator(type(np.r_)):  # type: ignore[misc]
    """``np.r_`` and ``np.c_``, of traced values, too.

    Args:
      axis: along which to join.
      ndmin: how many dimensions each part has at least.
      trans1d: where the dimensions go that a part has of its own.
    """

    def __init__(self, axis: int = 0, ndmin: int = 1, trans1d: int = -1):
        self.axis, self.ndmin, self.trans1d = axis, ndmin, trans1d
        self.matrix = False

    def __getitem__(self, key: Any) -> Any:
        if not _holds_tracer(key):
            return _original(self)[key]
        items = list(key) if isinstance(key, tuple) else [key]
        axis, ndmin, trans1d = self.axis, self.ndmin, self.trans1d
        if isinstance(items[0], str):
            axis, ndmin, trans1d = self._directive(items.pop(0))
        parts, kinds = [], []
        for item in items:
            if isinstance(item, str):
                raise ValueError(located("special directives must be the first entry."))
            if isinstance(item, slice):
                part = _range(item)
                own = part.ndim if trans1d != -1 else ndmin
            else:
                part = operand(item)
                own = part.ndim
            kinds.append(item if type(item) in (int, float, complex) else type_like(part))
            parts.append(self._widened(part, own, ndmin, trans1d))
        dtype = check_dtype(np.result_type(*kinds))
        return concatenate([arith.convert_element_type(p, dtype) for p in parts], axis)

    def _directive(self, text: str) -> tuple[int, int, int]:
        try:
            numbers = [int(n) for n in text.split(",")]
        except ValueError:
            if text in ("r", "c"):
                raise unsupported("r_", "a matrix") from None
            raise ValueError(located(f"unknown special directive {text!r}")) from None
        given = (*numbers, *(self.axis, self.ndmin, self.trans1d)[len(numbers) :])
        return given[0], given[1], given[2]

    @staticmethod
    def _widened(part: Any, own: int, ndmin: int, trans1d: int) -> Any:
        """A part with as many dimensions as asked for, its own where they belong."""
        part = (
            array(part, copy=False, ndmin=ndmin)
            if isinstance(part, Tracer)
            else np.array(part, ndmin=ndmin)
        )
        new = ndmin - own
        if trans1d == -1 or new <= 0:
            return part
        at = trans1d + new + 1 if trans1d < 0 else trans1d
        order = list(range(ndmin))
        return transpose(part, order[:at] + order[new:] + order[at:new])


class _Grid(type(np.mgrid)):  # type: ignore[misc]
    """``np.mgrid`` and ``np.ogrid``, between traced ends, too."""

    def __init__(self, sparse: bool):
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        if not _holds_tracer(key):
            return _original(self)[key]
        if isinstance(key, slice):
            return _range(key)
        parts = common_dtype([operand(_range(part)) for part in key])
        ranges = meshgrid(*parts, sparse=self.sparse, indexing="ij")
        return ranges if self.sparse else stack(ranges)


r_ = _Concatenator()
c_ = _Concatenator(-1, 2, 0)
mgrid = _Grid(False)
ogrid = _Grid(True)

_originals = {id(r_): np.r_, id(c_): np.c_, id(mgrid): np.mgrid, id(ogrid): np.ogrid}


def _original(ours: Any) -> Any:
    return _originals[id(ours)]


#: What has ours in the place of NumPy's while something is traced, since NumPy asks nobody.
in_place_of_numpys = {
    "c_": c_,
    "mgrid": mgrid,
    "ndenumerate": ndenumerate,
    "ogrid": ogrid,
    "r_": r_,
}
