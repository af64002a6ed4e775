"""The operations of core.py as Numba's intrinsics: each is an instruction or two of LLVM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_INTEGER: dict[Any, Any] = {types.float64: types.uint64, types.float32: types.uint32}
_FLOAT: dict[Any, Any] = {i: f for f, i in _INTEGER.items()}


def _llvm(name: str, arity: int) -> Callable:
    """An LLVM intrinsic over operands of one floating dtype."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        kind = context.get_value_type(signature.return_type)
        function = builder.module.declare_intrinsic(
            f"llvm.{name}", [kind], ir.FunctionType(kind, [kind] * arity)
        )
        return builder.call(function, args)

    if arity == 1:

        @intrinsic
        def call(typing: Any, x: Any) -> Any:
            return x(x), codegen
    elif arity == 2:

        @intrinsic
        def call(typing: Any, x: Any, y: Any) -> Any:
            return x(x, x), codegen
    else:

        @intrinsic
        def call(typing: Any, x: Any, y: Any, z: Any) -> Any:
            return x(x, x, x), codegen

    return call


fma = _llvm("fma", 3)
sqrt = _llvm("sqrt", 1)
floor = _llvm("floor", 1)
fabs = _llvm("fabs", 1)
copysign = _llvm("copysign", 2)


@intrinsic
def where(typing: Any, condition: Any, x: Any, y: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return builder.select(*args)

    return x(types.boolean, x, x), codegen


def _bitcast(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
    return builder.bitcast(args[0], context.get_value_type(signature.return_type))


@intrinsic
def bits(typing: Any, x: Any) -> Any:
    return _INTEGER[x](x), _bitcast


@intrinsic
def from_bits(typing: Any, i: Any) -> Any:
    return _FLOAT[i](i), _bitcast


def _integer(operation: str) -> Callable:
    """An integer instruction; the second operand takes the width of the first."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        i, j = args
        if j.type.width > i.type.width:
            j = builder.trunc(j, i.type)
        elif j.type.width < i.type.width:
            j = builder.zext(j, i.type)
        return getattr(builder, operation)(i, j)

    @intrinsic
    def call(typing: Any, i: Any, j: Any) -> Any:
        return i(i, j), codegen

    return call


iadd, isub = _integer("add"), _integer("sub")
iand, ior, ixor = _integer("and_"), _integer("or_"), _integer("xor")
shl, shr = _integer("shl"), _integer("lshr")


@intrinsic
def poly(typing: Any, x: Any, coefficients: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        value, table = args
        kind = value.type
        function = builder.module.declare_intrinsic(
            "llvm.fma", [kind], ir.FunctionType(kind, [kind] * 3)
        )
        last = len(signature.args[1]) - 1
        out = builder.extract_value(table, last)
        for at in range(last - 1, -1, -1):
            out = builder.call(function, [out, value, builder.extract_value(table, at)])
        return out

    return x(x, coefficients), codegen


class _VectorCall(ir.CallInstr):
    """A call of a scalar function that names its variants for vectors."""

    def descr(self, buf: list[str]) -> None:
        lines: list[str] = []
        super().descr(lines)
        name = self.callee.name
        variants = ",".join(
            f"{_variant(name, width)}({_variant(name, width)})" for width in _WIDTHS
        )
        buf.append(
            "".join(lines).rstrip("\n") + " nounwind willreturn memory(none)"
            f' "vector-function-abi-variant"="{variants}"\n'
        )


_WIDTHS = (2, 4, 8, 16)


def _variant(name: str, width: int) -> str:
    return f"_ZGV_LLVM_N{width}vv_{name}"


def _outside(builder: Any, x: Any, limit: float, kind: Any) -> Any:
    """Where ``abs(x)`` is above the limit; with a limit of 0, where x is negative."""
    if limit == 0:
        nothing = 0.0 if kind is x.type else [0.0] * x.type.count
        return builder.fcmp_ordered("<", x, ir.Constant(x.type, nothing))
    name = f"llvm.fabs.{'' if kind is x.type else f'v{x.type.count}'}{kind.intrinsic_name}"
    module = builder.module
    fabs = module.globals.get(name)
    if fabs is None:
        fabs = ir.Function(module, ir.FunctionType(x.type, [x.type]), name)
    bound = limit if kind is x.type else [limit] * x.type.count
    return builder.fcmp_ordered(">", builder.call(fabs, [x]), ir.Constant(x.type, bound))


def _repair(module: Any, symbol: str, kind: Any, limit: float) -> Any:
    """The scalar function ``(x, y)`` of :func:`beyond`, and its variants."""
    suffix = "" if isinstance(kind, ir.DoubleType) else "f"
    name = f"autotrace_beyond_{symbol}{suffix}"
    if name in module.globals:
        return module.globals[name]
    scalar = ir.Function(module, ir.FunctionType(kind, [kind, kind]), name)
    scalar.linkage = "linkonce_odr"
    scalar.attributes.add("noinline")
    scalar.attributes.add("nounwind")
    builder = ir.IRBuilder(scalar.append_basic_block())
    x, y = scalar.args
    with builder.if_then(_outside(builder, x, limit, kind), likely=False):
        library = module.globals.get(symbol + suffix)
        if library is None:
            library = ir.Function(module, ir.FunctionType(kind, [kind]), symbol + suffix)
        builder.ret(builder.call(library, [x]))
    builder.ret(y)
    keep = [_repair_vector(module, scalar, kind, limit, width) for width in _WIDTHS]
    _keep(module, keep)
    return scalar


def _repair_vector(module: Any, scalar: Any, kind: Any, limit: float, width: int) -> Any:
    """A variant: if any number is outside, the scalar function takes them one by one."""
    vector, index, mask = ir.VectorType(kind, width), ir.IntType(32), ir.IntType(width)
    form = ir.FunctionType(vector, [vector] * 2)
    # The loop is a function of its own, so that the test needs no room on the stack.
    slow = ir.Function(module, form, f"{scalar.name}_{width}")
    slow.linkage = "linkonce_odr"
    slow.attributes.add("noinline")
    slow.attributes.add("nounwind")
    builder = ir.IRBuilder(slow.append_basic_block())
    x, out = slow.args
    for k in map(index, range(width)):
        pair = builder.extract_element(x, k), builder.extract_element(out, k)
        out = builder.insert_element(out, builder.call(scalar, pair), k)
    builder.ret(out)

    function = ir.Function(module, form, _variant(scalar.name, width))
    function.linkage = "linkonce_odr"
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block())
    x, y = function.args
    outside = builder.bitcast(_outside(builder, x, limit, kind), mask)
    with builder.if_then(builder.icmp_unsigned("!=", outside, mask(0)), likely=False):
        builder.ret(builder.call(slow, [x, y], tail=True))
    builder.ret(y)
    return function


def _keep(module: Any, functions: list) -> None:
    """Keep functions that nothing calls until loops have been vectorised."""
    pointer = ir.IntType(8).as_pointer()
    known = module.globals.get("llvm.compiler.used")
    elements = [f.bitcast(pointer) for f in functions]
    if known is None:
        known = ir.GlobalVariable(
            module, ir.ArrayType(pointer, len(elements)), "llvm.compiler.used"
        )
        known.linkage, known.section = "appending", "llvm.metadata"
    else:
        elements = [*known.initializer.constant, *elements]
        known.value_type = ir.ArrayType(pointer, len(elements))
    known.initializer = ir.Constant(known.value_type, elements)


def beyond(symbol: str, python: Callable, double: float, single: float) -> Callable:
    """A function of ``(x, y)``: y, or the C library's function of x where x is too large.

    A loop that calls it is vectorised all the same: the call carries vector variants (LLVM's
    vector function ABI), each of which tests all its numbers at once and calls the scalar
    library only if one is outside. Ordinary arguments pay for one comparison and one branch.

    Args:
      symbol: the name of the library's function for double.
      python: the function that stands for it where nothing is compiled.
      double: the largest magnitude for which y holds; 0 is for every x that is not negative.
      single: the same for float32.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        kind = args[0].type
        limit = double if isinstance(kind, ir.DoubleType) else single
        call = _VectorCall(builder.block, _repair(builder.module, symbol, kind, limit), args)
        builder._insert(call)
        return call

    @intrinsic
    def call(typing: Any, x: Any, y: Any) -> Any:
        return x(x, x), codegen

    return call
