"""Choices between functions: cond and switch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray, zeros_of
from ..core.config import config
from ..core.errors import located
from ..core.jaxpr import Jaxpr
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..core.trace import Tracer, get_aval
from ..transforms.backends import compile_jaxpr
from ..transforms.batch import Axis
from ..transforms.derived import batched, jvp_of, scatter_outputs, split_linear, transposed
from ..transforms.evaluate import eval_jaxpr
from ..transforms.simplify import Inline, View
from ..transforms.stage import stage
from .arithmetic import clamp, convert_element_type, ne
from .bodies import batched_body, chosen, completed, present, rearranged
from .families import BOOL
from .functions import (
    as_function,
    bind_whole,
    check_same,
    flatten_operands,
    with_all_closed,
)
from .indexing import INDEX
from .scanning import by_lanes
from .structural import array

#: In place of ``operand``: none was given.
_NONE: Any = object()

#: Runs one of several jaxprs of the same inputs and outputs, the others not at all.
cond_p = Primitive("cond", multiple_results=True, noted=True)


def cond(
    pred: Any, true_fun: Callable, false_fun: Callable, *operands: Any, operand: Any = _NONE
) -> Any:
    """Call one of two functions, depending on a value that may be traced.

    Args:
      pred: a scalar; not 0 counts as true.
      true_fun, false_fun: functions of the operands to pytrees of arrays of one structure, with
        the same shapes and dtypes. Both are traced, one of them runs.
      operands: pytrees of arrays.
      operand: the only operand, by another name.

    Returns:
      What the chosen function returns.

    Raises:
      TypeError: when ``pred`` is no scalar, or the functions' results differ in structure or type.

    >>> import numpy as np
    >>> from autotrace import grad, lax
    >>> f = lambda x: lax.cond(x > 0, lambda x: x**2, lambda x: -x, x)
    >>> float(f(3.0)), float(grad(f)(3.0)), float(grad(f)(-3.0))
    (9.0, 6.0, -1.0)
    """
    if operand is not _NONE:
        operands = (*operands, operand)
    pred = _scalar(pred, "cond: pred")
    if pred.dtype != BOOL:
        pred = ne(pred, pred.dtype.type(0))
    index = convert_element_type(pred, INDEX)
    named = {"true_fun": true_fun, "false_fun": false_fun}
    return _choose("cond", index, named, operands, (1, 0))


def switch(index: Any, branches: Sequence[Callable], *operands: Any, operand: Any = _NONE) -> Any:
    """Call one of several functions, depending on a number that may be traced.

    Args:
      index: an integer scalar; beyond the first or the last branch it counts as that one.
      branches: functions of the operands to pytrees of arrays of one structure, with the same
        shapes and dtypes.
      operands: pytrees of arrays.
      operand: the only operand, by another name.

    Returns:
      What the chosen function returns.

    Raises:
      TypeError: when ``index`` is no integer, or the functions' results differ.
      ValueError: without branches.

    >>> from autotrace import lax
    >>> float(lax.switch(1, [lambda x: x, lambda x: 2 * x, lambda x: 3 * x], 5.0))
    10.0
    """
    if operand is not _NONE:
        operands = (*operands, operand)
    named = {f"branches[{i}]": f for i, f in enumerate(branches)}
    if not named:
        raise ValueError(located("switch needs at least one branch"))
    index = _scalar(index, "switch: index")
    if index.dtype.kind not in "iu":
        raise TypeError(located(f"switch: index must be an integer, got {get_aval(index)}"))
    last = np.int64(len(named) - 1)
    if index.dtype == np.uint64:  # beyond int64 it counts as the last one
        index = clamp(np.uint64(0), index, np.uint64(last))
    index = clamp(np.int64(0), convert_element_type(index, INDEX), last)
    return _choose("switch", index, named, operands, range(len(named)))


def _scalar(value: Any, what: str) -> Any:
    try:
        aval = get_aval(value)
    except TypeError as error:
        raise TypeError(located(f"{what}: {error}")) from None
    if aval.shape:
        raise TypeError(
            located(
                f"{what} must be a scalar, got {aval}",
                "What to do: reduce it (np.any, np.all); or np.where for a choice of elements.",
            )
        )
    return array(value) if isinstance(value, Tracer) else array(np.asarray(value)[()])


def _choose(
    what: str,
    index: Any,
    branches: dict[str, Callable],
    operands: tuple,
    order: Sequence[int],
) -> Any:
    """Bind the choice between branches.

    Args:
      branches: by what messages call them.
      order: which of them the index 0 means, and so on.
    """
    leaves, in_tree = flatten_operands(operands, f"{what}: an operand")
    avals = [get_aval(x) for x in leaves]
    functions = [
        as_function(f, what, in_tree.children, avals, guarded=True) for f in branches.values()
    ]
    first, first_name = functions[0], next(iter(branches))
    for name, function in zip(branches, functions, strict=True):
        check_same(
            f"{what}: the results of {first_name} and {name}",
            (first.out_tree, first.jaxpr.out_avals),
            (function.out_tree, function.jaxpr.out_avals),
            "What to do: have them return the same structure of arrays of the same types; "
            "0.0 instead of 0, x.astype(...), np.zeros_like(x).",
        )
    closed, jaxprs = with_all_closed(functions)
    placed = tuple(jaxprs[i] for i in order)
    outs = bind_whole(cond_p, [index, *closed, *leaves], {"branches": placed})
    return tree.unflatten(first.out_tree, outs)


@cond_p.def_impl
def _cond_impl(index: Any, *args: Any, branches: tuple[Jaxpr, ...]) -> list[Any]:
    return list(compile_jaxpr(branches[int(index)], config.backend)(*args))


@cond_p.def_abstract
def _cond_abstract(
    index: ShapedArray, *avals: ShapedArray, branches: tuple[Jaxpr, ...]
) -> list[ShapedArray]:
    if index.shape or index.dtype != INDEX:
        raise TypeError(f"cond: its index is an int64 scalar, got {index}")
    outs = branches[0].out_avals
    for branch in branches:
        for given, wanted in zip(
            [*avals, *outs], [*branch.in_avals, *branch.out_avals], strict=True
        ):
            if given.shape != wanted.shape or given.dtype != wanted.dtype:
                raise TypeError(f"cond: one of its branches has {wanted} where there is {given}")
    return outs


def _any_of(rows: Sequence[Sequence[bool]]) -> tuple[bool, ...]:
    return tuple(map(any, zip(*rows, strict=True)))


@cond_p.def_jvp_call
def _cond_jvp(
    linear: bool, primals: Sequence[Any], tangents: Sequence[Any], *, branches: tuple[Jaxpr, ...]
) -> tuple:
    index, *operands = primals
    given = present(tangents[1:])
    avals = branches[0].out_avals
    if not any(given):
        outs = cond_p.bind(*primals, branches=branches)
        return outs, [None] * len(outs)
    some = [t for t in tangents[1:] if t is not None]
    if not linear:
        derived = [jvp_of(b, given) for b in branches]
        wanted = _any_of([found for _, found in derived])
        both = tuple(completed(b, found, wanted, avals) for b, found in derived)
        outs = cond_p.bind(index, *operands, *some, branches=both)
        return outs[: len(avals)], scatter_outputs(outs[len(avals) :], wanted)
    wanted = _any_of([split_linear(b, given)[2] for b in branches])
    parts = [_Split(b, given, wanted) for b in branches]
    slots = _Slots(parts)
    made = cond_p.bind(*primals, branches=tuple(map(slots.forward, parts)))
    out_tangents = cond_p.bind(
        index,
        *(operands[i] for i in slots.operands),
        *made[len(avals) :],
        *some,
        branches=tuple(map(slots.linear, parts)),
    )
    return made[: len(avals)], scatter_outputs(out_tangents, wanted)


class _Split:
    """A branch, linearized: which of its residuals are operands, and the others."""

    def __init__(self, branch: Jaxpr, given: tuple[bool, ...], wanted: tuple[bool, ...]):
        self.forward, linear, found = split_linear(branch, given)
        self.linear = completed(linear, found, wanted, branch.out_avals)
        self.count = len(branch.outvars)
        self.residuals = self.forward.outvars[self.count :]
        places = {v: i for i, v in enumerate(self.forward.invars)}
        #: For each residual the operand that it is, or None.
        self.operand = [places.get(v) for v in self.residuals]
        self.kept = [v for v, i in zip(self.residuals, self.operand, strict=True) if i is None]


class _Slots:
    """Where the branches of one ``cond`` put their residuals: those of one type share a place,
    which holds zeros where another branch was taken."""

    def __init__(self, parts: Sequence[_Split]):
        found = {i for part in parts for i in part.operand if i is not None}
        self.operands = sorted(found)
        self.avals: list[ShapedArray] = []
        self._operand_avals = [parts[0].forward.in_avals[i] for i in self.operands]
        for part in parts:
            for at in self._places(part):
                assert at < len(self.avals)

    def _places(self, part: _Split) -> list[int]:
        """A place for each residual that is no operand."""
        taken: set[int] = set()
        places = []
        for var in part.kept:
            free = (
                i
                for i, aval in enumerate(self.avals)
                if i not in taken and aval.shape == var.aval.shape and aval.dtype == var.aval.dtype
            )
            at = next(free, len(self.avals))
            if at == len(self.avals):
                self.avals.append(var.aval)
            taken.add(at)
            places.append(at)
        return places

    def forward(self, part: _Split) -> Jaxpr:
        """From the operands to the outputs and all places."""
        places = dict(zip(self._places(part), part.kept, strict=True))
        positions = {v: part.count + i for i, v in enumerate(part.residuals)}

        def run(*values: Any) -> list[Any]:
            outs = eval_jaxpr(part.forward, values)
            kept = [
                outs[positions[places[i]]] if i in places else zeros_of(aval)
                for i, aval in enumerate(self.avals)
            ]
            return [*outs[: part.count], *kept]

        return stage(run, part.forward.in_avals, "cond")

    def linear(self, part: _Split) -> Jaxpr:
        """From those operands that are residuals, all places and the tangents to tangents."""
        numbers = {i: n for n, i in enumerate(self.operands)}
        places = iter(self._places(part))
        first = len(self.operands)
        order = [numbers[i] if i is not None else first + next(places) for i in part.operand]
        tangents = part.linear.in_avals[len(part.residuals) :]
        count = first + len(self.avals)

        def run(*values: Any) -> list[Any]:
            return eval_jaxpr(part.linear, [*(values[i] for i in order), *values[count:]])

        return stage(run, [*self._operand_avals, *self.avals, *tangents], "cond")


@cond_p.def_transpose
def _cond_transpose(
    cts: Sequence[Any], index: Any, *args: Any, branches: tuple[Jaxpr, ...]
) -> list[Any]:
    is_linear = tuple(isinstance(x, LinearInput) for x in args)
    backs = [transposed(b, is_linear, present(cts)) for b in branches]
    wanted = _any_of([found for _, found in backs])
    avals = chosen(branches[0].in_avals, is_linear)
    jaxprs = tuple(completed(b, found, wanted, avals) for b, found in backs)
    known = [x for x, flag in zip(args, is_linear, strict=True) if not flag]
    given = [ct for ct in cts if ct is not None]
    made = iter(scatter_outputs(cond_p.bind(index, *known, *given, branches=jaxprs), wanted))
    return [None, *(next(made) if flag else None for flag in is_linear)]


@cond_p.def_batch
def _cond_batch(
    axis: Axis, args: Sequence[Any], dims: Sequence[int | None], *, branches: tuple[Jaxpr, ...]
) -> tuple:
    if dims[0] is not None:
        return by_lanes(cond_p, axis, args, dims, {"branches": branches})
    ins = tuple(dims[1:])
    front = _any_of([[d is not None for d in batched(b, axis, ins)[1]] for b in branches])
    many = tuple(batched_body(b, axis, ins, front) for b in branches)
    outs = cond_p.bind(*args, branches=many)
    return outs, [0 if flag else None for flag in front]


@cond_p.def_simplify
def _cond_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    index = view.scalar(args[0])
    branches = params["branches"]
    if index is not None:
        return Inline(branches[int(index)], args[1:])
    return Inline(branches[0], args[1:]) if len(branches) == 1 else None


@cond_p.def_prune
def _cond_prune(params: dict, used: Sequence[bool]) -> tuple | None:
    branches = params["branches"]
    outputs = [i for i, flag in enumerate(used) if flag]
    inputs = range(len(branches[0].invars) + 1)
    fewer = tuple(rearranged(b, inputs[:-1], outputs) for b in branches)
    return {"branches": fewer}, inputs, outputs
