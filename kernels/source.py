"""From the loop IR to Python source: plain loops that are compiled and that also run as they are.

The text is the kernel's identity: two kernels with the same text are the same machine code, for
whatever sizes and strides.
"""

from __future__ import annotations

import functools

import numpy as np

from .build import Source
from .loops import Kernel, Operand, Operation, Result, level_of

#: How many terms of a sum are added in any order before the partial sum is added, with
#: compensation (Neumaier 1974), to the total. Measured on 10^6 normal deviates, where rounding
#: errors are largest beside those of ``np.sum``: 1.3 times its error with 1024, 0.8 with 512 and
#: with 256, all three in the same time.
_BLOCK = 512
#: Rows of so many numbers LLVM loads whole and takes apart in registers.
_WOVEN = (2, 3, 4, 6)
#: Blocks of so many others are copied to the stack, number by number, and back; of half as many
#: where a row has more than that. A Jacobian of 2 x 15 for each of 50,000 observations takes 1.5 ms
#: so, 2.8 in blocks of 64, 5.6 with gathers and scatters, and 10.5 without vectors.
_NEAR = 32

_START = {
    "sum": "{dtype}(0)", "prod": "{dtype}(1)", "max": "{low}", "min": "{high}",
    "and": "{dtype}(-1)", "or": "{dtype}(0)", "xor": "{dtype}(0)", "logaddexp": "{low}",
    "recurrence": "{dtype}(0)",
}  # fmt: skip


def parameters(kernel: Kernel) -> list[str]:
    """The names of the table's entries, in order."""
    names = [f"in{i}" for i, o in enumerate(kernel.inputs) if o.owner < 0]
    names += [f"out{i}" for i, r in enumerate(kernel.results) if r.operand.owner < 0]
    names += [f"tab{i}" for i in range(len(kernel.tables))]
    names += ["status"] if kernel.checks else []
    names += [f"scalar{i}" for i in range(len(kernel.scalars))]
    names += [f"count{i}" for i in range(len(kernel.counters))]
    names += [f"n{d}" for d in range(kernel.rank)]
    names += ["piece"] if kernel.cut else []
    for prefix, operands in _operand_groups(kernel):
        for i, operand in enumerate(operands):
            strides = [d for d, kind in enumerate(operand.kinds) if kind == "s"]
            names += [f"{prefix}{i}_{'less' if kernel.gathers else 's'}{d}" for d in strides]
    return names


def _operand_groups(kernel: Kernel) -> list[tuple[str, list[Operand]]]:
    return [
        ("in", list(kernel.inputs)),
        ("count", list(kernel.counters)),
        ("out", [r.operand for r in kernel.results]),
        ("tab", list(kernel.tables)),
    ]


