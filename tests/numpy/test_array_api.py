"""Conformance to the array API standard, against ``array_api_strict``.

Each function of the strict namespace is called with each of its parameters, on arrays of each of
the standard's dtypes: plain, and traced under ``jit``. Values, dtypes and shapes are the same.
"""

from __future__ import annotations

import contextlib
import inspect
import operator
import pathlib
import warnings
from typing import Any

import array_api_compat
import array_api_strict
import numpy as np
import pytest
from numpy_checks import leaves, same

import autotrace as at
import autotrace.numpy as anp

VERSION = "2024.12"
INTEGERS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64"
DTYPES = f"bool {INTEGERS} float32 float64 complex64 complex128"

COMPILED = ("bool", "uint8", "int64", "float32", "float64")

#: Where results differ from the strict namespace's, and for which dtypes; docs/array_api.md has
#: these, and why.
EXCEPTIONS: dict[str, str] = {"can_cast": f"bool {INTEGERS}"}


@pytest.fixture(autouse=True)
def _version():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array_api_strict.set_array_api_strict_flags(api_version=VERSION)
        yield
        array_api_strict.reset_array_api_strict_flags()


#: The arguments to call functions with, in terms of arrays of the dtype at hand: x and y of shape
#: (2, 3), s of shape (3, 3), v a sorted vector; i of indices, b of bools. Functions of x, or of x1
#: and x2, without keywords, need no entry.
CALLS: dict[str, list[str]] = {
    "all": ["x", "x, axis=0", "x, axis=(0, 1), keepdims=True"],
    "any": ["x", "x, axis=-1", "x, axis=(0, 1), keepdims=True"],
    "arange": ["3", "1, 7, 2, dtype=x.dtype, device=x.device", "0, stop=5.0, step=0.5"],
    "argmax": ["x", "x, axis=1, keepdims=True"],
    "argmin": ["x", "x, axis=0, keepdims=True"],
    "argsort": ["v", "x, axis=0", "y, descending=True, stable=True", "y, stable=False"],
    "asarray": [
        "x",
        "x, dtype=xp.complex128, copy=True",
        "x, device=x.device",
        "[1, 2]",
        "3.5",
        "[[True], [False]]",
    ],
    "astype": ["x, xp.complex64, copy=False", "x, x.dtype", "y, xp.bool, device=x.device"],
    "bitwise_left_shift": ["x, y", "x, 2"],
    "bitwise_right_shift": ["x, y", "x, 1"],
    "broadcast_arrays": ["x, x[0, ...], x[:, :1]"],
    "broadcast_to": ["x, (2, 2, 3)", "x[:, :1], shape=(2, 4)"],
    "can_cast": ["x, xp.float64", "x.dtype, xp.int16"],
    "clip": ["x, x[0, ...], 5", "x, min=y", "x, max=3", "x, None, None"],
    "concat": ["[x, y]", "(x, y), axis=1", "[x, v], axis=None"],
    "count_nonzero": ["x", "x, axis=1, keepdims=True"],
    "cumulative_prod": ["v", "x, axis=0", "x, axis=1, dtype=xp.float64, include_initial=True"],
    "cumulative_sum": ["v", "x, axis=0", "x, axis=1, dtype=xp.float64, include_initial=True"],
    "diff": ["x", "x, axis=0", "x, n=2", "x, prepend=y, append=y"],
    "empty": ["(2, 0)", "0, dtype=x.dtype, device=x.device"],
    "empty_like": ["x[:0, ...]", "x[:0, ...], dtype=xp.float32, device=x.device"],
    "expand_dims": ["x, axis=0", "x, axis=-2"],
    "eye": ["3", "2, 3, k=1", "2, None, dtype=x.dtype, device=x.device"],
    "flip": ["x", "x, axis=-1", "x, axis=(0, 1)"],
    "full": ["(2,), 3", "2, fill_value=1, dtype=x.dtype, device=x.device"],
    "full_like": ["x, 1", "x, fill_value=1.5, dtype=xp.float32, device=x.device"],
    "linspace": [
        "0, 1, 5",
        "0.0, 2.0, num=4, endpoint=False",
        "0, 1, 3, dtype=xp.float32, device=x.device",
    ],
    "matmul": ["x, s", "s, s", "s[0, ...], s[1, ...]"],
    "max": ["x", "x, axis=1, keepdims=True", "x, axis=(0, 1)"],
    "mean": ["x", "x, axis=1, keepdims=True", "x, axis=(0, 1)"],
    "meshgrid": ["v, x[0, ...]", "v, x[0, ...], indexing='ij'"],
    "min": ["x", "x, axis=1, keepdims=True", "x, axis=(0, 1)"],
    "moveaxis": ["x, 0, 1", "xp.stack([x, y]), (0, 1), (-1, 0)"],
    "nonzero": ["x"],
    "ones": ["(2,)", "3, dtype=x.dtype, device=x.device"],
    "ones_like": ["x", "x, dtype=xp.int8, device=x.device"],
    "permute_dims": ["x, (1, 0)", "x, axes=(0, 1)"],
    "pow": ["x, y", "x, 2", "y[0, ...], y"],
    "prod": ["x", "x, axis=0, keepdims=True", "x, axis=(0, 1), dtype=xp.complex128"],
    "repeat": ["v, 2", "x, 3, axis=1", "x, i[:2], axis=0"],
    "reshape": ["x, (3, 2)", "x, shape=(-1,), copy=True"],
    "result_type": ["x, xp.int16", "x, x.dtype, y"],
    "roll": ["x, 1", "x, shift=(1, -1), axis=(0, 1)"],
    "searchsorted": ["v, y", "v, v, side='right'", "v, v, sorter=xp.argsort(v)"],
    "sort": ["x", "x, axis=0, descending=True", "y, stable=False"],
    "squeeze": ["x[:1, ...], 0", "x[:, :1], axis=(1,)"],
    "stack": ["[x, y]", "(x, y), axis=-1"],
    "std": ["x", "x, axis=1, correction=1, keepdims=True"],
    "sum": ["x", "x, axis=0, keepdims=True", "x, axis=(0, 1), dtype=xp.complex128"],
    "take": ["v, i", "x, i, axis=1"],
    "take_along_axis": ["x, xp.argsort(x)", "x, xp.argsort(x, axis=0), axis=0"],
    "tensordot": ["x, s, axes=1", "s, s", "x, y, axes=((1,), (1,))"],
    "tile": ["x, (2,)", "x, (2, 1, 2)"],
    "tril": ["x", "s, k=-1"],
    "triu": ["x", "s, k=1"],
    "unique_all": ["x"],
    "unique_counts": ["x"],
    "unique_inverse": ["x"],
    "unique_values": ["x"],
    "unstack": ["x", "x, axis=1"],
    "var": ["x", "x, axis=1, correction=1, keepdims=True"],
    "vecdot": ["x, y", "x, y, axis=-2"],
    "where": ["b, x, y", "b, x, 1"],
    "zeros": ["(2,)", "3, dtype=x.dtype, device=x.device"],
    "zeros_like": ["x", "x, dtype=xp.int8, device=x.device"],
}


