"""The table and the page that it stands on."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cpuinfo
import numpy
import scipy

from bench import rows
from bench.libraries import OURS, REFERENCE, TITLES
from bench.rows.row import Row
from bench.timing import readable

PAGE = """\
# Benchmarks

This page is written by `make bench`; all numbers in it come from one run.

{conditions}

## How it was measured

Each library runs in a process of its own, with one thread, and is given and gives back NumPy
arrays. In each round the libraries take their turn, so that what else the machine does meets all
of them alike; a cell is the median over the rounds. A library's turn begins with a call that is
not timed, and is then long enough for many calls of a short function. Before the first round all
results are compared with NumPy's in float64. The C library's allocator is told to keep the memory
that it has, for all alike: otherwise large results are paid for by chance, with new pages.

- **NumPy** is plain NumPy, with SciPy where NumPy has no such function. Its derivatives are
  written by hand; so are those of **C**.
- Libraries that are used like NumPy (autotrace, NumPy, autograd, and where it has no function of
  its own for the job, JAX) run the same lines of Python. JAX, PyTorch and PyTensor use their own
  softmax, logsumexp, softplus, cross entropy and layer norm where they have them.
- **autotrace** is `jit` of the derivative, with its compiling backend; **JAX** likewise.
  **PyTorch** runs operation by operation and differentiates with `torch.autograd`; **PyTorch,
  compiled** is `torch.compile` of the derivative by `torch.func`, as one graph. **PyTensor**
  compiles with Numba, and does not check its inputs. **autograd** has derivatives only.
- Loops whose turns depend on each other are `lax.scan`, `lax.fori_loop` and `lax.while_loop` in
  autotrace and JAX, and Python's loops in the others (PyTorch has an LSTM of its own). **Numba** is
  the code by hand for NumPy under `@njit`, for these loops only.
- **C** is `bench/reference.c`, compiled for this processor with the vector variants of its C
  library's mathematical functions. It is the floor: called with addresses looked up before, it
  writes to arrays that were made before. Its matrix products are SciPy's BLAS.
- The rows of new batch sizes and first calls have few rounds, each with a new start and kept on
  one core, compilers and their helpers included. New batch sizes: the function was compiled for
  another size before. First call: of a new process, from after the library's import to the first
  result; what the call imports counts. "No disk cache" begins with an empty folder for the
  library's cache, "with a disk cache" with what an earlier process left there.

## How to read it

The last two columns are autotrace's time divided by that of the fastest other library (its name
beside it) and of C: below 1, autotrace is faster. A dash means that a library has no such thing or
is not installed; first calls are those of libraries that compile. A difference of a tenth between
two cells may be chance.

{table}

{notes}
"""

#: Parts of a processor more than one that are taken for measurement error.
TOLERANCE = 0.1


def conditions(versions: Sequence[str]) -> list[str]:
    """When and where something is measured, and with which libraries, as lines of a list."""
    versions = [*versions, f"SciPy {scipy.__version__}"]
    return [
        f"- Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        f"- Machine: {cpuinfo.get_cpu_info()['brand_raw']}, {os.cpu_count()} cores; "
        f"{platform.system()} {platform.machine()}; Python {platform.python_version()}",
        f"- Versions: {', '.join(versions)}",
    ]


@dataclass
class Table:
    """What was measured so far.

    Attributes:
      versions: of the installed libraries.
      missing: why others are not there.
      seconds: the cells, by row and library.
      problems: what went wrong, by row and library.
      rounds: by row.
      usage: processor time over time, by row and library.
    """

    versions: Mapping[str, str]
    missing: Mapping[str, str]
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    problems: dict[tuple[str, str], str] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    usage: dict[tuple[str, str], float] = field(default_factory=dict)

    def complete(self) -> bool:
        return all(row.key in self.seconds for row in rows.ALL)

    def page(self) -> str:
        header = ["work", *TITLES.values(), "to the best", "to C"]
        lines = [header, ["---"] + ["--:"] * (len(header) - 1), *map(self._line, rows.ALL)]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        notes = "\n".join(f"- {note}" for note in self.notes())
        return PAGE.format(conditions=self._conditions(), table=table, notes=notes).rstrip() + "\n"

    def notes(self) -> list[str]:
        """What a reader has to know of single cells."""
        titles = {row.key: row.title for row in rows.ALL}
        notes = [
            f"{TITLES[name]} failed in “{titles[key]}”: {problem.splitlines()[0]}"
            for (key, name), problem in self.problems.items()
        ]
        notes += [
            f"{TITLES[name]} used {usage:.1f} cores in “{titles[key]}”."
            for (key, name), usage in self.usage.items()
            if usage > 1 + TOLERANCE
        ]
        notes += [f"{TITLES[name]} is left out: {why}" for name, why in self.missing.items()]
        return notes

    def _line(self, row: Row) -> list[str]:
        seconds = self.seconds[row.key]
        ours, c = seconds.get(OURS), seconds.get(REFERENCE)
        peers = {name: t for name, t in seconds.items() if name not in (OURS, REFERENCE)}
        best = min(peers, key=peers.__getitem__, default=None)
        cells = [readable(seconds[name]) if name in seconds else "-" for name in TITLES]
        to_best = f"{ours / peers[best]:.2f} ({TITLES[best]})" if ours and best else "-"
        return [row.title, *cells, to_best, f"{ours / c:.2f}" if ours and c else "-"]

    def _conditions(self) -> str:
        versions = [f"{TITLES[name]} {version}" for name, version in self.versions.items()]
        usage = numpy.quantile(list(self.usage.values()), [0.05, 0.5, 0.95])
        return "\n".join(
            [
                *conditions(versions),
                f"- Rounds: {max(self.rounds.values())}, and {min(self.rounds.values())} for new "
                "batch sizes, first calls and loops of 10^5 steps.",
                "- Time of the processor over time, over the cells of the table: median "
                f"{usage[1]:.2f}, from {usage[0]:.2f} (5 %) to {usage[2]:.2f} (95 %). One thread "
                "that has a core for itself makes 1; below 1, something else had the core.",
            ]
        )
