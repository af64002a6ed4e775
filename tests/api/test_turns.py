"""Loops of Python that close: their turns as one program."""

import math
import signal
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autotrace as at
from autotrace import grad, hessian, jit, jvp, value_and_grad
from autotrace.api import paths, turns
from autotrace.transforms import questions

BACKENDS = ["numpy", "numba"]


@pytest.fixture(params=BACKENDS)
def backend(request, monkeypatch):
    """Loops become programs at their first turn."""
    monkeypatch.setattr(questions, "MANY_TURNS", 0)
    monkeypatch.setattr(paths, "MANY_TURNS", 0)
    before = at.config.backend
    at.config.update("backend", request.param)
    yield request.param
    at.config.update("backend", before)


@pytest.fixture
def taken(monkeypatch):
    """How often a program of turns was run."""
    runs = []
    take = turns.Turns.take

    def counted(self, state, run):
        runs.append(self)
        return take(self, state, run)

    monkeypatch.setattr(turns.Turns, "take", counted)
    return runs


def same(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


# --- programs ----------------------------------------------------------------------------------


def _newton(x):
    y = x
    while abs(y * y - x) > 1e-12 * x:
        y = 0.5 * (y + x / y)
    return y


def _bisection(x):
    low, high = 0.0 * x, x + 1.0
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        if middle * middle > x:
            high = middle
        else:
            low = middle
    return low * 1.0


def _break_and_continue(x):
    steps = 0.0 * x
    while True:
        x = x * 1.25
        if x > 900.0:
            break
        if x > 30.0:
            x = x + 10.0
            continue
        steps = steps + 1.0
    return x + steps


def _nested(x):
    total = 0.0 * x
    while x > 0.5:
        y = x
        while y > 0.25:
            y = y * 0.75
            total = total + y
        x = x - 0.5
    return total


def _left_from_the_inside(x):
    y = 0.0 * x
    while x < 300.0:
        while y < x:
            y = y + x * 0.3
            if y > 200.0:
                return y + 0.5
        x = x * 1.3
        y = y * 0.1
    return x


def _continue_outside_from_the_inside(x):
    total = 0.0 * x
    while total < 40.0:
        total = total + 1.0
        y = x
        while y > 1.0:
            y = y * 0.5
            if y < total:
                break
        else:
            total = total + 2.0
        x = x * 1.01 + y
    return total + x


def _three_deep(x):
    count = 0.0 * x
    a = x
    while a > 0.0:
        b = a
        while b > 0.0:
            c = b
            while c > 0.0:
                count = count + 1.0
                c = c - 1.0
            b = b - 1.0
        a = a - 1.0
    return count


def _two_after_another(x):
    while x < 50.0:
        x = x * 1.5
    while x > 1.0:
        x = x * 0.7
    return x


def _truth_of_a_number(x):
    n = (x * 3) // 1.0
    total = 0.0 * x
    while n:
        total = total + n * x
        n = n - 1.0
    return total


PROGRAMS = [
    _newton, _bisection, _break_and_continue, _nested, _left_from_the_inside,
    _continue_outside_from_the_inside, _three_deep, _two_after_another, _truth_of_a_number,
]  # fmt: skip
POINTS = [2.0, 7.5, 0.3, 12.0, 3.0]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("slices", [1, 1 << 12])
def test_programs(program, slices, backend, taken, monkeypatch):
    # Programs that stop after few turns go on where they stopped, in whichever loop that was.
    monkeypatch.setattr(turns, "_FIRST_SLICE", slices)
    if slices < 100:
        monkeypatch.setattr(turns, "_SLICE", 0.0)
    f = jit(program)
    for _ in range(2):
        for x in POINTS:
            same(f(x), program(np.float64(x)))
    assert taken or backend == "numpy"


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p is not _three_deep])  # it has none
def test_derivatives(program, backend, taken):
    f = jit(program)
    for x in POINTS:
        f(x)
    del taken[:]
    for x in POINTS:
        value, slope = value_and_grad(program)(x)
        got = value_and_grad(f)(x)
        same(got[0], value)
        same(got[1], slope)
        same(jvp(f, (x,), (2.0,))[1], 2.0 * slope)
        same(jit(grad(f))(x), slope)
    assert taken
    same(hessian(f)(2.0), hessian(program)(2.0))


def test_an_array_is_changed_in_place(backend, taken):
    def relax(u, tolerance):
        error = tolerance + 1.0
        while error > tolerance:
            v = u.copy()
            v[1:-1] = 0.5 * (u[2:] + u[:-2])
            error = abs(v - u).max()
            u = v
        return u

    f = jit(relax)
    u = np.zeros(12)
    u[-1] = 1.0
    for tolerance in (1e-2, 1e-6, 1e-3):
        same(f(u, tolerance), relax(u, tolerance))
        same(
            grad(lambda u, t=tolerance: f(u, t)[5])(u),
            grad(lambda u, t=tolerance: relax(u, t)[5])(u),
        )
    assert (taken or backend == "numpy") and u[-1] == 1.0 and not u[:-1].any()


