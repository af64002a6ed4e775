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
        return (single if all(x == types.float32 for x in args) else double).py_func

    if arity == 1:
        overload(stub, jit_options=_OPTIONS)(lambda x: chosen(x))
    else:
        overload(stub, jit_options=_OPTIONS)(lambda x, y: chosen(x, y))
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
            return dtype(math.copysign(math.inf, exact))
        return dtype(math.copysign(float(steps), exact))

    def sqrt(x: Any) -> Any:
        """The square root."""
        with np.errstate(all="ignore"):
            return np.sqrt(x)

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
