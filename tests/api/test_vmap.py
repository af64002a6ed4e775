"""vmap and the collectives."""

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autotrace as at
from autotrace import lax

Pair = collections.namedtuple("Pair", "a b")
A = np.arange(6.0).reshape(2, 3)
eq = np.testing.assert_array_equal


def total(x):
    return lax.reduce_sum(x, tuple(range(x.ndim)))


def test_axes():
    eq(at.vmap(total)(A), A.sum(1))
    eq(at.vmap(total, in_axes=1)(A), A.sum(0))
    eq(at.vmap(total, in_axes=-1)(A), A.sum(0))
    eq(at.vmap(total, in_axes=(-2,))(A), A.sum(1))
    eq(at.vmap(lambda x: 2 * x, out_axes=1)(A), 2 * A.T)
    eq(at.vmap(lambda x: 2 * x, out_axes=-1)(A), 2 * A.T)
    eq(at.vmap(lambda x: 2 * x, 1, -1)(A), 2 * A)
    eq(at.vmap(lambda x: x, 1, 1)(A), A)
    eq(at.vmap(lambda x, y: x + y, (0, None))(A, A[0]), A + A[0])
    eq(at.vmap(lambda x, y: x + y, [None, 0])(A[0], A), A + A[0])


@given(st.integers(-3, 2), st.integers(-3, 2))
@settings(max_examples=40, deadline=None)
def test_moves_axes(i, o):
    x = np.arange(24.0).reshape(2, 3, 4)
    eq(at.vmap(lambda x: 1.0 * x, i, o)(x), np.moveaxis(x, i, o))
    eq(at.vmap(lambda x: x, i, o)(x), np.moveaxis(x, i, o))
    y = np.arange(2 * 3 * 4.0)[: x.shape[i]]
    eq(
        at.vmap(lambda x, y: x * y, (i, 0), o)(x, y),
        np.stack([np.take(x, k, i) * y[k] for k in range(len(y))], o % 3),
    )


def test_trees():
    tree = {"a": A, "b": (A.T, None, Pair(5.0, [A]))}
    axes = ({"a": 0, "b": (1, None, Pair(None, 0))},)
    f = lambda t: {"s": total(t["a"]) + total(t["b"][0]) + t["b"][2].a, "l": t["b"][2].b}  # noqa: E731
    out = at.vmap(f, axes)(tree)
    eq(out["s"], 2 * A.sum(1) + 5)
    eq(out["l"][0], A)
    out = at.vmap(f, axes, {"s": 0, "l": 1})(tree)
    eq(out["l"][0], A.T)
    out = at.vmap(f, axes, {"s": 0, "l": [-1]})(tree)
    eq(out["l"][0], A.T)
    eq(at.vmap(lambda p: p["x"] * p["y"], ({"x": 0, "y": None},))({"x": A, "y": 2.0}), 2 * A)


def test_unbatched_outputs():
    _out, c = at.vmap(lambda x: (x, 7.0), out_axes=(0, None))(A)
    assert c == 7.0
    _, c = at.vmap(lambda x: (x, 7.0))(A)
    eq(c, [7.0, 7.0])
    _, c = at.vmap(lambda x, y: (x, y), (0, None), (0, 1))(A, A[0])
    eq(c, np.stack([A[0], A[0]], 1))
    assert c.flags.writeable


def test_keywords_are_mapped_over_0():
    eq(at.vmap(lambda x, *, k: x * k, in_axes=1)(A, k=np.arange(3.0)), (A * np.arange(3.0)).T)
    eq(at.vmap(lambda *, k: k["a"] * 2, in_axes=())(k={"a": np.arange(3.0)}), 2 * np.arange(3.0))


def test_axis_size():
    eq(at.vmap(lambda: 3.0, axis_size=2)(), [3.0, 3.0])
    eq(at.vmap(lambda x: x, None, axis_size=2)(1.0), [1.0, 1.0])
    eq(at.vmap(lambda x: 2 * x, axis_size=2)(A), 2 * A)
    assert at.vmap(lambda x: x * 2)(np.zeros((0, 3))).shape == (0, 3)


def test_unmapped_arguments_may_be_anything():
    eq(at.vmap(lambda x, how: x * 2 if how == "d" else x, (0, None))(A, "d"), 2 * A)


