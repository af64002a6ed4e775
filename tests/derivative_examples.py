"""An example of each public function for its derivatives, or the reason why it has none.

Most examples are those of the tables that other tests go over: NumPy's functions
(numpy_coverage.py), special functions and distributions (special_cases.py), SciPy's other
namespaces (scipy_cases.py, linalg_cases.py, stats_cases.py), samplers (random_cases.py). What these
do not have is here.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import linalg_cases
import numpy as np
import numpy_coverage
import random_cases
import scipy.stats
import scipy_cases
import special_cases
import stats_cases
from numpy_checks import leaves

import autotrace as at
from autotrace import nn, random
from autotrace import numpy as anp
from autotrace.numpy.host import reasons
from autotrace.scipy import (
    fft,
    integrate,
    interpolate,
    linalg,
    ndimage,
    optimize,
    signal,
    special,
    stats,
)
from autotrace.scipy.cluster import vq
from autotrace.scipy.sparse import linalg as sparse_linalg
from autotrace.scipy.spatial import transform

#: The namespaces by name.
SPACES: dict[str, types.ModuleType] = {
    "numpy": anp,
    "numpy.linalg": anp.linalg,
    "numpy.fft": anp.fft,
    "scipy.cluster.vq": vq,
    "scipy.fft": fft,
    "scipy.integrate": integrate,
    "scipy.interpolate": interpolate,
    "scipy.linalg": linalg,
    "scipy.ndimage": ndimage,
    "scipy.optimize": optimize,
    "scipy.signal": signal,
    "scipy.sparse.linalg": sparse_linalg,
    "scipy.spatial.transform": transform,
    "scipy.special": special,
    "scipy.stats": stats,
    "nn": nn,
    "nn.initializers": nn.initializers,
    "random": random,
}


def public_names() -> set[str]:
    """The public functions, each with its namespace, and the classes that are used like one."""
    names = {
        f"{space}.{name}"
        for space, module in SPACES.items()
        for name in module.__all__
        if not space.startswith("numpy") and _is_function(getattr(module, name))
    }
    return names | {f"numpy.{n}" for n in numpy_coverage.function_names() if n not in reasons}


def _is_function(value: Any) -> bool:
    error = isinstance(value, type) and issubclass(value, Exception)
    return callable(value) and not error


class Example(NamedTuple):
    """A function, and where to differentiate it.

    Attributes:
      names: the public functions that it calls, each with its namespace.
      call: the function, of arrays.
      args: the arrays; those that are integers or booleans stay as they are.
      tolerance: of derivatives.
      eps: the step of the differences; ``check_grads``'s when None.
    """

    names: tuple[str, ...]
    call: Callable
    args: tuple
    tolerance: float = 1e-4
    eps: float | None = None

    def smooth(self) -> tuple[Callable, tuple]:
        """The function of its floating arguments to its floating results, and these arguments."""
        places = [n for n, x in enumerate(self.args) if numpy_coverage.is_inexact(x)]

        def of_floats(*values: Any) -> list[Any]:
            given = list(self.args)
            for place, value in zip(places, values, strict=True):
                given[place] = value
            return [x for x in leaves(self.call(*given)) if numpy_coverage.is_inexact(x)]

        return of_floats, tuple(self.args[n] for n in places)


# --- the examples that are here only -------------------------------------------------------------

rng = np.random.default_rng(1)


def real(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


KEY = random.key(3)
MATRIX = real(3, 3) + 3 * np.eye(3)
KNOTS, PLACES = scipy_cases.KNOTS, np.array([0.31, 1.2, 2.2])
GRID = np.array([0.0, 1.0, 3.0, 3.5, 4.0]), np.array([-1.0, 0.0, 0.5, 2.0])
#: Where no activation has a kink.
POINTS = np.array([-4.1, -1.7, -0.6, -0.2, 0.3, 0.8, 1.4, 2.7, 5.2, 7.3])


def _quartic(x: Any, a: Any) -> Any:
    return np.sum((x - a) ** 4 + 0.7 * (x[0] * x[1] - x) ** 2 + x**2)


def _pendulum(y: Any, t: Any, a: Any) -> Any:
    return np.stack([y[1], -a * np.sin(y[0]) + 0.1 * t])


def _odeint(s: Any, y: Any, a: Any) -> Any:
    """In compiled code: where nothing is traced it is SciPy's."""
    times = np.array([0.0, 0.2])
    return at.jit(lambda y, a: s.odeint(_pendulum, y, times, (a,), h0=0.1))(y, a)


