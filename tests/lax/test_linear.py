"""dot_general against NumPy's einsum, with derivatives and batching."""

import numpy as np
import pytest
from derivative_checks import backward, check_abstract, check_batching, check_derivatives, forward
from hypothesis import given, settings
from hypothesis import strategies as st

from autotrace.core.avals import ShapedArray
from autotrace.lax import linear as lax
from autotrace.lax.structural import transpose
from autotrace.transforms.evaluate import eval_jaxpr
from autotrace.transforms.simplify import simplify_jaxpr
from autotrace.transforms.stage import stage

#: lhs shape, rhs shape, dimension_numbers
CASES = [
    ((), (), (((), ()), ((), ()))),
    ((), (2, 3), (((), ()), ((), ()))),
    ((3,), (3,), (((0,), (0,)), ((), ()))),
    ((2,), (3,), (((), ()), ((), ()))),
    ((2, 3), (3,), (((1,), (0,)), ((), ()))),
    ((2, 3), (2,), (((0,), (0,)), ((), ()))),
    ((3,), (2, 3), (((0,), (1,)), ((), ()))),
    ((2, 3), (3, 4), (((1,), (0,)), ((), ()))),
    ((2, 3), (4, 3), (((1,), (1,)), ((), ()))),
    ((3, 2), (3, 4), (((0,), (0,)), ((), ()))),
    ((3, 2), (4, 3), (((0,), (1,)), ((), ()))),
    ((2, 3), (2, 3), (((0, 1), (0, 1)), ((), ()))),
    ((2, 3), (3, 2), (((0, 1), (1, 0)), ((), ()))),
    ((2, 3), (2, 3), (((), ()), ((0, 1), (0, 1)))),
    ((2, 3), (3, 2), (((), ()), ((1, 0), (0, 1)))),
    ((2, 3), (2, 3), (((1,), (1,)), ((0,), (0,)))),
    ((2, 3, 4), (2, 4, 2), (((2,), (1,)), ((0,), (0,)))),
    ((3, 4, 2), (4, 2, 5), (((1,), (0,)), ((2,), (1,)))),
    ((2, 3, 4, 5), (4, 3, 6, 5), (((1, 3), (1, 3)), ((2,), (0,)))),
    ((2, 3, 4, 5), (5, 3, 6), (((3, 1), (0, 1)), ((), ()))),
    ((2, 3, 4), (5, 4), (((2,), (1,)), ((), ()))),
]


def einsum(lhs, rhs, dimension_numbers):
    (lc, rc), (lb, rb) = dimension_numbers
    names = iter("abcdefghijklmnop")
    left, right = [None] * lhs.ndim, [None] * rhs.ndim
    for i, j in (*zip(lb, rb, strict=True), *zip(lc, rc, strict=True)):
        left[i] = right[j] = next(names)
    left = [c or next(names) for c in left]
    right = [c or next(names) for c in right]
    out = [left[d] for d in lb]
    out += [c for d, c in enumerate(left) if d not in lc and d not in lb]
    out += [c for d, c in enumerate(right) if d not in rc and d not in rb]
    return np.einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", lhs, rhs)


def numbers_of(case, dtype, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for shape in case[:2]:
        x = rng.standard_normal(shape)
        if np.dtype(dtype).kind == "c":
            x = x + 1j * rng.standard_normal(shape)
        if np.dtype(dtype).kind in "biu":
            x = rng.integers(0, 2 if dtype == np.bool_ else 5, shape)
        made.append(np.asarray(x).astype(dtype)[()])
    return made


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32, complex])
def test_values_and_types(case, dtype):
    lhs, rhs = numbers_of(case, dtype)
    out = lax.dot_general(lhs, rhs, case[2])
    assert out.dtype == dtype
    tolerance = {np.float16: 2e-2, np.float32: 1e-5}.get(dtype, 1e-12)
    np.testing.assert_allclose(out, einsum(lhs, rhs, case[2]), rtol=tolerance, atol=tolerance)
    check_abstract(lambda x, y: [lax.dot_general(x, y, case[2])], [lhs, rhs])


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_dimension_numbers(data):
    """Shapes with zeros, operands in any memory layout, derivatives too."""
    size = st.integers(0, 3)
    pairs = data.draw(st.lists(size, max_size=3))
    batch = data.draw(st.integers(0, len(pairs)))
    left = pairs + data.draw(st.lists(size, max_size=2))
    right = pairs + data.draw(st.lists(size, max_size=2))
    orders = [data.draw(st.permutations(range(len(s)))) for s in (left, right)]
    shapes = [tuple(s[d] for d in o) for s, o in zip((left, right), orders, strict=True)]
    places = [[o.index(i) for i in range(len(pairs))] for o in orders]
    numbers = (
        tuple(tuple(p[batch:]) for p in places),
        tuple(tuple(p[:batch]) for p in places),
    )
    operands = numbers_of(shapes, float, data.draw(st.integers(0, 99)))
    if data.draw(st.booleans()):
        operands = [np.asarray(x, order="F") for x in operands]
    function = lambda x, y: [lax.dot_general(x, y, numbers)]  # noqa: E731
    np.testing.assert_allclose(function(*operands)[0], einsum(*operands, numbers), atol=1e-12)
    check_abstract(function, operands)
    check_derivatives(function, operands)