def operands(dtype: str) -> dict[str, np.ndarray]:
    """The arrays of ``CALLS``."""
    kind = np.dtype(dtype).kind
    x = np.array([[2, 0, 5], [1, 7, 3]])
    if kind in "ifc":
        x = x * np.array([1, -1, 1]) - np.array([[0, 0, 0], [3, 0, 0]])
    y = np.array([[1, 2, 2], [3, 1, 2]])
    s = np.array([[4, 1, 0], [1, 5, 2], [0, 2, 6]])
    if kind in "fc":
        x, s = x / 4, s / 2
    if kind == "c":
        x, s = x + 1j * y, s + 1j * (s > 1)
    arrays = {"x": x, "y": y, "s": s, "v": np.sort(x[0])}
    others = {"i": np.array([1, 0, 1]), "b": np.array([[True, False, True], [False, True, True]])}
    return {**{k: a.astype(dtype) for k, a in arrays.items()}, **others}


#: The same for the extensions.
EXTENSIONS: dict[str, list[str]] = {
    "fft.fft": ["x", "x, n=4, axis=0, norm='ortho'"],
    "fft.ifft": ["x", "x, n=4, axis=0, norm='forward'"],
    "fft.fftn": ["x", "x, s=(3, 2), axes=(0, 1), norm='ortho'"],
    "fft.ifftn": ["x", "x, s=(3, 2), axes=(0, 1), norm='ortho'"],
    "fft.rfft": ["x", "x, n=4, axis=0, norm='ortho'"],
    "fft.irfft": ["x", "x, n=4, axis=0, norm='forward'"],
    "fft.rfftn": ["x", "x, s=(3, 2), axes=(0, 1), norm='ortho'"],
    "fft.irfftn": ["x", "x, s=(3, 2), axes=(0, 1), norm='ortho'"],
    "fft.hfft": ["x", "x, n=4, axis=0, norm='forward'"],
    "fft.ihfft": ["x", "x, n=4, axis=0, norm='ortho'"],
    "fft.fftfreq": ["5", "4, d=0.5, dtype=xp.float32, device=x.device"],
    "fft.rfftfreq": ["5", "4, d=0.5, dtype=xp.float32, device=x.device"],
    "fft.fftshift": ["x", "x, axes=1"],
    "fft.ifftshift": ["x", "x, axes=(0,)"],
    "linalg.cholesky": ["s", "s, upper=True"],
    "linalg.cross": ["x, y", "s, x[:1, :], axis=-1", "s, s[::-1, :], axis=-2"],
    "linalg.det": ["s"],
    "linalg.diagonal": ["x", "xp.stack([s, s]), offset=1"],
    "linalg.eigh": ["s"],
    "linalg.eigvalsh": ["s"],
    "linalg.inv": ["s"],
    "linalg.matmul": ["x, s"],
    "linalg.matrix_norm": ["x", "x, keepdims=True, ord=1", "s, ord='nuc'", "s, ord=-2"],
    "linalg.matrix_power": ["s, 3", "s, 0", "s, -1"],
    "linalg.matrix_rank": ["s", "x, rtol=0.5"],
    "linalg.matrix_transpose": ["x"],
    "linalg.outer": ["v, x[0, ...]"],
    "linalg.pinv": ["s", "x, rtol=0.1"],
    "linalg.qr": ["x", "s, mode='complete'"],
    "linalg.slogdet": ["s"],
    "linalg.solve": ["s, s", "s, v"],
    "linalg.svd": ["x", "x, full_matrices=False"],
    "linalg.svdvals": ["x"],
    "linalg.tensordot": ["x, s, axes=1", "x, y, axes=((1,), (1,))"],
    "linalg.trace": ["s", "x, offset=1, dtype=xp.complex128"],
    "linalg.vecdot": ["x, y", "x, y, axis=-2"],
    "linalg.vector_norm": ["x", "x, axis=0, keepdims=True, ord=3", "x, ord=float('inf')"],
}


