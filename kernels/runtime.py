"""One native call for a whole program: the function that Python calls, in the language of kernels.

``call`` has the C signature of a built-in function (``METH_FASTCALL``). It checks the arguments
against the program's signature, makes the outputs, walks the steps and makes the results. It reads
CPython's and NumPy's objects where they lie in memory; ``check_layout`` makes sure of that.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from . import team
from .build import Source, address
from .layout import API, WORDS

# Words of objects: an object's type, a scalar's value, an ndarray's fields.
_OBJECT_WORDS = {
    "OB_TYPE": 1, "OB_VALUE": 2, "ND_DATA": 2, "ND_RANK": 3, "ND_DIMS": 4, "ND_STRIDES": 5,
    "ND_DTYPE": 7, "ND_FLAGS": 8,
}  # fmt: skip

_CALL = """
def call(self, args, count):
    frame = pointer_int64(pointer_int64(self)[ND_DATA])
    api = pointer_int64(frame[API])
    if frame[BUSY] != 0 or count != frame[ARG_COUNT] + frame[GIVEN]:
        return again(api)
    addresses = pointer_int64(frame[ADDRESSES])
    objects = pointer_int64(frame[OBJECTS])
    given = pointer_int64(args)
    for i in range(count):
        rows = pointer_int64(frame[ARG_ROWS] + 8 * ARG_SIZE * i)
        thing = given[i]
        fields = pointer_int64(thing)
        if fields[OB_TYPE] != rows[ARG_TYPE]:
            return again(api)
        if rows[ARG_KIND] == ARRAY:
            # C order and aligned, an output also writable; of this very dtype and shape.
            ranks = pointer_int32(thing + 8 * ND_RANK)
            flags = pointer_int32(thing + 8 * ND_FLAGS)
            needed = rows[ARG_FLAGS]
            if (np.int64(flags[0]) & needed) != needed or fields[ND_DTYPE] != rows[ARG_DTYPE]:
                return again(api)
            if np.int64(ranks[0]) != rows[ARG_RANK]:
                return again(api)
            dims = pointer_int64(fields[ND_DIMS])
            wanted = pointer_int64(rows[ARG_DIMS])
            for d in range(rows[ARG_RANK]):
                if dims[d] != wanted[d]:
                    return again(api)
            if rows[ARG_STRIDES] != 0:
                strides = pointer_int64(fields[ND_STRIDES])
                steps = pointer_int64(rows[ARG_STRIDES])
                for d in range(rows[ARG_RANK]):
                    if strides[d] != steps[d]:
                        return again(api)
            addresses[rows[ARG_SLOT]] = fields[ND_DATA]
        else:
            addresses[rows[ARG_SLOT]] = thing + 8 * OB_VALUE
        if rows[ARG_KIND] == WHOLE_NUMBER:
            scratch = pointer_int64(rows[ARG_SCRATCH])
            scratch[0] = invoke(
                api[API_PyLong_AsLongLongAndOverflow], "int64(int64, int64)", thing,
                rows[ARG_SCRATCH] + 8,
            )
            overflow = pointer_int32(rows[ARG_SCRATCH] + 8)
            if overflow[0] != 0:
                return again(api)
            addresses[rows[ARG_SLOT]] = rows[ARG_SCRATCH]
        if rows[ARG_KIND] == TRUTH:
            truth = pointer_int64(rows[ARG_SCRATCH])
            truth[0] = np.int64(thing == api[API_True])
            addresses[rows[ARG_SLOT]] = rows[ARG_SCRATCH]
    # From here on other threads may come in, and Python's garbage collector may run.
    frame[BUSY] = 1
    made = 0
    array = 0
    for i in range(frame[OUT_COUNT]):
        out = pointer_int64(frame[OUT_ROWS] + 8 * OUT_SIZE * i)
        if frame[GIVEN] != 0:
            array = given[frame[ARG_COUNT] + i]
            invoke(api[API_Py_IncRef], "void(int64)", array)
        elif out[OUT_TAKEN] != 0:
            array = given[out[OUT_TAKEN] - 1]
            invoke(api[API_Py_IncRef], "void(int64)", array)
        else:
            array = invoke(
                api[API_PyArray_New], "int64(int64, int32, int64, int32, int64, int64, int32, "
                "int32, int64)", api[API_ndarray], np.int32(out[OUT_RANK]), out[OUT_DIMS],
                np.int32(out[OUT_NUMBER]), 0, 0, 0, 0, 0,
            )
        if array == 0:
            break
        objects[out[OUT_SLOT]] = array
        addresses[out[OUT_SLOT]] = pointer_int64(array)[ND_DATA]
        made = made + 1
    result = 0
    if made == frame[OUT_COUNT]:
        result = run(frame, api, addresses, objects)
    for i in range(frame[HELD_COUNT]):
        slot = pointer_int64(frame[HELD_ROWS])[i]
        if objects[slot] != 0:
            invoke(api[API_Py_DecRef], "void(int64)", objects[slot])
            objects[slot] = 0
    frame[BUSY] = 0
    return result
