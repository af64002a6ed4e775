"""From the loop IR to Python source: plain loops that are compiled and that also run as they are.

The text is the kernel's identity: two kernels with the same text are the same machine code, for
whatever sizes and strides.
"""

from __future__ import annotations

from .build import Source
from .loops import Kernel, Operand, Result, level_of

#: How many terms of a sum are added in any order before the partial sum is added, with
#: compensation (Neumaier 1974), to the total. Measured on 10^6 normal deviates, where rounding
#: errors are largest beside those of ``np.sum``: 1.3 times its error with 1024, 0.8 with 512 and
#: with 256, all three in the same time.
_BLOCK = 512

_START = {"sum": "{dtype}(0)", "prod": "{dtype}(1)", "max": "{low}", "min": "{high}"}
_LIMITS = {
    "float64": ("-np.inf", "np.inf"),
    "float32": ("np.float32(-np.inf)", "np.float32(np.inf)"),
    "int64": ("np.int64(-9223372036854775808)", "np.int64(9223372036854775807)"),
}


def parameters(kernel: Kernel) -> list[str]:
    """The names of the table's entries, in order."""
    names = [f"in{i}" for i in range(len(kernel.inputs))]
    names += [f"out{i}" for i in range(len(kernel.results))]
    names += [f"scalar{i}" for i in range(len(kernel.scalars))]
    names += [f"count{i}" for i in range(len(kernel.counters))]
    names += [f"n{d}" for d in range(kernel.rank)]
    for prefix, operands in _operand_groups(kernel):
        for i, operand in enumerate(operands):
            names += [f"{prefix}{i}_s{d}" for d, kind in enumerate(operand.kinds) if kind == "s"]
    return names


