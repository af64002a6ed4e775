"""Reading and writing at computed positions, in compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from autotrace.kernels import Program
from autotrace.kernels.expressions import HostStep
from plain_kernels import run_plainly

import autotrace as at
from autotrace import lax
from autotrace.core.jaxpr import Jaxpr
from autotrace.core.trace import get_aval
from autotrace.transforms.backends import Interpreter
from autotrace.transforms.stage import stage

FLOATS = ["float64", "float32"]
DTYPES = [*FLOATS, "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"]
READING = ["raise", "clip", "wrap", "fill", "zero"]
WRITING = ["raise", "clip", "wrap", "drop"]
INDICES = ["int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64"]


def staged(function: Callable[..., Any], *args: Any) -> Jaxpr:
    def flat(*args: Any) -> list[Any]:
        found = function(*args)
        return list(found) if isinstance(found, tuple | list) else [found]

    return stage(flat, [get_aval(x) for x in args])


def equal(found: Any, right: Any, tolerance: float = 0.0) -> None:
    assert len(found) == len(right)
    for a, b in zip(found, right, strict=True):
        assert np.shape(a) == np.shape(b)
        assert a.dtype == b.dtype
        if tolerance and a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)


def check(
    function: Callable[..., Any],
    *args: Any,
    host_steps: int | None = 0,
    plainly: bool = True,
    tolerance: float = 0.0,
) -> list[Any]:
    """Compare with the interpreter, and with kernels run as Python, which checks each access."""
    jaxpr = staged(function, *args)
    made = Program(jaxpr)
    if host_steps is not None:
        found_steps = [step.name for step in made.steps if isinstance(step, HostStep)]
        assert len(found_steps) == host_steps, found_steps
    before = [np.array(x) for x in args]
    right = Interpreter(jaxpr)(*args)
    for _ in range(2):
        equal(made(*args), right, tolerance)
    if plainly:
        equal(run_plainly(made, args), right, tolerance)
    for x, y in zip(args, before, strict=True):
        np.testing.assert_array_equal(x, y)
    return list(right)


def numbers(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    low = 0 if dtype.startswith("u") else -100
    return rng.integers(low, 100, shape).astype(dtype)


# --- gather --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", READING)
def test_gather(mode, dtype):
    x = numbers((4, 5), dtype)
    far = 0 if mode == "raise" else 9
    i = np.array([[0, 3, -1], [-4, 1, 2]])
    i[0, 0] += far
    i[1, 0] -= far
    (found,) = check(lambda x, i: lax.gather(x, [i], (0,), mode=mode), x, i)
    assert found.shape == (2, 3, 5)
    inside = found[0, 1], found[0, 2], found[1, 1]
    rows = (3, 3, 1) if mode not in ("clip", "wrap") else (3, 0 if mode == "clip" else 3, 1)
    equal(inside, [x[r] for r in rows])
    if mode == "raise":
        np.testing.assert_array_equal(found, x[i])


@pytest.mark.parametrize("kind", INDICES)
@pytest.mark.parametrize("mode", READING)
def test_dtypes_of_indices(mode, kind):
    """Indices are taken as they are: 200 of uint8 is 200."""
    x = numbers((300,))
    i = np.array([0, 5, 100, 127, 200 % (np.iinfo(kind).max + 1)], kind)
    host = 0 if kind != "uint64" else None
    (found,) = check(lambda x, i: lax.gather(x, [i], (0,), mode=mode), x, i, host_steps=host)
    np.testing.assert_array_equal(found, x[i.astype(int)])
    if np.iinfo(kind).min < 0:
        back = -i - (mode == "raise")
        check(lambda x, i: lax.gather(x, [i], (0,), mode=mode), x, back, host_steps=host)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("mode", READING)
def test_axes(mode, axes):
    x = numbers((3, 4, 2))
    rng = np.random.default_rng(1)
    far = 0 if mode == "raise" else 2
    for shape in [(), (1,), (5,), (2, 3)]:
        indices = [rng.integers(-x.shape[a] - far, x.shape[a] + far, shape) for a in axes]
        check(lambda x, *i: lax.gather(x, i, axes, mode=mode), x, *indices)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, i: x[i],
        lambda x, i: x[:, i],
        lambda x, i: x[i, i],
        lambda x, i: x[i[:, None], i],
        lambda x, i: x[::-1][i],
        lambda x, i: x.T[i],
        lambda x, i: x[:, ::2][i],
        lambda x, i: x[i][:, ::-1],
        lambda x, i: x[i].T,
        lambda x, i: np.take(x, i, 1),
        lambda x, i: np.take(x, i),
        lambda x, i: x[i[0], i[1]],
        lambda x, i: x[2:5][i[:1] % 3],
        lambda x, i: np.broadcast_to(x[0], (6, 6))[i],
        lambda x, i: x.reshape(4, 9)[i % 4],
        lambda x, i: x[i][i],
        lambda x, i: np.take_along_axis(x, np.broadcast_to(i[:, None], (6, 1)), 1),
    ],
)
def test_views_of_what_is_read(function):
    x, i = numbers((6, 6)), np.array([0, 2, -1, 5, -6, 3])
    jitted = at.jit(function, backend="numba")
    np.testing.assert_array_equal(jitted(x, i), function(x, i))
    check(function, x, i, host_steps=None)
    assert "host step" not in jitted.explain(x, i)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, i: np.exp(x[i]) * 2,
        lambda x, i: np.exp(x)[i] * 2,
        lambda x, i: np.sum(np.exp(x[i])),
        lambda x, i: np.sum(np.exp(x)[i], 0),
        lambda x, i: np.sum(x[i] * x[i[::-1]], 1),
        lambda x, i: np.cumsum(x[i], 0) + np.max(x[:, i]),
        lambda x, i: x[i] + x[(i * i) % 6],
        lambda x, i: x[(np.sum(x, 1) > 0).astype(int)] * np.tanh(x),
        lambda x, i: np.where(x[i] > 0, x[i], np.sin(x)),
        lambda x, i: x[i] @ x[:, i],
        lambda x, i: np.exp(x[i])[i][i] + x[i[i]],
    ],
)
def test_fused_producers_and_consumers(function):
    x, i = numbers((6, 6)) / 50, np.array([0, 2, -1, 5, -6, 3])
    check(function, x, i, tolerance=1e-12, plainly=False)


def test_a_gather_between_elementwise_functions_is_one_kernel():
    x, i = numbers((50,)) / 50, np.arange(50)[::-1]
    jitted = at.jit(lambda x, i: np.sum(np.tanh(x[(i * 3) % 50] * 2)), backend="numba")
    text = jitted.explain(x, i)
    assert text.count("kernel over") == 1
    assert "host step" not in text


@pytest.mark.parametrize("mode", READING)
@pytest.mark.parametrize(
    ("shape", "places"),
    [((0, 3), (0,)), ((3, 0), (2,)), ((3, 4), (0,)), ((0,), (0, 2)), ((5,), ())],
)  # fmt: skip
def test_gathers_of_nothing(mode, shape, places):
    x, i = numbers(shape), np.zeros(places, np.int64)
    if i.size and not shape[0]:
        return
    check(lambda x, i: lax.gather(x, [i], (0,), mode=mode) + 1, x, i, host_steps=None)


@pytest.mark.parametrize("mode", ["fill", "zero"])
def test_reads_of_an_empty_array(mode):
    x, i = np.zeros((0, 2)), np.array([0, 3, -1])
    (found,) = check(lambda x, i: lax.gather(x, [i], (0,), mode=mode), x, i, host_steps=None)
    np.testing.assert_array_equal(found, np.full((3, 2), np.nan if mode == "fill" else 0.0))


def test_neighbours_are_not_read():
    """What lies beside the array is NaN, and none of it is found."""
    wide = np.full(300, np.nan)
    x = wide[100:200]
    x[:] = np.arange(100.0)
    i = np.concatenate([np.arange(-250, 250), [2**62, -(2**62), 2**63 - 1, -(2**63)]])
    for mode in ("clip", "wrap", "zero"):
        (found,) = check(lambda x, i, m=mode: lax.gather(x, [i], (0,), mode=m), x, i)
        assert not np.isnan(found).any()


# --- out of bounds -------------------------------------------------------------------------------


def user_function(x, i):
    y = np.exp(x)
    z = y[i]  # the line that errors name
    return np.sum(np.sin(z) * 2)


USER_LINE = user_function.__code__.co_firstlineno + 2


@pytest.mark.parametrize("wrong", [6, -7, 2**40, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("place", [0, 3, 4])
def test_out_of_bounds(wrong, place):
    x, i = numbers((6,)) / 50, np.array([0, 2, -1, 5, -6])
    jitted = at.jit(user_function, backend="numba")
    right = np.sum(np.sin(np.exp(x)[i]) * 2)
    for _ in range(3):
        np.testing.assert_allclose(jitted(x, i), right, rtol=1e-13)
        bad = i.copy()
        bad[place] = wrong
        with pytest.raises(IndexError, match=rf"test_indexing\.py:{USER_LINE}"):
            jitted(x, bad)
    np.testing.assert_allclose(jitted(x, i), right, rtol=1e-13)


def test_out_of_bounds_in_a_compiled_function():
    x, i = numbers((6,)) / 50, np.array([0, 2, -1, 5, -6])
    made = at.jit(lambda x, i: (np.exp(x)[i] * 2, np.sum(x)), backend="numba").lower(x, i).compile()
    out = np.empty(5), np.empty(())
    for _ in range(2):
        with pytest.raises(IndexError, match=r"(?s)6.*test_indexing"):
            made(x, i + 6, out=out)
        with pytest.raises(IndexError, match=r"(?s)6.*test_indexing"):
            made(x, i + 6)
        assert made(x, i, out=out) is out
        np.testing.assert_allclose(out[0], np.exp(x)[i] * 2, rtol=1e-14)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, i: np.cumsum(np.nextafter(x[i], 9.0)),
        lambda x, i: np.sum(x[i] @ x[:, i]),
        lambda x, i: np.where(x > 1e9, x[i], 0.0),  # though no result depends on it
        lambda x, i: (np.sin(x), np.exp(x[i]), np.sort(x, 0)),
        lambda x, i: x[i][i % 6] + np.max(x[i]),
        lambda x, i: x.at[i].set(0.0),
        lambda x, i: np.tanh(x.at[i].add(1.0)) @ x,
        lambda x, i: lax.scatter(x, [i], x, (0,), op="max"),
    ],
)
def test_results_that_later_steps_use(function):
    x, i = numbers((6, 6)) / 50, np.array([0, 2, -1, 5, -6, 3])
    jitted = at.jit(function, backend="numba")
    plain = at.jit(function, backend="numpy")
    for wrong in (6, -7):
        bad = i.copy()
        bad[2] = wrong
        for _ in range(2):
            with pytest.raises(IndexError, match=r"(?s)test_indexing"):
                jitted(x, bad)
            found, right = at.tree.leaves(jitted(x, i)), at.tree.leaves(plain(x, i))
            equal(found, right, tolerance=1e-12)


def test_host_steps_after_an_index_error_do_not_run():
    ran = []

    def function(x: Any, i: Any) -> Any:
        y = np.exp(x)[i]
        return at.pure_callback(
            lambda y: (ran.append(1), y)[1], at.ShapeDtypeStruct(y.shape, float), y
        )

    jitted = at.jit(function, backend="numba")
    x, i = numbers((6,)) / 50, np.array([0, 5])
    jitted(x, i)
    ran.clear()
    with pytest.raises(IndexError):
        jitted(x, i + 1)
    assert not ran


def test_a_scalar_index():
    jitted = at.jit(lambda x, i: x[i] * 2, backend="numba")
    x = numbers((4,))
    for i in (0, 3, -1, -4, np.int32(2), np.int8(-3), np.array(1)):
        assert jitted(x, i) == x[i] * 2
    for i in (4, -5, np.int32(9), 2**62):
        with pytest.raises(IndexError, match="out of bounds"):
            jitted(x, i)


# --- scatter -------------------------------------------------------------------------------------


OPERATIONS = ["set", "add", "mul", "min", "max"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.parametrize("mode", WRITING)
def test_scatter(op, mode, dtype):
    x, updates = numbers((4, 3), dtype), numbers((6, 3), dtype, 1)
    far = 0 if mode == "raise" else 5
    i = np.array([0, 3, -1, 0, 1, -4])
    i[0] += far
    i[2] -= far
    host = None if dtype == "bool" and op in ("add", "mul") else 0
    check(
        lambda x, i, u: lax.scatter(x, [i], u, (0,), op=op, mode=mode), x, i, updates,
        host_steps=host,
    )  # fmt: skip


def test_the_last_of_duplicates_is_set():
    x, i = np.zeros(4), np.array([1, 3, 1, 1, -1, 1])
    updates = np.arange(6.0) + 1
    (found,) = check(lambda x, i, u: lax.scatter(x, [i], u, (0,)), x, i, updates)
    np.testing.assert_array_equal(found, [0, 6, 0, 5])
    large = np.random.default_rng(0).integers(0, 50, 300_000)
    updates = np.arange(300_000.0)
    jitted = at.jit(lambda i, u: lax.scatter(np.zeros(50), [i], u, (0,)), backend="numba")
    right = np.zeros(50)
    right[large] = updates
    for count in (1, 2, 3):
        with at.threads(count):
            np.testing.assert_array_equal(jitted(large, updates), right)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("op", ["set", "add"])
def test_axes_of_scatters(op, axes):
    x = numbers((3, 4, 2))
    rng = np.random.default_rng(1)
    for shape in [(), (5,), (2, 3)]:
        indices = [rng.integers(-x.shape[a], x.shape[a], shape) for a in axes]
        window = tuple(n for d, n in enumerate(x.shape) if d not in axes)
        updates = numbers((*shape, *window), seed=2)
        check(lambda x, u, *i: lax.scatter(x, i, u, axes, op=op), x, updates, *indices)


@pytest.mark.parametrize("mode", WRITING)
@pytest.mark.parametrize("op", OPERATIONS)
def test_neighbours_are_not_written(op, mode):
    """Results lie in larger arrays, whose other elements stay as they are."""
    x, updates = numbers((10, 3)), numbers((40, 3), seed=1)
    far = 0 if mode == "raise" else 500
    i = np.random.default_rng(0).integers(-10 - far, 10 + far, 40)
    if mode != "raise":
        i[:4] = 2**62, -(2**62), 2**63 - 1, -(2**63)

    def function(x: Any, i: Any, u: Any) -> Any:
        return lax.scatter(x, [i], u, (0,), op=op, mode=mode)

    made = at.jit(function, backend="numba").lower(x, i, updates).compile()
    wide = np.full(90, 7.25)
    out = wide[30:60].reshape(10, 3)
    made(x, i, updates, out=out)
    np.testing.assert_array_equal(out, at.jit(function, backend="numpy")(x, i, updates))
    assert (wide[:30] == 7.25).all() and (wide[60:] == 7.25).all()
    if mode == "raise":
        for wrong in (10, -11, 2**50):
            bad = i.copy()
            bad[17] = wrong
            with pytest.raises(IndexError, match=r"(?s)out of bounds.*test_indexing"):
                made(x, bad, updates, out=out)
            assert (wide[:30] == 7.25).all() and (wide[60:] == 7.25).all()


@pytest.mark.parametrize(
    "function",
    [
        lambda x, i: np.exp(x).at[i].set(np.sin(x[i])) * 2,
        lambda x, i: np.sum(x.at[i].add(x)),
        lambda x, i: x.at[i].multiply(2.0) + x,
        lambda x, i: (x.at[i].set(0.0), x.at[i].min(1.0), x),
        lambda x, i: x.at[i].set(1.0).at[:, i[:2]].add(x[:, :2]),
        lambda x, i: x.T.at[i].set(x),
        lambda x, i: x[::-1].at[i, i].max(0.5),
        lambda x, i: (x * 0).at[i].add(np.exp(x)),
        lambda x, i: x.at[2:4].set(0.0).at[::2, 1].add(1.0),
        lambda x, i: np.cumsum(x.at[i[:3]].set(np.max(x)), 0),
    ],
)
def test_scatters_among_others(function):
    x, i = numbers((6, 6)) / 50, np.array([0, 2, -1, 5, -6, 3])
    check(function, x, i, host_steps=None, tolerance=1e-12, plainly=False)


#: What writes over a copy of ``y``, beside another use of ``y``.
WRITERS: dict[str, Callable[[Any], Any]] = {
    "scatter": lambda y: lax.scatter(y, [np.array([0, 2])], np.array([7.0, 8.0]), (0,)),
    "scatter_add": lambda y: lax.scatter_add(y, [np.array([1, 1])], np.array([7.0, 8.0]), (0,)),
    "scatter_add of itself": lambda y: lax.scatter_add(y, [np.arange(5)[::-1]], y, (0,)),
    "scatter of itself": lambda y: lax.scatter(y, [np.arange(5)[::-1]], y, (0,)),
    "window": lambda y: lax.dynamic_update_slice(y, np.zeros(3), (1,)),
    "window of itself": lambda y: lax.dynamic_update_slice(y, y[:3] * 2, (1,)),
    "at": lambda y: y.at[1:3].set(0.0),
    "pad": lambda y: lax.pad(y, np.float64(0), [(1, -1, 0)]),
}
OTHER_USES: dict[str, Callable[[Any], Any]] = {
    "scan": lambda y: np.cumsum(y),
    "sum": lambda y: np.sum(y),
    "reversed": lambda y: y[::-1] * 2,
    "itself": lambda y: y,
    "gather": lambda y: y[np.array([1, 0])],
    "elementwise": lambda y: y * 3,
    "sorted": lambda y: np.sort(y),
    "product": lambda y: np.outer(y, y),
    "written too": lambda y: y.at[3].set(100.0),
}


@pytest.mark.parametrize("use", OTHER_USES)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_value_that_is_used_after_a_copy_of_it_is_written_over(writer, use):
    x = np.linspace(0, 1, 5)

    def after(x: Any) -> Any:
        y = np.exp(x)
        return WRITERS[writer](y), OTHER_USES[use](y)

    def before(x: Any) -> Any:
        y = np.exp(x)
        found = OTHER_USES[use](y)
        return WRITERS[writer](y), found

    for function in (after, before):
        check(function, x, host_steps=None, tolerance=1e-12, plainly=False)


def test_empty_scatters():
    x = numbers((3, 4))
    none, empty = np.zeros((0,), np.int64), np.zeros((0, 4))
    check(lambda x, i, u: lax.scatter(x, [i], u, (0,)), x, none, empty, host_steps=None)
    check(lambda x, i, u: lax.scatter_add(x * 2, [i], u, (0,)), x, none, empty, host_steps=None)
    x, updates = np.zeros((3, 0)), np.zeros((2, 0))
    check(lambda x, u: lax.scatter(x, [np.array([0, 1])], u, (0,)), x, updates, host_steps=None)


def test_integers_wrap_around():
    x, i = np.array([250, 3], np.uint8), np.array([0, 0, 1])
    updates = np.array([5, 6, 255], np.uint8)
    for op in ("add", "mul"):
        check(lambda x, i, u, op=op: lax.scatter(x, [i], u, (0,), op=op), x, i, updates)


def test_nan_in_extrema():
    x, i = np.array([1.0, np.nan, 3.0, -np.inf]), np.array([0, 1, 2, 3, 2])
    updates = np.array([np.nan, 2.0, np.inf, -np.inf, 1.0])
    for op in ("min", "max"):
        check(lambda x, i, u, op=op: lax.scatter(x, [i], u, (0,), op=op), x, i, updates)


# --- windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["int64", "int8", "uint8", "uint64"])
def test_windows(dtype, kind):
    x, update = numbers((5, 6), dtype), numbers((2, 3), dtype, 1)
    host = 0 if kind != "uint64" else None
    low = 0 if kind.startswith("u") else -3
    for start in range(low, 8, 2):
        starts = np.array(start).astype(kind), np.array(7 - start).astype(kind)
        found = check(
            lambda x, u, *s: (lax.dynamic_slice(x, s, (2, 3)), lax.dynamic_update_slice(x, u, s)),
            x, update, *starts, host_steps=host,
        )  # fmt: skip
        first, second = (n + s if s < 0 else s for n, s in ((5, start), (6, 7 - start)))
        i, j = min(max(first, 0), 3), min(max(second, 0), 3)
        np.testing.assert_array_equal(found[0], x[i : i + 2, j : j + 3])
        right = x.copy()
        right[i : i + 2, j : j + 3] = update
        np.testing.assert_array_equal(found[1], right)


@pytest.mark.parametrize("start", [2**62, -(2**62), 2**63 - 1, -(2**63)])
def test_windows_far_away(start):
    x = numbers((5, 6))
    check(
        lambda x, s: (
            lax.dynamic_slice(x, (s, s), (2, 3)),
            lax.dynamic_update_slice(x, x[:3, :2] + 1, (s, s)),
        ),
        x,
        np.array(start),
    )


def test_windows_of_everything_and_of_nothing():
    x = numbers((3, 4))
    s = np.array(2)
    check(lambda x, s: lax.dynamic_slice(x, (s, s), (3, 4)), x, s)
    check(lambda x, s: lax.dynamic_update_slice(x, x * 2, (s, s)), x, s)
    for sizes in [(0, 4), (3, 0), (0, 0)]:
        check(lambda x, s, n=sizes: lax.dynamic_slice(x, (s, s), n), x, s, host_steps=None)
        u = np.zeros(sizes)
        check(lambda x, s, u: lax.dynamic_update_slice(x, u, (s, s)), x, s, u, host_steps=None)
    empty = np.zeros((0, 2))
    check(lambda x, s: lax.dynamic_slice(x, (s, s), (0, 1)), empty, s, host_steps=None)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, s: np.exp(lax.dynamic_slice(x, (s, s), (2, 3))) * 2,
        lambda x, s: lax.dynamic_slice(np.exp(x), (s + 1, s * 2), (2, 3)),
        lambda x, s: lax.dynamic_slice(x.T, (s, s), (2, 3)),
        lambda x, s: lax.dynamic_slice(x[::-1, ::2], (s, s), (2, 1))[::-1],
        lambda x, s: np.sum(lax.dynamic_slice(x, (s, 0), (2, 6)), 0),
        lambda x, s: lax.dynamic_update_slice(x, lax.dynamic_slice(x, (s, s), (2, 3)), (0, s)),
        lambda x, s: lax.dynamic_update_slice(np.sin(x), np.cos(x[:2, :2]), (s, s)) @ x.T,
        lambda x, s: lax.dynamic_update_slice(x.T, x[:2, :2], (s, s)),
        lambda x, s: lax.dynamic_index_in_dim(x, s, 1),
        lambda x, s: lax.dynamic_update_index_in_dim(x, np.zeros(6), s, 0),
        lambda x, s: lax.dynamic_slice(np.broadcast_to(x[0], (4, 6)), (s, s), (3, 3)),
    ],
)
@pytest.mark.parametrize("start", [-1, 0, 1, 3, 9])
def test_windows_among_others(function, start):
    x = numbers((5, 6)) / 50
    check(function, x, np.array(start), tolerance=1e-12, plainly=False)


def test_a_window_is_written_within_its_array():
    x, update = numbers((10, 3)), numbers((4, 3), seed=1)
    made = at.jit(lambda x, u, s: lax.dynamic_update_slice(x, u, (s, 0)), backend="numba")
    made = made.lower(x, update, np.array(0)).compile()
    wide = np.full(90, 7.25)
    out = wide[30:60].reshape(10, 3)
    for start in (-(2**63), -5, 0, 3, 6, 7, 50, 2**63 - 1):
        made(x, update, np.array(start), out=out)
        at_start = min(max(start + 10 if start < 0 else start, 0), 6)
        np.testing.assert_array_equal(out[at_start : at_start + 4], update)
        assert (wide[:30] == 7.25).all() and (wide[60:] == 7.25).all()


# --- derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x, i, s: x[i],
        lambda x, i, s: x[i[:, None], i],
        lambda x, i, s: np.exp(x)[i] * x[:, i].T,
        lambda x, i, s: lax.gather(x, [i + 3], (0,), mode="fill"),
        lambda x, i, s: lax.gather(x, [i + 3], (1,), mode="zero"),
        lambda x, i, s: lax.gather(x, [i * 2], (1,), mode="clip"),
        lambda x, i, s: lax.gather(x, [i * 2], (0,), mode="wrap"),
        lambda x, i, s: x.at[i].set(np.sin(x)),
        lambda x, i, s: x.at[i].add(np.sin(x) * x),
        lambda x, i, s: x.at[i].multiply(np.sin(x)),
        lambda x, i, s: x.at[i].max(np.sin(x)),
        lambda x, i, s: lax.scatter_add(x, [i + 3], np.tanh(x), (0,), mode="drop"),
        lambda x, i, s: lax.dynamic_slice(np.tanh(x), (s, s), (2, 3)),
        lambda x, i, s: lax.dynamic_update_slice(np.tanh(x), x[:2, :3] * x[:2, :3], (s, s)),
    ],
)
def test_gradients(function):
    x = np.random.default_rng(0).normal(size=(6, 6))
    i, s = np.array([0, 2, -1, 5, 2, 0]), np.array(2)

    def loss(x: Any, i: Any, s: Any) -> Any:
        y = function(x, i, s)
        return np.sum(np.where(y == y, y, 0.0) * np.cos(np.arange(y.size).reshape(y.shape)))

    both = at.value_and_grad(loss)
    check(lambda x, i, s: list(both(x, i, s)), x, i, s, host_steps=None, tolerance=1e-11,
          plainly=False)  # fmt: skip
    compiled = at.jit(lambda x: at.grad(loss)(x, i, s), backend="numba")
    direction = np.random.default_rng(1).normal(size=x.shape)
    if "max" not in function.__code__.co_names:
        step = 1e-6 * direction
        plain = at.jit(loss, backend="numpy")
        slope = (plain(x + step, i, s) - plain(x - step, i, s)) / 2e-6
        np.testing.assert_allclose(np.sum(compiled(x) * direction), slope, rtol=1e-5, atol=1e-7)


def test_gradient_of_an_embedding():
    table, words = np.random.default_rng(0).normal(size=(20, 4)), np.array([[3, 3, 0], [19, 3, 7]])
    gradient = at.jit(at.grad(lambda t, w: np.sum(t[w] ** 2)), backend="numba")
    right = np.zeros_like(table)
    np.add.at(right, words, 2 * table[words])
    np.testing.assert_allclose(gradient(table, words), right, rtol=1e-14)
    assert "host step" not in gradient.explain(table, words)


# --- any -----------------------------------------------------------------------------------------


@st.composite
def reads(draw: st.DrawFn) -> tuple[np.ndarray, list[np.ndarray], tuple[int, ...], str]:
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    axes = tuple(
        sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1, max_size=len(shape))))
    )
    places = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    mode = draw(st.sampled_from([*READING, *WRITING]))
    far = 0 if mode == "raise" else draw(st.sampled_from([0, 1, 10, 2**40]))
    count = int(np.prod(places))
    indices = []
    for a in axes:
        some = st.integers(-shape[a] - far, shape[a] - 1 + far)
        found = draw(st.lists(some, min_size=count, max_size=count))
        indices.append(np.array(found, np.int64).reshape(places))
    return numbers(shape), indices, axes, mode


@hypothesis.given(reads(), st.sampled_from(OPERATIONS))
@hypothesis.settings(max_examples=40)
def test_any(case, op):
    x, indices, axes, mode = case
    reading = "zero" if mode == "drop" else mode
    writing = "drop" if mode in ("zero", "fill") else mode
    check(lambda x, *i: lax.gather(x, i, axes, mode=reading), x, *indices, host_steps=None)
    window = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    updates = numbers((*indices[0].shape, *window), seed=1)
    check(
        lambda x, u, *i: lax.scatter(x, i, u, axes, op=op, mode=writing),
        x,
        updates,
        *indices,
        host_steps=None,
        tolerance=1e-12,
    )
