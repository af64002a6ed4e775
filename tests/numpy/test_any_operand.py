"""Functions of one array on scalars, empty arrays and others, of several dtypes: what NumPy gives,
in value, dtype and shape, or an error of the same meaning.

The interpreter runs them, which calls NumPy: it is about what a function is made of.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy_checks import leaves

import autotrace as at

RNG = np.random.default_rng(0)
SHAPES = [(), (0,), (3,), (2, 3), (0, 3)]
DTYPES = "?bHlefdFD"

_NAMES = """abs angle argwhere argsort argmax argmin around atleast_1d atleast_2d atleast_3d average
count_nonzero cov corrcoef cumprod cumsum cumulative_sum diag diagflat diff ediff1d fix flatnonzero
flip fliplr flipud gradient histogram_bin_edges i0 imag iscomplex isneginf isposinf isreal max mean
median min nan_to_num nanargmax nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd
nansum nanvar nonzero packbits poly polyint prod ptp ravel real real_if_close rot90 round sinc sort
sort_complex squeeze std sum trace transpose trapezoid trim_zeros unique unique_all unstack unwrap
vander var spacing frexp modf column_stack vstack hstack dstack block concatenate stack""".split()
FUNCTIONS = {name: getattr(np, name) for name in _NAMES} | {
    "quantile": lambda x: np.quantile(x, 0.3),
    "nanquantile": lambda x: np.nanquantile(x, [0.2, 0.7]),
    "percentile": lambda x: np.percentile(x, [20, 50.0], axis=-1, keepdims=True),
    "median along": lambda x: np.median(x, axis=0),
    "nanargmin along": lambda x: np.nanargmin(x, axis=0),
    "ptp along": lambda x: np.ptp(x, axis=0),
    "clip": lambda x: np.clip(x, -1, 2),
    "clip below": lambda x: np.clip(x, None, 2.5),
    "select": lambda x: np.select([x > 0, x < 0], [x, 2], 0.5),
    "piecewise": lambda x: np.piecewise(x, [x > 0], [lambda y: y * 2, -1]),
    "take": lambda x: np.take(x, [0, -1]),
    "repeat": lambda x: np.repeat(x, 2),
    "pad": lambda x: np.pad(x, 1, mode="mean"),
    "pad with a ramp": lambda x: np.pad(x, 1, mode="linear_ramp"),
    "insert": lambda x: np.insert(x, 0, 3),
    "delete": lambda x: np.delete(x, 0),
    "convolve": lambda x: np.convolve(x, [1, 2]),
    "correlate": lambda x: np.correlate(x, [1, 2], "same"),
    "digitize": lambda x: np.digitize(x, [0, 1]),
    "searchsorted": lambda x: np.searchsorted([0, 1, 2], x),
    "polyval": lambda x: np.polyval([1, 2, 3], x),
    "polyval of coefficients": lambda x: np.polyval(x, 2),
    "polymul": lambda x: np.polymul(x, [1, 2]),
    "isin": lambda x: np.isin(x, [1, 2]),
    "setxor1d": lambda x: np.setxor1d(x, [1]),
    "kron": lambda x: np.kron(x, [1, 2]),
    "einsum": lambda x: np.einsum("...i,...i", x, x),
    "linspace": lambda x: np.linspace(x, 2, 3),
    "logspace": lambda x: np.logspace(x, 2, 3),
    "apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x),
    "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x, 0),
    "vectorize": lambda x: np.vectorize(lambda a: a * 2)(x),
    "r_": lambda x: np.r_[x, 1],
    "c_": lambda x: np.c_[x, x],
    "histogram": lambda x: np.histogram(x, bins=3, weights=x, density=True),
    "bincount": lambda x: np.bincount(x),
    "partition": lambda x: np.sort(np.partition(x, 0)),
    "resize": lambda x: np.resize(x, 4),
    "unpackbits": lambda x: np.unpackbits(x),
}
#: What differs: sums of complex weights round, NumPy drops zeros in front of a product's factors.
DIFFERENT = {("histogram", "F"), ("histogram", "D"), ("polymul", "H"), ("polymul", "?")}


def operand(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    x = RNG.integers(-4, 5, shape) + (0.25 if dtype in "efdFD" else 0)
    x = x + 0.5j if dtype in "FD" else x
    return np.asarray(np.abs(x) if dtype in "H?" else x).astype(dtype)


def difference(f, x) -> str | None:
    """How a traced function differs from the function; None where it does not."""
    try:
        expected = f(x.copy() if x.ndim else x[()])
    except Exception as error:
        try:
            out = at.jit(f, backend="numpy")(x if x.ndim else x[()])
        except type(error).__mro__[-4 if len(type(error).__mro__) > 3 else 0]:
            return None
        except Exception as ours:
            return f"raises {ours!r:.200}, not {error!r:.200}"
        return f"gives {out} where NumPy raises {error!r:.200}"
    out = at.jit(f, backend="numpy")(x if x.ndim else x[()])
    got, wanted = leaves(out), leaves(expected)
    if len(got) != len(wanted):
        return f"{len(got)} results, not {len(wanted)}"
    for a, e in zip(map(np.asarray, got), map(np.asarray, wanted), strict=True):
        if (a.shape, a.dtype) != (e.shape, e.dtype):
            return f"{a.dtype}{a.shape}, not {e.dtype}{e.shape}"
        if e.dtype.kind in "fc":
            tolerance = 4 * float(np.finfo(e.dtype).eps)
            if not np.allclose(a, e, tolerance, tolerance, equal_nan=True):
                return f"{a}, not {e}"
        elif not np.array_equal(a, e):
            return f"{a}, not {e}"
    return None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_as_numpys(name):
    found = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for shape in SHAPES:
            for dtype in DTYPES:
                if (name, dtype) not in DIFFERENT:
                    text = difference(FUNCTIONS[name], operand(shape, dtype))
                    found += [f"{dtype}{shape}: {text}"] if text else []
    assert not found, "\n".join(found)
