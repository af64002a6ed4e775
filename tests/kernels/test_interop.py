"""Programs called by Numba's compiled functions and by SciPy's C code."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from autotrace.kernels import Program
from autotrace.kernels.interop import as_low_level_callable, as_numba
from numba.core.errors import NumbaWarning, TypingError
from scipy import integrate, ndimage, optimize

import autotrace as at
from autotrace.core.trace import get_aval
from autotrace.transforms.stage import stage


def program(function: Callable[..., Any], *args: Any) -> Program:
    def flat(*values: Any) -> list[Any]:
        out = function(*values)
        return list(out) if isinstance(out, tuple | list) else [out]

    return Program(stage(flat, [get_aval(x) for x in args]))


def exported(function: Callable[..., Any], *args: Any) -> Any:
    return as_numba(program(function, *args), "exported")


def from_compiled(function: Any, *args: Any) -> Any:
    """What a compiled caller gets."""
    names = ", ".join(f"x{'x' * i}" for i in range(len(args)))
    namespace = {"function": function}
    exec(f"def caller({names}):\n    return function({names})", namespace)
    return numba.njit(namespace["caller"])(*args)


MATRIX = np.arange(12.0).reshape(3, 4) - 5
FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "elementwise": (lambda x: np.sin(x) * 2 + x, (MATRIX,)),
    "float32": (lambda x: np.sin(x) * np.float32(2), (MATRIX.astype(np.float32),)),
    "integers": (lambda x: x * 3 + 1, (np.arange(6),)),
    "small integers": (lambda x, n: x + n, (np.arange(6, dtype=np.int16), np.int16(3))),
    "unsigned": (lambda x: x + np.uint64(1), (np.arange(6, dtype=np.uint64),)),
    "bools": (lambda x, y: x & ~y, (np.array([True, True]), np.array([False, True]))),
    "comparison": (lambda x: x > 0, (MATRIX,)),
    "sum": (lambda x: np.sum(x * x), (MATRIX,)),
    "softmax": (lambda x: np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True), (MATRIX,)),
    "several": (lambda x: (x + 1, np.sum(x), x > 0, np.max(x) > 3), (MATRIX,)),
    "scalars": (lambda x, y: (x * y, x + y, x < y), (2.5, 4.0)),
    "kinds of scalars": (
        lambda a, b, c, d: (a + 1, b * np.float32(2), c, ~d, a.astype(np.int8)),
        (np.int64(3), np.float32(1.5), np.uint16(7), np.bool_(True)),
    ),
    "mixed": (lambda x, s, k: x * s + k, (MATRIX, 2.0, 3)),
    "product": (lambda x, y: x @ y, (MATRIX, MATRIX.T.copy())),
    "large product": (lambda x, y: x @ y, (np.ones((40, 50)), np.ones((50, 30)))),
    "complex product": (lambda x: x @ x, (np.arange(400.0).reshape(20, 20) * (1 + 2j),)),
    "gather": (lambda x, i: x[i], (MATRIX, np.array([2, 0, -1]))),
    "transposed": (lambda x: x.T, (MATRIX,)),
    "constant": (lambda x: x + np.arange(4.0), (MATRIX,)),
    "the input itself": (lambda x, s: (x, s, x), (MATRIX, 2.0)),
    "no input": (lambda: np.arange(3.0), ()),
    "empty": (lambda x: (x * 2, np.sum(x)), (np.empty((0, 3)),)),
    "large": (lambda x: np.sum(np.exp(np.sin(x)) * x), (np.linspace(0, 1, 200_000),)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(name: str) -> None:
    function, args = FUNCTIONS[name]
    made = program(function, *args)
    expected = made(*args)
    f = as_numba(made, "f")
    for got in (f(*args), from_compiled(f, *args)):
        assert isinstance(got, tuple) == (len(expected) > 1)
        outs = got if isinstance(got, tuple) else (got,)
        for out, wanted in zip(outs, expected, strict=True):
            assert np.shape(out) == np.shape(wanted)
            if np.ndim(wanted):
                assert out.dtype == wanted.dtype
                assert out.flags.c_contiguous and out.flags.writeable
                assert not any(np.may_share_memory(out, x) for x in args)
            np.testing.assert_array_equal(out, wanted)


def test_results_are_new() -> None:
    f = exported(lambda x: x + 1, np.ones(3))
    first = f(np.ones(3))
    f(np.zeros(3))
    np.testing.assert_array_equal(first, [2, 2, 2])


def test_read_only_arguments() -> None:
    x = np.ones(3)
    x.setflags(write=False)
    f = exported(lambda x: x + 1, x)
    np.testing.assert_array_equal(f(x), [2, 2, 2])
    np.testing.assert_array_equal(from_compiled(f, x), [2, 2, 2])


def test_numbers_of_an_earlier_kind_are_converted() -> None:
    f = exported(lambda x: x / 2, 1.0)
    for x in (3, True, np.float32(3), np.int8(3)):
        assert f(x) == from_compiled(f, x) == x / 2


@pytest.mark.parametrize("shape", [(4,), (0,), (2,)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    f = exported(lambda x, y: x * y, 2.0, np.ones(3))
    for call in (f, lambda *args: from_compiled(f, *args)):
        with pytest.raises(ValueError, match=r"exported takes an array of shape \(3,\) as arg.* 1"):
            call(2.0, np.ones(shape))


@pytest.mark.parametrize(
    "bad",
    [
        np.ones((2, 3), np.float32),
        np.ones((2, 3), int),
        np.ones(3),
        np.ones((1, 2, 3)),
        np.asfortranarray(np.ones((2, 3))),
        np.ones((2, 6))[:, ::2],
        2.0,
    ],
)
def test_wrong_array(bad: Any) -> None:
    f = exported(lambda x: x * 2, np.ones((2, 3)))
    text = r"exported takes an array f64\[2,3\] in C order as argument 0, got"
    with pytest.raises(TypeError, match=text):
        f(bad)
    with pytest.raises(TypingError, match=text):
        from_compiled(f, bad)


@pytest.mark.parametrize("bad", [2.5, np.float32(2), 1j, np.ones(3), np.array(3), None, "3", [3]])
def test_wrong_number(bad: Any) -> None:
    f = exported(lambda n: n * 2, 3)
    assert f(3) == 6
    with pytest.raises(TypeError, match=r"exported takes a number i64\[\] as argument 0, got"):
        f(bad)


def test_what_numba_does_not_know() -> None:
    f = exported(lambda x: x * 2, np.ones(3))
    for bad in (np.ones(3, ">f8"), np.ones(3, object), [1.0, 2.0, 3.0]):
        with pytest.raises(TypeError, match="exported takes an array"):
            f(bad)
    half = program(lambda x: x + x, np.ones(3, np.float16))
    with pytest.raises(NotImplementedError, match=r"float16|host steps"):
        as_numba(half)


def test_wrong_count() -> None:
    f = exported(lambda x, y: x * y, 1.0, 2.0)
    with pytest.raises(TypeError):
        f(1.0)
    with pytest.raises(TypeError):
        f(1.0, 2.0, 3.0)


def test_index_out_of_bounds() -> None:
    f = exported(lambda x, i: x[i], np.arange(3.0), np.array([0]))
    assert f(np.arange(3.0), np.array([2])) == [2.0]
    for call in (f, lambda *args: from_compiled(f, *args)):
        with pytest.raises(IndexError, match="exported: an index is out of bounds"):
            call(np.arange(3.0), np.array([3]))
    assert f(np.arange(3.0), np.array([-3])) == [0.0]


def test_host_steps_are_named() -> None:
    def f(x: Any) -> Any:
        return at.pure_callback(np.sin, at.ShapeDtypeStruct((), float), 2 * x) + 1

    made = program(f, 1.0)
    for export in (as_numba, as_low_level_callable):
        with pytest.raises(NotImplementedError, match="pure_callback") as caught:
            export(made)
        assert "return at.pure_callback" in str(caught.value)  # the line


def test_gradient_in_a_compiled_optimiser() -> None:
    def rosenbrock(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    start = np.array([0.2, 0.5, 0.5, 2.0])
    f = exported(at.value_and_grad(rosenbrock), start)

    @numba.njit
    def descend(x: Any, steps: int) -> Any:
        velocity = np.zeros_like(x)
        for _ in range(steps):
            _, slope = f(x + 0.9 * velocity)
            velocity = 0.9 * velocity - 2e-4 * slope
            x = x + velocity
        return x

    np.testing.assert_allclose(descend(start, 60_000), np.ones(4), atol=1e-4)


def test_threads_of_numba() -> None:
    f = exported(lambda x, s: (np.sum(np.sin(x) * s), x * s), np.ones(5), 2.0)

    @numba.njit(parallel=True)
    def many(rows: Any) -> Any:
        sums = np.empty(len(rows))
        scaled = np.empty_like(rows)
        for i in numba.prange(len(rows)):
            total, row = f(rows[i], float(i))
            sums[i] = total
            scaled[i] = row
        return sums, scaled

    rows = np.linspace(0, 1, 20_000).reshape(-1, 5)
    numbers = np.arange(len(rows))
    sums, scaled = many(rows)
    np.testing.assert_allclose(sums, np.sin(rows).sum(1) * numbers, rtol=1e-13)
    np.testing.assert_array_equal(scaled, rows * numbers[:, None])


def test_more_threads_than_frames() -> None:
    # Shared among the library's own threads too, with temporaries of its own for each call.
    def work(x: Any) -> Any:
        e = np.exp(x - np.max(x))
        return e / np.sum(e)

    xs = [np.linspace(0, 1 + i, 50_000) for i in range(12)]
    made = program(work, xs[0])
    f = as_numba(made, "f")
    call = numba.njit(nogil=True)(lambda x: f(x))
    expected = [made(x)[0] for x in xs]
    call(xs[0])
    wrong: list[int] = []

    def worker(i: int) -> None:
        for _ in range(20):
            if not np.allclose(call(xs[i]), expected[i], rtol=1e-12):
                wrong.append(i)

    threads = [threading.Thread(target=worker, args=(i,)) for i in range(len(xs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_the_interpreters_lock() -> None:
    f = exported(lambda x: np.sum(np.tanh(x)), np.ones(100))
    stop = np.zeros(1, np.int64)

    @numba.njit(nogil=True)
    def until(x: Any, stop: Any) -> Any:
        count = 0
        while stop[0] == 0:
            f(x)
            count += 1
        return count

    stop[0] = 1
    until(np.ones(100), stop)
    stop[0] = 0
    counts: list[int] = []
    thread = threading.Thread(target=lambda: counts.append(until(np.ones(100), stop)))
    thread.start()
    total = sum(range(100_000))  # Python goes on meanwhile
    stop[0] = 1
    thread.join()
    assert counts and total


def test_machine_code_outlives_the_function() -> None:
    namespace = {"f": exported(lambda x: x + np.arange(1000.0), np.ones(1000))}
    exec("def caller(x):\n    return f(x)", namespace)
    caller = numba.njit(namespace["caller"])
    expected = caller(np.ones(1000))
    namespace.clear()
    gc.collect()
    filler = [np.full(1000, 7.0) for _ in range(100)]
    np.testing.assert_array_equal(caller(np.ones(1000)), expected)
    del filler


def test_callers_are_not_kept_on_disk(tmp_path: Any) -> None:
    # Their machine code has addresses of this process in it.
    code = """
        import numba, numpy as np, autotrace as at
        from autotrace.kernels.interop import as_numba
        made = at.jit(lambda x: x * 2, backend="numba").lower(np.ones(3)).compile()._executable
        f = as_numba(made, "f")
        @numba.njit(cache=True)
        def caller(x):
            return f(x)
        print(caller(np.ones(3)))
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    for _ in range(2):
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
        assert done.stdout == "[2. 2. 2.]\n"
        assert "Cannot cache" in done.stderr
    assert not list(tmp_path.rglob("*.nbc"))


