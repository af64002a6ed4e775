"""Jacobians, Hessians and Hessian-vector products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..core import tree
from ..core.errors import NonDifferentiableError, located
from ..core.tangents import float0_zeros
from ..core.trace import get_aval
from ..lax.slicing import slice_in_dim
from ..lax.structural import batched_at, reshape
from ..lax.tied import unit_vectors
from ..transforms.batch import Axis, batch_flat
from ..transforms.jvp import instantiate_all, jvp_flat
from ..transforms.linearize import linearize_flat
from ..transforms.transpose import transpose_linear
from .arguments import DerivativeCall, P, check_callable, name_of, plain
from .differentiate import grad, jvp
from .transformed import wraps


def _standard_basis(leaves: Sequence[Any]) -> tuple[list[Any], int]:
    """The unit vectors of the space of some arrays: a batch for each array, and their number."""
    avals = [get_aval(x) for x in leaves]
    total = sum(a.size for a in avals)
    starts = itertools.accumulate((a.size for a in avals), initial=0)
    return [unit_vectors(a, start, total) for a, start in zip(avals, starts, strict=False)], total


def _blocks(stack: Any, shapes: Sequence[tuple[int, ...]], at: int) -> list[Any]:
    """A stack over a standard basis, cut along dimension ``at`` into a block for each array of the
    basis, that dimension replaced by the array's own."""
    blocks, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        block = slice_in_dim(stack, start, stop, axis=at)
        blocks.append(reshape(block, (*stack.shape[:at], *shape, *stack.shape[at + 1 :])))
        start = stop
    return blocks


def _shapes(arrays: Sequence[Any]) -> list[tuple[int, ...]]:
    return [get_aval(x).shape for x in arrays]


def _jacobian_tree(call: DerivativeCall, rows: Sequence[Sequence[Any]]) -> Any:
    """Blocks ``rows[output][input]`` as a tree of outputs of trees of inputs."""
    blocks = iter(plain([b for row in rows for b in row], call.leaves))
    gradients = [call.gradient([next(blocks) for _ in row]) for row in rows]
    return call.with_aux(tree.unflatten(call.flat.out_tree, gradients))


