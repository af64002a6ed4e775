"""grad, jvp, vjp and their relatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Literal, overload

import numpy as np

from ..core import tree
from ..core.avals import float0, is_inexact, tangent_aval, uniform
from ..core.errors import NonDifferentiableError, located
from ..core.jaxpr import Jaxpr
from ..core.tangents import LinearInput, float0_zeros
from ..core.trace import Tracer, get_aval
from ..lax.arithmetic import convert_element_type
from ..transforms.jvp import jvp_flat
from ..transforms.linearize import Linear, eval_linear, linearize_flat
from ..transforms.stage import lift_constant, stage
from ..transforms.transpose import backward_pass, transpose_linear
from .arguments import (
    A,
    DerivativeCall,
    FlatFunction,
    P,
    R,
    S,
    captured,
    check_callable,
    check_differentiable,
    flatten_arrays,
    name_of,
    plain,
    plain_tree,
)
from .transformed import wraps


def _inexact(leaf: Any) -> bool:
    return is_inexact(get_aval(leaf).dtype)


# A gradient has its argument's structure, so the type of the first argument is that of the result
# where the first argument is what is differentiated.
@overload
def value_and_grad(
    fun: np.ufunc,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., tuple[Any, Any]]: ...
@overload
def value_and_grad(  # type: ignore[overload-overlap]
    fun: Callable[Concatenate[A, P], R],
    argnums: Literal[0] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[Concatenate[A, P], tuple[R, A]]: ...
@overload
def value_and_grad(
    fun: Callable[P, R],
    argnums: int | Sequence[int],
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[P, tuple[R, Any]]: ...
def value_and_grad(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable:
    """A function that returns both the value and the gradient of a scalar function.

    Python control flow on values (``if``, ``while``, ``float``) works in ``fun``.

    Args:
      fun: a function of pytrees of floating or complex arrays to a scalar (or, with ``has_aux``,
        to a pair of a scalar and anything else).
      argnums: which positional argument or arguments to differentiate with respect to.
      has_aux: whether ``fun`` returns a pair of which only the first is differentiated.
      holomorphic: whether ``fun`` is holomorphic; then inputs and output are complex.
      allow_int: whether to accept integer and bool inputs, which get a float0 gradient.

    Returns:
      A function of the same arguments that returns ``(value, gradient)``, or ``((value, aux),
      gradient)`` with ``has_aux``. The gradient has the structure, shapes and dtypes of the
      argument; a tuple of such for a tuple ``argnums``. For complex inputs it is, as in JAX,
      ``df/dx - i df/dy`` with ``z = x + iy``.

    Raises:
      NonDifferentiableError: a TypeError, when an input is not floating or complex or the output
        is not a real scalar.

    >>> import numpy as np
    >>> value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    check_callable(fun, "value_and_grad")
    what = f"grad of {name_of(fun)}"

    @wraps(fun, "value_and_grad", argnums, has_aux, holomorphic, allow_int)
    def value_and_grad_f(*args: Any, **kwargs: Any) -> Any:
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
        outs, linear = linearize_flat(call.flat, call.leaves, call.active, "grad")
        value = _scalar_output(call.flat, outs, what, holomorphic)
        seed = lift_constant(get_aval(value).dtype.type(1))
        gradient = _pull_back(call, linear, [seed])
        (value,) = plain([value])
        return call.with_aux(value), gradient

    return value_and_grad_f


def _pull_back(call: DerivativeCall, linear: Linear, cts: Sequence[Any]) -> Any:
    """The gradient that output cotangents give."""
    with np.errstate(all="ignore"):
        found = iter(transpose_linear(linear, cts))
    made = [
        _as_gradient(next(found) if a else None, x)
        for x, a in zip(call.leaves, call.active, strict=True)
    ]
    return call.gradient(plain(made, call.leaves))


