"""Primitives, and the rules that say what each transform makes of them.

A primitive takes arrays by position and static parameters by keyword. Its rules:

==============  =====================================================================
``impl``        ``(*arrays, **params) -> array``: NumPy; defines what the primitive means
``abstract``    ``(*avals, **params) -> aval``: the type rule; raises on bad types
``jvp``         ``(primals, tangents, out, **params) -> tangent out``; ``tangents`` may hold
                symbolic zeros, but not only those
``transpose``   ``(ct, *args, **params) -> [ct or None for each arg]``; an argument in which the
                primitive is to be transposed comes as ``LinearInput(aval)``
``batch``       ``(axis, args, dims, **params) -> (out, dim)``; a dim is an int or None
``jvp_call``    ``(linear, primals, tangents, **params) -> (outs, tangents out)``: in place of
                ``jvp`` where primal and tangent are best made together (calls, loops); ``linear``
                says that the tangents are being recorded, so primal work must not depend on them
``stage``       ``(trace, args, params) -> outs``: in place of ``abstract`` where staging is more
                than noting one equation
``simplify``    ``(args, params) -> replacement or None``: identities that are exact in IEEE
                arithmetic; see ``autotrace.transforms.simplify``
``prune``       ``(params, used) -> (params, inputs, outputs) or None``: the same with fewer
                results, given which are used; the numbers of the inputs and outputs that stay
``dependence``  ``(operands, avals, avals out, **params) -> [value for each out]``: which inputs
                of a program each element depends on; see ``autotrace.transforms.dependence``.
                Without it, on those of all operands, or at its place with ``elementwise``
``tied``        ``(args, **params) -> structured value or None``: ``batch`` where batches of unit
                vectors are kept without their zeros; see ``autotrace.lax.tied``. Without it, or
                where it returns None, they become arrays
==============  =====================================================================

With ``multiple_results`` single outputs above become lists.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .avals import ShapedArray
from .config import config
from .errors import MissingRuleError, NanError, located
from .source import user_location
from .trace import (
    Tracer,
    active_traces,
    any_staging,
    get_aval,
    innermost_guarded,
    innermost_staging,
    suspended,
    tie_within,
)

_RULES = (
    "impl", "abstract", "jvp", "transpose", "batch", "jvp_call", "stage", "simplify", "prune",
    "dependence", "tied",
)  # fmt: skip

#: Each primitive that exists, by name; what the tests and backends enumerate.
primitives: dict[str, Primitive] = {}


class Primitive:
    """An operation that transforms know through its rules.

    Args:
      name: unique; what a jaxpr prints.
      multiple_results: whether the outputs come as a list.
      effectful: whether it does something beside computing its outputs, so that it must be kept
        and run once even when nothing uses it.
      noted: whether it is noted wherever a program is being staged, even without traced inputs,
        rather than computed: it may take long.
      elementwise: whether an element of the output depends on those elements of the operands only
        that are at its place; scalars go with any shape.
      rearranges: whether an element of the output is one of the operands' or the sum of several
        (of the operands in which it has a transpose).
      passes_zeros: whether its transpose rule takes and returns pending cotangents; see
        ``autotrace.transforms.pending``.

    Raises:
      ValueError: when the name is taken.

    >>> from autotrace.extend import Primitive
    >>> twice_p = Primitive("docs_twice")
    >>> _ = twice_p.def_impl(lambda x: 2 * x)
    >>> twice_p.bind(21.0)
    42.0
    """

    __slots__ = (
        "__dict__",
        "effectful",
        "elementwise",
        "multiple_results",
        "name",
        "noted",
        "passes_zeros",
        "rearranges",
        *_RULES,
    )

    impl: Callable[..., Any]
    abstract: Callable[..., Any] | None
    jvp: Callable[..., Any] | None
    transpose: Callable[..., Any] | None
    batch: Callable[..., Any] | None
    jvp_call: Callable[..., Any] | None
    stage: Callable[..., Any] | None
    simplify: Callable[..., Any] | None
    prune: Callable[..., Any] | None
    dependence: Callable[..., Any] | None
    tied: Callable[..., Any] | None

    def __init__(
        self,
        name: str,
        *,
        multiple_results: bool = False,
        effectful: bool = False,
        noted: bool = False,
        elementwise: bool = False,
        rearranges: bool = False,
        passes_zeros: bool = False,
    ):
        if name in primitives:
            raise ValueError(f"there is a primitive named {name!r} already")
        self.name = name
        self.multiple_results = multiple_results
        self.effectful = effectful
        self.noted = noted
        self.elementwise = elementwise
        self.rearranges = rearranges
        self.passes_zeros = passes_zeros
        for rule in _RULES:
            setattr(self, rule, None)
        primitives[name] = self

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple:
        return (_by_name, (self.name, getattr(self.impl, "__module__", None)))

    def _define(self, kind: str, rule: Callable) -> Callable:
        if getattr(self, kind) is not None:
            raise ValueError(f"primitive {self.name} has a rule for {kind} already")
        setattr(self, kind, rule)
        return rule

    def def_impl(self, rule: Callable) -> Callable:
        """Set the NumPy implementation; usable as a decorator, as are the others."""
        return self._define("impl", rule)

    def def_abstract(self, rule: Callable) -> Callable:
        """Set the type rule."""
        return self._define("abstract", rule)

    def def_jvp(self, rule: Callable) -> Callable:
        """Set the derivative rule."""
        return self._define("jvp", rule)

    def def_transpose(self, rule: Callable) -> Callable:
        """Set the transpose rule."""
        return self._define("transpose", rule)

    def def_batch(self, rule: Callable) -> Callable:
        """Set the batching rule."""
        return self._define("batch", rule)

    def def_jvp_call(self, rule: Callable) -> Callable:
        """Set the derivative rule that also computes the outputs."""
        return self._define("jvp_call", rule)

    def def_stage(self, rule: Callable) -> Callable:
        """Set what staging into a jaxpr does."""
        return self._define("stage", rule)

    def def_simplify(self, rule: Callable) -> Callable:
        """Set the simplification rule."""
        return self._define("simplify", rule)

    def def_prune(self, rule: Callable) -> Callable:
        """Set the rule that leaves out unused results."""
        return self._define("prune", rule)

    def def_dependence(self, rule: Callable) -> Callable:
        """Set the rule that says which elements of the operands those of the results come from."""
        return self._define("dependence", rule)

    def def_tied(self, rule: Callable) -> Callable:
        """Set the batching rule for structured batches."""
        return self._define("tied", rule)

    def rule(self, kind: str, transform: str) -> Callable:
        """The rule of a kind, or an error that says which is missing and what to do."""
        rule = getattr(self, kind)
        if rule is None:
            raise MissingRuleError(
                located(
                    f"{transform} met the primitive {self.name}, which has no {kind} rule",
                    f"What to do: give it one with {self.name}_p.def_{kind}(rule), or wrap the "
                    "function that uses it in autotrace.custom_jvp or custom_vjp.",
                )
            )
        return rule

    def out_avals(self, avals: list[ShapedArray], params: dict) -> list[ShapedArray]:
        """The type rule's answer, as a list in any case."""
        out = self.rule("abstract", "tracing")(*avals, **params)
        return list(out) if self.multiple_results else [out]

    def bind(self, *args: Any, **params: Any) -> Any:
        """Apply the primitive: to numbers by its ``impl``, to tracers by their trace."""
        top = None
        level = -1
        for arg in args:
            if isinstance(arg, Tracer):
                trace = arg.owner
                if trace.level > level:
                    top = trace
                    level = trace.level
        if level > 0:  # at level 0 are numbers
            if not any_staging():
                return top.process(self, args, params)  # type: ignore[union-attr]
            guarded = innermost_guarded()
            if guarded is not None and guarded.level > level:
                top, level = guarded, guarded.level
        if self.effectful or self.noted:
            staging = innermost_staging()
            if staging is not None and staging.level > level:
                top, level = staging, staging.level
        if level > 0:
            return _process_outside(top, self, args, params)
        if top is not None:
            return top.process(self, args, params)
        if config.debug_nans:
            return _run_checked(self, args, params)
        return self.impl(*args, **params)


