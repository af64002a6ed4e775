"""Threads that share kernels: the same results for each number of them, forks, and small work."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autotrace.kernels import Program, lowering, team, tiling
from autotrace.kernels.tiling import Group

import autotrace as at
from autotrace import lax
from autotrace.core.trace import get_aval
from autotrace.transforms.stage import stage

COUNTS = (1, 2, 3, 5)


def program(function: Callable[..., Any], *args: Any) -> Program:
    return Program(stage(function, [get_aval(x) for x in args]))


def bits(x: Any) -> tuple:
    x = np.asarray(x)
    return x.shape, x.dtype, x.tobytes()


def check_same_bits(
    made: Callable[..., Any], *args: Any, counts: tuple[int, ...] = COUNTS, times: int = 3
) -> list[Any]:
    """Results for one thread, after comparing them with those for more."""
    right: list[Any] = []
    for count in counts:
        with at.threads(count):
            for _ in range(times):
                found = made(*args)
                right = right or found
                for a, b in zip(found, right, strict=True):
                    assert bits(a) == bits(b), f"{count} threads"
    return right


def randn(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture(params=[1, 40])
def shares_small_work(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Whatever can be shared among threads is: in as many pieces as there may be, or in a few, as
    which folds are cut too."""
    monkeypatch.setattr(lowering, "_SHARE_FROM", 1)
    monkeypatch.setattr(lowering, "_PIECE", request.param)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "_BLOCK_BYTES", 64)


@pytest.fixture
def number_of_threads() -> Any:
    before = at.config.num_threads
    yield before
    at.set_num_threads(before)


# --- settings ----------------------------------------------------------------------------------


def test_set_num_threads(number_of_threads):
    at.set_num_threads(3)
    assert at.config.num_threads == 3
    with at.threads(2):
        assert at.config.num_threads == 2
        with at.threads(0):
            assert at.config.num_threads == 0
        assert at.config.num_threads == 2
    assert at.config.num_threads == 3
    at.set_num_threads(np.int64(1))
    assert at.config.num_threads == 1


def test_threads_is_undone_after_an_error(number_of_threads):
    with pytest.raises(KeyError), at.threads(number_of_threads + 1):
        raise KeyError
    assert at.config.num_threads == number_of_threads


def test_threads_is_of_one_thread():
    seen = []
    with at.threads(7):
        thread = threading.Thread(target=lambda: seen.append(at.config.num_threads))
        thread.start()
        thread.join()
    assert seen == [at.config.num_threads]


@pytest.mark.parametrize("set_count", [at.set_num_threads, at.threads])
def test_counts_that_are_none(number_of_threads, set_count):
    name = set_count.__name__
    for wrong in (2.0, "2", None, [2]):
        with pytest.raises(TypeError, match=f"(?s){name} takes a whole number.*test_threads.py"):
            set_count(wrong)
    with pytest.raises(ValueError, match=f"(?s){name} takes a number of threads.*test_threads.py"):
        set_count(-1)
    assert at.config.num_threads == number_of_threads


def run_code(code: str, *options: str, **environment: str) -> str:
    """What a process of its own prints."""
    names = ("AUTOTRACE_NUM_THREADS", "AUTOTRACE_BACKEND")
    inherited = {k: v for k, v in os.environ.items() if k not in names}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", *options, "-c", code],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("count", ["1", "3", "0"])
def test_the_environment_sets_the_number(count):
    code = """
import threading
import numpy as np
import autotrace as at
x = np.ones(1_000_000)
np.testing.assert_allclose(at.jit(lambda x: np.sin(x) * np.exp(x))(x), np.sin(1) * np.exp(1))
print(at.config.num_threads, threading.active_count())
"""
    threads = int(count) or team.available()
    assert run_code(code, AUTOTRACE_NUM_THREADS=count) == f"{count} {threads}"


def test_small_work_starts_no_thread():
    code = """
import threading
import numpy as np
import autotrace as at
x = np.ones((30, 30))
f = at.jit(lambda x: np.exp(x - x.max(1, keepdims=True)).sum(1) @ x)
for size in (1, 3, 30):
    f(x[:size, :size])
at.jit(at.grad(lambda x: np.tanh(x @ x).sum()))(x)
print([t.name for t in threading.enumerate()])
"""
    assert run_code(code, AUTOTRACE_NUM_THREADS="4") == "['MainThread']"