#: Functions that take and give other things than arrays: tested by themselves.
OTHERS = {"finfo", "iinfo", "isdtype", "from_dlpack", "__array_namespace_info__"}


def _functions() -> list[str]:
    """The functions of the standard, as the strict namespace has them for this version."""
    names = [n for n in array_api_strict.__all__ if inspect.isfunction(_strict(n))]
    later = {"broadcast_shapes", "isin"}  # of a later version
    return [n for n in names if not n.endswith("_strict_flags") and n not in OTHERS | later]


def _strict(name: str) -> Any:
    """A function of the strict namespace, or of an extension."""
    return operator.attrgetter(name)(array_api_strict)


FUNCTIONS = [*_functions(), *EXTENSIONS]


def calls_of(name: str) -> list[str]:
    """The argument lists to call a function with."""
    if name in CALLS:
        return CALLS[name]
    if name in EXTENSIONS:
        return EXTENSIONS[name]
    parameters = list(inspect.signature(_strict(name)).parameters)
    assert parameters in (["x"], ["x1", "x2"]), (name, parameters)
    return ["x"] if parameters == ["x"] else ["x, y", "x, 2", "y[0, ...], x"]


def evaluate(xp: Any, name: str, call: str, arrays: dict[str, Any]) -> list[Any]:
    return leaves(eval(f"xp.{name}({call})", {"xp": xp, **arrays}))


