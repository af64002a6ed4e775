"""The special functions with points to test them at; writes docs/special_functions.md.

Run ``python tests/special_cases.py`` to write the page anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.special
import scipy.stats
from autotrace.kernels import Program

import autotrace.scipy.special as special
import autotrace.scipy.stats as stats
from autotrace.core.trace import get_aval
from autotrace.transforms.stage import stage

PAGE = Path(__file__).resolve().parent.parent / "docs" / "special_functions.md"

A = np.array
POSITIVE = A([0.3, 1.2, 2.7, 4.1])
SHARES = A([0.1, 0.35, 0.6, 0.93])
REAL = A([-1.7, -0.4, 0.6, 2.3])
DEGREES = A([0, 1, 2, 5])
NEAR_0 = A([0.0, 1e-3, -0.04, 0.2])


class Case(NamedTuple):
    """A function, and where to evaluate it.

    Attributes:
      name: SciPy's.
      names: its arguments'.
      args: for each argument.
      smooth: the arguments to differentiate, by their numbers; the floating ones when None.
      refused: those of which the derivative is refused.
      params: arguments that are no arrays.
      order: up to which derivative it is smooth at the points.
    """

    name: str
    names: str
    args: tuple
    smooth: tuple[int, ...] | None = None
    refused: tuple[int, ...] = ()
    params: dict[str, Any] = {}  # noqa: RUF012
    order: int = 2

    @property
    def differentiated(self) -> tuple[int, ...]:
        if self.smooth is not None:
            return self.smooth
        floating = [i for i, a in enumerate(self.args) if a.dtype.kind == "f"]
        return tuple(i for i in floating if i not in self.refused)

    def ours(self, *args: Any) -> Any:
        return getattr(special, self.name)(*args, **self.params)

    def scipys(self, *args: Any) -> Any:
        with np.errstate(all="ignore"):
            return getattr(scipy.special, self.name)(*args, **self.params)


def _unary(names: str, points: np.ndarray, argument: str = "x") -> list[Case]:
    return [Case(name, argument, (points,)) for name in names.split()]


CASES: list[Case] = [
    # gamma
    *_unary("gamma gammaln loggamma rgamma psi digamma", POSITIVE),
    Case("factorial", "n", (POSITIVE,)),
    *_unary("gamma gammaln rgamma psi", A([-0.5, -1.3])),
    Case("rgamma", "x", (A([0.0, -1.0, -2.0]),), order=1),
    Case("gammasgn", "x", (REAL,), smooth=()),
    *[Case("polygamma", "n x", (A(n), POSITIVE), smooth=(1,)) for n in (0, 1, 2)],
    Case("polygamma", "n x", (DEGREES, POSITIVE), smooth=(1,)),
    Case("zeta", "x q", (A([1.5, 2.2, 5.0, 3.3]), POSITIVE)),
    Case("zeta", "x", (A([1.5, 2.2, 5.0, -2.5, 0.3]),)),
    Case("beta", "a b", (POSITIVE, SHARES)),
    Case("betaln", "a b", (A([0.5, 3.0, 20, 30, 9]), A([0.7, 50, 3.0, 40, 1e3]))),
    Case("poch", "z m", (POSITIVE, SHARES)),
    Case("binom", "n k", (POSITIVE + 5, SHARES)),
    Case("comb", "N k", (POSITIVE + 5, SHARES)),
    Case("perm", "N k", (POSITIVE + 5, SHARES)),
    Case("multigammaln", "a d", (POSITIVE + 3,), params={"d": 3}),
    Case("gammainc", "a x", (POSITIVE, 4 * SHARES)),
    Case("gammaincc", "a x", (POSITIVE, 4 * SHARES)),
    Case("gammaincinv", "a y", (POSITIVE, SHARES)),
    Case("gammainccinv", "a y", (POSITIVE, SHARES)),
    Case("betainc", "a b x", (POSITIVE, 3 * SHARES, SHARES[::-1])),
    Case("betaincc", "a b x", (POSITIVE, 3 * SHARES, SHARES[::-1])),
    Case("betaincinv", "a b y", (POSITIVE, 3 * SHARES, SHARES[::-1])),
    Case("betainccinv", "a b y", (POSITIVE, 3 * SHARES, SHARES[::-1])),
    # errors
    *_unary("erf erfc erfcx erfi dawsn ndtr log_ndtr", REAL),
    Case("log_ndtr", "x", (A([-40.0, -29, -31, -5, 0, 8]),)),
    *_unary("erfinv", SHARES),
    *_unary("ndtri", SHARES, "y"),
    Case("erfcinv", "y", (1.9 * SHARES,)),
    Case("ndtri_exp", "y", (-POSITIVE,)),
    Case("owens_t", "h a", (REAL, SHARES)),
    Case("voigt_profile", "x sigma gamma", (REAL, POSITIVE, SHARES)),
    Case("wofz", "z", (REAL + 1j * SHARES,), smooth=(0,)),
    # information
    Case("xlogy", "x y", (REAL, POSITIVE)),
    Case("xlog1py", "x y", (REAL, POSITIVE)),
    *_unary("entr logit", SHARES),
    Case("rel_entr", "x y", (POSITIVE, SHARES)),
    Case("kl_div", "x y", (POSITIVE, SHARES)),
    *_unary("expit log_expit softplus", REAL),
    Case("logsumexp", "a", (REAL,)),
    Case("softmax", "x", (REAL,)),
    Case("log_softmax", "x", (REAL,)),
    # Bessel
    *_unary("j0 j1 i0 i1 i0e i1e", REAL),
    *_unary("y0 y1 k0 k1 k0e k1e", POSITIVE),
    *[Case(n, "v x", (POSITIVE, 3 * SHARES), refused=(0,)) for n in "jv jn yv".split()],
    Case("iv", "v x", (POSITIVE, 3 * SHARES)),
    Case("iv", "v x", (-POSITIVE, 3 * SHARES)),
    Case("ive", "v x", (10 * POSITIVE, 30 * SHARES)),
    Case("kv", "v x", (POSITIVE, 3 * SHARES)),
    Case("kve", "v x", (-POSITIVE, 3 * SHARES)),
    Case("kn", "n x", (DEGREES, POSITIVE)),
    Case("yn", "n x", (DEGREES, POSITIVE)),
    *_unary("airy", REAL, "z"),
    *[Case(f"spherical_{n}n", "n z", (DEGREES, POSITIVE)) for n in "jyik"],
    # integrals
    *_unary("ellipk ellipe", A([0.0, 0.05, 0.11, -0.09, -3, 0.8]), "m"),
    *_unary("ellipkm1", A([0.01, 0.35, 0.89, 0.95]), "p"),
    Case("ellipkinc", "phi m", (REAL, SHARES)),
    Case("ellipkinc", "phi m", (REAL, NEAR_0)),
    Case("ellipeinc", "phi m", (REAL, SHARES)),
    Case("ellipeinc", "phi m", (REAL, NEAR_0)),
    Case("agm", "a b", (POSITIVE, A([0.1, 1.2, 0.6, 0.93]))),
    *_unary("expi fresnel", REAL),
    *_unary("exp1 sici shichi", POSITIVE),
    Case("expn", "n x", (DEGREES, POSITIVE)),
    Case("spence", "z", (A([0.2, 1, 1.03, 3]),)),
    Case("lambertw", "z", (POSITIVE + 0j,), smooth=(0,)),
    Case("lambertw", "z", (A([-0.2, -0.1]) + 0.1j,), smooth=(0,), params={"k": -1}),
    Case("wrightomega", "z", (REAL,)),
    # hypergeometric, polynomials
    Case("hyp0f1", "v z", (POSITIVE, SHARES), refused=(0,)),
    Case("hyp1f1", "a b x", (POSITIVE, POSITIVE, SHARES), refused=(0, 1)),
    Case("hyp2f1", "a b c z", (POSITIVE, SHARES, POSITIVE, SHARES * 0.8), refused=(0, 1, 2)),
    Case("hyperu", "a b x", (POSITIVE, POSITIVE, SHARES), refused=(0, 1)),
    *[
        Case(f"eval_{n}", "n x", (DEGREES, SHARES))
        for n in "legendre chebyt chebyu hermite hermitenorm laguerre sh_legendre sh_chebyt "
        "sh_chebyu".split()
    ],
    Case("eval_legendre", "n x", (DEGREES, A([1.0, -1, 1, -1]))),
    Case("eval_legendre", "n x", (POSITIVE, SHARES), refused=(0,)),
    Case("eval_genlaguerre", "n alpha x", (DEGREES, POSITIVE, SHARES), refused=(1,)),
    Case("eval_gegenbauer", "n alpha x", (DEGREES, POSITIVE, SHARES), refused=(1,)),
    Case("eval_jacobi", "n alpha beta x", (DEGREES, POSITIVE, REAL, SHARES), refused=(1, 2)),
    Case("legendre_p", "n z", (DEGREES, SHARES)),
    Case("sph_legendre_p", "n m theta", (A([1, 2, 3, 3]), A([0, 1, -2, 3]), REAL)),
    Case("sph_harm_y", "n m theta phi", (A([1, 2, 3, 3]), A([0, 1, -2, 3]), REAL, SHARES)),
    # elementary
    *_unary("cbrt exp2 exp10 expm1 cosm1 sindg cosdg tandg cotdg exprel sinc", REAL),
    Case("exprel", "x", (A([0, 0.3, 0.6, -0.2]),)),
    *_unary("log1p", POSITIVE),
    Case("powm1", "x y", (POSITIVE, REAL)),
    Case("radian", "d m s", (POSITIVE, SHARES, REAL)),
    Case("huber", "delta r", (POSITIVE, REAL)),
    Case("pseudo_huber", "delta r", (POSITIVE, REAL)),
    *[Case(n, "x lmbda", (POSITIVE, NEAR_0)) for n in "boxcox boxcox1p".split()],
    *[Case(n, "x lmbda", (POSITIVE, NEAR_0 * 0.5)) for n in "inv_boxcox inv_boxcox1p".split()],
    Case("inv_boxcox", "x lmbda", (POSITIVE, SHARES)),
    # distributions
    Case("chdtr", "v x", (POSITIVE, POSITIVE)),
    Case("chdtrc", "v x", (POSITIVE, POSITIVE)),
    Case("gdtr", "a b x", (POSITIVE, SHARES, POSITIVE)),
    Case("gdtrc", "a b x", (POSITIVE, SHARES, POSITIVE)),
    Case("pdtr", "k m", (A([0.0, 1, 2, 3]), POSITIVE), smooth=(1,)),
    Case("pdtrc", "k m", (A([0.0, 1, 2, 3]), POSITIVE), smooth=(1,)),
    Case("fdtr", "dfn dfd x", (POSITIVE, 9 * SHARES, POSITIVE)),
    Case("fdtrc", "dfn dfd x", (POSITIVE, 9 * SHARES, POSITIVE)),
    *[
        Case(n, "k n p", (A([0.0, 1, 2, 4]), A([4, 4, 5, 4]), SHARES), smooth=(2,))
        for n in ("bdtr", "bdtrc")
    ],
    *[
        Case(n, "k n p", (A([0, 1, 2, 4]), A([4, 4, 5, 4]), SHARES))
        for n in ("nbdtr", "nbdtrc")
    ],
    Case("stdtr", "df t", (POSITIVE, REAL)),
]  # fmt: skip


def case_id(case: Case) -> str:
    return case.name


# --- distributions -------------------------------------------------------------------------------

#: The shapes to test each continuous distribution with.
CONTINUOUS: dict[str, tuple] = {
    "norm": (), "cauchy": (), "laplace": (), "logistic": (), "gumbel_r": (), "gumbel_l": (),
    "t": (3.4,), "gennorm": (1.7,), "skewnorm": (1.3,), "exponnorm": (0.8,), "vonmises": (1.3,),
    "expon": (), "gamma": (2.3,), "invgamma": (2.7,), "chi2": (3.1,), "f": (3.2, 5.1),
    "halfnorm": (), "halfcauchy": (), "lognorm": (0.7,), "weibull_min": (1.6,), "rayleigh": (),
    "lomax": (1.7,), "pareto": (2.6,), "invgauss": (0.8,), "uniform": (), "beta": (2.2, 1.4),
    "powerlaw": (1.8,), "loguniform": (0.4, 3.1), "triang": (0.3,), "wrapcauchy": (0.4,),
    "truncnorm": (-0.7, 1.9), "nct": (3.4, 0.7),
}  # fmt: skip
#: The same for the discrete ones.
DISCRETE: dict[str, tuple] = {
    "bernoulli": (0.3,), "binom": (7.0, 0.4), "nbinom": (3.0, 0.4), "geom": (0.3,),
    "poisson": (2.3,), "betabinom": (7.0, 1.3, 2.1), "hypergeom": (20.0, 7.0, 12.0),
    "zipf": (2.3,), "randint": (2.0, 9.0), "logser": (0.6,),
}  # fmt: skip
#: How many of the first shapes are counts themselves, which are not differentiated.
WHOLE = {"binom": 1, "betabinom": 1, "nbinom": 1, "hypergeom": 3, "randint": 2}


# --- the page ------------------------------------------------------------------------------------


def host_steps(f: Callable, args: tuple) -> bool:
    """Whether a function of float64 arrays, compiled, calls NumPy or SciPy."""

    def flat(*xs: Any) -> list[Any]:
        out = f(*xs)
        return list(out) if isinstance(out, tuple) else [out]

    return bool(Program(stage(flat, [get_aval(x).strong() for x in args])).host_steps)


def _function_rows() -> Iterator[str]:
    rows: dict[str, tuple] = {}
    for case in CASES:
        names = case.names.split()
        derivatives = {names[i] for i in case.differentiated}
        refused = {names[i] for i in case.refused}
        found = rows.setdefault(case.name, (case, set(), set()))
        found[1].update(derivatives)
        found[2].update(refused)
    for name, (case, derivatives, refused) in sorted(rows.items()):
        names = case.names.split()
        how = "host step" if host_steps(case.ours, case.args) else "kernel"
        given = ", ".join(n for n in names if n in derivatives) or "none needed"
        never = ", ".join(n for n in names if n in refused) or ""
        yield f"| `{name}({', '.join(names)})` | {given} | {never} | {how} |"


def _distribution_rows() -> Iterator[str]:
    for name, shapes in sorted({**CONTINUOUS, **DISCRETE}.items()):
        family = getattr(stats, name)
        density = "logpdf" if name in CONTINUOUS else "logpmf"
        point = np.atleast_1d(np.asarray(getattr(scipy.stats, name).ppf(0.5, *shapes)))

        def how(method: str, x: Any, family: Any = family, shapes: tuple = shapes) -> str:
            def f(x: Any, *p: Any) -> Any:
                return getattr(family, method)(x, *p)

            args = (x, *map(np.float64, shapes))
            return "host step" if host_steps(f, args) else "kernel"

        cells = [how(density, point), how("cdf", point), how("ppf", A([0.5]))]
        closed = ", ".join(m for m in ("mean", "var", "entropy") if family.has(m))
        yield f"| `{name}({', '.join(family.shapes)})` | {' | '.join(cells)} | {closed} |"


_TEXT = """\
# Special functions and distributions

