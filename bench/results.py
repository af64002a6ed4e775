"""What was measured: a JSON file, to which each row is added as soon as it is done."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.libraries import OURS, REFERENCE


def cell(samples: Sequence[float], usages: Iterable[float] = ()) -> dict[str, float]:
    """The median, the quartiles, and the processor's time over time."""
    usages = list(usages)
    low, median, high = (
        statistics.quantiles(samples, n=4, method="inclusive")
        if len(samples) > 1
        else [samples[0]] * 3
    )
    out = {"median": median, "low": low, "high": high}
    if usages:
        out["cpu"] = statistics.median(usages)
    return {name: _short(number) for name, number in out.items()}


def _short(number: float) -> float:
    """With four digits."""
    return float(f"{number:.4g}")


def spread(found: Mapping[str, float]) -> float:
    """The distance of the quartiles, as a part of the median: for a normal distribution 1.35
    standard deviations."""
    return (found["high"] - found["low"]) / found["median"] if found["median"] else 0.0


def median(row: Mapping[str, Any], library: str) -> float | None:
    """A library's median, or None where it has none."""
    return row["cells"].get(library, {}).get("median")


def peers(row: Mapping[str, Any]) -> dict[str, float]:
    """The medians of all libraries but ours; C is the floor, and no library."""
    return {
        name: found["median"]
        for name, found in row["cells"].items()
        if name not in (OURS, REFERENCE) and "median" in found
    }


def best_peer(row: Mapping[str, Any]) -> str | None:
    """The fastest of them."""
    found = peers(row)
    return min(found, key=found.__getitem__, default=None)


def geometric_mean(numbers: Iterable[float]) -> float:
    logarithms = [math.log(number) for number in numbers]
    return math.exp(statistics.fmean(logarithms))


def families(results: Mapping[str, Any]) -> dict[str, dict[str, dict]]:
    """The rows by family, both in order."""
    found: dict[str, dict[str, dict]] = {}
    for key, row in results["rows"].items():
        found.setdefault(row["family"], {})[key] = row
    return found


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def save(results: Mapping[str, Any], path: Path) -> None:
    """A line for each cell, so that files can be compared as text."""
    text = json.dumps(results, indent=1, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_cells_on_one_line(text) + "\n", encoding="utf-8")


def _cells_on_one_line(text: str) -> str:
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if inside:
            inside = not line.strip().startswith("}")
            lines[-1] += line.strip() + " " * (inside and line.endswith(","))
        else:
            lines.append(line)
            inside = line.startswith("    ") and line.endswith("{")
    return "\n".join(lines)