def test_arrays_made_in_the_loop_and_by_numpy(backend, taken):
    def f(n):
        table = np.zeros(10)
        weights = np.arange(10.0)
        k = 0 * n
        while k < n:
            table[k % 10] += 1.0
            k = k + 1
        return (table * weights).sum()

    for n in (5, 23, 400, 0):
        assert jit(f)(n) == f(n)
    g = jit(f)
    for n in (5, 23, 400, 0):
        assert g(n) == f(n)
    assert taken or backend == "numpy"


def test_structures_and_constants(backend, taken):
    table = np.array([1.0, 2.0, 4.0])

    def f(p):
        while p["x"].sum() < 100.0:
            p = {"x": p["x"] * 1.5 + table, "n": p["n"] + 1}
        return p

    g = jit(f)
    for start in ([1.0, 2.0, 3.0], [0.0, 0.0, 0.5]):
        p = {"x": np.array(start), "n": 0}
        got, want = g(p), f(p)
        same(got["x"], want["x"])
        assert got["n"] == want["n"]
    assert taken or backend == "numpy"


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int32, np.uint8, np.float64])
def test_dtypes(dtype, backend, taken):
    def f(a, b):
        while b > 0:
            a, b = b, a % b
        return a

    g = jit(f)
    for a, b in [(48, 36), (17, 5), (250, 75), (0, 0), (233, 144)]:
        got = g(dtype(a), dtype(b))
        assert got == math.gcd(a, b) and got.dtype == dtype
    assert taken or backend == "numpy"


def test_a_branch_first_taken_late(backend, taken):
    @jit
    def f(x, n):
        while n > 0:
            if x > 100.0:
                x = x - 90.0
            x = x + 0.5
            n = n - 1
        return x

    def plain(x, n):
        return f.__wrapped__(np.float64(x), n)

    same(f(1.0, 50), plain(1.0, 50))  # without it
    same(f(90.0, 400), plain(90.0, 400))  # met by the program
    known = f.stats()["traces"]
    same(f(70.0, 5000), plain(70.0, 5000))
    assert f.stats()["traces"] == known
    if backend == "numba":
        assert len({id(program) for program in taken}) == 2  # it was written anew, once


def test_hits_are_counted(backend):
    @jit
    def f(n):
        odd = 0 * n
        while n != 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
                odd = odd + 1
        return odd

    for n in (6, 7, 27, 97):
        f(n)
    text = f.explain(6)
    steps = {6: (6, 2), 7: (11, 5), 27: (70, 41), 97: (75, 43)}  # halvings, triplings
    even = sum(e for e, _ in steps.values())
    odd = sum(o for _, o in steps.values())
    assert f"True {even + odd} times, False 4 times" in text
    assert f"True {even} times, False {odd} times" in text


# --- what is not a program ---------------------------------------------------------------------


def test_effects_stay_in_order(backend, capsys):
    @jit
    def f(x):
        while x < 3.0:
            at.debug.print("x = {}", x)
            x = x + 1.0
        return x

    for _ in range(2):
        assert f(0.0) == 3.0
        assert capsys.readouterr().out.split("\n")[:-1] == ["x = 0.0", "x = 1.0", "x = 2.0"]


def test_errors_name_the_line(backend):
    @jit
    def f(x, i):
        total = 0.0
        while total < 100.0:
            total = total + x[i]
            i = i + 1
        return total

    assert f(np.full(200, 1.0), 0) == 100.0
    with pytest.raises(IndexError, match=r"(?s)test_turns\.py.*total = total \+ x\[i\]"):
        f(np.full(200, 0.25), 0)


def test_an_endless_loop_can_be_interrupted(backend):
    @jit
    def f(x):
        while x > 0.0:
            x = x * 1.0
        return x

    class AlarmError(Exception):
        pass

    def ring(*_):
        raise AlarmError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        began = time.perf_counter()
        with pytest.raises(AlarmError):
            f(1.0)
        assert time.perf_counter() - began < 20.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert f(-1.0) == -1.0


def test_settings_that_watch_each_step(backend, taken):
    @jit
    def f(x):
        while x < 10.0:
            x = x * x - 1.0
        return x

    assert f(2.0) == 63.0
    del taken[:]
    with at.debug_nans(True):
        assert f(2.5) == f.__wrapped__(2.5)
    assert not taken


def test_within_another_jit(backend):
    inner = jit(_newton)
    for x in POINTS:
        inner(x)
    outer = jit(lambda x: inner(x) + 1.0)
    for x in POINTS:
        same(outer(x), _newton(x) + 1.0)
        same(grad(outer)(x), grad(_newton)(x))


def test_threads(backend):
    f = jit(_break_and_continue)
    wrong = []

    def call(seed):
        for x in np.random.default_rng(seed).uniform(0.01, 800.0, 50):
            if abs(f(x) - _break_and_continue(x)) > 1e-9:
                wrong.append(x)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_loop_of_many_turns_is_not_traced_again():
    @jit
    def f(x, n):
        while n > 0:
            x = x * 0.5 + 1.0
            n = n - 1
        return x

    f(1.0, 5000)
    before = f.stats()
    assert f(1.0, 100_000) == 2.0
    assert f.stats() == before and before["paths"] == 1


