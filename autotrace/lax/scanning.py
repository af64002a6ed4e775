"""Loops over the elements of arrays: scan."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from operator import index as as_int
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray, make_aval
from ..core.config import config
from ..core.errors import located
from ..core.jaxpr import Eqn, Jaxpr, sub_jaxprs
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..core.trace import get_aval
from ..core.tree import TreeDef
from ..transforms.backends import compile_jaxpr
from ..transforms.batch import Axis
from ..transforms.derived import batched, scatter_outputs
from ..transforms.simplify import View
from ..transforms.stage import live_eqns, stage
from .arithmetic import convert_element_type
from .bodies import (
    Shape,
    batch_flags,
    batched_body,
    chosen,
    filled,
    filled_parts,
    forward_body,
    linear_body,
    linear_flags,
    present,
    rearranged,
    tangent_flags,
    transposed_body,
)
from .families import add_p
from .functions import (
    Function,
    as_function,
    bind_whole,
    check_same,
    first_of_pair,
    flatten_operands,
    name_of,
)
from .loop_passes import prune_scan, simplify_scan
from .structural import batched_at, move_axis

scan_p = Primitive("scan", multiple_results=True, noted=True)

_CARRY_REMEDY = (
    "What to do: have the function return the carry with the shapes and dtypes that it gets; "
    "x.astype(...) or another initial value may serve."
)

_PAIR_REMEDY = "What to do: return (carry, None) where there is no output."


def carried_function(
    fun: Callable,
    what: str,
    init: Any,
    trees: Sequence[TreeDef] = (),
    rest: Sequence[ShapedArray] = (),
    pair: bool = False,
    guarded: bool = False,
) -> tuple[Function, TreeDef, list[Any]]:
    """Stage the body of a loop, with the initial carry in the dtypes that it keeps.

    A number of Python's that is carried takes on the dtype that the body gives it.

    Args:
      fun: the body, a function of the carry and of further arguments.
      init: the initial carry.
      trees, rest: the structures of the further arguments, and the avals of their leaves.
      pair: whether the body returns a pair of carry and output, not the carry alone.
      guarded: whether it may never run; see ``as_function``.

    Returns:
      The body, and the structure and the leaves of the initial carry.
    """
    leaves, carry_tree = flatten_operands(init, f"{what}: the initial carry")
    avals = [get_aval(x) for x in leaves]
    for _ in range(len(leaves) + 1):
        function = as_function(fun, what, [carry_tree, *trees], [*avals, *rest], guarded)
        out_tree, outs = function.out_tree, function.jaxpr.out_avals
        if pair:
            name = f"{what}: {name_of(fun)}"
            out_tree, outs = first_of_pair(function, name, "carry, output", _PAIR_REMEDY)
        weak = [
            a.weak_type and a.dtype != b.dtype and a.dtype.kind != "b" and a.shape == b.shape
            for a, b in zip(avals, outs, strict=False)
        ]
        if out_tree != carry_tree or not any(weak):
            break
        leaves = [
            convert_element_type(x, b.dtype) if w else x
            for x, b, w in zip(leaves, outs, weak, strict=True)
        ]
        avals = [get_aval(x) for x in leaves]
    check_same(
        f"{what}: the carry that {name_of(fun)} gets and the one that it returns",
        (carry_tree, avals),
        (out_tree, outs),
        _CARRY_REMEDY,
    )
    return function, carry_tree, leaves


def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Loop over the leading axis of arrays, carrying something along.

    In Python::

        carry, ys = init, []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, np.stack(ys)

    Args:
      f: from a carry and an element ``x`` to a pair of the next carry, of the same structure,
        shapes and dtypes, and an output ``y``; all are pytrees of arrays, ``None`` among them.
      init: the first carry.
      xs: arrays of shape ``(n, ...)``; None for none.
      length: ``n``, where there are no arrays to tell.
      reverse: go from the last element to the first; ``ys[i]`` still belongs to ``xs[i]``.
      unroll: a positive integer or a bool, taken for compatibility: the compiler decides for
        itself.

    Returns:
      The last carry, and the outputs stacked to shape ``(n, ...)``.

    Raises:
      TypeError: when the carry changes its structure, a shape or a dtype.
      ValueError: when lengths differ, or none is known; when ``unroll`` is not positive.

    >>> import numpy as np
    >>> from autotrace import lax
    >>> total, sums = lax.scan(lambda c, x: (c + x, c + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(total), sums
    (6.0, array([1., 3., 6.]))
    """
    check_unroll(unroll, "scan")
    return scan_as("scan", f, init, xs, length, reverse)


