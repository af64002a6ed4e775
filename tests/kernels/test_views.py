"""autotrace.kernels.views against NumPy's own views of an array of positions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from autotrace.kernels.views import View, contiguous
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=300, deadline=None)


def positions(view: View) -> np.ndarray:
    """The position of each element, from the definition."""
    at = np.full(view.shape, view.offset)
    for d, stride in enumerate(view.strides):
        line = np.arange(view.shape[d]).reshape([-1 if e == d else 1 for e in range(at.ndim)])
        at = at + stride * line
    return at


def shapes_of(size: int):
    """Shapes of so many elements, with some dimensions of one element."""

    @st.composite
    def build(draw):
        left, shape = size, []
        while left != 1 and draw(st.booleans()):
            n = draw(st.sampled_from([k for k in range(1, left + 1) if left % k == 0]))
            shape.append(n)
            left //= n
        if left != 1:
            shape.append(left)
        for _ in range(draw(st.integers(0, 2))):
            shape.insert(draw(st.integers(0, len(shape))), 1)
        return tuple(draw(st.permutations(shape)))

    return build()


def change(draw, view: View, right: np.ndarray) -> tuple[View | None, np.ndarray]:
    """One shape change, of a view and of the array of its elements."""
    shape = view.shape
    kinds = ["transpose", "slice", "reverse", "reshape"]
    kinds += ["broadcast"] if right.size <= 2000 else []
    # A window of half a dimension squares the number of elements.
    kinds += ["windows"] if 0 < right.size <= 200 else []
    kind = draw(st.sampled_from(kinds))
    if kind == "broadcast":
        rank = draw(st.integers(len(shape), max(len(shape), min(len(shape) + 2, 5))))
        dims = sorted(draw(st.permutations(range(rank)))[: len(shape)])
        target = [draw(st.integers(1, 3)) for _ in range(rank)]
        for d, n in zip(dims, shape, strict=True):
            target[d] = target[d] if n == 1 else n
        spread = right.reshape([shape[dims.index(d)] if d in dims else 1 for d in range(rank)])
        return view.broadcast(target, dims), np.broadcast_to(spread, target)
    if kind == "transpose":
        order = draw(st.permutations(range(len(shape))))
        return view.transpose(order), right.transpose(order)
    if kind == "slice":
        parts = []
        for n in shape:
            start = draw(st.integers(0, n))
            parts.append(slice(start, draw(st.integers(start, n)), draw(st.integers(1, 3))))
        made = right[tuple(parts)]
        view = view.slice([p.start for p in parts], made.shape, [p.step for p in parts])
        return view, made
    if kind == "windows":
        window = [draw(st.integers(1, n)) for n in shape]
        dilation = [draw(st.integers(1, 2)) for _ in shape]
        window = [(w - 1) // d + 1 for w, d in zip(window, dilation, strict=True)]
        spans = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
        strides = [draw(st.integers(1, 3)) for _ in shape]
        seen = np.lib.stride_tricks.sliding_window_view(right, spans) if shape else right
        made = seen[tuple(slice(None, None, s) for s in (*strides, *dilation))]
        return view.windows(made.shape[: len(shape)], window, strides, dilation), made
    if kind == "reverse":
        dims = [d for d in range(len(shape)) if draw(st.booleans())]
        return view.reverse(dims), np.flip(right, dims)
    size = math.prod(shape)
    target = draw(shapes_of(size)) if size else draw(st.permutations(shape))
    return view.reshape(target), right.reshape(target)


@SETTINGS
@given(st.data())
def test_chains(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 6), max_size=4)))
    view = contiguous(shape)
    right = np.arange(math.prod(shape)).reshape(shape)
    for _ in range(data.draw(st.integers(1, 6))):
        made, right = change(data.draw, view, right)
        if made is None:
            return
        view = made
        assert view.shape == right.shape
        np.testing.assert_array_equal(positions(view), right)
        in_order = np.array_equal(right.ravel(), np.arange(right.size))
        assert not right.size or view.is_in_order == in_order


def affine(right: np.ndarray) -> bool:
    """Whether any strides give these positions."""
    if not right.size:
        return True
    at = np.full(right.shape, right.flat[0])
    for d, n in enumerate(right.shape):
        if n > 1:
            step = np.take(right, 1, d).flat[0] - right.flat[0]
            at = at + step * np.arange(n).reshape([-1 if e == d else 1 for e in range(right.ndim)])
    return np.array_equal(at, right)


@SETTINGS
@given(st.data())
def test_reshape_finds_a_view_where_there_is_one(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 6), max_size=4)))
    view = contiguous(shape)
    for _ in range(data.draw(st.integers(0, 4))):
        made, _ = change(data.draw, view, positions(view))
        view = made or view
    right = positions(view)
    target = data.draw(shapes_of(right.size)) if right.size else right.shape[::-1]
    made, right = view.reshape(target), right.reshape(target)
    assert (made is not None) == affine(right)
    if made is not None:
        assert made.shape == right.shape
        np.testing.assert_array_equal(positions(made), right)


@pytest.mark.parametrize(
    ("view", "shape", "strides"),
    [
        (View((6,), (-2,), 10), (2, 3), (-6, -2)),
        (View((3, 2), (0, 0)), (2, 3), (0, 0)),
        (View((4, 3), (3, 1)), (2, 6), (6, 1)),
        (View((2, 1, 3), (3, 99, 1)), (6,), (1,)),
        (View((2, 3), (1, 2)), (6,), None),
        (View((2, 3), (0, 1)), (6,), None),
        (View((), (), 7), (1, 1), (0, 0)),
    ],
)
def test_reshape(view, shape, strides):
    made = view.reshape(shape)
    assert made == (None if strides is None else View(shape, strides, view.offset))