def test_nesting():
    f = at.vmap(at.vmap(lambda x, y: x * y, (None, 0)), (0, None))
    eq(f(np.arange(2.0), np.arange(3.0)), np.outer(np.arange(2.0), np.arange(3.0)))
    eq(at.vmap(at.vmap(total, 1), 0)(np.ones((2, 3, 4))), np.full((2, 4), 3.0))
    eq(
        at.vmap(lambda x: at.vmap(lambda y: x * y)(np.arange(3.0)))(np.arange(2.0)),
        np.outer(np.arange(2.0), np.arange(3.0)),
    )
    x = np.arange(24.0).reshape(2, 3, 4)
    eq(
        at.vmap(lambda a: at.vmap(lambda b: at.vmap(lambda c: c * total(b) * total(a))(b))(a))(x),
        x * x.sum(2, keepdims=True) * x.sum((1, 2), keepdims=True),
    )


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: at.vmap(lambda x, y: x)(A, np.ones(3)),
            ValueError,
            r"different sizes:\n  args\[0\]: shape \(2, 3\), axis 0, size 2\n"
            r"  args\[1\]: shape \(3,\)",
        ),
        (
            lambda: at.vmap(lambda x, k: x)({"p": A}, k=np.ones(3)),
            ValueError,
            r"args\[0\]\['p'\]: shape \(2, 3\).*\n  kwargs\['k'\]",
        ),
        (lambda: at.vmap(lambda x: x, axis_size=3)(A), ValueError, "axis_size=3"),
        (lambda: at.vmap(lambda x: x, 2)(A), ValueError, r"axis 2 of an array of shape \(2, 3\)"),
        (lambda: at.vmap(lambda x: x, -3)(A), ValueError, r"axis -3 of an array"),
        (lambda: at.vmap(lambda x: x)(1.0), ValueError, r"axis 0 of an array of shape \(\)"),
        (lambda: at.vmap(lambda x: x, None)(A), ValueError, "no argument is mapped over"),
        (lambda: at.vmap(lambda: 1.0)(), ValueError, "no argument is mapped over"),
        (
            lambda: at.vmap(lambda x, y: x, (0,))(A, A),
            ValueError,
            "in_axes has 1 entries, the call 2",
        ),
        (
            lambda: at.vmap(lambda x: x, out_axes=None)(A),
            ValueError,
            "out_axes is None for an output",
        ),
        (lambda: at.vmap(lambda x: x, out_axes=2)(A), ValueError, "out_axes=2 for an output of 2"),
        (lambda: at.vmap(lambda x: x, out_axes=(0, 0))(A), ValueError, "out_axes"),
        (lambda: at.vmap(lambda x: x, ({"a": 0},))({"b": A}), ValueError, "in_axes"),
        (lambda: at.vmap(lambda x: x, "0"), TypeError, "in_axes must hold ints and None, got '0'"),
        (lambda: at.vmap(lambda x: x, True), TypeError, "in_axes must hold ints"),
        (lambda: at.vmap(lambda x: x, out_axes=1.5), TypeError, "out_axes must hold ints"),
        (lambda: at.vmap(lambda x: x)("text"), TypeError, "expected an array"),
        (lambda: at.vmap(lambda x: "text")(A), TypeError, "the output of"),
    ],
)
def test_errors(call, kind, message):
    with pytest.raises(kind, match=message) as error:
        call()
    assert len(str(error.value).splitlines()) <= 12


def test_no_python_control_flow():
    with pytest.raises(at.ConcretizationError, match="under vmap it stands for many examples") as e:
        at.vmap(lambda x: x if x > 1 else -x)(np.arange(3.0))
    assert __file__ in str(e.value) and "np.where" in str(e.value)
    eq(
        at.vmap(lambda x, n: x * n if n > 1 else x, (0, None))(np.arange(3.0), 2.0),
        2 * np.arange(3.0),
    )


# --- collectives -------------------------------------------------------------------------------

X = np.array([1.0, 4.0, 2.0])


def over(f, **options):
    return at.vmap(f, axis_name="i", **options)


