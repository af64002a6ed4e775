"""NumPy's random generators in programs: each call draws anew, the same as without a program."""

from __future__ import annotations

import copy
import dataclasses
import functools
import pickle

import numpy as np
import pytest
import scipy.stats

import autotrace as at
from autotrace import random

generator = np.random.default_rng(0)
normal = np.random.normal


def same_stream(make, *args, count=3, source=np.random.default_rng):
    """Check that jit of a function draws what the function draws, and leaves the same state."""
    with_program, without = source(7), source(7)
    f, plain = at.jit(make(with_program)), make(without)
    for _ in range(count):
        got, wanted = f(*args), plain(*args)
        np.testing.assert_allclose(got, wanted, rtol=1e-14)
        assert np.asarray(got).dtype == np.asarray(wanted).dtype
    np.testing.assert_array_equal(with_program.random(3), without.random(3))
    return f


_METHODS = {
    "beta": (2.0, 3.0), "binomial": (9, 0.3), "chisquare": (2.0,), "dirichlet": ([0.2, 0.8],),
    "exponential": (2.0,), "f": (2.0, 3.0), "gamma": (2.0, 3.0), "geometric": (0.3,),
    "gumbel": (1.0, 2.0), "hypergeometric": (5, 6, 7), "integers": (2, 9), "laplace": (0.0, 2.0),
    "logistic": (0.0, 2.0), "lognormal": (0.0, 2.0), "logseries": (0.3,),
    "multinomial": (9, [0.2, 0.3, 0.5]), "multivariate_hypergeometric": ([4, 5, 6], 7),
    "multivariate_normal": ([0.0, 1.0], [[2.0, 0.5], [0.5, 1.0]]), "negative_binomial": (4, 0.3),
    "noncentral_chisquare": (2.0, 1.0), "noncentral_f": (2.0, 3.0, 1.0), "normal": (1.0, 2.0),
    "pareto": (2.0,), "poisson": (4.0,), "power": (2.0,), "randint": (2, 9), "rayleigh": (2.0,),
    "standard_gamma": (2.0,), "standard_t": (3.0,), "triangular": (0.0, 0.5, 1.0),
    "uniform": (1.0, 2.0), "vonmises": (0.0, 2.0), "wald": (1.0, 2.0), "weibull": (2.0,),
    "zipf": (2.5,),
}  # fmt: skip


@pytest.mark.parametrize("source", [np.random.default_rng, np.random.RandomState])
def test_each_distribution_with_known_and_with_traced_parameters(source):
    methods = {n: p for n, p in _METHODS.items() if hasattr(source(0), n)}

    def all_of(rng):
        def f(parameters):
            known = [np.sum(getattr(rng, n)(*p)) for n, p in methods.items()]
            sized = [np.sum(getattr(rng, n)(*p, size=(2, 3))) for n, p in methods.items()]
            traced = [np.sum(getattr(rng, n)(*p)) for n, p in parameters.items()]
            many = [np.sum(getattr(rng, n)(*p, size=4)) for n, p in parameters.items()]
            return np.array([known, sized, traced, many], float)

        return f

    given = {n: tuple(map(np.array, p)) for n, p in methods.items()}
    same_stream(all_of, given, source=source)


def test_types_of_what_is_drawn():
    # A Python number does not change float32, an array does.
    for f in (
        lambda rng: lambda x: x * rng.normal(),
        lambda rng: lambda x: x * rng.normal(size=3),
        lambda rng: lambda x: x * rng.random(3, dtype=np.float32),
        lambda rng: lambda x: x * rng.integers(5),
        lambda rng: lambda x: x * rng.poisson(np.abs(x)),
        lambda rng: lambda x: x + rng.integers(0, 9, size=(2, 0), dtype=np.uint8).sum(),
    ):
        same_stream(f, np.float32(2.0))
    with pytest.raises(TypeError, match=r"(?s)Generator.bytes draws what is no array.*test_draw"):
        at.jit(lambda x: generator.bytes(3))(1.0)


def test_arrays_in_another_order():
    x = np.arange(12.0).reshape(4, 3)

    def shuffled(rng):
        def f(x):
            y = np.array(x)
            rng.shuffle(y, axis=1)
            return y

        return f

    def drawn_into(rng):
        def f(x):
            y = np.zeros(3)
            rng.standard_normal(out=y)
            return x + y

        return f

    for make in (
        shuffled,
        drawn_into,
        lambda rng: lambda x: rng.permutation(x),
        lambda rng: lambda x: rng.permutation(x, axis=1),
        lambda rng: lambda x: rng.permuted(x),
        lambda rng: lambda x: rng.permuted(x, axis=1),
        lambda rng: lambda x: rng.choice(x, 2, replace=False),
        lambda rng: lambda x: rng.choice(x, (2, 2), axis=1),
        lambda rng: lambda x: x[0] + rng.permutation(3),
        lambda rng: lambda x: rng.choice(4, 3, p=x[:, 1] / x[:, 1].sum()),
    ):
        same_stream(make, x)
    order = np.random.default_rng(3).permutation(3)
    rng = np.random.default_rng(3)
    slope = at.jit(at.grad(lambda x: np.sum(rng.permutation(x) * np.arange(3.0))))(np.ones(3))
    np.testing.assert_array_equal(slope[order], np.arange(3.0))
    with pytest.raises(TypeError, match=r"(?s)shuffle takes an array of the traced.*permutation"):
        at.jit(lambda: rng.shuffle(x))()


