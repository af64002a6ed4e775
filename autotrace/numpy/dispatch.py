"""How a call of a NumPy function finds its traced implementation.

``implements(numpy_function)`` makes the two meet: plain ``numpy`` calls on tracers arrive by
``__array_ufunc__`` and ``__array_function__``, and calls through ``autotrace.numpy`` go to the
traced implementation when an argument is traced and to NumPy's own function when none is. Calls on
held arrays only go to NumPy's own function too, with what they hold.

Here results get what assignment needs: functions that make views in NumPy have theirs linked to
their argument, the results of others are handles of their own; ``out=`` is an assignment.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..core.avals import SUPPORTED_DTYPES
from ..core.errors import TracerArrayError, located
from ..core.trace import Tracer
from ..lax.arithmetic import convert_element_type
from ..transforms.held import HeldTracer, hold, like_sequence, own
from .aliasing import link, write, write_numbers
from .promotion import asarray, broadcast_to

#: The traced implementation of each NumPy function and ufunc.
traced: dict[Any, Callable] = {}
#: Modules that implement another module's functions; imported when one of those meets a tracer.
_implementing = {"scipy.special": "autotrace.scipy.special"}
#: The traced implementation of each ufunc method, by (ufunc, method name).
traced_methods: dict[tuple[Any, str], Callable] = {}
#: What autotrace.numpy has under the name of each of NumPy's functions.
public: dict[Any, Callable] = {}
#: The functions whose results may be views of their first argument.
_view_functions: set[Any] = set()
#: Why some functions are nothing for traced values.
refusals: dict[Any, str] = {}
#: The keyword arguments that some functions take and NumPy's of their name do not.
extras: dict[Any, frozenset[str]] = {}
#: The functions that see to all of this themselves where there are traced values,
_raw_functions: set[Any] = set()
#: and those of them that write into their first argument.
_writing_functions: set[Any] = set()


def implements(
    numpy_function: Any,
    *,
    view: bool = False,
    raw: bool = False,
    writes: bool = False,
    extra: Iterable[str] = (),
) -> Callable:
    """Register a function as what a NumPy function does on tracers.

    Args:
      numpy_function: NumPy's.
      view: whether its results may be views of its first argument.
      raw: whether it gets traced arguments and gives its results as they are.
      writes: whether it writes into its first argument; then it is ``raw`` for held arrays too.
      extra: the keyword arguments that NumPy's has not.

    Returns:
      A decorator that gives the public function: NumPy's own where nothing is traced.
    """
    if view:
        _view_functions.add(numpy_function)
    if writes:
        _writing_functions.add(numpy_function)
    if raw or writes:
        _raw_functions.add(numpy_function)
    if extra:
        extras[numpy_function] = frozenset(extra)

    def decorate(function: Callable) -> Callable:
        traced[numpy_function] = function

        arity = numpy_function.nin if isinstance(numpy_function, np.ufunc) else None
        more = extras.get(numpy_function)

        @functools.wraps(function)
        def outer(*args: Any, **kwargs: Any) -> Any:
            kinds = _kinds(args) | _kinds(kwargs.values()) if kwargs else _kinds(args)
            if not kinds:
                if more and not more.isdisjoint(kwargs):
                    return function(*args, **kwargs)
                return numpy_function(*args, **kwargs)
            if arity is not None and len(args) > arity:
                args, kwargs["out"] = args[:arity], args[arity:]
            return _call(numpy_function, function, args, kwargs, kinds)

        public[numpy_function] = outer
        return outer

    return decorate


_TRACED = 1
_HELD = 2


def _kinds(args: Iterable[Any]) -> int:
    """What kinds of tracers are among some arguments: traced ones, held ones, both or none."""
    kinds = 0
    for x in args:
        if isinstance(x, Tracer):
            kinds |= _HELD if type(x) is HeldTracer else _TRACED
        elif isinstance(x, list | tuple):
            kinds |= _kinds(x)
        elif isinstance(x, dict):
            kinds |= _kinds(x.values())
    return kinds


def has_tracer(x: Any) -> bool:
    """Whether a tracer is among some arguments, inside lists, tuples and dicts too."""
    return bool(_kinds((x,)))


def is_traced(x: Any) -> bool:
    """As ``has_tracer``, but arrays that are merely held do not count."""
    return bool(_kinds((x,)) & _TRACED)


def _call(numpy_function: Any, function: Callable, args: tuple, kwargs: dict, kinds: int) -> Any:
    """Call the implementation of a function on arguments among which there are tracers."""
    raw = numpy_function in _raw_functions
    if raw and (kinds & _TRACED or numpy_function in _writing_functions):
        return function(*args, **kwargs)
    out = None
    if "out" in kwargs:
        out = kwargs.pop("out")
        kinds = _kinds(args) | _kinds(kwargs.values())
    if not kinds & _TRACED:
        takes = function if kwargs.keys() & extras.get(numpy_function, ()) else numpy_function
        result = on_numbers(takes, args, kwargs)
    elif numpy_function in _view_functions:
        result = _linked(numpy_function, function, args, kwargs)
    else:
        if kinds & _HELD:
            args, kwargs = lowered(args), lowered(kwargs)
        result = own(function(*args, **kwargs), args)
    return result if out is None else store(_name(numpy_function), result, out)


# --- results -----------------------------------------------------------------------------------


def _implementation(ufunc: np.ufunc) -> Callable | None:
    """The traced implementation of a ufunc, which may be another package's."""
    found = traced.get(ufunc)
    if found is None:
        for module, implementing in _implementing.items():
            if module in sys.modules and implementing not in sys.modules:
                importlib.import_module(implementing)
        found = traced.get(ufunc)
    return found


