"""Loops and branches in compiled programs."""

import itertools
import pickle
import threading
import time

import numpy as np
import pytest
from autotrace.kernels.expressions import Loop
from autotrace.kernels.structure import Structured

import autotrace as at
from autotrace import lax

rng = np.random.default_rng(0)


def compiled(f, *args):
    return at.jit(f, backend="numba").lower(*args).compile()._executable


def both(f, *args):
    """The results of the compiled program, which is one without Python, checked with NumPy's."""
    program = compiled(f, *args)
    assert not program.host_steps, [step.name for step in program.host_steps]
    got = at.tree.leaves(at.jit(f, backend="numba")(*args))
    wanted = at.tree.leaves(at.jit(f, backend="numpy")(*args))
    for x, y in zip(got, wanted, strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)
    return got


def loops_of(program):
    return [step for step in program.plan.steps if isinstance(step, Loop)]


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 7])
@pytest.mark.parametrize("shape", [(), (3,), (4, 5), (0,), (40, 50)])
def test_scan(shape, length, reverse):
    def f(c, xs):
        def body(carry, x):
            c, k = carry
            c = np.sin(c + x) * 0.9
            return (c, k + 1), (c * 2, x, k)

        return lax.scan(body, (c, 0), xs, reverse=reverse)

    both(f, rng.normal(size=shape), rng.normal(size=(length, *shape)))


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint16", "int64", "bool", "uint64"])
def test_dtypes(dtype):
    def f(c, xs):
        return lax.scan(lambda c, x: (c ^ x if c.dtype.kind in "biu" else c * x, c), c, xs)

    xs = rng.integers(0, 2, (6, 3)).astype(dtype)
    both(f, xs[0], xs)
    both(f, xs[0, 0], xs[:, 0])


def test_strided_elements():
    xs = rng.normal(size=(8, 6))
    f = lambda xs: lax.scan(lambda c, x: (c + x.sum(), x), 0.0, xs)  # noqa: E731
    for view in (
        xs.T,
        xs[::2],
        xs[::-1],
        xs[:, ::-1],
        xs[1:, 2:5],
        np.broadcast_to(xs[:1], (5, 6)),
    ):
        both(f, view)


def test_while_and_nests():
    def f(x):
        def body(carry):
            i, y = carry
            y = lax.fori_loop(0, i, lambda j, y: np.cos(y) + j, y)
            y = lax.cond(y.sum() > 1.0, lambda y: y * 0.5, lambda y: y + 1.0, y)
            return i + 1, y

        return lax.while_loop(lambda c: c[0] < 6, body, (1, x))

    both(f, rng.normal(size=3))
    both(f, rng.normal(size=(30, 30)))


def test_values_that_change_places():
    def f(a, b, c):
        return lax.fori_loop(0, 7, lambda i, v: (v[1], v[2], v[0] + v[1]), (a, b, c))

    for shape in [(), (3,), (50, 3)]:
        both(f, *(rng.normal(size=shape) for _ in range(3)))
    both(lambda a: lax.fori_loop(0, 3, lambda i, v: (v[1], v[1]), (a, a + 1)), np.ones(100))


def test_elements_and_constants_as_carry():
    f = lambda c, k, xs: lax.scan(lambda c, x: ((x, k), c[0]), (c, c), xs)  # noqa: E731
    for n in (2, 60):
        both(f, np.zeros(n), np.ones(n), rng.normal(size=(5, n)))


@pytest.mark.parametrize("n", [3, 12, 40])
def test_products(n):
    a, x = rng.normal(size=(n, n)) / n, rng.normal(size=n)
    both(lambda a, x: lax.fori_loop(0, 4, lambda i, v: np.tanh(a @ v), x), a, x)
    both(lambda a, b: lax.fori_loop(0, 4, lambda i, b: np.tanh(a @ b) @ a, b), a, a.T)


def test_switch_runs_one_branch():
    def f(i, x):
        cases = [lambda x: x + 1, lambda x: np.log(x), lambda x: x[::-1], lambda x: x]
        return lax.switch(i, cases, x)

    for i in range(-1, 5):
        both(f, i, np.array([-1.0, 2.0]))


def test_large_kernels_within_loops_are_shared():
    def f(x):
        return lax.fori_loop(0, 3, lambda i, x: np.sin(x) + np.sum(x) / x.size, x)

    x = rng.normal(size=(300, 400))
    program = compiled(f, x)
    assert any(isinstance(s, Structured) and s.kernels for s in program.steps)
    results = []
    for count in (1, 2):
        with at.threads(count):
            results.append(at.jit(f, backend="numba")(x))
    np.testing.assert_array_equal(*results)
    both(f, x)