def jacfwd(
    fun: Callable[P, Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[P, Any]:
    """The Jacobian of a function, by forward mode: one column for each input element.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      argnums: which positional argument or arguments to differentiate with respect to.
      has_aux: whether ``fun`` returns a pair of which only the first is differentiated.
      holomorphic: whether ``fun`` is holomorphic; inputs are then complex.

    Returns:
      A function of the same arguments that returns a tree of the output's structure, each leaf of
      which is a tree of the argument's structure, with arrays of shape ``output.shape +
      input.shape``; with ``has_aux`` a pair of that and ``aux``.

    Raises:
      NonDifferentiableError: when an input is not floating (complex, with ``holomorphic``).

    >>> import numpy as np
    >>> jacfwd(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    check_callable(fun, "jacfwd")
    what = f"jacfwd of {name_of(fun)}"

    @wraps(fun, "jacfwd", argnums, has_aux, holomorphic)
    def jacfwd_f(*args: Any, **kwargs: Any) -> Any:
        call = DerivativeCall(
            fun, argnums, args, kwargs, what, has_aux=has_aux, holomorphic=holomorphic
        )
        for leaf in call.leaves:
            if get_aval(leaf).dtype.kind == "c" and not holomorphic:
                raise NonDifferentiableError(
                    located(
                        f"{what} takes real inputs, got {get_aval(leaf)}",
                        "What to do: pass holomorphic=True for a holomorphic function.",
                    )
                )
        basis, total = _standard_basis(call.leaves)

        def push(*tangents: Any) -> list[Any]:
            outs, made = jvp_flat(call.flat, call.leaves, tangents, "jacfwd")
            return instantiate_all(made, outs)

        axis = Axis(total)
        stacks, dims = batch_flat(push, axis, basis, [0] * len(basis))
        rows = []
        for stack, dim in zip(stacks, dims, strict=True):
            last = stack.ndim - (dim is not None)
            rows.append(_blocks(batched_at(stack, dim, axis, last), _shapes(call.leaves), last))
        return _jacobian_tree(call, rows)

    return jacfwd_f


def jacrev(
    fun: Callable[P, Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[P, Any]:
    """The Jacobian of a function, by reverse mode: one row for each output element.

    Args:
      fun, argnums, has_aux, holomorphic: as for ``jacfwd``.
      allow_int: whether to accept integer and bool inputs, whose blocks are zeros of float0.

    Returns:
      As ``jacfwd``.

    Raises:
      NonDifferentiableError: when an input or output is of the wrong kind.

    >>> import numpy as np
    >>> jacrev(lambda x: np.array([2.0, 3.0]) * x.sum())(np.array([1.0, 2.0]))
    array([[2., 2.],
           [3., 3.]])
    """
    check_callable(fun, "jacrev")
    what = f"jacrev of {name_of(fun)}"

    @wraps(fun, "jacrev", argnums, has_aux, holomorphic, allow_int)
    def jacrev_f(*args: Any, **kwargs: Any) -> Any:
        call = DerivativeCall(
            fun,
            argnums,
            args,
            kwargs,
            what,
            has_aux=has_aux,
            holomorphic=holomorphic,
            allow_int=allow_int,
        )
        outs, linear = linearize_flat(call.flat, call.leaves, call.active, "jacrev")
        for out in outs:
            _check_jacrev_output(out, what, holomorphic)
        basis, total = _standard_basis(outs)
        given = [x for x, a in zip(call.leaves, call.active, strict=True) if a]

        def pull(*cts: Any) -> list[Any]:
            return instantiate_all(transpose_linear(linear, cts), given)

        axis = Axis(total)
        stacks, dims = batch_flat(pull, axis, basis, [0] * len(basis))
        made = iter([batched_at(x, d, axis) for x, d in zip(stacks, dims, strict=True)])
        columns = [
            next(made) if a else float0_zeros((total, *shape))
            for shape, a in zip(_shapes(call.leaves), call.active, strict=True)
        ]
        blocks = [_blocks(column, _shapes(outs), 0) for column in columns]
        rows = [[block[index] for block in blocks] for index in range(len(outs))]
        return _jacobian_tree(call, rows)

    return jacrev_f


def _check_jacrev_output(out: Any, what: str, holomorphic: bool) -> None:
    aval = get_aval(out)
    expected = "c" if holomorphic else "f"
    if aval.dtype.kind != expected:
        raise NonDifferentiableError(
            located(
                f"{what}: the function must return "
                f"{'complex' if holomorphic else 'floating'} arrays, got {aval}",
                "What to do: pass holomorphic=True for a holomorphic function, or take real and "
                "imaginary parts.",
            )
        )


def hessian(
    fun: Callable[P, Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[P, Any]:
    """The Hessian of a function, by forward over reverse mode.

    Args:
      fun, argnums, has_aux, holomorphic: as for ``jacfwd``.

    Returns:
      A function that returns, for each output and pair of arguments, an array of shape
      ``output.shape + input.shape + input.shape``, nested as ``jacfwd(jacrev(fun))``.

    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    inner = jacrev(fun, argnums, has_aux=has_aux, holomorphic=holomorphic)
    return jacfwd(inner, argnums, has_aux=has_aux, holomorphic=holomorphic)


def hvp(fun: Callable, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The product of a scalar function's Hessian with a vector, at the cost of a few gradients.

    Args:
      fun: a function of pytrees of arrays to a scalar.
      primals: a tuple or list of its arguments.
      tangents: as ``primals``: the vector.

    Returns:
      The product, of the structure of the first argument; a tuple with one entry for each
      argument when there are several.

    >>> import numpy as np
    >>> hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])
    """
    check_callable(fun, "hvp")
    argnums = tuple(range(len(primals)))
    product = jvp(grad(fun, argnums), primals, tangents)[1]
    return product[0] if len(argnums) == 1 else product
