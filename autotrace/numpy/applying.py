"""Functions that apply the user's functions: to rows, to scalars, piece by piece."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import uniform
from ..core.errors import (
    ConcretizationError,
    NonDifferentiableError,
    TracerArrayError,
    located,
)
from ..lax import arithmetic as arith
from ..lax.structural import batched_at, reshape
from ..transforms.batch import Axis, batch_flat
from . import ufuncs
from .arguments import check_dtype, normal_axis, operand
from .dispatch import has_tracer, implements
from .joining import stack
from .manipulation import expand_dims, moveaxis
from .promotion import asarray, broadcast_shapes, broadcast_to, promote_dtypes, to_dtype


def met_tracer(error: Exception) -> bool:
    """Whether NumPy could not go on since a function that it applied made a traced value."""
    ours = (TracerArrayError, NonDifferentiableError)
    return isinstance(error, ours) or isinstance(error.__cause__, ours)


# --- choices -----------------------------------------------------------------------------------


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """As ``numpy.select``, on arrays and traced values; a choice that is not taken contributes
    nothing to the derivative.

    >>> x = np.arange(4)
    >>> select([x < 1, x > 2], [x, x**2], 42)
    array([ 0, 42, 42,  9])
    """
    if len(condlist) != len(choicelist):
        raise ValueError(located("list of cases must be same length as list of conditions"))
    if not len(condlist):
        raise ValueError(located("select with an empty condition list is not possible"))
    conditions = [operand(c) for c in condlist]
    for place, condition in enumerate(conditions):
        if condition.dtype.kind != "b":
            raise TypeError(
                located(
                    f"invalid entry {place} in condlist: should be boolean ndarray, has dtype "
                    f"{condition.dtype}"
                )
            )
    *choices, out = promote_dtypes(*map(asarray, choicelist), asarray(default))
    shape = broadcast_shapes(*(z.shape for z in (*conditions, *choices, out)))
    out = broadcast_to(out, shape)
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        out = ufuncs.where(condition, choice, out)
    return out


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """As ``numpy.piecewise``, on arrays and traced values.

    Args:
      funclist: functions of elements: each is given all of traced ``x`` and what it returns is
        taken where its condition holds; elsewhere it contributes nothing to the derivative.

    >>> x = np.array([-1.0, 0.0, 2.0])
    >>> piecewise(x, [x < 0, x >= 0], [-1, lambda v: v**2])
    array([-1.,  0.,  4.])
    """
    x = operand(x)
    single = not isinstance(condlist, list | tuple) or (
        len(condlist) > 0 and not np.ndim(condlist[0]) and x.ndim != 0
    )
    if single and np.ndim(condlist) <= x.ndim:
        condlist = [condlist]
    masks = [ufuncs.as_bool(operand(c)) for c in condlist]
    count = len(masks)
    if count == len(funclist) - 1:
        some: Any = np.False_
        for mask in masks:
            some = ufuncs.logical_or(some, mask)
        masks.append(ufuncs.logical_not(some))
    elif count != len(funclist):
        raise ValueError(
            located(
                f"with {count} condition(s), either {count} or {count + 1} functions are expected"
            )
        )
    out: Any = uniform(x.shape, x.dtype)
    for mask, function in zip(masks, funclist, strict=True):
        value = function(x, *args, **kw) if callable(function) else function
        value = to_dtype(asarray(value), x.dtype)
        out = ufuncs.where(mask, value, out)
    return out


# --- rows --------------------------------------------------------------------------------------


def _for_each(function: Callable, arrays: Sequence[Any], size: int) -> tuple[list[Any], bool]:
    """Apply a function to the elements along the first axis of arrays.

    At once, as by ``vmap``; one after another where the function asks for values.

    Returns:
      What it returned, stacked along the first axis, and whether that was a tuple.
    """
    several = False

    def flat(*elements: Any) -> list[Any]:
        nonlocal several
        out = function(*elements)
        several = isinstance(out, tuple)
        return [operand(y) for y in out] if several else [operand(out)]

    try:
        outs, dims = batch_flat(flat, Axis(size), arrays, [0] * len(arrays))
        stacked = [batched_at(y, d, Axis(size)) for y, d in zip(outs, dims, strict=True)]
    except ConcretizationError:
        rows = [flat(*(x[n] for x in arrays)) for n in range(size)]
        stacked = [stack(column) for column in zip(*rows, strict=True)]
    return stacked, several


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable, axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """As ``numpy.apply_along_axis``, on arrays and traced values; to all rows at once, or to one
    after another where the function asks for values.

    >>> apply_along_axis(lambda row: row[0] + row[-1], 1, np.array([[1, 2, 3], [4, 5, 6]]))
    array([ 4, 10])
    """
    x = operand(arr)
    axis = normal_axis(axis, x.ndim)
    rows = moveaxis(x, axis, -1)
    lead, size = rows.shape[:-1], x.shape[axis]
    count = int(np.prod(lead, dtype=int))
    if not count:
        raise ValueError(located("Cannot apply_along_axis when any iteration dimensions are 0"))
    (out,), _ = _for_each(
        lambda row: func1d(row, *args, **kwargs), [reshape(rows, (count, size))], count
    )
    new = out.ndim - 1
    out = reshape(out, (*lead, *out.shape[1:]))
    # The result's own dimensions go where the row's was.
    places = range(len(lead), len(lead) + new)
    return moveaxis(out, tuple(places), tuple(range(axis, axis + new)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable, a: Any, axes: Any) -> Any:
    """As ``numpy.apply_over_axes``, on arrays and traced values.

    >>> apply_over_axes(np.sum, np.ones((2, 3)), (0, 1))
    array([[6.]])
    """
    out = operand(a)
    ndim = out.ndim
    for axis in axes if np.ndim(axes) else (axes,):
        axis = axis + ndim if axis < 0 else axis
        part = func(out, axis)
        out = part if part.ndim == out.ndim else expand_dims(part, axis)
        if out.ndim != ndim:
            raise ValueError(located("function is not returning an array of the correct shape"))
    return out


# --- scalars -----------------------------------------------------------------------------------

_CORE = re.compile(r"\(([^()]*)\)")


def _core_dims(signature: str) -> tuple[list[list[str]], int]:
    """The names of the dimensions of each argument, and the number of results."""
    left, _, right = signature.replace(" ", "").partition("->")
    names = [[n for n in part.split(",") if n] for part in _CORE.findall(left)]
    return names, len(_CORE.findall(right))


class _Vectorize(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, np.vectorize)


class vectorize(np.vectorize, metaclass=_Vectorize):  # noqa: N801  NumPy's name
    """As ``numpy.vectorize``, on arrays and traced values, with ``otypes``, ``excluded`` and
    ``signature``.

    On traced values the function is applied to all elements at once, as by ``vmap``, or to one
    after another where it asks for values. Without ``otypes`` results have the dtype of all of
    them, and not of the first one.

    >>> step = vectorize(lambda a, b: a - b if a > b else a + b)
    >>> step([1, 2, 3, 4], 2)
    array([3, 4, 1, 2])
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not has_tracer((args, kwargs)):
            try:
                return super().__call__(*args, **kwargs)
            except (TypeError, ValueError) as error:
                if not met_tracer(error):
                    raise
        names = [name for name in kwargs if name not in self.excluded]
        places = [n for n in range(len(args)) if n not in self.excluded]
        given = [operand(args[n]) for n in places] + [operand(kwargs[name]) for name in names]

        def one(*elements: Any) -> Any:
            full, named = list(args), dict(kwargs)
            for n, x in zip(places, elements, strict=False):
                full[n] = x
            named.update(zip(names, elements[len(places) :], strict=True))
            return self.pyfunc(*full, **named)

        outs, several = self._over(one, given)
        if self.otypes:
            dtypes = [check_dtype(t) for t in self.otypes]
            outs = [arith.convert_element_type(y, d) for y, d in zip(outs, dtypes, strict=True)]
        return tuple(outs) if several else outs[0]

    def _over(self, one: Callable, given: list[Any]) -> tuple[list[Any], bool]:
        """The results for all elements, of the shape that they are broadcast to."""
        if self.signature is None:
            ranks = [0] * len(given)
        else:
            names, _ = _core_dims(self.signature)
            if len(names) != len(given):
                raise TypeError(
                    located(
                        f"wrong number of positional arguments: expected {len(names)}, got "
                        f"{len(given)}"
                    )
                )
            ranks = [len(n) for n in names]
            self._check_sizes(given, names)
        stacks = [x.shape[: x.ndim - r] for x, r in zip(given, ranks, strict=True)]
        shape = broadcast_shapes(*stacks)
        count = int(np.prod(shape, dtype=int))
        if not count:
            raise ValueError(
                located("cannot call `vectorize` of traced values on inputs of size 0")
            )
        flat = [
            reshape(
                broadcast_to(x, (*shape, *x.shape[x.ndim - r :])), (count, *x.shape[x.ndim - r :])
            )
            for x, r in zip(given, ranks, strict=True)
        ]
        outs, several = _for_each(one, flat, count)
        return [reshape(y, (*shape, *y.shape[1:])) for y in outs], several

    @staticmethod
    def _check_sizes(given: list[Any], names: list[list[str]]) -> None:
        sizes: dict[str, int] = {}
        for x, dims in zip(given, names, strict=True):
            if x.ndim < len(dims):
                raise ValueError(
                    located(
                        f"{x.ndim}-dimensional argument does not have enough dimensions for all "
                        f"core dimensions ({','.join(dims)})"
                    )
                )
            for name, n in zip(dims, x.shape[x.ndim - len(dims) :], strict=True):
                if sizes.setdefault(name, n) != n:
                    raise ValueError(
                        located(
                            f"inconsistent size for core dimension {name!r}: {sizes[name]} vs {n}"
                        )
                    )


#: What has ours in the place of NumPy's while something is traced, since NumPy asks nobody.
in_place_of_numpys = {"vectorize": vectorize}
