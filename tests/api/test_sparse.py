"""Sparse derivatives against dense ones, and the number of products that they take."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from control_programs import ControlProgram
from random_programs import Program

import autotrace as at
from autotrace import lax
from autotrace.api.coloring import color_columns, color_symmetric
from autotrace.lax import dependence

X = np.array([0.3, -0.8, 1.1, 0.6, -0.4, 0.9])
INDEX = np.array([4, 0, 4, 2])
MASK = np.array([True, False, True, True, False, False])
STENCIL = np.eye(6) - 2 * np.eye(6, k=2)


@at.custom_jvp
def rounded(x):
    return np.floor(x)


rounded.defjvp(lambda primals, tangents: (rounded(*primals), tangents[0]))  # straight through


@at.custom_vjp
def backwards(x):
    return np.sin(x)


backwards.defvjp(lambda x: (np.sin(x), x), lambda x, ct: (ct[::-1] * np.cos(x),))


def turns(count):
    return lambda x: lax.fori_loop(0, count, lambda i, y: (y.at[1:].add(np.sin(y[:-1]))) / 2, x)


def written(x):
    return lax.fori_loop(1, 6, lambda i, y: y.at[i].set(x[i] * x[i - 1]), x * 0.0)


def mapped(x):
    return lax.map(lambda v: v[0] * v[1], (np.tile(x, 2), np.tile(x[::-1], 2)))


def nested(x):
    def turn(_, v):
        return _, lax.while_loop(lambda w: w[0] * w[1] < 1, lambda w: w * 2.0, v)

    return lax.scan(turn, 0, np.stack([x, x[::-1]], 1) ** 2 + 0.1)[1]


def with_rules(x):
    def product(v):
        return v[0] * v[1]

    one = at.custom_vjp(product)
    one.defvjp(lambda v: (product(v), v), lambda v, ct: (ct * v[::-1],))
    return lax.map(one, np.tile(x, 2).reshape(-1, 2))


def read(x):
    return lax.map(lambda i: x[i] * x[i + 1], np.arange(5))


def sorted_rows(x):
    return np.sort(x.reshape(2, 3), axis=1)


def until(x):
    return lax.while_loop(lambda v: np.all(v < 5), lambda v: v + 1 + v**2, x)


def cramer(blocks, b):
    (p, q), (r, s) = blocks[:, 0].T, blocks[:, 1].T
    det = p * s - q * r
    return np.stack([s * b[:, 0] - q * b[:, 1], p * b[:, 1] - r * b[:, 0]], 1) / det[:, None]


def in_blocks(x):
    blocks = np.stack([x[:4].reshape(2, 2), x[2:].reshape(2, 2)]) + 3 * np.eye(2)

    def product(v):
        return np.einsum("bij,bj->bi", blocks, v)

    def solve(_, b):
        return cramer(blocks, b)

    def transpose_solve(_, b):
        return cramer(np.swapaxes(blocks, 1, 2), b)

    return lax.custom_linear_solve(product, x[:4].reshape(2, 2), solve, transpose_solve)


#: A function, and how many nonzeros its pattern has, or may have at most.
FUNCTIONS = {
    "elementwise": (lambda x: np.sin(x) * x, 6),
    "neighbours": (lambda x: x[1:] * x[:-1], 10),
    "linear": (lambda x: np.roll(3 * x, 2) - x, 12),
    "sum": (lambda x: np.array([x[:3].sum() * x[4], 0.0, x[5]]), 5),
    "softmax": (lambda x: np.exp(x) / np.exp(x).sum(), 36),
    "rows": (lambda x: x.reshape(2, 3) / x.reshape(2, 3).sum(1, keepdims=True), 18),
    "matrix": (lambda x: STENCIL @ x**2, 10),
    "matrix on the right": (lambda x: (x * x).reshape(1, 6) @ STENCIL, 10),
    "outer": (lambda x: np.outer(x[:3], x[3:]), 18),
    "product": (lambda x: x.reshape(2, 3) @ x.reshape(3, 2), 20),
    "cumsum": (lambda x: np.cumsum(x**2), 21),
    "cumprod": (lambda x: np.cumprod(x)[::-1], 21),
    "constant mask": (lambda x: np.where(MASK, x, np.roll(x, 1) * 2), 6),
    "zeros": (lambda x: x * MASK, 3),
    "unknown mask": (lambda x: np.where(x > 0, x, np.roll(x, 1)), 12),
    "gather": (lambda x: x[INDEX] ** 2, 4),
    "traced gather": (lambda x: x[np.argsort(x)[:2]] * x[:2], 12),
    "scatter": (lambda x: (x * 0).at[INDEX].add(x[:4] ** 2), 4),
    "traced scatter": (lambda x: x.at[np.argmax(x)].set(x[0] * 3), 11),
    "dynamic slice": (lambda x: lax.dynamic_slice(x, (np.argmax(x),), (2,)), 12),
    "dynamic update": (
        lambda x: lax.dynamic_update_slice(x, x[:1] ** 2, (np.argmax(x),)), 11
    ),
    "sort": (sorted_rows, 18),
    "max": (lambda x: x.reshape(3, 2).max(1) * x[0], 8),
    "window": (lambda x: lax.reduce_window(x, -np.inf, lax.max, (2,), (2,), "VALID"), 6),
    "custom_jvp": (rounded, 6),
    "custom_vjp": (lambda x: backwards(x) + x, 12),
    "jit": (at.jit(lambda x: x[1:] - x[:-1] ** 2), 10),
    "checkpoint": (at.checkpoint(lambda x: np.sin(x[1:]) * x[:-1]), 10),
    "cond": (lambda x: lax.cond(x[0] > 0, lambda x: x, lambda x: x[::-1] * 2, x), 12),
    "scan": (lambda x: lax.scan(lambda c, v: (c + v, c * v), x[0], x[1:])[1], 20),
    "few turns": (turns(2), 15),
    "written": (written, 10),
    "map": (mapped, 24),
    "read": (read, 10),
    "loop in a scan": (nested, 24),
    "map of custom_vjp": (with_rules, 12),
    "while": (until, 6),
    "blocks": (in_blocks, 4 * 4),
    "equations": (
        lambda x: np.linalg.solve(
            np.stack([x[:4], x[2:]]).reshape(2, 2, 2), x[:4].reshape(2, 2, 1)
        ),
        16,
    ),
    "factors": (
        lambda x: np.linalg.cholesky(
            np.stack([np.outer(v, v) + np.eye(2) for v in (x[:2], x[2:4])])
        ),
        16,
    ),
    "fft": (lambda x: np.fft.fft(x.reshape(2, 3)).real, 18),
    "dct": (lambda x: at.scipy.fft.dct(x.reshape(3, 2), axis=0), 18),
    "convolution": (
        lambda x: lax.conv_general_dilated(
            x.reshape(1, 2, 3), np.ones((4, 1, 2)), (1,), [(1, 0)], feature_group_count=2
        ),
        20,
    ),
    "filters": (
        lambda x: lax.conv_general_dilated(
            np.ones((1, 1, 5)), x.reshape(2, 1, 3), (1,), [(0, 0)]
        ),
        18,
    ),
    "vmap": (
        lambda x: at.vmap(lambda v: np.array([v[0] * v[1], v[0]]))(x.reshape(3, 2)), 9
    ),
    "associative scan": (lambda x: lax.associative_scan(np.multiply, x), 36),
    "nothing": (lambda x: np.ones(3) * np.floor(x[:3]), 0),
    "no input used": (lambda x: np.arange(3.0), 0),
    "scalar": (lambda x: x[2] ** 2, 1),
    "empty": (lambda x: x[:0], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_against_dense(name):
    f, most = FUNCTIONS[name]
    dense = at.jacrev(f)(X)
    dense = np.reshape(dense, (-1, 6))
    pattern = at.sparsity(f)(X)
    assert pattern.dtype == bool and pattern.shape == dense.shape
    assert not (dense != 0)[~pattern.toarray()].any()
    assert pattern.nnz <= most
    modes = ("auto", "reverse") if name.endswith("custom_vjp") else ("forward", "reverse")
    for mode in modes:
        found = at.sparse_jacobian(f, mode=mode)(X)
        assert isinstance(found, sp.csr_array) and found.dtype == dense.dtype
        np.testing.assert_allclose(found.toarray(), dense, rtol=1e-12, atol=1e-14)


#: With how many nonzeros at most the patterns of loops are found that are not gone through turn by
#: turn.
LOOPS = {
    "scan": 30, "few turns": 21, "written": 36, "map": 24, "read": 10, "loop in a scan": 24,
    "map of custom_vjp": 12, "while": 6,
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_many_turns(name, monkeypatch):
    monkeypatch.setattr(dependence, "_TURNS", 0)
    f = FUNCTIONS[name][0]
    dense = np.reshape(at.jacrev(f)(X), (-1, 6))
    pattern = at.sparsity(f)(X)
    assert not (dense != 0)[~pattern.toarray()].any()
    assert pattern.nnz <= LOOPS[name]


def dense_jacobian(f, argnums, args):
    outs = f(*args)
    blocks = at.jacfwd(f, argnums)(*args)
    rows = [
        np.concatenate(
            [
                np.reshape(b, (np.size(o), np.size(args[i])))
                for b, i in zip(row, argnums, strict=True)
            ],
            1,
        )
        for o, row in zip(outs, blocks, strict=True)
    ]
    return np.concatenate(rows)


def check_random_program(seed):
    program = Program(seed, smooth=seed % 2 == 0, kinds=("float64", "float64", "int64"))
    floats = [i for i, x in enumerate(program.inputs) if np.asarray(x).dtype == np.float64]

    def f(*args):
        return [x for x in program.run(*args) if x.dtype.kind in "fc"]

    if not floats or not f(*program.inputs):
        return 0
    pattern = at.sparsity(f, floats)(*program.inputs)
    dense = dense_jacobian(f, floats, program.inputs)
    assert pattern.shape == dense.shape
    assert not ((dense != 0) & ~np.isnan(dense) & ~pattern.toarray()).any()
    return pattern.nnz


def test_random_programs_are_contained():
    assert sum(check_random_program(seed) for seed in range(40)) > 1000


def check_control_program(seed):
    program = ControlProgram(seed, depth=2)
    floats = [i for i, x in enumerate(program.inputs) if x.dtype.kind == "f"]

    def f(*args):
        return [x for x in at.tree.leaves(program.run(lax, *args)) if x.dtype.kind == "f"]

    with at.config.override("backend", "numpy"):  # the programs run once
        if not f(*program.inputs):
            return 0
        pattern = at.sparsity(f, floats)(*program.inputs)
        dense = dense_jacobian(f, floats, program.inputs)
    assert not ((dense != 0) & ~pattern.toarray()).any()
    return pattern.nnz


@pytest.mark.parametrize("turns", [0, 20_000])
def test_programs_of_loops_and_branches_are_contained(turns, monkeypatch):
    monkeypatch.setattr(dependence, "_TURNS", turns)
    assert sum(check_control_program(seed) for seed in range(12)) > 100


@pytest.mark.slow
def test_many_random_programs_are_contained():
    for seed in range(40, 3000):
        check_random_program(seed)
    for seed in range(12, 400):
        check_control_program(seed)


def tridiagonal(x):
    inner = x[1:-1] ** 2 * 3 - np.sin(x[:-2]) + x[2:] * x[1:-1]
    return np.concatenate([x[:1] ** 2 - x[1:2], inner, x[-1:] * x[-2:-1]])


def test_tridiagonal_takes_three_products():
    jacobian = at.sparse_jacobian(tridiagonal)
    structure = jacobian.structure(np.ones(10_000))
    assert (structure.forward, structure.reverse) == (3, 0)
    assert structure.pattern.nnz == 29_998
    x = np.linspace(0, 1, 20)
    np.testing.assert_allclose(jacobian(x).toarray(), at.jacfwd(tridiagonal)(x), rtol=1e-13)


def test_mode_follows_the_number_of_products():
    def wide(x):
        return np.concatenate([x[:1] * x.sum(), x.sum(keepdims=True) ** 2])

    def arrow(x):
        return np.concatenate([[np.sum(x**2)], x * x[0], [np.prod(np.cos(x))]])

    def products(f, **options):
        structure = at.sparse_jacobian(f, **options).structure(X)
        return structure.forward, structure.reverse

    assert products(wide) == (0, 2)
    assert products(lambda x: x[0] * np.ones(9)) == (1, 0)
    assert products(arrow, mode="forward") == (6, 0)
    assert products(arrow, mode="reverse") == (0, 8)
    assert products(arrow) == (2, 2)
    dense = at.jacfwd(arrow)(X)
    np.testing.assert_allclose(at.sparse_jacobian(arrow)(X).toarray(), dense, rtol=1e-12)
    single = at.sparse_jacobian(lambda x: arrow(x).astype(np.float32))(X)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.toarray(), dense, rtol=1e-5)


def test_arguments_and_pytrees():
    def f(tree, scale, index, *, shift):
        return {"a": tree["u"][index] * scale, "b": tree["v"] ** 2 * shift}

    tree = {"u": np.arange(4.0), "v": np.ones((2, 2)) * 3}
    scale, index = np.array([2.0, 3.0]), np.array([3, 1])
    jacobian = at.sparse_jacobian(f, argnums=(0, 1))
    found = jacobian(tree, scale, index, shift=2.0).toarray()
    assert found.shape == (6, 10)
    assert found[0, 3] == 2.0 and found[1, 1] == 3.0 and found[0, 8] == 3.0
    np.testing.assert_array_equal(found[2:, 4:8], 12 * np.eye(4))
    assert np.count_nonzero(found) == 8
    other = jacobian(tree, scale, np.array([0, 0]), shift=3.0).toarray()
    assert other[0, 0] == 2.0 and other[2, 4] == 18.0
    index[:] = 2  # values of integers count, not the array
    assert jacobian(tree, scale, index, shift=2.0).toarray()[0, 2] == 2.0


def test_floats_that_are_not_differentiated_are_not_structure():
    f = at.sparse_jacobian(lambda x, a: x * a)
    assert f(X, np.zeros(6)).nnz == 6
    assert f(X, 2.0).toarray()[1, 1] == 2.0
    assert len(f._plans) == 2


def test_dtypes():
    x = X.astype(np.float32)
    assert at.sparse_jacobian(lambda x: x**2)(x).dtype == np.float32
    assert at.sparse_jacobian(lambda x: (x**2).astype(float))(x).dtype == np.float64
    made = at.sparse_jacobian(lambda x: x * (1 + 2j))(X)
    assert made.dtype == np.complex128 and made[2, 2] == 1 + 2j
    assert at.sparse_hessian(lambda x: np.sum(x**3))(x).dtype == np.float32


def test_results_share_nothing():
    f = at.sparse_jacobian(lambda x: x**2)
    first = f(X)
    first.data[:] = 0
    first.indices[:] = 0
    np.testing.assert_allclose(f(X).diagonal(), 2 * X)


def test_given_pattern():
    def f(x):  # Python's own choice: no pattern can be found
        return x**2 if x[0] > 0 else x[::-1] * 3

    with pytest.raises(at.ConcretizationError):
        at.sparsity(f)(X)
    pattern = np.eye(6) + np.eye(6)[::-1]
    jacobian = at.sparse_jacobian(f, pattern=pattern)
    for x in (X, -X):
        np.testing.assert_allclose(jacobian(x).toarray(), at.jacfwd(f)(x))
    with pytest.raises(ValueError, match="6 inputs"):
        at.sparse_jacobian(f, pattern=np.eye(5))(X)


def test_errors():
    with pytest.raises(ValueError, match="'auto', 'forward' or 'reverse'"):
        at.sparse_jacobian(tridiagonal, mode="fwd")
    with pytest.raises(at.NonDifferentiableError, match="real floating inputs"):
        at.sparsity(tridiagonal)(np.arange(5))
    with pytest.raises(at.NonDifferentiableError, match="must return floating"):
        at.sparse_jacobian(lambda x: x > 0, pattern=np.eye(6))(X)
    with pytest.raises(at.NonDifferentiableError, match="scalar"):
        at.sparse_hessian(tridiagonal)(X)
    with pytest.raises(TypeError, match="cannot be traced"):
        at.jit(at.sparse_jacobian(tridiagonal))(X)


def test_patterns_that_are_too_large_are_refused():
    with pytest.raises(MemoryError, match="10,000,000,000 nonzeros"):
        at.sparsity(lambda x: x - x.mean())(np.zeros(100_000))


HESSIANS = {
    "rosenbrock": (lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), 3),
    "linear": (lambda x: x.sum() * 2.0, 0),
    "separate": (lambda x: np.sum(np.sin(x)), 1),
    "arrow": (lambda x: np.sum(x[0] * x**2), 2),
    "dense": (lambda x: np.prod(np.cos(x)), 6),
    "scan": (lambda x: lax.scan(lambda c, v: (c + v**2, None), 0.0, x)[0], 1),
    "while": (lambda x: np.sum(until(x)), 1),
    "cond": (lambda x: lax.cond(x[1] > 0, lambda x: x[0] * x[1], lambda x: x[4] ** 3, x), 3),
}


@pytest.mark.parametrize("name", HESSIANS)
def test_hessians(name):
    f, products = HESSIANS[name]
    hessian = at.sparse_hessian(f)
    np.testing.assert_allclose(hessian(X).toarray(), at.hessian(f)(X), rtol=1e-10, atol=1e-12)
    assert hessian.structure(X).products == products


def test_hessian_with_respect_to_several_arguments():
    def f(u, v, a):
        return np.sum(u * v**2) * a

    found = at.sparse_hessian(f, argnums=(0, 1))(X[:3], X[3:], 2.0).toarray()
    np.testing.assert_allclose(found[:3, 3:], np.diag(4 * X[3:]))
    np.testing.assert_allclose(found[3:, 3:], np.diag(4 * X[:3]))
    np.testing.assert_allclose(found, found.T)


def random_pattern(rng, rows, columns, density):
    return sp.csr_array(rng.random((rows, columns)) < density)


def test_colorings_of_columns():
    rng = np.random.default_rng(0)
    for rows, columns, density in [
        (30, 40, 0.05),
        (1, 9, 0.5),
        (9, 1, 1),
        (40, 30, 0.3),
        (0, 3, 1),
    ]:
        pattern = random_pattern(rng, rows, columns, density)
        colors = color_columns(pattern)
        dense = pattern.toarray()
        assert ((colors < 0) == ~dense.any(0)).all()
        for row in dense:
            own = colors[row]
            assert len(set(own)) == len(own)


def test_colorings_of_grids():
    n = 30
    line = sp.diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1])
    grid = sp.csr_array(sp.kronsum(line, line)).astype(bool)
    assert color_columns(grid).max() + 1 <= 7  # five are the least
    assert color_symmetric(grid).max() + 1 <= 7


def test_star_colorings():
    rng = np.random.default_rng(1)
    for count, density in [(12, 0.2), (25, 0.1), (25, 0.3), (40, 0.04)]:
        half = random_pattern(rng, count, count, density)
        pattern = sp.csr_array(half + half.T)
        colors = color_symmetric(pattern)
        dense = pattern.toarray()
        assert ((colors < 0) == ~dense.any(0)).all()
        for i, j in np.argwhere(dense):
            alone = [(colors[dense[a]] == colors[b]).sum() == 1 for a, b in ((i, j), (j, i))]
            assert any(alone)
