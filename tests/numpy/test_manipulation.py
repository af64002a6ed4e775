from __future__ import annotations

import numpy as np
import pytest
from numpy_checks import agrees, derives, same

import autotrace
import autotrace.numpy as anp

RNG = np.random.default_rng(1)
X = RNG.standard_normal((2, 3, 4))
V = RNG.standard_normal(6)
LOW = np.arange(24, dtype=np.int16).reshape(2, 3, 4)

SHAPES = {
    "reshape": lambda x: np.reshape(x, (4, -1)),
    "reshape F": lambda x: np.reshape(x, (4, 6), order="F"),
    "reshape A": lambda x: np.reshape(x, 24, order="A"),
    "ravel": np.ravel,
    "ravel F": lambda x: np.ravel(x, order="F"),
    "transpose": np.transpose,
    "transpose axes": lambda x: np.transpose(x, (1, -1, 0)),
    "permute_dims": lambda x: np.permute_dims(x, (2, 0, 1)),
    "matrix_transpose": np.matrix_transpose,
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "moveaxis several": lambda x: np.moveaxis(x, (0, 2), (-1, 0)),
    "rollaxis": lambda x: np.rollaxis(x, 2),
    "rollaxis start": lambda x: np.rollaxis(x, 0, 3),
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, (0, 2))),
    "squeeze axis": lambda x: np.squeeze(np.expand_dims(x, (0, 2)), 2),
    "broadcast_to": lambda x: np.broadcast_to(x, (5, 2, 3, 4)),
    "broadcast_arrays": lambda x: tuple(np.broadcast_arrays(x, np.ones((4, 1, 1, 4)))),
    "atleast": lambda x: (np.atleast_1d(x), np.atleast_2d(x), np.atleast_3d(x)),
    "tile": lambda x: (np.tile(x, 2), np.tile(x, (2, 1)), np.tile(x, (2, 1, 1, 3))),
    "repeat": lambda x: (np.repeat(x, 2), np.repeat(x, 3, 1), np.repeat(x, [1, 0, 2], axis=1)),
    "append": lambda x: (np.append(x, [1, 2]), np.append(x, x, axis=1)),
    "delete": lambda x: (np.delete(x, 1, 1), np.delete(x, [0, -1], 2), np.delete(x, [1, 3])),
    "delete slice": lambda x: np.delete(x, slice(0, 3, 2), -1),
    "insert": lambda x: (np.insert(x, 1, 7, axis=1), np.insert(x, [0, 2], 7, axis=2)),
    "insert several": lambda x: (np.insert(x, 1, [7, 8]), np.insert(x, [1, 1, 5], [7, 8, 9])),
    "insert part": lambda x: np.insert(x, 1, np.ones((2, 4)), axis=1),
    "resize": lambda x: (np.resize(x, (5, 7)), np.resize(x, 3)),
    "split": lambda x: tuple(np.split(x, 2, axis=2)),
    "split indices": lambda x: tuple(np.split(x, [1, 5, 2], axis=1)),
    "array_split": lambda x: tuple(np.array_split(x, 3, axis=2)),
    "hsplit": lambda x: tuple(np.hsplit(x, 3)),
    "vsplit": lambda x: tuple(np.vsplit(x, 2)),
    "dsplit": lambda x: tuple(np.dsplit(x, 2)),
    "concatenate": lambda x: np.concatenate([x, x[:, :1]], axis=1),
    "concatenate flat": lambda x: np.concatenate([x, x], axis=None),
    "concatenate itself": np.concatenate,
    "stack": lambda x: np.stack([x, np.ones((2, 3, 4), np.float32), x], axis=-1),
    "vstack": lambda x: np.vstack([x[0], x[1, :1]]),
    "hstack": lambda x: np.hstack([x, x]),
    "dstack": lambda x: np.dstack([x[0], x[1]]),
    "column_stack": lambda x: np.column_stack([x[0, 0], x[0, 1], np.ones((4, 2), int)]),
    "block": lambda x: np.block([[x[0], np.ones((3, 1))], [np.zeros((1, 4)), 5]]),
}
if hasattr(np, "unstack"):
    SHAPES["unstack"] = lambda x: np.unstack(x, axis=1)


@pytest.mark.parametrize("name", SHAPES)
def test_rearranging(name):
    agrees(SHAPES[name], X)
    agrees(SHAPES[name], LOW)
    agrees(SHAPES[name], X.astype(np.complex64))
    agrees(SHAPES[name], np.asfortranarray(X).transpose(0, 1, 2)[::-1])
    derives(SHAPES[name], X)


@pytest.mark.parametrize("width", [0, 2, (1, 3), [(0, 1), (2, 0), (1, 1)], [[1], [2], [3]]])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_pad(mode, width):
    agrees(lambda x: np.pad(x, width, mode=mode), X)
    agrees(lambda x: np.pad(x, width, mode=mode), LOW)
    derives(lambda x: np.pad(x, width, mode=mode), X)


