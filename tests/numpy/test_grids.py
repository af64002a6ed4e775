from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives, same

import autotrace as at
import autotrace.numpy as anp

V = np.array([0.5, -1.0, 2.0])
M = np.arange(12.0).reshape(3, 4)
CASES = {
    "r_": lambda v: np.r_[v, 1, 2.5, 0:3, 0:1:3j, [4, 5]],
    "r_ of integers": lambda v: np.r_[v.astype(int), 1, 2:4],
    "r_ of rows": lambda v: np.r_["0,2", v, v],
    "r_ along": lambda v: np.r_["-1", np.ones((2, 1)), np.stack([v, v])],
    "r_ of columns": lambda v: np.r_["1,2,0", v, v * 2],
    "r_ of three": lambda v: np.r_["0,3,1", v, v],
    "c_": lambda v: np.c_[v, v**2, [1, 2, 3]],
    "c_ of matrices": lambda v: np.c_[np.ones((1, 2)), np.stack([v[:2]])],
    "mgrid": lambda v: np.mgrid[0 : v[0] : 3j, 1:4],
    "mgrid of one": lambda v: np.mgrid[v[1] : v[2] : 5j],
    "ogrid": lambda v: tuple(np.ogrid[0 : v[0] : 3j, 1:4]),
    "ogrid of integers": lambda v: tuple(x * v[0] for x in np.ogrid[0:2, 1:4]),
    "ix_": lambda v: (v[0] * M)[np.ix_([0, 2], [1, -1, 2])],
    "ndenumerate": lambda v: [y * i for (i,), y in np.ndenumerate(v)],
}


@pytest.mark.parametrize("name", CASES)
def test_values(name):
    agrees(CASES[name], V, rtol=1e-15)
    if "integers" not in name:
        derives(CASES[name], V)


def test_ix_of_bools():
    x = np.array([True, False, True])
    same(at.jit(lambda b, m: m[np.ix_(b, [0, 2])])(x, M), M[np.ix_(x, [0, 2])])
    with pytest.raises(ValueError, match="1 dimensional"):
        at.jit(np.ix_)(M)


def test_diagonals_and_triangles():
    q = M[:, :3]
    for function in (np.diag_indices_from, np.tril_indices_from, np.triu_indices_from):
        agrees(lambda a, f=function: a[f(a)], q)
    agrees(lambda a: a[np.triu_indices_from(a, 1)], M)
    with pytest.raises(ValueError, match="equal length"):
        at.jit(np.diag_indices_from)(M)
    with pytest.raises(ValueError, match="2-d"):
        at.jit(np.tril_indices_from)(V)


def test_errors():
    with pytest.raises(ValueError, match="first entry"):
        at.jit(lambda v: np.r_[v, "0,2"])(V)
    with pytest.raises(ValueError, match="unknown special directive"):
        at.jit(lambda v: np.r_["x", v])(V)
    with pytest.raises(TypeError, match="matrix"):
        at.jit(lambda v: np.r_["r", v])(V)


def test_without_traced_values_they_are_numpys():
    same(anp.r_[1, 2:4], np.r_[1, 2:4])
    same(anp.c_[[1, 2]], np.c_[[1, 2]])
    same(anp.mgrid[0:2, 0:3], np.mgrid[0:2, 0:3])
    before = np.r_, np.c_, np.mgrid, np.ogrid, np.vectorize, np.ndenumerate
    at.grad(lambda x: x * x)(1.0)
    assert before == (np.r_, np.c_, np.mgrid, np.ogrid, np.vectorize, np.ndenumerate)
