"""NumPy's scalar types and ``ndarray``, for traced values, too: ``float32(x)``, ``isinstance``."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..core.trace import Tracer
from .arguments import operand
from .dispatch import has_tracer, traced


class _ScalarType(type):
    """The type of stand-ins for NumPy's scalar types, which equal them, are dtypes as they are,
    and convert traced values."""

    numpy_type: Any
    dtype: np.dtype

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if has_tracer(args):
            return traced[np.astype](operand(args[0]), cls.dtype)
        return cls.numpy_type(*args, **kwargs)

    def __instancecheck__(cls, x: Any) -> builtins.bool:
        return isinstance(x, cls.numpy_type)

    def __subclasscheck__(cls, other: Any) -> builtins.bool:
        return issubclass(getattr(other, "numpy_type", other), cls.numpy_type)

    def __eq__(cls, other: object) -> builtins.bool:
        return cls is other or cls.numpy_type is other

    def __hash__(cls) -> int:
        return hash(cls.numpy_type)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.numpy_type, name)

    def __repr__(cls) -> str:
        return f"<class 'autotrace.numpy.{cls.__name__}'>"

    def __reduce__(cls) -> Any:
        return cls.__name__


def _scalar_type(name: str) -> Any:
    numpy_type = getattr(np, name)
    return _ScalarType(
        name,
        (),
        {
            "numpy_type": numpy_type,
            "dtype": np.dtype(numpy_type),
            "__module__": __name__,
            "__doc__": f"``numpy.{name}``, which converts traced values, too.",
        },
    )


class _ArrayType(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return np.ndarray(*args, **kwargs)

    def __instancecheck__(cls, x: Any) -> builtins.bool:
        return isinstance(x, np.ndarray | Tracer)

    def __subclasscheck__(cls, other: Any) -> builtins.bool:
        return issubclass(other, np.ndarray | Tracer)

    def __getattr__(cls, name: str) -> Any:
        return getattr(np.ndarray, name)


class ndarray(metaclass=_ArrayType):  # noqa: N801  NumPy's name
    """``numpy.ndarray``, of which traced arrays are instances, too.

    >>> isinstance(np.ones(3), ndarray)
    True
    """


bool = _scalar_type("bool")  # noqa: A001  NumPy's name
bool_ = _scalar_type("bool_")
byte = _scalar_type("byte")
cdouble = _scalar_type("cdouble")
complex64 = _scalar_type("complex64")
complex128 = _scalar_type("complex128")
csingle = _scalar_type("csingle")
double = _scalar_type("double")
float16 = _scalar_type("float16")
float32 = _scalar_type("float32")
float64 = _scalar_type("float64")
half = _scalar_type("half")
int8 = _scalar_type("int8")
int16 = _scalar_type("int16")
int32 = _scalar_type("int32")
int64 = _scalar_type("int64")
int_ = _scalar_type("int_")
intc = _scalar_type("intc")
intp = _scalar_type("intp")
long = _scalar_type("long")
longlong = _scalar_type("longlong")
short = _scalar_type("short")
single = _scalar_type("single")
ubyte = _scalar_type("ubyte")
uint = _scalar_type("uint")
uint8 = _scalar_type("uint8")
uint16 = _scalar_type("uint16")
uint32 = _scalar_type("uint32")
uint64 = _scalar_type("uint64")
uintc = _scalar_type("uintc")
uintp = _scalar_type("uintp")
ulong = _scalar_type("ulong")
ulonglong = _scalar_type("ulonglong")
ushort = _scalar_type("ushort")
