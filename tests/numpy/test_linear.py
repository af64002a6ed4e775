from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy_checks import agrees, derives, same

import autotrace

RNG = np.random.default_rng(3)


def array(*shape: int, dtype: str = "d") -> np.ndarray:
    x = RNG.integers(-3, 4, shape).astype(float)
    return (x + 0.5j if dtype in "FD" else x).astype(dtype)


MATMUL = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
]


@pytest.mark.parametrize("shapes", MATMUL, ids=str)
def test_matmul(shapes):
    x, y = array(*shapes[0]), array(*shapes[1])
    agrees(np.matmul, x, y, rtol=1e-14)
    agrees(lambda a, b: a @ b, x, y, rtol=1e-14)
    derives(np.matmul, x, y)
    agrees(np.matmul, x.astype("f"), y.astype("h"), rtol=1e-14)
    agrees(np.matmul, x.astype("i"), y.astype("b"))
    agrees(np.matmul, x > 0, y > 0)
    agrees(np.matmul, x, y * 1j, rtol=1e-14)
    same(autotrace.jit(lambda b: x @ b)(y), x @ y, 1e-14)
    same(autotrace.jit(lambda a: a @ y)(x), x @ y, 1e-14)


PRODUCTS = {
    "dot vectors": (np.dot, (3,), (3,)),
    "dot": (np.dot, (2, 3), (3, 4)),
    "dot many": (np.dot, (2, 5, 3), (4, 3, 2)),
    "dot scalar": (np.dot, (), (2, 3)),
    "vdot": (np.vdot, (2, 3), (3, 2)),
    "inner": (np.inner, (2, 3), (4, 3)),
    "inner scalar": (np.inner, (2, 3), ()),
    "outer": (np.outer, (2, 3), (4,)),
    "tensordot": (np.tensordot, (2, 3, 4), (3, 4, 5)),
    "tensordot one": (lambda a, b: np.tensordot(a, b, 1), (2, 3), (3, 4)),
    "tensordot none": (lambda a, b: np.tensordot(a, b, 0), (2,), (3, 4)),
    "tensordot axes": (lambda a, b: np.tensordot(a, b, ([1, 0], [-1, 2])), (2, 3, 4), (5, 4, 2, 3)),
    "kron": (np.kron, (2, 3), (4, 1)),
    "kron ranks": (np.kron, (2,), (3, 2, 2)),
    "cross": (np.cross, (4, 3), (3,)),
    "cross axes": (lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), (3, 4), (4, 3)),
}
if hasattr(np, "vecdot"):
    PRODUCTS["vecdot"] = (np.vecdot, (4, 3), (2, 1, 3))
    PRODUCTS["vecdot axis"] = (lambda a, b: np.vecdot(a, b, axis=0), (3, 4), (3, 4))
if hasattr(np, "matvec"):
    PRODUCTS["matvec"] = (np.matvec, (5, 2, 3), (5, 3))
    PRODUCTS["vecmat"] = (np.vecmat, (5, 2), (2, 3))


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("dtypes", ["dd", "fd", "hb", "DF", "dD"])
def test_products(name, dtypes):
    function, *shapes = PRODUCTS[name]
    if name == "tensordot axes":
        shapes = [(2, 3, 4), (5, 4, 2, 3)]
        function = lambda a, b: np.tensordot(a, b, ([1, 0], [-1, 2]))  # noqa: E731
    x, y = (array(*s, dtype=d) for s, d in zip(shapes, dtypes, strict=True))
    agrees(function, x, y, rtol=1e-14)
    if dtypes in ("dd", "DF"):
        derives(function, x, y, tolerance=1e-4)