def test_function_pickles() -> None:
    f = exported(lambda x: x * 2, np.ones(3))
    again = pickle.loads(pickle.dumps(f))
    assert again.__name__ == "exported"
    np.testing.assert_array_equal(again(np.ones(3)), [2, 2, 2])


def test_any_name() -> None:
    f = as_numba(program(lambda x: x * 2, np.ones(3)), 'a "<lambda>" {0}')
    assert from_compiled(f, np.ones(3)).tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match=r'a "<lambda>" \{0\} takes'):
        f(np.ones(2))


def test_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", NumbaWarning)
        f = exported(lambda x, y: x @ y, MATRIX, MATRIX.T.copy())
        from_compiled(f, MATRIX, MATRIX.T.copy())


def test_interop_is_imported_on_demand() -> None:
    code = "import sys, autotrace.kernels; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# --- SciPy --------------------------------------------------------------------------------------


def callback(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return as_low_level_callable(program(function, *args), **options)


@pytest.mark.parametrize("signature", [None, "double (int, double *, void *)"])
def test_quad(signature: str | None) -> None:
    f = callback(lambda x: np.exp(-x) * np.sin(x), 1.0, signature=signature)
    value, _ = integrate.quad(f, 0, 50)
    np.testing.assert_allclose(value, 0.5, rtol=1e-10)


def test_quad_of_a_derivative() -> None:
    slope = callback(at.grad(lambda x: np.tanh(x) * x**2), 1.0)
    np.testing.assert_allclose(integrate.quad(slope, 0.5, 2)[0], np.tanh(2) * 4 - np.tanh(0.5) / 4)


def test_quad_with_arguments() -> None:
    f = callback(lambda x, a, b: a * x**2 + b, 1.0, 1.0, 1.0)
    np.testing.assert_allclose(integrate.quad(f, 0, 1, args=(3.0, 2.0))[0], 3)


def test_nquad() -> None:
    f = callback(lambda x, y, z: x * y + np.cos(z), 1.0, 1.0, 1.0)
    value, _ = integrate.nquad(f, [(0, 1), (0, 2), (0, np.pi)])
    np.testing.assert_allclose(value, np.pi, rtol=1e-10)


def test_dblquad() -> None:
    f = callback(lambda y, x: x * y**2, 1.0, 1.0)
    np.testing.assert_allclose(integrate.dblquad(f, 0, 2, 0, 1)[0], 2 / 3)


def test_generic_filter() -> None:
    f = callback(lambda x: np.max(x) - np.min(x), np.ones(9))
    image = np.random.default_rng(0).normal(size=(20, 30))
    expected = ndimage.generic_filter(image, np.ptp, size=3)
    np.testing.assert_array_equal(ndimage.generic_filter(image, f, size=3), expected)


def test_generic_filter_of_another_size() -> None:
    f = callback(lambda x: np.sum(x), np.ones(9))
    with pytest.raises(RuntimeError):
        ndimage.generic_filter(np.ones((5, 5)), f, size=2)


def test_wrong_number_of_arguments_is_nan() -> None:
    f = callback(lambda x, y: x * y, 1.0, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(integrate.quad(f, 0, 1, args=(1.0, 2.0, 3.0))[0])


def test_root_finders_take_the_numba_function() -> None:
    f = exported(lambda x: x**3 - 2, 1.0)
    slope = exported(at.grad(lambda x: x**3 - 2), 1.0)
    np.testing.assert_allclose(optimize.brentq(f, 0, 2), 2 ** (1 / 3))
    np.testing.assert_allclose(optimize.newton(f, 1.0, fprime=slope), 2 ** (1 / 3))


def test_callback_keeps_what_it_needs() -> None:
    made = program(lambda x: np.sum(x * np.arange(1000.0)), 1.0)
    f = as_low_level_callable(made)
    del made
    gc.collect()
    filler = [np.full(1000, np.nan) for _ in range(100)]
    np.testing.assert_allclose(integrate.quad(f, 0, 1)[0], 999 * 500 / 2)
    del filler


def test_callback_from_several_threads() -> None:
    f = callback(lambda x, a: np.exp(-a * x * x), 1.0, 1.0)
    found: dict[int, float] = {}

    def worker(i: int) -> None:
        for _ in range(200):
            found[i] = integrate.quad(f, 0, 1, args=(float(i),))[0]

    threads = [threading.Thread(target=worker, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, value in found.items():
        assert value == integrate.quad(f, 0, 1, args=(float(i),))[0]


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lambda x: x * 2, (np.ones(3),)),
        (lambda x: (x, x), (1.0,)),
        (lambda x: x * 2, (1,)),
        (lambda x: x * np.float32(2), (np.float32(1),)),
        (lambda x, y: np.sum(x) * y, (np.ones(3), 1.0)),
        (lambda: np.float64(1), ()),
        (lambda x: x > 0, (1.0,)),
    ],
)
def test_not_a_callback(function: Callable[..., Any], args: tuple) -> None:
    with pytest.raises(TypeError, match="does not have a C callback"):
        callback(function, *args)


def test_not_of_the_signature() -> None:
    with pytest.raises(TypeError, match=r"f64\[\], f64\[\] to f64\[\] does not have the C sig"):
        callback(lambda x, y: x * y, 1.0, 2.0, signature="double (double, void *)")


# --- as compiled functions have them ------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_compiled_function(backend: str) -> None:
    def f(d: Any, n: int) -> Any:
        return {"sum": np.sum(d["x"] * n), "rest": (d["x"] + d["y"],)}

    d = {"x": np.ones(3), "y": 2.0}
    compiled = at.jit(f, static_argnums=1, backend=backend).lower(d, 3).compile()
    if not hasattr(compiled, "as_numba"):
        pytest.skip("not wired yet")
    rest, total = from_compiled(compiled.as_numba(), d["x"], d["y"])
    assert rest.tolist() == [3, 3, 3] and total == 9
    number = at.jit(np.sin, backend=backend).lower(1.0).compile()
    np.testing.assert_allclose(
        integrate.quad(number.as_low_level_callable(), 0, 1)[0], 1 - np.cos(1)
    )
