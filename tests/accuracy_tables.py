"""How accurate sums, derivatives and special functions are; writes docs/accuracy.md.

Run ``python tests/accuracy_tables.py`` to write the page anew. Figures differ a little from one
processor to another, since the order of a sum follows the width of its vectors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import scipy.special
from mpmath import mp

import autotrace as at

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "accuracy.md"
VECMATH = ROOT / "docs" / "vecmath.md"

# --- units of the last place ---------------------------------------------------------------------


def units(found: Any, exact: Any, dtype: type = np.float64) -> float:
    """The distance from an exact number, in units of the last place of it as a float."""
    last = Fraction(float(np.spacing(abs(dtype(float(exact))))))
    return float(abs(Fraction(float(found)) - exact) / last)


def exact_sum(x: np.ndarray) -> Fraction:
    """The sum without rounding."""
    return sum(map(Fraction, x.ravel().astype(np.float64).tolist()), Fraction(0))


# --- sums ----------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
UNIFORM = RNG.uniform(size=100_000)
NORMAL = RNG.normal(size=100_000)
SINGLE = UNIFORM.astype(np.float32)
TABLE = RNG.uniform(size=(300, 300))


def _mean(x: np.ndarray) -> Fraction:
    return exact_sum(x) / x.size


def _variance(x: np.ndarray) -> Fraction:
    numbers = list(map(Fraction, x.tolist()))
    mean = sum(numbers) / x.size
    return sum((n - mean) ** 2 for n in numbers) / x.size


def _squares(x: np.ndarray) -> Fraction:
    return sum((Fraction(n) ** 2 for n in x.tolist()), Fraction(0))


def _logsumexp(x: np.ndarray) -> Fraction:
    with mp.workdps(40):
        return Fraction(str(mp.log(mp.fsum(mp.exp(mp.mpf(n)) for n in x.tolist()))))


def _shifted(x: np.ndarray) -> np.ndarray:
    return x[:10_000] + 1000.0


#: A row's name, what is computed, of which numbers, and exactly.
SUMS: dict[str, tuple[Callable, np.ndarray, Callable]] = {
    "`sum`, 100,000 uniform numbers": (np.sum, UNIFORM, exact_sum),
    "the same in float32": (np.sum, SINGLE, exact_sum),
    "`sum`, 100,000 normal numbers": (np.sum, NORMAL, exact_sum),
    "`sum` of 0.1, 100,000 times, float32": (np.sum, np.full(100_000, 0.1, np.float32), exact_sum),
    "`sum(axis=0)` of 300 x 300": (lambda x: np.sum(x, axis=0), TABLE, lambda x: x.T),
    "`sum(axis=1)` of 300 x 300": (lambda x: np.sum(x, axis=1), TABLE, lambda x: x),
    "`mean`, 100,000 uniform numbers": (np.mean, UNIFORM, _mean),
    "`var`, 10,000 numbers around 1000": (np.var, _shifted(NORMAL), _variance),
    "`sum(x * x)`, 100,000 normal numbers": (lambda x: np.sum(x * x), NORMAL, _squares),
    "`x @ x`, by BLAS": (lambda x: x @ x, NORMAL, _squares),
    "`cumsum(x)[-1]`, 100,000 uniform numbers": (lambda x: np.cumsum(x)[-1], UNIFORM, exact_sum),
    "`logaddexp.reduce`, 1000 normal numbers": (np.logaddexp.reduce, NORMAL[:1000], _logsumexp),
}


def sum_errors(name: str) -> tuple[float, float]:
    """The largest errors of NumPy and of compiled code."""
    function, x, exactly = SUMS[name]
    right = exactly(x)
    lines = [exact_sum(row) for row in right] if isinstance(right, np.ndarray) else [right]

    def worst(found: Any) -> float:
        found = np.atleast_1d(found)
        return max(units(a, b, x.dtype.type) for a, b in zip(found, lines, strict=True))

    return worst(function(x)), worst(at.jit(function)(x))


# --- derivatives ---------------------------------------------------------------------------------


def _damped(x: Any) -> Any:
    return np.sin(3 * x) * np.exp(-x * x) / (1 + x * x)


def _iterated(x: Any) -> Any:
    for _ in range(20):
        x = x - 0.1 * np.tanh(x)
    return x


def _mp_iterated(x: Any) -> Any:
    for _ in range(20):
        x = x - mp.tanh(x) / 10
    return x


#: A row's name: the function, the same of mpmath, and the ends of where it is looked at.
DERIVATIVES: dict[str, tuple[Callable, Callable, float, float]] = {
    "exp": (np.exp, mp.exp, -5, 5),
    "log": (np.log, mp.log, 0.01, 10),
    "sin": (np.sin, mp.sin, -1.4, 1.4),
    "tanh": (np.tanh, mp.tanh, -3, 3),
    "arctan": (np.arctan, mp.atan, -3, 3),
    "x**1.5": (lambda x: x**1.5, lambda x: x ** mp.mpf(1.5), 0.1, 5),
    "logaddexp(0, x)": (lambda x: np.logaddexp(0.0, x), lambda x: mp.log1p(mp.exp(x)), -5, 5),
    "erf": (scipy.special.erf, mp.erf, -2, 2),
    "gammaln": (scipy.special.gammaln, mp.loggamma, 2, 9),
    "sin(3x) exp(-x²) / (1 + x²)": (
        _damped, lambda x: mp.sin(3 * x) * mp.exp(-x * x) / (1 + x * x), 0.6, 1.0,
    ),
    "20 turns of x - tanh(x)/10": (_iterated, _mp_iterated, 0.5, 3),
}  # fmt: skip


def derivative_errors(name: str, count: int = 24) -> tuple[float, float, float, float]:
    """The largest relative errors of central differences, forward mode, compiled reverse mode, and
    the second derivative, forward over reverse."""
    function, exactly, low, high = DERIVATIVES[name]
    x = np.linspace(low, high, count)
    with mp.workdps(40):
        right = [(mp.diff(exactly, mp.mpf(p)), mp.diff(exactly, mp.mpf(p), 2)) for p in x.tolist()]

    def worst(found: Any, order: int) -> float:
        with mp.workdps(40):
            return float(
                max(abs((f - r[order]) / r[order]) for f, r in zip(found, right, strict=True))
            )

    step = 6e-6
    slope = at.elementwise_grad(function)
    _, forward = at.jvp(function, (x,), (np.ones_like(x),))
    _, second = at.jvp(slope, (x,), (np.ones_like(x),))
    differences = (function(x + step) - function(x - step)) / (2 * step)
    return worst(differences, 0), worst(forward, 0), worst(at.jit(slope)(x), 0), worst(second, 1)


# --- elementary functions ------------------------------------------------------------------------


def elementary() -> dict[tuple[str, str], float]:
    """The largest error of each elementary function, by name and dtype, as docs/vecmath.md has
    them."""
    rows = re.findall(
        r"^\| (\w+) \| (float\d\d) \| ([\d.]+) \|", VECMATH.read_text(encoding="utf-8"), re.M
    )
    return {(name, dtype): float(error) for name, dtype, error in rows}


#: The classes of the summary: up to how many units.
CLASSES = (1.0, 1.5, 2.0, 4.0)


def _elementary_rows() -> Iterator[str]:
    found = elementary()
    below = 0.0
    for bound in CLASSES:
        cells = []
        for dtype in ("float64", "float32"):
            names = [n for (n, d), e in found.items() if d == dtype and below < e <= bound]
            cells.append(", ".join(f"`{n}`" for n in names))
        yield f"| ≤\u00a0{bound:g} | {cells[0]} | {cells[1]} |"
        below = bound


# --- the page ------------------------------------------------------------------------------------

_TEXT = """\
# Accuracy

