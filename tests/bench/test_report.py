"""The benchmark pages are what the committed results make, and say what the results say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

report = pytest.importorskip("bench.report", reason="needs the source tree")
results = pytest.importorskip("bench.results")
rows = pytest.importorskip("bench.rows")
reasons = pytest.importorskip("bench.reasons")
ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "docs" / "benchmarks"


def row(key, unit="s", **cells):
    return {
        "family": "Calls of small functions",
        "title": f"the row {key}",
        "unit": unit,
        "kind": "steady",
        "rounds": 5,
        "date": "2026-01-02",
        "cells": cells,
    }


def cell(median, spread=0.02):
    return {"median": median, "low": median * (1 - spread / 2), "high": median * (1 + spread / 2)}


def made_up(**found):
    return {
        "date": "2026-01-02",
        "set": "default",
        "machine": {"processor": "made up", "cores": 2, "system": "Linux x86_64",
                    "python": "3.12.0", "numpy": "2.4", "scipy": "1.17"},
        "versions": {"autotrace": "0.1", "jax": "0.9", "c": "cc"},
        "missing": {"torch": "not installed"},
        "rows": found,
    }  # fmt: skip


def plain(text):
    return text.replace("\u00a0", " ")


def line_of(page, title, after="\n"):
    return next(line for line in page.split(after, 1)[1].splitlines() if title in line)


def test_page_is_made_of_results():
    page = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert page == report.page(results.load(FOLDER / "results.json")), "run make bench-report"


def test_readme_is_made_of_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = results.load(FOLDER / "results.json")
    assert readme == report.with_table(readme, found), "run make bench-report"
    assert set(report.CHOSEN) <= set(found["rows"])


def test_pictures_are_there_and_small():
    page = (FOLDER / "index.md").read_text(encoding="utf-8")
    names = re.findall(r"\]\((\w+\.svg)\)", page)
    assert len(names) > 5
    for name in names:
        assert (FOLDER / name).stat().st_size < 150_000


def test_rows_that_the_report_names():
    assert set(reasons.REASONS) <= set(rows.BY_KEY)
    assert set(report.CHOSEN) <= {key for key, row in rows.BY_KEY.items() if row.default}


def test_cells():
    found = made_up(
        a=row(
            "a", autotrace=cell(1e-3), plain=cell(4e-3, spread=0.3), jax=cell(2e-3), c=cell(5e-4)
        ),
        b=row("b", autotrace=cell(1e-3), jax={"fails": "ValueError: x | y"}),
        m=row("m", unit="B", autotrace=cell(2e6), jax=cell(4e6)),
    )
    page = plain(report.page(found))
    assert line_of(page, "the row a") == (
        "| the row a | 1.00 ms | 4.00 ms (30) | 2.00 ms | 500 us | 0.50 (JAX) | 2.00 |"
    )
    assert line_of(page, "the row b") == "| the row b | 1.00 ms | - | fails | - | - | - |"
    assert "| the row m | 2.00 MB | - | 4.00 MB | - | 0.50 (JAX) | - |" in page
    assert r"JAX fails in “the row b”: `ValueError: x \| y`" in page
    assert "PyTorch is left out: not installed" in page
    assert "Of 1 rows with times of autotrace and others, autotrace is the fastest" in page
    assert "## Where others are faster" in page and "There is none." in page


def test_where_others_are_faster():
    key, reason = next(iter(reasons.REASONS.items()))
    found = made_up(
        **{key: row(key, autotrace=cell(2e-3), jax=cell(1e-3), c=cell(1e-4))},
        other=row("other", autotrace=cell(1e-3, 0.5), plain=cell(9e-4), jax=cell(5e-4)),
    )
    page = plain(report.page(found))
    after = "## Where others are faster"
    assert line_of(page, f"the row {key}", after) == f"| the row {key} | JAX 2.00 | {reason} |"
    assert line_of(page, "the row other", after) == (
        "| the row other | JAX 2.00, NumPy 1.11 (within the spread) | not looked into yet |"
    )


def test_readme_table_needs_its_markers():
    found = made_up(hierarchical=row("hierarchical", autotrace=cell(1e-3), jax=cell(2e-3)))
    text = f"before\n{report.BEGIN}\nstale\n{report.END}\nafter\n"
    renewed = report.with_table(text, found)
    assert renewed.startswith(f"before\n{report.BEGIN}\n") and renewed.endswith("after\n")
    assert "| **1.00 ms** | 2.00 ms |" in plain(renewed) and "stale" not in renewed
    assert report.with_table(renewed, found) == renewed
    with pytest.raises(ValueError, match="one <!-- benchmarks: begin"):
        report.with_table("no markers", found)
