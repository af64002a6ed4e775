"""Arrays made in a traced function: who gets one that takes traced values, and who does not."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
from assignment_checks import X, elements
from numpy.testing import assert_array_equal

import autotrace as at
import autotrace.numpy as anp
from autotrace.testing import check_grads
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


V = np.linspace(0.0, 2.0, 5)
GRID = np.arange(12.0).reshape(3, 4)
ODD = np.array([np.nan, 1.0, np.inf, -np.inf])
MASK = np.array([True, False, True, True, False])


def beside_the_array(x, n, i, mask):
    """Functions whose array is an ordinary one, and another argument traced."""
    return {
        "argpartition": np.sort(np.argpartition(V, n)),
        "bincount": np.bincount([0, 1], minlength=n + 2),
        "hamming": np.hamming(n + 2),
        "histogram": np.histogram(V, bins=3, range=(0.0, x))[0],
        "nanmean": np.nanmean(V, where=mask),
        "partition": np.partition(V[::-1], n),
        "repeat": (np.repeat(V, n), np.repeat(V, i), np.repeat(GRID, n, axis=1)),
        "roll": (np.roll(V, n), np.roll(GRID, (n, 1), axis=(0, 1))),
        "sum": (np.sum(V, where=mask), np.max(V, where=mask, initial=-1.0)),
        "take": (np.take(V, i), np.take(GRID, i[:2], axis=1), np.take(V, n), np.take(V, i, 0)),
        **of_a_number(x),
    }


def of_a_number(x):
    return {
        "clip": V.clip(0.5, x),
        "interp": np.interp(V - 1.0, V, V, left=x, right=2 * x),
        "nan_to_num": np.nan_to_num(ODD, nan=x, posinf=2 * x),
        "nansum": np.nansum(V, initial=x),
        "pad": (np.pad(V, 1, constant_values=x), np.pad(V, 1, mode="linear_ramp", end_values=x)),
        "piecewise": np.piecewise(V, [MASK], [x, lambda v: v * x]),
        "poly": np.poly([x, 1.0]),
        "reductions": (np.sum(V, initial=x), np.prod(V + 1, initial=x), np.max(V, initial=x)),
        "select": np.select([MASK], [V], default=x),
        "unwrap": np.unwrap(3 * V, period=x),
        "var": np.var(V, mean=x),
    }


def test_arguments_beside_the_array():
    """NumPy asks only its array arguments how to compute with them."""
    args = (1.75, 2, np.array([1, 0, 2, 1, 1]), MASK)
    want, got = beside_the_array(*args), at.jit(beside_the_array)(*args)
    for (path, w), (_, g) in zip(
        at.tree.leaves_with_path(want), at.tree.leaves_with_path(got), strict=True
    ):
        where = at.tree.keystr(path)
        assert (np.shape(g), np.asarray(g).dtype) == (np.shape(w), np.asarray(w).dtype), where
        np.testing.assert_allclose(g, w, rtol=1e-14, atol=1e-15, err_msg=where)
    check_grads(of_a_number, (1.75,), order=2)


def test_functions_that_apply_functions_of_traced_values():
    """The array is an ordinary one, and the function makes traced values of it."""

    def applied(x):
        return (
            np.apply_along_axis(lambda row: row * x, 1, GRID),
            np.apply_along_axis(lambda row: np.sum(row) * x, 0, GRID),
            np.vectorize(lambda v: v * x if v > 1 else x)(V),
            np.vectorize(lambda v: v * x, otypes=[float])(V),
        )

    for got in (at.jit(applied)(1.5), at.jvp(applied, (1.5,), (1.0,))[0]):
        for g, w in zip(got, applied(1.5), strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-14)
    check_grads(applied, (1.5,))


@pytest.mark.parametrize(
    "read, message",
    [
        (lambda i: V[i], "cannot be read at the places of a traced value of i64"),
        (lambda i: V[i > 0], "cannot be read at the places of a traced value of bool"),
        (lambda i: V.take(i), "the method take of an ordinary array got a traced value of i64"),
        (lambda i: V.dot(i), "the method dot of an ordinary array got a traced value of i64"),
    ],
)
def test_reading_an_ordinary_array_at_traced_places(read, message):
    """The error says what to write; which works."""
    places = np.array([0, 2, 1, 0, 4])
    with pytest.raises(at.TracerArrayError, match=message) as caught:
        at.jit(read)(places)
    assert "np.take(x" in str(caught.value) or "np.dot(x" in str(caught.value)
    for better in (lambda i: np.take(V, i), lambda i: np.array(V)[i]):
        np.testing.assert_array_equal(at.jit(better)(places), V[places])
        np.testing.assert_array_equal(at.vmap(better)(places), V[places])


def test_numpy_testing():
    """Comparisons by ``numpy.testing`` ask for the values."""

    def checked(x):
        np.testing.assert_allclose(np.exp(np.log(x)), x, rtol=1e-12)
        np.testing.assert_array_less(x, x + 1)
        assert_array_equal(x, x)
        return np.sum(x * x)

    def wrong(x):
        assert_array_equal(x, x + 1)
        return np.sum(x)

    x = np.array([1.0, 2.0])
    for run in (checked, at.jit(checked), at.jit(checked)):
        assert run(x) == 5.0
    for gradient in (at.grad(checked), at.jit(at.grad(checked)), at.grad(at.jit(checked))):
        np.testing.assert_array_equal(gradient(x), 2 * x)
    for run in (at.jit(wrong), at.grad(wrong)):
        with pytest.raises(AssertionError, match="Mismatched elements: 2 / 2"):
            run(x)
    with pytest.raises(at.ConcretizationError, match=r"a comparison by numpy\.testing"):
        at.vmap(checked)(x[None])


def of_coefficients(c):
    """Functions of ``numpy.polynomial`` whose coefficients are traced."""
    return (
        np.polynomial.polynomial.polyval(V, c),
        np.polynomial.chebyshev.chebval(0.3, c),
        np.polynomial.legendre.legval(V, c),
        np.polynomial.polynomial.polymul(c, [1.0, 2.0]),
        np.polynomial.polynomial.polyfromroots(c),
        np.polynomial.Polynomial(c)(V),
        np.polynomial.Polynomial([1.0, 2.0, 3.0])(c),
        np.polynomial.polynomial.polyval(0.5, [c[0], 1.0]),
    )


def test_coefficients_of_polynomials():
    c = np.array([0.3, 1.2, -0.5])
    for got in (at.jit(of_coefficients)(c), at.jvp(of_coefficients, (c,), (c,))[0]):
        for g, w in zip(got, of_coefficients(c), strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-13)
    check_grads(of_coefficients, (c,))


def of_lists(x):
    """Functions of lists and tuples, which NumPy does not look into."""
    a, b, m = [x, 1.0, 0.5], (0.0, 1.0, x), [[x, 1.0], [0.5, 2 * x]]
    return (
        *(f(a) for f in (np.cumsum, np.diff, np.sort, np.flip, np.gradient, np.trapezoid, np.var)),
        *(f(a, b) for f in (np.cross, np.inner, np.outer, np.convolve, np.cov, np.kron, np.append)),
        *(f(m) for f in (np.trace, np.transpose, np.tril, np.ravel, np.linalg.inv, np.linalg.det)),
        *(f(a) for f in (np.median, np.average, np.diag, np.ptp, np.vander, np.nan_to_num)),
        np.linalg.solve(m, [1.0, x]),
        np.linalg.svd(m)[1],
        np.linalg.slogdet(m)[1],
        np.clip(a, 0.7, 1.2),
        np.where([True, False, True], a, b),
        np.interp(x, [0.0, 1.0, 5.0], a),
        np.polyval(a, 2.0),
        np.percentile(a, 30),
        np.einsum("i,i", a, b),
        np.take(a, [0, 2]),
        np.select([[True, False, True]], [a], default=x),
        np.concatenate([a, [[x]][0], np.array(b)]),
        np.array([1.0, 2.0, 3.0]) * a,
        (x, 2.0, 3.0) + np.array([1.0, 2.0, 3.0]) * x,
    )


def test_lists_of_traced_values():
    for got in (at.jit(of_lists)(2.3), at.jvp(of_lists, (2.3,), (1.0,))[0]):
        for number, (g, w) in enumerate(zip(got, of_lists(2.3), strict=True)):
            assert np.asarray(g).dtype == np.asarray(w).dtype, number
            np.testing.assert_allclose(g, w, rtol=1e-13, atol=1e-14, err_msg=str(number))
    check_grads(of_lists, (2.3,))
    with pytest.raises(at.TracerArrayError, match=r"numpy\.exp got a list that holds a traced"):
        at.jit(lambda x: np.exp([x, 1.0]))(2.3)
    with pytest.raises(ValueError, match="elements have one shape"):
        at.jit(lambda x: np.diff([x, [x, x]]))(2.3)