def check_unroll(unroll: Any, what: str) -> None:
    """Raise where it is not what JAX takes; a loop is unrolled as the compiler likes."""
    if isinstance(unroll, bool | np.bool_):
        return
    wanted = f"{what}: unroll must be a positive integer or a bool, got {unroll!r:.40}"
    if not hasattr(unroll, "__index__"):
        raise TypeError(located(wanted))
    if as_int(unroll) < 1:
        raise ValueError(located(wanted))


def scan_as(
    what: str, f: Callable, init: Any, xs: Any, length: int | None, reverse: bool = False
) -> tuple[Any, Any]:
    """``scan``, called by another name in messages."""
    elements, xs_tree = flatten_operands(xs, f"{what}: xs")
    length = length_of(elements, xs, length, what)
    avals = [element_of(get_aval(x)) for x in elements]
    function, _, carry = carried_function(
        f, what, init, [xs_tree], avals, pair=True, guarded=not length
    )
    params = {
        "jaxpr": function.jaxpr,
        "shape": Shape(len(function.closed), len(carry)),
        "length": length,
        "reverse": bool(reverse),
    }
    outs = bind_whole(scan_p, [*function.closed, *carry, *elements], params)
    return tree.unflatten(function.out_tree, outs)


def length_of(elements: Sequence[Any], xs: Any, length: int | None, what: str) -> int:
    """The common length of the leading axes of arrays, which has to be ``length`` where that is
    given."""
    found: int | None = None if length is None else as_int(length)
    if found is not None and found < 0:
        raise ValueError(located(f"{what}: length must not be negative, got {length}"))
    paths = tree.leaves_with_path(xs)
    for (path, _), x in zip(paths, elements, strict=True):
        aval = get_aval(x)
        if not aval.shape:
            raise ValueError(
                located(f"{what}: xs{tree.keystr(path)} must have a leading axis, got {aval}")
            )
        if found is None:
            found = aval.shape[0]
        if aval.shape[0] != found:
            wanted = f"length={length}" if length is not None else f"{found} of another array"
            raise ValueError(
                located(
                    f"{what}: the leading axis of xs{tree.keystr(path)}, of {aval}, does not fit "
                    f"{wanted}"
                )
            )
    if found is None:
        raise ValueError(located(f"{what}: without arrays in xs it needs a length"))
    return found


def element_of(aval: ShapedArray) -> ShapedArray:
    """The type of an array's elements along its leading axis."""
    return make_aval(aval.shape[1:], aval.dtype)


def _stacked(aval: ShapedArray, length: int) -> ShapedArray:
    return make_aval((length, *aval.shape), aval.dtype)


def run_turns(
    jaxpr: Jaxpr,
    consts: Sequence[Any],
    carry: Sequence[Any],
    elements: Sequence[Any],
    length: int,
    reverse: bool,
) -> tuple[list[Any], list[Any]]:
    """Run a loop turn by turn: the last carry and the stacked outputs."""
    body = compile_jaxpr(jaxpr, config.backend)
    count = len(carry)
    outs = [np.empty((length, *a.shape), a.dtype) for a in jaxpr.out_avals[count:]]
    carry = list(carry)
    turns = range(length)
    for i in reversed(turns) if reverse else turns:
        made = body(*consts, *carry, *(x[i] for x in elements))
        # What a turn returns may be its input, a view, or memory that the next turn writes to.
        carry = [np.array(x) if isinstance(x, np.ndarray) else x for x in made[:count]]
        for stack, x in zip(outs, made[count:], strict=True):
            stack[i] = x
    return carry, outs


@scan_p.def_impl
def _scan_impl(*args: Any, jaxpr: Jaxpr, shape: Shape, length: int, reverse: bool) -> list[Any]:
    carry, outs = run_turns(jaxpr, *shape.split(args), length, reverse)
    return [*carry, *outs]


@scan_p.def_abstract
def _scan_abstract(
    *avals: ShapedArray, jaxpr: Jaxpr, shape: Shape, length: int, reverse: bool
) -> list[ShapedArray]:
    consts, carry, elements = shape.split(avals)
    for given, wanted in zip(
        [*consts, *carry, *map(element_of, elements)], jaxpr.in_avals, strict=True
    ):
        if given.shape != wanted.shape or given.dtype != wanted.dtype:
            raise TypeError(f"scan: its body takes {wanted}, got {given}")
    for before, after in zip(carry, jaxpr.out_avals[: shape.carry], strict=True):
        if before.shape != after.shape or before.dtype != after.dtype:
            raise TypeError(f"scan: its body gets the carry {before} and returns {after}")
    if any(x.shape[0] != length for x in elements):
        raise TypeError(f"scan: {length} turns over {elements}")
    outs = jaxpr.out_avals
    return [*outs[: shape.carry], *(_stacked(a, length) for a in outs[shape.carry :])]


