"""Solutions of equations, differentiated through the equation and not through the solver.

Where ``f(a, x) = 0`` the derivative of ``x`` with respect to ``a`` is the solution of the linear
equation ``df/dx dx + df/da da = 0``, whatever way ``x`` was found: ``custom_root``. A linear
equation has a linear derivative and a transpose: ``custom_linear_solve``.

The functions that make up an equation are jaxprs that take the same leading constants, all that
any of them closes over, and pytrees of one structure, that of the solution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core import tree
from ..core.avals import ShapedArray, is_inexact, zeros_of
from ..core.config import config
from ..core.errors import NonDifferentiableError, located
from ..core.jaxpr import Jaxpr
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..core.trace import get_aval
from ..core.tree import TreeDef
from ..transforms.backends import compile_jaxpr
from ..transforms.batch import Axis
from ..transforms.derived import batched, split_linear, transposed
from ..transforms.evaluate import eval_jaxpr
from ..transforms.jvp import jvp_flat
from ..transforms.simplify import Inline, View
from .arithmetic import convert_element_type, neg, sub
from .bodies import Flags, batched_body, completed, present, rearranged, settle
from .calls import call_abstract
from .functions import (
    Function,
    as_function,
    bind_whole,
    check_same,
    first_of_pair,
    flatten_operands,
    name_of,
    with_all_closed,
)
from .scanning import batched_front

#: Operands: the constants, the right side. Results: the solution, and what else ``solve`` returns.
custom_linear_solve_p = Primitive("custom_linear_solve", multiple_results=True, noted=True)

#: Operands: the constants, the first guess. Results: the root, and what else ``solve`` returns.
#: ``tangent_solve`` is a jaxpr from the root and the right side of the linear equation there.
custom_root_p = Primitive("custom_root", multiple_results=True, noted=True)

_REMEDY = (
    "What to do: have them agree in structure, shapes and dtypes; 1.0 instead of 1, x.astype(...)."
)

#: The structure of a pytree and the types of its leaves.
_Type = tuple[TreeDef, Sequence[ShapedArray]]


def custom_linear_solve(
    matvec: Callable,
    b: Any,
    solve: Callable,
    transpose_solve: Callable | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solve ``matvec(x) = b`` by a function that derivatives do not look into.

    Derivatives are solutions of linear equations too, found by the same functions. They exist with
    respect to ``b`` and to all that ``matvec`` uses from outside.

    Args:
      matvec: a linear function from a pytree like ``b`` to another one.
      b: a pytree of arrays.
      solve: ``(matvec, b) -> x``, of any algorithm; it is traced abstractly.
      transpose_solve: ``(vecmat, b) -> x``, the same for the transpose of ``matvec``. Reverse mode
        needs it.
      symmetric: whether ``matvec`` is its own transpose; ``solve`` serves for both then.
      has_aux: whether ``solve`` and ``transpose_solve`` return pairs ``(x, aux)``; ``aux`` is any
        pytree of arrays, and has no derivative.

    Returns:
      The solution, a pytree like ``b``; with ``has_aux`` a pair of that and ``aux``.

    Raises:
      TypeError: where one of the functions returns something that is not like ``b``.
      NonDifferentiableError: in reverse mode without ``transpose_solve``.

    >>> import numpy as np
    >>> from autotrace import grad, lax
    >>> b = np.array([2.0, 4.0])
    >>> def f(d):
    ...     x = lax.custom_linear_solve(lambda x: d * x, b, lambda mv, b: b / d, symmetric=True)
    ...     return np.sum(x)
    >>> grad(f)(np.array([1.0, 2.0]))
    array([-2., -1.])
    """
    what = "custom_linear_solve"
    leaves, b_tree = flatten_operands(b, f"{what}: b")
    like = b_tree, [get_aval(x) for x in leaves]
    product = as_function(matvec, what, [b_tree], like[1])
    check_same(
        f"{what}: b and what matvec returns",
        like,
        (product.out_tree, product.jaxpr.out_avals),
        _REMEDY,
    )
    solver = _solver(what, "b", solve, matvec, like, has_aux)
    functions = [product, solver]
    if transpose_solve is not None:
        vecmat = matvec
        if not symmetric:
            back = _transpose_of(product.jaxpr, len(product.closed))
            vecmat = _linear_function(back, product.closed, b_tree, f"{what}: vecmat")
        functions.append(_solver(what, "b", transpose_solve, vecmat, like, has_aux))
    elif symmetric:
        functions.append(solver)
    closed, jaxprs = with_all_closed(functions)
    params = {
        "matvec": jaxprs[0],
        "solve": jaxprs[1],
        "transpose_solve": jaxprs[2] if len(jaxprs) > 2 else None,
        "consts": len(closed),
    }
    outs = bind_whole(custom_linear_solve_p, [*closed, *leaves], params)
    return tree.unflatten(solver.out_tree, outs)


