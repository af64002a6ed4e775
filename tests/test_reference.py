"""The reference has a page for each public namespace, and each page all of its names."""

from __future__ import annotations

import importlib
import pkgutil
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

import autotrace

pytestmark = pytest.mark.source_tree
DOCS = Path(__file__).resolve().parent.parent / "docs"
sys.path.insert(0, str(DOCS / "extensions"))

if DOCS.is_dir():
    import grouping

    NAMESPACES = grouping.public_modules(autotrace)
else:
    NAMESPACES = {}


def groups(name: str) -> dict[str, list[str]]:
    """The groups that a page's directive asks for."""
    page = (DOCS / "api" / f"{name}.rst").read_text(encoding="utf-8")
    _, found, rest = page.partition(f".. namespace:: {name}\n")
    assert found, f"docs/api/{name}.rst has no `.. namespace:: {name}`"
    return grouping.read_groups(rest.splitlines())


@pytest.mark.parametrize("name", NAMESPACES)
def test_namespace_has_a_page_in_the_navigation(name: str) -> None:
    assert groups(name) is not None
    index = (DOCS / "api" / "index.md").read_text(encoding="utf-8")
    assert name in index.splitlines()


@pytest.mark.parametrize("name", NAMESPACES)
def test_every_public_name_is_on_the_page_once(name: str) -> None:
    module = NAMESPACES[name]
    shown = [n for names in grouping.group(module, groups(name)).values() for n in names]
    assert sorted(shown) == sorted(grouping.public_names(module))


@pytest.mark.parametrize("name", NAMESPACES)
def test_every_pattern_fits_something(name: str) -> None:
    module = NAMESPACES[name]
    values = {n: getattr(module, n) for n in grouping.public_names(module)}
    idle = [
        pattern
        for patterns in groups(name).values()
        for pattern in patterns
        if not any(grouping.fits(n, v, pattern) for n, v in values.items())
    ]
    assert idle == []


@pytest.mark.parametrize("name", NAMESPACES)
def test_every_name_of_ours_says_what_it_is(name: str) -> None:
    module = NAMESPACES[name]
    ours = [n for n in grouping.public_names(module) if grouping.is_ours(getattr(module, n))]
    assert [n for n in ours if not grouping.summary(getattr(module, n))] == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("api/autotrace*.rst")), ids=lambda p: p.stem)
def test_pages_are_of_public_namespaces(page: Path) -> None:
    assert page.stem in NAMESPACES
    assert isinstance(importlib.import_module(page.stem), ModuleType)


def test_groups_take_each_name_once_and_leave_none_out() -> None:
    module = ModuleType("module")
    module.__all__ = ["sin", "sinh", "exp", "other", "pi"]
    for name in module.__all__[:-1]:
        function = eval("lambda: None")
        function.__module__ = "autotrace.waves" if name.startswith("sin") else "autotrace.rest"
        setattr(module, name, function)
    module.pi = 3.0
    wanted = grouping.read_groups(["Hyperbolic: *h", "Waves: .waves", "Growth: exp s*"])
    assert grouping.group(module, wanted) == {
        "Hyperbolic": ["sinh"],
        "Waves": ["sin"],
        "Growth": ["exp"],
        "More": ["other"],
        "As they are in NumPy and SciPy": ["pi"],
    }


def test_pages_that_are_about_a_namespace_are_there() -> None:
    about = runpy.run_path(str(DOCS / "conf.py"))["autolink_namespaces"]
    for page, names in about.items():
        assert (DOCS / f"{page}.md").is_file()
        for name in names:
            assert name in NAMESPACES or pkgutil.resolve_name(name)