def test_collectives():
    eq(over(lambda x: lax.psum(x, "i"))(X), [7.0] * 3)
    eq(over(lambda x: lax.psum(x, "i"), out_axes=None)(X), 7.0)
    np.testing.assert_allclose(over(lambda x: lax.pmean(x, "i"))(X), [7 / 3] * 3)
    eq(over(lambda x: lax.pmax(x, "i"))(X), [4.0] * 3)
    eq(over(lambda x: lax.pmin(x, "i"))(X), [1.0] * 3)
    eq(over(lambda x: lax.all_gather(x, "i"))(X), [X] * 3)
    eq(over(lambda x: lax.axis_index("i"))(X), [0, 1, 2])
    eq(over(lambda x: lax.axis_size("i") * x)(X), 3 * X)
    eq(over(lambda x: lax.ppermute(x, "i", [(0, 2), (2, 0)]))(X), [2.0, 0.0, 1.0])
    assert type(over(lambda x: lax.axis_size("i"), out_axes=None)(X)) is np.int64


def test_collectives_of_trees_and_arrays():
    out = over(lambda t: lax.psum(t, "i"), out_axes=None)({"a": A, "b": (A[:, 0],)})
    eq(out["a"], A.sum(0))
    eq(out["b"][0], A[:, 0].sum())
    eq(over(lambda x: lax.all_gather(x, "i", axis=1), out_axes=None)(A), A.T)
    eq(over(lambda x: lax.pmax(x, "i"), in_axes=1, out_axes=None)(A), A.max(1))
    eq(over(lambda x: lax.ppermute(x, "i", [(0, 1), (1, 0)]))(A), A[::-1])


def test_collectives_of_constants():
    eq(over(lambda x: lax.psum(1, "i") * x)(X), 3 * X)
    eq(over(lambda x: lax.pmax(2.0, "i"))(X), [2.0] * 3)
    eq(over(lambda x: lax.pmean(2.0, "i"))(X), [2.0] * 3)
    eq(over(lambda x: lax.all_gather(2.0, "i"))(X), np.full((3, 3), 2.0))
    eq(over(lambda x: lax.ppermute(2.0, "i", [(0, 1)]))(X), [0.0, 2.0, 0.0])


def test_two_names():
    f = lambda g: at.vmap(at.vmap(g, axis_name="j"), axis_name="i")(A)  # noqa: E731
    eq(f(lambda x: lax.psum(x, "i")), np.tile(A.sum(0), (2, 1)))
    eq(f(lambda x: lax.psum(x, "j")), np.tile(A.sum(1)[:, None], (1, 3)))
    eq(f(lambda x: lax.psum(x, ("i", "j"))), np.full((2, 3), A.sum()))
    eq(f(lambda x: lax.pmean(x, ("i", "j"))), np.full((2, 3), A.mean()))
    eq(f(lambda x: lax.pmax(x, ["j", "i"])), np.full((2, 3), A.max()))
    eq(f(lambda x: lax.axis_index("i") * 10 + lax.axis_index("j")), [[0, 1, 2], [10, 11, 12]])
    eq(f(lambda x: lax.all_gather(x, "i")), np.tile(A.T, (2, 1, 1)))
    eq(f(lambda x: lax.ppermute(x, "i", [(0, 1), (1, 0)])), A[::-1])
    eq(
        f(lambda x: lax.ppermute(x, "j", [(0, 2)])),
        np.stack([0 * A[:, 0], 0 * A[:, 0], A[:, 0]], 1),
    )
    eq(f(lambda x: x * lax.axis_size("i") + lax.axis_size("j")), A * 2 + 3)


def test_inner_name_shadows():
    f = at.vmap(at.vmap(lambda x: lax.psum(x, "i"), axis_name="i"), axis_name="i")
    eq(f(A), np.tile(A.sum(1)[:, None], (1, 3)))


def test_unknown_names():
    for call in (
        lambda: lax.psum(1.0, "i"),
        lambda: lax.axis_index("i"),
        lambda: lax.axis_size("i"),
        lambda: at.vmap(lambda x: lax.pmax(x, "i"))(X),
        lambda: at.vmap(lambda x: lax.all_gather(x, "i"), axis_name="j")(X),
        lambda: at.jit(lambda x: lax.psum(x, "i"))(1.0),
    ):
        with pytest.raises(NameError, match="no axis named 'i' is being mapped"):
            call()
    with pytest.raises(NameError, match="being mapped: 'j'"):
        at.vmap(lambda x: lax.psum(x, "i"), axis_name="j")(X)