def custom_root(
    f: Callable,
    initial_guess: Any,
    solve: Callable,
    tangent_solve: Callable,
    has_aux: bool = False,
) -> Any:
    """Find a root of a function by a function that derivatives do not look into.

    Derivatives come from the implicit function theorem: they exist with respect to all that ``f``
    uses from outside, and not with respect to the guess.

    Args:
      f: from a pytree of arrays to another one of the same structure and types.
      initial_guess: a pytree of floating arrays.
      solve: ``(f, initial_guess) -> x`` with ``f(x) = 0``, of any algorithm; it is traced
        abstractly.
      tangent_solve: ``(g, y) -> x`` with ``g(x) = y``, for ``g`` the derivative of ``f`` at the
        root, a linear function. For scalars ``lambda g, y: y / g(1.0)``. For reverse mode it has
        to be made of operations that can be transposed, as solutions of ``custom_linear_solve``
        can, and loops whose number of turns depends on values cannot.
      has_aux: whether ``solve`` returns a pair ``(x, aux)``; ``aux`` is any pytree of arrays, and
        has no derivative.

    Returns:
      The root, a pytree like ``initial_guess``; with ``has_aux`` a pair of that and ``aux``.

    Raises:
      TypeError: where one of the functions returns something that is not like the guess.

    >>> from autotrace import grad, lax
    >>> def newton(f, x):
    ...     return lax.fori_loop(0, 6, lambda _, x: x - f(x) / grad(f)(x), x)
    >>> def root(a):
    ...     return lax.custom_root(lambda x: x**2 - a, 1.0, newton, lambda g, y: y / g(1.0))
    >>> round(float(root(4.0)), 9), round(float(grad(root)(4.0)), 9)
    (2.0, 0.25)
    """
    what = "custom_root"
    leaves, guess_tree = flatten_operands(initial_guess, f"{what}: initial_guess")
    like = guess_tree, [get_aval(x) for x in leaves]
    _check_inexact(initial_guess, like[1])
    function = as_function(f, what, [guess_tree], like[1])
    check_same(
        f"{what}: initial_guess and what f returns",
        like,
        (function.out_tree, function.jaxpr.out_avals),
        _REMEDY,
    )
    solver = _solver(what, "initial_guess", solve, f, like, has_aux)
    tangent = _tangent_solver(what, tangent_solve, function, like)
    closed, jaxprs = with_all_closed([function, solver, tangent])
    params = {
        "f": jaxprs[0],
        "solve": jaxprs[1],
        "tangent_solve": jaxprs[2],
        "consts": len(closed),
    }
    outs = bind_whole(custom_root_p, [*closed, *leaves], params)
    return tree.unflatten(solver.out_tree, outs)


def _check_inexact(guess: Any, avals: Sequence[ShapedArray]) -> None:
    for (path, _), aval in zip(tree.leaves_with_path(guess), avals, strict=True):
        if not is_inexact(aval.dtype):
            raise TypeError(
                located(
                    f"custom_root: initial_guess{tree.keystr(path)} must be floating, got {aval}",
                    "What to do: 1.0 instead of 1; what else solve finds out it can return beside "
                    "the root, with has_aux=True.",
                )
            )


def _solver(
    what: str, given: str, solve: Callable, function: Callable, like: _Type, has_aux: bool
) -> Function:
    """What a user gave for ``solve``, checked to return something like what it gets."""

    def run(value: Any) -> Any:
        return solve(function, value)

    run.__name__ = name_of(solve)
    staged = as_function(run if callable(solve) else solve, what, [like[0]], like[1])
    got: _Type = staged.out_tree, staged.jaxpr.out_avals
    if has_aux:
        name = f"{what}: with has_aux=True {run.__name__}"
        got = first_of_pair(staged, name, "solution, aux")
    check_same(
        f"{what}: {given} and the solution that {run.__name__} returns",
        like,
        got,
        _REMEDY if has_aux else f"{_REMEDY} For (solution, aux) give has_aux=True.",
    )
    return staged


