"""Running folds by an associative function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core import tree
from ..core.errors import located
from ..core.trace import get_aval
from .cumulative import check_axis
from .slicing import concatenate, index_in_dim, rev, slice_in_dim
from .structural import array, expand_dims, reshape


def associative_scan(
    fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """Combine each element along an axis with all before it, by an associative function.

    For a sequence of ``n`` elements ``fn`` is called about ``2 log2(n)`` times, on parts of the
    whole arrays (after Blelloch 1990), and does about twice the work of going one by one. Its
    derivative, in every mode, is that of what it is made of. For sums, products and extrema
    ``cumsum`` and its like are faster.

    Args:
      fn: associative; takes two pytrees of arrays like ``elems``, of the same number of elements
        along ``axis`` whatever that is, and combines them element by element. It need not be
        commutative: its first argument comes before its second one.
      elems: an array or a pytree of arrays, of one size along ``axis``.
      reverse: whether to go from the end to the start; then the first argument of ``fn`` is the
        one nearer to the end.
      axis: the axis to go along.

    Returns:
      Like ``elems``; element ``n`` combines the elements ``0`` to ``n`` (the last to ``n``, in
      reverse).

    Raises:
      TypeError: when sizes or what ``fn`` returns do not fit, or there is no such axis.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> lax.associative_scan(np.logaddexp, np.zeros(4)).round(6)
    array([0.      , 0.693147, 1.098612, 1.386294])

    A recurrence ``h[n] = a[n] * h[n-1] + b[n]`` combines affine maps:

    >>> def after(first, second):
    ...     (a, b), (c, d) = first, second
    ...     return a * c, b * c + d
    >>> a, b = np.array([9.0, 0.5, 0.5]), np.array([8.0, 0.0, 1.0])
    >>> lax.associative_scan(after, (a, b))[1]
    array([8., 4., 3.])
    >>> at.grad(lambda b: lax.associative_scan(after, (a, b))[1][-1])(b)
    array([0.25, 0.5 , 1.  ])
    """
    leaves, structure = tree.flatten(elems)
    if not leaves:
        return elems
    xs = [array(x) for x in leaves]
    axes = [check_axis("associative_scan", axis, x.ndim) for x in xs]
    sizes = {x.shape[a] for x, a in zip(xs, axes, strict=True)}
    if len(sizes) != 1:
        raise TypeError(
            located(
                f"associative_scan takes arrays of one size along axis {axis}, got "
                f"{', '.join(str(get_aval(x)) for x in xs)}"
            )
        )
    scan = _Scan(fn, structure, axes)
    if reverse:
        xs = [rev(x, (a,)) for x, a in zip(xs, axes, strict=True)]
    outs = scan.run(xs, sizes.pop())
    if reverse:
        outs = [rev(x, (a,)) for x, a in zip(outs, axes, strict=True)]
    return tree.unflatten(structure, outs)


class _Scan:
    """The user's function, on lists of arrays, and the axis of each."""

    def __init__(self, fn: Callable, structure: tree.TreeDef, axes: Sequence[int]):
        self.fn = fn
        self.structure = structure
        self.axes = axes

    def part(self, xs: Sequence[Any], start: int, stop: int, step: int = 2) -> list[Any]:
        return [slice_in_dim(x, start, stop, step, a) for x, a in zip(xs, self.axes, strict=True)]

    def combine(self, xs: Sequence[Any], ys: Sequence[Any]) -> list[Any]:
        pair = (tree.unflatten(self.structure, xs), tree.unflatten(self.structure, ys))
        outs, found = tree.flatten(self.fn(*pair))
        given, made = [get_aval(x).strong() for x in xs], [get_aval(o).strong() for o in outs]
        if found != self.structure or made != given:
            raise TypeError(
                located(
                    "associative_scan: fn must return what it takes two of, "
                    f"{', '.join(map(str, given))} in the structure {self.structure}; it returned "
                    f"{', '.join(map(str, made))} in {found}"
                )
            )
        return [array(o) for o in outs]

    def run(self, xs: list[Any], size: int) -> list[Any]:
        """All running folds: those up to odd places are those of neighbours combined, and those
        up to even places take one element more."""
        if size < 2:
            return xs
        end = size - size % 2
        odd = self.run(self.combine(self.part(xs, 0, end), self.part(xs, 1, end)), size // 2)
        first = self.part(xs, 0, 1)
        if size == 2:
            return [concatenate(pair, a) for *pair, a in zip(first, odd, self.axes, strict=True)]
        before = self.part(odd, 0, (size - 1) // 2, 1)
        later = self.combine(before, self.part(xs, 2, size))
        even = [concatenate(pair, a) for *pair, a in zip(first, later, self.axes, strict=True)]
        return [self.interleave(*both) for both in zip(even, odd, self.axes, strict=True)]

    @staticmethod
    def interleave(even: Any, odd: Any, axis: int) -> Any:
        """The elements of two arrays by turns; the first may have one more."""
        count = odd.shape[axis]
        pairs = [expand_dims(slice_in_dim(x, 0, count, 1, axis), (axis + 1,)) for x in (even, odd)]
        shape = (*odd.shape[:axis], 2 * count, *odd.shape[axis + 1 :])
        turns = reshape(concatenate(pairs, axis + 1), shape)
        if even.shape[axis] == count:
            return turns
        return concatenate([turns, index_in_dim(even, count, axis)], axis)
