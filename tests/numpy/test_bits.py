from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees

import autotrace as at

RNG = np.random.default_rng(9)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("bitorder", ["big", "little"])
def test_packing(axis, bitorder):
    for shape in ((3, 8), (10, 5), (2, 0)):
        for dtype in ("?", "i", "B"):
            x = RNG.integers(0, 2, shape).astype(dtype) * (1 if dtype == "?" else 7)
            agrees(lambda a: np.packbits(a, axis=axis, bitorder=bitorder), x.astype(dtype))
        y = RNG.integers(0, 256, shape, np.uint8)
        for count in (None, 0, 3, 16, 90, -3):
            if shape[1] or not count:  # of nothing NumPy unpacks what memory has in it
                agrees(
                    lambda a, c=count: np.unpackbits(a, axis=axis, count=c, bitorder=bitorder), y
                )


def test_errors():
    with pytest.raises(TypeError, match="integer or boolean"):
        at.jit(np.packbits)(np.ones(3))
    with pytest.raises(TypeError, match="unsigned byte"):
        at.jit(np.unpackbits)(np.ones(3, int))
    with pytest.raises(ValueError, match="order"):
        at.jit(lambda x: np.packbits(x, bitorder="middle"))(np.ones(3, int))
    with pytest.raises(ValueError, match="larger than the number"):
        at.jit(lambda x: np.unpackbits(x, count=-20))(np.ones(2, np.uint8))