`autotrace.scipy.special` and `autotrace.scipy.stats` have SciPy's functions under SciPy's names,
for arrays and traced values. `scipy.special`'s ufuncs themselves may be called on traced values,
and do the same:

```python
import numpy as np
import scipy.special
import autotrace as at
from autotrace.scipy import special, stats

def log_likelihood(theta, x):
    a, b = np.exp(theta)
    return np.sum(stats.beta.logpdf(x, a, b))

x = np.array([0.2, 0.4, 0.7])
at.jit(at.value_and_grad(log_likelihood))(np.zeros(2), x)
at.grad(scipy.special.betainc)(2.0, 3.0, 0.5)       # in a, though SciPy has no such function
at.grad(special.kv)(0.5, 1.0)                       # in the order
```

- **Values are SciPy's**, or agree with them to some units in the last place where a *kernel*
  computes them: such functions fuse with what is around them. A *host step* calls SciPy from the
  compiled program.
- **Derivatives** are in closed form. Those of the incomplete gamma and beta functions in their
  parameters, of `kv` in its order, of `vonmises.cdf` in `kappa` and of `nct` are integrals,
  computed to some 1e-12, those of `iv` in its order a series of positive terms; they have
  derivatives of all orders, too. What has none is refused with `NonDifferentiableError`, which
  names the argument.
