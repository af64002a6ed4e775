"""How elementwise primitives are defined: the rules that all of them share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from operator import add as _operator_add
from typing import Any

import numpy as np

from ..core.avals import ShapedArray, make_aval
from ..core.jaxpr import Literal
from ..core.primitive import Primitive
from ..core.tangents import LinearInput
from ..transforms.batch import Axis
from ..transforms.simplify import Rewrite, View
from .structural import (
    array,
    broadcast_in_dim_p,
    broadcast_to_shape,
    insert_axis,
    move_axis,
    unbroadcast,
)

BOOL = np.dtype(np.bool_)
_REAL_OF: dict[np.dtype, np.dtype] = {
    np.dtype(np.complex64): np.dtype(np.float32),
    np.dtype(np.complex128): np.dtype(float),
}
_COMPLEX_OF = {real: cplx for cplx, real in _REAL_OF.items()}
_KIND_WORDS = {"b": "bool", "i": "integer", "u": "integer", "f": "floating", "c": "complex"}
_PYTHON_SCALARS = frozenset((bool, int, float, complex))


def real_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of a complex dtype's parts; any other dtype as it is."""
    return _REAL_OF.get(dtype, dtype)


def complex_dtype(dtype: np.dtype) -> np.dtype:
    """The complex dtype whose parts have a floating dtype; a complex dtype as it is."""
    return dtype if dtype.kind == "c" else _COMPLEX_OF.get(dtype, np.dtype(np.complex128))


def to_bool(_: np.dtype) -> np.dtype:
    """The out dtype of a test."""
    return BOOL


def operands(*args: Any) -> list[Any]:
    """Arguments of an elementwise operation, Python scalars taking on the others' dtype.

    Raises:
      TypeError: for what is not an array or a number.
    """
    for a in args:
        if type(a) not in _PYTHON_SCALARS and hasattr(a, "dtype"):
            dtype = a.dtype
            return [dtype.type(b) if type(b) in _PYTHON_SCALARS else array(b) for b in args]
    return [array(a) for a in args]


def unary(primitive: Primitive, doc: str) -> Callable[[Any], Any]:
    """The public function of a primitive of one operand."""

    def function(x: Any) -> Any:
        return primitive.bind(array(x))

    return _named(function, primitive, doc)


def binary(primitive: Primitive, doc: str) -> Callable[[Any, Any], Any]:
    """The public function of a primitive of two operands."""

    def function(x: Any, y: Any) -> Any:
        if type(x) in _PYTHON_SCALARS or type(y) in _PYTHON_SCALARS:
            x, y = operands(x, y)
        return primitive.bind(x, y)

    return _named(function, primitive, doc)


def _named(function: Callable, primitive: Primitive, doc: str) -> Callable:
    function.__name__ = function.__qualname__ = primitive.name
    function.__doc__ = doc
    return function


def check_kinds(name: str, aval: ShapedArray, kinds: str) -> None:
    """Raise TypeError unless the dtype is of one of the kinds (NumPy's letters)."""
    if aval.dtype.kind not in kinds:
        words = ", ".join(dict.fromkeys(_KIND_WORDS[k] for k in kinds))
        raise TypeError(f"{name} takes {words} arrays, got {aval}")


def common_shape(name: str, avals: Sequence[ShapedArray]) -> tuple[int, ...]:
    """The shape of operands each of which has that shape or is a scalar.

    Raises:
      TypeError: when two have different shapes.
    """
    shape: tuple[int, ...] = ()
    for aval in avals:
        if aval.shape and aval.shape != shape:
            if shape:
                raise TypeError(
                    f"{name} takes operands of one shape (or scalars), got "
                    f"{' and '.join(map(str, avals))}; autotrace.numpy broadcasts, lax does not"
                )
            shape = aval.shape
    return shape


def elementwise(
    name: str,
    impl: Callable,
    kinds: str,
    out_dtype: Callable[[np.dtype], np.dtype] | None = None,
) -> Primitive:
    """A primitive that works element by element on operands of one dtype.

    The operands have one shape, or are scalars, which go with any shape.

    Args:
      name: the primitive's.
      impl: a NumPy function of as many arrays.
      kinds: the dtype kinds it takes, in NumPy's letters.
      out_dtype: from the operands' dtype to the result's; the same when None.
    """
    primitive = Primitive(name, elementwise=True)
    primitive.def_impl(impl)
    arity = impl.nin if isinstance(impl, np.ufunc) else _positional_count(impl)

    def abstract(first: ShapedArray, *rest: ShapedArray, **params: Any) -> ShapedArray:
        if len(rest) + 1 != arity:
            raise TypeError(f"{name} takes {arity} operands, got {len(rest) + 1}")
        shape, dtype = first.shape, first.dtype
        if dtype.kind not in kinds:
            check_kinds(name, first, kinds)
        for aval in rest:
            if aval is not first:
                if aval.dtype != dtype:
                    raise TypeError(
                        f"{name} takes operands of one dtype, got {first} and {aval}; "
                        "autotrace.numpy promotes dtypes, lax does not"
                    )
                if aval.shape != shape:
                    shape = common_shape(name, (first, *rest))
        return make_aval(shape, dtype if out_dtype is None else out_dtype(dtype))

    primitive.def_abstract(abstract)
    primitive.def_batch(elementwise_batch(primitive))
    primitive.def_simplify(_scalar_operands(primitive, impl))
    return primitive


def _positional_count(function: Callable) -> int:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds for p in inspect.signature(function).parameters.values())


