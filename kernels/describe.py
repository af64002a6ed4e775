"""A program as text, at each stage after the jaxpr."""

from __future__ import annotations

from collections.abc import Callable

from .build import compiled_anew
from .fusion import HostStep
from .lowering import Lowered
from .program import Program
from .source import python_source


def _fusion(program: Program) -> str:
    """What runs together: a line for each kernel and each host step, in order."""
    lines = []
    kernels = iter(program.kernels)
    for step in program.steps:
        if isinstance(step, HostStep):
            lines.append(f"host step {step.name}")
            continue
        for _ in range(program.segments[step].step_count):
            lines.append(_kernel_line(len(lines), next(kernels)))
    return "\n".join(lines) or "nothing to compute"


def _kernel_line(number: int, low: Lowered) -> str:
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


def _llvm(program: Program) -> str:
    return "\n\n".join(compiled_anew(low.kernel).inspect_llvm() for low in program.kernels)


def _assembly(program: Program) -> str:
    return "\n\n".join(compiled_anew(low.kernel)._library.get_asm_str() for low in program.kernels)


#: The stages by name, each a function from a program to text.
STAGES: dict[str, Callable[[Program], str]] = {
    "fusion": _fusion,
    "source": _source,
    "llvm": _llvm,
    "asm": _assembly,
}