class _Part:
    """What makes a view again of another base: a function with all arguments but the first."""

    __slots__ = ("args", "function", "kwargs", "numpy_function", "part")

    def __init__(
        self, numpy_function: Any, function: Callable, args: tuple, kwargs: dict, part: int | None
    ):
        self.numpy_function = numpy_function
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.part = part

    @property
    def traced(self) -> bool:
        return False

    def __call__(self, base: Any) -> Any:
        function = self.function if isinstance(base, Tracer) else self.numpy_function
        out = function(base, *self.args, **self.kwargs)
        return out if self.part is None else out[self.part]


def _linked(numpy_function: Any, function: Callable, args: tuple, kwargs: dict) -> Any:
    """Call a function that makes a view, or several, of its first argument."""
    base = args[0] if args else None
    result = function(*args, **kwargs)
    if not isinstance(base, Tracer) or type(base) is HeldTracer:
        return own(result, args)
    if isinstance(result, Tracer):
        return link(base, result, _Part(numpy_function, function, args[1:], kwargs, None))
    if not isinstance(result, list | tuple):
        return own(result, args)
    return type(result)(
        link(base, x, _Part(numpy_function, function, args[1:], kwargs, n))
        for n, x in enumerate(result)
    )


def lowered(x: Any) -> Any:
    """Arguments with held arrays replaced by what they hold."""
    if type(x) is HeldTracer:
        return x.captured()
    if type(x) in (list, tuple):
        return type(x)([lowered(y) for y in x])
    if type(x) is dict:
        return {k: lowered(v) for k, v in x.items()}
    return x


def numbers(x: Any, found: list[HeldTracer] | None = None) -> Any:
    """Arguments with held arrays replaced by what they hold, for NumPy to read.

    Args:
      x: an argument, or several in a list, tuple or dict.
      found: where to put the held arrays.
    """
    if type(x) is HeldTracer:
        if found is not None:
            found.append(x)
        return x.array
    if type(x) in (list, tuple):
        return type(x)([numbers(y, found) for y in x])
    if type(x) is dict:
        return {k: numbers(v, found) for k, v in x.items()}
    return x


