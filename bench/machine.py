"""The machine: what it is, and what it can do at most (``peaks``, by machine.c)."""

from __future__ import annotations

import ctypes
import datetime
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import cpuinfo
import numpy
import scipy

SOURCE = Path(__file__).with_name("machine.c")
FLAGS = "-O3 -march=native -shared -fPIC".split()
#: Bytes of the three arrays together, by where they then are on the machines of today.
SIZES = {"L1": 24 * 2**10, "L2": 384 * 2**10, "L3": 6 * 2**20, "memory": 384 * 2**20}
TRIES = 60


def today() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"


def description() -> dict[str, object]:
    return {
        "processor": cpuinfo.get_cpu_info()["brand_raw"],
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
    }


def peaks() -> dict[str, object]:
    """Bytes a second of a triad, by size, and operations a second of multiply-adds, one thread."""
    functions = _compiled()
    bandwidth = {}
    for name, size in SIZES.items():
        length = size // 24
        repeats = max(1, 2**21 // length)
        best = min(functions.triad(length, repeats) for _ in range(TRIES))
        bandwidth[name] = float(f"{24 * length * repeats / best:.4g}")
    operations = {}
    for dtype in ("float64", "float32"):
        function = getattr(functions, f"multiply_adds_{dtype}")
        done = ctypes.c_double()
        best = min(function(200_000, ctypes.byref(done)) for _ in range(TRIES))
        operations[dtype] = float(f"{done.value / best:.4g}")
    return {"bandwidth": bandwidth, "flops": operations}


def _compiled() -> ctypes.CDLL:
    compiler = shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("there is no C compiler (cc)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "machine.so"
        subprocess.check_call([compiler, *FLAGS, "-o", path, SOURCE])
        functions = ctypes.CDLL(str(path))
    functions.triad.argtypes = [ctypes.c_long, ctypes.c_long]
    functions.triad.restype = ctypes.c_double
    for dtype in ("float64", "float32"):
        function = getattr(functions, f"multiply_adds_{dtype}")
        function.argtypes = [ctypes.c_long, ctypes.POINTER(ctypes.c_double)]
        function.restype = ctypes.c_double
    return functions