def test_workers_are_started_once_and_named():
    code = """
import threading
import numpy as np
import autotrace as at
x = np.ones(1_000_000)
for count in (3, 2, 3, 1):
    with at.threads(count):
        at.jit(lambda x: np.sin(x) + count)(x)
        at.jit(lambda x: np.sin(x).sum() + count)(x)
print(*(t.name for t in threading.enumerate() if t.daemon))
"""
    assert run_code(code, AUTOTRACE_NUM_THREADS="1") == "autotrace-0 autotrace-1"


# --- the same results for each number of threads ------------------------------------------------


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, 1, keepdims=True))
    return e / np.sum(e, 1, keepdims=True)


def layer_norm(x: Any) -> Any:
    centred = x - np.mean(x, 1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, 1, keepdims=True) + 1e-5)


def weighted(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: np.sum(function(x) * np.cos(x))


PLACES = np.random.default_rng(1).integers(0, 10, (70, 11))

#: Functions of a matrix of at least 10 rows and columns.
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: (np.sin(x) * x + 1, np.tanh(x) > 0.1),
    "transposed": lambda x: np.exp(x.T) * 2,
    "reversed": lambda x: np.exp(x[::-1, ::-1]) + x,
    "rows": lambda x: (np.sum(np.exp(x), 1), np.max(x, 1), np.min(x * 2, 1)),
    "full": lambda x: (np.sum(np.exp(x)), np.prod(1 + x / 1e3), np.max(x), np.min(x)),
    "columns": lambda x: (np.sum(np.sin(x), 0), np.max(x, 0), np.all(x > -5, 0)),
    "scans": lambda x: (np.cumsum(x, 1), np.cumsum(np.exp(x), 0), lax.cummax(x.ravel(), 0)),
    "gathers": lambda x: (np.exp(x)[:, ::2], np.sin(x)[PLACES, 3], x[PLACES[:, 0] % 10]),
    "scatters": lambda x: lax.scatter_add(
        np.exp(x), [PLACES[:, 0]], np.sin(x[:1] + PLACES[:, 1:2]), (0,)
    ),
    "windows": lambda x: lax.dynamic_update_slice(
        x, lax.dynamic_slice(np.exp(x), (2, 3), (5, 6)), (4, 1)
    ),
    "products": lambda x: (x @ x.T, x[:5, :5] @ x[:5], x @ np.ones(x.shape[1])),
    "softmax": softmax,
    "layer norm": layer_norm,
    "gradient of softmax": at.grad(weighted(softmax)),
    "gradient of layer norm": at.grad(weighted(layer_norm)),
    "integers": lambda x: (
        np.sum((7 * x).astype(int)), np.cumsum((3 * x).astype(np.int32), 0),
        np.max(x.astype(np.int8), 1),
    ),
    "float32": lambda x: (np.sum(np.exp(x.astype(np.float32))), softmax(x.astype(np.float32))),
}  # fmt: skip


def flat(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    def call(*args: Any) -> list[Any]:
        found = function(*args)
        return list(found) if isinstance(found, tuple) else [found]

    return call


def check_function(name: str, x: Any) -> Program:
    made = program(flat(FUNCTIONS[name]), x)
    found = check_same_bits(made, x)
    right = flat(at.jit(FUNCTIONS[name], backend="numpy"))(x)
    for a, b in zip(found, right, strict=True):
        assert a.dtype == b.dtype
        tolerance = 1e-4 if a.dtype == np.float32 else 1e-10
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    return made


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(10, 10), (67, 13)])
def test_small_work_that_is_shared(shares_small_work, name, shape):
    made = check_function(name, randn(*shape))
    assert any(low.piece for low in made.kernels) or name in ("full", "columns", "scatters")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_small_groups_that_are_shared(shares_small_work, small_blocks, name):
    made = check_function(name, randn(65, 17))
    if name in ("softmax", "layer norm", "gradient of softmax", "gradient of layer norm"):
        assert any(isinstance(step, Group) and step.piece for step in made.steps)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_large_work(name):
    made = check_function(name, randn(900, 300))
    assert any(step.piece for step in made.native_steps) or name in ("windows", "products")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: [lax.sin(x)],
        lambda x: [lax.reduce_sum(lax.sin(x), (1,))],
        lambda x: [lax.reduce_sum(lax.sin(x), (0,))],
        lambda x: [lax.reduce_sum(lax.sin(x), (0, 1))],
    ],
)
def test_sizes_just_below_and_above_the_threshold(function):
    """The smallest number of rows that is shared, its neighbours, and some beyond."""

    def pieces(rows: int) -> list[int]:
        return [low.piece for low in program(function, np.ones((rows, 16))).kernels]

    low, high = 1, 1 << 16
    assert not any(pieces(low)) and any(pieces(high))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if any(pieces(middle)) else (middle, high)
    for rows in (low - 1, low, high, high + 1, 2 * high - 1, 2 * high, 3 * high + 1):
        x = randn(rows, 16)
        made = program(function, x)
        (found,) = check_same_bits(made, x)
        np.testing.assert_allclose(found, function(x)[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 63, 64, 65, 127, 128, 129])
