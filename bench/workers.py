"""Processes of libraries, seen from the process that asks them.

A library has a process of its own: so none changes another's settings of threads or memory, each
may need an environment of its own (PyTensor asks for an older Numba than the others have), and one
that fails takes nothing else with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: Interpreters for libraries that are not installed with the others, set by the Makefile.
INTERPRETERS = {"pytensor": os.environ.get("BENCH_PYTENSOR", sys.executable)}
#: Large arrays come from memory that the process has already. Whether glibc would ask for new pages
#: depends on what ran before, and may cost more than the work.
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
#: For measuring memory: what is unused goes back.
FREE_ALLOCATION = dict.fromkeys(ALLOCATION, str(2**17))
#: Settings of the machine at hand that would have a library work as on another processor, or Python
#: compile each module at each import, which an installed library's are not.
DROPPED = frozenset(
    (
        "OPENBLAS_CORETYPE",
        "OPENBLAS_L2_SIZE",
        "NVPL_BLAS_DEBUG_CPU_TYPE",
        "PYTHONDONTWRITEBYTECODE",
    )
)
#: No answer takes longer, in seconds, or the process has to go.
TIME_LIMIT = float(os.environ.get("BENCH_TIME_LIMIT", "180"))


def settings(threads: int = 1) -> dict[str, str]:
    """Environment variables for all libraries, among them how many threads they may have.

    JAX makes as many as NPROC says, whatever XLA's flags.
    """
    limits = (
        "AUTOTRACE_NUM_THREADS OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS "
        "NUMBA_NUM_THREADS NPROC"
    )
    eigen = "true" if threads > 1 else "false"
    return {
        **dict.fromkeys(limits.split(), str(threads)),
        **ALLOCATION,
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={eigen}",
        "JAX_ENABLE_X64": "1",
        "JAX_PLATFORMS": "cpu",
    }


def disk_caches(folder: str) -> dict[str, str]:
    """Settings that keep all libraries' caches in a folder, and have JAX keep everything."""
    return {
        "AUTOTRACE_CACHE_DIR": f"{folder}/autotrace",
        "JAX_COMPILATION_CACHE_DIR": f"{folder}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": f"{folder}/torch",
        "PYTENSOR_FLAGS": f"base_compiledir={folder}/pytensor",
        "NUMBA_CACHE_DIR": f"{folder}/numba",
    }


def kept_caches() -> dict[str, str]:
    """Settings that keep what the slow compilers make in this clone, from run to run.

    For rows that are timed after the compilation; the others have folders of their own.
    """
    names = ("TORCHINDUCTOR_CACHE_DIR", "PYTENSOR_FLAGS")
    found = disk_caches(str(ROOT / "build" / "bench-caches"))
    return {name: found[name] for name in names}


def environment() -> dict[str, str]:
    """This process's, without what would change how a library works."""
    return {k: v for k, v in os.environ.items() if k not in DROPPED}


class WorkerError(Exception):
    """What went wrong in a library's process."""


class Worker:
    """A library's process, started when it is first asked and again after it died.

    ``one_core`` keeps it on one core of the machine. That is for compilers, which may have threads
    that no setting takes away; elsewhere it would hinder JAX, which hands work to another thread
    and waits.
    """

    def __init__(
        self,
        name: str,
        more: Mapping[str, str] | None = None,
        one_core: bool = False,
        threads: int = 1,
    ):
        self.name = name
        self.settings = {**settings(threads), **(more or {})}
        self.one_core = one_core
        self._process: subprocess.Popen | None = None

    def ask(self, command: str, *args: Any) -> Any:
        """Have a method of ``worker.Worker`` called.

        Raises:
          WorkerError: when it failed, took too long, or the process died.
        """
        if self._process is None:
            self._start()
        try:
            self._pipe.send((command, args))
            if not self._pipe.poll(TIME_LIMIT):
                raise TimeoutError(f"no answer within {TIME_LIMIT:.0f} s")
            fine, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self.stop()
            raise WorkerError(str(error) or "the process died") from error
        if not fine:
            raise WorkerError(answer)
        return answer

    def _start(self) -> None:
        self._pipe, theirs = Pipe()
        interpreter = INTERPRETERS.get(self.name, sys.executable)
        with tempfile.TemporaryFile() as output:
            self._process = subprocess.Popen(
                [interpreter, "-m", "bench.worker", self.name, str(theirs.fileno())]
                + ["one-core"] * self.one_core,
                cwd=ROOT,
                env={**environment(), **self.settings},
                pass_fds=[theirs.fileno()],
                stdout=output,
                stderr=output,
            )
        theirs.close()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._pipe.close()
            self._process = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def installed(names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The versions of the libraries that can be had, and why the others cannot."""
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name in names:
        with Worker(name) as worker:
            try:
                versions[name] = worker.ask("version")
            except WorkerError as error:
                missing[name] = str(error)
    return versions, missing
