"""autotrace.scipy.special against SciPy, mpmath and finite differences."""

from __future__ import annotations

import pickle
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import scipy.special
import special_cases
from special_cases import CASES, POSITIVE, REAL, SHARES, case_id

import autotrace as at
from autotrace.scipy import special
from autotrace.testing import check_grads

inf, nan = np.inf, np.nan


def leaves(x):
    return list(x) if isinstance(x, tuple) else [x]


def of_differentiated(case, function):
    """A function of those arguments that are differentiated."""
    positions = case.differentiated

    def f(*xs):
        full = list(case.args)
        for position, x in zip(positions, xs, strict=True):
            full[position] = x
        return function(*full)

    return f, [case.args[i] for i in positions]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_values(case):
    expected = leaves(case.scipys(*case.args))
    for outs in (case.ours(*case.args), at.jit(case.ours)(*case.args)):
        for out, want in zip(leaves(outs), expected, strict=True):
            assert out.shape == want.shape
            if case.name not in ("polygamma", "comb", "perm"):  # of which SciPy's dtypes vary
                assert out.dtype == want.dtype
            np.testing.assert_allclose(out, want, rtol=3e-13, atol=1e-14)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_float32(case):
    args = [a.astype("f4") if a.dtype.kind == "f" else a.astype("F") if a.dtype.kind == "c" else a
            for a in case.args]  # fmt: skip
    wanted = leaves(case.scipys(*[a.astype(float) if a.dtype == "f4" else a for a in args]))
    outs = leaves(at.jit(case.ours, backend="numpy")(*args))
    if isinstance(getattr(scipy.special, case.name), np.ufunc):
        dtype = leaves(case.scipys(*args))[0].dtype  # float64 for some functions of integers
    else:
        dtype = "F" if wanted[0].dtype.kind == "c" else "f4"
    for out, want in zip(outs, wanted, strict=True):
        assert out.dtype == dtype
        np.testing.assert_allclose(out, want, rtol=2e-4, atol=2e-6)
    f, given = of_differentiated(case, case.ours)
    if given:
        given = [a.astype("f4" if a.dtype.kind == "f" else "F") for a in given]
        outs, tangents = at.jvp(f, tuple(given), tuple(np.ones_like(a) for a in given))
        assert [t.dtype for t in leaves(tangents)] == [x.dtype for x in leaves(outs)]