def elementwise_batch(primitive: Primitive) -> Callable:
    """The batching rule of an elementwise primitive."""

    def rule(axis: Axis, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple:
        aligned, dim = align_batched(axis, args, dims)
        return primitive.bind(*aligned, **params), dim

    return rule


def align_batched(
    axis: Axis, args: Sequence[Any], dims: Sequence[int | None]
) -> tuple[list[Any], int]:
    """Bring operands of an elementwise operation to one batched shape.

    Unbatched scalars stay as they are.

    Returns:
      The operands and the batch dim that they have in common.
    """
    pairs = list(zip(args, dims, strict=True))
    rank = max(x.ndim - (d is not None) for x, d in pairs)
    at = next((d for x, d in pairs if d is not None and x.ndim == rank + 1), 0)
    shape = next(
        x.shape if d is None else x.shape[:d] + x.shape[d + 1 :]
        for x, d in pairs
        if x.ndim - (d is not None) == rank
    )
    full = (*shape[:at], axis.size, *shape[at:])
    aligned = []
    for x, d in pairs:
        if d is None:
            aligned.append(insert_axis(x, axis.size, at) if x.ndim else x)
        elif rank and x.ndim == 1:
            aligned.append(broadcast_in_dim_p.bind(x, shape=full, broadcast_dimensions=(at,)))
        else:
            aligned.append(move_axis(x, d, at))
    return aligned, at


def _scalar_operands(primitive: Primitive, impl: Callable) -> Callable:
    """Simplification that serves all: an operand that repeats one scalar becomes the scalar, where
    another operand gives the shape."""

    def rule(view: View, args: Sequence[Any], params: dict) -> Any:
        thin = thin_operands(view, args)
        if thin is not None:
            if any(a.aval.shape == view.out_aval.shape for a in thin):
                return Rewrite(primitive, thin, params)
            numbers = [view.scalar(a) for a in thin]
            if all(n is not None for n in numbers):
                with np.errstate(all="ignore"):
                    folded = Literal(impl(*map(array, numbers), **params))
                broadcast = {"shape": view.out_aval.shape, "broadcast_dimensions": ()}
                return Rewrite(broadcast_in_dim_p, [folded], broadcast)
        identity = identities.get(primitive)
        return None if identity is None else identity(view, args, params)

    return rule


#: The identities of single elementwise primitives, beside the shared one.
identities: dict[Primitive, Callable[[View, Sequence[Any], dict], Any]] = {}


def repeated_scalar(view: View, atom: Any) -> Any:
    """The scalar atom that an array atom repeats, None where it is not known to."""
    eqn = view.made_by(atom, broadcast_in_dim_p)
    if eqn is None or eqn.invars[0].aval.shape or not atom.aval.shape:
        return None
    return eqn.invars[0]


def thin_operands(view: View, args: Sequence[Any]) -> list[Any] | None:
    """Operands with those that repeat one scalar replaced by it, None where none does."""
    sources = [repeated_scalar(view, a) for a in args]
    if all(s is None for s in sources):
        return None
    return [a if s is None else s for a, s in zip(args, sources, strict=True)]


def is_scalar_literal(view: View, atom: Any, value: float) -> bool:
    """Whether an atom is the literal of a number; -0.0 counts as different from 0.0."""
    if type(atom) is not Literal:
        return False
    number = view.scalar(atom)
    return number is not None and bool(
        number == value and np.signbit(np.real(number)) == np.signbit(value)
    )


Partial = Callable[..., Any] | None


def def_partials(primitive: Primitive, *partials: Partial) -> None:
    """Give an elementwise primitive its jvp as one linear map for each operand.

    Args:
      partials: for each operand, ``(tangent, out, *primals, **params) -> its share of the output
        tangent``; None where the derivative is zero. A share may be a scalar.
    """

    def rule(primals: Sequence[Any], tangents: Sequence[Any], out: Any, **params: Any) -> Any:
        total = None
        for partial, tangent in zip(partials, tangents, strict=True):
            if partial is not None and tangent is not None:
                share = partial(tangent, out, *primals, **params)
                total = share if total is None else add_p.bind(total, share)
        if total is not None and total.shape != out.shape:
            return broadcast_to_shape(total, out.shape)
        return total

    primitive.def_jvp(rule)


def no_derivative(primitive: Primitive) -> Primitive:
    """Say that a primitive's derivative is zero wherever it exists."""
    primitive.def_jvp(lambda primals, tangents, out, **params: None)
    return primitive


def def_linear(primitive: Primitive, transpose: Callable[..., Any]) -> None:
    """Say that a primitive of one operand is linear.

    Args:
      transpose: ``(ct, aval of the operand, **params) -> its cotangent``.
    """
    primitive.def_jvp(
        lambda primals, tangents, out, **params: primitive.bind(tangents[0], **params)
    )
    primitive.def_transpose(lambda ct, x, **params: [transpose(ct, x.aval, **params)])


# --- add: the one primitive that the shared rules themselves need ------------------------------

add_p = elementwise("add", _operator_add, "biufc")
def_partials(add_p, lambda t, out, x, y: t, lambda t, out, x, y: t)


@add_p.def_transpose
def _add_transpose(ct: Any, x: Any, y: Any) -> list[Any]:
    return [unbroadcast(ct, a.aval.shape) if type(a) is LinearInput else None for a in (x, y)]


def _add_identity(view: View, args: Sequence[Any], params: dict) -> Any:
    for a, b in (args, args[::-1]):  # x + -0.0 is x for every x; x + 0.0 is not, at -0.0
        zero = -0.0 if a.aval.dtype.kind in "f" else 0
        if a.aval.dtype.kind in "iuf" and view.same_type(a) and is_scalar_literal(view, b, zero):
            return a
    return None


identities[add_p] = _add_identity
