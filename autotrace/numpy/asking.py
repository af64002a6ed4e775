"""What is asked of arrays: their shapes and dtypes, and whether they are equal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.trace import Tracer
from ..lax import arithmetic as arith
from ..lax.reductions import reduce_and
from ..transforms.held import HeldTracer
from . import ufuncs
from .arguments import normal_axes, operand
from .dispatch import implements

# --- questions about shape and dtype -----------------------------------------------------------


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """As ``numpy.shape``, on arrays and traced values.

    >>> shape(np.ones((2, 3)))
    (2, 3)
    """
    return a.shape if isinstance(a, Tracer) else operand(a).shape


@implements(np.ndim)
def ndim(a: Any) -> int:
    """As ``numpy.ndim``, on arrays and traced values.

    >>> ndim(np.ones((2, 3)))
    2
    """
    return len(a.shape) if isinstance(a, Tracer) else operand(a).ndim


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """As ``numpy.size``, on arrays and traced values.

    >>> size(np.ones((2, 3)))
    6
    """
    sizes = a.shape if isinstance(a, Tracer) else operand(a).shape
    if axis is None:
        return math.prod(sizes)
    return math.prod(sizes[d] for d in normal_axes(axis, len(sizes)))


_numpys_isscalar = np.isscalar


def isscalar(element: Any) -> bool:
    """As ``numpy.isscalar``; a traced number is one, too.

    >>> isscalar(2.0), isscalar(np.ones(3))
    (True, False)
    """
    if isinstance(element, Tracer):
        return type(element) is not HeldTracer and not element.ndim
    return _numpys_isscalar(element)


#: What has ours in the place of NumPy's while something is traced, since NumPy asks nobody.
in_place_of_numpys = {"isscalar": isscalar}


def type_like(x: Any) -> Any:
    """What stands for an argument where NumPy is asked about dtypes."""
    if not isinstance(x, Tracer):
        return x
    weak = {"i": 0, "f": 0.0, "c": 0j}.get(x.dtype.kind)
    return weak if x.aval.weak_type and weak is not None else x.dtype


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """As ``numpy.result_type``, on arrays and traced values.

    >>> result_type(np.int8, np.float32)
    dtype('float32')
    """
    return np.result_type(*[type_like(x) for x in arrays_and_dtypes])


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """As ``numpy.can_cast``, on arrays and traced values.

    >>> can_cast(np.int64, np.float64)
    True
    """
    return np.can_cast(from_.dtype if isinstance(from_, Tracer) else from_, to, casting)


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    """As ``numpy.common_type``, on arrays and traced values.

    >>> common_type(np.ones(1, np.float32), np.ones(1))
    <class 'numpy.float64'>
    """
    return np.common_type(*[np.zeros(0, operand(a).dtype) for a in arrays])


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> np.dtype:
    """As ``numpy.min_scalar_type``, on arrays; a traced value's dtype as it is.

    >>> min_scalar_type(200)
    dtype('uint8')
    """
    return a.dtype


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """As ``numpy.iscomplexobj``, on arrays and traced values.

    >>> iscomplexobj(np.array([1 + 0j]))
    True
    """
    return operand(x).dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """As ``numpy.isrealobj``, on arrays and traced values.

    >>> isrealobj(np.array([1 + 0j]))
    False
    """
    return operand(x).dtype.kind != "c"


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """As ``numpy.iscomplex``, on arrays and traced values.

    >>> iscomplex(np.array([1 + 1j, 1 + 0j]))
    array([ True, False])
    """
    return ufuncs.not_equal(ufuncs.imag(operand(x)), 0)


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """As ``numpy.isreal``, on arrays and traced values.

    >>> isreal(np.array([1 + 1j, 1 + 0j]))
    array([False,  True])
    """
    return ufuncs.equal(ufuncs.imag(operand(x)), 0)


@implements(np.may_share_memory)
def may_share_memory(a: Any, b: Any, /, max_work: Any = 0) -> bool:
    """As ``numpy.may_share_memory``; traced values, which nothing can write into, share none.

    >>> may_share_memory(np.ones(2), np.ones(2))
    False
    """
    return False


@implements(np.shares_memory)
def shares_memory(a: Any, b: Any, /, max_work: Any = -1) -> bool:
    """As ``numpy.shares_memory``; traced values, which nothing can write into, share none.

    >>> shares_memory(np.ones(2), np.ones(2))
    False
    """
    return False


# --- comparing arrays --------------------------------------------------------------------------


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """As ``numpy.isclose``, on arrays and traced values.

    >>> isclose(np.array([1.0, 2.0]), np.array([1.0, 2.1]))
    array([ True, False])
    """
    x, y = operand(a), operand(b)
    y = arith.convert_element_type(y, np.result_type(y.dtype, 1.0))
    apart = ufuncs.absolute(ufuncs.subtract(x, y))
    bound = ufuncs.add(atol, ufuncs.multiply(rtol, ufuncs.absolute(y)))
    near = ufuncs.logical_and(ufuncs.less_equal(apart, bound), ufuncs.isfinite(y))
    out = ufuncs.logical_or(near, ufuncs.equal(x, y))
    if equal_nan:
        out = ufuncs.logical_or(out, ufuncs.logical_and(ufuncs.isnan(x), ufuncs.isnan(y)))
    return out


def every(x: Any) -> Any:
    """Whether all elements are True, as an array without dimensions."""
    return reduce_and(x, range(x.ndim))


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """As ``numpy.allclose``, on arrays and traced values; the result of traced ones is traced.

    >>> allclose(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9]))
    True
    """
    return every(isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """As ``numpy.array_equal``, on arrays and traced values; the result of traced ones is traced,
    except where the shapes decide it.

    >>> array_equal(np.array([1, 2]), np.array([1, 2]))
    True
    """
    x, y = operand(a1), operand(a2)
    if x.shape != y.shape:
        return False
    same = ufuncs.equal(x, y)
    if equal_nan:
        same = ufuncs.logical_or(same, ufuncs.logical_and(ufuncs.isnan(x), ufuncs.isnan(y)))
    return every(same)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """As ``numpy.array_equiv``, on arrays and traced values; the result of traced ones is traced,
    except where the shapes decide it.

    >>> array_equiv(np.array([1, 2]), np.array([[1, 2], [1, 2]]))
    True
    """
    x, y = operand(a1), operand(a2)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return every(ufuncs.equal(x, y))
