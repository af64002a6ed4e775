"""Loops whose reverse mode keeps few states and computes the others again: checkpointed_scan."""

from __future__ import annotations

from collections.abc import Callable
from operator import index as as_int
from typing import Any

from ..core import tree
from ..core.avals import ShapedArray, make_aval
from ..core.errors import located
from ..core.jaxpr import Jaxpr
from ..core.primitive import innermost_staging
from ..core.trace import get_aval
from ..transforms.evaluate import eval_jaxpr
from ..transforms.stage import as_numpy, stage
from .bodies import Shape
from .calls import call_whole
from .checkpointing import checkpoint_p, nothing_saveable
from .functions import flatten_operands
from .scanning import carried_function, element_of, length_of, scan_p
from .slicing import concatenate, slice_in_dim
from .structural import reshape

#: Into how many parts a stretch of turns is split at most, where the number of levels is not given.
_PARTS = 16


def checkpointed_scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    *,
    levels: int | None = None,
) -> tuple[Any, Any]:
    """A ``scan`` whose reverse mode keeps a few of the carries and computes the others again.

    Reverse mode of ``scan`` keeps what it needs of each turn. Here the turns are divided into
    stretches, each of these into stretches again, and so on for a number of levels. Only the carry
    at the start of each stretch is kept, and of stretches within stretches only as long as
    reverse mode is within the outer one (Griewank and Walther 2000 have the general theory; all
    stretches of a level are of the same length here, and what is left over is one more). For ``n``
    turns and ``k`` levels that is

    - at most ``k * (n**(1/k) + 2)`` carries, and what the body needs for about ``n**(1/k)`` turns;
    - at most ``k`` evaluations of each turn, beside those of the derivative itself.

    ======  =========================  =========================
    levels  1,000,000 turns: carries   evaluations of each turn
    ======  =========================  =========================
    1       as ``scan``                1
    2       2,000                      2
    3       300                        3
    5       80                         5
    ======  =========================  =========================

    The figures are of reverse mode; the loop itself and forward mode are those of ``scan``.
    ``docs/control_flow.md`` says when it pays.

    Args:
      f: from a carry and an element ``x`` to a pair of the next carry and an output, as for
        ``scan``. Under ``checkpoint`` it keeps nothing but carries.
      init: the first carry.
      xs: arrays of shape ``(n, ...)``; None for none.
      length: ``n``, where there are no arrays to tell.
      reverse: go from the last element to the first.
      levels: how often the turns are divided. When None, as often as it takes for 16 parts at most
        in each level: carries in proportion to the logarithm of ``n``.

    Returns:
      The last carry, and the outputs stacked to shape ``(n, ...)``.

    Raises:
      TypeError: when the carry changes its structure, a shape or a dtype.
      ValueError: when lengths differ, none is known, or ``levels`` is not positive.

    >>> from autotrace import grad, lax
    >>> def f(x):
    ...     return lax.checkpointed_scan(lambda c, _: (c * 1.001, None), x, length=1000)[0]
    >>> round(float(f(2.0)), 6), round(float(grad(f)(2.0)), 6)
    (5.433848, 2.716924)
    """
    what = "checkpointed_scan"
    elements, xs_tree = flatten_operands(xs, f"{what}: xs")
    turns = length_of(elements, xs, length, what)
    if levels is not None and as_int(levels) < 1:
        raise ValueError(located(f"{what}: levels must be a positive integer, got {levels}"))
    depth = _depth(turns) if levels is None else as_int(levels)
    avals = [element_of(get_aval(x)) for x in elements]
    function, _, carry = carried_function(f, what, init, [xs_tree], avals, pair=True)
    shape = Shape(len(function.closed), len(carry))
    jaxpr = _divided(function.jaxpr, shape, turns, bool(reverse), depth)
    operands = [as_numpy(x) for x in (*function.closed, *carry, *elements)]
    if innermost_staging() is not None:
        outs = eval_jaxpr(jaxpr, operands)
    else:
        outs = call_whole(jaxpr, operands, what)
    return tree.unflatten(function.out_tree, outs)


def _depth(turns: int) -> int:
    depth = 1
    while _PARTS**depth < turns:
        depth += 1
    return depth


def _parts(turns: int, depth: int) -> int:
    """The least number whose power is no less than the number of turns."""
    parts = max(int(turns ** (1 / depth)) - 1, 1)
    while parts**depth < turns:
        parts += 1
    return parts


def _divided(body: Jaxpr, shape: Shape, turns: int, reverse: bool, depth: int) -> Jaxpr:
    """Some turns of a loop as a program, which has the inputs and outputs of the loop's body with
    a further leading axis in its elements and in its own outputs."""
    if depth == 1 or turns <= 1:
        return _looped(body, shape, turns, reverse)
    parts = _parts(turns, depth)
    size, left = turns // parts, turns % parts
    outer = _looped(
        _recomputed(_divided(body, shape, size, reverse, depth - 1)), shape, parts, reverse
    )
    rest = _recomputed(_looped(body, shape, left, reverse))
    first = left if reverse else turns - left  # where the elements are cut in two

    def run(*values: Any) -> list[Any]:
        consts, carry, elements = shape.split(values)
        cut = [[slice_in_dim(x, 0, first), slice_in_dim(x, first, turns)] for x in elements]
        main = [reshape(pair[reverse], (parts, size, *pair[0].shape[1:])) for pair in cut]
        outs = eval_jaxpr(outer, [*consts, *carry, *main])
        stacks = [reshape(y, (parts * size, *y.shape[2:])) for y in outs[shape.carry :]]
        carry = outs[: shape.carry]
        if not left:
            return [*carry, *stacks]
        outs = eval_jaxpr(rest, [*consts, *carry, *(pair[not reverse] for pair in cut)])
        pairs = zip(stacks, outs[shape.carry :], strict=True)
        ordered = [pair[::-1] if reverse else pair for pair in pairs]
        return [*outs[: shape.carry], *(concatenate(pair, 0) for pair in ordered)]

    return stage(run, _with_axis(body, shape, turns), "checkpointed_scan")


def _looped(body: Jaxpr, shape: Shape, turns: int, reverse: bool) -> Jaxpr:
    params = {"jaxpr": body, "shape": shape, "length": turns, "reverse": reverse}
    avals = _with_axis(body, shape, turns)
    return stage(lambda *xs: scan_p.bind(*xs, **params), avals, "checkpointed_scan")


def _recomputed(jaxpr: Jaxpr) -> Jaxpr:
    params = {"jaxpr": jaxpr, "policy": nothing_saveable, "name": "checkpointed_scan"}
    return stage(lambda *xs: checkpoint_p.bind(*xs, **params), jaxpr.in_avals, "checkpointed_scan")


def _with_axis(body: Jaxpr, shape: Shape, turns: int) -> list[ShapedArray]:
    consts, carry, elements = shape.split(body.in_avals)
    return [*consts, *carry, *(make_aval((turns, *a.shape), a.dtype) for a in elements)]