- **Limits are values**: `xlogy(0, 0)`, `entr(0)`, `log_ndtr(-1e10)`, densities beyond their
  support (0, with a derivative of 0), Box and Cox's transform at 0.
- Results have the dtype of SciPy's ufuncs; functions that are none, and the distributions, compute
  in the floating dtype of their arguments.
- `scipy.special`'s Python functions, such as `logsumexp` and `softmax`, and `scipy.stats`, do not
  work on traced values: call those of `autotrace.scipy`.
- `lambertw` and `wofz` take and give complex numbers; the others take real ones.

## Functions

This table is written by `python tests/special_cases.py`, and checked by the tests.

| function | derivative in | refused in | compiled as |
| --- | --- | --- | --- |
{functions}

Polynomials and Bessel functions take a derivative in `x` for any order; orders that are integers
have none. `spherical_*` want arguments above 0. `legendre_p`, `sph_legendre_p` and `sph_harm_y`
give no derivatives by `diff_n`: differentiate them; the last two need
SciPy 1.15. SciPy's numbers, `scipy.special.bernoulli` and `euler`, are as they are.

## Distributions

Each has `logpdf` and `pdf` (`logpmf` and `pmf`), `cdf`, `sf`, `logcdf`, `logsf`, `ppf`, `isf`,
`median`, `interval`, and the statistics in the last column, with `std` where `var` is; with `loc`
and `scale` as in SciPy. `norm(loc, scale)` and its like have the methods without parameters.
Quantiles without a formula are SciPy's numbers, with the derivative of an inverse function; those
of discrete distributions have no derivative. The columns say how `logpdf` (or `logpmf`), `cdf` and
`ppf` are compiled.

| distribution | density | cdf | ppf | statistics |
| --- | --- | --- | --- | --- |
{distributions}

The derivatives of `betabinom.cdf`, `hypergeom.cdf` and `logser.cdf` in their parameters are
refused.

There is no `rvs`: samples are quantiles of uniform numbers,
`stats.t.ppf(random.uniform(key, shape), df)` with a key of `autotrace.random`, with derivatives in
all parameters; the distributions that `autotrace.random` has itself are faster there.

`multivariate_normal`, `multivariate_t`, `dirichlet`, `wishart` and `multinomial` have their
densities, and `multivariate_normal` its `cdf`, with all derivatives in up to four dimensions;
`gaussian_kde` may be made of traced samples.
Of samples: `entropy`, `kurtosis`, `mode`, `moment`, `rankdata`, `sem`, `skew`, `zscore`.
"""


def render() -> str:
    """The page."""
    return _TEXT.format(
        functions="\n".join(_function_rows()), distributions="\n".join(_distribution_rows())
    )


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
