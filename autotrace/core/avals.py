"""Abstract values: what is known of an array without its numbers.

An aval is a shape, a dtype and whether the value stands for a Python scalar ("weak": it takes on
the dtype of what it meets, as NEP 50 has it for Python's int, float and complex).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

#: The dtype of a tangent that cannot be anything but zero: that of an integer or bool primal.
float0 = np.dtype([("float0", np.void, 0)])

_KIND_NAMES = {"f": "f", "c": "c", "i": "i", "u": "u"}


class ShapedArray:
    """A shape, a dtype and a weak flag; immutable, compared by content."""

    __slots__ = ("_hash", "dtype", "shape", "weak_type")

    shape: tuple[int, ...]
    dtype: np.dtype
    weak_type: bool

    def __init__(self, shape: tuple[int, ...], dtype: Any, weak_type: bool = False):
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.weak_type = weak_type
        self._hash = hash((shape, self.dtype, weak_type))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, ShapedArray)
            and self.shape == other.shape
            and self.dtype == other.dtype
            and self.weak_type == other.weak_type
        )

    def __reduce__(self) -> tuple:
        return (ShapedArray, (self.shape, self.dtype, self.weak_type))

    def __repr__(self) -> str:
        return f"ShapedArray({self}{', weak_type=True' if self.weak_type else ''})"

    def __str__(self) -> str:
        return f"{short_dtype(self.dtype)}[{','.join(map(str, self.shape))}]"

    def update(self, **changes: Any) -> ShapedArray:
        """A copy with some of ``shape``, ``dtype``, ``weak_type`` changed."""
        return ShapedArray(
            changes.get("shape", self.shape),
            changes.get("dtype", self.dtype),
            changes.get("weak_type", self.weak_type),
        )

    def strong(self) -> ShapedArray:
        return ShapedArray(self.shape, self.dtype) if self.weak_type else self


def short_dtype(dtype: np.dtype) -> str:
    """``float64`` as ``f64``, the way a jaxpr prints it."""
    if dtype.kind in _KIND_NAMES:
        return f"{_KIND_NAMES[dtype.kind]}{dtype.itemsize * 8}"
    return "float0" if dtype == float0 else dtype.name


_intern: dict[tuple, ShapedArray] = {}
_INTERN_LIMIT = 4096


def make_aval(shape: tuple[int, ...], dtype: np.dtype) -> ShapedArray:
    """A strong aval, the same object for the same content most of the time (so ``is`` is a
    cheap first test of equality, but never the only one)."""
    key = (shape, dtype)
    aval = _intern.get(key)
    if aval is None:
        if len(_intern) >= _INTERN_LIMIT:
            _intern.clear()
        aval = _intern[key] = ShapedArray(shape, dtype)
    return aval


_weak: dict[ShapedArray, ShapedArray] = {}


def weak_aval(aval: ShapedArray) -> ShapedArray:
    """The weak counterpart of an aval, the same object for the same content most of the time."""
    weak = _weak.get(aval)
    if weak is None:
        if len(_weak) >= _INTERN_LIMIT:
            _weak.clear()
        weak = _weak[aval] = ShapedArray(aval.shape, aval.dtype, True)
    return weak


_SUPPORTED = tuple(
    np.dtype(t)
    for t in (
        np.bool_,
        np.int8,
        np.int16,
        np.int32,
        np.int64,
        np.uint8,
        np.uint16,
        np.uint32,
        np.uint64,
        np.float32,
        np.float64,
        np.complex64,
        np.complex128,
    )
)
# float16 has no BLAS, no LAPACK and no hardware arithmetic on most CPUs, but NumPy has it.
SUPPORTED_DTYPES = frozenset((*_SUPPORTED, np.dtype(np.float16), float0))

WEAK_BOOL = ShapedArray((), np.bool_, True)
WEAK_FLOAT = ShapedArray((), np.float64, True)
WEAK_INT = ShapedArray((), np.int64, True)
WEAK_COMPLEX = ShapedArray((), np.complex128, True)
_weak.update({w.strong(): w for w in (WEAK_BOOL, WEAK_FLOAT, WEAK_INT, WEAK_COMPLEX)})

#: The avals of the scalar types, by type: the commonest question in un-jitted code.
_scalar_avals: dict[type, ShapedArray] = {
    bool: WEAK_BOOL,
    int: WEAK_INT,
    float: WEAK_FLOAT,
    complex: WEAK_COMPLEX,
    **{t.type: make_aval((), t) for t in SUPPORTED_DTYPES if t != float0},
    np.longlong: make_aval((), np.dtype(np.int64)),
    np.ulonglong: make_aval((), np.dtype(np.uint64)),
}

SCALAR_TYPES = frozenset(_scalar_avals)


def aval_of(value: Any) -> ShapedArray:
    """The aval of an ndarray, a NumPy scalar or a Python scalar.

    Raises:
      TypeError: for anything else, and for dtypes that are not numbers or bools.
    """
    aval = _scalar_avals.get(type(value))
    if aval is not None:
        return aval
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype not in SUPPORTED_DTYPES:
            raise TypeError(
                f"arrays of dtype {value.dtype} are not supported; supported are bool, the "
                "integers, float16, float32, float64, complex64 and complex128"
            )
        return make_aval(value.shape, value.dtype)
    for base in (bool, int, float, complex):
        if isinstance(value, base):
            return _scalar_avals[base]
    raise TypeError(f"expected an array or a number, got {type(value).__name__}: {value!r:.80}")


def is_inexact(dtype: np.dtype) -> bool:
    """Whether a dtype is floating or complex: whether it has derivatives."""
    return dtype.kind in "fc"


def tangent_aval(aval: ShapedArray) -> ShapedArray:
    """The aval of a tangent: the primal's own, or float0 where it is an integer or a bool."""
    if is_inexact(aval.dtype):
        return aval.strong()
    return make_aval(aval.shape, float0)


_uniform_cache: dict[tuple, np.ndarray] = {}


def uniform(shape: tuple[int, ...], dtype: Any, value: Any = None) -> Any:
    """An array with one value everywhere (zero when None) that takes one element of memory
    (strides of zero), read-only; a NumPy scalar for shape ``()``."""
    dtype = np.dtype(dtype)
    if shape == ():
        return dtype.type(value or 0) if dtype != float0 else np.zeros((), float0)
    if value is not None:
        return _make_uniform(shape, np.asarray(value, dtype))
    key = (shape, dtype)
    array = _uniform_cache.get(key)
    if array is None:
        if len(_uniform_cache) >= _INTERN_LIMIT:
            _uniform_cache.clear()
        array = _uniform_cache[key] = _make_uniform(shape, np.zeros((), dtype))
    return array


def _make_uniform(shape: tuple[int, ...], cell: np.ndarray) -> np.ndarray:
    # Several times cheaper than np.broadcast_to, which goes through nditer.
    array = np.ndarray(shape, cell.dtype, cell, 0, (0,) * len(shape))
    array.flags.writeable = False
    return array


def uniform_value(array: Any) -> Any:
    """The one value of an array made by ``uniform`` (or any with zero strides), else None."""
    if isinstance(array, np.ndarray) and array.ndim and array.size and not any(array.strides):
        return array[(0,) * array.ndim]
    return None


def zeros_of(aval: ShapedArray) -> Any:
    """A (read-only, one-element) array of zeros for an aval."""
    return uniform(aval.shape, aval.dtype)
