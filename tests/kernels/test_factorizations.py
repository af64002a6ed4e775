"""Cholesky's and LU's factors and triangular systems in compiled programs."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from autotrace.kernels import factorizations

import autotrace as at
from autotrace.lax.factorizations import cholesky_cotangent_p
from autotrace.scipy import linalg

rng = np.random.default_rng(0)


def real(*shape, dtype=float):
    return rng.normal(size=shape).astype(dtype)


def positive(*shape, dtype=float):
    x = real(*shape)
    return (x @ np.swapaxes(x, -1, -2) + shape[-1] * np.eye(shape[-1])).astype(dtype)


def compiled(f, *args):
    """A jitted function, and what its program does as text."""
    f = at.jit(f, backend="numba")
    return f, f.lower(*args).as_text("fusion")


def close(found, expected):
    eps = np.finfo(expected.dtype).eps
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e3 * eps, atol=1e3 * eps)


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": lambda x: np.swapaxes(np.ascontiguousarray(np.swapaxes(x, -1, -2)), -1, -2),
    "rows apart": lambda x: np.concatenate([x, x], -1)[..., : x.shape[-1]],
    "elements apart": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "backwards": lambda x: np.ascontiguousarray(x[..., ::-1, :])[..., ::-1, :],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (3, 4, 4), (2, 3, 5, 5)])
def test_layouts(shape, layout, dtype):
    a = LAYOUTS[layout](positive(*shape, dtype=dtype))
    b = LAYOUTS[layout](real(*shape[:-1], 3, dtype=dtype))
    close(at.jit(np.linalg.cholesky)(a), np.linalg.cholesky(a))
    close(at.jit(np.linalg.solve)(a, b), np.linalg.solve(a, b))
    lower = LAYOUTS[layout](np.linalg.cholesky(a))

    def substituted(c, b):
        return linalg.solve_triangular(c, b, lower=True)

    close(at.jit(substituted)(lower, b), np.linalg.solve(lower, b))


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("left_side", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("fortran", [False, True])
def test_triangular_systems(sides, left_side, lower, transpose_a, fortran):
    a = real(4, 4) + 4 * np.eye(4)
    read = np.tril(a) if lower else np.triu(a)
    read = read.T if transpose_a else read
    b = real(4, sides) if left_side else real(sides, 4)

    def f(a, b):
        a = a.T if fortran else a
        return at.lax.linalg.triangular_solve(
            a, b, left_side=left_side, lower=lower, transpose_a=transpose_a
        )

    f, text = compiled(f, a.T.copy() if fortran else a, b)
    assert text.startswith("kernel") and "BLAS dtrs" in text and "host step" not in text
    expected = np.linalg.solve(read, b) if left_side else np.linalg.solve(read.T, b.T).T
    close(f(a.T.copy() if fortran else a, b), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(1, 1), (24, 24), (25, 25), (2, 60, 60)])
def test_reverse_mode_of_cholesky(shape, layout, dtype):
    """Block by block as in one piece; above the diagonal nothing is read."""
    factor = LAYOUTS[layout](np.linalg.cholesky(positive(*shape)).astype(dtype))
    ct = LAYOUTS[layout](real(*shape, dtype=dtype))

    def f(factor, ct):
        return cholesky_cotangent_p.bind(factor, ct)[0]

    jitted, text = compiled(f, factor, ct)
    assert "reverse mode of" in text and "host step" not in text
    close(jitted(factor, ct), f(factor, ct))
    close(jitted(factor + np.triu(ct, 1), ct + np.triu(factor.mT + 1, 1)), f(factor, ct))


def test_the_copy_is_made_by_the_kernel_before():
    def f(x, length):
        k = np.exp(-0.5 * ((x[:, None] - x) / length) ** 2) + 0.1 * np.eye(20)
        return np.linalg.cholesky(k)

    x = np.sort(real(20))
    f, text = compiled(f, x, 0.5)
    assert text.count("kernel") == 1 and text.count("LAPACK dpotrf") == 1
    k = np.exp(-0.5 * ((x[:, None] - x) / 0.5) ** 2) + 0.1 * np.eye(20)
    close(f(x, 0.5), np.linalg.cholesky(k))


def test_operands_that_are_needed_again_stay():
    def f(a, b):
        c = np.sin(b) * 2
        x = np.linalg.solve(a, c)
        return x, c, np.linalg.solve(a, x) - c, a

    a, b = positive(6, 6), real(6, 2)
    x, c, rest, same = at.jit(f)(a, b)
    close(c, np.sin(b) * 2)
    close(x, np.linalg.solve(a, c))
    close(rest, np.linalg.solve(a, x) - c)
    np.testing.assert_array_equal(same, a)


def test_one_factorization_serves_value_and_gradient():
    def f(a, b):
        return np.sum(np.linalg.solve(a, b) ** 2) + np.linalg.slogdet(a)[1]

    a, b = positive(6, 6), real(6)
    _, text = compiled(at.value_and_grad(f, (0, 1)), a, b)
    assert text.count("dgetrf") == 1 and "host step" not in text


def test_within_loops():
    """A loop whose body factors a matrix runs natively, and finds those that cannot be."""

    def f(a, start):
        def step(x, shift):
            c = np.linalg.cholesky(a + shift * np.eye(4))
            x = np.linalg.solve(c, x)
            return x, c[0]

        return at.lax.scan(step, start, np.arange(5.0))

    a, start = positive(4, 4), real(4)
    jitted, text = compiled(f, a, start)
    assert "scan" in text and "host step" not in text
    x, rows = jitted(a, start)
    for n in range(5):
        c = np.linalg.cholesky(a + n * np.eye(4))
        close(rows[n], c[0])
        start = np.linalg.solve(c, start)
    close(x, start)
    with pytest.raises(np.linalg.LinAlgError, match=r"(?s)positive definite.*test_factor"):
        jitted(-a, start)


def test_errors_name_the_line_and_leave_the_program_fit():
    def f(a):
        return np.linalg.cholesky(a) + 1

    f = at.jit(f)
    a = positive(5, 5)
    close(f(a), np.linalg.cholesky(a) + 1)
    with pytest.raises(np.linalg.LinAlgError, match=r"(?s)positive definite.*\+ 1"):
        f(a - 100 * np.eye(5))
    close(f(a), np.linalg.cholesky(a) + 1)
    g = at.jit(lambda a: np.linalg.solve(a, a))
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        g(np.ones((3, 3)))


def test_donated_arguments_are_there_for_the_error():
    def f(a):
        return np.linalg.cholesky(2 * a) + a

    a = positive(5, 5)
    a[4, 4] = -1.0
    with pytest.raises(np.linalg.LinAlgError):
        at.jit(f, donate_argnums=0)(a)
    good = positive(5, 5)
    expected = np.linalg.cholesky(2 * good) + good
    close(at.jit(f, donate_argnums=0)(good), expected)


def test_numba_functions_raise_it_too():
    call = at.jit(np.linalg.cholesky).lower(positive(4, 4)).compile().as_numba()
    a = positive(4, 4)
    close(call(a), np.linalg.cholesky(a))
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite, or singular"):
        call(-a)


def test_programs_pickle():
    made = at.jit(np.linalg.cholesky).lower(positive(4, 4)).compile()
    a = positive(4, 4)
    close(pickle.loads(pickle.dumps(made))(a), np.linalg.cholesky(a))


def test_new_sizes_compile_nothing():
    f = at.jit(at.value_and_grad(lambda a, b: np.sum(np.linalg.solve(a, b) ** 2)))
    f(positive(40, 40), real(40, 3))
    before = at.kernels.counts()
    for n in (50, 63):
        f(positive(n, n), real(n, 3))
    assert at.kernels.counts() == before


def test_not_positive_definite_by_nan():
    a = positive(4, 4)
    a[2, 1] = np.nan
    for backend in ("numba", "numpy"):
        try:
            expected = np.linalg.cholesky(a)
        except np.linalg.LinAlgError:
            with pytest.raises(np.linalg.LinAlgError):
                at.jit(np.linalg.cholesky, backend=backend)(a)
        else:
            np.testing.assert_array_equal(
                np.isnan(at.jit(np.linalg.cholesky, backend=backend)(a)), np.isnan(expected)
            )


def test_every_rule_has_a_primitive():
    assert set(factorizations.RULES) <= set(at.core.primitive.primitives)