def _operand_groups(kernel: Kernel) -> list[tuple[str, list[Operand]]]:
    return [
        ("in", list(kernel.inputs)),
        ("count", list(kernel.counters)),
        ("out", [r.operand for r in kernel.results]),
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

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def value(self, number: int) -> str:
        if self.first_scalar <= number < self.first_counter:
            return f"scalar{number - self.first_scalar}"
        return f"v{number}"

    def start(self, result: Result) -> str:
        dtype = result.operand.dtype
        low, high = _LIMITS.get(dtype, ("", ""))
        return _START[result.reduce].format(dtype=f"np.{dtype}", low=low, high=high)

    # --- places -----------------------------------------------------------------------------

    def place(self, prefix: str, index: int, operand: Operand, level: int) -> str:
        """The position of an operand within the first ``level`` loops."""
        moving = [d for d, kind in enumerate(operand.kinds[:level]) if kind != "0"]
        return f"{prefix}{index}_at{moving[-1]}" if moving else "0"

    def advance(self, level: int) -> None:
        """On entering a loop: where each operand is that moves with it."""
        d = level - 1
        for prefix, operands in _operand_groups(self.kernel):
            for i, operand in enumerate(operands):
                if operand.kinds[d] == "0":
                    continue
                before = self.place(prefix, i, operand, d)
                step = f"i{d}" if operand.kinds[d] == "1" else f"i{d} * {prefix}{i}_s{d}"
                base = "" if before == "0" else f"{before} + "
                self.line(f"{prefix}{i}_at{d} = {base}{step}")

    def body(self, level: int) -> None:
        """Loads and operations that stand within exactly so many loops."""
        kernel = self.kernel
        for i, operand in enumerate(kernel.inputs):
            if level_of(operand.kinds) == level:
                test = " != 0" if operand.dtype == "bool" else ""
                self.line(f"v{i} = in{i}[{self.place('in', i, operand, level)}]{test}")
        for i, operand in enumerate(kernel.counters):
            if level_of(operand.kinds) == level:
                place = self.place("count", i, operand, level)
                self.line(f"v{self.first_counter + i} = np.{operand.dtype}(count{i} + {place})")
        for i, operation in enumerate(kernel.operations):
            if operation.level == level:
                args = [self.value(a) for a in operation.args]
                self.line(f"v{self.first_operation + i} = {operation.expression.format(*args)}")
        if level == kernel.rank:
            self.emit_results()

    # --- loops --------------------------------------------------------------------------------

    def write(self) -> None:
        kernel = self.kernel
        self.in_memory = _in_memory(kernel)
        self.loop(0)

    def loop(self, level: int) -> None:
        kernel = self.kernel
        first_reduced = min(kernel.reduced, default=-1)
        if level == first_reduced:
            self.open_reductions()
        self.body(level)
        if level < kernel.rank:
            bounds = "start, stop" if level == 0 else f"n{level}"
            blocked = not self.in_memory and level == kernel.rank - 1 and self.blocked()
            if blocked:
                first, last = ("start", "stop") if level == 0 else ("0", f"n{level}")
                self.line(f"for block in range({first}, {last}, {_BLOCK}):")
                self.depth += 1
                for i in self.blocked():
                    self.line(f"part{i} = {self.start(kernel.results[i])}")
                bounds = f"block, min(block + {_BLOCK}, {last})"
            self.line(f"for i{level} in range({bounds}):")
            self.depth += 1
            mark = len(self.lines)
            self.advance(level + 1)
            self.loop(level + 1)
            if len(self.lines) == mark:
                self.line("pass")
            self.depth -= 1
            if blocked:
                self.close_block()
                self.depth -= 1
        if level == first_reduced:
            self.close_reductions()

    # --- results ------------------------------------------------------------------------------

    def blocked(self) -> list[int]:
        """The results that are sums of floats."""
        return [
            i
            for i, r in enumerate(self.kernel.results)
            if r.reduce == "sum" and r.operand.dtype.startswith("float")
        ]

    def emit_results(self) -> None:
        for i, result in enumerate(self.kernel.results):
            value = self.value(result.value)
            place = f"out{i}[{self.place('out', i, result.operand, self.kernel.rank)}]"
            if not result.reduce:
                byte = result.operand.dtype == "bool"
                self.line(f"{place} = np.uint8({value})" if byte else f"{place} = {value}")
            elif self.in_memory:
                self.line(f"{place} = {_fold(result.reduce, place, value)}")
            elif i in self.blocked():
                self.line(f"part{i} = add_any_order(part{i}, {value})")
            else:
                self.line(f"total{i} = {_fold(result.reduce, f'total{i}', value)}")

    def reductions(self) -> list[tuple[int, Result]]:
        return [(i, r) for i, r in enumerate(self.kernel.results) if r.reduce]

    def open_reductions(self) -> None:
        level = min(self.kernel.reduced)
        if not self.in_memory:
            for i, result in self.reductions():
                self.line(f"total{i} = {self.start(result)}")
                if i in self.blocked():
                    self.line(f"lost{i} = {self.start(result)}")
            return
        depth = self.depth
        inner = [d for d in range(level, self.kernel.rank) if d not in self.kernel.reduced]
        for d in inner:
            self.line(f"for i{d} in range(n{d}):")
            self.depth += 1
        for i, result in self.reductions():
            place = [self.place("out", i, result.operand, level)]
            for d in inner:
                if result.operand.kinds[d] != "0":
                    unit = result.operand.kinds[d] == "1"
                    place.append(f"i{d}" if unit else f"i{d} * out{i}_s{d}")
            self.line(f"out{i}[{' + '.join(place)}] = {self.start(result)}")
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
                self.line(f"{place} = total{i}")


def _fold(reduce: str, total: str, value: str) -> str:
    if reduce in ("max", "min"):
        return f"{reduce}imum({total}, {value})"
    return f"{total} {'+' if reduce == 'sum' else '*'} {value}"


def python_source(kernel: Kernel) -> str:
    """The kernel as a Python function ``loops`` of arrays (pointers), numbers, start and stop."""
    head = f"def loops({', '.join([*parameters(kernel), 'start', 'stop'])}):"
    return "\n".join([head, *_body(kernel)]) + "\n"


def kernel_source(kernel: Kernel) -> Source:
    """The same with its types, ready to be compiled."""
    dtypes = tuple(_dtype(kernel, name) for name in parameters(kernel))
    # Where a reduction is folded in memory in the innermost loop, its turns share that memory.
    shares = _in_memory(kernel) and kernel.rank - 1 in kernel.reduced
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
    return kernel.scalars[int(number)] if kind == "scalar" else "int64"


def _pointer(operand: Operand) -> str:
    return "*uint8" if operand.dtype == "bool" else f"*{operand.dtype}"


def _in_memory(kernel: Kernel) -> bool:
    """Whether reductions are folded into memory: loops that are not reduced lie within."""
    return bool(kernel.reduced) and any(
        d not in kernel.reduced for d in range(min(kernel.reduced), kernel.rank)
    )