What is promised of results, and what was measured. This page is written by
`python tests/accuracy_tables.py`; the tests check that its tables hold.

An error is given in *units of the last place* (ULP) of the exact result as a number of that dtype:
0.5 is a correctly rounded result. float64 has about 16 digits, float32 about 7.

## Elementary functions

Compiled code has functions of its own, made for vectors. Their largest errors, over random numbers
of the whole range and the difficult places, are:

| ULP | float64 | float32 |
| --- | --- | --- |
{elementary}

[vecmath.md](vecmath.md) has each one's largest and mean error, where it is, and the time. Without
`jit`, and with `backend="numpy"`, they are NumPy's, which are within 4 ULP.
What is rounded correctly in NumPy is so in compiled code: `+`, `-`, `*`, `/`, `sqrt`, `floor`,
comparisons, conversions. No flag lets the compiler change a formula; the terms of a sum are the one
thing that is taken in another order.

## Sums

Compiled sums are added in blocks of 512, in any order within them, and the blocks with compensation
(Neumaier, 1974). NumPy adds pairwise along the last axis and one row after the other along the
others. So short sums are about as accurate as NumPy's, and long ones more. Errors in ULP:

| what | NumPy | compiled |
| --- | ---: | ---: |
{sums}

Sums of numbers of both signs that nearly cancel have few digits, in any order: the error is then
small beside the sum of the absolute values, and not beside the result. Matrix products are BLAS's.
Results do not depend on the number of threads.