"""

_AGAIN = """
def again(api):
    invoke(api[API_Py_IncRef], "void(int64)", api[API_NotImplemented])
    return api[API_NotImplemented]
"""

_PATCH = """
def patch(rows, count, addresses):
    for i in range(count):
        row = pointer_int64(rows + 8 * PATCH_SIZE * i)
        word = pointer_int64(row[PATCH_WORD])
        word[0] = addresses[row[PATCH_SLOT]] + row[PATCH_OFFSET]
"""

_KERNEL_STEP = """
def kernel_step(frame, step):
    if step[STEP_PIECE] != 0 and frame[THREADS] > 1:
        share(
            pointer_int64(frame[TEAM]), step[STEP_FUNCTION], step[STEP_TABLE], step[STEP_START],
            step[STEP_STOP], step[STEP_PIECE], frame[THREADS] - 1,
        )
    else:
        invoke(
            step[STEP_FUNCTION], "void(int64, int64, int64)", step[STEP_TABLE], step[STEP_START],
            step[STEP_STOP],
        )
"""

_RUN = """
def run(frame, api, addresses, objects):
    frame[STATUS] = 0
    patch(frame[PATCH_ROWS], frame[PATCH_COUNT], addresses)
    state = 0
    if frame[RELEASE] != 0:
        state = invoke(api[API_PyEval_SaveThread], "int64()")
    good = 1
    for i in range(frame[STEP_COUNT]):
        step = pointer_int64(frame[STEP_ROWS] + 8 * STEP_SIZE * i)
        if step[STEP_KIND] == KERNEL:
            kernel_step(frame, step)
        else:
            if frame[RELEASE] != 0:
                invoke(api[API_PyEval_RestoreThread], "void(int64)", state)
            good = host_step(step, api, addresses, objects)
            if frame[RELEASE] != 0:
                state = invoke(api[API_PyEval_SaveThread], "int64()")
            if good == 0:
                break
        if frame[STATUS] != 0:
            break
    if frame[RELEASE] != 0:
        invoke(api[API_PyEval_RestoreThread], "void(int64)", state)
    if good == 0:
        return 0
    if frame[STATUS] != 0:
        invoke(api[API_Py_IncRef], "void(int64)", api[API_Ellipsis])
        return api[API_Ellipsis]
    return results(frame, api, addresses, objects)
"""

_RESULTS = """
def results(frame, api, addresses, objects):
    group = 0
    if frame[SINGLE] == 0:
        group = invoke(api[API_PyTuple_New], "int64(int64)", frame[RESULT_COUNT])
        if group == 0:
            return 0
    for i in range(frame[RESULT_COUNT]):
        row = pointer_int64(frame[RESULT_ROWS] + 8 * RESULT_SIZE * i)
        slot = row[RESULT_SLOT]
        made = objects[slot]
        if row[RESULT_DTYPE] == 0:
            objects[slot] = 0
        else:
            made = invoke(
                api[API_PyArray_Scalar], "int64(int64, int64, int64)", addresses[slot],
                row[RESULT_DTYPE], 0,
            )
        if frame[SINGLE] != 0:
            return made
        if made == 0:
            invoke(api[API_Py_DecRef], "void(int64)", group)
            return 0
        invoke(api[API_PyTuple_SetItem], "int32(int64, int64, int64)", group, i, made)
    return group
"""

_HOST_STEP = """
def host_step(step, api, addresses, objects):
    args = invoke(api[API_PyTuple_New], "int64(int64)", step[STEP_ARG_COUNT])
    if args == 0:
        return 0
    for i in range(step[STEP_ARG_COUNT]):
        view = pointer_int64(step[STEP_ARG_ROWS] + 8 * VIEW_SIZE * i)
        place = addresses[view[VIEW_SLOT]] + view[VIEW_OFFSET]
        thing = 0
        if view[VIEW_RANK] == 0:
            thing = invoke(
                api[API_PyArray_Scalar], "int64(int64, int64, int64)", place, view[VIEW_DTYPE], 0
            )
        else:
            thing = invoke(
                api[API_PyArray_New], "int64(int64, int32, int64, int32, int64, int64, int32, "
                "int32, int64)", api[API_ndarray], np.int32(view[VIEW_RANK]), view[VIEW_DIMS],
                np.int32(view[VIEW_NUMBER]), view[VIEW_STRIDES], place, 0, 0, 0,
            )
        if thing == 0:
            invoke(api[API_Py_DecRef], "void(int64)", args)
            return 0
        invoke(api[API_PyTuple_SetItem], "int32(int64, int64, int64)", args, i, thing)
    made = invoke(
        api[API_PyObject_CallObject], "int64(int64, int64)", step[STEP_FUNCTION], args
    )
    invoke(api[API_Py_DecRef], "void(int64)", args)
    if made == 0:
        return 0
    for i in range(step[STEP_OUT_COUNT]):
        slot = pointer_int64(step[STEP_OUT_ROWS])[i]
        array = invoke(api[API_PyTuple_GetItem], "int64(int64, int64)", made, i)
        invoke(api[API_Py_IncRef], "void(int64)", array)
        objects[slot] = array
        addresses[slot] = pointer_int64(array)[ND_DATA]
    invoke(api[API_Py_DecRef], "void(int64)", made)
    patch(step[STEP_PATCH_ROWS], step[STEP_PATCH_COUNT], addresses)
    return 1
