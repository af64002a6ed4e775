"""What is packaged: each folder of the tree, under one version."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import autotrace as at

pytestmark = pytest.mark.source_tree
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_listed(project):
    """A list, and not setuptools' finder: that cannot say that ``kernels`` is a package's part."""
    folders = {
        f"{name}{'.' if below.parts else ''}{'.'.join(below.parts)}"
        for name, folder in (("autotrace", "autotrace"), ("autotrace.kernels", "kernels"))
        for below in (p.parent.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*.py"))
    }
    listed = project["tool"]["setuptools"]["packages"]
    assert listed == sorted(folders), "pyproject.toml: packages lists each folder, in order"
    for name in listed:
        folder = name.replace("autotrace.kernels", "kernels").replace(".", "/")
        assert (ROOT / folder / "__init__.py").is_file(), folder


def test_the_version_has_one_source(project):
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "autotrace.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", at.__version__)
    assert metadata.version("autotrace") == at.__version__


def test_the_changelog_has_the_version():
    """The newest section is this version's, dated or unreleased; those below it are dated."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    found = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d|Unreleased)", h) for h in heads]
    assert all(found), heads
    versions = [tuple(map(int, match[1].split("."))) for match in found]
    assert versions == sorted(versions, reverse=True)
    assert found[0][1] == at.__version__
    assert all(match[2] != "Unreleased" for match in found[1:])
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_types_are_shipped(project):
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["autotrace"]
    assert (ROOT / "autotrace" / "py.typed").is_file()
