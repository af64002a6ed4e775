"""Forward-mode differentiation, and the trace that linearization shares with it.

A dual tracer carries a primal and a tangent, both values of lower levels. When the tangents are
numbers this is forward mode; when they are tracers of a jaxpr under construction it is
linearization (see ``linearize``), since every operation on a tangent is linear. The primals are
whatever the caller gave: with numbers, Python's own control flow sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, FrameType
from typing import Any

from ..core.avals import ShapedArray, weak_aval
from ..core.errors import NonDifferentiableError, located
from ..core.primitive import Primitive
from ..core.source import called_function
from ..core.tangents import instantiate
from ..core.trace import Trace, Tracer, from_outside, get_aval, leaked, slot, tie_within
from .stage import as_numpy


class DualTracer(Tracer):
    """A primal and its tangent."""

    __slots__ = ()
    primal = slot("_carried")
    tangent = slot("_beside")
    _aval = slot("_noted")

    def __init__(self, trace: JVPTrace, primal: Any, tangent: Any):
        self.owner = trace
        self.primal = primal
        self.tangent = tangent
        self._aval = None

    @property
    def aval(self) -> ShapedArray:
        if self._aval is None:
            self._aval = get_aval(self.primal)
        return self._aval

    def weaken(self) -> DualTracer:
        """Mark this fresh value as standing for a Python scalar."""
        self._aval = weak_aval(get_aval(self.primal).strong())
        return self

    def concrete(self, asked: str, kind: Callable[[Any], Any] | None = None) -> Any:
        if not self.owner.alive:
            raise leaked(self.owner)
        primal = self.primal
        if isinstance(primal, Tracer):
            return primal.concrete(asked, kind)
        tie_within(self.owner)
        return primal if kind is None else kind(primal)

    def refuse_losing(self, frame: FrameType) -> None:
        super().refuse_losing(frame)
        _refuse_mathematics(self, frame)


#: What is asked of a number as an ``if`` does, and has no derivative.
_QUESTIONS = frozenset(("isclose", "isfinite", "isinf", "isnan"))


def _refuse_mathematics(tracer: Tracer, frame: FrameType) -> None:
    """Raise where a frame calls a function of Python's modules of mathematics: what comes of it
    would be a constant to the derivative, which nobody means."""
    function = called_function(frame)
    if not isinstance(function, BuiltinFunctionType) or function.__name__ in _QUESTIONS:
        return
    name = f"{function.__module__}.{function.__name__}"
    if function.__module__ in ("math", "cmath"):
        raise NonDifferentiableError(
            located(
                f"{name} takes numbers: of a traced value of {tracer.aval} under "
                f"{tracer.owner.transform} it would be a constant to the derivative",
                "What to do: use NumPy's function of that name or meaning; or pass it float(x), "
                "where a constant is meant.",
            )
        )


class JVPTrace(Trace):
    """Pushes tangents through each primitive by its jvp rule."""

    __slots__ = ("linear", "transform")

    def __init__(self, transform: str, linear: bool = False):
        self.transform = transform
        #: Whether the tangents are tracers of a linear jaxpr under construction.
        self.linear = linear

    def process(self, primitive: Primitive, args: tuple, params: dict) -> Any:
        if not self.alive:
            raise leaked(self)
        primals: list[Any] = []
        tangents: list[Any] = []
        for arg in args:  # ``split``, written out: this is the hot loop of un-jitted code
            if type(arg) is DualTracer and arg.owner is self:
                primals.append(arg.primal)
                tangents.append(arg.tangent)
            else:
                primals.append(from_outside(arg) if isinstance(arg, Tracer) else arg)
                tangents.append(None)
        if primitive.jvp_call is not None:
            outs, out_tangents = primitive.jvp_call(self.linear, primals, tangents, **params)
            self.check_made(primitive, (*outs, *out_tangents))
            if any(t is None for t in out_tangents):
                tie_within(self)
            return [self.join(*pair) for pair in zip(outs, out_tangents, strict=True)]
        out = primitive.bind(*primals, **params)
        rule = primitive.jvp or primitive.rule("jvp", self.transform)
        tangent = rule(primals, tangents, out, **params)
        if primitive.multiple_results:
            return [self.join(*pair) for pair in zip(out, tangent, strict=True)]
        if tangent is None:
            tie_within(self)  # a number now, for whatever is traced within
            return out
        return DualTracer(self, out, tangent)

    def check_made(self, primitive: Primitive, made: Sequence[Any]) -> None:
        """Refuse what a rule made of this trace's own tracers, which it can only have from a
        closure: their tangents are no part of what it was given."""
        for x in made:
            if isinstance(x, Tracer) and x.owner.level >= self.level:
                raise NonDifferentiableError(
                    located(
                        f"the rule of {primitive.name} uses a value from outside with respect to "
                        f"which {self.transform} differentiates; it says nothing of that one",
                        "What to do: pass the value as an argument.",
                    )
                )

    def split(self, x: Any) -> tuple[Any, Any]:
        """The primal and the tangent of any value, None for a symbolic zero."""
        if type(x) is DualTracer and x.owner is self:
            return x.primal, x.tangent
        return from_outside(x), None

    def join(self, primal: Any, tangent: Any) -> Any:
        """The inverse of ``split``."""
        return primal if tangent is None else DualTracer(self, primal, tangent)

    def new_input(self, primal: Any, tangent: Any) -> Any:
        """As ``join``, for a function's input, which may be a Python scalar."""
        if tangent is None:
            return primal
        tracer = DualTracer(self, as_numpy(primal), tangent)
        return tracer.weaken() if get_aval(primal).weak_type else tracer


def jvp_flat(
    fun: Callable[..., Sequence[Any]],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    transform: str = "jvp",
    linear: bool = False,
) -> tuple[list[Any], list[Any]]:
    """Forward mode for a function of arrays to a list of arrays.

    Args:
      fun: the function.
      primals: where to differentiate.
      tangents: the direction, None for a symbolic zero.
      linear: whether the result is to be linear in the tangents, for transposition.

    Returns:
      The outputs and their tangents, the latter None where symbolically zero.
    """
    with JVPTrace(transform, linear) as trace:
        inputs = [trace.new_input(p, t) for p, t in zip(primals, tangents, strict=True)]
        pairs = [trace.split(out) for out in fun(*inputs)]
    return [p for p, _ in pairs], [t for _, t in pairs]


def instantiate_all(tangents: Sequence[Any], primals: Sequence[Any]) -> list[Any]:
    """Tangents with each symbolic zero made an array."""
    return [instantiate(t, p) for t, p in zip(tangents, primals, strict=True)]