def test_pad_with_values():
    agrees(lambda x: np.pad(x, 1, constant_values=7), LOW)
    agrees(lambda x: np.pad(x, 2, constant_values=(1, 2)), X)
    agrees(lambda x: np.pad(x, 1, constant_values=[(1, 2), (3, 4), (5, 6)]), LOW)
    derives(lambda x, v: anp.pad(x, (1, 2), constant_values=v), X, np.array([1.0, 2.0]))
    agrees(lambda x: np.pad(x, 7, mode="reflect"), V)
    with pytest.raises(ValueError, match="mode 'ramp' is not supported"):
        autotrace.jit(lambda x: np.pad(x, 1, mode="ramp"))(V)


SORTS = {
    "sort": np.sort,
    "sort axis": lambda x: np.sort(x, axis=0),
    "sort flat": lambda x: np.sort(x, axis=None),
    "sort stable": lambda x: np.sort(x, kind="stable"),
    "argsort": lambda x: np.argsort(x, axis=1, stable=True),
    "argsort flat": lambda x: np.argsort(x, axis=None, kind="stable"),
    "lexsort": lambda x: np.lexsort((x[0], x[1])),
    "lexsort rows": lambda x: np.lexsort(x, axis=0),
    "sort_complex": np.sort_complex,
}


@pytest.mark.parametrize("name", SORTS)
def test_sorting(name):
    for x in (RNG.integers(0, 5, (2, 3, 4)), X, X.astype(np.float32), X > 0):
        if name == "sort_complex" and x.dtype == np.bool_:
            continue
        agrees(SORTS[name], x)


def test_partition_puts_the_kth_in_place():
    x = RNG.permutation(20).astype(float)
    out = autotrace.jit(lambda a: np.partition(a, 7))(x)
    assert out[7] == 7
    assert x[autotrace.jit(lambda a: np.argpartition(a, 7))(x)[7]] == 7
    with pytest.raises(ValueError, match="out of bounds"):
        autotrace.jit(lambda a: np.partition(a, 20))(x)
    derives(lambda a: np.sort(a, axis=0), X)


def test_static_answers():
    def f(x):
        assert np.shape(x) == (2, 3, 4) and np.ndim(x) == 3 and np.size(x) == 24
        assert np.size(x, 1) == 3 and not np.iscomplexobj(x) and np.isrealobj(x)
        assert np.result_type(x, np.float32) == np.float64
        assert np.result_type(x, 1j) == np.complex128
        assert np.common_type(x, np.ones(1, np.float32)) is np.float64
        assert np.can_cast(x.dtype, np.complex128) and not np.may_share_memory(x, x)
        return x

    autotrace.jit(f)(X)
    autotrace.vmap(f)(np.stack([X, X]))
    same(autotrace.jit(lambda x: np.zeros(0, np.result_type(x, np.float32)))(2.0), np.zeros(0, "f"))


COMPARISONS = {
    "isclose": np.isclose,
    "isclose nan": lambda x, y: np.isclose(x, y, equal_nan=True),
    "isclose tolerance": lambda x, y: np.isclose(x, y, rtol=0.1, atol=0.5),
    "allclose": np.allclose,
    "array_equal": np.array_equal,
    "array_equal nan": lambda x, y: np.array_equal(x, y, equal_nan=True),
    "array_equiv": np.array_equiv,
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name):
    special = np.array([1.0, np.nan, np.inf, -np.inf, 0.0])
    for x, y in [(special, special), (special, special + 1e-9), (V, V), (LOW, LOW + 1)]:
        expected = np.asarray(COMPARISONS[name](x, y))
        same(autotrace.jit(COMPARISONS[name])(x, y), expected)
    assert not autotrace.jit(np.array_equal)(V, V[:2])


def test_real_and_complex_questions():
    z = np.array([1 + 0j, 2 + 1j])
    agrees(np.isreal, z)
    agrees(np.iscomplex, z)
    agrees(np.isreal, V)
    agrees(np.real_if_close, V)
    for close in (z, z.real + 1e-15j, z.real + 1e-12j):
        same(autotrace.jit(np.real_if_close)(close), np.real_if_close(close))
    same(autotrace.grad(lambda x: np.real_if_close(x + 0j))(2.0), np.float64(1.0))


def test_astype_and_copy():
    for dtype in (np.float32, np.int8, np.bool_, np.complex64, np.float16):
        agrees(lambda x, d=dtype: np.astype(x, d), X)
        agrees(lambda x, d=dtype: x.astype(d), LOW)
    agrees(np.copy, X)
    with pytest.raises(TypeError, match="not supported"):
        autotrace.jit(lambda x: x.astype(object))(X)
    with pytest.raises(TypeError, match="Cannot cast"):
        autotrace.jit(lambda x: x.astype(int, casting="safe"))(X)


