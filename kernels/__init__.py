"""The Numba backend: jaxprs as machine code.

Stages, one module each: a simplified jaxpr -> kernel drafts (``fusion``) -> the loop IR
(``lowering``, ``loops``) -> Python source (``source``) -> machine code (``build``) -> a program
(``program``).
"""

from .build import check_layout
from .describe import STAGES
from .program import Program

check_layout()

#: What ``jit`` asks a backend for: from a jaxpr to an executable.
compile_jaxpr = Program

__all__ = ["STAGES", "Program", "compile_jaxpr"]
