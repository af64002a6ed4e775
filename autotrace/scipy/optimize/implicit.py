"""What the optimizers and root finders share: compiled functions of a flat vector, and derivatives
of what is found by the equation that it solves."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...api.arguments import check_callable, name_of
from ...api.compile import jit
from ...api.effects import pure_callback
from ...api.inspect import ShapeDtypeStruct
from ...api.raveling import ravel_pytree
from ...api.vectorize import vmap
from ...core import tree
from ...core.trace import Tracer, get_aval
from ...lax.constants import stop_gradient
from ...lax.functions import as_function
from ...lax.implicit import custom_root
from ...numpy import array
from ...transforms.evaluate import eval_jaxpr
from ..sparse.linalg import gmres

_FLOAT = np.dtype(np.float64)
#: Linear systems with more unknowns are solved without writing out their matrix.
_DENSE = 1000


def is_traced(values: Any) -> bool:
    """Whether there is a traced value in a pytree."""
    return any(isinstance(x, Tracer) for x in tree.leaves(values))


def plain_call(fun: Callable, x: Any, *args: Any, **kwargs: Any) -> Any:
    """How a function of the unknowns and of further arguments is called."""
    return fun(x, *args, **kwargs)


@dataclass(frozen=True)
class _Recipe:
    """A user's function as one of a flat vector and of arrays: all that it depends on.

    Attributes:
      fun, call: the function, and how it is called.
      structure, shapes: those of the unknowns; ``structure`` is None where they are passed as they
        are.
      vector: whether the result is laid out flat, too.
      in_tree, fixed: the structure of the further arguments, and for each of their leaves None
        where it is an array or a float, else a pair of its type and itself.
    """

    fun: Callable
    call: Callable
    structure: tree.TreeDef | None
    shapes: tuple[tuple[int, ...], ...]
    vector: bool
    in_tree: tree.TreeDef
    fixed: tuple

    def unravel(self, v: Any) -> Any:
        if self.structure is None:
            return v
        found, start = [], 0
        for shape in self.shapes:
            stop = start + math.prod(shape)
            found.append(v[start:stop].reshape(shape))
            start = stop
        return tree.unflatten(self.structure, found)

    def function(self) -> Callable:
        def f(v: Any, *arrays: Any) -> Any:
            given = iter(arrays)
            leaves = [next(given) if x is None else x[1] for x in self.fixed]
            args, kwargs = tree.unflatten(self.in_tree, leaves)
            out = self.call(self.fun, self.unravel(v), *args, **kwargs)
            return ravel_pytree(out)[0] if self.vector else out

        f.__name__ = name_of(self.fun)
        return f


def _make(recipe: _Recipe, make: Callable | None, compiled: bool) -> Callable:
    made = recipe.function() if make is None else make(recipe.function())
    return jit(made) if compiled else made


_kept = functools.lru_cache(maxsize=256)(_make)


class Problem:
    """A function, a first guess of its unknowns, and its further arguments.

    Args:
      what: who takes the function, for messages.
      x0: an array, a number, or a pytree of arrays.
      args, kwargs: further arguments.
      vector: whether the function's result is wanted as an array of one dimension.
      elementwise: whether the unknowns are passed as they are, each a problem of its own.
      call: calls the function with the unknowns and the further arguments.

    Attributes:
      start: the guess, laid out flat in float64.
    """

    def __init__(
        self,
        what: str,
        fun: Callable,
        x0: Any,
        args: Any = (),
        kwargs: dict | None = None,
        *,
        vector: bool = False,
        elementwise: bool = False,
        call: Callable = plain_call,
    ):
        check_callable(fun, what)
        self.what = what
        self.elementwise = elementwise
        args = tuple(args) if isinstance(args, tuple | list) else (args,)
        structure, shapes = None, ()
        if elementwise:
            self.start = x0.astype(_FLOAT) if hasattr(x0, "astype") else np.asarray(x0, _FLOAT)[()]
        else:
            x0 = _as_unknowns(x0)
            structure = tree.structure(x0)
            shapes = tuple(np.shape(x) for x in tree.leaves(x0))
            self.start = ravel_pytree(x0)[0].astype(_FLOAT)
        self._recipe = _Recipe(fun, call, structure, shapes, vector, *_sorted(args, kwargs or {}))
        self._arrays = _arrays(args, kwargs or {})

    def of(self, fun: Callable, args: Any) -> Problem:
        """Another function of the same unknowns, whose result is wanted as an array."""
        args = tuple(args) if isinstance(args, tuple | list) else (args,)
        in_tree, fixed = _sorted(args, {})
        other = copy.copy(self)
        other._arrays = _arrays(args, {})
        other._recipe = replace(
            self._recipe, fun=fun, call=plain_call, vector=True, in_tree=in_tree, fixed=fixed
        )
        return other

    def calling(self, call: Callable, vector: bool = False) -> Problem:
        """The same arguments, with the function called in another way, of a flat vector."""
        other = copy.copy(self)
        other._recipe = replace(self._recipe, call=call, vector=vector, structure=None)
        return other

    def unravel(self, v: Any) -> Any:
        """A flat vector in the structure of the unknowns."""
        return self._recipe.unravel(v)

    def finished(self, result: Any) -> Any:
        """SciPy's result, its unknowns in their structure."""
        result.x = self.unravel(result.x)
        return result

    def compiled(self, make: Callable | None = None) -> Callable:
        """A derivative of the function, compiled; of the flat vector (and of what else it takes).

        Args:
          make: from a function of the vector and of arrays to the derivative, a function of these
            with other arguments in between; the function itself when None. What it makes is kept,
            so that it must be the same object each time.
        """
        return self.made(make, True)

    def made(self, make: Callable | None, compiled: bool = False) -> Callable:
        """As ``compiled``, where it compiles by itself."""
        arrays = self._arrays
        try:
            function = _kept(self._recipe, make, compiled)
        except TypeError:  # a function or an argument that cannot be hashed
            function = _make(self._recipe, make, compiled)
        return lambda *values: function(*values, *arrays)

    def plain(self) -> Callable:
        """The function of the flat vector, not compiled."""
        function, arrays = self._recipe.function(), self._arrays
        return lambda v: function(v, *arrays)


