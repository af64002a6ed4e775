"""autotrace.scipy.stats against SciPy and finite differences."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from special_cases import CONTINUOUS, DISCRETE, SHARES, WHOLE, host_steps
from stats_cases import ALPHA, COV, KDE, MU, SHARE, VECTORS, X

import autotrace as at
from autotrace import elementwise_grad
from autotrace.scipy import stats
from autotrace.testing import check_grads

inf, nan = np.inf, np.nan
LOC, SCALE = 0.3, 1.4
OF_POINTS = ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf")
STATISTICS = ("mean", "var", "std", "entropy")
#: The first two derivatives of vonmises.cdf in kappa: where that is 1, and where it is 60.
VONMISES = (
    [-0.04372997763663576, -0.10601123699839902, 0.0, 0.0544257292643207, 0.016207733673647376],
    [0.04900554278572154, 0.026650346735678877, 0.0, -0.006444562036293572, -0.01928743544969258],
    [
        -1.890799785564765e-48,
        -1.4049753366169798e-08,
        0.0,
        0.0005349827078763455,
        2.339567535746565e-52,
    ],
    [
        3.4230710311657234e-48,
        3.4216369089285818e-09,
        0.0,
        -2.8372673851313763e-05,
        -4.6251183703425044e-52,
    ],
)


def points(name, shapes):
    if name == "vonmises":
        return np.array([-1.0, 0.2, 0.9, 2.0])
    return getattr(scipy.stats, name)(*shapes, loc=LOC, scale=SCALE).ppf(SHARES)


def every(family, x, q, *parameters):
    """All functions of a distribution, at points and at probabilities."""
    at_points = [getattr(family, m)(x, *parameters) for m in OF_POINTS]
    return (*at_points, family.ppf(q, *parameters), family.isf(q, *parameters))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name):
    family, shapes = getattr(stats, name), CONTINUOUS[name]
    frozen = getattr(scipy.stats, name)(*shapes, loc=LOC, scale=SCALE)
    x = points(name, shapes)
    expected = [getattr(frozen, m)(x) for m in OF_POINTS]
    expected += [frozen.ppf(SHARES), frozen.isf(SHARES)]
    plain = every(family, x, SHARES, *shapes, LOC, SCALE)
    compiled = at.jit(lambda *args: every(family, *args))(x, SHARES, *shapes, LOC, SCALE)
    for outs in (plain, compiled):
        for method, out, want in zip((*OF_POINTS, "ppf", "isf"), outs, expected, strict=True):
            np.testing.assert_allclose(out, want, rtol=1e-11, atol=1e-13, err_msg=method)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_derivatives_of_continuous(name):
    family, shapes = getattr(stats, name), CONTINUOUS[name]
    args = [points(name, shapes), SHARES, *map(np.asarray, (*shapes, LOC, SCALE))]
    if name == "vonmises":
        check_grads(family.logpdf, (args[0], *args[2:]), order=2)
        check_grads(family.cdf, (args[0], *args[2:]), order=2)
        # mpmath's, in both tails, at 0 and beyond a period
        x = np.array([-2.5, -0.7, 0.0, 0.3, 2.9 + 2 * np.pi])
        for kappa, slopes, bends in (
            (1.0, VONMISES[0], VONMISES[1]),
            (60.0, VONMISES[2], VONMISES[3]),
        ):
            slope = elementwise_grad(family.cdf, 1)
            np.testing.assert_allclose(slope(x, np.full(5, kappa)), slopes, rtol=1e-13)
            bend = elementwise_grad(slope, 1)(x, np.full(5, kappa))
            np.testing.assert_allclose(bend, bends, rtol=1e-12)
        at_0 = elementwise_grad(family.logpdf, 1)(x, np.zeros(5))
        np.testing.assert_allclose(at_0, np.cos(x), rtol=1e-14)
        return
    check_grads(lambda *args: every(family, *args), args, order=2)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_in_float32(name):
    family, shapes = getattr(stats, name), CONTINUOUS[name]
    x = points(name, shapes).astype("f4")
    parameters = [np.float32(p) for p in (*shapes, LOC, SCALE)]
    f = at.jit(lambda *args: every(family, *args), backend="numpy")
    for out, want in zip(
        f(x, SHARES.astype("f4"), *parameters),
        every(family, x.astype(float), SHARES, *map(float, parameters)),
        strict=True,
    ):
        assert out.dtype == np.float32
        np.testing.assert_allclose(out, want, rtol=1e-3, atol=1e-5)
    for method in STATISTICS:
        if family.has(method if method != "std" else "var"):
            assert getattr(family, method)(*parameters).dtype == np.float32


@pytest.mark.parametrize("name", CONTINUOUS)
def test_statistics_of_continuous(name):
    family, shapes = getattr(stats, name), CONTINUOUS[name]
    frozen = getattr(scipy.stats, name)(*shapes, loc=LOC, scale=SCALE)
    for method in STATISTICS:
        if family.has(method if method != "std" else "var"):
            ours = getattr(family, method)
            np.testing.assert_allclose(
                ours(*shapes, loc=LOC, scale=SCALE), getattr(frozen, method)(), rtol=1e-11
            )
            check_grads(ours, [np.asarray(p) for p in (*shapes, LOC, SCALE)])
    if name != "vonmises":
        np.testing.assert_allclose(family.median(*shapes, LOC, SCALE), frozen.median(), rtol=1e-11)


#: Points beyond the support, at its ends, and NaN, in standard form.
EDGES = np.array([-inf, -2.0, 0.0, 1.0, 30.0, inf, nan])


@pytest.mark.parametrize("name", CONTINUOUS)
def test_edges_of_continuous(name):
    family, shapes = getattr(stats, name), CONTINUOUS[name]
    theirs = getattr(scipy.stats, name)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for method in OF_POINTS:
            x = EDGES[1:4] if name == "vonmises" else EDGES
            want = getattr(theirs, method)(x, *shapes)
            if method.endswith("pdf"):  # SciPy has NaN for some at infinity
                want[np.isinf(x)] = -inf if method == "logpdf" else 0.0
            got = getattr(family, method)(x, *shapes)
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-15, err_msg=method)
        q = np.array([-0.1, 0.0, 1.0, 1.1, nan])
        for method in () if name == "vonmises" else ("ppf", "isf"):
            np.testing.assert_array_equal(
                getattr(family, method)(q, *shapes), getattr(theirs, method)(q, *shapes)
            )
        assert np.isnan(family.logpdf(0.5, *shapes, scale=-1.0))
        assert np.isnan(family.cdf(0.5, *shapes, scale=0.0))
        for position in range(len(shapes)):
            wrong = [*shapes]
            wrong[position] = nan
            assert np.isnan(family.logpdf(0.5, *wrong))


BOUNDED = [n for n in CONTINUOUS if np.isfinite(getattr(scipy.stats, n).support(*CONTINUOUS[n])[0])]


@pytest.mark.parametrize("name", [n for n in BOUNDED if n != "vonmises"])
def test_no_derivative_beyond_the_support(name):
    family, shapes = getattr(stats, name), CONTINUOUS[name]
    lower, upper = getattr(scipy.stats, name).support(*shapes)
    outside = [lower - 0.5] + ([upper + 0.5] if np.isfinite(upper) else [])
    for x in outside:
        for method in (*OF_POINTS, "ppf"):
            f = getattr(family, method)
            given = (1.5 if method == "ppf" else x, *shapes, 0.0, 1.0)
            if method != "ppf":
                grads = at.grad(f, tuple(range(len(given))))(*given)
                np.testing.assert_array_equal(grads, np.zeros(len(given)), err_msg=method)


def test_derivatives_where_formulas_meet():
    for name, shapes in (("laplace", ()), ("t", (3.4,)), ("gennorm", (1.7,))):
        family, numbers = getattr(stats, name), tuple(range(1 + len(shapes)))
        density = family.pdf(0.0, *shapes)
        for method, slope in (("cdf", density), ("sf", -density)):
            found = at.grad(getattr(family, method), numbers)(0.0, *shapes)
            np.testing.assert_allclose(found, (slope, *[0.0] * len(shapes)), rtol=1e-14)
        found = at.grad(family.ppf, numbers)(0.5, *shapes)
        np.testing.assert_allclose(found, (1 / density, *[0.0] * len(shapes)), rtol=1e-14)
        single = at.grad(family.cdf)(np.float32(0.0), *map(np.float32, shapes))
        np.testing.assert_allclose(single, density, rtol=1e-6)
        if shapes:
            bend = at.grad(at.grad(family.cdf, 1), 0)(0.0, *shapes)
            np.testing.assert_allclose(bend, at.grad(family.pdf, 1)(0.0, *shapes), rtol=1e-12)


def test_densities_at_the_ends_of_a_support():
    for name in ("gamma", "chi2", "f", "beta", "weibull_min", "powerlaw"):
        shapes = CONTINUOUS[name]
        found = at.grad(getattr(stats, name).pdf, tuple(range(1, 1 + len(shapes))))(0.0, *shapes)
        np.testing.assert_array_equal(found, 0.0)


# --- discrete ------------------------------------------------------------------------------------

COUNTS = np.array([1.0, 2, 3, 4, 9, -1, 0, 12, inf, -inf])
OF_COUNTS = ("logpmf", "pmf", "cdf", "sf", "logcdf", "logsf")


def every_of_counts(family, k, q, *parameters):
    at_counts = [getattr(family, m)(k, *parameters) for m in OF_COUNTS]
    return (*at_counts, family.ppf(q, *parameters), family.isf(q, *parameters))


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name):
    family, shapes = getattr(stats, name), DISCRETE[name]
    theirs = getattr(scipy.stats, name)
    q = np.array([0.0, 0.12, 0.37, 0.6, 0.9, 1.0])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = every_of_counts(theirs, COUNTS, q, *shapes, 1)
        for outs in (
            every_of_counts(family, COUNTS, q, *shapes, 1),
            at.jit(lambda *args: every_of_counts(family, *args))(COUNTS, q, *shapes, 1.0),
        ):
            for method, out, want in zip((*OF_COUNTS, "ppf", "isf"), outs, expected, strict=True):
                tight = {"rtol": 1e-8, "atol": 1e-11} if name in ("zipf", "logser") else {}
                np.testing.assert_allclose(
                    out, want, err_msg=method, **(tight or {"rtol": 1e-10, "atol": 1e-13})
                )
    for method in ("mean", "var", "entropy"):
        if family.has(method):
            np.testing.assert_allclose(
                getattr(family, method)(*shapes, loc=1), getattr(theirs, method)(*shapes, loc=1),
                rtol=1e-9,
            )  # fmt: skip
    assert family.pmf(np.array([1.5]), *shapes) == 0
    assert np.isnan(family.logpmf(nan, *shapes)) and np.isnan(family.cdf(nan, *shapes))


@pytest.mark.parametrize("name", [n for n in DISCRETE if n not in ("hypergeom", "randint")])
def test_derivatives_of_discrete(name):
    family, shapes = getattr(stats, name), DISCRETE[name]
    fixed = WHOLE.get(name, 0)
    k = np.array([0.0, 1.0]) if name == "bernoulli" else np.array([1.0, 2, 4])
    methods = ("logpmf",) if name in ("betabinom", "logser") else ("logpmf", "cdf", "sf")
    for method in methods:
        f = getattr(family, method)
        check_grads(
            lambda *p, f=f: f(k, *shapes[:fixed], *p), [np.asarray(p) for p in shapes[fixed:]], 2
        )


def test_discrete_beyond_the_support():
    grad = at.grad(stats.poisson.logpmf, 1)
    assert [grad(k, 2.0) for k in (-1, 1.5)] == [0.0, 0.0]
    assert at.grad(stats.bernoulli.logpmf, 1)(1, 1.0) == 1.0
    assert stats.poisson.logpmf(0, 0.0) == 0.0
    assert at.grad(stats.poisson.logpmf, 1)(0, 0.0) == -1.0
    assert at.grad(stats.binom.cdf, 2)(3, 3, 0.5) == 0.0


def test_refused_derivatives():
    for name, f in {
        "betabinom": lambda a: stats.betabinom.cdf(2, 5, a, 1.0),
        "logser": lambda p: stats.logser.cdf(2, p),
    }.items():
        match = rf"scipy\.stats\.{name}\.cdf has no derivative rule"
        with pytest.raises(at.NonDifferentiableError, match=match):
            at.grad(f)(0.5)


# --- how they are called -------------------------------------------------------------------------


def test_calls():
    x = np.array([0.5, 1.5])
    want = scipy.stats.gamma.logpdf(x, 2.0, 0.1, 3.0)
    for got in (
        stats.gamma.logpdf(x, 2.0, 0.1, 3.0),
        stats.gamma.logpdf(x, a=2.0, loc=0.1, scale=3.0),
        stats.gamma.logpdf(x, 2.0, scale=3.0, loc=0.1),
        at.vmap(lambda y: stats.gamma.logpdf(y, 2.0, 0.1, 3.0))(x),
    ):
        np.testing.assert_allclose(got, want, rtol=1e-14)
    assert stats.norm.pdf(np.zeros((3, 1)), np.zeros(2)).shape == (3, 2)
    assert stats.norm.logpdf(np.zeros((0, 2))).shape == (0, 2)
    assert stats.norm.logpdf(3).dtype == np.float64
    assert stats.reciprocal is stats.loguniform


def test_with_parameters_given_before():
    x = np.array([0.5, 1.5])
    theirs = scipy.stats.gamma(2.0, scale=3.0)

    def f(a):
        frozen = stats.gamma(a, scale=3.0)
        return frozen.logpdf(x), frozen.mean(), frozen.median(), frozen.interval(0.9)[1]

    want = (theirs.logpdf(x), theirs.mean(), theirs.median(), theirs.interval(0.9)[1])
    for got, expected in zip(at.jit(f)(2.0), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-13)
    check_grads(f, (np.float64(2.0),), order=2)
    assert stats.poisson(3.0).pmf(2) == stats.poisson.pmf(2, 3.0)
    assert stats.norm.interval(0.5) == scipy.stats.norm.interval(0.5)
    with pytest.raises(TypeError, match="parameters a are missing"):
        stats.gamma()
    with pytest.raises(AttributeError, match="no attribute 'rvs'"):
        stats.norm(0.0, 1.0).rvs()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: stats.gamma.logpdf(1.0), "gamma.logpdf: the parameters a are missing"),
        (lambda: stats.norm.logpdf(1.0, 0, 1, 2), "too many"),
        (lambda: stats.gamma.cdf(1.0, 2.0, a=1.0), "a is given twice"),
        (lambda: stats.gamma.cdf(1.0, 2.0, shape=1.0), "shape is no parameter"),
        (lambda: stats.norm.logpdf(1j), "real numbers"),
    ],
)
def test_wrong_calls(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_missing_statistics_say_so():
    with pytest.raises(NotImplementedError, match="truncnorm has no mean"):
        stats.truncnorm.mean(-1.0, 1.0)


@pytest.mark.parametrize(
    "name", "norm gamma t beta chi2 f lognorm laplace truncnorm poisson binom nbinom".split()
)
def test_likelihoods_are_kernels(name):
    """Neither a log-density nor its gradient calls SciPy from a compiled program."""
    family = getattr(stats, name)
    shapes = {**CONTINUOUS, **DISCRETE}[name]
    method = family.logpdf if name in CONTINUOUS else family.logpmf

    def total(x, *p):
        return np.sum(method(x, *p))

    args = (np.array([1.0, 1.0]), *map(np.float64, shapes))
    assert not host_steps(total, args)
    assert not host_steps(at.grad(total, tuple(range(len(args)))), args)


def test_tails_keep_their_digits():
    with mpmath.workdps(40):
        expected = float(mpmath.log(mpmath.ncdf(-38) - mpmath.ncdf(-39)))
    mass = stats.truncnorm.logpdf(38.5, 38.0, 39.0)
    np.testing.assert_allclose(stats.norm.logpdf(38.5) - mass, expected, rtol=1e-13)
    np.testing.assert_allclose(stats.t.sf(1e8, 3.0), scipy.stats.t.sf(1e8, 3.0), rtol=1e-12)
    np.testing.assert_allclose(stats.cauchy.cdf(-1e20), 1e-20 / np.pi, rtol=1e-14)
    np.testing.assert_allclose(stats.logistic.logsf(800.0), -800.0)
    for f, args in (
        ("gamma", (193.8, 300.0)),
        ("t", (-11.4, 30.0)),
        ("beta", (0.29, 500.0, 800.0)),
    ):
        upper, lower = getattr(stats, f).logsf(*args), getattr(stats, f).cdf(*args)
        np.testing.assert_allclose(upper, np.log1p(-lower), rtol=1e-14)
    # All of these quantiles are of a normal distribution's tail.
    q = 1e-12 * scipy.stats.norm.sf(3)
    np.testing.assert_allclose(
        stats.truncnorm.isf(1e-12, 3.0, inf), scipy.stats.norm.isf(q), rtol=1e-13
    )
    np.testing.assert_allclose(
        stats.truncnorm.logsf(-7.0, -inf, 1.0),
        np.log1p(-scipy.stats.norm.cdf(-7.0) / scipy.stats.norm.cdf(1.0)),
        rtol=1e-12,
    )
    np.testing.assert_allclose(stats.skewnorm.isf(1e-12, 0.0), scipy.stats.norm.isf(1e-12))
    np.testing.assert_allclose(stats.t.logpdf(0.7, 1e10), scipy.stats.norm.logpdf(0.7), rtol=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_truncation_on_one_side(sign):
    """An infinite bound goes with derivatives in the others, and in the scale that divides it."""

    def f(x, bound, loc, scale):
        ends = sorted([(bound * sign - loc) / scale, (inf * sign - loc) / scale])
        return stats.truncnorm.logpdf(x, *ends, loc, scale)

    args = [np.asarray(v)[()] for v in (0.9 * sign, 0.2, 0.1, 1.3)]
    check_grads(f, args, order=2)
    low, high = sorted([0.2 * sign, inf * sign])
    want = scipy.stats.truncnorm.logpdf(0.9 * sign, (low - 0.1) / 1.3, (high - 0.1) / 1.3, 0.1, 1.3)
    np.testing.assert_allclose(f(*args), want, rtol=1e-13)
    for method in ("cdf", "sf", "ppf"):
        g = getattr(stats.truncnorm, method)
        ends = sorted([0.2 * sign, inf * sign])
        x = 0.4 if method == "ppf" else 0.9 * sign
        np.testing.assert_allclose(
            g(x, *ends), getattr(scipy.stats.truncnorm, method)(x, *ends), rtol=1e-13
        )
        assert np.all(np.isfinite(at.grad(g, (0, 1, 2))(x, *ends)))


def test_a_maximum_likelihood_fit():
    x = np.random.default_rng(0).gamma(2.5, 1.7, 400)

    def loss(theta):
        a, scale = np.exp(theta)
        return -np.mean(stats.gamma.logpdf(x, a, scale=scale))

    found = scipy.optimize.minimize(at.jit(at.value_and_grad(loss)), np.zeros(2), jac=True)
    a, _, scale = scipy.stats.gamma.fit(x, floc=0)
    np.testing.assert_allclose(np.exp(found.x), [a, scale], rtol=1e-4)


# --- vectors and matrices ------------------------------------------------------------------------


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name):
    function, *args = VECTORS[name]
    want = function(scipy.stats, *args)

    def ours(*args):
        return function(stats, *args)

    for got in (ours(*args), at.jit(ours)(*args)):
        assert got.shape == np.shape(want)
        np.testing.assert_allclose(got, want, rtol=1e-10)
    check_grads(ours, args, order=2)
    halves = [a.astype("f4") for a in args]
    assert at.eval_shape(ours, *halves).dtype == np.float32


def test_stacks_of_normals():
    covs = np.stack([COV, 2 * COV])
    got = stats.multivariate_normal.logpdf(X[:2], np.stack([MU, -MU]), covs)
    want = [
        scipy.stats.multivariate_normal.logpdf(x, m, c)
        for x, m, c in zip(X[:2], [MU, -MU], covs, strict=True)
    ]
    np.testing.assert_allclose(got, want, rtol=1e-12)
    mapped = at.vmap(stats.multivariate_normal.logpdf)(X[:2], np.stack([MU, -MU]), covs)
    np.testing.assert_allclose(mapped, want, rtol=1e-12)


def test_the_gradient_in_a_covariance_is_symmetric():
    grad = at.grad(lambda c: np.sum(stats.multivariate_normal.logpdf(X, MU, c)))(COV)
    np.testing.assert_allclose(grad, grad.T, rtol=1e-12)


def test_wrong_vectors():
    with pytest.raises(ValueError, match="do not go together"):
        stats.multivariate_normal.logpdf(X, MU, np.eye(2))
    with pytest.raises(np.linalg.LinAlgError):
        stats.multivariate_normal.logpdf(X, MU, -COV)
    with pytest.raises(ValueError, match="first axis"):
        stats.dirichlet.logpdf(np.ones(5), ALPHA)
    with pytest.raises(ValueError, match="at least two samples"):
        stats.gaussian_kde(np.ones(1))
    with pytest.raises(ValueError, match="unknown bw_method"):
        stats.gaussian_kde(KDE, "best")
    with pytest.raises(ValueError, match="do not fit"):
        stats.wishart.logpdf(np.eye(2), 3, np.eye(3))


def test_dirichlet_beyond_the_simplex():
    x = np.array([[0.5, 0.7], [0.5, -0.2], [0.5, 0.5]])
    np.testing.assert_array_equal(stats.dirichlet.logpdf(x, ALPHA), [-inf, -inf])
    grad = at.grad(lambda a: np.sum(stats.dirichlet.pdf(x, a)))(ALPHA)
    np.testing.assert_array_equal(grad, np.zeros(3))


def test_multinomial():
    k, p = np.array([[1, 2, 3], [0, 6, 0], [3, 3, 3]]), np.array([0.2, 0.3, 0.5])
    want = scipy.stats.multinomial.logpmf(k, 6, p)
    f = lambda p: stats.multinomial.logpmf(k, 6, p)  # noqa: E731
    np.testing.assert_allclose(at.jit(f)(p), want, rtol=1e-13)
    np.testing.assert_allclose(stats.multinomial.pmf(k, 6, p), np.exp(want), rtol=1e-13)
    check_grads(lambda p: f(p)[:2], (p,), order=2)
    np.testing.assert_array_equal(at.grad(lambda p: np.exp(f(p)[2]))(p), np.zeros(3))


# --- ranks ---------------------------------------------------------------------------------------

TIES = np.random.default_rng(0).integers(0, 4, (5, 7)).astype(float)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_ranks(axis):
    unknown = np.where(TIES[0, 0] == TIES, np.nan, TIES)
    for method in ("average", "min", "max", "dense", "ordinal"):
        for a in (TIES, TIES.astype(np.float32), TIES.astype(int), unknown):
            want = scipy.stats.rankdata(a, method, axis=axis)
            for f in (stats.rankdata, at.jit(stats.rankdata, static_argnames=("method", "axis"))):
                got = f(a, method=method, axis=axis)
                assert got.dtype == (a.dtype if a.dtype.kind == "f" else np.float64)
                np.testing.assert_array_equal(got, want)
    for keepdims in (False, True):
        want = scipy.stats.mode(TIES, axis=axis, keepdims=keepdims)
        for a in (TIES, TIES.astype(int)):
            got = at.jit(lambda a, k=keepdims: stats.mode(a, axis=axis, keepdims=k))(a)
            for x, y in zip(got, want, strict=True):
                np.testing.assert_array_equal(x, y)


def test_ranks_of_nan_and_wrong_calls():
    a = np.array([1.0, nan, 3.0])
    np.testing.assert_array_equal(stats.rankdata(a), scipy.stats.rankdata(a))
    with pytest.raises(ValueError, match="unknown method"):
        stats.rankdata(a, "best")
    with pytest.raises(ValueError, match="no numbers"):
        stats.mode(np.zeros(0))
    with pytest.raises(ValueError, match="positive number"):
        stats.entropy(SHARE, base=-1)
    with pytest.raises(TypeError, match="axis must be an integer"):
        stats.skew(TIES, axis=(0, 1))
