"""How each elementwise primitive is written for one element.

A lowering is a Python expression over ``{0}``, ``{1}``, ...; the names in it are those of
``NAMESPACE``. What has no lowering here for its dtypes runs as a host step.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.primitive import Primitive
from . import vecmath
from .llvm.language import BUILTINS, builds
from .threefry import threefry2x32
from .vecmath.core import (
    bits,
    ceil,
    copysign,
    count_ones,
    fabs,
    floor,
    fma,
    fmod,
    from_bits,
    quotient,
    rint,
    sqrt,
    trunc,
    where,
)

_FLOATS = frozenset(map(np.dtype, ("float64", "float32")))
_SIGNED = frozenset(map(np.dtype, ("int8", "int16", "int32", "int64")))
_UNSIGNED = frozenset(map(np.dtype, ("uint8", "uint16", "uint32", "uint64")))
_INTEGERS = _SIGNED | _UNSIGNED
_BOOL = np.dtype(np.bool_)
#: The dtypes that kernels compute with.
NATIVE = _FLOATS | _INTEGERS | {_BOOL}


@builds
def _add_any_order(builder: Any, total: Any, x: Any) -> Any:
    """``total + x`` in a sum whose terms LLVM may add in any order, and so as vectors.

    The flag is on this one instruction; the terms themselves are computed as written.
    """
    return builder.binary("fadd reassoc", total, x)


# --- functions of more than one operation, as NumPy has them ----------------------------------


def _mod(x: Any, y: Any) -> Any:
    rest = fmod(x, y)
    other_side = (rest != 0) & ((rest < 0) != (y < 0))
    return where(other_side, rest + y, rest)


def _float_mod(x: Any, y: Any) -> Any:
    rest = fmod(x, y)
    return where((rest == 0) & (y != 0), copysign(fabs(rest), y), _mod(x, y))


def _floor_divide(x: Any, y: Any) -> Any:
    rest = fmod(x, y)
    other_side = (rest != 0) & ((rest < 0) != (y < 0))
    q = (x - rest) / y
    q = where(other_side, q - 1, q)
    whole = floor(q)
    whole = where(q - whole > 0.5, whole + 1, whole)
    whole = where(q == 0, copysign(fabs(q), x / y), whole)
    return where(y == 0, x / y, whole)


def _whole_floor_divide(x: Any, y: Any) -> Any:
    q, rest = quotient(x, y), fmod(x, y)
    return where((rest != 0) & ((rest < 0) != (y < 0)), q - 1, q)


#: Functions that generated source may call, by the names it calls them by.
NAMESPACE: dict[str, Any] = {
    "floor": floor, "ceil": ceil, "trunc": trunc, "rint": rint, "sqrt": sqrt, "fmod": fmod,
    "copysign": copysign, "count_ones": count_ones, "mod": _mod, "modulo": _mod,
    "float_mod": _float_mod, "floor_divide": _floor_divide,
    "whole_floor_divide": _whole_floor_divide, "bits": bits, "fma": fma,
    "from_bits": from_bits,
    "threefry2x32": threefry2x32, "normal_quantile": vecmath.normal_quantile,
    # The larger, the smaller of two floats; NaN if either is one. LLVM vectorises reductions by
    # them.
    "maximum": builds(lambda builder, x, y: builder.intrinsic("maximum", x, y)),
    "minimum": builds(lambda builder, x, y: builder.intrinsic("minimum", x, y)),
    "add_any_order": _add_any_order,
    **{f"vm_{name}": function for name, function in vecmath.TABLE.items()},
}  # fmt: skip

_COMPARISONS = {
    "eq": "{0} == {1}", "ne": "{0} != {1}", "lt": "{0} < {1}", "le": "{0} <= {1}",
    "gt": "{0} > {1}", "ge": "{0} >= {1}",
}  # fmt: skip
_ARITHMETIC = {"add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "neg": "-{0}"}
_FLOAT = _COMPARISONS | _ARITHMETIC | {
    "div": "{0} / {1}",
    "floor": "floor({0})", "ceil": "ceil({0})", "trunc": "trunc({0})", "round": "rint({0})",
    "sqrt": "sqrt({0})",
    "abs": "abs({0})",
    "sign": "select({0} > 0, 1, select({0} < 0, -1, select({0} == 0, 0, {0})))",
    "max": "maximum({0}, {1})", "min": "minimum({0}, {1})",
    "fmax": "select(({0} >= {1}) | ({1} != {1}), {0}, {1})",
    "fmin": "select(({0} <= {1}) | ({1} != {1}), {0}, {1})",
    "clamp": "minimum(maximum({1}, {0}), {2})",
    "is_nan": "{0} != {0}", "is_inf": "abs({0}) == np.inf", "is_finite": "abs({0}) < np.inf",
    "copysign": "copysign({0}, {1})",
    "rem": "fmod({0}, {1})", "mod": "float_mod({0}, {1})",
    "floor_divide": "floor_divide({0}, {1})",
    "fma": "fma({0}, {1}, {2})",
}  # fmt: skip
_BITS = {
    "bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}", "bitwise_xor": "{0} ^ {1}",
}  # fmt: skip
_WHOLE = _COMPARISONS | _ARITHMETIC | _BITS | {
    "bitwise_not": "~{0}",
    "max": "max({0}, {1})", "min": "min({0}, {1})", "fmax": "max({0}, {1})",
    "fmin": "min({0}, {1})", "clamp": "min(max({1}, {0}), {2})",
    "abs": "abs({0})",
    "rem": "fmod({0}, {1})", "mod": "mod({0}, {1})",
    "floor_divide": "whole_floor_divide({0}, {1})",
    "population_count": "np.uint8(count_ones(abs({0})))",
}  # fmt: skip
_TRUTH = _COMPARISONS | _BITS | {
    "bitwise_not": "not {0}",
    "max": "{0} | {1}", "min": "{0} & {1}", "fmax": "{0} | {1}", "fmin": "{0} & {1}",
    "add": "{0} | {1}", "mul": "{0} & {1}", "abs": "{0}",
}  # fmt: skip
#: Primitives that cost less than a memory access; others are better stored than computed again.
_CHEAP = frozenset([*_FLOAT, *_WHOLE, "select_n", "convert_element_type", "stop_gradient",
                    "bitcast_convert_type", "integer_pow"]) - {
                        "div", "sqrt", "rem", "mod", "floor_divide"}  # fmt: skip


def is_heavy(name: str) -> bool:
    """Whether a primitive's value is better stored than computed twice."""
    return name not in _CHEAP


