"""Operations across the examples of a vmap whose axis has a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray, make_aval
from ..core.errors import located
from ..core.primitive import Primitive
from ..core.trace import Tracer, active_traces, axis_sizes
from ..transforms.batch import Axis
from .arithmetic import convert_element_type, div, eq, mul
from .dynamic_slicing import dynamic_index_in_dim
from .indexing import iota
from .reductions import reduce_max, reduce_min
from .slicing import concatenate, index_in_dim
from .structural import array, expand_dims, move_axis, reduce_sum, zeros_like


def _unknown_axis(name: Any) -> NameError:
    known = ", ".join(repr(n) for n, _ in axis_sizes()) or "none"
    return NameError(
        located(
            f"no axis named {name!r} is being mapped (being mapped: {known})",
            f"What to do: call this inside vmap(f, axis_name={name!r}).",
        )
    )


class CollectivePrimitive(Primitive):
    """A primitive that belongs to the trace that maps its axis, whatever its inputs are."""

    __slots__ = ()

    def bind(self, *args: Any, **params: Any) -> Any:
        name = params["axis_name"]
        owner = next((t for t in reversed(active_traces()) if t.axis_name == name), None)
        if owner is None:
            raise _unknown_axis(name)
        top = max(
            (x.owner for x in args if isinstance(x, Tracer)), key=lambda t: t.level, default=owner
        )
        if top.level < owner.level:
            top = owner
        return top.process(self, args, params)


def axis_size(axis_name: Any) -> int:
    """The size of a named axis, a Python int.

    Raises:
      NameError: when no axis of that name is being mapped.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> at.vmap(lambda x: x / lax.axis_size("i"), axis_name="i")(np.ones(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    for name, size in reversed(axis_sizes()):
        if name == axis_name:
            return size
    raise _unknown_axis(axis_name)


def _over_names(primitive: Primitive, x: Any, axis_name: Any) -> Any:
    names = axis_name if isinstance(axis_name, tuple | list) else (axis_name,)

    def apply(leaf: Any) -> Any:
        leaf = array(leaf)
        for name in names:
            leaf = primitive.bind(leaf, axis_name=name)
        return leaf

    return tree.map(apply, x)


def _reducing(name: str, reduce: Callable, unbatched: Callable) -> CollectivePrimitive:
    """A collective that gives each example the reduction over all of them.

    Args:
      reduce: over dimensions.
      unbatched: ``(x, size)``, for a value that is the same for all examples.
    """
    primitive = CollectivePrimitive(name)
    primitive.def_abstract(lambda x, *, axis_name: x.strong())

    def batch(axis: Axis, args: Any, dims: Any, *, axis_name: Any) -> tuple:
        (x,), (dim,) = args, dims
        if axis.name != axis_name:
            return primitive.bind(x, axis_name=axis_name), dim
        return (unbatched(x, axis.size) if dim is None else reduce(x, (dim,))), None

    primitive.def_batch(batch)
    return primitive


psum_p = _reducing("psum", reduce_sum, lambda x, size: mul(x, size))
pmax_p = _reducing("pmax", reduce_max, lambda x, size: x)
pmin_p = _reducing("pmin", reduce_min, lambda x, size: x)


@psum_p.def_jvp
def _psum_jvp(primals: Any, tangents: Any, out: Any, *, axis_name: Any) -> Any:
    return psum_p.bind(tangents[0], axis_name=axis_name)


@psum_p.def_transpose
def _psum_transpose(ct: Any, x: Any, *, axis_name: Any) -> list[Any]:
    return [psum_p.bind(ct, axis_name=axis_name)]


def _extremum_jvp(primals: Any, tangents: Any, out: Any, *, axis_name: Any) -> Any:
    mine = convert_element_type(eq(primals[0], out), out.dtype)
    share = div(mine, psum_p.bind(mine, axis_name=axis_name))
    return psum_p.bind(mul(tangents[0], share), axis_name=axis_name)


pmax_p.def_jvp(_extremum_jvp)
pmin_p.def_jvp(_extremum_jvp)


def psum(x: Any, axis_name: Any) -> Any:
    """The sum over the examples of one or several named axes, for each example.

    Args:
      x: an array or a pytree of arrays.
      axis_name: a name given to ``vmap``, or a tuple of names.

    Returns:
      ``x``'s structure, each leaf summed.

    Raises:
      NameError: when no axis of that name is being mapped.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> at.vmap(lambda x: x / lax.psum(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    return _over_names(psum_p, x, axis_name)


def pmean(x: Any, axis_name: Any) -> Any:
    """The mean over the examples of one or several named axes; see ``psum``.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> at.vmap(lambda x: x - lax.pmean(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    names = axis_name if isinstance(axis_name, tuple | list) else (axis_name,)
    count = int(np.prod([axis_size(n) for n in names]))
    return tree.map(lambda s: div(s, count), psum(x, axis_name))


def pmax(x: Any, axis_name: Any) -> Any:
    """The maximum over the examples of one or several named axes; see ``psum``.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> at.vmap(lambda x: lax.pmax(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([3., 3.])
    """
    return _over_names(pmax_p, x, axis_name)


def pmin(x: Any, axis_name: Any) -> Any:
    """The minimum over the examples of one or several named axes; see ``psum``.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> at.vmap(lambda x: lax.pmin(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([1., 1.])
    """
    return _over_names(pmin_p, x, axis_name)


axis_index_p = CollectivePrimitive("axis_index")
axis_index_p.def_abstract(lambda *, axis_name: make_aval((), np.dtype(np.int64)))
axis_index_p.def_jvp(lambda primals, tangents, out, *, axis_name: None)


@axis_index_p.def_batch
def _axis_index_batch(axis: Axis, args: Any, dims: Any, *, axis_name: Any) -> tuple:
    if axis.name != axis_name:
        return axis_index_p.bind(axis_name=axis_name), None
    return iota(np.int64, axis.size), 0


def axis_index(axis_name: Any) -> Any:
    """The number of the present example along a named axis, an int64 scalar.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> at.vmap(lambda x: x * lax.axis_index("i"), axis_name="i")(np.ones(3))
    array([0., 1., 2.])
    """
    return axis_index_p.bind(axis_name=axis_name)


all_gather_p = CollectivePrimitive("all_gather")


@all_gather_p.def_abstract
def _all_gather_abstract(x: ShapedArray, *, axis_name: Any) -> ShapedArray:
    return make_aval((axis_size(axis_name), *x.shape), x.dtype)


@all_gather_p.def_jvp
def _all_gather_jvp(primals: Any, tangents: Any, out: Any, *, axis_name: Any) -> Any:
    return all_gather_p.bind(tangents[0], axis_name=axis_name)


@all_gather_p.def_transpose
def _all_gather_transpose(ct: Any, x: Any, *, axis_name: Any) -> list[Any]:
    total = psum_p.bind(ct, axis_name=axis_name)
    return [dynamic_index_in_dim(total, axis_index(axis_name), 0, keepdims=False)]


@all_gather_p.def_batch
def _all_gather_batch(axis: Axis, args: Any, dims: Any, *, axis_name: Any) -> tuple:
    (x,), (dim,) = args, dims
    if axis.name != axis_name:
        return all_gather_p.bind(x, axis_name=axis_name), None if dim is None else dim + 1
    if dim is None:
        return concatenate([expand_dims(x, (0,))] * axis.size, 0), None
    return move_axis(x, dim, 0), None


def all_gather(x: Any, axis_name: Any, *, axis: int = 0) -> Any:
    """The values of all examples, stacked along a new dimension, for each example.

    Args:
      x: an array or a pytree of arrays.
      axis_name: a name given to ``vmap``.
      axis: where the new dimension goes.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> at.vmap(lambda x: lax.all_gather(x, "i").sum(), axis_name="i")(np.array([1.0, 3.0]))
    array([4., 4.])
    """
    return tree.map(
        lambda leaf: move_axis(all_gather_p.bind(array(leaf), axis_name=axis_name), 0, axis), x
    )


ppermute_p = CollectivePrimitive("ppermute")
ppermute_p.def_abstract(lambda x, *, axis_name, perm: x.strong())


@ppermute_p.def_jvp
def _ppermute_jvp(primals: Any, tangents: Any, out: Any, *, axis_name: Any, perm: tuple) -> Any:
    return ppermute_p.bind(tangents[0], axis_name=axis_name, perm=perm)


@ppermute_p.def_transpose
def _ppermute_transpose(ct: Any, x: Any, *, axis_name: Any, perm: tuple) -> list[Any]:
    back = tuple((target, source) for source, target in perm)
    return [ppermute_p.bind(ct, axis_name=axis_name, perm=back)]


@ppermute_p.def_batch
def _ppermute_batch(axis: Axis, args: Any, dims: Any, *, axis_name: Any, perm: tuple) -> tuple:
    (x,), (dim,) = args, dims
    if axis.name != axis_name:
        return ppermute_p.bind(x, axis_name=axis_name, perm=perm), dim
    source_of = {target: source for source, target in perm}
    rows = [
        expand_dims(_row(x, dim, source_of[i]) if i in source_of else _no_row(x, dim), (0,))
        for i in range(axis.size)
    ]
    return concatenate(rows, 0), 0


def _row(x: Any, dim: int | None, index: int) -> Any:
    return x if dim is None else index_in_dim(x, index, dim, keepdims=False)


def _no_row(x: Any, dim: int | None) -> Any:
    return zeros_like(_row(x, dim, 0))


def ppermute(x: Any, axis_name: Any, perm: Sequence[tuple[int, int]]) -> Any:
    """Send each example's value to another example.

    Args:
      x: an array or a pytree of arrays.
      axis_name: a name given to ``vmap``.
      perm: pairs (source, target); an example that nothing is sent to gets zeros.

    Raises:
      ValueError: when a source or a target occurs twice.

    >>> import autotrace as at, autotrace.lax as lax, numpy as np
    >>> send = lambda x: lax.ppermute(x, "i", [(0, 1), (1, 2)])
    >>> at.vmap(send, axis_name="i")(np.array([1.0, 2.0, 3.0]))
    array([0., 1., 2.])
    """
    pairs = tuple((int(s), int(t)) for s, t in perm)
    if len({s for s, _ in pairs}) < len(pairs) or len({t for _, t in pairs}) < len(pairs):
        raise ValueError(f"ppermute: a source or a target occurs twice in {perm}")
    return tree.map(lambda leaf: ppermute_p.bind(array(leaf), axis_name=axis_name, perm=pairs), x)