def _process_outside(top: Any, primitive: Primitive, args: tuple, params: dict) -> Any:
    """Have a trace process a primitive outside of what is being staged within it, where loops and
    effects on numbers that a rule has would be noted otherwise."""
    staging = innermost_staging()
    if staging is None or staging.level <= top.level or not top.alive:
        return top.process(primitive, args, params)
    traces = active_traces()
    with suspended(traces[traces.index(top) + 1]):
        out = top.process(primitive, args, params)
    outs = out if primitive.multiple_results else [out]
    if not all(isinstance(x, Tracer) and x.owner is top for x in outs):
        tie_within(top)  # a number now, for whatever is traced within
    return out


def _by_name(name: str, module: str | None) -> Primitive:
    if name not in primitives and module is not None:
        importlib.import_module(module)  # which makes it
    return primitives[name]


def _has_nan(x: Any) -> bool:
    return get_aval(x).dtype.kind in "fc" and bool(np.isnan(x).any())


def _run_checked(primitive: Primitive, args: tuple, params: dict) -> Any:
    with np.errstate(all="ignore"):
        out = primitive.impl(*args, **params)
    outs = out if primitive.multiple_results else [out]
    if any(_has_nan(x) for x in outs) and not any(_has_nan(x) for x in args):
        raise nan_error(primitive, user_location())
    return out


def nan_error(primitive: Primitive, location: Any) -> NanError:
    """The error of ``debug_nans``."""
    return NanError(
        located(
            f"the primitive {primitive.name} made a NaN out of inputs without one "
            "(debug_nans is on)",
            "What to do: look at the inputs of this line; np.where evaluates both its sides.",
            location,
        )
    )
