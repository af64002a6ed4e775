"""The libraries, by the names of their modules here, in the order of the table's columns.

A module has ``VERSION`` and ``build(row)``: a function that takes the inputs of a row, as NumPy
arrays and numbers, and returns a job without arguments, whose results are NumPy arrays again.
Nothing is compiled before the job runs for the first time.
"""

from __future__ import annotations

#: What the table calls them. The first is the one that is compared with the others.
TITLES = {
    "autotrace": "autotrace",
    "plain": "NumPy",
    "jax": "JAX",
    "torch": "PyTorch",
    "torch_compile": "PyTorch, compiled",
    "pytensor": "PyTensor",
    "autograd": "autograd",
    "numba": "Numba",
    "c": "C",
}
OURS, REFERENCE = "autotrace", "c"
#: Those whose first call differs from others.
#: Those that take many seconds to compile: by default they do chosen rows only.
SLOW_COMPILERS = ("torch_compile", "pytensor")
COMPILED = ("autotrace", "jax", "torch_compile", "pytensor", "numba")
