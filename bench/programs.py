"""The page on programs written for plain NumPy, made of a file of what was found out of each.

``python -m bench.programs docs/numpy_programs.json`` writes numpy_programs.md beside it. Nothing
here measures; ``test_numpy_programs`` does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import results
from bench.report import table
from bench.timing import readable

PAGE = """\
# Programs written for plain NumPy

This page is made of [numpy_programs.json](numpy_programs.json), which `make bench-programs` writes;
all that it says of single programs was found out by running them.

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
- **NumPy**, **jitted**: the time of a call, median of interleaved rounds, with the same values
  again; **ratio** is the second divided by the first: below 1, the jitted function is faster.
  **gradient** is the time of the jitted gradient divided by that of the function in plain NumPy.
- **first call**: of a new process, with the values of the first set, from after the library's
  import to the first result: tracing, compiling and running. It begins with an empty folder for
  compiled code; **cached** begins with what an earlier process left there.

{tables}
{notes}"""

HEADER = (
    "program", "jit", "grad", "jit(grad)", "paths", "NumPy", "jitted", "ratio", "gradient",
    "first call", "cached",
)  # fmt: skip
#: The ways of running a program, and the answers to whether it runs so.
WAYS = ("jit", "grad", "jit(grad)")
YES, NO, NONE = "yes", "no", "-"


def page(found: Mapping[str, Any]) -> str:
    """The text of docs/numpy_programs.md."""
    text = PAGE.format(
        conditions="\n".join(f"- {line}" for line in _conditions(found)),
        summary="\n".join(_summary(list(programs(found).values()))),
        tables="\n\n".join(_tables(found)),
        notes="".join(f"\n- {note}" for note in _notes(found)),
    )
    return text.rstrip() + "\n"


def programs(found: Mapping[str, Any]) -> dict[str, dict]:
    """What was found out of each, by its name."""
    return {name: p for field in found["fields"].values() for name, p in field.items()}


def _conditions(found: Mapping[str, Any]) -> list[str]:
    machine = found["machine"]
    measured = programs(found).values()
    dates = sorted({program["date"] for program in measured})
    rounds = max((program["rounds"] for program in measured), default=0)
    return [
        f"Date: {' to '.join(sorted({*dates[:1], *dates[-1:]}))}",
        f"Machine: {machine['processor']}, {machine['cores']} cores; {machine['system']}; "
        f"Python {machine['python']}",
        f"Versions: {', '.join(f'{name} {v}' for name, v in found['versions'].items())}",
        f"Backend: {found['backend']}. Rounds: {rounds}; of first calls as many as "
        "`--first-calls` says, by default one.",
        f"Load of the machine at the end: {found['load']:.1f}; above 1, other work took "
        "processor time from what was measured, first calls above all.",
    ]


def _summary(measured: list[dict]) -> Iterator[str]:
    yield f"There are {len(measured)} programs."
    for way in WAYS:
        answers = [program["runs"][way] for program in measured if program["runs"][way] != NONE]
        yield (
            f"Under `{way}` {answers.count(YES)} of {len(answers)} run as they are, "
            f"{answers.count(NO)} do not."
        )
    ratios = [r for program in measured if (r := _ratio(program, "jitted")) is not None]
    if ratios:
        yield (
            f"A jitted call takes {results.geometric_mean(ratios):.2f} of plain NumPy's time in "
            f"the geometric mean; {sum(r < 1 for r in ratios)} of {len(ratios)} are faster than "
            "NumPy."
        )


def _tables(found: Mapping[str, Any]) -> Iterator[str]:
    for title, field in found["fields"].items():
        lines = [_line(name, program) for name, program in field.items()]
        yield f"### {title}\n\n{table(HEADER, lines)}"


def _line(name: str, program: Mapping[str, Any]) -> list[str]:
    times, ratios = program["seconds"], [_ratio(program, way) for way in ("jitted", "gradient")]
    return [
        f"`{name}`: {program['title']}",
        *(program["runs"][way] for way in WAYS),
        str(program["paths"] or NONE),
        *(readable(times[which]) if which in times else NONE for which in ("plain", "jitted")),
        *(NONE if ratio is None else f"{ratio:.2f}" for ratio in ratios),
        *(readable(times[which]) if which in times else NONE for which in ("cold", "warm")),
    ]


def _ratio(program: Mapping[str, Any], which: str) -> float | None:
    times = program["seconds"]
    return times[which] / times["plain"] if which in times else None


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    """What does not run."""
    for name, program in programs(found).items():
        by_problem: dict[str, list[str]] = {}
        for way, problem in program["problems"].items():
            by_problem.setdefault(problem, []).append(f"`{way}`")
        for problem, ways in by_problem.items():
            yield f"`{name}` under {', '.join(ways)}, as it is: {problem}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("programs", type=Path)
    path = parser.parse_args(arguments).programs
    path.with_suffix(".md").write_text(page(results.load(path)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
