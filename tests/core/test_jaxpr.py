"""The intermediate representation: printing, checking, pickling."""

import pickle

import numpy as np
import pytest

import autotrace as at
from autotrace import config, lax
from autotrace.core.avals import (
    ShapedArray,
    aval_of,
    float0,
    make_aval,
    tangent_aval,
    uniform,
    uniform_value,
    weak_aval,
)
from autotrace.core.jaxpr import Eqn, Jaxpr, Literal, Var, check_jaxpr, literal_or_none, var_name
from autotrace.core.primitive import primitives
from autotrace.transforms.evaluate import eval_jaxpr

F64 = make_aval((), np.dtype("float64"))
F32 = make_aval((), np.dtype("float32"))
VEC = make_aval((3,), np.dtype("float64"))
SIN, ADD, MUL = primitives["sin"], primitives["add"], primitives["mul"]


def test_var_name():
    assert [var_name(i) for i in (0, 25, 26, 27, 26 * 26)] == ["a", "z", "ba", "bb", "baa"]


def test_print():
    c = np.arange(3.0)
    jaxpr = at.make_jaxpr(lambda x: (np.sin(x) * c, 2.0))(1.0)
    assert str(jaxpr) == (
        "{ lambda a:f64[3] ; b:f64[]. let\n"
        "    c:f64[] = sin b\n"
        "    d:f64[3] = mul c a\n"
        "  in (d, 2.0:f64[]) }"
    )
    assert repr(jaxpr) == str(jaxpr)
    assert str(at.make_jaxpr(lambda: 1)()) == "{ lambda ; let in (1:i64[],) }"
    assert str(at.make_jaxpr(lambda x: ())(1.0)) == "{ lambda ; a:f64[]. let in () }"


def test_print_nested_and_params():
    jaxpr = at.make_jaxpr(lambda x: at.jit(lambda y: lax.reshape(y, (3,)))(x))(np.ones((1, 3)))
    text = str(jaxpr)
    assert f"jit[backend={config.backend} name=<lambda>" in text
    assert "jaxpr={ lambda ; a:f64[1,3]. let" in text
    assert "(3,)" in text
    assert repr(jaxpr.eqns[0]).splitlines() and "jit" in repr(jaxpr.eqns[0])


def test_print_effect_without_outputs():
    jaxpr = at.make_jaxpr(lambda x: at.debug.print("{}", x))(1.0)
    assert "_ = debug_callback" in str(jaxpr)
    assert jaxpr.effectful
    assert not at.make_jaxpr(np.sin)(1.0).effectful
    assert at.make_jaxpr(at.jit(lambda x: at.debug.print("{}", x)))(1.0).effectful


def test_dead_code_is_dropped():
    jaxpr = at.make_jaxpr(lambda x: (np.exp(x), np.sin(x))[1])(1.0)
    assert [str(e.primitive) for e in jaxpr.eqns] == ["sin"]


def good():
    a, b, c = Var(VEC), Var(VEC), Var(VEC)
    return Jaxpr([], [], [a], [Eqn(SIN, [a], [b], {}, None), Eqn(MUL, [a, b], [c], {}, None)], [c])


def test_check_accepts():
    check_jaxpr(good())


def undefined_in_eqn(j):
    j.eqns[0].invars = [Var(VEC)]


def undefined_output(j):
    j.outvars = [Var(VEC)]


def used_before_definition(j):
    j.eqns.reverse()


def defined_twice(j):
    j.eqns[1].outvars = j.eqns[0].outvars


def defines_an_input(j):
    j.eqns[0].outvars = j.invars


def input_twice(j):
    j.invars = [j.invars[0], j.invars[0]]


def wrong_shape(j):
    j.eqns[1].outvars[0].aval = F64


def wrong_dtype(j):
    j.eqns[1].outvars[0].aval = VEC.update(dtype=np.dtype("float32"))


def wrong_output_count(j):
    j.eqns[1].outvars = [*j.eqns[1].outvars, Var(VEC)]


def no_outputs(j):
    j.eqns[1].outvars = []
    j.outvars = []


def wrong_operand(j):
    j.eqns[1].invars = [j.invars[0], Literal(np.float32(1))]


def array_literal(j):
    j.eqns[1].invars = [j.invars[0], Literal(np.ones(3))]


def wrong_constant(j):
    j.constvars, j.consts = [Var(VEC)], [np.ones(4)]


def missing_constant(j):
    j.constvars = [Var(VEC)]


def output_not_a_variable(j):
    j.eqns[0].outvars = [Literal(1.0)]


def array_literal_output(j):
    j.outvars = [Literal(np.ones(3))]


FAULTS = [
    undefined_in_eqn,
    undefined_output,
    used_before_definition,
    defined_twice,
    defines_an_input,
    input_twice,
    wrong_shape,
    wrong_dtype,
    wrong_output_count,
    no_outputs,
    wrong_operand,
    array_literal,
    wrong_constant,
    missing_constant,
    output_not_a_variable,
    array_literal_output,
]


