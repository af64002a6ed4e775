"""Checks that the tests of slicing and indexing share: each rule of what a function is made of
against what it has to agree with, for functions of mixed integer and floating arrays."""

from __future__ import annotations

import itertools

import numpy as np

from autotrace.core.avals import is_inexact
from autotrace.core.jaxpr import check_jaxpr
from autotrace.core.trace import get_aval
from autotrace.transforms.batch import Axis, batch_flat
from autotrace.transforms.evaluate import eval_jaxpr
from autotrace.transforms.jvp import jvp_flat
from autotrace.transforms.linearize import linearize_flat
from autotrace.transforms.simplify import simplify_jaxpr
from autotrace.transforms.stage import stage
from autotrace.transforms.transpose import transpose_linear

RNG = np.random.default_rng(0)


def randn(*shape):
    return RNG.normal(size=shape)


def dense(values, likes):
    """Symbolic zeros as arrays."""
    pairs = zip(values, likes, strict=True)
    return [np.zeros(get_aval(x).shape) if v is None else v for v, x in pairs]


def vjp(fun, primals, differentiated):
    """A function of the primals and the output cotangent to the cotangents."""

    def run(*args):
        *values, ct = args
        _, linear = linearize_flat(lambda *xs: [fun(*xs)], values, differentiated)
        wanted = [v for v, d in zip(values, differentiated, strict=True) if d]
        return dense(transpose_linear(linear, [ct]), wanted)

    return run


def check_staged(fun, args):
    """The jaxpr of a function, plain and simplified, computes what the function does."""
    expected = fun(*args)
    jaxpr = stage(fun, [get_aval(a).strong() for a in args])
    for program in (jaxpr, simplify_jaxpr(jaxpr)):
        check_jaxpr(program)
        for out, want in zip(eval_jaxpr(program, args), expected, strict=True):
            assert out.shape == want.shape and out.dtype == want.dtype
            np.testing.assert_array_equal(out, want)


def check_batched(fun, args, variations=2):
    """Batching agrees with a loop, whichever arguments are batched and wherever."""
    size = 3
    choices = [[None, *range(min(np.ndim(a), variations) + 1)] for a in args]
    combinations = list(itertools.product(*choices))
    if len(combinations) > 60:
        combinations = [combinations[i] for i in RNG.choice(len(combinations), 60, replace=False)]
    for dims in combinations:
        if all(d is None for d in dims):
            continue
        batched = []
        for a, d in zip(args, dims, strict=True):
            if d is None:
                batched.append(a)
                continue
            a = np.asarray(a)
            examples = [np.roll(a, i) if a.ndim else a + a.dtype.type(i) for i in range(size)]
            batched.append(np.stack(examples, d))
        outs, out_dims = batch_flat(fun, Axis(size), batched, dims)
        for i in range(size):
            one = [a if d is None else np.take(a, i, d) for a, d in zip(batched, dims, strict=True)]
            for out, dim, want in zip(outs, out_dims, fun(*one), strict=True):
                got = out if dim is None else np.take(out, i, dim)
                assert got.shape == np.shape(want), dims
                np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12, err_msg=str(dims))


def check_rules(fun, *args, smooth=True):
    """All rules of what a function is made of, at a point.

    Args:
      fun: from arrays to one array.
      args: where; the floating ones are differentiated.
    """
    args = list(args)
    differentiated = [is_inexact(get_aval(a).dtype) for a in args]
    check_staged(lambda *xs: [fun(*xs)], args)
    check_batched(lambda *xs: [fun(*xs)], args)
    if not any(differentiated):
        return
    for mask in itertools.product(*[[False, True] if d else [False] for d in differentiated]):
        if any(mask):
            check_derivative(fun, args, list(mask), smooth)
    out = fun(*args)
    backward = vjp(fun, args, differentiated)
    ct = randn(*out.shape)
    check_staged(backward, [*args, ct])
    check_batched(backward, [*args, ct], variations=1)


def check_derivative(fun, args, mask, smooth):
    tangents = [randn(*np.shape(a)) if m else None for a, m in zip(args, mask, strict=True)]
    outs, out_tangents = jvp_flat(lambda *xs: [fun(*xs)], args, tangents)
    (out,) = outs
    np.testing.assert_array_equal(out, fun(*args))
    (tangent,) = dense(out_tangents, outs)
    assert np.shape(tangent) == out.shape
    if smooth:
        h = 1e-6

        def moved(step):
            return fun(
                *[a if t is None else a + step * t for a, t in zip(args, tangents, strict=True)]
            )

        difference = (moved(h) - moved(-h)) / (2 * h)
        np.testing.assert_allclose(tangent, difference, rtol=1e-6, atol=1e-7)
    _, linear = linearize_flat(lambda *xs: [fun(*xs)], args, mask)
    ct = randn(*out.shape)
    wanted = [a for a, m in zip(args, mask, strict=True) if m]
    cts = dense(transpose_linear(linear, [ct]), wanted)
    assert [c.shape for c in cts] == [np.shape(a) for a in wanted]
    left = np.sum(ct * tangent)
    given_tangents = [t for t in tangents if t is not None]
    right = sum(np.sum(c * t) for c, t in zip(cts, given_tangents, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)
