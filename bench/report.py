"""The pages that a file of results makes: docs/benchmarks/index.md and the README's table.

``python -m bench.report docs/benchmarks/results.json --readme README.md`` writes them; ``pictures``
draws. Nothing here measures, and no library of those that are compared is needed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import results
from bench.libraries import OURS, REFERENCE, TITLES
from bench.reasons import OF_FAMILY, REASONS
from bench.timing import readable

PAGE = """\
# Benchmarks

This page is made of [results.json](results.json), which `make bench` writes; all numbers in it are
measured, and none is typed.

{conditions}

{summary}

![Times of each library relative to the best one, by family](families.svg)

## How it was measured

Each library runs in a process of its own, with one thread where nothing else is said, and is given
and gives back NumPy arrays. In each round the libraries take their turn, so that what else the
machine does meets all of them alike; a cell is the median over the rounds. A library's turn begins
with a call that is not timed, and is then long enough for many calls of a short function. Before
the first round all results are compared with NumPy's in float64, or where nobody has written a
derivative by hand, with those of autotrace's interpreter, which the other libraries then check. The
C library's allocator is told to keep the memory that it has, for all alike: otherwise large results
are paid for by chance, with new pages.

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
  the code by hand for NumPy under `@njit`, for such loops only.
- **C** is `bench/reference.c`, compiled for this processor with the vector variants of its C
  library's mathematical functions. It is the floor: called with addresses looked up before, it
  writes to arrays that were made before. Its matrix products are SciPy's BLAS.
- First calls, new sizes and compilation have few rounds, each with a new start and kept on one
  core, compilers and their helpers included. First call: of a new process, from after the
  library's import to the first result; what the call imports counts. "No disk cache" begins with an
  empty folder for the library's cache, "with a disk cache" with what an earlier process left there.
- Memory is what a process has more of at most during a call than before its first call of such
  sizes; code that the first call loads is there before.
- Accuracy is the largest error over 2000 points, in units of the last place of the exact value.
{chosen}
`make bench` measures the default set in about ten minutes, `make bench-all` everything with more
rounds; `make bench ONLY=softmax` renews the rows of that name; `make bench-compare OLD=a.json
NEW=b.json` compares two runs.

## How to read the tables

The last two columns are autotrace's number divided by that of the best other library (its name
beside it) and of C: below 1, autotrace is better. A dash means that a library has no such thing,
is not installed or was not measured; "fails" that it does not do it, for which the notes have the
error. A number in parentheses is the distance of the quartiles in per cent of the median, where
that is more than 10.

{tables}

## Where others are faster

Each cell in which another library's number is lower than autotrace's, and what limits it. NumPy
with derivatives by hand and Numba by hand count as libraries, C does not. "Within the spread" says
that the quartiles of the two overlap.

{faster}

{notes}
"""
README = """\
{marker}
| {header} |
{rule}
{lines}

