"""A program as text, at each stage after the jaxpr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ..transforms.backends import Explained, Step
from .build import llvm_text
from .expressions import HostStep, Routine
from .llvm import engine
from .lowering import Lowered
from .program import Program
from .source import python_source
from .structure import Structured
from .tiling import Group

#: How many primitives of a kernel are named.
_MOST_NAMES = 8


def _fusion(program: Program) -> str:
    """What runs together: a line for each step, in order, and what memory it takes."""
    lines = []
    for step in program.steps:
        if isinstance(step, Group):
            lines.append(f"together, {step.tile} of {step.stop} rows at a time:")
            lines += [f"  {_kernel_line(program, low)}" for low, _ in step.members]
        elif isinstance(step, HostStep):
            where = f" at {step.location}" if step.location else ""
            lines.append(f"host step {step.name}{where}: NumPy's implementation")
        elif isinstance(step, Structured):
            for level, what in step.description:
                lines.append("  " * level + _line(program, what))
        else:
            lines.append(_line(program, step))
    if not lines:
        return "nothing to compute"
    if program.arena:
        lines.append(f"memory for intermediate values: {program.arena} bytes, kept for later calls")
    return "\n".join(lines)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' if n != 1 else ''}"


def _line(program: Program, what: str | Lowered | Routine) -> str:
    if isinstance(what, Lowered):
        return _kernel_line(program, what)
    return what if isinstance(what, str) else f"{what.library} {what.name}"


def _kernel_line(program: Program, low: Lowered) -> str:
    kernel = low.kernel
    kinds = [r.fold if r.kind in ("reduce", "scan") else r.kind for r in kernel.results]
    parts = [
        _count(kernel.rank, "loop"),
        _count(len(kernel.inputs) + len(kernel.tables), "read"),
        _count(len(kernel.operations), "operation"),
        " and ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds)),
    ]
    later = sum(slot in program.plan.temporaries for slot in low.writes())
    if later:
        parts.append(f"{later} for later steps")
    if low.piece:
        parts.append(f"shared among threads by {low.piece} of {low.stop}")
    return f"kernel over {low.space}: {', '.join(parts)}{_of(low)}"


def _of(low: Lowered) -> str:
    """Which operations a kernel computes."""
    if not low.kernel.operations and all(r.kind == "store" for r in low.kernel.results):
        return ": copy"
    names = Counter(eqn.primitive.name for eqn in low.eqns)
    told = [name if n == 1 else f"{n} {name}" for name, n in names.items()]
    if len(told) > _MOST_NAMES:
        told[_MOST_NAMES:] = ["..."]
    return f": {', '.join(told)}" if told else ""


def explained(program: Program) -> Explained:
    """The program's jaxpr, and which of its equations run together."""
    steps = [_step(program, step) for step in program.steps]
    bodies = program.plan.bodies
    return Explained(program.jaxpr, steps, bodies, _fusion(program))


def _step(program: Program, step: Any) -> Step:
    if isinstance(step, Group):
        members = [_step(program, low) for low, _ in step.members]
        return Step("together", f"{step.tile} of {step.stop} rows at a time", [], members)
    if isinstance(step, Lowered):
        return Step("kernel", _kernel_line(program, step), step.eqns, [])
    eqns = [] if step.eqn is None else [step.eqn]
    if isinstance(step, HostStep):
        return Step("host", f"host step {step.name}: NumPy's implementation", eqns, [])
    if isinstance(step, Routine):
        return Step("routine", _line(program, step), eqns, [])
    inner = [_step(program, what) for _, what in step.description if not isinstance(what, str)]
    return Step("loop", f"{step.name}, in machine code", eqns, inner)


def _source(program: Program) -> str:
    header = "\n".join(f"# {line}" for line in str(program.jaxpr).splitlines())
    texts = [python_source(low.kernel) for low in program.kernels]
    for step in program.steps:
        if isinstance(step, Structured):
            texts += [step.source.text, *(helper[0].strip("\n") for helper in step.source.helpers)]
    return "\n\n\n".join([header, *texts])


def _texts(program: Program) -> list[str]:
    loops = [step.source for step in program.steps if isinstance(step, Structured)]
    return [llvm_text(source) for source in (*(low.source for low in program.kernels), *loops)]


def _llvm(program: Program) -> str:
    return "\n\n".join(str(engine.optimised(text)[0]) for text in _texts(program))


def _assembly(program: Program) -> str:
    return "\n\n".join(engine.assembly(text) for text in _texts(program))


#: The stages by name, each a function from a program to text.
STAGES: dict[str, Callable[[Program], str]] = {
    "fusion": _fusion,
    "source": _source,
    "llvm": _llvm,
    "asm": _assembly,
}
