"""Where an array's elements lie in a buffer: an affine map from indices to positions.

Broadcasts, transposes, slices, reversals and most reshapes change only this map, so a kernel reads
through them in place.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple


class View(NamedTuple):
    """Element ``(i0, i1, ...)`` lies at ``offset + i0*strides[0] + i1*strides[1] + ...``,
    counted in elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def is_in_order(self) -> bool:
        """Whether it is the view of a C-order buffer, so far as its elements tell: a dimension of
        one element may have any stride."""
        if self.offset:
            return False
        step = 1
        for n, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n != 1 and stride != step:
                return False
            step *= n
        return True

    def broadcast(self, shape: Sequence[int], dims: Sequence[int]) -> View:
        strides = [0] * len(shape)
        for dim, size, stride in zip(dims, self.shape, self.strides, strict=True):
            strides[dim] = stride if size == shape[dim] else 0
        return View(tuple(shape), tuple(strides), self.offset)

    def transpose(self, permutation: Sequence[int]) -> View:
        shape = tuple(self.shape[d] for d in permutation)
        return View(shape, tuple(self.strides[d] for d in permutation), self.offset)

    def slice(self, starts: Sequence[int], shape: Sequence[int], steps: Sequence[int]) -> View:
        offset = self.offset + sum(a * s for a, s in zip(starts, self.strides, strict=True))
        strides = tuple(s * k for s, k in zip(self.strides, steps, strict=True))
        return View(tuple(shape), strides, offset)

    def windows(
        self,
        places: Sequence[int],
        window: Sequence[int],
        strides: Sequence[int],
        dilation: Sequence[int],
    ) -> View:
        """For each place of a window its elements: those of several may be the same."""
        moving = [s * k for s, k in zip(self.strides, strides, strict=True)]
        within = [s * k for s, k in zip(self.strides, dilation, strict=True)]
        return View((*places, *window), (*moving, *within), self.offset)

    def reverse(self, dims: Sequence[int]) -> View:
        offset = self.offset + sum((self.shape[d] - 1) * self.strides[d] for d in dims)
        strides = tuple(-s if d in dims else s for d, s in enumerate(self.strides))
        return View(self.shape, strides, offset)

    def reshape(self, shape: Sequence[int]) -> View | None:
        """The view under another shape, None where it is not affine.

        Both shapes are cut into the shortest runs of dimensions with equal products; within a run
        the old dimensions must lie evenly, so that they count as one.
        """
        shape = tuple(shape)
        if 0 in shape:
            return View(shape, (0,) * len(shape), self.offset)
        old = [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n != 1]
        strides = [0] * len(shape)
        new = [d for d, n in enumerate(shape) if n != 1]
        while new:
            run, here = [old.pop()], [new.pop()]
            while (a := math.prod(n for n, _ in run)) != (b := math.prod(shape[d] for d in here)):
                if a < b:
                    run.append(old.pop())
                else:
                    here.append(new.pop())
            for (n, s), (_, outer) in itertools.pairwise(run):
                if outer != n * s:
                    return None
            step = run[0][1]
            for d in here:
                strides[d] = step
                step *= shape[d]
        return View(shape, tuple(strides), self.offset)


def contiguous(shape: Sequence[int]) -> View:
    """The view of a C-order buffer."""
    strides = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return View(tuple(shape), tuple(reversed(strides)))