def _solve_ivp(s: Any, y: Any, a: Any, end: Any) -> Any:
    @at.jit
    def last(y: Any, a: Any, end: Any) -> Any:
        slopes = lambda t, y: _pendulum(y, t, a)  # noqa: E731
        return s.solve_ivp(slopes, (0.0, end), y, first_step=0.1).y[:, -1]

    return last(y, a, end)


def _rotation(s: Any, quat: Any, vector: Any) -> list[Any]:
    r = s.Rotation.from_quat(quat)
    forms = [r.as_matrix(), r.as_rotvec(), r.as_mrp(), r.as_euler("xyz"), r.as_quat()]
    return [*forms, r.apply(vector), r.magnitude(), (r * r**0.3).as_matrix(), r.inv().as_quat()]


def _slerp(s: Any, times: Any, quats: Any, places: Any) -> Any:
    return s.Slerp(times, s.Rotation.from_quat(quats))(places).as_matrix()


def _spline(p: Any, places: Any) -> list[Any]:
    return [p(places), p(places, 1), p.antiderivative()(places), p.integrate(0.2, 0.6)]


def _minimum(s: Any, a: Any) -> Any:
    """Which has half of the digits."""
    return s.minimize_scalar(lambda x, a: np.cosh(x - a) + 0.1 * x**2, args=(a,), tol=1e-12).x


def _definite(s: np.ndarray) -> np.ndarray:
    return s[:, None] * (MATRIX @ MATRIX.T + np.eye(3)) * s


