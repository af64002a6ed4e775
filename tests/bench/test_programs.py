"""The page on programs for plain NumPy is what the committed file makes."""

from __future__ import annotations

from pathlib import Path

import numpy_programs
import pytest

programs = pytest.importorskip("bench.programs", reason="needs the source tree")
results = pytest.importorskip("bench.results")
DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def program(**parts):
    return {
        "title": "what it does",
        "runs": {"jit": "yes", "grad": "yes", "jit(grad)": "yes"},
        "problems": {},
        "paths": 2,
        "rounds": 5,
        "seconds": {"jitted": 1e-6, "plain": 4e-6, "gradient": 2e-6, "cold": 0.5, "warm": 0.1},
        "date": "2026-01-02",
        **parts,
    }


def made_up(**found):
    return {
        "machine": {"processor": "made up", "cores": 2, "system": "Linux", "python": "3.12.0"},
        "versions": {"autotrace": "0.1", "NumPy": "2.4"},
        "backend": "numba",
        "load": 1.04,
        "fields": {"Motion": found},
    }


def test_page_is_made_of_its_file():
    page = (DOCS / "numpy_programs.md").read_text(encoding="utf-8")
    found = results.load(DOCS / "numpy_programs.json")
    assert page == programs.page(found), "run make bench-report"


def test_each_program_was_run():
    found = programs.programs(results.load(DOCS / "numpy_programs.json"))
    assert {name: p["title"] for name, p in found.items()} == {
        p.name: p.title for p in numpy_programs.ALL
    }, "run make bench-programs CONTINUE=1"


@pytest.mark.parametrize("path", ["../README.md", "index.md", "library.md"])
def test_pages_that_say_how_many(path):
    words = (DOCS / path).read_text(encoding="utf-8").replace("[", "").split()
    assert str(len(numpy_programs.ALL)) in words


def test_lines():
    runs = {"jit": "yes", "grad": "no", "jit(grad)": "no"}
    problem = "TypeError: not so"
    fails = program(
        runs=runs,
        problems={"grad": problem, "jit(grad)": problem},
        seconds={"jitted": 4e-6, "plain": 2e-6},
        date="2026-01-03",
    )
    page = programs.page(made_up(ball=program(), walk=fails))
    assert (
        "| `ball`: what it does | yes | yes | yes | 2 | 4.00 us | 1.00 us | 0.25 | 0.50 "
        "| 500 ms | 100 ms |\n"
        "| `walk`: what it does | yes | no | no | 2 | 2.00 us | 4.00 us | 2.00 | - | - | - |\n"
    ) in page
    assert "- Date: 2026-01-02 to 2026-01-03\n" in page
    assert "Under `grad` 1 of 2 run as they are, 1 do not." in page
    assert "takes 0.71 of plain NumPy's time in the geometric mean; 1 of 2 are faster" in page
    assert page.endswith(f"\n- `walk` under `grad`, `jit(grad)`, as it is: {problem}\n")


def test_its_file_has_a_line_for_each_fact(tmp_path):
    path = tmp_path / "programs.json"
    results.save(made_up(ball=program()), path)
    assert results.load(path) == made_up(ball=program())
    lines = path.read_text(encoding="utf-8").splitlines()
    assert '    "runs": {"jit": "yes", "grad": "yes", "jit(grad)": "yes"},' in lines
