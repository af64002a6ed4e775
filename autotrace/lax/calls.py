"""Primitives that call a jaxpr or a Python function: jit, custom rules, callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.avals import ShapedArray, tangent_aval
from ..core.config import config
from ..core.errors import ConcretizationError, NonDifferentiableError, located
from ..core.jaxpr import Eqn, Jaxpr, Var
from ..core.primitive import Primitive
from ..core.source import user_location
from ..core.tangents import LinearInput
from ..core.trace import Tracer, active_traces, get_aval
from ..transforms.backends import compile_jaxpr, own
from ..transforms.batch import Axis, BatchTrace, batch_flat
from ..transforms.derived import (
    batched,
    jvp_of,
    scatter_outputs,
    split_linear,
    transposed_pending,
)
from ..transforms.evaluate import eval_jaxpr
from ..transforms.jvp import jvp_flat
from ..transforms.pending import Pending, settled, unsettled
from ..transforms.ruled import stage_ruled
from ..transforms.simplify import Inline, View
from .bodies import present
from .slicing import concatenate, index_in_dim
from .structural import batched_at, broadcast_to_shape, expand_dims, reduce_sum

# --- jit ---------------------------------------------------------------------------------------

jit_p = Primitive("jit", multiple_results=True, passes_zeros=True)


@jit_p.def_impl
def _jit_impl(*args: Any, jaxpr: Jaxpr, backend: str, name: str, **_: Any) -> list[Any]:
    return compile_jaxpr(jaxpr, backend, name)(*args)


def call_abstract(*avals: ShapedArray, jaxpr: Jaxpr, **_: Any) -> list[ShapedArray]:
    """The type rule of a call of a jaxpr."""
    for given, var in zip(avals, jaxpr.invars, strict=True):
        if given.shape != var.aval.shape or given.dtype != var.aval.dtype:
            raise TypeError(f"a call of a jaxpr that takes {var.aval} got {given}")
    return jaxpr.out_avals


jit_p.def_abstract(call_abstract)


def call_jvp(primitive: Primitive, primals: Any, tangents: Any, jaxpr: Jaxpr, params: Any) -> Any:
    """The derivative of a call of a jaxpr, in forward mode: one call that makes both."""
    both, out_present = jvp_of(jaxpr, present(tangents))
    given = [t for t in tangents if t is not None]
    out = primitive.bind(*primals, *given, jaxpr=both, **params)
    return out[: len(out_present)], scatter_outputs(out[len(out_present) :], out_present)


@jit_p.def_jvp_call
def _jit_jvp(
    linear: bool, primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: Jaxpr, **params: Any
) -> tuple:
    flags = present(tangents)
    if not any(flags):
        outs = jit_p.bind(*primals, jaxpr=jaxpr, **params)
        return outs, [None] * len(outs)
    try:
        if not linear:
            return call_jvp(jit_p, primals, tangents, jaxpr, params)
        forward, linear_jaxpr, out_present = split_linear(jaxpr, flags)
    except ConcretizationError:
        # A derivative rule within asks for a value, which it can be told of these values only.
        return jvp_flat(lambda *xs: eval_jaxpr(jaxpr, xs), primals, tangents, "jit", linear)
    made = jit_p.bind(*primals, jaxpr=forward, **params)
    outs, residuals = made[: len(out_present)], made[len(out_present) :]
    given = [t for t in tangents if t is not None]
    out_tangents = jit_p.bind(*residuals, *given, jaxpr=linear_jaxpr, **params)
    return outs, scatter_outputs(out_tangents, out_present)


def call_transpose(primitive: Primitive) -> Callable:
    """The transpose rule of a primitive that calls a jaxpr."""

    def rule(cts: Sequence[Any], *args: Any, jaxpr: Jaxpr, **params: Any) -> list[Any]:
        is_linear = tuple(isinstance(a, LinearInput) for a in args)
        pending = tuple(type(c) is Pending for c in cts)
        back, nonzero, out_pending = transposed_pending(jaxpr, is_linear, present(cts), pending)
        known = [a for a, lin in zip(args, is_linear, strict=True) if not lin]
        given = [settled(c) for c in cts if c is not None]
        found = scatter_outputs(primitive.bind(*known, *given, jaxpr=back, **params), nonzero)
        made = iter([unsettled(c) if p else c for c, p in zip(found, out_pending, strict=True)])
        return [next(made) if lin else None for lin in is_linear]

    return rule


jit_p.def_transpose(call_transpose(jit_p))


def call_batch(primitive: Primitive) -> Callable:
    """The batching rule of a primitive that calls a jaxpr."""

    def rule(
        axis: Axis, args: Sequence[Any], dims: Sequence[int | None], *, jaxpr: Jaxpr, **params: Any
    ) -> tuple:
        many, out_dims = batched(jaxpr, axis, tuple(dims))
        return primitive.bind(*args, jaxpr=many, **params), out_dims

    return rule


jit_p.def_batch(call_batch(jit_p))


@jit_p.def_simplify
def _jit_simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    return Inline(params["jaxpr"], args)


def call_compiled(primitive: Primitive, args: Sequence[Any], params: dict) -> list[Any]:
    """Bind a primitive that runs jaxprs as a program of its own, so that it is compiled whole."""
    invars = [Var(get_aval(x).strong()) for x in args]
    outvars = [Var(a) for a in primitive.out_avals([v.aval for v in invars], params)]
    eqn = Eqn(primitive, invars, outvars, params, user_location())
    jaxpr = Jaxpr([], [], invars, [eqn], outvars)
    return call_whole(jaxpr, args, primitive.name)


def call_whole(jaxpr: Jaxpr, args: Sequence[Any], name: str) -> list[Any]:
    """Compile a jaxpr and run it, where it is not a part of a larger program."""
    outs = jit_p.bind(*args, jaxpr=jaxpr, backend=config.backend, name=name)
    return own(outs, [*args, *jaxpr.consts])


# --- custom derivative rules -------------------------------------------------------------------
#
# ``call`` is the function itself: a Python function of flat arrays, or the jaxpr it became when it
# was staged.


def _run(call: Any, args: Sequence[Any]) -> list[Any]:
    return eval_jaxpr(call, args) if isinstance(call, Jaxpr) else call(*args)


def _staged_call(trace: Any, primitive: Primitive, args: tuple, params: dict) -> Any:
    """Note a call. Where the function asks for values, what it computes is a part of the path, and
    what is noted gives its results a derivative."""
    call = stage_ruled(trace, params["call"], args, params["name"])
    if isinstance(call, Jaxpr):
        return trace.record(primitive, args, {**params, "call": call})
    invars = [Var(get_aval(x).strong()) for x in (*args, *call)]
    rule = {
        kind: _OfFirst(kind, params[kind], len(args), len(call))
        for kind in ("jvp", "fwd", "bwd")
        if kind in params
    }
    given = Jaxpr([], [], invars, [], invars[len(args) :])
    return trace.record(primitive, (*args, *call), {**params, **rule, "call": given})


class _OfFirst(NamedTuple):
    """A rule for a call that takes further arguments, of which the result has no derivative.

    Attributes:
      kind: ``"jvp"``, ``"fwd"`` or ``"bwd"``.
      rule: the rule.
      arity: how many arguments it is for.
      others: how many there are beside.
    """

    kind: str
    rule: Callable
    arity: int
    others: int

    def __call__(self, *args: Any) -> Any:
        if self.kind == "fwd":
            return self.rule(*args[: self.arity])
        if self.kind == "bwd":
            return [*self.rule(*args), *[None] * self.others]
        primals, tangents = args
        return self.rule(primals[: self.arity], tangents[: self.arity])


def _custom_abstract(*avals: ShapedArray, call: Any, **_: Any) -> list[ShapedArray]:
    return call.out_avals


def _uses_inner_value(transform: str) -> NonDifferentiableError:
    return NonDifferentiableError(
        located(
            "a function with a derivative rule of its own uses a traced value from outside that "
            f"belongs to a transform further in than its arguments (under {transform})",
            "What to do: pass that value as an argument.",
        )
    )


def _batched_function(
    function: Callable, axis: Axis, dims: Sequence[int | None]
) -> Callable[..., list[Any]]:
    """A flat function on a batch, with each output's batch dim in front.

    The function may use other values of the same batch, so it is run by the trace that they
    belong to, as long as that lives and the arguments come from outside it.
    """

    def run(*args: Any) -> list[Any]:
        level = max((x.owner.level for x in args if isinstance(x, Tracer)), default=0)
        for trace in reversed(active_traces()):
            if isinstance(trace, BatchTrace) and trace.axis is axis and trace.level > level:
                inputs = [trace.join(x, d) for x, d in zip(args, dims, strict=True)]
                pairs = [trace.split(x) for x in function(*inputs)]
                if any(isinstance(x, Tracer) and x.owner.level > trace.level for x, _ in pairs):
                    raise _uses_inner_value(trace.transform)
                return [batched_at(x, d, axis) for x, d in pairs]
        outs, out_dims = batch_flat(function, axis, args, dims)
        return [batched_at(x, d, axis) for x, d in zip(outs, out_dims, strict=True)]

    return run


custom_jvp_call_p = Primitive("custom_jvp_call", multiple_results=True)
custom_jvp_call_p.def_impl(lambda *args, call, **_: _run(call, args))
custom_jvp_call_p.def_abstract(_custom_abstract)


@custom_jvp_call_p.def_stage
def _custom_jvp_stage(trace: Any, args: tuple, params: dict) -> Any:
    if isinstance(params["call"], Jaxpr):
        return trace.record(custom_jvp_call_p, args, params)
    return _staged_call(trace, custom_jvp_call_p, args, params)


@custom_jvp_call_p.def_jvp_call
def _custom_jvp_jvp(
    linear: bool, primals: Sequence[Any], tangents: Sequence[Any], *, call: Any, jvp: Any, name: str
) -> tuple:
    if not any(present(tangents)):
        outs = custom_jvp_call_p.bind(*primals, call=call, jvp=jvp, name=name)
        return outs, [None] * len(outs)
    return jvp(primals, tangents)


@custom_jvp_call_p.def_batch
def _custom_jvp_batch(
    axis: Axis, args: Sequence[Any], dims: Sequence[int | None], *, call: Any, jvp: Any, name: str
) -> tuple:
    count = len(args)

    def batched_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple:
        given = present(tangents)
        found: tuple[bool, ...] = ()  # which tangents come out

        def both(*values: Any) -> list[Any]:
            nonlocal found
            rest = iter(values[count:])
            outs, made = jvp(values[:count], [next(rest) if g else None for g in given])
            found = present(made)
            return [*outs, *(t for t in made if t is not None)]

        of_tangents = [d for d, g in zip(dims, given, strict=True) if g]
        run_both = _batched_function(both, axis, [*dims, *of_tangents])
        made = run_both(*primals, *(t for t in tangents if t is not None))
        rest = iter(made[len(found) :])
        return made[: len(found)], [next(rest) if f else None for f in found]

    batched_call = _batched_function(lambda *xs: _run(call, xs), axis, dims)
    outs = custom_jvp_call_p.bind(*args, call=batched_call, jvp=batched_jvp, name=name)
    return outs, [0] * len(outs)


def _inline_call(view: View, args: Sequence[Any], params: dict) -> Any:
    return Inline(params["call"], args)


custom_jvp_call_p.def_simplify(_inline_call)

custom_vjp_call_p = Primitive("custom_vjp_call", multiple_results=True)
custom_vjp_call_p.def_impl(lambda *args, call, **_: _run(call, args))
custom_vjp_call_p.def_abstract(_custom_abstract)
custom_vjp_call_p.def_simplify(_inline_call)


@custom_vjp_call_p.def_stage
def _custom_vjp_stage(trace: Any, args: tuple, params: dict) -> Any:
    if isinstance(params["call"], Jaxpr):
        return trace.record(custom_vjp_call_p, args, params)
    return _staged_call(trace, custom_vjp_call_p, args, params)


#: Stands in a linear program for the derivative of a function of which only the transpose is
#: known: takes residuals and tangents; its transpose calls the user's ``bwd``.
custom_tangent_p = Primitive("custom_tangent", multiple_results=True)


@custom_vjp_call_p.def_jvp_call
def _custom_vjp_jvp(
    linear: bool,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    call: Any,
    fwd: Any,
    bwd: Any,
    name: str,
) -> tuple:
    flags = present(tangents)
    if not any(flags):
        outs = custom_vjp_call_p.bind(*primals, call=call, fwd=fwd, bwd=bwd, name=name)
        return outs, [None] * len(outs)
    if not linear:
        raise _no_forward_mode(name)
    outs, residuals = fwd(*primals)
    level = max((t.owner.level for t in tangents if isinstance(t, Tracer)), default=0)
    for x in (*outs, *residuals):
        if isinstance(x, Tracer) and x.owner.level > level:
            raise NonDifferentiableError(
                located(
                    f"the function {name} (custom_vjp) uses a value from outside with respect to "
                    "which it is being differentiated; its rule says nothing of that one",
                    "What to do: pass the value as an argument.",
                )
            )
    out_tangents = custom_tangent_p.bind(
        *residuals,
        *(t for t in tangents if t is not None),
        bwd=bwd,
        given=flags,
        num_residuals=len(residuals),
        out_avals=tuple(tangent_aval(get_aval(x)) for x in outs),
        name=name,
    )
    return outs, out_tangents


def _no_forward_mode(name: str) -> NonDifferentiableError:
    return NonDifferentiableError(
        located(
            f"forward mode (jvp, jacfwd, linearize's map) met the function {name}, which has a "
            "reverse-mode rule only (custom_vjp)",
            "What to do: use reverse mode (grad, vjp, jacrev), or define the function with "
            "custom_jvp, which serves both.",
        )
    )


@custom_tangent_p.def_impl
def _custom_tangent_impl(*args: Any, name: str, **_: Any) -> Any:
    raise _no_forward_mode(name)


@custom_tangent_p.def_abstract
def _custom_tangent_abstract(*avals: ShapedArray, out_avals: tuple, **_: Any) -> list[ShapedArray]:
    return list(out_avals)


@custom_tangent_p.def_jvp_call
def _custom_tangent_jvp(linear: bool, primals: Any, tangents: Any, *, name: str, **_: Any) -> Any:
    raise _no_forward_mode(name)


@custom_tangent_p.def_batch
def _custom_tangent_batch(axis: Axis, args: Any, dims: Any, *, name: str, **_: Any) -> Any:
    raise _no_forward_mode(name)


@custom_tangent_p.def_transpose
def _custom_tangent_transpose(
    cts: Sequence[Any],
    *args: Any,
    bwd: Callable,
    given: tuple,
    num_residuals: int,
    out_avals: tuple,
    name: str,
) -> list[Any]:
    residuals = args[:num_residuals]
    full = [
        broadcast_to_shape(a.dtype.type(0), a.shape) if c is None else c
        for c, a in zip(cts, out_avals, strict=True)
    ]
    in_cts = bwd(residuals, full)
    return [None] * num_residuals + [c for c, p in zip(in_cts, given, strict=True) if p]


@custom_vjp_call_p.def_batch
def _custom_vjp_batch(
    axis: Axis,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    call: Any,
    fwd: Callable,
    bwd: Callable,
    name: str,
) -> tuple:
    counts: list[int] = []

    def flat_fwd(*values: Any) -> list[Any]:
        outs, residuals = fwd(*values)
        counts[:] = [len(outs)]
        return [*outs, *residuals]

    run_fwd = _batched_function(flat_fwd, axis, dims)

    def batched_fwd(*values: Any) -> tuple:
        made = run_fwd(*values)
        return made[: counts[0]], made[counts[0] :]

    def batched_bwd(residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        count = len(residuals)
        found_flags: list[bool] = []

        def flat_bwd(*values: Any) -> list[Any]:
            in_cts = bwd(values[:count], values[count:])
            found_flags[:] = present(in_cts)
            return [c for c in in_cts if c is not None]

        run_bwd = _batched_function(flat_bwd, axis, [0] * (count + len(cts)))
        found = scatter_outputs(run_bwd(*residuals, *cts), found_flags)
        # What was the same for all examples gets the sum of their cotangents.
        return [
            c if c is None or d == 0 else reduce_sum(c, (0,)) if d is None else _to_dim(c, d)
            for c, d in zip(found, dims, strict=True)
        ]

    batched_call = _batched_function(lambda *xs: _run(call, xs), axis, dims)
    outs = custom_vjp_call_p.bind(
        *args, call=batched_call, fwd=batched_fwd, bwd=batched_bwd, name=name
    )
    return outs, [0] * len(outs)


def _to_dim(x: Any, dim: int) -> Any:
    return batched_at(x, 0, Axis(x.shape[0]), dim)


# --- callbacks ---------------------------------------------------------------------------------

#: Calls a Python function for its effect.
debug_callback_p = Primitive("debug_callback", multiple_results=True, effectful=True)


@debug_callback_p.def_impl
def _debug_callback_impl(*args: Any, callback: Callable) -> list[Any]:
    callback(*args)
    return []


debug_callback_p.def_abstract(lambda *avals, callback: [])
debug_callback_p.def_transpose(lambda cts, *args, callback: [None] * len(args))


@debug_callback_p.def_jvp_call
def _debug_callback_jvp(linear: bool, primals: Any, tangents: Any, *, callback: Callable) -> tuple:
    debug_callback_p.bind(*primals, callback=callback)
    return [], []


def _example(x: Any, dim: int | None, index: int) -> Any:
    return x if dim is None else index_in_dim(x, index, dim, keepdims=False)


@debug_callback_p.def_batch
def _debug_callback_batch(axis: Axis, args: Any, dims: Any, *, callback: Callable) -> tuple:
    for index in range(axis.size):
        example = [_example(x, d, index) for x, d in zip(args, dims, strict=True)]
        debug_callback_p.bind(*example, callback=callback)
    return [], []


#: Calls a Python function of NumPy arrays that has no effect.
pure_callback_p = Primitive("pure_callback", multiple_results=True)


@pure_callback_p.def_impl
def _pure_callback_impl(
    *args: Any, callback: Callable, result_avals: tuple, vmap_method: str
) -> list[Any]:
    outs = []
    for value, aval in zip(callback(*args), result_avals, strict=True):
        out = np.asarray(value)
        if out.shape != aval.shape or out.dtype != aval.dtype:
            raise TypeError(
                located(
                    f"pure_callback: the function returned {get_aval(out)} where "
                    f"result_shape_dtypes says {aval}"
                )
            )
        outs.append(out[()])
    return outs


@pure_callback_p.def_abstract
def _pure_callback_abstract(*avals: ShapedArray, result_avals: tuple, **_: Any) -> list[Any]:
    return list(result_avals)


@pure_callback_p.def_jvp_call
def _pure_callback_jvp(linear: bool, primals: Any, tangents: Any, **params: Any) -> tuple:
    if any(present(tangents)):
        raise NonDifferentiableError(
            located(
                "a derivative of pure_callback was asked for; nothing is known of its function",
                "What to do: wrap the function that calls it in autotrace.custom_jvp or "
                "custom_vjp, or its inputs in stop_gradient.",
            )
        )
    outs = pure_callback_p.bind(*primals, **params)
    return outs, [None] * len(outs)


@pure_callback_p.def_batch
def _pure_callback_batch(
    axis: Axis,
    args: Sequence[Any],
    dims: Sequence[int | None],
    *,
    callback: Callable,
    result_avals: tuple,
    vmap_method: str,
) -> tuple:
    params = {"callback": callback, "vmap_method": vmap_method}
    if vmap_method == "sequential":
        rows = []
        for index in range(axis.size):
            example = [_example(x, d, index) for x, d in zip(args, dims, strict=True)]
            rows.append(pure_callback_p.bind(*example, result_avals=result_avals, **params))
        columns = zip(*rows, strict=True)
        outs = [concatenate([expand_dims(x, (0,)) for x in column], 0) for column in columns]
        return outs, [0] * len(outs)
    full = [
        batched_at(x, d, axis)
        if d is not None or vmap_method == "broadcast_all"
        else expand_dims(x, (0,))
        for x, d in zip(args, dims, strict=True)
    ]
    avals = tuple(a.update(shape=(axis.size, *a.shape)) for a in result_avals)
    outs = pure_callback_p.bind(*full, result_avals=avals, **params)
    return outs, [0] * len(outs)
