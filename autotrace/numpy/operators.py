"""Python's operators on tracers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import WEAK_FLOAT, WEAK_INT
from ..core.trace import Tracer, get_aval
from ..lax import arithmetic as arith
from ..transforms.held import HeldTracer, hold
from . import ufuncs
from .dispatch import array_function, array_ufunc, is_traced, traced

# Anything else (a str, a user's class) makes the operator return NotImplemented, so that Python
# tries the other operand and then raises its own TypeError.
_OPERANDS = (Tracer, np.ndarray, np.generic, int, float, complex, list, tuple)


def _binary(ufunc: np.ufunc, primitive: Any = None) -> tuple[Callable, Callable]:
    """An operator and its reflected form.

    Between operands that all stand for Python scalars the result does too, as in Python, where
    ``(x > 0) + (y > 0)`` counts; NumPy's functions, in contrast, turn Python scalars into NumPy
    ones, whose bools are added to a bool. A list is an array, unless an integer repeats it.

    Args:
      ufunc: says what the operator does.
      primitive: what it comes down to for operands that need no promotion; tried first, since
        promotion costs more than the rest of an un-jitted scalar operation.
    """
    function = traced[ufunc]
    counts, repeats = ufunc in _COUNTING, ufunc is np.multiply

    def forward(self: Any, other: Any) -> Any:
        if primitive is not None:
            ready = _ready(self, other)
            if ready is not None:
                out = primitive.bind(self, ready)
                return out.weaken() if _both_weak(self, other) else out
        if not isinstance(other, _OPERANDS) or (repeats and _is_repetition(self, other)):
            return NotImplemented
        first = _counted(self, other) if counts else self
        return _weakened(function(first, other), self, other)

    def reflected(self: Any, other: Any) -> Any:
        if primitive is not None:
            ready = _ready(self, other)
            if ready is not None:
                out = primitive.bind(ready, self)
                return out.weaken() if _both_weak(self, other) else out
        if not isinstance(other, _OPERANDS) or (repeats and _is_repetition(self, other)):
            return NotImplemented
        second = _counted(self, other) if counts else self
        return _weakened(function(other, second), self, other)

    return forward, reflected


def _held(function: Callable, traced_operator: Callable, reflected: bool = False) -> Callable:
    """An operator of a held array: NumPy's own, unless the other operand is traced."""

    def method(self: Any, other: Any) -> Any:
        kind = type(other)
        if kind is HeldTracer:
            other = other.array
        elif is_traced(other):
            return traced_operator(self, other)
        array = self.array
        out = function(other, array) if reflected else function(array, other)
        return HeldTracer(out) if type(out) is np.ndarray else out

    return method


_FLOAT64 = WEAK_FLOAT.dtype
_NUMBERS = (float, int)

#: The operators that take Python's bools for the integers 0 and 1.
_COUNTING = frozenset(
    (
        *(np.add, np.subtract, np.multiply, np.divide, np.floor_divide, np.remainder, np.power),
        *(np.left_shift, np.right_shift, np.negative, np.positive, np.absolute, np.invert),
    )
)


def _counted(self: Tracer, other: Any = True) -> Any:
    """An operand as an integer where it stands for a Python bool, and so does the other."""
    aval = self.aval
    if aval.dtype.kind != "b" or not aval.weak_type or isinstance(other, list | tuple):
        return self
    beside = get_aval(other)
    if beside.dtype.kind != "b" or not beside.weak_type:
        return self
    return arith.convert_element_type_p.bind(self, new_dtype=WEAK_INT.dtype).weaken()


def _is_repetition(self: Tracer, other: Any) -> bool:
    """Whether a product repeats a list, as Python does by itself once we do not take it."""
    return isinstance(other, list | tuple) and not self.shape and self.dtype.kind in "iu"


def _ready(self: Tracer, other: Any) -> Any:
    """The other operand as the primitive takes it, None where it may need promotion."""
    kind = type(other)
    if kind in _NUMBERS:
        return np.float64(other) if self.aval.dtype is _FLOAT64 else None
    if isinstance(other, Tracer):
        aval = self.aval
        return other if aval is other.aval and aval.dtype is _FLOAT64 else None
    return None


