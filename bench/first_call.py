"""The first call of a jitted program in a new process: prints the seconds that it took."""

from __future__ import annotations

import sys
import time

import numpy_programs

import autotrace


def main(name: str) -> None:
    (program,) = (p for p in numpy_programs.ALL if p.name == name)
    jitted = autotrace.jit(program.function)
    start = time.perf_counter()
    jitted(*program.inputs)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(sys.argv[1])
