from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy_checks import agrees, same

import autotrace as at
import autotrace.numpy as anp

NAMES = "bool_ int8 int64 uint16 float16 float32 float64 complex64 complex128 double intp".split()


@pytest.mark.parametrize("name", NAMES)
def test_they_are_numpys(name):
    ours, numpys = getattr(anp, name), getattr(np, name)
    assert ours == numpys and numpys == ours and hash(ours) == hash(numpys)
    assert np.dtype(ours) == np.dtype(numpys) == ours.dtype
    assert np.zeros(2, ours).dtype == numpys and np.dtype(numpys).type == ours
    assert isinstance(numpys(1), ours) and not isinstance("1", ours)
    assert type(ours(1)) is numpys
    assert pickle.loads(pickle.dumps(ours)) is ours
    assert np.result_type(ours, np.int8) == np.result_type(numpys, np.int8)
    assert issubclass(numpys, ours) and issubclass(ours, ours)


def test_they_convert_traced_values():
    agrees(lambda x: x.astype(np.float32), np.array([1.5, 2.0]))
    same(at.jit(lambda x: anp.float32(x))(np.array([1.5, 2.0])), np.array([1.5, 2.0], "f"))
    same(at.jit(lambda x: anp.int8(x))(3.7), np.int8(3))
    same(at.grad(lambda x: anp.float64(x) ** 2)(3.0), np.float64(6.0))
    same(at.jit(lambda x, y: anp.float32([x, y]))(1.0, 2.0), np.array([1.0, 2.0], "f"))


def test_they_are_dtypes_of_traced_values():
    def f(x):
        assert x.dtype == anp.float64 and anp.issubdtype(x.dtype, anp.floating)
        assert anp.isdtype(x.dtype, anp.float64)
        assert anp.finfo(anp.float32).bits == 32 and anp.iinfo(anp.int8).max == 127
        assert anp.result_type(x, anp.complex64) == anp.complex128
        return x.astype(anp.float32), anp.zeros(2, anp.float32), anp.asarray(x, anp.int32)

    first, second, third = at.jit(f)(np.float64(1.5))
    assert (first.dtype, second.dtype, third.dtype) == (np.float32, np.float32, np.int32)


def test_ndarray():
    seen = []

    def f(x):
        seen.append((isinstance(x, anp.ndarray), isinstance(1.0, anp.ndarray)))
        return x

    at.jit(f)(np.ones(2))
    assert seen == [(True, False)] and isinstance(np.ones(1), anp.ndarray)
    assert anp.ndarray((2,)).shape == (2,) and issubclass(np.ndarray, anp.ndarray)