def test_ppermute_errors():
    for perm in ([(0, 1), (0, 2)], [(0, 1), (2, 1)]):
        with pytest.raises(ValueError, match="occurs twice"):
            over(lambda x, perm=perm: lax.ppermute(x, "i", perm))(X)


COLLECTIVES = {
    "psum": lambda x: lax.psum(x**2, "i"),
    "pmean": lambda x: lax.pmean(np.sin(x), "i"),
    "pmax": lambda x: lax.pmax(x**2, "i"),
    "pmin": lambda x: lax.pmin(x, "i") * x,
    "all_gather": lambda x: total(lax.all_gather(x, "i") ** 2 * np.arange(3.0)) * x,
    "ppermute": lambda x: lax.ppermute(x**2, "i", [(0, 1), (1, 2)]) * x,
    "axis_index": lambda x: x**2 * lax.axis_index("i"),
    "axis_size": lambda x: x**2 * lax.axis_size("i"),
    "softmax": lambda x: np.exp(x - lax.pmax(x, "i")) / lax.psum(np.exp(x), "i"),
}


@pytest.mark.parametrize("name", COLLECTIVES)
def test_collective_derivatives(name):
    f = COLLECTIVES[name]
    many = over(f)
    jacobian = np.zeros((3, 3))
    for k in range(3):
        h = np.eye(3)[k] * 1e-6
        jacobian[:, k] = (many(X + h) - many(X - h)) / 2e-6
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)  # noqa: E731
    close(at.jacfwd(many)(X), jacobian)
    close(at.jacrev(many)(X), jacobian)
    close(at.grad(lambda x: total(many(x)))(X), jacobian.sum(0))
    close(at.jit(at.jacrev(many))(X), jacobian)
    close(at.jacrev(at.jit(many))(X), jacobian)
    close(over(at.jit(f))(X), many(X))
    close(at.jit(over(at.jit(f)))(X), many(X))
    # Inside, a derivative of one example's output by its input counts all paths, as in JAX.
    close(over(at.grad(f))(X), jacobian.sum(0))
    close(over(at.jit(at.grad(f)))(X), jacobian.sum(0))
    close(over(lambda x: at.jvp(f, (x,), (1.0 + 0 * x,))[1])(X), jacobian.sum(1))
    close(over(at.checkpoint(f))(X), many(X))
    close(at.jacrev(over(at.checkpoint(f)))(X), jacobian)
    hessian = at.jacfwd(at.grad(lambda x: total(many(x))))(X)
    for k in range(3):
        h = np.eye(3)[k] * 1e-5
        g = at.grad(lambda x: total(many(x)))
        close(hessian[:, k], (g(X + h) - g(X - h)) / 2e-5)


@pytest.mark.parametrize("name", COLLECTIVES)
def test_collectives_under_an_outer_vmap(name):
    f = COLLECTIVES[name]
    many = over(f)
    stack = np.stack([X, X[::-1]])
    want = np.stack([many(x) for x in stack])
    np.testing.assert_allclose(at.vmap(many)(stack), want)
    np.testing.assert_allclose(at.vmap(at.jit(many))(stack), want)
    # The collective over the outer name while the inner axis is another one.
    inner_out = at.vmap(at.vmap(f), axis_name="i")(stack.T)
    np.testing.assert_allclose(inner_out, want.T)
    np.testing.assert_allclose(at.vmap(at.vmap(at.jit(f)), axis_name="i")(stack.T), want.T)


def test_closures_over_an_outer_batch():
    np.testing.assert_allclose(
        at.vmap(lambda x: at.grad(lambda y: np.sin(y) * x)(x))(X), np.cos(X) * X
    )
    np.testing.assert_allclose(
        at.vmap(lambda x: at.vmap(lambda y: at.grad(lambda z: z**2 * x * y)(x))(X))(X),
        2 * X[:, None] ** 2 * X[None, :],
    )


def test_batching_traces_once():
    calls = []
    at.vmap(lambda x: calls.append(1) or x * 2)(np.ones(100))
    assert calls == [1]


def test_integer_and_bool_batches():
    eq(
        at.vmap(lambda n, b: np.where(b, n, -n))(np.arange(3), np.array([True, False, True])),
        [0, -1, 2],
    )