def test_order_of_draws_with_kernels_between():
    def make(rng):
        def f(x):
            for _ in range(4):
                x = np.sin(x) * rng.normal(size=x.shape)
                x = np.cumsum(x) + rng.random()
            rng.standard_normal(5)  # not used, but drawn
            return x

        return f

    same_stream(make, np.ones(3))


def test_questions_about_what_is_drawn():
    def loop(rng):
        def f(x):
            while rng.random() < 0.8:
                x = x + 1.0
            return x if rng.integers(3) else -x

        return f

    same_stream(loop, 1.0, count=30)

    def folded(rng):
        def f(x):
            y = x + rng.normal()
            while y < 100.0:
                y = y + 1.0
            return y

        return f

    assert same_stream(folded, 1.0).stats()["paths"] == 1


def test_where_generators_are_found():
    class Model:
        def __init__(self, rng):
            self.rng = rng
            self.parts = {"all": [rng]}
            self.pair = (1, rng)

        def by_attribute(self, x):
            return x + self.rng.normal()

        def within(self, x):
            return x + self.parts["all"][0].normal() + self.pair[1].normal()

    @dataclasses.dataclass(frozen=True, slots=True)
    class Slotted:
        pair: tuple
        rng: np.random.Generator
        empty: float = dataclasses.field(init=False)

        def within(self, x):
            return x + self.rng.normal() + self.pair[0][1].normal()

    def default(rng):
        def f(x, *, r=rng, s=(rng,)):
            return x + r.normal() + s[0].normal()

        return f

    def called(rng):
        def inner(x):
            return [x + rng.normal() for _ in range(2)]

        return lambda x: inner(x)[1]

    def method_of(rng):
        draw = rng.normal
        return lambda x: x + draw()

    for make in (
        lambda rng: Model(rng).by_attribute,
        lambda rng: Model(rng).within,
        lambda rng: Slotted(((1, rng), 2), rng).within,
        default,
        called,
        method_of,
        lambda rng: functools.partial(lambda r, x, q: x + r.normal() + q.normal(), rng, q=rng),
        lambda rng: functools.partial(rng.normal, 1.0),
        lambda rng: rng.normal,
        lambda rng: at.jit(lambda x: x + rng.normal()),
        lambda rng: at.grad(lambda x: x * rng.normal()),
        lambda rng: at.grad(at.jit(lambda x: x * x * rng.normal())),
    ):
        same_stream(make, 2.0)
    # As it was before: nothing stands in for anything any more.
    model = Model(np.random.default_rng(0))
    at.jit(model.within)(1.0)
    assert type(model.rng) is type(model.pair[1]) is type(model.parts["all"][0])
    assert type(model.rng) is np.random.Generator


def test_global_generators():
    expected = copy.deepcopy(generator)
    f = at.jit(lambda x: x + generator.normal())
    assert [f(1.0), f(1.0)] == [1.0 + expected.normal(), 1.0 + expected.normal()]

    def legacy(x):
        return x + np.random.normal() + normal() + np.random.rand(2).sum() + np.random.randint(3)

    state = np.random.get_state()
    try:
        np.random.seed(3)
        expected = [legacy(1.0), legacy(1.0)]
        np.random.seed(3)
        f = at.jit(legacy)
        np.testing.assert_allclose([f(1.0), f(1.0)], expected, rtol=1e-14)
        f = at.jit(lambda seed: np.random.seed(seed) or np.random.random())
        assert f(3) == f(3) == np.random.RandomState(3).random()
    finally:
        np.random.set_state(state)
    assert np.random.normal == normal
    kept = []
    at.grad(lambda x: kept.append(pickle.loads(pickle.dumps(np.random.normal))) or x)(1.0)
    assert kept[0] == normal


def test_generators_made_in_the_function():
    f = at.jit(lambda x: x + np.random.default_rng().normal())
    assert f(1.0) != f(1.0)
    f = at.jit(lambda x: x + np.random.default_rng(3).normal())
    assert f(1.0) == f(1.0) == 1.0 + np.random.default_rng(3).normal()