def _as_unknowns(x0: Any) -> Any:
    """A number or a sequence of numbers as an array of one dimension, as SciPy takes it."""
    if isinstance(x0, list | tuple) and all(
        isinstance(x, int | float | np.generic) or (isinstance(x, Tracer) and not x.ndim)
        for x in x0
    ):
        return array(x0)
    if isinstance(x0, Tracer | np.ndarray | np.generic | float | int) and not np.ndim(x0):
        return np.reshape(x0, 1)
    return x0


def _is_array(x: Any) -> bool:
    return isinstance(x, Tracer | np.ndarray | np.generic | float | complex)


def _sorted(args: tuple, kwargs: dict) -> tuple[tree.TreeDef, tuple]:
    leaves, in_tree = tree.flatten((args, kwargs))
    return in_tree, tuple(None if _is_array(x) else (type(x), x) for x in leaves)


def _arrays(args: tuple, kwargs: dict) -> list[Any]:
    return [x for x in tree.leaves((args, kwargs)) if _is_array(x)]


def find_root(
    problem: Problem,
    solve: Callable,
    equation: Callable,
    counts: Sequence[str],
    more: tuple = (),
    found: str = "x",
) -> tuple[Callable, Any, dict[str, Any]]:
    """What SciPy finds, in traced code: a step in Python, with derivatives by an equation.

    Args:
      problem: the problem; its function may use traced values.
      solve: from a problem of numbers, and ``more``, to SciPy's result.
      equation: ``(f, v, *more)`` to what is zero at the solution ``v``, for the function ``f`` of
        the flat vector.
      counts: what else is wanted of SciPy's result.
      more: further values that the solution depends on, or None.
      found: what SciPy calls the solution.

    Returns:
      The function of the flat vector, the solution, and what else was wanted.
    """
    start = stop_gradient(problem.start)
    aval = get_aval(start).strong()
    staged = as_function(problem.plain(), problem.what, [tree.LEAF], [aval])
    closed = staged.closed

    def f(v: Any, *values: Any) -> Any:
        return eval_jaxpr(staged.jaxpr, [*(values or closed), v])[0]

    f.__name__ = problem.what
    types = {"success": np.dtype(bool), "converged": np.dtype(bool)}
    like = ShapeDtypeStruct(aval.shape, _FLOAT)
    result_types = [like, *(ShapeDtypeStruct((), types.get(c, np.int64)) for c in counts)]

    def host(guess: Any, values: list, more: tuple) -> list:
        own = Problem(problem.what, f, guess, values, elementwise=problem.elementwise)
        result = solve(own, *more)
        info = [np.asarray(result[c], types.get(c, np.int64))[()] for c in counts]
        return [np.asarray(getattr(result, found), _FLOAT).reshape(aval.shape)[()], *info]

    def run(_: Callable, guess: Any) -> tuple:
        x, *info = pure_callback(host, result_types, guess, list(closed), more)
        return x, info

    tangent_solve = _elementwise_solve if problem.elementwise else dense_solve
    x, info = custom_root(lambda v: equation(f, v, *more), start, run, tangent_solve, has_aux=True)
    return f, x, dict(zip(counts, info, strict=True))


def _elementwise_solve(g: Callable, y: Any) -> Any:
    return y / g(np.ones(y.shape)[()])


def dense_solve(g: Callable, y: Any) -> Any:
    """Solve ``g(x) = y`` for a linear function of an array of one dimension: by LAPACK, or where
    the matrix is too large by ``gmres``."""
    if y.shape[0] > _DENSE:
        return gmres(g, y, tol=1e-10)[0]

    matrix = vmap(g, out_axes=1)(np.eye(y.shape[0]))
    return np.linalg.solve(matrix, y)
