"""How SciPy's special functions are defined here: one primitive, and a table of their derivatives.

A row of the table has a function's value, which is SciPy's, and its derivative with respect to each
operand. It may have a composition besides: the function in terms of primitives that have kernels,
which takes its place where a program is simplified, so that it fuses with what is around it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special as scipy_special

from ...core.avals import ShapedArray, make_aval
from ...core.errors import NonDifferentiableError, located
from ...core.jaxpr import Eqn, Jaxpr
from ...core.primitive import Primitive
from ...core.trace import get_aval
from ...lax.arithmetic import mul
from ...lax.families import add_p, common_shape, elementwise_batch
from ...lax.structural import broadcast_to_shape
from ...numpy.dispatch import implements
from ...numpy.promotion import asarray, broadcast_operands, to_dtype
from ...transforms.simplify import Inline, View
from ...transforms.stage import stage

#: In place of a derivative: there is no closed form that we know of, so asking for it is an error.
NO_RULE = "no rule"

#: ``(out, *primals, **params) -> what the operand's tangent is multiplied with``; None where the
#: derivative is zero; or ``NO_RULE``.
Slope = Callable[..., Any] | str | None


class Row(NamedTuple):
    """What is known of a function.

    Attributes:
      operands: their names.
      host: NumPy arrays to the value.
      slopes: for each operand.
      composition: the function in terms of other primitives; None where only the host has it.
      complex: whether it takes complex operands.
      title: what a user calls, for messages.
    """

    operands: tuple[str, ...]
    host: Callable
    slopes: tuple[Slope, ...]
    composition: Callable | None
    complex: bool
    title: str


_rows: dict[str, Row] = {}

special_p = Primitive("special", elementwise=True)
special_p.def_batch(elementwise_batch(special_p))


def _in_dtype(row: Row, dtype: np.dtype, args: Sequence[Any], params: dict) -> Any:
    out = row.host(*args, **params)
    return out if getattr(out, "dtype", None) == dtype else np.asarray(out, dtype)[()]


@special_p.def_impl
def _special_impl(*args: Any, function: str, **params: Any) -> Any:
    dtype = next(x.dtype for x in args if x.dtype.kind in "fc")
    with np.errstate(all="ignore"):
        return _in_dtype(_rows[function], dtype, args, params)


@special_p.def_abstract
def _special_abstract(*args: ShapedArray, function: str, **params: Any) -> ShapedArray:
    row = _rows[function]
    if len(args) != len(row.operands):
        raise TypeError(f"{function} takes {len(row.operands)} operands, got {len(args)}")
    if not row.complex and any(a.dtype.kind == "c" for a in args):
        raise TypeError(located(f"{row.title} is supported for real numbers only"))
    inexact = [a for a in args if a.dtype.kind in "fc"]
    if len({a.dtype for a in inexact}) != 1:
        given = " and ".join(map(str, args))
        raise TypeError(f"{function} takes floating operands of one dtype, got {given}")
    return make_aval(common_shape(function, args), inexact[0].dtype)


@special_p.def_jvp
def _special_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], out: Any, *, function: str, **params: Any
) -> Any:
    row = _rows[function]
    total = None
    for name, slope, tangent in zip(row.operands, row.slopes, tangents, strict=True):
        if slope is None or tangent is None:
            continue
        if isinstance(slope, str):
            raise NonDifferentiableError(
                located(
                    f"{row.title} has no derivative rule with respect to its argument {name}",
                    f"What to do: keep {name} constant (autotrace.stop_gradient), or give the "
                    "function that calls it a rule by autotrace.custom_jvp.",
                )
            )
        factor = to_dtype(slope(out, *primals, **params), tangent.dtype)
        share = mul(tangent, factor)
        total = share if total is None else add_p.bind(total, share)
    if total is not None and total.shape != out.shape:
        return broadcast_to_shape(total, out.shape)
    return total


@functools.lru_cache(maxsize=256)  # by shape, of which there may be any number
def _composed(function: str, avals: tuple[ShapedArray, ...], params: tuple) -> Jaxpr:
    composition = _rows[function].composition
    assert composition is not None
    dtype = special_p.out_avals(list(avals), {"function": function, **dict(params)})[0].dtype

    def composed(*xs: Any) -> list[Any]:
        return [to_dtype(composition(*xs, **dict(params)), dtype)]

    jaxpr = stage(composed, avals, function)
    # The user's line is that of the call, not of the first one.
    eqns = [Eqn(e.primitive, e.invars, e.outvars, e.params, None) for e in jaxpr.eqns]
    return Jaxpr(jaxpr.constvars, jaxpr.consts, jaxpr.invars, eqns, jaxpr.outvars)


@special_p.def_simplify
def _special_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    given = dict(params)
    function = given.pop("function")
    if _rows[function].composition is None:
        return None
    avals = tuple(a.aval.strong() for a in args)
    return Inline(_composed(function, avals, tuple(sorted(given.items()))), args)


def row(
    name: str,
    operands: str,
    *slopes: Slope,
    host: Callable,
    composition: Callable | None = None,
    takes_complex: bool = False,
    title: str | None = None,
) -> Callable:
    """Put a function into the table.

    Args:
      name: what a jaxpr prints.
      operands: their names.
      slopes: a ``Slope`` for each operand.
      host: the function of NumPy arrays.
      composition: the function in terms of primitives that have kernels.
      takes_complex: whether it takes complex numbers.
      title: what a user calls, for messages; SciPy's function of the name when None.

    Returns:
      The function of operands of one dtype, each of one shape or a scalar, and of parameters.
    """
    names = tuple(operands.split())
    if len(slopes) != len(names):
        raise ValueError(f"{name} has {len(names)} operands and {len(slopes)} slopes")
    title = title or f"scipy.special.{name}"
    _rows[name] = Row(names, host, slopes, composition, takes_complex, title)

    def bound(*args: Any, **params: Any) -> Any:
        return special_p.bind(*args, function=name, **params)

    return bound


# --- SciPy's ufuncs ------------------------------------------------------------------------------

_PYTHON_TYPES: dict[str, type] = {"i": int, "f": float, "c": complex}


@functools.cache
def _loop_dtypes(ufunc: np.ufunc, kinds: tuple) -> tuple[np.dtype, ...]:
    return ufunc.resolve_dtypes((*kinds, *[None] * ufunc.nout))[: ufunc.nin]


def loop_operands(ufunc: np.ufunc, args: Sequence[Any]) -> list[Any]:
    """Operands in the dtypes of the loop that a ufunc has for them, of one shape or scalars.

    Some of SciPy's ufuncs compute in float64 where a Python number is among float32 arrays.
    """
    args = [asarray(a) for a in args]
    avals = [get_aval(a) for a in args]
    kinds = tuple(
        _PYTHON_TYPES.get(a.dtype.kind, a.dtype) if a.weak_type else a.dtype for a in avals
    )
    dtypes = _loop_dtypes(ufunc, kinds)
    return broadcast_operands(*map(to_dtype, args, dtypes))


def ufunc(name: str, function: Callable, note: str = "", operands: str = "") -> Callable:
    """Give a ufunc of ``scipy.special`` its implementation on traced values.

    Args:
      name: SciPy's.
      function: of operands in the dtypes of one of the ufunc's loops, of one shape or scalars.
      note: what there is to say to a user, beside that it does as SciPy's does.
      operands: their names; those of ``function`` when empty.

    Returns:
      The public function.
    """
    scipys = getattr(scipy_special, name)

    def traced(*args: Any) -> Any:
        if len(args) != scipys.nin:
            raise TypeError(
                located(f"scipy.special.{name} takes {scipys.nin} arguments, got {len(args)}")
            )
        return function(*loop_operands(scipys, args))

    traced.__name__ = traced.__qualname__ = name
    names = operands.split() or inspect.signature(function).parameters
    traced.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in names]
    )
    traced.__doc__ = (
        f"As ``scipy.special.{name}``, on arrays and traced values.\n\n{note}".rstrip() + "\n"
    )
    return implements(scipys)(traced)


def hosted(
    name: str,
    operands: str,
    *slopes: Slope,
    composition: Callable | None = None,
    takes_complex: bool = False,
    note: str = "",
) -> Callable:
    """A ufunc of ``scipy.special`` whose value SciPy computes: a row, and the public function."""
    refused = [n for n, s in zip(operands.split(), slopes, strict=True) if isinstance(s, str)]
    if refused:
        note = f"It has no derivative with respect to {' and '.join(refused)}. {note}"
    bound = row(
        name,
        operands,
        *slopes,
        host=getattr(scipy_special, name),
        composition=composition,
        takes_complex=takes_complex,
    )
    return ufunc(name, bound, note, operands)
