"""From source to machine code: kernels, and the one function that runs them."""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np
from numba import types

from .cache import cached
from .intrinsics import (
    TABLE,
    add_any_order,
    as_pointer,
    call_kernel,
    from_bits,
    read_word,
    write_word,
)
from .loops import Kernel
from .scalars import NAMESPACE
from .source import entry_source

_ENTRY = types.void(TABLE, types.int64, types.int64)
_lock = threading.Lock()
_compiled: dict[str, Any] = {}


def _namespace() -> dict[str, Any]:
    return {
        **NAMESPACE,
        "add_any_order": add_any_order,
        **{f"pointer_{name}": function for name, function in as_pointer.items()},
        **{f"bits_{name}": function for name, function in from_bits.items()},
    }


def compiled(kernel: Kernel) -> Any:
    """A kernel as a C function of Numba's, compiled at most once in a process."""
    source = entry_source(kernel)
    function = _compiled.get(source)
    if function is None:
        with _lock:
            function = _compiled.get(source)
            if function is None:
                function = _compiled[source] = _compile(source)
    return function


def compiled_kernels() -> int:
    """How many different kernels this process has compiled or loaded from disk."""
    return len(_compiled)


def loaded_kernels() -> int:
    """How many of them came from disk."""
    return sum(function.cache_hits for function in list(_compiled.values()))


def _compile(source: str) -> Any:
    return cached(source, lambda name, cache: _compile_file(source, name, cache))


def _compile_file(source: str, name: str, cache: bool) -> Any:
    # Numba's cache looks a function's globals up in its module.
    namespace = {**_namespace(), "__name__": __name__}
    exec(compile(source, name, "exec"), namespace)
    return numba.cfunc(_ENTRY, cache=cache, error_model="numpy")(namespace["entry"])


def compiled_anew(kernel: Kernel) -> Any:
    """A kernel compiled without the cache, for looking at its code: of what comes from disk Numba
    knows the machine code only."""
    return _compile_file(entry_source(kernel), "<kernel>", False)


# In CPython an ndarray's data pointer and a NumPy scalar's value both follow the object's head
# (reference count and type); a list's item pointers lie behind one pointer after its size.
_HEAD = 16
_LIST_ITEMS = 24


@numba.njit(types.void(*[types.int64] * 6), error_model="numpy", cache=True)
def execute(slots, patches, patch_count, tables, steps, step_count):  # type: ignore[no-untyped-def]
    """Run kernels one after another.

    Args:
      slots: the address (``id``) of a list of ndarrays and NumPy scalars.
      patches: the address of rows (slot, 1 for a scalar, position in the tables, byte offset):
        where the address of a slot's data goes.
      tables: the address of all kernels' tables, one after another.
      steps: the address of rows (function, position of its table, start, stop).
    """
    items = read_word(slots + _LIST_ITEMS)
    for i in range(patch_count):
        row = patches + 32 * i
        place = read_word(items + 8 * read_word(row)) + _HEAD
        if read_word(row + 8) == 0:
            place = read_word(place)
        write_word(tables + 8 * read_word(row + 16), place + read_word(row + 24))
    for i in range(step_count):
        row = steps + 32 * i
        call_kernel(
            read_word(row),
            tables + 8 * read_word(row + 8),
            read_word(row + 16),
            read_word(row + 24),
        )


def check_layout() -> None:
    """Check that this Python and NumPy lay objects out as ``execute`` reads them.

    Raises:
      RuntimeError: when they do not.
    """
    array = np.arange(3.0)
    slots = [array, np.float64(2.5)]
    patches = np.array([[0, 0, 0, 0], [1, 1, 1, 0]])
    tables = np.zeros(2, np.int64)
    execute(id(slots), patches.ctypes.data, 2, tables.ctypes.data, 0, 0)
    found = np.ctypeslib.as_array((np.ctypeslib.ctypes.c_double * 1).from_address(int(tables[1])))
    if tables[0] != array.ctypes.data or found[0] != 2.5:
        raise RuntimeError("autotrace.kernels does not know this Python's object layout")
