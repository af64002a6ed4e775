"""Loops of Python's that are found to be one node."""

import threading

import numpy as np
import pytest
from path_checks import same, traces

from autotrace import grad, jit

pytestmark = pytest.mark.usefixtures("backend")


def test_another_count_of_turns_needs_no_trace():
    @jit
    def f(x, n):
        while n > 0:
            x = x * 0.5 + 1.0
            n = n - 1
        return x

    for n in (0, 1, 6):
        f(1.0, n)
    known = traces(f)
    for n in (2, 3, 4, 5, 17, 1000):
        same(f(1.0, n), 2.0 - 0.5**n)
        same(grad(f)(1.0, n), 0.5**n)
        same(jit(grad(f))(1.0, n), 0.5**n)
    assert traces(f) == known == 4
    assert "True" in f.explain(1.0, 3)


def test_branches_within_a_loop():
    @jit
    def f(x):
        while abs(x) > 1:
            if x > 3:
                x = x * 0.5
            elif x > 0:
                x = x - 0.3
            else:
                x = -x * 0.9
        return x * 2

    points = [1.5, 100.0, 2.5, -7.7, 50.0, 0.5, -100.0, 3.3]
    for x in points:
        same(f(x), f.__wrapped__(np.float64(x)))
    known = traces(f)
    for x in np.linspace(-200, 200, 37):
        same(f(x), f.__wrapped__(x))
        same(grad(f)(x), grad(f.__wrapped__)(x))
    assert traces(f) - known <= 6


def _counter(x):
    n = 0
    while x < 1e9:
        x = x * 1.5
        n += 1
        if n > 20:
            break
    return x, n


def _growing_list(x):
    seen = []
    while x < 1e9:
        x = x * 1.5
        seen.append(None)
        if len(seen) > 7:
            break
    return x


def _attribute(x):
    class Counter:
        n = 0

    counter = Counter()
    while x < 1e9:
        x = x * 1.5
        counter.n += 1
        if counter.n > 7:
            break
    return x


def _nonlocal(x):
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    while x < 1e9:
        x = x * 1.5
        if count() > 7:
            break
    return x


def _make_counter():
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    return count


def _closure_of_a_returned_function(x):
    count = _make_counter()
    while x < 1e9:
        x = x * 1.5
        if count() > 7:
            break
    return x


def _bound_method(x):
    class Counter:
        def __init__(self):
            self.n = 0

        def more(self):
            self.n += 1
            return self.n

    more = Counter().more
    while x < 1e9:
        x = x * 1.5
        if more() > 7:
            break
    return x


def _function_attribute(x):
    def count():
        count.n += 1
        return count.n

    count.n = 0
    while x < 1e9:
        x = x * 1.5
        if count() > 7:
            break
    return x


def _hidden_iterator(x):
    for _ in [None] * 6:
        if x < 1e9:
            x = x * 1.5
    return x


def _explicit_iterator(x):
    it = iter([None] * 6)
    while x < 1e9:
        x = x * 1.5
        if next(it, True):
            break
    return x


def _generator(x):
    def steps():
        for n in range(6):
            yield n > 4

    g = steps()
    while x < 1e9:
        x = x * 1.5
        if next(g):
            break
    return x


def _in_a_generator(x):
    def steps(y):
        while y < 1e9:
            y = y * 1.5
            yield y

    for n, y in enumerate(steps(x)):
        if n == 6:
            return y
    return x


def _array_counter(x):
    n = np.frombuffer(bytearray(8), int)
    while x < 1e9:
        x = x * 1.5
        n[0] += 1
        if int(n[0]) > 7:
            break
    return x


def _dict_of_dicts(x):
    state = {"a": {"n": 0}}
    while x < 1e9:
        x = x * 1.5
        state["a"]["n"] += 1
        if state["a"]["n"] > 7:
            break
    return x


def _set(x):
    seen = set()
    while x < 1e9:
        x = x * 1.5
        seen.add(len(seen))
        if len(seen) > 7:
            break
    return x


def _list_of_traced(x):
    history = [x]
    while x < 100:
        x = x * 1.5
        history.append(x)
    return sum(history)


