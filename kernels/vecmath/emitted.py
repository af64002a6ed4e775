"""The operations of core.py on values under translation: each is an instruction or two of LLVM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..llvm.values import FLOATS, Builder, Module, Value, constant

_UNSIGNED = {"float64": "uint64", "float32": "uint32"}
_FLOAT = {i: f for f, i in _UNSIGNED.items()}


def builder_of(*operands: Any) -> Builder:
    """The builder that the values among some operands belong to."""
    return next(x.builder for x in operands if isinstance(x, Value))


def _intrinsic(name: str) -> Callable[..., Value]:
    return lambda *operands: builder_of(*operands).intrinsic(name, *operands)


fma = _intrinsic("fma")
sqrt = _intrinsic("sqrt")
floor = _intrinsic("floor")
fabs = _intrinsic("fabs")
copysign = _intrinsic("copysign")
trunc = _intrinsic("trunc")
ceil = _intrinsic("ceil")
rint = _intrinsic("rint")
count_ones = _intrinsic("ctpop")


def fmod(x: Any, y: Any) -> Value:
    """The rest of a division rounded towards zero; of whole numbers 0 where there is none."""
    builder = builder_of(x, y)
    x, y = builder.common(x, y)
    if x.dtype in FLOATS:
        return builder.binary("frem", x, y)
    return builder.divide(x, _divisor(y), remainder=True)


def _divisor(y: Value) -> Value:
    """1 where the processor traps: on 0, and on -1 for the least number."""
    bad = (y == 0) | (y == -1) if y.dtype.startswith("int") else y == 0
    return y.builder.select(bad, 1, y)


def quotient(x: Value, y: Value) -> Value:
    """Whole numbers divided, rounded towards zero; 0 where the divisor is."""
    builder = builder_of(x, y)
    x, y = builder.common(x, y)
    q = builder.divide(x, _divisor(y))
    if x.dtype.startswith("int"):
        q = builder.select(y == -1, -x, q)
    return builder.select(y == 0, 0, q)


def where(condition: Value, x: Any, y: Any) -> Value:
    """``x`` if the condition holds, else ``y``; both are computed."""
    if not isinstance(x, Value) and not isinstance(y, Value):
        dtype = type(x).__name__
        x = Value(condition.builder, constant(dtype, x), dtype)
    return condition.builder.select(condition, x, y)


def bits(x: Value) -> Value:
    """The bits of a floating number, as an unsigned integer of its width."""
    return x.builder.bitcast(x, _UNSIGNED[x.dtype])


def from_bits(i: Value) -> Value:
    """The floating number of these bits."""
    return i.builder.bitcast(i, _FLOAT[i.dtype])


def widen(x: Value) -> Value:
    """A float32 as a float64."""
    return x.builder.convert(x, "float64")


def narrow(x: Value) -> Value:
    """A float64 rounded to a float32."""
    return x.builder.convert(x, "float32")


def _integer(instruction: str) -> Callable[[Any, Any], Value]:
    return lambda i, j: builder_of(i, j).binary(instruction, i, j)


iadd, isub = _integer("add"), _integer("sub")
iand, ior, ixor = _integer("and"), _integer("or"), _integer("xor")
shl, shr = _integer("shl"), _integer("lshr")


# --- rare arguments ----------------------------------------------------------------------------

_WIDTHS = (2, 4, 8, 16)
_KINDS = {"float64": ("double", "f64", ""), "float32": ("float", "f32", "f")}


def beyond(symbol: str, x: Value, y: Any, limit: float) -> Value:
    """y, or the C library's function of x where ``abs(x)`` is above the limit (0: where x is
    negative).

    A loop that has it is vectorised all the same: the call carries vector variants (LLVM's vector
    function ABI), each of which tests all its numbers at once and calls the scalar library only
    if one is outside. Ordinary arguments pay for one comparison and one branch.
    """
    builder = x.builder
    kind, _, suffix = _KINDS[x.dtype]
    name = f"beyond_{symbol}{suffix}"
    _define_repair(builder.module, name, symbol + suffix, x.dtype, limit)
    variants = ",".join(f"{_variant(name, w)}({_variant(name, w)})" for w in _WIDTHS)
    y = builder.value(y, x.dtype)
    return builder.made(
        x.dtype,
        f"call {kind} @{name}({kind} {x.name}, {kind} {y.name}) nounwind willreturn memory(none) "
        f'"vector-function-abi-variant"="{variants}"',
    )


def _variant(name: str, width: int) -> str:
    return f"_ZGV_LLVM_N{width}vv_{name}"


def _outside(kind: str, fabs: str, limit: str) -> list[str]:
    """Lines that compute ``%far``: where x is outside."""
    if not fabs:
        return [f"  %far = fcmp olt {kind} %x, {limit}"]
    return [f"  %size = call {kind} @{fabs}({kind} %x)", f"  %far = fcmp ogt {kind} %size, {limit}"]


def _define_repair(module: Module, name: str, library: str, dtype: str, limit: float) -> None:
    if name in module.definitions:
        return
    kind, short, _ = _KINDS[dtype]
    number = constant(dtype, limit)
    fabs = f"llvm.fabs.{short}" if limit else ""
    module.declare(f"declare {kind} @{library}({kind})")
    if fabs:
        module.declare(f"declare {kind} @{fabs}({kind})")
    module.definitions[name] = "\n".join(
        [
            f"define internal {kind} @{name}({kind} %x, {kind} %y) noinline nounwind {{",
            *_outside(kind, fabs, number),
            "  br i1 %far, label %yes, label %no",
            "yes:",
            f"  %out = call {kind} @{library}({kind} %x)",
            f"  ret {kind} %out",
            "no:",
            f"  ret {kind} %y",
            "}",
        ]
    )
    for width in _WIDTHS:
        _define_variant(module, name, dtype, number, bool(fabs), width)


def _define_variant(
    module: Module, name: str, dtype: str, number: str, magnitude: bool, width: int
) -> None:
    """A variant: if any number is outside, the scalar function takes them one by one."""
    scalar, short, _ = _KINDS[dtype]
    kind = f"<{width} x {scalar}>"
    slow, variant = f"{name}_{width}", _variant(name, width)
    # The loop is a function of its own, so that the test needs no room on the stack.
    lines = [f"define internal {kind} @{slow}({kind} %x, {kind} %y) noinline nounwind {{"]
    for k in range(width):
        before = "%y" if k == 0 else f"%out{k - 1}"
        lines += [
            f"  %x{k} = extractelement {kind} %x, i32 {k}",
            f"  %y{k} = extractelement {kind} %y, i32 {k}",
            f"  %z{k} = call {scalar} @{name}({scalar} %x{k}, {scalar} %y{k})",
            f"  %out{k} = insertelement {kind} {before}, {scalar} %z{k}, i32 {k}",
        ]
    module.definitions[slow] = "\n".join([*lines, f"  ret {kind} %out{width - 1}", "}"])
    fabs = f"llvm.fabs.v{width}{short}" if magnitude else ""
    if fabs:
        module.declare(f"declare {kind} @{fabs}({kind})")
    limits = "<" + ", ".join([f"{scalar} {number}"] * width) + ">"
    module.definitions[variant] = "\n".join(
        [
            f"define internal {kind} @{variant}({kind} %x, {kind} %y) nounwind {{",
            *_outside(kind, fabs, limits),
            f"  %mask = bitcast <{width} x i1> %far to i{width}",
            f"  %any = icmp ne i{width} %mask, 0",
            "  br i1 %any, label %yes, label %no",
            "yes:",
            f"  %out = tail call {kind} @{slow}({kind} %x, {kind} %y)",
            f"  ret {kind} %out",
            "no:",
            f"  ret {kind} %y",
            "}",
        ]
    )
    module.kept.append(variant)
