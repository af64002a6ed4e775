"""A small part of Python, translated to LLVM: loops over numbers and pointers.

What it has: assignment to names and to elements of pointers, ``for`` over a ``range``, ``while``,
``if``, ``break``, ``return``, arithmetic, comparisons, conditional expressions, calls of the
functions it is given. ``and``, ``or`` and conditional expressions compute all their operands. A
name has the type of what it is first given; a whole number alone is an int64, another one a
float64. All of it means what it means in Python, so the same text also runs there.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .values import INTEGERS, Builder, Module, TranslationError, Value, _register

_BINARY: dict[type, Callable] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.BitXor: operator.xor, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
    ast.Pow: operator.pow,
}  # fmt: skip
_COMPARE: dict[type, Callable] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_UNARY: dict[type, Callable] = {ast.USub: operator.neg, ast.Invert: operator.invert}


#: As ``range``, of a loop that is not to become one over vectors.
_ONE_BY_ONE = "one_by_one"


class Translator:
    """One function on its way to LLVM.

    Args:
      module: where what it needs of other functions goes.
      functions: what the source may call or name, by name (``"np.float64"`` for an attribute).
        A function is given values and numbers; where its attribute ``builds`` is true the builder
        comes first.
      parallel: whether the turns of each innermost loop leave each other's memory alone.
    """

    def __init__(self, module: Module, functions: Mapping[str, Any], parallel: bool = False):
        self.module = module
        self.functions = functions
        self.parallel = parallel
        self.builder = Builder(module)
        self.variables: dict[str, tuple[str, str]] = {}
        self.breaks: list[str] = []
        self.result = "void"

    def function(
        self,
        node: ast.FunctionDef,
        dtypes: Sequence[str],
        name: str,
        head: str = "define internal",
        result: str = "void",
        noalias: frozenset[str] = frozenset(),
        inline: bool = False,
    ) -> str:
        """The function's definition.

        Args:
          node: its source.
          dtypes: the type of each parameter.
          name, head: its symbol and what stands before the result's type.
          result: the type of what it returns.
          noalias: parameters whose memory no other parameter reaches.
          inline: whether its calls become its text.
        """
        builder = self.builder
        self.result = result
        parameters = []
        for arg, dtype in zip(node.args.args, dtypes, strict=True):
            kept = " noalias" if arg.arg in noalias else ""
            parameters.append(f"{_register(dtype)}{kept} %{arg.arg}")
            variable = builder.variable(dtype)
            builder.put(variable, Value(builder, f"%{arg.arg}", dtype))
            self.variables[arg.arg] = variable, dtype
        self.block(node.body)
        builder.emit("ret void" if result == "void" else "unreachable")
        return "\n".join(
            [
                f"{head} {'void' if result == 'void' else _register(result)} "
                f"@{name}({', '.join(parameters)}) nounwind{' alwaysinline' * inline} "
                '"prefer-vector-width"="512" {',
                "entry:",
                *builder.head,
                *builder.lines,
                "}",
            ]
        )

    # --- statements -----------------------------------------------------------------------------

    def block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            getattr(self, f"_{type(statement).__name__}", self._unknown)(statement)

    def _unknown(self, node: ast.AST) -> Any:
        raise TranslationError(f"the language has no {type(node).__name__}: {ast.unparse(node)}")

    def _Pass(self, node: ast.Pass) -> None:  # noqa: N802 - the names of Python's ast
        pass

    def _Expr(self, node: ast.Expr) -> None:  # noqa: N802
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.read(node.value)

    def _Assign(self, node: ast.Assign) -> None:  # noqa: N802
        value = self.read(node.value)
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                self.builder.store(self.read(target.value), self.read(target.slice), value)
            elif isinstance(target, ast.Name):
                self.assign(target.id, value)
            else:
                self._unknown(node)

    def _AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802
        value = self.read(
            ast.BinOp(
                ast.Name(node.target.id) if isinstance(node.target, ast.Name) else node.target,
                node.op,
                node.value,
            )
        )
        if isinstance(node.target, ast.Subscript):
            self.builder.store(self.read(node.target.value), self.read(node.target.slice), value)
        elif isinstance(node.target, ast.Name):
            self.assign(node.target.id, value)

    def assign(self, name: str, value: Any) -> None:
        if name not in self.variables:
            dtype = value.dtype if isinstance(value, Value) else _dtype_of(value)
            self.variables[name] = self.builder.variable(dtype), dtype
        variable, dtype = self.variables[name]
        self.builder.put(variable, self.builder.value(value, dtype))

    def _Return(self, node: ast.Return) -> None:  # noqa: N802
        if node.value is None:
            self.builder.emit("ret void")
        else:
            if self.result == "void":
                raise TranslationError("a function without a result returns one")
            value = self.builder.value(self.read(node.value), self.result)
            self.builder.emit(f"ret {_register(value.dtype)} {value.name}")
        self.builder.label(self.builder.fresh("after"))

    def _If(self, node: ast.If) -> None:  # noqa: N802
        builder = self.builder
        yes, no, end = builder.fresh("yes"), builder.fresh("no"), builder.fresh("end")
        builder.branch(self.condition(node.test), yes, no)
        builder.label(yes)
        self.block(node.body)
        builder.jump(end)
        builder.label(no)
        self.block(node.orelse)
        builder.jump(end)
        builder.label(end)

    def _For(self, node: ast.For) -> None:  # noqa: N802
        call, target = node.iter, node.target
        is_range = isinstance(call, ast.Call) and ast.unparse(call.func) in ("range", _ONE_BY_ONE)
        if not (is_range and isinstance(target, ast.Name)):
            self._unknown(node)
        assert isinstance(call, ast.Call) and isinstance(target, ast.Name)
        if call.keywords or not 1 <= len(call.args) <= 3:
            self._unknown(call)
        numbers = [self.read(a) for a in call.args]
        if len(numbers) == 3 and not (isinstance(numbers[2], int) and numbers[2] > 0):
            raise TranslationError(f"a step is a positive number: {ast.unparse(call)}")
        bounds = [self.builder.value(n, "int64") for n in numbers]
        start, stop, *step = bounds if len(bounds) > 1 else [0, *bounds]
        # The loop counts on its own, whatever happens to the name that the source gives it.
        counter = self.builder.variable("int64")
        self.builder.put(counter, self.builder.value(start, "int64"))

        def begin() -> None:
            self.assign(target.id, self.builder.get(counter, "int64"))

        def advance() -> None:
            i = self.builder.get(counter, "int64")
            by = step[0] if step else self.builder.value(1, "int64")
            self.builder.put(
                counter, self.builder.made("int64", f"add nsw i64 {i.name}, {by.name}")
            )

        self._loop(node, lambda: self.builder.get(counter, "int64") < stop, begin, advance)

    def _While(self, node: ast.While) -> None:  # noqa: N802
        self._loop(node, lambda: self.condition(node.test), lambda: None, lambda: None)

    def _loop(
        self,
        node: ast.For | ast.While,
        test: Callable[[], Value],
        begin: Callable[[], None],
        advance: Callable[[], None],
    ) -> None:
        if node.orelse:
            raise TranslationError("the language has no else of loops")
        builder = self.builder
        top, body, end = builder.fresh("top"), builder.fresh("body"), builder.fresh("end")
        group, mark = -1, ""
        innermost = not any(
            isinstance(n, ast.For | ast.While) for s in node.body for n in ast.walk(s)
        )
        if self.parallel and innermost:
            group = self.module.metadata("distinct !{{}}")
            builder.access, builder.interleaved = f", !llvm.access.group !{group}", 0
        scalar = isinstance(node, ast.For) and ast.unparse(node.iter).startswith(_ONE_BY_ONE)
        builder.jump(top)
        builder.label(top)
        builder.branch(test(), body, end)
        builder.label(body)
        self.breaks.append(end)
        begin()
        self.block(node.body)
        self.breaks.pop()
        advance()
        if group >= 0 or scalar:
            mark = f", !llvm.loop !{self._properties(group, scalar)}"
        builder.emit(f"br label %{top}{mark}")
        builder.label(end)
        builder.access = ""

    def _properties(self, group: int, scalar: bool) -> int:
        """Metadata of a loop: that its accesses of a group are parallel, and what else is known."""
        known = {"parallel_accesses": f"!{group}"} if group >= 0 else {}
        if scalar:
            known["vectorize.enable"] = "i1 false"
        elif self.builder.interleaved:
            known["interleave.count"] = f"i32 {self.builder.interleaved}"
        parts = [self.module.metadata(f'!{{{{!"llvm.loop.{k}", {v}}}}}') for k, v in known.items()]
        own = ", ".join(["{self}", *(f"!{part}" for part in parts)])
        return self.module.metadata(f"distinct !{{{{{own}}}}}")

    def _Break(self, node: ast.Break) -> None:  # noqa: N802
        self.builder.jump(self.breaks[-1])
        self.builder.label(self.builder.fresh("after"))

    # --- expressions ----------------------------------------------------------------------------

    def condition(self, node: ast.expr) -> Value:
        return self.builder.value(self.read(node), "bool")

    def read(self, node: ast.expr) -> Any:
        """An expression's value: a ``Value`` or a Python number."""
        return getattr(self, f"_{type(node).__name__}", self._unknown)(node)

    def _Constant(self, node: ast.Constant) -> Any:  # noqa: N802
        return node.value

    def _Name(self, node: ast.Name) -> Any:  # noqa: N802
        if node.id in self.variables:
            return self.builder.get(*self.variables[node.id])
        return self._named(node.id, node)

    def _Attribute(self, node: ast.Attribute) -> Any:  # noqa: N802
        return self._named(ast.unparse(node), node)

    def _named(self, name: str, node: ast.AST) -> Any:
        if name not in self.functions:
            raise TranslationError(f"no such name: {ast.unparse(node)}")
        return self.functions[name]

    def _Subscript(self, node: ast.Subscript) -> Value:  # noqa: N802
        return self.builder.load(self.read(node.value), self.read(node.slice))

    def _BinOp(self, node: ast.BinOp) -> Any:  # noqa: N802
        left, right = self.read(node.left), self.read(node.right)
        if isinstance(node.op, ast.FloorDiv | ast.Mod):
            if not isinstance(left, Value) and not isinstance(right, Value):
                return left // right if isinstance(node.op, ast.FloorDiv) else left % right
            raise TranslationError("whole quotients are functions: quotient(x, y), rest(x, y)")
        if type(node.op) not in _BINARY:
            self._unknown(node)
        return self._applied(_BINARY[type(node.op)], node, left, right)

    def _UnaryOp(self, node: ast.UnaryOp) -> Any:  # noqa: N802
        if isinstance(node.op, ast.Not):
            return ~self.condition(node.operand)
        if type(node.op) not in _UNARY:
            self._unknown(node)
        return self._applied(_UNARY[type(node.op)], node, self.read(node.operand))

    def _BoolOp(self, node: ast.BoolOp) -> Value:  # noqa: N802
        values = [self.condition(v) for v in node.values]
        join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
        return functools.reduce(join, values)

    def _Compare(self, node: ast.Compare) -> Any:  # noqa: N802
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            self._unknown(node)
        left, right = self.read(node.left), self.read(node.comparators[0])
        return self._applied(_COMPARE[type(node.ops[0])], node, left, right)

    def _applied(self, operation: Callable, node: ast.AST, *operands: Any) -> Any:
        try:
            return operation(*operands)
        except (TypeError, ValueError, KeyError) as error:
            raise TranslationError(f"{ast.unparse(node)}: {error}") from error

    def _IfExp(self, node: ast.IfExp) -> Value:  # noqa: N802
        test = self.condition(node.test)
        return self.builder.select(test, self.read(node.body), self.read(node.orelse))

    def _Call(self, node: ast.Call) -> Any:  # noqa: N802
        if node.keywords:
            self._unknown(node)
        function = self.read(node.func)
        args = [self.read(a) for a in node.args]
        try:
            return function(self.builder, *args) if _builds(function) else function(*args)
        except (TypeError, ValueError) as error:
            raise TranslationError(f"{ast.unparse(node)}: {error}") from error