def on_numbers(numpy_function: Callable, args: tuple, kwargs: dict) -> Any:
    """Call NumPy's function on held arrays; the arrays among the results are held."""
    found: list[HeldTracer] = []
    result = numpy_function(*numbers(args, found), **numbers(kwargs, found))

    def held(x: Any, part: int | None) -> Any:
        if type(x) is not np.ndarray:
            return x
        for base in found:
            if x is base.array:
                return base
            if x.base is not None and x.size and np.may_share_memory(x, base.array):
                make = _Part(
                    numpy_function, traced.get(numpy_function, _no_rule), args[1:], kwargs, part
                )
                view = HeldTracer(x)
                # Where it is read-only: the view is, or the array, which may be lent.
                return link(base, view, make, shares=True, writeable=x.flags.writeable or None)
        fresh = x.base is None and x.flags.writeable and not any(x is a for a in args)
        return HeldTracer(x) if fresh and x.dtype in SUPPORTED_DTYPES else hold(x)

    if isinstance(result, list | tuple):
        parts = [held(x, n) for n, x in enumerate(result)]
        return like_sequence(result, parts)
    return held(result, None)


def _no_rule(*args: Any, **kwargs: Any) -> Any:
    raise unsupported("assignment to an array of which there is a view that was made in this way")


# --- out= --------------------------------------------------------------------------------------


def store(name: str, result: Any, out: Any, where: Any = True, casting: str = "same_kind") -> Any:
    """Put a function's result, or several, where ``out=`` says.

    Args:
      name: the function's, for messages.
      result: an array, traced or not, or a tuple of them.
      out: an array or a tuple of them, None for those to leave alone.
      where: which elements to write.
      casting: which conversions are allowed.

    Returns:
      What was written into, and the results that have no place.
    """
    if not isinstance(result, tuple):
        (out,) = out if isinstance(out, tuple) else (out,)
        return result if out is None else _store(name, result, out, where, casting)
    return tuple(
        r if o is None else _store(name, r, o, where, casting)
        for r, o in zip(result, out, strict=True)
    )


def into_ordinary(name: str) -> TracerArrayError:
    """The error for a function that is to write a traced value into an ordinary array."""
    return TracerArrayError(
        located(
            f"{name}: a traced value cannot be put into an ordinary array",
            "What to do: make the array in the traced function, by np.zeros(...), "
            "np.zeros_like(x), np.array(y) or np.copy(y),\ncalled as attributes of numpy or "
            "autotrace.numpy.",
        )
    )


def _store(name: str, result: Any, out: Any, where: Any, casting: str) -> Any:
    if not isinstance(out, Tracer):
        if is_traced((result, where)):
            raise into_ordinary(name)
        np.copyto(out, numbers(result), where=numbers(where), casting=casting)  # type: ignore[arg-type]
        return out
    if not np.can_cast(result.dtype, out.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            located(
                f"Cannot cast {name} output from {result.dtype!r} to {out.dtype!r} with casting "
                f"rule '{casting}'"
            )
        )
    shape = np.broadcast_shapes(result.shape, out.shape)
    if shape != out.shape:
        raise ValueError(
            located(
                f"non-broadcastable output operand with shape {out.shape} doesn't match the "
                f"broadcast shape {shape}"
            )
        )
    if type(out) is HeldTracer and not is_traced((result, where)):
        given = numbers((result, where))
        write_numbers(out, lambda array: np.copyto(array, given[0], "unsafe", given[1]))
        return out
    value = convert_element_type(broadcast_to(lowered(result), out.shape), out.dtype)
    if where is not True:
        value = traced[np.where](where, value, lowered(out))
    write(out, value)
    return out


def _name(numpy_function: Any) -> str:
    name = getattr(numpy_function, "__name__", str(numpy_function))
    module = getattr(numpy_function, "__module__", None)
    if module is None:  # a ufunc's
        for module in ("numpy", *_implementing):
            if getattr(sys.modules.get(module), name, None) is numpy_function:
                break
    return f"{module}.{name}"


def unsupported(what: str, numpy_function: Any = None) -> TypeError:
    reason = refusals.get(numpy_function)
    return TypeError(
        located(
            f"{what} is not supported on traced values" + (f": {reason}" if reason else ""),
            ""
            if reason
            else "What to do: write it with supported functions, or call it through "
            "autotrace.pure_callback.",
        )
    )