def test_each_element_is_in_one_piece(shares_small_work, size):
    ones = np.ones(size)
    made = program(lambda x: [lax.add(lax.exp(x), x), lax.reduce_sum(x, (0,))], ones)
    found = check_same_bits(made, ones)
    np.testing.assert_allclose(found[0], np.e + 1, rtol=1e-15)
    assert found[1] == size
    many = np.ones((size, 3), np.int64)
    made = program(lambda x: [lax.reduce_sum(x, (0,)), lax.cumsum(x, 1)], many)
    found = check_same_bits(made, many)
    np.testing.assert_array_equal(found[0], size)
    np.testing.assert_array_equal(found[1], many.cumsum(1))


def test_empty_arrays(shares_small_work):
    for shape in [(0,), (0, 3), (3, 0)]:
        x = np.ones(shape)
        made = program(lambda x: [lax.sin(x), lax.reduce_sum(x, (0,)), lax.cumsum(x, 0)], x)
        for found, right in zip(check_same_bits(made, x), (x, x.sum(0), x), strict=True):
            np.testing.assert_array_equal(found, right)


def test_special_values(shares_small_work):
    x = randn(40, 30)
    x[3, 4], x[20, 1], x[30, 29] = np.nan, np.inf, -np.inf
    made = program(flat(FUNCTIONS["full"]), x)
    total, product, most, least = check_same_bits(made, x)
    assert all(map(np.isnan, (total, product, most, least)))
    y = np.where(np.isnan(x), 0, x)
    made = program(lambda x: [lax.reduce_max(x, (0, 1)), lax.reduce_sum(x, (0,))], y)
    most, totals = check_same_bits(made, y)
    assert most == np.inf
    np.testing.assert_allclose(totals, y.sum(0), rtol=1e-12)


def test_index_errors_on_several_threads(shares_small_work):
    x, index = randn(50, 20), np.zeros((50, 20), np.int64)
    jitted = at.jit(lambda x, i: np.exp(x[i, i]).sum(1), backend="numba")
    for place in [(0, 0), (49, 19), (25, 3)]:
        wrong = index.copy()
        wrong[place] = 50
        for count in COUNTS:
            with at.threads(count):
                with pytest.raises(IndexError, match=r"(?s)out of bounds.*test_threads"):
                    jitted(x, wrong)
                np.testing.assert_allclose(jitted(x, index), 20 * np.exp(x[0, 0]) * np.ones(50))


# --- random programs ---------------------------------------------------------------------------


