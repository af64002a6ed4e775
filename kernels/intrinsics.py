"""What the generated code needs of the machine that Numba's Python does not offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_INT64 = ir.IntType(64)
ADDRESS = types.intp
TABLE = types.CPointer(types.int64)


def _binary(name: str) -> Callable:
    @intrinsic
    def call(typing: Any, x: Any, y: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
            kind = context.get_value_type(signature.return_type)
            function = builder.module.declare_intrinsic(
                f"llvm.{name}", [kind], ir.FunctionType(kind, [kind, kind])
            )
            return builder.call(function, args)

        return x(x, x), codegen

    return call


#: The larger, the smaller of two floats; NaN if either is one. LLVM vectorises reductions by them.
maximum = _binary("maximum")
minimum = _binary("minimum")


@intrinsic
def add_any_order(typing: Any, total: Any, x: Any) -> Any:
    """``total + x`` in a sum whose terms LLVM may add in any order, and so as vectors.

    The flag is on this one instruction; the terms themselves are computed as written.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return builder.fadd(*args, flags=("reassoc",))

    return total(total, total), codegen


def _pointer(dtype: Any) -> Callable:
    @intrinsic
    def cast(typing: Any, address: Any) -> Any:
        pointer = types.CPointer(dtype)

        def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(pointer))

        return pointer(ADDRESS), codegen

    return cast


def _from_bits(dtype: Any) -> Callable:
    @intrinsic
    def cast(typing: Any, bits: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
            kind = context.get_value_type(dtype)
            if isinstance(kind, ir.IntType):
                return builder.trunc(args[0], kind) if kind.width < 64 else args[0]
            width = 64 if isinstance(kind, ir.DoubleType) else 32
            bits = args[0] if width == 64 else builder.trunc(args[0], ir.IntType(width))
            return builder.bitcast(bits, kind)

        return dtype(types.int64), codegen

    return cast


_KINDS = {
    "float64": types.float64,
    "float32": types.float32,
    "int64": types.int64,
    "bool": types.boolean,
}
#: For each dtype: an address as a pointer to its elements (bools are bytes in memory); the low
#: bits of an int64 as its value.
as_pointer = {name: _pointer(kind) for name, kind in (_KINDS | {"bool": types.uint8}).items()}
from_bits = {name: _from_bits(kind) for name, kind in _KINDS.items()}


@intrinsic
def read_word(typing: Any, address: Any) -> Any:
    """The int64 at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return builder.load(builder.inttoptr(args[0], _INT64.as_pointer()))

    return types.int64(ADDRESS), codegen


@intrinsic
def write_word(typing: Any, address: Any, value: Any) -> Any:
    """Store an int64 at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        builder.store(args[1], builder.inttoptr(args[0], _INT64.as_pointer()))
        return context.get_dummy_value()

    return types.void(ADDRESS, types.int64), codegen


@intrinsic
def call_kernel(typing: Any, function: Any, table: Any, start: Any, stop: Any) -> Any:
    """Call a kernel, ``void (int64 *table, int64 start, int64 stop)``, by its address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_INT64.as_pointer(), _INT64, _INT64])
        pointer = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(pointer, [builder.inttoptr(args[1], _INT64.as_pointer()), *args[2:]])
        return context.get_dummy_value()

    return types.void(ADDRESS, ADDRESS, types.int64, types.int64), codegen