ERRORS = {
    "reshape": (lambda x: np.reshape(x, (5, 5)), ValueError, "cannot reshape"),
    "two unknowns": (lambda x: np.reshape(x, (-1, -1)), ValueError, "one unknown"),
    "transpose": (lambda x: np.transpose(x, (0, 1)), ValueError, "axes don't match"),
    "transpose twice": (lambda x: np.transpose(x, (0, 0, 1)), ValueError, "repeated axis"),
    "squeeze": (lambda x: np.squeeze(x, 0), ValueError, "squeeze out"),
    "concatenate": (lambda x: np.concatenate([x, x[0]]), ValueError, "must match exactly"),
    "nothing": (lambda x: np.stack([x, x[0]]), ValueError, "same shape"),
    "split": (lambda x: np.split(x, 5), ValueError, "equal division"),
    "axis": (lambda x: np.expand_dims(x, 7), np.exceptions.AxisError, "out of bounds"),
    "broadcast": (lambda x: np.broadcast_to(x, (5,)), ValueError, "broadcast"),
    "repeat": (lambda x: np.repeat(x, -np.sum(x < 9)), ValueError, "negative"),
    "copyto": (lambda x: np.copyto(np.zeros(3), x), ValueError, "broadcast"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_users_line(name):
    function, error, words = ERRORS[name]
    with pytest.raises(error, match=words) as caught:
        autotrace.jit(function)(X)
    assert "test_manipulation.py" in str(caught.value)


def test_zero_size():
    empty = np.zeros((0, 3))
    agrees(lambda x: np.reshape(x, (3, -1)), empty)
    agrees(lambda x: np.concatenate([x, np.ones((2, 3))]), empty)
    agrees(lambda x: np.tile(x, (2, 2)), empty)
    agrees(np.sort, empty)
    agrees(lambda x: np.repeat(x, 2, axis=0), empty)


METHODS = {
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "reshape": lambda x: (x.reshape(4, 6), x.reshape((4, 6)), x.reshape(-1, order="F")),
    "transpose": lambda x: (x.transpose(), x.transpose(1, 0, 2), x.transpose((1, 0, 2))),
    "sums": lambda x: (x.sum(), x.sum(0), x.sum(axis=(0, 1), keepdims=True), x.sum(1, np.float32)),
    "means": lambda x: (x.mean(1), x.std(1, None, None, 1), x.prod(1)),
    "extrema": lambda x: (x.max(), x.min(1), x.argmax(1), x.argmin(), x.any(), x.all(1)),
    "running": lambda x: (x.cumsum(), x.cumsum(1), x.cumprod(axis=2)),
    "shapes": lambda x: (x.ravel(), x.flatten("F"), x.swapaxes(0, 1), x[:1].squeeze(0)),
    "values": lambda x: (x.copy(), x.conj(), x.conjugate(), x.clip(0, 1), x.clip(max=0)),
    "round": lambda x: (x.round(), x.round(2), np.fix(x), np.round(x, -1)),
    "order": lambda x: (x.argsort(), x.repeat(2, axis=1)),
    "dot": lambda x: (x.dot(np.ones(4)), x @ np.ones((4, 2)), np.ones(3) @ x),
    "rows": lambda x: (len(x), *x),
    "unpacking": lambda x: [a + b for a, b in zip(*x, strict=True)],
    "numbers": lambda x: np.array([x.ndim, x.size, x.itemsize, x.nbytes]),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    agrees(METHODS[name], X, rtol=1e-15)
    if name not in ("means",):
        agrees(METHODS[name], X.astype(np.float32), rtol=1e-15)


def test_var_method():
    agrees(lambda x: (x.var(1), x.var(0, ddof=1)), X, rtol=1e-15)


def test_methods_of_integers_and_complex():
    agrees(lambda x: (x.round(), x.round(-1), x.sum(), x.mean(), x.imag), LOW)
    agrees(lambda x: (x.round(1), x.real, x.imag, x.conj()), X + 1j * X)


@pytest.mark.parametrize("name", ["resize", "setflags", "byteswap", "view", "tobytes", "tofile"])
def test_methods_that_traced_values_cannot_have(name):
    with pytest.raises(TypeError, match=r"What to do(.|\n)*"):
        autotrace.jit(lambda x: getattr(x, name)(1))(V)


def test_scalars_have_no_length():
    with pytest.raises(TypeError, match="unsized"):
        autotrace.jit(lambda x: len(x))(1.0)
    with pytest.raises(TypeError, match="0-d"):
        autotrace.jit(lambda x: list(x))(1.0)


def test_contains_under_grad():
    seen = []

    def f(x):
        seen.append((2.0 in x, 7.0 in x))
        return x.sum()

    autotrace.grad(f)(np.array([1.0, 2.0]))
    assert seen == [(True, False)]
