"""make_jaxpr, eval_shape, explain."""

import numpy as np
import pytest

import autotrace as at
from autotrace import lax
from autotrace.core.jaxpr import check_jaxpr
from autotrace.transforms.evaluate import eval_jaxpr

S = at.ShapeDtypeStruct


def total(x):
    return lax.reduce_sum(x, tuple(range(x.ndim)))


def test_shape_dtype_struct():
    s = S([2, np.int64(3)], "float32")
    assert s.shape == (2, 3) and s.dtype == np.float32 and s.ndim == 2 and s.size == 6
    assert s == S((2, 3), np.float32) and hash(s) == hash(S((2, 3), np.float32))
    assert s != S((2, 3), np.float64) and s != S((3, 2), np.float32) and s != 3
    assert repr(s) == "ShapeDtypeStruct(shape=(2, 3), dtype=float32)"
    assert S((), float).size == 1


def test_make_jaxpr():
    jaxpr = at.make_jaxpr(lambda p, *, k: {"y": p["x"] * k})({"x": S((3,), float)}, k=2.0)
    check_jaxpr(jaxpr)
    assert [str(a) for a in jaxpr.in_avals] == ["f64[3]", "f64[]"]
    np.testing.assert_array_equal(eval_jaxpr(jaxpr, [np.arange(3.0), 2.0])[0], [0, 2, 4])
    assert at.make_jaxpr(total).__name__ == "make_jaxpr(total)"


def test_static_argnums():
    f = lambda x, how, n: x**n if how == "p" else x  # noqa: E731
    jaxpr = at.make_jaxpr(f, static_argnums=(1, -1))(2.0, "p", 3)
    assert len(jaxpr.invars) == 1
    assert eval_jaxpr(jaxpr, [2.0]) == [8.0]
    assert not at.make_jaxpr(f, static_argnums=(1, 2))(2.0, "q", 3).eqns
    with pytest.raises(TypeError, match="expected an array"):
        at.make_jaxpr(f)(2.0, "p", 3)
    with pytest.raises(ValueError, match="static_argnums"):
        at.make_jaxpr(f, static_argnums=3)(2.0, "p", 3)


def test_return_shape():
    f = lambda x: {"s": total(x), "n": (x > 0, None)}  # noqa: E731
    jaxpr, shape = at.make_jaxpr(f, return_shape=True)(np.ones((2, 3), np.float32))
    assert shape == {"s": S((), np.float32), "n": (S((2, 3), bool), None)}
    assert at.eval_shape(f, S((2, 3), np.float32)) == shape
    assert len(jaxpr.outvars) == 2


def test_simplify():
    f = lambda x: (at.jit(np.sin)(x) + np.sin(x)) * 1.0 + (2.0 - 2.0) * 3.0  # noqa: E731
    rough, smooth = at.make_jaxpr(f)(1.0), at.make_jaxpr(f, simplify=True)(1.0)
    count = lambda j, name: str(j).count(f"= {name}")  # noqa: E731
    assert count(rough, "sin") == 2 and count(rough, "jit") == 1
    assert count(smooth, "sin") == 1 and count(smooth, "jit") == 0 and count(smooth, "mul") == 0
    assert eval_jaxpr(rough, [0.3]) == eval_jaxpr(smooth, [0.3])


def test_eval_shape_does_not_compute():
    def f(x, y):
        return lax.dot(x, y)

    big = S((10**6, 10**6), float)
    assert at.eval_shape(f, big, big) == big
    assert at.eval_shape(at.grad(lambda x: total(f(x, x))), big) == big
    assert at.eval_shape(at.jit(lambda x: x * 2), 1) == S((), int)
    assert at.eval_shape(lambda x: None, 1.0) is None
    assert at.eval_shape(lambda x, k: x * k, 1.0, k=S((2,), float)) == S((2,), float)
    with pytest.raises(at.ConcretizationError, match="under eval_shape"):
        at.eval_shape(lambda x: x if x > 0 else -x, 1.0)
    with pytest.raises(TypeError, match=r"eval_shape of .*: expected an array"):
        at.eval_shape(lambda x: x, "text")


def test_make_jaxpr_of_transforms():
    for f in (
        at.grad(np.sin),
        at.vmap(np.sin, None, axis_size=2),
        at.jacfwd(np.sin),
        at.jit(np.sin),
        at.checkpoint(np.sin),
        at.hessian(np.sin),
    ):
        jaxpr = at.make_jaxpr(f)(0.5)
        check_jaxpr(jaxpr)
        np.testing.assert_allclose(eval_jaxpr(jaxpr, [0.7])[0], f(0.7))


def test_explain_forward():
    table = at.explain(lambda x, y: np.sin(x) * y + x)(0.5, 3.0)
    assert table.mode == "forward"
    names = [r[0] for r in table.rows]
    assert names == list("abcde") and [r[1] for r in table.rows] == [
        "input",
        "input",
        "sin a",
        "mul c b",
        "add d a",
    ]
    np.testing.assert_allclose(
        [r[2] for r in table.rows], [0.5, 3, np.sin(0.5), 3 * np.sin(0.5), 3 * np.sin(0.5) + 0.5]
    )
    tangents = [r[3] for r in table.rows]
    assert tangents[1] is None
    np.testing.assert_allclose(
        [tangents[i] for i in (0, 2, 3, 4)], [1, np.cos(0.5), 3 * np.cos(0.5), 3 * np.cos(0.5) + 1]
    )
    text = repr(table).splitlines()
    assert text[0].split() == ["variable", "equation", "primal", "tangent"]
    assert len(text) == 7 and text[3].split() == ["b", "input", "3", "0"]


def test_explain_reverse():
    table = at.explain(lambda x, y: np.sin(x) * y + x, argnums=(0, 1), mode="reverse")(0.5, 3.0)
    np.testing.assert_allclose(
        [r[3] for r in table.rows], [3 * np.cos(0.5) + 1, np.sin(0.5), 3.0, 1.0, 1.0]
    )
    assert "cotangent" in repr(table)
    only = at.explain(lambda x, y: x * y, argnums=1, mode="reverse")(2.0, 5.0)
    assert [r[3] for r in only.rows] == [None, 2.0, 1.0]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_explain_agrees_with_grad(mode):
    f = lambda x: np.exp(np.sin(x) * x) / (1 + x**2)  # noqa: E731
    rows = at.explain(f, mode=mode)(0.7).rows
    got = rows[0][3] if mode == "reverse" else rows[-1][3]
    np.testing.assert_allclose(got, at.grad(f)(0.7))


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_explain_arrays_and_constants(mode):
    c = np.arange(3.0)
    table = at.explain(lambda p: total(p["x"] * c), mode=mode)({"x": np.ones(3)})
    assert table.rows[0][1] == "constant"
    if mode == "reverse":
        np.testing.assert_array_equal(table.rows[1][3], c)
    assert "\n" in repr(table)
    table = at.explain(lambda x, n: x * n, mode=mode)(2.0, 3)
    assert "3" in repr(table)
    table = at.explain(lambda x: (x * x, x), mode=mode)(2.0)
    if mode == "reverse":
        assert table.rows[0][3] == 5.0


def test_explain_errors():
    with pytest.raises(ValueError, match="mode must be 'forward' or 'reverse', got 'up'"):
        at.explain(np.sin, mode="up")
    with pytest.raises(ValueError, match="the call has 1 positional"):
        at.explain(np.sin, argnums=1)(1.0)