@pytest.mark.parametrize("case", CASES)
def test_derivatives(case):
    function = lambda x, y: [lax.dot_general(x, y, case[2])]  # noqa: E731
    x, y = numbers_of(case, float)
    check_derivatives(function, [x, y], order=2)
    check_derivatives(function, numbers_of(case, complex))
    check_derivatives(lambda x: function(x, y), [x])
    check_derivatives(lambda y: function(x, y), [y])


@pytest.mark.parametrize("case", CASES)
def test_batching(case):
    rng = np.random.default_rng(0)
    stacked = [lambda n, s=shape: rng.standard_normal((n, *s)) for shape in case[:2]]
    function = lambda x, y: [lax.dot_general(x, y, case[2])]  # noqa: E731
    check_batching(function, stacked)
    shape = einsum(*numbers_of(case, float), case[2]).shape
    if len(shape) < 4:
        ct = rng.standard_normal(shape)
        check_batching(lambda x, y: backward(function, [x, y], [ct]), stacked, 2)
        check_batching(lambda x, y: forward(function, [x, y], [x, y]), stacked, 2)


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4))])
def test_dot(shapes):
    lhs, rhs = numbers_of(shapes, float)
    np.testing.assert_allclose(lax.dot(lhs, rhs), np.dot(lhs, rhs))


def test_batch_matmul():
    lhs, rhs = numbers_of(((5, 2, 2, 3), (5, 2, 3, 4)), float)
    np.testing.assert_allclose(lax.batch_matmul(lhs, rhs), lhs @ rhs)


def test_errors():
    x, y = np.zeros((2, 3)), np.zeros((4, 3))
    with pytest.raises(TypeError, match=r"contracting dimensions have sizes \[3\].*\[4\]"):
        lax.dot(x, y)
    with pytest.raises(TypeError, match="vectors and matrices"):
        lax.dot(x, np.zeros(()))
    with pytest.raises(TypeError, match="one dtype"):
        lax.dot(x, np.zeros((3, 2), np.float32))
    with pytest.raises(TypeError, match="one dtype"):
        stage(
            lambda x, y: [lax.dot_general_p.bind(x, y, dimension_numbers=(((1,), (1,)), ((), ())))],
            [ShapedArray((2, 3), float), ShapedArray((2, 3), int)],
        )
    with pytest.raises(TypeError, match="not different dimensions"):
        lax.dot_general(x, y, (((1, 1), (1, 1)), ((), ())))
    with pytest.raises(TypeError, match="not different dimensions"):
        lax.dot_general(x, y, (((1,), (1,)), ((1,), (1,))))
    with pytest.raises(TypeError, match="not different dimensions"):
        lax.dot_general(x, y, (((2,), (1,)), ((), ())))
    with pytest.raises(TypeError, match="batch dimensions have sizes"):
        lax.batch_matmul(np.zeros((1, 2, 2)), np.zeros((3, 2, 2)))
    with pytest.raises(TypeError, match="as many dimensions"):
        lax.batch_matmul(np.zeros((1, 2, 2)), np.zeros((2, 2)))


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 2, 1)])
def test_simplify_transpositions(order):
    """Dimension 0 is free, 1 contracted, 2 batch; transposed operands of another layout."""
    lhs, rhs = numbers_of(((2, 3, 4), (3, 4, 5, 6)), float)
    numbers = (((1,), (0,)), ((2,), (1,)))
    back = tuple(np.argsort(order))

    def function(x, y):
        return [
            lax.dot_general(transpose(x, back), transpose(y, (1, 3, 2, 0)), numbers),
        ]

    x, y = np.transpose(lhs, order), np.transpose(rhs, np.argsort((1, 3, 2, 0)))
    jaxpr = stage(function, [ShapedArray(v.shape, float) for v in (x, y)])
    small = simplify_jaxpr(jaxpr)
    names = [e.primitive.name for e in small.eqns]
    assert names.count("transpose") == 1  # rhs changes the order of free dimensions: 3 before 2
    np.testing.assert_array_equal(eval_jaxpr(small, [x, y])[0], function(x, y)[0])
    np.testing.assert_allclose(function(x, y)[0], einsum(lhs, rhs, numbers))


def test_gram_matrix_simplifies():
    jaxpr = stage(lambda x: [lax.dot(transpose(x, (1, 0)), x)], [ShapedArray((3, 2), float)])
    (eqn,) = simplify_jaxpr(jaxpr).eqns
    assert eqn.params["dimension_numbers"] == (((0,), (0,)), ((), ()))
