"""Two files of results: what got slower beyond what noise explains.

``python -m bench.compare OLD.json NEW.json`` has the exit code 1 if something did.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench import results
from bench.libraries import OURS, TITLES
from bench.timing import readable

#: Changes below are none, however small the noise: what a run's own start decides (addresses,
#: pages, the processor's clock) is the same in all its rounds and in no spread.
LEAST = 0.10
#: How many standard deviations of the noise a change has to be more than.
DEVIATIONS = 3.0
#: The distance of the quartiles in standard deviations of a normal distribution.
QUARTILES = 1.35
#: By what a machine's speed is judged, the first that a row has: code that does not change.
REFERENCES = ("c", "plain")


@dataclass(frozen=True)
class Change:
    """Of a row: the new number divided by the old one, and how much more is noise.

    Attributes:
      reference: the library by whose time both were divided before, or None.
    """

    key: str
    title: str
    old: float
    new: float
    unit: str
    ratio: float
    noise: float
    reference: str | None

    @property
    def limit(self) -> float:
        return max(LEAST, DEVIATIONS * self.noise)

    @property
    def worse(self) -> bool:
        return self.ratio > 1 + self.limit

    @property
    def better(self) -> bool:
        return self.ratio < 1 / (1 + self.limit)

    def __str__(self) -> str:
        numbers = f"{readable(self.old, self.unit)} -> {readable(self.new, self.unit)}"
        beside = f" beside {TITLES[self.reference]}" if self.reference else ""
        return (
            f"{self.key}: {numbers}, ratio {self.ratio:.2f}{beside} "
            f"(noise up to {1 + self.limit:.2f}): {self.title}"
        )


def deviation(cell: Mapping[str, float]) -> float:
    """The relative standard deviation of a cell's median over its rounds' quartiles."""
    return results.spread(cell) / QUARTILES


class Machine(NamedTuple):
    """How differently fast the machine was in two runs, by the times of code that is the same.

    Attributes:
      drift: the median change, as a factor's logarithm without sign.
      scatter: the standard deviation of these logarithms from row to row: a machine is not faster
        by the same factor for all work.
    """

    drift: float
    scatter: float


def machine(old: Mapping[str, Any], new: Mapping[str, Any]) -> Machine:
    """How differently fast the machine was; the deviation is that of a normal distribution with
    the same quartiles, so that few rows do not decide it."""
    changes = [math.log(b["median"] / a["median"]) for _, a, b in _references(old, new)]
    if not changes:
        return Machine(0.0, 0.0)
    middle = statistics.median(changes)
    scatter = 2 / QUARTILES * statistics.median(abs(c - middle) for c in changes)
    return Machine(statistics.median(map(abs, changes)), scatter)


def _references(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, dict, dict]]:
    for key, row in new["rows"].items():
        if key in old["rows"] and row["unit"] == "s":
            found = _reference(old["rows"][key], row)
            if found is not None:
                yield key, old["rows"][key]["cells"][found], row["cells"][found]


def _reference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    for name in REFERENCES:
        if results.median(old, name) and results.median(new, name):
            return name
    return None


def change(key: str, old: Mapping[str, Any], new: Mapping[str, Any], by: Machine) -> Change | None:
    """What became of a row; None if one of the runs has no number.

    The ratio to C or NumPy in the same run is taken where it is the more robust one. The rounds
    are interleaved: what slowed the machine down slowed the reference down as well and cancels.
    But the reference has a noise of its own, in each run and from run to run, so on a machine of
    the same speed in both the plain ratio is the sharper one.
    """
    ours = old["cells"].get(OURS, {}), new["cells"].get(OURS, {})
    if not all(cell.get("median") for cell in ours):
        return None
    ratio = ours[1]["median"] / ours[0]["median"]
    own = math.hypot(*map(deviation, ours))
    noise, reference = math.hypot(own, by.drift), None
    beside = _reference(old, new) if new["unit"] == "s" else None
    if beside is not None:
        theirs = old["cells"][beside], new["cells"][beside]
        relative = math.hypot(own, by.scatter, *map(deviation, theirs))
        if relative < noise:
            ratio *= theirs[0]["median"] / theirs[1]["median"]
            noise, reference = relative, beside
    if new["unit"] != "s":  # bytes and errors are the same on a slower machine
        noise = own
    numbers = ours[0]["median"], ours[1]["median"]
    return Change(key, new["title"], *numbers, new["unit"], ratio, noise, reference)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[Change], list[str]]:
    """All changes, and what is not there any more: rows, and cells that fail now."""
    by = machine(old, new)
    changes, gone = [], []
    for key, row in old["rows"].items():
        if not row["cells"].get(OURS, {}).get("median"):
            continue
        if key not in new["rows"]:
            gone.append(f"{key}: not measured any more: {row['title']}")
            continue
        found = change(key, row, new["rows"][key], by)
        if found is None:
            problem = new["rows"][key]["cells"].get(OURS, {}).get("fails", "no number")
            gone.append(f"{key}: fails now: {problem}")
        else:
            changes.append(found)
    return changes, gone


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--partial", action="store_true", help="rows may be missing in the new one")
    options = parser.parse_args(arguments)
    old, new = results.load(options.old), results.load(options.new)
    changes, gone = compare(old, new)
    if options.partial:
        gone = [line for line in gone if "not measured" not in line]
    worse = sorted((c for c in changes if c.worse), key=lambda c: -c.ratio)
    better = sorted((c for c in changes if c.better), key=lambda c: c.ratio)
    for title, lines in (("Slower", worse), ("Gone", gone), ("Faster", better)):
        if lines:
            print(f"{title}:", *lines, sep="\n  ")
    print(
        f"{len(changes)} rows compared: {len(worse)} slower, {len(better)} faster, "
        f"{len(gone)} gone. The machine's speed differed by {machine(old, new).drift:.0%}."
    )
    return 1 if worse or gone else 0


if __name__ == "__main__":
    sys.exit(main())
