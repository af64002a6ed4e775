"""vmap: a function of one example as a function of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import tree
from ..core.errors import located
from ..core.trace import get_aval
from ..lax.structural import batched_at
from ..transforms.batch import Axis, batch_flat
from .arguments import (
    FlatFunction,
    P,
    R,
    as_array,
    captured,
    check_callable,
    name_of,
    plain,
)
from .transformed import wraps


def vmap(
    fun: Callable[P, R],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Any = None,
    axis_size: int | None = None,
) -> Callable[P, R]:
    """A function of one example as a function of a batch of them.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      in_axes: which dimension of each argument runs over the examples: an int, None for an
        argument that is the same for all, or a tuple or list with one entry for each positional
        argument, each an int, None or a pytree prefix of such. Keyword arguments are mapped over
        dimension 0.
      out_axes: where the examples' dimension goes in each output: an int, None for an output that
        is the same for all, or a pytree prefix of such.
      axis_name: a name by which collectives in ``fun`` (``lax.psum`` and its like) refer to the
        batch.
      axis_size: the number of examples, needed only when nothing is mapped.

    Returns:
      The function of batches.

    Raises:
      ValueError: when axes do not fit the arguments, or sizes differ; the message lists them.

    >>> import numpy as np
    >>> vmap(np.dot, in_axes=(0, None))(np.ones((2, 3)), np.array([1.0, 2.0, 3.0]))
    array([6., 6.])
    """
    check_callable(fun, "vmap")
    what = f"vmap of {name_of(fun)}"
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    for axes, name in ((in_axes, "in_axes"), (out_axes, "out_axes")):
        bad = [a for a in tree.leaves(axes) if isinstance(a, bool) or not isinstance(a, int)]
        if bad:
            raise TypeError(f"{what}: {name} must hold ints and None, got {bad[0]!r}")

    @wraps(fun, "vmap", in_axes, out_axes, axis_name, axis_size)
    def vmap_f(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise ValueError(
                located(
                    f"{what}: in_axes has {len(in_axes)} entries, the call {len(args)} "
                    "positional arguments"
                )
            )
        leaves, in_tree = tree.flatten((args, kwargs))
        leaves = [captured(x) for x in leaves]
        prefix = (in_axes, dict.fromkeys(kwargs, 0))
        dims = tree.broadcast_prefix(prefix, (args, kwargs), f"{what}: in_axes")
        arrays, dims = _check_inputs(leaves, dims, what)
        size = _mapped_size((args, kwargs), arrays, dims, axis_size, what)
        flat = FlatFunction(_call_with(fun), in_tree)
        outs, out_dims = batch_flat(flat, Axis(size, axis_name), arrays, dims)
        wanted = tree.broadcast_prefix(
            out_axes, tree.unflatten(flat.out_tree, outs), f"{what}: out_axes"
        )
        placed = [
            _place(x, d, w, Axis(size), what)
            for x, d, w in zip(outs, out_dims, wanted, strict=True)
        ]
        return tree.unflatten(flat.out_tree, plain(placed, leaves))

    return vmap_f


def _call_with(fun: Callable) -> Callable:
    def call(args: tuple, kwargs: dict) -> Any:
        return fun(*args, **kwargs)

    call.__name__ = name_of(fun)
    return call


def _check_inputs(leaves: list, dims: list, what: str) -> tuple[list[Any], list[int | None]]:
    arrays: list[Any] = []
    places: list[int | None] = []
    for leaf, dim in zip(leaves, dims, strict=True):
        if dim is None:  # the same for all: need not even be an array
            arrays.append(leaf)
            places.append(None)
            continue
        as_array(leaf, f"{what}: an argument")
        rank = get_aval(leaf).ndim
        if not -rank <= dim < rank:
            raise ValueError(
                located(
                    f"{what}: in_axes asks for axis {dim} of an array of shape "
                    f"{get_aval(leaf).shape}"
                )
            )
        arrays.append(leaf)
        places.append(dim % rank)
    return arrays, places


def _mapped_size(
    args: Any, arrays: list, dims: list[int | None], axis_size: int | None, what: str
) -> int:
    sizes = [x.shape[d] for x, d in zip(arrays, dims, strict=True) if d is not None]
    if axis_size is not None:
        sizes.append(axis_size)
    if not sizes:
        raise ValueError(
            located(
                f"{what}: no argument is mapped over",
                "What to do: give at least one argument an axis in in_axes, or pass axis_size.",
            )
        )
    if len(set(sizes)) > 1:
        paths = [p for p, _ in tree.leaves_with_path(args)]
        names = [f"{('args', 'kwargs')[p[0].key]}{tree.keystr(p[1:])}" for p in paths]
        lines = [
            f"  {name}: shape {x.shape}, axis {d}, size {x.shape[d]}"
            for name, x, d in zip(names, arrays, dims, strict=True)
            if d is not None
        ][:6]
        if axis_size is not None:
            lines.append(f"  axis_size={axis_size}")
        raise ValueError(
            located(f"{what}: the mapped axes have different sizes:\n" + "\n".join(lines))
        )
    return sizes[0]


def _place(x: Any, dim: int | None, wanted: int | None, axis: Axis, what: str) -> Any:
    if wanted is None:
        if dim is not None:
            raise ValueError(
                located(f"{what}: out_axes is None for an output that differs among examples")
            )
        return x
    rank = x.ndim + (dim is None)
    if not -rank <= wanted < rank:
        raise ValueError(located(f"{what}: out_axes={wanted} for an output of {rank} dimensions"))
    return batched_at(x, dim, axis, wanted % rank)
