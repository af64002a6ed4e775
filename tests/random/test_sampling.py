"""Arguments, shapes and dtypes of samplers; samplers under transforms; errors."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from random_cases import CALLS, NO_SAMPLERS, SMOOTH

import autotrace
from autotrace import config, random

KEY = random.key(3)
KEYS = random.split(KEY, 3)


def test_every_sampler_has_a_call():
    assert set(CALLS) == set(random.__all__) - NO_SAMPLERS


@pytest.mark.parametrize("name", CALLS)
def test_mapped_over_keys_and_jitted(name):
    """The same numbers as one by one, whatever the transform."""
    sampler, arguments = getattr(random, name), CALLS[name]
    plain = np.stack([sampler(key, **arguments) for key in KEYS])
    mapped = autotrace.jit(autotrace.vmap(lambda key: sampler(key, **arguments)))(KEYS)
    np.testing.assert_allclose(mapped, plain, rtol=1e-13)
    assert mapped.dtype == plain.dtype


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives(name):
    values = [np.array([x, x * 1.1]) for x in SMOOTH[name].values()]

    def sample(*values):
        return getattr(random, name)(KEY, **dict(zip(SMOOTH[name], values, strict=True)), shape=2)

    order = 2 if name in ("truncated_normal", "wald") else 1
    autotrace.testing.check_grads(sample, values, order)


FLOATING = [n for n in CALLS if "dtype" in inspect.signature(getattr(random, n)).parameters
            and n not in ("bits", "randint", "rademacher", "poisson", "geometric")]  # fmt: skip


@pytest.mark.parametrize("name", FLOATING)
def test_single_precision(name):
    arguments = CALLS[name]
    with config.override("backend", "numpy"):  # which has no kernels to compile
        out = getattr(random, name)(KEY, **arguments, dtype=np.float32)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    with pytest.raises(ValueError, match=f"random.{name} makes numbers"):
        getattr(random, name)(KEY, **arguments, dtype=np.int64)


def test_shapes():
    assert random.normal(KEY).shape == ()
    assert random.normal(KEY, 3).shape == (3,)
    assert random.normal(KEY, [2, np.int64(3)]).shape == (2, 3)
    assert random.normal(KEY, np.array([2, 3]), dtype=None).shape == (2, 3)
    assert random.randint(KEY, 2, 0, 5, None).dtype == np.int64
    assert random.normal(KEY, (0, 3)).shape == (0, 3)
    assert random.gamma(KEY, np.ones((0, 2))).shape == (0, 2)
    assert random.poisson(KEY, np.ones((2, 1)), (2, 3)).shape == (2, 3)
    assert random.beta(KEY, np.ones((2, 1)), [1.0, 2.0, 3.0]).shape == (2, 3)
    assert random.dirichlet(KEY, np.ones((4, 3)), (5, 4)).shape == (5, 4, 3)
    assert random.multinomial(KEY, np.array([3, 4]), np.array([0.5, 0.5])[None]).shape == (2, 2)
    assert random.choice(KEY, np.zeros((3, 0)), (2, 2)).shape == (2, 2, 0)
    assert random.choice(KEY, 0, (0,)).shape == (0,)
    assert random.split(KEY, 0).shape == (0, 2)
    for bad, error in [((2, -1), ValueError), (2.5, TypeError), ("ab", TypeError)]:
        with pytest.raises(error, match=r"random.normal.*\n.*test_sampling.py"):
            random.normal(KEY, bad)
    with pytest.raises(ValueError, match=r"do not broadcast to shape=\(3,\): a of \(2, 1\)"):
        random.gamma(KEY, np.ones((2, 1)), (3,))
    with pytest.raises(ValueError, match="alpha of at least 1 dimension"):
        random.dirichlet(KEY, 1.0)


def test_shapes_that_depend_on_values():
    f = autotrace.jit(lambda key, n: random.normal(key, (n, 2)))
    np.testing.assert_array_equal(f(KEY, 3), random.normal(KEY, (3, 2)))
    with pytest.raises(autotrace.ConcretizationError):
        autotrace.vmap(lambda n: random.normal(KEY, (n,)))(np.arange(3))


def test_results_are_the_callers():
    """Nothing that is returned is kept: it may be written to."""
    out = random.normal(KEY, 4)
    out[:] = 0.0
    assert random.normal(KEY, 4).all()
    keys = random.split(KEY)
    keys[:] = 0
    assert random.split(KEY).any()


def test_keys():
    key = random.key(0)
    assert key.dtype == np.uint32 and key.shape == (2,)
    assert random.key_impl(key) == "threefry2x32"
    for function in (random.key_data, random.wrap_key_data, random.clone):
        np.testing.assert_array_equal(function(KEYS), KEYS)
    np.testing.assert_array_equal(random.fold_in(key, -1), random.fold_in(key, 2**32 - 1))
    folded = autotrace.vmap(random.fold_in, (None, 0))(key, np.arange(3))
    np.testing.assert_array_equal(folded, [random.fold_in(key, i) for i in range(3)])
    seeded = autotrace.vmap(random.key)(np.arange(3))
    np.testing.assert_array_equal(seeded, [random.key(i) for i in range(3)])


@pytest.mark.parametrize("bad", [3, 3.0, np.zeros(2), np.zeros(2, np.uint32)[0], None])
def test_what_is_no_key(bad):
    with pytest.raises(TypeError, match=r"(?s)random.normal takes a key.*test_sampling.py.*key\("):
        random.normal(bad, (3,))


def test_several_keys_are_not_one():
    with pytest.raises(ValueError, match=r"(?s)takes one key.*\(3,\).*vmap"):
        random.normal(KEYS)
    with pytest.raises(ValueError, match="takes one key"):
        autotrace.jit(random.split)(KEYS)


def test_bad_seeds():
    for bad in (1.5, np.arange(2), "a", None):
        with pytest.raises(TypeError, match=r"random.key takes one whole number"):
            random.key(bad)
    for bad in (2**63, -(2**63) - 1):
        with pytest.raises(OverflowError, match="64 bits"):
            random.key(bad)
    with pytest.raises(TypeError, match=r"random.fold_in takes one whole number"):
        random.fold_in(KEY, 0.5)
    with pytest.raises(ValueError, match="'threefry2x32'"):
        random.key(0, impl="rbg")


def test_bad_arguments():
    with pytest.raises(TypeError, match=r"random.gamma: missing"):
        random.gamma(KEY)
    with pytest.raises(TypeError, match="real numbers for a, got c128"):
        random.gamma(KEY, 1j)
    with pytest.raises(ValueError, match="mode is 'low' or 'high'"):
        random.gumbel(KEY, mode="middle")
    with pytest.raises(TypeError, match="whole numbers for maxval"):
        random.randint(KEY, (), 0, 2.5)
    with pytest.raises(ValueError, match="5 elements without replacement, of 3"):
        random.choice(KEY, 3, (5,), replace=False)
    with pytest.raises(ValueError, match="nothing to choose"):
        random.choice(KEY, 0, (1,))
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(2,\)"):
        random.choice(KEY, 3, p=np.ones(2))
    with pytest.raises(ValueError, match="4 outcomes without replacement, of 3"):
        random.categorical(KEY, np.zeros(3), shape=(4,), replace=False)
    with pytest.raises(np.exceptions.AxisError):
        random.permutation(KEY, np.zeros(3), axis=1)
    with pytest.raises(TypeError, match="array or a whole number"):
        random.permutation(KEY, 2.5)
    with pytest.raises(TypeError, match="whole number d"):
        random.ball(KEY, 2.5)


def test_parameters_out_of_range():
    np.testing.assert_array_equal(random.poisson(KEY, np.array([0.0, -1.0, np.nan])), [0, -1, -1])
    out = random.binomial(
        KEY, np.array([-1.0, 5, 5, 5, 0, np.inf]), np.array([0.5, 2, 0, 1, 0.5, 0.5])
    )
    np.testing.assert_array_equal(out, [np.nan, np.nan, 0, 5, 0, np.inf])


def test_permuted_arrays_are_differentiable():
    weights = np.arange(4.0)
    gradient = autotrace.grad(lambda x: weights @ random.permutation(KEY, x))(np.ones(4))
    np.testing.assert_array_equal(np.sort(gradient), weights)


def test_an_array_of_samples_is_no_part_of_the_program():
    """A program's size does not depend on that of the samples."""
    jaxpr = autotrace.make_jaxpr(lambda key: random.uniform(key, (1000,)))(KEY)
    assert not jaxpr.consts if hasattr(jaxpr, "consts") else "lambda ;" in str(jaxpr)
