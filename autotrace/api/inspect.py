"""Looking at what a function does: its jaxpr, its output types, its derivative step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, overload
from typing import Literal as OneOf

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray
from ..core.jaxpr import Jaxpr, Literal, Var, var_name
from ..transforms.jvp import jvp_flat
from ..transforms.linearize import linearize_flat
from ..transforms.simplify import simplify_jaxpr
from ..transforms.stage import as_numpy, stage
from ..transforms.transpose import transpose_linear
from .arguments import (
    FlatFunction,
    P,
    check_callable,
    flatten_arrays,
    name_of,
    normalize_argnums,
    without_static,
)
from .differentiate import aval_like
from .transformed import wraps


class ShapeDtypeStruct:
    """A shape and a dtype in place of an array, for ``eval_shape``, ``make_jaxpr``, ``lower``.

    Args:
      shape: a sequence of ints.
      dtype: what ``numpy.dtype`` takes.

    >>> ShapeDtypeStruct((2, 3), "float32")
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Sequence[int], dtype: Any):
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ShapeDtypeStruct)
            and self.shape == other.shape
            and self.dtype == other.dtype
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))


def _stage_call(
    fun: Callable, static_argnums: Any, args: tuple, kwargs: dict, transform: str
) -> tuple[Jaxpr, tree.TreeDef]:
    what = f"{transform} of {name_of(fun)}"
    call, dynamic = without_static(fun, args, static_argnums, what)
    leaves, in_tree = tree.flatten((dynamic, kwargs))
    flat = FlatFunction(call, in_tree)
    jaxpr = stage(flat, [aval_like(x, what) for x in leaves], transform)
    return jaxpr, flat.out_tree


def _out_struct(jaxpr: Jaxpr, out_tree: tree.TreeDef) -> Any:
    return tree.unflatten(out_tree, [ShapeDtypeStruct(a.shape, a.dtype) for a in jaxpr.out_avals])


@overload
def make_jaxpr(
    fun: Callable[P, Any],
    static_argnums: int | Sequence[int] = (),
    return_shape: OneOf[False] = False,
    simplify: bool = False,
) -> Callable[P, Jaxpr]: ...
@overload
def make_jaxpr(
    fun: Callable[P, Any],
    static_argnums: int | Sequence[int] = (),
    *,
    return_shape: OneOf[True],
    simplify: bool = False,
) -> Callable[P, tuple[Jaxpr, Any]]: ...
def make_jaxpr(
    fun: Callable,
    static_argnums: int | Sequence[int] = (),
    return_shape: bool = False,
    simplify: bool = False,
) -> Callable:
    """A function that returns the jaxpr of another function.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      static_argnums: positions of arguments that are Python values to the function.
      return_shape: whether to return also the output's structure, as ``eval_shape``.
      simplify: whether to simplify the jaxpr: constants folded, common subexpressions merged,
        calls inlined, identities that are exact in IEEE arithmetic applied.

    Returns:
      A function of the same arguments (arrays may be given as ``ShapeDtypeStruct``) that returns
      a ``Jaxpr``, or a pair with ``return_shape``.

    >>> import numpy as np
    >>> make_jaxpr(lambda x: np.sin(x) + 1)(2.0)
    { lambda ; a:f64[]. let
        b:f64[] = sin a
        c:f64[] = add b 1.0:f64[]
      in (c,) }
    """
    check_callable(fun, "make_jaxpr")

    @wraps(fun, "make_jaxpr", static_argnums, return_shape, simplify)
    def make_jaxpr_f(*args: Any, **kwargs: Any) -> Any:
        jaxpr, out_tree = _stage_call(fun, static_argnums, args, kwargs, "make_jaxpr")
        if simplify:
            jaxpr = simplify_jaxpr(jaxpr)
        return (jaxpr, _out_struct(jaxpr, out_tree)) if return_shape else jaxpr

    return make_jaxpr_f


def eval_shape(fun: Callable, *args: Any, **kwargs: Any) -> Any:
    """The structure, shapes and dtypes of a function's output, without computing it.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      args, kwargs: its arguments; arrays may be given as ``ShapeDtypeStruct``.

    Returns:
      The output with a ``ShapeDtypeStruct`` for each array.

    >>> import numpy as np
    >>> eval_shape(np.matmul, ShapeDtypeStruct((2, 3), float), ShapeDtypeStruct((3, 5), float))
    ShapeDtypeStruct(shape=(2, 5), dtype=float64)
    """
    check_callable(fun, "eval_shape")
    return _out_struct(*_stage_call(fun, (), args, kwargs, "eval_shape"))


class DerivativeTable:
    """The steps of a function with the derivative at each; printed as a table.

    Attributes:
      mode: ``"forward"`` or ``"reverse"``.
      rows: for each input and equation, in order: a tuple of its name, the equation as text, its
        value and its tangent (forward) or cotangent (reverse; None where zero).
    """

    def __init__(self, mode: str, rows: list[tuple[str, str, Any, Any]]):
        self.mode = mode
        self.rows = rows

    def _cells(self) -> list[tuple[str, ...]]:
        """The heading and the rows as text."""
        last = "tangent" if self.mode == "forward" else "cotangent"
        heading = ("variable", "equation", "primal", last)
        return [heading, *((n, e, _short(v), _short(t)) for n, e, v, t in self.rows)]

    def _repr_html_(self) -> str:
        rows = []
        for tag, cells in zip(["th", *["td"] * len(self.rows)], self._cells(), strict=True):
            shown = (f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
            rows.append(f"<tr>{''.join(shown)}</tr>")
        return f'<table style="font-family:monospace">{"".join(rows)}</table>'

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(len(row[i]) for row in cells) for i in range(4)]
        lines = [
            "  ".join(
                (c.ljust if i < 2 else c.rjust)(w)
                for i, (c, w) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * w for w in widths))
        return "\n".join(lines)