class _Writer:
    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.lines: list[str] = []
        self.depth = 1
        inputs, scalars = len(kernel.inputs), len(kernel.scalars)
        self.first_scalar = inputs
        self.first_counter = inputs + scalars
        self.first_operation = inputs + scalars + len(kernel.counters)
        #: What is copied to the stack and from it, where there is enough to be done with it.
        self.near = _in_rows(kernel)
        self.near_block = _NEAR if len(self.near) <= _NEAR else _NEAR // 2
        self.call = "range"
        if 2 * len(kernel.operations) < len(self.near):
            self.near, self.call = {}, "one_by_one"

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def value(self, number: int) -> str:
        if self.first_scalar <= number < self.first_counter:
            return f"scalar{number - self.first_scalar}"
        return f"v{number}"

    def start(self, result: Result) -> str:
        """What a fold starts from: what changes nothing."""
        name = result.operand.dtype
        if result.kind == "scan" and result.fold == "sum" and name.startswith("float"):
            return f"np.{name}(-0.0)"
        if name == "bool":
            return str(result.fold in ("and", "min"))
        low, high = _limits(name)
        return _START[result.fold].format(dtype=f"np.{name}", low=low, high=high)

    # --- places -----------------------------------------------------------------------------

    def place(self, prefix: str, index: int, operand: Operand, level: int) -> str:
        """The position of an operand within the first ``level`` loops."""
        moving = [d for d, kind in enumerate(operand.kinds[:level]) if kind != "0"]
        return f"{prefix}{index}_at{moving[-1]}" if moving else "0"

    def element(self, prefix: str, index: int, operand: Operand, place: str) -> str:
        """What an operand is at a place."""
        if (prefix, index) in self.near:
            return f"near_{prefix}{index}[i{self.kernel.rank - 1} - block]"
        return f"{prefix}{index if operand.owner < 0 else operand.owner}[{place}]"

    def stride(self, prefix: str, index: int, d: int) -> str:
        """A stride. Of a number of the table LLVM guesses that it is 1, and makes vectors for that
        case only; of a sum it does not, and gathers them. So where that is better, a number less by
        one stands in the table: ``tanh`` of a transposed array takes 2.8 ms in place of 21; twice
        every other element would take 0.26 in place of 0.15."""
        name = f"{prefix}{index}"
        return f"({name}_less{d} + 1)" if self.kernel.gathers else f"{name}_s{d}"

    def advance(self, level: int) -> None:
        """On entering a loop: where each operand is that moves with it."""
        d = level - 1
        for prefix, operands in _operand_groups(self.kernel):
            for i, operand in enumerate(operands):
                if operand.kinds[d] == "0" or (prefix, i) in self.near:
                    continue
                before = self.place(prefix, i, operand, d)
                kind = operand.kinds[d]
                step = f"i{d}" if kind == "1" else f"i{d} * {self.stride(prefix, i, d)}"
                if kind == "c":
                    step = f"i{d} * {operand.step} + {operand.within}"
                base = "" if before == "0" else f"{before} + "
                self.line(f"{prefix}{i}_at{d} = {base}{step}")

    def body(self, level: int) -> None:
        """Loads and operations that stand within exactly so many loops."""
        kernel = self.kernel
        for i, operand in enumerate(kernel.inputs):
            if level_of(operand.kinds) == level:
                test = " != 0" if operand.dtype == "bool" else ""
                place = self.place("in", i, operand, level)
                self.line(f"v{i} = {self.element('in', i, operand, place)}{test}")
        for i, operand in enumerate(kernel.counters):
            if level_of(operand.kinds) == level:
                place = self.place("count", i, operand, level)
                self.line(f"v{self.first_counter + i} = np.{operand.dtype}(count{i} + {place})")
        for i, operation in enumerate(kernel.operations):
            if operation.level == level:
                self.operation(self.first_operation + i, operation)
        if level == kernel.rank:
            self.emit_results()

    def operation(self, number: int, operation: Operation) -> None:
        text = operation.expression.format(*(self.value(a) for a in operation.args))
        if operation.table >= 0:
            table = self.kernel.tables[operation.table]
            place = self.place("tab", operation.table, table, operation.level)
            test = " != 0" if table.dtype == "bool" else ""
            text = f"tab{operation.table}[{place} + {text}]{test}"
        if operation.guard >= 0:
            nothing = "False" if operation.dtype == "bool" else f"np.{operation.dtype}(0)"
            self.line(f"v{number} = {nothing}")
            self.line(f"if {self.value(operation.guard)}:")
            self.line(f"    v{number} = {text}")
            return
        self.line(f"v{number} = {text}")
        if number in self.kernel.checks:
            self.line(f"bad = bad | v{number}")

    # --- loops --------------------------------------------------------------------------------

    def write(self) -> None:
        kernel = self.kernel
        self.in_memory = _in_memory(kernel)
        if kernel.checks:
            self.line("bad = False")
        for (prefix, i), operand in self.near.items():
            self.line(f"near_{prefix}{i} = room_{_pointer(operand)[1:]}({self.near_block})")
        self.loop(0)
        if kernel.checks:
            self.line("if bad:")
            self.line("    status[0] = 1")

    def loop(self, level: int) -> None:
        kernel = self.kernel
        first_reduced = min(kernel.reduced, default=-1)
        if level == first_reduced:
            self.open_reductions()
        self.body(level)
        if level < kernel.rank:
            first, last = ("start", "stop") if level == 0 else ("0", f"n{level}")
            if kernel.cut and level == 1:
                self.line("first = i0 * piece")
                first, last = "first", "min(first + piece, n1)"
            bounds = last if first == "0" else f"{first}, {last}"
            innermost = level == kernel.rank - 1
            blocked = innermost and (self.near or (not self.in_memory and self.blocked()))
            if blocked:
                block = self.near_block if self.near else _BLOCK
                self.line(f"for block in range({first}, {last}, {block}):")
                self.depth += 1
                for i in self.blocked():
                    self.line(f"part{i} = {self.start(kernel.results[i])}")
                bounds = f"block, min(block + {block}, {last})"
                self.copy_near("in", bounds)
            self.line(f"for i{level} in {self.call if innermost else 'range'}({bounds}):")
            self.depth += 1
            mark = len(self.lines)
            self.advance(level + 1)
            self.loop(level + 1)
            if len(self.lines) == mark:
                self.line("pass")
            self.depth -= 1
            if blocked:
                self.copy_near("out", bounds)
                self.close_block()
                self.depth -= 1
        if level == first_reduced:
            self.close_reductions()

    def copy_near(self, which: str, bounds: str) -> None:
        """Copy rows to the stack, or from it."""
        d = self.kernel.rank - 1
        lines = []
        for (prefix, i), operand in self.near.items():
            if prefix == which:
                near = f"near_{prefix}{i}[i{d} - block]"
                owner = i if operand.owner < 0 else operand.owner
                far = f"{prefix}{owner}[i{d} * {operand.step} + {operand.within}]"
                lines.append(f"    {near} = {far}" if which == "in" else f"    {far} = {near}")
        if lines:
            self.line(f"for i{d} in one_by_one({bounds}):")
            for line in lines:
                self.line(line)

    # --- results ------------------------------------------------------------------------------

    def blocked(self) -> list[int]:
        """The results that are sums of many floats."""
        if self.kernel.short:
            return []
        return [
            i
            for i, r in enumerate(self.kernel.results)
            if r.kind == "reduce" and r.fold == "sum" and r.operand.dtype.startswith("float")
        ]

    def emit_results(self) -> None:
        for i, result in enumerate(self.kernel.results):
            value = self.value(result.value)
            at = self.place("out", i, result.operand, self.kernel.rank)
            if result.offset >= 0:
                at = f"{at} + {self.value(result.offset)}"
            place = self.element("out", i, result.operand, at)
            if result.kind == "store":
                self.put(result, place, value)
            elif result.kind == "scatter":
                self.scatter(result, place, value)
            elif result.kind == "scan":
                self.scan(i, result, at, value)
            elif self.in_memory:
                self.put(result, place, _fold(result, self.held(result, place), value))
            elif i in self.blocked():
                self.line(f"part{i} = add_any_order(part{i}, {value})")
            else:
                self.line(f"total{i} = {_fold(result, f'total{i}', value)}")

    def held(self, result: Result, place: str) -> str:
        """What an output holds by now."""
        return f"({place} != 0)" if result.operand.dtype == "bool" else place

    def put(self, result: Result, place: str, value: str) -> None:
        byte = result.operand.dtype == "bool"
        self.line(f"{place} = np.uint8({value})" if byte else f"{place} = {value}")

    def scatter(self, result: Result, place: str, value: str) -> None:
        if result.fold != "set":
            value = _fold(result, self.held(result, place), value)
        if result.skip < 0:
            self.put(result, place, value)
            return
        self.line(f"if not {self.value(result.skip)}:")
        self.depth += 1
        self.put(result, place, value)
        self.depth -= 1

    def scan(self, i: int, result: Result, at: str, value: str) -> None:
        (d,) = self.kernel.reduced
        factor = self.value(result.factor)
        if not self.in_memory:
            folded = _fold(result, f"total{i}", value, factor)
            if result.fold == "recurrence":
                folded = f"{value} if i{d} == 0 else {folded}"
            self.line(f"total{i} = {folded}")
            self.put(result, f"out{i}[{at}]", f"total{i}")
            return
        step = "1" if result.operand.kinds[d] == "1" else self.stride("out", i, d)
        before = self.held(result, f"out{i}[{at} - ({step} if i{d} > 0 else 0)]")
        folded = _fold(result, before, value, factor)
        self.put(result, f"out{i}[{at}]", f"({folded} if i{d} > 0 else {value})")

    def reductions(self) -> list[tuple[int, Result]]:
        return [(i, r) for i, r in enumerate(self.kernel.results) if r.kind == "reduce"]

    def open_reductions(self) -> None:
        level = min(self.kernel.reduced)
        if not self.in_memory:
            for i, result in enumerate(self.kernel.results):
                if result.kind in ("reduce", "scan"):
                    self.line(f"total{i} = {self.start(result)}")
                if i in self.blocked():
                    self.line(f"lost{i} = {self.start(result)}")
            return
        depth = self.depth
        inner = [d for d in range(level, self.kernel.rank) if d not in self.kernel.reduced]
        if self.reductions():
            for d in inner:
                self.line(f"for i{d} in range(n{d}):")
                self.depth += 1
        for i, result in self.reductions():
            place = [self.place("out", i, result.operand, level)]
            for d in inner:
                if result.operand.kinds[d] != "0":
                    unit = result.operand.kinds[d] == "1"
                    place.append(f"i{d}" if unit else f"i{d} * {self.stride('out', i, d)}")
            self.put(result, f"out{i}[{' + '.join(place)}]", self.start(result))
        self.depth = depth

    def close_block(self) -> None:
        for i in self.blocked():
            self.line(f"sum{i} = total{i} + part{i}")
            self.line(
                f"lost{i} += (total{i} - sum{i}) + part{i} if abs(total{i}) >= abs(part{i}) "
                f"else (part{i} - sum{i}) + total{i}"
            )
            self.line(f"total{i} = sum{i}")

    def close_reductions(self) -> None:
        if self.in_memory:
            return
        level = min(self.kernel.reduced)
        for i, result in self.reductions():
            place = f"out{i}[{self.place('out', i, result.operand, level)}]"
            if i in self.blocked():
                # What was lost is infinite or NaN when the total is; then the total is right.
                self.line(f"{place} = total{i} + lost{i} if lost{i} - lost{i} == 0 else total{i}")
            else:
                self.put(result, place, f"total{i}")