Time of a call, one thread, {processor}; the fastest in bold. NumPy's derivatives are written by
hand. [All {count} rows, how they were measured, and where others are
faster](docs/benchmarks/index.md).
{end}
"""
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
#: The rows of the README's table, and what it calls them.
CHOSEN = {
    "scalar_chain_gradient": "scalar function of 60 operations, value and gradient",
    "hierarchical": "log density of a hierarchical model, value and gradient",
    "black_scholes": "Black-Scholes price of 10^5 options",
    "chain_gradient": "12 fused operations on 10^5 numbers, gradient",
    "logistic": "logistic regression, 10^4 x 50, value and gradient",
    "mlp_step_float32": "MLP 784-256-256-10, training step, float32",
    "kalman_gradient": "Kalman filter of 500 steps, value and gradient",
    "heat_gradient": "heat equation, 200 x 200, 100 steps, value and gradient",
    "hessian_rosenbrock": "Hessian of Rosenbrock's function, n = 100",
    "first_call_warm": "first call in a new process, with a disk cache",
}
README_LIBRARIES = ("autotrace", "plain", "jax", "torch", "torch_compile", "pytensor", "autograd")
#: Curves, by family: what their rows share; the picture's title and what its axes say.
CURVES = {
    "Compilation": (
        "compile",
        ("Compile time of a gradient", "operations of the function", "time of the first call"),
    ),
    "Sizes and threads": (
        "size",
        ("Time of a gradient of 12 operations", "elements", "time of a call"),
    ),
}
SHOWN_SPREAD = 0.1
#: A machine on which the cells had less of the processor, in the median, had other work to do.
BUSY = 0.9
#: Parts of a processor more than one that are taken for measurement error.
TOLERANCE = 0.1


def table(header: Sequence[str], lines: Iterable[Sequence[str]], column: str = "--:") -> str:
    rule = ["---"] + [column] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))


def page(found: Mapping[str, Any]) -> str:
    """The text of docs/benchmarks/index.md."""
    text = PAGE.format(
        conditions="\n".join(f"- {line}" for line in _conditions(found)),
        summary=_summary(found),
        chosen=_chosen(found),
        tables="\n\n".join(_tables(found)),
        faster=_faster(found),
        notes=_notes(found),
    )
    return text.rstrip() + "\n"


def _conditions(found: Mapping[str, Any]) -> list[str]:
    machine = found["machine"]
    versions = [f"{TITLES[name]} {version}" for name, version in found["versions"].items()]
    lines = [
        f"Date: {found['date']}",
        f"Machine: {machine['processor']}, {machine['cores']} cores; {machine['system']}; "
        f"Python {machine['python']}",
        f"Versions: {', '.join(versions)}; NumPy {machine['numpy']} and SciPy {machine['scipy']} "
        "for all but PyTensor",
    ]
    rounds = sorted({row["rounds"] for row in found["rows"].values() if row["unit"] == "s"})
    if rounds:
        lines.append(f"Rounds: {rounds[-1]}, and {rounds[0]} where a turn takes a second or more")
    usages = sorted(
        cell["cpu"]
        for row in found["rows"].values()
        for cell in row["cells"].values()
        if "cpu" in cell and row.get("threads", 1) == 1
    )
    if usages:
        low, middle, high = (usages[int(q * (len(usages) - 1))] for q in (0.05, 0.5, 0.95))
        lines.append(
            "Time of the processor over time, over the cells with one thread: median "
            f"{middle:.2f}, from {low:.2f} (5 %) to {high:.2f} (95 %). One thread that has a core "
            "for itself makes 1; below 1, something else had the core"
        )
        if middle < BUSY:
            lines.append("**The machine was busy with other work: these times say little**")
    if "bandwidth" in machine:
        rates = ", ".join(
            f"{rate / 1e9:.0f} ({where})" for where, rate in machine["bandwidth"].items()
        )
        flops = ", ".join(f"{rate / 1e9:.0f} ({dtype})" for dtype, rate in machine["flops"].items())
        lines.append(
            f"One core of the machine: triad in C, GB/s: {rates}; multiply-adds, GFLOP/s: {flops}"
        )
    return lines


def _summary(found: Mapping[str, Any]) -> str:
    """In how many rows autotrace is the fastest, and its mean ratio to each library."""
    timed = [row for row in found["rows"].values() if _contested(row) and row["unit"] == "s"]
    first = sum(results.median(row, OURS) <= min(results.peers(row).values()) for row in timed)
    lines = []
    for name, title in TITLES.items():
        shared = [row for row in timed if results.median(row, name)]
        if name != OURS and shared:
            mean = results.geometric_mean(
                results.median(row, OURS) / results.median(row, name) for row in shared
            )
            lines.append(f"{mean:.2f} of {title}'s in {len(shared)}")
    return (
        f"Of {len(timed)} rows with times of autotrace and others, autotrace is the fastest "
        f"library in {first}. In the geometric mean its time is {', '.join(lines)}."
    )


def _contested(row: Mapping[str, Any]) -> bool:
    return bool(results.median(row, OURS) and results.peers(row))


def _chosen(found: Mapping[str, Any]) -> str:
    if found["set"] == "all":
        return ""
    return (
        "- PyTensor and compiled PyTorch, which take many seconds to compile, did chosen rows\n"
        "  only; `make bench-all` has them do all.\n"
    )


def _tables(found: Mapping[str, Any]) -> list[str]:
    parts = []
    for family, rows in results.families(found).items():
        names = [name for name in TITLES if any(name in row["cells"] for row in rows.values())]
        header = ["work", *(TITLES[name] for name in names), "to the best"]
        header += ["to C"] * (REFERENCE in names)
        lines = [_line(row, names) for row in rows.values()]
        part = [f"### {family}", table(header, lines)]
        if family != "Accuracy":
            part.append(f"![{family}: numbers relative to the best]({file_name(family)}.svg)")
        if family in CURVES:
            curve, title = CURVES[family]
            part.append(f"![{title[0]}]({curve}.svg)")
        if family == "Sizes and threads" and "bandwidth" in found["machine"]:
            part.append("![Roofline of this machine, and autotrace's work in it](roofline.svg)")
        parts.append("\n\n".join(part))
    return parts


def file_name(family: str) -> str:
    return family.lower().replace(" ", "_")


def _line(row: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    best = results.best_peer(row)
    cells = [_cell(row, name) for name in names]
    to_best = _ratio(row, best)
    if best is not None and to_best != "-":
        to_best += f" ({TITLES[best]})"
    last = [_ratio(row, REFERENCE)] * (REFERENCE in names)
    return [row["title"], *cells, to_best, *last]


def _cell(row: Mapping[str, Any], name: str) -> str:
    cell = row["cells"].get(name)
    if cell is None:
        return "-"
    if "fails" in cell:
        return "fails"
    spread = results.spread(cell)
    shown = f" ({100 * spread:.0f})" if spread > SHOWN_SPREAD else ""
    return _unbroken(readable(cell["median"], row["unit"]) + shown)


def _unbroken(text: str) -> str:
    """With spaces that a narrow cell does not break."""
    return text.replace(" ", "\u00a0")


def _ratio(row: Mapping[str, Any], name: str | None) -> str:
    ours, theirs = results.median(row, OURS), name and results.median(row, name)
    return f"{ours / theirs:.2f}" if ours is not None and theirs else "-"


def _faster(found: Mapping[str, Any]) -> str:
    lines = []
    for key, row in found["rows"].items():
        ours = row["cells"].get(OURS, {})
        if not ours.get("median"):
            continue
        better = {name: t for name, t in results.peers(row).items() if 0 < t < ours["median"]}
        if not better:
            continue
        named = [
            f"{TITLES[name]} {ours['median'] / t:.2f}"
            + " (within the spread)" * _overlap(ours, row["cells"][name])
            for name, t in sorted(better.items(), key=lambda pair: pair[1])
        ]
        lines.append([row["title"], ", ".join(named), _reason(key, row)])
    if not lines:
        return "There is none."
    return table(["work", "autotrace's number divided by that of", "what limits it"], lines, "---")


def _reason(key: str, row: Mapping[str, Any]) -> str:
    return REASONS.get(key) or OF_FAMILY.get(row["family"], "not looked into yet")


def _overlap(ours: Mapping[str, float], theirs: Mapping[str, float]) -> bool:
    return ours["low"] <= theirs["high"]


def _notes(found: Mapping[str, Any]) -> str:
    notes = []
    for row in found["rows"].values():
        for name, cell in row["cells"].items():
            if "fails" in cell:
                problem = cell["fails"].replace("|", "\\|")
                notes.append(f"{TITLES[name]} fails in “{row['title']}”: `{problem}`")
            elif cell.get("cpu", 0) > row.get("threads", 1) + TOLERANCE:
                notes.append(f"{TITLES[name]} used {cell['cpu']:.1f} cores in “{row['title']}”.")
    notes += [f"{TITLES[name]} is left out: {why}" for name, why in found["missing"].items()]
    dates = {row["date"] for row in found["rows"].values()} - {found["date"]}
    if dates:
        notes.append(f"Some rows were measured earlier: {', '.join(sorted(dates))}.")
    return "\n".join(["## Notes", "", *(f"- {note}" for note in notes)]) if notes else ""


def readme_table(found: Mapping[str, Any]) -> str:
    """What stands between the markers in README.md, with them."""
    rows = {key: found["rows"][key] for key in CHOSEN if key in found["rows"]}
    names = [name for name in README_LIBRARIES if any(name in r["cells"] for r in rows.values())]
    lines = []
    for key, row in rows.items():
        numbers = {name: results.median(row, name) for name in names}
        best = min((t for t in numbers.values() if t), default=None)
        cells = []
        for name, number in numbers.items():
            text = _cell({**row, "cells": {}}, name) if number is None else readable(number)
            text = _unbroken(text)
            cells.append(f"**{text}**" if number and number == best else text)
        lines.append(f"| {CHOSEN[key]} | {' | '.join(cells)} |")
    header = ["", *(TITLES[name] for name in names)]
    return README.format(
        marker=BEGIN,
        header=" | ".join(header).strip(),
        rule="| --- |" + " --: |" * len(names),
        lines="\n".join(lines),
        processor=found["machine"]["processor"],
        count=len(found["rows"]),
        end=END,
    ).rstrip()


def with_table(readme: str, found: Mapping[str, Any]) -> str:
    """The README with its table renewed.

    Raises:
      ValueError: when it has not both markers.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"README.md has to have one {BEGIN} and one {END}")
    before, rest = readme.split(BEGIN)
    return before + readme_table(found) + rest.split(END)[1]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--readme", type=Path, help="the README with a table to renew")
    options = parser.parse_args(arguments)
    found = results.load(options.results)
    (options.results.parent / "index.md").write_text(page(found), encoding="utf-8")
    if options.readme is not None:
        text = options.readme.read_text(encoding="utf-8")
        options.readme.write_text(with_table(text, found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
