"""Jaxprs derived from jaxprs, each made once: the rules of primitives that call a jaxpr."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..core.jaxpr import Jaxpr
from ..core.trace import axis_sizes
from .batch import Axis, batch_flat
from .evaluate import eval_jaxpr
from .jvp import jvp_flat
from .linearize import split_linear_jaxpr
from .stage import stage
from .transpose import transpose_jaxpr


def once(derive: Callable) -> Callable:
    """Keep what a function derives from a jaxpr, as long as that lives.

    The named axes in force are part of the key: a jaxpr may hold collectives over them.
    """
    kept: weakref.WeakKeyDictionary[Jaxpr, dict] = weakref.WeakKeyDictionary()

    @functools.wraps(derive)
    def derived(jaxpr: Jaxpr, *key: Any) -> Any:
        by_key = kept.get(jaxpr)
        if by_key is None:
            by_key = kept.setdefault(jaxpr, {})
        full_key = (key, axis_sizes())
        if full_key not in by_key:
            by_key[full_key] = derive(jaxpr, *key)
        return by_key[full_key]

    return derived


@once
def jvp_of(
    jaxpr: Jaxpr, nonzero: tuple[bool, ...], linear: bool = False
) -> tuple[Jaxpr, list[bool]]:
    """Forward mode: from the inputs and the nonzero tangents to the outputs and their nonzero
    tangents; and which outputs have one."""
    out_nonzero: list[bool] = []

    def run(*values: Any) -> list[Any]:
        primals = values[: len(nonzero)]
        given = iter(values[len(nonzero) :])
        tangents = [next(given) if n else None for n in nonzero]
        outs, out_tangents = jvp_flat(
            lambda *xs: eval_jaxpr(jaxpr, xs), primals, tangents, linear=linear
        )
        out_nonzero[:] = [t is not None for t in out_tangents]
        return [*outs, *(t for t in out_tangents if t is not None)]

    tangent_avals = [a for a, n in zip(jaxpr.in_avals, nonzero, strict=True) if n]
    return stage(run, jaxpr.in_avals + tangent_avals, "jvp"), out_nonzero


@once
def split_linear(jaxpr: Jaxpr, nonzero: tuple[bool, ...]) -> tuple[Jaxpr, Jaxpr, list[bool]]:
    """See ``split_linear_jaxpr``."""
    return split_linear_jaxpr(jaxpr, nonzero)


@once
def transposed(
    jaxpr: Jaxpr, is_linear: tuple[bool, ...], has_ct: tuple[bool, ...]
) -> tuple[Jaxpr, list[bool]]:
    """See ``transpose_jaxpr``; without pending cotangents."""
    return transpose_jaxpr(jaxpr, is_linear, has_ct)[:2]


@once
def transposed_pending(
    jaxpr: Jaxpr,
    is_linear: tuple[bool, ...],
    has_ct: tuple[bool, ...],
    pending: tuple[bool, ...],
) -> tuple[Jaxpr, list[bool], list[bool]]:
    """See ``transpose_jaxpr``."""
    return transpose_jaxpr(jaxpr, is_linear, has_ct, pending)


@once
def batched(
    jaxpr: Jaxpr, axis: Axis, dims: tuple[int | None, ...]
) -> tuple[Jaxpr, list[int | None]]:
    """The jaxpr on a batch; and where its outputs' batch dims are."""
    out_dims: list[int | None] = []

    def run(*values: Any) -> list[Any]:
        outs, found = batch_flat(lambda *xs: eval_jaxpr(jaxpr, xs), axis, values, dims)
        out_dims[:] = found
        return outs

    avals = [
        a if d is None else a.update(shape=(*a.shape[:d], axis.size, *a.shape[d:]))
        for a, d in zip(jaxpr.in_avals, dims, strict=True)
    ]
    return stage(run, avals, "vmap"), out_dims


def scatter_outputs(values: Sequence[Any], present: Sequence[bool]) -> list[Any]:
    """Values put where ``present`` is true, None elsewhere."""
    given = iter(values)
    return [next(given) if p else None for p in present]