def _last_two(x):
    before = after = x
    while after < 100:
        before, after = after, after + before * 0.5
    return before * 2 + after


def _changing_names(x):
    y = x
    while x < 100:
        x = x * 1.5
        z = x + y
        y = z * 0.5
    return x + y


def _aliases(x):
    a = [1]
    b = a
    while x < 1e9:
        x = x * 1.5
        if b is a:
            b = [1]
        else:
            break
    return x


def _turning_flag(x):
    flag = False
    while x < 1000:
        x = x * 1.5 if flag else x + 1
        flag = not flag
    return x


def _settling(x):
    n = 0
    while x < 1e4:
        x = x * 1.3
        n = min(n + 1, 4)
        if n == 4:
            x = x + 1
    return x


def _helper_loop(x):
    def climb(y, top):
        while y < top:
            y = y * 1.7
        return y

    for k in range(3):
        x = climb(x, 10.0 * (k + 1)) + k
    return x


def _helper_in_an_endless_loop(x):
    def climb(y):
        while y < 40:
            y = y * 1.7
        return y

    calls = [0]
    while True:
        calls[0] += 1
        x = climb(x) * 0.1
        if calls[0] == 5:
            return x


def _operand(x):
    count = _make_counter()
    while True:
        x = x * 1.2
        if (count(), 1 if x < 1e9 else 2)[0] > 6:
            return x


def _with_block(x):
    while x < 1000:
        with np.errstate(all="ignore"):
            x = x * 1.5 if x < 50 else x * 3
    return x


def _try_block(x):
    n = 0
    while x < 1e9:
        try:
            x = x * 1.5
            if x > 20:
                n += 1
                raise ValueError
        except ValueError:
            if n > 3:
                break
    return x


def _nested_loops(x):
    y = x
    while y < 500:
        while x < 5:
            x = x * 1.4
        y = y + x
        x = x - 4.5
    return y - x


def _integer_state(x):
    n = int(x)
    while x < 100:
        x = x * 1.5
        n = int(x) % 3
    return x * (n + 1)


def _dictionary_of_traced(x):
    p = {"x": x, "steps": (x * 0, x)}
    while p["x"] < 100:
        p = {"x": p["x"] * 1.5, "steps": (p["steps"][0] + 1, p["x"])}
    return p["x"] + p["steps"][0] * p["steps"][1]


LOOPS = [
    _counter, _growing_list, _attribute, _nonlocal, _closure_of_a_returned_function, _bound_method,
    _function_attribute, _hidden_iterator, _explicit_iterator, _generator, _in_a_generator,
    _array_counter, _dict_of_dicts, _set, _list_of_traced, _last_two, _changing_names, _aliases,
    _turning_flag, _settling, _helper_loop, _helper_in_an_endless_loop, _operand, _with_block,
    _try_block, _nested_loops, _integer_state, _dictionary_of_traced,
]  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_with_state_in_python(loop):
    f = jit(loop)
    points = [3.0, 1.0, 1.7, 0.6, 1e8, 4e8, 2e7, 60.0, 1.1, 700.0]
    for x in points:
        want = loop(np.float64(x))
        for _ in range(2):
            for got, expected in zip(np.atleast_1d(f(x)), np.atleast_1d(want), strict=True):
                same(got, expected)
    if loop is not _counter:
        for x in points[:4]:
            same(grad(f)(x), grad(loop)(x))
            same(jit(grad(loop))(x), grad(loop)(x))


@pytest.mark.parametrize("loop", [_last_two, _changing_names, _settling, _dictionary_of_traced])
def test_these_loops_need_few_traces(loop):
    f = jit(loop)
    for x in np.geomspace(0.001, 5000, 60):
        same(f(x), loop(x))
    assert traces(f) <= 8


def test_loops_at_once():
    @jit
    def f(x, n):
        while n > 0:
            x = x * 0.5 + 1.0
            n = n - 1
        return x

    wrong = []

    def call(seed):
        rng = np.random.default_rng(seed)
        for n in rng.integers(0, 60, 40):
            if abs(f(1.0, int(n)) - (2.0 - 0.5 ** int(n))) > 1e-12:
                wrong.append(n)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and traces(f) <= 6