#: By namespace: functions of it and of arrays, with the arrays.
HERE: dict[str, list[tuple]] = {
    "scipy.linalg": [
        (lambda s, a: s.signm(a), np.diag([1.0, -2.0, 3.0]) + 0.2 * real(3, 3)),
        (lambda s, a: np.sum(s.eigvals(a) ** 3), MATRIX),
        (lambda s, a: np.sum(s.eig(a)[0] ** 3), MATRIX),
        (lambda s, ab: s.eig_banded(ab)[1] ** 2, linalg_cases.H_BANDS),
        (lambda s, a, q: s.solve_lyapunov(a, q), MATRIX, real(3, 3)),
        (lambda s, a: s.orth(a), real(4, 3)),
        (lambda s, a, b: s.cho_solve(s.cho_factor(a), b), linalg_cases.P, real(3)),
    ],
    "scipy.fft": [
        *[
            (lambda s, x, f=f, n=n, o=o: getattr(s, f)(x, n, norm=o), real(2, 5))
            for f in ("dct", "idct", "dst", "idst")
            for n in (1, 2, 3, 4)
            for o in ("backward", "ortho")
        ],
    ],
    "scipy.integrate": [
        (lambda s, y, x: s.cumulative_simpson(y, x=x), real(2, 6), scipy_cases.PLACES),
        (lambda s, a, b, p: s.fixed_quad(lambda x: np.exp(p * x), a, b, n=9)[0], 0.5, 2.0, 0.7),
        (_odeint, np.array([0.6, -0.2]), 1.3),
        (_solve_ivp, np.array([0.6, -0.2]), 1.3, 0.2),
    ],
    "scipy.interpolate": [
        (lambda s, c, x, p: _spline(s.PPoly(c, x), p), real(3, 5, 2), KNOTS, PLACES),
        (lambda s, t, c, p: _spline(s.BSpline(t, c, 2), p),
         np.array([-0.5, -0.3, 0.0, 0.7, 1.5, 2.5, 3.0, 3.3]), real(5, 2), PLACES),
        *[(lambda s, x, y, p, k=k: _spline(s.make_interp_spline(x, y, k), p)[k == 1 :: 2],
           KNOTS, real(6), PLACES) for k in (1, 2, 3, 4, 5)],
        *[(lambda s, x, y, p, b=b: s.make_interp_spline(x, y, bc_type=b)(p), KNOTS, real(6), PLACES)
          for b in ("natural", ("clamped", [(2, 0.4)]))],
        *[(lambda s, x, y, p, k=k: s.make_interp_spline(x, np.concatenate([y, y[:1]]), k,
                                                        bc_type="periodic")(p),
           np.arange(8.0) ** 1.1, real(7), PLACES) for k in (2, 3, 4)],
        *[(lambda s, x, y, v, p, m=m: s.RegularGridInterpolator((x, y), v, m)(p),
           *GRID, real(5, 4), np.array([[0.4, 0.2], [3.2, -0.7], [1.9, 1.1]]))
          for m in ("linear", "slinear", "cubic", "pchip")],
        (lambda s, x, y, v, p: s.interpn((x, y), v, p),
         *GRID, real(5, 4, 2), np.array([[0.4, 0.2], [3.2, -0.7]])),
    ],
    "scipy.optimize": [
        (lambda s, a: s.minimize(_quartic, np.ones(2), args=(a,), options={"gtol": 1e-11}).x,
         np.array([1.0, 2.0])),
        (_minimum, 2.0),
        (lambda s, a: s.root(lambda x, a: np.stack([x[0] + x[1] ** 3 - a, x[0] ** 3 - x[1] + a]),
                             [1.0, 0.5], args=(a,), tol=1e-13).x, 0.7),
        *[(lambda s, a, f=f: f(s, lambda x: np.exp(x) - np.sin(x) - a), 2.0) for f in (
            lambda s, f: s.brentq(f, 0.0, 9.0, xtol=1e-14),
            lambda s, f: s.newton(f, 1.0, tol=1e-14),
            lambda s, f: s.root_scalar(f, bracket=(0.0, 9.0), xtol=1e-14).root,
        )],
        (lambda s, t, y: s.least_squares(lambda p: p[0] * np.exp(-p[1] * t) - y, np.ones(2),
                                         xtol=1e-14, ftol=1e-14, gtol=1e-14).x,
         scipy_cases.PLACES, 1.4 * np.exp(-0.6 * scipy_cases.PLACES) + 0.01 * real(6)),
        (lambda s, t, y: s.curve_fit(lambda t, a, b: a * np.exp(-b * t), t, y, np.ones(2),
                                     xtol=1e-14, ftol=1e-14, gtol=1e-14)[0],
         scipy_cases.PLACES, 1.4 * np.exp(-0.6 * scipy_cases.PLACES) + 0.01 * real(6)),
    ],
    "scipy.sparse.linalg": [
        (lambda s, d, b: s.cg(_definite(d), b, tol=1e-13)[0], np.linspace(1, 2, 3), real(3)),
        *[(lambda s, a, b, f=f: getattr(s, f)(a, b, tol=1e-13)[0], MATRIX, real(3))
          for f in ("bicgstab", "gmres")],
    ],
    "scipy.spatial.transform": [
        (_rotation, real(4), real(3)),
        (_rotation, real(2, 4), real(2, 3)),
        (lambda s, v: s.Rotation.from_rotvec(v).as_matrix(), np.zeros(3)),
        (lambda s, v: s.Rotation.from_mrp(v).as_matrix(), real(3)),
        (lambda s, v: s.Rotation.from_euler("zxz", v).as_matrix(), real(3)),
        (lambda s, v: s.Rotation.from_rotvec(v).mean().as_matrix(), real(4, 3)),
        (_slerp, np.array([0.0, 1.0, 3.0]), real(3, 4), np.array([0.2, 0.7, 2.2])),
    ],
    "scipy.stats": [
        (lambda s, p: s.multinomial.logpmf([1, 2, 3], 6, p), np.array([0.2, 0.3, 0.5])),
        (lambda s, x, m, c: s.multivariate_normal.cdf(x, m, c @ c.T + np.eye(2)),
         real(2), real(2), real(2, 2)),
    ],
    "nn": [
        *[(lambda s, x, f=f: getattr(s, f)(x), POINTS) for f in (
            "celu elu gelu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu "
            "log_sigmoid log_softmax logmeanexp logsumexp mish relu relu6 selu sigmoid silu "
            "soft_sign softmax softplus sparse_plus sparse_sigmoid squareplus standardize swish "
            "tanh glu").split()],
        (lambda s, x: s.gelu(x, approximate=False), POINTS),
        (lambda s, x: s.softmax(x, 0, where=np.arange(10) != 3), POINTS),
        (lambda s, x, a: s.elu(x, a), POINTS, 0.7),
        (lambda s, x, a: s.celu(x, a), POINTS, 0.7),
        (lambda s, x, a: s.leaky_relu(x, a), POINTS, 0.7),
        (lambda s, x, b: s.squareplus(x, b), POINTS, 0.7),
        (lambda s, x, m, v: s.standardize(x, 0, m, v), POINTS, 0.7, 1.3),
        *[(lambda s, x, f=f: getattr(s, f)(x, (2, 3), (2, 1), "SAME"),
           rng.permutation(60).reshape(1, 4, 5, 3) / 9.0)
          for f in ("avg_pool", "max_pool", "min_pool")],
        (lambda s, q, k, v, b: s.dot_product_attention(q, k, v, b, is_causal=True),
         real(2, 3, 4, 2), real(2, 3, 2, 2), real(2, 3, 2, 3), real(4, 3, 3)),
    ],
    "random": [
        *[(lambda s, *p, n=n: getattr(s, n)(KEY, **dict(zip(random_cases.SMOOTH[n], p,
                                                                strict=True)), shape=2),
           *[np.array([x, 1.1 * x]) for x in random_cases.SMOOTH[n].values()])
          for n in random_cases.SMOOTH],
        *[(lambda s, m, c, how=how: s.multivariate_normal(KEY, m, c @ c.T + np.eye(2), (3,),
                                                          method=how), real(2), real(2, 2))
          for how in ("cholesky", "eigh", "svd")],
        (lambda s, x: s.permutation(KEY, x), real(5)),
        (lambda s, x: s.shuffle(KEY, x), real(5)),
        (lambda s, x: s.choice(KEY, x, (4,)), real(5)),
    ],
}  # fmt: skip


