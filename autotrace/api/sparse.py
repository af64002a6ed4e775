"""Sparse Jacobians and Hessians: their patterns, and their values from few products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import tree
from ..core.avals import ShapedArray, is_inexact
from ..core.errors import NonDifferentiableError, located
from ..core.jaxpr import Jaxpr, sub_jaxprs
from ..core.lazy import LazyModule
from ..core.primitive import Primitive
from ..core.trace import Tracer, get_aval
from ..lax.arithmetic import convert_element_type
from ..lax.calls import custom_tangent_p
from ..lax.dependence import jacobian_pattern
from ..lax.indexing import gather
from ..lax.slicing import concatenate
from ..lax.structural import batched_at, reshape
from ..transforms.batch import Axis, batch_flat
from ..transforms.dependence import independent_inputs
from ..transforms.jvp import instantiate_all, jvp_flat
from ..transforms.linearize import linearize_flat
from ..transforms.simplify import simplify_jaxpr
from ..transforms.stage import stage
from ..transforms.transpose import transpose_linear
from .arguments import (
    FlatFunction,
    as_array,
    check_callable,
    name_of,
    normalize_argnums,
    owned,
)
from .coloring import color_columns, color_symmetric
from .compile import JitFunction
from .transformed import name_as, pickled, wraps

sparse: Any = LazyModule("scipy.sparse")

#: So many plans are kept for one function.
_PLANS = 64


class _Arguments:
    """One call's arguments: the arrays to differentiate with respect to, the other floating ones,
    and all else, which is a part of the structure: integers say what is where.

    Attributes:
      leaves: the floating arrays, those to differentiate with respect to first.
      count: how many these are.
      flat: the function of ``leaves``.
      key: what the structure depends on.
    """

    def __init__(self, fun: Callable, argnums: Any, args: tuple, kwargs: dict, what: str):
        chosen = normalize_argnums(argnums, len(args), what)
        wanted = [tree.flatten(args[p]) for p in chosen]
        rest = [a for p, a in enumerate(args) if p not in chosen]
        others, other_tree = tree.flatten((rest, kwargs))
        _refuse_tracers([*(x for leaves, _ in wanted for x in leaves), *others], what)
        self.leaves = [_check_input(x, what) for leaves, _ in wanted for x in leaves]
        self.count = len(self.leaves)
        floating = [_is_floating(x) for x in others]
        self.leaves += [x for x, f in zip(others, floating, strict=True) if f]
        self.fixed = [x for x, f in zip(others, floating, strict=True) if not f]
        self.key = (
            tuple(t for _, t in wanted),
            other_tree,
            tuple(floating),
            tuple(get_aval(x).strong() for x in self.leaves),
            tuple(_fixed_key(x) for x in self.fixed),
        )

        def call(leaves: Sequence[Any], *fixed: Any) -> Any:
            given = iter(leaves)
            trees = [tree.unflatten(t, [next(given) for _ in ls]) for ls, t in wanted]
            left = iter(fixed)
            found = tree.unflatten(other_tree, [next(given if f else left) for f in floating])
            full = iter(found[0])
            by_place = dict(zip(chosen, trees, strict=True))
            places = [by_place[p] if p in by_place else next(full) for p in range(len(args))]
            return fun(*places, **found[1])

        call.__name__ = name_of(fun)
        self._call = call

    def flat(self) -> FlatFunction:
        """The function of ``leaves``, with what is fixed as it is now."""
        fixed = [owned(x) for x in self.fixed]
        call = self._call

        def fun(*leaves: Any) -> Any:
            return call(leaves, *map(owned, fixed))

        fun.__name__ = call.__name__
        return FlatFunction(fun, tree.structure(tuple(self.leaves)))


def _refuse_tracers(leaves: Sequence[Any], what: str) -> None:
    if any(isinstance(x, Tracer) for x in leaves):
        raise TypeError(
            located(
                f"{what} makes a SciPy matrix, so it takes numbers and cannot be traced",
                "What to do: call it outside of jit, grad and vmap; or use jacfwd or jacrev there.",
            )
        )


def _check_input(x: Any, what: str) -> Any:
    as_array(x, what)
    if get_aval(x).dtype.kind != "f":
        raise NonDifferentiableError(
            located(
                f"{what} takes real floating inputs, got {get_aval(x)}",
                "What to do: pass x.astype(float); choose the arguments to differentiate with "
                "argnums.",
            )
        )
    return x


def _is_floating(x: Any) -> bool:
    return isinstance(x, float | complex | np.ndarray | np.generic) and is_inexact(
        get_aval(x).dtype
    )


def _fixed_key(x: Any) -> Any:
    if isinstance(x, np.ndarray | np.generic):
        return x.shape, x.dtype, x.tobytes()
    return type(x), x


def _stage_tangents(flat: Callable, arguments: _Arguments) -> Any:
    """The program from a function's inputs and tangents to the tangents of its outputs."""
    count = arguments.count
    avals = [get_aval(x).strong() for x in arguments.leaves]

    def push(*values: Any) -> list[Any]:
        primals = values[: len(avals)]
        tangents = [*values[len(avals) :], *(None for _ in avals[count:])]
        # As in reverse mode, which has rules for everything.
        outs, made = jvp_flat(flat, primals, tangents, "sparsity", linear=True)
        return instantiate_all(made, outs)

    return simplify_jaxpr(stage(push, [*avals, *avals[:count]], "sparsity"))