@pytest.mark.parametrize("case", [c for c in CASES if c.differentiated], ids=case_id)
def test_derivatives(case):
    f, args = of_differentiated(case, case.ours)
    check_grads(f, args, order=case.order)
    if isinstance(getattr(scipy.special, case.name), np.ufunc):
        tangents = [np.ones_like(a) for a in args]
        theirs, _ = of_differentiated(case, case.scipys)
        for ours, plain in zip(
            at.jvp(f, tuple(args), tuple(tangents)),
            at.jvp(theirs, tuple(args), tuple(tangents)),
            strict=True,
        ):
            for a, b in zip(leaves(ours), leaves(plain), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", [c for c in CASES if c.refused], ids=case_id)
def test_what_has_no_derivative_says_so(case):
    for position in case.refused:
        name = case.names.split()[position]

        def f(x, position=position):
            full = [*case.args]
            full[position] = x
            return case.ours(*full)

        with pytest.raises(at.NonDifferentiableError, match=f"{case.name[0]}.* argument {name}\n"):
            at.jvp(f, (case.args[position],), (np.ones_like(case.args[position]),))


def test_integer_orders_have_no_derivative():
    out, tangent = at.jvp(lambda n: special.jn(n, 2.0), (1,), (np.zeros((), at.float0),))
    assert out == scipy.special.jn(1, 2.0) and tangent == 0


def test_each_function_has_a_case():
    assert {c.name for c in CASES} == set(special.__all__) - {"bernoulli", "euler"}


@pytest.mark.source_tree
def test_the_page_is_true():
    if at.config.backend != "numpy":
        page = special_cases.PAGE.read_text(encoding="utf-8")
        assert page == special_cases.render(), "python tests/special_cases.py writes it anew"


# --- limits --------------------------------------------------------------------------------------

#: Function, arguments, value, derivatives (None where there is nothing to say).
LIMITS = [
    ("xlogy", (0.0, 0.0), 0.0, (-inf, 0.0)),
    ("xlogy", (0.0, 2.0), 0.0, (np.log(2), 0.0)),
    ("xlogy", (0.0, nan), nan, (nan, nan)),
    ("xlog1py", (0.0, -1.0), 0.0, (-inf, 0.0)),
    ("entr", (0.0,), 0.0, (inf,)),
    ("entr", (-1.0,), -inf, (0.0,)),
    ("rel_entr", (0.0, 0.0), 0.0, (1.0, 0.0)),
    ("rel_entr", (0.0, 1.0), 0.0, (-inf, 0.0)),
    ("rel_entr", (1.0, 0.0), inf, (1.0, 0.0)),
    ("kl_div", (0.0, 2.0), 2.0, (-inf, 1.0)),
    ("kl_div", (-1.0, 2.0), inf, (0.0, 0.0)),
    ("rel_entr", (1e-300, 1e300), None, None),
    ("log_ndtr", (-40.0,), -804.6084420137538, (40.02496884720726,)),
    ("log_ndtr", (-1e10,), -5e19, (1e10,)),
    ("log_ndtr", (40.0,), 0.0, (0.0,)),
    ("log_expit", (-800.0,), -800.0, (1.0,)),
    ("log_expit", (800.0,), 0.0, (0.0,)),
    ("expit", (-800.0,), 0.0, (0.0,)),
    ("logit", (0.5,), 0.0, (4.0,)),
    ("logit", (1.0,), inf, (inf,)),
    ("gammainc", (2.0, 0.0), 0.0, (0.0, 0.0)),
    ("gammainc", (1.0, 0.0), 0.0, (0.0, 1.0)),
    ("gammainc", (0.5, 0.0), 0.0, (0.0, inf)),
    ("gammainc", (2.0, inf), 1.0, (0.0, 0.0)),
    ("gammaincc", (2.0, 800.0), 0.0, (0.0, 0.0)),
    ("betainc", (2.0, 3.0, 0.0), 0.0, (0.0, 0.0, 0.0)),
    ("betainc", (2.0, 3.0, 1.0), 1.0, (0.0, 0.0, 0.0)),
    ("betainc", (1.0, 3.0, 0.0), 0.0, (0.0, 0.0, 3.0)),
    ("betainc", (2.0, 1.0, 1.0), 1.0, (0.0, 0.0, 2.0)),
    ("rgamma", (0.0,), 0.0, (1.0,)),
    ("rgamma", (-3.0,), 0.0, (-6.0,)),
    ("exprel", (0.0,), 1.0, (0.5,)),
    ("spence", (1.0,), 0.0, (-1.0,)),
    ("ellipk", (0.0,), np.pi / 2, (np.pi / 8,)),
    ("ellipe", (0.0,), np.pi / 2, (-np.pi / 8,)),
    ("boxcox", (3.0, 0.0), np.log(3), (1 / 3, np.log(3) ** 2 / 2)),
    ("boxcox", (0.0, 2.0), -0.5, (0.0, 0.25)),
    ("boxcox", (0.0, 0.0), -inf, None),
    ("inv_boxcox", (3.0, 0.0), np.exp(3), (np.exp(3), -4.5 * np.exp(3))),
    ("huber", (1.0, 1.0), 0.5, (0.0, 1.0)),
    ("huber", (-1.0, 1.0), inf, (0.0, 0.0)),
    ("pseudo_huber", (0.0, 1.0), 0.0, None),
    ("j1", (0.0,), 0.0, (0.5,)),
    ("i1", (0.0,), 0.0, (0.5,)),
    ("agm", (0.0, 0.0), 0.0, None),
    ("agm", (1.0, 0.0), 0.0, None),
    ("agm", (1e-9, 1e9), None, None),
    ("rel_entr", (5e-184, 1.6e140), None, None),
    ("eval_legendre", (3, 1.0), 1.0, (None, 6.0)),
    ("betaln", (1e10, 2.0), None, None),
    ("betaln", (1e-10, 1e10), None, None),
    ("betaln", (3e5, 2e5), None, None),
    ("gammaincinv", (2.0, 0.0), 0.0, (0.0, None)),
    ("betaincinv", (2.0, 3.0, 1.0), 1.0, (0.0, 0.0, None)),
    ("stdtr", (3.0, 0.0), 0.5, (0.0, 0.36755259694786135)),
    ("voigt_profile", (0.5, 0.0, 1.0), None, (-0.64 / np.pi, 0.0, -0.48 / np.pi)),
]


@pytest.mark.parametrize("case", LIMITS, ids=lambda c: f"{c[0]}{c[1]}")
def test_limits(case):
    name, args, value, derivatives = case
    f = getattr(special, name)
    args = [np.asarray(a)[()] for a in args]
    with np.errstate(all="ignore"):
        theirs = getattr(scipy.special, name)(*args)
    for out in (f(*args), at.jit(f)(*args)):
        np.testing.assert_allclose(out, theirs, rtol=1e-14)
        if value is not None:
            np.testing.assert_allclose(out, value, rtol=1e-14)
    for position, expected in enumerate(derivatives or ()):
        if expected is not None:
            for got in (at.grad(f, position)(*args), at.jit(at.grad(f, position))(*args)):
                np.testing.assert_allclose(got, expected, rtol=1e-11)


def test_slopes_far_out():
    """Where the differences in these slopes cancel."""
    x = 1e4
    for name, c in (("erfcx", -1 / np.sqrt(np.pi)), ("dawsn", -0.5)):
        f = getattr(special, name)
        np.testing.assert_allclose(at.grad(f)(x), c / x**2, rtol=2e-8)
        np.testing.assert_allclose(at.grad(at.grad(f))(x), -2 * c / x**3, rtol=5e-8)
    _, slope = at.jvp(special.wofz, (1j * x,), (1j,))
    np.testing.assert_allclose(slope, -1 / np.sqrt(np.pi) / x**2, rtol=2e-8)
    # To third order in sigma / gamma.
    slopes = at.grad(special.voigt_profile, (0, 1, 2))(0.0, 1e-3, 10.0)
    np.testing.assert_allclose(slopes, (0.0, -2e-6 / np.pi, -0.01 / np.pi), rtol=1e-7, atol=1e-18)


def test_betaln_of_large_numbers():
    """Three logarithms of the gamma function lose half of the digits here."""
    a, b = np.array([1e6, 3e5, 9.0]), np.array([2.5, 2e5, 1e8])
    exact = [float(mpmath.log(mpmath.beta(x, y))) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(at.jit(special.betaln)(a, b), exact, rtol=1e-14)


# --- derivatives in parameters -------------------------------------------------------------------

SHAPES = [
    (0.01, 1e-8), (0.01, 0.5), (0.3, 2.0), (1.0, 1e-3), (2.5, 2.0), (2.5, 30.0), (50.0, 30.0),
    (50.0, 120.0), (3000.0, 2900.0), (1e5, 100500.0),
]  # fmt: skip


@pytest.mark.parametrize(("a", "x"), SHAPES)
def test_gammainc_in_its_parameter(a, x):
    upper = a < x  # the smaller of the two functions keeps its digits
    function, ends = (special.gammaincc, (x, "inf")) if upper else (special.gammainc, (0, x))

    def exact(s):
        return mpmath.gammainc(s, *map(mpmath.mpf, ends), regularized=True)

    with mpmath.workdps(60):
        first, second = (float(mpmath.diff(exact, a, n, h=1e-15)) for n in (1, 2))
    np.testing.assert_allclose(at.grad(function)(a, x), first, rtol=1e-11)
    atol = 1e-11 * abs(first) / a
    np.testing.assert_allclose(at.grad(at.grad(function))(a, x), second, rtol=1e-9, atol=atol)


BETAS = [
    (0.02, 3.0, 1e-6), (0.02, 0.03, 0.5), (2.0, 3.0, 0.2), (2.0, 3.0, 0.9), (30.0, 0.2, 0.9999),
    (200.0, 300.0, 0.41), (5.0, 2000.0, 0.001),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "x"), BETAS)
def test_betainc_in_its_parameters(a, b, x):
    found = at.grad(special.betainc, (0, 1))(a, b, x)
    with mpmath.workdps(40):
        # The smaller side keeps its digits.
        ends, sign = ((0, x), 1) if scipy.special.betainc(a, b, x) < 0.5 else ((x, 1), -1)

        def exact(a, b):
            return sign * mpmath.betainc(a, b, *ends, regularized=True)

        in_a = float(mpmath.diff(lambda s: exact(s, b), a, h=1e-12))
        in_b = float(mpmath.diff(lambda s: exact(a, s), b, h=1e-12))
    np.testing.assert_allclose(found, (in_a, in_b), rtol=1e-10)


def test_iv_in_its_order():
    for v, x in ((0.3, 0.5), (2.5, 40.0), (30.0, 3.0), (-2.3, 0.5), (3.0, 700.0), (-0.4, 40.0)):
        slope = at.grad(special.ive)
        with mpmath.workdps(30):
            for order, found in ((1, slope(v, x)), (2, at.grad(slope)(v, x))):
                want = mpmath.diff(lambda q, x=x: mpmath.besseli(q, x), mpmath.mpf(v), order)
                np.testing.assert_allclose(found, float(want * mpmath.exp(-x)), rtol=3e-12)
    assert at.grad(special.iv)(1.5, 0.0) == 0.0
    assert np.isnan(at.grad(special.iv)(1.5, -1.0))
    # the same orders with signs: K joins I
    whole = at.grad(special.iv)(-2.0, 3.0) + at.grad(special.iv)(2.0, 3.0)
    np.testing.assert_allclose(whole, -2 * special.kv(2.0, 3.0), rtol=1e-12)


def test_kv_in_its_order():
    v, x = np.array([0.0, 0.5, 2.0, 30.0, 0.7]), np.array([1.0, 1e-3, 3.0, 4.0, 200.0])
    first = [mpmath.diff(lambda s, y=y: mpmath.besselk(s, y), n) for n, y in zip(v, x, strict=True)]
    _, found = at.jvp(lambda v: special.kv(v, x), (v,), (np.ones_like(v),))
    np.testing.assert_allclose(found, np.array(first, float), rtol=1e-11, atol=1e-14)


def test_scaled_bessel_series():
    x = np.concatenate([-np.geomspace(1e-12, 1e8, 40), np.linspace(0, 20, 60), [np.inf]])
    for n, f in enumerate((special.i0e, special.i1e)):
        exact = [float(mpmath.exp(-abs(y)) * mpmath.besseli(n, y)) for y in x[:-1]] + [0.0]
        np.testing.assert_allclose(at.jit(f)(x), exact, rtol=3e-15)
        single = at.jit(f, backend="numpy")(x.astype("f4"))
        np.testing.assert_allclose(single, exact, rtol=2e-6)


def test_zeta_in_its_argument():
    s, q = np.array([1.1, 2.0, 9.0, 30.0]), np.array([0.2, 1.0, 3.5, 40.0])
    with mpmath.workdps(80):
        exact = [mpmath.zeta(a, b, 1) for a, b in zip(s, q, strict=True)]
    _, found = at.jvp(lambda s: special.zeta(s, q), (s,), (np.ones_like(s),))
    np.testing.assert_allclose(found, np.array(exact, float), rtol=1e-12)


# --- how they are reached ------------------------------------------------------------------------


def test_scipy_finds_its_way_by_itself():
    """The tables are imported when a ufunc of SciPy's first meets a traced value, not before."""
    code = """
import sys, autotrace, scipy.special
assert "autotrace.scipy.special" not in sys.modules
print(autotrace.grad(lambda x: scipy.special.jv(1.0, x))(2.0))
assert "autotrace.scipy.special" in sys.modules
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    np.testing.assert_allclose(float(out.stdout), scipy.special.jvp(1, 2.0))


def test_pickled_programs_find_the_table(tmp_path):
    """In a process that has not imported autotrace.scipy."""
    compiled = at.jit(lambda x: special.gammainc(2.0, x)).lower(1.5).compile()
    (tmp_path / "program").write_bytes(pickle.dumps(compiled))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb'))(1.5))"
    command = [sys.executable, "-c", code, str(tmp_path / "program")]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    np.testing.assert_allclose(float(out.stdout), scipy.special.gammainc(2.0, 1.5))


def test_explain_names_the_function():
    text = at.jit(special.gammainc, backend="numba").explain(2.0, 1.0)
    assert "host step special gammainc at " in text


def test_unknown_ufuncs_are_refused_by_name():
    with pytest.raises(TypeError, match=r"scipy\.special\.struve is not supported"):
        at.grad(lambda x: scipy.special.struve(1.0, x))(2.0)


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="jv is supported for real numbers only"):
        at.jit(lambda x: special.jv(1.0, x))(np.array([1j]))


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (2, 3)])
def test_shapes(shape):
    a = np.full(shape, 2.0)
    for f in (special.gammainc, special.xlogy, special.kv):
        for g in (f, at.jit(f)):
            assert g(a, 1.5).shape == shape
        grad = at.grad(lambda a, f=f: np.sum(f(a, 1.5)))(a)
        assert grad.shape == shape and np.all(np.isfinite(grad))
    assert special.beta(np.ones((3, 1)), np.ones(2)).shape == (3, 2)
    with pytest.raises(ValueError, match="broadcast"):
        at.jit(special.beta)(np.ones(3), np.ones(2))


def test_vmap_over_one_argument():
    got = at.vmap(at.grad(special.gammainc), in_axes=(0, None))(POSITIVE, 1.5)
    np.testing.assert_allclose(got, [at.grad(special.gammainc)(a, 1.5) for a in POSITIVE], 1e-14)


def test_dtypes_are_those_of_scipy():
    x = np.float32([0.5, 1.0])
    for name in ("jv", "xlogy", "beta"):  # SciPy makes float64 of the latter two
        f = lambda x, name=name: getattr(scipy.special, name)(2.0, x)  # noqa: E731
        assert at.jit(f)(x).dtype == f(x).dtype
    assert at.jit(special.erf)(np.arange(3)).dtype == np.float64
    assert at.jit(special.gammainc)(np.float32(2), np.float64(1)).dtype == np.float64


def test_out():
    y = np.zeros(3)
    assert special.erf(np.ones(3), out=y) is y

    def f(x):
        out = np.zeros_like(x)
        scipy.special.gammaln(x, out=out)
        return np.sum(out)

    np.testing.assert_allclose(at.jit(at.grad(f))(POSITIVE), scipy.special.psi(POSITIVE))


def test_wrong_calls():
    with pytest.raises(TypeError, match="takes 2 arguments"):
        at.jit(lambda x: special.jv(x))(1.0)
    with pytest.raises(ValueError, match=r"above 1\.0"):
        special.multigammaln(0.5, 3)
    with pytest.raises(ValueError, match="positive integer"):
        special.multigammaln(3.0, 0)
    with pytest.raises(ValueError, match="at least 0"):
        special.polygamma(-1, 2.0)
    with pytest.raises(TypeError, match="degree and order must be integers"):
        special.sph_harm_y(1.5, 0, 0.1, 0.2)
    with pytest.raises(TypeError, match="exact=True"):
        at.grad(lambda x: special.comb(x, 2, exact=True))(5.0)
    assert special.factorial(20, exact=True) == 2432902008176640000
    assert special.comb(50, 25, exact=True) == scipy.special.comb(50, 25, exact=True)
    assert special.perm(20, 9, exact=True) == scipy.special.perm(20, 9, exact=True)
    np.testing.assert_allclose(special.comb(5, 2, repetition=True), 15.0)


# --- sums of exponentials ------------------------------------------------------------------------

MATRIX = np.random.default_rng(0).normal(size=(3, 4)) * 5
SUMS = [
    {},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"axis": (0, 1)},
    {"axis": 1, "b": np.array([1.0, 2.0, 0.0, 3.0])},
    {"axis": 0, "b": np.array([[1.0], [-2.0], [0.5]]), "return_sign": True},
    {"keepdims": True},
]


@pytest.mark.parametrize("kwargs", SUMS, ids=str)
def test_logsumexp(kwargs):
    expected = leaves(scipy.special.logsumexp(MATRIX, **kwargs))
    for outs in (special.logsumexp(MATRIX, **kwargs),
                 at.jit(lambda a: special.logsumexp(a, **kwargs))(MATRIX)):  # fmt: skip
        for out, want in zip(leaves(outs), expected, strict=True):
            assert out.shape == want.shape
            np.testing.assert_allclose(out, want, rtol=1e-13)
    check_grads(lambda a: leaves(special.logsumexp(a, **kwargs))[0], (MATRIX,), order=2)


def test_logsumexp_of_infinities():
    a = np.array([[-inf, -inf], [0.0, -inf], [inf, 0.0]])
    np.testing.assert_array_equal(special.logsumexp(a, axis=1), [-inf, 0.0, inf])
    got = at.grad(lambda a: np.sum(special.logsumexp(a, axis=1)))(a[:2])
    np.testing.assert_array_equal(got, [[0.0, 0.0], [1.0, 0.0]])
    with np.errstate(invalid="ignore"):
        assert np.isnan(special.logsumexp(np.array([0.0, 1.0]), b=np.array([1.0, -1.0])))
    assert special.logsumexp(np.zeros(0)) == -inf


def test_logsumexp_where():
    a = np.array([1.0, 2.0, 900.0])
    kept = np.array([True, True, False])
    want = np.logaddexp(1.0, 2.0)
    np.testing.assert_allclose(special.logsumexp(a, where=kept), want)
    grad = at.grad(lambda a: special.logsumexp(a, where=kept))(a)
    np.testing.assert_allclose(grad, [*np.exp(a[:2] - want), 0.0])


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_softmax(axis):
    for name in ("softmax", "log_softmax"):
        ours, theirs = getattr(special, name), getattr(scipy.special, name)
        got = at.jit(lambda a, f=ours: f(a, axis=axis))(MATRIX)
        np.testing.assert_allclose(got, theirs(MATRIX, axis=axis), rtol=1e-12)
    np.testing.assert_allclose(special.softmax(REAL + 1e4), scipy.special.softmax(REAL))


def test_polygamma_in_arrays_of_orders():
    n = np.array([[0], [1], [3]])
    got = at.jit(lambda n, x: special.polygamma(n, x))(n, SHARES)
    np.testing.assert_allclose(got, scipy.special.polygamma(n, SHARES), rtol=1e-13)