def test_loops_that_are_too_large_are_walked(backend, taken, monkeypatch):
    monkeypatch.setattr(turns, "_MOST_NODES", 2)
    f = jit(_left_from_the_inside)
    for x in POINTS:
        same(f(x), _left_from_the_inside(x))


# --- random programs ---------------------------------------------------------------------------

_NAMES = st.sampled_from("a b c".split())
_VALUES = st.sampled_from(
    "a*b a+c b-c a*0.5 np.sin(a)*2 np.cos(b)*c b*b-0.5 a/(1+b*b) abs(c) np.tanh(a) -a b+0.3".split()
)
_QUESTIONS = st.sampled_from("a>b b>0 a<c abs(c)>0.7 a*b<c b>0.2 c<1.5".split())
_ASSIGNMENTS = st.tuples(_NAMES, _VALUES).map(" = ".join)


def _indented(lines):
    return [f"    {line}" for line in lines]


@st.composite
def _blocks(draw, depth=2, loop=""):
    lines = [draw(_ASSIGNMENTS)]
    for _ in range(draw(st.integers(1, 2))):
        kinds = ["set", *(["if", "else", "while", "while"] if depth else [])]
        kinds += [f"if q: {word}" for word in ("break", "continue") if loop]
        kind = draw(st.sampled_from([*kinds, "return"]))
        if kind == "set":
            lines.append(draw(_ASSIGNMENTS))
        elif kind == "return":
            lines.append(f"if {draw(_QUESTIONS)} and {draw(_QUESTIONS)}: return a - c")
        elif kind.startswith("if q"):
            lines.append(kind.replace("q", draw(_QUESTIONS)))
        elif kind == "while":
            name = f"n{depth}"
            test = draw(st.sampled_from([f"{name} < 7.0", f"{name} < 9.0 and {draw(_QUESTIONS)}"]))
            lines += [f"{name} = 0.0 * a", f"while {test}:", f"    {name} = {name} + 1.0"]
            lines += _indented(draw(_blocks(depth - 1, name)))
        else:
            lines += [f"if {draw(_QUESTIONS)}:", *_indented(draw(_blocks(depth - 1, loop)))]
            if kind == "else":
                lines += ["else:", *_indented(draw(_blocks(depth - 1, loop)))]
    return lines


def _function(lines):
    text = "\n".join(["def f(a, b, c):", *_indented([*lines, "return a + 2.0*b*c"])])
    namespace = {"np": np}
    exec(compile(text, "<program>", "exec"), namespace)
    return namespace["f"]


# One of the loops that close within another is entered elsewhere than at its head.
_OVERLAPPING = """\
b = b*b-0.5
n2 = 0.0 * a
while n2 < 7.0:
    n2 = n2 + 1.0
    c = np.cos(b)*c
    if c<1.5: break
    if a<c:
        c = np.tanh(a)
        if a*b<c: continue
    else:
        b = a/(1+b*b)
        if a>b and b>0: return a - c
        if abs(c)>0.7 and a>b: return a - c
n2 = 0.0 * a
while n2 < 9.0 and c<1.5:
    n2 = n2 + 1.0
    a = -a
    n1 = 0.0 * a
    while n1 < 9.0 and a<c:
        n1 = n1 + 1.0
        a = np.sin(a)*2
        if abs(c)>0.7 and b>0.2: return a - c
        if b>0: break
    n1 = 0.0 * a
    while n1 < 9.0 and a<c:
        n1 = n1 + 1.0
        a = np.sin(a)*2
        c = np.cos(b)*c
        if c<1.5: continue"""


def test_loops_that_do_not_lie_in_each_other(backend, taken):
    plain = _function(_OVERLAPPING.split("\n"))
    f = jit(plain)
    points = [(0.7060546875, -1.06640625, 2.0), (1.0, -0.60205078125, 1.130859375)]
    points.append((-0.07623291015625, -1.12890625, -1.52734375))
    for point in 2 * points:
        np.testing.assert_allclose(f(*point), plain(*map(np.float64, point)), rtol=1e-9)


_POINT = st.tuples(*[st.floats(-2, 2, width=16)] * 3)


def test_random_programs(backend, taken):
    examples = 25 if backend == "numpy" else 8  # compiling takes its time
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

    @settings(max_examples=examples, suppress_health_check=checks, deadline=None)
    @given(_blocks(), st.lists(_POINT, min_size=2, max_size=4))
    @np.errstate(all="ignore")  # a program may overflow
    def check(lines, points):
        plain = _function(lines)
        f = jit(plain)
        wanted = [plain(*map(np.float64, point)) for point in points]
        for _ in range(2):
            for point, want in zip(points, wanted, strict=True):
                np.testing.assert_allclose(f(*point), want, rtol=1e-9, atol=1e-9)
        slopes = grad(plain, (0, 1, 2))(*points[0])
        np.testing.assert_allclose(grad(f, (0, 1, 2))(*points[0]), slopes, rtol=1e-7, atol=1e-7)

    check()
    assert taken or backend == "numpy"
