"""What of NumPy's namespace has nothing to do on traced values, and why."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .dispatch import is_traced, numbers, refusals, unsupported

_FILES = "it reads or writes files: do that outside of the traced function"
_TEXT = "it makes text of numbers: use autotrace.debug.print, or do it with the result"
_STATE = "it says or sets how NumPy works, and takes no arrays"
_DATES = "traced values are no dates"
_ITERATOR = "it goes through an array's memory, and traced values have none: iterate over x"
_MATRIX = "traced values are no numpy.matrix: use arrays of two dimensions"
_MEMORY = "it makes an array of memory or text that is there already: do that outside"
_OBJECTS = "it makes ufuncs of Python objects: use autotrace.numpy.vectorize"
_TYPE = "it is a type of NumPy's own, which traced values do not have"

_REASONS = {
    _FILES: "DataSource fromfile fromregex genfromtxt load loadtxt memmap save savetxt savez "
    "savez_compressed",
    _TEXT: "array2string array_repr array_str base_repr binary_repr format_float_positional "
    "format_float_scientific",
    _STATE: "get_include get_printoptions getbufsize geterr geterrcall info printoptions "
    "set_printoptions setbufsize seterr seterrcall show_config show_runtime test",
    _DATES: "busday_count busday_offset busdaycalendar datetime64 datetime_as_string "
    "datetime_data is_busday isnat timedelta64",
    _ITERATOR: "broadcast flatiter nditer nested_iters",
    _MATRIX: "asmatrix bmat matrix",
    _MEMORY: "from_dlpack frombuffer fromstring",
    _OBJECTS: "frompyfunc",
    _TYPE: "bytes_ character complex256 clongdouble flexible float128 longdouble object_ recarray "
    "record str_ ufunc void",
}

#: The names, each with the reason why it is nothing for traced values.
reasons: dict[str, str] = {
    name: reason
    for reason, names in _REASONS.items()
    for name in names.split()
    if hasattr(np, name)
}

for _name, _reason in reasons.items():
    refusals[getattr(np, _name)] = _reason


def numpys_own(name: str) -> Any:
    """What NumPy has under one of the names; its functions refuse traced values."""
    value = getattr(np, name)
    if isinstance(value, type):
        return value

    @functools.wraps(value)
    def function(*args: Any, **kwargs: Any) -> Any:
        if is_traced((args, kwargs)):
            raise unsupported(f"numpy.{name}", value)
        return value(*numbers(args), **numbers(kwargs))

    return function