def _uses(jaxpr: Jaxpr, primitive: Primitive) -> bool:
    """Whether a program has an equation of a primitive, perhaps within another one."""
    return any(
        eqn.primitive is primitive or any(_uses(sub, primitive) for sub in sub_jaxprs(eqn.params))
        for eqn in jaxpr.eqns
    )


def _find_pattern(flat: Callable, arguments: _Arguments) -> tuple[Any, bool]:
    """The pattern of a function's Jacobian with respect to the first arguments, as a CSR array;
    and whether it has derivatives in reverse mode only."""
    avals = [get_aval(x) for x in arguments.leaves]
    active = avals[: arguments.count]
    inputs = [*(None for _ in avals), *independent_inputs(active)]
    jaxpr = _stage_tangents(flat, arguments)
    pattern = jacobian_pattern(jaxpr, inputs, sum(a.size for a in active))
    return pattern, _uses(jaxpr, custom_tangent_p)


def sparsity(fun: Callable, argnums: int | Sequence[int] = 0) -> Callable:
    """Where the Jacobian of a function may have nonzeros, whatever the values of its inputs.

    Found by following through the function's derivative which elements depend on which; nothing
    is computed with numbers. It is conservative: an element that is not in the pattern is zero at
    all inputs (NaN and infinity aside); one that is there may be zero. What is known when the
    function is traced narrows it: index arrays, masks, and zeros in constant arrays that it is
    multiplied with. A loop of many turns is taken to do in each of them what it does in any.

    Args:
      fun: a function of pytrees of arrays to a pytree of floating arrays.
      argnums: which positional argument or arguments to differentiate with respect to.

    Returns:
      A function of the same arguments that returns a ``scipy.sparse.csr_array`` of bools, of shape
      ``(size of the output, size of the input)``: a row for each element of the output, a column
      for each element of the input, in the order of ``ravel_pytree``, arguments one after the
      other. Integer and bool arguments are taken by their values, floating ones are not.

    Raises:
      ConcretizationError: when the function's Python asks for values of floating arguments.

    >>> import numpy as np
    >>> sparsity(lambda x: x[1:] * x[:-1])(np.ones(3)).toarray().astype(int)
    array([[1, 1, 0],
           [0, 1, 1]])
    """
    check_callable(fun, "sparsity")
    what = f"sparsity of {name_of(fun)}"

    @wraps(fun, "sparsity", argnums)
    def sparsity_f(*args: Any, **kwargs: Any) -> Any:
        arguments = _Arguments(fun, argnums, args, kwargs, what)
        return _find_pattern(arguments.flat(), arguments)[0]

    return sparsity_f


class SparseStructure(NamedTuple):
    """How a sparse derivative is found.

    Attributes:
      pattern: where it may have nonzeros, a ``csr_array`` of bools.
      columns: for each column the number of the product, in forward mode, that it is part of, -1
        for none.
      rows: for each row the number of the product in reverse mode; -1 for rows that are read off
        the columns' products.
    """

    pattern: Any
    columns: np.ndarray
    rows: np.ndarray

    @property
    def forward(self) -> int:
        """The number of products in forward mode."""
        return int(self.columns.max(initial=-1)) + 1

    @property
    def reverse(self) -> int:
        """The number of products in reverse mode."""
        return int(self.rows.max(initial=-1)) + 1

    @property
    def products(self) -> int:
        """How many products with vectors make the derivative."""
        return self.forward + self.reverse


