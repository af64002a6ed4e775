"""``autotrace.scipy.spatial.transform`` against ``scipy.spatial.transform``."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import scipy.spatial.transform
from numpy_checks import same
from scipy_checks import TOLERANCE, derivatives

import autotrace as at

rng = np.random.default_rng(0)
Plain = scipy.spatial.transform.Rotation
Ours = at.scipy.spatial.transform.Rotation


def real(*shape):
    return rng.standard_normal(shape)


def results(kind, quat, vectors):
    """What a rotation is and does, by all methods."""
    r = kind.from_quat(quat)
    return (
        r.as_quat(),
        r.as_quat(canonical=True, scalar_first=True),
        r.as_matrix(),
        r.as_rotvec(),
        r.as_rotvec(degrees=True),
        r.as_mrp(),
        r.apply(vectors),
        r.apply(vectors, inverse=True),
        r.magnitude(),
        r.inv().as_quat(),
        (r * r * r).as_quat(),
        (r**0.3).as_matrix(),
        (r ** (-1)).as_matrix(),
    )


@pytest.mark.parametrize("shape", [(), (5,)], ids=["single", "several"])
def test_methods(shape):
    quat, vectors = real(*shape, 4), real(*shape, 3)
    expected = results(Plain, quat, vectors)
    same(results(Ours, quat, vectors), expected, TOLERANCE)

    def f(quat, vectors):
        return results(Ours, quat, vectors)

    same(at.jit(f)(quat, vectors), expected, TOLERANCE)
    if not shape:
        derivatives(f, quat, vectors, compiled=False)
    mapped = at.vmap(f)(np.stack([quat, -quat]), np.stack([vectors, vectors]))
    np.testing.assert_allclose(mapped[2][1], expected[2], rtol=1e-12, atol=1e-12)


def test_ways_to_make_one():
    matrix = Plain.random(6, random_state=0).as_matrix()
    for vectors, make in [
        (real(4, 3), lambda kind, v: kind.from_rotvec(v).as_matrix()),
        (90 * real(3), lambda kind, v: kind.from_rotvec(v, degrees=True).as_matrix()),
        (real(4, 3), lambda kind, v: kind.from_mrp(v).as_matrix()),
        (real(4, 4), lambda kind, v: kind.from_quat(v, scalar_first=True).as_matrix()),
        (real(4, 3), lambda kind, v: kind.from_matrix(kind.from_rotvec(v).as_matrix()).as_rotvec()),
        (
            3 * real(9, 3),
            lambda kind, v: kind.from_matrix(kind.from_rotvec(v).as_matrix()).as_mrp(),
        ),
        (
            np.stack([np.eye(3), np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1])]),
            lambda kind, v: kind.from_matrix(v).as_matrix(),
        ),
        (real(4, 3), lambda kind, v: kind.from_rotvec(v).mean().as_matrix()),
        (real(4, 3), lambda kind, v: kind.from_rotvec(v).mean([1.0, 2, 0, 1]).as_matrix()),
    ]:
        expected = make(Plain, vectors)
        same(make(Ours, vectors), expected, TOLERANCE)
        same(
            at.jit(lambda v, make=make: make(Ours, v), backend="numpy")(vectors),
            expected,
            TOLERANCE,
        )
        derivatives(lambda v, make=make: make(Ours, v), vectors, compiled=False, order=1)
    same(Ours.from_matrix(2 * matrix).as_matrix(), matrix, TOLERANCE)
    same(Ours.identity(2).as_matrix(), Plain.identity(2).as_matrix())
    both = Ours.concatenate([Ours.identity(), Ours.from_matrix(matrix)])
    same(both.as_matrix()[1:], matrix, TOLERANCE)


SEQUENCES = ["".join(s) for s in itertools.product("xyz", repeat=3) if s[0] != s[1] != s[2]]


@pytest.mark.parametrize("letters", [str.lower, str.upper], ids=["still", "moving"])
def test_angles(letters):
    """All sequences of axes, there and back; also where the outer axes lie upon each other."""
    quat = np.concatenate(
        [real(3, 4), [[0, 0, 0, 1], [1, 0, 0, 0], [0, 2, 0, 0], [0.5, 0.5, 0.5, 0.5]]]
    )

    def there(quat):
        r = Ours.from_quat(quat)
        return [r.as_euler(letters(s)) for s in SEQUENCES]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about axes upon each other
        plain = [Plain.from_quat(quat).as_euler(letters(s)) for s in SEQUENCES]
    same(there(quat), plain, 1e-7)
    same(at.jit(lambda q: there(q)[::5])(quat), plain[::5], 1e-7)
    angles = real(3, 3)

    def back(angles):
        return [Ours.from_euler(letters(s), angles).as_matrix() for s in SEQUENCES]

    expected = [Plain.from_euler(letters(s), angles).as_matrix() for s in SEQUENCES]
    same(at.jit(lambda a: back(a)[::5])(angles), expected[::5], TOLERANCE)
    same(back(angles), expected, TOLERANCE)
    derivatives(lambda q: there(q)[3:5], quat[0], compiled=False, order=1)
    derivatives(lambda a: back(a)[3:5], angles[0], compiled=False, order=1)
    for angles in (0.3, [0.3], [[0.3], [0.4]]):
        expected = Plain.from_euler(letters("x"), angles, degrees=True).as_quat()
        same(Ours.from_euler(letters("x"), angles, degrees=True).as_quat(), expected, TOLERANCE)
    expected = Plain.from_euler(letters("zx"), [0.3, 0.4]).as_quat()
    same(Ours.from_euler(letters("zx"), [0.3, 0.4]).as_quat(), expected, TOLERANCE)


def test_nothing_is_no_special_case():
    """Derivatives at the rotation by nothing, where angles are zero."""
    for scale in (0.0, 1e-9, 1e-3, 0.0999, 0.1001):
        v = scale * np.array([0.6, 0.0, 0.8])

        def f(v):
            r = Ours.from_rotvec(v)
            return r.as_matrix(), (r**2).as_quat(), r.as_rotvec()

        same(
            f(v),
            (Plain.from_rotvec(v).as_matrix(), Plain.from_rotvec(2 * v).as_quat(), v),
            TOLERANCE,
        )
        np.testing.assert_allclose(at.jacrev(f)(v)[2], np.eye(3), atol=1e-12)
        derivatives(f, v, compiled=False)
    slope = at.grad(lambda q: Ours.from_quat(q).magnitude())(np.array([0.0, 0.0, 0.0, 1.0]))
    np.testing.assert_array_equal(slope, 0)


def test_evenly_from_one_to_the_next():
    times, quats, at_times = (
        np.array([0.0, 1.0, 3.0]),
        real(3, 4),
        np.array([0.0, 0.3, 1.0, 2.2, 3.0]),
    )

    def f(module, times, quats, at_times):
        slerp = module.Slerp(times, module.Rotation.from_quat(quats))
        return slerp(at_times).as_matrix(), slerp(at_times[1]).as_matrix()

    ours = at.scipy.spatial.transform
    expected = f(scipy.spatial.transform, times, quats, at_times)
    same(f(ours, times, quats, at_times), expected, TOLERANCE)
    same(at.jit(lambda *xs: f(ours, *xs))(times, quats, at_times), expected, TOLERANCE)
    inner = np.array([0.2, 0.7, 2.2])
    derivatives(lambda *xs: f(ours, *xs), times, quats, inner, compiled=False)
    slerp = ours.Slerp(times, Ours.from_quat(quats))
    got = at.jit(lambda slerp, t: slerp(t).as_matrix())(slerp, at_times)
    same(got, expected[0], TOLERANCE)


def test_arrays_of_rotations():
    r = Ours.from_quat(real(4, 4))
    assert len(r) == 4 and r.shape == (4,) and not r.single and r[1].single
    same(r[1:3].as_quat(), r.as_quat()[1:3])
    same(at.jit(lambda r, i: r[i].as_quat())(r, 2), r.as_quat()[2])
    same(at.jit(lambda r: r.inv())(r).as_quat(), r.inv().as_quat())
    assert "Rotation.from_quat" in repr(r[0])


def test_errors():
    t = at.scipy.spatial.transform
    one = Ours.identity()
    for f, error, message in [
        (lambda: Ours.from_quat(np.ones(3)), ValueError, "quat"),
        (lambda: Ours.from_quat(np.zeros(4)), ValueError, "zero norm"),
        (lambda: Ours.from_matrix(-np.eye(3)), ValueError, "determinant"),
        (lambda: Ours.from_rotvec(np.ones(2)), ValueError, "rotvec"),
        (lambda: Ours.from_euler("xYz", np.ones(3)), ValueError, "seq"),
        (lambda: Ours.from_euler("xxz", np.ones(3)), ValueError, "consecutive"),
        (lambda: Ours.from_euler("xyz", np.ones(2)), ValueError, "angles"),
        (lambda: one.as_euler("xy"), ValueError, "three"),
        (lambda: one.apply(np.ones(2)), ValueError, "vectors"),
        (lambda: len(one), TypeError, "len"),
        (lambda: one[0], TypeError, "subscriptable"),
        (lambda: one * 2, TypeError, "unsupported"),
        (lambda: Ours.identity(2).mean([1.0]), ValueError, "weights"),
        (lambda: Ours.identity(2).mean([1.0, -1.0]), ValueError, "non-negative"),
        (lambda: t.Slerp([0.0, 1.0], one), ValueError, "at least 2"),
        (lambda: t.Slerp([0.0, 1.0], Ours.identity(3)), ValueError, "number of rotations"),
        (lambda: t.Slerp([1.0, 0.0], Ours.identity(2)), ValueError, "increasing"),
        (lambda: t.Slerp([0.0, 1.0], Ours.identity(2))(2.0), ValueError, "range"),
    ]:
        with pytest.raises(error, match=message):
            f()
