"""``autotrace.scipy.fft`` against ``scipy.fft``."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.fft
from numpy_checks import agrees, derives, same

import autotrace as at

rng = np.random.default_rng(0)


def real(*shape):
    return rng.standard_normal(shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def case_ids(part):
    return part if type(part) is str else ""


CASES = [
    ("fft", cplx(3, 5), {"n": 4, "norm": "ortho"}),
    ("ifft", real(5), {"workers": 1}),
    ("rfft", real(2, 5), {"axis": 0}),
    ("irfft", cplx(3), {"n": 5, "overwrite_x": False}),
    ("hfft", cplx(4), {"norm": "forward"}),
    ("ihfft", real(5), {"norm": "ortho"}),
    ("fft2", cplx(3, 4), {}),
    ("ifft2", real(3, 4), {"s": (2, 4)}),
    ("rfft2", real(3, 4), {}),
    ("irfft2", cplx(3, 4), {"norm": "ortho"}),
    ("hfft2", cplx(3, 4), {"norm": "forward"}),
    ("ihfft2", real(3, 4), {}),
    ("fftn", cplx(2, 3, 2), {"axes": 1}),
    ("ifftn", cplx(2, 3), {"s": 4}),
    ("rfftn", real(2, 3, 4), {"s": (3, 3)}),
    ("irfftn", cplx(2, 3), {}),
    ("hfftn", real(2, 3), {"norm": "ortho"}),
    ("ihfftn", real(3, 5), {"axes": (1, 0)}),
    ("dctn", real(3, 4), {"type": 2, "axes": (0,), "norm": "ortho"}),
    ("idctn", real(3, 4), {"type": 3}),
    ("dstn", real(3, 4), {"type": 2, "s": (4, 2)}),
    ("idstn", cplx(3, 4), {"type": 1, "norm": "forward"}),
    ("fftshift", real(5), {}),
    ("ifftshift", real(5), {}),
]


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


@pytest.mark.parametrize(
    ("name", "x", "arguments"), CASES, ids=lambda c: c if type(c) is str else ""
)
def test_values_and_derivatives(name, x, arguments):
    check(name, x, arguments)


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
