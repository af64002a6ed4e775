"""Checks that the tests of functions that ask for values share."""

import numpy as np

BACKENDS = ["numpy", "numba"]


def same(a, b):
    assert type(a) is type(b) or np.shape(a) == np.shape(b)
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def traces(f):
    return f.stats()["traces"]
