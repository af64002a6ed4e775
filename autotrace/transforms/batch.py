"""Batching: running a function of one example on many at once.

A batch tracer carries an array with one more dimension than the function sees, and where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..core.avals import ShapedArray, make_aval, weak_aval
from ..core.primitive import Primitive
from ..core.trace import Trace, Tracer, concretization_error, from_outside, get_aval, leaked, slot

_CONCRETE_REMEDY = (
    "What to do: for a choice between values use np.where; or loop over the examples in Python "
    "and stack the results; or pass the argument with in_axes=None where it is the same for all."
)


class Axis(NamedTuple):
    """The axis being mapped: its size, and its name or None."""

    size: int
    name: Any = None


class Structured:
    """A batch that is kept in less memory than an array with a batch dim; see ``lax.tied``."""

    __slots__ = ()

    @property
    def aval(self) -> ShapedArray:
        """The type of one example."""
        raise NotImplementedError

    @property
    def has_zeros(self) -> bool:
        """Whether it still leaves out zeros."""
        raise NotImplementedError

    def dense(self) -> Any:
        """The array, with the batch dim in front."""
        raise NotImplementedError


class BatchTracer(Tracer):
    """A batched array that shows itself as one example.

    Its value may also be ``Structured``; it becomes an array where one is needed.
    """

    __slots__ = ()
    value = slot("_carried")
    bdim = slot("_beside")
    _weak = slot("_noted")

    def __init__(self, trace: BatchTrace, value: Any, bdim: int):
        self.owner = trace
        self.value = value
        self.bdim = bdim
        self._weak = False

    @property
    def aval(self) -> ShapedArray:
        if isinstance(self.value, Structured):
            return self.value.aval
        aval = get_aval(self.value)
        shape = aval.shape[: self.bdim] + aval.shape[self.bdim + 1 :]
        out = make_aval(shape, aval.dtype)
        return weak_aval(out) if self._weak else out

    def weaken(self) -> BatchTracer:
        """Mark this fresh value as standing for a Python scalar."""
        self._weak = True
        return self

    def concrete(self, asked: str, kind: Callable[[Any], Any] | None = None) -> Any:
        if not self.owner.alive:
            raise leaked(self.owner)
        raise concretization_error(
            self,
            asked,
            "under vmap it stands for many examples at once, so there is no one number.",
            _CONCRETE_REMEDY,
        )


class BatchTrace(Trace):
    """Hands each primitive to its batching rule."""

    __slots__ = ("axis", "axis_name", "axis_size", "structured")

    transform = "vmap"

    def __init__(self, axis: Axis):
        self.axis = axis
        self.axis_name = axis.name
        self.axis_size = axis.size
        #: Whether there are structured values among what it batches.
        self.structured = False

    def process(self, primitive: Primitive, args: tuple, params: dict) -> Any:
        if not self.alive:
            raise leaked(self)
        if self.structured and primitive.tied is not None:
            kept = self._structured(primitive, args, params)
            if kept is not None:
                return kept
        values, dims = [], []
        for arg in args:
            value, dim = self.split(arg)
            values.append(value)
            dims.append(dim)
        rule = primitive.batch or primitive.rule("batch", "vmap")
        out, dim = rule(self.axis, values, dims, **params)
        if primitive.multiple_results:
            return [self.join(*pair) for pair in zip(out, dim, strict=True)]
        return self.join(out, dim)

    def _structured(self, primitive: Primitive, args: tuple, params: dict) -> Any:
        """The result as a structured value, None where it has to be an array."""
        values = []
        for arg in args:
            mine = type(arg) is BatchTracer and arg.owner is self
            if mine and not isinstance(arg.value, Structured):
                return None
            values.append(arg.value if mine else from_outside(arg))
        out = primitive.tied(values, **params)  # type: ignore[misc]
        if out is None:
            return None
        return BatchTracer(self, out if out.has_zeros else out.dense(), 0)

    def split(self, x: Any) -> tuple[Any, int | None]:
        """The array and its batch dim, None where it is the same for all examples."""
        if type(x) is BatchTracer and x.owner is self:
            if isinstance(x.value, Structured):
                x.value = x.value.dense()
            return x.value, x.bdim
        return from_outside(x), None

    def join(self, value: Any, bdim: int | None) -> Any:
        return value if bdim is None else BatchTracer(self, value, bdim)


def batch_flat(
    fun: Callable[..., Sequence[Any]],
    axis: Axis,
    args: Sequence[Any],
    dims: Sequence[int | None],
) -> tuple[list[Any], list[int | None]]:
    """Run a function of arrays to a list of arrays on a batch.

    Args:
      fun: the function of one example.
      axis: the size and name of the batch.
      args: the arrays, with the batch dimension where they have one, or structured values.
      dims: where that is, None where there is none.

    Returns:
      The outputs, and where their batch dimensions are.
    """
    with BatchTrace(axis) as trace:
        trace.structured = any(isinstance(x, Structured) for x in args)
        inputs = [trace.join(x, d) for x, d in zip(args, dims, strict=True)]
        pairs = [trace.split(out) for out in fun(*inputs)]
    return [v for v, _ in pairs], [d for _, d in pairs]
