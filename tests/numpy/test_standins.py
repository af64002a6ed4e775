"""Arrays made in a traced function: who gets one that takes traced values, and who does not."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
from assignment_checks import X, elements

import autotrace as at
import autotrace.numpy as anp
from autotrace.transforms.held import HeldTracer

plain = np.zeros(3)


def test_ordinary_arrays_are_an_error_with_the_remedy():
    """An assignment to an array that NumPy made unseen would lose the derivative."""

    def item(x):
        plain[0] = x[0]
        return plain

    def part(x):
        plain[1:] = x[1:]
        return plain

    def whole(x):
        np.copyto(plain, x)
        return plain

    def augmented(x):
        y = plain
        y += x
        return y

    def out(x):
        return np.add(x, 1.0, out=plain)

    def at_places(x):
        np.add.at(plain, [0], x[0])
        return plain

    def put(x):
        np.put(plain, [0], x[0])
        return plain

    def fill(x):
        plain.fill(x[0])
        return plain

    runs = {
        "jit": lambda f: at.jit(f)(np.ones(3)),
        "grad": lambda f: at.grad(lambda x: np.sum(f(x)))(np.ones(3)),
        "jvp": lambda f: at.jvp(f, (np.ones(3),), (np.ones(3),)),
        "vmap": lambda f: at.vmap(f)(np.ones((2, 3))),
    }
    for f in (item, part, whole, augmented, out, at_places, put):
        for run in runs.values():
            with pytest.raises((TypeError, ValueError)) as error:
                run(f)
            chain = [error.value, error.value.__cause__, error.value.__context__]
            (ours,) = [e for e in chain if isinstance(e, at.AutotraceError)][:1]
            assert "np.zeros(...)" in str(ours) and "test_standins" in str(ours)
            assert str(ours).count("\n") < 12
    assert not plain.any()


def test_floats_are_still_given():
    def f(x):
        z = [float(x[0]), complex(x[1])]
        y = {}
        y["a"] = float(x[2])
        return x[0] * z[0] + z[1].real + y["a"]

    np.testing.assert_allclose(at.grad(f)(X), [X[0], 0, 0, 0, 0, 0])


def test_numpy_is_restored():
    zeros, array = np.zeros, np.array
    names = ("zeros", "empty", "array", "full", "copy", "asarray", "arange", "linspace")
    before = [getattr(np, name) for name in names]
    with pytest.raises(ZeroDivisionError):
        at.grad(lambda x: x * (1 / 0))(1.0)
    at.grad(lambda x: at.grad(lambda y: np.sum(np.zeros(2) + y))(x) * x)(1.0)
    assert [getattr(np, name) for name in names] == before
    assert np.zeros is zeros and np.array is array

    def f(x):
        assert np.zeros is not zeros and np.zeros == zeros and hash(np.zeros) == hash(zeros)
        assert {zeros: 1}[np.zeros] == 1
        assert pickle.loads(pickle.dumps(np.zeros))(2).shape == (2,)
        assert np.zeros.__name__ == "zeros" and np.zeros.__doc__ == zeros.__doc__
        assert type(zeros(2)) is np.ndarray  # taken from numpy before
        assert type(anp.zeros(2)) is HeldTracer
        return x

    at.grad(f)(1.0)


def test_other_threads_and_callbacks_get_ordinary_arrays():
    seen = []
    inside, done = threading.Event(), threading.Event()

    def other():
        inside.wait(10)
        seen.append(type(np.zeros(2)))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()

    def f(x):
        inside.set()
        assert done.wait(10)
        shape = at.ShapeDtypeStruct((), np.float64)
        at.debug.callback(lambda y: seen.append(type(np.zeros(2))), x)
        y = at.pure_callback(lambda: seen.append(type(np.ones(2))) or np.float64(2.0), shape)
        seen.append(type(np.zeros(2)))
        return x * y

    assert at.grad(f)(1.0) == 2.0
    thread.join()
    assert seen == [np.ndarray, np.ndarray, np.ndarray, HeldTracer]
    assert type(np.zeros(2)) is np.ndarray


def test_libraries_get_ordinary_arrays():
    code = compile("def make(): return np.zeros(2)", "/usr/lib/site-packages/lib/made.py", "exec")
    library = {"np": np}
    exec(code, library)

    def f(x):
        assert type(library["make"]()) is np.ndarray
        assert type(np.zeros(2)) is HeldTracer
        return x

    at.grad(f)(1.0)


def test_compiled_libraries_get_ordinary_arrays():
    """Cython's functions have no frames: who calls np.array is seen by the instruction only."""

    def f(x):
        rng = np.random.default_rng(3), np.array([1.0])
        seed = np.random.SeedSequence(5).spawn(2)[0].generate_state(3)
        y = np.array(
            [
                x,
                np.zeros(
                    (2,),
                ).sum(),
            ]
        )
        (z,) = [np.zeros(shape) for shape in (3,)]
        assert isinstance(rng[1], HeldTracer) and isinstance(z, HeldTracer)
        assert type(seed) is np.ndarray and type(rng[0].normal(size=2)) is np.ndarray
        assert all(type(m) is np.ndarray for m in map(np.zeros, (1, 2)))
        made = np.zeros(*[(2, 3)], **{"dtype": float})
        assert isinstance(made, HeldTracer)
        return np.sum(y)

    assert at.grad(f)(1.0) == 1.0


def test_many_threads_restore_numpy():
    zeros = np.zeros

    def work():
        for _ in range(30):
            at.grad(lambda x: np.sum(elements(np.zeros(6) + x)))(1.0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.zeros is zeros


def test_isscalar():
    """A traced number is one; an array of no dimensions, and one in a list, are not."""

    def f(x):
        found = [np.isscalar(v) for v in (x, x[0], x[0] * 2, np.zeros(()), 1.0, [x[0]])]
        assert found == [False, True, True, False, True, False]
        return x[0]

    assert at.jit(f)(np.ones(2)) == at.grad(lambda x: f(x * 1))(np.ones(2))[0] == 1.0
    assert np.isscalar(np.float64(1)) and not np.isscalar(np.zeros(()))
