"""``autotrace.scipy.fft`` against ``scipy.fft``."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.fft
from numpy_checks import agrees, derives, same
from scipy_cases import FFT, real
from scipy_checks import case_ids

import autotrace as at


def check(name, x, arguments):
    plain, ours = getattr(scipy.fft, name), getattr(at.scipy.fft, name)
    expected = plain(x, **arguments)
    same(ours(x, **arguments), expected)

    def f(x):
        return ours(x, **arguments)

    agrees(f, x, rtol=1e-14)
    derives(f, x)
    single = x.astype(np.complex64 if x.dtype.kind == "c" else np.float32)
    same(at.jit(f)(single), plain(single, **arguments), 1e-14)


@pytest.mark.parametrize(("name", "args", "options"), FFT, ids=case_ids)
def test_values_and_derivatives(name, args, options):
    check(name, *args, options)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst"])
def test_types_and_norms(name, number):
    """The transpose of each form of each type."""
    x = real(2, 5)
    plain, ours = getattr(scipy.fft, name), getattr(at.scipy.fft, name)
    for norm, orthogonalize in itertools.product(
        ["backward", "ortho", "forward"], [None, True, False]
    ):
        options = {"type": number, "norm": norm, "orthogonalize": orthogonalize}
        matrix = plain(np.eye(5), axis=0, **options)

        def f(x, options=options):
            return ours(x, **options)

        value, pull = at.vjp(f, x)
        same(value, plain(x, **options))
        ct = real(2, 5)
        np.testing.assert_allclose(pull(ct)[0], ct @ matrix, rtol=1e-12, atol=1e-12)
    check(name, real(3, 4), {"type": number, "axis": 0, "n": 5})


def test_dtypes():
    for name, code in itertools.product(["fft", "irfft", "dct", "idst"], "?bHie"):
        f = getattr(at.scipy.fft, name)
        x = np.ones(4, code)
        same(at.jit(f)(x), getattr(scipy.fft, name)(x), 1e-13)


def test_errors():
    with pytest.raises(ValueError, match="unique"):
        at.jit(lambda x: at.scipy.fft.fftn(x, axes=(0, 0)))(np.ones((2, 2)))
    with pytest.raises(ValueError, match="no type 5"):
        at.jit(lambda x: at.scipy.fft.dct(x, type=5))(np.ones(3))
    with pytest.raises(ValueError, match="2 elements at least"):
        at.jit(lambda x: at.scipy.fft.dct(x, type=1))(np.ones(1))
