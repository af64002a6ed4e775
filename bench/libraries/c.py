"""Functions of reference.c, called through ctypes.

They are the floor: the addresses of inputs are looked up before, and the arrays for results are
made once.
"""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy
from scipy.linalg import cython_blas

from bench.libraries import plain

SOURCE = Path(__file__).parent.parent / "reference.c"
FLAGS = "-O3 -march=native -fopenmp-simd -fno-math-errno -fno-trapping-math -shared -fPIC".split()
COMPILER = shutil.which("cc")
if COMPILER is None:
    raise ImportError("there is no C compiler (cc)")
VERSION = subprocess.check_output([COMPILER, "--version"], text=True).splitlines()[0]


@functools.cache
def library(dtype: str) -> ctypes.CDLL:
    """The compiled functions for a dtype."""
    single = dtype == "float32"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"reference_{dtype}.so"
        options = [*FLAGS, *(["-DSINGLE"] if single else [])]
        subprocess.check_call([COMPILER, *options, "-o", path, SOURCE, "-lm"])
        functions = ctypes.CDLL(str(path))
    functions.set_gemm(ctypes.c_void_p(_address_of_gemm("sgemm" if single else "dgemm")))
    return functions


def _address_of_gemm(name: str) -> int:
    """The address of SciPy's BLAS function."""
    capsule = cython_blas.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return get_pointer(capsule, get_name(capsule))


def _addresses(arrays):
    return (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))


def build(row):
    if row.c is None:
        return None
    reference = plain.build(row)
    like = None

    def bind(args):
        nonlocal like
        arrays = [numpy.ascontiguousarray(x) for x in args]
        if like is None:
            like = reference(args)()
            like = [like] if row.single else like
        results = [numpy.empty_like(x, order="C") for x in like]
        lengths = [length for x in arrays for length in numpy.shape(x)]
        function = getattr(library(arrays[0].dtype.name), row.c)
        given = _addresses(arrays), _addresses(results), (ctypes.c_long * len(lengths))(*lengths)

        def job(keep=arrays):
            function(*given)
            return results[0] if row.single else results

        return job

    return bind
