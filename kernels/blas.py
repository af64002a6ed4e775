"""The BLAS and the LAPACK that SciPy ships, by the addresses of their functions."""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

#: The letter of a dtype in the names of BLAS's functions.
LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}


@functools.cache
def _library() -> ctypes.CDLL | None:
    """SciPy's extension module for BLAS as a plain library: its symbols and those of what it is
    linked to. Loading it takes 5 ms, importing ``scipy.linalg`` 150."""
    spec = importlib.util.find_spec("scipy")
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in Path(folder, "linalg").glob("cython_blas*"):
            if file.suffix in (".so", ".pyd", ".dylib"):
                try:
                    return ctypes.CDLL(str(file))
                except OSError:
                    return None
    return None


def _symbols(name: str) -> Iterator[int]:
    for symbol in (f"scipy_{name}_", f"{name}_"):
        try:
            found = ctypes.cast(getattr(_library(), symbol), ctypes.c_void_p).value
        except (AttributeError, TypeError):
            continue
        if found:
            yield found


@functools.cache
def address_of(name: str) -> int:
    """The address of one of BLAS's or LAPACK's functions, ``"dgemm"`` for example; arguments are
    Fortran's, with 32-bit integers."""
    for found in _symbols(name):
        return found
    # A SciPy that is linked in another way: its tables for Cython.
    tables = (
        importlib.import_module(f"scipy.linalg.cython_{library}").__pyx_capi__
        for library in ("blas", "lapack")
    )
    capsule = next(table[name] for table in tables if name in table)
    get_name, get = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return get(capsule, get_name(capsule))
