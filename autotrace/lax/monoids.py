"""Reductions by an associative function of the user's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray, make_aval
from ..core.errors import located
from ..core.primitive import Primitive
from ..core.trace import Tracer, get_aval
from ..transforms.simplify import simplify_jaxpr
from ..transforms.stage import stage
from .families import operands
from .reductions import (
    reduce_and_p,
    reduce_max_p,
    reduce_min_p,
    reduce_or_p,
    reduce_prod_p,
    reduce_xor_p,
)
from .slicing import index_in_dim, slice_in_dim
from .structural import array, broadcast_to_shape, reduce_sum_p, reshape, transpose


class Monoid(NamedTuple):
    """An operation of one primitive, the reduction by it, and what changes nothing."""

    reduction: Primitive
    identity: Callable[[np.dtype], Any]


def _least(dtype: np.dtype) -> Any:
    return -math.inf if dtype.kind in "fc" else dtype.kind != "b" and np.iinfo(dtype).min


def _greatest(dtype: np.dtype) -> Any:
    return math.inf if dtype.kind in "fc" else dtype.kind == "b" or np.iinfo(dtype).max


_AND = Monoid(reduce_and_p, lambda dtype: np.invert(dtype.type(0)))
_OR = Monoid(reduce_or_p, lambda dtype: 0)
#: By the name of the primitive that combines two elements.
_MONOIDS = {
    "add": Monoid(reduce_sum_p, lambda dtype: 0),
    "mul": Monoid(reduce_prod_p, lambda dtype: 1),
    "max": Monoid(reduce_max_p, _least),
    "min": Monoid(reduce_min_p, _greatest),
    "bitwise_and": _AND,
    "bitwise_or": _OR,
    "bitwise_xor": Monoid(reduce_xor_p, lambda dtype: 0),
}
#: What the same are on bools.
_OF_BOOLS = _MONOIDS | {"add": _OR, "mul": _AND, "max": _OR, "min": _AND}


def monoid_of(computation: Callable, dtype: np.dtype) -> Monoid | None:
    """The operation that a function of two numbers is, None where it is none of those known."""

    def run(x: Any, y: Any) -> list[Any]:
        out = computation(x, y)
        return [out] if isinstance(out, Tracer) else []

    jaxpr = simplify_jaxpr(stage(run, [make_aval((), dtype)] * 2, "reduce"))
    if len(jaxpr.eqns) != 1 or jaxpr.outvars != list(jaxpr.eqns[0].outvars):
        return None
    eqn = jaxpr.eqns[0]
    if set(eqn.invars) != set(jaxpr.invars):
        return None
    return (_OF_BOOLS if dtype == np.bool_ else _MONOIDS).get(eqn.primitive.name)


class Computation:
    """A function of two numbers, or of two pytrees of numbers, that is applied to arrays.

    Args:
      name: the function that it was given to, for messages.
      function: the user's.
      structure: that of its arguments and of its result.
      avals: of the arrays.
    """

    def __init__(
        self,
        name: str,
        function: Callable,
        structure: tree.TreeDef,
        avals: Sequence[ShapedArray],
    ):
        self.name = name
        self.function = function
        self.structure = structure
        self.dtypes = [a.dtype for a in avals]
        # The one-leaf tree that is an array itself, and not a container of one.
        bare = structure == tree.structure(0)
        self.monoid = monoid_of(function, self.dtypes[0]) if bare else None

    def __call__(self, xs: Sequence[Any], ys: Sequence[Any]) -> list[Any]:
        """Combine arrays, element by element."""
        pair = (tree.unflatten(self.structure, xs), tree.unflatten(self.structure, ys))
        outs, found = tree.flatten(self.function(*pair))
        shape = np.broadcast_shapes(*(x.shape for x in (*xs, *ys)))
        avals = [get_aval(o) for o in outs]
        if found != self.structure or any(
            a.shape not in ((), shape) or a.dtype != d
            for a, d in zip(avals, self.dtypes, strict=True)
        ):
            expected = ", ".join(str(make_aval(shape, d)) for d in self.dtypes)
            raise TypeError(
                located(
                    f"{self.name}: the computation must return what it takes two of, {expected} "
                    f"in the structure {self.structure}; it returned "
                    f"{', '.join(map(str, avals))} in {found}",
                    "What to do: make it elementwise, and convert its result (astype).",
                )
            )
        return [broadcast_to_shape(array(o), shape) for o in outs]

    def fold(self, xs: Sequence[Any]) -> list[Any]:
        """Combine all along the first dimension, of at least one element: neighbours by pairs, so
        in a number of steps that is the logarithm of its size, and without changing the order."""
        rests = []
        size = xs[0].shape[0]
        while size > 1:
            if size % 2:
                rests.append([index_in_dim(x, size - 1, 0, keepdims=False) for x in xs])
            end = size - size % 2
            xs = self(
                [slice_in_dim(x, 0, end, 2) for x in xs], [slice_in_dim(x, 1, end, 2) for x in xs]
            )
            size //= 2
        total = [index_in_dim(x, 0, 0, keepdims=False) for x in xs]
        while rests:
            total = self(total, rests.pop())
        return total

    def with_init(self, inits: Sequence[Any], totals: Sequence[Any]) -> Sequence[Any]:
        """Combine the initial values with what was folded, where that changes anything."""
        if self.monoid is not None:
            identity = self.monoid.identity(self.dtypes[0])
            if not isinstance(inits[0], Tracer) and inits[0] == identity:
                return totals
        shape = totals[0].shape
        return self([broadcast_to_shape(i, shape) for i in inits], totals)


def operands_with_init(
    name: str, arrays: Any, init_values: Any
) -> tuple[list[Any], list[Any], tree.TreeDef]:
    """The leaves of operands of one shape, and of their initial values, scalars of their dtypes.

    Raises:
      TypeError: when they do not fit.
    """
    leaves, structure = tree.flatten(arrays)
    xs = [array(x) for x in leaves]
    inits = [
        operands(x, i)[1]
        for x, i in zip(xs, tree.flatten_up_to(structure, init_values, name), strict=True)
    ]
    shapes = {x.shape for x in xs}
    if len(shapes) != 1 or any(
        i.shape != () or i.dtype != x.dtype for x, i in zip(xs, inits, strict=True)
    ):
        raise TypeError(
            located(
                f"{name} takes arrays of one shape and for each an initial value, a scalar of its "
                f"dtype; got {', '.join(str(get_aval(x)) for x in xs)} and "
                f"{', '.join(str(get_aval(i)) for i in inits)}"
            )
        )
    return xs, inits, structure


def reduce(
    operands: Any,
    init_values: Any,
    computation: Callable[[Any, Any], Any],
    dimensions: Sequence[int],
) -> Any:
    """Combine the elements along some dimensions by an associative function.

    A ``computation`` that is one operation (``lax.add``, ``mul``, ``max``, ``min``,
    ``bitwise_and``, ``bitwise_or``, ``bitwise_xor``, or a function that does just that) is the
    reduction of that name. Any other is applied to whole arrays: to pairs of neighbours, to pairs
    of the results, and so on, in C order, which needs no more than that it is associative. Its
    derivative is that of what it is made of.

    Args:
      operands: an array, or a pytree of arrays of one shape.
      init_values: for each a scalar of its dtype, the first to be combined; ``computation`` should
        not be changed by it.
      computation: takes two like ``operands`` and returns one, elementwise.
      dimensions: the dimensions to reduce over, non-negative.

    Returns:
      Like ``operands``, without those dimensions; over no elements, ``init_values`` everywhere.

    Raises:
      TypeError: when the operands or what ``computation`` returns do not fit, or there are no such
        dimensions.

    >>> import autotrace.lax as lax, numpy as np
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> lax.reduce(x, 0.0, lax.add, (1,))
    array([3., 7.])
    >>> lax.reduce(x, 0.0, np.hypot, (0, 1)) ** 2
    np.float64(30.0)

    Pairs reduce together; this is the greatest element and its place:

    >>> def later(a, b):
    ...     return tuple(np.where(a[0] >= b[0], p, q) for p, q in zip(a, b))
    >>> value, place = lax.reduce(
    ...     (x, np.arange(4).reshape(2, 2)), (-np.inf, -1), later, (0, 1)
    ... )
    >>> float(value), int(place)
    (4.0, 3)
    """
    xs, inits, structure = operands_with_init("reduce", operands, init_values)
    shape, axes = xs[0].shape, tuple(dimensions)
    if len(set(axes)) != len(axes) or any(not 0 <= d < len(shape) for d in axes):
        raise TypeError(located(f"reduce: {axes} are not different dimensions of shape {shape}"))
    combine = Computation("reduce", computation, structure, [get_aval(x) for x in xs])
    kept = [d for d in range(len(shape)) if d not in axes]
    sizes = [shape[d] for d in kept]
    count = math.prod(shape[d] for d in axes)
    totals: Sequence[Any]
    if not count:
        totals = [broadcast_to_shape(i, tuple(sizes)) for i in inits]
    elif combine.monoid is not None:
        totals = [combine.monoid.reduction.bind(xs[0], axes=axes)] if axes else xs
        totals = combine.with_init(inits, totals)
    else:
        lines = [reshape(transpose(x, (*axes, *kept)), (count, *sizes)) for x in xs]
        totals = combine.with_init(inits, combine.fold(lines))
    return tree.unflatten(structure, totals)