def _short(value: Any) -> str:
    if value is None:
        return "0"
    with np.printoptions(precision=5, threshold=6, edgeitems=2):
        if np.ndim(value):
            return str(value).replace("\n", "")
        return f"{value:.6g}" if np.asarray(value).dtype.kind in "fc" else str(value)


def explain(
    fun: Callable[P, Any],
    argnums: int | Sequence[int] = 0,
    mode: OneOf["forward", "reverse"] = "forward",
) -> Callable[P, DerivativeTable]:
    """A function that returns, step by step, how a derivative comes about.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      argnums: the argument or arguments to differentiate with respect to.
      mode: ``"forward"``: the tangent of each step, with tangents of one for the inputs;
        ``"reverse"``: the cotangent of each step, with cotangents of one for the outputs.

    Returns:
      A function of the same arguments that returns a ``DerivativeTable``.

    Raises:
      ValueError: for another mode.

    >>> print(explain(lambda x: x * x, mode="reverse")(3.0))
    variable  equation  primal  cotangent
    --------  --------  ------  ---------
    a         input          3          6
    b         mul a a        9          1
    """
    check_callable(fun, "explain")
    if mode not in ("forward", "reverse"):
        raise ValueError(f"explain: mode must be 'forward' or 'reverse', got {mode!r}")

    @wraps(fun, "explain", argnums, mode)
    def explain_f(*args: Any) -> DerivativeTable:
        what = f"explain of {name_of(fun)}"
        positions = normalize_argnums(argnums, len(args), what)
        active = [i in positions for i, arg in enumerate(args) for _ in tree.leaves(arg)]
        leaves, in_tree = flatten_arrays(args, f"{what}: argument ")
        jaxpr = simplify_jaxpr(
            stage(FlatFunction(fun, in_tree), [aval_like(x, what) for x in leaves], "explain")
        )
        values: dict[Var, Any] = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
        values.update(zip(jaxpr.invars, map(as_numpy, leaves), strict=True))
        step = _forward_steps if mode == "forward" else _reverse_steps
        slopes = step(jaxpr, values, active)
        return DerivativeTable(mode, _rows(jaxpr, values, slopes))

    return explain_f


def _read(atom: Any, values: dict[Var, Any]) -> Any:
    return atom.value if type(atom) is Literal else values[atom]


def _apply(eqn: Any, args: Sequence[Any]) -> list[Any]:
    out = eqn.primitive.bind(*args, **eqn.params)
    return list(out) if eqn.primitive.multiple_results else [out]


def _ones(aval: ShapedArray) -> Any:
    return np.ones(aval.shape, aval.dtype)[()] if aval.dtype.kind in "fc" else None


def _forward_steps(jaxpr: Jaxpr, values: dict[Var, Any], active: list[bool]) -> dict[Var, Any]:
    tangents: dict[Var, Any] = {
        v: _ones(v.aval) if a else None for v, a in zip(jaxpr.invars, active, strict=True)
    }
    for eqn in jaxpr.eqns:
        args = [_read(a, values) for a in eqn.invars]
        given = [None if type(a) is Literal else tangents.get(a) for a in eqn.invars]
        outs, made = jvp_flat(lambda *xs, eqn=eqn: _apply(eqn, xs), args, given)
        values.update(zip(eqn.outvars, outs, strict=True))
        tangents.update(zip(eqn.outvars, made, strict=True))
    return tangents


def _reverse_steps(jaxpr: Jaxpr, values: dict[Var, Any], active: list[bool]) -> dict[Var, Any]:
    pairs = zip(jaxpr.invars, active, strict=True)
    varied = {v for v, a in pairs if a and v.aval.dtype.kind in "fc"}
    pullbacks = []
    for eqn in jaxpr.eqns:
        args = [_read(a, values) for a in eqn.invars]
        wanted = [a in varied for a in eqn.invars]
        outs, linear = linearize_flat(lambda *xs, eqn=eqn: _apply(eqn, xs), args, wanted)
        values.update(zip(eqn.outvars, outs, strict=True))
        if any(wanted):
            varied.update(v for v, t in zip(eqn.outvars, linear.outs, strict=True) if t is not None)
        pullbacks.append((eqn, [a for a, w in zip(eqn.invars, wanted, strict=True) if w], linear))
    cts: dict[Var, Any] = {}
    for atom in jaxpr.outvars:
        if type(atom) is Var:
            cts[atom] = cts.get(atom, 0) + _ones(atom.aval)
    for eqn, sources, linear in reversed(pullbacks):
        made = transpose_linear(linear, [cts.get(v) for v in eqn.outvars])
        for var, ct in zip(sources, made, strict=True):
            if ct is not None:
                cts[var] = cts[var] + ct if var in cts else ct
    return cts


def _rows(jaxpr: Jaxpr, values: dict[Var, Any], slopes: dict[Var, Any]) -> list[tuple]:
    names = {v: var_name(i) for i, v in enumerate([*jaxpr.constvars, *jaxpr.invars])}
    rows = [(names[v], "constant", values[v], None) for v in jaxpr.constvars]
    rows += [(names[v], "input", values[v], slopes.get(v)) for v in jaxpr.invars]
    for eqn in jaxpr.eqns:
        words = [eqn.primitive.name]
        for atom in eqn.invars:
            words.append(_short(atom.value) if type(atom) is Literal else names[atom])
        for var in eqn.outvars:
            names[var] = var_name(len(names))
            rows.append((names[var], " ".join(words), values[var], slopes.get(var)))
    return rows