EINSUMS = [
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("i,i->i", (3,), (3,)),
    ("i,i", (3,), (3,)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij->ji", (3, 3, 2)),
    ("ij->", (2, 3)),
    ("ij->j", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ba", (2, 3)),
    ("...ij,...jk", (5, 2, 3), (5, 3, 4)),
    ("...ij,jk->...ik", (5, 2, 3), (3, 4)),
    ("i...->...", (2, 3, 4)),
    ("...i,...i->...", (4, 1, 3), (2, 3)),
    ("...", (2, 3)),
    ("ij,kj->ik", (2, 3), (4, 3)),
    ("ij,kl->il", (2, 3), (4, 5)),
    ("i,j->ij", (2,), (3,)),
    ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    ("bij,bkj,k->bi", (5, 2, 3), (5, 4, 3), (4,)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ij,jk,kl,lm->im", (2, 3), (3, 4), (4, 5), (5, 2)),
    ("iij,jkk->ik", (2, 2, 3), (3, 4, 4)),
    ("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)),
    ("a,b,c->abc", (2,), (3,), (4,)),
    ("ij,ij->ij", (1, 3), (2, 3)),
    (",i->i", (), (3,)),
    ("ijkl,jk->il", (2, 3, 4, 5), (3, 4)),
    ("ij , jk -> ik", (2, 3), (3, 4)),
    ("ij,ji,i->", (2, 3), (3, 2), (2,)),
    ("ij,jk", (0, 3), (3, 2)),
    ("ijk->kji", (2, 3, 4)),
    ("i,ij,j", (2,), (2, 3), (3,)),
    ("ik,jk,k->ij", (2, 3), (4, 3), (3,)),
]


@pytest.mark.parametrize("case", EINSUMS, ids=lambda c: c[0])
def test_einsum(case):
    subscripts, *shapes = case
    arrays = [array(*s) for s in shapes]
    agrees(lambda *xs: np.einsum(subscripts, *xs), *arrays, rtol=1e-14)
    agrees(lambda *xs: np.einsum(subscripts, *xs, optimize=True), *arrays, rtol=1e-14)
    agrees(lambda *xs: np.einsum(subscripts, *xs), *[a.astype("f") for a in arrays], rtol=1e-13)
    agrees(lambda *xs: np.einsum(subscripts, *xs), *[a.astype("h") for a in arrays])
    agrees(lambda *xs: np.einsum(subscripts, *xs), *[a > 0 for a in arrays])
    agrees(lambda *xs: np.einsum(subscripts, *xs), *[a * 1j for a in arrays], rtol=1e-14)
    derives(lambda *xs: np.einsum(subscripts, *xs), *arrays, tolerance=1e-4)


def test_einsum_with_lists_of_labels():
    x, y = array(2, 3), array(3, 4)
    agrees(lambda a, b: np.einsum(a, [0, 1], b, [1, 2]), x, y)
    agrees(lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]), x, y)
    agrees(lambda a, b: np.einsum(a, [Ellipsis, 1], b, [1, 2], [Ellipsis, 2]), x, y)
    path = autotrace.jit(lambda a, b: a * len(np.einsum_path("ij,jk", a, b)))(x, y)
    same(path, 2 * x)


@pytest.mark.parametrize(
    ("subscripts", "words"),
    [
        ("ij,jk->iz", "among"),
        ("ijk,jk", "do not fit"),
        ("ij,ik->jk", "sizes"),
        ("ij", "operands"),
        ("i?,jk", "valid subscript"),
        ("ij,jk->ii", "different"),
        ("...ij,jk->ik", None),
    ],
)
def test_einsum_errors(subscripts, words):
    x, y = array(2, 3), array(3, 4)
    if words is None:
        agrees(lambda a, b: np.einsum(subscripts, a, b), x, y)
        return
    with pytest.raises(ValueError, match=words) as caught:
        autotrace.jit(lambda a, b: np.einsum(subscripts, a, b))(x, y)
    assert "test_linear.py" in str(caught.value)


@pytest.mark.parametrize(
    "function", [np.dot, np.matmul, np.inner, np.vdot, np.tensordot], ids=lambda f: f.__name__
)
def test_shapes_that_do_not_fit(function):
    with pytest.raises(ValueError, match=r"test_linear\.py"):
        autotrace.jit(lambda a, b: function(a, b))(array(2, 3), array(5, 2))


def test_scalars_are_no_matrices():
    with pytest.raises(ValueError, match="dimensions"):
        autotrace.jit(lambda a: a @ np.ones(2))(1.0)
    with pytest.raises(TypeError):
        autotrace.jit(lambda a: a @ 2.0)(np.ones(2))


NORMS = {
    "default": np.linalg.norm,
    "rows": lambda x: np.linalg.norm(x, axis=1),
    "keepdims": lambda x: np.linalg.norm(x, axis=0, keepdims=True),
    "1": lambda x: np.linalg.norm(x, 1, axis=1),
    "inf": lambda x: np.linalg.norm(x, np.inf, axis=0),
    "-inf": lambda x: np.linalg.norm(x, -np.inf, axis=0),
    "3": lambda x: np.linalg.norm(x, 3, axis=0),
    "0": lambda x: np.linalg.norm(x, 0, axis=0),
    "fro": lambda x: np.linalg.norm(x, "fro"),
    "matrix 1": lambda x: np.linalg.norm(x, 1),
    "matrix inf": lambda x: np.linalg.norm(x, np.inf, keepdims=True),
    "matrix axes": lambda x: np.linalg.norm(x, -1, axis=(1, 0)),
    "vector_norm": np.linalg.vector_norm,
    "vector": lambda x: np.linalg.norm(x[0], 2),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms(name):
    x = RNG.standard_normal((3, 4))
    for y in (x, x.astype("f"), x * (1 + 1j), np.arange(12).reshape(3, 4)):
        agrees(NORMS[name], y, rtol=1e-14)
    derives(NORMS[name], x)


def test_norm_at_the_origin():
    same(autotrace.grad(np.linalg.norm)(np.zeros(3)), np.zeros(3))


def test_linalg_names():
    x, y = array(2, 3), array(3, 4)
    agrees(lambda a, b: np.linalg.multi_dot([a, b, b.T]), x, y, rtol=1e-14)
    agrees(np.linalg.matmul, x, y)
    agrees(np.linalg.matrix_transpose, x)
    agrees(lambda a, b: np.linalg.outer(a[0], b[0]), x, y)
    agrees(lambda a: np.linalg.cross(a, a[::-1]), x)
    agrees(lambda a: np.linalg.vecdot(a, a), x)
    agrees(lambda a, b: np.linalg.tensordot(a, b, axes=1), x, y)


def test_large_products_use_one_matrix_product():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jaxpr = autotrace.make_jaxpr(lambda a, b: np.einsum("ij,jk->ik", a, b))(
            array(2, 3), array(3, 4)
        )
    assert str(jaxpr).count("=") <= 4


AXES = {
    "matmul": lambda a, v: np.matmul(a, a, axes=[(0, 1), (1, 2), (2, 0)]),
    "matmul of a vector": lambda a, v: np.matmul(a, v, axes=[(0, 1), 0, 0]),
    "matmul before a vector": lambda a, v: np.matmul(v, a, axes=[(0,), (2, 1), (1,)]),
    "vecdot": lambda a, v: np.vecdot(a, a, axis=0),
    "vecdot of two axes": lambda a, v: np.vecdot(a, v, axes=[1, 0]),
    "vecdot keeping": lambda a, v: np.vecdot(a, a, axis=1, keepdims=True),
    "matvec": lambda a, v: np.matvec(a, v, axes=[(2, 0), 0, 0]),
    "vecmat": lambda a, v: np.vecmat(v, a, axes=[0, (2, 1), -1]),
}


@pytest.mark.parametrize("name", AXES)
def test_axes(name):
    a, v = np.arange(27.0).reshape(3, 3, 3) ** 1.5, np.array([0.5, -1.0, 2.0])
    agrees(AXES[name], a, v, rtol=1e-15)
    with pytest.raises(TypeError, match="use axes="):
        autotrace.jit(lambda a: np.matmul(a, a, axis=0))(a)
    with pytest.raises(ValueError, match="must be a tuple of length 2"):
        autotrace.jit(lambda a: np.matmul(a, a, axes=[0, (0, 1), (0, 1)]))(a)
