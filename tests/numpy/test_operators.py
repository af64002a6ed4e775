"""Python's operators on traced numbers: what they make is what Python makes of numbers."""

from __future__ import annotations

import numpy as np
import pytest

import autotrace as at

#: Of x = 2.5 and n = 3, Python's own numbers, and of p and q, a float32 and a list.
EXPRESSIONS = {
    "counting": lambda x, n: (
        (x > 1) + (n > 1),
        True + (x > 1),
        (x > 1) - (n > 5),
        (x > 1) * (n > 1),
        (x > 1) / (n > 1),
        (x > 1) // (n > 1),
        (x > 1) ** 2,
        (x > 1) << (n > 1),
        -(x > 1),
        abs(x > 1),
        +(x > 1),
        divmod(x > 1, True)[0],
        round(x > 1),
        sum([x > 1, x > 2, n > 5]),
    ),
    "logic": lambda x, n: ((x > 1) & (n > 1), (x > 1) | True, (x > 1) ^ (n > 5), not x > 1),
    "dtypes": lambda x, n: (
        np.float32(2) * (x + True),
        np.float32(2) * ((x > 1) + (n > 1)),
        np.float32(2) * round(x),
        np.float32(2) * round(x, 1),
        np.float32(2) * divmod(x, 1)[1],
        np.float32(2) * divmod(7, x)[0],
        (x > 1) * np.array([1, 2], np.int8),
        (x > 1) / np.float32(2),
    ),
    "arrays' bools": lambda x, n: (
        (x > 1) + np.True_,
        (x > 1) + np.array([True, False]),
        np.add(x > 1, n > 1),
        np.logical_not(x > 1) + np.logical_not(x > 5),
    ),
    "repetition": lambda x, n: ([x, 1.0] * n, n * [0], (x,) * n),
    "rounding": lambda x, n: (
        len(range(round(x / 0.1))),
        [5, 6, 7, 8][round(x)],
        np.zeros(round(x * 2)),
        np.arange(9.0)[round(x)],
        round(n),
        round(x) / 2,
    ),
}


def same(got, want):
    if isinstance(want, tuple | list):
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            same(g, w)
        return
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_python_numbers(name):
    """Compiled, and with numbers that have derivatives, as without a transform."""
    expression = EXPRESSIONS[name]
    want = expression(2.5, 3)
    jitted = at.jit(expression)
    same(jitted(2.5, 3), want)
    same(jitted(2.5, 3), want)
    same(at.jvp(lambda x: expression(x, 3), (2.5,), (1.0,))[0], want)


@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_round_of_numpys_scalars(number):
    x = number(2.4)
    jitted = at.jit(lambda x: (round(x), round(x, 1), len(range(round(x)))))
    same(jitted(x), (round(x), round(x, 1), 2))
    assert at.grad(lambda x: x * round(x))(x) == 2.0


def test_under_vmap():
    same(at.vmap(lambda x: round(x) + (x > 1))(np.array([0.6, 2.4])), np.array([1, 3]))
    with pytest.raises(TypeError, match="an index or a count"):
        at.vmap(lambda n: [0.0] * n)(np.arange(3))


def test_a_list_times_what_is_no_count_is_an_array():
    same(at.jit(lambda x: x * [1.0, 2.0])(2.0), np.array([2.0, 4.0]))
    same(at.jit(lambda n: n * [1, 2])(np.array([2, 3])), np.array([2, 6]))