@scan_p.def_jvp_call
def _scan_jvp(
    linear: bool,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    jaxpr: Jaxpr,
    shape: Shape,
    length: int,
    reverse: bool,
) -> tuple:
    loop = {"length": length, "reverse": reverse}
    if not any(present(tangents)):
        outs = scan_p.bind(*primals, jaxpr=jaxpr, shape=shape, **loop)
        return outs, [None] * len(outs)
    ins, outs_present = tangent_flags(jaxpr, shape, present(tangents), linear)
    given = filled_parts(shape, tangents, ins, primals)
    if not linear:
        both = forward_body(jaxpr, shape, ins, outs_present)
        operands = both.operands([*primals, *itertools.chain(*given)])
        made = scan_p.bind(*operands, jaxpr=both.jaxpr, shape=both.shape, **loop)
        return both.results(made)
    consts, _, elements = shape.split(primals)
    split = linear_body(jaxpr, shape, ins, outs_present)
    made = scan_p.bind(*primals, jaxpr=split.forward, shape=shape, **loop)
    count = len(jaxpr.outvars)
    parts = split.operands(consts, elements, made[count:], given)
    out_tangents = scan_p.bind(
        *itertools.chain(*parts), jaxpr=split.linear, shape=split.shape, **loop
    )
    return made[:count], scatter_outputs(out_tangents, outs_present)


@scan_p.def_transpose
def _scan_transpose(
    cts: Sequence[Any], *args: Any, jaxpr: Jaxpr, shape: Shape, length: int, reverse: bool
) -> list[Any]:
    loop = {"length": length, "reverse": reverse}
    given = tuple(isinstance(x, LinearInput) for x in args)
    is_linear = linear_flags(jaxpr, shape, given)
    consts, carry, elements = (list(part) for part in shape.split(args))
    carry_flags = shape.split(is_linear)[1]
    carry_cts, out_cts = cts[: shape.carry], cts[shape.carry :]
    if not all(carry_flags):
        known = _known_carry(args, is_linear, jaxpr, shape, loop)
        jaxpr, is_linear = _carry_as_elements(jaxpr, shape, is_linear)
        elements += known
        carry, carry_cts = chosen(carry, carry_flags), chosen(carry_cts, carry_flags)
        shape = Shape(shape.consts, len(carry))
    back = transposed_body(jaxpr, shape, is_linear, present(carry_cts), present(out_cts), True)
    const_flags, _, element_flags = shape.split(is_linear)
    known_consts = [x for x, flag in zip(consts, const_flags, strict=True) if not flag]
    known_elements = [x for x, flag in zip(elements, element_flags, strict=True) if not flag]
    sums = filled(
        [None] * len(back.consts), back.consts, chosen(jaxpr.in_avals[: shape.consts], const_flags)
    )
    starts = filled(carry_cts, back.carry, jaxpr.out_avals[: shape.carry])
    made = scan_p.bind(
        *known_consts,
        *sums,
        *starts,
        *known_elements,
        *(ct for ct in out_cts if ct is not None),
        jaxpr=back.jaxpr,
        shape=Shape(len(known_consts), len(sums) + len(starts)),
        length=length,
        reverse=not reverse,
    )
    count = len(made) - len(back.factors)
    found = scatter_outputs(made[:count], (*back.consts, *back.carry, *back.elements))
    stacks = dict(zip(back.factors, made[count:], strict=True))
    for number, terms in back.later.items():
        totals = [term.total([stacks[v] for v in term.factors]) for term in terms]
        found[number] = functools.reduce(add_p.bind, totals)
    rest = iter(found)
    by_input = [next(rest) if flag else None for flag in is_linear]
    spread = iter(by_input[: shape.consts + shape.carry])
    results = [next(spread) for _ in consts]
    results += [next(spread) if flag else None for flag in carry_flags]
    results += by_input[shape.consts + shape.carry :]
    return [r if flag else None for r, flag in zip(results, given, strict=False)]


def _known_carry(
    args: Sequence[Any], is_linear: Sequence[bool], jaxpr: Jaxpr, shape: Shape, loop: dict
) -> list[Any]:
    """What each turn of a scan begins with of what does not depend on what it is linear in."""
    known = [not flag for flag in is_linear]
    invars = chosen(jaxpr.invars, known)
    flags = shape.split(known)[1]
    before, after = chosen(shape.split(jaxpr.invars)[1], flags), chosen(jaxpr.outvars, flags)
    outvars = [*after, *before]
    eqns = live_eqns(jaxpr.eqns, outvars)
    body = Jaxpr(jaxpr.constvars, jaxpr.consts, invars, eqns, outvars)
    counts = Shape(sum(known[: shape.consts]), len(before))
    outs = scan_p.bind(*chosen(args, known), jaxpr=body, shape=counts, **loop)
    return outs[len(before) :]


