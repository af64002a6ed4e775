from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives

import autotrace as at

X = np.random.default_rng(4).standard_normal((3, 4))
WIDTHS = [2, (1, 3), [(7, 0), (1, 9)]]
MODES = {
    "linear_ramp": ({}, {"end_values": 3}, {"end_values": [(1, 2), (3, 4)]}),
    "maximum": ({}, {"stat_length": 2}, {"stat_length": [(1, 2), (9, 1)]}),
    "minimum": ({}, {"stat_length": 2}),
    "mean": ({}, {"stat_length": (2, 3)}),
    "median": ({}, {"stat_length": 2}),
    "reflect": ({"reflect_type": "odd"}, {"reflect_type": "even"}),
    "symmetric": ({"reflect_type": "odd"},),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", WIDTHS, ids=str)
def test_modes(mode, width):
    for options in MODES[mode]:
        for x in (X, (100 * X).astype("i"), X[:1]) if options else (X, X.astype("f")):
            agrees(lambda a, o=options: np.pad(a, width, mode=mode, **o), x, rtol=1e-14)
    derives(lambda a: np.pad(a, width, mode=mode, **options), X)


def test_ends_may_be_traced():
    derives(lambda a, e: np.pad(a, 2, mode="linear_ramp", end_values=e), X, np.array(0.7))


def test_a_function():
    def ends(row, width, axis, kwargs):
        row[: width[0]] = kwargs["value"] * row[width[0]]
        if width[1]:
            row[-width[1] :] = axis

    agrees(lambda a: np.pad(a, (1, 2), ends, value=2.0), X)
    derives(lambda a: np.pad(a, (1, 2), ends, value=2.0), X)


def test_errors():
    with pytest.raises(ValueError, match="unsupported keyword arguments"):
        at.jit(lambda a: np.pad(a, 1, mode="edge", end_values=2))(X)
    with pytest.raises(ValueError, match="stat_length of 0"):
        at.jit(lambda a: np.pad(a, 1, mode="maximum", stat_length=0))(X)
    with pytest.raises(ValueError, match="empty axis"):
        at.jit(lambda a: np.pad(a, 1, mode="mean"))(X[:0])
    with pytest.raises(ValueError, match="negative"):
        at.jit(lambda a: np.pad(a, -1))(X)
    with pytest.raises(TypeError, match="integral"):
        at.jit(lambda a: np.pad(a, 1.5))(X)