def plain(x: Any) -> Any:
    """A result as NumPy has it."""
    if isinstance(x, array_api_strict._array_object.Array):
        return np.asarray(x)
    return getattr(x, "_np_dtype", x)


def expected_results(name: str) -> dict[tuple[str, str], list[Any]]:
    """What the strict namespace gives for each dtype and call that it allows."""
    found = {}
    for dtype in DTYPES.split():
        strict = {k: array_api_strict.asarray(a) for k, a in operands(dtype).items()}
        for call in calls_of(name):
            try:
                outs = evaluate(array_api_strict, name, call, strict)
            except TypeError:
                continue  # not a dtype for this function
            found[dtype, call] = [plain(x) for x in outs]
    return found


def is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray | np.generic | at.core.trace.Tracer)


#: The function whose results the standard leaves the order of open.
UNORDERED = "unique_values"


def agree(name: str, actual: list[Any], expected: list[Any]) -> bool:
    """Whether results are equal; arrays that are not raise."""
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        if isinstance(e, np.ndarray):
            same(*(map(np.sort, (a, e)) if name == UNORDERED else (a, e)), 1e-13)
        elif a != e:
            return False
    return True


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name):
    expected = expected_results(name)
    arrays = {dtype: operands(dtype) for dtype, _ in expected}
    others = {}

    def everything(arrays):
        outs = []
        for dtype, call in expected:
            results = evaluate(anp, name, call, arrays[dtype])
            outs.append([x for x in results if is_array(x)])
            others[dtype, call] = [x for x in results if not is_array(x)]
        return outs

    def check(function):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = function(arrays)
        differing = set()
        for (case, wanted), found in zip(expected.items(), results, strict=True):
            if not agree(name, [*found, *others[case]], wanted):
                differing.add(case[0])
        assert differing == {d for d in EXCEPTIONS.get(name, "").split() if d in arrays}

    check(everything)
    check(at.jit(everything, backend="numpy"))
    # What a program is does not depend on the backend: some dtypes are enough to compile.
    expected = {case: wanted for case, wanted in expected.items() if case[0] in COMPILED}
    arrays = {dtype: arrays[dtype] for dtype, _ in expected}
    if at.config.backend != "numpy":
        check(at.jit(everything))


class Recorder:
    """A namespace that notes which parameters its functions are given."""

    def __init__(self, prefix: str, given: dict[str, set[str]]):
        self.prefix, self.given = prefix, given

    def __getattr__(self, attribute: str) -> Any:
        name = self.prefix + attribute
        function = _strict(name)
        if inspect.ismodule(function):
            return Recorder(name + ".", self.given)
        if not inspect.isfunction(function):
            return function

        def call(*args, **kwargs):
            bound = inspect.signature(function).bind(*args, **kwargs)
            self.given.setdefault(name, set()).update(bound.arguments)
            return function(*args, **kwargs)

        return call


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_parameter_is_given(name):
    """The calls above leave out no parameter that the standard has."""
    given: dict[str, set[str]] = {}
    for dtype in ("bool", "int64", "float64", "complex128"):
        strict = {k: array_api_strict.asarray(a) for k, a in operands(dtype).items()}
        for call in calls_of(name):
            with contextlib.suppress(TypeError):
                evaluate(Recorder("", given), name, call, strict)
    assert given[name] == set(inspect.signature(_strict(name)).parameters)