@pytest.mark.parametrize("plant", FAULTS, ids=lambda f: f.__name__)
def test_check_catches(plant):
    jaxpr = good()
    plant(jaxpr)
    with pytest.raises(at.JaxprTypeError, match="after a test"):
        check_jaxpr(jaxpr, "a test")


@pytest.mark.parametrize("plant", FAULTS, ids=lambda f: f.__name__)
def test_check_catches_inside_a_call(plant):
    inner = good()
    plant(inner)
    x, out = Var(VEC), [Var(v.aval) for v in inner.outvars if isinstance(v, Var)]
    call = Eqn(primitives["jit"], [x], out, {"jaxpr": inner, "backend": "numpy", "name": "f"}, None)
    with pytest.raises(at.JaxprTypeError):
        check_jaxpr(Jaxpr([], [], [x], [call], out))


def test_checker_runs_in_tests():
    assert config.check_jaxprs


def test_checker_runs_after_staging():
    broken = at.extend.Primitive("test_jaxpr_broken")
    broken.def_impl(lambda x: x)
    calls = []

    def abstract(x):  # gives another answer each time
        calls.append(x)
        return x.update(shape=(len(calls),))

    broken.def_abstract(abstract)
    with pytest.raises(at.JaxprTypeError, match="after staging"):
        at.make_jaxpr(broken.bind)(np.ones(3))
    del primitives["test_jaxpr_broken"]


def test_jaxpr_pickles():
    jaxpr = at.make_jaxpr(lambda x: np.sin(x) * np.arange(3.0) + 1)(np.ones(3))
    again = pickle.loads(pickle.dumps(jaxpr))
    assert str(again) == str(jaxpr)
    check_jaxpr(again)
    x = np.array([0.1, 0.2, 0.3])
    np.testing.assert_array_equal(eval_jaxpr(again, [x])[0], np.sin(x) * np.arange(3.0) + 1)


def test_literals():
    assert literal_or_none(np.ones(3)) is None
    assert literal_or_none(2.0).value == 2.0
    assert literal_or_none(2).aval == ShapedArray((), np.int64, True)


def test_avals():
    assert str(VEC) == "f64[3]" and repr(weak_aval(F64)) == "ShapedArray(f64[], weak_type=True)"
    assert ShapedArray((3,), np.float64) == VEC and hash(VEC) == hash(ShapedArray((3,), "float64"))
    assert len({VEC, F64, F32, weak_aval(F64), weak_aval(F64)}) == 4
    assert VEC.ndim == 1 and VEC.size == 3 and F64.size == 1
    assert weak_aval(F64).strong() == F64
    assert pickle.loads(pickle.dumps(weak_aval(F64))) == weak_aval(F64)
    assert aval_of(True) == weak_aval(make_aval((), np.dtype(bool)))
    assert aval_of(1).weak_type and aval_of(1.0).weak_type and aval_of(1j).weak_type
    assert not aval_of(np.float64(1)).weak_type
    assert str(aval_of(np.ones(2, np.float16))) == "f16[2]"
    assert tangent_aval(aval_of(np.arange(3))) == ShapedArray((3,), float0)
    assert tangent_aval(weak_aval(F64)) == F64
    for bad in ("text", None, [1.0], object(), np.array(["a"]), np.array([None], dtype=object)):
        with pytest.raises(TypeError):
            aval_of(bad)


def test_uniform():
    x = uniform((2, 3), np.float32, 4)
    assert x.shape == (2, 3) and x.dtype == np.float32 and not x.flags.writeable
    np.testing.assert_array_equal(x, np.full((2, 3), 4, np.float32))
    assert uniform_value(x) == 4 and uniform_value(np.ones((2, 3))) is None
    assert uniform_value(np.ones(3)[:0]) is None
    assert uniform((), np.int32, 3) == 3 and type(uniform((), np.int32)) is np.int32
    np.testing.assert_array_equal(uniform((0, 2), float), np.zeros((0, 2)))


def test_primitive_registry():
    with pytest.raises(ValueError, match="named 'sin' already"):
        at.extend.Primitive("sin")
    with pytest.raises(ValueError, match="has a rule for impl already"):
        SIN.def_impl(np.sin)
    assert pickle.loads(pickle.dumps(SIN)) is SIN


def test_missing_rules():
    bare = at.extend.Primitive("test_jaxpr_bare")
    bare.def_impl(lambda x: 2 * x)
    try:
        for transform, word in (
            (at.jit(bare.bind), "abstract"),
            (at.grad(bare.bind), "jvp"),
            (at.vmap(bare.bind), "batch"),
        ):
            with pytest.raises(
                at.MissingRuleError, match=f"test_jaxpr_bare, which has no {word} rule"
            ):
                transform(np.ones(3) if word == "batch" else 1.0)
        bare.def_jvp(lambda p, t, out: bare.bind(t[0]))
        bare.def_abstract(lambda x: x)
        assert at.jvp(bare.bind, (1.0,), (3.0,)) == (2.0, 6.0)
        with pytest.raises(at.MissingRuleError, match="transpose rule"):
            at.grad(bare.bind)(1.0)
    finally:
        del primitives["test_jaxpr_bare"]