# --- memory -------------------------------------------------------------------------------------


def turns_in_place(f, *args):
    """Whether the carried arrays of the only loop stay where they are."""
    (loop,) = loops_of(compiled(f, *args))
    return loop.carry == loop.sources


def test_an_update_is_in_place():
    def f(y):
        return lax.fori_loop(0, 1000, lambda i, y: y.at[i].set(y[i] + i), y)

    def g(y):
        return lax.fori_loop(1, 1000, lambda i, y: y.at[i].add(y[i - 1]), y)

    def h(y):
        return lax.fori_loop(0, 9, lambda i, y: y.at[i].set(1.0).at[i + 1].mul(3.0), y)

    y = rng.normal(size=1000)
    for each in (f, g, h):
        (loop,) = loops_of(compiled(each, y))
        big = [slot for slot in loop.carry if compiled(each, y).plan.aval(slot).size == 1000]
        assert len(big) == 1 and big[0] in loop.sources
        both(each, y)


def test_what_is_needed_later_is_not_overwritten():
    def f(y):
        def body(i, carry):
            y, z = carry
            new = y.at[i].set(z[i] * 2)
            return new, y + z

        return lax.fori_loop(0, 5, body, (y, np.ones(60)))

    def g(y):
        def body(y, i):
            new = y.at[i].set(-1.0)
            return new, y[i] + new[i]

        return lax.scan(body, y, np.arange(5))

    def h(y):  # rows that overlap
        return lax.fori_loop(0, 3, lambda i, y: y.at[1:].set(y[:-1] * 2), y)

    for each in (f, g, h):
        both(each, rng.normal(size=60))


def test_an_updated_argument_stays_as_it_is():
    y = rng.normal(size=50)
    before = y.copy()
    f = at.jit(lambda y: lax.fori_loop(0, 9, lambda i, y: y.at[i].set(0.0), y), backend="numba")
    assert f(y)[:9].sum() == 0
    np.testing.assert_array_equal(y, before)


def test_a_long_loop_over_a_long_array_takes_no_copy():
    n = 200_000
    f = at.jit(lambda y: lax.fori_loop(0, n, lambda i, y: y.at[i].set(i), y), backend="numba")
    f(np.zeros(n))
    start = time.perf_counter()
    out = f(np.zeros(n))
    # A copy of 1.6 MB each turn would take a minute; this takes a millisecond.
    assert time.perf_counter() - start < 5
    np.testing.assert_array_equal(out, np.arange(n))


def test_a_stencil_is_one_kernel():
    def f(u):
        inner = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        return u.at[1:-1].set(inner)

    program = compiled(f, np.ones(500))
    assert len(program.kernels) == 1
    u = rng.normal(size=500)
    both(f, u)
    both(lambda u: lax.fori_loop(0, 20, lambda i, u: f(u), u), u)


# --- errors -------------------------------------------------------------------------------------


def test_an_index_out_of_bounds_is_an_error():
    f = at.jit(lambda x, n: lax.fori_loop(0, n, lambda i, s: s + x[i], 0.0), backend="numba")
    assert f(np.ones(5), 5) == 5
    with pytest.raises(IndexError, match="out of bounds"):
        f(np.ones(5), 6)


def test_a_loop_that_an_index_out_of_bounds_feeds_ends():
    # What the array holds there would end it; the program must not wait for what never comes.
    f = at.jit(
        lambda x: lax.while_loop(lambda c: x[c + 10] > 0, lambda c: c * 1, 0), backend="numba"
    )
    with pytest.raises(IndexError):
        f(np.ones(5))


def test_what_python_has_to_do_runs_the_loop_from_python():
    def f(x):
        return lax.fori_loop(0, 3, lambda i, x: np.nextafter(x, 9.0) * -1, x)

    x = rng.normal(size=6)
    program = compiled(f, x)
    assert [step.name for step in program.host_steps] == ["scan"]
    np.testing.assert_array_equal(at.jit(f, backend="numba")(x), at.jit(f, backend="numpy")(x))


# --- programs -----------------------------------------------------------------------------------


def test_another_size_compiles_nothing():
    def f(x, xs):
        def body(c, x):
            c = np.tanh(c * x)
            return c, c.sum()

        return lax.scan(body, x, xs)

    g = at.jit(at.grad(lambda x, xs: f(x, xs)[1].sum(), (0, 1)), backend="numba")
    g(np.ones(100), np.ones((50, 100)))
    before = g.stats()["compiled"]
    for n, m in ((101, 50), (333, 7), (1000, 20)):
        g(np.ones(n), np.ones((m, n)))
    assert g.stats()["compiled"] == before


