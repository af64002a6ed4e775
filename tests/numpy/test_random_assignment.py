"""Random programs of assignments: values and derivatives as NumPy's."""

from __future__ import annotations

import operator

import numpy as np
from assignment_checks import M, own
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_checks import same

import autotrace as at

_AUGMENTED = (operator.iadd, operator.isub, operator.imul)


def basic_index(shape, a, b):
    """An index made of integers and slices that is right for a shape."""
    if not shape:
        return ...
    n = shape[0]
    kind = a % 6
    if kind == 0:
        first = b % n
    elif kind == 1:
        first = slice(b % n, None)
    elif kind == 2:
        first = slice(None, None, -1)
    elif kind == 3:
        first = slice(b % n, None, 2)
    elif kind == 4:
        return (..., slice(0, 1 + b % shape[-1]))
    else:
        return (None, slice(None), *basic_index_tail(shape, b))
    return (first, *basic_index_tail(shape, b // 2))


def basic_index_tail(shape, b):
    return (slice(b % shape[1], None),) if len(shape) > 1 and b % 3 == 0 else ()


def run(program, x, *given):
    """Run a program of assignments on arrays that are given, or on what NumPy calls give, and
    return all arrays."""
    made = (np.zeros((3, 4)), np.ones(4), np.array([[1.0, 2.0], [3.0, 4.0]]))
    arrays = [x.copy(), *(given or made)]
    for op, a, b, c in program:
        target, other = arrays[a % len(arrays)], arrays[b % len(arrays)]
        shape = np.shape(target)
        if op == "view":
            made = target[basic_index(shape, b, c)]
        elif op == "transform":
            kind = b % 8
            if kind == 0:
                made = target.T
            elif kind == 1:
                made = target.reshape(-1)
            elif kind == 2:
                made = target.ravel()
            elif kind == 3:
                made = np.flip(target)
            elif kind == 4:
                made = np.expand_dims(target, 0)
            elif kind == 5:
                made = np.squeeze(target)
            elif kind == 6:
                made = np.atleast_2d(target)
            else:
                made = np.array_split(target, 2)[c % 2] if shape else target
        elif op == "copy":
            made = target.copy() if b % 2 else target.copy(order="F")
        elif op == "set":
            target[basic_index(shape, b, c)] = float(c) - 2.0
            continue
        elif op == "set scaled":
            index = basic_index(shape, b, c)
            target[index] = target[index] * 0.5 + x[0, 0]
            continue
        elif op == "set other":
            index = basic_index(shape, c, b)
            part = target[index]
            try:
                np.broadcast_shapes(np.shape(other), np.shape(part))
                fits = np.broadcast_shapes(np.shape(other), np.shape(part)) == np.shape(part)
            except ValueError:
                fits = False
            if fits:
                target[index] = other
            continue
        elif op == "augmented":
            index = basic_index(shape, b, c)
            target[index] = _AUGMENTED[c % 3](target[index], x[1, 1])
            continue
        elif op == "augmented whole":
            target = _AUGMENTED[b % 3](target, 0.5)
            continue
        elif op == "fancy" and shape:
            places = [b % shape[0], c % shape[0]]
            target[places] = x[2, 1]
            target[places] += 1.0
            continue
        elif op == "rows" and shape:
            for n, row in enumerate(target):
                if np.ndim(row):
                    row[:] = row * (n + 1.0)
            continue
        else:
            continue
        if np.ndim(made) and np.size(made) and np.ndim(made) < 4:
            arrays.append(made)
    return arrays


OPS = (
    "view",
    "transform",
    "copy",
    "set",
    "set scaled",
    "set other",
    "augmented",
    "augmented whole",
    "fancy",
    "rows",
)
numbers = st.integers(0, 11)
programs = st.lists(st.tuples(st.sampled_from(OPS), numbers, numbers, numbers), max_size=12)


@settings(max_examples=150, deadline=None)
@given(programs)
def test_random_programs(program):
    def f(x):
        return run(program, x)

    x = M.copy()
    expected = own(f, x)
    value, tangent = at.jvp(f, (x,), (np.cos(M),))
    same(value, expected, 1e-12)
    same(at.jit(f, backend="numpy")(x), expected, 1e-12)
    np.testing.assert_array_equal(x, M)
    outs = at.vmap(f)(np.stack([x, x]))
    same([np.asarray(y)[1] for y in outs], expected, 1e-12)
    # The programs are polynomials of low degree in x: differences are exact enough.
    step = 1e-6
    ahead, behind = own(f, M + step * np.cos(M)), own(f, M - step * np.cos(M))
    for t, p, q in zip(tangent, ahead, behind, strict=True):
        scale = 1.0 + np.abs(p).max()
        np.testing.assert_allclose(t / scale, (p - q) / (2 * step) / scale, rtol=1e-5, atol=1e-5)
    _, pull = at.vjp(f, x)
    weights = [np.sin(np.arange(float(np.size(y)))).reshape(np.shape(y)) for y in expected]
    (gradient,) = pull(weights)
    forward = sum(np.vdot(w, t) for w, t in zip(weights, tangent, strict=True))
    np.testing.assert_allclose(np.vdot(gradient, np.cos(M)), forward, rtol=1e-9, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(programs)
def test_random_programs_compiled(program):
    def f(x):
        return run(program, x)

    same(at.jit(f)(M.copy()), own(f, M), 1e-12)


@settings(max_examples=100, deadline=None)
@given(programs)
def test_random_programs_on_arguments(program):
    """On arguments that are not differentiated, in C order, in F order and read-only."""
    others = [np.sin(M), np.cos(M[:2]).T.copy().T, M[1:] * 2.0]
    others[2].flags.writeable = False
    before = [a.copy() for a in others]
    expected = [np.array(y) for y in run(program, M.copy(), *[np.array(a) for a in others])]
    weights = [np.sin(np.arange(float(np.size(y)))).reshape(np.shape(y)) for y in expected]

    def loss(x, *given):
        arrays = run(program, x, *given)
        return sum(np.sum(w * y) for w, y in zip(weights, arrays, strict=True)), arrays

    (_, arrays), gradient = at.value_and_grad(loss, has_aux=True)(M, *others)
    same(arrays, expected, 1e-12)
    for a, b in zip(others, before, strict=True):
        np.testing.assert_array_equal(a, b)
    _, ahead = at.jvp(lambda x: loss(x, *[np.array(a) for a in others])[0], (M,), (np.cos(M),))
    np.testing.assert_allclose(np.vdot(gradient, np.cos(M)), ahead, rtol=1e-9, atol=1e-9)
