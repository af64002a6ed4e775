"""The few operations the functions are written in, each one LLVM instruction or intrinsic.

Without Numba (or with its compiler switched off) the same names are Python functions over NumPy
scalars: slow, and bit for bit what the compiled ones return.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

try:
    import numba
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic, overload
except ImportError:
    numba = None

COMPILED = numba is not None and not numba.config.DISABLE_JIT

_OPTIONS = {"forceinline": True, "error_model": "numpy"}


def kernel(function: Callable) -> Callable:
    """A function that is inlined into its callers when they are compiled by Numba."""
    return numba.njit(**_OPTIONS)(function) if COMPILED else function


def generic(name: str, double: Callable, single: Callable) -> Callable:
    """One function of a name that takes either dtype: chosen by type while compiling.

    Args:
      name: its ``__name__``.
      double: the kernel for float64, and for anything else that Numba converts to it.
      single: the kernel for float32.
    """
    arity = (double.py_func if COMPILED else double).__code__.co_argcount

    def select_kernel(*args: Any) -> Callable:
        return single if all(type(x) is np.float32 for x in args) else double

    if arity == 1:

        def stub(x: Any) -> Any:
            return select_kernel(x)(x)
    else:

        def stub(x: Any, y: Any) -> Any:
            return select_kernel(x, y)(x, y)

    stub.__name__ = stub.__qualname__ = name
    stub.double, stub.single = double, single  # type: ignore[attr-defined]
    if not COMPILED:
        return stub

    def chosen(*args: Any) -> Callable | None:
        if any(not isinstance(x, types.Number) or isinstance(x, types.Complex) for x in args):
            return None
        for dtype, function in ((types.float32, single), (types.float64, double)):
            if all(x == dtype for x in args):
                return function.py_func
        return converted

    if arity == 1:

        def converted(x: Any) -> Any:
            return double(np.float64(x))

        overload(stub, jit_options=_OPTIONS, strict=False)(lambda x: chosen(x))
    else:

        def converted(x: Any, y: Any) -> Any:
            return double(np.float64(x), np.float64(y))

        overload(stub, jit_options=_OPTIONS, strict=False)(lambda x, y: chosen(x, y))
    return stub


if COMPILED:
    _INTEGER = {types.float64: types.uint64, types.float32: types.uint32}
    _FLOAT = {i: f for f, i in _INTEGER.items()}

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

else:

    def fma(x: Any, y: Any, z: Any) -> Any:
        """``x * y + z`` with one rounding."""
        with np.errstate(all="ignore"):
            plain = x * y + z
            if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
                return plain
            exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
            if exact == 0:
                return plain if plain == 0 else type(x)(0)
            return _rounded(exact, type(x))

    def _rounded(exact: Fraction, dtype: type) -> Any:
        """The number of a dtype nearest to a fraction that is not 0, ties to even."""
        info = np.finfo(dtype)
        size = abs(exact)
        exponent = size.numerator.bit_length() - size.denominator.bit_length()
        exponent -= size < Fraction(2) ** exponent
        unit = Fraction(2) ** (max(exponent, info.minexp) - info.nmant)
        steps = round(exact / unit) * unit  # Python rounds a half to even
        if abs(steps) >= Fraction(2) ** info.maxexp:
            return dtype(math.inf if exact > 0 else -math.inf)
        return dtype(float(steps) if steps else math.copysign(0.0, exact.numerator))

    def sqrt(x: Any) -> Any:
        """The square root."""
        with np.errstate(all="ignore"):
            return np.sqrt(x)

    def floor(x: Any) -> Any:
        """The largest whole number that is not above ``x``."""
        return np.floor(x)

    def fabs(x: Any) -> Any:
        """The magnitude, the sign bit cleared."""
        return np.fabs(x)

    def copysign(x: Any, y: Any) -> Any:
        """The magnitude of ``x`` with the sign bit of ``y``."""
        return np.copysign(x, y)

    def where(condition: Any, x: Any, y: Any) -> Any:
        """``x`` if the condition holds, else ``y``; both are computed."""
        return x if condition else y

    def bits(x: Any) -> Any:
        """The bits of a floating number, as an unsigned integer of its width."""
        return x.view(np.uint64 if type(x) is np.float64 else np.uint32)

    def from_bits(i: Any) -> Any:
        """The floating number of these bits."""
        return i.view(np.float64 if type(i) is np.uint64 else np.float32)

    def _integer(operation: Callable[[int, int], int]) -> Callable:
        def call(i: Any, j: Any) -> Any:
            return type(i)(operation(int(i), int(j)) % 2 ** (8 * i.itemsize))

        return call

    iadd, isub = _integer(lambda i, j: i + j), _integer(lambda i, j: i - j)
    iand, ior = _integer(lambda i, j: i & j), _integer(lambda i, j: i | j)
    ixor = _integer(lambda i, j: i ^ j)
    shl, shr = _integer(lambda i, j: i << j), _integer(lambda i, j: i >> j)

    def poly(x: Any, coefficients: Sequence[Any]) -> Any:
        """A polynomial by Horner's rule; the coefficient of the constant comes first."""
        out = coefficients[-1]
        for c in coefficients[-2::-1]:
            out = fma(out, x, c)
        return out

    def beyond(symbol: str, python: Callable, double: float, single: float) -> Callable:
        """A function of ``(x, y)``: y, or another function's value where x is too large."""

        def call(x: Any, y: Any) -> Any:
            limit = double if type(x) is np.float64 else single
            with np.errstate(all="ignore"):
                outside = abs(x) > limit if limit else x < 0
                return type(x)(python(x)) if outside else y

        return call