def test_derivatives_of_a_while_loop_run_without_python():
    def root(a):
        step = lambda v: ((v[0] + a / v[0]) / 2, v[0])  # noqa: E731
        return lax.while_loop(lambda v: abs(v[0] - v[1]) > 1e-12, step, (a, a + 1.0))[0]

    for f in (at.grad(root), at.grad(at.grad(root)), at.vmap(at.grad(root))):
        x = rng.uniform(1.0, 3.0, 4) if f.__name__.startswith("vmap") else 2.0
        both(f, x)


def test_pickled_programs_and_other_callers():
    f = at.jit(lambda x: lax.fori_loop(0, 10, lambda i, s: s * 0.5 + np.sin(s), x), backend="numba")
    made = f.lower(1.0).compile()
    assert pickle.loads(pickle.dumps(made))(1.0) == f(1.0)
    assert made.as_numba()(1.0) == f(1.0)


def test_several_threads_at_once():
    def f(x):
        return lax.while_loop(lambda c: c[1].sum() < 1e4, lambda c: (c[0] + 1, c[1] * 1.001), x)

    g = at.jit(f, backend="numba")
    inputs = [(0, rng.uniform(1, 2, 50)) for _ in range(8)]
    wanted = [g(x) for x in inputs]
    found = [None] * len(inputs)

    def work(i):
        for _ in range(20):
            found[i] = g(inputs[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for x, y in zip(found, wanted, strict=True):
        assert x[0] == y[0]
        np.testing.assert_array_equal(x[1], y[1])


def test_others_run_while_a_loop_does():
    """A long loop leaves Python's lock to other threads."""
    f = at.jit(lambda x: lax.fori_loop(0, 30_000_000, lambda i, s: np.sin(s) + 1e-9, x))
    f(1.0)
    counted = [0]
    done = threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    f(1.0)
    after = counted[0]
    done.set()
    thread.join()
    if at.config.backend == "numba":
        assert after - before > 1000


def test_explanations_show_loops():
    f = at.jit(
        lambda x: lax.while_loop(
            lambda v: v.sum() < 9, lambda v: lax.cond(v[0] > 1, np.sin, np.cos, v) + 1, x
        ),
        backend="numba",
    )
    text = f.explain(np.ones(3))
    assert "while" in text and "cond" in text and "kernel over (3,)" in text


def copies_in_turns(program, size):
    """How many kernels within loops only copy arrays of a size."""
    found = 0

    def visit(step):
        nonlocal found
        blocks = [getattr(step, "body", []), *getattr(step, "branches", [])]
        for inner in itertools.chain.from_iterable(blocks):
            for root in getattr(inner, "roots", []):
                found += getattr(root.expression, "view", None) == root.view and (
                    root.view.shape == (size,)
                )
            visit(inner)

    for step in program.plan.steps:
        visit(step)
    return found


def test_branches_and_inner_loops_change_in_place():
    def f(y):
        def body(i, y):
            y = lax.cond(y[i] > 0, lambda y: y.at[i].set(-y[i]).at[0].add(1.0), lambda y: y, y)
            return lax.fori_loop(0, 3, lambda j, y: y.at[i + j].multiply(0.5), y)

        return lax.fori_loop(0, 50, body, y)

    y = rng.normal(size=100)
    assert copies_in_turns(compiled(f, y), 100) == 0
    both(f, y)


def test_branches_that_need_what_they_change():
    def f(y):
        def change(y):
            new = y.at[2].set(9.0)
            return new, y[2] + new[3], y * 2

        return lax.cond(y[0] > 0, change, lambda y: (y, y[1], y), y + 1)

    def g(y):
        def body(i, y):
            y, z = lax.cond(i > 2, lambda y: (y.at[i].set(0.0), y), lambda y: (y, y + 1), y)
            return y + z[::-1]

        return lax.fori_loop(0, 5, body, y)

    def h(y):  # a loop that changes places within a loop
        def body(i, y):
            y = lax.fori_loop(0, 3, lambda j, y: np.sin(y[::-1]) + j, y)
            return y.at[i].set(i)

        return lax.fori_loop(0, 4, body, y)

    for each in (f, g, h):
        for n in (8, 90):
            both(each, rng.uniform(0.5, 1.0, n))
            both(each, -rng.uniform(3.0, 4.0, n))


def test_operands_that_are_the_same_array():
    def f(y):
        z = y * 2

        def body(i, v):
            a, b = v
            return a.at[i].set(7.0), b + z + a

        return lax.fori_loop(0, 3, body, (z, z))

    def g(y):
        z = y * 2
        return lax.cond(z[0] > 0, lambda a, b: a.at[0].set(b[1]), lambda a, b: b, z, z)

    for each in (f, g):
        both(each, rng.uniform(0.5, 1.0, 70))