def _scalar_output(flat: FlatFunction, outs: list[Any], what: str, holomorphic: bool) -> Any:
    if flat.out_tree == tree.structure(None):
        raise NonDifferentiableError(
            located(
                f"{what}: the function must return one scalar, got None",
                "What to do: give it a return statement.",
            )
        )
    if flat.out_tree is not tree.LEAF and flat.out_tree.node_type is not None:
        raise NonDifferentiableError(
            located(
                f"{what}: the function must return one scalar, got {flat.out_tree}",
                "What to do: return auxiliary results with has_aux=True; use jacrev or vjp for "
                "several outputs.",
            )
        )
    (value,) = outs
    aval = get_aval(value)
    if aval.shape:
        raise NonDifferentiableError(
            located(
                f"{what}: the function must return a scalar, got an array of shape {aval.shape}",
                "What to do: use jacrev or jacfwd for the Jacobian, elementwise_grad for an "
                "elementwise function, or sum the output.",
            )
        )
    expected = "c" if holomorphic else "f"
    if aval.dtype.kind != expected:
        remedy = "What to do: pass holomorphic=True, or take the real part or abs()."
        raise NonDifferentiableError(
            located(
                f"{what}: the function must return a "
                f"{'complex' if holomorphic else 'floating'} scalar, got {aval.dtype}",
                remedy if aval.dtype.kind == "c" else "",
            )
        )
    return value


def _as_gradient(ct: Any, primal: Any) -> Any:
    """A cotangent as an array of the primal's shape."""
    if ct is not None:
        return ct
    aval = tangent_aval(get_aval(primal))
    return float0_zeros(aval.shape) if aval.dtype == float0 else uniform(aval.shape, aval.dtype)


@overload
def grad(
    fun: np.ufunc,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]: ...