def array_ufunc(ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What NumPy calls when a ufunc or one of its methods meets a tracer."""
    if method == "__call__" and not kwargs and ufunc in traced:
        kinds = _kinds(inputs)
        if kinds == _TRACED:
            return own(traced[ufunc](*inputs), inputs)
        return _call(ufunc, traced[ufunc], inputs, kwargs, kinds)
    if method == "__call__":
        out = kwargs.pop("out", None)
        if not (is_traced(inputs) or is_traced(kwargs) or is_traced(out)):
            where = kwargs.pop("where", True) if out is not None else True
            result = on_numbers(ufunc, inputs, kwargs)
        else:
            where = kwargs.pop("where", True) if out is not None else True
            result = _traced_ufunc(ufunc, inputs, kwargs)
        casting = kwargs.get("casting", "same_kind")
        return result if out is None else store(_name(ufunc), result, out, where, casting)
    by_method = traced_methods.get((ufunc, method))
    if method == "at":
        if by_method is None:
            raise unsupported(f"{_name(ufunc)}.at")
        return by_method(*inputs, **kwargs)
    out = kwargs.pop("out", None)
    if not (is_traced(inputs) or is_traced(kwargs)):
        result = on_numbers(getattr(ufunc, method), inputs, kwargs)
    elif by_method is None:
        raise unsupported(f"{_name(ufunc)}.{method}")
    else:
        result = own(by_method(*lowered(inputs), **kwargs), inputs)
    return result if out is None else store(_name(ufunc), result, out)


def _traced_ufunc(ufunc: np.ufunc, inputs: tuple, kwargs: dict) -> Any:
    """A call of a ufunc on traced values with keyword arguments other than ``out``."""
    implementation = _implementation(ufunc)
    if implementation is None:
        raise unsupported(_name(ufunc), ufunc)
    given = dict(kwargs)
    loop = {name: given.pop(name, None) for name in ("dtype", "signature", "sig", "casting")}
    for name in ("order", "subok"):  # which make no difference to values
        given.pop(name, None)
    if given.pop("where", True) is not True:
        raise TypeError(
            located(
                f"{_name(ufunc)} with where= and without out= is not supported on traced values: "
                "elements where it is False would be whatever was in memory",
                f"What to do: say what they are, by out=, or by "
                f"np.where(mask, {_name(ufunc)}(...), other).",
            )
        )
    inputs = lowered(inputs)
    if any(value is not None for value in loop.values()):
        inputs = _for_loop(ufunc, inputs, **loop)
    return own(implementation(*inputs, **given), inputs)


def _for_loop(
    ufunc: np.ufunc, inputs: tuple, dtype: Any, signature: Any, sig: Any, casting: Any
) -> tuple:
    """The operands of a ufunc in the dtypes that NumPy computes in, as arguments ask for.

    Raises:
      TypeError: when there is no such computation, or ``casting`` does not allow it.
    """
    operands = [x if type(x) in (int, float, complex) else asarray(x) for x in inputs]
    given = [type(x) if type(x) in (int, float, complex) else x.dtype for x in operands]
    if dtype is not None:
        signature = (*(None for _ in inputs), *(np.dtype(dtype) for _ in range(ufunc.nout)))
    asked = {"signature": sig if signature is None else signature}
    try:
        found = ufunc.resolve_dtypes(
            (*given, *(None for _ in range(ufunc.nout))),
            casting=casting or "same_kind",
            **{k: v for k, v in asked.items() if v is not None},
        )
    except TypeError as error:
        raise TypeError(located(str(error))) from None
    return tuple(traced[np.astype](x, d) for x, d in zip(operands, found, strict=False))


def array_function(function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
    """What NumPy calls when one of its other functions meets a tracer."""
    implementation = traced.get(function)
    if implementation is None:
        if is_traced(args) or is_traced(kwargs):
            raise unsupported(_name(function), function)
        return on_numbers(function, args, kwargs)
    kinds = _kinds(args) | _kinds(kwargs.values()) if kwargs else _kinds(args)
    return _call(function, implementation, args, dict(kwargs), kinds)
