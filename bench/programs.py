"""The page on programs written for plain NumPy: what was found out of each, and how it is shown."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numba
import numpy
import numpy_programs
from numpy_programs.program import Program

import autotrace
from bench import machine
from bench.timing import readable

PAGE = """\
# Programs written for plain NumPy

This page is written by `make bench-programs`; all that it says of single programs was found out by
running them.

{conditions}

The programs are in `tests/numpy_programs`: functions of a few lines as they are written for NumPy,
with no transform in mind. They import `numpy` and nothing else; they make arrays and fill them in,
ask for values in `if` and `while`, and have results whose size depends on the data.
`tests/test_numpy_programs.py` checks each on both backends: values under `jit` against NumPy's,
gradients against central differences; each jitted function is then called with other values, where
branches and loops go other ways, and with the first ones again.

{summary}

## How to read the tables

- **jit**, **grad**, **jit(grad)**: “yes” means that the function runs and gives what NumPy gives,
  with not one character changed; “no” that it does not, and the notes have the error. A dash: no
  argument that it would make sense to differentiate by; elsewhere, that it was not measured.
- **paths**: how many ways through the function were traced in the calls with two sets of values. A
  program whose Python asks for no value has one; a program whose loops ask has one for each way
  that the answers have gone.
- **NumPy**, **jit**: the time of a call, median of interleaved rounds, with the same values again;
  **ratio** is the second divided by the first: below 1, the jitted function is faster.
  **gradient** is the time of the jitted gradient divided by that of the function in plain NumPy.
- **first call**: of a new process, with the values of the first set, from after the library's
  import to the first result: tracing, compiling and running. “no cache” begins with an empty folder
  for compiled code, “cache” with what an earlier process left there.

{tables}
{notes}"""

HEADER = (
    "program", "jit", "grad", "jit(grad)", "paths", "NumPy", "jit", "ratio", "gradient",
    "first call, no cache", "cache",
)  # fmt: skip
USED = (autotrace, numpy, numba)
YES, NO, NONE = "yes", "no", "-"


@dataclass
class Facts:
    """What was found out of one program.

    Attributes:
      runs: for each way of running it, one of "yes", "no", "-".
      problems: the errors of the ways that do not work.
      paths: how many were traced for two sets of values.
      rounds: how many the medians are of.
      plain, jitted, gradient, cold, warm: seconds; None for what could not be measured.
    """

    runs: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    paths: int | None = None
    rounds: int = 0
    plain: float | None = None
    jitted: float | None = None
    gradient: float | None = None
    cold: float | None = None
    warm: float | None = None

    def attempt(self, way: str, check: Callable[[Callable], None], program: Program) -> None:
        """Note whether a check passes with a program as it is."""
        try:
            check(program.function)
            self.runs[way] = YES
        except Exception as error:
            self.problems[way] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            self.runs[way] = NO

    def ratio(self) -> float | None:
        return self.jitted / self.plain if self.jitted and self.plain else None


class Page:
    """What was found out so far, by the program's name."""

    def __init__(self) -> None:
        self.facts: dict[str, Facts] = {}

    def complete(self) -> bool:
        return all(p.name in self.facts for p in numpy_programs.ALL)

    def text(self) -> str:
        return PAGE.format(
            conditions="\n".join(self._conditions()),
            summary=self._summary(),
            tables="\n\n".join(self._tables()),
            notes="".join(f"\n- {note}" for note in self.notes()),
        )

    def notes(self) -> list[str]:
        """What does not run."""
        notes = []
        for program in numpy_programs.ALL:
            facts = self.facts.get(program.name)
            if facts is None:
                continue
            by_problem: dict[str, list[str]] = {}
            for way, problem in facts.problems.items():
                by_problem.setdefault(problem, []).append(f"`{way}`")
            for problem, ways in by_problem.items():
                notes.append(f"`{program.name}` under {', '.join(ways)}, as it is: {problem}")
        return notes

    def _conditions(self) -> list[str]:
        rounds = max((f.rounds for f in self.facts.values()), default=0)
        about = machine.description()
        versions = [f"{m.__name__} {m.__version__}" for m in USED]
        return [
            f"- Date: {machine.today()}",
            f"- Machine: {about['processor']}, {about['cores']} cores; {about['system']}; "
            f"Python {about['python']}",
            f"- Versions: {', '.join(versions)}, SciPy {about['scipy']}",
            f"- Backend: {autotrace.config.backend}. Rounds: {rounds}; of first calls as many as "
            "`--first-calls` says, by default one.",
            f"- Load of the machine at the end: {os.getloadavg()[0]:.1f}; above 1, other work took "
            "processor time from what was measured, first calls above all.",
        ]

    def _summary(self) -> str:
        count = len(self.facts)
        lines = [f"There are {count} programs."]
        for way in ("jit", "grad", "jit(grad)"):
            answers = [f.runs[way] for f in self.facts.values() if f.runs[way] != NONE]
            lines.append(
                f"Under `{way}` {answers.count(YES)} of {len(answers)} run as they are, "
                f"{answers.count(NO)} do not."
            )
        ratios = [r for f in self.facts.values() if (r := f.ratio()) is not None]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            faster = sum(r < 1 for r in ratios)
            lines.append(
                f"A jitted call takes {mean:.2f} of plain NumPy's time in the geometric mean; "
                f"{faster} of {len(ratios)} are faster than NumPy."
            )
        return "\n".join(lines)

    def _tables(self) -> list[str]:
        tables = []
        for title, module in numpy_programs.FIELDS.items():
            lines = [f"### {title}", "", _row(HEADER), _row(["---"] + ["--:"] * (len(HEADER) - 1))]
            lines += [_row(self._cells(p)) for p in module.PROGRAMS if p.name in self.facts]
            tables.append("\n".join(lines))
        return tables

    def _cells(self, program: Program) -> list[str]:
        facts = self.facts[program.name]
        ratio = facts.ratio()
        gradient = facts.gradient / facts.plain if facts.gradient and facts.plain else None
        return [
            f"`{program.name}`: {program.title}",
            *(facts.runs[way] for way in ("jit", "grad", "jit(grad)")),
            str(facts.paths or NONE),
            *(readable(t) if t else NONE for t in (facts.plain, facts.jitted)),
            *(f"{r:.2f}" if r else NONE for r in (ratio, gradient)),
            *(readable(t) if t else NONE for t in (facts.cold, facts.warm)),
        ]


def _row(cells: object) -> str:
    return f"| {' | '.join(cells)} |"  # type: ignore[arg-type]