def test_generators_as_arguments():
    for source in (np.random.default_rng, np.random.RandomState):
        rng, other = source(0), source(0)
        f = at.jit(lambda rng, x: x + rng.normal())
        for _ in range(2):
            assert f(rng, 1.0) == 1.0 + other.normal()
        assert f.stats()["traces"] == 1
        third = copy.deepcopy(rng).normal()
        assert f(other, x=1.0) == 1.0 + third
        g = at.jit(lambda x, rng, f=f: f(rng, x))
        assert g(1.0, rng=rng) == 1.0 + third
        slope = at.grad(lambda rng, x: x * rng.normal(), argnums=1)
        assert slope(rng, 1.0) != slope(rng, 1.0)
    for bad in (np.random.PCG64(0), {"a": (np.random.default_rng(0),)}):
        with pytest.raises(TypeError, match=r"(?s)argument.*test_drawing"):
            at.jit(lambda rng, x: x)(bad, 1.0)


def test_examples_of_a_batch_share_what_is_drawn():
    for make in (
        lambda rng: lambda x: at.vmap(lambda x: x * rng.normal())(x),
        lambda rng: at.vmap(at.jit(lambda x: x * rng.normal(2.0, size=2))),
    ):
        f = same_stream(make, np.arange(1.0, 4.0))
        got = f(np.arange(1.0, 4.0)).reshape(3, -1)
        np.testing.assert_allclose(got, got[:1] * np.arange(1.0, 4.0)[:, None])
    with pytest.raises(TypeError, match=r"(?s)vmap: Generator.normal got a parameter that differs"):
        at.vmap(at.jit(lambda x: generator.normal(x)))(np.ones(3))


def test_derivatives_have_it_as_a_constant():
    for transform in (at.grad, at.jacfwd, at.jacrev, lambda f: at.grad(at.grad(f))):
        rng, other = np.random.default_rng(1), np.random.default_rng(1)
        f = at.jit(lambda x, rng=rng: x * x * x * rng.normal())
        for derive in (transform(f), at.jit(transform(lambda x, f=f: f(x)))):
            np.testing.assert_allclose(derive(2.0), 12.0 * other.normal(), rtol=1e-14)
    for slope in (at.jit(at.grad(lambda x: generator.normal(x))),
                  at.grad(at.jit(lambda x: generator.normal(0.0, x)))):  # fmt: skip
        with pytest.raises(at.NonDifferentiableError, match=r"of what Generator.normal"):
            slope(1.0)
    fixed = at.grad(at.jit(lambda x: x * generator.normal(at.stop_gradient(x))))
    assert fixed(1.0) != fixed(1.0)


def test_where_drawing_is_refused():
    def body(carry, _):
        return carry + generator.normal(), carry

    for f in (
        lambda x: at.lax.scan(body, x, None, length=3),
        lambda x: at.lax.while_loop(lambda x: x < generator.normal(), lambda x: x, x),
        lambda x: at.lax.cond(x > 0, lambda: generator.normal(), lambda: 0.0),
        at.checkpoint(lambda x: x * generator.normal()),
    ):
        for g in (f, at.jit(f)):
            with pytest.raises(TypeError, match=r"(?s)Generator.normal is called in a function"):
                g(1.0)
    with pytest.raises(TypeError, match=r"(?s)Generator.spawn is asked for while jit traces"):
        at.jit(lambda x: generator.spawn(1))(1.0)
    with pytest.raises(TypeError, match=r"(?s)integers: endpoint must be known|bool"):
        at.jit(lambda x: generator.integers(3, endpoint=x > 0))(1.0)
    with pytest.warns(RuntimeWarning, match=r"(?s)random's global state changed.*test_drawing"):
        at.jit(lambda x: x + scipy.stats.norm.rvs())(1.0)
    with pytest.raises(at.TracerArrayError, match=r"come from autotrace\.random"):
        at.grad(lambda x: generator.normal(x, 1.0))(1.0)
    with pytest.raises(pickle.PicklingError, match="draws from a Generator of this process"):
        pickle.dumps(at.jit(lambda x: x + generator.normal()).lower(1.0).compile())


def test_what_is_not_drawn_from_stays():
    drawn = generator.normal(size=3)

    def f(x, key):
        assert generator is not None
        return np.sum(x * drawn) + random.normal(key)

    f = at.jit(f)
    np.random.normal()
    key = random.key(0)
    assert f(1.0, key) != f(1.0, random.fold_in(key, 1))


def test_without_jit_each_call_draws():
    slope = at.grad(lambda x: x * generator.normal())
    assert slope(1.0) != slope(1.0)


def test_checks_do_not_draw_twice():
    rng, other = np.random.default_rng(2), np.random.default_rng(2)
    f = at.jit(lambda x: np.sin(x) + rng.normal())
    for name in ("check_kernels", "debug_nans"):
        with at.config.override(name, True):
            assert f(1.0) == pytest.approx(np.sin(1.0) + other.normal())