## Derivatives

A derivative is a formula, evaluated with the same rounding as the function. There is no step size.
The largest relative errors over 24 points, against derivatives of 40 digits (mpmath), beside those
of central differences with the step that `check_grads` takes:

| function | central differences | forward | reverse, compiled | second derivative |
| --- | ---: | ---: | ---: | ---: |
{derivatives}

The derivative of `tanh` is `1 - tanh(x)**2`, which loses digits where `tanh` is close to 1; its
absolute error is small. Where a derivative has a zero, its relative error there has no bound.

**How they are checked.** Each primitive is crossed with each rule by the test suite: forward mode
against central differences, reverse mode against forward mode (`<ct, J t> = <J^T ct, t>`), each of
them to the second order, batched and not, compiled and interpreted. The same check is
`autotrace.testing.check_grads` for functions of yours:

```python
>>> import numpy as np
>>> import autotrace as at
>>> at.testing.check_grads(lambda x: np.sum(np.tanh(x) ** 2), (np.array([0.3, -1.0]),), order=2)
```

NumPy's functions are checked likewise, [one by one](numpy_coverage.md), and so are
[SciPy's](special_functions.md), those of `autotrace.nn`, and samples of `autotrace.random` in their
parameters. A test holds that each public function has an example, or a reason why there is none.

## Special functions

Values are SciPy's, or those of kernels that agree with SciPy to some ULP
([special_functions.md](special_functions.md) says which is which). Derivatives are closed forms of
such functions. Those of the incomplete gamma and beta functions in their parameters, and of `kv` in
its order, are integrals, right to some 1e-12.

## Linear algebra

Factors, eigenvalues and solutions are LAPACK's, so errors grow with the condition of the matrix as
everywhere. Derivatives of eigenvectors grow with the inverse distance of the eigenvalues
([sharp_bits.md](sharp_bits.md#equal-eigenvalues)).

## Checking a program

```python
>>> f = at.jit(lambda x: np.sum(np.exp(-x * x)))
>>> with at.config.override("check_kernels", True):
...     _ = f(np.linspace(0.0, 1.0, 100))
```

compares each compiled result with NumPy's, and names the operation that differs.
"""


def _sum_rows() -> Iterator[str]:
    for name in SUMS:
        numpys, ours = sum_errors(name)
        yield f"| {name} | {numpys:.1f} | {ours:.1f} |"


def _derivative_rows() -> Iterator[str]:
    for name in DERIVATIVES:
        cells = " | ".join(f"{error:.0e}" for error in derivative_errors(name))
        yield f"| `{name}` | {cells} |"


def render() -> str:
    """The page."""
    return _TEXT.format(
        elementary="\n".join(_elementary_rows()),
        sums="\n".join(_sum_rows()),
        derivatives="\n".join(_derivative_rows()),
    )


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