def _in_rows(kernel: Kernel) -> dict[tuple[str, int], Operand]:
    """The operands that are numbers of rows which LLVM does not load whole."""
    operands = [("in", i, o) for i, o in enumerate(kernel.inputs)]
    operands += [("out", i, r.operand) for i, r in enumerate(kernel.results)]
    return {(p, i): o for p, i, o in operands if o.step and o.step not in _WOVEN}


_SIGNS = {"sum": "+", "prod": "*", "and": "&", "or": "|", "xor": "^"}


def folded(fold: str, dtype: str, total: str, value: str, factor: str = "") -> str:
    """A value folded into what has been folded before."""
    if fold == "recurrence":
        return f"{factor} * {total} + {value}"
    if fold == "logaddexp":
        return f"vm_logaddexp({total}, {value})"
    if fold in ("max", "min"):
        if dtype == "bool":
            return f"{total} {'|' if fold == 'max' else '&'} {value}"
        return f"{fold}{'imum' * dtype.startswith('float')}({total}, {value})"
    return f"{total} {_SIGNS[fold]} {value}"


def _fold(result: Result, total: str, value: str, factor: str = "") -> str:
    return folded(result.fold, result.operand.dtype, total, value, factor)


def _limits(dtype: str) -> tuple[str, str]:
    """The least and the greatest number of a dtype, as source."""
    if dtype.startswith("float"):
        return f"np.{dtype}(-np.inf)", f"np.{dtype}(np.inf)"
    limits = np.iinfo(dtype)
    return f"np.{dtype}({limits.min})", f"np.{dtype}({limits.max})"


