"""Tracers: what they answer, what they refuse, and how the refusal reads."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from scipy.stats import norm

import autotrace as at
from autotrace.core.trace import Tracer, active_traces

ABSTRACT = {
    "lower": lambda f: at.jit(f).lower,
    "vmap": lambda f: lambda x: at.vmap(f)(np.stack([x, x])),
    "checkpoint": lambda f: at.checkpoint(f),
    "make_jaxpr": lambda f: at.make_jaxpr(f),
}
CONCRETE = {
    "jit": at.jit,
    "grad": at.grad,
    "jvp": lambda f: lambda x: at.jvp(f, (x,), (x,)),
    "vjp": lambda f: lambda x: at.vjp(f, x),
    "linearize": lambda f: lambda x: at.linearize(f, x),
}


def here():
    return inspect.currentframe().f_back.f_lineno


def check_message(error, line):
    text = str(error.value)
    assert f"{__file__}:{line}" in text, text
    assert len(text.splitlines()) <= 12, text


QUESTIONS = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "item": lambda x: x.item(),
    "tolist": lambda x: x.tolist(),
    "if": lambda x: 1 if x else 2,
    "while": lambda x: [1 for _ in iter(lambda: bool(x), False)],
    "format": lambda x: f"{x:.3f}",
}


@pytest.mark.parametrize("transform", ABSTRACT)
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_number_when_abstract(transform, question):
    def f(x):
        y = x * 2.0
        ask(y)
        return y

    ask = QUESTIONS[question]
    with pytest.raises(at.ConcretizationError, match=r"of a traced value of f64\[\]") as error:
        ABSTRACT[transform](f)(np.float64(0.5))
    assert isinstance(error.value, TypeError)
    text = str(error.value)
    # The innermost line of the user's: that of the question, here in this file.
    assert f"{__file__}:" in text and len(text.splitlines()) <= 12
    assert "What to do" in text


def test_message_names_the_line():
    def f(x):
        lines.append(here() + 1)
        if x > 1:
            return x
        return -x

    for transform in ABSTRACT.values():
        lines = []
        with pytest.raises(at.ConcretizationError) as error:
            transform(f)(np.float64(0.5))
        check_message(error, lines[0])
        assert "if x > 1:" in str(error.value)


@pytest.mark.parametrize("transform", ABSTRACT)
def test_no_index_when_abstract(transform):
    with pytest.raises(at.ConcretizationError, match="an index or a count"):
        ABSTRACT[transform](lambda n: range(n))(np.int64(3))


@pytest.mark.parametrize("transform", CONCRETE)
def test_numbers_under_differentiation(transform):
    seen = []

    def f(x):
        y = 2.0 * x
        seen.extend([bool(y), int(y), float(y), complex(y), y.item(), y.tolist(), f"{y:.1f}"])
        return y

    CONCRETE[transform](f)(1.25)
    assert seen == [True, 2, 2.5, 2.5, 2.5, 2.5, "2.5"]
    assert [type(x) for x in seen[:6]] == [bool, int, float, complex, float, float]


def test_index_needs_an_integer():
    for transform in (at.jit, lambda f: lambda x: at.jvp(f, (x,), (1.0,))):
        with pytest.raises(TypeError, match="only integer scalars") as error:
            transform(lambda x: [1, 2, 3][x])(1.0)
        assert __file__ in str(error.value)


def test_array_truth_is_numpys():
    with pytest.raises(ValueError, match="ambiguous"):
        at.jvp(lambda x: 1.0 if x else 2.0, (np.ones(2),), (np.ones(2),))


asarray = np.asarray  # taken from numpy while nothing is traced, as ``from numpy import`` does


@pytest.mark.parametrize("transform", [*ABSTRACT, *CONCRETE])
def test_array_is_refused(transform):
    lines = []

    def f(x):
        lines.append(here() + 1)
        return asarray(x) * 2

    with pytest.raises(at.TracerArrayError, match="NumPy tried to turn") as error:
        {**ABSTRACT, **CONCRETE}[transform](f)(np.float64(1.0))
    check_message(error, lines[0])
    assert isinstance(error.value, TypeError)


def test_array_of_tracers_is_refused():
    with pytest.raises(at.TracerArrayError):
        at.jit(lambda x: asarray([x, 1.0]))(np.ones(2))
    plain = np.empty(3)
    with pytest.raises((TypeError, ValueError)) as error:  # NumPy chains ours to one of its own
        at.make_jaxpr(lambda x: plain.__setitem__(0, x))(1.0)
    chain = [error.value, error.value.__cause__, error.value.__context__]
    assert any(isinstance(e, at.AutotraceError) for e in chain)


LEAKS = {
    "jit": lambda f: at.jit(f)(np.ones(2)),
    "grad": lambda f: at.grad(f)(np.float64(1)),
    "vmap": lambda f: at.vmap(f)(np.ones(2)),
    "jvp": lambda f: at.jvp(f, (1.0,), (1.0,)),
    "vjp": lambda f: at.vjp(f, 1.0),
    "linearize": lambda f: at.linearize(f, 1.0),
    "make_jaxpr": lambda f: at.make_jaxpr(f)(1.0),
    "jacfwd": lambda f: at.jacfwd(f)(np.ones(2)),
    "jacrev": lambda f: at.jacrev(f)(np.ones(2)),
    "checkpoint": lambda f: at.checkpoint(f)(np.ones(2)),
    "eval_shape": lambda f: at.eval_shape(f, 1.0),
    "linear_transpose": lambda f: at.linear_transpose(f, 1.0),
}


@pytest.mark.parametrize("transform", LEAKS)
def test_leaked(transform):
    kept = []

    def f(x):
        y = x * 2.0
        kept.append(y)
        return y

    LEAKS[transform](f)
    assert not active_traces()
    uses = [lambda y: np.sin(y), lambda y: y + 1.0]
    if transform not in ("jacfwd", "jacrev"):
        uses.append(bool)
    for use in uses:
        with pytest.raises(at.LeakedTracerError, match="after that function has returned") as error:
            use(kept[0])
        text = str(error.value)
        assert __file__ in text and len(text.splitlines()) <= 12
    assert isinstance(error.value, RuntimeError)


@pytest.mark.parametrize("first", LEAKS)
@pytest.mark.parametrize("second", ["jit", "grad", "vmap", "jvp"])
def test_leaked_into_another(first, second):
    kept = []

    def f(x):
        kept.append(x * 2.0)
        return kept[-1]

    LEAKS[first](f)
    with pytest.raises(at.LeakedTracerError):
        LEAKS[second](lambda x: x * kept[0])
    with pytest.raises(at.LeakedTracerError):
        LEAKS[second](lambda x: kept[0])
    assert not active_traces()


def test_traces_end_on_error():
    for transform in LEAKS.values():
        with pytest.raises(ZeroDivisionError):
            transform(lambda x: 1 / 0)
        assert not active_traces()


def test_not_hashable():
    with pytest.raises(TypeError, match="unhashable"):
        at.jit(lambda x: hash(x))(1.0)
    with pytest.raises(TypeError, match="unhashable"):
        at.grad(lambda x: {x: 1})(1.0)


def test_not_pickled():
    for transform in (at.jit, at.grad):
        with pytest.raises(TypeError, match="cannot be pickled") as error:
            transform(lambda x: pickle.dumps(x))(1.0)
        assert __file__ in str(error.value)


def test_copies_are_handles_of_their_own():
    @at.jit
    def f(x):
        y, (z,) = copy.copy(x), copy.deepcopy([x])
        y[0] = 5.0
        z[0] = 6.0
        return x, y, z

    assert [out.tolist() for out in f(np.ones(2))] == [[1.0, 1.0], [5.0, 1.0], [6.0, 1.0]]


def test_repr():
    seen = []

    def f(x):
        seen.extend([repr(x), str(x), f"{x}"])
        return x

    at.jit(f)(np.ones((2, 3), np.float32))
    assert seen == ["Traced<f32[2,3]> under jit"] * 3
    seen.clear()
    at.grad(f)(1.0)
    at.vmap(f)(np.ones(3))
    assert seen == ["Traced<f64[]> under grad"] * 3 + ["Traced<f64[]> under vmap"] * 3


@pytest.mark.parametrize("transform", [at.jit, at.vmap, lambda f: lambda x: at.jvp(f, (x,), (x,))])
def test_attributes(transform):
    seen = []

    def f(x):
        assert isinstance(x, Tracer)
        seen.append((x.shape, x.dtype, x.ndim, x.size, x.itemsize, x.nbytes, x.weak_type))
        return x

    transform(f)(np.ones((2, 3, 4), np.float32))
    shape = (3, 4) if transform is at.vmap else (2, 3, 4)
    n = int(np.prod(shape))
    assert seen == [(shape, np.dtype(np.float32), len(shape), n, 4, 4 * n, False)]


def test_weak_type():
    seen = []
    f = lambda x: seen.append((x.weak_type, (x + 1).weak_type, (x + np.float64(1)).weak_type)) or x  # noqa: E731
    at.jit(f)(1.0)
    at.grad(f)(1.0)
    at.jit(f)(np.float64(1.0))
    assert seen == [(True, True, False)] * 2 + [(False, False, False)]


def test_nothing_traced_at_rest():
    assert active_traces() == []


def test_a_function_of_scipys_names_ours():
    for f, match in (
        (lambda x: norm(0.0, 1.0).pdf(x), r"norm.pdf \(scipy.stats\)"),
        (lambda x: scipy.stats.zscore([x, x]), r"scipy.stats.zscore \(scipy.stats\)"),
        (lambda x: scipy.linalg.expm(np.eye(2) * x), r"scipy.linalg.expm \(scipy.linalg\)"),
    ):
        for transform in (at.grad, at.jit):
            with pytest.raises(at.TracerArrayError, match=rf"(?s){match}.*test_trace.*autotrace.s"):
                transform(f)(1.0)
