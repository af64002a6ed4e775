"""A program as text, at each stage after the jaxpr."""

from __future__ import annotations

from collections.abc import Callable

from .build import llvm_text
from .expressions import HostStep, Routine
from .llvm import engine
from .lowering import Lowered
from .program import Program
from .source import python_source


def _fusion(program: Program) -> str:
    """What runs together: a line for each kernel and each host step, in order."""
    lines = []
    for step in program.steps:
        if isinstance(step, HostStep):
            lines.append(f"host step {step.name}")
        elif isinstance(step, Routine):
            lines.append(step.name)
        else:
            lines.append(_kernel_line(step))
    return "\n".join(lines) or "nothing to compute"


def _kernel_line(low: Lowered) -> str:
    kernel = low.kernel
    kinds = [r.reduce or "store" for r in kernel.results]
    parts = [
        f"{kernel.rank} loop{'s' if kernel.rank != 1 else ''}",
        f"{len(kernel.inputs)} read{'s' if len(kernel.inputs) != 1 else ''}",
        f"{len(kernel.operations)} operation{'s' if len(kernel.operations) != 1 else ''}",
        " and ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds)),
    ]
    return f"kernel over {low.space}: {', '.join(parts)}"


def _source(program: Program) -> str:
    header = "\n".join(f"# {line}" for line in str(program.jaxpr).splitlines())
    return "\n\n\n".join([header, *(python_source(low.kernel) for low in program.kernels)])


def _texts(program: Program) -> list[str]:
    return [llvm_text(low.source) for low in program.kernels]


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
