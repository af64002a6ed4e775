"""``autotrace.scipy.cluster.vq`` against ``scipy.cluster.vq``."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.cluster.vq
from numpy_checks import same
from scipy_cases import VQ, real
from scipy_checks import TOLERANCE, case_ids, check

import autotrace as at


@pytest.mark.parametrize(("name", "args", "options"), VQ, ids=case_ids)
def test_values_and_derivatives(name, args, options):
    check(getattr(scipy.cluster.vq, name), getattr(at.scipy.cluster.vq, name), args, options)


def test_integers():
    x, codes = np.arange(8).reshape(4, 2), np.array([[1, 1], [5, 5]])
    same(at.jit(at.scipy.cluster.vq.vq)(x, codes), scipy.cluster.vq.vq(x, codes), TOLERANCE)


def test_at_a_code():
    """Where an observation is a code, the distance has derivative zero, and not NaN."""
    x = real(3, 2)
    slope = at.grad(lambda x, codes: np.sum(at.scipy.cluster.vq.vq(x, codes)[1]))(x, x[:2])
    np.testing.assert_array_equal(slope[:2], 0)
    assert np.all(np.isfinite(slope))


def test_errors():
    vq = at.scipy.cluster.vq.vq
    for f, message in [
        (lambda x: vq(x, x[0]), "rank"),
        (lambda x: vq(x[0, 0], x[1, 1]), "rank"),
        (lambda x: vq(x, x[:, :1]), "shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            at.make_jaxpr(f)(np.ones((3, 2)))
    with pytest.raises(ValueError, match="infs or NaNs"):
        at.make_jaxpr(lambda x: vq(x, np.full((1, 2), np.nan)))(np.ones((3, 2)))
