"""Python's ``math`` on traced numbers, and compiled code that takes numbers of its own accord."""

from __future__ import annotations

import cmath
import math
from math import sin

import numpy as np
import pytest
from scipy.integrate import quad

import autotrace as at
from autotrace.numpy.numbers import in_place_of_pythons
from autotrace.testing import check_grads

#: Arguments of each function, at which it has derivatives.
ARGUMENTS: dict[str, tuple] = {
    "acosh": (1.7,),
    "atan2": (0.6, -0.8),
    "copysign": (0.6, -0.8),
    "dist": ((0.6, 1.1), (-0.3, 0.2)),
    "fmod": (2.6, 0.8),
    "fsum": ((0.6, 1.1, -0.3),),
    "hypot": (0.6, 1.1, -0.3),
    "isclose": (0.6, 0.6 + 1e-12),
    "lgamma": (2.6,),
    "log": (2.6, 3.1),
    "pow": (2.6, 1.3),
}
NAMES = sorted(in_place_of_pythons)
PREDICATES = ("isclose", "isfinite", "isinf", "isnan")


def arguments(name):
    return ARGUMENTS.get(name, (0.6,))


@pytest.mark.parametrize("name", NAMES)
def test_values(name):
    args = arguments(name)
    want = getattr(math, name)(*args)
    got = at.jit(lambda *a: getattr(math, name)(*a))(*args)
    np.testing.assert_allclose(got, want, rtol=4e-15)
    assert np.asarray(got).dtype == (bool if name in PREDICATES else np.float64)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {*PREDICATES, "modf"}))
def test_derivatives(name):
    check_grads(lambda *a: getattr(math, name)(*a), arguments(name), order=2)


def test_of_parts():
    assert at.grad(lambda x: math.modf(x)[0] * x)(2.5) == 3.0
    assert at.grad(lambda x: math.floor(x) * x + math.ceil(x) * x + math.trunc(x))(2.5) == 5.0
    assert at.jit(lambda x: math.floor(x) % 7)(1e30) == math.floor(1e30) % 7


def test_more_arguments():
    assert at.jit(lambda x: math.isclose(x, 1.1, rel_tol=0.2))(1.0)
    assert not at.jit(lambda x: math.isclose(x, 1.1))(1.0)
    assert not at.jit(lambda x: math.isclose(x, math.inf))(1e308)
    assert at.jit(lambda x: math.isclose(x, math.inf))(math.inf)
    assert at.grad(lambda x: math.log(x))(2.0) == 0.5


def test_number_is_a_python_number():
    """It takes the other operand's dtype."""
    x = np.ones(3, np.float32)
    assert at.jit(lambda x, s: x * math.sqrt(s))(x, 2.0).dtype == np.float32
    assert at.jit(lambda x: math.sqrt(x[0]) * x)(x).dtype == np.float32


def test_of_nothing_traced():
    """Python's own function, also while something is traced."""

    def f(x):
        with pytest.raises(ValueError, match="math domain error"):
            math.sqrt(-1.0)
        made = np.array([4.0])
        return x * math.sqrt(9) * math.fsum(i for i in (1, 2)) * math.sqrt(made[0])

    assert at.grad(f)(1.0) == 18.0
    assert repr(math.sin) == "<built-in function sin>"


def test_under_vmap():
    x = np.linspace(0.1, 1, 4)
    np.testing.assert_allclose(
        at.vmap(lambda x: math.exp(x) + math.dist([x], [1]))(x), np.exp(x) + 1 - x
    )


def test_no_array():
    with pytest.raises(TypeError, match=r"math\.sin takes a real number, got f64\[3\]"):
        at.jit(lambda x: math.sin(x))(np.ones(3))


def _quad(x):
    return quad(lambda t: t * x, 0, 1)[0]


@pytest.mark.parametrize(
    "transform", [at.grad, lambda f: at.grad(at.jit(f)), lambda f: at.jit(at.grad(f))]
)
@pytest.mark.parametrize(
    ("function", "named"),
    [
        (sin, "math.sin"),
        (lambda x: sin(x), "math.sin"),
        (lambda x: cmath.exp(x).real, "cmath.exp"),
        (lambda x: sum(map(sin, [x])), "compiled code"),
        (lambda x: {"f": sin}["f"](x), "compiled code"),
        (_quad, "_qagse"),
    ],
)  # fmt: skip
def test_no_derivative_is_lost(transform, function, named):
    message = rf"(float|complex)\(\) by \S*{named}.* under grad"
    with pytest.raises(at.NonDifferentiableError, match=message):
        transform(function)(0.5)


def test_names_the_users_line():
    with pytest.raises(at.NonDifferentiableError, match=r"test_numbers\.py.*\n.*quad\("):
        at.grad(_quad)(0.5)


def test_asked_by_the_user():
    """A constant to the derivative, and no error."""
    kind, table = float, [0.0]

    def f(x):
        table[0] = float(x)
        return x * kind(x) * round(float(x)) * len(f"{x:.1f}") * len("%.1f" % x)  # noqa: UP031

    assert at.grad(f)(2.0) == 36.0
    assert table == [2.0]

    def loops(x):
        while float(np.sum(x)) < 20:  # a test that is compiled twice
            x = x * 2
        return x

    assert at.grad(loops)(2.0) == 16.0


def test_only_derivatives_are_lost():
    assert at.jit(lambda x: sin(x))(0.5) == math.sin(0.5)
    assert at.grad(lambda x, y: x * sin(y))(2.0, 0.5) == math.sin(0.5)