def _carry_as_elements(
    jaxpr: Jaxpr, shape: Shape, is_linear: Sequence[bool]
) -> tuple[Jaxpr, tuple[bool, ...]]:
    """A body that takes as further elements what it carries and is not linear in."""
    consts, carry, elements = shape.split(range(len(jaxpr.invars)))
    order = [*consts, *(i for i in carry if is_linear[i]), *elements]
    order += [i for i in carry if not is_linear[i]]
    flags = shape.split(is_linear)[1]
    kept = [i for i, flag in enumerate(flags) if flag]
    outputs = [*kept, *range(shape.carry, len(jaxpr.outvars))]
    return rearranged(jaxpr, order, outputs), tuple(is_linear[i] for i in order)


@scan_p.def_simplify
def _scan_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    return simplify_scan(scan_p, args, params)


scan_p.def_prune(prune_scan)


@scan_p.def_batch
def _scan_batch(
    axis: Axis,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    jaxpr: Jaxpr,
    shape: Shape,
    length: int,
    reverse: bool,
) -> tuple:
    consts, carry, elements = (list(part) for part in shape.split(args))
    const_dims, carry_dims, element_dims = shape.split(dims)
    elements = [
        x if d is None else move_axis(x, d, 1) for x, d in zip(elements, element_dims, strict=True)
    ]
    inner = [None if d is None else 0 for d in element_dims]
    flags = batch_flags(jaxpr, shape, axis, [*const_dims, *carry_dims, *inner])
    carry = [batched_front(x, d, f, axis) for x, d, f in zip(carry, carry_dims, flags, strict=True)]
    ins = [*const_dims, *(0 if f else None for f in flags), *inner]
    found = batched(jaxpr, axis, tuple(ins))[1]
    front = [*flags, *(d is not None for d in found[shape.carry :])]
    outs = scan_p.bind(
        *consts,
        *carry,
        *elements,
        jaxpr=batched_body(jaxpr, axis, ins, front),
        shape=shape,
        length=length,
        reverse=reverse,
    )
    places = [0] * shape.carry + [1] * (len(outs) - shape.carry)
    return outs, [p if f else None for p, f in zip(places, front, strict=True)]


def batched_front(x: Any, dim: int | None, flag: bool, axis: Axis) -> Any:
    """A value with its batch dim in front where the flag says so, as it is where it does not."""
    return batched_at(x, dim, axis) if flag else x


def _collectives(params: dict) -> Iterator[Eqn]:
    """The operations over named axes in the jaxprs among an equation's parameters."""
    for jaxpr in sub_jaxprs(params):
        for eqn in jaxpr.eqns:
            if "axis_name" in eqn.params:
                yield eqn
            yield from _collectives(eqn.params)


def by_lanes(
    primitive: Primitive, axis: Axis, args: Sequence[Any], dims: Sequence[int | None], params: dict
) -> tuple[list[Any], list[int]]:
    """A batching rule for what takes another course in each lane: a loop over the lanes."""
    for eqn in _collectives(params):
        if eqn.params["axis_name"] == axis.name:
            raise NotImplementedError(
                located(
                    f"{eqn.primitive.name} over the axis {axis.name!r} in a {primitive.name} that "
                    "takes another course for each example: the others may never come there",
                    "What to do: have it outside; or compute both sides, and np.where for a choice "
                    "between them.",
                    eqn.location,
                )
            )
    flags = [d is not None for d in dims]
    consts = [x for x, flag in zip(args, flags, strict=True) if not flag]
    lanes = [move_axis(x, d, 0) for x, d in zip(args, dims, strict=True) if d is not None]

    def one(*values: Any) -> list[Any]:
        shared, own = iter(values[: len(consts)]), iter(values[len(consts) :])
        return primitive.bind(*(next(own) if f else next(shared) for f in flags), **params)

    avals = [*map(get_aval, consts), *(element_of(get_aval(x)) for x in lanes)]
    outs = scan_p.bind(
        *consts,
        *lanes,
        jaxpr=stage(one, [a.strong() for a in avals], "vmap"),
        shape=Shape(len(consts), 0),
        length=axis.size,
        reverse=False,
    )
    return outs, [0] * len(outs)