def _tangent_solver(what: str, solve: Callable, function: Function, like: _Type) -> Function:
    """From a root and a right side to the solution of the function's linearization there."""
    treedef, avals = like
    count = len(avals)
    flags = (*(False for _ in function.closed), *(True for _ in avals))
    forward, linear, found = split_linear(function.jaxpr, flags)
    linear = completed(linear, found, [True] * count, avals)

    def run(x: Any, right: Any) -> Any:
        residuals = eval_jaxpr(forward, [*function.closed, *tree.leaves(x)])[count:]
        return solve(_linear_function(linear, residuals, treedef, f"{what}: g"), right)

    run.__name__ = name_of(solve)
    pair = [treedef, treedef]
    staged = as_function(run if callable(solve) else solve, what, pair, [*avals, *avals])
    check_same(
        f"{what}: initial_guess and the solution that {run.__name__} returns",
        like,
        (staged.out_tree, staged.jaxpr.out_avals),
        _REMEDY,
    )
    return staged


def _linear_function(jaxpr: Jaxpr, known: Sequence[Any], treedef: TreeDef, what: str) -> Callable:
    """A linear program as the function of a pytree that a user's solver calls."""
    avals = jaxpr.in_avals[len(known) :]

    def apply(value: Any) -> Any:
        leaves, found = flatten_operands(value, f"{what}: its argument")
        if found == treedef:  # a Python number is of any dtype
            leaves = [
                convert_element_type(x, a.dtype) if get_aval(x).weak_type else x
                for x, a in zip(leaves, avals, strict=True)
            ]
        given = found, [get_aval(x) for x in leaves]
        check_same(f"{what}: what it takes and its argument", (treedef, avals), given, _REMEDY)
        return tree.unflatten(treedef, eval_jaxpr(jaxpr, [*known, *leaves]))

    return apply


def _transpose_of(matvec: Jaxpr, consts: int) -> Jaxpr:
    """The transpose of a jaxpr that is linear in all but its leading constants."""
    avals = matvec.in_avals[consts:]
    is_linear = tuple(i >= consts for i in range(len(matvec.invars)))
    back, found = transposed(matvec, is_linear, (True,) * len(avals))
    return completed(back, found, [True] * len(avals), avals)


def _first_outputs(jaxpr: Jaxpr, count: int) -> Jaxpr:
    if len(jaxpr.outvars) == count:
        return jaxpr
    return rearranged(jaxpr, range(len(jaxpr.invars)), range(count))


def _right_side(
    linear: bool, jaxpr: Jaxpr, consts: Sequence[Any], tangents: Sequence[Any], x: Sequence[Any]
) -> list[Any]:
    """The derivative of a function of constants and of ``x`` with respect to the constants."""
    return jvp_flat(lambda *cs: eval_jaxpr(jaxpr, [*cs, *x]), consts, tangents, linear=linear)[1]


# --- the rules that both share -----------------------------------------------------------------


def _impl(*args: Any, solve: Jaxpr, **_: Any) -> list[Any]:
    return list(compile_jaxpr(solve, config.backend)(*args))


def _abstract(*avals: ShapedArray, solve: Jaxpr, **_: Any) -> list[ShapedArray]:
    return call_abstract(*avals, jaxpr=solve)


def _simplify(view: View, args: Sequence[Any], params: dict) -> Any:
    return Inline(params["solve"], args)


def _batched_equation(
    primitive: Primitive, axis: Axis, args: Sequence[Any], dims: Sequence[int | None], params: dict
) -> tuple[list[Any], list[int | None]]:
    """Batch all functions of an equation, in such a way that pytrees like the solution have batch
    dims in the same leaves everywhere."""
    consts: int = params["consts"]
    count = len(args) - consts
    jaxprs = {name: p for name, p in params.items() if isinstance(p, Jaxpr)}

    def inputs(jaxpr: Jaxpr, flags: Sequence[bool]) -> tuple[int | None, ...]:
        like = [0 if flag else None for flag in flags]
        repeats = (len(jaxpr.invars) - consts) // max(count, 1)
        return (*dims[:consts], *like * repeats)

    def outputs(jaxpr: Jaxpr, flags: Sequence[bool]) -> list[bool]:
        return [d is not None for d in batched(jaxpr, axis, inputs(jaxpr, flags))[1]]

    def flow(flags: Flags) -> list[bool]:
        rows = [outputs(jaxpr, flags)[:count] for jaxpr in jaxprs.values()]
        return [any(column) for column in zip(*rows, strict=True)]

    flags = settle(flow, [d is not None for d in dims[consts:]])
    many = {}
    for name, jaxpr in jaxprs.items():
        front = [*flags, *outputs(jaxpr, flags)[count:]]
        many[name] = batched_body(jaxpr, axis, inputs(jaxpr, flags), front)
    rows = zip(args[consts:], dims[consts:], flags, strict=True)
    operands = [*args[:consts], *(batched_front(*row, axis) for row in rows)]
    front = [*flags, *outputs(jaxprs["solve"], flags)[count:]]
    outs = primitive.bind(*operands, **{**params, **many})
    return outs, [0 if flag else None for flag in front]


