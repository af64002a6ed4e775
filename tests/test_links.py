"""Links between the README and the pages lead to files and headings that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.source_tree
ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^[ ]*(`{3,}|~{3,})")
_CODE = re.compile(r"(`+)(?:(?!\1).)+?\1", re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^[ ]{0,3}\[[^\]]+\]:\s+(\S+)", re.MULTILINE)


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    kept: list[str] = []
    fence = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence) and not line.strip(" `~"):
                fence = ""
        elif found:
            fence = found[1]
        else:
            kept.append(line)
    return "\n".join(kept)


def links(text: str) -> list[str]:
    """The targets of a page's links and pictures."""
    plain = _CODE.sub("", prose(text))
    return [*_LINK.findall(plain), *_REFERENCE.findall(plain)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as code-hosting sites and MyST make them."""
    found: set[str] = set()
    for line in prose(text).splitlines():
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            number = 0
            while (name := f"{slug}-{number}" if number else slug) in found:
                number += 1
            found.add(name)
    return found


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    out = []
    for link in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        known = anchors(target.read_text(encoding="utf-8")) if anchor and target.exists() else ()
        if not target.exists() or (anchor and anchor not in known):
            out.append(link)
    return out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("# A heading, with `code`\n\n## Twice\n\n## Twice\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n"
        "[good](other.md#a-heading-with-code) [good](other.md#twice-1) [good](#here)\n"
        "[outside](https://example.org/none) `[code](none.md)`\n"
        '![a picture](none.svg) [a title](other.md "Title")\n'
        "[bad](other.md#thrice) [bad](none.md)\n[bad](#there)\n[note]: gone.md\n"
        "```text\n[in a block](none.md)\n# Not a heading\n```\n",
        encoding="utf-8",
    )
    assert broken(page) == ["none.svg", "other.md#thrice", "none.md", "#there", "gone.md"]