def python_source(kernel: Kernel) -> str:
    """The kernel as a Python function ``loops`` of arrays (pointers), numbers, start and stop."""
    head = f"def loops({', '.join([*parameters(kernel), 'start', 'stop'])}):"
    return "\n".join([head, *_body(kernel)]) + "\n"


@functools.lru_cache(4096)
def kernel_source(kernel: Kernel) -> Source:
    """The same with its types, ready to be compiled. Programs for other sizes have mostly the same
    kernels: to look one up takes a tenth of writing it."""
    dtypes = tuple(_dtype(kernel, name) for name in parameters(kernel))
    # Where a reduction is folded in memory in the innermost loop, its turns share that memory.
    # Several turns may write to one place of a scatter.
    shares = _in_memory(kernel) and kernel.rank - 1 in kernel.reduced
    shares = shares or any(r.kind == "scatter" for r in kernel.results)
    return Source(
        python_source(kernel), (*dtypes, "int64", "int64"), table=True, parallel=not shares
    )


def _body(kernel: Kernel) -> list[str]:
    writer = _Writer(kernel)
    writer.write()
    return writer.lines


def _dtype(kernel: Kernel, name: str) -> str:
    """The type of a parameter."""
    kind, number = name.rstrip("0123456789"), name.lstrip("abcdefghijklmnopqrstuvwxyz")
    if kind == "in":
        return _pointer(kernel.inputs[int(number)])
    if kind == "out":
        return _pointer(kernel.results[int(number)].operand)
    if kind == "tab":
        return _pointer(kernel.tables[int(number)])
    if name == "status":
        return "*int64"
    return kernel.scalars[int(number)] if kind == "scalar" else "int64"


def _pointer(operand: Operand) -> str:
    return "*uint8" if operand.dtype == "bool" else f"*{operand.dtype}"


def _in_memory(kernel: Kernel) -> bool:
    """Whether reductions are folded into memory: loops that are not reduced lie within."""
    return bool(kernel.reduced) and any(
        d not in kernel.reduced for d in range(min(kernel.reduced), kernel.rank)
    )