"""


@functools.cache
def source() -> Source:
    """``call``, to be compiled."""
    names = (*(WORDS | _OBJECT_WORDS).items(), *team.NUMBERS)
    return Source(_CALL, ("int64",) * 3, "int64", names=names, helpers=_HELPERS)


@functools.cache
def entry() -> int:
    """The address of ``call``."""
    return address(source())


#: What it takes to run kernels, with the types of parameters and results.
NATIVE_STEPS = (
    (_PATCH, ("int64", "int64", "*int64"), "void"),
    (_KERNEL_STEP, ("*int64",) * 2, "void"),
)
#: The functions that ``call`` is made of, with the types of their parameters and results.
_HELPERS = (
    *team.HELPERS,
    (_AGAIN, ("*int64",), "int64"),
    *NATIVE_STEPS,
    (_HOST_STEP, ("*int64",) * 4, "int64"),
    (_RESULTS, ("*int64",) * 4, "int64"),
    (_RUN, ("*int64",) * 4, "int64"),
)


class _MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


_FASTCALL = 0x80
_method = _MethodDef(b"call", None, _FASTCALL, None)


def bound(frame: np.ndarray) -> Callable[..., Any]:
    """``call`` as a built-in function of Python's, bound to a frame's words.

    It returns ``NotImplemented`` where the arguments are not exactly of the program's signature or
    the frame is in use, and ``Ellipsis`` where a kernel met an index out of bounds.
    """
    _method.function = entry()
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.POINTER(_MethodDef), ctypes.py_object, ctypes.c_void_p]
    return make(ctypes.byref(_method), frame, None)


# PyArray_New and PyArray_Scalar in the table of NumPy's C interface, whose order never changes.
_NUMPY_API = {"PyArray_New": 93, "PyArray_Scalar": 60}


@functools.cache
def api() -> np.ndarray:
    """The addresses of the functions and objects in ``layout.API``."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype = ctypes.c_void_p
    get.argtypes = [ctypes.py_object, ctypes.c_char_p]
    capsule = np._core.multiarray._ARRAY_API  # type: ignore[attr-defined]
    pointers = ctypes.cast(get(capsule, None), ctypes.POINTER(ctypes.c_void_p))
    objects = {
        "ndarray": np.ndarray,
        "NotImplemented": NotImplemented,
        "Ellipsis": ...,
        "True": True,
    }
    words = []
    for name in API:
        if name in _NUMPY_API:
            words.append(pointers[_NUMPY_API[name]])
        elif name in objects:
            words.append(id(objects[name]))
        else:
            words.append(ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value)
    return np.array(words, np.int64)


def check_layout() -> None:
    """Check that this Python and NumPy lay objects out as ``call`` reads them.

    Raises:
      RuntimeError: when they do not.
    """
    array = np.arange(6.0).reshape(2, 3)
    words = (ctypes.c_int64 * 9).from_address(id(array))
    dims = (ctypes.c_int64 * 2).from_address(words[_OBJECT_WORDS["ND_DIMS"]])
    strides = (ctypes.c_int64 * 2).from_address(words[_OBJECT_WORDS["ND_STRIDES"]])
    value = ctypes.c_double.from_address(id(scalar := np.float64(2.5)) + 16)
    number = ctypes.c_double.from_address(id(plain := float("2.5")) + 16)
    good = (
        words[1] == id(np.ndarray)
        and words[_OBJECT_WORDS["ND_DATA"]] == array.ctypes.data
        and words[_OBJECT_WORDS["ND_RANK"]] & 0xFFFFFFFF == 2
        and tuple(dims) == (2, 3)
        and tuple(strides) == (24, 8)
        and words[_OBJECT_WORDS["ND_DTYPE"]] == id(array.dtype)
        and words[_OBJECT_WORDS["ND_FLAGS"]] & 0x101 == 0x101
        and value.value == scalar
        and number.value == plain
    )
    if not good:
        raise RuntimeError("autotrace.kernels does not know this Python's object layout")