@overload
def grad(
    fun: Callable[Concatenate[A, P], tuple[Any, S]],
    argnums: Literal[0] = 0,
    *,
    has_aux: Literal[True],
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[Concatenate[A, P], tuple[A, S]]: ...
@overload
def grad(  # type: ignore[overload-overlap]
    fun: Callable[Concatenate[A, P], Any],
    argnums: Literal[0] = 0,
    has_aux: Literal[False] = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[Concatenate[A, P], A]: ...
@overload
def grad(
    fun: Callable[P, Any],
    argnums: int | Sequence[int],
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[P, Any]: ...
def grad(
    fun: Callable,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable:
    """The gradient of a scalar function, by reverse-mode differentiation.

    Args:
      fun, argnums, has_aux, holomorphic, allow_int: as for ``value_and_grad``.

    Returns:
      A function of the same arguments that returns the gradient, or ``(gradient, aux)`` with
      ``has_aux``.

    Raises:
      NonDifferentiableError: as ``value_and_grad``.

    >>> import numpy as np
    >>> grad(lambda x, y: x**2 * y + y + 2)(3.0, 4.0)
    np.float64(24.0)
    >>> grad(grad(np.sin))(0.5) == -np.sin(0.5)
    np.True_
    """
    check_callable(fun, "grad")
    both = value_and_grad(fun, argnums, has_aux, holomorphic, allow_int)

    @wraps(fun, "grad", argnums, has_aux, holomorphic, allow_int)
    def grad_f(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return grad_f


def elementwise_grad(fun: Callable[P, R], argnums: int | Sequence[int] = 0) -> Callable[P, R]:
    """The derivative of a function that works element by element.

    It is the gradient of the sum of the outputs, which is the elementwise derivative where each
    output element depends on the matching input element only.

    Args:
      fun: a function of pytrees of floating arrays to a pytree of floating arrays.
      argnums: which positional argument or arguments to differentiate with respect to.

    Returns:
      A function of the same arguments that returns an array of the argument's shape.

    Raises:
      NonDifferentiableError: when an input or an output is not floating or complex.

    >>> import numpy as np
    >>> elementwise_grad(np.tanh)(np.array([0.0, 1.0]))
    array([1.        , 0.41997434])
    """
    check_callable(fun, "elementwise_grad")
    what = f"elementwise_grad of {name_of(fun)}"

    @wraps(fun, "elementwise_grad", argnums)
    def elementwise_grad_f(*args: Any, **kwargs: Any) -> Any:
        call = DerivativeCall(fun, argnums, args, kwargs, what)
        outs, linear = linearize_flat(call.flat, call.leaves, call.active, "elementwise_grad")
        for out in outs:
            check_differentiable(out, f"{what}: the output", False, False)
        return _pull_back(call, linear, [lift_constant(uniform(x.shape, x.dtype, 1)) for x in outs])

    return elementwise_grad_f


# --- forward mode ------------------------------------------------------------------------------


def _check_tangents(primals: Sequence[Any], tangents: Sequence[Any], what: str) -> list[Any]:
    """Tangents checked against primals; None for those of integers and bools."""
    out: list[Any] = []
    for primal, tangent in zip(primals, tangents, strict=True):
        tangent = captured(tangent)
        aval = tangent_aval(get_aval(primal))
        if aval.dtype == float0:
            if getattr(tangent, "dtype", None) != float0:
                raise TypeError(
                    located(
                        f"{what}: the tangent of an input of {get_aval(primal)} must have dtype "
                        f"float0, got {get_aval(tangent)}",
                        "What to do: pass np.zeros(shape, autotrace.float0), or a float input.",
                    )
                )
            out.append(None)
            continue
        got = get_aval(tangent)
        if got.shape != aval.shape or (got.dtype != aval.dtype and not got.weak_type):
            raise TypeError(
                located(f"{what}: the tangent of an input of {aval} must have its type, got {got}")
            )
        if got.weak_type and not isinstance(tangent, Tracer):
            tangent = aval.dtype.type(tangent)
        out.append(convert_element_type(tangent, aval.dtype))
    return out


@overload
def jvp(
    fun: Callable[..., R],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: Literal[False] = False,
) -> tuple[R, R]: ...
@overload
def jvp(
    fun: Callable[..., tuple[R, S]],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: Literal[True],
) -> tuple[R, R, S]: ...
def jvp(
    fun: Callable, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple:
    """The value of a function and its directional derivative, by forward mode.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      primals: a tuple or list of its arguments.
      tangents: as ``primals``, the direction: each leaf of its primal's shape and dtype; of dtype
        ``float0`` for integers and bools.
      has_aux: whether ``fun`` returns a pair of which only the first is differentiated.

    Returns:
      ``(primals_out, tangents_out)``, or with ``has_aux`` ``(primals_out, tangents_out, aux)``.
      Tangents of integer outputs are zeros of dtype ``float0``.

    Raises:
      TypeError: when primals and tangents do not match.

    >>> import numpy as np
    >>> jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    check_callable(fun, "jvp")
    what = f"jvp of {name_of(fun)}"
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise TypeError(
            located(f"{what}: primals and tangents must be tuples or lists of arguments")
        )
    leaves, in_tree = flatten_arrays(list(primals), f"{what}: primals")
    given, tangent_tree = tree.flatten(list(tangents))
    if tangent_tree != in_tree:
        raise TypeError(
            located(
                f"{what}: primals and tangents must have the same structure, got {in_tree} and "
                f"{tangent_tree}"
            )
        )
    flat = FlatFunction(fun, in_tree, has_aux=has_aux)
    outs, out_tangents = jvp_flat(flat, leaves, _check_tangents(leaves, given, what))
    made = [_as_gradient(t, p) for t, p in zip(out_tangents, outs, strict=True)]
    results = plain([*outs, *made], [*leaves, *given])
    out = tree.unflatten(flat.out_tree, results[: len(outs)])
    out_tangent = tree.unflatten(flat.out_tree, results[len(outs) :])
    return (out, out_tangent, plain_tree(flat.aux, leaves)) if has_aux else (out, out_tangent)


def _cotangents(ct: Any, out_tree: tree.TreeDef, outs: Sequence[Any], what: str) -> list[Any]:
    """The leaves of a cotangent, checked against the outputs."""
    given, ct_tree = tree.flatten(ct)
    if ct_tree != out_tree:
        raise TypeError(
            located(
                f"{what}: the cotangent must have the output's structure {out_tree}, got {ct_tree}"
            )
        )
    return _check_tangents(outs, given, f"{what} (cotangent)")


# --- linearize, vjp ----------------------------------------------------------------------------


def _owned(leaves: Sequence[Any]) -> list[Any]:
    """Inputs that outlive the call, copied: the caller may change theirs in place."""
    return [np.array(x) if isinstance(x, np.ndarray) else x for x in leaves]


@overload
def linearize(
    fun: Callable[..., R], *primals: Any, has_aux: Literal[False] = False
) -> tuple[R, Callable[..., R]]: ...
@overload
def linearize(
    fun: Callable[..., tuple[R, S]], *primals: Any, has_aux: Literal[True]
) -> tuple[R, Callable[..., R], S]: ...
def linearize(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of a function at a point, and its derivative there as a function of tangents.

    The function runs once; the derivative may be applied again and again.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      primals: its arguments.
      has_aux: whether ``fun`` returns a pair of which only the first is differentiated.

    Returns:
      ``(primals_out, f_jvp)``, with ``has_aux`` also ``aux``; ``f_jvp`` takes as many tangents as
      there are primals and returns the output's tangent.

    >>> import numpy as np
    >>> y, f_jvp = linearize(np.sin, 0.0)
    >>> f_jvp(3.0)
    np.float64(3.0)
    """
    check_callable(fun, "linearize")
    what = f"linearize of {name_of(fun)}"
    leaves, in_tree = flatten_arrays(primals, f"{what}: primals")
    leaves = _owned(leaves)
    flat = FlatFunction(fun, in_tree, has_aux=has_aux)
    active = [_inexact(x) for x in leaves]
    outs, linear = linearize_flat(flat, leaves, active, "linearize")

    f_jvp = _Pushforward(linear, leaves, in_tree, outs, flat.out_tree, what)
    # Copies: the outputs may be among the residuals.
    value = tree.unflatten(flat.out_tree, plain(outs, [*leaves, *outs]))
    return (value, f_jvp, plain_tree(flat.aux, leaves)) if has_aux else (value, f_jvp)


@overload
def vjp(
    fun: Callable[..., R], *primals: Any, has_aux: Literal[False] = False
) -> tuple[R, Callable[[Any], tuple[Any, ...]]]: ...
@overload
def vjp(
    fun: Callable[..., tuple[R, S]], *primals: Any, has_aux: Literal[True]
) -> tuple[R, Callable[[Any], tuple[Any, ...]], S]: ...
def vjp(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of a function at a point, and its transposed derivative there.

    The function runs once; the returned function may be called again and again.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays.
      primals: its arguments.
      has_aux: whether ``fun`` returns a pair of which only the first is differentiated.

    Returns:
      ``(primals_out, f_vjp)``, with ``has_aux`` also ``aux``; ``f_vjp`` takes a cotangent of the
      output's structure, shapes and dtypes and returns a tuple with one for each primal.

    >>> import numpy as np
    >>> y, f_vjp = vjp(lambda x, y: x * y, 2.0, 5.0)
    >>> f_vjp(1.0)
    (np.float64(5.0), np.float64(2.0))
    """
    check_callable(fun, "vjp")
    what = f"vjp of {name_of(fun)}"
    leaves, in_tree = flatten_arrays(primals, f"{what}: primals")
    leaves = _owned(leaves)
    flat = FlatFunction(fun, in_tree, has_aux=has_aux)
    active = [_inexact(x) for x in leaves]
    outs, linear = linearize_flat(flat, leaves, active, "vjp")
    f_vjp = _Pullback(linear, leaves, in_tree, outs, flat.out_tree, what, active)
    # Copies: the outputs may be among the residuals.
    value = tree.unflatten(flat.out_tree, plain(outs, [*leaves, *outs]))
    return (value, f_vjp, plain_tree(flat.aux, leaves)) if has_aux else (value, f_vjp)


@dataclass(frozen=True, eq=False, repr=False)
class _Derivative:
    """The derivative of a function at a point; it pickles with the residuals that it holds.

    Attributes:
      primals, in_tree: the point.
      outs, out_tree: the function's value there.
    """

    _linear: Linear
    _primals: list[Any]
    _in_tree: tree.TreeDef
    _outs: list[Any]
    _out_tree: tree.TreeDef
    _what: str


class _Pushforward(_Derivative):
    """The function that ``linearize`` returns."""

    def __repr__(self) -> str:
        return f"<the derivative: {self._what}>"

    def __call__(self, *tangents: Any) -> Any:
        given, tangent_tree = tree.flatten(tangents)
        if tangent_tree != self._in_tree:
            raise TypeError(
                located(
                    f"{self._what}: the tangents must have structure {self._in_tree}, got "
                    f"{tangent_tree}"
                )
            )
        checked = _check_tangents(self._primals, given, self._what)
        with np.errstate(all="ignore"):
            found = eval_linear(self._linear, [t for t in checked if t is not None])
        made = [_as_gradient(t, p) for t, p in zip(found, self._outs, strict=True)]
        return tree.unflatten(self._out_tree, plain(made, given))


@dataclass(frozen=True, eq=False, repr=False)
class _Pullback(_Derivative):
    """The function that ``vjp`` returns.

    Attributes:
      active: which of the primals have a derivative.
    """

    _active: list[bool]

    def __repr__(self) -> str:
        return f"<the transposed derivative: {self._what}>"

    def __call__(self, ct: Any) -> Any:
        cts = _cotangents(ct, self._out_tree, self._outs, self._what)
        with np.errstate(all="ignore"):
            found = iter(transpose_linear(self._linear, cts))
        made = [
            _as_gradient(next(found) if a else None, x)
            for x, a in zip(self._primals, self._active, strict=True)
        ]
        return tree.unflatten(self._in_tree, plain(made, [*cts, *self._primals]))


def linear_transpose(fun: Callable, *primals: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The transpose of a linear function.

    Args:
      fun: a function of pytrees of arrays to a pytree of arrays, linear in all of them.
      primals: arguments, of which only structure, shapes and dtypes matter: arrays or
        ``ShapeDtypeStruct``.

    Returns:
      A function from a cotangent of the output to a tuple of cotangents of the arguments.

    Raises:
      MissingRuleError: when the function is not linear.

    >>> import numpy as np
    >>> linear_transpose(lambda x: 3 * x[::2], np.zeros(4))(np.array([1.0, 2.0]))
    (array([3., 0., 6., 0.]),)
    """
    check_callable(fun, "linear_transpose")
    what = f"linear_transpose of {name_of(fun)}"
    leaves, in_tree = tree.flatten(primals)
    avals = [aval_like(x, what) for x in leaves]
    for aval in avals:
        if not is_inexact(aval.dtype):
            raise NonDifferentiableError(
                located(f"{what} takes floating or complex inputs, got {aval}")
            )
    flat = FlatFunction(fun, in_tree)
    jaxpr = stage(flat, avals, "linear_transpose")

    return _Transposed(jaxpr, in_tree, flat.out_tree, what)


@dataclass(frozen=True, eq=False, repr=False)
class _Transposed:
    """What ``linear_transpose`` returns."""

    _jaxpr: Jaxpr
    _in_tree: tree.TreeDef
    _out_tree: tree.TreeDef
    _what: str

    def __repr__(self) -> str:
        return f"<the transposed function: {self._what}>"

    def __call__(self, ct: Any) -> Any:
        avals = self._jaxpr.in_avals
        outs = [uniform(a.shape, a.dtype) for a in self._jaxpr.out_avals]
        cts = _cotangents(ct, self._out_tree, outs, self._what)
        with np.errstate(all="ignore"):
            found = backward_pass(self._jaxpr, [LinearInput(a) for a in avals], cts)
        made = [
            uniform(a.shape, a.dtype) if c is None else c for c, a in zip(found, avals, strict=True)
        ]
        return tree.unflatten(self._in_tree, plain(made, cts))


def aval_like(x: Any, what: str) -> Any:
    """The aval of an array, a number or a ``ShapeDtypeStruct``."""
    if hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, np.ndarray | np.generic):
        if isinstance(x, Tracer):
            return x.aval
        return get_aval(uniform(tuple(x.shape), x.dtype))
    try:
        return get_aval(x)
    except TypeError as error:
        raise TypeError(located(f"{what}: {error}")) from None