def _both_weak(self: Tracer, other: Any) -> bool:
    return self.aval.weak_type and (type(other) in _NUMBERS or other.aval.weak_type)


def _weakened(out: Any, self: Any, other: Any) -> Any:
    if not self.aval.weak_type or isinstance(other, list | tuple) or not get_aval(other).weak_type:
        # What has no derivative, such as a comparison, comes as plain numbers.
        return hold(out) if type(out) is np.ndarray else out
    return _as_weak(out)


def _as_weak(out: Any) -> Any:
    """A number as a Python scalar or a tracer that stands for one."""
    return out.weaken() if isinstance(out, Tracer) else out.item()


def _unary(ufunc: np.ufunc) -> Callable:
    function = traced[ufunc]

    def method(self: Any) -> Any:
        out = function(_counted(self))
        if out is self:
            out = self.twin()
        return _as_weak(out) if self.aval.weak_type else hold(out)

    return method


def _divmod(self: Any, other: Any) -> Any:
    return tuple(_weakened(out, self, other) for out in ufuncs.divmod(_counted(self, other), other))


def _rdivmod(self: Any, other: Any) -> Any:
    return tuple(_weakened(out, self, other) for out in ufuncs.divmod(other, _counted(self, other)))


def _round(self: Any, ndigits: int | None = None) -> Any:
    """Python's ``round``, which makes an integer of a number unless digits are asked for."""
    number = _counted(self)
    out = traced[np.round](number, 0 if ndigits is None else ndigits)
    if ndigits is None and not self.shape and out.dtype.kind == "f":
        return _as_weak(arith.convert_element_type(out, WEAK_INT.dtype))
    return _as_weak(out) if self.aval.weak_type else out


_BINARY: dict[str, tuple[np.ufunc, Any]] = {
    "add": (np.add, arith.add_p),
    "sub": (np.subtract, arith.sub_p),
    "mul": (np.multiply, arith.mul_p),
    "truediv": (np.divide, arith.div_p),
    "floordiv": (np.floor_divide, None),
    "mod": (np.remainder, None),
    "pow": (np.power, None),
    "and": (np.bitwise_and, None),
    "or": (np.bitwise_or, None),
    "xor": (np.bitwise_xor, None),
    "lshift": (np.left_shift, None),
    "rshift": (np.right_shift, None),
}
_COMPARISONS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def install() -> None:
    """Put the operators and NumPy's hooks on ``Tracer``."""
    for name, (ufunc, primitive) in _BINARY.items():
        forward, reflected = _binary(ufunc, primitive)
        setattr(Tracer, f"__{name}__", forward)
        setattr(Tracer, f"__r{name}__", reflected)
        plain = getattr(operator, f"__{name}__")
        setattr(HeldTracer, f"__{name}__", _held(plain, forward))
        setattr(HeldTracer, f"__r{name}__", _held(plain, reflected, True))
    for name, ufunc in _COMPARISONS.items():
        setattr(Tracer, f"__{name}__", _binary(ufunc)[0])
        plain = getattr(operator, f"__{name}__")
        setattr(HeldTracer, f"__{name}__", _held(plain, getattr(Tracer, f"__{name}__")))
    HeldTracer.__hash__ = None  # type: ignore[assignment,method-assign]
    Tracer.__hash__ = None  # type: ignore[assignment,method-assign]
    hooks: dict[str, Any] = {
        "__neg__": _unary(np.negative),
        "__pos__": _unary(np.positive),
        "__abs__": _unary(np.absolute),
        "__invert__": _unary(np.invert),
        "__divmod__": _divmod,
        "__rdivmod__": _rdivmod,
        "__round__": _round,
        "__array_ufunc__": lambda self, *args, **kwargs: array_ufunc(*args, **kwargs),
        "__array_function__": lambda self, *args: array_function(*args),
    }
    for name, hook in hooks.items():
        setattr(Tracer, name, hook)
