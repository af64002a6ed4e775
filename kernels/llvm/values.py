"""LLVM's instructions as text, written by Python's operators on ``Value``s.

A value has one of NumPy's dtypes by name, or is a pointer to elements of one (``"*float64"``).
Python's numbers are constants that take on the type of what they meet. Floating-point operations
round as IEEE 754 says and nothing is reassociated; integers wrap around.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

INTEGERS = {f"{sign}int{bits}": bits for sign in ("", "u") for bits in (8, 16, 32, 64)}
FLOATS = {"float64": 64, "float32": 32}
#: LLVM's type of a value in a register.
REGISTER = {
    "float64": "double", "float32": "float", "bool": "i1",
    **{name: f"i{bits}" for name, bits in INTEGERS.items()},
}  # fmt: skip
#: LLVM's type of an element in memory: NumPy's bools are bytes.
MEMORY = REGISTER | {"bool": "i8"}


class TranslationError(Exception):
    """Source that the language does not have: a fault of this package, not of its user."""


def constant(dtype: str, value: Any) -> str:
    """A number as LLVM writes it."""
    if dtype in FLOATS:
        number = np.float32(value) if dtype == "float32" else value
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(number)))[0]:016X}"
    if dtype == "bool":
        return "true" if value else "false"
    return str(int(value))


class Value:
    """A value in a register, or a constant."""

    __slots__ = ("builder", "dtype", "name")
    __array_ufunc__ = None  # NumPy's scalars leave operators to this class

    def __init__(self, builder: Builder, name: str, dtype: str):
        self.builder = builder
        self.name = name
        self.dtype = dtype

    def __repr__(self) -> str:
        return f"<{self.dtype} {self.name}>"

    def __neg__(self) -> Value:
        if self.dtype in FLOATS:
            return self.builder.unary("fneg", self)
        if self.dtype not in INTEGERS:
            raise TranslationError(f"minus {self!r}")
        return self.builder.binary("sub", 0, self)

    def __invert__(self) -> Value:
        return self.builder.binary("xor", self, True if self.dtype == "bool" else -1)

    def __abs__(self) -> Value:
        return self.builder.absolute(self)

    def __bool__(self) -> bool:
        raise TranslationError("the value is not known while translating")

    __hash__ = None  # type: ignore[assignment]


def _operator(name: str) -> tuple[Callable, Callable]:
    def forward(self: Value, other: Any) -> Value:
        return self.builder.arithmetic(name, self, other)

    def backward(self: Value, other: Any) -> Value:
        return self.builder.arithmetic(name, other, self)

    return forward, backward


for _method, _name in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div",
    "and": "and", "or": "or", "xor": "xor", "lshift": "shl", "rshift": "shr",
}.items():  # fmt: skip
    _forward, _backward = _operator(_name)
    setattr(Value, f"__{_method}__", _forward)
    setattr(Value, f"__r{_method}__", _backward)


def _comparison(sign: str) -> Callable:
    return lambda self, other: self.builder.compare(sign, self, other)


for _method, _sign in {
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}.items():  # fmt: skip
    setattr(Value, f"__{_method}__", _comparison(_sign))

_FLOAT_SIGNS = {"==": "oeq", "!=": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"}
_INT_SIGNS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


class Module:
    """What functions of one module share: declarations, helper functions, metadata."""

    def __init__(self) -> None:
        self._declared: dict[str, None] = {}
        #: Definitions by name, for functions that several callers need.
        self.definitions: dict[str, str] = {}
        self._metadata: list[str] = []
        #: Functions to keep until loops have been vectorised, though nothing calls them by name.
        self.kept: list[str] = []

    def declare(self, text: str) -> None:
        self._declared[text] = None

    def metadata(self, text: str) -> int:
        """A new metadata node; ``{self}`` in its text is the node itself."""
        number = len(self._metadata)
        self._metadata.append(f"!{number} = {text.format(self=f'!{number}')}")
        return number

    def text(self, functions: list[str]) -> str:
        kept = []
        if self.kept:
            pointers = ", ".join(f"ptr @{name}" for name in self.kept)
            kept = [
                f"@llvm.compiler.used = appending global [{len(self.kept)} x ptr] "
                f'[{pointers}], section "llvm.metadata"'
            ]
        return "\n".join(
            [*kept, *self._declared, *self.definitions.values(), *functions, *self._metadata]
        )


class Builder:
    """The instructions of one function, in the order in which they are written."""

    def __init__(self, module: Module):
        self.module = module
        self.lines: list[str] = []
        #: Room for variables, made when the function is entered.
        self.head: list[str] = []
        self._count = 0
        #: The access group of the loop at hand, "" where there is none.
        self.access = ""
        #: How many of the loop's vectors are to be computed side by side; 0: as LLVM sees fit.
        self.interleaved = 0

    # --- plain text -----------------------------------------------------------------------------

    def fresh(self, prefix: str = "v") -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def emit(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def made(self, dtype: str, text: str) -> Value:
        """The value of an instruction."""
        name = "%" + self.fresh()
        self.lines.append(f"  {name} = {text}")
        return Value(self, name, dtype)

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def jump(self, label: str) -> None:
        self.emit(f"br label %{label}")

    def branch(self, condition: Value, yes: str, no: str) -> None:
        self.emit(f"br i1 {condition.name}, label %{yes}, label %{no}")

    # --- values ---------------------------------------------------------------------------------

    def value(self, x: Any, dtype: str) -> Value:
        """A value or a number as a value of a dtype; values are not converted."""
        if isinstance(x, Value):
            if x.dtype != dtype:
                raise TranslationError(f"expected {dtype}, got {x!r}")
            return x
        if dtype in INTEGERS and isinstance(x, float | np.floating):
            raise TranslationError(f"expected {dtype}, got {x!r}")
        return Value(self, constant(dtype, x), dtype)

    def common(self, *operands: Any) -> list[Value]:
        """Operands as values of one dtype: that of those which are values."""
        dtype = next((x.dtype for x in operands if isinstance(x, Value)), None)
        if dtype is None:
            raise TranslationError(f"an operation on numbers alone: {operands}")
        return [self.value(x, dtype) for x in operands]

    def binary(self, instruction: str, x: Any, y: Any) -> Value:
        a, b = self.common(x, y)
        return self.made(a.dtype, f"{instruction} {REGISTER[a.dtype]} {a.name}, {b.name}")

    def unary(self, instruction: str, x: Value) -> Value:
        return self.made(x.dtype, f"{instruction} {REGISTER[x.dtype]} {x.name}")

    def arithmetic(self, name: str, x: Any, y: Any) -> Value:
        dtype = x.dtype if isinstance(x, Value) else y.dtype
        if dtype in FLOATS:
            if name not in ("add", "sub", "mul", "div"):
                raise TranslationError(f"{name} of {dtype}")
            return self.binary("f" + name, x, y)
        if name == "shr":
            return self.binary("ashr" if dtype.startswith("int") else "lshr", x, y)
        if dtype.startswith("*"):
            raise TranslationError(f"{name} of a pointer")
        if name == "div" or (dtype == "bool" and name not in ("and", "or", "xor")):
            raise TranslationError(f"{name} of {dtype}")
        return self.binary(name, x, y)

    def divide(self, x: Any, y: Any, remainder: bool = False) -> Value:
        """Integers divided, rounded towards zero; the divisor is not zero, nor does it overflow."""
        a, b = self.common(x, y)
        if a.dtype not in INTEGERS:
            raise TranslationError(f"a whole quotient of {a.dtype}")
        sign = "s" if a.dtype.startswith("int") else "u"
        return self.binary(f"{sign}{'rem' if remainder else 'div'}", a, b)

    def compare(self, sign: str, x: Any, y: Any) -> Value:
        a, b = self.common(x, y)
        if a.dtype in FLOATS:
            text = f"fcmp {_FLOAT_SIGNS[sign]}"
        else:
            order = "" if sign in ("==", "!=") else "s" if a.dtype.startswith("int") else "u"
            text = f"icmp {order}{_INT_SIGNS[sign]}"
        return self.made("bool", f"{text} {REGISTER[a.dtype]} {a.name}, {b.name}")

    def select(self, condition: Value, x: Any, y: Any) -> Value:
        a, b = self.common(x, y)
        kind = REGISTER[a.dtype]
        return self.made(a.dtype, f"select i1 {condition.name}, {kind} {a.name}, {kind} {b.name}")

    def intrinsic(self, name: str, *operands: Any, dtype: str | None = None) -> Value:
        """A call of one of LLVM's intrinsics over operands of one dtype."""
        values = self.common(*operands)
        kind = REGISTER[values[0].dtype]
        suffix = {"double": "f64", "float": "f32"}.get(kind, kind)
        args = ", ".join(f"{kind} {v.name}" for v in values)
        symbol = f"@llvm.{name}.{suffix}"
        self.module.declare(f"declare {kind} {symbol}({', '.join([kind] * len(values))})")
        return self.made(values[0].dtype, f"call {kind} {symbol}({args})")

    def absolute(self, x: Value) -> Value:
        if x.dtype in FLOATS:
            return self.intrinsic("fabs", x)
        return self.select(x < 0, -x, x) if x.dtype.startswith("int") else x

    def bitcast(self, x: Value, dtype: str) -> Value:
        return self.made(dtype, f"bitcast {REGISTER[x.dtype]} {x.name} to {REGISTER[dtype]}")

    # --- conversions ----------------------------------------------------------------------------

    def convert(self, x: Any, dtype: str) -> Value:
        """A number in another dtype, as NumPy's ``astype`` has it on this kind of machine."""
        if not isinstance(x, Value):
            return Value(self, constant(dtype, x), dtype)
        if x.dtype == dtype:
            return x
        if dtype == "bool":
            return self.compare("!=", x, 0)
        if x.dtype in FLOATS:
            if dtype in FLOATS:
                return self._cast("fpext" if dtype == "float64" else "fptrunc", x, dtype)
            return self._to_integer(x, dtype)
        if dtype in FLOATS:
            return self._cast("sitofp" if x.dtype.startswith("int") else "uitofp", x, dtype)
        before = 1 if x.dtype == "bool" else INTEGERS[x.dtype]
        if INTEGERS[dtype] == before:
            return Value(self, x.name, dtype)
        if INTEGERS[dtype] < before:
            return self._cast("trunc", x, dtype)
        return self._cast("sext" if x.dtype.startswith("int") else "zext", x, dtype)

    def _cast(self, instruction: str, x: Value, dtype: str) -> Value:
        return self.made(dtype, f"{instruction} {REGISTER[x.dtype]} {x.name} to {REGISTER[dtype]}")

    def _to_integer(self, x: Value, dtype: str) -> Value:
        if dtype == "uint64":
            # What is above the largest int64 is converted less 2**63.
            large = x >= 2.0**63
            rest = self._signed(self.select(large, x - 2.0**63, x), "int64")
            return self.convert(self.select(large, rest ^ -(2**63), rest), "uint64")
        wide = "int64" if dtype in ("int64", "uint32") else "int32"
        return self.convert(self._signed(x, wide), dtype)

    def _signed(self, x: Value, dtype: str) -> Value:
        """The smallest integer where there is no right one, as the processor has it."""
        bound = 2.0 ** (INTEGERS[dtype] - 1)
        inside = (x < bound) & (x >= -bound if dtype == "int64" else x > -bound - 1)
        held = self.select(inside, x, 0)
        return self.select(inside, self._cast("fptosi", held, dtype), int(-bound))

    # --- memory ---------------------------------------------------------------------------------

    def variable(self, dtype: str) -> str:
        """Room for a variable: LLVM makes registers of these."""
        name = "%" + self.fresh("x")
        self.head.append(f"  {name} = alloca {_register(dtype)}")
        return name

    def room(self, dtype: str, count: int) -> Value:
        """Memory for some elements, made when the function is entered."""
        name = "%" + self.fresh("room")
        self.head.append(f"  {name} = alloca [{count} x {MEMORY[dtype]}], align 64")
        return Value(self, name, f"*{dtype}")

    def get(self, variable: str, dtype: str) -> Value:
        return self.made(dtype, f"load {_register(dtype)}, ptr {variable}")

    def put(self, variable: str, value: Value) -> None:
        self.emit(f"store {_register(value.dtype)} {value.name}, ptr {variable}")

    def element(self, pointer: Value, index: Any) -> Value:
        at = self.value(index, "int64")
        kind = MEMORY[pointer.dtype[1:]]
        text = f"getelementptr inbounds {kind}, ptr {pointer.name}, i64 {at.name}"
        return self.made(pointer.dtype, text)

    def load(self, pointer: Value, index: Any) -> Value:
        if not pointer.dtype.startswith("*"):
            raise TranslationError(f"an element of {pointer!r}")
        dtype = pointer.dtype[1:]
        place = self.element(pointer, index)
        # Arrays may lie at any address: the processor does not mind.
        text = f"load {MEMORY[dtype]}, ptr {place.name}, align 1{self.access}"
        value = self.made("uint8" if dtype == "bool" else dtype, text)
        return value != 0 if dtype == "bool" else value

    def store(self, pointer: Value, index: Any, value: Any) -> None:
        dtype = pointer.dtype[1:]
        value = self.value(value, dtype)
        if dtype == "bool":
            value = self.convert(value, "uint8")
        place = self.element(pointer, index)
        self.emit(f"store {MEMORY[dtype]} {value.name}, ptr {place.name}, align 1{self.access}")

    def pointer(self, address: Value, dtype: str) -> Value:
        return self.made(f"*{dtype}", f"inttoptr i64 {address.name} to ptr")

    def address(self, pointer: Value) -> Value:
        return self.made("int64", f"ptrtoint ptr {pointer.name} to i64")

    def atomic(self, operation: str, pointer: Value, index: Any, by: Any) -> Value:
        """Change an int64 in memory that other threads change too; its value before."""
        place, amount = self.element(pointer, index), self.value(by, "int64")
        text = f"atomicrmw {operation} ptr {place.name}, i64 {amount.name} seq_cst, align 8"
        return self.made("int64", text)

    def call(self, function: Value, result: str, args: list[Value]) -> Value | None:
        """Call a C function by its address; ``result`` is a dtype or ``"void"``."""
        pointer = self.made("*int8", f"inttoptr i64 {function.name} to ptr")
        return self.call_symbol(pointer.name, result, args)

    def call_symbol(self, symbol: str, result: str, args: list[Value]) -> Value | None:
        """The same for a function of this module, or a pointer."""
        given = ", ".join(f"{_register(a.dtype)} {a.name}" for a in args)
        if result == "void":
            self.emit(f"call void {symbol}({given})")
            return None
        return self.made(result, f"call {REGISTER[result]} {symbol}({given})")


def _register(dtype: str) -> str:
    if dtype.startswith("*"):
        return "ptr"
    element, _, lanes = dtype.partition("x")
    return f"<{lanes} x {REGISTER[element]}>" if lanes else REGISTER[dtype]