def template(name: str, dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    """The expression of a primitive for operands of some dtypes, None where there is none."""
    if out not in NATIVE or any(d not in NATIVE for d in dtypes):
        return None
    special = _SPECIAL.get(name)
    if special is not None:
        return special(dtypes, out, params)
    first = dtypes[0]
    if first == _BOOL:
        return _TRUTH.get(name)
    if first in _INTEGERS:
        return _WHOLE.get(name)
    if name in vecmath.TABLE:
        operands = ", ".join(f"{{{i}}}" for i in range(len(dtypes)))
        return f"vm_{name}({operands})"
    return _FLOAT.get(name)


def _select(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    if dtypes[0] == _BOOL:
        return "select({0}, {2}, {1})" if len(dtypes) == 3 else "{1}"
    last = len(dtypes) - 1
    text = f"{{{last}}}"
    for case in range(last - 1, 0, -1):
        text = f"select({{0}} == {case - 1}, {{{case}}}, {text})"
    return text


def _convert(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    return "{0} != 0" if out == _BOOL else f"np.{out.name}({{0}})"


_LARGEST_POWER = 32


def _integer_pow(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    y = params["y"]
    if out == _BOOL or y == 0 or abs(y) > _LARGEST_POWER or (y < 0 and out in _INTEGERS):
        return None
    product = _power(abs(y))
    return product if y > 0 else f"np.{out.name}(1) / ({product})"


def _power(y: int) -> str:
    """A product of squares; LLVM computes each of them once."""
    if y == 1:
        return "{0}"
    half = _power(y // 2)
    return f"({half}) * ({half})" + (" * {0}" if y % 2 else "")


def _sign(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    if out in _FLOATS:
        return _FLOAT["sign"]
    if out == _BOOL:
        return None
    kind = f"np.{out.name}"
    return f"select({{0}} > 0, {kind}(1), select({{0}} < 0, {kind}(-1), {kind}(0)))"


def _shift(sign: str) -> Callable[[list[np.dtype], np.dtype, dict], str | None]:
    def write(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
        if out not in _INTEGERS or dtypes[0] != dtypes[1]:
            return None
        width = 8 * out.itemsize
        inside = f"({{1}} >= 0) & ({{1}} < {width})"
        # Beyond the width nothing is left but, on the right, the sign.
        signed = sign == ">>" and out in _SIGNED
        last = f"{{0}} >> {width - 1}" if signed else f"np.{out.name}(0)"
        return f"select({inside}, {{0}} {sign} select({inside}, {{1}}, 0), {last})"

    return write


def _bitcast(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    if _BOOL in (out, dtypes[0]):
        return "{0}" if out == dtypes[0] else None
    if dtypes[0] in _FLOATS:
        return "{0}" if out in _FLOATS else f"np.{out.name}(bits({{0}}))"
    width = 8 * out.itemsize
    return f"from_bits(np.uint{width}({{0}}))" if out in _FLOATS else f"np.{out.name}({{0}})"


def _threefry(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    return "threefry2x32({0}, {1})" if out == np.dtype(np.uint64) else None


def _signbit(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
    last = 8 * dtypes[0].itemsize - 1
    return f"bits({{0}}) >> {last} != 0" if dtypes[0] in _FLOATS else None


_SPECIAL: dict[str, Callable[[list[np.dtype], np.dtype, dict], str | None]] = {
    "select_n": _select,
    "convert_element_type": _convert,
    "bitcast_convert_type": _bitcast,
    "threefry2x32": _threefry,
    "normal_quantile": lambda dtypes, out, params: "normal_quantile({0})",
    "integer_pow": _integer_pow,
    "sign": _sign,
    "shift_left": _shift("<<"),
    "shift_right": _shift(">>"),
    "signbit": _signbit,
    "stop_gradient": lambda dtypes, out, params: "{0}",
}


def def_kernel(primitive: Primitive, expression: str, kinds: str = "f") -> None:
    """Give an elementwise primitive from outside of this package a kernel.

    Args:
      primitive: one that is ``elementwise``.
      expression: its value as a Python expression over ``{0}``, ``{1}``, ... for the operands'
        elements: arithmetic, comparisons, ``select(test, x, y)``, ``abs``, and the functions of
        ``NAMESPACE``. Parameters of the primitive have no part in it.
      kinds: the kinds of dtypes (NumPy's letters ``f``, ``i``, ``u``, ``b``) of operands and result
        that it is for; with others the primitive stays a host step. A Python float takes on the
        dtype that it meets.

    Raises:
      TypeError: for a primitive that is not elementwise.
      ValueError: where it has a kernel already, or the expression names something unknown.
    """
    name = primitive.name
    if not primitive.elementwise:
        raise TypeError(f"def_kernel takes elementwise primitives, got {name}")
    if any(name in table for table in (_SPECIAL, _FLOAT, _WHOLE, _TRUTH, vecmath.TABLE)):
        raise ValueError(f"the primitive {name} has a kernel already")
    text = expression.format(*(f"x{i}" for i in range(expression.count("{"))))
    names = {node.id for node in ast.walk(ast.parse(text, mode="eval")) if type(node) is ast.Name}
    operand = {f"x{i}" for i in range(expression.count("{"))}
    unknown = sorted(names - operand - set(NAMESPACE) - set(BUILTINS) - {"abs", "min", "max", "np"})
    if unknown:
        raise ValueError(f"def_kernel of {name}: there is no {', '.join(unknown)} in kernels")

    def write(dtypes: list[np.dtype], out: np.dtype, params: dict) -> str | None:
        return f"({expression})" if all(d.kind in kinds for d in (*dtypes, out)) else None

    _SPECIAL[name] = write
