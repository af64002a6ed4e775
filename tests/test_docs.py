"""Each Python block of the README and of the pages in docs runs, and prints what it says."""

from __future__ import annotations

import doctest
import linecache
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.source_tree
ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def python_blocks(text: str) -> list[tuple[int, str]]:
    """The fenced ``python`` blocks of a page: the number of each one's first line, and its text.

    Raises:
      ValueError: for a fence that is never closed.
    """
    blocks: list[tuple[int, str]] = []
    fence: str | None = None
    start = 0
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if fence is None:
            if stripped.startswith("```"):
                fence, start, body = stripped[3:].strip(), number + 1, []
        elif stripped == "```":
            if fence == "python":
                blocks.append((start, textwrap.dedent("\n".join(body)) + "\n"))
            fence = None
        else:
            body.append(line)
    if fence is not None:
        raise ValueError(f"the block at line {start} has no end")
    return blocks


def remember_lines(test: doctest.DocTest) -> None:
    """Keep a block's lines for error messages that later blocks bring about."""
    for number, example in enumerate(test.examples):
        filename = f"<doctest {test.name}[{number}]>"
        lines = example.source.splitlines(keepends=True)
        linecache.cache[filename] = (len(example.source), None, lines, filename)


def run_page(path: Path) -> int:
    """Run a page's blocks in order, in one namespace.

    A block with ``>>>`` is a doctest, any other is executed.

    Returns:
      The number of blocks.

    Raises:
      AssertionError: when a doctest fails; the message holds the doctest module's report.
    """
    namespace: dict = {"__name__": path.stem}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=flags, verbose=False)
    blocks = python_blocks(path.read_text(encoding="utf-8"))
    reports: list[str] = []
    for line, source in blocks:
        if ">>>" in source:
            name = f"{path.stem}:{line}"
            test = doctest.DocTestParser().get_doctest(source, {}, name, str(path), line - 1)
            test.globs = namespace
            runner.run(test, out=reports.append, clear_globs=False)
            remember_lines(test)
        else:
            # Empty lines in front, so that a traceback shows the page's line.
            exec(compile("\n" * (line - 1) + source, str(path), "exec"), namespace)
    if reports:
        raise AssertionError("\n" + "".join(reports))
    return len(blocks)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_page(path: Path) -> None:
    if "sklearn" in path.read_text(encoding="utf-8"):
        pytest.importorskip("sklearn")
    run_page(path)


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def test_tour_has_blocks() -> None:
    assert len(python_blocks((ROOT / "docs" / "tour.md").read_text(encoding="utf-8"))) > 10


def test_blocks_of_a_page_share_a_namespace(tmp_path: Path) -> None:
    path = page(
        tmp_path,
        """\
        # A page
        ```python
        x = 2
        ```
        - in a list:

          ```python
          >>> y = x + 1
          >>> y
          3
          >>> print("a    b", list(range(3)))
          a b [0, ...]
          ```
        ```sh
        exit 1
        ```
        ```python
        assert y == 3
        ```
        """,
    )
    assert run_page(path) == 3


def test_wrong_output_fails(tmp_path: Path) -> None:
    path = page(tmp_path, "Text.\n```python\n>>> 1 + 1\n3\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md.*line 3") as caught:
        run_page(path)
    assert "Expected:\n    3\nGot:\n    2" in str(caught.value)


def test_unexpected_error_fails(tmp_path: Path) -> None:
    path = page(tmp_path, "```python\n>>> 1 / 0\n```\n")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_page(path)


def test_missing_error_fails(tmp_path: Path) -> None:
    path = page(
        tmp_path,
        "```python\n>>> 1 / 1\nTraceback (most recent call last):\n"
        "ZeroDivisionError: division by zero\n```\n",
    )
    with pytest.raises(AssertionError, match="Expected:"):
        run_page(path)


def test_failing_statement_fails_at_its_line(tmp_path: Path) -> None:
    path = page(tmp_path, "```python\nx = 1\nassert x == 2\n```\n")
    with pytest.raises(AssertionError) as caught:
        run_page(path)
    assert caught.traceback[-1].lineno + 1 == 3


def test_open_fence_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2 has no end"):
        run_page(page(tmp_path, "```python\n>>> 1\n1\n"))


def test_page_without_code(tmp_path: Path) -> None:
    assert run_page(page(tmp_path, "Words.\n")) == 0
