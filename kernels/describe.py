"""A program as text, at each stage after the jaxpr."""

from __future__ import annotations

from collections.abc import Callable

from .build import llvm_text
from .expressions import HostStep, Routine
from .llvm import engine
from .lowering import Lowered
from .program import Program
from .source import python_source
from .structure import Structured
from .tiling import Group


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
                text = what if isinstance(what, str) else _kernel_line(program, what)
                lines.append("  " * level + text)
        elif isinstance(step, Routine):
            lines.append(f"{step.library} {step.name}")
        else:
            lines.append(_kernel_line(program, step))
    if not lines:
        return "nothing to compute"
    if program.arena:
        lines.append(f"memory for intermediate values: {program.arena} bytes, kept for later calls")
    return "\n".join(lines)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' if n != 1 else ''}"


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
    return f"kernel over {low.space}: {', '.join(parts)}"


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
