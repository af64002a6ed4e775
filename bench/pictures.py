"""The pictures of a file of results, as SVG beside it.

``python -m bench.pictures docs/benchmarks/results.json`` draws them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import report, results
from bench.libraries import OURS, REFERENCE, TITLES

#: Okabe and Ito's colours, which those who see red and green alike can tell apart.
COLORS = {
    "autotrace": "#0072B2",
    "plain": "#E69F00",
    "jax": "#009E73",
    "torch": "#D55E00",
    "torch_compile": "#CC79A7",
    "pytensor": "#B8A800",
    "autograd": "#8C564B",
    "numba": "#56B4E9",
    "c": "#666666",
}
MARKERS = dict(zip(TITLES, "osD^v<>Px", strict=True))
STYLE = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text, which is small and can be searched
    "svg.hashsalt": "autotrace",  # the same results make the same file
}
WIDTH = 8.5
#: Slower than this by comparison is not told apart.
MOST = 1000.0


def draw(found: Mapping[str, Any], folder: Path) -> None:
    """All pictures that the results have rows for."""
    with matplotlib.rc_context(STYLE):
        by_family = results.families(found)
        _save(families(by_family), folder / "families.svg")
        for family, rows in by_family.items():
            if family != "Accuracy":
                _save(dots(rows), folder / f"{report.file_name(family)}.svg")
        for curve, title in report.CURVES.values():
            rows = [row for row in found["rows"].values() if row.get("curve") == curve]
            if rows:
                _save(curves(rows, *title), folder / f"{curve}.svg")
        if "bandwidth" in found["machine"]:
            _save(roofline(found), folder / "roofline.svg")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})


def _present(rows: Iterable[Mapping[str, Any]], floor: bool = True) -> list[str]:
    """The libraries that have a number in any of the rows, in the table's order."""
    rows = list(rows)
    names = [name for name in TITLES if any(results.median(row, name) for row in rows)]
    return [name for name in names if floor or name != REFERENCE]


def _relative(row: Mapping[str, Any], name: str) -> float | None:
    """A library's number divided by the best library's, which is not C."""
    number = results.median(row, name)
    others = [t for n, t in results.peers(row).items() if t > 0]
    ours = results.median(row, OURS)
    best = min([*others, *([ours] if ours else [])], default=None)
    return number / best if number and best else None


def families(by_family: Mapping[str, Mapping[str, dict]]) -> Figure:
    """Bars: the geometric mean, over a family's rows, of the time relative to the best library."""
    shown = {
        family: list(rows.values())
        for family, rows in by_family.items()
        if all(row["unit"] != "ulp" for row in rows.values())
    }
    names = _present((row for rows in shown.values() for row in rows), floor=False)
    figure = Figure(figsize=(WIDTH, 0.6 * len(shown) + 0.9), layout="constrained")
    axes = figure.subplots()
    height = 0.84 / len(names)
    for i, name in enumerate(names):
        places, means = [], []
        for j, rows in enumerate(shown.values()):
            ratios = [r for row in rows if (r := _relative(row, name)) is not None]
            if 2 * len(ratios) >= len(rows):  # a mean of a few rows would be one of others
                places.append(j + (i - (len(names) - 1) / 2) * height)
                means.append(min(results.geometric_mean(ratios), MOST))
        axes.barh(places, [m - 0.97 for m in means], height, left=0.97, color=COLORS[name],
                  label=TITLES[name])  # fmt: skip
    axes.set_yticks(range(len(shown)), list(shown))
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    _logarithmic(axes)
    axes.set_xlabel(
        "number relative to the best library of each row, geometric mean: 1 is the best"
    )
    _legend(figure, axes)
    return figure


def dots(rows: Mapping[str, Mapping[str, Any]]) -> Figure:
    """A line for each row, on it the libraries by their number relative to the best one's."""
    names = _present(rows.values())
    figure = Figure(figsize=(WIDTH, 0.27 * len(rows) + 1.0), layout="constrained")
    axes = figure.subplots()
    for name in reversed(names):  # ours on top
        points = [
            (min(ratio, MOST), place)
            for place, row in enumerate(rows.values())
            if (ratio := _relative(row, name)) is not None
        ]
        first = name == OURS
        axes.plot(*zip(*points, strict=True), MARKERS[name], color=COLORS[name],
                  markersize=7 if first else 5, alpha=1 if first else 0.85, label=TITLES[name],
                  markeredgewidth=1.5 if MARKERS[name] == "x" else 0, linestyle="")  # fmt: skip
    axes.set_yticks(range(len(rows)), [_short(row["title"]) for row in rows.values()],
                    fontsize=8)  # fmt: skip
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.axvline(1, color="#999999", linewidth=0.8, zorder=0)
    _logarithmic(axes)
    axes.set_xlabel("relative to the best library (C is none): 1 is the best")
    _legend(figure, axes)
    return figure