# --- all of them ---------------------------------------------------------------------------------


class _Asked:
    """A namespace that remembers what it was asked for."""

    def __init__(self, space: str):
        self._space, self.names = space, dict[str, None]()

    def __getattr__(self, name: str) -> Any:
        self.names[f"{self._space}.{name}"] = None
        return getattr(SPACES[self._space], name)


def _of_space(space: str, function: Callable, args: tuple, **rest: Any) -> Example:
    asked = _Asked(space)
    function(asked, *args)
    return Example(tuple(asked.names), lambda *xs: function(SPACES[space], *xs), args, **rest)


def _of_numpy() -> Iterator[Example]:
    for name, expression in numpy_coverage.examples().items():
        if name == "nextafter":
            continue
        function, names = numpy_coverage.function_of(expression)
        given = numpy_coverage.inputs(0)
        yield Example((f"numpy.{name}",), function, tuple(given[n] for n in names))


def _of_special() -> Iterator[Example]:
    for case in special_cases.CASES:
        if case.differentiated and case.order == 2:
            args = [x if n in case.differentiated else np.asarray(x) for n, x in
                    enumerate(case.args)]  # fmt: skip
            yield Example((f"scipy.special.{case.name}",), *_fixing(case.ours, args, case), 1e-5)


def _fixing(function: Callable, args: list, case: special_cases.Case) -> tuple[Callable, tuple]:
    """A function of those arguments that are differentiated."""

    def of_some(*values: Any) -> Any:
        full = list(args)
        for place, value in zip(case.differentiated, values, strict=True):
            full[place] = value
        return function(*full)

    return of_some, tuple(args[n] for n in case.differentiated)


METHODS = ("cdf", "sf", "logcdf", "logsf", "ppf", "isf")
STATISTICS = ("mean", "var", "std", "entropy", "median")

#: The methods of discrete distributions of which the derivative is refused, as the page says.
REFUSED_METHODS = {
    (name, method)
    for name in ("betabinom", "logser")
    for method in ("cdf", "sf", "logcdf", "logsf")
}


def _of_distributions() -> Iterator[Example]:
    shares = special_cases.SHARES
    for name, shapes in special_cases.CONTINUOUS.items():
        plain = getattr(scipy.stats, name)(*shapes, loc=0.3, scale=1.4)
        places = np.array([-1.0, 0.2, 0.9, 2.0]) if name == "vonmises" else plain.ppf(shares)
        for method in ("pdf", "logpdf", *METHODS, *STATISTICS):
            before = () if method in STATISTICS else (shares if method in METHODS[4:] else places,)
            args = (*before, *map(np.float64, (*shapes, 0.3, 1.4)))
            yield from _of_method(name, method, args)
    for name, shapes in special_cases.DISCRETE.items():
        count = special_cases.WHOLE.get(name, 0)
        whole, parameters = shapes[:count], tuple(map(np.float64, shapes[count:]))
        for method in ("pmf", "logpmf", *METHODS[:4], *STATISTICS[:4]):
            counts = [1, 2, 4] if name != "bernoulli" else [0, 1] if "pmf" in method else [0]
            before = () if method in STATISTICS else (np.array(counts),)
            if parameters:
                yield from _of_method(name, method, (*before, *map(int, whole), *parameters))


