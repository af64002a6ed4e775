"""Each script in docs/examples runs and finds what it should, and has a page that shows it."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest
from test_docs import python_blocks

from autotrace import config

pytestmark = pytest.mark.source_tree
EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"
SCRIPTS = sorted(p for p in EXAMPLES.glob("*.py") if not p.name.startswith("_"))
by_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
#: Matplotlib takes a second to import: pictures are drawn with one of the backends only.
DRAWS = config.backend != "numpy" and importlib.util.find_spec("matplotlib") is not None


@by_script
def test_example(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The short form, as from the command line."""
    if "from sklearn" in script.read_text(encoding="utf-8"):
        pytest.importorskip("sklearn")
    drawn = tmp_path / "picture.svg"
    arguments = ["--short", "--picture", str(drawn)] if DRAWS else ["--short"]
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    monkeypatch.syspath_prepend(str(EXAMPLES))  # where the script's own folder is when it is run
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(script), run_name="__main__")
    out, err = capsys.readouterr()
    assert left.value.code == 0, out
    assert out.endswith("\nChecks: all passed.\n")
    assert "FAILED" not in out
    assert err == ""  # no warnings, and no progress bar where nobody watches
    assert not DRAWS or drawn.stat().st_size > 1000


def in_script(block: str) -> list[str]:
    """What has to be in the script as it is: each import by itself, since a page may leave others
    out, and all that follows them."""
    lines = block.splitlines(keepends=True)
    is_import = [line.startswith(("import ", "from ", "\n")) for line in lines]
    code = is_import.index(False) if False in is_import else len(lines)
    return [line for line in lines[:code] if line.strip()] + ["".join(lines[code:])]


@by_script
def test_page(script: Path) -> None:
    """It says how to run the script, and its code is the script's."""
    page = script.with_suffix(".md").read_text(encoding="utf-8")
    code = script.read_text(encoding="utf-8")
    assert f"python docs/examples/{script.name}" in page
    assert f"](pictures/{script.stem}.svg)" in page
    for line, block in python_blocks(page):
        if ">>>" not in block:
            missing = [part for part in in_script(block) if part not in code]
            assert not missing, f"{script.stem}.md, line {line}: not as in {script.name}"


@by_script
def test_picture(script: Path) -> None:
    text = (EXAMPLES / "pictures" / f"{script.stem}.svg").read_text(encoding="utf-8")
    assert "<svg" in text
    assert len(text) < 100_000


def test_index() -> None:
    """The list of examples has each of them, and no other."""
    index = (EXAMPLES / "index.md").read_text(encoding="utf-8")
    listed = [line.split("](")[1].split(")")[0] for line in index.splitlines() if "| [" in line]
    assert sorted(listed) == [f"{script.stem}.md" for script in SCRIPTS]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("_report")


def test_checks(report: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    kept = report.Report()
    kept.check("small", 1.0, 2.0)
    kept.check("large", 3.0, 2.0, above=True)
    kept.agree("scalar", 1.001, 1.0, rtol=1e-2)
    kept.agree("vector", [1.0, 2.0], [1.0, 2.001], atol=1e-2)
    assert kept.failed == []
    assert kept.close() == 0
    kept.check("too large", 2.0, 1.0)
    kept.check("NaN", float("nan"), 1.0)
    kept.agree("off", 1.1, 1.0, rtol=1e-2)
    kept.agree("one off", [1.0, 2.0], [1.0, 2.1], rtol=1e-2)
    kept.agree("not a number", [1.0, float("nan")], [1.0, 2.0], rtol=1.0)
    assert kept.failed == ["too large", "NaN", "off", "one off", "not a number"]
    with pytest.raises(ValueError, match="found"):
        kept.agree("shapes", [1.0, 2.0], 1.0)
    capsys.readouterr()
    assert kept.close() == 1
    assert "Checks: 5 FAILED: too large; NaN; off" in capsys.readouterr().out


def test_command_line(report: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    def example(kept, short):
        kept.check("length", 1.0 if short else 5.0, 2.0)

    assert report.run("An example.\n\nMore.", example, None, ["--short"]) == 0
    assert capsys.readouterr().out.startswith("An example.\n===========\n")
    assert report.run("An example.", example, None, []) == 1