def curves(rows: list[Mapping[str, Any]], title: str, across: str, along: str) -> Figure:
    """A line for each library, on logarithmic axes."""
    figure = Figure(figsize=(0.75 * WIDTH, 3.6), layout="constrained")
    axes = figure.subplots()
    rows = sorted(rows, key=lambda row: row["x"])
    for name in _present(rows):
        points = [(row["x"], t) for row in rows if (t := results.median(row, name))]
        axes.plot(*zip(*points, strict=True), MARKERS[name], color=COLORS[name], linestyle="-",
                  markersize=4, linewidth=2 if name == OURS else 1, label=TITLES[name])  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(across)
    axes.set_ylabel(along)
    axes.yaxis.set_major_formatter(ticker.EngFormatter(unit="s", sep=" "))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    _legend(figure, axes)
    return figure


def roofline(found: Mapping[str, Any]) -> Figure:
    """What the machine allows by operations per byte, and what autotrace does of it."""
    machine = found["machine"]
    figure = Figure(figsize=(WIDTH, 6.4), layout="constrained")
    axes, below = figure.subplots(2, height_ratios=(3, 1))
    rows = [r for r in found["rows"].values() if "flops" in r and results.median(r, OURS)]
    rows = [row for row in rows if "threads" not in row]
    low, high = 2.0**-5, 2.0**9
    labels: dict[float, str] = {}  # of rates that are about the same one label
    for where, rate in machine["bandwidth"].items():
        # Where the triad's line meets the peak.
        edge = machine["flops"]["float64"] / rate
        axes.plot([low, edge], [low * rate / 1e9, edge * rate / 1e9], color="#888888", linewidth=1)
        near = next((other for other in labels if other < 1.2 * rate), rate)
        labels[near] = ", ".join([*labels.get(near, "").splitlines(), f"{where} {rate / 1e9:.0f}"])
    for rate, label in labels.items():
        axes.text(low * 1.15, low * 1.45 * rate / 1e9, f"{label} GB/s", fontsize=8,
                  color="#555555")  # fmt: skip
    for dtype, rate in machine["flops"].items():
        axes.axhline(rate / 1e9, color="#888888", linewidth=1)
        axes.text(low * 1.15, rate / 1e9 * 1.06, f"{dtype} {rate / 1e9:.0f} GFLOP/s", fontsize=8,
                  color="#555555")  # fmt: skip
    for name in (REFERENCE, OURS):
        points = [
            (row["flops"] / row["traffic"], row["flops"] / t / 1e9)
            for row in rows
            if (t := results.median(row, name))
        ]
        if points:
            axes.plot(*zip(*points, strict=True), MARKERS[name], color=COLORS[name], linestyle="",
                      label=TITLES[name], markersize=5, markeredgewidth=1.2)  # fmt: skip
    rows.sort(key=lambda row: row["flops"] / row["traffic"])
    for number, row in enumerate(rows, 1):
        place = row["flops"] / row["traffic"], row["flops"] / results.median(row, OURS) / 1e9
        axes.annotate(str(number), place, (4, 3), textcoords="offset points", fontsize=8)
    names = [f"{number}  {_short(row['title'])}" for number, row in enumerate(rows, 1)]
    half = (len(names) + 1) // 2
    for place, column in ((0.0, names[:half]), (0.5, names[half:])):
        below.text(place, 1.0, "\n".join(column), va="top", fontsize=8, linespacing=1.4)
    below.set_axis_off()
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_xlabel("operations per byte of inputs and results")
    axes.set_ylabel("GFLOP/s, one thread")
    _legend(figure, axes)
    return figure


def _logarithmic(axes: Axes) -> None:
    """With ticks at 1, 2, 5 where few powers of ten are seen."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    subs = (1.0, 2.0, 5.0) if high / low < 50 else (1.0,)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=subs, numticks=20))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: list(TITLES.values()).index(labels[i]))
    lines = 1 if figure.get_figwidth() == WIDTH else 2
    figure.legend([handles[i] for i in order], [labels[i] for i in order],
                  loc="outside upper center", ncols=-(-len(labels) // lines), fontsize=8,
                  columnspacing=1.0, handletextpad=0.4)  # fmt: skip


def _short(title: str, most: int = 56) -> str:
    """Without what is in the middle, if it is long: what tells rows apart stands at the end."""
    if len(title) <= most:
        return title
    half = most // 2
    start, end = title[:half].rsplit(" ", 1)[0], title[-half:].split(" ", 1)[1]
    return f"{start} … {end}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    path = parser.parse_args(arguments).results
    draw(results.load(path), path.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
