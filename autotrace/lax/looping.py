"""Loops whose number of turns is found out while they run: while_loop and fori_loop."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray, make_aval
from ..core.config import config
from ..core.errors import NonDifferentiableError, located
from ..core.jaxpr import Jaxpr
from ..core.primitive import Primitive
from ..core.trace import Tracer, get_aval
from ..core.tree import LEAF
from ..transforms.backends import compile_jaxpr
from ..transforms.batch import Axis
from ..transforms.derived import batched, scatter_outputs
from ..transforms.evaluate import eval_jaxpr
from ..transforms.stage import stage
from .arithmetic import convert_element_type, lt, ne
from .bodies import (
    Shape,
    batch_flags,
    batched_body,
    filled_parts,
    forward_body,
    present,
    rearranged,
    tangent_flags,
)
from .families import BOOL, add_p
from .functions import as_function, bind_whole, name_of
from .indexing import INDEX
from .loop_passes import inputs_of, needed_carry
from .scanning import batched_front, by_lanes, carried_function, check_unroll, scan_as
from .structural import array
from .sweeping import linear_sweeps

#: ``while cond(*cond_consts, *carry): carry = body(*body_consts, *carry)``. Operands: the
#: condition's constants, the body's, the carry.
while_p = Primitive("while", multiple_results=True, noted=True)


def while_loop(cond_fun: Callable, body_fun: Callable, init_val: Any) -> Any:
    """Repeat a function as long as a condition holds.

    In Python::

        val = init_val
        while cond_fun(val):
            val = body_fun(val)
        return val

    It has derivatives in forward and in reverse mode. For the latter the loop is run once more
    while its turns are kept, which takes memory in proportion to their number.

    Args:
      cond_fun: from the carried value to a scalar; not 0 counts as true.
      body_fun: from the carried value, a pytree of arrays, to the next one, of the same structure,
        shapes and dtypes.
      init_val: the first carried value.

    Returns:
      The last carried value.

    Raises:
      TypeError: when the carried value changes its structure, a shape or a dtype, or the
        condition is no scalar.

    >>> from autotrace import grad, lax
    >>> def root(a):  # Newton's method
    ...     start = (a, a + 1.0)
    ...     step = lambda v: ((v[0] + a / v[0]) / 2, v[0])
    ...     return lax.while_loop(lambda v: abs(v[0] - v[1]) > 1e-12, step, start)[0]
    >>> round(float(root(2.0)), 6), round(float(grad(root)(2.0)), 6)
    (1.414214, 0.353553)
    """
    return _while(cond_fun, body_fun, init_val, "while_loop")


def _while(cond_fun: Callable, body_fun: Callable, init_val: Any, what: str) -> Any:
    body, carry_tree, carry = carried_function(body_fun, what, init_val, guarded=True)
    avals = [get_aval(x) for x in carry]
    test = as_function(cond_fun, what, [carry_tree], avals)
    outs = test.jaxpr.out_avals
    if test.out_tree != LEAF or outs[0].shape:
        got = outs[0] if test.out_tree == LEAF else f"the structure {test.out_tree}"
        raise TypeError(
            located(
                f"{what}: the condition {name_of(cond_fun)} must return a scalar, got {got}",
                "What to do: reduce it, with np.any or np.all.",
            )
        )
    params = {
        "cond_jaxpr": _as_bool(test.jaxpr),
        "cond_consts": len(test.closed),
        "body_jaxpr": body.jaxpr,
        "body_consts": len(body.closed),
    }
    return tree.unflatten(
        carry_tree, bind_whole(while_p, [*test.closed, *body.closed, *carry], params)
    )


def _as_bool(jaxpr: Jaxpr) -> Jaxpr:
    (out,) = jaxpr.out_avals
    if out.dtype == BOOL:
        return jaxpr

    def run(*values: Any) -> list[Any]:
        (x,) = eval_jaxpr(jaxpr, values)
        return [ne(x, out.dtype.type(0))]

    return stage(run, jaxpr.in_avals, "while_loop")


def fori_loop(
    lower: Any, upper: Any, body_fun: Callable, init_val: Any, *, unroll: int | bool | None = None
) -> Any:
    """Repeat a function for the integers of a range.

    In Python::

        val = init_val
        for i in range(lower, upper):
            val = body_fun(i, val)
        return val

    Args:
      lower, upper: the bounds, integer scalars that may be traced. Where both are known it is a
        ``scan``, else a ``while_loop``. Between Python's integers the integer that counts is one
        too, and so leaves the dtype of what it meets as it is.
      body_fun: from the integer and the carried value, a pytree of arrays, to the next carried
        value, of the same structure, shapes and dtypes.
      init_val: the first carried value.
      unroll: a positive integer or a bool, taken for compatibility: the compiler decides for
        itself.

    Returns:
      The last carried value.

    Raises:
      TypeError: when the bounds are no integers, or the carried value changes its structure, a
        shape or a dtype.
      ValueError: when ``unroll`` is not positive.

    >>> from autotrace import lax
    >>> float(lax.fori_loop(1, 5, lambda i, x: x * i, 1.0))
    24.0
    """
    if unroll is not None:
        check_unroll(unroll, "fori_loop")
    first, last = _bound(lower, "lower"), _bound(upper, "upper")
    weak = get_aval(lower).weak_type and get_aval(upper).weak_type

    def step(i: Any, val: Any) -> Any:
        return body_fun(i.weaken() if weak else i, val)

    step.__name__ = name_of(body_fun)
    one = np.int64(1)
    if not isinstance(first, Tracer) and not isinstance(last, Tracer):

        def turn(carry: tuple, _: None) -> tuple:
            i, val = carry
            return (add_p.bind(i, one), step(i, val)), None

        turn.__name__ = step.__name__
        length = max(int(last) - int(first), 0)
        return scan_as("fori_loop", turn, (first, init_val), None, length)[0][1]

    def body(carry: tuple) -> tuple:
        i, end, val = carry
        return add_p.bind(i, one), end, step(i, val)

    body.__name__ = step.__name__
    return _while(lambda c: lt(c[0], c[1]), body, (first, last, init_val), "fori_loop")[2]


def _bound(x: Any, name: str) -> Any:
    try:
        aval = get_aval(x)
    except TypeError as error:
        raise TypeError(located(f"fori_loop: {name}: {error}")) from None
    if aval.shape or aval.dtype.kind not in "iu":
        raise TypeError(located(f"fori_loop: {name} must be an integer scalar, got {aval}"))
    if isinstance(x, Tracer):
        return convert_element_type(x, INDEX)
    return np.int64(array(np.asarray(x)[()]))


@while_p.def_impl
def _while_impl(
    *args: Any, cond_jaxpr: Jaxpr, cond_consts: int, body_jaxpr: Jaxpr, body_consts: int
) -> list[Any]:
    test = compile_jaxpr(cond_jaxpr, config.backend)
    body = compile_jaxpr(body_jaxpr, config.backend)
    first, second, carry = Shape(cond_consts, body_consts).split(args)
    while test(*first, *carry)[0]:
        # What a turn returns may be its input, a view, or memory that the next turn writes to.
        made = body(*second, *carry)
        carry = [np.array(x) if isinstance(x, np.ndarray) else x for x in made]
    return list(carry)


@while_p.def_abstract
def _while_abstract(
    *avals: ShapedArray, cond_jaxpr: Jaxpr, cond_consts: int, body_jaxpr: Jaxpr, body_consts: int
) -> list[ShapedArray]:
    first, second, carry = Shape(cond_consts, body_consts).split(avals)
    wanted = [*cond_jaxpr.in_avals, *body_jaxpr.in_avals, *body_jaxpr.out_avals]
    for a, b in zip([*first, *carry, *second, *carry, *carry], wanted, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise TypeError(f"while: {b} is wanted where there is {a}")
    if [(a.shape, a.dtype) for a in cond_jaxpr.out_avals] != [((), BOOL)]:
        raise TypeError("while: its condition is a bool scalar")
    return body_jaxpr.out_avals


@while_p.def_jvp_call
def _while_jvp(
    linear: bool,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    cond_jaxpr: Jaxpr,
    cond_consts: int,
    body_jaxpr: Jaxpr,
    body_consts: int,
) -> tuple:
    params = {
        "cond_jaxpr": cond_jaxpr,
        "cond_consts": cond_consts,
        "body_jaxpr": body_jaxpr,
        "body_consts": body_consts,
    }
    if not any(present(tangents[cond_consts:])):
        outs = while_p.bind(*primals, **params)
        return outs, [None] * len(outs)
    first, consts, carry = Shape(cond_consts, body_consts).split(primals)
    shape = Shape(body_consts, len(carry))
    ins, outs_present = tangent_flags(body_jaxpr, shape, present(tangents[cond_consts:]), linear)
    given = filled_parts(shape, tangents[cond_consts:], ins, [*consts, *carry])
    if linear:
        counted = _counting(params)
        *outs, turns = while_p.bind(*primals, np.int64(0), **counted)
        found = linear_sweeps(turns, [*consts, *carry], given, body_jaxpr, shape, ins, outs_present)
        return outs, scatter_outputs(found, outs_present)
    both = forward_body(body_jaxpr, shape, ins, outs_present)
    values = [i for i, place in enumerate(both.out_order) if place < len(carry)]
    avals = both.jaxpr.out_avals
    made = while_p.bind(
        *first,
        *both.operands([*consts, *carry, *itertools.chain(*given)]),
        cond_jaxpr=_ignoring(cond_jaxpr, cond_consts, len(avals), values, avals),
        cond_consts=cond_consts,
        body_jaxpr=both.jaxpr,
        body_consts=both.shape.consts,
    )
    return both.results(made)


@while_p.def_transpose
def _while_transpose(cts: Sequence[Any], *args: Any, **_: Any) -> list[Any]:
    raise NonDifferentiableError(
        located(
            "reverse mode met a while_loop (or a fori_loop with traced bounds) within what has to "
            "be a linear function: the tangent_solve of custom_root, or the rule of a custom_jvp",
            "What to do: where it solves a linear equation, give it to lax.custom_linear_solve; "
            "where the number of turns is known, use scan or fori_loop.",
        )
    )


def _ignoring(
    jaxpr: Jaxpr, consts: int, count: int, used: Sequence[int], avals: Sequence[ShapedArray]
) -> Jaxpr:
    """A condition that looks at some of ``count`` carried values."""

    def run(*values: Any) -> list[Any]:
        carry = values[consts:]
        return eval_jaxpr(jaxpr, [*values[:consts], *(carry[i] for i in used)])

    return stage(run, [*jaxpr.in_avals[:consts], *avals[:count]], "while_loop")


def _counting(params: dict) -> dict:
    """A loop that also counts its turns, in a further carried value."""
    body, test = params["body_jaxpr"], params["cond_jaxpr"]
    count = make_aval((), INDEX)
    carry = len(body.out_avals)

    def run(*values: Any) -> list[Any]:
        outs = eval_jaxpr(body, values[:-1])
        return [*outs, add_p.bind(values[-1], np.int64(1))]

    avals = [*body.out_avals, count]
    return {
        **params,
        "body_jaxpr": stage(run, [*body.in_avals, count], "while_loop"),
        "cond_jaxpr": _ignoring(test, params["cond_consts"], carry + 1, range(carry), avals),
    }


@while_p.def_batch
def _while_batch(
    axis: Axis,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    cond_jaxpr: Jaxpr,
    cond_consts: int,
    body_jaxpr: Jaxpr,
    body_consts: int,
) -> tuple:
    split = Shape(cond_consts, body_consts).split
    first, consts, carry = split(args)
    cond_dims, body_dims, carry_dims = split(dims)
    shape = Shape(body_consts, len(carry))
    flags = batch_flags(body_jaxpr, shape, axis, [*body_dims, *carry_dims])
    inner = [0 if flag else None for flag in flags]
    if batched(cond_jaxpr, axis, (*cond_dims, *inner))[1][0] is not None:
        # Each lane runs on its own, so that it stops when it is done.
        params = {
            "cond_jaxpr": cond_jaxpr,
            "cond_consts": cond_consts,
            "body_jaxpr": body_jaxpr,
            "body_consts": body_consts,
        }
        return by_lanes(while_p, axis, args, dims, params)
    carry = [batched_front(*row, axis) for row in zip(carry, carry_dims, flags, strict=True)]
    outs = while_p.bind(
        *first,
        *consts,
        *carry,
        cond_jaxpr=batched_body(cond_jaxpr, axis, (*cond_dims, *inner), [False]),
        cond_consts=cond_consts,
        body_jaxpr=batched_body(body_jaxpr, axis, (*body_dims, *inner), flags),
        body_consts=body_consts,
    )
    return outs, inner


@while_p.def_prune
def _while_prune(params: dict, used: Sequence[bool]) -> tuple | None:
    test, body = params["cond_jaxpr"], params["body_jaxpr"]
    if test.effectful or body.effectful:
        return None
    first, consts = params["cond_consts"], params["body_consts"]
    asked = inputs_of(test, test.outvars)
    asked_flags = [v in asked for v in test.invars[first:]]
    keep = needed_carry(
        body, Shape(consts, len(used)), [a or b for a, b in zip(used, asked_flags, strict=True)]
    )
    if all(keep):
        return None
    kept = [i for i, flag in enumerate(keep) if flag]
    made = {
        **params,
        "cond_jaxpr": rearranged(test, [*range(first), *(first + i for i in kept)], [0]),
        "body_jaxpr": rearranged(body, [*range(consts), *(consts + i for i in kept)], kept),
    }
    return made, [*range(first + consts), *(first + consts + i for i in kept)], kept