def _builds(function: Callable) -> bool:
    return getattr(function, "builds", False)


def builds(function: Callable) -> Callable:
    """Mark a function of the language that is given the builder first."""
    function.builds = True  # type: ignore[attr-defined]
    return function


def _dtype_of(number: Any) -> str:
    if isinstance(number, bool):
        return "bool"
    if isinstance(number, int):
        return "int64"
    if isinstance(number, float):
        return "float64"
    raise TranslationError(f"not a number: {number!r}")


# --- functions that every source may use --------------------------------------------------------


def _conversion(dtype: str) -> Callable:
    return builds(lambda builder, x: builder.convert(x, dtype))


def _extreme(sign: str, python: Callable) -> Callable:
    @builds
    def call(builder: Builder, x: Any, y: Any) -> Any:
        if not isinstance(x, Value) and not isinstance(y, Value):
            return python(x, y)
        return builder.select(builder.compare(sign, *builder.common(y, x)), y, x)

    return call


def _pointer(dtype: str) -> Callable:
    return builds(lambda builder, address: builder.pointer(address, dtype))


def _room(dtype: str) -> Callable:
    """Memory for some elements, as long as the function runs."""
    return builds(lambda builder, count: builder.room(dtype, count))


@builds
def _invoke(builder: Builder, function: Value, types: str, *args: Any) -> Value | None:
    """Call a C function by its address: ``invoke(f, "int64(int64, float64)", x, y)``."""
    result, _, rest = types.partition("(")
    wanted = [t.strip() for t in rest.rstrip(")").split(",")] if rest != ")" else []
    values = [builder.value(a, t) for a, t in zip(args, wanted, strict=True)]
    return builder.call(function, result.strip(), values)