def _batch_rule(primitive: Primitive) -> Callable:
    def rule(axis: Axis, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple:
        return _batched_equation(primitive, axis, args, dims, params)

    return rule


for _primitive in (custom_linear_solve_p, custom_root_p):
    _primitive.def_impl(_impl)
    _primitive.def_abstract(_abstract)
    _primitive.def_simplify(_simplify)
    _primitive.def_batch(_batch_rule(_primitive))


# --- derivatives -------------------------------------------------------------------------------


@custom_root_p.def_jvp_call
def _root_jvp(
    linear: bool,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    f: Jaxpr,
    solve: Jaxpr,
    tangent_solve: Jaxpr,
    consts: int,
) -> tuple:
    outs = custom_root_p.bind(
        *primals, f=f, solve=solve, tangent_solve=tangent_solve, consts=consts
    )
    x = outs[: len(primals) - consts]
    right = _right_side(linear, f, primals[:consts], tangents[:consts], x)
    if not any(present(right)):
        return outs, [None] * len(outs)
    zeros = [zeros_of(get_aval(v)) for v in x]
    filled = [z if r is None else r for r, z in zip(right, zeros, strict=True)]
    # f(a, x) = 0, so that df/dx dx = -df/da da
    found = eval_jaxpr(tangent_solve, [*primals[:consts], *x, *filled])
    return outs, [*map(neg, found), *(None for _ in outs[len(x) :])]


@custom_linear_solve_p.def_jvp_call
def _linear_solve_jvp(
    linear: bool,
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    matvec: Jaxpr,
    solve: Jaxpr,
    transpose_solve: Jaxpr | None,
    consts: int,
) -> tuple:
    params = {"matvec": matvec, "transpose_solve": transpose_solve, "consts": consts}
    outs = custom_linear_solve_p.bind(*primals, solve=solve, **params)
    count = len(primals) - consts
    x = outs[:count]
    # A x = b, so that A dx = db - dA x
    changes = _right_side(linear, matvec, primals[:consts], tangents[:consts], x)
    right = [
        db if c is None else neg(c) if db is None else sub(db, c)
        for db, c in zip(tangents[consts:], changes, strict=True)
    ]
    if not any(present(right)):
        return outs, [None] * len(outs)
    filled = [zeros_of(get_aval(v)) if r is None else r for r, v in zip(right, x, strict=True)]
    found = custom_linear_solve_p.bind(
        *primals[:consts], *filled, solve=_first_outputs(solve, count), **params
    )
    dx = [t if is_inexact(get_aval(v).dtype) else None for t, v in zip(found, x, strict=True)]
    return outs, [*dx, *(None for _ in outs[count:])]


@custom_linear_solve_p.def_transpose
def _linear_solve_transpose(
    cts: Sequence[Any],
    *args: Any,
    matvec: Jaxpr,
    solve: Jaxpr,
    transpose_solve: Jaxpr | None,
    consts: int,
) -> list[Any]:
    if any(isinstance(a, LinearInput) for a in args[:consts]):
        raise NonDifferentiableError(
            located("custom_linear_solve is linear in b only, not in what matvec uses")
        )
    if transpose_solve is None:
        raise NonDifferentiableError(
            located(
                "reverse mode met a custom_linear_solve without transpose_solve",
                "What to do: give it transpose_solve=(function of vecmat and b), or "
                "symmetric=True where the linear function is its own transpose; or use forward "
                "mode (jvp, jacfwd).",
            )
        )
    right = args[consts:]
    count = len(right)
    filled = [
        zeros_of(aval) if ct is None else ct
        for ct, aval in zip(cts[:count], solve.out_avals, strict=False)
    ]
    back = custom_linear_solve_p.bind(
        *args[:consts],
        *filled,
        matvec=_transpose_of(matvec, consts),
        solve=_first_outputs(transpose_solve, count),
        transpose_solve=_first_outputs(solve, count),
        consts=consts,
    )
    found = [ct if isinstance(b, LinearInput) else None for ct, b in zip(back, right, strict=True)]
    return [*(None for _ in args[:consts]), *found]
