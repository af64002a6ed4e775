"""What the examples have in common: the command line, what they print, and their checks.

An example is a function of a ``Report`` and of whether to be short. It prints by the report, checks
its results by it, and returns what its picture is drawn from::

    def example(report, short): ...
    def picture(figure, results): ...

    if __name__ == "__main__":
        sys.exit(run(__doc__, example, picture))
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

WIDTH = 40


class Report:
    """Prints sections and numbers, and keeps the outcomes of the checks."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.failed: list[str] = []

    def section(self, title: str) -> None:
        print(f"\n{title}\n{'-' * len(title)}")

    def line(self, label: str, value: object) -> None:
        print(f"  {label:<{WIDTH}}{value}")

    def number(self, label: str, value: float, form: str = "{:.6g}") -> None:
        self.values[label] = float(value)
        self.line(label, form.format(value))

    def check(self, label: str, value: float, limit: float, above: bool = False) -> None:
        """A number that must stay below a limit, or above it."""
        self.values[label] = float(value)
        good = bool(value > limit if above else value < limit)
        self._verdict(label, f"{value:<12.4g} {'>' if above else '<'} {limit:<10.4g}", good)

    def agree(
        self, label: str, found: Any, known: Any, rtol: float = 0.0, atol: float = 0.0
    ) -> None:
        """Numbers that must be known ones: ``abs(found - known) <= atol + rtol * abs(known)``."""
        found, known = np.asarray(found, float), np.asarray(known, float)
        if found.shape != known.shape:
            raise ValueError(f"{label}: found {found.shape} numbers, and know {known.shape}")
        error = np.abs(found - known)
        good = bool(np.all(error <= atol + rtol * np.abs(known)))
        if found.ndim == 0:
            self.values[label] = float(found)
            text = f"{found:<12.7g} ~ {known:<10.7g}"
        else:
            scale = np.max(np.abs(known), initial=0.0)
            text = f"differ by {np.max(error, initial=0.0):.1e}, largest is {scale:.3g}"
        self._verdict(label, text, good)

    def _verdict(self, label: str, text: str, good: bool) -> None:
        if not good:
            self.failed.append(label)
        self.line(label, f"{text} {'ok' if good else 'FAILED'}")

    def close(self) -> int:
        """The last line, and the exit code."""
        failed = f"{len(self.failed)} FAILED: {'; '.join(self.failed)}"
        print(f"\nChecks: {failed if self.failed else 'all passed'}.")
        return 1 if self.failed else 0


class Timer:
    """``with Timer() as t: ...`` and then ``t.seconds``."""

    def __enter__(self) -> Timer:
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.start


def run(
    doc: str,
    example: Callable[[Report, bool], Any],
    picture: Callable[[Any, Any], None],
    argv: Sequence[str] | None = None,
) -> int:
    """Run an example as the command line asks.

    Args:
      doc: The script's docstring.
      example: Called with a report, and True for the short form.
      picture: Called with a ``matplotlib.figure.Figure`` and what ``example`` returned.
      argv: The command line, that of the process by default.

    Returns:
      The exit code: 0 when all checks pass, else 1.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a few seconds at most")
    parser.add_argument("--picture", metavar="FILE", help="draw the results (needs matplotlib)")
    options = parser.parse_args(argv)
    title = doc.splitlines()[0]
    print(f"{title}\n{'=' * len(title)}")
    report = Report()
    results = example(report, options.short)
    if options.picture:
        draw(options.picture, picture, results)
    return report.close()


def draw(path: str, picture: Callable[[Any, Any], None], results: Any) -> None:
    """Save a picture. The same results give the same bytes, so that a picture under version control
    changes only when what it shows does."""
    import matplotlib  # noqa: PLC0415 - only pictures need it, and it takes a second
    from matplotlib.figure import Figure  # noqa: PLC0415

    style = {"svg.hashsalt": "autotrace", "font.size": 9}
    style |= {"axes.grid": True, "axes.axisbelow": True, "grid.alpha": 0.3}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained", facecolor="white")
        picture(figure, results)
        figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)