@builds
def _atomic_add(builder: Builder, pointer: Value, at: Any, by: Any) -> Value:
    """Add to an int64 in memory that other threads change too; its value before."""
    return builder.atomic("add", pointer, at, by)


@builds
def _atomic_swap(builder: Builder, pointer: Value, at: Any, by: Any) -> Value:
    """Replace an int64 in memory that other threads change too; its value before."""
    return builder.atomic("xchg", pointer, at, by)


@builds
def _atomic_load(builder: Builder, pointer: Value, at: Any) -> Value:
    """An int64 in memory that other threads change."""
    place = builder.element(pointer, at)
    return builder.made("int64", f"load atomic i64, ptr {place.name} seq_cst, align 8")


BUILTINS: dict[str, Any] = {
    **{f"np.{dtype}": _conversion(dtype) for dtype in (*INTEGERS, "float64", "float32")},
    "np.bool_": _conversion("bool"),
    "np.inf": float("inf"),
    "np.nan": float("nan"),
    "abs": abs,
    "min": _extreme("<", min),
    "max": _extreme(">", max),
    "select": builds(lambda builder, test, x, y: builder.select(test, x, y)),
    "quotient": builds(lambda builder, x, y: builder.divide(x, y)),
    "rest": builds(lambda builder, x, y: builder.divide(x, y, remainder=True)),
    **{
        f"pointer_{dtype}": _pointer(dtype)
        for dtype in (*INTEGERS, "float64", "float32", "bool")
    },
    **{f"room_{dtype}": _room(dtype) for dtype in (*INTEGERS, "float64", "float32")},
    "at": builds(lambda builder, pointer, index: builder.element(pointer, index)),
    "invoke": _invoke,
    "address_of": builds(lambda builder, p, at: builder.address(builder.element(p, at))),
    "atomic_add": _atomic_add,
    "atomic_swap": _atomic_swap,
    "atomic_load": _atomic_load,
}  # fmt: skip
