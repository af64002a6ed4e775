"""The compiling backend: jaxprs as machine code.

Stages, one module each: a simplified jaxpr -> kernel drafts (``fusion``) -> the loop IR
(``lowering``, ``loops``) -> Python source (``source``) -> machine code (``build``, by the package
``llvm``) -> a program (``program``, ``frame``) that one native function runs (``runtime``).
"""

from .build import counts
from .describe import STAGES, explained
from .program import Program
from .runtime import check_layout
from .scalars import def_kernel

check_layout()

#: What ``jit`` asks a backend for: from a jaxpr to an executable.
compile_jaxpr = Program

__all__ = ["STAGES", "Program", "compile_jaxpr", "counts", "def_kernel", "explained"]
