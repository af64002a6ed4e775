"""Products with SciPy's sparse arrays: values, derivatives, batching, errors."""

import operator

import numpy as np
import pytest
import scipy.sparse as sp

import autotrace as at

DENSE = np.array([[1.5, 0.0, -2.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.5], [4.0, 0.0, 0.0]])
#: One row with all elements, so that the others are not padded to its length.
ARROW = np.vstack([np.ones((1, 8)), np.eye(8)])
KINDS = [
    *(sp.csr_array, sp.csc_array, sp.coo_array, sp.bsr_array, sp.dia_array, sp.lil_array),
    *(sp.dok_array, sp.csr_matrix, sp.csc_matrix),
]
RNG = np.random.default_rng(0)
#: The sparse array's place, and what is on the other side.
SIDES = {
    "A @ vector": (operator.matmul, RNG.normal(size=3)),
    "A @ matrix": (operator.matmul, RNG.normal(size=(3, 2))),
    "vector @ A": (lambda a, x: x @ a, RNG.normal(size=4)),
    "matrix @ A": (lambda a, x: x @ a, RNG.normal(size=(2, 4))),
}
sides = pytest.mark.parametrize(("product", "x"), SIDES.values(), ids=SIDES)


@sides
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_kinds(kind, product, x):
    a = kind(DENSE)
    expected = product(a, x)
    _, tangent = at.jvp(lambda x: product(a, x), (x,), (x,))
    for found in (at.vjp(lambda x: product(a, x), x)[0], tangent):
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        assert found.shape == expected.shape


@sides
def test_derivatives(product, x, backend):
    a = sp.csr_array(DENSE)

    def f(x):
        return np.sum(np.sin(product(a, x * x)))

    at.testing.check_grads(f, (x,), order=2)
    hessian = at.hessian(lambda x: np.sum(np.sin(product(DENSE, x * x))))(x)
    np.testing.assert_allclose(at.jit(at.hessian(f))(x), hessian, rtol=1e-12, atol=1e-12)
    batch = np.stack([x, 2 * x, -x])
    np.testing.assert_allclose(at.jit(at.vmap(f))(batch), [f(x) for x in batch], rtol=1e-12)
    np.testing.assert_allclose(
        at.vmap(at.grad(f))(batch), [at.grad(f)(x) for x in batch], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("of_array", "of_x"),
    [
        *((np.int32, np.float32), (np.float32, np.float64), (np.float64, np.complex128)),
        *((np.complex64, np.float64), (bool, bool), (np.int64, np.int8), (bool, np.float32)),
    ],
)
def test_dtypes(of_array, of_x):
    a, x = sp.csr_array(DENSE.astype(of_array)), np.array([1, 0, 2]).astype(of_x)
    found, expected = at.jit(lambda x: a @ x)(x), a @ x
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_dot_and_the_product_of_matrices():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(at.jvp(sp.csr_array(DENSE).dot, (x,), (x,))[1], DENSE @ x)
    matrix = sp.csr_matrix(DENSE)
    np.testing.assert_allclose(at.jvp(matrix.dot, (x,), (x,))[1], DENSE @ x)
    with pytest.raises(TypeError, match=r"unsupported operand.*csr_matrix"):  # * is elementwise
        at.jit(lambda x: matrix * x)(x)


def test_rows_of_very_different_lengths(backend):
    a, x = sp.csr_array(ARROW), np.linspace(-1.0, 1.0, 8)
    y = at.jit(lambda x: a @ x)(x)
    np.testing.assert_allclose(y, ARROW @ x, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(at.jit(lambda y: y @ a)(y), y @ ARROW, rtol=1e-13, atol=1e-15)
    at.testing.check_grads(lambda x: np.sum(np.sin(a @ x)), (x,), order=2)


def test_padding_is_not_multiplied(backend):
    a = sp.csr_array(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]))
    for x in (np.array([np.inf, 1.0, 2.0]), np.array([1.0, 2.0, np.nan])):
        np.testing.assert_array_equal(at.jit(lambda x: a @ x)(x), a @ x)


def test_elements_that_are_there_twice_and_none_at_all():
    twice = sp.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    np.testing.assert_array_equal(at.jit(lambda x: twice @ x)(np.array([5.0, 7.0])), [21.0, 15.0])
    empty = sp.csr_array((3, 2))
    np.testing.assert_array_equal(at.grad(lambda x: np.sum(empty @ x))(np.ones(2)), [0.0, 0.0])
    none = sp.csr_array((0, 2))
    assert at.jit(lambda x: none @ x)(np.ones(2)).shape == (0,)


def test_arrays_made_in_the_function(backend):
    laplacian = sp.diags_array([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(5, 5), format="csr")

    @at.jit
    @at.grad
    def energy(x):
        u = np.zeros(5)
        u[1:4] = x
        return u @ (laplacian @ u)

    x = np.array([1.0, 2.0, 4.0])
    inner = laplacian.toarray()[1:4, 1:4]
    np.testing.assert_allclose(energy(x), 2 * inner @ x)


def test_errors():
    a = sp.csr_array(DENSE)
    for f, x in (
        (lambda x: a @ x, np.ones(4)),
        (lambda x: x @ a, np.ones(3)),
        (lambda x: a @ x, np.ones((1, 3, 3))),
        (lambda x: a @ x, np.ones((2, 3))),
    ):
        with pytest.raises(ValueError, match=r"(?s)matmul of shapes .* sparse array.*test_sparse"):
            at.jit(f)(x)
    # Everything else that would make an ordinary array of a traced value still says so.
    with pytest.raises(at.TracerArrayError, match=r"scipy\.sparse"):
        at.grad(lambda x: a.multiply(x).sum())(np.ones((4, 3)))