class _Plan:
    """A structure, and the compiled function that makes the nonzeros."""

    def __init__(self, structure: SparseStructure, index: np.ndarray, values: Callable):
        self.structure = structure
        pattern = structure.pattern
        self.indices, self.indptr, self.shape = pattern.indices, pattern.indptr, pattern.shape
        self.values = JitFunction(lambda *leaves: values(leaves, index))

    def __call__(self, leaves: Sequence[Any]) -> Any:
        data = self.values(*leaves)
        parts = (data, self.indices.copy(), self.indptr.copy())
        return sparse.csr_array(parts, shape=self.shape)


class SparseDerivative:
    """A function that returns a sparse derivative; made by ``sparse_jacobian`` and
    ``sparse_hessian``. Its structure is found at the first call with arguments of given types and
    given integers, and kept."""

    def __init__(
        self, fun: Callable, argnums: Any, what: str, plan: Callable[..., _Plan], *options: Any
    ):
        check_callable(fun, what)
        name_as(self, fun, what)
        self.__name__: str
        self._fun = fun
        self._argnums = argnums
        self._options = what, fun, argnums, *options
        self._what = f"{what} of {name_of(fun)}"
        self._make = plan
        self._plans: dict[Any, _Plan] = {}

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __reduce__(self) -> str | tuple:
        return pickled(self, *self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The derivative, a ``scipy.sparse.csr_array``."""
        plan, arguments = self._plan(args, kwargs)
        return plan(arguments.leaves)

    def structure(self, *args: Any, **kwargs: Any) -> SparseStructure:
        """Pattern and coloring for arguments as these."""
        return self._plan(args, kwargs)[0].structure

    def _plan(self, args: tuple, kwargs: dict) -> tuple[_Plan, _Arguments]:
        arguments = _Arguments(self._fun, self._argnums, args, kwargs, self._what)
        plan = self._plans.get(arguments.key)
        if plan is None:
            plan = self._make(arguments, self._what)
            while len(self._plans) >= _PLANS:
                self._plans.pop(next(iter(self._plans)))
            self._plans[arguments.key] = plan
        return plan, arguments


def _given_pattern(pattern: Any, columns: int, what: str) -> Any:
    found = sparse.csr_array(pattern).astype(bool)
    if found.ndim != 2 or found.shape[1] != columns:
        raise ValueError(
            f"{what}: pattern has shape {found.shape}, and there are {columns} inputs, which "
            "are its columns"
        )
    found.sum_duplicates()
    return found


def _one_hot(colors: np.ndarray, avals: Sequence[ShapedArray]) -> list[np.ndarray]:
    """For each color the sum of the unit vectors of that color, as stacks of the arrays."""
    count = int(colors.max(initial=-1)) + 1
    seeds, start = [], 0
    for aval in avals:
        own = colors[start : start + aval.size]
        stack = np.zeros((count, aval.size), aval.dtype)
        places = np.flatnonzero(own >= 0)
        stack[own[places], places] = 1
        seeds.append(stack.reshape(count, *aval.shape))
        start += aval.size
    return seeds


def _products(linear: Callable, colors: np.ndarray, like: Sequence[Any]) -> Any:
    """The products of a linear function of arrays with the sums of unit vectors of one color, laid
    out flat one after another."""
    seeds = _one_hot(colors, [get_aval(x) for x in like])
    axis = Axis(len(seeds[0]))
    stacks, dims = batch_flat(linear, axis, seeds, [0] * len(seeds))
    dtype = np.result_type(*(x.dtype for x in stacks))
    flat = []
    for x, d in zip(stacks, dims, strict=True):
        x = convert_element_type(batched_at(x, d, axis), dtype)
        flat.append(reshape(x, (axis.size, math.prod(x.shape[1:]))))
    found = concatenate(flat, 1)
    return reshape(found, (math.prod(found.shape),))


def _check_outputs(outs: Sequence[Any], kinds: str, what: str) -> None:
    for out in outs:
        if get_aval(out).dtype.kind not in kinds:
            adjective = "real floating" if kinds == "f" else "floating"
            is_complex = get_aval(out).dtype.kind == "c"
            raise NonDifferentiableError(
                located(
                    f"{what}: the function must return {adjective} arrays, got {get_aval(out)}",
                    "What to do: mode='forward' takes complex results." if is_complex else "",
                )
            )


def _values(flat: Callable, count: int, structure: SparseStructure, what: str) -> Callable:
    """The function from a function's inputs, and the places of the nonzeros among all products
    (those with columns first), to the nonzeros of its Jacobian with respect to the first inputs."""

    def values(leaves: Sequence[Any], index: np.ndarray) -> Any:
        active = leaves[:count]
        parts = []
        if structure.forward or not structure.reverse:

            def push(*tangents: Any) -> list[Any]:
                full = [*tangents, *(None for _ in leaves[count:])]
                outs, made = jvp_flat(flat, leaves, full, "sparse_jacobian")
                _check_outputs(outs, "fc", what)
                return instantiate_all(made, outs)

            parts.append(_products(push, structure.columns, active))
        if structure.reverse:
            flags = [i < count for i in range(len(leaves))]
            outs, linear = linearize_flat(flat, leaves, flags, "sparse_jacobian")
            _check_outputs(outs, "f", what)

            def pull(*cts: Any) -> list[Any]:
                return instantiate_all(transpose_linear(linear, cts), active)

            dtype = np.result_type(*(x.dtype for x in outs))
            parts.append(convert_element_type(_products(pull, structure.rows, outs), dtype))
        found = concatenate(parts, 0) if len(parts) > 1 else parts[0]
        return gather(found, [index], (0,), mode="clip")

    return values


def _positions(pattern: Any) -> tuple[np.ndarray, np.ndarray]:
    """The row and the column of each element of a CSR array."""
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    return rows, pattern.indices.astype(np.int64)


def _colored(pattern: Any, in_reverse: np.ndarray) -> SparseStructure:
    """Color some rows for products in reverse mode, and the columns of the others."""
    rows, _ = _positions(pattern)
    parts = []
    for chosen in (~in_reverse, in_reverse):
        part = pattern.copy()
        part.data = chosen[rows]
        part.eliminate_zeros()
        parts.append(part)
    return SparseStructure(pattern, color_columns(parts[0]), color_columns(parts[1].T.tocsr()))


def _choose(pattern: Any, mode: str) -> SparseStructure:
    """Color columns or rows, in mode ``"auto"`` what takes fewest products: columns, rows, or the
    fullest rows and the columns of the others."""
    size = pattern.shape[0]
    lengths = np.diff(pattern.indptr)
    if mode == "reverse":
        return _colored(pattern, np.ones(size, bool))
    best = _colored(pattern, np.zeros(size, bool))
    if mode == "forward":
        return best
    limits = np.unique(lengths)
    if len(limits) > _LIMITS:
        limits = limits[np.linspace(0, len(limits) - 1, _LIMITS).astype(int)]
    rows, columns = _positions(pattern)
    found = []  # a bound of the number of products, and the rows in reverse mode
    for limit in [-1, *limits]:
        full = lengths > limit
        fullest_column = np.bincount(columns[full[rows]], minlength=1).max(initial=0)
        found.append((max(limit, 0) + fullest_column, full))
    for bound, full in (found[0], min(found, key=lambda pair: pair[0])):
        if bound < best.products:
            best = min(best, _colored(pattern, full), key=lambda s: s.products)
    return best


#: So many lengths of rows are tried as the limit beyond which rows are found in reverse mode.
_LIMITS = 32


def sparse_jacobian(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    pattern: Any = None,
    mode: str = "auto",
) -> SparseDerivative:
    """The Jacobian of a function as a sparse matrix, from a few products with vectors.

    Columns without a row in common are found in one product (Curtis, Powell, Reid 1974), rows
    without a column in common likewise in reverse mode, full rows in reverse and the others in
    forward mode (as Coleman and Verma 1998, by rows); which ones is found once for arguments of
    given types. All products are made in one compiled call.

    Args:
      fun: a function of pytrees of real floating arrays to a pytree of floating arrays.
      argnums: which positional argument or arguments to differentiate with respect to.
      pattern: where the Jacobian may have nonzeros, a sparse or dense array whose elements that are
        stored (not zero) say so, if known; else what ``sparsity`` finds. Nonzeros elsewhere make
        the result wrong.
      mode: ``"forward"`` for products with columns, ``"reverse"`` for products with rows,
        ``"auto"`` for what takes fewest products, which may be some of both.

    Returns:
      A function of the same arguments that returns a ``scipy.sparse.csr_array`` of the output's
      dtype: a row for each element of the output, a column for each element of the input, in the
      order of ``ravel_pytree``, arguments one after the other. Its method ``structure`` returns
      the pattern and the coloring. Integer and bool arguments belong to the structure: other values
      of theirs take another one.

    Raises:
      ValueError: for another mode, or a pattern of another shape.
      NonDifferentiableError: when inputs or outputs are not floating.

    >>> import numpy as np
    >>> jacobian = sparse_jacobian(lambda x: x[1:] ** 2 - x[:-1])
    >>> jacobian(np.array([1.0, 2.0, 3.0])).toarray()
    array([[-1.,  4.,  0.],
           [ 0., -1.,  6.]])
    >>> jacobian.structure(np.ones(10_000)).products
    2
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(
            f"sparse_jacobian: mode must be 'auto', 'forward' or 'reverse', got {mode!r}"
        )

    def plan(arguments: _Arguments, what: str) -> _Plan:
        flat = arguments.flat()
        count = arguments.count
        columns = sum(get_aval(x).size for x in arguments.leaves[:count])
        if pattern is None:
            found, only_reverse = _find_pattern(flat, arguments)
        else:
            found, only_reverse = _given_pattern(pattern, columns, what), False
        structure = _choose(found, "reverse" if only_reverse and mode == "auto" else mode)
        rows, cols = _positions(found)
        size, width = found.shape
        by_columns = structure.columns[cols] * size + rows
        by_rows = structure.forward * size + structure.rows[rows] * width + cols
        index = np.where(structure.rows[rows] < 0, by_columns, by_rows)
        return _Plan(structure, index, _values(flat, count, structure, what))

    return SparseDerivative(fun, argnums, "sparse_jacobian", plan, pattern, mode)


def _gradient(flat: Callable, count: int, what: str) -> Callable[..., list[Any]]:
    """The gradient of a scalar function of arrays with respect to the first ones."""

    def gradient(*leaves: Any) -> list[Any]:
        active = [i < count for i in range(len(leaves))]
        outs, linear = linearize_flat(flat, leaves, active, "sparse_hessian")
        avals = [get_aval(x) for x in outs]
        if len(avals) != 1 or avals[0].shape or avals[0].dtype.kind != "f":
            raise NonDifferentiableError(
                located(
                    f"{what}: the function must return a real floating scalar, got "
                    f"{', '.join(map(str, avals))}"
                )
            )
        ct = avals[0].dtype.type(1)
        return instantiate_all(transpose_linear(linear, [ct]), leaves[:count])

    return gradient


def sparse_hessian(
    fun: Callable, argnums: int | Sequence[int] = 0, pattern: Any = None
) -> SparseDerivative:
    """The Hessian of a scalar function as a sparse matrix, from a few Hessian-vector products.

    Each element is read off a product where it, or the one across the diagonal, is alone: a star
    coloring of the pattern (Coleman, Moré 1984; Gebremedhin, Manne, Pothen 2005), which takes
    fewer products than one without symmetry.

    Args:
      fun: a function of pytrees of real floating arrays to a floating scalar.
      argnums: which positional argument or arguments to differentiate with respect to.
      pattern: where the Hessian may have nonzeros (on either side of the diagonal), if known; else
        what ``sparsity`` of the gradient finds.

    Returns:
      A function of the same arguments that returns the whole symmetric matrix as a
      ``scipy.sparse.csr_array``; otherwise as ``sparse_jacobian``.

    Raises:
      NonDifferentiableError: when the function does not return a floating scalar.

    >>> import numpy as np
    >>> hessian = sparse_hessian(lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2))
    >>> hessian(np.array([1.0, 2.0, 3.0])).toarray()
    array([[ 4., -4.,  0.],
           [-4., 38., -8.],
           [ 0., -8.,  2.]])
    >>> hessian.structure(np.ones(10_000)).products
    3
    """

    def plan(arguments: _Arguments, what: str) -> _Plan:
        gradient = _gradient(arguments.flat(), arguments.count, what)
        columns = sum(get_aval(x).size for x in arguments.leaves[: arguments.count])
        if pattern is None:
            found = _find_pattern(gradient, arguments)[0]
        else:
            found = _given_pattern(pattern, columns, what)
        if found.shape[0] != columns:
            raise ValueError(f"{what}: the pattern must be square, got shape {found.shape}")
        found = sparse.csr_array(found + found.T)
        found.sort_indices()
        colors = color_symmetric(found)
        structure = SparseStructure(found, colors, np.full(columns, -1))
        rows, cols = _positions(found)
        keys = rows * structure.products + colors[cols]
        alone = np.bincount(keys, minlength=1)[keys] == 1
        rows, cols = np.where(alone, rows, cols), np.where(alone, cols, rows)
        index = colors[cols] * columns + rows
        return _Plan(structure, index, _values(gradient, arguments.count, structure, what))

    return SparseDerivative(fun, argnums, "sparse_hessian", plan, pattern)
