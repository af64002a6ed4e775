"""The pictures of the design page show the library as it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

import pytest
import test_layers

pytest.importorskip("numba")
pytestmark = pytest.mark.source_tree
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"


@pytest.fixture(scope="module")
def draw():
    spec = importlib.util.spec_from_file_location("draw_pictures", FOLDER / "draw.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["pipeline.svg", "layers.svg", "call.svg"])
def test_picture_is_true(draw, name):
    drawn = draw.PICTURES[name]()
    ElementTree.fromstring(drawn)
    kept = (FOLDER / name).read_text(encoding="utf-8")
    assert drawn == kept, "python docs/pictures/draw.py draws it anew"


def test_every_picture_is_tested(draw):
    assert set(draw.PICTURES) == {"pipeline.svg", "layers.svg", "call.svg"}


def test_layers_are_those_that_are_tested(draw):
    assert list(draw.LAYERS) == test_layers.LAYERS


def test_the_compiler_has_the_modules(draw):
    kernels = FOLDER.parent.parent / "kernels"
    there = {p.stem for p in kernels.iterdir()}
    assert set(draw.COMPILER) <= there
