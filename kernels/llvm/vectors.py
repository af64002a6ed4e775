"""Vectors of a fixed number of elements, for loops that the vectoriser would not write.

A vector's dtype is an element's with the number of lanes: ``"float32x16"``. Sources load, store,
make and combine vectors with the functions here; each is an instruction or two.
"""

from __future__ import annotations

from typing import Any

from .language import builds
from .values import FLOATS, Builder, Value, _register


def element_dtype(dtype: str) -> str:
    """The dtype of a vector's elements."""
    return dtype.partition("x")[0]


def _lanes(dtype: str) -> int:
    return int(dtype.partition("x")[2])


@builds
def _load_vector(builder: Builder, pointer: Value, index: Any, lanes: int) -> Value:
    """So many elements from a place on."""
    dtype = f"{pointer.dtype[1:]}x{lanes}"
    place = builder.element(pointer, index)
    return builder.made(
        dtype, f"load {_register(dtype)}, ptr {place.name}, align 1{builder.access}"
    )


@builds
def _store_vector(builder: Builder, pointer: Value, index: Any, vector: Value) -> None:
    place = builder.element(pointer, index)
    kind = _register(vector.dtype)
    builder.emit(f"store {kind} {vector.name}, ptr {place.name}, align 1{builder.access}")


@builds
def _splat(builder: Builder, x: Value, lanes: int) -> Value:
    """A vector of one number."""
    dtype = f"{x.dtype}x{lanes}"
    kind = _register(dtype)
    one = builder.made(dtype, f"insertelement {kind} poison, {_register(x.dtype)} {x.name}, i64 0")
    return builder.made(
        dtype,
        f"shufflevector {kind} {one.name}, {kind} poison, <{lanes} x i32> zeroinitializer",
    )


@builds
def _multiply_add(builder: Builder, x: Value, y: Value, total: Value) -> Value:
    """``x * y + total``; of floats rounded once where the processor has an instruction for it."""
    kind = _register(x.dtype)
    if element_dtype(x.dtype) not in FLOATS:
        product = builder.made(x.dtype, f"mul {kind} {x.name}, {y.name}")
        return builder.made(x.dtype, f"add {kind} {product.name}, {total.name}")
    bits = FLOATS[element_dtype(x.dtype)]
    symbol = f"@llvm.fmuladd.v{_lanes(x.dtype)}f{bits}"
    builder.module.declare(f"declare {kind} {symbol}({kind}, {kind}, {kind})")
    args = ", ".join(f"{kind} {v.name}" for v in (x, y, total))
    return builder.made(x.dtype, f"call {kind} {symbol}({args})")


@builds
def _kept(builder: Builder, vector: Value, bits: Value) -> Value:
    """A vector's elements where an int64 has a bit, the first in its lowest one; 0 elsewhere."""
    lanes, kind = _lanes(vector.dtype), _register(vector.dtype)
    low = bits.name
    if lanes < 64:
        low = builder.made("int64", f"trunc i64 {low} to i{lanes}").name
    mask = builder.made("bool", f"bitcast i{lanes} {low} to <{lanes} x i1>")
    text = f"select <{lanes} x i1> {mask.name}, {kind} {vector.name}, {kind} zeroinitializer"
    return builder.made(vector.dtype, text)


@builds
def _sum_of(builder: Builder, vector: Value) -> Value:
    """The sum of a vector's elements, in any order."""
    dtype, kind = element_dtype(vector.dtype), _register(vector.dtype)
    scalar, lanes = _register(dtype), _lanes(vector.dtype)
    if dtype in FLOATS:
        symbol = f"@llvm.vector.reduce.fadd.v{lanes}f{FLOATS[dtype]}"
        builder.module.declare(f"declare {scalar} {symbol}({scalar}, {kind})")
        zero = "0x8000000000000000"
        return builder.made(
            dtype, f"call reassoc {scalar} {symbol}({scalar} {zero}, {kind} {vector.name})"
        )
    symbol = f"@llvm.vector.reduce.add.v{lanes}{scalar}"
    builder.module.declare(f"declare {scalar} {symbol}({kind})")
    return builder.made(dtype, f"call {scalar} {symbol}({kind} {vector.name})")


NAMES: dict[str, Any] = {
    "load_vector": _load_vector,
    "store_vector": _store_vector,
    "splat": _splat,
    "multiply_add": _multiply_add,
    "kept": _kept,
    "sum_of": _sum_of,
}
