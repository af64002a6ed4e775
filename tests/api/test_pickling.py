"""What the library returns says what it is, and pickles: another process goes on with it."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest

import autotrace as at
from autotrace import random, tree


def loss(w, x):
    """The loss."""
    return np.sum(np.tanh(x @ w) ** 2)


def vector(x):
    return np.sin(x) * x[0]


@at.value_and_grad
def decorated(x):
    return np.sum(x**2)


class Model:
    @at.grad
    def slope(self, x):
        raise NotImplementedError

    def __init__(self, scale):
        self.scale = scale


W, X = np.ones(2), np.linspace(0, 1, 6).reshape(3, 2)
#: A name, what it is, its arguments, its repr.
FUNCTIONS = [
    ("jit", at.jit(loss), (W, X), "<jit of loss>"),
    ("grad", at.grad(loss, argnums=(0, 1)), (W, X), "<grad(loss)>"),
    ("value_and_grad", at.value_and_grad(loss, 1), (W, X), "<value_and_grad(loss)>"),
    ("jit of value_and_grad", at.jit(at.value_and_grad(loss)), (W, X),
     "<jit of value_and_grad(loss)>"),
    ("elementwise_grad", at.elementwise_grad(np.sin), (W,), "<elementwise_grad(sin)>"),
    ("vmap", at.vmap(at.grad(loss), in_axes=(None, 0)), (W, X), "<vmap(grad(loss))>"),
    ("hessian", at.hessian(loss, argnums=1), (W, X), "<jacfwd(jacrev(loss))>"),
    ("checkpoint", at.checkpoint(policy=at.checkpoint_policies.dots_saveable)(loss), (W, X),
     "<checkpoint(loss)>"),
    ("make_jaxpr", at.make_jaxpr(loss, simplify=True), (W, X), "<make_jaxpr(loss)>"),
    ("explain", at.explain(loss, mode="reverse"), (W, X), "<explain(loss)>"),
    ("sparsity", at.sparsity(vector), (W,), "<sparsity(vector)>"),
    ("sparse_jacobian", at.sparse_jacobian(vector, mode="reverse"), (W,),
     "<sparse_jacobian(vector)>"),
    ("sparse_hessian", at.sparse_hessian(loss), (W, X), "<sparse_hessian(loss)>"),
    ("decorated", decorated, (W,), "<value_and_grad(decorated)>"),
    ("vjp", at.vjp(loss, W, X)[1], (1.0,), "<the transposed derivative: vjp of loss>"),
    ("linearize", at.linearize(vector, W)[1], (W,), "<the derivative: linearize of vector>"),
    ("linear_transpose", at.linear_transpose(np.cumsum, W), (W,),
     "<the transposed function: linear_transpose of cumsum>"),
    ("unravel", at.flatten_util.ravel_pytree({"a": W})[1], (W,),
     "<unravel 2 numbers: PyTreeDef({'a': *})>"),
    ("compiled", at.jit(loss).lower(W, X).compile(), (W, X),
     "<compiled: <loss traced for f64[2], f64[3,2]>>"),
]  # fmt: skip


def same(one, other):
    if isinstance(one, at.api.inspect.DerivativeTable) or "Jaxpr" in type(one).__name__:
        assert repr(one) == repr(other)
        return
    if hasattr(one, "toarray"):
        one, other = one.toarray(), other.toarray()
    for x, y in zip(tree.leaves(one), tree.leaves(other), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("case", FUNCTIONS, ids=lambda case: case[0])
def test_functions(case, backend):
    _, function, args, shown = case
    assert repr(function) == shown
    expected = function(*args)
    for again in (pickle.loads(pickle.dumps(function)), copy.deepcopy(function)):
        assert repr(again) == shown
        same(again(*args), expected)


def test_decorated_functions_pickle_by_name():
    assert pickle.loads(pickle.dumps(decorated)) is decorated
    assert pickle.loads(pickle.dumps(at.jit(decorated)))(W)[0] == 2.0


def test_another_process():
    code = "import pickle, sys; f = pickle.load(sys.stdin.buffer); print(f, f(2.0))"
    data = pickle.dumps(at.grad(at.grad(at.elementwise_grad(np.sin))))
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    shown, value = done.stdout.decode().split()
    assert shown == "<grad(grad(elementwise_grad(sin)))>"
    assert float(value) == pytest.approx(-np.cos(2.0))


def test_what_does_not_pickle_says_why():
    for function in (at.grad(lambda x: x), at.jit(at.vmap(lambda x: x))):
        with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
            pickle.dumps(function)


def test_transformed_functions_are_functions():
    slope = at.grad(loss)
    assert slope.__doc__ == "The loss." and slope.__wrapped__ is loss
    assert list(inspect.signature(slope).parameters) == ["w", "x"]
    assert callable(slope) and slope.__module__ == __name__
    model = Model(3.0)
    assert model.slope.__self__ is model and model.slope.__func__ is Model.slope
    loss.tag = 1
    try:
        assert at.grad(loss).tag == 1
    finally:
        del loss.tag


def test_a_transformed_method():
    class Scaled:
        def __init__(self, scale):
            self.scale = scale

        slope = at.grad(lambda self, x: self.scale * x**2, argnums=1)

    assert Scaled(3.0).slope(2.0) == 12.0


OBJECTS = [
    (at.make_jaxpr(loss)(W, X), "{ lambda ; a:f64[2] b:f64[3,2]. let"),
    (at.make_jaxpr(loss)(W, X).eqns[0], "a:f64[3] = dot_general["),
    (at.make_jaxpr(loss)(W, X).in_avals[0], "ShapedArray(f64[2])"),
    (at.jit(loss).trace(W, X), "<loss traced for f64[2], f64[3,2]>"),
    (at.jit(loss).lower(W, X), "<lowered: <loss traced for f64[2], f64[3,2]>>"),
    (at.explain(loss)(W, X), "variable  equation"),
    (tree.structure({"a": [1, 2], "b": None}), "PyTreeDef({'a': [*, *], 'b': None})"),
    (at.ShapeDtypeStruct((2,), float), "ShapeDtypeStruct(shape=(2,), dtype=float64)"),
    (random.key(0), "array([0, 0], dtype=uint32)"),
    (at.sparse_jacobian(vector).structure(W), "SparseStructure(pattern="),
    (at.config, "<autotrace.config: debug_nans="),
]


@pytest.mark.parametrize("case", OBJECTS, ids=lambda case: type(case[0]).__name__)
def test_objects(case):
    thing, shown = case
    assert repr(thing).startswith(shown)
    again = pickle.loads(pickle.dumps(thing))
    assert repr(again) == repr(thing)
    assert repr(copy.copy(thing)) == repr(copy.deepcopy(thing)) == repr(thing)


def test_settings_stay_those_of_the_process():
    assert pickle.loads(pickle.dumps(at.config)) is at.config


@at.custom_jvp
def with_rule(x):
    return np.sin(x)


@with_rule.defjvp
def with_rule_jvp(primals, tangents):
    return with_rule(*primals), 2 * tangents[0]


def test_functions_with_rules():
    assert repr(with_rule) == "<custom_jvp of with_rule>"
    assert pickle.loads(pickle.dumps(with_rule)) is with_rule
    assert pickle.loads(pickle.dumps(at.grad(with_rule)))(1.0) == 2.0