def load_fuzz() -> Any:
    path = Path(__file__).with_name("test_fuzz.py")
    spec = importlib.util.spec_from_file_location("fuzz_machinery", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = load_fuzz()


def check_random(seed: int, kind: Any, **options: Any) -> None:
    made = kind(seed, special=seed % 4 == 0, **options)
    compiled = Program(fuzz.staged(made.run, made.inputs))
    with at.threads(1):
        right = compiled(*made.inputs)
    for count in (2, 3):
        with at.threads(count):
            fuzz.check_same(compiled(*made.inputs), right, [0.0] * len(right))


def check_random_programs(first: int, kind: Any = fuzz.RichProgram, **options: Any) -> None:
    for seed in range(first, first + 20):
        try:
            check_random(seed, kind, **options)
        except BaseException as error:
            error.add_note(f"check_random({seed}, {kind.__name__}, **{options})")
            raise


@pytest.mark.parametrize("batch", range(3))
def test_random_programs(shares_small_work, batch):
    check_random_programs(300_000 + 20 * batch)


@pytest.mark.parametrize("batch", range(2))
def test_random_programs_in_groups(shares_small_work, small_blocks, batch):
    check_random_programs(310_000 + 20 * batch, length=(6, 14))


def test_random_programs_against_the_interpreter(shares_small_work, small_blocks):
    with at.threads(3):
        for seed in range(15):
            fuzz.check_program(320_000 + seed, kind=fuzz.RichProgram)
        for seed in range(10):
            fuzz.check_derivatives(330_000 + seed)


# --- calls from many threads --------------------------------------------------------------------


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Run in threads that start together; the first error of any of them is raised."""
    errors: list[BaseException] = []
    together = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            together.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("size", [500, 60_000])
def test_callers_while_the_team_works(number_of_threads, size):
    """One caller has the team, others work alone; each gets what it gets by itself."""
    at.set_num_threads(3)
    jitted = at.jit(lambda x: (np.exp(x) * 2, np.sum(np.sin(x)), np.cumsum(x)), backend="numba")
    inputs = [np.linspace(0, n + 1, size) for n in range(6)]
    rights = [[bits(y) for y in jitted(x)] for x in inputs]

    def work(number: int) -> None:
        for _ in range(25):
            assert [bits(y) for y in jitted(inputs[number])] == rights[number]

    in_threads(work, len(inputs))


def test_callers_with_numbers_of_their_own():
    x = np.linspace(0, 1, 60_000)
    functions = [
        at.jit(lambda x: np.sum(np.exp(x))),
        at.jit(lambda x: np.tanh(x) * 3),
        at.jit(lambda x: softmax(x.reshape(300, 200))),
    ]
    rights = [bits(f(x)) for f in functions]

    def work(number: int) -> None:
        with at.threads(1 + number % 4):
            for turn in range(20):
                at_turn = (number + turn) % len(functions)
                assert bits(functions[at_turn](x)) == rights[at_turn]

    in_threads(work, 6)


def test_the_number_changes_while_others_call(number_of_threads):
    x = np.linspace(0, 1, 60_000)
    jitted = at.jit(lambda x: np.sum(np.exp(np.sin(x))), backend="numba")
    right = jitted(x)

    def work(number: int) -> None:
        for turn in range(20):
            if number == 0:
                at.set_num_threads(1 + turn % 4)
            assert jitted(x) == right

    in_threads(work, 4)


def test_a_callback_that_calls_a_jitted_function(number_of_threads):
    at.set_num_threads(3)
    x = np.linspace(0, 1, 60_000)
    inner = at.jit(lambda x: np.tanh(x) + np.sum(x), backend="numba")
    shape = at.ShapeDtypeStruct(x.shape, float)

    def function(x: Any) -> Any:
        y = at.pure_callback(lambda y: inner(y), shape, np.exp(x))
        return np.sum(np.sin(y)), y * 2

    outer = at.jit(function, backend="numba")
    y = np.tanh(np.exp(x)) + np.exp(x).sum()
    for _ in range(3):
        total, twice = outer(x)
        np.testing.assert_allclose(twice, 2 * y, rtol=1e-13)
        np.testing.assert_allclose(total, np.sin(y).sum(), rtol=1e-7)
    right = list(map(bits, outer(x)))

    def work(number: int) -> None:
        for _ in range(6):
            assert list(map(bits, outer(x))) == right

    in_threads(work, 4)


# --- forks and the end of the process -----------------------------------------------------------

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

_FORKING = """
import os, signal, sys, threading, time, traceback
import numpy as np
import autotrace as at

x = np.linspace(0, 1, 300_000)
f = at.jit(lambda x: (np.tanh(np.exp(x)), np.sum(np.sin(x))))

def bits(outs):
    return [np.asarray(y).tobytes() for y in outs]

def fork(work):
    child = os.fork()
    if child == 0:
        signal.alarm(40)
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return child

def code_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def close():
    found = f(x)
    np.testing.assert_allclose(found[0], np.tanh(np.exp(x)), rtol=1e-14)
    np.testing.assert_allclose(found[1], np.sin(x).sum(), rtol=1e-12)
    return bits(found)
"""


def fork_code(code: str) -> str:
    return run_code(_FORKING + code, AUTOTRACE_NUM_THREADS="3")


@needs_fork
def test_fork_before_the_first_use():
    code = """
codes = [code_of(fork(close)) for _ in range(2)]
close()
print(codes)
"""
    assert fork_code(code) == "[0, 0]"


@needs_fork
def test_fork_after_use():
    """A child has none of the threads; it may have its own."""
    code = """
right = close()

def work():
    assert threading.active_count() == 1
    for _ in range(3):
        assert bits(f(x)) == right
    g = at.jit(lambda x: np.cos(x) * 2)
    np.testing.assert_allclose(g(x), np.cos(x) * 2, rtol=1e-14)
    assert threading.active_count() == 3
    for _ in range(3):
        assert bits(f(x)) == right
    with at.threads(2):
        assert bits(f(x)) == right
    assert code_of(fork(close)) == 0

codes = [code_of(fork(work)) for _ in range(3)]
assert bits(f(x)) == right
print(codes)
"""
    assert fork_code(code) == "[0, 0, 0]"


@needs_fork
def test_fork_while_another_thread_uses_the_team():
    code = """
right = close()
stop = False
g = at.jit(lambda x: np.sum(np.exp(np.sin(x) * x)))

def use():
    while not stop:
        assert bits(f(x)) == right

def work():
    for _ in range(3):
        assert bits(f(x)) == right
    np.testing.assert_allclose(g(x), np.exp(np.sin(x) * x).sum(), rtol=1e-12)
    assert bits(f(x)) == right

users = [threading.Thread(target=use) for _ in range(2)]
for user in users:
    user.start()
codes = [code_of(fork(work)) for _ in range(8)]
stop = True
for user in users:
    user.join()
assert bits(f(x)) == right
print(codes)
"""
    assert fork_code(code) == "[0, 0, 0, 0, 0, 0, 0, 0]"


@needs_fork
def test_a_team_that_starts_in_a_child_while_another_thread_calls():
    code = """
x = np.linspace(0, 1, 4_000_000)
g = at.jit(lambda x: np.cos(x) * 2)
with at.threads(1):
    g(x)
close()
calling = threading.Event()

def use():
    calling.set()
    for _ in range(3):
        f(x)

def work():
    signal.alarm(6)
    calling.clear()
    user = threading.Thread(target=use, daemon=True)
    user.start()
    calling.wait()
    time.sleep(0.01)
    np.testing.assert_allclose(g(x[:300_000]), np.cos(x[:300_000]) * 2, rtol=1e-14)
    user.join()
    close()

print([code_of(fork(work)) for _ in range(2)])
"""
    assert fork_code(code) == "[0, 0]"


@needs_fork
def test_fork_while_another_thread_stages():
    code = """
close()
begun, forked = threading.Event(), threading.Event()

def slow(x):
    begun.set()
    forked.wait(30)
    return x * 2

stager = threading.Thread(target=lambda: at.jit(slow)(x))
stager.start()
begun.wait()

def work():
    signal.alarm(8)
    np.testing.assert_allclose(at.jit(lambda x: np.cos(x) * 2)(x), np.cos(x) * 2, rtol=1e-14)

code = code_of(fork(work))
forked.set()
stager.join()
print(code)
"""
    assert fork_code(code) == "0"


@needs_fork
def test_a_child_that_ends_as_python_does():
    code = """
close()
child = os.fork()
if child == 0:
    signal.alarm(40)
    close()
    g = at.jit(lambda x: np.cos(x) * 2)
    g(x)
    sys.exit(7)
print(code_of(child))
"""
    assert fork_code(code) == "7"


@needs_fork
def test_pools_of_processes():
    code = """
import multiprocessing
right = close()

def work(n):
    return bits(f(x)) == right

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print(all(pool.map(work, range(6))))
"""
    assert fork_code(code) == "True"


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "time.sleep(0.05)"])
def test_the_end_of_the_process_while_workers_sleep(end):
    code = f"""
import sys, time
import numpy as np
import autotrace as at
x = np.ones(1_000_000)
total = at.jit(lambda x: np.sum(np.sin(x)))(x)
print(round(total / np.sin(1)), flush=True)
{end}
"""
    assert run_code(code, AUTOTRACE_NUM_THREADS="4") == "1000000"


def test_the_end_of_the_process_while_workers_work():
    code = """
import threading, time
import numpy as np
import autotrace as at
x = np.ones(300_000)
f = at.jit(lambda x: np.sum(np.sin(x)))
right = f(x)

def use():
    while True:
        f(x)

threading.Thread(target=use, daemon=True).start()
time.sleep(0.1)
print("done", flush=True)
"""
    assert run_code(code, AUTOTRACE_NUM_THREADS="4") == "done"