def test_the_namespace_is_whole():
    """All names of the standard are there, constants and dtypes included."""
    for name in [*FUNCTIONS, *OTHERS]:
        assert callable(operator.attrgetter(name)(anp)), name
    for name in ("e", "inf", "nan", "pi", "newaxis"):
        expected = _strict(name)
        assert getattr(anp, name) is expected or getattr(anp, name) == expected or name == "nan"
    for name in DTYPES.split():
        assert np.dtype(getattr(anp, name)) == np.dtype(name)
    assert anp.__array_api_version__ == VERSION


def test_inspection():
    ours, numpys = anp.__array_namespace_info__(), np.__array_namespace_info__()
    assert ours.capabilities() == numpys.capabilities()
    assert list(ours.devices()) == list(numpys.devices())  # a tuple since NumPy 2.5
    assert ours.default_device() == numpys.default_device()
    assert ours.default_dtypes(device="cpu") == numpys.default_dtypes()
    for kind in (None, "bool", "integral", "complex floating", ("bool", "numeric"), ()):
        assert ours.dtypes(kind=kind) == numpys.dtypes(kind=kind)
    with pytest.raises(ValueError, match="kind"):
        ours.dtypes(kind="quaternion")
    with pytest.raises(ValueError, match="cpu"):
        ours.dtypes(device="gpu")


def test_dtype_functions():
    def f(x):
        assert anp.finfo(x).eps == anp.finfo(anp.float32).eps == np.finfo(np.float32).eps
        assert anp.iinfo(anp.astype(x, np.int8)).max == anp.iinfo("int8").max == 127
        assert anp.isdtype(x.dtype, "real floating")
        return x

    at.jit(f)(np.ones(2, np.float32))
    assert f(np.float32(1)) == 1


def test_dlpack():
    x = np.arange(3.0)
    same(anp.from_dlpack(x), x)
    same(anp.from_dlpack(x, device="cpu", copy=True), x)

    def f(x):
        y = anp.from_dlpack(x, copy=True)
        y[0] = 7.0
        held = np.zeros(2)
        assert x.__dlpack_device__() == (1, 0)
        return anp.from_dlpack(x), y, np.from_dlpack(held) + 1

    for got, expected in zip(at.jit(f)(x), (x, [7.0, 1.0, 2.0], np.ones(2)), strict=True):
        same(got, np.asarray(expected))
    with pytest.raises(at.TracerArrayError):
        at.jit(lambda x: np.from_dlpack(x))(x)


def test_attributes_of_traced_arrays():
    x = np.arange(6.0).reshape(2, 3)

    def f(x):
        assert x.__array_namespace__() is anp
        assert x.__array_namespace__(api_version="2022.12") is anp
        assert x.device == "cpu"
        with pytest.raises(ValueError, match=r"2019\.12"):
            x.__array_namespace__(api_version="2019.12")
        with pytest.raises(ValueError, match="cpu"):
            x.to_device("gpu")
        with pytest.raises(ValueError, match="stream"):
            x.to_device("cpu", stream=1)
        return x.to_device(x.device).mT

    same(at.jit(f)(x), x.mT)
    same(at.grad(lambda x: np.sum(f(x)))(x), np.ones((2, 3)))


def test_code_for_any_array_type():
    """A library's function that asks its argument for the namespace."""

    def softmax(x, /, *, axis=-1):
        xp = array_api_compat.array_namespace(x)
        assert array_api_compat.device(x) == "cpu"
        e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
        return e / xp.sum(e, axis=axis, keepdims=True)

    x = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_allclose(at.jit(softmax)(x), softmax(x), rtol=1e-14)
    at.testing.check_grads(softmax, (x,), order=2)


@pytest.mark.source_tree
def test_the_page_has_the_exceptions():
    page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "array_api.md"
    text = page.read_text(encoding="utf-8").split("## Exceptions")[1]
    for name in EXCEPTIONS:
        assert f"`{name}`" in text