def _of_method(name: str, method: str, args: tuple) -> Iterator[Example]:
    family = getattr(stats, name)
    if family.has(method.replace("std", "var")) and (name, method) not in REFUSED_METHODS:
        yield Example((f"scipy.stats.{name}",), getattr(family, method), args, 1e-5)


@functools.cache
def examples() -> list[Example]:
    """All examples."""
    with at.config.override("backend", "numpy"):  # which has nothing to compile
        return [*_of_numpy(), *_of_special(), *_of_distributions(), *_of_tables(), *_of_here()]


def _of_tables() -> Iterator[Example]:
    tables = {
        "scipy.signal": scipy_cases.SIGNAL,
        "scipy.ndimage": scipy_cases.NDIMAGE,
        "scipy.fft": scipy_cases.FFT,
        "scipy.integrate": scipy_cases.INTEGRATE,
        "scipy.cluster.vq": scipy_cases.VQ,
    }
    for space, cases in tables.items():
        for name, args, options in cases:
            call = functools.partial(getattr(SPACES[space], name), **options)
            yield Example((f"{space}.{name}",), call, args)
    for name, args, options in scipy_cases.SPLINES:

        def spline(s: Any, *xs: Any, name: str = name, options: dict = options) -> Any:
            return getattr(s, name)(*xs[:-1], **options)(xs[-1])

        inside = PLACES[args[0][-1] > PLACES]
        yield _of_space("scipy.interpolate", spline, (*args, inside))
    for _, function, *args in linalg_cases.SMOOTH:
        yield _of_space("scipy.linalg", function, tuple(args))
    for function, *args in stats_cases.VECTORS.values():
        yield _of_space("scipy.stats", function, tuple(args))


def _of_here() -> Iterator[Example]:
    for space, rows in HERE.items():
        for function, *args in rows:
            rest = {"eps": 1e-3} if function is _minimum else {}
            yield _of_space(space, function, tuple(args), **rest)


def _random(names: str) -> str:
    return " ".join(f"random.{n}" for n in names.split())


#: Of which the derivative is refused: how to ask for it.
REFUSED: dict[str, Callable] = {
    "scipy.linalg.schur": lambda a: linalg.schur(a)[0],
    "scipy.linalg.hessenberg": linalg.hessenberg,
    "scipy.linalg.rsf2csf": lambda a: linalg.rsf2csf(a, np.eye(3))[0].real,
    "scipy.linalg.null_space": lambda a: linalg.null_space(a[:2]),
}

#: Why there is neither an example nor a refusal.
REASONS = {
    "its derivative is 0, for what it is used for": "numpy.nextafter",
    "it makes or counts whole numbers": "scipy.special.bernoulli scipy.special.euler "
    "scipy.special.gammasgn scipy.fft.next_fast_len scipy.fft.fftfreq scipy.fft.rfftfreq "
    "scipy.stats.randint scipy.stats.hypergeom scipy.stats.mode scipy.stats.rankdata nn.one_hot",
    "it is SciPy's own, of numbers alone": "scipy.linalg.dft scipy.linalg.hadamard "
    "scipy.linalg.helmert scipy.linalg.hilbert scipy.linalg.invhilbert scipy.linalg.invpascal "
    "scipy.linalg.pascal",
    "it makes an operator of SciPy": "scipy.sparse.linalg.jacobian_operator",
    "it has no parameter to differentiate in": _random(
        "cauchy exponential gumbel laplace logistic maxwell normal orthogonal"
    ),
    "its samples are whole numbers": _random(
        "bernoulli binomial bits categorical geometric multinomial poisson rademacher randint"
    ),
    # random/test_gamma.py checks this.
    "its samples are found by rejection, and have the derivative of a quantile": _random(
        "ball beta chisquare dirichlet f gamma generalized_normal loggamma t"
    ),
    "it is of keys": _random(" ".join(random_cases.NO_SAMPLERS)),
    "it makes a function of keys": " ".join(
        f"nn.initializers.{n}" for n in nn.initializers.__all__
    ),
}
